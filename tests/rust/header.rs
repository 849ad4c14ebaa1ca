//! What is generated is compared with what is committed: the header, the manual of settings, their list for bindings; and the
//! header with what the library exports. `make headers` (KVL_BLESS=1) writes the committed files anew.

mod library;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

fn compare(committed: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(committed);
    if std::env::var_os("KVL_BLESS").is_some_and(|bless| bless == "1") {
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("the folder can be made");
        fs::write(&path, generated).expect("the file can be written");
    }
    let text = fs::read_to_string(&path).unwrap_or_default();
    let differs = text.lines().zip(generated.lines()).position(|(old, new)| old != new);
    let line = differs.unwrap_or_else(|| text.lines().count().min(generated.lines().count())) + 1;
    assert!(
        text == generated,
        "{committed} differs from what the sources say, from line {line} on: run `make headers` and look at the difference"
    );
}

fn generated_header() -> String {
    fs::read_to_string(env!("KVL_HEADER")).expect("build.rs writes the header")
}

#[test]
fn the_header_is_the_one_that_the_sources_make() {
    compare("include/kvlight.h", &generated_header());
}

#[test]
fn the_description_of_the_interface_is_the_one_that_the_sources_make() {
    compare("api/api.json", &fs::read_to_string(env!("KVL_API")).expect("build.rs writes the description"));
}

#[test]
fn the_manual_of_settings_is_the_one_that_their_table_makes() {
    compare("docs/CONFIGURATION.md", &kvlight::base::config::as_markdown());
}

#[test]
fn the_list_of_settings_for_bindings_is_the_one_that_their_table_makes() {
    compare("src/ffi/config_keys.json", &kvlight::base::config::as_json());
}

/// The names of the functions that the header declares: what stands before `(` where a declaration begins with KVL_API.
fn declared() -> BTreeSet<String> {
    let header = generated_header();
    let declarations = header.split("KVL_API").skip(1).filter_map(|rest| rest.split_once('(').map(|(before, _)| before));
    let names = declarations.filter_map(|before| before.split([' ', '*', '\n']).next_back());
    names.filter(|name| name.starts_with("kvl_")).map(str::to_owned).collect()
}

#[test]
fn the_library_exports_what_the_header_declares_and_nothing_else() {
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
fn the_library_has_the_name_of_its_abi_and_is_linked_hard() {
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
