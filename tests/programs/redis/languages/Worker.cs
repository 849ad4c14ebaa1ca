// A process with an engine of the C# package and an L2Url, driven by commands on its input, like worker.c: `Worker.exe URL`.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Kvlight;

internal static class Worker
{
    private sealed class Row
    {
        internal readonly string From;

        internal Row(string from) => From = from;
    }

    private static void Main(string[] arguments)
    {
        string answer = "nobody";
        var config = new Config<string, Row>(Keys.Strings)
        {
            CacheTtlMs = 3600000,
            TimeoutMs = 20000,
            L2TimeoutMs = 10000,
            L2Url = arguments[0],
            Encode = row => Encoding.UTF8.GetBytes(row.From),
            Decode = bytes => new Row(Encoding.UTF8.GetString(bytes)),
        };
        Tasks<string, Row> tasks;
        try
        {
            tasks = config.Load(keys => keys.ToDictionary(key => key, key => new Row(answer)));
        }
        catch (Exception e) when (e is DllNotFoundException || e is KvlightException)
        {
            Console.WriteLine("refused " + e.Message);
            return;
        }
        using (tasks)
        {
            Console.WriteLine("ready");
            for (string line = Console.ReadLine(); line != null; line = Console.ReadLine())
            {
                string[] words = (line + "   ").Split(' ');
                string key = words[1];
                switch (words[0])
                {
                    case "fetch":
                        Result<string, Row> result = tasks.ResultsAsync(new List<string> { key }).Result[0];
                        Console.WriteLine($"done {key} 0 {result.Source} {result.Value?.From ?? "-"}");
                        break;
                    case "put":
                        tasks.Put(key, new Row(words[2]));
                        Console.WriteLine("ok 0");
                        break;
                    case "auto":
                        answer = key;
                        Console.WriteLine("ok 0");
                        break;
                    case "state":
                        Console.WriteLine("state " + tasks.L2State());
                        break;
                }
            }
        }
    }
}
