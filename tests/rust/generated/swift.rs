//! Swift: the statistics as a struct.

use super::api::Api;
use super::camel_case;
use std::fmt::Write as _;

pub fn files(api: &Api) -> Vec<(&'static str, String)> {
    vec![("bindings/swift/Sources/KVLight/KVLightStatistics.swift", statistics(api))]
}

fn statistics(api: &Api) -> String {
    let mut text = "// Made from api/api.json by `make generate`. Do not edit.\n\nimport CKVLight\n\n\
        /// What happened since the last reset, and how things stand now. Exact once callers are quiet. A cache without loads of its own has none.\n\
        public struct KVLightStatistics: Hashable, Sendable {\n    /// Another number after each reset.\n    public var windowID: UInt64\n"
        .to_owned();
    for row in api.statistics() {
        let _ = writeln!(text, "    /// {}\n    public var {}: Int", row.about(), camel_case(row.name()));
    }
    text.push_str("\n    init(_ stats: kvl_stats_t) {\n        windowID = stats.window_id\n");
    for row in api.statistics() {
        let _ = writeln!(text, "        {} = Int(clamping: stats.{})", camel_case(row.name()), row.name());
    }
    text.push_str("    }\n}\n");
    text
}
