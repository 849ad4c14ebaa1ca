// Concurrent use of a cache.

import Foundation
import KVLight
import Testing

@Suite struct CacheConcurrencyTests {
    @Test func s17_anUpdateLosesNoOtherWrite() async {
        let cache = MemoryCache<String, Int>()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask { for _ in 0..<5000 { cache.update("count") { ($0 ?? 0) + 1 } } }
            }
        }
        #expect(cache["count"] == 20_000)
        #expect(throws: Broken.self) { try cache.update("count") { _ in throw Broken() } }
        // An absence is an ordinary entry.
        cache.set(element: nil, for: "none")
        #expect(cache.update("none") { $0 == nil ? 1 : nil } == 1)
        #expect(cache["none"] == 1)
    }

    @Test func s17_aWriteCanHaveACondition() {
        let cache = MemoryCache<String, Int>()
        #expect(!cache.set(element: 1, for: "k", if: .present) && !cache.contains("k"))
        #expect(cache.set(element: 1, for: "k", if: .absent))
        #expect(!cache.set(element: 2, for: "k", if: .absent) && cache["k"] == 1)
        #expect(cache.set(element: 2, for: "k", if: .present) && cache["k"] == 2)
    }

    @Test func s17_aTouchGivesANewTTL() {
        let clock = ManualClock()
        var configuration = CacheConfiguration<String, Int>(timeToLive: .seconds(10))
        configuration.clock = clock
        let cache = MemoryCache(configuration: configuration)
        cache.set(element: 1, for: "k")
        clock.advance(by: .seconds(9))
        #expect(cache.touch("k") && !cache.touch("other"))
        clock.advance(by: .seconds(9))
        #expect(cache["k"] == 1)
        #expect(cache.touch("k", expiredIn: .never))
        clock.advance(by: .seconds(1000))
        #expect(cache["k"] == 1)
    }

    @Test func readersAndWritersKeepTheBounds() async {
        let live = Locked(0)
        let cache = MemoryCache<Int, Tracked>(configuration: .init(capacity: 64))
        await withTaskGroup(of: Void.self) { group in
            for seed in 0..<16 {
                group.addTask {
                    var random = SystemRandomNumberGenerator()
                    for i in 0..<2000 {
                        let key = Int.random(in: 0..<256, using: &random)
                        switch (i + seed) % 5 {
                        case 0, 1: cache.set(element: Tracked("\(key)", live), for: key, priority: Double(key % 3))
                        case 2: cache.removeElement(for: key)
                        default:
                            if let element = cache.getElement(for: key).element { #expect(element.name == "\(key)") }
                        }
                        if cache.count > 64 { Issue.record("more entries than the capacity") }
                    }
                }
            }
        }
        #expect(live.current == cache.count)
        cache.removeAll()
        #expect(live.current == 0)
    }

    @Test func aValidatorCanUseTheCacheFromManyThreads() async {
        let box = Locked<MemoryCache<Int, Int>?>(nil)
        let cache = MemoryCache<Int, Int>(
            configuration: .init(keyValidator: { key in
                box.current?.contains(key &+ 1) ?? false || true
            }))
        box.update { $0 = cache }
        await withTaskGroup(of: Void.self) { group in
            for t in 0..<8 {
                group.addTask { for i in 0..<500 { cache.set(element: t, for: i) } }
            }
        }
        #expect(cache.count == 500)
        box.update { $0 = nil }
    }

    @Test func clearingWhileWritingLosesNoElement() async {
        let live = Locked(0)
        do {
            let cache = MemoryCache<Int, Tracked>(configuration: .init(capacity: 100))
            await withTaskGroup(of: Void.self) { group in
                for t in 0..<4 {
                    group.addTask {
                        for i in 0..<1000 {
                            cache.set(element: Tracked("", live), for: i, expiredIn: .milliseconds(t + 1))
                            if i % 100 == 0 { cache.removeAll() }
                        }
                    }
                }
            }
        }
        #expect(await eventually { live.current == 0 }, "\(live.current) elements outlived their cache")
    }
}
