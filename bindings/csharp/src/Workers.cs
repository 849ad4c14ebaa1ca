using System;
using System.Collections.Generic;
using System.Threading;

namespace Kvlight
{
    /// <summary>Threads for providers and second tiers. The thread pool is not used, since callers that wait for providers may block all of its
    /// threads. An idle thread takes the next job, and ends if none comes within IdleMs.</summary>
    internal static class Workers
    {
        private const int IdleMs = 2000;

        /// <summary>Jobs that idle threads are about to take: never more than there are idle threads. Also the lock of this class.</summary>
        private static readonly Queue<Action> Jobs = new Queue<Action>();

        private static int idle;

        /// <summary>Runs a job at once. Throws if the system refuses a thread; the job itself must not throw.</summary>
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
            // Work takes the first job out of the array, so that the thread does not keep the job alive.
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
