// The requests of a provider.

import CKVLight

/// Keys for the provider to answer one by one, in any order, from any thread, at any time.
///
/// Each answer is delivered at once to its waiting callers. A request that is released without ``finish()`` is finished, and its open keys
/// fail with ``KVLightError/unanswered``.
public final class KVLightRequest<K: KVLightKey, Element: Sendable>: Sendable {
    /// Why the answers are no longer wanted.
    public enum Cancellation: UInt32, Sendable {
        /// No caller waits any longer.
        case unwanted = 1
        /// The attempt timed out.
        case timeout
        /// The engine was closed.
        case closed
    }

    /// The result of an answer.
    public enum Acceptance: Sendable {
        case accepted
        /// The attempt had timed out. The element is stored if nothing newer is.
        case late
        /// The key has an answer already, the index is out of range, the engine has closed, a tag or the version is too long, or there is
        /// no stored entry for `notModified`.
        case refused
    }

    /// The stored entry of a key, expired or not.
    public struct Stale: Sendable {
        /// `nil` if the key is known to have no element.
        public let element: Element?
        /// The time since the element was loaded or set.
        public let age: Duration
        /// The version that was stored with the element; empty if there was none.
        public let version: String
    }

    @usableFromInline let handle: RequestHandle
    @usableFromInline let pricing: Pricing<Element>

    /// The keys, each once.
    public let keys: [K]

    /// `nil` if a key cannot be decoded; the request has failed then.
    @inlinable
    init?(_ handle: RequestHandle, _ context: RequestContext<K, Element>) {
        self.handle = handle
        pricing = context.pricing
        let decoded = (0..<handle.count).compactMap { handle.key($0, read: context.spellings.key(of:)) }
        keys = decoded
        guard decoded.count == handle.count else {
            handle.finish(throwing: PermanentFailure(KVLightError.undecodableKey))
            return nil
        }
    }

    /// The number of the attempt that loads the key at `index`: 1, 2, …; 0 if there is no such key.
    public func attempt(at index: Int) -> Int {
        index < 0 ? 0 : Int(kvl_request_attempt(handle.raw, index))
    }

    /// The priority of the most urgent waiting fetch.
    public var priority: TaskPriority { handle.priority }

    /// The time until the attempt times out; `nil` if there is no limit.
    public var timeLeft: Duration? {
        let left = kvl_request_time_left_ms(handle.raw)
        return left < 0 ? nil : .milliseconds(left)
    }

    /// Why the request is no longer wanted; `nil` while it is wanted.
    public var cancellation: Cancellation? {
        let reason = kvl_request_is_cancelled(handle.raw)
        // A reason that only a later version of the library knows must not be taken for "still wanted".
        return reason == 0 ? nil : Cancellation(rawValue: reason) ?? .unwanted
    }

    /// Whether a caller still waits for a key.
    public func isWanted(at index: Int) -> Bool {
        index >= 0 && kvl_request_is_wanted(handle.raw, index) != 0
    }

    /// Calls `cancelled` once if the request is no longer wanted before it is finished: on the thread that delivers the engine's results, which
    /// `cancelled` therefore must not hold up.
    public func onCancel(_ cancelled: @escaping @Sendable () -> Void) {
        handle.onCancel(cancelled)
    }

    /// Reports that the provider is still working. The timeout of the attempt starts again.
    public func heartbeat() {
        kvl_request_heartbeat(handle.raw)
    }

    /// Answers the key at `index` with its element, or with `nil` if there is none.
    @discardableResult
    @inlinable
    public func resolve(at index: Int, with element: Element?) -> Acceptance {
        accepted(index < 0 ? KVL_ERR_OUT_OF_RANGE : handle.resolve(index, element, cost: pricing(element)))
    }

    /// Answers the key at `index`, with terms for storing the answer.
    ///
    /// - Parameters:
    ///   - tags: at most 16 names, each of 1 to 255 bytes of UTF-8, by which ``MemoryCache/removeTag(_:)`` finds the element.
    ///   - version: the version of the record, which ``stale(at:)`` returns: at most 255 bytes of UTF-8.
    @discardableResult
    public func resolve(
        at index: Int, with element: Element?, expiredIn ttl: TimeToLive = .default, priority: Double? = nil, staleFor stale: Duration? = nil,
        tags: [String] = [], version: String = ""
    ) -> Acceptance {
        guard index >= 0 else { return .refused }
        let terms = StatedTerms(ttl: ttl, priority: priority, stale: stale, tags: tags, version: version)
        return accepted(handle.resolve(index, element, cost: pricing(element), terms))
    }

    /// The stored entry of the key at `index`, expired or not; `nil` if there is none. A provider can ask its source whether the record has
    /// changed since, and answer ``notModified(at:expiredIn:priority:staleFor:tags:version:)`` if it has not.
    public func stale(at index: Int) -> Stale? {
        guard index >= 0, let held = handle.stale(index, as: Element.self) else { return nil }
        return Stale(element: held.element, age: .milliseconds(held.age), version: held.version)
    }

    /// Answers the key at `index` with the stored element that ``stale(at:)`` returns, since the record has not changed. The element gets a
    /// new time to live, and keeps its tags and version unless others are stated.
    @discardableResult
    public func notModified(
        at index: Int, expiredIn ttl: TimeToLive = .default, priority: Double? = nil, staleFor stale: Duration? = nil, tags: [String] = [],
        version: String = ""
    ) -> Acceptance {
        guard index >= 0 else { return .refused }
        return accepted(
            handle.notModified(index, StatedTerms(ttl: ttl, priority: priority, stale: stale, tags: tags, version: version)))
    }

    /// Answers a key: one of ``keys``, or another one, whose element is stored unless something newer is.
    @discardableResult
    public func supply(
        _ element: Element?, for key: K, expiredIn ttl: TimeToLive = .default, priority: Double? = nil, staleFor stale: Duration? = nil,
        tags: [String] = [], version: String = ""
    ) -> Acceptance {
        let terms = StatedTerms(ttl: ttl, priority: priority, stale: stale, tags: tags, version: version)
        return accepted(handle.supply(key, element, cost: pricing(element), terms))
    }

    /// Fails the key at `index`. Every waiting caller receives this error, except that a `CancellationError`, which would look like a
    /// cancellation of the caller, becomes a ``KVLightError/provider(code:message:)``.
    @discardableResult
    public func fail(at index: Int, with error: any Error) -> Acceptance {
        accepted(index < 0 ? KVL_ERR_OUT_OF_RANGE : handle.fail(index, delivered(error)))
    }

    /// Finishes the request. Keys without an answer fail with ``KVLightError/unanswered``, or are absent if `omittedKeysAreNull` is set.
    public func finish() {
        handle.finish()
    }

    /// Finishes the request. Keys without an answer are absent, as when a query found no row.
    public func finishWithNulls() {
        handle.finishWithNulls()
    }

    /// Finishes the request. Keys without an answer fail with `error`, as in ``fail(at:with:)``.
    public func finish(throwing error: any Error) {
        handle.finish(throwing: delivered(error))
    }

    /// The error that callers receive when the provider fails with `error`. A `CancellationError` is replaced, since it says that a task of
    /// the provider was cancelled, and not the caller's.
    private func delivered(_ error: any Error) -> any Error {
        let cancelled = KVLightError.provider(code: 0, message: "The provider was cancelled.")
        return switch error {
        case is CancellationError: cancelled
        case let error as PermanentFailure where error.underlying is CancellationError:
            PermanentFailure(cancelled, endsFallback: error.endsFallback)
        case let error as RetryLater where error.underlying is CancellationError: RetryLater(cancelled, after: error.after)
        default: error
        }
    }

    @inlinable
    func accepted(_ status: kvl_status_t) -> Acceptance {
        switch status {
        case KVL_OK: .accepted
        case KVL_LATE: .late
        default: .refused
        }
    }
}

/// What all requests of an engine share.
@usableFromInline
struct RequestContext<K: KVLightKey, Element: Sendable>: Sendable {
    @usableFromInline let pricing: Pricing<Element>
    @usableFromInline let spellings: Spellings<K>
}
