// What an engine is made from.

import CKVLight
import Dispatch

extension KVLightTasks {
    /// Which of the waiting fetches goes first.
    public enum QueueOrder: String, Sendable {
        /// The newest: for lists that scroll. When the queue is full a newcomer takes the place of the oldest key that is not more urgent.
        case lifo
        /// The oldest. When the queue is full a newcomer takes the place of a less urgent key, or is refused.
        case fifo
    }

    /// What ``KVLightTasks`` is made from. Values out of range are brought into it.
    public struct Config: Sendable {
        public var provider: Provider
        public var cache: CacheConfiguration<K, Element>
        /// How many requests may be with the provider at a time.
        public var maximumRunningRequests = 4
        /// Lets the number of requests that may be with the provider find itself by how long they take: between this and
        /// ``maximumRunningRequests``, beginning here. `nil` is ``maximumRunningRequests`` always.
        public var minimumRunningRequests: Int?
        /// How many requests whose time is over may still be with the provider while their place is used again.
        public var maximumAbandonedRequests = 4
        /// How many places the queue has: so many keys of single fetches may wait.
        public var maximumQueuedKeys = 65_536
        public var queueOrder = QueueOrder.fifo
        /// Which part of the places one fetch may hold, at least one; its other keys wait without a place.
        public var queueShare = 0.5
        /// `false`: keys of a fetch of many that find no place do not wait without one but fail with ``KVLightError/queueFull``.
        public var keysWaitWithTheirFetch = true
        /// How long a key waits for company before a request is formed.
        public var linger = Duration.zero
        /// Whether a key that the provider leaves out is absent, rather than ``KVLightError/unanswered``.
        public var omittedKeysAreNull = false
        public var batchMode = BatchMode.partial
        /// How long a fetch waits; `nil` is for ever.
        public var timeout: Duration?
        /// How long the provider may take for a request; `nil` is for ever.
        public var attemptTimeout: Duration?
        public var retry: RetryPolicy
        /// When a provider that fails is left alone; `nil` is never.
        public var circuitBreaker: CircuitBreaker?
        /// How many requests a second go to the provider; `nil` is no limit.
        public var rateLimit: RateLimit?
        public var readMode = ReadMode.normal
        /// The priority with which answers are stored.
        public var elementPriority = 0.0
        /// Where closures are called: `fetch(key:completion:)` and its kin, and progress. `nil` is a thread of the library's, or a global
        /// queue for what was resident; one at a time in any case: a closure that takes long keeps the others waiting.
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
        }
    }
}

extension Duration {
    /// Whole, rounded up, never below 0; some 292,000 years at most.
    fileprivate var microseconds: Int64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000)
        let (sum, beyond) = whole.addingReportingOverflow((attoseconds + 999_999_999_999) / 1_000_000_000_000)
        return overflow || beyond ? Int64.max : sum
    }
}
