// What can go wrong, apart from what a provider throws and from cancellation.

import CKVLight
import Foundation

/// Why a fetch failed. An error that the provider threw arrives as it was thrown, and a cancelled fetch throws `CancellationError`.
public enum KVLightError: Error, Hashable, Sendable {
    /// The time given was over before an answer came: ``FetchOptions/timeout``, or the attempt's.
    case timeout
    /// The queue was full: raise `maximumQueuedKeys` or `maximumRunningRequests`, or ask for less at once.
    case queueFull
    /// The provider finished without an answer for this key.
    case unanswered
    /// ``KVLightTasks/close(_:)`` was called.
    case closed
    /// A key has at most 65,535 bytes.
    case keyTooLong
    /// A provider failed without a Swift error.
    case provider(code: Int, message: String)
    /// The circuit breaker is open: the provider fails too often, and is left alone for a while (``CircuitBreaker``).
    case unavailable
    /// Bytes came back that are no key: `init(keyBytes:)` refused what `withKeyBytes(_:)` had said.
    case undecodableKey
    /// Any other status of the library's.
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
        case .timeout: "The time given was over before an answer came."
        case .queueFull: "Too many keys are waiting: raise maximumQueuedKeys or maximumRunningRequests, or ask for fewer at once."
        case .unanswered: "The provider finished without an answer for this key."
        case .closed: "The cache has been closed."
        case .unavailable: "The provider fails too often, and is left alone for a while."
        case .keyTooLong: "A key has at most 65,535 bytes."
        case .provider(let code, ""): "The provider failed with code \(code)."
        case .provider(_, let message): message
        case .undecodableKey: "The bytes of a key lead back to no key: init(keyBytes:) refuses what withKeyBytes(_:) says."
        case .other(let status): String(cString: kvl_status_message(status))
        }
    }

    public var errorDescription: String? { description }
}

/// Thrown in place of a ``KVLightError`` where attempts had failed before: time ran out, the cache was closed, the queue was full, or the circuit
/// breaker opened. A cancelled fetch throws `CancellationError` in any case.
public struct EndedError: Error, LocalizedError, CustomStringConvertible {
    /// What ended the fetch.
    public let error: KVLightError
    /// What the last attempt failed with: what the provider threw, if any attempt threw something.
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

/// Throw this from a provider to say that trying again is pointless: no retry follows, and `underlying` arrives at everybody
/// who waits.
public struct PermanentFailure: Error {
    public let underlying: any Error
    /// Whether an older element is worth nothing either: it is not delivered in place of the error, and leaves the store.
    public let endsFallback: Bool

    public init(_ underlying: any Error, endsFallback: Bool = false) {
        self.underlying = underlying
        self.endsFallback = endsFallback
    }
}

/// Throw this from a provider to say when trying again makes sense, as HTTP's Retry-After does: a retry waits at least that long, and
/// `underlying` arrives at everybody who waits.
public struct RetryLater: Error {
    public let underlying: any Error
    public let after: Duration

    public init(_ underlying: any Error, after: Duration) {
        self.underlying = underlying
        self.after = after
    }
}
