// The counters, and how they are reported.

import Foundation
import KVLight
import Testing

@Suite struct CacheStatisticsTests {
    private func used(_ report: (@Sendable (KVLightStatistics, CacheRecord) -> Void)? = nil) -> MemoryCache<String, Int> {
        let cache = MemoryCache<String, Int>(
            configuration: .init(capacity: 3, keyValidator: { $0 != "bad" }, statisticsReport: report))
        cache.set(element: 1, for: "one")
        cache.set(element: nil, for: "nil")
        for key in ["one", "one", "nil", "none", "bad", "one"] { _ = cache.getElement(for: key) }
        return cache
    }

    @Test func s12_eachLookupCountsOnce() {
        let statistics = used().statistics
        #expect(statistics.hits == 3)
        #expect(statistics.nullHits == 1)
        #expect(statistics.misses == 1)
        #expect(statistics.invalidKeys == 1)
        #expect(statistics.totalAccesses == 6)
    }

    @Test func s12_theHitRateExcludesInvalidKeys() {
        #expect(used().statistics.hitRate == 0.8)
        #expect(MemoryCache<Int, Int>().statistics.hitRate == 0)
    }

    @Test func s12_insertsReplacementsAndRemovalsAreCounted() {
        let cache = MemoryCache<Int, Int>(configuration: .init(capacity: 3))
        for i in 0..<5 { cache.set(element: i, for: i) }
        cache.set(element: 0, for: 4)
        cache.removeElement(for: 4)
        cache.removeElements(toCount: 1)
        cache.removeAll()
        let statistics = cache.statistics
        #expect(statistics.replacements == 1)
        #expect(statistics.removedCapacity == 2)
        #expect(statistics.removedReplaced == 1)
        #expect(statistics.removedRemoved == 1)
        #expect(statistics.removedTrimmed == 1)
        #expect(statistics.removedCleared == 1)
        #expect(statistics.entries == 0 && statistics.cost == 0)
    }

    @Test func s12_theReportIsCalledForEachLookupBeforeItReturns() {
        let reported = Locked<[CacheRecord]>([])
        let totals = Locked<[Int]>([])
        let cache = used { statistics, record in
            reported.update { $0.append(record) }
            totals.update { $0.append(statistics.totalAccesses) }
        }
        #expect(
            reported.current == [
                .hitNonNullElement, .hitNonNullElement, .hitNullElement, .miss, .invalidKey, .hitNonNullElement,
            ])
        #expect(totals.current == [1, 2, 3, 4, 5, 6])
        cache.set(element: 2, for: "two")
        #expect(reported.current.count == 6, "a write was reported")
    }

    @Test func s12_aReportCanUseTheCache() {
        let box = Locked<MemoryCache<String, Int>?>(nil)
        let found = Locked<[Int?]>([])
        let cache = MemoryCache<String, Int>(
            configuration: .init(statisticsReport: { _, record in
                guard record == .miss, let cache = box.current else { return }
                found.update { $0.append(cache.peekElement(for: "one").element) }
                cache.set(element: 9, for: "written by the report")
            }))
        cache.set(element: 1, for: "one")
        box.update { $0 = cache }
        _ = cache.getElement(for: "none")
        #expect(found.current == [1])
        #expect(cache.contains("written by the report"))
        box.update { $0 = nil }
    }

    @Test func s12_aResetStartsANewWindow() {
        let cache = used()
        let before = cache.statistics
        cache.resetStatistics()
        let after = cache.statistics
        #expect(after.totalAccesses == 0 && after.windowID != before.windowID)
        #expect(after.entries == 2, "a gauge was reset")
    }

    @Test func s12_statisticsHaveTextForms() throws {
        let cache = used()
        let json = try #require(
            try JSONSerialization.jsonObject(with: Data(cache.statistics(as: .json).utf8)) as? [String: Any])
        #expect(!json.isEmpty)
        #expect(cache.statistics(as: .openMetrics).hasSuffix("# EOF\n"))
    }

    @Test func s12_loadsAreCounted() async throws {
        let posts = echo { $0.retry = .never }
        _ = try await posts.fetch(keys: ["a", "b", "a", "no c"]) as [String: String?]
        _ = try await posts.fetch(key: "a")
        let statistics = posts.statistics
        #expect(statistics.loadsStarted == 3 && statistics.loadsSucceeded == 3)
        #expect(statistics.missesJoined == 1 && statistics.attempts == 3)
        #expect(statistics.hits == 1 && statistics.misses == 4)
        #expect(statistics.inFlight == 0)
    }

    @Test func s12_concurrentLookupsAreAllCounted() async {
        let cache = used()
        cache.resetStatistics()
        await withTaskGroup(of: Void.self) { group in
            for i in 0..<8 {
                group.addTask {
                    for j in 0..<1000 { _ = cache.getElement(for: ["one", "nil", "none", "bad"][(i + j) % 4]) }
                }
            }
        }
        let statistics = cache.statistics
        #expect(statistics.hits == 2000 && statistics.nullHits == 2000)
        #expect(statistics.misses == 2000 && statistics.invalidKeys == 2000)
    }
}
