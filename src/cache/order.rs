//! The eviction order (rule S05): lowest priority first, then least recently used.
//!
//! One list for each priority in use, from the least to the most recently used, linked through the nodes. [`Levels`] has their totals,
//! which tell whether enough can be evicted before anything is removed.
//!
//! A use is only recorded at first. Recorded uses are applied to the lists when their buffer is full, and before the order is needed.
//! Moving one entry waits for its two neighbours, which are elsewhere in memory; moving many at once overlaps these waits.

use super::idle::Uses;
use super::levels::{Amount, Levels};
use super::links::{LinkArray, Links};
use super::slab::{Place, Slab};
use crate::base::hint::rarely;
use crate::base::{Millis, NoMemory};

/// The capacity of the buffer of recorded uses.
pub(super) const NOTES: usize = 63;

/// The entries of one priority, in order of use.
struct List {
    oldest: Place,
    newest: Place,
}

impl Default for List {
    fn default() -> List {
        List { oldest: Place::NONE, newest: Place::NONE }
    }
}

/// The eviction order of a shard's entries.
#[repr(C)]
pub(super) struct EvictionOrder {
    /// The number of recorded uses. The first field, so that it lies next to the other data that each lookup writes.
    noted: u32,
    /// Uses that have not been applied to the lists, oldest first.
    notes: [Place; NOTES],
    levels: Levels<List>,
    /// Present only with an idle TTL.
    uses: Option<Box<Uses>>,
}

impl EvictionOrder {
    pub fn new(idle_ms: Option<u64>) -> EvictionOrder {
        let uses = idle_ms.map(Uses::new).map(Box::new);
        EvictionOrder { levels: Levels::new(), notes: [Place::NONE; NOTES], noted: 0, uses }
    }

    /// An empty order with the same settings.
    pub fn empty_copy(&self) -> EvictionOrder {
        EvictionOrder::new(self.uses.as_ref().map(|uses| uses.idle_ms()))
    }

    /// Gets memory for the entries of a slab of this capacity.
    pub fn try_grow(&mut self, capacity: usize) -> Result<(), NoMemory> {
        self.uses.as_mut().map_or(Ok(()), |uses| uses.try_grow(capacity))
    }

    /// Whether there are entries, and not all of them are known to have this priority.
    #[inline(always)]
    pub fn may_need_level(&self, priority: f64) -> bool {
        self.levels.may_need(priority)
    }

    /// Adds the entry at `place` as the most recently used one of its priority. The caller must have turned -0 into 0.
    #[inline(always)]
    pub fn enter(&mut self, slab: &mut Slab, place: Place, priority: f64, now: Millis) {
        self.settle(slab);
        let number = self.levels.open(priority);
        slab.set_level(place, number);
        self.levels.enter(number, slab.cost(place), |list| list.append(slab.links_mut(), place));
        if self.has_idle_ttl() {
            self.uses.iter_mut().for_each(|uses| uses.enter(place, now, slab.node_capacity()));
        }
    }

    /// Whether there are entries, all of this priority, and no idle TTL. Then [`EvictionOrder::exchange`] may be used.
    #[inline(always)]
    pub fn may_exchange(&self, priority: f64) -> bool {
        self.uses.is_none() && self.levels.is_only(priority)
    }

    /// Another entry takes the node at `place` over, and is the most recently used one: like [`EvictionOrder::leave`] and
    /// [`EvictionOrder::enter`], without what these undo of each other. All recorded uses must have been applied.
    #[inline(always)]
    pub fn exchange(&mut self, slab: &mut Slab, place: Place, left: u64, entered: u64) {
        debug_assert_eq!(self.noted, 0);
        self.levels.exchange_in_only(left, entered, |list| list.renew(slab.links_mut(), place));
    }

    /// Removes an entry from its list, and its level with the level's last entry.
    pub fn leave(&mut self, slab: &mut Slab, place: Place) {
        // A recorded use must not be applied to the next entry at this place.
        self.settle(slab);
        let number = slab.level(place);
        self.levels.leave(number, slab.cost(place), |list| list.unlink(slab.links_mut(), place));
        if self.has_idle_ttl() {
            self.uses.iter_mut().for_each(|uses| uses.leave(place));
        }
    }

    /// Whether there is an idle TTL, so that the time of a use matters.
    #[inline(always)]
    pub fn has_idle_ttl(&self) -> bool {
        rarely(self.uses.is_some())
    }

    /// Records the time of a use; [`EvictionOrder::note_use`] records the use itself.
    pub fn time_use(&mut self, place: Place, now: Millis) {
        if let Some(uses) = &mut self.uses {
            uses.note(place, now);
        }
    }

    /// When the entry expires by the idle TTL unless it is used before.
    #[inline(always)]
    pub fn idle_end(&self, place: Place) -> Millis {
        if self.has_idle_ttl() { self.uses.as_ref().map_or(Millis::NEVER, |uses| uses.end_of(place)) } else { Millis::NEVER }
    }

    /// Returns the entry that has been idle for longest, if there is an idle TTL.
    pub fn longest_idle(&mut self, slab: &mut Slab) -> Option<Place> {
        self.settle(slab);
        self.uses.as_mut().and_then(|uses| uses.oldest())
    }

    /// A lower bound of all expiry times by idleness.
    #[inline(always)]
    pub fn next_idle(&self) -> Millis {
        if self.has_idle_ttl() { self.uses.as_ref().map_or(Millis::NEVER, |uses| uses.next_due()) } else { Millis::NEVER }
    }

    /// Whether the buffer of recorded uses is full.
    #[inline]
    pub fn is_buffer_full(&self) -> bool {
        self.noted as usize >= NOTES
    }

    /// The number of recorded uses that have not been applied to the lists.
    #[inline(always)]
    pub fn noted(&self) -> u32 {
        self.noted
    }

    /// Records a use. The buffer must not be full.
    #[inline(always)]
    pub fn note_use(&mut self, place: Place) {
        debug_assert!(!self.is_buffer_full());
        if let Some(note) = self.notes.get_mut(self.noted as usize) {
            *note = place;
            self.noted += 1;
        }
    }

    /// Applies the recorded uses to the lists, in the order in which they happened.
    #[inline]
    pub fn settle(&mut self, slab: &mut Slab) {
        if self.noted > 0 {
            self.settle_notes(slab);
        }
    }

    #[inline(never)]
    fn settle_notes(&mut self, slab: &mut Slab) {
        let notes = &self.notes[..self.noted as usize];
        // Moving an entry writes to its neighbours, elsewhere in memory. All of them are prefetched before the first entry is moved.
        notes.iter().for_each(|place| slab.prefetch_neighbours(*place));
        match self.levels.only() {
            Some(number) => {
                let list = self.levels.list(number);
                notes.iter().for_each(|place| list.renew(slab.links_mut(), *place));
            }
            None => notes.iter().for_each(|place| self.levels.list(slab.level(*place)).renew(slab.links_mut(), *place)),
        }
        if let Some(uses) = &mut self.uses {
            notes.iter().for_each(|place| uses.renew(*place));
        }
        self.noted = 0;
    }

    /// The lowest priority in use above `priority`; if `priority` is `None`, the lowest in use.
    pub fn priority_above(&self, priority: Option<f64>) -> Option<f64> {
        self.levels.priority_above(priority)
    }

    /// The least recently used entry of this priority.
    pub fn oldest_of(&self, priority: f64) -> Option<Place> {
        self.levels.list_of(priority)?.oldest.some()
    }

    pub fn priority_of(&self, slab: &Slab, place: Place) -> f64 {
        self.levels.priority(slab.level(place))
    }

    /// The next victim according to the lists, without applying recorded uses.
    pub fn oldest(&self) -> Option<Place> {
        self.levels.lowest().and_then(|list| list.oldest.some())
    }

    /// The next victim, after applying recorded uses.
    pub fn next_victim(&mut self, slab: &mut Slab) -> Option<Place> {
        self.settle(slab);
        self.oldest()
    }

    /// The lowest priority in use.
    pub fn lowest(&self) -> Option<f64> {
        self.levels.lowest_priority()
    }

    /// The total of all entries with a priority up to and including `priority`.
    pub fn evictable(&self, priority: f64) -> Amount {
        self.levels.up_to(priority)
    }
}

impl List {
    /// Makes an entry the most recently used one.
    #[inline(always)]
    fn renew(&mut self, links: &mut LinkArray, place: Place) {
        let newest = self.newest;
        if newest == place {
            return;
        }
        let Links { older, newer } = *links.of(place);
        // There is a newer entry, because this one is not the newest.
        links.of_mut(newer).older = older;
        match older.some() {
            Some(older) => links.of_mut(older).newer = newer,
            None => self.oldest = newer,
        }
        links.of_mut(newest).newer = place;
        *links.of_mut(place) = Links { older: newest, newer: Place::NONE };
        self.newest = place;
        links.changed([older, newer, newest, place]);
    }

    #[inline]
    fn append(&mut self, links: &mut LinkArray, place: Place) {
        let newest = self.newest;
        *links.of_mut(place) = Links { older: newest, newer: Place::NONE };
        match newest.some() {
            Some(newest) => links.of_mut(newest).newer = place,
            None => self.oldest = place,
        }
        self.newest = place;
        links.changed([newest, place]);
    }

    #[inline]
    fn unlink(&mut self, links: &mut LinkArray, place: Place) {
        let Links { older, newer } = *links.of(place);
        match older.some() {
            Some(older) => links.of_mut(older).newer = newer,
            None => self.oldest = newer,
        }
        match newer.some() {
            Some(newer) => links.of_mut(newer).older = older,
            None => self.newest = older,
        }
        links.changed([older, newer]);
    }
}

#[cfg(test)]
mod tests {
    use super::super::slab::DetachedEntry;
    use super::*;
    use crate::base::{Answer, Millis, Record};

    #[derive(Default)]
    struct Fixture {
        slab: Option<Slab>,
        order: Option<EvictionOrder>,
    }

    impl Fixture {
        fn parts(&mut self) -> (&mut Slab, &mut EvictionOrder) {
            (self.slab.get_or_insert_with(Slab::new), self.order.get_or_insert_with(|| EvictionOrder::new(None)))
        }

        fn enter(&mut self, priority: f64, cost: u64) -> Place {
            let (slab, order) = self.parts();
            let detached = DetachedEntry { record: Record::new(b"", Answer::Null), cost, stored_at: Millis(0) };
            let place = slab.insert(slab.len(), detached, 1000);
            order.enter(slab, place, priority, Millis(0));
            place
        }

        fn leave(&mut self, place: Place) {
            let (slab, order) = self.parts();
            order.leave(slab, place);
            slab.forget_keys();
            drop(slab.take_forgotten(place));
        }

        fn next_victim(&mut self) -> Option<Place> {
            let (slab, order) = self.parts();
            order.next_victim(slab)
        }

        fn eviction_order(&mut self) -> Vec<Place> {
            let mut left = Vec::new();
            while let Some(victim) = self.next_victim() {
                left.push(victim);
                self.leave(victim);
            }
            left
        }
    }

    #[test]
    fn s05_the_lowest_priority_is_evicted_first_then_the_least_recently_used() {
        let mut fixture = Fixture::default();
        let [a, b, c, d] = [1.0, f64::NEG_INFINITY, 1.0, f64::INFINITY].map(|priority| fixture.enter(priority, 1));
        let (slab, order) = fixture.parts();
        order.note_use(a);
        order.settle(slab);
        assert_eq!(order.lowest(), Some(f64::NEG_INFINITY));
        assert_eq!(fixture.eviction_order(), [b, c, a, d]);
    }

    #[test]
    fn s05_the_evictable_amount_is_known_from_totals() {
        let mut fixture = Fixture::default();
        for (priority, cost) in [(0.0, 10), (0.0, 5), (1.0, 7), (2.0, u64::MAX), (2.0, u64::MAX)] {
            fixture.enter(priority, cost);
        }
        let order = fixture.parts().1;
        assert_eq!(order.evictable(-1.0), Amount::default());
        assert_eq!(order.evictable(0.5), Amount { entries: 2, cost: 15 });
        assert_eq!(order.evictable(1.0), Amount { entries: 3, cost: 22 });
        assert_eq!(order.evictable(f64::INFINITY), Amount { entries: 5, cost: 22 + 2 * u128::from(u64::MAX) });
    }
}
