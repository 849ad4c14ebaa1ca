package kvlight;

import java.util.Arrays;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;
import java.util.concurrent.locks.LockSupport;

/**
 * Keeps handles from being freed while calls use them: each call takes a pass and gives it back, and before the handles are freed, the gate is shut
 * and all passes are awaited.
 *
 * <p>A call may end with a StackOverflowError, which leaves its finally blocks no stack to call a method with. So a pass is given back by writing a
 * field, {@code pass.isTaken = 0}, and taking it is the last thing that {@link #enter} does.
 */
final class Gate {
    private static final int FIRST_COUNT = 16;

    /** How long {@link #shut} sleeps at most before it looks again whether a pass is back, in nanoseconds. */
    private static final long LONGEST_SLEEP = 1_000_000;

    /** How often {@link #shut} looks before it sleeps. */
    private static final int SPINS = 100;

    /** The right of one call to use the handles. */
    static final class Pass {
        private static final AtomicIntegerFieldUpdater<Pass> IS_TAKEN = AtomicIntegerFieldUpdater.newUpdater(Pass.class, "isTaken");

        /** 1 while a call has this pass. */
        volatile int isTaken;

        // Distance between two passes, so that threads do not share cache lines.
        long a, b, c, d, e, f;
    }

    /** The passes, which threads share by their numbers. Replaced by a longer array, with the same passes at its beginning, when all are taken. */
    private volatile Pass[] passes = more(new Pass[0], FIRST_COUNT);

    private volatile boolean isShut;

    /** Returns a pass, to be given back by {@code isTaken = 0}; null if the gate is shut. */
    Pass enter() {
        int number = (int) Thread.currentThread().getId();
        for (;;) {
            Pass[] all = passes;
            for (int i = 0; i < all.length; i++) {
                // The lengths are powers of 2.
                Pass pass = all[number + i & all.length - 1];
                if (pass.isTaken == 0 && Pass.IS_TAKEN.compareAndSet(pass, 0, 1)) {
                    if (!isShut) {
                        return pass;
                    }
                    pass.isTaken = 0;
                    return null;
                }
            }
            addPasses(all);
        }
    }

    private synchronized void addPasses(Pass[] full) {
        if (passes == full) {
            passes = more(full, full.length * 2);
        }
    }

    private static Pass[] more(Pass[] some, int count) {
        Pass[] all = Arrays.copyOf(some, count);
        for (int i = some.length; i < count; i++) {
            all[i] = new Pass();
        }
        return all;
    }

    /** Refuses further calls, and waits until those inside have given their passes back. */
    void shut() {
        isShut = true;
        // A pass that is added later is taken by a call that then sees that the gate is shut.
        for (Pass pass : passes) {
            for (int i = 0; pass.isTaken != 0; i++) {
                if (i < SPINS) {
                    Thread.yield();
                } else {
                    LockSupport.parkNanos(this, Math.min((i - SPINS + 1) * 10_000L, LONGEST_SLEEP));
                }
            }
        }
    }
}
