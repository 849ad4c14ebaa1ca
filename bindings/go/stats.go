// Code generated from api/api.json by make generate. DO NOT EDIT.

package kvlight

// #include <kvlight.h>
import "C"

// Stats has the counters since the last reset, and the current gauges. StatsJSON also has histograms.
type Stats struct {
	// Lookups that found a value.
	Hits uint64
	// Lookups that found a null: the key is known to be absent.
	NullHits uint64
	// Lookups that found nothing.
	Misses uint64
	// Lookups of keys that the validator refused.
	InvalidKeys uint64
	// Entries that were stored, including those that replaced an older value.
	Inserts uint64
	// Inserts that replaced an older value.
	Replacements uint64
	// Entries that expired.
	RemovedExpired uint64
	// Entries that were evicted because the store had too many entries.
	RemovedCapacity uint64
	// Entries that were evicted because the store's total cost was too high.
	RemovedCost uint64
	// Entries that were replaced by a newer entry for their key.
	RemovedReplaced uint64
	// Entries that the program removed by key.
	RemovedRemoved uint64
	// Entries that were removed by a clear.
	RemovedCleared uint64
	// Entries that were removed by a trim or a resize.
	RemovedTrimmed uint64
	// New entries that were not stored (KVL_REFUSED, KVL_TOO_LARGE).
	RemovedRefused uint64
	// The cost of the entries that expired, in bytes.
	RemovedCostExpired uint64
	// The cost of the entries that were evicted because the store had too many entries, in bytes.
	RemovedCostCapacity uint64
	// The cost of the entries that were evicted because the store's total cost was too high, in bytes.
	RemovedCostCost uint64
	// The cost of the entries that were replaced, in bytes.
	RemovedCostReplaced uint64
	// The cost of the entries that the program removed by key, in bytes.
	RemovedCostRemoved uint64
	// The cost of the entries that were removed by a clear, in bytes.
	RemovedCostCleared uint64
	// The cost of the entries that were removed by a trim or a resize, in bytes.
	RemovedCostTrimmed uint64
	// The cost of the new entries that were not stored, in bytes.
	RemovedCostRefused uint64
	// Misses that started a load.
	MissesStarted uint64
	// Misses that joined a running load.
	MissesJoined uint64
	// Misses of fetches that never load (read = cache_only).
	MissesCacheOnly uint64
	// Misses that found the queue full.
	MissesQueueFull uint64
	// Misses that were answered with a remembered error (cache.error_ttl_ms).
	MissesRemembered uint64
	// Misses that ended before a load was started or joined: the engine closed, or their batch failed as a whole.
	MissesUnasked uint64
	// Misses that were refused because the circuit breaker was open.
	MissesUnavailable uint64
	// Loads that were started.
	LoadsStarted uint64
	// Loads that ended with a value or a null.
	LoadsSucceeded uint64
	// Loads that ended with an error.
	LoadsFailed uint64
	// Loads that lost their place in the queue (KVL_ERR_QUEUE_FULL).
	LoadsLost uint64
	// Loads that ended because no fetch wanted them any more, or because the engine closed.
	LoadsCancelled uint64
	// Attempts of loads after the first attempt.
	LoadsRetried uint64
	// Attempts that timed out (attempt_timeout_ms).
	LoadsTimedOut uint64
	// Answers that came after their attempt had ended (KVL_LATE).
	LateAnswers uint64
	// Keys in requests; a key counts once for each attempt, and not again in a hedge request.
	Attempts uint64
	// Requests formed, with hedge requests; the provider does not see one that was no longer wanted when its turn came.
	Requests uint64
	// Requests that timed out while they were with the provider.
	RequestsAbandoned uint64
	// Answers to keys that were not requested and were stored.
	ExtrasStored uint64
	// Answers to keys that were not requested and were not stored.
	ExtrasRefused uint64
	// Fetches that timed out (timeout_ms).
	FetchTimeouts uint64
	// Fetches that were cancelled.
	FetchCancels uint64
	// Now: entries in the store.
	Entries uint64
	// Now: the total cost of the entries, in bytes.
	Cost uint64
	// Now: keys in the queue, waiting for a slot.
	Queued uint64
	// Now: keys that wait without a place in the queue.
	Deferred uint64
	// Now: requests that hold a slot.
	Running uint64
	// Now: loads that have started and not ended, including those in the queue.
	InFlight uint64
	// Now: requests that timed out and are still with the provider.
	Abandoned uint64
	// Now: entries that have left the store and wait for the removal listener or for their destructors.
	PendingRemovals uint64
	// Now: the cost of the entries that wait for the removal listener or for their destructors, in bytes.
	PendingRemovalsCost uint64
	// Times that a request waited for rate.requests_per_s while a slot was free.
	RateWaits uint64
	// How long requests waited for rate.requests_per_s while a slot was free, in microseconds.
	RateWaitedUs uint64
	// Now: the state of the circuit breaker, KVL_BREAKER_*.
	BreakerState uint64
	// Times that the circuit breaker opened.
	BreakerOpened uint64
	// Keys that the open circuit breaker refused: misses, keys in the queue, and keys of refreshes.
	BreakerRefused uint64
	// Keys of refreshes that found the queue full and were rejected (queue.overflow = reject).
	RefreshesRefused uint64
	// Misses that received the fallback at once, because a load had failed shortly before (stale.retry_ms).
	MissesThrottled uint64
	// Positions that received the fallback because the load failed.
	StaleError uint64
	// Positions that received the fallback because the load took too long (stale.timeout_ms).
	StaleTimeout uint64
	// Positions that received the fallback because a load had failed shortly before (stale.retry_ms).
	StaleThrottled uint64
	// Refreshes ahead that were started (refresh.after, refresh.after_ms).
	RefreshesStarted uint64
	// Refreshes ahead that ended with a value or a null.
	RefreshesSucceeded uint64
	// Refreshes ahead that ended with an error.
	RefreshesFailed uint64
	// Refreshes ahead that were not started, or were given up: the queue was full, the circuit breaker was open, or the engine closed.
	RefreshesDropped uint64
	// Hedge requests: those that repeated the unanswered keys of a slow request (hedge.after_ms, hedge.percentile).
	HedgesStarted uint64
	// Hedge requests that answered a key first, or took over a key that failed in the other request.
	HedgesWon uint64
	// Hedge requests that neither answered a key first nor took over a key.
	HedgesLost uint64
	// Now: the number of slots, which is tasks.max_running unless tasks.limit = adaptive.
	ConcurrencyLimit uint64
	// Entries that were removed by a tag.
	RemovedTag uint64
	// The cost of the entries that were removed by a tag, in bytes.
	RemovedCostTag uint64
	// Keys that were looked up in the second tier and found.
	L2Hits uint64
	// Keys that were looked up in the second tier and not found.
	L2Misses uint64
	// Keys whose entry in the second tier could not be read or had expired.
	L2Damaged uint64
	// Keys that were found in the second tier, but were written during the lookup.
	L2Outdated uint64
	// Keys whose lookup in the second tier failed.
	L2Errors uint64
	// Keys whose lookup in the second tier took too long (l2.timeout_ms).
	L2Timeouts uint64
	// Keys that were not looked up in the second tier: the second tier was failing, too many keys waited, or a write of the key had not reached the second tier yet.
	L2Bypassed uint64
	// Keys that waited for the load of another process (l2.single_flight).
	L2Waited uint64
	// Keys whose lease was taken over from a process that took too long (l2.wait_ms).
	L2Stolen uint64
	// Requests that looked keys up in the second tier.
	L2Reads uint64
	// Puts, removals and clears that were written to the second tier.
	L2Writes uint64
	// Keys that could not be written to the second tier. Their puts and removals are sent again.
	L2WriteErrors uint64
	// Answers of the provider that were stored in the second tier.
	L2Fills uint64
	// Answers that the second tier did not store, because the key had been written meanwhile.
	L2FillsRefused uint64
	// Answers that were not sent to the second tier, for lack of room (l2.pending_keys, l2.pending_bytes, l2.max_value) or because a write of the key waited.
	L2FillsDropped uint64
	// Times that the second tier was cleared, because too many keys waited to be written (l2.pending_keys).
	L2Overflows uint64
	// Times that the second tier was left alone for a while because of failures (l2.break_after).
	L2Opened uint64
	// Now: keys that wait to be written to the second tier.
	L2Pending uint64
	// Now: 1 while the second tier is left alone because of failures, otherwise 0.
	L2Avoided uint64
}

func statsOf(s *C.kvl_stats_t) Stats {
	return Stats{
		Hits:                uint64(s.hits),
		NullHits:            uint64(s.null_hits),
		Misses:              uint64(s.misses),
		InvalidKeys:         uint64(s.invalid_keys),
		Inserts:             uint64(s.inserts),
		Replacements:        uint64(s.replacements),
		RemovedExpired:      uint64(s.removed_expired),
		RemovedCapacity:     uint64(s.removed_capacity),
		RemovedCost:         uint64(s.removed_cost),
		RemovedReplaced:     uint64(s.removed_replaced),
		RemovedRemoved:      uint64(s.removed_removed),
		RemovedCleared:      uint64(s.removed_cleared),
		RemovedTrimmed:      uint64(s.removed_trimmed),
		RemovedRefused:      uint64(s.removed_refused),
		RemovedCostExpired:  uint64(s.removed_cost_expired),
		RemovedCostCapacity: uint64(s.removed_cost_capacity),
		RemovedCostCost:     uint64(s.removed_cost_cost),
		RemovedCostReplaced: uint64(s.removed_cost_replaced),
		RemovedCostRemoved:  uint64(s.removed_cost_removed),
		RemovedCostCleared:  uint64(s.removed_cost_cleared),
		RemovedCostTrimmed:  uint64(s.removed_cost_trimmed),
		RemovedCostRefused:  uint64(s.removed_cost_refused),
		MissesStarted:       uint64(s.misses_started),
		MissesJoined:        uint64(s.misses_joined),
		MissesCacheOnly:     uint64(s.misses_cache_only),
		MissesQueueFull:     uint64(s.misses_queue_full),
		MissesRemembered:    uint64(s.misses_remembered),
		MissesUnasked:       uint64(s.misses_unasked),
		MissesUnavailable:   uint64(s.misses_unavailable),
		LoadsStarted:        uint64(s.loads_started),
		LoadsSucceeded:      uint64(s.loads_succeeded),
		LoadsFailed:         uint64(s.loads_failed),
		LoadsLost:           uint64(s.loads_lost),
		LoadsCancelled:      uint64(s.loads_cancelled),
		LoadsRetried:        uint64(s.loads_retried),
		LoadsTimedOut:       uint64(s.loads_timed_out),
		LateAnswers:         uint64(s.late_answers),
		Attempts:            uint64(s.attempts),
		Requests:            uint64(s.requests),
		RequestsAbandoned:   uint64(s.requests_abandoned),
		ExtrasStored:        uint64(s.extras_stored),
		ExtrasRefused:       uint64(s.extras_refused),
		FetchTimeouts:       uint64(s.fetch_timeouts),
		FetchCancels:        uint64(s.fetch_cancels),
		Entries:             uint64(s.entries),
		Cost:                uint64(s.cost),
		Queued:              uint64(s.queued),
		Deferred:            uint64(s.deferred),
		Running:             uint64(s.running),
		InFlight:            uint64(s.in_flight),
		Abandoned:           uint64(s.abandoned),
		PendingRemovals:     uint64(s.pending_removals),
		PendingRemovalsCost: uint64(s.pending_removals_cost),
		RateWaits:           uint64(s.rate_waits),
		RateWaitedUs:        uint64(s.rate_waited_us),
		BreakerState:        uint64(s.breaker_state),
		BreakerOpened:       uint64(s.breaker_opened),
		BreakerRefused:      uint64(s.breaker_refused),
		RefreshesRefused:    uint64(s.refreshes_refused),
		MissesThrottled:     uint64(s.misses_throttled),
		StaleError:          uint64(s.stale_error),
		StaleTimeout:        uint64(s.stale_timeout),
		StaleThrottled:      uint64(s.stale_throttled),
		RefreshesStarted:    uint64(s.refreshes_started),
		RefreshesSucceeded:  uint64(s.refreshes_succeeded),
		RefreshesFailed:     uint64(s.refreshes_failed),
		RefreshesDropped:    uint64(s.refreshes_dropped),
		HedgesStarted:       uint64(s.hedges_started),
		HedgesWon:           uint64(s.hedges_won),
		HedgesLost:          uint64(s.hedges_lost),
		ConcurrencyLimit:    uint64(s.concurrency_limit),
		RemovedTag:          uint64(s.removed_tag),
		RemovedCostTag:      uint64(s.removed_cost_tag),
		L2Hits:              uint64(s.l2_hits),
		L2Misses:            uint64(s.l2_misses),
		L2Damaged:           uint64(s.l2_damaged),
		L2Outdated:          uint64(s.l2_outdated),
		L2Errors:            uint64(s.l2_errors),
		L2Timeouts:          uint64(s.l2_timeouts),
		L2Bypassed:          uint64(s.l2_bypassed),
		L2Waited:            uint64(s.l2_waited),
		L2Stolen:            uint64(s.l2_stolen),
		L2Reads:             uint64(s.l2_reads),
		L2Writes:            uint64(s.l2_writes),
		L2WriteErrors:       uint64(s.l2_write_errors),
		L2Fills:             uint64(s.l2_fills),
		L2FillsRefused:      uint64(s.l2_fills_refused),
		L2FillsDropped:      uint64(s.l2_fills_dropped),
		L2Overflows:         uint64(s.l2_overflows),
		L2Opened:            uint64(s.l2_opened),
		L2Pending:           uint64(s.l2_pending),
		L2Avoided:           uint64(s.l2_avoided),
	}
}
