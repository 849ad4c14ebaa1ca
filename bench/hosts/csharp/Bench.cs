using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.Caching;
using System.Runtime.InteropServices;
using Kvlight;

/// <summary>Compares kvlight for C# with MemoryCache and ConcurrentDictionary: prints lines of work, library and CPU nanoseconds for each key.</summary>
static class Bench
{
    static readonly int KeyCount = int.Parse(Environment.GetEnvironmentVariable("KVL_BENCH_KEYS") ?? "100000");
    const int Rounds = 5, Batches = 20, Absent = 1000, MaxKeys = 64, Hot = 1000;
    /// <summary>Rounds that are not counted, in which Mono compiles.</summary>
    const int WarmUp = 1;

    static readonly Dictionary<string, List<double>> Costs = new Dictionary<string, List<double>>();
    static readonly List<string> Lines = new List<string>();

    [DllImport("kvlight")]
    static extern uint kvl_version_number();

    /// <summary>The processor time of all threads in microseconds. Mono's own clock has steps of ten milliseconds.</summary>
    [DllImport("libc")]
    static extern IntPtr clock();

    static string[] Row(string key) => new[] { key };

    static IReadOnlyDictionary<string, string[]> Rows(IReadOnlyList<string> keys) => keys.ToDictionary(key => key, Row);

    static void Measured(int round, string work, string library, int keys, Action call)
    {
        long begun = clock().ToInt64();
        call();
        double cost = (clock().ToInt64() - begun) * 1000.0 / keys;
        if (round < 0)
            return;
        string line = work + "\t" + library;
        if (!Costs.ContainsKey(line))
        {
            Costs[line] = new List<double>();
            Lines.Add(line);
        }
        Costs[line].Add(cost);
    }

    static void Each(string[] keys, Action<string> call)
    {
        for (int i = 0; i < KeyCount; i++)
            call(keys[i % keys.Length]);
    }

    static string[][] AbsentKeys(string of, int round) =>
        Enumerable.Range(0, Batches).Select(batch => Enumerable.Range(0, Absent).Select(i => of + " " + round + " " + batch + " " + i).ToArray()).ToArray();

    /// <summary>What a program writes around MemoryCache to ask its provider for many keys at once.</summary>
    static void FetchAll(MemoryCache cache, string[] keys)
    {
        var missing = keys.Where(key => cache.Get(key) == null).ToArray();
        for (int first = 0; first < missing.Length; first += MaxKeys)
            foreach (var row in Rows(missing.Skip(first).Take(MaxKeys).ToArray()))
                cache.Set(row.Key, row.Value, ObjectCache.InfiniteAbsoluteExpiration);
    }

    static void Main()
    {
        var random = new Random(1);
        string[] order = Enumerable.Range(0, KeyCount).Select(i => "key " + i).OrderBy(_ => random.Next()).ToArray();
        string[] hot = order.Take(Hot).ToArray(); // few enough for the processor's caches
        var memory = new MemoryCache("bench");
        var dictionary = new ConcurrentDictionary<string, string[]>();
        using (var tasks = new Config<string, string[]>(Keys.Strings) { CacheCapacity = 2 * KeyCount, BatchMaxKeys = MaxKeys }.Load(Rows))
        {
            foreach (string key in order)
            {
                tasks.Put(key, Row(key));
                memory.Set(key, Row(key), ObjectCache.InfiniteAbsoluteExpiration);
                dictionary[key] = Row(key);
            }
            for (int round = -WarmUp; round < Rounds; round++)
            {
                Measured(round, "resident get", "kvlight", KeyCount, () => Each(order, key => tasks.Get(key)));
                Measured(round, "resident get", "MemoryCache", KeyCount, () => Each(order, key => memory.Get(key)));
                Measured(round, "resident get", "ConcurrentDictionary", KeyCount, () => Each(order, key => dictionary.TryGetValue(key, out _)));
                Measured(round, "get, of 1,000 keys", "kvlight", KeyCount, () => Each(hot, key => tasks.Get(key)));
                Measured(round, "get, of 1,000 keys", "MemoryCache", KeyCount, () => Each(hot, key => memory.Get(key)));
                Measured(round, "get, of 1,000 keys", "ConcurrentDictionary", KeyCount, () => Each(hot, key => dictionary.TryGetValue(key, out _)));
                Measured(round, "get, of 1,000 keys", "a bare call into C", KeyCount, () => Each(hot, _ => kvl_version_number()));
                Measured(round, "resident fetch", "kvlight", KeyCount, () => Each(order, key => tasks.FetchAsync(key).Wait()));
                Measured(round, "resident fetch", "ConcurrentDictionary", KeyCount, () => Each(order, key => dictionary.GetOrAdd(key, Row)));
                string[][] ours = AbsentKeys("ours", round), theirs = AbsentKeys("theirs", round);
                Measured(round, "1,000 absent keys, 64 a request", "kvlight", Batches * Absent, () => Array.ForEach(ours, keys => tasks.FetchAllAsync(keys).Wait()));
                Measured(round, "1,000 absent keys, 64 a request", "MemoryCache", Batches * Absent, () => Array.ForEach(theirs, keys => FetchAll(memory, keys)));
            }
        }
        foreach (string line in Lines)
            Console.WriteLine(line + "\t" + Math.Round(Costs[line].OrderBy(cost => cost).ElementAt(Rounds / 2)));
    }
}
