// Generated from api/api.json by `make generate`. Do not edit.

package kvlight;

/** Where the result of a key came from. */
public enum Source {
    /** None: the position failed, or was refused before the lookup. */
    NONE(0),
    /** The store. */
    STORE(1),
    /** The provider, in a load that this fetch started. */
    PROVIDER(2),
    /** The provider, in a load that was in progress: one of another fetch, or of an earlier position of this fetch with the same key. */
    JOINED(3),
    /** A put, which settled a key that was waiting for its load to begin. */
    PUT(4),
    /** The memory of recent errors. */
    ERROR_MEMORY(5),
    /** The store, with an expired entry that served as a fallback. */
    STALE(6),
    /** The second tier. */
    L2(7),
    /** A source of a later version of the library. */
    UNKNOWN(Integer.MIN_VALUE);

    private static final Source[] ALL = values();
    private final int number;

    Source(int number) {
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

    static Source of(int number) {
        for (Source one : ALL) {
            if (one.number == number) {
                return one;
            }
        }
        return UNKNOWN;
    }
}
