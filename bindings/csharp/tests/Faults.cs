using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Kvlight;

/// <summary>What goes wrong: functions of the program that throw or close, objects that are dropped without Dispose, libraries that do not
/// load.</summary>
internal static class Faults
{
    /// <summary>A value whose Equals calls a function of the test.</summary>
    private sealed class Equal
    {
        private readonly Action compared;

        internal Equal(Action compared)
        {
            this.compared = compared;
        }

        public override bool Equals(object other)
        {
            compared();
            return false;
        }

        public override int GetHashCode() => 0;
    }

    /// <summary>An exception whose Message calls a function of the test.</summary>
    private sealed class DisposingException : Exception
    {
        private readonly Action asked;

        internal DisposingException(Action asked)
        {
            this.asked = asked;
        }

        public override string Message
        {
            get
            {
                asked();
                return "made";
            }
        }
    }

    private const BindingFlags Any = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance;

    /// <summary>The value of a field or property that may be private.</summary>
    private static object Hidden(object owner, string name) =>
        owner.GetType().GetField(name, Any)?.GetValue(owner) ?? owner.GetType().GetProperty(name, Any).GetValue(owner);

    /// <summary>A scheduler that, before it starts a task, waits for a lock of the test.</summary>
    private sealed class Locked : TaskScheduler
    {
        internal readonly ManualResetEventSlim Asked = new ManualResetEventSlim(false);

        protected override void QueueTask(Task task)
        {
            Asked.Set();
            lock (this)
                new Thread(() => TryExecuteTask(task)).Start();
        }

        protected override bool TryExecuteTaskInline(Task task, bool wasQueued) => false;

        protected override IEnumerable<Task> GetScheduledTasks() => Enumerable.Empty<Task>();
    }

    /// <summary>The largest number of objects that the package's table has ever had.</summary>
    private static int MostObjects<V>(Store<string, V> store) => (int)Hidden(Hidden(Hidden(store, "Engine"), "Objects"), "places");

    /// <summary>Puts from several threads at the same time.</summary>
    private static void PutFrom(int writers, Action<int> put)
    {
        Thread[] threads = Enumerable.Range(0, writers).Select(n => new Thread(() =>
        {
            for (int i = n; i < ManyPuts; i += writers)
                put(i);
        })).ToArray();
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
    }

    private const int ManyPuts = 40000;

    internal static void Add(Tap tap)
    {
        tap.Test("functions that throw harm nothing else", () =>
        {
            var reported = new ConcurrentQueue<Exception>();
            var config = new Config<string, string>(Keys.Strings)
            {
                CacheCapacity = 1, FailureHandler = reported.Enqueue, Dropped = value => throw new InvalidOperationException("dropped"),
            };
            using (Tasks<string, string> tasks = Scenarios.Users(config))
            {
                tasks.FetchAsync("a").ContinueWith(fetched => throw new InvalidOperationException("continuation"));
                tasks.FetchEachAsync(new[] { "b", "c" }, result => throw new InvalidOperationException("consumer")).Wait();
                var options = new FetchOptions { Progress = (done, failed, total) => throw new InvalidOperationException("progress") };
                tasks.ResultsAsync(new[] { "e" }, options).Wait();
                Tap.Equal(tasks.Fetch("d"), "user d", "a fetch afterwards");
            }
            foreach (string what in new[] { "dropped", "consumer", "progress" })
                Tap.Check(reported.Any(error => error.Message == what), what + " is reported");
        });
        tap.Test("a provider may throw, return null, or be cancelled", () =>
        {
            var broken = new TimeoutException("broken");
            using (Tasks<string, string> tasks = Scenarios.Config().Load(keys => keys[0] == "a" ? throw broken : (IReadOnlyDictionary<string, string>)null))
            {
                Tap.Check(Tap.Thrown<TimeoutException>("Fetch", () => tasks.Fetch("a")) == broken, "the very exception");
                Tap.Thrown<InvalidOperationException>("a dictionary that is null", () => tasks.Fetch("b"));
            }
            int calls = 0;
            using (Tasks<string, string> tasks = new Config<string, string>(Keys.Strings) { RetryCount = 5 }.Load(keys =>
            {
                Interlocked.Increment(ref calls);
                throw new PermanentException("for good");
            }))
            {
                Tap.Equal(Tap.Thrown<PermanentException>("Fetch", () => tasks.Fetch("a")).Message + calls, "for good1", "not retried");
            }
            using (Tasks<string, string> tasks = Scenarios.Config().LoadAsync(async (keys, token) =>
            {
                await Task.Delay(Timeout.Infinite, token);
                return null;
            }))
            using (var source = new CancellationTokenSource())
            {
                Task<string> left = tasks.FetchAsync("a", null, source.Token);
                Tap.BusyUntil(() => tasks.Stats().Running == 1);
                source.Cancel();
                Tap.BusyUntil(() => left.IsCanceled && tasks.Stats().Running == 0);
            }
        });
        tap.Test("a provider's exception states the pause before the retry", () =>
        {
            var clock = new ManualClock();
            var asked = new BlockingCollection<int>();
            var config = new Config<string, string>(Keys.Strings) { Clock = clock, RetryCount = 1, RetryFixedMs = 0 };
            using (Tasks<string, string> tasks = config.Provide(request =>
            {
                asked.Add(request.Attempt("a"));
                if (request.Attempt("a") == 1)
                    throw new RetryAfterException("later", 500);
                request.Resolve("a", "A");
                request.Finish();
                return Task.CompletedTask;
            }))
            {
                Task<string> fetched = tasks.FetchAsync("a");
                Tap.Equal(Tap.Taken(asked), 1, "the first attempt");
                Tap.BusyUntil(() => tasks.Stats().Running == 0);
                clock.Advance(499);
                Tap.Check(!fetched.IsCompleted, "not before the pause is over");
                clock.Advance(1);
                Tap.Equal(fetched.Result, "A", "the value");
            }
        });
        tap.Test("a provider, a continuation, Dropped and the function of Save may call Dispose", () =>
        {
            for (int i = 0; i < 10; i++)
            {
                Tasks<string, string> self = null;
                self = Scenarios.Config().Load(keys =>
                {
                    Tap.BusyUntil(() => Volatile.Read(ref self) != null);
                    self.Dispose();
                    return new Dictionary<string, string>();
                });
                Tap.Equal(Scenarios.StatusOf(self.FetchAsync("a")), Status.ErrClosed, "in a provider");
                Tasks<string, string> other = Scenarios.Users(Scenarios.Config());
                other.FetchAsync("a").ContinueWith(fetched => other.Dispose()).Wait();
                Tap.Check(other.IsClosed, "in a continuation");
            }
            Cache<string, string> cache = null;
            var dropped = new ConcurrentQueue<string>();
            cache = new Config<string, string>(Keys.Strings)
            {
                CacheCapacity = 1,
                Dropped = value =>
                {
                    dropped.Enqueue(value);
                    cache.Dispose();
                },
            }.Cache();
            cache.Put("a", "A");
            cache.Put("b", "B");
            Tap.BusyUntil(() => dropped.Count == 2);
            cache.Dispose();
            Cache<string, string> saved = Scenarios.Config().Cache();
            saved.Put("a", "A");
            string file = Path.GetTempFileName();
            saved.Save(file, value =>
            {
                saved.Dispose();
                return new byte[1];
            });
            saved.Dispose();
            File.Delete(file);
        });
        tap.Test("l05 Dispose in Equals, in a form of keys, or in an exception's Message does not wait for itself", () =>
        {
            Cache<string, object> compared = new Config<string, object>(Keys.Strings).Cache();
            compared.Put("a", new Equal(() => compared.Dispose()));
            Store<string, string> read = null;
            var keys = new Keys<string>(Encoding.UTF8.GetBytes, bytes =>
            {
                read.Dispose();
                return "a";
            });
            read = new Config<string, string>(keys).Cache();
            read.Put("a", "A");
            Tasks<string, string> failing = null;
            failing = Scenarios.Config().Load(wanted =>
            {
                Tap.BusyUntil(() => Volatile.Read(ref failing) != null);
                throw new DisposingException(() => failing.Dispose());
            });
            foreach (Action call in new Action[]
            {
                () => compared.Replace("a", "A", "b"),
                () => read.Count(),
                () => ((Task)failing.FetchAsync("a")).ContinueWith(fetched => fetched.Exception).Wait(),
            })
            {
                Task done = Task.Run(() =>
                {
                    try
                    {
                        call();
                    }
                    catch (KvlightException)
                    {
                        // The Tasks may have been closed before this call.
                    }
                });
                Tap.Check(done.Wait(20000), "Dispose waits for itself");
            }
            compared.Dispose();
            read.Dispose();
            failing.Dispose();
        });
        tap.Test("f01 a result whose object is missing fails its fetch", () =>
        {
            var reported = new ConcurrentQueue<Exception>();
            using (Tasks<string, int> tasks = new Config<string, int>(Keys.Strings) { FailureHandler = reported.Enqueue }.Load(keys => null))
            {
                tasks.Put("a", 1);
                // Removes the value from the package's table, so that the library has a number without an object.
                object engine = Hidden(tasks, "Engine"), objects = Hidden(engine, "Objects");
                objects.GetType().GetMethod("Remove", Any).Invoke(objects, new object[] { 1L });
                Task each = tasks.FetchEachAsync(new[] { "a" }, result => { });
                Task all = tasks.ResultsAsync(new[] { "a", "b" });
                foreach (Task fetched in new[] { each, all })
                {
                    Tap.BusyUntil(() => fetched.IsCompleted);
                    Tap.Check(fetched.Exception?.InnerException is NullReferenceException, "the exception");
                }
            }
        });
        tap.Test("f01 callers that block every thread of the pool are answered", () =>
        {
            // In a process of its own, which makes its pool small.
            foreach (string call in new[] { "Fetch", "FetchAll", "FetchEach", "Results", "Progress" })
                Tap.Equal(Child("crowd " + call, null), "all answered\n", call);
        });
        tap.Test("a drain lets accepted work finish", () =>
        {
            BlockingCollection<Request<string, string>> requests = Scenarios.Requests();
            Tasks<string, string> tasks = Scenarios.Held(Scenarios.Config(), requests);
            Task<string> fetched = tasks.FetchAsync("a");
            Request<string, string> request = Tap.Taken(requests);
            Task end = tasks.CloseAsync();
            Tap.Equal(Scenarios.StatusOf(tasks.FetchAsync("b")), Status.ErrClosed, "a fetch meanwhile");
            request.Resolve("a", "A");
            request.Finish();
            Tap.Equal(fetched.Result, "A", "the value");
            end.Wait();
        });
        tap.Test("threads that fetch while Dispose is called end with CLOSED", () =>
        {
            Tasks<string, string> tasks = Scenarios.Users(new Config<string, string>(Keys.Strings) { CacheCapacity = 100 });
            var ends = new BlockingCollection<Status>();
            for (int n = 0; n < 4; n++)
            {
                int many = n * 100 + 1;
                new Thread(() =>
                {
                    try
                    {
                        for (int i = 0;; i++)
                            tasks.Fetch("key " + i % many);
                    }
                    catch (KvlightException e)
                    {
                        ends.Add(e.Status);
                    }
                }) { IsBackground = true }.Start();
            }
            Tap.BusyUntil(() => tasks.Stats().Misses > 500);
            tasks.Dispose();
            for (int n = 0; n < 4; n++)
                Tap.Equal(Tap.Taken(ends), Status.ErrClosed, "the status");
        });
        Answers(tap);
        Mistakes(tap);
        Lives(tap);
        Loading(tap);
    }

    private static void Answers(Tap tap)
    {
        tap.Test("f15 a second answer for a key is not in time, and fails no other key", () =>
        {
            var said = new BlockingCollection<string>();
            using (Tasks<string, string> tasks = Scenarios.Config().Provide(request =>
            {
                string first = $"{request.Resolve("a", "A")} {request.Resolve("a", "again")} {request.Fail("a", new IOException("late"))}";
                request.Resolve("b", "B");
                request.Finish();
                string then = $"{request.Resolve("b", "again")} {request.Fail("b", new IOException("late"))} {request.NotModified("b")} {request.Heartbeat()}";
                Tap.Check(request.Stale("b") == null, "what is held");
                request.Finish();
                request.Finish(new IOException("late"));
                said.Add(first + " " + then);
                return Task.CompletedTask;
            }))
            {
                Tap.EqualLists(tasks.FetchAllAsync(new[] { "a", "b" }).Result, new[] { "A", "B" }, "the values");
                Tap.Equal(Tap.Taken(said), "True False False False False False False", "whether the answers were in time");
            }
        });
        tap.Test("f04 a provider that changes the arrays that it received answers the same keys", () =>
        {
            using (Tasks<byte[], string> tasks = new Config<byte[], string>(Keys.Bytes) { BatchMaxKeys = 10 }.LoadOneAsync((key, token) =>
            {
                string value = "value " + key[0];
                key[0] = 9;
                return Task.FromResult(value);
            }))
            {
                IReadOnlyList<string> values = tasks.FetchAllAsync(new[] { new byte[] { 1 }, new byte[] { 2 } }).Result;
                Tap.EqualLists(values, new[] { "value 1", "value 2" }, "the values");
            }
            using (Tasks<string, string> tasks = Scenarios.Config().Load(keys =>
            {
                Tap.Thrown<NotSupportedException>("cleared", () => ((IList<string>)keys).Clear());
                return new Dictionary<string, string> { { "a", "A" }, { "b", "B" } };
            }))
            {
                Tap.EqualLists(tasks.FetchAllAsync(new[] { "b", "a" }).Result, new[] { "B", "A" }, "the values");
            }
        });
        tap.Test("f21 a provider that waits for a key that it is to answer is refused", () =>
        {
            Tasks<string, string> self = null;
            var refused = new ConcurrentQueue<Status>();
            self = new Config<string, string>(Keys.Strings) { CacheTtlMs = 60000 }.Provide(request =>
            {
                Tap.BusyUntil(() => Volatile.Read(ref self) != null);
                string key = request.Keys[0];
                if (key == "a")
                {
                    refused.Enqueue(Tap.Thrown<KvlightException>("its own key", () => self.Fetch("a")).Status);
                    Tap.Equal(self.Fetch("b"), "B", "another key");
                }
                request.Resolve(key, key.ToUpperInvariant());
                Tap.Equal(self.Fetch(key), key.ToUpperInvariant(), "its own key, answered");
                request.Finish();
                return Task.CompletedTask;
            });
            Task<string> fetched = self.FetchAsync("a");
            Tap.Check(fetched.Wait(60000), "it waits for itself");
            Tap.Equal(fetched.Result, "A", "the value");
            Tap.EqualLists(refused, new[] { Status.ErrReentrant }, "the status");
            self.Dispose();
        });
        tap.Test("l04 a value that is stored several times is dropped once, when none of its entries is left", () =>
        {
            var dropped = new ConcurrentQueue<string>();
            string value = "A";
            using (Cache<string, string> cache = new Config<string, string>(Keys.Strings) { Dropped = dropped.Enqueue }.Cache())
            {
                cache.Put("a", value);
                cache.Put("b", value);
                cache.Put("b", value, new Terms { TtlMs = 60000 });
                cache.Remove("a");
                cache.Put("other", "B");
                cache.Remove("other");
                Tap.BusyUntil(() => dropped.Count > 0);
                Tap.EqualLists(dropped, new[] { "B" }, "dropped while the cache has the other");
                cache.Clear();
                Tap.BusyUntil(() => dropped.Count == 2);
                cache.Put("a", value);
            }
            Tap.EqualLists(dropped, new[] { "B", "A", "A" }, "dropped");
        });
        tap.Test("l05 Dispose does not wait for a thread of the pool", () =>
        {
            Tap.Equal(Child("full", null), "disposed\n", "what it says");
            Tap.Equal(Child("full Dropped", null), "disposed\n", "what it says with a function for dropped values");
        });
    }

    /// <summary>Calls again and again what throws one exception; fails if its trace grows.</summary>
    private static void DoesNotGrow(Action call)
    {
        Tap.Thrown<IOException>("the first call", call);
        int second = Tap.Thrown<IOException>("the second call", call).StackTrace.Length;
        for (int i = 0; i < 20; i++)
            Tap.Equal(Tap.Thrown<IOException>("a later call", call).StackTrace.Length, second, "the length of the trace");
    }

    /// <summary>Fails if the message of what a call throws does not contain a text.</summary>
    private static void Refused(string what, Action call)
    {
        Exception error = Tap.Thrown<Exception>(what, call);
        Tap.Check(error.Message.Contains(what), $"{error} does not contain: {what}");
    }

    private static void Mistakes(Tap tap)
    {
        tap.Test("l09 what is refused is named", () =>
        {
            var clock = new ManualClock();
            using (Tasks<string, string> tasks = Scenarios.Users(new Config<string, string>(Keys.Strings) { Clock = clock }))
            {
                Refused("TtlMs", () => tasks.Put("a", "A", new Terms { TtlMs = -2 }));
                Refused("StaleTtlMs", () => tasks.Put("a", "A", new Terms { StaleTtlMs = -2 }));
                Refused("Priority", () => tasks.Put("a", "A", new Terms { Priority = double.NaN }));
                Refused("Cost", () => tasks.Put("a", "A", new Terms { Cost = -3 }));
                Refused("Version", () => tasks.Put("a", "A", new Terms { Version = new string('v', 256) }));
                Refused("Tags", () => tasks.Put("a", "A", new Terms { Tags = Enumerable.Repeat("t", 17).ToArray() }));
                Refused("a tag", () => tasks.Put("a", "A", new Terms { Tags = new string[] { null } }));
                Refused("Condition", () => tasks.Put("a", "A", new Terms { Condition = (Condition)3 }));
                Refused("keys", () => tasks.GetAll(null));
                Refused("keys", () => tasks.FetchAllAsync(null));
                Refused("circuit breaker", () => tasks.ForceBreaker((BreakerState)7));
                Refused("cache.policy", () => Scenarios.Config().CachePolicy = (CachePolicy)7);
                Refused("a tag", () => tasks.RemoveTag(""));
                Refused("a tag", () => tasks.ExpireTag(new string('t', 256)));
                Refused("timeout_ms", () => tasks.FetchAllAsync(new[] { "a" }, new FetchOptions { TimeoutMs = 0 }));
                Refused("path", () => tasks.Load(null, bytes => ""));
                Refused("-5", () => clock.Advance(-5));
                Refused("-1", () => new ManualClock(-1));
                Refused("TTL", () => tasks.Touch("a", 0));
                Refused("TTL", () => tasks.Touch("a", -2));
                Refused("share", () => tasks.Trim(1.5));
                Refused("-1", () => tasks.TrimTo(-1));
                Refused("capacity", () => tasks.Resize(-1));
                Refused("drain", () => tasks.CloseAsync(-2));
                Refused("-1", () => new FetchOptions { ProgressStep = -1 });
                var options = new FetchOptions();
                options.Set("timeout_ms\0x", 5);
                Refused("NUL", () => tasks.FetchAsync("a", options).Wait());
            }
            Config<string, string> config = Scenarios.Config();
            config.Set("cache.policy", "lru\0x");
            Refused("NUL", () => config.Cache());
            var shared = new Config<string, string>(Keys.Strings) { L2Url = "redis://:secret@a/?prefix=a\0b", Encode = text => null, Decode = bytes => null };
            Exception url = Tap.Thrown<Exception>("a URL", () => Scenarios.Users(shared));
            Tap.Check(url.Message.Contains("L2Url contains the character NUL") && !url.Message.Contains("secret"), url.ToString());
            using (Tasks<string, string> tasks = Scenarios.Config().LoadAsync((keys, token) => null))
                Refused("not a task", () => tasks.Fetch("a"));
            using (Tasks<string, string> tasks = Scenarios.Config().LoadOneAsync((key, token) => null))
                Refused("not a task", () => tasks.Fetch("a"));
            using (Tasks<string, string> tasks = Scenarios.Config().Provide(request =>
            {
                request.Resolve("a", "A", new Terms { Condition = Condition.IfAbsent });
                return Task.CompletedTask;
            }))
            {
                Refused("for puts", () => tasks.Fetch("a"));
            }
            using (Cache<string, string> cache = new Config<string, string>(new Keys<string>(key => null, bytes => "")).Cache())
                Refused("encodes keys returned null", () => cache.Get("a"));
            using (Tasks<string, string> tasks = Scenarios.Users(new Config<string, string>(new Keys<string>(Encoding.UTF8.GetBytes, bytes => null))))
                Refused("decodes keys returned null", () => tasks.Fetch("a"));
        });
        tap.Test("l09 a setting takes any type of number, and a boolean only where it wants one", () =>
        {
            foreach (object five in new object[] { (byte)5, (sbyte)5, (short)5, (ushort)5, 5, 5u, 5L, 5ul, 5m, "5" })
            {
                Config<string, string> config = Scenarios.Config();
                config.Set("cache.capacity", five);
                Tap.Equal(config.CacheCapacity, 5L, "what was set as " + five.GetType());
                using (Cache<string, string> cache = config.Cache())
                {
                    for (int i = 0; i < 10; i++)
                        cache.Put("key " + i, "value");
                    Tap.Equal(cache.Count, 5, "entries, with " + five.GetType());
                }
            }
            foreach (object wrong in new object[] { true, 5.5m, ulong.MaxValue, 5.5 })
            {
                Config<string, string> config = Scenarios.Config();
                config.Set("cache.capacity", wrong);
                Refused("cache.capacity", () => config.Cache());
            }
            Config<string, string> accepted = Scenarios.Config();
            accepted.Set("cache.timer", false);
            accepted.Set("retry.jitter", 0.5f);
            accepted.Cache().Dispose();
            Refused("the CachePolicy Lru", () => accepted.Set("cache.policy", CachePolicy.Lru));
            Refused("not null", () => accepted.Set("cache.policy", null));
        });
        tap.Test("s03 f17 the total cost saturates, and a negative cost concerns its own key", () =>
        {
            var config = new Config<string, string>(Keys.Strings) { Cost = value => value == "user bad" ? -1 : long.MaxValue };
            using (Tasks<string, string> tasks = Scenarios.Users(config))
            {
                IReadOnlyList<Result<string, string>> results = tasks.ResultsAsync(new[] { "a", "bad", "b" }).Result;
                Tap.Equal(results[0].Value + results[2].Value, "user auser b", "the others");
                Tap.Check(results[1].Error is ArgumentOutOfRangeException, "the error: " + results[1].Error);
                Tap.Equal(tasks.TotalCost, long.MaxValue, "the total");
                Tap.Equal(tasks.Stats().Cost, long.MaxValue, "the total in the statistics");
                Refused("-1", () => tasks.Put("c", "user bad"));
            }
        });
        tap.Test("s18 a load refuses keys of another type, and values that are null", () =>
        {
            string file = Path.GetTempFileName();
            using (Cache<string, string> cache = Scenarios.Config().Cache())
            {
                cache.Put("abc", "A");
                cache.Save(file, Encoding.UTF8.GetBytes);
                cache.Clear();
                Refused("decodes values returned null", () => cache.Load(file, bytes => null));
                Tap.Check(!cache.Contains("abc"), "nothing is stored");
            }
            using (Cache<long, string> cache = new Config<long, string>(Keys.Longs).Cache())
            {
                Refused("not a long", () => cache.Load(file, Encoding.UTF8.GetString));
                Tap.Equal(cache.Count, 0L, "entries");
                cache.Put(-2, "A");
                cache.Save(file, Encoding.UTF8.GetBytes);
            }
            using (Cache<int, string> cache = new Config<int, string>(Keys.Ints).Cache())
                Refused("not an int", () => cache.Load(file, Encoding.UTF8.GetString));
            using (Cache<Guid, string> cache = new Config<Guid, string>(Keys.Guids).Cache())
                Refused("not a Guid", () => cache.Load(file, Encoding.UTF8.GetString));
            using (Cache<string, string> cache = Scenarios.Config().Cache())
                Refused("not UTF-8", () => cache.Load(file, Encoding.UTF8.GetString));
            File.Delete(file);
        });
    }

    /// <summary>How many threads the Tasks and Caches of this process have, those of the library included.</summary>
    private static int Threads() => Directory.GetDirectories("/proc/self/task").Count(task =>
    {
        try
        {
            string name = File.ReadAllText(task + "/comm").Trim();
            return name.StartsWith("kvl-", StringComparison.Ordinal) || name == "kvlight pump";
        }
        catch (IOException)
        {
            return false; // The thread has ended.
        }
    });

    // These methods keep references off the test's own stack, where Mono's conservative collector would find them.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void DropSome()
    {
        var thread = new Thread(() =>
        {
            for (int i = 0; i < 10; i++)
            {
                Scenarios.Users(new Config<string, string>(Keys.Strings) { CacheTtlMs = 60000 }).Fetch("a");
                new Config<string, object>(Keys.Strings) { CacheTtlMs = 60000 }.Cache().Put("a", new object());
            }
        });
        thread.Start();
        thread.Join();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Task CloseOneThatRetries(ManualClock clock, BlockingCollection<int> attempts)
    {
        var config = new Config<string, string>(Keys.Strings) { Clock = clock, RetryCount = 1, RetryFixedMs = 1000 };
        Tasks<string, string> tasks = config.Provide(request =>
        {
            int attempt = request.Attempt("a");
            if (attempt == 1)
                request.Fail("a", new IOException("down"));
            else
                request.Resolve("a", "A");
            request.Finish();
            attempts.Add(attempt);
            return Task.CompletedTask;
        });
        tasks.Refresh(new[] { "a" });
        Tap.Equal(Tap.Taken(attempts), 1, "the first attempt");
        Tap.BusyUntil(() => tasks.Stats().Running == 0);
        return tasks.CloseAsync();
    }

    private static void Lives(Tap tap)
    {
        tap.Test("the threads of what is dropped without Dispose end", () =>
        {
            DropSome();
            // There were about 40 threads. Mono's collector scans stacks conservatively, so a few of the engines may be left.
            Tap.CollectedUntil(() => Threads() <= 6, "threads are left");
        });
        tap.Test("a request that is dropped unfinished fails its open keys", () =>
        {
            using (Tasks<string, string> tasks = Scenarios.Config().Provide(request =>
            {
                request.CancellationToken.ThrowIfCancellationRequested();
                request.Resolve("a", "A");
                return Task.CompletedTask;
            }))
            {
                Task<IReadOnlyList<Result<string, string>>> fetched = tasks.ResultsAsync(new[] { "a", "b" });
                Tap.CollectedUntil(() => fetched.IsCompleted, "the request is not finished");
                Tap.Equal(fetched.Result[1].Status, Status.ErrUnanswered, "the open key");
                object hooks = Hidden(Hidden(tasks, "Engine"), "Hooks");
                Tap.Check(hooks.GetType().GetMethod("Find", Any).Invoke(hooks, new object[] { 1L }) == null, "its cancel hook is removed");
            }
        });
        tap.Test("l05 a Tasks that is dropped while it drains finishes its work", () =>
        {
            var clock = new ManualClock();
            var attempts = new BlockingCollection<int>();
            const int Many = 10;
            var ends = new Task[Many];
            var thread = new Thread(() =>
            {
                for (int i = 0; i < Many; i++)
                    ends[i] = CloseOneThatRetries(clock, attempts);
            });
            thread.Start();
            thread.Join();
            // The threads that ran the providers may have references to the stores on their stacks. After 2 idle seconds these threads end.
            var began = Stopwatch.StartNew();
            Tap.CollectedUntil(() => began.ElapsedMilliseconds > 3000, "");
            clock.Advance(1000);
            for (int i = 0; i < Many; i++)
                Tap.Equal(Tap.Taken(attempts), 2, "an attempt that was accepted");
            Task.WaitAll(ends);
        });
        tap.Test("l04 an open enumerator does not keep values from being dropped", () =>
        {
            var dropped = new ConcurrentQueue<string>();
            Cache<string, string> cache = new Config<string, string>(Keys.Strings) { Dropped = dropped.Enqueue }.Cache();
            cache.Put("a", "A");
            cache.Put("b", "B");
            IEnumerator<KeyValuePair<string, string>> entries = cache.GetEnumerator();
            cache.Dispose();
            Tap.EqualLists(dropped.OrderBy(value => value), new[] { "A", "B" }, "dropped when Dispose returns");
            GC.KeepAlive(entries);
        });
        tap.Test("objects live as long as the store holds them", () =>
        {
            using (Cache<string, object> cache = new Config<string, object>(Keys.Strings) { CacheCapacity = 100 }.Cache())
            {
                var references = new List<WeakReference>();
                var thread = new Thread(() =>
                {
                    for (int i = 0; i < 200; i++)
                    {
                        object value = new byte[1000];
                        references.Add(new WeakReference(value));
                        cache.Put("key " + i, value);
                    }
                });
                thread.Start();
                thread.Join();
                Tap.CollectedUntil(() => references.Count(reference => reference.IsAlive) <= cache.Count + 2, "evicted objects stay");
                Tap.Check(references.Count(reference => reference.IsAlive) >= cache.Count, "objects in the store");
                cache.Clear();
                Tap.CollectedUntil(() => references.Count(reference => reference.IsAlive) <= 2, "removed objects stay");
            }
        });
        tap.Test("r13 s20 the trace of an exception that is delivered again and again does not grow", () =>
        {
            var config = new Config<string, string>(Keys.Strings) { CacheErrorTtlMs = 600000 };
            using (Tasks<string, string> tasks = config.Load(keys => throw new IOException("down")))
            {
                Result<string, string> held = tasks.ResultsAsync(new[] { "a" }).Result[0];
                DoesNotGrow(() => tasks.Fetch("a"));
                DoesNotGrow(() => tasks.FetchAllAsync(new[] { "a", "a" }).GetAwaiter().GetResult());
                DoesNotGrow(() => tasks.ResultsAsync(new[] { "a" }).Result[0].OrThrow());
                DoesNotGrow(() => held.OrThrow());
                Tap.Check(held.Error.StackTrace.Contains("<Lives>"), "where the provider threw it: " + held.Error.StackTrace);
            }
            var same = new IOException("always the same");
            using (Tasks<string, string> tasks = Scenarios.Config().Load(keys => throw same))
            {
                int loads = 0;
                DoesNotGrow(() => tasks.Fetch("key " + loads++));
                for (int i = 0; i < 20; i++)
                    ((Task)Task.WhenAny(tasks.FetchAsync("other " + i))).Wait();
                DoesNotGrow(() => tasks.Fetch("key " + loads++));
            }
        });
        tap.Test("s11a s20 values that writers replace and evict do not pile up", () =>
        {
            // 100 in the cache, as many that wait, and a few in calls and until the next look; more if the pump gets no time at all.
            const int Most = 1000;
            string file = Path.GetTempFileName();
            var config = new Config<string, string>(Keys.Strings) { CacheCapacity = 100 };
            using (Cache<string, string> evicts = config.Cache(), replaces = config.Cache(), loads = config.Cache())
            using (Cache<string, string> saves = new Config<string, string>(Keys.Strings) { CacheCapacity = ManyPuts }.Cache())
            {
                PutFrom(4, i => evicts.Put("key " + i, "value"));
                Tap.Check(MostObjects(evicts) <= Most, "evicted: " + MostObjects(evicts));
                PutFrom(2, i => replaces.Put("key", "value"));
                Tap.Check(MostObjects(replaces) <= Most, "replaced: " + MostObjects(replaces));
                PutFrom(1, i => saves.Put("key " + i, "value"));
                saves.Save(file, value => new byte[1]);
                loads.Load(file, bytes => "loaded");
                Tap.Check(MostObjects(loads) <= Most, "loaded: " + MostObjects(loads));
            }
            File.Delete(file);
            config = new Config<string, string>(Keys.Strings) { CacheCapacity = ManyPuts, CacheCostLimit = 100000, CacheShards = 1, Cost = value => 1000 };
            using (Cache<string, string> costly = config.Cache())
            {
                PutFrom(4, i => costly.Put("key " + i, "value"));
                Tap.Check(MostObjects(costly) <= 300, "evicted because of their cost: " + MostObjects(costly));
            }
            using (Tasks<string, string> extra = new Config<string, string>(Keys.Strings) { CacheCapacity = 100 }.Provide(async request =>
            {
                await Task.Yield();
                PutFrom(2, i => request.Resolve("key " + i, "value"));
                request.Finish();
            }))
            {
                extra.Fetch("a");
                Tap.Check(MostObjects(extra) <= Most, "answered: " + MostObjects(extra));
            }
        });
        tap.Test("l01 l03 a function of the program that puts, or holds up a put, waits for nothing", () =>
        {
            Tasks<string, string> self = null;
            int dropped = 0;
            var config = new Config<string, string>(Keys.Strings)
            {
                CacheCapacity = 16,
                Dropped = value => Tap.Check(Interlocked.Increment(ref dropped) > 20000 || self.Put("of Dropped " + dropped, "value " + dropped), "put"),
                Removed = (key, value, cause) => Tap.Check(dropped > 20000 || self.Put("of Removed " + dropped, "value " + dropped), "put"),
            };
            self = config.Load(keys =>
            {
                for (int i = 0; i < 5000; i++)
                    self.Put("of the provider " + i, "value " + i);
                return new Dictionary<string, string> { { "a", "A" } };
            });
            Task<string> fetched = self.FetchAsync("a");
            Tap.Check(fetched.Wait(60000), "the provider waits");
            Tap.BusyUntil(() => Volatile.Read(ref dropped) > 20000);
            Task disposed = Task.Run(() => self.Dispose());
            Tap.Check(disposed.Wait(60000), "Dispose waits");
            var scheduler = new Locked();
            using (Tasks<string, string> tasks = Scenarios.Users(new Config<string, string>(Keys.Strings) { CacheCapacity = 16, Scheduler = scheduler }))
            {
                var writer = new Thread(() =>
                {
                    lock (scheduler)
                    {
                        fetched = tasks.FetchAsync("a");
                        scheduler.Asked.Wait();
                        for (int i = 0; i < 5000; i++)
                            tasks.Put("key " + i, "value");
                    }
                });
                writer.Start();
                Tap.Check(writer.Join(20000), "the writer waits for the scheduler, which waits for it");
                Tap.Equal(fetched.Result, "user a", "the value");
            }
        });
        tap.Test("300 engines open and close, one after the other", () =>
        {
            for (int i = 0; i < 300; i++)
            {
                using (Tasks<string, string> tasks = Scenarios.Users(Scenarios.Config()))
                    Tap.Equal(tasks.Fetch("a"), "user a", "value");
            }
        });
    }

    private static void Loading(Tap tap)
    {
        tap.Test("each use of a library that does not load throws the real cause", () =>
        {
            string said = Child("twice", "/nowhere/libkvlight.so");
            Tap.Equal(said.Split(new[] { "kvlight: no library found; tried /nowhere/libkvlight.so (" }, StringSplitOptions.None).Length, 3, said);
            string other = Environment.GetEnvironmentVariable("KVL_OTHER_LIBRARY");
            if (other != null)
                Tap.Check((said = Child("twice", other)).Contains(other + " is 0.1.0"), said);
        });
        tap.Test("an assembly that was loaded from bytes has no location, and looks in the program's folder", () =>
            Tap.Equal(Child("bytes", ""), "loaded\n", "what it says"));
        tap.Test("the process exits with fetches in progress", () => Child("exit", null));
        tap.Test("l08 Environment.Exit ends a process in which several providers have run at the same time", () =>
        {
            Child("leave", null);
            Child("leave disposed", null);
        });
        tap.Test("two application domains can each load the library", () =>
        {
            for (int i = 0; i < 2; i++)
            {
                AppDomain domain = AppDomain.CreateDomain("apart " + i);
                domain.DoCallBack(FetchApart);
                AppDomain.Unload(domain);
            }
        });
    }

    private static void FetchApart()
    {
        using (Tasks<string, string> tasks = Scenarios.Users(Scenarios.Config()))
            Tap.Equal(tasks.Fetch("a"), "user a", "value");
    }

    internal static int TryTwice()
    {
        for (int i = 0; i < 2; i++)
        {
            try
            {
                Scenarios.Config().Cache();
            }
            catch (DllNotFoundException e)
            {
                Console.WriteLine(e.Message);
            }
        }
        return 0;
    }

    internal static int LoadFromBytes()
    {
        // The program refers to the assembly, too: this is another copy, without a location.
        Assembly copy = Assembly.Load(File.ReadAllBytes(typeof(Status).Assembly.Location));
        try
        {
            copy.GetType("Kvlight.ManualClock", true).GetConstructors()[0].Invoke(new object[] { 0L });
        }
        catch (TargetInvocationException e) when (e.InnerException is DllNotFoundException)
        {
            // There is no library in that folder; what matters is that the package looked there.
        }
        Console.WriteLine("loaded");
        return 0;
    }

    /// <summary>Limits the thread pool of this process to a few threads; returns their number. No limit may be below the number of processors.</summary>
    private static int ShrinkPool()
    {
        int most = 4;
        ThreadPool.SetMinThreads(1, 1);
        if (!ThreadPool.SetMaxThreads(most, most))
            ThreadPool.SetMaxThreads(most = Environment.ProcessorCount, most);
        return most;
    }

    internal static int FetchOnAllThreadsOfThePool(string call)
    {
        int most = ShrinkPool();
        using (Tasks<string, string> tasks = Scenarios.Config().Load(keys =>
        {
            Thread.Sleep(50); // Meanwhile the callers begin to wait.
            return keys.ToDictionary(key => key, key => "user " + key);
        }))
        {
            var answers = new BlockingCollection<string>();
            for (int i = 0; i < 2 * most; i++)
            {
                string key = "key " + i;
                ThreadPool.QueueUserWorkItem(_ => answers.Add(FetchBlocking(tasks, call, key)));
            }
            for (int i = 0; i < 2 * most; i++)
            {
                if (!answers.TryTake(out string _, 20000))
                    return 1;
            }
        }
        Console.WriteLine("all answered");
        return 0;
    }

    private static string FetchBlocking(Tasks<string, string> tasks, string call, string key)
    {
        string[] keys = { key };
        string value = null;
        switch (call)
        {
            case "Fetch":
                return tasks.Fetch(key);
            case "FetchAll":
                return tasks.FetchAllAsync(keys).Result[0];
            case "FetchEach":
                tasks.FetchEachAsync(keys, result => value = result.Value).Wait();
                return value;
            case "Results":
                return tasks.ResultsAsync(keys).Result[0].Value;
            default:
                return tasks.FetchAsync(key, new FetchOptions { Progress = (done, failed, total) => { } }).Result;
        }
    }

    internal static int DisposeWhileThePoolIsFull(bool hasDropped)
    {
        int most = ShrinkPool();
        Config<string, string> config = Scenarios.Config();
        config.Dropped = hasDropped ? value => { } : (Action<string>)null;
        Tasks<string, string> tasks = Scenarios.Users(config);
        Tap.Equal(tasks.Fetch("a"), "user a", "value");
        for (int i = 0; i < 2 * most; i++)
            ThreadPool.QueueUserWorkItem(_ => Thread.Sleep(Timeout.Infinite));
        var disposing = new Thread(tasks.Dispose) { IsBackground = true };
        disposing.Start();
        Console.WriteLine(disposing.Join(20000) ? "disposed" : "it waits");
        return 0;
    }

    internal static int ExitWithFetchesInProgress()
    {
        Tasks<string, string> held = Scenarios.Held(Scenarios.Config(), Scenarios.Requests());
        for (int i = 0; i < 20; i++)
            held.FetchAsync("key " + i);
        Scenarios.Config().LoadOneAsync(async (key, token) =>
        {
            await Task.Delay(Timeout.Infinite);
            return key;
        }).FetchAsync("slow");
        return 0;
    }

    internal static int ExitAfterTwoLoads(bool isDisposed)
    {
        var both = new Barrier(2);
        Tasks<string, string> tasks = Scenarios.Config().LoadOneAsync((key, token) =>
        {
            both.SignalAndWait(20000);
            return Task.FromResult(key);
        });
        Task.WaitAll(tasks.FetchAsync("a"), tasks.FetchAsync("b"));
        if (isDisposed)
            tasks.Dispose();
        Thread.Sleep(300); // The threads that ran the providers are idle by then.
        Environment.Exit(0);
        return 1;
    }

    /// <summary>Runs this program with an argument in a process of its own, in which KVL_LIBRARY is `library` (null: as in this process). Returns
    /// its output.</summary>
    private static string Child(string what, string library)
    {
        var start = new ProcessStartInfo("mono", $"\"{typeof(Faults).Assembly.Location}\" {what}") { UseShellExecute = false, RedirectStandardOutput = true };
        if (library != null)
            start.EnvironmentVariables["KVL_LIBRARY"] = library;
        using (Process process = Process.Start(start))
        {
            Task<string> said = process.StandardOutput.ReadToEndAsync();
            if (!process.WaitForExit(60000))
            {
                process.Kill();
                throw new Exception("it does not end");
            }
            Tap.Equal(process.ExitCode, 0, said.Result);
            return said.Result;
        }
    }
}
