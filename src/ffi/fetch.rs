//! A fetch across the ABI. It is created before the call, so that it can be cancelled before, during and after the call (docs/adr/0003).

use super::constants::{KVL_FOREVER, kvl_status_t};
use super::guard::{Caller, guard, guard_or, outside};
use super::handle::{Handle, HasGeneration};
use super::types::{kvl_fetch_t, kvl_free_fn};
use crate::base::process::Generation;
use crate::base::{Object, Status};
use crate::engine::fetch_handle::FetchHandle;
use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

impl HasGeneration for FetchHandle {
    fn generation(&self) -> Generation {
        FetchHandle::generation(self)
    }
}

impl Handle for kvl_fetch_t {
    type Owner = Arc<FetchHandle>;
}

/// Creates a fetch, to be passed to one call.
///
/// @param out_fetch  [out, owned] the fetch: release it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_fetch_new(out_fetch: *mut *mut kvl_fetch_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| Ok(caller.out(out_fetch)?.give(Arc::new(FetchHandle::new()), Status::OK)))
}

/// Sets an object for the provider to read: kvl_request_context(). A second call replaces the object of the first.
///
/// @param fetch         [borrowed] from kvl_fetch_new(), not used yet.
/// @param context       [owned by the fetch] the object; may be NULL.
/// @param context_free  [retained] frees `context` when the fetch and its requests no longer use it, or before this returns if the call
///                      fails; may be NULL.
/// @return KVL_OK; KVL_ERR_ALREADY_USED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_fetch_set_context(fetch: *mut kvl_fetch_t, context: *mut c_void, context_free: kvl_free_fn) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let context = Object::new(context, context_free);
        // The fetch is kept: the destructor of the previous context, or of this one, may release it.
        caller.share(fetch.cast_const())?.set_context(context).map_err(|_| Status::ERR_ALREADY_USED)?;
        Ok(Status::OK)
    })
}

/// Sets the urgency of a fetch. Of the keys that wait for a slot, those with a higher urgency are loaded first. If it is not set, the
/// setting `urgency` of the call's options or of the configuration applies.
///
/// A key that several fetches want has the highest urgency among the fetches that still want it. So its urgency may rise when a fetch
/// joins, and fall when a fetch leaves or lowers its own urgency.
///
/// @param fetch    [borrowed] from kvl_fetch_new(), before its call or while it is in progress.
/// @param urgency  any number.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_fetch_set_urgency(fetch: *mut kvl_fetch_t, urgency: i32) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        caller.borrow(fetch)?.set_urgency(urgency);
        Ok(Status::OK)
    })
}

/// Cancels a fetch: open positions are settled with KVL_ERR_CANCELLED. Other fetches that wait for the same keys are not affected.
///
/// `load.on_cancel` decides whether a running load that no other fetch wants continues.
///
/// A cancel before the call that uses the fetch makes that call return KVL_ERR_CANCELLED. A cancel after the last event has no effect. This
/// may be called any number of times.
///
/// @param fetch  [borrowed] from kvl_fetch_new().
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_fetch_cancel(fetch: *mut kvl_fetch_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        caller.borrow(fetch)?.cancel();
        Ok(Status::OK)
    })
}

/// Waits until the last event of a fetch was delivered and its user data was freed. Returns at once for a fetch that was never used.
///
/// @param fetch       [borrowed] from kvl_fetch_new().
/// @param timeout_ms  how long to wait at most, in milliseconds, or KVL_FOREVER.
/// @return KVL_OK, KVL_EMPTY (the timeout was reached first); KVL_ERR_REENTRANT, KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
///         KVL_ERR_PANIC.
/// @threads outside
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_fetch_wait(fetch: *mut kvl_fetch_t, timeout_ms: i64) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        outside()?;
        let fetch = caller.borrow(fetch)?;
        let timeout = match timeout_ms {
            KVL_FOREVER => None,
            0.. => Some(Duration::from_millis(timeout_ms.unsigned_abs())),
            _ => return Err(Status::ERR_INVALID_ARG),
        };
        Ok(if fetch.wait(timeout) { Status::OK } else { Status::EMPTY })
    })
}

/// Returns the progress of a fetch, in positions. The three numbers are read one after the other.
///
/// @param fetch       [borrowed] from kvl_fetch_new().
/// @param out_done    [out] the number of settled positions; may be NULL.
/// @param out_failed  [out] how many of them failed; may be NULL.
/// @param out_total   [out] the number of all positions, 0 before the call; may be NULL.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_fetch_progress(
    fetch: *const kvl_fetch_t,
    out_done: *mut usize,
    out_failed: *mut usize,
    out_total: *mut usize,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let (done, failed, total) = caller.borrow(fetch)?.progress();
        for (place, count) in [(out_done, done), (out_failed, failed), (out_total, total)] {
            caller.place(place).into_iter().for_each(|place| place.write(count));
        }
        Ok(Status::OK)
    })
}

/// Adds a reference.
///
/// @param fetch  [borrowed] from kvl_fetch_new(); may be NULL.
/// @return `fetch`: release it once more.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_fetch_retain(fetch: *mut kvl_fetch_t) -> *mut kvl_fetch_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(fetch, || caller.retain(fetch))
}

/// Releases a reference. This does not cancel the fetch.
///
/// @param fetch  [owned] from kvl_fetch_new() or kvl_fetch_retain(); may be NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_fetch_release(fetch: *mut kvl_fetch_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || caller.end(fetch));
}
