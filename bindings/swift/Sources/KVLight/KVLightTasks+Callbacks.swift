// Fetches that call back.
//
// A closure is called once for each position, or once for all. It is never called inside the fetch call itself, nor on the thread that
// delivers the library's results: that thread also resumes the tasks that await, so a slow closure would hold them up.

import CKVLight
import Dispatch
import Foundation

/// A fetch with a callback, or a prefetch: to cancel it, to change its urgency, and to read its progress.
public final class KVLightFetch: Sendable {
    /// `nil` if the outcome was known when the call was made.
    let handle: FetchHandle?

    init(urgency: TaskPriority?) {
        handle = FetchHandle(urgency: urgency ?? Task.currentPriority)
    }

    private init() {
        handle = nil
    }

    /// The fetch of a key that was resident.
    @usableFromInline static let settled = KVLightFetch()

    /// Settles the open keys with a `CancellationError`. Other fetches of the same keys are not affected. Releasing this object does not
    /// cancel the fetch.
    public func cancel() {
        handle?.cancel()
    }

    /// Changes the urgency of the fetch.
    public func setUrgency(_ urgency: TaskPriority) {
        handle?.setUrgency(urgency)
    }

    public var progress: FetchProgress { handle?.progress ?? FetchProgress(done: 1, failed: 0, total: 1) }
}

/// Calls closures on the configured queue or, without one, one at a time on a global queue.
struct Delivery: Sendable {
    let queue: DispatchQueue?
    private let turns = Turns()

    init(queue: DispatchQueue?) {
        self.queue = queue
    }

    func callAsFunction(_ work: @escaping @Sendable () -> Void) {
        if let queue { queue.async(execute: work) } else { turns.take(work) }
    }

    func progress(_ progress: FetchOptions.Progress?) -> ((FetchProgress) -> Void)? {
        progress.map { progress in
            { state in self { progress.report(state) } }
        }
    }

    /// Ends a fetch that awaits: at once or, if it has progress, after the reports that have been delivered.
    func end(_ progress: FetchOptions.Progress?, _ work: @escaping @Sendable () -> Void) {
        if progress == nil { work() } else { self(work) }
    }

    /// Calls `work` after all closures that run without a configured queue.
    func afterClosures(_ work: @escaping @Sendable () -> Void) {
        turns.take(work)
    }
}

/// Runs one closure at a time, in order, on a global queue.
private final class Turns: @unchecked Sendable {
    private let lock = NSLock()
    private var waiting: [@Sendable () -> Void] = []
    private var isDraining = false

    func take(_ work: @escaping @Sendable () -> Void) {
        let begins = lock.withLock {
            waiting.append(work)
            defer { isDraining = true }
            return !isDraining
        }
        if begins { DispatchQueue.global().async { self.drain() } }
    }

    private func drain() {
        var taken: [@Sendable () -> Void] = []
        var idle = 0
        while true {
            let isDone = lock.withLock {
                swap(&taken, &waiting)
                isDraining = !taken.isEmpty || idle < Self.patience
                return !isDraining
            }
            if isDone { return }
            idle = taken.isEmpty ? idle + 1 : 0
            for work in taken { inAutoreleasePool(work) }
            let isFlood = taken.count > Self.few
            // Both arrays are used again, unless a burst made them large.
            if taken.count > Self.most { taken = [] } else { taken.removeAll(keepingCapacity: true) }
            if !isFlood { usleep(Self.pause) }
        }
    }

    /// How often a thread without work pauses before it ends, since starting a thread takes as long as several callbacks.
    private static var patience: Int { 4 }

    /// After so few closures the thread pauses: closures that arrive one by one would otherwise take its processor and the lock for each.
    private static var few: Int { 16 }

    /// The pause, in microseconds.
    private static var pause: UInt32 { 20 }

    /// The number of closures that an array keeps memory for.
    private static var most: Int { 1024 }
}

extension KVLightTasks {
    public typealias ResultCallback = @Sendable (K, Result<Element?, any Error>) -> Void
    public typealias BatchResultCallback = @Sendable ([(K, Result<Element?, any Error>)]) -> Void

    /// Fetches one key and calls back once, never inside this call.
    @inlinable
    @discardableResult
    public func fetch(
        key: K, timeout: Duration? = nil, options: FetchOptions = FetchOptions(), completion: @escaping ResultCallback
    ) -> KVLightFetch {
        if asksStoreFirst(options), let element = engine.get(key, as: Element.self) {
            callLater { completion(key, .success(element)) }
            return .settled
        }
        return load(key, options.waiting(timeout), completion)
    }

    @usableFromInline
    func callLater(_ work: @escaping @Sendable () -> Void) {
        settings.deliver(work)
    }

    @usableFromInline
    func load(_ key: K, _ options: FetchOptions, _ completion: @escaping ResultCallback) -> KVLightFetch {
        let deliver = settings.deliver
        let fetch = KVLightFetch(urgency: options.urgency)
        let receiver = Receiver(of: engine, keeping: spellings.hold(CollectionOfOne(key)), position: { position in
            let result: Result<Element?, any Error> = position.outcome()
            deliver { completion(key, result) }
        })
        let options = OptionsHandle(options)
        let status = engine.fetch(key, options: options, handle: fetch.handle, receiver: receiver)
        if status != KVL_PENDING {
            deliver { completion(key, .failure(thrown(status))) }
        }
        return fetch
    }

    /// Fetches many keys and calls back for each position, duplicates included, as soon as it settles; one call at a time, unless
    /// `callbackQueue` is a concurrent one.
    @discardableResult
    public func fetch(
        keys: [K], timeout: Duration? = nil, options: FetchOptions = FetchOptions(), completion: @escaping ResultCallback
    ) -> KVLightFetch {
        let fetch = KVLightFetch(urgency: options.urgency)
        let deliver = settings.deliver
        let receiver = Receiver(
            of: engine,
            keeping: spellings.hold(keys),
            position: { position in
                let (key, result): (K, Result<Element?, any Error>) = (keys[position.index], position.outcome())
                deliver { completion(key, result) }
            },
            progress: deliver.progress(options.progress))
        let options = OptionsHandle(options.waiting(timeout))
        let status = engine.fetchEach(PackedKeys(keys), options: options, handle: fetch.handle, receiver: receiver)
        if status < 0 {
            deliver { keys.forEach { completion($0, .failure(thrown(status))) } }
        }
        return fetch
    }

    /// Fetches many keys and calls back once, with the results in the order of the keys, duplicates repeated.
    @discardableResult
    public func fetch(
        keys: [K], timeout: Duration? = nil, options: FetchOptions = FetchOptions(), completion: @escaping BatchResultCallback
    ) -> KVLightFetch {
        let fetch = KVLightFetch(urgency: options.urgency)
        let deliver = settings.deliver
        let receiver = Receiver(
            of: engine,
            keeping: spellings.hold(keys),
            batch: { results in
                let results = ResultsHandle(retaining: results)
                deliver { completion(Self.pairs(keys, results)) }
            },
            progress: deliver.progress(options.progress))
        let options = OptionsHandle(options.waiting(timeout))
        let (status, _) = engine.fetchAll(PackedKeys(keys), options: options, handle: fetch.handle, receiver: receiver, atOnce: false)
        if status != KVL_PENDING {
            deliver { completion(keys.map { ($0, .failure(thrown(status))) }) }
        }
        return fetch
    }
}
