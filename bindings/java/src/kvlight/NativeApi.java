// Generated from api/api.json by `make generate`. Do not edit.

package kvlight;

/** The library's functions, the offsets of its structs, and its constants. Handles, addresses and sizes are longs. */
final class NativeApi {
    private NativeApi() {}

    static final String VERSION = "0.2.0";
    static final int VERSION_NUMBER = 2000;
    /** done */
    static final int OK = 0;
    /** a value */
    static final int VALUE = 1;
    /** known to be absent */
    static final int NULL = 2;
    /** not in the store */
    static final int MISS = 3;
    /** the validator refused the key */
    static final int INVALID_KEY = 4;
    /** accepted: the promised events follow */
    static final int PENDING = 5;
    /** nothing within the timeout, a wake-up ended the wait, or an iterator has no more entries */
    static final int EMPTY = 6;
    /** not stored: no room for the entry's priority, capacity 0, or TTL 0; an older value under the key was removed */
    static final int REFUSED = 7;
    /** not stored: costs more than one shard's part of cache.cost_limit; an older value under the key was removed */
    static final int TOO_LARGE = 8;
    /** the buffer is too small: call again with a buffer of the reported length */
    static final int TRUNCATED = 9;
    /** too late: the attempt had ended before, or the answer is outdated */
    static final int LATE = 10;
    /** not stored: the key has an entry already, or no longer has the expected value; nothing changed */
    static final int CONFLICT = 11;
    /** an argument is out of range or has unknown flags */
    static final int ERR_INVALID_ARG = -1;
    /** a pointer that must not be NULL is NULL */
    static final int ERR_NULL_POINTER = -2;
    /** no setting has this name, or a fetch cannot set it: docs/CONFIGURATION.md and kvl_config_keys_json() list all settings */
    static final int ERR_UNKNOWN_KEY = -3;
    /** a setting, or a term of an answer or a put (TTL, stale TTL, priority, cost, version, tags), has the wrong type, is out of range, or contradicts another */
    static final int ERR_BAD_VALUE = -4;
    /** the runtime has been freed */
    static final int ERR_INVALID_HANDLE = -5;
    /** the key is longer than 65,535 bytes (KVL_KEY_MAX) */
    static final int ERR_KEY_TOO_LONG = -6;
    /** the value or the request is not of the kind that this function needs: an object has no bytes, for example */
    static final int ERR_WRONG_KIND = -7;
    /** the index is not below the length */
    static final int ERR_OUT_OF_RANGE = -8;
    /** this key of the request has been answered already, or the request is finished */
    static final int ERR_ALREADY_ANSWERED = -9;
    /** already used: a fetch handle serves one fetch, a cancel hook is set once, and an error is changed only before it is shared */
    static final int ERR_ALREADY_USED = -10;
    /** the configuration has no provider: kvl_config_set_provider() */
    static final int ERR_NO_PROVIDER = -11;
    /** the function to call is NULL: set it, or have its events sent to a queue that kvl_queue_next() reads */
    static final int ERR_NO_CALLBACK = -12;
    /** still in use: an engine or a cache is attached and must be freed first, or another thread reads the queue */
    static final int ERR_BUSY = -13;
    /** out of memory */
    static final int ERR_NO_MEMORY = -100;
    /** the system refused a thread */
    static final int ERR_NO_THREAD = -101;
    /** the system refused a descriptor or handle for the queue, or this function is for another system */
    static final int ERR_NO_FD = -102;
    /** this call cannot wait: requests go to a queue, which this thread may have to read */
    static final int ERR_UNSUPPORTED = -103;
    /** the file system reported an error: kvl_error_message() gives details */
    static final int ERR_IO = -104;
    /** the file is damaged, or is not a saved cache; entries read before the damage are stored */
    static final int ERR_CORRUPT = -105;
    /** the file ends too early; entries read before its end are stored */
    static final int ERR_TRUNCATED = -106;
    /** the file has a version that this library does not support */
    static final int ERR_FILE_VERSION = -107;
    /** the engine is closed */
    static final int ERR_CLOSED = -200;
    /** the handle was created before a fork: create a new one in the child */
    static final int ERR_FORKED = -201;
    /** this function may not be called from inside a callback, because it would wait for that callback */
    static final int ERR_REENTRANT = -202;
    /** the provider failed */
    static final int ERR_PROVIDER = -300;
    /** the timeout expired before an answer arrived */
    static final int ERR_TIMEOUT = -301;
    /** the fetch was cancelled, a save or load of a cache was stopped, or the request is no longer wanted */
    static final int ERR_CANCELLED = -302;
    /** the queue was full of keys at least as urgent as this one, or a newer key took the place of this one: raise queue.max_keys or tasks.max_running, or fetch many keys in one call, because such keys may wait without a place */
    static final int ERR_QUEUE_FULL = -303;
    /** the provider finished without an answer for this key */
    static final int ERR_UNANSWERED = -304;
    /** the circuit breaker is open, because the provider failed too often or the program forced it: for now, the provider receives no requests */
    static final int ERR_UNAVAILABLE = -305;
    /** an internal error was caught: please report it */
    static final int ERR_PANIC = -900;
    /** Results, progress, the notice of a close, and the freeing of the fetches' user data go to the queue. */
    static final int QUEUE_F_RESULTS = 1;
    /** Requests and cancel hooks go to the queue. */
    static final int QUEUE_F_PROVIDER = 2;
    /** Removals go to the queue. */
    static final int QUEUE_F_REMOVALS = 4;
    /** The three flags above together. */
    static final int QUEUE_F_ALL = 7;
    /** Requests for the second tier go to the queue. Not part of KVL_QUEUE_F_ALL: a program that drives everything else by its queue may still have a second tier whose function is called. */
    static final int QUEUE_F_L2 = 8;
    /** Close at once: open positions are settled with KVL_ERR_CLOSED. */
    static final int CLOSE_CANCEL = 0;
    /** Close when accepted work is done, or at the deadline. */
    static final int CLOSE_DRAIN = 1;
    /** Invalidates all keys: the call passes none. */
    static final int INVALIDATE_F_ALL = 1;
    /** Entries expire instead of being removed, and stay as fallbacks until their grace period ends. */
    static final int INVALIDATE_F_EXPIRE = 2;
    /** A request to look keys up. Answer each key with kvl_l2_request_hit(), kvl_l2_request_hit_object(), kvl_l2_request_miss(), kvl_l2_request_leased() or kvl_l2_request_fail(). */
    static final int L2_READ = 1;
    /** A request to store entries that were loaded, each only if its key has not changed since it was looked up. */
    static final int L2_FILL = 2;
    /** A request to store entries that were put. */
    static final int L2_WRITE = 3;
    /** A request to remove keys. */
    static final int L2_REMOVE = 4;
    /** A request to remove all keys, which names none. */
    static final int L2_CLEAR = 5;
    /** The second tier compares tokens: it stores an entry of KVL_L2_FILL only if the entry's token is still the key's token. */
    static final int L2_F_CONDITIONAL = 1;
    /** The second tier grants leases: the first read of an absent key receives a token, and other reads of the key receive none until the key is written or the token expires. */
    static final int L2_F_LEASES = 2;
    /** The second tier stores objects too: the program converts them to bytes and back. Without this flag, objects stay in the process. */
    static final int L2_F_OBJECTS = 4;
    /** What is left of a TTL: the second tier does not know it, but ends entries in time. */
    static final int L2_TTL_UNKNOWN = -2;
    /** The circuit breaker lets requests through. */
    static final int BREAKER_CLOSED = 0;
    /** The circuit breaker keeps requests from the provider. */
    static final int BREAKER_OPEN = 1;
    /** The circuit breaker lets probes through. */
    static final int BREAKER_HALF_OPEN = 2;
    /** The circuit breaker is not forced. */
    static final int BREAKER_FORCE_NONE = 0;
    /** The circuit breaker is forced closed. */
    static final int BREAKER_FORCE_CLOSED = 1;
    /** The circuit breaker is forced open. */
    static final int BREAKER_FORCE_OPEN = 2;
    /** A value of bytes. */
    static final int KIND_BYTES = 1;
    /** A value that is a pointer of the program. */
    static final int KIND_OBJECT = 2;
    /** The constant that stands for "known to be absent". */
    static final int KIND_NULL = 3;
    /** In the flags of results and events: no further event of this fetch follows. */
    static final int F_LAST = 1;
    /** In the flags of a result: the value, or the null, had expired and served as a fallback. {@code error} is the error of the load; it is NULL if the load takes too long ({@code stale.timeout_ms}). */
    static final int F_STALE = 2;
    /** The request is wanted. */
    static final int CANCEL_NO = 0;
    /** None of the request's keys is wanted any more. */
    static final int CANCEL_UNWANTED = 1;
    /** The attempt has timed out. */
    static final int CANCEL_TIMEOUT = 2;
    /** The engine closes. */
    static final int CANCEL_CLOSED = 3;
    /** A TTL: the entry never expires. */
    static final int TTL_NEVER = -1;
    /** A TTL: that of the configuration ({@code cache.ttl_ms}, {@code cache.null_ttl_ms}). */
    static final int TTL_DEFAULT = -2;
    /** A grace period: none. */
    static final int STALE_NEVER = -1;
    /** A cost: the cost function's, or else the value's own. */
    static final int COST_DEFAULT = -1;
    /** A priority: for an answer, the setting {@code priority} of the fetch; for a put, 0. */
    static final double PRIORITY_DEFAULT = -1.7976931348623157e+308;
    /** A put that replaces a live entry keeps the expiry of that entry; {@code ttl_ms} applies only if there is no live entry. */
    static final int PUT_F_KEEP_TTL = 1;
    /** A put takes place only if the key has no live entry; otherwise it returns KVL_CONFLICT. A null is an entry. */
    static final int PUT_F_IF_ABSENT = 2;
    /** A put takes place only if the key has a live entry; otherwise it returns KVL_MISS. A null is an entry. */
    static final int PUT_F_IF_PRESENT = 4;
    /** A timeout: none. */
    static final int FOREVER = -1;
    /** The library's own memory for an entry, in bytes. An entry whose value has a stated cost costs this, plus the value's cost, plus the length of the key. A version and tags cost extra. */
    static final int ENTRY_COST = 90;
    /** An urgency: the default of a refresh. */
    static final int URGENCY_BACKGROUND = -1000;
    /** The maximum length of a tag, and of the version that is stated for a record, in bytes. */
    static final int LABEL_MAX = 255;
    /** The maximum number of tags of an entry. */
    static final int TAGS_MAX = 16;
    /** The maximum length of a key, in bytes. */
    static final int KEY_MAX = 65535;
    /** None: the position failed, or was refused before the lookup. */
    static final int SOURCE_NONE = 0;
    /** The store. */
    static final int SOURCE_STORE = 1;
    /** The provider, in a load that this fetch started. */
    static final int SOURCE_PROVIDER = 2;
    /** The provider, in a load that was in progress: one of another fetch, or of an earlier position of this fetch with the same key. */
    static final int SOURCE_JOINED = 3;
    /** A put, which settled a key that was waiting for its load to begin. */
    static final int SOURCE_PUT = 4;
    /** The memory of recent errors. */
    static final int SOURCE_ERROR_MEMORY = 5;
    /** The store, with an expired entry that served as a fallback. */
    static final int SOURCE_STALE = 6;
    /** The second tier. */
    static final int SOURCE_L2 = 7;
    /** The entry expired. */
    static final int CAUSE_EXPIRED = 1;
    /** The entry was evicted to make room for another one (cache.capacity). */
    static final int CAUSE_CAPACITY = 2;
    /** The entry was evicted to make room for another one's cost (cache.cost_limit). */
    static final int CAUSE_COST = 3;
    /** Another value was stored under the key. */
    static final int CAUSE_REPLACED = 4;
    /** The entry was removed, taken or popped. */
    static final int CAUSE_REMOVED = 5;
    /** The store was cleared. */
    static final int CAUSE_CLEARED = 6;
    /** The value was refused, and never stored. */
    static final int CAUSE_REFUSED = 7;
    /** The store was trimmed or made smaller. */
    static final int CAUSE_TRIMMED = 8;
    /** The entry was removed by one of its tags. */
    static final int CAUSE_TAG = 9;
    /** One position of a fetch is settled. */
    static final int EVENT_RESULT = 1;
    /** All positions of a batch are settled. */
    static final int EVENT_RESULTS = 2;
    /** Some more positions of a batch are settled. */
    static final int EVENT_PROGRESS = 3;
    /** The provider has a request to answer. */
    static final int EVENT_REQUEST = 4;
    /** A request that the program holds is no longer wanted. */
    static final int EVENT_CANCEL = 5;
    /** The last reference to an object without a destructor was dropped: {@code user_data} is the object. */
    static final int EVENT_DROP = 6;
    /** A value is no longer in the store. */
    static final int EVENT_REMOVAL = 7;
    /** An engine is closed. This is its last event. */
    static final int EVENT_CLOSED = 8;
    /** The second tier has a request to serve. */
    static final int EVENT_L2 = 9;
    /** In the flags of an error: a key that fails with it is not retried, whatever the retry policy is. */
    static final int ERROR_F_PERMANENT = 1;
    /** In the flags of an error: there is no fallback. The expired entry ({@code stale.ttl_ms}) is not served instead of the error, and is removed. */
    static final int ERROR_F_NO_STALE = 2;
    /** Positions that have a value. */
    static final int COUNT_VALUES = 0;
    /** Positions that are known to be absent. */
    static final int COUNT_NULLS = 1;
    /** Positions whose key the validator refused. */
    static final int COUNT_INVALID = 2;
    /** Positions that failed. */
    static final int COUNT_FAILED = 3;
    /** Positions that were answered by the store. */
    static final int COUNT_FROM_STORE = 4;
    /** Positions whose load this fetch started. */
    static final int COUNT_FROM_PROVIDER = 5;
    /** Positions that joined a load in progress, including that of another position of this fetch. */
    static final int COUNT_JOINED = 6;
    /** Positions that received an expired value, or null, as a fallback: KVL_F_STALE. */
    static final int COUNT_STALE = 7;
    /** Positions that were found in the second tier. */
    static final int COUNT_FROM_L2 = 8;
    /** In the flags of kvl_queue_new(): the descriptor is a pipe even on systems with eventfds, for libuv. No effect on Windows. */
    static final int QUEUE_NEW_PIPE = 1;

    /** The size and the offsets of kvl_slice_t. */
    static final class Slice {
        private Slice() {}

        static final int SIZE = 16;
        static final int DATA = 0;
        static final int LEN = 8;
    }

    /** The size and the offsets of kvl_terms_t. */
    static final class Terms {
        private Terms() {}

        static final int SIZE = 80;
        static final int STRUCT_SIZE = 0;
        static final int TTL_MS = 8;
        static final int PRIORITY = 16;
        static final int COST = 24;
        static final int FLAGS = 32;
        static final int RESERVED = 36;
        static final int STALE_TTL_MS = 40;
        static final int VERSION = 48;
        static final int VERSION_LEN = 56;
        static final int TAGS = 64;
        static final int TAGS_LEN = 72;
    }

    /** The size and the offsets of kvl_transfer_t. */
    static final class Transfer {
        private Transfer() {}

        static final int SIZE = 40;
        static final int STRUCT_SIZE = 0;
        static final int ENTRIES = 8;
        static final int SKIPPED = 16;
        static final int TOTAL = 24;
        static final int BYTES = 32;
    }

    /** The size and the offsets of kvl_result_t. */
    static final class Result {
        private Result() {}

        static final int SIZE = 112;
        static final int STRUCT_SIZE = 0;
        static final int INDEX = 8;
        static final int KEY = 16;
        static final int KEY_LEN = 24;
        static final int VALUE = 32;
        static final int DATA = 40;
        static final int DATA_LEN = 48;
        static final int OBJECT = 56;
        static final int ERROR = 64;
        static final int AGE_MS = 72;
        static final int TTL_LEFT_MS = 80;
        static final int COST = 88;
        static final int STATUS = 96;
        static final int SOURCE = 100;
        static final int ATTEMPTS = 104;
        static final int FLAGS = 108;
    }

    /** The size and the offsets of kvl_event_t. */
    static final class Event {
        private Event() {}

        static final int SIZE = 96;
        static final int STRUCT_SIZE = 0;
        static final int KIND = 8;
        static final int FLAGS = 12;
        static final int USER_DATA = 16;
        static final int TASKS = 24;
        static final int RESULT = 32;
        static final int RESULTS = 40;
        static final int REQUEST = 48;
        static final int DONE = 56;
        static final int FAILED = 64;
        static final int TOTAL = 72;
        static final int CAUSE = 80;
        static final int RESERVED = 84;
        static final int L2_REQUEST = 88;
    }

    static native int kvl_version_number();
    static native long kvl_version_string();
    static native long kvl_status_name(int status);
    static native long kvl_status_message(int status);
    static native int kvl_status_is_retriable(int status);
    static native long kvl_status_count();
    static native int kvl_status_at(long i);
    static native int kvl_runtime_new(long outRuntime);
    static native int kvl_runtime_free(long runtime);
    static native int kvl_clock_new_manual(long nowMs, long outClock);
    static native int kvl_clock_advance(long clock, long byMs);
    static native long kvl_clock_now_ms(long clock);
    static native void kvl_clock_release(long clock);
    static native long kvl_config_keys_json();
    static native int kvl_config_new(long outConfig);
    static native int kvl_config_set(long config, long key, long value);
    static native int kvl_config_set_int(long config, long key, long value);
    static native int kvl_config_set_real(long config, long key, double value);
    static native int kvl_config_get(long config, long key, long outText);
    static native long kvl_config_problem(long config);
    static native int kvl_config_set_provider(long config, long function, long userData, long userDataFree);
    static native int kvl_config_set_validator(long config, long function, long userData, long userDataFree);
    static native int kvl_config_set_cost(long config, long function, long userData, long userDataFree);
    static native int kvl_config_set_removal_listener(long config, long function, long userData, long userDataFree);
    static native int kvl_config_set_record_listener(long config, long function, long userData, long userDataFree);
    static native int kvl_config_set_clock(long config, long clock);
    static native int kvl_config_set_runtime(long config, long runtime);
    static native void kvl_config_free(long config);
    static native int kvl_options_new(long outOptions);
    static native int kvl_options_set(long options, long key, long value);
    static native int kvl_options_set_int(long options, long key, long value);
    static native int kvl_options_set_real(long options, long key, double value);
    static native int kvl_options_set_progress(long options, long function, long stepKeys);
    static native long kvl_options_problem(long options);
    static native void kvl_options_free(long options);
    static native long kvl_value_null();
    static native int kvl_value_new_bytes(long data, long len, long outValue);
    static native int kvl_value_new_space(long len, long outData, long outValue);
    static native int kvl_value_new_extern(long data, long len, long userData, long userDataFree, long outValue);
    static native int kvl_value_new_object(long object, long cost, long objectFree, long outValue);
    static native int kvl_value_kind(long value);
    static native long kvl_value_data(long value, long outLen);
    static native long kvl_value_object(long value);
    static native long kvl_value_cost(long value);
    static native long kvl_value_retain(long value);
    static native void kvl_value_release(long value);
    static native void kvl_value_release_many(long values, long n);
    static native int kvl_error_new(long code, long message, long messageLen, int flags, long outError);
    static native int kvl_error_new_object(long code, long message, long messageLen, int flags, long queueOrNull, long object, long objectFree, long outError);
    static native int kvl_error_status(long error);
    static native long kvl_error_code(long error);
    static native long kvl_error_message(long error);
    static native long kvl_error_object(long error);
    static native int kvl_error_is_permanent(long error);
    static native int kvl_error_set_retry_after(long error, long pauseMs);
    static native long kvl_error_retry_after_ms(long error);
    static native long kvl_error_cause(long error);
    static native long kvl_error_retain(long error);
    static native void kvl_error_release(long error);
    static native int kvl_slices_unpack(long packed, long packedLen, long lens, long n, long outSlices);
    static native int kvl_cache_new(long config, long outCache, long outError);
    static native int kvl_cache_get(long cache, long key, long keyLen, long outValue);
    static native int kvl_cache_get_into(long cache, long key, long keyLen, long buf, long cap, long outLen);
    static native int kvl_cache_get_many(long cache, long keys, long n, long outValues, long outStatuses);
    static native int kvl_cache_peek(long cache, long key, long keyLen, long outValue, long outTtlLeftMs, long outCost);
    static native int kvl_cache_contains(long cache, long key, long keyLen);
    static native long kvl_cache_len(long cache);
    static native long kvl_cache_cost(long cache);
    static native long kvl_cache_capacity(long cache);
    static native long kvl_cache_cost_limit(long cache);
    static native long kvl_cache_max_cost(long cache);
    static native int kvl_cache_stats(long cache, long outStats, long outSize);
    static native int kvl_cache_stats_json(long cache, long outText);
    static native int kvl_cache_stats_openmetrics(long cache, long outText);
    static native int kvl_cache_stats_reset(long cache);
    static native long kvl_cache_retain(long cache);
    static native void kvl_cache_release(long cache);
    static native int kvl_cache_put(long cache, long key, long keyLen, long value, long termsOrNull);
    static native int kvl_cache_put_with_victims(long cache, long key, long keyLen, long value, long termsOrNull, long onVictim, long userData);
    static native int kvl_cache_put_bytes(long cache, long key, long keyLen, long data, long len, long termsOrNull);
    static native int kvl_cache_compare_put(long cache, long key, long keyLen, long expected, long value, long termsOrNull);
    static native int kvl_cache_touch(long cache, long key, long keyLen, long ttlMs);
    static native int kvl_cache_remove(long cache, long key, long keyLen);
    static native int kvl_cache_expire(long cache, long key, long keyLen);
    static native int kvl_cache_remove_expired(long cache, long outRemoved);
    static native int kvl_cache_take(long cache, long key, long keyLen, long outValue);
    static native int kvl_cache_pop(long cache, long outValue);
    static native int kvl_cache_trim(long cache, double keepRatio);
    static native int kvl_cache_trim_to(long cache, long entries);
    static native int kvl_cache_clear(long cache);
    static native int kvl_cache_resize(long cache, long capacity, long costLimit);
    static native int kvl_cache_remove_tag(long cache, long tag, long tagLen, long outRemoved);
    static native int kvl_cache_expire_tag(long cache, long tag, long tagLen, long outExpired);
    static native int kvl_cache_expire_all(long cache);
    static native int kvl_cache_save(long cache, long path, long onProgress, long userData, long outTransfer, long outSize, long outError);
    static native int kvl_cache_load(long cache, long path, long onProgress, long userData, long outTransfer, long outSize, long outError);
    static native int kvl_cache_save_encoded(long cache, long path, long encode, long onProgress, long userData, long outTransfer, long outSize, long outError);
    static native int kvl_cache_load_decoded(long cache, long path, long decode, long onProgress, long userData, long outTransfer, long outSize, long outError);
    static native int kvl_reader_new(long cache, long outReader);
    static native int kvl_reader_get(long reader, long key, long keyLen, long outData, long outLen, long outObject);
    static native void kvl_reader_done(long reader);
    static native void kvl_reader_free(long reader);
    static native int kvl_iterator_new(long cache, long outIterator);
    static native int kvl_iterator_next(long iterator, long outEntry, long outSize);
    static native void kvl_iterator_free(long iterator);
    static native int kvl_tasks_new(long config, long outTasks, long outError);
    static native int kvl_tasks_cache(long tasks, long outCache);
    static native int kvl_tasks_fetch(long tasks, long key, long keyLen, long options, long fetch, long function, long userData, long userDataFree, long outValue);
    static native int kvl_tasks_fetch_each(long tasks, long keys, long n, long options, long fetch, long function, long userData, long userDataFree);
    static native int kvl_tasks_fetch_all(long tasks, long keys, long n, long options, long fetch, long function, long userData, long userDataFree, long outReady);
    static native int kvl_tasks_fetch_wait(long tasks, long key, long keyLen, long options, long fetch, long outValue, long outError);
    static native int kvl_tasks_fetch_all_wait(long tasks, long keys, long n, long options, long fetch, long outResults);
    static native int kvl_tasks_refresh(long tasks, long keys, long n, long options);
    static native int kvl_tasks_gather(long tasks, int gathers);
    static native int kvl_tasks_stats(long tasks, long outStats, long outSize);
    static native int kvl_tasks_stats_json(long tasks, long outText);
    static native int kvl_tasks_stats_openmetrics(long tasks, long outText);
    static native int kvl_tasks_stats_reset(long tasks);
    static native int kvl_tasks_close(long tasks, int mode, long deadlineMs, long function, long userData, long userDataFree);
    static native int kvl_tasks_free(long tasks);
    static native void kvl_tasks_dispose(long tasks);
    static native int kvl_cache_get_object(long cache, long key, long keyLen, long outObject, long outValue);
    static native int kvl_tasks_get(long tasks, long key, long keyLen, long outValue);
    static native int kvl_tasks_reads_store_first(long tasks);
    static native int kvl_tasks_get_object(long tasks, long key, long keyLen, long outObject, long outValue);
    static native int kvl_tasks_invalidate(long tasks, long keys, long n, int flags);
    static native int kvl_tasks_breaker_state(long tasks);
    static native int kvl_tasks_breaker_force(long tasks, int force);
    static native int kvl_fetch_new(long outFetch);
    static native int kvl_fetch_set_context(long fetch, long context, long contextFree);
    static native int kvl_fetch_set_urgency(long fetch, int urgency);
    static native int kvl_fetch_cancel(long fetch);
    static native int kvl_fetch_wait(long fetch, long timeoutMs);
    static native int kvl_fetch_progress(long fetch, long outDone, long outFailed, long outTotal);
    static native long kvl_fetch_retain(long fetch);
    static native void kvl_fetch_release(long fetch);
    static native long kvl_results_len(long results);
    static native int kvl_results_status(long results);
    static native long kvl_results_at(long results, long i);
    static native long kvl_results_array(long results, long outStride);
    static native long kvl_results_count(long results, int what);
    static native long kvl_results_count_status(long results, int status);
    static native long kvl_results_error_len(long results);
    static native long kvl_results_error_at(long results, long i);
    static native long kvl_results_retain(long results);
    static native void kvl_results_release(long results);
    static native long kvl_request_len(long request);
    static native int kvl_request_key(long request, long i, long outData, long outLen);
    static native long kvl_request_keys(long request);
    static native int kvl_request_attempt(long request, long i);
    static native long kvl_request_context(long request, long i);
    static native int kvl_request_urgency(long request);
    static native long kvl_request_time_left_ms(long request);
    static native long kvl_request_user_data(long request);
    static native int kvl_request_is_cancelled(long request);
    static native int kvl_request_is_wanted(long request, long i);
    static native int kvl_request_on_cancel(long request, long function, long userData, long userDataFree);
    static native int kvl_request_heartbeat(long request);
    static native int kvl_request_resolve(long request, long i, long value, long termsOrNull);
    static native int kvl_request_resolve_bytes(long request, long i, long data, long len, long termsOrNull);
    static native int kvl_request_resolve_object(long request, long i, long object, long cost, long objectFree, long termsOrNull);
    static native int kvl_request_fail(long request, long i, long errorOrNull);
    static native int kvl_request_fail_text(long request, long i, long code, long message, int flags);
    static native int kvl_request_supply(long request, long key, long keyLen, long value, long termsOrNull);
    static native int kvl_request_supply_bytes(long request, long key, long keyLen, long data, long len, long termsOrNull);
    static native int kvl_request_finish(long request);
    static native int kvl_request_finish_nulls(long request);
    static native int kvl_request_finish_error(long request, long errorOrNull);
    static native long kvl_request_retain(long request);
    static native void kvl_request_release(long request);
    static native int kvl_request_stale(long request, long i, long outValue, long outAgeMs, long outVersion);
    static native int kvl_request_not_modified(long request, long i, long termsOrNull);
    static native int kvl_config_set_l2(long config, int abilities, long function, long userData, long userDataFree);
    static native int kvl_l2_request_kind(long request);
    static native long kvl_l2_request_len(long request);
    static native long kvl_l2_request_keys(long request);
    static native int kvl_l2_request_entry(long request, long i, long outData, long outLen, long outTtlMs, long outToken, long outTokenLen);
    static native int kvl_l2_request_value(long request, long i, long outValue);
    static native int kvl_l2_request_set_payload(long request, long i, long data, long len);
    static native int kvl_l2_request_payload(long request, long i, long data, long len, long outData, long outLen);
    static native int kvl_l2_request_hit_object(long request, long i, long data, long len, long ttlLeftMs, long token, long tokenLen, long value);
    static native int kvl_l2_request_hit(long request, long i, long data, long len, long ttlLeftMs, long token, long tokenLen);
    static native int kvl_l2_request_miss(long request, long i, long token, long tokenLen);
    static native int kvl_l2_request_leased(long request, long i);
    static native int kvl_l2_request_steals(long request, long i);
    static native int kvl_l2_request_refused(long request, long i);
    static native int kvl_l2_request_fail(long request, long i);
    static native int kvl_l2_request_finish(long request);
    static native long kvl_l2_request_retain(long request);
    static native void kvl_l2_request_release(long request);
    static native int kvl_tasks_l2_sync(long tasks, long timeoutMs);
    static native int kvl_queue_new(int flags, long outQueue);
    static native int kvl_queue_fd(long queue, long outFd);
    static native int kvl_queue_handle(long queue, long outHandle);
    static native int kvl_queue_set_wake(long queue, long function, long userData, long userDataFree);
    static native int kvl_queue_poll(long queue, long max, long timeoutMs, long outRan);
    static native int kvl_queue_next(long queue, long timeoutMs, long outEvent, long outSize);
    static native long kvl_queue_len(long queue);
    static native int kvl_queue_wake(long queue);
    static native int kvl_queue_free(long queue);
    static native void kvl_queue_dispose(long queue);
    static native int kvl_config_set_queue(long config, long queue, int what);
    static native int kvl_value_new_object_on(long queue, long object, long cost, long objectFree, long outValue);
}
