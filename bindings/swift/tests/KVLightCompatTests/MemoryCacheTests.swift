// The earlier library's cache.

import Foundation
import Testing

@testable import KVLightCompat

@Suite struct CompatCacheTests {
    @Test func aLookupHasFourOutcomes() {
        let cache = MemoryCache<String, Int>(configuration: .init(keyValidator: { !$0.isEmpty }))
        cache.set(element: 1, for: "one")
        cache.set(element: nil, for: "nil")
        #expect(cache.getElement(for: "one").element == 1)
        if case .hitNullElement = cache.getElement(for: "nil") {} else { Issue.record("an absence was a miss") }
        #expect(cache.getElement(for: "none").isMiss)
        if case .invalidKey = cache.getElement(for: "") {} else { Issue.record("an invalid key was looked up") }
        #expect(cache.count == 2 && !cache.isEmpty && !cache.isFull)
    }

    @Test func aProgramCanExtendTheClassWithTheNamesOfItsParameters() {
        let cache = MemoryCache<String, Int>()
        cache.set(element: 7, for: "A")
        #expect(cache.shout("a") == 7)
    }

    @Test func swiftsEqualityDecidesWhatOneKeyIs() {
        let cache = MemoryCache<String, Int>()
        cache.set(element: 1, for: "caf\u{E9}")
        #expect(cache.getElement(for: "cafe\u{301}").element == 1)
        #expect(cache.count == 1)
    }

    @Test func anyHashableIsAKey() {
        struct Key: Hashable {
            let a: Int
            let ignored: Int
            static func == (l: Key, r: Key) -> Bool { l.a == r.a }
            func hash(into hasher: inout Hasher) { hasher.combine(a) }
        }
        let cache = MemoryCache<Key, String>()
        cache.set(element: "x", for: Key(a: 1, ignored: 2))
        #expect(cache.getElement(for: Key(a: 1, ignored: 3)).element == "x")
        let any = MemoryCache<AnyHashable, String>()
        any.set(element: "number", for: 1)
        any.set(element: "text", for: "1")
        #expect(any.getElement(for: 1).element == "number" && any.getElement(for: "1").element == "text")
    }

    @Test func anElementMayBeOptionalItself() {
        let cache = MemoryCache<String, String?>()
        cache.set(element: .some(nil), for: "inner")
        cache.set(element: .none, for: "outer")
        if case .hitNonNullElement(let element) = cache.getElement(for: "inner") { #expect(element == nil) } else {
            Issue.record("an optional element was an absence")
        }
        if case .hitNullElement = cache.getElement(for: "outer") {} else { Issue.record("an absence was kept as an element") }
    }

    @Test func setReturnsTheEvictedElements() {
        let cache = MemoryCache<String, Int>(configuration: .init(memoryUsageLimitation: .init(capacity: 2)))
        #expect(cache.set(element: 1, for: "a") == [])
        #expect(cache.set(element: 2, for: "b", priority: 1) == [])
        #expect(cache.set(element: 3, for: "b", priority: 1) == [], "a replaced element is not listed")
        #expect(cache.set(element: 4, for: "c", priority: 2) == [1])
        #expect(cache.set(element: 5, for: "d", priority: 0) == [5], "an element of too low a priority")
        #expect(cache.set(element: nil, for: "e", priority: 3) == [3])
        #expect(cache.set(element: 6, for: "f", priority: 9) == [4])
        #expect(cache.set(element: 7, for: "g", priority: 9) == [], "an absence has no element to list")
    }

    @Test func anElementThatIsNotToBeStoredIsNotListed() {
        let none = MemoryCache<String, Int>(configuration: .init(memoryUsageLimitation: .init(capacity: 0)))
        #expect(none.set(element: 1, for: "a") == [] && none.isEmpty && none.isFull)
        let cache = MemoryCache<String, Int>(configuration: .init(defaultTTL: 0, keyValidator: { $0 != "bad" }))
        #expect(cache.set(element: 1, for: "a") == [])
        #expect(cache.set(element: 1, for: "a", expiredIn: -1) == [])
        #expect(cache.set(element: 1, for: "a", expiredIn: .nan) == [])
        #expect(cache.set(element: 1, for: "bad", expiredIn: 10) == [])
        #expect(cache.isEmpty)
        #expect(cache.set(element: 1, for: "a", expiredIn: 10) == [] && cache.count == 1)
    }

    @Test func memoryIsLimitedInMegabytes() {
        let megabyte = 1 << 20
        let cache = MemoryCache<Int, Int>(
            configuration: .init(memoryUsageLimitation: .init(capacity: 100, memory: 1), costProvider: { $0 }))
        let most = megabyte - MemoryLayout<Int>.size
        #expect(cache.set(element: most + 1, for: 0) == [most + 1], "too large")
        #expect(cache.set(element: most, for: 1) == [], "as large as the limit")
        #expect(cache.set(element: 1000, for: 2) == [most])
        let half = megabyte / 2 - MemoryLayout<Int>.size
        cache.removeElement(for: 2)
        #expect(cache.set(element: half, for: 3) == [])
        #expect(cache.set(element: half, for: 4) == [])
        #expect(cache.set(element: 100_000, for: 5) == [half])
    }

    @Test func costsOfAllSizesAreAccepted() {
        for cost in [Int.min, -1, 0, 1, Int.max] {
            let cache = MemoryCache<String, Int>(
                configuration: .init(memoryUsageLimitation: .init(capacity: 3), costProvider: { _ in cost }))
            #expect(cache.set(element: 1, for: "a") == [])
            #expect(cache.getElement(for: "a").element == 1)
        }
    }

    @Test func limitsOfAllSizesAreAccepted() {
        #expect(MemoryUsageLimitation(capacity: -1, memory: -1).capacity == 0)
        #expect(MemoryUsageLimitation(capacity: -1, memory: -1).memory == 0)
        #expect(MemoryUsageLimitation(memory: .max).memory == MemoryUsageLimitation.unlimitedMemoryUsage)
        #expect(MemoryUsageLimitation.unlimitedMemoryUsage == 1 << 30)
        let huge = MemoryCache<Int, Int>(configuration: .init(memoryUsageLimitation: .init(capacity: .max, memory: .max)))
        #expect(huge.capacity == .max)
        huge.set(element: 1, for: 1)
        #expect(huge.count == 1)
        let none = MemoryCache<Int, Int>(configuration: .init(memoryUsageLimitation: .init(capacity: 5, memory: 0)))
        #expect(none.set(element: 1, for: 1) == [1])
    }

    @Test func timesOfAllSizesAreAccepted() {
        for seconds in [1e308, Double.greatestFiniteMagnitude, .infinity, 1e10] {
            let cache = MemoryCache<String, Int>(
                configuration: .init(defaultTTL: seconds, defaultTTLForNullElement: seconds, ttlRandomizationRange: seconds))
            cache.set(element: 1, for: "a")
            cache.set(element: 2, for: "b", expiredIn: seconds)
            #expect(cache.count == 2)
        }
        let odd = MemoryCache<String, Int>(configuration: .init(ttlRandomizationRange: -.infinity))
        odd.set(element: 1, for: "a", expiredIn: 100)
        #expect(odd.getElement(for: "a").element == 1)
        #expect([-1, 0, .nan, 0.000_001, 0.001, 1.000_01].map(Milliseconds.roundedUp) == [0, 0, 0, 1, 1, 1001])
    }

    @Test func entriesExpire() {
        let cache = MemoryCache<String, Int>()
        cache.set(element: 1, for: "short", expiredIn: 0.02)
        cache.set(element: 2, for: "long", expiredIn: 1000)
        cache.set(element: nil, for: "absence")
        while !cache.getElement(for: "short").isMiss { Thread.sleep(forTimeInterval: 0.005) }
        #expect(cache.count == 2, "an expired entry is counted")
        cache.removeExpiredElements()
        #expect(cache.getElement(for: "long").element == 2)
    }

    @Test func entriesAreRemovedAndTrimmed() {
        let cache = MemoryCache<Int, Int>()
        for i in 0..<10 { cache.set(element: i, for: i) }
        #expect(cache.removeElement(for: 3) == 3)
        #expect(cache.removeElement(for: 3) == nil)
        #expect(cache.removeElement() == 0, "the next victim is the one used least recently")
        cache.removeElements(toPercent: 0.45)
        #expect(cache.count == 3, "the share is rounded down")
        cache.removeElements(toPercent: 7)
        #expect(cache.count == 3)
        cache.removeElements(toPercent: .nan)
        #expect(cache.count == 3)
        cache.removeElements(toPercent: -1)
        #expect(cache.isEmpty && cache.removeElement() == nil)
    }

    @Test func theKeyTableRemovesUnusedKeys() {
        let cache = MemoryCache<String, Int>(configuration: .init(memoryUsageLimitation: .init(capacity: 10)))
        for i in 0..<20_000 {
            cache.set(element: i, for: "\(i)")
            _ = cache.getElement(for: "-\(i)")
        }
        #expect((19_990..<20_000).allSatisfy { (i: Int) in cache.getElement(for: "\(i)").element == i })
        let table = KeyTable<String>()
        for i in 0..<50_000 { table.unpin(table.pin("\(i)"), stored: { $0 == 1 }) }
        #expect(table.count < 3000)
        #expect(table.key(1) == "0", "a stored key was removed")
    }

    @Test func anIntegerIsItsOwnNumber() {
        func check<K: FixedWidthInteger>(_: K.Type) {
            let table = KeyTable<K>()
            let keys: [K] = [.min, .min + 1, 0, 1, .max / 3, .max]
            for key in keys {
                let number = table.pin(key)
                #expect(table.number(of: key) == number && table.key(number) == key, "\(K.self)")
                table.unpin(number, stored: { _ in false })
            }
            #expect(Set(table.pin(keys)).count == Set(keys).count, "\(K.self): different keys have one number")
            #expect(table.count == 0)
        }
        check(Int.self)
        check(UInt.self)
        check(Int64.self)
        check(UInt64.self)
        check(Int32.self)
        check(UInt32.self)
        check(Int16.self)
        check(UInt16.self)
        check(Int8.self)
        check(UInt8.self)
        let cache = MemoryCache<Int8, String>()
        for key in Int8.min...Int8.max { cache.set(element: "\(key)", for: key) }
        #expect((Int8.min...Int8.max).allSatisfy { (key: Int8) in cache.getElement(for: key).element == "\(key)" })
    }

    @Test func manyThreadsCanUseACache() {
        let cache = MemoryCache<Int, Int>(configuration: .init(memoryUsageLimitation: .init(capacity: 100)))
        DispatchQueue.concurrentPerform(iterations: 8) { t in
            for i in 0..<2000 {
                cache.set(element: i % 300, for: i % 300)
                if let element = cache.getElement(for: (i + t) % 300).element { #expect(element == (i + t) % 300) }
                if i % 50 == 0 { cache.removeElement() }
            }
        }
        #expect(cache.count <= 100)
        #expect(cache.statistics.totalAccesses == 16_000)
    }
}
