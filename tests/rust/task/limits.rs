//! A reference for the limits between the queue and the provider: the circuit breaker (R07), the rate limit (R08) and the limit of
//! concurrent requests (R10). After each hold of the lock it compares what the table did with what the provider and the clock allow.
//!
//! It is not always known whether a request counts as failed. The breaker *must* open if it would even without the uncertain failures, and
//! *may* open if it would with them.

use super::harness::{Harness, TestHost};
use kvlight::base::config::{BreakerSettings, Settings};
use kvlight::task::breaker::{BreakerOverride, BreakerState};
use kvlight::task::{Cancel, RequestId, Table};
use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

/// What the provider did with a request.
#[derive(Clone, Copy, Default, Debug)]
pub struct Evidence {
    /// Whether the provider answered a key before the request was cancelled.
    pub has_answer: bool,
    pub failure: Failure,
}

/// Whether the provider failed the request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub enum Failure {
    #[default]
    No,
    /// That depends on which of the keys are still wanted when their answers are processed.
    Perhaps,
    Certain,
}

/// What the end of a request says about the provider.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Succeeded,
    Failed,
    /// Nothing: the request counts as if it had not been handed out.
    Withdrawn,
    /// One of the three above.
    Unknown,
}

/// A request that holds a slot.
struct Holder {
    nth: usize,
    id: RequestId,
    /// The number of changes of the breaker's state before the request was handed out.
    era: u32,
    /// Whether one of its keys was wanted before the present hold of the lock.
    was_wanted: bool,
}

/// What the table counted before the present hold of the lock.
#[derive(Default)]
struct Before {
    opened: u64,
    refused: u64,
    hedges: u64,
    limit: u64,
}

pub struct Limits {
    breaker: Breaker,
    bucket: Option<Bucket>,
    /// The least and the greatest limit of concurrent requests.
    concurrency: (u64, u64),
    holders: Vec<Holder>,
    /// What the provider did, by the number of the request.
    pub evidence: Rc<RefCell<HashMap<usize, Evidence>>>,
    before: Before,
    /// The time at which the table closes. Nothing is handed out from then on, and nothing is checked.
    pub closes_at: Option<u64>,
    /// Whether the host lets keys gather.
    pub gathers: bool,
}

impl Limits {
    /// The rate in `settings` must be such that the time between two tokens is a whole number of milliseconds.
    pub fn new(settings: &Settings) -> Limits {
        let tasks = &settings.tasks;
        let most = u64::from(tasks.max_running);
        let least = if tasks.limit.is_adaptive() { u64::from(tasks.min_running).min(most) } else { most };
        Limits {
            breaker: Breaker { settings: tasks.breaker.clone(), phase: Phase::Closed(Vec::new()), era: 0 },
            bucket: Bucket::new(tasks.rate.requests_per_s, tasks.rate.burst),
            concurrency: (least, most),
            holders: Vec::new(),
            evidence: Rc::default(),
            before: Before::default(),
            closes_at: None,
            gathers: false,
        }
    }

    /// Called before each hold of the lock.
    pub fn begin(&mut self, table: &Table<TestHost>, keys_of: impl Fn(usize) -> usize) {
        let counts = table.counts();
        self.before = Before {
            opened: counts.breaker_opened,
            refused: counts.breaker_refused,
            hedges: counts.hedges_started,
            limit: table.gauges().concurrency_limit,
        };
        for holder in &mut self.holders {
            holder.was_wanted = (0..keys_of(holder.nth)).any(|index| table.is_wanted(holder.id, index));
        }
    }

    /// Called after each hold of the lock, with the requests that it handed out and those that it cancelled.
    pub fn end(&mut self, harness: &Harness, handed: Range<usize>, cancelled: &[(usize, Cancel)]) {
        let now = harness.now_ms();
        if self.closes_at.is_some_and(|end| end <= now) {
            return;
        }
        let (counts, gauges) = (harness.table.counts(), harness.table.gauges());
        let ended: Vec<Holder> = self.holders.extract_if(.., |holder| !harness.table.holds_slot(holder.id)).collect();
        self.breaker.pass(now);
        let outcomes: Vec<(u32, Outcome)> = ended.iter().map(|ended| (ended.era, self.outcome(ended, harness, cancelled))).collect();
        let era = self.breaker.era;
        self.breaker.ended(&outcomes, now, counts.breaker_opened - self.before.opened, harness.table.breaker_state(harness.clock.moment()));
        let hedges = counts.hedges_started - self.before.hedges;
        let opens = self.breaker.is_open();
        assert!(!opens || handed.len() as u64 <= hedges, "a request was formed while the breaker was open");
        // If deadlines are due together, a hedge may be handed out before the timeout that opens the breaker.
        assert!(!opens || handed.is_empty() || era != self.breaker.era, "a hedge was handed out while the breaker was open");
        self.breaker.handed(handed.len() as u64, now);
        assert!(counts.breaker_refused == self.before.refused || self.breaker.may_refuse(), "a key was refused: {:?}", self.breaker.phase);
        for _ in handed.clone() {
            assert!(self.bucket.as_mut().is_none_or(|bucket| bucket.take(now)), "a request was handed out without a token");
        }
        let (least, most) = self.concurrency;
        let limit = gauges.concurrency_limit;
        assert!((least..=most).contains(&limit), "{limit} concurrent requests, not between {least} and {most}");
        let has_success = outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Succeeded | Outcome::Unknown));
        assert!(limit <= self.before.limit || has_success, "the limit rose from {} to {limit} for no reason", self.before.limit);
        let is_hedge_only = handed.len() as u64 == hedges;
        let allowed = if is_hedge_only { limit.max(self.before.limit) } else { limit };
        assert!(handed.is_empty() || gauges.running <= allowed, "{} running, {allowed} allowed", gauges.running);
        let era = if opens { era } else { self.breaker.era };
        let holder = |nth: usize| Holder { nth, id: harness.requests[nth].id, era, was_wanted: true };
        self.holders.extend(handed.map(holder));
    }

    /// Called between two events: checks that no key waits that could be handed out.
    pub fn at_rest(&mut self, harness: &Harness) {
        let now = harness.now_ms();
        if self.closes_at.is_some_and(|end| end <= now) || harness.has_long_work() {
            return;
        }
        let gauges = harness.table.gauges();
        let waiting = gauges.queued + gauges.deferred;
        self.breaker.pass(now);
        assert!(waiting == 0 || !self.breaker.is_open(), "{waiting} keys wait although the breaker is open");
        let may_wait = self.gathers || !harness.settings.tasks.batch_linger.is_zero();
        if waiting > 0 && gauges.running < gauges.concurrency_limit && !may_wait {
            let has_token = self.bucket.as_mut().is_none_or(|bucket| bucket.has_token(now));
            assert!(!has_token, "{waiting} keys wait although there are a slot and a token");
        }
    }

    /// An operator forces a state of the breaker, or lets it decide again.
    pub fn force(&mut self, forced: BreakerOverride) {
        self.breaker.enter(match forced {
            BreakerOverride::No => Phase::Closed(Vec::new()),
            BreakerOverride::Closed => Phase::ForcedClosed,
            BreakerOverride::Open => Phase::ForcedOpen,
        });
    }

    /// What a request that no longer holds its slot says about the provider.
    fn outcome(&self, ended: &Holder, harness: &Harness, cancelled: &[(usize, Cancel)]) -> Outcome {
        let Evidence { has_answer, failure } = self.evidence.borrow().get(&ended.nth).copied().unwrap_or_default();
        let hooks = || cancelled.iter().filter(|(nth, _)| *nth == ended.nth);
        let timed_out = hooks().any(|(_, why)| *why == Cancel::Timeout);
        let is_cancelled = harness.hooks.contains(&(ended.nth, Cancel::Unwanted));
        match failure {
            Failure::Certain => Outcome::Failed,
            Failure::Perhaps => Outcome::Unknown,
            Failure::No if timed_out && !ended.was_wanted => Outcome::Withdrawn,
            // The last waiter timed out at the same time, before the request or after it.
            Failure::No if timed_out && hooks().count() > 1 => Outcome::Unknown,
            Failure::No if timed_out => Outcome::Failed,
            Failure::No if !harness.requests[ended.nth].taken || is_cancelled && !has_answer => Outcome::Withdrawn,
            Failure::No => Outcome::Succeeded,
        }
    }
}

/// The tokens of the rate limit, measured in milliseconds: one token is worth `interval`.
struct Bucket {
    interval: u64,
    most: u64,
    /// What was available at the time `at`.
    level: u64,
    at: u64,
}

impl Bucket {
    fn new(requests_per_s: f64, burst: u32) -> Option<Bucket> {
        let interval = (requests_per_s > 0.0).then(|| (1_000.0 / requests_per_s).round() as u64)?;
        let most = interval * u64::from(burst.max(1));
        Some(Bucket { interval, most, level: most, at: 0 })
    }

    fn has_token(&mut self, now: u64) -> bool {
        self.level = (self.level + (now - self.at)).min(self.most);
        self.at = now;
        self.level >= self.interval
    }

    fn take(&mut self, now: u64) -> bool {
        let has = self.has_token(now);
        self.level = self.level.saturating_sub(self.interval);
        has
    }
}

#[derive(Debug)]
enum Phase {
    /// The requests that have ended since the breaker was closed, with the times of their ends.
    Closed(Vec<(u64, Outcome)>),
    Open {
        until: u64,
    },
    HalfOpen {
        since: u64,
        handed: u64,
        /// The most probes that may have been withdrawn.
        withdrawn: u64,
        /// The least and the greatest number of probes that may have succeeded.
        succeeded: (u32, u32),
    },
    ForcedClosed,
    ForcedOpen,
}

struct Breaker {
    settings: BreakerSettings,
    phase: Phase,
    era: u32,
}

impl Breaker {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.era += 1;
    }

    fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. } | Phase::ForcedOpen)
    }

    /// Whether the breaker may have refused a key in the hold of the lock that ended in this state.
    fn may_refuse(&self) -> bool {
        self.is_open() || matches!(self.phase, Phase::HalfOpen { handed, .. } if handed >= u64::from(self.settings.probes))
    }

    fn open_ms(&self) -> u64 {
        self.settings.open.as_millis() as u64
    }

    /// Makes an open breaker half open, if it is time.
    fn pass(&mut self, now: u64) {
        if let Phase::Open { until } = self.phase
            && until <= now
        {
            self.enter(Phase::HalfOpen { since: until, handed: 0, withdrawn: 0, succeeded: (0, 0) });
        }
    }

    /// These requests, each with its era, ended in one hold of the lock, which opened the breaker `opened` times and left it in `state`.
    fn ended(&mut self, outcomes: &[(u32, Outcome)], now: u64, opened: u64, state: BreakerState) {
        let (mut must_open, mut may_open) = (false, false);
        for (_, outcome) in outcomes.iter().filter(|(era, _)| *era == self.era) {
            match (&mut self.phase, *outcome) {
                (Phase::Closed(_), Outcome::Withdrawn) => {}
                (Phase::Closed(history), outcome) => {
                    history.push((now, outcome));
                    must_open |= must_open_after(history, now, &self.settings);
                    may_open |= may_open_after(history, now, &self.settings);
                }
                (Phase::HalfOpen { .. }, Outcome::Failed) => (must_open, may_open) = (true, true),
                (Phase::HalfOpen { succeeded, .. }, Outcome::Succeeded) => *succeeded = (succeeded.0 + 1, succeeded.1 + 1),
                (Phase::HalfOpen { withdrawn, .. }, Outcome::Withdrawn) => *withdrawn += 1,
                (Phase::HalfOpen { withdrawn, succeeded, .. }, Outcome::Unknown) => {
                    (*withdrawn, succeeded.1, may_open) = (*withdrawn + 1, succeeded.1 + 1, true);
                }
                (Phase::Open { .. } | Phase::ForcedOpen | Phase::ForcedClosed, _) => {}
            }
        }
        assert!(opened <= u64::from(may_open), "the breaker opened without a reason: {:?}", self.phase);
        assert!(opened >= u64::from(must_open), "the breaker did not open: {:?}", self.phase);
        if opened > 0 {
            let until = now + self.open_ms();
            self.enter(Phase::Open { until });
        }
        if let Phase::HalfOpen { succeeded, .. } = self.phase {
            let probes = self.settings.probes;
            let closes = state == BreakerState::Closed;
            assert!(closes || succeeded.0 < probes, "all probes succeeded, but the breaker is {state:?}");
            assert!(!closes || succeeded.1 >= probes, "the breaker closed after {succeeded:?} of {probes} probes");
            if closes {
                self.enter(Phase::Closed(Vec::new()));
            }
        }
        let expected = match self.phase {
            Phase::Closed(_) | Phase::ForcedClosed => BreakerState::Closed,
            Phase::Open { .. } | Phase::ForcedOpen => BreakerState::Open,
            Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        };
        assert_eq!(state, expected, "{:?}", self.phase);
    }

    fn handed(&mut self, count: u64, now: u64) {
        let (probes, open) = (u64::from(self.settings.probes), self.open_ms());
        if let Phase::HalfOpen { since, handed, withdrawn, .. } = &mut self.phase {
            *handed += count;
            // One more probe is let through after each further `open_ms`, in case the others hang.
            let allowed = probes + *withdrawn + (now - *since) / open;
            assert!(count == 0 || *handed <= allowed, "{handed} probes, {allowed} allowed");
        }
    }
}

/// Whether these results open a breaker whatever the unknown ones are.
fn must_open_after(history: &[(u64, Outcome)], now: u64, settings: &BreakerSettings) -> bool {
    let (certain, possible) = windows(settings);
    let failed = count(history, now, certain, &[Outcome::Failed]);
    let requests = failed + count(history, now, certain, &[Outcome::Succeeded]);
    let succeeded = count(history, now, possible, &[Outcome::Succeeded, Outcome::Unknown]);
    is_row(history, &[Outcome::Failed], settings) || is_share(failed, requests, failed + succeeded, settings)
}

/// Whether these results open a breaker if the unknown ones are failures.
fn may_open_after(history: &[(u64, Outcome)], now: u64, settings: &BreakerSettings) -> bool {
    let (certain, possible) = windows(settings);
    let failed = count(history, now, possible, &[Outcome::Failed, Outcome::Unknown]);
    let requests = failed + count(history, now, possible, &[Outcome::Succeeded]);
    let succeeded = count(history, now, certain, &[Outcome::Succeeded]);
    is_row(history, &[Outcome::Failed, Outcome::Unknown], settings) || is_share(failed, requests, failed + succeeded, settings)
}

/// Two ages in milliseconds. Below the first a result certainly counts, and from the second on it certainly does not. In between it may: the window
/// consists of ten slices, and a slice leaves as a whole.
fn windows(settings: &BreakerSettings) -> (u64, u64) {
    let window = settings.window.as_millis() as u64;
    (window - window / 10, window)
}

fn count(history: &[(u64, Outcome)], now: u64, window: u64, wanted: &[Outcome]) -> f64 {
    history.iter().filter(|(at, outcome)| now - at < window && wanted.contains(outcome)).count() as f64
}

/// Whether enough of the last requests failed in a row to open the breaker.
fn is_row(history: &[(u64, Outcome)], failures: &[Outcome], settings: &BreakerSettings) -> bool {
    let failed = history.iter().rev().take_while(|(_, outcome)| failures.contains(outcome)).count();
    settings.consecutive > 0 && failed >= settings.consecutive as usize
}

/// Whether `requests` are enough for the share of failures to count, and `failed` is a large enough share of `of` to open the breaker.
fn is_share(failed: f64, requests: f64, of: f64, settings: &BreakerSettings) -> bool {
    settings.failure_ratio > 0.0 && requests >= f64::from(settings.min_requests) && failed >= settings.failure_ratio * of
}
