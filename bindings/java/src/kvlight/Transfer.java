package kvlight;

import com.sun.jna.Callback;
import com.sun.jna.CallbackReference;
import com.sun.jna.Pointer;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Objects;
import java.util.function.Function;

/** A save or a load. The library calls the program's function on the thread of the call, through JNA. An exception of the function stops the transfer. */
final class Transfer {
    /** A kvl_convert_fn. */
    interface Convert extends Callback {
        /** Returns a kvl_value_t; 0 skips the entry. */
        long invoke(long userData, long entry);
    }

    /** A kvl_transfer_fn. */
    interface Report extends Callback {
        /** Returns 0 to continue. */
        int invoke(long userData, long progress);
    }

    /** A function of the library for a transfer. */
    private interface Call {
        int call(long cache, long path, long convert, long report, long userData, long out, long size, long error);
    }

    /** What the program's function has thrown; null if it has not. */
    private Throwable failure;

    private Transfer() {}

    static <V> long save(Store<?, V> store, Path path, Function<? super V, byte[]> encode) {
        Objects.requireNonNull(encode, "encode");
        Engine engine = store.engine;
        return new Transfer().run(store, path, NativeApi::kvl_cache_save_encoded, entry -> {
            V value = Outcome.value(engine.objects, entry, 0);
            byte[] bytes = Objects.requireNonNull(encode.apply(value), "kvlight: the function that encodes values returned null");
            try (Scratch scratch = Scratch.of(bytes.length)) {
                KvlightException.check(NativeApi.kvl_value_new_bytes(scratch.bytes(bytes), bytes.length, scratch.out(0)));
                return scratch.longAt(0);
            }
        });
    }

    static <V> long load(Store<?, V> store, Path path, Function<byte[], ? extends V> decode) {
        Objects.requireNonNull(decode, "decode");
        return new Transfer().run(store, path, NativeApi::kvl_cache_load_decoded, entry -> {
            // A file with keys of another type is refused here, and not when the keys are read.
            store.keys.key(Memory.bytes(entry.getLong(NativeApi.Result.KEY), entry.getLong(NativeApi.Result.KEY_LEN)));
            V value = Objects.requireNonNull(decode.apply(Memory.bytes(entry.getLong(NativeApi.Result.DATA), entry.getLong(NativeApi.Result.DATA_LEN))),
                    "kvlight: the function that decodes values returned null");
            try (Scratch scratch = Scratch.of(0)) {
                return store.engine.newValue(value, store.costOf(value, Terms.NONE), scratch);
            }
        });
    }

    private long run(Store<?, ?> store, Path path, Call call, java.util.function.ToLongFunction<ByteBuffer> convert) {
        Convert converted = (userData, entry) -> {
            if (failure != null) {
                return 0;
            }
            try {
                return convert.applyAsLong(Memory.view(entry, NativeApi.Result.SIZE));
            } catch (Throwable e) {
                failure = e;
                return 0;
            }
        };
        Report reported = (userData, progress) -> failure == null ? 0 : 1;
        String name = Objects.requireNonNull(path, "path").toString();
        int status;
        String sentence;
        long entries;
        int[] calls = Engine.programCalls();
        Gate.Pass pass = store.enter();
        calls[0]++;
        try (Scratch scratch = Scratch.of(name.length() * 3 + NativeApi.Transfer.SIZE + 16)) {
            int done = scratch.struct(NativeApi.Transfer.SIZE);
            scratch.clear(1);
            status = call.call(store.engine.cache(), scratch.text(name), address(converted), address(reported), 0, scratch.addressOf(done),
                    NativeApi.Transfer.SIZE, scratch.out(0));
            long why = scratch.longAt(0);
            sentence = why == 0 ? null : Memory.text(NativeApi.kvl_error_message(why));
            NativeApi.kvl_error_release(why);
            entries = scratch.memory.getLong(done + NativeApi.Transfer.ENTRIES);
        } finally {
            calls[0]--;
            pass.isTaken = 0;
            Reference.reachabilityFence(store);
            Reference.reachabilityFence(converted);
            Reference.reachabilityFence(reported);
        }
        if (failure != null) {
            throw Outcome.unchecked(failure);
        }
        if (status < 0) {
            throw KvlightException.of(status, sentence, null);
        }
        return entries;
    }

    static long address(Callback function) {
        return Pointer.nativeValue(CallbackReference.getFunctionPointer(function));
    }
}
