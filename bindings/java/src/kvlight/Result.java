package kvlight;

/**
 * The result of one key.
 *
 * @param key the key
 * @param value the value; null if there is no such record, or if the key failed
 * @param error the exception, if the key failed: the provider's own, or a {@link KvlightException}. If {@code isStale}, the exception of the load,
 *     or null if the load took too long ({@link FetchSettings#staleTimeoutMs})
 * @param status {@link Status#VALUE}, {@link Status#NULL}, {@link Status#MISS}, {@link Status#INVALID_KEY}, or the status of the error
 * @param source where the result came from
 * @param attempts how many attempts the load made; 0 if there was no load
 * @param ageMs milliseconds since the value was loaded, put, or found in the second tier
 * @param ttlLeftMs milliseconds until the value expires; -1: never; 0: it is not stored
 * @param isStale whether the value has expired, and is served as a fallback
 * @param <K> the type of the keys
 * @param <V> the type of the values
 */
public record Result<K, V>(K key, V value, Throwable error, Status status, Source source, int attempts, long ageMs, long ttlLeftMs, boolean isStale) {
    /**
     * Returns the value, or null if there is no such record; throws the error of a key that failed.
     *
     * @return the value
     */
    public V orThrow() {
        if (status.number() < 0) {
            throw Outcome.unchecked(error);
        }
        return value;
    }
}
