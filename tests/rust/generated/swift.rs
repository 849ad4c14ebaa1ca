//! Swift: the statistics as a struct. Swift's settings and enums are written by hand, and compared by `tests/rust/by_hand.rs`.

use super::api::Api;
use super::camel_case;
use std::fmt::Write as _;

pub fn files(api: &Api) -> Vec<(&'static str, String)> {
    vec![("bindings/swift/Sources/KVLight/KVLightStatistics.swift", statistics(api))]
}

fn statistics(api: &Api) -> String {
    let mut text = "// Generated from api/api.json by `make generate`. Do not edit.\n\nimport CKVLight\n\n\
        /// The counters since the last reset, and the current gauges. Both are exact if no call runs meanwhile. In a cache without an engine the counters of loads are 0.\n\
        public struct KVLightStatistics: Hashable, Sendable {\n    /// The number of the counting period: each reset begins a new one.\n    public var windowID: UInt64\n"
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
