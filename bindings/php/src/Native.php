<?php
// Generated from api/api.json by `make generate`. Do not edit.
declare(strict_types=1);

namespace Kvlight;

/**
 * The library's statuses and constants, by their names without "KVL_".
 *
 * FetchSettings: the settings that one fetch may override.
 *
 * @phpstan-type FetchSettings array{
 *   'stale.timeout_ms'?: int, // How long a fetch with a fallback waits for the load, in milliseconds. The fetch then receives the fallback, while the load goes on and its answer is stored. -1 is no limit; 0 gives the fallback at once (stale while revalidate). The value must be below timeout_ms. Default: -1.
 *   'batch.mode'?: 'partial'|'all_or_nothing', // Whether the failure of one key affects no other key of its batch (partial) or ends the batch (all_or_nothing). Default: partial.
 *   'timeout_ms'?: int, // How long a fetch waits, in milliseconds from the call. Positions that are not answered by then fail with KVL_ERR_TIMEOUT. -1 is no limit; 0 is refused. Default: -1.
 *   'read'?: 'normal'|'refresh'|'cache_only'|'no_store', // normal: look in the store, and load what is missing. refresh: load in any case, and store the answer. cache_only: never load. no_store: look in the store, load what is missing, and do not store the answer. Default: normal.
 *   'load.on_timeout'?: 'continue'|'cancel', // What happens to a running load, or to one whose key is looked up in the second tier, when the last fetch that waits for it reaches timeout_ms. continue: the load continues, other fetches can join it, and its answer is stored, but a failed attempt is not retried; a key that the second tier does not have goes on to the provider only if that can take a request at once. cancel: the load ends; the provider is notified that it is no longer wanted. Default: continue.
 *   'load.on_cancel'?: 'continue'|'cancel', // What happens to such a load when the last fetch that waits for it is cancelled. The values mean the same as for load.on_timeout. Default: cancel.
 *   'priority'?: float, // The priority with which an answer is stored, unless the answer states one. Entries of lower priority are evicted first. Default: 0.
 *   'urgency'?: int, // Keys of higher urgency are served first. kvl_fetch_set_urgency() overrides this setting. A refresh has KVL_URGENCY_BACKGROUND, unless its options state an urgency. Default: 0.
 *   'retry.count'?: int, // How many times a failed key is retried; -1 is no limit. Default: 0.
 *   'retry.shape'?: 'fixed'|'exponential'|'exponential_then_fixed'|'fixed_then_exponential', // How the pauses between attempts grow. fixed: each pause is retry.fixed_ms. exponential: the first pause is retry.first_ms, and each further pause is retry.factor times as long as the one before. exponential_then_fixed and fixed_then_exponential: the shape changes from the first to the second after retry.switch_after pauses. Default: fixed.
 *   'retry.first_ms'?: int, // The first exponential pause, in milliseconds. Default: 1000.
 *   'retry.fixed_ms'?: int, // The fixed pause, in milliseconds. With 0, a retried key is queued behind the waiting keys of its urgency. Default: 100.
 *   'retry.factor'?: float, // The factor by which each exponential pause is multiplied to give the next. Default: 2.
 *   'retry.switch_after'?: int, // The number of pauses after which exponential_then_fixed or fixed_then_exponential changes to its second shape. Default: 0.
 *   'retry.cap_ms'?: int, // The longest pause, in milliseconds. Default: 60000.
 *   'retry.jitter'?: float, // Each pause is drawn uniformly from pause × (1 ± retry.jitter), and never exceeds retry.cap_ms. Default: 0.
 *   'retry.budget_ms'?: int, // How long after the start of the first attempt another attempt may still start, in milliseconds; -1 is no limit. Default: -1.
 * }
 *
 * Settings: the settings of an engine or a cache.
 *
 * @phpstan-type Settings array{
 *   'cache.capacity'?: int, // The maximum number of entries in the store; 0 stores nothing. Default: 1024.
 *   'cache.cost_limit'?: int, // The maximum total cost of the entries, in bytes; -1 is no limit. An entry costs the memory that it occupies or, if the program states the cost of its value, the stated cost plus the length of the key plus KVL_ENTRY_COST. Default: -1.
 *   'cache.shards'?: int, // The number of shards: parts of the store, each with its own lock and an equal part of cache.capacity and cache.cost_limit. 0 lets the library choose: one shard for a cache.capacity of up to 8,191; for more, as many shards as leave each of them at least 1 MiB of cache.cost_limit, by the number of processors. Default: 0.
 *   'cache.ttl_ms'?: int, // The TTL of values, in milliseconds; -1 never expires them; 0 stores no values. Default: -1.
 *   'cache.null_ttl_ms'?: int, // The TTL of nulls (keys known to be absent), in milliseconds; -1 never expires them; 0 stores no nulls. Default: 60000.
 *   'cache.ttl_jitter_ms'?: int, // The largest random change of a finite TTL, in milliseconds, so that entries stored together do not expire together: each TTL is drawn uniformly from TTL ± min(cache.ttl_jitter_ms, TTL / 2). Default: 0.
 *   'cache.idle_ttl_ms'?: int, // The time without use after which an entry also expires, in milliseconds; -1 is no limit; 0 is refused. Default: -1.
 *   'cache.timer'?: bool, // Whether a timer frees the memory of expired entries. Without the timer, each write frees up to 8 expired entries. An engine always has the timer. Default: true.
 *   'cache.seed'?: int, // A seed that makes the jitter of TTLs, refreshes and retries repeatable; -1 uses a random seed. Hashing does not use it: hash keys are always random. Default: -1.
 *   'cache.hash'?: 'fast'|'sip', // The hash function for the store and for the table of loads. fast: foldhash. sip: SipHash-1-3, for keys that an attacker can choose. Both use random hash keys. Default: fast.
 *   'cache.policy'?: 'lru'|'s3fifo', // Which entries are evicted first, among those of the lowest priority. lru: exactly the least recently used. s3fifo: entries that were used at most once since they were stored, so that a scan of keys that are used only once evicts little else. Default: lru.
 *   'cache.error_ttl_ms'?: int, // How long a provider's final error is remembered and returned to fetches of its key, in milliseconds; 0 remembers no errors. Default: 0.
 *   'cache.error_capacity'?: int, // The maximum number of remembered errors; the oldest are forgotten first. All remembered errors together use at most cache.error_capacity KiB of memory. Default: 1024.
 *   'removals.max_pending'?: int, // How many entries that have left an engine's cache may wait for the removal listener or, without a listener, for their destructors; -1 is no limit. Beyond the limit, a thread that writes outside callbacks waits until the listener has been called for some of these entries or, without a listener, runs destructors itself. Unless it is -1, the limit is lower for a small cache: no more entries may wait than the cache may hold (but at least 16), and they may cost no more than it may hold. Default: 1024.
 *   'tasks.max_running'?: int, // The maximum number of requests that are with the provider at a time. Each of them holds a slot. Requests counted by tasks.max_abandoned come on top. Default: 4.
 *   'tasks.limit'?: 'fixed'|'adaptive', // How many slots there are. fixed: tasks.max_running. adaptive: a number between tasks.min_running and tasks.max_running, which rises while requests take no longer than when few are running, and falls when requests take longer or exceed attempt_timeout_ms. Default: fixed.
 *   'tasks.min_running'?: int, // With tasks.limit = adaptive: the lowest number of slots, and the initial one. Default: 1.
 *   'tasks.max_abandoned'?: int, // How many requests that have exceeded attempt_timeout_ms may still be with the provider without holding a slot. Beyond that, a request that exceeds attempt_timeout_ms keeps its slot until it or another such request ends. Default: 4.
 *   'tasks.stack_bytes'?: int, // The stack size of provider threads, in bytes. The thread that runs callbacks has the same stack size, unless the engine uses a shared runtime. Default: 8388608.
 *   'queue.max_keys'?: int, // The number of places in the queue. The key of a single-key fetch needs a place to wait for a slot. Keys of larger fetches and of refreshes take places too, while any are free. Default: 65536.
 *   'queue.order'?: 'fifo'|'lifo', // Which fetch goes first among those of equal urgency: the oldest (fifo) or the newest (lifo). When the queue is full, a new key takes the place of the least urgent key if that key is less urgent or, with lifo, equally urgent and older. Otherwise the new key finds no place, and queue.overflow applies. A fetch of very many keys searches for places in steps, and does not consider keys that arrive between two steps. Default: fifo.
 *   'queue.ageing_ms'?: int, // With queue.order = fifo: the waiting time, in milliseconds, that raises the urgency of a key by one, so that steady urgent traffic starves no key; 0 turns this off. Default: 0.
 *   'queue.share'?: float, // The share of the queue's places that the keys of one fetch may take at one urgency, but at least one place. The other keys of the fetch wait without a place. Default: 0.5.
 *   'queue.overflow'?: 'wait'|'reject', // What happens to a key that finds no place in the queue or loses its place, if the key belongs to a refresh or to a fetch of several keys. wait: the key waits without a place. reject: the key fails with KVL_ERR_QUEUE_FULL, and queue.share has no effect. The key of a single-key fetch always fails with KVL_ERR_QUEUE_FULL. Default: wait.
 *   'batch.max_keys'?: int, // The maximum number of keys in a request; 1 for a provider that answers one key at a time. Default: 20.
 *   'batch.linger_us'?: int, // How long a key waits for other keys to join its request, in microseconds. Default: 0.
 *   'batch.omitted_is_null'?: bool, // Whether a key that the provider leaves unanswered becomes null (true) or fails (false). Neither happens to a key that is no longer wanted. Default: false.
 *   'rate.requests_per_s'?: float, // The maximum number of requests to the provider per second; 0 is no limit. A key that waits for the rate limit holds no slot. Default: 0.
 *   'rate.burst'?: int, // With rate.requests_per_s: how many requests may be passed to the provider at once after an idle time. Default: 1.
 *   'breaker.failure_ratio'?: float, // The circuit breaker opens when this share of the requests within breaker.window_ms has failed; 0 turns this off. A request fails if it exceeds attempt_timeout_ms, or if one of its keys fails with an error that is not permanent. Default: 0.
 *   'breaker.window_ms'?: int, // The time over which breaker.failure_ratio is measured, in milliseconds. Default: 10000.
 *   'breaker.min_requests'?: int, // The number of requests within breaker.window_ms below which breaker.failure_ratio does not apply. Default: 20.
 *   'breaker.consecutive'?: int, // The circuit breaker opens when this many requests in a row have failed; 0 turns this off. Default: 0.
 *   'breaker.open_ms'?: int, // How long an open circuit breaker keeps requests from the provider before it lets probe requests through, in milliseconds. Until then, keys that would need the provider fail with KVL_ERR_UNAVAILABLE. Default: 5000.
 *   'breaker.probes'?: int, // How many probe requests must succeed before the circuit breaker closes. If a probe request fails, the circuit breaker opens again. Default: 1.
 *   'hedge.after_ms'?: int, // The time, in milliseconds, after which the unanswered keys of a slow request are passed to the provider once more, in a hedge request, if a slot is free. The first answer to each key counts, and a request whose remaining keys the other request has answered is cancelled. 0 turns this off. Default: 0.
 *   'hedge.percentile'?: float, // Like hedge.after_ms, but with a measured time: the time within which this share of the recent requests, such as 0.95, was answered. 0 turns this off. Default: 0.
 *   'hedge.max_ratio'?: float, // The largest share of the requests that may be repeated by a hedge request. Default: 0.05.
 *   'provider.idempotent'?: bool, // Whether the keys of a slow request may be passed to the provider a second time. false makes the hedge settings an error. Even with false, a key may be in two requests at a time: after a write during its load, or after an attempt that timed out. Default: true.
 *   'refresh.after'?: float, // The share of an entry's TTL after which the next use of the entry also starts a load of it in the background: a refresh ahead. Until the load ends, uses of the entry continue to hit. 0 turns this off. Entries that are not used are not refreshed. Default: 0.
 *   'refresh.after_ms'?: int, // Like refresh.after, but as a time since the entry was stored, in milliseconds. 0 turns this off. Default: 0.
 *   'refresh.retry_ms'?: int, // The pause after a failed or dropped refresh ahead, in milliseconds. The first use of the entry after the pause starts another refresh ahead. Default: 1000.
 *   'refresh.jitter'?: float, // The largest share by which the time until a refresh ahead is shortened at random, so that entries stored together are not loaded together. Default: 0.
 *   'stale.ttl_ms'?: int, // How long an expired entry of an engine's cache stays as a fallback for fetches whose load fails, in milliseconds; 0 keeps no fallbacks. Requires entries that expire. Default: 0.
 *   'stale.retry_ms'?: int, // How long a key with a fallback is not loaded again after a failed load, in milliseconds. Fetches of the key in that time receive the fallback at once. Default: 1000.
 *   'stale.timeout_ms'?: int, // How long a fetch with a fallback waits for the load, in milliseconds. The fetch then receives the fallback, while the load goes on and its answer is stored. -1 is no limit; 0 gives the fallback at once (stale while revalidate). The value must be below timeout_ms. Default: -1.
 *   'l2.timeout_ms'?: int, // How long the second tier may take for a lookup, in milliseconds. After that, the provider is called. -1 is no limit; 0 is refused. Default: 50.
 *   'l2.write_timeout_ms'?: int, // How long the second tier may take for a request that writes, in milliseconds. A request that takes longer counts as failed, and its puts and removals are sent again. Default: 5000.
 *   'l2.single_flight'?: bool, // What to do with a key that another process is loading. true: look the key up again until its answer is in the second tier, for up to l2.wait_ms. false: load the key in this process too. true has no effect unless the second tier reports such keys (kvl_l2_request_leased). Default: true.
 *   'l2.wait_ms'?: int, // How long a key waits for the load of another process, in milliseconds. After that, this process loads the key, and takes over its lease if the second tier allows that. Default: 1000.
 *   'l2.ttl_ms'?: int, // The longest TTL in the second tier, in milliseconds; -1 uses the TTL that the entry has in this process; 0 is refused. Default: -1.
 *   'l2.local_ttl_ms'?: int, // The longest TTL in this process for an entry found in the second tier, in milliseconds; -1 uses what is left of its TTL there; 0 is refused. Default: -1.
 *   'l2.batch_keys'?: int, // The maximum number of keys in a request for the second tier. Default: 256.
 *   'l2.max_requests'?: int, // The maximum number of requests that read from the second tier at a time. One more request may write at the same time. Default: 4.
 *   'l2.max_asking'?: int, // How many keys may wait to be looked up in the second tier. Further keys go to the provider at once. Default: 65536.
 *   'l2.max_value'?: int, // The largest value that is written to the second tier, in bytes. A put of a larger value removes the key from the second tier. Default: 1048576.
 *   'l2.pending_keys'?: int, // How many keys may wait to be written to the second tier. Beyond that, a put or removal clears the whole second tier instead, and answers of the provider are not written to it. Default: 65536.
 *   'l2.pending_bytes'?: int, // The maximum total size of the values that wait to be written to the second tier, in bytes. Beyond that, a put removes the key from the second tier instead, and answers of the provider are not written to it. Default: 67108864.
 *   'l2.break_after'?: int, // The number of requests that must fail in a row before the second tier is left alone for l2.break_ms; 0 never leaves it alone. Default: 5.
 *   'l2.break_ms'?: int, // How long the second tier is left alone after l2.break_after failures in a row, in milliseconds. The time doubles with each further failure, up to l2.break_cap_ms. A failed write is repeated after this time at the earliest. Default: 1000.
 *   'l2.break_cap_ms'?: int, // The longest time for which the second tier is left alone, in milliseconds. Default: 30000.
 *   'batch.mode'?: 'partial'|'all_or_nothing', // Whether the failure of one key affects no other key of its batch (partial) or ends the batch (all_or_nothing). Default: partial.
 *   'timeout_ms'?: int, // How long a fetch waits, in milliseconds from the call. Positions that are not answered by then fail with KVL_ERR_TIMEOUT. -1 is no limit; 0 is refused. Default: -1.
 *   'attempt_timeout_ms'?: int, // How long the provider may take for a request, in milliseconds from when the provider receives the request; a heartbeat restarts the time. -1 is no limit; 0 is refused. Default: -1.
 *   'read'?: 'normal'|'refresh'|'cache_only'|'no_store', // normal: look in the store, and load what is missing. refresh: load in any case, and store the answer. cache_only: never load. no_store: look in the store, load what is missing, and do not store the answer. Default: normal.
 *   'load.on_timeout'?: 'continue'|'cancel', // What happens to a running load, or to one whose key is looked up in the second tier, when the last fetch that waits for it reaches timeout_ms. continue: the load continues, other fetches can join it, and its answer is stored, but a failed attempt is not retried; a key that the second tier does not have goes on to the provider only if that can take a request at once. cancel: the load ends; the provider is notified that it is no longer wanted. Default: continue.
 *   'load.on_cancel'?: 'continue'|'cancel', // What happens to such a load when the last fetch that waits for it is cancelled. The values mean the same as for load.on_timeout. Default: cancel.
 *   'priority'?: float, // The priority with which an answer is stored, unless the answer states one. Entries of lower priority are evicted first. Default: 0.
 *   'urgency'?: int, // Keys of higher urgency are served first. kvl_fetch_set_urgency() overrides this setting. A refresh has KVL_URGENCY_BACKGROUND, unless its options state an urgency. Default: 0.
 *   'retry.count'?: int, // How many times a failed key is retried; -1 is no limit. Default: 0.
 *   'retry.shape'?: 'fixed'|'exponential'|'exponential_then_fixed'|'fixed_then_exponential', // How the pauses between attempts grow. fixed: each pause is retry.fixed_ms. exponential: the first pause is retry.first_ms, and each further pause is retry.factor times as long as the one before. exponential_then_fixed and fixed_then_exponential: the shape changes from the first to the second after retry.switch_after pauses. Default: fixed.
 *   'retry.first_ms'?: int, // The first exponential pause, in milliseconds. Default: 1000.
 *   'retry.fixed_ms'?: int, // The fixed pause, in milliseconds. With 0, a retried key is queued behind the waiting keys of its urgency. Default: 100.
 *   'retry.factor'?: float, // The factor by which each exponential pause is multiplied to give the next. Default: 2.
 *   'retry.switch_after'?: int, // The number of pauses after which exponential_then_fixed or fixed_then_exponential changes to its second shape. Default: 0.
 *   'retry.cap_ms'?: int, // The longest pause, in milliseconds. Default: 60000.
 *   'retry.jitter'?: float, // Each pause is drawn uniformly from pause × (1 ± retry.jitter), and never exceeds retry.cap_ms. Default: 0.
 *   'retry.budget_ms'?: int, // How long after the start of the first attempt another attempt may still start, in milliseconds; -1 is no limit. Default: -1.
 * }
 */
final class Native
{
    public const VERSION = 2000;
    /** done */
    public const OK = 0;
    /** a value */
    public const VALUE = 1;
    /** known to be absent */
    public const NULL = 2;
    /** not in the store */
    public const MISS = 3;
    /** the validator refused the key */
    public const INVALID_KEY = 4;
    /** accepted: the promised events follow */
    public const PENDING = 5;
    /** nothing within the timeout, a wake-up ended the wait, or an iterator has no more entries */
    public const EMPTY = 6;
    /** not stored: no room for the entry's priority, capacity 0, or TTL 0; an older value under the key was removed */
    public const REFUSED = 7;
    /** not stored: costs more than one shard's part of cache.cost_limit; an older value under the key was removed */
    public const TOO_LARGE = 8;
    /** the buffer is too small: call again with a buffer of the reported length */
    public const TRUNCATED = 9;
    /** too late: the attempt had ended before, or the answer is outdated */
    public const LATE = 10;
    /** not stored: the key has an entry already, or no longer has the expected value; nothing changed */
    public const CONFLICT = 11;
    /** an argument is out of range or has unknown flags */
    public const ERR_INVALID_ARG = -1;
    /** a pointer that must not be NULL is NULL */
    public const ERR_NULL_POINTER = -2;
    /** no setting has this name, or a fetch cannot set it: docs/CONFIGURATION.md and kvl_config_keys_json() list all settings */
    public const ERR_UNKNOWN_KEY = -3;
    /** a setting, or a term of an answer or a put (TTL, stale TTL, priority, cost, version, tags), has the wrong type, is out of range, or contradicts another */
    public const ERR_BAD_VALUE = -4;
    /** the runtime has been freed */
    public const ERR_INVALID_HANDLE = -5;
    /** the key is longer than 65,535 bytes (KVL_KEY_MAX) */
    public const ERR_KEY_TOO_LONG = -6;
    /** the value or the request is not of the kind that this function needs: an object has no bytes, for example */
    public const ERR_WRONG_KIND = -7;
    /** the index is not below the length */
    public const ERR_OUT_OF_RANGE = -8;
    /** this key of the request has been answered already, or the request is finished */
    public const ERR_ALREADY_ANSWERED = -9;
    /** already used: a fetch handle serves one fetch, a cancel hook is set once, and an error is changed only before it is shared */
    public const ERR_ALREADY_USED = -10;
    /** the configuration has no provider: kvl_config_set_provider() */
    public const ERR_NO_PROVIDER = -11;
    /** the function to call is NULL: set it, or have its events sent to a queue that kvl_queue_next() reads */
    public const ERR_NO_CALLBACK = -12;
    /** still in use: an engine or a cache is attached and must be freed first, or another thread reads the queue */
    public const ERR_BUSY = -13;
    /** out of memory */
    public const ERR_NO_MEMORY = -100;
    /** the system refused a thread */
    public const ERR_NO_THREAD = -101;
    /** the system refused a descriptor or handle for the queue, or this function is for another system */
    public const ERR_NO_FD = -102;
    /** this call cannot wait: requests go to a queue, which this thread may have to read */
    public const ERR_UNSUPPORTED = -103;
    /** the file system reported an error: kvl_error_message() gives details */
    public const ERR_IO = -104;
    /** the file is damaged, or is not a saved cache; entries read before the damage are stored */
    public const ERR_CORRUPT = -105;
    /** the file ends too early; entries read before its end are stored */
    public const ERR_TRUNCATED = -106;
    /** the file has a version that this library does not support */
    public const ERR_FILE_VERSION = -107;
    /** the engine is closed */
    public const ERR_CLOSED = -200;
    /** the handle was created before a fork: create a new one in the child */
    public const ERR_FORKED = -201;
    /** this function may not be called from inside a callback, because it would wait for that callback */
    public const ERR_REENTRANT = -202;
    /** the provider failed */
    public const ERR_PROVIDER = -300;
    /** the timeout expired before an answer arrived */
    public const ERR_TIMEOUT = -301;
    /** the fetch was cancelled, a save or load of a cache was stopped, or the request is no longer wanted */
    public const ERR_CANCELLED = -302;
    /** the queue was full of keys at least as urgent as this one, or a newer key took the place of this one: raise queue.max_keys or tasks.max_running, or fetch many keys in one call, because such keys may wait without a place */
    public const ERR_QUEUE_FULL = -303;
    /** the provider finished without an answer for this key */
    public const ERR_UNANSWERED = -304;
    /** the circuit breaker is open, because the provider failed too often or the program forced it: for now, the provider receives no requests */
    public const ERR_UNAVAILABLE = -305;
    /** an internal error was caught: please report it */
    public const ERR_PANIC = -900;
    /** Results, progress, the notice of a close, and the freeing of the fetches' user data go to the queue. */
    public const QUEUE_F_RESULTS = 1;
    /** Requests and cancel hooks go to the queue. */
    public const QUEUE_F_PROVIDER = 2;
    /** Removals go to the queue. */
    public const QUEUE_F_REMOVALS = 4;
    /** The three flags above together. */
    public const QUEUE_F_ALL = 7;
    /** Requests for the second tier go to the queue. Not part of KVL_QUEUE_F_ALL: a program that drives everything else by its queue may still have a second tier whose function is called. */
    public const QUEUE_F_L2 = 8;
    /** Close at once: open positions are settled with KVL_ERR_CLOSED. */
    public const CLOSE_CANCEL = 0;
    /** Close when accepted work is done, or at the deadline. */
    public const CLOSE_DRAIN = 1;
    /** Invalidates all keys: the call passes none. */
    public const INVALIDATE_F_ALL = 1;
    /** Entries expire instead of being removed, and stay as fallbacks until their grace period ends. */
    public const INVALIDATE_F_EXPIRE = 2;
    /** A request to look keys up. Answer each key with kvl_l2_request_hit(), kvl_l2_request_hit_object(), kvl_l2_request_miss(), kvl_l2_request_leased() or kvl_l2_request_fail(). */
    public const L2_READ = 1;
    /** A request to store entries that were loaded, each only if its key has not changed since it was looked up. */
    public const L2_FILL = 2;
    /** A request to store entries that were put. */
    public const L2_WRITE = 3;
    /** A request to remove keys. */
    public const L2_REMOVE = 4;
    /** A request to remove all keys, which names none. */
    public const L2_CLEAR = 5;
    /** The second tier compares tokens: it stores an entry of KVL_L2_FILL only if the entry's token is still the key's token. */
    public const L2_F_CONDITIONAL = 1;
    /** The second tier grants leases: the first read of an absent key receives a token, and other reads of the key receive none until the key is written or the token expires. */
    public const L2_F_LEASES = 2;
    /** The second tier stores objects too: the program converts them to bytes and back. Without this flag, objects stay in the process. */
    public const L2_F_OBJECTS = 4;
    /** What is left of a TTL: the second tier does not know it, but ends entries in time. */
    public const L2_TTL_UNKNOWN = -2;
    /** The circuit breaker lets requests through. */
    public const BREAKER_CLOSED = 0;
    /** The circuit breaker keeps requests from the provider. */
    public const BREAKER_OPEN = 1;
    /** The circuit breaker lets probes through. */
    public const BREAKER_HALF_OPEN = 2;
    /** The circuit breaker is not forced. */
    public const BREAKER_FORCE_NONE = 0;
    /** The circuit breaker is forced closed. */
    public const BREAKER_FORCE_CLOSED = 1;
    /** The circuit breaker is forced open. */
    public const BREAKER_FORCE_OPEN = 2;
    /** A value of bytes. */
    public const KIND_BYTES = 1;
    /** A value that is a pointer of the program. */
    public const KIND_OBJECT = 2;
    /** The constant that stands for "known to be absent". */
    public const KIND_NULL = 3;
    /** In the flags of results and events: no further event of this fetch follows. */
    public const F_LAST = 1;
    /** In the flags of a result: the value, or the null, had expired and served as a fallback. `error` is the error of the load; it is NULL if the load takes too long (`stale.timeout_ms`). */
    public const F_STALE = 2;
    /** The request is wanted. */
    public const CANCEL_NO = 0;
    /** None of the request's keys is wanted any more. */
    public const CANCEL_UNWANTED = 1;
    /** The attempt has timed out. */
    public const CANCEL_TIMEOUT = 2;
    /** The engine closes. */
    public const CANCEL_CLOSED = 3;
    /** A TTL: the entry never expires. */
    public const TTL_NEVER = -1;
    /** A TTL: that of the configuration (`cache.ttl_ms`, `cache.null_ttl_ms`). */
    public const TTL_DEFAULT = -2;
    /** A grace period: none. */
    public const STALE_NEVER = -1;
    /** A cost: the cost function's, or else the value's own. */
    public const COST_DEFAULT = -1;
    /** A priority: for an answer, the setting `priority` of the fetch; for a put, 0. */
    public const PRIORITY_DEFAULT = -1.7976931348623157e+308;
    /** A put that replaces a live entry keeps the expiry of that entry; `ttl_ms` applies only if there is no live entry. */
    public const PUT_F_KEEP_TTL = 1;
    /** A put takes place only if the key has no live entry; otherwise it returns KVL_CONFLICT. A null is an entry. */
    public const PUT_F_IF_ABSENT = 2;
    /** A put takes place only if the key has a live entry; otherwise it returns KVL_MISS. A null is an entry. */
    public const PUT_F_IF_PRESENT = 4;
    /** A timeout: none. */
    public const FOREVER = -1;
    /** The library's own memory for an entry, in bytes. An entry whose value has a stated cost costs this, plus the value's cost, plus the length of the key. A version and tags cost extra. */
    public const ENTRY_COST = 90;
    /** An urgency: the default of a refresh. */
    public const URGENCY_BACKGROUND = -1000;
    /** The maximum length of a tag, and of the version that is stated for a record, in bytes. */
    public const LABEL_MAX = 255;
    /** The maximum number of tags of an entry. */
    public const TAGS_MAX = 16;
    /** The maximum length of a key, in bytes. */
    public const KEY_MAX = 65535;
    /** None: the position failed, or was refused before the lookup. */
    public const SOURCE_NONE = 0;
    /** The store. */
    public const SOURCE_STORE = 1;
    /** The provider, in a load that this fetch started. */
    public const SOURCE_PROVIDER = 2;
    /** The provider, in a load that was in progress: one of another fetch, or of an earlier position of this fetch with the same key. */
    public const SOURCE_JOINED = 3;
    /** A put, which settled a key that was waiting for its load to begin. */
    public const SOURCE_PUT = 4;
    /** The memory of recent errors. */
    public const SOURCE_ERROR_MEMORY = 5;
    /** The store, with an expired entry that served as a fallback. */
    public const SOURCE_STALE = 6;
    /** The second tier. */
    public const SOURCE_L2 = 7;
    /** The entry expired. */
    public const CAUSE_EXPIRED = 1;
    /** The entry was evicted to make room for another one (cache.capacity). */
    public const CAUSE_CAPACITY = 2;
    /** The entry was evicted to make room for another one's cost (cache.cost_limit). */
    public const CAUSE_COST = 3;
    /** Another value was stored under the key. */
    public const CAUSE_REPLACED = 4;
    /** The entry was removed, taken or popped. */
    public const CAUSE_REMOVED = 5;
    /** The store was cleared. */
    public const CAUSE_CLEARED = 6;
    /** The value was refused, and never stored. */
    public const CAUSE_REFUSED = 7;
    /** The store was trimmed or made smaller. */
    public const CAUSE_TRIMMED = 8;
    /** The entry was removed by one of its tags. */
    public const CAUSE_TAG = 9;
    /** One position of a fetch is settled. */
    public const EVENT_RESULT = 1;
    /** All positions of a batch are settled. */
    public const EVENT_RESULTS = 2;
    /** Some more positions of a batch are settled. */
    public const EVENT_PROGRESS = 3;
    /** The provider has a request to answer. */
    public const EVENT_REQUEST = 4;
    /** A request that the program holds is no longer wanted. */
    public const EVENT_CANCEL = 5;
    /** The last reference to an object without a destructor was dropped: `user_data` is the object. */
    public const EVENT_DROP = 6;
    /** A value is no longer in the store. */
    public const EVENT_REMOVAL = 7;
    /** An engine is closed. This is its last event. */
    public const EVENT_CLOSED = 8;
    /** The second tier has a request to serve. */
    public const EVENT_L2 = 9;
    /** In the flags of an error: a key that fails with it is not retried, whatever the retry policy is. */
    public const ERROR_F_PERMANENT = 1;
    /** In the flags of an error: there is no fallback. The expired entry (`stale.ttl_ms`) is not served instead of the error, and is removed. */
    public const ERROR_F_NO_STALE = 2;
    /** Positions that have a value. */
    public const COUNT_VALUES = 0;
    /** Positions that are known to be absent. */
    public const COUNT_NULLS = 1;
    /** Positions whose key the validator refused. */
    public const COUNT_INVALID = 2;
    /** Positions that failed. */
    public const COUNT_FAILED = 3;
    /** Positions that were answered by the store. */
    public const COUNT_FROM_STORE = 4;
    /** Positions whose load this fetch started. */
    public const COUNT_FROM_PROVIDER = 5;
    /** Positions that joined a load in progress, including that of another position of this fetch. */
    public const COUNT_JOINED = 6;
    /** Positions that received an expired value, or null, as a fallback: KVL_F_STALE. */
    public const COUNT_STALE = 7;
    /** Positions that were found in the second tier. */
    public const COUNT_FROM_L2 = 8;
    /** In the flags of kvl_queue_new(): the descriptor is a pipe even on systems with eventfds, for libuv. No effect on Windows. */
    public const QUEUE_NEW_PIPE = 1;
}
