//! The engine across the ABI: creation, fetches, closing.

use super::constants::{KVL_CLOSE_CANCEL, KVL_CLOSE_DRAIN, KVL_FOREVER, kvl_status_t};
use super::guard::{Caller, guard, guard_or, outside};
use super::handle::Handle;
use super::notify::Notify;
use super::options::{Progress, refusal};
use super::receivers::{CallbackReceiver, check_callable, check_progress};
use super::results::ResultsHandle;
use super::stats::kvl_stats_t;
use super::stats::text;
use super::types::{
    kvl_cache_t, kvl_closed_fn, kvl_config_t, kvl_error_t, kvl_fetch_t, kvl_free_fn, kvl_options_t, kvl_result_fn, kvl_results_fn,
    kvl_results_t, kvl_slice_t, kvl_tasks_t, kvl_value_t,
};
use crate::base::{Answer, Error, Status};
use crate::engine::Core;
use crate::engine::cache_ref::CacheRef;
use crate::engine::fetch::{FetchAnswer, FetchCall};
use crate::engine::fetch_handle::FetchHandle;
use crate::engine::host::{CloseListener, Receiver};
use crate::task::{Form, Outcome, Verdict};
use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

impl Handle for kvl_tasks_t {
    type Owner = Arc<Core>;
}

/// Reads the common arguments of the fetch functions. `at_once`: whether the call itself may return the results.
#[inline(always)]
fn call_of<'a>(
    caller: &'a Caller,
    core: &'a Core,
    form: Form,
    options: *const kvl_options_t,
    handle: Option<&'a Arc<FetchHandle>>,
    at_once: bool,
) -> Result<(FetchCall<'a>, Option<Progress>), Status> {
    let base = if form == Form::Refresh { core.refresh_settings() } else { core.fetch_settings() };
    let (settings, progress) = if options.is_null() {
        (base.into(), None)
    } else {
        let (settings, progress) = caller.borrow(options)?.over(base)?;
        (Arc::new(settings).into(), progress)
    };
    let progress_step = progress.map_or(0, |progress| progress.step.get());
    Ok((FetchCall { form, settings, progress_step, handle, at_once }, progress))
}

/// Keeps an engine during a call that may run host code, which may dispose of that very engine (rule L04a).
pub(super) struct EngineRef<'caller> {
    core: &'caller Core,
    kept: Option<Arc<Core>>,
}

impl std::ops::Deref for EngineRef<'_> {
    type Target = Core;
    fn deref(&self) -> &Core {
        self.kept.as_deref().unwrap_or(self.core)
    }
}

impl Caller {
    /// Returns a reference to the engine. `user_data_free` is the destructor of user data passed to the call, which may run inside it.
    pub(super) fn engine(&self, tasks: *const kvl_tasks_t, user_data_free: kvl_free_fn) -> Result<EngineRef<'_>, Status> {
        let core = self.borrow(tasks)?;
        let runs_host_code = core.lookups_call_host() || user_data_free.is_some();
        Ok(EngineRef { core, kept: if runs_host_code { Some(self.share(tasks)?) } else { None } })
    }
}

fn maybe_fetch(caller: &Caller, fetch: *mut kvl_fetch_t) -> Result<Option<Arc<FetchHandle>>, Status> {
    if fetch.is_null() { Ok(None) } else { caller.share(fetch.cast_const()).map(Some) }
}

/// The status, and the value if there is one; the error of a position that failed.
fn answer_of(outcome: Outcome) -> Result<(Status, Option<Answer>), Error> {
    let status = outcome.status();
    match outcome.verdict {
        Verdict::Value(value) => Ok((status, Some(Answer::Value(value)))),
        Verdict::Stale(stale) => Ok((status, Some(stale.answer).filter(|answer| answer.value().is_some()))),
        Verdict::Null | Verdict::Miss | Verdict::InvalidKey => Ok((status, None)),
        Verdict::Failed(error) => Err(error),
    }
}

/// Creates an engine: a cache with a provider.
///
/// Its dispatcher and timer threads are started at once, unless the configuration names a runtime. Provider threads are started on demand,
/// and end when they are idle for a while.
///
/// @param config     [borrowed] from kvl_config_new(), with a provider; may be freed right after.
/// @param out_tasks  [out, owned] the engine: kvl_tasks_free() or kvl_tasks_dispose() ends it.
/// @param out_error  [out, owned] on KVL_ERR_BAD_VALUE an error that says what is wrong: release it; NULL otherwise. May be NULL.
/// @return KVL_OK; KVL_ERR_NO_PROVIDER, KVL_ERR_NO_CALLBACK (the provider's function is NULL, and requests go to no queue),
///         KVL_ERR_BAD_VALUE (a setting was refused: kvl_config_problem(); or two contradict each other: `out_error` says which),
///         KVL_ERR_NO_THREAD, KVL_ERR_INVALID_HANDLE (the runtime was freed), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_new(
    config: *const kvl_config_t,
    out_tasks: *mut *mut kvl_tasks_t,
    out_error: *mut *mut kvl_error_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let (out_error, out) = (caller.maybe_out(out_error), caller.out(out_tasks));
        let out = out?;
        let config = caller.borrow(config)?;
        let problem = config.problem().map(|problem| problem.to_string_lossy().into_owned());
        if let Some(problem) = problem.or_else(|| config.contradiction()) {
            let error = Error::with_text(Status::ERR_BAD_VALUE, 0, &problem);
            return Err(out_error.map_or(Status::ERR_BAD_VALUE, |out| out.give(error, Status::ERR_BAD_VALUE)));
        }
        let parts = config.parts();
        if parts.routes.provider_at().needs_function() && parts.provider.as_ref().is_some_and(|provider| provider.function().is_none()) {
            return Err(Status::ERR_NO_CALLBACK);
        }
        Ok(out.give(Core::engine(parts.into_plan())?, Status::OK))
    })
}

/// Returns the engine's cache, for reading and writing. Its writes overtake loads in progress.
///
/// @param tasks      [borrowed] from kvl_tasks_new().
/// @param out_cache  [out, owned] the cache: release it. Once the engine is freed, lookups and writes of the cache return KVL_ERR_CLOSED.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_cache(tasks: *mut kvl_tasks_t, out_cache: *mut *mut kvl_cache_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let out = caller.out(out_cache)?;
        Ok(out.give(CacheRef::new(caller.share(tasks.cast_const())?), Status::OK))
    })
}

/// Fetches one key.
///
/// If the cache has the key and `out_value` is not NULL, the call itself returns the result, and no event follows. Otherwise the key is
/// loaded, in one load shared with every other fetch that wants it, and `function` is called once.
///
/// @param tasks           [borrowed] from kvl_tasks_new().
/// @param key             [copied] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len         the key's length in bytes, at most KVL_KEY_MAX.
/// @param options         [copied] from kvl_options_new(), or NULL for the engine's settings.
/// @param fetch           [retained] from kvl_fetch_new(), not used before, with which to cancel the call; or NULL.
/// @param function        [retained] called once after KVL_PENDING, by the dispatcher or kvl_queue_poll(), never inside this call.
/// @param user_data       [retained] passed to `function` as its first argument.
/// @param user_data_free  [retained] frees `user_data` after `function`, or before this returns if the status is not KVL_PENDING; may be
///                        NULL.
/// @param out_value       [out, owned] set on KVL_VALUE: release it; NULL otherwise. May be NULL: then `function` is always called.
/// @return KVL_PENDING; with `out_value` also KVL_VALUE, KVL_NULL, KVL_INVALID_KEY; KVL_ERR_CANCELLED (the fetch was cancelled before),
///         KVL_ERR_ALREADY_USED, KVL_ERR_NO_CALLBACK, KVL_ERR_CLOSED, KVL_ERR_BAD_VALUE (kvl_options_problem()),
///         KVL_ERR_KEY_TOO_LONG, KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_fetch(
    tasks: *mut kvl_tasks_t,
    key: *const u8,
    key_len: usize,
    options: *const kvl_options_t,
    fetch: *mut kvl_fetch_t,
    function: kvl_result_fn,
    user_data: *mut c_void,
    user_data_free: kvl_free_fn,
    out_value: *mut *mut kvl_value_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let notify = Notify::new(function, user_data, user_data_free);
        let out = caller.maybe_out(out_value);
        let core = &*caller.engine(tasks, user_data_free)?;
        let key = caller.key(key, key_len)?;
        let fetch = maybe_fetch(&caller, fetch)?;
        check_callable(core, &notify)?;
        let (call, progress) = call_of(&caller, core, Form::Each, options, fetch.as_ref(), out.is_some())?;
        check_progress(core, &progress)?;
        let receiver = || Box::new(CallbackReceiver { notify, progress }) as Box<dyn Receiver>;
        match core.fetch([key].into_iter(), &call, receiver)? {
            FetchAnswer::Now(outcome) => match (answer_of(outcome), out) {
                (Ok((status, Some(answer))), Some(out)) => Ok(out.give(answer, status)),
                (Ok((status, _)), _) => Ok(status),
                (Err(error), _) => Err(error.status()),
            },
            FetchAnswer::Ready(_) | FetchAnswer::Pending => Ok(Status::PENDING),
        }
    })
}

/// Fetches several keys, and delivers each result separately as soon as it is known.
///
/// `function` is called `n` times, one call at a time, each with the `index` of a position, for keys in the cache too.
///
/// @param tasks           [borrowed] from kvl_tasks_new().
/// @param keys            [copied] `n` slices; may be NULL if `n` is 0. Duplicates are allowed. A key longer than KVL_KEY_MAX fails on its
///                        own.
/// @param n               the number of keys.
/// @param options         [copied] from kvl_options_new(), or NULL for the engine's settings.
/// @param fetch           [retained] from kvl_fetch_new(), not used before, with which to cancel the call; or NULL.
/// @param function        [retained] called `n` times, by the dispatcher or kvl_queue_poll(); the last call is marked by KVL_F_LAST.
/// @param user_data       [retained] passed to `function` as its first argument.
/// @param user_data_free  [retained] frees `user_data`: before this returns unless the status is KVL_PENDING, otherwise after the last
///                        call; may be NULL.
/// @return KVL_PENDING; KVL_OK if `n` is 0 (no event); KVL_ERR_CANCELLED (the fetch was cancelled before), KVL_ERR_ALREADY_USED,
///         KVL_ERR_NO_CALLBACK, KVL_ERR_CLOSED, KVL_ERR_BAD_VALUE (kvl_options_problem()), KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER,
///         KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_fetch_each(
    tasks: *mut kvl_tasks_t,
    keys: *const kvl_slice_t,
    n: usize,
    options: *const kvl_options_t,
    fetch: *mut kvl_fetch_t,
    function: kvl_result_fn,
    user_data: *mut c_void,
    user_data_free: kvl_free_fn,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let notify = Notify::new(function, user_data, user_data_free);
        let core = &*caller.engine(tasks, user_data_free)?;
        let keys = caller.keys(keys, n)?;
        let fetch = maybe_fetch(&caller, fetch)?;
        check_callable(core, &notify)?;
        let is_empty = n == 0;
        let (call, progress) = call_of(&caller, core, Form::Each, options, fetch.as_ref(), is_empty)?;
        check_progress(core, &progress)?;
        let receiver = || Box::new(CallbackReceiver { notify, progress }) as Box<dyn Receiver>;
        core.fetch(keys, &call, receiver)?;
        Ok(if is_empty { Status::OK } else { Status::PENDING })
    })
}

/// Fetches several keys, and delivers all results together when the last is settled.
///
/// @param tasks           [borrowed] from kvl_tasks_new().
/// @param keys            [copied] `n` slices; may be NULL if `n` is 0. Duplicates are allowed. A key longer than KVL_KEY_MAX fails on its
///                        own.
/// @param n               the number of keys.
/// @param options         [copied] from kvl_options_new(), or NULL for the engine's settings.
/// @param fetch           [retained] from kvl_fetch_new(), not used before, with which to cancel the call; or NULL.
/// @param function        [retained] called once after KVL_PENDING, by the dispatcher or kvl_queue_poll(), never inside this call.
/// @param user_data       [retained] passed to `function` as its first argument.
/// @param user_data_free  [retained] frees `user_data` after `function`, or before this returns if the status is not KVL_PENDING; may be
///                        NULL.
/// @param out_ready       [out, owned] set on KVL_OK, if the cache had all keys: release it. May be NULL: then `function` is always called.
/// @return KVL_PENDING; with `out_ready` also KVL_OK; KVL_ERR_CANCELLED (the fetch was cancelled before), KVL_ERR_ALREADY_USED,
///         KVL_ERR_NO_CALLBACK, KVL_ERR_CLOSED, KVL_ERR_BAD_VALUE (kvl_options_problem()), KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER,
///         KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_fetch_all(
    tasks: *mut kvl_tasks_t,
    keys: *const kvl_slice_t,
    n: usize,
    options: *const kvl_options_t,
    fetch: *mut kvl_fetch_t,
    function: kvl_results_fn,
    user_data: *mut c_void,
    user_data_free: kvl_free_fn,
    out_ready: *mut *mut kvl_results_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let notify = Notify::new(function, user_data, user_data_free);
        let out = caller.maybe_out(out_ready);
        let core = &*caller.engine(tasks, user_data_free)?;
        let keys = caller.keys(keys, n)?;
        let fetch = maybe_fetch(&caller, fetch)?;
        check_callable(core, &notify)?;
        let (call, progress) = call_of(&caller, core, Form::All, options, fetch.as_ref(), out.is_some())?;
        check_progress(core, &progress)?;
        let receiver = || Box::new(CallbackReceiver { notify, progress }) as Box<dyn Receiver>;
        Ok(match (core.fetch(keys, &call, receiver)?, out) {
            (FetchAnswer::Ready(results), Some(out)) => out.give(Arc::new(ResultsHandle::new(results)), Status::OK),
            _ => Status::PENDING,
        })
    })
}

/// Fetches one key and waits for the result.
///
/// @param tasks      [borrowed] from kvl_tasks_new().
/// @param key        [copied] `key_len` bytes; may be NULL if `key_len` is 0.
/// @param key_len    the key's length in bytes, at most KVL_KEY_MAX.
/// @param options    [copied] from kvl_options_new(), or NULL for the engine's settings.
/// @param fetch      [retained] from kvl_fetch_new(), not used before, with which another thread can cancel the call; or NULL.
/// @param out_value  [out, owned] set on KVL_VALUE: release it; NULL otherwise.
/// @param out_error  [out, owned] for a status below 0 an error that describes it, also if the call was refused: release it; may be NULL.
/// @return KVL_VALUE, KVL_NULL, KVL_MISS (cache-only), KVL_INVALID_KEY; KVL_ERR_PROVIDER, KVL_ERR_TIMEOUT, KVL_ERR_CANCELLED,
///         KVL_ERR_QUEUE_FULL, KVL_ERR_UNANSWERED, KVL_ERR_UNAVAILABLE, KVL_ERR_CLOSED; KVL_ERR_REENTRANT, KVL_ERR_UNSUPPORTED (requests go
///         to a queue, which this thread may have to read), KVL_ERR_ALREADY_USED, KVL_ERR_BAD_VALUE (kvl_options_problem()),
///         KVL_ERR_KEY_TOO_LONG, KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_NO_THREAD, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads outside
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_fetch_wait(
    tasks: *mut kvl_tasks_t,
    key: *const u8,
    key_len: usize,
    options: *const kvl_options_t,
    fetch: *mut kvl_fetch_t,
    out_value: *mut *mut kvl_value_t,
    out_error: *mut *mut kvl_error_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let (out_error, out) = (caller.maybe_out(out_error), caller.out(out_value));
        let waited = out.and_then(|out| {
            outside()?;
            let core = &*caller.engine(tasks, None)?;
            if !core.provider_at().may_be_waited_for() {
                // This very thread may be the only one that could answer the request.
                return Err(Status::ERR_UNSUPPORTED);
            }
            let key = caller.key(key, key_len)?;
            let fetch = maybe_fetch(&caller, fetch)?;
            let (call, _) = call_of(&caller, core, Form::Each, options, fetch.as_ref(), true)?;
            let FetchAnswer::Now(outcome) = core.fetch_wait([key].into_iter(), &call)? else { return Err(Status::ERR_PANIC) };
            Ok((out, answer_of(outcome)))
        });
        let error = match waited {
            Ok((out, Ok((status, Some(answer))))) => return Ok(out.give(answer, status)),
            Ok((_, Ok((status, None)))) => return Ok(status),
            Ok((_, Err(error))) => error,
            Err(status) => refusal(caller.borrow(options).ok(), status),
        };
        let status = error.status();
        Err(out_error.map_or(status, |out| out.give(error, status)))
    })
}

/// Fetches several keys and waits until the last is settled.
///
/// @param tasks        [borrowed] from kvl_tasks_new().
/// @param keys         [copied] `n` slices; may be NULL if `n` is 0. Duplicates are allowed.
/// @param n            the number of keys.
/// @param options      [copied] from kvl_options_new(), or NULL for the engine's settings.
/// @param fetch        [retained] from kvl_fetch_new(), not used before, with which another thread can cancel the call; or NULL.
/// @param out_results  [out, owned] set on KVL_OK: release it; NULL otherwise.
/// @return KVL_OK, whatever the results of the keys: kvl_results_status(); KVL_ERR_CANCELLED (the fetch was cancelled before),
///         KVL_ERR_REENTRANT, KVL_ERR_UNSUPPORTED (requests go to a queue, which this thread may have to read), KVL_ERR_ALREADY_USED,
///         KVL_ERR_CLOSED, KVL_ERR_BAD_VALUE (kvl_options_problem()), KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY,
///         KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads outside
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_fetch_all_wait(
    tasks: *mut kvl_tasks_t,
    keys: *const kvl_slice_t,
    n: usize,
    options: *const kvl_options_t,
    fetch: *mut kvl_fetch_t,
    out_results: *mut *mut kvl_results_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let out = caller.out(out_results)?;
        outside()?;
        let core = &*caller.engine(tasks, None)?;
        if !core.provider_at().may_be_waited_for() {
            // This very thread may be the only one that could answer the request.
            return Err(Status::ERR_UNSUPPORTED);
        }
        let keys = caller.keys(keys, n)?;
        let fetch = maybe_fetch(&caller, fetch)?;
        let (call, _) = call_of(&caller, core, Form::All, options, fetch.as_ref(), true)?;
        let FetchAnswer::Ready(results) = core.fetch_wait(keys, &call)? else { return Err(Status::ERR_PANIC) };
        Ok(out.give(Arc::new(ResultsHandle::new(results)), Status::OK))
    })
}

/// Reloads keys, or joins loads of them that are in progress. No result is delivered.
///
/// Lookups return the old value meanwhile, and if the load fails the old value stays. The urgency is KVL_URGENCY_BACKGROUND unless
/// `options` state one. A refresh takes no place in the queue from fetches: keys that find no place wait without one. Keys that are invalid
/// or too long are skipped, and with `queue.overflow` = `reject` also those that find no place.
///
/// @param tasks    [borrowed] from kvl_tasks_new().
/// @param keys     [copied] `n` slices; may be NULL if `n` is 0.
/// @param n        the number of keys.
/// @param options  [copied] from kvl_options_new(), or NULL for the engine's settings. Options about waiting have no effect, since nobody
///                 waits. Options that contradict each other are refused, as for a fetch.
/// @return KVL_OK; KVL_ERR_CLOSED, KVL_ERR_BAD_VALUE (kvl_options_problem()), KVL_ERR_INVALID_ARG (`read` = `cache_only` or `no_store`,
///         since a refresh loads and stores), KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_refresh(
    tasks: *mut kvl_tasks_t,
    keys: *const kvl_slice_t,
    n: usize,
    options: *const kvl_options_t,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let core = &*caller.engine(tasks, None)?;
        let keys = caller.keys(keys, n)?;
        let (call, _) = call_of(&caller, core, Form::Refresh, options, None, false)?;
        core.refresh(keys, &call.settings)?;
        Ok(Status::OK)
    })
}

/// Begins to gather the keys that are fetched from now on, or hands out those that have gathered.
///
/// For hosts with an event loop: call this with 1 at the start of a turn of the loop that fetches, and with 0 at its end, and the keys of
/// all its fetches share requests. Meanwhile a request is formed if there are keys for a full one (`batch.max_keys`), if the queue is full,
/// or if a key is retried. With `batch.linger_us` keys also wait for that time to end. The keys that other threads ask for meanwhile
/// gather, too.
///
/// A call that waits for a fetch (kvl_tasks_fetch_wait(), kvl_tasks_fetch_all_wait(), kvl_fetch_wait()) hands out what has gathered, since
/// it could otherwise wait for itself. So does a close that drains. A close that cancels settles what has gathered with KVL_ERR_CLOSED.
///
/// @param tasks    [borrowed] from kvl_tasks_new().
/// @param gathers  1 to let keys gather, 0 to hand them out.
/// @return KVL_OK; KVL_ERR_INVALID_ARG (`gathers` is neither), KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.2
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_gather(tasks: *mut kvl_tasks_t, gathers: u32) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let core = caller.borrow(tasks)?;
        if gathers > 1 {
            return Err(Status::ERR_INVALID_ARG);
        }
        core.gather(gathers == 1)?;
        Ok(Status::OK)
    })
}

/// Returns the counters since the last reset, and the current gauges, of lookups, store and loads.
///
/// @param tasks      [borrowed] from kvl_tasks_new().
/// @param out_stats  [out] the statistics, filled up to `out_size` bytes; struct_size is the number of bytes filled.
/// @param out_size   sizeof(kvl_stats_t) as the program was compiled, in bytes.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (`out_size` has no room for struct_size, a misaligned pointer),
///         KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_stats(tasks: *mut kvl_tasks_t, out_stats: *mut kvl_stats_t, out_size: usize) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.write_stats(out_stats, out_size, || Ok(caller.borrow(tasks)?.stats())))
}

/// Returns all statistics as one JSON object, with histograms.
///
/// @param tasks     [borrowed] from kvl_tasks_new().
/// @param out_text  [out, owned] a value that holds the text in UTF-8: release it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_stats_json(tasks: *mut kvl_tasks_t, out_text: *mut *mut kvl_value_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let out = caller.out(out_text)?;
        Ok(out.give(text(&caller.borrow(tasks)?.stats().to_json())?, Status::OK))
    })
}

/// Returns all statistics as OpenMetrics text, for a scraper.
///
/// @param tasks     [borrowed] from kvl_tasks_new().
/// @param out_text  [out, owned] a value that holds the text in UTF-8: release it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_stats_openmetrics(tasks: *mut kvl_tasks_t, out_text: *mut *mut kvl_value_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let out = caller.out(out_text)?;
        Ok(out.give(text(&caller.borrow(tasks)?.stats().to_openmetrics())?, Status::OK))
    })
}

/// Resets the counters and begins a new window of statistics. Gauges, such as entries, cost and loads in progress, are not reset.
///
/// @param tasks  [borrowed] from kvl_tasks_new().
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_stats_reset(tasks: *mut kvl_tasks_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        caller.borrow(tasks)?.reset_stats();
        Ok(Status::OK)
    })
}

/// Closes an engine: it accepts nothing new, and reports when everything is done, that is, when every event is delivered and every provider
/// call has returned. Waits for nothing, but settles the open positions of KVL_CLOSE_CANCEL itself, about a microsecond for each.
///
/// A second close can only shorten the wait; the function of each is called. Once the close is reported, kvl_tasks_free() does not wait.
///
/// @param tasks           [borrowed] from kvl_tasks_new().
/// @param mode            KVL_CLOSE_CANCEL: open positions are settled with KVL_ERR_CLOSED. KVL_CLOSE_DRAIN: accepted work continues. Writes
///                        that wait for the second tier are then tried once (kvl_tasks_l2_sync() waits for those that fail), otherwise lost.
/// @param deadline_ms     for KVL_CLOSE_DRAIN: for how long accepted work may continue, in milliseconds, or KVL_FOREVER; after that, open
///                        positions are settled with KVL_ERR_CLOSED. 0 means KVL_CLOSE_CANCEL.
/// @param function        [retained] called once when everything is done, by the dispatcher or kvl_queue_poll(); may be NULL.
/// @param user_data       [retained] passed to `function` as its first argument.
/// @param user_data_free  [retained] frees `user_data` after `function`, or before this returns if the call fails; may be NULL.
/// @return KVL_OK; KVL_ERR_INVALID_ARG (mode, deadline), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_close(
    tasks: *mut kvl_tasks_t,
    mode: u32,
    deadline_ms: i64,
    function: kvl_closed_fn,
    user_data: *mut c_void,
    user_data_free: kvl_free_fn,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let notify = Box::new(Notify::new(function, user_data, user_data_free));
        // Without a function the user data is freed here, and that may dispose of the engine.
        let core = caller.share(tasks.cast_const())?;
        let drain = match (mode, deadline_ms) {
            // A drain without time is a cancel.
            (KVL_CLOSE_CANCEL, _) | (KVL_CLOSE_DRAIN, 0) => None,
            (KVL_CLOSE_DRAIN, KVL_FOREVER) => Some(None),
            (KVL_CLOSE_DRAIN, 0..) => Some(Some(Duration::from_millis(deadline_ms.unsigned_abs()))),
            _ => return Err(Status::ERR_INVALID_ARG),
        };
        // Without a function, only an event in a queue can notify the program.
        let listener = (notify.is_callable() || !core.results_at().needs_function()).then_some(notify);
        core.close(drain, listener.map(|notify| notify as Box<dyn CloseListener>));
        Ok(Status::OK)
    })
}

/// Frees an engine: closes it (KVL_CLOSE_CANCEL; a drain in progress ends), waits for code of the program that is running, and joins the
/// engine's threads. After that, no callback of this engine starts.
///
/// @param tasks  [owned] from kvl_tasks_new(); may be NULL. Unchanged on an error.
/// @return KVL_OK; KVL_ERR_REENTRANT (inside a callback: use kvl_tasks_dispose()), KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads outside
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_free(tasks: *mut kvl_tasks_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        if tasks.is_null() {
            return Ok(Status::OK);
        }
        outside()?;
        caller.take(tasks)?.free();
        Ok(Status::OK)
    })
}

/// Disposes of an engine: closes it (KVL_CLOSE_CANCEL), and lets it end when it is idle. Never waits, so that destructors, finalizers and
/// callbacks can call it.
///
/// @param tasks  [owned] from kvl_tasks_new(); may be NULL. Must not be used again.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_tasks_dispose(tasks: *mut kvl_tasks_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || caller.take(tasks).into_iter().for_each(Core::dispose));
}
