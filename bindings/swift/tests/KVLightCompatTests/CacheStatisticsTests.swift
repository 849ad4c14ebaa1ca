// The earlier library's counters and retry counts.

import Foundation
import Testing

@testable import KVLightCompat

@Suite struct CompatStatisticsTests {
    @Test func recordsAreCounted() {
        var statistics = CacheStatistics()
        #expect(statistics.hitRate == 0 && statistics.successRate == 0 && statistics.totalAccesses == 0)
        for record in [CacheRecord.hitNonNullElement, .hitNonNullElement, .hitNullElement, .miss, .invalidKey] {
            statistics.record(record)
        }
        #expect(statistics.nonNullElementHitCount == 2 && statistics.nullElementHitCount == 1)
        #expect(statistics.missCount == 1 && statistics.invalidKeyCount == 1 && statistics.totalAccesses == 5)
        #expect(statistics.hitRate == 0.75 && statistics.successRate == 0.6)
    }

    @Test func aResetChangesTheTracingNumberAndKeepsTheReport() {
        var reported = 0
        var statistics = CacheStatistics()
        statistics.report = { _, _ in reported += 1 }
        let first = statistics.tracingID
        statistics.record(.miss)
        statistics.reset()
        #expect(first > 0 && statistics.tracingID > 0 && statistics.tracingID != first)
        #expect(statistics.totalAccesses == 0)
        statistics.record(.miss)
        #expect(reported == 2)
        #expect(CacheStatistics().tracingID != CacheStatistics().tracingID)
    }

    @Test func theReportReceivesTheCountersAfterTheRecord() {
        var totals: [Int] = []
        var statistics = CacheStatistics()
        statistics.report = { statistics, _ in totals.append(statistics.totalAccesses) }
        statistics.record(.hitNullElement)
        statistics.record(.invalidKey)
        #expect(totals == [1, 2])
    }

    @Test func aCacheReportsEachLookupBeforeTheCallReturns() {
        var records: [CacheRecord] = []
        let cache = MemoryCache<String, Int>(
            configuration: .init(keyValidator: { $0 != "bad" }), statisticsReport: { records.append($1) })
        cache.set(element: 1, for: "a")
        cache.set(element: nil, for: "nil")
        cache.set(element: 1, for: "bad")
        #expect(records.isEmpty, "a write was reported")
        for key in ["a", "nil", "bad", "none"] { _ = cache.getElement(for: key) }
        #expect(records == [.hitNonNullElement, .hitNullElement, .invalidKey, .miss])
        #expect(cache.statistics.totalAccesses == 4)
        let before = cache.statistics.tracingID
        cache.resetStatistics()
        #expect(cache.statistics.totalAccesses == 0 && cache.statistics.tracingID != before)
        _ = cache.getElement(for: "a")
        #expect(records.count == 5)
    }

    @Test func aReportCanUseItsCache() {
        let box = Locked<MemoryCache<String, Int>?>(nil)
        let cache = MemoryCache<String, Int>(statisticsReport: { _, _ in
            _ = box.current?.count
            _ = box.current?.statistics
        })
        box.update { $0 = cache }
        #expect(cache.getElement(for: "a").isMiss)
        box.update { $0 = nil }
    }

    @Test func aRetryCountCountsDown() {
        let three: RetryCount = 3
        #expect(three.shouldRetry && three.timeInterval == 0)
        #expect(three.next().next().shouldRetry && !three.next().next().next().shouldRetry)
        let zero: RetryCount = 0
        #expect(!zero.shouldRetry && !RetryCount.count(count: 0).shouldRetry && !RetryCount.never.next().shouldRetry)
        #expect(RetryCount.infinity().next().next().shouldRetry)
    }

    @Test func pausesGrowAsConfigured() {
        func pauses(_ proxy: RetryCount.IntervalProxy, _ n: Int) -> [TimeInterval] {
            sequence(first: proxy) { $0.next() }.prefix(n).map(\.timeInterval)
        }
        #expect(pauses(.fixed(timeInterval: 3), 3) == [3, 3, 3])
        #expect(pauses(.exponentialBackoff(), 4) == [1, 2, 4, 8])
        #expect(pauses(.exponentialBackoff(initialTimeInterval: 3, scaleRate: 0.1), 3) == [3, 3, 3])
        #expect(
            pauses(.exponentialBackoffBeforeFixed(initialTimeInterval: 1, originalInitialInterval: 9, maxExponentialBackoffCount: 2), 5)
                == [1, 2, 4, 9, 9])
        #expect(
            pauses(.exponentialBackoffAfterFixed(initialTimeInterval: 1, originalInitialInterval: 1, maxFixedCount: 2), 5)
                == [1, 1, 1, 2, 4])
        #expect(
            pauses(.exponentialBackoff(initialTimeInterval: 1e308, scaleRate: 10), 2)[1] == .greatestFiniteMagnitude)
    }
    @Test func fixedPausesBeforeExponentialOnesHaveTheirOwnLengthWhateverTheRate() {
        for rate in [1.0, 2.0] {
            let proxy = RetryCount.IntervalProxy.exponentialBackoffAfterFixed(
                initialTimeInterval: 1, originalInitialInterval: 9, maxFixedCount: 2, scaleRate: rate)
            #expect(
                RetryCount.infinity(intervalProxy: proxy).policy.pauses
                    == .fixedThenExponential(.seconds(9), count: 2, first: .seconds(9), factor: rate))
        }
    }
}
