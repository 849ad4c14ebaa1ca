// The configuration of the earlier library's cache, and its conversion to settings of the store.

import CKVLight
import Foundation
import KVLight

extension MemoryCache {
    public struct Configuration {
        /// Has no effect, since the store is always synchronised.
        public let enableThreadSynchronization: Bool
        public let memoryUsageLimitation: MemoryUsageLimitation
        /// Seconds.
        public let defaultTTL: TimeInterval
        /// Seconds, for keys without an element.
        public let defaultTTLForNullElement: TimeInterval
        /// The maximum deviation of a TTL in either direction, in seconds.
        public let ttlRandomizationRange: TimeInterval
        public let keyValidator: (Key) -> Bool
        /// Bytes, in addition to the size of the element itself.
        public let costProvider: (Element) -> Int

        /// Whether the program set ``keyValidator``: otherwise the engine does not call it.
        let validates: Bool

        public init(
            enableThreadSynchronization: Bool = true,
            memoryUsageLimitation: MemoryUsageLimitation = .init(),
            defaultTTL: TimeInterval = .infinity,
            defaultTTLForNullElement: TimeInterval = .infinity,
            ttlRandomizationRange: TimeInterval = 0,
            costProvider: @escaping (Element) -> Int = { _ in 0 }
        ) {
            self.init(
                enableThreadSynchronization, memoryUsageLimitation, defaultTTL, defaultTTLForNullElement, ttlRandomizationRange,
                { _ in true }, costProvider, validates: false)
        }

        public init(
            enableThreadSynchronization: Bool = true,
            memoryUsageLimitation: MemoryUsageLimitation = .init(),
            defaultTTL: TimeInterval = .infinity,
            defaultTTLForNullElement: TimeInterval = .infinity,
            ttlRandomizationRange: TimeInterval = 0,
            keyValidator: @escaping (Key) -> Bool,
            costProvider: @escaping (Element) -> Int = { _ in 0 }
        ) {
            self.init(
                enableThreadSynchronization, memoryUsageLimitation, defaultTTL, defaultTTLForNullElement, ttlRandomizationRange,
                keyValidator, costProvider, validates: true)
        }

        private init(
            _ enableThreadSynchronization: Bool, _ memoryUsageLimitation: MemoryUsageLimitation, _ defaultTTL: TimeInterval,
            _ defaultTTLForNullElement: TimeInterval, _ ttlRandomizationRange: TimeInterval, _ keyValidator: @escaping (Key) -> Bool,
            _ costProvider: @escaping (Element) -> Int, validates: Bool
        ) {
            self.enableThreadSynchronization = enableThreadSynchronization
            self.memoryUsageLimitation = memoryUsageLimitation
            self.defaultTTL = defaultTTL
            self.defaultTTLForNullElement = defaultTTLForNullElement
            self.ttlRandomizationRange = ttlRandomizationRange
            self.keyValidator = keyValidator
            self.costProvider = costProvider
            self.validates = validates
        }

        public static var defaultConfig: Configuration { Configuration() }

        /// Writes the store's own settings.
        func writeStore(to config: borrowing ConfigHandle) {
            config.set("cache.capacity", memoryUsageLimitation.capacity)
            config.set("cache.cost_limit", memoryUsageLimitation.costLimit)
            // One shard, so that all entries have one order of use.
            config.set("cache.shards", 1)
            config.set("cache.ttl_ms", Milliseconds.timeToLive(defaultTTL))
            config.set("cache.null_ttl_ms", Milliseconds.timeToLive(defaultTTLForNullElement))
            config.set("cache.ttl_jitter_ms", Milliseconds.roundedDown(ttlRandomizationRange))
        }

        /// Writes all settings, for an engine. The engine validates keys itself, and counts lookups if there is a `report`.
        func write(to config: borrowing ConfigHandle, keys: KeyTable<Key>, report: ((CacheStatistics, CacheRecord) -> Void)?) {
            writeStore(to: config)
            if validates {
                let isValid = keyValidator
                config.setValidator { bytes in
                    UInt64(keyBytes: bytes).flatMap(keys.key).map(isValid) ?? false
                }
            }
            if let report {
                let book = StatisticsBook(report: report)
                config.setRecordListener { status, _ in
                    book.record(CacheRecord(status: status))
                }
            }
        }
    }
}

extension CacheRecord {
    init(status: kvl_status_t) {
        self =
            switch status {
            case KVL_VALUE: .hitNonNullElement
            case KVL_NULL: .hitNullElement
            case KVL_INVALID_KEY: .invalidKey
            default: .miss
            }
    }
}

/// The terms on which elements are stored.
struct StoreTerms<Element> {
    private let costProvider: (Element) -> Int
    private let defaultTTL: Int64
    private let defaultNullTTL: Int64

    init<Key: Hashable>(_ configuration: MemoryCache<Key, Element>.Configuration) {
        costProvider = configuration.costProvider
        defaultTTL = Milliseconds.timeToLive(configuration.defaultTTL)
        defaultNullTTL = Milliseconds.timeToLive(configuration.defaultTTLForNullElement)
    }

    /// In milliseconds; 0: the element is not stored.
    func timeToLive(_ seconds: TimeInterval?, isNull: Bool) -> Int64 {
        seconds.map(Milliseconds.timeToLive) ?? (isNull ? defaultNullTTL : defaultTTL)
    }

    /// The cost of an element, less the overhead that the store adds for each entry: the limit applies to elements alone here. The original
    /// caps a stated cost, in bytes, with this constant, which it uses in MB elsewhere.
    func cost(of element: Element?) -> UInt64 {
        guard let element else { return 0 }
        let own = MemoryLayout<Element>.size + min(max(0, costProvider(element)), MemoryUsageLimitation.unlimitedMemoryUsage)
        return UInt64(max(0, own - StoreOverhead.perEntry))
    }
}

/// The cost that the store counts for an entry with a number as its key and an element without cost.
enum StoreOverhead {
    static let perEntry: Int = {
        let config = ConfigHandle()
        config.set("cache.timer", false)
        let probe = CacheHandle(config)
        _ = probe.put(Void?.some(()), for: UInt64(0), ttl: Int64(KVL_TTL_NEVER), priority: 0, cost: 0)
        return probe.cost
    }()
}
