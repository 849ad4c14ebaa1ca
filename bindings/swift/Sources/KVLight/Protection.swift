// What protects the provider: a circuit breaker, and a limit of the rate.

import CKVLight

/// When a provider that fails is left alone. The unit is a request; an error that is permanent is no failure of the provider's.
public struct CircuitBreaker: Hashable, Sendable {
    /// What opens it.
    public enum Trip: Hashable, Sendable {
        /// That many failures in a row.
        case consecutive(Int)
        /// That part of the requests, 0 to 1, in a time in which there were at least so many.
        case ratio(Double, within: Duration = .seconds(10), minimumRequests: Int = 20)
    }

    /// What it does.
    public enum State: UInt32, Sendable {
        /// Requests go to the provider.
        case closed = 0
        /// They do not: keys that need the provider fail at once with ``KVLightError/unavailable``, or receive their fallback.
        case open
        /// A few do, to see whether it is well again.
        case halfOpen
    }

    /// What it can be ordered to do.
    public enum ForcedState: UInt32, Sendable {
        case closed = 1
        case open
    }

    public var trip: Trip
    /// How long it stays open before probes go through.
    public var openFor: Duration
    /// How many requests must succeed before it closes; one that fails opens it again.
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

/// How many requests a second go to the provider. A key that waits for the limit holds none of the running requests.
public struct RateLimit: Hashable, Sendable {
    public var requestsPerSecond: Double
    /// How many requests may go at once after a pause.
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
