using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;

/// <summary>A runner of tests: each prints a line of TAP; the first tests are the scenarios that every language has, which the ROW line counts.</summary>
internal sealed class Tap
{
    /// <summary>How many scenarios every language has; they come first.</summary>
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
            Check(began.ElapsedMilliseconds < 60000, "a minute has passed, and what was waited for has not come");
            Thread.Yield();
        }
    }

    private static int Busy(int depth) => depth == 0 ? Thread.CurrentThread.ManagedThreadId : Busy(depth - 1) + 1;

    internal static T Taken<T>(BlockingCollection<T> queue) =>
        queue.TryTake(out T one, 60000) ? one : throw new Exception("nothing came");

    /// <summary>Collects garbage until a condition holds.</summary>
    internal static void CollectedUntil(Func<bool> condition, string what)
    {
        for (int i = 0; !condition(); i++)
        {
            Check(i < 500, what);
            // Jobs for the threads of the pool, whose stacks otherwise keep what the last jobs referred to: Mono's collector is conservative there.
            for (int n = 0; n < 20; n++)
                ThreadPool.QueueUserWorkItem(_ => Busy(20));
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Thread.Sleep(10);
        }
    }

    /// <summary>Runs the tests. The row is for the table of the scenarios. Returns the exit code.</summary>
    internal int Run(string row)
    {
        int first = 0, failed = 0;
        for (int i = 0; i < tests.Count; i++)
        {
            try
            {
                tests[i].Value();
                first += i < Shared ? 1 : 0;
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
            Console.WriteLine($"ROW {row} | {first} of {Shared}");
        return failed == 0 ? 0 : 1;
    }
}
