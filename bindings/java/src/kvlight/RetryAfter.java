package kvlight;

/** Thrown by a provider to state the shortest pause before a retry, like HTTP's Retry-After. The provider may throw a subclass. */
public class RetryAfter extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** Milliseconds. */
    private final long afterMs;

    /**
     * Creates an exception.
     *
     * @param message what has failed
     * @param afterMs the shortest pause before the next attempt, in milliseconds, 0 or above
     */
    public RetryAfter(String message, long afterMs) {
        super(message);
        if (afterMs < 0) {
            throw new IllegalArgumentException("kvlight: a pause is not below 0: " + afterMs);
        }
        this.afterMs = afterMs;
    }

    /**
     * Returns the shortest pause before the next attempt.
     *
     * @return milliseconds
     */
    public long afterMs() {
        return afterMs;
    }
}
