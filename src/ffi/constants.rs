//! The closed sets of the ABI: a scalar type with its constants each. No C enum crosses, since a number out of range would be
//! undefined behaviour here; a number from C is checked where it is used. The statuses are not here: they have their table
//! (`base/status_table.rs`), from which build.rs writes them into the header.

/// An outcome or an error: KVL_OK, above 0 an outcome that a program expects, below 0 an error (KVL_ERR_*).
pub type kvl_status_t = i32;

/// Where a result came from: KVL_SOURCE_*.
pub type kvl_source_t = u32;
/// From nowhere: the position failed, or was refused before anything was looked up.
pub const KVL_SOURCE_NONE: kvl_source_t = 0;
/// From the store.
pub const KVL_SOURCE_STORE: kvl_source_t = 1;
/// From the provider, in a load that this fetch started.
pub const KVL_SOURCE_PROVIDER: kvl_source_t = 2;
/// From the provider, in a load that was under way: another fetch's, or that of the same key at an earlier position of this one.
pub const KVL_SOURCE_JOINED: kvl_source_t = 3;
/// From a put that settled the waiting load.
pub const KVL_SOURCE_PUT: kvl_source_t = 4;
/// From the memory of recent errors.
pub const KVL_SOURCE_ERROR_MEMORY: kvl_source_t = 5;
/// From the store, though its time was over: there was nothing better.
pub const KVL_SOURCE_STALE: kvl_source_t = 6;

/// Why a value is no longer in the store: KVL_CAUSE_*.
pub type kvl_cause_t = u32;
/// Its time was over.
pub const KVL_CAUSE_EXPIRED: kvl_cause_t = 1;
/// It made room for another entry (cache.capacity).
pub const KVL_CAUSE_CAPACITY: kvl_cause_t = 2;
/// It made room for another entry's cost (cache.cost_limit).
pub const KVL_CAUSE_COST: kvl_cause_t = 3;
/// Another value was stored under its key.
pub const KVL_CAUSE_REPLACED: kvl_cause_t = 4;
/// It was removed, taken or popped.
pub const KVL_CAUSE_REMOVED: kvl_cause_t = 5;
/// The store was cleared or went away.
pub const KVL_CAUSE_CLEARED: kvl_cause_t = 6;
/// It never got in.
pub const KVL_CAUSE_REFUSED: kvl_cause_t = 7;
/// The store was trimmed or made smaller.
pub const KVL_CAUSE_TRIMMED: kvl_cause_t = 8;

/// What an event reports: KVL_EVENT_*.
pub type kvl_event_kind_t = u32;
/// One position of a fetch is settled.
pub const KVL_EVENT_RESULT: kvl_event_kind_t = 1;
/// A whole batch is settled.
pub const KVL_EVENT_RESULTS: kvl_event_kind_t = 2;
/// Some positions of a batch are settled.
pub const KVL_EVENT_PROGRESS: kvl_event_kind_t = 3;
/// The provider is asked: answer the request.
pub const KVL_EVENT_REQUEST: kvl_event_kind_t = 4;
/// A request that the program holds is no longer wanted.
pub const KVL_EVENT_CANCEL: kvl_event_kind_t = 5;
/// The last reference to an object without a destructor is gone: `user_data` is the object.
pub const KVL_EVENT_DROP: kvl_event_kind_t = 6;
/// A value is no longer in the store.
pub const KVL_EVENT_REMOVAL: kvl_event_kind_t = 7;
/// An engine is closed: its last event.
pub const KVL_EVENT_CLOSED: kvl_event_kind_t = 8;

/// To the queue go results, progress, the end of a close, and the end of fetches' user data.
pub const KVL_QUEUE_F_RESULTS: u32 = 1;
/// To the queue go requests and cancel hooks.
pub const KVL_QUEUE_F_PROVIDER: u32 = 2;
/// To the queue go removals.
pub const KVL_QUEUE_F_REMOVALS: u32 = 4;
/// All of these.
pub const KVL_QUEUE_F_ALL: u32 = 7;

/// Close at once: what is open is settled with KVL_ERR_CLOSED.
pub const KVL_CLOSE_CANCEL: u32 = 0;
/// Close when what was accepted is done, or at the deadline.
pub const KVL_CLOSE_DRAIN: u32 = 1;

/// The circuit breaker lets requests through.
pub const KVL_BREAKER_CLOSED: u32 = 0;
/// The circuit breaker keeps them from the provider.
pub const KVL_BREAKER_OPEN: u32 = 1;
/// The circuit breaker lets probes through.
pub const KVL_BREAKER_HALF_OPEN: u32 = 2;

/// The circuit breaker decides by itself.
pub const KVL_BREAKER_FORCE_NONE: u32 = 0;
/// The circuit breaker is ordered closed.
pub const KVL_BREAKER_FORCE_CLOSED: u32 = 1;
/// The circuit breaker is ordered open.
pub const KVL_BREAKER_FORCE_OPEN: u32 = 2;

/// A value that is bytes.
pub const KVL_KIND_BYTES: u32 = 1;
/// A value that is a pointer of the program's.
pub const KVL_KIND_OBJECT: u32 = 2;
/// The constant that stands for "known to be absent".
pub const KVL_KIND_NULL: u32 = 3;

/// In the flags of results and events: nothing more follows for this fetch.
pub const KVL_F_LAST: u32 = 1;
/// In the flags of a result: the time of the value, or of the null, was over, and there was nothing better. `error` says what the load failed
/// with; it is NULL if the load takes too long (`stale.timeout_ms`).
pub const KVL_F_STALE: u32 = 2;

/// The request is wanted.
pub const KVL_CANCEL_NO: u32 = 0;
/// None of its keys is wanted any more.
pub const KVL_CANCEL_UNWANTED: u32 = 1;
/// The attempt's time is over.
pub const KVL_CANCEL_TIMEOUT: u32 = 2;
/// The engine closes.
pub const KVL_CANCEL_CLOSED: u32 = 3;

/// A TTL: until something else removes the entry.
pub const KVL_TTL_NEVER: i64 = -1;
/// A TTL: what the configuration says.
pub const KVL_TTL_DEFAULT: i64 = -2;
/// A time as a fallback: none.
pub const KVL_STALE_NEVER: i64 = -1;
/// A cost: the cost function's, else the value's own.
pub const KVL_COST_DEFAULT: i64 = -1;
/// A priority: not stated.
pub const KVL_PRIORITY_DEFAULT: f64 = -1.7976931348623157e308;
/// A put over a live entry keeps that entry's end; `ttl_ms` is then for a key that has none.
pub const KVL_PUT_F_KEEP_TTL: u32 = 1;
/// A put takes place only if the key has no live entry; else it is KVL_CONFLICT. Null is an entry.
pub const KVL_PUT_F_IF_ABSENT: u32 = 2;
/// A put takes place only if the key has a live entry; else it is KVL_MISS. Null is an entry.
pub const KVL_PUT_F_IF_PRESENT: u32 = 4;
/// A timeout: none.
pub const KVL_FOREVER: i64 = -1;
/// What the library itself spends on an entry, in bytes: an entry whose value's cost is stated costs that, its key's length and this.
pub const KVL_ENTRY_COST: u64 = 90;
const _: () = assert!(KVL_ENTRY_COST == crate::cache::ENTRY_COST);
/// An urgency: that of a refresh whose options state none.
pub const KVL_URGENCY_BACKGROUND: i32 = -1000;
const _: () = assert!(KVL_URGENCY_BACKGROUND == crate::base::config::BACKGROUND);
/// The longest key, in bytes.
pub const KVL_KEY_MAX: u32 = 65535;
