package kvlight;

import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * The program's objects, by the numbers under which the library knows them. Any thread may look one up while others add and remove: a lookup takes
 * no lock. The lower 32 bits of a number are a place, counted from 1; the upper 32 bits say how often the place was used before. So a number does not
 * return until its place has been used 2^32 times.
 */
final class ObjectTable {
    /** An object and its number. */
    private record Kept(long number, Object object) {}

    private static final int FIRST_CHUNK_SIZE = 256;

    /** Chunk i has room for FIRST_CHUNK_SIZE << i objects, and is never moved, so that a lookup can read it without the lock. */
    private final AtomicReferenceArray<AtomicReferenceArray<Kept>> chunks = new AtomicReferenceArray<>(24);

    private final Object lock = new Object();
    /** The next number of each place that has become free. */
    private long[] free = new long[16];

    private int freeCount;
    /** How many places have ever been used. */
    private int places;

    /** Adds an object; returns its number, which is not 0. */
    long add(Object object) {
        synchronized (lock) {
            long number;
            if (freeCount > 0) {
                number = free[--freeCount];
            } else {
                int chunk = chunkOf(places);
                if (chunks.get(chunk) == null) {
                    chunks.set(chunk, new AtomicReferenceArray<>(FIRST_CHUNK_SIZE << chunk));
                }
                number = ++places;
            }
            set(number, new Kept(number, object));
            return number;
        }
    }

    /** Returns the object of a number; null if it was removed, or for 0. */
    Object find(long number) {
        Kept kept = get(number);
        return kept != null && kept.number == number ? kept.object : null;
    }

    /** Removes an object, and returns it, or null if it was removed before. */
    Object remove(long number) {
        synchronized (lock) {
            Kept kept = get(number);
            if (kept == null || kept.number != number) {
                return null;
            }
            set(number, null);
            if (freeCount == free.length) {
                free = java.util.Arrays.copyOf(free, freeCount * 2);
            }
            free[freeCount++] = number + (1L << 32);
            return kept.object;
        }
    }

    int size() {
        synchronized (lock) {
            return places - freeCount;
        }
    }

    /** The chunk of a place, here counted from 0. */
    private static int chunkOf(int place) {
        return 31 - Integer.numberOfLeadingZeros(place / FIRST_CHUNK_SIZE + 1);
    }

    private Kept get(long number) {
        if (number == 0) {
            return null;
        }
        int place = (int) number - 1;
        int chunk = chunkOf(place);
        AtomicReferenceArray<Kept> slots = chunks.get(chunk);
        return slots == null ? null : slots.get(place - FIRST_CHUNK_SIZE * ((1 << chunk) - 1));
    }

    private void set(long number, Kept kept) {
        int place = (int) number - 1;
        int chunk = chunkOf(place);
        chunks.get(chunk).set(place - FIRST_CHUNK_SIZE * ((1 << chunk) - 1), kept);
    }
}
