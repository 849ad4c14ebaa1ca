//! Long work on a shard, a small step in each hold of its lock (rule S19). Each step says whether there is more to do.

use super::super::departure::{Cause, Departures};
use super::super::limits::{ShardLimits, share};
use super::super::slab::Place;
use super::Shard;
use crate::base::Millis;

/// How many entries leave in one hold of a shard's lock.
pub(in super::super) const STEP: usize = 64;

/// How many places are looked at for each entry that could be there.
const SPARSE: usize = 4;

/// How far a clear has come. Whoever was there when it began leaves; of those who came later perhaps some.
pub(in super::super) struct ClearProgress {
    /// How many are to leave in their order.
    in_order: u64,
    /// The places where whoever was missed is looked for, since it was used meanwhile and so is not among the first in the order.
    places: std::ops::Range<usize>,
}

impl Shard {
    /// Removes what is due.
    pub fn reclaim_step(&mut self, now: Millis, out: &mut Departures) -> bool {
        self.sweep(now, STEP, out) == STEP
    }

    pub fn begin_clear(&self) -> ClearProgress {
        ClearProgress { in_order: self.slab.len(), places: 0..self.slab.nodes() }
    }

    pub fn clear_step(&mut self, progress: &mut ClearProgress, now: Millis, out: &mut Departures) -> bool {
        let before = out.len();
        while progress.in_order > 0 && out.len() - before < STEP {
            progress.in_order = if self.dismiss_next(Cause::Cleared, now, out) { progress.in_order - 1 } else { 0 };
        }
        if progress.in_order > 0 {
            return true;
        }
        for _ in 0..STEP * SPARSE {
            if out.len() - before >= STEP || self.slab.len() == 0 {
                break;
            }
            let Some(place) = progress.places.next().map(|at| Place::of_number(at as u32)) else { break };
            if self.slab.is_live(place) {
                self.dismiss_or_expire(place, Cause::Cleared, now, out);
            }
        }
        self.shrink_if_empty();
        self.slab.len() > 0 && !progress.places.is_empty()
    }

    /// What `ratio` of the entries and of their cost is.
    pub fn share(&self, ratio: f64) -> (u64, u128) {
        (share(u128::from(self.slab.len()), ratio) as u64, share(self.cost, ratio))
    }

    /// Keeps so many entries of so much cost.
    pub fn trim_step(&mut self, entries: u64, cost: u128, now: Millis, out: &mut Departures) -> bool {
        for _ in 0..STEP {
            if (self.slab.len() <= entries && self.cost <= cost) || !self.dismiss_next(Cause::Trimmed, now, out) {
                self.shrink_if_empty();
                return false;
            }
        }
        true
    }

    /// Takes on new limits, and makes the entries fit. In between its limits are what it still holds, so that no put has to make up for
    /// what is left to do.
    pub fn resize_step(&mut self, part: ShardLimits, now: Millis, out: &mut Departures) -> bool {
        self.part.max_cost = part.max_cost;
        let (entries, cost) = (part.entries, part.cost.map_or(u128::MAX, u128::from));
        if !self.trim_step(entries, cost, now, out) {
            self.part = part;
            return false;
        }
        let held = u64::try_from(self.cost).unwrap_or(u64::MAX);
        self.part.entries = entries.max(self.slab.len());
        self.part.cost = part.cost.map(|limit| limit.max(held));
        true
    }
}
