//! Finds the key state of a key: a hash table in parts, so that no single step of growing or shrinking takes long (rules S19, S20).
//!
//! Each part is an open-addressed table with linear probing, at most half full (Knuth, volume 3, 6.4, algorithms L and R): a search, an
//! insertion and a removal usually read one or two neighbouring slots each.

use super::KeyStateId;

/// The number of parts. With a million keys, each part has about 4,000.
const PARTS: usize = 256;

/// The smallest number of slots of a part that has any.
const FEWEST_SLOTS: usize = 8;

/// Above this number of slots, a part shrinks when few are in use.
const MOST_KEPT: usize = 64;

/// Key states by the hash of their key.
pub struct KeyIndex {
    parts: Box<[IndexPart; PARTS]>,
    len: usize,
}

#[derive(Clone, Default)]
struct IndexPart {
    /// Their number is a power of two, or 0.
    slots: Vec<IndexSlot>,
    len: usize,
}

/// A key state with the hash of its key: with the hash at hand, most mismatches are detected, and entries moved, without reading the state.
#[derive(Clone, Copy)]
struct IndexSlot {
    hash: u64,
    /// `None`: the slot is free.
    key_state: Option<KeyStateId>,
}

const FREE: IndexSlot = IndexSlot { hash: 0, key_state: None };

impl KeyIndex {
    /// An empty index.
    pub fn new() -> KeyIndex {
        KeyIndex { parts: Box::new(std::array::from_fn(|_| IndexPart::default())), len: 0 }
    }

    /// The number of key states.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Selects the part by bits from the middle of the hash, because the table within a part uses the lowest bits.
    #[inline(always)]
    fn part(hash: u64) -> usize {
        (hash >> 32) as usize % PARTS
    }

    /// Returns the key state with this hash for which `is_its` is true.
    #[inline(always)]
    pub fn find(&self, hash: u64, is_its: impl Fn(KeyStateId) -> bool) -> Option<KeyStateId> {
        let part = &self.parts[Self::part(hash)];
        let mut at = part.home(hash);
        loop {
            // A part without slots ends the search here.
            let slot = part.slots.get(at)?;
            let key_state = slot.key_state?;
            if slot.hash == hash && is_its(key_state) {
                return Some(key_state);
            }
            at = part.after(at);
        }
    }

    /// Adds the key state of a key that has none.
    #[inline(always)]
    pub fn insert(&mut self, hash: u64, key_state: KeyStateId) {
        self.len += 1;
        let part = &mut self.parts[Self::part(hash)];
        if 2 * (part.len + 1) > part.slots.len() {
            part.resize((2 * part.slots.len()).max(FEWEST_SLOTS));
        }
        part.len += 1;
        part.enter(IndexSlot { hash, key_state: Some(key_state) });
    }

    /// Removes a key state.
    #[inline(always)]
    pub fn remove(&mut self, hash: u64, key_state: KeyStateId) {
        let part = &mut self.parts[Self::part(hash)];
        let mut at = part.home(hash);
        loop {
            match part.slots.get(at).and_then(|slot| slot.key_state) {
                None => return,
                Some(other) if other == key_state => break,
                Some(_) => at = part.after(at),
            }
        }
        part.vacate(at);
        part.len -= 1;
        self.len -= 1;
        if part.slots.len() > MOST_KEPT && part.len < part.slots.len() / 16 {
            part.resize((4 * part.len).next_power_of_two().max(FEWEST_SLOTS));
        }
    }

    /// Removes all key states.
    pub fn clear(&mut self) {
        *self = KeyIndex::new();
    }
}

impl IndexPart {
    /// The slot at which the search for a hash begins.
    #[inline(always)]
    fn home(&self, hash: u64) -> usize {
        hash as usize & self.slots.len().wrapping_sub(1)
    }

    #[inline(always)]
    fn after(&self, at: usize) -> usize {
        (at + 1) & self.slots.len().wrapping_sub(1)
    }

    /// Puts an entry into the first free slot from its home on. The part must have a free slot.
    #[inline(always)]
    fn enter(&mut self, entry: IndexSlot) {
        let mut at = self.home(entry.hash);
        while self.slots[at].key_state.is_some() {
            at = self.after(at);
        }
        self.slots[at] = entry;
    }

    /// Frees a slot. Later entries that a search would no longer reach move up.
    #[inline(always)]
    fn vacate(&mut self, at: usize) {
        let mask = self.slots.len().wrapping_sub(1);
        let (mut gap, mut next) = (at, self.after(at));
        while self.slots[next].key_state.is_some() {
            // How far the entry is from its home, and from the gap.
            let from_home = next.wrapping_sub(self.home(self.slots[next].hash)) & mask;
            if from_home >= next.wrapping_sub(gap) & mask {
                self.slots[gap] = self.slots[next];
                gap = next;
            }
            next = self.after(next);
        }
        self.slots[gap] = FREE;
    }

    /// Gives the part this number of slots, a power of two.
    #[cold]
    #[inline(never)]
    fn resize(&mut self, slots: usize) {
        let before = std::mem::replace(&mut self.slots, vec![FREE; slots]);
        before.into_iter().filter(|slot| slot.key_state.is_some()).for_each(|slot| self.enter(slot));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Random;
    use crate::task::slab::IdSlab;
    use std::collections::HashMap;

    #[test]
    fn s20_an_index_finds_its_entries_and_frees_the_memory_of_a_burst() {
        let (mut slab, mut index) = (IdSlab::<KeyStateId, u64>::new(), KeyIndex::new());
        // Each hash is used twice, because two keys may have the same one.
        let hash = |nth: u64| (nth / 2).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let key_states: Vec<(u64, KeyStateId)> = (0..200_000).map(|nth| (nth, slab.insert_with_key(|_| nth))).collect();
        key_states.iter().for_each(|(nth, key_state)| index.insert(hash(*nth), *key_state));
        let found = |index: &KeyIndex, nth: u64| index.find(hash(nth), |key_state| slab[key_state] == nth);
        assert!(key_states.iter().all(|(nth, key_state)| found(&index, *nth) == Some(*key_state)) && index.len() == key_states.len());
        key_states.iter().filter(|(nth, _)| nth % 1000 > 0).for_each(|(nth, key_state)| index.remove(hash(*nth), *key_state));
        assert!(key_states.iter().all(|(nth, key_state)| found(&index, *nth) == (nth % 1000 == 0).then_some(*key_state)));
        assert_eq!(index.len(), 200);
        assert!(index.parts.iter().map(|part| part.slots.len()).sum::<usize>() < MOST_KEPT * PARTS);
    }

    /// All hashes lie in one part and have few homes, so that entries are far from home and wrap around the end of the table.
    #[test]
    fn s20_entries_that_were_far_from_home_are_found_after_removals() {
        let (mut slab, mut index) = (IdSlab::<KeyStateId, u64>::new(), KeyIndex::new());
        let mut random = Random::new(Some(7));
        let mut draw = |below: usize| (random.unit() * below as f64) as usize;
        let mut known: HashMap<KeyStateId, u64> = HashMap::new();
        for _ in 0..20_000 {
            if draw(100) < 50 || known.is_empty() {
                let hash = (1 << 40) | (draw(6) as u64).wrapping_sub(3) & 0xFFFF_FFFF;
                let key_state = slab.insert_with_key(|_| hash);
                index.insert(hash, key_state);
                known.insert(key_state, hash);
            } else {
                let key_state = *known.keys().nth(draw(known.len().min(20))).expect("not empty");
                let hash = known.remove(&key_state).expect("known");
                index.remove(hash, key_state);
                assert_eq!(index.find(hash, |other| other == key_state), None);
            }
            assert_eq!(index.len(), known.len());
            if known.len() < 40 {
                assert!(known.iter().all(|(key_state, hash)| index.find(*hash, |other| other == *key_state) == Some(*key_state)));
            }
        }
    }
}
