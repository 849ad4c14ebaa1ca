using System;

namespace Kvlight
{
    /// <summary>How keys become bytes, which are what the library compares, and how bytes become keys. Both functions may run on any
    /// thread.</summary>
    /// <typeparam name="K">The type of the keys.</typeparam>
    public sealed class Keys<K>
    {
        private readonly Func<K, byte[]> encode;
        private readonly Func<byte[], K> decode;

        /// <summary>Keys of any type. Equal keys must have equal bytes, and different keys different bytes.</summary>
        /// <param name="encode">Returns the bytes of a key, at most 65,535.</param>
        /// <param name="decode">Returns the key that has the bytes, for providers and iteration.</param>
        public Keys(Func<K, byte[]> encode, Func<byte[], K> decode)
        {
            this.encode = encode ?? throw new ArgumentNullException(nameof(encode));
            this.decode = decode ?? throw new ArgumentNullException(nameof(decode));
        }

        internal byte[] Bytes(K key)
        {
            if (key == null)
                throw new ArgumentNullException(nameof(key), "kvlight: a key is null");
            return encode(key) ?? throw new InvalidOperationException("kvlight: the function that encodes keys returned null");
        }

        internal K Key(byte[] bytes)
        {
            K key = decode(bytes);
            return key == null ? throw new InvalidOperationException("kvlight: the function that decodes keys returned null") : key;
        }
    }

    /// <summary>The usual forms of keys.</summary>
    public static class Keys
    {
        /// <summary>Strings, in UTF-8. A string with half of a surrogate pair is refused, since UTF-8 has no form for it.</summary>
        public static readonly Keys<string> Strings = new Keys<string>(Utf8.Bytes, Utf8.Key);

        /// <summary>Arrays of bytes. A dictionary compares arrays by identity, so a provider must put the very arrays that it was given into the
        /// dictionary that it returns.</summary>
        public static readonly Keys<byte[]> Bytes = new Keys<byte[]>(key => (byte[])key.Clone(), bytes => bytes);

        /// <summary>Numbers of 32 bits, as 4 bytes.</summary>
        public static readonly Keys<int> Ints = new Keys<int>(BitConverter.GetBytes, bytes => BitConverter.ToInt32(Exactly(4, bytes, "an int"), 0));

        /// <summary>Numbers of 64 bits, as 8 bytes.</summary>
        public static readonly Keys<long> Longs = new Keys<long>(BitConverter.GetBytes, bytes => BitConverter.ToInt64(Exactly(8, bytes, "a long"), 0));

        /// <summary>GUIDs, as 16 bytes.</summary>
        public static readonly Keys<Guid> Guids = new Keys<Guid>(key => key.ToByteArray(), bytes => new Guid(Exactly(16, bytes, "a Guid")));

        private static byte[] Exactly(int length, byte[] bytes, string what) => bytes.Length == length
            ? bytes : throw new ArgumentException($"kvlight: a key has {bytes.Length} bytes, and so is not {what}, which has {length}");
    }
}
