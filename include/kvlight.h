/*
 * kvlight: a loading cache for every language, behind a C ABI.
 *
 * This file is the specification. It is generated: `make generate` writes it, and a test compares it with the sources.
 *
 * OWNERSHIP
 *   A program holds handles: opaque pointers that it receives through `out_` parameters.
 *   Arguments are copied or retained before the call returns, so the caller keeps its own handle and may free it at once. A handle
 *   ends only by the _free, _release or _dispose of its type; all of them ignore NULL.
 *   Everything that a callback or an event shows is borrowed: until the callback returns, or until the next kvl_queue_next() on that
 *   queue. Values, errors, results and requests are reference counted: _retain keeps them for longer.
 *   Out handles are set to NULL before anything else happens, so cleanup code may release them whatever the call returned. Every
 *   other output is written only if the call succeeds (its status is 0 or above). Outputs do not overlap inputs, except that the
 *   key may lie in the buffer of kvl_cache_get_into().
 *   Each pointer parameter is marked: [borrowed] is used during the call only, [copied] and [retained] as above, [out] is written by the
 *   call, [owned] belongs to the library from now on or, with [out], to the caller.
 *
 * USER DATA
 *   A callback is passed as three arguments: the function, `user_data`, which is its first argument, and `user_data_free`, which frees
 *   `user_data` and may be NULL. user_data_free runs exactly once, whatever happens: on the calling thread before the call returns,
 *   if the call failed or returned its result at once; otherwise after the last callback, where callbacks run.
 *   The destructor of an object runs exactly once too: when the last reference is dropped, or before the call returns if the call
 *   that should have taken the object over fails.
 *
 * THREADS
 *   any      may be called on every thread, on several at the same time, and inside callbacks.
 *   one      may be called on every thread, but on one at a time for each handle.
 *   outside  may be called on every thread, but inside a callback it returns KVL_ERR_REENTRANT and changes nothing, since it would wait.
 *   A pointer given to the library (user data, objects) may be used and freed by any thread. Callbacks must return: they must not
 *   unwind, longjmp or end their thread. No callback runs while the library holds a lock.
 *
 * PROCESS
 *   Threads of the library block all signals except those that a fault raises (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS,
 *   SIGABRT), from before their first instruction, so that the program's handlers run on the program's threads. A process that a
 *   callback starts on such a thread by posix_spawn(), system() or popen() inherits the blocked signals: use POSIX_SPAWN_SETSIGMASK
 *   with posix_spawn(). The child of a fork() inside a callback unblocks the signals automatically; it must end by exec or _exit, and
 *   not return from the callback.
 *   In the child of any fork, functions return KVL_ERR_FORKED for handles that were created before the fork, and the _free and _release
 *   of such handles have no effect. Values and errors stay readable, and their objects are destroyed in the child when the last
 *   reference is released. New handles work.
 *   Windows has neither signals nor forks: none of that applies there. On every system the shared library stays loaded once a handle
 *   was created, even if the program unloads it, since threads may be running in it.
 *   The setting tasks.stack_bytes is the size of the stack of a provider thread. If the system refuses a thread, a request waits for a
 *   provider thread that is busy. If there is no provider thread at all, the request fails with KVL_ERR_NO_THREAD.
 *
 * DELIVERY
 *   Without a queue, callbacks run on one dispatcher thread of the library and the provider on provider threads of the library.
 *   With a queue, events that are routed to it are delivered where the program drains it: kvl_queue_poll() runs the callbacks on the
 *   polling thread; kvl_queue_next() fills an event and calls no callback, so the functions of these events may be NULL.
 *   Removals: an engine's removal listener and the destructors of removed values run on the dispatcher. If these are slower than the
 *   writers, threads that write outside callbacks wait for the listener, or run destructors themselves (removals.max_pending). A cache
 *   without an engine calls its listener inside the call that caused the removal, after that call has released its locks, on one
 *   thread at a time; for entries that the timer removes, on the dispatcher. So a listener, or a destructor, must not take a lock
 *   of the program that a thread holds while it writes to that cache.
 *
 * SHUTDOWN
 *   Close an engine (never blocks), wait for the report that it is closed, and free it (joins the threads). Destructors and finalizers
 *   dispose of it instead, which does all that without waiting.
 *
 * ERRORS
 *   A status of 0 means success; above 0, an outcome that a program expects; below 0, an error. Only KVL_PENDING means "accepted", and
 *   only then do events follow. There is no last error of a thread: everything about an error is in its kvl_error_t.
 *
 * MEMORY
 *   KVL_ERR_NO_MEMORY: the system refused an allocation of 128 KiB or more, or one of any size for bytes of a value. The call changed
 *   nothing. A smaller allocation that is refused ends the process, as it does in most programs; SECURITY.md lists the larger
 *   allocations that do so too. Calls that only remove entries, such as kvl_cache_clear(), allocate less than 128 KiB at a time.
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

/** The major version of this header. */
#define KVL_VERSION_MAJOR 0
/** The minor version of this header. */
#define KVL_VERSION_MINOR 2
/** The patch version of this header. */
#define KVL_VERSION_PATCH 0
/** major * 1000000 + minor * 1000 + patch. kvl_version_number() returns the library's number. */
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
/** nothing within the timeout, a wake-up ended the wait, or an iterator has no more entries */
#define KVL_EMPTY 6
/** not stored: no room for the entry's priority, capacity 0, or TTL 0; an older value under the key was removed */
#define KVL_REFUSED 7
/** not stored: costs more than one shard's part of cache.cost_limit; an older value under the key was removed */
#define KVL_TOO_LARGE 8
/** the buffer is too small: call again with a buffer of the reported length */
#define KVL_TRUNCATED 9
/** too late: the attempt had ended before, or the answer is outdated */
#define KVL_LATE 10
/** not stored: the key has an entry already, or no longer has the expected value; nothing changed */
#define KVL_CONFLICT 11
/** an argument is out of range or has unknown flags */
#define KVL_ERR_INVALID_ARG (-1)
/** a pointer that must not be NULL is NULL */
#define KVL_ERR_NULL_POINTER (-2)
/** no setting has this name, or a fetch cannot set it: docs/CONFIGURATION.md and kvl_config_keys_json() list all settings */
#define KVL_ERR_UNKNOWN_KEY (-3)
/** a setting, or a term of an answer or a put (TTL, stale TTL, priority, cost, version, tags), has the wrong type, is out of range, or contradicts another */
#define KVL_ERR_BAD_VALUE (-4)
/** the runtime has been freed */
#define KVL_ERR_INVALID_HANDLE (-5)
/** the key is longer than 65,535 bytes (KVL_KEY_MAX) */
#define KVL_ERR_KEY_TOO_LONG (-6)
/** the value or the request is not of the kind that this function needs: an object has no bytes, for example */
#define KVL_ERR_WRONG_KIND (-7)
/** the index is not below the length */
#define KVL_ERR_OUT_OF_RANGE (-8)
/** this key of the request has been answered already, or the request is finished */
#define KVL_ERR_ALREADY_ANSWERED (-9)
/** already used: a fetch handle serves one fetch, a cancel hook is set once, and an error is changed only before it is shared */
#define KVL_ERR_ALREADY_USED (-10)
/** the configuration has no provider: kvl_config_set_provider() */
#define KVL_ERR_NO_PROVIDER (-11)
/** the function to call is NULL: set it, or have its events sent to a queue that kvl_queue_next() reads */
#define KVL_ERR_NO_CALLBACK (-12)
/** still in use: an engine or a cache is attached and must be freed first, or another thread reads the queue */
#define KVL_ERR_BUSY (-13)
/** out of memory */
#define KVL_ERR_NO_MEMORY (-100)
/** the system refused a thread */
#define KVL_ERR_NO_THREAD (-101)
/** the system refused a descriptor or handle for the queue, or this function is for another system */
#define KVL_ERR_NO_FD (-102)
/** this call cannot wait: requests go to a queue, which this thread may have to read */
#define KVL_ERR_UNSUPPORTED (-103)
/** the file system reported an error: kvl_error_message() gives details */
#define KVL_ERR_IO (-104)
/** the file is damaged, or is not a saved cache; entries read before the damage are stored */
#define KVL_ERR_CORRUPT (-105)
/** the file ends too early; entries read before its end are stored */
#define KVL_ERR_TRUNCATED (-106)
/** the file has a version that this library does not support */
#define KVL_ERR_FILE_VERSION (-107)
/** the engine is closed */
#define KVL_ERR_CLOSED (-200)
/** the handle was created before a fork: create a new one in the child */
#define KVL_ERR_FORKED (-201)
/** this function may not be called from inside a callback, because it would wait for that callback */
#define KVL_ERR_REENTRANT (-202)
/** the provider failed */
#define KVL_ERR_PROVIDER (-300)
/** the timeout expired before an answer arrived */
#define KVL_ERR_TIMEOUT (-301)
/** the fetch was cancelled, a save or load of a cache was stopped, or the request is no longer wanted */
#define KVL_ERR_CANCELLED (-302)
/** the queue was full of keys at least as urgent as this one, or a newer key took the place of this one: raise queue.max_keys or tasks.max_running, or fetch many keys in one call, because such keys may wait without a place */
#define KVL_ERR_QUEUE_FULL (-303)
/** the provider finished without an answer for this key */
#define KVL_ERR_UNANSWERED (-304)
/** the circuit breaker is open, because the provider failed too often or the program forced it: for now, the provider receives no requests */
#define KVL_ERR_UNAVAILABLE (-305)
/** an internal error was caught: please report it */
#define KVL_ERR_PANIC (-900)

/* ---- Constants ----------------------------------------------------------------------------------------------------- */

/** Results, progress, the notice of a close, and the freeing of the fetches' user data go to the queue. */
#define KVL_QUEUE_F_RESULTS 1u
/** Requests and cancel hooks go to the queue. */
#define KVL_QUEUE_F_PROVIDER 2u
/** Removals go to the queue. */
#define KVL_QUEUE_F_REMOVALS 4u
/** The three flags above together. */
#define KVL_QUEUE_F_ALL 7u
/**
 * Requests for the second tier go to the queue. Not part of KVL_QUEUE_F_ALL: a program that drives everything else by its queue may still
 * have a second tier whose function is called.
 */
#define KVL_QUEUE_F_L2 8u

/** Close at once: open positions are settled with KVL_ERR_CLOSED. */
#define KVL_CLOSE_CANCEL 0u
/** Close when accepted work is done, or at the deadline. */
#define KVL_CLOSE_DRAIN 1u

/** Invalidates all keys: the call passes none. */
#define KVL_INVALIDATE_F_ALL 1u
/** Entries expire instead of being removed, and stay as fallbacks until their grace period ends. */
#define KVL_INVALIDATE_F_EXPIRE 2u

/**
 * A request to look keys up. Answer each key with kvl_l2_request_hit(), kvl_l2_request_hit_object(), kvl_l2_request_miss(),
 * kvl_l2_request_leased() or kvl_l2_request_fail().
 */
#define KVL_L2_READ 1u
/** A request to store entries that were loaded, each only if its key has not changed since it was looked up. */
#define KVL_L2_FILL 2u
/** A request to store entries that were put. */
#define KVL_L2_WRITE 3u
/** A request to remove keys. */
#define KVL_L2_REMOVE 4u
/** A request to remove all keys, which names none. */
#define KVL_L2_CLEAR 5u
/** The second tier compares tokens: it stores an entry of KVL_L2_FILL only if the entry's token is still the key's token. */
#define KVL_L2_F_CONDITIONAL 1u
/**
 * The second tier grants leases: the first read of an absent key receives a token, and other reads of the key receive none until the key
 * is written or the token expires.
 */
#define KVL_L2_F_LEASES 2u
/** The second tier stores objects too: the program converts them to bytes and back. Without this flag, objects stay in the process. */
#define KVL_L2_F_OBJECTS 4u
/** What is left of a TTL: the second tier does not know it, but ends entries in time. */
#define KVL_L2_TTL_UNKNOWN (-2)

/** The circuit breaker lets requests through. */
#define KVL_BREAKER_CLOSED 0u
/** The circuit breaker keeps requests from the provider. */
#define KVL_BREAKER_OPEN 1u
/** The circuit breaker lets probes through. */
#define KVL_BREAKER_HALF_OPEN 2u
/** The circuit breaker is not forced. */
#define KVL_BREAKER_FORCE_NONE 0u
/** The circuit breaker is forced closed. */
#define KVL_BREAKER_FORCE_CLOSED 1u
/** The circuit breaker is forced open. */
#define KVL_BREAKER_FORCE_OPEN 2u

/** A value of bytes. */
#define KVL_KIND_BYTES 1u
/** A value that is a pointer of the program. */
#define KVL_KIND_OBJECT 2u
/** The constant that stands for "known to be absent". */
#define KVL_KIND_NULL 3u

/** In the flags of results and events: no further event of this fetch follows. */
#define KVL_F_LAST 1u
/**
 * In the flags of a result: the value, or the null, had expired and served as a fallback. `error` is the error of the load; it is NULL if
 * the load takes too long (`stale.timeout_ms`).
 */
#define KVL_F_STALE 2u

/** The request is wanted. */
#define KVL_CANCEL_NO 0u
/** None of the request's keys is wanted any more. */
#define KVL_CANCEL_UNWANTED 1u
/** The attempt has timed out. */
#define KVL_CANCEL_TIMEOUT 2u
/** The engine closes. */
#define KVL_CANCEL_CLOSED 3u

/** A TTL: the entry never expires. */
#define KVL_TTL_NEVER (-1)
/** A TTL: that of the configuration (`cache.ttl_ms`, `cache.null_ttl_ms`). */
#define KVL_TTL_DEFAULT (-2)

/** A grace period: none. */
#define KVL_STALE_NEVER (-1)

/** A cost: the cost function's, or else the value's own. */
#define KVL_COST_DEFAULT (-1)

/** A priority: for an answer, the setting `priority` of the fetch; for a put, 0. */
#define KVL_PRIORITY_DEFAULT (-1.7976931348623157e308)

/** A put that replaces a live entry keeps the expiry of that entry; `ttl_ms` applies only if there is no live entry. */
#define KVL_PUT_F_KEEP_TTL 1u
/** A put takes place only if the key has no live entry; otherwise it returns KVL_CONFLICT. A null is an entry. */
#define KVL_PUT_F_IF_ABSENT 2u
/** A put takes place only if the key has a live entry; otherwise it returns KVL_MISS. A null is an entry. */
#define KVL_PUT_F_IF_PRESENT 4u

/** A timeout: none. */
#define KVL_FOREVER (-1)

/**
 * The library's own memory for an entry, in bytes. An entry whose value has a stated cost costs this, plus the value's cost, plus the
 * length of the key. A version and tags cost extra.
 */
#define KVL_ENTRY_COST 90u

/** An urgency: the default of a refresh. */
#define KVL_URGENCY_BACKGROUND (-1000)

/** The maximum length of a tag, and of the version that is stated for a record, in bytes. */
#define KVL_LABEL_MAX 255u

/** The maximum number of tags of an entry. */
#define KVL_TAGS_MAX 16u

/** The maximum length of a key, in bytes. */
#define KVL_KEY_MAX 65535u

/** The source of a result: KVL_SOURCE_*. */
typedef uint32_t kvl_source_t;

/** The reason why a value is no longer in the store: KVL_CAUSE_*. */
typedef uint32_t kvl_cause_t;

/** The kind of an event: KVL_EVENT_*. */
typedef uint32_t kvl_event_kind_t;

/** The outcome of a call: KVL_OK; above 0, an outcome that a program expects; below 0, an error (KVL_ERR_*). */
typedef int32_t kvl_status_t;

/** None: the position failed, or was refused before the lookup. */
#define KVL_SOURCE_NONE 0u
/** The store. */
#define KVL_SOURCE_STORE 1u
/** The provider, in a load that this fetch started. */
#define KVL_SOURCE_PROVIDER 2u
/** The provider, in a load that was in progress: one of another fetch, or of an earlier position of this fetch with the same key. */
#define KVL_SOURCE_JOINED 3u
/** A put, which settled a key that was waiting for its load to begin. */
#define KVL_SOURCE_PUT 4u
/** The memory of recent errors. */
#define KVL_SOURCE_ERROR_MEMORY 5u
/** The store, with an expired entry that served as a fallback. */
#define KVL_SOURCE_STALE 6u
/** The second tier. */
#define KVL_SOURCE_L2 7u

/** The entry expired. */
#define KVL_CAUSE_EXPIRED 1u
/** The entry was evicted to make room for another one (cache.capacity). */
#define KVL_CAUSE_CAPACITY 2u
/** The entry was evicted to make room for another one's cost (cache.cost_limit). */
#define KVL_CAUSE_COST 3u
/** Another value was stored under the key. */
#define KVL_CAUSE_REPLACED 4u
/** The entry was removed, taken or popped. */
#define KVL_CAUSE_REMOVED 5u
/** The store was cleared. */
#define KVL_CAUSE_CLEARED 6u
/** The value was refused, and never stored. */
#define KVL_CAUSE_REFUSED 7u
/** The store was trimmed or made smaller. */
#define KVL_CAUSE_TRIMMED 8u
/** The entry was removed by one of its tags. */
#define KVL_CAUSE_TAG 9u

/** One position of a fetch is settled. */
#define KVL_EVENT_RESULT 1u
/** All positions of a batch are settled. */
#define KVL_EVENT_RESULTS 2u
/** Some more positions of a batch are settled. */
#define KVL_EVENT_PROGRESS 3u
/** The provider has a request to answer. */
#define KVL_EVENT_REQUEST 4u
/** A request that the program holds is no longer wanted. */
#define KVL_EVENT_CANCEL 5u
/** The last reference to an object without a destructor was dropped: `user_data` is the object. */
#define KVL_EVENT_DROP 6u
/** A value is no longer in the store. */
#define KVL_EVENT_REMOVAL 7u
/** An engine is closed. This is its last event. */
#define KVL_EVENT_CLOSED 8u
/** The second tier has a request to serve. */
#define KVL_EVENT_L2 9u

/* ---- Types --------------------------------------------------------------------------------------------------------- */

/** A cache. */
typedef struct kvl_cache_t kvl_cache_t;

/** A clock that moves only when it is advanced. */
typedef struct kvl_clock_t kvl_clock_t;

/** A configuration, from which caches and engines are created. */
typedef struct kvl_config_t kvl_config_t;

/** An error: status, code, message, and an object of the program. It is reference counted and immutable. */
typedef struct kvl_error_t kvl_error_t;

/** A fetch, as a handle to cancel it, to wait for it and to see its progress. */
typedef struct kvl_fetch_t kvl_fetch_t;

/** An iterator over all entries of a cache. */
typedef struct kvl_iterator_t kvl_iterator_t;

/** A request for the second tier: keys to look up, or to write. */
typedef struct kvl_l2_request_t kvl_l2_request_t;

/** The options of a fetch, which override the engine's settings. */
typedef struct kvl_options_t kvl_options_t;

/** A queue of events for a thread of the program. */
typedef struct kvl_queue_t kvl_queue_t;

/** A reader: gives one thread access to values of a cache without a copy. */
typedef struct kvl_reader_t kvl_reader_t;

/** A request: keys for the provider to answer. */
typedef struct kvl_request_t kvl_request_t;

/** The results of a batch. */
typedef struct kvl_results_t kvl_results_t;

/** A runtime: threads and timers that several engines share. */
typedef struct kvl_runtime_t kvl_runtime_t;

/** An engine: a cache with a provider. */
typedef struct kvl_tasks_t kvl_tasks_t;

/** A value: bytes, an object of the program, or null. It is reference counted, and immutable once shared. */
typedef struct kvl_value_t kvl_value_t;

/** Bytes that another object owns. Frozen: this struct never changes. */
typedef struct kvl_slice_t {
    /** The bytes; may be NULL if `len` is 0. */
    const uint8_t *data;
    /** The number of bytes. */
    size_t len;
} kvl_slice_t;

/**
 * The terms on which an answer is stored. Begin with KVL_TERMS_INIT, then set the fields that differ from the defaults, as in `kvl_terms_t
 * terms = KVL_TERMS_INIT; terms.ttl_ms = 30000;`. NULL instead of terms states none.
 *
 * Except for the flags of a put, all terms may be combined, so that no answer is lost because its terms conflict. Terms have no effect on
 * an answer that is not stored (a TTL of 0, a fetch with `read` = `no_store`). An entry without a TTL can still be expired by a call, such
 * as kvl_cache_expire(): its grace period begins then.
 *
 * Later versions append fields whose default is 0.
 */
typedef struct kvl_terms_t {
    /** sizeof(kvl_terms_t) as the program was compiled, in bytes. */
    size_t struct_size;
    /** Milliseconds above 0, KVL_TTL_NEVER or KVL_TTL_DEFAULT; 0: the answer is not stored, and an existing entry is removed. */
    int64_t ttl_ms;
    /**
     * Entries with a lower priority are evicted before those with a higher one; KVL_PRIORITY_DEFAULT: for an answer, the setting
     * `priority` of the fetch; for a put, 0. Not NaN.
     */
    double priority;
    /** The cost of the value, in bytes; KVL_COST_DEFAULT: the cost function's, or else the value's own. */
    int64_t cost;
    /** KVL_PUT_F_* for a put; 0 in an answer to a request. */
    uint32_t flags;
    /** Must be 0. */
    uint32_t reserved;
    /**
     * The length of the grace, during which the expired entry stays as a fallback, in milliseconds; 0: `stale.ttl_ms`; KVL_STALE_NEVER: no
     * grace. Since 0.2.
     */
    int64_t stale_ttl_ms;
    /**
     * The version of the record as the provider's source knows it, such as an ETag; kvl_request_stale() returns it. `version_len` bytes,
     * copied; may be NULL if `version_len` is 0. Since 0.2.
     */
    const uint8_t *version;
    /** The length of `version` in bytes, at most KVL_LABEL_MAX; it is part of the cost. Since 0.2. */
    size_t version_len;
    /**
     * The entry's tags, by which kvl_cache_remove_tag() finds it: `tags_len` slices of 1 to KVL_LABEL_MAX bytes, copied; may be NULL if
     * `tags_len` is 0. An entry with tags is not stored in a second tier: each process loads it for itself, and if another process was
     * granted the lease of the key, it waits for `l2.wait_ms` first. Since 0.2.
     */
    const kvl_slice_t *tags;
    /** The number of tags, at most KVL_TAGS_MAX; tags are part of the cost. Since 0.2. */
    size_t tags_len;
} kvl_terms_t;

/**
 * The progress of kvl_cache_save() or kvl_cache_load(), or its final state. The library fills it; later versions append fields: check
 * `struct_size` before reading a field of a later version.
 */
typedef struct kvl_transfer_t {
    /** The number of bytes that the library has filled. */
    size_t struct_size;
    /** Entries that were written to the file, or stored in the cache. */
    uint64_t entries;
    /**
     * Entries that were skipped: objects that were not converted; in a load, also entries whose key has an entry already, or that are
     * refused.
     */
    uint64_t skipped;
    /** The expected number of entries: that of the cache when the save began, or that of the file. */
    uint64_t total;
    /** Bytes of the file that were written or read. */
    uint64_t bytes;
} kvl_transfer_t;

/**
 * The result of one position of a fetch; also the view of an entry that a removal listener receives.
 * The library fills it; later versions append fields: check `struct_size` before reading a field of a later version.
 */
typedef struct kvl_result_t {
    /** The number of bytes that the library has filled. */
    size_t struct_size;
    /** The position of the key in the call. */
    size_t index;
    /** The key. Borrowed with the result, like all pointers in it. */
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
     * The error if the status is below 0, and then never NULL; the same pointer for all fetches that waited for the load. With
     * KVL_F_STALE: the error of the load, or NULL.
     */
    kvl_error_t *error;
    /**
     * Milliseconds since the answer was loaded or put in this process; 0 for a new answer. An answer of the second tier is new when it is
     * found there, however old it is: the second tier does not know when it was loaded.
     */
    int64_t age_ms;
    /** Milliseconds until the answer expires; KVL_TTL_NEVER; 0 if it is not stored. */
    int64_t ttl_left_ms;
    /** The cost of the entry, in bytes. */
    uint64_t cost;
    /** KVL_VALUE, KVL_NULL, KVL_MISS (cache-only), KVL_INVALID_KEY, or an error. */
    kvl_status_t status;
    /** KVL_SOURCE_*. */
    kvl_source_t source;
    /** How many attempts the load made; 0 if there was no load. */
    uint32_t attempts;
    /** KVL_F_*. */
    uint32_t flags;
} kvl_result_t;

/** An event of kvl_queue_next(). The library fills as much as the caller's size holds. */
typedef struct kvl_event_t {
    /** The number of bytes that the library has filled. */
    size_t struct_size;
    /** KVL_EVENT_*. */
    kvl_event_kind_t kind;
    /** KVL_F_*. */
    uint32_t flags;
    /**
     * The user data that the program passed for this event: with the fetch, provider, second tier, listener, close or cancel hook. For
     * KVL_EVENT_DROP the object.
     */
    void *user_data;
    /** The engine, borrowed; NULL for KVL_EVENT_DROP and for caches without an engine. */
    kvl_tasks_t *tasks;
    /**
     * For KVL_EVENT_RESULT, and for KVL_EVENT_REMOVAL (key, value, cost). Borrowed until the queue is read again, like all pointers in an
     * event.
     */
    const kvl_result_t *result;
    /** For KVL_EVENT_RESULTS. */
    kvl_results_t *results;
    /** For KVL_EVENT_REQUEST and KVL_EVENT_CANCEL. */
    kvl_request_t *request;
    /** For KVL_EVENT_PROGRESS: how many positions are settled. */
    size_t done;
    /** For KVL_EVENT_PROGRESS: how many of the settled positions failed. */
    size_t failed;
    /** For KVL_EVENT_PROGRESS: how many positions there are. */
    size_t total;
    /** For KVL_EVENT_REMOVAL: KVL_CAUSE_*. */
    kvl_cause_t cause;
    /** Always 0. */
    uint32_t reserved;
    /** For KVL_EVENT_L2. Since 0.2. */
    kvl_l2_request_t *l2_request;
} kvl_event_t;

/** Frees `user_data` or an object. Runs exactly once. */
typedef void (*kvl_free_fn)(void *user_data);

/** Receives the result of one position; `result` is borrowed until the function returns. */
typedef void (*kvl_result_fn)(void *user_data, const kvl_result_t *result);

/** Receives the results of a batch; `results` is borrowed until the function returns, and kvl_results_retain() keeps it for longer. */
typedef void (*kvl_results_fn)(void *user_data, kvl_results_t *results);

/** Receives the progress of a batch, in positions. */
typedef void (*kvl_progress_fn)(void *user_data, size_t done, size_t failed, size_t total);

/**
 * Receives the progress of a save or a load; `progress` is borrowed until the function returns. Returns 0 to continue; any other number
 * stops the save or the load.
 */
typedef int32_t (*kvl_transfer_fn)(void *user_data, const kvl_transfer_t *progress);

/**
 * Returns a replacement for the value of `entry`, as a new reference; NULL skips the entry. `entry` is borrowed until the function
 * returns; only its key and its value are filled in.
 */
typedef kvl_value_t *(*kvl_convert_fn)(void *user_data, const kvl_result_t *entry);

/** The provider: answers the keys of `request`, now or later; kvl_request_retain() keeps the request for later. */
typedef void (*kvl_provide_fn)(void *user_data, kvl_request_t *request);

/** The second tier: serves `request`, now or later; kvl_l2_request_retain() keeps the request for later. */
typedef void (*kvl_l2_fn)(void *user_data, kvl_l2_request_t *request);

/** Reports that `request` is no longer wanted; `reason` is KVL_CANCEL_*. */
typedef void (*kvl_cancel_fn)(void *user_data, kvl_request_t *request, uint32_t reason);

/** Reports that an engine is closed. */
typedef void (*kvl_closed_fn)(void *user_data);

/** Reports that a queue is no longer empty. Runs on a thread of the library; it may only schedule a poll. */
typedef void (*kvl_wake_fn)(void *user_data);

/** Returns whether a key is valid: not 0 if it is. Runs on the calling thread. */
typedef uint32_t (*kvl_validate_fn)(void *user_data, const uint8_t *key, size_t key_len);

/** Returns the cost of a value, in bytes. Runs on the thread that stores the value. */
typedef uint64_t (*kvl_cost_fn)(void *user_data, const uint8_t *key, size_t key_len, kvl_value_t *value);

/** Reports that a value is no longer in the store; `entry` is borrowed until the function returns. */
typedef void (*kvl_removal_fn)(void *user_data, const kvl_result_t *entry, kvl_cause_t cause);

/** Receives the outcome of a lookup: KVL_VALUE, KVL_NULL, KVL_MISS or KVL_INVALID_KEY. Runs on the calling thread. */
typedef void (*kvl_record_fn)(void *user_data, kvl_status_t record, const uint8_t *key, size_t key_len);

/** The initial value of a kvl_terms_t: every term has its default. */
#define KVL_TERMS_INIT { sizeof(kvl_terms_t), KVL_TTL_DEFAULT, KVL_PRIORITY_DEFAULT, KVL_COST_DEFAULT, 0, 0, 0, NULL, 0, NULL, 0 }

/**
 * The counters since the last reset, and the current gauges. The library fills as much as the caller's size holds; later versions append
 * fields.
 *
 * The number of lookups is hits + null_hits + misses + invalid_keys. The sum of the misses_ fields is the number of misses of fetches;
 * other misses come from calls that do not load. A cache without an engine has no loads. Over all windows together, loads_started is
 * loads_succeeded + loads_failed + loads_lost + loads_cancelled + in_flight.
 * docs/STATISTICS.md lists the names that these fields have in JSON and OpenMetrics.
 */
typedef struct kvl_stats_t {
    /** The number of bytes that the library has filled. */
    size_t struct_size;
    /** The number of the window: it changes with each reset. */
    uint64_t window_id;
    /** The length of the window so far, in milliseconds. */
    int64_t window_ms;
    /** Lookups that found a value. */
    uint64_t hits;
    /** Lookups that found a null: the key is known to be absent. */
    uint64_t null_hits;
    /** Lookups that found nothing. */
    uint64_t misses;
    /** Lookups of keys that the validator refused. */
    uint64_t invalid_keys;
    /** Entries that were stored, including those that replaced an older value. */
    uint64_t inserts;
    /** Inserts that replaced an older value. */
    uint64_t replacements;
    /** Entries that expired. */
    uint64_t removed_expired;
    /** Entries that were evicted because the store had too many entries. */
    uint64_t removed_capacity;
    /** Entries that were evicted because the store's total cost was too high. */
    uint64_t removed_cost;
    /** Entries that were replaced by a newer entry for their key. */
    uint64_t removed_replaced;
    /** Entries that the program removed by key. */
    uint64_t removed_removed;
    /** Entries that were removed by a clear. */
    uint64_t removed_cleared;
    /** Entries that were removed by a trim or a resize. */
    uint64_t removed_trimmed;
    /** New entries that were not stored (KVL_REFUSED, KVL_TOO_LARGE). */
    uint64_t removed_refused;
    /** The cost of the entries that expired, in bytes. */
    uint64_t removed_cost_expired;
    /** The cost of the entries that were evicted because the store had too many entries, in bytes. */
    uint64_t removed_cost_capacity;
    /** The cost of the entries that were evicted because the store's total cost was too high, in bytes. */
    uint64_t removed_cost_cost;
    /** The cost of the entries that were replaced, in bytes. */
    uint64_t removed_cost_replaced;
    /** The cost of the entries that the program removed by key, in bytes. */
    uint64_t removed_cost_removed;
    /** The cost of the entries that were removed by a clear, in bytes. */
    uint64_t removed_cost_cleared;
    /** The cost of the entries that were removed by a trim or a resize, in bytes. */
    uint64_t removed_cost_trimmed;
    /** The cost of the new entries that were not stored, in bytes. */
    uint64_t removed_cost_refused;
    /** Misses that started a load. */
    uint64_t misses_started;
    /** Misses that joined a running load. */
    uint64_t misses_joined;
    /** Misses of fetches that never load (read = cache_only). */
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
    /** Attempts of loads after the first attempt. */
    uint64_t loads_retried;
    /** Attempts that timed out (attempt_timeout_ms). */
    uint64_t loads_timed_out;
    /** Answers that came after their attempt had ended (KVL_LATE). */
    uint64_t late_answers;
    /** Keys in requests; a key counts once for each attempt, and not again in a hedge request. */
    uint64_t attempts;
    /** Requests formed, with hedge requests; the provider does not see one that was no longer wanted when its turn came. */
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
    /** Now: the cost of the entries that wait for the removal listener or for their destructors, in bytes. */
    uint64_t pending_removals_cost;
    /** Times that a request waited for rate.requests_per_s while a slot was free. */
    uint64_t rate_waits;
    /** How long requests waited for rate.requests_per_s while a slot was free, in microseconds. */
    uint64_t rate_waited_us;
    /** Now: the state of the circuit breaker, KVL_BREAKER_*. */
    uint64_t breaker_state;
    /** Times that the circuit breaker opened. */
    uint64_t breaker_opened;
    /** Keys that the open circuit breaker refused: misses, keys in the queue, and keys of refreshes. */
    uint64_t breaker_refused;
    /** Keys of refreshes that found the queue full and were rejected (queue.overflow = reject). */
    uint64_t refreshes_refused;
    /** Misses that received the fallback at once, because a load had failed shortly before (stale.retry_ms). */
    uint64_t misses_throttled;
    /** Positions that received the fallback because the load failed. */
    uint64_t stale_error;
    /** Positions that received the fallback because the load took too long (stale.timeout_ms). */
    uint64_t stale_timeout;
    /** Positions that received the fallback because a load had failed shortly before (stale.retry_ms). */
    uint64_t stale_throttled;
    /** Refreshes ahead that were started (refresh.after, refresh.after_ms). */
    uint64_t refreshes_started;
    /** Refreshes ahead that ended with a value or a null. */
    uint64_t refreshes_succeeded;
    /** Refreshes ahead that ended with an error. */
    uint64_t refreshes_failed;
    /** Refreshes ahead that were not started, or were given up: the queue was full, the circuit breaker was open, or the engine closed. */
    uint64_t refreshes_dropped;
    /** Hedge requests: those that repeated the unanswered keys of a slow request (hedge.after_ms, hedge.percentile). */
    uint64_t hedges_started;
    /** Hedge requests that answered a key first, or took over a key that failed in the other request. */
    uint64_t hedges_won;
    /** Hedge requests that neither answered a key first nor took over a key. */
    uint64_t hedges_lost;
    /** Now: the number of slots, which is tasks.max_running unless tasks.limit = adaptive. */
    uint64_t concurrency_limit;
    /** Entries that were removed by a tag. */
    uint64_t removed_tag;
    /** The cost of the entries that were removed by a tag, in bytes. */
    uint64_t removed_cost_tag;
    /** Keys that were looked up in the second tier and found. */
    uint64_t l2_hits;
    /** Keys that were looked up in the second tier and not found. */
    uint64_t l2_misses;
    /** Keys whose entry in the second tier could not be read or had expired. */
    uint64_t l2_damaged;
    /** Keys that were found in the second tier, but were written during the lookup. */
    uint64_t l2_outdated;
    /** Keys whose lookup in the second tier failed. */
    uint64_t l2_errors;
    /** Keys whose lookup in the second tier took too long (l2.timeout_ms). */
    uint64_t l2_timeouts;
    /** Keys that were not looked up in the second tier: the second tier was failing, too many keys waited, or a write of the key had not reached the second tier yet. */
    uint64_t l2_bypassed;
    /** Keys that waited for the load of another process (l2.single_flight). */
    uint64_t l2_waited;
    /** Keys whose lease was taken over from a process that took too long (l2.wait_ms). */
    uint64_t l2_stolen;
    /** Requests that looked keys up in the second tier. */
    uint64_t l2_reads;
    /** Puts, removals and clears that were written to the second tier. */
    uint64_t l2_writes;
    /** Keys that could not be written to the second tier. Their puts and removals are sent again. */
    uint64_t l2_write_errors;
    /** Answers of the provider that were stored in the second tier. */
    uint64_t l2_fills;
    /** Answers that the second tier did not store, because the key had been written meanwhile. */
    uint64_t l2_fills_refused;
    /** Answers that were not sent to the second tier, for lack of room (l2.pending_keys, l2.pending_bytes, l2.max_value) or because a write of the key waited. */
    uint64_t l2_fills_dropped;
    /** Times that the second tier was cleared, because too many keys waited to be written (l2.pending_keys). */
    uint64_t l2_overflows;
    /** Times that the second tier was left alone for a while because of failures (l2.break_after). */
    uint64_t l2_opened;
    /** Now: keys that wait to be written to the second tier. */
    uint64_t l2_pending;
    /** Now: 1 while the second tier is left alone because of failures, otherwise 0. */
    uint64_t l2_avoided;
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
 * Returns a sentence that says what a status means and what to do about it.
 *
 * @param status any number.
 * @return a static text in UTF-8, never NULL.
 * @threads any
 * @since 0.1
 */
KVL_API const char *kvl_status_message(kvl_status_t status);

/**
 * Returns whether the same fetch may succeed when it is retried, so that a retry policy retries it.
 *
 * @param status any number.
 * @return 1 if so, else 0.
 * @threads any
 * @since 0.1
 */
KVL_API uint32_t kvl_status_is_retriable(kvl_status_t status);

/**
 * Returns the number of statuses, for kvl_status_at().
 *
 * @return their number, above 0.
 * @threads any
 * @since 0.1
 */
KVL_API size_t kvl_status_count(void);

/**
 * Returns the status at an index of the table, from which a binding creates its own constants.
 *
 * @param i 0 to kvl_status_count() - 1.
 * @return the status; KVL_ERR_OUT_OF_RANGE beyond the last. The table contains that status, too, so compare `i` with kvl_status_count().
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_status_at(size_t i);

/* ---- Runtime: shared threads --------------------------------------------------------------------------------------- */

/**
 * Starts threads that several caches and engines can share: one for timers and one for callbacks; threads for providers are started on
 * demand.
 *
 * Without a runtime, each engine has its own threads, and so has each cache from its first finite TTL on.
 *
 * @param out_runtime [out, owned] the runtime: free it after everything that uses it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_THREAD, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_runtime_new(kvl_runtime_t **out_runtime);

/**
 * Ends a runtime and its threads, after everything that was sent to them has been delivered.
 *
 * After that, creating a cache or an engine from a configuration that still names the runtime fails with KVL_ERR_INVALID_HANDLE.
 *
 * @param runtime [owned] from kvl_runtime_new(); NULL is ignored.
 * @return KVL_OK; KVL_ERR_BUSY (a cache or an engine still uses it: release or free it first; the runtime continues), KVL_ERR_REENTRANT,
 *         KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads outside
 * @since 0.1
 */
KVL_API kvl_status_t kvl_runtime_free(kvl_runtime_t *runtime);

/* ---- Clock, for tests of time -------------------------------------------------------------------------------------- */

/**
 * Creates a clock that moves only when it is advanced, so that tests of time need no sleep.
 *
 * Set by kvl_config_set_clock(), it replaces both clocks of an engine: the one for TTLs and the one for timeouts.
 *
 * @param now_ms     the initial time in milliseconds, 0 or above.
 * @param out_clock  [out, owned] the clock: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (below 0), KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_clock_new_manual(int64_t now_ms, kvl_clock_t **out_clock);

/**
 * Advances a clock, and returns when everything that became due has been fired, that is, when the events are in their queue or sent to the
 * dispatcher.
 *
 * If an advance is in progress on another thread, this waits for it.
 *
 * @param clock  [borrowed] from kvl_clock_new_manual().
 * @param by_ms  milliseconds, 0 or above. Time stops at INT64_MAX. Timeouts and pauses are counted in nanoseconds, so none becomes due
 *               later than 584 years after the clock's start.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (below 0), KVL_ERR_FORKED, KVL_ERR_REENTRANT (in a callback that was fired by
 *         an advance on this very thread), KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_clock_advance(kvl_clock_t *clock, int64_t by_ms);

/**
 * Returns the time of a clock.
 *
 * @param clock [borrowed] from kvl_clock_new_manual(); may be NULL.
 * @return milliseconds; 0 for NULL and for a clock from before a fork.
 * @threads any
 * @since 0.1
 */
KVL_API int64_t kvl_clock_now_ms(const kvl_clock_t *clock);

/**
 * Releases a clock. Configurations and engines that use it keep it.
 *
 * @param clock [owned] from kvl_clock_new_manual(); NULL is ignored.
 * @threads any
 * @since 0.1
 */
KVL_API void kvl_clock_release(kvl_clock_t *clock);

/* ---- Config: the settings and functions of a cache or an engine ---------------------------------------------------- */

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
 * Creates a configuration in which every setting has its default.
 *
 * It may be used for several caches and engines, and freed as soon as they are created.
 *
 * @param out_config [out, owned] the configuration: free it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_new(kvl_config_t **out_config);

/**
 * Sets one setting as text. Every setting accepts text.
 *
 * A refused setting changes nothing except the text of kvl_config_problem().
 *
 * @param config  [borrowed] from kvl_config_new().
 * @param key     [borrowed] the setting's name, NUL-terminated: kvl_config_keys_json().
 * @param value   [copied] the value as text, NUL-terminated.
 * @return KVL_OK; KVL_ERR_UNKNOWN_KEY, KVL_ERR_BAD_VALUE (type or range), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_set(kvl_config_t *config, const char *key, const char *value);

/**
 * Sets one setting as an integer. A setting that is true or false takes 1 or 0.
 *
 * A refused setting changes nothing except the text of kvl_config_problem().
 *
 * @param config  [borrowed] from kvl_config_new().
 * @param key     [borrowed] the setting's name, NUL-terminated: kvl_config_keys_json().
 * @param value   the number, in the unit that the key names.
 * @return KVL_OK; KVL_ERR_UNKNOWN_KEY, KVL_ERR_BAD_VALUE (type or range), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_set_int(kvl_config_t *config, const char *key, int64_t value);

/**
 * Sets one setting as a floating-point number.
 *
 * A refused setting changes nothing except the text of kvl_config_problem().
 *
 * @param config  [borrowed] from kvl_config_new().
 * @param key     [borrowed] the setting's name, NUL-terminated: kvl_config_keys_json().
 * @param value   the number, in the unit that the key names.
 * @return KVL_OK; KVL_ERR_UNKNOWN_KEY, KVL_ERR_BAD_VALUE (type or range), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_set_real(kvl_config_t *config, const char *key, double value);

/**
 * Returns the text of a setting: the value that was set, or its default.
 *
 * @param config    [borrowed] from kvl_config_new().
 * @param key       [borrowed] the setting's name, NUL-terminated.
 * @param out_text  [out, owned] a value that holds the text in UTF-8: release it.
 * @return KVL_OK; KVL_ERR_UNKNOWN_KEY, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_NO_MEMORY, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_get(const kvl_config_t *config, const char *key, kvl_value_t **out_text);

/**
 * Returns a sentence about the first setting that was refused. If its name was unknown, the sentence names the most similar setting.
 *
 * Creating a cache or an engine from such a configuration fails with the same sentence, so a program can set everything and check once.
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
 * @param function        [retained] NULL: requests are KVL_EVENT_REQUEST events of a queue, with `user_data`.
 * @param user_data       [retained] passed to `function` as its first argument; may be NULL.
 * @param user_data_free  [retained] runs once with `user_data`: when neither the configuration nor anything created from it has the
 *                        function any more, or before this returns if the call fails; may be NULL.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_set_provider(kvl_config_t *config, kvl_provide_fn function, void *user_data, kvl_free_fn user_data_free);

/**
 * Sets the function that decides which keys are valid.
 *
 * It runs once for each key that is looked up, fetched or stored, on the calling thread, before the lookup.
 *
 * @param config          [borrowed] from kvl_config_new().
 * @param function        [retained] NULL: every key is valid.
 * @param user_data       [retained] passed to `function` as its first argument; may be NULL.
 * @param user_data_free  [retained] runs once with `user_data`: when neither the configuration nor anything created from it has the
 *                        function any more, or before this returns if the call fails; may be NULL.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_set_validator(kvl_config_t *config, kvl_validate_fn function, void *user_data, kvl_free_fn user_data_free);

/**
 * Sets the function that computes the cost of a value.
 *
 * It runs once for each value that is stored without a stated cost, on the thread that stores it.
 *
 * @param config          [borrowed] from kvl_config_new().
 * @param function        [retained] NULL: the cost is the value's own, kvl_value_cost().
 * @param user_data       [retained] passed to `function` as its first argument; may be NULL.
 * @param user_data_free  [retained] runs once with `user_data`: when neither the configuration nor anything created from it has the
 *                        function any more, or before this returns if the call fails; may be NULL.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_set_cost(kvl_config_t *config, kvl_cost_fn function, void *user_data, kvl_free_fn user_data_free);

/**
 * Sets the function that is called for each value that has left the store: one call at a time, and for each key in the order in which its
 * values left. What the store still has when its engine or cache ends is dropped without being reported.
 *
 * For an engine it runs on the dispatcher. For a cache without an engine it runs inside the call that caused the removal, after that
 * call's locks are released, or on the dispatcher for entries that the timer removes. So it must not take a lock that the program holds
 * while it writes: see DELIVERY. If it is slower than the writers of an engine, the writers are throttled (`removals.max_pending`): a
 * writer waits for one call of the listener for at most a second.
 *
 * @param config          [borrowed] from kvl_config_new().
 * @param function        [retained] NULL: removals are KVL_EVENT_REMOVAL events of a queue, with `user_data`.
 * @param user_data       [retained] passed to `function` as its first argument; may be NULL.
 * @param user_data_free  [retained] runs once with `user_data`: when neither the configuration nor anything created from it has the
 *                        function any more, or before this returns if the call fails; may be NULL.
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
 * It runs once for each key that is looked up or fetched, on the calling thread, before the call returns.
 *
 * @param config          [borrowed] from kvl_config_new().
 * @param function        [retained] NULL: no listener.
 * @param user_data       [retained] passed to `function` as its first argument; may be NULL.
 * @param user_data_free  [retained] runs once with `user_data`: when neither the configuration nor anything created from it has the
 *                        function any more, or before this returns if the call fails; may be NULL.
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
 * Sets the clock to use instead of the system's clocks.
 *
 * @param config  [borrowed] from kvl_config_new().
 * @param clock   [retained] from kvl_clock_new_manual(); NULL: the system's clocks.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_set_clock(kvl_config_t *config, kvl_clock_t *clock);

/**
 * Sets the runtime, whose threads are used by everything created from the configuration.
 *
 * @param config   [borrowed] from kvl_config_new().
 * @param runtime  [borrowed] from kvl_runtime_new(); NULL: each cache and engine has its own threads. Once the runtime is freed, nothing
 *                 can be created from the configuration: KVL_ERR_INVALID_HANDLE.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_set_runtime(kvl_config_t *config, kvl_runtime_t *runtime);

/**
 * Frees a configuration. Caches and engines that were created from it are not affected, and keep its functions.
 *
 * @param config [owned] from kvl_config_new(); NULL is ignored.
 * @threads one
 * @since 0.1
 */
KVL_API void kvl_config_free(kvl_config_t *config);

/* ---- Options of a fetch -------------------------------------------------------------------------------------------- */

/**
 * Creates options that set nothing: a fetch with them uses the engine's settings.
 *
 * Any number of fetches may use them at the same time. They may be freed as soon as the last call that uses them has returned.
 *
 * @param out_options [out, owned] the options: free them.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_options_new(kvl_options_t **out_options);

/**
 * Sets one setting as text. Every setting accepts text.
 *
 * A refused setting changes nothing except the text of kvl_options_problem().
 *
 * @param options [borrowed] from kvl_options_new().
 * @param key     [borrowed] the setting's name, NUL-terminated: kvl_config_keys_json().
 * @param value   [copied] the value as text, NUL-terminated.
 * @return KVL_OK; KVL_ERR_UNKNOWN_KEY (also for a setting that only an engine has), KVL_ERR_BAD_VALUE (type or range),
 *         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_options_set(kvl_options_t *options, const char *key, const char *value);

/**
 * Sets one setting as an integer. A setting that is true or false takes 1 or 0.
 *
 * A refused setting changes nothing except the text of kvl_options_problem().
 *
 * @param options [borrowed] from kvl_options_new().
 * @param key     [borrowed] the setting's name, NUL-terminated: kvl_config_keys_json().
 * @param value   the number, in the unit that the key names.
 * @return KVL_OK; KVL_ERR_UNKNOWN_KEY (also for a setting that only an engine has), KVL_ERR_BAD_VALUE (type or range),
 *         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_options_set_int(kvl_options_t *options, const char *key, int64_t value);

/**
 * Sets one setting as a floating-point number.
 *
 * A refused setting changes nothing except the text of kvl_options_problem().
 *
 * @param options [borrowed] from kvl_options_new().
 * @param key     [borrowed] the setting's name, NUL-terminated: kvl_config_keys_json().
 * @param value   the number, in the unit that the key names.
 * @return KVL_OK; KVL_ERR_UNKNOWN_KEY (also for a setting that only an engine has), KVL_ERR_BAD_VALUE (type or range),
 *         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_options_set_real(kvl_options_t *options, const char *key, double value);

/**
 * Requests progress reports: how many positions of a batch are settled.
 *
 * @param options    [borrowed] from kvl_options_new().
 * @param function   [retained] called with the user data of the fetch; NULL: progress is reported by KVL_EVENT_PROGRESS events of a queue,
 *                   and a fetch of an engine whose results do not go to a queue fails with KVL_ERR_NO_CALLBACK. Calls that wait report no
 *                   progress.
 * @param step_keys  the least number of positions that are settled between two reports; 1 or above.
 * @return KVL_OK; KVL_ERR_INVALID_ARG (a step of 0), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_options_set_progress(kvl_options_t *options, kvl_progress_fn function, size_t step_keys);

/**
 * Returns a sentence about the first setting that was refused: every fetch with such options fails with KVL_ERR_BAD_VALUE. If no setting
 * was refused, the sentence is about options that contradict each other. If there are none of these either, it is about the last fetch
 * that was refused because the options contradict the settings of its engine.
 *
 * A `stale.timeout_ms` is a contradiction if it is not below `timeout_ms`, if `read` is `cache_only`, or if it is 0 and `read` is
 * `no_store`.
 *
 * @param options [borrowed] from kvl_options_new(); may be NULL.
 * @return UTF-8, NUL-terminated, borrowed until the options are freed; NULL if nothing was refused, for NULL, and for options from
 *         before a fork.
 * @threads one
 * @since 0.1
 */
KVL_API const char *kvl_options_problem(const kvl_options_t *options);

/**
 * Frees options. Fetches that were started with them continue.
 *
 * @param options [owned] from kvl_options_new(); NULL is ignored.
 * @threads one
 * @since 0.1
 */
KVL_API void kvl_options_free(kvl_options_t *options);

/* ---- Values -------------------------------------------------------------------------------------------------------- */

/**
 * Returns the constant value that stands for "known to be absent".
 *
 * A NULL pointer is not a value: it is refused with KVL_ERR_NULL_POINTER, so that the result of a failed allocation is never stored as an
 * absence. kvl_value_retain() and kvl_value_release() have no effect on the constant.
 *
 * @return the constant, never NULL, and the same for every call.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_value_t *kvl_value_null(void);

/**
 * Creates a value from a copy of bytes.
 *
 * @param data       [copied] `len` bytes; may be NULL if `len` is 0.
 * @param len        the number of bytes.
 * @param out_value  [out, owned] the value: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_value_new_bytes(const uint8_t *data, size_t len, kvl_value_t **out_value);

/**
 * Creates a value of bytes for the caller to fill in. The bytes are 0 at first.
 *
 * Write through `out_data` before the value is passed to any other function, and never after.
 *
 * @param len        the number of bytes.
 * @param out_data   [out, borrowed with the value] the address of the `len` bytes.
 * @param out_value  [out, owned] the value: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_value_new_space(size_t len, uint8_t **out_data, kvl_value_t **out_value);

/**
 * Creates a value of bytes without a copy: the bytes stay where they are.
 *
 * @param data            [borrowed until user_data_free runs] `len` bytes, which do not change; may be NULL if `len` is 0.
 * @param len             the number of bytes.
 * @param user_data       [retained] passed to user_data_free; may be NULL.
 * @param user_data_free  [retained] runs once when the last reference is dropped, or before this returns if the call fails; may be NULL.
 * @param out_value       [out, owned] the value: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY (a length larger than any memory), KVL_ERR_PANIC.
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
 * Creates a value of an object of the program: a pointer, with its cost and its destructor.
 *
 * @param object       [owned by the value] any pointer but NULL; the library never dereferences it.
 * @param cost         the object's cost, in bytes.
 * @param object_free  [retained] runs once with `object`, on the thread that drops the last reference, or before this returns if the call
 *                     fails; may be NULL. It does not run for a NULL object.
 * @param out_value    [out, owned] the value: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_value_new_object(void *object, uint64_t cost, kvl_free_fn object_free, kvl_value_t **out_value);

/**
 * Returns the kind of a value.
 *
 * @param value [borrowed] a value; may be NULL.
 * @return KVL_KIND_BYTES, KVL_KIND_OBJECT, KVL_KIND_NULL; 0 for NULL.
 * @threads any
 * @since 0.1
 */
KVL_API uint32_t kvl_value_kind(const kvl_value_t *value);

/**
 * Returns the bytes of a value.
 *
 * @param value    [borrowed] a value; may be NULL.
 * @param out_len  [out] the number of bytes, 0 if there are none; may be NULL.
 * @return the bytes, borrowed for as long as a reference to the value is held; not NULL even if there are 0 of them; NULL for objects, the
 *         null value and NULL.
 * @threads any
 * @since 0.1
 */
KVL_API const uint8_t *kvl_value_data(const kvl_value_t *value, size_t *out_len);

/**
 * Returns the object of a value.
 *
 * @param value [borrowed] a value; may be NULL.
 * @return the object, borrowed for as long as a reference to the value is held; NULL for bytes, the null value and NULL.
 * @threads any
 * @since 0.1
 */
KVL_API void *kvl_value_object(const kvl_value_t *value);

/**
 * Returns the cost of a value: the length of bytes, or the stated cost of an object.
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
 * @param value [retained] a value; NULL and the null value are ignored.
 * @return `value`: release it once more.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_value_t *kvl_value_retain(kvl_value_t *value);

/**
 * Releases a reference. Releasing the last one ends the value, whose destructor then runs on this thread.
 *
 * @param value [owned] a value; NULL and the null value are ignored.
 * @threads any
 * @since 0.1
 */
KVL_API void kvl_value_release(kvl_value_t *value);

/**
 * Releases a reference to each of several values, and sets their places to NULL.
 *
 * @param values  [owned] `n` places; those that contain NULL are skipped. If `values` is NULL or `n` is 0, this has no effect.
 * @param n       the number of places.
 * @threads any
 * @since 0.1
 */
KVL_API void kvl_value_release_many(kvl_value_t **values, size_t n);

/* ---- Errors -------------------------------------------------------------------------------------------------------- */

/** In the flags of an error: a key that fails with it is not retried, whatever the retry policy is. */
#define KVL_ERROR_F_PERMANENT 1u
/** In the flags of an error: there is no fallback. The expired entry (`stale.ttl_ms`) is not served instead of the error, and is removed. */
#define KVL_ERROR_F_NO_STALE 2u

/**
 * Creates an error for a provider to fail with. Its status is KVL_ERR_PROVIDER.
 *
 * @param code         a number that the program chooses.
 * @param message      [copied] `message_len` bytes of UTF-8 (invalid parts are replaced; a NUL ends it); may be NULL if `message_len` is
 *                     0.
 * @param message_len  the message's length in bytes.
 * @param flags        0, or KVL_ERROR_F_* combined by `|`.
 * @param out_error    [out, owned] the error: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (unknown flags, a length larger than any memory), KVL_ERR_NO_MEMORY,
 *         KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_error_new(int64_t code, const char *message, size_t message_len, uint32_t flags, kvl_error_t **out_error);

/**
 * Creates an error that carries an object of the program, for example an exception, to all waiting callers.
 *
 * @param code           a number that the program chooses.
 * @param message        [copied] `message_len` bytes of UTF-8 (invalid parts are replaced; a NUL ends it); may be NULL if `message_len` is
 *                       0.
 * @param message_len    the message's length in bytes.
 * @param flags          0, or KVL_ERROR_F_* combined by `|`.
 * @param queue_or_null  [retained] the queue whose kvl_queue_poll() or kvl_queue_next() frees the object; NULL: the thread that drops the
 *                       last reference frees it.
 * @param object         [owned by the error] any pointer but NULL; the library never dereferences it.
 * @param object_free    [retained] runs once with `object` when the last reference is dropped, or before this returns if the call fails;
 *                       may be NULL (with a queue, KVL_EVENT_DROP then reports the drop). It does not run for a NULL object.
 * @param out_error      [out, owned] the error: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (unknown flags, a length larger than any memory), KVL_ERR_NO_MEMORY,
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
 * Returns the status of an error.
 *
 * @param error [borrowed] an error; may be NULL.
 * @return a status below 0; KVL_ERR_NULL_POINTER for NULL.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_error_status(const kvl_error_t *error);

/**
 * Returns the program's code of an error.
 *
 * @param error [borrowed] an error; may be NULL.
 * @return the code; 0 for errors of the library and for NULL.
 * @threads any
 * @since 0.1
 */
KVL_API int64_t kvl_error_code(const kvl_error_t *error);

/**
 * Returns the message of an error.
 *
 * @param error [borrowed] an error; may be NULL.
 * @return UTF-8, NUL-terminated, never NULL, borrowed for as long as a reference to the error is held; empty for NULL.
 * @threads any
 * @since 0.1
 */
KVL_API const char *kvl_error_message(const kvl_error_t *error);

/**
 * Returns the object of an error.
 *
 * @param error [borrowed] an error; may be NULL.
 * @return the object, borrowed for as long as a reference to the error is held; NULL if it has none, and for NULL.
 * @threads any
 * @since 0.1
 */
KVL_API void *kvl_error_object(const kvl_error_t *error);

/**
 * Returns whether an error is permanent, so that it is not retried.
 *
 * @param error [borrowed] an error; may be NULL.
 * @return 1 if it was made with KVL_ERROR_F_PERMANENT, else 0.
 * @threads any
 * @since 0.1
 */
KVL_API uint32_t kvl_error_is_permanent(const kvl_error_t *error);

/**
 * Sets the shortest pause before a retry policy retries a key that failed with this error, like HTTP's Retry-After. If the policy's own
 * pause is longer, that one applies. `retry.budget_ms` still limits all attempts: an attempt that could begin only after the end of the
 * budget is not made. Keys that are not retried are not delayed.
 *
 * @param error     [borrowed] from kvl_error_new() or kvl_error_new_object(), and not passed to any other function yet.
 * @param pause_ms  milliseconds, 0 or above.
 * @return KVL_OK; KVL_ERR_ALREADY_USED (the error has several references), KVL_ERR_INVALID_ARG (below 0), KVL_ERR_NULL_POINTER,
 *         KVL_ERR_PANIC.
 * @threads one
 * @since 0.2
 */
KVL_API kvl_status_t kvl_error_set_retry_after(kvl_error_t *error, int64_t pause_ms);

/**
 * Returns the pause that the provider requested before the next attempt.
 *
 * @param error [borrowed] an error; may be NULL.
 * @return milliseconds; -1 if the provider requested none, and for NULL.
 * @threads any
 * @since 0.2
 */
KVL_API int64_t kvl_error_retry_after_ms(const kvl_error_t *error);

/**
 * Returns the cause of an error of the library: the error of the last attempt before the fetch timed out or was cancelled, the engine
 * closed, the queue was full or the circuit breaker was open. If any attempt failed with an error of the provider, the cause is such an
 * error.
 *
 * @param error [borrowed] an error; may be NULL.
 * @return the cause, borrowed for as long as a reference to `error` is held: retain it to keep it longer. A cause has no cause of its own.
 *         NULL if no attempt had failed, for errors of the provider, and for NULL.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_error_t *kvl_error_cause(const kvl_error_t *error);

/**
 * Adds a reference to an error.
 *
 * @param error [retained] an error; NULL is ignored.
 * @return `error`: release it once more.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_error_t *kvl_error_retain(kvl_error_t *error);

/**
 * Releases a reference. Releasing the last one ends the error, whose object's destructor then runs on this thread.
 *
 * @param error [owned] an error; NULL is ignored.
 * @threads any
 * @since 0.1
 */
KVL_API void kvl_error_release(kvl_error_t *error);

/* ---- Slices -------------------------------------------------------------------------------------------------------- */

/**
 * Converts keys that are packed end to end in one buffer to slices, which point into that buffer.
 *
 * @param packed      [borrowed for as long as the slices are used] the keys, `packed_len` bytes in total; may be NULL if `packed_len` is
 *                    0.
 * @param packed_len  the total length in bytes.
 * @param lens        [borrowed] `n` lengths in bytes, whose sum is `packed_len`; may be NULL if `n` is 0.
 * @param n           the number of keys.
 * @param out_slices  [out] `n` slices; may be NULL if `n` is 0.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (the lengths do not add up to `packed_len`, a length larger than any memory, a
 *         misaligned pointer), KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_slices_unpack(const uint8_t *packed, size_t packed_len, const uint32_t *lens, size_t n, kvl_slice_t *out_slices);

/* ---- The cache: creation, lookups, release ------------------------------------------------------------------------- */

/**
 * Creates a cache: a store without a provider.
 *
 * A provider in the configuration is ignored. If the cache needs a timer, the timer starts with the first finite TTL.
 *
 * @param config     [borrowed] from kvl_config_new(); may be freed at once, or used again.
 * @param out_cache  [out, owned] the cache: release it.
 * @param out_error  [out, owned] on failure an error that describes it: release it; may be NULL.
 * @return KVL_OK; KVL_ERR_BAD_VALUE (a setting was refused: kvl_config_problem()), KVL_ERR_NO_CALLBACK (a removal listener without a
 *         function, and no queue for it), KVL_ERR_INVALID_HANDLE (the runtime was freed), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_new(const kvl_config_t *config, kvl_cache_t **out_cache, kvl_error_t **out_error);

/**
 * Looks a key up and returns its value.
 *
 * Counts as a use of the entry and as a lookup.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key        [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len    the key's length in bytes, at most KVL_KEY_MAX.
 * @param out_value  [out, owned] the value, or kvl_value_null(): release it; NULL for every other outcome.
 * @return KVL_VALUE, KVL_NULL, KVL_MISS, KVL_INVALID_KEY; KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of
 *         an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_get(kvl_cache_t *cache, const uint8_t *key, size_t key_len, kvl_value_t **out_value);

/**
 * Looks a key up and copies its value's bytes into the caller's buffer.
 *
 * Counts as a use of the entry and as a lookup, even if the buffer is too small.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key        [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len    the key's length in bytes, at most KVL_KEY_MAX.
 * @param buf        [out] `cap` bytes; may be NULL if `cap` is 0.
 * @param cap        the size of the buffer in bytes.
 * @param out_len    [out] the value's length in bytes, for KVL_VALUE and KVL_TRUNCATED; untouched otherwise.
 * @return KVL_VALUE, KVL_TRUNCATED (nothing was copied: `cap` is less than the length), KVL_NULL, KVL_MISS, KVL_INVALID_KEY;
 *         KVL_ERR_WRONG_KIND (the value is an object), KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an
 *         engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_get_into(kvl_cache_t *cache, const uint8_t *key, size_t key_len, uint8_t *buf, size_t cap, size_t *out_len);

/**
 * Looks several keys up in order, each like kvl_cache_get().
 *
 * @param cache         [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param keys          [borrowed] `n` keys, duplicates allowed; may be NULL if `n` is 0.
 * @param n             the number of keys.
 * @param out_values    [out, owned] `n` places; each receives a value or kvl_value_null(), or NULL for every other outcome. Release
 *                      them with kvl_value_release_many(). May be NULL if `n` is 0.
 * @param out_statuses  [out] `n` places, each for KVL_VALUE, KVL_NULL, KVL_MISS, KVL_INVALID_KEY, or KVL_ERR_KEY_TOO_LONG for that key
 *                      alone. May be NULL if `n` is 0.
 * @return KVL_OK; KVL_ERR_NULL_POINTER (also in one of the keys), KVL_ERR_INVALID_ARG (`n` is too large for any memory, a misaligned
 *         pointer), KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
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
 * Looks an entry up without counting a use or a lookup, and without calling the validator.
 *
 * @param cache            [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key              [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len          the key's length in bytes, at most KVL_KEY_MAX.
 * @param out_value        [out, owned] the value, or kvl_value_null(): release it; NULL on KVL_MISS; may be NULL.
 * @param out_ttl_left_ms  [out] milliseconds until the entry expires if it is not used before, or KVL_TTL_NEVER; untouched on KVL_MISS;
 *                         may be NULL.
 * @param out_cost         [out] the cost of the entry, including its key and the library's own memory for it, in bytes; untouched on
 *                         KVL_MISS; may be NULL.
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
 * Returns the status that kvl_cache_peek() would return, without the value.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key        [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len    the key's length in bytes, at most KVL_KEY_MAX.
 * @return KVL_VALUE, KVL_NULL, KVL_MISS; KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an engine that
 *         was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_contains(kvl_cache_t *cache, const uint8_t *key, size_t key_len);

/**
 * Removes expired entries, and returns the number of the remaining ones.
 *
 * @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache(); may be NULL.
 * @return the number of entries; 0 for NULL and for a cache from before a fork.
 * @threads any
 * @since 0.1
 */
KVL_API size_t kvl_cache_len(const kvl_cache_t *cache);

/**
 * Removes expired entries, and returns the total cost of the remaining ones.
 *
 * @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache(); may be NULL.
 * @return bytes; 0 for NULL and for a cache from before a fork.
 * @threads any
 * @since 0.1
 */
KVL_API uint64_t kvl_cache_cost(const kvl_cache_t *cache);

/**
 * Returns the limit on the number of entries.
 *
 * @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache(); may be NULL.
 * @return entries; 0 for NULL and for a cache from before a fork.
 * @threads any
 * @since 0.1
 */
KVL_API size_t kvl_cache_capacity(const kvl_cache_t *cache);

/**
 * Returns the limit on the total cost of the entries.
 *
 * @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache(); may be NULL.
 * @return bytes, or -1 if there is no limit; 0 for NULL and for a cache from before a fork.
 * @threads any
 * @since 0.1
 */
KVL_API int64_t kvl_cache_cost_limit(const kvl_cache_t *cache);

/**
 * Returns the highest cost that one entry may have, including its key and the library's own memory for it.
 *
 * @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache(); may be NULL.
 * @return bytes; 0 for NULL and for a cache from before a fork.
 * @threads any
 * @since 0.1
 */
KVL_API uint64_t kvl_cache_max_cost(const kvl_cache_t *cache);

/**
 * Returns the counters since the last reset, and the current gauges.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param out_stats  [out] the statistics, filled up to `out_size` bytes; struct_size is the number of bytes filled.
 * @param out_size   sizeof(kvl_stats_t) as the program was compiled, in bytes.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (`out_size` has no room for struct_size, a misaligned pointer),
 *         KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_stats(kvl_cache_t *cache, kvl_stats_t *out_stats, size_t out_size);

/**
 * Returns all statistics as one JSON object, with histograms.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param out_text   [out, owned] a value that holds the text in UTF-8: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_stats_json(kvl_cache_t *cache, kvl_value_t **out_text);

/**
 * Returns all statistics as OpenMetrics text, for a scraper.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param out_text   [out, owned] a value that holds the text in UTF-8: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_stats_openmetrics(kvl_cache_t *cache, kvl_value_t **out_text);

/**
 * Resets the counters and begins a new window of statistics. Gauges, such as entries and cost, are not reset.
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
 * @param cache [retained] from kvl_cache_new() or kvl_tasks_cache(); NULL is ignored.
 * @return `cache`: release it once more.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_cache_t *kvl_cache_retain(kvl_cache_t *cache);

/**
 * Releases a reference. The cache ends with its last reference; readers and iterators hold references too. When the cache ends, its
 * entries are dropped without a report to the removal listener.
 *
 * Releasing the last reference ends the cache's own threads before it returns, unless this is called inside a callback, or code of the
 * program is running on them: this never waits for such code.
 *
 * @param cache [owned] from kvl_cache_new() or kvl_tasks_cache(); NULL is ignored.
 * @threads any
 * @since 0.1
 */
KVL_API void kvl_cache_release(kvl_cache_t *cache);

/* ---- The cache: writes --------------------------------------------------------------------------------------------- */

/**
 * Stores a value under a key, and replaces an existing entry.
 *
 * If the value is refused, an older value under the key is removed nevertheless. But if the key is invalid, or the condition of
 * KVL_PUT_F_IF_ABSENT or KVL_PUT_F_IF_PRESENT does not hold, nothing changes, and loads in progress are not affected.
 *
 * @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key            [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len        the key's length in bytes, at most KVL_KEY_MAX.
 * @param value          [retained] a value, or kvl_value_null() for "known to be absent"; not NULL.
 * @param terms_or_null  [borrowed] the terms on which the value is stored; NULL: the configuration's.
 * @return KVL_OK, KVL_REFUSED (too low a priority to make room, capacity 0, or TTL 0), KVL_TOO_LARGE (see kvl_cache_max_cost()),
 *         KVL_CONFLICT (there is an entry, with KVL_PUT_F_IF_ABSENT), KVL_MISS (there is none, with KVL_PUT_F_IF_PRESENT),
 *         KVL_INVALID_KEY; KVL_ERR_BAD_VALUE (an invalid term), KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (`terms_or_null` is not
 *         aligned), KVL_ERR_KEY_TOO_LONG, KVL_ERR_NO_MEMORY, KVL_ERR_CLOSED (the cache of an engine that was closed or freed),
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
 * Stores a value like kvl_cache_put(), and reports its victims before it returns.
 *
 * Victims are the entries that made room for this value, and the value itself if it was refused. Expired entries, and an older entry under
 * the same key, are not victims. The removal listener is called for victims too.
 *
 * @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key            [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len        the key's length in bytes, at most KVL_KEY_MAX.
 * @param value          [retained] a value, or kvl_value_null() for "known to be absent"; not NULL.
 * @param terms_or_null  [borrowed] the terms on which the value is stored; NULL: the configuration's.
 * @param on_victim      [borrowed] called for each victim, on this thread; not NULL.
 * @param user_data      [borrowed] passed to `on_victim` as its first argument; may be NULL. The library does not free it.
 * @return KVL_OK, KVL_REFUSED (too low a priority to make room, capacity 0, or TTL 0), KVL_TOO_LARGE (see kvl_cache_max_cost()),
 *         KVL_CONFLICT (there is an entry, with KVL_PUT_F_IF_ABSENT), KVL_MISS (there is none, with KVL_PUT_F_IF_PRESENT),
 *         KVL_INVALID_KEY; KVL_ERR_BAD_VALUE (an invalid term), KVL_ERR_NO_CALLBACK (`on_victim` is NULL), KVL_ERR_NULL_POINTER,
 *         KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_KEY_TOO_LONG, KVL_ERR_NO_MEMORY, KVL_ERR_CLOSED (the cache of an
 *         engine that was closed or freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_cache_put_with_victims(kvl_cache_t *cache,
                                        const uint8_t *key,
                                        size_t key_len,
                                        kvl_value_t *value,
                                        const kvl_terms_t *terms_or_null,
                                        kvl_removal_fn on_victim,
                                        void *user_data);

/**
 * Stores a copy of bytes under a key: creates a value and puts it, as kvl_cache_put() does, in one call.
 *
 * @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key            [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len        the key's length in bytes, at most KVL_KEY_MAX.
 * @param data           [copied] `len` bytes; may be NULL if `len` is 0.
 * @param len            the number of bytes.
 * @param terms_or_null  [borrowed] the terms on which the value is stored; NULL: the configuration's.
 * @return KVL_OK, KVL_REFUSED (too low a priority to make room, capacity 0, or TTL 0), KVL_TOO_LARGE (see kvl_cache_max_cost()),
 *         KVL_CONFLICT (there is an entry, with KVL_PUT_F_IF_ABSENT), KVL_MISS (there is none, with KVL_PUT_F_IF_PRESENT),
 *         KVL_INVALID_KEY; KVL_ERR_BAD_VALUE (an invalid term), KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (`terms_or_null` is not
 *         aligned), KVL_ERR_KEY_TOO_LONG, KVL_ERR_NO_MEMORY (also for a length larger than any memory), KVL_ERR_CLOSED (the cache of an
 *         engine that was closed or freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
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
 * Replaces a value that the caller knows, if it is still stored: compare and exchange.
 *
 * If another value is stored, or none, nothing changes, and loads in progress are not affected. A loop of kvl_cache_get() and this call,
 * until it returns neither KVL_CONFLICT nor KVL_MISS, loses no write of another thread.
 *
 * @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key            [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len        the key's length in bytes, at most KVL_KEY_MAX.
 * @param expected       [borrowed] the value that must be stored: this very handle, as kvl_cache_get() or kvl_cache_peek() returned it,
 *                       not one with equal bytes; or kvl_value_null(); not NULL.
 * @param value          [retained] a value, or kvl_value_null() for "known to be absent"; not NULL.
 * @param terms_or_null  [borrowed] the terms on which the value is stored; KVL_PUT_F_KEEP_TTL is the only flag allowed; NULL: the
 *                       configuration's.
 * @return KVL_OK, KVL_CONFLICT (another value is stored), KVL_MISS (none is stored), KVL_REFUSED (too low a priority to make room, or TTL
 *         0: the expected value is removed), KVL_TOO_LARGE (likewise; see kvl_cache_max_cost()), KVL_INVALID_KEY; KVL_ERR_BAD_VALUE (an
 *         invalid term), KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_KEY_TOO_LONG,
 *         KVL_ERR_NO_MEMORY, KVL_ERR_CLOSED (the cache of an engine that was closed or freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
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
 * Sets a new TTL for the entry under a key, counted from now. Its value, age, priority and cost stay.
 *
 * Counts as a use of the entry, so that an idle TTL restarts too, but not as a lookup. Loads in progress are not affected.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key        [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len    the key's length in bytes, at most KVL_KEY_MAX.
 * @param ttl_ms     milliseconds above 0, KVL_TTL_NEVER, or KVL_TTL_DEFAULT.
 * @return KVL_OK, KVL_MISS (there was no live entry); KVL_ERR_BAD_VALUE (the TTL is 0, stated or configured: use kvl_cache_remove(); or
 *         the TTL is negative, but neither constant), KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an engine
 *         that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_cache_touch(kvl_cache_t *cache, const uint8_t *key, size_t key_len, int64_t ttl_ms);

/**
 * Removes the entry under a key, also from the second tier if the engine has one.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key        [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len    the key's length in bytes, at most KVL_KEY_MAX.
 * @return KVL_OK, KVL_MISS (there was no live entry); KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an engine
 *         that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_remove(kvl_cache_t *cache, const uint8_t *key, size_t key_len);

/**
 * Expires the entry under a key now: it stays as a fallback for the length of its grace (`stale.ttl_ms`) or, without a grace, is removed
 * with KVL_CAUSE_EXPIRED. A load in progress treats this as a removal. Use it to have a key reloaded while its old value remains as a
 * fallback. If the engine has a second tier, the entry is removed from it, as by kvl_cache_remove(); to expire it in this process alone,
 * call kvl_tasks_invalidate() with KVL_INVALIDATE_F_EXPIRE.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key        [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len    the key's length in bytes, at most KVL_KEY_MAX.
 * @return KVL_OK, KVL_MISS (there was no live entry); KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an engine
 *         that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_cache_expire(kvl_cache_t *cache, const uint8_t *key, size_t key_len);

/**
 * Removes all expired entries, without waiting for the timer.
 *
 * @param cache        [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param out_removed  [out] the number of entries removed; may be NULL.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_remove_expired(kvl_cache_t *cache, size_t *out_removed);

/**
 * Removes the entry under a key and returns its value. Does not count as a lookup. If the engine has a second tier, the entry is removed
 * from it, too, but not returned from there.
 *
 * @param cache      [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key        [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len    the key's length in bytes, at most KVL_KEY_MAX.
 * @param out_value  [out, owned] the value, or kvl_value_null(): release it; NULL on KVL_MISS.
 * @return KVL_VALUE, KVL_NULL, KVL_MISS; KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED (the cache of an engine that
 *         was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_take(kvl_cache_t *cache, const uint8_t *key, size_t key_len, kvl_value_t **out_value);

/**
 * Removes the next victim and returns its value: among the entries of the lowest priority, the one that `cache.policy` evicts first, which
 * is the least recently used by default. With several shards, this is the victim of one of them. Like an eviction, this does not affect
 * the second tier.
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
 * Shrinks the cache to a share of its current content, victims first. Like an eviction, this does not affect the second tier.
 *
 * Each shard shrinks separately, in its own order. With several shards (`cache.shards`), the remaining entries are therefore those that
 * each shard would evict last, not those that the whole cache would.
 *
 * @param cache       [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param keep_ratio  from 0 to 1: afterwards, neither the number of entries nor their cost exceeds this share of what remained after
 *                    expired entries were removed.
 * @return KVL_OK; KVL_ERR_INVALID_ARG (not from 0 to 1), KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that was
 *         freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_trim(kvl_cache_t *cache, double keep_ratio);

/**
 * Shrinks the cache to a number of entries, victims first. The limits stay. Like an eviction, this does not affect the second tier.
 *
 * @param cache    [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param entries  how many entries may remain.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_trim_to(kvl_cache_t *cache, size_t entries);

/**
 * Removes every entry, also from the second tier if the engine has one, and so for all processes that share it.
 *
 * @param cache  [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_clear(kvl_cache_t *cache);

/**
 * Changes both limits, and evicts entries until the rest fits, victims first.
 *
 * @param cache       [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param capacity    the limit on the number of entries; 0: nothing is stored.
 * @param cost_limit  the limit on the total cost, in bytes; -1: no limit.
 * @return KVL_OK; KVL_ERR_INVALID_ARG (a cost limit below -1), KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that
 *         was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_cache_resize(kvl_cache_t *cache, size_t capacity, int64_t cost_limit);

/* ---- The cache: tags, and all entries ------------------------------------------------------------------------------ */

/**
 * Removes all entries with a tag (`tags` of kvl_terms_t) that exist when this is called, and perhaps some that are stored while it runs.
 * They are reported with KVL_CAUSE_TAG. Takes time in proportion to their number, and holds no lock for more than 64 of them at once.
 *
 * An answer to a request that the provider has now is not stored if it carries the tag, because it may be older than this call. Fetches
 * that wait for the answer receive it, even those that join after this call.
 *
 * This concerns the engine's own process alone: entries with tags are not stored in a second tier.
 *
 * @param cache        [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param tag          [borrowed] `tag_len` bytes.
 * @param tag_len      the tag's length in bytes, 1 to KVL_LABEL_MAX.
 * @param out_removed  [out] the number of entries removed that had not expired; written on KVL_OK. May be NULL.
 * @return KVL_OK, also if no entry has the tag; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (the length), KVL_ERR_CLOSED (the cache of an
 *         engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_cache_remove_tag(kvl_cache_t *cache, const uint8_t *tag, size_t tag_len, size_t *out_removed);

/**
 * Expires all entries with a tag, as kvl_cache_expire() does for one key: the next fetch of each key loads it, and its old value stays as
 * a fallback for `stale.ttl_ms`. What leaves the store is reported with KVL_CAUSE_EXPIRED, not with KVL_CAUSE_TAG. In all other respects
 * this is like kvl_cache_remove_tag().
 *
 * @param cache        [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param tag          [borrowed] `tag_len` bytes.
 * @param tag_len      the tag's length in bytes, 1 to KVL_LABEL_MAX.
 * @param out_expired  [out] the number of entries expired; written on KVL_OK. May be NULL.
 * @return KVL_OK, also if no entry has the tag; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (the length), KVL_ERR_CLOSED (the cache of an
 *         engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_cache_expire_tag(kvl_cache_t *cache, const uint8_t *tag, size_t tag_len, size_t *out_expired);

/**
 * Expires all entries, as kvl_cache_expire() does for one key: their values stay as fallbacks for `stale.ttl_ms`. Loads in progress are
 * overtaken as by kvl_cache_clear(): their answers are not stored.
 *
 * If the engine has a second tier, that is cleared, as by kvl_cache_clear(), for all processes that share it. To expire the entries of this
 * process alone, call kvl_tasks_invalidate() with KVL_INVALIDATE_F_ALL and KVL_INVALIDATE_F_EXPIRE.
 *
 * @param cache [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_cache_expire_all(kvl_cache_t *cache);

/* ---- The cache: saving and loading --------------------------------------------------------------------------------- */

/**
 * Saves the entries of a cache to a file: keys, values, remaining TTLs, costs, priorities, versions, tags, and the order of
 * eviction.
 *
 * Once the file is complete and on the disk, it replaces an older file of that name. If the save fails, the older file is unchanged.
 * Objects are skipped. Entries that are stored, replaced or removed meanwhile may or may not be in the file. The remaining TTL of an entry
 * is measured by the cache's clock when the entry is written, and runs on when the entry is loaded: the time in between is not subtracted,
 * because no clock of the library can measure it. No lock is held while the file is written. This needs memory for one block, and 4 bytes
 * for each entry.
 *
 * Until it is complete, the new file is called kvlight-PID-N.tmp, in the same folder. A process that ends meanwhile, because it is killed or
 * the machine fails, leaves that file behind. No later save removes it, since it may be the file of a process that is running. A service
 * therefore saves into a folder of its own, and removes what is called kvlight-*.tmp there when it starts, before it saves.
 *
 * @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param path           [borrowed] the name of the file, NUL-terminated; UTF-8 on Windows. If it is a symbolic link, the file that it
 *                       points to is replaced. The file is readable by its owner only, even if the older one was not.
 * @param on_progress    [borrowed] called on this thread after each block of 256 KiB or more, and at the end; may be NULL.
 * @param user_data      [borrowed] passed to `on_progress` as its first argument; may be NULL. The library does not free it.
 * @param out_transfer   [out] the final progress, on failure too, filled up to `out_size` bytes; may be NULL.
 * @param out_size       sizeof(kvl_transfer_t) as the program was compiled, in bytes.
 * @param out_error      [out, owned] on failure an error that describes it, with the system's error number as its code: release it; may be
 *                       NULL.
 * @return KVL_OK; KVL_ERR_IO (the file system refuses: no such folder, no space, no permission; or the path is that of a folder, a device
 *         or a pipe, which stays), KVL_ERR_CANCELLED (`on_progress` stopped it), KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (the path names
 *         no file, `out_size` has no room for struct_size, a misaligned pointer), KVL_ERR_CLOSED (the cache of an engine that was freed),
 *         KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
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
 * Loads the entries of a file of kvl_cache_save(), in order of eviction: what would be evicted last comes last. Encoded objects are
 * skipped. The cache that was saved may have had another `cache.policy`.
 *
 * A key that has an entry keeps it, because it is younger than the file. Entries are stored like those of a put. If the file has too many
 * entries for the cache, the last ones stay; entries that the validator or the store refuses are skipped. Loads in progress are not
 * overtaken. The file is read block by block, and a block is stored only if it is undamaged: at the first damaged block this fails, and
 * the entries of earlier blocks stay. That detects damage, not forgery: a file that others can write may contain anything, also a block that
 * takes as much memory as the file is long.
 *
 * Other processes may have changed records since the file was saved, and no notice of these changes will come any more. So a program that
 * otherwise receives such notices, through a second tier for example, calls kvl_tasks_invalidate() after the load, with KVL_INVALIDATE_F_ALL
 * and KVL_INVALIDATE_F_EXPIRE: the entries then only serve as fallbacks (`stale.ttl_ms`). kvl_redis_attach() does that for what was loaded
 * before.
 *
 * @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param path           [borrowed] the name of the file, NUL-terminated; UTF-8 on Windows.
 * @param on_progress    [borrowed] called on this thread after each block of 256 KiB or more, and at the end; may be NULL.
 * @param user_data      [borrowed] passed to `on_progress` as its first argument; may be NULL. The library does not free it.
 * @param out_transfer   [out] the final progress, on failure too, filled up to `out_size` bytes; may be NULL.
 * @param out_size       sizeof(kvl_transfer_t) as the program was compiled, in bytes.
 * @param out_error      [out, owned] on failure an error that describes it, with the system's error number as its code: release it; may be
 *                       NULL.
 * @return KVL_OK; KVL_ERR_IO (the file system refuses: no such file, no permission; or the path is that of a folder, a device or a pipe),
 *         KVL_ERR_CORRUPT (the file is damaged, or is not a saved cache), KVL_ERR_TRUNCATED (it ends too early), KVL_ERR_FILE_VERSION (it
 *         has a version that this library does not know), KVL_ERR_CANCELLED (`on_progress` stopped it), KVL_ERR_NULL_POINTER,
 *         KVL_ERR_INVALID_ARG (the path names no file, `out_size` has no room for struct_size, a misaligned pointer), KVL_ERR_CLOSED,
 *         KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
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
 * Saves like kvl_cache_save(), but includes the objects, in the form of the bytes that `encode` returns for them.
 *
 * `encode` is called on this thread for each object, under no lock, and not for bytes and nulls. It must return a value of bytes; for NULL
 * or any other value the entry is skipped. To stop the save, return a number other than 0 from `on_progress`.
 *
 * @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param path           [borrowed] the name of the file, NUL-terminated; UTF-8 on Windows. If it is a symbolic link, the file that it
 *                       points to is replaced. The file is readable by its owner only, even if the older one was not.
 * @param encode         [borrowed] converts objects to bytes; not NULL.
 * @param on_progress    [borrowed] called on this thread after each block of 256 KiB or more, and at the end; may be NULL.
 * @param user_data      [borrowed] passed to both functions as their first argument; may be NULL. The library does not free it.
 * @param out_transfer   [out] the final progress, on failure too, filled up to `out_size` bytes; may be NULL.
 * @param out_size       sizeof(kvl_transfer_t) as the program was compiled, in bytes.
 * @param out_error      [out, owned] on failure an error that describes it, with the system's error number as its code: release it; may be
 *                       NULL.
 * @return KVL_OK; KVL_ERR_IO (the file system refuses: no such folder, no space, no permission; or the path is that of a folder, a device
 *         or a pipe, which stays), KVL_ERR_CANCELLED (`on_progress` stopped it), KVL_ERR_NO_CALLBACK (`encode` is NULL),
 *         KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (the path names no file, `out_size` has no room for struct_size, a misaligned
 *         pointer), KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
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
 * Loads like kvl_cache_load(), but includes the encoded objects, and stores the values that `decode` returns for them.
 *
 * `decode` is called on this thread for each value that `encode` of kvl_cache_save_encoded() returned, under no lock, and for no other
 * value. It may return an object, bytes or kvl_value_null(); for NULL the entry is skipped. In `entry`, `value` is NULL, and `data` has
 * the bytes.
 *
 * @param cache          [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param path           [borrowed] the name of the file, NUL-terminated; UTF-8 on Windows.
 * @param decode         [borrowed] converts bytes to objects; not NULL.
 * @param on_progress    [borrowed] called on this thread after each block of 256 KiB or more, and at the end; may be NULL.
 * @param user_data      [borrowed] passed to both functions as their first argument; may be NULL. The library does not free it.
 * @param out_transfer   [out] the final progress, on failure too, filled up to `out_size` bytes; may be NULL.
 * @param out_size       sizeof(kvl_transfer_t) as the program was compiled, in bytes.
 * @param out_error      [out, owned] on failure an error that describes it, with the system's error number as its code: release it; may be
 *                       NULL.
 * @return KVL_OK; KVL_ERR_IO (the file system refuses: no such file, no permission; or the path is that of a folder, a device or a pipe),
 *         KVL_ERR_CORRUPT (the file is damaged, or is not a saved cache), KVL_ERR_TRUNCATED (it ends too early), KVL_ERR_FILE_VERSION (it
 *         has a version that this library does not know), KVL_ERR_CANCELLED (`on_progress` stopped it), KVL_ERR_NO_CALLBACK (`decode` is
 *         NULL), KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (the path names no file, `out_size` has no room for struct_size, a misaligned
 *         pointer), KVL_ERR_CLOSED, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
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

/* ---- Readers: values without a copy -------------------------------------------------------------------------------- */

/**
 * Creates a reader of a cache for one thread, or one fiber. It gives access to values without a copy.
 *
 * @param cache       [retained] from kvl_cache_new() or kvl_tasks_cache().
 * @param out_reader  [out, owned] the reader: free it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_reader_new(kvl_cache_t *cache, kvl_reader_t **out_reader);

/**
 * Looks a key up and shows the value. The value stays readable until the next call on this reader, even if its entry is removed meanwhile.
 *
 * Counts as a use of the entry and as a lookup.
 *
 * @param reader      [borrowed] from kvl_reader_new().
 * @param key         [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len     the key's length in bytes, at most KVL_KEY_MAX.
 * @param out_data    [out, borrowed until the next call on this reader] the bytes, not NULL even if there are 0 of them; NULL for an
 *                    object and without a value.
 * @param out_len     [out] the number of bytes; 0 for an object and without a value.
 * @param out_object  [out, borrowed until the next call on this reader] the object; NULL for bytes and without a value; may be NULL, then
 *                    an object is refused with KVL_ERR_WRONG_KIND.
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
 * Releases the value in view. The next call on the reader does so too.
 *
 * @param reader [borrowed] from kvl_reader_new(); NULL is ignored.
 * @threads one
 * @since 0.1
 */
KVL_API void kvl_reader_done(kvl_reader_t *reader);

/**
 * Frees a reader, and with it the value in view and the reference to the cache.
 *
 * @param reader [owned] from kvl_reader_new(); NULL is ignored.
 * @threads one
 * @since 0.1
 */
KVL_API void kvl_reader_free(kvl_reader_t *reader);

/* ---- Iterators: all entries of a cache ----------------------------------------------------------------------------- */

/**
 * Creates an iterator over the entries of a cache, for one thread.
 *
 * Each key that has an entry from now until the last call is visited exactly once. Keys that get or lose their entry meanwhile may be
 * visited or not. Between two calls the iterator holds no lock, and only a few keys. It does not delay other threads, and may be used
 * while its own thread or others change the cache. The order of the entries is unspecified.
 *
 * @param cache         [retained] from kvl_cache_new() or kvl_tasks_cache().
 * @param out_iterator  [out, owned] the iterator: free it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_iterator_new(kvl_cache_t *cache, kvl_iterator_t **out_iterator);

/**
 * Returns the next entry as it is now. The entry stays readable until the next call on this iterator, even if it is removed meanwhile.
 *
 * Counts neither as a use of the entry nor as a lookup, and loads nothing. To keep the value, retain it.
 *
 * @param iterator   [borrowed] from kvl_iterator_new().
 * @param out_entry  [out] the entry, filled up to `out_size` bytes: key, value (`value`, `data` or `object`), age, remaining TTL, cost and
 *                   status. Its pointers are borrowed until the next call on this iterator. Untouched on KVL_EMPTY.
 * @param out_size   sizeof(kvl_result_t) as the program was compiled, in bytes.
 * @return KVL_VALUE, KVL_NULL; KVL_EMPTY (there are no more entries); KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (`out_size` has no room
 *         for struct_size, a misaligned pointer), KVL_ERR_CLOSED (the cache of an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.2
 */
KVL_API kvl_status_t kvl_iterator_next(kvl_iterator_t *iterator, kvl_result_t *out_entry, size_t out_size);

/**
 * Frees an iterator, and with it the entry in view and the reference to the cache.
 *
 * @param iterator [owned] from kvl_iterator_new(); NULL is ignored.
 * @threads one
 * @since 0.2
 */
KVL_API void kvl_iterator_free(kvl_iterator_t *iterator);

/* ---- The engine ---------------------------------------------------------------------------------------------------- */

/**
 * Creates an engine: a cache with a provider.
 *
 * Its dispatcher and timer threads are started at once, unless the configuration names a runtime. Provider threads are started on demand,
 * and end when they are idle for a while.
 *
 * @param config     [borrowed] from kvl_config_new(), with a provider; may be freed right after.
 * @param out_tasks  [out, owned] the engine: kvl_tasks_free() or kvl_tasks_dispose() ends it.
 * @param out_error  [out, owned] on KVL_ERR_BAD_VALUE an error that says what is wrong: release it; NULL otherwise. May be NULL.
 * @return KVL_OK; KVL_ERR_NO_PROVIDER, KVL_ERR_NO_CALLBACK (the provider's function is NULL, and requests go to no queue),
 *         KVL_ERR_BAD_VALUE (a setting was refused: kvl_config_problem(); or two contradict each other: `out_error` says which),
 *         KVL_ERR_NO_THREAD, KVL_ERR_INVALID_HANDLE (the runtime was freed), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_tasks_new(const kvl_config_t *config, kvl_tasks_t **out_tasks, kvl_error_t **out_error);

/**
 * Returns the engine's cache, for reading and writing. Its writes overtake loads in progress.
 *
 * @param tasks      [borrowed] from kvl_tasks_new().
 * @param out_cache  [out, owned] the cache: release it. Once the engine is freed, lookups and writes of the cache return KVL_ERR_CLOSED.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_tasks_cache(kvl_tasks_t *tasks, kvl_cache_t **out_cache);

/**
 * Fetches one key.
 *
 * If the cache has the key and `out_value` is not NULL, the call itself returns the result, and no event follows. Otherwise the key is
 * loaded, in one load shared with every other fetch that wants it, and `function` is called once.
 *
 * @param tasks           [borrowed] from kvl_tasks_new().
 * @param key             [copied] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len         the key's length in bytes, at most KVL_KEY_MAX.
 * @param options         [copied] from kvl_options_new(), or NULL for the engine's settings.
 * @param fetch           [retained] from kvl_fetch_new(), not used before, with which to cancel the call; or NULL.
 * @param function        [retained] called once after KVL_PENDING, by the dispatcher or kvl_queue_poll(), never inside this call.
 * @param user_data       [retained] passed to `function` as its first argument.
 * @param user_data_free  [retained] frees `user_data` after `function`, or before this returns if the status is not KVL_PENDING; may be
 *                        NULL.
 * @param out_value       [out, owned] set on KVL_VALUE: release it; NULL otherwise. May be NULL: then `function` is always called.
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
 * Fetches several keys, and delivers each result separately as soon as it is known.
 *
 * `function` is called `n` times, one call at a time, each with the `index` of a position, for keys in the cache too.
 *
 * @param tasks           [borrowed] from kvl_tasks_new().
 * @param keys            [copied] `n` slices; may be NULL if `n` is 0. Duplicates are allowed. A key longer than KVL_KEY_MAX fails on its
 *                        own.
 * @param n               the number of keys.
 * @param options         [copied] from kvl_options_new(), or NULL for the engine's settings.
 * @param fetch           [retained] from kvl_fetch_new(), not used before, with which to cancel the call; or NULL.
 * @param function        [retained] called `n` times, by the dispatcher or kvl_queue_poll(); the last call is marked by KVL_F_LAST.
 * @param user_data       [retained] passed to `function` as its first argument.
 * @param user_data_free  [retained] frees `user_data`: before this returns unless the status is KVL_PENDING, otherwise after the last
 *                        call; may be NULL.
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
 * Fetches several keys, and delivers all results together when the last is settled.
 *
 * @param tasks           [borrowed] from kvl_tasks_new().
 * @param keys            [copied] `n` slices; may be NULL if `n` is 0. Duplicates are allowed. A key longer than KVL_KEY_MAX fails on its
 *                        own.
 * @param n               the number of keys.
 * @param options         [copied] from kvl_options_new(), or NULL for the engine's settings.
 * @param fetch           [retained] from kvl_fetch_new(), not used before, with which to cancel the call; or NULL.
 * @param function        [retained] called once after KVL_PENDING, by the dispatcher or kvl_queue_poll(), never inside this call.
 * @param user_data       [retained] passed to `function` as its first argument.
 * @param user_data_free  [retained] frees `user_data` after `function`, or before this returns if the status is not KVL_PENDING; may be
 *                        NULL.
 * @param out_ready       [out, owned] set on KVL_OK, if the cache had all keys: release it. May be NULL: then `function` is always called.
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
 * Fetches one key and waits for the result.
 *
 * @param tasks      [borrowed] from kvl_tasks_new().
 * @param key        [copied] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len    the key's length in bytes, at most KVL_KEY_MAX.
 * @param options    [copied] from kvl_options_new(), or NULL for the engine's settings.
 * @param fetch      [retained] from kvl_fetch_new(), not used before, with which another thread can cancel the call; or NULL.
 * @param out_value  [out, owned] set on KVL_VALUE: release it; NULL otherwise.
 * @param out_error  [out, owned] for a status below 0 an error that describes it, also if the call was refused: release it; may be NULL.
 * @return KVL_VALUE, KVL_NULL, KVL_MISS (cache-only), KVL_INVALID_KEY; KVL_ERR_PROVIDER, KVL_ERR_TIMEOUT, KVL_ERR_CANCELLED,
 *         KVL_ERR_QUEUE_FULL, KVL_ERR_UNANSWERED, KVL_ERR_UNAVAILABLE, KVL_ERR_CLOSED; KVL_ERR_REENTRANT, KVL_ERR_UNSUPPORTED (requests go
 *         to a queue, which this thread may have to read), KVL_ERR_ALREADY_USED, KVL_ERR_BAD_VALUE (kvl_options_problem()),
 *         KVL_ERR_KEY_TOO_LONG, KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_NO_THREAD, KVL_ERR_FORKED, KVL_ERR_PANIC.
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
 * Fetches several keys and waits until the last is settled.
 *
 * @param tasks        [borrowed] from kvl_tasks_new().
 * @param keys         [copied] `n` slices; may be NULL if `n` is 0. Duplicates are allowed.
 * @param n            the number of keys.
 * @param options      [copied] from kvl_options_new(), or NULL for the engine's settings.
 * @param fetch        [retained] from kvl_fetch_new(), not used before, with which another thread can cancel the call; or NULL.
 * @param out_results  [out, owned] set on KVL_OK: release it; NULL otherwise.
 * @return KVL_OK, whatever the results of the keys: kvl_results_status(); KVL_ERR_CANCELLED (the fetch was cancelled before),
 *         KVL_ERR_REENTRANT, KVL_ERR_UNSUPPORTED (requests go to a queue, which this thread may have to read), KVL_ERR_ALREADY_USED,
 *         KVL_ERR_CLOSED, KVL_ERR_BAD_VALUE (kvl_options_problem()), KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY,
 *         KVL_ERR_FORKED, KVL_ERR_PANIC.
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
 * Reloads keys, or joins loads of them that are in progress. No result is delivered.
 *
 * Lookups return the old value meanwhile, and if the load fails the old value stays. The urgency is KVL_URGENCY_BACKGROUND unless
 * `options` state one. A refresh takes no place in the queue from fetches: keys that find no place wait without one. Keys that are invalid
 * or too long are skipped, and with `queue.overflow` = `reject` also those that find no place.
 *
 * @param tasks    [borrowed] from kvl_tasks_new().
 * @param keys     [copied] `n` slices; may be NULL if `n` is 0.
 * @param n        the number of keys.
 * @param options  [copied] from kvl_options_new(), or NULL for the engine's settings. Options about waiting have no effect, since nobody
 *                 waits. Options that contradict each other are refused, as for a fetch.
 * @return KVL_OK; KVL_ERR_CLOSED, KVL_ERR_BAD_VALUE (kvl_options_problem()), KVL_ERR_INVALID_ARG (`read` = `cache_only` or `no_store`,
 *         since a refresh loads and stores), KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_tasks_refresh(kvl_tasks_t *tasks, const kvl_slice_t *keys, size_t n, const kvl_options_t *options);

/**
 * Begins to gather the keys that are fetched from now on, or hands out those that have gathered.
 *
 * For hosts with an event loop: call this with 1 at the start of a turn of the loop that fetches, and with 0 at its end, and the keys of
 * all its fetches share requests. Meanwhile a request is formed if there are keys for a full one (`batch.max_keys`), if the queue is full,
 * or if a key is retried. With `batch.linger_us` keys also wait for that time to end. The keys that other threads ask for meanwhile
 * gather, too.
 *
 * A call that waits for a fetch (kvl_tasks_fetch_wait(), kvl_tasks_fetch_all_wait(), kvl_fetch_wait()) hands out what has gathered, since
 * it could otherwise wait for itself. So does a close that drains. A close that cancels settles what has gathered with KVL_ERR_CLOSED.
 *
 * @param tasks    [borrowed] from kvl_tasks_new().
 * @param gathers  1 to let keys gather, 0 to hand them out.
 * @return KVL_OK; KVL_ERR_INVALID_ARG (`gathers` is neither), KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_tasks_gather(kvl_tasks_t *tasks, uint32_t gathers);

/**
 * Returns the counters since the last reset, and the current gauges, of lookups, store and loads.
 *
 * @param tasks      [borrowed] from kvl_tasks_new().
 * @param out_stats  [out] the statistics, filled up to `out_size` bytes; struct_size is the number of bytes filled.
 * @param out_size   sizeof(kvl_stats_t) as the program was compiled, in bytes.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (`out_size` has no room for struct_size, a misaligned pointer),
 *         KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_tasks_stats(kvl_tasks_t *tasks, kvl_stats_t *out_stats, size_t out_size);

/**
 * Returns all statistics as one JSON object, with histograms.
 *
 * @param tasks     [borrowed] from kvl_tasks_new().
 * @param out_text  [out, owned] a value that holds the text in UTF-8: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_tasks_stats_json(kvl_tasks_t *tasks, kvl_value_t **out_text);

/**
 * Returns all statistics as OpenMetrics text, for a scraper.
 *
 * @param tasks     [borrowed] from kvl_tasks_new().
 * @param out_text  [out, owned] a value that holds the text in UTF-8: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_tasks_stats_openmetrics(kvl_tasks_t *tasks, kvl_value_t **out_text);

/**
 * Resets the counters and begins a new window of statistics. Gauges, such as entries, cost and loads in progress, are not reset.
 *
 * @param tasks  [borrowed] from kvl_tasks_new().
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_tasks_stats_reset(kvl_tasks_t *tasks);

/**
 * Closes an engine: it accepts nothing new, and reports when everything is done, that is, when every event is delivered and every provider
 * call has returned. Waits for nothing, but settles the open positions of KVL_CLOSE_CANCEL itself, about a microsecond for each.
 *
 * A second close can only shorten the wait; the function of each is called. Once the close is reported, kvl_tasks_free() does not wait.
 *
 * @param tasks           [borrowed] from kvl_tasks_new().
 * @param mode            KVL_CLOSE_CANCEL: open positions are settled with KVL_ERR_CLOSED. KVL_CLOSE_DRAIN: accepted work continues. Writes
 *                        that wait for the second tier are then tried once (kvl_tasks_l2_sync() waits for those that fail), otherwise lost.
 * @param deadline_ms     for KVL_CLOSE_DRAIN: for how long accepted work may continue, in milliseconds, or KVL_FOREVER; after that, open
 *                        positions are settled with KVL_ERR_CLOSED. 0 means KVL_CLOSE_CANCEL.
 * @param function        [retained] called once when everything is done, by the dispatcher or kvl_queue_poll(); may be NULL.
 * @param user_data       [retained] passed to `function` as its first argument.
 * @param user_data_free  [retained] frees `user_data` after `function`, or before this returns if the call fails; may be NULL.
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
 * Frees an engine: closes it (KVL_CLOSE_CANCEL; a drain in progress ends), waits for code of the program that is running, and joins the
 * engine's threads. After that, no callback of this engine starts.
 *
 * @param tasks  [owned] from kvl_tasks_new(); may be NULL. Unchanged on an error.
 * @return KVL_OK; KVL_ERR_REENTRANT (inside a callback: use kvl_tasks_dispose()), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads outside
 * @since 0.1
 */
KVL_API kvl_status_t kvl_tasks_free(kvl_tasks_t *tasks);

/**
 * Disposes of an engine: closes it (KVL_CLOSE_CANCEL), and lets it end when it is idle. Never waits, so that destructors, finalizers and
 * callbacks can call it.
 *
 * @param tasks  [owned] from kvl_tasks_new(); may be NULL. Must not be used again.
 * @threads any
 * @since 0.1
 */
KVL_API void kvl_tasks_dispose(kvl_tasks_t *tasks);

/* ---- Lookups of an engine, and lookups that return the object alone ------------------------------------------------ */

/**
 * Looks a key up and returns the object of its value, without a reference to the value.
 *
 * Counts as a use of the entry and as a lookup, like kvl_cache_get(), and is faster. It is meant for objects that are no pointers but
 * refer to something of the program, such as an index into a table. Nothing keeps the value: another thread may replace or remove it
 * before this returns, and its object may then be destroyed. The program itself must know whether what the object refers to still exists.
 *
 * @param cache       [borrowed] from kvl_cache_new() or kvl_tasks_cache().
 * @param key         [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len     the key's length in bytes, at most KVL_KEY_MAX.
 * @param out_object  [out] the object, for KVL_VALUE, if the value is one; untouched otherwise.
 * @param out_value   [out, owned] the value, for KVL_VALUE, if it is bytes: release it; NULL otherwise. May be NULL: then bytes are
 *                    KVL_ERR_WRONG_KIND.
 * @return KVL_VALUE, KVL_NULL, KVL_MISS, KVL_INVALID_KEY; KVL_ERR_WRONG_KIND, KVL_ERR_NULL_POINTER, KVL_ERR_KEY_TOO_LONG, KVL_ERR_CLOSED
 *         (the cache of an engine that was freed), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_cache_get_object(kvl_cache_t *cache,
                                  const uint8_t *key,
                                  size_t key_len,
                                  void **out_object,
                                  kvl_value_t **out_value);

/**
 * Looks a key up and starts no load: call this before you allocate what a fetch needs.
 *
 * A hit counts as a lookup; a miss does not, because the fetch that follows counts it.
 *
 * @param tasks      [borrowed] from kvl_tasks_new().
 * @param key        [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len    the key's length in bytes, at most KVL_KEY_MAX.
 * @param out_value  [out, owned] set on KVL_VALUE: release it; NULL otherwise.
 * @return KVL_VALUE, KVL_NULL, KVL_MISS, KVL_INVALID_KEY; KVL_ERR_CLOSED, KVL_ERR_KEY_TOO_LONG, KVL_ERR_NULL_POINTER,
 *         KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_tasks_get(kvl_tasks_t *tasks, const uint8_t *key, size_t key_len, kvl_value_t **out_value);

/**
 * Returns whether a fetch without options begins with the lookup that kvl_tasks_get() makes. If so, a program may call kvl_tasks_get()
 * first, and fetch the key only after KVL_MISS.
 *
 * It does not if the engine's setting `read` is `refresh`. Nor does it if there is a validator, which would run in both calls instead of
 * once. The answer does not change while the engine exists.
 *
 * @param tasks  [borrowed] from kvl_tasks_new().
 * @return 1 if it does, else 0; 0 for NULL and in the child of a fork.
 * @threads any
 * @since 0.2
 */
KVL_API uint32_t kvl_tasks_reads_store_first(const kvl_tasks_t *tasks);

/**
 * Looks a key up like kvl_tasks_get(), and returns the object of its value like kvl_cache_get_object(), without a reference to the value.
 *
 * @param tasks       [borrowed] from kvl_tasks_new().
 * @param key         [borrowed] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len     the key's length in bytes, at most KVL_KEY_MAX.
 * @param out_object  [out] the object, for KVL_VALUE, if the value is one; untouched otherwise.
 * @param out_value   [out, owned] the value, for KVL_VALUE, if it is bytes: release it; NULL otherwise. May be NULL: then bytes are
 *                    KVL_ERR_WRONG_KIND.
 * @return KVL_VALUE, KVL_NULL, KVL_MISS, KVL_INVALID_KEY; KVL_ERR_WRONG_KIND, KVL_ERR_CLOSED, KVL_ERR_KEY_TOO_LONG, KVL_ERR_NULL_POINTER,
 *         KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_tasks_get_object(kvl_tasks_t *tasks,
                                  const uint8_t *key,
                                  size_t key_len,
                                  void **out_object,
                                  kvl_value_t **out_value);

/* ---- Invalidation -------------------------------------------------------------------------------------------------- */

/**
 * Tells an engine that another process has changed these keys: their entries are removed, and answers of running loads of the keys are not
 * stored. Only this process is affected.
 *
 * The removals are reported with KVL_CAUSE_REMOVED, or for all keys with KVL_CAUSE_CLEARED. With KVL_INVALIDATE_F_EXPIRE the entries
 * expire instead: they stay as fallbacks for their grace, as after kvl_cache_expire(). Running loads of the keys are overtaken: the
 * fetches that wait for them receive their answers, and later fetches load the keys again. Remembered errors of the keys are forgotten.
 * Nothing is loaded here, so that the processes that are notified of a change do not all load it at once. A key without an entry and
 * without a load costs little.
 *
 * Call this where notifications of changes arrive: from a message bus, from a change stream of the database, or from another process. A
 * notification must be sent after the change, never before it: a load in between would store the old value. If notifications may have been
 * lost, invalidate all keys (KVL_INVALIDATE_F_ALL).
 *
 * @param tasks  [borrowed] from kvl_tasks_new().
 * @param keys   [borrowed] `n` slices; may be NULL if `n` is 0. Keys longer than KVL_KEY_MAX are skipped: no entry has one.
 * @param n      the number of keys, which are not passed to the validator; 0 with KVL_INVALIDATE_F_ALL.
 * @param flags  KVL_INVALIDATE_F_*, or 0.
 * @return KVL_OK; KVL_ERR_INVALID_ARG (an unknown flag, keys with KVL_INVALIDATE_F_ALL), KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED (the engine
 *         has ended), KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_tasks_invalidate(kvl_tasks_t *tasks, const kvl_slice_t *keys, size_t n, uint32_t flags);

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
 * Forces the circuit breaker open or closed, whatever the provider does, or removes the override: then the breaker starts closed, with
 * an empty window. While it is forced open, keys that wait for the provider fail with KVL_ERR_UNAVAILABLE and are not retried.
 *
 * @param tasks  [borrowed] from kvl_tasks_new().
 * @param force  KVL_BREAKER_FORCE_*.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_INVALID_ARG (unknown `force`), KVL_ERR_CLOSED, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_tasks_breaker_force(kvl_tasks_t *tasks, uint32_t force);

/* ---- A fetch ------------------------------------------------------------------------------------------------------- */

/**
 * Creates a fetch, to be passed to one call.
 *
 * @param out_fetch  [out, owned] the fetch: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_fetch_new(kvl_fetch_t **out_fetch);

/**
 * Sets an object for the provider to read: kvl_request_context(). A second call replaces the object of the first.
 *
 * @param fetch         [borrowed] from kvl_fetch_new(), not used yet.
 * @param context       [owned by the fetch] the object; may be NULL.
 * @param context_free  [retained] frees `context` when the fetch and its requests no longer use it, or before this returns if the call
 *                      fails; may be NULL.
 * @return KVL_OK; KVL_ERR_ALREADY_USED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_fetch_set_context(kvl_fetch_t *fetch, void *context, kvl_free_fn context_free);

/**
 * Sets the urgency of a fetch. Of the keys that wait for a slot, those with a higher urgency are loaded first. If it is not set, the
 * setting `urgency` of the call's options or of the configuration applies.
 *
 * A key that several fetches want has the highest urgency among the fetches that still want it. So its urgency may rise when a fetch
 * joins, and fall when a fetch leaves or lowers its own urgency.
 *
 * @param fetch    [borrowed] from kvl_fetch_new(), before its call or while it is in progress.
 * @param urgency  any number.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_fetch_set_urgency(kvl_fetch_t *fetch, int32_t urgency);

/**
 * Cancels a fetch: open positions are settled with KVL_ERR_CANCELLED. Other fetches that wait for the same keys are not affected.
 *
 * `load.on_cancel` decides whether a running load that no other fetch wants continues.
 *
 * A cancel before the call that uses the fetch makes that call return KVL_ERR_CANCELLED. A cancel after the last event has no effect. This
 * may be called any number of times.
 *
 * @param fetch  [borrowed] from kvl_fetch_new().
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_fetch_cancel(kvl_fetch_t *fetch);

/**
 * Waits until the last event of a fetch was delivered and its user data was freed. Returns at once for a fetch that was never used.
 *
 * @param fetch       [borrowed] from kvl_fetch_new().
 * @param timeout_ms  how long to wait at most, in milliseconds, or KVL_FOREVER.
 * @return KVL_OK, KVL_EMPTY (the timeout was reached first); KVL_ERR_REENTRANT, KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads outside
 * @since 0.1
 */
KVL_API kvl_status_t kvl_fetch_wait(kvl_fetch_t *fetch, int64_t timeout_ms);

/**
 * Returns the progress of a fetch, in positions. The three numbers are read one after the other.
 *
 * @param fetch       [borrowed] from kvl_fetch_new().
 * @param out_done    [out] the number of settled positions; may be NULL.
 * @param out_failed  [out] how many of them failed; may be NULL.
 * @param out_total   [out] the number of all positions, 0 before the call; may be NULL.
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
 * Releases a reference. This does not cancel the fetch.
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
/** Positions that were answered by the store. */
#define KVL_COUNT_FROM_STORE 4u
/** Positions whose load this fetch started. */
#define KVL_COUNT_FROM_PROVIDER 5u
/** Positions that joined a load in progress, including that of another position of this fetch. */
#define KVL_COUNT_JOINED 6u
/** Positions that received an expired value, or null, as a fallback: KVL_F_STALE. */
#define KVL_COUNT_STALE 7u
/** Positions that were found in the second tier. */
#define KVL_COUNT_FROM_L2 8u

/**
 * Returns the number of results, which is the number of keys in the call.
 *
 * @param results  [borrowed] from a callback, an event, or a call that returns results.
 * @return the number; 0 for NULL.
 * @threads any
 * @since 0.1
 */
KVL_API size_t kvl_results_len(const kvl_results_t *results);

/**
 * Returns how the whole batch ended.
 *
 * @param results  [borrowed] from a callback, an event, or a call that returns results.
 * @return KVL_OK: every key was settled on its own, failures of single keys included; KVL_ERR_TIMEOUT, KVL_ERR_CANCELLED, KVL_ERR_CLOSED:
 *         the whole batch was ended early; in all-or-nothing mode the status of the failure that ended it; KVL_ERR_NULL_POINTER.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_results_status(const kvl_results_t *results);

/**
 * Returns one result.
 *
 * @param results  [borrowed] from a callback, an event, or a call that returns results.
 * @param i        the position in the call.
 * @return [borrowed with the results] the result; NULL if there is no such position, or no memory for an array of all results.
 * @threads any
 * @since 0.1
 */
KVL_API const kvl_result_t *kvl_results_at(const kvl_results_t *results, size_t i);

/**
 * Returns all results as an array, so that a loop over them calls no function: result `i` begins `i` strides behind the first.
 *
 * @param results     [borrowed] from a callback, an event, or a call that returns results.
 * @param out_stride  [out] bytes from one result to the next; more than sizeof(kvl_result_t) if the library is newer than the program's
 *                    header.
 * @return [borrowed with the results] the first result; NULL if there is none, or no memory for the array.
 * @threads any
 * @since 0.1
 */
KVL_API const kvl_result_t *kvl_results_array(const kvl_results_t *results, size_t *out_stride);

/**
 * Counts the results of one kind.
 *
 * @param results  [borrowed] from a callback, an event, or a call that returns results.
 * @param what     KVL_COUNT_*.
 * @return the number; 0 for an unknown `what` and for NULL.
 * @threads any
 * @since 0.1
 */
KVL_API size_t kvl_results_count(const kvl_results_t *results, uint32_t what);

/**
 * Counts the results with a status.
 *
 * @param results  [borrowed] from a callback, an event, or a call that returns results.
 * @param status   the status.
 * @return the number.
 * @threads any
 * @since 0.1
 */
KVL_API size_t kvl_results_count_status(const kvl_results_t *results, kvl_status_t status);

/**
 * Counts the distinct errors: one error object in several positions counts once.
 *
 * @param results  [borrowed] from a callback, an event, or a call that returns results.
 * @return the number.
 * @threads any
 * @since 0.1
 */
KVL_API size_t kvl_results_error_len(const kvl_results_t *results);

/**
 * Returns one of the distinct errors.
 *
 * In all-or-nothing mode the first may be the KVL_ERR_CANCELLED of a position that the failure of another one ended. The failure itself is
 * the first error here whose kvl_error_status() is kvl_results_status().
 *
 * @param results  [borrowed] from a callback, an event, or a call that returns results.
 * @param i        the index of the error; index 0 has the error of the first position that failed.
 * @return [borrowed with the results] the error; NULL if there are fewer.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_error_t *kvl_results_error_at(const kvl_results_t *results, size_t i);

/**
 * Adds a reference.
 *
 * @param results  [borrowed] from a callback, an event, or a call that returns results; may be NULL.
 * @return `results`: release it once more.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_results_t *kvl_results_retain(kvl_results_t *results);

/**
 * Releases a reference. The keys, values and errors of the results are freed with the last one.
 *
 * @param results  [owned] from kvl_tasks_fetch_all(), kvl_tasks_fetch_all_wait() or kvl_results_retain(); may be NULL.
 * @threads any
 * @since 0.1
 */
KVL_API void kvl_results_release(kvl_results_t *results);

/* ---- Requests to the provider -------------------------------------------------------------------------------------- */

/**
 * Returns the number of keys of a request.
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @return the number; 0 for NULL.
 * @threads any
 * @since 0.1
 */
KVL_API size_t kvl_request_len(const kvl_request_t *request);

/**
 * Returns one key.
 *
 * @param request   [borrowed] from the provider's call or kvl_request_retain().
 * @param i         the key's index, below kvl_request_len().
 * @param out_data  [out, borrowed with the request] the key's bytes, never NULL.
 * @param out_len   [out] the key's length in bytes.
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
 * Returns the number of the attempt that loads a key: 1 for the first.
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @param i        the key's index.
 * @return the attempt's number; 0 if there is no such key.
 * @threads any
 * @since 0.1
 */
KVL_API uint32_t kvl_request_attempt(const kvl_request_t *request, size_t i);

/**
 * Returns the context of the fetch that started a key's load: kvl_fetch_set_context().
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @param i        the key's index.
 * @return [borrowed with the request] the context; NULL if the fetch has none.
 * @threads any
 * @since 0.1
 */
KVL_API void *kvl_request_context(const kvl_request_t *request, size_t i);

/**
 * Returns the highest urgency that the keys had when the request was formed.
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @return the urgency; 0 for NULL.
 * @threads any
 * @since 0.1
 */
KVL_API int32_t kvl_request_urgency(const kvl_request_t *request);

/**
 * Returns how much of `attempt_timeout_ms` the attempt has left.
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @return milliseconds, 0 when it has timed out; KVL_FOREVER if there is no timeout, or the request has ended.
 * @threads any
 * @since 0.1
 */
KVL_API int64_t kvl_request_time_left_ms(const kvl_request_t *request);

/**
 * Returns the provider's user data, as set by kvl_config_set_provider().
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @return [borrowed] the user data.
 * @threads any
 * @since 0.1
 */
KVL_API void *kvl_request_user_data(const kvl_request_t *request);

/**
 * Returns whether the request is no longer wanted, and why.
 *
 * If it is no longer wanted, a provider may stop and finish it, which states nothing about the keys: kvl_request_finish(). It may also go
 * on and answer keys: an answer is stored unless something newer was stored.
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @return KVL_CANCEL_NO if it is wanted, otherwise KVL_CANCEL_UNWANTED, KVL_CANCEL_TIMEOUT or KVL_CANCEL_CLOSED.
 * @threads any
 * @since 0.1
 */
KVL_API uint32_t kvl_request_is_cancelled(const kvl_request_t *request);

/**
 * Returns whether the answer for a key is still wanted: a fetch waits for it, a refresh requested it, or its load continues without
 * waiting fetches (`load.on_timeout`).
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @param i        the key's index.
 * @return 1 if it is wanted, else 0.
 * @threads any
 * @since 0.1
 */
KVL_API uint32_t kvl_request_is_wanted(const kvl_request_t *request, size_t i);

/**
 * Sets a function to be called when the request is no longer wanted. It can be set once, before the request is finished.
 *
 * @param request         [borrowed] from the provider's call or kvl_request_retain().
 * @param function        [retained] called at most once, by the dispatcher or kvl_queue_poll(), never after kvl_request_finish() has
 *                        returned.
 * @param user_data       [retained] passed to `function` as its first argument. It may hold a reference to the request.
 * @param user_data_free  [retained] frees `user_data` after `function`, at the finish, or before this returns if the call fails; may be
 *                        NULL.
 * @return KVL_OK; KVL_ERR_CANCELLED (the request is no longer wanted: `function` will not be called), KVL_ERR_ALREADY_USED, KVL_ERR_CLOSED
 *         (the request is finished), KVL_ERR_NO_CALLBACK, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_request_on_cancel(kvl_request_t *request, kvl_cancel_fn function, void *user_data, kvl_free_fn user_data_free);

/**
 * Reports that the provider is still working: restarts `attempt_timeout_ms`.
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @return KVL_OK, KVL_LATE (the attempt had timed out before); KVL_ERR_ALREADY_ANSWERED (finished), KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER,
 *         KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_request_heartbeat(kvl_request_t *request);

/**
 * Answers one key with a value, or with kvl_value_null() if the key is absent.
 *
 * @param request        [borrowed] from the provider's call or kvl_request_retain().
 * @param i              the key's index.
 * @param value          [retained] the answer.
 * @param terms_or_null  [borrowed] the terms on which the answer is stored (with a TTL of 0 it is not stored); NULL: those of the fetch
 *                       and the configuration.
 * @return KVL_OK, KVL_LATE (the attempt had ended; the answer is stored unless something newer was stored); KVL_ERR_BAD_VALUE (an invalid
 *         term), KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_CLOSED,
 *         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_request_resolve(kvl_request_t *request, size_t i, kvl_value_t *value, const kvl_terms_t *terms_or_null);

/**
 * Answers one key with bytes.
 *
 * @param request        [borrowed] from the provider's call or kvl_request_retain().
 * @param i              the key's index.
 * @param data           [copied] `len` bytes; may be NULL if `len` is 0.
 * @param len            the number of bytes.
 * @param terms_or_null  [borrowed] the terms on which the answer is stored (with a TTL of 0 it is not stored); NULL: those of the fetch
 *                       and the configuration.
 * @return KVL_OK, KVL_LATE (the attempt had ended; the answer is stored unless something newer was stored); KVL_ERR_BAD_VALUE (an invalid
 *         term), KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_CLOSED,
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
 * Answers one key with an object of the program.
 *
 * @param request        [borrowed] from the provider's call or kvl_request_retain().
 * @param i              the key's index.
 * @param object         [owned by the answer] any pointer but NULL.
 * @param cost           the object's cost, in bytes.
 * @param object_free    [retained] frees `object` when its last reference is dropped, which may be before this returns; may be NULL.
 * @param terms_or_null  [borrowed] the terms on which the answer is stored (with a TTL of 0 it is not stored); NULL: those of the fetch
 *                       and the configuration.
 * @return KVL_OK, KVL_LATE (the attempt had ended; the answer is stored unless something newer was stored); KVL_ERR_BAD_VALUE (an invalid
 *         term), KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_CLOSED,
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
 * @param i              the key's index.
 * @param error_or_null  [retained] the error: every waiting fetch receives this very object; NULL for a plain KVL_ERR_PROVIDER.
 * @return KVL_OK, KVL_LATE; KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_request_fail(kvl_request_t *request, size_t i, kvl_error_t *error_or_null);

/**
 * Fails one key with a message.
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain().
 * @param i        the key's index.
 * @param code     a number that the program chooses.
 * @param message  [copied] UTF-8, NUL-terminated; may be NULL.
 * @param flags    0, or KVL_ERROR_F_* combined by `|`.
 * @return KVL_OK, KVL_LATE; KVL_ERR_INVALID_ARG (unknown flags), KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_CLOSED,
 *         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_request_fail_text(kvl_request_t *request, size_t i, int64_t code, const char *message, uint32_t flags);

/**
 * Answers by key: one of the request's keys, or an extra key, whose answer is stored unless that key was written or loaded since the
 * request was handed out.
 *
 * @param request        [borrowed] from the provider's call or kvl_request_retain().
 * @param key            [copied] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len        the key's length in bytes, at most KVL_KEY_MAX.
 * @param value          [retained] the answer, or kvl_value_null().
 * @param terms_or_null  [borrowed] the terms on which the answer is stored (with a TTL of 0 it is not stored); NULL: those of the fetch
 *                       and the configuration.
 * @return KVL_OK, KVL_LATE (the attempt had ended, or the extra answer is outdated); KVL_INVALID_KEY (an extra key that the validator
 *         refuses); KVL_ERR_BAD_VALUE (an invalid term), KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_ALREADY_ANSWERED,
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
 * Answers by key with bytes: creates a value and supplies it, as kvl_request_supply() does, in one call.
 *
 * @param request        [borrowed] from the provider's call or kvl_request_retain().
 * @param key            [copied] `key_len` bytes; may be NULL if `key_len` is 0.
 * @param key_len        the key's length in bytes, at most KVL_KEY_MAX.
 * @param data           [copied] `len` bytes; may be NULL if `len` is 0.
 * @param len            the number of bytes.
 * @param terms_or_null  [borrowed] the terms on which the answer is stored (with a TTL of 0 it is not stored); NULL: those of the fetch
 *                       and the configuration.
 * @return KVL_OK, KVL_LATE (the attempt had ended, or the extra answer is outdated); KVL_INVALID_KEY (an extra key that the validator
 *         refuses); KVL_ERR_BAD_VALUE (an invalid term), KVL_ERR_INVALID_ARG (`terms_or_null` is not aligned), KVL_ERR_ALREADY_ANSWERED,
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
 * Finishes a request: keys without an answer fail with KVL_ERR_UNANSWERED, or are null if `batch.omitted_is_null` is set.
 *
 * Finishing, by any function, states something only about keys whose answer is still wanted, in an attempt that has not timed out. About
 * the keys of a request that is no longer wanted (kvl_request_is_cancelled()) it states nothing: none of them becomes null, and their
 * entries in the cache stay. To state that a key is absent in any case, answer it with kvl_value_null().
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain(). If it was retained, it must still be released.
 * @return KVL_OK; KVL_ERR_ALREADY_ANSWERED (finished before), KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_request_finish(kvl_request_t *request);

/**
 * Finishes a request: keys without an answer are null, as when a query found no row. Only wanted keys become null: kvl_request_finish().
 *
 * @param request  [borrowed] from the provider's call or kvl_request_retain(). If it was retained, it must still be released.
 * @return KVL_OK; KVL_ERR_ALREADY_ANSWERED (finished before), KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_request_finish_nulls(kvl_request_t *request);

/**
 * Finishes a request: keys without an answer fail with one error.
 *
 * @param request        [borrowed] from the provider's call or kvl_request_retain(). If it was retained, it must still be released.
 * @param error_or_null  [retained] the error; NULL for a plain KVL_ERR_PROVIDER.
 * @return KVL_OK; KVL_ERR_ALREADY_ANSWERED (finished before), KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_request_finish_error(kvl_request_t *request, kvl_error_t *error_or_null);

/**
 * Adds a reference, to answer after the provider's call has returned, on any thread.
 *
 * @param request  [borrowed] from the provider's call; may be NULL.
 * @return `request`: release it once more.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_request_t *kvl_request_retain(kvl_request_t *request);

/**
 * Releases a reference. If the request is not finished, releasing the last reference finishes it: kvl_request_finish().
 *
 * @param request  [owned] from kvl_request_retain(); may be NULL.
 * @threads any
 * @since 0.1
 */
KVL_API void kvl_request_release(kvl_request_t *request);

/* ---- Conditional loads --------------------------------------------------------------------------------------------- */

/**
 * Returns what the store has for one key of the request, fresh or expired. A provider can then ask its source whether the record has
 * changed since, and answer kvl_request_not_modified() if it has not.
 *
 * Later calls for the same key return what the first call returned, even if the entry is replaced or removed meanwhile.
 *
 * @param request      [borrowed] from the provider's call or kvl_request_retain().
 * @param i            the key's index.
 * @param out_value    [out, owned] set on KVL_VALUE: release it; NULL otherwise. May be NULL.
 * @param out_age_ms   [out] milliseconds since the entry was loaded, put, or found in the second tier; written on KVL_VALUE and KVL_NULL.
 *                     May be NULL.
 * @param out_version  [out, borrowed with the request] `version` of the terms on which the entry was stored; `len` is 0 if they had none.
 *                     Written on KVL_VALUE and KVL_NULL. May be NULL.
 * @return KVL_VALUE, KVL_NULL, KVL_MISS (the store has nothing for the key); KVL_ERR_OUT_OF_RANGE, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_request_stale(kvl_request_t *request,
                               size_t i,
                               kvl_value_t **out_value,
                               int64_t *out_age_ms,
                               kvl_slice_t *out_version);

/**
 * Answers one key with what kvl_request_stale() returns, because the record has not changed. The entry is renewed: its TTL, its grace
 * period and its priority begin again, as if the value had just been stored, and the removal listener is not called. It keeps its cost,
 * whatever the terms state.
 *
 * It keeps its version and its tags too, unless the terms state others: then the value is stored like any other answer, with the cost that
 * the terms state. If the entry has left the store meanwhile, the value is stored again.
 *
 * @param request        [borrowed] from the provider's call or kvl_request_retain().
 * @param i              the key's index.
 * @param terms_or_null  [borrowed] the terms on which the answer is stored (with a TTL of 0 it is not stored); NULL: those of the fetch
 *                       and the configuration.
 * @return KVL_OK, KVL_LATE (the attempt had ended; the answer is stored unless something newer was stored), KVL_MISS (the store had
 *         nothing for the key, which is not answered); KVL_ERR_BAD_VALUE (an invalid term), KVL_ERR_INVALID_ARG (`terms_or_null` is not
 *         aligned), KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_CLOSED, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_request_not_modified(kvl_request_t *request, size_t i, const kvl_terms_t *terms_or_null);

/* ---- A second tier ------------------------------------------------------------------------------------------------- */

/**
 * Sets a second tier: a store that is asked for a key before the provider is, and that receives what was loaded and written.
 * Several processes may share it. It may be anything: a cache server, a database, a file.
 *
 * Keys that the cache lacks are first looked up in the second tier, many at a time (KVL_L2_READ). A hit is an answer like the provider's,
 * with KVL_SOURCE_L2, and is stored for what is left of its TTL. After a miss, a failure, or `l2.timeout_ms`, the provider is asked; a
 * failure of the second tier is never a result. What the provider then answers is stored in the second tier (KVL_L2_FILL), after the
 * callers have received it. A fill that fails is not repeated.
 *
 * What the program writes through this engine's cache is passed on, in order, one request at a time, and sent again if it fails: puts
 * (KVL_L2_WRITE); kvl_cache_remove(), kvl_cache_take() and kvl_cache_expire() (KVL_L2_REMOVE); kvl_cache_clear() and kvl_cache_expire_all()
 * (KVL_L2_CLEAR). Until it is passed on, its keys are not looked up. Not passed on: entries that are evicted or reach the end of their TTL,
 * kvl_cache_pop(), kvl_cache_trim(), kvl_cache_trim_to(), kvl_cache_resize(), touches, and kvl_tasks_invalidate(). Entries with tags stay in
 * the process, so kvl_cache_remove_tag() and kvl_cache_expire_tag() are not passed on either; and so do objects without KVL_L2_F_OBJECTS.
 * The settings `l2.*` are the limits.
 *
 * The second tier must keep no entry for longer than the TTL that kvl_l2_request_entry() states. An entry does not contain the time at which
 * it was written: one that is kept longer is found after its end, and stored for its whole TTL again, so that it never expires.
 *
 * A request that writes has failed once it takes longer than `l2.write_timeout_ms`. If it is still in its queue then, it is not handed out
 * any more. Otherwise it may still write, so those of its keys that the program has put or removed are not looked up until the request is
 * finished, and are then removed from the second tier. While `l2.max_requests` such requests are unfinished, nothing is written.
 *
 * What a fill may overwrite depends on `abilities`. With KVL_L2_F_CONDITIONAL and KVL_L2_F_LEASES no older load overwrites a newer write,
 * in whichever process. Without KVL_L2_F_CONDITIONAL an older load may overwrite a newer write, and its value then stays until its TTL
 * ends.
 *
 * @param config          [borrowed] from kvl_config_new().
 * @param abilities       KVL_L2_F_*, or 0.
 * @param function        [retained] serves requests, on a thread of the library, under no lock; several at a time. NULL: requests are
 *                        KVL_EVENT_L2 events of a queue (KVL_QUEUE_F_L2), with `user_data`.
 * @param user_data       [retained] passed to `function` as its first argument; may be NULL.
 * @param user_data_free  [retained] runs once with `user_data`: when neither the configuration nor anything created from it has the
 *                        function any more, or before this returns if the call fails; may be NULL.
 * @return KVL_OK; KVL_ERR_INVALID_ARG (unknown `abilities`), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_config_set_l2(kvl_config_t *config,
                               uint32_t abilities,
                               kvl_l2_fn function,
                               void *user_data,
                               kvl_free_fn user_data_free);

/**
 * Returns what a request asks for.
 *
 * @param request  [borrowed] from the second tier's call or kvl_l2_request_retain().
 * @return KVL_L2_READ, KVL_L2_FILL, KVL_L2_WRITE, KVL_L2_REMOVE or KVL_L2_CLEAR; 0 for NULL and in the child of a fork.
 * @threads any
 * @since 0.2
 */
KVL_API uint32_t kvl_l2_request_kind(const kvl_l2_request_t *request);

/**
 * Returns the number of keys of a request.
 *
 * @param request  [borrowed] from the second tier's call or kvl_l2_request_retain().
 * @return at most `l2.batch_keys`; 0 for KVL_L2_CLEAR, for NULL and in the child of a fork.
 * @threads any
 * @since 0.2
 */
KVL_API size_t kvl_l2_request_len(const kvl_l2_request_t *request);

/**
 * Returns the keys of a request, each once.
 *
 * @param request  [borrowed] from the second tier's call or kvl_l2_request_retain().
 * @return [borrowed with the request] kvl_l2_request_len() slices; NULL for NULL and in the child of a fork.
 * @threads any
 * @since 0.2
 */
KVL_API const kvl_slice_t *kvl_l2_request_keys(const kvl_l2_request_t *request);

/**
 * Returns the entry that KVL_L2_WRITE or KVL_L2_FILL is to store under a key.
 *
 * @param request        [borrowed] from the second tier's call or kvl_l2_request_retain().
 * @param i              the key's index, below kvl_l2_request_len().
 * @param out_data       [out, borrowed with the request] the entry: store these bytes as they are, and return them by
 *                       kvl_l2_request_hit().
 * @param out_len        [out] the number of bytes.
 * @param out_ttl_ms     [out] the TTL of the entry from now on in milliseconds, or KVL_TTL_NEVER: keep the entry for no longer.
 * @param out_token      [out, borrowed with the request] for KVL_L2_FILL: the token that was given when the key was read; never NULL.
 * @param out_token_len  [out] the length of the token in bytes; 0 for KVL_L2_WRITE.
 * @return KVL_OK; KVL_ERR_WRONG_KIND (another kind of request; an object without kvl_l2_request_set_payload()), KVL_ERR_OUT_OF_RANGE,
 *         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_l2_request_entry(const kvl_l2_request_t *request,
                                  size_t i,
                                  const uint8_t **out_data,
                                  size_t *out_len,
                                  int64_t *out_ttl_ms,
                                  const uint8_t **out_token,
                                  size_t *out_token_len);

/**
 * Returns the value that KVL_L2_WRITE or KVL_L2_FILL is to store under a key, so that an object can be converted to bytes.
 *
 * @param request    [borrowed] from the second tier's call or kvl_l2_request_retain().
 * @param i          the key's index, below kvl_l2_request_len().
 * @param out_value  [out, owned] the value: release it; NULL if the key is known to be absent.
 * @return KVL_VALUE, KVL_NULL; KVL_ERR_WRONG_KIND (another kind of request), KVL_ERR_OUT_OF_RANGE, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_l2_request_value(const kvl_l2_request_t *request, size_t i, kvl_value_t **out_value);

/**
 * States the bytes that stand for an object in its entry. After that, kvl_l2_request_entry() returns the entry. For an object that cannot
 * be converted to bytes, call kvl_l2_request_refused() instead.
 *
 * @param request  [borrowed] from the second tier's call or kvl_l2_request_retain().
 * @param i        the key's index, below kvl_l2_request_len().
 * @param data     [copied] `len` bytes, in a format of the program's; may be NULL if `len` is 0.
 * @param len      the number of bytes.
 * @return KVL_OK; KVL_ERR_WRONG_KIND (no object), KVL_ERR_ALREADY_ANSWERED (bytes were stated before), KVL_ERR_OUT_OF_RANGE,
 *         KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_l2_request_set_payload(kvl_l2_request_t *request, size_t i, const uint8_t *data, size_t len);

/**
 * Reads an entry that the second tier has for a key. If it is the entry of an object, create the object from its bytes, and answer with
 * kvl_l2_request_hit_object(); otherwise answer with kvl_l2_request_hit().
 *
 * @param request   [borrowed] from the second tier's call or kvl_l2_request_retain().
 * @param i         the key's index, below kvl_l2_request_len().
 * @param data      [borrowed] the entry; may be NULL if `len` is 0.
 * @param len       the number of bytes.
 * @param out_data  [out, borrowed from `data`] the bytes that stand for the object, or those of the value; NULL on KVL_NULL and KVL_MISS.
 * @param out_len   [out] the number of these bytes.
 * @return KVL_OK (an object), KVL_VALUE (bytes), KVL_NULL (the key is known to be absent), KVL_MISS (no entry of this key);
 *         KVL_ERR_OUT_OF_RANGE, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_l2_request_payload(const kvl_l2_request_t *request,
                                    size_t i,
                                    const uint8_t *data,
                                    size_t len,
                                    const uint8_t **out_data,
                                    size_t *out_len);

/**
 * Answers a key of KVL_L2_READ: the second tier has this entry of an object. An entry that is not of an object counts as a miss. In all
 * other respects this is like kvl_l2_request_hit().
 *
 * @param request      [borrowed] from the second tier's call or kvl_l2_request_retain().
 * @param i            the key's index, below kvl_l2_request_len().
 * @param data         [borrowed] the entry as kvl_l2_request_entry() gave it.
 * @param len          the number of bytes.
 * @param ttl_left_ms  as in kvl_l2_request_hit().
 * @param token        [copied] as in kvl_l2_request_hit().
 * @param token_len    the token's length in bytes.
 * @param value        [retained] the object, which the program created from the bytes of kvl_l2_request_payload().
 * @return as kvl_l2_request_hit().
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_l2_request_hit_object(kvl_l2_request_t *request,
                                       size_t i,
                                       const uint8_t *data,
                                       size_t len,
                                       int64_t ttl_left_ms,
                                       const uint8_t *token,
                                       size_t token_len,
                                       kvl_value_t *value);

/**
 * Answers a key of KVL_L2_READ: the second tier has this entry. If the bytes are not exactly an entry that was written for this key, or
 * nothing is left of its TTL, this counts as a miss.
 *
 * @param request      [borrowed] from the second tier's call or kvl_l2_request_retain().
 * @param i            the key's index, below kvl_l2_request_len().
 * @param data         [copied] the entry as kvl_l2_request_entry() gave it; may be NULL if `len` is 0.
 * @param len          the number of bytes.
 * @param ttl_left_ms  how much of the entry's TTL is left, in milliseconds. KVL_TTL_NEVER: the entry was written without a TTL.
 *                     KVL_L2_TTL_UNKNOWN: the second tier ends entries in time, but does not know what is left. For an entry that was written
 *                     with a TTL, with either of the two, the whole TTL is taken to be left: it lives for up to twice as long or, if the
 *                     second tier keeps it for longer than that TTL, for ever.
 * @param token        [copied] stands for the entry as it is now, so that a fill with this token may replace it; may be NULL if
 *                     `token_len` is 0.
 * @param token_len    the token's length in bytes; 0: with KVL_L2_F_CONDITIONAL, no fill may replace the entry.
 * @return KVL_OK, KVL_LATE (it took longer than `l2.timeout_ms`); KVL_ERR_ALREADY_ANSWERED, KVL_ERR_WRONG_KIND, KVL_ERR_OUT_OF_RANGE,
 *         KVL_ERR_INVALID_ARG (`ttl_left_ms`), KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API
kvl_status_t kvl_l2_request_hit(kvl_l2_request_t *request,
                                size_t i,
                                const uint8_t *data,
                                size_t len,
                                int64_t ttl_left_ms,
                                const uint8_t *token,
                                size_t token_len);

/**
 * Answers a key of KVL_L2_READ: the second tier has nothing.
 *
 * @param request    [borrowed] from the second tier's call or kvl_l2_request_retain().
 * @param i          the key's index, below kvl_l2_request_len().
 * @param token      [copied] with KVL_L2_F_LEASES: the lease that was granted; may be NULL if `token_len` is 0.
 * @param token_len  the token's length in bytes; 0: with KVL_L2_F_LEASES, no lease was granted, and the answer of the load is not stored
 *                   in the second tier.
 * @return as kvl_l2_request_hit(); KVL_LATE also if the lease will not be used, and may be given back: the key was written since the
 *         lookup began, or nobody waits for it any more.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_l2_request_miss(kvl_l2_request_t *request, size_t i, const uint8_t *token, size_t token_len);

/**
 * Answers a key of KVL_L2_READ: the second tier has nothing, and has granted the lease of the key to another process, which loads the key.
 * With `l2.single_flight` the key is looked up again, with pauses of 5 to 50 ms, until there is an answer, for `l2.wait_ms` at most.
 * Without `l2.single_flight` this counts as a miss without a lease.
 *
 * @param request  [borrowed] from the second tier's call or kvl_l2_request_retain().
 * @param i        the key's index, below kvl_l2_request_len().
 * @return as kvl_l2_request_hit().
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_l2_request_leased(kvl_l2_request_t *request, size_t i);

/**
 * Returns whether KVL_L2_READ may take the lease of a key over: the key has waited for `l2.wait_ms` for the process that has the lease,
 * which may have ended. If the second tier can do that, it grants a new lease in place of the old one (kvl_l2_request_miss()). If it
 * answers with kvl_l2_request_leased() again, the key is loaded, and the answer is not stored in the second tier.
 *
 * @param request  [borrowed] from the second tier's call or kvl_l2_request_retain().
 * @param i        the key's index, below kvl_l2_request_len().
 * @return 1 if it may, else 0; 0 also for other kinds of request, for NULL and in the child of a fork.
 * @threads any
 * @since 0.2
 */
KVL_API uint32_t kvl_l2_request_steals(const kvl_l2_request_t *request, size_t i);

/**
 * Reports that a key was not stored. In KVL_L2_FILL, the token of the fill is not the key's token any more. In KVL_L2_WRITE, the second
 * tier cannot store its value; the key is then removed from the second tier instead. Neither counts as a failure.
 *
 * @param request  [borrowed] from the second tier's call or kvl_l2_request_retain().
 * @param i        the key's index, below kvl_l2_request_len().
 * @return KVL_OK, KVL_LATE (it took longer than `l2.write_timeout_ms`); KVL_ERR_ALREADY_ANSWERED (the request is finished),
 *         KVL_ERR_WRONG_KIND, KVL_ERR_OUT_OF_RANGE, KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_l2_request_refused(kvl_l2_request_t *request, size_t i);

/**
 * Reports that the second tier has failed for a key. In KVL_L2_READ this counts as a miss. In KVL_L2_FILL, the entry is not stored. In the
 * other kinds of request, the key is sent again. After `l2.break_after` requests in a row that failed, the second tier is not used for a
 * while.
 *
 * @param request  [borrowed] from the second tier's call or kvl_l2_request_retain().
 * @param i        the key's index, below kvl_l2_request_len(); 0 for KVL_L2_CLEAR.
 * @return KVL_OK, KVL_LATE; KVL_ERR_ALREADY_ANSWERED, KVL_ERR_OUT_OF_RANGE, KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED, KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_l2_request_fail(kvl_l2_request_t *request, size_t i);

/**
 * Finishes a request. If it writes, every key that was not reported as refused or failed counts as written. If it reads, every key without
 * an answer has failed.
 *
 * Releasing the last reference to a request that is not finished finishes it, too; but if it writes, all of its keys have failed then.
 *
 * @param request  [borrowed] from the second tier's call or kvl_l2_request_retain().
 * @return KVL_OK, KVL_LATE (the request took longer than `l2.write_timeout_ms`, so its writes have counted as failed);
 *         KVL_ERR_ALREADY_ANSWERED, KVL_ERR_NULL_POINTER, KVL_ERR_CLOSED, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_l2_request_finish(kvl_l2_request_t *request);

/**
 * Retains a request, to serve it after the second tier's call, from any thread.
 *
 * @param request  [retained] from the second tier's call; NULL is ignored.
 * @return `request`: release it once more.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_l2_request_t *kvl_l2_request_retain(kvl_l2_request_t *request);

/**
 * Releases a request.
 *
 * @param request  [owned] from kvl_l2_request_retain(); NULL is ignored.
 * @threads any
 * @since 0.2
 */
KVL_API void kvl_l2_request_release(kvl_l2_request_t *request);

/**
 * Waits until the second tier has everything that was put, removed or cleared before this call.
 *
 * @param tasks       [borrowed] from kvl_tasks_new().
 * @param timeout_ms  how long to wait, in milliseconds; 0: do not wait; KVL_FOREVER: without limit.
 * @return KVL_OK; KVL_ERR_TIMEOUT, KVL_ERR_CLOSED (some writes were given up), KVL_ERR_UNSUPPORTED (requests for the second tier go to a
 *         queue, which this thread may have to read), KVL_ERR_REENTRANT, KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED,
 *         KVL_ERR_PANIC.
 * @threads outside
 * @since 0.2
 */
KVL_API kvl_status_t kvl_tasks_l2_sync(kvl_tasks_t *tasks, int64_t timeout_ms);

/* ---- The queue: events for a thread of the program ----------------------------------------------------------------- */

/** In the flags of kvl_queue_new(): the descriptor is a pipe even on systems with eventfds, for libuv. No effect on Windows. */
#define KVL_QUEUE_NEW_PIPE 1u

/**
 * Creates a queue, to be set in configurations: kvl_config_set_queue().
 *
 * @param flags      0 or KVL_QUEUE_NEW_PIPE.
 * @param out_queue  [out, owned] the queue: free it after the engines that use it.
 * @return KVL_OK; KVL_ERR_INVALID_ARG (unknown flags), KVL_ERR_NULL_POINTER, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_queue_new(uint32_t flags, kvl_queue_t **out_queue);

/**
 * Returns a descriptor that is readable while events wait, for `poll`, `epoll` or an event loop.
 *
 * The program may read from the descriptor, and must then drain the queue until a call returns KVL_EMPTY. The queue owns the descriptor:
 * do not close it. Windows has no descriptor: see kvl_queue_handle().
 *
 * @param queue   [borrowed] from kvl_queue_new().
 * @param out_fd  [out] the descriptor, which is non-blocking.
 * @return KVL_OK; KVL_ERR_NO_FD, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_queue_fd(kvl_queue_t *queue, int32_t *out_fd);

/**
 * Returns the handle of an event that is set while events wait, for `WaitForSingleObject` and similar functions. Only on Windows:
 * elsewhere this returns KVL_ERR_NO_FD, and there is kvl_queue_fd().
 *
 * The library sets and resets the event; drain the queue until a call returns KVL_EMPTY. The queue owns the handle: do not close it.
 *
 * @param queue       [borrowed] from kvl_queue_new().
 * @param out_handle  [out] the HANDLE.
 * @return KVL_OK; KVL_ERR_NO_FD, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_queue_handle(kvl_queue_t *queue, void **out_handle);

/**
 * Sets a function to be called when the queue stops being empty, for executors. It replaces the previous function, which does not run any
 * more.
 *
 * @param queue           [borrowed] from kvl_queue_new().
 * @param function        [retained] runs on a thread of the library; it may only schedule a poll. NULL: no function.
 * @param user_data       [retained] passed to `function` as its first argument.
 * @param user_data_free  [retained] frees `user_data` with the queue, when the function is replaced, or before this returns if the call
 *                        fails; may be NULL.
 * @return KVL_OK; KVL_ERR_NO_THREAD, KVL_ERR_REENTRANT, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads outside
 * @since 0.1
 */
KVL_API kvl_status_t kvl_queue_set_wake(kvl_queue_t *queue, kvl_wake_fn function, void *user_data, kvl_free_fn user_data_free);

/**
 * Runs the callbacks of at most `max` events on this thread.
 *
 * @param queue       [borrowed] from kvl_queue_new().
 * @param max         the largest number of events to deliver; with 0 the call returns KVL_OK at once.
 * @param timeout_ms  how long to wait for the first event, in milliseconds; 0: do not wait; KVL_FOREVER: without limit.
 * @param out_ran     [out] the number of callbacks that ran; may be NULL.
 * @return KVL_OK, KVL_EMPTY (no event within the timeout, or kvl_queue_wake()); KVL_ERR_NO_CALLBACK (the next event has no function: use
 *         kvl_queue_next()), KVL_ERR_BUSY (another thread reads), KVL_ERR_REENTRANT, KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER,
 *         KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one, outside
 * @since 0.1
 */
KVL_API kvl_status_t kvl_queue_poll(kvl_queue_t *queue, size_t max, int64_t timeout_ms, size_t *out_ran);

/**
 * Takes out the next event. Calls no function of the program except destructors.
 *
 * Everything to which the event points is valid until the next kvl_queue_next() or kvl_queue_poll() on this queue; retain a value, an
 * error, results or a request to keep it for longer.
 *
 * @param queue       [borrowed] from kvl_queue_new().
 * @param timeout_ms  how long to wait for the event, in milliseconds; 0: do not wait; KVL_FOREVER: without limit.
 * @param out_event   [out] the event.
 * @param out_size    sizeof(kvl_event_t) as the program was compiled, in bytes.
 * @return KVL_OK, KVL_EMPTY (no event within the timeout, or kvl_queue_wake()); KVL_ERR_BUSY (another thread reads), KVL_ERR_REENTRANT,
 *         KVL_ERR_INVALID_ARG, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one, outside
 * @since 0.1
 */
KVL_API kvl_status_t kvl_queue_next(kvl_queue_t *queue, int64_t timeout_ms, kvl_event_t *out_event, size_t out_size);

/**
 * Returns how many events wait. A queue has no limit, so a program whose threads cause events faster than it reads them can hold these
 * threads back while many wait.
 *
 * Events that were sent together, such as the results of fetches that waited for one key, count as one. A destructor that is to run on the
 * reading thread counts as an event.
 *
 * @param queue  [borrowed] from kvl_queue_new(); may be NULL.
 * @return the number of events; 0 for NULL and for a queue from before a fork.
 * @threads any
 * @since 0.2
 */
KVL_API size_t kvl_queue_len(const kvl_queue_t *queue);

/**
 * Makes a waiting kvl_queue_poll() or kvl_queue_next(), or the next one that would wait, return KVL_EMPTY.
 *
 * @param queue  [borrowed] from kvl_queue_new().
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.1
 */
KVL_API kvl_status_t kvl_queue_wake(kvl_queue_t *queue);

/**
 * Frees a queue. Waiting events are dropped here: destructors, also those of user data, run, but no callback does.
 *
 * An engine that was disposed of by kvl_tasks_dispose() does not keep the queue busy, even while it is still ending: events that it sends
 * later are dropped where they are sent.
 *
 * @param queue  [owned] from kvl_queue_new(); may be NULL. Unchanged on an error.
 * @return KVL_OK; KVL_ERR_BUSY (an engine or a cache still sends to it), KVL_ERR_REENTRANT, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads outside
 * @since 0.1
 */
KVL_API kvl_status_t kvl_queue_free(kvl_queue_t *queue);

/**
 * Disposes of a queue that is no longer read. Never waits, so that destructors, finalizers and callbacks can call it.
 *
 * Unlike kvl_queue_free(), it does not require that the engines and caches that send to it have ended, so it may be called before or after
 * they are disposed of. Waiting events are dropped here, and later ones where they are sent: destructors, also those of user data, run,
 * but no callback does. A fetch whose result would be sent to the queue gets no event: only its user data is freed.
 *
 * @param queue  [owned] from kvl_queue_new(); may be NULL. Must not be used again. If a callback disposes of the queue that is being read,
 *               that call of kvl_queue_poll() or kvl_queue_next() ends after the callback.
 * @threads any
 * @since 0.2
 */
KVL_API void kvl_queue_dispose(kvl_queue_t *queue);

/**
 * Sends events to a queue instead of to threads of the library.
 *
 * @param config  [borrowed] from kvl_config_new().
 * @param queue   [retained] from kvl_queue_new(); NULL: threads of the library again.
 * @param what    KVL_QUEUE_F_RESULTS, KVL_QUEUE_F_PROVIDER, KVL_QUEUE_F_REMOVALS and KVL_QUEUE_F_L2 combined by `|`; KVL_QUEUE_F_ALL for
 *                the first three.
 * @return KVL_OK; KVL_ERR_INVALID_ARG (unknown bits, or none), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.1
 */
KVL_API kvl_status_t kvl_config_set_queue(kvl_config_t *config, kvl_queue_t *queue, uint32_t what);

/**
 * Creates a value of an object that is destroyed where a queue is read, whichever thread drops the last reference.
 *
 * @param queue        [retained] from kvl_queue_new(). Once it is freed, the object is destroyed where its last reference is dropped.
 * @param object       [owned by the value] any pointer but NULL.
 * @param cost         the object's cost, in bytes.
 * @param object_free  [retained] frees `object` inside kvl_queue_poll() or kvl_queue_next(), or before this returns if the call fails.
 *                     NULL: KVL_EVENT_DROP reports the drop.
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
