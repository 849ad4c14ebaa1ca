using System;
using System.Runtime.InteropServices;
using System.Threading;

namespace Kvlight
{
    /// <summary>A handle of the library. A call that uses the handle keeps it from being released, and the garbage collector releases it if nobody
    /// else does.</summary>
    internal abstract class Handle : SafeHandle
    {
        protected Handle(IntPtr value)
            : base(IntPtr.Zero, true)
        {
            SetHandle(value);
        }

        public override bool IsInvalid => handle == IntPtr.Zero;

        /// <summary>Calls a function with the handle; returns <paramref name="released"/> if the handle has been released.</summary>
        internal T Use<T>(Func<IntPtr, T> call, T released)
        {
            bool isHeld = false;
            try
            {
                try
                {
                    DangerousAddRef(ref isHeld);
                }
                catch (ObjectDisposedException)
                {
                    return released;
                }
                return call(handle);
            }
            finally
            {
                if (isHeld)
                    DangerousRelease();
            }
        }
    }

    internal sealed class FetchHandle : Handle
    {
        internal FetchHandle(IntPtr value)
            : base(value)
        {
        }

        internal void Cancel() => Use(fetch => NativeApi.kvl_fetch_cancel(fetch), 0);

        protected override bool ReleaseHandle()
        {
            NativeApi.kvl_fetch_release(handle);
            return true;
        }
    }

    internal sealed class RequestHandle : Handle
    {
        private ObjectTable hooks;
        private long hook;

        internal RequestHandle(IntPtr value)
            : base(value)
        {
        }

        /// <summary>Sets the number of the request's cancel hook; the hook is removed when the handle is released.</summary>
        internal void SetHook(ObjectTable table, long number)
        {
            hook = number;
            Volatile.Write(ref hooks, table);
        }

        protected override bool ReleaseHandle()
        {
            Volatile.Read(ref hooks)?.Remove(hook);
            NativeApi.kvl_request_release(handle);
            return true;
        }
    }

    internal sealed class IteratorHandle : Handle
    {
        internal IteratorHandle(IntPtr value)
            : base(value)
        {
        }

        protected override bool ReleaseHandle()
        {
            NativeApi.kvl_iterator_free(handle);
            return true;
        }
    }

    internal sealed class ClockHandle : Handle
    {
        internal ClockHandle(IntPtr value)
            : base(value)
        {
        }

        protected override bool ReleaseHandle()
        {
            NativeApi.kvl_clock_release(handle);
            return true;
        }
    }
}
