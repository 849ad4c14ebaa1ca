//! Values across the ABI. A handle is the pointer of a value of `base`, or the address of a static variable that stands for null.

use super::constants::{KVL_KIND_BYTES, KVL_KIND_NULL, KVL_KIND_OBJECT, kvl_status_t};
use super::guard::{Caller, guard, guard_or, guard_slow, unguarded};
use super::handle::{Handle, Owner, SharedOwner};
use super::types::{kvl_free_fn, kvl_value_t};
use crate::base::{Answer, Kind, Object, Status, Value};
use std::ffi::c_void;
use std::ptr::{NonNull, null, null_mut};

/// The address of this variable is the handle of the null value. It is as wide and aligned as a pointer, so that a host may tag the handle.
static NULL: usize = 0;

fn null_value() -> *mut kvl_value_t {
    std::ptr::from_ref(&NULL).cast_mut().cast()
}

impl Handle for kvl_value_t {
    type Owner = Answer;
}

impl Owner for Answer {
    // Only `Value` itself reads through the handle.
    type Target = ();
    fn into_raw(self) -> *mut () {
        match self {
            Answer::Value(value) => value.into_raw().as_ptr().cast(),
            Answer::Null => null_value().cast(),
        }
    }
    unsafe fn from_raw(raw: *mut ()) -> Answer {
        if raw == null_value().cast() {
            return Answer::Null;
        }
        // SAFETY: the caller's promise: `raw` came from `into_raw`, and since it is not the null value's handle, it is that of a value.
        Answer::Value(unsafe { Value::from_raw(NonNull::new_unchecked(raw.cast())) })
    }
    // Plain memory, which is valid in the child of a fork too (rule S16).
    fn check(_: &()) -> Result<(), Status> {
        Ok(())
    }
}

impl SharedOwner for Answer {}

/// The address of bytes, for C. Empty bytes have an address too, always the same one: a program may take NULL for a failure, and must be
/// able to read and compare 0 bytes.
pub(crate) fn start_of(bytes: &[u8]) -> *const u8 {
    static EMPTY: u8 = 0;
    if bytes.is_empty() { &raw const EMPTY } else { bytes.as_ptr() }
}

/// Takes over an object of the host with its destructor. NULL is refused, so that the result of a failed allocation is never stored.
pub(crate) fn object_in(object: *mut c_void, object_free: kvl_free_fn) -> Result<Object, Status> {
    if object.is_null() { Err(Status::ERR_NULL_POINTER) } else { Ok(Object::new(object, object_free)) }
}

/// Returns the constant value that stands for "known to be absent".
///
/// A NULL pointer is not a value: it is refused with KVL_ERR_NULL_POINTER, so that the result of a failed allocation is never stored as an
/// absence. kvl_value_retain() and kvl_value_release() have no effect on the constant.
///
/// @return the constant, never NULL, and the same for every call.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub extern "C" fn kvl_value_null() -> *mut kvl_value_t {
    guard_or(null_value(), null_value)
}

/// Creates a value from a copy of bytes.
///
/// @param data       [copied] `len` bytes; may be NULL if `len` is 0.
/// @param len        the number of bytes.
/// @param out_value  [out, owned] the value: release it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_value_new_bytes(data: *const u8, len: usize, out_value: *mut *mut kvl_value_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let out = caller.out(out_value)?;
        if isize::try_from(len).is_err() {
            return Err(Status::ERR_NO_MEMORY);
        }
        let value = Value::bytes(caller.items(data, len)?).map_err(|_| Status::ERR_NO_MEMORY)?;
        Ok(out.give(Answer::Value(value), Status::OK))
    })
}

/// Creates a value of bytes for the caller to fill in. The bytes are 0 at first.
///
/// Write through `out_data` before the value is passed to any other function, and never after.
///
/// @param len        the number of bytes.
/// @param out_data   [out, borrowed with the value] the address of the `len` bytes.
/// @param out_value  [out, owned] the value: release it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_value_new_space(len: usize, out_data: *mut *mut u8, out_value: *mut *mut kvl_value_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let (out, place) = (caller.out(out_value)?, caller.place(out_data)?);
        let (value, data) = Value::space(len).map_err(|_| Status::ERR_NO_MEMORY)?;
        place.write(data.as_ptr());
        Ok(out.give(Answer::Value(value), Status::OK))
    })
}

/// Creates a value of bytes without a copy: the bytes stay where they are.
///
/// @param data            [borrowed until user_data_free runs] `len` bytes, which do not change; may be NULL if `len` is 0.
/// @param len             the number of bytes.
/// @param user_data       [retained] passed to user_data_free; may be NULL.
/// @param user_data_free  [retained] runs once when the last reference is dropped, or before this returns if the call fails; may be NULL.
/// @param out_value       [out, owned] the value: release it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY (a length larger than any memory), KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_value_new_extern(
    data: *const u8,
    len: usize,
    user_data: *mut c_void,
    user_data_free: kvl_free_fn,
    out_value: *mut *mut kvl_value_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let owner = Object::new(user_data, user_data_free);
        let out = caller.out(out_value)?;
        // A value's header can record lengths up to half of `isize::MAX`.
        if isize::try_from(len).is_err() || len > isize::MAX as usize / 2 {
            return Err(Status::ERR_NO_MEMORY);
        }
        caller.items(data, len)?;
        // SAFETY: the caller promises that the bytes stay until `user_data_free` runs, which happens when `owner` is dropped.
        let value = unsafe { Value::external(data, len, owner) };
        Ok(out.give(Answer::Value(value), Status::OK))
    })
}

/// Creates a value of an object of the program: a pointer, with its cost and its destructor.
///
/// @param object       [owned by the value] any pointer but NULL; the library never dereferences it.
/// @param cost         the object's cost, in bytes.
/// @param object_free  [retained] runs once with `object`, on the thread that drops the last reference, or before this returns if the call
///                     fails; may be NULL. It does not run for a NULL object.
/// @param out_value    [out, owned] the value: release it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_value_new_object(
    object: *mut c_void,
    cost: u64,
    object_free: kvl_free_fn,
    out_value: *mut *mut kvl_value_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let object = object_in(object, object_free);
        let out = caller.out(out_value)?;
        Ok(out.give(Answer::Value(Value::object(object?, cost)), Status::OK))
    })
}

/// Returns the kind of a value.
///
/// @param value [borrowed] a value; may be NULL.
/// @return KVL_KIND_BYTES, KVL_KIND_OBJECT, KVL_KIND_NULL; 0 for NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_value_kind(value: *const kvl_value_t) -> u32 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    unguarded(|| match caller.look(value).as_deref() {
        Some(Answer::Null) => KVL_KIND_NULL,
        Some(Answer::Value(value)) => match value.kind() {
            Kind::Bytes => KVL_KIND_BYTES,
            Kind::Object => KVL_KIND_OBJECT,
        },
        None => 0,
    })
}

/// Returns the bytes of a value.
///
/// @param value    [borrowed] a value; may be NULL.
/// @param out_len  [out] the number of bytes, 0 if there are none; may be NULL.
/// @return the bytes, borrowed for as long as a reference to the value is held; not NULL even if there are 0 of them; NULL for objects, the
///         null value and NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_value_data(value: *const kvl_value_t, out_len: *mut usize) -> *const u8 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    unguarded(|| {
        let view = caller.look(value);
        let bytes = view.as_deref().and_then(Answer::value).and_then(Value::as_bytes);
        if let Ok(place) = caller.place(out_len) {
            place.write(bytes.map_or(0, <[u8]>::len));
        }
        bytes.map_or(null(), start_of)
    })
}

/// Returns the object of a value.
///
/// @param value [borrowed] a value; may be NULL.
/// @return the object, borrowed for as long as a reference to the value is held; NULL for bytes, the null value and NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_value_object(value: *const kvl_value_t) -> *mut c_void {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    unguarded(|| {
        let view = caller.look(value);
        view.as_deref().and_then(Answer::value).and_then(Value::as_object).unwrap_or(null_mut())
    })
}

/// Returns the cost of a value: the length of bytes, or the stated cost of an object.
///
/// @param value [borrowed] a value; may be NULL.
/// @return bytes; 0 for the null value and NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_value_cost(value: *const kvl_value_t) -> u64 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    unguarded(|| caller.look(value).map_or(0, |view| view.cost()))
}

/// Adds a reference to a value.
///
/// @param value [retained] a value; NULL and the null value are ignored.
/// @return `value`: release it once more.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_value_retain(value: *mut kvl_value_t) -> *mut kvl_value_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    unguarded(|| caller.retain(value))
}

/// Releases a reference. Releasing the last one ends the value, whose destructor then runs on this thread.
///
/// @param value [owned] a value; NULL and the null value are ignored.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_value_release(value: *mut kvl_value_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    // Only dropping the last reference needs the guard: releasing any other one cannot panic.
    if let Ok(Answer::Value(value)) = caller.take(value)
        && let Some(last) = value.give_up()
    {
        guard_slow(|| {
            drop(last);
            Ok(Status::OK)
        });
    }
}

/// Releases a reference to each of several values, and sets their places to NULL.
///
/// @param values  [owned] `n` places; those that contain NULL are skipped. If `values` is NULL or `n` is 0, this has no effect.
/// @param n       the number of places.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_value_release_many(values: *mut *mut kvl_value_t, n: usize) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || {
        for at in 0..if values.is_null() { 0 } else { n } {
            // SAFETY: `at` is below `n`, and the caller promises as many places.
            let place = unsafe { values.add(at) };
            // SAFETY: a place of the caller, as above.
            let value = unsafe { place.read() };
            // `out` sets the place to NULL first: the destructor may call this function again with the same places.
            if caller.out(place).is_ok() {
                caller.end(value);
            }
        }
    });
}

impl Caller {
    /// Borrows the value behind a handle, without an additional reference.
    fn look(&self, value: *const kvl_value_t) -> Option<std::mem::ManuallyDrop<Answer>> {
        if value.is_null() {
            return None;
        }
        // SAFETY: a living handle, by the promise that `self` stands for; the reference stays with the caller.
        Some(std::mem::ManuallyDrop::new(unsafe { Answer::from_raw(value.cast_mut().cast()) }))
    }
}
