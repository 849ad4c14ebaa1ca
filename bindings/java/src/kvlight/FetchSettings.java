// Generated from api/api.json by `make generate`. Do not edit.

package kvlight;

/**
 * The settings that one fetch may override.
 *
 * @param <S> the class itself, which each method returns
 */
public abstract class FetchSettings<S extends FetchSettings<S>> extends SettingValues<S> {
    FetchSettings() {}

    /**
     * How long a fetch with a fallback waits for the load, in milliseconds. The fetch then receives the fallback, while the load goes on and its answer is stored. -1 is no limit; 0 gives the fallback at once (stale while revalidate). The value must be below timeout_ms. Default: -1.
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
     * How long a fetch waits, in milliseconds from the call. Positions that are not answered by then fail with KVL_ERR_TIMEOUT. -1 is no limit; 0 is refused. Default: -1.
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
     * normal: look in the store, and load what is missing. refresh: load in any case, and store the answer. cache_only: never load. no_store: look in the store, load what is missing, and do not store the answer. Default: normal.
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
     * What happens to a running load, or to one whose key is looked up in the second tier, when the last fetch that waits for it reaches timeout_ms. continue: the load continues, other fetches can join it, and its answer is stored, but a failed attempt is not retried; a key that the second tier does not have goes on to the provider only if that can take a request at once. cancel: the load ends; the provider is notified that it is no longer wanted. Default: continue.
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
     * What happens to such a load when the last fetch that waits for it is cancelled. The values mean the same as for load.on_timeout. Default: cancel.
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
     * Keys of higher urgency are served first. kvl_fetch_set_urgency() overrides this setting. A refresh has KVL_URGENCY_BACKGROUND, unless its options state an urgency. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S urgency(long value) {
        return put("urgency", value);
    }

    /**
     * How many times a failed key is retried; -1 is no limit. Default: 0.
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
     * How the pauses between attempts grow. fixed: each pause is retry.fixed_ms. exponential: the first pause is retry.first_ms, and each further pause is retry.factor times as long as the one before. exponential_then_fixed and fixed_then_exponential: the shape changes from the first to the second after retry.switch_after pauses. Default: fixed.
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
     * The factor by which each exponential pause is multiplied to give the next. Default: 2.
     *
     * @param value the value
     * @return this
     */
    public final S retryFactor(double value) {
        return put("retry.factor", value);
    }

    /**
     * The number of pauses after which exponential_then_fixed or fixed_then_exponential changes to its second shape. Default: 0.
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
     * Each pause is drawn uniformly from pause × (1 ± retry.jitter), and never exceeds retry.cap_ms. Default: 0.
     *
     * @param value the value
     * @return this
     */
    public final S retryJitter(double value) {
        return put("retry.jitter", value);
    }

    /**
     * How long after the start of the first attempt another attempt may still start, in milliseconds; -1 is no limit. Default: -1.
     *
     * @param value the value
     * @return this
     */
    public final S retryBudgetMs(long value) {
        return put("retry.budget_ms", value);
    }
}
