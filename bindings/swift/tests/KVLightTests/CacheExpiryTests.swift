// Expiry of entries. The clock moves only when a test moves it.

import Foundation
import KVLight
import Testing

@Suite struct CacheExpiryTests {
    private let clock = ManualClock()

    private func cache(_ change: (inout CacheConfiguration<String, Int>) -> Void = { _ in }) -> MemoryCache<String, Int> {
        var configuration = CacheConfiguration<String, Int>()
        configuration.clock = clock
        change(&configuration)
        return MemoryCache(configuration: configuration)
    }

    @Test func s06_anEntryLivesAsLongAsItsTTL() {
        let cache = cache()
        cache.set(element: 1, for: "k", expiredIn: .seconds(10))
        clock.advance(by: .seconds(9))
        #expect(cache.getElement(for: "k").element == 1)
        clock.advance(by: .seconds(1.1))
        #expect(cache.getElement(for: "k") == .miss)
        #expect(cache.isEmpty)
    }

    @Test func s06_byDefaultAnEntryDoesNotExpire() {
        let cache = cache()
        cache.set(element: 1, for: "k")
        clock.advance(by: .seconds(100 * 365 * 86_400))
        #expect(cache.getElement(for: "k").element == 1)
    }

    @Test func s06_theConfiguredTTLIsTheDefault() {
        let cache = cache { $0.timeToLive = .seconds(5) }
        cache.set(element: 1, for: "default")
        cache.set(element: 2, for: "own", expiredIn: .never)
        clock.advance(by: .seconds(6))
        #expect(cache.getElement(for: "default") == .miss)
        #expect(cache.getElement(for: "own").element == 2)
    }

    @Test func s06_absencesHaveATTLOfTheirOwn() {
        let cache = cache { $0.nullTimeToLive = .seconds(2) }
        cache.set(element: nil, for: "nobody")
        cache.set(element: 1, for: "somebody")
        clock.advance(by: .seconds(3))
        #expect(cache.getElement(for: "nobody") == .miss)
        #expect(cache.getElement(for: "somebody").element == 1)
    }

    @Test func s06_aTTLOfZeroStoresNothingAndRemovesTheEntry() {
        let cache = cache()
        cache.set(element: 1, for: "k")
        cache.set(element: 2, for: "k", expiredIn: .seconds(0))
        #expect(!cache.contains("k"))
        cache.set(element: 3, for: "k", expiredIn: .after(.seconds(-5)))
        #expect(cache.isEmpty)
    }

    @Test func s06_hugeTTLsDoNotExpire() {
        let cache = cache()
        cache.set(element: 1, for: "k", expiredIn: .after(.seconds(Int64.max)))
        clock.advance(by: .seconds(1_000_000_000))
        #expect(cache.getElement(for: "k").element == 1)
    }

    @Test func s05_expiredEntriesAreEvictedFirst() {
        let cache = cache { $0.capacity = 2 }
        cache.set(element: 1, for: "dear", priority: 9, expiredIn: .seconds(1))
        cache.set(element: 2, for: "cheap")
        clock.advance(by: .seconds(2))
        #expect(cache.set(element: 3, for: "new", priority: -1).isEmpty, "an expired entry was returned as evicted")
        #expect(cache.contains("cheap") && cache.contains("new"))
    }

    @Test func s08_jitterStoresNoExpiredEntry() {
        let cache = cache {
            $0.timeToLive = .seconds(10)
            $0.timeToLiveJitter = .seconds(1000)
            $0.seed = 1
        }
        for i in 0..<200 { cache.set(element: i, for: "\(i)") }
        clock.advance(by: .seconds(4.9))
        #expect(cache.count == 200, "an entry lived less than half its TTL")
        clock.advance(by: .seconds(5))
        let left = cache.count
        #expect(left > 20 && left < 180, "\(left) of 200 are left: all TTLs are alike")
        clock.advance(by: .seconds(5.2))
        #expect(cache.isEmpty, "an entry lived more than one and a half TTLs")
    }

    @Test func s09_useKeepsAnIdleEntryAlive() {
        let cache = cache { $0.idleTimeToLive = .seconds(10) }
        cache.set(element: 1, for: "used")
        cache.set(element: 2, for: "idle")
        clock.advance(by: .seconds(6))
        _ = cache.getElement(for: "used")
        clock.advance(by: .seconds(6))
        #expect(cache.getElement(for: "used").element == 1)
        #expect(cache.getElement(for: "idle") == .miss)
    }

    @Test func s07_expiredElementsAreReleasedWithoutACall() async {
        let live = Locked(0)
        var configuration = CacheConfiguration<Int, Tracked>()
        configuration.clock = clock
        let cache = MemoryCache(configuration: configuration)
        for i in 0..<50 { cache.set(element: Tracked("\(i)", live), for: i, expiredIn: .seconds(1)) }
        clock.advance(by: .seconds(5))
        #expect(await eventually { live.current == 0 }, "\(live.current) expired elements are kept")
    }

    @Test func s14_expiredEntriesAreRemovedOnDemand() {
        let cache = cache { $0.usesTimer = false }
        for i in 0..<20 { cache.set(element: i, for: "\(i)", expiredIn: i < 12 ? .seconds(1) : .never) }
        clock.advance(by: .seconds(2))
        #expect(cache.removeExpiredElements() == 12)
        #expect(cache.count == 8)
    }

    @Test func s11_theListenerIsCalledForExpiry() async {
        let reported = Locked<[String]>([])
        let cache = cache {
            $0.removalListener = { key, _, cause in reported.update { $0.append("\(key) \(cause)") } }
        }
        cache.set(element: 1, for: "k", expiredIn: .seconds(1))
        clock.advance(by: .seconds(2))
        #expect(cache.isEmpty)
        #expect(await eventually { reported.current == ["k expired"] })
    }
}
