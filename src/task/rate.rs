//! The rate limit of requests: a token bucket (rule R08).
//!
//! The bucket is represented by one number, the time at which it will be full again (the generic cell rate algorithm, ITU-T I.371). Handing
//! out a request moves that time one interval into the future. A token is available as long as that time is at most `burst` - 1 intervals
//! ahead of now.

use crate::base::Moment;
use crate::base::config::RateSettings;
use std::time::Duration;

/// The token bucket of one engine.
pub struct Rate {
    /// `None`: the rate is not limited.
    limit: Option<Limit>,
    full_at: Moment,
}

#[derive(Clone, Copy)]
struct Limit {
    /// The time between two tokens.
    interval: Duration,
    /// How far in the future `full_at` may lie while a token is still available.
    tolerance: Duration,
}

impl Rate {
    /// A full bucket.
    pub fn new(settings: &RateSettings) -> Rate {
        let limit = (settings.requests_per_s > 0.0).then(|| {
            let interval = Duration::from_secs_f64((1.0 / settings.requests_per_s).min(MAX_INTERVAL));
            Limit { interval, tolerance: interval.saturating_mul(settings.burst.max(1) - 1) }
        });
        Rate { limit, full_at: Moment::default() }
    }

    /// The time of the next token; not after now if one is available.
    pub fn next_at(&self) -> Moment {
        self.limit.map_or(Moment::default(), |limit| self.full_at.before(limit.tolerance))
    }

    /// Whether a request may be handed out.
    #[inline]
    pub fn has_token(&self, now: impl FnOnce() -> Moment) -> bool {
        self.limit.is_none() || self.next_at() <= now()
    }

    /// Takes a token for a request that is handed out.
    #[inline]
    pub fn take(&mut self, now: Moment) {
        if let Some(limit) = self.limit {
            self.full_at = self.full_at.max(now).after(limit.interval);
        }
    }
}

/// One year, in seconds. A slower rate is treated as one request a year.
const MAX_INTERVAL: f64 = 365.0 * 86_400.0;

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out requests as fast as the bucket allows, in steps of a millisecond, and returns how many.
    fn handed(rate: &mut Rate, from_ms: u64, end_ms: u64) -> usize {
        let mut count = 0;
        for ms in from_ms..end_ms {
            let now = Moment(ms * 1_000_000);
            while rate.has_token(|| now) {
                rate.take(now);
                count += 1;
            }
        }
        count
    }

    #[test]
    fn r08_a_burst_is_handed_out_at_once_and_the_rest_at_the_rate() {
        let mut rate = Rate::new(&RateSettings { requests_per_s: 100.0, burst: 5 });
        assert_eq!(handed(&mut rate, 0, 1), 5);
        assert_eq!(handed(&mut rate, 1, 1_000), 99);
    }

    #[test]
    fn r08_an_idle_bucket_collects_no_more_than_one_burst() {
        let mut rate = Rate::new(&RateSettings { requests_per_s: 10.0, burst: 3 });
        assert_eq!(handed(&mut rate, 0, 1), 3);
        assert_eq!(handed(&mut rate, 60_000, 60_001), 3);
        assert_eq!(rate.next_at(), Moment(60_100 * 1_000_000));
    }

    #[test]
    fn r08_without_a_limit_every_request_is_handed_out() {
        let mut rate = Rate::new(&RateSettings { requests_per_s: 0.0, burst: 1 });
        (0..1000).for_each(|_| rate.take(Moment(5)));
        assert!(rate.has_token(|| panic!("the clock was read")));
    }
}
