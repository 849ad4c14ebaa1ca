// A cache with a provider.

import CKVLight
import Dispatch

/// A loading cache: elements come from memory, and missing ones from the program's provider.
///
/// Each key is loaded once, however many callers ask for it; one request carries many keys; a bounded number of requests runs at a time,
/// with retry, timeout and cancellation; a key without an element is stored as absent.
///
/// ```swift
/// let posts = KVLightTasks<PostID, Post>(config: .init(provider: .batch(maximumBatchCount: 64) { ids in
///     let rows = try await api.posts(ids)                             // [PostID: Post]
///     return Dictionary(uniqueKeysWithValues: ids.map { ($0, rows[$0]) })  // nil: there is no such post
/// }))
///
/// let post = try await posts.fetch(key: id)                           // Post?
/// let same = try await posts[id]
/// let map = try await posts.values(for: ids)                          // [PostID: Post?]
/// let list = try await posts.pairs(for: ids)                          // [(PostID, Post?)], in order, duplicates kept
/// let each = await posts.results(for: ids)                            // [(PostID, Result<Post?, any Error>)]
/// for try await (id, result) in posts.stream(keys: ids) { … }         // as they arrive
/// ```
///
/// Fetches in progress keep the engine alive until they are settled, also after the last reference was released. A provider that
/// captures the instance strongly keeps it alive forever: capture it weakly.
public final class KVLightTasks<K: KVLightKey, Element: Sendable>: Sendable {
    @usableFromInline let engine: EngineHandle
    let settings: Settings
    @usableFromInline let spellings: Spellings<K>

    /// The store, to read and to write. An element that is set also answers the fetches of its key that are not with the provider yet. A
    /// request that is with the provider still answers its own fetches, but what it returns for a key written meanwhile is not stored.
    public let cache: MemoryCache<K, Element>

    /// The part of the configuration that fetches need.
    struct Settings: Sendable {
        /// Whether a fetch without options starts with a lookup in the store.
        let readsStoreFirst: Bool
        /// Whether there is a validator. A fetch calls it once for each position, so it then makes no separate lookup first.
        let validates: Bool
        let deliver: Delivery
    }

    /// Creates an engine.
    ///
    /// - Precondition: ``Config/problem`` is `nil`: no settings contradict each other. Otherwise the program ends with the problem.
    public init(config: Config) {
        let settings = ConfigHandle()
        let reported = ReportedCache()
        let spellings = Spellings<K>()
        let context = RequestContext<K, Element>(pricing: config.cache.pricing, spellings: spellings)
        let connection = config.sharing?.connection()
        config.write(to: settings, reported: reported, spellings: spellings)
        // Optimised programs print the message of a fatal error, but not that of a failed precondition.
        if let problem = settings.contradiction() { fatalError("KVLightTasks(config:): \(problem)") }
        config.sharing?.write(to: settings, pricing: config.cache.pricing, server: try? connection?.get())
        let provide = config.provider.answer
        settings.setProvider { request in provide(RequestHandle(retaining: request), context) }
        engine = EngineHandle(settings, connection: connection)
        let store = CacheHandle(of: engine)
        reported.raw = store.raw
        cache = MemoryCache(handle: store, pricing: config.cache.pricing, spellings: spellings)
        self.spellings = spellings
        self.settings = Settings(
            readsStoreFirst: engine.readsStoreFirst, validates: config.cache.keyValidator != nil, deliver: Delivery(queue: config.callbackQueue))
    }

    /// Creates an engine with the given provider, and defaults for all else.
    public convenience init(provider: Provider) {
        self.init(config: Config(provider: provider))
    }

    /// Creates an engine with a provider of one key, in a task: `KVLightTasks<PostID, Post> { id in try await api.post(id) }`.
    @inlinable
    public convenience init(_ load: @escaping @Sendable (K) async throws -> Element?) {
        self.init(provider: .single(load))
    }

    /// Creates an engine with a provider of many keys, in a task. It returns an entry for every key; `nil` says that there is no element. A
    /// key without an entry is left unanswered.
    @inlinable
    public convenience init(maximumBatchCount: Int = 20, _ load: @escaping @Sendable ([K]) async throws -> [K: Element?]) {
        self.init(provider: .batch(maximumBatchCount: maximumBatchCount, load))
    }

    /// Loads missing keys in the background, after all keys that a caller waits for. It delivers neither elements nor errors: a failure of
    /// the provider is only counted in ``statistics``, and after a close nothing is loaded. Cancelling the returned fetch cancels the keys
    /// that have not been loaded; releasing it does not.
    @discardableResult
    public func prefetch(keys: [K], options: FetchOptions = FetchOptions()) -> KVLightFetch {
        let fetch = KVLightFetch(urgency: options.urgency ?? .background)
        let receiver = Receiver(of: engine, keeping: spellings.hold(keys), progress: settings.deliver.progress(options.progress))
        _ = engine.fetchAll(PackedKeys(keys), options: OptionsHandle(options), handle: fetch.handle, receiver: receiver, atOnce: false)
        return fetch
    }

    /// Reloads keys, or joins loads of them in progress, and delivers nothing. Until the reload is done, other fetches get the current
    /// elements; if it fails, the current element stays.
    public func refresh(keys: [K], options: FetchOptions = FetchOptions()) throws {
        spellings.holdInBackground(keys)
        let status = engine.refresh(PackedKeys(keys), options: OptionsHandle(options))
        guard status == KVL_OK else { throw thrown(status) }
    }

    /// Reports that another process has changed these keys: their elements leave this process, and the answers of running loads of these
    /// keys are not stored.
    public func invalidate(keys: [K]) throws {
        let status = engine.invalidate(PackedKeys(keys))
        guard status == KVL_OK else { throw thrown(status) }
    }

    /// Reports that another process may have changed any key: all elements leave this process.
    public func invalidateAll() throws {
        let status = engine.invalidateAll()
        guard status == KVL_OK else { throw thrown(status) }
    }

    /// Waits until the second tier has everything that was written to the store before this call, for at most `time`; `nil` is without
    /// limit. Returns whether the second tier has it. Throws ``KVLightError/closed`` if some of it was given up.
    public func syncSecondTier(within time: Duration? = nil) async throws -> Bool {
        let milliseconds = time.map { $0.milliseconds() } ?? Int64(KVL_FOREVER)
        // The wait blocks its thread.
        let status = await withCheckedContinuation { continuation in
            DispatchQueue.global().async { [engine] in continuation.resume(returning: engine.syncSecondTier(milliseconds)) }
        }
        guard status == KVL_OK || status == KVL_ERR_TIMEOUT else { throw thrown(status) }
        return status == KVL_OK
    }

    /// The state of the connection to the server of a ``Sharing/init(l2URL:encode:decode:failed:)``, as JSON with the members of
    /// `kvl_redis_state`: whether it is connected, and if not, what is wrong and how to fix it. `nil`: there is no such server.
    public func secondTierState() throws -> String? { try engine.server?.state() }

    // MARK: The circuit breaker

    /// The state of the circuit breaker; ``CircuitBreaker/State/closed`` if there is none.
    public var circuitBreaker: CircuitBreaker.State { CircuitBreaker.State(rawValue: engine.breaker) ?? .closed }

    /// Forces the circuit breaker open or closed, whatever the provider does; `nil` returns it to automatic operation.
    public func forceCircuitBreaker(_ state: CircuitBreaker.ForcedState?) {
        engine.forceBreaker(state?.rawValue ?? KVL_BREAKER_FORCE_NONE)
    }

    // MARK: Closing

    /// How a close treats the fetches in progress.
    public enum CloseMode: Sendable {
        /// They fail with ``KVLightError/closed``.
        case cancel
        /// They continue, for at most the given time; those that are still open then fail with ``KVLightError/closed``.
        case drain(within: Duration? = nil)
    }

    /// Accepts no new calls, and returns when every fetch is settled, and every call of the provider and every closure that runs without
    /// a ``Config/callbackQueue`` has returned.
    ///
    /// A second close can only shorten the time of the first.
    public func close(_ mode: CloseMode = .cancel) async {
        let (code, deadline): (UInt32, Int64) =
            switch mode {
            case .cancel: (KVL_CLOSE_CANCEL, 0)
            case .drain(let time): (KVL_CLOSE_DRAIN, time.map { $0.milliseconds() } ?? Int64(KVL_FOREVER))
            }
        await withCheckedContinuation { continuation in
            let deliver = settings.deliver
            engine.close(mode: code, deadline: deadline) { deliver.afterClosures { continuation.resume() } }
        }
    }

    // MARK: Statistics

    /// Counters of the store and of the loads.
    public var statistics: KVLightStatistics { cache.statistics }

    /// Starts a new window of statistics; gauges keep their values.
    public func resetStatistics() {
        cache.resetStatistics()
    }

    public func statistics(as format: StatisticsFormat) -> String {
        cache.statistics(as: format)
    }
}
