// The retry policy.

/// How often, and after which pauses, a failed key is retried.
///
/// A key that waits for its next attempt holds neither a thread nor a slot. In a batch only the failed keys are retried.
public struct RetryPolicy: Hashable, Sendable {
    /// The number of retries.
    public enum Limit: Hashable, Sendable {
        /// At most this number of retries; then the error is final.
        case times(Int)
        /// Until the load succeeds, or no caller waits any longer.
        case forever
    }

    /// How the pauses grow.
    public enum Pauses: Hashable, Sendable {
        /// All pauses are equal.
        case fixed(Duration)
        /// Each pause is the previous one times `factor`.
        case exponential(first: Duration, factor: Double = 2)
        /// `count` exponential pauses, then fixed ones.
        case exponentialThenFixed(first: Duration, factor: Double = 2, count: Int, then: Duration)
        /// `count` fixed pauses, then exponential ones.
        case fixedThenExponential(Duration, count: Int, first: Duration, factor: Double = 2)
    }

    public var limit: Limit
    public var pauses: Pauses
    /// The maximum of each pause.
    public var longestPause: Duration
    /// Each pause is drawn from pause × (1 ± jitter); 0 to 1.
    public var jitter: Double
    /// No attempt begins later than this after the first one; `nil` is no limit.
    public var budget: Duration?

    public init(
        limit: Limit, pauses: Pauses = .fixed(.milliseconds(100)), longestPause: Duration = .seconds(60), jitter: Double = 0,
        budget: Duration? = nil
    ) {
        self.limit = limit
        self.pauses = pauses
        self.longestPause = longestPause
        self.jitter = jitter
        self.budget = budget
    }

    /// No retries.
    public static let never = RetryPolicy(limit: .times(0))

    /// Up to `times` retries with equal pauses.
    public static func fixed(_ times: Int, pause: Duration = .milliseconds(100)) -> RetryPolicy {
        RetryPolicy(limit: .times(times), pauses: .fixed(pause))
    }

    /// Up to `times` retries, with pauses that double.
    public static func exponential(_ times: Int, first: Duration = .seconds(1)) -> RetryPolicy {
        RetryPolicy(limit: .times(times), pauses: .exponential(first: first))
    }

    /// Writes the policy to a configuration or to options, where the settings have the same names.
    func write(integer: (String, Int64) -> Void, real: (String, Double) -> Void, word: (String, String) -> Void) {
        switch limit {
        case .times(let count): integer("retry.count", min(max(Int64(count), 0), Int64(UInt32.max)))
        case .forever: integer("retry.count", -1)
        }
        switch pauses {
        case .fixed(let pause):
            word("retry.shape", "fixed")
            integer("retry.fixed_ms", pause.milliseconds())
        case .exponential(let first, let factor):
            word("retry.shape", "exponential")
            integer("retry.first_ms", first.milliseconds())
            real("retry.factor", Self.inRange(factor))
        case .exponentialThenFixed(let first, let factor, let count, let pause):
            word("retry.shape", "exponential_then_fixed")
            integer("retry.first_ms", first.milliseconds())
            real("retry.factor", Self.inRange(factor))
            integer("retry.switch_after", min(max(Int64(count), 0), Int64(UInt32.max)))
            integer("retry.fixed_ms", pause.milliseconds())
        case .fixedThenExponential(let pause, let count, let first, let factor):
            word("retry.shape", "fixed_then_exponential")
            integer("retry.fixed_ms", pause.milliseconds())
            integer("retry.switch_after", min(max(Int64(count), 0), Int64(UInt32.max)))
            integer("retry.first_ms", first.milliseconds())
            real("retry.factor", Self.inRange(factor))
        }
        integer("retry.cap_ms", longestPause.milliseconds())
        real("retry.jitter", jitter.isNaN ? 0 : min(max(jitter, 0), 1))
        integer("retry.budget_ms", budget.map { $0.milliseconds() } ?? -1)
    }

    private static func inRange(_ factor: Double) -> Double {
        factor.isNaN ? 2 : min(max(factor, 1), 1_000_000)
    }
}
