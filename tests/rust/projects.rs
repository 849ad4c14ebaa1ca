//! The projects beside the library, which use its C interface. Each is a folder with its own Cargo.toml, so cargo leaves it out of the
//! published crate.

// Some test programs use only a part of this module.
#![allow(dead_code)]

use std::path::Path;

/// The folders of the projects. The library of the folder NAME is libkvlight_NAME.
pub const PROJECTS: &[&str] = &["redis"];

/// Whether this copy of the sources has the projects. If not, prints that the test is not run.
pub fn are_there() -> bool {
    let are_there = PROJECTS.iter().all(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join(name).join("src").exists());
    if !are_there {
        println!("NOT RUN: this copy lacks the projects beside the library");
    }
    are_there
}
