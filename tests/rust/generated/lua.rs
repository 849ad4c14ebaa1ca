//! Lua: the declarations for LuaJIT's ffi, constants, the names of the statistics, and the settings as annotations.

use super::api::{Api, Entry};
use super::c;
use std::fmt::Write as _;

pub fn files(api: &Api) -> Vec<(&'static str, String)> {
    vec![("bindings/lua/kvlight/native.lua", native(api))]
}

fn native(api: &Api) -> String {
    let mut text = "-- Generated from api/api.json by `make generate`. Do not edit.\n\n".to_owned();
    text.push_str("---The settings that one fetch may override.\n---@class kvlight.FetchSettings\n");
    api.settings().filter(|setting| setting.is("per_fetch")).for_each(|setting| text.push_str(&field(setting)));
    text.push_str("\n---The settings of an engine or a cache.\n---@class kvlight.Settings: kvlight.FetchSettings\n");
    api.settings().filter(|setting| !setting.is("per_fetch")).for_each(|setting| text.push_str(&field(setting)));
    text.push_str(
        "\nlocal native = {}\n\n-- The C declarations, for ffi.cdef. A process may read them only once.\nnative.declarations = [[\n",
    );
    text.push_str(&c::declarations(api, |type_name, _| type_name));
    let parts = ["major", "minor", "patch"].map(|part| api.version(part).to_string());
    let _ = write!(text, "]]\n\nnative.version = {{ number = {}, text = \"{}\" }}\n", api.version("number"), parts.join("."));
    text.push_str("\n-- Statuses and other constants, by their names without \"KVL_\".\nnative.constants = {\n");
    for constant in api.statuses().chain(api.constants()) {
        let _ = writeln!(text, "  {} = {}, -- {}", constant.name(), constant.value("value"), constant.about());
    }
    text.push_str("}\n\n-- The fields of kvl_stats_t except its size.\nnative.statistics = {\n");
    api.statistics().for_each(|counter| {
        let _ = writeln!(text, "  \"{}\", -- {}", counter.name(), counter.about());
    });
    text.push_str("}\n\nreturn native\n");
    text
}

fn field(setting: Entry<'_>) -> String {
    let kind = match setting.text("type") {
        "int" => "integer".to_owned(),
        "real" => "number".to_owned(),
        "bool" => "boolean".to_owned(),
        "word" => setting.words("words").iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join("|"),
        other => panic!("there is no Lua type for settings of type {other}"),
    };
    format!("---@field [\"{}\"]? {kind} {} Default: {}.\n", setting.name(), setting.about(), setting.text("default"))
}
