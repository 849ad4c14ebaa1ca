//! PHP: the declarations for FFI, which a server preloads; the constants; and the settings as array shapes.

use super::api::{Api, Entry};
use super::c::{self, Place};
use std::fmt::Write as _;

pub fn files(api: &Api) -> Vec<(&'static str, String)> {
    vec![("bindings/php/src/Native.php", native(api)), ("bindings/php/kvlight.ffi.h", preload_header(api))]
}

/// The declarations, with the two lines that tell `ffi.preload` which library to load, and under which name.
fn preload_header(api: &Api) -> String {
    let (major, minor) = (api.version("major"), api.version("minor"));
    // PHP reads these two lines only at the beginning of the file.
    format!(
        "#define FFI_SCOPE \"KVLIGHT_{major}_{minor}\"\n#define FFI_LIB \"libkvlight.so.{major}.{minor}\"\n\
         // Generated from api/api.json by `make generate`. Do not edit.\n{}",
        c::declarations(api, spell_type)
    )
}

fn native(api: &Api) -> String {
    let mut text =
        "<?php\n// Generated from api/api.json by `make generate`. Do not edit.\ndeclare(strict_types=1);\n\nnamespace Kvlight;\n\n\
        /**\n * The library's statuses and constants, by their names without \"KVL_\".\n *\n"
            .to_owned();
    text.push_str(&array_shape(
        "FetchSettings",
        "the settings that one fetch may override",
        api.settings().filter(|setting| setting.is("per_fetch")),
    ));
    text.push_str(" *\n");
    text.push_str(&array_shape("Settings", "the settings of an engine or a cache", api.settings()));
    let _ = write!(text, " */\nfinal class Native\n{{\n    public const VERSION = {};\n", api.version("number"));
    for constant in api.statuses().chain(api.constants()) {
        let _ = writeln!(text, "    /** {} */\n    public const {} = {};", constant.about(), constant.name(), constant.value("value"));
    }
    text.push_str("}\n");
    text
}

/// PHP passes a string for a parameter of type `const char *`, so constant bytes are declared as such. It would also convert a
/// returned `const char *` to a string, so returned bytes keep their own type. A `void *`, which the library never dereferences,
/// carries an id, so it is declared as an integer.
fn spell_type(type_name: &str, place: Place) -> &str {
    match type_name {
        "const uint8_t *" if place == Place::Parameter => "const char *",
        "void *" => "uintptr_t",
        other => other,
    }
}

fn array_shape<'a>(name: &str, about: &str, settings: impl Iterator<Item = Entry<'a>>) -> String {
    let mut text = format!(" * {name}: {about}.\n *\n * @phpstan-type {name} array{{\n");
    for setting in settings {
        let kind = match setting.text("type") {
            "int" => "int".to_owned(),
            "real" => "float".to_owned(),
            "bool" => "bool".to_owned(),
            "word" => setting.words("words").iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join("|"),
            other => panic!("there is no PHP type for settings of type {other}"),
        };
        let _ = writeln!(text, " *   '{}'?: {kind}, // {} Default: {}.", setting.name(), setting.about(), setting.text("default"));
    }
    text.push_str(" * }\n");
    text
}
