package kvlight;

/**
 * An error of the library. An exception that a provider throws reaches every waiting caller unchanged, not as a KvlightException. The cause is
 * the exception of the last failed attempt before the fetch ended; null if no attempt had failed.
 */
public final class KvlightException extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** The status. Documented, since it is part of the serialized form. */
    private final Status status;

    KvlightException(Status status, String message, Throwable cause) {
        super(message, cause);
        this.status = status;
    }

    /**
     * Returns the status, such as {@link Status#ERR_TIMEOUT}.
     *
     * @return the status
     */
    public Status status() {
        return status;
    }

    /** Returns a status that is no error; throws an exception for one that is. */
    static int check(int status) {
        if (status < 0) {
            throw of(status, null, null);
        }
        return status;
    }

    /** Throws an exception for an argument that is out of range. */
    static void checkArgument(boolean isValid, String rule) {
        if (!isValid) {
            throw of(NativeApi.ERR_INVALID_ARG, "kvlight: " + rule, null);
        }
    }

    static KvlightException of(int status, String message, Throwable cause) {
        String text = message == null || message.isEmpty() ? Memory.text(NativeApi.kvl_status_message(status)) : message;
        return new KvlightException(Status.of(status), text, cause);
    }

    static KvlightException closed() {
        return of(NativeApi.ERR_CLOSED, null, null);
    }
}
