package kvlight;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Native memory for the arguments and outputs of one call: eight outputs of 8 bytes, then room for keys and structs. Pieces of the usual size are
 * reused. They are not thread-local, since there may be many virtual threads: a thread takes a piece from one of a few shared places, or allocates
 * one if that place is empty.
 */
final class Scratch implements AutoCloseable {
    /** The bytes of the outputs. */
    static final int HEAD = 64;

    private static final int USUAL_SIZE = 4096;
    /** Distance between places, in references, so that threads do not share cache lines. */
    private static final int STRIDE = 16;

    private static final int PLACES = 16;
    private static final AtomicReferenceArray<Scratch> SPARE = new AtomicReferenceArray<>(PLACES * STRIDE);

    final ByteBuffer memory;
    private final long address;
    private int used = HEAD;

    private Scratch(int size) {
        memory = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder());
        address = Pointer.nativeValue(Native.getDirectBufferPointer(memory));
    }

    /** Returns memory with room for this many bytes besides the outputs. The outputs are undefined. */
    static Scratch of(long bytes) {
        if (bytes < 0 || bytes > Integer.MAX_VALUE - HEAD - 8) {
            throw new IllegalArgumentException("kvlight: the arguments have more than 2 GiB");
        }
        int size = HEAD + (int) bytes + 8;
        if (size > USUAL_SIZE) {
            return new Scratch(size);
        }
        Scratch spare = SPARE.getAndSet(place(), null);
        if (spare == null) {
            return new Scratch(USUAL_SIZE);
        }
        spare.used = HEAD;
        return spare;
    }

    private static int place() {
        return ((int) Thread.currentThread().getId() & (PLACES - 1)) * STRIDE;
    }

    /** Returns the address of an output; it has 8 bytes. */
    long out(int i) {
        return address + i * 8L;
    }

    /** Reads an output. */
    long longAt(int i) {
        return memory.getLong(i * 8);
    }

    /** Sets the first outputs to 0, for a call that may leave them unchanged. */
    void clear(int outputs) {
        for (int i = 0; i < outputs; i++) {
            memory.putLong(i * 8, 0);
        }
    }

    /** Takes room for a struct, aligned to 8 bytes and filled with 0; returns its offset in the memory. */
    int struct(int size) {
        int at = (used + 7) & ~7;
        for (int i = 0; i < size; i += 8) {
            memory.putLong(at + i, 0);
        }
        used = at + size;
        return at;
    }

    /** Returns the address of an offset. */
    long addressOf(int at) {
        return address + at;
    }

    /** Copies bytes; returns their address. */
    long bytes(byte[] bytes) {
        memory.put(used, bytes);
        used += bytes.length;
        return address + used - bytes.length;
    }

    /** Copies a text, and ends it with a NUL; returns its address. */
    long text(String text) {
        if (text.indexOf(0) >= 0) {
            throw new IllegalArgumentException("kvlight: a text contains the character NUL, which would end it: " + text.replace('\0', '?'));
        }
        long at = bytes(text.getBytes(StandardCharsets.UTF_8));
        memory.put(used++, (byte) 0);
        return at;
    }

    /** The room that {@link #slices} takes. */
    static long sizeOf(byte[][] keys) {
        long size = 8;
        for (byte[] key : keys) {
            size += NativeApi.Slice.SIZE + key.length;
        }
        return size;
    }

    /** Writes an array of kvl_slice_t and its bytes; returns the address of the array. */
    long slices(byte[][] keys) {
        int at = struct(keys.length * NativeApi.Slice.SIZE);
        for (int i = 0; i < keys.length; i++) {
            int slice = at + i * NativeApi.Slice.SIZE;
            memory.putLong(slice + NativeApi.Slice.LEN, keys[i].length);
            memory.putLong(slice + NativeApi.Slice.DATA, bytes(keys[i]));
        }
        return address + at;
    }

    /** Returns the memory for reuse. */
    @Override
    public void close() {
        if (memory.capacity() == USUAL_SIZE) {
            SPARE.set(place(), this);
        }
    }
}
