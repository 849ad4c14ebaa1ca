// How often a failed fetch is retried, and after which pauses.

import Foundation
import KVLight

public enum RetryCount {
    /// The length of each pause.
    public enum IntervalProxy {
        public static let DefaultInitialTimeInterval: TimeInterval = 1
        public static let DefaultExponentialBackoffScaleRate = 2.0

        /// All pauses are equal.
        case fixed(timeInterval: TimeInterval = 0)
        /// Each pause is the previous one times `scaleRate`.
        case exponentialBackoff(
            initialTimeInterval: TimeInterval = DefaultInitialTimeInterval,
            scaleRate: Double = DefaultExponentialBackoffScaleRate)
        /// Exponential, and after `maxExponentialBackoffCount` steps always `originalInitialInterval`.
        case exponentialBackoffBeforeFixed(
            initialTimeInterval: TimeInterval = DefaultInitialTimeInterval,
            originalInitialInterval: TimeInterval = DefaultInitialTimeInterval,
            maxExponentialBackoffCount: UInt = 0,
            scaleRate: Double = DefaultExponentialBackoffScaleRate)
        /// `originalInitialInterval` for `maxFixedCount` steps, then exponential.
        case exponentialBackoffAfterFixed(
            initialTimeInterval: TimeInterval = DefaultInitialTimeInterval,
            originalInitialInterval: TimeInterval = DefaultInitialTimeInterval,
            maxFixedCount: UInt = 0,
            scaleRate: Double = DefaultExponentialBackoffScaleRate)

        /// The pauses from the next one on.
        public func next() -> IntervalProxy {
            switch self {
            case .fixed:
                self
            case .exponentialBackoff(let interval, let rate):
                .exponentialBackoff(initialTimeInterval: Self.grown(interval, rate), scaleRate: rate)
            case .exponentialBackoffBeforeFixed(_, let original, 0, _):
                .fixed(timeInterval: original)
            case .exponentialBackoffBeforeFixed(let interval, let original, let left, let rate):
                .exponentialBackoffBeforeFixed(
                    initialTimeInterval: Self.grown(interval, rate), originalInitialInterval: original,
                    maxExponentialBackoffCount: left - 1, scaleRate: rate)
            case .exponentialBackoffAfterFixed(let interval, _, 0, let rate):
                .exponentialBackoff(initialTimeInterval: Self.grown(interval, rate), scaleRate: rate)
            case .exponentialBackoffAfterFixed(_, let original, let left, let rate):
                .exponentialBackoffAfterFixed(
                    initialTimeInterval: original, originalInitialInterval: original, maxFixedCount: left - 1, scaleRate: rate)
            }
        }

        /// The next pause.
        public var timeInterval: TimeInterval {
            switch self {
            case .fixed(let interval), .exponentialBackoff(let interval, _), .exponentialBackoffBeforeFixed(let interval, _, _, _),
                .exponentialBackoffAfterFixed(let interval, _, _, _):
                interval
            }
        }

        private static func grown(_ interval: TimeInterval, _ rate: Double) -> TimeInterval {
            min(interval * max(rate, 1), .greatestFiniteMagnitude)
        }
    }

    case infinity(intervalProxy: IntervalProxy = .fixed())
    case count(count: UInt, intervalProxy: IntervalProxy = .fixed())
    case never

    /// The retries that are left after one more failure.
    public func next() -> RetryCount {
        switch self {
        case .infinity(let proxy): .infinity(intervalProxy: proxy.next())
        case .count(let count, let proxy) where count > 1: .count(count: count - 1, intervalProxy: proxy.next())
        case .count, .never: .never
        }
    }

    public var shouldRetry: Bool {
        switch self {
        case .infinity: true
        case .count(let count, _): count > 0
        case .never: false
        }
    }

    /// The next pause.
    public var timeInterval: TimeInterval {
        switch self {
        case .infinity(let proxy), .count(_, let proxy): proxy.timeInterval
        case .never: 0
        }
    }
}

extension RetryCount: ExpressibleByIntegerLiteral {
    public init(integerLiteral value: UInt) {
        self = value == 0 ? .never : .count(count: value)
    }
}

extension RetryCount {
    /// The equivalent policy of kvlight.
    var policy: RetryPolicy {
        switch self {
        case .never: .never
        case .infinity(let proxy): proxy.policy(.forever)
        case .count(let count, let proxy): proxy.policy(.times(Int(clamping: count)))
        }
    }
}

extension RetryCount.IntervalProxy {
    fileprivate func policy(_ limit: RetryPolicy.Limit) -> RetryPolicy {
        RetryPolicy(limit: limit, pauses: pauses, longestPause: Self.longest)
    }

    private var pauses: RetryPolicy.Pauses {
        switch self {
        case .fixed(let interval):
            .fixed(Self.pause(interval))
        case .exponentialBackoff(let first, let rate), .exponentialBackoffAfterFixed(let first, _, 0, let rate):
            .exponential(first: Self.pause(first), factor: rate)
        // The steps come after the first pause. In the second form, the first exponential pause is as long as a fixed one and makes up for it.
        case .exponentialBackoffBeforeFixed(let first, let fixed, let steps, let rate):
            .exponentialThenFixed(
                first: Self.pause(first), factor: rate, count: Int(clamping: steps).addingClamped(1), then: Self.pause(fixed))
        case .exponentialBackoffAfterFixed(_, let fixed, let steps, let rate):
            .fixedThenExponential(
                Self.pause(fixed), count: Int(clamping: steps), first: Self.pause(fixed), factor: rate)
        }
    }

    private static var longest: Duration { .milliseconds(Int64.max / 4) }

    private static func pause(_ interval: TimeInterval) -> Duration {
        .milliseconds(min(Milliseconds.roundedUp(interval), Int64.max / 4))
    }
}

extension Int {
    fileprivate func addingClamped(_ other: Int) -> Int {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
