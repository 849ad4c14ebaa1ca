// What happened since the last reset, and what is the case now.

import CKVLight

/// Counters of a cache, or of an engine and its cache. Exact once callers are quiet.
public struct KVLightStatistics: Hashable, Sendable {
    /// Elements that left, by cause.
    public struct Removals: Hashable, Sendable {
        public var expired, capacity, cost, replaced, removed, cleared, trimmed, refused: Int
    }

    /// Loads: a cache of its own has none.
    public struct Loads: Hashable, Sendable {
        /// started = succeeded + failed + lost + cancelled + inFlight, over all windows.
        public var started, succeeded, failed, lost, cancelled: Int
        /// Misses that joined a load under way.
        public var joined: Int
        /// Keys handed to the provider, each time counted.
        public var attempts: Int
        /// Now: loads under way, keys that wait, requests that run.
        public var inFlight, queued, running: Int
    }

    /// Another number after each reset.
    public var windowID: UInt64
    public var hits, nullHits, misses, invalidKeys: Int
    public var inserts, replacements: Int
    public var removals: Removals
    public var loads: Loads
    /// Now: entries, and what they cost in bytes.
    public var count, cost: Int

    /// Lookups of all kinds.
    public var totalAccesses: Int { hits + nullHits + misses + invalidKeys }

    /// Hits, those on null included, among the lookups of valid keys; 0 when there were none.
    public var hitRate: Double {
        let valid = totalAccesses - invalidKeys
        return valid == 0 ? 0 : Double(hits + nullHits) / Double(valid)
    }

    init(_ stats: kvl_stats_t) {
        windowID = stats.window_id
        hits = Int(stats.hits)
        nullHits = Int(stats.null_hits)
        misses = Int(stats.misses)
        invalidKeys = Int(stats.invalid_keys)
        inserts = Int(stats.inserts)
        replacements = Int(stats.replacements)
        removals = Removals(
            expired: Int(stats.removed_expired), capacity: Int(stats.removed_capacity), cost: Int(stats.removed_cost),
            replaced: Int(stats.removed_replaced), removed: Int(stats.removed_removed), cleared: Int(stats.removed_cleared),
            trimmed: Int(stats.removed_trimmed), refused: Int(stats.removed_refused))
        loads = Loads(
            started: Int(stats.loads_started), succeeded: Int(stats.loads_succeeded), failed: Int(stats.loads_failed),
            lost: Int(stats.loads_lost), cancelled: Int(stats.loads_cancelled), joined: Int(stats.loads_joined),
            attempts: Int(stats.attempts), inFlight: Int(stats.in_flight), queued: Int(stats.queued), running: Int(stats.running))
        count = Int(stats.entries)
        cost = Int(clamping: stats.cost)
    }

    /// Those of a cache handle; all zero when it answers no more.
    static func of(cache: OpaquePointer?) -> KVLightStatistics {
        var stats = kvl_stats_t()
        kvl_cache_stats(cache, &stats, MemoryLayout<kvl_stats_t>.size)
        return KVLightStatistics(stats)
    }
}

/// Statistics as text.
public enum StatisticsFormat: Sendable {
    case json
    /// For Prometheus and its kin.
    case openMetrics
}
