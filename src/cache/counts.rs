//! Statistics (rule S12): plain numbers in each shard, changed under its lock and summed on request.

use super::departure::Cause;

/// Counters since the last reset of the statistics.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct StoreCounts {
    /// Lookups that found a value.
    pub hits: u64,
    /// Lookups that found null.
    pub null_hits: u64,
    /// Lookups that found nothing.
    pub misses: u64,
    /// Lookups of a key that the validator refused.
    pub invalid_keys: u64,
    /// Entries that were stored, including those that replaced an older one.
    pub inserts: u64,
    /// Entries that replaced an older one, fresh or stale.
    pub replacements: u64,
    pub(super) removals: [Tally; Cause::ALL.len()],
}

/// The number and the total cost of the entries that left for one cause.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tally {
    /// The number of these entries.
    pub entries: u64,
    /// The total cost of these entries in bytes, saturating.
    pub cost: u64,
}

impl Tally {
    fn add(&mut self, entries: u64, cost: u64) {
        self.entries += entries;
        // Over a long time the sum may exceed 64 bits. The ledger of live entries is separate, and exact.
        self.cost = self.cost.saturating_add(cost);
    }
}

impl StoreCounts {
    /// Returns the number and the cost of the entries that left for `cause`.
    pub fn removed(&self, cause: Cause) -> Tally {
        self.removals[cause.index()]
    }

    /// Returns the number and the cost of all entries that were in the store and left. Refused ones do not count: they were never in it.
    pub fn removed_in_all(&self) -> Tally {
        let mut all = Tally::default();
        for cause in Cause::ALL.into_iter().filter(|cause| *cause != Cause::Refused) {
            let tally = self.removed(cause);
            all.add(tally.entries, tally.cost);
        }
        all
    }

    pub(super) fn depart(&mut self, cause: Cause, cost: u64) {
        self.removals[cause.index()].add(1, cost);
    }

    pub(super) fn add(&mut self, other: &StoreCounts) {
        self.hits += other.hits;
        self.null_hits += other.null_hits;
        self.misses += other.misses;
        self.invalid_keys += other.invalid_keys;
        self.inserts += other.inserts;
        self.replacements += other.replacements;
        for (mine, theirs) in self.removals.iter_mut().zip(&other.removals) {
            mine.add(theirs.entries, theirs.cost);
        }
    }
}
