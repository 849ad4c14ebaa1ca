// Totals computed from the counters, and the text forms of the statistics.

import CKVLight

extension KVLightStatistics {
    /// Lookups of all kinds.
    public var totalAccesses: Int { hits + nullHits + misses + invalidKeys }

    /// The share of hits, including those on null, among the lookups of valid keys; 0 if there were none.
    public var hitRate: Double {
        let valid = totalAccesses - invalidKeys
        return valid == 0 ? 0 : Double(hits + nullHits) / Double(valid)
    }

    /// The statistics of a cache handle; all zero if the engine is closed.
    static func of(cache: OpaquePointer?) -> KVLightStatistics {
        var stats = kvl_stats_t()
        kvl_cache_stats(cache, &stats, MemoryLayout<kvl_stats_t>.size)
        return KVLightStatistics(stats)
    }
}

/// Statistics as text.
public enum StatisticsFormat: Sendable {
    case json
    /// The OpenMetrics format, which Prometheus reads.
    case openMetrics
}
