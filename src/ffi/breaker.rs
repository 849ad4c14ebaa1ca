//! The circuit breaker, for operators: its state, and an override (rule R07).

use super::constants::{KVL_BREAKER_FORCE_CLOSED, KVL_BREAKER_FORCE_NONE, KVL_BREAKER_FORCE_OPEN, kvl_status_t};
use super::guard::{Caller, guard, guard_or};
use super::types::kvl_tasks_t;
use crate::base::Status;
use crate::task::breaker::BreakerOverride;

/// Returns the state of the circuit breaker.
///
/// @param tasks  [borrowed] from kvl_tasks_new().
/// @return KVL_BREAKER_*; KVL_BREAKER_CLOSED for NULL and in the child of a fork.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_breaker_state(tasks: *mut kvl_tasks_t) -> u32 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.borrow(tasks).map_or(0, |tasks| tasks.breaker_state() as u32))
}

/// Forces the circuit breaker open or closed, whatever the provider does, or removes the override: then the breaker starts closed, with
/// an empty window. While it is forced open, keys that wait for the provider fail with KVL_ERR_UNAVAILABLE and are not retried.
///
/// @param tasks  [borrowed] from kvl_tasks_new().
/// @param force  KVL_BREAKER_FORCE_*.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (unknown `force`), KVL_ERR_CLOSED, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_breaker_force(tasks: *mut kvl_tasks_t, force: u32) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let core = caller.borrow(tasks)?;
        let forced = match force {
            KVL_BREAKER_FORCE_NONE => BreakerOverride::No,
            KVL_BREAKER_FORCE_CLOSED => BreakerOverride::Closed,
            KVL_BREAKER_FORCE_OPEN => BreakerOverride::Open,
            _ => return Err(Status::ERR_INVALID_ARG),
        };
        core.force_breaker(forced)?;
        Ok(Status::OK)
    })
}
