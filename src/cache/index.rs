//! The index: a hash table that finds the record of a key. It never reads a record itself.
//!
//! Open addressing in buckets that fill a cache line (as in folly's tables and Abseil's, but with the addresses beside the tags), with
//! linear probing over buckets (Knuth, volume 3, 6.4, algorithm L). A lookup waits for one cache line, compares all its tags without an
//! unpredictable branch, and reads a record only if 32 bits of the hash agree. Each bucket counts the records that are in a later bucket
//! because this one was full; a search ends at a bucket with a count of 0. Growing does not compute any hash again. A removal decrements
//! the counts instead of leaving a tombstone, which a full cache would have to clean up again and again.

use super::work;
use crate::base::hint::{prefetch, prefetch_at, rarely};
use crate::base::record::Address;
use std::alloc::{Layout, handle_alloc_error};
use std::collections::TryReserveError;
use std::hint::select_unpredictable;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};

/// The minimum number of slots for each entry. With 2, one bucket in twenty was so full that records went to a later one (measured).
const SLOTS_PER_ENTRY: u64 = 2;

/// The slots of a bucket, which fill a cache line together with the count: 5, or 7 with 32-bit addresses.
const SLOTS: usize = (64 - size_of::<u32>()) / (size_of::<u32>() + size_of::<Option<Address>>());

const FIRST_GROWTH: u64 = 2;

/// One cache line of the table. The slots in use come first.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub(super) struct Bucket {
    records: [Option<Address>; SLOTS],
    tags: [u32; SLOTS],
    /// The number of records that are in a later bucket because this one was full.
    passed: u32,
}

const EMPTY: Bucket = Bucket { records: [None; SLOTS], tags: [0; SLOTS], passed: 0 };

const _: () = assert!(size_of::<Bucket>() == 64);

impl Bucket {
    #[inline(always)]
    fn is_full(&self) -> bool {
        self.records[SLOTS - 1].is_some()
    }

    /// Returns the slot of `record`, or [`SLOTS`] if it is not here. Visits all slots, to avoid unpredictable branches.
    #[inline(always)]
    fn slot_of(&self, record: Address) -> usize {
        let wanted = Address::bits(Some(record));
        (0..SLOTS).rev().fold(SLOTS, |found, at| select_unpredictable(Address::bits(self.records[at]) == wanted, at, found))
    }

    /// Returns the number of slots in use. Visits all slots, to avoid unpredictable branches.
    #[inline(always)]
    fn len(&self) -> usize {
        self.records.iter().map(|held| usize::from(held.is_some())).sum()
    }

    /// Returns the first record with `tag`. Visits all slots without a branch, because the slot cannot be predicted. Empty slots have tag 0
    /// and come last, so that a search for tag 0 finds one only if no record has that tag.
    #[inline(always)]
    fn guess(&self, tag: u32) -> Option<Address> {
        let mut found = None;
        for at in (0..SLOTS).rev() {
            found = select_unpredictable(self.tags[at] == tag, self.records[at], found);
        }
        found
    }

    /// The records with `tag`.
    fn under(&self, tag: u32) -> impl Iterator<Item = Address> {
        self.tags.iter().zip(&self.records).filter(move |(of, _)| **of == tag).filter_map(|(_, record)| *record)
    }

    fn push(&mut self, tag: u32, record: Option<Address>) {
        let at = self.len();
        (self.tags[at], self.records[at]) = (tag, record);
    }

    fn vacate(&mut self, at: usize) {
        let last = self.len() - 1;
        (self.tags[at], self.records[at]) = (self.tags[last], self.records[last]);
        (self.tags[last], self.records[last]) = (0, None);
    }
}

/// The size of a full table for each entry, in bytes, for the published cost of an entry.
#[cfg(test)]
pub(super) const BYTES_PER_ENTRY: f64 = size_of::<Bucket>() as f64 / SLOTS as f64 * SLOTS_PER_ENTRY as f64;

/// The home of a tag: the bucket where its search begins. Computed by a multiplication, so that a table can have any size, up to exactly
/// what the capacity needs.
#[inline(always)]
fn home(tag: u32, buckets: usize) -> usize {
    ((u64::from(tag) * buckets as u64) >> 32) as usize
}

/// The address and size of a table, to prefetch from it without its lock. Both may be outdated, and may not belong together. That is
/// harmless, because memory is only prefetched, never read. (std's atomics instead of those of `base::sync`, because models need not
/// explore a hint.)
#[derive(Default)]
pub(super) struct TableHint {
    buckets: AtomicPtr<Bucket>,
    len: AtomicUsize,
}

impl TableHint {
    /// Records the current location of `index`.
    #[inline]
    pub fn note(&self, index: &Index) {
        let start = index.buckets.as_ptr().cast_mut();
        if self.buckets.load(Relaxed) != start {
            self.buckets.store(start, Relaxed);
            self.len.store(index.buckets.len(), Relaxed);
        }
    }

    /// Prefetches the bucket of `hash` for a lookup that follows soon.
    #[inline(always)]
    pub fn prefetch(&self, hash: u64) {
        let at = home(hash as u32, self.len.load(Relaxed));
        prefetch_at(self.buckets.load(Relaxed).wrapping_add(at));
    }
}

/// A hash table from the low 32 bits of a hash to record addresses; the caller compares keys.
pub(super) struct Index {
    buckets: Vec<Bucket>,
    len: u64,
    /// The number of records for which the table is large enough.
    capacity: u64,
}

impl Index {
    pub fn new() -> Index {
        Index { buckets: Vec::new(), len: 0, capacity: 0 }
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline(always)]
    fn home(&self, tag: u32) -> usize {
        home(tag, self.buckets.len())
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        if at + 1 == self.buckets.len() { 0 } else { at + 1 }
    }

    /// Returns the record with this hash for which `is_it` is true.
    #[inline(always)]
    pub fn find(&self, hash: u64, is_it: impl Fn(Address) -> bool) -> Option<Address> {
        let tag = hash as u32;
        work::probe();
        // A table without buckets ends the search here.
        let bucket = self.buckets.get(self.home(tag))?;
        let guess = bucket.guess(tag);
        if let Some(record) = guess
            && is_it(record)
        {
            return guess;
        }
        if rarely(guess.is_some() || bucket.passed > 0) { self.search(tag, is_it) } else { None }
    }

    #[cold]
    #[inline(never)]
    fn search(&self, tag: u32, is_it: impl Fn(Address) -> bool) -> Option<Address> {
        let mut at = self.home(tag);
        // Visits each bucket at most once, because every bucket may have passed a record on.
        for _ in 0..self.buckets.len() {
            work::probe();
            let bucket = self.buckets.get(at)?;
            let found = bucket.under(tag).find(|record| is_it(*record));
            if found.is_some() || bucket.passed == 0 {
                return found;
            }
            at = self.after(at);
        }
        None
    }

    /// Prefetches the bucket of `hash` for a lookup that follows soon.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        self.buckets.get(self.home(hash as u32)).into_iter().for_each(prefetch);
    }

    /// Adds a record that is not in the table. `limit` is the maximum number of entries.
    pub fn insert(&mut self, hash: u64, record: Address, limit: u64) {
        if self.must_grow() {
            self.grow(limit);
        }
        self.len += 1;
        self.enter(hash as u32, Some(record));
    }

    fn enter(&mut self, tag: u32, record: Option<Address>) {
        let mut at = self.home(tag);
        // The table has more slots than entries, so the loop ends.
        while self.buckets[at].is_full() {
            work::probe();
            self.buckets[at].passed += 1;
            at = self.after(at);
        }
        self.buckets[at].push(tag, record);
    }

    fn buckets_for(entries: u64) -> u64 {
        (entries * SLOTS_PER_ENTRY).div_ceil(SLOTS as u64)
    }

    /// Whether another record needs a larger table.
    #[inline(always)]
    pub fn must_grow(&self) -> bool {
        self.len >= self.capacity
    }

    #[cold]
    fn grow(&mut self, limit: u64) {
        if self.try_grow(limit).is_err() {
            handle_alloc_error(Layout::new::<Bucket>());
        }
    }

    /// Makes the table large enough for another record. If there is no memory for that, nothing changes.
    pub fn try_grow(&mut self, limit: u64) -> Result<(), TryReserveError> {
        if !self.must_grow() {
            return Ok(());
        }
        // By a quarter only, because unused slots are not part of any entry's cost (rule S03a).
        let wanted = (self.buckets.len() as u64 * 5 / 4)
            .max(self.buckets.len() as u64 + FIRST_GROWTH)
            .min(Index::buckets_for(limit))
            .max(Index::buckets_for(self.len + 1));
        let wanted = usize::try_from(wanted).expect("a shard holds at most MAX_NODES entries");
        let mut larger = Vec::new();
        larger.try_reserve_exact(wanted)?;
        larger.resize(wanted, EMPTY);
        self.capacity = wanted as u64 * SLOTS as u64 / SLOTS_PER_ENTRY;
        for bucket in std::mem::replace(&mut self.buckets, larger) {
            (0..bucket.len()).for_each(|slot| self.enter(bucket.tags[slot], bucket.records[slot]));
        }
        Ok(())
    }

    /// Calls `show` with the records whose tag (the low 32 bits of the hash) is at least `from`, in ascending order of their home buckets:
    /// about `most` records, in whole buckets, so that none is repeated or missed even if the table grows between two calls. Returns the
    /// tag to continue from; `None` at the end.
    pub fn walk(&self, from: u32, most: usize, mut show: impl FnMut(Address)) -> Option<u32> {
        let buckets = self.buckets.len();
        let (mut shown, mut home) = (0, self.home(from));
        for looked_at in 0.. {
            if home >= buckets {
                return None;
            }
            // Also bounds the number of buckets, because the table may be nearly empty.
            if shown >= most || looked_at >= most {
                return u32::try_from(((home as u64) << 32).div_ceil(buckets as u64)).ok();
            }
            shown += self.show_home(home, from, &mut show);
            home += 1;
        }
        None
    }

    /// Calls `show` with the records whose home is this bucket; some may be in the buckets after it. Returns their number.
    fn show_home(&self, home: usize, from: u32, mut show: impl FnMut(Address)) -> usize {
        let (mut at, mut shown) = (home, 0);
        loop {
            work::probe();
            let bucket = &self.buckets[at];
            for (tag, record) in bucket.tags.iter().zip(bucket.records.iter().flatten()) {
                if *tag >= from && self.home(*tag) == home {
                    work::entry();
                    show(*record);
                    shown += 1;
                }
            }
            at = self.after(at);
            if bucket.passed == 0 || at == home {
                return shown;
            }
        }
    }

    /// Removes a record that is in the table under `hash`.
    pub fn remove(&mut self, hash: u64, record: Address) {
        let mut at = self.home(hash as u32);
        loop {
            let bucket = &mut self.buckets[at];
            let slot = bucket.slot_of(record);
            if slot < SLOTS {
                bucket.vacate(slot);
                self.len -= 1;
                return;
            }
            assert!(bucket.passed > 0, "every entry is in the index");
            bucket.passed -= 1;
            at = self.after(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(number: u32) -> Address {
        Address::made_up(number)
    }

    /// A hash in which only the 32 bits of the tag vary.
    fn hash(tag: u32) -> u64 {
        0xABCD_0000_0000 << 16 | u64::from(tag)
    }

    #[test]
    fn an_empty_table_has_no_memory_and_finds_nothing() {
        let index = Index::new();
        assert_eq!((index.buckets.capacity(), index.find(hash(7), |_| true)), (0, None));
    }

    #[test]
    fn s02_the_table_grows_no_larger_than_the_limit_needs() {
        for limit in [1, 2, 3, 11, 12, 13, 1000] {
            let mut index = Index::new();
            for number in 0..limit as u32 {
                index.insert(hash(number.wrapping_mul(0x9E37_79B9)), record(number), limit);
            }
            assert_eq!(index.buckets.len() as u64, Index::buckets_for(limit));
            assert!(index.buckets.iter().any(|bucket| !bucket.is_full()));
        }
    }

    fn walked(index: &mut Index, page: usize, mut between: impl FnMut(&mut Index)) -> (Vec<u32>, usize) {
        let (mut seen, mut from, mut pages) = (Vec::new(), Some(0), 0);
        while let Some(next) = from {
            from = index.walk(next, page, |record| seen.push(record.made_up_number()));
            assert!(from.is_none_or(|from| from > next), "each page continues after the one before");
            pages += 1;
            between(index);
        }
        (seen, pages)
    }

    #[test]
    fn s18_a_walk_shows_each_record_once_while_the_table_grows() {
        let tag_of = |number: u32| hash(number.wrapping_mul(0x9E37_79B9));
        let mut index = Index::new();
        assert_eq!(walked(&mut index, 8, |_| ()), (vec![], 1));
        (0..1000).for_each(|number| index.insert(tag_of(number), record(number), 1 << 20));
        let mut next = 1000;
        let (mut seen, pages) = walked(&mut index, 8, |index| {
            // If the table grew for ever, so would the walk.
            for _ in 0..if next < 30_000 { 200 } else { 0 } {
                index.insert(tag_of(next), record(next), 1 << 20);
                next += 1;
            }
        });
        assert!(pages > 100 && next > 20_000, "{pages} pages, {next} records");
        seen.retain(|number| *number < 1000);
        seen.sort_unstable();
        assert_eq!(seen, (0..1000).collect::<Vec<_>>());
    }

    #[test]
    fn s19_a_page_of_a_walk_visits_few_buckets_of_a_nearly_empty_table() {
        let mut index = Index::new();
        (0..4000).for_each(|number: u32| index.insert(hash(number << 20), record(number), 1 << 20));
        (1..4000).for_each(|number: u32| index.remove(hash(number << 20), record(number)));
        let mut from = Some(0);
        while let Some(next) = from {
            let probes = work::probes_of(|| from = index.walk(next, 8, |_| ()));
            assert!(probes <= 16, "{probes} buckets");
        }
    }

    proptest! {
        /// Few tags, at both ends of their range, so that runs of slots grow long and wrap around the end.
        #[test]
        fn a_record_is_found_from_its_insertion_to_its_removal(steps in prop::collection::vec((any::<bool>(), 0..40u32, 0..12u32), 1..300)) {
            let mut index = Index::new();
            let mut held: Vec<(u32, u32)> = Vec::new();
            for (inserts, number, tag) in steps {
                let tag = if tag < 6 { tag.wrapping_sub(3) } else { tag << 28 };
                let known = held.iter().position(|(other, _)| *other == number);
                match known {
                    None if inserts => {
                        index.insert(hash(tag), record(number), 40);
                        held.push((number, tag));
                    }
                    Some(at) if !inserts => {
                        let (_, tag) = held.swap_remove(at);
                        index.remove(hash(tag), record(number));
                    }
                    _ => {}
                }
                for number in 0..40 {
                    let tag = held.iter().find(|(other, _)| *other == number).map(|(_, tag)| *tag);
                    let found = tag.and_then(|tag| index.find(hash(tag), |at| at == record(number)));
                    prop_assert_eq!(found, tag.map(|_| record(number)));
                }
                prop_assert_eq!(index.len, held.len() as u64);
                prop_assert_eq!(index.buckets.iter().map(Bucket::len).sum::<usize>(), held.len());
                // Every removal undoes the counts of its insertion, so an empty table has none.
                if held.is_empty() {
                    prop_assert!(index.buckets.iter().all(|bucket| bucket.passed == 0));
                }
                let (mut seen, _) = walked(&mut index, 3, |_| ());
                let mut all: Vec<u32> = held.iter().map(|(number, _)| *number).collect();
                seen.sort_unstable();
                all.sort_unstable();
                prop_assert_eq!(seen, all);
            }
        }
    }
}
