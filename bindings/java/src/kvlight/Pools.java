package kvlight;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** The threads that run the program's code where it sets no executor. All are daemons, and end when they have been idle for some seconds. */
final class Pools {
    private static final int IDLE_SECONDS = 5;
    /** The maximum number of threads that a ForkJoinPool can have. */
    private static final int MAX_CALLBACK_THREADS = 0x7fff;

    /**
     * Runs callbacks: a pool of its own, since the common pool has one thread on a machine of two cores. It starts another thread whenever one of its
     * threads waits for a future, as many as a ForkJoinPool can have: the future may need a thread of this pool to be completed.
     */
    static final ForkJoinPool CALLBACKS = new ForkJoinPool(Math.max(2, Runtime.getRuntime().availableProcessors()), pool -> {
        var thread = ForkJoinPool.defaultForkJoinWorkerThreadFactory.newThread(pool);
        thread.setName("kvlight callback");
        return thread;
    }, null, true, 0, MAX_CALLBACK_THREADS, 1, null, IDLE_SECONDS, TimeUnit.SECONDS);

    private Pools() {}

    /** Runs a job on a new thread. */
    static void runAlone(Runnable job) {
        Thread thread = new Thread(null, job, "kvlight end", 0, false);
        thread.setDaemon(true);
        thread.start();
    }

    /** Threads for the provider and the second tier of one Tasks. They need no limit: the engine limits the requests (tasks.max_running, for example). */
    static ExecutorService providers() {
        return new ThreadPoolExecutor(0, Integer.MAX_VALUE, IDLE_SECONDS, TimeUnit.SECONDS, new SynchronousQueue<>(), job -> {
            Thread thread = new Thread(job, "kvlight provider");
            thread.setDaemon(true);
            return thread;
        });
    }
}
