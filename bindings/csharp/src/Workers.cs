using System;
using System.Collections.Generic;
using System.Threading;

namespace Kvlight
{
    /// <summary>Threads for providers and second tiers. Those of the pool are not used, since all of them may be blocked by callers that wait for
    /// these very functions. A thread that is idle is used again, and ends after a while.</summary>
    internal static class Workers
    {
        private const int IdleMs = 2000;

        /// <summary>Jobs that wait for idle threads to take them; there are at least as many idle threads. Also the lock.</summary>
        private static readonly Queue<Action> Jobs = new Queue<Action>();

        private static int idle;

        /// <summary>Runs a job, which throws nothing, at once. Throws if the system refuses a thread.</summary>
        internal static void Run(Action job)
        {
            lock (Jobs)
            {
                if (idle > Jobs.Count)
                {
                    Jobs.Enqueue(job);
                    Monitor.Pulse(Jobs);
                    return;
                }
            }
            // In an array that is emptied, so that the thread does not keep its first job alive.
            Action[] first = { job };
            new Thread(() => Work(first)) { IsBackground = true, Name = "kvlight worker" }.Start();
        }

        private static void Work(Action[] first)
        {
            Action job = first[0];
            first[0] = null;
            while (job != null)
            {
                job();
                job = null;
                Engine.Erase();
                job = Next();
            }
        }

        private static Action Next()
        {
            lock (Jobs)
            {
                idle++;
                try
                {
                    while (Jobs.Count == 0)
                    {
                        if (!Monitor.Wait(Jobs, IdleMs) && Jobs.Count == 0)
                            return null;
                    }
                    return Jobs.Dequeue();
                }
                finally
                {
                    idle--;
                }
            }
        }
    }
}
