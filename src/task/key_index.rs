//! Finds the key state of a key: a hash table in parts, so that no single step of growing or shrinking takes long (rules S19, S20).

use super::KeyStateId;
use hashbrown::HashTable;

/// The number of parts. With a million keys, each part has about 4,000.
const PARTS: usize = 256;

/// Key states by the hash of their key.
pub struct KeyIndex {
    parts: Box<[HashTable<IndexEntry>]>,
    len: usize,
}

/// Stores the hash, so that most mismatches are detected, and entries are rehashed, without reading the key state.
#[derive(Clone, Copy)]
struct IndexEntry {
    hash: u64,
    key_state: KeyStateId,
}

impl KeyIndex {
    /// An empty index.
    pub fn new() -> KeyIndex {
        KeyIndex { parts: (0..PARTS).map(|_| HashTable::new()).collect(), len: 0 }
    }

    /// The number of key states.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Selects the part by bits from the middle, because the table within a part uses the lowest and the highest ones.
    #[inline]
    fn part(hash: u64) -> usize {
        (hash >> 32) as usize % PARTS
    }

    /// Returns the key state with this hash for which `is_its` is true.
    #[inline]
    pub fn find(&self, hash: u64, is_its: impl Fn(KeyStateId) -> bool) -> Option<KeyStateId> {
        self.parts[Self::part(hash)].find(hash, |entry| entry.hash == hash && is_its(entry.key_state)).map(|entry| entry.key_state)
    }

    /// Adds the key state of a key that has none.
    #[inline]
    pub fn insert(&mut self, hash: u64, key_state: KeyStateId) {
        self.parts[Self::part(hash)].insert_unique(hash, IndexEntry { hash, key_state }, |entry| entry.hash);
        self.len += 1;
    }

    /// Removes a key state.
    #[inline(always)]
    pub fn remove(&mut self, hash: u64, key_state: KeyStateId) {
        let part = &mut self.parts[Self::part(hash)];
        let Ok(entry) = part.find_entry(hash, |entry| entry.key_state == key_state) else { return };
        entry.remove();
        self.len -= 1;
        if part.capacity() > 64 && part.len() < part.capacity() / 8 {
            shrink(part);
        }
    }

    /// Removes all key states.
    pub fn clear(&mut self) {
        *self = KeyIndex::new();
    }
}

#[cold]
fn shrink(part: &mut HashTable<IndexEntry>) {
    part.shrink_to(2 * part.len(), |entry| entry.hash);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::slab::IdSlab;

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
        assert!(index.parts.iter().map(HashTable::capacity).sum::<usize>() < 64 * PARTS);
    }
}
