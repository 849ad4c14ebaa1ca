// The forms of a provider.

import Foundation
import KVLight
import Testing

@Suite struct ProviderTests {
    private func check(_ provider: KVLightTasks<String, Int>.Provider, _ comment: Comment) async throws {
        let tasks = KVLightTasks<String, Int>(provider: provider)
        #expect(try await tasks.fetch(key: "abc") == 3, comment)
        #expect(try await tasks.fetch(key: "none") == nil, comment)
        await #expect(throws: Broken.self, comment) { try await tasks.fetch(key: "bad") }
        let list = try await tasks.fetch(keys: ["a", "none", "bb"]) as [(String, Int?)]
        #expect(list.map(\.1) == [1, nil, 2], comment)
    }

    @Sendable private static func load(_ key: String) throws -> Int? {
        if key == "bad" { throw Broken() }
        return key == "none" ? nil : key.count
    }

    @Sendable private static func loadAll(_ keys: [String]) throws -> [String: Int?] {
        try Dictionary(uniqueKeysWithValues: keys.map { ($0, try load($0)) })
    }

    @Test func oneKeyIsReturned() async throws {
        try await check(.single { key in try Self.load(key) }, "single, synchronous")
    }

    @Test func oneKeyIsAnsweredInATask() async throws {
        try await check(.single { key in
            await Task.yield()
            return try Self.load(key)
        }, "single, async")
    }

    @Test func oneKeyIsAnsweredByACallback() async throws {
        try await check(.single { key, done in
            DispatchQueue.global().async { done(Result { try Self.load(key) }) }
        }, "single, callback")
    }

    @Test func manyKeysAreReturned() async throws {
        try await check(.batch { keys in try Self.loadAll(keys) }, "batch, synchronous")
    }

    @Test func manyKeysAreAnsweredInATask() async throws {
        try await check(.batch(maximumBatchCount: 64) { keys in
            await Task.yield()
            return try Self.loadAll(keys)
        }, "batch, async")
    }

    @Test func manyKeysAreAnsweredByACallback() async throws {
        try await check(.batch { keys, done in
            DispatchQueue.global().async { done(Result { try Self.loadAll(keys) }) }
        }, "batch, callback")
    }

    @Test func manyKeysAreAnsweredThroughTheRequest() async throws {
        try await check(.requests { request in
            DispatchQueue.global().async {
                for i in request.keys.indices.reversed() {
                    do { request.resolve(at: i, with: try Self.load(request.keys[i])) } catch { request.fail(at: i, with: error) }
                }
                request.finish()
            }
        }, "request")
    }

    @Test func f15_answersAreDeliveredBeforeTheFinish() async throws {
        let held = Locked<KVLightRequest<String, Int>?>(nil)
        let tasks = KVLightTasks<String, Int>(provider: .requests { request in held.update { $0 = request } })
        async let first = tasks.fetch(key: "a")
        #expect(await eventually { held.current != nil })
        held.current?.resolve(at: 0, with: 1)
        #expect(try await first == 1)
        held.update { $0 = nil }
    }

    @Test func f15_aSecondAnswerChangesNothing() async throws {
        let acceptances = Locked<[KVLightRequest<String, Int>.Acceptance]>([])
        let tasks = KVLightTasks<String, Int>(
            provider: .requests { request in
                for i in 1...2 { acceptances.update { $0.append(request.resolve(at: 0, with: i)) } }
                acceptances.update { $0.append(request.resolve(at: 5, with: 5)) }
                acceptances.update { $0.append(request.fail(at: -1, with: Broken())) }
                request.finish()
                request.finish(throwing: Broken())
            })
        #expect(try await tasks.fetch(key: "k") == 1)
        #expect(await eventually { acceptances.current.count == 4 })
        #expect(acceptances.current == [.accepted, .refused, .refused, .refused])
    }

    @Test func f15_aReleasedRequestIsUnanswered() async {
        let tasks = KVLightTasks<String, Int>(provider: .single { _, _ in })
        await #expect(throws: KVLightError.unanswered) { try await tasks.fetch(key: "k") }
    }

    @Test func f15_extraElementsAreStored() async throws {
        let tasks = KVLightTasks<String, Int>(
            provider: .requests { request in
                request.supply(2, for: "extra")
                request.supply(1, for: request.keys[0])
                request.finish()
            })
        #expect(try await tasks.fetch(key: "k") == 1)
        #expect(tasks.cache.getElement(for: "extra").element == 2)
    }

    @Test func f16_theOpenKeysCanBeFinishedAsNull() async throws {
        let tasks = KVLightTasks<String, Int>(
            provider: .requests { request in
                request.supply(1, for: "a")
                request.finishWithNulls()
            })
        let map = try await tasks.fetch(keys: ["a", "b"]) as [String: Int?]
        #expect(map["a"] == .some(.some(1)) && map["b"] == .some(.none))
    }

    @Test func anAsyncProviderRunsAtTheRequestersPriority() async throws {
        let seen = Locked<[TaskPriority]>([])
        let tasks = KVLightTasks<String, Int>(
            provider: .single { (_: String) async throws -> Int? in
                seen.update { $0.append(Task.currentPriority) }
                return 1
            })
        for priority in [TaskPriority.high, .background] {
            _ = try await Task.detached(priority: priority) { try await tasks.fetch(key: "\(priority.rawValue)") }.value
        }
        // A waiting task may raise another's priority, but never lower it.
        #expect(seen.current.first == .high)
        #expect(seen.current.last.map { $0 < .high } == true)
    }

    @Test func f09_anAsyncProviderIsCancelledWithItsLastWaiter() async {
        let (started, cancelled) = (Locked(0), Locked(0))
        let tasks = KVLightTasks<String, Int>(
            provider: .single { (_: String) async throws -> Int? in
                started.add()
                do { try await Task.sleep(for: .seconds(3600)) } catch {
                    cancelled.add()
                    throw error
                }
                return 1
            })
        let waiters = (0..<3).map { _ in Task { try await tasks.fetch(key: "k") } }
        #expect(await eventually { started.current == 1 && tasks.statistics.misses == 3 })
        waiters[0].cancel()
        waiters[1].cancel()
        for waiter in waiters.prefix(2) { await #expect(throws: CancellationError.self) { try await waiter.value } }
        #expect(cancelled.current == 0, "the provider was cancelled though a caller waits")
        waiters[2].cancel()
        await #expect(throws: CancellationError.self) { try await waiters[2].value }
        #expect(await eventually { cancelled.current == 1 })
    }

    @Test func f09_aRequestHasTheReasonWhyItIsNotWanted() async {
        let held = Locked<KVLightRequest<String, Int>?>(nil)
        let cancels = Locked(0)
        let tasks = KVLightTasks<String, Int>(
            provider: .requests { request in
                request.onCancel { cancels.add() }
                held.update { $0 = request }
            })
        let waiter = Task { try await tasks.fetch(key: "k") }
        #expect(await eventually { held.current != nil })
        #expect(held.current?.isWanted(at: 0) == true && held.current?.cancellation == nil)
        #expect(held.current?.attempt(at: 0) == 1 && held.current?.timeLeft == nil)
        waiter.cancel()
        _ = await waiter.result
        #expect(await eventually { cancels.current == 1 })
        #expect(held.current?.cancellation == .unwanted && held.current?.isWanted(at: 0) == false)
        held.update { $0 = nil }
    }

    @Test func f21_aProviderMayFetchAnotherKey() async throws {
        let box = Locked<KVLightTasks<Int, Int>?>(nil)
        let tasks = KVLightTasks<Int, Int>(
            provider: .single { (n: Int) async throws -> Int? in
                guard n > 0, let tasks = box.current else { return 0 }
                return try await tasks.fetch(key: n - 1).map { $0 + n }
            })
        box.update { $0 = tasks }
        #expect(try await tasks.fetch(key: 3) == 6)
        box.update { $0 = nil }
    }
}
