// The configuration of a cache.

import CKVLight

/// The configuration of a ``MemoryCache``, and of the store of ``KVLightTasks``. Values outside their range are clamped to it; settings that
/// contradict each other are a ``problem``.
public struct CacheConfiguration<K: KVLightKey, Element: Sendable>: Sendable {
    /// How keys are hashed.
    public enum Hash: String, Sendable {
        case fast
        /// For keys that an attacker may choose.
        case sip
    }

    /// Which of the entries of the lowest priority are evicted first.
    public enum EvictionPolicy: String, Sendable {
        /// The least recently used.
        case leastRecentlyUsed = "lru"
        /// Entries that were used at most once since they were stored; those that are used repeatedly go last.
        case s3fifo
    }

    /// The maximum number of entries; 0 stores nothing, so that ``staleFor`` and the settings of refreshes have no effect.
    public var capacity = 1024
    /// The maximum total cost of the entries, in bytes; `nil` is no limit.
    public var costLimit: Int?
    /// The number of shards, each with its own lock; `nil` chooses a number by the limits and the processors.
    public var shards: Int?
    /// The time until an element expires, unless it is stored with a time of its own.
    public var timeToLive = TimeToLive.never
    /// How long an absence is stored.
    public var nullTimeToLive = TimeToLive.seconds(60)
    /// Each finite TTL is drawn from TTL ± min(this, TTL / 2), so that elements that were stored together do not expire together.
    public var timeToLiveJitter = Duration.zero
    /// An entry also expires this long after its last use.
    public var idleTimeToLive: Duration?
    /// How long an expired element is kept as a fallback for when the provider fails. This needs elements that expire: see ``timeToLive``.
    public var staleFor = Duration.zero
    /// How long a fetch that has a fallback waits for the load: `nil` is until the load ends, zero is not at all. It must be
    /// less than the timeout of a fetch, if there is one.
    public var staleAfter: Duration?
    /// How long a key is not loaded again after a load failed and a fallback was served; meanwhile its fetches receive the fallback at
    /// once.
    public var staleRetry = Duration.seconds(1)
    /// The part of an element's time to live, 0 to 0.999, after which a use of the element reloads it in the background; 0 is never. With
    /// ``refreshJitter`` it may be 1. This needs a ``timeToLive``.
    public var refreshAfter = 0.0
    /// The age after which a use of an element reloads it, in place of ``refreshAfter``. It must be less than the ``timeToLive``.
    public var refreshAge: Duration?
    /// The pause after a failed refresh until the next one.
    public var refreshRetry = Duration.seconds(1)
    /// The largest share, 0 to 1, by which the time until a refresh is shortened. The share is drawn at random for each element, so that
    /// elements that were stored together are not reloaded together.
    public var refreshJitter = 0.0
    /// Whether a timer frees the memory of expired entries of a ``MemoryCache``; without it, each write frees a few of them.
    /// ``KVLightTasks`` always has the timer.
    public var usesTimer = true
    /// The seed of the jitter of TTLs, refreshes and retries, to make tests repeatable; `nil` chooses one at random. Hashing does not use
    /// it.
    public var seed: Int?
    public var hash = Hash.fast
    public var evictionPolicy = EvictionPolicy.leastRecentlyUsed
    /// How long a provider's final error is remembered and thrown by fetches of the key.
    public var errorTimeToLive = Duration.zero
    /// The maximum number of remembered errors.
    public var errorCapacity = 1024
    /// Returns whether a key is valid. It runs on the calling thread, once for each key that is looked up or stored.
    public var keyValidator: (@Sendable (K) -> Bool)?
    /// The cost of an element, in bytes; by default its own size, without the memory that it points to.
    public var cost: (@Sendable (Element) -> Int)?
    /// Called for each element that has left the store or was not stored. For ``KVLightTasks``, and when the timer removes the element, it
    /// runs on a thread of the library; otherwise inside the call that removed the element.
    ///
    /// The thread of an engine also delivers its results, timeouts and cancellations, so a slow listener, or a slow `deinit` of an element,
    /// delays them all: hand slow work to a queue of your own. Writers wait when too many removals have not been reported.
    public var removalListener: (@Sendable (K, Element?, RemovalCause) -> Void)?
    /// Called for each lookup on the calling thread, before the lookup returns, with the counters at that time.
    public var statisticsReport: (@Sendable (KVLightStatistics, CacheRecord) -> Void)?
    /// A manual clock, for tests.
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

    /// Why no engine can be created with this configuration: the settings that contradict each other, and what to do. `nil` if there is no
    /// problem. A ``MemoryCache`` has no provider, and ignores the settings about loads.
    public var problem: String? {
        let settings = ConfigHandle()
        write(to: settings, reported: ReportedCache(), spellings: Spellings())
        return settings.contradiction()
    }

    /// How the cost of elements is computed.
    var pricing: Pricing<Element> { Pricing(function: cost) }

    /// Writes all settings; `reported` is set later to the cache whose statistics are reported.
    func write(to config: borrowing ConfigHandle, reported: ReportedCache, spellings: Spellings<K>) {
        config.set("cache.capacity", max(capacity, 0))
        config.set("cache.cost_limit", costLimit.map { max($0, 0) } ?? -1)
        config.set("cache.shards", min(max(shards ?? 0, 0), 4096))
        config.set("cache.ttl_ms", timeToLive.configured)
        config.set("cache.null_ttl_ms", nullTimeToLive == .default ? 60_000 : nullTimeToLive.milliseconds)
        config.set("cache.ttl_jitter_ms", timeToLiveJitter.milliseconds())
        config.set("cache.idle_ttl_ms", idleTimeToLive.map { $0.milliseconds(atLeast: 1) } ?? -1)
        // Where nothing is kept, there is no fallback and nothing to refresh.
        let refreshes = capacity > 0 && timeToLive.configured != 0
        let refreshJitter = refreshJitter.isNaN ? 0 : min(max(refreshJitter, 0), 1)
        // At the end of its time to live there is nothing left of an element to refresh, unless jitter makes the refresh come earlier.
        let latestRefresh = refreshJitter > 0 ? 1 : 0.999
        config.set("stale.ttl_ms", capacity > 0 ? staleFor.milliseconds() : 0)
        config.set("stale.timeout_ms", staleAfter.map { $0.milliseconds() } ?? -1)
        config.set("stale.retry_ms", min(staleRetry.milliseconds(), Int64(UInt32.max)))
        config.set("refresh.after", !refreshes || refreshAge != nil || refreshAfter.isNaN ? 0 : min(max(refreshAfter, 0), latestRefresh))
        config.set("refresh.after_ms", refreshes ? refreshAge.map { $0.milliseconds(atLeast: 1) } ?? 0 : 0)
        config.set("refresh.retry_ms", min(refreshRetry.milliseconds(atLeast: 1), Int64(UInt32.max)))
        config.set("refresh.jitter", refreshJitter)
        config.set("cache.timer", usesTimer)
        config.set("cache.seed", seed.map { max($0, 0) } ?? -1)
        config.set("cache.hash", hash.rawValue)
        config.set("cache.policy", evictionPolicy.rawValue)
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

/// The cache whose statistics are reported: set once the cache exists, and not read before.
final class ReportedCache {
    var raw: OpaquePointer?
}

/// The cost of elements.
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
