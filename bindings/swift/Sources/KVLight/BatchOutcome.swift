// What a batch came to, in full.

import CKVLight

/// Where an outcome came from.
public enum OutcomeSource: UInt32, Sendable {
    /// From nowhere: the position failed before anything was looked up.
    case none
    case store
    /// From a load that this fetch started.
    case provider
    /// From a load that was under way.
    case joined
    /// From a write that settled the waiting load.
    case put
    /// From the memory of recent errors.
    case errorMemory
    /// From the store, though its time was over: there was nothing better.
    case stale
}

/// What one position of a batch came to.
public struct Outcome<K: KVLightKey, Element: Sendable>: Sendable {
    public let key: K
    public let result: Result<Element?, any Error>
    /// With ``isStale``: what the load failed with; `nil` if it takes too long (``FetchOptions/staleAfter``).
    public let loadError: (any Error)?
    public let source: OutcomeSource
    /// How many attempts the load took; 0 if there was none.
    public let attempts: Int
    /// How long ago it was loaded or set.
    public let age: Duration
    /// How long it will live; `nil` is for ever.
    public let timeLeft: Duration?
    /// What it costs to keep, in bytes.
    public let cost: Int
    /// Whether its time was over: it was told because the load failed or took too long.
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

/// What a batch came to: each position, and what they come to together.
public struct BatchOutcome<K: KVLightKey, Element: Sendable>: Sendable {
    /// How many positions came to what.
    public struct Counts: Hashable, Sendable {
        public let elements, nulls, invalidKeys, failures: Int
        public let fromStore, fromProvider, joined: Int
        /// Positions that were told an element past its time, for want of a better one.
        public let stale: Int
    }

    /// In the order asked, duplicates repeated.
    public let positions: [Outcome<K, Element>]
    public let counts: Counts
    /// Why the whole ended early: timeout, cancellation, close, or the failure that ended an all-or-nothing batch.
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
