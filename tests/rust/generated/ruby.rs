//! Ruby: functions for Fiddle, structs for String#unpack, constants, and the settings as keywords.

use super::api::{Api, Entry};
use std::fmt::Write as _;

pub fn files(api: &Api) -> Vec<(&'static str, String)> {
    vec![("bindings/ruby/lib/kvlight/api.rb", tables(api))]
}

fn tables(api: &Api) -> String {
    let mut text =
        "# frozen_string_literal: true\n\n# Generated from api/api.json by `make generate`. Do not edit.\n\nmodule Kvlight\n".to_owned();
    let _ = writeln!(text, "  VERSION = \"{}.{}.{}\"\n", api.version("major"), api.version("minor"), api.version("patch"));
    text.push_str("  # The library's statuses and constants, by their names without \"KVL_\".\n");
    for constant in api.statuses().chain(api.constants()) {
        let _ = writeln!(text, "  {} = {} # {}", constant.name(), constant.value("value"), constant.about());
    }
    text.push_str("\n  # The name of each setting in the library, by its Ruby keyword.\n  SETTINGS = {\n");
    api.settings().for_each(|setting| text.push_str(&row(setting)));
    text.push_str("  }.freeze\n\n  module Native\n    # The number of the library version that these tables describe.\n");
    let _ = writeln!(text, "    NUMBER = {}\n", api.version("number"));
    text.push_str("    # The result and the parameters of each function, as names of Fiddle types.\n    FUNCTIONS = {\n");
    for function in api.functions() {
        let parameters: Vec<&str> = function.list("parameters").map(|parameter| fiddle_type(api, parameter.text("type"), true)).collect();
        let result = fiddle_type(api, function.text("result"), false);
        let _ = writeln!(text, "      {}: [:{result}, %i[{}]],", function.name(), parameters.join(" "));
    }
    text.push_str("    }.freeze\n\n    # A Struct that knows its size and its directives for String#unpack.\n");
    text.push_str("    def self.layout(size, format, fields)\n      Struct.new(*fields) { const_set(:SIZE, size) && const_set(:FORMAT, format) }\n    end\n    private_class_method :layout\n");
    for structure in api.structs().filter(|structure| structure.name() != "kvl_stats_t") {
        text.push_str(&layout(api, structure));
    }
    text.push_str("  end\nend\n");
    text
}

fn row(setting: Entry<'_>) -> String {
    let kind = match setting.text("type") {
        "int" => "Integer".to_owned(),
        "real" => "Float".to_owned(),
        "bool" => "true or false".to_owned(),
        "word" => setting.words("words").iter().map(|word| format!(":{word}")).collect::<Vec<_>>().join(", "),
        other => panic!("there is no Ruby type for settings of type {other}"),
    };
    let about = format!("{} {kind}; default: {}.", setting.about(), setting.text("default"));
    format!("    # {about}\n    {}: \"{}\",\n", setting.name().replace('.', "_"), setting.name())
}

/// The Fiddle type of a number or a pointer. Strings may be passed for constant bytes and for terms; all other pointers are addresses, as
/// Integers.
fn fiddle_type(api: &Api, type_name: &str, is_parameter: bool) -> &'static str {
    match number(api, type_name) {
        "void" => "VOID",
        "int32_t" => "INT32_T",
        "uint32_t" => "UINT32_T",
        "int64_t" => "INT64_T",
        "uint64_t" => "UINT64_T",
        "size_t" => "SIZE_T",
        "double" => "DOUBLE",
        "const uint8_t *" | "const char *" | "const kvl_terms_t *" if is_parameter => "VOIDP",
        pointer if pointer.ends_with('*') || pointer.ends_with("_fn") => "UINTPTR_T",
        other => panic!("there is no Fiddle type for {other}"),
    }
}

/// The number type of a named number; other types are unchanged.
fn number<'a>(api: &'a Api, type_name: &'a str) -> &'a str {
    let named = api.types().find(|named| named.name() == type_name && named.text("kind") == "number");
    named.map_or(type_name, |named| named.text("of"))
}

/// A Struct with its size and the directives for String#unpack.
fn layout(api: &Api, structure: Entry<'_>) -> String {
    let (mut directives, mut fields, mut end) = (String::new(), Vec::new(), 0);
    for field in structure.list("fields") {
        let gap = field.number("offset") - end;
        if gap > 0 {
            let _ = write!(directives, "x{gap}");
        }
        directives.push_str(match number(api, field.text("type")) {
            "int32_t" => "l",
            "uint32_t" => "L",
            "int64_t" => "q",
            "double" => "d",
            other => {
                assert!(field.number("size") == 8, "String#unpack cannot read the type {other}");
                "Q"
            }
        });
        end = field.number("offset") + field.number("size");
        fields.push(field.name());
    }
    let gap = structure.number("size") - end;
    if gap > 0 {
        let _ = write!(directives, "x{gap}");
    }
    let name = class_name(structure.name());
    format!("\n    {name} = layout {}, \"{directives}\",\n             %i[{}]\n", structure.number("size"), fields.join(" "))
}

/// The name of a class: `Result` for `kvl_result_t`.
fn class_name(type_name: &str) -> String {
    let name = type_name.trim_start_matches("kvl_").trim_end_matches("_t");
    let (first, rest) = name.split_at(1);
    format!("{}{rest}", first.to_ascii_uppercase())
}
