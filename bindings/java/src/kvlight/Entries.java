package kvlight;

import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.AbstractMap;
import java.util.Iterator;
import java.util.Map;
import java.util.NoSuchElementException;

/**
 * An iterator over the entries of a {@link Store}, for one thread. It is closed at its end, or when it is collected.
 *
 * @param <K> the type of the keys
 * @param <V> the type of the values
 */
public final class Entries<K, V> implements Iterator<Map.Entry<K, V>>, AutoCloseable {
    private final Store<K, V> store;
    private final long handle;
    private final Cleaner.Cleanable cleanable;
    private Map.Entry<K, V> next;
    private boolean isAtEnd;

    /** Called inside the gate. */
    Entries(Store<K, V> store) {
        this.store = store;
        try (Scratch scratch = Scratch.of(0)) {
            KvlightException.check(NativeApi.kvl_iterator_new(store.engine.cache(), scratch.out(0)));
            handle = scratch.longAt(0);
        }
        long freed = handle;
        cleanable = Cleanup.register(this, () -> NativeApi.kvl_iterator_free(freed));
    }

    @Override
    public boolean hasNext() {
        if (next == null && !isAtEnd) {
            next = read();
        }
        return next != null;
    }

    @Override
    public Map.Entry<K, V> next() {
        if (!hasNext()) {
            throw new NoSuchElementException();
        }
        Map.Entry<K, V> read = next;
        next = null;
        return read;
    }

    /** Ends the iteration. May be called again. */
    @Override
    public void close() {
        isAtEnd = true;
        next = null;
        cleanable.clean();
    }

    private Map.Entry<K, V> read() {
        byte[] key;
        V value;
        Gate.Pass pass = store.enter();
        try (Scratch scratch = Scratch.of(NativeApi.Result.SIZE + 8)) {
            int at = scratch.struct(NativeApi.Result.SIZE);
            int status = KvlightException.check(NativeApi.kvl_iterator_next(handle, scratch.addressOf(at), NativeApi.Result.SIZE));
            if (status == NativeApi.EMPTY) {
                close();
                return null;
            }
            ByteBuffer memory = scratch.memory;
            key = Memory.bytes(memory.getLong(at + NativeApi.Result.KEY), memory.getLong(at + NativeApi.Result.KEY_LEN));
            value = status == NativeApi.VALUE ? Outcome.value(store.engine.objects, memory, at) : null;
        } finally {
            pass.isTaken = 0;
            Reference.reachabilityFence(store);
            Reference.reachabilityFence(this);
        }
        return new AbstractMap.SimpleImmutableEntry<>(store.keys.key(key), value);
    }
}
