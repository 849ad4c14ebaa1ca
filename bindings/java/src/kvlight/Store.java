package kvlight;

import java.lang.ref.Reference;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.ToLongFunction;

/**
 * What {@link Cache} and {@link Tasks} have in common: the entries. A value of null means that the key is known to be absent. All methods may be
 * called on any thread, and none waits for a provider; after {@link #close} they throw a {@link KvlightException} with {@link Status#ERR_CLOSED}.
 *
 * @param <K> the type of the keys
 * @param <V> the type of the values
 */
public abstract sealed class Store<K, V> implements Iterable<Map.Entry<K, V>>, AutoCloseable permits Cache, Tasks {
    /** What a lookup returns if the key is not in the cache: any other object may be a value. */
    static final Object MISSING = new Object();

    /** What a lookup returns if the validator refuses the key. */
    static final Object INVALID = new Object();

    final Engine engine;
    final Keys<K> keys;
    private final Consumer<? super V> dropped;
    private final Config.RemovalListener<? super K, ? super V> removalListener;
    private final Predicate<? super K> validator;
    private final ToLongFunction<? super V> cost;

    Store(Config<K, V> config, Engine engine) {
        this.engine = engine;
        keys = config.keys();
        dropped = config.dropped();
        removalListener = config.removalListener();
        validator = config.validator();
        cost = config.cost();
    }

    // -- Lookups ------------------------------------------------------------------------------------------------------

    /**
     * Returns the value in the cache.
     *
     * @param key the key
     * @return the value; null if the key is known to be absent, or is not in the cache
     */
    public V get(K key) {
        return getOrDefault(key, null);
    }

    /**
     * Returns the value in the cache, or another one if the key is not in it.
     *
     * @param key the key
     * @param other returned if the key is not in the cache
     * @return the value; null if the key is known to be absent
     */
    public V getOrDefault(K key, V other) {
        Object found = find(keys.bytes(key), false);
        return found == MISSING || found == INVALID ? other : cast(found);
    }

    /**
     * Returns the values of those keys that are in the cache.
     *
     * @param keys the keys
     * @return a map with an entry for each key that is in the cache, null for one that is known to be absent, in the order of the keys
     */
    public Map<K, V> getAll(Collection<? extends K> keys) {
        List<K> asked = copyOf(keys);
        byte[][] bytes = bytesOf(asked);
        Object[] values = new Object[bytes.length];
        long room = Scratch.sizeOf(bytes) + 16L * bytes.length;
        Gate.Pass pass = enter();
        try (Scratch scratch = Scratch.of(room)) {
            int handles = scratch.struct(8 * bytes.length);
            int statuses = scratch.struct((4 * bytes.length + 7) & ~7);
            long slices = scratch.slices(bytes);
            KvlightException.check(NativeApi.kvl_cache_get_many(engine.cache(), slices, bytes.length, scratch.addressOf(handles), scratch.addressOf(statuses)));
            for (int i = 0; i < bytes.length; i++) {
                int status = scratch.memory.getInt(statuses + 4 * i);
                values[i] = status == NativeApi.VALUE ? taken(scratch.memory.getLong(handles + 8 * i)) : status == NativeApi.NULL ? null : MISSING;
            }
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(this);
        }
        Map<K, V> found = new LinkedHashMap<>();
        for (int i = 0; i < values.length; i++) {
            if (values[i] != MISSING) {
                found.put(asked.get(i), cast(values[i]));
            }
        }
        return found;
    }

    /**
     * Returns whether a key is in the cache, known to be absent or not. Counts neither as a use nor as a lookup.
     *
     * @param key the key
     * @return whether it has an entry
     */
    public boolean contains(K key) {
        return holds(keys.bytes(key));
    }

    final boolean holds(byte[] key) {
        int status = onBytes(key, NativeApi::kvl_cache_contains);
        return status == NativeApi.VALUE || status == NativeApi.NULL;
    }

    // -- Writes -------------------------------------------------------------------------------------------------------

    /**
     * Stores a value, and replaces an existing entry.
     *
     * @param key the key
     * @param value the value; null: the key is known to be absent
     * @return whether it was stored. If not, the key is invalid, or the cache has no room for it
     */
    public boolean put(K key, V value) {
        return put(key, value, Terms.NONE);
    }

    /**
     * Stores a value on terms. Threads that put faster than the values that they replace are released wait for that, except in functions that the cache
     * calls.
     *
     * @param key the key
     * @param value the value; null: the key is known to be absent
     * @param terms how long it is kept, under which condition it is stored, and so on
     * @return whether it was stored. If not, the condition did not hold, the key is invalid, or the cache has no room for it
     */
    public boolean put(K key, V value, Terms terms) {
        byte[] bytes = keys.bytes(key);
        Terms.Packed packed = Terms.ofPut(terms);
        long cost = costOf(value, terms);
        engine.awaitPump();
        Gate.Pass pass = enter();
        try (Scratch scratch = Scratch.of(bytes.length + (packed == null ? 0 : packed.size()))) {
            long handle = engine.newValue(value, cost, scratch);
            try {
                long stated = packed == null ? 0 : packed.write(scratch);
                return KvlightException.check(NativeApi.kvl_cache_put(engine.cache(), scratch.bytes(bytes), bytes.length, handle, stated)) == NativeApi.OK;
            } finally {
                NativeApi.kvl_value_release(handle);
            }
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Replaces a value if it is still the expected one.
     *
     * @param key the key
     * @param expected compared with the stored value by {@code equals}; null: the key is known to be absent
     * @param value the new value
     * @return whether it was replaced
     */
    public boolean replace(K key, V expected, V value) {
        byte[] bytes = keys.bytes(key);
        long cost = costOf(value, Terms.NONE);
        Object equal = expected;
        engine.awaitPump();
        for (;;) {
            Object stored;
            Gate.Pass pass = enter();
            try (Scratch scratch = Scratch.of(bytes.length)) {
                long at = scratch.bytes(bytes);
                scratch.clear(1);
                int status = KvlightException.check(NativeApi.kvl_cache_peek(engine.cache(), at, bytes.length, scratch.out(0), 0, 0));
                if (status != NativeApi.VALUE && status != NativeApi.NULL) {
                    return false;
                }
                long old = status == NativeApi.NULL ? NativeApi.kvl_value_null() : scratch.longAt(0);
                try {
                    stored = status == NativeApi.NULL ? null : engine.objects.find(NativeApi.kvl_value_object(old));
                    if (stored == equal) {
                        return exchange(at, bytes.length, old, engine.newValue(value, cost, scratch));
                    }
                } finally {
                    NativeApi.kvl_value_release(old);
                }
            } finally {
                pass.isTaken = 0;
                Reference.reachabilityFence(this);
            }
            // equals is code of the program, so it runs outside the gate.
            if (!Objects.equals(stored, expected)) {
                return false;
            }
            equal = stored;
        }
    }

    private boolean exchange(long key, int length, long old, long handle) {
        try {
            return KvlightException.check(NativeApi.kvl_cache_compare_put(engine.cache(), key, length, old, handle, 0)) == NativeApi.OK;
        } finally {
            NativeApi.kvl_value_release(handle);
        }
    }

    /**
     * Gives an entry a new TTL.
     *
     * @param key the key
     * @param ttlMs milliseconds from now, 1 or more; {@link Terms#NEVER} or {@link Terms#DEFAULT}
     * @return whether there was an entry
     */
    public boolean touch(K key, long ttlMs) {
        if (ttlMs == 0 || ttlMs < Terms.DEFAULT) {
            throw KvlightException.of(NativeApi.ERR_BAD_VALUE, "kvlight: a new TTL is 1 ms or more, Terms.NEVER or Terms.DEFAULT, not " + ttlMs, null);
        }
        return onKey(key, (cache, at, length) -> NativeApi.kvl_cache_touch(cache, at, length, ttlMs)) == NativeApi.OK;
    }

    /**
     * Removes an entry.
     *
     * @param key the key
     * @return whether there was one
     */
    public boolean remove(K key) {
        return onKey(key, NativeApi::kvl_cache_remove) == NativeApi.OK;
    }

    /**
     * Removes an entry and returns its value.
     *
     * @param key the key
     * @return the value; null if there was no entry, or the key was known to be absent
     */
    public V take(K key) {
        byte[] bytes = keys.bytes(key);
        Gate.Pass pass = enter();
        try (Scratch scratch = Scratch.of(bytes.length)) {
            long at = scratch.bytes(bytes);
            int status = KvlightException.check(NativeApi.kvl_cache_take(engine.cache(), at, bytes.length, scratch.out(0)));
            return status == NativeApi.VALUE ? cast(taken(scratch.longAt(0))) : null;
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Expires an entry now: the next fetch of the key loads it. Until then the entry is kept as a fallback, if {@link Settings#staleTtlMs} is set.
     * From a second tier the entry is removed.
     *
     * @param key the key
     * @return whether there was an entry
     */
    public boolean expire(K key) {
        return onKey(key, NativeApi::kvl_cache_expire) == NativeApi.OK;
    }

    /**
     * Removes all entries with a tag. Running loads do not store answers with this tag.
     *
     * @param tag the tag
     * @return the number of entries
     */
    public long removeTag(String tag) {
        return onTag(tag, NativeApi::kvl_cache_remove_tag);
    }

    /**
     * Expires all entries with a tag, as {@link #expire} does for a key.
     *
     * @param tag the tag
     * @return the number of entries
     */
    public long expireTag(String tag) {
        return onTag(tag, NativeApi::kvl_cache_expire_tag);
    }

    /** Expires all entries, as {@link #expire} does for a key. Running loads do not store their answers. A second tier is cleared, for all processes. */
    public void expireAll() {
        onCache(NativeApi::kvl_cache_expire_all);
    }

    /** Removes all entries. Running loads do not store their answers. */
    public void clear() {
        onCache(NativeApi::kvl_cache_clear);
    }

    /**
     * Evicts entries until a share of them is left.
     *
     * @param ratio the share to keep, 0 to 1
     */
    public void trim(double ratio) {
        KvlightException.checkArgument(ratio >= 0 && ratio <= 1, "the share of entries to keep is 0 to 1, not " + ratio);
        onCache(cache -> NativeApi.kvl_cache_trim(cache, ratio));
    }

    /**
     * Evicts entries until this many are left.
     *
     * @param entries the number to keep
     */
    public void trimTo(long entries) {
        KvlightException.checkArgument(entries >= 0, "the number of entries to keep is 0 or above, not " + entries);
        onCache(cache -> NativeApi.kvl_cache_trim_to(cache, entries));
    }

    /**
     * Changes the limits, and evicts what is beyond them.
     *
     * @param capacity the maximum number of entries
     * @param costLimit the highest total cost in bytes; -1: without a limit
     */
    public void resize(long capacity, long costLimit) {
        KvlightException.checkArgument(capacity >= 0, "a capacity is 0 or above, not " + capacity);
        KvlightException.checkArgument(costLimit >= -1, "a limit of the cost is 0 or above, or -1, not " + costLimit);
        onCache(cache -> NativeApi.kvl_cache_resize(cache, capacity, costLimit));
    }

    // -- All entries --------------------------------------------------------------------------------------------------

    /**
     * Returns the number of entries, those of keys known to be absent included.
     *
     * @return the number
     */
    public long size() {
        Gate.Pass pass = enter();
        try {
            return NativeApi.kvl_cache_len(engine.cache());
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Returns the total cost of the entries.
     *
     * @return bytes; {@link Long#MAX_VALUE} if they are more
     */
    public long cost() {
        Gate.Pass pass = enter();
        try {
            long bytes = NativeApi.kvl_cache_cost(engine.cache());
            return bytes < 0 ? Long.MAX_VALUE : bytes; // The library returns an unsigned number.
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Returns an iterator over the entries. A key that is in the cache throughout is visited exactly once, whatever other threads or this one change
     * meanwhile. Nothing is loaded, or counted as used. An iterator is for one thread; one that is not used to its end may be closed.
     *
     * @return the iterator
     */
    @Override
    public Iterator<Map.Entry<K, V>> iterator() {
        return entries();
    }

    /**
     * Returns the iterator of {@link #iterator} as one that can be closed.
     *
     * @return the iterator
     */
    public Entries<K, V> entries() {
        Gate.Pass pass = enter();
        try {
            return new Entries<>(this);
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Writes the entries to a file, with their remaining TTLs. An existing file is replaced once the new one is complete.
     *
     * @param path the file
     * @param encode returns the bytes of a value; if it throws or returns null, the save fails with that exception
     * @return the number of entries written
     */
    public long save(Path path, Function<? super V, byte[]> encode) {
        return Transfer.save(this, path, encode);
    }

    /**
     * Stores the entries of a file that {@link #save} has written, except those whose key has an entry already. Entries that come before a damaged
     * part of the file are stored.
     *
     * @param path the file
     * @param decode returns the value that has the bytes; if it throws or returns null, or if the bytes of its key are no key of this cache's
     *         type, the load fails with that exception; keys that are known to be absent are not checked
     * @return the number of entries stored
     */
    public long load(Path path, Function<byte[], ? extends V> decode) {
        return Transfer.load(this, path, decode);
    }

    // -- Statistics ---------------------------------------------------------------------------------------------------

    /**
     * Returns the counters since the last reset, and the current gauges.
     *
     * @return the statistics
     */
    public Stats stats() {
        Gate.Pass pass = enter();
        try (Scratch scratch = Scratch.of(Stats.SIZE + 8)) {
            int at = scratch.struct(Stats.SIZE);
            long place = scratch.addressOf(at);
            KvlightException.check(engine.tasks() == 0
                    ? NativeApi.kvl_cache_stats(engine.cache(), place, Stats.SIZE)
                    : NativeApi.kvl_tasks_stats(engine.tasks(), place, Stats.SIZE));
            for (int i = at; i < at + Stats.SIZE; i += 8) {
                if (scratch.memory.getLong(i) < 0) {
                    scratch.memory.putLong(i, Long.MAX_VALUE); // The library's numbers are unsigned.
                }
            }
            return Stats.read(scratch.memory, at);
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(this);
        }
    }

    /**
     * Returns the statistics as JSON, with histograms.
     *
     * @return an object
     */
    public String statsJson() {
        return text((cache, tasks, out) -> tasks == 0 ? NativeApi.kvl_cache_stats_json(cache, out) : NativeApi.kvl_tasks_stats_json(tasks, out));
    }

    /**
     * Returns the statistics for a scraper.
     *
     * @return OpenMetrics text
     */
    public String statsOpenMetrics() {
        return text((cache, tasks, out) ->
                tasks == 0 ? NativeApi.kvl_cache_stats_openmetrics(cache, out) : NativeApi.kvl_tasks_stats_openmetrics(tasks, out));
    }

    /** Resets the counters, and begins a new window of statistics. */
    public void resetStats() {
        onCache(cache -> engine.tasks() == 0 ? NativeApi.kvl_cache_stats_reset(cache) : NativeApi.kvl_tasks_stats_reset(engine.tasks()));
    }

    // -- The end ------------------------------------------------------------------------------------------------------

    /**
     * Closes the cache, and waits until all is freed and the functions of {@link Config#dropped} and {@link Config#removalListener} have run. Fetches in
     * progress end with {@link Status#ERR_CLOSED}; their futures are completed on the executor for callbacks. May be called again. A function of the
     * program may call it too: if the end waits for that function, the call does not wait for the end.
     */
    @Override
    public void close() {
        engine.close(0);
        engine.awaitEnd();
    }

    /**
     * Returns whether the cache was closed.
     *
     * @return whether close was called
     */
    public boolean isClosed() {
        return !engine.isOpen();
    }

    @Override
    public String toString() {
        return getClass().getSimpleName() + (isClosed() ? "[closed]" : "[open]");
    }

    // -- For the package ----------------------------------------------------------------------------------------------

    @SuppressWarnings("unchecked")
    final V cast(Object value) {
        return (V) value;
    }

    /**
     * Begins a call. It must give the pass back in a finally block, by a write to the field, and keep this object from being collected, and so closed,
     * until then.
     */
    final Gate.Pass enter() {
        return engine.enter();
    }

    static <K> List<K> copyOf(Collection<? extends K> keys) {
        return new ArrayList<>(Objects.requireNonNull(keys, "keys"));
    }

    final byte[][] bytesOf(List<K> keys) {
        byte[][] bytes = new byte[keys.size()][];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = this.keys.bytes(keys.get(i));
        }
        return bytes;
    }

    final long costOf(V value, Terms terms) {
        long stated = Terms.statedCost(terms);
        if (stated >= 0 || value == null || cost == null) {
            return Math.max(stated, 0);
        }
        long returned = cost.applyAsLong(value);
        if (returned < 0) {
            throw new IllegalArgumentException("kvlight: the function for costs returned " + returned + ", and a cost is 0 or above");
        }
        return returned;
    }

    /**
     * Returns the value of a key, null if it is known to be absent, MISSING if it is not in the cache, or INVALID. If `isForFetch`, a miss is not
     * counted here: the fetch that follows counts it.
     */
    final Object find(byte[] key, boolean isForFetch) {
        Gate.Pass pass = enter();
        try (Scratch scratch = Scratch.of(key.length)) {
            long at = scratch.bytes(key);
            int status;
            do {
                status = isForFetch
                        ? Lookups.ofTasks(engine.tasks(), at, key.length, scratch.out(0))
                        : Lookups.ofCache(engine.cache(), at, key.length, scratch.out(0));
                Object object = status == NativeApi.VALUE ? engine.objects.find(scratch.longAt(0)) : null;
                if (object != null) {
                    return object;
                }
                // Another thread may have replaced or removed the value since: look it up again.
            } while (status == NativeApi.VALUE);
            return KvlightException.check(status) == NativeApi.NULL ? null : status == NativeApi.INVALID_KEY ? INVALID : MISSING;
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(this);
        }
    }

    /** Returns the object of a handle, and releases the handle. */
    final Object taken(long handle) {
        Object object = engine.objects.find(NativeApi.kvl_value_object(handle));
        NativeApi.kvl_value_release(handle);
        return object;
    }

    /** Passes a value that nothing refers to any longer to the program's function for dropped values. */
    final void drop(Object value) {
        if (dropped != null) {
            engine.serial.execute(() -> dropped.accept(cast(value)));
        }
    }

    /** Hands an entry that has left the cache to the program. */
    final void removed(byte[] key, Object value, RemovalCause cause) {
        if (removalListener != null) {
            engine.serial.execute(() -> removalListener.removed(keys.key(key), cast(value), cause));
        }
    }

    /** Asks the program whether a key is valid. Runs inside a call of the library. */
    final boolean isValid(byte[] key) {
        return validator == null || validator.test(keys.key(key));
    }

    /** A call for one key. */
    interface OnKey {
        int call(long cache, long key, long length);
    }

    private int onKey(K key, OnKey call) {
        return onBytes(keys.bytes(key), call);
    }

    private int onBytes(byte[] bytes, OnKey call) {
        Gate.Pass pass = enter();
        try (Scratch scratch = Scratch.of(bytes.length)) {
            return KvlightException.check(call.call(engine.cache(), scratch.bytes(bytes), bytes.length));
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(this);
        }
    }

    /** A call for one tag; `out` receives the number of entries. */
    interface OnTag {
        int call(long cache, long tag, long length, long out);
    }

    private long onTag(String tag, OnTag call) {
        byte[] bytes = Keys.utf8(Objects.requireNonNull(tag, "tag"), "the tag");
        Gate.Pass pass = enter();
        try (Scratch scratch = Scratch.of(bytes.length)) {
            KvlightException.check(call.call(engine.cache(), scratch.bytes(bytes), bytes.length, scratch.out(0)));
            return scratch.longAt(0);
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(this);
        }
    }

    private void onCache(java.util.function.LongToIntFunction call) {
        Gate.Pass pass = enter();
        try {
            KvlightException.check(call.applyAsInt(engine.cache()));
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(this);
        }
    }

    /** A call that returns a text as a value. */
    private interface OfText {
        int call(long cache, long tasks, long out);
    }

    private String text(OfText call) {
        Gate.Pass pass = enter();
        try (Scratch scratch = Scratch.of(0)) {
            KvlightException.check(call.call(engine.cache(), engine.tasks(), scratch.out(0)));
            return Memory.textOf(scratch.longAt(0), scratch);
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(this);
        }
    }
}
