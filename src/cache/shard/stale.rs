//! Expired entries: how they become fallbacks, are served and are evicted (rules R01, R12).

use super::super::departure::{Cause, Departures};
use super::super::levels::Amount;
use super::super::lifetimes::Lifetimes;
use super::super::slab::{FoundEntry, Place, Slab};
use super::{RECLAIMED_BY_A_WRITE, Shard};
use crate::base::Millis;

/// The time under which the timing wheel files the entry at `place`.
pub(super) fn time_of(slab: &Slab, lifetimes: Option<&Lifetimes>, place: Place) -> Millis {
    let deadline = slab.deadline(place);
    lifetimes.map_or(deadline, |lifetimes| lifetimes.time(place, deadline))
}

impl Shard {
    /// When the entry at `place` leaves unless its times change: at its end, or at the end of its grace.
    pub(super) fn leaves_at(&self, place: Place) -> Millis {
        match &self.lifetimes {
            None => self.end_of(place),
            Some(lifetimes) if lifetimes.is_stale(place) => lifetimes.time(place, Millis::NEVER),
            Some(lifetimes) => self.end_of(place).after(lifetimes.grace_ms(place)),
        }
    }

    /// The end set by the TTL of the entry at `place`, which must be fresh.
    pub fn ttl_end_of(&self, place: Place) -> Millis {
        time_of(&self.slab, self.lifetimes.as_deref(), place)
    }

    /// What can be evicted to make room for an entry of this priority: all stale entries, and all entries whose priority is not higher.
    pub(super) fn evictable(&self, priority: f64) -> Amount {
        let mut amount = self.order.evictable(priority);
        self.lifetimes.iter().for_each(|lifetimes| amount.add(lifetimes.amount()));
        amount
    }

    /// Ends the entry at `place`, whose end `end` has passed: dismisses it, unless its grace begins now.
    pub(super) fn end(&mut self, place: Place, end: Millis, now: Millis, out: &mut Departures) {
        if !self.begin_grace(place, end, now) {
            self.dismiss(place, Cause::Expired, now, out);
        }
    }

    /// Keeps the entry at `place`, which ended at `end`, as a fallback. Returns false if it has no grace, is in it already, or the grace is
    /// over.
    pub(super) fn begin_grace(&mut self, place: Place, end: Millis, now: Millis) -> bool {
        let Some(lifetimes) = &self.lifetimes else { return false };
        let until = end.after(lifetimes.grace_ms(place));
        if lifetimes.is_stale(place) || until <= now {
            return false;
        }
        self.enter_grace(place, end, until);
        true
    }

    /// Makes the fresh entry at `place`, which ended at `end`, stale until `until`.
    pub(super) fn enter_grace(&mut self, place: Place, end: Millis, until: Millis) {
        self.ends.remove(place);
        self.order.leave(&mut self.slab, place);
        self.slab.set_deadline(place, end);
        let cost = self.slab.cost(place);
        self.lifetimes.iter_mut().for_each(|lifetimes| lifetimes.begin_grace(place, until, cost));
        if until != Millis::NEVER {
            self.note_deadline(place, until);
        }
    }

    /// The entry under `key` if it has ended and its grace has not. Counts as a use: of the stale entries, it is then evicted last.
    pub fn stale(&mut self, hash: u64, key: &[u8], now: Millis) -> Option<Place> {
        let place = self.find(hash, key).filter(|place| self.end_of(*place) <= now && self.leaves_at(*place) > now)?;
        let end = self.end_of(place);
        if !self.begin_grace(place, end, now)
            && let Some(lifetimes) = &mut self.lifetimes
        {
            lifetimes.renew(place);
        }
        Some(place)
    }

    /// Passes the stale entry under `key` and its end to `see`; `None` if there is none.
    pub fn see_stale<R>(&mut self, hash: u64, key: &[u8], now: Millis, see: impl FnOnce(&Slab, FoundEntry<'_>, Millis) -> R) -> Option<R> {
        let place = self.stale(hash, key, now)?;
        Some(see(&self.slab, self.slab.find(hash, key)?, self.end_of(place)))
    }

    /// Removes the entry under `key` if it has expired.
    pub fn remove_stale(&mut self, hash: u64, key: &[u8], now: Millis, out: &mut Departures) {
        let found = self.find(hash, key).filter(|place| self.end_of(*place) <= now);
        found.into_iter().for_each(|place| {
            self.dismiss_or_expire(place, Cause::Removed, now, out);
        });
    }

    /// Expires the live entry under `key` now. Returns whether there was one.
    pub fn expire(&mut self, hash: u64, key: &[u8], now: Millis, out: &mut Departures) -> bool {
        self.reclaim(now, RECLAIMED_BY_A_WRITE, out);
        let found = self.find(hash, key).filter(|place| self.end_of(*place) > now);
        found.map(|place| self.end(place, now, now, out)).is_some()
    }
}
