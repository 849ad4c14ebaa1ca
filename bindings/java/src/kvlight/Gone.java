package kvlight;

/** Like {@link Permanent}, and also ends the fallback: an expired value of the key is removed, and not served ({@link Settings#staleTtlMs}). */
public class Gone extends Permanent {
    private static final long serialVersionUID = 1;

    /**
     * Creates an exception.
     *
     * @param message what has failed
     */
    public Gone(String message) {
        super(message);
    }

    /**
     * Creates an exception.
     *
     * @param message what has failed
     * @param cause why
     */
    public Gone(String message, Throwable cause) {
        super(message, cause);
    }
}
