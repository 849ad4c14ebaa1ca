package kvlight;

/** Like {@link Permanent}, and also ends the value that is in the store: it is removed, and is not served as a fallback ({@link Settings#staleTtlMs}). */
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
