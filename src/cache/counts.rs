//! Statistics (rule S12): plain numbers in each shard, changed under its lock and summed when somebody asks.

use super::departure::Cause;

/// What happened since the last reset.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct StoreCounts {
    /// Lookups that found a value.
    pub hits: u64,
    /// Lookups that found null.
    pub null_hits: u64,
    /// Lookups that found nothing.
    pub misses: u64,
    /// Lookups of a key that the validator rejected.
    pub invalid_keys: u64,
    /// Values that got in, those over an older value included.
    pub inserts: u64,
    /// Values that got in over an older value that was still alive.
    pub replacements: u64,
    pub(super) removals: [Tally; Cause::ALL.len()],
}

/// How many left for one cause, and what they had cost.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Tally {
    /// How many.
    pub entries: u64,
    /// Their cost in all, saturating.
    pub cost: u64,
}

impl Tally {
    fn add(&mut self, entries: u64, cost: u64) {
        self.entries += entries;
        // Over a window costs may add up beyond any number; the ledger of live entries is kept elsewhere and exact.
        self.cost = self.cost.saturating_add(cost);
    }
}

impl StoreCounts {
    /// Those that left for `cause`.
    pub fn removed(&self, cause: Cause) -> Tally {
        self.removals[cause.index()]
    }

    /// All that were in the store and left; what was refused is not among them, it never got in.
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
