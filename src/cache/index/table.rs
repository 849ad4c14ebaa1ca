//! One hash table of the index, whose size is fixed. An index that grows has two of them.

use super::super::work;
use crate::base::hint::rarely;
use crate::base::record::Address;
use std::collections::TryReserveError;
use std::hint::select_unpredictable;

/// The number of slots of a bucket, as many as fit into a cache line beside [`Bucket::passed`]: 5, or 7 with 32-bit addresses.
pub(super) const SLOTS: usize = (64 - size_of::<u32>()) / (size_of::<u32>() + size_of::<Option<Address>>());

/// One cache line of the table. The slots in use come first.
#[repr(C, align(64))]
#[derive(Clone, Copy)]
pub(in crate::cache) struct Bucket {
    records: [Option<Address>; SLOTS],
    tags: [u32; SLOTS],
    /// The number of records that are in a later bucket because this one was full.
    pub(super) passed: u32,
}

const EMPTY: Bucket = Bucket { records: [None; SLOTS], tags: [0; SLOTS], passed: 0 };

const _: () = assert!(size_of::<Bucket>() == 64);

impl Bucket {
    #[inline(always)]
    pub(super) fn is_full(&self) -> bool {
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
    pub(super) fn len(&self) -> usize {
        self.records.iter().map(|held| usize::from(held.is_some())).sum()
    }

    /// Returns the first record with `tag`. Visits all slots without a branch, because the slot cannot be predicted. Empty slots have tag 0
    /// and come last, so that a search for tag 0 finds one only if no record has that tag.
    #[inline(always)]
    pub(super) fn guess(&self, tag: u32) -> Option<Address> {
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

/// The home of a tag: the bucket where its search begins. Computed by a multiplication, so that the size need not be a power of two: a
/// table can be exactly as large as the capacity needs.
#[inline(always)]
pub(super) fn home(tag: u32, buckets: usize) -> usize {
    ((u64::from(tag) * buckets as u64) >> 32) as usize
}

/// A table of a fixed size.
pub(super) struct BucketTable {
    /// The buckets from the first to the last that has been in use. There is memory for `size` of them.
    pub(super) buckets: Vec<Bucket>,
    /// The number of buckets that the table may use.
    pub(super) size: usize,
}

impl BucketTable {
    pub(super) const EMPTY: BucketTable = BucketTable { buckets: Vec::new(), size: 0 };

    pub(super) fn with_capacity(size: usize) -> Result<BucketTable, TryReserveError> {
        let mut buckets = Vec::new();
        buckets.try_reserve_exact(size)?;
        Ok(BucketTable { buckets, size })
    }

    #[inline(always)]
    pub(super) fn home(&self, tag: u32) -> usize {
        home(tag, self.size)
    }

    /// The lowest tag whose home is this bucket; for the bucket after the last one, a number above all tags.
    pub(super) fn first_tag(&self, home: usize) -> u64 {
        ((home as u64) << 32).div_ceil(self.size as u64)
    }

    #[inline]
    fn after(&self, at: usize) -> usize {
        if at + 1 == self.size { 0 } else { at + 1 }
    }

    /// Returns the record with this tag for which `is_it` is true. Stops after one round of the table: if every bucket has passed a record
    /// on, no bucket ends the search.
    pub(super) fn search(&self, tag: u32, is_it: impl Fn(Address) -> bool) -> Option<Address> {
        let mut at = self.home(tag);
        for _ in 0..self.size {
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

    /// Begins to use the buckets up to this one.
    #[inline(always)]
    pub(super) fn reach(&mut self, at: usize) {
        if rarely(at >= self.buckets.len()) {
            self.buckets.resize(at + 1, EMPTY);
        }
    }

    #[inline(always)]
    pub(super) fn enter(&mut self, tag: u32, record: Option<Address>) {
        match self.buckets.get_mut(home(tag, self.size)) {
            Some(bucket) if !rarely(bucket.is_full()) => bucket.push(tag, record),
            _ => self.enter_beyond(tag, record),
        }
    }

    /// Enters a record whose home is full or not in use.
    #[cold]
    #[inline(never)]
    fn enter_beyond(&mut self, tag: u32, record: Option<Address>) {
        let mut at = self.home(tag);
        self.reach(at);
        // The table has more slots than entries, so the loop ends.
        while self.buckets[at].is_full() {
            work::probe();
            self.buckets[at].passed += 1;
            at = self.after(at);
            self.reach(at);
        }
        self.buckets[at].push(tag, record);
    }

    /// Replaces a record by another one with the same tag.
    #[inline(always)]
    pub(super) fn replace(&mut self, tag: u32, record: Address, by: Address) {
        let mut at = self.home(tag);
        loop {
            let bucket = &mut self.buckets[at];
            let slot = bucket.slot_of(record);
            if slot < SLOTS {
                bucket.records[slot] = Some(by);
                return;
            }
            assert!(bucket.passed > 0, "every entry is in the index");
            at = self.after(at);
        }
    }

    #[inline(always)]
    pub(super) fn remove(&mut self, tag: u32, record: Address) {
        let mut at = self.home(tag);
        loop {
            let bucket = &mut self.buckets[at];
            let slot = bucket.slot_of(record);
            if slot < SLOTS {
                bucket.vacate(slot);
                return;
            }
            assert!(bucket.passed > 0, "every entry is in the index");
            bucket.passed -= 1;
            at = self.after(at);
        }
    }

    /// Moves the records whose home is this bucket into another table.
    #[inline(always)]
    pub(super) fn move_home(&mut self, home: usize, into: &mut BucketTable) {
        if rarely(self.buckets[home].passed > 0) {
            return self.move_home_and_later(home, into);
        }
        work::probe();
        let (size, bucket, mut kept) = (self.size, &mut self.buckets[home], EMPTY);
        let mut count = 0;
        for slot in 0..SLOTS {
            let (tag, record) = (bucket.tags[slot], bucket.records[slot]);
            if record.is_none() {
                break;
            }
            if rarely(self::home(tag, size) != home) {
                // An earlier bucket passed this record on.
                (kept.tags[count], kept.records[count]) = (tag, record);
                count += 1;
            } else {
                into.enter(tag, record);
            }
        }
        *bucket = kept;
    }

    /// [`BucketTable::move_home`] for a bucket that passed records on, so that some of its own are in later buckets.
    #[cold]
    #[inline(never)]
    fn move_home_and_later(&mut self, home: usize, into: &mut BucketTable) {
        let (mut at, mut passed_by) = (home, 0);
        loop {
            work::probe();
            let mut slot = 0;
            while let Some(record) = self.buckets[at].records.get(slot).copied().flatten() {
                let tag = self.buckets[at].tags[slot];
                if self.home(tag) != home {
                    slot += 1;
                    continue;
                }
                self.buckets[at].vacate(slot);
                let mut before = home;
                for _ in 0..passed_by {
                    self.buckets[before].passed -= 1;
                    before = self.after(before);
                }
                into.enter(tag, Some(record));
            }
            let ends_here = self.buckets[at].passed == 0;
            (at, passed_by) = (self.after(at), passed_by + 1);
            if ends_here || at == home {
                return;
            }
        }
    }

    /// Calls `show` with the records whose home is this bucket and whose tag is at least `from`. Returns their number.
    fn show_home(&self, home: usize, from: u32, mut show: impl FnMut(Address)) -> usize {
        let (mut at, mut shown) = (home, 0);
        loop {
            work::probe();
            let Some(bucket) = self.buckets.get(at) else { return shown };
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

    /// See [`Index::walk`](super::Index::walk). Ends after the last bucket whose first tag is below `end`.
    pub(super) fn walk(&self, from: u32, end: u64, most: usize, mut show: impl FnMut(Address)) -> u64 {
        let (mut shown, mut home) = (0, self.home(from));
        for looked_at in 0.. {
            let first = self.first_tag(home);
            // Also bounds the number of buckets, because the table may be nearly empty.
            if home >= self.size || first >= end || shown >= most || looked_at >= most {
                return first.min(end);
            }
            shown += self.show_home(home, from, &mut show);
            home += 1;
        }
        end
    }
}
