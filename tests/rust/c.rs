//! C programs, one for each part of the interface (tests/programs/c/*.c): compiled with strict warnings against include/ and the shared
//! library, run, and run under valgrind, where no byte may be in use at exit (rule L08). Also the header alone, with every compiler and
//! standard that must accept it.

use super::library;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// One test for each program, so that a failure names its program.
macro_rules! programs {
    ($($name:ident)*) => {
        const PROGRAMS: &[&str] = &[$(stringify!($name)),*];
        mod l08_nothing_is_left_by {
            $(#[test] fn $name() { super::check(stringify!($name)); })*
        }
    };
}
programs! { breaker cache cache_file clock conditional config crowd error fetch handles invalidate iterator joiners key l2 l2_calls object process put reader request results routes runtime stale status tag tasks value }

#[test]
fn every_program_of_the_folder_is_run() {
    let folder = here().join("tests/programs/c");
    let files = fs::read_dir(folder).expect("the folder can be listed").map(|entry| entry.expect("the folder can be listed").path());
    let mut names: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "c"))
        .map(|path| path.file_stem().expect("a file has a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, PROGRAMS, "name each program in `programs!`, in order");
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder with the library, under the names by which it is linked and loaded.
fn installed() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| library::installed_in("c"))
}

/// Runs a program, and returns what it printed. Panics if it fails.
fn must(program: &mut Command) -> String {
    library::run(program).unwrap_or_else(|error| panic!("{error}"))
}

fn check(name: &str) {
    let program = installed().join(name);
    let mut compiler = Command::new("gcc");
    compiler.args(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-pthread", "-I"]).arg(here().join("include"));
    compiler.arg(here().join("tests/programs/c").join(name).with_extension("c")).arg("-o").arg(&program);
    compiler.arg("-L").arg(installed()).arg("-lkvlight").arg("-Wl,--no-as-needed");
    must(&mut compiler);

    let output = must(on_library(&mut Command::new(&program)));
    assert!(output.trim_end().ends_with(" checks, 0 failed"), "only the number of checks is printed: {output}");

    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--leak-check=full", "--show-leak-kinds=all", "--errors-for-leak-kinds=all", "--error-exitcode=9"]);
    valgrind.args(["--fair-sched=yes"]).arg(&program);
    let output = must(on_library(&mut valgrind));
    assert!(output.contains("in use at exit: 0 bytes in 0 blocks"), "{output}");
}

fn on_library(program: &mut Command) -> &mut Command {
    // The backtrace of a caught panic would keep tens of megabytes of symbols in memory.
    program.env("LD_LIBRARY_PATH", installed()).env("RUST_BACKTRACE", "0")
}

/// Whether a compiler is installed. In CI every compiler must be; elsewhere a missing one is reported.
fn present(compiler: &str) -> bool {
    let found = Command::new(compiler).arg(if compiler == "tcc" { "-v" } else { "--version" }).output().is_ok();
    let strict = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(found || !strict, "{compiler} is missing, and CI runs every compiler");
    if !found {
        eprintln!("NOT RUN: {compiler} is missing");
    }
    found
}

/// Compiles a source that includes only the header, once, and a source that includes it twice.
fn header_passes(compiler: &str, standards: &[&str], flags: &[&str], suffix: &str) {
    if !present(compiler) {
        return;
    }
    for standard in standards {
        for (times, text) in [("once", "#include <kvlight.h>\n"), ("twice", "#include <kvlight.h>\n#include <kvlight.h>\n")] {
            let source = installed().join(format!("header_{compiler}_{standard}_{times}.{suffix}"));
            // Pedantic compilers refuse a source without a declaration.
            fs::write(&source, format!("{text}kvl_status_t status_of_this_source(void);\n")).expect("the target folder can be written");
            let mut command = Command::new(compiler);
            command.arg(format!("-std={standard}")).args(flags).arg("-I").arg(here().join("include"));
            command.arg("-c").arg(&source).arg("-o").arg(source.with_extension(format!("{suffix}.o")));
            must(&mut command);
        }
    }
}

const STRICT: &[&str] = &["-Wall", "-Wextra", "-Wpedantic", "-Werror"];
const DOCUMENTED: &[&str] = &["-Wall", "-Wextra", "-Wpedantic", "-Wdocumentation", "-Werror"];

#[test]
fn the_header_is_c_for_gcc() {
    header_passes("gcc", &["c99", "c11", "c2x"], STRICT, "c");
}

#[test]
fn the_header_is_cpp_for_gcc() {
    header_passes("g++", &["c++17", "c++20"], STRICT, "cpp");
}

#[test]
fn the_header_is_c_and_documented_for_clang() {
    header_passes("clang-19", &["c99", "c11", "c17", "c23"], DOCUMENTED, "c");
}

#[test]
fn the_header_is_cpp_and_documented_for_clang() {
    header_passes("clang++-19", &["c++17", "c++20"], DOCUMENTED, "cpp");
}

#[test]
fn the_header_is_c_for_a_small_compiler() {
    header_passes("tcc", &["c99", "c11"], &["-Wall", "-Werror"], "c");
}

/// Imports the header through include/module.modulemap, as Swift does. The source is Objective-C, since C has no statement for an import.
#[test]
fn the_header_is_a_module_for_clang() {
    if !present("clang-19") {
        return;
    }
    let source = installed().join("module.m");
    fs::write(&source, "@import CKVLight;\nkvl_status_t status_of_this_source(void);\n").expect("the target folder can be written");
    let mut command = Command::new("clang-19");
    command.args(STRICT).arg("-fmodules").arg(format!("-fmodules-cache-path={}", installed().join("modules").display()));
    command.arg("-I").arg(here().join("include")).arg("-fsyntax-only").arg(&source);
    must(&mut command);
}

/// Structs that grow are filled word by word, up to the size that the program knows. So every version of them must consist of whole words.
#[test]
fn b1_structs_that_grow_consist_of_whole_words_on_every_machine() {
    if !present("clang-19") {
        return;
    }
    let mut source = "#include <kvlight.h>\n".to_owned();
    for name in ["kvl_result_t", "kvl_event_t", "kvl_stats_t", "kvl_transfer_t"] {
        source += &format!("_Static_assert(sizeof ({name}) % sizeof (size_t) == 0, \"{name} ends with a word\");\n");
    }
    let file = installed().join("words.c");
    fs::write(&file, source).expect("the target folder can be written");
    for machine in ["x86_64-linux-gnu", "aarch64-linux-gnu", "s390x-linux-gnu", "i686-linux-gnu", "armv7-linux-gnueabihf"] {
        let mut command = Command::new("clang-19");
        command.args(["-std=c11", "-ffreestanding", "-fsyntax-only"]);
        command.arg(format!("--target={machine}")).arg("-I").arg(here().join("include")).arg(&file);
        must(&mut command);
    }
}
