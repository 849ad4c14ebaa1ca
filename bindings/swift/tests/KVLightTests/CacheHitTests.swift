// Hits on elements and on absences, and misses.

import Foundation
import KVLight
import Testing

@Suite struct CacheHitTests {
    @Test func s01_anElementIsHit() {
        let cache = MemoryCache<String, Int>()
        cache.set(element: 7, for: "seven")
        #expect(cache.getElement(for: "seven") == .hitNonNullElement(element: 7))
        #expect(cache.getElement(for: "seven").element == 7)
    }

    @Test func s01_anAbsenceIsAHitAndNoMiss() {
        let cache = MemoryCache<String, Int>()
        cache.set(element: nil, for: "nobody")
        #expect(cache.getElement(for: "nobody") == .hitNullElement)
        #expect(!cache.getElement(for: "nobody").isMiss)
        #expect(cache.getElement(for: "nobody").element == nil)
    }

    @Test func s01_aKeyWithoutAnEntryIsAMiss() {
        let cache = MemoryCache<String, Int>()
        #expect(cache.getElement(for: "x") == .miss)
        #expect(cache.getElement(for: "x").isMiss)
    }

    @Test func s01_anInvalidKeyIsItsOwnOutcome() {
        let cache = MemoryCache<String, Int>(configuration: .init(keyValidator: { !$0.isEmpty }))
        cache.set(element: 1, for: "")
        #expect(cache.getElement(for: "") == .invalidKey)
        #expect(cache.isEmpty, "an element under an invalid key was stored")
    }

    @Test func anElementMayBeOptionalItself() {
        let cache = MemoryCache<String, Int?>()
        cache.set(element: .some(.none), for: "inner")
        cache.set(element: .none, for: "outer")
        #expect(cache.getElement(for: "inner") == .hitNonNullElement(element: nil))
        #expect(cache.getElement(for: "outer") == .hitNullElement)
    }

    @Test func anElementCanHaveNoSize() {
        let cache = MemoryCache<Int, Void>()
        cache.set(element: (), for: 1)
        #expect(cache.getElement(for: 1).element != nil)
    }

    @Test func aLaterElementReplacesAnEarlierOne() {
        let cache = MemoryCache<String, Int>()
        #expect(cache.set(element: 1, for: "k").isEmpty)
        #expect(cache.set(element: 2, for: "k").isEmpty, "a replaced element was returned as evicted")
        #expect(cache.getElement(for: "k").element == 2)
        #expect(cache.count == 1)
    }

    @Test func s13_aPeekChangesNothing() {
        let cache = MemoryCache<String, Int>(configuration: .init(capacity: 2))
        cache.set(element: 1, for: "old")
        cache.set(element: 2, for: "new")
        #expect(cache.peekElement(for: "old").element == 1)
        #expect(cache.contains("old") && !cache.contains("other"))
        #expect(cache.statistics.totalAccesses == 0)
        cache.set(element: 3, for: "third")
        #expect(!cache.contains("old"), "a peek counted as use")
    }

    @Test func s14_removalReturnsTheElement() {
        let cache = MemoryCache<String, Int>()
        cache.set(element: 1, for: "a")
        #expect(cache.removeElement(for: "a") == 1)
        #expect(cache.removeElement(for: "a") == nil)
        #expect(cache.getElement(for: "a") == .miss)
    }

    @Test func s14_clearRemovesAllEntries() {
        let cache = MemoryCache<Int, Int>()
        (0..<100).forEach { cache.set(element: $0, for: $0) }
        #expect(cache.count == 100)
        cache.removeAll()
        #expect(cache.isEmpty && cache.cost == 0)
    }

    @Test func s16_anElementOutlivesItsEntry() {
        let live = Locked(0)
        let cache = MemoryCache<String, Tracked>()
        cache.set(element: Tracked("a", live), for: "a")
        let kept = cache.getElement(for: "a").element
        cache.removeAll()
        #expect(live.current == 1 && kept?.name == "a")
    }

    @Test func l04_elementsAreReleasedOnceForEveryCause() {
        let live = Locked(0)
        do {
            let cache = MemoryCache<Int, Tracked>(configuration: .init(capacity: 10))
            for i in 0..<100 { cache.set(element: Tracked("\(i)", live), for: i % 30) }
            #expect(live.current == cache.count)
            cache.removeElement(for: 29)
            cache.removeElement()
            cache.removeElements(toCount: 5)
            #expect(live.current == 5)
        }
        #expect(live.current == 0, "an element outlived its cache")
    }

    @Test func s04_anElementThatCannotBeStoredIsReturned_andAnUpdateReturnsNil() async {
        let long = String(repeating: "k", count: 65_536)
        let cache = MemoryCache<String, Int>(configuration: .init(keyValidator: { $0 != "bad" }))
        for key in [long, "bad"] {
            #expect(cache.set(element: 1, for: key) == [1])
            #expect(cache.update(key) { _ in 2 } == nil)
        }
        #expect(cache.set(element: nil, for: long).isEmpty && cache.isEmpty)
        #expect(cache.update("k", expiredIn: .notStored) { _ in 3 } == nil)
        #expect(cache.update("k") { _ in 3 } == 3 && cache["k"] == 3)
        let posts = echo()
        await posts.close()
        #expect(posts.cache.set(element: "late", for: "k") == ["late"])
        #expect(posts.cache.update("k") { _ in "late" } == nil)
    }
}
