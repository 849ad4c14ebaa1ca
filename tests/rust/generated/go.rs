//! Go: the statistics as a struct.

use super::api::Api;
use super::camel_case;
use std::fmt::Write as _;

pub fn files(api: &Api) -> Vec<(&'static str, String)> {
    vec![("bindings/go/stats.go", statistics(api))]
}

fn statistics(api: &Api) -> String {
    let mut text = "// Code generated from api/api.json by make generate. DO NOT EDIT.\n\npackage kvlight\n\n// #include <kvlight.h>\nimport \"C\"\n\n\
        // Stats has the counters since the last reset, and the current gauges. StatsJSON also has histograms.\ntype Stats struct {\n"
        .to_owned();
    for row in api.statistics() {
        let _ = writeln!(text, "\t// {}\n\t{} uint64", row.about(), field(row.name()));
    }
    text.push_str("}\n\nfunc statsOf(s *C.kvl_stats_t) Stats {\n\treturn Stats{\n");
    let width = api.statistics().map(|row| field(row.name()).len()).max().unwrap_or_default();
    for row in api.statistics() {
        let name = field(row.name());
        let _ = writeln!(text, "\t\t{name}:{} uint64(s.{}),", " ".repeat(width - name.len()), row.name());
    }
    text.push_str("\t}\n}\n");
    text
}

/// The field of a statistic: `NullHits` for `null_hits`.
fn field(name: &str) -> String {
    let name = camel_case(name);
    name[..1].to_uppercase() + &name[1..]
}
