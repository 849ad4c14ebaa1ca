//! Statistics across the ABI: what was counted as a struct of the caller's size, and as text. Caches and engines hand out the same.

use super::guard::Caller;
use super::types::kvl_stats_t;
use super::view::signed;
use crate::base::{Answer, Status, Value};
use crate::cache::Cause;
use crate::engine::stats::Stats;

fn view(stats: &Stats) -> kvl_stats_t {
    let Stats { window_id, window_ms, store, tasks, gauges, entries, cost } = stats;
    let removed = |cause| store.removed(cause).entries;
    kvl_stats_t {
        struct_size: size_of::<kvl_stats_t>(),
        window_id: *window_id,
        window_ms: signed(*window_ms),
        hits: store.hits,
        null_hits: store.null_hits,
        misses: stats.misses(),
        invalid_keys: store.invalid_keys,
        inserts: store.inserts,
        replacements: store.replacements,
        removed_expired: removed(Cause::Expired),
        removed_capacity: removed(Cause::Capacity),
        removed_cost: removed(Cause::Cost),
        removed_replaced: removed(Cause::Replaced),
        removed_removed: removed(Cause::Removed),
        removed_cleared: removed(Cause::Cleared),
        removed_trimmed: removed(Cause::Trimmed),
        removed_refused: removed(Cause::Refused),
        removed_cost_total: store.removed_in_all().cost,
        loads_started: tasks.flights_started,
        loads_joined: tasks.missed_joined,
        loads_succeeded: tasks.flights_succeeded,
        loads_failed: tasks.flights_failed,
        loads_retried: tasks.retries,
        loads_timed_out: tasks.attempt_timeouts,
        loads_cancelled: tasks.flights_cancelled,
        entries: *entries,
        cost: *cost,
        queued: gauges.queued,
        running: gauges.running,
        in_flight: gauges.in_flight,
        abandoned: gauges.abandoned,
        loads_lost: tasks.flights_lost,
        misses_started: tasks.missed_started,
        misses_cache_only: tasks.missed_cache_only,
        misses_queue_lost: tasks.missed_queue_full,
        misses_remembered: tasks.missed_remembered,
        misses_unasked: tasks.missed_unasked,
        attempts: tasks.attempts,
        requests: tasks.requests,
        requests_abandoned: tasks.requests_abandoned,
        extras_stored: tasks.extras_stored,
        extras_refused: tasks.extras_refused,
        fetch_timeouts: tasks.fetch_timeouts,
        fetch_cancels: tasks.fetch_cancels,
        late_answers: tasks.answers_late,
        spilled: gauges.spilled,
    }
}

impl Caller {
    /// Writes as much of the statistics as `out_size` bytes hold. They are asked for when the place for them was found good.
    pub(crate) fn write_stats(
        &self,
        out_stats: *mut kvl_stats_t,
        out_size: usize,
        stats: impl FnOnce() -> Result<Stats, Status>,
    ) -> Result<Status, Status> {
        let room = self.room(out_stats, out_size)?;
        let view = kvl_stats_t { struct_size: room.size(), ..view(&stats()?) };
        room.write(&view);
        Ok(Status::OK)
    }
}

/// A value of a text.
pub(crate) fn text(text: &str) -> Result<Answer, Status> {
    Value::bytes(text.as_bytes()).map(Answer::Value).map_err(|_| Status::ERR_NO_MEMORY)
}
