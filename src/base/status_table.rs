// Every status of the library: its name after `KVL_`, its number, whether a retry may help, and a sentence that says what to do. Numbers
// are grouped in blocks and are never reused. Read by `status.rs` and by `build.rs`, each with its own `statuses!`.
statuses! {
    OK = 0, final, "done";

    VALUE = 1, final, "a value";
    NULL = 2, final, "known to be absent";
    MISS = 3, final, "not in the store";
    INVALID_KEY = 4, final, "the validator refused the key";
    PENDING = 5, final, "accepted: the promised events follow";
    EMPTY = 6, final, "nothing within the timeout, a wake-up ended the wait, or an iterator has no more entries";
    REFUSED = 7, final, "not stored: no room for the entry's priority, capacity 0, or TTL 0; an older value under the key was removed";
    TOO_LARGE = 8, final, "not stored: costs more than one shard's part of cache.cost_limit; an older value under the key was removed";
    TRUNCATED = 9, final, "the buffer is too small: call again with a buffer of the reported length";
    LATE = 10, final, "too late: the attempt had ended before, or the answer is outdated";
    CONFLICT = 11, final, "not stored: the key has an entry already, or no longer has the expected value; nothing changed";

    ERR_INVALID_ARG = -1, final, "an argument is out of range or has unknown flags";
    ERR_NULL_POINTER = -2, final, "a pointer that must not be NULL is NULL";
    ERR_UNKNOWN_KEY = -3, final, "no setting has this name, or a fetch cannot set it: docs/CONFIGURATION.md and kvl_config_keys_json() list all settings";
    ERR_BAD_VALUE = -4, final, "a setting, or a term of an answer or a put (TTL, stale TTL, priority, cost, version, tags), has the wrong type, is out of range, or contradicts another";
    ERR_INVALID_HANDLE = -5, final, "the runtime has been freed";
    ERR_KEY_TOO_LONG = -6, final, "the key is longer than 65,535 bytes (KVL_KEY_MAX)";
    ERR_WRONG_KIND = -7, final, "the value or the request is not of the kind that this function needs: an object has no bytes, for example";
    ERR_OUT_OF_RANGE = -8, final, "the index is not below the length";
    ERR_ALREADY_ANSWERED = -9, final, "this key of the request has been answered already, or the request is finished";
    ERR_ALREADY_USED = -10, final, "already used: a fetch handle serves one fetch, a cancel hook is set once, and an error is changed only before it is shared";
    ERR_NO_PROVIDER = -11, final, "the configuration has no provider: kvl_config_set_provider()";
    ERR_NO_CALLBACK = -12, final, "the function to call is NULL: set it, or have its events sent to a queue that kvl_queue_next() reads";
    ERR_BUSY = -13, final, "still in use: an engine or a cache is attached and must be freed first, or another thread reads the queue";

    ERR_NO_MEMORY = -100, final, "out of memory";
    ERR_NO_THREAD = -101, final, "the system refused a thread";
    ERR_NO_FD = -102, final, "the system refused a descriptor or handle for the queue, or this function is for another system";
    ERR_UNSUPPORTED = -103, final, "this call cannot wait: requests go to a queue, which this thread may have to read";
    ERR_IO = -104, final, "the file system reported an error: kvl_error_message() gives details";
    ERR_CORRUPT = -105, final, "the file is damaged, or is not a saved cache; entries read before the damage are stored";
    ERR_TRUNCATED = -106, final, "the file ends too early; entries read before its end are stored";
    ERR_FILE_VERSION = -107, final, "the file has a version that this library does not support";

    ERR_CLOSED = -200, final, "the engine is closed";
    ERR_FORKED = -201, final, "the handle was created before a fork: create a new one in the child";
    ERR_REENTRANT = -202, final, "this function may not be called from inside a callback, because it would wait for that callback";

    ERR_PROVIDER = -300, retriable, "the provider failed";
    ERR_TIMEOUT = -301, retriable, "the timeout expired before an answer arrived";
    ERR_CANCELLED = -302, final, "the fetch was cancelled, a save or load of a cache was stopped, or the request is no longer wanted";
    ERR_QUEUE_FULL = -303, final, "the queue was full of keys at least as urgent as this one, or a newer key took the place of this one: raise queue.max_keys or tasks.max_running, or fetch many keys in one call, because such keys may wait without a place";
    ERR_UNANSWERED = -304, retriable, "the provider finished without an answer for this key";
    ERR_UNAVAILABLE = -305, retriable, "the circuit breaker is open, because the provider failed too often or the program forced it: for now, the provider receives no requests";

    ERR_PANIC = -900, final, "an internal error was caught: please report it";
}
