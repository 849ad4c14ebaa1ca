//! A put whose entry takes over the node of the entry that leaves for it: the older entry under its key, or in a full shard the next
//! victim. Nearly all puts are of this kind. The number of entries, the levels and the free nodes then stay as they are, so that only the
//! difference of the two entries has to be recorded.

use super::super::departure::{Cause, Departures};
use super::super::entry::{END_COST, EntryParts, LIFETIME_COST, PutOutcome, cost_of};
use super::super::slab::{DetachedEntry, Place};
use super::super::work;
use super::{DefaultExpiry, Shard, finite};
use crate::base::hint::rarely;
use crate::base::{Millis, Present, Record, Ttl};

/// What is known about a put before anything changes.
#[derive(Clone, Copy)]
pub(super) struct PutPlan {
    /// The older entry under the key.
    pub found: Option<Place>,
    /// An end that replaces the one set by the TTL: the older entry's, or a saved entry's.
    kept_end: Option<Millis>,
    ttl: Ttl,
    pub priority: f64,
    /// How long the entry stays as a fallback after its expiry, in milliseconds.
    pub grace_ms: u64,
    pub present: Present,
}

impl PutPlan {
    #[inline(always)]
    pub fn new(
        entry: &EntryParts<'_>,
        expiry: &DefaultExpiry,
        found: Option<Place>,
        kept_end: Option<Millis>,
        present: Present,
    ) -> PutPlan {
        PutPlan {
            found,
            kept_end,
            ttl: expiry.ttl_of(entry.terms.ttl, entry.answer),
            // Adding 0 turns -0 into 0, which is the same priority.
            priority: entry.terms.priority.unwrap_or(0.0) + 0.0,
            grace_ms: entry.terms.stale_ms.unwrap_or(expiry.stale_ms),
            present,
        }
    }

    /// Whether the entry is to be stored at all.
    #[inline(always)]
    pub fn stores(&self) -> bool {
        self.kept_end.is_some() || self.ttl != Ttl::DoNotStore
    }

    /// Whether the entry expires.
    #[inline(always)]
    pub fn ends(&self) -> bool {
        self.kept_end.map_or(self.ttl != Ttl::Never, |end| end != Millis::NEVER)
    }

    /// When the entry expires. Draws a random number if there is jitter.
    #[inline(always)]
    pub fn deadline(&self, expiry: &DefaultExpiry) -> Millis {
        self.kept_end.unwrap_or_else(|| expiry.deadline(self.ttl, self.present.latest))
    }
}

impl Shard {
    /// Whether the entry may take over a node. All entries of the shard, and this one, must have the same priority, no grace, no refresh
    /// time and no labels, and no entries may be moving here. The value must not be the one that is stored under the key already: its block
    /// can become the new entry only after the older one has left.
    #[inline(always)]
    pub(super) fn may_exchange(&self, entry: &EntryParts<'_>, plan: &PutPlan) -> bool {
        let is_plain = self.lifetimes.is_none()
            && plan.grace_ms == 0
            && self.labels.is_none()
            && entry.terms.labels.is_none()
            && entry.leaving.is_none();
        is_plain
            && self.order.may_exchange(plan.priority)
            && plan.stores()
            && !plan.found.is_some_and(|place| self.slab.answer(place).is(entry.answer))
    }

    /// Makes the record of an entry, and computes its cost without labels.
    #[inline(always)]
    pub(super) fn record_of(&self, key: &[u8], entry: &mut EntryParts<'_>, plan: &PutPlan) -> (Record, u64) {
        let record = Record::new(key, entry.answer.take());
        let cost = self.own_cost_of(&record, entry, plan);
        (record, cost)
    }

    /// The cost of an entry without labels.
    #[inline(always)]
    pub(super) fn own_cost_of(&self, record: &Record, entry: &EntryParts<'_>, plan: &PutPlan) -> u64 {
        let mut overhead = if plan.ends() { END_COST } else { 0 } + self.order.entry_cost();
        if rarely(plan.grace_ms > 0 || self.lifetimes.is_some()) {
            overhead += LIFETIME_COST;
        }
        cost_of(record, entry.terms.cost, overhead)
    }

    /// The node that an entry of this cost takes over, and why the entry in it leaves; `None` if there is none, or if other entries would
    /// have to leave, too.
    #[inline(always)]
    pub(super) fn node_for(&mut self, older: Option<Place>, cost: u64, now: Millis) -> Option<(Place, Cause)> {
        self.order.apply_uses(&mut self.slab);
        let (place, cause) = match older {
            Some(place) => {
                self.slab.prefetch_neighbours(place);
                (place, if self.slab.deadline(place) <= now { Cause::Expired } else { Cause::Replaced })
            }
            // Expired entries leave before live ones.
            None if self.slab.len() == self.limits.entries && self.next_due() > now => (self.order.first()?, Cause::Capacity),
            None => return None,
        };
        let others = self.cost - u128::from(self.slab.cost(place));
        let fits = cost <= self.limits.max_cost
            && self.slab.len() <= self.limits.entries
            && self.limits.cost.is_none_or(|limit| others + u128::from(cost) <= u128::from(limit));
        fits.then_some((place, cause))
    }

    /// Exchanges the entry at `place`, which leaves for this cause, for another one.
    #[inline(always)]
    pub(super) fn exchange(
        &mut self,
        place: Place,
        cause: Cause,
        hash: u64,
        mut entering: DetachedEntry,
        plan: &PutPlan,
        out: &mut Departures,
    ) -> PutOutcome {
        work::entry();
        let is_victim = cause == Cause::Capacity;
        let former_hash = match self.prefetched_victim.take(place) {
            _ if !is_victim => hash,
            Some(known) => known,
            None => self.hasher.hash(self.slab.key(place)),
        };
        let (end, cost, now) = (self.slab.deadline(place), entering.cost, plan.present.earliest);
        self.ends.remove(place);
        let deadline = plan.deadline(&self.expiry);
        if rarely(deadline != Millis::NEVER) {
            entering.record.set_deadline(deadline);
        }
        let left = self.slab.exchange(place, former_hash, hash, entering, self.limits.entries);
        self.order.exchange(&mut self.slab, place, left.cost, cost);
        self.cost = self.cost - u128::from(left.cost) + u128::from(cost);
        self.counts.inserts += 1;
        self.counts.replacements += u64::from(cause == Cause::Replaced);
        self.depart(left, cause, end, now, out);
        if deadline != Millis::NEVER {
            self.note_deadline(place, deadline);
        }
        if is_victim {
            self.prefetch_victims();
        }
        PutOutcome::Stored { cost, expires_at: finite(deadline) }
    }
}
