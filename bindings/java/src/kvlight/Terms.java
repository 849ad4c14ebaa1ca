package kvlight;

import java.util.List;
import java.util.Objects;

/**
 * The terms on which a value is stored. What is not stated is left to the settings. Immutable: {@code Terms.NONE.ttlMs(5000).tags("shelf 7")}.
 *
 * @param ttlMs milliseconds until the value expires; {@link #NEVER}; {@link #DEFAULT}; 0: it is not stored, and an existing entry is removed
 * @param priority entries of a lower priority are evicted first; NaN: the default
 * @param cost the cost of the value in bytes, 0 or above; -1: what {@link Config#cost} returns, or 0 without that
 * @param staleTtlMs milliseconds for which the expired value is kept as a fallback; 0: the setting; -1: not at all
 * @param version the version of the record, as the provider's source knows it, for example an ETag; at most 255 bytes of UTF-8
 * @param tags names by which {@link Store#removeTag} and {@link Store#expireTag} find the entry: at most 16, each of 1 to 255 bytes of UTF-8
 * @param keepsTtl whether a put that replaces an entry keeps the entry's time of expiry; puts only
 * @param condition when a put takes place; puts only
 */
public record Terms(long ttlMs, double priority, long cost, long staleTtlMs, String version, List<String> tags, boolean keepsTtl, Condition condition) {
    /** A TTL: the entry never expires. */
    public static final long NEVER = NativeApi.TTL_NEVER;

    /** A TTL: the default of the settings. */
    public static final long DEFAULT = NativeApi.TTL_DEFAULT;

    /** No terms. */
    public static final Terms NONE = new Terms(DEFAULT, Double.NaN, NativeApi.COST_DEFAULT, 0, "", List.of(), false, Condition.ALWAYS);

    /** When a put takes place. */
    public enum Condition {
        /** In any case. */
        ALWAYS,
        /** If the key has no entry. A key that is known to be absent has one. */
        IF_ABSENT,
        /** If the key has an entry. */
        IF_PRESENT
    }

    /**
     * Creates terms.
     *
     * @param ttlMs milliseconds until the value expires
     * @param priority entries of a lower priority are evicted first
     * @param cost the cost of the value in bytes
     * @param staleTtlMs milliseconds for which the expired value is kept as a fallback
     * @param version the version of the record
     * @param tags names of groups to which the entry belongs
     * @param keepsTtl whether a put that replaces an entry keeps the entry's time of expiry
     * @param condition when a put takes place
     */
    public Terms {
        Objects.requireNonNull(version, "version");
        tags = List.copyOf(Objects.requireNonNull(tags, "tags"));
        Objects.requireNonNull(condition, "condition");
    }

    /**
     * Returns these terms with a TTL.
     *
     * @param ms milliseconds until the value expires
     * @return new terms
     */
    public Terms ttlMs(long ms) {
        return new Terms(ms, priority, cost, staleTtlMs, version, tags, keepsTtl, condition);
    }

    /**
     * Returns these terms with a priority.
     *
     * @param priority entries of a lower priority are evicted first
     * @return new terms
     */
    public Terms priority(double priority) {
        return new Terms(ttlMs, priority, cost, staleTtlMs, version, tags, keepsTtl, condition);
    }

    /**
     * Returns these terms with a cost.
     *
     * @param bytes the cost of the value
     * @return new terms
     */
    public Terms cost(long bytes) {
        return new Terms(ttlMs, priority, bytes, staleTtlMs, version, tags, keepsTtl, condition);
    }

    /**
     * Returns these terms with a time for which the expired value is kept as a fallback.
     *
     * @param ms milliseconds
     * @return new terms
     */
    public Terms staleTtlMs(long ms) {
        return new Terms(ttlMs, priority, cost, ms, version, tags, keepsTtl, condition);
    }

    /**
     * Returns these terms with a version.
     *
     * @param version the version of the record
     * @return new terms
     */
    public Terms version(String version) {
        return new Terms(ttlMs, priority, cost, staleTtlMs, version, tags, keepsTtl, condition);
    }

    /**
     * Returns these terms with these tags and no others.
     *
     * @param tags names of groups to which the entry belongs
     * @return new terms
     */
    public Terms tags(String... tags) {
        return new Terms(ttlMs, priority, cost, staleTtlMs, version, List.of(Objects.requireNonNull(tags, "tags")), keepsTtl, condition);
    }

    /**
     * Returns these terms for a put that keeps the time of expiry of the entry that it replaces.
     *
     * @return new terms
     */
    public Terms keepingTtl() {
        return new Terms(ttlMs, priority, cost, staleTtlMs, version, tags, true, condition);
    }

    /**
     * Returns these terms for a put that takes place only if the key has no entry.
     *
     * @return new terms
     */
    public Terms ifAbsent() {
        return new Terms(ttlMs, priority, cost, staleTtlMs, version, tags, keepsTtl, Condition.IF_ABSENT);
    }

    /**
     * Returns these terms for a put that takes place only if the key has an entry.
     *
     * @return new terms
     */
    public Terms ifPresent() {
        return new Terms(ttlMs, priority, cost, staleTtlMs, version, tags, keepsTtl, Condition.IF_PRESENT);
    }

    /** The terms as bytes in memory: the struct, the version and the tags. */
    static final class Packed {
        private static final byte[][] NO_TAGS = {};
        private final Terms terms;
        private final byte[] version;
        private final byte[][] tags;

        private Packed(Terms terms) {
            this.terms = terms;
            check(terms.ttlMs >= DEFAULT, "ttlMs is 0 or above, NEVER or DEFAULT, not " + terms.ttlMs);
            check(terms.staleTtlMs >= NativeApi.STALE_NEVER, "staleTtlMs is 0 or above, or -1, not " + terms.staleTtlMs);
            version = Keys.utf8(terms.version, "a version");
            check(version.length <= NativeApi.LABEL_MAX, "a version has at most 255 bytes of UTF-8, not " + version.length);
            check(terms.tags.size() <= NativeApi.TAGS_MAX, "an entry has at most 16 tags, not " + terms.tags.size());
            tags = terms.tags.isEmpty() ? NO_TAGS : terms.tags.stream().map(tag -> Keys.utf8(tag, "a tag")).toArray(byte[][]::new);
            for (byte[] tag : tags) {
                check(tag.length >= 1 && tag.length <= NativeApi.LABEL_MAX, "a tag has 1 to 255 bytes of UTF-8, not " + tag.length);
            }
        }

        /** The room that {@link #write} takes. */
        long size() {
            return NativeApi.Terms.SIZE + 8 + version.length + Scratch.sizeOf(tags);
        }

        /** Writes a kvl_terms_t, and returns its address. The cost belongs to the value, and is left out. */
        long write(Scratch scratch) {
            int at = scratch.struct(NativeApi.Terms.SIZE);
            var memory = scratch.memory;
            memory.putLong(at + NativeApi.Terms.STRUCT_SIZE, NativeApi.Terms.SIZE);
            memory.putLong(at + NativeApi.Terms.TTL_MS, terms.ttlMs);
            double priority = Double.isNaN(terms.priority) ? NativeApi.PRIORITY_DEFAULT : terms.priority;
            memory.putDouble(at + NativeApi.Terms.PRIORITY, priority);
            memory.putLong(at + NativeApi.Terms.COST, NativeApi.COST_DEFAULT);
            int flags = terms.keepsTtl ? NativeApi.PUT_F_KEEP_TTL : 0;
            flags |= switch (terms.condition) {
                case ALWAYS -> 0;
                case IF_ABSENT -> NativeApi.PUT_F_IF_ABSENT;
                case IF_PRESENT -> NativeApi.PUT_F_IF_PRESENT;
            };
            memory.putInt(at + NativeApi.Terms.FLAGS, flags);
            memory.putLong(at + NativeApi.Terms.STALE_TTL_MS, terms.staleTtlMs);
            if (tags.length > 0) {
                memory.putLong(at + NativeApi.Terms.TAGS, scratch.slices(tags));
                memory.putLong(at + NativeApi.Terms.TAGS_LEN, tags.length);
            }
            if (version.length > 0) {
                memory.putLong(at + NativeApi.Terms.VERSION, scratch.bytes(version));
                memory.putLong(at + NativeApi.Terms.VERSION_LEN, version.length);
            }
            return scratch.addressOf(at);
        }
    }

    private static void check(boolean isValid, String rule) {
        if (!isValid) {
            throw KvlightException.of(NativeApi.ERR_BAD_VALUE, "kvlight: in Terms, " + rule, null);
        }
    }

    /** Returns the packed terms of an answer. */
    static Packed ofAnswer(Terms terms) {
        Packed packed = ofPut(terms);
        check(!terms.keepsTtl && terms.condition == Condition.ALWAYS, "keepingTtl, ifAbsent and ifPresent are for puts, not for answers");
        return packed;
    }

    /** Returns the packed terms of a put. */
    static Packed ofPut(Terms terms) {
        return Objects.requireNonNull(terms, "kvlight: the terms are null; Terms.NONE states nothing").packed();
    }

    /** Returns the stated cost; -1 if there is none. */
    static long statedCost(Terms terms) {
        check(terms.cost >= NativeApi.COST_DEFAULT, "cost is 0 or above, or -1, not " + terms.cost);
        return terms.cost;
    }

    /** Returns the packed terms; null if nothing is stated besides the cost. */
    private Packed packed() {
        boolean isBare = ttlMs == DEFAULT && Double.isNaN(priority) && staleTtlMs == 0 && version.isEmpty() && tags.isEmpty() && !keepsTtl
                && condition == Condition.ALWAYS;
        return isBare ? null : new Packed(this);
    }
}
