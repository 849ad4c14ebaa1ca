//! Refresh ahead: an entry that is used shortly before its expiry is loaded in the background (rule R05). With refresh ahead, the
//! deadline in an entry's record is the time from which the entry is due for a refresh, and its end is in the lifetimes. So a lookup before
//! that time reads no more memory than without refreshes.

use super::super::slab::{FoundEntry, Place, Slab};
use super::{LookupKind, Shard, time_of};
use crate::base::{Clock, Millis, Present};

impl Shard {
    /// Like [`Shard::read`]; also returns whether the caller must start a refresh of the entry.
    pub fn read_and_refresh_due<R>(
        &mut self,
        hash: u64,
        key: &[u8],
        clock: &Clock,
        kind: LookupKind,
        see: impl FnOnce(&Slab, FoundEntry<'_>, Millis) -> R,
    ) -> Option<(R, bool)> {
        let (seen, place) = self.read(hash, key, clock, kind, |slab, found, end| {
            let place = found.place;
            (see(slab, found, end), place)
        })?;
        Some((seen, self.is_refresh_due(place, clock.present())))
    }

    /// Whether the live entry at `place`, which was just used, is due for a refresh. If so, it is not due again until the retry time has
    /// passed.
    fn is_refresh_due(&mut self, place: Place, present: Present) -> bool {
        if self.lifetimes.is_none() || self.slab.deadline(place) > present.earliest {
            return false;
        }
        self.defer_refresh(place, present.latest);
        true
    }

    /// Makes the live entry at `place` due for a refresh only after the retry time.
    fn defer_refresh(&mut self, place: Place, now: Millis) {
        let end = time_of(&self.slab, self.lifetimes.as_deref(), place);
        self.slab.set_deadline(place, now.after(self.expiry.refresh.retry_ms).min(end));
    }

    /// Records that the refresh of `key` failed. If the entry is alive, it is due again after the retry time.
    pub fn refresh_failed(&mut self, hash: u64, key: &[u8], present: Present) {
        let found = self.find(hash, key).filter(|place| self.lifetimes.is_some() && self.end_of(*place) > present.earliest);
        found.into_iter().for_each(|place| self.defer_refresh(place, present.latest));
    }
}
