// Helpers of the tests.

import Foundation
import Testing

@testable import KVLightCompat

struct Broken: Error, Equatable {}

/// A value behind a lock.
final class Locked<Value>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value

    init(_ value: Value) { self.value = value }

    var current: Value { lock.withLock { value } }

    @discardableResult
    func update<R>(_ body: (inout Value) -> R) -> R { lock.withLock { body(&value) } }
}

/// Blocks this thread until the callback was called `count` times.
func waitFor(_ count: Int = 1, _ start: (@escaping () -> Void) -> Void) {
    let semaphore = DispatchSemaphore(value: 0)
    start { semaphore.signal() }
    for _ in 0..<count { #expect(semaphore.wait(timeout: .now() + 20) == .success, "a callback was not called") }
}

// Programs may extend the earlier library's classes, using the names of their type parameters.
extension MemoryCache where Key == String {
    func shout(_ key: Key) -> Element? { getElement(for: key.uppercased()).element }
}

extension KVLightTasksManager where K == String {
    func lowercased(_ key: K) async -> Result<Element?, Error> { await asyncFetch(key: key.lowercased()) }
}
