using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using Kvlight;

/// <summary>Makes KVL_CALLS calls of many kinds (a million unless it is set), and fails if the process grows by more than BytesPerCall for each, and
/// by more than 8 MiB.</summary>
internal static class Leak
{
    private const int BytesPerCall = 16;

    private static readonly InvalidOperationException Broken = new InvalidOperationException("broken");

    private static long ResidentBytes()
    {
        for (int i = 0; i < 3; i++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }
        return long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1]) * 4096;
    }

    private static void Calls(Tasks<string, object> tasks, int count)
    {
        string[] keys = Enumerable.Range(0, 100).Select(i => "key " + i).ToArray();
        var terms = new Terms { TtlMs = 60000, Tags = new[] { "one", "two" }, Version = "v" };
        var options = new FetchOptions { TimeoutMs = 60000 };
        for (int i = 0; i < count; i++)
        {
            string key = keys[i % keys.Length];
            switch (i % 20)
            {
                case 4:
                    tasks.Put(key, key, terms);
                    break;
                case 5:
                    tasks.Put("other " + i, new object());
                    break;
                case 6:
                    tasks.Remove(key);
                    break;
                case 7:
                    tasks.Fetch(key, options);
                    break;
                case 8:
                    if (tasks.FetchAsync("broken " + i).ContinueWith(fetched => fetched.Exception.InnerException).Result != Broken)
                        throw new Exception("another error");
                    break;
                case 9:
                    using (var source = new CancellationTokenSource())
                    {
                        tasks.FetchAsync("left " + i, null, source.Token);
                        source.Cancel();
                    }
                    break;
                case 10:
                    if (i % 400 == 10)
                    {
                        tasks.FetchAllAsync(keys.Take(20)).Wait();
                        tasks.Stats();
                        tasks.Take(3).Count();
                    }
                    break;
                default:
                    if (i % 2 == 0)
                        tasks.Fetch(key);
                    else
                        tasks.Get(key);
                    break;
            }
        }
    }

    internal static int Run()
    {
        int count = int.Parse(Environment.GetEnvironmentVariable("KVL_CALLS") ?? "1000000");
        var config = new Config<string, object>(Keys.Strings) { CacheCapacity = 500 };
        using (Tasks<string, object> tasks = config.Load(keys =>
            keys[0].StartsWith("broken", StringComparison.Ordinal) ? throw Broken : keys.ToDictionary(key => key, key => (object)new[] { key })))
        {
            Calls(tasks, count / 4);
            long before = ResidentBytes();
            Calls(tasks, count);
            long grown = ResidentBytes() - before;
            Console.WriteLine($"# {count} calls: {before / 1024} KiB before, {grown / 1024} KiB more after");
            if (grown > Math.Max((long)BytesPerCall * count, 8 << 20))
            {
                Console.WriteLine($"not ok - {(double)grown / count} bytes a call");
                return 1;
            }
            Console.WriteLine("ok - no leak");
            return 0;
        }
    }
}
