//! Programs as a C++ programmer writes them (tests/programs/cpp/*.cpp), and the examples: compiled strictly against include/kvlight.hpp, with
//! two compilers, two standards, with and without exceptions; run plainly, and one build of each test under valgrind, where not a
//! byte may be lost.

use super::library;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Compiler, standard, exceptions: each of them in two builds.
const BUILDS: [(&str, &str, &str); 4] = [
    ("g++", "c++17", "-fexceptions"),
    ("g++", "c++20", "-fno-exceptions"),
    ("clang++-19", "c++20", "-fexceptions"),
    ("clang++-19", "c++17", "-fno-exceptions"),
];

macro_rules! programs {
    ($($name:ident)*) => {
        const PROGRAMS: &[&str] = &[$(stringify!($name)),*];
        mod cpp {
            $(#[test] fn $name() { super::check(stringify!($name)); })*
        }
    };
}
programs! { errors fetching lives values }

#[test]
fn every_cpp_program_is_run() {
    assert_eq!(named("tests/programs/cpp"), PROGRAMS, "name each program in `programs!`, in order");
}

#[test]
fn every_cpp_example_is_run() {
    for name in named("examples/cpp") {
        let source = Path::new("examples/cpp").join(&name).with_extension("cpp");
        for (compiler, standard) in [("g++", "c++17"), ("g++", "c++20"), ("clang++-19", "c++20")] {
            if let Some(program) = compile(&source, compiler, standard, "-fexceptions") {
                assert!(!must(&mut on_library(&program)).is_empty());
            }
        }
    }
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn named(folder: &str) -> Vec<String> {
    let files = fs::read_dir(here().join(folder)).expect("the folder can be listed");
    let mut names: Vec<String> = files
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cpp"))
        .map(|path| path.file_stem().expect("a file has a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// A folder with the library under the names by which it is linked and loaded.
fn installed() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| library::installed_in("cpp"))
}

fn must(program: &mut Command) -> String {
    library::run(program).unwrap_or_else(|error| panic!("{error}"))
}

/// The program, or nothing if the compiler is not here; in CI it must be.
fn compile(source: &Path, compiler: &str, standard: &str, exceptions: &str) -> Option<PathBuf> {
    let found = Command::new(compiler).arg("--version").output().is_ok();
    let strict = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(found || !strict, "{compiler} is missing, and CI runs every compiler");
    if !found {
        eprintln!("NOT RUN: {compiler} is missing");
        return None;
    }
    let name = source.file_stem().expect("a source has a name").to_string_lossy();
    let program = installed().join(format!("{name}_{compiler}_{standard}{exceptions}"));
    let mut command = Command::new(compiler);
    command.arg(format!("-std={standard}")).args([exceptions, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-g", "-pthread", "-I"]);
    command.arg(here().join("include")).arg(here().join(source)).arg("-o").arg(&program);
    command.arg("-L").arg(installed()).arg("-lkvlight");
    must(&mut command);
    Some(program)
}

fn on_library(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("LD_LIBRARY_PATH", installed()).env("RUST_BACKTRACE", "0");
    command
}

fn check(name: &str) {
    let source = Path::new("tests/programs/cpp").join(name).with_extension("cpp");
    for (compiler, standard, exceptions) in BUILDS {
        let Some(program) = compile(&source, compiler, standard, exceptions) else { continue };
        let said = must(&mut on_library(&program));
        assert!(said.trim_end().ends_with(" checks, 0 failed"), "it says only what it checked: {said}");
        if (compiler, standard) == ("g++", "c++17") {
            // Not "possible": an engine that was disposed of may still be ending when the program does.
            let mut valgrind = Command::new("valgrind");
            valgrind.args(["-q", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect", "--error-exitcode=9"]);
            valgrind.args(["--fair-sched=yes"]).arg(&program);
            must(valgrind.env("LD_LIBRARY_PATH", installed()).env("RUST_BACKTRACE", "0"));
        }
    }
}
