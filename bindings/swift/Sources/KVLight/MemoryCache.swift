// A cache in memory, bounded by entries and by cost.

import CKVLight

/// A cache in memory: elements and absences, bounded by number and by cost, with a time to live for each.
///
/// Every function may be called from any thread. A lookup of an absence, which is an entry without an element, is a hit and not a miss.
///
/// ```swift
/// let thumbnails = MemoryCache<URL, Thumbnail>(configuration: .init(capacity: 5_000, cost: { $0.bytes.count }))
/// thumbnails.set(element: image, for: url, expiredIn: .seconds(600))
/// if case .hitNonNullElement(let image) = thumbnails.getElement(for: url) { … }
/// ```
public final class MemoryCache<K: KVLightKey, Element: Sendable>: Sendable {
    public typealias Configuration = CacheConfiguration<K, Element>

    /// The result of a lookup.
    public enum FetchResult {
        /// The validator rejected the key.
        case invalidKey
        /// The key is known to have no element.
        case hitNullElement
        case hitNonNullElement(element: Element)
        case miss

        /// The element, if there is one.
        public var element: Element? {
            if case .hitNonNullElement(let element) = self { element } else { nil }
        }

        /// Whether the key has no entry.
        public var isMiss: Bool {
            if case .miss = self { true } else { false }
        }
    }

    @usableFromInline let handle: CacheHandle
    let pricing: Pricing<Element>
    let spellings: Spellings<K>

    public init(configuration: Configuration = .init()) {
        let config = ConfigHandle()
        let reported = ReportedCache()
        spellings = Spellings()
        configuration.write(to: config, reported: reported, spellings: spellings)
        handle = CacheHandle(config)
        pricing = configuration.pricing
        reported.raw = handle.raw
    }

    /// The store of an engine.
    init(handle: CacheHandle, pricing: Pricing<Element>, spellings: Spellings<K>) {
        self.handle = handle
        self.pricing = pricing
        self.spellings = spellings
    }

    // MARK: Lookups

    /// Looks `key` up. This counts as a use of the entry and as a lookup.
    @inlinable
    public func getElement(for key: K) -> FetchResult {
        result(handle.get(key))
    }

    /// Looks `key` up without counting as a use of the entry or as a lookup.
    @inlinable
    public func peekElement(for key: K) -> FetchResult {
        result(handle.peek(key))
    }

    /// Whether `key` has an entry, an absence included. This counts neither as a use nor as a lookup.
    public func contains(_ key: K) -> Bool {
        handle.contains(key)
    }

    // MARK: Writing

    /// As in a dictionary: `nil` if the key is absent, invalid or not in the store; assigning `nil` removes the entry. To store an absence use
    /// ``set(element:for:priority:expiredIn:staleFor:tags:version:)``.
    @inlinable
    public subscript(key: K) -> Element? {
        get { getElement(for: key).element }
        set {
            if let newValue { set(element: newValue, for: key) } else { removeElement(for: key) }
        }
    }

    /// Stores `element`, or that there is none.
    ///
    /// - Parameters:
    ///   - priority: entries of lower priority are evicted first; ``CacheConfiguration/evictionPolicy`` decides among equal ones.
    ///   - ttl: the time until the element expires.
    ///   - stale: how long the expired element is kept as a fallback; `nil` is as the configuration says, zero is not at all.
    ///   - tags: at most 16 names, each of 1 to 255 bytes of UTF-8, by which ``removeTag(_:)`` and ``expireTag(_:)`` find the element.
    ///   - version: the version of the record, which ``KVLightRequest/stale(at:)`` returns: at most 255 bytes of UTF-8.
    /// - Returns: the elements that were evicted for it, or `element` itself if it was not stored, because its cost is too high, only entries
    ///   of higher priority could make room, the key is invalid or too long, a tag or the version is out of range, or the engine is closed.
    ///   Expired elements and the one that was replaced are not included.
    @discardableResult
    public func set(
        element: Element?, for key: K, priority: Double = 0, expiredIn ttl: TimeToLive = .default, staleFor stale: Duration? = nil,
        tags: [String] = [], version: String = ""
    ) -> [Element] {
        let priority = priority.isNaN ? 0 : priority
        let (status, victims) = handle.putReturningVictims(
            element, for: key, ttl: ttl.milliseconds, priority: priority, cost: pricing(element), stale: staleMilliseconds(stale), tags: tags,
            version: version)
        // An element that the store itself refused is among the victims.
        return status < 0 || status == KVL_INVALID_KEY ? [element].compactMap { $0 } : victims
    }

    /// The condition of a `set`.
    public enum Condition: Sendable {
        /// Only if the key has no entry; an absence is one.
        case absent
        /// Only if the key has an entry.
        case present
    }

    /// Stores `element`, or that there is none, if the condition holds at that moment.
    /// - Returns: whether it was stored.
    @discardableResult
    public func set(
        element: Element?, for key: K, if condition: Condition, priority: Double = 0, expiredIn ttl: TimeToLive = .default,
        tags: [String] = [], version: String = ""
    ) -> Bool {
        let flags = condition == .absent ? KVL_PUT_F_IF_ABSENT : KVL_PUT_F_IF_PRESENT
        let priority = priority.isNaN ? 0 : priority
        let status = handle.put(
            element, for: key, ttl: ttl.milliseconds, priority: priority, cost: pricing(element), flags: flags, tags: tags, version: version)
        return status == KVL_OK
    }

    /// Stores the element that `change` returns for the current one, which is `nil` if there is none. If another thread writes to the key
    /// meanwhile, `change` is called again, so that no write is lost.
    /// - Returns: the last result of `change`; `nil` if it was not stored, for one of the reasons of
    ///   ``set(element:for:priority:expiredIn:staleFor:tags:version:)``.
    @discardableResult
    public func update(
        _ key: K, priority: Double = 0, expiredIn ttl: TimeToLive = .default, _ change: (Element?) throws -> Element?
    ) rethrows -> Element? {
        let priority = priority.isNaN ? 0 : priority
        return try handle.update(key, ttl: ttl.milliseconds, priority: priority, cost: { pricing($0) }, change: change)
    }

    /// Gives the entry of `key` a new time to live, counted from now.
    /// - Returns: whether there is an entry.
    @discardableResult
    public func touch(_ key: K, expiredIn ttl: TimeToLive = .default) -> Bool {
        handle.touch(key, ttl: ttl.milliseconds)
    }

    /// Expires the entry of `key` now: the next fetch of the key loads it. Until then the entry is kept as a fallback if
    /// ``CacheConfiguration/staleFor`` is set. The answer of a load that is already in progress does not make the entry fresh again.
    /// From a second tier the entry is removed.
    /// - Returns: whether there was an entry.
    @discardableResult
    public func expireElement(for key: K) -> Bool {
        handle.expire(key)
    }

    /// Expires all entries with a tag, as ``expireElement(for:)`` does for a key.
    /// - Returns: the number of entries expired.
    @discardableResult
    public func expireTag(_ tag: String) -> Int {
        handle.expire(tag: tag)
    }

    /// Expires all entries, as ``expireElement(for:)`` does for a key. Loads that are in progress do not store their answers. A second tier is
    /// cleared, for all processes.
    public func expireAll() {
        handle.expireAll()
    }

    /// Removes all entries with a tag. Loads in progress do not store answers with this tag.
    /// - Returns: the number of entries removed.
    @discardableResult
    public func removeTag(_ tag: String) -> Int {
        handle.remove(tag: tag)
    }

    /// Removes the entry of `key` and returns its element.
    @discardableResult
    public func removeElement(for key: K) -> Element? {
        result(handle.take(key)).element
    }

    /// Removes the next entry to be evicted and returns its element.
    @discardableResult
    public func removeElement() -> Element? {
        result(handle.pop()).element
    }

    /// Removes the expired entries, without waiting for the timer.
    /// - Returns: the number of entries removed.
    @discardableResult
    public func removeExpiredElements() -> Int {
        handle.removeExpired()
    }

    /// Evicts entries until at most a share, 0 to 1, of the current number and cost is left.
    public func removeElements(toPercent ratio: Double) {
        handle.trim(keeping: ratio)
    }

    /// Evicts entries until at most this number of them is left.
    public func removeElements(toCount count: Int) {
        handle.trim(to: count)
    }

    public func removeAll() {
        handle.clear()
    }

    /// Changes both limits, and evicts entries until they are met.
    public func resize(capacity: Int, costLimit: Int? = nil) {
        handle.resize(capacity: capacity, costLimit: costLimit)
    }

    // MARK: Sizes

    public var count: Int { handle.count }
    public var isEmpty: Bool { count == 0 }
    public var isFull: Bool { count >= capacity }
    public var capacity: Int { handle.capacity }
    /// The total cost of the entries, in bytes: elements, keys, and a constant for each.
    public var cost: Int { handle.cost }
    public var costLimit: Int? { handle.costLimit }
    /// The highest cost that one entry may have, in bytes: its element, its key, and a constant.
    public var maximumCost: Int { handle.maximumCost }

    // MARK: Statistics

    public var statistics: KVLightStatistics { .of(cache: handle.raw) }

    /// Starts a new window of statistics; gauges keep their values.
    public func resetStatistics() {
        kvl_cache_stats_reset(handle.raw)
    }

    public func statistics(as format: StatisticsFormat) -> String {
        var text: OpaquePointer?
        switch format {
        case .json: kvl_cache_stats_json(handle.raw, &text)
        case .openMetrics: kvl_cache_stats_openmetrics(handle.raw, &text)
        }
        return takeText(text)
    }

    @inlinable
    func result(_ found: Found<Element>) -> FetchResult {
        switch found {
        case .element(let element): .hitNonNullElement(element: element)
        case .null: .hitNullElement
        case .invalidKey: .invalidKey
        case .miss: .miss
        }
    }
}

extension MemoryCache.FetchResult: Sendable {}
extension MemoryCache.FetchResult: Equatable where Element: Equatable {}
