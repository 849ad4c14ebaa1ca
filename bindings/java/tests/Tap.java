import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/** Runs tests, and prints a line of TAP for each. After the scenarios, which every language has, a ROW line counts those that passed. */
final class Tap {
    /** A test. */
    interface Test {
        void run() throws Exception;
    }

    private record Named(String name, Test test) {}

    /** How many scenarios every language has. In their program they are the first tests. */
    private static final int SHARED = 12;

    private final List<Named> tests = new ArrayList<>();

    void test(String name, Test test) {
        tests.add(new Named(name, test));
    }

    static void equal(Object got, Object wanted, String what) {
        if (!Objects.equals(got, wanted)) {
            throw new AssertionError(what + ": got " + got + ", wanted " + wanted);
        }
    }

    static void check(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    /** Returns the exception of a call; fails if there is none of that kind. */
    static <E extends Throwable> E thrown(Class<E> kind, String what, Test call) {
        try {
            call.run();
        } catch (Throwable e) {
            if (kind.isInstance(e)) {
                return kind.cast(e);
            }
            throw new AssertionError(what + ": got " + e, e);
        }
        throw new AssertionError(what + ": nothing was thrown");
    }

    /** Keeps this thread busy until a condition holds; fails after a minute. */
    static void busyUntil(BooleanSupplier condition) {
        long began = System.nanoTime();
        while (!condition.getAsBoolean()) {
            check(System.nanoTime() - began < 60_000_000_000L, "the condition does not hold after a minute");
            Thread.onSpinWait();
            Thread.yield();
        }
    }

    /** Takes the next element of a queue; fails if none comes within a minute. */
    static <T> T taken(BlockingQueue<T> queue) {
        try {
            T one = queue.poll(60, TimeUnit.SECONDS);
            check(one != null, "nothing came");
            return one;
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    /** Collects garbage until a condition holds; fails after 600 times. */
    static void collectedUntil(BooleanSupplier condition, String what) throws InterruptedException {
        for (int i = 0; !condition.getAsBoolean(); i++) {
            check(i < 600, what);
            System.gc();
            Thread.sleep(20);
        }
    }

    /**
     * Runs the tests whose name contains the first argument, or all, and ends the JVM. `row` is the beginning of the ROW line; null: there is none.
     */
    void run(String[] arguments, String row) {
        int passed = 0;
        int failed = 0;
        int scenarios = 0;
        for (int i = 0; i < tests.size(); i++) {
            Named named = tests.get(i);
            if (arguments.length > 0 && !named.name.contains(arguments[0])) {
                continue;
            }
            try {
                named.test.run();
                passed++;
                scenarios += i < SHARED ? 1 : 0;
                System.out.println("ok " + (i + 1) + " - " + named.name);
            } catch (Throwable e) {
                failed++;
                System.out.println("not ok " + (i + 1) + " - " + named.name);
                e.printStackTrace(System.out);
            }
            System.out.flush();
        }
        System.out.println("1.." + (passed + failed));
        if (row != null) {
            System.out.println("ROW " + row + " | " + scenarios + " of " + SHARED);
        }
        System.exit(failed == 0 ? 0 : 1);
    }
}
