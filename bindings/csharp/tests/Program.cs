using System;
using System.Reflection;

/// <summary>Runs the tests that the first argument names: "scenarios" (the default), "features", "tier" or "leak"; any other word runs those of the
/// class Faults. "twice", "bytes", "crowd", "full", "exit" and "leave" are no tests: Faults starts this program again with one of them, to have a
/// process for it.</summary>
internal static class Program
{
    private static int Main(string[] arguments)
    {
        string what = arguments.Length > 0 ? arguments[0] : "scenarios";
        if (what == "leak")
            return Leak.Run();
        if (what == "twice")
            return Faults.TryTwice();
        if (what == "bytes")
            return Faults.LoadFromBytes();
        if (what == "crowd")
            return Faults.FetchOnAllThreadsOfThePool(arguments[1]);
        if (what == "full")
            return Faults.DisposeWhileThePoolIsFull(arguments.Length > 1);
        if (what == "exit")
            return Faults.ExitWithFetchesInProgress();
        if (what == "leave")
            return Faults.ExitAfterTwoLoads(arguments.Length > 1);
        var tap = new Tap();
        switch (what)
        {
            case "scenarios":
                Scenarios.Add(tap);
                return tap.Run($"C# | {Runtime()} | queue");
            case "features":
                Features.Add(tap);
                break;
            case "tier":
                SecondTierTests.Add(tap);
                break;
            default:
                Faults.Add(tap);
                break;
        }
        return tap.Run(null);
    }

    /// <summary>The name and the version of the runtime. Mono tells its version only by its internal class Mono.Runtime.</summary>
    private static string Runtime()
    {
        MethodInfo name = Type.GetType("Mono.Runtime")?.GetMethod("GetDisplayName", BindingFlags.NonPublic | BindingFlags.Static);
        return name == null ? ".NET " + Environment.Version : "Mono " + ((string)name.Invoke(null, null)).Split(' ')[0];
    }
}
