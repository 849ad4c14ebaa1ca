package kvlight;

/**
 * The stored entry, expired or not, of a key that a provider is asked to load.
 *
 * @param value the value; null if the key is known to be absent
 * @param ageMs milliseconds since the value was loaded, put, or found in the second tier
 * @param version the version that was stored with the value; empty if there was none
 * @param <V> the type of the values
 */
public record Stale<V>(V value, long ageMs, String version) {}
