//! The nodes of a shard, in one vector that grows towards the capacity and never beyond. Links are places in it.

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

    #[cfg(test)]
    pub fn of_number(number: u32) -> Place {
        Place(number)
    }
}

/// An entry as it is kept.
pub(super) struct Held {
    pub key: Key,
    pub answer: Answer,
    /// What the whole entry cost when it was stored.
    pub cost: u64,
    /// The end that its TTL sets; [`Millis::NEVER`] for none.
    pub deadline: Millis,
    /// When it was stored, and in the lowest byte which priority level's list it is in. Together, because a node then fills a
    /// cache line to the byte; what is left for the time ends after two million years.
    stored_and_level: u64,
}

const LEVEL_BITS: u32 = 8;

impl Held {
    pub fn new(key: Key, answer: Answer, cost: u64, deadline: Millis, stored_at: Millis) -> Held {
        let latest = u64::MAX >> LEVEL_BITS;
        Held { key, answer, cost, deadline, stored_and_level: stored_at.0.min(latest) << LEVEL_BITS }
    }

    #[inline]
    pub fn stored_at(&self) -> Millis {
        Millis(self.stored_and_level >> LEVEL_BITS)
    }

    #[inline]
    pub fn level(&self) -> u8 {
        (self.stored_and_level & 0xFF) as u8
    }

    fn set_level(&mut self, level: u8) {
        self.stored_and_level = self.stored_at().0 << LEVEL_BITS | u64::from(level);
    }

    /// What stands in a place that is free, so that a lookup need not ask whether there is an entry.
    fn vacant() -> Held {
        let mut held = Held::new(Key::new(&[]), Answer::Null, 0, Millis::NEVER, Millis(0));
        held.set_level(VACANT);
        held
    }

    fn is_vacant(&self) -> bool {
        self.level() == VACANT
    }
}

/// No level has this number.
const VACANT: u8 = u8::MAX;

/// A place for an entry. In use its links are those of its level's recency list; free, `newer` leads to the next free one.
/// One cache line, so that a hit waits for one.
#[repr(align(64))]
struct Node {
    held: Held,
    older: Place,
    newer: Place,
}

/// What a node takes up, for the published entry cost.
#[cfg(test)]
pub(super) const NODE_BYTES: usize = size_of::<Node>();

/// The nodes.
pub(super) struct Slab {
    nodes: Vec<Node>,
    free: Place,
    live: u64,
}

impl Slab {
    pub fn new() -> Slab {
        Slab { nodes: Vec::new(), free: Place::NONE, live: 0 }
    }

    pub fn len(&self) -> u64 {
        self.live
    }

    /// For how many nodes there is memory.
    pub fn room(&self) -> usize {
        self.nodes.capacity()
    }

    /// Finds a place for `held`. There are at most `limit` entries, this one included.
    pub fn insert(&mut self, held: Held, limit: u64) -> Place {
        self.live += 1;
        let node = Node { held, older: Place::NONE, newer: Place::NONE };
        if let Some(place) = self.free.some() {
            self.free = self.nodes[place.index()].newer;
            self.nodes[place.index()] = node;
            return place;
        }
        let len = self.nodes.len();
        if len == self.nodes.capacity() {
            // Doubling as a vector does, but its last step would overshoot the capacity, by half of the memory on average.
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let room = len.saturating_mul(2).max(FIRST_GROWTH).min(limit).max(len + 1);
            self.nodes.reserve_exact(room - len);
        }
        self.nodes.push(node);
        Place(u32::try_from(len).expect("a shard holds at most MAX_NODES entries"))
    }

    /// Takes the entry out; its links must have been cut.
    pub fn remove(&mut self, place: Place) -> Held {
        let node = &mut self.nodes[place.index()];
        let held = std::mem::replace(&mut node.held, Held::vacant());
        assert!(!held.is_vacant(), "a linked node holds an entry");
        node.newer = self.free;
        self.free = place;
        self.live -= 1;
        held
    }

    #[inline]
    pub fn held(&self, place: Place) -> &Held {
        &self.nodes[place.index()].held
    }

    pub fn set_level(&mut self, place: Place, level: u8) {
        self.nodes[place.index()].held.set_level(level);
    }

    #[inline]
    pub fn older(&self, place: Place) -> Place {
        self.nodes[place.index()].older
    }

    #[inline]
    pub fn newer(&self, place: Place) -> Place {
        self.nodes[place.index()].newer
    }

    /// Links the node at `place` behind the one that was the last.
    #[inline]
    pub fn link_last(&mut self, last: Place, place: Place) {
        self.nodes[last.index()].newer = place;
        let node = &mut self.nodes[place.index()];
        (node.older, node.newer) = (last, Place::NONE);
    }

    #[inline]
    pub fn set_older(&mut self, place: Place, older: Place) {
        self.nodes[place.index()].older = older;
    }

    #[inline]
    pub fn set_newer(&mut self, place: Place, newer: Place) {
        self.nodes[place.index()].newer = newer;
    }

    /// Every entry there is, in no order, trusting no link.
    pub fn into_entries(self) -> impl Iterator<Item = Held> {
        self.nodes.into_iter().map(|node| node.held).filter(|held| !held.is_vacant())
    }
}

#[cfg(test)]
mod tests {
    use super::super::ENTRY_COST;
    use super::super::index::BYTES_PER_ENTRY;
    use super::*;

    fn held(name: u8) -> Held {
        Held::new(Key::new(&[name]), Answer::Null, 1, Millis::NEVER, Millis(0))
    }

    #[test]
    fn a_level_and_a_time_share_a_word_and_leave_each_other_alone() {
        for at in [0, 1, 1 << 40, (1 << 56) - 1] {
            let mut held = Held::new(Key::new(b""), Answer::Null, 1, Millis::NEVER, Millis(at));
            held.set_level(63);
            held.set_level(17);
            assert_eq!((held.stored_at(), held.level()), (Millis(at), 17));
        }
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
            assert_eq!(slab.room() as u64, limit);
        }
    }

    #[test]
    fn a_free_place_is_used_again_before_the_slab_grows() {
        let mut slab = Slab::new();
        let places: Vec<Place> = (0..4).map(|i| slab.insert(held(i), 100)).collect();
        assert_eq!(&*slab.remove(places[1]).key, [1]);
        assert_eq!(&*slab.remove(places[2]).key, [2]);
        assert_eq!(slab.insert(held(9), 100), places[2]);
        assert_eq!(slab.insert(held(8), 100), places[1]);
        assert_eq!((slab.len(), &*slab.held(places[2]).key), (4, &[9][..]));
    }
}
