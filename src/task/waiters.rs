//! The waiters of a flight: the positions of fetches that wait for its key, in the order in which they came.
//!
//! A position that leaves stays in the list, so that leaving costs nothing: it is settled by then, and settling it again does nothing. Once
//! most of a list has left, the list is swept, a few waiters whenever another position leaves (rule S19).

use super::FetchId;
use crate::base::BlockDeque;

/// A list is swept once it is longer than this plus twice the number of positions that still wait.
const MOST_LEFT: usize = 32;

/// How many waiters are looked at when a position leaves.
const SWEPT_AT_ONCE: usize = 4;

/// A position that waits for a flight.
#[derive(Clone, Copy, Debug)]
pub struct Waiter {
    pub fetch: FetchId,
    pub position: u32,
    /// Whether it joined the flight after another fetch had started it.
    pub joined: bool,
}

/// The waiters of a flight. Most flights have one.
#[derive(Default)]
pub enum Waiters {
    /// There is none: the flight is a refresh, or all its waiters are settled.
    #[default]
    None,
    /// There is one.
    One(Waiter),
    /// There were several.
    Several(Box<Several>),
}

/// The waiters of a flight that more than one position has joined.
pub struct Several {
    list: BlockDeque<Waiter>,
    /// The length of the part that a sweep has looked at; 0 while there is no sweep.
    swept: usize,
    /// How many in that part were kept. These are at its front, followed by those that have left.
    kept: usize,
}

impl Waiters {
    /// The number of waiters, including those that have left.
    pub fn len(&self) -> usize {
        match self {
            Waiters::None => 0,
            Waiters::One(_) => 1,
            Waiters::Several(several) => several.list.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether dropping the list frees no memory.
    #[inline(always)]
    pub fn owns_nothing(&self) -> bool {
        !matches!(self, Waiters::Several(_))
    }

    /// The waiter that came last.
    #[inline]
    pub fn last(&self) -> Option<Waiter> {
        match self {
            Waiters::None => None,
            Waiters::One(waiter) => Some(*waiter),
            Waiters::Several(several) => several.list.back().copied(),
        }
    }

    /// The waiters in order.
    pub fn iter(&self) -> impl Iterator<Item = &Waiter> + Clone {
        let (one, several) = match self {
            Waiters::None => (None, None),
            Waiters::One(waiter) => (Some(waiter), None),
            Waiters::Several(several) => (None, Some(several.list.iter())),
        };
        one.into_iter().chain(several.into_iter().flatten())
    }

    /// Adds a waiter.
    pub fn push(&mut self, waiter: Waiter) {
        match self {
            Waiters::None => *self = Waiters::One(waiter),
            Waiters::One(first) => {
                let mut list = BlockDeque::new();
                list.push_back(*first);
                list.push_back(waiter);
                *self = Waiters::Several(Box::new(Several { list, swept: 0, kept: 0 }));
            }
            Waiters::Several(several) => several.list.push_back(waiter),
        }
    }

    /// Removes the first waiter, to settle it. Once this has been called, the list must not be swept any more.
    #[inline(always)]
    pub fn pop(&mut self) -> Option<Waiter> {
        match self {
            Waiters::None => None,
            Waiters::One(waiter) => {
                let waiter = *waiter;
                *self = Waiters::None;
                Some(waiter)
            }
            Waiters::Several(several) => several.list.pop_front(),
        }
    }

    /// Called when a position has left. Forgets a few of the waiters that have left, if there are many. `waits` says whether a waiter still
    /// waits; at most `waiting` of them do.
    pub fn sweep(&mut self, waiting: usize, waits: impl Fn(Waiter) -> bool) {
        if let Waiters::Several(several) = self
            && (several.swept > 0 || several.list.len() > MOST_LEFT + 2 * waiting)
        {
            several.sweep(waits);
        }
    }
}

impl Several {
    fn sweep(&mut self, waits: impl Fn(Waiter) -> bool) {
        for _ in 0..SWEPT_AT_ONCE {
            let Some(waiter) = self.list.get(self.swept).copied() else { break };
            if waits(waiter) {
                self.exchange(self.kept, self.swept);
                self.kept += 1;
            }
            self.swept += 1;
        }
        if self.swept == self.list.len() {
            // All that have left are at the end now. Dropping one costs less than looking at it, hence twice as many.
            let surplus = self.swept - self.kept;
            for _ in 0..surplus.min(2 * SWEPT_AT_ONCE) {
                self.list.pop_back();
            }
            self.swept = self.list.len();
        }
        if self.kept == self.list.len() {
            (self.swept, self.kept) = (0, 0);
        }
    }

    fn exchange(&mut self, one: usize, other: usize) {
        if let (Some(first), Some(second)) = (self.list.get(one).copied(), self.list.get(other).copied()) {
            self.list.get_mut(one).into_iter().for_each(|slot| *slot = second);
            self.list.get_mut(other).into_iter().for_each(|slot| *slot = first);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;
    use crate::task::slab::IdSlab;
    use std::cell::Cell;
    use std::collections::BTreeSet;

    fn positions(waiters: &Waiters) -> Vec<u32> {
        waiters.iter().map(|waiter| waiter.position).collect()
    }

    #[test]
    fn s19_of_many_waiters_few_are_looked_at_when_one_leaves() {
        let fetch = IdSlab::<FetchId, ()>::new().insert_with_key(|_| ());
        let mut random = Random::new(Some(1));
        let mut draw = |below: usize| (random.unit() * below as f64) as usize;
        for round in 0..20 {
            let (mut waiters, mut waiting, mut next) = (Waiters::None, BTreeSet::new(), 0);
            let mut come = |waiters: &mut Waiters, waiting: &mut BTreeSet<u32>| {
                waiters.push(Waiter { fetch, position: next, joined: next > 0 });
                waiting.insert(next);
                next += 1;
            };
            (0..2000).for_each(|_| come(&mut waiters, &mut waiting));
            while let Some(leaving) = waiting.iter().nth(draw(waiting.len())).copied() {
                waiting.remove(&leaving);
                let looked_at = Cell::new(0);
                waiters.sweep(waiting.len(), |waiter| {
                    looked_at.set(looked_at.get() + 1);
                    waiting.contains(&waiter.position)
                });
                assert!(looked_at.get() <= SWEPT_AT_ONCE);
                assert_eq!(waiters.last().is_some(), !waiters.is_empty());
                // Those that wait are in the list once each, and in order, whatever else it contains.
                let listed = positions(&waiters).into_iter().filter(|position| waiting.contains(position));
                assert!(listed.eq(waiting.iter().copied()), "round {round}");
                assert!(waiters.len() <= 100 + 6 * waiting.len(), "{} are listed, {} wait", waiters.len(), waiting.len());
                if draw(10) < round / 4 {
                    come(&mut waiters, &mut waiting);
                }
            }
        }
    }

    #[test]
    fn f19_waiters_are_settled_in_the_order_in_which_they_came() {
        let fetch = IdSlab::<FetchId, ()>::new().insert_with_key(|_| ());
        for count in [0, 1, 2, 1000] {
            let mut waiters = Waiters::default();
            (0..count).for_each(|position| waiters.push(Waiter { fetch, position, joined: position > 0 }));
            assert_eq!((waiters.len(), waiters.is_empty(), waiters.owns_nothing()), (count as usize, count == 0, count < 2));
            assert_eq!(waiters.last().map(|waiter| waiter.position), count.checked_sub(1));
            assert!(positions(&waiters).into_iter().eq(0..count));
            let settled: Vec<u32> = std::iter::from_fn(|| waiters.pop()).map(|waiter| waiter.position).collect();
            assert!(settled.into_iter().eq(0..count));
        }
    }
}
