// The cache of the earlier library, implemented by kvlight's store.

import CKVLight
import Foundation
import KVLight

/// A cache in memory for keys of any kind: bounded by entries and by memory, with a time to live for each entry.
public final class MemoryCache<Key: Hashable, Element> {
    /// The result of a lookup.
    public enum FetchResult {
        case invalidKey
        case hitNullElement
        case hitNonNullElement(element: Element)
        case miss

        public var element: Element? {
            if case .hitNonNullElement(let element) = self { element } else { nil }
        }

        public var isMiss: Bool {
            if case .miss = self { true } else { false }
        }
    }

    @usableFromInline let store: CacheHandle
    @usableFromInline let keys: KeyTable<Key>
    @usableFromInline let book: StatisticsBook
    private let terms: StoreTerms<Element>
    @usableFromInline let isValid: (Key) -> Bool

    public init(
        configuration: Configuration = .defaultConfig, statisticsReport: ((CacheStatistics, CacheRecord) -> Void)? = nil
    ) {
        keys = KeyTable()
        book = StatisticsBook(report: statisticsReport)
        terms = StoreTerms(configuration)
        let config = ConfigHandle()
        configuration.writeStore(to: config)
        isValid = configuration.keyValidator
        store = CacheHandle(config)
    }

    public var isEmpty: Bool { count == 0 }
    public var isFull: Bool { count >= capacity }
    public var count: Int { store.count }
    public var capacity: Int { store.capacity }

    /// The counters of lookups.
    public internal(set) var statistics: CacheStatistics {
        get { book.current }
        set { book.current = newValue }
    }

    /// Stores `element`, or that there is none.
    ///
    /// - Returns: the elements that were evicted for it; `element` itself if it is too large or its priority is too low.
    @discardableResult
    public func set(element: Element?, for key: Key, priority: Double = 0, expiredIn: TimeInterval? = nil) -> [Element] {
        guard isValid(key) else { return [] }
        let ttl = terms.timeToLive(expiredIn, isNull: element == nil)
        let put: (status: kvl_status_t, victims: [Element]) = pinned(key) { number in
            store.putReturningVictims(
                element, for: number, ttl: ttl, priority: priority.isNaN ? 0 : priority, cost: terms.cost(of: element))
        }
        // Nothing is evicted for an element that is not stored at all.
        let isUnwanted = ttl == 0 || capacity == 0
        return isUnwanted ? [] : put.victims
    }

    @inlinable
    public func getElement(for key: Key) -> FetchResult {
        guard isValid(key) else {
            book.record(.invalidKey)
            return .invalidKey
        }
        // A key without a number was never stored.
        let found: Found<Element> = keys.number(of: key).map { store.get($0) } ?? .miss
        switch found {
        case .element(let element):
            book.record(.hitNonNullElement)
            return .hitNonNullElement(element: element)
        case .null:
            book.record(.hitNullElement)
            return .hitNullElement
        case .miss, .invalidKey:
            book.record(.miss)
            return .miss
        }
    }

    /// Removes the entry of `key`.
    @discardableResult
    public func removeElement(for key: Key) -> Element? {
        let found: Found<Element> = pinned(key) { store.take($0) }
        return Self.element(found)
    }

    /// Removes the next entry to be evicted: the least recently used one of the lowest priority.
    @discardableResult
    public func removeElement() -> Element? {
        Self.element(store.pop())
    }

    public func removeExpiredElements() {
        _ = store.removeExpired()
    }

    /// Evicts entries until at most a share, 0 to 1, is left.
    public func removeElements(toPercent: Double) {
        guard !toPercent.isNaN else { return }
        store.trim(to: Int(min(max(toPercent, 0), 1) * Double(count)))
    }

    public func resetStatistics() {
        book.reset()
    }

    private func pinned<R>(_ key: Key, _ body: (UInt64) -> R) -> R {
        let number = keys.pin(key)
        defer { keys.unpin(number, stored: store.contains) }
        return body(number)
    }

    private static func element(_ found: Found<Element>) -> Element? {
        if case .element(let element) = found { element } else { nil }
    }
}

/// The class is synchronised. The program is responsible for the use of its keys, elements and closures on other threads.
extension MemoryCache: @unchecked Sendable {}
