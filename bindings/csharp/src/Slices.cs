using System;
using System.Runtime.InteropServices;

namespace Kvlight
{
    /// <summary>An array of kvl_slice_t, followed in the same block of native memory by the bytes that its elements point at.</summary>
    internal sealed unsafe class Slices : IDisposable
    {
        /// <summary>The first element; null if there is none.</summary>
        internal readonly byte* Start;

        internal readonly long Count;

        internal Slices(byte[][] keys)
        {
            Count = keys.Length;
            if (Count == 0)
                return;
            long size = Count * NativeApi.Slice.SIZE;
            foreach (byte[] key in keys)
                size += key.Length;
            Start = (byte*)Marshal.AllocHGlobal((IntPtr)size);
            byte* bytes = Start + Count * NativeApi.Slice.SIZE;
            for (int i = 0; i < keys.Length; i++)
            {
                byte* slice = Start + i * NativeApi.Slice.SIZE;
                *(byte**)(slice + NativeApi.Slice.DATA) = bytes;
                *(long*)(slice + NativeApi.Slice.LEN) = keys[i].Length;
                Marshal.Copy(keys[i], 0, (IntPtr)bytes, keys[i].Length);
                bytes += keys[i].Length;
            }
        }

        public void Dispose() => Marshal.FreeHGlobal((IntPtr)Start);
    }
}
