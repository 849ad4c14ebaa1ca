// Runs callbacks on global queues, any number at the same time, so that one may wait for another.
//
// A block for each callback would be slow, since most return at once. So a worker runs callback after callback, and before each it starts
// another worker if more callbacks are waiting. A callback that blocks therefore does not delay the others.

import Dispatch
import Foundation

@usableFromInline
final class CallbackPool: @unchecked Sendable {
    @usableFromInline static let shared = CallbackPool()

    private let lock = NSLock()
    private var waiting: [() -> Void] = []
    /// The number of callbacks at the front of `waiting` that were taken already.
    private var taken = 0
    /// Whether a worker was started that has not begun to run.
    private var isWorkerComing = false

    @usableFromInline
    func run(_ callback: @escaping () -> Void) {
        let calls = lock.withLock {
            waiting.append(callback)
            return callsWorker()
        }
        if calls { callWorker() }
    }

    private func callWorker() {
        DispatchQueue.global().async { self.work() }
    }

    private func work() {
        lock.withLock { isWorkerComing = false }
        while let (callback, calls) = next() {
            if calls { callWorker() }
            callback()
        }
    }

    private func next() -> (callback: () -> Void, callsWorker: Bool)? {
        lock.withLock {
            guard taken < waiting.count else {
                waiting.removeAll(keepingCapacity: waiting.count < 1024)
                taken = 0
                return nil
            }
            let callback = waiting[taken]
            waiting[taken] = {}
            taken += 1
            if taken >= 1024, 2 * taken >= waiting.count {
                waiting.removeFirst(taken)
                taken = 0
            }
            return (callback, callsWorker())
        }
    }

    /// Returns whether the caller has to start a worker now, and records that as done. Called under the lock.
    private func callsWorker() -> Bool {
        guard !isWorkerComing, taken < waiting.count else { return false }
        isWorkerComing = true
        return true
    }
}
