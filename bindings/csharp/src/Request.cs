using System;
using System.Collections.Generic;
using System.Text;
using System.Threading;

namespace Kvlight
{
    /// <summary>Keys for a provider to answer, now or later, from any thread. Until Finish is called the request counts as running (TasksMaxRunning).
    /// If a request is dropped unfinished, the keys without an answer fail with Status.ErrUnanswered when it is collected, which may be late or, with
    /// Mono's collector, never. The first answer for each key counts: an answer for a key that has one, or of a request that is finished, is not in
    /// time. After Dispose of the Tasks, answers throw a KvlightException with Status.ErrClosed.</summary>
    /// <typeparam name="K">The type of the keys.</typeparam>
    /// <typeparam name="V">The type of the values.</typeparam>
    public sealed unsafe class Request<K, V>
    {
        private readonly Tasks<K, V> tasks;
        private readonly RequestHandle handle;
        private readonly object hookLock = new object();
        private CancellationTokenSource cancellation;
        private Dictionary<string, int> positions;

        /// <summary>The keys as the library has them: the program may change those that it received, if they are arrays for example.</summary>
        private readonly List<byte[]> encoded = new List<byte[]>();

        /// <summary>The request whose provider was running on this thread when it began to run this one's; null: none.</summary>
        private object outer;

        /// <summary>Called on the pump's thread.</summary>
        internal Request(Tasks<K, V> tasks, IntPtr borrowed)
        {
            this.tasks = tasks;
            handle = new RequestHandle(NativeApi.kvl_request_retain(borrowed));
        }

        /// <summary>The keys, without duplicates.</summary>
        public IReadOnlyList<K> Keys { get; private set; }

        /// <summary>A token that is cancelled when the request is no longer wanted (IsCancelled), unless it was finished before.</summary>
        public CancellationToken CancellationToken
        {
            get
            {
                lock (hookLock)
                {
                    if (cancellation == null)
                    {
                        cancellation = new CancellationTokenSource();
                        long hook = tasks.Engine.Hooks.Add(new WeakReference<CancellationTokenSource>(cancellation));
                        handle.SetHook(tasks.Engine.Hooks, hook);
                        int status = handle.Use(request => NativeApi.kvl_request_on_cancel(request, IntPtr.Zero, (IntPtr)hook, IntPtr.Zero), NativeApi.ERR_CLOSED);
                        if (status < 0)
                            tasks.Engine.Hooks.Remove(hook);
                        if (status == NativeApi.ERR_CANCELLED)
                            tasks.Engine.Cancel(cancellation);
                    }
                    return cancellation.Token;
                }
            }
        }

        /// <summary>Whether the request is no longer wanted, because all callers have left, the attempt timed out, or the Tasks was closed. False
        /// once the request is finished.</summary>
        public bool IsCancelled => handle.Use(request => NativeApi.kvl_request_is_cancelled(request), 0u) != NativeApi.CANCEL_NO;

        /// <summary>The highest urgency among the keys; 0 once the request is finished.</summary>
        public int Urgency => handle.Use(request => NativeApi.kvl_request_urgency(request), 0);

        /// <summary>How much time the attempt has left (AttemptTimeoutMs), in milliseconds; -1: there is no limit, or the request is
        /// finished.</summary>
        public long TimeLeftMs => handle.Use(request => NativeApi.kvl_request_time_left_ms(request), -1L);

        /// <summary>Answers one key.</summary>
        /// <param name="key">The key; one that was not asked for is stored as well.</param>
        /// <param name="value">Its value; null: there is no such record.</param>
        /// <param name="terms">How long it is kept, its version and tags, and so on; null: no terms.</param>
        /// <returns>Whether the answer was in time. One that comes after the attempt's timeout is stored nevertheless, unless something newer
        /// is.</returns>
        public bool Resolve(K key, V value, Terms terms = null)
        {
            byte[] bytes = tasks.Keys.Bytes(key);
            fixed (byte* data = bytes)
            {
                IntPtr at = (IntPtr)data;
                return Answer(value, terms, (request, made, packed) => NativeApi.kvl_request_supply(request, (byte*)at, bytes.Length, made, (void*)packed));
            }
        }

        /// <summary>Fails one key.</summary>
        /// <param name="key">One of the keys.</param>
        /// <param name="error">Reaches every caller that waits for the key, unchanged.</param>
        /// <returns>Whether the answer was in time.</returns>
        public bool Fail(K key, Exception error) => FailAt(Position(key), error);

        /// <summary>Returns the stored entry of a key, expired or not. With its version a provider can ask the source whether the record has
        /// changed.</summary>
        /// <param name="key">One of the keys.</param>
        /// <returns>The value, its age and its version; null if the store has no entry for the key, or the request is finished.</returns>
        public Stale<V> Stale(K key)
        {
            int at = Position(key);
            Stale<V> held = null;
            tasks.Engine.Enter();
            try
            {
                Call(request =>
                {
                    IntPtr value = IntPtr.Zero;
                    long ageMs = 0;
                    byte* slice = stackalloc byte[NativeApi.Slice.SIZE];
                    *(long*)(slice + NativeApi.Slice.LEN) = 0;
                    int status = NativeApi.kvl_request_stale(request, at, &value, &ageMs, slice);
                    if (status == NativeApi.VALUE || status == NativeApi.NULL)
                    {
                        byte[] version = Utf8.Copy(*(byte**)(slice + NativeApi.Slice.DATA), *(long*)(slice + NativeApi.Slice.LEN));
                        V found = status == NativeApi.VALUE ? (V)tasks.Engine.Taken(value) : default(V);
                        held = new Stale<V>(found, ageMs, Encoding.UTF8.GetString(version));
                    }
                    return status;
                });
                return held;
            }
            finally
            {
                tasks.Leave();
            }
        }

        /// <summary>Answers one key with the stored value that Stale returns, since the record has not changed. The value gets a new TTL, and keeps
        /// its version and its tags unless the terms state others.</summary>
        /// <param name="key">One of the keys.</param>
        /// <param name="terms">The terms; null: none. Their cost is ignored: the value keeps its own.</param>
        /// <returns>Whether the answer was in time.</returns>
        public bool NotModified(K key, Terms terms = null)
        {
            int at = Position(key);
            int status = Call(request => Terms.With(terms, false, packed => NativeApi.kvl_request_not_modified(request, at, packed)));
            if (status == NativeApi.MISS)
                throw new InvalidOperationException($"kvlight: NotModified: the store has no entry for the key {key}");
            return status == NativeApi.OK;
        }

        /// <summary>Finishes the request: keys without an answer are remembered as absent. Has no effect if it is finished already, or the Tasks was
        /// closed.</summary>
        public void Finish() => End(() => Call(request => NativeApi.kvl_request_finish_nulls(request)));

        /// <summary>Finishes the request: keys without an answer fail with an exception. Has no effect if it is finished already, or the Tasks was
        /// closed.</summary>
        /// <param name="error">Reaches every caller that waits for one of these keys, unchanged.</param>
        public void Finish(Exception error) => End(() => WithError(error, (request, made) => NativeApi.kvl_request_finish_error(request, made)));

        /// <summary>Returns the number of the attempt that loads a key.</summary>
        /// <param name="key">One of the keys.</param>
        /// <returns>1 for the first; 0 once the request is finished.</returns>
        public int Attempt(K key)
        {
            int at = Position(key);
            return (int)handle.Use(request => NativeApi.kvl_request_attempt(request, at), 0u);
        }

        /// <summary>Returns whether a key is still wanted: a caller, or a refresh, waits for it.</summary>
        /// <param name="key">One of the keys.</param>
        /// <returns>Whether it is wanted.</returns>
        public bool IsWanted(K key)
        {
            int at = Position(key);
            return handle.Use(request => NativeApi.kvl_request_is_wanted(request, at), 0u) != 0;
        }

        /// <summary>Reports that the provider is still working. The timeout of the attempt starts again.</summary>
        /// <returns>Whether the attempt had not ended yet.</returns>
        public bool Heartbeat() => Call(request => NativeApi.kvl_request_heartbeat(request)) == NativeApi.OK;

        /// <summary>Reads the keys. Runs on the provider's thread, since decoding them may run code of the program.</summary>
        internal void ReadKeys()
        {
            handle.Use(request =>
            {
                byte* slice = (byte*)NativeApi.kvl_request_keys(request);
                for (long i = NativeApi.kvl_request_len(request); i > 0; i--, slice += NativeApi.Slice.SIZE)
                    encoded.Add(Utf8.Copy(*(byte**)(slice + NativeApi.Slice.DATA), *(long*)(slice + NativeApi.Slice.LEN)));
                return 0;
            }, 0);
            var keys = new List<K>(encoded.Count);
            foreach (byte[] key in encoded)
                keys.Add(tasks.Keys.Key((byte[])key.Clone()));
            Keys = keys.AsReadOnly();
        }

        /// <summary>Notes that this thread runs the provider, until LeaveProvider.</summary>
        internal void EnterProvider()
        {
            outer = running;
            running = this;
            Engine.Callbacks++;
        }

        internal void LeaveProvider()
        {
            running = outer;
            outer = null;
            Engine.Callbacks--;
        }

        /// <summary>The request whose provider this thread is running.</summary>
        [ThreadStatic]
        private static object running;

        /// <summary>Whether this thread runs a provider of `tasks` that is still to answer the key. It could not, if the thread waited for the
        /// key.</summary>
        internal static bool IsAnswering(Tasks<K, V> tasks, K key)
        {
            for (var request = running as Request<K, V>; request != null; request = request.outer as Request<K, V>)
            {
                if (request.tasks == tasks && request.Positions().TryGetValue(Convert.ToBase64String(tasks.Keys.Bytes(key)), out int at)
                    && request.handle.Use(handle => NativeApi.kvl_request_is_wanted(handle, at), 0u) != 0)
                    return true;
            }
            return false;
        }

        /// <summary>Fails the keys without an answer. If the request was finished or the Tasks closed meanwhile, there are none.</summary>
        internal void GiveUp(Exception error)
        {
            try
            {
                Finish(error);
            }
            catch (KvlightException)
            {
                Release();
            }
        }

        /// <summary>Answers all keys from a dictionary.</summary>
        internal void Answer(IReadOnlyDictionary<K, V> rows)
        {
            if (rows == null)
                throw new InvalidOperationException("kvlight: the provider returned null, and not a dictionary");
            for (int i = 0; i < Keys.Count; i++)
            {
                if (rows.TryGetValue(Keys[i], out V value) && value != null)
                    ResolveAt(i, value);
            }
            Finish();
        }

        /// <summary>Answers one key with a value. If the function for costs throws, that key alone fails.</summary>
        internal void ResolveAt(int at, V value)
        {
            long cost;
            try
            {
                cost = tasks.CostOf(value, null);
            }
            catch (Exception e)
            {
                FailAt(at, e);
                return;
            }
            Answer(value, cost, null, (request, made, packed) => NativeApi.kvl_request_resolve(request, at, made, (void*)packed));
        }

        internal bool FailAt(int at, Exception error) =>
            WithError(error, (request, made) => NativeApi.kvl_request_fail(request, at, made)) == NativeApi.OK;

        /// <summary>Finishes the request and releases the handle. A Tasks that is closing ends once the last key has an answer, so it may have ended
        /// already.</summary>
        private void End(Func<int> finish)
        {
            try
            {
                finish();
            }
            catch (KvlightException e) when (e.Status == Status.ErrClosed)
            {
            }
            finally
            {
                Release();
            }
        }

        private void Release() => handle.Dispose();

        private int Position(K key) => Positions().TryGetValue(Convert.ToBase64String(tasks.Keys.Bytes(key)), out int at)
            ? at : throw new ArgumentException($"kvlight: the request does not have the key {key}", nameof(key));

        private Dictionary<string, int> Positions()
        {
            lock (hookLock)
            {
                if (positions == null)
                {
                    positions = new Dictionary<string, int>();
                    for (int i = 0; i < encoded.Count; i++)
                        positions[Convert.ToBase64String(encoded[i])] = i;
                }
                return positions;
            }
        }

        private bool Answer(V value, Terms terms, Func<IntPtr, IntPtr, IntPtr, int> answer) => Answer(value, tasks.CostOf(value, terms), terms, answer);

        private bool Answer(V value, long cost, Terms terms, Func<IntPtr, IntPtr, IntPtr, int> answer)
        {
            tasks.Engine.AwaitPump();
            tasks.Engine.Enter();
            try
            {
                IntPtr made = tasks.Engine.NewValue(value, cost);
                try
                {
                    return Call(request => Terms.With(terms, false, packed => answer(request, made, (IntPtr)packed))) == NativeApi.OK;
                }
                finally
                {
                    NativeApi.kvl_value_release(made);
                }
            }
            finally
            {
                tasks.Leave();
            }
        }

        private int WithError(Exception error, Func<IntPtr, IntPtr, int> fail)
        {
            if (error == null)
                throw new ArgumentNullException(nameof(error));
            tasks.Engine.AwaitPump();
            tasks.Engine.Enter();
            try
            {
                IntPtr made = tasks.Engine.NewError(error);
                try
                {
                    return Call(request => fail(request, made));
                }
                finally
                {
                    NativeApi.kvl_error_release(made);
                }
            }
            finally
            {
                tasks.Leave();
            }
        }

        /// <summary>Makes a call. The result is LATE if the key has an answer already, or the request is finished.</summary>
        private int Call(Func<IntPtr, int> call)
        {
            int status = handle.Use(call, NativeApi.ERR_ALREADY_ANSWERED);
            return status == NativeApi.ERR_ALREADY_ANSWERED ? NativeApi.LATE : KvlightException.Check(status);
        }
    }
}
