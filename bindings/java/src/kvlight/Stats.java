// Generated from api/api.json by `make generate`. Do not edit.

package kvlight;

import java.nio.ByteBuffer;

/**
 * The counters since the last reset, and the current gauges. {@link Store#statsJson()} also has histograms.
 *
 * @param windowId The number of the window: it changes with each reset.
 * @param windowMs The length of the window so far, in milliseconds.
 * @param hits Lookups that found a value.
 * @param nullHits Lookups that found a null: the key is known to be absent.
 * @param misses Lookups that found nothing.
 * @param invalidKeys Lookups of keys that the validator refused.
 * @param inserts Entries that were stored, including those that replaced an older value.
 * @param replacements Inserts that replaced an older value.
 * @param removedExpired Entries that expired.
 * @param removedCapacity Entries that were evicted because the store had too many entries.
 * @param removedCost Entries that were evicted because the store's total cost was too high.
 * @param removedReplaced Entries that were replaced by a newer entry for their key.
 * @param removedRemoved Entries that the program removed by key.
 * @param removedCleared Entries that were removed by a clear.
 * @param removedTrimmed Entries that were removed by a trim or a resize.
 * @param removedRefused New entries that were not stored (KVL_REFUSED, KVL_TOO_LARGE).
 * @param removedCostExpired The cost of the entries that expired, in bytes.
 * @param removedCostCapacity The cost of the entries that were evicted because the store had too many entries, in bytes.
 * @param removedCostCost The cost of the entries that were evicted because the store's total cost was too high, in bytes.
 * @param removedCostReplaced The cost of the entries that were replaced, in bytes.
 * @param removedCostRemoved The cost of the entries that the program removed by key, in bytes.
 * @param removedCostCleared The cost of the entries that were removed by a clear, in bytes.
 * @param removedCostTrimmed The cost of the entries that were removed by a trim or a resize, in bytes.
 * @param removedCostRefused The cost of the new entries that were not stored, in bytes.
 * @param missesStarted Misses that started a load.
 * @param missesJoined Misses that joined a running load.
 * @param missesCacheOnly Misses of fetches that never load (read = cache_only).
 * @param missesQueueFull Misses that found the queue full.
 * @param missesRemembered Misses that were answered with a remembered error (cache.error_ttl_ms).
 * @param missesUnasked Misses that ended before a load was started or joined: the engine closed, or their batch failed as a whole.
 * @param missesUnavailable Misses that were refused because the circuit breaker was open.
 * @param loadsStarted Loads that were started.
 * @param loadsSucceeded Loads that ended with a value or a null.
 * @param loadsFailed Loads that ended with an error.
 * @param loadsLost Loads that lost their place in the queue (KVL_ERR_QUEUE_FULL).
 * @param loadsCancelled Loads that ended because no fetch wanted them any more, or because the engine closed.
 * @param loadsRetried Attempts of loads after the first attempt.
 * @param loadsTimedOut Attempts that timed out (attempt_timeout_ms).
 * @param lateAnswers Answers that came after their attempt had ended (KVL_LATE).
 * @param attempts Keys in requests; a key counts once for each attempt, and not again in a hedge request.
 * @param requests Requests formed, with hedge requests; the provider does not see one that was no longer wanted when its turn came.
 * @param requestsAbandoned Requests that timed out while they were with the provider.
 * @param extrasStored Answers to keys that were not requested and were stored.
 * @param extrasRefused Answers to keys that were not requested and were not stored.
 * @param fetchTimeouts Fetches that timed out (timeout_ms).
 * @param fetchCancels Fetches that were cancelled.
 * @param entries Now: entries in the store.
 * @param cost Now: the total cost of the entries, in bytes.
 * @param queued Now: keys in the queue, waiting for a slot.
 * @param deferred Now: keys that wait without a place in the queue.
 * @param running Now: requests that hold a slot.
 * @param inFlight Now: loads that have started and not ended, including those in the queue.
 * @param abandoned Now: requests that timed out and are still with the provider.
 * @param pendingRemovals Now: entries that have left the store and wait for the removal listener or for their destructors.
 * @param pendingRemovalsCost Now: the cost of the entries that wait for the removal listener or for their destructors, in bytes.
 * @param rateWaits Times that a request waited for rate.requests_per_s while a slot was free.
 * @param rateWaitedUs How long requests waited for rate.requests_per_s while a slot was free, in microseconds.
 * @param breakerState Now: the state of the circuit breaker, KVL_BREAKER_*.
 * @param breakerOpened Times that the circuit breaker opened.
 * @param breakerRefused Keys that the open circuit breaker refused: misses, keys in the queue, and keys of refreshes.
 * @param refreshesRefused Keys of refreshes that found the queue full and were rejected (queue.overflow = reject).
 * @param missesThrottled Misses that received the fallback at once, because a load had failed shortly before (stale.retry_ms).
 * @param staleError Positions that received the fallback because the load failed.
 * @param staleTimeout Positions that received the fallback because the load took too long (stale.timeout_ms).
 * @param staleThrottled Positions that received the fallback because a load had failed shortly before (stale.retry_ms).
 * @param refreshesStarted Refreshes ahead that were started (refresh.after, refresh.after_ms).
 * @param refreshesSucceeded Refreshes ahead that ended with a value or a null.
 * @param refreshesFailed Refreshes ahead that ended with an error.
 * @param refreshesDropped Refreshes ahead that were not started, or were given up: the queue was full, the circuit breaker was open, or the engine closed.
 * @param hedgesStarted Hedge requests: those that repeated the unanswered keys of a slow request (hedge.after_ms, hedge.percentile).
 * @param hedgesWon Hedge requests that answered a key first, or took over a key that failed in the other request.
 * @param hedgesLost Hedge requests that neither answered a key first nor took over a key.
 * @param concurrencyLimit Now: the number of slots, which is tasks.max_running unless tasks.limit = adaptive.
 * @param removedTag Entries that were removed by a tag.
 * @param removedCostTag The cost of the entries that were removed by a tag, in bytes.
 * @param l2Hits Keys that were looked up in the second tier and found.
 * @param l2Misses Keys that were looked up in the second tier and not found.
 * @param l2Damaged Keys whose entry in the second tier could not be read or had expired.
 * @param l2Outdated Keys that were found in the second tier, but were written during the lookup.
 * @param l2Errors Keys whose lookup in the second tier failed.
 * @param l2Timeouts Keys whose lookup in the second tier took too long (l2.timeout_ms).
 * @param l2Bypassed Keys that were not looked up in the second tier: the second tier was failing, too many keys waited, or a write of the key had not reached the second tier yet.
 * @param l2Waited Keys that waited for the load of another process (l2.single_flight).
 * @param l2Stolen Keys whose lease was taken over from a process that took too long (l2.wait_ms).
 * @param l2Reads Requests that looked keys up in the second tier.
 * @param l2Writes Puts, removals and clears that were written to the second tier.
 * @param l2WriteErrors Keys that could not be written to the second tier. Their puts and removals are sent again.
 * @param l2Fills Answers of the provider that were stored in the second tier.
 * @param l2FillsRefused Answers that the second tier did not store, because the key had been written meanwhile.
 * @param l2FillsDropped Answers that were not sent to the second tier, for lack of room (l2.pending_keys, l2.pending_bytes, l2.max_value) or because a write of the key waited.
 * @param l2Overflows Times that the second tier was cleared, because too many keys waited to be written (l2.pending_keys).
 * @param l2Opened Times that the second tier was left alone for a while because of failures (l2.break_after).
 * @param l2Pending Now: keys that wait to be written to the second tier.
 * @param l2Avoided Now: 1 while the second tier is left alone because of failures, otherwise 0.
 */
public record Stats(
        long windowId,
        long windowMs,
        long hits,
        long nullHits,
        long misses,
        long invalidKeys,
        long inserts,
        long replacements,
        long removedExpired,
        long removedCapacity,
        long removedCost,
        long removedReplaced,
        long removedRemoved,
        long removedCleared,
        long removedTrimmed,
        long removedRefused,
        long removedCostExpired,
        long removedCostCapacity,
        long removedCostCost,
        long removedCostReplaced,
        long removedCostRemoved,
        long removedCostCleared,
        long removedCostTrimmed,
        long removedCostRefused,
        long missesStarted,
        long missesJoined,
        long missesCacheOnly,
        long missesQueueFull,
        long missesRemembered,
        long missesUnasked,
        long missesUnavailable,
        long loadsStarted,
        long loadsSucceeded,
        long loadsFailed,
        long loadsLost,
        long loadsCancelled,
        long loadsRetried,
        long loadsTimedOut,
        long lateAnswers,
        long attempts,
        long requests,
        long requestsAbandoned,
        long extrasStored,
        long extrasRefused,
        long fetchTimeouts,
        long fetchCancels,
        long entries,
        long cost,
        long queued,
        long deferred,
        long running,
        long inFlight,
        long abandoned,
        long pendingRemovals,
        long pendingRemovalsCost,
        long rateWaits,
        long rateWaitedUs,
        long breakerState,
        long breakerOpened,
        long breakerRefused,
        long refreshesRefused,
        long missesThrottled,
        long staleError,
        long staleTimeout,
        long staleThrottled,
        long refreshesStarted,
        long refreshesSucceeded,
        long refreshesFailed,
        long refreshesDropped,
        long hedgesStarted,
        long hedgesWon,
        long hedgesLost,
        long concurrencyLimit,
        long removedTag,
        long removedCostTag,
        long l2Hits,
        long l2Misses,
        long l2Damaged,
        long l2Outdated,
        long l2Errors,
        long l2Timeouts,
        long l2Bypassed,
        long l2Waited,
        long l2Stolen,
        long l2Reads,
        long l2Writes,
        long l2WriteErrors,
        long l2Fills,
        long l2FillsRefused,
        long l2FillsDropped,
        long l2Overflows,
        long l2Opened,
        long l2Pending,
        long l2Avoided) {

    static final int SIZE = 760;

    static Stats read(ByteBuffer from, int at) {
        return new Stats(
                from.getLong(at + 8),
                from.getLong(at + 16),
                from.getLong(at + 24),
                from.getLong(at + 32),
                from.getLong(at + 40),
                from.getLong(at + 48),
                from.getLong(at + 56),
                from.getLong(at + 64),
                from.getLong(at + 72),
                from.getLong(at + 80),
                from.getLong(at + 88),
                from.getLong(at + 96),
                from.getLong(at + 104),
                from.getLong(at + 112),
                from.getLong(at + 120),
                from.getLong(at + 128),
                from.getLong(at + 136),
                from.getLong(at + 144),
                from.getLong(at + 152),
                from.getLong(at + 160),
                from.getLong(at + 168),
                from.getLong(at + 176),
                from.getLong(at + 184),
                from.getLong(at + 192),
                from.getLong(at + 200),
                from.getLong(at + 208),
                from.getLong(at + 216),
                from.getLong(at + 224),
                from.getLong(at + 232),
                from.getLong(at + 240),
                from.getLong(at + 248),
                from.getLong(at + 256),
                from.getLong(at + 264),
                from.getLong(at + 272),
                from.getLong(at + 280),
                from.getLong(at + 288),
                from.getLong(at + 296),
                from.getLong(at + 304),
                from.getLong(at + 312),
                from.getLong(at + 320),
                from.getLong(at + 328),
                from.getLong(at + 336),
                from.getLong(at + 344),
                from.getLong(at + 352),
                from.getLong(at + 360),
                from.getLong(at + 368),
                from.getLong(at + 376),
                from.getLong(at + 384),
                from.getLong(at + 392),
                from.getLong(at + 400),
                from.getLong(at + 408),
                from.getLong(at + 416),
                from.getLong(at + 424),
                from.getLong(at + 432),
                from.getLong(at + 440),
                from.getLong(at + 448),
                from.getLong(at + 456),
                from.getLong(at + 464),
                from.getLong(at + 472),
                from.getLong(at + 480),
                from.getLong(at + 488),
                from.getLong(at + 496),
                from.getLong(at + 504),
                from.getLong(at + 512),
                from.getLong(at + 520),
                from.getLong(at + 528),
                from.getLong(at + 536),
                from.getLong(at + 544),
                from.getLong(at + 552),
                from.getLong(at + 560),
                from.getLong(at + 568),
                from.getLong(at + 576),
                from.getLong(at + 584),
                from.getLong(at + 592),
                from.getLong(at + 600),
                from.getLong(at + 608),
                from.getLong(at + 616),
                from.getLong(at + 624),
                from.getLong(at + 632),
                from.getLong(at + 640),
                from.getLong(at + 648),
                from.getLong(at + 656),
                from.getLong(at + 664),
                from.getLong(at + 672),
                from.getLong(at + 680),
                from.getLong(at + 688),
                from.getLong(at + 696),
                from.getLong(at + 704),
                from.getLong(at + 712),
                from.getLong(at + 720),
                from.getLong(at + 728),
                from.getLong(at + 736),
                from.getLong(at + 744),
                from.getLong(at + 752));
    }
}
