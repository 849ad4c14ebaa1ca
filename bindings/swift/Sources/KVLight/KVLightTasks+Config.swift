// The configuration of an engine.

import CKVLight
import Dispatch

extension KVLightTasks {
    /// The order in which waiting keys are loaded.
    public enum QueueOrder: String, Sendable {
        /// The newest first, for lists that scroll. If the queue is full, a new key takes the place of the oldest that is not more urgent.
        case lifo
        /// The oldest first. If the queue is full, a new key takes the place of a less urgent one, or fails.
        case fifo
    }

    /// The configuration of ``KVLightTasks``. Values outside their range are clamped to it. Settings that contradict each other, such as a
    /// fallback for elements that never expire, are a ``problem``, with which no engine can be created.
    public struct Config: Sendable {
        public var provider: Provider
        public var cache: CacheConfiguration<K, Element>
        /// The maximum number of requests that the provider has at a time.
        public var maximumRunningRequests = 4
        /// If set, the limit of running requests adapts to their latency: it starts with this number, and stays between it and
        /// ``maximumRunningRequests``. `nil`: the limit is always ``maximumRunningRequests``.
        public var minimumRunningRequests: Int?
        /// The maximum number of timed-out requests that the provider may still be working on while their slots are used again.
        public var maximumAbandonedRequests = 4
        /// The number of places in the queue: the maximum number of waiting keys of single fetches.
        public var maximumQueuedKeys = 65_536
        public var queueOrder = QueueOrder.fifo
        /// The part of the places, 0 to 1, that one fetch may hold, at least one place. See ``keysWaitWithTheirFetch`` for its other keys.
        public var queueShare = 0.5
        /// Whether the keys of a fetch of many keys that find no place in the queue wait all the same. If not, they fail with
        /// ``KVLightError/queueFull``.
        public var keysWaitWithTheirFetch = true
        /// How long a key waits for others to join its request.
        public var linger = Duration.zero
        /// Whether a key that the provider leaves out is absent, rather than ``KVLightError/unanswered``.
        public var omittedKeysAreNull = false
        public var batchMode = BatchMode.partial
        /// How long a fetch waits; `nil` is without limit.
        public var timeout: Duration?
        /// How long the provider may take for a request; `nil` is without limit.
        public var attemptTimeout: Duration?
        public var retry: RetryPolicy
        /// The circuit breaker, which pauses calls of a failing provider; `nil` is none.
        public var circuitBreaker: CircuitBreaker?
        /// The limit of requests per second; `nil` is no limit.
        public var rateLimit: RateLimit?
        /// When a slow request is repeated; `nil` is never.
        public var hedging: Hedging?
        /// A store behind the engine that several processes may share; `nil` is none.
        public var sharing: Sharing<Element>?
        public var readMode = ReadMode.normal
        /// The priority with which answers are stored.
        public var elementPriority = 0.0
        /// Where the closures of fetches and of their progress are called. `nil` is a global queue, where one closure of the engine runs at a
        /// time: a slow one delays the others, but no fetch that awaits, except one with progress, which returns after its last report. A
        /// closure must not wait for another one of the same engine, or for such a fetch.
        public var callbackQueue: DispatchQueue?

        public init(
            provider: Provider,
            cache: CacheConfiguration<K, Element> = .init(),
            maximumRunningRequests: Int = 4,
            maximumQueuedKeys: Int = 65_536,
            queueOrder: QueueOrder = .fifo,
            timeout: Duration? = nil,
            attemptTimeout: Duration? = nil,
            retry: RetryPolicy = .never
        ) {
            self.provider = provider
            self.cache = cache
            self.maximumRunningRequests = maximumRunningRequests
            self.maximumQueuedKeys = maximumQueuedKeys
            self.queueOrder = queueOrder
            self.timeout = timeout
            self.attemptTimeout = attemptTimeout
            self.retry = retry
        }

        /// Why no engine can be created with this configuration: the settings that contradict each other, and what to do. `nil` if there is
        /// no problem. A program whose settings come from elsewhere checks this first, since `KVLightTasks(config:)` ends the program.
        public var problem: String? {
            let settings = ConfigHandle()
            write(to: settings, reported: ReportedCache(), spellings: Spellings())
            return settings.contradiction()
        }

        /// Writes all settings but the provider and the second tier.
        func write(to config: borrowing ConfigHandle, reported: ReportedCache, spellings: Spellings<K>) {
            cache.write(to: config, reported: reported, spellings: spellings)
            let maximum = min(max(maximumRunningRequests, 1), 65_536)
            config.set("tasks.max_running", maximum)
            if let minimumRunningRequests {
                config.set("tasks.limit", "adaptive")
                config.set("tasks.min_running", min(max(minimumRunningRequests, 1), maximum))
            }
            config.set("tasks.max_abandoned", min(max(maximumAbandonedRequests, 0), 65_536))
            config.set("queue.max_keys", min(max(maximumQueuedKeys, 0), Int(UInt32.max)))
            config.set("queue.order", queueOrder.rawValue)
            config.set("queue.share", queueShare.isNaN ? 0.5 : min(max(queueShare, 0), 1))
            config.set("queue.overflow", keysWaitWithTheirFetch ? "wait" : "reject")
            config.set("batch.max_keys", min(max(provider.maximumBatchCount, 1), 1_000_000))
            config.set("batch.linger_us", min(linger.microseconds, 3_600_000_000))
            config.set("batch.omitted_is_null", omittedKeysAreNull)
            config.set("batch.mode", batchMode.rawValue)
            config.set("timeout_ms", timeout.timeoutMilliseconds)
            config.set("attempt_timeout_ms", attemptTimeout.timeoutMilliseconds)
            config.set("read", readMode.rawValue)
            config.set("priority", elementPriority.isNaN ? 0 : elementPriority)
            config.set(retry)
            circuitBreaker?.write(to: config)
            rateLimit?.write(to: config)
            hedging?.write(to: config)
        }
    }
}

extension Duration {
    /// In whole microseconds, rounded up, at least 0 and at most `Int64.max`.
    fileprivate var microseconds: Int64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, beyond) = whole.addingReportingOverflow((attoseconds + 999_999_999_999) / 1_000_000_000_000)
        return overflow || beyond ? Int64.max : sum
    }
}
