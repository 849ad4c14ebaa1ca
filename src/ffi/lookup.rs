//! Lookups of an engine, whether a fetch may begin with one, and lookups that return the object of a value without a reference to the
//! value. All lookups try the fast path first, as in `cache.rs`.

use super::constants::kvl_status_t;
use super::guard::{Caller, guard, guard_or};
use super::handle::{HandleOut, ScalarOut};
use super::types::{kvl_cache_t, kvl_tasks_t, kvl_value_t};
use crate::base::{Answer, Status, Value};
use crate::engine::cache::Lookup;
use std::ffi::c_void;

impl Caller {
    /// Looks a key up for a fetch on the fast path: see `Caller::try_fast`. A miss is not counted.
    #[inline(always)]
    fn try_hit<R>(&self, tasks: *mut kvl_tasks_t, key: *const u8, key_len: usize, see: impl FnOnce(&Answer) -> R) -> Option<Option<R>> {
        let core = self.borrow(tasks).ok()?;
        core.try_hit_fast(self.key(key, key_len).ok()?, see)
    }

    #[inline(always)]
    fn object_out(&self, out_object: *mut *mut c_void, out_value: *mut *mut kvl_value_t) -> Result<ObjectOut<'_>, Status> {
        let value = self.maybe_out(out_value);
        Ok(ObjectOut { object: self.place(out_object)?, value })
    }
}

/// Places of the caller: for the object of a value, and for a value of bytes.
struct ObjectOut<'caller> {
    object: ScalarOut<'caller, *mut c_void>,
    value: Option<HandleOut<'caller, kvl_value_t>>,
}

impl ObjectOut<'_> {
    /// Returns an answer to the caller. May run under a shard's lock.
    #[inline(always)]
    fn see(self, answer: &Answer) -> Status {
        match answer {
            Answer::Value(value) => self.see_value(value),
            Answer::Null => Status::NULL,
        }
    }

    #[inline(always)]
    fn see_value(self, value: &Value) -> Status {
        match (value.as_object(), self.value) {
            (Some(object), _) => {
                self.object.write(object);
                Status::VALUE
            }
            (None, Some(out)) => out.give(Answer::Value(value.clone()), Status::VALUE),
            (None, None) => Status::ERR_WRONG_KIND,
        }
    }
}

/// Looks a key up and returns the object of its value, without a reference to the value.
///
/// Counts as a use of the entry and as a lookup, like kvl_cache_get(), and is faster. It is meant for objects that are no pointers but
/// refer to something of the program, such as an index into a table. Nothing keeps the value: another thread may replace or remove it
/// before this returns, and its object may then be destroyed. The program itself must know whether what the object refers to still exists.
///
/// @param cache       [borrowed] from kvl_cache_new() or kvl_tasks_cache().
/// @param key         [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len     the key's length in bytes, at most KVL_KEY_MAX.
/// @param out_object  [out] the object, for KVL_VALUE, if the value is one; untouched otherwise.
/// @param out_value   [out, owned] the value, for KVL_VALUE, if it is bytes: release it; NULL otherwise. May be NULL: then bytes are
///                    KVL_ERR_WRONG_KIND.
/// @return KVL_VALUE, KVL_NULL, KVL_MISS, KVL_INVALID_KEY; KVL_ERR_WRONG_KIND, KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED
///         (the cache of an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_cache_get_object(
    cache: *mut kvl_cache_t,
    key: *const u8,
    key_len: usize,
    out_object: *mut *mut c_void,
    out_value: *mut *mut kvl_value_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = &unsafe { Caller::trusted() };
    if let Ok(out) = caller.object_out(out_object, out_value)
        && let Some(seen) = caller.try_fast(
            cache,
            key,
            key_len,
            #[inline(always)]
            |answer| out.see(answer),
        )
    {
        return seen.unwrap_or(Status::MISS).0;
    }
    get_object_slow(caller, cache, (key, key_len), out_object, out_value)
}

/// The slower paths of [`kvl_cache_get_object`].
#[inline(never)]
fn get_object_slow(
    caller: &Caller,
    cache: *mut kvl_cache_t,
    (key, key_len): (*const u8, usize),
    out_object: *mut *mut c_void,
    out_value: *mut *mut kvl_value_t,
) -> kvl_status_t {
    if let Ok(out) = caller.object_out(out_object, out_value)
        && let Some((_pin, status)) = caller.try_validated(cache, key, key_len, |answer| out.see(answer))
    {
        return status.0;
    }
    guard(|| {
        let out = caller.object_out(out_object, out_value)?;
        let core = caller.kept(cache)?;
        let seen = core.get_with(caller.key(key, key_len)?, |answer| out.see(answer))?;
        Ok(seen.unwrap_or_else(|lookup| lookup.status()))
    })
}

/// Looks a key up and starts no load: call this before you allocate what a fetch needs.
///
/// A hit counts as a lookup; a miss does not, because the fetch that follows counts it.
///
/// @param tasks      [borrowed] from kvl_tasks_new().
/// @param key        [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len    the key's length in bytes, at most KVL_KEY_MAX.
/// @param out_value  [out, owned] set on KVL_VALUE: release it; NULL otherwise.
/// @return KVL_VALUE, KVL_NULL, KVL_MISS, KVL_INVALID_KEY; KVL_ERR_CLOSED, KVL_ERR_KEY_TOO_LONG, KVL_ERR_NULL_POINTER,
///         KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_get(
    tasks: *mut kvl_tasks_t,
    key: *const u8,
    key_len: usize,
    out_value: *mut *mut kvl_value_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = &unsafe { Caller::trusted() };
    if let Ok(out) = caller.out(out_value)
        && let Some(seen) = caller.try_hit(
            tasks,
            key,
            key_len,
            #[inline(always)]
            |answer| give_value(out, answer),
        )
    {
        return seen.unwrap_or(Status::MISS).0;
    }
    tasks_get_slow(caller, tasks, key, key_len, out_value)
}

/// Returns a reference to a value to the caller, and nothing for a null. May run under a shard's lock.
#[inline(always)]
fn give_value(out: HandleOut<'_, kvl_value_t>, answer: &Answer) -> Status {
    match answer {
        Answer::Value(value) => out.give(Answer::Value(value.clone()), Status::VALUE),
        Answer::Null => Status::NULL,
    }
}

/// The slower path of [`kvl_tasks_get`].
#[inline(never)]
fn tasks_get_slow(
    caller: &Caller,
    tasks: *mut kvl_tasks_t,
    key: *const u8,
    key_len: usize,
    out_value: *mut *mut kvl_value_t,
) -> kvl_status_t {
    guard(|| {
        let out = caller.out(out_value)?;
        let found = caller.engine(tasks, None)?.get_uncounted_miss(caller.key(key, key_len)?)?;
        let status = found.status();
        Ok(match found {
            Lookup::Value(value) => out.give(Answer::Value(value), status),
            _ => status,
        })
    })
}

/// Returns whether a fetch without options begins with the lookup that kvl_tasks_get() makes. If so, a program may call kvl_tasks_get()
/// first, and fetch the key only after KVL_MISS.
///
/// It does not if the engine's setting `read` is `refresh`. Nor does it if there is a validator, which would run in both calls instead of
/// once. The answer does not change while the engine exists.
///
/// @param tasks  [borrowed] from kvl_tasks_new().
/// @return 1 if it does, else 0; 0 for NULL and in the child of a fork.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_reads_store_first(tasks: *const kvl_tasks_t) -> u32 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.borrow(tasks).map_or(0, |core| u32::from(core.reads_store_first())))
}

/// Looks a key up like kvl_tasks_get(), and returns the object of its value like kvl_cache_get_object(), without a reference to the value.
///
/// @param tasks       [borrowed] from kvl_tasks_new().
/// @param key         [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len     the key's length in bytes, at most KVL_KEY_MAX.
/// @param out_object  [out] the object, for KVL_VALUE, if the value is one; untouched otherwise.
/// @param out_value   [out, owned] the value, for KVL_VALUE, if it is bytes: release it; NULL otherwise. May be NULL: then bytes are
///                    KVL_ERR_WRONG_KIND.
/// @return KVL_VALUE, KVL_NULL, KVL_MISS, KVL_INVALID_KEY; KVL_ERR_WRONG_KIND, KVL_ERR_CLOSED, KVL_ERR_KEY_TOO_LONG, KVL_ERR_NULL_POINTER,
///         KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_get_object(
    tasks: *mut kvl_tasks_t,
    key: *const u8,
    key_len: usize,
    out_object: *mut *mut c_void,
    out_value: *mut *mut kvl_value_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = &unsafe { Caller::trusted() };
    if let Ok(out) = caller.object_out(out_object, out_value)
        && let Some(seen) = caller.try_hit(
            tasks,
            key,
            key_len,
            #[inline(always)]
            |answer| out.see(answer),
        )
    {
        return seen.unwrap_or(Status::MISS).0;
    }
    tasks_get_object_slow(caller, tasks, (key, key_len), out_object, out_value)
}

/// The slower path of [`kvl_tasks_get_object`].
#[inline(never)]
fn tasks_get_object_slow(
    caller: &Caller,
    tasks: *mut kvl_tasks_t,
    (key, key_len): (*const u8, usize),
    out_object: *mut *mut c_void,
    out_value: *mut *mut kvl_value_t,
) -> kvl_status_t {
    guard(|| {
        let out = caller.object_out(out_object, out_value)?;
        // The engine is kept, since host code may run: hooks, and the destructor of a value that was removed meanwhile.
        let core = caller.share(tasks.cast_const())?;
        Ok(match core.get_uncounted_miss(caller.key(key, key_len)?)? {
            Lookup::Value(value) => {
                let status = out.see_value(&value);
                core.release_value(value);
                status
            }
            other => other.status(),
        })
    })
}
