# frozen_string_literal: true

# Generated from api/api.json by `make generate`. Do not edit.

module Kvlight
  VERSION = "0.2.0"

  # The library's statuses and constants, by their names without "KVL_".
  OK = 0 # done
  VALUE = 1 # a value
  NULL = 2 # known to be absent
  MISS = 3 # not in the store
  INVALID_KEY = 4 # the validator refused the key
  PENDING = 5 # accepted: the promised events follow
  EMPTY = 6 # nothing within the timeout, a wake-up ended the wait, or an iterator has no more entries
  REFUSED = 7 # not stored: no room for the entry's priority, capacity 0, or TTL 0; an older value under the key was removed
  TOO_LARGE = 8 # not stored: costs more than one shard's part of cache.cost_limit; an older value under the key was removed
  TRUNCATED = 9 # the buffer is too small: call again with a buffer of the reported length
  LATE = 10 # too late: the attempt had ended before, or the answer is outdated
  CONFLICT = 11 # not stored: the key has an entry already, or no longer has the expected value; nothing changed
  ERR_INVALID_ARG = -1 # an argument is out of range or has unknown flags
  ERR_NULL_POINTER = -2 # a pointer that must not be NULL is NULL
  ERR_UNKNOWN_KEY = -3 # no setting has this name, or a fetch cannot set it: docs/CONFIGURATION.md and kvl_config_keys_json() list all settings
  ERR_BAD_VALUE = -4 # a setting, or a term of an answer or a put (TTL, stale TTL, priority, cost, version, tags), has the wrong type, is out of range, or contradicts another
  ERR_INVALID_HANDLE = -5 # the runtime has been freed
  ERR_KEY_TOO_LONG = -6 # the key is longer than 65,535 bytes (KVL_KEY_MAX)
  ERR_WRONG_KIND = -7 # the value or the request is not of the kind that this function needs: an object has no bytes, for example
  ERR_OUT_OF_RANGE = -8 # the index is not below the length
  ERR_ALREADY_ANSWERED = -9 # this key of the request has been answered already, or the request is finished
  ERR_ALREADY_USED = -10 # already used: a fetch handle serves one fetch, a cancel hook is set once, and an error is changed only before it is shared
  ERR_NO_PROVIDER = -11 # the configuration has no provider: kvl_config_set_provider()
  ERR_NO_CALLBACK = -12 # the function to call is NULL: set it, or have its events sent to a queue that kvl_queue_next() reads
  ERR_BUSY = -13 # still in use: an engine or a cache is attached and must be freed first, or another thread reads the queue
  ERR_NO_MEMORY = -100 # out of memory
  ERR_NO_THREAD = -101 # the system refused a thread
  ERR_NO_FD = -102 # the system refused a descriptor or handle for the queue, or this function is for another system
  ERR_UNSUPPORTED = -103 # this call cannot wait: requests go to a queue, which this thread may have to read
  ERR_IO = -104 # the file system reported an error: kvl_error_message() gives details
  ERR_CORRUPT = -105 # the file is damaged, or is not a saved cache; entries read before the damage are stored
  ERR_TRUNCATED = -106 # the file ends too early; entries read before its end are stored
  ERR_FILE_VERSION = -107 # the file has a version that this library does not support
  ERR_CLOSED = -200 # the engine is closed
  ERR_FORKED = -201 # the handle was created before a fork: create a new one in the child
  ERR_REENTRANT = -202 # this function may not be called from inside a callback, because it would wait for that callback
  ERR_PROVIDER = -300 # the provider failed
  ERR_TIMEOUT = -301 # the timeout expired before an answer arrived
  ERR_CANCELLED = -302 # the fetch was cancelled, a save or load of a cache was stopped, or the request is no longer wanted
  ERR_QUEUE_FULL = -303 # the queue was full of keys at least as urgent as this one, or a newer key took the place of this one: raise queue.max_keys or tasks.max_running, or fetch many keys in one call, because such keys may wait without a place
  ERR_UNANSWERED = -304 # the provider finished without an answer for this key
  ERR_UNAVAILABLE = -305 # the circuit breaker is open, because the provider failed too often or the program forced it: for now, the provider receives no requests
  ERR_PANIC = -900 # an internal error was caught: please report it
  QUEUE_F_RESULTS = 1 # Results, progress, the notice of a close, and the freeing of the fetches' user data go to the queue.
  QUEUE_F_PROVIDER = 2 # Requests and cancel hooks go to the queue.
  QUEUE_F_REMOVALS = 4 # Removals go to the queue.
  QUEUE_F_ALL = 7 # The three flags above together.
  QUEUE_F_L2 = 8 # Requests for the second tier go to the queue. Not part of KVL_QUEUE_F_ALL: a program that drives everything else by its queue may still have a second tier whose function is called.
  CLOSE_CANCEL = 0 # Close at once: open positions are settled with KVL_ERR_CLOSED.
  CLOSE_DRAIN = 1 # Close when accepted work is done, or at the deadline.
  INVALIDATE_F_ALL = 1 # Invalidates all keys: the call passes none.
  INVALIDATE_F_EXPIRE = 2 # Entries expire instead of being removed, and stay as fallbacks until their grace period ends.
  L2_READ = 1 # A request to look keys up. Answer each key with kvl_l2_request_hit(), kvl_l2_request_hit_object(), kvl_l2_request_miss(), kvl_l2_request_leased() or kvl_l2_request_fail().
  L2_FILL = 2 # A request to store entries that were loaded, each only if its key has not changed since it was looked up.
  L2_WRITE = 3 # A request to store entries that were put.
  L2_REMOVE = 4 # A request to remove keys.
  L2_CLEAR = 5 # A request to remove all keys, which names none.
  L2_F_CONDITIONAL = 1 # The second tier compares tokens: it stores an entry of KVL_L2_FILL only if the entry's token is still the key's token.
  L2_F_LEASES = 2 # The second tier grants leases: the first read of an absent key receives a token, and other reads of the key receive none until the key is written or the token expires.
  L2_F_OBJECTS = 4 # The second tier stores objects too: the program converts them to bytes and back. Without this flag, objects stay in the process.
  L2_TTL_UNKNOWN = -2 # What is left of a TTL: the second tier does not know it, but ends entries in time.
  BREAKER_CLOSED = 0 # The circuit breaker lets requests through.
  BREAKER_OPEN = 1 # The circuit breaker keeps requests from the provider.
  BREAKER_HALF_OPEN = 2 # The circuit breaker lets probes through.
  BREAKER_FORCE_NONE = 0 # The circuit breaker is not forced.
  BREAKER_FORCE_CLOSED = 1 # The circuit breaker is forced closed.
  BREAKER_FORCE_OPEN = 2 # The circuit breaker is forced open.
  KIND_BYTES = 1 # A value of bytes.
  KIND_OBJECT = 2 # A value that is a pointer of the program.
  KIND_NULL = 3 # The constant that stands for "known to be absent".
  F_LAST = 1 # In the flags of results and events: no further event of this fetch follows.
  F_STALE = 2 # In the flags of a result: the value, or the null, had expired and served as a fallback. `error` is the error of the load; it is NULL if the load takes too long (`stale.timeout_ms`).
  CANCEL_NO = 0 # The request is wanted.
  CANCEL_UNWANTED = 1 # None of the request's keys is wanted any more.
  CANCEL_TIMEOUT = 2 # The attempt has timed out.
  CANCEL_CLOSED = 3 # The engine closes.
  TTL_NEVER = -1 # A TTL: the entry never expires.
  TTL_DEFAULT = -2 # A TTL: that of the configuration (`cache.ttl_ms`, `cache.null_ttl_ms`).
  STALE_NEVER = -1 # A grace period: none.
  COST_DEFAULT = -1 # A cost: the cost function's, or else the value's own.
  PRIORITY_DEFAULT = -1.7976931348623157e+308 # A priority: for an answer, the setting `priority` of the fetch; for a put, 0.
  PUT_F_KEEP_TTL = 1 # A put that replaces a live entry keeps the expiry of that entry; `ttl_ms` applies only if there is no live entry.
  PUT_F_IF_ABSENT = 2 # A put takes place only if the key has no live entry; otherwise it returns KVL_CONFLICT. A null is an entry.
  PUT_F_IF_PRESENT = 4 # A put takes place only if the key has a live entry; otherwise it returns KVL_MISS. A null is an entry.
  FOREVER = -1 # A timeout: none.
  ENTRY_COST = 90 # The library's own memory for an entry, in bytes. An entry whose value has a stated cost costs this, plus the value's cost, plus the length of the key. A version and tags cost extra.
  URGENCY_BACKGROUND = -1000 # An urgency: the default of a refresh.
  LABEL_MAX = 255 # The maximum length of a tag, and of the version that is stated for a record, in bytes.
  TAGS_MAX = 16 # The maximum number of tags of an entry.
  KEY_MAX = 65535 # The maximum length of a key, in bytes.
  SOURCE_NONE = 0 # None: the position failed, or was refused before the lookup.
  SOURCE_STORE = 1 # The store.
  SOURCE_PROVIDER = 2 # The provider, in a load that this fetch started.
  SOURCE_JOINED = 3 # The provider, in a load that was in progress: one of another fetch, or of an earlier position of this fetch with the same key.
  SOURCE_PUT = 4 # A put, which settled a key that was waiting for its load to begin.
  SOURCE_ERROR_MEMORY = 5 # The memory of recent errors.
  SOURCE_STALE = 6 # The store, with an expired entry that served as a fallback.
  SOURCE_L2 = 7 # The second tier.
  CAUSE_EXPIRED = 1 # The entry expired.
  CAUSE_CAPACITY = 2 # The entry was evicted to make room for another one (cache.capacity).
  CAUSE_COST = 3 # The entry was evicted to make room for another one's cost (cache.cost_limit).
  CAUSE_REPLACED = 4 # Another value was stored under the key.
  CAUSE_REMOVED = 5 # The entry was removed, taken or popped.
  CAUSE_CLEARED = 6 # The store was cleared.
  CAUSE_REFUSED = 7 # The value was refused, and never stored.
  CAUSE_TRIMMED = 8 # The store was trimmed or made smaller.
  CAUSE_TAG = 9 # The entry was removed by one of its tags.
  EVENT_RESULT = 1 # One position of a fetch is settled.
  EVENT_RESULTS = 2 # All positions of a batch are settled.
  EVENT_PROGRESS = 3 # Some more positions of a batch are settled.
  EVENT_REQUEST = 4 # The provider has a request to answer.
  EVENT_CANCEL = 5 # A request that the program holds is no longer wanted.
  EVENT_DROP = 6 # The last reference to an object without a destructor was dropped: `user_data` is the object.
  EVENT_REMOVAL = 7 # A value is no longer in the store.
  EVENT_CLOSED = 8 # An engine is closed. This is its last event.
  EVENT_L2 = 9 # The second tier has a request to serve.
  ERROR_F_PERMANENT = 1 # In the flags of an error: a key that fails with it is not retried, whatever the retry policy is.
  ERROR_F_NO_STALE = 2 # In the flags of an error: there is no fallback. The expired entry (`stale.ttl_ms`) is not served instead of the error, and is removed.
  COUNT_VALUES = 0 # Positions that have a value.
  COUNT_NULLS = 1 # Positions that are known to be absent.
  COUNT_INVALID = 2 # Positions whose key the validator refused.
  COUNT_FAILED = 3 # Positions that failed.
  COUNT_FROM_STORE = 4 # Positions that were answered by the store.
  COUNT_FROM_PROVIDER = 5 # Positions whose load this fetch started.
  COUNT_JOINED = 6 # Positions that joined a load in progress, including that of another position of this fetch.
  COUNT_STALE = 7 # Positions that received an expired value, or null, as a fallback: KVL_F_STALE.
  COUNT_FROM_L2 = 8 # Positions that were found in the second tier.
  QUEUE_NEW_PIPE = 1 # In the flags of kvl_queue_new(): the descriptor is a pipe even on systems with eventfds, for libuv. No effect on Windows.

  # The name of each setting in the library, by its Ruby keyword.
  SETTINGS = {
    # The maximum number of entries in the store; 0 stores nothing. Integer; default: 1024.
    cache_capacity: "cache.capacity",
    # The maximum total cost of the entries, in bytes; -1 is no limit. An entry costs the memory that it occupies or, if the program states the cost of its value, the stated cost plus the length of the key plus KVL_ENTRY_COST. Integer; default: -1.
    cache_cost_limit: "cache.cost_limit",
    # The number of shards: parts of the store, each with its own lock and an equal part of cache.capacity and cache.cost_limit. 0 lets the library choose: one shard for a cache.capacity of up to 8,191; for more, as many shards as leave each of them at least 1 MiB of cache.cost_limit, by the number of processors. Integer; default: 0.
    cache_shards: "cache.shards",
    # The TTL of values, in milliseconds; -1 never expires them; 0 stores no values. Integer; default: -1.
    cache_ttl_ms: "cache.ttl_ms",
    # The TTL of nulls (keys known to be absent), in milliseconds; -1 never expires them; 0 stores no nulls. Integer; default: 60000.
    cache_null_ttl_ms: "cache.null_ttl_ms",
    # The largest random change of a finite TTL, in milliseconds, so that entries stored together do not expire together: each TTL is drawn uniformly from TTL ± min(cache.ttl_jitter_ms, TTL / 2). Integer; default: 0.
    cache_ttl_jitter_ms: "cache.ttl_jitter_ms",
    # The time without use after which an entry also expires, in milliseconds; -1 is no limit; 0 is refused. Integer; default: -1.
    cache_idle_ttl_ms: "cache.idle_ttl_ms",
    # Whether a timer frees the memory of expired entries. Without the timer, each write frees up to 8 expired entries. An engine always has the timer. true or false; default: true.
    cache_timer: "cache.timer",
    # A seed that makes the jitter of TTLs, refreshes and retries repeatable; -1 uses a random seed. Hashing does not use it: hash keys are always random. Integer; default: -1.
    cache_seed: "cache.seed",
    # The hash function for the store and for the table of loads. fast: foldhash. sip: SipHash-1-3, for keys that an attacker can choose. Both use random hash keys. :fast, :sip; default: fast.
    cache_hash: "cache.hash",
    # Which entries are evicted first, among those of the lowest priority. lru: exactly the least recently used. s3fifo: entries that were used at most once since they were stored, so that a scan of keys that are used only once evicts little else. :lru, :s3fifo; default: lru.
    cache_policy: "cache.policy",
    # How long a provider's final error is remembered and returned to fetches of its key, in milliseconds; 0 remembers no errors. Integer; default: 0.
    cache_error_ttl_ms: "cache.error_ttl_ms",
    # The maximum number of remembered errors; the oldest are forgotten first. All remembered errors together use at most cache.error_capacity KiB of memory. Integer; default: 1024.
    cache_error_capacity: "cache.error_capacity",
    # How many entries that have left an engine's cache may wait for the removal listener or, without a listener, for their destructors; -1 is no limit. Beyond the limit, a thread that writes outside callbacks waits until the listener has been called for some of these entries or, without a listener, runs destructors itself. Unless it is -1, the limit is lower for a small cache: no more entries may wait than the cache may hold (but at least 16), and they may cost no more than it may hold. Integer; default: 1024.
    removals_max_pending: "removals.max_pending",
    # The maximum number of requests that are with the provider at a time. Each of them holds a slot. Requests counted by tasks.max_abandoned come on top. Integer; default: 4.
    tasks_max_running: "tasks.max_running",
    # How many slots there are. fixed: tasks.max_running. adaptive: a number between tasks.min_running and tasks.max_running, which rises while requests take no longer than when few are running, and falls when requests take longer or exceed attempt_timeout_ms. :fixed, :adaptive; default: fixed.
    tasks_limit: "tasks.limit",
    # With tasks.limit = adaptive: the lowest number of slots, and the initial one. Integer; default: 1.
    tasks_min_running: "tasks.min_running",
    # How many requests that have exceeded attempt_timeout_ms may still be with the provider without holding a slot. Beyond that, a request that exceeds attempt_timeout_ms keeps its slot until it or another such request ends. Integer; default: 4.
    tasks_max_abandoned: "tasks.max_abandoned",
    # The stack size of provider threads, in bytes. The thread that runs callbacks has the same stack size, unless the engine uses a shared runtime. Integer; default: 8388608.
    tasks_stack_bytes: "tasks.stack_bytes",
    # The number of places in the queue. The key of a single-key fetch needs a place to wait for a slot. Keys of larger fetches and of refreshes take places too, while any are free. Integer; default: 65536.
    queue_max_keys: "queue.max_keys",
    # Which fetch goes first among those of equal urgency: the oldest (fifo) or the newest (lifo). When the queue is full, a new key takes the place of the least urgent key if that key is less urgent or, with lifo, equally urgent and older. Otherwise the new key finds no place, and queue.overflow applies. A fetch of very many keys searches for places in steps, and does not consider keys that arrive between two steps. :fifo, :lifo; default: fifo.
    queue_order: "queue.order",
    # With queue.order = fifo: the waiting time, in milliseconds, that raises the urgency of a key by one, so that steady urgent traffic starves no key; 0 turns this off. Integer; default: 0.
    queue_ageing_ms: "queue.ageing_ms",
    # The share of the queue's places that the keys of one fetch may take at one urgency, but at least one place. The other keys of the fetch wait without a place. Float; default: 0.5.
    queue_share: "queue.share",
    # What happens to a key that finds no place in the queue or loses its place, if the key belongs to a refresh or to a fetch of several keys. wait: the key waits without a place. reject: the key fails with KVL_ERR_QUEUE_FULL, and queue.share has no effect. The key of a single-key fetch always fails with KVL_ERR_QUEUE_FULL. :wait, :reject; default: wait.
    queue_overflow: "queue.overflow",
    # The maximum number of keys in a request; 1 for a provider that answers one key at a time. Integer; default: 20.
    batch_max_keys: "batch.max_keys",
    # How long a key waits for other keys to join its request, in microseconds. Integer; default: 0.
    batch_linger_us: "batch.linger_us",
    # Whether a key that the provider leaves unanswered becomes null (true) or fails (false). Neither happens to a key that is no longer wanted. true or false; default: false.
    batch_omitted_is_null: "batch.omitted_is_null",
    # The maximum number of requests to the provider per second; 0 is no limit. A key that waits for the rate limit holds no slot. Float; default: 0.
    rate_requests_per_s: "rate.requests_per_s",
    # With rate.requests_per_s: how many requests may be passed to the provider at once after an idle time. Integer; default: 1.
    rate_burst: "rate.burst",
    # The circuit breaker opens when this share of the requests within breaker.window_ms has failed; 0 turns this off. A request fails if it exceeds attempt_timeout_ms, or if one of its keys fails with an error that is not permanent. Float; default: 0.
    breaker_failure_ratio: "breaker.failure_ratio",
    # The time over which breaker.failure_ratio is measured, in milliseconds. Integer; default: 10000.
    breaker_window_ms: "breaker.window_ms",
    # The number of requests within breaker.window_ms below which breaker.failure_ratio does not apply. Integer; default: 20.
    breaker_min_requests: "breaker.min_requests",
    # The circuit breaker opens when this many requests in a row have failed; 0 turns this off. Integer; default: 0.
    breaker_consecutive: "breaker.consecutive",
    # How long an open circuit breaker keeps requests from the provider before it lets probe requests through, in milliseconds. Until then, keys that would need the provider fail with KVL_ERR_UNAVAILABLE. Integer; default: 5000.
    breaker_open_ms: "breaker.open_ms",
    # How many probe requests must succeed before the circuit breaker closes. If a probe request fails, the circuit breaker opens again. Integer; default: 1.
    breaker_probes: "breaker.probes",
    # The time, in milliseconds, after which the unanswered keys of a slow request are passed to the provider once more, in a hedge request, if a slot is free. The first answer to each key counts, and a request whose remaining keys the other request has answered is cancelled. 0 turns this off. Integer; default: 0.
    hedge_after_ms: "hedge.after_ms",
    # Like hedge.after_ms, but with a measured time: the time within which this share of the recent requests, such as 0.95, was answered. 0 turns this off. Float; default: 0.
    hedge_percentile: "hedge.percentile",
    # The largest share of the requests that may be repeated by a hedge request. Float; default: 0.05.
    hedge_max_ratio: "hedge.max_ratio",
    # Whether the keys of a slow request may be passed to the provider a second time. false makes the hedge settings an error. Even with false, a key may be in two requests at a time: after a write during its load, or after an attempt that timed out. true or false; default: true.
    provider_idempotent: "provider.idempotent",
    # The share of an entry's TTL after which the next use of the entry also starts a load of it in the background: a refresh ahead. Until the load ends, uses of the entry continue to hit. 0 turns this off. Entries that are not used are not refreshed. Float; default: 0.
    refresh_after: "refresh.after",
    # Like refresh.after, but as a time since the entry was stored, in milliseconds. 0 turns this off. Integer; default: 0.
    refresh_after_ms: "refresh.after_ms",
    # The pause after a failed or dropped refresh ahead, in milliseconds. The first use of the entry after the pause starts another refresh ahead. Integer; default: 1000.
    refresh_retry_ms: "refresh.retry_ms",
    # The largest share by which the time until a refresh ahead is shortened at random, so that entries stored together are not loaded together. Float; default: 0.
    refresh_jitter: "refresh.jitter",
    # How long an expired entry of an engine's cache stays as a fallback for fetches whose load fails, in milliseconds; 0 keeps no fallbacks. Requires entries that expire. Integer; default: 0.
    stale_ttl_ms: "stale.ttl_ms",
    # How long a key with a fallback is not loaded again after a failed load, in milliseconds. Fetches of the key in that time receive the fallback at once. Integer; default: 1000.
    stale_retry_ms: "stale.retry_ms",
    # How long a fetch with a fallback waits for the load, in milliseconds. The fetch then receives the fallback, while the load goes on and its answer is stored. -1 is no limit; 0 gives the fallback at once (stale while revalidate). The value must be below timeout_ms. Integer; default: -1.
    stale_timeout_ms: "stale.timeout_ms",
    # How long the second tier may take for a lookup, in milliseconds. After that, the provider is called. -1 is no limit; 0 is refused. Integer; default: 50.
    l2_timeout_ms: "l2.timeout_ms",
    # How long the second tier may take for a request that writes, in milliseconds. A request that takes longer counts as failed, and its puts and removals are sent again. Integer; default: 5000.
    l2_write_timeout_ms: "l2.write_timeout_ms",
    # What to do with a key that another process is loading. true: look the key up again until its answer is in the second tier, for up to l2.wait_ms. false: load the key in this process too. true has no effect unless the second tier reports such keys (kvl_l2_request_leased). true or false; default: true.
    l2_single_flight: "l2.single_flight",
    # How long a key waits for the load of another process, in milliseconds. After that, this process loads the key, and takes over its lease if the second tier allows that. Integer; default: 1000.
    l2_wait_ms: "l2.wait_ms",
    # The longest TTL in the second tier, in milliseconds; -1 uses the TTL that the entry has in this process; 0 is refused. Integer; default: -1.
    l2_ttl_ms: "l2.ttl_ms",
    # The longest TTL in this process for an entry found in the second tier, in milliseconds; -1 uses what is left of its TTL there; 0 is refused. Integer; default: -1.
    l2_local_ttl_ms: "l2.local_ttl_ms",
    # The maximum number of keys in a request for the second tier. Integer; default: 256.
    l2_batch_keys: "l2.batch_keys",
    # The maximum number of requests that read from the second tier at a time. One more request may write at the same time. Integer; default: 4.
    l2_max_requests: "l2.max_requests",
    # How many keys may wait to be looked up in the second tier. Further keys go to the provider at once. Integer; default: 65536.
    l2_max_asking: "l2.max_asking",
    # The largest value that is written to the second tier, in bytes. A put of a larger value removes the key from the second tier. Integer; default: 1048576.
    l2_max_value: "l2.max_value",
    # How many keys may wait to be written to the second tier. Beyond that, a put or removal clears the whole second tier instead, and answers of the provider are not written to it. Integer; default: 65536.
    l2_pending_keys: "l2.pending_keys",
    # The maximum total size of the values that wait to be written to the second tier, in bytes. Beyond that, a put removes the key from the second tier instead, and answers of the provider are not written to it. Integer; default: 67108864.
    l2_pending_bytes: "l2.pending_bytes",
    # The number of requests that must fail in a row before the second tier is left alone for l2.break_ms; 0 never leaves it alone. Integer; default: 5.
    l2_break_after: "l2.break_after",
    # How long the second tier is left alone after l2.break_after failures in a row, in milliseconds. The time doubles with each further failure, up to l2.break_cap_ms. A failed write is repeated after this time at the earliest. Integer; default: 1000.
    l2_break_ms: "l2.break_ms",
    # The longest time for which the second tier is left alone, in milliseconds. Integer; default: 30000.
    l2_break_cap_ms: "l2.break_cap_ms",
    # Whether the failure of one key affects no other key of its batch (partial) or ends the batch (all_or_nothing). :partial, :all_or_nothing; default: partial.
    batch_mode: "batch.mode",
    # How long a fetch waits, in milliseconds from the call. Positions that are not answered by then fail with KVL_ERR_TIMEOUT. -1 is no limit; 0 is refused. Integer; default: -1.
    timeout_ms: "timeout_ms",
    # How long the provider may take for a request, in milliseconds from when the provider receives the request; a heartbeat restarts the time. -1 is no limit; 0 is refused. Integer; default: -1.
    attempt_timeout_ms: "attempt_timeout_ms",
    # normal: look in the store, and load what is missing. refresh: load in any case, and store the answer. cache_only: never load. no_store: look in the store, load what is missing, and do not store the answer. :normal, :refresh, :cache_only, :no_store; default: normal.
    read: "read",
    # What happens to a running load, or to one whose key is looked up in the second tier, when the last fetch that waits for it reaches timeout_ms. continue: the load continues, other fetches can join it, and its answer is stored, but a failed attempt is not retried; a key that the second tier does not have goes on to the provider only if that can take a request at once. cancel: the load ends; the provider is notified that it is no longer wanted. :continue, :cancel; default: continue.
    load_on_timeout: "load.on_timeout",
    # What happens to such a load when the last fetch that waits for it is cancelled. The values mean the same as for load.on_timeout. :continue, :cancel; default: cancel.
    load_on_cancel: "load.on_cancel",
    # The priority with which an answer is stored, unless the answer states one. Entries of lower priority are evicted first. Float; default: 0.
    priority: "priority",
    # Keys of higher urgency are served first. kvl_fetch_set_urgency() overrides this setting. A refresh has KVL_URGENCY_BACKGROUND, unless its options state an urgency. Integer; default: 0.
    urgency: "urgency",
    # How many times a failed key is retried; -1 is no limit. Integer; default: 0.
    retry_count: "retry.count",
    # How the pauses between attempts grow. fixed: each pause is retry.fixed_ms. exponential: the first pause is retry.first_ms, and each further pause is retry.factor times as long as the one before. exponential_then_fixed and fixed_then_exponential: the shape changes from the first to the second after retry.switch_after pauses. :fixed, :exponential, :exponential_then_fixed, :fixed_then_exponential; default: fixed.
    retry_shape: "retry.shape",
    # The first exponential pause, in milliseconds. Integer; default: 1000.
    retry_first_ms: "retry.first_ms",
    # The fixed pause, in milliseconds. With 0, a retried key is queued behind the waiting keys of its urgency. Integer; default: 100.
    retry_fixed_ms: "retry.fixed_ms",
    # The factor by which each exponential pause is multiplied to give the next. Float; default: 2.
    retry_factor: "retry.factor",
    # The number of pauses after which exponential_then_fixed or fixed_then_exponential changes to its second shape. Integer; default: 0.
    retry_switch_after: "retry.switch_after",
    # The longest pause, in milliseconds. Integer; default: 60000.
    retry_cap_ms: "retry.cap_ms",
    # Each pause is drawn uniformly from pause × (1 ± retry.jitter), and never exceeds retry.cap_ms. Float; default: 0.
    retry_jitter: "retry.jitter",
    # How long after the start of the first attempt another attempt may still start, in milliseconds; -1 is no limit. Integer; default: -1.
    retry_budget_ms: "retry.budget_ms",
  }.freeze

  module Native
    # The number of the library version that these tables describe.
    NUMBER = 2000

    # The result and the parameters of each function, as names of Fiddle types.
    FUNCTIONS = {
      kvl_version_number: [:UINT32_T, %i[]],
      kvl_version_string: [:UINTPTR_T, %i[]],
      kvl_status_name: [:UINTPTR_T, %i[INT32_T]],
      kvl_status_message: [:UINTPTR_T, %i[INT32_T]],
      kvl_status_is_retriable: [:UINT32_T, %i[INT32_T]],
      kvl_status_count: [:SIZE_T, %i[]],
      kvl_status_at: [:INT32_T, %i[SIZE_T]],
      kvl_runtime_new: [:INT32_T, %i[UINTPTR_T]],
      kvl_runtime_free: [:INT32_T, %i[UINTPTR_T]],
      kvl_clock_new_manual: [:INT32_T, %i[INT64_T UINTPTR_T]],
      kvl_clock_advance: [:INT32_T, %i[UINTPTR_T INT64_T]],
      kvl_clock_now_ms: [:INT64_T, %i[UINTPTR_T]],
      kvl_clock_release: [:VOID, %i[UINTPTR_T]],
      kvl_config_keys_json: [:UINTPTR_T, %i[]],
      kvl_config_new: [:INT32_T, %i[UINTPTR_T]],
      kvl_config_set: [:INT32_T, %i[UINTPTR_T VOIDP VOIDP]],
      kvl_config_set_int: [:INT32_T, %i[UINTPTR_T VOIDP INT64_T]],
      kvl_config_set_real: [:INT32_T, %i[UINTPTR_T VOIDP DOUBLE]],
      kvl_config_get: [:INT32_T, %i[UINTPTR_T VOIDP UINTPTR_T]],
      kvl_config_problem: [:UINTPTR_T, %i[UINTPTR_T]],
      kvl_config_set_provider: [:INT32_T, %i[UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_config_set_validator: [:INT32_T, %i[UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_config_set_cost: [:INT32_T, %i[UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_config_set_removal_listener: [:INT32_T, %i[UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_config_set_record_listener: [:INT32_T, %i[UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_config_set_clock: [:INT32_T, %i[UINTPTR_T UINTPTR_T]],
      kvl_config_set_runtime: [:INT32_T, %i[UINTPTR_T UINTPTR_T]],
      kvl_config_free: [:VOID, %i[UINTPTR_T]],
      kvl_options_new: [:INT32_T, %i[UINTPTR_T]],
      kvl_options_set: [:INT32_T, %i[UINTPTR_T VOIDP VOIDP]],
      kvl_options_set_int: [:INT32_T, %i[UINTPTR_T VOIDP INT64_T]],
      kvl_options_set_real: [:INT32_T, %i[UINTPTR_T VOIDP DOUBLE]],
      kvl_options_set_progress: [:INT32_T, %i[UINTPTR_T UINTPTR_T SIZE_T]],
      kvl_options_problem: [:UINTPTR_T, %i[UINTPTR_T]],
      kvl_options_free: [:VOID, %i[UINTPTR_T]],
      kvl_value_null: [:UINTPTR_T, %i[]],
      kvl_value_new_bytes: [:INT32_T, %i[VOIDP SIZE_T UINTPTR_T]],
      kvl_value_new_space: [:INT32_T, %i[SIZE_T UINTPTR_T UINTPTR_T]],
      kvl_value_new_extern: [:INT32_T, %i[VOIDP SIZE_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_value_new_object: [:INT32_T, %i[UINTPTR_T UINT64_T UINTPTR_T UINTPTR_T]],
      kvl_value_kind: [:UINT32_T, %i[UINTPTR_T]],
      kvl_value_data: [:UINTPTR_T, %i[UINTPTR_T UINTPTR_T]],
      kvl_value_object: [:UINTPTR_T, %i[UINTPTR_T]],
      kvl_value_cost: [:UINT64_T, %i[UINTPTR_T]],
      kvl_value_retain: [:UINTPTR_T, %i[UINTPTR_T]],
      kvl_value_release: [:VOID, %i[UINTPTR_T]],
      kvl_value_release_many: [:VOID, %i[UINTPTR_T SIZE_T]],
      kvl_error_new: [:INT32_T, %i[INT64_T VOIDP SIZE_T UINT32_T UINTPTR_T]],
      kvl_error_new_object: [:INT32_T, %i[INT64_T VOIDP SIZE_T UINT32_T UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_error_status: [:INT32_T, %i[UINTPTR_T]],
      kvl_error_code: [:INT64_T, %i[UINTPTR_T]],
      kvl_error_message: [:UINTPTR_T, %i[UINTPTR_T]],
      kvl_error_object: [:UINTPTR_T, %i[UINTPTR_T]],
      kvl_error_is_permanent: [:UINT32_T, %i[UINTPTR_T]],
      kvl_error_set_retry_after: [:INT32_T, %i[UINTPTR_T INT64_T]],
      kvl_error_retry_after_ms: [:INT64_T, %i[UINTPTR_T]],
      kvl_error_cause: [:UINTPTR_T, %i[UINTPTR_T]],
      kvl_error_retain: [:UINTPTR_T, %i[UINTPTR_T]],
      kvl_error_release: [:VOID, %i[UINTPTR_T]],
      kvl_slices_unpack: [:INT32_T, %i[VOIDP SIZE_T UINTPTR_T SIZE_T UINTPTR_T]],
      kvl_cache_new: [:INT32_T, %i[UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_cache_get: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T UINTPTR_T]],
      kvl_cache_get_into: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T UINTPTR_T SIZE_T UINTPTR_T]],
      kvl_cache_get_many: [:INT32_T, %i[UINTPTR_T UINTPTR_T SIZE_T UINTPTR_T UINTPTR_T]],
      kvl_cache_peek: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_cache_contains: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T]],
      kvl_cache_len: [:SIZE_T, %i[UINTPTR_T]],
      kvl_cache_cost: [:UINT64_T, %i[UINTPTR_T]],
      kvl_cache_capacity: [:SIZE_T, %i[UINTPTR_T]],
      kvl_cache_cost_limit: [:INT64_T, %i[UINTPTR_T]],
      kvl_cache_max_cost: [:UINT64_T, %i[UINTPTR_T]],
      kvl_cache_stats: [:INT32_T, %i[UINTPTR_T UINTPTR_T SIZE_T]],
      kvl_cache_stats_json: [:INT32_T, %i[UINTPTR_T UINTPTR_T]],
      kvl_cache_stats_openmetrics: [:INT32_T, %i[UINTPTR_T UINTPTR_T]],
      kvl_cache_stats_reset: [:INT32_T, %i[UINTPTR_T]],
      kvl_cache_retain: [:UINTPTR_T, %i[UINTPTR_T]],
      kvl_cache_release: [:VOID, %i[UINTPTR_T]],
      kvl_cache_put: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T UINTPTR_T VOIDP]],
      kvl_cache_put_with_victims: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T UINTPTR_T VOIDP UINTPTR_T UINTPTR_T]],
      kvl_cache_put_bytes: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T VOIDP SIZE_T VOIDP]],
      kvl_cache_compare_put: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T UINTPTR_T UINTPTR_T VOIDP]],
      kvl_cache_touch: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T INT64_T]],
      kvl_cache_remove: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T]],
      kvl_cache_expire: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T]],
      kvl_cache_remove_expired: [:INT32_T, %i[UINTPTR_T UINTPTR_T]],
      kvl_cache_take: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T UINTPTR_T]],
      kvl_cache_pop: [:INT32_T, %i[UINTPTR_T UINTPTR_T]],
      kvl_cache_trim: [:INT32_T, %i[UINTPTR_T DOUBLE]],
      kvl_cache_trim_to: [:INT32_T, %i[UINTPTR_T SIZE_T]],
      kvl_cache_clear: [:INT32_T, %i[UINTPTR_T]],
      kvl_cache_resize: [:INT32_T, %i[UINTPTR_T SIZE_T INT64_T]],
      kvl_cache_remove_tag: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T UINTPTR_T]],
      kvl_cache_expire_tag: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T UINTPTR_T]],
      kvl_cache_expire_all: [:INT32_T, %i[UINTPTR_T]],
      kvl_cache_save: [:INT32_T, %i[UINTPTR_T VOIDP UINTPTR_T UINTPTR_T UINTPTR_T SIZE_T UINTPTR_T]],
      kvl_cache_load: [:INT32_T, %i[UINTPTR_T VOIDP UINTPTR_T UINTPTR_T UINTPTR_T SIZE_T UINTPTR_T]],
      kvl_cache_save_encoded: [:INT32_T, %i[UINTPTR_T VOIDP UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T SIZE_T UINTPTR_T]],
      kvl_cache_load_decoded: [:INT32_T, %i[UINTPTR_T VOIDP UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T SIZE_T UINTPTR_T]],
      kvl_reader_new: [:INT32_T, %i[UINTPTR_T UINTPTR_T]],
      kvl_reader_get: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_reader_done: [:VOID, %i[UINTPTR_T]],
      kvl_reader_free: [:VOID, %i[UINTPTR_T]],
      kvl_iterator_new: [:INT32_T, %i[UINTPTR_T UINTPTR_T]],
      kvl_iterator_next: [:INT32_T, %i[UINTPTR_T UINTPTR_T SIZE_T]],
      kvl_iterator_free: [:VOID, %i[UINTPTR_T]],
      kvl_tasks_new: [:INT32_T, %i[UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_tasks_cache: [:INT32_T, %i[UINTPTR_T UINTPTR_T]],
      kvl_tasks_fetch: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_tasks_fetch_each: [:INT32_T, %i[UINTPTR_T UINTPTR_T SIZE_T UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_tasks_fetch_all: [:INT32_T, %i[UINTPTR_T UINTPTR_T SIZE_T UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_tasks_fetch_wait: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_tasks_fetch_all_wait: [:INT32_T, %i[UINTPTR_T UINTPTR_T SIZE_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_tasks_refresh: [:INT32_T, %i[UINTPTR_T UINTPTR_T SIZE_T UINTPTR_T]],
      kvl_tasks_gather: [:INT32_T, %i[UINTPTR_T UINT32_T]],
      kvl_tasks_stats: [:INT32_T, %i[UINTPTR_T UINTPTR_T SIZE_T]],
      kvl_tasks_stats_json: [:INT32_T, %i[UINTPTR_T UINTPTR_T]],
      kvl_tasks_stats_openmetrics: [:INT32_T, %i[UINTPTR_T UINTPTR_T]],
      kvl_tasks_stats_reset: [:INT32_T, %i[UINTPTR_T]],
      kvl_tasks_close: [:INT32_T, %i[UINTPTR_T UINT32_T INT64_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_tasks_free: [:INT32_T, %i[UINTPTR_T]],
      kvl_tasks_dispose: [:VOID, %i[UINTPTR_T]],
      kvl_cache_get_object: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T UINTPTR_T UINTPTR_T]],
      kvl_tasks_get: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T UINTPTR_T]],
      kvl_tasks_reads_store_first: [:UINT32_T, %i[UINTPTR_T]],
      kvl_tasks_get_object: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T UINTPTR_T UINTPTR_T]],
      kvl_tasks_invalidate: [:INT32_T, %i[UINTPTR_T UINTPTR_T SIZE_T UINT32_T]],
      kvl_tasks_breaker_state: [:UINT32_T, %i[UINTPTR_T]],
      kvl_tasks_breaker_force: [:INT32_T, %i[UINTPTR_T UINT32_T]],
      kvl_fetch_new: [:INT32_T, %i[UINTPTR_T]],
      kvl_fetch_set_context: [:INT32_T, %i[UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_fetch_set_urgency: [:INT32_T, %i[UINTPTR_T INT32_T]],
      kvl_fetch_cancel: [:INT32_T, %i[UINTPTR_T]],
      kvl_fetch_wait: [:INT32_T, %i[UINTPTR_T INT64_T]],
      kvl_fetch_progress: [:INT32_T, %i[UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_fetch_retain: [:UINTPTR_T, %i[UINTPTR_T]],
      kvl_fetch_release: [:VOID, %i[UINTPTR_T]],
      kvl_results_len: [:SIZE_T, %i[UINTPTR_T]],
      kvl_results_status: [:INT32_T, %i[UINTPTR_T]],
      kvl_results_at: [:UINTPTR_T, %i[UINTPTR_T SIZE_T]],
      kvl_results_array: [:UINTPTR_T, %i[UINTPTR_T UINTPTR_T]],
      kvl_results_count: [:SIZE_T, %i[UINTPTR_T UINT32_T]],
      kvl_results_count_status: [:SIZE_T, %i[UINTPTR_T INT32_T]],
      kvl_results_error_len: [:SIZE_T, %i[UINTPTR_T]],
      kvl_results_error_at: [:UINTPTR_T, %i[UINTPTR_T SIZE_T]],
      kvl_results_retain: [:UINTPTR_T, %i[UINTPTR_T]],
      kvl_results_release: [:VOID, %i[UINTPTR_T]],
      kvl_request_len: [:SIZE_T, %i[UINTPTR_T]],
      kvl_request_key: [:INT32_T, %i[UINTPTR_T SIZE_T UINTPTR_T UINTPTR_T]],
      kvl_request_keys: [:UINTPTR_T, %i[UINTPTR_T]],
      kvl_request_attempt: [:UINT32_T, %i[UINTPTR_T SIZE_T]],
      kvl_request_context: [:UINTPTR_T, %i[UINTPTR_T SIZE_T]],
      kvl_request_urgency: [:INT32_T, %i[UINTPTR_T]],
      kvl_request_time_left_ms: [:INT64_T, %i[UINTPTR_T]],
      kvl_request_user_data: [:UINTPTR_T, %i[UINTPTR_T]],
      kvl_request_is_cancelled: [:UINT32_T, %i[UINTPTR_T]],
      kvl_request_is_wanted: [:UINT32_T, %i[UINTPTR_T SIZE_T]],
      kvl_request_on_cancel: [:INT32_T, %i[UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_request_heartbeat: [:INT32_T, %i[UINTPTR_T]],
      kvl_request_resolve: [:INT32_T, %i[UINTPTR_T SIZE_T UINTPTR_T VOIDP]],
      kvl_request_resolve_bytes: [:INT32_T, %i[UINTPTR_T SIZE_T VOIDP SIZE_T VOIDP]],
      kvl_request_resolve_object: [:INT32_T, %i[UINTPTR_T SIZE_T UINTPTR_T UINT64_T UINTPTR_T VOIDP]],
      kvl_request_fail: [:INT32_T, %i[UINTPTR_T SIZE_T UINTPTR_T]],
      kvl_request_fail_text: [:INT32_T, %i[UINTPTR_T SIZE_T INT64_T VOIDP UINT32_T]],
      kvl_request_supply: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T UINTPTR_T VOIDP]],
      kvl_request_supply_bytes: [:INT32_T, %i[UINTPTR_T VOIDP SIZE_T VOIDP SIZE_T VOIDP]],
      kvl_request_finish: [:INT32_T, %i[UINTPTR_T]],
      kvl_request_finish_nulls: [:INT32_T, %i[UINTPTR_T]],
      kvl_request_finish_error: [:INT32_T, %i[UINTPTR_T UINTPTR_T]],
      kvl_request_retain: [:UINTPTR_T, %i[UINTPTR_T]],
      kvl_request_release: [:VOID, %i[UINTPTR_T]],
      kvl_request_stale: [:INT32_T, %i[UINTPTR_T SIZE_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_request_not_modified: [:INT32_T, %i[UINTPTR_T SIZE_T VOIDP]],
      kvl_config_set_l2: [:INT32_T, %i[UINTPTR_T UINT32_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_l2_request_kind: [:UINT32_T, %i[UINTPTR_T]],
      kvl_l2_request_len: [:SIZE_T, %i[UINTPTR_T]],
      kvl_l2_request_keys: [:UINTPTR_T, %i[UINTPTR_T]],
      kvl_l2_request_entry: [:INT32_T, %i[UINTPTR_T SIZE_T UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_l2_request_value: [:INT32_T, %i[UINTPTR_T SIZE_T UINTPTR_T]],
      kvl_l2_request_set_payload: [:INT32_T, %i[UINTPTR_T SIZE_T VOIDP SIZE_T]],
      kvl_l2_request_payload: [:INT32_T, %i[UINTPTR_T SIZE_T VOIDP SIZE_T UINTPTR_T UINTPTR_T]],
      kvl_l2_request_hit_object: [:INT32_T, %i[UINTPTR_T SIZE_T VOIDP SIZE_T INT64_T VOIDP SIZE_T UINTPTR_T]],
      kvl_l2_request_hit: [:INT32_T, %i[UINTPTR_T SIZE_T VOIDP SIZE_T INT64_T VOIDP SIZE_T]],
      kvl_l2_request_miss: [:INT32_T, %i[UINTPTR_T SIZE_T VOIDP SIZE_T]],
      kvl_l2_request_leased: [:INT32_T, %i[UINTPTR_T SIZE_T]],
      kvl_l2_request_steals: [:UINT32_T, %i[UINTPTR_T SIZE_T]],
      kvl_l2_request_refused: [:INT32_T, %i[UINTPTR_T SIZE_T]],
      kvl_l2_request_fail: [:INT32_T, %i[UINTPTR_T SIZE_T]],
      kvl_l2_request_finish: [:INT32_T, %i[UINTPTR_T]],
      kvl_l2_request_retain: [:UINTPTR_T, %i[UINTPTR_T]],
      kvl_l2_request_release: [:VOID, %i[UINTPTR_T]],
      kvl_tasks_l2_sync: [:INT32_T, %i[UINTPTR_T INT64_T]],
      kvl_queue_new: [:INT32_T, %i[UINT32_T UINTPTR_T]],
      kvl_queue_fd: [:INT32_T, %i[UINTPTR_T UINTPTR_T]],
      kvl_queue_handle: [:INT32_T, %i[UINTPTR_T UINTPTR_T]],
      kvl_queue_set_wake: [:INT32_T, %i[UINTPTR_T UINTPTR_T UINTPTR_T UINTPTR_T]],
      kvl_queue_poll: [:INT32_T, %i[UINTPTR_T SIZE_T INT64_T UINTPTR_T]],
      kvl_queue_next: [:INT32_T, %i[UINTPTR_T INT64_T UINTPTR_T SIZE_T]],
      kvl_queue_len: [:SIZE_T, %i[UINTPTR_T]],
      kvl_queue_wake: [:INT32_T, %i[UINTPTR_T]],
      kvl_queue_free: [:INT32_T, %i[UINTPTR_T]],
      kvl_queue_dispose: [:VOID, %i[UINTPTR_T]],
      kvl_config_set_queue: [:INT32_T, %i[UINTPTR_T UINTPTR_T UINT32_T]],
      kvl_value_new_object_on: [:INT32_T, %i[UINTPTR_T UINTPTR_T UINT64_T UINTPTR_T UINTPTR_T]],
    }.freeze

    # A Struct that knows its size and its directives for String#unpack.
    def self.layout(size, format, fields)
      Struct.new(*fields) { const_set(:SIZE, size) && const_set(:FORMAT, format) }
    end
    private_class_method :layout

    Slice = layout 16, "QQ",
             %i[data len]

    Terms = layout 80, "QqdqLLqQQQQ",
             %i[struct_size ttl_ms priority cost flags reserved stale_ttl_ms version version_len tags tags_len]

    Transfer = layout 40, "QQQQQ",
             %i[struct_size entries skipped total bytes]

    Result = layout 112, "QQQQQQQQQqqQlLLL",
             %i[struct_size index key key_len value data data_len object error age_ms ttl_left_ms cost status source attempts flags]

    Event = layout 96, "QLLQQQQQQQQLLQ",
             %i[struct_size kind flags user_data tasks result results request done failed total cause reserved l2_request]
  end
end
