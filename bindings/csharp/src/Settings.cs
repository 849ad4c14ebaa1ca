// Generated from api/api.json by `make generate`. Do not edit.

namespace Kvlight
{
    /// <summary>The values of the setting cache.hash.</summary>
    public enum CacheHash
    {
        /// <summary>"fast"</summary>
        Fast,
        /// <summary>"sip"</summary>
        Sip,
    }

    /// <summary>The values of the setting cache.policy.</summary>
    public enum CachePolicy
    {
        /// <summary>"lru"</summary>
        Lru,
        /// <summary>"s3fifo"</summary>
        S3fifo,
    }

    /// <summary>The values of the setting tasks.limit.</summary>
    public enum TasksLimit
    {
        /// <summary>"fixed"</summary>
        Fixed,
        /// <summary>"adaptive"</summary>
        Adaptive,
    }

    /// <summary>The values of the setting queue.order.</summary>
    public enum QueueOrder
    {
        /// <summary>"fifo"</summary>
        Fifo,
        /// <summary>"lifo"</summary>
        Lifo,
    }

    /// <summary>The values of the setting queue.overflow.</summary>
    public enum QueueOverflow
    {
        /// <summary>"wait"</summary>
        Wait,
        /// <summary>"reject"</summary>
        Reject,
    }

    /// <summary>The values of the setting batch.mode.</summary>
    public enum BatchMode
    {
        /// <summary>"partial"</summary>
        Partial,
        /// <summary>"all_or_nothing"</summary>
        AllOrNothing,
    }

    /// <summary>The values of the setting read.</summary>
    public enum Read
    {
        /// <summary>"normal"</summary>
        Normal,
        /// <summary>"refresh"</summary>
        Refresh,
        /// <summary>"cache_only"</summary>
        CacheOnly,
        /// <summary>"no_store"</summary>
        NoStore,
    }

    /// <summary>The values of the setting load.on_timeout.</summary>
    public enum LoadOnTimeout
    {
        /// <summary>"continue"</summary>
        Continue,
        /// <summary>"cancel"</summary>
        Cancel,
    }

    /// <summary>The values of the setting load.on_cancel.</summary>
    public enum LoadOnCancel
    {
        /// <summary>"continue"</summary>
        Continue,
        /// <summary>"cancel"</summary>
        Cancel,
    }

    /// <summary>The values of the setting retry.shape.</summary>
    public enum RetryShape
    {
        /// <summary>"fixed"</summary>
        Fixed,
        /// <summary>"exponential"</summary>
        Exponential,
        /// <summary>"exponential_then_fixed"</summary>
        ExponentialThenFixed,
        /// <summary>"fixed_then_exponential"</summary>
        FixedThenExponential,
    }

    /// <summary>The settings that one fetch may override. A property that is null leaves the setting of the Tasks in force.</summary>
    public abstract class FetchSettings : SettingValues
    {
        internal FetchSettings()
        {
        }

        /// <summary>How long a fetch with a fallback waits for the load, in milliseconds. The fetch then receives the fallback, while the load goes on and its answer is stored. -1 is no limit; 0 gives the fallback at once (stale while revalidate). The value must be below timeout_ms. Default: -1.</summary>
        public long? StaleTimeoutMs
        {
            get => GetLong("stale.timeout_ms");
            set => Put("stale.timeout_ms", value);
        }

        /// <summary>Whether the failure of one key affects no other key of its batch (partial) or ends the batch (all_or_nothing). Default: partial.</summary>
        public BatchMode? BatchMode
        {
            get => (BatchMode?)GetWord("batch.mode", "partial", "all_or_nothing");
            set => SetWord("batch.mode", (int?)value, "partial", "all_or_nothing");
        }

        /// <summary>How long a fetch waits, in milliseconds from the call. Positions that are not answered by then fail with KVL_ERR_TIMEOUT. -1 is no limit; 0 is refused. Default: -1.</summary>
        public long? TimeoutMs
        {
            get => GetLong("timeout_ms");
            set => Put("timeout_ms", value);
        }

        /// <summary>normal: look in the store, and load what is missing. refresh: load in any case, and store the answer. cache_only: never load. no_store: look in the store, load what is missing, and do not store the answer. Default: normal.</summary>
        public Read? Read
        {
            get => (Read?)GetWord("read", "normal", "refresh", "cache_only", "no_store");
            set => SetWord("read", (int?)value, "normal", "refresh", "cache_only", "no_store");
        }

        /// <summary>What happens to a running load, or to one whose key is looked up in the second tier, when the last fetch that waits for it reaches timeout_ms. continue: the load continues, other fetches can join it, and its answer is stored, but a failed attempt is not retried; a key that the second tier does not have goes on to the provider only if that can take a request at once. cancel: the load ends; the provider is notified that it is no longer wanted. Default: continue.</summary>
        public LoadOnTimeout? LoadOnTimeout
        {
            get => (LoadOnTimeout?)GetWord("load.on_timeout", "continue", "cancel");
            set => SetWord("load.on_timeout", (int?)value, "continue", "cancel");
        }

        /// <summary>What happens to such a load when the last fetch that waits for it is cancelled. The values mean the same as for load.on_timeout. Default: cancel.</summary>
        public LoadOnCancel? LoadOnCancel
        {
            get => (LoadOnCancel?)GetWord("load.on_cancel", "continue", "cancel");
            set => SetWord("load.on_cancel", (int?)value, "continue", "cancel");
        }

        /// <summary>The priority with which an answer is stored, unless the answer states one. Entries of lower priority are evicted first. Default: 0.</summary>
        public double? Priority
        {
            get => GetDouble("priority");
            set => Put("priority", value);
        }

        /// <summary>Keys of higher urgency are served first. kvl_fetch_set_urgency() overrides this setting. A refresh has KVL_URGENCY_BACKGROUND, unless its options state an urgency. Default: 0.</summary>
        public long? Urgency
        {
            get => GetLong("urgency");
            set => Put("urgency", value);
        }

        /// <summary>How many times a failed key is retried; -1 is no limit. Default: 0.</summary>
        public long? RetryCount
        {
            get => GetLong("retry.count");
            set => Put("retry.count", value);
        }

        /// <summary>How the pauses between attempts grow. fixed: each pause is retry.fixed_ms. exponential: the first pause is retry.first_ms, and each further pause is retry.factor times as long as the one before. exponential_then_fixed and fixed_then_exponential: the shape changes from the first to the second after retry.switch_after pauses. Default: fixed.</summary>
        public RetryShape? RetryShape
        {
            get => (RetryShape?)GetWord("retry.shape", "fixed", "exponential", "exponential_then_fixed", "fixed_then_exponential");
            set => SetWord("retry.shape", (int?)value, "fixed", "exponential", "exponential_then_fixed", "fixed_then_exponential");
        }

        /// <summary>The first exponential pause, in milliseconds. Default: 1000.</summary>
        public long? RetryFirstMs
        {
            get => GetLong("retry.first_ms");
            set => Put("retry.first_ms", value);
        }

        /// <summary>The fixed pause, in milliseconds. With 0, a retried key is queued behind the waiting keys of its urgency. Default: 100.</summary>
        public long? RetryFixedMs
        {
            get => GetLong("retry.fixed_ms");
            set => Put("retry.fixed_ms", value);
        }

        /// <summary>The factor by which each exponential pause is multiplied to give the next. Default: 2.</summary>
        public double? RetryFactor
        {
            get => GetDouble("retry.factor");
            set => Put("retry.factor", value);
        }

        /// <summary>The number of pauses after which exponential_then_fixed or fixed_then_exponential changes to its second shape. Default: 0.</summary>
        public long? RetrySwitchAfter
        {
            get => GetLong("retry.switch_after");
            set => Put("retry.switch_after", value);
        }

        /// <summary>The longest pause, in milliseconds. Default: 60000.</summary>
        public long? RetryCapMs
        {
            get => GetLong("retry.cap_ms");
            set => Put("retry.cap_ms", value);
        }

        /// <summary>Each pause is drawn uniformly from pause × (1 ± retry.jitter), and never exceeds retry.cap_ms. Default: 0.</summary>
        public double? RetryJitter
        {
            get => GetDouble("retry.jitter");
            set => Put("retry.jitter", value);
        }

        /// <summary>How long after the start of the first attempt another attempt may still start, in milliseconds; -1 is no limit. Default: -1.</summary>
        public long? RetryBudgetMs
        {
            get => GetLong("retry.budget_ms");
            set => Put("retry.budget_ms", value);
        }
    }

    /// <summary>The settings of an engine or a cache. A property that is null leaves the default.</summary>
    public abstract class Settings : FetchSettings
    {
        internal Settings()
        {
        }

        /// <summary>The maximum number of entries in the store; 0 stores nothing. Default: 1024.</summary>
        public long? CacheCapacity
        {
            get => GetLong("cache.capacity");
            set => Put("cache.capacity", value);
        }

        /// <summary>The maximum total cost of the entries, in bytes; -1 is no limit. An entry costs the memory that it occupies or, if the program states the cost of its value, the stated cost plus the length of the key plus KVL_ENTRY_COST. Default: -1.</summary>
        public long? CacheCostLimit
        {
            get => GetLong("cache.cost_limit");
            set => Put("cache.cost_limit", value);
        }

        /// <summary>The number of shards: parts of the store, each with its own lock and an equal part of cache.capacity and cache.cost_limit. 0 lets the library choose: one shard for a cache.capacity of up to 8,191; for more, as many shards as leave each of them at least 1 MiB of cache.cost_limit, by the number of processors. Default: 0.</summary>
        public long? CacheShards
        {
            get => GetLong("cache.shards");
            set => Put("cache.shards", value);
        }

        /// <summary>The TTL of values, in milliseconds; -1 never expires them; 0 stores no values. Default: -1.</summary>
        public long? CacheTtlMs
        {
            get => GetLong("cache.ttl_ms");
            set => Put("cache.ttl_ms", value);
        }

        /// <summary>The TTL of nulls (keys known to be absent), in milliseconds; -1 never expires them; 0 stores no nulls. Default: 60000.</summary>
        public long? CacheNullTtlMs
        {
            get => GetLong("cache.null_ttl_ms");
            set => Put("cache.null_ttl_ms", value);
        }

        /// <summary>The largest random change of a finite TTL, in milliseconds, so that entries stored together do not expire together: each TTL is drawn uniformly from TTL ± min(cache.ttl_jitter_ms, TTL / 2). Default: 0.</summary>
        public long? CacheTtlJitterMs
        {
            get => GetLong("cache.ttl_jitter_ms");
            set => Put("cache.ttl_jitter_ms", value);
        }

        /// <summary>The time without use after which an entry also expires, in milliseconds; -1 is no limit; 0 is refused. Default: -1.</summary>
        public long? CacheIdleTtlMs
        {
            get => GetLong("cache.idle_ttl_ms");
            set => Put("cache.idle_ttl_ms", value);
        }

        /// <summary>Whether a timer frees the memory of expired entries. Without the timer, each write frees up to 8 expired entries. An engine always has the timer. Default: true.</summary>
        public bool? CacheTimer
        {
            get => GetBool("cache.timer");
            set => Put("cache.timer", value);
        }

        /// <summary>A seed that makes the jitter of TTLs, refreshes and retries repeatable; -1 uses a random seed. Hashing does not use it: hash keys are always random. Default: -1.</summary>
        public long? CacheSeed
        {
            get => GetLong("cache.seed");
            set => Put("cache.seed", value);
        }

        /// <summary>The hash function for the store and for the table of loads. fast: foldhash. sip: SipHash-1-3, for keys that an attacker can choose. Both use random hash keys. Default: fast.</summary>
        public CacheHash? CacheHash
        {
            get => (CacheHash?)GetWord("cache.hash", "fast", "sip");
            set => SetWord("cache.hash", (int?)value, "fast", "sip");
        }

        /// <summary>Which entries are evicted first, among those of the lowest priority. lru: exactly the least recently used. s3fifo: entries that were used at most once since they were stored, so that a scan of keys that are used only once evicts little else. Default: lru.</summary>
        public CachePolicy? CachePolicy
        {
            get => (CachePolicy?)GetWord("cache.policy", "lru", "s3fifo");
            set => SetWord("cache.policy", (int?)value, "lru", "s3fifo");
        }

        /// <summary>How long a provider's final error is remembered and returned to fetches of its key, in milliseconds; 0 remembers no errors. Default: 0.</summary>
        public long? CacheErrorTtlMs
        {
            get => GetLong("cache.error_ttl_ms");
            set => Put("cache.error_ttl_ms", value);
        }

        /// <summary>The maximum number of remembered errors; the oldest are forgotten first. All remembered errors together use at most cache.error_capacity KiB of memory. Default: 1024.</summary>
        public long? CacheErrorCapacity
        {
            get => GetLong("cache.error_capacity");
            set => Put("cache.error_capacity", value);
        }

        /// <summary>How many entries that have left an engine's cache may wait for the removal listener or, without a listener, for their destructors; -1 is no limit. Beyond the limit, a thread that writes outside callbacks waits until the listener has been called for some of these entries or, without a listener, runs destructors itself. Unless it is -1, the limit is lower for a small cache: no more entries may wait than the cache may hold (but at least 16), and they may cost no more than it may hold. Default: 1024.</summary>
        public long? RemovalsMaxPending
        {
            get => GetLong("removals.max_pending");
            set => Put("removals.max_pending", value);
        }

        /// <summary>The maximum number of requests that are with the provider at a time. Each of them holds a slot. Requests counted by tasks.max_abandoned come on top. Default: 4.</summary>
        public long? TasksMaxRunning
        {
            get => GetLong("tasks.max_running");
            set => Put("tasks.max_running", value);
        }

        /// <summary>How many slots there are. fixed: tasks.max_running. adaptive: a number between tasks.min_running and tasks.max_running, which rises while requests take no longer than when few are running, and falls when requests take longer or exceed attempt_timeout_ms. Default: fixed.</summary>
        public TasksLimit? TasksLimit
        {
            get => (TasksLimit?)GetWord("tasks.limit", "fixed", "adaptive");
            set => SetWord("tasks.limit", (int?)value, "fixed", "adaptive");
        }

        /// <summary>With tasks.limit = adaptive: the lowest number of slots, and the initial one. Default: 1.</summary>
        public long? TasksMinRunning
        {
            get => GetLong("tasks.min_running");
            set => Put("tasks.min_running", value);
        }

        /// <summary>How many requests that have exceeded attempt_timeout_ms may still be with the provider without holding a slot. Beyond that, a request that exceeds attempt_timeout_ms keeps its slot until it or another such request ends. Default: 4.</summary>
        public long? TasksMaxAbandoned
        {
            get => GetLong("tasks.max_abandoned");
            set => Put("tasks.max_abandoned", value);
        }

        /// <summary>The stack size of provider threads, in bytes. The thread that runs callbacks has the same stack size, unless the engine uses a shared runtime. Default: 8388608.</summary>
        public long? TasksStackBytes
        {
            get => GetLong("tasks.stack_bytes");
            set => Put("tasks.stack_bytes", value);
        }

        /// <summary>The number of places in the queue. The key of a single-key fetch needs a place to wait for a slot. Keys of larger fetches and of refreshes take places too, while any are free. Default: 65536.</summary>
        public long? QueueMaxKeys
        {
            get => GetLong("queue.max_keys");
            set => Put("queue.max_keys", value);
        }

        /// <summary>Which fetch goes first among those of equal urgency: the oldest (fifo) or the newest (lifo). When the queue is full, a new key takes the place of the least urgent key if that key is less urgent or, with lifo, equally urgent and older. Otherwise the new key finds no place, and queue.overflow applies. A fetch of very many keys searches for places in steps, and does not consider keys that arrive between two steps. Default: fifo.</summary>
        public QueueOrder? QueueOrder
        {
            get => (QueueOrder?)GetWord("queue.order", "fifo", "lifo");
            set => SetWord("queue.order", (int?)value, "fifo", "lifo");
        }

        /// <summary>With queue.order = fifo: the waiting time, in milliseconds, that raises the urgency of a key by one, so that steady urgent traffic starves no key; 0 turns this off. Default: 0.</summary>
        public long? QueueAgeingMs
        {
            get => GetLong("queue.ageing_ms");
            set => Put("queue.ageing_ms", value);
        }

        /// <summary>The share of the queue's places that the keys of one fetch may take at one urgency, but at least one place. The other keys of the fetch wait without a place. Default: 0.5.</summary>
        public double? QueueShare
        {
            get => GetDouble("queue.share");
            set => Put("queue.share", value);
        }

        /// <summary>What happens to a key that finds no place in the queue or loses its place, if the key belongs to a refresh or to a fetch of several keys. wait: the key waits without a place. reject: the key fails with KVL_ERR_QUEUE_FULL, and queue.share has no effect. The key of a single-key fetch always fails with KVL_ERR_QUEUE_FULL. Default: wait.</summary>
        public QueueOverflow? QueueOverflow
        {
            get => (QueueOverflow?)GetWord("queue.overflow", "wait", "reject");
            set => SetWord("queue.overflow", (int?)value, "wait", "reject");
        }

        /// <summary>The maximum number of keys in a request; 1 for a provider that answers one key at a time. Default: 20.</summary>
        public long? BatchMaxKeys
        {
            get => GetLong("batch.max_keys");
            set => Put("batch.max_keys", value);
        }

        /// <summary>How long a key waits for other keys to join its request, in microseconds. Default: 0.</summary>
        public long? BatchLingerUs
        {
            get => GetLong("batch.linger_us");
            set => Put("batch.linger_us", value);
        }

        /// <summary>Whether a key that the provider leaves unanswered becomes null (true) or fails (false). Neither happens to a key that is no longer wanted. Default: false.</summary>
        public bool? BatchOmittedIsNull
        {
            get => GetBool("batch.omitted_is_null");
            set => Put("batch.omitted_is_null", value);
        }

        /// <summary>The maximum number of requests to the provider per second; 0 is no limit. A key that waits for the rate limit holds no slot. Default: 0.</summary>
        public double? RateRequestsPerS
        {
            get => GetDouble("rate.requests_per_s");
            set => Put("rate.requests_per_s", value);
        }

        /// <summary>With rate.requests_per_s: how many requests may be passed to the provider at once after an idle time. Default: 1.</summary>
        public long? RateBurst
        {
            get => GetLong("rate.burst");
            set => Put("rate.burst", value);
        }

        /// <summary>The circuit breaker opens when this share of the requests within breaker.window_ms has failed; 0 turns this off. A request fails if it exceeds attempt_timeout_ms, or if one of its keys fails with an error that is not permanent. Default: 0.</summary>
        public double? BreakerFailureRatio
        {
            get => GetDouble("breaker.failure_ratio");
            set => Put("breaker.failure_ratio", value);
        }

        /// <summary>The time over which breaker.failure_ratio is measured, in milliseconds. Default: 10000.</summary>
        public long? BreakerWindowMs
        {
            get => GetLong("breaker.window_ms");
            set => Put("breaker.window_ms", value);
        }

        /// <summary>The number of requests within breaker.window_ms below which breaker.failure_ratio does not apply. Default: 20.</summary>
        public long? BreakerMinRequests
        {
            get => GetLong("breaker.min_requests");
            set => Put("breaker.min_requests", value);
        }

        /// <summary>The circuit breaker opens when this many requests in a row have failed; 0 turns this off. Default: 0.</summary>
        public long? BreakerConsecutive
        {
            get => GetLong("breaker.consecutive");
            set => Put("breaker.consecutive", value);
        }

        /// <summary>How long an open circuit breaker keeps requests from the provider before it lets probe requests through, in milliseconds. Until then, keys that would need the provider fail with KVL_ERR_UNAVAILABLE. Default: 5000.</summary>
        public long? BreakerOpenMs
        {
            get => GetLong("breaker.open_ms");
            set => Put("breaker.open_ms", value);
        }

        /// <summary>How many probe requests must succeed before the circuit breaker closes. If a probe request fails, the circuit breaker opens again. Default: 1.</summary>
        public long? BreakerProbes
        {
            get => GetLong("breaker.probes");
            set => Put("breaker.probes", value);
        }

        /// <summary>The time, in milliseconds, after which the unanswered keys of a slow request are passed to the provider once more, in a hedge request, if a slot is free. The first answer to each key counts, and a request whose remaining keys the other request has answered is cancelled. 0 turns this off. Default: 0.</summary>
        public long? HedgeAfterMs
        {
            get => GetLong("hedge.after_ms");
            set => Put("hedge.after_ms", value);
        }

        /// <summary>Like hedge.after_ms, but with a measured time: the time within which this share of the recent requests, such as 0.95, was answered. 0 turns this off. Default: 0.</summary>
        public double? HedgePercentile
        {
            get => GetDouble("hedge.percentile");
            set => Put("hedge.percentile", value);
        }

        /// <summary>The largest share of the requests that may be repeated by a hedge request. Default: 0.05.</summary>
        public double? HedgeMaxRatio
        {
            get => GetDouble("hedge.max_ratio");
            set => Put("hedge.max_ratio", value);
        }

        /// <summary>Whether the keys of a slow request may be passed to the provider a second time. false makes the hedge settings an error. Even with false, a key may be in two requests at a time: after a write during its load, or after an attempt that timed out. Default: true.</summary>
        public bool? ProviderIdempotent
        {
            get => GetBool("provider.idempotent");
            set => Put("provider.idempotent", value);
        }

        /// <summary>The share of an entry's TTL after which the next use of the entry also starts a load of it in the background: a refresh ahead. Until the load ends, uses of the entry continue to hit. 0 turns this off. Entries that are not used are not refreshed. Default: 0.</summary>
        public double? RefreshAfter
        {
            get => GetDouble("refresh.after");
            set => Put("refresh.after", value);
        }

        /// <summary>Like refresh.after, but as a time since the entry was stored, in milliseconds. 0 turns this off. Default: 0.</summary>
        public long? RefreshAfterMs
        {
            get => GetLong("refresh.after_ms");
            set => Put("refresh.after_ms", value);
        }

        /// <summary>The pause after a failed or dropped refresh ahead, in milliseconds. The first use of the entry after the pause starts another refresh ahead. Default: 1000.</summary>
        public long? RefreshRetryMs
        {
            get => GetLong("refresh.retry_ms");
            set => Put("refresh.retry_ms", value);
        }

        /// <summary>The largest share by which the time until a refresh ahead is shortened at random, so that entries stored together are not loaded together. Default: 0.</summary>
        public double? RefreshJitter
        {
            get => GetDouble("refresh.jitter");
            set => Put("refresh.jitter", value);
        }

        /// <summary>How long an expired entry of an engine's cache stays as a fallback for fetches whose load fails, in milliseconds; 0 keeps no fallbacks. Requires entries that expire. Default: 0.</summary>
        public long? StaleTtlMs
        {
            get => GetLong("stale.ttl_ms");
            set => Put("stale.ttl_ms", value);
        }

        /// <summary>How long a key with a fallback is not loaded again after a failed load, in milliseconds. Fetches of the key in that time receive the fallback at once. Default: 1000.</summary>
        public long? StaleRetryMs
        {
            get => GetLong("stale.retry_ms");
            set => Put("stale.retry_ms", value);
        }

        /// <summary>How long the second tier may take for a lookup, in milliseconds. After that, the provider is called. -1 is no limit; 0 is refused. Default: 50.</summary>
        public long? L2TimeoutMs
        {
            get => GetLong("l2.timeout_ms");
            set => Put("l2.timeout_ms", value);
        }

        /// <summary>How long the second tier may take for a request that writes, in milliseconds. A request that takes longer counts as failed, and its puts and removals are sent again. Default: 5000.</summary>
        public long? L2WriteTimeoutMs
        {
            get => GetLong("l2.write_timeout_ms");
            set => Put("l2.write_timeout_ms", value);
        }

        /// <summary>What to do with a key that another process is loading. true: look the key up again until its answer is in the second tier, for up to l2.wait_ms. false: load the key in this process too. true has no effect unless the second tier reports such keys (kvl_l2_request_leased). Default: true.</summary>
        public bool? L2SingleFlight
        {
            get => GetBool("l2.single_flight");
            set => Put("l2.single_flight", value);
        }

        /// <summary>How long a key waits for the load of another process, in milliseconds. After that, this process loads the key, and takes over its lease if the second tier allows that. Default: 1000.</summary>
        public long? L2WaitMs
        {
            get => GetLong("l2.wait_ms");
            set => Put("l2.wait_ms", value);
        }

        /// <summary>The longest TTL in the second tier, in milliseconds; -1 uses the TTL that the entry has in this process; 0 is refused. Default: -1.</summary>
        public long? L2TtlMs
        {
            get => GetLong("l2.ttl_ms");
            set => Put("l2.ttl_ms", value);
        }

        /// <summary>The longest TTL in this process for an entry found in the second tier, in milliseconds; -1 uses what is left of its TTL there; 0 is refused. Default: -1.</summary>
        public long? L2LocalTtlMs
        {
            get => GetLong("l2.local_ttl_ms");
            set => Put("l2.local_ttl_ms", value);
        }

        /// <summary>The maximum number of keys in a request for the second tier. Default: 256.</summary>
        public long? L2BatchKeys
        {
            get => GetLong("l2.batch_keys");
            set => Put("l2.batch_keys", value);
        }

        /// <summary>The maximum number of requests that read from the second tier at a time. One more request may write at the same time. Default: 4.</summary>
        public long? L2MaxRequests
        {
            get => GetLong("l2.max_requests");
            set => Put("l2.max_requests", value);
        }

        /// <summary>How many keys may wait to be looked up in the second tier. Further keys go to the provider at once. Default: 65536.</summary>
        public long? L2MaxAsking
        {
            get => GetLong("l2.max_asking");
            set => Put("l2.max_asking", value);
        }

        /// <summary>The largest value that is written to the second tier, in bytes. A put of a larger value removes the key from the second tier. Default: 1048576.</summary>
        public long? L2MaxValue
        {
            get => GetLong("l2.max_value");
            set => Put("l2.max_value", value);
        }

        /// <summary>How many keys may wait to be written to the second tier. Beyond that, a put or removal clears the whole second tier instead, and answers of the provider are not written to it. Default: 65536.</summary>
        public long? L2PendingKeys
        {
            get => GetLong("l2.pending_keys");
            set => Put("l2.pending_keys", value);
        }

        /// <summary>The maximum total size of the values that wait to be written to the second tier, in bytes. Beyond that, a put removes the key from the second tier instead, and answers of the provider are not written to it. Default: 67108864.</summary>
        public long? L2PendingBytes
        {
            get => GetLong("l2.pending_bytes");
            set => Put("l2.pending_bytes", value);
        }

        /// <summary>The number of requests that must fail in a row before the second tier is left alone for l2.break_ms; 0 never leaves it alone. Default: 5.</summary>
        public long? L2BreakAfter
        {
            get => GetLong("l2.break_after");
            set => Put("l2.break_after", value);
        }

        /// <summary>How long the second tier is left alone after l2.break_after failures in a row, in milliseconds. The time doubles with each further failure, up to l2.break_cap_ms. A failed write is repeated after this time at the earliest. Default: 1000.</summary>
        public long? L2BreakMs
        {
            get => GetLong("l2.break_ms");
            set => Put("l2.break_ms", value);
        }

        /// <summary>The longest time for which the second tier is left alone, in milliseconds. Default: 30000.</summary>
        public long? L2BreakCapMs
        {
            get => GetLong("l2.break_cap_ms");
            set => Put("l2.break_cap_ms", value);
        }

        /// <summary>How long the provider may take for a request, in milliseconds from when the provider receives the request; a heartbeat restarts the time. -1 is no limit; 0 is refused. Default: -1.</summary>
        public long? AttemptTimeoutMs
        {
            get => GetLong("attempt_timeout_ms");
            set => Put("attempt_timeout_ms", value);
        }
    }
}
