//! When the second tier is left alone because it fails (rule T01).

use crate::base::Moment;
use crate::base::config::SecondTierSettings;
use std::time::Duration;

/// Keeps requests from a second tier that fails: after a number of failures in a row, for a time that doubles with each further failure.
pub(in crate::task) struct TierBreaker {
    /// The number of failures in a row that open the breaker; 0: it never opens.
    after: u32,
    first: Duration,
    cap: Duration,
    failures: u32,
    /// How long the breaker stays open when it opens next.
    pause: Duration,
    /// Nothing is sent until this time; after it, the next request decides. `None` while the breaker is closed.
    until: Option<Moment>,
}

impl TierBreaker {
    pub fn new(settings: &SecondTierSettings) -> TierBreaker {
        let SecondTierSettings { break_after, break_for, break_cap, .. } = *settings;
        TierBreaker { after: break_after, first: break_for, cap: break_cap.max(break_for), failures: 0, pause: break_for, until: None }
    }

    /// Whether requests may be sent.
    pub fn admits(&self, now: Moment) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// Whether the breaker is open, or the next request decides whether it opens again.
    pub fn is_tripped(&self) -> bool {
        self.until.is_some()
    }

    /// When requests may be sent again.
    pub fn next_at(&self, now: Moment) -> Moment {
        self.until.unwrap_or(now).max(now)
    }

    /// Records that a request succeeded.
    pub fn succeeded(&mut self) {
        (self.failures, self.pause, self.until) = (0, self.first, None);
    }

    /// Records that a request failed. Returns true if that opened the breaker.
    pub fn failed(&mut self, now: Moment) -> bool {
        self.failures = self.failures.saturating_add(1);
        if self.failures < self.after || self.after == 0 || !self.admits(now) {
            return false;
        }
        self.until = Some(now.after(self.pause));
        self.pause = (self.pause * 2).min(self.cap);
        true
    }
}
