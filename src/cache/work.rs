//! Counts the work that is done under the lock of a shard, so that tests of rule S19 need no clock. It is nothing outside of tests.

#[cfg(test)]
pub(super) use counters::*;

/// A bucket of an index was looked at.
#[inline(always)]
pub(super) fn probe() {
    #[cfg(test)]
    counters::PROBES.with(|probes| probes.set(probes.get() + 1));
}

#[cfg(test)]
mod counters {
    use std::cell::Cell;

    thread_local! {
        pub(super) static PROBES: Cell<u64> = const { Cell::new(0) };
    }

    /// How many buckets `work` looks at.
    pub(in crate::cache) fn probes_of(work: impl FnOnce()) -> u64 {
        let before = PROBES.get();
        work();
        PROBES.get() - before
    }
}
