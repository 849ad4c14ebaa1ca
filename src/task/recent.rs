//! Which keys were written since when: what tells a provider's extra answer that it is old news (rule F15).
//!
//! Kept only while requests are out, and of bounded size: when it would grow further, everything older than now counts as
//! written, so that an extra may be refused that could have been stored, and never the reverse.

use hashbrown::HashMap;

/// The order of writes and of handouts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Tick(u64);

const MOST: usize = 65_536;

/// The log of recent writes, by the hash of the key. That two keys share a 64-bit hash only ever refuses an extra.
#[derive(Default)]
pub struct Recent {
    tick: Tick,
    /// Everything before this counts as written since.
    floor: Tick,
    written: HashMap<u64, Tick, foldhash::fast::FixedState>,
}

impl Recent {
    /// The present, for a request that is handed out now.
    pub fn now(&mut self) -> Tick {
        self.tick.0 += 1;
        self.tick
    }

    /// The key with this hash is written. `watched`: whether any request is out.
    pub fn write(&mut self, hash: u64, watched: bool) {
        let now = self.now();
        if !watched {
            self.written.clear();
            self.floor = now;
            return;
        }
        if self.written.len() >= MOST {
            self.written.clear();
            self.floor = now;
        }
        self.written.insert(hash, now);
    }

    /// All keys are written.
    pub fn write_all(&mut self) {
        self.floor = self.now();
        self.written.clear();
    }

    /// Whether the key was written after `since`.
    pub fn is_written_since(&self, hash: u64, since: Tick) -> bool {
        self.floor > since || self.written.get(&hash).is_some_and(|at| *at > since)
    }
}
