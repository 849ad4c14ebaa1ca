//! The views passed to callbacks: a `kvl_result_t` filled from an outcome, a departure or a hit. All of its pointers are borrowed.

use super::constants::{KVL_F_LAST, KVL_F_STALE, KVL_SOURCE_NONE, KVL_SOURCE_STORE};
use super::types::{kvl_error_t, kvl_result_t, kvl_value_t};
use crate::base::{Answer, Value};
use crate::cache::{Departure, Hit};
use crate::engine::Core;
use crate::task::{Outcome, Verdict};
use std::ffi::c_void;
use std::ptr::{null, null_mut};

/// Converts milliseconds and indices to C's types, saturating.
pub(crate) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn empty(key: &[u8]) -> kvl_result_t {
    kvl_result_t {
        struct_size: size_of::<kvl_result_t>(),
        index: 0,
        key: super::value::start_of(key),
        key_len: key.len(),
        value: null_mut(),
        data: null(),
        data_len: 0,
        object: null_mut(),
        error: null_mut(),
        age_ms: 0,
        ttl_left_ms: 0,
        cost: 0,
        status: 0,
        source: KVL_SOURCE_NONE,
        attempts: 0,
        flags: 0,
    }
}

fn show_value(view: &mut kvl_result_t, value: &Value) {
    view.value = value.as_raw().as_ptr().cast::<kvl_value_t>();
    match value.as_bytes() {
        Some(bytes) => (view.data, view.data_len) = (super::value::start_of(bytes), bytes.len()),
        None => view.object = value.as_object().unwrap_or(null_mut::<c_void>()),
    }
}

/// The view of the result of one position.
#[inline(always)]
pub(crate) fn of_outcome(index: usize, key: &[u8], outcome: &Outcome, last: bool) -> kvl_result_t {
    let mut view = kvl_result_t {
        index,
        age_ms: signed(outcome.age_ms),
        ttl_left_ms: outcome.ttl_left_ms,
        cost: outcome.cost,
        status: outcome.status().0,
        source: outcome.source as u32,
        attempts: outcome.attempts,
        flags: if last { KVL_F_LAST } else { 0 },
        ..empty(key)
    };
    match &outcome.verdict {
        Verdict::Value(value) => show_value(&mut view, value),
        Verdict::Failed(error) => view.error = error.as_raw().cast_mut().cast::<kvl_error_t>(),
        Verdict::Stale(stale) => {
            view.flags |= KVL_F_STALE;
            stale.answer.value().into_iter().for_each(|value| show_value(&mut view, value));
            stale.failure.iter().for_each(|error| view.error = error.as_raw().cast_mut().cast::<kvl_error_t>());
        }
        Verdict::Null | Verdict::Miss | Verdict::InvalidKey => {}
    }
    view
}

fn status_of(answer: &Answer) -> i32 {
    match answer {
        Answer::Value(_) => crate::base::Status::VALUE.0,
        Answer::Null => crate::base::Status::NULL.0,
    }
}

/// The view of an entry that is in the cache.
pub(crate) fn of_hit(key: &[u8], hit: &Hit, core: &Core) -> kvl_result_t {
    let mut view = kvl_result_t {
        age_ms: signed(core.age_of_ms(hit)),
        ttl_left_ms: core.ttl_left_ms(hit),
        cost: hit.cost,
        status: status_of(&hit.answer),
        source: KVL_SOURCE_STORE,
        ..empty(key)
    };
    if let Answer::Value(value) = &hit.answer {
        show_value(&mut view, value);
    }
    view
}

/// The view of an object to be encoded.
pub(crate) fn of_object(key: &[u8], value: &Value) -> kvl_result_t {
    let mut view = kvl_result_t { status: crate::base::Status::VALUE.0, source: KVL_SOURCE_STORE, ..empty(key) };
    show_value(&mut view, value);
    view
}

/// The view of bytes to be decoded.
pub(crate) fn of_bytes(key: &[u8], bytes: &[u8]) -> kvl_result_t {
    kvl_result_t { status: crate::base::Status::VALUE.0, data: super::value::start_of(bytes), data_len: bytes.len(), ..empty(key) }
}

/// The view of an entry that has left the store.
pub(crate) fn of_departure(departure: &Departure) -> kvl_result_t {
    let mut view = kvl_result_t {
        age_ms: signed(Core::age_ms(departure)),
        ttl_left_ms: departure.expires_at().map_or(-1, |end| signed(end.since(departure.left_at))),
        cost: departure.cost,
        status: status_of(&departure.answer()),
        ..empty(departure.key())
    };
    if let Answer::Value(value) = &*departure.answer() {
        show_value(&mut view, value);
    }
    view
}
