using System;
using System.IO;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Kvlight
{
    /// <summary>A save to a file or a load from it. The library calls the program's function on the calling thread. If that function throws, the
    /// transfer stops, and Save or Load throws the same exception.</summary>
    internal sealed unsafe class Transfer
    {
        private Exception failure;

        /// <summary>A kvl_convert_fn: returns a kvl_value_t; zero skips the entry.</summary>
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        private delegate IntPtr Convert(IntPtr userData, byte* entry);

        /// <summary>A kvl_transfer_fn: returns 0 to continue.</summary>
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        private delegate int Reports(IntPtr userData, byte* progress);

        internal long Save<K, V>(Store<K, V> store, string path, Func<V, byte[]> encode) => Run(store, path, true, entry =>
        {
            byte[] bytes = encode(Outcome.ValueOf<V>(store.Engine.Objects, entry))
                ?? throw new InvalidOperationException("kvlight: the function that encodes values returned null");
            IntPtr made;
            fixed (byte* data = bytes)
                KvlightException.Check(NativeApi.kvl_value_new_bytes(data, bytes.Length, &made));
            return made;
        });

        internal long Load<K, V>(Store<K, V> store, string path, Func<byte[], V> decode) => Run(store, path, false, entry =>
        {
            // A file with keys of another type is refused here, and not when the keys are read.
            store.Keys.Key(Utf8.Copy(*(byte**)(entry + NativeApi.Result.KEY), *(long*)(entry + NativeApi.Result.KEY_LEN)));
            V value = decode(Utf8.Copy(*(byte**)(entry + NativeApi.Result.DATA), *(long*)(entry + NativeApi.Result.DATA_LEN)));
            if (value == null)
                throw new InvalidOperationException("kvlight: the function that decodes values returned null");
            return store.Engine.NewValue(value, store.CostOf(value, null));
        });

        private delegate IntPtr Conversion(byte* entry);

        private long Run<K, V>(Store<K, V> store, string path, bool isSave, Conversion conversion)
        {
            Convert convert = (userData, entry) =>
            {
                if (failure != null)
                    return IntPtr.Zero;
                if (!isSave)
                    store.Engine.AwaitPump();
                try
                {
                    return Engine.Lend(() => conversion(entry));
                }
                catch (Exception e)
                {
                    failure = e;
                    return IntPtr.Zero;
                }
            };
            Reports report = (userData, progress) => failure == null ? 0 : 1;
            byte* done = stackalloc byte[NativeApi.Transfer.SIZE];
            *(long*)(done + NativeApi.Transfer.ENTRIES) = 0;
            IntPtr why = IntPtr.Zero;
            int status;
            string sentence;
            store.Engine.Enter();
            try
            {
                fixed (byte* name = Utf8.Terminated(Path.GetFullPath(path)))
                {
                    IntPtr converts = Marshal.GetFunctionPointerForDelegate(convert), reports = Marshal.GetFunctionPointerForDelegate(report);
                    status = isSave
                        ? NativeApi.kvl_cache_save_encoded(store.Engine.Cache, name, converts, reports, IntPtr.Zero, done, NativeApi.Transfer.SIZE, &why)
                        : NativeApi.kvl_cache_load_decoded(store.Engine.Cache, name, converts, reports, IntPtr.Zero, done, NativeApi.Transfer.SIZE, &why);
                }
                sentence = why == IntPtr.Zero ? null : Utf8.Text(NativeApi.kvl_error_message(why));
                NativeApi.kvl_error_release(why);
            }
            finally
            {
                store.Leave();
                GC.KeepAlive(convert);
                GC.KeepAlive(report);
            }
            if (failure != null)
                ExceptionDispatchInfo.Capture(failure).Throw();
            if (status < 0)
                throw KvlightException.Of(status, sentence, null);
            return *(long*)(done + NativeApi.Transfer.ENTRIES);
        }
    }
}
