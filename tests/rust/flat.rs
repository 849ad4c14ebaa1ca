//! Programs in C and C++ that do each thing very often, while their memory stays flat (tests/programs/flat). KVL_CALLS says how often. For
//! Rust `typed_flat.rs` does this; the other languages have such loops among their own tests.

use super::library;

use std::path::Path;
use std::process::Command;

fn run(compiler: &str, standard: &str, source: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = library::installed_in(&format!("flat-{compiler}"));
    let program = installed.join("flat");
    let mut compile = Command::new(compiler);
    compile.args([standard, "-O1", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-pthread", "-I"]).arg(root.join("include"));
    compile.arg(root.join("tests/programs/flat").join(source)).arg("-o").arg(&program);
    compile.arg("-L").arg(&installed).args(["-lkvlight", "-Wl,--no-as-needed"]);
    library::run(&mut compile).unwrap_or_else(|error| panic!("{error}"));
    let mut program = Command::new(program);
    program.env("LD_LIBRARY_PATH", &installed).env("RUST_BACKTRACE", "0");
    let output = library::run(&mut program).unwrap_or_else(|error| panic!("{error}"));
    assert!(output.trim_end().ends_with(" checks, 0 failed"), "only the number of checks is printed: {output}");
}

#[test]
fn l08_memory_is_flat_in_c() {
    run("gcc", "-std=c11", "flat.c");
}

#[test]
fn l08_memory_is_flat_in_cpp() {
    run("g++", "-std=c++17", "flat.cpp");
}
