//! The package libkvlight_redis. It has a folder and a Cargo.toml of its own, as the benchmarks have: cargo leaves both out of the published crate.

use std::path::Path;

/// Whether it is there. If not, says that the test is not run.
pub fn is_there() -> bool {
    let is_there = Path::new(env!("CARGO_MANIFEST_DIR")).join("redis/src").exists();
    if !is_there {
        println!("NOT RUN: this copy lacks the package libkvlight_redis");
    }
    is_there
}
