// Many at once.

import Foundation
import KVLight
import Testing

@Suite struct CacheConcurrencyTests {
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

    @Test func aValidatorMayCallBackFromManyThreads() async {
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
