using System.Threading;

namespace Kvlight
{
    /// <summary>Keeps handles from being freed while calls use them: each call enters and leaves, and before the handles are freed, the gate is shut
    /// and the calls inside are awaited.</summary>
    internal sealed class Gate
    {
        private const int ShutMark = int.MinValue;

        private readonly ManualResetEventSlim isEmpty = new ManualResetEventSlim(false);

        /// <summary>How many calls are inside, plus ShutMark once the gate is shut.</summary>
        private int inside;

        /// <summary>Returns whether the caller is inside. If it is, it must call Leave.</summary>
        internal bool Enter()
        {
            if (Interlocked.Increment(ref inside) > 0)
                return true;
            Leave();
            return false;
        }

        internal void Leave()
        {
            if (Interlocked.Decrement(ref inside) == ShutMark)
                isEmpty.Set();
        }

        /// <summary>Refuses further calls, and waits until those inside have left. Called once.</summary>
        internal void Shut()
        {
            if (Interlocked.Add(ref inside, ShutMark) != ShutMark)
                isEmpty.Wait();
        }
    }
}
