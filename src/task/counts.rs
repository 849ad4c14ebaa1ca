//! The table's counters (rule S12): plain numbers, protected by the table's lock.

/// Counters since the last reset of the statistics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the names say what is counted
pub struct TaskCounts {
    pub misses: MissCounts,
    /// Flights: started = ended + in flight.
    pub flights_started: u64,
    pub flights_ended: EndCounts,
    pub attempts: u64,
    pub retries: u64,
    pub attempt_timeouts: u64,
    pub requests: u64,
    pub requests_abandoned: u64,
    pub answers_late: u64,
    pub extras_stored: u64,
    pub extras_refused: u64,
    /// The number of waits for `rate.requests_per_s` while a slot was free, and their total length in microseconds.
    pub rate_waits: u64,
    pub rate_waited_us: u64,
    /// The number of times that the circuit breaker opened, and of keys that it refused.
    pub breaker_opened: u64,
    pub breaker_refused: u64,
    /// Keys of refreshes that found the queue full, with `queue.overflow` = `reject`. They are reported nowhere else.
    pub refreshes_refused: u64,
    /// Positions that received a fallback because the load failed, or because it took too long. Those of throttled keys are in `misses`.
    pub stale_error: u64,
    pub stale_timeout: u64,
    /// Refreshes ahead: started = succeeded + failed + dropped + in flight, except that dropped also counts refreshes that were not
    /// started.
    pub ahead_started: u64,
    pub ahead_succeeded: u64,
    pub ahead_failed: u64,
    pub ahead_dropped: u64,
    /// Requests that repeated others; how many of them answered a key first or took one over; how many ended without doing either.
    pub hedges_started: u64,
    pub hedges_won: u64,
    pub hedges_lost: u64,
    /// Requests that read from the second tier; then keys, by the result of their look.
    pub tier_reads: u64,
    pub tier_hits: u64,
    pub tier_misses: u64,
    pub tier_damaged: u64,
    pub tier_outdated: u64,
    pub tier_errors: u64,
    pub tier_timeouts: u64,
    pub tier_bypassed: u64,
    /// Keys that waited for a load of another process, and keys whose lease was taken over from it.
    pub tier_waited: u64,
    pub tier_stolen: u64,
    /// Keys written to the second tier; writes and fills that failed; keys filled; fills that were refused, and fills that were not even
    /// sent.
    pub tier_writes: u64,
    pub tier_write_errors: u64,
    pub tier_fills: u64,
    pub tier_fills_refused: u64,
    pub tier_fills_dropped: u64,
    /// How often too many keys waited to be written, and how often the library began to avoid the second tier because it failed.
    pub tier_overflows: u64,
    pub tier_opened: u64,
    pub fetch_timeouts: u64,
    pub fetch_cancels: u64,
    /// The time from the creation of a request to its end, in microseconds.
    pub latency: Histogram,
    /// The number of keys in a request.
    pub batch_size: Histogram,
}

/// Positions of fetches that the store did not answer, by their fate: how they continued. Each position has one fate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the names say what is counted
pub struct MissCounts {
    pub started: u64,
    pub joined: u64,
    pub cache_only: u64,
    pub queue_full: u64,
    pub remembered: u64,
    /// They ended before they could join or start a flight, because the engine closed or their batch failed as a whole.
    pub unasked: u64,
    /// The circuit breaker refused them.
    pub unavailable: u64,
    /// They received a fallback at once, because an earlier load had failed shortly before.
    pub throttled: u64,
}

/// Flights that ended, by how. Each flight ends once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // the names say what is counted
pub struct EndCounts {
    pub succeeded: u64,
    pub failed: u64,
    pub lost: u64,
    pub cancelled: u64,
}

impl TaskCounts {
    /// Counts a request of `keys` keys that is handed out, the first time or as a hedge.
    pub fn count_request(&mut self, keys: u64) {
        self.requests += 1;
        self.batch_size.count(keys);
    }
}

impl MissCounts {
    /// The number of positions of fetches that the store did not answer.
    pub fn total(&self) -> u64 {
        // Every fate is named, so that the compiler asks for a new one.
        let MissCounts { started, joined, cache_only, queue_full, remembered, unasked, unavailable, throttled } = self;
        started + joined + cache_only + queue_full + remembered + unasked + unavailable + throttled
    }
}

impl EndCounts {
    /// The number of flights that ended.
    pub fn total(&self) -> u64 {
        // Every end is named, so that the compiler asks for a new one.
        let EndCounts { succeeded, failed, lost, cancelled } = self;
        succeeded + failed + lost + cancelled
    }
}

/// A histogram. Bucket `i` counts values above 2^(i-1) and up to 2^i; the last one also counts everything above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    /// The buckets.
    pub buckets: [u64; Histogram::BUCKETS],
    /// The sum of all values, saturating.
    pub sum: u64,
}

impl Histogram {
    /// The last bound is 2^30: more keys than a request can have, or about 18 minutes in microseconds.
    pub const BUCKETS: usize = 31;

    /// Counts one value.
    pub fn count(&mut self, value: u64) {
        let bucket = (64 - value.saturating_sub(1).leading_zeros()) as usize;
        self.buckets[bucket.min(Histogram::BUCKETS - 1)] += 1;
        self.sum = self.sum.saturating_add(value);
    }

    /// The number of values counted.
    pub fn total(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { buckets: [0; Histogram::BUCKETS], sum: 0 }
    }
}

/// The state of the table at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Keys that wait with a place, and keys that wait for another attempt.
    pub queued: u64,
    /// Keys that wait without a place.
    pub deferred: u64,
    /// Requests that hold a slot.
    pub running: u64,
    /// How many requests may hold a slot.
    pub concurrency_limit: u64,
    /// Flights that have not ended.
    pub in_flight: u64,
    /// Requests that timed out and are still with the provider.
    pub abandoned: u64,
    /// Keys that wait to be written to the second tier.
    pub tier_pending: u64,
    /// 1 while the second tier is avoided because it fails.
    pub tier_avoided: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s12_a_bucket_counts_values_up_to_its_power_of_two() {
        let mut histogram = Histogram::default();
        [0, 1, 2, 3, 4, 5, u64::MAX].into_iter().for_each(|value| histogram.count(value));
        assert_eq!(histogram.buckets[..4], [2, 1, 2, 1]);
        assert_eq!(histogram.buckets[Histogram::BUCKETS - 1], 1);
        assert_eq!((histogram.total(), histogram.sum), (7, u64::MAX));
    }
}
