using System;
using System.Threading;

namespace Kvlight
{
    /// <summary>Holds writers back while more events than a limit wait in the queue for the pump. Otherwise several writers could drop objects faster
    /// than the pump reads of them, without a limit. A writer looks at the queue now and then. If it is too long, the writer waits until it is
    /// not.</summary>
    internal sealed class Backlog
    {
        /// <summary>One of this many writes looks at the queue.</summary>
        private const int WritesPerLook = 16;

        /// <summary>How many turns a writer waits without the pump having read an event. In each twentieth turn it sleeps for a millisecond. Some code
        /// of the program can hold the pump up: a scheduler, or a synchronization context. That code may itself wait for this writer.</summary>
        private const int Patience = 2000;

        private int writes;

        /// <summary>Whether the last look found the limit exceeded: then each write looks.</summary>
        private volatile bool isExceeded;

        /// <summary>How many events the pump has read.</summary>
        private volatile int reads;

        /// <summary>How many it had read when a writer lost its patience: no writer waits until it reads another.</summary>
        private volatile int readsWhenHeldUp = -1;

        /// <summary>Whether a write is to look at the queue.</summary>
        internal bool IsToLook() => isExceeded || Interlocked.Increment(ref writes) % WritesPerLook == 0;

        /// <summary>The pump has read from the queue.</summary>
        internal void NoteRead() => reads++; // only the pump writes it

        /// <summary>Waits for the pump. Not on an object that the pump signals, since several threads may wait at the same time: Mono cannot end a
        /// process in which they wait on one object.</summary>
        internal void Await(Func<bool> isLimitExceeded)
        {
            int seen = reads, turns = 0;
            var spin = new SpinWait();
            while (isExceeded = reads != readsWhenHeldUp && isLimitExceeded())
            {
                turns = reads == seen ? turns + 1 : 0;
                seen = reads;
                if (turns >= Patience)
                    readsWhenHeldUp = seen;
                else
                    spin.SpinOnce();
            }
        }
    }
}
