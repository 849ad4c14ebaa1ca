//! The manual clock across the ABI (rule S15).

use super::constants::kvl_status_t;
use super::guard::{Caller, guard, guard_or};
use super::handle::{Handle, HasGeneration};
use super::types::kvl_clock_t;
use crate::base::process::Generation;
use crate::base::{ManualClock, Millis, Status};
use std::cell::Cell;
use std::sync::Arc;

/// The target of a clock handle. Configurations and engines hold the clock itself.
pub(crate) struct ClockHandle {
    generation: Generation,
    clock: Arc<ManualClock>,
}

impl ClockHandle {
    /// A reference to the clock.
    pub(crate) fn clock(&self) -> Arc<ManualClock> {
        Arc::clone(&self.clock)
    }
}

impl HasGeneration for ClockHandle {
    fn generation(&self) -> Generation {
        self.generation
    }
}

impl Handle for kvl_clock_t {
    type Owner = Box<ClockHandle>;
}

thread_local! {
    static ADVANCING: Cell<bool> = const { Cell::new(false) };
}

/// Advances the clock, unless this thread is inside an advance already: the advance may run host code that calls this again.
fn advance(clock: &ManualClock, by_ms: u64) -> Result<Status, Status> {
    struct AdvanceGuard;
    impl Drop for AdvanceGuard {
        fn drop(&mut self) {
            let _ = ADVANCING.try_with(|advancing| advancing.set(false));
        }
    }
    if ADVANCING.try_with(|advancing| advancing.replace(true)).unwrap_or(false) {
        return Err(Status::ERR_REENTRANT);
    }
    let _leave = AdvanceGuard;
    clock.advance(by_ms);
    Ok(Status::OK)
}

/// Creates a clock that moves only when it is advanced, so that tests of time need no sleep.
///
/// Set by kvl_config_set_clock(), it replaces both clocks of an engine: the one for TTLs and the one for timeouts.
///
/// @param now_ms     the initial time in milliseconds, 0 or above.
/// @param out_clock  [out, owned] the clock: release it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (below 0), KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_clock_new_manual(now_ms: i64, out_clock: *mut *mut kvl_clock_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let out = caller.out(out_clock)?;
        let now = u64::try_from(now_ms).map_err(|_| Status::ERR_INVALID_ARG)?;
        let clock = Arc::new(ManualClock::new(Millis(now)));
        Ok(out.give(Box::new(ClockHandle { generation: Generation::now(), clock }), Status::OK))
    })
}

/// Advances a clock, and returns when everything that became due has been fired, that is, when the events are in their queue or sent to the
/// dispatcher.
///
/// If an advance is in progress on another thread, this waits for it.
///
/// @param clock  [borrowed] from kvl_clock_new_manual().
/// @param by_ms  milliseconds, 0 or above. Time stops at INT64_MAX. Timeouts and pauses are counted in nanoseconds, so none becomes due
///               later than 584 years after the clock's start.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (below 0), KVL_ERR_FORKED, KVL_ERR_REENTRANT (in a callback that was fired by
///         an advance on this very thread), KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_clock_advance(clock: *mut kvl_clock_t, by_ms: i64) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        // An additional reference, because the code that is fired may release the handle.
        let clock = caller.borrow(clock)?.clock();
        advance(&clock, u64::try_from(by_ms).map_err(|_| Status::ERR_INVALID_ARG)?)
    })
}

/// Returns the time of a clock.
///
/// @param clock [borrowed] from kvl_clock_new_manual(); may be NULL.
/// @return milliseconds; 0 for NULL and for a clock from before a fork.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_clock_now_ms(clock: *const kvl_clock_t) -> i64 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.borrow(clock).map_or(0, |clock| i64::try_from(clock.clock.millis().0).unwrap_or(i64::MAX)))
}

/// Releases a clock. Configurations and engines that use it keep it.
///
/// @param clock [owned] from kvl_clock_new_manual(); NULL is ignored.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_clock_release(clock: *mut kvl_clock_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || caller.end(clock));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Moment;
    use crate::base::clock::Timed;
    use std::sync::{Mutex, Weak};

    /// Fires once, at 5 ms, and advances the clock while it does.
    struct NestedAdvance {
        clock: Arc<ManualClock>,
        result: Mutex<Option<Result<Status, Status>>>,
    }

    impl Timed for NestedAdvance {
        fn next_due(&self) -> Option<Moment> {
            self.result.lock().expect("no panic").is_none().then_some(Moment(5_000_000))
        }
        fn fire(&self) {
            if self.clock.millis() >= Millis(5) {
                self.result.lock().expect("no panic").get_or_insert(advance(&self.clock, 1));
            }
        }
    }

    #[test]
    fn s15_an_advance_inside_an_advance_is_refused() {
        let clock = Arc::new(ManualClock::new(Millis(0)));
        let nested = Arc::new(NestedAdvance { clock: Arc::clone(&clock), result: Mutex::new(None) });
        let timed: Weak<dyn Timed> = Arc::<NestedAdvance>::downgrade(&nested);
        clock.attach(timed);
        assert_eq!(advance(&clock, 10), Ok(Status::OK));
        assert_eq!(*nested.result.lock().expect("no panic"), Some(Err(Status::ERR_REENTRANT)));
        assert_eq!(clock.millis(), Millis(10));
        assert_eq!(advance(&clock, 1), Ok(Status::OK));
    }
}
