//! Prefetching for a shard's next evictions.

use super::super::slab::Place;
use super::Shard;
use crate::base::Record;

/// The next victim and the hash of its key, computed for the prefetch and reused for the eviction. Forgotten as soon as any entry leaves:
/// it might be this one, whose place may then get another key.
#[derive(Clone, Copy)]
pub(super) struct PrefetchedVictim {
    place: Place,
    hash: u64,
}

impl PrefetchedVictim {
    pub const NONE: PrefetchedVictim = PrefetchedVictim { place: Place::NONE, hash: 0 };

    /// Returns the hash of the key of the entry at `place`, which is about to leave, if it is this victim. Forgets the victim in any case.
    #[inline(always)]
    pub fn take(&mut self, place: Place) -> Option<u64> {
        let PrefetchedVictim { place: victim, hash } = std::mem::replace(self, PrefetchedVictim::NONE);
        (victim == place).then_some(hash)
    }
}

impl Shard {
    /// Prefetches for the next eviction: the next victim has not been read for a long time, and the next put would wait for its memory
    /// several times. There are three stages, one for each of the next three victims: the node leads to the record, and the key in the
    /// record to the bucket of the index.
    #[inline(always)]
    pub(super) fn prefetch_victims(&mut self) {
        let Some(next) = self.order.probable_victim() else { return };
        let hash = self.hasher.hash(self.slab.key(next));
        self.prefetched_victim = PrefetchedVictim { place: next, hash };
        self.slab.index().prefetch(hash);
        let Some(after_it) = self.slab.newer(next).some() else { return };
        self.slab.get(after_it).into_iter().for_each(Record::prefetch);
        if let Some(third) = self.slab.newer(after_it).some() {
            self.slab.prefetch(third);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::departure::Departures;
    use super::super::super::entry::NewEntry;
    use super::super::super::store::Store;
    use crate::base::config::CacheSettings;
    use crate::base::{Answer, Clock, Millis};

    /// The hash that is kept for the next victim belongs to the entry, not to its place.
    #[test]
    fn s05_the_place_of_a_prefetched_victim_may_be_reused_for_another_key() {
        let settings = CacheSettings { capacity: 3, shards: Some(1), ..CacheSettings::default() };
        let (store, clock, mut out) = (Store::new(&settings, None), Clock::manual(Millis(0)), Departures::new());
        let mut put = |key: &str| assert!(store.put(key.as_bytes(), NewEntry::new(Answer::Null), &clock, &mut out).is_stored());
        // The last of these evicts "a", and computes that "b" is next.
        ["a", "b", "c", "d"].into_iter().for_each(&mut put);
        assert!(store.remove(b"b", &clock, &mut Departures::new()));
        put("e");
        assert!(store.remove(b"e", &clock, &mut Departures::new()), "\"e\", which took the place of \"b\", is found");
        ["f", "g", "h"].into_iter().for_each(&mut put);
        let found = |key: &&str| store.lookup(key.as_bytes(), &clock).is_some();
        assert_eq!(["a", "b", "c", "d", "e", "f", "g", "h"].into_iter().filter(found).collect::<String>(), "fgh");
    }
}
