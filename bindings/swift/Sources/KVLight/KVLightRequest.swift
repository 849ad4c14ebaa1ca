// What a provider is handed.

import CKVLight

/// Keys that the provider is asked for, to be answered one by one, in any order, from any thread, now or later.
///
/// Those who wait hear of each answer at once. A request that is let go without ``finish()`` is finished: what is open then fails
/// with ``KVLightError/unanswered``.
public final class KVLightRequest<K: KVLightKey, Element: Sendable>: Sendable {
    /// Why nobody wants the answers any more.
    public enum Cancellation: UInt32, Sendable {
        case unwanted = 1
        case timeout
        case closed
    }

    /// What became of an answer.
    public enum Acceptance: Sendable {
        case accepted
        /// The attempt was over. An element is stored if nothing newer was.
        case late
        /// The key has its answer, or the engine has closed.
        case refused
    }

    @usableFromInline let handle: RequestHandle
    @usableFromInline let pricing: Pricing<Element>

    /// The keys, each once.
    public let keys: [K]

    /// `nil`, and the request failed, if the bytes of a key are no key.
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

    /// Which attempt of its load a key is in: 1, 2, …
    public func attempt(at index: Int) -> Int {
        index < 0 ? 0 : Int(kvl_request_attempt(handle.raw, index))
    }

    /// The priority of the most urgent fetch that waits.
    public var priority: TaskPriority { handle.priority }

    /// What the attempt has left; `nil` if there is no limit.
    public var timeLeft: Duration? {
        let left = kvl_request_time_left_ms(handle.raw)
        return left < 0 ? nil : .milliseconds(left)
    }

    /// Why it is not wanted any more; `nil` while it is.
    public var cancellation: Cancellation? { Cancellation(rawValue: kvl_request_is_cancelled(handle.raw)) }

    /// Whether somebody still waits for a key.
    public func isWanted(at index: Int) -> Bool {
        index >= 0 && kvl_request_is_wanted(handle.raw, index) != 0
    }

    /// Calls `cancelled` once if the request is no longer wanted before it is finished.
    public func onCancel(_ cancelled: @escaping @Sendable () -> Void) {
        handle.onCancel(cancelled)
    }

    /// Says that work goes on: the attempt's time begins anew.
    public func heartbeat() {
        kvl_request_heartbeat(handle.raw)
    }

    /// Answers the key at `index` with its element, or with `nil` if there is none.
    @discardableResult
    @inlinable
    public func resolve(at index: Int, with element: Element?) -> Acceptance {
        accepted(index < 0 ? KVL_ERR_OUT_OF_RANGE : handle.resolve(index, element, cost: pricing(element)))
    }

    /// Answers the key at `index`, and says on which terms the answer is stored.
    @discardableResult
    public func resolve(
        at index: Int, with element: Element?, expiredIn ttl: TimeToLive, priority: Double? = nil, staleFor stale: Duration? = nil
    ) -> Acceptance {
        guard index >= 0 else { return .refused }
        return accepted(
            handle.resolve(
                index, element, cost: pricing(element), ttl: ttl.milliseconds, priority: Self.stated(priority), stale: staleMilliseconds(stale)))
    }

    /// Answers by key: one of ``keys``, or another, which is stored if it is news.
    @discardableResult
    public func supply(
        _ element: Element?, for key: K, expiredIn ttl: TimeToLive = .default, priority: Double? = nil, staleFor stale: Duration? = nil
    ) -> Acceptance {
        accepted(
            handle.supply(
                key, element, cost: pricing(element), ttl: ttl.milliseconds, priority: Self.stated(priority), stale: staleMilliseconds(stale)))
    }

    /// Fails the key at `index`: everybody who waits gets this very error.
    @discardableResult
    public func fail(at index: Int, with error: any Error) -> Acceptance {
        accepted(index < 0 ? KVL_ERR_OUT_OF_RANGE : handle.fail(index, error))
    }

    /// Finishes. What has no answer fails with ``KVLightError/unanswered``, or is absent if `omittedKeysAreNull` is set.
    public func finish() {
        handle.finish()
    }

    /// Finishes. What has no answer is absent, as when a query found no row.
    public func finishWithNulls() {
        handle.finishWithNulls()
    }

    /// Finishes. What has no answer fails with `error`.
    public func finish(throwing error: any Error) {
        handle.finish(throwing: error)
    }

    @inlinable
    func accepted(_ status: kvl_status_t) -> Acceptance {
        switch status {
        case KVL_OK: .accepted
        case KVL_LATE: .late
        default: .refused
        }
    }

    private static func stated(_ priority: Double?) -> Double {
        guard let priority, !priority.isNaN else { return -Double.greatestFiniteMagnitude }
        return priority
    }
}

/// What an engine's requests have in common.
@usableFromInline
struct RequestContext<K: KVLightKey, Element: Sendable>: Sendable {
    @usableFromInline let pricing: Pricing<Element>
    @usableFromInline let spellings: Spellings<K>
}
