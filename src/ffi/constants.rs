//! The constants of the ABI: the members of closed sets, flags, special values and limits. No C enum is used, because a number out of range
//! would be undefined behaviour in Rust; a number from C is checked where it is used. The statuses are not here: build.rs writes them into
//! the header from their table (`base/status_table.rs`).

/// The outcome of a call: KVL_OK; above 0, an outcome that a program expects; below 0, an error (KVL_ERR_*).
pub type kvl_status_t = i32;

/// The source of a result: KVL_SOURCE_*.
pub type kvl_source_t = u32;
/// None: the position failed, or was refused before the lookup.
pub const KVL_SOURCE_NONE: kvl_source_t = 0;
/// The store.
pub const KVL_SOURCE_STORE: kvl_source_t = 1;
/// The provider, in a load that this fetch started.
pub const KVL_SOURCE_PROVIDER: kvl_source_t = 2;
/// The provider, in a load that was in progress: one of another fetch, or of an earlier position of this fetch with the same key.
pub const KVL_SOURCE_JOINED: kvl_source_t = 3;
/// A put, which settled a key that was waiting for its load to begin.
pub const KVL_SOURCE_PUT: kvl_source_t = 4;
/// The memory of recent errors.
pub const KVL_SOURCE_ERROR_MEMORY: kvl_source_t = 5;
/// The store, with an expired entry that served as a fallback.
pub const KVL_SOURCE_STALE: kvl_source_t = 6;
/// The second tier.
pub const KVL_SOURCE_L2: kvl_source_t = 7;

/// The reason why a value is no longer in the store: KVL_CAUSE_*.
pub type kvl_cause_t = u32;
/// The entry expired.
pub const KVL_CAUSE_EXPIRED: kvl_cause_t = 1;
/// The entry was evicted to make room for another one (cache.capacity).
pub const KVL_CAUSE_CAPACITY: kvl_cause_t = 2;
/// The entry was evicted to make room for another one's cost (cache.cost_limit).
pub const KVL_CAUSE_COST: kvl_cause_t = 3;
/// Another value was stored under the key.
pub const KVL_CAUSE_REPLACED: kvl_cause_t = 4;
/// The entry was removed, taken or popped.
pub const KVL_CAUSE_REMOVED: kvl_cause_t = 5;
/// The store was cleared.
pub const KVL_CAUSE_CLEARED: kvl_cause_t = 6;
/// The value was refused, and never stored.
pub const KVL_CAUSE_REFUSED: kvl_cause_t = 7;
/// The store was trimmed or made smaller.
pub const KVL_CAUSE_TRIMMED: kvl_cause_t = 8;
/// The entry was removed by one of its tags.
pub const KVL_CAUSE_TAG: kvl_cause_t = 9;

/// The kind of an event: KVL_EVENT_*.
pub type kvl_event_kind_t = u32;
/// One position of a fetch is settled.
pub const KVL_EVENT_RESULT: kvl_event_kind_t = 1;
/// All positions of a batch are settled.
pub const KVL_EVENT_RESULTS: kvl_event_kind_t = 2;
/// Some more positions of a batch are settled.
pub const KVL_EVENT_PROGRESS: kvl_event_kind_t = 3;
/// The provider has a request to answer.
pub const KVL_EVENT_REQUEST: kvl_event_kind_t = 4;
/// A request that the program holds is no longer wanted.
pub const KVL_EVENT_CANCEL: kvl_event_kind_t = 5;
/// The last reference to an object without a destructor was dropped: `user_data` is the object.
pub const KVL_EVENT_DROP: kvl_event_kind_t = 6;
/// A value is no longer in the store.
pub const KVL_EVENT_REMOVAL: kvl_event_kind_t = 7;
/// An engine is closed. This is its last event.
pub const KVL_EVENT_CLOSED: kvl_event_kind_t = 8;
/// The second tier has a request to serve.
pub const KVL_EVENT_L2: kvl_event_kind_t = 9;

/// Results, progress, the notice of a close, and the freeing of the fetches' user data go to the queue.
pub const KVL_QUEUE_F_RESULTS: u32 = 1;
/// Requests and cancel hooks go to the queue.
pub const KVL_QUEUE_F_PROVIDER: u32 = 2;
/// Removals go to the queue.
pub const KVL_QUEUE_F_REMOVALS: u32 = 4;
/// The three flags above together.
pub const KVL_QUEUE_F_ALL: u32 = 7;
/// Requests for the second tier go to the queue. Not part of KVL_QUEUE_F_ALL: a program that drives everything else by its queue may still
/// have a second tier whose function is called.
pub const KVL_QUEUE_F_L2: u32 = 8;

/// Close at once: open positions are settled with KVL_ERR_CLOSED.
pub const KVL_CLOSE_CANCEL: u32 = 0;
/// Close when accepted work is done, or at the deadline.
pub const KVL_CLOSE_DRAIN: u32 = 1;

/// Invalidates all keys: the call passes none.
pub const KVL_INVALIDATE_F_ALL: u32 = 1;
/// Entries expire instead of being removed, and stay as fallbacks until their grace period ends.
pub const KVL_INVALIDATE_F_EXPIRE: u32 = 2;

/// A request to look keys up. Answer each key with kvl_l2_request_hit(), kvl_l2_request_hit_object(), kvl_l2_request_miss(),
/// kvl_l2_request_leased() or kvl_l2_request_fail().
pub const KVL_L2_READ: u32 = 1;
/// A request to store entries that were loaded, each only if its key has not changed since it was looked up.
pub const KVL_L2_FILL: u32 = 2;
/// A request to store entries that were put.
pub const KVL_L2_WRITE: u32 = 3;
/// A request to remove keys.
pub const KVL_L2_REMOVE: u32 = 4;
/// A request to remove all keys, which names none.
pub const KVL_L2_CLEAR: u32 = 5;
/// The second tier compares tokens: it stores an entry of KVL_L2_FILL only if the entry's token is still the key's token.
pub const KVL_L2_F_CONDITIONAL: u32 = 1;
/// The second tier grants leases: the first read of an absent key receives a token, and other reads of the key receive none until the key
/// is written or the token expires.
pub const KVL_L2_F_LEASES: u32 = 2;
/// The second tier stores objects too: the program converts them to bytes and back. Without this flag, objects stay in the process.
pub const KVL_L2_F_OBJECTS: u32 = 4;
/// What is left of a TTL: the second tier does not know it, but ends entries in time.
pub const KVL_L2_TTL_UNKNOWN: i64 = -2;

/// The circuit breaker lets requests through.
pub const KVL_BREAKER_CLOSED: u32 = 0;
/// The circuit breaker keeps requests from the provider.
pub const KVL_BREAKER_OPEN: u32 = 1;
/// The circuit breaker lets probes through.
pub const KVL_BREAKER_HALF_OPEN: u32 = 2;

/// The circuit breaker is not forced.
pub const KVL_BREAKER_FORCE_NONE: u32 = 0;
/// The circuit breaker is forced closed.
pub const KVL_BREAKER_FORCE_CLOSED: u32 = 1;
/// The circuit breaker is forced open.
pub const KVL_BREAKER_FORCE_OPEN: u32 = 2;

/// A value of bytes.
pub const KVL_KIND_BYTES: u32 = 1;
/// A value that is a pointer of the program.
pub const KVL_KIND_OBJECT: u32 = 2;
/// The constant that stands for "known to be absent".
pub const KVL_KIND_NULL: u32 = 3;

/// In the flags of results and events: no further event of this fetch follows.
pub const KVL_F_LAST: u32 = 1;
/// In the flags of a result: the value, or the null, had expired and served as a fallback. `error` is the error of the load; it is NULL if
/// the load takes too long (`stale.timeout_ms`).
pub const KVL_F_STALE: u32 = 2;

/// The request is wanted.
pub const KVL_CANCEL_NO: u32 = 0;
/// None of the request's keys is wanted any more.
pub const KVL_CANCEL_UNWANTED: u32 = 1;
/// The attempt has timed out.
pub const KVL_CANCEL_TIMEOUT: u32 = 2;
/// The engine closes.
pub const KVL_CANCEL_CLOSED: u32 = 3;

/// A TTL: the entry never expires.
pub const KVL_TTL_NEVER: i64 = -1;
/// A TTL: that of the configuration (`cache.ttl_ms`, `cache.null_ttl_ms`).
pub const KVL_TTL_DEFAULT: i64 = -2;
/// A grace period: none.
pub const KVL_STALE_NEVER: i64 = -1;
/// A cost: the cost function's, or else the value's own.
pub const KVL_COST_DEFAULT: i64 = -1;
/// A priority: for an answer, the setting `priority` of the fetch; for a put, 0.
pub const KVL_PRIORITY_DEFAULT: f64 = -1.7976931348623157e308;
/// A put that replaces a live entry keeps the expiry of that entry; `ttl_ms` applies only if there is no live entry.
pub const KVL_PUT_F_KEEP_TTL: u32 = 1;
/// A put takes place only if the key has no live entry; otherwise it returns KVL_CONFLICT. A null is an entry.
pub const KVL_PUT_F_IF_ABSENT: u32 = 2;
/// A put takes place only if the key has a live entry; otherwise it returns KVL_MISS. A null is an entry.
pub const KVL_PUT_F_IF_PRESENT: u32 = 4;
/// A timeout: none.
pub const KVL_FOREVER: i64 = -1;
/// The library's own memory for an entry, in bytes. An entry whose value has a stated cost costs this, plus the value's cost, plus the
/// length of the key. A version and tags cost extra.
pub const KVL_ENTRY_COST: u64 = 90;
const _: () = assert!(KVL_ENTRY_COST == crate::cache::ENTRY_COST);
/// An urgency: the default of a refresh.
pub const KVL_URGENCY_BACKGROUND: i32 = -1000;
const _: () = assert!(KVL_URGENCY_BACKGROUND == crate::base::config::BACKGROUND);
/// The maximum length of a tag, and of the version that is stated for a record, in bytes.
pub const KVL_LABEL_MAX: u32 = 255;
const _: () = assert!(KVL_LABEL_MAX as usize == crate::base::labels::LABEL_MAX);
/// The maximum number of tags of an entry.
pub const KVL_TAGS_MAX: u32 = 16;
const _: () = assert!(KVL_TAGS_MAX as usize == crate::base::labels::TAGS_MAX);
/// The maximum length of a key, in bytes.
pub const KVL_KEY_MAX: u32 = 65535;
