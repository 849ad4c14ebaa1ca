using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace Kvlight
{
    /// <summary>The configuration of a Tasks or a Cache: how its keys become bytes, the library's settings, each a property of the same name, and a
    /// few functions: <c>new Config&lt;string, User&gt;(Keys.Strings) { CacheCapacity = 10000 }</c>. It can create several; later changes do not
    /// affect those that exist. Not safe for use by several threads while it is changed.</summary> <typeparam name="K">The type of the
    /// keys.</typeparam> <typeparam name="V">The type of the values: any objects, which stay in .NET.</typeparam>
    public sealed class Config<K, V> : Settings
    {
        /// <summary>Creates a configuration in which every setting has its default.</summary>
        /// <param name="keys">The form of the keys.</param>
        public Config(Keys<K> keys)
        {
            Keys = keys ?? throw new ArgumentNullException(nameof(keys));
        }

        /// <summary>A function that is called with each value when neither the cache nor a fetch holds it any longer, one call at a time, on the
        /// thread pool. It is not called for a Tasks or a Cache that was collected without having been disposed of; nor for a value that is being
        /// passed to the second tier, or at which an enumerator stands, when all is freed.</summary>
        public Action<V> Dropped { get; set; }

        /// <summary>A function that is called once with the key and the value of each entry that has left the cache, and why; the value is null if
        /// the key was known to be absent. One call at a time, for each key in the order in which that happened, on the thread pool. It must be as
        /// fast as the writers on average: entries wait for it in this process's memory, without a limit, and RemovalsMaxPending holds nobody back
        /// for them. A fetch may still hold the value: Dropped says when nothing does. What a Cache has when it is disposed of has left it, what a
        /// Tasks has then has not. It is not called for a Tasks or a Cache that was collected without having been disposed of.</summary>
        public Action<K, V, RemovalCause> Removed { get; set; }

        /// <summary>Returns whether a key is valid. A key that is not is never stored and never given to the provider: lookups and fetches find
        /// nothing (the status of its result is Status.InvalidKey), and Put returns false. Runs for each key that is looked up, fetched or stored, on
        /// the calling thread, and must be fast. A key for which it throws is not valid, and the exception goes to FailureHandler. Without it every
        /// key is valid.</summary>
        public Func<K, bool> Validator { get; set; }

        /// <summary>Returns the cost of a value in bytes, if CacheCostLimit is set. Without it values cost 0, unless their terms say
        /// otherwise.</summary>
        public Func<V, long> Cost { get; set; }

        /// <summary>Receives the exceptions of functions that nobody waits for: Dropped, Removed, Validator, the consumer of FetchEachAsync,
        /// Progress, the second tier, Encode and Decode. Without it they are written to the standard error.</summary>
        public Action<Exception> FailureHandler { get; set; }

        /// <summary>Where providers and the second tier run. Without it they have threads of their own, so that callers that block every thread of
        /// the pool still get their answers.</summary>
        public TaskScheduler Scheduler { get; set; }

        /// <summary>A clock for tests of time, instead of the system's.</summary>
        public ManualClock Clock { get; set; }

        /// <summary>A store behind the cache, which several processes may share: keys are looked up there before the provider is called, and what is
        /// loaded and put is stored there. Only for a Tasks. Entries with tags stay in this process. It needs Encode and Decode.</summary>
        public ISecondTier SecondTier { get; set; }

        /// <summary>Instead of SecondTier: a Redis or Valkey server, as in <c>redis://user:password@host:6379/0?prefix=shop</c>, whose options are
        /// those of kvlight_redis.h. Each Tasks connects to it, and what other processes write is invalidated. It needs libkvlight_redis, which the
        /// environment variable KVL_REDIS_LIBRARY may name: without it, creating the Tasks throws a DllNotFoundException that says how to fix
        /// it.</summary>
        public string L2Url { get; set; }

        /// <summary>Returns the bytes of a value for the second tier; a value for which it throws stays in this process.</summary>
        public Func<V, byte[]> Encode { get; set; }

        /// <summary>Returns the value that has the bytes, for the second tier; an entry for which it throws, or returns null, counts as not
        /// found.</summary>
        public Func<byte[], V> Decode { get; set; }

        internal Keys<K> Keys { get; }

        /// <summary>Creates a cache whose provider answers many keys with a dictionary. A key that is missing there, or whose value is null, is
        /// remembered as absent, and keys that were not asked for are ignored.</summary> <param name="provider">Returns the values of keys; may
        /// block.</param> <returns>The cache with its provider; dispose of it.</returns>
        public Tasks<K, V> Load(Func<IReadOnlyList<K>, IReadOnlyDictionary<K, V>> provider)
        {
            if (provider == null)
                throw new ArgumentNullException(nameof(provider));
            return new Tasks<K, V>(this, request =>
            {
                request.Answer(provider(request.Keys));
                return Task.CompletedTask;
            }, false);
        }

        /// <summary>Creates a cache whose provider answers many keys with a dictionary, asynchronously.</summary>
        /// <param name="provider">Returns the values of keys. The token is cancelled when no caller wants the keys any longer.</param>
        /// <returns>The cache with its provider; dispose of it.</returns>
        public Tasks<K, V> LoadAsync(Func<IReadOnlyList<K>, CancellationToken, Task<IReadOnlyDictionary<K, V>>> provider)
        {
            if (provider == null)
                throw new ArgumentNullException(nameof(provider));
            return new Tasks<K, V>(this, async request =>
                request.Answer(await provider(request.Keys, request.CancellationToken).ConfigureAwait(false)), false);
        }

        /// <summary>Creates a cache whose provider answers one key; null means that there is no such record. Each request has one key, unless
        /// BatchMaxKeys says otherwise; then they are answered one after the other.</summary> <param name="provider">Returns the value of a key. The
        /// token is cancelled when no caller wants the key any longer.</param> <returns>The cache with its provider; dispose of it.</returns>
        public Tasks<K, V> LoadOneAsync(Func<K, CancellationToken, Task<V>> provider)
        {
            if (provider == null)
                throw new ArgumentNullException(nameof(provider));
            return new Tasks<K, V>(this, async request =>
            {
                foreach (K key in request.Keys)
                {
                    try
                    {
                        V value = await provider(key, request.CancellationToken).ConfigureAwait(false);
                        request.Resolve(key, value);
                    }
                    catch (Exception e)
                    {
                        request.Fail(key, e);
                    }
                }
                request.Finish();
            }, true);
        }

        /// <summary>Creates a cache whose provider answers key by key, now or later, from any thread. Request.Finish ends a request.</summary>
        /// <param name="provider">Answers a request, or keeps it. An exception fails the keys that have no answer.</param>
        /// <returns>The cache with its provider; dispose of it.</returns>
        public Tasks<K, V> Provide(Func<Request<K, V>, Task> provider) =>
            new Tasks<K, V>(this, provider ?? throw new ArgumentNullException(nameof(provider)), false);

        /// <summary>Creates a cache without a provider. Only settings that begin with "cache" apply.</summary>
        /// <returns>The cache; dispose of it.</returns>
        public Cache<K, V> Cache() => new Cache<K, V>(this);
    }

    /// <summary>The settings of one fetch, which override those of the Tasks: <c>new FetchOptions { TimeoutMs = 500 }</c>. One object may be used for
    /// any number of fetches, by any thread, as long as nobody changes it.</summary>
    public sealed unsafe class FetchOptions : FetchSettings
    {
        /// <summary>Receives the progress of a batch: how many keys are settled, how many of these failed, and how many there are. Runs on the thread
        /// pool, one call at a time; the task of the fetch completes after the last, unless its token is cancelled.</summary>
        public Action<long, long, long> Progress { get; set; }

        /// <summary>The minimum number of keys that settle between two reports of progress.</summary>
        public long ProgressStep { get; set; } = 1;

        /// <summary>Whether these options change nothing.</summary>
        internal static bool AreNone(FetchOptions options) => options == null || (options.IsEmpty && options.Progress == null);

        /// <summary>Creates a kvl_options_t, to be freed; zero if nothing is set.</summary>
        internal static IntPtr Create(FetchOptions options)
        {
            if (AreNone(options))
                return IntPtr.Zero;
            IntPtr handle;
            KvlightException.Check(NativeApi.kvl_options_new(&handle));
            try
            {
                options.WriteTo(handle, false);
                if (options.Progress != null)
                    KvlightException.Check(NativeApi.kvl_options_set_progress(handle, IntPtr.Zero, options.ProgressStep));
                return handle;
            }
            catch
            {
                NativeApi.kvl_options_free(handle);
                throw;
            }
        }
    }

    /// <summary>A clock that moves only when it is advanced, so that tests of time need not sleep. Safe for use by several threads.</summary>
    public sealed unsafe class ManualClock
    {
        private readonly ClockHandle handle;

        /// <summary>Creates a clock.</summary>
        /// <param name="nowMs">Its initial time in milliseconds, 0 or above.</param>
        public ManualClock(long nowMs = 0)
        {
            Library.Require();
            IntPtr created;
            KvlightException.Check(NativeApi.kvl_clock_new_manual(nowMs, &created));
            handle = new ClockHandle(created);
        }

        /// <summary>The time in milliseconds.</summary>
        public long NowMs => handle.Use(clock => NativeApi.kvl_clock_now_ms(clock), 0);

        /// <summary>Advances the clock. When it returns, everything that became due has been fired; the tasks of the results may complete a moment
        /// later.</summary> <param name="ms">Milliseconds, 0 or above.</param>
        public void Advance(long ms) => KvlightException.Check(handle.Use(clock => NativeApi.kvl_clock_advance(clock, ms), 0));

        internal void SetIn(IntPtr config) => KvlightException.Check(handle.Use(clock => NativeApi.kvl_config_set_clock(config, clock), 0));
    }
}
