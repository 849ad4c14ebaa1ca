//! Readers across the ABI: a view of a value, without a reference that the caller must release.
//!
//! Currently a reader holds a reference to the last value. Its restrictions, one thread and one view at a time, would allow a later version
//! to read without one.

use super::constants::kvl_status_t;
use super::guard::{Caller, guard, guard_or, guard_slow};
use super::handle::{Handle, HasGeneration, ScalarOut};
use super::types::{kvl_cache_t, kvl_reader_t};
use super::value::start_of;
use crate::base::hint::rarely;
use crate::base::process::Generation;
use crate::base::{Answer, Kind, Status, Value};
use crate::engine::cache::Lookup;
use crate::engine::cache_ref::CacheRef;
use std::ffi::c_void;
use std::ptr::{NonNull, null, null_mut};
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The value in view, or none: a pointer that holds a reference to the value. It is exchanged in one step, so that mistaken use from two
/// threads ends a view too early instead of releasing a value twice.
struct View(AtomicPtr<()>);

impl View {
    const fn empty() -> View {
        View(AtomicPtr::new(null_mut()))
    }

    /// Puts `value` into view, or nothing. Returns what was in view before.
    #[must_use]
    #[inline(always)]
    fn show(&self, value: Option<Value>) -> Option<Value> {
        let shown = value.map_or(null_mut(), |value| value.into_raw().as_ptr().cast());
        // Release and Acquire: another thread may have used the reader before, and what it did comes before the end of its view.
        let before = NonNull::new(self.0.swap(shown, Ordering::AcqRel));
        // SAFETY: only this function writes the pointer, which came from a value, and each is exchanged for the next one once.
        before.map(|before| unsafe { Value::from_raw(before.cast()) })
    }
}

impl Drop for View {
    fn drop(&mut self) {
        drop(self.show(None));
    }
}

/// The target of a reader handle.
pub(crate) struct ReaderHandle {
    cache: CacheRef,
    view: View,
}

/// The places for the result of a lookup through a reader.
struct Outputs<'caller> {
    data: ScalarOut<'caller, *const u8>,
    len: ScalarOut<'caller, usize>,
    object: Option<ScalarOut<'caller, *mut c_void>>,
}

impl Outputs<'_> {
    #[inline(always)]
    fn write(&self, bytes: Option<&[u8]>, object: *mut c_void) {
        self.data.write(bytes.map_or(null(), start_of));
        self.len.write(bytes.map_or(0, <[u8]>::len));
        self.object.iter().for_each(|place| place.write(object));
    }
}

impl Caller {
    fn outputs(&self, data: *mut *const u8, len: *mut usize, object: *mut *mut c_void) -> Result<Outputs<'_>, Status> {
        Ok(Outputs { data: self.place(data)?, len: self.place(len)?, object: self.place(object).ok() })
    }
}

/// The references that a call on a reader gives up. Their destructors may free the reader (rule L04a), so they are dropped once it is no
/// longer accessed.
#[must_use]
struct GivenUp {
    /// What was in view before.
    before: Option<Value>,
    /// An object for which the caller has no place.
    refused: Option<Value>,
}

impl ReaderHandle {
    /// Shows the result of a lookup.
    #[inline(always)]
    fn show(&self, found: Lookup, out: &Outputs<'_>) -> (Status, GivenUp) {
        let status = found.status();
        let Lookup::Value(value) = found else {
            out.write(None, null_mut());
            return (status, GivenUp { before: self.view.show(None), refused: None });
        };
        if rarely(value.kind() == Kind::Object) {
            if out.object.is_none() {
                return (Status::ERR_WRONG_KIND, GivenUp { before: self.view.show(None), refused: Some(value) });
            }
            out.write(None, value.as_object().unwrap_or(null_mut()));
        } else {
            // The bytes stay where they are while the view holds the value.
            out.write(value.as_bytes(), null_mut());
        }
        (status, GivenUp { before: self.view.show(Some(value)), refused: None })
    }
}

impl HasGeneration for ReaderHandle {
    fn generation(&self) -> Generation {
        self.cache.generation()
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
        let reader = ReaderHandle { cache: caller.share(cache)?, view: View::empty() };
        Ok(out.give(Arc::new(reader), Status::OK))
    })
}

/// Looks a key up and shows the value. The value stays readable until the next call on this reader, even if its entry is removed meanwhile.
///
/// Counts as a use of the entry and as a lookup.
///
/// @param reader      [borrowed] from kvl_reader_new().
/// @param key         [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len     the key's length in bytes, at most KVL_KEY_MAX.
/// @param out_data    [out, borrowed until the next call on this reader] the bytes, not NULL even if there are 0 of them; NULL for an
///                    object and without a value.
/// @param out_len     [out] the number of bytes; 0 for an object and without a value.
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
    let caller = &caller;
    if let Ok(out) = caller.outputs(out_data, out_len, out_object)
        && let Ok(borrowed) = caller.borrow(reader.cast_const())
        && let Ok(key) = caller.key(key, key_len)
        && let Some(found) = borrowed.cache.try_lookup_fast(key, Answer::clone)
    {
        let (status, GivenUp { before, refused }) = borrowed.show(found.into(), &out);
        let last = before.and_then(Value::give_up);
        if rarely(last.is_some() || refused.is_some()) {
            return guard_slow(move || {
                drop((last, refused));
                Ok(status)
            });
        }
        return status.0;
    }
    guard_slow(move || {
        let out = caller.outputs(out_data, out_len, out_object)?;
        // The validator, the record listener and the destructor of a value may free the reader.
        let (reader, key) = (caller.share(reader.cast_const())?, caller.key(key, key_len)?);
        let (status, given_up) = match reader.cache.get(key) {
            Ok(found) => reader.show(found, &out),
            Err(status) => (status, GivenUp { before: reader.view.show(None), refused: None }),
        };
        drop(reader);
        drop(given_up);
        Ok(status)
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
        let before = caller.borrow(reader).ok().and_then(|reader| reader.view.show(None));
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
