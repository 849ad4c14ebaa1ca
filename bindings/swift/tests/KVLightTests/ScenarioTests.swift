// The scenarios that every language runs.

import Foundation
import KVLight
import Testing

@Suite struct ScenarioTests {
    @Test func scenario01_hit() async throws {
        let calls = Locked<[[String]]>([])
        let posts = echo(calls: calls)
        #expect(try await posts.fetch(key: "a") == "value of a")
        #expect(try await posts.fetch(key: "a") == "value of a")
        #expect(calls.current == [["a"]])
    }

    @Test func scenario02_nullHit() async throws {
        let calls = Locked<[[String]]>([])
        let posts = echo(calls: calls)
        #expect(try await posts.fetch(key: "no a") == nil)
        #expect(try await posts.fetch(key: "no a") == nil)
        #expect(calls.current == [["no a"]], "an absence was not stored")
    }

    @Test func scenario03_miss() async throws {
        let posts = echo()
        #expect(try await posts.fetch(key: "a", options: FetchOptions(read: .cacheOnly)) == nil)
        #expect(posts.cache.getElement(for: "a") == .miss)
    }

    @Test func scenario04_batchWithDuplicates() async throws {
        let calls = Locked<[[String]]>([])
        let posts = echo(calls: calls)
        let list = try await posts.fetch(keys: ["a", "b", "a", "no c", "a"]) as [(String, String?)]
        #expect(list.map(\.0) == ["a", "b", "a", "no c", "a"])
        #expect(list.map(\.1) == ["value of a", "value of b", "value of a", nil, "value of a"])
        #expect(calls.current == [["a", "b", "no c"]])
    }

    @Test func scenario05_oneFailingKeyInABatch() async {
        let posts = KVLightTasks<String, Int>(
            provider: .results { keys in
                Dictionary(uniqueKeysWithValues: keys.map { ($0, $0 == "bad" ? .failure(Broken()) : .success($0.count)) })
            })
        let results = await posts.results(for: ["a", "bad", "ccc"])
        #expect((try? results[0].1.get()) == 1)
        #expect(throws: Broken.self) { try results[1].1.get() }
        #expect((try? results[2].1.get()) == 3)
    }

    @Test func scenario06_retryThenSuccess() async throws {
        let calls = Locked(0)
        var config = KVLightTasks<String, Int>.Config(
            provider: .single { (_: String) throws -> Int? in
                if calls.update({ $0 += 1; return $0 }) < 3 { throw Broken() }
                return 7
            })
        config.retry = .fixed(5)
        #expect(try await KVLightTasks(config: config).fetch(key: "k") == 7)
        #expect(calls.current == 3)
    }

    @Test func scenario07_timeout() async {
        let gate = Gate()
        let posts = gated(gate)
        await #expect(throws: KVLightError.timeout) { try await posts.fetch(key: "slow", timeout: .milliseconds(20)) }
        await gate.open()
    }

    @Test func scenario08_cancel() async {
        let gate = Gate()
        let calls = Locked<[[String]]>([])
        let posts = gated(gate, calls: calls)
        let task = Task { try await posts.fetch(key: "slow") }
        #expect(await eventually { !calls.current.isEmpty })
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        await gate.open()
    }

    @Test func scenario09_closeWhileLoading() async {
        let gate = Gate()
        let calls = Locked<[[String]]>([])
        let posts = gated(gate, calls: calls)
        let task = Task { try await posts.fetch(key: "slow") }
        #expect(await eventually { !calls.current.isEmpty })
        async let closed: Void = posts.close()
        await #expect(throws: KVLightError.closed) { try await task.value }
        await gate.open()
        await closed
        await #expect(throws: KVLightError.closed) { try await posts.fetch(key: "later") }
    }

    @Test func scenario10_tenThousandKeys() async throws {
        let posts = KVLightTasks<Int, Int>(
            config: .init(
                provider: .batch(maximumBatchCount: 100) { keys in Dictionary(uniqueKeysWithValues: keys.map { ($0, $0 * 2) }) },
                cache: .init(capacity: 20_000)))
        let map = try await posts.fetch(keys: Array(0..<10_000)) as [Int: Int?]
        #expect(map.count == 10_000)
        #expect((0..<10_000).allSatisfy { (i: Int) in map[i] == .some(.some(i * 2)) })
    }

    @Test func scenario11_callbackThatFetches() async {
        let posts = echo()
        let second: String? = await withCheckedContinuation { done in
            posts.fetch(key: "first") { _, _ in
                posts.fetch(key: "second") { _, result in done.resume(returning: try? result.get()) }
            }
        }
        #expect(second == "value of second")
    }

    @Test func scenario12_elementWhoseReleaseIsCounted() async throws {
        let live = Locked(0)
        do {
            let posts = KVLightTasks<Int, Tracked>(
                config: .init(
                    provider: .batch { keys in Dictionary(uniqueKeysWithValues: keys.map { ($0, Tracked("\($0)", live)) }) },
                    cache: .init(capacity: 10)))
            for start in stride(from: 0, to: 100, by: 10) {
                _ = try await posts.fetch(keys: Array(start..<start + 10)) as [(Int, Tracked?)]
            }
            #expect(await eventually { live.current == 10 }, "\(live.current) elements live, but 10 are stored")
            await posts.close()
        }
        #expect(await eventually { live.current == 0 }, "\(live.current) elements outlived their engine")
    }
}
