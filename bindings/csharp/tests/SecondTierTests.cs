using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Kvlight;

/// <summary>The second tier: a store that several caches share.</summary>
internal static class SecondTierTests
{
    /// <summary>A store in memory that grants leases, and compares tokens.</summary>
    private sealed class MemoryTier : ISecondTier
    {
        private sealed class Row
        {
            internal byte[] Token;
            internal TierEntry Entry;
        }

        internal readonly ConcurrentQueue<string> Calls = new ConcurrentQueue<string>();
        private readonly Dictionary<string, Row> rows = new Dictionary<string, Row>();
        private int tokens;

        internal bool IsDown { get; set; }

        public bool IsConditional => true;

        public bool GrantsLeases => true;

        internal bool Has(string key)
        {
            lock (rows)
                return rows.TryGetValue(Convert.ToBase64String(Encoding.UTF8.GetBytes(key)), out Row row) && row.Entry != null;
        }

        public IReadOnlyList<TierFound> Read(IReadOnlyList<TierWanted> keys) => Locked("read", () => keys.Select(wanted =>
        {
            string key = Convert.ToBase64String(wanted.Key);
            if (rows.TryGetValue(key, out Row row))
                return row.Entry == null ? TierFound.Leased : TierFound.Hit(row.Entry.Data, row.Entry.TtlMs, row.Token);
            rows[key] = row = new Row { Token = Token() };
            return TierFound.Vacant(row.Token);
        }).ToArray());

        public IReadOnlyList<bool> Fill(IReadOnlyList<TierEntry> entries) => Locked("fill", () => entries.Select(entry =>
            rows.TryGetValue(Convert.ToBase64String(entry.Key), out Row row) && row.Token.SequenceEqual(entry.Token) && Keep(entry)).ToArray());

        public void Write(IReadOnlyList<TierEntry> entries) => Locked("write", () => entries.All(Keep));

        public void Remove(IReadOnlyList<byte[]> keys) => Locked("remove", () => keys.Count(key => rows.Remove(Convert.ToBase64String(key))));

        public void Clear() => Locked("clear", () =>
        {
            rows.Clear();
            return true;
        });

        private T Locked<T>(string call, Func<T> action)
        {
            lock (rows)
            {
                Calls.Enqueue(call);
                return IsDown ? throw new InvalidOperationException("down") : action();
            }
        }

        private byte[] Token() => BitConverter.GetBytes(++tokens);

        private bool Keep(TierEntry entry)
        {
            rows[Convert.ToBase64String(entry.Key)] = new Row { Token = Token(), Entry = entry };
            return true;
        }
    }

    /// <summary>Runs each task on a thread of its own, and counts those that have ended.</summary>
    private sealed class Threads : TaskScheduler
    {
        private int done;

        internal int Done => Volatile.Read(ref done);

        protected override void QueueTask(Task task) => new Thread(() =>
        {
            TryExecuteTask(task);
            Interlocked.Increment(ref done);
        }).Start();

        protected override bool TryExecuteTaskInline(Task task, bool wasQueued) => false;

        protected override IEnumerable<Task> GetScheduledTasks() => Enumerable.Empty<Task>();
    }

    private static Config<string, string[]> Config(ISecondTier tier) => new Config<string, string[]>(Keys.Strings)
    {
        L2TimeoutMs = 60000, L2WaitMs = 60000, CacheTtlMs = 60000, SecondTier = tier,
        Encode = value => Encoding.UTF8.GetBytes(value[0]), Decode = bytes => new[] { Encoding.UTF8.GetString(bytes) },
    };

    private static Tasks<string, string[]> Loading(Config<string, string[]> config) =>
        config.Load(keys => keys.Where(key => !key.StartsWith("no", StringComparison.Ordinal)).ToDictionary(key => key, key => new[] { "row " + key }));

    private static Tasks<string, string[]> Held(Config<string, string[]> config, BlockingCollection<Request<string, string[]>> requests) =>
        config.Provide(request =>
        {
            requests.Add(request);
            return Task.CompletedTask;
        });

    internal static void Add(Tap tap)
    {
        tap.Test("t02 two caches share what one loaded", () =>
        {
            var tier = new MemoryTier();
            using (Tasks<string, string[]> one = Loading(Config(tier)), other = Loading(Config(tier)))
            {
                string[] keys = { "a", "b", "none" };
                one.FetchAllAsync(keys).Wait();
                Tap.BusyUntil(() => keys.All(tier.Has));
                IReadOnlyList<Result<string, string[]>> found = other.ResultsAsync(keys).Result;
                Tap.EqualLists(found.Select(result => $"{result.Source} {result.Value?[0]}"), new[] { "L2 row a", "L2 row b", "L2 " }, "found");
                Tap.Check(found[0].TtlLeftMs > 0 && found[0].TtlLeftMs <= 60000, "its TTL");
                one.Put("c", new[] { "put" });
                one.Remove("a");
                Tap.BusyUntil(() => tier.Has("c") && !tier.Has("a"));
                Tap.Equal(other.Fetch("c")[0], "put", "a put");
                one.Clear();
                Tap.BusyUntil(() => tier.Calls.Contains("clear"));
                Tap.Equal(other.Stats().L2Hits, 4, "hits");
            }
        });
        tap.Test("t03 a write beats an older load", () =>
        {
            var tier = new MemoryTier();
            var requests = new BlockingCollection<Request<string, string[]>>();
            using (Tasks<string, string[]> writes = Loading(Config(tier)), reads = Loading(Config(tier)), loads = Held(Config(tier), requests))
            {
                Task<string[]> fetched = loads.FetchAsync("k");
                Request<string, string[]> request = Tap.Taken(requests);
                writes.Put("k", new[] { "new" });
                Tap.BusyUntil(() => tier.Has("k"));
                request.Resolve("k", new[] { "old" });
                request.Finish();
                Tap.Equal(fetched.Result[0], "old", "a fetch that began before the write");
                Tap.BusyUntil(() => tier.Calls.Contains("fill"));
                Tap.Equal(reads.Fetch("k")[0], "new", "what the tier has after the fill");
            }
        });
        tap.Test("t10 a cache without the lease waits for the answer of the one that has it", () =>
        {
            var tier = new MemoryTier();
            var requests = new BlockingCollection<Request<string, string[]>>();
            using (Tasks<string, string[]> waits = Loading(Config(tier)), loads = Held(Config(tier), requests))
            {
                Task<string[]> first = loads.FetchAsync("k");
                Request<string, string[]> request = Tap.Taken(requests);
                Task<IReadOnlyList<Result<string, string[]>>> second = waits.ResultsAsync(new[] { "k" });
                Tap.BusyUntil(() => tier.Calls.Count(call => call == "read") >= 3);
                Tap.Check(!second.IsCompleted, "it waits");
                request.Resolve("k", new[] { "once" });
                request.Finish();
                Result<string, string[]> found = second.Result[0];
                Tap.Equal($"{first.Result[0]} {found.Source} {found.Value[0]}", "once L2 once", "what both have");
            }
        });
        tap.Test("t06 failures of the second tier are misses, and are reported", () =>
        {
            var reported = new ConcurrentQueue<Exception>();
            Config<string, string[]> config = Config(new MemoryTier { IsDown = true });
            config.FailureHandler = reported.Enqueue;
            using (Tasks<string, string[]> tasks = Loading(config))
            {
                Tap.Equal(tasks.Fetch("a")[0], "row a", "the provider's");
                Tap.BusyUntil(() => reported.Any(error => error.Message == "down"));
            }
            var tier = new MemoryTier();
            config = Config(tier);
            config.FailureHandler = reported.Enqueue;
            config.Encode = value => throw new InvalidOperationException("encode");
            config.Decode = bytes => null;
            using (Tasks<string, string[]> writes = Loading(Config(tier)), tasks = Loading(config))
            {
                writes.Put("b", new[] { "theirs" });
                Tap.BusyUntil(() => tier.Has("b"));
                Tap.Equal(tasks.Fetch("b")[0], "row b", "an entry that cannot be decoded");
                tasks.Put("c", new[] { "stays here" });
                Tap.BusyUntil(() => reported.Any(error => error.Message == "encode"));
                Tap.Equal(tasks.Get("c")[0], "stays here", "a value that cannot be encoded");
            }
            config.Decode = null;
            Tap.Thrown<ArgumentException>("a second tier without Decode", () => Loading(config));
        });
        tap.Test("l09b a cache without a provider refuses a second tier", () =>
        {
            Tap.Thrown<ArgumentException>("SecondTier", () => Config(new MemoryTier()).Cache());
            Config<string, string[]> config = Config(null);
            config.L2Url = "redis://localhost";
            Tap.Thrown<ArgumentException>("L2Url", () => config.Cache());
        });
        tap.Test("t07 CloseAsync writes what waits, but waits for no pause after a failure", () =>
        {
            foreach (bool isDown in new[] { false, true })
            {
                var tier = new MemoryTier { IsDown = isDown };
                var reported = new ConcurrentQueue<Exception>();
                Config<string, string[]> config = Config(tier);
                config.L2BreakMs = 60000;
                config.FailureHandler = reported.Enqueue;
                Tasks<string, string[]> tasks = Loading(config);
                tasks.Put("first", new[] { "put" });
                Tap.BusyUntil(() => tier.Calls.Contains("write") && reported.Count == (isDown ? 1 : 0));
                // The library learns of the failure after the handler.
                Tap.BusyUntil(() => tasks.Stats().L2WriteErrors == (isDown ? 1 : 0));
                tier.IsDown = false;
                for (int i = 0; i < 1000; i++)
                    tasks.Put("key " + i, new[] { "put" });
                Tap.Check(tasks.CloseAsync().Wait(20000), "the close waits for the pause");
                Tap.Equal(Enumerable.Range(0, 1000).Count(i => tier.Has("key " + i)), isDown ? 0 : 1000, "written");
                tasks.Dispose();
            }
        });
        tap.Test("t01 a hit that comes after the close does not count as a failure of the second tier", () =>
        {
            var tier = new MemoryTier();
            using (Tasks<string, string[]> writes = Loading(Config(tier)))
            {
                writes.Put("k", new[] { "put" });
                Tap.BusyUntil(() => tier.Has("k"));
            }
            var reported = new ConcurrentQueue<Exception>();
            var reached = new BlockingCollection<bool>();
            var mayDecode = new BlockingCollection<bool>();
            Config<string, string[]> config = Config(tier);
            config.FailureHandler = reported.Enqueue;
            config.Decode = bytes =>
            {
                reached.Add(true);
                Tap.Taken(mayDecode);
                return new[] { "late" };
            };
            var scheduler = new Threads();
            config.Scheduler = scheduler;
            Tasks<string, string[]> tasks = Loading(config);
            Task<string[]> fetched = tasks.FetchAsync("k");
            Tap.Taken(reached);
            tasks.Dispose();
            mayDecode.Add(true);
            Tap.BusyUntil(() => scheduler.Done == 1);
            Tap.Check(fetched.IsFaulted && reported.IsEmpty, "nothing is reported");
        });
    }
}
