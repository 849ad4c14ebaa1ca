// Generated from api/api.json by `make generate`. Do not edit.

package kvlight;

/** Why an entry is no longer in the cache. */
public enum RemovalCause {
    /** The entry expired. */
    EXPIRED(1),
    /** The entry was evicted to make room for another one (cache.capacity). */
    CAPACITY(2),
    /** The entry was evicted to make room for another one's cost (cache.cost_limit). */
    COST(3),
    /** Another value was stored under the key. */
    REPLACED(4),
    /** The entry was removed, taken or popped. */
    REMOVED(5),
    /** The store was cleared. */
    CLEARED(6),
    /** The value was refused, and never stored. */
    REFUSED(7),
    /** The store was trimmed or made smaller. */
    TRIMMED(8),
    /** The entry was removed by one of its tags. */
    TAG(9),
    /** A cause of a later version of the library. */
    UNKNOWN(Integer.MIN_VALUE);

    private static final RemovalCause[] ALL = values();
    private final int number;

    RemovalCause(int number) {
        this.number = number;
    }

    /**
     * Returns the library's number.
     *
     * @return the number
     */
    public int number() {
        return number;
    }

    static RemovalCause of(int number) {
        for (RemovalCause one : ALL) {
            if (one.number == number) {
                return one;
            }
        }
        return UNKNOWN;
    }
}
