using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Kvlight;

/// <summary>Settings, keys, conditions, iteration, files, limits, tags, versions, fallbacks, listeners, the breaker, progress, statistics.</summary>
internal static class Features
{
    internal static void Add(Tap tap)
    {
        Store(tap);
        Labels(tap);
        Listeners(tap);
        Control(tap);
    }

    private static void Store(Tap tap)
    {
        tap.Test("a wrong setting is refused with a message", () =>
        {
            Config<string, string> config = Scenarios.Config();
            config.Set("cache.capacty", 10);
            Tap.Check(Tap.Thrown<KvlightException>("a setting", () => Scenarios.Users(config)).Message.Contains("cache.capacity"), "its name");
            Tap.Thrown<ArgumentException>("a type", () => config.Set("cache.capacity", new object()));
            using (Tasks<string, string> tasks = Scenarios.Users(Scenarios.Config()))
            {
                string sentence = Tap.Thrown<KvlightException>("an option", () => tasks.FetchAsync("a", new FetchOptions { TimeoutMs = 0 })).Message;
                Tap.Check(sentence.Contains("timeout_ms"), sentence);
                Tap.Thrown<ArgumentNullException>("null", () => tasks.FetchAsync(null));
            }
            var settings = new Config<string, string>(Keys.Strings) { CacheCapacity = 5, QueueShare = 0.25, CacheTimer = false, RetryShape = RetryShape.FixedThenExponential };
            Tap.Check(settings.CacheCapacity == 5 && settings.QueueShare == 0.25 && settings.CacheTimer == false && settings.TimeoutMs == null, "read back");
            Tap.Equal(settings.RetryShape, RetryShape.FixedThenExponential, "a word");
            settings.Cache().Dispose();
        });
        tap.Test("keys may have other types and any bytes, and values may be numbers", () =>
        {
            using (Tasks<byte[], int> tasks = new Config<byte[], int>(Keys.Bytes).LoadOneAsync((key, token) => Task.FromResult(key.Length)))
                Tap.EqualLists(tasks.FetchAllAsync(new[] { new byte[] { 0, 255 }, new byte[0] }).Result, new[] { 2, 0 }, "bytes");
            using (Tasks<long, long> tasks = new Config<long, long>(Keys.Longs).LoadOneAsync((key, token) => Task.FromResult(key + 1)))
                Tap.EqualLists(tasks.FetchAllAsync(new[] { 1L, -1L }).Result, new[] { 2L, 0L }, "longs");
            Guid id = Guid.NewGuid();
            using (Tasks<Guid, Guid> tasks = new Config<Guid, Guid>(Keys.Guids).LoadOneAsync((key, token) => Task.FromResult(key)))
                Tap.Equal(tasks.Fetch(id), id, "GUIDs");
            var decimals = new Keys<int>(key => Encoding.UTF8.GetBytes(key.ToString()), bytes => int.Parse(Encoding.UTF8.GetString(bytes)));
            using (Tasks<int, string> tasks = new Config<int, string>(decimals).LoadOneAsync((key, token) => Task.FromResult("n" + key)))
                Tap.Equal(tasks.Fetch(17), "n17", "a form of the program's");
            using (Tasks<string, string> tasks = Scenarios.Users(Scenarios.Config()))
            {
                foreach (string key in new[] { "", "a\0b", "é", "😀", new string('x', 65535) })
                    Tap.Equal(tasks.Fetch(key) + tasks.Fetch(key), "user " + key + "user " + key, "a string");
                Tap.Equal(Scenarios.StatusOf(tasks.FetchAsync(new string('x', 65536))), Status.ErrKeyTooLong, "a key that is too long");
                Tap.Thrown<ArgumentException>("half a surrogate pair", () => tasks.FetchAsync("a\ud800"));
            }
        });
        tap.Test("puts may have a condition, and entries may be replaced and touched", () =>
        {
            using (Cache<string, string> cache = Scenarios.Config().Cache())
            {
                Tap.Check(!cache.Put("a", "new", new Terms { Condition = Condition.IfPresent }), "only if present, and it is not");
                Tap.Check(cache.Put("a", "first", new Terms { Condition = Condition.IfAbsent }), "only if absent");
                Tap.Check(!cache.Put("a", "second", new Terms { Condition = Condition.IfAbsent }), "only if absent, and it is there");
                Tap.Equal(cache.Get("a"), "first", "what stayed");
                Tap.Check(cache.Put("a", "third", new Terms { KeepsTtl = true, Condition = Condition.IfPresent }), "only if present");
                Tap.Check(!cache.Replace("a", "first", "x") && cache.Replace("a", "third", "fourth") && !cache.Replace("b", null, "x"), "the expected value");
                Tap.Check(cache.TryTake("a", out string taken) && taken == "fourth" && !cache.TryTake("a", out _), "taken");
                Tap.Check(cache.Put("n", null) && cache.Contains("n") && !cache.TryGet("n", out _) && cache.Replace("n", null, "now"), "from absent");
                Tap.Check(cache.Touch("n", 60000) && !cache.Touch("nobody"), "touched");
                Tap.Equal(cache.GetAll(new[] { "n", "m" }).Single().Value, "now", "several");
                Tap.Equal(cache.Count, 1, "entries");
            }
        });
        tap.Test("s18 each entry is visited once, whatever changes meanwhile", () =>
        {
            Config<string, string> config = Scenarios.Config();
            config.CacheCapacity = 10000;
            using (Cache<string, string> cache = config.Cache())
            {
                for (int i = 0; i < 1000; i++)
                    cache.Put("key " + i, i % 10 == 0 ? null : "value " + i);
                var found = new Dictionary<string, string>();
                foreach (KeyValuePair<string, string> entry in cache)
                {
                    found.Add(entry.Key, entry.Value);
                    cache.Put("other " + found.Count, "x");
                }
                for (int i = 0; i < 1000; i++)
                    Tap.Equal(found["key " + i], i % 10 == 0 ? null : "value " + i, "key " + i);
                Tap.Equal(cache.Stats().Hits, 0, "uses");
                IEnumerator<KeyValuePair<string, string>> open = cache.GetEnumerator();
                cache.Dispose();
                Tap.Equal(Tap.Thrown<KvlightException>("afterwards", () => open.MoveNext()).Status, Status.ErrClosed, "of a closed cache");
            }
        });
        tap.Test("s18 a saved cache is loaded again", () =>
        {
            string file = Path.GetTempFileName();
            var broken = new InvalidOperationException("broken");
            using (Cache<string, string[]> cache = new Config<string, string[]>(Keys.Strings).Cache())
            {
                cache.Put("a", new[] { "A" }, new Terms { TtlMs = 60000, Tags = new[] { "t" } });
                cache.Put("none", null);
                Tap.Equal(cache.Save(file, value => Encoding.UTF8.GetBytes(value[0])), 2, "entries written");
                Tap.Check(Tap.Thrown<InvalidOperationException>("save", () => cache.Save(file, value => throw broken)) == broken, "the very exception");
            }
            using (Tasks<string, string[]> tasks = new Config<string, string[]>(Keys.Strings).Load(keys => new Dictionary<string, string[]>()))
            {
                Tap.Equal(tasks.Load(file, bytes => new[] { Encoding.UTF8.GetString(bytes) }), 2, "entries stored");
                Tap.Equal(tasks.Get("a")[0], "A", "an object");
                Tap.Check(tasks.Contains("none") && tasks.RemoveTag("t") == 1, "an absence, and tags");
                tasks.Clear();
                Tap.Check(Tap.Thrown<InvalidOperationException>("load", () => tasks.Load(file, bytes => throw broken)) == broken, "the very exception");
                Tap.Equal(Tap.Thrown<KvlightException>("load", () => tasks.Load("/nowhere/file", bytes => null)).Status, Status.ErrIo, "no file");
            }
            File.Delete(file);
        });
        tap.Test("limits and costs hold, eviction has an order, and a manual clock moves only when it is advanced", () =>
        {
            var dropped = new ConcurrentQueue<string>();
            var config = new Config<string, string>(Keys.Strings) { CacheCapacity = 4, CacheShards = 1, Dropped = dropped.Enqueue };
            using (Cache<string, string> cache = config.Cache())
            {
                cache.Put("low", "low", new Terms { Priority = -1 });
                foreach (string key in new[] { "a", "b", "c", "d" })
                    cache.Put(key, key);
                cache.TrimTo(2);
                cache.Resize(1);
                cache.Trim(0);
                Tap.Equal(cache.Count, 0, "entries");
            }
            Tap.EqualLists(dropped, new[] { "low", "a", "b", "c", "d" }, "dropped, in order");
            config = new Config<string, string>(Keys.Strings) { CacheShards = 1, CacheCostLimit = 1500, Cost = value => value.Length };
            using (Cache<string, string> cache = config.Cache())
            {
                Tap.Check(cache.Put("a", new string('x', 1000)) && cache.Put("b", new string('x', 1000)), "stored");
                Tap.Check(!cache.Contains("a") && cache.TotalCost > 1000 && !cache.Put("c", "", new Terms { Cost = 5000 }), "one has room");
            }
            var clock = new ManualClock(1000);
            using (Cache<string, string> cache = new Config<string, string>(Keys.Strings) { CacheTtlMs = 100, Clock = clock }.Cache())
            {
                cache.Put("a", "A");
                cache.Put("b", "B", new Terms { TtlMs = Terms.Never });
                clock.Advance(100);
                Tap.Check(clock.NowMs == 1100 && cache.Single().Key == "b", "what has not expired");
            }
        });
    }

    private static void Labels(Tap tap)
    {
        tap.Test("r11 a tag removes its entries", () =>
        {
            using (Cache<string, string> cache = Scenarios.Config().Cache())
            {
                cache.Put("1", "one", new Terms { Tags = new[] { "odd", "small" } });
                cache.Put("2", "two", new Terms { Tags = new[] { "small" } });
                cache.Put("3", "three", new Terms { Tags = new[] { "odd" } });
                Tap.Equal(cache.RemoveTag("odd"), 2, "removed");
                Tap.Equal(cache.Single().Value, "two", "what is left");
                Tap.Equal(cache.RemoveTag("odd"), 0, "again");
                Tap.Thrown<KvlightException>("an empty tag", () => cache.Put("a", "b", new Terms { Tags = new[] { "" } }));
                Tap.Thrown<KvlightException>("a long version", () => cache.Put("a", "b", new Terms { Version = new string('v', 256) }));
            }
        });
        tap.Test("r12 entries expired by tag, or all at once, stay as fallbacks", () =>
        {
            bool isDown = false;
            var config = new Config<string, string>(Keys.Strings) { CacheTtlMs = 60000, StaleTtlMs = 60000 };
            using (Tasks<string, string> tasks = config.Provide(request =>
            {
                if (Volatile.Read(ref isDown))
                    throw new IOException("down");
                foreach (string key in request.Keys)
                    request.Resolve(key, key, new Terms { Tags = new[] { key == "c" ? "late" : "early" } });
                request.Finish();
                return Task.CompletedTask;
            }))
            {
                tasks.FetchAllAsync(new[] { "a", "b", "c" }).Wait();
                Volatile.Write(ref isDown, true);
                Tap.Equal(tasks.ExpireTag("early"), 2, "a tag");
                Tap.EqualLists(tasks.ResultsAsync(new[] { "a", "b", "c" }).Result.Select(result => result.IsStale), new[] { true, true, false }, "fallbacks");
                tasks.ExpireAll();
                Tap.Check(tasks.Get("c") == null && tasks.Fetch("c") == "c" && !tasks.Expire("nobody"), "all");
            }
        });
        tap.Test("r02 a fallback is served when the provider fails, unless the record is gone", () =>
        {
            Exception failure = null;
            var config = new Config<int, string>(Keys.Ints) { CacheTtlMs = 60000, StaleTtlMs = 60000, StaleRetryMs = 0 };
            using (Tasks<int, string> tasks = config.LoadOneAsync((key, token) =>
                Volatile.Read(ref failure) == null ? Task.FromResult("n" + key) : Task.FromException<string>(Volatile.Read(ref failure))))
            {
                Tap.Equal(tasks.Fetch(7), "n7", "loaded");
                Tap.Check(tasks.Expire(7), "expired");
                Volatile.Write(ref failure, new IOException("down"));
                Result<int, string> stale = tasks.ResultsAsync(new[] { 7 }).Result[0];
                Tap.Check(stale.IsFound && stale.IsStale && stale.Source == Source.Stale && ReferenceEquals(stale.Error, failure), "the fallback and its failure");
                Tap.Equal(stale.OrThrow(), "n7", "its value");
                var later = new RetryAfterException("later", 60);
                Volatile.Write(ref failure, later);
                Tap.Check(later.AfterMs == 60 && ReferenceEquals(tasks.ResultsAsync(new[] { 7 }).Result[0].Error, later), "a failure with a pause");
                Tap.Thrown<ArgumentOutOfRangeException>("a pause below 0", () => new RetryAfterException("later", -1));
                Volatile.Write(ref failure, new GoneException("withdrawn", new IOException("410")));
                Result<int, string> gone = tasks.ResultsAsync(new[] { 7 }).Result[0];
                Tap.Check(!gone.IsFound && !gone.IsStale && gone.Status == Status.ErrProvider, "the record is gone");
                Tap.Check(ReferenceEquals(Tap.Thrown<GoneException>("the error", () => gone.OrThrow()), failure) && failure.InnerException is IOException, "the very exception");
                Volatile.Write(ref failure, new IOException("down again"));
                Result<int, string> left = tasks.ResultsAsync(new[] { 7 }).Result[0];
                Tap.Check(!left.IsStale && ReferenceEquals(left.Error, failure), "no fallback is left");
                Volatile.Write(ref failure, null);
                Tap.Equal(tasks.Fetch(7), "n7", "it is back");
            }
        });
        tap.Test("r04 a fetch states how long it waits before it is served a fallback", () =>
        {
            BlockingCollection<Request<string, string>> requests = Scenarios.Requests();
            var config = new Config<string, string>(Keys.Strings) { CacheTtlMs = 60000, StaleTtlMs = 60000 };
            using (Tasks<string, string> tasks = Scenarios.Held(config, requests))
            {
                tasks.Put("a", "old");
                tasks.Expire("a");
                Task<string> patient = tasks.FetchAsync("a");
                Result<string, string> stale = tasks.ResultsAsync(new[] { "a" }, new FetchOptions { StaleTimeoutMs = 0 }).Result[0];
                Tap.Check(stale.Value == "old" && stale.IsStale && stale.Error == null, "the fallback at once");
                Tap.Equal(tasks.Fetch("a", new FetchOptions { StaleTimeoutMs = 20 }), "old", "the fallback after a while");
                Tap.Check(!patient.IsCompleted, "another fetch waits for the load");
                Request<string, string> request = Tap.Taken(requests);
                request.Resolve("a", "new");
                request.Finish();
                Tap.Equal(patient.Result + tasks.Get("a"), "newnew", "the load is stored");
                KvlightException refused = Tap.Thrown<KvlightException>("options", () => tasks.FetchAsync("b", new FetchOptions { StaleTimeoutMs = 5, TimeoutMs = 5 }));
                Tap.Check(refused.Status == Status.ErrBadValue && refused.Message.Contains("stale.timeout_ms"), refused.Message);
            }
        });
        tap.Test("r06 a record that has not changed keeps its value", () =>
        {
            var seen = new ConcurrentQueue<Stale<string[]>>();
            string version = "v1";
            var config = new Config<string, string[]>(Keys.Strings) { CacheTtlMs = 10000, StaleTtlMs = 60000 };
            using (Tasks<string, string[]> tasks = config.Provide(request =>
            {
                Stale<string[]> held = request.Stale("a");
                if (held == null)
                    Tap.Thrown<InvalidOperationException>("nothing is held", () => request.NotModified("a"));
                seen.Enqueue(held);
                if (held?.Version == version)
                    Tap.Check(request.NotModified("a", new Terms { TtlMs = 50000 }), "in time");
                else
                    request.Resolve("a", new[] { version }, new Terms { Version = version, Tags = new[] { "t" } });
                request.Finish();
                return Task.CompletedTask;
            }))
            {
                string[] first = tasks.Fetch("a");
                tasks.ExpireAll();
                Result<string, string[]> same = tasks.ResultsAsync(new[] { "a" }).Result[0];
                Tap.Check(ReferenceEquals(same.Value, first) && !same.IsStale && same.TtlLeftMs > 40000 && same.Source == Source.Provider, "the same");
                Tap.Check(seen.First() == null && ReferenceEquals(seen.Last().Value, first) && seen.Last().Version == "v1" && seen.Last().AgeMs >= 0, "what is held");
                version = "v2";
                tasks.ExpireAll();
                Tap.Equal(tasks.Fetch("a")[0], "v2", "changed");
                Tap.Equal(tasks.RemoveTag("t"), 1, "tags");
            }
        });
    }

    private static void Listeners(Tap tap)
    {
        tap.Test("s10 a validator refuses keys without a load", () =>
        {
            var loaded = new ConcurrentQueue<string>();
            var failures = new ConcurrentQueue<Exception>();
            var broken = new InvalidOperationException("broken");
            Tasks<string, string> self = null;
            int calls = 0;
            var config = new Config<string, string>(Keys.Strings)
            {
                FailureHandler = failures.Enqueue,
                Validator = key =>
                {
                    Interlocked.Increment(ref calls);
                    if (key == "broken")
                        throw broken;
                    if (key == "nested")
                        return self.Get("a") != null;
                    if (key == "close")
                        self.Dispose();
                    return !key.StartsWith("bad", StringComparison.Ordinal);
                },
            };
            using (Tasks<string, string> tasks = Scenarios.Users(config, loaded))
            {
                self = tasks;
                Tap.Equal(tasks.Fetch("a") + tasks.Fetch("bad 1"), "user a", "fetches");
                Tap.Check(!tasks.Put("bad 2", "x") && tasks.Get("bad 2") == null && !tasks.TryGet("bad 2", out string _), "lookups");
                Tap.Equal(tasks.GetAll(new[] { "a", "bad 3" }).Count, 1, "many");
                Tap.Equal(tasks.Stats().InvalidKeys, 4, "counted");
                int before = calls;
                Tap.EqualLists(tasks.ResultsAsync(new[] { "bad 4", "b" }).Result.Select(result => result.Status), new[] { Status.InvalidKey, Status.Value }, "results");
                Tap.Equal(calls - before, 2, "once for each position");
                Tap.Equal(tasks.Fetch("missed") + tasks.Fetch("missed"), "user misseduser missed", "a miss and a hit");
                Tap.Equal(calls - before, 4, "once for each fetch of one key");
                Tap.EqualLists(tasks.FetchAllAsync(new[] { "bad 5", "a" }).Result, new[] { null, "user a" }, "a batch");
                Tap.EqualLists(loaded, new[] { "a", "b", "missed" }, "what the provider was asked");
                Tap.Check(tasks.Get("broken") == null && failures.Single() == broken, "a validator that throws");
                Tap.Equal(tasks.Fetch("nested"), "user nested", "a validator that looks up");
                KvlightException closed = Tap.Thrown<KvlightException>("closed inside", () =>
                {
                    tasks.Fetch("close");
                    tasks.Fetch("a");
                });
                Tap.Equal(closed.Status, Status.ErrClosed, "a validator that closes does not wait for itself");
            }
            using (Cache<string, string> cache = new Config<string, string>(Keys.Strings) { Validator = key => key.Length < 3 }.Cache())
                Tap.Check(cache.Put("ok", "x") && !cache.Put("long", "x") && !cache.Contains("long") && cache.Count == 1, "of a cache");
        });
        tap.Test("s11 a removal listener receives each entry that leaves, once and in order", () =>
        {
            var reported = new ConcurrentQueue<string>();
            var dropped = new ConcurrentQueue<string>();
            var config = new Config<string, string>(Keys.Strings)
            {
                CacheCapacity = 2,
                CacheShards = 1,
                Dropped = dropped.Enqueue,
                Removed = (key, value, cause) => reported.Enqueue($"{key}={value} {cause}"),
            };
            using (Cache<string, string> cache = config.Cache())
            {
                cache.Put("a", "1");
                cache.Put("a", "2");
                cache.Put("none", null);
                cache.Put("b", "3");
                cache.Put("b", "4", new Terms { Tags = new[] { "t" } });
                cache.RemoveTag("t");
                cache.Remove("none");
                cache.Put("c", "5");
                Tap.Check(cache.TryTake("c", out string taken) && taken == "5", "taken");
                cache.Put("d", "6");
                cache.Trim(0);
                cache.Put("e", "7");
            }
            Tap.EqualLists(reported, new[] { "a=1 Replaced", "a=2 Capacity", "b=3 Replaced", "b=4 Tag", "none= Removed", "c=5 Removed", "d=6 Trimmed", "e=7 Cleared" },
                "what left");
            Tap.EqualLists(dropped, new[] { "1", "2", "3", "4", "5", "6", "7" }, "dropped");
        });
        tap.Test("s11 a removal listener may use its engine, and one that throws harms nothing else", () =>
        {
            var reported = new BlockingCollection<string>();
            var failures = new ConcurrentQueue<Exception>();
            Tasks<string, string> self = null;
            var clock = new ManualClock();
            var config = new Config<string, string>(Keys.Strings)
            {
                Clock = clock,
                CacheTtlMs = 1000,
                FailureHandler = failures.Enqueue,
                Removed = (key, value, cause) =>
                {
                    reported.Add($"{key}={value} {cause}");
                    if (key == "a")
                        throw new InvalidOperationException("broken");
                    if (cause == RemovalCause.Expired)
                        reported.Add("again: " + self.Fetch(key));
                },
            };
            using (Tasks<string, string> tasks = Scenarios.Users(config))
            {
                self = tasks;
                Tap.EqualLists(tasks.FetchAllAsync(new[] { "a", "b" }).Result, new[] { "user a", "user b" }, "loads");
                tasks.Remove("a");
                Tap.Equal(Tap.Taken(reported), "a=user a Removed", "removed");
                clock.Advance(1000);
                Tap.Equal(Tap.Taken(reported), "b=user b Expired", "expired");
                Tap.Equal(Tap.Taken(reported), "again: user b", "a fetch inside");
                Tap.Check(failures.Single() is InvalidOperationException, "the exception is reported");
            }
            Tap.Equal(reported.Count, 0, "the end of an engine is no removal");
        });
    }

    private static void Control(Tap tap)
    {
        tap.Test("f19 an engine with read = refresh reloads stored keys", () =>
        {
            int loads = 0;
            Config<string, string> config = Scenarios.Config();
            config.Read = Read.Refresh;
            using (Tasks<string, string> tasks = config.Load(keys => new Dictionary<string, string> { { "a", "load " + ++loads } }))
            {
                Tap.EqualLists(new[] { tasks.Fetch("a"), tasks.Fetch("a") }, new[] { "load 1", "load 2" }, "the values");
                Tap.Equal(tasks.Fetch("a", new FetchOptions { Read = Read.Normal }), "load 2", "a fetch that reads the store");
            }
        });
        tap.Test("the breaker can be forced, and keys refreshed and invalidated", () =>
        {
            var loaded = new ConcurrentQueue<string>();
            using (Tasks<string, string> tasks = Scenarios.Users(new Config<string, string>(Keys.Strings) { BreakerConsecutive = 3 }, loaded))
            {
                tasks.ForceBreaker(BreakerState.Open);
                Tap.Equal(tasks.Breaker, BreakerState.Open, "forced");
                Tap.Equal(tasks.ResultsAsync(new[] { "a" }).Result[0].Status, Status.ErrUnavailable, "a fetch meanwhile");
                Tap.Thrown<ArgumentException>("half open", () => tasks.ForceBreaker(BreakerState.HalfOpen));
                tasks.ForceBreaker(null);
                Tap.EqualLists(tasks.FetchAllAsync(new[] { "a", "b" }).Result, new[] { "user a", "user b" }, "afterwards");
                tasks.Refresh(new[] { "a" });
                Tap.BusyUntil(() => loaded.Count == 3);
                tasks.Invalidate(new[] { "a" });
                Tap.Check(!tasks.Contains("a") && tasks.Contains("b"), "a key");
                tasks.InvalidateAll();
                Tap.Equal(tasks.Count, 0, "all");
            }
        });
        tap.Test("FetchEachAsync reports results one by one, and a request tells its attempt, urgency and time", () =>
        {
            BlockingCollection<Request<string, string>> requests = Scenarios.Requests();
            var config = new Config<string, string>(Keys.Strings) { BatchMaxKeys = 1, AttemptTimeoutMs = 60000 };
            using (Tasks<string, string> tasks = Scenarios.Held(config, requests))
            using (var source = new CancellationTokenSource())
            {
                tasks.Put("b", "B");
                var arrived = new BlockingCollection<Result<string, string>>();
                var progress = new ConcurrentQueue<string>();
                var options = new FetchOptions { Progress = (done, failed, total) => progress.Enqueue($"{done} {failed} of {total}"), Urgency = 7 };
                Task end = tasks.FetchEachAsync(new[] { "a", "b" }, arrived.Add, options);
                Tap.Equal(Tap.Taken(arrived).Value, "B", "what is in the cache comes first");
                Request<string, string> request = Tap.Taken(requests);
                Tap.Equal($"{request.Keys[0]} {request.Attempt("a")} {request.Urgency} {request.IsWanted("a")}", "a 1 7 True", "a request");
                Tap.Check(request.TimeLeftMs > 0 && request.Heartbeat() && !request.IsCancelled, "in time");
                request.Resolve("extra", "E");
                request.Fail("a", new InvalidOperationException("no"));
                request.Finish();
                request.Finish();
                Tap.Equal(Tap.Taken(arrived).Status, Status.ErrProvider, "the other");
                end.Wait();
                Tap.Equal(progress.Last(), "2 1 of 2", "progress");
                var sparse = new ConcurrentQueue<long>();
                var step = new FetchOptions { Progress = (done, failed, total) => sparse.Enqueue(done), ProgressStep = 4 };
                Task<IReadOnlyList<string>> four = tasks.FetchAllAsync(new[] { "e", "f", "g", "h" }, step);
                for (int i = 0; i < 4; i++)
                {
                    Request<string, string> one = Tap.Taken(requests);
                    one.Resolve(one.Keys[0], "value");
                    one.Finish();
                }
                four.Wait();
                Tap.Equal(sparse.Distinct().Single(), 4, "every fourth key");
                Tap.Equal(tasks.Get("extra"), "E", "a key that was not asked for");
                tasks.FetchEachAsync(new string[0], arrived.Add).Wait();
                tasks.FetchEachAsync(new[] { "c" }, arrived.Add, null, source.Token);
                Request<string, string> left = Tap.Taken(requests);
                CancellationToken token = left.CancellationToken;
                source.Cancel();
                Tap.BusyUntil(() => token.IsCancellationRequested && left.IsCancelled && !left.IsWanted("c"));
            }
        });
        tap.Test("f03 the task of a fetch completes after its last report, cancelled or not", () =>
        {
            BlockingCollection<Request<string, string>> requests = Scenarios.Requests();
            using (Tasks<string, string> tasks = Scenarios.Held(Scenarios.Config(), requests))
            using (var source = new CancellationTokenSource())
            {
                int reports = 0;
                var options = new FetchOptions
                {
                    Progress = (done, failed, total) =>
                    {
                        Thread.Sleep(100);
                        Interlocked.Increment(ref reports);
                    },
                };
                Task<string> one = tasks.FetchAsync("a", options);
                Request<string, string> request = Tap.Taken(requests);
                request.Resolve("a", "A");
                request.Finish();
                Tap.Equal(one.Result + Volatile.Read(ref reports), "A1", "reports of a single fetch");
                int calls = 0;
                Task each = tasks.FetchEachAsync(new[] { "b", "c" }, result =>
                {
                    Thread.Sleep(100);
                    Interlocked.Increment(ref calls);
                }, null, source.Token);
                Tap.Taken(requests);
                source.Cancel();
                Tap.BusyUntil(() => each.IsCompleted);
                Tap.Check(each.IsCanceled, "it is cancelled");
                Tap.Equal(Volatile.Read(ref calls), 2, "calls of a cancelled fetch");
            }
        });
        tap.Test("statistics count until they are reset", () =>
        {
            using (Tasks<string, string> tasks = Scenarios.Users(Scenarios.Config()))
            {
                tasks.FetchAllAsync(new[] { "a", "b", "no" }).Wait();
                tasks.Get("a");
                Tap.Equal($"{tasks.Stats().Hits} {tasks.Stats().Entries} {tasks.Stats().LoadsSucceeded}", "1 3 3", "numbers");
                Tap.Check(tasks.StatsJson().StartsWith("{", StringComparison.Ordinal) && tasks.StatsOpenMetrics().EndsWith("# EOF\n", StringComparison.Ordinal), "texts");
                tasks.ResetStats();
                Tap.Equal($"{tasks.Stats().Hits} {tasks.Stats().Entries}", "0 3", "after a reset");
            }
        });
    }
}
