using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace Kvlight
{
    /// <summary>The configuration of a Tasks or a Cache: the form of its keys, the library's settings as properties, and functions of the program.
    /// For example: <c>new Config&lt;string, User&gt;(Keys.Strings) { CacheCapacity = 10000 }</c>. One Config can create several Tasks and Caches;
    /// changing it does not affect those that exist. Not safe for use by several threads while it is changed.</summary>
    /// <typeparam name="K">The type of the keys.</typeparam>
    /// <typeparam name="V">The type of the values: any objects, which stay in .NET.</typeparam>
    public sealed class Config<K, V> : Settings
    {
        /// <summary>Creates a configuration in which every setting has its default.</summary>
        /// <param name="keys">The form of the keys.</param>
        public Config(Keys<K> keys)
        {
            Keys = keys ?? throw new ArgumentNullException(nameof(keys));
        }

        /// <summary>A function that is called with each value when neither the cache nor a fetch holds it any longer, one call at a time, on a thread
        /// of the package or of the thread pool. It is not called for a Tasks or a Cache that was collected without Dispose, nor for a value that the
        /// second tier or an enumerator is still using when everything is freed. A value that is stored several times, such as one that is put under
        /// two keys, or that the provider returns again, is reported once, when none of its entries is left. That is decided by identity, not by
        /// Equals. It must be as fast as the writers on average: the values that wait for it take up memory without a limit.</summary>
        public Action<V> Dropped { get; set; }

        /// <summary>A function that is called once for each entry that has left the cache, with its key, its value, and the cause; the value is null
        /// if the key was known to be absent. One call at a time, on a thread like that of Dropped; the entries of a key come in the order in which
        /// they left. It must be as fast as the writers on average: the entries that wait for it take up memory without a limit, whatever
        /// RemovalsMaxPending is. A fetch may still hold the value: Dropped is called when nothing does. Disposing of a Cache removes its entries and
        /// reports them; disposing of a Tasks does not report any. It is not called for a Tasks or a Cache that was collected without
        /// Dispose.</summary>
        public Action<K, V, RemovalCause> Removed { get; set; }

        /// <summary>Returns whether a key is valid. An invalid key is never stored and never given to the provider: lookups and fetches of it find
        /// nothing (its result has Status.InvalidKey), and Put returns false. Runs for each key that is looked up, fetched or stored, on the calling
        /// thread, and must be fast. If it throws, the key is invalid, and the exception goes to FailureHandler. Without a validator every key is
        /// valid.</summary>
        public Func<K, bool> Validator { get; set; }

        /// <summary>Returns the cost of a value in bytes, 0 or above; CacheCostLimit limits the total. If it throws, or returns a number below
        /// 0, the put or the provider's answer fails. Without this function values cost 0, unless their terms say otherwise.</summary>
        public Func<V, long> Cost { get; set; }

        /// <summary>Receives the exceptions of functions that nobody waits for: Dropped, Removed, Validator, the consumer of FetchEachAsync,
        /// Progress, the second tier, Encode and Decode. Without a handler they are written to standard error.</summary>
        public Action<Exception> FailureHandler { get; set; }

        /// <summary>Where providers and the second tier run. Without a scheduler they have threads of their own, so that callers that block every
        /// thread of the pool still get their answers.</summary>
        public TaskScheduler Scheduler { get; set; }

        /// <summary>A clock for tests of time, instead of the system's.</summary>
        public ManualClock Clock { get; set; }

        /// <summary>A store behind the cache, which several processes may share: keys are looked up there before the provider is called, and what is
        /// loaded and put is stored there. Only for a Tasks. Entries with tags stay in this process. It needs Encode and Decode.</summary>
        public ISecondTier SecondTier { get; set; }

        /// <summary>Instead of SecondTier: a Redis or Valkey server, as in <c>redis://user:password@host:6379/0?prefix=shop</c>, whose options are
        /// those of kvlight_redis.h. Each Tasks connects to the server, and invalidates what other processes write. This needs libkvlight_redis,
        /// whose path may be in the environment variable KVL_REDIS_LIBRARY. If the library is not found, creating the Tasks throws a
        /// DllNotFoundException that says how to fix that.</summary>
        public string L2Url { get; set; }

        /// <summary>Returns the bytes of a value for the second tier; a value for which it throws stays in this process.</summary>
        public Func<V, byte[]> Encode { get; set; }

        /// <summary>Returns the value that Encode turned into these bytes; if it throws or returns null, the second tier's entry counts as not
        /// found.</summary>
        public Func<byte[], V> Decode { get; set; }

        internal Keys<K> Keys { get; }

        /// <summary>Creates a cache whose provider answers many keys with a dictionary. A key that is missing there, or whose value is null, is
        /// remembered as absent, and keys that were not asked for are ignored.</summary>
        /// <param name="provider">Returns the values of keys; may block.</param>
        /// <returns>The cache with its provider; dispose of it.</returns>
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
            {
                Task<IReadOnlyDictionary<K, V>> running = provider(request.Keys, request.CancellationToken)
                    ?? throw new InvalidOperationException("kvlight: the provider returned null, and not a task");
                request.Answer(await running.ConfigureAwait(false));
            }, false);
        }

        /// <summary>Creates a cache whose provider answers one key; null means that there is no such record. Each request has one key, unless
        /// BatchMaxKeys says otherwise; then its keys are loaded one after the other.</summary>
        /// <param name="provider">Returns the value of a key. The token is cancelled when no caller wants the key any longer.</param>
        /// <returns>The cache with its provider; dispose of it.</returns>
        public Tasks<K, V> LoadOneAsync(Func<K, CancellationToken, Task<V>> provider)
        {
            if (provider == null)
                throw new ArgumentNullException(nameof(provider));
            return new Tasks<K, V>(this, async request =>
            {
                for (int i = 0; i < request.Keys.Count; i++)
                {
                    V value;
                    try
                    {
                        Task<V> running = provider(request.Keys[i], request.CancellationToken)
                            ?? throw new InvalidOperationException("kvlight: the provider returned null, and not a task");
                        value = await running.ConfigureAwait(false);
                    }
                    catch (Exception e)
                    {
                        request.FailAt(i, e);
                        continue;
                    }
                    request.ResolveAt(i, value);
                }
                request.Finish();
            }, true);
        }

        /// <summary>Creates a cache whose provider answers key by key, now or later, from any thread. Request.Finish ends a request.</summary>
        /// <param name="provider">Answers a request, or keeps it. An exception fails the keys that have no answer.</param>
        /// <returns>The cache with its provider; dispose of it.</returns>
        public Tasks<K, V> Provide(Func<Request<K, V>, Task> provider) =>
            new Tasks<K, V>(this, provider ?? throw new ArgumentNullException(nameof(provider)), false);

        /// <summary>Creates a cache without a provider. Only settings that begin with "cache" apply; SecondTier and L2Url are refused.</summary>
        /// <returns>The cache; dispose of it.</returns>
        public Cache<K, V> Cache() => new Cache<K, V>(this);
    }

    /// <summary>The settings of one fetch, which override those of the Tasks: <c>new FetchOptions { TimeoutMs = 500 }</c>. One object may be used for
    /// any number of fetches, by any thread, as long as nobody changes it.</summary>
    public sealed unsafe class FetchOptions : FetchSettings
    {
        private long progressStep = 1;

        /// <summary>Receives the progress of a fetch: how many keys are settled, how many of these failed, and how many keys there are. Runs on a
        /// thread of the package or of the thread pool, one call at a time; the task of the fetch completes after the last call, unless its token is
        /// cancelled.</summary>
        public Action<long, long, long> Progress { get; set; }

        /// <summary>Progress is reported each time at least this many more keys are settled, and when all are; 1 or more.</summary>
        public long ProgressStep
        {
            get => progressStep;
            set
            {
                KvlightException.CheckArgument(value >= 1, $"a step of progress is 1 or more, not {value}");
                progressStep = value;
            }
        }

        /// <summary>Whether these options change nothing.</summary>
        internal static bool AreNone(FetchOptions options) => options == null || (options.IsEmpty && options.Progress == null);

        /// <summary>Creates a kvl_options_t, which the caller frees; zero if nothing is set.</summary>
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
            KvlightException.CheckArgument(nowMs >= 0, $"a clock begins at 0 ms or later, not at {nowMs}");
            Library.Require();
            IntPtr created;
            KvlightException.Check(NativeApi.kvl_clock_new_manual(nowMs, &created));
            handle = new ClockHandle(created);
        }

        /// <summary>The time in milliseconds.</summary>
        public long NowMs => handle.Use(clock => NativeApi.kvl_clock_now_ms(clock), 0);

        /// <summary>Advances the clock. When this returns, everything that became due has happened in the library; the tasks of the affected fetches
        /// may complete a moment later.</summary>
        /// <param name="ms">Milliseconds, 0 or above.</param>
        public void Advance(long ms)
        {
            KvlightException.CheckArgument(ms >= 0, $"a clock is advanced by 0 ms or more, not by {ms}");
            KvlightException.Check(handle.Use(clock => NativeApi.kvl_clock_advance(clock, ms), 0));
        }

        internal void SetIn(IntPtr config) => KvlightException.Check(handle.Use(clock => NativeApi.kvl_config_set_clock(config, clock), 0));
    }
}
