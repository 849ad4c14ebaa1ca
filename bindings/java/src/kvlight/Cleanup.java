package kvlight;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.lang.ref.WeakReference;

/** Frees what the program has dropped without closing it. */
final class Cleanup {
    /** The cleaner in use. Only the actions that have not run refer to it strongly, so that its thread ends when none is left. */
    private static WeakReference<Cleaner> current = new WeakReference<>(null);

    private Cleanup() {}

    private static synchronized Cleaner cleaner() {
        Cleaner cleaner = current.get();
        if (cleaner == null) {
            cleaner = Cleaner.create(action -> {
                Thread thread = new Thread(null, action, "kvlight cleaner", 0, false);
                thread.setDaemon(true);
                thread.setContextClassLoader(null);
                return thread;
            });
            current = new WeakReference<>(cleaner);
        }
        return cleaner;
    }

    /** Runs an action once: when the object has been collected, or when {@code clean} is called. The action must not refer to the object. */
    static Cleaner.Cleanable register(Object object, Runnable action) {
        Cleaner cleaner = cleaner();
        return cleaner.register(object, () -> {
            action.run();
            Reference.reachabilityFence(cleaner);
        });
    }
}
