# Generated from api/api.json by `make generate`. Do not edit.
"""The library's version, statuses, sources, breaker states, and settings with their types."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal, TypedDict

VERSION = "0.2.0"


class Status(IntEnum):
    """Errors are negative; OK and the other outcomes are not."""

    OK = 0
    """done"""

    VALUE = 1
    """a value"""

    NULL = 2
    """known to be absent"""

    MISS = 3
    """not in the store"""

    INVALID_KEY = 4
    """the validator refused the key"""

    PENDING = 5
    """accepted: the promised events follow"""

    EMPTY = 6
    """nothing within the timeout, a wake-up ended the wait, or an iterator has no more entries"""

    REFUSED = 7
    """not stored: no room for the entry's priority, capacity 0, or TTL 0; an older value under the key was removed"""

    TOO_LARGE = 8
    """not stored: costs more than one shard's part of cache.cost_limit; an older value under the key was removed"""

    TRUNCATED = 9
    """the buffer is too small: call again with a buffer of the reported length"""

    LATE = 10
    """too late: the attempt had ended before, or the answer is outdated"""

    CONFLICT = 11
    """not stored: the key has an entry already, or no longer has the expected value; nothing changed"""

    ERR_INVALID_ARG = -1
    """an argument is out of range or has unknown flags"""

    ERR_NULL_POINTER = -2
    """a pointer that must not be NULL is NULL"""

    ERR_UNKNOWN_KEY = -3
    """no setting has this name, or a fetch cannot set it: docs/CONFIGURATION.md and kvl_config_keys_json() list all settings"""

    ERR_BAD_VALUE = -4
    """a setting, or a term of an answer or a put (TTL, stale TTL, priority, cost, version, tags), has the wrong type, is out of range, or contradicts another"""

    ERR_INVALID_HANDLE = -5
    """the runtime has been freed"""

    ERR_KEY_TOO_LONG = -6
    """the key is longer than 65,535 bytes (KVL_KEY_MAX)"""

    ERR_WRONG_KIND = -7
    """the value or the request is not of the kind that this function needs: an object has no bytes, for example"""

    ERR_OUT_OF_RANGE = -8
    """the index is not below the length"""

    ERR_ALREADY_ANSWERED = -9
    """this key of the request has been answered already, or the request is finished"""

    ERR_ALREADY_USED = -10
    """already used: a fetch handle serves one fetch, a cancel hook is set once, and an error is changed only before it is shared"""

    ERR_NO_PROVIDER = -11
    """the configuration has no provider: kvl_config_set_provider()"""

    ERR_NO_CALLBACK = -12
    """the function to call is NULL: set it, or have its events sent to a queue that kvl_queue_next() reads"""

    ERR_BUSY = -13
    """still in use: an engine or a cache is attached and must be freed first, or another thread reads the queue"""

    ERR_NO_MEMORY = -100
    """out of memory"""

    ERR_NO_THREAD = -101
    """the system refused a thread"""

    ERR_NO_FD = -102
    """the system refused a descriptor or handle for the queue, or this function is for another system"""

    ERR_UNSUPPORTED = -103
    """this call cannot wait: requests go to a queue, which this thread may have to read"""

    ERR_IO = -104
    """the file system reported an error: kvl_error_message() gives details"""

    ERR_CORRUPT = -105
    """the file is damaged, or is not a saved cache; entries read before the damage are stored"""

    ERR_TRUNCATED = -106
    """the file ends too early; entries read before its end are stored"""

    ERR_FILE_VERSION = -107
    """the file has a version that this library does not support"""

    ERR_CLOSED = -200
    """the engine is closed"""

    ERR_FORKED = -201
    """the handle was created before a fork: create a new one in the child"""

    ERR_REENTRANT = -202
    """this function may not be called from inside a callback, because it would wait for that callback"""

    ERR_PROVIDER = -300
    """the provider failed"""

    ERR_TIMEOUT = -301
    """the timeout expired before an answer arrived"""

    ERR_CANCELLED = -302
    """the fetch was cancelled, a save or load of a cache was stopped, or the request is no longer wanted"""

    ERR_QUEUE_FULL = -303
    """the queue was full of keys at least as urgent as this one, or a newer key took the place of this one: raise queue.max_keys or tasks.max_running, or fetch many keys in one call, because such keys may wait without a place"""

    ERR_UNANSWERED = -304
    """the provider finished without an answer for this key"""

    ERR_UNAVAILABLE = -305
    """the circuit breaker is open, because the provider failed too often or the program forced it: for now, the provider receives no requests"""

    ERR_PANIC = -900
    """an internal error was caught: please report it"""


class Source(IntEnum):
    """Where a result came from."""

    NONE = 0
    """None: the position failed, or was refused before the lookup."""

    STORE = 1
    """The store."""

    PROVIDER = 2
    """The provider, in a load that this fetch started."""

    JOINED = 3
    """The provider, in a load that was in progress: one of another fetch, or of an earlier position of this fetch with the same key."""

    PUT = 4
    """A put, which settled a key that was waiting for its load to begin."""

    ERROR_MEMORY = 5
    """The memory of recent errors."""

    STALE = 6
    """The store, with an expired entry that served as a fallback."""

    L2 = 7
    """The second tier."""


# The states of the circuit breaker, by number.
BREAKER_STATES: dict[int, Literal["closed", "open", "half_open"]] = {0: "closed", 1: "open", 2: "half_open"}
# The states that the circuit breaker can be forced to, by word; None returns the circuit breaker to automatic operation.
BREAKER_OVERRIDES: dict[Literal[None, "closed", "open"], int] = {None: 0, "closed": 1, "open": 2}


class FetchSettings(TypedDict, total=False):
    """The settings that one fetch may override."""

    stale_timeout_ms: int
    """How long a fetch with a fallback waits for the load, in milliseconds. The fetch then receives the fallback, while the load goes on and its answer is stored. -1 is no limit; 0 gives the fallback at once (stale while revalidate). The value must be below timeout_ms. Default: -1."""

    batch_mode: Literal["partial", "all_or_nothing"]
    """Whether the failure of one key affects no other key of its batch (partial) or ends the batch (all_or_nothing). Default: partial."""

    timeout_ms: int
    """How long a fetch waits, in milliseconds from the call. Positions that are not answered by then fail with KVL_ERR_TIMEOUT. -1 is no limit; 0 is refused. Default: -1."""

    read: Literal["normal", "refresh", "cache_only", "no_store"]
    """normal: look in the store, and load what is missing. refresh: load in any case, and store the answer. cache_only: never load. no_store: look in the store, load what is missing, and do not store the answer. Default: normal."""

    load_on_timeout: Literal["continue", "cancel"]
    """What happens to a running load, or to one whose key is looked up in the second tier, when the last fetch that waits for it reaches timeout_ms. continue: the load continues, other fetches can join it, and its answer is stored, but a failed attempt is not retried; a key that the second tier does not have goes on to the provider only if that can take a request at once. cancel: the load ends; the provider is notified that it is no longer wanted. Default: continue."""

    load_on_cancel: Literal["continue", "cancel"]
    """What happens to such a load when the last fetch that waits for it is cancelled. The values mean the same as for load.on_timeout. Default: cancel."""

    priority: float
    """The priority with which an answer is stored, unless the answer states one. Entries of lower priority are evicted first. Default: 0."""

    urgency: int
    """Keys of higher urgency are served first. kvl_fetch_set_urgency() overrides this setting. A refresh has KVL_URGENCY_BACKGROUND, unless its options state an urgency. Default: 0."""

    retry_count: int
    """How many times a failed key is retried; -1 is no limit. Default: 0."""

    retry_shape: Literal["fixed", "exponential", "exponential_then_fixed", "fixed_then_exponential"]
    """How the pauses between attempts grow. fixed: each pause is retry.fixed_ms. exponential: the first pause is retry.first_ms, and each further pause is retry.factor times as long as the one before. exponential_then_fixed and fixed_then_exponential: the shape changes from the first to the second after retry.switch_after pauses. Default: fixed."""

    retry_first_ms: int
    """The first exponential pause, in milliseconds. Default: 1000."""

    retry_fixed_ms: int
    """The fixed pause, in milliseconds. With 0, a retried key is queued behind the waiting keys of its urgency. Default: 100."""

    retry_factor: float
    """The factor by which each exponential pause is multiplied to give the next. Default: 2."""

    retry_switch_after: int
    """The number of pauses after which exponential_then_fixed or fixed_then_exponential changes to its second shape. Default: 0."""

    retry_cap_ms: int
    """The longest pause, in milliseconds. Default: 60000."""

    retry_jitter: float
    """Each pause is drawn uniformly from pause × (1 ± retry.jitter), and never exceeds retry.cap_ms. Default: 0."""

    retry_budget_ms: int
    """How long after the start of the first attempt another attempt may still start, in milliseconds; -1 is no limit. Default: -1."""


class Settings(FetchSettings, total=False):
    """The settings of an engine or a cache."""

    cache_capacity: int
    """The maximum number of entries in the store; 0 stores nothing. Default: 1024."""

    cache_cost_limit: int
    """The maximum total cost of the entries, in bytes; -1 is no limit. An entry costs the memory that it occupies or, if the program states the cost of its value, the stated cost plus the length of the key plus KVL_ENTRY_COST. Default: -1."""

    cache_shards: int
    """The number of shards: parts of the store, each with its own lock and an equal part of cache.capacity and cache.cost_limit. 0 lets the library choose: one shard for a cache.capacity of up to 8,191; for more, as many shards as leave each of them at least 1 MiB of cache.cost_limit, by the number of processors. Default: 0."""

    cache_ttl_ms: int
    """The TTL of values, in milliseconds; -1 never expires them; 0 stores no values. Default: -1."""

    cache_null_ttl_ms: int
    """The TTL of nulls (keys known to be absent), in milliseconds; -1 never expires them; 0 stores no nulls. Default: 60000."""

    cache_ttl_jitter_ms: int
    """The largest random change of a finite TTL, in milliseconds, so that entries stored together do not expire together: each TTL is drawn uniformly from TTL ± min(cache.ttl_jitter_ms, TTL / 2). Default: 0."""

    cache_idle_ttl_ms: int
    """The time without use after which an entry also expires, in milliseconds; -1 is no limit; 0 is refused. Default: -1."""

    cache_timer: bool
    """Whether a timer frees the memory of expired entries. Without the timer, each write frees up to 8 expired entries. An engine always has the timer. Default: true."""

    cache_seed: int
    """A seed that makes the jitter of TTLs, refreshes and retries repeatable; -1 uses a random seed. Hashing does not use it: hash keys are always random. Default: -1."""

    cache_hash: Literal["fast", "sip"]
    """The hash function for the store and for the table of loads. fast: foldhash. sip: SipHash-1-3, for keys that an attacker can choose. Both use random hash keys. Default: fast."""

    cache_policy: Literal["lru", "s3fifo"]
    """Which entries are evicted first, among those of the lowest priority. lru: exactly the least recently used. s3fifo: entries that were used at most once since they were stored, so that a scan of keys that are used only once evicts little else. Default: lru."""

    cache_error_ttl_ms: int
    """How long a provider's final error is remembered and returned to fetches of its key, in milliseconds; 0 remembers no errors. Default: 0."""

    cache_error_capacity: int
    """The maximum number of remembered errors; the oldest are forgotten first. All remembered errors together use at most cache.error_capacity KiB of memory. Default: 1024."""

    removals_max_pending: int
    """How many entries that have left an engine's cache may wait for the removal listener or, without a listener, for their destructors; -1 is no limit. Beyond the limit, a thread that writes outside callbacks waits until the listener has been called for some of these entries or, without a listener, runs destructors itself. Unless it is -1, the limit is lower for a small cache: no more entries may wait than the cache may hold (but at least 16), and they may cost no more than it may hold. Default: 1024."""

    tasks_max_running: int
    """The maximum number of requests that are with the provider at a time. Each of them holds a slot. Requests counted by tasks.max_abandoned come on top. Default: 4."""

    tasks_limit: Literal["fixed", "adaptive"]
    """How many slots there are. fixed: tasks.max_running. adaptive: a number between tasks.min_running and tasks.max_running, which rises while requests take no longer than when few are running, and falls when requests take longer or exceed attempt_timeout_ms. Default: fixed."""

    tasks_min_running: int
    """With tasks.limit = adaptive: the lowest number of slots, and the initial one. Default: 1."""

    tasks_max_abandoned: int
    """How many requests that have exceeded attempt_timeout_ms may still be with the provider without holding a slot. Beyond that, a request that exceeds attempt_timeout_ms keeps its slot until it or another such request ends. Default: 4."""

    tasks_stack_bytes: int
    """The stack size of provider threads, in bytes. The thread that runs callbacks has the same stack size, unless the engine uses a shared runtime. Default: 8388608."""

    queue_max_keys: int
    """The number of places in the queue. The key of a single-key fetch needs a place to wait for a slot. Keys of larger fetches and of refreshes take places too, while any are free. Default: 65536."""

    queue_order: Literal["fifo", "lifo"]
    """Which fetch goes first among those of equal urgency: the oldest (fifo) or the newest (lifo). When the queue is full, a new key takes the place of the least urgent key if that key is less urgent or, with lifo, equally urgent and older. Otherwise the new key finds no place, and queue.overflow applies. A fetch of very many keys searches for places in steps, and does not consider keys that arrive between two steps. Default: fifo."""

    queue_ageing_ms: int
    """With queue.order = fifo: the waiting time, in milliseconds, that raises the urgency of a key by one, so that steady urgent traffic starves no key; 0 turns this off. Default: 0."""

    queue_share: float
    """The share of the queue's places that the keys of one fetch may take at one urgency, but at least one place. The other keys of the fetch wait without a place. Default: 0.5."""

    queue_overflow: Literal["wait", "reject"]
    """What happens to a key that finds no place in the queue or loses its place, if the key belongs to a refresh or to a fetch of several keys. wait: the key waits without a place. reject: the key fails with KVL_ERR_QUEUE_FULL, and queue.share has no effect. The key of a single-key fetch always fails with KVL_ERR_QUEUE_FULL. Default: wait."""

    batch_max_keys: int
    """The maximum number of keys in a request; 1 for a provider that answers one key at a time. Default: 20."""

    batch_linger_us: int
    """How long a key waits for other keys to join its request, in microseconds. Default: 0."""

    batch_omitted_is_null: bool
    """Whether a key that the provider leaves unanswered becomes null (true) or fails (false). Neither happens to a key that is no longer wanted. Default: false."""

    rate_requests_per_s: float
    """The maximum number of requests to the provider per second; 0 is no limit. A key that waits for the rate limit holds no slot. Default: 0."""

    rate_burst: int
    """With rate.requests_per_s: how many requests may be passed to the provider at once after an idle time. Default: 1."""

    breaker_failure_ratio: float
    """The circuit breaker opens when this share of the requests within breaker.window_ms has failed; 0 turns this off. A request fails if it exceeds attempt_timeout_ms, or if one of its keys fails with an error that is not permanent. Default: 0."""

    breaker_window_ms: int
    """The time over which breaker.failure_ratio is measured, in milliseconds. Default: 10000."""

    breaker_min_requests: int
    """The number of requests within breaker.window_ms below which breaker.failure_ratio does not apply. Default: 20."""

    breaker_consecutive: int
    """The circuit breaker opens when this many requests in a row have failed; 0 turns this off. Default: 0."""

    breaker_open_ms: int
    """How long an open circuit breaker keeps requests from the provider before it lets probe requests through, in milliseconds. Until then, keys that would need the provider fail with KVL_ERR_UNAVAILABLE. Default: 5000."""

    breaker_probes: int
    """How many probe requests must succeed before the circuit breaker closes. If a probe request fails, the circuit breaker opens again. Default: 1."""

    hedge_after_ms: int
    """The time, in milliseconds, after which the unanswered keys of a slow request are passed to the provider once more, in a hedge request, if a slot is free. The first answer to each key counts, and a request whose remaining keys the other request has answered is cancelled. 0 turns this off. Default: 0."""

    hedge_percentile: float
    """Like hedge.after_ms, but with a measured time: the time within which this share of the recent requests, such as 0.95, was answered. 0 turns this off. Default: 0."""

    hedge_max_ratio: float
    """The largest share of the requests that may be repeated by a hedge request. Default: 0.05."""

    provider_idempotent: bool
    """Whether the keys of a slow request may be passed to the provider a second time. false makes the hedge settings an error. Even with false, a key may be in two requests at a time: after a write during its load, or after an attempt that timed out. Default: true."""

    refresh_after: float
    """The share of an entry's TTL after which the next use of the entry also starts a load of it in the background: a refresh ahead. Until the load ends, uses of the entry continue to hit. 0 turns this off. Entries that are not used are not refreshed. Default: 0."""

    refresh_after_ms: int
    """Like refresh.after, but as a time since the entry was stored, in milliseconds. 0 turns this off. Default: 0."""

    refresh_retry_ms: int
    """The pause after a failed or dropped refresh ahead, in milliseconds. The first use of the entry after the pause starts another refresh ahead. Default: 1000."""

    refresh_jitter: float
    """The largest share by which the time until a refresh ahead is shortened at random, so that entries stored together are not loaded together. Default: 0."""

    stale_ttl_ms: int
    """How long an expired entry of an engine's cache stays as a fallback for fetches whose load fails, in milliseconds; 0 keeps no fallbacks. Requires entries that expire. Default: 0."""

    stale_retry_ms: int
    """How long a key with a fallback is not loaded again after a failed load, in milliseconds. Fetches of the key in that time receive the fallback at once. Default: 1000."""

    l2_timeout_ms: int
    """How long the second tier may take for a lookup, in milliseconds. After that, the provider is called. -1 is no limit; 0 is refused. Default: 50."""

    l2_write_timeout_ms: int
    """How long the second tier may take for a request that writes, in milliseconds. A request that takes longer counts as failed, and its puts and removals are sent again. Default: 5000."""

    l2_single_flight: bool
    """What to do with a key that another process is loading. true: look the key up again until its answer is in the second tier, for up to l2.wait_ms. false: load the key in this process too. true has no effect unless the second tier reports such keys (kvl_l2_request_leased). Default: true."""

    l2_wait_ms: int
    """How long a key waits for the load of another process, in milliseconds. After that, this process loads the key, and takes over its lease if the second tier allows that. Default: 1000."""

    l2_ttl_ms: int
    """The longest TTL in the second tier, in milliseconds; -1 uses the TTL that the entry has in this process; 0 is refused. Default: -1."""

    l2_local_ttl_ms: int
    """The longest TTL in this process for an entry found in the second tier, in milliseconds; -1 uses what is left of its TTL there; 0 is refused. Default: -1."""

    l2_batch_keys: int
    """The maximum number of keys in a request for the second tier. Default: 256."""

    l2_max_requests: int
    """The maximum number of requests that read from the second tier at a time. One more request may write at the same time. Default: 4."""

    l2_max_asking: int
    """How many keys may wait to be looked up in the second tier. Further keys go to the provider at once. Default: 65536."""

    l2_max_value: int
    """The largest value that is written to the second tier, in bytes. A put of a larger value removes the key from the second tier. Default: 1048576."""

    l2_pending_keys: int
    """How many keys may wait to be written to the second tier. Beyond that, a put or removal clears the whole second tier instead, and answers of the provider are not written to it. Default: 65536."""

    l2_pending_bytes: int
    """The maximum total size of the values that wait to be written to the second tier, in bytes. Beyond that, a put removes the key from the second tier instead, and answers of the provider are not written to it. Default: 67108864."""

    l2_break_after: int
    """The number of requests that must fail in a row before the second tier is left alone for l2.break_ms; 0 never leaves it alone. Default: 5."""

    l2_break_ms: int
    """How long the second tier is left alone after l2.break_after failures in a row, in milliseconds. The time doubles with each further failure, up to l2.break_cap_ms. A failed write is repeated after this time at the earliest. Default: 1000."""

    l2_break_cap_ms: int
    """The longest time for which the second tier is left alone, in milliseconds. Default: 30000."""

    attempt_timeout_ms: int
    """How long the provider may take for a request, in milliseconds from when the provider receives the request; a heartbeat restarts the time. -1 is no limit; 0 is refused. Default: -1."""


class CacheSettings(TypedDict, total=False):
    """The settings of a cache without a provider."""

    capacity: int
    """The maximum number of entries in the store; 0 stores nothing. Default: 1024."""

    cost_limit: int
    """The maximum total cost of the entries, in bytes; -1 is no limit. An entry costs the memory that it occupies or, if the program states the cost of its value, the stated cost plus the length of the key plus KVL_ENTRY_COST. Default: -1."""

    shards: int
    """The number of shards: parts of the store, each with its own lock and an equal part of cache.capacity and cache.cost_limit. 0 lets the library choose: one shard for a cache.capacity of up to 8,191; for more, as many shards as leave each of them at least 1 MiB of cache.cost_limit, by the number of processors. Default: 0."""

    ttl_ms: int
    """The TTL of values, in milliseconds; -1 never expires them; 0 stores no values. Default: -1."""

    null_ttl_ms: int
    """The TTL of nulls (keys known to be absent), in milliseconds; -1 never expires them; 0 stores no nulls. Default: 60000."""

    ttl_jitter_ms: int
    """The largest random change of a finite TTL, in milliseconds, so that entries stored together do not expire together: each TTL is drawn uniformly from TTL ± min(cache.ttl_jitter_ms, TTL / 2). Default: 0."""

    idle_ttl_ms: int
    """The time without use after which an entry also expires, in milliseconds; -1 is no limit; 0 is refused. Default: -1."""

    timer: bool
    """Whether a timer frees the memory of expired entries. Without the timer, each write frees up to 8 expired entries. An engine always has the timer. Default: true."""

    seed: int
    """A seed that makes the jitter of TTLs, refreshes and retries repeatable; -1 uses a random seed. Hashing does not use it: hash keys are always random. Default: -1."""

    hash: Literal["fast", "sip"]
    """The hash function for the store and for the table of loads. fast: foldhash. sip: SipHash-1-3, for keys that an attacker can choose. Both use random hash keys. Default: fast."""

    policy: Literal["lru", "s3fifo"]
    """Which entries are evicted first, among those of the lowest priority. lru: exactly the least recently used. s3fifo: entries that were used at most once since they were stored, so that a scan of keys that are used only once evicts little else. Default: lru."""

    error_ttl_ms: int
    """How long a provider's final error is remembered and returned to fetches of its key, in milliseconds; 0 remembers no errors. Default: 0."""

    error_capacity: int
    """The maximum number of remembered errors; the oldest are forgotten first. All remembered errors together use at most cache.error_capacity KiB of memory. Default: 1024."""


# The name of each setting in the library, by its Python name.
NAMES: dict[str, str] = {
    "cache_capacity": "cache.capacity",
    "cache_cost_limit": "cache.cost_limit",
    "cache_shards": "cache.shards",
    "cache_ttl_ms": "cache.ttl_ms",
    "cache_null_ttl_ms": "cache.null_ttl_ms",
    "cache_ttl_jitter_ms": "cache.ttl_jitter_ms",
    "cache_idle_ttl_ms": "cache.idle_ttl_ms",
    "cache_timer": "cache.timer",
    "cache_seed": "cache.seed",
    "cache_hash": "cache.hash",
    "cache_policy": "cache.policy",
    "cache_error_ttl_ms": "cache.error_ttl_ms",
    "cache_error_capacity": "cache.error_capacity",
    "removals_max_pending": "removals.max_pending",
    "tasks_max_running": "tasks.max_running",
    "tasks_limit": "tasks.limit",
    "tasks_min_running": "tasks.min_running",
    "tasks_max_abandoned": "tasks.max_abandoned",
    "tasks_stack_bytes": "tasks.stack_bytes",
    "queue_max_keys": "queue.max_keys",
    "queue_order": "queue.order",
    "queue_ageing_ms": "queue.ageing_ms",
    "queue_share": "queue.share",
    "queue_overflow": "queue.overflow",
    "batch_max_keys": "batch.max_keys",
    "batch_linger_us": "batch.linger_us",
    "batch_omitted_is_null": "batch.omitted_is_null",
    "rate_requests_per_s": "rate.requests_per_s",
    "rate_burst": "rate.burst",
    "breaker_failure_ratio": "breaker.failure_ratio",
    "breaker_window_ms": "breaker.window_ms",
    "breaker_min_requests": "breaker.min_requests",
    "breaker_consecutive": "breaker.consecutive",
    "breaker_open_ms": "breaker.open_ms",
    "breaker_probes": "breaker.probes",
    "hedge_after_ms": "hedge.after_ms",
    "hedge_percentile": "hedge.percentile",
    "hedge_max_ratio": "hedge.max_ratio",
    "provider_idempotent": "provider.idempotent",
    "refresh_after": "refresh.after",
    "refresh_after_ms": "refresh.after_ms",
    "refresh_retry_ms": "refresh.retry_ms",
    "refresh_jitter": "refresh.jitter",
    "stale_ttl_ms": "stale.ttl_ms",
    "stale_retry_ms": "stale.retry_ms",
    "stale_timeout_ms": "stale.timeout_ms",
    "l2_timeout_ms": "l2.timeout_ms",
    "l2_write_timeout_ms": "l2.write_timeout_ms",
    "l2_single_flight": "l2.single_flight",
    "l2_wait_ms": "l2.wait_ms",
    "l2_ttl_ms": "l2.ttl_ms",
    "l2_local_ttl_ms": "l2.local_ttl_ms",
    "l2_batch_keys": "l2.batch_keys",
    "l2_max_requests": "l2.max_requests",
    "l2_max_asking": "l2.max_asking",
    "l2_max_value": "l2.max_value",
    "l2_pending_keys": "l2.pending_keys",
    "l2_pending_bytes": "l2.pending_bytes",
    "l2_break_after": "l2.break_after",
    "l2_break_ms": "l2.break_ms",
    "l2_break_cap_ms": "l2.break_cap_ms",
    "batch_mode": "batch.mode",
    "timeout_ms": "timeout_ms",
    "attempt_timeout_ms": "attempt_timeout_ms",
    "read": "read",
    "load_on_timeout": "load.on_timeout",
    "load_on_cancel": "load.on_cancel",
    "priority": "priority",
    "urgency": "urgency",
    "retry_count": "retry.count",
    "retry_shape": "retry.shape",
    "retry_first_ms": "retry.first_ms",
    "retry_fixed_ms": "retry.fixed_ms",
    "retry_factor": "retry.factor",
    "retry_switch_after": "retry.switch_after",
    "retry_cap_ms": "retry.cap_ms",
    "retry_jitter": "retry.jitter",
    "retry_budget_ms": "retry.budget_ms",
}
