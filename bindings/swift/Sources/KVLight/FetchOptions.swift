// What one fetch may set for itself.

/// How far a batch is.
public struct FetchProgress: Hashable, Sendable {
    /// Positions that are settled.
    public let done: Int
    /// Of these, those that failed.
    public let failed: Int
    /// Positions asked.
    public let total: Int
}

/// Where a fetch reads, and whether it stores.
public enum ReadMode: String, Sendable {
    /// The store first, then the provider, whose answer is stored.
    case normal
    /// The provider, or a load that is under way; the answer is stored. Meanwhile others keep reading the old element.
    case refresh
    /// The store alone: what is not there is `nil`.
    case cacheOnly = "cache_only"
    /// The store first, then the provider, whose answer is not stored.
    case noStore = "no_store"
}

/// What one failed key does to its batch.
public enum BatchMode: String, Sendable {
    /// Nothing: the others are delivered.
    case partial
    /// It ends the batch: what is not settled is cancelled.
    case allOrNothing = "all_or_nothing"
}

/// What one fetch may set for itself. What is `nil` goes by the configuration.
public struct FetchOptions: Sendable {
    /// Tells how far a batch is.
    public struct Progress: Sendable {
        let step: Int
        let report: @Sendable (FetchProgress) -> Void

        /// Calls `report` when `step` more positions are settled, and at the end.
        public init(every step: Int = 1, _ report: @escaping @Sendable (FetchProgress) -> Void) {
            self.step = step
            self.report = report
        }
    }

    /// How long the fetch waits; what is open then fails with ``KVLightError/timeout``.
    public var timeout: Duration?
    /// How long the fetch waits for better than an element past its time, if there is one; zero is not at all.
    public var staleAfter: Duration?
    public var read: ReadMode?
    public var batchMode: BatchMode?
    public var retry: RetryPolicy?
    /// The priority with which the answer is stored: entries of lower priority make room for it.
    public var elementPriority: Double?
    /// How urgent the fetch is among those that wait; `nil` is the current task's priority.
    public var urgency: TaskPriority?
    /// Of `fetch(keys:)` and its kin.
    public var progress: Progress?

    public init(
        timeout: Duration? = nil,
        staleAfter: Duration? = nil,
        read: ReadMode? = nil,
        batchMode: BatchMode? = nil,
        retry: RetryPolicy? = nil,
        elementPriority: Double? = nil,
        urgency: TaskPriority? = nil,
        progress: Progress? = nil
    ) {
        self.timeout = timeout
        self.staleAfter = staleAfter
        self.read = read
        self.batchMode = batchMode
        self.retry = retry
        self.elementPriority = elementPriority
        self.urgency = urgency
        self.progress = progress
    }

    /// These options with another timeout, if one is given.
    @usableFromInline
    func waiting(_ timeout: Duration?) -> FetchOptions {
        guard let timeout else { return self }
        var options = self
        options.timeout = timeout
        return options
    }

    /// Whether the library has to hear of anything here.
    var differs: Bool {
        timeout != nil || staleAfter != nil || read != nil || batchMode != nil || retry != nil || elementPriority != nil || progress != nil
    }

    func write(to writer: OptionsWriter) {
        if let timeout { writer.set("timeout_ms", timeout.milliseconds(atLeast: 1)) }
        if let staleAfter { writer.set("stale.timeout_ms", staleAfter.milliseconds()) }
        if let read { writer.set("read", read.rawValue) }
        if let batchMode { writer.set("batch.mode", batchMode.rawValue) }
        if let elementPriority, !elementPriority.isNaN { writer.set("priority", elementPriority) }
        if let progress { writer.setProgress(every: progress.step) }
        retry?.write(integer: writer.set, real: writer.set, word: writer.set)
    }
}
