//! When a timer has to look for expired entries, and what it does then (rule S07).

use super::super::departure::Departures;
use super::super::locked_shard::LockedShard;
use super::Store;
use crate::base::{Clock, Millis};

/// Timers wake at multiples of this, in milliseconds.
const WAKE_GRAIN_MS: u64 = 500;

impl Store {
    /// Removes expired entries, at most `limit` in one hold of a shard's lock. Called by the timer. If it returns true there is more to do,
    /// and the timer calls it again, after other threads had a chance to take the locks.
    pub fn sweep(&self, clock: &Clock, limit: usize, out: &mut Departures) -> bool {
        let now = clock.millis();
        if self.moving_due() <= now {
            self.move_step(out);
        }
        for locked in self.locked_shards.iter().filter(|locked| locked.next_due() <= now) {
            locked.write(self.sink(), out, |shard, out| shard.sweep(now, limit, out));
            locked.give_way();
        }
        self.next_due().is_some_and(|due| due <= now)
    }

    /// The earliest time at which [`Store::sweep`] may have something to do. Never later than the first expiry. Takes no lock.
    ///
    /// A timer that stores when it will wake, and only then reads this, misses no put: either the put is included here, or the putting
    /// thread sees the stored time and compares it with the end in [`PutOutcome::Stored`](super::super::PutOutcome::Stored).
    pub fn next_due(&self) -> Option<Millis> {
        // Read before and after the shards, because entries may leave a shard, or arrive in one, in between.
        let moving_before = self.moving_due();
        let due = self.locked_shards.iter().map(LockedShard::next_due).fold(moving_before, Millis::min);
        Some(due.min(self.moving_due())).filter(|due| *due != Millis::NEVER)
    }

    /// [`Store::next_due`] rounded up to half a second. A timer that is set for this time looks for expired entries at most twice a second,
    /// and keeps none for more than half a second after its end.
    pub fn next_wake(&self) -> Option<Millis> {
        self.next_due().map(Store::wake_for)
    }

    /// The time at which a timer wakes for an entry that expires at `end`.
    pub fn wake_for(end: Millis) -> Millis {
        Millis(end.0.div_ceil(WAKE_GRAIN_MS).saturating_mul(WAKE_GRAIN_MS))
    }
}
