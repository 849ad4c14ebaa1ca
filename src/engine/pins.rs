//! Keeps a cache in memory during a call, without writing to memory that other threads write to.
//!
//! The program's code that runs during a call may release the very cache that the call uses (rule L04a). If each call took a reference,
//! all threads would write to one count, and lookups with a validator would be slower on two threads than on one. Instead, a call marks a
//! slot, which other threads rarely use. A thread that releases a reference to the cache first adds a reference for each marked slot. The
//! call that marked the slot drops that reference when it ends.
//!
//! No mark is missed: the caller's reference exists when the call begins, and only the program's code inside the call may release it. That
//! happens after the mark was made, on the same thread or on a thread that this code caused to do it.
//!
//! ```text
//!   FREE ── pin ──▶ USED ── a reference to the cache is given up ──▶ GIVEN
//!     ▲              │ the call ends                                   │ the call ends: it drops the reference
//!     └──────────────┴─────────────────────────────────────────────────┘
//! ```

use super::Core;
use crate::base::hint::rarely;
use crate::base::panics::catch_panic;
use crate::base::process::ThreadState;
use crate::base::sync::Mutex;
use crate::base::sync::atomic::{AtomicU8, Ordering};
use std::ops::Deref;
use std::sync::Arc;

const FREE: u8 = 0;
const USED: u8 = 1;
const GIVEN: u8 = 2;

/// The number of slots for each processor: of threads that use the same slot at the same time, all but one have to count references.
const SLOTS_PER_CORE: usize = 4;
/// The maximum number of slots of one cache, which then take 32 KiB.
const MOST_SLOTS: usize = 256;

/// A slot for one call at a time. Aligned so that neighbours share no cache line (two lines, because processors fetch them in pairs).
#[repr(align(128))]
struct CallSlot {
    state: AtomicU8,
    /// The reference that the call has to drop. Locked for the change to and from `GIVEN`; nothing runs under the lock.
    given: Mutex<Option<Arc<Core>>>,
}

impl CallSlot {
    fn new() -> CallSlot {
        CallSlot { state: AtomicU8::new(FREE), given: Mutex::default() }
    }

    /// Ends the use of the slot. False if there is a reference to drop.
    #[inline(always)]
    fn leave(&self) -> bool {
        self.state.compare_exchange(USED, FREE, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Adds a reference if the slot is in use and has none.
    fn give(&self, core: &Arc<Core>) {
        if self.state.load(Ordering::Acquire) == USED {
            let mut given = self.given.lock();
            // If the call has just ended, what it did must come before the end of the cache.
            if self.state.compare_exchange(USED, GIVEN, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                *given = Some(core.clone());
            }
        }
    }

    /// Ends the use of a slot that was given a reference, and returns the reference.
    #[cold]
    fn take(&self) -> Option<Arc<Core>> {
        let mut given = self.given.lock();
        let core = given.take();
        self.state.store(FREE, Ordering::Release);
        core
    }
}

/// The slots of one cache.
pub(super) struct Pins {
    slots: Box<[CallSlot]>,
}

impl Pins {
    pub(super) fn new(cores: usize) -> Pins {
        let slots = (cores * SLOTS_PER_CORE).next_power_of_two().min(MOST_SLOTS);
        Pins { slots: (0..slots).map(|_| CallSlot::new()).collect() }
    }

    #[inline(always)]
    fn claim(&self, thread: &ThreadState) -> Option<&CallSlot> {
        // The number of slots is a power of two.
        let slot = self.slots.get(thread.number() & (self.slots.len() - 1))?;
        let claimed = slot.state.compare_exchange(FREE, USED, Ordering::Acquire, Ordering::Relaxed);
        claimed.is_ok().then_some(slot)
    }

    /// To be called before a reference to the cache is given up.
    pub(super) fn give(&self, core: &Arc<Core>) {
        self.slots.iter().for_each(|slot| slot.give(core));
    }
}

/// Keeps a cache in memory as long as the pin exists.
pub struct Pin<'a> {
    core: &'a Core,
    slot: Option<&'a CallSlot>,
    /// A reference, if there was no free slot.
    counted: Option<Arc<Core>>,
}

impl Core {
    /// Keeps the cache in memory during a call that may run host code. The caller holds a reference (a
    /// [`CacheRef`](super::cache_ref::CacheRef)) that only this host code may give up.
    #[inline(always)]
    pub fn pin(&self) -> Pin<'_> {
        ThreadState::with(|thread| self.pin_on(thread))
    }

    /// Like [`Core::pin`], for a caller that has the state of the current thread.
    #[inline(always)]
    pub fn pin_on(&self, thread: &ThreadState) -> Pin<'_> {
        let slot = self.pins.claim(thread);
        let counted = if rarely(slot.is_none()) { Some(self.me()) } else { None };
        Pin { core: self, slot, counted }
    }
}

impl Deref for Pin<'_> {
    type Target = Core;
    #[inline(always)]
    fn deref(&self) -> &Core {
        self.core
    }
}

impl Pin<'_> {
    /// Drops the reference that keeps the cache in memory. If it is the last one, destructors of the program may run. Their panics are
    /// caught here, since the call may have no guard any more.
    #[cold]
    #[inline(never)]
    fn drop_reference(&mut self) {
        let reference = self.slot.map_or_else(|| self.counted.take(), CallSlot::take);
        let _ = catch_panic(|| drop(reference));
    }
}

impl Drop for Pin<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        if rarely(!self.slot.is_some_and(CallSlot::leave)) {
            self.drop_reference();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Plan;
    use super::super::cache_ref::CacheRef;
    use super::*;

    fn cache() -> CacheRef {
        CacheRef::new(Core::cache(Plan::default()).expect("a cache"))
    }

    #[test]
    fn l04a_a_cache_that_is_released_during_a_call_ends_with_the_call() {
        let cache = cache();
        let (core, weak) = (cache.core(), cache.me.clone());
        let outer = core.pin();
        let inner = core.pin();
        assert!(outer.slot.is_some() && inner.slot.is_none(), "a call inside another one counts a reference");
        drop(cache);
        drop(inner);
        assert_eq!(outer.slot.map(|slot| slot.state.load(Ordering::Relaxed)), Some(GIVEN));
        assert_eq!(weak.strong_count(), 2, "this test has one, and the slot another");
        drop(outer);
        assert_eq!(weak.strong_count(), 1);
        drop(core);
        assert_eq!(weak.strong_count(), 0);
    }

    #[test]
    fn l04a_another_reference_that_is_given_up_meanwhile_costs_nothing_later() {
        let cache = cache();
        let weak = cache.me.clone();
        let other = cache.clone();
        let pin = cache.pin();
        drop(other);
        drop(pin);
        assert_eq!(weak.strong_count(), 1);
        let pin = cache.pin();
        assert!(pin.slot.is_some(), "the slot is free again");
    }

    #[test]
    fn l04a_calls_on_many_threads_while_references_come_and_go() {
        let cache = cache();
        let weak = cache.me.clone();
        std::thread::scope(|threads| {
            for _ in 0..4 {
                let mine = cache.clone();
                threads.spawn(move || {
                    for _ in 0..2_000 {
                        let own = mine.clone();
                        let pin = own.pin();
                        assert_eq!(pin.len(), 0);
                        drop(pin);
                        drop(own);
                    }
                });
            }
        });
        assert_eq!(weak.strong_count(), 1);
        drop(cache);
        assert_eq!(weak.strong_count(), 0);
    }
}
