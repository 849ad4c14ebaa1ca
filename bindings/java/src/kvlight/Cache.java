package kvlight;

/**
 * A cache without a provider: {@code new Config<String, User>(Keys.STRINGS).cacheCapacity(1000).cache()}. Safe for use by several threads. A Cache
 * that is dropped without being closed is closed by the garbage collector.
 *
 * @param <K> the type of the keys
 * @param <V> the type of the values
 */
public final class Cache<K, V> extends Store<K, V> {
    Cache(Config<K, V> config) {
        super(config, new Engine(config));
        engine.start(this);
    }
}
