// Generated from api/api.json by `make generate`. Do not edit.

package kvlight;

/** The outcome of a key or a call. A number below 0 is an error. */
public enum Status {
    /** Done. */
    OK(0),
    /** A value. */
    VALUE(1),
    /** Known to be absent. */
    NULL(2),
    /** Not in the store. */
    MISS(3),
    /** The validator refused the key. */
    INVALID_KEY(4),
    /** Accepted: the promised events follow. */
    PENDING(5),
    /** Nothing within the timeout, a wake-up ended the wait, or an iterator has no more entries. */
    EMPTY(6),
    /** Not stored: no room for the entry's priority, capacity 0, or TTL 0; an older value under the key was removed. */
    REFUSED(7),
    /** Not stored: costs more than one shard's part of cache.cost_limit; an older value under the key was removed. */
    TOO_LARGE(8),
    /** The buffer is too small: call again with a buffer of the reported length. */
    TRUNCATED(9),
    /** Too late: the attempt had ended before, or the answer is outdated. */
    LATE(10),
    /** Not stored: the key has an entry already, or no longer has the expected value; nothing changed. */
    CONFLICT(11),
    /** An argument is out of range or has unknown flags. */
    ERR_INVALID_ARG(-1),
    /** A pointer that must not be NULL is NULL. */
    ERR_NULL_POINTER(-2),
    /** No setting has this name, or a fetch cannot set it: docs/CONFIGURATION.md and kvl_config_keys_json() list all settings. */
    ERR_UNKNOWN_KEY(-3),
    /** A setting, or a term of an answer or a put (TTL, stale TTL, priority, cost, version, tags), has the wrong type, is out of range, or contradicts another. */
    ERR_BAD_VALUE(-4),
    /** The runtime has been freed. */
    ERR_INVALID_HANDLE(-5),
    /** The key is longer than 65,535 bytes (KVL_KEY_MAX). */
    ERR_KEY_TOO_LONG(-6),
    /** The value or the request is not of the kind that this function needs: an object has no bytes, for example. */
    ERR_WRONG_KIND(-7),
    /** The index is not below the length. */
    ERR_OUT_OF_RANGE(-8),
    /** This key of the request has been answered already, or the request is finished. */
    ERR_ALREADY_ANSWERED(-9),
    /** Already used: a fetch handle serves one fetch, a cancel hook is set once, and an error is changed only before it is shared. */
    ERR_ALREADY_USED(-10),
    /** The configuration has no provider: kvl_config_set_provider(). */
    ERR_NO_PROVIDER(-11),
    /** The function to call is NULL: set it, or have its events sent to a queue that kvl_queue_next() reads. */
    ERR_NO_CALLBACK(-12),
    /** Still in use: an engine or a cache is attached and must be freed first, or another thread reads the queue. */
    ERR_BUSY(-13),
    /** Out of memory. */
    ERR_NO_MEMORY(-100),
    /** The system refused a thread. */
    ERR_NO_THREAD(-101),
    /** The system refused a descriptor or handle for the queue, or this function is for another system. */
    ERR_NO_FD(-102),
    /** This call cannot wait: requests go to a queue, which this thread may have to read. */
    ERR_UNSUPPORTED(-103),
    /** The file system reported an error: kvl_error_message() gives details. */
    ERR_IO(-104),
    /** The file is damaged, or is not a saved cache; entries read before the damage are stored. */
    ERR_CORRUPT(-105),
    /** The file ends too early; entries read before its end are stored. */
    ERR_TRUNCATED(-106),
    /** The file has a version that this library does not support. */
    ERR_FILE_VERSION(-107),
    /** The engine is closed. */
    ERR_CLOSED(-200),
    /** The handle was created before a fork: create a new one in the child. */
    ERR_FORKED(-201),
    /** This function may not be called from inside a callback, because it would wait for that callback. */
    ERR_REENTRANT(-202),
    /** The provider failed. */
    ERR_PROVIDER(-300),
    /** The timeout expired before an answer arrived. */
    ERR_TIMEOUT(-301),
    /** The fetch was cancelled, a save or load of a cache was stopped, or the request is no longer wanted. */
    ERR_CANCELLED(-302),
    /** The queue was full of keys at least as urgent as this one, or a newer key took the place of this one: raise queue.max_keys or tasks.max_running, or fetch many keys in one call, because such keys may wait without a place. */
    ERR_QUEUE_FULL(-303),
    /** The provider finished without an answer for this key. */
    ERR_UNANSWERED(-304),
    /** The circuit breaker is open, because the provider failed too often or the program forced it: for now, the provider receives no requests. */
    ERR_UNAVAILABLE(-305),
    /** An internal error was caught: please report it. */
    ERR_PANIC(-900),
    /** A status of a later version of the library. */
    UNKNOWN(Integer.MIN_VALUE);

    private static final Status[] ALL = values();
    private final int number;

    Status(int number) {
        this.number = number;
    }

    /**
     * Returns the library's number.
     *
     * @return the number
     */
    public int number() {
        return number;
    }

    static Status of(int number) {
        for (Status one : ALL) {
            if (one.number == number) {
                return one;
            }
        }
        return UNKNOWN;
    }
}
