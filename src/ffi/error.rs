//! Errors across the ABI. A handle is the pointer of an error of `base`.

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

/// In the flags of an error: a key that fails with it is not retried, whatever the retry policy is.
pub const KVL_ERROR_F_PERMANENT: u32 = 1;
/// In the flags of an error: there is no fallback. The expired entry (`stale.ttl_ms`) is not served instead of the error, and is removed.
pub const KVL_ERROR_F_NO_STALE: u32 = 2;

/// Creates an error for a provider to fail with. Its status is KVL_ERR_PROVIDER.
///
/// @param code         a number that the program chooses.
/// @param message      [copied] `message_len` bytes of UTF-8 (invalid parts are replaced; a NUL ends it); may be NULL if `message_len` is
///                     0.
/// @param message_len  the message's length in bytes.
/// @param flags        0, or KVL_ERROR_F_* combined by `|`.
/// @param out_error    [out, owned] the error: release it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (unknown flags, a length larger than any memory), KVL_ERR_NO_MEMORY,
///         KVL_ERR_PANIC.
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

/// Creates an error that carries an object of the program, for example an exception, to all waiting callers.
///
/// @param code           a number that the program chooses.
/// @param message        [copied] `message_len` bytes of UTF-8 (invalid parts are replaced; a NUL ends it); may be NULL if `message_len` is
///                       0.
/// @param message_len    the message's length in bytes.
/// @param flags          0, or KVL_ERROR_F_* combined by `|`.
/// @param queue_or_null  [retained] the queue whose kvl_queue_poll() or kvl_queue_next() frees the object; NULL: the thread that drops the
///                       last reference frees it.
/// @param object         [owned by the error] any pointer but NULL; the library never dereferences it.
/// @param object_free    [retained] runs once with `object` when the last reference is dropped, or before this returns if the call fails;
///                       may be NULL (with a queue, KVL_EVENT_DROP then reports the drop). It does not run for a NULL object.
/// @param out_error      [out, owned] the error: release it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (unknown flags, a length larger than any memory), KVL_ERR_NO_MEMORY,
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
            object = object.bound_to(queue);
        }
        let error = caller.error_of(code, message, message_len, flags, Some(object))?;
        Ok(out.give(error, Status::OK))
    })
}

/// Returns the status of an error.
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

/// Returns the program's code of an error.
///
/// @param error [borrowed] an error; may be NULL.
/// @return the code; 0 for errors of the library and for NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_error_code(error: *const kvl_error_t) -> i64 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.borrow(error).map_or(0, |error| error.code()))
}

/// Returns the message of an error.
///
/// @param error [borrowed] an error; may be NULL.
/// @return UTF-8, NUL-terminated, never NULL, borrowed for as long as a reference to the error is held; empty for NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_error_message(error: *const kvl_error_t) -> *const c_char {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(c"".as_ptr(), || caller.borrow(error).map_or(c"", |error| error.message()).as_ptr())
}

/// Returns the object of an error.
///
/// @param error [borrowed] an error; may be NULL.
/// @return the object, borrowed for as long as a reference to the error is held; NULL if it has none, and for NULL.
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

/// Returns whether an error is permanent, so that it is not retried.
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

/// Sets the shortest pause before a retry policy retries a key that failed with this error, like HTTP's Retry-After. If the policy's own
/// pause is longer, that one applies. `retry.budget_ms` still limits all attempts: an attempt that could begin only after the end of the
/// budget is not made. Keys that are not retried are not delayed.
///
/// @param error     [borrowed] from kvl_error_new() or kvl_error_new_object(), and not passed to any other function yet.
/// @param pause_ms  milliseconds, 0 or above.
/// @return KVL_OK; KVL_ERR_ALREADY_USED (the error has several references), KVL_ERR_INVALID_ARG (below 0), KVL_ERR_NULL_POINTER,
///         KVL_ERR_PANIC.
/// @threads one
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_error_set_retry_after(error: *mut kvl_error_t, pause_ms: i64) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let pause = u64::try_from(pause_ms).map_err(|_| Status::ERR_INVALID_ARG)?;
        // Borrows the caller's own reference, and never drops it.
        let mut error = ManuallyDrop::new(caller.take(error)?);
        if error.set_pause(Duration::from_millis(pause)) { Ok(Status::OK) } else { Err(Status::ERR_ALREADY_USED) }
    })
}

/// Returns the pause that the provider requested before the next attempt.
///
/// @param error [borrowed] an error; may be NULL.
/// @return milliseconds; -1 if the provider requested none, and for NULL.
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

/// Returns the cause of an error of the library: the error of the last attempt before the fetch timed out or was cancelled, the engine
/// closed, the queue was full or the circuit breaker was open. If any attempt failed with an error of the provider, the cause is such an
/// error.
///
/// @param error [borrowed] an error; may be NULL.
/// @return the cause, borrowed for as long as a reference to `error` is held: retain it to keep it longer. A cause has no cause of its own.
///         NULL if no attempt had failed, for errors of the provider, and for NULL.
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
/// @param error [retained] an error; NULL is ignored.
/// @return `error`: release it once more.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_error_retain(error: *mut kvl_error_t) -> *mut kvl_error_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(error, || caller.retain(error))
}

/// Releases a reference. Releasing the last one ends the error, whose object's destructor then runs on this thread.
///
/// @param error [owned] an error; NULL is ignored.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_error_release(error: *mut kvl_error_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || caller.end(error));
}

impl Caller {
    /// Creates a provider's error from C arguments.
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
        let error = Error::try_of_provider(code, message, flags & KVL_ERROR_F_PERMANENT != 0, object).map_err(|_| Status::ERR_NO_MEMORY)?;
        Ok(if flags & KVL_ERROR_F_NO_STALE != 0 { error.forbidding_stale() } else { error })
    }
}
