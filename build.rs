//! Generates the C header and its description as data, and sets the name of the shared library.
//!
//! The header consists of src/ffi/preamble.h (what a reader must know first), the version in Cargo.toml, the table of statuses, and
//! cbindgen's output for each file of src/ffi, in the order of [`SECTIONS`]. It is written to OUT_DIR; tests/rust/header.rs compares it
//! with include/kvlight.h. build/api.rs describes the declarations of the header: api/api.json.

#[path = "build/api.rs"]
mod api;

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The files of src/ffi that contain declarations for C, in the order of the header, each with the title of its section.
const SECTIONS: &[(&str, &str)] = &[
    ("types", "Types"),
    ("version", "Version of the library"),
    ("status", "Status"),
    ("runtime", "Runtime: shared threads"),
    ("clock", "Clock, for tests of time"),
    ("config", "Config: the settings and functions of a cache or an engine"),
    ("options", "Options of a fetch"),
    ("value", "Values"),
    ("error", "Errors"),
    ("slices", "Slices"),
    ("cache", "The cache: creation, lookups, release"),
    ("cache_write", "The cache: writes"),
    ("tag", "The cache: tags, and all entries"),
    ("cache_file", "The cache: saving and loading"),
    ("reader", "Readers: values without a copy"),
    ("iterator", "Iterators: all entries of a cache"),
    ("tasks", "The engine"),
    ("lookup", "Lookups of an engine, and lookups that return the object alone"),
    ("invalidate", "Invalidation"),
    ("breaker", "The circuit breaker"),
    ("fetch", "A fetch"),
    ("results", "The results of a batch"),
    ("request", "Requests to the provider"),
    ("conditional", "Conditional loads"),
    ("l2", "A second tier"),
    ("queue", "The queue: events for a thread of the program"),
];

/// The initialiser of `kvl_terms_t`, which cbindgen cannot express: every field in order.
const TERMS_INIT: &str = "
/** The initial value of a kvl_terms_t: every term has its default. */
#define KVL_TERMS_INIT { sizeof(kvl_terms_t), KVL_TTL_DEFAULT, KVL_PRIORITY_DEFAULT, KVL_COST_DEFAULT, 0, 0, 0, NULL, 0, NULL, 0 }
";

macro_rules! statuses {
    ($($name:ident = $number:literal, $retry:ident, $message:literal;)*) => {
        /// Name, number and message of every status, from the library's table.
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

/// The beginning of kvl_stats_t in the header. The other fields are the rows of the table of statistics.
const STATS_BEGINNING: &str = "
/**
 * The counters since the last reset, and the current gauges. The library fills as much as the caller's size holds; later versions append
 * fields.
 *
 * The number of lookups is hits + null_hits + misses + invalid_keys. The sum of the misses_ fields is the number of misses of fetches;
 * other misses come from calls that do not load. A cache without an engine has no loads. Over all windows together, loads_started is
 * ENDS_OF_LOADS + in_flight.
 * docs/STATISTICS.md lists the names that these fields have in JSON and OpenMetrics.
 */
typedef struct kvl_stats_t {
    /** The number of bytes that the library has filled. */
    size_t struct_size;
    /** The number of the window: it changes with each reset. */
    uint64_t window_id;
    /** The length of the window so far, in milliseconds. */
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
    set_library_name();
}

/// Sets the name by which programs load the shared library, and keeps it loaded. Each linker has its own options for that.
fn set_library_name() {
    let link = |option: &str| println!("cargo:rustc-cdylib-link-arg=-Wl,{option}");
    // cargo-c names the library itself, and the links that it installs would not match this name.
    let is_named = env::var_os("CARGO_FEATURE_CAPI").is_some();
    if var("CARGO_CFG_TARGET_VENDOR") == "apple" {
        let [major, minor, patch] = version();
        if !is_named {
            // By default the name is a path in the folder of this build, and programs find the library nowhere else.
            link("-install_name,@rpath/libkvlight.dylib");
        }
        // Before 1.0 every minor version may change the ABI, so a program that was built for 0.2 must not load 0.1.
        link(&format!("-compatibility_version,{major}.{minor}.0"));
        link(&format!("-current_version,{major}.{minor}.{patch}"));
        return;
    }
    // Windows identifies a library only by the name of its file.
    if !["linux", "android", "freebsd"].contains(&var("CARGO_CFG_TARGET_OS").as_str()) {
        return;
    }
    if !is_named {
        link(&format!("-soname,{}", soname()));
    }
    // nodelete: threads and fork handlers may still be running code of the library when a host unloads its plugins.
    for word in ["nodelete", "relro", "now"] {
        link(&format!("-z,{word}"));
    }
}

/// Before 1.0 the name contains the minor version, since each minor version may change the ABI.
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
    put(&mut text, format_args!("/** The major version of this header. */\n#define KVL_VERSION_MAJOR {major}\n"));
    put(&mut text, format_args!("/** The minor version of this header. */\n#define KVL_VERSION_MINOR {minor}\n"));
    put(&mut text, format_args!("/** The patch version of this header. */\n#define KVL_VERSION_PATCH {patch}\n"));
    put(&mut text, format_args!("/** major * 1000000 + minor * 1000 + patch. kvl_version_number() returns the library's number. */\n"));
    put(&mut text, format_args!("#define KVL_VERSION_NUMBER {}u\n\n", version_number()));
    for (name, number, message) in STATUSES {
        let number = if *number < 0 { format!("({number})") } else { number.to_string() };
        put(&mut text, format_args!("/** {message} */\n#define KVL_{name} {number}\n"));
    }
    banner(&mut text, "Constants");
    text.push_str(&declarations("constants"));
    for (file, title) in SECTIONS {
        banner(&mut text, title);
        text.push_str(&declarations(file));
        if *file == "types" {
            text.push_str(TERMS_INIT);
            let ends: Vec<&str> = STATISTICS.iter().filter(|row| row.family == "kvlight_loads_ended").map(|row| row.name).collect();
            text.push_str(&STATS_BEGINNING.replace("ENDS_OF_LOADS", &ends.join(" + ")));
            for Statistic { name, about, .. } in STATISTICS {
                put(&mut text, format_args!("    /** {about} */\n    uint64_t {name};\n"));
            }
            text.push_str("} kvl_stats_t;\n");
        }
    }
    text.push_str("\n#ifdef __cplusplus\n} /* extern \"C\" */\n#endif\n\n#endif /* KVLIGHT_H */\n");
    text
}

/// The output of cbindgen for one file. Types of other files appear by name only, since the header declares them earlier.
fn declarations(file: &str) -> String {
    let path = format!("src/ffi/{file}.rs");
    let mut config = cbindgen::Config::from_file("cbindgen.toml").expect("cbindgen.toml is valid");
    if ["constants", "types"].contains(&file) {
        // No function in these files uses the types, so cbindgen must be told to export them.
        let source = fs::read_to_string(&path).expect("src/ffi can be read");
        config.export.include = source.lines().filter_map(declared_type).collect();
    }
    let bindings = cbindgen::Builder::new().with_config(config).with_src(&path).generate();
    let mut printed = Vec::new();
    bindings.unwrap_or_else(|error| panic!("{path}: {error}")).write(&mut printed);
    in_house_style(&String::from_utf8(printed).expect("cbindgen prints UTF-8"))
}

/// Applies the style of the header: comments of one line on one line, numbers that keep their sign and type in any expression, no `struct`
/// before the name of a type.
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
            // This declares a handle or a struct, not a function that returns a pointer to one: `struct` is needed.
            None if line.starts_with("typedef struct") && !line.contains("(*") => put(&mut text, format_args!("{line}\n")),
            None => put(&mut text, format_args!("{}\n", line.replace("struct kvl_", "kvl_"))),
        }
        // The constants of one set are adjacent, and an empty line separates each set from the next.
        let next = lines[at + 1..].iter().find_map(|line| line.strip_prefix("#define "));
        let gap = lines.get(at + 1).is_some_and(|next| next.is_empty());
        let joined = gap && constant.is_some_and(|(name, _)| next.is_some_and(|next| family(name) == family(next)));
        at += if joined { 2 } else { 1 };
    }
    text
}

/// The set of a constant: `KVL_CAUSE` for `KVL_CAUSE_EXPIRED`.
fn family(name: &str) -> Vec<&str> {
    name.split('_').take(2).collect()
}

/// The name of the public struct or type alias that a line of Rust declares.
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
