// The settings of a cache.

import Foundation
import KVLight
import Testing

@Suite struct CacheConfigurationTests {
    @Test func aCacheHas1024EntriesAndNoCostLimitByDefault() {
        let cache = MemoryCache<String, Int>()
        #expect(cache.capacity == 1024 && cache.costLimit == nil)
    }

    @Test func valuesOutOfRangeAreAccepted_andLimitsAreClamped() {
        var configuration = CacheConfiguration<String, Int>(capacity: -5, costLimit: -5)
        configuration.shards = 1_000_000
        configuration.seed = -9
        configuration.errorCapacity = -1
        configuration.timeToLiveJitter = .seconds(-1)
        configuration.idleTimeToLive = .zero
        configuration.errorTimeToLive = .seconds(-3)
        let cache = MemoryCache(configuration: configuration)
        #expect(cache.capacity == 0 && cache.costLimit == 0)
    }

    @Test(arguments: [1, 4, 64]) func shardsHoldTheWholeCapacityTogether(shards: Int) {
        var configuration = CacheConfiguration<Int, Int>(capacity: 640)
        configuration.shards = shards
        let cache = MemoryCache(configuration: configuration)
        for i in 0..<10_000 { cache.set(element: i, for: i) }
        #expect(cache.count == 640)
    }

    @Test(arguments: [CacheConfiguration<String, Int>.Hash.fast, .sip]) func eachHashFindsItsKeys(hash: CacheConfiguration<String, Int>.Hash) {
        var configuration = CacheConfiguration<String, Int>()
        configuration.hash = hash
        configuration.seed = 42
        let cache = MemoryCache(configuration: configuration)
        for i in 0..<500 { cache.set(element: i, for: "key \(i)") }
        #expect((0..<500).allSatisfy { (i: Int) in cache.getElement(for: "key \(i)").element == i })
    }

    @Test func theCostFunctionIsCalledOnceForEachElement() {
        let asked = Locked(0)
        let cache = MemoryCache<Int, Int>(
            configuration: .init(cost: { _ in
                asked.add()
                return 10
            }))
        for i in 0..<50 { cache.set(element: i, for: i) }
        #expect(asked.current == 50)
        #expect(cache.cost > 500)
    }

    @Test func aNegativeCostCountsAsZero() {
        let free = MemoryCache<Int, Int>(configuration: .init(cost: { _ in -100 }))
        let zero = MemoryCache<Int, Int>(configuration: .init(cost: { _ in 0 }))
        free.set(element: 1, for: 1)
        zero.set(element: 1, for: 1)
        #expect(free.cost == zero.cost)
    }

    @Test func s10_theValidatorReceivesTheKey() {
        let seen = Locked<[UUID]>([])
        let cache = MemoryCache<UUID, Int>(
            configuration: .init(keyValidator: { key in
                seen.update { $0.append(key) }
                return true
            }))
        let key = UUID()
        cache.set(element: 1, for: key)
        _ = cache.getElement(for: key)
        _ = cache.contains(key)
        #expect(seen.current == [key, key], "once for each of set and get, and not for contains")
    }

    @Test func f20_anErrorIsRememberedAsLongAsConfigured() async {
        let clock = ManualClock()
        let calls = Locked(0)
        var config = KVLightTasks<String, Int>.Config(
            provider: .single { (_: String) throws -> Int? in
                calls.add()
                throw Broken()
            })
        config.cache.errorTimeToLive = .seconds(10)
        config.cache.clock = clock
        let tasks = KVLightTasks(config: config)
        for _ in 0..<3 { await #expect(throws: Broken.self) { try await tasks.fetch(key: "k") } }
        #expect(calls.current == 1)
        clock.advance(by: .seconds(11))
        await #expect(throws: Broken.self) { try await tasks.fetch(key: "k") }
        #expect(calls.current == 2)
    }

    private typealias Config = KVLightTasks<String, Int>.Config

    private func configured(_ change: (inout Config) -> Void) -> Config {
        var config = Config(provider: .single { (_: String) throws -> Int? in 7 })
        change(&config)
        return config
    }

    @Test func l09b_aProgramCanAskWhichSettingsContradictEachOther() {
        let refused: [(words: [String], change: (inout Config) -> Void)] = [
            (["staleFor", "timeToLive", "idleTimeToLive"], { $0.cache.staleFor = .seconds(60) }),
            (["refreshAfter", "timeToLive", "refreshAge"], { $0.cache.refreshAfter = 0.8 }),
            (["refreshAge", "timeToLive"], { ($0.cache.timeToLive, $0.cache.refreshAge) = (.seconds(60), .seconds(60)) }),
            (["staleAfter", "timeout"], { ($0.timeout, $0.cache.staleAfter) = (.seconds(5), .seconds(5)) }),
            (["staleAfter", "readMode", "cacheOnly"], { ($0.readMode, $0.cache.staleAfter) = (.cacheOnly, .seconds(5)) }),
            (["refresh", "readMode", "noStore"], { ($0.readMode, $0.cache.refreshAge) = (.noStore, .seconds(5)) }),
            (["hedging", "maximumRunningRequests"], { ($0.maximumRunningRequests, $0.hedging) = (1, Hedging(.percentile(0.9))) }),
            (["hedging", "attemptTimeout"], { ($0.attemptTimeout, $0.hedging) = (.seconds(1), Hedging(.after(.seconds(1)))) }),
        ]
        for (words, change) in refused {
            let problem = configured(change).problem ?? ""
            #expect(words.allSatisfy { problem.contains($0) }, "\(words): \(problem)")
            #expect(!problem.contains("_") && !problem.contains("."), "\(problem)")
        }
        #expect(configured { _ in }.problem == nil)
        #expect(configured { ($0.cache.timeToLive, $0.cache.staleFor) = (.seconds(60), .seconds(60)) }.problem == nil)
        var cache = CacheConfiguration<String, Int>()
        cache.staleFor = .seconds(60)
        #expect(cache.problem?.contains("staleFor") == true)
        cache.idleTimeToLive = .seconds(60)
        #expect(cache.problem == nil)
    }

    @Test func l09b_settingsThatCannotMatterAreNoContradiction() async throws {
        let accepted: [(inout Config) -> Void] = [
            { ($0.cache.timeToLive, $0.cache.refreshAfter) = (.seconds(60), 1) },
            { ($0.cache.timeToLive, $0.cache.refreshAfter, $0.cache.refreshJitter) = (.seconds(60), 1, 0.5) },
            { ($0.cache.capacity, $0.cache.staleFor) = (0, .seconds(60)) },
            { ($0.cache.capacity, $0.cache.refreshAfter) = (0, 0.8) },
            { ($0.cache.capacity, $0.cache.refreshAge) = (-1, .seconds(60)) },
            { ($0.cache.timeToLive, $0.cache.refreshAge) = (.notStored, .seconds(60)) },
        ]
        for change in accepted {
            let config = configured(change)
            #expect(config.problem == nil)
            #expect(try await KVLightTasks(config: config).fetch(key: "k") == 7)
        }
    }
}
