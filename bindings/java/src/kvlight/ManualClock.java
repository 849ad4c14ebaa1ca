package kvlight;

/** A clock that moves only when it is advanced, so that tests of time need not sleep: {@link Config#clock}. Safe for use by several threads. */
public final class ManualClock {
    private final long handle;

    /**
     * Creates a clock.
     *
     * @param nowMs its initial time in milliseconds, 0 or above
     */
    public ManualClock(long nowMs) {
        KvlightException.checkArgument(nowMs >= 0, "a clock begins at 0 ms or later, not at " + nowMs);
        Library.require();
        try (Scratch scratch = Scratch.of(0)) {
            KvlightException.check(NativeApi.kvl_clock_new_manual(nowMs, scratch.out(0)));
            handle = scratch.longAt(0);
        }
        long released = handle;
        Cleanup.register(this, () -> NativeApi.kvl_clock_release(released));
    }

    /**
     * Advances the clock. When this returns, everything that became due has happened in the library; the futures of the affected fetches may complete a
     * moment later.
     *
     * @param ms milliseconds, 0 or above
     */
    public void advance(long ms) {
        KvlightException.checkArgument(ms >= 0, "a clock is advanced by 0 ms or more, not by " + ms);
        try {
            KvlightException.check(NativeApi.kvl_clock_advance(handle, ms));
        } finally {
            java.lang.ref.Reference.reachabilityFence(this);
        }
    }

    /**
     * Returns the time.
     *
     * @return milliseconds
     */
    public long nowMs() {
        try {
            return NativeApi.kvl_clock_now_ms(handle);
        } finally {
            java.lang.ref.Reference.reachabilityFence(this);
        }
    }

    void setIn(long config) {
        try {
            KvlightException.check(NativeApi.kvl_config_set_clock(config, handle));
        } finally {
            java.lang.ref.Reference.reachabilityFence(this);
        }
    }
}
