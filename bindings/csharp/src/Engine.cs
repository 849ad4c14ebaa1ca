using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Kvlight
{
    /// <summary>A Tasks or a Cache, which receives the events of its engine.</summary>
    internal interface IOwner
    {
        /// <summary>Receives a request for the provider, on the pump's thread.</summary>
        void Ask(IntPtr request);

        /// <summary>Receives a request for the second tier, on the pump's thread.</summary>
        void AskSecondTier(IntPtr request);

        /// <summary>Receives a value that the library no longer holds, for the program's function Dropped.</summary>
        void Drop(object value);

        /// <summary>Receives an entry that has left the cache, for the program's function Removed.</summary>
        void Remove(byte[] key, object value, RemovalCause cause);

        /// <summary>Asks the program whether a key is valid, on the thread of a call.</summary>
        bool IsValid(byte[] key);
    }

    /// <summary>What is behind a Tasks or a Cache (the owner): the library's handles, the queue of its events, and the pump, a thread that reads the
    /// queue. The pump runs no code of the program. The engine refers to its owner weakly, so that an owner that is dropped without Dispose is
    /// collected, which ends the engine. States: open; closing, after Close; ended, when the pump has freed the handles. The gate keeps calls from
    /// using freed handles.</summary>
    internal sealed unsafe class Engine
    {
        /// <summary>The values and the provider's exceptions that the library holds.</summary>
        internal readonly ObjectTable Objects = new ObjectTable();

        /// <summary>The fetches in progress: each is a Pending.</summary>
        internal readonly ObjectTable Pendings = new ObjectTable();

        /// <summary>Weak references to the CancellationTokenSources of the requests whose token a provider has read.</summary>
        internal readonly ObjectTable Hooks = new ObjectTable();

        /// <summary>Runs Dropped and Removed, and reports what fails on the pump, one call at a time.</summary>
        internal readonly Serial Serial;

        /// <summary>The engines whose pumps run. They are stopped when the process or the application domain ends, which would otherwise wait for a
        /// thread that is inside the library. Also the lock of this set.</summary>
        private static readonly HashSet<Engine> Running = new HashSet<Engine>();

        /// <summary>How many of the program's functions this thread is running inside a gate. Their engine cannot end before they return.</summary>
        [ThreadStatic]
        private static int lent;

        /// <summary>How many providers and jobs of a Serial this thread is running, of any engine. They never wait for a pump.</summary>
        [ThreadStatic]
        internal static int Callbacks;

        private readonly Gate gate = new Gate();
        private readonly Backlog backlog = new Backlog();
        private readonly Action<Exception> failed;

        /// <summary>Whether the program has a function Dropped or Removed: then the end waits for its calls.</summary>
        private readonly bool reportsDrops;

        /// <summary>How many numbers in Objects each value has; null without a function Dropped. Also the lock of this dictionary.</summary>
        private readonly Dictionary<object, int> holds;

        private readonly TaskCompletionSource<bool> ended = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        private WeakReference<IOwner> owner;
        private Thread pump;

        /// <summary>A Tasks that drains. The pump refers to this engine, so this reference keeps the Tasks from being collected before the
        /// end.</summary>
        private volatile object held;

        private volatile bool isOpen = true;
        private volatile bool isEnding;
        private volatile bool isAbandoned;

        /// <summary>The delegate that the library calls to validate a key, kept here for as long as it may be called. Null without a
        /// validator.</summary>
        private Validate validate;

        static Engine()
        {
            AppDomain.CurrentDomain.ProcessExit += (sender, arguments) => StopAll();
            AppDomain.CurrentDomain.DomainUnload += (sender, arguments) => StopAll();
        }

        private Engine(Action<Exception> failed, bool isDroppedReported, bool areRemovalsReported)
        {
            this.failed = failed;
            reportsDrops = isDroppedReported || areRemovalsReported;
            holds = isDroppedReported ? new Dictionary<object, int>(new ByIdentity()) : null;
            Serial = new Serial(Report);
        }

        internal IntPtr Queue { get; private set; }

        /// <summary>The kvl_tasks_t; zero for a cache without a provider.</summary>
        internal IntPtr Tasks { get; private set; }

        internal IntPtr Cache { get; private set; }

        /// <summary>The connection to the server of Config.L2Url, or null. It uses the engine until Stop is called.</summary>
        internal RedisTier Server { get; private set; }

        /// <summary>Whether a fetch without options looks in the store first.</summary>
        internal bool ReadsStoreFirst { get; private set; }

        internal bool IsOpen => isOpen;

        internal Task Ended => ended.Task;

        /// <summary>Opens an engine of the library or, without a provider, only a cache.</summary>
        internal static Engine Open<K, V>(Config<K, V> settings, bool hasProvider, bool answersOne)
        {
            if (settings.SecondTier != null && settings.L2Url != null)
                throw new ArgumentException("kvlight: SecondTier and L2Url exclude each other: there is one second tier");
            if (!hasProvider && (settings.SecondTier != null || settings.L2Url != null))
                throw new ArgumentException("kvlight: a Cache has no second tier: SecondTier and L2Url are for a Tasks, which has a provider");
            if ((settings.SecondTier != null || settings.L2Url != null) && (settings.Encode == null || settings.Decode == null))
                throw new ArgumentException("kvlight: a second tier needs Encode and Decode, which turn values into bytes and bytes into values");
            Library.Require();
            var engine = new Engine(settings.FailureHandler, settings.Dropped != null, settings.Removed != null);
            IntPtr made;
            KvlightException.Check(NativeApi.kvl_queue_new(0, &made));
            engine.Queue = made;
            IntPtr config = IntPtr.Zero;
            try
            {
                KvlightException.Check(NativeApi.kvl_config_new(&config));
                if (answersOne && !settings.Has("batch.max_keys"))
                {
                    fixed (byte* name = Utf8.Terminated("batch.max_keys"))
                        KvlightException.Check(NativeApi.kvl_config_set_int(config, name, 1));
                }
                settings.WriteTo(config, true);
                settings.Clock?.SetIn(config);
                if (settings.Validator != null)
                {
                    engine.validate = engine.IsValid;
                    IntPtr function = Marshal.GetFunctionPointerForDelegate(engine.validate);
                    KvlightException.Check(NativeApi.kvl_config_set_validator(config, function, IntPtr.Zero, IntPtr.Zero));
                }
                if (settings.Removed != null)
                {
                    KvlightException.Check(NativeApi.kvl_config_set_removal_listener(config, IntPtr.Zero, IntPtr.Zero, IntPtr.Zero));
                    KvlightException.Check(NativeApi.kvl_config_set_queue(config, engine.Queue, NativeApi.QUEUE_F_REMOVALS));
                }
                if (hasProvider)
                {
                    KvlightException.Check(NativeApi.kvl_config_set_queue(config, engine.Queue, NativeApi.QUEUE_F_ALL | NativeApi.QUEUE_F_L2));
                    if (settings.L2Url != null)
                    {
                        engine.Server = new RedisTier(settings.L2Url);
                        KvlightException.Check(NativeApi.kvl_config_set_l2(config, (uint)RedisTier.Abilities, IntPtr.Zero, IntPtr.Zero, IntPtr.Zero));
                    }
                    else if (settings.SecondTier != null)
                    {
                        int abilities = NativeApi.L2_F_OBJECTS | (settings.SecondTier.IsConditional ? NativeApi.L2_F_CONDITIONAL : 0)
                            | (settings.SecondTier.GrantsLeases ? NativeApi.L2_F_LEASES : 0);
                        KvlightException.Check(NativeApi.kvl_config_set_l2(config, (uint)abilities, IntPtr.Zero, IntPtr.Zero, IntPtr.Zero));
                    }
                    KvlightException.Check(NativeApi.kvl_config_set_provider(config, IntPtr.Zero, IntPtr.Zero, IntPtr.Zero));
                }
                engine.Create(config, hasProvider);
                engine.ReadsStoreFirst = NativeApi.kvl_tasks_reads_store_first(engine.Tasks) != 0;
                engine.Server?.Attach(engine.Tasks);
                return engine;
            }
            catch
            {
                engine.Server?.Stop();
                NativeApi.kvl_queue_dispose(engine.Queue);
                throw;
            }
            finally
            {
                NativeApi.kvl_config_free(config);
            }
        }

        /// <summary>Creates the engine or the cache. Throws an exception with the library's message if settings contradict each other.</summary>
        private void Create(IntPtr config, bool hasProvider)
        {
            IntPtr made, why = IntPtr.Zero;
            int status = hasProvider ? NativeApi.kvl_tasks_new(config, &made, &why) : NativeApi.kvl_cache_new(config, &made, &why);
            if (status < 0)
            {
                string sentence = why == IntPtr.Zero ? null : Utf8.Text(NativeApi.kvl_error_message(why));
                NativeApi.kvl_error_release(why);
                throw KvlightException.Of(status, sentence, null);
            }
            if (hasProvider)
            {
                Tasks = made;
                KvlightException.Check(NativeApi.kvl_tasks_cache(Tasks, &made));
            }
            Cache = made;
        }

        /// <summary>Begins to read the queue for a Tasks or a Cache.</summary>
        internal void Start(IOwner store)
        {
            owner = new WeakReference<IOwner>(store);
            pump = new Thread(Pump) { IsBackground = true, Name = "kvlight pump" };
            lock (Running)
                Running.Add(this);
            try
            {
                pump.Start();
            }
            catch
            {
                lock (Running)
                    Running.Remove(this);
                gate.Shut();
                Server?.Stop();
                NativeApi.kvl_cache_release(Cache);
                NativeApi.kvl_tasks_dispose(Tasks);
                NativeApi.kvl_queue_dispose(Queue);
                throw;
            }
        }

        internal bool TryEnter() => gate.Enter();

        internal void Enter()
        {
            if (!TryEnter())
                throw KvlightException.Of(NativeApi.ERR_CLOSED, null, null);
        }

        internal void Leave() => gate.Leave();

        /// <summary>Calls a function of the program between Enter and Leave. If that function calls Dispose, Dispose does not wait.</summary>
        internal static T Lend<T>(Func<T> function)
        {
            lent++;
            try
            {
                return function();
            }
            finally
            {
                lent--;
            }
        }

        /// <summary>Waits while too many events wait. Called before each write, outside the gate, for which the pump may wait. In the program's functions
        /// it does not wait.</summary>
        internal void AwaitPump()
        {
            if (backlog.IsToLook() && Callbacks == 0 && lent == 0 && Thread.CurrentThread != pump)
                backlog.Await(IsLimitExceeded);
        }

        /// <summary>Whether more events wait than the limit: the number of entries for which there is room, between 16 and 1,024. With a limit on their
        /// cost, which the queue's events do not state, it is the number that there are.</summary>
        private bool IsLimitExceeded()
        {
            if (!isOpen || !gate.Enter())
                return false;
            try
            {
                long waiting = NativeApi.kvl_queue_len(Queue);
                if (waiting <= 16)
                    return false;
                long limit = NativeApi.kvl_cache_cost_limit(Cache) < 0 ? NativeApi.kvl_cache_capacity(Cache) : NativeApi.kvl_cache_len(Cache);
                return waiting > Math.Max(16, Math.Min(1024, limit));
            }
            finally
            {
                gate.Leave();
            }
        }

        /// <summary>Creates a kvl_value_t; null becomes the library's null. The object is kept until the queue reports that the library dropped
        /// it.</summary>
        internal IntPtr NewValue(object value, long cost)
        {
            if (value == null)
                return NativeApi.kvl_value_null();
            if (holds != null)
            {
                lock (holds)
                {
                    holds.TryGetValue(value, out int count);
                    holds[value] = count + 1;
                }
            }
            long number = Objects.Add(value);
            IntPtr made;
            int status = NativeApi.kvl_value_new_object_on(Queue, (IntPtr)number, cost, IntPtr.Zero, &made);
            if (status < 0)
            {
                Objects.Remove(number);
                LosesLastNumber(value);
                throw KvlightException.Of(status, null, null);
            }
            return made;
        }

        /// <summary>Notes that a value has one number fewer; returns whether it has none left.</summary>
        private bool LosesLastNumber(object value)
        {
            if (holds == null)
                return true;
            lock (holds)
            {
                int left = holds[value] - 1;
                if (left == 0)
                    return holds.Remove(value);
                holds[value] = left;
                return false;
            }
        }

        private sealed class ByIdentity : IEqualityComparer<object>
        {
            bool IEqualityComparer<object>.Equals(object one, object other) => ReferenceEquals(one, other);

            int IEqualityComparer<object>.GetHashCode(object value) => RuntimeHelpers.GetHashCode(value);
        }

        /// <summary>Creates a kvl_error_t for an exception. The exception is kept like a value.</summary>
        internal IntPtr NewError(Exception exception)
        {
            byte[] message = Encoding.UTF8.GetBytes(Lend(() => MessageOf(exception)));
            uint flags = exception is PermanentException ? (uint)NativeApi.ERROR_F_PERMANENT : 0;
            flags |= exception is GoneException ? (uint)NativeApi.ERROR_F_NO_STALE : 0;
            long number = Objects.Add(Raised.Of(exception));
            IntPtr made;
            fixed (byte* text = message)
            {
                int status = NativeApi.kvl_error_new_object(0, text, message.Length, flags, Queue, (IntPtr)number, IntPtr.Zero, &made);
                if (status < 0)
                {
                    Objects.Remove(number);
                    throw KvlightException.Of(status, null, null);
                }
            }
            if (exception is RetryAfterException later)
                NativeApi.kvl_error_set_retry_after(made, later.AfterMs);
            return made;
        }

        /// <summary>The message of an exception. The property may be code of the program, and throw.</summary>
        private static string MessageOf(Exception exception)
        {
            try
            {
                return exception.Message ?? exception.GetType().Name;
            }
            catch (Exception)
            {
                return exception.GetType().Name;
            }
        }

        /// <summary>A kvl_validate_fn: returns 0 if the key is not valid.</summary>
        [UnmanagedFunctionPointer(CallingConvention.Cdecl)]
        private delegate uint Validate(IntPtr userData, byte* key, IntPtr length);

        /// <summary>Runs on the thread of a call, inside the gate.</summary>
        private uint IsValid(IntPtr userData, byte* key, IntPtr length)
        {
            try
            {
                if (!owner.TryGetTarget(out IOwner store))
                    return 1;
                byte[] bytes = Utf8.Copy(key, length.ToInt64());
                return Lend(() => store.IsValid(bytes)) ? 1u : 0u;
            }
            catch (Exception e)
            {
                Lend(() =>
                {
                    Report(e);
                    return true;
                });
                return 0;
            }
        }

        /// <summary>Releases a kvl_value_t, and returns its object.</summary>
        internal object Taken(IntPtr value)
        {
            object found = Objects.Find(NativeApi.kvl_value_object(value).ToInt64());
            NativeApi.kvl_value_release(value);
            return found;
        }

        /// <summary>Reports an exception of one of the program's functions that nobody waits for.</summary>
        internal void Report(Exception error)
        {
            try
            {
                if (failed != null)
                {
                    failed(error);
                    return;
                }
            }
            catch (Exception e)
            {
                error = e;
            }
            Console.Error.WriteLine("kvlight: a function of the program has failed: " + error);
        }

        /// <summary>Starts to close: at once (0), or once the accepted work is done, for which it has this many milliseconds (-1: without a limit).
        /// Never waits. May be called again.</summary>
        internal void Close(long drainMs)
        {
            if (!gate.Enter())
                return;
            try
            {
                if (Tasks == IntPtr.Zero)
                {
                    isOpen = false;
                    NativeApi.kvl_queue_wake(Queue);
                    return;
                }
                int mode = drainMs == 0 ? NativeApi.CLOSE_CANCEL : NativeApi.CLOSE_DRAIN;
                KvlightException.Check(NativeApi.kvl_tasks_close(Tasks, (uint)mode, drainMs, IntPtr.Zero, IntPtr.Zero, IntPtr.Zero));
                isOpen = false;
            }
            finally
            {
                gate.Leave();
            }
        }

        /// <summary>Keeps a Tasks that drains alive until the end.</summary>
        internal void Hold(object store) => held = store;

        /// <summary>Waits for the end, unless the calling thread is one that the end waits for.</summary>
        internal void AwaitEnd()
        {
            if (!Serial.IsCurrent && lent == 0 && Thread.CurrentThread != pump)
                ended.Task.Wait();
        }

        /// <summary>Stops all pumps, and waits at most a second for each. What they would have freed is freed by the end of the process.</summary>
        private static void StopAll()
        {
            Engine[] engines;
            lock (Running)
            {
                engines = new Engine[Running.Count];
                Running.CopyTo(engines);
            }
            foreach (Engine engine in engines)
            {
                engine.Close(0);
                engine.isAbandoned = true;
                if (engine.gate.Enter())
                {
                    NativeApi.kvl_queue_wake(engine.Queue);
                    engine.gate.Leave();
                }
            }
            const int PatienceMs = 1000;
            foreach (Engine engine in engines)
            {
                if (engine.pump != Thread.CurrentThread)
                    engine.pump.Join(PatienceMs);
            }
        }

        private void Pump()
        {
            try
            {
                ReadQueue();
            }
            finally
            {
                lock (Running)
                    Running.Remove(this);
            }
        }

        private void ReadQueue()
        {
            byte* memory = stackalloc byte[NativeApi.Event.SIZE];
            bool isIdle = false;
            for (;;)
            {
                if (isAbandoned)
                    return;
                int status = NativeApi.kvl_queue_next(Queue, isIdle && !isEnding ? NativeApi.FOREVER : 0, memory, NativeApi.Event.SIZE);
                backlog.NoteRead();
                isIdle = status != NativeApi.OK;
                if (!isIdle)
                {
                    Handle(memory);
                    Erase();
                }
                else if (status < 0 || isEnding)
                    break;
                else if (Tasks == IntPtr.Zero && !isOpen)
                    Free();
                else
                    Thread.Yield(); // Writers that can run now fill the queue again, so that the pump need not sleep and be woken.
            }
            if (NativeApi.kvl_queue_free(Queue) < 0)
                NativeApi.kvl_queue_dispose(Queue); // An iterator holds the cache, which still refers to the queue.
            GC.KeepAlive(held);
            held = null;
            // Serial runs this after the last call of Dropped and Removed. In both cases, what waits for the end continues on another thread.
            if (reportsDrops)
                Serial.Run(() => ended.TrySetResult(true));
            else
                ended.TrySetResult(true);
        }

        /// <summary>Overwrites what calls have left on the stack. Mono's collector scans stacks conservatively: every word that looks like a
        /// reference counts as one. A thread that waits for its next event or job still has remnants of the last one on its stack, so that a dropped
        /// Tasks would never be collected.</summary>
        [MethodImpl(MethodImplOptions.NoInlining)]
        internal static void Erase()
        {
            const int Words = 512;
            long* stack = stackalloc long[Words];
            for (int i = 0; i < Words; i++)
                Volatile.Write(ref stack[i], 0);
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private void Handle(byte* memory)
        {
            Pending ending = null;
            try
            {
                long id = *(long*)(memory + NativeApi.Event.USER_DATA);
                switch (*(int*)(memory + NativeApi.Event.KIND))
                {
                    case NativeApi.EVENT_RESULT:
                        bool isLast = (*(int*)(memory + NativeApi.Event.FLAGS) & NativeApi.F_LAST) != 0;
                        var fetch = (Pending)(isLast ? Pendings.Remove(id) : Pendings.Find(id));
                        ending = isLast ? fetch : null;
                        fetch.Deliver(*(byte**)(memory + NativeApi.Event.RESULT), isLast);
                        break;
                    case NativeApi.EVENT_RESULTS:
                        ending = (Pending)Pendings.Remove(id);
                        ending.DeliverAll(*(IntPtr*)(memory + NativeApi.Event.RESULTS));
                        break;
                    case NativeApi.EVENT_PROGRESS:
                        ((Pending)Pendings.Find(id)).ReportProgress(*(long*)(memory + NativeApi.Event.DONE), *(long*)(memory + NativeApi.Event.FAILED),
                            *(long*)(memory + NativeApi.Event.TOTAL));
                        break;
                    case NativeApi.EVENT_REQUEST:
                        // If the owner was collected, nobody can answer, and no caller waits for an answer.
                        if (owner.TryGetTarget(out IOwner asked))
                            asked.Ask(*(IntPtr*)(memory + NativeApi.Event.REQUEST));
                        break;
                    case NativeApi.EVENT_L2:
                        if (owner.TryGetTarget(out IOwner tierOwner))
                            tierOwner.AskSecondTier(*(IntPtr*)(memory + NativeApi.Event.L2_REQUEST));
                        break;
                    case NativeApi.EVENT_CANCEL:
                        if (Hooks.Remove(id) is WeakReference<CancellationTokenSource> hook && hook.TryGetTarget(out CancellationTokenSource source))
                            Cancel(source);
                        break;
                    case NativeApi.EVENT_DROP:
                        object dropped = Objects.Remove(id);
                        if (dropped != null && !(dropped is Raised) && LosesLastNumber(dropped) && owner.TryGetTarget(out IOwner holder))
                            holder.Drop(dropped);
                        break;
                    case NativeApi.EVENT_REMOVAL:
                        // The object stays in the table until its EVENT_DROP is read, which follows.
                        byte* entry = *(byte**)(memory + NativeApi.Event.RESULT);
                        if (owner.TryGetTarget(out IOwner listener))
                        {
                            byte[] key = Utf8.Copy(*(byte**)(entry + NativeApi.Result.KEY), *(long*)(entry + NativeApi.Result.KEY_LEN));
                            object left = Objects.Find(*(long*)(entry + NativeApi.Result.OBJECT));
                            listener.Remove(key, left, (RemovalCause)(*(int*)(memory + NativeApi.Event.CAUSE)));
                        }
                        break;
                    case NativeApi.EVENT_CLOSED:
                        Free();
                        break;
                }
            }
            catch (Exception e)
            {
                // Out of memory, for example. This event is lost, but not the next ones.
                if (ending != null)
                    ending.Abandon(e);
                else
                    Serial.Run(() => Report(e));
            }
        }

        /// <summary>Cancels a token on the thread pool, since the program's functions that are registered with the token then run.</summary>
        internal void Cancel(CancellationTokenSource source) => ThreadPool.QueueUserWorkItem(_ =>
        {
            try
            {
                source.Cancel();
            }
            catch (Exception e)
            {
                Report(e);
            }
        });

        /// <summary>Frees the handles once no call uses them. The library then drops the values of the cache, and the pump still reads the events of
        /// the drops.</summary>
        private void Free()
        {
            if (isEnding)
                return;
            gate.Shut();
            if (Tasks == IntPtr.Zero)
                NativeApi.kvl_cache_clear(Cache); // Drops the values even if an iterator still holds the cache.
            Server?.Stop();
            NativeApi.kvl_cache_release(Cache);
            NativeApi.kvl_tasks_free(Tasks);
            isEnding = true;
        }
    }

    /// <summary>Runs jobs one at a time, in the order in which they come. The exception of a job is reported, and the next job runs. Up to
    /// MostWorkers of these queues run on threads of the package, since callers that wait for them may block every thread of the pool; the others run on
    /// the pool.</summary>
    internal sealed class Serial
    {
        private const int MostWorkers = 64;
        private static int workers;

        private readonly Action<Exception> failed;
        private readonly Queue<Action> jobs = new Queue<Action>();
        private bool isRunning;
        private volatile Thread runner;

        internal Serial(Action<Exception> failed)
        {
            this.failed = failed;
        }

        /// <summary>Whether the calling thread is running one of the jobs.</summary>
        internal bool IsCurrent => runner == Thread.CurrentThread;

        internal void Run(Action job)
        {
            lock (jobs)
            {
                jobs.Enqueue(job);
                if (isRunning)
                    return;
                isRunning = true;
            }
            if (!IsTakenByWorker())
                ThreadPool.QueueUserWorkItem(_ => RunAll());
        }

        private bool IsTakenByWorker()
        {
            if (Interlocked.Increment(ref workers) <= MostWorkers)
            {
                try
                {
                    Workers.Run(() =>
                    {
                        RunAll();
                        Interlocked.Decrement(ref workers);
                    });
                    return true;
                }
                catch (Exception)
                {
                    // The system refuses a thread.
                }
            }
            Interlocked.Decrement(ref workers);
            return false;
        }

        private void RunAll()
        {
            for (;;)
            {
                Action job;
                lock (jobs)
                {
                    if (jobs.Count == 0)
                    {
                        isRunning = false;
                        return;
                    }
                    job = jobs.Dequeue();
                }
                runner = Thread.CurrentThread;
                Engine.Callbacks++;
                try
                {
                    job();
                }
                catch (Exception e)
                {
                    failed(e);
                }
                finally
                {
                    Engine.Callbacks--;
                    runner = null;
                }
            }
        }
    }
}
