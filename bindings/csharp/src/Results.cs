using System;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;

namespace Kvlight
{
    /// <summary>The result of one key.</summary>
    /// <typeparam name="K">The type of the keys.</typeparam>
    /// <typeparam name="V">The type of the values.</typeparam>
    public sealed class Result<K, V>
    {
        private readonly ExceptionDispatchInfo error;

        internal Result(K key, V value, ExceptionDispatchInfo error, Status status, Source source, int attempts, long ageMs, long ttlLeftMs, bool isStale)
        {
            Key = key;
            Value = value;
            this.error = error;
            Status = status;
            Source = source;
            Attempts = attempts;
            AgeMs = ageMs;
            TtlLeftMs = ttlLeftMs;
            IsStale = isStale;
        }

        /// <summary>The key.</summary>
        public K Key { get; }

        /// <summary>The value; the default of its type if there is none (null, miss, invalid key), or if the key failed.</summary>
        public V Value { get; }

        /// <summary>Whether there is a value.</summary>
        public bool IsFound => Status == Status.Value;

        /// <summary>The exception, if the key failed: the provider's own, or a KvlightException. If IsStale, the exception with which the load
        /// failed, or null if the load took too long (StaleTimeoutMs).</summary>
        public Exception Error => error?.SourceException;

        /// <summary>Status.Value, Null, Miss, InvalidKey, or the status of the error.</summary>
        public Status Status { get; }

        /// <summary>Where the result came from.</summary>
        public Source Source { get; }

        /// <summary>How many attempts the load made; 0 if there was no load.</summary>
        public int Attempts { get; }

        /// <summary>Milliseconds since the value was loaded, put, or found in the second tier.</summary>
        public long AgeMs { get; }

        /// <summary>Milliseconds until the value expires; -1: never; 0: it is not stored.</summary>
        public long TtlLeftMs { get; }

        /// <summary>Whether the value has expired, and is served as a fallback.</summary>
        public bool IsStale { get; }

        /// <summary>Returns the value, or the default of its type if there is none (null, miss, invalid key); throws the error of a key that
        /// failed.</summary>
        /// <returns>The value.</returns>
        public V OrThrow()
        {
            if (Status < 0)
                error.Throw();
            return Value;
        }
    }

    /// <summary>The stored entry of a key that a provider is to load, expired or not.</summary>
    /// <typeparam name="V">The type of the values.</typeparam>
    public sealed class Stale<V>
    {
        internal Stale(V value, long ageMs, string version)
        {
            Value = value;
            AgeMs = ageMs;
            Version = version;
        }

        /// <summary>The value; the default of its type if the key is known to be absent.</summary>
        public V Value { get; }

        /// <summary>Milliseconds since the value was loaded, put, or found in the second tier.</summary>
        public long AgeMs { get; }

        /// <summary>The version that was stored with the value; empty if there was none.</summary>
        public string Version { get; }
    }

    /// <summary>A provider's exception in Engine.Objects; the type tells it from the values there. Whoever throws an exception adds to its stack
    /// trace. The trace of one that is delivered again and again, such as a remembered error or an exception in a static field of the provider, would grow
    /// without a limit. So there is one Raised for each exception, with the trace that the exception had when it first came.</summary>
    internal sealed class Raised
    {
        private static readonly ConditionalWeakTable<Exception, Raised> Known = new ConditionalWeakTable<Exception, Raised>();

        internal readonly ExceptionDispatchInfo Error;

        private Raised(Exception exception)
        {
            Error = ExceptionDispatchInfo.Capture(exception);
        }

        /// <summary>Whether a caller may have thrown the exception since it came.</summary>
        internal bool IsDelivered { get; set; }

        internal static Raised Of(Exception exception) => Known.GetValue(exception, made => new Raised(made));
    }

    /// <summary>Reads a kvl_result_t. The caller keeps it, and the objects that it refers to, valid during the call.</summary>
    internal static unsafe class Outcome
    {
        internal static int StatusOf(byte* result) => *(int*)(result + NativeApi.Result.STATUS);

        internal static V ValueOf<V>(ObjectTable objects, byte* result) => (V)objects.Find(*(long*)(result + NativeApi.Result.OBJECT));

        /// <summary>The error of a result, or null.</summary>
        private static ExceptionDispatchInfo ErrorOf(ObjectTable objects, byte* result)
        {
            IntPtr error = *(IntPtr*)(result + NativeApi.Result.ERROR);
            return error == IntPtr.Zero ? null : Error(objects, error, false);
        }

        /// <summary>The error of a failed result, for a task, which takes the exception's trace as it is at this moment.</summary>
        internal static Exception FreshErrorOf(ObjectTable objects, byte* result) =>
            Error(objects, *(IntPtr*)(result + NativeApi.Result.ERROR), true).SourceException;

        internal static Result<K, V> Read<K, V>(ObjectTable objects, byte* result, K key)
        {
            int status = StatusOf(result);
            return new Result<K, V>(
                key,
                status == NativeApi.VALUE ? ValueOf<V>(objects, result) : default(V),
                ErrorOf(objects, result),
                (Status)status,
                (Source)(*(int*)(result + NativeApi.Result.SOURCE)),
                *(int*)(result + NativeApi.Result.ATTEMPTS),
                *(long*)(result + NativeApi.Result.AGE_MS),
                *(long*)(result + NativeApi.Result.TTL_LEFT_MS),
                (*(int*)(result + NativeApi.Result.FLAGS) & NativeApi.F_STALE) != 0);
        }

        /// <summary>The exception for a kvl_error_t: the provider's own, or a KvlightException. If isFresh, it has the trace that it had when it
        /// came.</summary>
        private static ExceptionDispatchInfo Error(ObjectTable objects, IntPtr error, bool isFresh)
        {
            if (objects.Find(NativeApi.kvl_error_object(error).ToInt64()) is Raised raised)
            {
                if (isFresh && raised.IsDelivered)
                    Restore(raised.Error);
                raised.IsDelivered = true;
                return raised.Error;
            }
            IntPtr cause = NativeApi.kvl_error_cause(error);
            string message = Utf8.Text(NativeApi.kvl_error_message(error));
            Exception inner = cause == IntPtr.Zero ? null : Error(objects, cause, false).SourceException;
            return ExceptionDispatchInfo.Capture(KvlightException.Of(NativeApi.kvl_error_status(error), message, inner));
        }

        /// <summary>Gives an exception the trace that was captured, which only throwing it does.</summary>
        private static void Restore(ExceptionDispatchInfo error)
        {
            try
            {
                error.Throw();
            }
            catch (Exception)
            {
                // Its trace is what was wanted.
            }
        }
    }
}
