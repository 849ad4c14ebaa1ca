package kvlight;

import java.util.Objects;
import java.util.function.LongFunction;

/**
 * The settings of one fetch, which override those of the {@link Tasks}: {@code new FetchOptions().timeoutMs(500)}. One object may be used for
 * any number of fetches, by any thread, as long as nobody changes it.
 */
public final class FetchOptions extends FetchSettings<FetchOptions> {
    private Progress progress;
    private long progressStep;

    /** Receives the progress of a fetch, of one key or many. */
    @FunctionalInterface
    public interface Progress {
        /**
         * Runs on the executor for callbacks, one call at a time; the future of the fetch is completed after the last.
         *
         * @param done how many keys are settled
         * @param failed how many of these failed
         * @param total how many keys there are
         */
        void progressed(long done, long failed, long total);
    }

    /** Creates options that set nothing. */
    public FetchOptions() {}

    /**
     * Reports the progress of the fetch.
     *
     * @param step a report is made each time at least this many more keys are settled, and when all are; 1 or more
     * @param function receives the reports
     * @return this
     */
    public FetchOptions progress(long step, Progress function) {
        if (step < 1) {
            throw new IllegalArgumentException("kvlight: a step of progress is 1 or more, not " + step);
        }
        progressStep = step;
        progress = Objects.requireNonNull(function, "function");
        return this;
    }

    Progress progress() {
        return progress;
    }

    /** Whether these options set nothing. */
    static boolean areNone(FetchOptions options) {
        return options == null || options.isEmpty() && options.progress == null;
    }

    /** Calls a function with a kvl_options_t, which is 0 if nothing is set, and is freed afterwards. */
    static <T> T with(FetchOptions options, LongFunction<T> use) {
        if (areNone(options)) {
            return use.apply(0);
        }
        long handle;
        try (Scratch scratch = Scratch.of(0)) {
            KvlightException.check(NativeApi.kvl_options_new(scratch.out(0)));
            handle = scratch.longAt(0);
        }
        try {
            options.writeTo(Target.OPTIONS, handle);
            if (options.progress != null) {
                KvlightException.check(NativeApi.kvl_options_set_progress(handle, 0, options.progressStep));
            }
            return use.apply(handle);
        } finally {
            NativeApi.kvl_options_free(handle);
        }
    }
}
