using System;
using System.Collections;
using System.Collections.Generic;
using System.IO;
using System.Linq;

namespace Kvlight
{
    /// <summary>What Cache and Tasks have in common: the entries. A value of null means that the key is known to be absent. All methods may be called
    /// on any thread, and none waits for a provider; after Dispose they throw a KvlightException with Status.ErrClosed.</summary>
    /// <typeparam name="K">The type of the keys.</typeparam>
    /// <typeparam name="V">The type of the values.</typeparam>
    public abstract unsafe class Store<K, V> : IOwner, IEnumerable<KeyValuePair<K, V>>, IDisposable
    {
        private readonly Action<V> dropped;
        private readonly Action<K, V, RemovalCause> removed;
        private readonly Func<K, bool> validator;
        private readonly Func<V, long> cost;

        internal Store(Config<K, V> config, Engine engine)
        {
            Engine = engine;
            Keys = config.Keys;
            dropped = config.Dropped;
            removed = config.Removed;
            validator = config.Validator;
            cost = config.Cost;
        }

        /// <summary>Closes a Tasks or a Cache that was dropped without Dispose. Does not wait.</summary>
        ~Store()
        {
            try
            {
                Engine?.Close(0);
            }
            catch (KvlightException)
            {
                // There is nobody to whom this could be reported.
            }
        }

        /// <summary>The number of entries, including those of keys known to be absent.</summary>
        public long Count => OnCache(cache => NativeApi.kvl_cache_len(cache));

        /// <summary>The total cost of the entries, in bytes; long.MaxValue if it is higher.</summary>
        public long TotalCost => Saturated(OnCache(cache => NativeApi.kvl_cache_cost(cache)));

        /// <summary>The library's numbers are unsigned: one that is too large becomes the largest long.</summary>
        private static long Saturated(long number) => number < 0 ? long.MaxValue : number;

        /// <summary>Whether the Tasks or the Cache was closed.</summary>
        public bool IsClosed => !Engine.IsOpen;

        internal Engine Engine { get; }

        internal Keys<K> Keys { get; }

        /// <summary>Returns the value in the cache, without calling the provider.</summary>
        /// <param name="key">The key.</param>
        /// <param name="value">The value; the default of its type if there is none.</param>
        /// <returns>Whether there is a value; false too if the key is known to be absent.</returns>
        public bool TryGet(K key, out V value)
        {
            int status = Find(Keys.Bytes(key), false, out object found);
            value = status == NativeApi.VALUE ? (V)found : default(V);
            return status == NativeApi.VALUE;
        }

        /// <summary>Returns the value in the cache, or the default of its type.</summary>
        /// <param name="key">The key.</param>
        /// <returns>The value.</returns>
        public V Get(K key)
        {
            TryGet(key, out V value);
            return value;
        }

        /// <summary>Returns the values of those keys that have one in the cache.</summary>
        /// <param name="keys">The keys.</param>
        /// <returns>A dictionary.</returns>
        public IReadOnlyDictionary<K, V> GetAll(IEnumerable<K> keys)
        {
            var found = new Dictionary<K, V>();
            foreach (K key in CopyOf(keys))
            {
                if (TryGet(key, out V value))
                    found[key] = value;
            }
            return found;
        }

        /// <summary>Returns whether a key has an entry, even one that says that it is absent. This counts neither as a use nor as a lookup.</summary>
        /// <param name="key">The key.</param>
        /// <returns>Whether the key has an entry.</returns>
        public bool Contains(K key)
        {
            int status = OnKey(key, (cache, at, length) => NativeApi.kvl_cache_contains(cache, (byte*)at, length));
            return status == NativeApi.VALUE || status == NativeApi.NULL;
        }

        /// <summary>Stores a value, and replaces an existing entry.</summary>
        /// <param name="key">The key.</param>
        /// <param name="value">The value; null: the key is known to be absent.</param>
        /// <param name="terms">How long it is kept, under which condition it is stored, and so on; null: no terms.</param>
        /// <returns>Whether it was stored. If not, the condition did not hold, the key is invalid, or the cache has no room for it.</returns>
        public bool Put(K key, V value, Terms terms = null)
        {
            long stated = CostOf(value, terms);
            Engine.AwaitPump();
            return OnKey(key, (cache, at, length) =>
            {
                IntPtr made = Engine.NewValue(value, stated);
                try
                {
                    return Terms.With(terms, true, packed => NativeApi.kvl_cache_put(cache, (byte*)at, length, made, packed));
                }
                finally
                {
                    NativeApi.kvl_value_release(made);
                }
            }) == NativeApi.OK;
        }

        /// <summary>Replaces a value if it is still the expected one.</summary>
        /// <param name="key">The key.</param>
        /// <param name="expected">Compared with the stored value by Equals; null: the key is known to be absent.</param>
        /// <param name="value">The new value.</param>
        /// <returns>Whether it was replaced.</returns>
        public bool Replace(K key, V expected, V value)
        {
            long stated = CostOf(value, null);
            Engine.AwaitPump();
            return OnKey(key, (cache, at, length) =>
            {
                IntPtr old = IntPtr.Zero;
                int status = NativeApi.kvl_cache_peek(cache, (byte*)at, length, &old, null, null);
                if (status != NativeApi.VALUE && status != NativeApi.NULL)
                    return status < 0 ? status : NativeApi.MISS;
                if (old == IntPtr.Zero)
                    old = NativeApi.kvl_value_null();
                try
                {
                    object stored = status == NativeApi.NULL ? null : Engine.Objects.Find(NativeApi.kvl_value_object(old).ToInt64());
                    if (!Engine.Lend(() => Equals(stored, expected)))
                        return NativeApi.CONFLICT;
                    IntPtr made = Engine.NewValue(value, stated);
                    try
                    {
                        return NativeApi.kvl_cache_compare_put(cache, (byte*)at, length, old, made, null);
                    }
                    finally
                    {
                        NativeApi.kvl_value_release(made);
                    }
                }
                finally
                {
                    NativeApi.kvl_value_release(old);
                }
            }) == NativeApi.OK;
        }

        /// <summary>Gives an entry a new TTL.</summary>
        /// <param name="key">The key.</param>
        /// <param name="ttlMs">Milliseconds from now; Terms.Never; null: as the settings say.</param>
        /// <returns>Whether there was an entry.</returns>
        public bool Touch(K key, long? ttlMs = null)
        {
            if (ttlMs == 0 || ttlMs < NativeApi.TTL_NEVER)
                throw KvlightException.Of(NativeApi.ERR_BAD_VALUE, $"kvlight: a new TTL is 1 ms or more, or Terms.Never, not {ttlMs}", null);
            return OnKey(key, (cache, at, length) => NativeApi.kvl_cache_touch(cache, (byte*)at, length, ttlMs ?? NativeApi.TTL_DEFAULT)) == NativeApi.OK;
        }

        /// <summary>Removes an entry.</summary>
        /// <param name="key">The key.</param>
        /// <returns>Whether there was one.</returns>
        public bool Remove(K key) => OnKey(key, (cache, at, length) => NativeApi.kvl_cache_remove(cache, (byte*)at, length)) == NativeApi.OK;

        /// <summary>Removes an entry and returns its value.</summary>
        /// <param name="key">The key.</param>
        /// <param name="value">The value; the default of its type if there was none.</param>
        /// <returns>Whether there was a value.</returns>
        public bool TryTake(K key, out V value)
        {
            object found = null;
            int status = OnKey(key, (cache, at, length) =>
            {
                IntPtr taken;
                int outcome = NativeApi.kvl_cache_take(cache, (byte*)at, length, &taken);
                if (outcome == NativeApi.VALUE)
                    found = Engine.Taken(taken);
                return outcome;
            });
            value = status == NativeApi.VALUE ? (V)found : default(V);
            return status == NativeApi.VALUE;
        }

        /// <summary>Expires an entry now: the next fetch of the key loads it. Until then the entry is kept as a fallback, if StaleTtlMs is
        /// set. From a second tier the entry is removed.</summary>
        /// <param name="key">The key.</param>
        /// <returns>Whether there was an entry.</returns>
        public bool Expire(K key) => OnKey(key, (cache, at, length) => NativeApi.kvl_cache_expire(cache, (byte*)at, length)) == NativeApi.OK;

        /// <summary>Removes all entries with a tag. Running loads do not store answers with this tag.</summary>
        /// <param name="tag">The tag.</param>
        /// <returns>The number of entries.</returns>
        public long RemoveTag(string tag) => OnTag(tag, (cache, at, length, count) => NativeApi.kvl_cache_remove_tag(cache, (byte*)at, length, (void*)count));

        /// <summary>Expires all entries with a tag, as Expire does for a key.</summary>
        /// <param name="tag">The tag.</param>
        /// <returns>The number of entries.</returns>
        public long ExpireTag(string tag) => OnTag(tag, (cache, at, length, count) => NativeApi.kvl_cache_expire_tag(cache, (byte*)at, length, (void*)count));

        /// <summary>Expires all entries, as Expire does for a key. Running loads do not store their answers. A second tier is cleared, for all
        /// processes.</summary>
        public void ExpireAll() => OnCache(cache => KvlightException.Check(NativeApi.kvl_cache_expire_all(cache)));

        /// <summary>Removes all entries. Running loads do not store their answers.</summary>
        public void Clear() => OnCache(cache => KvlightException.Check(NativeApi.kvl_cache_clear(cache)));

        /// <summary>Evicts entries until a share of them is left.</summary>
        /// <param name="ratio">The share to keep, 0 to 1.</param>
        public void Trim(double ratio)
        {
            KvlightException.CheckArgument(ratio >= 0 && ratio <= 1, $"the share of entries to keep is 0 to 1, not {ratio}");
            OnCache(cache => KvlightException.Check(NativeApi.kvl_cache_trim(cache, ratio)));
        }

        /// <summary>Evicts entries until this many are left.</summary>
        /// <param name="entries">The number to keep.</param>
        public void TrimTo(long entries)
        {
            KvlightException.CheckArgument(entries >= 0, $"the number of entries to keep is 0 or above, not {entries}");
            OnCache(cache => KvlightException.Check(NativeApi.kvl_cache_trim_to(cache, entries)));
        }

        /// <summary>Changes the limits, and evicts what is beyond them.</summary>
        /// <param name="capacity">The maximum number of entries.</param>
        /// <param name="costLimit">The highest total cost in bytes; -1: without a limit.</param>
        public void Resize(long capacity, long costLimit = -1)
        {
            KvlightException.CheckArgument(capacity >= 0, $"a capacity is 0 or above, not {capacity}");
            KvlightException.CheckArgument(costLimit >= -1, $"a limit of the cost is 0 or above, or -1, not {costLimit}");
            OnCache(cache => KvlightException.Check(NativeApi.kvl_cache_resize(cache, capacity, costLimit)));
        }

        /// <summary>Writes the entries to a file, with their remaining TTLs. An existing file is replaced once the new one is complete.</summary>
        /// <param name="path">The file.</param>
        /// <param name="encode">Returns the bytes of a value; if it throws or returns null, the save fails with that exception.</param>
        /// <returns>The number of entries written.</returns>
        public long Save(string path, Func<V, byte[]> encode) => new Transfer().Save(this, path, encode ?? throw new ArgumentNullException(nameof(encode)));

        /// <summary>Stores the entries of a saved file, except those whose key has an entry already. Entries that come before a damaged part of the
        /// file are stored.</summary>
        /// <param name="path">The file.</param>
        /// <param name="decode">Returns the value that has the bytes; if it throws or returns null, or if the bytes of its key are no key of this
        /// cache's type, the load fails with that exception. Keys that are known to be absent are not checked.</param>
        /// <returns>The number of entries stored.</returns>
        public long Load(string path, Func<byte[], V> decode) => new Transfer().Load(this, path, decode ?? throw new ArgumentNullException(nameof(decode)));

        /// <summary>Enumerates the entries. A key that is in the cache throughout is visited exactly once, whatever this thread or others change
        /// meanwhile. Nothing is loaded, and nothing counts as used.</summary>
        /// <returns>An enumerator, for one thread.</returns>
        public IEnumerator<KeyValuePair<K, V>> GetEnumerator()
        {
            IntPtr made = IntPtr.Zero;
            OnCache(cache =>
            {
                IntPtr created;
                int status = KvlightException.Check(NativeApi.kvl_iterator_new(cache, &created));
                made = created;
                return status;
            });
            return Entries(new IteratorHandle(made));
        }

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

        private IEnumerator<KeyValuePair<K, V>> Entries(IteratorHandle iterator)
        {
            using (iterator)
            {
                while (Next(iterator, out KeyValuePair<K, V> entry))
                    yield return entry;
            }
        }

        private bool Next(IteratorHandle iterator, out KeyValuePair<K, V> entry)
        {
            byte* result = stackalloc byte[NativeApi.Result.SIZE];
            byte[] key;
            V value;
            Engine.Enter();
            try
            {
                IntPtr place = (IntPtr)result;
                int status = KvlightException.Check(iterator.Use(handle => NativeApi.kvl_iterator_next(handle, (void*)place, NativeApi.Result.SIZE), NativeApi.EMPTY));
                if (status == NativeApi.EMPTY)
                {
                    entry = default(KeyValuePair<K, V>);
                    return false;
                }
                key = Utf8.Copy(*(byte**)(result + NativeApi.Result.KEY), *(long*)(result + NativeApi.Result.KEY_LEN));
                value = status == NativeApi.VALUE ? Outcome.ValueOf<V>(Engine.Objects, result) : default(V);
            }
            finally
            {
                Leave();
            }
            entry = new KeyValuePair<K, V>(Keys.Key(key), value);
            return true;
        }

        /// <summary>Returns the counters since the last reset, and the current gauges.</summary>
        /// <returns>The statistics.</returns>
        public Stats Stats()
        {
            var numbers = new long[Kvlight.Stats.Size / 8];
            OnCache(cache =>
            {
                fixed (long* place = numbers)
                {
                    return KvlightException.Check(Engine.Tasks == IntPtr.Zero
                        ? NativeApi.kvl_cache_stats(cache, place, Kvlight.Stats.Size)
                        : NativeApi.kvl_tasks_stats(Engine.Tasks, place, Kvlight.Stats.Size));
                }
            });
            return new Stats(Array.ConvertAll(numbers, Saturated));
        }

        /// <summary>Returns the statistics as JSON, with histograms.</summary>
        /// <returns>An object.</returns>
        public string StatsJson() => Text((cache, tasks, value) => tasks == IntPtr.Zero
            ? NativeApi.kvl_cache_stats_json(cache, (void*)value) : NativeApi.kvl_tasks_stats_json(tasks, (void*)value));

        /// <summary>Returns the statistics for a scraper.</summary>
        /// <returns>OpenMetrics text.</returns>
        public string StatsOpenMetrics() => Text((cache, tasks, value) => tasks == IntPtr.Zero
            ? NativeApi.kvl_cache_stats_openmetrics(cache, (void*)value) : NativeApi.kvl_tasks_stats_openmetrics(tasks, (void*)value));

        /// <summary>Resets the counters, and begins a new window of statistics.</summary>
        public void ResetStats() => OnCache(cache => KvlightException.Check(Engine.Tasks == IntPtr.Zero
            ? NativeApi.kvl_cache_stats_reset(cache) : NativeApi.kvl_tasks_stats_reset(Engine.Tasks)));

        /// <summary>Closes the Tasks or the Cache, and waits until everything is freed. By then Dropped and Removed have been called for every value,
        /// except where their descriptions say otherwise. Fetches in progress end with Status.ErrClosed. May be called again. A function of the
        /// program may call it too: if the end waits for that function, Dispose does not wait for the end.</summary>
        public void Dispose()
        {
            Engine.Close(0);
            Engine.AwaitEnd();
            GC.SuppressFinalize(this);
        }

        void IOwner.Ask(IntPtr request) => Ask(request);

        void IOwner.Drop(object value)
        {
            if (dropped != null)
                Engine.Serial.Run(() => dropped((V)value));
        }

        void IOwner.Remove(byte[] key, object value, RemovalCause cause)
        {
            if (removed != null)
                Engine.Serial.Run(() => removed(Keys.Key(key), (V)value, cause));
        }

        bool IOwner.IsValid(byte[] key) => validator == null || validator(Keys.Key(key));

        void IOwner.AskSecondTier(IntPtr request) => AskSecondTier(request);

        internal virtual void Ask(IntPtr request)
        {
        }

        internal virtual void AskSecondTier(IntPtr request)
        {
        }

        internal long CostOf(V value, Terms terms)
        {
            long? stated = Terms.CostOf(terms);
            if (stated != null || value == null || cost == null)
                return stated ?? 0;
            long returned = cost(value);
            return returned >= 0 ? returned
                : throw new ArgumentOutOfRangeException(null, $"kvlight: the function for costs returned {returned}, and a cost is 0 or above");
        }

        internal static K[] CopyOf(IEnumerable<K> keys) => (keys ?? throw new ArgumentNullException(nameof(keys))).ToArray();

        internal byte[][] BytesOf(K[] keys) => Array.ConvertAll(keys, Keys.Bytes);

        /// <summary>Ends a call. Also keeps this object from being collected, and so closed, during the call.</summary>
        internal void Leave()
        {
            Engine.Leave();
            GC.KeepAlive(this);
        }

        /// <summary>Looks a key up; returns the status. If isForFetch, a miss is not counted: the fetch that follows counts it.</summary>
        internal int Find(byte[] key, bool isForFetch, out object value)
        {
            IntPtr found;
            int status;
            Engine.Enter();
            try
            {
                fixed (byte* at = key)
                {
                    do
                    {
                        status = isForFetch
                            ? NativeApi.kvl_tasks_get_object(Engine.Tasks, at, key.Length, &found, null)
                            : NativeApi.kvl_cache_get_object(Engine.Cache, at, key.Length, &found, null);
                        value = KvlightException.Check(status) == NativeApi.VALUE ? Engine.Objects.Find(found.ToInt64()) : null;
                        // Another thread may have replaced or removed the value since: look it up again.
                    } while (status == NativeApi.VALUE && value == null);
                    return status;
                }
            }
            finally
            {
                Leave();
            }
        }

        private int OnKey(K key, Func<IntPtr, IntPtr, long, int> call)
        {
            byte[] bytes = Keys.Bytes(key);
            Engine.Enter();
            try
            {
                fixed (byte* at = bytes)
                    return KvlightException.Check(call(Engine.Cache, (IntPtr)at, bytes.Length));
            }
            finally
            {
                Leave();
            }
        }

        private long OnTag(string tag, Func<IntPtr, IntPtr, long, IntPtr, int> call)
        {
            byte[] bytes = Utf8.Bytes(tag ?? throw new ArgumentNullException(nameof(tag)));
            KvlightException.CheckArgument(bytes.Length >= 1 && bytes.Length <= NativeApi.LABEL_MAX, $"a tag has 1 to 255 bytes of UTF-8, not {bytes.Length}");
            long count;
            Engine.Enter();
            try
            {
                fixed (byte* at = bytes)
                    KvlightException.Check(call(Engine.Cache, (IntPtr)at, bytes.Length, (IntPtr)(&count)));
                return count;
            }
            finally
            {
                Leave();
            }
        }

        private T OnCache<T>(Func<IntPtr, T> call)
        {
            Engine.Enter();
            try
            {
                return call(Engine.Cache);
            }
            finally
            {
                Leave();
            }
        }

        private string Text(Func<IntPtr, IntPtr, IntPtr, int> call)
        {
            IntPtr value;
            Engine.Enter();
            try
            {
                KvlightException.Check(call(Engine.Cache, Engine.Tasks, (IntPtr)(&value)));
                return Utf8.TextOf(value);
            }
            finally
            {
                Leave();
            }
        }
    }

    /// <summary>A cache without a provider: <c>new Config&lt;string, User&gt;(Keys.Strings) { CacheCapacity = 1000 }.Cache()</c>. Safe for use by
    /// several threads. One that is dropped without Dispose is closed by the garbage collector.</summary>
    /// <typeparam name="K">The type of the keys.</typeparam>
    /// <typeparam name="V">The type of the values.</typeparam>
    public sealed class Cache<K, V> : Store<K, V>
    {
        internal Cache(Config<K, V> config)
            : base(config, Engine.Open(config, false, false))
        {
            Engine.Start(this);
        }
    }
}
