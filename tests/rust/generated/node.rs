//! Node: the constants, and every setting with its type and its description.

use super::api::{Api, Entry};
use std::fmt::Write as _;

const BANNER: &str = "// Generated from api/api.json by `make generate`. Do not edit.\n";

pub fn files(api: &Api) -> Vec<(&'static str, String)> {
    vec![("bindings/node/src/constants.json", constants(api)), ("bindings/node/types/settings.d.ts", settings(api))]
}

/// The constants by their names without "KVL_".
fn constants(api: &Api) -> String {
    let all = api.statuses().chain(api.constants());
    let lines: Vec<String> = all.map(|constant| format!("  \"{}\": {}", constant.name(), constant.value("value"))).collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

fn settings(api: &Api) -> String {
    let mut text = format!("{BANNER}\n/** The settings that one fetch may override. */\nexport interface FetchSettings {{\n");
    api.settings().filter(|setting| setting.is("per_fetch")).for_each(|setting| text.push_str(&field(setting)));
    text.push_str("}\n\n/** The settings of an engine or a cache. */\nexport interface Settings extends FetchSettings {\n");
    api.settings().filter(|setting| !setting.is("per_fetch")).for_each(|setting| text.push_str(&field(setting)));
    text.push_str("}\n\n/** The library's statuses and constants, by their names without \"KVL_\". */\nexport interface Constants {\n");
    for constant in api.statuses().chain(api.constants()) {
        let _ = writeln!(text, "  /** {} */\n  readonly {}: {};", constant.about(), constant.name(), constant.value("value"));
    }
    text.push_str("}\n");
    text
}

fn field(setting: Entry<'_>) -> String {
    let kind = match setting.text("type") {
        "int" | "real" => "number".to_owned(),
        "bool" => "boolean".to_owned(),
        "word" => setting.words("words").iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" | "),
        other => panic!("there is no Node type for settings of type {other}"),
    };
    format!("  /** {} Default: {}. */\n  '{}'?: {kind};\n", setting.about(), setting.text("default"), setting.name())
}
