//! The library's types as C sees them: opaque handles, plain structs and callback types. These are only declarations: the file of each noun
//! says what its handle points to (`handle.rs`).
//!
//! The handles are zero-sized markers, so that the type behind a pointer can change without a change of the ABI.

use super::constants::{kvl_cause_t, kvl_event_kind_t, kvl_source_t, kvl_status_t};
use std::ffi::c_void;

/// A runtime: threads and timers that several engines share.
pub struct kvl_runtime_t {
    _opaque: [u8; 0],
}

/// A clock that moves only when it is advanced.
pub struct kvl_clock_t {
    _opaque: [u8; 0],
}

/// A configuration, from which caches and engines are created.
pub struct kvl_config_t {
    _opaque: [u8; 0],
}

/// The options of a fetch, which override the engine's settings.
pub struct kvl_options_t {
    _opaque: [u8; 0],
}

/// A value: bytes, an object of the program, or null. It is reference counted, and immutable once shared.
pub struct kvl_value_t {
    _opaque: [u8; 0],
}

/// An error: status, code, message, and an object of the program. It is reference counted and immutable.
pub struct kvl_error_t {
    _opaque: [u8; 0],
}

/// A cache.
pub struct kvl_cache_t {
    _opaque: [u8; 0],
}

/// A reader: gives one thread access to values of a cache without a copy.
pub struct kvl_reader_t {
    _opaque: [u8; 0],
}

/// An iterator over all entries of a cache.
pub struct kvl_iterator_t {
    _opaque: [u8; 0],
}

/// An engine: a cache with a provider.
pub struct kvl_tasks_t {
    _opaque: [u8; 0],
}

/// A fetch, as a handle to cancel it, to wait for it and to see its progress.
pub struct kvl_fetch_t {
    _opaque: [u8; 0],
}

/// The results of a batch.
pub struct kvl_results_t {
    _opaque: [u8; 0],
}

/// A request: keys for the provider to answer.
pub struct kvl_request_t {
    _opaque: [u8; 0],
}

/// A request for the second tier: keys to look up, or to write.
pub struct kvl_l2_request_t {
    _opaque: [u8; 0],
}

/// A queue of events for a thread of the program.
pub struct kvl_queue_t {
    _opaque: [u8; 0],
}

/// Bytes that another object owns. Frozen: this struct never changes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kvl_slice_t {
    /// The bytes; may be NULL if `len` is 0.
    pub data: *const u8,
    /// The number of bytes.
    pub len: usize,
}

/// The terms on which an answer is stored. Begin with KVL_TERMS_INIT, then set the fields that differ from the defaults, as in `kvl_terms_t
/// terms = KVL_TERMS_INIT; terms.ttl_ms = 30000;`. NULL instead of terms states none.
///
/// Except for the flags of a put, all terms may be combined, so that no answer is lost because its terms conflict. Terms have no effect on
/// an answer that is not stored (a TTL of 0, a fetch with `read` = `no_store`). An entry without a TTL can still be expired by a call, such
/// as kvl_cache_expire(): its grace period begins then.
///
/// Later versions append fields whose default is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kvl_terms_t {
    /// sizeof(kvl_terms_t) as the program was compiled, in bytes.
    pub struct_size: usize,
    /// Milliseconds above 0, KVL_TTL_NEVER or KVL_TTL_DEFAULT; 0: the answer is not stored, and an existing entry is removed.
    pub ttl_ms: i64,
    /// Entries with a lower priority are evicted before those with a higher one; KVL_PRIORITY_DEFAULT: for an answer, the setting
    /// `priority` of the fetch; for a put, 0. Not NaN.
    pub priority: f64,
    /// The cost of the value, in bytes; KVL_COST_DEFAULT: the cost function's, or else the value's own.
    pub cost: i64,
    /// KVL_PUT_F_* for a put; 0 in an answer to a request.
    pub flags: u32,
    /// Must be 0.
    pub reserved: u32,
    /// The length of the grace, during which the expired entry stays as a fallback, in milliseconds; 0: `stale.ttl_ms`; KVL_STALE_NEVER: no
    /// grace. Since 0.2.
    pub stale_ttl_ms: i64,
    /// The version of the record as the provider's source knows it, such as an ETag; kvl_request_stale() returns it. `version_len` bytes,
    /// copied; may be NULL if `version_len` is 0. Since 0.2.
    pub version: *const u8,
    /// The length of `version` in bytes, at most KVL_LABEL_MAX; it is part of the cost. Since 0.2.
    pub version_len: usize,
    /// The entry's tags, by which kvl_cache_remove_tag() finds it: `tags_len` slices of 1 to KVL_LABEL_MAX bytes, copied; may be NULL if
    /// `tags_len` is 0. An entry with tags is not stored in a second tier: each process loads it for itself, and if another process was
    /// granted the lease of the key, it waits for `l2.wait_ms` first. Since 0.2.
    pub tags: *const kvl_slice_t,
    /// The number of tags, at most KVL_TAGS_MAX; tags are part of the cost. Since 0.2.
    pub tags_len: usize,
}

/// The progress of kvl_cache_save() or kvl_cache_load(), or its final state. The library fills it; later versions append fields: check
/// `struct_size` before reading a field of a later version.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kvl_transfer_t {
    /// The number of bytes that the library has filled.
    pub struct_size: usize,
    /// Entries that were written to the file, or stored in the cache.
    pub entries: u64,
    /// Entries that were skipped: objects that were not converted; in a load, also entries whose key has an entry already, or that are
    /// refused.
    pub skipped: u64,
    /// The expected number of entries: that of the cache when the save began, or that of the file.
    pub total: u64,
    /// Bytes of the file that were written or read.
    pub bytes: u64,
}

/// The result of one position of a fetch; also the view of an entry that a removal listener receives.
/// The library fills it; later versions append fields: check `struct_size` before reading a field of a later version.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kvl_result_t {
    /// The number of bytes that the library has filled.
    pub struct_size: usize,
    /// The position of the key in the call.
    pub index: usize,
    /// The key. Borrowed with the result, like all pointers in it.
    pub key: *const u8,
    /// The key's length in bytes.
    pub key_len: usize,
    /// The value if the status is KVL_VALUE, else NULL.
    pub value: *mut kvl_value_t,
    /// The value's bytes; NULL for objects.
    pub data: *const u8,
    /// The length of `data` in bytes.
    pub data_len: usize,
    /// The value's object; NULL for bytes.
    pub object: *mut c_void,
    /// The error if the status is below 0, and then never NULL; the same pointer for all fetches that waited for the load. With
    /// KVL_F_STALE: the error of the load, or NULL.
    pub error: *mut kvl_error_t,
    /// Milliseconds since the answer was loaded or put in this process; 0 for a new answer. An answer of the second tier is new when it is
    /// found there, however old it is: the second tier does not know when it was loaded.
    pub age_ms: i64,
    /// Milliseconds until the answer expires; KVL_TTL_NEVER; 0 if it is not stored.
    pub ttl_left_ms: i64,
    /// The cost of the entry, in bytes.
    pub cost: u64,
    /// KVL_VALUE, KVL_NULL, KVL_MISS (cache-only), KVL_INVALID_KEY, or an error.
    pub status: kvl_status_t,
    /// KVL_SOURCE_*.
    pub source: kvl_source_t,
    /// How many attempts the load made; 0 if there was no load.
    pub attempts: u32,
    /// KVL_F_*.
    pub flags: u32,
}

/// An event of kvl_queue_next(). The library fills as much as the caller's size holds.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kvl_event_t {
    /// The number of bytes that the library has filled.
    pub struct_size: usize,
    /// KVL_EVENT_*.
    pub kind: kvl_event_kind_t,
    /// KVL_F_*.
    pub flags: u32,
    /// The user data that the program passed for this event: with the fetch, provider, second tier, listener, close or cancel hook. For
    /// KVL_EVENT_DROP the object.
    pub user_data: *mut c_void,
    /// The engine, borrowed; NULL for KVL_EVENT_DROP and for caches without an engine.
    pub tasks: *mut kvl_tasks_t,
    /// For KVL_EVENT_RESULT, and for KVL_EVENT_REMOVAL (key, value, cost). Borrowed until the queue is read again, like all pointers in an
    /// event.
    pub result: *const kvl_result_t,
    /// For KVL_EVENT_RESULTS.
    pub results: *mut kvl_results_t,
    /// For KVL_EVENT_REQUEST and KVL_EVENT_CANCEL.
    pub request: *mut kvl_request_t,
    /// For KVL_EVENT_PROGRESS: how many positions are settled.
    pub done: usize,
    /// For KVL_EVENT_PROGRESS: how many of the settled positions failed.
    pub failed: usize,
    /// For KVL_EVENT_PROGRESS: how many positions there are.
    pub total: usize,
    /// For KVL_EVENT_REMOVAL: KVL_CAUSE_*.
    pub cause: kvl_cause_t,
    /// Always 0.
    pub reserved: u32,
    /// For KVL_EVENT_L2. Since 0.2.
    pub l2_request: *mut kvl_l2_request_t,
}

/// Frees `user_data` or an object. Runs exactly once.
pub type kvl_free_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void)>;
/// Receives the result of one position; `result` is borrowed until the function returns.
pub type kvl_result_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, result: *const kvl_result_t)>;
/// Receives the results of a batch; `results` is borrowed until the function returns, and kvl_results_retain() keeps it for longer.
pub type kvl_results_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, results: *mut kvl_results_t)>;
/// Receives the progress of a batch, in positions.
pub type kvl_progress_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, done: usize, failed: usize, total: usize)>;
/// Receives the progress of a save or a load; `progress` is borrowed until the function returns. Returns 0 to continue; any other number
/// stops the save or the load.
pub type kvl_transfer_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, progress: *const kvl_transfer_t) -> i32>;
/// Returns a replacement for the value of `entry`, as a new reference; NULL skips the entry. `entry` is borrowed until the function
/// returns; only its key and its value are filled in.
pub type kvl_convert_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, entry: *const kvl_result_t) -> *mut kvl_value_t>;
/// The provider: answers the keys of `request`, now or later; kvl_request_retain() keeps the request for later.
pub type kvl_provide_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, request: *mut kvl_request_t)>;
/// The second tier: serves `request`, now or later; kvl_l2_request_retain() keeps the request for later.
pub type kvl_l2_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, request: *mut kvl_l2_request_t)>;
/// Reports that `request` is no longer wanted; `reason` is KVL_CANCEL_*.
pub type kvl_cancel_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, request: *mut kvl_request_t, reason: u32)>;
/// Reports that an engine is closed.
pub type kvl_closed_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void)>;
/// Reports that a queue is no longer empty. Runs on a thread of the library; it may only schedule a poll.
pub type kvl_wake_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void)>;
/// Returns whether a key is valid: not 0 if it is. Runs on the calling thread.
pub type kvl_validate_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, key: *const u8, key_len: usize) -> u32>;
/// Returns the cost of a value, in bytes. Runs on the thread that stores the value.
pub type kvl_cost_fn =
    Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, key: *const u8, key_len: usize, value: *mut kvl_value_t) -> u64>;
/// Reports that a value is no longer in the store; `entry` is borrowed until the function returns.
pub type kvl_removal_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, entry: *const kvl_result_t, cause: kvl_cause_t)>;
/// Receives the outcome of a lookup: KVL_VALUE, KVL_NULL, KVL_MISS or KVL_INVALID_KEY. Runs on the calling thread.
pub type kvl_record_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, record: kvl_status_t, key: *const u8, key_len: usize)>;
