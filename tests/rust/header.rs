//! Compares each generated file with the committed one: the header, its description as data, the lists of settings and statistics, and the
//! tables of the bindings (one template for each language in tests/rust/generated). Also compares the header with the symbols that the
//! library exports. `make generate` (KVL_BLESS=1) writes the committed files. What is written by hand is compared in `by_hand`.

mod by_hand;
mod generated;
mod languages;
mod library;
mod projects;

use generated::api::{self, Api};
use generated::compare::{compare, here};
use generated::{csharp, go, java, layout, lua, node, php, python, ruby, swift};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

fn generated_header() -> String {
    fs::read_to_string(env!("KVL_HEADER")).expect("build.rs writes the header")
}

#[test]
fn the_header_is_generated_from_the_sources() {
    compare("include/kvlight.h", &generated_header());
}

#[test]
fn the_description_of_the_interface_is_generated_from_the_sources() {
    compare("api/api.json", &api::text());
}

#[test]
fn the_list_of_settings_is_generated_from_their_table() {
    compare("docs/CONFIGURATION.md", &kvlight::base::config::as_markdown());
}

#[test]
fn the_list_of_statistics_is_generated_from_their_table() {
    compare("docs/STATISTICS.md", &kvlight::engine::stats::as_markdown());
}

#[test]
fn the_settings_for_bindings_are_generated_from_their_table() {
    compare("src/ffi/config_keys.json", &kvlight::base::config::as_json());
}

fn compare_all(files: &[(&str, String)]) {
    for (path, text) in files {
        compare(path, text);
    }
}

#[test]
fn the_tables_of_python_are_generated_from_the_interface() {
    compare_all(&python::files(&Api::read()));
}

#[test]
fn the_tables_of_node_are_generated_from_the_interface() {
    compare_all(&node::files(&Api::read()));
}

#[test]
fn the_tables_of_go_are_generated_from_the_interface() {
    compare_all(&go::files(&Api::read()));
}

#[test]
fn the_tables_of_csharp_are_generated_from_the_interface() {
    compare_all(&csharp::files(&Api::read()));
}

#[test]
fn the_tables_of_java_are_generated_from_the_interface() {
    compare_all(&java::files(&Api::read()));
}

#[test]
fn the_tables_of_swift_are_generated_from_the_interface() {
    compare_all(&swift::files(&Api::read()));
}

#[test]
fn the_tables_of_ruby_are_generated_from_the_interface() {
    compare_all(&ruby::files(&Api::read()));
}

#[test]
fn the_tables_of_lua_are_generated_from_the_interface() {
    compare_all(&lua::files(&Api::read()));
}

#[test]
fn the_tables_of_php_are_generated_from_the_interface() {
    compare_all(&php::files(&Api::read()));
}

#[test]
fn the_layouts_of_32_bits_are_generated_from_the_interface() {
    compare_all(&layout::files(&Api::read()));
}

/// tests/tiers/abi/layout.txt is the output of two compilers for the header. The offsets and constants in api.json must agree with it.
#[test]
fn the_description_has_the_layout_that_compilers_compute() {
    let api = Api::read();
    let seen = fs::read_to_string(here().join("tests/tiers/abi/layout.txt")).expect("the layout is committed");
    let seen: BTreeSet<&str> = seen.lines().collect();
    let mut missing = Vec::new();
    for structure in api.structs() {
        let name = structure.name();
        let mut lines = vec![format!("{name} size {} align {}", structure.number("size"), structure.number("align"))];
        for field in structure.list("fields") {
            lines.push(format!("{name}.{} at {} size {}", field.name(), field.number("offset"), field.number("size")));
        }
        missing.extend(lines.into_iter().filter(|line| !seen.contains(line.as_str())));
    }
    let numbers = api.statuses().chain(api.constants()).filter(|constant| constant.is_integer("value"));
    let lines = numbers.map(|constant| format!("KVL_{} {}", constant.name(), constant.number("value")));
    missing.extend(lines.filter(|line| !seen.contains(line.as_str())));
    assert!(missing.is_empty(), "not in the output of the compilers:\n  {}", missing.join("\n  "));
}

/// The names of the functions that the header declares: the word before `(` in a declaration that begins with KVL_API.
fn declared() -> BTreeSet<String> {
    let header = generated_header();
    let declarations = header.split("KVL_API").skip(1).filter_map(|rest| rest.split_once('(').map(|(before, _)| before));
    let names = declarations.filter_map(|before| before.split([' ', '*', '\n']).next_back());
    names.filter(|name| name.starts_with("kvl_")).map(str::to_owned).collect()
}

#[test]
fn the_library_exports_exactly_the_functions_of_the_header() {
    let library = library::shared();
    let symbols = library::run(Command::new("nm").args(["-D", "--defined-only"]).arg(&library)).expect("nm of binutils lists symbols");
    let exported: BTreeSet<String> = symbols.lines().filter_map(|line| line.split(' ').next_back()).map(str::to_owned).collect();
    let declared = declared();
    assert!(declared.contains("kvl_version_number") && declared.contains("kvl_value_null"), "the header was read: {declared:?}");
    let hidden: Vec<_> = declared.difference(&exported).collect();
    let surplus: Vec<_> = exported.difference(&declared).collect();
    assert!(hidden.is_empty(), "declared but not exported: {hidden:?}");
    assert!(surplus.is_empty(), "exported but not declared (is its file in build.rs's SECTIONS?): {surplus:?}");
}

#[test]
#[cfg(target_os = "linux")]
fn the_library_has_the_name_of_its_abi_and_hardened_linking() {
    let dynamic = library::run(Command::new("readelf").arg("-dW").arg(library::shared())).expect("readelf of binutils");
    let soname = format!("libkvlight.so.{}.{}", env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"));
    for wanted in [&*format!("[{soname}]"), "NODELETE", "NOW"] {
        assert!(dynamic.contains(wanted), "{wanted} is missing in:\n{dynamic}");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let header = generated_header();
    for (macro_name, part) in
        [("MAJOR", env!("CARGO_PKG_VERSION_MAJOR")), ("MINOR", env!("CARGO_PKG_VERSION_MINOR")), ("PATCH", env!("CARGO_PKG_VERSION_PATCH"))]
    {
        assert!(header.contains(&format!("#define KVL_VERSION_{macro_name} {part}\n")), "KVL_VERSION_{macro_name} is not {part}");
    }
    assert!(header.contains(&format!("#define KVL_VERSION_NUMBER {}u\n", kvlight::ffi::kvl_version_number())));
}
