//! All deadlines (timeouts, pauses, lingering) in order of time. Deadlines for the same instant fire in the order in which they were set.

use super::{FetchId, FlightId, RequestId};
use crate::base::Moment;
use std::collections::BTreeMap;

/// What a deadline is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Due {
    /// A fetch's timeout.
    Fetch(FetchId),
    /// A fetch waits no longer for better than what is stale.
    Stale(FetchId),
    /// A request's attempt timeout.
    Attempt(RequestId),
    /// The end of a flight's pause.
    Retry(FlightId),
    /// The end of the time that a key lingers for a fuller request.
    Linger,
    /// The end of the oldest remembered error.
    ErrorMemory,
    /// Some keys are not left alone any more.
    Throttle,
    /// The rate allows another request.
    Rate,
    /// The end of a drain.
    Drain,
}

/// A deadline's identity, in firing order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct DeadlineId {
    pub at: Moment,
    nth: u64,
}

/// The pending deadlines.
#[derive(Default)]
pub struct Deadlines {
    timers: BTreeMap<DeadlineId, Due>,
    /// How many were set so far: numbers the next one.
    set: u64,
}

impl Deadlines {
    /// Sets a deadline. One at `Moment::NEVER` is not kept.
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

    /// When the next one falls due.
    pub fn next(&self) -> Option<Moment> {
        self.timers.first_key_value().map(|(timer, _)| timer.at)
    }

    /// Takes the earliest deadline, if it is due by `now`.
    pub fn pop(&mut self, now: Moment) -> Option<(Moment, Due)> {
        let first = self.timers.first_entry().filter(|first| first.key().at <= now)?;
        let (timer, due) = first.remove_entry();
        Some((timer.at, due))
    }

    /// Whether this deadline is pending for this purpose. For checks.
    pub fn holds(&self, timer: DeadlineId, due: Due) -> bool {
        timer.at == Moment::NEVER || self.timers.get(&timer) == Some(&due)
    }

    /// How many are pending. For checks.
    pub fn len(&self) -> usize {
        self.timers.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f10_what_never_comes_is_not_kept() {
        let mut deadlines = Deadlines::default();
        let never = deadlines.set(Moment::NEVER, Due::Drain);
        assert_eq!((deadlines.next(), deadlines.len()), (None, 0));
        let timer = deadlines.set(Moment(5), Due::Linger);
        assert!(deadlines.holds(never, Due::Drain) && deadlines.holds(timer, Due::Linger) && !deadlines.holds(timer, Due::Drain));
        assert_eq!((deadlines.pop(Moment(4)), deadlines.pop(Moment(5))), (None, Some((Moment(5), Due::Linger))));
    }

    #[test]
    fn f10_what_falls_due_at_one_instant_does_so_in_the_order_set() {
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
