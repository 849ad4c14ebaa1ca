package kvlight;

import com.sun.jna.Pointer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Reads the library's memory. */
final class Memory {
    private Memory() {}

    /** A view of bytes at an address, valid only until the library frees them. */
    static ByteBuffer view(long address, long size) {
        return new Pointer(address).getByteBuffer(0, size).order(ByteOrder.nativeOrder());
    }

    /** Copies bytes. */
    static byte[] bytes(long address, long length) {
        return length == 0 ? new byte[0] : new Pointer(address).getByteArray(0, Math.toIntExact(length));
    }

    /** Copies a text that ends with a NUL. */
    static String text(long address) {
        return address == 0 ? "" : new Pointer(address).getString(0, "UTF-8");
    }

    /** Copies the text of a value, and releases it. */
    static String textOf(long value, Scratch scratch) {
        try {
            scratch.clear(1);
            long data = NativeApi.kvl_value_data(value, scratch.out(0));
            return new String(bytes(data, scratch.longAt(0)), java.nio.charset.StandardCharsets.UTF_8);
        } finally {
            NativeApi.kvl_value_release(value);
        }
    }
}
