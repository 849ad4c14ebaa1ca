// The manual clock of tests.

import CKVLight
import Foundation

/// A clock that moves only by ``advance(by:)``, so that tests that depend on time need not sleep.
///
/// Set it as ``CacheConfiguration/clock``; it replaces the clocks of TTLs, timeouts and retries. It is a `Clock` too, so that a provider
/// under test can sleep on it: `try await clock.sleep(for: .seconds(5))`.
public final class ManualClock: Clock, @unchecked Sendable {
    /// A point in time, counted from the creation of the clock.
    public struct Instant: InstantProtocol {
        public var offset: Duration

        public init(offset: Duration) { self.offset = offset }

        public func advanced(by duration: Duration) -> Instant { Instant(offset: offset + duration) }
        public func duration(to other: Instant) -> Duration { other.offset - offset }
        public static func < (left: Instant, right: Instant) -> Bool { left.offset < right.offset }
    }

    // The handle of the library may be used from any thread.
    let raw: OpaquePointer?
    private let sleepers = Sleepers()

    public init() {
        Library.isChecked
        var made: OpaquePointer?
        let status = kvl_clock_new_manual(0, &made)
        precondition(status == KVL_OK, "no memory for a clock")
        raw = made
    }

    deinit {
        kvl_clock_release(raw)
    }

    /// The total time by which the clock was moved.
    public var elapsed: Duration { .milliseconds(kvl_clock_now_ms(raw)) }

    public var now: Instant { Instant(offset: elapsed) }

    /// One millisecond: the clock counts in whole milliseconds.
    public var minimumResolution: Duration { .milliseconds(1) }

    /// Moves the time forward by whole milliseconds, rounded up, and returns when all timers that became due have fired. Their events may still
    /// have to be delivered.
    public func advance(by duration: Duration) {
        kvl_clock_advance(raw, duration.milliseconds())
        sleepers.wake(at: now)
    }

    /// The number of tasks that sleep on the clock, for a test to wait for before it moves the time.
    public var sleeping: Int { sleepers.count }

    /// Returns when the clock has reached the deadline.
    public func sleep(until deadline: Instant, tolerance: Duration? = nil) async throws {
        let sleeper = sleepers.next()
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                sleepers.add(sleeper, until: deadline, now: now, continuation)
            }
        } onCancel: {
            sleepers.cancel(sleeper)
        }
    }
}

/// The tasks that sleep on a manual clock.
private final class Sleepers: @unchecked Sendable {
    typealias Continuation = CheckedContinuation<Void, any Error>

    private struct Sleeper {
        let deadline: ManualClock.Instant
        let continuation: Continuation
    }

    private let lock = NSLock()
    private var last: UInt64 = 0
    private var sleeping: [UInt64: Sleeper] = [:]
    /// Tasks that were cancelled before they slept.
    private var cancelled: Set<UInt64> = []
    /// The time of the clock when sleepers were last woken.
    private var reached = ManualClock.Instant(offset: .zero)

    var count: Int { lock.withLock { sleeping.count } }

    func next() -> UInt64 {
        lock.withLock {
            last += 1
            return last
        }
    }

    func add(_ number: UInt64, until deadline: ManualClock.Instant, now: ManualClock.Instant, _ continuation: Continuation) {
        let result: Result<Void, any Error>? = lock.withLock {
            if cancelled.remove(number) != nil { return .failure(CancellationError()) }
            if deadline <= max(reached, now) { return .success(()) }
            sleeping[number] = Sleeper(deadline: deadline, continuation: continuation)
            return nil
        }
        if let result { continuation.resume(with: result) }
    }

    func cancel(_ number: UInt64) {
        let sleeper: Sleeper? = lock.withLock {
            let sleeper = sleeping.removeValue(forKey: number)
            if sleeper == nil { cancelled.insert(number) }
            return sleeper
        }
        sleeper?.continuation.resume(throwing: CancellationError())
    }

    func wake(at now: ManualClock.Instant) {
        let due: [Sleeper] = lock.withLock {
            reached = max(reached, now)
            let due = sleeping.filter { $0.value.deadline <= reached }
            due.keys.forEach { sleeping[$0] = nil }
            return due.values.sorted { $0.deadline < $1.deadline }
        }
        due.forEach { $0.continuation.resume() }
    }
}
