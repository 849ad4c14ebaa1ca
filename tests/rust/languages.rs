//! The languages of the project: what the tests of documents, proofs and packages know of each. A new language is a row here.

// Some test programs use only a part of this module.
#![allow(dead_code)]

pub struct Language {
    /// Its name in the tables of the documents.
    pub name: &'static str,
    /// Its folder in `bindings`, or else in `tests/programs/scenarios`.
    pub folder: &'static str,
    /// The word that marks its blocks in documents, after the three backticks.
    pub mark: &'static str,
    pub extensions: &'static [&'static str],
    /// The words that stand before the name of a test in its definition.
    pub definers: &'static [&'static str],
    /// The folders of the programs that this language's blocks in documents quote; the language's own tests run them, since most toolchains
    /// are not installed everywhere. Empty: the blocks are complete programs, which `tests/rust/docs.rs` compiles and runs.
    pub quoted: &'static [&'static str],
    /// The files or folders of its sources, and the name of the file among them that is the generated list of all functions; "" if there is none.
    pub sources: (&'static [&'static str], &'static str),
    /// The file with its scenarios.
    pub scenarios: &'static str,
    /// The file that states the number of its scenarios, and the text there, with N for the number.
    pub count: (&'static str, &'static str),
}

pub const LANGUAGES: &[Language] = &[
    Language {
        name: "C",
        folder: "c",
        mark: "c",
        extensions: &["c", "h"],
        definers: &["void", "int", "bool"],
        quoted: &[],
        sources: (&["include/kvlight.h", "redis/include/kvlight_redis.h"], ""),
        scenarios: "tests/programs/scenarios/c/scenarios.c",
        count: ("tests/programs/scenarios/c/run.sh", "scenarios=N\n"),
    },
    Language {
        name: "C++",
        folder: "cpp",
        mark: "cpp",
        extensions: &["cpp", "hpp"],
        definers: &["void", "int", "bool"],
        quoted: &[],
        sources: (&["include/kvlight.hpp", "redis/include/kvlight_redis.hpp"], ""),
        scenarios: "tests/programs/scenarios/cpp/scenarios.cpp",
        count: ("tests/programs/scenarios/cpp/run.sh", "scenarios=N\n"),
    },
    Language {
        name: "Rust",
        folder: "rust",
        mark: "rust",
        extensions: &["rs"],
        definers: &["fn", "mod"],
        quoted: &["src/typed", "examples/rust"],
        sources: (&["src/typed"], ""),
        scenarios: "tests/rust/scenarios.rs",
        count: ("bindings/rust/tests/run.sh", "scenarios=N\n"),
    },
    Language {
        name: "Swift",
        folder: "swift",
        mark: "swift",
        extensions: &["swift"],
        definers: &["func"],
        quoted: &["examples/swift", "bindings/swift/tests"],
        sources: (&["bindings/swift/Sources/KVLight"], ""),
        scenarios: "bindings/swift/tests/KVLightTests/ScenarioTests.swift",
        count: ("bindings/swift/tests/run.sh", "scenarios=N\n"),
    },
    Language {
        name: "Python",
        folder: "python",
        mark: "python",
        extensions: &["py"],
        definers: &["def"],
        quoted: &[],
        sources: (&["bindings/python"], "_api.py"),
        scenarios: "bindings/python/tests/scenarios.py",
        count: ("bindings/python/tests/run.sh", "scenarios=N\n"),
    },
    Language {
        name: "Node",
        folder: "node",
        mark: "js",
        extensions: &["js", "cjs", "mjs"],
        definers: &["function"],
        quoted: &["examples/node"],
        sources: (&["bindings/node"], ""),
        scenarios: "bindings/node/tests/scenarios.mjs",
        count: ("bindings/node/tests/scenarios.mjs", "SHARED = N;"),
    },
    Language {
        name: "Ruby",
        folder: "ruby",
        mark: "ruby",
        extensions: &["rb"],
        definers: &["def"],
        quoted: &["examples/ruby", "bindings/ruby"],
        sources: (&["bindings/ruby/lib"], "api.rb"),
        scenarios: "bindings/ruby/tests/scenarios.rb",
        count: ("bindings/ruby/tests/tap.rb", "SHARED = N\n"),
    },
    Language {
        name: "Go",
        folder: "go",
        mark: "go",
        extensions: &["go"],
        definers: &["func"],
        quoted: &["examples/go"],
        sources: (&["bindings/go"], "native.go"),
        scenarios: "bindings/go/tests/scenarios/main.go",
        count: ("bindings/go/tests/scenarios/main.go", "shared = N\n"),
    },
    Language {
        name: "Java",
        folder: "java",
        mark: "java",
        extensions: &["java"],
        definers: &["void"],
        quoted: &["examples/java", "bindings/java"],
        sources: (&["bindings/java/src"], "NativeApi.java"),
        scenarios: "bindings/java/tests/Scenarios.java",
        count: ("bindings/java/tests/Tap.java", "SHARED = N;"),
    },
    Language {
        name: "C#",
        folder: "csharp",
        mark: "csharp",
        extensions: &["cs"],
        definers: &["void"],
        quoted: &["examples/csharp", "bindings/csharp"],
        sources: (&["bindings/csharp/src"], "NativeApi.cs"),
        scenarios: "bindings/csharp/tests/Scenarios.cs",
        count: ("bindings/csharp/tests/Tap.cs", "Shared = N;"),
    },
    Language {
        name: "PHP",
        folder: "php",
        mark: "php",
        extensions: &["php"],
        definers: &["function"],
        quoted: &["examples/php", "bindings/php"],
        sources: (&["bindings/php/src"], "Native.php"),
        scenarios: "bindings/php/tests/scenarios.php",
        count: ("bindings/php/tests/tap.php", "SHARED = N;"),
    },
    Language {
        name: "LuaJIT",
        folder: "lua",
        mark: "lua",
        extensions: &["lua"],
        definers: &["function"],
        quoted: &["examples/lua", "bindings/lua"],
        sources: (&["bindings/lua/kvlight"], "native.lua"),
        scenarios: "bindings/lua/tests/scenarios.lua",
        count: ("bindings/lua/tests/tap.lua", "SHARED = N\n"),
    },
];

/// Whether this is the extension of some language's source files.
pub fn is_extension(extension: &str) -> bool {
    LANGUAGES.iter().any(|language| language.extensions.contains(&extension))
}
