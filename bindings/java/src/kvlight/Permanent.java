package kvlight;

/** Thrown by a provider to prevent retries of the key, whatever the settings of retries are. The provider may throw a subclass. */
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
