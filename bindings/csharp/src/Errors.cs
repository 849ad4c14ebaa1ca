using System;

namespace Kvlight
{
    /// <summary>An error of the library. An exception that a provider throws reaches every waiting caller unchanged, not as a KvlightException.
    /// The inner exception is that of the last failed attempt before the fetch ended; null if no attempt had failed.</summary>
    public sealed class KvlightException : Exception
    {
        internal KvlightException(Status status, string message, Exception cause)
            : base(message, cause)
        {
            Status = status;
        }

        /// <summary>The status, such as Status.ErrTimeout.</summary>
        public Status Status { get; }

        /// <summary>Returns the status if it is not an error; otherwise throws an exception.</summary>
        internal static int Check(int status)
        {
            if (status < 0)
                throw Of(status, null, null);
            return status;
        }

        /// <summary>Throws an exception for an argument that is out of range.</summary>
        internal static void CheckArgument(bool isValid, string rule)
        {
            if (!isValid)
                throw Of(NativeApi.ERR_INVALID_ARG, "kvlight: " + rule, null);
        }

        internal static unsafe KvlightException Of(int status, string message, Exception cause)
        {
            string text = string.IsNullOrEmpty(message) ? Utf8.Text(NativeApi.kvl_status_message(status)) : message;
            return new KvlightException((Status)status, text, cause);
        }
    }

    /// <summary>Thrown by a provider: the key is not retried, whatever the settings of retries are. May be subclassed.</summary>
    public class PermanentException : Exception
    {
        /// <summary>Creates an exception.</summary>
        /// <param name="message">What has failed.</param>
        /// <param name="cause">Why; null if that is unknown.</param>
        public PermanentException(string message, Exception cause = null)
            : base(message, cause)
        {
        }
    }

    /// <summary>Like PermanentException, and also ends the fallback: an expired value of the key is removed from the cache, and not
    /// served (StaleTtlMs).</summary>
    public class GoneException : PermanentException
    {
        /// <summary>Creates an exception.</summary>
        /// <param name="message">What has failed.</param>
        /// <param name="cause">Why; null if that is unknown.</param>
        public GoneException(string message, Exception cause = null)
            : base(message, cause)
        {
        }
    }

    /// <summary>Thrown by a provider: a retry waits for at least the given pause, like HTTP's Retry-After. May be subclassed.</summary>
    public class RetryAfterException : Exception
    {
        /// <summary>Creates an exception.</summary>
        /// <param name="message">What has failed.</param>
        /// <param name="afterMs">The shortest pause before the next attempt, in milliseconds, 0 or above.</param>
        public RetryAfterException(string message, long afterMs)
            : base(message)
        {
            if (afterMs < 0)
                throw new ArgumentOutOfRangeException(nameof(afterMs));
            AfterMs = afterMs;
        }

        /// <summary>The shortest pause before the next attempt, in milliseconds.</summary>
        public long AfterMs { get; }
    }
}
