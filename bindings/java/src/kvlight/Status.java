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
    /** No event within the timeout, or the wait was interrupted by a wake-up. */
    EMPTY(6),
    /** Not stored: no room for the entry's priority, capacity 0, or TTL 0; an older value under the key was removed. */
    REFUSED(7),
    /** Not stored: costs more than one shard's part of cache.cost_limit; an older value under the key was removed. */
    TOO_LARGE(8),
    /** The buffer is too small: call again with one of the length that was reported. */
    TRUNCATED(9),
    /** The attempt had ended before this answer arrived. */
    LATE(10),
    /** Not stored: the key has an entry already, or no longer has the expected value; nothing changed. */
    CONFLICT(11),
    /** An argument is out of range or has unknown flags. */
    ERR_INVALID_ARG(-1),
    /** A pointer that must not be NULL is NULL. */
    ERR_NULL_POINTER(-2),
    /** No setting of that name: docs/CONFIGURATION.md lists them, and so does kvl_config_keys_json(). */
    ERR_UNKNOWN_KEY(-3),
    /** A setting or a term has the wrong type, or is out of range; kvl_config_problem() gives details of a setting. */
    ERR_BAD_VALUE(-4),
    /** The runtime has been freed. */
    ERR_INVALID_HANDLE(-5),
    /** The key is longer than 65,535 bytes (KVL_KEY_MAX). */
    ERR_KEY_TOO_LONG(-6),
    /** The value or the request is of another kind than this function needs: the bytes of an object, for example. */
    ERR_WRONG_KIND(-7),
    /** The index is not below the length. */
    ERR_OUT_OF_RANGE(-8),
    /** This key of the request has been answered already. */
    ERR_ALREADY_ANSWERED(-9),
    /** Already used: a fetch handle serves one fetch, a cancel hook is set once, and an error is changed only before it is shared. */
    ERR_ALREADY_USED(-10),
    /** The configuration has no provider: kvl_config_set_provider(). */
    ERR_NO_PROVIDER(-11),
    /** A callback is NULL and there is no queue for the event. */
    ERR_NO_CALLBACK(-12),
    /** Still in use: an engine or a cache is attached and must be freed first, or another thread reads the queue. */
    ERR_BUSY(-13),
    /** Out of memory. */
    ERR_NO_MEMORY(-100),
    /** The system refused a thread. */
    ERR_NO_THREAD(-101),
    /** The system refused a file descriptor, or has no such descriptor or handle. */
    ERR_NO_FD(-102),
    /** Not possible in this mode or on this system. */
    ERR_UNSUPPORTED(-103),
    /** The file system reported an error: kvl_error_message() gives details. */
    ERR_IO(-104),
    /** The file is damaged, or is not a saved cache; entries read before the damage are stored. */
    ERR_CORRUPT(-105),
    /** The file ends too early; entries read before its end are stored. */
    ERR_TRUNCATED(-106),
    /** The file has a later version than this library supports. */
    ERR_FILE_VERSION(-107),
    /** The engine is closed. */
    ERR_CLOSED(-200),
    /** The handle was created before a fork: create a new one in the child. */
    ERR_FORKED(-201),
    /** This function may not be called from inside a callback, since it would wait for itself. */
    ERR_REENTRANT(-202),
    /** The provider failed. */
    ERR_PROVIDER(-300),
    /** The timeout expired before an answer arrived. */
    ERR_TIMEOUT(-301),
    /** The fetch was cancelled. */
    ERR_CANCELLED(-302),
    /** The queue was full of keys at least as urgent as this one, or a newer key took its place: raise queue.max_keys or tasks.max_running, or fetch many keys in one call, which may wait without a place. */
    ERR_QUEUE_FULL(-303),
    /** The provider finished without an answer for this key. */
    ERR_UNANSWERED(-304),
    /** The circuit breaker is open: the provider fails too often, and receives no requests for breaker.open_ms. */
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
