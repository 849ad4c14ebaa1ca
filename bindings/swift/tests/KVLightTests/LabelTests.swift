// Tags, versions, and records that have not changed.

import KVLight
import Testing

/// An engine whose provider calls `answer` with each request.
private func answering(
    _ change: (inout KVLightTasks<String, Tracked>.Config) -> Void = { _ in },
    _ answer: @escaping @Sendable (KVLightRequest<String, Tracked>) -> Void
) -> KVLightTasks<String, Tracked> {
    var config = KVLightTasks<String, Tracked>.Config(provider: .requests(answer))
    change(&config)
    return KVLightTasks(config: config)
}

@Suite struct LabelTests {
    @Test func r11_aTagRemovesItsEntries() {
        let cache = MemoryCache<Int, String>()
        cache.set(element: "one", for: 1, tags: ["odd", "small"])
        cache.set(element: "two", for: 2, if: .absent, tags: ["small"])
        cache.set(element: "three", for: 3, tags: ["odd"])
        #expect(cache.removeTag("odd") == 2 && cache.count == 1 && cache[2] == "two")
        #expect(cache.removeTag("odd") == 0 && cache.removeTag("not there") == 0)
        cache[2] = "zwei"  // a new value has the tags of its own set
        #expect(cache.removeTag("small") == 0 && cache[2] == "zwei")
        #expect(cache.statistics.removedTag == 2)
    }

    @Test func r11_anAnswerHasTagsAndARunningLoadWithARemovedTagIsNotStored() async throws {
        let live = Locked(0)
        let open = Locked<[KVLightRequest<String, Tracked>]>([])
        let tasks = answering { request in open.update { $0.append(request) } }
        for isRemoved in [true, false] {
            async let fetched = tasks.fetch(key: "a")
            #expect(await eventually { open.current.count == 1 })
            if isRemoved { #expect(tasks.cache.removeTag("shelf") == 0) }
            let request = open.update { $0.removeLast() }
            request.resolve(at: 0, with: Tracked("a", live), tags: ["shelf"])
            request.finish()
            #expect(try await fetched?.name == "a")
            #expect(tasks.cache.contains("a") == !isRemoved)
        }
        #expect(tasks.cache.removeTag("shelf") == 1)
        #expect(await eventually { live.current == 0 })
    }

    @Test func r12_entriesExpiredByTagOrAllAtOnceStayAsFallbacks() async throws {
        let isDown = Locked(false)
        let live = Locked(0)
        let keeps: (inout KVLightTasks<String, Tracked>.Config) -> Void = {
            $0.cache.timeToLive = .seconds(60)
            $0.cache.staleFor = .seconds(60)
        }
        let tasks = answering(keeps) { request in
            guard !isDown.current else { return request.finish(throwing: Broken()) }
            for (i, key) in request.keys.enumerated() {
                request.resolve(at: i, with: Tracked(key, live), tags: [key < "c" ? "early" : "late"])
            }
            request.finish()
        }
        let keys = ["a", "b", "c"]
        _ = try await tasks.values(for: keys)
        isDown.update { $0 = true }
        #expect(tasks.cache.expireTag("early") == 2 && !tasks.cache.contains("a") && tasks.cache.contains("c"))
        #expect(try await tasks.outcomes(for: keys).positions.map(\.isStale) == [true, true, false])
        tasks.cache.expireAll()
        #expect(!tasks.cache.contains("c"))
        #expect(try await tasks.fetch(key: "c")?.name == "c")
    }

    @Test func r06_aRecordThatHasNotChangedKeepsItsElement() async throws {
        let live = Locked(0)
        let clock = ManualClock()
        let versions = Locked(["a": "v1", "b": "w1"])
        let seen = Locked<[KVLightRequest<String, Tracked>.Stale]>([])
        let keeps: (inout KVLightTasks<String, Tracked>.Config) -> Void = {
            $0.cache.timeToLive = .seconds(1)
            $0.cache.staleFor = .seconds(60)
            $0.cache.clock = clock
        }
        let tasks = answering(keeps) { request in
            for (i, key) in request.keys.enumerated() {
                let version = versions.current[key] ?? ""
                let held = request.stale(at: i)
                if let held { seen.update { $0.append(held) } }
                if held?.version == version {
                    #expect(request.notModified(at: i, expiredIn: .seconds(5)) == .accepted)
                } else {
                    request.resolve(at: i, with: Tracked(key + version, live), tags: ["t"], version: version)
                }
            }
            request.finish()
        }
        let first = try #require(try await tasks.fetch(key: "a"))
        _ = try await tasks.fetch(key: "b")
        #expect(seen.current.isEmpty)
        clock.advance(by: .seconds(2))
        versions.update { $0["b"] = "w2" }
        let positions = try await tasks.outcomes(for: ["a", "b"]).positions
        #expect(seen.current.map(\.version) == ["v1", "w1"] && seen.current[0].element === first)
        #expect(seen.current[0].age == .seconds(2))
        #expect(!positions[0].isStale && positions[0].source == .provider)
        #expect(try await tasks.fetch(key: "a") === first)
        #expect(try await tasks.fetch(key: "b")?.name == "bw2")
        clock.advance(by: .seconds(3))
        #expect(tasks.cache.contains("a") && !tasks.cache.contains("b"))
        #expect(tasks.cache.removeTag("t") >= 1 && !tasks.cache.contains("a"))  // the unchanged element kept its tags
    }

    @Test func r06_notModifiedWithoutAnElementIsRejected() async throws {
        let live = Locked(0)
        let tasks = answering { request in
            #expect(request.stale(at: 0) == nil && request.stale(at: -1) == nil && request.stale(at: 7) == nil)
            #expect(request.notModified(at: 0) == .refused && request.notModified(at: 7) == .refused)
            #expect(request.resolve(at: 0, with: Tracked("a", live)) == .accepted)
            request.finish()
        }
        #expect(try await tasks.fetch(key: "a")?.name == "a")
    }

    @Test func r11_invalidLabelsAreRejected() {
        let cache = MemoryCache<Int, String>()
        let long = String(repeating: "x", count: 256)
        for tags in [[""], [long], Array(repeating: "t", count: 17)] {
            #expect(cache.set(element: "one", for: 1, tags: tags) == ["one"])
        }
        #expect(cache.set(element: "one", for: 1, version: long) == ["one"])
        #expect(cache.removeTag("") == 0 && cache.expireTag(long) == 0 && cache.isEmpty)
        #expect(cache.set(element: "one", for: 1, tags: (0..<16).map { "t\($0)" }, version: String(long.dropLast())).isEmpty)
        #expect(cache.removeTag("t15") == 1)
    }
}
