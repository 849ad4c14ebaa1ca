//! How far an engine's life has come, and how much of the program's code has yet to run for it (rules L05, L05b).
//!
//! Everything that will run code of the program counts as pending from before it is sent until it is through, by where it runs: on
//! threads of the library, or wherever the program reads one of its queues. All counts stand in one word, so that they are seen as of one
//! instant: pending work makes new work pending before it is through, and a sum of counts read one after the other could miss it.

use super::Core;
use super::host::CloseListener;
use crate::base::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use crate::base::sync::{Condvar, Mutex, wait};
use std::sync::Arc;

/// How far an engine's life has come. It never goes back; some stages may be left out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(super) enum LifeStage {
    /// It accepts fetches.
    Open,
    /// It accepts nothing new: it is about to close, or its table broke.
    Shut,
    /// The program has asked for the end.
    Closing,
    /// All is done, but for the news of the end. Nothing falls due any more.
    Drained,
    /// The news was delivered.
    Reported,
    /// Its threads have ended, or are about to.
    Over,
}

/// What has become of the program's handle.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(super) enum Ownership {
    /// The program holds it.
    Held,
    /// A thread waits for the end to free the engine. What lies in queues is not waited for any more: nobody may be left to read them.
    Freed,
    /// As freed, but no thread waits: the thread that finds everything done ends the engine.
    Disposed,
}

/// An engine's life: where it stands, and what is still under way.
pub(super) struct Lifecycle {
    /// A [`LifeStage`].
    stage: AtomicU8,
    /// An [`Ownership`].
    ownership: AtomicU8,
    /// Whether it uses a shared runtime no more.
    detached: AtomicBool,
    /// Whether it sends to queues of the program no more.
    unrouted: AtomicBool,
    /// Those who hold it as a cache.
    holders: AtomicUsize,
    /// See [`THREADS`].
    work: AtomicU64,
    leases: Arc<Leases>,
    pub(super) ending: Mutex<ClosingState>,
    /// The end has come closer.
    pub(super) nearer: Condvar,
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
            nearer: Condvar::default(),
        }
    }
}

/// Who waits for the end.
#[derive(Default)]
pub(super) struct ClosingState {
    pub listeners: Vec<Box<dyn CloseListener>>,
    /// The news is on its way.
    pub sent: bool,
}

/// Where code of the program runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CallSite {
    /// On threads of the library.
    Threads,
    /// Where the program reads a queue.
    Queue,
}

/// The lowest bits of [`Lifecycle::work`] count what is pending on threads of the library: fetches delivered there, provider calls, holds
/// of the table that have yet to be carried out, and all that is sent to the dispatcher.
const THREADS: u64 = 1;
/// Those above count what is pending in queues of the program.
const QUEUES: u64 = 1 << 28;
/// Those above count deliveries at work where the program reads a queue. A queue has one reader at a time, and an engine three queues.
const DELIVERIES: u64 = 1 << 56;

impl CallSite {
    fn unit(self) -> u64 {
        match self {
            CallSite::Threads => THREADS,
            CallSite::Queue => QUEUES,
        }
    }
}

impl Lifecycle {
    /// Whether it has come to `stage`, or beyond.
    #[inline]
    pub(super) fn has_reached(&self, stage: LifeStage) -> bool {
        self.stage.load(Ordering::Acquire) >= stage as u8
    }

    /// As [`Lifecycle::has_reached`] of the last stage, for lookups: what was done before it need not be seen.
    #[inline]
    pub(super) fn is_over(&self) -> bool {
        self.stage.load(Ordering::Relaxed) == LifeStage::Over as u8
    }

    /// Goes on to `stage`; false if that was reached before.
    pub(super) fn advance(&self, stage: LifeStage) -> bool {
        self.stage.fetch_max(stage as u8, Ordering::AcqRel) < stage as u8
    }

    /// The handle is given up, to be freed or disposed of.
    pub(super) fn give_up(&self, ownership: Ownership) {
        self.ownership.fetch_max(ownership as u8, Ordering::AcqRel);
    }

    pub(super) fn is_disposed(&self) -> bool {
        self.ownership.load(Ordering::Acquire) == Ownership::Disposed as u8
    }

    pub(super) fn holder_comes(&self) {
        self.holders.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn last_holder_goes(&self) -> bool {
        self.holders.fetch_sub(1, Ordering::AcqRel) == 1
    }

    /// It uses a runtime no more; false if that was so already.
    pub(super) fn detach(&self) -> bool {
        !self.detached.swap(true, Ordering::AcqRel)
    }

    /// It sends to queues of the program no more; false if that was so already.
    pub(super) fn unroute(&self) -> bool {
        !self.unrouted.swap(true, Ordering::AcqRel)
    }

    /// Something is pending. Said before anybody can find the engine quiet without it: under the table's lock, or while something else is.
    pub(super) fn begin(&self, place: CallSite) {
        self.work.fetch_add(place.unit(), Ordering::AcqRel);
    }

    /// It is through. Followed by [`Core::conclude_if_closing`].
    pub(super) fn end_one(&self, place: CallSite) {
        self.work.fetch_sub(place.unit(), Ordering::AcqRel);
    }

    /// Whether nothing of the program's runs for the engine, and nothing will: of one that was given up, but for what lies in queues.
    pub(super) fn is_quiet(&self) -> bool {
        let lies_in_queues = DELIVERIES - QUEUES;
        let is_held = self.ownership.load(Ordering::Acquire) == Ownership::Held as u8;
        let ignored = if is_held { 0 } else { lies_in_queues };
        self.work.load(Ordering::Acquire) & !ignored == 0
    }

    /// A thread that is not joined holds the engine; dropped after what it holds.
    pub(super) fn lease(&self) -> Lease {
        *self.leases.out.lock() += 1;
        Lease(self.leases.clone())
    }

    /// Waits until no such thread holds the engine any more: were one of them the last, the hooks' user data would end after this.
    pub(super) fn wait_for_leases(&self) {
        self.leases.wait();
    }
}

/// Work that is pending, as long as this lives.
pub(super) struct PendingCount {
    core: Arc<Core>,
    place: CallSite,
}

impl PendingCount {
    /// From now on.
    pub(super) fn new(core: Arc<Core>, place: CallSite) -> PendingCount {
        core.life.begin(place);
        PendingCount::begun(core, place)
    }

    /// [`Lifecycle::begin`] was called for it.
    pub(super) fn begun(core: Arc<Core>, place: CallSite) -> PendingCount {
        PendingCount { core, place }
    }
}

impl PendingCount {
    /// It is about to be done.
    pub(super) fn delivering(&self) -> Option<DeliveryGuard> {
        self.core.delivering(self.place)
    }
}

impl Drop for PendingCount {
    fn drop(&mut self) {
        self.core.life.end_one(self.place);
        self.core.conclude_if_closing();
    }
}

/// A delivery at work where the program reads a queue. What it delivers is let go of before this is: it may hold the engine.
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

/// How many threads hold the engine that nobody joins. Apart from the engine, which a thread lets go of first.
#[derive(Default)]
struct Leases {
    out: Mutex<usize>,
    back: Condvar,
}

impl Leases {
    fn wait(&self) {
        let mut out = self.out.lock();
        while *out > 0 {
            out = wait(&self.back, out);
        }
    }
}

/// A thread's hold on the engine.
pub(super) struct Lease(Arc<Leases>);

impl Drop for Lease {
    fn drop(&mut self) {
        *self.0.out.lock() -= 1;
        self.0.back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l05_a_life_goes_on_and_never_back() {
        let life = Lifecycle::default();
        assert!(life.has_reached(LifeStage::Open) && !life.has_reached(LifeStage::Shut));
        assert!(life.advance(LifeStage::Shut), "its table broke");
        assert!(!life.advance(LifeStage::Shut));
        assert!(life.advance(LifeStage::Closing) && life.advance(LifeStage::Over), "disposed with its news in a queue");
        assert!(!life.advance(LifeStage::Reported), "the queue is read later");
        assert!(life.has_reached(LifeStage::Over));
        life.give_up(Ownership::Disposed);
        life.give_up(Ownership::Freed);
        assert!(life.is_disposed());
    }

    #[test]
    fn l05b_what_is_pending_is_seen_wherever_it_is() {
        let life = Lifecycle::default();
        assert!(life.is_quiet());
        for place in [CallSite::Threads, CallSite::Queue] {
            life.begin(place);
            life.begin(place);
            life.end_one(place);
            assert!(!life.is_quiet(), "{place:?}");
            life.end_one(place);
            assert!(life.is_quiet(), "{place:?}");
        }
        // Who gives the engine up waits for no queue, but for a delivery at work there.
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
