//! The fast path of a lookup whose miss is counted elsewhere: by the fetch that follows.

use super::Shard;
use crate::base::hint::rarely;
use crate::base::{Answer, Clock, Millis};
use crate::cache::slab::FoundEntry;

impl Shard {
    /// Like [`Shard::lookup_fast`], without counting a miss. Written out again, because a miss there takes more instructions if it is counted after
    /// this has returned.
    #[inline(always)]
    pub fn hit_fast<R>(&mut self, hash: u64, key: &[u8], clock: &Clock, see: impl FnOnce(&Answer) -> R) -> Option<R> {
        let FoundEntry { place, record } = self.slab.find(hash, key)?;
        if rarely(record.deadline() != Millis::NEVER) && record.deadline() <= clock.millis() {
            return None;
        }
        self.order.note_use(place);
        let answer = record.answer();
        self.lookups.found(&answer);
        Some(see(&answer))
    }
}
