//! Refused resources: programs that replace functions of libc, and refuse threads (tests/programs/scarce/threads.c) or memory (memory.c) when
//! the test demands it. They run without valgrind and sanitizers, which replace the same functions.

use super::library;

use std::path::Path;
use std::process::Command;

fn run(name: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = library::installed_in(&format!("scarce-{name}"));
    let program = installed.join(name);
    let mut compiler = Command::new("gcc");
    compiler.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-pthread", "-I"]).arg(root.join("include"));
    compiler.arg(root.join("tests/programs/scarce").join(name).with_extension("c")).arg("-o").arg(&program);
    compiler.arg("-L").arg(&installed).args(["-lkvlight", "-ldl", "-Wl,--no-as-needed"]);
    library::run(&mut compiler).unwrap_or_else(|error| panic!("{error}"));
    let mut program = Command::new(program);
    program.env("LD_LIBRARY_PATH", &installed).env("RUST_BACKTRACE", "0");
    let output = library::run(&mut program).unwrap_or_else(|error| panic!("{error}"));
    assert!(output.trim_end().ends_with(" checks, 0 failed"), "every check holds: {output}");
}

#[test]
fn l09a_refused_threads_are_a_status_and_no_hang() {
    run("threads");
}

#[test]
fn l09a_refused_memory_is_a_status_and_no_abort() {
    run("memory");
}
