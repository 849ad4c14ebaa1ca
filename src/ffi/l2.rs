//! A second tier across the ABI: setting it, and serving its requests.

use super::constants::{
    KVL_FOREVER, KVL_L2_F_CONDITIONAL, KVL_L2_F_LEASES, KVL_L2_F_OBJECTS, KVL_L2_TTL_UNKNOWN, KVL_TTL_NEVER, kvl_status_t,
};
use super::guard::{Caller, guard, guard_or, outside};
use super::handle::{Handle, HasGeneration};
use super::notify::Notify;
use super::request::checked;
use super::types::{kvl_config_t, kvl_free_fn, kvl_l2_fn, kvl_l2_request_t, kvl_slice_t, kvl_tasks_t, kvl_value_t};
use crate::base::process::Generation;
use crate::base::sync::OnceLock;
use crate::base::{Answer, Status};
use crate::engine::second_tier::{TierTicket, TtlLeft};
use crate::task::second_tier::TierAbilities;
use std::ffi::c_void;
use std::ptr::null;
use std::sync::Arc;
use std::time::Duration;

/// The target of a handle of a request: the ticket, and the keys in C's form, created on first use.
pub(crate) struct L2RequestHandle {
    ticket: TierTicket,
    slices: OnceLock<KeySlices>,
}

struct KeySlices(Vec<kvl_slice_t>);

// SAFETY: the pointers point into the ticket's keys, which do not change and are freed with the handle.
unsafe impl Send for KeySlices {}
// SAFETY: as above.
unsafe impl Sync for KeySlices {}

impl L2RequestHandle {
    pub(crate) fn new(ticket: TierTicket) -> Arc<L2RequestHandle> {
        Arc::new(L2RequestHandle { ticket, slices: OnceLock::new() })
    }

    fn slices(&self) -> &[kvl_slice_t] {
        let slice = |key: &[u8]| kvl_slice_t { data: super::value::start_of(key), len: key.len() };
        &self.slices.get_or_init(|| KeySlices(self.ticket.keys().iter().map(slice).collect())).0
    }
}

impl HasGeneration for L2RequestHandle {
    fn generation(&self) -> Generation {
        self.ticket.generation()
    }
}

impl Handle for kvl_l2_request_t {
    type Owner = Arc<L2RequestHandle>;
}

impl Caller {
    /// Returns a reference that keeps a request during a call that may run host code, which may release the last handle (rule L04a).
    fn kept_l2(&self, request: *mut kvl_l2_request_t) -> Result<Arc<L2RequestHandle>, Status> {
        self.share(request.cast_const())
    }
}

/// Sets a second tier: a store that is asked for a key before the provider is, and that receives what was loaded and written.
/// Several processes may share it. It may be anything: a cache server, a database, a file.
///
/// Keys that the cache lacks are first looked up in the second tier, many at a time (KVL_L2_READ). A hit is an answer like the provider's,
/// with KVL_SOURCE_L2, and is stored for what is left of its TTL. After a miss, a failure, or `l2.timeout_ms`, the provider is asked; a
/// failure of the second tier is never a result. What the provider then answers is stored in the second tier (KVL_L2_FILL), after the
/// callers have received it. A fill that fails is not repeated.
///
/// What the program writes through this engine's cache is passed on, in order, one request at a time, and sent again if it fails: puts
/// (KVL_L2_WRITE); kvl_cache_remove(), kvl_cache_take() and kvl_cache_expire() (KVL_L2_REMOVE); kvl_cache_clear() and kvl_cache_expire_all()
/// (KVL_L2_CLEAR). Until it is passed on, its keys are not looked up. Not passed on: entries that are evicted or reach the end of their TTL,
/// kvl_cache_pop(), kvl_cache_trim(), kvl_cache_trim_to(), kvl_cache_resize(), touches, and kvl_tasks_invalidate(). Entries with tags stay in
/// the process, so kvl_cache_remove_tag() and kvl_cache_expire_tag() are not passed on either; and so do objects without KVL_L2_F_OBJECTS.
/// The settings `l2.*` are the limits.
///
/// The second tier must keep no entry for longer than the TTL that kvl_l2_request_entry() states. An entry does not contain the time at which
/// it was written: one that is kept longer is found after its end, and stored for its whole TTL again, so that it never expires.
///
/// A request that writes has failed once it takes longer than `l2.write_timeout_ms`. If it is still in its queue then, it is not handed out
/// any more. Otherwise it may still write, so those of its keys that the program has put or removed are not looked up until the request is
/// finished, and are then removed from the second tier. While `l2.max_requests` such requests are unfinished, nothing is written.
///
/// What a fill may overwrite depends on `abilities`. With KVL_L2_F_CONDITIONAL and KVL_L2_F_LEASES no older load overwrites a newer write,
/// in whichever process. Without KVL_L2_F_CONDITIONAL an older load may overwrite a newer write, and its value then stays until its TTL
/// ends.
///
/// @param config          [borrowed] from kvl_config_new().
/// @param abilities       KVL_L2_F_*, or 0.
/// @param function        [retained] serves requests, on a thread of the library, under no lock; several at a time. NULL: requests are
///                        KVL_EVENT_L2 events of a queue (KVL_QUEUE_F_L2), with `user_data`.
/// @param user_data       [retained] passed to `function` as its first argument; may be NULL.
/// @param user_data_free  [retained] runs once with `user_data`: when neither the configuration nor anything created from it has the
///                        function any more, or before this returns if the call fails; may be NULL.
/// @return KVL_OK; KVL_ERR_INVALID_ARG (unknown `abilities`), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_config_set_l2(
    config: *mut kvl_config_t,
    abilities: u32,
    function: kvl_l2_fn,
    user_data: *mut c_void,
    user_data_free: kvl_free_fn,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let notify = Notify::new(function, user_data, user_data_free);
        if abilities & !(KVL_L2_F_CONDITIONAL | KVL_L2_F_LEASES | KVL_L2_F_OBJECTS) != 0 {
            return Err(Status::ERR_INVALID_ARG);
        }
        let has = |ability: u32| abilities & ability != 0;
        let abilities = TierAbilities {
            is_conditional: has(KVL_L2_F_CONDITIONAL),
            grants_leases: has(KVL_L2_F_LEASES),
            takes_objects: has(KVL_L2_F_OBJECTS),
        };
        caller.replace(config, |parts| &mut parts.second_tier, Some(Arc::new((notify, abilities))))
    })
}

/// Returns what a request asks for.
///
/// @param request  [borrowed] from the second tier's call or kvl_l2_request_retain().
/// @return KVL_L2_READ, KVL_L2_FILL, KVL_L2_WRITE, KVL_L2_REMOVE or KVL_L2_CLEAR; 0 for NULL and in the child of a fork.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_l2_request_kind(request: *const kvl_l2_request_t) -> u32 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.borrow(request).map_or(0, |request| request.ticket.kind() as u32))
}

/// Returns the number of keys of a request.
///
/// @param request  [borrowed] from the second tier's call or kvl_l2_request_retain().
/// @return at most `l2.batch_keys`; 0 for KVL_L2_CLEAR, for NULL and in the child of a fork.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_l2_request_len(request: *const kvl_l2_request_t) -> usize {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.borrow(request).map_or(0, |request| request.ticket.keys().len()))
}

/// Returns the keys of a request, each once.
///
/// @param request  [borrowed] from the second tier's call or kvl_l2_request_retain().
/// @return [borrowed with the request] kvl_l2_request_len() slices; NULL for NULL and in the child of a fork.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_l2_request_keys(request: *const kvl_l2_request_t) -> *const kvl_slice_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(null(), || caller.borrow(request).map_or(null(), |request| request.slices().as_ptr()))
}

/// Returns the entry that KVL_L2_WRITE or KVL_L2_FILL is to store under a key.
///
/// @param request        [borrowed] from the second tier's call or kvl_l2_request_retain().
/// @param i              the key's index, below kvl_l2_request_len().
/// @param out_data       [out, borrowed with the request] the entry: store these bytes as they are, and return them by
///                       kvl_l2_request_hit().
/// @param out_len        [out] the number of bytes.
/// @param out_ttl_ms     [out] the TTL of the entry from now on in milliseconds, or KVL_TTL_NEVER: keep the entry for no longer.
/// @param out_token      [out, borrowed with the request] for KVL_L2_FILL: the token that was given when the key was read; never NULL.
/// @param out_token_len  [out] the length of the token in bytes; 0 for KVL_L2_WRITE.
/// @return KVL_OK; KVL_ERR_WRONG_KIND (another kind of request; an object without kvl_l2_request_set_payload()), KVL_ERR_OUT_OF_RANGE,
///         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_l2_request_entry(
    request: *const kvl_l2_request_t,
    i: usize,
    out_data: *mut *const u8,
    out_len: *mut usize,
    out_ttl_ms: *mut i64,
    out_token: *mut *const u8,
    out_token_len: *mut usize,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let (data, len, ttl_ms) = (caller.place(out_data)?, caller.place(out_len)?, caller.place(out_ttl_ms)?);
        let (token, token_len) = (caller.place(out_token)?, caller.place(out_token_len)?);
        let entry = caller.borrow(request)?.ticket.entry(i)?;
        data.write(entry.data.as_ptr());
        len.write(entry.data.len());
        ttl_ms.write(entry.ttl_ms.map_or(KVL_TTL_NEVER, |ttl| i64::try_from(ttl).unwrap_or(i64::MAX)));
        token.write(super::value::start_of(entry.token));
        token_len.write(entry.token.len());
        Ok(Status::OK)
    })
}

/// Returns the value that KVL_L2_WRITE or KVL_L2_FILL is to store under a key, so that an object can be converted to bytes.
///
/// @param request    [borrowed] from the second tier's call or kvl_l2_request_retain().
/// @param i          the key's index, below kvl_l2_request_len().
/// @param out_value  [out, owned] the value: release it; NULL if the key is known to be absent.
/// @return KVL_VALUE, KVL_NULL; KVL_ERR_WRONG_KIND (another kind of request), KVL_ERR_OUT_OF_RANGE, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
///         KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_l2_request_value(
    request: *const kvl_l2_request_t,
    i: usize,
    out_value: *mut *mut kvl_value_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let out = caller.out(out_value)?;
        Ok(match caller.borrow(request)?.ticket.value(i)? {
            Answer::Null => Status::NULL,
            answer @ Answer::Value(_) => out.give(answer.clone(), Status::VALUE),
        })
    })
}

/// States the bytes that stand for an object in its entry. After that, kvl_l2_request_entry() returns the entry. For an object that cannot
/// be converted to bytes, call kvl_l2_request_refused() instead.
///
/// @param request  [borrowed] from the second tier's call or kvl_l2_request_retain().
/// @param i        the key's index, below kvl_l2_request_len().
/// @param data     [copied] `len` bytes, in a format of the program's; may be NULL if `len` is 0.
/// @param len      the number of bytes.
/// @return KVL_OK; KVL_ERR_WRONG_KIND (no object), KVL_ERR_ALREADY_ANSWERED (bytes were stated before), KVL_ERR_OUT_OF_RANGE,
///         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_l2_request_set_payload(request: *mut kvl_l2_request_t, i: usize, data: *const u8, len: usize) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let request = caller.kept_l2(request)?;
        request.ticket.set_payload(i, caller.items(data, len)?)?;
        Ok(Status::OK)
    })
}

/// Reads an entry that the second tier has for a key. If it is the entry of an object, create the object from its bytes, and answer with
/// kvl_l2_request_hit_object(); otherwise answer with kvl_l2_request_hit().
///
/// @param request   [borrowed] from the second tier's call or kvl_l2_request_retain().
/// @param i         the key's index, below kvl_l2_request_len().
/// @param data      [borrowed] the entry; may be NULL if `len` is 0.
/// @param len       the number of bytes.
/// @param out_data  [out, borrowed from `data`] the bytes that stand for the object, or those of the value; NULL on KVL_NULL and KVL_MISS.
/// @param out_len   [out] the number of these bytes.
/// @return KVL_OK (an object), KVL_VALUE (bytes), KVL_NULL (the key is known to be absent), KVL_MISS (no entry of this key);
///         KVL_ERR_OUT_OF_RANGE, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_l2_request_payload(
    request: *const kvl_l2_request_t,
    i: usize,
    data: *const u8,
    len: usize,
    out_data: *mut *const u8,
    out_len: *mut usize,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let (out, out_len) = (caller.place(out_data)?, caller.place(out_len)?);
        let entry = caller.borrow(request)?.ticket.decode(i, caller.items(data, len)?)?;
        let payload = entry.and_then(|entry| entry.value);
        out.write(payload.map_or(null(), super::value::start_of));
        out_len.write(payload.map_or(0, <[u8]>::len));
        Ok(match entry {
            None => Status::MISS,
            Some(entry) if entry.value.is_none() => Status::NULL,
            Some(entry) if entry.is_object => Status::OK,
            Some(_) => Status::VALUE,
        })
    })
}

/// Answers a key of KVL_L2_READ: the second tier has this entry of an object. An entry that is not of an object counts as a miss. In all
/// other respects this is like kvl_l2_request_hit().
///
/// @param request      [borrowed] from the second tier's call or kvl_l2_request_retain().
/// @param i            the key's index, below kvl_l2_request_len().
/// @param data         [borrowed] the entry as kvl_l2_request_entry() gave it.
/// @param len          the number of bytes.
/// @param ttl_left_ms  as in kvl_l2_request_hit().
/// @param token        [copied] as in kvl_l2_request_hit().
/// @param token_len    the token's length in bytes.
/// @param value        [retained] the object, which the program created from the bytes of kvl_l2_request_payload().
/// @return as kvl_l2_request_hit().
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_l2_request_hit_object(
    request: *mut kvl_l2_request_t,
    i: usize,
    data: *const u8,
    len: usize,
    ttl_left_ms: i64,
    token: *const u8,
    token_len: usize,
    value: *mut kvl_value_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let request = caller.kept_l2(request)?;
        let (data, token) = (caller.items(data, len)?, caller.items(token, token_len)?);
        let Answer::Value(value) = caller.share(value.cast_const())? else { return Err(Status::ERR_WRONG_KIND) };
        checked(request.ticket.hit_object(i, data, ttl_left(ttl_left_ms)?, token, value)?)
    })
}

/// Answers a key of KVL_L2_READ: the second tier has this entry. If the bytes are not exactly an entry that was written for this key, or
/// nothing is left of its TTL, this counts as a miss.
///
/// @param request      [borrowed] from the second tier's call or kvl_l2_request_retain().
/// @param i            the key's index, below kvl_l2_request_len().
/// @param data         [copied] the entry as kvl_l2_request_entry() gave it; may be NULL if `len` is 0.
/// @param len          the number of bytes.
/// @param ttl_left_ms  how much of the entry's TTL is left, in milliseconds. KVL_TTL_NEVER: the entry was written without a TTL.
///                     KVL_L2_TTL_UNKNOWN: the second tier ends entries in time, but does not know what is left. For an entry that was written
///                     with a TTL, with either of the two, the whole TTL is taken to be left: it lives for up to twice as long or, if the
///                     second tier keeps it for longer than that TTL, for ever.
/// @param token        [copied] stands for the entry as it is now, so that a fill with this token may replace it; may be NULL if
///                     `token_len` is 0.
/// @param token_len    the token's length in bytes; 0: with KVL_L2_F_CONDITIONAL, no fill may replace the entry.
/// @return KVL_OK, KVL_LATE (it took longer than `l2.timeout_ms`); KVL_ERR_ALREADY_ANSWERED, KVL_ERR_WRONG_KIND, KVL_ERR_OUT_OF_RANGE,
///         KVL_ERR_INVALID_ARG (`ttl_left_ms`), KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_l2_request_hit(
    request: *mut kvl_l2_request_t,
    i: usize,
    data: *const u8,
    len: usize,
    ttl_left_ms: i64,
    token: *const u8,
    token_len: usize,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let request = caller.kept_l2(request)?;
        let (data, token) = (caller.items(data, len)?, caller.items(token, token_len)?);
        checked(request.ticket.hit(i, data, ttl_left(ttl_left_ms)?, token)?)
    })
}

fn ttl_left(ms: i64) -> Result<TtlLeft, Status> {
    match ms {
        KVL_TTL_NEVER => Ok(TtlLeft::Never),
        KVL_L2_TTL_UNKNOWN => Ok(TtlLeft::Unknown),
        left => u64::try_from(left).map(TtlLeft::Millis).map_err(|_| Status::ERR_INVALID_ARG),
    }
}

/// Answers a key of KVL_L2_READ: the second tier has nothing.
///
/// @param request    [borrowed] from the second tier's call or kvl_l2_request_retain().
/// @param i          the key's index, below kvl_l2_request_len().
/// @param token      [copied] with KVL_L2_F_LEASES: the lease that was granted; may be NULL if `token_len` is 0.
/// @param token_len  the token's length in bytes; 0: with KVL_L2_F_LEASES, no lease was granted, and the answer of the load is not stored
///                   in the second tier.
/// @return as kvl_l2_request_hit(); KVL_LATE also if the lease will not be used, and may be given back: the key was written since the
///         lookup began, or nobody waits for it any more.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_l2_request_miss(request: *mut kvl_l2_request_t, i: usize, token: *const u8, token_len: usize) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let request = caller.kept_l2(request)?;
        checked(request.ticket.miss(i, caller.items(token, token_len)?)?)
    })
}

/// Answers a key of KVL_L2_READ: the second tier has nothing, and has granted the lease of the key to another process, which loads the key.
/// With `l2.single_flight` the key is looked up again, with pauses of 5 to 50 ms, until there is an answer, for `l2.wait_ms` at most.
/// Without `l2.single_flight` this counts as a miss without a lease.
///
/// @param request  [borrowed] from the second tier's call or kvl_l2_request_retain().
/// @param i        the key's index, below kvl_l2_request_len().
/// @return as kvl_l2_request_hit().
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_l2_request_leased(request: *mut kvl_l2_request_t, i: usize) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| checked(caller.kept_l2(request)?.ticket.leased(i)?))
}

/// Returns whether KVL_L2_READ may take the lease of a key over: the key has waited for `l2.wait_ms` for the process that has the lease,
/// which may have ended. If the second tier can do that, it grants a new lease in place of the old one (kvl_l2_request_miss()). If it
/// answers with kvl_l2_request_leased() again, the key is loaded, and the answer is not stored in the second tier.
///
/// @param request  [borrowed] from the second tier's call or kvl_l2_request_retain().
/// @param i        the key's index, below kvl_l2_request_len().
/// @return 1 if it may, else 0; 0 also for other kinds of request, for NULL and in the child of a fork.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_l2_request_steals(request: *const kvl_l2_request_t, i: usize) -> u32 {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.borrow(request).map_or(0, |request| u32::from(request.ticket.is_steal(i))))
}

/// Reports that a key was not stored. In KVL_L2_FILL, the token of the fill is not the key's token any more. In KVL_L2_WRITE, the second
/// tier cannot store its value; the key is then removed from the second tier instead. Neither counts as a failure.
///
/// @param request  [borrowed] from the second tier's call or kvl_l2_request_retain().
/// @param i        the key's index, below kvl_l2_request_len().
/// @return KVL_OK, KVL_LATE (it took longer than `l2.write_timeout_ms`); KVL_ERR_ALREADY_ANSWERED (the request is finished),
///         KVL_ERR_WRONG_KIND, KVL_ERR_OUT_OF_RANGE, KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_l2_request_refused(request: *mut kvl_l2_request_t, i: usize) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| checked(caller.kept_l2(request)?.ticket.refused(i)?))
}

/// Reports that the second tier has failed for a key. In KVL_L2_READ this counts as a miss. In KVL_L2_FILL, the entry is not stored. In the
/// other kinds of request, the key is sent again. After `l2.break_after` requests in a row that failed, the second tier is not used for a
/// while.
///
/// @param request  [borrowed] from the second tier's call or kvl_l2_request_retain().
/// @param i        the key's index, below kvl_l2_request_len(); 0 for KVL_L2_CLEAR.
/// @return KVL_OK, KVL_LATE; KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED, KVL_ERR_FORKED,
///         KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_l2_request_fail(request: *mut kvl_l2_request_t, i: usize) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| checked(caller.kept_l2(request)?.ticket.fail(i)?))
}

/// Finishes a request. If it writes, every key that was not reported as refused or failed counts as written. If it reads, every key without
/// an answer has failed.
///
/// Releasing the last reference to a request that is not finished finishes it, too; but if it writes, all of its keys have failed then.
///
/// @param request  [borrowed] from the second tier's call or kvl_l2_request_retain().
/// @return KVL_OK, KVL_LATE (the request took longer than `l2.write_timeout_ms`, so its writes have counted as failed);
///         KVL_ERR_ALREADY_ANSWERED, KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_l2_request_finish(request: *mut kvl_l2_request_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| checked(caller.kept_l2(request)?.ticket.finish()))
}

/// Retains a request, to serve it after the second tier's call, from any thread.
///
/// @param request  [retained] from the second tier's call; NULL is ignored.
/// @return `request`: release it once more.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_l2_request_retain(request: *mut kvl_l2_request_t) -> *mut kvl_l2_request_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(request, || caller.retain(request))
}

/// Releases a request.
///
/// @param request  [owned] from kvl_l2_request_retain(); NULL is ignored.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_l2_request_release(request: *mut kvl_l2_request_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || caller.end(request));
}

/// Waits until the second tier has everything that was put, removed or cleared before this call.
///
/// @param tasks       [borrowed] from kvl_tasks_new().
/// @param timeout_ms  how long to wait, in milliseconds; 0: do not wait; KVL_FOREVER: without limit.
/// @return KVL_OK; KVL_ERR_TIMEOUT, KVL_ERR_CLOSED (some writes were given up), KVL_ERR_UNSUPPORTED (requests for the second tier go to a
///         queue, which this thread may have to read), KVL_ERR_REENTRANT, KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
///         KVL_ERR_PANIC.
/// @threads outside
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_l2_sync(tasks: *mut kvl_tasks_t, timeout_ms: i64) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        outside()?;
        let core = caller.share(tasks.cast_const())?;
        let timeout = match timeout_ms {
            KVL_FOREVER => None,
            0.. => Some(Duration::from_millis(timeout_ms.unsigned_abs())),
            _ => return Err(Status::ERR_INVALID_ARG),
        };
        if !core.second_tier_at().may_be_waited_for() {
            return Err(Status::ERR_UNSUPPORTED);
        }
        if core.sync_second_tier(timeout)? { Ok(Status::OK) } else { Err(Status::ERR_TIMEOUT) }
    })
}
