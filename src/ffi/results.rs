//! The results of a batch across the ABI: an array with counts (rules F05, F18).

use super::constants::kvl_status_t;
use super::guard::{Caller, guard_or, unguarded};
use super::handle::{Handle, HasGeneration};
use super::types::{kvl_error_t, kvl_result_t, kvl_results_t};
use super::view;
use crate::base::Status;
use crate::base::process::Generation;
use crate::base::sync::OnceLock;
use crate::engine::host::Results;
use crate::task::{Outcome, Source};
use std::collections::HashSet;
use std::ptr::{null, null_mut};
use std::sync::Arc;

/// Positions that have a value.
pub const KVL_COUNT_VALUES: u32 = 0;
/// Positions that are known to be absent.
pub const KVL_COUNT_NULLS: u32 = 1;
/// Positions whose key the validator refused.
pub const KVL_COUNT_INVALID: u32 = 2;
/// Positions that failed.
pub const KVL_COUNT_FAILED: u32 = 3;
/// Positions that were answered by the store.
pub const KVL_COUNT_FROM_STORE: u32 = 4;
/// Positions whose load this fetch started.
pub const KVL_COUNT_FROM_PROVIDER: u32 = 5;
/// Positions that joined a load in progress, including that of another position of this fetch.
pub const KVL_COUNT_JOINED: u32 = 6;
/// Positions that received an expired value, or null, as a fallback: KVL_F_STALE.
pub const KVL_COUNT_STALE: u32 = 7;
/// Positions that were found in the second tier.
pub const KVL_COUNT_FROM_L2: u32 = 8;

/// The target of a results handle: the results, and their C views, which are created on first use, because a program that only counts needs
/// none.
pub(crate) struct ResultsHandle {
    generation: Generation,
    results: Results,
    views: OnceLock<Vec<kvl_result_t>>,
    /// The first positions of the distinct errors, computed on first use.
    errors: OnceLock<Vec<usize>>,
}

impl Handle for kvl_results_t {
    type Owner = Arc<ResultsHandle>;
}

// SAFETY: the views point into `results`, which does not change and goes with them; values and errors may be used from any thread.
unsafe impl Send for ResultsHandle {}
// SAFETY: as above.
unsafe impl Sync for ResultsHandle {}

impl ResultsHandle {
    pub(crate) fn new(results: Results) -> ResultsHandle {
        ResultsHandle { generation: Generation::now(), views: OnceLock::new(), results, errors: OnceLock::new() }
    }

    fn outcomes(&self) -> &[Outcome] {
        &self.results.batch.outcomes
    }

    /// The views; none if there is no memory for them.
    fn views(&self) -> &[kvl_result_t] {
        if self.views.get().is_none() {
            let (keys, outcomes) = (&self.results.keys, self.outcomes());
            let mut views = Vec::new();
            if views.try_reserve_exact(outcomes.len()).is_err() {
                return &[];
            }
            let view = |at: usize| view::of_outcome(at, keys.get(at).unwrap_or_default(), &outcomes[at], at + 1 == outcomes.len());
            views.extend((0..outcomes.len()).map(view));
            // Another thread may have set the views first. Then these are dropped.
            let _ = self.views.set(views);
        }
        self.views.get().map_or(&[], Vec::as_slice)
    }

    fn count(&self, wanted: impl Fn(&Outcome) -> bool) -> usize {
        self.outcomes().iter().filter(|outcome| wanted(outcome)).count()
    }

    /// The first position of each distinct error, in order.
    fn errors(&self) -> &[usize] {
        self.errors.get_or_init(|| {
            let mut known = HashSet::new();
            let errors = self.outcomes().iter().enumerate().filter_map(|(at, outcome)| Some((at, outcome.error()?.as_raw())));
            errors.filter(|(_, error)| known.insert(*error)).map(|(at, _)| at).collect()
        })
    }
}

impl HasGeneration for ResultsHandle {
    fn generation(&self) -> Generation {
        self.generation
    }
}

/// Returns the number of results, which is the number of keys in the call.
///
/// @param results  [borrowed] from a callback, an event, or a call that returns results.
/// @return the number; 0 for NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_results_len(results: *const kvl_results_t) -> usize {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    unguarded(|| caller.borrow(results).map_or(0, |batch| batch.outcomes().len()))
}

/// Returns how the whole batch ended.
///
/// @param results  [borrowed] from a callback, an event, or a call that returns results.
/// @return KVL_OK: every key was settled on its own, failures of single keys included; KVL_ERR_TIMEOUT, KVL_ERR_CANCELLED, KVL_ERR_CLOSED:
///         the whole batch was ended early; in all-or-nothing mode the status of the failure that ended it; KVL_ERR_NULL_POINTER.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_results_status(results: *const kvl_results_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(Status::ERR_PANIC.0, || match caller.borrow(results) {
        Ok(batch) => batch.results.batch.ended.as_ref().map_or(Status::OK, |error| error.status()).0,
        Err(status) => status.0,
    })
}

/// Returns one result.
///
/// @param results  [borrowed] from a callback, an event, or a call that returns results.
/// @param i        the position in the call.
/// @return [borrowed with the results] the result; NULL if there is no such position, or no memory for an array of all results.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_results_at(results: *const kvl_results_t, i: usize) -> *const kvl_result_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(null(), || caller.borrow(results).ok().and_then(|batch| batch.views().get(i)).map_or(null(), std::ptr::from_ref))
}

/// Returns all results as an array, so that a loop over them calls no function: result `i` begins `i` strides behind the first.
///
/// @param results     [borrowed] from a callback, an event, or a call that returns results.
/// @param out_stride  [out] bytes from one result to the next; more than sizeof(kvl_result_t) if the library is newer than the program's
///                    header.
/// @return [borrowed with the results] the first result; NULL if there is none, or no memory for the array.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_results_array(results: *const kvl_results_t, out_stride: *mut usize) -> *const kvl_result_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(null(), || {
        let Ok(batch) = caller.borrow(results) else { return null() };
        caller.place(out_stride).into_iter().for_each(|place| place.write(size_of::<kvl_result_t>()));
        batch.views().first().map_or(null(), std::ptr::from_ref)
    })
}

/// The KVL_COUNT_* that counts the results from a source; `None` if none does.
fn count_of(source: Source) -> Option<u32> {
    match source {
        Source::Store => Some(KVL_COUNT_FROM_STORE),
        Source::Provider => Some(KVL_COUNT_FROM_PROVIDER),
        Source::Joined => Some(KVL_COUNT_JOINED),
        Source::Stale => Some(KVL_COUNT_STALE),
        Source::SecondTier => Some(KVL_COUNT_FROM_L2),
        Source::None | Source::Put | Source::ErrorMemory => None,
    }
}

/// Counts the results of one kind.
///
/// @param results  [borrowed] from a callback, an event, or a call that returns results.
/// @param what     KVL_COUNT_*.
/// @return the number; 0 for an unknown `what` and for NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_results_count(results: *const kvl_results_t, what: u32) -> usize {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || {
        let Ok(batch) = caller.borrow(results) else { return 0 };
        batch.count(|outcome| match what {
            KVL_COUNT_VALUES => outcome.status() == Status::VALUE,
            KVL_COUNT_NULLS => outcome.status() == Status::NULL,
            KVL_COUNT_INVALID => outcome.status() == Status::INVALID_KEY,
            KVL_COUNT_FAILED => outcome.status().is_error(),
            _ => count_of(outcome.source) == Some(what),
        })
    })
}

/// Counts the results with a status.
///
/// @param results  [borrowed] from a callback, an event, or a call that returns results.
/// @param status   the status.
/// @return the number.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_results_count_status(results: *const kvl_results_t, status: kvl_status_t) -> usize {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.borrow(results).map_or(0, |batch| batch.count(|outcome| outcome.status().0 == status)))
}

/// Counts the distinct errors: one error object in several positions counts once.
///
/// @param results  [borrowed] from a callback, an event, or a call that returns results.
/// @return the number.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_results_error_len(results: *const kvl_results_t) -> usize {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(0, || caller.borrow(results).map_or(0, |batch| batch.errors().len()))
}

/// Returns one of the distinct errors.
///
/// In all-or-nothing mode the first may be the KVL_ERR_CANCELLED of a position that the failure of another one ended. The failure itself is
/// the first error here whose kvl_error_status() is kvl_results_status().
///
/// @param results  [borrowed] from a callback, an event, or a call that returns results.
/// @param i        the index of the error; index 0 has the error of the first position that failed.
/// @return [borrowed with the results] the error; NULL if there are fewer.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_results_error_at(results: *const kvl_results_t, i: usize) -> *mut kvl_error_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(null_mut(), || {
        let Ok(batch) = caller.borrow(results) else { return null_mut() };
        let first = batch.errors().get(i).and_then(|at| batch.outcomes()[*at].error());
        first.map_or(null_mut(), |error| error.as_raw().cast_mut().cast())
    })
}

/// Adds a reference.
///
/// @param results  [borrowed] from a callback, an event, or a call that returns results; may be NULL.
/// @return `results`: release it once more.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_results_retain(results: *mut kvl_results_t) -> *mut kvl_results_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(results, || caller.retain(results))
}

/// Releases a reference. The keys, values and errors of the results are freed with the last one.
///
/// @param results  [owned] from kvl_tasks_fetch_all(), kvl_tasks_fetch_all_wait() or kvl_results_retain(); may be NULL.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_results_release(results: *mut kvl_results_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || caller.end(results));
}
