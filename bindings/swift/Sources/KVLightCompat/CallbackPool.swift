// Where callbacks run: on global queues, any number at the same time, so that one may wait for what another brings.
//
// A block for each callback would be slow: most return at once. So a worker runs callback after callback, and before each it sees to it that
// another worker is on its way as long as more callbacks wait. One that blocks therefore holds up nobody.

import Dispatch
import Foundation

final class CallbackPool: @unchecked Sendable {
    static let shared = CallbackPool()

    private let lock = NSLock()
    private var waiting: [() -> Void] = []
    /// Of `waiting`, what has been taken already.
    private var taken = 0
    /// Whether a worker is on its way that has not begun.
    private var isWorkerComing = false

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

    /// Under the lock: whether to call one now, which counts as done.
    private func callsWorker() -> Bool {
        guard !isWorkerComing, taken < waiting.count else { return false }
        isWorkerComing = true
        return true
    }
}
