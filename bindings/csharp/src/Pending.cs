using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace Kvlight
{
    /// <summary>A fetch in progress. The pump delivers its results; until then Engine.Pendings refers to the fetch, and the fetch to its Tasks, which
    /// keeps the Tasks from being collected. Continuations of the fetch's task run on the thread pool, never on the pump.</summary>
    internal abstract unsafe class Pending
    {
        /// <summary>The Tasks. This reference keeps it alive.</summary>
        private readonly object owner;

        private readonly Engine engine;
        private FetchHandle handle;
        private Action<long, long, long> progress;
        private CancellationTokenRegistration registration;
        private bool isSettled;

        /// <summary>Runs the reports of progress, one at a time, and after them the job that completes the fetch's task. Null if no progress is
        /// reported.</summary>
        private Serial order;

        protected Pending(Engine engine, object owner)
        {
            this.engine = engine;
            this.owner = owner;
        }

        protected Engine Engine => engine;

        internal void Begin(FetchHandle fetch, FetchOptions options)
        {
            handle = fetch;
            progress = options?.Progress;
            if (progress != null)
                order = new Serial(engine.Report);
        }

        /// <summary>Cancels the fetch when the token is cancelled. Called once the fetch is accepted.</summary>
        internal void CancelWith(CancellationToken token)
        {
            if (!token.CanBeCanceled)
                return;
            CancellationTokenRegistration made = token.Register(() =>
            {
                EndCancelled(token);
                handle.Cancel();
            });
            lock (this)
            {
                registration = made;
                if (!isSettled)
                    return;
            }
            made.Dispose(); // The fetch settled before `registration` was set, so Release did not dispose it.
        }

        /// <summary>Releases the handle of a fetch that has received its last result, or was not accepted.</summary>
        internal void Release()
        {
            CancellationTokenRegistration made;
            lock (this)
            {
                isSettled = true;
                made = registration;
            }
            // On another thread than the pump, since Dispose waits for a running callback of the token.
            if (!made.Equals(default(CancellationTokenRegistration)))
                ThreadPool.QueueUserWorkItem(_ => made.Dispose());
            handle?.Dispose();
            GC.KeepAlive(owner);
        }

        protected abstract void EndCancelled(CancellationToken token);

        /// <summary>Ends a fetch whose last event could not be delivered.</summary>
        internal abstract void Abandon(Exception error);

        /// <summary>Receives a kvl_result_t.</summary>
        internal virtual void Deliver(byte* result, bool isLast) => throw new InvalidOperationException("kvlight: unexpected single result for a batch fetch");

        /// <summary>Receives a kvl_results_t.</summary>
        internal virtual void DeliverAll(IntPtr results) => throw new InvalidOperationException("kvlight: unexpected batch results for this fetch");

        internal void ReportProgress(long done, long failures, long total)
        {
            Action<long, long, long> report = progress;
            if (report != null)
                order.Run(() => report(done, failures, total));
        }

        /// <summary>Ends the fetch, after all reports of progress.</summary>
        protected void End(Action end)
        {
            if (order == null)
                end();
            else
                order.Run(end);
        }

        internal static TaskCompletionSource<T> Source<T>() => new TaskCompletionSource<T>(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    /// <summary>A fetch of one key.</summary>
    internal sealed unsafe class PendingOne<V> : Pending
    {
        internal readonly TaskCompletionSource<V> Source = Source<V>();

        internal PendingOne(Engine engine, object owner)
            : base(engine, owner)
        {
        }

        protected override void EndCancelled(CancellationToken token) => Source.TrySetCanceled(token);

        internal override void Abandon(Exception error) => Source.TrySetException(error);

        internal override void Deliver(byte* result, bool isLast)
        {
            Release();
            int status = Outcome.StatusOf(result);
            if (status < 0)
            {
                Exception error = Outcome.FreshErrorOf(Engine.Objects, result);
                End(() => Source.TrySetException(error));
                return;
            }
            V value = status == NativeApi.VALUE ? Outcome.ValueOf<V>(Engine.Objects, result) : default(V);
            End(() => Source.TrySetResult(value));
        }
    }

    /// <summary>A fetch of several keys whose results are delivered together. A function turns them into the result of the task, on the pump, so
    /// that callers that block the thread pool get it.</summary>
    internal sealed unsafe class PendingAll<K, V, T> : Pending
    {
        private readonly TaskCompletionSource<T> source = Source<T>();
        private readonly IReadOnlyList<K> keys;
        private readonly Func<Result<K, V>[], T> outcome;

        internal PendingAll(Engine engine, object owner, IReadOnlyList<K> keys, Func<Result<K, V>[], T> outcome)
            : base(engine, owner)
        {
            this.keys = keys;
            this.outcome = outcome;
        }

        internal Task<T> Task => source.Task;

        protected override void EndCancelled(CancellationToken token) => source.TrySetCanceled(token);

        internal override void Abandon(Exception error) => source.TrySetException(error);

        internal override void DeliverAll(IntPtr results)
        {
            Release();
            Action settle = Settling(results);
            End(settle);
        }

        /// <summary>Ends a fetch whose results are there at once.</summary>
        internal void Settle(IntPtr results) => Settling(results)();

        private Action Settling(IntPtr results)
        {
            Result<K, V>[] read = Read(results);
            T made;
            try
            {
                made = outcome(read);
            }
            catch (Exception e)
            {
                return () => source.TrySetException(e);
            }
            return () => source.TrySetResult(made);
        }

        private Result<K, V>[] Read(IntPtr results)
        {
            var read = new Result<K, V>[keys.Count];
            long stride;
            byte* first = keys.Count == 0 ? null : (byte*)NativeApi.kvl_results_array(results, &stride);
            if (first == null && keys.Count > 0)
                throw new OutOfMemoryException("kvlight: no memory for the results");
            for (int i = 0; i < read.Length; i++)
                read[i] = Outcome.Read<K, V>(Engine.Objects, first + i * stride, keys[i]);
            return read;
        }
    }

    /// <summary>A fetch of several keys; each result is delivered as soon as it is known.</summary>
    internal sealed unsafe class PendingEach<K, V> : Pending
    {
        internal readonly TaskCompletionSource<bool> Source = Source<bool>();
        private readonly IReadOnlyList<K> keys;
        private readonly Action<Result<K, V>> consumer;
        private Exception failure;
        private CancellationToken cancellation;
        private volatile bool isCancelled;
        private readonly Serial deliveries;

        internal PendingEach(Engine engine, object owner, IReadOnlyList<K> keys, Action<Result<K, V>> consumer)
            : base(engine, owner)
        {
            this.keys = keys;
            this.consumer = consumer;
            deliveries = new Serial(engine.Report);
        }

        /// <summary>Only notes the cancellation: the results of the remaining keys still follow.</summary>
        protected override void EndCancelled(CancellationToken token)
        {
            cancellation = token;
            isCancelled = true;
        }

        internal override void Abandon(Exception error) => Source.TrySetException(error);

        internal override void Deliver(byte* result, bool isLast)
        {
            if (isLast)
                Release();
            int index = (int)*(long*)(result + NativeApi.Result.INDEX);
            try
            {
                Result<K, V> read = Outcome.Read<K, V>(Engine.Objects, result, keys[index]);
                deliveries.Run(() => consumer(read));
            }
            catch (Exception e)
            {
                failure = e;
            }
            if (isLast)
                deliveries.Run(() => End(Settle));
        }

        private void Settle()
        {
            if (failure != null)
                Source.TrySetException(failure);
            else if (isCancelled)
                Source.TrySetCanceled(cancellation);
            else
                Source.TrySetResult(true);
        }
    }
}
