// Results as they arrive.

import CKVLight

/// Results as they arrive: one for each key of the call, duplicates included, with its key.
///
/// The fetch begins with the iteration. Leaving the loop early, or cancelling its task, cancels the open keys.
public struct KVLightStream<K: KVLightKey, Element: Sendable>: AsyncSequence, Sendable {
    let tasks: KVLightTasks<K, Element>
    let keys: [K]
    let options: FetchOptions

    public struct AsyncIterator: AsyncIteratorProtocol {
        var base: AsyncThrowingStream<(K, Result<Element?, any Error>), any Error>.Iterator

        /// - Throws: `CancellationError` if the task was cancelled; ``KVLightError`` if the fetch was not accepted.
        public mutating func next() async throws -> (K, Result<Element?, any Error>)? {
            guard let next = try await base.next() else {
                // The underlying stream ends without an error when its task is cancelled.
                try Task.checkCancellation()
                return nil
            }
            return next
        }
    }

    public func makeAsyncIterator() -> AsyncIterator {
        let fetch = FetchHandle(urgency: options.urgency ?? Task.currentPriority)
        // A task that is cancelled before it starts must not start a load.
        if Task.isCancelled { fetch.cancel() }
        let (stream, continuation) = AsyncThrowingStream<(K, Result<Element?, any Error>), any Error>.makeStream()
        continuation.onTermination = { _ in fetch.cancel() }
        let (keys, progress, deliver) = (keys, options.progress, tasks.settings.deliver)
        let receiver = Receiver(
            of: tasks.engine,
            keeping: tasks.spellings.hold(keys),
            position: { position in
                continuation.yield((keys[position.index], position.outcome()))
                if position.flags & KVL_F_LAST != 0 { deliver.end(progress) { continuation.finish() } }
            },
            progress: deliver.progress(progress))
        let status = tasks.engine.fetchEach(PackedKeys(keys), options: OptionsHandle(options), handle: fetch, receiver: receiver)
        if status != KVL_PENDING {
            continuation.finish(throwing: status == KVL_OK ? nil : thrown(status))
        }
        return AsyncIterator(base: stream.makeAsyncIterator())
    }
}

extension KVLightTasks {
    /// Fetches many keys and delivers each as soon as it settles.
    public func stream(keys: [K], timeout: Duration? = nil, options: FetchOptions = FetchOptions()) -> KVLightStream<K, Element> {
        KVLightStream(tasks: self, keys: keys, options: options.waiting(timeout))
    }
}
