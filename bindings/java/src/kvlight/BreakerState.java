package kvlight;

/** The state of the circuit breaker. */
public enum BreakerState {
    /** Requests go to the provider. */
    CLOSED,
    /** Keys fail at once; the provider gets no requests. */
    OPEN,
    /** A few requests are let through, to find out whether the provider works again. */
    HALF_OPEN;

    static BreakerState of(int number) {
        return switch (number) {
            case NativeApi.BREAKER_OPEN -> OPEN;
            case NativeApi.BREAKER_HALF_OPEN -> HALF_OPEN;
            default -> CLOSED;
        };
    }
}
