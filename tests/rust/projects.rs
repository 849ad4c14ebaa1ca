//! The projects beside the library, over its C interface. Each is a folder with a Cargo.toml of its own, as the benchmarks are: cargo leaves it out of
//! the published crate.

// Some test programs use only a part of it.
#![allow(dead_code)]

use std::path::Path;

/// Their folders. The library of the folder NAME is libkvlight_NAME.
pub const PROJECTS: &[&str] = &["redis"];

/// Whether this copy has them. If not, says that the test is not run.
pub fn are_there() -> bool {
    let are_there = PROJECTS.iter().all(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join("src").exists());
    if !are_there {
        println!("NOT RUN: this copy lacks the projects beside the library");
    }
    are_there
}
