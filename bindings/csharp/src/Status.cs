// Generated from api/api.json by `make generate`. Do not edit.

namespace Kvlight
{
    /// <summary>The outcome of a key or a call. A number below 0 is an error.</summary>
    public enum Status
    {
        /// <summary>done</summary>
        Ok = 0,
        /// <summary>a value</summary>
        Value = 1,
        /// <summary>known to be absent</summary>
        Null = 2,
        /// <summary>not in the store</summary>
        Miss = 3,
        /// <summary>the validator refused the key</summary>
        InvalidKey = 4,
        /// <summary>accepted: the promised events follow</summary>
        Pending = 5,
        /// <summary>nothing within the timeout, a wake-up ended the wait, or an iterator has no more entries</summary>
        Empty = 6,
        /// <summary>not stored: no room for the entry's priority, capacity 0, or TTL 0; an older value under the key was removed</summary>
        Refused = 7,
        /// <summary>not stored: costs more than one shard's part of cache.cost_limit; an older value under the key was removed</summary>
        TooLarge = 8,
        /// <summary>the buffer is too small: call again with a buffer of the reported length</summary>
        Truncated = 9,
        /// <summary>too late: the attempt had ended before, or the answer is outdated</summary>
        Late = 10,
        /// <summary>not stored: the key has an entry already, or no longer has the expected value; nothing changed</summary>
        Conflict = 11,
        /// <summary>an argument is out of range or has unknown flags</summary>
        ErrInvalidArg = -1,
        /// <summary>a pointer that must not be NULL is NULL</summary>
        ErrNullPointer = -2,
        /// <summary>no setting has this name, or a fetch cannot set it: docs/CONFIGURATION.md and kvl_config_keys_json() list all settings</summary>
        ErrUnknownKey = -3,
        /// <summary>a setting, or a term of an answer or a put (TTL, stale TTL, priority, cost, version, tags), has the wrong type, is out of range, or contradicts another</summary>
        ErrBadValue = -4,
        /// <summary>the runtime has been freed</summary>
        ErrInvalidHandle = -5,
        /// <summary>the key is longer than 65,535 bytes (KVL_KEY_MAX)</summary>
        ErrKeyTooLong = -6,
        /// <summary>the value or the request is not of the kind that this function needs: an object has no bytes, for example</summary>
        ErrWrongKind = -7,
        /// <summary>the index is not below the length</summary>
        ErrOutOfRange = -8,
        /// <summary>this key of the request has been answered already, or the request is finished</summary>
        ErrAlreadyAnswered = -9,
        /// <summary>already used: a fetch handle serves one fetch, a cancel hook is set once, and an error is changed only before it is shared</summary>
        ErrAlreadyUsed = -10,
        /// <summary>the configuration has no provider: kvl_config_set_provider()</summary>
        ErrNoProvider = -11,
        /// <summary>the function to call is NULL: set it, or have its events sent to a queue that kvl_queue_next() reads</summary>
        ErrNoCallback = -12,
        /// <summary>still in use: an engine or a cache is attached and must be freed first, or another thread reads the queue</summary>
        ErrBusy = -13,
        /// <summary>out of memory</summary>
        ErrNoMemory = -100,
        /// <summary>the system refused a thread</summary>
        ErrNoThread = -101,
        /// <summary>the system refused a descriptor or handle for the queue, or this function is for another system</summary>
        ErrNoFd = -102,
        /// <summary>this call cannot wait: requests go to a queue, which this thread may have to read</summary>
        ErrUnsupported = -103,
        /// <summary>the file system reported an error: kvl_error_message() gives details</summary>
        ErrIo = -104,
        /// <summary>the file is damaged, or is not a saved cache; entries read before the damage are stored</summary>
        ErrCorrupt = -105,
        /// <summary>the file ends too early; entries read before its end are stored</summary>
        ErrTruncated = -106,
        /// <summary>the file has a version that this library does not support</summary>
        ErrFileVersion = -107,
        /// <summary>the engine is closed</summary>
        ErrClosed = -200,
        /// <summary>the handle was created before a fork: create a new one in the child</summary>
        ErrForked = -201,
        /// <summary>this function may not be called from inside a callback, because it would wait for that callback</summary>
        ErrReentrant = -202,
        /// <summary>the provider failed</summary>
        ErrProvider = -300,
        /// <summary>the timeout expired before an answer arrived</summary>
        ErrTimeout = -301,
        /// <summary>the fetch was cancelled, a save or load of a cache was stopped, or the request is no longer wanted</summary>
        ErrCancelled = -302,
        /// <summary>the queue was full of keys at least as urgent as this one, or a newer key took the place of this one: raise queue.max_keys or tasks.max_running, or fetch many keys in one call, because such keys may wait without a place</summary>
        ErrQueueFull = -303,
        /// <summary>the provider finished without an answer for this key</summary>
        ErrUnanswered = -304,
        /// <summary>the circuit breaker is open, because the provider failed too often or the program forced it: for now, the provider receives no requests</summary>
        ErrUnavailable = -305,
        /// <summary>an internal error was caught: please report it</summary>
        ErrPanic = -900,
    }

    /// <summary>Where the result of a key came from.</summary>
    public enum Source
    {
        /// <summary>None: the position failed, or was refused before the lookup.</summary>
        None = 0,
        /// <summary>The store.</summary>
        Store = 1,
        /// <summary>The provider, in a load that this fetch started.</summary>
        Provider = 2,
        /// <summary>The provider, in a load that was in progress: one of another fetch, or of an earlier position of this fetch with the same key.</summary>
        Joined = 3,
        /// <summary>A put, which settled a key that was waiting for its load to begin.</summary>
        Put = 4,
        /// <summary>The memory of recent errors.</summary>
        ErrorMemory = 5,
        /// <summary>The store, with an expired entry that served as a fallback.</summary>
        Stale = 6,
        /// <summary>The second tier.</summary>
        L2 = 7,
    }

    /// <summary>Why an entry is no longer in the cache.</summary>
    public enum RemovalCause
    {
        /// <summary>The entry expired.</summary>
        Expired = 1,
        /// <summary>The entry was evicted to make room for another one (cache.capacity).</summary>
        Capacity = 2,
        /// <summary>The entry was evicted to make room for another one's cost (cache.cost_limit).</summary>
        Cost = 3,
        /// <summary>Another value was stored under the key.</summary>
        Replaced = 4,
        /// <summary>The entry was removed, taken or popped.</summary>
        Removed = 5,
        /// <summary>The store was cleared.</summary>
        Cleared = 6,
        /// <summary>The value was refused, and never stored.</summary>
        Refused = 7,
        /// <summary>The store was trimmed or made smaller.</summary>
        Trimmed = 8,
        /// <summary>The entry was removed by one of its tags.</summary>
        Tag = 9,
    }
}
