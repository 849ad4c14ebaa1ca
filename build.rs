//! Makes the C header and its description as data, and gives the shared library its name.
//!
//! The header is put together from src/ffi/preamble.h (what a reader must know first), the version of Cargo.toml, the one table
//! of statuses, and what cbindgen prints for each file of src/ffi, in the order of [`SECTIONS`]. It goes to OUT_DIR;
//! tests/rust/header.rs compares it with include/kvlight.h. build/api.rs describes what the header declares: api/api.json.

#[path = "build/api.rs"]
mod api;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The files of src/ffi that declare something to C, in the order of the header, with the section's title.
const SECTIONS: &[(&str, &str)] = &[
    ("types", "Types"),
    ("version", "Version of the library"),
    ("status", "Status"),
    ("runtime", "Runtime: threads to share"),
    ("clock", "Clock: for tests of time"),
    ("config", "Config: what a cache or an engine is made from"),
    ("options", "Options: of one fetch"),
    ("value", "Values"),
    ("error", "Errors"),
    ("slices", "Slices"),
    ("cache", "The cache: made, looked at, given up"),
    ("cache_write", "The cache: what changes it"),
    ("cache_file", "The cache: into a file and out of it"),
    ("reader", "Readers: a thread's own window on a cache"),
    ("iterator", "Iterators: all entries of a cache"),
    ("tasks", "The engine"),
    ("breaker", "The circuit breaker"),
    ("fetch", "A fetch"),
    ("results", "The results of a batch"),
    ("request", "What the provider is handed"),
    ("queue", "The queue: events for a thread of the program's own"),
];

/// The initialiser of `kvl_terms_t`, which cbindgen has no word for: every field in its order.
const TERMS_INIT: &str = "
/** What a kvl_terms_t begins with: nothing stated. */
#define KVL_TERMS_INIT { sizeof(kvl_terms_t), KVL_TTL_DEFAULT, KVL_PRIORITY_DEFAULT, KVL_COST_DEFAULT, 0, 0, 0 }
";

macro_rules! statuses {
    ($($name:ident = $number:literal, $retry:ident, $message:literal;)*) => {
        /// Name, number and sentence of every status, from the library's own table.
        const STATUSES: &[(&str, i32, &str)] = &[$((stringify!($name), $number, $message),)*];
    };
}
include!("src/base/status_table.rs");

/// One row of the library's table of statistics.
struct Statistic {
    name: &'static str,
    kind: &'static str,
    json: &'static str,
    family: &'static str,
    label: &'static str,
    about: &'static str,
}

macro_rules! statistics {
    ($($name:ident: $kind:ident, $json:literal, $family:literal, $label:literal, $of:expr; $about:literal;)*) => {
        const STATISTICS: &[Statistic] = &[$(Statistic {
            name: stringify!($name), kind: stringify!($kind), json: $json, family: $family, label: $label, about: $about,
        },)*];
    };
}
macro_rules! families {
    ($($family:literal: $about:literal;)*) => {};
}
include!("src/base/statistics_table.rs");

/// What the header says of kvl_stats_t, whose fields are the rows of that table.
const STATS_ABOUT: &str = "
/**
 * What happened since the last reset, and how things stand now. The library fills as much as the caller's size holds; later versions append fields.
 *
 * hits + null_hits + misses + invalid_keys is the number of lookups. The misses of fetches are the sum of the misses_ fields; the others are of calls
 * that only look. Over all windows together, loads_started = loads_succeeded + loads_failed + loads_lost + loads_cancelled + in_flight.
 * A cache without an engine has no loads. docs/STATISTICS.md names the same numbers in JSON and OpenMetrics.
 */
typedef struct kvl_stats_t {
    /** The size of what the library filled, in bytes. */
    size_t struct_size;
    /** Which window this is: another number after each reset. */
    uint64_t window_id;
    /** How long the window has lasted, in milliseconds. */
    int64_t window_ms;
";

fn main() {
    for input in ["build.rs", "build", "cbindgen.toml", "Cargo.toml", "src/base/status_table.rs", "src/base/statistics_table.rs", "src/ffi"]
    {
        println!("cargo:rerun-if-changed={input}");
    }
    let header = Path::new(&var("OUT_DIR")).join("kvlight.h");
    let text = make_header();
    fs::write(&header, &text).expect("OUT_DIR can be written");
    let api = Path::new(&var("OUT_DIR")).join("api.json");
    fs::write(&api, api::describe(&text, version())).expect("OUT_DIR can be written");
    println!("cargo:rustc-env=KVL_HEADER={}", header.display());
    println!("cargo:rustc-env=KVL_API={}", api.display());
    println!("cargo:rustc-env=KVL_VERSION_NUMBER={}", version_number());
    name_the_library();
}

/// Under which name programs ask for the shared library, and that it stays loaded. Linkers say it each in its own words.
fn name_the_library() {
    let link = |words: &str| println!("cargo:rustc-cdylib-link-arg=-Wl,{words}");
    // cargo-c names the library itself, and its links would not match ours.
    let is_named = env::var_os("CARGO_FEATURE_CAPI").is_some();
    if var("CARGO_CFG_TARGET_VENDOR") == "apple" {
        // Else the name is the path in the folder of this build, and no program finds the library anywhere else.
        let [major, minor, patch] = version();
        if !is_named {
            link("-install_name,@rpath/libkvlight.dylib");
        }
        // Before 1.0 every minor version may change the ABI; a program built for 0.2 must not be given 0.1.
        link(&format!("-compatibility_version,{major}.{minor}.0"));
        link(&format!("-current_version,{major}.{minor}.{patch}"));
        return;
    }
    // Windows knows a library by its file's name alone.
    if !["linux", "android", "freebsd"].contains(&var("CARGO_CFG_TARGET_OS").as_str()) {
        return;
    }
    if !is_named {
        link(&format!("-soname,{}", soname()));
    }
    // nodelete: threads and fork handlers may still stand in our code when a host unloads its plugins.
    for word in ["nodelete", "relro", "now"] {
        link(&format!("-z,{word}"));
    }
}

/// Before 1.0 every minor version may change the ABI, so it is part of the name.
fn soname() -> String {
    match version() {
        [0, minor, _] => format!("libkvlight.so.0.{minor}"),
        [major, ..] => format!("libkvlight.so.{major}"),
    }
}

fn make_header() -> String {
    let mut text = include_str!("src/ffi/preamble.h").to_owned();
    let [major, minor, patch] = version();
    banner(&mut text, "Version of this header, statuses");
    put(&mut text, format_args!("/** The version of this header. */\n#define KVL_VERSION_MAJOR {major}\n"));
    put(&mut text, format_args!("/** The version of this header. */\n#define KVL_VERSION_MINOR {minor}\n"));
    put(&mut text, format_args!("/** The version of this header. */\n#define KVL_VERSION_PATCH {patch}\n"));
    put(&mut text, format_args!("/** major * 1000000 + minor * 1000 + patch; beside it, kvl_version_number() is the library's. */\n"));
    put(&mut text, format_args!("#define KVL_VERSION_NUMBER {}u\n\n", version_number()));
    for (name, number, message) in STATUSES {
        let number = if *number < 0 { format!("({number})") } else { number.to_string() };
        put(&mut text, format_args!("/** {message} */\n#define KVL_{name} {number}\n"));
    }
    banner(&mut text, "Closed sets");
    text.push_str(&declarations("constants"));
    for (file, title) in SECTIONS {
        banner(&mut text, title);
        text.push_str(&declarations(file));
        if *file == "types" {
            text.push_str(TERMS_INIT);
            text.push_str(STATS_ABOUT);
            for Statistic { name, about, .. } in STATISTICS {
                put(&mut text, format_args!("    /** {about} */\n    uint64_t {name};\n"));
            }
            text.push_str("} kvl_stats_t;\n");
        }
    }
    text.push_str("\n#ifdef __cplusplus\n} /* extern \"C\" */\n#endif\n\n#endif /* KVLIGHT_H */\n");
    text
}

/// What cbindgen prints for one file. Types of other files are printed by name, since the header declares them before.
fn declarations(file: &str) -> String {
    let path = format!("src/ffi/{file}.rs");
    let mut config = cbindgen::Config::from_file("cbindgen.toml").expect("cbindgen.toml is valid");
    if ["constants", "types"].contains(&file) {
        // No function of those files uses them, so cbindgen has to be told that they are wanted.
        let source = fs::read_to_string(&path).expect("src/ffi can be read");
        config.export.include = source.lines().filter_map(declared_type).collect();
    }
    let bindings = cbindgen::Builder::new().with_config(config).with_src(&path).generate();
    let mut printed = Vec::new();
    bindings.unwrap_or_else(|error| panic!("{path}: {error}")).write(&mut printed);
    in_house_style(&String::from_utf8(printed).expect("cbindgen prints UTF-8"))
}

/// Comments of one line on one line, numbers that keep their sign and type in any expression, no `struct` before a type's name.
fn in_house_style(printed: &str) -> String {
    let mut text = String::new();
    let lines: Vec<&str> = printed.trim().lines().collect();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let indent = &line[..line.len() - line.trim_start().len()];
        let comment = lines.get(at + 1).and_then(|next| next.trim_start().strip_prefix("* "));
        let ends = lines.get(at + 2).is_some_and(|last| last.trim_start() == "*/");
        if let ("/**", Some(sentence), true) = (line.trim_start(), comment, ends) {
            put(&mut text, format_args!("{indent}/** {sentence} */\n"));
            at += 3;
            continue;
        }
        let constant = line.strip_prefix("#define ").and_then(|define| define.split_once(' '));
        match constant {
            Some((name, number)) if number.starts_with('-') => put(&mut text, format_args!("#define {name} ({number})\n")),
            Some((name, number)) => put(&mut text, format_args!("#define {name} {number}u\n")),
            // Of a handle or a struct, not of a function that returns a pointer to one.
            None if line.starts_with("typedef struct") && !line.contains("(*") => put(&mut text, format_args!("{line}\n")),
            None => put(&mut text, format_args!("{}\n", line.replace("struct kvl_", "kvl_"))),
        }
        // Constants of one set stand together; each set stands apart.
        let next = lines[at + 1..].iter().find_map(|line| line.strip_prefix("#define "));
        let gap = lines.get(at + 1).is_some_and(|next| next.is_empty());
        let joined = gap && constant.is_some_and(|(name, _)| next.is_some_and(|next| family(name) == family(next)));
        at += if joined { 2 } else { 1 };
    }
    text
}

/// `KVL_CAUSE` of `KVL_CAUSE_EXPIRED`.
fn family(name: &str) -> Vec<&str> {
    name.split('_').take(2).collect()
}

fn declared_type(line: &str) -> Option<String> {
    let rest = line.strip_prefix("pub struct ").or_else(|| line.strip_prefix("pub type "))?;
    Some(rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()?.to_owned())
}

fn banner(text: &mut String, title: &str) {
    put(text, format_args!("\n/* ---- {title} {} */\n\n", "-".repeat(110_usize.saturating_sub(title.len()))));
}

fn put(text: &mut String, piece: std::fmt::Arguments<'_>) {
    text.write_fmt(piece).expect("a String takes everything");
}

fn version_number() -> u32 {
    let [major, minor, patch] = version();
    major * 1_000_000 + minor * 1000 + patch
}

fn version() -> [u32; 3] {
    ["MAJOR", "MINOR", "PATCH"].map(|part| var(&format!("CARGO_PKG_VERSION_{part}")).parse().expect("a number"))
}

fn var(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"))
}
