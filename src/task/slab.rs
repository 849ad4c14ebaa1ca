//! A slab: items found by ids that are never reused, in blocks that are freed when they are empty (rule S20).
//!
//! An id consists of a place and a serial number. Each item has a new serial number (they start again after 2^32 items), so that the id of
//! a removed item finds nothing, even after its place was reused, or its block freed and allocated again. Items do not move when the slab
//! grows or shrinks. Growing allocates no more than one block.

use std::collections::BTreeSet;
use std::marker::PhantomData;
use std::num::{NonZeroU32, NonZeroU64};
use std::ops::{Index, IndexMut};

/// The number of places in a block. Places within a block are stored in a `u8`.
const BLOCK: usize = 128;

/// A place, and the serial number of the item in it.
///
/// Both are in one word, the place in its upper half, so that ids are compared by one instruction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RawId(NonZeroU64);

impl RawId {
    /// An id that refers to nothing.
    pub const NULL: RawId = RawId(NonZeroU64::MAX);

    #[inline(always)]
    fn new(place: u32, serial: NonZeroU32) -> RawId {
        RawId(NonZeroU64::from(serial) | u64::from(place) << 32)
    }

    #[inline(always)]
    fn place(self) -> u32 {
        (self.0.get() >> 32) as u32
    }

    #[inline(always)]
    fn serial(self) -> u32 {
        self.0.get() as u32
    }

    /// The bit that marks ids of a second slab of the same type. No slab has so many places that it is set otherwise.
    const MARK: u64 = 1 << 63;

    /// Marks this id, for an owner of two slabs with ids of one type. A marked id finds nothing in its own slab.
    #[inline]
    pub fn marked(self) -> RawId {
        RawId(self.0 | RawId::MARK)
    }

    /// The id without its mark; `None` if it has none.
    #[inline(always)]
    pub fn unmarked(self) -> Option<RawId> {
        let unmarked = NonZeroU64::new(self.0.get() & !RawId::MARK);
        unmarked.filter(|_| self.0.get() & RawId::MARK != 0).map(RawId)
    }
}

/// A typed id, so that ids of different kinds cannot be confused.
pub trait Id: Copy {
    /// Wraps an untyped id.
    fn of(raw: RawId) -> Self;
    /// The untyped id.
    fn raw(self) -> RawId;
}

/// Items of type `T`, found by ids of type `I`.
pub struct IdSlab<I, T> {
    /// `None` for a freed block.
    blocks: Vec<Option<Block<T>>>,
    /// The free places of each block.
    spaces: Vec<BlockSpace>,
    /// The blocks with a free place.
    open: BTreeSet<usize>,
    /// The open block from which places are taken. When it is full, the first open block is next, so that blocks at the end become empty.
    filling: usize,
    /// The freed blocks that have a later block in use.
    freed_within: BTreeSet<usize>,
    len: usize,
    last_serial: u32,
    kind: PhantomData<fn() -> I>,
}

type Block<T> = Box<[IdSlot<T>; BLOCK]>;

struct IdSlot<T> {
    /// The serial number of the item in this place; 0 if there is none.
    serial: u32,
    /// While this place is free: the next free place of the block.
    next_free: u8,
    value: Option<T>,
}

/// The free places of a block.
#[derive(Clone, Copy, Default)]
struct BlockSpace {
    free: u8,
    /// The place that is taken next.
    first_free: u8,
}

impl<I: Id, T> IdSlab<I, T> {
    /// An empty slab.
    pub fn new() -> IdSlab<I, T> {
        IdSlab {
            blocks: Vec::new(),
            spaces: Vec::new(),
            open: BTreeSet::new(),
            filling: 0,
            freed_within: BTreeSet::new(),
            len: 0,
            last_serial: 0,
            kind: PhantomData,
        }
    }

    /// The number of items.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no items.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds the item that `make` constructs for its new id. It is constructed in place, which saves a copy.
    #[inline(always)]
    pub fn insert_with_key(&mut self, make: impl FnOnce(I) -> T) -> I {
        self.last_serial = self.last_serial.checked_add(1).unwrap_or(1);
        let serial = NonZeroU32::new(self.last_serial).unwrap_or(NonZeroU32::MIN);
        let nth = self.filling;
        let nth = if self.spaces.get(nth).is_some_and(|space| space.free > 0) { nth } else { self.open_block() };
        let space = &mut self.spaces[nth];
        let within = usize::from(space.first_free) % BLOCK;
        let id = I::of(RawId::new((nth * BLOCK + within) as u32, serial));
        let slot = &mut self.blocks[nth].as_mut().expect("an open block is not freed")[within];
        (space.free, space.first_free) = (space.free - 1, slot.next_free);
        slot.serial = serial.get();
        slot.value = Some(make(id));
        self.len += 1;
        if space.free == 0 {
            self.open.remove(&nth);
        }
        id
    }

    /// Chooses the block from which places are taken from now on.
    #[cold]
    fn open_block(&mut self) -> usize {
        self.filling = self.open.first().copied().unwrap_or_else(|| {
            let nth = self.freed_within.pop_first().unwrap_or(self.blocks.len());
            if nth == self.blocks.len() {
                self.blocks.push(None);
                self.spaces.push(BlockSpace::default());
            }
            let slots: Vec<IdSlot<T>> = (0..BLOCK).map(|at| IdSlot { serial: 0, next_free: (at + 1) as u8, value: None }).collect();
            self.blocks[nth] = slots.into_boxed_slice().try_into().ok();
            self.spaces[nth] = BlockSpace { free: BLOCK as u8, first_free: 0 };
            self.open.insert(nth);
            nth
        });
        self.filling
    }

    #[inline]
    fn slot(&self, id: I) -> Option<&IdSlot<T>> {
        let (place, serial) = (id.raw().place(), id.raw().serial());
        let slot = &self.blocks.get(place as usize / BLOCK)?.as_ref()?[place as usize % BLOCK];
        (slot.serial == serial).then_some(slot)
    }

    #[inline]
    fn slot_mut(&mut self, id: I) -> Option<&mut IdSlot<T>> {
        let (place, serial) = (id.raw().place(), id.raw().serial());
        let slot = &mut self.blocks.get_mut(place as usize / BLOCK)?.as_mut()?[place as usize % BLOCK];
        (slot.serial == serial).then_some(slot)
    }

    /// The item with this id; `None` if it was removed.
    #[inline]
    pub fn get(&self, id: I) -> Option<&T> {
        self.slot(id)?.value.as_ref()
    }

    /// The item with this id, mutable; `None` if it was removed.
    #[inline]
    pub fn get_mut(&mut self, id: I) -> Option<&mut T> {
        self.slot_mut(id)?.value.as_mut()
    }

    /// Whether there is an item with this id.
    pub fn contains_key(&self, id: I) -> bool {
        self.get(id).is_some()
    }

    /// Removes an item and returns what `keep` extracts from it, without moving the rest of it.
    #[inline(always)]
    pub fn remove_with<R>(&mut self, id: I, keep: impl FnOnce(&mut T) -> R) -> Option<R> {
        self.vacate(id, |value| {
            let kept = keep(value.as_mut()?);
            *value = None;
            Some(kept)
        })
    }

    /// Removes an item and returns it.
    pub fn remove(&mut self, id: I) -> Option<T> {
        self.vacate(id, Option::take)
    }

    /// Removes an item by means of `take`, which empties the item's place. If `take` returns `None`, it must have left the item there.
    #[inline(always)]
    pub fn vacate<R>(&mut self, id: I, take: impl FnOnce(&mut Option<T>) -> Option<R>) -> Option<R> {
        let (place, serial) = (id.raw().place() as usize, id.raw().serial());
        let (nth, within) = (place / BLOCK, place % BLOCK);
        let slot = &mut self.blocks.get_mut(nth)?.as_mut()?[within];
        if slot.serial != serial {
            return None;
        }
        let taken = take(&mut slot.value)?;
        let space = &mut self.spaces[nth];
        slot.serial = 0;
        slot.next_free = std::mem::replace(&mut space.first_free, within as u8);
        space.free += 1;
        self.len -= 1;
        match usize::from(space.free) {
            1 => drop(self.open.insert(nth)),
            BLOCK => self.free_block(nth),
            _ => {}
        }
        Some(taken)
    }

    /// Frees an empty block, unless it is the only one with free places: otherwise adding and removing in turn would allocate and free a
    /// block each time.
    #[cold]
    fn free_block(&mut self, nth: usize) {
        if self.open.len() == 1 {
            return;
        }
        (self.blocks[nth], self.spaces[nth]) = (None, BlockSpace::default());
        self.open.remove(&nth);
        self.freed_within.insert(nth);
        while self.blocks.last().is_some_and(Option::is_none) {
            self.blocks.pop();
            self.spaces.pop();
            self.freed_within.remove(&self.blocks.len());
        }
        if self.blocks.capacity() > 2 * self.blocks.len() + BLOCK {
            self.blocks.shrink_to(self.blocks.len());
            self.spaces.shrink_to(self.blocks.len());
        }
    }

    /// The items with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        let blocks = self.blocks.iter().enumerate().filter_map(|(nth, block)| Some((nth, block.as_ref()?)));
        blocks.flat_map(|(nth, block)| {
            block.iter().enumerate().filter_map(move |(within, slot)| {
                let serial = NonZeroU32::new(slot.serial)?;
                Some((I::of(RawId::new((nth * BLOCK + within) as u32, serial)), slot.value.as_ref()?))
            })
        })
    }

    /// The ids.
    pub fn keys(&self) -> impl Iterator<Item = I> {
        self.iter().map(|(id, _)| id)
    }

    /// Returns the id of the first item at or after `place`, preceded by the `place` for the next call: for visiting all items a few at a
    /// time.
    pub fn id_from(&self, place: usize) -> Option<(usize, I)> {
        let mut place = place;
        while let Some(block) = self.blocks.get(place / BLOCK) {
            let Some(block) = block else {
                place = (place / BLOCK + 1) * BLOCK;
                continue;
            };
            for within in place % BLOCK..BLOCK {
                if let (Some(serial), Some(_)) = (NonZeroU32::new(block[within].serial), &block[within].value) {
                    let place = place / BLOCK * BLOCK + within;
                    return Some((place + 1, I::of(RawId::new(place as u32, serial))));
                }
            }
            place = (place / BLOCK + 1) * BLOCK;
        }
        None
    }

    /// The items.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.iter().map(|(_, item)| item)
    }

    /// Removes and returns all items.
    pub fn drain(&mut self) -> Vec<T> {
        let blocks = std::mem::take(&mut self.blocks);
        *self = IdSlab { last_serial: self.last_serial, ..IdSlab::new() };
        let slots = blocks.into_iter().flatten().flat_map(|block| (block as Box<[IdSlot<T>]>).into_vec());
        slots.filter_map(|slot| slot.value).collect()
    }
}

impl<I: Id, T> Index<I> for IdSlab<I, T> {
    type Output = T;
    #[inline]
    fn index(&self, id: I) -> &T {
        self.get(id).expect("the id is that of an item")
    }
}

impl<I: Id, T> IndexMut<I> for IdSlab<I, T> {
    #[inline]
    fn index_mut(&mut self, id: I) -> &mut T {
        self.get_mut(id).expect("the id is that of an item")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;
    use crate::task::FlightId;
    use std::collections::HashMap;

    fn blocks<T>(slab: &IdSlab<FlightId, T>) -> usize {
        slab.blocks.iter().flatten().count()
    }

    #[test]
    fn s20_a_slab_finds_its_items_and_no_removed_ones() {
        let mut random = Random::new(Some(1));
        let mut draw = |below: usize| (random.unit() * below as f64) as usize;
        let (mut slab, mut present, mut removed) = (IdSlab::<FlightId, usize>::new(), HashMap::new(), Vec::new());
        for phase in 0..8 {
            for nth in 0..2_000 {
                // Grows in even phases, shrinks in odd ones.
                if draw(4) < if phase % 2 == 0 { 3 } else { 1 } || present.is_empty() {
                    let id = slab.insert_with_key(|_| nth);
                    assert!(present.insert(id, nth).is_none());
                } else {
                    let id = *present.keys().nth(draw(present.len().min(50))).expect("not empty");
                    assert_eq!(slab.remove(id), present.remove(&id));
                    removed.push(id);
                }
            }
            assert_eq!((slab.len(), slab.keys().count(), slab.values().count()), (present.len(), present.len(), present.len()));
            assert!(present.iter().all(|(id, nth)| slab.get(*id) == Some(nth)));
            assert!(removed.iter().all(|id| slab.get(*id).is_none() && !slab.contains_key(*id)));
            assert!(slab.iter().all(|(id, nth)| present.get(&id) == Some(nth)));
            let mut from = 0;
            let one_by_one = std::iter::from_fn(|| {
                let (next, id) = slab.id_from(from)?;
                from = next;
                Some(id)
            });
            assert!(one_by_one.eq(slab.keys()));
        }
        assert_eq!(slab.remove_with(FlightId::NULL, |_| ()), None);
        assert_eq!(slab.drain().len(), present.len());
        assert!(slab.is_empty() && present.keys().all(|id| slab.get(*id).is_none()));
    }

    #[test]
    fn s20_a_slab_frees_the_memory_of_a_burst() {
        let mut slab = IdSlab::<FlightId, u64>::new();
        let resident: Vec<FlightId> = (0..10).map(|nth| slab.insert_with_key(|_| nth)).collect();
        let burst: Vec<FlightId> = (0..100_000).map(|nth| slab.insert_with_key(|_| nth)).collect();
        assert_eq!(blocks(&slab), 100_010usize.div_ceil(BLOCK));
        burst.into_iter().for_each(|id| assert!(slab.remove(id).is_some()));
        assert_eq!((blocks(&slab), slab.blocks.len()), (1, 1));
        assert!(slab.blocks.capacity() < 2 * BLOCK && slab.freed_within.is_empty());
        assert!(resident.iter().enumerate().all(|(nth, id)| slab.get(*id) == Some(&(nth as u64))));
    }

    #[test]
    fn s20_adding_and_removing_in_turn_does_not_allocate_and_free_blocks() {
        let mut slab = IdSlab::<FlightId, u64>::new();
        (0..BLOCK as u64).for_each(|nth| assert!(slab.insert_with_key(|_| nth) != FlightId::NULL));
        let more = slab.insert_with_key(|_| 0);
        slab.remove(more);
        assert_eq!(blocks(&slab), 2, "the empty block is kept for the next item");
    }
}
