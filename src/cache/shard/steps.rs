//! Long operations on a shard, one small step in each hold of its lock (rule S19). Each step returns whether there is more to do.

use super::super::departure::{Cause, Departures};
use super::super::limits::ShardLimits;
use super::super::policy::Scarce;
use super::super::slab::Place;
use super::{RECLAIMED_BY_A_WRITE, Shard};
use crate::base::Millis;
use std::ops::Range;

/// The maximum number of entries that leave in one hold of a shard's lock.
pub(in super::super) const STEP: usize = 64;

/// The number of places visited for each entry that a step may remove or expire.
const PLACES_PER_ENTRY: usize = 4;

/// How many entries may leave in this hold: [`STEP`], or as many as `out` has memory for, but at least one.
pub(super) fn step_of(out: &mut Departures) -> usize {
    let spare = out.try_reserve(STEP).map_or(out.capacity() - out.len(), |()| STEP);
    spare.clamp(1, STEP)
}

/// The progress of a clear. All entries that existed when it began leave, and perhaps some that were stored later.
pub(in super::super) struct ClearProgress {
    /// The number of entries still to be removed in eviction order.
    in_order: u64,
    /// The places still to be searched for entries that the eviction order missed, because they were used meanwhile and moved to its end.
    places: Range<usize>,
}

impl Shard {
    /// Removes expired entries.
    pub fn reclaim_step(&mut self, now: Millis, out: &mut Departures) -> bool {
        let most = if self.next_due() <= now { step_of(out) } else { STEP };
        self.sweep(now, most, out) == most
    }

    pub fn begin_clear(&self) -> ClearProgress {
        ClearProgress { in_order: self.slab.len(), places: 0..self.slab.nodes() }
    }

    pub fn clear_step(&mut self, progress: &mut ClearProgress, now: Millis, out: &mut Departures) -> bool {
        let (before, most) = (out.len(), step_of(out));
        while progress.in_order > 0 && out.len() - before < most {
            progress.in_order = if self.clear_next(now, out) { progress.in_order - 1 } else { 0 };
        }
        if progress.in_order > 0 {
            return true;
        }
        for _ in 0..most * PLACES_PER_ENTRY {
            if out.len() - before >= most || self.slab.len() == 0 {
                break;
            }
            let Some(place) = progress.places.next().map(|at| Place::of_number(at as u32)) else { break };
            if self.slab.has_entry(place) {
                self.dismiss_or_expire(place, Cause::Cleared, now, out);
            }
        }
        self.shrink_if_empty();
        self.slab.len() > 0 && !progress.places.is_empty()
    }

    /// Removes the first entry, whatever its frequency is, since all entries leave. Returns false if there is none.
    fn clear_next(&mut self, now: Millis, out: &mut Departures) -> bool {
        self.order.apply_uses(&mut self.slab);
        let stale = self.lifetimes.as_ref().and_then(|lifetimes| lifetimes.first());
        stale.or_else(|| self.order.first()).map(|place| self.dismiss(place, Cause::Cleared, now, out)).is_some()
    }

    /// Expires the live entries at some of the `places`, and removes these places from the range.
    pub fn expire_step(&mut self, places: &mut Range<usize>, now: Millis, out: &mut Departures) -> bool {
        let (mut ended, most) = (0, step_of(out));
        for _ in 0..most * PLACES_PER_ENTRY {
            if ended == most {
                break;
            }
            let Some(place) = places.next().map(|at| Place::of_number(at as u32)) else { break };
            if self.slab.has_entry(place) && self.end_of(place) > now {
                ended += 1;
                self.end(place, now, now, out);
            }
        }
        self.shrink_if_empty();
        self.slab.len() > 0 && places.start < places.end
    }

    /// Evicts until at most this many entries of this total cost are left.
    pub fn trim_step(&mut self, entries: u64, cost: u128, now: Millis, out: &mut Departures) -> bool {
        for _ in 0..step_of(out) {
            let scarce = if self.slab.len() > entries { Scarce::Entries } else { Scarce::Cost };
            if (self.slab.len() <= entries && self.cost <= cost) || !self.dismiss_next(Cause::Trimmed, scarce, now, out) {
                self.shrink_if_empty();
                return false;
            }
        }
        true
    }

    /// Adopts new limits, and evicts until the entries fit. Between steps the limits equal what the shard still contains, so that a put
    /// does not have to do the rest of the work.
    pub fn resize_step(&mut self, limits: ShardLimits, now: Millis, out: &mut Departures) -> bool {
        self.limits.max_cost = limits.max_cost;
        let (entries, cost) = (limits.entries, limits.cost.map_or(u128::MAX, u128::from));
        if !self.trim_step(entries, cost, now, out) {
            if self.slab.prepare(limits.entries) {
                return true;
            }
            self.limits = limits;
            return false;
        }
        let held = u64::try_from(self.cost).unwrap_or(u64::MAX);
        self.limits.entries = entries.max(self.slab.len());
        self.limits.cost = limits.cost.map(|limit| limit.max(held));
        true
    }

    /// Removes the next live victim, and the expired entries before it. Returns true if it removed one, which is then the last departure;
    /// false if none is left, or after [`STEP`] expired entries.
    pub fn pop(&mut self, now: Millis, out: &mut Departures) -> bool {
        self.reclaim(now, RECLAIMED_BY_A_WRITE, out);
        for _ in 0..STEP {
            let Some(victim) = self.order.next_victim(&mut self.slab, Scarce::Entries) else { return false };
            let end = self.end_of(victim);
            if end > now {
                self.dismiss(victim, Cause::Removed, now, out);
                return true;
            }
            self.end(victim, end, now, out);
        }
        false
    }
}
