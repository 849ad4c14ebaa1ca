package kvlight;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * A fetch in progress. The pump delivers its results and, by referring to the fetch, keeps its Tasks from being collected. Subclasses read the
 * results on the pump's thread, where no code of the program may run, and hand them to the executor for callbacks.
 *
 * @param <K> the type of the keys
 * @param <V> the type of the values
 */
abstract class Pending<K, V> {
    final Tasks<K, V> tasks;
    private final List<byte[]> encoded;

    /** Whether keys that are in the store were answered when the fetch began. */
    private volatile boolean hasRead;

    /** The kvl_fetch_t; 0 once the fetch can no longer be cancelled. Guarded by this object. */
    private long handle;

    private FetchOptions.Progress progress;

    /** Runs the reports of progress, one at a time, and after them the job that ends the fetch; null if no progress is reported. */
    private SerialExecutor order;

    /** `encoded`: the keys, as bytes. */
    Pending(Tasks<K, V> tasks, List<byte[]> encoded) {
        this.tasks = tasks;
        this.encoded = encoded;
    }

    final synchronized void begin(long handle, FetchOptions options) {
        this.handle = handle;
        // Of all options, only `read` can keep a fetch from reading the store.
        hasRead = tasks.engine.readsStoreFirst() && (options == null || options.get("read") == null);
        progress = options == null ? null : options.progress();
        order = progress == null ? null : newSerialExecutor();
    }

    /** Creates an executor that runs jobs of the program in order. */
    final SerialExecutor newSerialExecutor() {
        return new SerialExecutor(tasks.engine::callBack, tasks.engine::report);
    }

    /** Runs a job that may run code of the program, after all reports of progress. */
    void callBack(Runnable job) {
        if (order == null) {
            tasks.engine.callBack(job);
        } else {
            order.execute(job);
        }
    }

    /** Cancels this fetch alone. */
    final synchronized void cancel() {
        if (handle != 0) {
            NativeApi.kvl_fetch_cancel(handle);
        }
    }

    /** Releases the handle of a fetch that has received its last result, or was not accepted. */
    final synchronized void release() {
        NativeApi.kvl_fetch_release(handle);
        handle = 0;
    }

    void result(ByteBuffer result, boolean isLast) {
        throw new IllegalStateException("kvlight: a single result for a batch");
    }

    void results(long results) {
        throw new IllegalStateException("kvlight: the results of a batch for a single key");
    }

    /** Ends a fetch whose results could not be read. */
    abstract void abandon(Throwable error);

    final void progress(long done, long failed, long total) {
        FetchOptions.Progress report = progress;
        if (report != null) {
            callBack(() -> report.progressed(done, failed, total));
        }
    }

    /**
     * A future whose cancellation cancels the fetch. It refers to the fetch, and so to the Tasks, only while the fetch is in progress, so that a
     * future that the program keeps does not keep the Tasks from being collected.
     */
    static final class Cancellable<T> extends CompletableFuture<T> {
        private volatile Pending<?, ?> pending;
        /** The exception of a fetch that has failed: {@link #get} loses it if it is a CompletionException, whose cause it throws instead. */
        private Throwable failure;

        Cancellable(Pending<?, ?> pending) {
            this.pending = pending;
        }

        @Override
        public boolean cancel(boolean mayInterrupt) {
            boolean isCancelled = super.cancel(mayInterrupt);
            Pending<?, ?> fetch = pending;
            if (isCancelled && fetch != null) {
                fetch.cancel();
            }
            return isCancelled;
        }

        @Override
        public T get() throws InterruptedException, ExecutionException {
            refuseEndlessWait();
            return super.get();
        }

        @Override
        public T join() {
            refuseEndlessWait();
            return super.join();
        }

        /** Waits, and throws the exception of a fetch that has failed as {@link Outcome#unchecked} does. */
        T await() throws InterruptedException {
            try {
                return get();
            } catch (InterruptedException e) {
                throw e;
            } catch (Throwable e) {
                // An ExecutionException or, if the message of the exception is code of the program, what that has thrown.
                throw Outcome.unchecked(failure == null ? e : failure);
            }
        }

        private void refuseEndlessWait() {
            Pending<?, ?> fetch = pending;
            if (fetch != null && !isDone() && Request.isAnswering(fetch.tasks, fetch.encoded, fetch.hasRead)) {
                throw KvlightException.of(NativeApi.ERR_REENTRANT,
                        "kvlight: the provider waits for a key that it is to answer itself", null);
            }
        }

        void settle(T value) {
            pending = null;
            complete(value);
        }

        void fail(Throwable error) {
            failure = error;
            pending = null;
            completeExceptionally(error);
        }
    }

    /** One key. */
    static final class One<K, V> extends Pending<K, V> {
        final Cancellable<V> future = new Cancellable<>(this);
        /** Whether nobody but a waiting thread has the future: then completing it runs no code of the program. */
        private final boolean isPrivate;

        One(Tasks<K, V> tasks, byte[] key, boolean isPrivate) {
            super(tasks, List.of(key));
            this.isPrivate = isPrivate;
        }

        @Override
        void result(ByteBuffer result, boolean isLast) {
            release();
            int status = result.getInt(NativeApi.Result.STATUS);
            V value = status == NativeApi.VALUE ? Outcome.value(tasks.engine.objects, result, 0) : null;
            Throwable error = status < 0 ? Outcome.error(tasks.engine.objects, result.getLong(NativeApi.Result.ERROR)) : null;
            if (isPrivate) {
                settle(value, error);
            } else {
                callBack(() -> settle(value, error));
            }
        }

        @Override
        void abandon(Throwable error) {
            release();
            callBack(() -> future.fail(error));
        }

        private void settle(V value, Throwable error) {
            if (error != null) {
                future.fail(error);
            } else {
                future.settle(value);
            }
        }
    }

    /** Several keys, all results together. */
    static final class All<K, V, T> extends Pending<K, V> {
        final Cancellable<T> future = new Cancellable<>(this);
        private final List<K> keys;
        private final Function<List<Result<K, V>>, T> form;
        private final boolean isPrivate;

        All(Tasks<K, V> tasks, List<K> keys, byte[][] encoded, Function<List<Result<K, V>>, T> form, boolean isPrivate) {
            super(tasks, Arrays.asList(encoded));
            this.keys = keys;
            this.form = form;
            this.isPrivate = isPrivate;
        }

        @Override
        void results(long results) {
            release();
            List<Result<K, V>> read = read(results);
            if (isPrivate) {
                settle(read);
            } else {
                callBack(() -> settle(read));
            }
        }

        @Override
        void abandon(Throwable error) {
            release();
            callBack(() -> future.fail(error));
        }

        List<Result<K, V>> read(long results) {
            List<Result<K, V>> read = new ArrayList<>(keys.size());
            if (!keys.isEmpty()) {
                try (Scratch scratch = Scratch.of(0)) {
                    long first = NativeApi.kvl_results_array(results, scratch.out(0));
                    if (first == 0) {
                        throw new OutOfMemoryError("kvlight: no memory for the results");
                    }
                    int stride = (int) scratch.longAt(0);
                    ByteBuffer all = Memory.view(first, (long) stride * keys.size());
                    for (int i = 0; i < keys.size(); i++) {
                        read.add(Outcome.read(tasks.engine.objects, all, i * stride, keys.get(i)));
                    }
                }
            }
            return read;
        }

        void settle(List<Result<K, V>> results) {
            T formed;
            try {
                formed = form.apply(results);
            } catch (Failed e) {
                future.fail(e.getCause());
                return;
            } catch (Throwable e) {
                future.fail(e);
                return;
            }
            future.settle(formed);
        }
    }

    /** Several keys, each result as it settles. */
    static final class Each<K, V> extends Pending<K, V> {
        final Cancellable<Void> future = new Cancellable<>(this);
        private final List<K> keys;
        private final Consumer<? super Result<K, V>> consumer;
        private final SerialExecutor order;

        Each(Tasks<K, V> tasks, List<K> keys, byte[][] encoded, Consumer<? super Result<K, V>> consumer) {
            super(tasks, Arrays.asList(encoded));
            this.keys = keys;
            this.consumer = consumer;
            order = newSerialExecutor();
        }

        @Override
        void callBack(Runnable job) {
            order.execute(job);
        }

        @Override
        void result(ByteBuffer result, boolean isLast) {
            if (isLast) {
                release();
            }
            int index = (int) result.getLong(NativeApi.Result.INDEX);
            Result<K, V> read = Outcome.read(tasks.engine.objects, result, 0, keys.get(index));
            order.execute(() -> consumer.accept(read));
            if (isLast) {
                order.execute(() -> future.settle(null));
            }
        }

        @Override
        void abandon(Throwable error) {
            order.execute(() -> future.fail(error));
        }
    }

    /** Carries the exception of a key that failed, checked or not, out of a function. */
    static final class Failed extends RuntimeException {
        private static final long serialVersionUID = 1;

        Failed(Throwable cause) {
            super(null, cause, false, false);
        }
    }
}
