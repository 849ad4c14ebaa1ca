//! Readers across the ABI: a view on a value without a reference of the caller's to give up.
//!
//! Today a reader keeps the last value by a reference. Its shape, one thread and one view at a time, is what would let a later
//! version read without one.

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

/// What a reader's handle holds. The lock makes a mistaken use from two threads a wait, not a corruption.
pub(crate) struct ReaderHandle {
    cache: CacheRef,
    view: Mutex<Option<Value>>,
}

impl ReaderHandle {
    /// Lets go of what is in view. A destructor may run, so not under the lock.
    fn done(&self) {
        let old = self.view.lock().take();
        drop(old);
    }

    fn keep(&self, value: Value) {
        let old = self.view.lock().replace(value);
        drop(old);
    }
}

impl HasGeneration for ReaderHandle {
    fn born(&self) -> Generation {
        self.cache.born()
    }
}

impl Handle for kvl_reader_t {
    type Owner = Box<ReaderHandle>;
}

/// Makes a window on a cache for one thread, or one fiber, through which values are read where they lie.
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
        Ok(out.give(Box::new(reader), Status::OK))
    })
}

/// Looks a key up and shows the value until the next call on this reader, whatever becomes of the entry meanwhile.
///
/// It is a use of the entry, and counts as a lookup.
///
/// @param reader      [borrowed] from kvl_reader_new().
/// @param key         [borrowed] `key_len` bytes; may be NULL if that is 0.
/// @param key_len     bytes, at most KVL_KEY_MAX.
/// @param out_data    [out, borrowed until the next call on this reader] the bytes, not NULL even if there are 0 of them; NULL
///                    for an object and without a value.
/// @param out_len     [out] their length in bytes; 0 for an object and without a value.
/// @param out_object  [out, borrowed until the next call on this reader] the object; NULL for bytes and without a value; may be
///                    NULL, then an object is KVL_ERR_WRONG_KIND.
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
        let (reader, key) = (caller.borrow(reader)?, caller.key(key, key_len)?);
        reader.done();
        let found = reader.cache.get(key)?;
        let status = found.status();
        let mut seen = (null(), 0, null_mut());
        if let Lookup::Value(value) = found {
            if value.kind() == Kind::Object && object.is_none() {
                return Err(Status::ERR_WRONG_KIND);
            }
            let bytes = value.as_bytes();
            seen = (bytes.map_or(null(), start_of), bytes.map_or(0, <[u8]>::len), value.as_object().unwrap_or(null_mut()));
            reader.keep(value);
        }
        data.write(seen.0);
        len.write(seen.1);
        object.into_iter().for_each(|place| place.write(seen.2));
        Ok(status)
    })
}

/// Lets go of the value in view; the next call on the reader does so too.
///
/// @param reader [borrowed] from kvl_reader_new(); nothing is done to NULL.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_reader_done(reader: *mut kvl_reader_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || caller.borrow(reader).map_or((), |reader| reader.done()));
}

/// Ends a reader, lets go of the value in view, and gives the cache up.
///
/// @param reader [owned] from kvl_reader_new(); nothing is done to NULL.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_reader_free(reader: *mut kvl_reader_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || caller.end(reader));
}
