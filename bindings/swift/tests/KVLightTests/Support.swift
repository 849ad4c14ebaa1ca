// Helpers of the tests: a locked value, a gate, counted elements, and a wait for a condition.

import Foundation
import KVLight
import Testing

/// A value behind a lock.
final class Locked<Value>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value

    init(_ value: Value) { self.value = value }

    var current: Value { lock.withLock { value } }

    @discardableResult
    func update<R>(_ body: (inout Value) -> R) -> R { lock.withLock { body(&value) } }
}

extension Locked where Value == Int {
    func add(_ n: Int = 1) { update { $0 += n } }
}

/// Suspends callers until it is opened.
actor Gate {
    private var isOpen = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func wait() async {
        if isOpen { return }
        await withCheckedContinuation { waiting.append($0) }
    }

    func open() {
        isOpen = true
        waiting.forEach { $0.resume() }
        waiting = []
    }
}

/// An element that is counted while it lives.
final class Tracked: Sendable {
    let name: String
    private let live: Locked<Int>

    init(_ name: String, _ live: Locked<Int>) {
        self.name = name
        self.live = live
        live.add()
    }

    deinit { live.add(-1) }
}

struct Broken: Error, Equatable {
    var reason = "broken"
}

/// An error with an identity, to check that callers receive the very same one.
final class Fault: Error, Sendable {}

/// Waits until `condition` holds, since the last actions of the library's threads have no callback to wait for. Returns whether it does.
func eventually(within seconds: Double = 20, _ condition: () async -> Bool) async -> Bool {
    let end = Date().addingTimeInterval(seconds)
    while Date() < end {
        if await condition() { return true }
        try? await Task.sleep(for: .milliseconds(1))
    }
    return await condition()
}

/// An engine whose provider answers "value of KEY", or `nil` for keys that begin with "no ", and adds the keys of each call to `calls`.
func echo(
    calls: Locked<[[String]]> = Locked([]), batch: Int = 20, _ change: (inout KVLightTasks<String, String>.Config) -> Void = { _ in }
) -> KVLightTasks<String, String> {
    var config = KVLightTasks<String, String>.Config(
        provider: .batch(maximumBatchCount: batch) { keys in
            calls.update { $0.append(keys) }
            return Dictionary(uniqueKeysWithValues: keys.map { ($0, $0.hasPrefix("no ") ? nil : "value of \($0)") })
        })
    change(&config)
    return KVLightTasks(config: config)
}

/// An engine whose provider adds the keys of each call to `calls`, waits until `gate` is open, and answers "value of KEY".
func gated(
    _ gate: Gate, calls: Locked<[[String]]> = Locked([]), batch: Int = 20,
    _ change: (inout KVLightTasks<String, String>.Config) -> Void = { _ in }
) -> KVLightTasks<String, String> {
    var config = KVLightTasks<String, String>.Config(
        provider: .batch(maximumBatchCount: batch) { (keys: [String]) async throws -> [String: String?] in
            calls.update { $0.append(keys) }
            await gate.wait()
            return Dictionary(uniqueKeysWithValues: keys.map { ($0, "value of \($0)") })
        })
    change(&config)
    return KVLightTasks(config: config)
}
