package kvlight;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;

/**
 * Holds writers back while more events than a limit wait in the queue for the pump. Otherwise several writers could drop objects faster than the one pump
 * gets to them, without a limit.
 *
 * <p>A writer looks at the queue now and then. If it is too long, the writer waits until the pump has read half of the limit, and then continues: its next
 * write looks again.
 */
final class Backlog {
    /** One of this many writes looks at the queue. */
    private static final int WRITES_PER_LOOK = 16;

    private final AtomicInteger writes = new AtomicInteger();
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition caughtUp = lock.newCondition();
    /** The limit, while writers may wait, and otherwise 0. While it is set, each write looks at the queue, and the pump too. */
    private volatile long exceeded;
    /** Whether the pump has ended, or runs code of the program, which may depend on a writer. */
    private volatile boolean isOff;

    /** Whether a write is to look at the queue. */
    boolean isToLook() {
        return exceeded > 0 || writes.incrementAndGet() % WRITES_PER_LOOK == 0;
    }

    /** Waits if the limit is exceeded: then the function returns the limit, and otherwise 0. */
    void await(LongSupplier exceededLimit) {
        long limit = exceededLimit.getAsLong();
        if (limit == 0) {
            return;
        }
        lock.lock();
        try {
            exceeded = limit;
            // The pump may have read the last event before it could see that: so this looks again.
            if (!isOff && exceededLimit.getAsLong() > 0) {
                caughtUp.awaitUninterruptibly();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Lets the writers go if the pump, which has read from the queue, has caught up. */
    void noteRead(long queue) {
        long limit = exceeded;
        if (limit > 0 && NativeApi.kvl_queue_len(queue) <= limit / 2) {
            release();
        }
    }

    /** While it is off, no writer waits. */
    void turn(boolean isOn) {
        isOff = !isOn;
        if (isOff && exceeded > 0) {
            release();
        }
    }

    private void release() {
        lock.lock();
        try {
            exceeded = 0;
            caughtUp.signalAll();
        } finally {
            lock.unlock();
        }
    }
}
