// The manager of the earlier library, implemented by kvlight's engine.

import CKVLight
import Foundation
import KVLight

/// Fetches elements by key: from a cache if they are there, otherwise from a provider, each key once however many callers ask for it.
///
/// Callbacks run on global queues, several at the same time, so one may wait for another.
public final class KVLightTasksManager<K: Hashable, Element> {
    public typealias ResultCallback = (K, Result<Element?, Error>) -> Void
    public typealias BatchResultCallback = ([(K, Result<Element?, Error>)]) -> Void

    public enum Errors: Error {
        /// The queue was full.
        case evictedByPriorityStrategy
    }

    @usableFromInline let engine: EngineHandle
    private let store: CacheHandle
    @usableFromInline let keys: KeyTable<K>

    public init(config: Config) {
        let keys = KeyTable<K>()
        let settings = ConfigHandle()
        config.write(to: settings, keys: keys)
        let terms = StoreTerms(config.cacheConfig)
        let provide = config.dataProvider.answerer
        settings.setProvider { request in
            provide(ManagerRequest(RequestHandle(retaining: request), keys: keys, terms: terms))
        }
        engine = EngineHandle(settings)
        store = CacheHandle(of: engine)
        self.keys = keys
    }

    // MARK: Callbacks

    /// Calls `completion` once.
    @inlinable
    public func fetch(key: K, completion: @escaping ResultCallback) {
        if let element = resident(key) {
            CallbackPool.shared.run { completion(key, .success(element)) }
        } else {
            fetch(keys: [key], completion: completion)
        }
    }

    /// Calls `completion` once for each position; several of these calls may run at the same time.
    public func fetch(keys: [K], completion: @escaping ResultCallback) {
        let numbers = self.keys.pin(keys)
        let deliver: (Int, Result<Element?, Error>) -> Void = { [keyTable = self.keys, store] i, result in
            keyTable.unpin(numbers[i], stored: store.contains)
            CallbackPool.shared.run { completion(keys[i], result) }
        }
        let receiver = Receiver(of: engine, position: { deliver($0.index, Self.result($0)) })
        let status = engine.fetchEach(PackedKeys(numbers), options: OptionsHandle(), handle: nil, receiver: receiver)
        if status < 0 {
            keys.indices.forEach { deliver($0, .failure(thrown(status))) }
        }
    }

    /// Calls `multiCallback` once, when all are done: results in the order of the keys.
    public func fetch(keys: [K], multiCallback: @escaping BatchResultCallback) {
        gather(keys) { results in CallbackPool.shared.run { multiCallback(results) } }
    }

    // MARK: Await

    public func asyncFetch(keys: [K]) async -> [(K, Result<Element?, Error>)] {
        await withCheckedContinuation { continuation in
            gather(keys) { continuation.resume(returning: Unchecked($0)) }
        }.value
    }

    @inlinable
    public func asyncFetch(key: K) async -> Result<Element?, Error> {
        if let element = resident(key) { return .success(element) }
        return await asyncFetch(keys: [key]).first?.1 ?? .success(nil)
    }

    @inlinable
    public func asyncFetchThrowing(key: K) async throws -> Element? {
        try await asyncFetch(key: key).get()
    }

    // MARK: Implementation

    /// The element in the store, `.some(nil)` for a key known to be absent, or `nil` if the key has to be fetched. A key without a number is not in the
    /// store.
    @inlinable
    func resident(_ key: K) -> Element?? {
        keys.number(of: key).flatMap { engine.get($0) }
    }

    /// Calls `done` once, on a thread of the library or on this one.
    private func gather(_ keys: [K], _ done: @escaping ([(K, Result<Element?, Error>)]) -> Void) {
        let numbers = self.keys.pin(keys)
        let finish: ([(K, Result<Element?, Error>)]) -> Void = { [keyTable = self.keys, store] results in
            keyTable.unpin(numbers, stored: store.contains)
            done(results)
        }
        let gathered: (ResultsHandle) -> Void = { batch in
            var results: [(K, Result<Element?, Error>)] = []
            results.reserveCapacity(keys.count)
            batch.forEach { results.append((keys[$0.index], Self.result($0))) }
            finish(results)
        }
        let receiver = Receiver(of: engine, batch: { gathered(ResultsHandle(retaining: $0)) })
        let (status, ready) = engine.fetchAll(
            PackedKeys(numbers), options: OptionsHandle(), handle: nil, receiver: receiver, atOnce: true)
        if let ready {
            gathered(ready)
        } else if status != KVL_PENDING {
            finish(keys.map { ($0, .failure(thrown(status))) })
        }
    }

    private static func result(_ position: kvl_result_t) -> Result<Element?, Error> {
        position.status == KVL_ERR_QUEUE_FULL ? .failure(Errors.evictedByPriorityStrategy) : position.outcome()
    }
}

/// The class is synchronised. The program is responsible for the use of its keys, elements and closures on other threads.
extension KVLightTasksManager: @unchecked Sendable {}
