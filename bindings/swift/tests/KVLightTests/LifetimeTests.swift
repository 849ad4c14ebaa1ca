// Closing and releasing engines, and when their objects are freed.

import Foundation
import KVLight
import Testing

@Suite struct LifetimeTests {
    @Test func l05_drainFinishesWhatWasAccepted() async throws {
        let gate = Gate()
        let calls = Locked<[[String]]>([])
        let posts = gated(gate, calls: calls)
        let waiter = Task { try await posts.fetch(key: "k") }
        #expect(await eventually { !calls.current.isEmpty })
        async let closed: Void = posts.close(.drain())
        await #expect(throws: KVLightError.closed) {
            while true {
                _ = try await posts.fetch(key: "another", timeout: .milliseconds(1), options: FetchOptions(read: .cacheOnly))
                await Task.yield()
            }
        }
        await gate.open()
        #expect(try await waiter.value == "value of k")
        await closed
    }

    @Test func l05_aDrainEndsAtItsDeadline() async {
        let clock = ManualClock()
        let gate = Gate()
        let calls = Locked<[[String]]>([])
        let posts = gated(gate, calls: calls) { $0.cache.clock = clock }
        let waiter = Task { try await posts.fetch(key: "k") }
        #expect(await eventually { !calls.current.isEmpty })
        async let closed: Void = posts.close(.drain(within: .seconds(5)))
        let advancing = Task { while !Task.isCancelled { clock.advance(by: .seconds(1)); await Task.yield() } }
        await #expect(throws: KVLightError.closed) { try await waiter.value }
        advancing.cancel()
        await gate.open()
        await closed
    }

    @Test func l05_closingTwiceReturnsTwice() async {
        let posts = echo()
        await posts.close()
        await posts.close(.drain(within: .seconds(1)))
        await #expect(throws: KVLightError.closed) { try await posts.fetch(key: "k") }
        #expect(throws: KVLightError.closed) { try posts.refresh(keys: ["k"]) }
    }

    @Test func aCacheKeepsItsEngineAlive() async throws {
        let cache: MemoryCache<String, String>
        do {
            let posts = echo()
            _ = try await posts.fetch(key: "k")
            cache = posts.cache
        }
        #expect(cache.getElement(for: "k").element == "value of k")
        cache.set(element: "new", for: "k")
        #expect(cache.getElement(for: "k").element == "new")
    }

    @Test func l04_providersAndListenersAreReleasedWithTheirEngine() async throws {
        let live = Locked(0)
        do {
            let captured = Tracked("captured", live)
            var config = KVLightTasks<String, Int>.Config(provider: .single { key in captured.name.count + key.count })
            config.cache.keyValidator = { _ in captured.name != "" }
            config.cache.cost = { _ in captured.name.count }
            config.cache.statisticsReport = { _, _ in withExtendedLifetime(captured) {} }
            config.cache.removalListener = { _, _, _ in withExtendedLifetime(captured) {} }
            _ = try await KVLightTasks(config: config).fetch(key: "k")
        }
        #expect(await eventually { live.current == 0 })
    }

    @Test func l04_errorsAreReleasedWithTheirLastReference() async {
        final class Counted: Error, Sendable {
            let tracked: Tracked
            init(_ tracked: Tracked) { self.tracked = tracked }
        }
        let live = Locked(0)
        do {
            let tasks = KVLightTasks<Int, Int>(provider: .single { (_: Int) throws -> Int? in throw Counted(Tracked("", live)) })
            _ = await tasks.results(for: Array(0..<100))
            #expect(await eventually { live.current == 0 }, "\(live.current) errors are kept")
        }
    }

    @Test func l05_elementsAreReleasedWithEnginesThatAreDroppedDuringFetches() async {
        let live = Locked(0)
        for round in 0..<100 {
            let tasks = KVLightTasks<Int, Tracked>(
                provider: .batch { keys in Dictionary(uniqueKeysWithValues: keys.map { ($0, Tracked("\(round)", live)) }) })
            tasks.fetch(keys: Array(0..<10)) { _, _ in }
            if round % 2 == 0 { await tasks.close() }
        }
        #expect(await eventually { live.current == 0 }, "\(live.current) elements leaked")
    }

    @Test func l08_aReleasedEngineLeaksNoThread() async throws {
        func threads() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count }
        // Other tests start and end threads too, but the threads of many engines would still be noticed.
        let before = try threads()
        for _ in 0..<50 { _ = try await echo().fetch(key: "k") }
        let noneIsLeft = await eventually { ((try? threads()) ?? .max) < before + 40 }
        #expect(noneIsLeft, "threads of 50 engines are left")
    }
}
