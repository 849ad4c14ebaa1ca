// Fetches of one key.

import Foundation
import KVLight
import Testing

@Suite struct FetchTests {
    @Test func f06_manyCallersShareOneLoad() async throws {
        let gate = Gate()
        let calls = Locked<[[String]]>([])
        let posts = gated(gate, calls: calls)
        let tasks = (0..<50).map { _ in Task { try await posts.fetch(key: "k") } }
        #expect(await eventually { posts.statistics.misses == 50 })
        await gate.open()
        for task in tasks { #expect(try await task.value == "value of k") }
        #expect(calls.current == [["k"]])
    }

    @Test func f07_anAnswerIsStoredBeforeItIsDelivered() async throws {
        let posts = echo()
        for i in 0..<200 {
            _ = try await posts.fetch(key: "\(i)")
            #expect(!posts.cache.getElement(for: "\(i)").isMiss)
        }
    }

    @Test func f10_theTimeoutOfTheConfigurationApplies() async {
        let gate = Gate()
        let posts = gated(gate) { $0.timeout = .milliseconds(20) }
        await #expect(throws: KVLightError.timeout) { try await posts.fetch(key: "k") }
        await gate.open()
    }

    @Test func f10_anAttemptThatTimesOutIsRetried() async throws {
        let clock = ManualClock()
        let calls = Locked(0)
        let gate = Gate()
        var config = KVLightTasks<String, Int>.Config(
            provider: .single { (_: String) async throws -> Int? in
                if calls.update({ $0 += 1; return $0 }) == 1 { await gate.wait() }
                return 7
            })
        config.cache.clock = clock
        config.attemptTimeout = .seconds(5)
        config.retry = .fixed(1)
        let tasks = KVLightTasks(config: config)
        async let element = tasks.fetch(key: "k")
        #expect(await eventually { calls.current == 1 })
        clock.advance(by: .seconds(6))
        #expect(try await element == 7)
        await gate.open()
    }

    @Test func f11_pausesAreAsLongAsConfigured() async throws {
        let clock = ManualClock()
        let calls = Locked(0)
        var config = KVLightTasks<String, Int>.Config(
            provider: .single { (_: String) throws -> Int? in
                if calls.update({ $0 += 1; return $0 }) < 4 { throw Broken() }
                return 7
            })
        config.cache.clock = clock
        config.retry = .exponential(3, first: .seconds(1))
        let tasks = KVLightTasks(config: config)
        async let element = tasks.fetch(key: "k")
        for (pause, attempt) in [(1, 1), (2, 2), (4, 3)] {
            #expect(await eventually { calls.current == attempt && tasks.statistics.running == 0 })
            clock.advance(by: .milliseconds(pause * 1000 - 500))
            #expect(calls.current == attempt, "attempt \(attempt + 1) came before its pause was over")
            clock.advance(by: .milliseconds(600))
        }
        #expect(try await element == 7)
        #expect(calls.current == 4)
    }

    @Test func f11_aPermanentFailureIsNotRetried() async {
        let calls = Locked(0)
        var config = KVLightTasks<String, Int>.Config(
            provider: .single { (_: String) throws -> Int? in
                calls.add()
                throw PermanentFailure(Broken(reason: "for good"))
            })
        config.retry = RetryPolicy(limit: .forever)
        await #expect(throws: Broken(reason: "for good")) { try await KVLightTasks(config: config).fetch(key: "k") }
        #expect(calls.current == 1)
    }

    @Test func f11_aFetchCanHaveARetryPolicyOfItsOwn() async {
        let calls = Locked(0)
        let tasks = KVLightTasks<String, Int>(
            provider: .single { (_: String) throws -> Int? in
                calls.add()
                throw Broken()
            })
        await #expect(throws: Broken.self) { try await tasks.fetch(key: "k", options: FetchOptions(retry: .fixed(4))) }
        #expect(calls.current == 5)
    }

    @Test func f19_refreshReloadsWhileOthersReadTheCurrentElement() async throws {
        let version = Locked(0)
        let gate = Gate()
        let tasks = KVLightTasks<String, Int>(
            provider: .single { (_: String) async throws -> Int? in
                let now = version.update { $0 += 1; return $0 }
                if now == 2 { await gate.wait() }
                return now
            })
        #expect(try await tasks.fetch(key: "k") == 1)
        async let refreshed = tasks.fetch(key: "k", options: FetchOptions(read: .refresh))
        #expect(await eventually { version.current == 2 })
        #expect(try await tasks.fetch(key: "k") == 1, "the old element was not served meanwhile")
        await gate.open()
        #expect(try await refreshed == 2)
        #expect(try await tasks.fetch(key: "k") == 2)
    }

    @Test func f19_refreshInTheBackgroundStoresTheAnswer() async throws {
        let version = Locked(0)
        let tasks = KVLightTasks<String, Int>(
            provider: .single { (_: String) throws -> Int? in version.update { $0 += 1; return $0 } })
        #expect(try await tasks.fetch(key: "k") == 1)
        try tasks.refresh(keys: ["k"])
        #expect(await eventually { tasks.cache.peekElement(for: "k").element == 2 })
    }

    @Test func f19_anEngineCanRefreshByDefault() async throws {
        let calls = Locked<[[String]]>([])
        let posts = echo(calls: calls) { $0.readMode = .refresh }
        _ = try await posts.fetch(key: "k")
        _ = try await posts.fetch(key: "k")
        _ = try await posts.fetch(key: "k", options: FetchOptions(read: .normal))
        #expect(calls.current.count == 2)
    }

    @Test func f19_noStoreDeliversAndDoesNotStore() async throws {
        let posts = echo()
        #expect(try await posts.fetch(key: "k", options: FetchOptions(read: .noStore)) == "value of k")
        #expect(posts.cache.isEmpty)
    }

    @Test func f19_theElementPriorityIsThatOfTheFetch() async throws {
        let posts = echo { $0.cache.capacity = 1 }
        _ = try await posts.fetch(key: "dear", options: FetchOptions(elementPriority: 5))
        _ = try await posts.fetch(key: "cheap")
        #expect(posts.cache.contains("dear") && !posts.cache.contains("cheap"))
    }

    @Test func f20_everyWaiterGetsTheSameError() async {
        let gate = Gate()
        let fault = Fault()
        let tasks = KVLightTasks<String, Int>(
            provider: .single { (_: String) async throws -> Int? in
                await gate.wait()
                throw fault
            })
        let waiters = (0..<20).map { _ in Task { try await tasks.fetch(key: "k") } }
        #expect(await eventually { tasks.statistics.misses == 20 })
        await gate.open()
        for waiter in waiters {
            let result = await waiter.result
            #expect(throws: Fault.self) { try result.get() }
            if case .failure(let error) = result { #expect((error as? Fault) === fault) }
        }
    }

    @Test func aResidentKeyIsAnsweredWithoutLeavingTheCallersActor() async throws {
        let posts = echo()
        _ = try await posts.fetch(key: "k")
        let homebody = Homebody(posts)
        let one = try await homebody.hopsOfOne("k")
        #expect(one == 0, "the actor was left and entered again \(one) times")
        let many = try await homebody.hopsOfMany(["k", "k"])
        #expect(many == 0, "the actor was left and entered again \(many) times")
        let hops = await homebody.hopsOfASleep()
        #expect(hops > 0, "the actor's hops are not counted")
    }

    @Test func anInvalidKeyIsNilWithoutACallOfTheProvider() async throws {
        let calls = Locked<[[String]]>([])
        let posts = echo(calls: calls) { $0.cache.keyValidator = { $0 != "bad" } }
        #expect(try await posts.fetch(key: "bad") == nil)
        #expect(calls.current.isEmpty && posts.cache.isEmpty)
        #expect(posts.statistics.invalidKeys == 1)
    }

    @Test func l09_aKeyThatIsTooLongFailsAlone() async throws {
        let posts = echo()
        let long = String(repeating: "x", count: 70_000)
        await #expect(throws: KVLightError.keyTooLong) { try await posts.fetch(key: long) }
        let results = await posts.results(for: ["a", long, "b"])
        #expect((try? results[0].1.get()) == "value of a" && (try? results[2].1.get()) == "value of b")
        #expect(throws: KVLightError.keyTooLong) { try results[1].1.get() }
    }

    @Test func s06_theProviderSetsTheTTLOfAnElement() async throws {
        let clock = ManualClock()
        let calls = Locked(0)
        var config = KVLightTasks<String, Int>.Config(
            provider: .requests { request in
                calls.add()
                request.resolve(at: 0, with: 1, expiredIn: .seconds(10))
                request.finish()
            })
        config.cache.clock = clock
        let tasks = KVLightTasks(config: config)
        _ = try await tasks.fetch(key: "k")
        clock.advance(by: .seconds(11))
        _ = try await tasks.fetch(key: "k")
        #expect(calls.current == 2)
    }

    @Test func f08_aWriteOvertakesTheRunningLoad() async throws {
        let gate = Gate()
        let calls = Locked<[[String]]>([])
        let posts = gated(gate, calls: calls)
        async let loaded = posts.fetch(key: "k")
        #expect(await eventually { !calls.current.isEmpty })
        posts.cache.set(element: "newer", for: "k")
        await gate.open()
        #expect(try await loaded == "value of k")
        #expect(try await posts.fetch(key: "k") == "newer")
    }
}

/// An actor that counts the jobs of its executor: when a call leaves the actor, its return is one more job.
actor Homebody {
    private final class Executor: SerialExecutor {
        let entries = Locked(0)
        private let queue = DispatchQueue(label: "homebody")

        func enqueue(_ job: consuming ExecutorJob) {
            entries.add()
            let job = UnownedJob(job)
            queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
        }
    }

    private let executor = Executor()
    private let posts: KVLightTasks<String, String>

    init(_ posts: KVLightTasks<String, String>) { self.posts = posts }

    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    func hopsOfOne(_ key: String) async throws -> Int {
        let before = executor.entries.current
        _ = try await posts.fetch(key: key)
        return executor.entries.current - before
    }

    func hopsOfASleep() async -> Int {
        let before = executor.entries.current
        try? await Task.sleep(for: .milliseconds(1))
        return executor.entries.current - before
    }

    func hopsOfMany(_ keys: [String]) async throws -> Int {
        let before = executor.entries.current
        _ = try await posts.fetch(keys: keys) as [(String, String?)]
        return executor.entries.current - before
    }
}
