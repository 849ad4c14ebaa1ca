//! Counts the work that the store does, so that tests of rules S19 and S21 need no clock. Outside tests nothing is counted.

#[cfg(test)]
pub(super) use counters::*;

/// Counts a bucket of an index that is read.
#[inline(always)]
pub(super) fn probe() {
    #[cfg(test)]
    counters::PROBES.with(|probes| probes.set(probes.get() + 1));
}

/// Counts a step in the tree of priorities.
#[inline(always)]
pub(super) fn step() {
    #[cfg(test)]
    counters::STEPS.with(|steps| steps.set(steps.get() + 1));
}

/// Counts an entry that is visited, moved or removed.
#[inline(always)]
pub(super) fn entry() {
    #[cfg(test)]
    counters::ENTRIES.with(|entries| entries.set(entries.get() + 1));
}

/// One hold of a shard's lock, until this is dropped.
pub(super) struct LockScope;

impl LockScope {
    #[inline(always)]
    pub fn begin() -> LockScope {
        #[cfg(test)]
        counters::HOLD_BEGAN.with(|began| began.set(counters::ENTRIES.get()));
        LockScope
    }
}

#[cfg(test)]
impl Drop for LockScope {
    fn drop(&mut self) {
        let entries = counters::ENTRIES.get() - counters::HOLD_BEGAN.get();
        counters::LONGEST_HOLD.with(|longest| longest.set(longest.get().max(entries)));
    }
}

#[cfg(test)]
mod counters {
    use std::cell::Cell;

    thread_local! {
        pub(super) static PROBES: Cell<u64> = const { Cell::new(0) };
        pub(super) static STEPS: Cell<u64> = const { Cell::new(0) };
        pub(super) static ENTRIES: Cell<u64> = const { Cell::new(0) };
        pub(super) static HOLD_BEGAN: Cell<u64> = const { Cell::new(0) };
        pub(super) static LONGEST_HOLD: Cell<u64> = const { Cell::new(0) };
    }

    /// The number of buckets that `work` reads.
    pub(in crate::cache) fn probes_of(work: impl FnOnce()) -> u64 {
        let before = PROBES.get();
        work();
        PROBES.get() - before
    }

    /// The number of entries that `work` visits, moves or removes.
    pub(in crate::cache) fn entries_of(work: impl FnOnce()) -> u64 {
        let before = ENTRIES.get();
        work();
        ENTRIES.get() - before
    }

    /// The largest number of entries that `work` visits, moves or removes in one hold of a shard's lock.
    pub(in crate::cache) fn longest_hold_of(work: impl FnOnce()) -> u64 {
        LONGEST_HOLD.set(0);
        work();
        LONGEST_HOLD.get()
    }

    /// The number of steps that `work` takes in the tree of priorities.
    pub(in crate::cache) fn steps_of(work: impl FnOnce()) -> u64 {
        let before = STEPS.get();
        work();
        STEPS.get() - before
    }
}
