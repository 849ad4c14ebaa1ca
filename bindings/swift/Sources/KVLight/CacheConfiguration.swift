// What a cache is made from.

import CKVLight

/// What a ``MemoryCache`` is made from, and the store of ``KVLightTasks``. Values out of range are brought into it.
public struct CacheConfiguration<K: KVLightKey, Element: Sendable>: Sendable {
    /// How keys are hashed.
    public enum Hash: String, Sendable {
        case fast
        /// For keys that an attacker chooses.
        case sip
    }

    /// How many entries it holds at most; 0 stores nothing.
    public var capacity = 1024
    /// What the entries may cost in all, in bytes; `nil` is no limit.
    public var costLimit: Int?
    /// How many parts with a lock of their own it has; `nil` is as many as its size calls for.
    public var shards: Int?
    /// How long an element lives, unless more is said of it.
    public var timeToLive = TimeToLive.never
    /// How long an absence is remembered.
    public var nullTimeToLive = TimeToLive.seconds(60)
    /// Each finite TTL is drawn from TTL ± min(this, TTL / 2), so that what was stored together does not expire together.
    public var timeToLiveJitter = Duration.zero
    /// An entry also expires this long after its last use.
    public var idleTimeToLive: Duration?
    /// How long an element stays after its end as a fallback for when the provider fails. Elements must end: see ``timeToLive``.
    public var staleFor = Duration.zero
    /// How long a fetch that has a fallback waits for the load; `nil` is for as long as that takes, zero not at all.
    public var staleAfter: Duration?
    /// How long a key is not loaded after a failure that a fallback covered; its fetches receive the fallback at once.
    public var staleRetry = Duration.seconds(1)
    /// After which part of its time to live an element that is used is loaded anew in the background; 0 is never.
    public var refreshAfter = 0.0
    /// Says that as a time since the element was stored, in place of ``refreshAfter``.
    public var refreshAge: Duration?
    /// After a refresh that failed, how long until the next one.
    public var refreshRetry = Duration.seconds(1)
    /// Up to which part of the time, 0 to 1, that begins earlier, drawn for each element, so that what was stored together is not loaded together.
    public var refreshJitter = 0.0
    /// Whether a timer gives the memory of expired entries back. Without it each write gives back a few.
    public var usesTimer = true
    /// Makes hashing and jitter repeatable.
    public var seed: Int?
    public var hash = Hash.fast
    /// How long a provider's final error is remembered and thrown to those who ask.
    public var errorTimeToLive = Duration.zero
    /// How many errors are remembered at most.
    public var errorCapacity = 1024
    /// Says which keys are valid. It runs on the asking thread, once for each key asked or stored.
    public var keyValidator: (@Sendable (K) -> Bool)?
    /// What an element costs to keep, in bytes; by default what the element itself takes, without what it points to.
    public var cost: (@Sendable (Element) -> Int)?
    /// Hears of each element that is no longer in the store, and of each that never got in.
    public var removalListener: (@Sendable (K, Element?, RemovalCause) -> Void)?
    /// Hears of each lookup on the asking thread, before the call returns, with the counters as they are then.
    public var statisticsReport: (@Sendable (KVLightStatistics, CacheRecord) -> Void)?
    /// Time for tests.
    public var clock: ManualClock?

    public init(
        capacity: Int = 1024,
        costLimit: Int? = nil,
        timeToLive: TimeToLive = .never,
        nullTimeToLive: TimeToLive = .seconds(60),
        keyValidator: (@Sendable (K) -> Bool)? = nil,
        cost: (@Sendable (Element) -> Int)? = nil,
        statisticsReport: (@Sendable (KVLightStatistics, CacheRecord) -> Void)? = nil
    ) {
        self.capacity = capacity
        self.costLimit = costLimit
        self.timeToLive = timeToLive
        self.nullTimeToLive = nullTimeToLive
        self.keyValidator = keyValidator
        self.cost = cost
        self.statisticsReport = statisticsReport
    }

    /// How elements are priced.
    var pricing: Pricing<Element> { Pricing(function: cost) }

    /// Writes everything; `reported` is told later whose statistics are reported.
    func write(to config: borrowing ConfigHandle, reported: ReportedCache, spellings: Spellings<K>) {
        config.set("cache.capacity", max(capacity, 0))
        config.set("cache.cost_limit", costLimit.map { max($0, 0) } ?? -1)
        config.set("cache.shards", min(max(shards ?? 0, 0), 4096))
        config.set("cache.ttl_ms", timeToLive.configured)
        config.set("cache.null_ttl_ms", nullTimeToLive == .default ? 60_000 : nullTimeToLive.milliseconds)
        config.set("cache.ttl_jitter_ms", timeToLiveJitter.milliseconds())
        config.set("cache.idle_ttl_ms", idleTimeToLive.map { $0.milliseconds(atLeast: 1) } ?? -1)
        config.set("stale.ttl_ms", staleFor.milliseconds())
        config.set("stale.timeout_ms", staleAfter.map { $0.milliseconds() } ?? -1)
        config.set("stale.retry_ms", min(staleRetry.milliseconds(), Int64(UInt32.max)))
        config.set("refresh.after", refreshAge != nil || refreshAfter.isNaN ? 0 : min(max(refreshAfter, 0), 1))
        config.set("refresh.after_ms", refreshAge.map { $0.milliseconds(atLeast: 1) } ?? 0)
        config.set("refresh.retry_ms", min(refreshRetry.milliseconds(atLeast: 1), Int64(UInt32.max)))
        config.set("refresh.jitter", min(max(refreshJitter.isNaN ? 0 : refreshJitter, 0), 1))
        config.set("cache.timer", usesTimer)
        config.set("cache.seed", seed.map { max($0, 0) } ?? -1)
        config.set("cache.hash", hash.rawValue)
        config.set("cache.error_ttl_ms", errorTimeToLive.milliseconds())
        config.set("cache.error_capacity", min(max(errorCapacity, 1), Int(UInt32.max)))
        if let clock { config.setClock(clock) }
        if let keyValidator {
            config.setValidator { bytes in spellings.key(of: bytes).map(keyValidator) ?? false }
        }
        if let removalListener {
            config.setRemovalListener { entry, cause in
                let bytes = UnsafeRawBufferPointer(start: entry.key, count: entry.key_len)
                guard let key = spellings.key(of: bytes), let cause = RemovalCause(rawValue: cause) else { return }
                let element: Element? = entry.object.map { borrowed($0, as: Box<Element>.self).element }
                removalListener(key, element, cause)
            }
        }
        if let statisticsReport {
            config.setRecordListener { status, _ in
                statisticsReport(.of(cache: reported.raw), CacheRecord(status: status))
            }
        }
    }
}

/// The cache whose statistics are reported: known once it is made, and nobody asks it before.
final class ReportedCache {
    var raw: OpaquePointer?
}

/// What elements cost.
@usableFromInline
struct Pricing<Element>: Sendable {
    @usableFromInline let function: (@Sendable (Element) -> Int)?

    @inlinable
    func callAsFunction(_ element: Element?) -> UInt64 {
        guard let element else { return 0 }
        guard let function else { return UInt64(MemoryLayout<Element>.size) }
        return UInt64(max(function(element), 0))
    }
}
