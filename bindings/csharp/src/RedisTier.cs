using System;
using System.Collections.Generic;
using System.IO;
using System.Runtime.InteropServices;

namespace Kvlight
{
    /// <summary>The second tier of Config.L2Url: a connection to a Redis or Valkey server. libkvlight_redis serves the requests.</summary>
    /// <remarks>libkvlight_redis is linked with libkvlight. The loader gives it the copy that Library has loaded, since that has the name it asks
    /// for.</remarks>
    internal sealed unsafe class RedisTier
    {
        /// <summary>The functions of kvlight_redis.h.</summary>
        private static class Api
        {
#pragma warning disable 649 // Set by Library.BindAll.
            internal delegate int kvl_redis_open_fn(void* url, void* library, IntPtr* outRedis, IntPtr* outError);
            internal static kvl_redis_open_fn kvl_redis_open;
            internal delegate int kvl_redis_serve_fn(IntPtr redis, IntPtr request, Found** outFound, UIntPtr* outLen);
            internal static kvl_redis_serve_fn kvl_redis_serve;
            internal delegate void kvl_redis_found_free_fn(Found* found, UIntPtr len);
            internal static kvl_redis_found_free_fn kvl_redis_found_free;
            internal delegate int kvl_redis_attach_fn(IntPtr redis, IntPtr tasks);
            internal static kvl_redis_attach_fn kvl_redis_attach;
            internal delegate int kvl_redis_state_fn(IntPtr redis, IntPtr* outText);
            internal static kvl_redis_state_fn kvl_redis_state;
            internal delegate void kvl_redis_stop_fn(IntPtr redis);
            internal static kvl_redis_stop_fn kvl_redis_stop;
            internal delegate void kvl_redis_free_fn(IntPtr redis);
            internal static kvl_redis_free_fn kvl_redis_free;
#pragma warning restore 649
        }

        /// <summary>A kvl_redis_found_t.</summary>
        [StructLayout(LayoutKind.Sequential)]
        private struct Found
        {
            internal UIntPtr Index;
            internal byte* Data;
            internal UIntPtr Length;
            internal long TtlLeftMs;
            internal byte* Token;
            internal UIntPtr TokenLength;
        }

        private static readonly object Lock = new object();
        private static bool isBound;

        /// <summary>The KVL_L2_F flags that state to the library what this second tier can do.</summary>
        internal const int Abilities = NativeApi.L2_F_OBJECTS | NativeApi.L2_F_CONDITIONAL | NativeApi.L2_F_LEASES;

        private readonly IntPtr handle;

        /// <summary>Starts to connect, in the background.</summary>
        internal RedisTier(string url)
        {
            if (url.IndexOf('\0') >= 0)
                throw new ArgumentException("kvlight: L2Url contains the character NUL, which would end it"); // The URL may contain a password.
            Bind();
            IntPtr made = IntPtr.Zero, why = IntPtr.Zero;
            int status;
            fixed (byte* text = Utf8.Terminated(url))
                status = Api.kvl_redis_open(text, null, &made, &why);
            if (status < 0)
            {
                GC.SuppressFinalize(this);
                string sentence = why == IntPtr.Zero ? null : Utf8.Text(NativeApi.kvl_error_message(why));
                NativeApi.kvl_error_release(why);
                throw KvlightException.Of(status, sentence, null);
            }
            handle = made;
        }

        /// <summary>None of the methods is running now: each keeps this object alive until its end.</summary>
        ~RedisTier()
        {
            if (handle != IntPtr.Zero)
                Api.kvl_redis_free(handle);
        }

        private static void Bind()
        {
            lock (Lock)
            {
                if (isBound)
                    return;
                Library.Require();
                var tried = new List<string>();
                foreach (string path in Candidates())
                {
                    if (Library.BindAll(typeof(Api), path, out string why))
                    {
                        isBound = true;
                        return;
                    }
                    tried.Add($"{path} ({why})");
                }
                throw new DllNotFoundException($"kvlight: L2Url needs libkvlight_redis, which cannot be loaded: tried {string.Join(", ", tried)}. Build it "
                    + "by `make redis` in kvlight's sources, then install it by `make install`, or set KVL_REDIS_LIBRARY to its path.");
            }
        }

        /// <summary>Where the library may be: at the path in KVL_REDIS_LIBRARY; without it, beside the assembly, on the system's library path, and in
        /// the checkout that contains the assembly.</summary>
        private static IEnumerable<string> Candidates()
        {
            string named = Environment.GetEnvironmentVariable("KVL_REDIS_LIBRARY");
            if (!string.IsNullOrEmpty(named))
            {
                yield return named;
                yield break;
            }
            bool isMac = RuntimeInformation.IsOSPlatform(OSPlatform.OSX);
            string file = isMac ? "libkvlight_redis.dylib" : "libkvlight_redis.so";
            string assembly = typeof(Library).Assembly.Location;
            string here = string.IsNullOrEmpty(assembly) ? AppDomain.CurrentDomain.BaseDirectory : Path.GetDirectoryName(assembly);
            if (File.Exists(Path.Combine(here, file)))
                yield return Path.Combine(here, file);
            yield return isMac ? file : file + "." + NativeApi.VERSION.Substring(0, NativeApi.VERSION.LastIndexOf('.'));
            for (string at = here; at != null; at = Path.GetDirectoryName(at))
            {
                if (at.EndsWith(Path.Combine("bindings", "csharp"), StringComparison.Ordinal))
                    yield return Path.Combine(at, "..", "..", "target", "redis", "release", file);
            }
        }

        /// <summary>Invalidates in the engine what other processes write, until Stop is called.</summary>
        internal void Attach(IntPtr tasks)
        {
            KvlightException.Check(Api.kvl_redis_attach(handle, tasks));
            GC.KeepAlive(this);
        }

        /// <summary>Ends the connection, and waits for its thread. After that the connection uses no engine.</summary>
        internal void Stop()
        {
            Api.kvl_redis_stop(handle);
            GC.KeepAlive(this);
        }

        /// <summary>Lets the server serve a request, and waits until it has. Calls `onFound` with the index and the entry of each object that was found.
        /// Returns whether the request was served.</summary>
        internal bool Serve(IntPtr request, Action<int, TierFound> onFound)
        {
            Found* found = null;
            UIntPtr count = UIntPtr.Zero;
            if (Api.kvl_redis_serve(handle, request, &found, &count) < 0)
                return false;
            try
            {
                for (int i = 0; i < (int)count; i++)
                {
                    byte[] token = Utf8.Copy(found[i].Token, (long)found[i].TokenLength);
                    onFound((int)found[i].Index, TierFound.Hit(Utf8.Copy(found[i].Data, (long)found[i].Length), found[i].TtlLeftMs, token));
                }
            }
            finally
            {
                Api.kvl_redis_found_free(found, count);
                GC.KeepAlive(this);
            }
            return true;
        }

        /// <summary>The state of the connection: the members of kvl_redis_state, as JSON.</summary>
        internal string State()
        {
            IntPtr text;
            KvlightException.Check(Api.kvl_redis_state(handle, &text));
            GC.KeepAlive(this);
            return Utf8.TextOf(text);
        }
    }
}
