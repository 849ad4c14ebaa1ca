package kvlight;

/** A provider throws it, or a subclass, so that the key is not retried, whatever the settings of retries are. */
public class Permanent extends RuntimeException {
    private static final long serialVersionUID = 1;

    /**
     * Creates an exception.
     *
     * @param message what has failed
     */
    public Permanent(String message) {
        super(message);
    }

    /**
     * Creates an exception.
     *
     * @param message what has failed
     * @param cause why
     */
    public Permanent(String message, Throwable cause) {
        super(message, cause);
    }
}
