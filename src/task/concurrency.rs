//! The adaptive concurrency limit: how many requests may be with the provider at a time, derived from their latency (rule R10).
//!
//! The method is the gradient of latency, as in Netflix's concurrency-limits (github.com/Netflix/concurrency-limits, "Gradient"). As long
//! as requests take no longer than when few are running, the limit grows. If they take longer, they are waiting for each other at the
//! provider, and the limit shrinks in proportion. From time to time the limit is lowered for one window, to measure again how long a
//! request takes when few are running. An attempt timeout lowers the limit at once.

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
    window: Window,
    /// The number of windows in which the limit does not grow, because it had grown too far.
    rest: u32,
    /// The number of windows until the limit is lowered to measure.
    until_measure: u32,
    /// The limit that is restored after the present window, which measures.
    measuring: Option<f64>,
    /// Requests that were handed out before this time are not counted.
    since: Moment,
}

/// The requests that ended since the limit last changed.
#[derive(Default)]
struct Window {
    count: u32,
    seconds: f64,
    /// Whether at some time as many requests were running as the limit allows.
    was_full: bool,
}

/// The factor by which the latency may exceed the unloaded one before the limit shrinks.
const TOLERANCE: f64 = 1.05;
/// The part of the way by which the unloaded latency moves towards that of a faster window.
const UNLOADED_SMOOTHING: f64 = 0.2;
/// The growth of the limit in a window, as a part of it, and the minimum growth.
const GROWTH: f64 = 0.05;
const LEAST_GROWTH: f64 = 0.2;
/// The part of the way by which the limit moves towards what a window suggests.
const SMOOTHING: f64 = 0.5;
/// The number of windows in which the limit does not grow after it shrank.
const REST: u32 = 10;
/// The number of windows between two measurements, and the part of the limit that is left while measuring.
const MEASURE_AFTER: u32 = 50;
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
            window: Window::default(),
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
        if handed < self.since {
            return;
        }
        self.window.count += 1;
        self.window.seconds += now.since(handed).as_secs_f64();
        self.window.was_full |= running >= self.limit();
        if self.window.count >= (2 * self.limit()).clamp(20, 500) {
            self.end_window(now);
        }
    }

    /// Records that a request that was handed out at `handed` timed out.
    pub fn timed_out(&mut self, handed: Moment, now: Moment) {
        // Later timeouts under the same limit give no further evidence.
        if handed >= self.since {
            let limit = self.measuring.take().unwrap_or(self.limit) * BACKOFF;
            (self.is_ramping, self.rest) = (false, REST);
            self.set(limit, now);
            self.since = now.after(Duration::from_nanos(1));
        }
    }

    fn end_window(&mut self, now: Moment) {
        let Window { count, seconds, was_full } = self.window;
        let latency = (seconds / f64::from(count)).max(Duration::from_nanos(1).as_secs_f64());
        if let Some(before) = self.measuring.take() {
            self.measured(latency);
            return self.set(before, now);
        }
        self.until_measure -= 1;
        let measures = self.until_measure == 0;
        if measures {
            self.until_measure = MEASURE_AFTER;
            if self.limit() <= self.min as u32 {
                // The limit cannot be lowered any further, so this window measures.
                self.measured(latency);
            }
        }
        // A single fast window may be an exception.
        let unloaded = self.unloaded.map_or(latency, |unloaded| unloaded - UNLOADED_SMOOTHING * (unloaded - latency).max(0.0));
        self.unloaded = Some(unloaded);
        let gradient = (TOLERANCE * unloaded / latency).clamp(0.5, 1.0);
        let mut limit = self.limit;
        if gradient < 1.0 {
            (self.is_ramping, self.rest) = (false, REST);
            limit += SMOOTHING * (limit * gradient + self.growth() - limit).min(0.0);
        } else if self.rest > 0 {
            self.rest -= 1;
        } else if was_full {
            limit += if self.is_ramping { limit } else { SMOOTHING * self.growth() };
        }
        limit = limit.clamp(self.min, self.max);
        if measures && limit as u32 > self.min as u32 {
            self.measuring = Some(limit);
            limit *= MEASURE_AT;
        }
        self.set(limit, now);
    }

    /// Records a latency that was measured while few requests were running.
    fn measured(&mut self, latency: f64) {
        if self.unloaded.is_some_and(|unloaded| latency > CHANGED * unloaded) {
            (self.is_ramping, self.rest) = (true, 0);
        }
        self.unloaded = Some(latency);
    }

    fn growth(&self) -> f64 {
        (self.limit * GROWTH).max(LEAST_GROWTH)
    }

    fn set(&mut self, limit: f64, now: Moment) {
        let before = self.limit();
        self.limit = limit.clamp(self.min, self.max);
        self.window = Window::default();
        if self.limit() < before {
            // The running requests were handed out under the previous limit.
            self.since = now.after(Duration::from_nanos(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    /// A simulated provider with this many servers, each of which takes about the given time for a request; further requests wait for a
    /// free server. There are always more requests than may be running.
    struct Servers {
        concurrency: Concurrency,
        servers: usize,
        noise: f64,
        takes_ns: f64,
        random: Random,
        now: u64,
        /// The times at which the servers become free.
        free: BinaryHeap<Reverse<u64>>,
        /// The times at which requests end, and at which they were handed out.
        ends: BinaryHeap<Reverse<(u64, u64)>>,
    }

    impl Servers {
        fn new(concurrency: Concurrency, servers: usize, noise: f64) -> Servers {
            let free = (0..servers).map(|_| Reverse(0)).collect();
            Servers { concurrency, servers, noise, takes_ns: 1e7, random: Random::new(Some(1)), now: 0, free, ends: BinaryHeap::new() }
        }

        /// Ends this many requests. Returns how many were running on average, and at most.
        fn run(&mut self, requests: usize) -> (f64, u32) {
            let (mut sum, mut most) = (0.0, 0);
            for _ in 0..requests {
                while (self.ends.len() as u32) < self.concurrency.limit() {
                    let Reverse(free) = self.free.pop().expect("there is a server");
                    let takes = self.takes_ns * (1.0 + self.noise * (self.random.unit() - 0.5));
                    let end = free.max(self.now) + takes as u64;
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
    }

    #[test]
    fn r10_the_limit_settles_at_the_number_of_servers() {
        for servers in [2, 3, 4, 5, 8, 13, 20, 35, 50, 75, 100, 140, 200] {
            for noise in [0.0, 0.4] {
                let mut provider = Servers::new(Concurrency::new(1, 1_000), servers, noise);
                provider.run(1_000 * servers);
                let (mean, most) = provider.run(1_000 * servers);
                let ratio = mean / servers as f64;
                assert!((0.8..=1.2).contains(&ratio), "{servers} servers, noise {noise}: {mean} running, {most} at most");
            }
        }
    }

    #[test]
    fn r10_the_limit_follows_when_the_number_of_servers_changes() {
        for servers in [8, 40, 200] {
            let mut provider = Servers::new(Concurrency::new(1, 1_000), servers, 0.2);
            provider.run(1_000 * servers);
            for now in [servers / 2, servers] {
                provider.servers = now;
                provider.free = (0..now).map(|_| Reverse(provider.now)).collect();
                provider.run(3_000 * servers);
                let (mean, _) = provider.run(1_000 * servers);
                assert!((0.8..=1.2).contains(&(mean / now as f64)), "{now} servers of {servers}: {mean} running");
            }
        }
    }

    #[test]
    fn r10_the_limit_recovers_when_the_unloaded_latency_changes() {
        for servers in [4, 40] {
            let mut provider = Servers::new(Concurrency::new(1, 1_000), servers, 0.2);
            provider.run(1_000 * servers);
            for takes_ns in [3e7, 5e6, 1e7] {
                provider.takes_ns = takes_ns;
                provider.run(5_000 * servers);
                let (mean, _) = provider.run(1_000 * servers);
                assert!((0.8..=1.2).contains(&(mean / servers as f64)), "{servers} servers at {takes_ns} ns: {mean} running");
            }
        }
    }

    #[test]
    fn r10_the_limit_stays_within_its_bounds() {
        let mut provider = Servers::new(Concurrency::new(3, 7), 100, 0.0);
        assert_eq!(provider.concurrency.limit(), 3);
        assert_eq!(provider.run(50_000).1, 7);
        let mut provider = Servers::new(Concurrency::new(3, 7), 1, 0.0);
        provider.run(50_000);
        let (mean, most) = provider.run(50_000);
        assert!(mean < 3.5 && most <= 4, "{mean} running, {most} at most, for a provider with one server");
    }

    #[test]
    fn r10_an_attempt_timeout_lowers_the_limit_once() {
        let mut provider = Servers::new(Concurrency::new(1, 1_000), 100, 0.0);
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
