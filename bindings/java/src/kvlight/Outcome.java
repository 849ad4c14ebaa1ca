package kvlight;

import java.nio.ByteBuffer;
import java.util.concurrent.CompletionException;

/** Reads the library's results. */
final class Outcome {
    private Outcome() {}

    /** A provider's exception in {@link Engine#objects}; the type tells it from the values there. */
    record Raised(Throwable exception) {}

    /** Reads the kvl_result_t at an offset of a view. The caller keeps the result, and so its objects, valid until this returns. */
    static <K, V> Result<K, V> read(ObjectTable objects, ByteBuffer from, int at, K key) {
        int status = from.getInt(at + NativeApi.Result.STATUS);
        long error = from.getLong(at + NativeApi.Result.ERROR);
        boolean isStale = (from.getInt(at + NativeApi.Result.FLAGS) & NativeApi.F_STALE) != 0;
        return new Result<>(
                key,
                status == NativeApi.VALUE ? value(objects, from, at) : null,
                error == 0 ? null : error(objects, error),
                Status.of(status),
                Source.of(from.getInt(at + NativeApi.Result.SOURCE)),
                from.getInt(at + NativeApi.Result.ATTEMPTS),
                from.getLong(at + NativeApi.Result.AGE_MS),
                from.getLong(at + NativeApi.Result.TTL_LEFT_MS),
                isStale);
    }

    @SuppressWarnings("unchecked")
    static <V> V value(ObjectTable objects, ByteBuffer from, int at) {
        return (V) objects.find(from.getLong(at + NativeApi.Result.OBJECT));
    }

    /** The exception of a kvl_error_t: the provider's own object, or one of the library's. */
    static Throwable error(ObjectTable objects, long error) {
        long object = NativeApi.kvl_error_object(error);
        if (object != 0 && objects.find(object) instanceof Raised raised) {
            return raised.exception;
        }
        long cause = NativeApi.kvl_error_cause(error);
        String message = Memory.text(NativeApi.kvl_error_message(error));
        return KvlightException.of(NativeApi.kvl_error_status(error), message, cause == 0 ? null : error(objects, cause));
    }

    /** What the exception says. Its message may be code of the program, which may throw anything. */
    static String textOf(Throwable error) {
        try {
            return error.toString();
        } catch (Throwable e) {
            return error.getClass().getName();
        }
    }

    /** The exception as one that any method may throw: a checked one becomes the cause of a CompletionException. An Error is thrown at once. */
    static RuntimeException unchecked(Throwable error) {
        if (error instanceof Error fatal) {
            throw fatal;
        }
        return error instanceof RuntimeException plain ? plain : new CompletionException(textOf(error), error);
    }
}
