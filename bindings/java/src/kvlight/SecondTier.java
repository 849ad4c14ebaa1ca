package kvlight;

import java.util.List;
import java.util.Objects;

/**
 * A second tier: a store in which keys are looked up before the provider is called, and which receives what was loaded and put. Several processes
 * may share one, such as a cache server, a database or a file. {@link Config#secondTier} sets it.
 *
 * <p>Its methods are called on the executor for providers, several at a time, and may block. If a read throws, the provider is called; a write, a
 * removal or a clear that throws is sent again, a fill is not. No caller of the cache sees the exception; it is passed to {@link
 * Config#failureHandler}.
 */
public interface SecondTier {
    /**
     * A key to look up.
     *
     * @param key the key
     * @param mayTakeLease whether the key has waited so long for another process's lease ({@link Settings#l2WaitMs}) that a new lease may be granted
     */
    record Wanted(byte[] key, boolean mayTakeLease) {}

    /**
     * What is to be stored under a key.
     *
     * @param key the key
     * @param data to be stored as it is, and to be returned by {@link Hit}
     * @param ttlMs its TTL from now on, in milliseconds; -1: it does not expire. An entry that is kept longer never expires, since each hit begins its
     *     TTL anew
     * @param token for a fill, the token that the read of the key returned; empty for a write
     */
    record Entry(byte[] key, byte[] data, long ttlMs, byte[] token) {}

    /** The result of looking a key up. */
    sealed interface Found permits Hit, Vacant, Leased {}

    /**
     * The key has an entry.
     *
     * @param data the data of its {@link Entry}
     * @param ttlLeftMs what is left of its TTL, in milliseconds; -1: the tier does not expire it; -2: unknown. With -1 and -2, its full TTL is taken as left
     * @param token identifies this entry, for a fill that may replace it; empty: there is no token
     */
    record Hit(byte[] data, long ttlLeftMs, byte[] token) implements Found {
        /**
         * A hit.
         *
         * @param data the data of its {@link Entry}
         * @param ttlLeftMs what is left of its TTL, in milliseconds
         * @param token identifies this entry
         */
        public Hit {
            Objects.requireNonNull(data, "data");
            Objects.requireNonNull(token, "token");
        }

        /**
         * A hit without a token, whose remaining TTL is unknown.
         *
         * @param data the data of its {@link Entry}
         */
        public Hit(byte[] data) {
            this(data, NativeApi.L2_TTL_UNKNOWN, new byte[0]);
        }
    }

    /**
     * The key has no entry.
     *
     * @param token the lease that was granted; empty: none
     */
    record Vacant(byte[] token) implements Found {
        /**
         * An absent entry.
         *
         * @param token the lease that was granted
         */
        public Vacant {
            Objects.requireNonNull(token, "token");
        }
    }

    /** The key has no entry, and another process has its lease: it is looked up again, for at most {@link Settings#l2WaitMs}. */
    record Leased() implements Found {}

    /**
     * Returns whether {@link #fill} stores an entry only if its token still belongs to the key.
     *
     * @return whether it compares tokens
     */
    default boolean isConditional() {
        return false;
    }

    /**
     * Returns whether {@link #read} grants a lease (a token) for a key without an entry, to one reader at a time. With leases and
     * {@link #isConditional}, no older load ever replaces a newer write, in any process.
     *
     * @return whether it grants leases
     */
    default boolean grantsLeases() {
        return false;
    }

    /**
     * Looks keys up.
     *
     * @param keys the keys
     * @return the result for each key, in their order. A null element, or null instead of the list, stands for no entry
     * @throws Exception fails the request
     */
    List<? extends Found> read(List<Wanted> keys) throws Exception;

    /**
     * Stores what was loaded: if {@link #isConditional}, only entries whose token still belongs to the key.
     *
     * @param entries the entries
     * @return for each entry whether it was stored, in their order; null: all were
     * @throws Exception fails the request
     */
    List<Boolean> fill(List<Entry> entries) throws Exception;

    /**
     * Stores what was put.
     *
     * @param entries the entries
     * @throws Exception fails the request, which is sent again
     */
    void write(List<Entry> entries) throws Exception;

    /**
     * Removes keys, some of which may not exist.
     *
     * @param keys the keys
     * @throws Exception fails the request, which is sent again
     */
    void remove(List<byte[]> keys) throws Exception;

    /**
     * Removes all keys.
     *
     * @throws Exception fails the request, which is sent again
     */
    void clear() throws Exception;
}
