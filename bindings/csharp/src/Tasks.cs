using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;

namespace Kvlight
{
    /// <summary>The state of the circuit breaker.</summary>
    public enum BreakerState
    {
        /// <summary>Requests go to the provider.</summary>
        Closed = NativeApi.BREAKER_CLOSED,

        /// <summary>Keys fail at once; the provider gets no requests.</summary>
        Open = NativeApi.BREAKER_OPEN,

        /// <summary>A few requests are let through, to find out whether the provider works again.</summary>
        HalfOpen = NativeApi.BREAKER_HALF_OPEN,
    }

    /// <summary>A cache with a provider: each key is loaded once, in batches, however many callers want it. Config creates it. All methods may be
    /// called on any thread. A Tasks that is dropped without Dispose is closed by the garbage collector, when no fetch is in progress. The task of a
    /// fetch fails with the provider's exception, unchanged, or with a KvlightException. Cancelling the token of a fetch cancels this fetch and no
    /// other. A method that returns a task throws only if its arguments are wrong: a key or a list that is null or cannot be read, or an invalid
    /// setting. A key of more than 65,535 bytes fails like a key that cannot be loaded. A provider may fetch and wait for other keys of its Tasks; a
    /// chain of providers that wait for each other needs a slot for each (TasksMaxRunning): with fewer slots, it waits for ever.</summary>
    /// <typeparam name="K">The type of the keys.</typeparam>
    /// <typeparam name="V">The type of the values; null: there is no such record.</typeparam>
    public sealed class Tasks<K, V> : Store<K, V>
    {
        private readonly Func<Request<K, V>, Task> provider;
        private readonly TaskScheduler scheduler;
        private readonly ISecondTier secondTier;
        private readonly Func<V, byte[]> encode;
        private readonly Func<byte[], V> decode;

        internal Tasks(Config<K, V> config, Func<Request<K, V>, Task> provider, bool answersOne)
            : base(config, Engine.Open(config, true, answersOne))
        {
            this.provider = provider;
            scheduler = config.Scheduler;
            secondTier = config.SecondTier;
            encode = config.Encode;
            decode = config.Decode;
            Engine.Start(this);
        }

        /// <summary>The state of the connection to the server of Config.L2Url: whether it is connected, and if not, what is wrong and how to fix
        /// it.</summary>
        /// <returns>The members of kvl_redis_state, as JSON.</returns>
        /// <exception cref="InvalidOperationException">There is no such server.</exception>
        public string L2State() => (Engine.Server ?? throw new InvalidOperationException("kvlight: these Tasks have no L2Url")).State();

        /// <summary>The state of the circuit breaker (BreakerFailureRatio, BreakerConsecutive).</summary>
        public BreakerState Breaker
        {
            get
            {
                Engine.Enter();
                try
                {
                    return (BreakerState)NativeApi.kvl_tasks_breaker_state(Engine.Tasks);
                }
                finally
                {
                    Leave();
                }
            }
        }

        /// <summary>Fetches one key. If the key is in the cache, the task that is returned is already complete.</summary>
        /// <param name="key">The key.</param>
        /// <param name="options">The settings of this fetch; null: none.</param>
        /// <param name="cancellationToken">Cancels this fetch.</param>
        /// <returns>A task of the value; the default of its type if there is no such record.</returns>
        public unsafe Task<V> FetchAsync(K key, FetchOptions options = null, CancellationToken cancellationToken = default(CancellationToken))
        {
            byte[] bytes = Keys.Bytes(key);
            if (cancellationToken.IsCancellationRequested)
                return Task.FromCanceled<V>(cancellationToken);
            try
            {
                if (Engine.ReadsStoreFirst && FetchOptions.AreNone(options))
                {
                    int found = Find(bytes, true, out object value);
                    if (found != NativeApi.MISS)
                        return Task.FromResult(found == NativeApi.VALUE ? (V)value : default(V));
                }
                var pending = new PendingOne<V>(Engine, this);
                fixed (byte* data = bytes)
                {
                    IntPtr at = (IntPtr)data;
                    Start(pending, options, cancellationToken, (stated, fetch, id) =>
                    {
                        IntPtr ready = IntPtr.Zero;
                        int status = NativeApi.kvl_tasks_fetch(Engine.Tasks, (byte*)at, bytes.Length, stated, fetch, IntPtr.Zero, id, IntPtr.Zero, &ready);
                        if (status == NativeApi.VALUE)
                            pending.Source.TrySetResult((V)Engine.Taken(ready));
                        else if (status >= 0 && status != NativeApi.PENDING)
                            pending.Source.TrySetResult(default(V));
                        return status;
                    });
                }
                return pending.Source.Task;
            }
            catch (KvlightException e) when (!IsMistake(e))
            {
                return Task.FromException<V>(e);
            }
        }

        /// <summary>Fetches one key and waits for it; throws the provider's exception unchanged.</summary>
        /// <param name="key">The key.</param>
        /// <param name="options">The settings of this fetch; null: none.</param>
        /// <param name="cancellationToken">Cancels this fetch.</param>
        /// <returns>The value; the default of its type if there is no such record.</returns>
        /// <exception cref="KvlightException">Status.ErrReentrant: the provider, on its thread, waits for a key that it is to answer itself.</exception>
        public V Fetch(K key, FetchOptions options = null, CancellationToken cancellationToken = default(CancellationToken))
        {
            if (!Request<K, V>.IsAnswering(this, key))
                return FetchAsync(key, options, cancellationToken).GetAwaiter().GetResult();
            using (var refusal = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken))
            {
                Task<V> fetched = FetchAsync(key, options, refusal.Token);
                if (fetched.IsCompleted)
                    return fetched.GetAwaiter().GetResult();
                refusal.Cancel();
                // Nobody else looks at its exception.
                fetched.ContinueWith(ended => ended.Exception, TaskContinuationOptions.OnlyOnFaulted);
                throw KvlightException.Of(NativeApi.ERR_REENTRANT, "kvlight: the provider waits for a key that it is to answer itself", null);
            }
        }

        /// <summary>Fetches several keys.</summary>
        /// <param name="keys">The keys; duplicates are allowed.</param>
        /// <param name="options">The settings of this fetch; null: none.</param>
        /// <param name="cancellationToken">Cancels this fetch.</param>
        /// <returns>A task of the values in the order of the keys, defaults where there is no such record; it fails with the first error.</returns>
        public Task<IReadOnlyList<V>> FetchAllAsync(IEnumerable<K> keys, FetchOptions options = null,
            CancellationToken cancellationToken = default(CancellationToken)) =>
            FetchAll<IReadOnlyList<V>>(keys, options, cancellationToken, results => Array.ConvertAll(results, result => result.OrThrow()));

        /// <summary>Fetches several keys, and does not fail because of one of them.</summary>
        /// <param name="keys">The keys; duplicates are allowed.</param>
        /// <param name="options">The settings of this fetch; null: none.</param>
        /// <param name="cancellationToken">Cancels this fetch.</param>
        /// <returns>A task of the result of each key, in the order of the keys.</returns>
        public Task<IReadOnlyList<Result<K, V>>> ResultsAsync(IEnumerable<K> keys, FetchOptions options = null,
            CancellationToken cancellationToken = default(CancellationToken)) =>
            FetchAll<IReadOnlyList<Result<K, V>>>(keys, options, cancellationToken, results => results);

        /// <summary>Fetches several keys. A function turns their results into the result of the task.</summary>
        private unsafe Task<T> FetchAll<T>(IEnumerable<K> keys, FetchOptions options, CancellationToken cancellationToken,
            Func<Result<K, V>[], T> outcome)
        {
            K[] asked = CopyOf(keys);
            byte[][] bytes = BytesOf(asked);
            if (cancellationToken.IsCancellationRequested)
                return Task.FromCanceled<T>(cancellationToken);
            var pending = new PendingAll<K, V, T>(Engine, this, asked, outcome);
            try
            {
                using (var slices = new Slices(bytes))
                {
                    Start(pending, options, cancellationToken, (stated, fetch, id) =>
                    {
                        IntPtr ready = IntPtr.Zero;
                        int status = NativeApi.kvl_tasks_fetch_all(Engine.Tasks, slices.Start, slices.Count, stated, fetch, IntPtr.Zero, id, IntPtr.Zero, &ready);
                        if (ready != IntPtr.Zero)
                        {
                            try
                            {
                                pending.Settle(ready);
                            }
                            finally
                            {
                                NativeApi.kvl_results_release(ready);
                            }
                        }
                        return status;
                    });
                }
                return pending.Task;
            }
            catch (KvlightException e) when (!IsMistake(e))
            {
                return Task.FromException<T>(e);
            }
        }

        /// <summary>Fetches several keys, and reports each result as soon as it is known.</summary>
        /// <param name="keys">The keys; duplicates are allowed.</param>
        /// <param name="consumer">Receives the result of each position, one call at a time, on a thread of the package or of the thread
        /// pool.</param>
        /// <param name="options">The settings of this fetch; null: none.</param>
        /// <param name="cancellationToken">Cancels this fetch: the consumer still receives a result for each position.</param>
        /// <returns>A task that completes after the last call.</returns>
        public unsafe Task FetchEachAsync(IEnumerable<K> keys, Action<Result<K, V>> consumer, FetchOptions options = null,
            CancellationToken cancellationToken = default(CancellationToken))
        {
            if (consumer == null)
                throw new ArgumentNullException(nameof(consumer));
            K[] asked = CopyOf(keys);
            byte[][] bytes = BytesOf(asked);
            if (cancellationToken.IsCancellationRequested)
                return Task.FromCanceled(cancellationToken);
            var pending = new PendingEach<K, V>(Engine, this, asked, consumer);
            try
            {
                using (var slices = new Slices(bytes))
                {
                    int status = Start(pending, options, cancellationToken, (stated, fetch, id) =>
                        NativeApi.kvl_tasks_fetch_each(Engine.Tasks, slices.Start, slices.Count, stated, fetch, IntPtr.Zero, id, IntPtr.Zero));
                    if (status != NativeApi.PENDING)
                        pending.Source.TrySetResult(true); // No keys.
                }
                return pending.Source.Task;
            }
            catch (KvlightException e) when (!IsMistake(e))
            {
                return Task.FromException(e);
            }
        }

        /// <summary>Reloads keys in the background. Their current values are served until the new ones are there, and stay if the reload
        /// fails.</summary>
        /// <param name="keys">The keys.</param>
        /// <param name="options">The settings of the reload; null: none.</param>
        public unsafe void Refresh(IEnumerable<K> keys, FetchOptions options = null)
        {
            byte[][] bytes = BytesOf(CopyOf(keys));
            IntPtr stated = FetchOptions.Create(options);
            try
            {
                Engine.Enter();
                try
                {
                    using (var slices = new Slices(bytes))
                        KvlightException.Check(NativeApi.kvl_tasks_refresh(Engine.Tasks, slices.Start, slices.Count, stated));
                }
                finally
                {
                    Leave();
                }
            }
            finally
            {
                NativeApi.kvl_options_free(stated);
            }
        }

        /// <summary>Reports that another process has changed keys: their values leave this process, and the answers of running loads of these keys
        /// are not stored.</summary>
        /// <param name="keys">The keys.</param>
        public void Invalidate(IEnumerable<K> keys) => Invalidate(BytesOf(CopyOf(keys)), 0);

        /// <summary>Reports that another process may have changed any key: all values leave this process.</summary>
        public void InvalidateAll() => Invalidate(Array.Empty<byte[]>(), NativeApi.INVALIDATE_F_ALL);

        private unsafe void Invalidate(byte[][] bytes, int flags)
        {
            Engine.Enter();
            try
            {
                using (var slices = new Slices(bytes))
                    KvlightException.Check(NativeApi.kvl_tasks_invalidate(Engine.Tasks, slices.Start, slices.Count, (uint)flags));
            }
            finally
            {
                Leave();
            }
        }

        /// <summary>Forces the circuit breaker open or closed, whatever the provider does.</summary>
        /// <param name="state">BreakerState.Open or Closed; null returns it to automatic operation.</param>
        public void ForceBreaker(BreakerState? state)
        {
            if (state != null && state != BreakerState.Open && state != BreakerState.Closed)
                throw new ArgumentException("kvlight: the circuit breaker is forced Open or Closed, or left to itself: null", nameof(state));
            int force = state == null ? NativeApi.BREAKER_FORCE_NONE
                : state == BreakerState.Open ? NativeApi.BREAKER_FORCE_OPEN : NativeApi.BREAKER_FORCE_CLOSED;
            Engine.Enter();
            try
            {
                KvlightException.Check(NativeApi.kvl_tasks_breaker_force(Engine.Tasks, (uint)force));
            }
            finally
            {
                Leave();
            }
        }

        /// <summary>Closes the Tasks once all accepted work is done. Fetches that are still open after the given time end with Status.ErrClosed. A
        /// later Dispose ends them at once. Writes that wait for the second tier are tried once, and lost if they fail; those that wait for the end of a
        /// pause after a failure (L2BreakMs) are lost too.</summary>
        /// <param name="drainMs">How long that may take, in milliseconds; -1: without a limit.</param>
        /// <returns>A task that completes when all is freed.</returns>
        public Task CloseAsync(long drainMs = -1)
        {
            KvlightException.CheckArgument(drainMs >= -1, $"a drain takes 0 ms or more, or -1, not {drainMs}");
            Engine.Close(drainMs);
            Engine.Hold(this);
            return Engine.Ended;
        }

        internal override void Ask(IntPtr borrowed)
        {
            var request = new Request<K, V>(this, borrowed);
            try
            {
                Start(() => Run(request));
            }
            catch (Exception e)
            {
                // The scheduler, or the system, refuses to run it.
                request.GiveUp(e);
            }
        }

        internal override void AskSecondTier(IntPtr borrowed)
        {
            var request = new TierRequest<K, V>(this, secondTier, encode, decode, borrowed);
            try
            {
                Start(request.Serve);
            }
            catch (Exception e)
            {
                // The scheduler, or the system, refuses to run it.
                Engine.Serial.Run(() => Engine.Report(e)); // Elsewhere, since the pump runs no code of the program.
                request.GiveUp();
            }
        }

        private void Start(Action job)
        {
            if (scheduler == null)
                Workers.Run(job);
            else
                Task.Factory.StartNew(job, CancellationToken.None, TaskCreationOptions.DenyChildAttach, scheduler);
        }

        /// <summary>Runs the provider for a request. If the provider throws, the keys without an answer fail.</summary>
        private async Task Run(Request<K, V> request)
        {
            try
            {
                request.ReadKeys();
                await Call(request).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                request.GiveUp(e);
            }
        }

        private Task Call(Request<K, V> request)
        {
            request.EnterProvider();
            try
            {
                return provider(request) ?? throw new InvalidOperationException("kvlight: the provider returned null, and not a task");
            }
            finally
            {
                request.LeaveProvider();
            }
        }

        /// <summary>Starts a fetch; returns the status of `start`. If that is not PENDING, no event follows.</summary>
        private unsafe int Start(Pending pending, FetchOptions options, CancellationToken token, Func<IntPtr, IntPtr, IntPtr, int> start)
        {
            IntPtr stated = FetchOptions.Create(options);
            int status = NativeApi.ERR_CLOSED;
            long id = 0;
            try
            {
                Engine.Enter();
                try
                {
                    IntPtr fetch;
                    KvlightException.Check(NativeApi.kvl_fetch_new(&fetch));
                    pending.Begin(new FetchHandle(fetch), options);
                    id = Engine.Pendings.Add(pending);
                    status = start(stated, fetch, (IntPtr)id);
                }
                finally
                {
                    if (status != NativeApi.PENDING)
                    {
                        Engine.Pendings.Remove(id);
                        pending.Release();
                    }
                    Leave();
                }
            }
            finally
            {
                NativeApi.kvl_options_free(stated);
            }
            if (status == NativeApi.PENDING)
                pending.CancelWith(token);
            return KvlightException.Check(status);
        }

        /// <summary>Whether an error is the caller's mistake, which is thrown and not delivered by the task.</summary>
        private static bool IsMistake(KvlightException error) => error.Status == Status.ErrBadValue || error.Status == Status.ErrUnknownKey;
    }
}
