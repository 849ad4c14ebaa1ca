package kvlight;

import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * The program's objects, by the numbers under which the library knows them. Any thread may look one up while others add and remove: a lookup takes
 * no lock. A number is a place, from 1, and in the upper 32 bits how often that place was used before, so that no number is reused.
 */
final class ObjectTable {
    /** An object and its number. */
    private record Kept(long number, Object object) {}

    private static final int FIRST = 256;

    /** Chunk i has room for FIRST << i objects, and is never moved, so that a lookup can read it without the lock. */
    private final AtomicReferenceArray<AtomicReferenceArray<Kept>> chunks = new AtomicReferenceArray<>(24);

    private final Object lock = new Object();
    /** For each empty place, its next number. */
    private long[] free = new long[16];

    private int freeCount;
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
                    chunks.set(chunk, new AtomicReferenceArray<>(FIRST << chunk));
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

    /** The chunk of a place, which begins at 0. */
    private static int chunkOf(int place) {
        return 31 - Integer.numberOfLeadingZeros(place / FIRST + 1);
    }

    private Kept get(long number) {
        if (number == 0) {
            return null;
        }
        int place = (int) number - 1;
        int chunk = chunkOf(place);
        AtomicReferenceArray<Kept> slots = chunks.get(chunk);
        return slots == null ? null : slots.get(place - FIRST * ((1 << chunk) - 1));
    }

    private void set(long number, Kept kept) {
        int place = (int) number - 1;
        int chunk = chunkOf(place);
        chunks.get(chunk).set(place - FIRST * ((1 << chunk) - 1), kept);
    }
}
