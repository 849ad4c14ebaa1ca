// Measures the Swift package: `bindings/swift/bench.sh` runs it optimised.
//
// Medians of interleaved rounds, in nanoseconds for each key: elapsed time, and processor time of all threads, which is more reliable on a
// busy machine. Lookups of resident keys are compared with a dictionary behind a lock, which is what a program without a library would use.
// If bench.sh has a checkout of the library whose interface KVLightCompat has, the work in `compared` is measured with that library too.

import CompatCases
import Foundation
import KVLight

#if ORIGINAL
import OriginalCases
#endif

typealias Cache = KVLight.MemoryCache

final class LockedDictionary: @unchecked Sendable {
    private let lock = NSLock()
    private var elements: [Int: String] = [:]

    subscript(key: Int) -> String? {
        get { lock.withLock { elements[key] } }
        set { lock.withLock { elements[key] = newValue } }
    }
}

/// The number of resident keys.
let resident = 100_000

/// Nanoseconds for each key: elapsed, and of processor time.
struct Figure {
    var clock: Double
    var processor: Double
}

/// The processor time of all threads so far, in nanoseconds.
func processor() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
}

/// Waits until no thread works any longer: less than 0.5 ms of processor time in 20 ms, twice in a row. What was measured before may still
/// be releasing its entries.
func allQuiet() async {
    var quiet = 0
    while quiet < 2 {
        let used = processor()
        try? await Task.sleep(for: .milliseconds(20))
        quiet = processor() - used < 500_000 ? quiet + 1 : 0
    }
}

/// Runs `work`, which handles this number of keys, and returns the time for each.
func nanoseconds(_ keys: Int, _ work: () async throws -> Void) async rethrows -> Figure {
    await allQuiet()
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

    func median(_ name: String, of part: (Figure) -> Double) -> Double {
        let sorted = figures[name, default: []].map(part).sorted()
        return sorted[sorted.count / 2]
    }

    func print() {
        for name in names {
            Swift.print(cell(name) + String(format: "%10.0f %10.0f", median(name, of: \.clock), median(name, of: \.processor)))
        }
    }
}

func cell(_ text: String) -> String {
    text.padding(toLength: 44, withPad: " ", startingAt: 0)
}

/// KVLightCompat, or the library whose interface it has.
protocol Manager {
    init(resident keys: [Int]) async
    func get(_ keys: [Int])
    func await(_ keys: [Int]) async
    func callBack(_ keys: [Int], _ delivered: @escaping @Sendable () -> Void)
    func awaitAll(_ keys: [Int]) async
    func prepareFetchAbsent()
    func fetchAbsent(_ keys: [Int]) async
}

extension CompatCases.Cases: Manager {}
#if ORIGINAL
extension OriginalCases.Cases: Manager {}
#endif

/// The work that is measured for KVLight, KVLightCompat and the original alike: its name in the table for KVLight, and for the other two.
let compared: [(work: String, managers: String)] = [
    ("getElement, Int key, of 1,000", "getElement, of 1,000"),
    ("getElement, Int key, of 100,000", "getElement, of 100,000"),
    ("fetch(key:), resident, of 1,000", "asyncFetch, resident, of 1,000"),
    ("fetch(key:), resident, of 100,000", "asyncFetch, resident, of 100,000"),
    ("callback, resident, of 1,000", "callback, resident, of 1,000"),
    ("callback, resident, of 100,000", "callback, resident, of 100,000"),
    ("fetch(keys:), 1,000 resident, pairs", "asyncFetch, 1,000 resident"),
    ("fetch(keys:), 100,000 absent by 64", "asyncFetch, 100,000 absent by 64"),
]

extension Table {
    func printComparison() {
        Swift.print("\nns of processor time per key, and the speed-up over the original")
        Swift.print(cell("") + "   KVLight KVLightCompat   original   KVLight KVLightCompat")
        for (work, managers) in compared {
            let (ours, compat, original) = (
                median(work, of: \.processor), median("compat: \(managers)", of: \.processor),
                median("original: \(managers)", of: \.processor)
            )
            Swift.print(cell(work) + String(format: "%10.0f %13.0f %10.0f %9.2f %13.2f", ours, compat, original, original / ours, original / compat))
        }
    }
}

/// Returns when each key's callback has run.
func allDelivered(_ keys: [Int], _ ask: (@escaping @Sendable () -> Void) -> Void) async {
    let countdown = Countdown(keys.count)
    await withCheckedContinuation { done in
        ask { if countdown.countDown() { done.resume() } }
    }
}

final class Countdown: @unchecked Sendable {
    private let lock = NSLock()
    private var count: Int

    init(_ count: Int) { self.count = count }

    /// Counts one call. Returns whether it was the last.
    func countDown() -> Bool {
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
        // Filled one after the other, so that the memory of each lies together.
        for key in 0..<resident { cache.set(element: "post \(key)", for: key) }
        for key in 0..<resident { texts.set(element: "post \(key)", for: names[key]) }
        for key in 0..<resident { locked[key] = "post \(key)" }
        _ = try await posts.values(for: Array(0..<resident))

        var managers: [(name: String, does: any Manager)] = [("compat", await CompatCases.Cases(resident: Array(0..<resident)))]
        #if ORIGINAL
        managers.append(("original", await OriginalCases.Cases(resident: Array(0..<resident))))
        #endif

        /// The same keys in the same order for all measurements.
        let order = (0..<resident).map { ($0 &* 7919) % resident }
        let hot = order.map { $0 % 1000 }
        let thousand = Array(hot.prefix(1000))
        let inOrder = Array(0..<10_000)
        var table = Table()

        for round in 0..<7 {
            // All resident keys, which do not fit into a processor's cache, and a thousand of them, which do.
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
                    await allDelivered(keys) { delivered in
                        for key in keys { posts.fetch(key: key) { _, _ in delivered() } }
                    }
                })
                for (name, manager) in managers {
                    table.add("\(name): getElement, \(which)", await nanoseconds(resident) { manager.get(keys) })
                    table.add("\(name): asyncFetch, resident, \(which)", await nanoseconds(resident) { await manager.await(keys) })
                    table.add("\(name): callback, resident, \(which)", await nanoseconds(resident) {
                        await allDelivered(keys) { manager.callBack(keys, $0) }
                    })
                }
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
            for (name, manager) in managers {
                table.add("\(name): asyncFetch, 1,000 resident", await nanoseconds(resident) {
                    for _ in 0..<resident / thousand.count { await manager.awaitAll(thousand) }
                })
            }
            let firstAbsent = (round + 1) * 1_000_000
            let strangers = Array(firstAbsent..<firstAbsent + 100_000)
            // An instant provider, so that the library is measured and not the creation of elements.
            let element: String? = "post"
            let absent = KVLightTasks<Int, String>(
                config: .init(
                    provider: .batch(maximumBatchCount: 64) { keys in Dictionary(uniqueKeysWithValues: keys.map { ($0, element) }) },
                    cache: .init(capacity: 1_000_000)))
            table.add("fetch(keys:), 100,000 absent by 64", try await nanoseconds(100_000) {
                _ = try await absent.pairs(for: strangers)
            })
            table.add("fetch(key:), absent, one after the other", try await nanoseconds(5000) {
                for key in 0..<5000 { _ = try await absent.fetch(key: firstAbsent + 200_000 + key) }
            })
            await absent.close()
            for (name, manager) in managers {
                manager.prepareFetchAbsent()
                table.add("\(name): asyncFetch, 100,000 absent by 64", await nanoseconds(100_000) { await manager.fetchAbsent(strangers) })
            }
        }

        print("ns per key, medians of 7 interleaved rounds: by the clock, and of processor time")
        table.print()
        #if ORIGINAL
        table.printComparison()
        #endif
        await posts.close()
    }
}
