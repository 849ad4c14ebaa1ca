// Made from api/api.json by `make generate`. Do not edit.

import CKVLight

/// What happened since the last reset, and how things stand now. Exact once callers are quiet. A cache without loads of its own has none.
public struct KVLightStatistics: Hashable, Sendable {
    /// Another number after each reset.
    public var windowID: UInt64
    /// Lookups that found a value.
    public var hits: Int
    /// Lookups that found that there is none.
    public var nullHits: Int
    /// Lookups that found nothing.
    public var misses: Int
    /// Lookups whose key the validator refused.
    public var invalidKeys: Int
    /// Values that were stored, those over an older value included.
    public var inserts: Int
    /// Of the inserts, those over an older value.
    public var replacements: Int
    /// Values that left because their time was over.
    public var removedExpired: Int
    /// Values that were evicted because there were too many.
    public var removedCapacity: Int
    /// Values that were evicted because they cost too much together.
    public var removedCost: Int
    /// Values that were replaced by another under their key.
    public var removedReplaced: Int
    /// Values that the program removed by key.
    public var removedRemoved: Int
    /// Values that left by a clear.
    public var removedCleared: Int
    /// Values that left by a trim or a resize.
    public var removedTrimmed: Int
    /// Values that never got in.
    public var removedRefused: Int
    /// The cost of those that expired, in bytes.
    public var removedCostExpired: Int
    /// The cost of those evicted for their number, in bytes.
    public var removedCostCapacity: Int
    /// The cost of those evicted for their cost, in bytes.
    public var removedCostCost: Int
    /// The cost of those replaced, in bytes.
    public var removedCostReplaced: Int
    /// The cost of those removed by key, in bytes.
    public var removedCostRemoved: Int
    /// The cost of those that left by a clear, in bytes.
    public var removedCostCleared: Int
    /// The cost of those that left by a trim or a resize, in bytes.
    public var removedCostTrimmed: Int
    /// The cost of those that never got in, in bytes.
    public var removedCostRefused: Int
    /// Misses that started a load.
    public var missesStarted: Int
    /// Misses that joined a load under way.
    public var missesJoined: Int
    /// Misses of fetches that read the store only.
    public var missesCacheOnly: Int
    /// Misses that found the queue full.
    public var missesQueueFull: Int
    /// Misses that were answered from the memory of recent errors.
    public var missesRemembered: Int
    /// Misses that ended before they asked: the engine closed, or their batch failed as a whole.
    public var missesUnasked: Int
    /// Misses that the open circuit breaker refused.
    public var missesUnavailable: Int
    /// Loads that began.
    public var loadsStarted: Int
    /// Loads that ended with a value or null.
    public var loadsSucceeded: Int
    /// Loads that ended with an error.
    public var loadsFailed: Int
    /// Loads that lost their place in the queue, KVL_ERR_QUEUE_FULL.
    public var loadsLost: Int
    /// Loads that ended because no fetch wanted them any more, or by a close.
    public var loadsCancelled: Int
    /// Attempts after a load's first.
    public var loadsRetried: Int
    /// Attempts whose time ran out (attempt_timeout_ms).
    public var loadsTimedOut: Int
    /// Answers that came after their attempt was over, KVL_LATE.
    public var lateAnswers: Int
    /// Keys handed to the provider, each time counted.
    public var attempts: Int
    /// Requests handed to the provider.
    public var requests: Int
    /// Of the requests, those whose time ran out while the provider held them.
    public var requestsAbandoned: Int
    /// Answers to keys that were not asked for and were stored.
    public var extrasStored: Int
    /// Answers to keys that were not asked for and were not stored.
    public var extrasRefused: Int
    /// Fetches whose time ran out (timeout_ms).
    public var fetchTimeouts: Int
    /// Fetches that were cancelled.
    public var fetchCancels: Int
    /// Now: entries in the store.
    public var entries: Int
    /// Now: what they cost, in bytes.
    public var cost: Int
    /// Now: keys that wait for a slot.
    public var queued: Int
    /// Now: keys that wait without a place in the queue.
    public var deferred: Int
    /// Now: requests that hold a slot.
    public var running: Int
    /// Now: loads under way, those that wait included.
    public var inFlight: Int
    /// Now: requests whose time ran out and that are still with the provider.
    public var abandoned: Int
    /// Now: entries that left and wait for the removal listener, or for their destructor.
    public var pendingRemovals: Int
    /// Now: what these cost, in bytes.
    public var pendingRemovalsCost: Int
    /// Times that a request had to wait for rate.requests_per_s though a slot was free.
    public var rateWaits: Int
    /// How long those waits were together, in microseconds.
    public var rateWaitedUs: Int
    /// Now: the state of the circuit breaker, KVL_BREAKER_*.
    public var breakerState: Int
    /// Times that the circuit breaker opened.
    public var breakerOpened: Int
    /// Keys that the open circuit breaker refused, each time counted: misses, keys that waited, refreshes.
    public var breakerRefused: Int

    init(_ stats: kvl_stats_t) {
        windowID = stats.window_id
        hits = Int(clamping: stats.hits)
        nullHits = Int(clamping: stats.null_hits)
        misses = Int(clamping: stats.misses)
        invalidKeys = Int(clamping: stats.invalid_keys)
        inserts = Int(clamping: stats.inserts)
        replacements = Int(clamping: stats.replacements)
        removedExpired = Int(clamping: stats.removed_expired)
        removedCapacity = Int(clamping: stats.removed_capacity)
        removedCost = Int(clamping: stats.removed_cost)
        removedReplaced = Int(clamping: stats.removed_replaced)
        removedRemoved = Int(clamping: stats.removed_removed)
        removedCleared = Int(clamping: stats.removed_cleared)
        removedTrimmed = Int(clamping: stats.removed_trimmed)
        removedRefused = Int(clamping: stats.removed_refused)
        removedCostExpired = Int(clamping: stats.removed_cost_expired)
        removedCostCapacity = Int(clamping: stats.removed_cost_capacity)
        removedCostCost = Int(clamping: stats.removed_cost_cost)
        removedCostReplaced = Int(clamping: stats.removed_cost_replaced)
        removedCostRemoved = Int(clamping: stats.removed_cost_removed)
        removedCostCleared = Int(clamping: stats.removed_cost_cleared)
        removedCostTrimmed = Int(clamping: stats.removed_cost_trimmed)
        removedCostRefused = Int(clamping: stats.removed_cost_refused)
        missesStarted = Int(clamping: stats.misses_started)
        missesJoined = Int(clamping: stats.misses_joined)
        missesCacheOnly = Int(clamping: stats.misses_cache_only)
        missesQueueFull = Int(clamping: stats.misses_queue_full)
        missesRemembered = Int(clamping: stats.misses_remembered)
        missesUnasked = Int(clamping: stats.misses_unasked)
        missesUnavailable = Int(clamping: stats.misses_unavailable)
        loadsStarted = Int(clamping: stats.loads_started)
        loadsSucceeded = Int(clamping: stats.loads_succeeded)
        loadsFailed = Int(clamping: stats.loads_failed)
        loadsLost = Int(clamping: stats.loads_lost)
        loadsCancelled = Int(clamping: stats.loads_cancelled)
        loadsRetried = Int(clamping: stats.loads_retried)
        loadsTimedOut = Int(clamping: stats.loads_timed_out)
        lateAnswers = Int(clamping: stats.late_answers)
        attempts = Int(clamping: stats.attempts)
        requests = Int(clamping: stats.requests)
        requestsAbandoned = Int(clamping: stats.requests_abandoned)
        extrasStored = Int(clamping: stats.extras_stored)
        extrasRefused = Int(clamping: stats.extras_refused)
        fetchTimeouts = Int(clamping: stats.fetch_timeouts)
        fetchCancels = Int(clamping: stats.fetch_cancels)
        entries = Int(clamping: stats.entries)
        cost = Int(clamping: stats.cost)
        queued = Int(clamping: stats.queued)
        deferred = Int(clamping: stats.deferred)
        running = Int(clamping: stats.running)
        inFlight = Int(clamping: stats.in_flight)
        abandoned = Int(clamping: stats.abandoned)
        pendingRemovals = Int(clamping: stats.pending_removals)
        pendingRemovalsCost = Int(clamping: stats.pending_removals_cost)
        rateWaits = Int(clamping: stats.rate_waits)
        rateWaitedUs = Int(clamping: stats.rate_waited_us)
        breakerState = Int(clamping: stats.breaker_state)
        breakerOpened = Int(clamping: stats.breaker_opened)
        breakerRefused = Int(clamping: stats.breaker_refused)
    }
}
