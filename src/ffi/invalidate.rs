//! What another process wrote, across the ABI.

use super::constants::{KVL_INVALIDATE_F_ALL, KVL_INVALIDATE_F_EXPIRE, kvl_status_t};
use super::guard::{Caller, guard};
use super::types::{kvl_slice_t, kvl_tasks_t};
use crate::base::Status;
use crate::base::key::KEY_MAX;
use crate::engine::invalidate::Outdated;

/// Tells an engine that somebody else wrote these keys, so that what its cache has of them is outdated. Only this process is affected.
///
/// Their entries are removed (KVL_CAUSE_REMOVED, for all keys KVL_CAUSE_CLEARED), or expired if KVL_INVALIDATE_F_EXPIRE says so: then an entry
/// stays as a fallback for the length of its grace, as after kvl_cache_expire(). Loads of the keys that are running are overtaken: those who
/// wait receive the answer, but it is not stored, and later fetches load anew. Remembered errors of the keys are forgotten. Nothing is loaded
/// here, so that a change that many processes hear of is not loaded by all of them at once. Keys without an entry or a load cost little.
///
/// Call it where the news of changes arrive: from a message bus, a change stream of the database, a notification of another process. Send
/// such news after the change, never before: a load between the two would store the old value. After news may have been lost, all keys
/// (KVL_INVALIDATE_F_ALL) are outdated.
///
/// @param tasks  [borrowed] from kvl_tasks_new().
/// @param keys   [borrowed] `n` slices; may be NULL if `n` is 0. Keys longer than KVL_KEY_MAX are skipped: no entry has one.
/// @param n      the number of keys; 0 with KVL_INVALIDATE_F_ALL. They are not passed to the validator.
/// @param flags  KVL_INVALIDATE_F_*, or 0.
/// @return KVL_OK; KVL_ERR_INVALID_ARG (an unknown flag, keys with KVL_INVALIDATE_F_ALL), KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the engine has
///         ended), KVL_ERR_FORKED, KVL_ERR_PANIC.
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
        if is_all { core.invalidate_all(fate) } else { core.invalidate(keys.filter(|key| key.len() <= KEY_MAX), fate) }?;
        Ok(Status::OK)
    })
}
