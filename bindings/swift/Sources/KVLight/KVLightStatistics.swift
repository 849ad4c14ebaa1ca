// Generated from api/api.json by `make generate`. Do not edit.

import CKVLight

/// The counters since the last reset, and the current gauges. Both are exact if no call runs meanwhile. In a cache without an engine the counters of loads are 0.
public struct KVLightStatistics: Hashable, Sendable {
    /// The number of the counting period: each reset begins a new one.
    public var windowID: UInt64
    /// Lookups that found a value.
    public var hits: Int
    /// Lookups that found a null: the key is known to be absent.
    public var nullHits: Int
    /// Lookups that found nothing.
    public var misses: Int
    /// Lookups of keys that the validator refused.
    public var invalidKeys: Int
    /// Entries that were stored, including those that replaced an older value.
    public var inserts: Int
    /// Inserts that replaced an older value.
    public var replacements: Int
    /// Entries that expired.
    public var removedExpired: Int
    /// Entries that were evicted because the store had too many entries.
    public var removedCapacity: Int
    /// Entries that were evicted because the store's total cost was too high.
    public var removedCost: Int
    /// Entries that were replaced by a newer entry for their key.
    public var removedReplaced: Int
    /// Entries that the program removed by key.
    public var removedRemoved: Int
    /// Entries that were removed by a clear.
    public var removedCleared: Int
    /// Entries that were removed by a trim or a resize.
    public var removedTrimmed: Int
    /// New entries that were not stored (KVL_REFUSED, KVL_TOO_LARGE).
    public var removedRefused: Int
    /// The cost of the entries that expired, in bytes.
    public var removedCostExpired: Int
    /// The cost of the entries that were evicted because the store had too many entries, in bytes.
    public var removedCostCapacity: Int
    /// The cost of the entries that were evicted because the store's total cost was too high, in bytes.
    public var removedCostCost: Int
    /// The cost of the entries that were replaced, in bytes.
    public var removedCostReplaced: Int
    /// The cost of the entries that the program removed by key, in bytes.
    public var removedCostRemoved: Int
    /// The cost of the entries that were removed by a clear, in bytes.
    public var removedCostCleared: Int
    /// The cost of the entries that were removed by a trim or a resize, in bytes.
    public var removedCostTrimmed: Int
    /// The cost of the new entries that were not stored, in bytes.
    public var removedCostRefused: Int
    /// Misses that started a load.
    public var missesStarted: Int
    /// Misses that joined a running load.
    public var missesJoined: Int
    /// Misses of fetches that never load (read = cache_only).
    public var missesCacheOnly: Int
    /// Misses that found the queue full.
    public var missesQueueFull: Int
    /// Misses that were answered with a remembered error (cache.error_ttl_ms).
    public var missesRemembered: Int
    /// Misses that ended before a load was started or joined: the engine closed, or their batch failed as a whole.
    public var missesUnasked: Int
    /// Misses that were refused because the circuit breaker was open.
    public var missesUnavailable: Int
    /// Loads that were started.
    public var loadsStarted: Int
    /// Loads that ended with a value or a null.
    public var loadsSucceeded: Int
    /// Loads that ended with an error.
    public var loadsFailed: Int
    /// Loads that lost their place in the queue (KVL_ERR_QUEUE_FULL).
    public var loadsLost: Int
    /// Loads that ended because no fetch wanted them any more, or because the engine closed.
    public var loadsCancelled: Int
    /// Attempts of loads after the first attempt.
    public var loadsRetried: Int
    /// Attempts that timed out (attempt_timeout_ms).
    public var loadsTimedOut: Int
    /// Answers that came after their attempt had ended (KVL_LATE).
    public var lateAnswers: Int
    /// Keys in requests; a key counts once for each attempt, and not again in a hedge request.
    public var attempts: Int
    /// Requests formed, with hedge requests; the provider does not see one that was no longer wanted when its turn came.
    public var requests: Int
    /// Requests that timed out while they were with the provider.
    public var requestsAbandoned: Int
    /// Answers to keys that were not requested and were stored.
    public var extrasStored: Int
    /// Answers to keys that were not requested and were not stored.
    public var extrasRefused: Int
    /// Fetches that timed out (timeout_ms).
    public var fetchTimeouts: Int
    /// Fetches that were cancelled.
    public var fetchCancels: Int
    /// Now: entries in the store.
    public var entries: Int
    /// Now: the total cost of the entries, in bytes.
    public var cost: Int
    /// Now: keys in the queue, waiting for a slot.
    public var queued: Int
    /// Now: keys that wait without a place in the queue.
    public var deferred: Int
    /// Now: requests that hold a slot.
    public var running: Int
    /// Now: loads that have started and not ended, including those in the queue.
    public var inFlight: Int
    /// Now: requests that timed out and are still with the provider.
    public var abandoned: Int
    /// Now: entries that have left the store and wait for the removal listener or for their destructors.
    public var pendingRemovals: Int
    /// Now: the cost of the entries that wait for the removal listener or for their destructors, in bytes.
    public var pendingRemovalsCost: Int
    /// Times that a request waited for rate.requests_per_s while a slot was free.
    public var rateWaits: Int
    /// How long requests waited for rate.requests_per_s while a slot was free, in microseconds.
    public var rateWaitedUs: Int
    /// Now: the state of the circuit breaker, KVL_BREAKER_*.
    public var breakerState: Int
    /// Times that the circuit breaker opened.
    public var breakerOpened: Int
    /// Keys that the open circuit breaker refused: misses, keys in the queue, and keys of refreshes.
    public var breakerRefused: Int
    /// Keys of refreshes that found the queue full and were rejected (queue.overflow = reject).
    public var refreshesRefused: Int
    /// Misses that received the fallback at once, because a load had failed shortly before (stale.retry_ms).
    public var missesThrottled: Int
    /// Positions that received the fallback because the load failed.
    public var staleError: Int
    /// Positions that received the fallback because the load took too long (stale.timeout_ms).
    public var staleTimeout: Int
    /// Positions that received the fallback because a load had failed shortly before (stale.retry_ms).
    public var staleThrottled: Int
    /// Refreshes ahead that were started (refresh.after, refresh.after_ms).
    public var refreshesStarted: Int
    /// Refreshes ahead that ended with a value or a null.
    public var refreshesSucceeded: Int
    /// Refreshes ahead that ended with an error.
    public var refreshesFailed: Int
    /// Refreshes ahead that were not started, or were given up: the queue was full, the circuit breaker was open, or the engine closed.
    public var refreshesDropped: Int
    /// Hedge requests: those that repeated the unanswered keys of a slow request (hedge.after_ms, hedge.percentile).
    public var hedgesStarted: Int
    /// Hedge requests that answered a key first, or took over a key that failed in the other request.
    public var hedgesWon: Int
    /// Hedge requests that neither answered a key first nor took over a key.
    public var hedgesLost: Int
    /// Now: the number of slots, which is tasks.max_running unless tasks.limit = adaptive.
    public var concurrencyLimit: Int
    /// Entries that were removed by a tag.
    public var removedTag: Int
    /// The cost of the entries that were removed by a tag, in bytes.
    public var removedCostTag: Int
    /// Keys that were looked up in the second tier and found.
    public var l2Hits: Int
    /// Keys that were looked up in the second tier and not found.
    public var l2Misses: Int
    /// Keys whose entry in the second tier could not be read or had expired.
    public var l2Damaged: Int
    /// Keys that were found in the second tier, but were written during the lookup.
    public var l2Outdated: Int
    /// Keys whose lookup in the second tier failed.
    public var l2Errors: Int
    /// Keys whose lookup in the second tier took too long (l2.timeout_ms).
    public var l2Timeouts: Int
    /// Keys that were not looked up in the second tier: the second tier was failing, too many keys waited, or a write of the key had not reached the second tier yet.
    public var l2Bypassed: Int
    /// Keys that waited for the load of another process (l2.single_flight).
    public var l2Waited: Int
    /// Keys whose lease was taken over from a process that took too long (l2.wait_ms).
    public var l2Stolen: Int
    /// Requests that looked keys up in the second tier.
    public var l2Reads: Int
    /// Puts, removals and clears that were written to the second tier.
    public var l2Writes: Int
    /// Keys that could not be written to the second tier. Their puts and removals are sent again.
    public var l2WriteErrors: Int
    /// Answers of the provider that were stored in the second tier.
    public var l2Fills: Int
    /// Answers that the second tier did not store, because the key had been written meanwhile.
    public var l2FillsRefused: Int
    /// Answers that were not sent to the second tier, for lack of room (l2.pending_keys, l2.pending_bytes, l2.max_value) or because a write of the key waited.
    public var l2FillsDropped: Int
    /// Times that the second tier was cleared, because too many keys waited to be written (l2.pending_keys).
    public var l2Overflows: Int
    /// Times that the second tier was left alone for a while because of failures (l2.break_after).
    public var l2Opened: Int
    /// Now: keys that wait to be written to the second tier.
    public var l2Pending: Int
    /// Now: 1 while the second tier is left alone because of failures, otherwise 0.
    public var l2Avoided: Int

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
        refreshesRefused = Int(clamping: stats.refreshes_refused)
        missesThrottled = Int(clamping: stats.misses_throttled)
        staleError = Int(clamping: stats.stale_error)
        staleTimeout = Int(clamping: stats.stale_timeout)
        staleThrottled = Int(clamping: stats.stale_throttled)
        refreshesStarted = Int(clamping: stats.refreshes_started)
        refreshesSucceeded = Int(clamping: stats.refreshes_succeeded)
        refreshesFailed = Int(clamping: stats.refreshes_failed)
        refreshesDropped = Int(clamping: stats.refreshes_dropped)
        hedgesStarted = Int(clamping: stats.hedges_started)
        hedgesWon = Int(clamping: stats.hedges_won)
        hedgesLost = Int(clamping: stats.hedges_lost)
        concurrencyLimit = Int(clamping: stats.concurrency_limit)
        removedTag = Int(clamping: stats.removed_tag)
        removedCostTag = Int(clamping: stats.removed_cost_tag)
        l2Hits = Int(clamping: stats.l2_hits)
        l2Misses = Int(clamping: stats.l2_misses)
        l2Damaged = Int(clamping: stats.l2_damaged)
        l2Outdated = Int(clamping: stats.l2_outdated)
        l2Errors = Int(clamping: stats.l2_errors)
        l2Timeouts = Int(clamping: stats.l2_timeouts)
        l2Bypassed = Int(clamping: stats.l2_bypassed)
        l2Waited = Int(clamping: stats.l2_waited)
        l2Stolen = Int(clamping: stats.l2_stolen)
        l2Reads = Int(clamping: stats.l2_reads)
        l2Writes = Int(clamping: stats.l2_writes)
        l2WriteErrors = Int(clamping: stats.l2_write_errors)
        l2Fills = Int(clamping: stats.l2_fills)
        l2FillsRefused = Int(clamping: stats.l2_fills_refused)
        l2FillsDropped = Int(clamping: stats.l2_fills_dropped)
        l2Overflows = Int(clamping: stats.l2_overflows)
        l2Opened = Int(clamping: stats.l2_opened)
        l2Pending = Int(clamping: stats.l2_pending)
        l2Avoided = Int(clamping: stats.l2_avoided)
    }
}
