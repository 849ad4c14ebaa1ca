//! The index: a hash table that finds the record of a key. It never reads a record itself.
//!
//! Open addressing in buckets that fill a cache line (as in folly's tables and Abseil's, but with the addresses beside the tags), with
//! linear probing over buckets (Knuth, volume 3, 6.4, algorithm L). A lookup waits for one cache line, compares all its tags without an
//! unpredictable branch, and reads a record only if 32 bits of the hash agree. Each bucket counts the records that are in a later bucket
//! because this one was full; a search ends at a bucket with a count of 0. A removal decrements the counts instead of leaving a tombstone,
//! which a full cache would have to clean up again and again.
//!
//! Growing takes many small steps (rule S19). Until it is complete there are two tables, and each insertion moves the records of a few
//! buckets from the smaller to the larger one. Both tables and the moves are in the order of the tags, so one number shows which of the two
//! has a record. A lookup needs this number only if the smaller table does not have the key. No hash is computed again, and no record read.

mod table;

use self::table::{Bucket, BucketTable, SLOTS, home};
use super::work;
use crate::base::hint::{prefetch, prefetch_at, rarely};
use crate::base::record::Address;
use std::alloc::{Layout, handle_alloc_error};
use std::collections::TryReserveError;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};

/// The minimum number of buckets that a table grows by.
const FIRST_GROWTH: u64 = 2;

/// How many buckets' records an insertion moves to the larger table. A table grows by at least an eighth, and has less than half a bucket
/// for each record. So all are moved after less than half of the insertions that fill the larger table.
const MOVED_BY_AN_INSERTION: usize = 8;

/// How many buckets' records are moved when the table begins to grow. A table of no more buckets is moved in one step.
const MOVED_AT_ONCE: usize = 64;

/// The minimum number of slots for each entry. With 2, one bucket in twenty passed records on to a later one (measured).
const SLOTS_PER_ENTRY: u64 = 2;

/// The size of a full table for each entry, in bytes, for the published cost of an entry.
#[cfg(test)]
pub(super) const BYTES_PER_ENTRY: f64 = size_of::<Bucket>() as f64 / SLOTS as f64 * SLOTS_PER_ENTRY as f64;

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
        // While the table grows, this is the smaller one: some prefetches are in vain then.
        let buckets = &index.table.buckets;
        let start = buckets.as_ptr().cast_mut();
        if self.buckets.load(Relaxed) != start {
            self.buckets.store(start, Relaxed);
            self.len.store(buckets.len(), Relaxed);
        }
    }

    /// Prefetches the bucket of `hash` for a lookup that follows soon.
    #[inline(always)]
    pub fn prefetch(&self, hash: u64) {
        let at = home(hash as u32, self.len.load(Relaxed));
        prefetch_at(self.buckets.load(Relaxed).wrapping_add(at));
    }
}

/// A larger table that is taking over the records.
struct Growth {
    table: BucketTable,
    /// The bucket of the smaller table whose records are moved next.
    next: usize,
}

/// The buckets of a table that is no longer used. Freeing much memory takes time, so the holder of the lock does that after releasing it.
pub(super) struct OutgrownTable(#[allow(dead_code)] Vec<Bucket>);

/// Above all tags.
const ALL_TAGS: u64 = 1 << 32;

/// A hash table from the low 32 bits of a hash to record addresses; the caller compares keys.
pub(super) struct Index {
    table: BucketTable,
    /// Records with a lower tag have been moved to the larger table. 0 if there is no larger table.
    moved: u64,
    len: u64,
    /// The number of records that the table has room for; the larger one, if there are two.
    capacity: u64,
    growth: Option<Growth>,
    outgrown: Vec<Bucket>,
}

impl Index {
    pub fn new() -> Index {
        Index { table: BucketTable::EMPTY, moved: 0, len: 0, capacity: 0, growth: None, outgrown: Vec::new() }
    }

    /// Returns the record with this hash for which `is_it` is true.
    #[inline(always)]
    pub fn find(&self, hash: u64, is_it: impl Fn(Address) -> bool) -> Option<Address> {
        let tag = hash as u32;
        work::probe();
        // All buckets of this table are in use, so their number is its size. Without buckets, the search ends here.
        let buckets = &self.table.buckets;
        let bucket = buckets.get(home(tag, buckets.len()))?;
        let guess = bucket.guess(tag);
        if let Some(record) = guess
            && is_it(record)
        {
            return guess;
        }
        // Whether the record was moved is checked only here, so that a hit does not pay for the check.
        if rarely(guess.is_some() || u64::from(bucket.passed) | self.moved > 0) { self.search(tag, is_it) } else { None }
    }

    #[cold]
    #[inline(never)]
    fn search(&self, tag: u32, is_it: impl Fn(Address) -> bool) -> Option<Address> {
        self.table_with(tag).search(tag, is_it)
    }

    /// Prefetches the bucket of `hash` for a lookup that follows soon.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        let table = self.table_with(hash as u32);
        table.buckets.get(table.home(hash as u32)).into_iter().for_each(prefetch);
    }

    /// The table in which a record with this tag is, or belongs.
    #[inline(always)]
    fn table_with(&self, tag: u32) -> &BucketTable {
        if rarely(u64::from(tag) < self.moved)
            && let Some(growth) = &self.growth
        {
            return &growth.table;
        }
        &self.table
    }

    /// Like [`Index::table_with`].
    #[inline(always)]
    fn table_with_mut(&mut self, tag: u32) -> &mut BucketTable {
        if rarely(u64::from(tag) < self.moved)
            && let Some(growth) = &mut self.growth
        {
            return &mut growth.table;
        }
        &mut self.table
    }

    /// Adds a record that is not in the table. `limit` is the maximum number of entries.
    #[inline(always)]
    pub fn insert(&mut self, hash: u64, record: Address, limit: u64) {
        if rarely(self.must_grow() || self.moved > 0) {
            self.grow_a_little(limit);
        }
        self.len += 1;
        self.table_with_mut(hash as u32).enter(hash as u32, Some(record));
    }

    fn buckets_for(entries: u64) -> u64 {
        (entries * SLOTS_PER_ENTRY).div_ceil(SLOTS as u64)
    }

    fn capacity_of(buckets: u64) -> u64 {
        buckets * SLOTS as u64 / SLOTS_PER_ENTRY
    }

    /// Whether another record needs a larger table.
    #[inline(always)]
    pub fn must_grow(&self) -> bool {
        self.len >= self.capacity
    }

    /// An insertion's share in growing: begins to grow if the table is full, and moves some records to the larger table.
    #[cold]
    #[inline(never)]
    fn grow_a_little(&mut self, limit: u64) {
        if self.try_grow(limit).is_err() {
            handle_alloc_error(Layout::new::<Bucket>());
        }
        self.move_some(MOVED_BY_AN_INSERTION);
    }

    /// Makes room for another record: begins to move to a larger table. If there is no memory for that, nothing changes.
    pub fn try_grow(&mut self, limit: u64) -> Result<(), TryReserveError> {
        if !self.must_grow() {
            return Ok(());
        }
        let size = self.growth.as_ref().map_or(self.table.size, |growth| growth.table.size) as u64;
        let (wanted, stretched) = (self.next_size(size, limit), Index::capacity_of(size * 9 / 8));
        if (self.growth.is_some() || wanted < size * 9 / 8) && self.capacity < stretched {
            // This happens only after a resize: the limit was, or is, hardly above the present room. Growing is paid for by insertions, so
            // it must not happen again after only a few of them. Until then the table becomes a little fuller.
            self.capacity = stretched;
            return Ok(());
        }
        // Usually there is nothing left to move: see `MOVED_BY_AN_INSERTION`.
        self.move_some(usize::MAX);
        let table = BucketTable::with_capacity(usize::try_from(wanted).expect("a shard holds at most MAX_NODES entries"))?;
        self.capacity = Index::capacity_of(wanted);
        self.growth = Some(Growth { table, next: 0 });
        // From here on `moved` is above 0, until the table has grown.
        self.move_some(MOVED_AT_ONCE);
        Ok(())
    }

    /// The next size of a full table: larger by a quarter only, because unused slots are not part of any entry's cost (rule S03a), or what
    /// the limit needs if that is not much more.
    fn next_size(&self, size: u64, limit: u64) -> u64 {
        let most = Index::buckets_for(limit);
        let next = (size * 5 / 4).max(size + FIRST_GROWTH);
        let next = if most <= next * 6 / 5 { most } else { next };
        next.max(Index::buckets_for(self.len + 1))
    }

    /// Moves the records of up to `most` buckets to the larger table, if there is one.
    fn move_some(&mut self, most: usize) {
        let Some(Growth { table: larger, next }) = &mut self.growth else { return };
        let end = self.table.size.min(next.saturating_add(most));
        let is_all = end == self.table.size;
        self.moved = if is_all { ALL_TAGS } else { self.table.first_tag(end) };
        // Begins to use the buckets of the larger table that these records belong in. Some of them stay empty, but then no later step has
        // to begin to use them.
        larger.reach(if is_all { larger.size - 1 } else { larger.home(self.moved as u32) });
        while *next < end {
            self.table.move_home(*next, larger);
            *next += 1;
        }
        if is_all && let Some(growth) = self.growth.take() {
            self.outgrown = std::mem::replace(&mut self.table, growth.table).buckets;
            self.moved = 0;
        }
    }

    /// The number of buckets in the table that is to be freed, 0 if there is none.
    #[inline(always)]
    pub fn outgrown(&self) -> usize {
        self.outgrown.capacity()
    }

    /// Returns a table that is no longer used, to be dropped after the lock is released.
    pub fn take_outgrown(&mut self) -> OutgrownTable {
        OutgrownTable(std::mem::take(&mut self.outgrown))
    }

    /// Calls `show` with the records whose tag (the low 32 bits of the hash) is at least `from`, in ascending order of their home buckets:
    /// about `most` records, in whole buckets, so that none is repeated or missed even if the table grows between two calls. Returns the
    /// tag to continue from; `None` at the end.
    pub fn walk(&self, from: u32, most: usize, show: impl FnMut(Address)) -> Option<u32> {
        let next = match &self.growth {
            // All tables are in the order of the tags. So `from` means the same in each, wherever records have moved since the last call.
            Some(growth) if u64::from(from) < self.moved => growth.table.walk(from, self.moved, most, show),
            _ if self.table.size == 0 => ALL_TAGS,
            _ => self.table.walk(from, ALL_TAGS, most, show),
        };
        u32::try_from(next).ok()
    }

    /// Replaces a record that is in the table under `hash` by another one with the same hash.
    #[inline(always)]
    pub fn replace(&mut self, hash: u64, record: Address, by: Address) {
        self.table_with_mut(hash as u32).replace(hash as u32, record, by);
    }

    /// Removes a record that is in the table under `hash`.
    #[inline(always)]
    pub fn remove(&mut self, hash: u64, record: Address) {
        self.table_with_mut(hash as u32).remove(hash as u32, record);
        self.len -= 1;
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

    /// A hash for each number, spread over the table.
    fn spread(number: u32) -> u64 {
        hash(number.wrapping_mul(0x9E37_79B9))
    }

    #[test]
    fn an_empty_table_has_no_memory_and_finds_nothing() {
        let index = Index::new();
        assert_eq!((index.table.buckets.capacity(), index.find(hash(7), |_| true)), (0, None));
    }

    #[test]
    fn s02_the_table_grows_no_larger_than_the_limit_needs() {
        for limit in [1, 2, 3, 11, 12, 13, 1000] {
            let mut index = Index::new();
            for number in 0..limit as u32 {
                index.insert(spread(number), record(number), limit);
            }
            assert_eq!((index.table.buckets.len() as u64, index.growth.is_none()), (Index::buckets_for(limit), true));
            assert!(index.table.buckets.iter().any(|bucket| !bucket.is_full()));
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
        let mut index = Index::new();
        assert_eq!(walked(&mut index, 8, |_| ()), (vec![], 1));
        (0..1000).for_each(|number| index.insert(spread(number), record(number), 1 << 20));
        let mut next = 1000;
        let (mut seen, pages) = walked(&mut index, 8, |index| {
            // If the table grew without end, so would the walk.
            for _ in 0..if next < 30_000 { 200 } else { 0 } {
                index.insert(spread(next), record(next), 1 << 20);
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

    #[test]
    fn s19_each_insertion_visits_only_a_few_buckets_while_the_table_grows() {
        let (mut index, mut growths) = (Index::new(), 0);
        for number in 0..100_000 {
            growths += u32::from(index.must_grow());
            let probes = work::probes_of(|| index.insert(spread(number), record(number), 1 << 20));
            // Records whose home is one bucket may be in the next ones, too.
            assert!(probes < 3 * MOVED_AT_ONCE as u64, "{probes} buckets for insertion {number}");
        }
        assert!(growths > 30, "{growths} growths");
    }

    #[test]
    fn s19_each_insertion_visits_only_a_few_buckets_however_the_limit_rises() {
        for step in [1, 7, 100, 1_000, 5_000, 20_000] {
            let mut index = Index::new();
            for number in 0..60_000 {
                let limit = (u64::from(number) / step + 1) * step;
                let probes = work::probes_of(|| index.insert(spread(number), record(number), limit));
                assert!(probes < 3 * MOVED_AT_ONCE as u64, "{probes} buckets for insertion {number}, with limits {step} apart");
            }
            // Neither much smaller nor much larger than usual.
            let usual = Index::buckets_for(60_000);
            let size = index.growth.as_ref().map_or(index.table.size, |growth| growth.table.size) as u64;
            assert!(size >= usual * 8 / 9 && size <= usual * 3 / 2, "{size} buckets, usually {usual}, with limits {step} apart");
        }
    }

    /// Many records have a home among the last buckets, so that they go to later buckets and to the first ones, in both tables.
    #[test]
    fn s19_a_record_is_found_while_the_table_grows() {
        let tag_of = |number: u32| if number.is_multiple_of(8) { hash(u32::MAX - number / 64) } else { spread(number) };
        let mut index = Index::new();
        let (mut held, mut seen_growing) = (std::collections::BTreeSet::new(), 0);
        for number in 0..4_000 {
            index.insert(tag_of(number), record(number), 1 << 20);
            held.insert(number);
            if number % 3 == 0 {
                let other = number / 2;
                if held.remove(&other) {
                    index.remove(tag_of(other), record(other));
                }
            }
            if index.growth.is_none() || number % 16 != 0 {
                continue;
            }
            seen_growing += 1;
            for number in 0..=number {
                let found = index.find(tag_of(number), |at| at == record(number));
                assert_eq!(found, held.contains(&number).then(|| record(number)));
            }
            let (mut walked, _) = walked(&mut index, 50, |_| ());
            walked.sort_unstable();
            assert!(walked.iter().eq(&held));
        }
        assert!(seen_growing > 10, "looked {seen_growing} times");
        held.iter().for_each(|number| index.remove(tag_of(*number), record(*number)));
        let tables = std::iter::once(&index.table).chain(index.growth.iter().map(|growth| &growth.table));
        assert!(tables.flat_map(|table| &table.buckets).all(|bucket| bucket.len() == 0 && bucket.passed == 0));
    }

    #[test]
    fn s20_a_table_that_was_outgrown_is_handed_out() {
        let mut index = Index::new();
        for number in 0..10_000 {
            index.insert(spread(number), record(number), 1 << 20);
            if index.outgrown() > 0 {
                assert!(index.take_outgrown().0.capacity() > 0);
            }
        }
        assert_eq!(index.outgrown(), 0);
    }

    proptest! {
        /// Few tags, at both ends of their range, so that many buckets in a row are full, and such rows wrap around the end.
        #[test]
        fn a_record_is_found_from_its_insertion_to_its_removal(
            steps in prop::collection::vec((any::<bool>(), 0..40u32, 0..12u32), 1..300),
        ) {
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
                let tables = || std::iter::once(&index.table).chain(index.growth.iter().map(|growth| &growth.table));
                let buckets = || tables().flat_map(|table| &table.buckets);
                prop_assert_eq!(buckets().map(Bucket::len).sum::<usize>(), held.len());
                // Every removal undoes the counts of its insertion, so an empty table has none.
                if held.is_empty() {
                    prop_assert!(buckets().all(|bucket| bucket.passed == 0));
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
