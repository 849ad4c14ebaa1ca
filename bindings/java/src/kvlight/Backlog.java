package kvlight;

import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Holds writers back while objects that the library has dropped wait for the pump. Otherwise several writers could drop objects faster than the one pump
 * gets to them, without a limit.
 *
 * <p>How many wait is not known, but the table of objects has grown by their number, and by that of new entries, since the pump found the queue empty. If it
 * has grown by much, the pump looks whether the queue is empty: if so, the table holds new entries.
 */
final class Backlog {
    /** By how many objects the table may have grown before writers wait. */
    static final int LIMIT = 1024;

    private static final int HALF = LIMIT / 2;

    private final ObjectTable objects;
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    /** How many objects there were when the pump last found the queue empty. */
    private volatile int base;
    /** How often the pump has found the queue empty. */
    private volatile int turns;
    /** How many writers wait. Changed under the lock. */
    private volatile int waiting;
    /** Whether the pump has ended, or runs code of the program, which may depend on a writer. */
    private volatile boolean isOff;

    Backlog(ObjectTable objects) {
        this.objects = objects;
    }

    private int growth() {
        return objects.size() - base;
    }

    // -- For writers ---------------------------------------------------------------------------------------------------

    /** Whether the pump is to be woken before an object is added, so that it looks whether the queue is empty. */
    boolean needsPump() {
        int growth = growth();
        return growth == HALF || growth >= LIMIT;
    }

    boolean isFull() {
        return growth() >= LIMIT;
    }

    /** How often the pump has found the queue empty: to be read before it is woken. */
    int turns() {
        return turns;
    }

    /** Waits until the pump has caught up, at least once since a number of {@link #turns}. Waits once only: then the pump may have to be woken again. */
    void await(int since) {
        lock.lock();
        try {
            waiting++;
            if (turns == since && isFull() && !isOff) {
                changed.awaitUninterruptibly();
            }
        } finally {
            waiting--;
            lock.unlock();
        }
    }

    // -- For the pump --------------------------------------------------------------------------------------------------

    /** Whether the pump is to look whether the queue is empty before it waits. */
    boolean isToCheck() {
        return Math.abs(growth()) >= HALF;
    }

    /** Notes that the queue was empty after there had been this many objects. */
    void noteEmpty(int count) {
        base = count;
        turns++; // only the pump writes it
        release(LIMIT);
    }

    /** Notes that an object was removed. */
    void noteRemoval() {
        release(HALF);
    }

    /** Lets the writers go if the growth is less than a limit. */
    private void release(int limit) {
        if (waiting > 0 && (isOff || growth() < limit)) {
            lock.lock();
            try {
                changed.signalAll();
            } finally {
                lock.unlock();
            }
        }
    }

    /** While it is off, no writer waits. */
    void turn(boolean isOn) {
        isOff = !isOn;
        release(LIMIT);
    }
}
