//! Which lane a key has: a hash table in parts, so that no step of its growing or shrinking takes long (rules S19, S20).

use super::LaneId;
use hashbrown::HashTable;

/// How many parts there are. Of a million keys each has 4,000.
const PARTS: usize = 256;

/// Lanes by the hash of their key.
pub struct KeyIndex {
    parts: Box<[HashTable<Entry>]>,
    len: usize,
}

/// The hash stands beside the lane so that most others are told apart, and all are moved, without a look at the lane.
#[derive(Clone, Copy)]
struct Entry {
    hash: u64,
    lane: LaneId,
}

impl KeyIndex {
    /// An empty index.
    pub fn new() -> KeyIndex {
        KeyIndex { parts: (0..PARTS).map(|_| HashTable::new()).collect(), len: 0 }
    }

    /// How many lanes there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Within a part, a table goes by the lowest and the highest bits.
    #[inline]
    fn part(hash: u64) -> usize {
        (hash >> 32) as usize % PARTS
    }

    /// The lane with this hash that is the key's.
    #[inline]
    pub fn find(&self, hash: u64, is_its: impl Fn(LaneId) -> bool) -> Option<LaneId> {
        self.parts[Self::part(hash)].find(hash, |entry| entry.hash == hash && is_its(entry.lane)).map(|entry| entry.lane)
    }

    /// Adds the lane of a key that has none.
    #[inline]
    pub fn insert(&mut self, hash: u64, lane: LaneId) {
        self.parts[Self::part(hash)].insert_unique(hash, Entry { hash, lane }, |entry| entry.hash);
        self.len += 1;
    }

    /// Takes a lane out.
    #[inline(always)]
    pub fn remove(&mut self, hash: u64, lane: LaneId) {
        let part = &mut self.parts[Self::part(hash)];
        let Ok(entry) = part.find_entry(hash, |entry| entry.lane == lane) else { return };
        entry.remove();
        self.len -= 1;
        if part.capacity() > 64 && part.len() < part.capacity() / 8 {
            shrink(part);
        }
    }

    /// Takes all out.
    pub fn clear(&mut self) {
        *self = KeyIndex::new();
    }
}

#[cold]
fn shrink(part: &mut HashTable<Entry>) {
    part.shrink_to(2 * part.len(), |entry| entry.hash);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::slab::Slab;

    #[test]
    fn s20_an_index_finds_what_is_there_and_gives_back_what_a_burst_took() {
        let (mut slab, mut index) = (Slab::<LaneId, u64>::new(), KeyIndex::new());
        // Every hash twice: two keys may share one.
        let hash = |nth: u64| (nth / 2).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let lanes: Vec<(u64, LaneId)> = (0..200_000).map(|nth| (nth, slab.insert_with_key(|_| nth))).collect();
        lanes.iter().for_each(|(nth, lane)| index.insert(hash(*nth), *lane));
        let found = |index: &KeyIndex, nth: u64| index.find(hash(nth), |lane| slab[lane] == nth);
        assert!(lanes.iter().all(|(nth, lane)| found(&index, *nth) == Some(*lane)) && index.len() == lanes.len());
        lanes.iter().filter(|(nth, _)| nth % 1000 > 0).for_each(|(nth, lane)| index.remove(hash(*nth), *lane));
        assert!(lanes.iter().all(|(nth, lane)| found(&index, *nth) == (nth % 1000 == 0).then_some(*lane)));
        assert_eq!(index.len(), 200);
        assert!(index.parts.iter().map(HashTable::capacity).sum::<usize>() < 64 * PARTS);
    }
}
