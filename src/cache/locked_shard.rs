//! The only access to a shard: its lock, the departures from it, and its recovery after a panic (rules S11, L01, L07).

use super::departure::{DepartureSink, Departures};
use super::index::TableHint;
use super::shard::Shard;
use super::work;
use crate::base::Millis;
use crate::base::fair::FairMutex;
use crate::base::hint::rarely;
use crate::base::sync::MutexGuard;
use crate::base::sync::atomic::{AtomicU64, Ordering};

/// A shard behind its lock. Aligned so that neighbours share no cache line (two lines, because processors fetch them in pairs).
#[repr(align(128))]
pub(super) struct LockedShard {
    shard: FairMutex<Shard>,
    /// A copy of the shard's `next_due`, updated under the lock. The timer reads the copies of all shards without locking.
    next_due: AtomicU64,
    index_hint: TableHint,
}

impl LockedShard {
    pub fn new(shard: Shard) -> LockedShard {
        LockedShard { shard: FairMutex::new(shard), next_due: AtomicU64::new(Millis::NEVER.0), index_hint: TableHint::default() }
    }

    pub fn next_due(&self) -> Millis {
        Millis(self.next_due.load(Ordering::SeqCst))
    }

    /// Runs `look`, which must cause no departures, under the lock. If `look` panics, the state of the shard is unknown, and the next
    /// access empties the shard.
    #[inline(always)]
    pub fn read<R>(&self, sink: Option<&dyn DepartureSink>, look: impl FnOnce(&mut Shard) -> R) -> R {
        let _hold = work::LockScope::begin();
        look(&mut self.lock_for_read(sink))
    }

    /// Like [`LockedShard::read`] if `is_current` returns true once the lock is taken; otherwise returns `look` unused.
    #[inline(always)]
    pub fn read_if<R, F: FnOnce(&mut Shard) -> R>(
        &self,
        sink: Option<&dyn DepartureSink>,
        is_current: impl FnOnce() -> bool,
        look: F,
    ) -> Result<R, F> {
        self.read(
            sink,
            #[inline(always)]
            |shard| if rarely(!is_current()) { Err(look) } else { Ok(look(shard)) },
        )
    }

    /// Takes the lock for a read, which causes no departures. If a panic left the shard in an unknown state, it is emptied first, and its
    /// entries are dropped with no lock held, so host code may run inside this call.
    #[inline(always)]
    pub fn lock_for_read(&self, sink: Option<&dyn DepartureSink>) -> MutexGuard<'_, Shard> {
        loop {
            match self.shard.lock_unless_broken() {
                Ok(shard) => return shard,
                Err(broken) => self.empty(broken, sink),
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn empty(&self, broken: MutexGuard<'_, Shard>, sink: Option<&dyn DepartureSink>) {
        let mut left = Departures::new();
        drop(self.salvage(broken, sink, &mut left));
    }

    /// Takes the lock and leaves the rest of [`LockedShard::write`] to the caller, for work on several shards. A shard that a panic left
    /// in an unknown state is emptied into `out`. The caller must call [`LockedShard::announce`] before releasing the lock.
    #[inline(always)]
    pub fn hold(&self, sink: Option<&dyn DepartureSink>, out: &mut Departures) -> MutexGuard<'_, Shard> {
        self.shard.lock_unless_broken().unwrap_or_else(|broken| self.salvage(broken, sink, out))
    }

    /// Like [`LockedShard::read`], but never waits. Returns `None`, and does nothing, if the lock is taken, if the shard needs recovery, or
    /// if `is_ready` returns false.
    #[inline(always)]
    pub fn try_read<R>(&self, is_ready: impl FnOnce(&Shard) -> bool, look: impl FnOnce(&mut Shard) -> R) -> Option<R> {
        let mut shard = self.shard.try_lock_unless_broken()?;
        if rarely(!is_ready(&shard)) {
            LockedShard::let_go(shard);
            return None;
        }
        Some(look(&mut shard))
    }

    /// Releases the lock in a function of its own, so that this rare path does not cost the usual one registers during `look`.
    #[cold]
    #[inline(never)]
    fn let_go(_shard: MutexGuard<'_, Shard>) {}

    /// Runs `change` under the lock. `change` puts departures into `out`; the departure sink, if there is one, takes them from there, even
    /// after a panic.
    #[inline(always)]
    pub fn write<R>(
        &self,
        sink: Option<&dyn DepartureSink>,
        out: &mut Departures,
        change: impl FnOnce(&mut Shard, &mut Departures) -> R,
    ) -> R {
        let _hold = work::LockScope::begin();
        let shard = self.hold(sink, out);
        self.change(shard, sink, out, change)
    }

    /// Like [`LockedShard::write`], with the lock that [`LockedShard::hold`] has taken. Releases the lock.
    #[inline(always)]
    pub fn change<R>(
        &self,
        shard: MutexGuard<'_, Shard>,
        sink: Option<&dyn DepartureSink>,
        out: &mut Departures,
        change: impl FnOnce(&mut Shard, &mut Departures) -> R,
    ) -> R {
        // Declared before the lock, so that it is dropped after the lock is released.
        let _outgrown;
        let mut shard = shard;
        let leaving = DepartureScope { out, sink };
        let result = change(&mut shard, &mut *leaving.out);
        self.announce(&shard);
        _outgrown = shard.take_outgrown();
        result
    }

    /// Called between two holds by the same thread. See [`FairMutex::give_way`].
    #[inline]
    pub fn give_way(&self) {
        self.shard.give_way();
    }

    /// Prefetches the index's bucket of `hash`, for a lookup that follows soon. Takes no lock.
    #[inline]
    pub fn prefetch(&self, hash: u64) {
        self.index_hint.prefetch(hash);
    }

    /// Publishes the data that are read without the lock.
    pub fn announce(&self, shard: &Shard) {
        self.index_hint.note(shard.index());
        let next_due = shard.next_due();
        if self.next_due.load(Ordering::Relaxed) != next_due.0 {
            self.next_due.store(next_due.0, Ordering::SeqCst);
        }
    }

    #[cold]
    #[inline(never)]
    fn salvage<'a>(
        &self,
        mut shard: MutexGuard<'a, Shard>,
        sink: Option<&dyn DepartureSink>,
        out: &mut Departures,
    ) -> MutexGuard<'a, Shard> {
        shard.salvage(out);
        self.announce(&shard);
        drop(DepartureScope { out, sink });
        self.shard.mended();
        shard
    }
}

/// The departures during one hold of the lock. They are recorded before the lock is released, even after a panic.
struct DepartureScope<'a> {
    out: &'a mut Departures,
    sink: Option<&'a dyn DepartureSink>,
}

impl Drop for DepartureScope<'_> {
    fn drop(&mut self) {
        if let Some(sink) = self.sink
            && !self.out.is_empty()
        {
            // What the sink does not take stays in `out`: dropping it here would happen under the lock.
            sink.record(self.out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::departure::{Cause, Departure};
    use super::super::store::Store;
    use super::*;
    use crate::base::config::CacheSettings;
    use crate::base::sync::Mutex;
    use crate::base::{Answer, Record};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;

    #[derive(Default)]
    struct RecordedDepartures(Mutex<Vec<Departure>>);

    impl DepartureSink for RecordedDepartures {
        fn record(&self, departures: &mut Departures) {
            self.0.lock().extend(departures.drain(..));
        }
    }

    #[test]
    fn s11_departures_before_a_panic_are_recorded() {
        let recorded = Arc::new(RecordedDepartures::default());
        let store = Store::new(&CacheSettings::default(), Some(recorded.clone()));
        let (now, mut out) = (Millis(0), Departures::new());
        let gone = Departure {
            record: Record::new(b"k", Answer::Null).leave(),
            cost: 1,
            stored_at: now,
            end: Millis::NEVER,
            left_at: now,
            cause: Cause::Capacity,
        };
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            store.first_shard().write(Some(&*recorded), &mut out, |_, out| {
                out.push(gone);
                panic!("after a departure");
            })
        }));
        assert!(panicked.is_err() && out.is_empty());
        assert_eq!(recorded.0.lock().iter().map(|left| left.cause).collect::<Vec<_>>(), [Cause::Capacity]);
    }
}
