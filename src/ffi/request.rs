//! Requests across the ABI. A handle is a ticket (`engine::request`): it stays valid as long as it is held, even after the engine and the
//! request have ended. Releasing the last reference finishes the request.

use super::constants::{KVL_FOREVER, kvl_status_t};
use super::guard::{Caller, guard, guard_or, unguarded};
use super::handle::{Handle, HasGeneration};
use super::notify::Notify;
use super::types::{kvl_cancel_fn, kvl_error_t, kvl_free_fn, kvl_request_t, kvl_slice_t, kvl_terms_t, kvl_value_t};
use super::value::object_in;
use super::view::signed;
use crate::base::process::Generation;
use crate::base::sync::OnceLock;
use crate::base::{Answer, Error, Status, StoreTerms, Value};
use crate::engine::request::{CancelHook, Ticket};
use crate::task::{Cancel, Unanswered};
use std::any::Any;
use std::ffi::{c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::{Arc, Weak};

/// The target of a request handle: the ticket, and the keys in C's form, created on first use.
pub(crate) struct RequestHandle {
    ticket: Ticket,
    slices: OnceLock<Slices>,
    me: Weak<RequestHandle>,
}

struct Slices(Vec<kvl_slice_t>);

// SAFETY: the pointers point into the ticket's keys, which do not change and are freed with the handle.
unsafe impl Send for Slices {}
// SAFETY: as above.
unsafe impl Sync for Slices {}

impl RequestHandle {
    pub(crate) fn new(ticket: Ticket) -> Arc<RequestHandle> {
        Arc::new_cyclic(|me| RequestHandle { ticket, slices: OnceLock::new(), me: me.clone() })
    }

    fn slices(&self) -> &[kvl_slice_t] {
        let slice = |key: &[u8]| kvl_slice_t { data: super::value::start_of(key), len: key.len() };
        &self.slices.get_or_init(|| Slices(self.ticket.keys().iter().map(slice).collect())).0
    }
}

impl HasGeneration for RequestHandle {
    fn generation(&self) -> Generation {
        self.ticket.generation()
    }
}

impl std::ops::Deref for RequestHandle {
    type Target = Ticket;
    fn deref(&self) -> &Ticket {
        &self.ticket
    }
}

impl Handle for kvl_request_t {
    type Owner = Arc<RequestHandle>;
}

impl Caller {
    /// Returns a reference that keeps a request during a call that may run host code (validator, cost function, destructors of user data),
    /// which may release the last handle (rule L04a).
    pub(super) fn kept_request(&self, request: *mut kvl_request_t) -> Result<Arc<RequestHandle>, Status> {
        self.share(request.cast_const())
    }
}

/// A cancel hook. It does not keep the request alive: a host that has released its last reference need not be notified.
pub(crate) struct OnCancel {
    pub(crate) notify: Notify<kvl_cancel_fn>,
    pub(crate) request: Weak<RequestHandle>,
}

// SAFETY: functions and user data of the host may be used on any thread, one at a time (section USER DATA of the header).
unsafe impl Send for OnCancel {}

impl CancelHook for OnCancel {
    fn cancelled(&self, why: Cancel) {
        let Some(request) = self.request.upgrade() else { return };
        let handle = Arc::as_ptr(&request).cast_mut().cast::<kvl_request_t>();
        // SAFETY: the host passed the function for this user data; the request stays valid until it returns.
        self.notify
            .call(|function, user_data| function.into_iter().for_each(|function| unsafe { function(user_data, handle, why as u32) }));
    }

    fn is_callable(&self) -> bool {
        self.notify.function().is_some()
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// An answer with a copy of the caller's bytes, to be stored under `key`.
pub(crate) fn bytes_under(caller: &Caller, key: &[u8], data: *const u8, len: usize) -> Result<Answer, Status> {
    if isize::try_from(len).is_err() {
        return Err(Status::ERR_NO_MEMORY);
    }
    Value::bytes_under(key, caller.items(data, len)?).map(Answer::Value).map_err(|_| Status::ERR_NO_MEMORY)
}

fn error_or(caller: &Caller, error: *mut kvl_error_t, status: Status) -> Result<Error, Status> {
    if error.is_null() { Ok(Error::of(status)) } else { caller.share(error.cast_const()) }
}

/// Turns a negative status into an error.
pub(super) fn checked(status: Status) -> Result<Status, Status> {
    if status.is_error() { Err(status) } else { Ok(status) }
}

/// Returns the number of keys of a request.
///
/// @param request  [borrowed] from the provider's call or kvl_request_retain().
/// @return the number; 0 for NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_len(request: *const kvl_request_t) -> usize {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    unguarded(|| caller.borrow(request).map_or(0, |request| request.keys().len()))
}

/// Returns one key.
///
/// @param request   [borrowed] from the provider's call or kvl_request_retain().
/// @param i         the key's index, below kvl_request_len().
/// @param out_data  [out, borrowed with the request] the key's bytes, never NULL.
/// @param out_len   [out] the key's length in bytes.
/// @return KVL_OK; KVL_ERR_OUT_OF_RANGE, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_key(
    request: *const kvl_request_t,
    i: usize,
    out_data: *mut *const u8,
    out_len: *mut usize,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let (data, len) = (caller.place(out_data)?, caller.place(out_len)?);
        let key = caller.borrow(request)?.keys().get(i).ok_or(Status::ERR_OUT_OF_RANGE)?;
        data.write(super::value::start_of(key));
        len.write(key.len());
        Ok(Status::OK)
    })
}

/// Returns all keys at once.
///
/// @param request  [borrowed] from the provider's call or kvl_request_retain().
/// @return [borrowed with the request] kvl_request_len() slices; NULL for NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_keys(request: *const kvl_request_t) -> *const kvl_slice_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(null(), || caller.borrow(request).map_or(null(), |request| request.slices().as_ptr()))
}

/// Returns the number of the attempt that loads a key: 1 for the first.
///
/// @param request  [borrowed] from the provider's call or kvl_request_retain().
/// @param i        the key's index.
/// @return the attempt's number; 0 if there is no such key.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_attempt(request: *const kvl_request_t, i: usize) -> u32 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.borrow(request).ok().and_then(|request| request.attempt(i)).unwrap_or(0))
}

/// Returns the context of the fetch that started a key's load: kvl_fetch_set_context().
///
/// @param request  [borrowed] from the provider's call or kvl_request_retain().
/// @param i        the key's index.
/// @return [borrowed with the request] the context; NULL if the fetch has none.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_context(request: *const kvl_request_t, i: usize) -> *mut c_void {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(null_mut(), || {
        let Ok(request) = caller.borrow(request) else { return null_mut() };
        request.context(i).map_or(null_mut(), |context| context.pointer())
    })
}

/// Returns the highest urgency that the keys had when the request was formed.
///
/// @param request  [borrowed] from the provider's call or kvl_request_retain().
/// @return the urgency; 0 for NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_urgency(request: *const kvl_request_t) -> i32 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.borrow(request).map_or(0, |request| request.urgency()))
}

/// Returns how much of `attempt_timeout_ms` the attempt has left.
///
/// @param request  [borrowed] from the provider's call or kvl_request_retain().
/// @return milliseconds, 0 when it has timed out; KVL_FOREVER if there is no timeout, or the request has ended.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_time_left_ms(request: *const kvl_request_t) -> i64 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(KVL_FOREVER, || {
        let left = caller.borrow(request).ok().and_then(|request| request.time_left());
        left.map_or(KVL_FOREVER, |left| signed(u64::try_from(left.as_millis()).unwrap_or(u64::MAX)))
    })
}

/// Returns the provider's user data, as set by kvl_config_set_provider().
///
/// @param request  [borrowed] from the provider's call or kvl_request_retain().
/// @return [borrowed] the user data.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_user_data(request: *const kvl_request_t) -> *mut c_void {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(null_mut(), || caller.borrow(request).map_or(null_mut(), |request| request.user_data()))
}

/// Returns whether the request is no longer wanted, and why.
///
/// If it is no longer wanted, a provider may stop and finish it, which states nothing about the keys: kvl_request_finish(). It may also go
/// on and answer keys: an answer is stored unless something newer was stored.
///
/// @param request  [borrowed] from the provider's call or kvl_request_retain().
/// @return KVL_CANCEL_NO if it is wanted, otherwise KVL_CANCEL_UNWANTED, KVL_CANCEL_TIMEOUT or KVL_CANCEL_CLOSED.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_is_cancelled(request: *const kvl_request_t) -> u32 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.borrow(request).map_or(0, |request| request.cancel_reason()))
}

/// Returns whether the answer for a key is still wanted: a fetch waits for it, a refresh requested it, or its load continues without
/// waiting fetches (`load.on_timeout`).
///
/// @param request  [borrowed] from the provider's call or kvl_request_retain().
/// @param i        the key's index.
/// @return 1 if it is wanted, else 0.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_is_wanted(request: *const kvl_request_t, i: usize) -> u32 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.borrow(request).is_ok_and(|request| request.is_wanted(i)).into())
}

/// Sets a function to be called when the request is no longer wanted. It can be set once, before the request is finished.
///
/// @param request         [borrowed] from the provider's call or kvl_request_retain().
/// @param function        [retained] called at most once, by the dispatcher or kvl_queue_poll(), never after kvl_request_finish() has
///                        returned.
/// @param user_data       [retained] passed to `function` as its first argument. It may hold a reference to the request.
/// @param user_data_free  [retained] frees `user_data` after `function`, at the finish, or before this returns if the call fails; may be
///                        NULL.
/// @return KVL_OK; KVL_ERR_CANCELLED (the request is no longer wanted: `function` will not be called), KVL_ERR_ALREADY_USED, KVL_ERR_CLOSED
///         (the request is finished), KVL_ERR_NO_CALLBACK, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_on_cancel(
    request: *mut kvl_request_t,
    function: kvl_cancel_fn,
    user_data: *mut c_void,
    user_data_free: kvl_free_fn,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let notify = Notify::new(function, user_data, user_data_free);
        let ticket = caller.kept_request(request)?;
        if ticket.core().provider_at().needs_function() && notify.function().is_none() {
            return Err(Status::ERR_NO_CALLBACK);
        }
        ticket.on_cancel(Box::new(OnCancel { notify, request: ticket.me.clone() })).map_err(|(status, _)| status)?;
        Ok(Status::OK)
    })
}

/// Reports that the provider is still working: restarts `attempt_timeout_ms`.
///
/// @param request  [borrowed] from the provider's call or kvl_request_retain().
/// @return KVL_OK, KVL_LATE (the attempt had timed out before); KVL_ERR_ALREADY_ANSWERED (finished), KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER,
///         KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_heartbeat(request: *mut kvl_request_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| checked(caller.borrow(request)?.heartbeat()))
}

/// Answers one key with a value, or with kvl_value_null() if the key is absent.
///
/// @param request        [borrowed] from the provider's call or kvl_request_retain().
/// @param i              the key's index.
/// @param value          [retained] the answer.
/// @param terms_or_null  [borrowed] the terms on which the answer is stored (with a TTL of 0 it is not stored); NULL: those of the fetch
///                       and the configuration.
/// @return KVL_OK, KVL_LATE (the attempt had ended; the answer is stored unless something newer was stored); KVL_ERR_BAD_VALUE (an invalid
///         term), KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_CLOSED,
///         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_resolve(
    request: *mut kvl_request_t,
    i: usize,
    value: *mut kvl_value_t,
    terms_or_null: *const kvl_terms_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let ticket = caller.kept_request(request)?;
        checked(ticket.resolve(i, caller.share(value.cast_const())?, caller.terms(terms_or_null)?))
    })
}

/// Answers one key with bytes.
///
/// @param request        [borrowed] from the provider's call or kvl_request_retain().
/// @param i              the key's index.
/// @param data           [copied] `len` bytes; may be NULL if `len` is 0.
/// @param len            the number of bytes.
/// @param terms_or_null  [borrowed] the terms on which the answer is stored (with a TTL of 0 it is not stored); NULL: those of the fetch
///                       and the configuration.
/// @return KVL_OK, KVL_LATE (the attempt had ended; the answer is stored unless something newer was stored); KVL_ERR_BAD_VALUE (an invalid
///         term), KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_CLOSED,
///         KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_resolve_bytes(
    request: *mut kvl_request_t,
    i: usize,
    data: *const u8,
    len: usize,
    terms_or_null: *const kvl_terms_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let ticket = caller.kept_request(request)?;
        let mut terms = StoreTerms::default();
        if !terms_or_null.is_null() {
            terms = caller.terms(terms_or_null)?;
        }
        checked(ticket.resolve_with(i, |key| bytes_under(&caller, key, data, len), &mut terms)?)
    })
}

/// Answers one key with an object of the program.
///
/// @param request        [borrowed] from the provider's call or kvl_request_retain().
/// @param i              the key's index.
/// @param object         [owned by the answer] any pointer but NULL.
/// @param cost           the object's cost, in bytes.
/// @param object_free    [retained] frees `object` when its last reference is dropped, which may be before this returns; may be NULL.
/// @param terms_or_null  [borrowed] the terms on which the answer is stored (with a TTL of 0 it is not stored); NULL: those of the fetch
///                       and the configuration.
/// @return KVL_OK, KVL_LATE (the attempt had ended; the answer is stored unless something newer was stored); KVL_ERR_BAD_VALUE (an invalid
///         term), KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_CLOSED,
///         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_resolve_object(
    request: *mut kvl_request_t,
    i: usize,
    object: *mut c_void,
    cost: u64,
    object_free: kvl_free_fn,
    terms_or_null: *const kvl_terms_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let object = object_in(object, object_free)?;
        let ticket = caller.kept_request(request)?;
        let object = match ticket.core().results_queue() {
            Some(queue) => object.bound_to(queue),
            None => object,
        };
        let value = Value::object(object, cost);
        checked(ticket.resolve(i, Answer::Value(value), caller.terms(terms_or_null)?))
    })
}

/// Fails one key.
///
/// @param request        [borrowed] from the provider's call or kvl_request_retain().
/// @param i              the key's index.
/// @param error_or_null  [retained] the error: every waiting fetch receives this very object; NULL for a plain KVL_ERR_PROVIDER.
/// @return KVL_OK, KVL_LATE; KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
///         KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_fail(request: *mut kvl_request_t, i: usize, error_or_null: *mut kvl_error_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| checked(caller.kept_request(request)?.fail(i, error_or(&caller, error_or_null, Status::ERR_PROVIDER)?)))
}

/// Fails one key with a message.
///
/// @param request  [borrowed] from the provider's call or kvl_request_retain().
/// @param i        the key's index.
/// @param code     a number that the program chooses.
/// @param message  [copied] UTF-8, NUL-terminated; may be NULL.
/// @param flags    0, or KVL_ERROR_F_* combined by `|`.
/// @return KVL_OK, KVL_LATE; KVL_ERR_INVALID_ARG (unknown flags), KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_CLOSED,
///         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_fail_text(
    request: *mut kvl_request_t,
    i: usize,
    code: i64,
    message: *const c_char,
    flags: u32,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let ticket = caller.kept_request(request)?;
        let message = if message.is_null() { "".into() } else { caller.text(message)? };
        let error = caller.error_of(code, message.as_ptr().cast(), message.len(), flags, None)?;
        checked(ticket.fail(i, error))
    })
}

/// Answers by key: one of the request's keys, or an extra key, whose answer is stored unless that key was written or loaded since the
/// request was handed out.
///
/// @param request        [borrowed] from the provider's call or kvl_request_retain().
/// @param key            [copied] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len        the key's length in bytes, at most KVL_KEY_MAX.
/// @param value          [retained] the answer, or kvl_value_null().
/// @param terms_or_null  [borrowed] the terms on which the answer is stored (with a TTL of 0 it is not stored); NULL: those of the fetch
///                       and the configuration.
/// @return KVL_OK, KVL_LATE (the attempt had ended, or the extra answer is outdated); KVL_INVALID_KEY (an extra key that the validator
///         refuses); KVL_ERR_BAD_VALUE (an invalid term), KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_ALREADY_ANSWERED,
///         KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_supply(
    request: *mut kvl_request_t,
    key: *const u8,
    key_len: usize,
    value: *mut kvl_value_t,
    terms_or_null: *const kvl_terms_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let ticket = caller.kept_request(request)?;
        let (key, terms) = (caller.key(key, key_len)?, caller.terms(terms_or_null)?);
        checked(ticket.supply(key, caller.share(value.cast_const())?, terms))
    })
}

/// Answers by key with bytes: creates a value and supplies it, as kvl_request_supply() does, in one call.
///
/// @param request        [borrowed] from the provider's call or kvl_request_retain().
/// @param key            [copied] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len        the key's length in bytes, at most KVL_KEY_MAX.
/// @param data           [copied] `len` bytes; may be NULL if `len` is 0.
/// @param len            the number of bytes.
/// @param terms_or_null  [borrowed] the terms on which the answer is stored (with a TTL of 0 it is not stored); NULL: those of the fetch
///                       and the configuration.
/// @return KVL_OK, KVL_LATE (the attempt had ended, or the extra answer is outdated); KVL_INVALID_KEY (an extra key that the validator
///         refuses); KVL_ERR_BAD_VALUE (an invalid term), KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_ALREADY_ANSWERED,
///         KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_supply_bytes(
    request: *mut kvl_request_t,
    key: *const u8,
    key_len: usize,
    data: *const u8,
    len: usize,
    terms_or_null: *const kvl_terms_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let ticket = caller.kept_request(request)?;
        let (key, terms) = (caller.key(key, key_len)?, caller.terms(terms_or_null)?);
        checked(ticket.supply(key, bytes_under(&caller, key, data, len)?, terms))
    })
}

/// Finishes a request: keys without an answer fail with KVL_ERR_UNANSWERED, or are null if `batch.omitted_is_null` is set.
///
/// Finishing, by any function, states something only about keys whose answer is still wanted, in an attempt that has not timed out. About
/// the keys of a request that is no longer wanted (kvl_request_is_cancelled()) it states nothing: none of them becomes null, and their
/// entries in the cache stay. To state that a key is absent in any case, answer it with kvl_value_null().
///
/// @param request  [borrowed] from the provider's call or kvl_request_retain(). If it was retained, it must still be released.
/// @return KVL_OK; KVL_ERR_ALREADY_ANSWERED (finished before), KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_finish(request: *mut kvl_request_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| checked(caller.kept_request(request)?.finish(Unanswered::Unanswered)))
}

/// Finishes a request: keys without an answer are null, as when a query found no row. Only wanted keys become null: kvl_request_finish().
///
/// @param request  [borrowed] from the provider's call or kvl_request_retain(). If it was retained, it must still be released.
/// @return KVL_OK; KVL_ERR_ALREADY_ANSWERED (finished before), KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_finish_nulls(request: *mut kvl_request_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| checked(caller.kept_request(request)?.finish(Unanswered::Null)))
}

/// Finishes a request: keys without an answer fail with one error.
///
/// @param request        [borrowed] from the provider's call or kvl_request_retain(). If it was retained, it must still be released.
/// @param error_or_null  [retained] the error; NULL for a plain KVL_ERR_PROVIDER.
/// @return KVL_OK; KVL_ERR_ALREADY_ANSWERED (finished before), KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_finish_error(request: *mut kvl_request_t, error_or_null: *mut kvl_error_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let ticket = caller.kept_request(request)?;
        checked(ticket.finish(Unanswered::Failed(error_or(&caller, error_or_null, Status::ERR_PROVIDER)?)))
    })
}

/// Adds a reference, to answer after the provider's call has returned, on any thread.
///
/// @param request  [borrowed] from the provider's call; may be NULL.
/// @return `request`: release it once more.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_retain(request: *mut kvl_request_t) -> *mut kvl_request_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(request, || caller.retain(request))
}

/// Releases a reference. If the request is not finished, releasing the last reference finishes it: kvl_request_finish().
///
/// @param request  [owned] from kvl_request_retain(); may be NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_release(request: *mut kvl_request_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || caller.end(request));
}
