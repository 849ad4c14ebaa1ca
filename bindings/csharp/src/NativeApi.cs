// Generated from api/api.json by `make generate`. Do not edit.

using System;
using System.Runtime.InteropServices;

namespace Kvlight
{
    /// <summary>The library's functions, the offsets of its structs, and its constants. Sizes are longs.</summary>
    internal static unsafe class NativeApi
    {
        internal const string VERSION = "0.2.0";
        internal const uint VERSION_NUMBER = 2000;
        /// <summary>done</summary>
        internal const int OK = 0;
        /// <summary>a value</summary>
        internal const int VALUE = 1;
        /// <summary>known to be absent</summary>
        internal const int NULL = 2;
        /// <summary>not in the store</summary>
        internal const int MISS = 3;
        /// <summary>the validator refused the key</summary>
        internal const int INVALID_KEY = 4;
        /// <summary>accepted: the promised events follow</summary>
        internal const int PENDING = 5;
        /// <summary>nothing within the timeout, a wake-up ended the wait, or an iterator has no more entries</summary>
        internal const int EMPTY = 6;
        /// <summary>not stored: no room for the entry's priority, capacity 0, or TTL 0; an older value under the key was removed</summary>
        internal const int REFUSED = 7;
        /// <summary>not stored: costs more than one shard's part of cache.cost_limit; an older value under the key was removed</summary>
        internal const int TOO_LARGE = 8;
        /// <summary>the buffer is too small: call again with a buffer of the reported length</summary>
        internal const int TRUNCATED = 9;
        /// <summary>too late: the attempt had ended before, or the answer is outdated</summary>
        internal const int LATE = 10;
        /// <summary>not stored: the key has an entry already, or no longer has the expected value; nothing changed</summary>
        internal const int CONFLICT = 11;
        /// <summary>an argument is out of range or has unknown flags</summary>
        internal const int ERR_INVALID_ARG = -1;
        /// <summary>a pointer that must not be NULL is NULL</summary>
        internal const int ERR_NULL_POINTER = -2;
        /// <summary>no setting has this name, or a fetch cannot set it: docs/CONFIGURATION.md and kvl_config_keys_json() list all settings</summary>
        internal const int ERR_UNKNOWN_KEY = -3;
        /// <summary>a setting, or a term of an answer or a put (TTL, stale TTL, priority, cost, version, tags), has the wrong type, is out of range, or contradicts another</summary>
        internal const int ERR_BAD_VALUE = -4;
        /// <summary>the runtime has been freed</summary>
        internal const int ERR_INVALID_HANDLE = -5;
        /// <summary>the key is longer than 65,535 bytes (KVL_KEY_MAX)</summary>
        internal const int ERR_KEY_TOO_LONG = -6;
        /// <summary>the value or the request is not of the kind that this function needs: an object has no bytes, for example</summary>
        internal const int ERR_WRONG_KIND = -7;
        /// <summary>the index is not below the length</summary>
        internal const int ERR_OUT_OF_RANGE = -8;
        /// <summary>this key of the request has been answered already, or the request is finished</summary>
        internal const int ERR_ALREADY_ANSWERED = -9;
        /// <summary>already used: a fetch handle serves one fetch, a cancel hook is set once, and an error is changed only before it is shared</summary>
        internal const int ERR_ALREADY_USED = -10;
        /// <summary>the configuration has no provider: kvl_config_set_provider()</summary>
        internal const int ERR_NO_PROVIDER = -11;
        /// <summary>the function to call is NULL: set it, or have its events sent to a queue that kvl_queue_next() reads</summary>
        internal const int ERR_NO_CALLBACK = -12;
        /// <summary>still in use: an engine or a cache is attached and must be freed first, or another thread reads the queue</summary>
        internal const int ERR_BUSY = -13;
        /// <summary>out of memory</summary>
        internal const int ERR_NO_MEMORY = -100;
        /// <summary>the system refused a thread</summary>
        internal const int ERR_NO_THREAD = -101;
        /// <summary>the system refused a descriptor or handle for the queue, or this function is for another system</summary>
        internal const int ERR_NO_FD = -102;
        /// <summary>this call cannot wait: requests go to a queue, which this thread may have to read</summary>
        internal const int ERR_UNSUPPORTED = -103;
        /// <summary>the file system reported an error: kvl_error_message() gives details</summary>
        internal const int ERR_IO = -104;
        /// <summary>the file is damaged, or is not a saved cache; entries read before the damage are stored</summary>
        internal const int ERR_CORRUPT = -105;
        /// <summary>the file ends too early; entries read before its end are stored</summary>
        internal const int ERR_TRUNCATED = -106;
        /// <summary>the file has a version that this library does not support</summary>
        internal const int ERR_FILE_VERSION = -107;
        /// <summary>the engine is closed</summary>
        internal const int ERR_CLOSED = -200;
        /// <summary>the handle was created before a fork: create a new one in the child</summary>
        internal const int ERR_FORKED = -201;
        /// <summary>this function may not be called from inside a callback, because it would wait for that callback</summary>
        internal const int ERR_REENTRANT = -202;
        /// <summary>the provider failed</summary>
        internal const int ERR_PROVIDER = -300;
        /// <summary>the timeout expired before an answer arrived</summary>
        internal const int ERR_TIMEOUT = -301;
        /// <summary>the fetch was cancelled, a save or load of a cache was stopped, or the request is no longer wanted</summary>
        internal const int ERR_CANCELLED = -302;
        /// <summary>the queue was full of keys at least as urgent as this one, or a newer key took the place of this one: raise queue.max_keys or tasks.max_running, or fetch many keys in one call, because such keys may wait without a place</summary>
        internal const int ERR_QUEUE_FULL = -303;
        /// <summary>the provider finished without an answer for this key</summary>
        internal const int ERR_UNANSWERED = -304;
        /// <summary>the circuit breaker is open, because the provider failed too often or the program forced it: for now, the provider receives no requests</summary>
        internal const int ERR_UNAVAILABLE = -305;
        /// <summary>an internal error was caught: please report it</summary>
        internal const int ERR_PANIC = -900;
        /// <summary>Results, progress, the notice of a close, and the freeing of the fetches' user data go to the queue.</summary>
        internal const int QUEUE_F_RESULTS = 1;
        /// <summary>Requests and cancel hooks go to the queue.</summary>
        internal const int QUEUE_F_PROVIDER = 2;
        /// <summary>Removals go to the queue.</summary>
        internal const int QUEUE_F_REMOVALS = 4;
        /// <summary>The three flags above together.</summary>
        internal const int QUEUE_F_ALL = 7;
        /// <summary>Requests for the second tier go to the queue. Not part of KVL_QUEUE_F_ALL: a program that drives everything else by its queue may still have a second tier whose function is called.</summary>
        internal const int QUEUE_F_L2 = 8;
        /// <summary>Close at once: open positions are settled with KVL_ERR_CLOSED.</summary>
        internal const int CLOSE_CANCEL = 0;
        /// <summary>Close when accepted work is done, or at the deadline.</summary>
        internal const int CLOSE_DRAIN = 1;
        /// <summary>Invalidates all keys: the call passes none.</summary>
        internal const int INVALIDATE_F_ALL = 1;
        /// <summary>Entries expire instead of being removed, and stay as fallbacks until their grace period ends.</summary>
        internal const int INVALIDATE_F_EXPIRE = 2;
        /// <summary>A request to look keys up. Answer each key with kvl_l2_request_hit(), kvl_l2_request_hit_object(), kvl_l2_request_miss(), kvl_l2_request_leased() or kvl_l2_request_fail().</summary>
        internal const int L2_READ = 1;
        /// <summary>A request to store entries that were loaded, each only if its key has not changed since it was looked up.</summary>
        internal const int L2_FILL = 2;
        /// <summary>A request to store entries that were put.</summary>
        internal const int L2_WRITE = 3;
        /// <summary>A request to remove keys.</summary>
        internal const int L2_REMOVE = 4;
        /// <summary>A request to remove all keys, which names none.</summary>
        internal const int L2_CLEAR = 5;
        /// <summary>The second tier compares tokens: it stores an entry of KVL_L2_FILL only if the entry's token is still the key's token.</summary>
        internal const int L2_F_CONDITIONAL = 1;
        /// <summary>The second tier grants leases: the first read of an absent key receives a token, and other reads of the key receive none until the key is written or the token expires.</summary>
        internal const int L2_F_LEASES = 2;
        /// <summary>The second tier stores objects too: the program converts them to bytes and back. Without this flag, objects stay in the process.</summary>
        internal const int L2_F_OBJECTS = 4;
        /// <summary>What is left of a TTL: the second tier does not know it, but ends entries in time.</summary>
        internal const int L2_TTL_UNKNOWN = -2;
        /// <summary>The circuit breaker lets requests through.</summary>
        internal const int BREAKER_CLOSED = 0;
        /// <summary>The circuit breaker keeps requests from the provider.</summary>
        internal const int BREAKER_OPEN = 1;
        /// <summary>The circuit breaker lets probes through.</summary>
        internal const int BREAKER_HALF_OPEN = 2;
        /// <summary>The circuit breaker is not forced.</summary>
        internal const int BREAKER_FORCE_NONE = 0;
        /// <summary>The circuit breaker is forced closed.</summary>
        internal const int BREAKER_FORCE_CLOSED = 1;
        /// <summary>The circuit breaker is forced open.</summary>
        internal const int BREAKER_FORCE_OPEN = 2;
        /// <summary>A value of bytes.</summary>
        internal const int KIND_BYTES = 1;
        /// <summary>A value that is a pointer of the program.</summary>
        internal const int KIND_OBJECT = 2;
        /// <summary>The constant that stands for "known to be absent".</summary>
        internal const int KIND_NULL = 3;
        /// <summary>In the flags of results and events: no further event of this fetch follows.</summary>
        internal const int F_LAST = 1;
        /// <summary>In the flags of a result: the value, or the null, had expired and served as a fallback. error is the error of the load; it is NULL if the load takes too long (stale.timeout_ms).</summary>
        internal const int F_STALE = 2;
        /// <summary>The request is wanted.</summary>
        internal const int CANCEL_NO = 0;
        /// <summary>None of the request's keys is wanted any more.</summary>
        internal const int CANCEL_UNWANTED = 1;
        /// <summary>The attempt has timed out.</summary>
        internal const int CANCEL_TIMEOUT = 2;
        /// <summary>The engine closes.</summary>
        internal const int CANCEL_CLOSED = 3;
        /// <summary>A TTL: the entry never expires.</summary>
        internal const int TTL_NEVER = -1;
        /// <summary>A TTL: that of the configuration (cache.ttl_ms, cache.null_ttl_ms).</summary>
        internal const int TTL_DEFAULT = -2;
        /// <summary>A grace period: none.</summary>
        internal const int STALE_NEVER = -1;
        /// <summary>A cost: the cost function's, or else the value's own.</summary>
        internal const int COST_DEFAULT = -1;
        /// <summary>A priority: for an answer, the setting priority of the fetch; for a put, 0.</summary>
        internal const double PRIORITY_DEFAULT = -1.7976931348623157e+308;
        /// <summary>A put that replaces a live entry keeps the expiry of that entry; ttl_ms applies only if there is no live entry.</summary>
        internal const int PUT_F_KEEP_TTL = 1;
        /// <summary>A put takes place only if the key has no live entry; otherwise it returns KVL_CONFLICT. A null is an entry.</summary>
        internal const int PUT_F_IF_ABSENT = 2;
        /// <summary>A put takes place only if the key has a live entry; otherwise it returns KVL_MISS. A null is an entry.</summary>
        internal const int PUT_F_IF_PRESENT = 4;
        /// <summary>A timeout: none.</summary>
        internal const int FOREVER = -1;
        /// <summary>The library's own memory for an entry, in bytes. An entry whose value has a stated cost costs this, plus the value's cost, plus the length of the key. A version and tags cost extra.</summary>
        internal const int ENTRY_COST = 90;
        /// <summary>An urgency: the default of a refresh.</summary>
        internal const int URGENCY_BACKGROUND = -1000;
        /// <summary>The maximum length of a tag, and of the version that is stated for a record, in bytes.</summary>
        internal const int LABEL_MAX = 255;
        /// <summary>The maximum number of tags of an entry.</summary>
        internal const int TAGS_MAX = 16;
        /// <summary>The maximum length of a key, in bytes.</summary>
        internal const int KEY_MAX = 65535;
        /// <summary>None: the position failed, or was refused before the lookup.</summary>
        internal const int SOURCE_NONE = 0;
        /// <summary>The store.</summary>
        internal const int SOURCE_STORE = 1;
        /// <summary>The provider, in a load that this fetch started.</summary>
        internal const int SOURCE_PROVIDER = 2;
        /// <summary>The provider, in a load that was in progress: one of another fetch, or of an earlier position of this fetch with the same key.</summary>
        internal const int SOURCE_JOINED = 3;
        /// <summary>A put, which settled a key that was waiting for its load to begin.</summary>
        internal const int SOURCE_PUT = 4;
        /// <summary>The memory of recent errors.</summary>
        internal const int SOURCE_ERROR_MEMORY = 5;
        /// <summary>The store, with an expired entry that served as a fallback.</summary>
        internal const int SOURCE_STALE = 6;
        /// <summary>The second tier.</summary>
        internal const int SOURCE_L2 = 7;
        /// <summary>The entry expired.</summary>
        internal const int CAUSE_EXPIRED = 1;
        /// <summary>The entry was evicted to make room for another one (cache.capacity).</summary>
        internal const int CAUSE_CAPACITY = 2;
        /// <summary>The entry was evicted to make room for another one's cost (cache.cost_limit).</summary>
        internal const int CAUSE_COST = 3;
        /// <summary>Another value was stored under the key.</summary>
        internal const int CAUSE_REPLACED = 4;
        /// <summary>The entry was removed, taken or popped.</summary>
        internal const int CAUSE_REMOVED = 5;
        /// <summary>The store was cleared.</summary>
        internal const int CAUSE_CLEARED = 6;
        /// <summary>The value was refused, and never stored.</summary>
        internal const int CAUSE_REFUSED = 7;
        /// <summary>The store was trimmed or made smaller.</summary>
        internal const int CAUSE_TRIMMED = 8;
        /// <summary>The entry was removed by one of its tags.</summary>
        internal const int CAUSE_TAG = 9;
        /// <summary>One position of a fetch is settled.</summary>
        internal const int EVENT_RESULT = 1;
        /// <summary>All positions of a batch are settled.</summary>
        internal const int EVENT_RESULTS = 2;
        /// <summary>Some more positions of a batch are settled.</summary>
        internal const int EVENT_PROGRESS = 3;
        /// <summary>The provider has a request to answer.</summary>
        internal const int EVENT_REQUEST = 4;
        /// <summary>A request that the program holds is no longer wanted.</summary>
        internal const int EVENT_CANCEL = 5;
        /// <summary>The last reference to an object without a destructor was dropped: user_data is the object.</summary>
        internal const int EVENT_DROP = 6;
        /// <summary>A value is no longer in the store.</summary>
        internal const int EVENT_REMOVAL = 7;
        /// <summary>An engine is closed. This is its last event.</summary>
        internal const int EVENT_CLOSED = 8;
        /// <summary>The second tier has a request to serve.</summary>
        internal const int EVENT_L2 = 9;
        /// <summary>In the flags of an error: a key that fails with it is not retried, whatever the retry policy is.</summary>
        internal const int ERROR_F_PERMANENT = 1;
        /// <summary>In the flags of an error: there is no fallback. The expired entry (stale.ttl_ms) is not served instead of the error, and is removed.</summary>
        internal const int ERROR_F_NO_STALE = 2;
        /// <summary>Positions that have a value.</summary>
        internal const int COUNT_VALUES = 0;
        /// <summary>Positions that are known to be absent.</summary>
        internal const int COUNT_NULLS = 1;
        /// <summary>Positions whose key the validator refused.</summary>
        internal const int COUNT_INVALID = 2;
        /// <summary>Positions that failed.</summary>
        internal const int COUNT_FAILED = 3;
        /// <summary>Positions that were answered by the store.</summary>
        internal const int COUNT_FROM_STORE = 4;
        /// <summary>Positions whose load this fetch started.</summary>
        internal const int COUNT_FROM_PROVIDER = 5;
        /// <summary>Positions that joined a load in progress, including that of another position of this fetch.</summary>
        internal const int COUNT_JOINED = 6;
        /// <summary>Positions that received an expired value, or null, as a fallback: KVL_F_STALE.</summary>
        internal const int COUNT_STALE = 7;
        /// <summary>Positions that were found in the second tier.</summary>
        internal const int COUNT_FROM_L2 = 8;
        /// <summary>In the flags of kvl_queue_new(): the descriptor is a pipe even on systems with eventfds, for libuv. No effect on Windows.</summary>
        internal const int QUEUE_NEW_PIPE = 1;

        /// <summary>The size and the offsets of kvl_slice_t.</summary>
        internal static class Slice
        {
            internal const int SIZE = 16;
            internal const int DATA = 0;
            internal const int LEN = 8;
        }

        /// <summary>The size and the offsets of kvl_terms_t.</summary>
        internal static class Terms
        {
            internal const int SIZE = 80;
            internal const int STRUCT_SIZE = 0;
            internal const int TTL_MS = 8;
            internal const int PRIORITY = 16;
            internal const int COST = 24;
            internal const int FLAGS = 32;
            internal const int RESERVED = 36;
            internal const int STALE_TTL_MS = 40;
            internal const int VERSION = 48;
            internal const int VERSION_LEN = 56;
            internal const int TAGS = 64;
            internal const int TAGS_LEN = 72;
        }

        /// <summary>The size and the offsets of kvl_transfer_t.</summary>
        internal static class Transfer
        {
            internal const int SIZE = 40;
            internal const int STRUCT_SIZE = 0;
            internal const int ENTRIES = 8;
            internal const int SKIPPED = 16;
            internal const int TOTAL = 24;
            internal const int BYTES = 32;
        }

        /// <summary>The size and the offsets of kvl_result_t.</summary>
        internal static class Result
        {
            internal const int SIZE = 112;
            internal const int STRUCT_SIZE = 0;
            internal const int INDEX = 8;
            internal const int KEY = 16;
            internal const int KEY_LEN = 24;
            internal const int VALUE = 32;
            internal const int DATA = 40;
            internal const int DATA_LEN = 48;
            internal const int OBJECT = 56;
            internal const int ERROR = 64;
            internal const int AGE_MS = 72;
            internal const int TTL_LEFT_MS = 80;
            internal const int COST = 88;
            internal const int STATUS = 96;
            internal const int SOURCE = 100;
            internal const int ATTEMPTS = 104;
            internal const int FLAGS = 108;
        }

        /// <summary>The size and the offsets of kvl_event_t.</summary>
        internal static class Event
        {
            internal const int SIZE = 96;
            internal const int STRUCT_SIZE = 0;
            internal const int KIND = 8;
            internal const int FLAGS = 12;
            internal const int USER_DATA = 16;
            internal const int TASKS = 24;
            internal const int RESULT = 32;
            internal const int RESULTS = 40;
            internal const int REQUEST = 48;
            internal const int DONE = 56;
            internal const int FAILED = 64;
            internal const int TOTAL = 72;
            internal const int CAUSE = 80;
            internal const int RESERVED = 84;
            internal const int L2_REQUEST = 88;
        }

#pragma warning disable 649 // The loader sets the fields.
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate uint kvl_version_number_fn();
        internal static kvl_version_number_fn kvl_version_number;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate byte* kvl_version_string_fn();
        internal static kvl_version_string_fn kvl_version_string;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate byte* kvl_status_name_fn(int @status);
        internal static kvl_status_name_fn kvl_status_name;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate byte* kvl_status_message_fn(int @status);
        internal static kvl_status_message_fn kvl_status_message;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate uint kvl_status_is_retriable_fn(int @status);
        internal static kvl_status_is_retriable_fn kvl_status_is_retriable;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long kvl_status_count_fn();
        internal static kvl_status_count_fn kvl_status_count;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_status_at_fn(long @i);
        internal static kvl_status_at_fn kvl_status_at;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_runtime_new_fn(void* @outRuntime);
        internal static kvl_runtime_new_fn kvl_runtime_new;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_runtime_free_fn(IntPtr @runtime);
        internal static kvl_runtime_free_fn kvl_runtime_free;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_clock_new_manual_fn(long @nowMs, void* @outClock);
        internal static kvl_clock_new_manual_fn kvl_clock_new_manual;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_clock_advance_fn(IntPtr @clock, long @byMs);
        internal static kvl_clock_advance_fn kvl_clock_advance;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long kvl_clock_now_ms_fn(IntPtr @clock);
        internal static kvl_clock_now_ms_fn kvl_clock_now_ms;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void kvl_clock_release_fn(IntPtr @clock);
        internal static kvl_clock_release_fn kvl_clock_release;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate byte* kvl_config_keys_json_fn();
        internal static kvl_config_keys_json_fn kvl_config_keys_json;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_config_new_fn(void* @outConfig);
        internal static kvl_config_new_fn kvl_config_new;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_config_set_fn(IntPtr @config, byte* @key, byte* @value);
        internal static kvl_config_set_fn kvl_config_set;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_config_set_int_fn(IntPtr @config, byte* @key, long @value);
        internal static kvl_config_set_int_fn kvl_config_set_int;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_config_set_real_fn(IntPtr @config, byte* @key, double @value);
        internal static kvl_config_set_real_fn kvl_config_set_real;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_config_get_fn(IntPtr @config, byte* @key, void* @outText);
        internal static kvl_config_get_fn kvl_config_get;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate byte* kvl_config_problem_fn(IntPtr @config);
        internal static kvl_config_problem_fn kvl_config_problem;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_config_set_provider_fn(IntPtr @config, IntPtr @function, IntPtr @userData, IntPtr @userDataFree);
        internal static kvl_config_set_provider_fn kvl_config_set_provider;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_config_set_validator_fn(IntPtr @config, IntPtr @function, IntPtr @userData, IntPtr @userDataFree);
        internal static kvl_config_set_validator_fn kvl_config_set_validator;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_config_set_cost_fn(IntPtr @config, IntPtr @function, IntPtr @userData, IntPtr @userDataFree);
        internal static kvl_config_set_cost_fn kvl_config_set_cost;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_config_set_removal_listener_fn(IntPtr @config, IntPtr @function, IntPtr @userData, IntPtr @userDataFree);
        internal static kvl_config_set_removal_listener_fn kvl_config_set_removal_listener;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_config_set_record_listener_fn(IntPtr @config, IntPtr @function, IntPtr @userData, IntPtr @userDataFree);
        internal static kvl_config_set_record_listener_fn kvl_config_set_record_listener;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_config_set_clock_fn(IntPtr @config, IntPtr @clock);
        internal static kvl_config_set_clock_fn kvl_config_set_clock;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_config_set_runtime_fn(IntPtr @config, IntPtr @runtime);
        internal static kvl_config_set_runtime_fn kvl_config_set_runtime;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void kvl_config_free_fn(IntPtr @config);
        internal static kvl_config_free_fn kvl_config_free;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_options_new_fn(void* @outOptions);
        internal static kvl_options_new_fn kvl_options_new;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_options_set_fn(IntPtr @options, byte* @key, byte* @value);
        internal static kvl_options_set_fn kvl_options_set;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_options_set_int_fn(IntPtr @options, byte* @key, long @value);
        internal static kvl_options_set_int_fn kvl_options_set_int;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_options_set_real_fn(IntPtr @options, byte* @key, double @value);
        internal static kvl_options_set_real_fn kvl_options_set_real;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_options_set_progress_fn(IntPtr @options, IntPtr @function, long @stepKeys);
        internal static kvl_options_set_progress_fn kvl_options_set_progress;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate byte* kvl_options_problem_fn(IntPtr @options);
        internal static kvl_options_problem_fn kvl_options_problem;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void kvl_options_free_fn(IntPtr @options);
        internal static kvl_options_free_fn kvl_options_free;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr kvl_value_null_fn();
        internal static kvl_value_null_fn kvl_value_null;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_value_new_bytes_fn(byte* @data, long @len, void* @outValue);
        internal static kvl_value_new_bytes_fn kvl_value_new_bytes;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_value_new_space_fn(long @len, void* @outData, void* @outValue);
        internal static kvl_value_new_space_fn kvl_value_new_space;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_value_new_extern_fn(byte* @data, long @len, IntPtr @userData, IntPtr @userDataFree, void* @outValue);
        internal static kvl_value_new_extern_fn kvl_value_new_extern;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_value_new_object_fn(IntPtr @object, long @cost, IntPtr @objectFree, void* @outValue);
        internal static kvl_value_new_object_fn kvl_value_new_object;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate uint kvl_value_kind_fn(IntPtr @value);
        internal static kvl_value_kind_fn kvl_value_kind;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate byte* kvl_value_data_fn(IntPtr @value, void* @outLen);
        internal static kvl_value_data_fn kvl_value_data;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr kvl_value_object_fn(IntPtr @value);
        internal static kvl_value_object_fn kvl_value_object;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long kvl_value_cost_fn(IntPtr @value);
        internal static kvl_value_cost_fn kvl_value_cost;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr kvl_value_retain_fn(IntPtr @value);
        internal static kvl_value_retain_fn kvl_value_retain;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void kvl_value_release_fn(IntPtr @value);
        internal static kvl_value_release_fn kvl_value_release;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void kvl_value_release_many_fn(void* @values, long @n);
        internal static kvl_value_release_many_fn kvl_value_release_many;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_error_new_fn(long @code, byte* @message, long @messageLen, uint @flags, void* @outError);
        internal static kvl_error_new_fn kvl_error_new;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_error_new_object_fn(long @code, byte* @message, long @messageLen, uint @flags, IntPtr @queueOrNull, IntPtr @object, IntPtr @objectFree, void* @outError);
        internal static kvl_error_new_object_fn kvl_error_new_object;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_error_status_fn(IntPtr @error);
        internal static kvl_error_status_fn kvl_error_status;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long kvl_error_code_fn(IntPtr @error);
        internal static kvl_error_code_fn kvl_error_code;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate byte* kvl_error_message_fn(IntPtr @error);
        internal static kvl_error_message_fn kvl_error_message;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr kvl_error_object_fn(IntPtr @error);
        internal static kvl_error_object_fn kvl_error_object;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate uint kvl_error_is_permanent_fn(IntPtr @error);
        internal static kvl_error_is_permanent_fn kvl_error_is_permanent;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_error_set_retry_after_fn(IntPtr @error, long @pauseMs);
        internal static kvl_error_set_retry_after_fn kvl_error_set_retry_after;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long kvl_error_retry_after_ms_fn(IntPtr @error);
        internal static kvl_error_retry_after_ms_fn kvl_error_retry_after_ms;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr kvl_error_cause_fn(IntPtr @error);
        internal static kvl_error_cause_fn kvl_error_cause;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr kvl_error_retain_fn(IntPtr @error);
        internal static kvl_error_retain_fn kvl_error_retain;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void kvl_error_release_fn(IntPtr @error);
        internal static kvl_error_release_fn kvl_error_release;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_slices_unpack_fn(byte* @packed, long @packedLen, void* @lens, long @n, void* @outSlices);
        internal static kvl_slices_unpack_fn kvl_slices_unpack;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_new_fn(IntPtr @config, void* @outCache, void* @outError);
        internal static kvl_cache_new_fn kvl_cache_new;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_get_fn(IntPtr @cache, byte* @key, long @keyLen, void* @outValue);
        internal static kvl_cache_get_fn kvl_cache_get;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_get_into_fn(IntPtr @cache, byte* @key, long @keyLen, byte* @buf, long @cap, void* @outLen);
        internal static kvl_cache_get_into_fn kvl_cache_get_into;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_get_many_fn(IntPtr @cache, void* @keys, long @n, void* @outValues, void* @outStatuses);
        internal static kvl_cache_get_many_fn kvl_cache_get_many;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_peek_fn(IntPtr @cache, byte* @key, long @keyLen, void* @outValue, void* @outTtlLeftMs, void* @outCost);
        internal static kvl_cache_peek_fn kvl_cache_peek;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_contains_fn(IntPtr @cache, byte* @key, long @keyLen);
        internal static kvl_cache_contains_fn kvl_cache_contains;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long kvl_cache_len_fn(IntPtr @cache);
        internal static kvl_cache_len_fn kvl_cache_len;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long kvl_cache_cost_fn(IntPtr @cache);
        internal static kvl_cache_cost_fn kvl_cache_cost;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long kvl_cache_capacity_fn(IntPtr @cache);
        internal static kvl_cache_capacity_fn kvl_cache_capacity;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long kvl_cache_cost_limit_fn(IntPtr @cache);
        internal static kvl_cache_cost_limit_fn kvl_cache_cost_limit;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long kvl_cache_max_cost_fn(IntPtr @cache);
        internal static kvl_cache_max_cost_fn kvl_cache_max_cost;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_stats_fn(IntPtr @cache, void* @outStats, long @outSize);
        internal static kvl_cache_stats_fn kvl_cache_stats;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_stats_json_fn(IntPtr @cache, void* @outText);
        internal static kvl_cache_stats_json_fn kvl_cache_stats_json;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_stats_openmetrics_fn(IntPtr @cache, void* @outText);
        internal static kvl_cache_stats_openmetrics_fn kvl_cache_stats_openmetrics;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_stats_reset_fn(IntPtr @cache);
        internal static kvl_cache_stats_reset_fn kvl_cache_stats_reset;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr kvl_cache_retain_fn(IntPtr @cache);
        internal static kvl_cache_retain_fn kvl_cache_retain;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void kvl_cache_release_fn(IntPtr @cache);
        internal static kvl_cache_release_fn kvl_cache_release;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_put_fn(IntPtr @cache, byte* @key, long @keyLen, IntPtr @value, void* @termsOrNull);
        internal static kvl_cache_put_fn kvl_cache_put;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_put_with_victims_fn(IntPtr @cache, byte* @key, long @keyLen, IntPtr @value, void* @termsOrNull, IntPtr @onVictim, IntPtr @userData);
        internal static kvl_cache_put_with_victims_fn kvl_cache_put_with_victims;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_put_bytes_fn(IntPtr @cache, byte* @key, long @keyLen, byte* @data, long @len, void* @termsOrNull);
        internal static kvl_cache_put_bytes_fn kvl_cache_put_bytes;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_compare_put_fn(IntPtr @cache, byte* @key, long @keyLen, IntPtr @expected, IntPtr @value, void* @termsOrNull);
        internal static kvl_cache_compare_put_fn kvl_cache_compare_put;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_touch_fn(IntPtr @cache, byte* @key, long @keyLen, long @ttlMs);
        internal static kvl_cache_touch_fn kvl_cache_touch;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_remove_fn(IntPtr @cache, byte* @key, long @keyLen);
        internal static kvl_cache_remove_fn kvl_cache_remove;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_expire_fn(IntPtr @cache, byte* @key, long @keyLen);
        internal static kvl_cache_expire_fn kvl_cache_expire;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_remove_expired_fn(IntPtr @cache, void* @outRemoved);
        internal static kvl_cache_remove_expired_fn kvl_cache_remove_expired;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_take_fn(IntPtr @cache, byte* @key, long @keyLen, void* @outValue);
        internal static kvl_cache_take_fn kvl_cache_take;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_pop_fn(IntPtr @cache, void* @outValue);
        internal static kvl_cache_pop_fn kvl_cache_pop;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_trim_fn(IntPtr @cache, double @keepRatio);
        internal static kvl_cache_trim_fn kvl_cache_trim;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_trim_to_fn(IntPtr @cache, long @entries);
        internal static kvl_cache_trim_to_fn kvl_cache_trim_to;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_clear_fn(IntPtr @cache);
        internal static kvl_cache_clear_fn kvl_cache_clear;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_resize_fn(IntPtr @cache, long @capacity, long @costLimit);
        internal static kvl_cache_resize_fn kvl_cache_resize;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_remove_tag_fn(IntPtr @cache, byte* @tag, long @tagLen, void* @outRemoved);
        internal static kvl_cache_remove_tag_fn kvl_cache_remove_tag;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_expire_tag_fn(IntPtr @cache, byte* @tag, long @tagLen, void* @outExpired);
        internal static kvl_cache_expire_tag_fn kvl_cache_expire_tag;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_expire_all_fn(IntPtr @cache);
        internal static kvl_cache_expire_all_fn kvl_cache_expire_all;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_save_fn(IntPtr @cache, byte* @path, IntPtr @onProgress, IntPtr @userData, void* @outTransfer, long @outSize, void* @outError);
        internal static kvl_cache_save_fn kvl_cache_save;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_load_fn(IntPtr @cache, byte* @path, IntPtr @onProgress, IntPtr @userData, void* @outTransfer, long @outSize, void* @outError);
        internal static kvl_cache_load_fn kvl_cache_load;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_save_encoded_fn(IntPtr @cache, byte* @path, IntPtr @encode, IntPtr @onProgress, IntPtr @userData, void* @outTransfer, long @outSize, void* @outError);
        internal static kvl_cache_save_encoded_fn kvl_cache_save_encoded;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_load_decoded_fn(IntPtr @cache, byte* @path, IntPtr @decode, IntPtr @onProgress, IntPtr @userData, void* @outTransfer, long @outSize, void* @outError);
        internal static kvl_cache_load_decoded_fn kvl_cache_load_decoded;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_reader_new_fn(IntPtr @cache, void* @outReader);
        internal static kvl_reader_new_fn kvl_reader_new;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_reader_get_fn(IntPtr @reader, byte* @key, long @keyLen, void* @outData, void* @outLen, void* @outObject);
        internal static kvl_reader_get_fn kvl_reader_get;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void kvl_reader_done_fn(IntPtr @reader);
        internal static kvl_reader_done_fn kvl_reader_done;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void kvl_reader_free_fn(IntPtr @reader);
        internal static kvl_reader_free_fn kvl_reader_free;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_iterator_new_fn(IntPtr @cache, void* @outIterator);
        internal static kvl_iterator_new_fn kvl_iterator_new;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_iterator_next_fn(IntPtr @iterator, void* @outEntry, long @outSize);
        internal static kvl_iterator_next_fn kvl_iterator_next;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void kvl_iterator_free_fn(IntPtr @iterator);
        internal static kvl_iterator_free_fn kvl_iterator_free;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_new_fn(IntPtr @config, void* @outTasks, void* @outError);
        internal static kvl_tasks_new_fn kvl_tasks_new;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_cache_fn(IntPtr @tasks, void* @outCache);
        internal static kvl_tasks_cache_fn kvl_tasks_cache;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_fetch_fn(IntPtr @tasks, byte* @key, long @keyLen, IntPtr @options, IntPtr @fetch, IntPtr @function, IntPtr @userData, IntPtr @userDataFree, void* @outValue);
        internal static kvl_tasks_fetch_fn kvl_tasks_fetch;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_fetch_each_fn(IntPtr @tasks, void* @keys, long @n, IntPtr @options, IntPtr @fetch, IntPtr @function, IntPtr @userData, IntPtr @userDataFree);
        internal static kvl_tasks_fetch_each_fn kvl_tasks_fetch_each;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_fetch_all_fn(IntPtr @tasks, void* @keys, long @n, IntPtr @options, IntPtr @fetch, IntPtr @function, IntPtr @userData, IntPtr @userDataFree, void* @outReady);
        internal static kvl_tasks_fetch_all_fn kvl_tasks_fetch_all;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_fetch_wait_fn(IntPtr @tasks, byte* @key, long @keyLen, IntPtr @options, IntPtr @fetch, void* @outValue, void* @outError);
        internal static kvl_tasks_fetch_wait_fn kvl_tasks_fetch_wait;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_fetch_all_wait_fn(IntPtr @tasks, void* @keys, long @n, IntPtr @options, IntPtr @fetch, void* @outResults);
        internal static kvl_tasks_fetch_all_wait_fn kvl_tasks_fetch_all_wait;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_refresh_fn(IntPtr @tasks, void* @keys, long @n, IntPtr @options);
        internal static kvl_tasks_refresh_fn kvl_tasks_refresh;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_gather_fn(IntPtr @tasks, uint @gathers);
        internal static kvl_tasks_gather_fn kvl_tasks_gather;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_stats_fn(IntPtr @tasks, void* @outStats, long @outSize);
        internal static kvl_tasks_stats_fn kvl_tasks_stats;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_stats_json_fn(IntPtr @tasks, void* @outText);
        internal static kvl_tasks_stats_json_fn kvl_tasks_stats_json;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_stats_openmetrics_fn(IntPtr @tasks, void* @outText);
        internal static kvl_tasks_stats_openmetrics_fn kvl_tasks_stats_openmetrics;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_stats_reset_fn(IntPtr @tasks);
        internal static kvl_tasks_stats_reset_fn kvl_tasks_stats_reset;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_close_fn(IntPtr @tasks, uint @mode, long @deadlineMs, IntPtr @function, IntPtr @userData, IntPtr @userDataFree);
        internal static kvl_tasks_close_fn kvl_tasks_close;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_free_fn(IntPtr @tasks);
        internal static kvl_tasks_free_fn kvl_tasks_free;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void kvl_tasks_dispose_fn(IntPtr @tasks);
        internal static kvl_tasks_dispose_fn kvl_tasks_dispose;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_cache_get_object_fn(IntPtr @cache, byte* @key, long @keyLen, void* @outObject, void* @outValue);
        internal static kvl_cache_get_object_fn kvl_cache_get_object;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_get_fn(IntPtr @tasks, byte* @key, long @keyLen, void* @outValue);
        internal static kvl_tasks_get_fn kvl_tasks_get;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate uint kvl_tasks_reads_store_first_fn(IntPtr @tasks);
        internal static kvl_tasks_reads_store_first_fn kvl_tasks_reads_store_first;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_get_object_fn(IntPtr @tasks, byte* @key, long @keyLen, void* @outObject, void* @outValue);
        internal static kvl_tasks_get_object_fn kvl_tasks_get_object;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_invalidate_fn(IntPtr @tasks, void* @keys, long @n, uint @flags);
        internal static kvl_tasks_invalidate_fn kvl_tasks_invalidate;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate uint kvl_tasks_breaker_state_fn(IntPtr @tasks);
        internal static kvl_tasks_breaker_state_fn kvl_tasks_breaker_state;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_breaker_force_fn(IntPtr @tasks, uint @force);
        internal static kvl_tasks_breaker_force_fn kvl_tasks_breaker_force;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_fetch_new_fn(void* @outFetch);
        internal static kvl_fetch_new_fn kvl_fetch_new;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_fetch_set_context_fn(IntPtr @fetch, IntPtr @context, IntPtr @contextFree);
        internal static kvl_fetch_set_context_fn kvl_fetch_set_context;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_fetch_set_urgency_fn(IntPtr @fetch, int @urgency);
        internal static kvl_fetch_set_urgency_fn kvl_fetch_set_urgency;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_fetch_cancel_fn(IntPtr @fetch);
        internal static kvl_fetch_cancel_fn kvl_fetch_cancel;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_fetch_wait_fn(IntPtr @fetch, long @timeoutMs);
        internal static kvl_fetch_wait_fn kvl_fetch_wait;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_fetch_progress_fn(IntPtr @fetch, void* @outDone, void* @outFailed, void* @outTotal);
        internal static kvl_fetch_progress_fn kvl_fetch_progress;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr kvl_fetch_retain_fn(IntPtr @fetch);
        internal static kvl_fetch_retain_fn kvl_fetch_retain;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void kvl_fetch_release_fn(IntPtr @fetch);
        internal static kvl_fetch_release_fn kvl_fetch_release;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long kvl_results_len_fn(IntPtr @results);
        internal static kvl_results_len_fn kvl_results_len;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_results_status_fn(IntPtr @results);
        internal static kvl_results_status_fn kvl_results_status;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void* kvl_results_at_fn(IntPtr @results, long @i);
        internal static kvl_results_at_fn kvl_results_at;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void* kvl_results_array_fn(IntPtr @results, void* @outStride);
        internal static kvl_results_array_fn kvl_results_array;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long kvl_results_count_fn(IntPtr @results, uint @what);
        internal static kvl_results_count_fn kvl_results_count;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long kvl_results_count_status_fn(IntPtr @results, int @status);
        internal static kvl_results_count_status_fn kvl_results_count_status;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long kvl_results_error_len_fn(IntPtr @results);
        internal static kvl_results_error_len_fn kvl_results_error_len;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr kvl_results_error_at_fn(IntPtr @results, long @i);
        internal static kvl_results_error_at_fn kvl_results_error_at;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr kvl_results_retain_fn(IntPtr @results);
        internal static kvl_results_retain_fn kvl_results_retain;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void kvl_results_release_fn(IntPtr @results);
        internal static kvl_results_release_fn kvl_results_release;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long kvl_request_len_fn(IntPtr @request);
        internal static kvl_request_len_fn kvl_request_len;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_request_key_fn(IntPtr @request, long @i, void* @outData, void* @outLen);
        internal static kvl_request_key_fn kvl_request_key;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void* kvl_request_keys_fn(IntPtr @request);
        internal static kvl_request_keys_fn kvl_request_keys;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate uint kvl_request_attempt_fn(IntPtr @request, long @i);
        internal static kvl_request_attempt_fn kvl_request_attempt;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr kvl_request_context_fn(IntPtr @request, long @i);
        internal static kvl_request_context_fn kvl_request_context;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_request_urgency_fn(IntPtr @request);
        internal static kvl_request_urgency_fn kvl_request_urgency;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long kvl_request_time_left_ms_fn(IntPtr @request);
        internal static kvl_request_time_left_ms_fn kvl_request_time_left_ms;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr kvl_request_user_data_fn(IntPtr @request);
        internal static kvl_request_user_data_fn kvl_request_user_data;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate uint kvl_request_is_cancelled_fn(IntPtr @request);
        internal static kvl_request_is_cancelled_fn kvl_request_is_cancelled;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate uint kvl_request_is_wanted_fn(IntPtr @request, long @i);
        internal static kvl_request_is_wanted_fn kvl_request_is_wanted;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_request_on_cancel_fn(IntPtr @request, IntPtr @function, IntPtr @userData, IntPtr @userDataFree);
        internal static kvl_request_on_cancel_fn kvl_request_on_cancel;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_request_heartbeat_fn(IntPtr @request);
        internal static kvl_request_heartbeat_fn kvl_request_heartbeat;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_request_resolve_fn(IntPtr @request, long @i, IntPtr @value, void* @termsOrNull);
        internal static kvl_request_resolve_fn kvl_request_resolve;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_request_resolve_bytes_fn(IntPtr @request, long @i, byte* @data, long @len, void* @termsOrNull);
        internal static kvl_request_resolve_bytes_fn kvl_request_resolve_bytes;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_request_resolve_object_fn(IntPtr @request, long @i, IntPtr @object, long @cost, IntPtr @objectFree, void* @termsOrNull);
        internal static kvl_request_resolve_object_fn kvl_request_resolve_object;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_request_fail_fn(IntPtr @request, long @i, IntPtr @errorOrNull);
        internal static kvl_request_fail_fn kvl_request_fail;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_request_fail_text_fn(IntPtr @request, long @i, long @code, byte* @message, uint @flags);
        internal static kvl_request_fail_text_fn kvl_request_fail_text;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_request_supply_fn(IntPtr @request, byte* @key, long @keyLen, IntPtr @value, void* @termsOrNull);
        internal static kvl_request_supply_fn kvl_request_supply;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_request_supply_bytes_fn(IntPtr @request, byte* @key, long @keyLen, byte* @data, long @len, void* @termsOrNull);
        internal static kvl_request_supply_bytes_fn kvl_request_supply_bytes;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_request_finish_fn(IntPtr @request);
        internal static kvl_request_finish_fn kvl_request_finish;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_request_finish_nulls_fn(IntPtr @request);
        internal static kvl_request_finish_nulls_fn kvl_request_finish_nulls;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_request_finish_error_fn(IntPtr @request, IntPtr @errorOrNull);
        internal static kvl_request_finish_error_fn kvl_request_finish_error;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr kvl_request_retain_fn(IntPtr @request);
        internal static kvl_request_retain_fn kvl_request_retain;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void kvl_request_release_fn(IntPtr @request);
        internal static kvl_request_release_fn kvl_request_release;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_request_stale_fn(IntPtr @request, long @i, void* @outValue, void* @outAgeMs, void* @outVersion);
        internal static kvl_request_stale_fn kvl_request_stale;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_request_not_modified_fn(IntPtr @request, long @i, void* @termsOrNull);
        internal static kvl_request_not_modified_fn kvl_request_not_modified;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_config_set_l2_fn(IntPtr @config, uint @abilities, IntPtr @function, IntPtr @userData, IntPtr @userDataFree);
        internal static kvl_config_set_l2_fn kvl_config_set_l2;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate uint kvl_l2_request_kind_fn(IntPtr @request);
        internal static kvl_l2_request_kind_fn kvl_l2_request_kind;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long kvl_l2_request_len_fn(IntPtr @request);
        internal static kvl_l2_request_len_fn kvl_l2_request_len;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void* kvl_l2_request_keys_fn(IntPtr @request);
        internal static kvl_l2_request_keys_fn kvl_l2_request_keys;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_l2_request_entry_fn(IntPtr @request, long @i, void* @outData, void* @outLen, void* @outTtlMs, void* @outToken, void* @outTokenLen);
        internal static kvl_l2_request_entry_fn kvl_l2_request_entry;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_l2_request_value_fn(IntPtr @request, long @i, void* @outValue);
        internal static kvl_l2_request_value_fn kvl_l2_request_value;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_l2_request_set_payload_fn(IntPtr @request, long @i, byte* @data, long @len);
        internal static kvl_l2_request_set_payload_fn kvl_l2_request_set_payload;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_l2_request_payload_fn(IntPtr @request, long @i, byte* @data, long @len, void* @outData, void* @outLen);
        internal static kvl_l2_request_payload_fn kvl_l2_request_payload;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_l2_request_hit_object_fn(IntPtr @request, long @i, byte* @data, long @len, long @ttlLeftMs, byte* @token, long @tokenLen, IntPtr @value);
        internal static kvl_l2_request_hit_object_fn kvl_l2_request_hit_object;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_l2_request_hit_fn(IntPtr @request, long @i, byte* @data, long @len, long @ttlLeftMs, byte* @token, long @tokenLen);
        internal static kvl_l2_request_hit_fn kvl_l2_request_hit;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_l2_request_miss_fn(IntPtr @request, long @i, byte* @token, long @tokenLen);
        internal static kvl_l2_request_miss_fn kvl_l2_request_miss;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_l2_request_leased_fn(IntPtr @request, long @i);
        internal static kvl_l2_request_leased_fn kvl_l2_request_leased;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate uint kvl_l2_request_steals_fn(IntPtr @request, long @i);
        internal static kvl_l2_request_steals_fn kvl_l2_request_steals;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_l2_request_refused_fn(IntPtr @request, long @i);
        internal static kvl_l2_request_refused_fn kvl_l2_request_refused;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_l2_request_fail_fn(IntPtr @request, long @i);
        internal static kvl_l2_request_fail_fn kvl_l2_request_fail;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_l2_request_finish_fn(IntPtr @request);
        internal static kvl_l2_request_finish_fn kvl_l2_request_finish;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate IntPtr kvl_l2_request_retain_fn(IntPtr @request);
        internal static kvl_l2_request_retain_fn kvl_l2_request_retain;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void kvl_l2_request_release_fn(IntPtr @request);
        internal static kvl_l2_request_release_fn kvl_l2_request_release;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_tasks_l2_sync_fn(IntPtr @tasks, long @timeoutMs);
        internal static kvl_tasks_l2_sync_fn kvl_tasks_l2_sync;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_queue_new_fn(uint @flags, void* @outQueue);
        internal static kvl_queue_new_fn kvl_queue_new;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_queue_fd_fn(IntPtr @queue, void* @outFd);
        internal static kvl_queue_fd_fn kvl_queue_fd;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_queue_handle_fn(IntPtr @queue, void* @outHandle);
        internal static kvl_queue_handle_fn kvl_queue_handle;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_queue_set_wake_fn(IntPtr @queue, IntPtr @function, IntPtr @userData, IntPtr @userDataFree);
        internal static kvl_queue_set_wake_fn kvl_queue_set_wake;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_queue_poll_fn(IntPtr @queue, long @max, long @timeoutMs, void* @outRan);
        internal static kvl_queue_poll_fn kvl_queue_poll;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_queue_next_fn(IntPtr @queue, long @timeoutMs, void* @outEvent, long @outSize);
        internal static kvl_queue_next_fn kvl_queue_next;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate long kvl_queue_len_fn(IntPtr @queue);
        internal static kvl_queue_len_fn kvl_queue_len;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_queue_wake_fn(IntPtr @queue);
        internal static kvl_queue_wake_fn kvl_queue_wake;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_queue_free_fn(IntPtr @queue);
        internal static kvl_queue_free_fn kvl_queue_free;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate void kvl_queue_dispose_fn(IntPtr @queue);
        internal static kvl_queue_dispose_fn kvl_queue_dispose;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_config_set_queue_fn(IntPtr @config, IntPtr @queue, uint @what);
        internal static kvl_config_set_queue_fn kvl_config_set_queue;
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        internal delegate int kvl_value_new_object_on_fn(IntPtr @queue, IntPtr @object, long @cost, IntPtr @objectFree, void* @outValue);
        internal static kvl_value_new_object_on_fn kvl_value_new_object_on;
#pragma warning restore 649
    }
}
