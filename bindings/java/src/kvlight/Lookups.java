package kvlight;

import com.sun.jna.Pointer;
import java.lang.invoke.MethodHandle;
import java.lang.reflect.Array;

/**
 * The two native functions that look up a key. On Java 22 and later they are called through Java's own interface to C (java.lang.foreign), if the
 * program has enabled native access for the module of this package: such a call takes a few nanoseconds, where one through JNA takes fifty or more.
 * The package is compiled for Java 17, so that interface is reached by reflection, once.
 */
final class Lookups {
    /** The first version with the interface. */
    private static final int VERSION = 22;

    // Null: lookups go through JNA.
    private static final MethodHandle OF_CACHE = bind("kvl_cache_get_object");
    private static final MethodHandle OF_TASKS = bind("kvl_tasks_get_object");

    private Lookups() {}

    /** Whether lookups go through Java's own interface to C. */
    static boolean areDirect() {
        return OF_CACHE != null && OF_TASKS != null;
    }

    /** Calls kvl_cache_get_object, without the output for values that are bytes. */
    static int ofCache(long cache, long key, long length, long out) {
        if (OF_CACHE == null) {
            return NativeApi.kvl_cache_get_object(cache, key, length, out, 0);
        }
        try {
            return (int) OF_CACHE.invokeExact(cache, key, length, out, 0L);
        } catch (Throwable e) {
            throw Outcome.unchecked(e); // An OutOfMemoryError of the JVM, for example: the function itself throws nothing.
        }
    }

    /** Calls kvl_tasks_get_object, without the output for values that are bytes. */
    static int ofTasks(long tasks, long key, long length, long out) {
        if (OF_TASKS == null) {
            return NativeApi.kvl_tasks_get_object(tasks, key, length, out, 0);
        }
        try {
            return (int) OF_TASKS.invokeExact(tasks, key, length, out, 0L);
        } catch (Throwable e) {
            throw Outcome.unchecked(e);
        }
    }

    /** Returns a handle of type (long, long, long, long, long) -> int for a function of the library; null if there is none. */
    private static MethodHandle bind(String name) {
        try {
            if (Runtime.version().feature() < VERSION || !isNativeAccessEnabled()) {
                return null;
            }
            Class<?> layouts = Class.forName("java.lang.foreign.ValueLayout");
            Class<?> layout = Class.forName("java.lang.foreign.MemoryLayout");
            Class<?> segment = Class.forName("java.lang.foreign.MemorySegment");
            Class<?> descriptor = Class.forName("java.lang.foreign.FunctionDescriptor");
            Class<?> linker = Class.forName("java.lang.foreign.Linker");
            Class<?> option = Class.forName("java.lang.foreign.Linker$Option");
            Object arguments = Array.newInstance(layout, 5);
            for (int i = 0; i < 5; i++) {
                Array.set(arguments, i, layouts.getField("JAVA_LONG").get(null));
            }
            Object form = descriptor.getMethod("of", layout, arguments.getClass()).invoke(null, layouts.getField("JAVA_INT").get(null), arguments);
            Object address = segment.getMethod("ofAddress", long.class).invoke(null, Pointer.nativeValue(Library.bound().getFunction(name)));
            Object options = Array.newInstance(option, 0);
            return (MethodHandle) linker.getMethod("downcallHandle", segment, descriptor, options.getClass())
                    .invoke(linker.getMethod("nativeLinker").invoke(null), address, form, options);
        } catch (ReflectiveOperationException | RuntimeException | LinkageError e) {
            return null;
        }
    }

    /** Whether the interface may be used without a warning: see the option --enable-native-access of java. */
    private static boolean isNativeAccessEnabled() throws ReflectiveOperationException {
        return (boolean) Module.class.getMethod("isNativeAccessEnabled").invoke(Lookups.class.getModule());
    }
}
