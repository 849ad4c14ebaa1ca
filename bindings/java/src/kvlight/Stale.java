package kvlight;

/**
 * The stored entry of a key that a provider is to load, expired or not.
 *
 * @param value the value; null if the key is known to be absent
 * @param ageMs milliseconds since it was loaded or put
 * @param version the version that was stated with it; empty if none was
 * @param <V> the type of the values
 */
public record Stale<V>(V value, long ageMs, String version) {}
