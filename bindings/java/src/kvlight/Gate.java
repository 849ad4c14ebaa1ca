package kvlight;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Keeps handles from being freed while calls use them: each call enters and leaves, and before the handles are freed, the gate is shut and the calls
 * inside are awaited.
 */
final class Gate {
    private static final int SHUT = Integer.MIN_VALUE;

    /** How many calls are inside, plus SHUT once the gate is shut. */
    private final AtomicInteger inside = new AtomicInteger();

    private volatile Thread closer;

    /** Returns whether the caller is now inside; if so, it must leave. */
    boolean enter() {
        if (inside.incrementAndGet() > 0) {
            return true;
        }
        leave();
        return false;
    }

    void leave() {
        if (inside.decrementAndGet() == SHUT) {
            LockSupport.unpark(closer);
        }
    }

    /** Refuses further calls, and waits until those inside have left. Called once. */
    void shut() {
        closer = Thread.currentThread();
        inside.addAndGet(SHUT);
        while (inside.get() != SHUT) {
            LockSupport.park(this);
        }
    }
}
