//! Configurations across the ABI: settings by name (`base::config`), and functions with their user data.
//!
//! The functions are behind `Arc`s, so that a configuration can be used for several engines and freed right after. The user data of a
//! function is freed with its last `Arc`. A replaced function is dropped after the lock is released, because that may run host code.

use super::constants::kvl_status_t;
use super::guard::{Caller, guard, guard_or};
use super::handle::{Handle, HasGeneration};
use super::notify::Notify;
use super::types::{
    kvl_clock_t, kvl_config_t, kvl_cost_fn, kvl_free_fn, kvl_l2_fn, kvl_provide_fn, kvl_record_fn, kvl_removal_fn, kvl_runtime_t,
    kvl_validate_fn, kvl_value_t,
};
use crate::base::config::{Draft, Input, Scope};
use crate::base::process::Generation;
use crate::base::sync::Mutex;
use crate::base::{Answer, ManualClock, Status, Value};
use crate::engine::Routes;
use crate::runtime::Runtime;
use crate::task::second_tier::TierAbilities;
use std::ffi::{CStr, c_char, c_void};
use std::ptr::null;
use std::sync::Arc;

/// The list of settings, written by `make generate` from their table. It is static text, so it takes no memory at run time.
const KEYS_JSON: &CStr = match CStr::from_bytes_with_nul(concat!(include_str!("config_keys.json"), "\0").as_bytes()) {
    Ok(text) => text,
    Err(_) => panic!("src/ffi/config_keys.json holds a NUL"),
};

/// The target of a configuration handle. With the lock, mistaken use from two threads waits instead of corrupting memory.
pub(crate) struct Config {
    generation: Generation,
    parts: Mutex<ConfigParts>,
}

/// Everything from which a cache or an engine is created. Clones share the functions.
#[derive(Clone)]
pub(crate) struct ConfigParts {
    /// The settings, and the first one that was refused.
    pub(crate) draft: Draft,
    /// kvl_config_set_provider(); its function may be NULL, for a queue.
    pub(crate) provider: Option<Arc<Notify<kvl_provide_fn>>>,
    /// kvl_config_set_validator()
    pub(crate) validator: Option<Arc<Notify<kvl_validate_fn>>>,
    /// kvl_config_set_cost()
    pub(crate) cost: Option<Arc<Notify<kvl_cost_fn>>>,
    /// kvl_config_set_removal_listener(); its function may be NULL, for a queue.
    pub(crate) removal: Option<Arc<Notify<kvl_removal_fn>>>,
    /// kvl_config_set_record_listener()
    pub(crate) record: Option<Arc<Notify<kvl_record_fn>>>,
    /// kvl_config_set_l2(); its function may be NULL, for a queue.
    pub(crate) second_tier: Option<Arc<(Notify<kvl_l2_fn>, TierAbilities)>>,
    /// kvl_config_set_clock(); `None`: the system's clocks.
    pub(crate) clock: Option<Arc<ManualClock>>,
    /// kvl_config_set_runtime(); `None`: its own threads.
    pub(crate) runtime: Option<Arc<Runtime>>,
    /// kvl_config_set_queue(); for an empty route: threads of the library.
    pub(crate) routes: Routes,
}

impl Config {
    fn new() -> Config {
        let draft = Draft::new(Scope::Engine);
        let parts = ConfigParts {
            draft,
            provider: None,
            validator: None,
            cost: None,
            removal: None,
            record: None,
            second_tier: None,
            clock: None,
            runtime: None,
            routes: Routes::default(),
        };
        Config { generation: Generation::now(), parts: Mutex::new(parts) }
    }

    /// A copy of the current content.
    pub(crate) fn parts(&self) -> ConfigParts {
        self.parts.lock().clone()
    }

    /// The description of the first setting that was refused, after which nothing can be created from the configuration.
    pub(crate) fn problem(&self) -> Option<std::ffi::CString> {
        self.parts.lock().draft.problem().cloned()
    }

    /// The description of a contradiction between settings that are valid by themselves. An engine cannot be created with one.
    pub(crate) fn contradiction(&self) -> Option<String> {
        self.parts.lock().draft.contradiction()
    }

    /// Changes the queues that receive events.
    pub(crate) fn route(&self, change: impl FnOnce(&mut Routes)) {
        change(&mut self.parts.lock().routes);
    }

    fn set(&self, key: &str, input: Input<'_>) -> Result<Status, Status> {
        self.parts.lock().draft.set(key, input).map(|()| Status::OK)
    }

    /// Puts `new` into the place that `place` selects, and returns what was there.
    fn replace<T>(&self, place: impl FnOnce(&mut ConfigParts) -> &mut Option<T>, new: Option<T>) -> Option<T> {
        std::mem::replace(place(&mut self.parts.lock()), new)
    }
}

impl Caller {
    /// Puts `new` into a place of a configuration. The previous content is dropped last, once the configuration is no longer accessed,
    /// because its destructor may free the configuration (rule L04a).
    pub(super) fn replace<T>(
        &self,
        config: *mut kvl_config_t,
        place: impl FnOnce(&mut ConfigParts) -> &mut Option<T>,
        new: Option<T>,
    ) -> Result<Status, Status> {
        let old = self.borrow(config)?.replace(place, new);
        drop(old);
        Ok(Status::OK)
    }

    /// Like [`Caller::replace`], for a hook. If it has no function, the hook is removed, and its unused user data is freed last.
    fn replace_hook<F, T>(
        &self,
        config: *mut kvl_config_t,
        function: Option<F>,
        place: impl FnOnce(&mut ConfigParts) -> &mut Option<T>,
        notify: T,
    ) -> Result<Status, Status> {
        let (new, unused) = if function.is_some() { (Some(notify), None) } else { (None, Some(notify)) };
        let result = self.replace(config, place, new);
        drop(unused);
        result
    }
}

impl HasGeneration for Config {
    fn generation(&self) -> Generation {
        self.generation
    }
}

impl Handle for kvl_config_t {
    type Owner = Box<Config>;
}

/// Returns the list of all settings as JSON, for bindings and tools.
///
/// @return a static text in UTF-8, never NULL: an array of objects with name, type (int, real, bool, word), range or words, default
///         (as text), per_fetch and about.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub extern "C" fn kvl_config_keys_json() -> *const c_char {
    guard_or(KEYS_JSON.as_ptr(), || KEYS_JSON.as_ptr())
}

/// Creates a configuration in which every setting has its default.
///
/// It may be used for several caches and engines, and freed as soon as they are created.
///
/// @param out_config [out, owned] the configuration: free it.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_PANIC.
/// @threads any
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_config_new(out_config: *mut *mut kvl_config_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| Ok(caller.out(out_config)?.give(Box::new(Config::new()), Status::OK)))
}

/// Sets one setting as text. Every setting accepts text.
///
/// A refused setting changes nothing except the text of kvl_config_problem().
///
/// @param config  [borrowed] from kvl_config_new().
/// @param key     [borrowed] the setting's name, NUL-terminated: kvl_config_keys_json().
/// @param value   [copied] the value as text, NUL-terminated.
/// @return KVL_OK; KVL_ERR_UNKNOWN_KEY, KVL_ERR_BAD_VALUE (type or range), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
///         KVL_ERR_PANIC.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_config_set(config: *mut kvl_config_t, key: *const c_char, value: *const c_char) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.borrow(config)?.set(&caller.text(key)?, Input::Text(&caller.text(value)?)))
}

/// Sets one setting as an integer. A setting that is true or false takes 1 or 0.
///
/// A refused setting changes nothing except the text of kvl_config_problem().
///
/// @param config  [borrowed] from kvl_config_new().
/// @param key     [borrowed] the setting's name, NUL-terminated: kvl_config_keys_json().
/// @param value   the number, in the unit that the key names.
/// @return KVL_OK; KVL_ERR_UNKNOWN_KEY, KVL_ERR_BAD_VALUE (type or range), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
///         KVL_ERR_PANIC.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_config_set_int(config: *mut kvl_config_t, key: *const c_char, value: i64) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.borrow(config)?.set(&caller.text(key)?, Input::Int(value)))
}

/// Sets one setting as a floating-point number.
///
/// A refused setting changes nothing except the text of kvl_config_problem().
///
/// @param config  [borrowed] from kvl_config_new().
/// @param key     [borrowed] the setting's name, NUL-terminated: kvl_config_keys_json().
/// @param value   the number, in the unit that the key names.
/// @return KVL_OK; KVL_ERR_UNKNOWN_KEY, KVL_ERR_BAD_VALUE (type or range), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
///         KVL_ERR_PANIC.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_config_set_real(config: *mut kvl_config_t, key: *const c_char, value: f64) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| caller.borrow(config)?.set(&caller.text(key)?, Input::Real(value)))
}

/// Returns the text of a setting: the value that was set, or its default.
///
/// @param config    [borrowed] from kvl_config_new().
/// @param key       [borrowed] the setting's name, NUL-terminated.
/// @param out_text  [out, owned] a value that holds the text in UTF-8: release it.
/// @return KVL_OK; KVL_ERR_UNKNOWN_KEY, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_NO_MEMORY, KVL_ERR_PANIC.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_config_get(config: *const kvl_config_t, key: *const c_char, out_text: *mut *mut kvl_value_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let out = caller.out(out_text)?;
        let (config, key) = (caller.borrow(config)?, caller.text(key)?);
        let value = {
            let parts = config.parts.lock();
            let text = parts.draft.get(&key).ok_or(Status::ERR_UNKNOWN_KEY)?;
            Value::bytes(text.as_bytes()).map_err(|_| Status::ERR_NO_MEMORY)?
        };
        Ok(out.give(Answer::Value(value), Status::OK))
    })
}

/// Returns a sentence about the first setting that was refused. If its name was unknown, the sentence names the most similar setting.
///
/// Creating a cache or an engine from such a configuration fails with the same sentence, so a program can set everything and check once.
///
/// @param config [borrowed] from kvl_config_new(); may be NULL.
/// @return UTF-8, NUL-terminated, borrowed until the configuration is freed; NULL if none was refused, for NULL, and for a
///         configuration from before a fork.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_config_problem(config: *const kvl_config_t) -> *const c_char {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or(null(), || {
        let config = caller.borrow(config).ok();
        // The text outlives the lock: the first problem is kept until the configuration is freed, and never changed.
        config.and_then(|config| config.parts.lock().draft.problem().map(|problem| problem.as_ptr())).unwrap_or(null())
    })
}

/// Sets the provider, which answers keys that the store lacks.
///
/// @param config          [borrowed] from kvl_config_new().
/// @param function        [retained] NULL: requests are KVL_EVENT_REQUEST events of a queue, with `user_data`.
/// @param user_data       [retained] passed to `function` as its first argument; may be NULL.
/// @param user_data_free  [retained] runs once with `user_data`: when neither the configuration nor anything created from it has the
///                        function any more, or before this returns if the call fails; may be NULL.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_config_set_provider(
    config: *mut kvl_config_t,
    function: kvl_provide_fn,
    user_data: *mut c_void,
    user_data_free: kvl_free_fn,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let notify = Arc::new(Notify::new(function, user_data, user_data_free));
        caller.replace(config, |parts| &mut parts.provider, Some(notify))
    })
}

/// Sets the function that decides which keys are valid.
///
/// It runs once for each key that is looked up, fetched or stored, on the calling thread, before the lookup.
///
/// @param config          [borrowed] from kvl_config_new().
/// @param function        [retained] NULL: every key is valid.
/// @param user_data       [retained] passed to `function` as its first argument; may be NULL.
/// @param user_data_free  [retained] runs once with `user_data`: when neither the configuration nor anything created from it has the
///                        function any more, or before this returns if the call fails; may be NULL.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_config_set_validator(
    config: *mut kvl_config_t,
    function: kvl_validate_fn,
    user_data: *mut c_void,
    user_data_free: kvl_free_fn,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let notify = Arc::new(Notify::new(function, user_data, user_data_free));
        caller.replace_hook(config, function, |parts| &mut parts.validator, notify)
    })
}

/// Sets the function that computes the cost of a value.
///
/// It runs once for each value that is stored without a stated cost, on the thread that stores it.
///
/// @param config          [borrowed] from kvl_config_new().
/// @param function        [retained] NULL: the cost is the value's own, kvl_value_cost().
/// @param user_data       [retained] passed to `function` as its first argument; may be NULL.
/// @param user_data_free  [retained] runs once with `user_data`: when neither the configuration nor anything created from it has the
///                        function any more, or before this returns if the call fails; may be NULL.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_config_set_cost(
    config: *mut kvl_config_t,
    function: kvl_cost_fn,
    user_data: *mut c_void,
    user_data_free: kvl_free_fn,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let notify = Arc::new(Notify::new(function, user_data, user_data_free));
        caller.replace_hook(config, function, |parts| &mut parts.cost, notify)
    })
}

/// Sets the function that is called for each value that has left the store: one call at a time, and for each key in the order in which its
/// values left. What the store still has when its engine or cache ends is dropped without being reported.
///
/// For an engine it runs on the dispatcher. For a cache without an engine it runs inside the call that caused the removal, after that
/// call's locks are released, or on the dispatcher for entries that the timer removes. So it must not take a lock that the program holds
/// while it writes: see DELIVERY. If it is slower than the writers of an engine, the writers are throttled (`removals.max_pending`): a
/// writer waits for one call of the listener for at most a second.
///
/// @param config          [borrowed] from kvl_config_new().
/// @param function        [retained] NULL: removals are KVL_EVENT_REMOVAL events of a queue, with `user_data`.
/// @param user_data       [retained] passed to `function` as its first argument; may be NULL.
/// @param user_data_free  [retained] runs once with `user_data`: when neither the configuration nor anything created from it has the
///                        function any more, or before this returns if the call fails; may be NULL.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_config_set_removal_listener(
    config: *mut kvl_config_t,
    function: kvl_removal_fn,
    user_data: *mut c_void,
    user_data_free: kvl_free_fn,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let notify = Arc::new(Notify::new(function, user_data, user_data_free));
        caller.replace(config, |parts| &mut parts.removal, Some(notify))
    })
}

/// Sets the function that receives the outcome of each lookup.
///
/// It runs once for each key that is looked up or fetched, on the calling thread, before the call returns.
///
/// @param config          [borrowed] from kvl_config_new().
/// @param function        [retained] NULL: no listener.
/// @param user_data       [retained] passed to `function` as its first argument; may be NULL.
/// @param user_data_free  [retained] runs once with `user_data`: when neither the configuration nor anything created from it has the
///                        function any more, or before this returns if the call fails; may be NULL.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_config_set_record_listener(
    config: *mut kvl_config_t,
    function: kvl_record_fn,
    user_data: *mut c_void,
    user_data_free: kvl_free_fn,
) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let notify = Arc::new(Notify::new(function, user_data, user_data_free));
        caller.replace_hook(config, function, |parts| &mut parts.record, notify)
    })
}

/// Sets the clock to use instead of the system's clocks.
///
/// @param config  [borrowed] from kvl_config_new().
/// @param clock   [retained] from kvl_clock_new_manual(); NULL: the system's clocks.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_config_set_clock(config: *mut kvl_config_t, clock: *mut kvl_clock_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let clock = if clock.is_null() { None } else { Some(caller.borrow(clock)?.clock()) };
        caller.replace(config, |parts| &mut parts.clock, clock)
    })
}

/// Sets the runtime, whose threads are used by everything created from the configuration.
///
/// @param config   [borrowed] from kvl_config_new().
/// @param runtime  [borrowed] from kvl_runtime_new(); NULL: each cache and engine has its own threads. Once the runtime is freed, nothing
///                 can be created from the configuration: KVL_ERR_INVALID_HANDLE.
/// @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_config_set_runtime(config: *mut kvl_config_t, runtime: *mut kvl_runtime_t) -> kvl_status_t {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard(|| {
        let runtime = if runtime.is_null() { None } else { Some(caller.borrow(runtime)?.runtime()) };
        caller.replace(config, |parts| &mut parts.runtime, runtime)
    })
}

/// Frees a configuration. Caches and engines that were created from it are not affected, and keep its functions.
///
/// @param config [owned] from kvl_config_new(); NULL is ignored.
/// @threads one
/// @since 0.1
#[unsafe(no_mangle)]
pub unsafe extern "C" fn kvl_config_free(config: *mut kvl_config_t) {
    // SAFETY: the caller keeps the promises of the header.
    let caller = unsafe { Caller::trusted() };
    guard_or((), || caller.end(config));
}
