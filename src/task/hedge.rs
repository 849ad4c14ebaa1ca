//! Decides when a slow request is handed out a second time (rule R09): after a fixed delay, or after a percentile of recent latencies. Only
//! a small share of the requests is repeated, so that a provider that slows down does not receive twice the load.

use super::RequestId;
use super::deadlines::DeadlineId;
use crate::base::config::HedgeSettings;
use std::time::Duration;

/// The role of a request in hedging.
#[derive(PartialEq, Eq, Debug)]
pub enum Hedge {
    /// No role.
    None,
    /// The request is handed out once more when this deadline fires.
    Due(DeadlineId),
    /// The request has been hedged: the request with this id repeats its open keys.
    By(RequestId),
    /// The request is a hedge: it repeats keys of another request. `indexes`: their indexes in that request, ascending. `won`: whether the
    /// hedge answered one of them first, or took over one that failed in the other request.
    Repeats { indexes: Vec<u32>, won: bool },
}

/// The hedging policy of one engine, with its measurements.
pub struct Hedging {
    settings: HedgeSettings,
    /// The number of requests that may still be hedged: each request adds `max_ratio`, each hedge takes 1.
    credit: f64,
    /// `None`: the delay is fixed, or hedging is off.
    latencies: Option<Box<Latencies>>,
}

/// The maximum of `credit`, so that a long time without hedges does not allow many at once.
const MAX_CREDIT: f64 = 10.0;

impl Hedging {
    /// Creates the policy that the settings describe.
    pub fn new(settings: &HedgeSettings) -> Hedging {
        let latencies = (settings.percentile > 0.0).then(Box::default);
        Hedging { settings: settings.clone(), credit: 0.0, latencies }
    }

    /// The time from when the provider takes a request until the request is hedged; `None` if it is not hedged, or too few latencies are
    /// known yet.
    #[inline]
    pub fn delay(&self) -> Option<Duration> {
        if let Some(latencies) = &self.latencies {
            return latencies.percentile(self.settings.percentile);
        }
        (!self.settings.after.is_zero()).then_some(self.settings.after)
    }

    /// Counts a request that is not a hedge.
    #[inline]
    pub fn note_request(&mut self) {
        self.credit = (self.credit + self.settings.max_ratio).min(MAX_CREDIT);
    }

    /// Records the latency of a request that is not a hedge.
    #[inline]
    pub fn note_latency(&mut self, latency: Duration) {
        if let Some(latencies) = &mut self.latencies {
            latencies.note(latency);
        }
    }

    /// Whether one more request may be hedged. If so, takes the credit for it.
    pub fn take_credit(&mut self) -> bool {
        // A share such as 0.05 has no exact binary form: twenty of them may add up to a little less than 1.
        let has_credit = self.credit >= 1.0 - 1e-9;
        self.credit -= if has_credit { 1.0 } else { 0.0 };
        has_credit
    }
}

/// The latencies of recent requests: the histogram that is being filled, and the full one before it. Each power of two has sixteen buckets,
/// so a percentile is at most a sixteenth too high.
struct Latencies {
    filling: Counts,
    full: Counts,
}

type Counts = [u32; BUCKETS];

/// The number of latencies in a full histogram.
const WINDOW: u32 = 512;
/// The fewest latencies from which a percentile is computed.
const MIN_KNOWN: u32 = 32;
/// The number of buckets for each power of two.
const STEPS: u64 = 16;
/// Enough buckets for 2^40 microseconds, nearly 13 days.
const BUCKETS: usize = 36 * STEPS as usize + STEPS as usize;

impl Default for Latencies {
    fn default() -> Latencies {
        Latencies { filling: [0; BUCKETS], full: [0; BUCKETS] }
    }
}

impl Latencies {
    fn note(&mut self, latency: Duration) {
        self.filling[bucket_of(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX))] += 1;
        if self.filling.iter().sum::<u32>() >= WINDOW {
            self.full = std::mem::replace(&mut self.filling, [0; BUCKETS]);
        }
    }

    fn percentile(&self, part: f64) -> Option<Duration> {
        let counts = || self.filling.iter().zip(&self.full).map(|(filling, full)| filling + full);
        let known: u32 = counts().sum();
        if known < MIN_KNOWN {
            return None;
        }
        let mut left = (f64::from(known) * part).ceil() as u32;
        let bucket = counts().position(|count| {
            let is_last = left <= count;
            left = left.saturating_sub(count);
            is_last
        })?;
        Some(Duration::from_micros(end_of(bucket)))
    }
}

/// The bucket of a latency. The first 16 buckets hold one value each; after that, each power of two has 16 buckets.
fn bucket_of(micros: u64) -> usize {
    if micros < STEPS {
        return micros as usize;
    }
    let exponent = micros.ilog2();
    let step = (micros >> (exponent - 4)) - STEPS;
    (((u64::from(exponent) - 3) * STEPS + step) as usize).min(BUCKETS - 1)
}

/// The first value above those of the bucket.
fn end_of(bucket: usize) -> u64 {
    let (power, step) = (bucket as u64 / STEPS, bucket as u64 % STEPS);
    if power == 0 { step + 1 } else { (STEPS + step + 1) << (power - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hedging(after_ms: u64, percentile: f64, max_ratio: f64) -> Hedging {
        Hedging::new(&HedgeSettings { after: Duration::from_millis(after_ms), percentile, max_ratio })
    }

    #[test]
    fn r09_a_bucket_ends_where_the_next_one_begins() {
        for micros in (0..5_000).chain([1 << 20, (1 << 30) + 12_345, 1 << 39]) {
            let bucket = bucket_of(micros);
            assert!(micros < end_of(bucket) && (bucket == 0 || micros >= end_of(bucket - 1)), "{micros}");
            assert!(end_of(bucket) as f64 <= (micros + 1) as f64 * 1.07, "{micros}");
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn r09_the_delay_is_the_percentile_of_recent_latencies() {
        let mut hedging = hedging(0, 0.9, 0.05);
        (0..31).for_each(|_| hedging.note_latency(Duration::from_millis(1)));
        assert_eq!(hedging.delay(), None, "31 requests say nothing yet");
        (0..100).for_each(|nth| hedging.note_latency(Duration::from_millis(1 + nth)));
        let known = hedging.delay().expect("a delay").as_millis();
        assert!((80..=100).contains(&known), "{known} ms");
        // What was measured long ago is forgotten.
        (0..2 * WINDOW).for_each(|_| hedging.note_latency(Duration::from_millis(5)));
        assert_eq!(hedging.delay().expect("a delay").as_millis(), 5);
    }

    #[test]
    fn r09_only_a_share_of_the_requests_is_hedged() {
        let mut hedging = hedging(5, 0.0, 0.05);
        assert_eq!(hedging.delay(), Some(Duration::from_millis(5)));
        assert!(!hedging.take_credit(), "no request has earned credit for a hedge yet");
        let mut hedged = 0;
        for _ in 0..1_000 {
            hedging.note_request();
            hedged += u32::from(hedging.take_credit());
        }
        assert_eq!(hedged, 50);
    }

    #[test]
    fn r09_a_long_time_without_hedges_pays_for_ten_at_most() {
        let mut hedging = hedging(5, 0.0, 0.5);
        (0..1_000).for_each(|_| hedging.note_request());
        assert_eq!((0..100).filter(|_| hedging.take_credit()).count(), 10);
    }
}
