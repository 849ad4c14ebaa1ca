//! The adaptive concurrency limit: how many requests may be with the provider at a time, derived from their latency (rule R10).
//!
//! The method is the gradient of latency, as in Netflix's concurrency-limits (github.com/Netflix/concurrency-limits, "Gradient"). As long
//! as requests take no longer than when few are running, the limit grows. If they take longer, they are waiting for each other at the
//! provider, and the limit shrinks in proportion. From time to time the limit is lowered for one window, to measure again how long a
//! request takes when few are running. An attempt timeout lowers the limit at once.
//!
//! The latency of a provider varies by itself, often by as much as its mean. Three things keep chance from moving the limit away: a window
//! lasts until its mean is precise; a window that is too slow by chance moves the limit down no further than one that is too fast moves it
//! up; and all means are compared with a mean rather than with the fastest window, which owes the more to chance, the more the latency
//! varies.

use crate::base::Moment;
use std::time::Duration;

/// The concurrency limit of one engine.
pub struct Concurrency {
    min: f64,
    max: f64,
    limit: f64,
    /// Whether the limit doubles with each window, which it does until the latency rises for the first time.
    is_ramping: bool,
    /// The latency of a request when few are running, in seconds; `None` before the first window has ended.
    unloaded: Option<f64>,
    /// The variance of the latency in the previous windows, as a part of the square of its mean.
    variance: f64,
    window: Window,
    /// The number of requests that end before the next window begins.
    skip: u32,
    /// The number of further windows in which the limit does not grow, because of a timeout.
    rest: u32,
    /// The number of windows until the limit is lowered to measure.
    until_measure: u32,
    /// The limit to restore after the present window, if this window measures the unloaded latency; otherwise `None`.
    measuring: Option<f64>,
    /// Timeouts of requests that were handed out before this time are not counted.
    since: Moment,
}

/// The requests that have ended since the last window, except those skipped.
#[derive(Default)]
struct Window {
    count: u32,
    /// The mean of their latency in seconds, and the sum of the squared differences from it (Welford's method).
    mean: f64,
    squares: f64,
    /// Whether at some time as many requests were running as the limit allows.
    was_full: bool,
}

/// The limit settles where the latency is this many times the unloaded one. The limit is then the same multiple of the number of requests
/// that the provider can work on at once.
const TOLERANCE: f64 = 1.1;
/// A window ends when the standard error of its mean is at most this part of the mean.
const PRECISION: f64 = 0.05;
/// The number of requests after which a window ends in any case.
const LONGEST: u32 = 2_000;
/// If two means differ by more standard errors than this, they do not differ by chance.
const CERTAIN: f64 = 4.0;
/// The number of standard errors by which a window may be too slow without ending the ramp.
const DOUBT: f64 = 2.0;
/// How far the unloaded latency moves towards a measured one, and the variance towards that of a window, as a part of the difference.
const FORGETTING: f64 = 0.2;
/// The largest factor by which a window changes the limit, before smoothing.
const MOST_GROWTH: f64 = 1.2;
/// The smallest factor by which a window changes the limit, before smoothing.
const MOST_SHRINKING: f64 = 0.5;
/// The number of windows in which the limit does not grow after a timeout.
const REST: u32 = 10;
/// The number of windows between two measurements.
const MEASURE_AFTER: u32 = 10;
/// The part of the limit that is left while measuring. It must be less than 1 / TOLERANCE. Then an unloaded latency that is too high,
/// because it was measured under load, comes down with each measurement.
const MEASURE_AT: f64 = 0.7;
/// If a measured latency exceeds the unloaded one by this factor, the provider has changed, and the limit is searched for again.
const CHANGED: f64 = 1.5;
/// The part of the limit that is left after an attempt timeout.
const BACKOFF: f64 = 0.7;

impl Concurrency {
    /// Creates a limit between `min` and `max`, which starts at `min`.
    pub fn new(min: u32, max: u32) -> Concurrency {
        let (min, max) = (f64::from(min.min(max)), f64::from(max));
        Concurrency {
            min,
            max,
            limit: min,
            is_ramping: true,
            unloaded: None,
            variance: 0.0,
            window: Window::default(),
            skip: 0,
            rest: 0,
            until_measure: MEASURE_AFTER,
            measuring: None,
            since: Moment::default(),
        }
    }

    /// The number of requests that may be running.
    pub fn limit(&self) -> u32 {
        self.limit as u32
    }

    /// Records the end of a request that was handed out at `handed`. `running` is the number of running requests, including this one.
    pub fn ended(&mut self, handed: Moment, now: Moment, running: u32) {
        if self.skip > 0 {
            self.skip -= 1;
            return;
        }
        let limit = self.limit();
        let window = &mut self.window;
        window.count += 1;
        let latency = now.since(handed).as_secs_f64();
        let difference = latency - window.mean;
        window.mean += difference / f64::from(window.count);
        window.squares += difference * (latency - window.mean);
        window.was_full |= running >= limit;
        // Two rounds of requests, but enough for a variance, and not too many if the limit is high.
        let least = (2 * limit).clamp(20, 500);
        // The variance of the previous windows counts too: otherwise a window would end early just when its requests are alike by chance.
        if window.count >= least
            && (window.count >= LONGEST || window.variance().max(self.variance) <= f64::from(window.count) * PRECISION * PRECISION)
        {
            self.end_window(now);
        }
    }

    /// Records that a request that was handed out at `handed` timed out.
    pub fn timed_out(&mut self, handed: Moment, now: Moment) {
        // A request that was handed out before the limit was last lowered gives no further evidence.
        if handed >= self.since {
            let limit = self.measuring.take().unwrap_or(self.limit) * BACKOFF;
            (self.is_ramping, self.rest) = (false, REST);
            self.set(limit, now);
            self.since = now.after(Duration::from_nanos(1));
        }
    }

    fn end_window(&mut self, now: Moment) {
        let (latency, variance) = (self.window.mean.max(1e-9), self.window.variance());
        let error = latency * (variance / f64::from(self.window.count)).sqrt();
        self.variance += FORGETTING * (variance - self.variance);
        if let Some(before) = self.measuring.take() {
            self.measured(latency, error);
            return self.set(before, now);
        }
        if self.limit() <= self.min as u32 {
            // The limit cannot be lowered any further, so this window measures.
            self.measured(latency, error);
        }
        let mut unloaded = self.unloaded.unwrap_or(latency);
        if latency + CERTAIN * error < unloaded {
            // The provider has become faster. A single fast window may be an exception.
            unloaded -= FORGETTING * (unloaded - latency);
        }
        self.unloaded = Some(unloaded);
        let gradient = TOLERANCE * unloaded / latency;
        // A ramp that ended by chance would cost much time, so the latency must clearly have risen.
        self.is_ramping &= latency - DOUBT * error <= TOLERANCE * unloaded;
        // The square root smooths: it makes half of the change, on a logarithmic scale.
        let factor = if self.is_ramping { 2.0 } else { gradient.clamp(MOST_SHRINKING, MOST_GROWTH).sqrt() };
        let may_grow = self.rest == 0 && self.window.was_full;
        self.rest = self.rest.saturating_sub(1);
        let mut limit = (self.limit * if may_grow { factor } else { factor.min(1.0) }).clamp(self.min, self.max);
        self.until_measure -= 1;
        if self.until_measure == 0 {
            self.until_measure = MEASURE_AFTER;
            if limit as u32 > self.min as u32 {
                self.measuring = Some(limit);
                limit *= MEASURE_AT;
            }
        }
        self.set(limit, now);
    }

    /// Records a latency that was measured, with this standard error, while few requests were running.
    fn measured(&mut self, latency: f64, error: f64) {
        let unloaded = self.unloaded.unwrap_or(latency);
        if latency > CHANGED * unloaded {
            (self.is_ramping, self.rest) = (true, 0);
        }
        let is_certain = (latency - unloaded).abs() > CERTAIN * error;
        self.unloaded = Some(if is_certain { latency } else { unloaded + FORGETTING * (latency - unloaded) });
    }

    fn set(&mut self, limit: f64, now: Moment) {
        let before = self.limit();
        self.limit = limit.clamp(self.min, self.max);
        self.window = Window::default();
        if self.limit() != before {
            // Skips the running requests, which were handed out under the previous limit, and the first ones under the new limit: of
            // requests that are handed out together, the fastest end first.
            self.skip = 2 * before.max(self.limit());
        }
        if self.limit() < before {
            self.since = now.after(Duration::from_nanos(1));
        }
    }
}

impl Window {
    /// The variance of the latency, as a part of the square of its mean.
    fn variance(&self) -> f64 {
        self.squares / (f64::from(self.count) * self.mean * self.mean).max(f64::MIN_POSITIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    /// How the time that a request takes is distributed about its mean.
    #[derive(Clone, Copy, Debug)]
    enum Spread {
        /// Uniformly, over this part of the mean.
        Uniform(f64),
        /// Exponentially, beyond this part of the mean.
        Exponential(f64),
    }
    use Spread::{Exponential, Uniform};

    const SPREADS: [Spread; 5] = [Uniform(0.0), Uniform(0.4), Uniform(0.8), Exponential(0.5), Exponential(0.0)];

    /// The highest limit in the tests that are not about it.
    const MOST: u32 = 300;

    /// A simulated provider with this many servers, each of which takes about the given time for a request; further requests wait for a
    /// free server. There are always more requests than may be running.
    struct Servers {
        concurrency: Concurrency,
        servers: usize,
        spread: Spread,
        takes_ns: f64,
        random: Random,
        now: u64,
        /// The times at which the servers become free.
        free: BinaryHeap<Reverse<u64>>,
        /// The times at which requests end, and at which they were handed out.
        ends: BinaryHeap<Reverse<(u64, u64)>>,
    }

    impl Servers {
        fn new(concurrency: Concurrency, servers: usize, spread: Spread) -> Servers {
            let free = (0..servers).map(|_| Reverse(0)).collect();
            Servers { concurrency, servers, spread, takes_ns: 1e7, random: Random::new(Some(1)), now: 0, free, ends: BinaryHeap::new() }
        }

        /// Ends this many requests. Returns how many were running on average, and at most.
        fn run(&mut self, requests: usize) -> (f64, u32) {
            let (mut sum, mut most) = (0.0, 0);
            for _ in 0..requests {
                while (self.ends.len() as u32) < self.concurrency.limit() {
                    let Reverse(free) = self.free.pop().expect("there is a server");
                    let unit = self.random.unit();
                    let takes = match self.spread {
                        Uniform(part) => 1.0 + part * (unit - 0.5),
                        Exponential(least) => least - (1.0 - least) * (1.0 - unit).ln(),
                    };
                    let end = free.max(self.now) + (self.takes_ns * takes) as u64;
                    self.ends.push(Reverse((end, self.now)));
                    if self.free.len() < self.servers {
                        self.free.push(Reverse(end));
                    }
                }
                let running = self.ends.len() as u32;
                let Reverse((end, handed)) = self.ends.pop().expect("a request is running");
                self.now = end;
                self.concurrency.ended(Moment(handed), Moment(end), running);
                (sum, most) = (sum + f64::from(running), most.max(running));
            }
            (sum / requests as f64, most)
        }

        /// Lets the limit settle, and checks that it did so near the number of servers and never exceeded the maximum.
        fn settles(&mut self) {
            let (_, before) = self.run((1_000 * self.servers).max(40_000));
            let (mean, most) = self.run(40_000);
            let Servers { servers, spread, takes_ns, .. } = *self;
            let ratio = mean / servers as f64;
            assert!((0.8..=1.2).contains(&ratio), "{servers} servers, {takes_ns} ns, {spread:?}: {mean} running, {most} at most");
            assert!(before.max(most) <= MOST, "{servers} servers, {spread:?}: up to {before} and {most} running");
        }
    }

    #[test]
    fn r10_the_limit_settles_at_the_number_of_servers_however_the_latency_varies() {
        for servers in [2, 3, 4, 5, 8, 13, 21, 40, 70, 120, 200] {
            for spread in SPREADS {
                Servers::new(Concurrency::new(1, MOST), servers, spread).settles();
            }
        }
    }

    #[test]
    fn r10_the_limit_follows_when_the_number_of_servers_changes() {
        for (servers, spread) in [8, 40, 200].into_iter().flat_map(|servers| SPREADS.map(|spread| (servers, spread))) {
            let mut provider = Servers::new(Concurrency::new(1, MOST), servers, spread);
            provider.settles();
            for now in [servers / 2, servers] {
                provider.servers = now;
                provider.free = (0..now).map(|_| Reverse(provider.now)).collect();
                provider.settles();
            }
        }
    }

    #[test]
    fn r10_the_limit_recovers_when_the_unloaded_latency_changes() {
        for (servers, spread) in [4, 40].into_iter().flat_map(|servers| SPREADS.map(|spread| (servers, spread))) {
            let mut provider = Servers::new(Concurrency::new(1, MOST), servers, spread);
            provider.settles();
            for takes_ns in [3e7, 5e6, 1e7] {
                provider.takes_ns = takes_ns;
                provider.run(100_000);
                provider.settles();
            }
        }
    }

    #[test]
    fn r10_the_limit_stays_within_its_bounds() {
        for spread in SPREADS {
            let mut provider = Servers::new(Concurrency::new(3, 7), 100, spread);
            assert_eq!(provider.concurrency.limit(), 3);
            assert_eq!(provider.run(50_000).1, 7, "{spread:?}");
            let mut provider = Servers::new(Concurrency::new(3, 7), 1, spread);
            provider.run(50_000);
            let (mean, most) = provider.run(50_000);
            assert!(mean < 3.5 && most <= 5, "{spread:?}: {mean} running, {most} at most, for a provider with one server");
        }
    }

    #[test]
    fn r10_an_attempt_timeout_lowers_the_limit_once() {
        let mut provider = Servers::new(Concurrency::new(1, 1_000), 100, Uniform(0.0));
        provider.run(100_000);
        let Servers { mut concurrency, now, .. } = provider;
        let before = concurrency.limit();
        for _ in 0..20 {
            concurrency.timed_out(Moment(now - 5), Moment(now));
        }
        let after = concurrency.limit();
        assert!(f64::from(after) <= 0.71 * f64::from(before) && f64::from(after) > 0.6 * f64::from(before), "{before} to {after}");
        concurrency.timed_out(Moment(now + 5), Moment(now + 10));
        assert!(concurrency.limit() < after);
    }

    #[test]
    fn r10_without_demand_the_limit_does_not_grow() {
        let mut concurrency = Concurrency::new(2, 100);
        for at in 0..10_000 {
            concurrency.ended(Moment(at * 1_000), Moment(at * 1_000 + 500), 1);
        }
        assert_eq!(concurrency.limit(), 2);
    }
}
