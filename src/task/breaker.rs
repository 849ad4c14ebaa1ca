//! The circuit breaker, which keeps requests from a provider that fails (rule R07).
//!
//! ```text
//!             too many failures                open_ms later
//!   Closed ─────────────────────▶ Open ─────────────────────▶ HalfOpen
//!     ▲                             ▲        a probe failed       │
//!     │                             └─────────────────────────────┤
//!     └───────────────────────────────────────────────────────────┘
//!                          all probes succeeded
//! ```
//!
//! The breaker counts requests. A request failed if it timed out, or if one of its keys failed with an error that is not permanent: a
//! provider that says "there is no such record" works. A request that was cancelled before any of its keys was answered is not counted: it
//! says nothing about the provider. Requests that were handed out before the last change of state are ignored.

use crate::base::Moment;
use crate::base::config::BreakerSettings;
use crate::base::variants::variants;

/// The circuit breaker of one engine.
pub struct Breaker {
    settings: BreakerSettings,
    state: State,
    forced: BreakerOverride,
    /// The number of changes of state. A request carries the number that was current when it was handed out.
    era: Era,
}

/// The number of a period between two changes of state. It distinguishes requests handed out in this period from earlier ones.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Era(u32);

#[derive(Debug)]
enum State {
    Closed(OutcomeWindow),
    Open {
        until: Moment,
    },
    /// `since`: when this state began, or when the last probe beyond the configured number was let through.
    HalfOpen {
        handed: u32,
        succeeded: u32,
        since: Moment,
    },
}

variants! {
    /// The state that operators see. The numbers are part of the C API.
    #[repr(u32)]
    pub enum BreakerState {
        /// All requests are handed out.
        Closed = 0,
        /// No request is handed out.
        Open = 1,
        /// Only probes are handed out.
        HalfOpen = 2,
    }
}

/// A state forced by an operator.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BreakerOverride {
    /// No state is forced: the breaker decides.
    #[default]
    No,
    /// All requests are handed out.
    Closed,
    /// No request is handed out.
    Open,
}

/// The result of a request, for the breaker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestOutcome {
    /// Nothing indicates a failing provider.
    Succeeded,
    /// It timed out, or one of its keys failed with an error that is not permanent.
    Failed,
}

impl Breaker {
    /// Creates a closed breaker.
    pub fn new(settings: &BreakerSettings) -> Breaker {
        let state = State::Closed(OutcomeWindow::default());
        Breaker { settings: settings.clone(), state, forced: BreakerOverride::No, era: Era::default() }
    }

    fn is_off(&self) -> bool {
        self.settings.failure_ratio == 0.0 && self.settings.consecutive == 0
    }

    /// The state that operators see.
    pub fn state(&self, now: Moment) -> BreakerState {
        match (self.forced, &self.state) {
            (BreakerOverride::Open, _) => BreakerState::Open,
            (BreakerOverride::Closed, _) | (BreakerOverride::No, State::Closed(_)) => BreakerState::Closed,
            (BreakerOverride::No, State::Open { until }) if *until <= now => BreakerState::HalfOpen,
            (BreakerOverride::No, State::Open { .. }) => BreakerState::Open,
            (BreakerOverride::No, State::HalfOpen { .. }) => BreakerState::HalfOpen,
        }
    }

    /// Forces a state, or lets the breaker decide again. In either case the counts start again.
    pub fn force(&mut self, forced: BreakerOverride) {
        self.forced = forced;
        self.enter(State::Closed(OutcomeWindow::default()));
    }

    /// Whether all requests are handed out, until a request fails or an operator changes the state.
    #[inline]
    pub fn is_closed(&self) -> bool {
        matches!((self.forced, &self.state), (BreakerOverride::No, State::Closed(_)) | (BreakerOverride::Closed, _))
    }

    /// Whether a request may be handed out. Enters the half-open state once `open_ms` has passed.
    #[inline]
    pub fn admits(&mut self, now: impl FnOnce() -> Moment) -> bool {
        match (self.forced, &self.state) {
            (BreakerOverride::No, State::Closed(_)) | (BreakerOverride::Closed, _) => true,
            (BreakerOverride::Open, _) => false,
            (BreakerOverride::No, _) => self.admits_a_probe(now()),
        }
    }

    fn admits_a_probe(&mut self, now: Moment) -> bool {
        if matches!(self.state, State::Open { until } if until <= now) {
            self.enter(State::HalfOpen { handed: 0, succeeded: 0, since: now });
        }
        // Probes that hang must not keep the breaker half open for ever: one more is let through after each further `open_ms`.
        let another = |since: Moment| since.after(self.settings.open) <= now;
        matches!(self.state, State::HalfOpen { handed, since, .. } if handed < self.settings.probes || another(since))
    }

    /// The time at which a key that is refused now may be tried again.
    pub fn retry_at(&self, now: Moment) -> Moment {
        match (self.forced, &self.state) {
            // The breaker stays open until an operator changes it.
            (BreakerOverride::Open, _) => Moment::NEVER,
            (_, State::Open { until }) => *until,
            // All probes are with the provider. By then they will have closed the breaker, or opened it again.
            (_, State::HalfOpen { .. } | State::Closed(_)) => now.after(self.settings.open),
        }
    }

    /// Counts a request that is handed out now. Returns its era.
    #[inline]
    pub fn handed(&mut self, now: Moment) -> Era {
        if let State::HalfOpen { handed, since, .. } = &mut self.state {
            if *handed >= self.settings.probes {
                *since = now;
            }
            *handed += 1;
        }
        self.era
    }

    /// Counts the end of a request that was handed out in `era`. Returns true if this opens the breaker.
    #[must_use]
    pub fn ended(&mut self, era: Era, ending: RequestOutcome, now: Moment) -> bool {
        if self.is_off() || era != self.era || self.forced != BreakerOverride::No {
            return false;
        }
        let open = State::Open { until: now.after(self.settings.open) };
        match &mut self.state {
            State::Closed(window) => {
                window.count(ending, now, &self.settings);
                if window.must_open(&self.settings) {
                    self.enter(open);
                    return true;
                }
            }
            State::HalfOpen { .. } if ending == RequestOutcome::Failed => {
                self.enter(open);
                return true;
            }
            State::HalfOpen { succeeded, .. } => {
                *succeeded += 1;
                if *succeeded >= self.settings.probes {
                    self.enter(State::Closed(OutcomeWindow::default()));
                }
            }
            // While the breaker is open no request is handed out, and older requests belong to another era.
            State::Open { .. } => {}
        }
        false
    }

    /// Reverts the count of a request that ended because none of its keys was wanted. That says nothing about the provider, and another
    /// probe may take its place.
    pub fn withdrawn(&mut self, era: Era) {
        if let (State::HalfOpen { handed, .. }, true) = (&mut self.state, era == self.era) {
            *handed -= 1;
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.era = Era(self.era.0.wrapping_add(1));
    }
}

/// The results of requests within the window: a ring of time slices.
#[derive(Debug, Default)]
struct OutcomeWindow {
    slices: [WindowSlice; SLICES],
    /// The number of failures since the last success.
    consecutive: u32,
}

#[derive(Clone, Copy, Debug, Default)]
struct WindowSlice {
    /// The number of the slice since the clock's start, from 1.
    number: u64,
    succeeded: u32,
    failed: u32,
}

const SLICES: usize = 10;

impl OutcomeWindow {
    fn count(&mut self, ending: RequestOutcome, now: Moment, settings: &BreakerSettings) {
        let nanos = (settings.window.as_nanos() as u64 / SLICES as u64).max(1);
        // Numbers start at 1, so that an unused slice is older than every used one.
        let number = now.0 / nanos + 1;
        let slice = &mut self.slices[(number % SLICES as u64) as usize];
        if slice.number != number {
            *slice = WindowSlice { number, ..WindowSlice::default() };
        }
        match ending {
            RequestOutcome::Succeeded => (slice.succeeded, self.consecutive) = (slice.succeeded.saturating_add(1), 0),
            RequestOutcome::Failed => {
                (slice.failed, self.consecutive) = (slice.failed.saturating_add(1), self.consecutive.saturating_add(1))
            }
        }
        for slice in &mut self.slices {
            if slice.number + SLICES as u64 <= number {
                *slice = WindowSlice::default();
            }
        }
    }

    fn must_open(&self, settings: &BreakerSettings) -> bool {
        if settings.consecutive > 0 && self.consecutive >= settings.consecutive {
            return true;
        }
        let sum = |of: fn(&WindowSlice) -> u32| self.slices.iter().map(|slice| u64::from(of(slice))).sum::<u64>();
        let (failed, all) = (sum(|slice| slice.failed), sum(|slice| slice.failed) + sum(|slice| slice.succeeded));
        settings.failure_ratio > 0.0 && all >= u64::from(settings.min_requests) && failed as f64 >= settings.failure_ratio * all as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const SECOND: u64 = 1_000_000_000;

    fn settings() -> BreakerSettings {
        BreakerSettings {
            failure_ratio: 0.5,
            window: Duration::from_secs(10),
            min_requests: 4,
            consecutive: 0,
            open: Duration::from_secs(5),
            probes: 2,
        }
    }

    fn request(breaker: &mut Breaker, ending: RequestOutcome, now: u64) -> bool {
        assert!(breaker.admits(|| Moment(now)));
        let era = breaker.handed(Moment(now));
        breaker.ended(era, ending, Moment(now))
    }

    fn opened(now: u64) -> Breaker {
        let mut breaker = Breaker::new(&settings());
        for _ in 0..3 {
            assert!(!request(&mut breaker, RequestOutcome::Failed, now));
        }
        assert!(request(&mut breaker, RequestOutcome::Failed, now), "all four requests failed");
        breaker
    }

    #[test]
    fn r07_the_breaker_opens_once_enough_requests_failed() {
        let mut breaker = opened(0);
        assert_eq!(breaker.state(Moment(0)), BreakerState::Open);
        assert!(!breaker.admits(|| Moment(5 * SECOND - 1)));
    }

    #[test]
    fn r07_failures_older_than_the_window_do_not_count() {
        let mut breaker = Breaker::new(&settings());
        for second in 0..40 {
            let ending = if second % 4 == 0 { RequestOutcome::Failed } else { RequestOutcome::Succeeded };
            assert!(!request(&mut breaker, ending, second * SECOND), "a quarter of the requests failed");
        }
        for second in 0..3 {
            assert!(
                !request(&mut breaker, RequestOutcome::Failed, (100 + 20 * second) * SECOND),
                "there are fewer than four requests in the window"
            );
        }
    }

    #[test]
    fn r07_consecutive_failures_open_the_breaker_whatever_the_ratio() {
        let mut breaker = Breaker::new(&BreakerSettings { failure_ratio: 0.0, consecutive: 3, ..settings() });
        for ending in
            [RequestOutcome::Failed, RequestOutcome::Failed, RequestOutcome::Succeeded, RequestOutcome::Failed, RequestOutcome::Failed]
        {
            assert!(!request(&mut breaker, ending, 0));
        }
        assert!(request(&mut breaker, RequestOutcome::Failed, 0));
    }

    #[test]
    fn r07_probes_close_the_breaker_or_open_it_again() {
        let mut breaker = opened(0);
        let now = Moment(5 * SECOND);
        assert_eq!(breaker.state(now), BreakerState::HalfOpen);
        assert!(breaker.admits(|| now));
        let first = breaker.handed(now);
        assert!(breaker.admits(|| now));
        let second = breaker.handed(now);
        assert!(!breaker.admits(|| now), "all probes are handed out");
        assert!(!breaker.ended(first, RequestOutcome::Succeeded, now));
        assert!(!breaker.ended(second, RequestOutcome::Succeeded, now));
        assert_eq!(breaker.state(now), BreakerState::Closed);

        let mut breaker = opened(0);
        assert!(request(&mut breaker, RequestOutcome::Failed, 5 * SECOND));
        assert_eq!(breaker.state(Moment(9 * SECOND)), BreakerState::Open);
        assert!(!breaker.admits(|| Moment(10 * SECOND - 1)));
        assert!(breaker.admits(|| Moment(10 * SECOND)));
    }

    #[test]
    fn r07_requests_of_an_earlier_state_are_ignored() {
        let mut breaker = Breaker::new(&settings());
        let late = breaker.handed(Moment(0));
        for _ in 0..4 {
            let _ = request(&mut breaker, RequestOutcome::Failed, 0);
        }
        assert!(breaker.admits(|| Moment(5 * SECOND)));
        assert!(!breaker.ended(late, RequestOutcome::Failed, Moment(5 * SECOND)));
        assert_eq!(breaker.state(Moment(5 * SECOND)), BreakerState::HalfOpen);
    }

    #[test]
    fn r07_another_probe_replaces_one_that_is_not_wanted_any_more() {
        let mut breaker = opened(0);
        let now = || Moment(5 * SECOND);
        assert!(breaker.admits(now));
        let (first, _second) = (breaker.handed(now()), breaker.handed(now()));
        assert!(!breaker.admits(now));
        breaker.withdrawn(first);
        assert!(breaker.admits(now));
    }

    #[test]
    fn r07_probes_that_hang_do_not_keep_the_breaker_half_open_for_ever() {
        let mut breaker = opened(0);
        let mut now = 5 * SECOND;
        assert!(breaker.admits(|| Moment(now)));
        breaker.handed(Moment(now));
        breaker.handed(Moment(now));
        for _ in 0..3 {
            assert!(!breaker.admits(|| Moment(now + 5 * SECOND - 1)));
            now += 5 * SECOND;
            assert!(breaker.admits(|| Moment(now)));
            breaker.handed(Moment(now));
        }
        assert!(!breaker.admits(|| Moment(now)));
    }

    #[test]
    fn r07_a_forced_state_overrides_the_breaker() {
        let mut breaker = opened(0);
        breaker.force(BreakerOverride::Closed);
        for _ in 0..100 {
            assert!(!request(&mut breaker, RequestOutcome::Failed, 0));
        }
        breaker.force(BreakerOverride::Open);
        assert!(!breaker.admits(|| Moment(100 * SECOND)));
        breaker.force(BreakerOverride::No);
        assert_eq!(breaker.state(Moment(0)), BreakerState::Closed);
    }

    #[test]
    fn r07_a_disabled_breaker_never_opens_and_reads_no_clock() {
        let mut breaker = Breaker::new(&BreakerSettings { failure_ratio: 0.0, ..settings() });
        for _ in 0..1000 {
            assert!(breaker.admits(|| panic!("the clock was read")));
            let era = breaker.handed(Moment(0));
            assert!(!breaker.ended(era, RequestOutcome::Failed, Moment(0)));
        }
    }
}
