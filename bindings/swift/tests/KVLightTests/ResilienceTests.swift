// A failing or slow provider: fallbacks, the circuit breaker, limits, hedging and pauses before retries.

import Foundation
import KVLight
import Testing

/// An engine whose provider answers each key as `table` says; a key that is not in it has no element.
private func scripted(
    _ table: Locked<[String: Result<String?, any Error>]>, _ change: (inout KVLightTasks<String, String>.Config) -> Void
) -> KVLightTasks<String, String> {
    var config = KVLightTasks<String, String>.Config(
        provider: .results(maximumBatchCount: 20) { keys in
            let table = table.current
            return Dictionary(uniqueKeysWithValues: keys.map { ($0, table[$0] ?? .success(nil)) })
        })
    change(&config)
    return KVLightTasks(config: config)
}

@Suite struct ResilienceTests {
    @Test func r02_aFallbackIsServedWhenTheProviderFails() async throws {
        let clock = ManualClock()
        let table = Locked<[String: Result<String?, any Error>]>(["a": .success("one"), "b": .success("two"), "c": .success("three")])
        let tasks = scripted(table) {
            $0.cache.timeToLive = .seconds(1)
            $0.cache.staleFor = .seconds(60)
            $0.cache.clock = clock
        }
        #expect(try await tasks.values(for: ["a", "b", "c"]).count == 3)
        tasks.cache.set(element: "two", for: "b", staleFor: .zero)
        clock.advance(by: .seconds(2))
        let lost = Fault()
        table.update {
            $0["a"] = .failure(lost)
            $0["b"] = .failure(lost)
            $0["c"] = .failure(PermanentFailure(lost, endsFallback: true))
        }
        #expect(try await tasks.fetch(key: "a") == "one")
        let stale = try await tasks.outcomes(for: ["a"], options: FetchOptions(read: .refresh)).positions[0]
        #expect(stale.isStale && stale.source == .stale && stale.loadError as? Fault === lost && stale.age == .seconds(2))
        #expect(stale.timeLeft == .zero)
        for key in ["b", "c"] {
            await #expect(throws: Fault.self) { try await tasks.fetch(key: key) }
        }
        #expect(tasks.statistics.staleError >= 1)
        table.update { $0["a"] = .success("new") }
        let fresh = try await tasks.outcomes(for: ["a"], options: FetchOptions(read: .refresh)).positions[0]
        #expect(!fresh.isStale && fresh.loadError == nil)
    }

    @Test func r04_aFetchThatDoesNotWaitReceivesTheFallbackAtOnce() async throws {
        let gate = Gate()
        let tasks = gated(gate) {
            $0.cache.timeToLive = .seconds(60)
            $0.cache.staleFor = .seconds(60)
        }
        tasks.cache["a"] = "old"
        #expect(tasks.cache.expireElement(for: "a") && !tasks.cache.expireElement(for: "a") && !tasks.cache.contains("a"))
        #expect(try await tasks.fetch(key: "a", options: FetchOptions(staleAfter: .zero)) == "old")
        await gate.open()
        #expect(try await tasks.fetch(key: "a") == "value of a")
    }

    @Test func r05_aUsedElementIsRefreshedAhead() async throws {
        let clock = ManualClock()
        let calls = Locked<[[String]]>([])
        let tasks = echo(calls: calls) {
            $0.cache.timeToLive = .seconds(10)
            $0.cache.refreshAge = .seconds(5)
            $0.cache.clock = clock
        }
        _ = try await tasks.fetch(key: "a")
        clock.advance(by: .seconds(4))
        _ = try await tasks.fetch(key: "a")
        #expect(calls.current.count == 1)
        clock.advance(by: .seconds(2))
        #expect(try await tasks.fetch(key: "a") == "value of a")
        #expect(await eventually { calls.current.count == 2 })
    }

    @Test func r07_theCircuitBreakerCanBeReadAndForced() async throws {
        let table = Locked<[String: Result<String?, any Error>]>(["a": .failure(Broken())])
        let tasks = scripted(table) {
            $0.circuitBreaker = CircuitBreaker(.consecutive(1))
            // With a clock that stands still, the breaker stays open however slowly this runs.
            $0.cache.clock = ManualClock()
        }
        #expect(tasks.circuitBreaker == .closed)
        await #expect(throws: Broken.self) { try await tasks.fetch(key: "a") }
        #expect(tasks.circuitBreaker == .open)
        await #expect(throws: KVLightError.unavailable) { try await tasks.fetch(key: "b") }
        tasks.forceCircuitBreaker(.closed)
        #expect(tasks.circuitBreaker == .closed)
        #expect(try await tasks.fetch(key: "b") == nil)
        tasks.forceCircuitBreaker(.open)
        #expect(tasks.circuitBreaker == .open)
        tasks.forceCircuitBreaker(nil)
        #expect(tasks.circuitBreaker == .closed)
        let other = scripted(table) { $0.circuitBreaker = CircuitBreaker(.ratio(0.5, within: .seconds(1)), openFor: .seconds(1), probes: 2) }
        #expect(other.circuitBreaker == .closed)
    }

    @Test func r08_requestsWaitForTheRateLimit() async throws {
        let clock = ManualClock()
        let calls = Locked<[[String]]>([])
        let tasks = echo(calls: calls, batch: 1) {
            $0.rateLimit = RateLimit(requestsPerSecond: 1)
            $0.cache.clock = clock
        }
        async let first = tasks.fetch(key: "a")
        #expect(try await first == "value of a")
        async let second = tasks.fetch(key: "b")
        #expect(await eventually { tasks.statistics.rateWaits == 1 })
        #expect(calls.current.count == 1)
        clock.advance(by: .seconds(1))
        #expect(try await second == "value of b")
    }

    @Test func r09_aSlowRequestIsRepeatedAndTheFirstAnswerCounts() async throws {
        let clock = ManualClock()
        let open = Locked<[KVLightRequest<String, String>]>([])
        var config = KVLightTasks<String, String>.Config(provider: .requests { request in open.update { $0.append(request) } })
        config.cache.clock = clock
        config.hedging = Hedging(.after(.milliseconds(20)), maximumRatio: 1)
        let tasks = KVLightTasks(config: config)
        async let fetched = tasks.fetch(key: "a")
        #expect(await eventually { open.current.count == 1 })
        clock.advance(by: .milliseconds(20))
        #expect(await eventually { open.current.count == 2 })
        let (slow, fast) = (open.current[0], open.current[1])
        #expect(fast.keys == ["a"] && fast.resolve(at: 0, with: "fast") == .accepted)
        #expect(try await fetched == "fast")
        #expect(await eventually { slow.cancellation != nil })
        [slow, fast].forEach { $0.finish() }
        // The engine holds its provider, and a request its engine: without this they would form a cycle.
        open.update { $0.removeAll() }
        #expect(await eventually { tasks.statistics.hedgesWon == 1 })
        let other = echo { $0.hedging = Hedging(.percentile(0.95)) }
        #expect(try await other.fetch(key: "b") == "value of b")
    }

    @Test func f12_anAdaptiveLimitStartsWithItsMinimum() async throws {
        let gate = Gate()
        let calls = Locked<[[String]]>([])
        let tasks = gated(gate, calls: calls, batch: 1) {
            $0.maximumRunningRequests = 8
            $0.minimumRunningRequests = 2
        }
        async let fetched = tasks.values(for: (0..<6).map { "\($0)" })
        #expect(await eventually { calls.current.count == 2 })
        #expect(tasks.statistics.running == 2)
        await gate.open()
        #expect(try await fetched.count == 6)
    }

    @Test func f10b_aTimeoutHasTheErrorOfTheLastAttempt() async throws {
        let clock = ManualClock()
        let fault = Fault()
        let calls = Locked(0)
        var config = KVLightTasks<String, String>.Config(
            provider: .single { (_: String) throws -> String? in
                calls.add()
                throw fault
            })
        config.cache.clock = clock
        config.retry = RetryPolicy(limit: .forever, pauses: .fixed(.seconds(10)))
        config.timeout = .seconds(5)
        let tasks = KVLightTasks(config: config)
        async let failed = tasks.results(for: ["a"])
        #expect(await eventually { calls.current == 1 && tasks.statistics.running == 0 })
        clock.advance(by: .seconds(6))
        guard case .failure(let error) = await failed[0].1 else {
            Issue.record("the fetch succeeded")
            return
        }
        let ended = try #require(error as? EndedError)
        #expect(ended.error == .timeout && ended.cause as? Fault === fault)
        #expect(ended.localizedDescription.contains("time") && KVLightError.timeout ~= error)
    }

    @Test func f10b_aTimeoutAfterAttemptsThatTimedOutIsAPlainTimeout() async throws {
        let clock = ManualClock()
        var config = KVLightTasks<String, String>.Config(
            provider: .single { (_: String) async throws -> String? in
                try await clock.sleep(for: .seconds(3600))
                return nil
            })
        config.cache.clock = clock
        config.attemptTimeout = .seconds(1)
        config.retry = RetryPolicy(limit: .forever, pauses: .fixed(.seconds(10)))
        config.timeout = .seconds(5)
        let tasks = KVLightTasks(config: config)
        async let failed = tasks.results(for: ["a"])
        #expect(await eventually { clock.sleeping == 1 })
        clock.advance(by: .seconds(1))
        #expect(await eventually { tasks.statistics.running == 0 })
        clock.advance(by: .seconds(5))
        let result = await failed[0].1
        #expect(throws: KVLightError.timeout) { try result.get() }
    }

    @Test func f11a_aProviderSetsThePauseBeforeARetry() async throws {
        let clock = ManualClock()
        let calls = Locked(0)
        var config = KVLightTasks<String, String>.Config(
            provider: .single { (key: String) throws -> String? in
                calls.add()
                if calls.current == 1 { throw RetryLater(Broken(), after: .seconds(5)) }
                return key
            })
        config.cache.clock = clock
        config.retry = .fixed(1, pause: .milliseconds(10))
        let tasks = KVLightTasks(config: config)
        async let fetched = tasks.fetch(key: "a")
        #expect(await eventually { calls.current == 1 && tasks.statistics.running == 0 })
        clock.advance(by: .milliseconds(4_999))
        #expect(calls.current == 1)
        clock.advance(by: .milliseconds(1))
        #expect(try await fetched == "a")
        #expect(calls.current == 2)
    }
}
