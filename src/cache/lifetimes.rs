//! Times of an entry that do not fit in its record. One is the grace: how long an entry stays after its end (rule R01). The other
//! is the end itself, if the deadline in the record is an earlier time, at which the entry is to be refreshed (rule R05). Entries in their
//! grace are *stale*, and are listed here.
//!
//! ```text
//!   fresh ── its end ──▶ stale ── end of its grace ──▶ gone
//!     └── its end, without grace ──▶ gone
//! ```
//!
//! A fresh entry is in the list of its priority; a stale one is in the list here, ordered by the time at which it became stale or was last
//! served as a fallback. The head of this list is evicted first. A store with neither grace nor refresh has no lifetimes.

use super::levels::Amount;
use super::slab::Place;
use super::sparse::SparseColumn;
use crate::base::{Millis, NoMemory};

/// The grace and refresh times of a shard's entries, and the list of the stale ones.
pub(super) struct Lifetimes {
    /// By place in the slab. Blank for entries that were stored before the shard had lifetimes.
    lifetimes: SparseColumn<Lifetime>,
    first: Place,
    last: Place,
    amount: Amount,
}

#[derive(Clone, Copy)]
struct Lifetime {
    /// The time under which the timing wheel files the entry: for a fresh entry the end set by its TTL, for a stale one the end of its
    /// grace. 0 stands for the deadline in the record.
    time: u64,
    /// How long a fresh entry stays after its end, in milliseconds; [`STALE`] for an entry in its grace.
    grace: u64,
    /// The neighbours of a stale entry in the list: the one that is evicted before it, and the one after it.
    before: Place,
    after: Place,
}

impl Lifetime {
    const BLANK: Lifetime = Lifetime { time: 0, grace: 0, before: Place::NONE, after: Place::NONE };
}

/// Stored in `grace` instead of a duration while the entry is in its grace.
const STALE: u64 = u64::MAX;

impl Lifetimes {
    pub fn new() -> Lifetimes {
        let lifetimes = SparseColumn::new(Lifetime::BLANK);
        Lifetimes { lifetimes, first: Place::NONE, last: Place::NONE, amount: Amount::default() }
    }

    /// Prepares for the entries of a slab of this capacity. If there is no memory for that, nothing changes.
    pub fn try_grow(&mut self, capacity: usize) -> Result<(), NoMemory> {
        self.lifetimes.try_grow(capacity)
    }

    /// Adds a fresh entry. `capacity` is the number of entries that the slab has memory for.
    pub fn enter(&mut self, place: Place, end: Millis, grace_ms: u64, capacity: usize) {
        *self.lifetimes.reach(place.index(), capacity) = Lifetime { time: end.0, grace: grace_ms.min(STALE - 1), ..Lifetime::BLANK };
    }

    /// Sets a new end for a fresh entry.
    pub fn set_end(&mut self, place: Place, end: Millis) {
        if let Some(lifetime) = self.lifetimes.get_mut(place.index()) {
            lifetime.time = end.0;
        }
    }

    /// The time under which the wheel files the entry. Without a time here, it is `deadline`, the one in the entry's record.
    pub fn time(&self, place: Place, deadline: Millis) -> Millis {
        match self.lifetimes[place.index()].time {
            0 => deadline,
            time => Millis(time),
        }
    }

    /// The end set by the entry's TTL; for a stale entry, when it expired.
    pub fn end(&self, place: Place, deadline: Millis) -> Millis {
        if self.is_stale(place) { deadline } else { self.time(place, deadline) }
    }

    pub fn is_stale(&self, place: Place) -> bool {
        self.lifetimes[place.index()].grace == STALE
    }

    /// How long the entry stays after its end, in milliseconds; 0 for an entry that is already stale.
    pub fn grace_ms(&self, place: Place) -> u64 {
        match self.lifetimes[place.index()].grace {
            STALE => 0,
            grace => grace,
        }
    }

    /// Begins the grace of the entry, which ends at `until`.
    pub fn begin_grace(&mut self, place: Place, until: Millis, cost: u64) {
        let lifetime = &mut self.lifetimes[place.index()];
        (lifetime.time, lifetime.grace) = (until.0, STALE);
        self.amount.add(Amount { entries: 1, cost: u128::from(cost) });
        self.append(place);
    }

    /// Moves a stale entry that was served as a fallback to the end of the eviction order.
    pub fn renew(&mut self, place: Place) {
        if self.last != place {
            self.unlink(place);
            self.append(place);
        }
    }

    /// Makes a stale entry the first to be evicted.
    pub fn make_first(&mut self, place: Place) {
        if self.first == place {
            return;
        }
        self.unlink(place);
        let first = self.first;
        let lifetime = &mut self.lifetimes[place.index()];
        (lifetime.before, lifetime.after) = (Place::NONE, first);
        // The list has another entry, because this one was not the first.
        self.lifetimes[first.index()].before = place;
        self.first = place;
    }

    /// Takes an entry that is leaving the store off the list of stale entries. Returns false if it was fresh, and so not on the list: the
    /// caller then removes it from the order of its priority.
    pub fn leave(&mut self, place: Place, cost: u64) -> bool {
        let is_stale = self.is_stale(place);
        if is_stale {
            self.unlink(place);
            self.amount.subtract(Amount { entries: 1, cost: u128::from(cost) });
            self.lifetimes[place.index()].grace = 0;
        }
        is_stale
    }

    /// The stale entry that is evicted first.
    pub fn first(&self) -> Option<Place> {
        self.first.some()
    }

    /// The stale entry that is evicted last.
    pub fn last(&self) -> Option<Place> {
        self.last.some()
    }

    /// The number and the total cost of all stale entries.
    pub fn amount(&self) -> Amount {
        self.amount
    }

    fn append(&mut self, place: Place) {
        let last = self.last;
        let lifetime = &mut self.lifetimes[place.index()];
        (lifetime.before, lifetime.after) = (last, Place::NONE);
        match last.some() {
            Some(last) => self.lifetimes[last.index()].after = place,
            None => self.first = place,
        }
        self.last = place;
    }

    fn unlink(&mut self, place: Place) {
        let Lifetime { before, after, .. } = self.lifetimes[place.index()];
        match before.some() {
            Some(before) => self.lifetimes[before.index()].after = after,
            None => self.first = after,
        }
        match after.some() {
            Some(after) => self.lifetimes[after.index()].before = before,
            None => self.last = before,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;
    use std::collections::VecDeque;

    const PLACES: usize = 8;

    fn place(index: usize) -> Place {
        Place::of_number(index as u32)
    }

    /// The list, walked from each end. The walk stops at a length that only a broken list can reach.
    fn listed(lifetimes: &Lifetimes) -> (Vec<usize>, Vec<usize>) {
        let walk = |from: Place, next: fn(&Lifetime) -> Place| {
            std::iter::successors(from.some(), |place| next(&lifetimes.lifetimes[place.index()]).some())
                .map(Place::index)
                .take(2 * PLACES)
                .collect()
        };
        (walk(lifetimes.first, |lifetime| lifetime.after), walk(lifetimes.last, |lifetime| lifetime.before))
    }

    #[test]
    fn s05_the_list_of_stale_entries_keeps_its_order_whatever_moves_in_it() {
        let mut random = Random::new(Some(5));
        let mut lifetimes = Lifetimes::new();
        let mut expected = VecDeque::new();
        lifetimes.try_grow(PLACES).expect("memory");
        for _ in 0..10_000 {
            let index = random.up_to(PLACES as u64 - 1) as usize;
            let was_stale = expected.contains(&index);
            let operation = if was_stale { random.up_to(2) } else { 3 };
            expected.retain(|&other| other != index);
            match operation {
                0 => {
                    lifetimes.renew(place(index));
                    expected.push_back(index);
                }
                1 => {
                    lifetimes.make_first(place(index));
                    expected.push_front(index);
                }
                2 => assert!(lifetimes.leave(place(index), 1)),
                _ => {
                    lifetimes.enter(place(index), Millis(1), 1, PLACES);
                    assert!(!lifetimes.leave(place(index), 1), "a fresh entry is in another list");
                    lifetimes.begin_grace(place(index), Millis(2), 1);
                    expected.push_back(index);
                }
            }
            let forwards: Vec<usize> = expected.iter().copied().collect();
            assert_eq!(listed(&lifetimes), (forwards.clone(), forwards.into_iter().rev().collect()));
            assert_eq!(lifetimes.amount().entries, expected.len() as u64);
        }
    }
}
