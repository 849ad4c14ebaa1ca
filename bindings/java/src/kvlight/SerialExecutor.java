package kvlight;

import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import java.util.function.Consumer;

/**
 * Runs jobs one at a time, in the order in which they come, on another executor, which must reject none. A job that fails does not keep the others
 * from running.
 */
final class SerialExecutor implements Executor {
    private final Executor target;
    private final Consumer<Throwable> failed;
    private final ArrayDeque<Runnable> jobs = new ArrayDeque<>();
    private boolean isRunning;
    private volatile Thread runner;

    SerialExecutor(Executor target, Consumer<Throwable> failed) {
        this.target = target;
        this.failed = failed;
    }

    @Override
    public void execute(Runnable job) {
        synchronized (jobs) {
            jobs.add(job);
            if (isRunning) {
                return;
            }
            isRunning = true;
        }
        target.execute(this::run);
    }

    /** Whether the calling thread is running one of the jobs. */
    boolean isCurrent() {
        return runner == Thread.currentThread();
    }

    private void run() {
        for (;;) {
            Runnable job;
            synchronized (jobs) {
                job = jobs.poll();
                if (job == null) {
                    isRunning = false;
                    return;
                }
            }
            runner = Thread.currentThread();
            try {
                job.run();
            } catch (Throwable e) {
                failed.accept(e);
            } finally {
                runner = null;
            }
        }
    }
}
