package kvlight;

import com.sun.jna.Native;
import com.sun.jna.NativeLibrary;
import com.sun.jna.Platform;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The second tier of {@link Config#l2Url}: a connection to a Redis or Valkey server. libkvlight_redis serves the requests.
 *
 * <p>libkvlight_redis is linked with libkvlight; the loader takes the copy that {@link Library} has loaded, since it has the same name.
 */
final class RedisTier {
    /** The functions of kvlight_redis.h. Handles, addresses and sizes are longs. */
    private static final class Api {
        /** The reason why the functions could not be bound; null once they are. */
        private static UnsatisfiedLinkError failure = bind();

        private Api() {}

        private static UnsatisfiedLinkError bind() {
            List<String> tried = new ArrayList<>();
            for (String path : paths()) {
                try {
                    Native.register(Api.class, NativeLibrary.getInstance(path));
                    return null;
                } catch (UnsatisfiedLinkError e) {
                    tried.add(path + " (" + String.valueOf(e.getMessage()).replace('\n', ' ').strip() + ")");
                }
            }
            return new UnsatisfiedLinkError("kvlight: l2Url needs libkvlight_redis, which cannot be loaded: tried " + String.join(", ", tried)
                    + ". Build it by `make redis` in kvlight's sources, then install it by `make install`, or set KVL_REDIS_LIBRARY to its path.");
        }

        /** Where the library may be: where the property or KVL_REDIS_LIBRARY says; or else on the system's path, or in these classes' checkout. */
        private static List<String> paths() {
            String named = System.getProperty("kvlight.redis.library", System.getenv("KVL_REDIS_LIBRARY"));
            if (named != null && !named.isEmpty()) {
                return List.of(named);
            }
            String file = Platform.isMac() ? "libkvlight_redis.dylib" : "libkvlight_redis.so";
            String version = NativeApi.VERSION.substring(0, NativeApi.VERSION.lastIndexOf('.'));
            List<String> paths = new ArrayList<>(List.of(Platform.isMac() ? file : file + "." + version));
            Path built = Library.inCheckout("redis", file);
            if (built != null) {
                paths.add(built.toString());
            }
            return paths;
        }

        static native int kvl_redis_open(long url, long library, long outRedis, long outError);

        static native int kvl_redis_serve(long redis, long request, long outFound, long outLen);

        static native void kvl_redis_found_free(long found, long len);

        static native int kvl_redis_attach(long redis, long tasks);

        static native int kvl_redis_state(long redis, long outText);

        static native void kvl_redis_stop(long redis);

        static native void kvl_redis_free(long redis);
    }

    /** A kvl_redis_found_t: index, data, len, ttl_left_ms, token, token_len. */
    private static final int FOUND_SIZE = 48;

    /** Receives the entry of an object that the server has for the key at position `at` of the request. */
    interface OnFound {
        void found(int at, SecondTier.Hit hit);
    }

    private final long handle;

    /** Connects, in the background. */
    RedisTier(String url) {
        if (url.indexOf(0) >= 0) {
            // The URL may contain a password, so it is not in the message.
            throw new IllegalArgumentException("kvlight: the l2Url contains the character NUL, which would end it");
        }
        if (Api.failure != null) {
            UnsatisfiedLinkError error = new UnsatisfiedLinkError(Api.failure.getMessage());
            error.initCause(Api.failure);
            throw error;
        }
        byte[] text = url.getBytes(java.nio.charset.StandardCharsets.UTF_8);
        try (Scratch scratch = Scratch.of(text.length + 1)) {
            scratch.clear(2);
            int status = Api.kvl_redis_open(scratch.text(url), 0, scratch.out(0), scratch.out(1));
            long why = scratch.longAt(1);
            if (status < 0) {
                String sentence = why == 0 ? null : Memory.text(NativeApi.kvl_error_message(why));
                NativeApi.kvl_error_release(why);
                throw KvlightException.of(status, sentence, null);
            }
            handle = scratch.longAt(0);
        }
        long freed = handle;
        // When this object is collected, none of its methods is running.
        Cleanup.register(this, () -> Api.kvl_redis_free(freed));
    }

    /** The flags that state the abilities of this tier to the library. */
    static int abilities() {
        return NativeApi.L2_F_OBJECTS | NativeApi.L2_F_CONDITIONAL | NativeApi.L2_F_LEASES;
    }

    /** From now on until {@link #stop}, what other processes write is invalidated in the engine. */
    void attach(long tasks) {
        try {
            KvlightException.check(Api.kvl_redis_attach(handle, tasks));
        } finally {
            java.lang.ref.Reference.reachabilityFence(this);
        }
    }

    /** Ends the connection, and waits for its thread. Afterwards it does not use the engine. */
    void stop() {
        try {
            Api.kvl_redis_stop(handle);
        } finally {
            java.lang.ref.Reference.reachabilityFence(this);
        }
    }

    /** Serves a request, and waits for the server. Returns whether that succeeded. */
    boolean serve(long request, OnFound onFound) {
        try (Scratch scratch = Scratch.of(0)) {
            scratch.clear(2);
            if (Api.kvl_redis_serve(handle, request, scratch.out(0), scratch.out(1)) < 0) {
                return false;
            }
            long found = scratch.longAt(0);
            long count = scratch.longAt(1);
            try {
                ByteBuffer all = count == 0 ? null : Memory.view(found, count * FOUND_SIZE);
                for (int at = 0; at < count * FOUND_SIZE; at += FOUND_SIZE) {
                    byte[] data = Memory.bytes(all.getLong(at + 8), all.getLong(at + 16));
                    byte[] token = Memory.bytes(all.getLong(at + 32), all.getLong(at + 40));
                    onFound.found(Math.toIntExact(all.getLong(at)), new SecondTier.Hit(data, all.getLong(at + 24), token));
                }
            } finally {
                Api.kvl_redis_found_free(found, count);
            }
            return true;
        } finally {
            java.lang.ref.Reference.reachabilityFence(this);
        }
    }

    /** The state of the connection: the members of kvl_redis_state, as JSON. */
    String state() {
        try (Scratch scratch = Scratch.of(0)) {
            scratch.clear(1);
            KvlightException.check(Api.kvl_redis_state(handle, scratch.out(0)));
            return Memory.textOf(scratch.longAt(0), scratch);
        } finally {
            java.lang.ref.Reference.reachabilityFence(this);
        }
    }
}
