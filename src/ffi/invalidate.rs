//! Invalidation across the ABI: keys that another process has changed.

use super::constants::{KVL_INVALIDATE_F_ALL, KVL_INVALIDATE_F_EXPIRE, kvl_status_t};
use super::guard::{Caller, guard};
use super::types::{kvl_slice_t, kvl_tasks_t};
use crate::base::Status;
use crate::engine::invalidate::Outdated;

/// Tells an engine that another process has changed these keys: their entries are removed, and answers of running loads of the keys are not
/// stored. Only this process is affected.
///
/// The removals are reported with KVL_CAUSE_REMOVED, or for all keys with KVL_CAUSE_CLEARED. With KVL_INVALIDATE_F_EXPIRE the entries
/// expire instead: they stay as fallbacks for their grace, as after kvl_cache_expire(). Running loads of the keys are overtaken: the
/// fetches that wait for them receive their answers, and later fetches load the keys again. Remembered errors of the keys are forgotten.
/// Nothing is loaded here, so that the processes that are notified of a change do not all load it at once. A key without an entry and
/// without a load costs little.
///
/// Call this where notifications of changes arrive: from a message bus, from a change stream of the database, or from another process. A
/// notification must be sent after the change, never before it: a load in between would store the old value. If notifications may have been
/// lost, invalidate all keys (KVL_INVALIDATE_F_ALL).
///
/// @param tasks  [borrowed] from kvl_tasks_new().
/// @param keys   [borrowed] `n` slices; may be NULL if `n` is 0. Keys longer than KVL_KEY_MAX are skipped: no entry has one.
/// @param n      the number of keys, which are not passed to the validator; 0 with KVL_INVALIDATE_F_ALL.
/// @param flags  KVL_INVALIDATE_F_*, or 0.
/// @return KVL_OK; KVL_ERR_INVALID_ARG (an unknown flag, keys with KVL_INVALIDATE_F_ALL), KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the engine
///         has ended), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_invalidate(tasks: *mut kvl_tasks_t, keys: *const kvl_slice_t, n: usize, flags: u32) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let core = caller.share(tasks.cast_const())?;
        let keys = caller.keys(keys, n)?;
        let is_all = flags & KVL_INVALIDATE_F_ALL != 0;
        if flags & !(KVL_INVALIDATE_F_ALL | KVL_INVALIDATE_F_EXPIRE) != 0 || (is_all && n > 0) {
            return Err(Status::ERR_INVALID_ARG);
        }
        let fate = if flags & KVL_INVALIDATE_F_EXPIRE != 0 { Outdated::Expired } else { Outdated::Removed };
        if is_all { core.invalidate_all(fate) } else { core.invalidate(keys, fate) }?;
        Ok(Status::OK)
    })
}
