// The counters of a cache's lookups.

import Foundation

/// The result of a lookup.
public enum CacheRecord {
    case invalidKey
    case hitNullElement
    case hitNonNullElement
    case miss
}

/// Counts lookups, and reports each.
public struct CacheStatistics {
    /// Called after each lookup is counted, with the counters and the result of the lookup.
    public var report: ((Self, CacheRecord) -> Void)?

    /// Identifies one period of counting: new after each reset, and kept by copies; never 0.
    public private(set) var tracingID: UInt64 = TracingNumbers.next()
    public private(set) var invalidKeyCount = 0
    public private(set) var nullElementHitCount = 0
    public private(set) var nonNullElementHitCount = 0
    public private(set) var missCount = 0

    public init() {}

    /// Lookups of all kinds.
    public var totalAccesses: Int { invalidKeyCount + hits + missCount }

    /// Hits among the lookups of valid keys; 0 when there were none.
    public var hitRate: Double {
        Self.ratio(of: hits, in: hits + missCount)
    }

    /// Hits among all lookups; 0 when there were none.
    public var successRate: Double {
        Self.ratio(of: hits, in: totalAccesses)
    }

    public mutating func record(_ record: CacheRecord) {
        count(record)
        report?(self, record)
    }

    /// Resets the counters, and sets another `tracingID`; `report` is kept.
    public mutating func reset() {
        let report = self.report
        self = CacheStatistics()
        self.report = report
    }

    mutating func count(_ record: CacheRecord) {
        switch record {
        case .invalidKey: invalidKeyCount += 1
        case .hitNullElement: nullElementHitCount += 1
        case .hitNonNullElement: nonNullElementHitCount += 1
        case .miss: missCount += 1
        }
    }

    private var hits: Int { nullElementHitCount + nonNullElementHitCount }

    private static func ratio(of part: Int, in whole: Int) -> Double {
        whole == 0 ? 0 : Double(part) / Double(whole)
    }
}

private enum TracingNumbers {
    private static let lock = NSLock()
    nonisolated(unsafe) private static var last: UInt64 = 0

    static func next() -> UInt64 {
        lock.withLock {
            last += 1
            return last
        }
    }
}

/// The statistics of one cache, for concurrent use.
@usableFromInline
final class StatisticsBook {
    private let lock = NSLock()
    private var statistics = CacheStatistics()

    init(report: ((CacheStatistics, CacheRecord) -> Void)?) {
        statistics.report = report
    }

    var current: CacheStatistics {
        get { lock.withLock { statistics } }
        set { lock.withLock { statistics = newValue } }
    }

    /// Counts under the lock and reports after releasing it, since a report may use the cache.
    @usableFromInline
    func record(_ record: CacheRecord) {
        let counted: CacheStatistics? = lock.withLock {
            statistics.count(record)
            return statistics.report == nil ? nil : statistics
        }
        if let counted { counted.report?(counted, record) }
    }

    func reset() {
        lock.withLock { statistics.reset() }
    }
}
