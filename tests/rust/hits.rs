//! A lookup that hits needs nothing from the system: no memory, no precise clock, no waiting. tests/programs/hits/hits.c counts the calls:
//! its own `malloc`, `clock_gettime` and similar functions replace those of libc.

use super::library;

use std::path::Path;
use std::process::Command;

fn must(program: &mut Command) -> String {
    library::run(program).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_hit_allocates_no_memory_and_uses_no_precise_clock_and_no_system_call() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = library::installed_in("hits");
    let program = folder.join("hits");
    let mut compiler = Command::new("gcc");
    // The compiler must neither treat the program's functions as builtins nor optimise calls of them away.
    compiler.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-fno-builtin", "-rdynamic", "-pthread", "-I"]);
    compiler.arg(here.join("include")).arg(here.join("tests/programs/hits/hits.c")).arg("-o").arg(&program);
    compiler.arg("-L").arg(&folder).args(["-lkvlight", "-ldl"]);
    must(&mut compiler);
    let output = must(Command::new(&program).env("LD_LIBRARY_PATH", &folder));
    assert!(output.trim_end().ends_with(" checks, 0 failed"), "{output}");
    assert_eq!(output.matches(" precise clocks").count(), 14, "seven kinds of lookup, each of two kinds of entry: {output}");
}
