// Cancellation before, during and after a fetch, and of many fetches at once.

import Foundation
import KVLight
import Testing

@Suite struct CancellationTests {
    @Test func f09_aTaskThatIsCancelledBeforeItsFetchLoadsNothing() async {
        let calls = Locked<[[String]]>([])
        let posts = echo(calls: calls)
        posts.cache.set(element: "resident", for: "resident")
        let task = Task {
            while !Task.isCancelled { await Task.yield() }
            await #expect(throws: CancellationError.self) { try await posts.fetch(key: "k") }
            await #expect(throws: CancellationError.self) { try await posts.fetch(key: "resident") }
            await #expect(throws: CancellationError.self) { try await posts.fetch(keys: ["k"]) as [String: String?] }
            let results = await posts.results(for: ["k", "l"])
            #expect(results.map(\.0) == ["k", "l"])
            for (_, result) in results { #expect(throws: CancellationError.self) { try result.get() } }
            await #expect(throws: CancellationError.self) { for try await _ in posts.stream(keys: ["k"]) {} }
        }
        task.cancel()
        await task.value
        #expect(calls.current.isEmpty, "a cancelled fetch called the provider")
    }

    @Test func f09_aCancelDuringALoadAffectsNoOtherFetch() async throws {
        let gate = Gate()
        let posts = gated(gate)
        let leaving = Task { try await posts.fetch(key: "k") }
        let staying = Task { try await posts.fetch(key: "k") }
        #expect(await eventually { posts.statistics.misses == 2 })
        leaving.cancel()
        await #expect(throws: CancellationError.self) { try await leaving.value }
        await gate.open()
        #expect(try await staying.value == "value of k")
    }

    @Test func f09_aCancelAfterTheFetchChangesNothing() async throws {
        let posts = echo()
        let task = Task { try await posts.fetch(key: "k") }
        #expect(try await task.value == "value of k")
        task.cancel()
        #expect(try await task.value == "value of k")
    }

    @Test func f09_cancellingABatchSettlesItsOpenKeys() async {
        let gate = Gate()
        let posts = gated(gate)
        posts.cache.set(element: "there", for: "resident")
        let task = Task { await posts.results(for: ["resident", "open"]) }
        #expect(await eventually { posts.statistics.misses == 1 })
        task.cancel()
        let results = await task.value
        #expect((try? results[0].1.get()) == "there")
        #expect(throws: CancellationError.self) { try results[1].1.get() }
        await gate.open()
    }

    @Test func f09_cancellingATaskGroupEndsItsFetches() async {
        let gate = Gate()
        let posts = gated(gate)
        let ended = await withTaskGroup(of: Bool.self) { group in
            for i in 0..<20 {
                group.addTask {
                    do { _ = try await posts.fetch(key: "\(i)") } catch is CancellationError { return true } catch {}
                    return false
                }
            }
            _ = await eventually { posts.statistics.misses == 20 }
            group.cancelAll()
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(ended == 20)
        await gate.open()
    }

    @Test func f09_leavingTheScopeOfAsyncLetEndsItsFetches() async throws {
        let gate = Gate()
        let posts = gated(gate)
        func leaveEarly() async throws {
            async let first = posts.fetch(key: "a")
            async let second = posts.fetch(key: "b")
            if posts.cache.isEmpty { throw Broken() }
            _ = try await (first, second)
        }
        await #expect(throws: Broken.self) { try await leaveEarly() }
        await gate.open()
    }

    @Test func f09_aLaterFetchStartsANewLoad() async throws {
        let calls = Locked(0)
        let tasks = KVLightTasks<String, Int>(
            provider: .single { (_: String) async throws -> Int? in
                let call = calls.update { $0 += 1; return $0 }
                if call == 1 { try await Task.sleep(for: .seconds(3600)) }
                return call
            })
        let first = Task { try await tasks.fetch(key: "k") }
        #expect(await eventually { calls.current == 1 })
        first.cancel()
        _ = await first.result
        #expect(try await tasks.fetch(key: "k") == 2)
    }

    /// A continuation that is resumed twice traps, and one that is never resumed hangs the test.
    @Test func f01_tenThousandTasksEndOnceThoughSomeAreCancelled() async {
        let live = Locked(0)
        let (elements, cancelled, others) = (Locked(0), Locked(0), Locked(0))
        do {
            let tasks = KVLightTasks<Int, Tracked>(
                config: .init(
                    provider: .batch(maximumBatchCount: 16) { (keys: [Int]) async throws -> [Int: Tracked?] in
                        for _ in 0..<Int.random(in: 0..<20) { await Task.yield() }
                        return Dictionary(uniqueKeysWithValues: keys.map { ($0, Tracked("\($0)", live)) })
                    },
                    cache: .init(capacity: 500), maximumQueuedKeys: 100_000))
            let waiters = (0..<10_000).map { i in
                Task {
                    do {
                        let element = try await tasks.fetch(key: i % 3000)
                        #expect(element?.name == "\(i % 3000)")
                        elements.add()
                    } catch is CancellationError { cancelled.add() } catch { others.add() }
                }
            }
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        for _ in 0..<2000 {
                            waiters[Int.random(in: 0..<10_000)].cancel()
                            if Int.random(in: 0..<8) == 0 { await Task.yield() }
                        }
                    }
                }
            }
            for waiter in waiters { await waiter.value }
            #expect(elements.current + cancelled.current == 10_000, "\(others.current) fetches ended with another error")
            #expect(tasks.statistics.queued == 0)
            await tasks.close()
        }
        #expect(await eventually { live.current == 0 }, "\(live.current) elements leaked")
    }

    @Test func f01_timeoutCancelAndAnswerCompeteForOneWaiter() async {
        let ended = Locked(0)
        let tasks = KVLightTasks<Int, Int>(
            provider: .single { (key: Int) async throws -> Int? in
                if key % 2 == 0 { try? await Task.sleep(for: .milliseconds(1)) }
                return key
            })
        await withTaskGroup(of: Void.self) { group in
            for i in 0..<1000 {
                group.addTask {
                    let waiter = Task { try await tasks.fetch(key: i, timeout: .milliseconds(1)) }
                    if i % 3 == 0 { waiter.cancel() }
                    _ = await waiter.result
                    ended.add()
                }
            }
        }
        #expect(ended.current == 1000)
    }

    @Test func f09_onlyACancelledCallerReceivesACancellationError() async throws {
        for wrap in [{ $0 }, { PermanentFailure($0) }, { RetryLater($0, after: .zero) }] as [@Sendable (any Error) -> any Error] {
            let tasks = KVLightTasks<String, Int> { (_: String) async throws -> Int? in
                let part = Task { try await Task.sleep(for: .seconds(3600)) }
                part.cancel()
                do { try await part.value } catch { throw wrap(error) }
                return 1
            }
            await #expect(throws: KVLightError.provider(code: 0, message: "The provider was cancelled.")) { try await tasks.fetch(key: "k") }
        }
        let failing = KVLightTasks<String, Int>(
            provider: .requests { request in
                request.fail(at: 0, with: CancellationError())
                request.finish()
            })
        await #expect(throws: KVLightError.self) { try await failing.fetch(key: "k") }
    }
}
