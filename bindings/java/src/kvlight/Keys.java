package kvlight;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
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
    public static final Keys<String> STRINGS = new Keys<>(Keys::utf8, bytes -> new String(bytes, StandardCharsets.UTF_8));

    /**
     * Arrays of bytes. Java compares arrays by identity: a provider that returns a map must put in the very arrays that it was given, or return a
     * TreeMap with {@code Arrays::compare}.
     */
    public static final Keys<byte[]> BYTES = new Keys<>(byte[]::clone, byte[]::clone);

    /** Longs, as 8 bytes. */
    public static final Keys<Long> LONGS = new Keys<>(key -> ByteBuffer.allocate(8).putLong(key).array(), bytes -> ByteBuffer.wrap(bytes).getLong());

    /** UUIDs, as 16 bytes. */
    public static final Keys<UUID> UUIDS = new Keys<>(Keys::bytesOf, bytes -> {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
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
        return encode.apply(Objects.requireNonNull(key, "kvlight: a key is null"));
    }

    K key(byte[] bytes) {
        return decode.apply(bytes);
    }

    private static byte[] utf8(String key) {
        for (int i = 0; i < key.length(); i++) {
            if (Character.isSurrogate(key.charAt(i))) {
                int point = key.codePointAt(i);
                if (!Character.isSupplementaryCodePoint(point)) {
                    throw new IllegalArgumentException("kvlight: the key has half of a surrogate pair at " + i + ", which UTF-8 cannot express");
                }
                i++;
            }
        }
        return key.getBytes(StandardCharsets.UTF_8);
    }

    private static byte[] bytesOf(UUID key) {
        return ByteBuffer.allocate(16).putLong(key.getMostSignificantBits()).putLong(key.getLeastSignificantBits()).array();
    }
}
