package kvlight;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Objects;
import java.util.UUID;
import java.util.function.Function;

/**
 * How keys are written as bytes, which is what the library compares. Its functions may run on any thread.
 *
 * @param <K> the type of the keys
 */
public final class Keys<K> {
    /** Strings, in UTF-8. A String with half of a surrogate pair is refused, since UTF-8 has no form for it. */
    public static final Keys<String> STRINGS = new Keys<>(key -> utf8(key, "the key"), Keys::textOf);

    /**
     * Arrays of bytes. Java compares arrays by identity: a provider that returns a map must put in the very arrays that it was given, or return a
     * TreeMap with {@code Arrays::compare}.
     */
    public static final Keys<byte[]> BYTES = new Keys<>(byte[]::clone, byte[]::clone);

    /** Longs, as 8 bytes. */
    public static final Keys<Long> LONGS = new Keys<>(key -> ByteBuffer.allocate(8).putLong(key).array(), bytes -> exactly(8, bytes, "a long").getLong());

    /** UUIDs, as 16 bytes. */
    public static final Keys<UUID> UUIDS = new Keys<>(Keys::bytesOf, bytes -> {
        ByteBuffer buffer = exactly(16, bytes, "a UUID");
        return new UUID(buffer.getLong(), buffer.getLong());
    });

    private final Function<? super K, byte[]> encode;
    private final Function<byte[], ? extends K> decode;

    private Keys(Function<? super K, byte[]> encode, Function<byte[], ? extends K> decode) {
        this.encode = Objects.requireNonNull(encode, "encode");
        this.decode = Objects.requireNonNull(decode, "decode");
    }

    /**
     * Keys of any type. Equal keys must have equal bytes, and different keys different bytes.
     *
     * @param encode returns the bytes of a key, at most 65,535
     * @param decode returns the key that has the bytes, for providers and iteration
     * @param <K> the type of the keys
     * @return the form of the keys
     */
    public static <K> Keys<K> of(Function<? super K, byte[]> encode, Function<byte[], ? extends K> decode) {
        return new Keys<>(encode, decode);
    }

    byte[] bytes(K key) {
        byte[] bytes = encode.apply(Objects.requireNonNull(key, "kvlight: a key is null"));
        return Objects.requireNonNull(bytes, "kvlight: the function that encodes keys returned null");
    }

    K key(byte[] bytes) {
        return Objects.requireNonNull(decode.apply(bytes), "kvlight: the function that decodes keys returned null");
    }

    /** Returns the bytes of a text; `what` is its name for a message. */
    static byte[] utf8(String text, String what) {
        for (int i = 0; i < text.length(); i++) {
            if (Character.isSurrogate(text.charAt(i))) {
                int point = text.codePointAt(i);
                if (!Character.isSupplementaryCodePoint(point)) {
                    throw new IllegalArgumentException("kvlight: " + what + " has half of a surrogate pair at " + i + ", which UTF-8 cannot express");
                }
                i++;
            }
        }
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String textOf(byte[] bytes) {
        String text = new String(bytes, StandardCharsets.UTF_8);
        // Invalid UTF-8 becomes this character, which a key may have too.
        if (text.indexOf('\uFFFD') >= 0 && !Arrays.equals(text.getBytes(StandardCharsets.UTF_8), bytes)) {
            throw new IllegalArgumentException("kvlight: the bytes of a key are not UTF-8, so it is no String");
        }
        return text;
    }

    private static ByteBuffer exactly(int length, byte[] bytes, String what) {
        if (bytes.length != length) {
            throw new IllegalArgumentException("kvlight: a key has " + bytes.length + " bytes, and so is not " + what + ", which has " + length);
        }
        return ByteBuffer.wrap(bytes);
    }

    private static byte[] bytesOf(UUID key) {
        return ByteBuffer.allocate(16).putLong(key.getMostSignificantBits()).putLong(key.getLeastSignificantBits()).array();
    }
}
