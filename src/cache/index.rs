//! Which node holds a key: a hash table of places that knows nothing of nodes.
//!
//! Open addressing with linear probing (Knuth, volume 3, 6.4, algorithms L and R). A slot is one word: 32 bits of the hash and
//! the place. So a lookup waits for one line of memory where control bytes apart would make it two, a node is looked at
//! only when those bits agree, growing asks nobody for a hash, and a removal closes the gap instead of leaving a tombstone
//! that a full cache would have to sweep up again and again.

use super::slab::Place;
use crate::base::hint::needed_soon;

/// A table has this many slots for each entry at least: then two or three looks say that a key is not there. With four slots
/// for three entries it is nine, and a put that evicts searches in vain twice.
const SLOTS_PER_ENTRY: u64 = 2;

const FIRST_GROWTH: u64 = 16;

#[derive(Clone, Copy)]
struct Slot {
    tag: u32,
    place: Place,
}

const EMPTY: Slot = Slot { tag: 0, place: Place::NONE };

/// What a slot takes up for each entry of a full table, for the published entry cost.
#[cfg(test)]
pub(super) const BYTES_PER_ENTRY: f64 = size_of::<Slot>() as f64 * SLOTS_PER_ENTRY as f64;

/// The table.
pub(super) struct Index {
    slots: Vec<Slot>,
    len: u64,
}

impl Index {
    pub fn new() -> Index {
        Index { slots: Vec::new(), len: 0 }
    }

    /// Where a search begins. Not a remainder, so that a table may have any size and end at the capacity's.
    #[inline]
    fn home(&self, tag: u32) -> usize {
        ((u64::from(tag) * self.slots.len() as u64) >> 32) as usize
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        if at + 1 == self.slots.len() { 0 } else { at + 1 }
    }

    /// The place under `hash` in which `look` finds something, and what that is.
    #[inline(always)]
    pub fn find<R>(&self, hash: u64, look: impl Fn(Place) -> Option<R>) -> Option<(Place, R)> {
        let tag = hash as u32;
        let mut at = self.home(tag);
        loop {
            // A table without slots ends the search here; one with slots always has an empty one.
            let slot = self.slots.get(at)?;
            if slot.place == Place::NONE {
                return None;
            }
            if slot.tag == tag
                && let Some(found) = look(slot.place)
            {
                return Some((slot.place, found));
            }
            at = self.after(at);
        }
    }

    /// What is under `hash` will be looked for soon.
    #[inline]
    pub fn needed_soon(&self, hash: u64) {
        self.slots.get(self.home(hash as u32)).into_iter().for_each(needed_soon);
    }

    /// Notes a place that is not in yet. There are at most `limit` entries, this one included.
    pub fn insert(&mut self, hash: u64, place: Place, limit: u64) {
        if Index::slots_for(self.len + 1) > self.slots.len() as u64 {
            self.grow(limit);
        }
        self.len += 1;
        self.enter(Slot { tag: hash as u32, place });
    }

    fn enter(&mut self, slot: Slot) {
        let mut at = self.home(slot.tag);
        while self.slots[at].place != Place::NONE {
            at = self.after(at);
        }
        self.slots[at] = slot;
    }

    fn slots_for(entries: u64) -> u64 {
        // One more, so that there is always an empty one.
        entries * SLOTS_PER_ENTRY + 1
    }

    #[cold]
    fn grow(&mut self, limit: u64) {
        let wanted = (self.slots.len() as u64 * 2).max(FIRST_GROWTH).min(Index::slots_for(limit)).max(Index::slots_for(self.len + 1));
        let wanted = usize::try_from(wanted).expect("a shard holds at most MAX_NODES entries");
        let slots = std::mem::replace(&mut self.slots, vec![EMPTY; wanted]);
        slots.into_iter().filter(|slot| slot.place != Place::NONE).for_each(|slot| self.enter(slot));
    }

    /// Takes a place out that is in under `hash`.
    pub fn remove(&mut self, hash: u64, place: Place) {
        let mut hole = self.home(hash as u32);
        while self.slots[hole].place != place {
            assert!(self.slots[hole].place != Place::NONE, "every entry is in the index");
            hole = self.after(hole);
        }
        // Whoever was pushed beyond the hole by its former owner moves up into it.
        let mut at = self.after(hole);
        while self.slots[at].place != Place::NONE {
            let home = self.home(self.slots[at].tag);
            let passes_the_hole = if hole <= at { home <= hole || home > at } else { home <= hole && home > at };
            if passes_the_hole {
                self.slots[hole] = self.slots[at];
                hole = at;
            }
            at = self.after(at);
        }
        self.slots[hole] = EMPTY;
        self.len -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(number: u32) -> Place {
        Place::of_number(number)
    }

    /// A hash of which only the 32 bits that count differ.
    fn hash(tag: u32) -> u64 {
        0xABCD_0000_0000 << 16 | u64::from(tag)
    }

    #[test]
    fn an_empty_table_has_no_memory_and_finds_nothing() {
        let index = Index::new();
        assert_eq!((index.slots.capacity(), index.find(hash(7), |_| Some(()))), (0, None));
    }

    #[test]
    fn s02_the_table_ends_at_what_the_limit_needs() {
        for limit in [1, 2, 3, 11, 12, 13, 1000] {
            let mut index = Index::new();
            for number in 0..limit as u32 {
                index.insert(hash(number.wrapping_mul(0x9E37_79B9)), place(number), limit);
            }
            assert_eq!(index.slots.len() as u64, Index::slots_for(limit));
            assert!(index.slots.iter().any(|slot| slot.place == Place::NONE));
        }
    }

    proptest! {
        /// Few tags, at both ends of their range, so that runs of slots grow long and go around the end.
        #[test]
        fn a_place_is_found_from_its_insertion_to_its_removal(steps in prop::collection::vec((any::<bool>(), 0..40u32, 0..12u32), 1..300)) {
            let mut index = Index::new();
            let mut held: Vec<(u32, u32)> = Vec::new();
            for (inserts, number, tag) in steps {
                let tag = if tag < 6 { tag.wrapping_sub(3) } else { tag << 28 };
                let known = held.iter().position(|(other, _)| *other == number);
                match known {
                    None if inserts => {
                        index.insert(hash(tag), place(number), 40);
                        held.push((number, tag));
                    }
                    Some(at) if !inserts => {
                        let (_, tag) = held.swap_remove(at);
                        index.remove(hash(tag), place(number));
                    }
                    _ => {}
                }
                for number in 0..40 {
                    let tag = held.iter().find(|(other, _)| *other == number).map(|(_, tag)| *tag);
                    let found = tag.and_then(|tag| index.find(hash(tag), |at| (at == place(number)).then_some(())));
                    prop_assert_eq!(found, tag.map(|_| (place(number), ())));
                }
                prop_assert_eq!(index.len, held.len() as u64);
                prop_assert_eq!(index.slots.iter().filter(|slot| slot.place != Place::NONE).count(), held.len());
            }
        }
    }
}
