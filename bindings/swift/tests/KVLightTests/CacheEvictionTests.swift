// Which entries are evicted.

import Foundation
import KVLight
import Testing

@Suite struct CacheEvictionTests {
    @Test func s02_theNumberOfEntriesIsBounded() {
        let cache = MemoryCache<Int, Int>(configuration: .init(capacity: 10))
        for i in 0..<1000 {
            cache.set(element: i, for: i)
            #expect(cache.count <= 10)
        }
        #expect(cache.count == 10 && cache.isFull)
    }

    @Test func s05_theLeastRecentlyUsedEntryIsEvictedFirst() {
        let cache = MemoryCache<String, Int>(configuration: .init(capacity: 2))
        cache.set(element: 1, for: "a")
        cache.set(element: 2, for: "b")
        _ = cache.getElement(for: "a")
        #expect(cache.set(element: 3, for: "c") == [2])
        #expect(cache.contains("a") && !cache.contains("b") && cache.contains("c"))
    }

    @Test func s05_theLowestPriorityIsEvictedFirst() {
        let cache = MemoryCache<String, Int>(configuration: .init(capacity: 2))
        cache.set(element: 1, for: "low", priority: 1)
        cache.set(element: 2, for: "high", priority: 2)
        _ = cache.getElement(for: "low")
        #expect(cache.set(element: 3, for: "middle", priority: 1.5) == [1])
        #expect(cache.contains("high"))
    }

    @Test func s05_anElementThatMayNotEvictOthersIsReturned() {
        let cache = MemoryCache<String, Int>(configuration: .init(capacity: 1))
        cache.set(element: 1, for: "high", priority: 5)
        #expect(cache.set(element: 2, for: "low", priority: 1) == [2])
        #expect(cache.contains("high") && !cache.contains("low"))
    }

    @Test func s05_absencesAreEvictedLikeOtherEntries() {
        let cache = MemoryCache<String, Int>(configuration: .init(capacity: 2))
        cache.set(element: nil, for: "nobody")
        cache.set(element: 1, for: "a")
        #expect(cache.set(element: 2, for: "b").isEmpty, "an absence has no element to return")
        #expect(!cache.contains("nobody") && cache.count == 2)
    }

    @Test func s05_extremePrioritiesAreOrdered() {
        let cache = MemoryCache<String, Int>(configuration: .init(capacity: 2))
        cache.set(element: 1, for: "never leaves", priority: .infinity)
        cache.set(element: 2, for: "first to leave", priority: -.infinity)
        #expect(cache.set(element: 3, for: "plain", priority: .nan) == [2])
        #expect(cache.set(element: 4, for: "another") == [3])
    }

    @Test func s02_theCostIsBounded() {
        let cache = MemoryCache<Int, [UInt8]>(configuration: .init(capacity: 10_000, costLimit: 100_000, cost: { $0.count }))
        for i in 0..<200 {
            cache.set(element: Array(repeating: 0, count: 1000), for: i)
            #expect(cache.cost <= 100_000)
        }
        #expect(cache.count > 50 && cache.count < 100)
    }

    @Test func s04_anElementThatCostsTooMuchIsReturnedAndTheOlderOneRemoved() {
        let cache = MemoryCache<String, Int>(configuration: .init(costLimit: 10_000, cost: { $0 }))
        cache.set(element: 100, for: "k")
        #expect(cache.set(element: cache.maximumCost + 1, for: "k") == [cache.maximumCost + 1])
        #expect(!cache.contains("k"), "the older element is served though a newer one was set")
    }

    @Test func s03_overwritingSubtractsTheOldCost() {
        let cache = MemoryCache<String, Int>(configuration: .init(costLimit: 100_000, cost: { $0 }))
        for i in 1...1000 { cache.set(element: i * 50, for: "k") }
        let once = MemoryCache<String, Int>(configuration: .init(costLimit: 100_000, cost: { $0 }))
        once.set(element: 50_000, for: "k")
        #expect(cache.cost == once.cost)
        cache.removeElement(for: "k")
        #expect(cache.cost == 0)
    }

    @Test func s02_capacityZeroStoresNothing() {
        let cache = MemoryCache<String, Int>(configuration: .init(capacity: 0))
        cache.set(element: 1, for: "a")
        #expect(cache.isEmpty && cache.isFull)
    }

    @Test func s02_hugeCapacitiesAllocateNothing() {
        let cache = MemoryCache<String, Int>(configuration: .init(capacity: .max))
        cache.set(element: 1, for: "a")
        #expect(cache.getElement(for: "a").element == 1)
    }

    @Test func s14_popReturnsTheNextEntryToBeEvicted() {
        let cache = MemoryCache<Int, Int>()
        (0..<3).forEach { cache.set(element: $0, for: $0) }
        cache.set(element: 9, for: 9, priority: -1)
        #expect((0..<5).map { _ in cache.removeElement() } == [9, 0, 1, 2, nil])
    }

    @Test func s14_trimmingFollowsTheOrderOfEviction() {
        let cache = MemoryCache<Int, Int>()
        (0..<10).forEach { cache.set(element: $0, for: $0) }
        cache.removeElements(toPercent: 0.5)
        #expect((0..<10).filter { cache.contains($0) } == [5, 6, 7, 8, 9])
        cache.removeElements(toCount: 2)
        #expect((0..<10).filter { cache.contains($0) } == [8, 9])
        cache.removeElements(toPercent: -1)
        #expect(cache.isEmpty)
    }

    @Test func s14_resizingMakesTheEntriesFit() {
        let cache = MemoryCache<Int, Int>(configuration: .init(capacity: 10))
        (0..<10).forEach { cache.set(element: $0, for: $0) }
        cache.resize(capacity: 3)
        #expect(cache.count == 3 && cache.capacity == 3)
    }

    @Test func s11_theListenerIsCalledOnceForEachElement() {
        let reported = Locked<[String]>([])
        var configuration = CacheConfiguration<String, Int>(capacity: 1)
        configuration.removalListener = { key, element, cause in
            reported.update { $0.append("\(key) \(element.map(String.init) ?? "-") \(cause)") }
        }
        let cache = MemoryCache(configuration: configuration)
        cache.set(element: 1, for: "a")
        cache.set(element: 2, for: "a")
        cache.set(element: 3, for: "b")
        cache.set(element: nil, for: "c")
        cache.removeElement(for: "c")
        cache.set(element: 4, for: "d", priority: 9)
        cache.set(element: 5, for: "e")
        cache.removeAll()
        #expect(
            reported.current == [
                "a 1 replaced", "a 2 capacity", "b 3 capacity", "c - removed", "e 5 refused", "d 4 cleared",
            ])
    }
}
