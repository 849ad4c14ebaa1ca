// Fetches of many keys.

import Foundation
import KVLight
import Testing

@Suite struct FetchManyTests {
    /// The keys "bad" and "worse" fail, and "no" is absent.
    private let partlyFailing = KVLightTasks<String, Int>(
        provider: .results { keys in
            Dictionary(
                uniqueKeysWithValues: keys.map { key in
                    switch key {
                    case "bad", "worse": (key, .failure(Broken(reason: key)))
                    case "no": (key, .success(nil))
                    default: (key, .success(key.count))
                    }
                })
        })

    @Test func aDictionaryHasAnEntryForAnAbsence() async throws {
        let map = try await partlyFailing.fetch(keys: ["a", "no", "a"]) as [String: Int?]
        #expect(map.count == 2)
        #expect(map["a"] == .some(.some(1)) && map["no"] == .some(.none) && map["other"] == nil)
    }

    @Test func pairsKeepTheOrderAndTheDuplicates() async throws {
        let list = try await partlyFailing.fetch(keys: ["bb", "a", "bb", "no"]) as [(String, Int?)]
        #expect(list.map(\.0) == ["bb", "a", "bb", "no"] && list.map(\.1) == [2, 1, 2, nil])
    }

    @Test func f05_aBatchWithoutKeysIsAnswered() async throws {
        #expect(try await (partlyFailing.fetch(keys: []) as [String: Int?]).isEmpty)
        #expect(try await (partlyFailing.fetch(keys: []) as [(String, Int?)]).isEmpty)
        #expect(await partlyFailing.results(for: []).isEmpty)
        for try await _ in partlyFailing.stream(keys: []) { Issue.record("a result of no key") }
    }

    @Test func f17_theFirstErrorIsThrown() async {
        await #expect(throws: Broken(reason: "bad")) { try await partlyFailing.fetch(keys: ["a", "bad", "no"]) as [String: Int?] }
        await #expect(throws: Broken.self) {
            try await partlyFailing.fetch(keys: ["a", "bad", "worse"], options: FetchOptions(batchMode: .partial)) as [(String, Int?)]
        }
    }

    @Test func f17_allOrNothingDoesNotWaitForTheOthers() async {
        let gate = Gate()
        let tasks = KVLightTasks<String, Int>(
            provider: .single { (key: String) async throws -> Int? in
                if key == "bad" { throw Broken() }
                await gate.wait()
                return 1
            })
        await #expect(throws: Broken.self) { try await tasks.fetch(keys: ["slow", "bad"]) as [String: Int?] }
        await gate.open()
    }

    @Test func f17_allOrNothingCancelsTheOpenPositionsOnly() async throws {
        let gate = Gate()
        let tasks = KVLightTasks<String, Int>(
            provider: .single { (key: String) async throws -> Int? in
                if key == "bad" { throw Broken() }
                await gate.wait()
                return 1
            })
        tasks.cache.set(element: 5, for: "resident")
        let outcome = try await tasks.outcomes(
            for: ["resident", "slow", "bad"], options: FetchOptions(batchMode: .allOrNothing))
        #expect((try? outcome.positions[0].result.get()) == 5)
        #expect(throws: CancellationError.self) { try outcome.positions[1].result.get() }
        #expect(throws: Broken.self) { try outcome.positions[2].result.get() }
        #expect(outcome.endedEarly is Broken)
        await gate.open()
    }

    @Test func f17_partialDeliversTheOtherKeys() async {
        let results = await partlyFailing.results(for: ["a", "bad", "no", "a"])
        #expect(results.map(\.0) == ["a", "bad", "no", "a"])
        #expect((try? results[3].1.get()) == 1)
        #expect(throws: Broken(reason: "bad")) { try results[1].1.get() }
    }

    @Test func f18_anOutcomeCountsAndListsErrors() async throws {
        partlyFailing.cache.set(element: 9, for: "resident")
        let outcome = try await partlyFailing.outcomes(for: ["a", "a", "bad", "worse", "bad", "no", "resident"])
        #expect(outcome.counts.elements == 3 && outcome.counts.nulls == 1 && outcome.counts.failures == 3)
        #expect(outcome.counts.fromStore == 1)
        #expect(outcome.errors.count == 2)
        #expect(outcome.errors.first as? Broken == Broken(reason: "bad"))
        #expect(outcome.endedEarly == nil)
    }

    @Test func f22_anOutcomeHasItsSource() async throws {
        partlyFailing.cache.set(element: 9, for: "resident", expiredIn: .seconds(1000))
        let outcome = try await partlyFailing.outcomes(for: ["resident", "fresh"])
        let (resident, fresh) = (outcome.positions[0], outcome.positions[1])
        #expect(resident.source == .store && fresh.source == .provider)
        #expect(resident.attempts == 0 && fresh.attempts == 1)
        #expect(resident.timeLeft.map { $0 > .seconds(900) } == true && fresh.timeLeft == nil)
    }

    @Test func f10_aTimeoutEndsTheBatchAndDeliversTheRest() async {
        let clock = ManualClock()
        let gate = Gate()
        var config = KVLightTasks<String, Int>.Config(
            provider: .single { (key: String) async throws -> Int? in
                if key == "slow" { await gate.wait() }
                return key.count
            })
        config.cache.clock = clock
        let tasks = KVLightTasks(config: config)
        async let results = tasks.results(for: ["quick", "slow"], timeout: .seconds(5))
        #expect(await eventually { tasks.statistics.loadsSucceeded == 1 })
        clock.advance(by: .seconds(6))
        let ended = await results
        #expect((try? ended[0].1.get()) == 5)
        #expect(throws: KVLightError.timeout) { try ended[1].1.get() }
        await gate.open()
    }

    @Test func f10_aTimeoutOfTheBatchIsThrown() async {
        let gate = Gate()
        let posts = gated(gate)
        await #expect(throws: KVLightError.timeout) {
            try await posts.fetch(keys: ["slow"], timeout: .milliseconds(10)) as [String: String?]
        }
        await gate.open()
    }

    @Test func f03_progressNeverDecreasesAndEndsWithTheTotal() async {
        let gate = Gate()
        let tasks = KVLightTasks(
            config: .init(
                provider: .single { (key: String) async throws -> Int? in
                    if key == "slow" { await gate.wait() }
                    return key.count
                }))
        let seen = Locked<[FetchProgress]>([])
        let options = FetchOptions(progress: .init(every: 10) { state in seen.update { $0.append(state) } })
        async let results = tasks.results(for: (0..<200).map { "\($0)" } + ["slow"], options: options)
        // Progress reports may be combined, so the test waits for one before it lets the fetch end.
        #expect(await eventually { !seen.current.isEmpty })
        await gate.open()
        #expect(await results.count == 201)
        let states = seen.current
        #expect(states.last?.done == 201 && states.last?.total == 201)
        #expect(zip(states, states.dropFirst()).allSatisfy { $0.done <= $1.done })
        #expect(states.count > 1)
    }

    @Test func f14_aRequestHasAtMostTheConfiguredKeys() async throws {
        let calls = Locked<[[String]]>([])
        _ = try await echo(calls: calls, batch: 8).fetch(keys: (0..<100).map { "\($0)" }) as [String: String?]
        #expect(calls.current.allSatisfy { $0.count <= 8 })
        #expect(calls.current.flatMap { $0 }.sorted() == (0..<100).map { "\($0)" }.sorted())
    }

    @Test func f13_aFullQueueFailsKeys() async throws {
        let gate = Gate()
        let posts = gated(gate, batch: 1) {
            $0.maximumRunningRequests = 1
            $0.maximumQueuedKeys = 2
            $0.queueOrder = .fifo
            $0.keysWaitWithTheirFetch = false
        }
        async let results = posts.results(for: (0..<6).map { "\($0)" })
        #expect(await eventually { posts.statistics.queued == 2 })
        await gate.open()
        let failures = await results.filter { (try? $0.1.get()) == nil }
        #expect(failures.count == 3)
        #expect(throws: KVLightError.queueFull) { try failures[0].1.get() }
    }

    @Test func f13_aHugeFetchIsAnsweredWithTheDefaults() async throws {
        let map = try await echo().fetch(keys: (0..<5000).map { "\($0)" }) as [String: String?]
        #expect(map.count == 5000)
    }

    @Test func f12_noMoreRequestsRunThanConfigured() async throws {
        let (now, most) = (Locked(0), Locked(0))
        let tasks = KVLightTasks<Int, Int>(
            config: .init(
                provider: .batch(maximumBatchCount: 5) { (keys: [Int]) async throws -> [Int: Int?] in
                    let running = now.update { $0 += 1; return $0 }
                    most.update { $0 = max($0, running) }
                    await Task.yield()
                    now.add(-1)
                    return Dictionary(uniqueKeysWithValues: keys.map { ($0, $0) })
                },
                maximumRunningRequests: 2))
        _ = try await tasks.fetch(keys: Array(0..<500)) as [Int: Int?]
        #expect(most.current <= 2 && most.current > 0)
    }

    @Test func f16_anOmittedKeyIsUnanswered() async {
        let tasks = KVLightTasks<String, Int>(provider: .batch { _ in [:] })
        await #expect(throws: KVLightError.unanswered) { try await tasks.fetch(key: "k") }
        #expect(tasks.cache.isEmpty, "an omitted key is remembered as absent")
    }

    @Test func f16_anOmittedKeyIsAbsentIfSoConfigured() async throws {
        var config = KVLightTasks<String, Int>.Config(provider: .batch { _ in [:] })
        config.omittedKeysAreNull = true
        let tasks = KVLightTasks(config: config)
        #expect(try await tasks.fetch(key: "k") == nil)
        #expect(tasks.cache.getElement(for: "k") == .hitNullElement)
    }
}
