//! The outage of examples/c/outage.c, under a manual clock: a provider that answers in 5 ms, then slows down, fails, and recovers, under
//! 2,000 fetches a second of keys that have been seen (rules R02 to R04, R07).

use super::harness::{Harness, Summary, Waiter, ms};
use std::collections::{HashMap, VecDeque};

const KEYS: usize = 500;
const FETCHES_PER_MS: usize = 2;
const SOFT_TIMEOUT_MS: u64 = 50;
const OUTAGE_MS: u64 = 4_000;
const TTL_MS: u64 = OUTAGE_MS / 10;
const MAX_RUNNING: u32 = 16;
const CONSECUTIVE: u32 = 5;

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Steady,
    Slow,
    Down,
    Back,
}

/// What happened in one phase.
#[derive(Debug, Default)]
struct Tally {
    fetches: u64,
    stale: u64,
    calls: u64,
}

struct Outage {
    harness: Harness,
    now: u64,
    fetched: usize,
    /// The requests that the provider has, with the times of their answers.
    running: Vec<(u64, usize)>,
    /// When the entry of each key expires.
    expires: HashMap<String, u64>,
    /// The same times in order, and earlier ones of entries that were replaced.
    expiries: VecDeque<(u64, String)>,
    /// The fetches of the last 50 ms, with the times of their calls.
    waiters: VecDeque<(u64, Waiter)>,
}

impl Outage {
    fn new() -> Outage {
        let mut harness = Harness::with(|settings| {
            let tasks = &mut settings.tasks;
            (tasks.max_running, tasks.batch_max_keys, tasks.stale_retry) = (MAX_RUNNING, 1, ms(TTL_MS));
            (tasks.breaker.consecutive, tasks.breaker.open) = (CONSECUTIVE, ms(TTL_MS));
            settings.fetch.stale_timeout = Some(ms(SOFT_TIMEOUT_MS));
        });
        harness.checks = false;
        let (running, expires, expiries) = (Vec::new(), HashMap::new(), VecDeque::new());
        let mut outage = Outage { harness, now: 0, fetched: 0, running, expires, expiries, waiters: VecDeque::new() };
        // Every key has been seen. The entries expire one after the other.
        for key in 0..KEYS {
            outage.harness.put(&key.to_string(), "v");
            outage.stored(key.to_string(), key as u64 % TTL_MS + 1);
        }
        outage
    }

    /// Notes that the entry of `key` was stored, and when it expires.
    fn stored(&mut self, key: String, expires: u64) {
        self.expires.insert(key.clone(), expires);
        let at = self.expiries.partition_point(|(other, _)| *other <= expires);
        self.expiries.insert(at, (expires, key));
    }

    /// Lets 1 ms pass: entries expire, and the provider gives the answers that are due.
    fn pass(&mut self, phase: Phase) {
        self.now += 1;
        self.harness.advance(1);
        while self.expiries.front().is_some_and(|(at, _)| *at <= self.now) {
            let (at, key) = self.expiries.pop_front().expect("there is one");
            if self.expires[&key] == at {
                self.harness.store.make_stale(&key);
            }
        }
        for (_, nth) in self.running.extract_if(.., |(at, _)| *at <= self.now).collect::<Vec<_>>() {
            let key = self.harness.requests[nth].keys().remove(0);
            if phase == Phase::Down {
                self.harness.fail(nth, &key, 503);
            } else {
                self.harness.answer(nth, &key, "v");
                self.stored(key, self.now + TTL_MS);
            }
            self.harness.finish(nth);
        }
    }

    fn run(&mut self, phase: Phase, length_ms: u64) -> Tally {
        let (mut tally, mut handed) = (Tally::default(), self.harness.requests.len());
        for _ in 0..length_ms {
            self.pass(phase);
            for _ in 0..FETCHES_PER_MS {
                self.fetched += 1;
                // Steps by a prime, so that neighbouring keys are not loaded together.
                let waiter = self.harness.fetch(&(self.fetched * 197 % KEYS).to_string());
                self.waiters.push_back((self.now, waiter));
            }
            let takes = if phase == Phase::Slow { 300 } else { 5 };
            self.running.extend((handed..self.harness.requests.len()).map(|nth| (self.now + takes, nth)));
            tally.calls += (self.harness.requests.len() - handed) as u64;
            handed = self.harness.requests.len();
            while self.waiters.front().is_some_and(|(at, _)| at + SOFT_TIMEOUT_MS <= self.now) {
                let (at, waiter) = self.waiters.pop_front().expect("there is one");
                let outcome = waiter.outcome();
                let is_good = matches!(outcome, Summary::Value(_) | Summary::Stale(..));
                assert!(is_good, "{SOFT_TIMEOUT_MS} ms after its call at {at} ms, a fetch has {outcome:?}");
                tally.fetches += 1;
                tally.stale += u64::from(matches!(outcome, Summary::Stale(..)));
            }
        }
        tally
    }
}

#[test]
fn r02_r03_r04_r07_in_an_outage_every_fetch_of_a_key_once_seen_has_its_answer_by_the_soft_timeout() {
    let mut outage = Outage::new();
    outage.run(Phase::Steady, TTL_MS);
    let steady = outage.run(Phase::Steady, OUTAGE_MS / 2);
    let slow = outage.run(Phase::Slow, OUTAGE_MS / 4);
    assert!(slow.stale > 0, "the soft timeout covers a slow provider: {slow:?}");
    let down = outage.run(Phase::Down, OUTAGE_MS);
    assert!(down.stale > down.fetches * 9 / 10, "nearly all entries have expired: {down:?}");
    // The calls that were running, those that opened the breaker, and a probe after each `breaker.open_ms`.
    let most = u64::from(MAX_RUNNING + CONSECUTIVE) + OUTAGE_MS / TTL_MS + 1;
    assert!(down.calls <= most, "{} calls reached the provider that was down, at most {most} should", down.calls);
    // The calls of a steady phase that is as long as the outage.
    let normal = steady.calls * 2;
    assert!(down.calls * 50 < normal, "{} calls in the outage are not below 2 % of {normal}", down.calls);
    outage.run(Phase::Back, OUTAGE_MS / 4);
    let back = outage.run(Phase::Back, OUTAGE_MS / 4);
    let share = |tally: &Tally| tally.stale as f64 / tally.fetches as f64;
    assert!(share(&back) <= share(&steady) + 0.01, "{:.3} of the fetches are stale after the outage: {back:?}", share(&back));
    assert!(back.calls * 4 > normal / 2, "the provider is used again: {back:?}");
}
