//! C++ programs (tests/programs/cpp/*.cpp) and the examples: compiled with strict warnings against include/kvlight.hpp, by two compilers,
//! for three standards, with and without exceptions, and run. One build of each program is also run under valgrind, where no byte may be lost.

use super::library;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Compiler, standard and exceptions. Each is in at least two builds, except C++23, which is here for std::expected.
const BUILDS: [(&str, &str, &str); 5] = [
    ("g++", "c++17", "-fexceptions"),
    ("g++", "c++20", "-fno-exceptions"),
    ("clang++-19", "c++20", "-fexceptions"),
    ("clang++-19", "c++17", "-fno-exceptions"),
    ("g++", "c++23", "-fexceptions"),
];

/// Warnings that careful projects enable, since a warning in a header appears in the projects that include it. The last turns off a warning that
/// the checks of our own tests would cause.
const WARNINGS: &[&str] = &[
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-Wshadow",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wold-style-cast",
    "-Wcast-qual",
    "-Wcast-align",
    "-Wundef",
    "-Wextra-semi",
    "-Wnon-virtual-dtor",
    "-Woverloaded-virtual",
    "-Wformat=2",
    "-Wdouble-promotion",
    "-Wno-string-conversion",
];

macro_rules! programs {
    ($($name:ident)*) => {
        const PROGRAMS: &[&str] = &[$(stringify!($name)),*];
        mod cpp {
            $(#[test] fn $name() { super::check(stringify!($name)); })*
        }
    };
}
programs! { errors fetching labels lifetimes second_tier values }

#[test]
fn every_cpp_program_is_run() {
    assert_eq!(sources_in("tests/programs/cpp"), PROGRAMS, "name each program in `programs!`, in order");
}

#[test]
fn every_cpp_example_is_run() {
    for name in sources_in("examples/cpp") {
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

/// The names of the sources in a folder, without extension and sorted.
fn sources_in(folder: &str) -> Vec<String> {
    let files = fs::read_dir(here().join(folder)).expect("the folder can be listed");
    let mut names: Vec<String> = files
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cpp"))
        .map(|path| path.file_stem().expect("a file has a name").to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// A folder with the library, under the names by which it is linked and loaded.
fn installed() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| library::installed_in("cpp"))
}

/// Runs a program, and returns what it printed. Panics if it fails.
fn must(program: &mut Command) -> String {
    library::run(program).unwrap_or_else(|error| panic!("{error}"))
}

/// Compiles a program. `None` if the compiler is not installed; in CI it must be.
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
    command.arg(format!("-std={standard}")).arg(exceptions).args(WARNINGS).args(["-g", "-pthread", "-I"]);
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
        let output = must(&mut on_library(&program));
        assert!(output.trim_end().ends_with(" checks, 0 failed"), "only the number of checks is printed: {output}");
        if (compiler, standard) == ("g++", "c++17") {
            // The kind "possible" is no error: an engine that was disposed of may still be ending when the program exits.
            let mut valgrind = Command::new("valgrind");
            valgrind.args(["-q", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect", "--error-exitcode=9"]);
            valgrind.args(["--fair-sched=yes"]).arg(&program);
            must(valgrind.env("LD_LIBRARY_PATH", installed()).env("RUST_BACKTRACE", "0"));
        }
    }
}

/// The path of a file in tests/programs/cpp/parts. The programs there consist of several files, or need options of their own.
fn part(name: &str) -> PathBuf {
    here().join("tests/programs/cpp/parts").join(name)
}

/// Runs a compiler with the options that all parts have. Returns false if it is not installed; in CI it must be.
fn compile_part(compiler: &str, arguments: &[&str], out: &Path) -> bool {
    if Command::new(compiler).arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{compiler} is missing, and CI runs every compiler");
        eprintln!("NOT RUN: {compiler} is missing");
        return false;
    }
    let mut command = Command::new(compiler);
    command.arg("-std=c++17").args(WARNINGS).args(["-g", "-pthread", "-I"]).arg(here().join("include"));
    command.args(arguments).arg("-o").arg(out);
    if !arguments.contains(&"-c") {
        command.arg("-L").arg(installed()).arg("-lkvlight");
    }
    must(&mut command);
    true
}

/// Runs a program, whose checks must all hold.
fn all_hold(program: &Path) {
    let output = must(&mut on_library(program));
    assert!(output.trim_end().ends_with(" checks, 0 failed"), "{}: {output}", program.display());
}

/// The library is built by one compiler and the program by either, with hidden visibility by default, with and without RTTI, and with a
/// linker that merges identical data.
#[test]
fn an_object_keeps_its_type_across_shared_objects() {
    let (library, program) = (part("shapes.cpp"), part("identity.cpp"));
    let (library, program) = (library.to_str().expect("the path is UTF-8"), program.to_str().expect("the path is UTF-8"));
    let gold = Command::new("ld.gold").arg("--version").output().is_ok();
    let folded: &[&str] = if gold { &["-fuse-ld=gold", "-Wl,--icf=all"] } else { &[] };
    // The compiler and options of the library, then those of the program.
    let builds: [([&str; 2], &str, &[&str]); 6] = [
        (["g++", "-frtti"], "clang++-19", &[]),
        (["clang++-19", "-frtti"], "g++", folded),
        (["clang++-19", "-frtti"], "clang++-19", &[]),
        (["g++", "-frtti"], "g++", &["-fno-rtti"]),
        (["g++", "-fno-rtti"], "g++", &[]),
        (["clang++-19", "-fno-rtti"], "clang++-19", &["-fno-rtti"]),
    ];
    for (nth, ([made_by, rtti], read_by, options)) in builds.into_iter().enumerate() {
        let folder = installed().join(format!("shapes{nth}"));
        fs::create_dir_all(&folder).expect("the target folder can be written");
        if !compile_part(made_by, &["-shared", "-fPIC", "-fvisibility=hidden", rtti, library], &folder.join("libshapes.so")) {
            continue;
        }
        let (out, at) = (folder.join("identity"), folder.to_str().expect("the path is UTF-8"));
        let run_path = format!("-Wl,-rpath,{at}");
        let mut all = vec!["-fvisibility=hidden", "-ffunction-sections", "-fdata-sections", program, "-L", at, "-lshapes", &run_path];
        all.extend(options);
        all.extend((rtti == "-fno-rtti").then_some("-DSHAPES_WITHOUT_RTTI"));
        if compile_part(read_by, &all, &out) {
            all_hold(&out);
        }
    }
}

/// Of two functions with the same name the linker keeps one. That must never be the one that cannot throw.
#[test]
fn files_with_and_without_exceptions_can_be_linked_together() {
    for compiler in ["g++", "clang++-19"] {
        let folder = installed().join(format!("modes_{compiler}"));
        fs::create_dir_all(&folder).expect("the target folder can be written");
        let objects: Vec<PathBuf> = [("throwing", "-fexceptions"), ("terminating", "-fno-exceptions")]
            .into_iter()
            .map(|(name, exceptions)| (name, exceptions, folder.join(name).with_extension("o")))
            .filter(|(name, exceptions, object)| {
                let source = part(name).with_extension("cpp");
                // Not optimised, so that no function is inlined.
                compile_part(compiler, &["-c", "-O0", exceptions, source.to_str().expect("the path is UTF-8")], object)
            })
            .map(|(_, _, object)| object)
            .collect();
        for (nth, order) in [[0, 1], [1, 0]].into_iter().enumerate().filter(|_| objects.len() == 2) {
            let program = folder.join(format!("program{nth}"));
            compile_part(compiler, &order.map(|object: usize| objects[object].to_str().expect("the path is UTF-8")), &program);
            all_hold(&program);
        }
    }
}

/// Statements that do not compile, and a part of the sentence that says why.
const REFUSED: &[(&str, &str)] = &[
    ("kvl::cache{config}.put(\"k\", kvl::error(5, \"five\"))", "an error is not a value"),
    ("kvl::cache{config}.put(\"k\", std::exception_ptr())", "an error is not a value"),
    ("request.resolve(0, engine.fetch_all_wait({\"k\"}).value())", "is not a value"),
    ("request.supply(\"k\", kvl::fetch())", "is not a value"),
    ("config.load([&](std::string_view key) { return engine.fetch_future(key); })", "a future"),
    ("const unsigned char *text = nullptr; request.resolve(0, text)", "pass a std::string_view"),
    ("config.load([](const std::string &key) { return key; })", "load is called with a std::string_view"),
    ("config.load([](std::string_view) {})", "returns the key's answer"),
    ("config.removal_listener([](const kvl::result &) {})", "a removal listener is called with"),
    ("config.validator([](std::string_view) {})", "a validator is called with"),
    ("request.on_cancel([] {})", "the hook is called with the reason"),
    ("engine.close([](int) {})", "the function is called without arguments"),
    ("kvl::queue().on_wake([](int) {})", "the hook is called without arguments"),
    ("(void)engine.fetch_all({\"k\"}, [](kvl::results) {}, [](size_t) {}, 1)", "progress is called with three numbers"),
    ("config.set(\"cache.capacity\", 'x')", "a character is no number"),
    ("config.set(\"cache.capacity\", std::vector<int>())", "the value of a setting is text"),
    ("kvl::options().set(\"timeout_ms\", true)", "no setting of a fetch is a bool"),
];

#[test]
fn l09b_what_can_never_work_does_not_compile_and_a_sentence_says_why() {
    let source = installed().join("refused.cpp");
    let program = "#include <kvlight.hpp>\nvoid call(kvl::tasks &engine, kvl::config &config, const kvl::request &request);\n\
        void call(kvl::tasks &engine, kvl::config &config, const kvl::request &request)\n\
        {\n    (void)engine, (void)config, (void)request;\n    STATEMENT;\n}\n";
    fs::write(&source, program).expect("the target folder can be written");
    for (compiler, standard) in [("g++", "-std=c++17"), ("clang++-19", "-std=c++20")] {
        if Command::new(compiler).arg("--version").output().is_err() {
            assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{compiler} is missing, and CI runs every compiler");
            eprintln!("NOT RUN: {compiler} is missing");
            continue;
        }
        let compiled = |statement: &str| {
            let mut command = Command::new(compiler);
            command.args([standard, "-fsyntax-only", "-I"]).arg(here().join("include")).arg(format!("-DSTATEMENT={statement}"));
            library::run(command.arg(&source))
        };
        compiled("engine.cache().clear()").expect("a statement that is right compiles");
        for &(statement, sentence) in REFUSED {
            let said = compiled(statement).expect_err(statement);
            assert!(said.contains("static assertion failed") && said.contains(sentence), "{compiler}: {statement}: {said}");
        }
    }
}

#[test]
fn macros_of_other_headers_do_no_harm() {
    let source = part("macros.cpp");
    for (compiler, standard) in [("g++", "-std=gnu++17"), ("clang++-19", "-std=c++20")] {
        let program = installed().join(format!("macros_{compiler}"));
        if compile_part(compiler, &[standard, source.to_str().expect("the path is UTF-8")], &program) {
            all_hold(&program);
        }
    }
}
