//! Removes or expires the entries with a tag; expires all entries (rules R11, R12).

use super::constants::{KVL_LABEL_MAX, kvl_status_t};
use super::guard::{Caller, guard};
use super::types::kvl_cache_t;
use crate::base::Status;

impl Caller {
    /// The bytes of a tag.
    fn tag(&self, tag: *const u8, len: usize) -> Result<&[u8], Status> {
        let tag = self.items(tag, len)?;
        if tag.is_empty() || tag.len() > KVL_LABEL_MAX as usize { Err(Status::ERR_INVALID_ARG) } else { Ok(tag) }
    }

    fn write_count(&self, place: *mut usize, count: usize) {
        if let Ok(place) = self.place(place) {
            place.write(count);
        }
    }
}

/// Removes all entries with a tag (`tags` of kvl_terms_t) that exist when this is called, and perhaps some that are stored while it runs.
/// They are reported with KVL_CAUSE_TAG. Takes time in proportion to their number, and holds no lock for more than 64 of them at once.
///
/// An answer to a request that the provider has now is not stored if it carries the tag, because it may be older than this call. Fetches
/// that wait for the answer receive it, even those that join after this call.
///
/// This concerns the engine's own process alone: entries with tags are not stored in a second tier.
///
/// @param cache        [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param tag          [borrowed] `tag_len` bytes.
/// @param tag_len      the tag's length in bytes, 1 to KVL_LABEL_MAX.
/// @param out_removed  [out] the number of entries removed that had not expired; written on KVL_OK. May be NULL.
/// @return KVL_OK, also if no entry has the tag; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (the length), KVL_ERR_CLOSED (the cache of an
///         engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_remove_tag(
    cache: *mut kvl_cache_t,
    tag: *const u8,
    tag_len: usize,
    out_removed: *mut usize,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let removed = caller.kept(cache)?.remove_tag(caller.tag(tag, tag_len)?)?;
        caller.write_count(out_removed, removed);
        Ok(Status::OK)
    })
}

/// Expires all entries with a tag, as kvl_cache_expire() does for one key: the next fetch of each key loads it, and its old value stays as
/// a fallback for `stale.ttl_ms`. What leaves the store is reported with KVL_CAUSE_EXPIRED, not with KVL_CAUSE_TAG. In all other respects
/// this is like kvl_cache_remove_tag().
///
/// @param cache        [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param tag          [borrowed] `tag_len` bytes.
/// @param tag_len      the tag's length in bytes, 1 to KVL_LABEL_MAX.
/// @param out_expired  [out] the number of entries expired; written on KVL_OK. May be NULL.
/// @return KVL_OK, also if no entry has the tag; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (the length), KVL_ERR_CLOSED (the cache of an
///         engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_expire_tag(
    cache: *mut kvl_cache_t,
    tag: *const u8,
    tag_len: usize,
    out_expired: *mut usize,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let expired = caller.kept(cache)?.expire_tag(caller.tag(tag, tag_len)?)?;
        caller.write_count(out_expired, expired);
        Ok(Status::OK)
    })
}

/// Expires all entries, as kvl_cache_expire() does for one key: their values stay as fallbacks for `stale.ttl_ms`. Loads in progress are
/// overtaken as by kvl_cache_clear(): their answers are not stored.
///
/// If the engine has a second tier, that is cleared, as by kvl_cache_clear(), for all processes that share it. To expire the entries of this
/// process alone, call kvl_tasks_invalidate() with KVL_INVALIDATE_F_ALL and KVL_INVALIDATE_F_EXPIRE.
///
/// @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_expire_all(cache: *mut kvl_cache_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.kept(cache)?.expire_all().map(|()| Status::OK))
}
