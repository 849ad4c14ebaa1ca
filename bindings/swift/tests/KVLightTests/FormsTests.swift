// The short forms of common calls, prefetches, and the check of the library's version.

import Foundation
import KVLight
import Testing

@Suite struct FormsTests {
    @Test func fetchesOfManyKeysReturnADictionaryOrPairs() async throws {
        let posts = echo()
        let values = try await posts.values(for: ["a", "no b", "a"])
        #expect(values == ["a": "value of a", "no b": nil])
        let pairs = try await posts.pairs(for: ["b", "a", "b"])
        #expect(pairs.map(\.0) == ["b", "a", "b"] && pairs.map(\.1) == ["value of b", "value of a", "value of b"])
        // Without a stated type the result is a dictionary.
        let fetched = try await posts.fetch(keys: ["a"])
        #expect(fetched["a"] == "value of a")
        let list = try await posts.fetch(keys: ["a"]) as [(String, String?)]
        #expect(list.count == 1)
    }

    @Test func subscriptsReadAndWrite() async throws {
        let posts = echo()
        #expect(try await posts["a"] == "value of a")
        #expect(try await posts["no b"] == nil)
        let cache = posts.cache
        #expect(cache["a"] == "value of a" && cache["c"] == nil)
        cache["c"] = "put"
        #expect(try await posts["c"] == "put")
        cache["c"] = nil
        #expect(!cache.contains("c"))
    }

    @Test func aTrailingClosureIsAProvider() async throws {
        let one = KVLightTasks<Int, String> { key in "\(key)" }
        #expect(try await one.fetch(key: 7) == "7")
        let many = KVLightTasks<Int, String> { keys in Dictionary(uniqueKeysWithValues: keys.map { ($0, "\($0)") }) }
        #expect(try await many.values(for: [1, 2]) == [1: "1", 2: "2"])
        let few = KVLightTasks<Int, String>(maximumBatchCount: 2) { (keys: [Int]) async throws in
            #expect(keys.count <= 2)
            return Dictionary(uniqueKeysWithValues: keys.map { ($0, "\($0)") })
        }
        #expect(try await few.values(for: Array(0..<10)).count == 10)
    }

    @Test func aPrefetchStoresElementsWithoutAWaiter() async {
        let calls = Locked<[[String]]>([])
        let posts = echo(calls: calls)
        posts.cache.set(element: "there", for: "a")
        posts.prefetch(keys: ["a", "b", "no c"])
        #expect(await eventually { posts.cache.contains("b") && posts.cache.contains("no c") })
        #expect(calls.current == [["b", "no c"]])
        #expect(posts.cache.peekElement(for: "a") == .hitNonNullElement(element: "there"))
    }

    @Test func f13c_aPrefetchIsQueuedBehindFetchesWithWaiters() async throws {
        let gate = Gate()
        let calls = Locked<[[String]]>([])
        let posts = gated(gate, calls: calls, batch: 1) { $0.maximumRunningRequests = 1 }
        let first = Task { try await posts.fetch(key: "first") }
        #expect(await eventually { calls.current.count == 1 })
        let prefetch = posts.prefetch(keys: (0..<10).map { "later \($0)" })
        let wanted = Task { try await posts.fetch(key: "wanted") }
        #expect(await eventually { posts.statistics.queued == 11 })
        await gate.open()
        _ = try await (first.value, wanted.value)
        #expect(calls.current[1] == ["wanted"])
        #expect(await eventually { calls.current.count == 12 })
        #expect(await eventually { prefetch.progress.done == 10 })
    }

    @Test func aCancelledPrefetchLoadsNoMoreKeys() async throws {
        let gate = Gate()
        let calls = Locked<[[String]]>([])
        let posts = gated(gate, calls: calls, batch: 1) { $0.maximumRunningRequests = 1 }
        let prefetch = posts.prefetch(keys: ["a", "b", "c"])
        #expect(await eventually { calls.current.count == 1 })
        prefetch.cancel()
        await gate.open()
        #expect(try await posts.fetch(key: "d") == "value of d")
        #expect(calls.current == [["a"], ["d"]])
    }

    @Test func f13f_eachOfAThousandConcurrentFetchesGetsItsAnswer() async throws {
        let posts = KVLightTasks<Int, Int> { key in
            await Task.yield()
            return 2 * key
        }
        let doubled = try await withThrowingTaskGroup(of: (Int, Int?).self) { group in
            for key in 0..<1000 { group.addTask { (key, try await posts.fetch(key: key)) } }
            return try await group.reduce(into: [Int: Int?]()) { $0[$1.0] = .some($1.1) }
        }
        #expect(doubled.count == 1000 && doubled.allSatisfy { $1 == 2 * $0 })
        let delivered = Locked(0)
        for key in 1000..<2000 {
            posts.fetch(key: key) { key, result in
                if let element = try? result.get(), element == 2 * key { delivered.add() }
            }
        }
        #expect(await eventually { delivered.current == 1000 })
    }

    @Test func theMessageForALibraryOfAnotherVersionNamesBoth() {
        #expect(Library.mismatch(loaded: 2_000, compiled: 2_000) == nil)
        #expect(Library.mismatch(loaded: 2_001, compiled: 2_000) == nil)
        #expect(Library.mismatch(loaded: 1_002_000, compiled: 1_000_000) == nil)
        let sentence = Library.mismatch(loaded: 1_009, compiled: 2_000)
        #expect(sentence?.contains("libkvlight 0.2.0") == true && sentence?.contains("libkvlight 0.1.9") == true)
        #expect(Library.mismatch(loaded: 2_000_000, compiled: 1_000_000) != nil)
    }
}
