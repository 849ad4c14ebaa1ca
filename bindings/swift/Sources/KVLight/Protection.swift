// The protection of the provider and of its callers: a circuit breaker, a rate limit, and hedging.

import CKVLight

/// The circuit breaker, which pauses calls of a failing provider. It counts requests. A permanent error does not count as a failure.
public struct CircuitBreaker: Hashable, Sendable {
    /// The condition that opens the circuit breaker.
    public enum Trip: Hashable, Sendable {
        /// This number of failures in a row.
        case consecutive(Int)
        /// This part of the requests, 0 to 1, failed within the given time, in which there were at least `minimumRequests`.
        case ratio(Double, within: Duration = .seconds(10), minimumRequests: Int = 20)
    }

    /// The state of the circuit breaker.
    public enum State: UInt32, Sendable {
        /// Requests go to the provider.
        case closed = 0
        /// No requests go to the provider: keys fail at once with ``KVLightError/unavailable``, or receive their fallback.
        case open
        /// A few requests go to the provider, to find out whether it works again.
        case halfOpen
    }

    /// A state that a program can force.
    public enum ForcedState: UInt32, Sendable {
        case closed = 1
        case open
    }

    public var trip: Trip
    /// How long the circuit breaker stays open before it lets probes through.
    public var openFor: Duration
    /// The number of probes that must succeed before the circuit breaker closes. A probe that fails opens it again.
    public var probes: Int

    public init(_ trip: Trip, openFor: Duration = .seconds(5), probes: Int = 1) {
        self.trip = trip
        self.openFor = openFor
        self.probes = probes
    }

    func write(to config: borrowing ConfigHandle) {
        switch trip {
        case .consecutive(let count):
            config.set("breaker.consecutive", min(max(count, 1), Int(UInt32.max)))
        case .ratio(let ratio, let window, let minimum):
            config.set("breaker.failure_ratio", ratio.isNaN ? 0.5 : min(max(ratio, 0.001), 1))
            config.set("breaker.window_ms", min(window.milliseconds(atLeast: 10), Int64(UInt32.max)))
            config.set("breaker.min_requests", min(max(minimum, 1), Int(UInt32.max)))
        }
        config.set("breaker.open_ms", min(openFor.milliseconds(atLeast: 1), Int64(UInt32.max)))
        config.set("breaker.probes", min(max(probes, 1), Int(UInt32.max)))
    }
}

/// The number of requests per second that go to the provider. A key that waits because of the limit does not hold a slot.
public struct RateLimit: Hashable, Sendable {
    public var requestsPerSecond: Double
    /// The number of requests that may be made at once after a pause.
    public var burst: Int

    public init(requestsPerSecond: Double, burst: Int = 1) {
        self.requestsPerSecond = requestsPerSecond
        self.burst = burst
    }

    func write(to config: borrowing ConfigHandle) {
        config.set("rate.requests_per_s", requestsPerSecond.isNaN ? 1 : min(max(requestsPerSecond, 0.001), 1_000_000_000))
        config.set("rate.burst", min(max(burst, 1), Int(UInt32.max)))
    }
}

/// When a slow request is repeated with its unanswered keys. The first answer counts, and the other request is cancelled. The provider must
/// tolerate two requests for the same key at a time, and two requests must be allowed to run at a time
/// (``KVLightTasks/Config/maximumRunningRequests``).
public struct Hedging: Hashable, Sendable {
    /// When a request is slow.
    public enum Trigger: Hashable, Sendable {
        /// It has taken this long: less than the ``KVLightTasks/Config/attemptTimeout``.
        case after(Duration)
        /// It has taken longer than this part of the last requests took, 0.95 for example.
        case percentile(Double)
    }

    public var trigger: Trigger
    /// The maximum part of the requests that is repeated.
    public var maximumRatio: Double

    public init(_ trigger: Trigger, maximumRatio: Double = 0.05) {
        self.trigger = trigger
        self.maximumRatio = maximumRatio
    }

    func write(to config: borrowing ConfigHandle) {
        switch trigger {
        case .after(let time): config.set("hedge.after_ms", min(time.milliseconds(atLeast: 1), Int64(UInt32.max)))
        case .percentile(let part): config.set("hedge.percentile", part.isNaN ? 0.95 : min(max(part, 0.001), 1))
        }
        config.set("hedge.max_ratio", maximumRatio.isNaN ? 0.05 : min(max(maximumRatio, 0.001), 1))
    }
}
