//! Statistics as numbers, JSON and OpenMetrics text (rule S12). src/base/statistics_table.rs lists them.

use super::Core;
use crate::base::sync::Mutex;
use crate::base::sync::atomic::{AtomicU64, Ordering};
use crate::base::{Moment, Now};
use crate::cache::{Cause, StoreCounts, Tally};
use crate::task::TaskCounts;
use crate::task::counts::{Gauges, Histogram};
use std::fmt::Write as _;

/// The window of the statistics: the time since the last reset.
pub(super) struct StatsWindow {
    id: AtomicU64,
    began: Mutex<Moment>,
}

impl StatsWindow {
    pub(super) fn new(now: Moment) -> StatsWindow {
        StatsWindow { id: AtomicU64::new(1), began: Mutex::new(now) }
    }
}

/// The counters of a window, and the current values of the gauges.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // each part is explained where it is counted
pub struct Stats {
    pub window_id: u64,
    pub window_ms: u64,
    pub store: StoreCounts,
    /// Empty for a cache without an engine.
    pub tasks: TaskCounts,
    pub gauges: Gauges,
    /// The breaker's state, as the C API numbers it.
    pub breaker: u64,
    pub entries: u64,
    pub cost: u64,
    /// The number of pending removals, and their cost in bytes.
    pub pending_removals: (u64, u64),
}

impl Core {
    /// The statistics since the last reset.
    pub fn stats(&self) -> Stats {
        let (entries, cost) = (self.len(), self.cost());
        let now = Now::of(&self.clock).moment();
        let began = *self.window.began.lock();
        let (tasks, gauges, breaker) = match &self.loads {
            Some(loads) => {
                let table = loads.table.lock();
                (table.counts().clone(), table.gauges(), table.breaker_state(now) as u64)
            }
            None => Default::default(),
        };
        Stats {
            window_id: self.window.id.load(Ordering::Acquire),
            window_ms: now.since(began).as_millis() as u64,
            store: self.store.counts(),
            tasks,
            gauges,
            breaker,
            entries,
            cost,
            pending_removals: self.removals.pending(),
        }
    }

    /// Begins a new window. Each event is counted in exactly one window.
    pub fn reset_stats(&self) {
        let mut began = self.window.began.lock();
        self.store.reset_counts();
        if let Some(loads) = &self.loads {
            let _ = loads.table.lock().reset_counts();
        }
        *began = Now::of(&self.clock).moment();
        self.window.id.fetch_add(1, Ordering::AcqRel);
    }
}

impl Stats {
    /// The number of lookups that found nothing.
    pub fn misses(&self) -> u64 {
        self.store.misses + self.tasks.misses.total()
    }

    /// The share of hits and null hits among all lookups of valid keys; 0 if there were none.
    pub fn hit_rate(&self) -> f64 {
        let hits = self.store.hits + self.store.null_hits;
        let lookups = hits + self.misses();
        if lookups == 0 { 0.0 } else { hits as f64 / lookups as f64 }
    }

    /// Every statistic, in the order of the table.
    pub fn values(&self) -> [u64; TABLE.len()] {
        std::array::from_fn(|at| (TABLE[at].of)(self))
    }

    fn removed(&self, cause: Cause) -> Tally {
        self.store.removed(cause)
    }

    /// All statistics as one JSON object.
    pub fn to_json(&self) -> String {
        let mut all = serde_json::json!({ "window": { "id": self.window_id, "ms": self.window_ms } });
        for row in TABLE {
            all[row.group()][row.leaf()] = (row.of)(self).into();
        }
        all["lookups"]["hit_rate"] = self.hit_rate().into();
        for histogram in HISTOGRAMS {
            all[histogram.path] = histogram_json((histogram.of)(self));
        }
        all.to_string()
    }

    /// All statistics as OpenMetrics text, for a scraper.
    pub fn to_openmetrics(&self) -> String {
        let mut text = String::new();
        // The samples of a family must be adjacent, wherever their rows are.
        let mut written: Vec<&str> = Vec::new();
        for first in TABLE {
            if written.contains(&first.family) {
                continue;
            }
            written.push(first.family);
            let suffix = if first.kind == "counter" { "_total" } else { "" };
            let _ = writeln!(text, "# TYPE {0} {1}\n# HELP {0} {2}", first.family, first.kind, first.help());
            for row in TABLE.iter().filter(|row| row.family == first.family) {
                let _ = writeln!(text, "{}{suffix}{} {}", row.family, row.labels(), (row.of)(self));
            }
        }
        for HistogramRow { family, about, unit, of, .. } in HISTOGRAMS {
            histogram(&mut text, family, about, of(self), *unit);
        }
        text.push_str("# EOF\n");
        text
    }
}

/// One row of src/base/statistics_table.rs.
struct Statistic {
    name: &'static str,
    /// `counter` or `gauge`.
    kind: &'static str,
    /// In JSON: `group.leaf`.
    path: &'static str,
    family: &'static str,
    /// `name=value` of the sample's label; empty if the family has only this sample.
    label: &'static str,
    about: &'static str,
    of: fn(&Stats) -> u64,
}

macro_rules! statistics {
    ($($name:ident: $kind:ident, $path:literal, $family:literal, $label:literal, $of:expr; $about:literal;)*) => {
        const TABLE: &[Statistic] = &[$(Statistic {
            name: stringify!($name), kind: stringify!($kind), path: $path, family: $family, label: $label, about: $about, of: $of,
        },)*];
    };
}
macro_rules! families {
    ($($family:literal: $about:literal;)*) => {
        /// The families that have several samples, each with a description of all its samples.
        static FAMILIES: &[(&str, &str)] = &[$(($family, $about),)*];
    };
}
include!("../base/statistics_table.rs");

impl Statistic {
    fn group(&self) -> &'static str {
        self.path.split('.').next().unwrap_or_default()
    }

    fn leaf(&self) -> &'static str {
        self.path.split('.').nth(1).unwrap_or_default()
    }

    fn labels(&self) -> String {
        self.label.split_once('=').map_or_else(String::new, |(name, value)| format!("{{{name}=\"{value}\"}}"))
    }

    fn help(&self) -> &'static str {
        FAMILIES.iter().find(|(family, _)| *family == self.family).map_or(self.about, |(_, about)| about)
    }
}

/// The histograms, which are in JSON and OpenMetrics only.
struct HistogramRow {
    path: &'static str,
    family: &'static str,
    about: &'static str,
    /// The factor from the histogram's unit to the family's.
    unit: f64,
    of: fn(&Stats) -> &Histogram,
}

static HISTOGRAMS: &[HistogramRow] = &[
    HistogramRow {
        path: "latency_us",
        family: "kvlight_request_seconds",
        about: "The time from the creation of a request to its end.",
        unit: 1e-6,
        of: |stats| &stats.tasks.latency,
    },
    HistogramRow {
        path: "batch_keys",
        family: "kvlight_request_keys",
        about: "The number of keys in a request.",
        unit: 1.0,
        of: |stats| &stats.tasks.batch_size,
    },
];

/// The text of docs/STATISTICS.md.
pub fn as_markdown() -> String {
    let ends: Vec<&str> = TABLE.iter().filter(|row| row.family == "kvlight_loads_ended").map(|row| row.name).collect();
    let mut text = format!(
        "# Statistics\n\nGenerated by `make generate` from `src/base/statistics_table.rs`. `kvl_cache_stats` and `kvl_tasks_stats` fill a `kvl_stats_t` with these fields, \
         the functions whose names end in `_stats_json` or `_stats_openmetrics` write the same numbers as text, and every language's package has them. A counter counts since the \
         last reset; a gauge is a current value. In a cache without an engine, the counters of loads are 0.\n\n\
         The number of lookups is `hits + null_hits + misses + invalid_keys`. The sum of the `misses_` fields is the number of misses of fetches; other misses come from calls that do not load. \
         Over all windows (times between resets) together, `loads_started = {} + in_flight`.\n\n\
         | field | JSON | OpenMetrics | kind | |\n|---|---|---|---|---|\n",
        ends.join(" + ")
    );
    for row in TABLE {
        let suffix = if row.kind == "counter" { "_total" } else { "" };
        let _ =
            writeln!(text, "| `{}` | `{}` | `{}{suffix}{}` | {} | {} |", row.name, row.path, row.family, row.labels(), row.kind, row.about);
    }
    text.push_str("\n`kvl_stats_t` also has `window_id`, a number that changes with each reset, and `window_ms`, the time since the last reset in milliseconds; JSON has both as `window.id` and `window.ms`. JSON also has `lookups.hit_rate`, the share of hits and null hits among the lookups of valid keys. JSON and OpenMetrics also have these histograms, with times in microseconds in JSON and in seconds in OpenMetrics:\n\n| JSON | OpenMetrics | |\n|---|---|---|\n");
    for HistogramRow { path, family, about, .. } in HISTOGRAMS {
        let _ = writeln!(text, "| `{path}` | `{family}` | {about} |");
    }
    text.push_str("\nIn JSON a histogram has a `count`, a `sum`, and `at_most`, a list of pairs: an upper bound, and the number of samples that are at most this bound but above the previous one.\n");
    text
}

/// The count, the sum, and `[upper bound, count]` for each non-empty bucket.
fn histogram_json(histogram: &Histogram) -> serde_json::Value {
    let buckets = histogram.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
    let buckets: Vec<_> = buckets.map(|(power, count)| serde_json::json!([1u64 << power, count])).collect();
    serde_json::json!({ "count": histogram.total(), "sum": histogram.sum, "at_most": buckets })
}

fn histogram(text: &mut String, name: &str, help: &str, histogram: &Histogram, unit: f64) {
    let _ = writeln!(text, "# TYPE {name} histogram\n# HELP {name} {help}");
    let mut so_far = 0;
    for (power, count) in histogram.buckets.iter().enumerate().take(Histogram::BUCKETS - 1) {
        so_far += count;
        let _ = writeln!(text, "{name}_bucket{{le=\"{}\"}} {so_far}", (1u64 << power) as f64 * unit);
    }
    let total = histogram.total();
    let _ = writeln!(text, "{name}_bucket{{le=\"+Inf\"}} {total}\n{name}_sum {}\n{name}_count {total}", histogram.sum as f64 * unit);
}
