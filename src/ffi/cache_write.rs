//! Caches across the ABI: the writes.
//!
//! All of these may run host code (hooks, destructors), so each call keeps the core: see `cache.rs`. A put keeps the core only if it may
//! run such code before its last use of the core.

use super::constants::{KVL_PUT_F_IF_ABSENT, KVL_PUT_F_IF_PRESENT, KVL_PUT_F_KEEP_TTL, kvl_status_t};
use super::guard::{Caller, guard};
use super::request::bytes_under;
use super::types::{kvl_cache_t, kvl_removal_fn, kvl_terms_t, kvl_value_t};
use super::view;
use crate::base::{Answer, Status, Ttl};
use crate::cache::{Condition, Departure, Departures, NewEntry};
use crate::engine::Core;
use std::ffi::c_void;

/// Converts a limit of C: -1 means none.
fn limit_in(limit: i64) -> Result<Option<u64>, Status> {
    match limit {
        -1 => Ok(None),
        limit => u64::try_from(limit).map(Some).map_err(|_| Status::ERR_INVALID_ARG),
    }
}

impl Caller {
    fn put(
        &self,
        cache: *mut kvl_cache_t,
        key: (*const u8, usize),
        answer: impl FnOnce(&[u8]) -> Result<Answer, Status>,
        terms: *const kvl_terms_t,
        naming: Option<&mut dyn FnMut(&Departure)>,
    ) -> Result<Status, Status> {
        let (core, key) = (self.borrow(cache)?, self.key(key.0, key.1)?);
        let mut entry = NewEntry::new(Answer::Null);
        self.state_terms(terms, KVL_PUT_F_KEEP_TTL | KVL_PUT_F_IF_ABSENT | KVL_PUT_F_IF_PRESENT, &mut entry)?;
        entry.answer = answer(key)?;
        put(core, key, entry, naming)
    }
}

#[inline(always)]
fn put(core: &Core, key: &[u8], mut entry: NewEntry, naming: Option<&mut dyn FnMut(&Departure)>) -> Result<Status, Status> {
    let put = if naming.is_some() || core.puts_call_host() {
        put_kept(core, key, &mut entry, naming)
    } else {
        // `left` is dropped here, after the last use of the core: a value's destructor may be host code, which may release the cache. It is
        // not moved out, because the move would cost more than the drop.
        let mut left = Departures::new();
        core.put_plainly(key, &mut entry, &mut left)
    };
    if entry.is_spent() {
        // This is nearly always so, and finding it out is quicker than dropping each part.
        std::mem::forget(entry);
    }
    put
}

/// A put that may run host code before it returns, which may release the cache.
#[inline(never)]
fn put_kept(core: &Core, key: &[u8], entry: &mut NewEntry, naming: Option<&mut dyn FnMut(&Departure)>) -> Result<Status, Status> {
    let kept = core.pin();
    // `left` is dropped after the last use of the core, as above, and before the pin.
    let mut left = Departures::new();
    kept.put_from(key, entry, naming, &mut left)
}

/// Stores a value under a key, and replaces an existing entry.
///
/// If the value is refused, an older value under the key is removed nevertheless. But if the key is invalid, or the condition of
/// KVL_PUT_F_IF_ABSENT or KVL_PUT_F_IF_PRESENT does not hold, nothing changes, and loads in progress are not affected.
///
/// @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param key            [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len        the key's length in bytes, at most KVL_KEY_MAX.
/// @param value          [retained] a value, or kvl_value_null() for "known to be absent"; not NULL.
/// @param terms_or_null  [borrowed] the terms on which the value is stored; NULL: the configuration's.
/// @return KVL_OK, KVL_REFUSED (too low a priority to make room, capacity 0, or TTL 0), KVL_TOO_LARGE (see kvl_cache_max_cost()),
///         KVL_CONFLICT (there is an entry, with KVL_PUT_F_IF_ABSENT), KVL_MISS (there is none, with KVL_PUT_F_IF_PRESENT),
///         KVL_INVALID_KEY; KVL_ERR_BAD_VALUE (an invalid term), KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (`terms_or_null` is not
///         aligned), KVL_ERR_KEY_TOO_LONG, KVL_ERR_NO_MEMORY, KVL_ERR_CLOSED (the cache of an engine that was closed or freed),
///         KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_put(
    cache: *mut kvl_cache_t,
    key: *const u8,
    key_len: usize,
    value: *mut kvl_value_t,
    terms_or_null: *const kvl_terms_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.put(cache, (key, key_len), |_| caller.share(value), terms_or_null, None))
}

/// Stores a value like kvl_cache_put(), and reports its victims before it returns.
///
/// Victims are the entries that made room for this value, and the value itself if it was refused. Expired entries, and an older entry under
/// the same key, are not victims. The removal listener is called for victims too.
///
/// @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param key            [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len        the key's length in bytes, at most KVL_KEY_MAX.
/// @param value          [retained] a value, or kvl_value_null() for "known to be absent"; not NULL.
/// @param terms_or_null  [borrowed] the terms on which the value is stored; NULL: the configuration's.
/// @param on_victim      [borrowed] called for each victim, on this thread; not NULL.
/// @param user_data      [borrowed] passed to `on_victim` as its first argument; may be NULL. The library does not free it.
/// @return KVL_OK, KVL_REFUSED (too low a priority to make room, capacity 0, or TTL 0), KVL_TOO_LARGE (see kvl_cache_max_cost()),
///         KVL_CONFLICT (there is an entry, with KVL_PUT_F_IF_ABSENT), KVL_MISS (there is none, with KVL_PUT_F_IF_PRESENT),
///         KVL_INVALID_KEY; KVL_ERR_BAD_VALUE (an invalid term), KVL_ERR_NO_CALLBACK (`on_victim` is NULL), KVL_ERR_NULL_POINTER,
///         KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_KEY_TOO_LONG, KVL_ERR_NO_MEMORY, KVL_ERR_CLOSED (the cache of an
///         engine that was closed or freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_put_with_victims(
    cache: *mut kvl_cache_t,
    key: *const u8,
    key_len: usize,
    value: *mut kvl_value_t,
    terms_or_null: *const kvl_terms_t,
    on_victim: kvl_removal_fn,
    user_data: *mut c_void,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let name = on_victim.ok_or(Status::ERR_NO_CALLBACK)?;
        let mut naming = |departure: &Departure| {
            let entry = view::of_departure(departure);
            // SAFETY: the caller passed the function for this user data; the entry stays valid until it returns.
            unsafe { name(user_data, &entry, departure.cause as u32) };
        };
        caller.put(cache, (key, key_len), |_| caller.share(value), terms_or_null, Some(&mut naming))
    })
}

/// Stores a copy of bytes under a key: creates a value and puts it, as kvl_cache_put() does, in one call.
///
/// @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param key            [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len        the key's length in bytes, at most KVL_KEY_MAX.
/// @param data           [copied] `len` bytes; may be NULL if `len` is 0.
/// @param len            the number of bytes.
/// @param terms_or_null  [borrowed] the terms on which the value is stored; NULL: the configuration's.
/// @return KVL_OK, KVL_REFUSED (too low a priority to make room, capacity 0, or TTL 0), KVL_TOO_LARGE (see kvl_cache_max_cost()),
///         KVL_CONFLICT (there is an entry, with KVL_PUT_F_IF_ABSENT), KVL_MISS (there is none, with KVL_PUT_F_IF_PRESENT),
///         KVL_INVALID_KEY; KVL_ERR_BAD_VALUE (an invalid term), KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (`terms_or_null` is not
///         aligned), KVL_ERR_KEY_TOO_LONG, KVL_ERR_NO_MEMORY (also for a length larger than any memory), KVL_ERR_CLOSED (the cache of an
///         engine that was closed or freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_put_bytes(
    cache: *mut kvl_cache_t,
    key: *const u8,
    key_len: usize,
    data: *const u8,
    len: usize,
    terms_or_null: *const kvl_terms_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.put(cache, (key, key_len), |key| bytes_under(&caller, key, data, len), terms_or_null, None))
}

/// Replaces a value that the caller knows, if it is still stored: compare and exchange.
///
/// If another value is stored, or none, nothing changes, and loads in progress are not affected. A loop of kvl_cache_get() and this call,
/// until it returns neither KVL_CONFLICT nor KVL_MISS, loses no write of another thread.
///
/// @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param key            [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len        the key's length in bytes, at most KVL_KEY_MAX.
/// @param expected       [borrowed] the value that must be stored: this very handle, as kvl_cache_get() or kvl_cache_peek() returned it,
///                       not one with equal bytes; or kvl_value_null(); not NULL.
/// @param value          [retained] a value, or kvl_value_null() for "known to be absent"; not NULL.
/// @param terms_or_null  [borrowed] the terms on which the value is stored; KVL_PUT_F_KEEP_TTL is the only flag allowed; NULL: the
///                       configuration's.
/// @return KVL_OK, KVL_CONFLICT (another value is stored), KVL_MISS (none is stored), KVL_REFUSED (too low a priority to make room, or TTL
///         0: the expected value is removed), KVL_TOO_LARGE (likewise; see kvl_cache_max_cost()), KVL_INVALID_KEY; KVL_ERR_BAD_VALUE (an
///         invalid term), KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_KEY_TOO_LONG,
///         KVL_ERR_NO_MEMORY, KVL_ERR_CLOSED (the cache of an engine that was closed or freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_compare_put(
    cache: *mut kvl_cache_t,
    key: *const u8,
    key_len: usize,
    expected: *mut kvl_value_t,
    value: *mut kvl_value_t,
    terms_or_null: *const kvl_terms_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let (core, key) = (caller.borrow(cache)?, caller.key(key, key_len)?);
        let mut entry = NewEntry::new(Answer::Null);
        caller.state_terms(terms_or_null, KVL_PUT_F_KEEP_TTL, &mut entry)?;
        entry.condition = Condition::Holds(caller.share(expected)?);
        entry.answer = caller.share(value)?;
        put(core, key, entry, None)
    })
}

/// Sets a new TTL for the entry under a key, counted from now. Its value, age, priority and cost stay.
///
/// Counts as a use of the entry, so that an idle TTL restarts too, but not as a lookup. Loads in progress are not affected.
///
/// @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param key        [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len    the key's length in bytes, at most KVL_KEY_MAX.
/// @param ttl_ms     milliseconds above 0, KVL_TTL_NEVER, or KVL_TTL_DEFAULT.
/// @return KVL_OK, KVL_MISS (there was no live entry); KVL_ERR_BAD_VALUE (the TTL is 0, stated or configured: use kvl_cache_remove(); or
///         the TTL is negative, but neither constant), KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an engine
///         that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_touch(cache: *mut kvl_cache_t, key: *const u8, key_len: usize, ttl_ms: i64) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let (core, key) = (caller.kept(cache)?, caller.key(key, key_len)?);
        core.touch(key, Ttl::from_raw(ttl_ms).map_err(|_| Status::ERR_BAD_VALUE)?)
    })
}

/// Removes the entry under a key, also from the second tier if the engine has one.
///
/// @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param key        [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len    the key's length in bytes, at most KVL_KEY_MAX.
/// @return KVL_OK, KVL_MISS (there was no live entry); KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an engine
///         that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_remove(cache: *mut kvl_cache_t, key: *const u8, key_len: usize) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.kept(cache)?.remove(caller.key(key, key_len)?))
}

/// Expires the entry under a key now: it stays as a fallback for the length of its grace (`stale.ttl_ms`) or, without a grace, is removed
/// with KVL_CAUSE_EXPIRED. A load in progress treats this as a removal. Use it to have a key reloaded while its old value remains as a
/// fallback. If the engine has a second tier, the entry is removed from it, as by kvl_cache_remove(); to expire it in this process alone,
/// call kvl_tasks_invalidate() with KVL_INVALIDATE_F_EXPIRE.
///
/// @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param key        [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len    the key's length in bytes, at most KVL_KEY_MAX.
/// @return KVL_OK, KVL_MISS (there was no live entry); KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an engine
///         that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_expire(cache: *mut kvl_cache_t, key: *const u8, key_len: usize) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.kept(cache)?.expire(caller.key(key, key_len)?))
}

/// Removes all expired entries, without waiting for the timer.
///
/// @param cache        [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param out_removed  [out] the number of entries removed; may be NULL.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_remove_expired(cache: *mut kvl_cache_t, out_removed: *mut usize) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let removed = caller.kept(cache)?.remove_expired()?;
        if let Ok(place) = caller.place(out_removed) {
            place.write(removed);
        }
        Ok(Status::OK)
    })
}

/// Removes the entry under a key and returns its value. Does not count as a lookup. If the engine has a second tier, the entry is removed
/// from it, too, but not returned from there.
///
/// @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param key        [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len    the key's length in bytes, at most KVL_KEY_MAX.
/// @param out_value  [out, owned] the value, or kvl_value_null(): release it; NULL on KVL_MISS.
/// @return KVL_VALUE, KVL_NULL, KVL_MISS; KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an engine that
///         was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_take(
    cache: *mut kvl_cache_t,
    key: *const u8,
    key_len: usize,
    out_value: *mut *mut kvl_value_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let kept = || Ok((caller.kept(cache)?, caller.key(key, key_len)?));
        caller.return_lookup(out_value, || kept().and_then(|(core, key)| core.take(key)))
    })
}

/// Removes the next victim and returns its value: among the entries of the lowest priority, the one that `cache.policy` evicts first, which
/// is the least recently used by default. With several shards, this is the victim of one of them. Like an eviction, this does not affect
/// the second tier.
///
/// @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param out_value  [out, owned] the value, or kvl_value_null(): release it; NULL on KVL_MISS.
/// @return KVL_VALUE, KVL_NULL, KVL_MISS (the cache is empty); KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that
///         was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_pop(cache: *mut kvl_cache_t, out_value: *mut *mut kvl_value_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.return_lookup(out_value, || caller.kept(cache)?.pop()))
}

/// Shrinks the cache to a share of its current content, victims first. Like an eviction, this does not affect the second tier.
///
/// Each shard shrinks separately, in its own order. With several shards (`cache.shards`), the remaining entries are therefore those that
/// each shard would evict last, not those that the whole cache would.
///
/// @param cache       [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param keep_ratio  from 0 to 1: afterwards, neither the number of entries nor their cost exceeds this share of what remained after
///                    expired entries were removed.
/// @return KVL_OK; KVL_ERR_INVALID_ARG (not from 0 to 1), KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that was
///         freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_trim(cache: *mut kvl_cache_t, keep_ratio: f64) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.kept(cache)?.trim(keep_ratio).map(|()| Status::OK))
}

/// Shrinks the cache to a number of entries, victims first. The limits stay. Like an eviction, this does not affect the second tier.
///
/// @param cache    [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param entries  how many entries may remain.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_trim_to(cache: *mut kvl_cache_t, entries: usize) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.kept(cache)?.trim_to(entries as u64).map(|()| Status::OK))
}

/// Removes every entry, also from the second tier if the engine has one, and so for all processes that share it.
///
/// @param cache  [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_clear(cache: *mut kvl_cache_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.kept(cache)?.clear().map(|()| Status::OK))
}

/// Changes both limits, and evicts entries until the rest fits, victims first.
///
/// @param cache       [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param capacity    the limit on the number of entries; 0: nothing is stored.
/// @param cost_limit  the limit on the total cost, in bytes; -1: no limit.
/// @return KVL_OK; KVL_ERR_INVALID_ARG (a cost limit below -1), KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that
///         was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_resize(cache: *mut kvl_cache_t, capacity: usize, cost_limit: i64) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.kept(cache)?.resize(capacity as u64, limit_in(cost_limit)?).map(|()| Status::OK))
}
