// Measures the Swift package: `bindings/swift/bench.sh` runs it optimised.
//
// Medians of interleaved rounds, in nanoseconds for each key: elapsed time, and processor time of all threads, which is more reliable on a
// busy machine. Resident keys are compared with a dictionary behind a lock, which is what a program without a library would use.

import Foundation
import KVLight
import KVLightCompat

typealias Cache = KVLight.MemoryCache

final class LockedDictionary: @unchecked Sendable {
    private let lock = NSLock()
    private var elements: [Int: String] = [:]

    subscript(key: Int) -> String? {
        get { lock.withLock { elements[key] } }
        set { lock.withLock { elements[key] = newValue } }
    }
}

let resident = 100_000

struct Figure {
    var clock: Double
    var processor: Double
}

func nanoseconds(_ keys: Int, _ work: () async throws -> Void) async rethrows -> Figure {
    func processor() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }
    let clock = ContinuousClock()
    let (began, used) = (clock.now, processor())
    try await work()
    let (seconds, attoseconds) = (clock.now - began).components
    return Figure(clock: (Double(seconds) * 1e9 + Double(attoseconds) / 1e9) / Double(keys), processor: (processor() - used) / Double(keys))
}

/// Figures by name, in the order of their first measurement.
struct Table {
    private var names: [String] = []
    private var figures: [String: [Figure]] = [:]

    mutating func add(_ name: String, _ figure: Figure) {
        if figures[name] == nil { names.append(name) }
        figures[name, default: []].append(figure)
    }

    func print() {
        for name in names {
            func median(_ part: (Figure) -> Double) -> Double {
                let sorted = figures[name, default: []].map(part).sorted()
                return sorted[sorted.count / 2]
            }
            let label = name.padding(toLength: 44, withPad: " ", startingAt: 0)
            Swift.print(label + String(format: "%10.0f %10.0f", median(\.clock), median(\.processor)))
        }
    }
}

/// Returns when each key's callback has run.
func allDelivered(_ keys: [Int], _ ask: (Int, @escaping @Sendable () -> Void) -> Void) async {
    let countdown = Countdown(keys.count)
    await withCheckedContinuation { done in
        for key in keys {
            ask(key) { if countdown.isLast() { done.resume() } }
        }
    }
}

final class Countdown: @unchecked Sendable {
    private let lock = NSLock()
    private var count: Int

    init(_ count: Int) { self.count = count }

    func isLast() -> Bool {
        lock.withLock {
            count -= 1
            return count == 0
        }
    }
}

@main
struct Bench {
    static func main() async throws {
        // Not on the main actor, where each call would hop.
        try await measure()
    }

    static func measure() async throws {
        let posts = KVLightTasks<Int, String>(
            config: .init(
                provider: .batch(maximumBatchCount: 64) { keys in Dictionary(uniqueKeysWithValues: keys.map { ($0, "post \($0)") }) },
                cache: .init(capacity: 1_000_000)))
        let cache = Cache<Int, String>(configuration: .init(capacity: 1_000_000))
        let texts = Cache<String, String>(configuration: .init(capacity: 1_000_000))
        let locked = LockedDictionary()
        let names = (0..<resident).map { "the post with the number \($0)" }
        for key in 0..<resident {
            cache.set(element: "post \(key)", for: key)
            texts.set(element: "post \(key)", for: names[key])
            locked[key] = "post \(key)"
        }
        _ = try await posts.values(for: Array(0..<resident))

        let room = MemoryUsageLimitation(capacity: 1_000_000)
        let earlier = KVLightCompat.MemoryCache<Int, String>(configuration: .init(memoryUsageLimitation: room))
        let manager = KVLightTasksManager<Int, String>(
            config: .init(
                dataProvider: .syncMultiprovide(maximumBatchCount: 64) { keys in
                    Dictionary(uniqueKeysWithValues: keys.map { ($0, "post \($0)") })
                },
                maxNumberOfQueueingTasks: 1_000_000, cacheConfig: .init(memoryUsageLimitation: room)))
        for key in 0..<resident { earlier.set(element: "post \(key)", for: key) }
        _ = await manager.asyncFetch(keys: Array(0..<resident))

        /// The same keys in the same order for all measurements.
        let order = (0..<resident).map { ($0 &* 7919) % resident }
        let hot = order.map { $0 % 1000 }
        let thousand = Array(hot.prefix(1000))
        let inOrder = Array(0..<10_000)
        var table = Table()

        for round in 0..<7 {
            // All of them, which do not fit into a processor's cache, and a thousand, which do.
            for (keys, which) in [(order, "of 100,000"), (hot, "of 1,000")] {
                table.add("dictionary behind a lock, \(which)", await nanoseconds(resident) {
                    for key in keys where locked[key] == nil { fatalError() }
                })
                table.add("getElement, Int key, \(which)", await nanoseconds(resident) {
                    for key in keys where cache.getElement(for: key).isMiss { fatalError() }
                })
                table.add("getElement, String key, \(which)", await nanoseconds(resident) {
                    for key in keys where texts.getElement(for: names[key]).isMiss { fatalError() }
                })
                table.add("fetch(key:), resident, \(which)", try await nanoseconds(resident) {
                    for key in keys { _ = try await posts.fetch(key: key) }
                })
                table.add("callback, resident, \(which)", await nanoseconds(resident) {
                    await allDelivered(keys) { key, delivered in posts.fetch(key: key) { _, _ in delivered() } }
                })
                table.add("compat: getElement, \(which)", await nanoseconds(resident) {
                    for key in keys where earlier.getElement(for: key).isMiss { fatalError() }
                })
                table.add("compat: asyncFetch, resident, \(which)", await nanoseconds(resident) {
                    for key in keys { _ = await manager.asyncFetch(key: key) }
                })
                table.add("compat: callback, resident, \(which)", await nanoseconds(resident) {
                    await allDelivered(keys) { key, delivered in manager.fetch(key: key) { _, _ in delivered() } }
                })
            }
            // Ten times, since one pass is too short to measure.
            table.add("getElement, 10,000 Int keys in order", await nanoseconds(10 * inOrder.count) {
                for _ in 0..<10 { for key in inOrder where cache.getElement(for: key).isMiss { fatalError() } }
            })
            table.add("fetch(key:), 10,000 resident in order", try await nanoseconds(10 * inOrder.count) {
                for _ in 0..<10 { for key in inOrder { _ = try await posts.fetch(key: key) } }
            })
            table.add("fetch(keys:), 1,000 resident, pairs", try await nanoseconds(resident) {
                for _ in 0..<resident / thousand.count {
                    _ = try await posts.pairs(for: thousand)
                }
            })
            table.add("fetch(keys:), 1,000 resident, dictionary", try await nanoseconds(resident) {
                for _ in 0..<resident / thousand.count {
                    _ = try await posts.values(for: thousand)
                }
            })
            let fresh = (round + 1) * 1_000_000
            // An instant provider, so that the library is measured and not the creation of elements.
            let element: String? = "post"
            let absent = KVLightTasks<Int, String>(
                config: .init(
                    provider: .batch(maximumBatchCount: 64) { keys in Dictionary(uniqueKeysWithValues: keys.map { ($0, element) }) },
                    cache: .init(capacity: 1_000_000)))
            table.add("fetch(keys:), 100,000 absent by 64", try await nanoseconds(100_000) {
                _ = try await absent.pairs(for: Array(fresh..<fresh + 100_000))
            })
            table.add("fetch(key:), absent, one after the other", try await nanoseconds(5000) {
                for key in 0..<5000 { _ = try await absent.fetch(key: fresh + 200_000 + key) }
            })
            await absent.close()
        }

        print("ns per key, medians of 7 interleaved rounds: by the clock, and of processor time")
        table.print()
        await posts.close()
    }
}
