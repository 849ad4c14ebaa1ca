//! Caches across the ABI, with or without an engine: creation, lookups, release. The writes are in `cache_write.rs`.
//!
//! Host code that runs during a call (hooks, destructors) may release the very cache that the call uses. So a call that may run such code
//! holds a reference to the core (*keeps* it). Even a lookup may run such code, when it empties a shard after a panic. A lookup of one key
//! tries a fast path first, which runs no host code, cannot panic and does not wait, and therefore needs neither a reference to the core
//! nor a guard. If the validator is the only host code, there is a path that keeps the core and needs no guard.

use super::config::Config;
use super::constants::kvl_status_t;
use super::copied;
use super::guard::{Caller, guard, guard_or, guard_slow};
use super::handle::{Handle, HandleOut, Owner, SharedOwner};
use super::stats::kvl_stats_t;
use super::stats::text;
use super::types::{kvl_cache_t, kvl_config_t, kvl_error_t, kvl_slice_t, kvl_value_t};
use super::view;
use crate::base::hint::rarely;
use crate::base::process::{HasGeneration, ThreadState};
use crate::base::{Answer, Error, Status};
use crate::engine::Core;
use crate::engine::cache::Lookup;
use crate::engine::cache_ref::CacheRef;
use crate::engine::pins::Pin;
use std::sync::Arc;

impl Handle for kvl_cache_t {
    type Owner = CacheRef;
}

impl Owner for CacheRef {
    type Target = Core;
    fn into_raw(self) -> *mut Core {
        CacheRef::into_raw(self).cast_mut()
    }
    unsafe fn from_raw(raw: *mut Core) -> CacheRef {
        // SAFETY: the caller's promise: the pointer is that of an `Arc`, whose reference was given up with it.
        CacheRef::of_counted(unsafe { Arc::from_raw(raw) })
    }
    #[inline]
    fn check(target: &Core) -> Result<(), Status> {
        target.generation().check()
    }
}

impl SharedOwner for CacheRef {}

/// Converts a number to C's `size_t`, saturating.
fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Fails if a setting of the configuration was refused.
pub(crate) fn check_settings(config: &Config) -> Result<(), Error> {
    let problem = config.problem();
    problem.map_or(Ok(()), |problem| Err(Error::with_text(Status::ERR_BAD_VALUE, 0, &problem.to_string_lossy())))
}

impl Caller {
    /// Returns to the caller the object that `make` creates, or the error with which `make` fails, if there is a place for an error.
    pub(crate) fn make<H: Handle>(
        &self,
        out_handle: *mut *mut H,
        out_error: *mut *mut kvl_error_t,
        make: impl FnOnce() -> Result<H::Owner, Error>,
    ) -> Result<Status, Status> {
        let error_place = self.out(out_error).ok();
        let made = self.out(out_handle).map_err(Error::of).and_then(|out| Ok(out.give(make()?, Status::OK)));
        made.map_err(|error| {
            let status = error.status();
            error_place.map_or(status, |place| place.give(error, status))
        })
    }

    /// Keeps the cache during a call that may run host code.
    #[inline]
    pub(super) fn kept(&self, cache: *const kvl_cache_t) -> Result<Pin<'_>, Status> {
        self.borrow(cache).map(Core::pin)
    }

    /// Returns the result of a lookup to the caller.
    #[inline(always)]
    pub(super) fn return_lookup(
        &self,
        out_value: *mut *mut kvl_value_t,
        look: impl FnOnce() -> Result<Lookup, Status>,
    ) -> Result<Status, Status> {
        let out = self.out(out_value)?;
        Ok(match look()? {
            Lookup::Value(value) => out.give(Answer::Value(value), Status::VALUE),
            Lookup::Null => out.give(Answer::Null, Status::NULL),
            missed => missed.status(),
        })
    }

    /// Runs a getter that cannot fail: 0 for NULL and for a cache from before a fork.
    fn read<R: Default>(&self, cache: *const kvl_cache_t, read: impl FnOnce(&Core) -> R) -> R {
        self.kept(cache).map_or(R::default(), |core| read(&core))
    }

    /// Looks a key up on the fast path, which needs no guard because nothing on it panics. The outer `None` means that nothing was done,
    /// the inner one that there is no entry.
    #[inline(always)]
    pub(super) fn try_fast<R>(
        &self,
        cache: *mut kvl_cache_t,
        key: *const u8,
        key_len: usize,
        see: impl FnOnce(&Answer) -> R,
    ) -> Option<Option<R>> {
        let core = self.borrow(cache).ok()?;
        core.try_lookup_fast(self.key(key, key_len).ok()?, see)
    }

    /// Looks a key up on the second fastest path, where the validator runs and no other host code, and which does not panic either.
    /// `None` means that nothing was done.
    #[inline(always)]
    pub(super) fn try_validated(
        &self,
        cache: *mut kvl_cache_t,
        key: *const u8,
        key_len: usize,
        see: impl FnOnce(&Answer) -> Status,
    ) -> Option<(Pin<'_>, Status)> {
        let core = self.borrow(cache).ok()?;
        if !core.only_validates() {
            return None;
        }
        let key = self.key(key, key_len).ok()?;
        // The pin and the lookup share one access to the thread's storage.
        ThreadState::with(
            #[inline(always)]
            |thread| {
                let pin = core.pin_on(thread);
                let seen = pin.look_up_validated(thread, key, see);
                Some((pin, seen))
            },
        )
    }
}

/// Returns a reference to the answer of a lookup to the caller. May run under a shard's lock.
#[inline(always)]
fn give(out: HandleOut<'_, kvl_value_t>, answer: &Answer) -> Status {
    match answer {
        Answer::Value(value) => out.give(Answer::Value(value.clone()), Status::VALUE),
        Answer::Null => out.give(Answer::Null, Status::NULL),
    }
}

/// Creates a cache: a store without a provider.
///
/// A provider in the configuration is ignored. If the cache needs a timer, the timer starts with the first finite TTL.
///
/// @param config     [borrowed] from kvl_config_new(); may be freed at once, or used again.
/// @param out_cache  [out, owned] the cache: release it.
/// @param out_error  [out, owned] on failure an error that describes it: release it; may be NULL.
/// @return KVL_OK; KVL_ERR_BAD_VALUE (a setting was refused: kvl_config_problem()), KVL_ERR_NO_CALLBACK (a removal listener without a
///         function, and no queue for it), KVL_ERR_INVALID_HANDLE (the runtime was freed), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
///         KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_new(
    config: *const kvl_config_t,
    out_cache: *mut *mut kvl_cache_t,
    out_error: *mut *mut kvl_error_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        caller.make(out_cache, out_error, || {
            let config = caller.borrow(config).map_err(Error::of)?;
            check_settings(config)?;
            let parts = config.parts();
            if parts.routes.removals_at().needs_function() && parts.removal.as_ref().is_some_and(|listener| listener.function().is_none()) {
                return Err(Error::of(Status::ERR_NO_CALLBACK));
            }
            Core::cache(parts.into_plan()).map(CacheRef::new).map_err(Error::of)
        })
    })
}

/// Looks a key up and returns its value.
///
/// Counts as a use of the entry and as a lookup.
///
/// @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param key        [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len    the key's length in bytes, at most KVL_KEY_MAX.
/// @param out_value  [out, owned] the value, or kvl_value_null(): release it; NULL for every other outcome.
/// @return KVL_VALUE, KVL_NULL, KVL_MISS, KVL_INVALID_KEY; KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of
///         an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_get(
    cache: *mut kvl_cache_t,
    key: *const u8,
    key_len: usize,
    out_value: *mut *mut kvl_value_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = &unsafe { Caller::trusted() };
    if let Ok(out) = caller.out(out_value)
        && let Some(seen) = caller.try_fast(cache, key, key_len, |answer| give(out, answer))
    {
        return seen.unwrap_or(Status::MISS).0;
    }
    get_slow(caller, cache, key, key_len, out_value)
}

/// The slower paths of [`kvl_cache_get`]. Not inlined, so that the fast path saves no registers for it.
#[inline(never)]
fn get_slow(caller: &Caller, cache: *mut kvl_cache_t, key: *const u8, key_len: usize, out_value: *mut *mut kvl_value_t) -> kvl_status_t {
    if let Ok(out) = caller.out(out_value)
        && let Some((_pin, status)) = caller.try_validated(cache, key, key_len, |answer| give(out, answer))
    {
        return status.0;
    }
    guard(|| {
        let out = caller.out(out_value)?;
        let core = caller.kept(cache)?;
        let seen = core.get_with(caller.key(key, key_len)?, |answer| give(out, answer))?;
        Ok(seen.unwrap_or_else(|lookup| lookup.status()))
    })
}

/// Looks a key up and copies its value's bytes into the caller's buffer.
///
/// Counts as a use of the entry and as a lookup, even if the buffer is too small.
///
/// @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param key        [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len    the key's length in bytes, at most KVL_KEY_MAX.
/// @param buf        [out] `cap` bytes; may be NULL if `cap` is 0.
/// @param cap        the size of the buffer in bytes.
/// @param out_len    [out] the value's length in bytes, for KVL_VALUE and KVL_TRUNCATED; untouched otherwise.
/// @return KVL_VALUE, KVL_TRUNCATED (nothing was copied: `cap` is less than the length), KVL_NULL, KVL_MISS, KVL_INVALID_KEY;
///         KVL_ERR_WRONG_KIND (the value is an object), KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an
///         engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_get_into(
    cache: *mut kvl_cache_t,
    key: *const u8,
    key_len: usize,
    buf: *mut u8,
    cap: usize,
    out_len: *mut usize,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = &unsafe { Caller::trusted() };
    // A value that is too long to be copied under the lock.
    let mut too_long = None;
    if !rarely(Caller::overlap(key, key_len, buf, cap))
        && let Ok(buffer) = caller.byte_buffer(buf, cap, out_len)
        && let Some(seen) = caller.try_fast(
            cache,
            key,
            key_len,
            #[inline(always)]
            |answer| buffer.see(answer, &mut too_long),
        )
    {
        let status = seen.unwrap_or(Status::MISS);
        return match too_long {
            None => status.0,
            // The entry may be removed meanwhile. Then this drops the last reference to the value, which may run host code.
            Some(value) => guard_slow(move || Ok(buffer.finish(value, &*caller.kept(cache)?))),
        };
    }
    copied::get_into_slow(caller, cache, (key, key_len), (buf, cap), out_len)
}

/// Looks several keys up in order, each like kvl_cache_get().
///
/// @param cache         [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param keys          [borrowed] `n` keys, duplicates allowed; may be NULL if `n` is 0.
/// @param n             the number of keys.
/// @param out_values    [out, owned] `n` places; each receives a value or kvl_value_null(), or NULL for every other outcome. Release
///                      them with kvl_value_release_many(). May be NULL if `n` is 0.
/// @param out_statuses  [out] `n` places, each for KVL_VALUE, KVL_NULL, KVL_MISS, KVL_INVALID_KEY, or KVL_ERR_KEY_TOO_LONG for that key
///                      alone. May be NULL if `n` is 0.
/// @return KVL_OK; KVL_ERR_NULL_POINTER (also in one of the keys), KVL_ERR_INVALID_ARG (`n` is too large for any memory, a misaligned
///         pointer), KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_get_many(
    cache: *mut kvl_cache_t,
    keys: *const kvl_slice_t,
    n: usize,
    out_values: *mut *mut kvl_value_t,
    out_statuses: *mut kvl_status_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let values = caller.outs(out_values, n)?;
        let statuses = caller.places(out_statuses, n)?;
        let core = caller.kept(cache)?;
        let keys = caller.keys(keys, n)?;
        core.check_not_over()?;
        core.look_up_each(keys, |at, found| {
            let status = match found {
                Ok(answer) => {
                    values.give(at, answer.clone());
                    if answer.value().is_some() { Status::VALUE } else { Status::NULL }
                }
                Err(status) => status,
            };
            statuses.write(at, status.0);
        });
        Ok(Status::OK)
    })
}

/// Looks an entry up without counting a use or a lookup, and without calling the validator.
///
/// @param cache            [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param key              [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len          the key's length in bytes, at most KVL_KEY_MAX.
/// @param out_value        [out, owned] the value, or kvl_value_null(): release it; NULL on KVL_MISS; may be NULL.
/// @param out_ttl_left_ms  [out] milliseconds until the entry expires if it is not used before, or KVL_TTL_NEVER; untouched on KVL_MISS;
///                         may be NULL.
/// @param out_cost         [out] the cost of the entry, including its key and the library's own memory for it, in bytes; untouched on
///                         KVL_MISS; may be NULL.
/// @return KVL_VALUE, KVL_NULL, KVL_MISS; KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an engine that
///         was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_peek(
    cache: *mut kvl_cache_t,
    key: *const u8,
    key_len: usize,
    out_value: *mut *mut kvl_value_t,
    out_ttl_left_ms: *mut i64,
    out_cost: *mut u64,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let out = caller.out(out_value).ok();
        let core = caller.kept(cache)?;
        let Some(hit) = core.peek(caller.key(key, key_len)?)? else { return Ok(Status::MISS) };
        if let Ok(place) = caller.place(out_ttl_left_ms) {
            place.write(core.ttl_left_ms(&hit));
        }
        if let Ok(place) = caller.place(out_cost) {
            place.write(hit.cost);
        }
        let status = Lookup::from(Some(hit.answer.clone())).status();
        Ok(out.map_or(status, |out| out.give(hit.answer, status)))
    })
}

/// Returns the status that kvl_cache_peek() would return, without the value.
///
/// @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param key        [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len    the key's length in bytes, at most KVL_KEY_MAX.
/// @return KVL_VALUE, KVL_NULL, KVL_MISS; KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an engine that
///         was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_contains(cache: *mut kvl_cache_t, key: *const u8, key_len: usize) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let core = caller.kept(cache)?;
        let hit = core.peek(caller.key(key, key_len)?)?;
        Ok(Lookup::from(hit.map(|hit| hit.answer)).status())
    })
}

/// Removes expired entries, and returns the number of the remaining ones.
///
/// @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache(); may be NULL.
/// @return the number of entries; 0 for NULL and for a cache from before a fork.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_len(cache: *const kvl_cache_t) -> usize {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.read(cache, |core| size(core.len())))
}

/// Removes expired entries, and returns the total cost of the remaining ones.
///
/// @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache(); may be NULL.
/// @return bytes; 0 for NULL and for a cache from before a fork.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_cost(cache: *const kvl_cache_t) -> u64 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.read(cache, Core::cost))
}

/// Returns the limit on the number of entries.
///
/// @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache(); may be NULL.
/// @return entries; 0 for NULL and for a cache from before a fork.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_capacity(cache: *const kvl_cache_t) -> usize {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.read(cache, |core| size(core.capacity())))
}

/// Returns the limit on the total cost of the entries.
///
/// @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache(); may be NULL.
/// @return bytes, or -1 if there is no limit; 0 for NULL and for a cache from before a fork.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_cost_limit(cache: *const kvl_cache_t) -> i64 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.read(cache, |core| core.cost_limit().map_or(-1, view::signed)))
}

/// Returns the highest cost that one entry may have, including its key and the library's own memory for it.
///
/// @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache(); may be NULL.
/// @return bytes; 0 for NULL and for a cache from before a fork.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_max_cost(cache: *const kvl_cache_t) -> u64 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.read(cache, Core::max_cost))
}

/// Returns the counters since the last reset, and the current gauges.
///
/// @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param out_stats  [out] the statistics, filled up to `out_size` bytes; struct_size is the number of bytes filled.
/// @param out_size   sizeof(kvl_stats_t) as the program was compiled, in bytes.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (`out_size` has no room for struct_size, a misaligned pointer),
///         KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_stats(cache: *mut kvl_cache_t, out_stats: *mut kvl_stats_t, out_size: usize) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.write_stats(out_stats, out_size, || Ok(caller.kept(cache)?.stats())))
}

/// Returns all statistics as one JSON object, with histograms.
///
/// @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param out_text   [out, owned] a value that holds the text in UTF-8: release it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_stats_json(cache: *mut kvl_cache_t, out_text: *mut *mut kvl_value_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let out = caller.out(out_text)?;
        Ok(out.give(text(&caller.kept(cache)?.stats().to_json())?, Status::OK))
    })
}

/// Returns all statistics as OpenMetrics text, for a scraper.
///
/// @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param out_text   [out, owned] a value that holds the text in UTF-8: release it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_stats_openmetrics(cache: *mut kvl_cache_t, out_text: *mut *mut kvl_value_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let out = caller.out(out_text)?;
        Ok(out.give(text(&caller.kept(cache)?.stats().to_openmetrics())?, Status::OK))
    })
}

/// Resets the counters and begins a new window of statistics. Gauges, such as entries and cost, are not reset.
///
/// @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_stats_reset(cache: *mut kvl_cache_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        caller.kept(cache)?.reset_stats();
        Ok(Status::OK)
    })
}

/// Adds a reference to a cache.
///
/// @param cache [retained] from kvl_cache_new() or kvl_tasks_cache(); NULL is ignored.
/// @return `cache`: release it once more.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_retain(cache: *mut kvl_cache_t) -> *mut kvl_cache_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(cache, || caller.retain(cache))
}

/// Releases a reference. The cache ends with its last reference; readers and iterators hold references too. When the cache ends, its
/// entries are dropped without a report to the removal listener.
///
/// Releasing the last reference ends the cache's own threads before it returns, unless this is called inside a callback, or code of the
/// program is running on them: this never waits for such code.
///
/// @param cache [owned] from kvl_cache_new() or kvl_tasks_cache(); NULL is ignored.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_release(cache: *mut kvl_cache_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || caller.end(cache));
}
