/*
 * kvlight: a loading cache for every language, behind a C ABI.
 *
 * This file is the specification. It is generated: `make generate` writes it, a test compares it.
 *
 * OWNERSHIP
 *   A program holds handles: opaque pointers that a function whose name ends in _new, or an `out_` parameter, gave it.
 *   What goes in is copied or retained before the call returns, so the caller keeps its own handle and may free it at once. Nothing
 *   but its own _free or _release ends a handle; either does nothing when it is given NULL.
 *   What a callback or an event shows is borrowed: until the callback returns, or until the next kvl_queue_next() on that queue.
 *   Values, errors, results and requests are reference counted: _retain keeps them for longer.
 *   Out handles are set to NULL before anything else happens, so cleanup code may release them whatever the call answered. Every
 *   other output is written only when the call succeeds (its status is 0 or above). Outputs do not overlap inputs, except that the
 *   key may lie in the buffer of kvl_cache_get_into().
 *   Each parameter carries its word: [borrowed] during the call only, [copied], [retained], [owned] by the caller from now on,
 *   [out] written by the call.
 *
 * USER DATA
 *   A callback travels as three arguments: the function, `user_data`, which is handed to it first, and `user_data_free`, which ends
 *   `user_data` and may be NULL. user_data_free runs exactly once, whatever happens: on the calling thread before the call returns,
 *   if the call failed or answered at once; else after the last callback, where callbacks run.
 *   An object with its destructor keeps the same promise: the destructor runs exactly once, when the last reference is gone, or
 *   before the call returns if the call that was to take the object over fails.
 *
 * THREADS
 *   any      from every thread, from several at the same time, and from inside callbacks.
 *   one      from every thread, but from one at a time for each handle.
 *   outside  from every thread, but inside a callback it answers KVL_ERR_REENTRANT and changes nothing, since it would wait.
 *   A pointer given to the library (user data, objects) may be used and freed by any thread. Callbacks must return: they must not
 *   unwind, longjmp or end their thread. No callback runs while the library holds a lock.
 *
 * PROCESS
 *   Threads of the library block all signals but those that a fault raises (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS,
 *   SIGABRT), from before their first instruction, so that the program's handlers run on the program's threads. A process that a
 *   callback starts there by posix_spawn(), system() or popen() inherits that: give posix_spawn() POSIX_SPAWN_SETSIGMASK. The child
 *   of a fork() inside a callback takes the signals again by itself; it must end by exec or _exit, and not return from the callback.
 *   In the child of any fork, handles made before it answer KVL_ERR_FORKED, and their _free and _release do nothing; values and errors
 *   stay readable, and what they hold ends there where their last reference is released; new handles work.
 *   Windows has neither signals nor forks: none of that applies there. On every system the shared library stays loaded once a handle
 *   was made, whatever unloads it, since threads may be in it.
 *   The stack of a provider is tasks.stack_bytes. Where the system refuses a thread, a request waits for a provider thread that is at
 *   work, and fails with KVL_ERR_NO_THREAD if there is none.
 *
 * DELIVERY
 *   Without a queue, callbacks run on one dispatcher thread of the library and the provider on provider threads of the library.
 *   With a queue, what was routed to it comes out where the program drains it: kvl_queue_poll() runs the callbacks on the polling
 *   thread; kvl_queue_next() fills an event and calls nothing, and the function arguments may then be NULL.
 *   Removals: an engine's removal listener and the destructors of what it drops run on the dispatcher. If these are slower than the
 *   writers, threads that write outside callbacks wait for the listener, or run destructors themselves (removals.max_pending). A cache
 *   without an engine calls its listener inside the call that caused the removal, after its locks, one thread at a time; for what
 *   expired by its timer, on the dispatcher. So a listener, or a destructor, must not take a lock of the program's that a thread holds
 *   while it writes to that cache.
 *
 * SHUTDOWN
 *   Close (never blocks), be told that it is closed, free (joins the threads). Dispose, for destructors and finalizers, does all
 *   that without waiting.
 *
 * ERRORS
 *   A status of 0 is done; above 0, an outcome that a program expects; below 0, an error. KVL_PENDING alone means "accepted": only
 *   then do events follow. There is no last error of a thread: what is to be said about an error is in its kvl_error_t.
 */
#ifndef KVLIGHT_H
#define KVLIGHT_H

#include <stddef.h>
#include <stdint.h>

/* Define KVL_STATIC where the static library is linked on Windows. */
#if defined(_WIN32) && !defined(KVL_STATIC)
#define KVL_API __declspec(dllimport)
#else
#define KVL_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Version of this header, statuses ------------------------------------------------------------------------------ */

/** The version of this header. */
#define KVL_VERSION_MAJOR 0
/** The version of this header. */
#define KVL_VERSION_MINOR 2
/** The version of this header. */
#define KVL_VERSION_PATCH 0
/** major * 1000000 + minor * 1000 + patch; beside it, kvl_version_number() is the library's. */
#define KVL_VERSION_NUMBER 2000u

/** done */
#define KVL_OK 0
/** a value */
#define KVL_VALUE 1
/** known to be absent */
#define KVL_NULL 2
/** not in the store */
#define KVL_MISS 3
/** the validator refused the key */
#define KVL_INVALID_KEY 4
/** accepted: the promised events follow */
#define KVL_PENDING 5
/** no event within the timeout, or the wait was interrupted by a wake-up */
#define KVL_EMPTY 6
/** not stored: no room for the entry's priority, capacity 0, or TTL 0; an older value under the key was removed */
#define KVL_REFUSED 7
/** not stored: costs more than one shard's part of cache.cost_limit; an older value under the key was removed */
#define KVL_TOO_LARGE 8
/** the buffer is too small: call again with the length that was written */
#define KVL_TRUNCATED 9
/** the attempt had ended before this answer arrived */
#define KVL_LATE 10
/** not stored: a put's condition does not hold, since the key has an entry, or another value; nothing changed */
#define KVL_CONFLICT 11
/** an argument is out of range or has unknown flags */
#define KVL_ERR_INVALID_ARG (-1)
/** a pointer that must not be NULL is NULL */
#define KVL_ERR_NULL_POINTER (-2)
/** no configuration key of that name: kvl_config_keys_json() lists them */
#define KVL_ERR_UNKNOWN_KEY (-3)
/** the value has not the key's type, or is out of its range: kvl_config_problem() gives details */
#define KVL_ERR_BAD_VALUE (-4)
/** the runtime has been freed */
#define KVL_ERR_INVALID_HANDLE (-5)
/** a key has at most KVL_KEY_MAX bytes */
#define KVL_ERR_KEY_TOO_LONG (-6)
/** the bytes of an object value, or the object of a bytes value, were requested */
#define KVL_ERR_WRONG_KIND (-7)
/** the index is not below the length */
#define KVL_ERR_OUT_OF_RANGE (-8)
/** this key of the request has been answered already */
#define KVL_ERR_ALREADY_ANSWERED (-9)
/** a fetch handle can be used for one fetch: create a new one */
#define KVL_ERR_ALREADY_USED (-10)
/** the configuration has no provider: kvl_config_set_provider() */
#define KVL_ERR_NO_PROVIDER (-11)
/** a callback is NULL and there is no queue for the event */
#define KVL_ERR_NO_CALLBACK (-12)
/** an engine is still attached: free it first */
#define KVL_ERR_BUSY (-13)
/** out of memory */
#define KVL_ERR_NO_MEMORY (-100)
/** the system refused a thread */
#define KVL_ERR_NO_THREAD (-101)
/** the system refused a file descriptor */
#define KVL_ERR_NO_FD (-102)
/** not possible in this mode or on this system */
#define KVL_ERR_UNSUPPORTED (-103)
/** the file system reported an error: kvl_error_message() gives details */
#define KVL_ERR_IO (-104)
/** the file is damaged, or is not a saved cache; entries read before the damage are stored */
#define KVL_ERR_CORRUPT (-105)
/** the file ends too early; entries read before its end are stored */
#define KVL_ERR_TRUNCATED (-106)
/** the file has a later version than this library supports */
#define KVL_ERR_FILE_VERSION (-107)
/** the engine is closed */
#define KVL_ERR_CLOSED (-200)
/** the handle was created before a fork: create a new one in the child */
#define KVL_ERR_FORKED (-201)
/** this function may not be called from inside a callback, since it would wait for itself */
#define KVL_ERR_REENTRANT (-202)
/** the provider failed */
#define KVL_ERR_PROVIDER (-300)
/** the timeout expired before an answer arrived */
#define KVL_ERR_TIMEOUT (-301)
/** the fetch was cancelled */
#define KVL_ERR_CANCELLED (-302)
/** the queue was full of keys of at least this urgency, or a newer key took the place: raise queue.max_keys or tasks.max_running, or fetch many keys at once */
#define KVL_ERR_QUEUE_FULL (-303)
/** the provider finished without an answer for this key */
#define KVL_ERR_UNANSWERED (-304)
/** the circuit breaker is open: the provider fails too often, and receives no requests for breaker.open_ms */
#define KVL_ERR_UNAVAILABLE (-305)
/** an internal error was caught: please report it */
#define KVL_ERR_PANIC (-900)

/* ---- Closed sets --------------------------------------------------------------------------------------------------- */

/** To the queue go results, progress, the end of a close, and the end of fetches' user data. */
#define KVL_QUEUE_F_RESULTS 1u
/** To the queue go requests and cancel hooks. */
#define KVL_QUEUE_F_PROVIDER 2u
/** To the queue go removals. */
#define KVL_QUEUE_F_REMOVALS 4u
/** All of these. */
#define KVL_QUEUE_F_ALL 7u

/** Close at once: what is open is settled with KVL_ERR_CLOSED. */
#define KVL_CLOSE_CANCEL 0u
/** Close when what was accepted is done, or at the deadline. */
#define KVL_CLOSE_DRAIN 1u

/** The circuit breaker lets requests through. */
#define KVL_BREAKER_CLOSED 0u
/** The circuit breaker keeps them from the provider. */
#define KVL_BREAKER_OPEN 1u
/** The circuit breaker lets probes through. */
#define KVL_BREAKER_HALF_OPEN 2u
/** The circuit breaker decides by itself. */
#define KVL_BREAKER_FORCE_NONE 0u
/** The circuit breaker is ordered closed. */
#define KVL_BREAKER_FORCE_CLOSED 1u
/** The circuit breaker is ordered open. */
#define KVL_BREAKER_FORCE_OPEN 2u

/** A value that is bytes. */
#define KVL_KIND_BYTES 1u
/** A value that is a pointer of the program's. */
#define KVL_KIND_OBJECT 2u
/** The constant that stands for "known to be absent". */
#define KVL_KIND_NULL 3u

/** In the flags of results and events: nothing more follows for this fetch. */
#define KVL_F_LAST 1u
/**
 * In the flags of a result: the time of the value, or of the null, was over, and there was nothing better. `error` says what the load failed
 * with; it is NULL if the load takes too long (`stale.timeout_ms`).
 */
#define KVL_F_STALE 2u

/** The request is wanted. */
#define KVL_CANCEL_NO 0u
/** None of its keys is wanted any more. */
#define KVL_CANCEL_UNWANTED 1u
/** The attempt's time is over. */
#define KVL_CANCEL_TIMEOUT 2u
/** The engine closes. */
#define KVL_CANCEL_CLOSED 3u

/** A TTL: until something else removes the entry. */
#define KVL_TTL_NEVER (-1)
/** A TTL: what the configuration says. */
#define KVL_TTL_DEFAULT (-2)

/** A time as a fallback: none. */
#define KVL_STALE_NEVER (-1)

/** A cost: the cost function's, else the value's own. */
#define KVL_COST_DEFAULT (-1)

/** A priority: not stated. */
#define KVL_PRIORITY_DEFAULT (-1.7976931348623157e308)

/** A put over a live entry keeps that entry's end; `ttl_ms` is then for a key that has none. */
#define KVL_PUT_F_KEEP_TTL 1u
/** A put takes place only if the key has no live entry; else it is KVL_CONFLICT. Null is an entry. */
#define KVL_PUT_F_IF_ABSENT 2u
/** A put takes place only if the key has a live entry; else it is KVL_MISS. Null is an entry. */
#define KVL_PUT_F_IF_PRESENT 4u

/** A timeout: none. */
#define KVL_FOREVER (-1)

/** What the library itself spends on an entry, in bytes: an entry whose value's cost is stated costs that, its key's length and this. */
#define KVL_ENTRY_COST 90u

/** An urgency: that of a refresh whose options state none. */
#define KVL_URGENCY_BACKGROUND (-1000)

/** The longest key, in bytes. */
#define KVL_KEY_MAX 65535u

/** Where a result came from: KVL_SOURCE_*. */
typedef uint32_t kvl_source_t;

/** Why a value is no longer in the store: KVL_CAUSE_*. */
typedef uint32_t kvl_cause_t;

/** What an event reports: KVL_EVENT_*. */
typedef uint32_t kvl_event_kind_t;

/** An outcome or an error: KVL_OK, above 0 an outcome that a program expects, below 0 an error (KVL_ERR_*). */
typedef int32_t kvl_status_t;

/** From nowhere: the position failed, or was refused before anything was looked up. */
#define KVL_SOURCE_NONE 0u
/** From the store. */
#define KVL_SOURCE_STORE 1u
/** From the provider, in a load that this fetch started. */
#define KVL_SOURCE_PROVIDER 2u
/** From the provider, in a load that was under way: another fetch's, or that of the same key at an earlier position of this one. */
#define KVL_SOURCE_JOINED 3u
/** From a put that settled the waiting load. */
#define KVL_SOURCE_PUT 4u
/** From the memory of recent errors. */
#define KVL_SOURCE_ERROR_MEMORY 5u
/** From the store, though its time was over: there was nothing better. */
#define KVL_SOURCE_STALE 6u

/** Its time was over. */
#define KVL_CAUSE_EXPIRED 1u
/** It made room for another entry (cache.capacity). */
#define KVL_CAUSE_CAPACITY 2u
/** It made room for another entry's cost (cache.cost_limit). */
#define KVL_CAUSE_COST 3u
/** Another value was stored under its key. */
#define KVL_CAUSE_REPLACED 4u
/** It was removed, taken or popped. */
#define KVL_CAUSE_REMOVED 5u
/** The store was cleared or went away. */
#define KVL_CAUSE_CLEARED 6u
/** It never got in. */
#define KVL_CAUSE_REFUSED 7u
/** The store was trimmed or made smaller. */
#define KVL_CAUSE_TRIMMED 8u

/** One position of a fetch is settled. */
#define KVL_EVENT_RESULT 1u
/** A whole batch is settled. */
#define KVL_EVENT_RESULTS 2u
/** Some positions of a batch are settled. */
#define KVL_EVENT_PROGRESS 3u
/** The provider is asked: answer the request. */
#define KVL_EVENT_REQUEST 4u
/** A request that the program holds is no longer wanted. */
#define KVL_EVENT_CANCEL 5u
/** The last reference to an object without a destructor is gone: `user_data` is the object. */
#define KVL_EVENT_DROP 6u
/** A value is no longer in the store. */
#define KVL_EVENT_REMOVAL 7u
/** An engine is closed: its last event. */
#define KVL_EVENT_CLOSED 8u

/* ---- Types --------------------------------------------------------------------------------------------------------- */

/** A store. */
typedef struct kvl_cache_t kvl_cache_t;

/** A clock that moves only when it is advanced. */
typedef struct kvl_clock_t kvl_clock_t;

/** What a cache or an engine is made from. */
typedef struct kvl_config_t kvl_config_t;

/** An error: status, code, message and an object of the program's; reference counted and immutable. */
typedef struct kvl_error_t kvl_error_t;

/** A fetch: to cancel it, to wait for it, to see its progress. */
typedef struct kvl_fetch_t kvl_fetch_t;

/** A walk over all entries of a store. */
typedef struct kvl_iterator_t kvl_iterator_t;

/** What one fetch may set for itself. */
typedef struct kvl_options_t kvl_options_t;

/** Events on their way to a thread of the program's. */
typedef struct kvl_queue_t kvl_queue_t;

/** One thread's window on a store. */
typedef struct kvl_reader_t kvl_reader_t;

/** Keys that the provider is asked for. */
typedef struct kvl_request_t kvl_request_t;

/** What a batch came to. */
typedef struct kvl_results_t kvl_results_t;

/** Threads and timers that several engines share. */
typedef struct kvl_runtime_t kvl_runtime_t;

/** An engine: a store with a provider behind it. */
typedef struct kvl_tasks_t kvl_tasks_t;

/** A value: bytes, an object of the program's, or null; reference counted and immutable once shared. */
typedef struct kvl_value_t kvl_value_t;

/** Bytes of somebody else's. Frozen: this struct never changes. */
typedef struct kvl_slice_t {
    /** The bytes; may be NULL if `len` is 0. */
    const uint8_t *data;
    /** How many. */
    size_t len;
} kvl_slice_t;

/**
 * On which terms an answer is stored: begin with KVL_TERMS_INIT, then state what is to differ, as in
 * `kvl_terms_t terms = KVL_TERMS_INIT; terms.ttl_ms = 30000;`. NULL in its place states nothing.
 *
 * Later versions append fields, with 0 for their default.
 */
typedef struct kvl_terms_t {
    /** sizeof(kvl_terms_t), as the caller was compiled. */
    size_t struct_size;
    /** Milliseconds above 0, KVL_TTL_NEVER, KVL_TTL_DEFAULT; 0: do not store, and remove what is stored. */
    int64_t ttl_ms;
    /** Entries of lower priority make room for those of higher; KVL_PRIORITY_DEFAULT: that of the fetch, else 0; not NaN. */
    double priority;
    /** What the value costs, in bytes; KVL_COST_DEFAULT: what the cost function says, else the value itself. */
    int64_t cost;
    /** KVL_PUT_F_* of a put; 0 in an answer to a request. */
    uint32_t flags;
    /** 0. */
    uint32_t reserved;
    /** How long the entry stays after its end as a fallback, in milliseconds; 0: `stale.ttl_ms`; KVL_STALE_NEVER: not at all. Since 0.2. */
    int64_t stale_ttl_ms;
} kvl_terms_t;

/**
 * How far kvl_cache_save() or kvl_cache_load() has come, or came.
 * The library fills it; later versions append fields: check `struct_size` before reading a field of a later version.
 */
typedef struct kvl_transfer_t {
    /** The size of what the library filled, in bytes. */
    size_t struct_size;
    /** Entries that are in the file now, or in the cache. */
    uint64_t entries;
    /** Entries that were left out: objects; when loading, those of keys that have an entry and those that do not get in. */
    uint64_t skipped;
    /** How many entries there are to be: those of the cache when the save began, or those of the file. */
    uint64_t total;
    /** Bytes of the file that were written or read. */
    uint64_t bytes;
} kvl_transfer_t;

/**
 * The result of one position of a fetch; also the view of an entry that a removal listener receives.
 * The library fills it; later versions append fields: check `struct_size` before reading a field of a later version.
 */
typedef struct kvl_result_t {
    /** The size of what the library filled, in bytes. */
    size_t struct_size;
    /** The position in the call that asked. */
    size_t index;
    /** The key; borrowed, as all pointers here, with the result. */
    const uint8_t *key;
    /** The key's length in bytes. */
    size_t key_len;
    /** The value if the status is KVL_VALUE, else NULL. */
    kvl_value_t *value;
    /** The value's bytes; NULL for objects. */
    const uint8_t *data;
    /** The length of `data` in bytes. */
    size_t data_len;
    /** The value's object; NULL for bytes. */
    void *object;
    /**
     * The error if the status is below 0, and then never NULL; one pointer for all who waited. With KVL_F_STALE: what the load failed with,
     * or NULL.
     */
    kvl_error_t *error;
    /** Milliseconds since it was loaded or put; 0 when fresh. */
    int64_t age_ms;
    /** Milliseconds it will live; KVL_TTL_NEVER; 0 when it is not stored. */
    int64_t ttl_left_ms;
    /** What it costs to keep, in bytes. */
    uint64_t cost;
    /** KVL_VALUE, KVL_NULL, KVL_MISS (cache-only), KVL_INVALID_KEY, or an error. */
    kvl_status_t status;
    /** KVL_SOURCE_*. */
    kvl_source_t source;
    /** How many attempts the load took; 0 if there was none. */
    uint32_t attempts;
    /** KVL_F_*. */
    uint32_t flags;
} kvl_result_t;

/** What kvl_queue_next() hands out. The library fills as much as the caller's size holds. */
typedef struct kvl_event_t {
    /** The size of what the library filled, in bytes. */
    size_t struct_size;
    /** KVL_EVENT_*. */
    kvl_event_kind_t kind;
    /** KVL_F_*. */
    uint32_t flags;
    /** The user data of the fetch, the provider or the hook; for KVL_EVENT_DROP the object. */
    void *user_data;
    /** Whose event it is, borrowed; NULL for KVL_EVENT_DROP and plain caches. */
    kvl_tasks_t *tasks;
    /** KVL_EVENT_RESULT; KVL_EVENT_REMOVAL (key, value, cost). Borrowed until the next call, as all pointers here. */
    const kvl_result_t *result;
    /** KVL_EVENT_RESULTS. */
    kvl_results_t *results;
    /** KVL_EVENT_REQUEST, KVL_EVENT_CANCEL. */
    kvl_request_t *request;
    /** KVL_EVENT_PROGRESS: positions settled. */
    size_t done;
    /** KVL_EVENT_PROGRESS: positions that failed, of those settled. */
    size_t failed;
    /** KVL_EVENT_PROGRESS: positions in all. */
    size_t total;
    /** KVL_EVENT_REMOVAL: KVL_CAUSE_*. */
    kvl_cause_t cause;
    /** 0. */
    uint32_t reserved;
} kvl_event_t;

/** Ends `user_data` or an object. Runs exactly once. */
typedef void (*kvl_free_fn)(void *user_data);

/** Tells the result of one position; `result` is borrowed until the function returns. */
typedef void (*kvl_result_fn)(void *user_data, const kvl_result_t *result);

/** Tells the results of a batch; `results` is borrowed until the function returns, kvl_results_retain() keeps it. */
typedef void (*kvl_results_fn)(void *user_data, kvl_results_t *results);

/** Tells how far a batch is, in positions. */
typedef void (*kvl_progress_fn)(void *user_data, size_t done, size_t failed, size_t total);

/** Tells how far a save or a load has come; `progress` is borrowed until the function returns. Returns 0 to go on; anything else stops it. */
typedef int32_t (*kvl_transfer_fn)(void *user_data, const kvl_transfer_t *progress);

/**
 * Returns what takes the place of the value of `entry`, a new reference; NULL leaves the entry out. `entry` is borrowed until the function
 * returns; of its fields only the key and the value are filled.
 */
typedef kvl_value_t *(*kvl_convert_fn)(void *user_data, const kvl_result_t *entry);

/** The provider: answers the keys of `request`, now or later; kvl_request_retain() keeps it for later. */
typedef void (*kvl_provide_fn)(void *user_data, kvl_request_t *request);

/** Tells that `request` is no longer wanted; `reason` is KVL_CANCEL_*. */
typedef void (*kvl_cancel_fn)(void *user_data, kvl_request_t *request, uint32_t reason);

/** Tells that an engine is closed. */
typedef void (*kvl_closed_fn)(void *user_data);

/** Tells that a queue is no longer empty. Runs on a thread of the library; may only schedule a poll. */
typedef void (*kvl_wake_fn)(void *user_data);

/** Says whether a key is valid: not 0 if it is. Runs on the calling thread. */
typedef uint32_t (*kvl_validate_fn)(void *user_data, const uint8_t *key, size_t key_len);

/** Says what a value costs to keep, in bytes. Runs on the thread that stores it. */
typedef uint64_t (*kvl_cost_fn)(void *user_data, const uint8_t *key, size_t key_len, kvl_value_t *value);

/** Tells that a value is no longer in the store; `entry` is borrowed until the function returns. */
typedef void (*kvl_removal_fn)(void *user_data, const kvl_result_t *entry, kvl_cause_t cause);

/** Tells how a lookup went: KVL_VALUE, KVL_NULL, KVL_MISS or KVL_INVALID_KEY. Runs on the asking thread. */
typedef void (*kvl_record_fn)(void *user_data, kvl_status_t record, const uint8_t *key, size_t key_len);

/** What a kvl_terms_t begins with: nothing stated. */
#define KVL_TERMS_INIT { sizeof(kvl_terms_t), KVL_TTL_DEFAULT, KVL_PRIORITY_DEFAULT, KVL_COST_DEFAULT, 0, 0, 0 }

/**
 * What happened since the last reset, and how things stand now. The library fills as much as the caller's size holds; later versions append fields.
 *
 * hits + null_hits + misses + invalid_keys is the number of lookups. The misses of fetches are the sum of the misses_ fields; the others are of calls
 * that only look. Over all windows together, loads_started = loads_succeeded + loads_failed + loads_lost + loads_cancelled + in_flight.
 * A cache without an engine has no loads. docs/STATISTICS.md names the same numbers in JSON and OpenMetrics.
 */
typedef struct kvl_stats_t {
    /** The size of what the library filled, in bytes. */
    size_t struct_size;
    /** Which window this is: another number after each reset. */
    uint64_t window_id;
    /** How long the window has lasted, in milliseconds. */
    int64_t window_ms;
    /** Lookups that found a value. */
    uint64_t hits;
    /** Lookups that found a null: the key is known to be absent. */
    uint64_t null_hits;
    /** Lookups that found nothing. */
    uint64_t misses;
    /** Lookups whose key the validator refused. */
    uint64_t invalid_keys;
    /** Values that were stored, including those that replaced an older value. */
    uint64_t inserts;
    /** Inserts that replaced an older value. */
    uint64_t replacements;
    /** Values that expired. */
    uint64_t removed_expired;
    /** Values that were evicted because the store had too many entries. */
    uint64_t removed_capacity;
    /** Values that were evicted because the store's total cost was too high. */
    uint64_t removed_cost;
    /** Values that were replaced by another value for their key. */
    uint64_t removed_replaced;
    /** Values that the program removed by key. */
    uint64_t removed_removed;
    /** Values that were removed by a clear. */
    uint64_t removed_cleared;
    /** Values that were removed by a trim or a resize. */
    uint64_t removed_trimmed;
    /** Values that were not stored. */
    uint64_t removed_refused;
    /** The cost of the values that expired, in bytes. */
    uint64_t removed_cost_expired;
    /** The cost of the values evicted because there were too many entries, in bytes. */
    uint64_t removed_cost_capacity;
    /** The cost of the values evicted because the total cost was too high, in bytes. */
    uint64_t removed_cost_cost;
    /** The cost of the values that were replaced, in bytes. */
    uint64_t removed_cost_replaced;
    /** The cost of the values that the program removed by key, in bytes. */
    uint64_t removed_cost_removed;
    /** The cost of the values removed by a clear, in bytes. */
    uint64_t removed_cost_cleared;
    /** The cost of the values removed by a trim or a resize, in bytes. */
    uint64_t removed_cost_trimmed;
    /** The cost of the values that were not stored, in bytes. */
    uint64_t removed_cost_refused;
    /** Misses that started a load. */
    uint64_t misses_started;
    /** Misses that joined a running load. */
    uint64_t misses_joined;
    /** Misses of fetches that never load (read is cache_only). */
    uint64_t misses_cache_only;
    /** Misses that found the queue full. */
    uint64_t misses_queue_full;
    /** Misses that were answered with a remembered error (cache.error_ttl_ms). */
    uint64_t misses_remembered;
    /** Misses that ended before a load was started or joined: the engine closed, or their batch failed as a whole. */
    uint64_t misses_unasked;
    /** Misses that were refused because the circuit breaker was open. */
    uint64_t misses_unavailable;
    /** Loads that were started. */
    uint64_t loads_started;
    /** Loads that ended with a value or a null. */
    uint64_t loads_succeeded;
    /** Loads that ended with an error. */
    uint64_t loads_failed;
    /** Loads that lost their place in the queue (KVL_ERR_QUEUE_FULL). */
    uint64_t loads_lost;
    /** Loads that ended because no fetch wanted them any more, or because the engine closed. */
    uint64_t loads_cancelled;
    /** Attempts after the first one of a load. */
    uint64_t loads_retried;
    /** Attempts that timed out (attempt_timeout_ms). */
    uint64_t loads_timed_out;
    /** Answers that came after their attempt had timed out (KVL_LATE). */
    uint64_t late_answers;
    /** Keys passed to the provider; a key counts once for each attempt. */
    uint64_t attempts;
    /** Requests passed to the provider. */
    uint64_t requests;
    /** Requests that timed out while they were with the provider. */
    uint64_t requests_abandoned;
    /** Answers to keys that were not requested and were stored. */
    uint64_t extras_stored;
    /** Answers to keys that were not requested and were not stored. */
    uint64_t extras_refused;
    /** Fetches that timed out (timeout_ms). */
    uint64_t fetch_timeouts;
    /** Fetches that were cancelled. */
    uint64_t fetch_cancels;
    /** Now: entries in the store. */
    uint64_t entries;
    /** Now: the total cost of the entries, in bytes. */
    uint64_t cost;
    /** Now: keys in the queue, waiting for a slot. */
    uint64_t queued;
    /** Now: keys that wait without a place in the queue. */
    uint64_t deferred;
    /** Now: requests that hold a slot. */
    uint64_t running;
    /** Now: loads that have started and not ended, including those in the queue. */
    uint64_t in_flight;
    /** Now: requests that timed out and are still with the provider. */
    uint64_t abandoned;
    /** Now: entries that have left the store and wait for the removal listener or for their destructors. */
    uint64_t pending_removals;
    /** Now: the cost of these entries, in bytes. */
    uint64_t pending_removals_cost;
    /** Times that a request waited for rate.requests_per_s while a slot was free. */
    uint64_t rate_waits;
    /** The total length of these waits, in microseconds. */
    uint64_t rate_waited_us;
    /** Now: the state of the circuit breaker, KVL_BREAKER_*. */
    uint64_t breaker_state;
    /** Times that the circuit breaker opened. */
    uint64_t breaker_opened;
    /** Refusals of keys by the open circuit breaker: misses, keys in the queue, refreshes. */
    uint64_t breaker_refused;
    /** Keys of refreshes that found the queue full and were rejected (queue.overflow=reject). */
    uint64_t refreshes_refused;
    /** Misses that received the fallback at once, because a load had failed shortly before (stale.retry_ms). */
    uint64_t misses_throttled;
    /** Positions that received the fallback because the load failed. */
    uint64_t stale_error;
    /** Positions that received the fallback because the load took too long (stale.timeout_ms). */
    uint64_t stale_timeout;
    /** Positions that received the fallback because a load had failed shortly before (stale.retry_ms). */
    uint64_t stale_throttled;
    /** Loads that were started because an entry was used shortly before its expiry (refresh.after). */
    uint64_t refreshes_started;
    /** Refreshes ahead that ended with a value or a null. */
    uint64_t refreshes_succeeded;
    /** Refreshes ahead that ended with an error. */
    uint64_t refreshes_failed;
    /** Refreshes ahead that were not started, or were given up: the queue was full, the circuit breaker was open, or the engine closed. */
    uint64_t refreshes_dropped;
    /** Now: how many requests may hold a slot: tasks.max_running, or with tasks.limit = adaptive the number that the library found. */
    uint64_t concurrency_limit;
} kvl_stats_t;

/* ---- Version of the library ---------------------------------------------------------------------------------------- */

/**
 * Returns the version of the library as a number, to be compared with KVL_VERSION_NUMBER.
 *
 * @return major * 1000000 + minor * 1000 + patch.
 * @threads any
 * @since 0.1
 */
KVL_API uint32_t kvl_version_number(void);

/**
 * Returns the version of the library as text.
 *
 * @return a static text such as "0.1.0", never NULL.
 * @threads any
 * @since 0.1
 */
KVL_API const char *kvl_version_string(void);

/* ---- Status -------------------------------------------------------------------------------------------------------- */

/**
 * Returns the name of a status.
 *
 * @param status any number.
 * @return a static text such as "KVL_ERR_TIMEOUT", never NULL; "KVL_UNKNOWN" for a number that is no status.
 * @threads any
 * @since 0.1
 */
KVL_API const char *kvl_status_name(kvl_status_t status);

/**
 * Returns a sentence that says what a status means and what helps.
 *
 * @param status any number.
 * @return a static text in UTF-8, never NULL.
 * @threads any
 * @since 0.1
 */
KVL_API const char *kvl_status_message(kvl_status_t status);

/**
 * Says whether the same fetch may succeed when it is tried again, so that a retry policy does so.
 *
 * @param status any number.
 * @return 1 if so, else 0.
 * @threads any
 * @since 0.1
 */
KVL_API uint32_t kvl_status_is_retriable(kvl_status_t status);

/**
 * Returns how many statuses there are, for kvl_status_at().
 *
 * @return their number, above 0.
 * @threads any
 * @since 0.1
 */
KVL_API size_t kvl_status_count(void);

/**
 * Returns the status at a place of the table, from which a binding makes its own constants.
 *
 * @param i 0 to kvl_status_count() - 1.
 * @return the status there; KVL_ERR_OUT_OF_RANGE beyond the last, which is a status of the table as well.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_status_at(size_t i);

/* ---- Runtime: threads to share ------------------------------------------------------------------------------------- */

/**
 * Starts threads that several caches and engines can share: one for timers, one that callbacks run on, and some for providers.
 *
 * Without one, each engine has threads of its own, and so has each cache from its first finite TTL on.
 *
 * @param out_runtime [out, owned] the runtime: free it, after all that uses it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_THREAD, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_runtime_new(kvl_runtime_t **out_runtime);

/**
 * Ends a runtime and its threads, after what was sent to them has been delivered.
 *
 * A configuration that still names it makes nothing any more: KVL_ERR_INVALID_HANDLE.
 *
 * @param runtime [owned] from kvl_runtime_new(); nothing is done to NULL.
 * @return KVL_OK; KVL_ERR_BUSY (a cache or an engine still uses it: release or free that first; the runtime goes on),
 *         KVL_ERR_REENTRANT, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads outside
 * @since 0.1
 */
KVL_API kvl_status_t kvl_runtime_free(kvl_runtime_t *runtime);

/* ---- Clock: for tests of time -------------------------------------------------------------------------------------- */

/**
 * Makes a clock that moves only when it is advanced, so that tests of time need no sleep.
 *
 * It replaces both of an engine's clocks, that of TTLs and that of timeouts: kvl_config_set_clock().
 *
 * @param now_ms     what it shows, in milliseconds, 0 or above.
 * @param out_clock  [out, owned] the clock: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (below 0), KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_clock_new_manual(int64_t now_ms, kvl_clock_t **out_clock);

/**
 * Moves time on and returns when all that fell due has been fired: its events are queued or handed to the dispatcher.
 *
 * One advance of a clock waits for another that is under way.
 *
 * @param clock  [borrowed] from kvl_clock_new_manual().
 * @param by_ms  milliseconds, 0 or above. Time stops at INT64_MAX; timeouts and pauses, which are counted in nanoseconds, fall due for
 *               the last time 584 years after the clock's start.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (below 0), KVL_ERR_FORKED, KVL_ERR_REENTRANT (in a callback that runs
 *         because an advance on this very thread fired it), KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_clock_advance(kvl_clock_t *clock, int64_t by_ms);

/**
 * Returns what a clock shows.
 *
 * @param clock [borrowed] from kvl_clock_new_manual(); may be NULL.
 * @return milliseconds; 0 for NULL and for a clock from before a fork.
 * @threads any
 * @since 0.1
 */
KVL_API int64_t kvl_clock_now_ms(const kvl_clock_t *clock);

/**
 * Gives a clock up; configurations and engines that it was set in keep it.
 *
 * @param clock [owned] from kvl_clock_new_manual(); nothing is done to NULL.
 * @threads any
 * @since 0.1
 */
KVL_API void kvl_clock_release(kvl_clock_t *clock);

/* ---- Config: what a cache or an engine is made from ---------------------------------------------------------------- */

/**
 * Returns the list of all settings as JSON, for bindings and tools.
 *
 * @return a static text in UTF-8, never NULL: an array of objects with name, type (int, real, bool, word), range or words, default
 *         (as text), per_fetch and about.
 * @threads any
 * @since 0.1
 */
KVL_API const char *kvl_config_keys_json(void);

/**
 * Makes a configuration in which every setting has its default.
 *
 * It may serve several caches and engines, and may be freed as soon as they are made.
 *
 * @param out_config [out, owned] the configuration: free it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_new(kvl_config_t **out_config);

/**
 * Writes one setting as text: any setting takes its value so.
 *
 * A refused setting changes nothing but what kvl_config_problem() says.
 *
 * @param config  [borrowed] from kvl_config_new().
 * @param key     [borrowed] its name, NUL-terminated: kvl_config_keys_json().
 * @param value   [copied] NUL-terminated.
 * @return KVL_OK; KVL_ERR_UNKNOWN_KEY, KVL_ERR_BAD_VALUE (type or range), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_set(kvl_config_t *config, const char *key, const char *value);

/**
 * Writes one setting as a whole number; 1 and 0 for those that are true or false.
 *
 * A refused setting changes nothing but what kvl_config_problem() says.
 *
 * @param config  [borrowed] from kvl_config_new().
 * @param key     [borrowed] its name, NUL-terminated: kvl_config_keys_json().
 * @param value   the number, in the unit that the key names.
 * @return KVL_OK; KVL_ERR_UNKNOWN_KEY, KVL_ERR_BAD_VALUE (type or range), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_set_int(kvl_config_t *config, const char *key, int64_t value);

/**
 * Writes one setting as a number.
 *
 * A refused setting changes nothing but what kvl_config_problem() says.
 *
 * @param config  [borrowed] from kvl_config_new().
 * @param key     [borrowed] its name, NUL-terminated: kvl_config_keys_json().
 * @param value   the number, in the unit that the key names.
 * @return KVL_OK; KVL_ERR_UNKNOWN_KEY, KVL_ERR_BAD_VALUE (type or range), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_set_real(kvl_config_t *config, const char *key, double value);

/**
 * Hands out how a setting stands: what was set, else its default.
 *
 * @param config    [borrowed] from kvl_config_new().
 * @param key       [borrowed] its name, NUL-terminated.
 * @param out_text  [out, owned] a value of its text in UTF-8: release it.
 * @return KVL_OK; KVL_ERR_UNKNOWN_KEY, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_NO_MEMORY, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_get(const kvl_config_t *config, const char *key, kvl_value_t **out_text);

/**
 * Returns a sentence on the first setting that was refused, with the nearest name where the name was wrong.
 *
 * Making a cache or an engine from such a configuration is refused with the same sentence, so that any number of settings can be
 * checked once.
 *
 * @param config [borrowed] from kvl_config_new(); may be NULL.
 * @return UTF-8, NUL-terminated, borrowed until the configuration is freed; NULL if none was refused, for NULL, and for a
 *         configuration from before a fork.
 * @threads one
 * @since 0.1
 */
KVL_API const char *kvl_config_problem(const kvl_config_t *config);

/**
 * Sets the provider, which answers keys that the store lacks.
 *
 * @param config          [borrowed] from kvl_config_new().
 * @param function        [retained] NULL: requests come as KVL_EVENT_REQUEST events of a queue, with `user_data`.
 * @param user_data       [retained] what `function` is given first; may be NULL.
 * @param user_data_free  [retained] runs once with `user_data` when the last of the configuration and all that was made from it is
 *                        gone, when another function is set, or before this returns if it fails; may be NULL.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_set_provider(kvl_config_t *config, kvl_provide_fn function, void *user_data, kvl_free_fn user_data_free);

/**
 * Sets the function that says which keys are valid.
 *
 * It runs once for each key that is asked for or stored, on the calling thread, before anything is looked up.
 *
 * @param config          [borrowed] from kvl_config_new().
 * @param function        [retained] NULL: every key is.
 * @param user_data       [retained] what `function` is given first; may be NULL.
 * @param user_data_free  [retained] runs once with `user_data` when the last of the configuration and all that was made from it is
 *                        gone, when another function is set, or before this returns if it fails; may be NULL.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_set_validator(kvl_config_t *config, kvl_validate_fn function, void *user_data, kvl_free_fn user_data_free);

/**
 * Sets the function that says what a value costs.
 *
 * It runs once for each value that is stored without a cost of its own, on the thread that stores it.
 *
 * @param config          [borrowed] from kvl_config_new().
 * @param function        [retained] NULL: a value costs what it says of itself.
 * @param user_data       [retained] what `function` is given first; may be NULL.
 * @param user_data_free  [retained] runs once with `user_data` when the last of the configuration and all that was made from it is
 *                        gone, when another function is set, or before this returns if it fails; may be NULL.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_set_cost(kvl_config_t *config, kvl_cost_fn function, void *user_data, kvl_free_fn user_data_free);

/**
 * Sets the function that is called for each value that is no longer in the store, in store order for each key, one call at a time.
 *
 * Of an engine it runs on the dispatcher; of a cache without an engine inside the call that caused the removal, after its locks, or on
 * the dispatcher for what expired by the timer. So it must not take a lock that the program holds while it writes: see DELIVERY. If
 * it is slower than the writers of an engine, these are held back (`removals.max_pending`): for at most a second by one call of it.
 *
 * @param config          [borrowed] from kvl_config_new().
 * @param function        [retained] NULL: removals come as KVL_EVENT_REMOVAL events of a queue, with `user_data`.
 * @param user_data       [retained] what `function` is given first; may be NULL.
 * @param user_data_free  [retained] runs once with `user_data` when the last of the configuration and all that was made from it is
 *                        gone, when another function is set, or before this returns if it fails; may be NULL.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API
kvl_status_t kvl_config_set_removal_listener(kvl_config_t *config,
                                             kvl_removal_fn function,
                                             void *user_data,
                                             kvl_free_fn user_data_free);

/**
 * Sets the function that receives the outcome of each lookup.
 *
 * It runs once for each key that is asked for, on the asking thread, before the call returns.
 *
 * @param config          [borrowed] from kvl_config_new().
 * @param function        [retained] NULL: no function.
 * @param user_data       [retained] what `function` is given first; may be NULL.
 * @param user_data_free  [retained] runs once with `user_data` when the last of the configuration and all that was made from it is
 *                        gone, when another function is set, or before this returns if it fails; may be NULL.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API
kvl_status_t kvl_config_set_record_listener(kvl_config_t *config,
                                            kvl_record_fn function,
                                            void *user_data,
                                            kvl_free_fn user_data_free);

/**
 * Sets the clock, instead of the system's.
 *
 * @param config  [borrowed] from kvl_config_new().
 * @param clock   [retained] from kvl_clock_new_manual(); NULL: the system's.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_set_clock(kvl_config_t *config, kvl_clock_t *clock);

/**
 * Sets the runtime, whose threads what is made from the configuration shares, instead of having its own.
 *
 * @param config   [borrowed] from kvl_config_new().
 * @param runtime  [borrowed] from kvl_runtime_new(); NULL: threads of its own. Once it is freed, nothing can be made from the
 *                 configuration any more: KVL_ERR_INVALID_HANDLE.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_set_runtime(kvl_config_t *config, kvl_runtime_t *runtime);

/**
 * Ends a configuration; what was made from it stays as it is, with its functions.
 *
 * @param config [owned] from kvl_config_new(); nothing is done to NULL.
 * @threads one
 * @since 0.1
 */
KVL_API void kvl_config_free(kvl_config_t *config);

/* ---- Options: of one fetch ----------------------------------------------------------------------------------------- */

/**
 * Makes options that set nothing: a fetch with them goes by the engine's configuration.
 *
 * Any number of fetches may use them, at the same time; they may be freed as soon as the last such call returned.
 *
 * @param out_options [out, owned] the options: free them.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_options_new(kvl_options_t **out_options);

/**
 * Writes one setting as text: any setting takes its value so.
 *
 * A refused setting changes nothing but what kvl_options_problem() says.
 *
 * @param options [borrowed] from kvl_options_new().
 * @param key     [borrowed] its name, NUL-terminated: kvl_config_keys_json().
 * @param value   [copied] NUL-terminated.
 * @return KVL_OK; KVL_ERR_UNKNOWN_KEY (also for a setting that is the engine's alone), KVL_ERR_BAD_VALUE (type or range),
 *         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_options_set(kvl_options_t *options, const char *key, const char *value);

/**
 * Writes one setting as a whole number; 1 and 0 for those that are true or false.
 *
 * A refused setting changes nothing but what kvl_options_problem() says.
 *
 * @param options [borrowed] from kvl_options_new().
 * @param key     [borrowed] its name, NUL-terminated: kvl_config_keys_json().
 * @param value   the number, in the unit that the key names.
 * @return KVL_OK; KVL_ERR_UNKNOWN_KEY (also for a setting that is the engine's alone), KVL_ERR_BAD_VALUE (type or range),
 *         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_options_set_int(kvl_options_t *options, const char *key, int64_t value);

/**
 * Writes one setting as a number.
 *
 * A refused setting changes nothing but what kvl_options_problem() says.
 *
 * @param options [borrowed] from kvl_options_new().
 * @param key     [borrowed] its name, NUL-terminated: kvl_config_keys_json().
 * @param value   the number, in the unit that the key names.
 * @return KVL_OK; KVL_ERR_UNKNOWN_KEY (also for a setting that is the engine's alone), KVL_ERR_BAD_VALUE (type or range),
 *         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_options_set_real(kvl_options_t *options, const char *key, double value);

/**
 * Asks for progress: how many positions of a batch are settled.
 *
 * @param options    [borrowed] from kvl_options_new().
 * @param function   [retained] called with the user data of the fetch; NULL: progress comes as KVL_EVENT_PROGRESS events of a queue, and a
 *                   fetch of an engine whose results go to no queue is refused, KVL_ERR_NO_CALLBACK. Calls that wait report no progress.
 * @param step_keys  how many positions are settled from one call to the next, at least; 1 or above.
 * @return KVL_OK; KVL_ERR_INVALID_ARG (a step of 0), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_options_set_progress(kvl_options_t *options, kvl_progress_fn function, size_t step_keys);

/**
 * Returns a sentence on the first setting that was refused; a fetch with such options is refused.
 *
 * @param options [borrowed] from kvl_options_new(); may be NULL.
 * @return UTF-8, NUL-terminated, borrowed until the options are freed; NULL if none was refused, for NULL, and for options from
 *         before a fork.
 * @threads one
 * @since 0.1
 */
KVL_API const char *kvl_options_problem(const kvl_options_t *options);

/**
 * Ends options; fetches that were started with them go on.
 *
 * @param options [owned] from kvl_options_new(); nothing is done to NULL.
 * @threads one
 * @since 0.1
 */
KVL_API void kvl_options_free(kvl_options_t *options);

/* ---- Values -------------------------------------------------------------------------------------------------------- */

/**
 * Returns the constant value that stands for "known to be absent".
 *
 * A NULL pointer is no value: it is answered with KVL_ERR_NULL_POINTER, so that an unchecked out-of-memory is never stored as an
 * absence. kvl_value_retain() and kvl_value_release() do nothing to the constant.
 *
 * @return the constant, never NULL, the same at every call.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_value_t *kvl_value_null(void);

/**
 * Makes a value of bytes by copying them.
 *
 * @param data       [copied] `len` bytes; may be NULL if `len` is 0.
 * @param len        bytes.
 * @param out_value  [out, owned] the value: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_value_new_bytes(const uint8_t *data, size_t len, kvl_value_t **out_value);

/**
 * Makes a value of bytes that the caller fills in: zeroes until then.
 *
 * Write through `out_data` before the value is given to anything, and never after.
 *
 * @param len        bytes.
 * @param out_data   [out, borrowed with the value] where the `len` bytes are.
 * @param out_value  [out, owned] the value: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_value_new_space(size_t len, uint8_t **out_data, kvl_value_t **out_value);

/**
 * Makes a value of bytes that stay where they are: nothing is copied.
 *
 * @param data            [borrowed until user_data_free runs] `len` bytes, which do not change; may be NULL if `len` is 0.
 * @param len             bytes.
 * @param user_data       [retained] what user_data_free is given; may be NULL.
 * @param user_data_free  [retained] runs once when the last reference is gone, or before this returns if it fails; may be NULL.
 * @param out_value       [out, owned] the value: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY (a length that no memory can have), KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API
kvl_status_t kvl_value_new_extern(const uint8_t *data,
                                  size_t len,
                                  void *user_data,
                                  kvl_free_fn user_data_free,
                                  kvl_value_t **out_value);

/**
 * Makes a value of an object of the program's: a pointer, with its cost and its destructor.
 *
 * @param object       [owned by the value] any pointer but NULL; the library never looks through it.
 * @param cost         bytes that it costs to keep.
 * @param object_free  [retained] runs once with `object`, on the thread that drops the last reference, or before this returns if
 *                     it fails; may be NULL. It does not run for a NULL object.
 * @param out_value    [out, owned] the value: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_value_new_object(void *object, uint64_t cost, kvl_free_fn object_free, kvl_value_t **out_value);

/**
 * Says what a value is.
 *
 * @param value [borrowed] a value; may be NULL.
 * @return KVL_KIND_BYTES, KVL_KIND_OBJECT, KVL_KIND_NULL; 0 for NULL.
 * @threads any
 * @since 0.1
 */
KVL_API uint32_t kvl_value_kind(const kvl_value_t *value);

/**
 * Returns where a value's bytes are, for as long as a reference to the value is held.
 *
 * @param value    [borrowed] a value; may be NULL.
 * @param out_len  [out] their length in bytes, 0 where there are none; may be NULL.
 * @return the bytes, not NULL even if there are 0 of them; NULL for objects, the null value and NULL.
 * @threads any
 * @since 0.1
 */
KVL_API const uint8_t *kvl_value_data(const kvl_value_t *value, size_t *out_len);

/**
 * Returns the object that a value was made of.
 *
 * @param value [borrowed] a value; may be NULL.
 * @return the object, for as long as a reference to the value is held; NULL for bytes, the null value and NULL.
 * @threads any
 * @since 0.1
 */
KVL_API void *kvl_value_object(const kvl_value_t *value);

/**
 * Returns what a value says that it costs to keep: the length of bytes, or what was said of an object.
 *
 * @param value [borrowed] a value; may be NULL.
 * @return bytes; 0 for the null value and NULL.
 * @threads any
 * @since 0.1
 */
KVL_API uint64_t kvl_value_cost(const kvl_value_t *value);

/**
 * Adds a reference to a value.
 *
 * @param value [retained] a value; nothing is done to NULL and to the null value.
 * @return `value`: release it once more.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_value_t *kvl_value_retain(kvl_value_t *value);

/**
 * Gives a reference up; with the last one the value ends, and its destructor runs on this thread.
 *
 * @param value [owned] a value; nothing is done to NULL and to the null value.
 * @threads any
 * @since 0.1
 */
KVL_API void kvl_value_release(kvl_value_t *value);

/**
 * Gives up a reference to each of many values, and sets their places to NULL.
 *
 * @param values  [owned] `n` places; those that are NULL are skipped; may be NULL, or `n` 0: then nothing is done.
 * @param n       how many.
 * @threads any
 * @since 0.1
 */
KVL_API void kvl_value_release_many(kvl_value_t **values, size_t n);

/* ---- Errors -------------------------------------------------------------------------------------------------------- */

/** In the flags of an error: trying again is pointless, whatever the retry policy says. */
#define KVL_ERROR_F_PERMANENT 1u
/**
 * In the flags of an error: an older answer is worth nothing either. Nobody is told it instead of the error (`stale.ttl_ms`), and it leaves the
 * store.
 */
#define KVL_ERROR_F_NO_STALE 2u

/**
 * Makes an error for a provider to fail with: its status is KVL_ERR_PROVIDER.
 *
 * @param code         a number of the program's own.
 * @param message      [copied] `message_len` bytes of UTF-8 (what is not, is replaced; a NUL ends it); may be NULL if that is 0.
 * @param message_len  bytes.
 * @param flags        0, or KVL_ERROR_F_* added up.
 * @param out_error    [out, owned] the error: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (unknown flags, a length that no memory can have), KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_error_new(int64_t code, const char *message, size_t message_len, uint32_t flags, kvl_error_t **out_error);

/**
 * Makes an error that carries an object of the program, for example an exception, to all waiters.
 *
 * @param code           a number of the program's own.
 * @param message        [copied] `message_len` bytes of UTF-8 (what is not, is replaced; a NUL ends it); may be NULL if that is 0.
 * @param message_len    bytes.
 * @param flags          0, or KVL_ERROR_F_* added up.
 * @param queue_or_null  [retained] where the object is ended: inside kvl_queue_poll() or kvl_queue_next(); NULL: on the thread that
 *                       drops the last reference.
 * @param object         [owned by the error] any pointer but NULL; the library never looks through it.
 * @param object_free    [retained] runs once with `object` when the last reference is gone, or before this returns if it fails;
 *                       may be NULL (with a queue KVL_EVENT_DROP reports the end). It does not run for a NULL object.
 * @param out_error      [out, owned] the error: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (unknown flags, a length that no memory can have),
 *         KVL_ERR_FORKED (the queue), KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API
kvl_status_t kvl_error_new_object(int64_t code,
                                  const char *message,
                                  size_t message_len,
                                  uint32_t flags,
                                  kvl_queue_t *queue_or_null,
                                  void *object,
                                  kvl_free_fn object_free,
                                  kvl_error_t **out_error);

/**
 * Returns why it failed, in the library's words.
 *
 * @param error [borrowed] an error; may be NULL.
 * @return a status below 0; KVL_ERR_NULL_POINTER for NULL.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_error_status(const kvl_error_t *error);

/**
 * Returns the program's own number of an error.
 *
 * @param error [borrowed] an error; may be NULL.
 * @return the code; 0 for errors of the library's and NULL.
 * @threads any
 * @since 0.1
 */
KVL_API int64_t kvl_error_code(const kvl_error_t *error);

/**
 * Returns the sentence of an error, for as long as a reference to the error is held.
 *
 * @param error [borrowed] an error; may be NULL.
 * @return UTF-8, NUL-terminated, never NULL; empty for NULL.
 * @threads any
 * @since 0.1
 */
KVL_API const char *kvl_error_message(const kvl_error_t *error);

/**
 * Returns the object of an error, for as long as a reference to the error is held.
 *
 * @param error [borrowed] an error; may be NULL.
 * @return the object; NULL if it has none, and for NULL.
 * @threads any
 * @since 0.1
 */
KVL_API void *kvl_error_object(const kvl_error_t *error);

/**
 * Says whether trying again is pointless.
 *
 * @param error [borrowed] an error; may be NULL.
 * @return 1 if it was made with KVL_ERROR_F_PERMANENT, else 0.
 * @threads any
 * @since 0.1
 */
KVL_API uint32_t kvl_error_is_permanent(const kvl_error_t *error);

/**
 * Says how long a retry policy is to wait at least before it tries again what fails with this error, as HTTP's Retry-After does. The pause is
 * the longer of both, this one and the policy's, and `retry.budget_ms` still bounds all attempts: what could begin only after it is not
 * tried again. No pause is kept for keys that nobody retries.
 *
 * @param error     [borrowed] from kvl_error_new() or kvl_error_new_object(), and given to nobody yet.
 * @param pause_ms  milliseconds, 0 or above.
 * @return KVL_OK; KVL_ERR_ALREADY_USED (there are more references to it), KVL_ERR_INVALID_ARG (below 0), KVL_ERR_NULL_POINTER, KVL_ERR_PANIC.
 * @threads one
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_error_set_retry_after(kvl_error_t *error,
                                       int64_t pause_ms);

/**
 * Returns how long the provider asked to wait before the next attempt.
 *
 * @param error [borrowed] an error; may be NULL.
 * @return milliseconds; -1 if it did not say, and for NULL.
 * @threads any
 * @since 0.2
 */
KVL_API int64_t kvl_error_retry_after_ms(const kvl_error_t *error);

/**
 * Returns the reason behind an error of the library's own: what the last attempt had failed with when time ran out, the fetch was cancelled,
 * the engine closed, the queue was full or the provider was left alone. It is the provider's own error, if any attempt brought one.
 *
 * @param error [borrowed] an error; may be NULL.
 * @return the cause, borrowed for as long as a reference to `error` is held: retain it to keep it longer. It has no cause itself. NULL if
 *         no attempt had failed, for errors of the provider's, and for NULL.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_error_t *kvl_error_cause(const kvl_error_t *error);

/**
 * Adds a reference to an error.
 *
 * @param error [retained] an error; nothing is done to NULL.
 * @return `error`: release it once more.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_error_t *kvl_error_retain(kvl_error_t *error);

/**
 * Gives a reference up; with the last one the error ends, and its object's destructor runs on this thread.
 *
 * @param error [owned] an error; nothing is done to NULL.
 * @threads any
 * @since 0.1
 */
KVL_API void kvl_error_release(kvl_error_t *error);

/* ---- Slices -------------------------------------------------------------------------------------------------------- */

/**
 * Cuts keys that lie end to end in one buffer into slices, which then point into that buffer.
 *
 * @param packed      [borrowed with the slices] the keys, `packed_len` bytes in all; may be NULL if that is 0.
 * @param packed_len  bytes.
 * @param lens        [borrowed] `n` lengths in bytes, whose sum is `packed_len`; may be NULL if `n` is 0.
 * @param n           how many keys.
 * @param out_slices  [out] `n` slices; may be NULL if `n` is 0.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (the lengths do not add up to `packed_len`, a length that no memory
 *         can have, a misaligned pointer), KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_slices_unpack(const uint8_t *packed, size_t packed_len, const uint32_t *lens, size_t n, kvl_slice_t *out_slices);

/* ---- The cache: made, looked at, given up -------------------------------------------------------------------------- */

/**
 * Makes a cache: a store without a provider.
 *
 * A provider in the configuration is no concern of it. Its timer, if it needs one, starts with the first finite TTL.
 *
 * @param config     [borrowed] from kvl_config_new(); may be freed at once, or serve again.
 * @param out_cache  [out, owned] the cache: release it.
 * @param out_error  [out, owned] if this fails, what is wrong, in a sentence: release it; may be NULL.
 * @return KVL_OK; KVL_ERR_BAD_VALUE (a setting was refused: kvl_config_problem()), KVL_ERR_NO_CALLBACK (a removal listener without
 *         a function, and no queue for it), KVL_ERR_INVALID_HANDLE (the runtime was freed), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_new(const kvl_config_t *config, kvl_cache_t **out_cache, kvl_error_t **out_error);

/**
 * Looks a key up and hands out its value.
 *
 * It is a use of the entry, and counts as a lookup.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key        [borrowed] `key_len` bytes; may be NULL if that is 0.
 * @param key_len    bytes, at most KVL_KEY_MAX.
 * @param out_value  [out, owned] the value, or kvl_value_null(): release it; NULL for the other outcomes.
 * @return KVL_VALUE, KVL_NULL, KVL_MISS, KVL_INVALID_KEY; KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of
 *         an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_get(kvl_cache_t *cache, const uint8_t *key, size_t key_len, kvl_value_t **out_value);

/**
 * Looks a key up and copies its value's bytes into a buffer of the caller's.
 *
 * It is a use of the entry, and counts as a lookup, whether or not the buffer is large enough.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key        [borrowed] `key_len` bytes; may be NULL if that is 0.
 * @param key_len    bytes, at most KVL_KEY_MAX.
 * @param buf        [out] room for `cap` bytes; may be NULL if that is 0.
 * @param cap        bytes.
 * @param out_len    [out] the value's length in bytes, for KVL_VALUE and KVL_TRUNCATED; else untouched.
 * @return KVL_VALUE, KVL_TRUNCATED (nothing was copied: `cap` is less than the length), KVL_NULL, KVL_MISS, KVL_INVALID_KEY;
 *         KVL_ERR_WRONG_KIND (the value is an object), KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an
 *         engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_get_into(kvl_cache_t *cache, const uint8_t *key, size_t key_len, uint8_t *buf, size_t cap, size_t *out_len);

/**
 * Looks many keys up, each as kvl_cache_get() does, in order.
 *
 * @param cache         [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param keys          [borrowed] `n` keys, duplicates allowed; may be NULL if `n` is 0.
 * @param n             how many.
 * @param out_values    [out, owned] `n` places: a value, kvl_value_null(), or NULL for the other outcomes: kvl_value_release_many().
 *                      May be NULL if `n` is 0.
 * @param out_statuses  [out] `n` places: KVL_VALUE, KVL_NULL, KVL_MISS, KVL_INVALID_KEY, or KVL_ERR_KEY_TOO_LONG for that key alone.
 *                      May be NULL if `n` is 0.
 * @return KVL_OK; KVL_ERR_NULL_POINTER (one of the keys' too), KVL_ERR_INVALID_ARG (a number that no memory has room for, a
 *         misaligned pointer), KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_NO_MEMORY, KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API
kvl_status_t kvl_cache_get_many(kvl_cache_t *cache,
                                const kvl_slice_t *keys,
                                size_t n,
                                kvl_value_t **out_values,
                                kvl_status_t *out_statuses);

/**
 * Looks at an entry without counting as a use or a lookup, and without calling the validator.
 *
 * @param cache            [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key              [borrowed] `key_len` bytes; may be NULL if that is 0.
 * @param key_len          bytes, at most KVL_KEY_MAX.
 * @param out_value        [out, owned] the value, or kvl_value_null(): release it; NULL on KVL_MISS; may be NULL.
 * @param out_ttl_left_ms  [out] milliseconds that the entry has left if it is not used before, or KVL_TTL_NEVER; untouched on KVL_MISS;
 *                         may be NULL.
 * @param out_cost         [out] what the entry costs, its key and node included, in bytes; untouched on KVL_MISS; may be NULL.
 * @return KVL_VALUE, KVL_NULL, KVL_MISS; KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an engine that
 *         was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API
kvl_status_t kvl_cache_peek(kvl_cache_t *cache,
                            const uint8_t *key,
                            size_t key_len,
                            kvl_value_t **out_value,
                            int64_t *out_ttl_left_ms,
                            uint64_t *out_cost);

/**
 * Says what kvl_cache_peek() would, and hands out nothing.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key        [borrowed] `key_len` bytes; may be NULL if that is 0.
 * @param key_len    bytes, at most KVL_KEY_MAX.
 * @return KVL_VALUE, KVL_NULL, KVL_MISS; KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an engine that
 *         was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_contains(kvl_cache_t *cache, const uint8_t *key, size_t key_len);

/**
 * Counts the entries, after those whose time is over have left.
 *
 * @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache(); may be NULL.
 * @return how many there are; 0 for NULL and for a cache from before a fork.
 * @threads any
 * @since 0.1
 */
KVL_API size_t kvl_cache_len(const kvl_cache_t *cache);

/**
 * Sums up what the entries cost, after those whose time is over have left.
 *
 * @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache(); may be NULL.
 * @return bytes; 0 for NULL and for a cache from before a fork.
 * @threads any
 * @since 0.1
 */
KVL_API uint64_t kvl_cache_cost(const kvl_cache_t *cache);

/**
 * Returns how many entries there may be.
 *
 * @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache(); may be NULL.
 * @return entries; 0 for NULL and for a cache from before a fork.
 * @threads any
 * @since 0.1
 */
KVL_API size_t kvl_cache_capacity(const kvl_cache_t *cache);

/**
 * Returns what the entries may cost together.
 *
 * @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache(); may be NULL.
 * @return bytes, or -1 for no limit; 0 for NULL and for a cache from before a fork.
 * @threads any
 * @since 0.1
 */
KVL_API int64_t kvl_cache_cost_limit(const kvl_cache_t *cache);

/**
 * Returns the highest cost that an entry of the cache may have, its key and node included.
 *
 * @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache(); may be NULL.
 * @return bytes; 0 for NULL and for a cache from before a fork.
 * @threads any
 * @since 0.1
 */
KVL_API uint64_t kvl_cache_max_cost(const kvl_cache_t *cache);

/**
 * Hands out what was counted since the last reset, and how things stand now.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param out_stats  [out] is filled as far as `out_size` goes; its struct_size says how far that was.
 * @param out_size   sizeof(kvl_stats_t) as the program knows it, in bytes.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (not even struct_size has room, a misaligned pointer), KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_stats(kvl_cache_t *cache, kvl_stats_t *out_stats, size_t out_size);

/**
 * Hands out all that is counted as one JSON object, with histograms.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param out_text   [out, owned] a value of the text in UTF-8: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_stats_json(kvl_cache_t *cache, kvl_value_t **out_text);

/**
 * Hands out all that is counted as OpenMetrics text, for a scraper.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param out_text   [out, owned] a value of the text in UTF-8: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_stats_openmetrics(kvl_cache_t *cache, kvl_value_t **out_text);

/**
 * Begins a new window of statistics; what is so now, entries and cost, stays.
 *
 * @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_stats_reset(kvl_cache_t *cache);

/**
 * Adds a reference to a cache.
 *
 * @param cache [retained] from kvl_cache_new() or kvl_tasks_cache(); nothing is done to NULL.
 * @return `cache`: release it once more.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_cache_t *kvl_cache_retain(kvl_cache_t *cache);

/**
 * Gives a reference up; with the last one, readers' included, the cache ends with its entries, which are reported to no listener.
 *
 * Its own threads have ended when this returns, but not if this is called from inside a callback, or while something of the program's
 * runs on them: it never waits for that.
 *
 * @param cache [owned] from kvl_cache_new() or kvl_tasks_cache(); nothing is done to NULL.
 * @threads any
 * @since 0.1
 */
KVL_API void kvl_cache_release(kvl_cache_t *cache);

/* ---- The cache: what changes it ------------------------------------------------------------------------------------ */

/**
 * Stores a value under a key, over whatever was there.
 *
 * If it does not get in, an older value under the key is gone nevertheless; but if the key is invalid, or the condition of
 * KVL_PUT_F_IF_ABSENT or KVL_PUT_F_IF_PRESENT does not hold, nothing has changed, nor does a load under way know of it.
 *
 * @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key            [borrowed] `key_len` bytes; may be NULL if that is 0.
 * @param key_len        bytes, at most KVL_KEY_MAX.
 * @param value          [retained] a value, or kvl_value_null() for "known to be absent"; not NULL.
 * @param terms_or_null  [borrowed] on which terms; NULL: the configuration's.
 * @return KVL_OK, KVL_REFUSED (no room that the priority may claim, capacity 0, or TTL 0), KVL_TOO_LARGE (see
 *         kvl_cache_max_cost()), KVL_CONFLICT (there is an entry: KVL_PUT_F_IF_ABSENT), KVL_MISS (there is none:
 *         KVL_PUT_F_IF_PRESENT), KVL_INVALID_KEY; KVL_ERR_BAD_VALUE (a term that is none), KVL_ERR_NULL_POINTER,
 *         KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (of an engine's cache),
 *         KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_cache_put(kvl_cache_t *cache,
                           const uint8_t *key,
                           size_t key_len,
                           kvl_value_t *value,
                           const kvl_terms_t *terms_or_null);

/**
 * Stores a value as kvl_cache_put() does, and names its victims before it returns.
 *
 * Victims are the entries that made room for this very value, and the value itself if it did not get in. What had expired, and what
 * was stored under the same key, are none. The removal listener is called for all of them all the same.
 *
 * @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key            [borrowed] `key_len` bytes; may be NULL if that is 0.
 * @param key_len        bytes, at most KVL_KEY_MAX.
 * @param value          [retained] a value, or kvl_value_null() for "known to be absent"; not NULL.
 * @param terms_or_null  [borrowed] on which terms; NULL: the configuration's.
 * @param on_victim      [borrowed] is called for each victim, on this thread; not NULL.
 * @param user_data      [borrowed] what `on_victim` is given first; may be NULL. The library does not end it.
 * @return KVL_OK, KVL_REFUSED (no room that the priority may claim, capacity 0, or TTL 0), KVL_TOO_LARGE (see
 *         kvl_cache_max_cost()), KVL_CONFLICT (there is an entry: KVL_PUT_F_IF_ABSENT), KVL_MISS (there is none:
 *         KVL_PUT_F_IF_PRESENT), KVL_INVALID_KEY; KVL_ERR_BAD_VALUE (a term that is none), KVL_ERR_NO_CALLBACK (`on_victim` is
 *         NULL), KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED
 *         (of an engine's cache), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_cache_put_naming(kvl_cache_t *cache,
                                  const uint8_t *key,
                                  size_t key_len,
                                  kvl_value_t *value,
                                  const kvl_terms_t *terms_or_null,
                                  kvl_removal_fn on_victim,
                                  void *user_data);

/**
 * Stores bytes under a key by copying them: a value and its kvl_cache_put() in one call.
 *
 * @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key            [borrowed] `key_len` bytes; may be NULL if that is 0.
 * @param key_len        bytes, at most KVL_KEY_MAX.
 * @param data           [copied] `len` bytes; may be NULL if `len` is 0.
 * @param len            bytes.
 * @param terms_or_null  [borrowed] on which terms; NULL: the configuration's.
 * @return KVL_OK, KVL_REFUSED (no room that the priority may claim, capacity 0, or TTL 0), KVL_TOO_LARGE (see
 *         kvl_cache_max_cost()), KVL_CONFLICT (there is an entry: KVL_PUT_F_IF_ABSENT), KVL_MISS (there is none:
 *         KVL_PUT_F_IF_PRESENT), KVL_INVALID_KEY; KVL_ERR_BAD_VALUE (a term that is none), KVL_ERR_NULL_POINTER,
 *         KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_KEY_TOO_LONG, KVL_ERR_NO_MEMORY (also: a length that no
 *         memory has), KVL_ERR_CLOSED (of an engine's cache), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_cache_put_bytes(kvl_cache_t *cache,
                                 const uint8_t *key,
                                 size_t key_len,
                                 const uint8_t *data,
                                 size_t len,
                                 const kvl_terms_t *terms_or_null);

/**
 * Stores a value over one that the caller knows, if that is still there: compare and exchange.
 *
 * If another value is there, or none, nothing has changed, nor does a load under way know of it. A loop of kvl_cache_get() and this
 * call, until it says neither KVL_CONFLICT nor KVL_MISS, loses no write of another thread's.
 *
 * @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key            [borrowed] `key_len` bytes; may be NULL if that is 0.
 * @param key_len        bytes, at most KVL_KEY_MAX.
 * @param expected       [borrowed] what must be stored: this very handle, as kvl_cache_get() or kvl_cache_peek() handed it out, not one
 *                       of equal bytes; or kvl_value_null(); not NULL.
 * @param value          [retained] a value, or kvl_value_null() for "known to be absent"; not NULL.
 * @param terms_or_null  [borrowed] on which terms; of its flags KVL_PUT_F_KEEP_TTL alone; NULL: the configuration's.
 * @return KVL_OK, KVL_CONFLICT (another value is there), KVL_MISS (there is none), KVL_REFUSED (no room that the priority may
 *         claim, or TTL 0: the expected value is gone), KVL_TOO_LARGE (likewise; see kvl_cache_max_cost()), KVL_INVALID_KEY;
 *         KVL_ERR_BAD_VALUE (a term that is none), KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned),
 *         KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (of an engine's cache), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_cache_compare_put(kvl_cache_t *cache,
                                   const uint8_t *key,
                                   size_t key_len,
                                   kvl_value_t *expected,
                                   kvl_value_t *value,
                                   const kvl_terms_t *terms_or_null);

/**
 * Gives the entry under a key a new TTL, counted from now. Its value, age, priority and cost stay.
 *
 * Counts as a use of the entry, so that an idle TTL begins anew too, and as no lookup. Loads under way go on as they were.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key        [borrowed] `key_len` bytes; may be NULL if that is 0.
 * @param key_len    bytes, at most KVL_KEY_MAX.
 * @param ttl_ms     milliseconds above 0, KVL_TTL_NEVER, or KVL_TTL_DEFAULT.
 * @return KVL_OK, KVL_MISS (there was none alive); KVL_ERR_BAD_VALUE (a TTL of 0, which kvl_cache_remove() is for, also by default; or
 *         below what it may be), KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an engine that was
 *         freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_cache_touch(kvl_cache_t *cache, const uint8_t *key, size_t key_len, int64_t ttl_ms);

/**
 * Removes the entry under a key.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key        [borrowed] `key_len` bytes; may be NULL if that is 0.
 * @param key_len    bytes, at most KVL_KEY_MAX.
 * @return KVL_OK, KVL_MISS (there was none alive); KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an
 *         engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_remove(kvl_cache_t *cache, const uint8_t *key, size_t key_len);

/**
 * Ends the entry under a key now, as if its TTL were over: it stays as a fallback for as long as its grace says (`stale.ttl_ms`), or leaves
 * at once, with KVL_CAUSE_EXPIRED. To a load under way this is a removal. As much as to say: load it again, and keep what there is until then.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key        [borrowed] `key_len` bytes; may be NULL if that is 0.
 * @param key_len    bytes, at most KVL_KEY_MAX.
 * @return KVL_OK, KVL_MISS (there was none alive); KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an
 *         engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_cache_expire(kvl_cache_t *cache,
                              const uint8_t *key,
                              size_t key_len);

/**
 * Removes every entry whose time is over, without waiting for the timer.
 *
 * @param cache        [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param out_removed  [out] how many there were; may be NULL.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_remove_expired(kvl_cache_t *cache, size_t *out_removed);

/**
 * Removes the entry under a key and hands its value out; no lookup is counted.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key        [borrowed] `key_len` bytes; may be NULL if that is 0.
 * @param key_len    bytes, at most KVL_KEY_MAX.
 * @param out_value  [out, owned] the value, or kvl_value_null(): release it; NULL on KVL_MISS.
 * @return KVL_VALUE, KVL_NULL, KVL_MISS; KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an engine that
 *         was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_take(kvl_cache_t *cache, const uint8_t *key, size_t key_len, kvl_value_t **out_value);

/**
 * Removes the next victim and hands its value out: of the lowest priority, the least recently used (with several shards: of one).
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param out_value  [out, owned] the value, or kvl_value_null(): release it; NULL on KVL_MISS.
 * @return KVL_VALUE, KVL_NULL, KVL_MISS (the cache is empty); KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that
 *         was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_pop(kvl_cache_t *cache, kvl_value_t **out_value);

/**
 * Shrinks the cache to a share of what it holds now, victims first.
 *
 * Each shard shrinks by itself, in its own order. With several (`cache.shards`), the entries that stay are therefore those with the highest
 * priority and the latest use of each shard, not of the whole cache.
 *
 * @param cache       [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param keep_ratio  from 0 to 1: neither entries nor cost are above that share of what they were after the expired left.
 * @return KVL_OK; KVL_ERR_INVALID_ARG (not from 0 to 1), KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that was
 *         freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_trim(kvl_cache_t *cache, double keep_ratio);

/**
 * Shrinks the cache to a number of entries, victims first; limits stay.
 *
 * @param cache    [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param entries  how many may stay.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_trim_to(kvl_cache_t *cache, size_t entries);

/**
 * Removes every entry.
 *
 * @param cache  [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_clear(kvl_cache_t *cache);

/**
 * Changes both limits, and makes the entries fit, victims first.
 *
 * @param cache       [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param capacity    how many entries there may be; 0 stores nothing.
 * @param cost_limit  what they may cost together, in bytes; -1 is no limit.
 * @return KVL_OK; KVL_ERR_INVALID_ARG (a cost limit below -1), KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that
 *         was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_resize(kvl_cache_t *cache, size_t capacity, int64_t cost_limit);

/* ---- The cache: into a file and out of it -------------------------------------------------------------------------- */

/**
 * Writes the entries of a cache to a file: keys, values, what remains of their TTLs, costs, priorities, and the order of their use.
 *
 * The file replaces an older one of that name once it is complete and on the disk; if this fails, the older one is unchanged. Objects are
 * left out. Entries that are stored, replaced or removed meanwhile may or may not be in the file. The rest of a TTL is measured by the
 * cache's clock when its entry is written, and continues when the entry is loaded: the time in between, which no clock of the library can
 * measure, is not subtracted. No lock is held while the file is written; besides a block it takes 4 bytes of memory for each entry.
 *
 * @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param path           [borrowed] the name of the file, NUL-terminated; UTF-8 on Windows. Only its owner may read a file that is made.
 * @param on_progress    [borrowed] is called on this thread after each block of 256 KiB or more, and at the end; may be NULL.
 * @param user_data      [borrowed] what `on_progress` is given first; may be NULL. The library does not end it.
 * @param out_transfer   [out] how far it came, whether or not it failed, as far as `out_size` goes; may be NULL.
 * @param out_size       sizeof(kvl_transfer_t) as the program knows it, in bytes.
 * @param out_error      [out, owned] if this fails, what is wrong, in a sentence; its code is the system's number: release it; may be NULL.
 * @return KVL_OK; KVL_ERR_IO (the file system refuses: no such folder, no room, no right), KVL_ERR_CANCELLED (`on_progress` stopped it),
 *         KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (a path that is none, not even struct_size has room, a misaligned pointer),
 *         KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_cache_save(kvl_cache_t *cache,
                            const char *path,
                            kvl_transfer_fn on_progress,
                            void *user_data,
                            kvl_transfer_t *out_transfer,
                            size_t out_size,
                            kvl_error_t **out_error);

/**
 * Stores the entries of a file of kvl_cache_save(), from the least to the most recently used. What stands for objects is left out.
 *
 * A key that has an entry keeps it, since that is younger than the file. Entries are stored as by a put, so that of a file that is too
 * large for the cache the most recently used ones stay; entries that the validator or the store refuses are left out. Loads in progress are
 * not overtaken. The file is read block by block, and a block is stored only if it is undamaged: at the first damaged block this fails, and
 * the entries of earlier blocks stay. That detects damage, not forgery: a file that others can write may contain anything.
 *
 * @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param path           [borrowed] the name of the file, NUL-terminated; UTF-8 on Windows.
 * @param on_progress    [borrowed] is called on this thread after each block of 256 KiB or more, and at the end; may be NULL.
 * @param user_data      [borrowed] what `on_progress` is given first; may be NULL. The library does not end it.
 * @param out_transfer   [out] how far it came, whether or not it failed, as far as `out_size` goes; may be NULL.
 * @param out_size       sizeof(kvl_transfer_t) as the program knows it, in bytes.
 * @param out_error      [out, owned] if this fails, what is wrong, in a sentence; its code is the system's number: release it; may be NULL.
 * @return KVL_OK; KVL_ERR_IO (the file system refuses: no such file, no right), KVL_ERR_CORRUPT (the file is damaged, or is no saved cache),
 *         KVL_ERR_TRUNCATED (it ends too early), KVL_ERR_FILE_VERSION (it is of a later version), KVL_ERR_CANCELLED (`on_progress`
 *         stopped it), KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (a path that is none, not even struct_size has room, a misaligned
 *         pointer), KVL_ERR_CLOSED, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_cache_load(kvl_cache_t *cache,
                            const char *path,
                            kvl_transfer_fn on_progress,
                            void *user_data,
                            kvl_transfer_t *out_transfer,
                            size_t out_size,
                            kvl_error_t **out_error);

/**
 * Saves like kvl_cache_save(), and with the objects: what `encode` returns is written in their place.
 *
 * `encode` is called on this thread for each object, under no lock, and not for bytes and nulls. What it returns must be bytes; the entry is
 * left out if it is NULL or something else. To stop, return non-zero from `on_progress`.
 *
 * @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param path           [borrowed] the name of the file, NUL-terminated; UTF-8 on Windows. Only its owner may read a file that is made.
 * @param encode         [borrowed] turns objects into bytes; not NULL.
 * @param on_progress    [borrowed] is called on this thread after each block of 256 KiB or more, and at the end; may be NULL.
 * @param user_data      [borrowed] what both functions are given first; may be NULL. The library does not end it.
 * @param out_transfer   [out] how far it came, whether or not it failed, as far as `out_size` goes; may be NULL.
 * @param out_size       sizeof(kvl_transfer_t) as the program knows it, in bytes.
 * @param out_error      [out, owned] if this fails, what is wrong, in a sentence; its code is the system's number: release it; may be NULL.
 * @return KVL_OK; KVL_ERR_IO (the file system refuses: no such folder, no room, no right), KVL_ERR_CANCELLED (`on_progress` stopped it),
 *         KVL_ERR_NO_CALLBACK (`encode` is NULL), KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (a path that is none, not even struct_size
 *         has room, a misaligned pointer), KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_NO_MEMORY, KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_cache_save_encoded(kvl_cache_t *cache,
                                    const char *path,
                                    kvl_convert_fn encode,
                                    kvl_transfer_fn on_progress,
                                    void *user_data,
                                    kvl_transfer_t *out_transfer,
                                    size_t out_size,
                                    kvl_error_t **out_error);

/**
 * Loads like kvl_cache_load(), and with the objects: what `decode` returns is stored in their place.
 *
 * `decode` is called on this thread for each value that `encode` of kvl_cache_save_encoded() returned, under no lock, and not for others. It may
 * return an object, bytes or kvl_value_null(); the entry is left out if it is NULL. In `entry`, `value` is NULL, and `data` has the bytes.
 *
 * @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param path           [borrowed] the name of the file, NUL-terminated; UTF-8 on Windows.
 * @param decode         [borrowed] turns bytes into objects; not NULL.
 * @param on_progress    [borrowed] is called on this thread after each block of 256 KiB or more, and at the end; may be NULL.
 * @param user_data      [borrowed] what both functions are given first; may be NULL. The library does not end it.
 * @param out_transfer   [out] how far it came, whether or not it failed, as far as `out_size` goes; may be NULL.
 * @param out_size       sizeof(kvl_transfer_t) as the program knows it, in bytes.
 * @param out_error      [out, owned] if this fails, what is wrong, in a sentence; its code is the system's number: release it; may be NULL.
 * @return KVL_OK; KVL_ERR_IO (the file system refuses: no such file, no right), KVL_ERR_CORRUPT (the file is damaged, or is no saved cache),
 *         KVL_ERR_TRUNCATED (it ends too early), KVL_ERR_FILE_VERSION (it is of a later version), KVL_ERR_CANCELLED (`on_progress`
 *         stopped it), KVL_ERR_NO_CALLBACK (`decode` is NULL), KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (a path that is none, not even
 *         struct_size has room, a misaligned pointer), KVL_ERR_CLOSED, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_cache_load_decoded(kvl_cache_t *cache,
                                    const char *path,
                                    kvl_convert_fn decode,
                                    kvl_transfer_fn on_progress,
                                    void *user_data,
                                    kvl_transfer_t *out_transfer,
                                    size_t out_size,
                                    kvl_error_t **out_error);

/* ---- Readers: a thread's own window on a cache --------------------------------------------------------------------- */

/**
 * Makes a window on a cache for one thread, or one fiber, through which values are read where they lie.
 *
 * @param cache       [retained] from kvl_cache_new() or kvl_tasks_cache().
 * @param out_reader  [out, owned] the reader: free it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_reader_new(kvl_cache_t *cache, kvl_reader_t **out_reader);

/**
 * Looks a key up and shows the value until the next call on this reader, whatever becomes of the entry meanwhile.
 *
 * It is a use of the entry, and counts as a lookup.
 *
 * @param reader      [borrowed] from kvl_reader_new().
 * @param key         [borrowed] `key_len` bytes; may be NULL if that is 0.
 * @param key_len     bytes, at most KVL_KEY_MAX.
 * @param out_data    [out, borrowed until the next call on this reader] the bytes, not NULL even if there are 0 of them; NULL
 *                    for an object and without a value.
 * @param out_len     [out] their length in bytes; 0 for an object and without a value.
 * @param out_object  [out, borrowed until the next call on this reader] the object; NULL for bytes and without a value; may be
 *                    NULL, then an object is KVL_ERR_WRONG_KIND.
 * @return KVL_VALUE, KVL_NULL, KVL_MISS, KVL_INVALID_KEY; KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_WRONG_KIND,
 *         KVL_ERR_CLOSED, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API
kvl_status_t kvl_reader_get(kvl_reader_t *reader,
                            const uint8_t *key,
                            size_t key_len,
                            const uint8_t **out_data,
                            size_t *out_len,
                            void **out_object);

/**
 * Lets go of the value in view; the next call on the reader does so too.
 *
 * @param reader [borrowed] from kvl_reader_new(); nothing is done to NULL.
 * @threads one
 * @since 0.1
 */
KVL_API void kvl_reader_done(kvl_reader_t *reader);

/**
 * Ends a reader, lets go of the value in view, and gives the cache up.
 *
 * @param reader [owned] from kvl_reader_new(); nothing is done to NULL.
 * @threads one
 * @since 0.1
 */
KVL_API void kvl_reader_free(kvl_reader_t *reader);

/* ---- Iterators: all entries of a cache ----------------------------------------------------------------------------- */

/**
 * Makes an iterator over the entries of a cache, for one thread.
 *
 * It shows each key that has an entry from here to the last call exactly once, and of keys that get or lose theirs meanwhile some. It holds
 * no lock between two calls and a few keys at most, and neither delays nor is disturbed by other threads, nor by what its own thread changes in
 * the cache. The order of the entries is none that says anything.
 *
 * @param cache         [retained] from kvl_cache_new() or kvl_tasks_cache().
 * @param out_iterator  [out, owned] the iterator: free it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_iterator_new(kvl_cache_t *cache,
                              kvl_iterator_t **out_iterator);

/**
 * Shows the next entry as it is now, until the next call on this iterator, whatever becomes of the entry meanwhile.
 *
 * It is no use of the entry and no lookup, and loads nothing. To keep the value, retain it.
 *
 * @param iterator   [borrowed] from kvl_iterator_new().
 * @param out_entry  [out] is filled as far as `out_size` goes: key, value (`value`, `data` or `object`), age, time left, cost and status;
 *                   what it points at is borrowed until the next call on this iterator. Untouched on KVL_EMPTY.
 * @param out_size   sizeof(kvl_result_t) as the program knows it, in bytes.
 * @return KVL_VALUE, KVL_NULL; KVL_EMPTY (there are no more); KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (not even struct_size has room, a
 *         misaligned pointer), KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.2
 */
KVL_API kvl_status_t kvl_iterator_next(kvl_iterator_t *iterator, kvl_result_t *out_entry, size_t out_size);

/**
 * Ends an iterator, lets go of the entry in view, and gives the cache up.
 *
 * @param iterator [owned] from kvl_iterator_new(); nothing is done to NULL.
 * @threads one
 * @since 0.2
 */
KVL_API void kvl_iterator_free(kvl_iterator_t *iterator);

/* ---- The engine ---------------------------------------------------------------------------------------------------- */

/**
 * Makes an engine: a cache with a provider behind it.
 *
 * Its dispatcher and timer threads are started at once, unless the configuration names a runtime; provider threads come when
 * they are needed and go when they are idle.
 *
 * @param config     [borrowed] from kvl_config_new(), with a provider; may be freed right after.
 * @param out_tasks  [out, owned] the engine: kvl_tasks_free() or kvl_tasks_dispose() ends it.
 * @param out_error  [out, owned] what was wrong with the configuration: release it; may be NULL.
 * @return KVL_OK; KVL_ERR_NO_PROVIDER, KVL_ERR_NO_CALLBACK (its function is NULL, and no queue carries requests), KVL_ERR_BAD_VALUE
 *         (a setting was refused: kvl_config_problem(); or two contradict each other: `out_error` says which), KVL_ERR_NO_THREAD, KVL_ERR_INVALID_HANDLE (the runtime was freed),
 *         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API
kvl_status_t kvl_tasks_new(const kvl_config_t *config,
                           kvl_tasks_t **out_tasks,
                           kvl_error_t **out_error);

/**
 * Hands out the engine's cache, for reading and writing. Its writes overtake loads under way.
 *
 * @param tasks      [borrowed] from kvl_tasks_new().
 * @param out_cache  [out, owned] the cache: release it. After the engine's end it answers KVL_ERR_CLOSED.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_tasks_cache(kvl_tasks_t *tasks, kvl_cache_t **out_cache);

/**
 * Looks `key` up and starts nothing: ask this before you allocate what a fetch would need.
 *
 * Counts one lookup if it hits; a miss is left to the fetch that follows.
 *
 * @param tasks      [borrowed] from kvl_tasks_new().
 * @param key        [borrowed until return] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len    bytes, 0 to KVL_KEY_MAX.
 * @param out_value  [out, owned] set on KVL_VALUE: release it; NULL otherwise.
 * @return KVL_VALUE, KVL_NULL, KVL_MISS, KVL_INVALID_KEY; KVL_ERR_CLOSED, KVL_ERR_KEY_TOO_LONG, KVL_ERR_NULL_POINTER,
 *         KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_tasks_get(kvl_tasks_t *tasks, const uint8_t *key, size_t key_len, kvl_value_t **out_value);

/**
 * Fetches one key.
 *
 * What the cache has can be answered by the call itself, if `out_value` is given: then no event follows. Else the key is loaded,
 * together with everybody else who wants it, and `function` is called once.
 *
 * @param tasks           [borrowed] from kvl_tasks_new().
 * @param key             [copied] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len         bytes, 0 to KVL_KEY_MAX.
 * @param options         [copied] from kvl_options_new(), or NULL for the engine's settings.
 * @param fetch           [retained] from kvl_fetch_new(), not used before, to cancel it by; or NULL.
 * @param function        [retained] is called once on KVL_PENDING, on the dispatcher thread; never inside this call.
 * @param user_data       [retained] what `function` is given.
 * @param user_data_free  [retained] ends `user_data`: before this returns unless it answers KVL_PENDING, else after `function`; may be NULL.
 * @param out_value       [out, owned] set on KVL_VALUE: release it; NULL otherwise. If this is NULL everything comes by `function`.
 * @return KVL_PENDING; with `out_value` also KVL_VALUE, KVL_NULL, KVL_INVALID_KEY; KVL_ERR_CANCELLED (the fetch was cancelled before),
 *         KVL_ERR_ALREADY_USED, KVL_ERR_NO_CALLBACK, KVL_ERR_CLOSED, KVL_ERR_BAD_VALUE (kvl_options_problem()),
 *         KVL_ERR_KEY_TOO_LONG, KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API
kvl_status_t kvl_tasks_fetch(kvl_tasks_t *tasks,
                             const uint8_t *key,
                             size_t key_len,
                             const kvl_options_t *options,
                             kvl_fetch_t *fetch,
                             kvl_result_fn function,
                             void *user_data,
                             kvl_free_fn user_data_free,
                             kvl_value_t **out_value);

/**
 * Fetches many keys; each result is delivered by itself, as it comes.
 *
 * `function` is called n times, one at a time, with `index` saying for which position; keys that the cache has come by it too.
 *
 * @param tasks           [borrowed] from kvl_tasks_new().
 * @param keys            [copied] `n` slices; may be NULL if `n` is 0. A key may stand in it more than once. One that is longer than
 *                        KVL_KEY_MAX fails alone.
 * @param n               how many.
 * @param options         [copied] from kvl_options_new(), or NULL for the engine's settings.
 * @param fetch           [retained] from kvl_fetch_new(), not used before, to cancel it by; or NULL.
 * @param function        [retained] is called n times, on the dispatcher thread; the last call is marked KVL_F_LAST.
 * @param user_data       [retained] what `function` is given.
 * @param user_data_free  [retained] ends `user_data`: before this returns unless it answers KVL_PENDING, else after the last call; may
 *                        be NULL.
 * @return KVL_PENDING; KVL_OK if `n` is 0 (no event); KVL_ERR_CANCELLED (the fetch was cancelled before), KVL_ERR_ALREADY_USED,
 *         KVL_ERR_NO_CALLBACK, KVL_ERR_CLOSED, KVL_ERR_BAD_VALUE (kvl_options_problem()), KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER,
 *         KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API
kvl_status_t kvl_tasks_fetch_each(kvl_tasks_t *tasks,
                                  const kvl_slice_t *keys,
                                  size_t n,
                                  const kvl_options_t *options,
                                  kvl_fetch_t *fetch,
                                  kvl_result_fn function,
                                  void *user_data,
                                  kvl_free_fn user_data_free);

/**
 * Fetches many keys; all results are delivered together, when the last is settled.
 *
 * @param tasks           [borrowed] from kvl_tasks_new().
 * @param keys            [copied] `n` slices; may be NULL if `n` is 0. A key may stand in it more than once. One that is longer than
 *                        KVL_KEY_MAX fails alone.
 * @param n               how many.
 * @param options         [copied] from kvl_options_new(), or NULL for the engine's settings.
 * @param fetch           [retained] from kvl_fetch_new(), not used before, to cancel it by; or NULL.
 * @param function        [retained] is called once on KVL_PENDING, on the dispatcher thread; never inside this call.
 * @param user_data       [retained] what `function` is given.
 * @param user_data_free  [retained] ends `user_data`: before this returns unless it answers KVL_PENDING, else after `function`; may be NULL.
 * @param out_ready       [out, owned] set on KVL_OK, when the cache had everything: release it; NULL otherwise. If this is NULL the
 *                        results always come by `function`.
 * @return KVL_PENDING; with `out_ready` also KVL_OK; KVL_ERR_CANCELLED (the fetch was cancelled before), KVL_ERR_ALREADY_USED,
 *         KVL_ERR_NO_CALLBACK, KVL_ERR_CLOSED, KVL_ERR_BAD_VALUE (kvl_options_problem()), KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER,
 *         KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API
kvl_status_t kvl_tasks_fetch_all(kvl_tasks_t *tasks,
                                 const kvl_slice_t *keys,
                                 size_t n,
                                 const kvl_options_t *options,
                                 kvl_fetch_t *fetch,
                                 kvl_results_fn function,
                                 void *user_data,
                                 kvl_free_fn user_data_free,
                                 kvl_results_t **out_ready);

/**
 * Fetches one key and waits for it.
 *
 * @param tasks      [borrowed] from kvl_tasks_new().
 * @param key        [copied] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len    bytes, 0 to KVL_KEY_MAX.
 * @param options    [copied] from kvl_options_new(), or NULL for the engine's settings.
 * @param fetch      [retained] from kvl_fetch_new(), not used before, by which another thread can cancel it; or NULL.
 * @param out_value  [out, owned] set on KVL_VALUE: release it; NULL otherwise.
 * @param out_error  [out, owned] set when the fetch failed: release it; may be NULL.
 * @return KVL_VALUE, KVL_NULL, KVL_MISS (cache-only), KVL_INVALID_KEY; KVL_ERR_PROVIDER, KVL_ERR_TIMEOUT, KVL_ERR_CANCELLED,
 *         KVL_ERR_QUEUE_FULL, KVL_ERR_UNANSWERED, KVL_ERR_UNAVAILABLE, KVL_ERR_CLOSED; KVL_ERR_REENTRANT, KVL_ERR_UNSUPPORTED,
 *         KVL_ERR_ALREADY_USED,
 *         KVL_ERR_BAD_VALUE (kvl_options_problem()), KVL_ERR_KEY_TOO_LONG, KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY,
 *         KVL_ERR_NO_THREAD, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads outside
 * @since 0.1
 */
KVL_API
kvl_status_t kvl_tasks_fetch_wait(kvl_tasks_t *tasks,
                                  const uint8_t *key,
                                  size_t key_len,
                                  const kvl_options_t *options,
                                  kvl_fetch_t *fetch,
                                  kvl_value_t **out_value,
                                  kvl_error_t **out_error);

/**
 * Fetches many keys and waits until the last is settled.
 *
 * @param tasks        [borrowed] from kvl_tasks_new().
 * @param keys         [copied] `n` slices; may be NULL if `n` is 0. A key may stand in it more than once.
 * @param n            how many.
 * @param options      [copied] from kvl_options_new(), or NULL for the engine's settings.
 * @param fetch        [retained] from kvl_fetch_new(), not used before, by which another thread can cancel it; or NULL.
 * @param out_results  [out, owned] set on KVL_OK: release it; NULL otherwise.
 * @return KVL_OK, whatever came of the keys: kvl_results_status(); KVL_ERR_CANCELLED (the fetch was cancelled before),
 *         KVL_ERR_REENTRANT, KVL_ERR_UNSUPPORTED, KVL_ERR_ALREADY_USED, KVL_ERR_CLOSED, KVL_ERR_BAD_VALUE (kvl_options_problem()),
 *         KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads outside
 * @since 0.1
 */
KVL_API
kvl_status_t kvl_tasks_fetch_all_wait(kvl_tasks_t *tasks,
                                      const kvl_slice_t *keys,
                                      size_t n,
                                      const kvl_options_t *options,
                                      kvl_fetch_t *fetch,
                                      kvl_results_t **out_results);

/**
 * Loads keys anew, or joins loads of them that are under way; no result is delivered.
 *
 * Others keep hitting the old value meanwhile; if the load fails the old value stays. Its urgency is KVL_URGENCY_BACKGROUND unless
 * `options` state one, and it takes no fetch's place in the queue: keys that find no place wait without one. Keys that are invalid or
 * too long are left out, and with `queue.overflow` = `reject` those that find no place.
 *
 * @param tasks    [borrowed] from kvl_tasks_new().
 * @param keys     [copied] `n` slices; may be NULL if `n` is 0.
 * @param n        how many.
 * @param options  [copied] from kvl_options_new(), or NULL for the engine's settings.
 * @return KVL_OK; KVL_ERR_CLOSED, KVL_ERR_BAD_VALUE (kvl_options_problem()), KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER,
 *         KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_tasks_refresh(kvl_tasks_t *tasks, const kvl_slice_t *keys, size_t n, const kvl_options_t *options);

/**
 * Hands out what was counted since the last reset, and how things stand now: lookups, store and loads.
 *
 * @param tasks      [borrowed] from kvl_tasks_new().
 * @param out_stats  [out] is filled as far as `out_size` goes; its struct_size says how far that was.
 * @param out_size   sizeof(kvl_stats_t) as the program knows it, in bytes.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (not even struct_size has room, a misaligned pointer), KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_tasks_stats(kvl_tasks_t *tasks, kvl_stats_t *out_stats, size_t out_size);

/**
 * Hands out all that is counted as one JSON object, with histograms.
 *
 * @param tasks     [borrowed] from kvl_tasks_new().
 * @param out_text  [out, owned] a value of the text in UTF-8: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_tasks_stats_json(kvl_tasks_t *tasks, kvl_value_t **out_text);

/**
 * Hands out all that is counted as OpenMetrics text, for a scraper.
 *
 * @param tasks     [borrowed] from kvl_tasks_new().
 * @param out_text  [out, owned] a value of the text in UTF-8: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_tasks_stats_openmetrics(kvl_tasks_t *tasks, kvl_value_t **out_text);

/**
 * Begins a new window of statistics; what is so now, entries, cost and loads under way, stays.
 *
 * @param tasks  [borrowed] from kvl_tasks_new().
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_tasks_stats_reset(kvl_tasks_t *tasks);

/**
 * Accepts nothing new, and reports when all is done: every event delivered, every provider call returned. Never blocks.
 *
 * A second close may only shorten the wait; its function is called too. After that kvl_tasks_free() does not wait.
 *
 * @param tasks           [borrowed] from kvl_tasks_new().
 * @param mode            KVL_CLOSE_CANCEL: what is under way is settled with KVL_ERR_CLOSED. KVL_CLOSE_DRAIN: it goes on.
 * @param deadline_ms     for KVL_CLOSE_DRAIN: for how long, in milliseconds, or KVL_FOREVER; then it is settled with KVL_ERR_CLOSED. 0 is KVL_CLOSE_CANCEL.
 * @param function        [retained] is called once when all is done, on the dispatcher thread; may be NULL.
 * @param user_data       [retained] what `function` is given.
 * @param user_data_free  [retained] ends `user_data` after `function`, or before this returns if it fails; may be NULL.
 * @return KVL_OK; KVL_ERR_INVALID_ARG (mode, deadline), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API
kvl_status_t kvl_tasks_close(kvl_tasks_t *tasks,
                             uint32_t mode,
                             int64_t deadline_ms,
                             kvl_closed_fn function,
                             void *user_data,
                             kvl_free_fn user_data_free);

/**
 * Ends an engine: closes it (KVL_CLOSE_CANCEL) if that was not done, waits for code of the program's that has begun, and joins
 * the engine's threads. After it no callback of this engine starts.
 *
 * @param tasks  [owned] from kvl_tasks_new(); may be NULL. On an error it stays as it was.
 * @return KVL_OK; KVL_ERR_REENTRANT (inside a callback: kvl_tasks_dispose() is for there), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads outside
 * @since 0.1
 */
KVL_API kvl_status_t kvl_tasks_free(kvl_tasks_t *tasks);

/**
 * Gives an engine up: it closes (KVL_CLOSE_CANCEL), and ends itself when it is idle. Never waits: for destructors, finalizers
 * and callbacks.
 *
 * @param tasks  [owned] from kvl_tasks_new(); may be NULL. Not to be used again.
 * @threads any
 * @since 0.1
 */
KVL_API void kvl_tasks_dispose(kvl_tasks_t *tasks);

/* ---- The circuit breaker ------------------------------------------------------------------------------------------- */

/**
 * Returns the state of the circuit breaker.
 *
 * @param tasks  [borrowed] from kvl_tasks_new().
 * @return KVL_BREAKER_*; KVL_BREAKER_CLOSED for NULL and in the child of a fork.
 * @threads any
 * @since 0.2
 */
KVL_API uint32_t kvl_tasks_breaker_state(kvl_tasks_t *tasks);

/**
 * Orders the circuit breaker open or closed, whatever the provider does, or leaves it to itself again. It begins anew with a closed breaker and
 * an empty window. While it is ordered open, what waits for the provider fails with KVL_ERR_UNAVAILABLE and is not retried.
 *
 * @param tasks  [borrowed] from kvl_tasks_new().
 * @param force  KVL_BREAKER_FORCE_*.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (no such order), KVL_ERR_CLOSED, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_tasks_breaker_force(kvl_tasks_t *tasks,
                                     uint32_t force);

/* ---- A fetch ------------------------------------------------------------------------------------------------------- */

/**
 * Makes a fetch, to be given to one call.
 *
 * @param out_fetch  [out, owned] the fetch: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_fetch_new(kvl_fetch_t **out_fetch);

/**
 * Gives a fetch something that the provider sees: kvl_request_context(). A second call replaces the first.
 *
 * @param fetch         [borrowed] from kvl_fetch_new(), not used yet.
 * @param context       [owned by the fetch] what the provider sees; may be NULL.
 * @param context_free  [retained] ends `context` when fetch and requests are through with it, or before this returns if it fails;
 *                      may be NULL.
 * @return KVL_OK; KVL_ERR_ALREADY_USED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_fetch_set_context(kvl_fetch_t *fetch, void *context, kvl_free_fn context_free);

/**
 * Says how urgent a fetch is: of the keys that wait for a slot, those of higher urgency go first. If nothing is said, the setting
 * `urgency` of the call's options or of the configuration decides.
 *
 * A key that several fetches want has the highest urgency among those that want it still: it rises when one joins, and falls when
 * one leaves or lowers its own.
 *
 * @param fetch    [borrowed] from kvl_fetch_new(); also while it waits.
 * @param urgency  any number.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_fetch_set_urgency(kvl_fetch_t *fetch, int32_t urgency);

/**
 * Cancels a fetch: what is not settled yet is settled with KVL_ERR_CANCELLED; others that wait for the same keys are not affected.
 *
 * `load.on_cancel` decides whether a running load that no other fetch wants continues.
 *
 * Before the call that uses it: that call answers KVL_ERR_CANCELLED. After the last event: nothing happens. Any number of times.
 *
 * @param fetch  [borrowed] from kvl_fetch_new().
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_fetch_cancel(kvl_fetch_t *fetch);

/**
 * Waits until the last event of a fetch was delivered and its user data was freed. One that was never used is not waited for.
 *
 * @param fetch       [borrowed] from kvl_fetch_new().
 * @param timeout_ms  for how long, in milliseconds, or KVL_FOREVER.
 * @return KVL_OK, KVL_EMPTY (the time was over first); KVL_ERR_REENTRANT, KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER,
 *         KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads outside
 * @since 0.1
 */
KVL_API kvl_status_t kvl_fetch_wait(kvl_fetch_t *fetch, int64_t timeout_ms);

/**
 * Says how far a fetch is, in positions. The three numbers are read one after the other.
 *
 * @param fetch       [borrowed] from kvl_fetch_new().
 * @param out_done    [out] how many are settled; may be NULL.
 * @param out_failed  [out] how many of them failed; may be NULL.
 * @param out_total   [out] how many there are, 0 before the call; may be NULL.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_fetch_progress(const kvl_fetch_t *fetch, size_t *out_done, size_t *out_failed, size_t *out_total);

/**
 * Adds a reference.
 *
 * @param fetch  [borrowed] from kvl_fetch_new(); may be NULL.
 * @return `fetch`: release it once more.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_fetch_t *kvl_fetch_retain(kvl_fetch_t *fetch);

/**
 * Gives a reference up. This does not cancel.
 *
 * @param fetch  [owned] from kvl_fetch_new() or kvl_fetch_retain(); may be NULL.
 * @threads any
 * @since 0.1
 */
KVL_API void kvl_fetch_release(kvl_fetch_t *fetch);

/* ---- The results of a batch ---------------------------------------------------------------------------------------- */

/** Positions that have a value. */
#define KVL_COUNT_VALUES 0u
/** Positions that are known to be absent. */
#define KVL_COUNT_NULLS 1u
/** Positions whose key the validator refused. */
#define KVL_COUNT_INVALID 2u
/** Positions that failed. */
#define KVL_COUNT_FAILED 3u
/** Positions that the store answered. */
#define KVL_COUNT_FROM_STORE 4u
/** Positions whose load this fetch had started. */
#define KVL_COUNT_FROM_PROVIDER 5u
/** Positions that joined a load under way, another position's of this fetch included. */
#define KVL_COUNT_JOINED 6u
/** Positions that were told a value, or a null, whose time was over: KVL_F_STALE. */
#define KVL_COUNT_STALE 7u

/**
 * Says how many results there are: as many as keys were asked.
 *
 * @param results  [borrowed] from a callback or kvl_tasks_fetch_all().
 * @return how many; 0 for NULL.
 * @threads any
 * @since 0.1
 */
KVL_API size_t kvl_results_len(const kvl_results_t *results);

/**
 * Says how the whole ended.
 *
 * @param results  [borrowed] from a callback or kvl_tasks_fetch_all().
 * @return KVL_OK: every key came to its own end, failures of single keys included; KVL_ERR_TIMEOUT, KVL_ERR_CANCELLED,
 *         KVL_ERR_CLOSED: the whole was ended early; in all-or-nothing mode the status of the failure that ended it;
 *         KVL_ERR_NULL_POINTER.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_results_status(const kvl_results_t *results);

/**
 * Returns one result.
 *
 * @param results  [borrowed] from a callback or kvl_tasks_fetch_all().
 * @param i        the position in the call that asked.
 * @return [borrowed with the results] the result; NULL if there is no such position.
 * @threads any
 * @since 0.1
 */
KVL_API const kvl_result_t *kvl_results_at(const kvl_results_t *results, size_t i);

/**
 * Returns all results at once, for loops without calls: the i-th is at `i * out_stride` bytes behind the first.
 *
 * @param results     [borrowed] from a callback or kvl_tasks_fetch_all().
 * @param out_stride  [out] bytes from one result to the next; it may be more than sizeof (kvl_result_t) when the library is newer.
 * @return [borrowed with the results] the first result; NULL if there is none.
 * @threads any
 * @since 0.1
 */
KVL_API const kvl_result_t *kvl_results_array(const kvl_results_t *results, size_t *out_stride);

/**
 * Counts the results of one kind.
 *
 * @param results  [borrowed] from a callback or kvl_tasks_fetch_all().
 * @param what     KVL_COUNT_*.
 * @return how many; 0 for an unknown `what`.
 * @threads any
 * @since 0.1
 */
KVL_API size_t kvl_results_count(const kvl_results_t *results, uint32_t what);

/**
 * Counts results by status.
 *
 * @param results  [borrowed] from a callback or kvl_tasks_fetch_all().
 * @param status   the status.
 * @return how many have it.
 * @threads any
 * @since 0.1
 */
KVL_API size_t kvl_results_count_status(const kvl_results_t *results, kvl_status_t status);

/**
 * Counts the distinct errors: one object in many positions is one.
 *
 * @param results  [borrowed] from a callback or kvl_tasks_fetch_all().
 * @return how many.
 * @threads any
 * @since 0.1
 */
KVL_API size_t kvl_results_error_len(const kvl_results_t *results);

/**
 * Returns one of the distinct errors.
 *
 * In all-or-nothing mode the first may be the KVL_ERR_CANCELLED of a position that another one's failure cut off. The failure itself is
 * the first error here whose kvl_error_status() is kvl_results_status().
 *
 * @param results  [borrowed] from a callback or kvl_tasks_fetch_all().
 * @param i        which; 0 is the one of the first position that failed.
 * @return [borrowed with the results] the error; NULL if there are not so many.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_error_t *kvl_results_error_at(const kvl_results_t *results, size_t i);

/**
 * Adds a reference.
 *
 * @param results  [borrowed] from a callback or kvl_tasks_fetch_all(); may be NULL.
 * @return `results`: release it once more.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_results_t *kvl_results_retain(kvl_results_t *results);

/**
 * Gives a reference up; keys, values and errors of the results go with the last.
 *
 * @param results  [owned] from kvl_tasks_fetch_all(), kvl_tasks_fetch_all_wait() or kvl_results_retain(); may be NULL.
 * @threads any
 * @since 0.1
 */
KVL_API void kvl_results_release(kvl_results_t *results);

/* ---- What the provider is handed ----------------------------------------------------------------------------------- */

/**
 * Says how many keys are asked.
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @return how many; 0 for NULL.
 * @threads any
 * @since 0.1
 */
KVL_API size_t kvl_request_len(const kvl_request_t *request);

/**
 * Shows one key.
 *
 * @param request   [borrowed] from the provider's call or kvl_request_retain().
 * @param i         which, below kvl_request_len().
 * @param out_data  [out, borrowed with the request] the key's bytes, never NULL.
 * @param out_len   [out] how many.
 * @return KVL_OK; KVL_ERR_OUT_OF_RANGE, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_request_key(const kvl_request_t *request, size_t i, const uint8_t **out_data, size_t *out_len);

/**
 * Returns all keys at once.
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @return [borrowed with the request] kvl_request_len() slices; NULL for NULL.
 * @threads any
 * @since 0.1
 */
KVL_API const kvl_slice_t *kvl_request_keys(const kvl_request_t *request);

/**
 * Says in which attempt a key is: 1 for the first.
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @param i        which key.
 * @return the attempt's number; 0 if there is no such key.
 * @threads any
 * @since 0.1
 */
KVL_API uint32_t kvl_request_attempt(const kvl_request_t *request, size_t i);

/**
 * Returns the context of the fetch that started a key's load: kvl_fetch_set_context().
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @param i        which key.
 * @return [borrowed with the request] the context; NULL if the fetch has none.
 * @threads any
 * @since 0.1
 */
KVL_API void *kvl_request_context(const kvl_request_t *request, size_t i);

/**
 * Returns the highest urgency among the keys when the request was formed.
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @return the urgency; 0 for NULL.
 * @threads any
 * @since 0.1
 */
KVL_API int32_t kvl_request_urgency(const kvl_request_t *request);

/**
 * Says how much time the attempt has left: `attempt_timeout_ms`.
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @return milliseconds, 0 when it is over; KVL_FOREVER if there is no timeout, or the request is over.
 * @threads any
 * @since 0.1
 */
KVL_API int64_t kvl_request_time_left_ms(const kvl_request_t *request);

/**
 * Returns the provider's user data: kvl_config_set_provider().
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @return [borrowed] the user data.
 * @threads any
 * @since 0.1
 */
KVL_API void *kvl_request_user_data(const kvl_request_t *request);

/**
 * Says whether the request is no longer wanted, and why.
 *
 * A provider may then stop and finish, which states nothing about the keys: kvl_request_finish(). What it has found out it may still
 * answer: that is stored if nothing newer was.
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @return KVL_CANCEL_NO, KVL_CANCEL_UNWANTED, KVL_CANCEL_TIMEOUT, KVL_CANCEL_CLOSED.
 * @threads any
 * @since 0.1
 */
KVL_API uint32_t kvl_request_is_cancelled(const kvl_request_t *request);

/**
 * Says whether the answer for a key is still wanted: somebody waits for it, a refresh asked for it, or its load goes on
 * (`load.on_timeout`).
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @param i        which key.
 * @return 1 if it is, else 0.
 * @threads any
 * @since 0.1
 */
KVL_API uint32_t kvl_request_is_wanted(const kvl_request_t *request, size_t i);

/**
 * Sets a function to be called when the request is no longer wanted. At most once a request, before its finish.
 *
 * @param request         [borrowed] from the provider's call or kvl_request_retain().
 * @param function        [retained] is called at most once, on the dispatcher thread, never after kvl_request_finish() returned.
 * @param user_data       [retained] what `function` is given. It may hold a reference to the request.
 * @param user_data_free  [retained] ends `user_data`: after `function`, at the finish, or before this returns if it fails; may be NULL.
 * @return KVL_OK; KVL_ERR_CANCELLED (it is not wanted already: `function` will not be called), KVL_ERR_ALREADY_USED, KVL_ERR_CLOSED
 *         (it is finished), KVL_ERR_NO_CALLBACK, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_request_on_cancel(kvl_request_t *request, kvl_cancel_fn function, void *user_data, kvl_free_fn user_data_free);

/**
 * Says that the provider is at work: `attempt_timeout_ms` begins anew.
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @return KVL_OK, KVL_LATE (the time was over before); KVL_ERR_ALREADY_ANSWERED (finished), KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER,
 *         KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_request_heartbeat(kvl_request_t *request);

/**
 * Answers one key with a value, or with kvl_value_null() if there is no such record.
 *
 * @param request        [borrowed] from the provider's call or kvl_request_retain().
 * @param i              which key.
 * @param value          [retained] the answer.
 * @param terms_or_null  [borrowed] on which terms it is stored, with a TTL of 0 not at all; NULL: those of fetch and configuration.
 * @return KVL_OK, KVL_LATE (the attempt was over; it is stored if nothing newer was); KVL_ERR_BAD_VALUE (a term that is none),
 *         KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_CLOSED,
 *         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_request_resolve(kvl_request_t *request, size_t i, kvl_value_t *value, const kvl_terms_t *terms_or_null);

/**
 * Answers one key with bytes.
 *
 * @param request        [borrowed] from the provider's call or kvl_request_retain().
 * @param i              which key.
 * @param data           [copied] `len` bytes; may be NULL if `len` is 0.
 * @param len            bytes.
 * @param terms_or_null  [borrowed] on which terms it is stored, with a TTL of 0 not at all; NULL: those of fetch and configuration.
 * @return KVL_OK, KVL_LATE (the attempt was over; it is stored if nothing newer was); KVL_ERR_BAD_VALUE (a term that is none),
 *         KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_CLOSED,
 *         KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_request_resolve_bytes(kvl_request_t *request,
                                       size_t i,
                                       const uint8_t *data,
                                       size_t len,
                                       const kvl_terms_t *terms_or_null);

/**
 * Answers one key with an object of the program's.
 *
 * @param request        [borrowed] from the provider's call or kvl_request_retain().
 * @param i              which key.
 * @param object         [owned by the answer] any pointer but NULL.
 * @param cost           what it costs to keep, in bytes.
 * @param object_free    [retained] ends `object` when nobody holds it any more, which may be before this returns; may be NULL.
 * @param terms_or_null  [borrowed] on which terms it is stored, with a TTL of 0 not at all; NULL: those of fetch and configuration.
 * @return KVL_OK, KVL_LATE (the attempt was over; it is stored if nothing newer was); KVL_ERR_BAD_VALUE (a term that is none),
 *         KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_CLOSED,
 *         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_request_resolve_object(kvl_request_t *request,
                                        size_t i,
                                        void *object,
                                        uint64_t cost,
                                        kvl_free_fn object_free,
                                        const kvl_terms_t *terms_or_null);

/**
 * Fails one key.
 *
 * @param request        [borrowed] from the provider's call or kvl_request_retain().
 * @param i              which key.
 * @param error_or_null  [retained] why: everybody who waits gets this very object; NULL for a plain KVL_ERR_PROVIDER.
 * @return KVL_OK, KVL_LATE; KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_request_fail(kvl_request_t *request, size_t i, kvl_error_t *error_or_null);

/**
 * Fails one key with a text.
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @param i        which key.
 * @param code     a number of the program's own.
 * @param message  [copied] UTF-8, NUL-terminated; may be NULL.
 * @param flags    0, or KVL_ERROR_F_* added up.
 * @return KVL_OK, KVL_LATE; KVL_ERR_INVALID_ARG (unknown flags), KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_CLOSED,
 *         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_request_fail_text(kvl_request_t *request, size_t i, int64_t code, const char *message, uint32_t flags);

/**
 * Answers by key: one of the request's own, or another, which is stored as an extra unless it was written or loaded since the
 * request was handed out.
 *
 * @param request        [borrowed] from the provider's call or kvl_request_retain().
 * @param key            [copied] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len        bytes, 0 to KVL_KEY_MAX.
 * @param value          [retained] the answer, or kvl_value_null().
 * @param terms_or_null  [borrowed] on which terms it is stored, with a TTL of 0 not at all; NULL: those of fetch and configuration.
 * @return KVL_OK, KVL_LATE (the attempt was over, or the extra is old news); KVL_INVALID_KEY (an extra that the validator refuses);
 *         KVL_ERR_BAD_VALUE (a term that is none), KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_ALREADY_ANSWERED,
 *         KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_request_supply(kvl_request_t *request,
                                const uint8_t *key,
                                size_t key_len,
                                kvl_value_t *value,
                                const kvl_terms_t *terms_or_null);

/**
 * Answers by key with bytes: a value and its kvl_request_supply() in one call.
 *
 * @param request        [borrowed] from the provider's call or kvl_request_retain().
 * @param key            [copied] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len        bytes, 0 to KVL_KEY_MAX.
 * @param data           [copied] `len` bytes; may be NULL if `len` is 0.
 * @param len            bytes.
 * @param terms_or_null  [borrowed] on which terms it is stored, with a TTL of 0 not at all; NULL: those of fetch and configuration.
 * @return KVL_OK, KVL_LATE (the attempt was over, or the extra is old news); KVL_INVALID_KEY (an extra that the validator refuses);
 *         KVL_ERR_BAD_VALUE (a term that is none), KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_ALREADY_ANSWERED,
 *         KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_request_supply_bytes(kvl_request_t *request,
                                      const uint8_t *key,
                                      size_t key_len,
                                      const uint8_t *data,
                                      size_t len,
                                      const kvl_terms_t *terms_or_null);

/**
 * Finishes: what has no answer fails with KVL_ERR_UNANSWERED, or is null where `batch.omitted_is_null` is set.
 *
 * A finish of any kind states something only about keys whose answer is still wanted, in an attempt whose time is not over. About
 * the keys of a request that is no longer wanted (kvl_request_is_cancelled()) it states nothing: none of them becomes null, and what
 * the cache has of them stays. To state that a key does not exist whatever happened, answer it with kvl_value_null().
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain(). It is still to be released, if it was retained.
 * @return KVL_OK; KVL_ERR_ALREADY_ANSWERED (finished before), KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_request_finish(kvl_request_t *request);

/**
 * Finishes: what has no answer is null, as when a query found no row. Only wanted keys become null: kvl_request_finish().
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain(). It is still to be released, if it was retained.
 * @return KVL_OK; KVL_ERR_ALREADY_ANSWERED (finished before), KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_request_finish_nulls(kvl_request_t *request);

/**
 * Finishes: what has no answer fails with one error.
 *
 * @param request        [borrowed] from the provider's call or kvl_request_retain(). It is still to be released, if it was retained.
 * @param error_or_null  [retained] why; NULL for a plain KVL_ERR_PROVIDER.
 * @return KVL_OK; KVL_ERR_ALREADY_ANSWERED (finished before), KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_request_finish_error(kvl_request_t *request, kvl_error_t *error_or_null);

/**
 * Adds a reference: to answer after the provider's call has returned, from any thread.
 *
 * @param request  [borrowed] from the provider's call; may be NULL.
 * @return `request`: release it once more.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_request_t *kvl_request_retain(kvl_request_t *request);

/**
 * Gives a reference up. The last one without a finish finishes the request: kvl_request_finish().
 *
 * @param request  [owned] from kvl_request_retain(); may be NULL.
 * @threads any
 * @since 0.1
 */
KVL_API void kvl_request_release(kvl_request_t *request);

/* ---- The queue: events for a thread of the program's own ----------------------------------------------------------- */

/** In the flags of kvl_queue_new(): the descriptor is a pipe even where there are eventfds, for libuv. Without effect on Windows. */
#define KVL_QUEUE_NEW_PIPE 1u

/**
 * Makes a queue, to be named in configurations: kvl_config_set_queue().
 *
 * @param flags      0 or KVL_QUEUE_NEW_PIPE.
 * @param out_queue  [out, owned] the queue: free it after the engines that use it.
 * @return KVL_OK; KVL_ERR_INVALID_ARG (unknown flags), KVL_ERR_NULL_POINTER, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_queue_new(uint32_t flags, kvl_queue_t **out_queue);

/**
 * Hands out a descriptor that is readable while events wait, for `poll`, `epoll` or an event loop.
 *
 * You may read it; then drain the queue until it says KVL_EMPTY. It is the queue's: do not close it. On Windows there is none:
 * kvl_queue_handle().
 *
 * @param queue   [borrowed] from kvl_queue_new().
 * @param out_fd  [out] the descriptor; it never blocks.
 * @return KVL_OK; KVL_ERR_NO_FD, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_queue_fd(kvl_queue_t *queue, int32_t *out_fd);

/**
 * Hands out the handle of an event that is set while events wait, for `WaitForSingleObject` and its kin. On Windows alone: elsewhere it
 * answers KVL_ERR_NO_FD, and there is kvl_queue_fd().
 *
 * The library sets and resets it; drain the queue until it says KVL_EMPTY. It is the queue's: do not close it.
 *
 * @param queue       [borrowed] from kvl_queue_new().
 * @param out_handle  [out] the HANDLE.
 * @return KVL_OK; KVL_ERR_NO_FD, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_queue_handle(kvl_queue_t *queue, void **out_handle);

/**
 * Asks to be called when the queue stops being empty: for executors. Replaces the function before, which will not run any more.
 *
 * @param queue           [borrowed] from kvl_queue_new().
 * @param function        [retained] runs on a thread of the library; it may only schedule a poll. NULL: none.
 * @param user_data       [retained] what `function` is given.
 * @param user_data_free  [retained] ends `user_data` with the queue, when it is replaced, or before this returns if it fails; may be
 *                        NULL.
 * @return KVL_OK; KVL_ERR_NO_THREAD, KVL_ERR_REENTRANT, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads outside
 * @since 0.1
 */
KVL_API kvl_status_t kvl_queue_set_wake(kvl_queue_t *queue, kvl_wake_fn function, void *user_data, kvl_free_fn user_data_free);

/**
 * Runs the callbacks of at most `max` events on this thread.
 *
 * @param queue       [borrowed] from kvl_queue_new().
 * @param max         how many events at most.
 * @param timeout_ms  how long to wait for the first one, in milliseconds; 0: not at all; KVL_FOREVER.
 * @param out_ran     [out] how many ran; may be NULL.
 * @return KVL_OK, KVL_EMPTY (none within the time, or kvl_queue_wake()); KVL_ERR_NO_CALLBACK (the next event has none: it is for
 *         kvl_queue_next()), KVL_ERR_BUSY (another thread reads), KVL_ERR_REENTRANT, KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER,
 *         KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one, outside
 * @since 0.1
 */
KVL_API kvl_status_t kvl_queue_poll(kvl_queue_t *queue, size_t max, int64_t timeout_ms, size_t *out_ran);

/**
 * Takes the next event out. No function of the program's is called but destructors.
 *
 * What the event points at is valid until the next kvl_queue_next() or kvl_queue_poll() on this queue; retain what is to stay.
 *
 * @param queue       [borrowed] from kvl_queue_new().
 * @param timeout_ms  how long to wait for it, in milliseconds; 0: not at all; KVL_FOREVER.
 * @param out_event   [out] the event.
 * @param out_size    sizeof *out_event.
 * @return KVL_OK, KVL_EMPTY (none within the time, or kvl_queue_wake()); KVL_ERR_BUSY (another thread reads), KVL_ERR_REENTRANT,
 *         KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one, outside
 * @since 0.1
 */
KVL_API kvl_status_t kvl_queue_next(kvl_queue_t *queue, int64_t timeout_ms, kvl_event_t *out_event, size_t out_size);

/**
 * Makes a waiting kvl_queue_poll() or kvl_queue_next(), or the next one that would wait, say KVL_EMPTY.
 *
 * @param queue  [borrowed] from kvl_queue_new().
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_queue_wake(kvl_queue_t *queue);

/**
 * Frees a queue. What waits in it is dropped: user data and destructors run, here; no callback does.
 *
 * An engine that was given up by kvl_tasks_dispose() does not keep the queue busy, even while it is still ending: what it sends later is
 * dropped where it is sent.
 *
 * @param queue  [owned] from kvl_queue_new(); may be NULL. On an error it stays as it was.
 * @return KVL_OK; KVL_ERR_BUSY (an engine or a cache still sends to it), KVL_ERR_REENTRANT, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads outside
 * @since 0.1
 */
KVL_API kvl_status_t kvl_queue_free(kvl_queue_t *queue);

/**
 * Gives a queue up: nobody reads it any more. Never waits: for destructors, finalizers and callbacks.
 *
 * Unlike kvl_queue_free() it does not ask that the engines and caches that send to it have ended, so it may come before or after their
 * own dispose. What waits in the queue is dropped here, and what is sent to it later is dropped where it is sent: user data and
 * destructors run, no callback does. A fetch whose result would come through it is ended by the end of its user data alone.
 *
 * @param queue  [owned] from kvl_queue_new(); may be NULL. Not to be used again. If a callback gives up the very queue that is being
 *               read, that call of kvl_queue_poll() or kvl_queue_next() ends after it.
 * @threads any
 * @since 0.2
 */
KVL_API void kvl_queue_dispose(kvl_queue_t *queue);

/**
 * Sends events to a queue instead of to threads of the library.
 *
 * @param config  [borrowed] from kvl_config_new().
 * @param queue   [retained] from kvl_queue_new(); NULL: threads again.
 * @param what    KVL_QUEUE_F_RESULTS, KVL_QUEUE_F_PROVIDER, KVL_QUEUE_F_REMOVALS, added; KVL_QUEUE_F_ALL.
 * @return KVL_OK; KVL_ERR_INVALID_ARG (unknown bits, or none), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_set_queue(kvl_config_t *config, kvl_queue_t *queue, uint32_t what);

/**
 * Makes a value of an object that is destroyed where a queue is read, whichever thread drops the last reference.
 *
 * @param queue        [retained] from kvl_queue_new(). If it was freed by then, the object ends where the reference is dropped.
 * @param object       [owned by the value] any pointer but NULL.
 * @param cost         what it costs to keep, in bytes.
 * @param object_free  [retained] ends `object` inside kvl_queue_poll() or kvl_queue_next(); NULL: KVL_EVENT_DROP reports the end.
 * @param out_value    [out, owned] the value: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API
kvl_status_t kvl_value_new_object_on(kvl_queue_t *queue,
                                     void *object,
                                     uint64_t cost,
                                     kvl_free_fn object_free,
                                     kvl_value_t **out_value);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* KVLIGHT_H */
