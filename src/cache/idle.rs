//! The time of each entry's last use, and which entry has been idle for longest, whatever its priority (rule S09).
//!
//! All entries have the same idle TTL, so the first to expire by it is the first in a single list in order of use. The time of a use is
//! recorded at once; the entry moves to the end of the list later, when the eviction order applies the recorded uses.

use super::column::Column;
use super::slab::Place;
use crate::base::{Millis, NoMemory};

#[derive(Clone, Copy)]
struct Use {
    at: Millis,
    older: Place,
    newer: Place,
}

/// The last uses of a shard's entries.
pub(super) struct Uses {
    idle_ms: u64,
    /// The last use of each entry, by its place in the slab.
    uses: Column<Use>,
    oldest: Place,
    newest: Place,
    /// A lower bound of all last uses.
    since: Millis,
}

impl Uses {
    pub fn new(idle_ms: u64) -> Uses {
        Uses { idle_ms, uses: Column::new(), oldest: Place::NONE, newest: Place::NONE, since: Millis::NEVER }
    }

    pub fn idle_ms(&self) -> u64 {
        self.idle_ms
    }

    /// When the entry at `place` expires unless it is used before.
    pub fn end_of(&self, place: Place) -> Millis {
        self.uses[place.index()].at.after(self.idle_ms)
    }

    /// Records the time of a use. [`Uses::renew`] moves the entry in the list later.
    pub fn note(&mut self, place: Place, now: Millis) {
        self.uses[place.index()].at = now;
    }

    /// Gets memory for a slab of this capacity.
    pub fn try_grow(&mut self, capacity: usize) -> Result<(), NoMemory> {
        Ok(self.uses.try_grow(capacity)?)
    }

    /// Adds an entry. `capacity` is the number of entries that the slab has memory for.
    pub fn enter(&mut self, place: Place, now: Millis, capacity: usize) {
        if self.uses.len() == place.index() {
            self.uses.grow(capacity);
            self.uses.push(Use { at: now, older: Place::NONE, newer: Place::NONE });
        }
        self.uses[place.index()].at = now;
        self.since = self.since.min(now);
        self.append(place);
    }

    pub fn leave(&mut self, place: Place) {
        self.unlink(place);
    }

    /// Moves a used entry to the end of the list.
    pub fn renew(&mut self, place: Place) {
        if self.newest != place {
            self.unlink(place);
            self.append(place);
        }
    }

    /// Moves an entry to the beginning of the list, behind the entries that were used before it, but behind at most `PASSED` of them.
    /// (There are more only if many entries are peeked at while the number of shards changes. Then some expire a little later than they
    /// could.)
    pub fn make_oldest(&mut self, place: Place) {
        const PASSED: usize = 64;
        self.unlink(place);
        let at = self.uses[place.index()].at;
        let (mut older, mut newer) = (Place::NONE, self.oldest);
        for _ in 0..PASSED {
            match newer.some().map(|newer| self.uses[newer.index()]) {
                Some(Use { at: used, newer: next, .. }) if used < at => (older, newer) = (newer, next),
                _ => break,
            }
        }
        let entry = &mut self.uses[place.index()];
        (entry.older, entry.newer) = (older, newer);
        match older.some() {
            Some(older) => self.uses[older.index()].newer = place,
            None => self.oldest = place,
        }
        match newer.some() {
            Some(newer) => self.uses[newer.index()].older = place,
            None => self.newest = place,
        }
    }

    /// The entry that was used last. All recorded uses must have been applied.
    pub fn newest(&self) -> Option<Place> {
        self.newest.some()
    }

    /// Returns the entry that has been idle for longest. All recorded uses must have been applied.
    pub fn oldest(&mut self) -> Option<Place> {
        let oldest = self.oldest.some();
        self.since = oldest.map_or(Millis::NEVER, |oldest| self.uses[oldest.index()].at);
        oldest
    }

    /// A lower bound of all expiry times by idleness.
    pub fn next_due(&self) -> Millis {
        self.since.after(self.idle_ms)
    }

    fn append(&mut self, place: Place) {
        let entry = &mut self.uses[place.index()];
        (entry.older, entry.newer) = (self.newest, Place::NONE);
        match self.newest.some() {
            Some(newest) => self.uses[newest.index()].newer = place,
            None => self.oldest = place,
        }
        self.newest = place;
    }

    fn unlink(&mut self, place: Place) {
        let Use { older, newer, .. } = self.uses[place.index()];
        match older.some() {
            Some(older) => self.uses[older.index()].newer = newer,
            None => self.oldest = newer,
        }
        match newer.some() {
            Some(newer) => self.uses[newer.index()].older = older,
            None => self.newest = older,
        }
    }
}
