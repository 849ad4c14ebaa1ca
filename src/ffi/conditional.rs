//! Conditional loads (rule R06): the provider reads what the store has for a key, and answers that this has not changed.

use super::constants::kvl_status_t;
use super::guard::{Caller, guard};
use super::request::checked;
use super::types::{kvl_request_t, kvl_slice_t, kvl_terms_t, kvl_value_t};
use super::value::start_of;
use super::view::signed;
use crate::base::{Answer, Labels, Status};

/// Returns what the store has for one key of the request, fresh or expired. A provider can then ask its source whether the record has
/// changed since, and answer kvl_request_not_modified() if it has not.
///
/// Later calls for the same key return what the first call returned, even if the entry is replaced or removed meanwhile.
///
/// @param request      [borrowed] from the provider's call or kvl_request_retain().
/// @param i            the key's index.
/// @param out_value    [out, owned] set on KVL_VALUE: release it; NULL otherwise. May be NULL.
/// @param out_age_ms   [out] milliseconds since the entry was loaded, put, or found in the second tier; written on KVL_VALUE and KVL_NULL.
///                     May be NULL.
/// @param out_version  [out, borrowed with the request] `version` of the terms on which the entry was stored; `len` is 0 if they had none.
///                     Written on KVL_VALUE and KVL_NULL. May be NULL.
/// @return KVL_VALUE, KVL_NULL, KVL_MISS (the store has nothing for the key); KVL_ERR_OUT_OF_RANGE, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
///         KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_stale(
    request: *mut kvl_request_t,
    i: usize,
    out_value: *mut *mut kvl_value_t,
    out_age_ms: *mut i64,
    out_version: *mut kvl_slice_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let out = caller.maybe_out(out_value);
        let ticket = caller.kept_request(request)?;
        let Some(known) = ticket.known(i)? else { return Ok(Status::MISS) };
        if let Ok(place) = caller.place(out_age_ms) {
            place.write(signed(known.age_ms));
        }
        if let Ok(place) = caller.place(out_version) {
            let version = known.labels.as_ref().map_or(&[][..], Labels::version);
            place.write(kvl_slice_t { data: start_of(version), len: version.len() });
        }
        Ok(match (&known.answer, out) {
            (Answer::Null, _) => Status::NULL,
            (Answer::Value(_), None) => Status::VALUE,
            (answer @ Answer::Value(_), Some(out)) => out.give(answer.clone(), Status::VALUE),
        })
    })
}

/// Answers one key with what kvl_request_stale() returns, because the record has not changed. The entry is renewed: its TTL, its grace
/// period and its priority begin again, as if the value had just been stored, and the removal listener is not called. It keeps its cost,
/// whatever the terms state.
///
/// It keeps its version and its tags too, unless the terms state others: then the value is stored like any other answer, with the cost that
/// the terms state. If the entry has left the store meanwhile, the value is stored again.
///
/// @param request        [borrowed] from the provider's call or kvl_request_retain().
/// @param i              the key's index.
/// @param terms_or_null  [borrowed] the terms on which the answer is stored (with a TTL of 0 it is not stored); NULL: those of the fetch
///                       and the configuration.
/// @return KVL_OK, KVL_LATE (the attempt had ended; the answer is stored unless something newer was stored), KVL_MISS (the store had
///         nothing for the key, which is not answered); KVL_ERR_BAD_VALUE (an invalid term), KVL_ERR_INVALID_ARG (`terms_or_null` is not
///         aligned), KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_request_not_modified(
    request: *mut kvl_request_t,
    i: usize,
    terms_or_null: *const kvl_terms_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let ticket = caller.kept_request(request)?;
        checked(ticket.not_modified(i, caller.terms(terms_or_null)?)?)
    })
}
