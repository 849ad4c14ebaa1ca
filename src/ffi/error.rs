//! Errors across the ABI: a handle is `base`'s own pointer.

use super::constants::kvl_status_t;
use super::guard::{Caller, guard, guard_or};
use super::handle::Handle;
use super::types::{kvl_error_t, kvl_free_fn, kvl_queue_t};
use super::value::object_in;
use crate::base::{DropSite, Error, Object, Status};
use std::ffi::{c_char, c_void};
use std::mem::ManuallyDrop;
use std::ptr::null_mut;
use std::sync::Arc;
use std::time::Duration;

impl Handle for kvl_error_t {
    type Owner = Error;
}

/// In the flags of an error: trying again is pointless, whatever the retry policy says.
pub const KVL_ERROR_F_PERMANENT: u32 = 1;
/// In the flags of an error: an older answer is worth nothing either. Nobody is told it instead of the error (`stale.ttl_ms`), and it leaves the
/// store.
pub const KVL_ERROR_F_NO_STALE: u32 = 2;

/// Makes an error for a provider to fail with: its status is KVL_ERR_PROVIDER.
///
/// @param code         a number of the program's own.
/// @param message      [copied] `message_len` bytes of UTF-8 (what is not, is replaced; a NUL ends it); may be NULL if that is 0.
/// @param message_len  bytes.
/// @param flags        0, or KVL_ERROR_F_* added up.
/// @param out_error    [out, owned] the error: release it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (unknown flags, a length that no memory can have), KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_error_new(
    code: i64,
    message: *const c_char,
    message_len: usize,
    flags: u32,
    out_error: *mut *mut kvl_error_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let out = caller.out(out_error)?;
        let error = caller.error_of(code, message, message_len, flags, None)?;
        Ok(out.give(error, Status::OK))
    })
}

/// Makes an error that carries an object of the program, for example an exception, to all waiters.
///
/// @param code           a number of the program's own.
/// @param message        [copied] `message_len` bytes of UTF-8 (what is not, is replaced; a NUL ends it); may be NULL if that is 0.
/// @param message_len    bytes.
/// @param flags          0, or KVL_ERROR_F_* added up.
/// @param queue_or_null  [retained] where the object is ended: inside kvl_queue_poll() or kvl_queue_next(); NULL: on the thread that
///                       drops the last reference.
/// @param object         [owned by the error] any pointer but NULL; the library never looks through it.
/// @param object_free    [retained] runs once with `object` when the last reference is gone, or before this returns if it fails;
///                       may be NULL (with a queue KVL_EVENT_DROP reports the end). It does not run for a NULL object.
/// @param out_error      [out, owned] the error: release it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (unknown flags, a length that no memory can have),
///         KVL_ERR_FORKED (the queue), KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_error_new_object(
    code: i64,
    message: *const c_char,
    message_len: usize,
    flags: u32,
    queue_or_null: *mut kvl_queue_t,
    object: *mut c_void,
    object_free: kvl_free_fn,
    out_error: *mut *mut kvl_error_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let object = object_in(object, object_free);
        let out = caller.out(out_error)?;
        let mut object = object?;
        if !queue_or_null.is_null() {
            let queue: Arc<dyn DropSite> = caller.borrow(queue_or_null)?.queue();
            object = object.to_drop_site(queue);
        }
        let error = caller.error_of(code, message, message_len, flags, Some(object))?;
        Ok(out.give(error, Status::OK))
    })
}

/// Returns why it failed, in the library's words.
///
/// @param error [borrowed] an error; may be NULL.
/// @return a status below 0; KVL_ERR_NULL_POINTER for NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_error_status(error: *const kvl_error_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| Ok(caller.borrow(error)?.status()))
}

/// Returns the program's own number of an error.
///
/// @param error [borrowed] an error; may be NULL.
/// @return the code; 0 for errors of the library's and NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_error_code(error: *const kvl_error_t) -> i64 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.borrow(error).map_or(0, |error| error.code()))
}

/// Returns the sentence of an error, for as long as a reference to the error is held.
///
/// @param error [borrowed] an error; may be NULL.
/// @return UTF-8, NUL-terminated, never NULL; empty for NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_error_message(error: *const kvl_error_t) -> *const c_char {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(c"".as_ptr(), || caller.borrow(error).map_or(c"", |error| error.message()).as_ptr())
}

/// Returns the object of an error, for as long as a reference to the error is held.
///
/// @param error [borrowed] an error; may be NULL.
/// @return the object; NULL if it has none, and for NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_error_object(error: *const kvl_error_t) -> *mut c_void {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(null_mut(), || {
        let object = caller.borrow(error).ok().and_then(|error| error.object());
        object.map_or(null_mut(), Object::pointer)
    })
}

/// Says whether trying again is pointless.
///
/// @param error [borrowed] an error; may be NULL.
/// @return 1 if it was made with KVL_ERROR_F_PERMANENT, else 0.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_error_is_permanent(error: *const kvl_error_t) -> u32 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.borrow(error).map_or(0, |error| u32::from(error.is_permanent())))
}

/// Says how long a retry policy is to wait at least before it tries again what fails with this error, as HTTP's Retry-After does. The pause is
/// the longer of both, this one and the policy's, and `retry.budget_ms` still bounds all attempts: what could begin only after it is not
/// tried again. No pause is kept for keys that nobody retries.
///
/// @param error     [borrowed] from kvl_error_new() or kvl_error_new_object(), and given to nobody yet.
/// @param pause_ms  milliseconds, 0 or above.
/// @return KVL_OK; KVL_ERR_ALREADY_USED (there are more references to it), KVL_ERR_INVALID_ARG (below 0), KVL_ERR_NULL_POINTER, KVL_ERR_PANIC.
/// @threads one
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_error_set_retry_after(error: *mut kvl_error_t, pause_ms: i64) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let pause = u64::try_from(pause_ms).map_err(|_| Status::ERR_INVALID_ARG)?;
        // The caller's own reference: taken for the moment, and given back in any case.
        let mut error = ManuallyDrop::new(caller.take(error)?);
        if error.set_pause(Duration::from_millis(pause)) { Ok(Status::OK) } else { Err(Status::ERR_ALREADY_USED) }
    })
}

/// Returns how long the provider asked to wait before the next attempt.
///
/// @param error [borrowed] an error; may be NULL.
/// @return milliseconds; -1 if it did not say, and for NULL.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_error_retry_after_ms(error: *const kvl_error_t) -> i64 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(-1, || {
        let pause = caller.borrow(error).ok().and_then(|error| error.pause());
        pause.map_or(-1, |pause| i64::try_from(pause.as_millis()).unwrap_or(i64::MAX))
    })
}

/// Returns the reason behind an error of the library's own: what the last attempt had failed with when time ran out, the fetch was cancelled,
/// the engine closed, the queue was full or the provider was left alone. It is the provider's own error, if any attempt brought one.
///
/// @param error [borrowed] an error; may be NULL.
/// @return the cause, borrowed for as long as a reference to `error` is held: retain it to keep it longer. It has no cause itself. NULL if
///         no attempt had failed, for errors of the provider's, and for NULL.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_error_cause(error: *const kvl_error_t) -> *mut kvl_error_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(null_mut(), || {
        let cause = caller.borrow(error).ok().and_then(|error| error.cause());
        cause.map_or(null_mut(), |cause| cause.as_raw().cast_mut().cast())
    })
}

/// Adds a reference to an error.
///
/// @param error [retained] an error; nothing is done to NULL.
/// @return `error`: release it once more.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_error_retain(error: *mut kvl_error_t) -> *mut kvl_error_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(error, || caller.retain(error))
}

/// Gives a reference up; with the last one the error ends, and its object's destructor runs on this thread.
///
/// @param error [owned] an error; nothing is done to NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_error_release(error: *mut kvl_error_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || caller.end(error));
}

impl Caller {
    /// A provider's error from the arguments that describe one.
    pub(crate) fn error_of(
        &self,
        code: i64,
        message: *const c_char,
        message_len: usize,
        flags: u32,
        object: Option<Object>,
    ) -> Result<Error, Status> {
        if flags & !(KVL_ERROR_F_PERMANENT | KVL_ERROR_F_NO_STALE) != 0 {
            return Err(Status::ERR_INVALID_ARG);
        }
        let message = self.items(message.cast::<u8>(), message_len)?;
        let error = Error::of_provider(code, message, flags & KVL_ERROR_F_PERMANENT != 0, object);
        Ok(if flags & KVL_ERROR_F_NO_STALE != 0 { error.forbidding_stale() } else { error })
    }
}
