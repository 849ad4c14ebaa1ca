//! The labels of entries, which are their versions and tags: recording them, finding an entry together with its labels, renewing an entry
//! whose value is unchanged (rule R06), and removing or expiring all entries with a tag (rule R11).

use super::super::departure::{Cause, Departures};
use super::super::entry::{EntryParts, Hit, PutOutcome};
use super::super::policy::Importance;
use super::super::slab::Place;
use super::steps::step_of;
use super::{Shard, finite};
use crate::base::hint::rarely;
use crate::base::{Labels, Millis, Present, Ttl};

/// What happens to the entries with a tag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) enum TagFate {
    /// They leave.
    Removed,
    /// They expire now: their grace begins, or they leave (rule R12).
    Expired,
}

impl Shard {
    /// The labels of the entry at `place`.
    pub fn labels_of(&self, place: Place) -> Option<&Labels> {
        self.labels.as_ref().and_then(|index| index.of(place))
    }

    /// Records the labels of the entry that was just stored at `place`.
    #[inline(always)]
    pub(super) fn note_labels(&mut self, place: Place, labels: Option<Labels>) {
        if let Some(labels) = labels {
            self.enter_labels(place, labels);
        }
    }

    #[inline(never)]
    fn enter_labels(&mut self, place: Place, labels: Labels) {
        self.labels.get_or_insert_default().enter(place, labels, &self.hasher);
    }

    /// Takes the labels out of the entry at `place`, which is about to leave.
    #[inline(always)]
    pub(super) fn take_labels(&mut self, place: Place) -> Option<Labels> {
        if rarely(self.labels.is_some()) { self.leave_labels(place) } else { None }
    }

    #[inline(never)]
    fn leave_labels(&mut self, place: Place) -> Option<Labels> {
        let index = self.labels.as_mut()?;
        let labels = index.leave(place, &self.hasher);
        if index.is_empty() {
            self.labels = None;
        }
        labels
    }

    /// The entry under `key`, fresh or stale, and its labels. Does not count as a use.
    pub fn known(&self, hash: u64, key: &[u8], now: Millis) -> Option<(Hit, Option<Labels>)> {
        let found = self.slab.find(hash, key).filter(|found| self.leaves_at(found.place) > now)?;
        let (place, end) = (found.place, self.end_of(found.place));
        Some((Hit::of(&self.slab, found, end), self.labels_of(place).cloned()))
    }

    /// Whether putting `entry` at `place` only renews the entry there: it has the same value object and the same labels, is to be stored,
    /// and the old entry is still there, fresh or stale.
    #[inline(never)]
    pub(super) fn is_renewed(&self, place: Place, entry: &EntryParts<'_>, ttl: Ttl, now: Millis) -> bool {
        let is_same = self.slab.answer(place).is(entry.answer) && self.labels_of(place) == entry.terms.labels.as_ref();
        is_same && ttl != Ttl::DoNotStore && self.leaves_at(place) > now
    }

    /// Renews the value at `place`, as if it had just been put there. Its key and its cost stay.
    pub(super) fn renew(&mut self, place: Place, entry: &EntryParts<'_>, ttl: Ttl, present: Present) -> PutOutcome {
        let (cost, used) = (self.slab.cost(place), present.latest);
        let grace_ms = entry.terms.stale_ms.unwrap_or(self.expiry.stale_ms);
        self.ends.remove(place);
        let priority = entry.terms.priority.unwrap_or(0.0) + 0.0; // turns -0.0 into 0.0
        let queue_state = self.order.queue_state_after_use(&mut self.slab, place);
        if !self.lifetimes.as_mut().is_some_and(|lifetimes| lifetimes.leave(place, cost)) {
            self.order.leave(&mut self.slab, place);
        }
        let hash = self.hasher.hash(self.slab.key(place));
        self.order.enter(&mut self.slab, place, hash, Importance { priority, queue_state }, used);
        let deadline = self.expiry.deadline(ttl, used);
        self.slab.set_stored_at(place, present.earliest);
        self.slab.set_deadline(place, deadline);
        PutOutcome::Stored { cost, expires_at: finite(self.note_lifetime(place, deadline, grace_ms, used)) }
    }

    /// Removes or expires entries with a tag, from place number `from` on, as many as one hold of the lock may handle. Advances `from`, and
    /// adds the number of live entries to `count`. Returns whether there may be more.
    pub fn tag_step(&mut self, tag: &[u8], fate: TagFate, from: &mut u32, count: &mut usize, now: Millis, out: &mut Departures) -> bool {
        for _ in 0..step_of(out) {
            let next = self.labels.as_ref().and_then(|index| index.next_with(tag, *from, &self.hasher));
            let Some(place) = next else {
                self.shrink_if_empty();
                return false;
            };
            *from = place.number() + 1;
            let is_alive = self.end_of(place) > now;
            *count += usize::from(is_alive);
            match fate {
                TagFate::Removed => {
                    self.dismiss_or_expire(place, Cause::Tag, now, out);
                }
                TagFate::Expired if is_alive => self.end(place, now, now, out),
                TagFate::Expired => {}
            }
        }
        true
    }
}
