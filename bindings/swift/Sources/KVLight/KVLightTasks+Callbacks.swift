// Fetches that call back.
//
// A closure is called once for each position, or once for all, and never inside the call that asked: where the library refuses a
// call, the closure hears of it from a queue.

import CKVLight
import Dispatch

/// A fetch that calls back: to cancel it, and to see how far it is.
public final class KVLightFetch: Sendable {
    let handle: FetchHandle

    init(urgency: TaskPriority?) {
        handle = FetchHandle(urgency: urgency ?? Task.currentPriority)
    }

    /// Settles what is open with a `CancellationError`. Others who wait for the same keys notice nothing. Letting go of the fetch
    /// does not cancel it.
    public func cancel() {
        handle.cancel()
    }

    /// Says anew how urgent it is.
    public func setUrgency(_ urgency: TaskPriority) {
        handle.setUrgency(urgency)
    }

    public var progress: FetchProgress { handle.progress }
}

/// Where closures are called.
struct Delivery: Sendable {
    let queue: DispatchQueue?

    /// From a callback of the library's.
    func callAsFunction(_ work: @escaping @Sendable () -> Void) {
        if let queue { queue.async(execute: work) } else { work() }
    }

    /// From the call that asked.
    func later(_ work: @escaping @Sendable () -> Void) {
        (queue ?? .global()).async(execute: work)
    }

    func progress(_ progress: FetchOptions.Progress?) -> ((FetchProgress) -> Void)? {
        progress.map { progress in
            { state in self { progress.report(state) } }
        }
    }
}

extension KVLightTasks {
    public typealias ResultCallback = @Sendable (K, Result<Element?, any Error>) -> Void
    public typealias BatchResultCallback = @Sendable ([(K, Result<Element?, any Error>)]) -> Void

    /// Fetches one key and calls back once, never inside this call.
    @discardableResult
    public func fetch(
        key: K, timeout: Duration? = nil, options: FetchOptions = FetchOptions(), completion: @escaping ResultCallback
    ) -> KVLightFetch {
        let fetch = KVLightFetch(urgency: options.urgency)
        let deliver = settings.deliver
        let receiver = Receiver(of: engine, position: { position in
            let result: Result<Element?, any Error> = position.outcome()
            deliver { completion(key, result) }
        })
        let options = OptionsHandle(options.waiting(timeout))
        let status = engine.fetch(key, options: options, handle: fetch.handle, receiver: receiver)
        if status != KVL_PENDING {
            deliver.later { completion(key, .failure(thrown(status))) }
        }
        return fetch
    }

    /// Fetches many keys and calls back once for each position, duplicates included, as they come; one call at a time, unless
    /// `callbackQueue` is a concurrent one.
    @discardableResult
    public func fetch(
        keys: [K], timeout: Duration? = nil, options: FetchOptions = FetchOptions(), completion: @escaping ResultCallback
    ) -> KVLightFetch {
        let fetch = KVLightFetch(urgency: options.urgency)
        let deliver = settings.deliver
        let receiver = Receiver(
            of: engine,
            position: { position in
                let (key, result): (K, Result<Element?, any Error>) = (keys[position.index], position.outcome())
                deliver { completion(key, result) }
            },
            progress: deliver.progress(options.progress))
        let options = OptionsHandle(options.waiting(timeout))
        let status = engine.fetchEach(PackedKeys(keys), options: options, handle: fetch.handle, receiver: receiver)
        if status < 0 {
            deliver.later { keys.forEach { completion($0, .failure(thrown(status))) } }
        }
        return fetch
    }

    /// Fetches many keys and calls back once, when all are done: results in the order asked, duplicates repeated.
    @discardableResult
    public func fetch(
        keys: [K], timeout: Duration? = nil, options: FetchOptions = FetchOptions(), completion: @escaping BatchResultCallback
    ) -> KVLightFetch {
        let fetch = KVLightFetch(urgency: options.urgency)
        let deliver = settings.deliver
        let receiver = Receiver(
            of: engine,
            batch: { results in
                let results = ResultsHandle(retaining: results)
                deliver { completion(Self.pairs(keys, results)) }
            },
            progress: deliver.progress(options.progress))
        let options = OptionsHandle(options.waiting(timeout))
        let (status, _) = engine.fetchAll(PackedKeys(keys), options: options, handle: fetch.handle, receiver: receiver, atOnce: false)
        if status != KVL_PENDING {
            deliver.later { completion(keys.map { ($0, .failure(thrown(status))) }) }
        }
        return fetch
    }
}
