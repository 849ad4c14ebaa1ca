// The options of one fetch.

/// The progress of a batch.
public struct FetchProgress: Hashable, Sendable {
    /// Positions that are settled.
    public let done: Int
    /// Settled positions that failed.
    public let failed: Int
    /// All positions.
    public let total: Int
}

/// Where a fetch looks a key up, and whether it stores the answer.
public enum ReadMode: String, Sendable {
    /// The store first, then the provider, whose answer is stored.
    case normal
    /// The provider, or a load in progress; the answer is stored. Until then other fetches get the current element.
    case refresh
    /// The store alone: a missing key is `nil`.
    case cacheOnly = "cache_only"
    /// The store first, then the provider, whose answer is not stored.
    case noStore = "no_store"
}

/// The effect of one failed key on its batch.
public enum BatchMode: String, Sendable {
    /// None: the other keys are delivered.
    case partial
    /// The batch ends: keys that are not settled are cancelled.
    case allOrNothing = "all_or_nothing"
}

/// The options of one fetch. An option that is `nil` is as in the configuration.
public struct FetchOptions: Sendable {
    /// A function that is called with the progress of a batch.
    public struct Progress: Sendable {
        let step: Int
        let report: @Sendable (FetchProgress) -> Void

        /// Calls `report` when `step` more positions are settled, and at the end.
        public init(every step: Int = 1, _ report: @escaping @Sendable (FetchProgress) -> Void) {
            self.step = step
            self.report = report
        }
    }

    /// How long the fetch waits; keys that are open then fail with ``KVLightError/timeout``.
    public var timeout: Duration?
    /// How long the fetch waits for the load if it has an expired element as a fallback; zero is not at all. The fetch fails with
    /// ``KVLightError/other(status:)`` if this is not less than the timeout, if ``read`` is `cacheOnly`, or if this is zero and ``read`` is
    /// `noStore`.
    public var staleAfter: Duration?
    public var read: ReadMode?
    public var batchMode: BatchMode?
    public var retry: RetryPolicy?
    /// The priority with which the answer is stored: entries of lower priority are evicted first.
    public var elementPriority: Double?
    /// The urgency of the fetch in the queue; `nil` is the current task's priority.
    public var urgency: TaskPriority?
    /// Progress of `fetch(keys:)` and the other fetches of many keys. An awaited fetch with progress returns after its last report, and so
    /// waits for the closures that run before that report.
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

    /// These options with this timeout, if one is given.
    @usableFromInline
    func waiting(_ timeout: Duration?) -> FetchOptions {
        guard let timeout else { return self }
        var options = self
        options.timeout = timeout
        return options
    }

    /// Whether any option has to be passed to the library.
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
