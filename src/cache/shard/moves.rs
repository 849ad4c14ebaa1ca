//! Moves entries from one shard to another (rule S02a), which is neither a departure nor a use.

use super::super::slab::Held;
use super::super::work;
use super::Shard;
use crate::base::Millis;

/// An entry between two shards.
pub(in super::super) struct Moving {
    pub hash: u64,
    held: Held,
    priority: f64,
    /// When it was used last, if there is an idle TTL.
    used: Millis,
}

impl Shard {
    /// Takes out all entries, in eviction order. The limits stay.
    pub fn take_all(&mut self) -> Vec<Moving> {
        let mut moving = Vec::with_capacity(self.slab.len() as usize);
        let idle_ms = self.expiry.idle_ms.unwrap_or(0);
        self.slab.forget_keys();
        while let Some(place) = self.order.next_victim(&mut self.slab) {
            let used = Millis(self.order.idle_end(place).0.saturating_sub(idle_ms));
            let priority = self.order.priority_of(&self.slab, place);
            work::entry();
            self.order.leave(&mut self.slab, place);
            let held = self.slab.take_forgotten(place);
            moving.push(Moving { hash: self.hasher.hash(held.record.key()), held, priority, used });
        }
        self.start_again();
        moving
    }

    /// Adds an entry that another shard has given up. It must fit the limits.
    pub fn take_in(&mut self, moving: Moving) {
        let Moving { hash, held, priority, used } = moving;
        self.store(hash, held, priority, used);
    }
}

/// Merges the entries of several shards: by time of use if there is an idle TTL, else in turns.
pub(in super::super) fn merged(shards: Vec<Vec<Moving>>, are_uses_timed: bool) -> Vec<Moving> {
    let mut ranked: Vec<(u64, Moving)> = Vec::with_capacity(shards.iter().map(Vec::len).sum());
    for moving in shards {
        let len = moving.len().max(1) as u64;
        let rank = |at: usize| ((at as u64) << 32) / len;
        ranked.extend(moving.into_iter().enumerate().map(|(at, moving)| (if are_uses_timed { moving.used.0 } else { rank(at) }, moving)));
    }
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, moving)| moving).collect()
}
