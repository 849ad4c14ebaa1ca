package kvlight;

import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.ToLongFunction;

/**
 * The configuration of a {@link Tasks} or a {@link Cache}: how its keys become bytes, the library's settings (each is a method), and a few functions
 * of the program.
 *
 * <pre>{@code
 * var config = new Config<String, User>(Keys.STRINGS).cacheCapacity(10_000).cacheTtlMs(60_000);
 * try (Tasks<String, User> users = config.load(ids -> database.users(ids))) { ... }
 * }</pre>
 *
 * <p>One configuration can create several Tasks and Caches; later changes do not affect those that exist. Not safe for use by several threads while it is
 * changed.
 *
 * @param <K> the type of the keys
 * @param <V> the type of the values: any objects, which stay in Java
 */
public final class Config<K, V> extends Settings<Config<K, V>> {
    private final Keys<K> keys;
    private Executor executor;
    private Executor callbackExecutor = Pools.CALLBACKS;
    private Consumer<? super V> dropped;
    private RemovalListener<? super K, ? super V> removalListener;
    private Predicate<? super K> validator;
    private ToLongFunction<? super V> cost;
    private Consumer<Throwable> failureHandler;
    private ManualClock clock;
    private TierRequest.Attached<V> secondTier;

    /**
     * Answers many keys.
     *
     * @param <K> the type of the keys
     * @param <V> the type of the values
     */
    @FunctionalInterface
    public interface Loader<K, V> {
        /**
         * Returns the values of keys. Runs on the executor for providers; the thread may block.
         *
         * @param keys the keys that the cache lacks, without duplicates
         * @return a map; a key that it lacks, or has with null, is remembered as absent, and keys that were not asked for are ignored
         * @throws Exception reaches every caller that waits for one of the keys
         */
        Map<K, V> load(List<K> keys) throws Exception;
    }

    /**
     * Answers one key.
     *
     * @param <K> the type of the key
     * @param <V> the type of the value
     */
    @FunctionalInterface
    public interface OneLoader<K, V> {
        /**
         * Returns the value of a key. Runs on the executor for providers; the thread may block.
         *
         * @param key a key that the cache lacks
         * @return the value; null if there is no such record
         * @throws Exception reaches every caller that waits for the key
         */
        V load(K key) throws Exception;
    }

    /**
     * Answers requests key by key, now or later, with terms for each.
     *
     * @param <K> the type of the keys
     * @param <V> the type of the values
     */
    @FunctionalInterface
    public interface Provider<K, V> {
        /**
         * Answers a request, or keeps it and answers later, from any thread. Runs on the executor for providers.
         *
         * @param request the keys; to be finished by {@link Request#finish}
         * @throws Exception fails the keys that have no answer
         */
        void provide(Request<K, V> request) throws Exception;
    }

    /**
     * Receives the entries that have left the cache.
     *
     * @param <K> the type of the keys
     * @param <V> the type of the values
     */
    @FunctionalInterface
    public interface RemovalListener<K, V> {
        /**
         * Called once for each value or absence that has left the cache, or that the cache refused. A fetch may still hold the value: {@link #dropped}
         * says when nothing does.
         *
         * @param key the key of the entry
         * @param value its value; null: the key was known to be absent
         * @param cause why the entry is not in the cache
         */
        void removed(K key, V value, RemovalCause cause);
    }

    /**
     * Creates a configuration in which every setting has its default.
     *
     * @param keys the form of the keys
     */
    public Config(Keys<K> keys) {
        this.keys = Objects.requireNonNull(keys, "keys");
    }

    /**
     * Where providers and second tiers run. The default is threads of the Tasks, one for each running request (tasks.max_running); an executor of
     * virtual threads is suitable too.
     *
     * @param executor runs them; a request that it rejects fails
     * @return this
     */
    public Config<K, V> executor(Executor executor) {
        this.executor = Objects.requireNonNull(executor, "executor");
        return this;
    }

    /**
     * The executor on which futures are completed, and with them the functions that depend on them; it also runs the functions of {@link #dropped},
     * {@link #removalListener}, {@link Tasks#fetchEach} and {@link FetchOptions#progress}. The default is a small pool that the whole process shares. It
     * starts another thread for each that waits for a future. If such functions block in other ways, set an executor with enough threads.
     *
     * <p>What the executor rejects, and what it runs inside of {@link Executor#execute}, runs on the thread that reads the library's events. There a
     * function must neither block nor wait for a future, since no event is read meanwhile.
     *
     * @param executor runs them; must not be {@code Runnable::run} unless these functions are short and wait for nothing
     * @return this
     */
    public Config<K, V> callbackExecutor(Executor executor) {
        this.callbackExecutor = Objects.requireNonNull(executor, "executor");
        return this;
    }

    /**
     * A function that is called with each value when neither the cache nor a fetch holds it any longer, one call at a time, on the executor for
     * callbacks. It is not called for a Tasks or a Cache that was collected without having been closed, and not for values that are being passed to
     * the second tier at the close. {@link Store#close} waits for the calls, unless it is called by a function that the cache itself runs on this
     * executor. If the executor has a single thread, nothing else that runs on it may call close: the calls need the thread that would wait for them.
     *
     * <p>A value that is stored several times, such as one that is put under two keys, or that the provider returns again, is reported once, when none
     * of its entries is left. That is decided by identity, not by {@code equals}.
     *
     * @param function receives values, to close them for example
     * @return this
     */
    public Config<K, V> dropped(Consumer<? super V> function) {
        this.dropped = Objects.requireNonNull(function, "function");
        return this;
    }

    /**
     * A function that is called with each entry that has left the cache, and the cause: on the executor for callbacks, one call at a time, in the order
     * of the removals of each key. Closing a Cache removes its entries; the entries that a Tasks has when it is closed are not reported. As with
     * {@link #dropped}, there are no calls for a Tasks or a Cache that was collected without having been closed, and {@link Store#close} waits.
     *
     * <p>The function must keep up with the writers: entries wait for it in memory without a limit, and {@link #removalsMaxPending} does not count them.
     *
     * @param listener receives the entries
     * @return this
     */
    public Config<K, V> removalListener(RemovalListener<? super K, ? super V> listener) {
        this.removalListener = Objects.requireNonNull(listener, "listener");
        return this;
    }

    /**
     * Which keys are valid. An invalid key is never stored and never given to the provider: a lookup and a fetch of it return null
     * ({@link Result#status} is {@link Status#INVALID_KEY}), and a put of it returns false. Without a validator every key is valid.
     *
     * @param function returns whether a key is valid; runs for each key that is looked up, fetched or stored, on the calling thread, and must be fast. A key
     *         for which it throws is not valid, and the exception goes to the {@link #failureHandler}.
     * @return this
     */
    public Config<K, V> validator(Predicate<? super K> function) {
        this.validator = Objects.requireNonNull(function, "function");
        return this;
    }

    /**
     * What values cost: {@link #cacheCostLimit} limits the total. Without this function they cost 0, unless {@link Terms#cost} says otherwise.
     *
     * @param function returns the cost of a value, in bytes, 0 or above; runs on the thread that stores the value. If it throws, or returns a
     *         number below 0, the put or the provider's answer fails.
     * @return this
     */
    public Config<K, V> cost(ToLongFunction<? super V> function) {
        this.cost = Objects.requireNonNull(function, "function");
        return this;
    }

    /**
     * What to do with an exception that no caller receives: one of {@link #dropped}, {@link #removalListener}, {@link #validator}, {@link #secondTier},
     * {@link Tasks#fetchEach}, {@link FetchOptions#progress} or {@link Request#onCancel}. The default is a warning in the log "kvlight" of {@link
     * System.Logger}.
     *
     * @param handler receives the exceptions, on any thread
     * @return this
     */
    public Config<K, V> failureHandler(Consumer<Throwable> handler) {
        this.failureHandler = Objects.requireNonNull(handler, "handler");
        return this;
    }

    /**
     * A clock for tests of time, instead of the system's.
     *
     * @param clock moves only when it is advanced
     * @return this
     */
    public Config<K, V> clock(ManualClock clock) {
        this.clock = Objects.requireNonNull(clock, "clock");
        return this;
    }

    /**
     * A store behind the cache, which several processes may share: keys are looked up there before the provider is called, and what is loaded or put
     * is stored there. Only for a {@link Tasks}. Entries with tags stay in this process.
     *
     * @param tier the store; its methods run on the executor for providers
     * @param encode returns the bytes of a value; a value for which it throws stays in this process
     * @param decode returns the value that has the bytes; an entry for which it throws, or returns null, counts as not found
     * @return this
     */
    public Config<K, V> secondTier(SecondTier tier, Function<? super V, byte[]> encode, Function<byte[], ? extends V> decode) {
        this.secondTier = new TierRequest.Attached<>(Objects.requireNonNull(tier, "tier"), null, Objects.requireNonNull(encode, "encode"),
                Objects.requireNonNull(decode, "decode"));
        return this;
    }

    /**
     * A Redis or Valkey server as the second tier, in place of a {@link SecondTier}: each {@link Tasks} connects to it, and what other processes
     * write is invalidated. It needs libkvlight_redis: if that is not found, creating the Tasks throws an {@link UnsatisfiedLinkError} that says how to
     * fix it. The system property {@code kvlight.redis.library} or the environment variable {@code KVL_REDIS_LIBRARY} can say where it is. Requests
     * wait for the server on the executor for providers.
     *
     * @param url as in {@code redis://user:password@host:6379/0?prefix=shop}; its options are those of kvlight_redis.h
     * @param encode returns the bytes of a value; a value for which it throws stays in this process
     * @param decode returns the value that has the bytes; an entry for which it throws, or returns null, counts as not found
     * @return this
     */
    public Config<K, V> l2Url(String url, Function<? super V, byte[]> encode, Function<byte[], ? extends V> decode) {
        this.secondTier = new TierRequest.Attached<>(null, Objects.requireNonNull(url, "url"), Objects.requireNonNull(encode, "encode"),
                Objects.requireNonNull(decode, "decode"));
        return this;
    }

    /**
     * Creates a cache whose provider answers many keys with a map.
     *
     * @param loader the provider
     * @return the cache with its provider; close it
     */
    public Tasks<K, V> load(Loader<K, V> loader) {
        Objects.requireNonNull(loader, "loader");
        return provide(request -> request.answer(loader.load(request.keys())));
    }

    /**
     * Creates a cache whose provider answers one key. Each request has one key, unless {@link #batchMaxKeys} says otherwise; then its keys are
     * answered one after the other.
     *
     * @param loader the provider
     * @return the cache with its provider; close it
     */
    public Tasks<K, V> loadOne(OneLoader<K, V> loader) {
        Objects.requireNonNull(loader, "loader");
        return new Tasks<>(this, request -> request.answerEach(loader), true);
    }

    /**
     * Creates a cache whose provider answers many keys with a future of a map. The future is cancelled when no caller wants the keys any longer.
     *
     * @param loader the provider; runs on the executor for providers, and must not block there for long
     * @return the cache with its provider; close it
     */
    public Tasks<K, V> loadAsync(Function<? super List<K>, ? extends CompletionStage<? extends Map<K, V>>> loader) {
        Objects.requireNonNull(loader, "loader");
        return provide(request -> request.answerLater(loader.apply(request.keys())));
    }

    /**
     * Creates a cache whose provider answers one key with a future. The future is cancelled when no caller wants the key any longer.
     *
     * @param loader the provider; runs on the executor for providers, and must not block there for long
     * @return the cache with its provider; close it
     */
    public Tasks<K, V> loadOneAsync(Function<? super K, ? extends CompletionStage<? extends V>> loader) {
        Objects.requireNonNull(loader, "loader");
        return new Tasks<>(this, request -> request.answerEachLater(loader), true);
    }

    /**
     * Creates a cache whose provider answers key by key.
     *
     * @param provider the provider
     * @return the cache with its provider; close it
     */
    public Tasks<K, V> provide(Provider<K, V> provider) {
        return new Tasks<>(this, Objects.requireNonNull(provider, "provider"), false);
    }

    /**
     * Creates a cache without a provider. Only settings that begin with "cache" apply.
     *
     * @return the cache; close it
     */
    public Cache<K, V> cache() {
        return new Cache<>(this);
    }

    Keys<K> keys() {
        return keys;
    }

    Executor executor() {
        return executor;
    }

    Executor callbackExecutor() {
        return callbackExecutor;
    }

    Consumer<? super V> dropped() {
        return dropped;
    }

    RemovalListener<? super K, ? super V> removalListener() {
        return removalListener;
    }

    Predicate<? super K> validator() {
        return validator;
    }

    ToLongFunction<? super V> cost() {
        return cost;
    }

    TierRequest.Attached<V> secondTier() {
        return secondTier;
    }

    Consumer<Throwable> failureHandler() {
        return failureHandler;
    }

    void setClock(long config) {
        if (clock != null) {
            clock.setIn(config);
        }
    }
}
