// The outcomes of a batch, with all details.

import CKVLight

/// The source of an outcome.
public enum OutcomeSource: UInt32, Sendable {
    /// None: the position failed before anything was looked up.
    case none
    case store
    /// From a load that this fetch started.
    case provider
    /// From a load that was already in progress.
    case joined
    /// From a write that settled the waiting load.
    case put
    /// From the memory of recent errors.
    case errorMemory
    /// From the store, though it has expired: a fallback.
    case stale
    /// From a second tier.
    case secondTier
}

/// The outcome of one position of a batch.
public struct Outcome<K: KVLightKey, Element: Sendable>: Sendable {
    public let key: K
    public let result: Result<Element?, any Error>
    /// With ``isStale``: the error of the load; `nil` if the load took too long (``FetchOptions/staleAfter``).
    public let loadError: (any Error)?
    public let source: OutcomeSource
    /// The number of attempts of the load; 0 if there was none.
    public let attempts: Int
    /// The time since the element was loaded or set.
    public let age: Duration
    /// The time until the element expires; `nil` if it never does.
    public let timeLeft: Duration?
    /// The cost of the element, in bytes.
    public let cost: Int
    /// Whether the element has expired, and was delivered because the load failed or took too long.
    public var isStale: Bool { source == .stale }

    init(_ key: K, _ result: kvl_result_t) {
        self.key = key
        self.result = result.outcome()
        let isStale = result.flags & KVL_F_STALE != 0
        loadError = isStale ? result.error.map { thrown(kvl_error_status($0), $0) } : nil
        source = OutcomeSource(rawValue: result.source) ?? .none
        attempts = Int(result.attempts)
        age = .milliseconds(result.age_ms)
        timeLeft = result.ttl_left_ms < 0 ? nil : .milliseconds(result.ttl_left_ms)
        cost = Int(clamping: result.cost)
    }
}

/// The outcome of a batch: all positions, with counts and errors.
public struct BatchOutcome<K: KVLightKey, Element: Sendable>: Sendable {
    /// The number of positions by outcome.
    public struct Counts: Hashable, Sendable {
        public let elements, nulls, invalidKeys, failures: Int
        public let fromStore, fromProvider, joined: Int
        /// Positions that received an expired element as a fallback.
        public let stale: Int
    }

    /// In the order of the keys, duplicates repeated.
    public let positions: [Outcome<K, Element>]
    public let counts: Counts
    /// Why the batch ended early: timeout, cancellation, close, or the failure that ended an all-or-nothing batch.
    public let endedEarly: (any Error)?
    /// Each distinct error once; the first is that of the first position that failed.
    public let errors: [any Error]

    init(keys: [K], results: ResultsHandle) {
        var positions: [Outcome<K, Element>] = []
        positions.reserveCapacity(keys.count)
        results.forEach { positions.append(Outcome(keys[$0.index], $0)) }
        self.positions = positions
        counts = Counts(
            elements: results.count(KVL_COUNT_VALUES), nulls: results.count(KVL_COUNT_NULLS),
            invalidKeys: results.count(KVL_COUNT_INVALID), failures: results.count(KVL_COUNT_FAILED),
            fromStore: results.count(KVL_COUNT_FROM_STORE), fromProvider: results.count(KVL_COUNT_FROM_PROVIDER),
            joined: results.count(KVL_COUNT_JOINED), stale: results.count(KVL_COUNT_STALE))
        endedEarly = results.endedEarly
        errors = results.errors
    }
}
