//! The nodes of a shard, in one vector that grows towards the capacity and never beyond. Links are places in it.

use super::departure::Departure;
use crate::base::hint::{prefetch, rarely};
use crate::base::{Answer, Key, Millis};

/// More nodes a shard cannot number: the wheel needs the top bit of a place for itself.
pub(super) const MAX_NODES: u64 = 1 << 31;

const FIRST_GROWTH: usize = 8;

/// A node's place in the slab.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place(u32);

impl Place {
    /// No node: the end of a list.
    pub const NONE: Place = Place(u32::MAX);

    #[inline]
    pub fn some(self) -> Option<Place> {
        (self != Place::NONE).then_some(self)
    }

    #[inline]
    pub fn index(self) -> usize {
        self.0 as usize
    }

    #[inline]
    pub const fn number(self) -> u32 {
        self.0
    }

    #[inline]
    pub const fn of_number(number: u32) -> Place {
        Place(number)
    }
}

/// An entry on its way into its node or out of it.
pub(super) struct Held {
    pub key: Key,
    pub answer: Answer,
    /// What the whole entry cost when it was stored.
    pub cost: u64,
    /// The end that its TTL sets; [`Millis::NEVER`] for none.
    pub deadline: Millis,
    pub stored_at: Millis,
}

/// What tells whether a lookup found its entry, and whether it is alive.
#[repr(align(32))]
struct Named {
    key: Key,
    deadline: Millis,
}

/// The neighbours in the level's recency list; in a free node, `newer` leads to the next free one.
#[repr(align(8))]
struct Linked {
    older: Place,
    newer: Place,
}

/// What no lookup needs.
struct Noted {
    cost: u64,
    /// When it was stored, or [`VACANT`].
    stored_at: Millis,
}

/// In the place of the time in a node that holds nothing.
const VACANT: Millis = Millis::NEVER;

impl Noted {
    fn new(cost: u64, stored_at: Millis) -> Noted {
        Noted { cost, stored_at: stored_at.min(Millis(VACANT.0 - 1)) }
    }

    fn is_vacant(&self) -> bool {
        self.stored_at == VACANT
    }
}

/// What a lookup that found its key looks at.
pub(super) struct Found<'a> {
    pub deadline: Millis,
    pub answer: &'a Answer,
}

/// What a node takes up, for the published entry cost.
#[cfg(test)]
pub(super) const NODE_BYTES: usize = size_of::<Named>() + size_of::<Answer>() + size_of::<Linked>() + size_of::<Noted>();

/// The nodes, in columns. A lookup that knows the place asks memory for the key and for the answer at once, and the value behind the
/// answer does not wait for the key; and what a lookup leaves alone takes up none of the processor's caches.
pub(super) struct Slab {
    named: Vec<Named>,
    answers: Vec<Answer>,
    linked: Vec<Linked>,
    noted: Vec<Noted>,
    /// The number of each node's priority level. Empty until there is a second level; before that all are in number 0.
    levels: Vec<u32>,
    free: Place,
    live: u64,
}

impl Slab {
    pub fn new() -> Slab {
        Slab {
            named: Vec::new(),
            answers: Vec::new(),
            linked: Vec::new(),
            noted: Vec::new(),
            levels: Vec::new(),
            free: Place::NONE,
            live: 0,
        }
    }

    pub fn len(&self) -> u64 {
        self.live
    }

    /// For how many nodes there is memory.
    pub fn room(&self) -> usize {
        self.named.capacity()
    }

    /// Finds a place for `held`. There are at most `limit` entries, this one included.
    pub fn insert(&mut self, held: Held, limit: u64) -> Place {
        self.live += 1;
        let Held { key, answer, cost, deadline, stored_at } = held;
        let named = Named { key, deadline };
        let linked = Linked { older: Place::NONE, newer: Place::NONE };
        let noted = Noted::new(cost, stored_at);
        if let Some(place) = self.free.some() {
            let at = place.index();
            self.free = self.linked[at].newer;
            (self.named[at], self.answers[at], self.linked[at], self.noted[at]) = (named, answer, linked, noted);
            return place;
        }
        let len = self.named.len();
        if len == self.named.capacity() {
            // Doubling as a vector does, but its last step would overshoot the capacity, by half of the memory on average.
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let room = len.saturating_mul(2).max(FIRST_GROWTH).min(limit).max(len + 1);
            self.named.reserve_exact(room - len);
            self.answers.reserve_exact(room - len);
            self.linked.reserve_exact(room - len);
            self.noted.reserve_exact(room - len);
        }
        self.named.push(named);
        self.answers.push(answer);
        self.linked.push(linked);
        self.noted.push(noted);
        Place(u32::try_from(len).expect("a shard holds at most MAX_NODES entries"))
    }

    /// Takes the entry out into `left`, which is blank; its links must have been cut.
    #[inline]
    pub fn remove(&mut self, place: Place, left: &mut Departure) {
        debug_assert!(left.key.is_empty() && left.answer.value().is_none(), "what is swapped in stays in the node");
        let at = place.index();
        let noted = &mut self.noted[at];
        assert!(!noted.is_vacant(), "a linked node holds an entry");
        (left.cost, left.stored_at) = (noted.cost, noted.stored_at);
        noted.stored_at = VACANT;
        std::mem::swap(&mut left.key, &mut self.named[at].key);
        std::mem::swap(&mut left.answer, &mut self.answers[at]);
        self.linked[at].newer = self.free;
        self.free = place;
        self.live -= 1;
    }

    /// Whether the entry at `place` is there, and is that of `key`.
    #[inline(always)]
    pub fn holds(&self, place: Place, key: &[u8]) -> bool {
        let Some(named) = self.named.get(place.index()) else { return false };
        // A node that holds nothing holds the empty key.
        named.key.is(key) && !(rarely(key.is_empty()) && self.noted.get(place.index()).is_none_or(Noted::is_vacant))
    }

    /// How many nodes there are or were: places are below that.
    pub fn nodes(&self) -> usize {
        self.noted.len()
    }

    /// Whether there is an entry at `place`.
    pub fn is_live(&self, place: Place) -> bool {
        self.noted.get(place.index()).is_some_and(|noted| !noted.is_vacant())
    }

    /// The entry at `place`, if there is such a place.
    #[inline(always)]
    pub fn get(&self, place: Place) -> Option<Found<'_>> {
        Some(Found { deadline: self.named.get(place.index())?.deadline, answer: self.answers.get(place.index())? })
    }

    /// The entry at `place` will be looked at soon.
    #[inline]
    pub fn prefetch(&self, place: Place) {
        self.named.get(place.index()).into_iter().for_each(prefetch);
        self.answers.get(place.index()).into_iter().for_each(prefetch);
        self.linked.get(place.index()).into_iter().for_each(prefetch);
        self.noted.get(place.index()).into_iter().for_each(prefetch);
    }

    /// The neighbours of the entry at `place` will be linked anew soon.
    #[inline(always)]
    pub fn prefetch_neighbours(&self, place: Place) {
        let Some(linked) = self.linked.get(place.index()) else { return };
        self.linked.get(linked.older.index()).into_iter().for_each(prefetch);
        self.linked.get(linked.newer.index()).into_iter().for_each(prefetch);
    }

    #[inline(always)]
    pub fn key(&self, place: Place) -> &Key {
        &self.named[place.index()].key
    }

    #[inline(always)]
    pub fn deadline(&self, place: Place) -> Millis {
        self.named[place.index()].deadline
    }

    pub fn set_deadline(&mut self, place: Place, deadline: Millis) {
        self.named[place.index()].deadline = deadline;
    }

    #[inline(always)]
    pub fn answer(&self, place: Place) -> &Answer {
        &self.answers[place.index()]
    }

    #[inline]
    pub fn cost(&self, place: Place) -> u64 {
        self.noted[place.index()].cost
    }

    #[inline]
    pub fn stored_at(&self, place: Place) -> Millis {
        self.noted[place.index()].stored_at
    }

    #[inline]
    pub fn level(&self, place: Place) -> u32 {
        self.levels.get(place.index()).copied().unwrap_or(0)
    }

    #[inline]
    pub fn set_level(&mut self, place: Place, level: u32) {
        if level != 0 || rarely(!self.levels.is_empty()) {
            self.note_level(place, level);
        }
    }

    #[inline(never)]
    fn note_level(&mut self, place: Place, level: u32) {
        if self.levels.is_empty() {
            // Zeroed memory comes from the system as it is: however many nodes there are, this does not touch them.
            self.levels = vec![0; self.room()];
        } else if self.levels.len() <= place.index() {
            self.levels.resize(self.room(), 0);
        }
        self.levels[place.index()] = level;
    }

    #[inline]
    pub fn older(&self, place: Place) -> Place {
        self.linked[place.index()].older
    }

    #[inline]
    pub fn newer(&self, place: Place) -> Place {
        self.linked[place.index()].newer
    }

    /// Links the node at `place` behind the one that was the last.
    #[inline]
    pub fn link_last(&mut self, last: Place, place: Place) {
        self.linked[last.index()].newer = place;
        let node = &mut self.linked[place.index()];
        (node.older, node.newer) = (last, Place::NONE);
    }

    #[inline]
    pub fn set_older(&mut self, place: Place, older: Place) {
        self.linked[place.index()].older = older;
    }

    #[inline]
    pub fn set_newer(&mut self, place: Place, newer: Place) {
        self.linked[place.index()].newer = newer;
    }

    /// Every entry there is, in no order, trusting no link.
    pub fn into_entries(self) -> impl Iterator<Item = Held> {
        let columns = self.named.into_iter().zip(self.answers).zip(self.noted);
        columns.filter(|(_, noted)| !noted.is_vacant()).map(|((named, answer), noted)| Held {
            key: named.key,
            answer,
            cost: noted.cost,
            deadline: named.deadline,
            stored_at: noted.stored_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::ENTRY_COST;
    use super::super::index::BYTES_PER_ENTRY;
    use super::*;

    fn held(name: u8) -> Held {
        Held { key: Key::new(&[name]), answer: Answer::Null, cost: 1, deadline: Millis::NEVER, stored_at: Millis(0) }
    }

    fn taken(slab: &mut Slab, place: Place) -> Key {
        let mut left = Departure::BLANK;
        slab.remove(place, &mut left);
        left.key
    }

    #[test]
    fn s05a_levels_take_memory_once_there_are_two() {
        let mut slab = Slab::new();
        let places: Vec<Place> = (0..100).map(|i| slab.insert(held(i), 1_000)).collect();
        places.iter().for_each(|place| slab.set_level(*place, 0));
        assert_eq!(slab.levels.capacity(), 0);
        slab.set_level(places[7], u32::MAX - 1);
        slab.set_level(places[99], 300);
        slab.set_level(places[99], 0);
        let levels: Vec<u32> = places.iter().map(|place| slab.level(*place)).collect();
        assert_eq!(levels.iter().sum::<u32>(), u32::MAX - 1);
        assert_eq!(levels[7], u32::MAX - 1);
        let later = (0..100).map(|i| slab.insert(held(i), 1_000)).last().expect("a place");
        assert_eq!(slab.level(later), 0);
        slab.set_level(later, 5);
        assert_eq!((slab.level(later), slab.level(places[7])), (5, u32::MAX - 1));
    }

    #[test]
    fn s03_the_published_cost_covers_the_node_and_its_place_in_the_index() {
        assert_eq!(NODE_BYTES, 64);
        assert!(NODE_BYTES as f64 + BYTES_PER_ENTRY <= ENTRY_COST as f64);
    }

    #[test]
    fn s02_the_slab_never_has_room_for_more_than_the_limit() {
        for limit in [1, 5, 8, 9, 100, 1000] {
            let mut slab = Slab::new();
            assert_eq!(slab.room(), 0, "nothing is allocated in advance");
            for i in 0..limit {
                slab.insert(held(i as u8), limit);
            }
            let room = [slab.named.capacity(), slab.answers.capacity(), slab.linked.capacity(), slab.noted.capacity()];
            assert_eq!(room, [limit as usize; 4]);
        }
    }

    #[test]
    fn a_free_place_is_used_again_before_the_slab_grows() {
        let mut slab = Slab::new();
        let places: Vec<Place> = (0..4).map(|i| slab.insert(held(i), 100)).collect();
        assert_eq!(*taken(&mut slab, places[1]), [1]);
        assert_eq!(*taken(&mut slab, places[2]), [2]);
        assert_eq!(slab.insert(held(9), 100), places[2]);
        assert_eq!(slab.insert(held(8), 100), places[1]);
        assert_eq!((slab.len(), &**slab.key(places[2])), (4, &[9][..]));
        assert_eq!(*taken(&mut slab, places[0]), [0]);
        assert!(!slab.holds(places[0], b"") && !slab.holds(places[0], &[0]) && slab.holds(places[3], &[3]));
        let mut names: Vec<u8> = slab.into_entries().map(|held| held.key[0]).collect();
        names.sort_unstable();
        assert_eq!(names, [3, 8, 9], "what was taken out is not there, whatever stands in its node");
    }
}
