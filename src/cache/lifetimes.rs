//! Times that an entry's record has no room for: its grace, and the list of entries that are in their grace (rule R01); and its real end,
//! when the deadline in the record holds the earlier time at which the entry is to be refreshed (rule R05).
//!
//! ```text
//!   fresh ── its end ──▶ stale ── end of its grace ──▶ gone
//!     └── its end, without grace ──▶ gone
//! ```
//!
//! A fresh entry is in the list of its priority; a stale one is in the list here, ordered by the time at which it became stale or was last
//! served as a fallback. The head of this list is evicted first. One column per kind of time, indexed by place in the slab; a store with
//! neither grace nor refresh has no columns. Zero means "not set", so that columns can be allocated as zeroed pages, which the system
//! provides untouched.

use super::levels::Amount;
use super::slab::Place;
use crate::base::memory::zeros;
use crate::base::{Millis, NoMemory};

/// The grace and refresh times of a shard's entries, and the list of the stale ones.
pub(super) struct Lifetimes {
    /// The time under which the timing wheel files the entry: for a fresh entry the end set by its TTL, for a stale one the end of its
    /// grace.
    times: Vec<u64>,
    /// How long a fresh entry stays after its end, in milliseconds; [`STALE`] for an entry in its grace.
    graces: Vec<u64>,
    /// The neighbours of a stale entry in the list: the entry that is evicted before it, and the one after it.
    links: Vec<[u32; 2]>,
    first: Place,
    last: Place,
    amount: Amount,
}

/// Stored in `graces` instead of a duration while the entry is in its grace.
const STALE: u64 = u64::MAX;

impl Lifetimes {
    pub fn new() -> Lifetimes {
        let (times, graces, links) = (Vec::new(), Vec::new(), Vec::new());
        Lifetimes { times, graces, links, first: Place::NONE, last: Place::NONE, amount: Amount::default() }
    }

    /// Whether no entry was ever added.
    pub fn is_unused(&self) -> bool {
        self.times.is_empty()
    }

    /// Gets memory for the first entry, and for those of a slab of this capacity. If there is none, nothing changes.
    pub fn try_begin(&mut self, capacity: usize) -> Result<(), NoMemory> {
        if self.is_unused() {
            (self.graces, self.links, self.times) = (zeros(capacity)?, zeros(capacity)?, zeros(capacity)?);
        }
        Ok(())
    }

    /// Gets memory for a slab of this capacity, if there are entries.
    pub fn try_reserve(&mut self, capacity: usize) -> Result<(), NoMemory> {
        if !self.is_unused() {
            let more = capacity.saturating_sub(self.times.len());
            self.graces.try_reserve_exact(more)?;
            self.links.try_reserve_exact(more)?;
            self.times.try_reserve_exact(more)?;
        }
        Ok(())
    }

    /// Adds a fresh entry. `capacity` is the number of entries that the slab has memory for.
    pub fn enter(&mut self, place: Place, end: Millis, grace_ms: u64, capacity: usize) {
        let at = place.index();
        if self.times.len() <= at {
            let capacity = capacity.max(at + 1);
            if self.times.is_empty() {
                (self.times, self.graces, self.links) = (vec![0; capacity], vec![0; capacity], vec![[0, 0]; capacity]);
            } else {
                self.times.resize(capacity, 0);
                self.graces.resize(capacity, 0);
                self.links.resize(capacity, [0, 0]);
            }
        }
        self.times[at] = end.0;
        self.graces[at] = grace_ms.min(STALE - 1);
    }

    /// Sets a new end for a fresh entry.
    pub fn set_end(&mut self, place: Place, end: Millis) {
        if let Some(time) = self.times.get_mut(place.index()) {
            *time = end.0;
        }
    }

    /// The time under which the wheel files the entry; `deadline` is the one in its record, used where the columns have none.
    pub fn time(&self, place: Place, deadline: Millis) -> Millis {
        self.times.get(place.index()).filter(|time| **time != 0).map_or(deadline, |time| Millis(*time))
    }

    /// The end set by the entry's TTL; for a stale entry, when it expired.
    pub fn end(&self, place: Place, deadline: Millis) -> Millis {
        if self.is_stale(place) { deadline } else { self.time(place, deadline) }
    }

    pub fn is_stale(&self, place: Place) -> bool {
        self.graces.get(place.index()) == Some(&STALE)
    }

    /// How long the entry stays after its end, in milliseconds; 0 for an entry that is already stale.
    pub fn grace_ms(&self, place: Place) -> u64 {
        self.graces.get(place.index()).copied().filter(|grace| *grace != STALE).unwrap_or(0)
    }

    /// Begins the grace of the entry, which ends at `until`.
    pub fn begin_grace(&mut self, place: Place, until: Millis, cost: u64) {
        self.times[place.index()] = until.0;
        self.graces[place.index()] = STALE;
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

    /// Removes an entry that leaves. Returns false if it was fresh: the caller then removes it from the order of its priority.
    pub fn leave(&mut self, place: Place, cost: u64) -> bool {
        let is_stale = self.is_stale(place);
        if is_stale {
            self.unlink(place);
            self.amount.subtract(Amount { entries: 1, cost: u128::from(cost) });
            self.graces[place.index()] = 0;
        }
        is_stale
    }

    /// The stale entry that is evicted first.
    pub fn first(&self) -> Option<Place> {
        self.first.some()
    }

    /// The number and the total cost of all stale entries.
    pub fn amount(&self) -> Amount {
        self.amount
    }

    fn append(&mut self, place: Place) {
        self.links[place.index()] = [self.last.number(), Place::NONE.number()];
        match self.last.some() {
            Some(last) => self.links[last.index()][1] = place.number(),
            None => self.first = place,
        }
        self.last = place;
    }

    fn unlink(&mut self, place: Place) {
        let [before, after] = self.links[place.index()].map(Place::of_number);
        match before.some() {
            Some(before) => self.links[before.index()][1] = after.number(),
            None => self.first = after,
        }
        match after.some() {
            Some(after) => self.links[after.index()][0] = before.number(),
            None => self.last = before,
        }
    }
}
