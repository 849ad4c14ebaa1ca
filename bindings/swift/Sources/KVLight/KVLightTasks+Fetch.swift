// Fetches to await.
//
// A resident key is answered at once: no closure is allocated, no thread is changed, and the caller's actor is not left. Otherwise a
// fetch handle is created before anything can be cancelled, and a receiver passes the continuation to the library. If the library
// returns "pending", it calls the receiver once. Otherwise it never calls the receiver, and the continuation is resumed here.

import CKVLight

extension KVLightTasks {
    /// Fetches one key: from the store if it is there, otherwise from the provider, in one load shared with all other callers.
    ///
    /// - Parameters:
    ///   - timeout: how long to wait, in place of the timeout of the options and of the configuration.
    /// - Returns: the element; `nil` if there is none, if the validator rejects the key, or if it is not in the store and
    ///   ``ReadMode/cacheOnly`` is set.
    /// - Throws: the error of the provider; ``KVLightError``; `CancellationError` as soon as the task is cancelled, and only then.
    @inlinable
    public func fetch(
        key: K, timeout: Duration? = nil, options: FetchOptions = FetchOptions(), isolation: isolated (any Actor)? = #isolation
    ) async throws -> Element? {
        try Task.checkCancellation()
        if asksStoreFirst(options), let found = engine.get(key, as: Element.self) {
            return found
        }
        return try await load(key, options.waiting(timeout)).get()
    }

    /// `try await posts[id]` is `try await posts.fetch(key: id)`.
    @inlinable
    public subscript(key: K) -> Element? {
        get async throws { try await fetch(key: key) }
    }

    /// Fetches many keys: a dictionary, in which a key without an element has `nil`.
    ///
    /// - Throws: the first error. Keys that are open then are cancelled, unless ``FetchOptions/batchMode`` is ``BatchMode/partial``.
    @inlinable
    public func values(
        for keys: [K], timeout: Duration? = nil, options: FetchOptions = FetchOptions(), isolation: isolated (any Actor)? = #isolation
    ) async throws -> [K: Element?] {
        var elements: [K: Element?] = Dictionary(minimumCapacity: keys.count)
        try await collect(keys, timeout, options) { key, element in elements.updateValue(element, forKey: key) }
        return elements
    }

    /// Fetches many keys: pairs in the order of the keys, duplicates repeated.
    ///
    /// - Throws: the first error. Keys that are open then are cancelled, unless ``FetchOptions/batchMode`` is ``BatchMode/partial``.
    @inlinable
    public func pairs(
        for keys: [K], timeout: Duration? = nil, options: FetchOptions = FetchOptions(), isolation: isolated (any Actor)? = #isolation
    ) async throws -> [(K, Element?)] {
        var pairs: [(K, Element?)] = []
        pairs.reserveCapacity(keys.count)
        try await collect(keys, timeout, options) { pairs.append(($0, $1)) }
        return pairs
    }

    /// The same as ``values(for:timeout:options:isolation:)``.
    @inlinable
    public func fetch(
        keys: [K], timeout: Duration? = nil, options: FetchOptions = FetchOptions(), isolation: isolated (any Actor)? = #isolation
    ) async throws -> [K: Element?] {
        try await values(for: keys, timeout: timeout, options: options, isolation: isolation)
    }

    /// The same as ``pairs(for:timeout:options:isolation:)``, if the result type is stated: `as [(K, Element?)]`.
    @inlinable
    @_disfavoredOverload
    public func fetch(
        keys: [K], timeout: Duration? = nil, options: FetchOptions = FetchOptions(), isolation: isolated (any Actor)? = #isolation
    ) async throws -> [(K, Element?)] {
        try await pairs(for: keys, timeout: timeout, options: options, isolation: isolation)
    }

    /// Fetches many keys, each with its own outcome, in the order of the keys, duplicates repeated. Never throws: keys that are open when
    /// the task is cancelled have a `CancellationError`.
    @inlinable
    public func results(
        for keys: [K], timeout: Duration? = nil, options: FetchOptions = FetchOptions(), isolation: isolated (any Actor)? = #isolation
    ) async -> [(K, Result<Element?, any Error>)] {
        switch await gather(PackedKeys(keys), spellings.hold(keys), options.waiting(timeout)) {
        case .success(let results): Self.pairs(keys, results)
        case .failure(let error): keys.map { ($0, .failure(error)) }
        }
    }

    /// Fetches many keys, with the details of each outcome, their counts and their errors.
    public func outcomes(
        for keys: [K], timeout: Duration? = nil, options: FetchOptions = FetchOptions(), isolation: isolated (any Actor)? = #isolation
    ) async throws -> BatchOutcome<K, Element> {
        BatchOutcome(keys: keys, results: try await gather(PackedKeys(keys), spellings.hold(keys), options.waiting(timeout)).get())
    }

    // MARK: Implementation

    @usableFromInline
    func asksStoreFirst(_ options: FetchOptions) -> Bool {
        switch options.read {
        case .refresh: false
        case nil: settings.readsStoreFirst
        default: !settings.validates
        }
    }

    @usableFromInline
    func load(
        _ key: K, _ options: FetchOptions, isolation: isolated (any Actor)? = #isolation
    ) async -> Result<Element?, any Error> {
        let handle = FetchHandle(urgency: options.urgency ?? Task.currentPriority)
        return await withTaskCancellationHandler {
            // A closure stays on the caller's actor only if it captures that actor.
            _ = isolation
            return await withCheckedContinuation { continuation in
                let receiver = Receiver(of: engine, keeping: spellings.hold(CollectionOfOne(key)), position: { continuation.resume(returning: $0.outcome()) })
                let status = engine.fetch(key, options: OptionsHandle(options), handle: handle, receiver: receiver)
                if status != KVL_PENDING {
                    continuation.resume(returning: .failure(thrown(status)))
                }
            }
        } onCancel: {
            handle.cancel()
        }
    }

    @usableFromInline
    func gather(
        _ keys: PackedKeys, _ spelled: (any AnyObject & Sendable)?, _ options: FetchOptions, isolation: isolated (any Actor)? = #isolation
    ) async -> Result<ResultsHandle, any Error> {
        let handle = FetchHandle(urgency: options.urgency ?? Task.currentPriority)
        return await withTaskCancellationHandler {
            // A closure stays on the caller's actor only if it captures that actor.
            _ = isolation
            return await withCheckedContinuation { continuation in
                let deliver = settings.deliver
                let receiver = Receiver(
                    of: engine,
                    keeping: spelled,
                    batch: { results in
                        let results = ResultsHandle(retaining: results)
                        deliver.end(options.progress) { continuation.resume(returning: .success(results)) }
                    },
                    progress: deliver.progress(options.progress))
                let (status, ready) = engine.fetchAll(
                    keys, options: OptionsHandle(options), handle: handle, receiver: receiver, atOnce: true)
                if let ready {
                    continuation.resume(returning: .success(ready))
                } else if status != KVL_PENDING {
                    continuation.resume(returning: .failure(thrown(status)))
                }
            }
        } onCancel: {
            handle.cancel()
        }
    }

    @inlinable
    func collect(
        _ keys: [K], _ timeout: Duration?, _ options: FetchOptions, isolation: isolated (any Actor)? = #isolation,
        _ add: (K, Element?) -> Void
    ) async throws {
        try Task.checkCancellation()
        var options = options.waiting(timeout)
        options.batchMode = options.batchMode ?? .allOrNothing
        let results = try await gather(PackedKeys(keys), spellings.hold(keys), options).get()
        if let error = results.endedEarly { throw error }
        try results.forEach { add(keys[$0.index], try $0.outcome().get()) }
    }

    @inlinable
    static func pairs(_ keys: [K], _ results: ResultsHandle) -> [(K, Result<Element?, any Error>)] {
        var pairs: [(K, Result<Element?, any Error>)] = []
        pairs.reserveCapacity(keys.count)
        results.forEach { pairs.append((keys[$0.index], $0.outcome())) }
        return pairs
    }
}
