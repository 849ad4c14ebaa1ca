using System;
using System.Collections.Generic;
using System.Threading;

namespace Kvlight
{
    /// <summary>Threads for providers, second tiers and reports. The thread pool is not used, since callers that wait for providers may block all of its
    /// threads. An idle thread takes the next job, and ends if none comes within IdleMs.</summary>
    internal static class Workers
    {
        private const int IdleMs = 2000;

        /// <summary>What an idle thread waits on, and where it finds its next job. Each has an object of its own: Mono cannot end a process in which
        /// several threads wait on one object.</summary>
        private sealed class Seat
        {
            internal Action Job;
        }

        /// <summary>The seats of the idle threads; the one that became idle last is the last. Also the lock of this class.</summary>
        private static readonly List<Seat> Idle = new List<Seat>();

        /// <summary>Runs a job at once. Throws if the system refuses a thread; the job itself must not throw.</summary>
        internal static void Run(Action job)
        {
            Seat seat = null;
            lock (Idle)
            {
                int last = Idle.Count - 1;
                if (last >= 0)
                {
                    seat = Idle[last];
                    Idle.RemoveAt(last);
                }
            }
            if (seat != null)
            {
                lock (seat)
                {
                    seat.Job = job;
                    Monitor.Pulse(seat);
                }
                return;
            }
            // Work takes the first job out of the array, so that the thread does not keep the job alive.
            Action[] first = { job };
            new Thread(() => Work(first)) { IsBackground = true, Name = "kvlight worker" }.Start();
        }

        private static void Work(Action[] first)
        {
            var seat = new Seat();
            Action job = first[0];
            first[0] = null;
            while (job != null)
            {
                job();
                job = null;
                Engine.Erase();
                job = Next(seat);
            }
        }

        /// <summary>Waits for a job; returns null if none comes within IdleMs.</summary>
        private static Action Next(Seat seat)
        {
            lock (Idle)
                Idle.Add(seat);
            lock (seat)
            {
                while (seat.Job == null)
                {
                    if (!Monitor.Wait(seat, IdleMs) && seat.Job == null && Leave(seat))
                        return null;
                }
                Action job = seat.Job;
                seat.Job = null;
                return job;
            }
        }

        /// <summary>Returns false if Run has taken the seat: its job is about to come.</summary>
        private static bool Leave(Seat seat)
        {
            lock (Idle)
                return Idle.Remove(seat);
        }
    }
}
