//! Moves entries from one shard to another (rule S02a). A move is neither a departure nor a use.
//!
//! The entry that would be evicted last is taken out first, and becomes the first to be evicted from its new shard. So the order of use is
//! kept, although entries that are stored or used meanwhile are in the new shard before the others arrive.

use super::super::limits::ShardLimits;
use super::super::policy::Importance;
use super::super::slab::{DetachedEntry, Place, Slab};
use super::super::wheel::Expirations;
use super::super::work;
use super::victim_prefetch::PrefetchedVictim;
use super::{Lookups, Shard};
use crate::base::{Labels, Millis};

/// An entry between two shards.
pub(in super::super) struct MovingEntry {
    pub hash: u64,
    detached: DetachedEntry,
    importance: Importance,
    /// The time of its last use, if there is an idle TTL.
    used: Millis,
    /// The end set by its TTL; for a stale entry, when it expired.
    end: Millis,
    /// How long it stays as a fallback after that, in milliseconds.
    grace_ms: u64,
    /// For a stale entry, the end of its grace.
    stale_until: Option<Millis>,
    labels: Option<Labels>,
}

impl Shard {
    /// Takes out all entries with their structures, and returns them as a shard of their own. The empty shard that stays has limits of 0,
    /// and keeps the counters.
    pub fn vacate(&mut self) -> Shard {
        let empty = Shard {
            lookups: std::mem::take(&mut self.lookups),
            fast_notes: self.fast_notes,
            order: self.order.empty_copy(),
            slab: Slab::new(),
            expiry: self.expiry.clone(),
            hasher: self.hasher.clone(),
            ends: Expirations::new(),
            cost: 0,
            limits: ShardLimits::NONE,
            counts: std::mem::take(&mut self.counts),
            lifetimes: self.expiry.lifetimes(),
            labels: None,
            outgrown: None,
            prefetched_victim: PrefetchedVictim::NONE,
        };
        std::mem::replace(self, empty)
    }

    /// Adds the counters of another shard, which loses them.
    pub fn take_counts_of(&mut self, other: &mut Shard) {
        let Lookups { hits, null_hits, misses } = std::mem::take(&mut other.lookups);
        self.lookups.hits += hits;
        self.lookups.null_hits += null_hits;
        self.lookups.misses += misses;
        self.counts.add(&std::mem::take(&mut other.counts));
    }

    /// The last entry of the order: stale entries come before all fresh ones.
    fn last(&mut self) -> Option<Place> {
        self.order.last(&mut self.slab).or_else(|| self.lifetimes.as_ref().and_then(|lifetimes| lifetimes.last()))
    }

    /// When the last entry was used, if there is an idle TTL; for a stale entry, when it expired. `None` without entries.
    pub fn last_use(&mut self) -> Option<Millis> {
        self.last().map(|place| self.used_at(place))
    }

    fn is_stale(&self, place: Place) -> bool {
        self.lifetimes.as_ref().is_some_and(|lifetimes| lifetimes.is_stale(place))
    }

    fn used_at(&self, place: Place) -> Millis {
        if self.is_stale(place) {
            return self.slab.deadline(place);
        }
        Millis(self.order.idle_end(place).0.saturating_sub(self.expiry.idle_ms.unwrap_or(0)))
    }

    /// Takes out the last entry of the order.
    pub fn take_last(&mut self) -> Option<MovingEntry> {
        self.last().map(|place| self.take_out(place))
    }

    /// Takes out the entry under `key`, whatever its times are.
    pub fn take_key(&mut self, hash: u64, key: &[u8]) -> Option<MovingEntry> {
        self.find(hash, key).map(|place| self.take_out(place))
    }

    fn take_out(&mut self, place: Place) -> MovingEntry {
        work::entry();
        self.order.apply_uses(&mut self.slab);
        let used = self.used_at(place);
        let (end, grace_ms, stale_until, importance);
        if self.is_stale(place) {
            // A stale entry has no priority and no time of use. Any grace above 0 makes `take_in` record a lifetime for it.
            (end, grace_ms, stale_until) = (used, 1, Some(self.leaves_at(place)));
            importance = Importance { priority: 0.0, queue_state: self.order.queue_state_of_returning() };
        } else {
            let grace = self.lifetimes.as_ref().map_or(0, |lifetimes| lifetimes.grace_ms(place));
            (end, grace_ms, stale_until) = (self.ttl_end_of(place), grace, None);
            let queue_state = self.order.queue_state(&mut self.slab, place);
            importance = Importance { priority: self.order.priority_of(&self.slab, place), queue_state };
        }
        let (hash, cost) = (self.hasher.hash(self.slab.key(place)), self.slab.cost(place));
        self.prefetched_victim = PrefetchedVictim::NONE;
        self.ends.remove(place);
        let labels = self.take_labels(place);
        if !self.lifetimes.as_mut().is_some_and(|lifetimes| lifetimes.leave(place, cost)) {
            self.order.leave(&mut self.slab, place);
        }
        self.cost -= u128::from(cost);
        let detached = self.slab.remove(hash, place);
        MovingEntry { hash, detached, importance, used, end, grace_ms, stale_until, labels }
    }

    /// Adds an entry that was taken out of another shard, as the first of its queue or of the stale entries. It must fit the limits. `room`
    /// is the number of entries that the shard will have at most, for the growth of its memory.
    pub fn take_in(&mut self, moving: MovingEntry, room: u64) {
        let MovingEntry { hash, mut detached, importance, used, end, grace_ms, stale_until, labels } = moving;
        // The deadline in the record may be the time at which the entry is due for a refresh, which is not its end.
        let deadline = detached.record.deadline();
        detached.record.set_deadline(end);
        self.cost += u128::from(detached.cost);
        let place = self.slab.insert(hash, detached, room.max(self.limits.entries));
        self.order.enter(&mut self.slab, place, hash, importance, used);
        self.order.make_first(&mut self.slab, place);
        self.note_labels(place, labels);
        self.note_lifetime(place, end, grace_ms, used);
        match stale_until {
            Some(until) => {
                self.enter_grace(place, end, until);
                self.lifetimes.iter_mut().for_each(|lifetimes| lifetimes.make_first(place));
            }
            None => self.slab.set_deadline(place, deadline),
        }
    }

    /// Passes an entry that was taken out of this shard, with its part of the limits, to another shard: see [`Shard::take_in`].
    pub fn hand(&mut self, moving: MovingEntry, to: &mut Shard, room: u64) {
        let cost = moving.detached.cost;
        self.limits = self.limits.without(1, u128::from(cost));
        // If there is no limit of cost, the sum has none either.
        to.limits = to.limits.and(ShardLimits { entries: 1, cost: Some(cost), max_cost: 0 });
        to.take_in(moving, room);
    }
}
