//! The nodes of a shard, in columns that never grow beyond the capacity, and the index that finds them. Links between nodes are places in
//! the columns.
//!
//! The file uses unsafe code for one reason: the index stores addresses of records, so that a lookup need not wait for a vector as well.
//! Therefore only this file changes the index: an address is in it only while the record is in its node.

use super::column::Column;
use super::entry::cost_of;
use super::index::{Index, OutgrownTable};
use super::links::{LinkArray, Links};
use super::sparse::SparseColumn;
use crate::base::hint::{prefetch, prefetch_at, rarely};
use crate::base::record::{Address, AnswerRef, RecordRef};
use crate::base::{Millis, NoMemory, Record};
use std::alloc::{Layout, handle_alloc_error};

/// The maximum number of nodes of a shard: the wheel uses the top bit of a place for itself.
pub(super) const MAX_NODES: u64 = 1 << 31;

/// The minimum number of nodes that a slab grows by.
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

/// An entry that is not in a node: before it is inserted, or after it was taken out.
pub(super) struct DetachedEntry {
    pub record: Record,
    /// The cost of the whole entry when it was stored, in bytes.
    pub cost: u64,
    pub stored_at: Millis,
}

/// An entry, or a free place, without its links.
struct Node {
    record: Option<Record>,
    /// The cost of the whole entry, in bytes.
    cost: u64,
    stored_at: Millis,
}

/// The size of a node without its record, in bytes, for the published cost of an entry.
#[cfg(test)]
pub(super) const NODE_BYTES: usize = size_of::<Node>() + size_of::<Links>();

/// The result of a lookup.
pub(super) struct FoundEntry<'a> {
    pub place: Place,
    pub record: RecordRef<'a>,
}

/// The nodes, in columns, so that data which lookups do not need take no space in the processor's caches. A lookup waits for a cache line
/// of the index, and then for the record, which contains everything else.
pub(super) struct Slab {
    index: Index,
    nodes: Column<Node>,
    links: LinkArray,
    /// The number of each node's priority level. Unused until there is a second level; until then all nodes are in level 0.
    levels: SparseColumn<u32>,
    free: Place,
    entries: u64,
}

impl Slab {
    pub fn new() -> Slab {
        Slab {
            index: Index::new(),
            nodes: Column::new(),
            links: LinkArray::new(),
            levels: SparseColumn::new(0),
            free: Place::NONE,
            entries: 0,
        }
    }

    pub fn len(&self) -> u64 {
        self.entries
    }

    /// The number of nodes that there is memory for.
    pub fn node_capacity(&self) -> usize {
        self.nodes.capacity()
    }

    /// Whether there is memory to be freed, because the index or the links have moved.
    #[inline(always)]
    pub fn has_outgrown(&self) -> bool {
        self.index.outgrown() | self.links.outgrown() > 0
    }

    /// Returns memory that is no longer used, to be dropped after the lock is released.
    pub fn take_outgrown(&mut self) -> (OutgrownTable, Vec<Links>) {
        (self.index.take_outgrown(), self.links.take_outgrown())
    }

    /// The index, read-only.
    #[inline]
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// Returns the entry of `key`. `hash` is the hash of the key.
    #[inline(always)]
    pub fn find(&self, hash: u64, key: &[u8]) -> Option<FoundEntry<'_>> {
        // SAFETY: for every address in the index the record is in its node, and changes through `&mut self` only.
        let at = |address: Address| unsafe { address.record() };
        let found = self.index.find(
            hash,
            #[inline(always)]
            |address| at(address).has_key(key),
        );
        found.map(|address| {
            let record = at(address);
            FoundEntry { place: Place(record.number()), record }
        })
    }

    /// Like [`Index::walk`], but passes places instead of addresses.
    pub fn walk(&self, from: u32, most: usize, mut show: impl FnMut(Place)) -> Option<u32> {
        // SAFETY: as in `find`.
        self.index.walk(from, most, |address| show(Place(unsafe { address.record() }.number())))
    }

    /// Adds an entry. `hash` is the hash of its key; `limit` is the maximum number of entries.
    pub fn insert(&mut self, hash: u64, detached: DetachedEntry, limit: u64) -> Place {
        let address = detached.record.address();
        let place = self.fill_node(detached, limit);
        // The index comes second, so that a panic between the two leaves no dangling address.
        self.index.insert(hash, address, limit);
        place
    }

    /// Whether one more entry needs more memory than there is. `limit` is the maximum number of entries. A full slab needs none: an entry
    /// leaves first.
    #[inline(always)]
    pub fn must_grow(&self, limit: u64) -> bool {
        self.entries < limit && ((self.free == Place::NONE && self.is_used_up()) || self.index.must_grow())
    }

    /// Whether all memory for nodes is used. The links always have memory for at least as many nodes.
    #[inline(always)]
    fn is_used_up(&self) -> bool {
        self.nodes.len() == self.nodes.capacity()
    }

    /// The number of nodes that memory is needed for when one more entry is added. `limit` is the maximum number of entries.
    pub fn wanted_capacity(&self, limit: u64) -> usize {
        let capacity = self.node_capacity();
        if self.free == Place::NONE && self.is_used_up() { Slab::next_capacity(capacity, limit) } else { capacity }
    }

    /// Gets memory for another entry. `limit` is the maximum number of entries. If memory runs out, no entry changes; columns that have
    /// grown keep their memory.
    #[cold]
    pub fn try_grow(&mut self, limit: u64) -> Result<(), NoMemory> {
        let capacity = self.wanted_capacity(limit);
        if self.node_capacity() < capacity {
            if self.has_levels() {
                self.levels.try_grow(capacity)?;
            }
            // The nodes come last, because their capacity decides whether there is room.
            self.links.try_grow(capacity)?;
            self.nodes.try_grow(capacity)?;
        }
        Ok(self.index.try_grow(limit)?)
    }

    /// Copies a part of the links to a larger array, for a limit that is about to rise to `limit`. Returns whether there is more to copy:
    /// see [`LinkArray::prepare`].
    pub fn prepare(&mut self, limit: u64) -> bool {
        self.links.prepare(|capacity| Slab::next_capacity_below(capacity, limit))
    }

    /// Like [`Slab::next_capacity`], but `capacity` itself if `limit` allows no more.
    fn next_capacity_below(capacity: usize, limit: u64) -> usize {
        Slab::next_capacity(capacity, limit).min(usize::try_from(limit).unwrap_or(usize::MAX)).max(capacity)
    }

    /// The next capacity of a slab with `len` nodes, all of them in use: at most `limit`, but always room for one more node.
    fn next_capacity(len: usize, limit: u64) -> usize {
        // Grows by an eighth. Doubling, as a vector does, could leave half of the memory unused, which is not part of any entry's cost
        // (rule S03a).
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        len.saturating_add((len / 8).max(FIRST_GROWTH)).min(limit).max(len + 1)
    }

    fn fill_node(&mut self, detached: DetachedEntry, limit: u64) -> Place {
        self.entries += 1;
        let DetachedEntry { mut record, cost, stored_at } = detached;
        let next = self.free.some().map_or(self.nodes.len(), Place::index);
        record.set_number(u32::try_from(next).expect("a shard holds at most MAX_NODES entries"));
        let node = Node { record: Some(record), cost, stored_at };
        if let Some(place) = self.free.some() {
            self.free = self.links.of(place).newer;
            self.nodes[place.index()] = node;
            return place;
        }
        if rarely(self.is_used_up()) {
            let capacity = Slab::next_capacity(self.nodes.len(), limit);
            if self.links.try_grow(capacity).is_err() {
                handle_alloc_error(Layout::new::<Links>());
            }
            self.nodes.grow(capacity);
        }
        self.nodes.push(node);
        self.links.push(Links::NONE, |capacity| Slab::next_capacity_below(capacity, limit));
        Place(next as u32)
    }

    /// Takes out the entry at `place`, which must have been unlinked. `hash` is the hash of its key.
    #[inline(always)]
    pub fn remove(&mut self, hash: u64, place: Place) -> DetachedEntry {
        let node = &mut self.nodes[place.index()];
        let address = node.record.as_ref().expect("a linked node holds an entry").address();
        self.index.remove(hash, address);
        let record = node.record.take().expect("a linked node holds an entry");
        let left = DetachedEntry { record, cost: node.cost, stored_at: node.stored_at };
        self.add_free(place);
        left
    }

    /// Puts `entering` into the node at `place`, and returns the entry that was there. `hash` is the hash of the new key, `former_hash`
    /// that of the former; `limit` is the maximum number of entries. The links stay.
    #[inline(always)]
    pub fn exchange(&mut self, place: Place, former_hash: u64, hash: u64, entering: DetachedEntry, limit: u64) -> DetachedEntry {
        let DetachedEntry { mut record, cost, stored_at } = entering;
        record.set_number(place.number());
        let (index, node) = (&mut self.index, &mut self.nodes[place.index()]);
        let (former, address) = (node.record.as_ref().expect("a linked node holds an entry").address(), record.address());
        // An address is removed before its record leaves the node, and added after its record has entered, so that a panic in between
        // leaves no dangling address. Nothing can panic between `replace` and the change of the node.
        if former_hash == hash {
            index.replace(hash, former, address);
        } else {
            index.remove(former_hash, former);
        }
        let left = std::mem::replace(node, Node { record: Some(record), cost, stored_at });
        if former_hash != hash {
            index.insert(hash, address, limit);
        }
        DetachedEntry { record: left.record.expect("a linked node holds an entry"), cost: left.cost, stored_at: left.stored_at }
    }

    #[inline(always)]
    fn add_free(&mut self, place: Place) {
        self.links.of_mut(place).newer = self.free;
        self.links.changed([place]);
        self.free = place;
        self.entries -= 1;
    }

    /// The record of the entry at `place`, if there is one.
    #[inline(always)]
    pub fn get(&self, place: Place) -> Option<&Record> {
        self.nodes.get(place.index())?.record.as_ref()
    }

    /// The cost that the entry at `place` would have without a stated cost of its value; `overhead` as for [`cost_of`].
    pub fn own_cost(&self, place: Place, overhead: u64) -> u64 {
        cost_of(self.record(place), None, overhead)
    }

    /// The number of nodes, including free ones. All places have lower numbers.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is an entry at `place`.
    pub fn has_entry(&self, place: Place) -> bool {
        self.get(place).is_some()
    }

    /// The record of the entry at `place`, which must exist.
    #[inline(always)]
    fn record(&self, place: Place) -> &Record {
        self.nodes[place.index()].record.as_ref().expect("a linked node holds an entry")
    }

    /// Prefetches the node at `place`, but not its record.
    #[inline]
    pub fn prefetch(&self, place: Place) {
        self.nodes.get(place.index()).into_iter().for_each(prefetch);
        prefetch_at(self.links.address(place));
    }

    /// Prefetches the neighbours of the entry at `place`, whose links will be changed soon.
    #[inline(always)]
    pub fn prefetch_neighbours(&self, place: Place) {
        let Some(links) = self.links.get(place) else { return };
        // Without a neighbour this is an address beyond the nodes, which a prefetch ignores.
        prefetch_at(self.links.address(links.older));
        prefetch_at(self.links.address(links.newer));
    }

    #[inline(always)]
    pub fn key(&self, place: Place) -> &[u8] {
        self.record(place).key()
    }

    #[inline(always)]
    pub fn deadline(&self, place: Place) -> Millis {
        self.record(place).deadline()
    }

    pub fn set_deadline(&mut self, place: Place, deadline: Millis) {
        self.nodes[place.index()].record.as_mut().expect("a linked node holds an entry").set_deadline(deadline);
    }

    #[inline(always)]
    pub fn answer(&self, place: Place) -> AnswerRef<'_> {
        self.record(place).answer()
    }

    #[inline]
    pub fn cost(&self, place: Place) -> u64 {
        self.nodes[place.index()].cost
    }

    /// The cost of the entry at `place`, and the time at which it was put: one access for both.
    #[inline]
    pub fn cost_and_time(&self, place: Place) -> (u64, Millis) {
        let node = &self.nodes[place.index()];
        (node.cost, node.stored_at)
    }

    pub fn set_stored_at(&mut self, place: Place, stored_at: Millis) {
        self.nodes[place.index()].stored_at = stored_at;
    }

    #[inline]
    pub fn level(&self, place: Place) -> u32 {
        if rarely(self.has_levels()) { self.levels[place.index()] } else { 0 }
    }

    #[inline]
    pub fn set_level(&mut self, place: Place, level: u32) {
        if level != 0 || rarely(self.has_levels()) {
            self.note_level(place, level);
        }
    }

    /// Whether nodes can be in other levels than 0.
    #[inline(always)]
    pub fn has_levels(&self) -> bool {
        !self.levels.is_unused()
    }

    /// Prepares for a second level. If there is no memory for that, nothing changes.
    pub fn try_begin_levels(&mut self) -> Result<(), NoMemory> {
        self.levels.try_grow(self.node_capacity())
    }

    #[inline(never)]
    fn note_level(&mut self, place: Place, level: u32) {
        if level != 0 {
            *self.levels.reach(place.index(), self.nodes.capacity()) = level;
        } else if let Some(before) = self.levels.get_mut(place.index()) {
            *before = level;
        }
    }

    #[inline]
    pub fn older(&self, place: Place) -> Place {
        self.links.of(place).older
    }

    #[inline]
    pub fn newer(&self, place: Place) -> Place {
        self.links.of(place).newer
    }

    /// The links of the nodes, to change them.
    #[inline(always)]
    pub fn links_mut(&mut self) -> &mut LinkArray {
        &mut self.links
    }

    /// Returns all entries, in no particular order, without following links.
    pub fn into_entries(self) -> impl Iterator<Item = DetachedEntry> {
        self.nodes.into_elements().filter_map(|Node { record, cost, stored_at }| Some(DetachedEntry { record: record?, cost, stored_at }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::NODE_COST;
    use super::super::index::BYTES_PER_ENTRY;
    use super::*;
    use crate::base::Answer;

    fn detached(name: u8) -> DetachedEntry {
        DetachedEntry { record: Record::new(&[name], Answer::Null), cost: 1, stored_at: Millis(0) }
    }

    /// A distinct hash for each of the keys in these tests.
    fn hash(key: &[u8]) -> u64 {
        u64::from(key[0]).wrapping_mul(0x9E37_79B9)
    }

    fn insert(slab: &mut Slab, detached: DetachedEntry, limit: u64) -> Place {
        slab.insert(hash(detached.record.key()), detached, limit)
    }

    fn taken(slab: &mut Slab, place: Place) -> Vec<u8> {
        let hash = hash(slab.key(place));
        slab.remove(hash, place).record.key().to_vec()
    }

    #[test]
    fn s05a_the_column_of_levels_is_allocated_with_the_second_level() {
        let mut slab = Slab::new();
        let places: Vec<Place> = (0..100).map(|i| insert(&mut slab, detached(i), 1_000)).collect();
        places.iter().for_each(|place| slab.set_level(*place, 0));
        assert!(!slab.has_levels());
        slab.set_level(places[7], u32::MAX - 1);
        slab.set_level(places[99], 300);
        slab.set_level(places[99], 0);
        let levels: Vec<u32> = places.iter().map(|place| slab.level(*place)).collect();
        assert_eq!(levels.iter().sum::<u32>(), u32::MAX - 1);
        assert_eq!(levels[7], u32::MAX - 1);
        let later = (0..100).map(|i| insert(&mut slab, detached(i), 1_000)).last().expect("a place");
        assert_eq!(slab.level(later), 0);
        slab.set_level(later, 5);
        assert_eq!((slab.level(later), slab.level(places[7])), (5, u32::MAX - 1));
    }

    #[test]
    fn s03_the_published_cost_covers_the_node_and_its_place_in_the_index() {
        let tables = NODE_BYTES as f64 + BYTES_PER_ENTRY;
        assert!(tables <= NODE_COST as f64, "{tables}");
        assert!(cfg!(target_pointer_width = "32") || tables > NODE_COST as f64 - 1.0, "{tables}");
    }

    #[test]
    fn s02_the_slab_never_allocates_beyond_the_limit() {
        for limit in [1, 5, 8, 9, 100, 1000] {
            let mut slab = Slab::new();
            assert_eq!(slab.node_capacity(), 0, "nothing is allocated in advance");
            for i in 0..limit {
                insert(&mut slab, detached(i as u8), limit);
            }
            let capacities = [slab.nodes.capacity(), slab.links.capacity()];
            assert_eq!(capacities, [limit as usize; 2]);
        }
    }

    #[test]
    fn an_entry_in_the_node_of_another_is_found_under_its_own_key_only() {
        let mut slab = Slab::new();
        let places: Vec<Place> = (0..4).map(|i| insert(&mut slab, detached(i), 4)).collect();
        let found = |slab: &Slab| (0..10).filter_map(|name| Some((name, slab.find(hash(&[name]), &[name])?.place))).collect::<Vec<_>>();
        let left = slab.exchange(places[2], hash(&[2]), hash(&[9]), detached(9), 4);
        assert_eq!((left.record.key(), slab.len()), (&[2][..], 4));
        assert_eq!(found(&slab), [(0, places[0]), (1, places[1]), (3, places[3]), (9, places[2])]);
        let left = slab.exchange(places[2], hash(&[9]), hash(&[9]), DetachedEntry { cost: 7, ..detached(9) }, 4);
        assert_eq!((left.record.key(), left.cost, slab.cost(places[2])), (&[9][..], 1, 7));
        assert_eq!(found(&slab), [(0, places[0]), (1, places[1]), (3, places[3]), (9, places[2])]);
    }

    #[test]
    fn a_free_place_is_reused_before_the_slab_grows() {
        let mut slab = Slab::new();
        let places: Vec<Place> = (0..4).map(|i| insert(&mut slab, detached(i), 100)).collect();
        assert_eq!(taken(&mut slab, places[1]), [1]);
        assert_eq!(taken(&mut slab, places[2]), [2]);
        assert_eq!(insert(&mut slab, detached(9), 100), places[2]);
        assert_eq!(insert(&mut slab, detached(8), 100), places[1]);
        assert_eq!((slab.len(), slab.key(places[2])), (4, &[9][..]));
        assert_eq!(taken(&mut slab, places[0]), [0]);
        let find = |name: u8| slab.find(hash(&[name]), &[name]).map(|found| found.place);
        assert_eq!([0, 9, 3].map(find), [None, Some(places[2]), Some(places[3])]);
        let mut names: Vec<u8> = slab.into_entries().map(|detached| detached.record.key()[0]).collect();
        names.sort_unstable();
        assert_eq!(names, [3, 8, 9], "entries that were taken out are not returned");
    }
}
