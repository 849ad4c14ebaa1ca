//! Recent writes, by key. They decide whether an extra answer of the provider is outdated (rule F15).
//!
//! They are stored only while the provider has requests, and their number is limited. When the limit is exceeded, every key counts as
//! written just now. Then an extra answer may be refused that could have been stored, but never the reverse.

use std::collections::HashMap;

/// A logical time that orders writes and requests.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Tick(u64);

/// The maximum number of writes that are stored.
const MOST: usize = 65_536;

/// The recent writes, by the hash of their key. If two keys have the same 64-bit hash, an extra answer may be refused without need, which
/// does no harm.
#[derive(Default)]
pub struct RecentWrites {
    tick: Tick,
    /// Every key counts as written at this time.
    floor: Tick,
    written: HashMap<u64, Tick, foldhash::fast::FixedState>,
}

impl RecentWrites {
    /// Returns a new tick, for a write or for a request that is handed out.
    pub fn next_tick(&mut self) -> Tick {
        self.tick.0 += 1;
        self.tick
    }

    /// Makes every key count as written now. Frees the memory of a burst, except a little for later writes.
    fn forget_all(&mut self, now: Tick) {
        const MOST_KEPT: usize = 1024;
        self.floor = now;
        if self.written.capacity() > MOST_KEPT {
            self.written = HashMap::default();
        } else {
            self.written.clear();
        }
    }

    /// Records a write of the key with this hash. `watched` says whether the provider has any request.
    pub fn write(&mut self, hash: u64, watched: bool) {
        let now = self.next_tick();
        if !watched {
            self.forget_all(now);
            return;
        }
        if self.written.len() >= MOST || self.written.try_reserve(1).is_err() {
            self.forget_all(now);
        }
        self.written.insert(hash, now);
    }

    /// Records a write of all keys.
    pub fn write_all(&mut self) {
        let now = self.next_tick();
        self.forget_all(now);
    }

    /// Whether the key was written after `since`.
    pub fn is_written_since(&self, hash: u64, since: Tick) -> bool {
        self.floor > since || self.written.get(&hash).is_some_and(|at| *at > since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s20_the_memory_of_a_burst_of_writes_is_freed() {
        let mut recent = RecentWrites::default();
        (0..MOST as u64).for_each(|hash| recent.write(hash, true));
        recent.write(0, false);
        assert!(recent.written.capacity() <= 1024, "without requests no writes are stored");
        (0..MOST as u64).for_each(|hash| recent.write(hash, true));
        recent.write_all();
        assert!(recent.written.capacity() <= 1024, "writing all keys frees the memory");
    }

    #[test]
    fn f15_forgotten_writes_count_as_recent() {
        let mut recent = RecentWrites::default();
        let handed = recent.next_tick();
        recent.write(1, false);
        assert!(recent.is_written_since(1, handed) && recent.is_written_since(2, handed), "without requests no writes are stored");

        let handed = recent.next_tick();
        (0..MOST as u64).for_each(|hash| recent.write(hash, true));
        assert_eq!(recent.written.len(), MOST);
        assert!(recent.is_written_since(0, handed) && !recent.is_written_since(MOST as u64, handed));
        recent.write(0, true);
        assert_eq!(recent.written.len(), 1, "the number of stored writes is limited");
        assert!(recent.is_written_since(MOST as u64, handed), "every key counts as written after others were forgotten");
    }
}
