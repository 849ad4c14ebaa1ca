package kvlight;

import java.lang.ref.Cleaner;

/** Frees what the program has dropped without closing it. */
final class Cleanup {
    private static final Cleaner CLEANER = Cleaner.create(action -> {
        Thread thread = new Thread(null, action, "kvlight cleaner", 0, false);
        thread.setDaemon(true);
        thread.setContextClassLoader(null);
        return thread;
    });

    private Cleanup() {}

    /** Runs an action once: when the object has been collected, or when {@code clean} is called. The action must not refer to the object. */
    static Cleaner.Cleanable register(Object object, Runnable action) {
        return CLEANER.register(object, action);
    }
}
