// Time for tests.

import CKVLight

/// A clock that moves only when it is told to: a test of time needs no sleep.
///
/// Give it to ``CacheConfiguration/clock``; it replaces the clocks of TTLs, timeouts and retries.
public final class ManualClock: @unchecked Sendable {
    // The library's own handle may be used from every thread.
    let raw: OpaquePointer?

    public init() {
        var made: OpaquePointer?
        let status = kvl_clock_new_manual(0, &made)
        precondition(status == KVL_OK, "no memory for a clock")
        raw = made
    }

    deinit {
        kvl_clock_release(raw)
    }

    /// How far it was moved.
    public var now: Duration { .milliseconds(kvl_clock_now_ms(raw)) }

    /// Moves time on and returns when all that fell due has been fired: its events are on their way.
    public func advance(by duration: Duration) {
        kvl_clock_advance(raw, duration.milliseconds())
    }
}
