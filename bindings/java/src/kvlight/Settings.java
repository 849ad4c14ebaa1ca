// Generated from api/api.json by `make generate`. Do not edit.

package kvlight;

/**
 * The settings of an engine or a cache.
 *
 * @param <S> the class itself, which each method returns
 */
public abstract class Settings<S extends Settings<S>> extends FetchSettings<S> {
    Settings() {}

    /**
     * The maximum number of entries in the store; 0 stores nothing. Default: 1024.
     *
     * @param value the value
     * @return this
     */
    public final S cacheCapacity(long value) {
        return put("cache.capacity", value);
    }

    /**
     * The maximum total cost of the entries, in bytes; -1 is no limit. An entry costs the memory that it occupies or, if the program states the cost of its value, the stated cost plus the length of the key plus KVL_ENTRY_COST. Default: -1.
     *
     * @param value the value
     * @return this
     */
    public final S cacheCostLimit(long value) {
        return put("cache.cost_limit", value);
    }

    /**
     * The number of shards: parts of the store, each with its own lock and an equal part of cache.capacity and cache.cost_limit. 0 lets the library choose: one shard for a cache.capacity of up to 8,191; for more, as many shards as leave each of them at least 1 MiB of cache.cost_limit, by the number of processors. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S cacheShards(long value) {
        return put("cache.shards", value);
    }

    /**
     * The TTL of values, in milliseconds; -1 never expires them; 0 stores no values. Default: -1.
     *
     * @param value the value
     * @return this
     */
    public final S cacheTtlMs(long value) {
        return put("cache.ttl_ms", value);
    }

    /**
     * The TTL of nulls (keys known to be absent), in milliseconds; -1 never expires them; 0 stores no nulls. Default: 60000.
     *
     * @param value the value
     * @return this
     */
    public final S cacheNullTtlMs(long value) {
        return put("cache.null_ttl_ms", value);
    }

    /**
     * The largest random change of a finite TTL, in milliseconds, so that entries stored together do not expire together: each TTL is drawn uniformly from TTL ± min(cache.ttl_jitter_ms, TTL / 2). Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S cacheTtlJitterMs(long value) {
        return put("cache.ttl_jitter_ms", value);
    }

    /**
     * The time without use after which an entry also expires, in milliseconds; -1 is no limit; 0 is refused. Default: -1.
     *
     * @param value the value
     * @return this
     */
    public final S cacheIdleTtlMs(long value) {
        return put("cache.idle_ttl_ms", value);
    }

    /**
     * Whether a timer frees the memory of expired entries. Without the timer, each write frees up to 8 expired entries. An engine always has the timer. Default: true.
     *
     * @param value the value
     * @return this
     */
    public final S cacheTimer(boolean value) {
        return put("cache.timer", value);
    }

    /**
     * A seed that makes the jitter of TTLs, refreshes and retries repeatable; -1 uses a random seed. Hashing does not use it: hash keys are always random. Default: -1.
     *
     * @param value the value
     * @return this
     */
    public final S cacheSeed(long value) {
        return put("cache.seed", value);
    }

    /** The values of {@link #cacheHash}. */
    public enum CacheHash implements Word {
        /** {@code fast} */
        FAST("fast"),
        /** {@code sip} */
        SIP("sip");

        private final String word;

        CacheHash(String word) {
            this.word = word;
        }

        @Override
        public String word() {
            return word;
        }
    }

    /**
     * The hash function for the store and for the table of loads. fast: foldhash. sip: SipHash-1-3, for keys that an attacker can choose. Both use random hash keys. Default: fast.
     *
     * @param value the value
     * @return this
     */
    public final S cacheHash(CacheHash value) {
        return put("cache.hash", value.word());
    }

    /** The values of {@link #cachePolicy}. */
    public enum CachePolicy implements Word {
        /** {@code lru} */
        LRU("lru"),
        /** {@code s3fifo} */
        S3FIFO("s3fifo");

        private final String word;

        CachePolicy(String word) {
            this.word = word;
        }

        @Override
        public String word() {
            return word;
        }
    }

    /**
     * Which entries are evicted first, among those of the lowest priority. lru: exactly the least recently used. s3fifo: entries that were used at most once since they were stored, so that a scan of keys that are used only once evicts little else. Default: lru.
     *
     * @param value the value
     * @return this
     */
    public final S cachePolicy(CachePolicy value) {
        return put("cache.policy", value.word());
    }

    /**
     * How long a provider's final error is remembered and returned to fetches of its key, in milliseconds; 0 remembers no errors. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S cacheErrorTtlMs(long value) {
        return put("cache.error_ttl_ms", value);
    }

    /**
     * The maximum number of remembered errors; the oldest are forgotten first. All remembered errors together use at most cache.error_capacity KiB of memory. Default: 1024.
     *
     * @param value the value
     * @return this
     */
    public final S cacheErrorCapacity(long value) {
        return put("cache.error_capacity", value);
    }

    /**
     * How many entries that have left an engine's cache may wait for the removal listener or, without a listener, for their destructors; -1 is no limit. Beyond the limit, a thread that writes outside callbacks waits until the listener has been called for some of these entries or, without a listener, runs destructors itself. Unless it is -1, the limit is lower for a small cache: no more entries may wait than the cache may hold (but at least 16), and they may cost no more than it may hold. Default: 1024.
     *
     * @param value the value
     * @return this
     */
    public final S removalsMaxPending(long value) {
        return put("removals.max_pending", value);
    }

    /**
     * The maximum number of requests that are with the provider at a time. Each of them holds a slot. Requests counted by tasks.max_abandoned come on top. Default: 4.
     *
     * @param value the value
     * @return this
     */
    public final S tasksMaxRunning(long value) {
        return put("tasks.max_running", value);
    }

    /** The values of {@link #tasksLimit}. */
    public enum TasksLimit implements Word {
        /** {@code fixed} */
        FIXED("fixed"),
        /** {@code adaptive} */
        ADAPTIVE("adaptive");

        private final String word;

        TasksLimit(String word) {
            this.word = word;
        }

        @Override
        public String word() {
            return word;
        }
    }

    /**
     * How many slots there are. fixed: tasks.max_running. adaptive: a number between tasks.min_running and tasks.max_running, which rises while requests take no longer than when few are running, and falls when requests take longer or exceed attempt_timeout_ms. Default: fixed.
     *
     * @param value the value
     * @return this
     */
    public final S tasksLimit(TasksLimit value) {
        return put("tasks.limit", value.word());
    }

    /**
     * With tasks.limit = adaptive: the lowest number of slots, and the initial one. Default: 1.
     *
     * @param value the value
     * @return this
     */
    public final S tasksMinRunning(long value) {
        return put("tasks.min_running", value);
    }

    /**
     * How many requests that have exceeded attempt_timeout_ms may still be with the provider without holding a slot. Beyond that, a request that exceeds attempt_timeout_ms keeps its slot until it or another such request ends. Default: 4.
     *
     * @param value the value
     * @return this
     */
    public final S tasksMaxAbandoned(long value) {
        return put("tasks.max_abandoned", value);
    }

    /**
     * The stack size of provider threads, in bytes. The thread that runs callbacks has the same stack size, unless the engine uses a shared runtime. Default: 8388608.
     *
     * @param value the value
     * @return this
     */
    public final S tasksStackBytes(long value) {
        return put("tasks.stack_bytes", value);
    }

    /**
     * The number of places in the queue. The key of a single-key fetch needs a place to wait for a slot. Keys of larger fetches and of refreshes take places too, while any are free. Default: 65536.
     *
     * @param value the value
     * @return this
     */
    public final S queueMaxKeys(long value) {
        return put("queue.max_keys", value);
    }

    /** The values of {@link #queueOrder}. */
    public enum QueueOrder implements Word {
        /** {@code fifo} */
        FIFO("fifo"),
        /** {@code lifo} */
        LIFO("lifo");

        private final String word;

        QueueOrder(String word) {
            this.word = word;
        }

        @Override
        public String word() {
            return word;
        }
    }

    /**
     * Which fetch goes first among those of equal urgency: the oldest (fifo) or the newest (lifo). When the queue is full, a new key takes the place of the least urgent key if that key is less urgent or, with lifo, equally urgent and older. Otherwise the new key finds no place, and queue.overflow applies. A fetch of very many keys searches for places in steps, and does not consider keys that arrive between two steps. Default: fifo.
     *
     * @param value the value
     * @return this
     */
    public final S queueOrder(QueueOrder value) {
        return put("queue.order", value.word());
    }

    /**
     * With queue.order = fifo: the waiting time, in milliseconds, that raises the urgency of a key by one, so that steady urgent traffic starves no key; 0 turns this off. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S queueAgeingMs(long value) {
        return put("queue.ageing_ms", value);
    }

    /**
     * The share of the queue's places that the keys of one fetch may take at one urgency, but at least one place. The other keys of the fetch wait without a place. Default: 0.5.
     *
     * @param value the value
     * @return this
     */
    public final S queueShare(double value) {
        return put("queue.share", value);
    }

    /** The values of {@link #queueOverflow}. */
    public enum QueueOverflow implements Word {
        /** {@code wait} */
        WAIT("wait"),
        /** {@code reject} */
        REJECT("reject");

        private final String word;

        QueueOverflow(String word) {
            this.word = word;
        }

        @Override
        public String word() {
            return word;
        }
    }

    /**
     * What happens to a key that finds no place in the queue or loses its place, if the key belongs to a refresh or to a fetch of several keys. wait: the key waits without a place. reject: the key fails with KVL_ERR_QUEUE_FULL, and queue.share has no effect. The key of a single-key fetch always fails with KVL_ERR_QUEUE_FULL. Default: wait.
     *
     * @param value the value
     * @return this
     */
    public final S queueOverflow(QueueOverflow value) {
        return put("queue.overflow", value.word());
    }

    /**
     * The maximum number of keys in a request; 1 for a provider that answers one key at a time. Default: 20.
     *
     * @param value the value
     * @return this
     */
    public final S batchMaxKeys(long value) {
        return put("batch.max_keys", value);
    }

    /**
     * How long a key waits for other keys to join its request, in microseconds. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S batchLingerUs(long value) {
        return put("batch.linger_us", value);
    }

    /**
     * Whether a key that the provider leaves unanswered becomes null (true) or fails (false). Neither happens to a key that is no longer wanted. Default: false.
     *
     * @param value the value
     * @return this
     */
    public final S batchOmittedIsNull(boolean value) {
        return put("batch.omitted_is_null", value);
    }

    /**
     * The maximum number of requests to the provider per second; 0 is no limit. A key that waits for the rate limit holds no slot. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S rateRequestsPerS(double value) {
        return put("rate.requests_per_s", value);
    }

    /**
     * With rate.requests_per_s: how many requests may be passed to the provider at once after an idle time. Default: 1.
     *
     * @param value the value
     * @return this
     */
    public final S rateBurst(long value) {
        return put("rate.burst", value);
    }

    /**
     * The circuit breaker opens when this share of the requests within breaker.window_ms has failed; 0 turns this off. A request fails if it exceeds attempt_timeout_ms, or if one of its keys fails with an error that is not permanent. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S breakerFailureRatio(double value) {
        return put("breaker.failure_ratio", value);
    }

    /**
     * The time over which breaker.failure_ratio is measured, in milliseconds. Default: 10000.
     *
     * @param value the value
     * @return this
     */
    public final S breakerWindowMs(long value) {
        return put("breaker.window_ms", value);
    }

    /**
     * The number of requests within breaker.window_ms below which breaker.failure_ratio does not apply. Default: 20.
     *
     * @param value the value
     * @return this
     */
    public final S breakerMinRequests(long value) {
        return put("breaker.min_requests", value);
    }

    /**
     * The circuit breaker opens when this many requests in a row have failed; 0 turns this off. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S breakerConsecutive(long value) {
        return put("breaker.consecutive", value);
    }

    /**
     * How long an open circuit breaker keeps requests from the provider before it lets probe requests through, in milliseconds. Until then, keys that would need the provider fail with KVL_ERR_UNAVAILABLE. Default: 5000.
     *
     * @param value the value
     * @return this
     */
    public final S breakerOpenMs(long value) {
        return put("breaker.open_ms", value);
    }

    /**
     * How many probe requests must succeed before the circuit breaker closes. If a probe request fails, the circuit breaker opens again. Default: 1.
     *
     * @param value the value
     * @return this
     */
    public final S breakerProbes(long value) {
        return put("breaker.probes", value);
    }

    /**
     * The time, in milliseconds, after which the unanswered keys of a slow request are passed to the provider once more, in a hedge request, if a slot is free. The first answer to each key counts, and a request whose remaining keys the other request has answered is cancelled. 0 turns this off. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S hedgeAfterMs(long value) {
        return put("hedge.after_ms", value);
    }

    /**
     * Like hedge.after_ms, but with a measured time: the time within which this share of the recent requests, such as 0.95, was answered. 0 turns this off. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S hedgePercentile(double value) {
        return put("hedge.percentile", value);
    }

    /**
     * The largest share of the requests that may be repeated by a hedge request. Default: 0.05.
     *
     * @param value the value
     * @return this
     */
    public final S hedgeMaxRatio(double value) {
        return put("hedge.max_ratio", value);
    }

    /**
     * Whether the keys of a slow request may be passed to the provider a second time. false makes the hedge settings an error. Even with false, a key may be in two requests at a time: after a write during its load, or after an attempt that timed out. Default: true.
     *
     * @param value the value
     * @return this
     */
    public final S providerIdempotent(boolean value) {
        return put("provider.idempotent", value);
    }

    /**
     * The share of an entry's TTL after which the next use of the entry also starts a load of it in the background: a refresh ahead. Until the load ends, uses of the entry continue to hit. 0 turns this off. Entries that are not used are not refreshed. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S refreshAfter(double value) {
        return put("refresh.after", value);
    }

    /**
     * Like refresh.after, but as a time since the entry was stored, in milliseconds. 0 turns this off. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S refreshAfterMs(long value) {
        return put("refresh.after_ms", value);
    }

    /**
     * The pause after a failed or dropped refresh ahead, in milliseconds. The first use of the entry after the pause starts another refresh ahead. Default: 1000.
     *
     * @param value the value
     * @return this
     */
    public final S refreshRetryMs(long value) {
        return put("refresh.retry_ms", value);
    }

    /**
     * The largest share by which the time until a refresh ahead is shortened at random, so that entries stored together are not loaded together. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S refreshJitter(double value) {
        return put("refresh.jitter", value);
    }

    /**
     * How long an expired entry of an engine's cache stays as a fallback for fetches whose load fails, in milliseconds; 0 keeps no fallbacks. Requires entries that expire. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S staleTtlMs(long value) {
        return put("stale.ttl_ms", value);
    }

    /**
     * How long a key with a fallback is not loaded again after a failed load, in milliseconds. Fetches of the key in that time receive the fallback at once. Default: 1000.
     *
     * @param value the value
     * @return this
     */
    public final S staleRetryMs(long value) {
        return put("stale.retry_ms", value);
    }

    /**
     * How long the second tier may take for a lookup, in milliseconds. After that, the provider is called. -1 is no limit; 0 is refused. Default: 50.
     *
     * @param value the value
     * @return this
     */
    public final S l2TimeoutMs(long value) {
        return put("l2.timeout_ms", value);
    }

    /**
     * How long the second tier may take for a request that writes, in milliseconds. A request that takes longer counts as failed, and its puts and removals are sent again. Default: 5000.
     *
     * @param value the value
     * @return this
     */
    public final S l2WriteTimeoutMs(long value) {
        return put("l2.write_timeout_ms", value);
    }

    /**
     * What to do with a key that another process is loading. true: look the key up again until its answer is in the second tier, for up to l2.wait_ms. false: load the key in this process too. true has no effect unless the second tier reports such keys (kvl_l2_request_leased). Default: true.
     *
     * @param value the value
     * @return this
     */
    public final S l2SingleFlight(boolean value) {
        return put("l2.single_flight", value);
    }

    /**
     * How long a key waits for the load of another process, in milliseconds. After that, this process loads the key, and takes over its lease if the second tier allows that. Default: 1000.
     *
     * @param value the value
     * @return this
     */
    public final S l2WaitMs(long value) {
        return put("l2.wait_ms", value);
    }

    /**
     * The longest TTL in the second tier, in milliseconds; -1 uses the TTL that the entry has in this process; 0 is refused. Default: -1.
     *
     * @param value the value
     * @return this
     */
    public final S l2TtlMs(long value) {
        return put("l2.ttl_ms", value);
    }

    /**
     * The longest TTL in this process for an entry found in the second tier, in milliseconds; -1 uses what is left of its TTL there; 0 is refused. Default: -1.
     *
     * @param value the value
     * @return this
     */
    public final S l2LocalTtlMs(long value) {
        return put("l2.local_ttl_ms", value);
    }

    /**
     * The maximum number of keys in a request for the second tier. Default: 256.
     *
     * @param value the value
     * @return this
     */
    public final S l2BatchKeys(long value) {
        return put("l2.batch_keys", value);
    }

    /**
     * The maximum number of requests that read from the second tier at a time. One more request may write at the same time. Default: 4.
     *
     * @param value the value
     * @return this
     */
    public final S l2MaxRequests(long value) {
        return put("l2.max_requests", value);
    }

    /**
     * How many keys may wait to be looked up in the second tier. Further keys go to the provider at once. Default: 65536.
     *
     * @param value the value
     * @return this
     */
    public final S l2MaxAsking(long value) {
        return put("l2.max_asking", value);
    }

    /**
     * The largest value that is written to the second tier, in bytes. A put of a larger value removes the key from the second tier. Default: 1048576.
     *
     * @param value the value
     * @return this
     */
    public final S l2MaxValue(long value) {
        return put("l2.max_value", value);
    }

    /**
     * How many keys may wait to be written to the second tier. Beyond that, a put or removal clears the whole second tier instead, and answers of the provider are not written to it. Default: 65536.
     *
     * @param value the value
     * @return this
     */
    public final S l2PendingKeys(long value) {
        return put("l2.pending_keys", value);
    }

    /**
     * The maximum total size of the values that wait to be written to the second tier, in bytes. Beyond that, a put removes the key from the second tier instead, and answers of the provider are not written to it. Default: 67108864.
     *
     * @param value the value
     * @return this
     */
    public final S l2PendingBytes(long value) {
        return put("l2.pending_bytes", value);
    }

    /**
     * The number of requests that must fail in a row before the second tier is left alone for l2.break_ms; 0 never leaves it alone. Default: 5.
     *
     * @param value the value
     * @return this
     */
    public final S l2BreakAfter(long value) {
        return put("l2.break_after", value);
    }

    /**
     * How long the second tier is left alone after l2.break_after failures in a row, in milliseconds. The time doubles with each further failure, up to l2.break_cap_ms. A failed write is repeated after this time at the earliest. Default: 1000.
     *
     * @param value the value
     * @return this
     */
    public final S l2BreakMs(long value) {
        return put("l2.break_ms", value);
    }

    /**
     * The longest time for which the second tier is left alone, in milliseconds. Default: 30000.
     *
     * @param value the value
     * @return this
     */
    public final S l2BreakCapMs(long value) {
        return put("l2.break_cap_ms", value);
    }

    /**
     * How long the provider may take for a request, in milliseconds from when the provider receives the request; a heartbeat restarts the time. -1 is no limit; 0 is refused. Default: -1.
     *
     * @param value the value
     * @return this
     */
    public final S attemptTimeoutMs(long value) {
        return put("attempt_timeout_ms", value);
    }
}
