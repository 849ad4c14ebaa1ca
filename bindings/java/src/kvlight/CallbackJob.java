package kvlight;

import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;

/** A job on the executor for callbacks. It runs once, even if the executor accepts it and then throws. */
final class CallbackJob implements Runnable {
    /** How many jobs of the program's executors this thread is running, one inside the other. Such an executor may have no other thread. */
    private static final ThreadLocal<int[]> INSIDE = ThreadLocal.withInitial(() -> new int[1]);

    private final Runnable job;
    private final boolean isOfProgram;
    private final AtomicBoolean hasBegun = new AtomicBoolean();

    private CallbackJob(Runnable job, boolean isOfProgram) {
        this.job = job;
        this.isOfProgram = isOfProgram;
    }

    static boolean isInside() {
        return INSIDE.get()[0] > 0;
    }

    /**
     * Runs a job on an executor, or on this thread if the executor rejects the job, or has no thread for it. Throws what the executor throws
     * after it has begun the job.
     */
    static void execute(Executor executor, Runnable job) {
        CallbackJob once = new CallbackJob(job, executor != Pools.CALLBACKS);
        try {
            executor.execute(once);
        } catch (Throwable e) {
            if (once.hasBegun.get()) {
                throw e;
            }
            once.run();
        }
    }

    @Override
    public void run() {
        if (!hasBegun.compareAndSet(false, true)) {
            return;
        }
        if (!isOfProgram) {
            job.run();
            return;
        }
        int[] depth = INSIDE.get();
        depth[0]++;
        try {
            job.run();
        } finally {
            depth[0]--;
        }
    }
}
