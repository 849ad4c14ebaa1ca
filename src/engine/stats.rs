//! What was counted, as numbers, JSON and OpenMetrics text (rule S12).

use super::Core;
use crate::base::sync::Mutex;
use crate::base::sync::atomic::{AtomicU64, Ordering};
use crate::base::{Moment, Now};
use crate::cache::{Cause, Counts as StoreCounts};
use crate::task::Counts as TaskCounts;
use crate::task::counts::{Gauges, Histogram};
use std::fmt::Write as _;

/// The time between two resets.
pub(super) struct Window {
    id: AtomicU64,
    began: Mutex<Moment>,
}

impl Window {
    pub(super) fn new(now: Moment) -> Window {
        Window { id: AtomicU64::new(1), began: Mutex::new(now) }
    }
}

/// What happened in a window, and what is so now.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // each part is explained where it is counted
pub struct Stats {
    pub window_id: u64,
    pub window_ms: u64,
    pub store: StoreCounts,
    /// Empty for a cache without an engine.
    pub tasks: TaskCounts,
    pub gauges: Gauges,
    pub entries: u64,
    pub cost: u64,
}

impl Core {
    /// What was counted since the last reset.
    pub fn stats(&self) -> Stats {
        let (entries, cost) = (self.len(), self.cost());
        let began = *self.window.began.lock();
        let (tasks, gauges) = match &self.table {
            Some(table) => {
                let table = table.lock();
                (table.counts().clone(), table.gauges())
            }
            None => Default::default(),
        };
        Stats {
            window_id: self.window.id.load(Ordering::Acquire),
            window_ms: Now::of(&self.clock).moment().since(began).as_millis() as u64,
            store: self.store.counts(),
            tasks,
            gauges,
            entries,
            cost,
        }
    }

    /// Begins a new window. Each event is in exactly one.
    pub fn reset_stats(&self) {
        let mut began = self.window.began.lock();
        self.store.reset_counts();
        if let Some(table) = &self.table {
            let _ = table.lock().reset_counts();
        }
        *began = Now::of(&self.clock).moment();
        self.window.id.fetch_add(1, Ordering::AcqRel);
    }
}

impl Stats {
    /// Lookups that found nothing.
    pub fn misses(&self) -> u64 {
        self.store.misses + self.tasks.misses()
    }

    /// Hits, null hits included, among all lookups of valid keys; 0 when there were none.
    pub fn hit_rate(&self) -> f64 {
        let hits = self.store.hits + self.store.null_hits;
        let lookups = hits + self.misses();
        if lookups == 0 { 0.0 } else { hits as f64 / lookups as f64 }
    }

    /// Everything as one JSON object.
    pub fn to_json(&self) -> String {
        let (store, tasks) = (&self.store, &self.tasks);
        let removed: serde_json::Map<String, serde_json::Value> = CAUSES
            .iter()
            .map(|(cause, name)| {
                let tally = store.removed(*cause);
                ((*name).to_owned(), serde_json::json!({ "entries": tally.entries, "cost": tally.cost }))
            })
            .collect();
        serde_json::json!({
            "window": { "id": self.window_id, "ms": self.window_ms },
            "lookups": {
                "hits": store.hits, "null_hits": store.null_hits, "misses": self.misses(), "invalid_keys": store.invalid_keys,
                "hit_rate": self.hit_rate(),
            },
            "misses": {
                "started": tasks.missed_started, "joined": tasks.missed_joined, "cache_only": tasks.missed_cache_only,
                "queue_full": tasks.missed_queue_full, "remembered": tasks.missed_remembered, "unasked": tasks.missed_unasked,
            },
            "store": { "inserts": store.inserts, "replacements": store.replacements, "removed": removed },
            "loads": {
                "started": tasks.flights_started, "succeeded": tasks.flights_succeeded, "failed": tasks.flights_failed,
                "lost": tasks.flights_lost, "cancelled": tasks.flights_cancelled,
                "attempts": tasks.attempts, "retries": tasks.retries, "attempt_timeouts": tasks.attempt_timeouts,
                "late_answers": tasks.answers_late, "extras_stored": tasks.extras_stored, "extras_refused": tasks.extras_refused,
            },
            "requests": { "formed": tasks.requests, "abandoned": tasks.requests_abandoned },
            "fetches": { "timeouts": tasks.fetch_timeouts, "cancels": tasks.fetch_cancels },
            "latency_us": histogram_json(&tasks.latency),
            "batch_keys": histogram_json(&tasks.batch_size),
            "now": {
                "entries": self.entries, "cost": self.cost, "queued": self.gauges.queued, "spilled": self.gauges.spilled,
                "running": self.gauges.running, "in_flight": self.gauges.in_flight, "abandoned": self.gauges.abandoned,
            },
        })
        .to_string()
    }

    /// Everything as OpenMetrics text, for a scraper.
    pub fn to_openmetrics(&self) -> String {
        let (store, tasks) = (&self.store, &self.tasks);
        let mut text = String::new();
        let lookups = [("hit", store.hits), ("null_hit", store.null_hits), ("miss", self.misses()), ("invalid_key", store.invalid_keys)];
        counter(&mut text, "kvlight_lookups", "Positions asked, by what was found.", "result", &lookups);
        let misses = [
            ("started", tasks.missed_started),
            ("joined", tasks.missed_joined),
            ("cache_only", tasks.missed_cache_only),
            ("queue_full", tasks.missed_queue_full),
            ("remembered", tasks.missed_remembered),
            ("unasked", tasks.missed_unasked),
        ];
        counter(&mut text, "kvlight_fetch_misses", "Misses of fetches, by what became of them.", "fate", &misses);
        let inserts = [("new", store.inserts - store.replacements), ("replacement", store.replacements)];
        counter(&mut text, "kvlight_inserts", "Values stored: under a new key, or over a value that was still alive.", "kind", &inserts);
        let removed = CAUSES.map(|(cause, name)| (name, store.removed(cause).entries));
        counter(&mut text, "kvlight_removals", "Values that left the store, or never got in.", "cause", &removed);
        let removed = CAUSES.map(|(cause, name)| (name, store.removed(cause).cost));
        counter(&mut text, "kvlight_removals_cost_bytes", "What they had cost.", "cause", &removed);
        counter(&mut text, "kvlight_loads_started", "Loads that began.", "", &[("", tasks.flights_started)]);
        let loads = [
            ("succeeded", tasks.flights_succeeded),
            ("failed", tasks.flights_failed),
            ("lost", tasks.flights_lost),
            ("cancelled", tasks.flights_cancelled),
        ];
        counter(&mut text, "kvlight_loads_ended", "Loads that ended, by how.", "end", &loads);
        let attempts = [("first", tasks.attempts.saturating_sub(tasks.retries)), ("retry", tasks.retries)];
        counter(&mut text, "kvlight_attempts", "Keys handed to the provider, for the first time or again.", "kind", &attempts);
        counter(&mut text, "kvlight_attempt_timeouts", "Attempts that ran out of time.", "", &[("", tasks.attempt_timeouts)]);
        counter(&mut text, "kvlight_late_answers", "Answers that came after their attempt's time.", "", &[("", tasks.answers_late)]);
        counter(&mut text, "kvlight_requests", "Requests handed to the provider.", "", &[("", tasks.requests)]);
        counter(&mut text, "kvlight_requests_abandoned", "Requests that ran out of time.", "", &[("", tasks.requests_abandoned)]);
        let extras = [("stored", tasks.extras_stored), ("refused", tasks.extras_refused)];
        counter(&mut text, "kvlight_extras", "Answers to keys that were not asked for.", "fate", &extras);
        let fetches = [("timeout", tasks.fetch_timeouts), ("cancel", tasks.fetch_cancels)];
        counter(&mut text, "kvlight_fetches_ended_early", "Fetches that ended before their keys.", "why", &fetches);
        let gauges = [
            ("kvlight_entries", "Entries in the store.", self.entries),
            ("kvlight_cost_bytes", "What they cost.", self.cost),
            ("kvlight_queued", "Keys that wait for a slot.", self.gauges.queued),
            ("kvlight_spilled", "Keys that wait with their fetch.", self.gauges.spilled),
            ("kvlight_running", "Requests that hold a slot.", self.gauges.running),
            ("kvlight_in_flight", "Loads under way.", self.gauges.in_flight),
            ("kvlight_abandoned", "Requests whose time is over and that are still with the provider.", self.gauges.abandoned),
        ];
        for (name, help, value) in gauges {
            let _ = writeln!(text, "# TYPE {name} gauge\n# HELP {name} {help}\n{name} {value}");
        }
        histogram(&mut text, "kvlight_request_seconds", "From forming a request to its end.", &tasks.latency, 1e-6);
        histogram(&mut text, "kvlight_request_keys", "Keys in a request.", &tasks.batch_size, 1.0);
        text.push_str("# EOF\n");
        text
    }
}

const CAUSES: [(Cause, &str); 8] = [
    (Cause::Expired, "expired"),
    (Cause::Capacity, "capacity"),
    (Cause::Cost, "cost"),
    (Cause::Replaced, "replaced"),
    (Cause::Removed, "removed"),
    (Cause::Cleared, "cleared"),
    (Cause::Trimmed, "trimmed"),
    (Cause::Refused, "refused"),
];

/// `[upper bound, count]` for each bucket that holds something.
fn histogram_json(histogram: &Histogram) -> serde_json::Value {
    let buckets = histogram.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
    let buckets: Vec<_> = buckets.map(|(power, count)| serde_json::json!([1u64 << power, count])).collect();
    serde_json::json!({ "count": histogram.total(), "sum": histogram.sum, "at_most": buckets })
}

fn counter(text: &mut String, name: &str, help: &str, label: &str, rows: &[(&str, u64)]) {
    let _ = writeln!(text, "# TYPE {name} counter\n# HELP {name} {help}");
    for (value, count) in rows {
        let labels = if label.is_empty() { String::new() } else { format!("{{{label}=\"{value}\"}}") };
        let _ = writeln!(text, "{name}_total{labels} {count}");
    }
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
