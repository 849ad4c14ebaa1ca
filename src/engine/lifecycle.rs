//! The stages of an engine, and how much host code still has to run for it (rules L05, L05b).
//!
//! Everything that will run host code counts as pending from before it is sent until it is done, separately for threads of the library and
//! for queues of the program. All counts share one word, so that they are read as of one instant: pending work adds new pending work before
//! it is done, and a thread that read one count after the other could miss that.

use super::Core;
use super::host::CloseListener;
use crate::base::hint::rarely;
use crate::base::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use crate::base::sync::{Condvar, Mutex, wait};
use std::sync::Arc;

/// The stages of an engine. An engine never returns to an earlier stage; it may skip some.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(super) enum LifeStage {
    /// It accepts fetches.
    Open,
    /// It accepts nothing new: it is about to close, or its table panicked.
    Shut,
    /// The program has asked it to close.
    Closing,
    /// Everything is done except for the notice of the close. No deadline fires any more.
    Drained,
    /// The notice was delivered.
    Reported,
    /// Its threads have ended, or are about to.
    Over,
}

/// The state of the program's handle.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(super) enum Ownership {
    /// The program holds it.
    Held,
    /// The program has called free, which waits for the end of the engine. Items in queues are no longer waited for, because no reader may
    /// be left.
    Freed,
    /// Like freed, but no thread waits: the thread that finds everything done ends the engine.
    Disposed,
}

/// An engine's stage, and its pending work.
pub(super) struct Lifecycle {
    /// A [`LifeStage`].
    stage: AtomicU8,
    /// An [`Ownership`].
    ownership: AtomicU8,
    /// Whether the engine has stopped using a shared runtime.
    detached: AtomicBool,
    /// Whether the engine has stopped sending to queues of the program.
    unrouted: AtomicBool,
    /// The number of [`CacheRef`](super::cache_ref::CacheRef)s.
    holders: AtomicUsize,
    /// The counts of pending work: see [`THREADS`], [`QUEUES`] and [`DELIVERIES`].
    work: AtomicU64,
    leases: Arc<Leases>,
    pub(super) ending: Mutex<ClosingState>,
    /// Signalled when everything is done, and when the notice of the close was delivered.
    pub(super) changed: Condvar,
}

impl Default for Lifecycle {
    fn default() -> Lifecycle {
        Lifecycle {
            stage: AtomicU8::new(LifeStage::Open as u8),
            ownership: AtomicU8::new(Ownership::Held as u8),
            detached: AtomicBool::default(),
            unrouted: AtomicBool::default(),
            holders: AtomicUsize::default(),
            work: AtomicU64::default(),
            leases: Arc::default(),
            ending: Mutex::default(),
            changed: Condvar::default(),
        }
    }
}

/// The listeners that wait for the close.
#[derive(Default)]
pub(super) struct ClosingState {
    pub listeners: Vec<Box<dyn CloseListener>>,
    /// Whether the notice of the close was sent.
    pub sent: bool,
}

/// Where host code runs, that is, how something reaches the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallSite {
    /// On threads of the library.
    Threads,
    /// Where the program reads a queue.
    Queue,
}

/// The lowest bits of [`Lifecycle::work`] count pending work on threads of the library: fetches delivered there, provider calls, effects
/// of the table that are still to be applied, and everything sent to the dispatcher.
const THREADS: u64 = 1;
/// The next bits count pending work in queues of the program.
const QUEUES: u64 = 1 << 28;
/// The highest eight bits count deliveries in progress where the program reads a queue. They are few: an engine has at most four queues,
/// and each has one reader at a time.
const DELIVERIES: u64 = 1 << 56;

impl CallSite {
    /// Whether a function of the host is needed, because nothing else receives what is sent.
    pub fn needs_function(self) -> bool {
        match self {
            CallSite::Threads => true,
            CallSite::Queue => false,
        }
    }

    /// Whether a call may wait for what the host does there. The reader of a queue may be the very thread that calls.
    pub fn may_be_waited_for(self) -> bool {
        match self {
            CallSite::Threads => true,
            CallSite::Queue => false,
        }
    }

    fn unit(self) -> u64 {
        match self {
            CallSite::Threads => THREADS,
            CallSite::Queue => QUEUES,
        }
    }
}

impl Lifecycle {
    /// Whether it has reached `stage`.
    #[inline]
    pub(super) fn has_reached(&self, stage: LifeStage) -> bool {
        self.stage.load(Ordering::Acquire) >= stage as u8
    }

    /// Like [`Lifecycle::has_reached`] for the last stage, without memory ordering: lookups need not see what was done before.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == LifeStage::Over as u8
    }

    /// Advances to `stage`. Returns false if it had been reached before.
    pub(super) fn advance(&self, stage: LifeStage) -> bool {
        self.stage.fetch_max(stage as u8, Ordering::AcqRel) < stage as u8
    }

    /// Records that the handle was freed or disposed of.
    pub(super) fn give_up(&self, ownership: Ownership) {
        self.ownership.fetch_max(ownership as u8, Ordering::AcqRel);
    }

    pub(super) fn is_disposed(&self) -> bool {
        self.ownership.load(Ordering::Acquire) == Ownership::Disposed as u8
    }

    pub(super) fn add_holder(&self) {
        self.holders.fetch_add(1, Ordering::Relaxed);
    }

    /// Removes a holder. Returns true if it was the last.
    pub(super) fn remove_holder(&self) -> bool {
        self.holders.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// Marks the runtime as no longer used. Returns false if it was marked before.
    pub(super) fn detach(&self) -> bool {
        !self.detached.swap(true, Ordering::AcqRel)
    }

    /// Marks the program's queues as no longer used. Returns false if they were marked before.
    pub(super) fn unroute(&self) -> bool {
        !self.unrouted.swap(true, Ordering::AcqRel)
    }

    /// Adds pending work. Must be called while no other thread can find the engine idle: under the table's lock, or while other work is
    /// pending.
    pub(super) fn begin(&self, site: CallSite) {
        self.work.fetch_add(site.unit(), Ordering::AcqRel);
    }

    /// Removes finished work. The caller must then call [`Core::conclude_if_closing`].
    pub(super) fn end_one(&self, site: CallSite) {
        self.work.fetch_sub(site.unit(), Ordering::AcqRel);
    }

    /// Like [`Lifecycle::end_one`] for several.
    pub(super) fn end_many(&self, site: CallSite, count: usize) {
        self.work.fetch_sub(site.unit() * count as u64, Ordering::AcqRel);
    }

    /// Whether no host code runs for the engine, and none will. After free or dispose, items that lie in queues do not count.
    pub(super) fn is_quiet(&self) -> bool {
        let lies_in_queues = DELIVERIES - QUEUES;
        let is_held = self.ownership.load(Ordering::Acquire) == Ownership::Held as u8;
        let ignored = if is_held { 0 } else { lies_in_queues };
        self.work.load(Ordering::Acquire) & !ignored == 0
    }

    /// Registers a thread that holds the engine and is not joined. The lease must be dropped after the thread's reference.
    pub(super) fn lease(&self) -> Lease {
        self.leases.out.fetch_add(1, Ordering::Relaxed);
        Lease(self.leases.clone())
    }

    /// Waits until no thread with a lease holds the engine. If one of them dropped the last reference, the hooks' user data would be
    /// released only after the engine was freed.
    pub(super) fn wait_for_leases(&self) {
        self.leases.wait();
    }
}

/// Counts pending work until it is dropped.
pub(super) struct PendingCount {
    core: Arc<Core>,
    site: CallSite,
}

impl PendingCount {
    /// Adds pending work.
    pub(super) fn new(core: Arc<Core>, site: CallSite) -> PendingCount {
        core.life.begin(site);
        PendingCount::begun(core, site)
    }

    /// Takes over pending work that [`Lifecycle::begin`] has added.
    pub(super) fn begun(core: Arc<Core>, site: CallSite) -> PendingCount {
        PendingCount { core, site }
    }
}

impl PendingCount {
    /// Marks a delivery of the work as in progress.
    pub(super) fn delivering(&self) -> Option<DeliveryGuard> {
        self.core.delivering(self.site)
    }
}

impl Drop for PendingCount {
    fn drop(&mut self) {
        self.core.life.end_one(self.site);
        self.core.conclude_if_closing();
    }
}

/// A delivery in progress where the program reads a queue. The delivered item must be dropped before the guard, because it may hold the
/// engine.
pub(super) struct DeliveryGuard {
    core: Arc<Core>,
    /// Dropped after the engine.
    _lease: Lease,
}

impl DeliveryGuard {
    pub(super) fn new(core: Arc<Core>) -> DeliveryGuard {
        core.life.work.fetch_add(DELIVERIES, Ordering::AcqRel);
        DeliveryGuard { _lease: core.life.lease(), core }
    }
}

impl Drop for DeliveryGuard {
    fn drop(&mut self) {
        self.core.life.work.fetch_sub(DELIVERIES, Ordering::AcqRel);
        self.core.conclude_if_closing();
    }
}

/// The number of threads that hold the engine and are not joined. Kept apart from the engine, because a thread releases the engine first.
///
/// Each delivery to a queue of the program takes and returns a lease, and a thread rarely waits for that. So the count is changed without a
/// lock, and no signal is sent unless a thread waits.
#[derive(Default)]
struct Leases {
    out: AtomicUsize,
    /// Whether a thread waits, or has waited. Set before that thread reads the count, and read after the count was lowered: one of the two
    /// threads sees the other.
    awaited: AtomicBool,
    waiting: Mutex<()>,
    back: Condvar,
}

impl Leases {
    fn wait(&self) {
        let mut waiting = self.waiting.lock();
        self.awaited.store(true, Ordering::SeqCst);
        // A read-modify-write, because a plain load might not see the latest change.
        while self.out.fetch_add(0, Ordering::SeqCst) > 0 {
            waiting = wait(&self.back, waiting);
        }
    }
}

/// The registration of a thread that holds the engine.
pub(super) struct Lease(Arc<Leases>);

impl Drop for Lease {
    fn drop(&mut self) {
        if self.0.out.fetch_sub(1, Ordering::SeqCst) == 1 && rarely(self.0.awaited.load(Ordering::SeqCst)) {
            // Taking the lock once orders this thread with the waiting one, which either sleeps by now and gets the signal, or has yet to
            // read the lowered count.
            drop(self.0.waiting.lock());
            self.0.back.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l05_stages_only_advance() {
        let life = Lifecycle::default();
        assert!(life.has_reached(LifeStage::Open) && !life.has_reached(LifeStage::Shut));
        assert!(life.advance(LifeStage::Shut), "the table panicked");
        assert!(!life.advance(LifeStage::Shut));
        assert!(life.advance(LifeStage::Closing) && life.advance(LifeStage::Over), "disposed of while its notice lies in a queue");
        assert!(!life.advance(LifeStage::Reported), "the queue is read later");
        assert!(life.has_reached(LifeStage::Over));
        life.give_up(Ownership::Disposed);
        life.give_up(Ownership::Freed);
        assert!(life.is_disposed());
    }

    #[test]
    fn l05b_pending_work_is_seen_on_threads_and_in_queues() {
        let life = Lifecycle::default();
        assert!(life.is_quiet());
        for site in [CallSite::Threads, CallSite::Queue] {
            life.begin(site);
            life.begin(site);
            life.end_one(site);
            assert!(!life.is_quiet(), "{site:?}");
            life.end_one(site);
            assert!(life.is_quiet(), "{site:?}");
        }
        // After free or dispose, items in a queue are not waited for, except a delivery in progress.
        life.give_up(Ownership::Freed);
        life.begin(CallSite::Queue);
        assert!(life.is_quiet());
        life.work.fetch_add(DELIVERIES, Ordering::AcqRel);
        assert!(!life.is_quiet());
        life.work.fetch_sub(DELIVERIES, Ordering::AcqRel);
        life.begin(CallSite::Threads);
        assert!(!life.is_quiet());
    }
}
