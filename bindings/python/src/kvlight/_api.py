# Made from api/api.json by `make generate`. Do not edit.
"""The library's statuses, and its settings with their types."""

from __future__ import annotations

from enum import IntEnum
from typing import Literal, TypedDict

VERSION = "0.2.0"


class Status(IntEnum):
    """Outcomes above 0, errors below."""

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
    """accepted: exactly the promised events follow"""

    EMPTY = 6
    """no event within the time given, or woken"""

    REFUSED = 7
    """not stored: no room that the entry's priority may claim, capacity 0, or TTL 0; an older value under the key is gone"""

    TOO_LARGE = 8
    """not stored: dearer than one shard's part of cache.cost_limit; an older value under the key is gone"""

    TRUNCATED = 9
    """the buffer is too small: ask again with the length that was written"""

    LATE = 10
    """the attempt was over before this answer came"""

    CONFLICT = 11
    """not stored: a put's condition does not hold, since the key has an entry, or another value; nothing changed"""

    ERR_INVALID_ARG = -1
    """an argument is out of its range or has unknown flags"""

    ERR_NULL_POINTER = -2
    """a pointer is NULL that must not be"""

    ERR_UNKNOWN_KEY = -3
    """no configuration key of that name: kvl_config_keys_json() lists them"""

    ERR_BAD_VALUE = -4
    """the value is not of the key's type or range: kvl_config_problem() says which"""

    ERR_INVALID_HANDLE = -5
    """the handle is not one of this kind, or was freed"""

    ERR_KEY_TOO_LONG = -6
    """a key has at most KVL_KEY_MAX bytes"""

    ERR_WRONG_KIND = -7
    """bytes were asked of an object value, or an object of a bytes value"""

    ERR_OUT_OF_RANGE = -8
    """the index is not below the length"""

    ERR_ALREADY_ANSWERED = -9
    """this key of the request has its answer"""

    ERR_ALREADY_USED = -10
    """a fetch handle serves one fetch: make a new one"""

    ERR_NO_PROVIDER = -11
    """the configuration has no provider: kvl_config_set_provider()"""

    ERR_NO_CALLBACK = -12
    """a callback is NULL and no queue was set that could carry the event"""

    ERR_BUSY = -13
    """an engine is still attached: free it first"""

    ERR_NO_MEMORY = -100
    """out of memory"""

    ERR_NO_THREAD = -101
    """the system refused a thread"""

    ERR_NO_FD = -102
    """the system refused a file descriptor"""

    ERR_UNSUPPORTED = -103
    """not possible in this mode or on this system"""

    ERR_IO = -104
    """the file system refused: kvl_error_message() says what"""

    ERR_CORRUPT = -105
    """the file is damaged, or is no saved cache; what was read before the damage is stored"""

    ERR_TRUNCATED = -106
    """the file ends too early; what was read of it is stored"""

    ERR_FILE_VERSION = -107
    """the file is of a later version than this library knows"""

    ERR_CLOSED = -200
    """the engine is closed"""

    ERR_FORKED = -201
    """the handle was made before a fork: make new ones in the child"""

    ERR_REENTRANT = -202
    """this function may not be called from inside a callback, since it would wait for itself"""

    ERR_PROVIDER = -300
    """the provider failed"""

    ERR_TIMEOUT = -301
    """the time given was over before an answer came"""

    ERR_CANCELLED = -302
    """the fetch was cancelled"""

    ERR_QUEUE_FULL = -303
    """the queue was full of keys as urgent, or a newcomer took the key's place: raise queue.max_keys or tasks.max_running, or ask for many keys in one fetch"""

    ERR_UNANSWERED = -304
    """the provider finished without an answer for this key"""

    ERR_UNAVAILABLE = -305
    """the circuit breaker is open: the provider fails too often, and is left alone for breaker.open_ms"""

    ERR_PANIC = -900
    """an internal error was caught: please report it"""


class Source(IntEnum):
    """Where a result came from."""

    NONE = 0
    """From nowhere: the position failed, or was refused before anything was looked up."""

    STORE = 1
    """From the store."""

    PROVIDER = 2
    """From the provider, in a load that this fetch started."""

    JOINED = 3
    """From the provider, in a load that was under way: another fetch's, or that of the same key at an earlier position of this one."""

    PUT = 4
    """From a put that settled the waiting load."""

    ERROR_MEMORY = 5
    """From the memory of recent errors."""


class FetchSettings(TypedDict, total=False):
    """What one fetch may set."""

    batch_mode: Literal["partial", "all_or_nothing"]
    """Whether one key's failure leaves the rest of its batch alone or ends it. Default: partial."""

    timeout_ms: int
    """How long a fetch waits, in milliseconds from the call; what is open then is told KVL_ERR_TIMEOUT. -1 for ever; 0 is refused. Default: -1."""

    read: Literal["normal", "refresh", "cache_only", "no_store"]
    """normal; refresh loads anew and stores; cache_only never loads; no_store does not store what it loads. Default: normal."""

    load_on_timeout: Literal["continue", "cancel"]
    """What becomes of a load in the provider's hands when the last fetch that waits for it reaches timeout_ms. continue: it goes on, others can join it, and its answer is stored; it is not tried again. cancel: the provider is notified that nobody wants it. Default: continue."""

    load_on_cancel: Literal["cancel", "continue"]
    """The same, when the last fetch that waits for it is cancelled. Default: cancel."""

    priority: float
    """The priority with which an answer is stored, where the answer states none: entries of lower priority make room for it first. Default: 0."""

    urgency: int
    """Of the keys that wait for a slot, those of higher urgency go first. kvl_fetch_set_urgency() overrides it. A refresh whose options state none has KVL_URGENCY_BACKGROUND. Default: 0."""

    retry_count: int
    """How often a failed key is tried again; -1 for ever. Default: 0."""

    retry_shape: Literal["fixed", "exponential", "exponential_then_fixed", "fixed_then_exponential"]
    """How the pauses between attempts grow. Default: fixed."""

    retry_first_ms: int
    """The first exponential pause, in milliseconds. Default: 1000."""

    retry_fixed_ms: int
    """The fixed pause, in milliseconds. A key that is tried again at once goes behind those that wait at its urgency. Default: 100."""

    retry_factor: float
    """By what each exponential pause is longer than the one before. Default: 2."""

    retry_switch_after: int
    """After how many pauses the shapes of two parts go over to the second. Default: 0."""

    retry_cap_ms: int
    """No pause is longer, in milliseconds. Default: 60000."""

    retry_jitter: float
    """Each pause is drawn uniformly from pause × (1 ± this), never above the cap. Default: 0."""

    retry_budget_ms: int
    """No attempt begins later than this after the first one began, in milliseconds; -1 for ever. Default: -1."""


class Settings(FetchSettings, total=False):
    """What an engine or a cache may set."""

    cache_capacity: int
    """How many entries the store holds at most; 0 stores nothing. Default: 1024."""

    cache_cost_limit: int
    """How many bytes the entries may cost in all; -1 is no limit. An entry costs what the heap holds for it; where a cost is stated for its value, that, its key's length and KVL_ENTRY_COST. Default: -1."""

    cache_shards: int
    """How many parts with a lock of their own the store has; each holds an equal part of both limits. 0: one up to capacity 8,191, then more, but never so many that a part has less than 1 MiB of the cost limit. Default: 0."""

    cache_ttl_ms: int
    """How long a value lives, in milliseconds; -1 for ever; 0 stores no values. Default: -1."""

    cache_null_ttl_ms: int
    """How long an absence is remembered, in milliseconds; -1 for ever; 0 not at all. Default: 60000."""

    cache_ttl_jitter_ms: int
    """Each finite TTL is drawn uniformly from TTL ± min(this, TTL / 2), so that entries stored together do not expire together. Default: 0."""

    cache_idle_ttl_ms: int
    """An entry also expires this long after its last use, in milliseconds; -1 never; 0 is refused. Default: -1."""

    cache_timer: bool
    """Whether a timer gives expired entries' memory back. Without it each write gives back up to 8. An engine always has one. Default: true."""

    cache_seed: int
    """Makes TTL jitter and retry jitter repeatable; -1 draws a seed at random. It does not concern hashing, which is always keyed at random. Default: -1."""

    cache_hash: Literal["fast", "sip"]
    """fast is foldhash, sip is SipHash-1-3, for keys that an attacker chooses; both are keyed from the randomness of the system. It holds for the table of loads too. Default: fast."""

    cache_error_ttl_ms: int
    """How long a provider's final error is remembered and given to those who ask, in milliseconds; 0 not at all. Default: 0."""

    cache_error_capacity: int
    """How many errors are remembered at most. Default: 1024."""

    removals_max_pending: int
    """How many entries that left an engine's cache may wait for the removal listener, or for their destructor where there is none, before threads that write outside callbacks are held back: they wait until the listener has been called for some, or run destructors themselves. Never more, in number and cost, than the cache may hold. -1: any number. Default: 1024."""

    tasks_max_running: int
    """How many requests may be with the provider at a time. Default: 4."""

    tasks_max_abandoned: int
    """How many requests that ran into attempt_timeout_ms may still be with the provider while their slot is used again; beyond, the slot waits for one of them. Default: 4."""

    tasks_stack_bytes: int
    """How large the stacks are of the threads on which the provider runs, in bytes, and without a shared runtime also that of the thread on which callbacks run. Default: 8388608."""

    queue_max_keys: int
    """How many places the queue has: so many keys of fetches of a single key may wait for a slot. The keys of larger fetches and of refreshes take places too, while there are any. Default: 65536."""

    queue_order: Literal["fifo", "lifo"]
    """Whether the oldest or the newest fetch goes first, among those of one urgency. When the queue is full, a newcomer takes the place of the least urgent key, if that is less urgent than itself, or under lifo as urgent and older; else it is refused. Default: fifo."""

    queue_ageing_ms: int
    """Under fifo: waiting this long counts as one step of urgency, in milliseconds, so that steady urgent traffic starves nobody; 0: urgency alone decides. Default: 0."""

    queue_share: float
    """Which part of the places the keys of one fetch may occupy at one urgency, at least one; its other keys wait without a place. Default: 0.5."""

    queue_overflow: Literal["wait", "reject"]
    """What becomes of the keys of a refresh, or of a fetch of several keys, that find no place or lose it: they wait all the same, or fail with KVL_ERR_QUEUE_FULL as a single key does. With reject there is no share. Default: wait."""

    batch_max_keys: int
    """How many keys a request holds at most; 1 for a provider that answers one key at a time. Default: 20."""

    batch_linger_us: int
    """How long a key waits for company before a request is formed, in microseconds, rounded up to the timer's millisecond. Default: 0."""

    batch_omitted_is_null: bool
    """Whether a key that the provider leaves unanswered, while its answer is wanted, is absent rather than failed. Default: false."""

    rate_requests_per_s: float
    """How many requests go to the provider in a second at most; 0 is no limit. A key that waits for this holds no slot. Default: 0."""

    rate_burst: int
    """How many requests may go at once after a pause, under rate.requests_per_s. Default: 1."""

    breaker_failure_ratio: float
    """The circuit breaker opens when this part of the requests of the last breaker.window_ms failed; 0 never. A request fails if its attempt_timeout_ms runs out, or if a key of it fails with an error that is not permanent. Default: 0."""

    breaker_window_ms: int
    """How far back breaker.failure_ratio looks, in milliseconds. Default: 10000."""

    breaker_min_requests: int
    """How many requests the window must hold before breaker.failure_ratio counts. Default: 20."""

    breaker_consecutive: int
    """The circuit breaker opens when so many requests failed one after the other; 0 never. Default: 0."""

    breaker_open_ms: int
    """How long an open circuit breaker keeps requests from the provider before it lets probes through, in milliseconds. Meanwhile keys that would need it fail with KVL_ERR_UNAVAILABLE. Default: 5000."""

    breaker_probes: int
    """How many requests must succeed, one failure ending it, before the circuit breaker closes again. Default: 1."""

    attempt_timeout_ms: int
    """How long the provider may take for a request, in milliseconds from when it takes it; a heartbeat starts it anew. -1 for ever; 0 is refused. Default: -1."""


class CacheSettings(TypedDict, total=False):
    """What a cache without a provider may set."""

    capacity: int
    """How many entries the store holds at most; 0 stores nothing. Default: 1024."""

    cost_limit: int
    """How many bytes the entries may cost in all; -1 is no limit. An entry costs what the heap holds for it; where a cost is stated for its value, that, its key's length and KVL_ENTRY_COST. Default: -1."""

    shards: int
    """How many parts with a lock of their own the store has; each holds an equal part of both limits. 0: one up to capacity 8,191, then more, but never so many that a part has less than 1 MiB of the cost limit. Default: 0."""

    ttl_ms: int
    """How long a value lives, in milliseconds; -1 for ever; 0 stores no values. Default: -1."""

    null_ttl_ms: int
    """How long an absence is remembered, in milliseconds; -1 for ever; 0 not at all. Default: 60000."""

    ttl_jitter_ms: int
    """Each finite TTL is drawn uniformly from TTL ± min(this, TTL / 2), so that entries stored together do not expire together. Default: 0."""

    idle_ttl_ms: int
    """An entry also expires this long after its last use, in milliseconds; -1 never; 0 is refused. Default: -1."""

    timer: bool
    """Whether a timer gives expired entries' memory back. Without it each write gives back up to 8. An engine always has one. Default: true."""

    seed: int
    """Makes TTL jitter and retry jitter repeatable; -1 draws a seed at random. It does not concern hashing, which is always keyed at random. Default: -1."""

    hash: Literal["fast", "sip"]
    """fast is foldhash, sip is SipHash-1-3, for keys that an attacker chooses; both are keyed from the randomness of the system. It holds for the table of loads too. Default: fast."""

    error_ttl_ms: int
    """How long a provider's final error is remembered and given to those who ask, in milliseconds; 0 not at all. Default: 0."""

    error_capacity: int
    """How many errors are remembered at most. Default: 1024."""


# The library's names of the settings.
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
    "cache_error_ttl_ms": "cache.error_ttl_ms",
    "cache_error_capacity": "cache.error_capacity",
    "removals_max_pending": "removals.max_pending",
    "tasks_max_running": "tasks.max_running",
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
