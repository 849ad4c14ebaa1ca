// The calls of KVLightCompat that are measured. bench.sh also compiles this file with another import, to measure the library whose
// interface KVLightCompat has.

import KVLightCompat

public final class Cases: @unchecked Sendable {
    private let cache: MemoryCache<Int, String>
    private let manager: KVLightTasksManager<Int, String>
    /// The manager for the next call of `fetchAbsent`.
    private var empty: KVLightTasksManager<Int, String>?

    public init(resident keys: [Int]) async {
        cache = MemoryCache(configuration: .init(memoryUsageLimitation: Self.room))
        manager = Self.manager { "post \($0)" }
        for key in keys { cache.set(element: "post \(key)", for: key) }
        for (_, result) in await manager.asyncFetch(keys: keys) { _ = try! result.get()! }
    }

    private static var room: MemoryUsageLimitation { MemoryUsageLimitation(capacity: 1_000_000) }

    private static func manager(_ load: @escaping (Int) -> String?) -> KVLightTasksManager<Int, String> {
        KVLightTasksManager(
            config: .init(
                dataProvider: .syncMultiprovide(maximumBatchCount: 64) { keys in
                    Dictionary(uniqueKeysWithValues: keys.map { ($0, load($0)) })
                },
                maxNumberOfQueueingTasks: 1_000_000, cacheConfig: .init(memoryUsageLimitation: room)))
    }

    public func get(_ keys: [Int]) {
        for key in keys where cache.getElement(for: key).isMiss { fatalError() }
    }

    public func await(_ keys: [Int]) async {
        for key in keys { _ = await manager.asyncFetch(key: key) }
    }

    public func callBack(_ keys: [Int], _ delivered: @escaping @Sendable () -> Void) {
        for key in keys { manager.fetch(key: key) { _, _ in delivered() } }
    }

    public func awaitAll(_ keys: [Int]) async {
        _ = await manager.asyncFetch(keys: keys)
    }

    /// Creates the manager for `fetchAbsent`, outside the measurement.
    public func prepareFetchAbsent() {
        // An instant provider, so that the library is measured and not the creation of elements.
        let element: String? = "post"
        empty = Self.manager { _ in element }
    }

    public func fetchAbsent(_ keys: [Int]) async {
        for (_, result) in await empty!.asyncFetch(keys: keys) where (try? result.get()) == nil { fatalError() }
    }
}
