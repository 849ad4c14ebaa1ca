//! Entries that are used and will soon be over are loaded anew before (rule R05). The deadline that a node states is then the time from which
//! that is so, and its end stands in the lifetimes; so a lookup before that time looks at nothing more than it does without.

use super::super::slab::{Found, Place, Slab};
use super::{LookupKind, Shard, time_of};
use crate::base::{Clock, Millis, Present};

impl Shard {
    /// As [`Shard::read`], and says whether the entry is to be loaded anew.
    pub fn read_noting<R>(
        &mut self,
        hash: u64,
        key: &[u8],
        clock: &Clock,
        reading: LookupKind,
        see: impl FnOnce(&Slab, Found<'_>, Millis) -> R,
    ) -> Option<(R, bool)> {
        let (seen, place) = self.read(hash, key, clock, reading, |slab, found, end| {
            let place = found.place;
            (see(slab, found, end), place)
        })?;
        Some((seen, self.is_refresh_due(place, clock.present())))
    }

    /// Whether the live entry at `place`, which was just used, is to be loaded anew. If so nobody else is told for a while.
    fn is_refresh_due(&mut self, place: Place, present: Present) -> bool {
        if self.lifetimes.is_none() || self.slab.deadline(place) > present.earliest {
            return false;
        }
        self.defer_refresh(place, present.latest);
        true
    }

    /// The live entry at `place` is not to be loaded anew for a while.
    fn defer_refresh(&mut self, place: Place, now: Millis) {
        let end = time_of(&self.slab, self.lifetimes.as_deref(), place);
        self.slab.set_deadline(place, now.after(self.expiry.refresh.retry_ms).min(end));
    }

    /// The load of `key` ahead of its end failed: if the entry is alive, it is left alone for a while.
    pub fn refresh_failed(&mut self, hash: u64, key: &[u8], present: Present) {
        let found = self.find(hash, key).filter(|place| self.lifetimes.is_some() && self.end_of(*place) > present.earliest);
        found.into_iter().for_each(|place| self.defer_refresh(place, present.latest));
    }
}
