// Runs callbacks on global queues, any number at the same time, so that one may wait for another.
//
// A block for each callback would be slow, since most return at once. So a worker runs callback after callback, and before each it starts
// another worker if more callbacks are waiting. A callback that blocks therefore does not delay the others. Starting a worker takes as long
// as several callbacks, so a worker without work first pauses a few times; meanwhile it counts as just started. Pauses let callbacks that arrive
// one by one gather, which costs less processor time than looking for each of them.

import Dispatch
import Foundation

@usableFromInline
final class CallbackPool: @unchecked Sendable {
    @usableFromInline static let shared = CallbackPool()

    private let lock = NSLock()
    private var waiting: [() -> Void] = []
    /// The number of callbacks at the front of `waiting` that were taken already.
    private var taken = 0
    /// Whether there is a worker that has just started, or waits for a callback.
    private var isWorkerComing = false

    @usableFromInline
    func run(_ callback: @escaping () -> Void) {
        let needsWorker = lock.withLock {
            waiting.append(callback)
            return claimStart()
        }
        if needsWorker { startWorker() }
    }

    private func startWorker() {
        DispatchQueue.global().async { self.work() }
    }

    private func work() {
        var state = Worker()
        while true {
            switch next(&state) {
            case .run(let callback, let needsWorker):
                if needsWorker { startWorker() }
                callback()
            case .wait:
                usleep(Self.pause)
            case .end:
                return
            }
        }
    }

    /// A pause of a worker without work, in microseconds.
    private static let pause: UInt32 = 20

    private struct Worker {
        /// Whether this is the worker that `isWorkerComing` stands for.
        var isComing = true
        /// How often the worker still pauses before it ends.
        var patience = 4
    }

    private enum Step {
        case run(() -> Void, needsWorker: Bool)
        case wait
        case end
    }

    private func next(_ worker: inout Worker) -> Step {
        lock.withLock {
            guard taken < waiting.count else {
                waiting.removeAll(keepingCapacity: waiting.count < 1024)
                taken = 0
                if !worker.isComing {
                    // One worker that waits is enough.
                    if isWorkerComing { return .end }
                    worker = Worker()
                    isWorkerComing = true
                }
                if worker.patience == 0 {
                    isWorkerComing = false
                    return .end
                }
                worker.patience -= 1
                return .wait
            }
            if worker.isComing {
                worker.isComing = false
                isWorkerComing = false
            }
            let callback = waiting[taken]
            waiting[taken] = {}
            taken += 1
            if taken >= 1024, 2 * taken >= waiting.count {
                waiting.removeFirst(taken)
                taken = 0
            }
            return .run(callback, needsWorker: claimStart())
        }
    }

    /// Returns whether the caller has to start a worker, and records that one is coming. Called under the lock.
    private func claimStart() -> Bool {
        guard !isWorkerComing, taken < waiting.count else { return false }
        isWorkerComing = true
        return true
    }
}
