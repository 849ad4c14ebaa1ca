// Generated from api/api.json by `make generate`. Do not edit.

package kvlight;

/**
 * What one fetch may set.
 *
 * @param <S> the class itself, which each method returns
 */
public abstract class FetchSettings<S extends FetchSettings<S>> extends SettingValues<S> {
    FetchSettings() {}

    /**
     * How long a fetch with a fallback waits for the load, in milliseconds; it then receives the fallback, while the load goes on and its answer is stored. -1 is no limit; 0 does not wait: stale while revalidate. The value must be below timeout_ms. Default: -1.
     *
     * @param value the value
     * @return this
     */
    public final S staleTimeoutMs(long value) {
        return put("stale.timeout_ms", value);
    }

    /** The values of {@link #batchMode}. */
    public enum BatchMode implements Word {
        /** {@code partial} */
        PARTIAL("partial"),
        /** {@code all_or_nothing} */
        ALL_OR_NOTHING("all_or_nothing");

        private final String word;

        BatchMode(String word) {
            this.word = word;
        }

        @Override
        public String word() {
            return word;
        }
    }

    /**
     * Whether the failure of one key affects no other key of its batch (partial) or ends the batch (all_or_nothing). Default: partial.
     *
     * @param value the value
     * @return this
     */
    public final S batchMode(BatchMode value) {
        return put("batch.mode", value.word());
    }

    /**
     * How long a fetch waits, in milliseconds from the call; positions still open then get KVL_ERR_TIMEOUT. -1 is no limit; 0 is refused. Default: -1.
     *
     * @param value the value
     * @return this
     */
    public final S timeoutMs(long value) {
        return put("timeout_ms", value);
    }

    /** The values of {@link #read}. */
    public enum Read implements Word {
        /** {@code normal} */
        NORMAL("normal"),
        /** {@code refresh} */
        REFRESH("refresh"),
        /** {@code cache_only} */
        CACHE_ONLY("cache_only"),
        /** {@code no_store} */
        NO_STORE("no_store");

        private final String word;

        Read(String word) {
            this.word = word;
        }

        @Override
        public String word() {
            return word;
        }
    }

    /**
     * normal looks in the store and loads what is missing; refresh loads in any case and stores the answer; cache_only never loads; no_store loads what is missing and does not store it. Default: normal.
     *
     * @param value the value
     * @return this
     */
    public final S read(Read value) {
        return put("read", value.word());
    }

    /** The values of {@link #loadOnTimeout}. */
    public enum LoadOnTimeout implements Word {
        /** {@code continue} */
        CONTINUE("continue"),
        /** {@code cancel} */
        CANCEL("cancel");

        private final String word;

        LoadOnTimeout(String word) {
            this.word = word;
        }

        @Override
        public String word() {
            return word;
        }
    }

    /**
     * What happens to a running load when the last fetch that waits for it reaches timeout_ms. continue: the load continues, other fetches can join it, and its answer is stored; it is not retried. cancel: the provider is notified that the load is no longer wanted. Default: continue.
     *
     * @param value the value
     * @return this
     */
    public final S loadOnTimeout(LoadOnTimeout value) {
        return put("load.on_timeout", value.word());
    }

    /** The values of {@link #loadOnCancel}. */
    public enum LoadOnCancel implements Word {
        /** {@code continue} */
        CONTINUE("continue"),
        /** {@code cancel} */
        CANCEL("cancel");

        private final String word;

        LoadOnCancel(String word) {
            this.word = word;
        }

        @Override
        public String word() {
            return word;
        }
    }

    /**
     * What happens to a running load when the last fetch that waits for it is cancelled: as for load.on_timeout. Default: cancel.
     *
     * @param value the value
     * @return this
     */
    public final S loadOnCancel(LoadOnCancel value) {
        return put("load.on_cancel", value.word());
    }

    /**
     * The priority with which an answer is stored, unless the answer states one. Entries of lower priority are evicted first. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S priority(double value) {
        return put("priority", value);
    }

    /**
     * Keys of higher urgency are served first. kvl_fetch_set_urgency() overrides it. A refresh whose options state none has KVL_URGENCY_BACKGROUND. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S urgency(long value) {
        return put("urgency", value);
    }

    /**
     * How often a failed key is retried; -1 is no limit. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S retryCount(long value) {
        return put("retry.count", value);
    }

    /** The values of {@link #retryShape}. */
    public enum RetryShape implements Word {
        /** {@code fixed} */
        FIXED("fixed"),
        /** {@code exponential} */
        EXPONENTIAL("exponential"),
        /** {@code exponential_then_fixed} */
        EXPONENTIAL_THEN_FIXED("exponential_then_fixed"),
        /** {@code fixed_then_exponential} */
        FIXED_THEN_EXPONENTIAL("fixed_then_exponential");

        private final String word;

        RetryShape(String word) {
            this.word = word;
        }

        @Override
        public String word() {
            return word;
        }
    }

    /**
     * How the pauses between attempts grow: with fixed, each pause is retry.fixed_ms; with exponential, the first pause is retry.first_ms, and each further one is retry.factor times as long; the other two shapes change from their first word to their last one after retry.switch_after pauses. Default: fixed.
     *
     * @param value the value
     * @return this
     */
    public final S retryShape(RetryShape value) {
        return put("retry.shape", value.word());
    }

    /**
     * The first exponential pause, in milliseconds. Default: 1000.
     *
     * @param value the value
     * @return this
     */
    public final S retryFirstMs(long value) {
        return put("retry.first_ms", value);
    }

    /**
     * The fixed pause, in milliseconds. With 0, a retried key is queued behind the waiting keys of its urgency. Default: 100.
     *
     * @param value the value
     * @return this
     */
    public final S retryFixedMs(long value) {
        return put("retry.fixed_ms", value);
    }

    /**
     * The factor by which each exponential pause exceeds the one before. Default: 2.
     *
     * @param value the value
     * @return this
     */
    public final S retryFactor(double value) {
        return put("retry.factor", value);
    }

    /**
     * The number of pauses after which a shape of two parts changes to its second part. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S retrySwitchAfter(long value) {
        return put("retry.switch_after", value);
    }

    /**
     * The longest pause, in milliseconds. Default: 60000.
     *
     * @param value the value
     * @return this
     */
    public final S retryCapMs(long value) {
        return put("retry.cap_ms", value);
    }

    /**
     * Each pause is drawn uniformly from pause × (1 ± this), and never exceeds retry.cap_ms. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S retryJitter(double value) {
        return put("retry.jitter", value);
    }

    /**
     * No attempt begins later than this after the first attempt began, in milliseconds; -1 is no limit. Default: -1.
     *
     * @param value the value
     * @return this
     */
    public final S retryBudgetMs(long value) {
        return put("retry.budget_ms", value);
    }
}
