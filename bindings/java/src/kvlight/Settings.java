// Generated from api/api.json by `make generate`. Do not edit.

package kvlight;

/**
 * What an engine or a cache may set.
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
     * The maximum total cost of the entries, in bytes; -1 is no limit. An entry costs the memory that it occupies. If the program states the cost of the value, the entry costs that, plus the length of its key, plus KVL_ENTRY_COST. Default: -1.
     *
     * @param value the value
     * @return this
     */
    public final S cacheCostLimit(long value) {
        return put("cache.cost_limit", value);
    }

    /**
     * The number of parts of the store, each with its own lock and an equal part of cache.capacity and cache.cost_limit. 0 chooses: one part up to a capacity of 8,191; above that several, each with at least 1 MiB of cache.cost_limit. Default: 0.
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
     * The TTL of nulls (keys known to be absent), in milliseconds; -1 never expires them; 0 stores none. Default: 60000.
     *
     * @param value the value
     * @return this
     */
    public final S cacheNullTtlMs(long value) {
        return put("cache.null_ttl_ms", value);
    }

    /**
     * Each finite TTL is drawn uniformly from TTL ± min(this, TTL / 2), in milliseconds, so that entries stored together do not expire together. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S cacheTtlJitterMs(long value) {
        return put("cache.ttl_jitter_ms", value);
    }

    /**
     * An entry also expires this long after its last use, in milliseconds; -1 never; 0 is refused. Default: -1.
     *
     * @param value the value
     * @return this
     */
    public final S cacheIdleTtlMs(long value) {
        return put("cache.idle_ttl_ms", value);
    }

    /**
     * Whether a timer frees the memory of expired entries. Without it, each write frees up to 8 of them. An engine always has the timer. Default: true.
     *
     * @param value the value
     * @return this
     */
    public final S cacheTimer(boolean value) {
        return put("cache.timer", value);
    }

    /**
     * Makes the jitter of TTLs and retries repeatable; -1 uses a random seed. It does not affect hashing, whose keys are always random. Default: -1.
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
     * The hash function, for the store and for the table of loads: fast is foldhash; sip is SipHash-1-3, for keys that an attacker can choose. Each is keyed from the system's randomness. Default: fast.
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
     * Which entries are evicted first, among those of the lowest priority. lru: exactly the least recently used. s3fifo: entries that were used at most once since they were stored, before those that are used again and again; a scan of keys that are asked for once evicts little. Default: lru.
     *
     * @param value the value
     * @return this
     */
    public final S cachePolicy(CachePolicy value) {
        return put("cache.policy", value.word());
    }

    /**
     * How long a provider's final error is remembered and returned to fetches of its key, in milliseconds; 0 remembers none. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S cacheErrorTtlMs(long value) {
        return put("cache.error_ttl_ms", value);
    }

    /**
     * The maximum number of remembered errors; the oldest are forgotten first. Together they use at most 1 KiB times this number. Default: 1024.
     *
     * @param value the value
     * @return this
     */
    public final S cacheErrorCapacity(long value) {
        return put("cache.error_capacity", value);
    }

    /**
     * How many entries that have left an engine's cache may wait for the removal listener or, if there is none, for their destructors. Beyond that, a thread that writes outside callbacks waits until the listener has been called for some, or runs destructors itself. The limit is lower for a small cache: no more entries may wait, at no higher cost, than the cache may hold. -1 is no limit. Default: 1024.
     *
     * @param value the value
     * @return this
     */
    public final S removalsMaxPending(long value) {
        return put("removals.max_pending", value);
    }

    /**
     * The maximum number of requests with the provider at a time. Default: 4.
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
     * fixed: up to tasks.max_running requests are with the provider at a time. adaptive: up to a number between tasks.min_running and tasks.max_running, which rises while requests take no longer than when few are running, and falls when they take longer or exceed attempt_timeout_ms. Default: fixed.
     *
     * @param value the value
     * @return this
     */
    public final S tasksLimit(TasksLimit value) {
        return put("tasks.limit", value.word());
    }

    /**
     * With tasks.limit = adaptive: the lowest limit, which is also the initial one. Default: 1.
     *
     * @param value the value
     * @return this
     */
    public final S tasksMinRunning(long value) {
        return put("tasks.min_running", value);
    }

    /**
     * How many requests that have exceeded attempt_timeout_ms may still be with the provider while their slots are used again; beyond that, a slot stays taken until one of them ends. Default: 4.
     *
     * @param value the value
     * @return this
     */
    public final S tasksMaxAbandoned(long value) {
        return put("tasks.max_abandoned", value);
    }

    /**
     * The stack size of provider threads, in bytes; also of the thread that runs callbacks, unless the engine uses a shared runtime. Default: 8388608.
     *
     * @param value the value
     * @return this
     */
    public final S tasksStackBytes(long value) {
        return put("tasks.stack_bytes", value);
    }

    /**
     * The number of places in the queue, which is how many fetches of a single key may wait for a slot. Keys of larger fetches and of refreshes take places too, while there are any. Default: 65536.
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
     * Whether the oldest (fifo) or the newest (lifo) fetch goes first among those of equal urgency. When the queue is full, a new key takes the place of the least urgent key if that is less urgent than itself or, with lifo, equally urgent and older; otherwise it finds no place, and queue.overflow applies. A fetch of very many keys searches for such places in steps, and does not consider keys that arrive between two steps. Default: fifo.
     *
     * @param value the value
     * @return this
     */
    public final S queueOrder(QueueOrder value) {
        return put("queue.order", value.word());
    }

    /**
     * With fifo: the waiting time, in milliseconds, that raises a key's urgency by one, so that steady urgent traffic starves no key; 0: urgency alone decides. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S queueAgeingMs(long value) {
        return put("queue.ageing_ms", value);
    }

    /**
     * The share of the places that the keys of one fetch may take at one urgency, at least one place; its other keys wait without a place. Default: 0.5.
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
     * What happens to the keys of a refresh, or of a fetch of several keys, that find no place or lose it: wait lets them wait without one; reject fails each of them with KVL_ERR_QUEUE_FULL, as always happens to the key of a fetch of one key. With reject, queue.share has no effect. Default: wait.
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
     * How long a key waits for others to join its request, in microseconds. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S batchLingerUs(long value) {
        return put("batch.linger_us", value);
    }

    /**
     * Whether a key that the provider leaves unanswered, while its answer is wanted, becomes null instead of failing. Default: false.
     *
     * @param value the value
     * @return this
     */
    public final S batchOmittedIsNull(boolean value) {
        return put("batch.omitted_is_null", value);
    }

    /**
     * The maximum number of requests to the provider per second; 0 is no limit. A key that waits for this holds no slot. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S rateRequestsPerS(double value) {
        return put("rate.requests_per_s", value);
    }

    /**
     * How many requests may be handed out at once after an idle time, with rate.requests_per_s. Default: 1.
     *
     * @param value the value
     * @return this
     */
    public final S rateBurst(long value) {
        return put("rate.burst", value);
    }

    /**
     * The circuit breaker opens when this share of the requests within breaker.window_ms has failed; 0 never opens it. A request fails if it exceeds attempt_timeout_ms, or if one of its keys fails with an error that is not permanent. Default: 0.
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
     * The number of requests within the window below which breaker.failure_ratio does not apply. Default: 20.
     *
     * @param value the value
     * @return this
     */
    public final S breakerMinRequests(long value) {
        return put("breaker.min_requests", value);
    }

    /**
     * The circuit breaker opens when this many requests in a row have failed; 0 never opens it. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S breakerConsecutive(long value) {
        return put("breaker.consecutive", value);
    }

    /**
     * How long an open circuit breaker keeps requests from the provider before it lets probes through, in milliseconds. Meanwhile, keys that would need the provider fail with KVL_ERR_UNAVAILABLE. Default: 5000.
     *
     * @param value the value
     * @return this
     */
    public final S breakerOpenMs(long value) {
        return put("breaker.open_ms", value);
    }

    /**
     * How many probe requests must succeed before the circuit breaker closes; one failure opens it again. Default: 1.
     *
     * @param value the value
     * @return this
     */
    public final S breakerProbes(long value) {
        return put("breaker.probes", value);
    }

    /**
     * A request that the provider has not answered after this time, in milliseconds, is handed out once more with its unanswered keys, if a slot is free; the first answer counts, and the other request is cancelled. 0: never handed out again. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S hedgeAfterMs(long value) {
        return put("hedge.after_ms", value);
    }

    /**
     * Like hedge.after_ms, but after the time within which this share of the recent requests was answered, such as 0.95. 0: never handed out again. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S hedgePercentile(double value) {
        return put("hedge.percentile", value);
    }

    /**
     * The largest share of the requests that may be handed out once more. Default: 0.05.
     *
     * @param value the value
     * @return this
     */
    public final S hedgeMaxRatio(double value) {
        return put("hedge.max_ratio", value);
    }

    /**
     * Whether a slow request may be handed out a second time. false makes the hedge settings an error. Even so a key may be in two requests at a time: after a write during its load, or after an attempt that timed out. Default: true.
     *
     * @param value the value
     * @return this
     */
    public final S providerIdempotent(boolean value) {
        return put("provider.idempotent", value);
    }

    /**
     * The first use of an entry after this share of its TTL starts one load of it in the background, while other uses continue to hit. 0 turns this off. Entries that are not used are not loaded. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S refreshAfter(double value) {
        return put("refresh.after", value);
    }

    /**
     * Like refresh.after, but a time since the entry was stored, in milliseconds. 0 turns this off. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S refreshAfterMs(long value) {
        return put("refresh.after_ms", value);
    }

    /**
     * The pause after a failed or dropped refresh ahead, in milliseconds: the first use of the entry after the pause starts another. Default: 1000.
     *
     * @param value the value
     * @return this
     */
    public final S refreshRetryMs(long value) {
        return put("refresh.retry_ms", value);
    }

    /**
     * The time after which an entry is refreshed ahead is shortened at random, by up to this share, so that entries stored together are not loaded together. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S refreshJitter(double value) {
        return put("refresh.jitter", value);
    }

    /**
     * How long an expired entry of an engine's cache stays as a fallback for a provider that fails, in milliseconds; 0: it does not stay. Requires entries that expire. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S staleTtlMs(long value) {
        return put("stale.ttl_ms", value);
    }

    /**
     * How long a key is not loaded again after a load that failed and was covered by a fallback, in milliseconds; fetches in that time receive the fallback at once. Default: 1000.
     *
     * @param value the value
     * @return this
     */
    public final S staleRetryMs(long value) {
        return put("stale.retry_ms", value);
    }

    /**
     * How long the second tier may take for a lookup, in milliseconds; then the provider is called. -1 is no limit; 0 is refused. Default: 50.
     *
     * @param value the value
     * @return this
     */
    public final S l2TimeoutMs(long value) {
        return put("l2.timeout_ms", value);
    }

    /**
     * How long the second tier may take for a request that writes, in milliseconds. Then it counts as failed, and what was put or removed is sent again. Default: 5000.
     *
     * @param value the value
     * @return this
     */
    public final S l2WriteTimeoutMs(long value) {
        return put("l2.write_timeout_ms", value);
    }

    /**
     * Whether a key that another process is loading is looked up again until its answer is in the second tier, instead of being loaded here too. Requires a second tier that reports keys which another process is loading (kvl_l2_request_leased). Default: true.
     *
     * @param value the value
     * @return this
     */
    public final S l2SingleFlight(boolean value) {
        return put("l2.single_flight", value);
    }

    /**
     * How long a key waits for the load of another process, in milliseconds. Then it takes the lease over, if the second tier allows that, and is loaded here. Default: 1000.
     *
     * @param value the value
     * @return this
     */
    public final S l2WaitMs(long value) {
        return put("l2.wait_ms", value);
    }

    /**
     * The longest TTL in the second tier, in milliseconds; -1: as in this process; 0 is refused. Default: -1.
     *
     * @param value the value
     * @return this
     */
    public final S l2TtlMs(long value) {
        return put("l2.ttl_ms", value);
    }

    /**
     * The longest TTL in this process of what was found in the second tier, in milliseconds; -1: what is left of it there; 0 is refused. Default: -1.
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
     * The maximum number of requests that read from the second tier at a time. One more may write. Default: 4.
     *
     * @param value the value
     * @return this
     */
    public final S l2MaxRequests(long value) {
        return put("l2.max_requests", value);
    }

    /**
     * How many keys may wait to be looked up in the second tier; further ones go to the provider at once. Default: 65536.
     *
     * @param value the value
     * @return this
     */
    public final S l2MaxAsking(long value) {
        return put("l2.max_asking", value);
    }

    /**
     * The largest value that is written to the second tier, in bytes. Default: 1048576.
     *
     * @param value the value
     * @return this
     */
    public final S l2MaxValue(long value) {
        return put("l2.max_value", value);
    }

    /**
     * How many keys may wait to be written to the second tier. Once more than these have been put or removed, the whole second tier is cleared instead. Fills above the limit are dropped. Default: 65536.
     *
     * @param value the value
     * @return this
     */
    public final S l2PendingKeys(long value) {
        return put("l2.pending_keys", value);
    }

    /**
     * The maximum total size of the values that wait to be written to the second tier, in bytes. Beyond that, the key of a put is removed from the second tier instead of written, and fills are dropped. Default: 67108864.
     *
     * @param value the value
     * @return this
     */
    public final S l2PendingBytes(long value) {
        return put("l2.pending_bytes", value);
    }

    /**
     * The number of requests that must fail in a row before the second tier is left alone for l2.break_ms; 0: it is never left alone. Default: 5.
     *
     * @param value the value
     * @return this
     */
    public final S l2BreakAfter(long value) {
        return put("l2.break_after", value);
    }

    /**
     * How long the second tier is left alone after l2.break_after failures, in milliseconds; the time doubles with each further failure, up to l2.break_cap_ms. After the same pause a write that failed is repeated. Default: 1000.
     *
     * @param value the value
     * @return this
     */
    public final S l2BreakMs(long value) {
        return put("l2.break_ms", value);
    }

    /**
     * The longest time for which the second tier is not used, in milliseconds. Default: 30000.
     *
     * @param value the value
     * @return this
     */
    public final S l2BreakCapMs(long value) {
        return put("l2.break_cap_ms", value);
    }

    /**
     * How long the provider may take for a request, in milliseconds from when it receives the request; a heartbeat restarts the time. -1 is no limit; 0 is refused. Default: -1.
     *
     * @param value the value
     * @return this
     */
    public final S attemptTimeoutMs(long value) {
        return put("attempt_timeout_ms", value);
    }
}
