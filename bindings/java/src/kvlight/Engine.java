package kvlight;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.IdentityHashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/**
 * The library's engine, or a cache without one; the queue of its events; and the pump, the thread that reads the queue. The pump runs no code of the
 * program. The engine refers weakly to its Tasks or Cache: if the program drops that without closing it, it is collected, which ends the engine.
 *
 * <p>States: open; closing, after {@link #close}; ended, when the pump has freed all. The gate keeps calls from using handles that have been freed.
 */
final class Engine {
    private static final System.Logger LOG = System.getLogger("kvlight");

    /** How many calls of this thread, one inside the other, are running code of the program. Their engines cannot end before they return. */
    private static final ThreadLocal<int[]> PROGRAM_CALLS = ThreadLocal.withInitial(() -> new int[1]);

    /** The values and the provider's exceptions that the library holds. */
    final ObjectTable objects = new ObjectTable();

    /** Bounds the events that wait for the pump. */
    private final Backlog backlog = new Backlog();

    /** The fetches in progress: each is a Pending. */
    final ObjectTable pendings = new ObjectTable();

    /** The functions to run when a request is no longer wanted. */
    final ObjectTable hooks = new ObjectTable();

    final Gate gate = new Gate();

    /** Runs the program's functions for dropped values, removals and failures, one at a time. */
    final SerialExecutor serial;

    private final Executor callbacks;
    /** Whether the program has a function for dropped values or removals: then the end waits for the executor for callbacks. */
    private final boolean reportsDrops;
    /** How many numbers in {@link #objects} each value has; null without a function for dropped values. Guarded by itself. */
    private final Map<Object, Integer> holds;
    /** The function that the library calls to validate a key: it must exist for as long as the library may call it. Null without a validator. */
    private final Validation validation;
    private final Consumer<Throwable> failureHandler;
    private final Runnable atEnd;
    /** Completed at the end. No code of the program depends on it directly. */
    private final CompletableFuture<Void> ended = new CompletableFuture<>();
    private final boolean readsStoreFirst;
    /** The connection of {@link Config#l2Url}, or null. It uses the engine until it is stopped. */
    private RedisTier server;
    private long queue;
    private long tasks;
    private long cache;
    private WeakReference<Store<?, ?>> owner;
    private volatile boolean isOpen = true;
    private volatile boolean isEnding;
    private Thread pump;
    /** A store that drains. The pump refers to this engine, so this reference keeps the store from being collected before the end. */
    private volatile Store<?, ?> held;

    /** Opens a cache without a provider. */
    Engine(Config<?, ?> config) {
        this(config, false, null, () -> { });
    }

    /** Opens an engine. `single`: the name of a setting to set to 1, or null. `atEnd` runs when all is freed. */
    Engine(Config<?, ?> config, String single, Runnable atEnd) {
        this(config, true, single, atEnd);
    }

    private Engine(Config<?, ?> config, boolean hasProvider, String single, Runnable atEnd) {
        Library.require();
        callbacks = config.callbackExecutor();
        failureHandler = config.failureHandler();
        reportsDrops = config.dropped() != null || config.removalListener() != null;
        holds = config.dropped() == null ? null : new IdentityHashMap<>();
        validation = config.validator() == null ? null : new Validation(this::isValid);
        serial = new SerialExecutor(this::callBack, this::report);
        this.atEnd = atEnd;
        long made = 0;
        try (Scratch scratch = Scratch.of(64)) {
            KvlightException.check(NativeApi.kvl_queue_new(0, scratch.out(0)));
            queue = scratch.longAt(0);
            KvlightException.check(NativeApi.kvl_config_new(scratch.out(0)));
            made = scratch.longAt(0);
            if (single != null) {
                KvlightException.check(NativeApi.kvl_config_set_int(made, scratch.text(single), 1));
            }
            config.writeTo(SettingValues.Target.CONFIG, made);
            config.setClock(made);
            if (validation != null) {
                validation.setIn(made);
            }
            if (config.removalListener() != null) {
                KvlightException.check(NativeApi.kvl_config_set_removal_listener(made, 0, 0, 0));
                KvlightException.check(NativeApi.kvl_config_set_queue(made, queue, NativeApi.QUEUE_F_REMOVALS));
            }
            if (hasProvider) {
                KvlightException.check(NativeApi.kvl_config_set_queue(made, queue, NativeApi.QUEUE_F_ALL | NativeApi.QUEUE_F_L2));
                if (config.secondTier() != null && config.secondTier().url() != null) {
                    server = new RedisTier(config.secondTier().url());
                }
                if (config.secondTier() != null) {
                    KvlightException.check(NativeApi.kvl_config_set_l2(made, config.secondTier().abilities(), 0, 0, 0));
                }
                KvlightException.check(NativeApi.kvl_config_set_provider(made, 0, 0, 0));
            }
            create(made, hasProvider, scratch);
            readsStoreFirst = NativeApi.kvl_tasks_reads_store_first(tasks) != 0;
            if (server != null) {
                server.attach(tasks);
            }
        } catch (Throwable e) {
            stopServer();
            NativeApi.kvl_queue_dispose(queue);
            throw e;
        } finally {
            NativeApi.kvl_config_free(made);
        }
    }

    /** Creates the engine or the cache. Throws an exception with the library's message if settings contradict each other. */
    private void create(long config, boolean hasProvider, Scratch scratch) {
        scratch.clear(2);
        int status = hasProvider
                ? NativeApi.kvl_tasks_new(config, scratch.out(0), scratch.out(1))
                : NativeApi.kvl_cache_new(config, scratch.out(0), scratch.out(1));
        long why = scratch.longAt(1);
        if (status < 0) {
            String sentence = why == 0 ? null : Memory.text(NativeApi.kvl_error_message(why));
            NativeApi.kvl_error_release(why);
            throw KvlightException.of(status, sentence, null);
        }
        if (hasProvider) {
            tasks = scratch.longAt(0);
            KvlightException.check(NativeApi.kvl_tasks_cache(tasks, scratch.out(0)));
        }
        cache = scratch.longAt(0);
    }

    /** Begins to read the queue for a Tasks or a Cache. */
    void start(Store<?, ?> store) {
        owner = new WeakReference<>(store);
        pump = new Thread(null, this::pump, "kvlight pump", 0, false);
        pump.setDaemon(true);
        try {
            pump.start();
        } catch (Throwable e) {
            gate.shut();
            stopServer();
            NativeApi.kvl_cache_release(cache);
            NativeApi.kvl_tasks_dispose(tasks);
            NativeApi.kvl_queue_dispose(queue);
            throw e;
        }
        Cleanup.register(store, () -> close(0));
    }

    // -- For calls, inside the gate ----------------------------------------------------------------------------------

    long queue() {
        return queue;
    }

    long tasks() {
        return tasks;
    }

    long cache() {
        return cache;
    }

    /** Whether a fetch without options looks in the store first. */
    boolean readsStoreFirst() {
        return readsStoreFirst;
    }

    boolean isOpen() {
        return isOpen;
    }

    Gate.Pass enter() {
        Gate.Pass pass = gate.enter();
        if (pass == null) {
            throw KvlightException.closed();
        }
        return pass;
    }

    /** Waits while too many events wait. Called before each write, outside the gate, for which the pump may wait. In the program's functions it returns. */
    void awaitPump() {
        if (backlog.isToLook() && !CallbackJob.isInside() && !serial.isCurrent() && PROGRAM_CALLS.get()[0] == 0 && Thread.currentThread() != pump) {
            backlog.await(this::exceededLimit);
        }
    }

    /**
     * Returns the limit on the events that wait if more do, and otherwise 0. The limit is the number of entries for which there is room, between 16 and 1,024.
     * With a limit on their cost, which the queue's events do not state, it is the number that there are.
     */
    private long exceededLimit() {
        Gate.Pass pass = gate.enter();
        if (pass == null) {
            return 0;
        }
        try {
            long waiting = NativeApi.kvl_queue_len(queue);
            if (waiting <= 16) {
                return 0;
            }
            long limit = NativeApi.kvl_cache_cost_limit(cache) < 0 ? NativeApi.kvl_cache_capacity(cache) : NativeApi.kvl_cache_len(cache);
            limit = Math.max(16, Math.min(1024, limit));
            return waiting > limit ? limit : 0;
        } finally {
            pass.isTaken = 0;
        }
    }

    /** Creates a kvl_value_t; null becomes the library's null. The object is kept until the queue reports that the library dropped it. */
    long newValue(Object value, long cost, Scratch scratch) {
        if (value == null) {
            return NativeApi.kvl_value_null();
        }
        if (holds != null) {
            synchronized (holds) {
                holds.merge(value, 1, Integer::sum);
            }
        }
        long number = objects.add(value);
        int status = NativeApi.kvl_value_new_object_on(queue, number, cost, 0, scratch.out(0));
        if (status < 0) {
            objects.remove(number);
            losesLastNumber(value);
            throw KvlightException.of(status, null, null);
        }
        return scratch.longAt(0);
    }

    /** Notes that a value has one number fewer; returns whether it has none left. */
    private boolean losesLastNumber(Object value) {
        if (holds == null) {
            return true;
        }
        synchronized (holds) {
            return holds.computeIfPresent(value, (same, count) -> count == 1 ? null : count - 1) == null;
        }
    }

    /** Creates a kvl_error_t for an exception with what {@link #messageOf} returns. The exception is kept like a value. */
    long newError(Throwable exception, byte[] message) {
        int flags = (exception instanceof Permanent ? NativeApi.ERROR_F_PERMANENT : 0) | (exception instanceof Gone ? NativeApi.ERROR_F_NO_STALE : 0);
        long number = objects.add(new Outcome.Raised(exception));
        try (Scratch scratch = Scratch.of(message.length)) {
            int status = NativeApi.kvl_error_new_object(0, scratch.bytes(message), message.length, flags, queue, number, 0, scratch.out(0));
            if (status < 0) {
                objects.remove(number);
                throw KvlightException.of(status, null, null);
            }
            long error = scratch.longAt(0);
            if (exception instanceof RetryAfter later) {
                NativeApi.kvl_error_set_retry_after(error, later.afterMs());
            }
            return error;
        }
    }

    /** The message of an exception. Its getMessage may be code of the program, which may throw anything, or close. */
    static byte[] messageOf(Throwable exception) {
        String message = null;
        try {
            message = exception.getMessage();
        } catch (Throwable e) {
            // Its own failure reaches nobody: the exception itself does.
        }
        return (message == null ? exception.getClass().getName() : message).getBytes(StandardCharsets.UTF_8);
    }

    /** Asks the program whether a key is valid: on the thread of a call, inside the gate. */
    private boolean isValid(byte[] key) {
        Store<?, ?> store = owner.get();
        int[] calls = programCalls();
        calls[0]++;
        try {
            return store == null || store.isValid(key);
        } catch (Throwable e) {
            report(e);
            return false;
        } finally {
            calls[0]--;
        }
    }

    /** The count in {@link #PROGRAM_CALLS}. A call that runs code of the program adds itself for that time: a close inside must not wait for it. */
    static int[] programCalls() {
        return PROGRAM_CALLS.get();
    }

    // -- For results --------------------------------------------------------------------------------------------------

    /** Runs a job that may run code of the program, on the executor for callbacks. */
    void callBack(Runnable job) {
        pass(() -> CallbackJob.execute(callbacks, job));
    }

    /**
     * Passes a job to an executor, which may run it on this thread, or wait. If this is the pump, no writer waits for it meanwhile, since the job
     * may wait for a writer.
     */
    void pass(Runnable execution) {
        if (Thread.currentThread() != pump) {
            execution.run();
            return;
        }
        backlog.turn(false);
        try {
            execution.run();
        } finally {
            backlog.turn(true);
        }
    }

    /** Reports an exception from the pump, on the executor for callbacks: the handler of failures may wait for a fetch. */
    void reportFromPump(Throwable error) {
        try {
            serial.execute(() -> report(error));
        } catch (Throwable e) {
            report(error); // Out of memory, for example: the pump must go on.
        }
    }

    /** Reports an exception of the program's code that no caller receives. */
    void report(Throwable error) {
        try {
            if (failureHandler != null) {
                failureHandler.accept(error);
                return;
            }
            LOG.log(System.Logger.Level.WARNING, "a function given to kvlight has failed", error);
        } catch (Throwable e) {
            LOG.log(System.Logger.Level.WARNING, "the handler of failures has failed", e);
        }
    }

    // -- The end ------------------------------------------------------------------------------------------------------

    /** Starts to close, at once or after a drain of this many milliseconds (-1: without a limit). Never waits. May be called again. */
    void close(long drainMs) {
        Gate.Pass pass = gate.enter();
        if (pass == null) {
            return;
        }
        try {
            if (tasks == 0) {
                isOpen = false;
                NativeApi.kvl_queue_wake(queue);
            } else {
                int mode = drainMs == 0 ? NativeApi.CLOSE_CANCEL : NativeApi.CLOSE_DRAIN;
                KvlightException.check(NativeApi.kvl_tasks_close(tasks, mode, drainMs, 0, 0, 0));
                isOpen = false;
            }
        } finally {
            pass.isTaken = 0;
        }
    }

    /** Keeps a store that drains alive until the end. */
    void hold(Store<?, ?> store) {
        held = store;
    }

    /**
     * Completes when all is freed and the program's functions for dropped values and removals have run: on a thread of its own, since functions of
     * the program may depend on it, and other functions may block any pool.
     */
    CompletableFuture<Void> ended() {
        return ended.thenRunAsync(() -> { }, Pools::runAlone);
    }

    /** Waits for the end, unless the calling thread is one that the end waits for. */
    void awaitEnd() {
        boolean holdsExecutor = reportsDrops && CallbackJob.isInside();
        if (!holdsExecutor && !serial.isCurrent() && PROGRAM_CALLS.get()[0] == 0 && Thread.currentThread() != pump) {
            ended.join();
        }
    }

    private void pump() {
        ByteBuffer event = ByteBuffer.allocateDirect(NativeApi.Event.SIZE).order(ByteOrder.nativeOrder());
        long address = Pointer.nativeValue(Native.getDirectBufferPointer(event));
        try {
            boolean isIdle = false;
            for (;;) {
                int status = NativeApi.kvl_queue_next(queue, isIdle && !isEnding ? NativeApi.FOREVER : 0, address, NativeApi.Event.SIZE);
                backlog.noteRead(queue);
                isIdle = status != NativeApi.OK;
                if (!isIdle) {
                    handle(event);
                } else if (status < 0 || isEnding) {
                    break;
                } else if (tasks == 0 && !isOpen) {
                    free();
                } else {
                    Thread.yield(); // Writers that can run now fill the queue again, so that the pump need not sleep and be woken.
                }
            }
        } finally {
            backlog.turn(false);
            if (NativeApi.kvl_queue_free(queue) < 0) {
                NativeApi.kvl_queue_dispose(queue); // A cache that an iterator holds still refers to it.
            }
            held = null;
            atEnd.run();
            if (reportsDrops) {
                serial.execute(() -> ended.complete(null));
            } else {
                ended.complete(null);
            }
        }
    }

    private void handle(ByteBuffer event) {
        try {
            long id = event.getLong(NativeApi.Event.USER_DATA);
            switch (event.getInt(NativeApi.Event.KIND)) {
                case NativeApi.EVENT_RESULT -> {
                    boolean isLast = (event.getInt(NativeApi.Event.FLAGS) & NativeApi.F_LAST) != 0;
                    var pending = (Pending<?, ?>) (isLast ? pendings.remove(id) : pendings.find(id));
                    settle(pending, () -> pending.result(Memory.view(event.getLong(NativeApi.Event.RESULT), NativeApi.Result.SIZE), isLast));
                }
                case NativeApi.EVENT_RESULTS -> {
                    var pending = (Pending<?, ?>) pendings.remove(id);
                    settle(pending, () -> pending.results(event.getLong(NativeApi.Event.RESULTS)));
                }
                case NativeApi.EVENT_PROGRESS -> ((Pending<?, ?>) pendings.find(id)).progress(event.getLong(NativeApi.Event.DONE),
                        event.getLong(NativeApi.Event.FAILED), event.getLong(NativeApi.Event.TOTAL));
                case NativeApi.EVENT_REQUEST -> {
                    // If the owner was collected, nobody can answer, but no caller waits any more either.
                    if (owner.get() instanceof Tasks<?, ?> asked) {
                        asked.ask(event.getLong(NativeApi.Event.REQUEST));
                    }
                }
                case NativeApi.EVENT_L2 -> {
                    if (owner.get() instanceof Tasks<?, ?> asked) {
                        asked.askSecondTier(event.getLong(NativeApi.Event.L2_REQUEST));
                    }
                }
                case NativeApi.EVENT_CANCEL -> {
                    if (hooks.remove(id) instanceof Runnable hook) {
                        callBack(hook);
                    }
                }
                case NativeApi.EVENT_DROP -> reportDrop(objects.remove(id));
                case NativeApi.EVENT_REMOVAL -> reportRemoval(Memory.view(event.getLong(NativeApi.Event.RESULT), NativeApi.Result.SIZE),
                        event.getInt(NativeApi.Event.CAUSE));
                case NativeApi.EVENT_CLOSED -> free();
                default -> { } // An event of a later version.
            }
        } catch (Throwable e) {
            // Out of memory, for example: this event is lost, but not those that follow.
            reportFromPump(e);
        }
    }

    /** Delivers results. A fetch whose results cannot be read, for want of memory for example, fails with the reason. */
    private static void settle(Pending<?, ?> pending, Runnable delivery) {
        try {
            delivery.run();
        } catch (Throwable e) {
            pending.abandon(e);
        }
    }

    /** Reports an entry that has left. Its object is still in the table: only the event of its drop, which follows, removes it there. */
    private void reportRemoval(ByteBuffer entry, int cause) {
        Store<?, ?> store = owner.get();
        if (store != null) {
            byte[] key = Memory.bytes(entry.getLong(NativeApi.Result.KEY), entry.getLong(NativeApi.Result.KEY_LEN));
            store.removed(key, objects.find(entry.getLong(NativeApi.Result.OBJECT)), RemovalCause.of(cause));
        }
    }

    private void reportDrop(Object object) {
        Store<?, ?> store = owner.get();
        if (store != null && object != null && !(object instanceof Outcome.Raised) && losesLastNumber(object)) {
            store.drop(object);
        }
    }

    /** Frees the handles once no call uses them. The library then drops the values of the cache, and the pump still reads the events of the drops. */
    private void free() {
        if (isEnding) {
            return;
        }
        backlog.turn(false); // A call inside the gate may depend on a writer that waits.
        gate.shut();
        if (tasks == 0) {
            NativeApi.kvl_cache_clear(cache); // An iterator may still hold the cache, but the values are dropped now.
        }
        stopServer();
        NativeApi.kvl_cache_release(cache);
        NativeApi.kvl_tasks_free(tasks);
        isEnding = true;
    }

    private void stopServer() {
        if (server != null) {
            server.stop();
        }
    }

    /** The connection of {@link Config#l2Url}, or null. */
    RedisTier server() {
        return server;
    }
}
