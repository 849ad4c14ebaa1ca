// The limits of a cache.

public struct MemoryUsageLimitation {
    /// In MB: more than any machine has.
    public static let unlimitedMemoryUsage = 1 << 30

    /// Entries.
    public let capacity: Int
    /// MB.
    public let memory: Int

    public init(capacity: Int = 1024, memory: Int = unlimitedMemoryUsage) {
        self.capacity = max(0, capacity)
        self.memory = min(max(0, memory), Self.unlimitedMemoryUsage)
    }

    var costLimit: Int {
        memory == Self.unlimitedMemoryUsage ? -1 : memory << 20
    }
}
