//! The options of a fetch: settings by the configuration's names, and a progress callback.
//!
//! The callback has no separate user data: it receives the user data of the fetch, so that many fetches can share the options.

use super::constants::kvl_status_t;
use super::guard::{Caller, guard, guard_or};
use super::handle::{Handle, HasGeneration};
use super::types::{kvl_options_t, kvl_progress_fn};
use crate::base::config::{Draft, FetchRefusal, FetchSettings, Input, Scope};
use crate::base::process::Generation;
use crate::base::sync::Mutex;
use crate::base::{Error, Status};
use std::ffi::{CStr, CString, c_char};
use std::num::NonZeroUsize;
use std::ptr::null;

/// The target of an options handle.
pub(crate) struct Options {
    generation: Generation,
    parts: Mutex<OptionParts>,
}

struct OptionParts {
    draft: Draft,
    /// The contradiction, within the options or with the settings of an engine, for which a fetch was last refused. It does not affect
    /// other fetches.
    contradiction: Option<&'static CStr>,
    progress: Option<Progress>,
}

/// The function that receives the progress of a batch, and its interval.
#[derive(Clone, Copy)]
pub(crate) struct Progress {
    /// NULL: progress is reported by events of a queue.
    pub(crate) function: kvl_progress_fn,
    /// Progress is reported each time that this many more positions are settled.
    pub(crate) step: NonZeroUsize,
}

impl Options {
    fn new() -> Options {
        let parts = OptionParts { draft: Draft::new(Scope::Fetch), contradiction: None, progress: None };
        Options { generation: Generation::now(), parts: Mutex::new(parts) }
    }

    /// The settings `base`, overridden by these options, and the progress. Fails if a setting was refused, or if they contradict each
    /// other.
    pub(crate) fn over(&self, base: &FetchSettings) -> Result<(FetchSettings, Option<Progress>), Status> {
        let mut parts = self.parts.lock();
        match parts.draft.for_fetch(base) {
            Ok(settings) => Ok((settings, parts.progress)),
            Err(refusal) => {
                if let FetchRefusal::Contradiction(sentence) = refusal {
                    parts.contradiction = Some(sentence);
                }
                Err(Status::ERR_BAD_VALUE)
            }
        }
    }

    fn set(&self, key: &str, input: Input<'_>) -> Result<Status, Status> {
        self.parts.lock().draft.set(key, input).map(|()| Status::OK)
    }
}

impl OptionParts {
    fn problem(&self) -> Option<&CStr> {
        let refused = self.draft.problem().map(CString::as_c_str);
        // Options that contradict each other do so in any engine.
        refused.or_else(|| self.draft.contradiction_of_options()).or(self.contradiction)
    }
}

/// The error of a call that would wait and was refused. It says which setting is wrong, or why the call cannot wait.
pub(crate) fn refusal(options: Option<&Options>, status: Status) -> Error {
    match (status, options) {
        (Status::ERR_BAD_VALUE, Some(options)) => {
            let problem = options.parts.lock().problem().map(|problem| problem.to_string_lossy().into_owned());
            Error::with_text(status, 0, &problem.unwrap_or_default())
        }
        (Status::ERR_UNSUPPORTED, _) => {
            Error::with_text(status, 0, "requests go to a queue, which this very thread may have to read: use a fetch that does not wait")
        }
        _ => Error::of(status),
    }
}

impl HasGeneration for Options {
    fn generation(&self) -> Generation {
        self.generation
    }
}

impl Handle for kvl_options_t {
    type Owner = Box<Options>;
}

/// Creates options that set nothing: a fetch with them uses the engine's settings.
///
/// Any number of fetches may use them at the same time. They may be freed as soon as the last call that uses them has returned.
///
/// @param out_options [out, owned] the options: free them.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_options_new(out_options: *mut *mut kvl_options_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| Ok(caller.out(out_options)?.give(Box::new(Options::new()), Status::OK)))
}

/// Sets one setting as text. Every setting accepts text.
///
/// A refused setting changes nothing except the text of kvl_options_problem().
///
/// @param options [borrowed] from kvl_options_new().
/// @param key     [borrowed] the setting's name, NUL-terminated: kvl_config_keys_json().
/// @param value   [copied] the value as text, NUL-terminated.
/// @return KVL_OK; KVL_ERR_UNKNOWN_KEY (also for a setting that only an engine has), KVL_ERR_BAD_VALUE (type or range),
///         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_options_set(options: *mut kvl_options_t, key: *const c_char, value: *const c_char) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.borrow(options)?.set(&caller.text(key)?, Input::Text(&caller.text(value)?)))
}

/// Sets one setting as an integer. A setting that is true or false takes 1 or 0.
///
/// A refused setting changes nothing except the text of kvl_options_problem().
///
/// @param options [borrowed] from kvl_options_new().
/// @param key     [borrowed] the setting's name, NUL-terminated: kvl_config_keys_json().
/// @param value   the number, in the unit that the key names.
/// @return KVL_OK; KVL_ERR_UNKNOWN_KEY (also for a setting that only an engine has), KVL_ERR_BAD_VALUE (type or range),
///         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_options_set_int(options: *mut kvl_options_t, key: *const c_char, value: i64) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.borrow(options)?.set(&caller.text(key)?, Input::Int(value)))
}

/// Sets one setting as a floating-point number.
///
/// A refused setting changes nothing except the text of kvl_options_problem().
///
/// @param options [borrowed] from kvl_options_new().
/// @param key     [borrowed] the setting's name, NUL-terminated: kvl_config_keys_json().
/// @param value   the number, in the unit that the key names.
/// @return KVL_OK; KVL_ERR_UNKNOWN_KEY (also for a setting that only an engine has), KVL_ERR_BAD_VALUE (type or range),
///         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_options_set_real(options: *mut kvl_options_t, key: *const c_char, value: f64) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.borrow(options)?.set(&caller.text(key)?, Input::Real(value)))
}

/// Requests progress reports: how many positions of a batch are settled.
///
/// @param options    [borrowed] from kvl_options_new().
/// @param function   [retained] called with the user data of the fetch; NULL: progress is reported by KVL_EVENT_PROGRESS events of a queue,
///                   and a fetch of an engine whose results do not go to a queue fails with KVL_ERR_NO_CALLBACK. Calls that wait report no
///                   progress.
/// @param step_keys  the least number of positions that are settled between two reports; 1 or above.
/// @return KVL_OK; KVL_ERR_INVALID_ARG (a step of 0), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_options_set_progress(
    options: *mut kvl_options_t,
    function: kvl_progress_fn,
    step_keys: usize,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let options = caller.borrow(options)?;
        let step = NonZeroUsize::new(step_keys).ok_or(Status::ERR_INVALID_ARG)?;
        options.parts.lock().progress = Some(Progress { function, step });
        Ok(Status::OK)
    })
}

/// Returns a sentence about the first setting that was refused: every fetch with such options fails with KVL_ERR_BAD_VALUE. If no setting
/// was refused, the sentence is about options that contradict each other. If there are none of these either, it is about the last fetch
/// that was refused because the options contradict the settings of its engine.
///
/// A `stale.timeout_ms` is a contradiction if it is not below `timeout_ms`, if `read` is `cache_only`, or if it is 0 and `read` is
/// `no_store`.
///
/// @param options [borrowed] from kvl_options_new(); may be NULL.
/// @return UTF-8, NUL-terminated, borrowed until the options are freed; NULL if nothing was refused, for NULL, and for options from
///         before a fork.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_options_problem(options: *const kvl_options_t) -> *const c_char {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(null(), || {
        let options = caller.borrow(options).ok();
        // The text outlives the lock: the first problem is kept until the options are freed and never changed, and a contradiction is a
        // constant.
        options.and_then(|options| options.parts.lock().problem().map(CStr::as_ptr)).unwrap_or(null())
    })
}

/// Frees options. Fetches that were started with them continue.
///
/// @param options [owned] from kvl_options_new(); NULL is ignored.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_options_free(options: *mut kvl_options_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || caller.end(options));
}
