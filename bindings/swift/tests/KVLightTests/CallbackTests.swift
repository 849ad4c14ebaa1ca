// Fetches that call back.

import Foundation
import KVLight
import Testing

@Suite struct CallbackTests {
    @Test func f01_oneKeyCallsBackOnce() async {
        let posts = echo()
        let calls = Locked(0)
        let (key, result) = await withCheckedContinuation { done in
            posts.fetch(key: "k") { key, result in
                calls.add()
                done.resume(returning: (key, result))
            }
        }
        #expect(key == "k" && (try? result.get()) == "value of k")
        await posts.close()
        #expect(calls.current == 1)
    }

    /// Records whether the callback runs inside the call: on the calling thread, before the call has returned.
    private func fetchRecordingItsThread(_ posts: KVLightTasks<String, String>, _ isOnCallingThread: Locked<Bool?>) {
        // Kept, so that no other thread's object can have its address once this thread has ended.
        nonisolated(unsafe) let caller = Thread.current
        let isCalling = Locked(true)
        posts.fetch(key: "k") { _, _ in
            isOnCallingThread.update { $0 = isCalling.current && Thread.current === caller }
        }
        isCalling.update { $0 = false }
    }

    @Test func f02_aResidentKeyIsNotDeliveredInsideTheCall() async {
        let posts = echo()
        posts.cache.set(element: "there", for: "k")
        let isOnCallingThread = Locked<Bool?>(nil)
        fetchRecordingItsThread(posts, isOnCallingThread)
        #expect(await eventually { isOnCallingThread.current == false })
        await posts.close()
    }

    @Test func f04_eachPositionIsDeliveredDuplicatesIncluded() async {
        let posts = echo()
        let delivered = Locked<[String]>([])
        posts.fetch(keys: ["a", "b", "a", "no c"]) { key, result in
            delivered.update { $0.append("\(key)=\((try? result.get()) ?? "-")") }
        }
        #expect(await eventually { delivered.current.count == 4 })
        await posts.close()
        #expect(delivered.current.sorted() == ["a=value of a", "a=value of a", "b=value of b", "no c=-"])
    }

    @Test func f05_aBatchCallbackIsCalledOnceForAllKeys() async {
        let posts = echo()
        let results: [(String, Result<String?, any Error>)] = await withCheckedContinuation { done in
            posts.fetch(keys: ["b", "a", "b"]) { (all: [(String, Result<String?, any Error>)]) in done.resume(returning: all) }
        }
        #expect(results.map(\.0) == ["b", "a", "b"])
        #expect(results.map { try? $0.1.get() } == ["value of b", "value of a", "value of b"])
    }

    @Test func f05_aBatchWithoutKeysIsDeliveredOnce() async {
        let posts = echo()
        let count: Int = await withCheckedContinuation { done in
            posts.fetch(keys: []) { (all: [(String, Result<String?, any Error>)]) in done.resume(returning: all.count) }
        }
        #expect(count == 0)
    }

    @Test func f09_aFetchIsCancelledByItsHandle() async {
        let gate = Gate()
        let posts = gated(gate)
        let delivered = Locked<[any Error]>([])
        let fetch = posts.fetch(keys: ["a", "b"]) { _, result in
            if case .failure(let error) = result { delivered.update { $0.append(error) } }
        }
        #expect(fetch.progress.total == 2)
        fetch.cancel()
        fetch.cancel()
        #expect(await eventually { delivered.current.count == 2 })
        #expect(delivered.current.allSatisfy { $0 is CancellationError })
        #expect(fetch.progress.done == 2 && fetch.progress.failed == 2)
        await gate.open()
    }

    @Test func l05_afterACloseEveryFormDeliversClosedOnce() async {
        let posts = echo()
        await posts.close()
        let delivered = Locked<[String]>([])
        posts.fetch(key: "a") { key, result in delivered.update { $0.append("\(key) \(Self.name(result))") } }
        posts.fetch(keys: ["b", "c"]) { key, result in delivered.update { $0.append("\(key) \(Self.name(result))") } }
        posts.fetch(keys: ["d"]) { (all: [(String, Result<String?, any Error>)]) in
            delivered.update { $0 += all.map { "\($0.0) \(Self.name($0.1))" } }
        }
        #expect(await eventually { delivered.current.count == 4 })
        #expect(delivered.current.sorted() == ["a closed", "b closed", "c closed", "d closed"])
    }

    private static func name(_ result: Result<String?, any Error>) -> String {
        if case .failure(let error) = result, error as? KVLightError == .closed { "closed" } else { "other" }
    }

    @Test func callbacksRunOnTheConfiguredQueue() async {
        nonisolated(unsafe) let key = DispatchSpecificKey<String>()
        let queue = DispatchQueue(label: "callbacks")
        queue.setSpecific(key: key, value: "here")
        let posts = echo { $0.callbackQueue = queue }
        let name: String? = await withCheckedContinuation { done in
            posts.fetch(key: "k") { _, _ in done.resume(returning: DispatchQueue.getSpecific(key: key)) }
        }
        #expect(name == "here")
    }

    @Test func aFetchKeepsItsEngineAliveUntilItIsSettled() async {
        let gate = Gate()
        let delivered = Locked<String?>(nil)
        do {
            let posts = gated(gate)
            posts.fetch(key: "k") { _, result in delivered.update { $0 = try? result.get() } }
        }
        await gate.open()
        #expect(await eventually { delivered.current == "value of k" }, "the engine was released before its fetch was settled")
    }

    @Test func l04_theClosureIsReleasedAfterItsLastCall() async {
        let live = Locked(0)
        let posts = echo()
        do {
            let captured = Tracked("captured", live)
            posts.fetch(keys: ["a", "b"]) { _, _ in withExtendedLifetime(captured) {} }
            posts.fetch(keys: ["a", "b"]) { (_: [(String, Result<String?, any Error>)]) in withExtendedLifetime(captured) {} }
            posts.fetch(key: "a") { _, _ in withExtendedLifetime(captured) {} }
        }
        #expect(await eventually { live.current == 0 })
    }

    @Test func l03_aSlowClosureDelaysNoFetchThatAwaits() async throws {
        let gate = Gate()
        let tasks = KVLightTasks<String, String> { (key: String) async in
            if key == "open" { await gate.wait() }
            return "value of \(key)"
        }
        let started = Locked(0)
        let mayEnd = DispatchSemaphore(value: 0)
        tasks.fetch(key: "slow") { _, _ in
            started.add()
            mayEnd.wait()
        }
        #expect(await eventually { started.current == 1 })
        #expect(try await tasks.fetch(key: "a") == "value of a")
        #expect(try await tasks.values(for: ["b", "c"]).count == 2)
        for try await (_, result) in tasks.stream(keys: ["d"]) { #expect(try result.get() == "value of d") }
        await #expect(throws: KVLightError.timeout) { try await tasks.fetch(key: "open", timeout: .milliseconds(10)) }
        let before = tasks.statistics.misses
        let cancelled = Task { try await tasks.fetch(key: "open") }
        #expect(await eventually { tasks.statistics.misses > before })
        cancelled.cancel()
        await #expect(throws: CancellationError.self) { try await cancelled.value }
        await gate.open()
        mayEnd.signal()
    }

    @Test func l03_aClosureMayWaitForAFetchOfAnotherTask() async {
        let posts = echo()
        let result: String? = await withCheckedContinuation { done in
            posts.fetch(key: "a") { _, _ in
                let other = Locked<String?>(nil)
                let isDone = DispatchSemaphore(value: 0)
                Task {
                    let element = try? await posts.fetch(key: "b")
                    other.update { $0 = element }
                    isDone.signal()
                }
                isDone.wait()
                done.resume(returning: other.current)
            }
        }
        #expect(result == "value of b")
    }

    @Test func l05b_aCloseReturnsAfterTheClosuresThatRun() async {
        let posts = echo()
        let (started, ended) = (Locked(0), Locked(0))
        let mayEnd = DispatchSemaphore(value: 0)
        posts.fetch(key: "k") { _, _ in
            started.add()
            mayEnd.wait()
            ended.add()
        }
        #expect(await eventually { started.current == 1 })
        let closing = Task {
            await posts.close()
            return ended.current
        }
        while (try? await posts.fetch(key: "another")) != nil { await Task.yield() }
        mayEnd.signal()
        #expect(await closing.value == 1)
    }
}
