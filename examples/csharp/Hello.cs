using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using Kvlight;

static class Hello
{
    static IReadOnlyDictionary<string, string> Names(IReadOnlyList<string> ids)
    {
        Console.WriteLine("asked for " + string.Join(", ", ids));
        return ids.Where(id => id != "404").ToDictionary(id => id, id => "user " + id); // 404 is left out, and remembered as absent
    }

    static async Task Run()
    {
        using (var names = new Config<string, string>(Keys.Strings) { CacheCapacity = 10000, CacheTtlMs = 60000 }.Load(Names))
        {
            Console.WriteLine(await names.FetchAsync("7"));
            foreach (string name in await names.FetchAllAsync(new[] { "7", "404", "7" }))
                Console.WriteLine(name ?? "nobody");
            await names.FetchAsync("9").ContinueWith(fetched => Console.WriteLine("later: " + fetched.Result));
        }
    }

    static void Main() => Run().Wait();
}
