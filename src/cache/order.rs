//! The eviction order (rule S05): lowest priority first, then as the policy says.
//!
//! [`Levels`] has the queues of each priority in use, and their totals: these show whether enough can be evicted, before anything is. The
//! [`Policy`] arranges the entries in the queues.
//!
//! A use is only recorded at first. Recorded uses are applied when their buffer is full, and before the order is needed. With `lru`, moving
//! one entry waits for its two neighbours, which are elsewhere in memory; moving many at once overlaps these waits.

use super::entry::USE_COST;
use super::idle::Uses;
use super::levels::{Amount, Levels};
use super::policy::{Arrival, GhostTable, Importance, Policy, Queue, QueueState, Queues, Scarce};
use super::slab::{Place, Slab};
use crate::base::config::EvictionPolicy;
use crate::base::hint::rarely;
use crate::base::{Millis, NoMemory};

/// The capacity of the buffer of recorded uses. With their number it has the size of four cache lines.
pub(super) const NOTES: usize = 63;

/// One of the queues. The queues of a priority come before those of a higher one.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct QueueId {
    priority: f64,
    queue: Queue,
}

/// The eviction order of a shard's entries.
#[repr(C)]
pub(super) struct EvictionOrder {
    /// The number of recorded uses. The first field, so that it lies next to the other data that each lookup writes.
    noted: u32,
    /// Uses that have not been applied to the lists, oldest first.
    notes: [Place; NOTES],
    levels: Levels<Queues>,
    policy: Policy,
    /// Present only with an idle TTL.
    uses: Option<Box<Uses>>,
}

impl EvictionOrder {
    pub fn new(policy: EvictionPolicy, idle_ms: Option<u64>) -> EvictionOrder {
        EvictionOrder::of(Policy::new(policy), idle_ms)
    }

    fn of(policy: Policy, idle_ms: Option<u64>) -> EvictionOrder {
        let uses = idle_ms.map(Uses::new).map(Box::new);
        EvictionOrder { levels: Levels::new(), policy, notes: [Place::NONE; NOTES], noted: 0, uses }
    }

    /// An empty order with the same settings.
    pub fn empty_copy(&self) -> EvictionOrder {
        EvictionOrder::of(self.policy.empty_copy(), self.uses.as_ref().map(|uses| uses.idle_ms()))
    }

    /// The part of an entry's cost that the order causes, in bytes.
    #[inline(always)]
    pub fn entry_cost(&self) -> u64 {
        self.policy.entry_cost() + if self.has_idle_ttl() { USE_COST } else { 0 }
    }

    /// Gets memory for the entries of a slab of this capacity.
    pub fn try_grow(&mut self, capacity: usize) -> Result<(), NoMemory> {
        self.policy.try_reserve(capacity)?;
        self.uses.as_mut().map_or(Ok(()), |uses| uses.try_grow(capacity))
    }

    /// Whether there are entries, and not all of them are known to have this priority.
    #[inline(always)]
    pub fn may_need_level(&self, priority: f64) -> bool {
        self.levels.may_need_another(priority)
    }

    /// Adds the entry at `place`; `hash` is the hash of its key. The caller must have turned a priority of -0 into 0.
    #[inline(always)]
    pub fn enter(&mut self, slab: &mut Slab, place: Place, hash: u64, importance: Importance, now: Millis) {
        self.apply_uses(slab);
        let Importance { priority, queue_state } = importance;
        let number = self.levels.open(priority);
        slab.set_level(place, number);
        let policy = &mut self.policy;
        self.levels.enter(number, slab.cost(place), |queues, whole| {
            policy.enter(slab, queues, whole, Arrival { place, hash, queue_state });
        });
        if self.has_idle_ttl() {
            self.uses.iter_mut().for_each(|uses| uses.enter(place, now, slab.node_capacity()));
        }
    }

    /// Whether the policy is `lru`, there are entries, all of this priority, and no idle TTL. Then [`EvictionOrder::exchange`] may be used.
    #[inline(always)]
    pub fn may_exchange(&self, priority: f64) -> bool {
        self.uses.is_none() && !self.policy.has_queue_states() && self.levels.is_only(priority)
    }

    /// Another entry takes over the node at `place`, and becomes the most recently used one: like [`EvictionOrder::leave`] and then
    /// [`EvictionOrder::enter`], but faster. `left` and `entered` are the costs of the two. All recorded uses must have been applied.
    #[inline(always)]
    pub fn exchange(&mut self, slab: &mut Slab, place: Place, left: u64, entered: u64) {
        debug_assert_eq!(self.noted, 0);
        self.levels.exchange_in_only(left, entered, |queues| Policy::renew(slab, queues, place));
    }

    /// Removes an entry from its queue. A level without entries is removed, too.
    pub fn leave(&mut self, slab: &mut Slab, place: Place) {
        // A recorded use must not be applied to the next entry at this place.
        self.apply_uses(slab);
        let number = slab.level(place);
        let policy = &mut self.policy;
        self.levels.leave(number, slab.cost(place), |queues| policy.leave(slab, queues, place));
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
        self.apply_uses(slab);
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
    pub fn apply_uses(&mut self, slab: &mut Slab) {
        if self.noted > 0 {
            self.apply_notes(slab);
        }
    }

    #[inline(never)]
    fn apply_notes(&mut self, slab: &mut Slab) {
        let notes = &self.notes[..self.noted as usize];
        match &mut self.policy {
            Policy::S3Fifo(policy) => notes.iter().for_each(|place| policy.used(*place)),
            Policy::Lru => {
                // Moving an entry writes to its neighbours, elsewhere in memory. All of them are prefetched before the first entry is
                // moved.
                notes.iter().for_each(|place| slab.prefetch_neighbours(*place));
                match self.levels.only() {
                    Some(number) => {
                        let queues = self.levels.list(number);
                        notes.iter().for_each(|place| Policy::renew(slab, queues, *place));
                    }
                    None => notes.iter().for_each(|place| {
                        let number = slab.level(*place);
                        Policy::renew(slab, self.levels.list(number), *place);
                    }),
                }
            }
        }
        if let Some(uses) = &mut self.uses {
            notes.iter().for_each(|place| uses.renew(*place));
        }
        self.noted = 0;
    }

    /// The queue after `id` in the order, even if it has no entries; the first queue, if `id` is `None`.
    pub fn queue_after(&self, id: Option<QueueId>) -> Option<QueueId> {
        match id {
            Some(QueueId { priority, queue: Queue::Small }) => Some(QueueId { priority, queue: Queue::Main }),
            _ => {
                let priority = self.levels.priority_above(id.map(|id| id.priority))?;
                Some(QueueId { priority, queue: Queue::Small })
            }
        }
    }

    /// The first entry of a queue.
    pub fn first_of(&self, id: QueueId) -> Option<Place> {
        self.levels.list_of(id.priority)?.first_of(id.queue)
    }

    pub fn priority_of(&self, slab: &Slab, place: Place) -> f64 {
        self.levels.priority(slab.level(place))
    }

    /// See [`Policy::queue_state`].
    #[inline(always)]
    pub fn queue_state(&mut self, slab: &mut Slab, place: Place) -> Option<QueueState> {
        self.policy_with_states(slab)?.queue_state(place)
    }

    /// See [`Policy::queue_state_after_use`].
    #[inline(always)]
    pub fn queue_state_after_use(&mut self, slab: &mut Slab, place: Place) -> Option<QueueState> {
        self.policy_with_states(slab)?.queue_state_after_use(place)
    }

    /// The policy, if it keeps a state of each entry, with all recorded uses applied.
    #[inline(always)]
    fn policy_with_states(&mut self, slab: &mut Slab) -> Option<&Policy> {
        if !self.policy.has_queue_states() {
            return None;
        }
        self.apply_uses(slab);
        Some(&self.policy)
    }

    /// See [`Policy::queue_state_of_returning`].
    pub fn queue_state_of_returning(&self) -> Option<QueueState> {
        self.policy.queue_state_of_returning()
    }

    /// The first entry by queues alone, without regard to frequencies or an idle TTL.
    pub fn first(&self) -> Option<Place> {
        self.levels.lowest().and_then(|(queues, _)| queues.first())
    }

    /// The last entry: with an idle TTL by the times of use, else by queues alone. Applies all recorded uses.
    pub fn last(&mut self, slab: &mut Slab) -> Option<Place> {
        self.apply_uses(slab);
        match &self.uses {
            Some(uses) => uses.newest(),
            None => self.levels.highest().and_then(Queues::last),
        }
    }

    /// Makes an entry the first of its queue, and moves it to the beginning of the list of uses.
    pub fn make_first(&mut self, slab: &mut Slab, place: Place) {
        self.apply_uses(slab);
        let number = slab.level(place);
        self.policy.make_first(slab, self.levels.list(number), place);
        self.uses.iter_mut().for_each(|uses| uses.make_oldest(place));
    }

    /// The entry that is probably the next victim, without applying recorded uses.
    #[inline]
    pub fn probable_victim(&self) -> Option<Place> {
        self.levels.lowest().and_then(|(queues, whole)| self.policy.probable_victim(queues, whole))
    }

    /// The next victim, after applying recorded uses.
    #[inline]
    pub fn next_victim(&mut self, slab: &mut Slab, scarce: Scarce) -> Option<Place> {
        self.apply_uses(slab);
        let (queues, whole) = self.levels.lowest_mut()?;
        self.policy.victim(slab, queues, whole, scarce)
    }

    /// See [`Policy::note_evicted`].
    #[inline(always)]
    pub fn note_evicted(&mut self, place: Place, hash: u64) -> Option<GhostTable> {
        self.policy.note_evicted(place, hash)
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
            (self.slab.get_or_insert_with(Slab::new), self.order.get_or_insert_with(|| EvictionOrder::new(EvictionPolicy::Lru, None)))
        }

        fn enter(&mut self, priority: f64, cost: u64) -> Place {
            let (slab, order) = self.parts();
            let detached = DetachedEntry { record: Record::new(b"", Answer::Null), cost, stored_at: Millis(0) };
            let place = slab.insert(slab.len(), detached, 1000);
            order.enter(slab, place, 0, Importance { priority, queue_state: None }, Millis(0));
            place
        }

        fn leave(&mut self, place: Place) {
            let (slab, order) = self.parts();
            order.leave(slab, place);
            // No entry enters after one has left in these tests, so the hash of each is the number of its place.
            drop(slab.remove(u64::from(place.number()), place));
        }

        fn next_victim(&mut self) -> Option<Place> {
            let (slab, order) = self.parts();
            order.next_victim(slab, Scarce::Entries)
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
        order.apply_uses(slab);
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
