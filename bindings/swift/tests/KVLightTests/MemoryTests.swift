// Memory stays flat over KVL_CALLS calls of each kind. Without that variable these tests are left out, because they measure the whole
// process: bindings/swift/tests/run.sh runs them alone.

import Foundation
import KVLight
import Testing

private let stated = ProcessInfo.processInfo.environment["KVL_CALLS"].flatMap { Int($0) }

private func residentBytes() -> Int {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 4096
}

/// An engine whose provider answers a value for each key. Unlike that of `echo`, this provider records nothing.
private func values(_ change: (inout KVLightTasks<String, String>.Config) -> Void = { _ in }) -> KVLightTasks<String, String> {
    var config = KVLightTasks<String, String>.Config(
        provider: .batch(maximumBatchCount: 20) { keys in Dictionary(uniqueKeysWithValues: keys.map { ($0, "value of \($0)") }) })
    change(&config)
    return KVLightTasks(config: config)
}

@Suite(.serialized, .enabled(if: stated != nil)) struct MemoryTests {
    private func isFlat(_ what: String, every step: Int = 1, _ work: (Int) async throws -> Void) async rethrows {
        let allowed = 4 << 20  // bytes by which an allocator may grow by itself
        let calls = (stated ?? 0) / step
        for i in 0..<min(calls, 100_000 / step) { try await work(i) }
        var grown = Int.max
        // A leak shows in every round; a structure that is still growing towards its bound, in one.
        for round in 1...3 where grown > allowed {
            let before = residentBytes()
            for i in 0..<calls { try await work(round * calls + i) }
            grown = residentBytes() - before
        }
        #expect(grown <= allowed, "\(what): \(grown) bytes more")
    }

    @Test func l08_memoryIsFlatOverGetsPutsAndLoads() async throws {
        let posts = values { $0.cache.capacity = 1000 }
        await isFlat("gets") { _ = posts.cache.getElement(for: "k\($0 % 2000)") }
        await isFlat("puts") { posts.cache.set(element: "value \($0)", for: "k\($0 % 2000)") }
        try await isFlat("loads") { _ = try await posts.fetch(key: "l\($0)") }
        try await isFlat("timeouts") { _ = try await posts.fetch(key: "one", timeout: .milliseconds(60_000 + $0)) }
        try await isFlat("batches", every: 100) { nth in
            let keys = (0..<100).map { "b\(nth * 100 + $0)" }
            let values: [String: String?] = try await posts.fetch(keys: keys)
            #expect(values.count == 100)
        }
        await posts.close()
    }

    @Test func l08_memoryIsFlatOverFailures() async throws {
        let failing = KVLightTasks<String, String>(
            config: .init(provider: .batch(maximumBatchCount: 20) { (_: [String]) async throws -> [String: String?] in throw Broken(reason: "gone") }))
        await isFlat("failures") { nth in
            await #expect(throws: Broken(reason: "gone")) { try await failing.fetch(key: "f\(nth)") }
        }
        await failing.close()
    }

    @Test func l08_memoryIsFlatOverEngines() async throws {
        try await isFlat("engines", every: 500) { _ in
            let posts = values()
            _ = try await posts.fetch(key: "k")
            await posts.close()
        }
    }
}
