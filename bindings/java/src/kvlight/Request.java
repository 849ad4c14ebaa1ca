package kvlight;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;

/**
 * Keys for a provider to answer, now or later, from any thread. {@link #finish} ends the request: until then its slot is taken (tasks.max_running).
 * The open keys of a request that is dropped unfinished fail with {@link Status#ERR_UNANSWERED} when it is collected. The first answer for each key
 * counts: an answer for a key that has one, or of a request that is finished, is not in time. After the Tasks was closed, answers throw a {@link
 * KvlightException} with {@link Status#ERR_CLOSED}.
 *
 * @param <K> the type of the keys
 * @param <V> the type of the values
 */
public final class Request<K, V> {
    private final Tasks<K, V> tasks;
    private final Handle handle;
    private final Cleaner.Cleanable cleanable;
    private List<K> keys;
    /** The keys as the library has them: the program may change those that it received, if they are arrays for example. */
    private List<byte[]> encoded;
    private Map<ByteBuffer, Integer> positions;
    private Runnable onCancel;
    /** The request whose provider was running on this thread when it began to run this one's; null: none. */
    private Request<?, ?> outer;

    /** The request whose provider the thread is running. */
    private static final ThreadLocal<Request<?, ?>> RUNNING = new ThreadLocal<>();

    /** The kvl_request_t. Each call with it holds this object's lock. This object also frees the handle when the request is collected. */
    private static final class Handle implements Runnable {
        private final Engine engine;
        private long request;
        private long hook;

        Handle(Engine engine, long request) {
            this.engine = engine;
            this.request = request;
        }

        @Override
        public synchronized void run() {
            NativeApi.kvl_request_release(request);
            request = 0;
            engine.hooks.remove(hook);
        }
    }

    /** A call with the kvl_request_t. */
    private interface Call {
        int call(long request);
    }

    /** Called on the pump's thread. */
    Request(Tasks<K, V> tasks, long borrowed) {
        this.tasks = tasks;
        handle = new Handle(tasks.engine, NativeApi.kvl_request_retain(borrowed));
        cleanable = Cleanup.register(this, handle);
    }

    /**
     * Returns the keys, without duplicates.
     *
     * @return an unmodifiable list
     */
    public List<K> keys() {
        return keys;
    }

    /**
     * Answers one key.
     *
     * @param key the key; one that was not asked for is stored as well
     * @param value its value; null: there is no such record
     * @return whether the answer was in time; one that comes after the attempt's timeout is stored nevertheless, unless something newer is
     */
    public boolean resolve(K key, V value) {
        return resolve(key, value, Terms.NONE);
    }

    /**
     * Answers one key on terms.
     *
     * @param key the key; one that was not asked for is stored as well
     * @param value its value; null: there is no such record
     * @param terms how long it is kept, its version and tags, and so on
     * @return whether the answer was in time; one that comes after the attempt's timeout is stored nevertheless, unless something newer is
     */
    public boolean resolve(K key, V value, Terms terms) {
        byte[] bytes = tasks.keys.bytes(key);
        return answer(value, terms, bytes.length, (request, scratch, made, stated) ->
                NativeApi.kvl_request_supply(request, scratch.bytes(bytes), bytes.length, made, stated));
    }

    /**
     * Fails one key.
     *
     * @param key one of the keys
     * @param error reaches every caller that waits for the key, unchanged
     * @return whether the answer was in time
     */
    public boolean fail(K key, Throwable error) {
        int at = position(key);
        return withError(error, (request, made) -> NativeApi.kvl_request_fail(request, at, made)) == NativeApi.OK;
    }

    /**
     * Returns the stored entry of a key, expired or not. With its version a provider can ask the source whether the record has changed.
     *
     * @param key one of the keys
     * @return the value, its age and its version; null if the store has no entry for the key, or the request is finished
     */
    public Stale<V> stale(K key) {
        int at = position(key);
        Gate.Pass pass = tasks.enter();
        try (Scratch scratch = Scratch.of(0)) {
            scratch.clear(4);
            int status = call(request -> NativeApi.kvl_request_stale(request, at, scratch.out(0), scratch.out(1), scratch.out(2)));
            if (status == NativeApi.MISS || status == NativeApi.LATE) {
                return null;
            }
            long value = scratch.longAt(0);
            byte[] version = Memory.bytes(scratch.longAt(2), scratch.longAt(3));
            long ageMs = scratch.longAt(1);
            return new Stale<>(value == 0 ? null : tasks.cast(tasks.taken(value)), ageMs, new String(version, StandardCharsets.UTF_8));
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(tasks);
        }
    }

    /**
     * Answers one key with what {@link #stale} returns: the record has not changed. The value gets a new TTL, and keeps its version and its tags.
     *
     * @param key one of the keys
     * @return whether the answer was in time
     */
    public boolean notModified(K key) {
        return notModified(key, Terms.NONE);
    }

    /**
     * Answers one key with what {@link #stale} returns, on terms. The value keeps its version and its tags unless the terms state others.
     *
     * @param key one of the keys
     * @param terms the terms
     * @return whether the answer was in time
     * @throws IllegalStateException if the store has no entry for the key
     */
    public boolean notModified(K key, Terms terms) {
        int at = position(key);
        Terms.Packed packed = Terms.ofAnswer(terms);
        Gate.Pass pass = tasks.enter();
        try (Scratch scratch = Scratch.of(packed == null ? 0 : packed.size())) {
            long stated = packed == null ? 0 : packed.write(scratch);
            int status = call(request -> NativeApi.kvl_request_not_modified(request, at, stated));
            if (status == NativeApi.MISS) {
                throw new IllegalStateException("kvlight: notModified: the store has no entry for the key " + key);
            }
            return status == NativeApi.OK;
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(tasks);
        }
    }

    /** Finishes the request: keys without an answer are remembered as absent. Has no effect if it is finished already, or the Tasks was closed. */
    public void finish() {
        try {
            call(NativeApi::kvl_request_finish_nulls);
        } catch (KvlightException e) {
            ignoreClosed(e);
        } finally {
            cleanable.clean();
        }
    }

    /**
     * Finishes the request: keys without an answer fail. Has no effect if it is finished already, or the Tasks was closed.
     *
     * @param error reaches every caller that waits for one of them, unchanged
     */
    public void finish(Throwable error) {
        try {
            withError(error, NativeApi::kvl_request_finish_error);
        } catch (KvlightException e) {
            ignoreClosed(e);
        } finally {
            cleanable.clean();
        }
    }

    /** Ignores a close: answering the last open key ends a Tasks that is closing, so it may have ended before the finish. */
    private static void ignoreClosed(KvlightException error) {
        if (error.status() != Status.ERR_CLOSED) {
            throw error;
        }
    }

    /**
     * Returns whether no caller wants the request any longer, because all have left, the attempt timed out, or the Tasks was closed. A provider may
     * then stop.
     *
     * @return whether it is unwanted; false once it is finished
     */
    public boolean isCancelled() {
        return ask(request -> NativeApi.kvl_request_is_cancelled(request)) != NativeApi.CANCEL_NO;
    }

    /**
     * Sets a function that is called once if the request is no longer wanted before it is finished, on the executor for callbacks.
     *
     * @param function the function
     */
    public void onCancel(Runnable function) {
        Objects.requireNonNull(function, "function");
        synchronized (handle) {
            if (onCancel != null) {
                throw new IllegalStateException("kvlight: the request has a function for its cancellation already");
            }
            onCancel = function;
        }
        WeakReference<Request<K, V>> self = new WeakReference<>(this);
        hook(() -> {
            Request<K, V> request = self.get();
            if (request != null) {
                request.onCancel.run();
            }
        });
    }

    /**
     * Returns the number of the attempt that loads a key.
     *
     * @param key one of the keys
     * @return 1 for the first; 0 once the request is finished
     */
    public int attempt(K key) {
        int at = position(key);
        return ask(request -> NativeApi.kvl_request_attempt(request, at));
    }

    /**
     * Returns whether a key is still wanted.
     *
     * @param key one of the keys
     * @return whether a caller, or a refresh, waits for it
     */
    public boolean isWanted(K key) {
        int at = position(key);
        return ask(request -> NativeApi.kvl_request_is_wanted(request, at)) != 0;
    }

    /**
     * Returns the highest urgency among the keys.
     *
     * @return the urgency; 0 once the request is finished
     */
    public int urgency() {
        return ask(NativeApi::kvl_request_urgency);
    }

    /**
     * Returns how much time the attempt has left ({@link Settings#attemptTimeoutMs}).
     *
     * @return milliseconds; -1: there is no limit, or the request is finished
     */
    public long timeLeftMs() {
        synchronized (handle) {
            return handle.request == 0 ? -1 : NativeApi.kvl_request_time_left_ms(handle.request);
        }
    }

    /**
     * Reports that the provider is still working, which restarts the timeout of the attempt.
     *
     * @return whether that was in time
     */
    public boolean heartbeat() {
        return call(NativeApi::kvl_request_heartbeat) == NativeApi.OK;
    }

    // -- For Tasks and Config -----------------------------------------------------------------------------------------

    /** Runs the provider. If it throws, the open keys fail. */
    void run(Config.Provider<K, V> provider) {
        outer = RUNNING.get();
        RUNNING.set(this);
        try {
            readKeys();
            provider.provide(this);
        } catch (Throwable e) {
            giveUp(e);
        } finally {
            if (outer == null) {
                RUNNING.remove();
            } else {
                RUNNING.set(outer);
                outer = null;
            }
        }
    }

    /**
     * Whether this thread runs a provider of {@code tasks} that is still to answer one of these keys. It could not, if the thread waited for that key.
     * `hasRead`: keys that are in the store have their answer already.
     */
    static boolean isAnswering(Tasks<?, ?> tasks, List<byte[]> waited, boolean hasRead) {
        for (Request<?, ?> request = RUNNING.get(); request != null; request = request.outer) {
            if (request.tasks == tasks && request.hasOpen(waited, hasRead)) {
                return true;
            }
        }
        return false;
    }

    private boolean hasOpen(List<byte[]> some, boolean hasRead) {
        Map<ByteBuffer, Integer> all = positions();
        for (byte[] key : some) {
            Integer at = all.get(ByteBuffer.wrap(key));
            if (at != null && ask(request -> NativeApi.kvl_request_is_wanted(request, at)) != 0 && !(hasRead && tasks.holds(key))) {
                return true;
            }
        }
        return false;
    }

    /** Fails the open keys, unless the request was finished or the cache closed meanwhile: then every waiter has its outcome. */
    void giveUp(Throwable error) {
        try {
            finish(error);
        } catch (KvlightException e) {
            cleanable.clean();
        }
    }

    /** Answers all keys from a map. */
    void answer(Map<K, ? extends V> rows) {
        Objects.requireNonNull(rows, "kvlight: the provider returned null, and not a map");
        for (int i = 0; i < keys.size(); i++) {
            V value = rows.get(keys.get(i));
            if (value != null) {
                resolveAt(i, value);
            }
        }
        finish();
    }

    /** Answers all keys from the map of a future; cancels the future when the request is no longer wanted. */
    void answerLater(CompletionStage<? extends Map<K, V>> stage) {
        Objects.requireNonNull(stage, "kvlight: the provider returned null, and not a future");
        cancelWhenUnwanted(List.of(stage.toCompletableFuture()));
        stage.whenComplete((rows, error) -> {
            if (error != null) {
                giveUp(plain(error));
                return;
            }
            try {
                answer(rows);
            } catch (Throwable e) {
                giveUp(e);
            }
        });
    }

    /** Answers the keys one after the other. A key that fails does not affect the others. */
    void answerEach(Config.OneLoader<K, V> loader) {
        for (int i = 0; i < keys.size(); i++) {
            V value;
            try {
                value = loader.load(keys.get(i));
            } catch (Throwable e) {
                failAt(i, e);
                continue;
            }
            resolveAt(i, value);
        }
        finish();
    }

    /** Answers each key when its future completes; cancels the futures when the request is no longer wanted. */
    void answerEachLater(Function<? super K, ? extends CompletionStage<? extends V>> loader) {
        List<CompletableFuture<?>> futures = new ArrayList<>();
        AtomicInteger open = new AtomicInteger(keys.size());
        for (int i = 0; i < keys.size(); i++) {
            int at = i;
            CompletionStage<? extends V> stage;
            try {
                stage = Objects.requireNonNull(loader.apply(keys.get(i)), "kvlight: the provider returned null, and not a future");
            } catch (Throwable e) {
                stage = CompletableFuture.failedFuture(e);
            }
            futures.add(stage.toCompletableFuture());
            stage.whenComplete((value, error) -> {
                try {
                    if (error == null) {
                        resolveAt(at, value);
                    } else {
                        failAt(at, plain(error));
                    }
                    if (open.decrementAndGet() == 0) {
                        finish();
                    }
                } catch (Throwable e) {
                    giveUp(e);
                }
            });
        }
        cancelWhenUnwanted(futures);
    }

    private void cancelWhenUnwanted(List<? extends CompletableFuture<?>> futures) {
        // Weak references, so that a future that the provider has lost does not keep the Tasks alive.
        List<WeakReference<CompletableFuture<?>>> weak = new ArrayList<>();
        futures.forEach(future -> weak.add(new WeakReference<>(future)));
        hook(() -> weak.forEach(one -> {
            CompletableFuture<?> future = one.get();
            if (future != null) {
                future.cancel(true);
            }
        }));
    }

    /** Registers a function with the library, or runs it if the request is unwanted already. The function must not refer to the request. */
    private void hook(Runnable function) {
        Engine engine = tasks.engine;
        Runnable guarded = () -> {
            try {
                function.run();
            } catch (Throwable e) {
                engine.report(e);
            }
        };
        int status;
        synchronized (handle) {
            if (handle.request == 0) {
                return; // The request is finished.
            }
            handle.hook = engine.hooks.add(guarded);
            status = NativeApi.kvl_request_on_cancel(handle.request, 0, handle.hook, 0);
            if (status < 0) {
                engine.hooks.remove(handle.hook);
            }
        }
        if (status == NativeApi.ERR_CANCELLED) {
            engine.callBack(guarded);
        }
    }

    private void readKeys() {
        List<byte[]> read = new ArrayList<>();
        synchronized (handle) {
            int count = Math.toIntExact(NativeApi.kvl_request_len(handle.request));
            ByteBuffer slices = Memory.view(NativeApi.kvl_request_keys(handle.request), (long) count * NativeApi.Slice.SIZE);
            for (int i = 0; i < count; i++) {
                int at = i * NativeApi.Slice.SIZE;
                read.add(Memory.bytes(slices.getLong(at + NativeApi.Slice.DATA), slices.getLong(at + NativeApi.Slice.LEN)));
            }
        }
        encoded = read;
        List<K> decoded = new ArrayList<>(read.size());
        read.forEach(key -> decoded.add(tasks.keys.key(key.clone())));
        keys = List.copyOf(decoded);
    }

    private synchronized Map<ByteBuffer, Integer> positions() {
        if (positions == null) {
            Map<ByteBuffer, Integer> found = new HashMap<>();
            for (int i = 0; i < encoded.size(); i++) {
                found.put(ByteBuffer.wrap(encoded.get(i)), i);
            }
            positions = found;
        }
        return positions;
    }

    private int position(K key) {
        Integer at = positions().get(ByteBuffer.wrap(tasks.keys.bytes(key)));
        if (at == null) {
            throw new IllegalArgumentException("kvlight: the request does not have the key " + key);
        }
        return at;
    }

    /** Answers one key with a value. If the function for costs throws, that key alone fails. */
    private void resolveAt(int at, V value) {
        long cost;
        try {
            cost = tasks.costOf(value, Terms.NONE);
        } catch (Throwable e) {
            failAt(at, e);
            return;
        }
        answer(value, null, cost, 0, (request, scratch, made, stated) -> NativeApi.kvl_request_resolve(request, at, made, stated));
    }

    private void failAt(int at, Throwable error) {
        withError(error, (request, made) -> NativeApi.kvl_request_fail(request, at, made));
    }

    /** A call that answers with a value. */
    private interface Answer {
        int call(long request, Scratch scratch, long value, long terms);
    }

    private boolean answer(V value, Terms terms, int room, Answer answer) {
        Terms.Packed packed = Terms.ofAnswer(terms);
        long cost = tasks.costOf(value, terms);
        return answer(value, packed, cost, room, answer);
    }

    private boolean answer(V value, Terms.Packed packed, long cost, int room, Answer answer) {
        Gate.Pass pass = tasks.enter();
        try (Scratch scratch = Scratch.of(room + (packed == null ? 0 : packed.size()))) {
            long made = tasks.engine.newValue(value, cost, scratch);
            try {
                long stated = packed == null ? 0 : packed.write(scratch);
                return call(request -> answer.call(request, scratch, made, stated)) == NativeApi.OK;
            } finally {
                NativeApi.kvl_value_release(made);
            }
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(tasks);
        }
    }

    /** A call that answers with an error. */
    private interface Failure {
        int call(long request, long error);
    }

    private int withError(Throwable error, Failure failure) {
        Objects.requireNonNull(error, "error");
        byte[] message = Engine.messageOf(error); // Code of the program, so it runs outside the gate.
        Gate.Pass pass = tasks.enter();
        try {
            long made = tasks.engine.newError(error, message);
            try {
                return call(request -> failure.call(request, made));
            } finally {
                NativeApi.kvl_error_release(made);
            }
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(tasks);
        }
    }

    /** Makes a call; the result is LATE if the key has an answer already, or the request is finished. */
    private int call(Call call) {
        synchronized (handle) {
            int status = handle.request == 0 ? NativeApi.ERR_ALREADY_ANSWERED : call.call(handle.request);
            return status == NativeApi.ERR_ALREADY_ANSWERED ? NativeApi.LATE : KvlightException.check(status);
        }
    }

    /** Makes a query; the result is 0 once the request is finished. */
    private int ask(Call call) {
        synchronized (handle) {
            return handle.request == 0 ? 0 : call.call(handle.request);
        }
    }

    /** The exception of a future, without the wrappers that the stages after it have added. */
    private static Throwable plain(Throwable error) {
        return error instanceof CompletionException && error.getCause() != null ? error.getCause() : error;
    }
}
