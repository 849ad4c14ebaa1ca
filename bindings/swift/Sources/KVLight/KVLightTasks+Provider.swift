// The provider: six forms, and two for special needs.

extension KVLightTasks {
    /// The function that loads the keys that are not in the store: one key or many, as a synchronous function, an `async` one, or one that
    /// calls back.
    ///
    /// An `async` provider runs as a `Task` at the caller's priority, and is cancelled when the last waiting caller has left. A synchronous
    /// provider runs on a thread that it may block. An error that a provider throws reaches every waiting caller unchanged, except that a
    /// `CancellationError` becomes a ``KVLightError/provider(code:message:)``.
    ///
    /// A provider of many keys returns an entry for every key; entries of other keys are ignored. A provider that waits for its own engine to
    /// load a key holds its slot meanwhile: if that key is one of its own, or if ``Config/maximumRunningRequests`` of them wait, the wait
    /// never ends unless there is a timeout.
    public struct Provider: Sendable {
        let maximumBatchCount: Int
        let answer: @Sendable (RequestHandle, RequestContext<K, Element>) -> Void

        /// Inlined where the types are known, like all code that runs for each key: generic code takes several times as long.
        @inlinable
        init(maximumBatchCount: Int, answer: @escaping @Sendable (KVLightRequest<K, Element>) -> Void) {
            self.init(maximumBatchCount: maximumBatchCount, handling: { handle, context in
                guard let request = KVLightRequest<K, Element>(handle, context) else { return }
                answer(request)
            })
        }

        @usableFromInline
        init(maximumBatchCount: Int, handling answer: @escaping @Sendable (RequestHandle, RequestContext<K, Element>) -> Void) {
            self.maximumBatchCount = maximumBatchCount
            self.answer = answer
        }

        /// Delivers the outcome of one key.
        public typealias Completion = @Sendable (Result<Element?, any Error>) -> Void
        /// Delivers the outcomes of many keys.
        public typealias BatchCompletion = @Sendable (Result<[K: Element?], any Error>) -> Void

        // MARK: One key

        /// Answers one key by calling back, once, from any thread.
        @inlinable
        public static func single(_ load: @escaping @Sendable (K, @escaping Completion) -> Void) -> Provider {
            Provider(maximumBatchCount: 1) { request in
                load(request.keys[0]) { result in
                    switch result {
                    case .success(let element):
                        request.resolve(at: 0, with: element)
                        request.finish()
                    case .failure(let error):
                        request.finish(throwing: error)
                    }
                }
            }
        }

        /// Answers one key, in a task.
        @inlinable
        public static func single(_ load: @escaping @Sendable (K) async throws -> Element?) -> Provider {
            Provider(maximumBatchCount: 1) { request in
                request.runTask { request in
                    let element = try await load(request.keys[0])
                    request.resolve(at: 0, with: element)
                }
            }
        }

        /// Answers one key, on a thread that may block.
        @inlinable
        public static func single(_ load: @escaping @Sendable (K) throws -> Element?) -> Provider {
            Provider(maximumBatchCount: 1) { request in
                request.run { request in
                    let element = try load(request.keys[0])
                    request.resolve(at: 0, with: element)
                }
            }
        }

        // MARK: Many keys

        /// Answers many keys by calling back, once, from any thread. A key without an entry is left unanswered.
        @inlinable
        public static func batch(
            maximumBatchCount: Int = 20, _ load: @escaping @Sendable ([K], @escaping BatchCompletion) -> Void
        ) -> Provider {
            Provider(maximumBatchCount: maximumBatchCount) { request in
                load(request.keys) { result in request.settle(result) }
            }
        }

        /// Answers many keys, in a task. A key without an entry is left unanswered.
        @inlinable
        public static func batch(
            maximumBatchCount: Int = 20, _ load: @escaping @Sendable ([K]) async throws -> [K: Element?]
        ) -> Provider {
            Provider(maximumBatchCount: maximumBatchCount) { request in
                request.runTask { request in request.settle(elements: try await load(request.keys)) }
            }
        }

        /// Answers many keys, on a thread that may block. A key without an entry is left unanswered.
        @inlinable
        public static func batch(
            maximumBatchCount: Int = 20, _ load: @escaping @Sendable ([K]) throws -> [K: Element?]
        ) -> Provider {
            Provider(maximumBatchCount: maximumBatchCount) { request in
                request.run { request in request.settle(elements: try load(request.keys)) }
            }
        }

        // MARK: More

        /// Answers many keys, each with its own element or error, in a task. A key without an entry is left unanswered.
        @inlinable
        public static func results(
            maximumBatchCount: Int = 20, _ load: @escaping @Sendable ([K]) async throws -> [K: Result<Element?, any Error>]
        ) -> Provider {
            Provider(maximumBatchCount: maximumBatchCount) { request in
                request.runTask { request in
                    let results = try await load(request.keys)
                    for (i, key) in request.keys.enumerated() {
                        switch results[key] {
                        case .success(let element): request.resolve(at: i, with: element)
                        case .failure(let error): request.fail(at: i, with: error)
                        case nil: break
                        }
                    }
                }
            }
        }

        /// Receives the request itself, to answer key by key, at any time, with terms for each.
        @inlinable
        public static func requests(
            maximumBatchCount: Int = 20, _ take: @escaping @Sendable (KVLightRequest<K, Element>) -> Void
        ) -> Provider {
            Provider(maximumBatchCount: maximumBatchCount, answer: take)
        }
    }
}

extension KVLightRequest {
    /// Answers from a thread of the library.
    @inlinable
    func run(_ body: (KVLightRequest) throws -> Void) {
        do {
            try body(self)
            finish()
        } catch {
            finish(throwing: error)
        }
    }

    /// Answers from a task, which is cancelled when the last waiting caller has left.
    @usableFromInline
    func runTask(_ body: @escaping @Sendable (KVLightRequest) async throws -> Void) {
        let task = Task(priority: priority) {
            do {
                try await body(self)
                finish()
            } catch {
                finish(throwing: error)
            }
        }
        onCancel { task.cancel() }
    }

    @inlinable
    func settle(_ result: Result<[K: Element?], any Error>) {
        switch result {
        case .success(let elements):
            settle(elements: elements)
            finish()
        case .failure(let error):
            finish(throwing: error)
        }
    }

    @inlinable
    func settle(elements: [K: Element?]) {
        for (i, key) in keys.enumerated() {
            if let element = elements[key] {
                resolve(at: i, with: element)
            }
        }
    }
}
