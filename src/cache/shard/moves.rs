//! Moves entries from one shard to another (rule S02a). That is neither a departure nor a use.

use super::super::policy::Importance;
use super::super::slab::DetachedEntry;
use super::super::work;
use super::Shard;
use crate::base::{Key, Labels, Millis};

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
    /// Takes out all entries, in eviction order. The limits do not change.
    pub fn take_all(&mut self) -> Vec<MovingEntry> {
        let mut moving = Vec::with_capacity(self.slab.len() as usize);
        let idle_ms = self.expiry.idle_ms.unwrap_or(0);
        self.slab.forget_keys();
        while let Some(place) = self.lifetimes.as_ref().and_then(|lifetimes| lifetimes.first()) {
            let (end, until) = (self.slab.deadline(place), self.leaves_at(place));
            let cost = self.slab.cost(place);
            self.lifetimes.iter_mut().for_each(|lifetimes| {
                lifetimes.leave(place, cost);
            });
            let (labels, detached) = (self.take_labels(place), self.slab.take_forgotten(place));
            let hash = self.hasher.hash(detached.record.key());
            // A stale entry has no priority and no time of use; any grace above 0 makes `take_in` treat it as one with a lifetime.
            let importance = Importance { priority: 0.0, queue_state: None };
            moving.push(MovingEntry { hash, detached, importance, used: end, end, grace_ms: 1, stale_until: Some(until), labels });
        }
        self.order.settle(&mut self.slab);
        while let Some(place) = self.order.first() {
            let used = Millis(self.order.idle_end(place).0.saturating_sub(idle_ms));
            let priority = self.order.priority_of(&self.slab, place);
            let importance = Importance { priority, queue_state: self.order.queue_state(&mut self.slab, place) };
            let (end, grace_ms) = (self.ttl_end_of(place), self.lifetimes.as_ref().map_or(0, |lifetimes| lifetimes.grace_ms(place)));
            work::entry();
            self.order.leave(&mut self.slab, place);
            let (labels, detached) = (self.take_labels(place), self.slab.take_forgotten(place));
            let hash = self.hasher.hash(detached.record.key());
            moving.push(MovingEntry { hash, detached, importance, used, end, grace_ms, stale_until: None, labels });
        }
        self.replace_structures();
        moving
    }

    /// Adds an entry that was taken out of another shard. It must fit the limits.
    pub fn take_in(&mut self, moving: MovingEntry) {
        let MovingEntry { hash, mut detached, importance, used, end, grace_ms, stale_until, labels } = moving;
        if grace_ms == 0 && self.lifetimes.is_none() {
            self.store(hash, detached, importance, grace_ms, labels, used);
            return;
        }
        // The deadline in the record may be the time at which the entry is due for a refresh, which is not its end.
        let (deadline, key) = (detached.record.deadline(), Key::new(detached.record.key()));
        detached.record.set_deadline(end);
        self.store(hash, detached, importance, grace_ms, labels, used);
        let Some(place) = self.find(hash, &key) else { return };
        match stale_until {
            Some(until) => self.enter_grace(place, end, until),
            None => self.slab.set_deadline(place, deadline),
        }
    }
}

/// Merges the entries of several shards: by time of last use if there is an idle TTL, else interleaved in proportion to the size of each
/// shard.
pub(in super::super) fn merged(shards: Vec<Vec<MovingEntry>>, are_uses_timed: bool) -> Vec<MovingEntry> {
    let mut ranked: Vec<(u64, MovingEntry)> = Vec::with_capacity(shards.iter().map(Vec::len).sum());
    for moving in shards {
        let len = moving.len().max(1) as u64;
        let rank = |at: usize| ((at as u64) << 32) / len;
        ranked.extend(moving.into_iter().enumerate().map(|(at, moving)| (if are_uses_timed { moving.used.0 } else { rank(at) }, moving)));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, moving)| moving).collect()
}
