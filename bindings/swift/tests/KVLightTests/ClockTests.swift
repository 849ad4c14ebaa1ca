// The manual clock, as the library's clock and as a Swift clock.

import Foundation
import KVLight
import Testing

@Suite struct ClockTests {
    @Test func s15_theClockMovesOnlyByAdvance() {
        let clock = ManualClock()
        let start = clock.now
        #expect(clock.elapsed == .zero)
        clock.advance(by: .milliseconds(1500))
        #expect(clock.elapsed == .milliseconds(1500))
        #expect(start.duration(to: clock.now) == .milliseconds(1500))
        #expect(start < clock.now && start.advanced(by: .milliseconds(1500)) == clock.now)
        // Rounded up to a whole millisecond.
        clock.advance(by: .microseconds(1))
        #expect(clock.elapsed == .milliseconds(1501))
    }

    @Test func s15_sleepersAreWokenAtTheirDeadline() async throws {
        let clock = ManualClock()
        let woken = Locked<[Int]>([])
        let sleepers = (1...3).map { i in
            Task {
                try await Task.sleep(for: .seconds(i), clock: clock)
                woken.update { $0.append(i) }
            }
        }
        // A task that began to sleep after its deadline would return at once, so the clock moves when all three sleep.
        #expect(await eventually { clock.sleeping == 3 })
        clock.advance(by: .milliseconds(999))
        #expect(clock.sleeping == 3)
        clock.advance(by: .milliseconds(1))
        try await sleepers[0].value
        #expect(woken.current == [1] && clock.sleeping == 2)
        clock.advance(by: .seconds(10))
        for sleeper in sleepers { try await sleeper.value }
        #expect(Set(woken.current) == [1, 2, 3])
        // A deadline that has passed.
        try await clock.sleep(until: .init(offset: .seconds(1)))
    }

    @Test func s15_aSleeperThatIsCancelledIsWokenAtOnce() async {
        let clock = ManualClock()
        let sleeper = Task { try await clock.sleep(for: .seconds(1)) }
        #expect(await eventually { clock.sleeping == 1 })
        sleeper.cancel()
        await #expect(throws: CancellationError.self) { try await sleeper.value }
        #expect(clock.sleeping == 0)
        // Cancelled before it sleeps.
        let late = Task {
            while !Task.isCancelled { await Task.yield() }
            try await clock.sleep(for: .seconds(1))
        }
        late.cancel()
        await #expect(throws: CancellationError.self) { try await late.value }
    }

    @Test func s15_aProviderCanSleepOnTheClockOfItsCache() async throws {
        let clock = ManualClock()
        var config = KVLightTasks<String, Int>.Config(
            provider: .single { (key: String) async throws -> Int? in
                try await clock.sleep(for: .seconds(60))
                return key.count
            })
        config.cache.clock = clock
        let tasks = KVLightTasks(config: config)
        async let fetched = tasks.fetch(key: "key")
        #expect(await eventually { clock.sleeping == 1 })
        clock.advance(by: .seconds(60))
        #expect(try await fetched == 3)
    }
}
