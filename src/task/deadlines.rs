//! All pending deadlines (timeouts, pauses, linger), ordered by time. Deadlines at the same time fire in the order in which they were set.

use super::{FetchId, FlightId, RequestId, TierRequestId};
use crate::base::Moment;
use std::collections::BTreeMap;

/// The purpose of a deadline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// The fetch times out.
    Fetch(FetchId),
    /// The fetch stops waiting for its loads, and receives fallbacks where there are any.
    Stale(FetchId),
    /// The attempt of the request times out.
    Attempt(RequestId),
    /// The request takes long and is handed out once more.
    Hedge(RequestId),
    /// The pause of the flight ends.
    Retry(FlightId),
    /// The oldest waiting key has lingered long enough: a request is formed even if it is not full.
    Linger,
    /// The oldest remembered error expires.
    ErrorMemory,
    /// The first of the throttled keys may be loaded again.
    Throttle,
    /// The rate limit allows another request.
    Rate,
    /// The second tier takes too long for a request.
    TierRequest(TierRequestId),
    /// Keys that another process loads are looked up again.
    TierPoll,
    /// What could not be written to the second tier is written again.
    TierRetry,
    /// The drain times out.
    Drain,
}

/// The identity of a deadline. Its order is the order of firing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DeadlineId {
    pub at: Moment,
    nth: u64,
}

/// The pending deadlines.
#[derive(Default)]
pub struct Deadlines {
    timers: BTreeMap<DeadlineId, Due>,
    /// The number of deadlines that were ever set.
    set: u64,
}

impl Deadlines {
    /// Sets a deadline. A deadline at `Moment::NEVER` is not stored.
    pub fn set(&mut self, at: Moment, due: Due) -> DeadlineId {
        self.set += 1;
        let timer = DeadlineId { at, nth: self.set };
        if at < Moment::NEVER {
            self.timers.insert(timer, due);
        }
        timer
    }

    /// Cancels a deadline.
    pub fn cancel(&mut self, timer: DeadlineId) {
        self.timers.remove(&timer);
    }

    /// The time of the next deadline.
    pub fn next(&self) -> Option<Moment> {
        self.timers.first_key_value().map(|(timer, _)| timer.at)
    }

    /// Removes and returns the earliest deadline if it is due by `now`.
    pub fn pop(&mut self, now: Moment) -> Option<(Moment, Due)> {
        let first = self.timers.first_entry().filter(|first| first.key().at <= now)?;
        let (timer, due) = first.remove_entry();
        Some((timer.at, due))
    }

    /// Whether this deadline is pending for this purpose. Used in checks.
    pub fn holds(&self, timer: DeadlineId, due: Due) -> bool {
        timer.at == Moment::NEVER || self.timers.get(&timer) == Some(&due)
    }

    /// The number of pending deadlines. Used in checks.
    pub fn len(&self) -> usize {
        self.timers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f10_a_deadline_at_never_is_not_stored() {
        let mut deadlines = Deadlines::default();
        let never = deadlines.set(Moment::NEVER, Due::Drain);
        assert_eq!((deadlines.next(), deadlines.len()), (None, 0));
        let timer = deadlines.set(Moment(5), Due::Linger);
        assert!(deadlines.holds(never, Due::Drain) && deadlines.holds(timer, Due::Linger) && !deadlines.holds(timer, Due::Drain));
        assert_eq!((deadlines.pop(Moment(4)), deadlines.pop(Moment(5))), (None, Some((Moment(5), Due::Linger))));
    }

    #[test]
    fn f10_deadlines_at_the_same_time_fire_in_the_order_in_which_they_were_set() {
        let mut deadlines = Deadlines::default();
        deadlines.set(Moment(2), Due::Linger);
        deadlines.set(Moment(1), Due::Drain);
        deadlines.set(Moment(1), Due::Linger);
        let cancelled = deadlines.set(Moment(1), Due::Fetch(FetchId::NULL));
        deadlines.set(Moment(1), Due::Retry(FlightId::NULL));
        deadlines.cancel(cancelled);
        let order: Vec<Due> = std::iter::from_fn(|| deadlines.pop(Moment(9)).map(|(_, due)| due)).collect();
        assert_eq!(order, [Due::Drain, Due::Linger, Due::Retry(FlightId::NULL), Due::Linger]);
    }
}
