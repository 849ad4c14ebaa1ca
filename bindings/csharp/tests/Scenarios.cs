using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Kvlight;

/// <summary>The scenarios that every language has.</summary>
internal static class Scenarios
{
    internal static Config<string, string> Config() => new Config<string, string>(Keys.Strings);

    /// <summary>Creates a cache whose provider answers "user KEY", and nothing for keys that begin with "no". Adds the keys asked for to
    /// `loaded`.</summary>
    internal static Tasks<string, string> Users(Config<string, string> config, ConcurrentQueue<string> loaded = null) => config.Load(keys =>
    {
        foreach (string key in keys)
            loaded?.Enqueue(key);
        return keys.Where(key => !key.StartsWith("no", StringComparison.Ordinal)).ToDictionary(key => key, key => "user " + key);
    });

    /// <summary>Creates a cache whose provider answers nothing, and adds each request to `requests`.</summary>
    internal static Tasks<string, string> Held(Config<string, string> config, BlockingCollection<Request<string, string>> requests) => config.Provide(request =>
    {
        requests.Add(request);
        return Task.CompletedTask;
    });

    internal static BlockingCollection<Request<string, string>> Requests() => new BlockingCollection<Request<string, string>>();

    /// <summary>Fetches a key, and keeps this thread busy until the result is delivered.</summary>
    internal static Result<string, V> Delivered<V>(Tasks<string, V> tasks, string key, FetchOptions options = null)
    {
        Result<string, V> result = null;
        tasks.FetchEachAsync(new[] { key }, each => Volatile.Write(ref result, each), options);
        Tap.BusyUntil(() => Volatile.Read(ref result) != null);
        return result;
    }

    internal static Status StatusOf(Task task)
    {
        Tap.BusyUntil(() => task.IsCompleted);
        return ((KvlightException)task.Exception.InnerException).Status;
    }

    internal static void Add(Tap tap)
    {
        tap.Test("hit", () =>
        {
            var loaded = new ConcurrentQueue<string>();
            using (Tasks<string, string> tasks = Users(Config(), loaded))
            {
                Tap.Equal(Delivered(tasks, "7").Value, "user 7", "loaded");
                Task<string> hit = tasks.FetchAsync("7");
                Tap.Check(hit.IsCompleted, "a hit is there at once");
                Tap.Equal(hit.Result, "user 7", "from the store");
                Tap.Equal(loaded.Count, 1, "keys loaded");
                Tap.Equal(tasks.Stats().Hits, 1, "hits");
                Tap.Check(tasks.Put("8", "put"), "put");
                Tap.Equal(tasks.Fetch("8"), "put", "what was put");
            }
        });
        tap.Test("null hit", () =>
        {
            var loaded = new ConcurrentQueue<string>();
            using (Tasks<string, string> tasks = Users(Config(), loaded))
            {
                Tap.Equal(Delivered(tasks, "nobody").Status, Status.Null, "loaded");
                Tap.Equal(tasks.Fetch("nobody"), null, "from the store");
                Tap.Equal(loaded.Count, 1, "keys loaded");
                Tap.Equal(tasks.Stats().NullHits, 1, "null hits");
            }
        });
        tap.Test("miss", () =>
        {
            var loaded = new ConcurrentQueue<string>();
            using (Tasks<string, string> tasks = Users(Config(), loaded))
            {
                Tap.Check(!tasks.TryGet("7", out _), "a lookup");
                Tap.Equal(Delivered(tasks, "7", new FetchOptions { Read = Read.CacheOnly }).Status, Status.Miss, "a fetch of the store only");
                Tap.Equal(loaded.Count, 0, "keys loaded");
                Tap.Equal(tasks.Fetch("7"), "user 7", "a fetch");
                Tap.Equal(loaded.Count, 1, "keys loaded");
            }
        });
        tap.Test("batch with duplicates", () =>
        {
            var loaded = new ConcurrentQueue<string>();
            using (Tasks<string, string> tasks = Users(Config(), loaded))
            {
                string[] keys = { "1", "2", "1", "nobody", "2" };
                IReadOnlyList<Result<string, string>> results = tasks.ResultsAsync(keys).Result;
                Tap.EqualLists(results.Select(result => result.Key), keys, "keys");
                Tap.EqualLists(results.Select(result => result.Value), new[] { "user 1", "user 2", "user 1", null, "user 2" }, "values");
                Tap.EqualLists(tasks.FetchAllAsync(keys).Result, new[] { "user 1", "user 2", "user 1", null, "user 2" }, "values");
                Tap.Equal(loaded.Count, 3, "keys loaded");
                Tap.Equal(tasks.FetchAllAsync(new string[0]).Result.Count, 0, "a batch of none");
            }
        });
        tap.Test("one failing key in a batch", () =>
        {
            var broken = new InvalidOperationException("b is broken");
            using (Tasks<string, string> tasks = Config().Provide(request =>
            {
                foreach (string key in request.Keys)
                    _ = key == "b" ? request.Fail(key, broken) : request.Resolve(key, key.ToUpperInvariant());
                request.Finish();
                return Task.CompletedTask;
            }))
            {
                IReadOnlyList<Result<string, string>> results = tasks.ResultsAsync(new[] { "a", "b", "c", "b" }).Result;
                Tap.Equal(results[0].Value + results[2].Value, "AC", "those that do not fail");
                Tap.Equal(results[1].Status, Status.ErrProvider, "the one that fails");
                Tap.Check(results[1].Error == broken && results[3].Error == broken, "the very exception");
                Tap.Check(Tap.Thrown<AggregateException>("all", () => tasks.FetchAllAsync(new[] { "a", "b" }).Wait()).InnerException == broken, "of all");
            }
        });
        tap.Test("retry then success", () =>
        {
            int attempts = 0;
            Config<string, string> config = Config();
            config.RetryCount = 5;
            using (Tasks<string, string> tasks = config.Load(keys => Interlocked.Increment(ref attempts) < 3
                ? throw new TimeoutException("not yet") : new Dictionary<string, string> { { "a", "at last" } }))
            {
                Result<string, string> result = Delivered(tasks, "a");
                Tap.Equal(result.Value, "at last", "value");
                Tap.Equal(result.Attempts, 3, "attempts");
                Tap.Equal(attempts, 3, "calls of the provider");
            }
        });
        tap.Test("timeout", () =>
        {
            BlockingCollection<Request<string, string>> requests = Requests();
            var soon = new FetchOptions { TimeoutMs = 20 };
            using (Tasks<string, string> tasks = Held(Config(), requests))
            {
                Tap.Equal(Delivered(tasks, "a", soon).Status, Status.ErrTimeout, "the status");
                Tap.Equal(Tap.Thrown<KvlightException>("Fetch", () => tasks.Fetch("b", soon)).Status, Status.ErrTimeout, "what is thrown");
                Tap.Check(!Tap.Taken(requests).IsCancelled, "the load goes on for the next");
            }
            var broken = new InvalidOperationException("not now");
            Config<string, string> config = Config();
            config.RetryCount = 1;
            config.RetryFixedMs = 60000;
            config.Clock = new ManualClock();
            using (Tasks<string, string> tasks = config.Load(keys => throw broken))
            {
                Task<IReadOnlyList<Result<string, string>>> fetched = tasks.ResultsAsync(new[] { "a" }, soon);
                Tap.BusyUntil(() => tasks.Stats().Attempts == 1 && tasks.Stats().Running == 0);
                config.Clock.Advance(20);
                Result<string, string> result = fetched.Result[0];
                Tap.Equal(result.Status + " " + result.Attempts, "ErrTimeout 1", "the error");
                Tap.Check(result.Error.InnerException == broken, "what the attempt had failed with");
            }
        });
        tap.Test("cancel", () =>
        {
            BlockingCollection<Request<string, string>> requests = Requests();
            using (Tasks<string, string> tasks = Held(Config(), requests))
            using (var source = new CancellationTokenSource())
            {
                Task<string> one = tasks.FetchAsync("a", null, source.Token), other = tasks.FetchAsync("a");
                Request<string, string> request = Tap.Taken(requests);
                source.Cancel();
                Tap.BusyUntil(() => one.IsCanceled);
                Tap.Check(!other.IsCompleted && !request.IsCancelled, "the other waits on");
                request.Resolve("a", "A");
                request.Finish();
                Tap.Equal(other.Result, "A", "the other");
                Tap.Check(tasks.FetchAsync("a", null, source.Token).IsCanceled, "a token that is cancelled before");
            }
        });
        tap.Test("close while loading", () =>
        {
            BlockingCollection<Request<string, string>> requests = Requests();
            Config<string, string> config = Config();
            config.TasksMaxRunning = 1;
            Tasks<string, string> tasks = Held(config, requests);
            Task<string>[] fetches = Enumerable.Range(0, 3).Select(i => tasks.FetchAsync("key " + i)).ToArray();
            Request<string, string> request = Tap.Taken(requests);
            tasks.Dispose();
            Tap.EqualLists(fetches.Select(StatusOf).Distinct(), new[] { Status.ErrClosed }, "each ends with CLOSED");
            Tap.Equal(StatusOf(tasks.FetchAsync("a")), Status.ErrClosed, "a fetch afterwards");
            Tap.Equal(Tap.Thrown<KvlightException>("late", () => request.Resolve("key 0", "late")).Status, Status.ErrClosed, "an answer afterwards");
            tasks.Dispose();
        });
        tap.Test("10,000 keys", () =>
        {
            var loaded = new ConcurrentQueue<string>();
            Config<string, string> config = Config();
            config.CacheCapacity = 20000;
            config.BatchMaxKeys = 500;
            using (Tasks<string, string> tasks = Users(config, loaded))
            {
                string[] keys = Enumerable.Range(0, 10000).Select(i => "key " + i).ToArray();
                Tap.EqualLists(tasks.FetchAllAsync(keys).Result, keys.Select(key => "user " + key), "values");
                Tap.Equal(loaded.Count, 10000, "keys loaded");
                Tap.Equal(tasks.FetchAllAsync(keys).Result.Count, 10000, "hits");
                Tap.Equal(loaded.Count, 10000, "keys loaded, still");
            }
        });
        tap.Test("callback that fetches", () =>
        {
            using (Tasks<string, string> tasks = Users(Config()))
            {
                Task<string> waited = tasks.FetchAsync("a").ContinueWith(first => tasks.Fetch("b"), TaskContinuationOptions.ExecuteSynchronously);
                Task<string> chained = tasks.FetchAsync("c").ContinueWith(first => tasks.FetchAsync(first.Result + " once more")).Unwrap();
                Tap.Equal(waited.Result, "user b", "a fetch that waits, inside a continuation");
                Tap.Equal(chained.Result, "user user c once more", "a fetch begun inside a continuation");
            }
        });
        tap.Test("object value whose destructor is counted", () =>
        {
            var made = new ConcurrentQueue<object>();
            var dropped = new ConcurrentQueue<object>();
            var config = new Config<string, object>(Keys.Strings) { CacheCapacity = 10, Dropped = dropped.Enqueue };
            using (Tasks<string, object> tasks = config.LoadOneAsync((key, token) =>
            {
                object value = new[] { key };
                made.Enqueue(value);
                return Task.FromResult(value);
            }))
            {
                object kept = tasks.Fetch("key 1");
                Tap.Check(ReferenceEquals(tasks.Fetch("key 1"), kept), "the very object");
                for (int i = 0; i < 100; i++)
                    Tap.Equal(((string[])tasks.Fetch("key " + i))[0], "key " + i, "value");
                tasks.Remove("key 99");
            }
            Tap.Equal(dropped.Count, made.Count, "objects dropped");
            Tap.Equal(new HashSet<object>(dropped).Count, made.Count, "each once");
        });
    }
}
