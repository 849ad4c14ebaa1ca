package kvlight;

import java.lang.ref.Reference;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * A cache with a provider: each key is loaded once, in batches, however many callers want it. {@link Config} creates it. All methods may be called on
 * any thread. A Tasks that is dropped without being closed is closed by the garbage collector, when no fetch is in progress.
 *
 * <p>A future is completed on the executor for callbacks ({@link Config#callbackExecutor}), and fails with the provider's exception unchanged, or
 * with a {@link KvlightException}. Cancelling it cancels this fetch and no other. {@code orTimeout} ends the future alone, and the fetch goes on;
 * {@link FetchSettings#timeoutMs} ends the fetch. A method that returns a future throws only if its arguments are wrong: a key or a list that is null or
 * cannot be read, or an invalid setting. A key of more than 65,535 bytes fails like a key that cannot be loaded.
 *
 * <p>A provider may fetch and wait for other keys of its Tasks. If it waits for a key that it is to answer itself, with {@link #fetchWait}, or with
 * {@code join} or {@code get} of a fetch, the wait is refused with {@link Status#ERR_REENTRANT}. A chain of providers that wait for each other needs a
 * slot for each ({@link Settings#tasksMaxRunning}): with fewer slots, it waits for ever.
 *
 * @param <K> the type of the keys
 * @param <V> the type of the values; null: there is no such record
 */
public final class Tasks<K, V> extends Store<K, V> {
    private final Config.Provider<K, V> provider;
    private final Executor providers;
    private final TierRequest.Attached<V> secondTier;

    Tasks(Config<K, V> config, Config.Provider<K, V> provider, boolean answersOne) {
        this(config, provider, answersOne, config.executor() == null ? Pools.providers() : null);
    }

    private Tasks(Config<K, V> config, Config.Provider<K, V> provider, boolean answersOne, ExecutorService own) {
        super(config, open(config, answersOne, own));
        this.provider = provider;
        Executor ofProgram = config.executor();
        this.providers = own == null ? job -> engine.pass(() -> ofProgram.execute(job)) : own;
        secondTier = config.secondTier();
        engine.start(this);
    }

    private static Engine open(Config<?, ?> config, boolean answersOne, ExecutorService own) {
        boolean needsSingleKeys = answersOne && config.get("batch.max_keys") == null;
        Runnable atEnd = own == null ? () -> { } : own::shutdown;
        return new Engine(config, needsSingleKeys ? "batch.max_keys" : null, atEnd);
    }

    /**
     * Fetches one key. A key that is in the cache is answered at once, by a future that is complete.
     *
     * @param key the key
     * @return a future of the value, null if there is no such record
     */
    public CompletableFuture<V> fetch(K key) {
        return fetch(key, null);
    }

    /**
     * Fetches one key.
     *
     * @param key the key
     * @param options the settings of this fetch; null: none
     * @return a future of the value; null if there is no such record, or if the key is not in the cache and {@link FetchSettings.Read#CACHE_ONLY} was
     *     stated
     */
    public CompletableFuture<V> fetch(K key, FetchOptions options) {
        byte[] bytes = keys.bytes(key);
        try {
            return begin(bytes, options, false);
        } catch (KvlightException e) {
            return failed(e);
        }
    }

    /**
     * Fetches one key and waits for it.
     *
     * @param key the key
     * @return the value, null if there is no such record
     * @throws InterruptedException if the thread is interrupted while it waits; this fetch is cancelled then
     */
    public V fetchWait(K key) throws InterruptedException {
        return fetchWait(key, null);
    }

    /**
     * Fetches one key and waits for it. An exception of the provider is thrown as it is, a checked one as the cause of a
     * {@link java.util.concurrent.CompletionException}.
     *
     * @param key the key
     * @param options the settings of this fetch; null: none
     * @return the value, null if there is no such record
     * @throws InterruptedException if the thread is interrupted while it waits; this fetch is cancelled then
     */
    public V fetchWait(K key, FetchOptions options) throws InterruptedException {
        return waited(begin(keys.bytes(key), options, true));
    }

    /**
     * Fetches several keys.
     *
     * @param keys the keys; duplicates are allowed
     * @return a future of the values in the order of the keys, null where there is no such record; it fails with the first error
     */
    public CompletableFuture<List<V>> fetchAll(Collection<? extends K> keys) {
        return fetchAll(keys, null);
    }

    /**
     * Fetches several keys.
     *
     * @param keys the keys; duplicates are allowed
     * @param options the settings of this fetch; null: none
     * @return a future of the values in the order of the keys, null where there is no such record; it fails with the first error
     */
    public CompletableFuture<List<V>> fetchAll(Collection<? extends K> keys, FetchOptions options) {
        return beginAll(keys, options, Tasks::values, false);
    }

    /**
     * Fetches several keys and waits for them.
     *
     * @param keys the keys; duplicates are allowed
     * @return the values in the order of the keys, null where there is no such record
     * @throws InterruptedException if the thread is interrupted while it waits; this fetch is cancelled then
     */
    public List<V> fetchAllWait(Collection<? extends K> keys) throws InterruptedException {
        return waited(beginAll(keys, null, Tasks::values, true));
    }

    /**
     * Fetches several keys.
     *
     * @param keys the keys; duplicates are allowed
     * @return a future of a map in the order of the keys, null for a key without a record; it fails with the first error
     */
    public CompletableFuture<Map<K, V>> fetchMap(Collection<? extends K> keys) {
        return beginAll(keys, null, results -> {
            Map<K, V> map = new LinkedHashMap<>();
            results.forEach(result -> map.put(result.key(), valueOf(result)));
            return map;
        }, false);
    }

    /**
     * Fetches several keys, and does not fail because of one of them.
     *
     * @param keys the keys; duplicates are allowed
     * @return a future of the result of each key, in the order of the keys
     */
    public CompletableFuture<List<Result<K, V>>> results(Collection<? extends K> keys) {
        return results(keys, null);
    }

    /**
     * Fetches several keys, and does not fail because of one of them.
     *
     * @param keys the keys; duplicates are allowed
     * @param options the settings of this fetch; null: none
     * @return a future of the result of each key, in the order of the keys
     */
    public CompletableFuture<List<Result<K, V>>> results(Collection<? extends K> keys, FetchOptions options) {
        return beginAll(keys, options, Function.identity(), false);
    }

    /**
     * Fetches several keys, and reports each result as soon as it is known.
     *
     * @param keys the keys; duplicates are allowed
     * @param consumer receives the result of each position, one call at a time, on the executor for callbacks
     * @return a future that completes after the last call; cancelling it ends what is still open
     */
    public CompletableFuture<Void> fetchEach(Collection<? extends K> keys, Consumer<? super Result<K, V>> consumer) {
        return fetchEach(keys, null, consumer);
    }

    /**
     * Fetches several keys, and reports each result as soon as it is known.
     *
     * @param keys the keys; duplicates are allowed
     * @param options the settings of this fetch; null: none
     * @param consumer receives the result of each position, one call at a time, on the executor for callbacks
     * @return a future that completes after the last call; cancelling it ends what is still open
     */
    public CompletableFuture<Void> fetchEach(Collection<? extends K> keys, FetchOptions options, Consumer<? super Result<K, V>> consumer) {
        Objects.requireNonNull(consumer, "consumer");
        List<K> asked = copyOf(keys);
        byte[][] bytes = bytesOf(asked);
        Pending.Each<K, V> pending = new Pending.Each<>(this, asked, bytes, consumer);
        try {
            int status = start(pending, options, Scratch.sizeOf(bytes), (scratch, stated, fetch, id) -> NativeApi.kvl_tasks_fetch_each(engine.tasks(),
                    scratch.slices(bytes), bytes.length, stated, fetch, 0, id, 0));
            if (status != NativeApi.PENDING) {
                pending.future.settle(null); // No keys.
            }
        } catch (KvlightException e) {
            return failed(e);
        }
        return pending.future;
    }

    /**
     * Reloads keys in the background. Their current values are served until the new ones are there, and stay if the reload fails.
     *
     * @param keys the keys
     */
    public void refresh(Collection<? extends K> keys) {
        refresh(keys, null);
    }

    /**
     * Reloads keys in the background. Their current values are served until the new ones are there, and stay if the reload fails.
     *
     * @param keys the keys
     * @param options the settings of the reload; null: none
     */
    public void refresh(Collection<? extends K> keys, FetchOptions options) {
        byte[][] bytes = bytesOf(copyOf(keys));
        FetchOptions.with(options, stated -> {
            Gate.Pass pass = enter();
            try (Scratch scratch = Scratch.of(Scratch.sizeOf(bytes))) {
                return KvlightException.check(NativeApi.kvl_tasks_refresh(engine.tasks(), scratch.slices(bytes), bytes.length, stated));
            } finally {
                pass.isTaken = 0;
                Reference.reachabilityFence(this);
            }
        });
    }

    /**
     * Tells the cache that another process has changed keys: their values leave this process, and running loads of them do not store their answers.
     *
     * @param keys the keys
     */
    public void invalidate(Collection<? extends K> keys) {
        invalidate(bytesOf(copyOf(keys)), 0);
    }

    /** Tells the cache that another process may have changed any key: all values leave this process. */
    public void invalidateAll() {
        invalidate(new byte[0][], NativeApi.INVALIDATE_F_ALL);
    }

    private void invalidate(byte[][] bytes, int flags) {
        Gate.Pass pass = enter();
        try (Scratch scratch = Scratch.of(Scratch.sizeOf(bytes))) {
            long slices = bytes.length == 0 ? 0 : scratch.slices(bytes);
            KvlightException.check(NativeApi.kvl_tasks_invalidate(engine.tasks(), slices, bytes.length, flags));
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Returns the state of the circuit breaker ({@link Settings#breakerFailureRatio}, {@link Settings#breakerConsecutive}).
     *
     * @return the state
     */
    public BreakerState breaker() {
        Gate.Pass pass = enter();
        try {
            return BreakerState.of(NativeApi.kvl_tasks_breaker_state(engine.tasks()));
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Forces the circuit breaker open or closed, whatever the provider does.
     *
     * @param state {@link BreakerState#OPEN} or {@link BreakerState#CLOSED}; null returns it to automatic operation
     */
    public void forceBreaker(BreakerState state) {
        if (state == BreakerState.HALF_OPEN) {
            throw new IllegalArgumentException("kvlight: the circuit breaker can be forced OPEN or CLOSED; null leaves it to itself");
        }
        int force = state == null ? NativeApi.BREAKER_FORCE_NONE
                : state == BreakerState.OPEN ? NativeApi.BREAKER_FORCE_OPEN : NativeApi.BREAKER_FORCE_CLOSED;
        Gate.Pass pass = enter();
        try {
            KvlightException.check(NativeApi.kvl_tasks_breaker_force(engine.tasks(), force));
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Closes the cache once all accepted work is done. Fetches that are still open after the given time end with {@link Status#ERR_CLOSED}. A later
     * {@link #close} ends them at once.
     *
     * @param drainMs how long that may take, in milliseconds; -1: without a limit
     * @return a future that completes when all is freed
     */
    public CompletableFuture<Void> closeAfter(long drainMs) {
        KvlightException.checkArgument(drainMs >= -1, "a drain takes 0 ms or more, or -1, not " + drainMs);
        engine.close(drainMs);
        engine.hold(this);
        return engine.ended();
    }

    /**
     * Returns the state of the connection to the server of {@link Config#l2Url}: whether it is connected, and if not, what is wrong and how to fix
     * it.
     *
     * @return the members of kvl_redis_state, as JSON
     * @throws IllegalStateException if there is no such server
     */
    public String l2State() {
        if (engine.server() == null) {
            throw new IllegalStateException("kvlight: these Tasks have no l2Url");
        }
        return engine.server().state();
    }

    // -- For the package ----------------------------------------------------------------------------------------------

    /** Hands a request to the provider, on the pump's thread. */
    void ask(long borrowed) {
        Request<K, V> request = new Request<>(this, borrowed);
        try {
            providers.execute(() -> request.run(provider));
        } catch (Throwable e) {
            request.giveUp(e); // The executor was shut down, or there are no threads.
        }
    }

    /** Hands a request to the second tier, on the pump's thread. */
    void askSecondTier(long borrowed) {
        TierRequest<V> request = new TierRequest<>(this, secondTier, borrowed);
        try {
            providers.execute(request::serve);
        } catch (Throwable e) {
            engine.reportFromPump(e);
            request.giveUp(); // The executor was shut down, or there are no threads.
        }
    }

    private CompletableFuture<V> begin(byte[] key, FetchOptions options, boolean isPrivate) {
        boolean isPlain = FetchOptions.areNone(options);
        if (isPlain && engine.readsStoreFirst()) {
            Object found = find(key, true);
            if (found != MISSING) {
                return CompletableFuture.completedFuture(found == INVALID ? null : cast(found));
            }
        }
        Pending.One<K, V> pending = new Pending.One<>(this, key, isPrivate);
        start(pending, options, key.length, (scratch, stated, fetch, id) -> {
            scratch.clear(1);
            int status = NativeApi.kvl_tasks_fetch(engine.tasks(), scratch.bytes(key), key.length, stated, fetch, 0, id, 0, scratch.out(0));
            if (status == NativeApi.VALUE) {
                pending.future.settle(cast(taken(scratch.longAt(0))));
            } else if (status >= 0 && status != NativeApi.PENDING) {
                pending.future.settle(null);
            }
            return status;
        });
        return pending.future;
    }

    private <T> CompletableFuture<T> beginAll(Collection<? extends K> keys, FetchOptions options, Function<List<Result<K, V>>, T> form, boolean isPrivate) {
        List<K> asked = copyOf(keys);
        byte[][] bytes = bytesOf(asked);
        Pending.All<K, V, T> pending = new Pending.All<>(this, asked, bytes, form, isPrivate);
        try {
            start(pending, options, Scratch.sizeOf(bytes), (scratch, stated, fetch, id) -> {
                scratch.clear(1);
                long slices = scratch.slices(bytes);
                int status = NativeApi.kvl_tasks_fetch_all(engine.tasks(), slices, bytes.length, stated, fetch, 0, id, 0, scratch.out(0));
                long ready = scratch.longAt(0);
                if (ready != 0) {
                    try {
                        pending.settle(pending.read(ready));
                    } finally {
                        NativeApi.kvl_results_release(ready);
                    }
                }
                return status;
            });
        } catch (KvlightException e) {
            return failed(e);
        }
        return pending.future;
    }

    /** A call that starts a fetch. */
    private interface Start {
        int start(Scratch scratch, long options, long fetch, long id);
    }

    /** Starts a fetch; returns the status of the call. */
    private int start(Pending<K, V> pending, FetchOptions options, long room, Start start) {
        return FetchOptions.with(options, stated -> {
            Gate.Pass pass = enter();
            long id = 0;
            int status = NativeApi.ERR_CLOSED;
            try (Scratch scratch = Scratch.of(room)) {
                KvlightException.check(NativeApi.kvl_fetch_new(scratch.out(0)));
                long fetch = scratch.longAt(0);
                pending.begin(fetch, options);
                id = engine.pendings.add(pending);
                status = start.start(scratch, stated, fetch, id);
                return KvlightException.check(status);
            } finally {
                pass.isTaken = 0;
                if (status != NativeApi.PENDING) {
                    engine.pendings.remove(id);
                    pending.release();
                }
                Reference.reachabilityFence(this);
            }
        });
    }

    private static <T> CompletableFuture<T> failed(KvlightException error) {
        // A wrong argument is the caller's mistake, and is thrown.
        if (error.status() == Status.ERR_BAD_VALUE || error.status() == Status.ERR_UNKNOWN_KEY) {
            throw error;
        }
        return CompletableFuture.failedFuture(error);
    }

    private static <T> T waited(CompletableFuture<T> future) throws InterruptedException {
        try {
            return future instanceof Pending.Cancellable<T> fetch ? fetch.await() : future.get();
        } catch (ExecutionException e) {
            throw Outcome.unchecked(e.getCause());
        } catch (InterruptedException | KvlightException e) {
            future.cancel(true); // Without effect if the fetch has ended.
            throw e;
        }
    }

    private static <K, V> List<V> values(List<Result<K, V>> results) {
        List<V> values = new ArrayList<>(results.size());
        results.forEach(result -> values.add(valueOf(result)));
        return values;
    }

    private static <K, V> V valueOf(Result<K, V> result) {
        if (result.status().number() < 0) {
            throw new Pending.Failed(result.error());
        }
        return result.value();
    }
}
