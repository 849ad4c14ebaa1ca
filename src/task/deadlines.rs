//! What falls due when: one heap for all timeouts, pauses and lingering.
//!
//! An entry whose cause went away (the fetch ended, the answer came) stays in the heap and does nothing when it comes up:
//! its id is stale. When such entries outnumber the others the heap is cleared of them, so that a million fetches that end
//! long before their timeout do not pile up.

use super::{FetchId, FlightId, RequestId};
use crate::base::Moment;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Whose time has come.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Due {
    /// A fetch's timeout.
    Fetch(FetchId),
    /// A request's attempt timeout.
    Attempt(RequestId),
    /// The end of a flight's pause.
    Retry(FlightId),
    /// The end of a key's lingering.
    Linger,
    /// The rate allows another request.
    Rate,
    /// The end of a drain.
    Drain,
}

/// All that is to come.
#[derive(Default)]
pub struct Deadlines {
    heap: BinaryHeap<Reverse<(Moment, Due)>>,
    /// How many entries are known to be stale.
    stale: usize,
}

impl Deadlines {
    /// Adds an entry.
    pub fn push(&mut self, at: Moment, due: Due) {
        if at < Moment::NEVER {
            self.heap.push(Reverse((at, due)));
        }
    }

    /// Says that the cause of one entry went away.
    pub fn retire(&mut self) {
        self.stale += 1;
    }

    /// Whether it is time for [`Deadlines::clear_stale`].
    pub fn is_cluttered(&self) -> bool {
        self.stale > 64 && self.stale > self.heap.len() / 2
    }

    /// Keeps only entries that are still `live`.
    pub fn clear_stale(&mut self, live: impl Fn(Moment, Due) -> bool) {
        self.heap.retain(|Reverse((at, due))| live(*at, *due));
        self.stale = 0;
    }

    /// When the next entry falls due.
    pub fn next(&self) -> Option<Moment> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes the first entry that is due by `now`.
    pub fn pop(&mut self, now: Moment) -> Option<(Moment, Due)> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }

    /// Whether this entry is in here. For checks: it reads everything.
    pub fn holds(&self, at: Moment, due: Due) -> bool {
        at == Moment::NEVER || self.heap.iter().any(|Reverse(entry)| *entry == (at, due))
    }

    /// Whether an entry like this is in here. For checks: it reads everything.
    pub fn holds_any(&self, alike: impl Fn(Due) -> bool) -> bool {
        self.heap.iter().any(|Reverse((_, due))| alike(*due))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f10_what_never_comes_is_not_kept() {
        let mut deadlines = Deadlines::default();
        deadlines.push(Moment::NEVER, Due::Drain);
        assert_eq!(deadlines.next(), None);
        deadlines.push(Moment(5), Due::Linger);
        assert!(deadlines.holds(Moment::NEVER, Due::Drain) && deadlines.holds(Moment(5), Due::Linger));
        assert!(!deadlines.holds(Moment(5), Due::Drain));
        assert_eq!((deadlines.pop(Moment(4)), deadlines.pop(Moment(5))), (None, Some((Moment(5), Due::Linger))));
    }

    #[test]
    fn f10_stale_deadlines_go_when_they_are_more_than_64_and_more_than_half() {
        let mut deadlines = Deadlines::default();
        let cluttered_after = |deadlines: &mut Deadlines, stale: usize| {
            deadlines.stale = stale;
            deadlines.is_cluttered()
        };
        assert!(!cluttered_after(&mut deadlines, 64) && cluttered_after(&mut deadlines, 65));
        (0..200).for_each(|at| deadlines.push(Moment(at), Due::Linger));
        assert!(!cluttered_after(&mut deadlines, 65), "most are still to come");
        assert!(!cluttered_after(&mut deadlines, 100) && cluttered_after(&mut deadlines, 101));
        deadlines.clear_stale(|at, _| at.0 >= 150);
        assert_eq!((deadlines.heap.len(), deadlines.stale), (50, 0));
    }
}
