// The library's errors, and those by which a provider controls retries and fallbacks.

import CKVLight
import Foundation

/// Why a fetch failed. What the provider throws reaches callers unchanged, and only a cancelled fetch throws `CancellationError`.
public enum KVLightError: Error, Hashable, Sendable {
    /// No answer arrived within the timeout of the fetch (``FetchOptions/timeout``) or of the attempt.
    case timeout
    /// The queue was full: raise `maximumQueuedKeys` or `maximumRunningRequests`, or request fewer keys at once.
    case queueFull
    /// The provider finished without an answer for this key.
    case unanswered
    /// ``KVLightTasks/close(_:)`` was called.
    case closed
    /// A key has at most 65,535 bytes.
    case keyTooLong
    /// The provider failed with a code and a message in place of a Swift error, or with a `CancellationError`.
    case provider(code: Int, message: String)
    /// The circuit breaker is open (``CircuitBreaker``), so the provider was not called.
    case unavailable
    /// A key could not be decoded: `init(keyBytes:)` returned `nil` for the bytes of `withKeyBytes(_:)`.
    case undecodableKey
    /// Any other status of the library.
    case other(status: Int32)

    init(status: kvl_status_t) {
        self =
            switch status {
            case KVL_ERR_TIMEOUT: .timeout
            case KVL_ERR_QUEUE_FULL: .queueFull
            case KVL_ERR_UNANSWERED: .unanswered
            case KVL_ERR_CLOSED: .closed
            case KVL_ERR_UNAVAILABLE: .unavailable
            case KVL_ERR_KEY_TOO_LONG: .keyTooLong
            case KVL_ERR_PROVIDER: .provider(code: 0, message: "")
            default: .other(status: status)
            }
    }
}

extension KVLightError: LocalizedError, CustomStringConvertible {
    public var description: String {
        switch self {
        case .timeout: "No answer came within the timeout."
        case .queueFull: "Too many keys are waiting: raise maximumQueuedKeys or maximumRunningRequests, or ask for fewer at once."
        case .unanswered: "The provider finished without an answer for this key."
        case .closed: "The cache has been closed."
        case .unavailable: "The provider fails too often, and is not called for a while."
        case .keyTooLong: "A key has at most 65,535 bytes."
        case .provider(let code, ""): "The provider failed with code \(code)."
        case .provider(_, let message): message
        case .undecodableKey: "A key cannot be decoded: init(keyBytes:) refuses the bytes of withKeyBytes(_:)."
        case .other(let status): String(cString: kvl_status_message(status))
        }
    }

    public var errorDescription: String? { description }
}

/// Thrown in place of a ``KVLightError`` if attempts had failed with another error before the fetch timed out, the cache was closed, the queue
/// was full, or the circuit breaker opened. A cancelled fetch throws `CancellationError` in any case.
public struct EndedError: Error, LocalizedError, CustomStringConvertible {
    /// The error that ended the fetch.
    public let error: KVLightError
    /// The error of the last attempt; the one that the provider threw, if it threw one.
    public let cause: any Error

    init(_ error: KVLightError, cause: any Error) {
        self.error = error
        self.cause = cause
    }

    public var description: String { "\(error) The last attempt failed with: \(cause)" }
    public var errorDescription: String? { description }
}

/// `catch KVLightError.timeout` matches an ``EndedError`` too.
public func ~= (pattern: KVLightError, thrown: any Error) -> Bool {
    (thrown as? KVLightError ?? (thrown as? EndedError)?.error) == pattern
}

/// Thrown by a provider to prevent retries: `underlying` reaches every waiting caller at once.
public struct PermanentFailure: Error {
    public let underlying: any Error
    /// Whether an older element is invalid too: it is removed from the store and not delivered in place of the error.
    public let endsFallback: Bool

    public init(_ underlying: any Error, endsFallback: Bool = false) {
        self.underlying = underlying
        self.endsFallback = endsFallback
    }
}

/// Thrown by a provider to set the earliest time of the next attempt, like HTTP's Retry-After: a retry waits at least that long. Without a retry,
/// `underlying` reaches every waiting caller.
public struct RetryLater: Error {
    public let underlying: any Error
    public let after: Duration

    public init(_ underlying: any Error, after: Duration) {
        self.underlying = underlying
        self.after = after
    }
}

/// A server cannot be the second tier, because its URL is wrong or libkvlight_redis cannot be loaded. The description says how to fix that.
public struct SharingError: Error, LocalizedError, CustomStringConvertible {
    public let description: String
    /// An engine that has no connection for this reason fails every call with this status.
    let status: kvl_status_t

    public var errorDescription: String? { description }
}
