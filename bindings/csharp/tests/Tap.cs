using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;

/// <summary>Runs tests, and prints a line of TAP for each. In the program of the scenarios, which every language has, a ROW line counts those that
/// passed.</summary>
internal sealed class Tap
{
    /// <summary>How many scenarios every language has. In their program they are the first tests.</summary>
    private const int Shared = 12;

    private readonly List<KeyValuePair<string, Action>> tests = new List<KeyValuePair<string, Action>>();

    internal void Test(string name, Action test) => tests.Add(new KeyValuePair<string, Action>(name, test));

    internal static void Equal<T>(T got, T wanted, string what)
    {
        if (!EqualityComparer<T>.Default.Equals(got, wanted))
            throw new Exception($"{what}: got {got}, wanted {wanted}");
    }

    internal static void EqualLists<T>(IEnumerable<T> got, IEnumerable<T> wanted, string what)
    {
        if (!got.SequenceEqual(wanted))
            throw new Exception($"{what}: got {string.Join(" ", got)}, wanted {string.Join(" ", wanted)}");
    }

    internal static void Check(bool holds, string what)
    {
        if (!holds)
            throw new Exception(what);
    }

    /// <summary>Returns the exception of a call; fails if there is none of that kind.</summary>
    internal static E Thrown<E>(string what, Action call)
        where E : Exception
    {
        try
        {
            call();
        }
        catch (E e)
        {
            return e;
        }
        throw new Exception(what + ": nothing was thrown");
    }

    /// <summary>Keeps this thread busy until a condition holds; fails after a minute.</summary>
    internal static void BusyUntil(Func<bool> condition)
    {
        var began = Stopwatch.StartNew();
        while (!condition())
        {
            Check(began.ElapsedMilliseconds < 60000, "waited for a minute in vain");
            Thread.Yield();
        }
    }

    /// <summary>Overwrites the stack by calling itself.</summary>
    private static int Descend(int depth) => depth == 0 ? Thread.CurrentThread.ManagedThreadId : Descend(depth - 1) + 1;

    internal static T Taken<T>(BlockingCollection<T> queue) =>
        queue.TryTake(out T one, 60000) ? one : throw new Exception("nothing came");

    /// <summary>Collects garbage until a condition holds.</summary>
    internal static void CollectedUntil(Func<bool> condition, string what)
    {
        for (int i = 0; !condition(); i++)
        {
            Check(i < 500, what);
            // Overwrites the stacks of the pool's threads, where Mono's conservative collector still finds what the last jobs referred to.
            for (int n = 0; n < 20; n++)
                ThreadPool.QueueUserWorkItem(_ => Descend(20));
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Thread.Sleep(10);
        }
    }

    /// <summary>Runs the tests; returns the exit code. `row` is the beginning of the ROW line; null: there is none.</summary>
    internal int Run(string row)
    {
        int shared = 0, failed = 0;
        for (int i = 0; i < tests.Count; i++)
        {
            try
            {
                tests[i].Value();
                shared += i < Shared ? 1 : 0;
                Console.WriteLine($"ok {i + 1} - {tests[i].Key}");
            }
            catch (Exception e)
            {
                failed++;
                Console.WriteLine($"not ok {i + 1} - {tests[i].Key}\n# {e.ToString().Replace("\n", "\n# ")}");
            }
        }
        Console.WriteLine("1.." + tests.Count);
        if (row != null)
            Console.WriteLine($"ROW {row} | {shared} of {Shared}");
        return failed == 0 ? 0 : 1;
    }
}
