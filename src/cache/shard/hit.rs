//! The fast path of a lookup that does not count a miss, because the fetch that follows does.

use super::Shard;
use crate::base::hint::rarely;
use crate::base::{Answer, Clock, Millis};
use crate::cache::slab::FoundEntry;

impl Shard {
    /// Like [`Shard::lookup_fast`], without counting a miss. The two do not share code, because counting the miss after a call of this
    /// function takes more instructions.
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
