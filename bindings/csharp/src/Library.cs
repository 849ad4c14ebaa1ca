using System;
using System.Collections.Generic;
using System.IO;
using System.Reflection;
using System.Runtime.InteropServices;

namespace Kvlight
{
    /// <summary>Loads the library, once for each application domain, and binds its functions.</summary>
    internal static unsafe class Library
    {
        private static readonly object Lock = new object();
        private static string loadedFrom;
        private static string failure;

        /// <summary>Loads the library, the first time, and returns its path. If it could not be loaded, each call throws the reason.</summary>
        internal static string Require()
        {
            lock (Lock)
            {
                if (loadedFrom == null && failure == null)
                {
                    try
                    {
                        loadedFrom = Load();
                    }
                    catch (DllNotFoundException e)
                    {
                        failure = e.Message;
                    }
                }
                return loadedFrom ?? throw new DllNotFoundException(failure);
            }
        }

        private static bool IsWindows => Environment.OSVersion.Platform == PlatformID.Win32NT;

        private static bool IsMac => RuntimeInformation.IsOSPlatform(OSPlatform.OSX);

        private static string Load()
        {
            if (IntPtr.Size != 8)
                throw new DllNotFoundException("kvlight: this package needs a 64-bit process");
            var tried = new List<string>();
            foreach (string path in Candidates())
            {
                IntPtr library = Open(path, out string why);
                if (library == IntPtr.Zero)
                {
                    tried.Add($"{path} ({why})");
                    continue;
                }
                Bind(library, path);
                return path;
            }
            throw new DllNotFoundException($"kvlight: no library found; tried {string.Join(", ", tried)}; set KVL_LIBRARY to its path");
        }

        /// <summary>Where to look for the library: the file that KVL_LIBRARY names; otherwise beside the assembly, in the folders of a NuGet package,
        /// on the system's library path, and in the checkout that contains the assembly.</summary>
        private static IEnumerable<string> Candidates()
        {
            string named = Environment.GetEnvironmentVariable("KVL_LIBRARY");
            if (!string.IsNullOrEmpty(named))
            {
                yield return named;
                yield break;
            }
            string file = IsWindows ? "kvlight.dll" : IsMac ? "libkvlight.dylib" : "libkvlight.so";
            string platform = (IsWindows ? "win-" : IsMac ? "osx-" : "linux-") + RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
            // An assembly that was loaded from bytes has no location.
            string assembly = typeof(Library).Assembly.Location;
            string here = string.IsNullOrEmpty(assembly) ? AppDomain.CurrentDomain.BaseDirectory : Path.GetDirectoryName(assembly);
            string[] inside =
            {
                Path.Combine(here, file),
                Path.Combine(here, "runtimes", platform, "native", file),
                // In NuGet's package folder this assembly is lib/netstandard2.0/Kvlight.dll.
                Path.Combine(here, "..", "..", "runtimes", platform, "native", file),
            };
            foreach (string path in inside)
            {
                if (File.Exists(path))
                    yield return path;
            }
            string version = NativeApi.VERSION.Substring(0, NativeApi.VERSION.LastIndexOf('.'));
            yield return IsWindows ? "kvlight.dll" : IsMac ? $"libkvlight.{version}.dylib" : $"libkvlight.so.{version}";
            for (string at = here; at != null; at = Path.GetDirectoryName(at))
            {
                if (at.EndsWith(Path.Combine("bindings", "csharp"), StringComparison.Ordinal))
                    yield return Path.Combine(at, "..", "..", "target", "release", file);
            }
        }

        private static void Bind(IntPtr library, string path)
        {
            // The version is checked before the other functions are bound, since another version may lack some of them.
            IntPtr number = Symbol(library, "kvl_version_number");
            if (number == IntPtr.Zero)
                throw new DllNotFoundException($"kvlight: {path} is not kvlight: it has no kvl_version_number");
            var theirs = Marshal.GetDelegateForFunctionPointer<NativeApi.kvl_version_number_fn>(number)();
            if (theirs / 1000 != NativeApi.VERSION_NUMBER / 1000)
            {
                string version = $"{theirs / 1000000}.{theirs / 1000 % 1000}.{theirs % 1000}";
                throw new DllNotFoundException($"kvlight: this package is for {NativeApi.VERSION}, and the library {path} is {version}");
            }
            string missing = BindFields(typeof(NativeApi), library);
            if (missing != null)
                throw new DllNotFoundException($"kvlight: the library {path} has no {missing}");
        }

        /// <summary>Loads another library, and sets the static delegates of a class to the functions with the same names. Returns whether that was
        /// possible; if not, `why` is the reason.</summary>
        internal static bool BindAll(Type functions, string path, out string why)
        {
            IntPtr library = Open(path, out why);
            if (library == IntPtr.Zero)
                return false;
            string missing = BindFields(functions, library);
            why = missing == null ? "" : "it has no " + missing;
            return missing == null;
        }

        /// <summary>Returns the name of a function that the library lacks; null if it has all.</summary>
        private static string BindFields(Type functions, IntPtr library)
        {
            foreach (FieldInfo field in functions.GetFields(BindingFlags.Static | BindingFlags.NonPublic))
            {
                if (!typeof(Delegate).IsAssignableFrom(field.FieldType))
                    continue;
                IntPtr address = Symbol(library, field.Name);
                if (address == IntPtr.Zero)
                    return field.Name;
                field.SetValue(null, Marshal.GetDelegateForFunctionPointer(address, field.FieldType));
            }
            return null;
        }

        // No library is ever closed: its threads may be running.

        private static IntPtr Open(string path, out string why)
        {
            why = "";
            if (IsWindows)
            {
                IntPtr loaded = LoadLibrary(path);
                if (loaded == IntPtr.Zero)
                    why = "error " + Marshal.GetLastWin32Error();
                return loaded;
            }
            // RTLD_NOW and RTLD_LOCAL. The latter is 0 on Linux, and 4 on macOS, where 0 would mean RTLD_GLOBAL.
            int nowAndLocal = IsMac ? 2 | 4 : 2;
            dlerror(); // The runtime looks a function up when it is first called. If that were after dlopen, it would discard dlopen's error.
            IntPtr opened = dlopen(path, nowAndLocal);
            if (opened == IntPtr.Zero)
            {
                byte* error = dlerror();
                why = error == null ? "it cannot be loaded" : Utf8.Text(error);
            }
            return opened;
        }

        private static IntPtr Symbol(IntPtr library, string name) => IsWindows ? GetProcAddress(library, name) : dlsym(library, name);

        // libdl.so.2 exists on every Linux with glibc; on macOS these functions are in libSystem.

        [DllImport("libdl.so.2", EntryPoint = "dlopen")]
        private static extern IntPtr dlopen_linux([MarshalAs(UnmanagedType.LPStr)] string path, int flags);

        [DllImport("libdl.so.2", EntryPoint = "dlsym")]
        private static extern IntPtr dlsym_linux(IntPtr library, [MarshalAs(UnmanagedType.LPStr)] string name);

        [DllImport("libdl.so.2", EntryPoint = "dlerror")]
        private static extern byte* dlerror_linux();

        [DllImport("libSystem.dylib", EntryPoint = "dlopen")]
        private static extern IntPtr dlopen_mac([MarshalAs(UnmanagedType.LPStr)] string path, int flags);

        [DllImport("libSystem.dylib", EntryPoint = "dlsym")]
        private static extern IntPtr dlsym_mac(IntPtr library, [MarshalAs(UnmanagedType.LPStr)] string name);

        [DllImport("libSystem.dylib", EntryPoint = "dlerror")]
        private static extern byte* dlerror_mac();

        private static IntPtr dlopen(string path, int flags) => IsMac ? dlopen_mac(path, flags) : dlopen_linux(path, flags);

        private static IntPtr dlsym(IntPtr library, string name) => IsMac ? dlsym_mac(library, name) : dlsym_linux(library, name);

        private static byte* dlerror() => IsMac ? dlerror_mac() : dlerror_linux();

        [DllImport("kernel32", SetLastError = true, CharSet = CharSet.Unicode)]
        private static extern IntPtr LoadLibrary(string path);

        [DllImport("kernel32", CharSet = CharSet.Ansi, ExactSpelling = true)]
        private static extern IntPtr GetProcAddress(IntPtr library, string name);
    }
}
