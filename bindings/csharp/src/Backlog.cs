using System;
using System.Threading;

namespace Kvlight
{
    /// <summary>Bounds how many values that the library has dropped wait in the queue. Whenever some values were created, a mark goes into the queue.
    /// Threads that write wait while two marks are there: so what waits was created since the mark before these, or was in the cache then.</summary>
    internal sealed class Backlog
    {
        /// <summary>In the table of objects, a mark is this object.</summary>
        internal static readonly object Mark = new object();

        private const int MostWaiting = 1024, FewestWaiting = 16, MostMarks = 2;

        /// <summary>How long a thread waits for the pump, which some code of the program can hold up: a scheduler, or a synchronization context. That
        /// code may itself wait for this thread.</summary>
        private const int PatienceMs = 100;

        private int marks;
        private volatile bool isHeldUp;

        /// <summary>How many values were created since the last mark, and their costs.</summary>
        private int created;
        private long spent;

        /// <summary>How many values are created, and of which cost, before the next mark.</summary>
        private volatile int step = FewestWaiting / MostMarks;
        private long stepCost = long.MaxValue;

        /// <summary>Notes that a value was created; returns whether a mark is due, for which the caller then calls Begin.</summary>
        internal bool IsDue(long cost)
        {
            int count = Interlocked.Increment(ref created);
            long most = Volatile.Read(ref stepCost);
            bool isCostly = most != long.MaxValue && cost > 0 && (cost >= most || Interlocked.Add(ref spent, cost) >= most);
            return count >= step || (isCostly && count >= FewestWaiting / MostMarks);
        }

        /// <summary>Begins the next step, for a cache with these limits. Returns whether to put a mark into the queue: not if there are enough, or
        /// another thread was faster.</summary>
        internal bool Begin(long capacity, long costLimit)
        {
            lock (this)
            {
                if (created < FewestWaiting / MostMarks)
                    return false;
                created = 0;
                Volatile.Write(ref spent, 0);
                step = (int)Math.Max(FewestWaiting, Math.Min(MostWaiting, capacity)) / MostMarks;
                Volatile.Write(ref stepCost, costLimit < 0 ? long.MaxValue : Math.Max(1, costLimit / MostMarks));
                if (marks >= MostMarks)
                    return false;
                marks++;
                return true;
            }
        }

        /// <summary>The pump has read a mark, or it could not be put into the queue.</summary>
        internal void End()
        {
            lock (this)
                marks--;
            isHeldUp = false;
        }

        /// <summary>Whether a thread that writes should wait.</summary>
        internal bool IsFull => Volatile.Read(ref marks) >= MostMarks && !isHeldUp;

        /// <summary>Waits for the pump. Not on an object, since several threads may wait at the same time: Mono cannot end a process in which they
        /// wait on one object.</summary>
        internal void Await(Func<bool> isOpen)
        {
            int began = Environment.TickCount;
            var spin = new SpinWait();
            while (IsFull && isOpen())
            {
                if (Environment.TickCount - began >= PatienceMs)
                    isHeldUp = true;
                else
                    spin.SpinOnce();
            }
        }
    }
}
