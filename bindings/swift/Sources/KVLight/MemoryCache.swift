// A cache in memory, bounded by entries and by cost.

import CKVLight

/// A cache in memory: elements and absences, bounded by number and by cost, with a time to live for each.
///
/// Every function may be called from every thread. An absence, an entry without an element, is a real answer and not a miss.
///
/// ```swift
/// let thumbnails = MemoryCache<URL, Thumbnail>(configuration: .init(capacity: 5_000, cost: { $0.bytes.count }))
/// thumbnails.set(element: image, for: url, expiredIn: .seconds(600))
/// if case .hitNonNullElement(let image) = thumbnails.getElement(for: url) { … }
/// ```
public final class MemoryCache<K: KVLightKey, Element: Sendable>: Sendable {
    public typealias Configuration = CacheConfiguration<K, Element>

    /// What a lookup found.
    public enum FetchResult {
        /// The validator refused the key.
        case invalidKey
        /// The key is known to have no element.
        case hitNullElement
        case hitNonNullElement(element: Element)
        case miss

        /// The element, if there is one.
        public var element: Element? {
            if case .hitNonNullElement(let element) = self { element } else { nil }
        }

        /// Whether the store knows nothing of the key.
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

    // MARK: Looking

    /// Looks `key` up: a use of the entry, counted as a lookup.
    @inlinable
    public func getElement(for key: K) -> FetchResult {
        result(handle.get(key))
    }

    /// Looks without leaving a trace: neither a use of the entry nor a lookup.
    @inlinable
    public func peekElement(for key: K) -> FetchResult {
        result(handle.peek(key))
    }

    /// Whether the store knows of `key`, an absence included; no use and no lookup.
    public func contains(_ key: K) -> Bool {
        handle.contains(key)
    }

    // MARK: Writing

    /// As in a dictionary: `nil` for what is absent, invalid or not there; assigning `nil` removes. An absence that is to be remembered is
    /// ``set(element:for:priority:expiredIn:)``'s.
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
    ///   - priority: entries of lower priority make room first; equal ones by how long ago they were used.
    ///   - ttl: how long it lives.
    ///   - stale: how long it stays after that as a fallback; `nil` is as the configuration says, zero is not at all.
    /// - Returns: the elements that had to leave for it, or `element` itself if it did not get in: too dear, or no room that its
    ///   priority may claim. What had expired, and what stood under the same key, are not named.
    @discardableResult
    public func set(
        element: Element?, for key: K, priority: Double = 0, expiredIn ttl: TimeToLive = .default, staleFor stale: Duration? = nil
    ) -> [Element] {
        let priority = priority.isNaN ? 0 : priority
        let stale = staleMilliseconds(stale)
        return handle.putNaming(element, for: key, ttl: ttl.milliseconds, priority: priority, cost: pricing(element), stale: stale).victims
    }

    /// Whether `set` may replace what is stored, and whether it may store what is new.
    public enum Condition: Sendable {
        /// Only if nothing is stored under the key, not even an absence.
        case absent
        /// Only if something is.
        case present
    }

    /// Stores `element`, or that there is none, if the condition holds at that moment.
    /// - Returns: whether it is stored.
    @discardableResult
    public func set(
        element: Element?, for key: K, if condition: Condition, priority: Double = 0, expiredIn ttl: TimeToLive = .default
    ) -> Bool {
        let flags = condition == .absent ? KVL_PUT_F_IF_ABSENT : KVL_PUT_F_IF_PRESENT
        let priority = priority.isNaN ? 0 : priority
        return handle.put(element, for: key, ttl: ttl.milliseconds, priority: priority, cost: pricing(element), flags: flags) == KVL_OK
    }

    /// Stores what `change` makes of the element that is stored, `nil` if there is none, and loses no write of others: `change` runs anew
    /// whenever one came between.
    /// - Returns: what `change` returned last.
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

    /// Ends the entry of `key` now: it is loaded anew when it is fetched, and serves until then as a fallback, if
    /// ``CacheConfiguration/staleFor`` gives it time for that. A load under way does not overwrite what that means.
    /// - Returns: whether there was an entry.
    @discardableResult
    public func expireElement(for key: K) -> Bool {
        handle.expire(key)
    }

    /// Removes what is stored under `key` and hands it out.
    @discardableResult
    public func removeElement(for key: K) -> Element? {
        result(handle.take(key)).element
    }

    /// Removes the next victim, of the lowest priority the one used least recently, and hands it out.
    @discardableResult
    public func removeElement() -> Element? {
        result(handle.pop()).element
    }

    /// Removes what has expired, without waiting for the timer.
    /// - Returns: how many there were.
    @discardableResult
    public func removeExpiredElements() -> Int {
        handle.removeExpired()
    }

    /// Shrinks to a share, 0 to 1, of the entries and of the cost held now; victims go first.
    public func removeElements(toPercent ratio: Double) {
        handle.trim(keeping: ratio)
    }

    /// Shrinks to a number of entries; victims go first.
    public func removeElements(toCount count: Int) {
        handle.trim(to: count)
    }

    public func removeAll() {
        handle.clear()
    }

    /// Changes both limits, and makes the entries fit.
    public func resize(capacity: Int, costLimit: Int? = nil) {
        handle.resize(capacity: capacity, costLimit: costLimit)
    }

    // MARK: Sizes

    public var count: Int { handle.count }
    public var isEmpty: Bool { count == 0 }
    public var isFull: Bool { count >= capacity }
    public var capacity: Int { handle.capacity }
    /// What the entries cost, in bytes: elements, keys, and a constant for each.
    public var cost: Int { handle.cost }
    public var costLimit: Int? { handle.costLimit }
    /// What the dearest element that is stored at all may cost.
    public var maximumCost: Int { handle.maximumCost }

    // MARK: Statistics

    public var statistics: KVLightStatistics { .of(cache: handle.raw) }

    /// Starts a new window of statistics; gauges stay.
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
