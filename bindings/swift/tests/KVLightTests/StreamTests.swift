// Results as they arrive.

import Foundation
import KVLight
import Testing

@Suite struct StreamTests {
    @Test func everyPositionArrives() async throws {
        var seen: [String: Int] = [:]
        for try await (key, result) in echo(batch: 3).stream(keys: ["a", "b", "a", "c", "no d"]) {
            #expect(try result.get() == (key == "no d" ? nil : "value of \(key)"))
            seen[key, default: 0] += 1
        }
        #expect(seen == ["a": 2, "b": 1, "c": 1, "no d": 1])
    }

    @Test func readyResultsArriveBeforeOthers() async throws {
        let gate = Gate()
        let posts = gated(gate)
        posts.cache.set(element: "there", for: "ready")
        var iterator = posts.stream(keys: ["slow", "ready"]).makeAsyncIterator()
        #expect(try await iterator.next()?.0 == "ready")
        await gate.open()
        #expect(try await iterator.next()?.0 == "slow")
        #expect(try await iterator.next() == nil)
    }

    @Test func aFailureDoesNotEndTheStream() async throws {
        let tasks = KVLightTasks<String, Int>(
            provider: .single { (key: String) throws -> Int? in
                if key == "bad" { throw Broken() }
                return key.count
            })
        var (good, bad) = (0, 0)
        for try await (_, result) in tasks.stream(keys: ["a", "bad", "c"]) {
            switch result {
            case .success: good += 1
            case .failure: bad += 1
            }
        }
        #expect(good == 2 && bad == 1)
    }

    @Test func leavingTheLoopCancelsTheRest() async throws {
        let cancelled = Locked(0)
        let tasks = KVLightTasks<String, Int>(
            provider: .single { (key: String) async throws -> Int? in
                if key == "slow" {
                    do { try await Task.sleep(for: .seconds(3600)) } catch {
                        cancelled.add()
                        throw error
                    }
                }
                return 1
            })
        for try await (key, _) in tasks.stream(keys: ["slow", "quick"]) {
            #expect(key == "quick")
            break
        }
        #expect(await eventually { cancelled.current == 1 })
    }

    @Test func cancellingTheTaskOfAStreamThrows() async {
        let gate = Gate()
        let posts = gated(gate)
        let task = Task { for try await _ in posts.stream(keys: ["k"]) {} }
        #expect(await eventually { posts.statistics.misses == 1 })
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        await gate.open()
    }

    @Test func aStreamOfAClosedEngineThrows() async {
        let posts = echo()
        await posts.close()
        await #expect(throws: KVLightError.closed) { for try await _ in posts.stream(keys: ["k"]) {} }
    }

    @Test func eachIterationIsAFetchOfItsOwn() async throws {
        let calls = Locked<[[String]]>([])
        let stream = echo(calls: calls).stream(keys: ["a"])
        #expect(calls.current.isEmpty)
        for _ in 0..<2 {
            var count = 0
            for try await _ in stream { count += 1 }
            #expect(count == 1)
        }
        #expect(calls.current == [["a"]])
    }
}
