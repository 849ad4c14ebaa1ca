//! What C sees of the library's types: opaque handles, five plain structs and the
//! callback types. Only declarations: what a handle points at is said by its noun's file, in one place (`handle.rs`).
//!
//! The handles are zero-sized markers, so that what stands behind a pointer can change without the ABI noticing.

use super::constants::{kvl_cause_t, kvl_event_kind_t, kvl_source_t, kvl_status_t};
use std::ffi::c_void;

/// Threads and timers that several engines share.
pub struct kvl_runtime_t {
    _opaque: [u8; 0],
}

/// A clock that moves only when it is advanced.
pub struct kvl_clock_t {
    _opaque: [u8; 0],
}

/// What a cache or an engine is made from.
pub struct kvl_config_t {
    _opaque: [u8; 0],
}

/// What one fetch may set for itself.
pub struct kvl_options_t {
    _opaque: [u8; 0],
}

/// A value: bytes, an object of the program's, or null; reference counted and immutable once shared.
pub struct kvl_value_t {
    _opaque: [u8; 0],
}

/// An error: status, code, message and an object of the program's; reference counted and immutable.
pub struct kvl_error_t {
    _opaque: [u8; 0],
}

/// A store.
pub struct kvl_cache_t {
    _opaque: [u8; 0],
}

/// One thread's window on a store.
pub struct kvl_reader_t {
    _opaque: [u8; 0],
}

/// A walk over all entries of a store.
pub struct kvl_iterator_t {
    _opaque: [u8; 0],
}

/// An engine: a store with a provider behind it.
pub struct kvl_tasks_t {
    _opaque: [u8; 0],
}

/// A fetch: to cancel it, to wait for it, to see its progress.
pub struct kvl_fetch_t {
    _opaque: [u8; 0],
}

/// What a batch came to.
pub struct kvl_results_t {
    _opaque: [u8; 0],
}

/// Keys that the provider is asked for.
pub struct kvl_request_t {
    _opaque: [u8; 0],
}

/// Events on their way to a thread of the program's.
pub struct kvl_queue_t {
    _opaque: [u8; 0],
}

/// Bytes of somebody else's. Frozen: this struct never changes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kvl_slice_t {
    /// The bytes; may be NULL if `len` is 0.
    pub data: *const u8,
    /// How many.
    pub len: usize,
}

/// On which terms an answer is stored: begin with KVL_TERMS_INIT, then state what is to differ, as in
/// `kvl_terms_t terms = KVL_TERMS_INIT; terms.ttl_ms = 30000;`. NULL in its place states nothing.
///
/// Later versions append fields, with 0 for their default.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kvl_terms_t {
    /// sizeof(kvl_terms_t), as the caller was compiled.
    pub struct_size: usize,
    /// Milliseconds above 0, KVL_TTL_NEVER, KVL_TTL_DEFAULT; 0: do not store, and remove what is stored.
    pub ttl_ms: i64,
    /// Entries of lower priority make room for those of higher; KVL_PRIORITY_DEFAULT: that of the fetch, else 0; not NaN.
    pub priority: f64,
    /// What the value costs, in bytes; KVL_COST_DEFAULT: what the cost function says, else the value itself.
    pub cost: i64,
    /// KVL_PUT_F_* of a put; 0 in an answer to a request.
    pub flags: u32,
    /// 0.
    pub reserved: u32,
    /// How long the entry stays after its end as a fallback, in milliseconds; 0: `stale.ttl_ms`; KVL_STALE_NEVER: not at all. Since 0.2.
    pub stale_ttl_ms: i64,
}

/// How far kvl_cache_save() or kvl_cache_load() has come, or came.
/// The library fills it; later versions append fields: check `struct_size` before reading a field of a later version.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kvl_transfer_t {
    /// The size of what the library filled, in bytes.
    pub struct_size: usize,
    /// Entries that are in the file now, or in the cache.
    pub entries: u64,
    /// Entries that were left out: objects; when loading, those of keys that have an entry and those that do not get in.
    pub skipped: u64,
    /// How many entries there are to be: those of the cache when the save began, or those of the file.
    pub total: u64,
    /// Bytes of the file that were written or read.
    pub bytes: u64,
}

/// The result of one position of a fetch; also the view of an entry that a removal listener receives.
/// The library fills it; later versions append fields: check `struct_size` before reading a field of a later version.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kvl_result_t {
    /// The size of what the library filled, in bytes.
    pub struct_size: usize,
    /// The position in the call that asked.
    pub index: usize,
    /// The key; borrowed, as all pointers here, with the result.
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
    /// The error if the status is below 0, and then never NULL; one pointer for all who waited. With KVL_F_STALE: what the load failed with,
    /// or NULL.
    pub error: *mut kvl_error_t,
    /// Milliseconds since it was loaded or put; 0 when fresh.
    pub age_ms: i64,
    /// Milliseconds it will live; KVL_TTL_NEVER; 0 when it is not stored.
    pub ttl_left_ms: i64,
    /// What it costs to keep, in bytes.
    pub cost: u64,
    /// KVL_VALUE, KVL_NULL, KVL_MISS (cache-only), KVL_INVALID_KEY, or an error.
    pub status: kvl_status_t,
    /// KVL_SOURCE_*.
    pub source: kvl_source_t,
    /// How many attempts the load took; 0 if there was none.
    pub attempts: u32,
    /// KVL_F_*.
    pub flags: u32,
}

/// What kvl_queue_next() hands out. The library fills as much as the caller's size holds.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct kvl_event_t {
    /// The size of what the library filled, in bytes.
    pub struct_size: usize,
    /// KVL_EVENT_*.
    pub kind: kvl_event_kind_t,
    /// KVL_F_*.
    pub flags: u32,
    /// The user data of the fetch, the provider or the hook; for KVL_EVENT_DROP the object.
    pub user_data: *mut c_void,
    /// Whose event it is, borrowed; NULL for KVL_EVENT_DROP and plain caches.
    pub tasks: *mut kvl_tasks_t,
    /// KVL_EVENT_RESULT; KVL_EVENT_REMOVAL (key, value, cost). Borrowed until the next call, as all pointers here.
    pub result: *const kvl_result_t,
    /// KVL_EVENT_RESULTS.
    pub results: *mut kvl_results_t,
    /// KVL_EVENT_REQUEST, KVL_EVENT_CANCEL.
    pub request: *mut kvl_request_t,
    /// KVL_EVENT_PROGRESS: positions settled.
    pub done: usize,
    /// KVL_EVENT_PROGRESS: positions that failed, of those settled.
    pub failed: usize,
    /// KVL_EVENT_PROGRESS: positions in all.
    pub total: usize,
    /// KVL_EVENT_REMOVAL: KVL_CAUSE_*.
    pub cause: kvl_cause_t,
    /// 0.
    pub reserved: u32,
}

/// Ends `user_data` or an object. Runs exactly once.
pub type kvl_free_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void)>;
/// Tells the result of one position; `result` is borrowed until the function returns.
pub type kvl_result_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, result: *const kvl_result_t)>;
/// Tells the results of a batch; `results` is borrowed until the function returns, kvl_results_retain() keeps it.
pub type kvl_results_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, results: *mut kvl_results_t)>;
/// Tells how far a batch is, in positions.
pub type kvl_progress_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, done: usize, failed: usize, total: usize)>;
/// Tells how far a save or a load has come; `progress` is borrowed until the function returns. Returns 0 to go on; anything else stops it.
pub type kvl_transfer_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, progress: *const kvl_transfer_t) -> i32>;
/// Returns what takes the place of the value of `entry`, a new reference; NULL leaves the entry out. `entry` is borrowed until the function
/// returns; of its fields only the key and the value are filled.
pub type kvl_convert_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, entry: *const kvl_result_t) -> *mut kvl_value_t>;
/// The provider: answers the keys of `request`, now or later; kvl_request_retain() keeps it for later.
pub type kvl_provide_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, request: *mut kvl_request_t)>;
/// Tells that `request` is no longer wanted; `reason` is KVL_CANCEL_*.
pub type kvl_cancel_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, request: *mut kvl_request_t, reason: u32)>;
/// Tells that an engine is closed.
pub type kvl_closed_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void)>;
/// Tells that a queue is no longer empty. Runs on a thread of the library; may only schedule a poll.
pub type kvl_wake_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void)>;
/// Says whether a key is valid: not 0 if it is. Runs on the calling thread.
pub type kvl_validate_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, key: *const u8, key_len: usize) -> u32>;
/// Says what a value costs to keep, in bytes. Runs on the thread that stores it.
pub type kvl_cost_fn =
    Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, key: *const u8, key_len: usize, value: *mut kvl_value_t) -> u64>;
/// Tells that a value is no longer in the store; `entry` is borrowed until the function returns.
pub type kvl_removal_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, entry: *const kvl_result_t, cause: kvl_cause_t)>;
/// Tells how a lookup went: KVL_VALUE, KVL_NULL, KVL_MISS or KVL_INVALID_KEY. Runs on the asking thread.
pub type kvl_record_fn = Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, record: kvl_status_t, key: *const u8, key_len: usize)>;
