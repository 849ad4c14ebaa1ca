//! Readers across the ABI: a view of a value, without a reference that the caller must release.
//!
//! Currently a reader holds a reference to the last value. Its restrictions, one thread and one view at a time, would allow a later version
//! to read without one.

use super::constants::kvl_status_t;
use super::guard::{Caller, guard, guard_or};
use super::handle::{Handle, HasGeneration};
use super::types::{kvl_cache_t, kvl_reader_t};
use super::value::start_of;
use crate::base::process::Generation;
use crate::base::sync::Mutex;
use crate::base::{Kind, Status, Value};
use crate::engine::cache::Lookup;
use crate::engine::cache_ref::CacheRef;
use std::ffi::c_void;
use std::ptr::{null, null_mut};
use std::sync::Arc;

/// The target of a reader handle. With the lock, mistaken use from two threads waits instead of corrupting memory.
pub(crate) struct ReaderHandle {
    cache: CacheRef,
    view: Mutex<Option<Value>>,
}

impl ReaderHandle {
    /// Sets the view to `value`, or to none. Returns the previous value: its destructor may free this reader (rule L04a), so it must be
    /// dropped once the reader is no longer accessed.
    #[must_use]
    fn show(&self, value: Option<Value>) -> Option<Value> {
        std::mem::replace(&mut *self.view.lock(), value)
    }
}

/// The result of a lookup through a reader: the status, and the outputs if the status is not an error.
struct Look {
    result: Result<Status, Status>,
    data: *const u8,
    len: usize,
    object: *mut c_void,
    /// References to be dropped last: the previous value, and a value that was refused.
    dropped: [Option<Value>; 2],
}

impl ReaderHandle {
    fn look(&self, key: &[u8], takes_objects: bool) -> Look {
        let (result, value, refused) = match self.cache.get(key) {
            Ok(Lookup::Value(value)) if value.kind() == Kind::Object && !takes_objects => (Err(Status::ERR_WRONG_KIND), None, Some(value)),
            Ok(Lookup::Value(value)) => (Ok(Status::VALUE), Some(value), None),
            Ok(other) => (Ok(other.status()), None, None),
            Err(status) => (Err(status), None, None),
        };
        let bytes = value.as_ref().and_then(Value::as_bytes);
        Look {
            result,
            data: bytes.map_or(null(), start_of),
            len: bytes.map_or(0, <[u8]>::len),
            object: value.as_ref().and_then(Value::as_object).unwrap_or(null_mut()),
            dropped: [self.show(value), refused],
        }
    }
}

impl HasGeneration for ReaderHandle {
    fn born(&self) -> Generation {
        self.cache.born()
    }
}

impl Handle for kvl_reader_t {
    type Owner = Arc<ReaderHandle>;
}

/// Creates a reader of a cache for one thread, or one fiber. It gives access to values without a copy.
///
/// @param cache       [retained] from kvl_cache_new() or kvl_tasks_cache().
/// @param out_reader  [out, owned] the reader: free it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_reader_new(cache: *mut kvl_cache_t, out_reader: *mut *mut kvl_reader_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let out = caller.out(out_reader)?;
        let reader = ReaderHandle { cache: caller.share(cache)?, view: Mutex::new(None) };
        Ok(out.give(Arc::new(reader), Status::OK))
    })
}

/// Looks a key up and shows the value. It stays readable until the next call on this reader, even if its entry is removed meanwhile.
///
/// Counts as a use of the entry and as a lookup.
///
/// @param reader      [borrowed] from kvl_reader_new().
/// @param key         [borrowed] `key_len` bytes; may be NULL if that is 0.
/// @param key_len     bytes, at most KVL_KEY_MAX.
/// @param out_data    [out, borrowed until the next call on this reader] the bytes, not NULL even if there are 0 of them; NULL for an
///                    object and without a value.
/// @param out_len     [out] their length in bytes; 0 for an object and without a value.
/// @param out_object  [out, borrowed until the next call on this reader] the object; NULL for bytes and without a value; may be NULL, then
///                    an object is refused with KVL_ERR_WRONG_KIND.
/// @return KVL_VALUE, KVL_NULL, KVL_MISS, KVL_INVALID_KEY; KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_WRONG_KIND,
///         KVL_ERR_CLOSED, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_reader_get(
    reader: *mut kvl_reader_t,
    key: *const u8,
    key_len: usize,
    out_data: *mut *const u8,
    out_len: *mut usize,
    out_object: *mut *mut c_void,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let (data, len, object) = (caller.place(out_data)?, caller.place(out_len)?, caller.place(out_object).ok());
        let handle = reader.cast_const();
        let (reader, key) = (caller.borrow(handle)?, caller.key(key, key_len)?);
        // The validator and the record listener may free the reader too.
        let kept = if reader.cache.lookups_call_host() { Some(caller.share(handle)?) } else { None };
        let look = kept.as_deref().unwrap_or(reader).look(key, object.is_some());
        if look.result.is_ok() {
            data.write(look.data);
            len.write(look.len);
            object.into_iter().for_each(|place| place.write(look.object));
        }
        drop(kept);
        drop(look.dropped);
        look.result
    })
}

/// Releases the value in view. The next call on the reader does so too.
///
/// @param reader [borrowed] from kvl_reader_new(); NULL is ignored.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_reader_done(reader: *mut kvl_reader_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || {
        let before = caller.borrow(reader).ok().and_then(|reader| reader.show(None));
        drop(before);
    });
}

/// Frees a reader, and with it the value in view and the reference to the cache.
///
/// @param reader [owned] from kvl_reader_new(); NULL is ignored.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_reader_free(reader: *mut kvl_reader_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || caller.end(reader));
}
