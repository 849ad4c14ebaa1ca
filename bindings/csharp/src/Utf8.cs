using System;
using System.Runtime.InteropServices;
using System.Text;

namespace Kvlight
{
    /// <summary>Texts and bytes in the library's memory.</summary>
    internal static unsafe class Utf8
    {
        private static readonly UTF8Encoding Strict = new UTF8Encoding(false, true);

        /// <summary>The bytes of a key or a label; throws if the text has half of a surrogate pair.</summary>
        internal static byte[] Bytes(string text) => Strict.GetBytes(text);

        /// <summary>The key with these bytes; throws if they are not UTF-8.</summary>
        internal static string Key(byte[] bytes)
        {
            try
            {
                return Strict.GetString(bytes);
            }
            catch (DecoderFallbackException e)
            {
                throw new ArgumentException("kvlight: the bytes of a key are not UTF-8, so it is no string", e);
            }
        }

        /// <summary>The bytes of a text, followed by a NUL; throws if the text contains one.</summary>
        internal static byte[] Terminated(string text) => text.IndexOf('\0') < 0
            ? Encoding.UTF8.GetBytes(text + "\0")
            : throw new ArgumentException("kvlight: a text contains the character NUL, which would end it: " + text.Replace('\0', '?'));

        internal static string Text(byte* text)
        {
            int length = 0;
            while (text[length] != 0)
                length++;
            return Encoding.UTF8.GetString(text, length);
        }

        internal static byte[] Copy(byte* data, long length)
        {
            byte[] bytes = new byte[checked((int)length)];
            if (length > 0)
                Marshal.Copy((IntPtr)data, bytes, 0, bytes.Length);
            return bytes;
        }

        /// <summary>Releases a kvl_value_t, and returns its text.</summary>
        internal static string TextOf(IntPtr value)
        {
            try
            {
                long length;
                byte* data = NativeApi.kvl_value_data(value, &length);
                return Encoding.UTF8.GetString(Copy(data, length));
            }
            finally
            {
                NativeApi.kvl_value_release(value);
            }
        }
    }
}
