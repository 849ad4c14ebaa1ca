//! Python: the library's version, statuses, sources, breaker states, and settings with their types.

use super::api::{Api, Entry};
use std::fmt::Write as _;

pub fn files(api: &Api) -> Vec<(&'static str, String)> {
    vec![("bindings/python/src/kvlight/_api.py", tables(api))]
}

fn tables(api: &Api) -> String {
    let mut text = "# Generated from api/api.json by `make generate`. Do not edit.\n\
        \"\"\"The library's version, statuses, sources, breaker states, and settings with their types.\"\"\"\n\n\
        from __future__ import annotations\n\n\
        from enum import IntEnum\n\
        from typing import Literal, TypedDict\n\n"
        .to_owned();
    let version = ["major", "minor", "patch"].map(|part| api.version(part).to_string()).join(".");
    let _ = write!(text, "VERSION = \"{version}\"\n\n\n");
    text.push_str("class Status(IntEnum):\n    \"\"\"Errors are negative; OK and the other outcomes are not.\"\"\"\n");
    for status in api.statuses() {
        let _ = write!(text, "\n    {} = {}\n    {}\n", status.name(), status.number("value"), docstring(status.about()));
    }
    text.push_str("\n\nclass Source(IntEnum):\n    \"\"\"Where a result came from.\"\"\"\n");
    for source in api.constants() {
        if let Some(name) = source.name().strip_prefix("SOURCE_") {
            let _ = write!(text, "\n    {name} = {}\n    {}\n", source.number("value"), docstring(source.about()));
        }
    }
    text.push_str(&words_of_breaker(api));
    let per_fetch: Vec<_> = api.settings().filter(|setting| setting.is("per_fetch")).collect();
    let others: Vec<_> = api.settings().filter(|setting| !setting.is("per_fetch")).collect();
    text.push_str("\n\nclass FetchSettings(TypedDict, total=False):\n    \"\"\"The settings that one fetch may override.\"\"\"\n");
    per_fetch.iter().for_each(|setting| text.push_str(&field(*setting, "")));
    text.push_str("\n\nclass Settings(FetchSettings, total=False):\n    \"\"\"The settings of an engine or a cache.\"\"\"\n");
    others.iter().for_each(|setting| text.push_str(&field(*setting, "")));
    text.push_str("\n\nclass CacheSettings(TypedDict, total=False):\n    \"\"\"The settings of a cache without a provider.\"\"\"\n");
    api.settings().filter(|setting| setting.name().starts_with("cache.")).for_each(|setting| text.push_str(&field(setting, "cache_")));
    text.push_str("\n\n# The name of each setting in the library, by its Python name.\nNAMES: dict[str, str] = {\n");
    for setting in api.settings() {
        let _ = writeln!(text, "    \"{}\": \"{}\",", argument(setting), setting.name());
    }
    text.push_str("}\n");
    text
}

/// The states of the circuit breaker as words, by number, and the states that it can be forced to, as numbers by word.
fn words_of_breaker(api: &Api) -> String {
    let (mut states, mut overrides) = (Vec::new(), Vec::new());
    for constant in api.constants() {
        let Some(name) = constant.name().strip_prefix("BREAKER_") else { continue };
        let (list, name) = name.strip_prefix("FORCE_").map_or((&mut states, name), |name| (&mut overrides, name));
        let word = if name == "NONE" { "None".to_owned() } else { format!("{:?}", name.to_lowercase()) };
        list.push((word, constant.number("value")));
    }
    let joined = |list: &[(String, i64)], form: fn(&(String, i64)) -> String| list.iter().map(form).collect::<Vec<_>>().join(", ");
    format!(
        "\n\n# The states of the circuit breaker, by number.\n\
        BREAKER_STATES: dict[int, Literal[{}]] = {{{}}}\n\
        # The states that the circuit breaker can be forced to, by word; None returns the circuit breaker to automatic operation.\n\
        BREAKER_OVERRIDES: dict[Literal[{}], int] = {{{}}}\n",
        joined(&states, |(word, _)| word.clone()),
        joined(&states, |(word, number)| format!("{number}: {word}")),
        joined(&overrides, |(word, _)| word.clone()),
        joined(&overrides, |(word, number)| format!("{word}: {number}"))
    )
}

/// `cache_ttl_ms` for `cache.ttl_ms`.
fn argument(setting: Entry<'_>) -> String {
    setting.name().replace('.', "_")
}

/// A field of a TypedDict of settings, named without `prefix`.
fn field(setting: Entry<'_>, prefix: &str) -> String {
    let kind = match setting.text("type") {
        "int" => "int".to_owned(),
        "real" => "float".to_owned(),
        "bool" => "bool".to_owned(),
        "word" => format!("Literal[{}]", setting.words("words").iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ")),
        other => panic!("there is no Python type for settings of type {other}"),
    };
    format!(
        "\n    {}: {kind}\n    {}\n",
        argument(setting).trim_start_matches(prefix),
        docstring(&format!("{} Default: {}.", setting.about(), setting.text("default")))
    )
}

/// A docstring, with backslashes and triple quotes escaped.
fn docstring(text: &str) -> String {
    format!("\"\"\"{}\"\"\"", text.replace('\\', "\\\\").replace("\"\"\"", "\\\"\"\""))
}
