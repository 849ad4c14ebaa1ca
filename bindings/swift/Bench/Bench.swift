// What the Swift face costs: `swift/bench.sh` runs it optimised.
//
// Medians of interleaved rounds, in nanoseconds for each key. A dictionary behind a lock stands beside the resident keys, since that
// is what one writes without a library.

import Foundation
import KVLight

final class Behind: @unchecked Sendable {
    private let lock = NSLock()
    private var elements: [Int: String] = [:]

    subscript(key: Int) -> String? {
        get { lock.withLock { elements[key] } }
        set { lock.withLock { elements[key] = newValue } }
    }
}

let resident = 100_000

func nanoseconds(_ keys: Int, _ work: () async throws -> Void) async rethrows -> Double {
    let clock = ContinuousClock()
    let began = clock.now
    try await work()
    let (seconds, attoseconds) = (clock.now - began).components
    return (Double(seconds) * 1e9 + Double(attoseconds) / 1e9) / Double(keys)
}

/// Figures by name, in the order in which they came first.
struct Table {
    private var names: [String] = []
    private var figures: [String: [Double]] = [:]

    mutating func add(_ name: String, _ figure: Double) {
        if figures[name] == nil { names.append(name) }
        figures[name, default: []].append(figure)
    }

    func print() {
        for name in names {
            let sorted = figures[name, default: []].sorted()
            let label = name.padding(toLength: 44, withPad: " ", startingAt: 0)
            Swift.print(label + String(format: "%10.0f", sorted[sorted.count / 2]))
        }
    }
}

@main
struct Bench {
    static func main() async throws {
        // Off the main actor, where each call would hop.
        try await measure()
    }

    static func measure() async throws {
        let posts = KVLightTasks<Int, String>(
            config: .init(
                provider: .batch(maximumBatchCount: 64) { keys in Dictionary(uniqueKeysWithValues: keys.map { ($0, "post \($0)") }) },
                cache: .init(capacity: 1_000_000)))
        let cache = MemoryCache<Int, String>(configuration: .init(capacity: 1_000_000))
        let texts = MemoryCache<String, String>(configuration: .init(capacity: 1_000_000))
        let behind = Behind()
        let names = (0..<resident).map { "the post with the number \($0)" }
        for key in 0..<resident {
            cache.set(element: "post \(key)", for: key)
            texts.set(element: "post \(key)", for: names[key])
            behind[key] = "post \(key)"
        }
        _ = try await posts.fetch(keys: Array(0..<resident)) as [Int: String?]

        /// The same keys in the same order for all.
        let order = (0..<resident).map { ($0 &* 7919) % resident }
        let hot = order.map { $0 % 1000 }
        let thousand = Array(hot.prefix(1000))
        let inOrder = Array(0..<10_000)
        var table = Table()

        for round in 0..<7 {
            // All of them, which no processor's cache holds, and a thousand, which it does.
            for (keys, which) in [(order, "of 100,000"), (hot, "of 1,000")] {
                table.add("dictionary behind a lock, \(which)", await nanoseconds(resident) {
                    for key in keys where behind[key] == nil { fatalError() }
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
            }
            // Ten times, since once is too short to be measured.
            table.add("getElement, 10,000 Int keys in order", await nanoseconds(10 * inOrder.count) {
                for _ in 0..<10 { for key in inOrder where cache.getElement(for: key).isMiss { fatalError() } }
            })
            table.add("fetch(key:), 10,000 resident in order", try await nanoseconds(10 * inOrder.count) {
                for _ in 0..<10 { for key in inOrder { _ = try await posts.fetch(key: key) } }
            })
            table.add("fetch(keys:), 1,000 resident, pairs", try await nanoseconds(resident) {
                for _ in 0..<resident / thousand.count {
                    _ = try await posts.fetch(keys: thousand) as [(Int, String?)]
                }
            })
            table.add("fetch(keys:), 1,000 resident, dictionary", try await nanoseconds(resident) {
                for _ in 0..<resident / thousand.count {
                    _ = try await posts.fetch(keys: thousand) as [Int: String?]
                }
            })
            let fresh = (round + 1) * 1_000_000
            // An instant provider: what is measured is the library, and not how elements are made.
            let element: String? = "post"
            let absent = KVLightTasks<Int, String>(
                config: .init(
                    provider: .batch(maximumBatchCount: 64) { keys in Dictionary(uniqueKeysWithValues: keys.map { ($0, element) }) },
                    cache: .init(capacity: 1_000_000)))
            table.add("fetch(keys:), 100,000 absent by 64", try await nanoseconds(100_000) {
                _ = try await absent.fetch(keys: Array(fresh..<fresh + 100_000)) as [(Int, String?)]
            })
            table.add("fetch(key:), absent, one after the other", try await nanoseconds(5000) {
                for key in 0..<5000 { _ = try await absent.fetch(key: fresh + 200_000 + key) }
            })
            await absent.close()
        }

        print("ns per key, medians of 7 interleaved rounds")
        table.print()
        await posts.close()
    }
}
