// Generated from api/api.json by `make generate`. Do not edit.

namespace Kvlight
{
    /// <summary>The counters since the last reset, and the current gauges. Store.StatsJson() also has histograms.</summary>
    public sealed class Stats
    {
        internal const int Size = 760;

        private readonly long[] numbers;

        internal Stats(long[] numbers)
        {
            this.numbers = numbers;
        }

        /// <summary>The number of the window: it changes with each reset.</summary>
        public long WindowId => numbers[1];

        /// <summary>The length of the window so far, in milliseconds.</summary>
        public long WindowMs => numbers[2];

        /// <summary>Lookups that found a value.</summary>
        public long Hits => numbers[3];

        /// <summary>Lookups that found a null: the key is known to be absent.</summary>
        public long NullHits => numbers[4];

        /// <summary>Lookups that found nothing.</summary>
        public long Misses => numbers[5];

        /// <summary>Lookups of keys that the validator refused.</summary>
        public long InvalidKeys => numbers[6];

        /// <summary>Entries that were stored, including those that replaced an older value.</summary>
        public long Inserts => numbers[7];

        /// <summary>Inserts that replaced an older value.</summary>
        public long Replacements => numbers[8];

        /// <summary>Entries that expired.</summary>
        public long RemovedExpired => numbers[9];

        /// <summary>Entries that were evicted because the store had too many entries.</summary>
        public long RemovedCapacity => numbers[10];

        /// <summary>Entries that were evicted because the store's total cost was too high.</summary>
        public long RemovedCost => numbers[11];

        /// <summary>Entries that were replaced by a newer entry for their key.</summary>
        public long RemovedReplaced => numbers[12];

        /// <summary>Entries that the program removed by key.</summary>
        public long RemovedRemoved => numbers[13];

        /// <summary>Entries that were removed by a clear.</summary>
        public long RemovedCleared => numbers[14];

        /// <summary>Entries that were removed by a trim or a resize.</summary>
        public long RemovedTrimmed => numbers[15];

        /// <summary>New entries that were not stored (KVL_REFUSED, KVL_TOO_LARGE).</summary>
        public long RemovedRefused => numbers[16];

        /// <summary>The cost of the entries that expired, in bytes.</summary>
        public long RemovedCostExpired => numbers[17];

        /// <summary>The cost of the entries that were evicted because the store had too many entries, in bytes.</summary>
        public long RemovedCostCapacity => numbers[18];

        /// <summary>The cost of the entries that were evicted because the store's total cost was too high, in bytes.</summary>
        public long RemovedCostCost => numbers[19];

        /// <summary>The cost of the entries that were replaced, in bytes.</summary>
        public long RemovedCostReplaced => numbers[20];

        /// <summary>The cost of the entries that the program removed by key, in bytes.</summary>
        public long RemovedCostRemoved => numbers[21];

        /// <summary>The cost of the entries that were removed by a clear, in bytes.</summary>
        public long RemovedCostCleared => numbers[22];

        /// <summary>The cost of the entries that were removed by a trim or a resize, in bytes.</summary>
        public long RemovedCostTrimmed => numbers[23];

        /// <summary>The cost of the new entries that were not stored, in bytes.</summary>
        public long RemovedCostRefused => numbers[24];

        /// <summary>Misses that started a load.</summary>
        public long MissesStarted => numbers[25];

        /// <summary>Misses that joined a running load.</summary>
        public long MissesJoined => numbers[26];

        /// <summary>Misses of fetches that never load (read = cache_only).</summary>
        public long MissesCacheOnly => numbers[27];

        /// <summary>Misses that found the queue full.</summary>
        public long MissesQueueFull => numbers[28];

        /// <summary>Misses that were answered with a remembered error (cache.error_ttl_ms).</summary>
        public long MissesRemembered => numbers[29];

        /// <summary>Misses that ended before a load was started or joined: the engine closed, or their batch failed as a whole.</summary>
        public long MissesUnasked => numbers[30];

        /// <summary>Misses that were refused because the circuit breaker was open.</summary>
        public long MissesUnavailable => numbers[31];

        /// <summary>Loads that were started.</summary>
        public long LoadsStarted => numbers[32];

        /// <summary>Loads that ended with a value or a null.</summary>
        public long LoadsSucceeded => numbers[33];

        /// <summary>Loads that ended with an error.</summary>
        public long LoadsFailed => numbers[34];

        /// <summary>Loads that lost their place in the queue (KVL_ERR_QUEUE_FULL).</summary>
        public long LoadsLost => numbers[35];

        /// <summary>Loads that ended because no fetch wanted them any more, or because the engine closed.</summary>
        public long LoadsCancelled => numbers[36];

        /// <summary>Attempts of loads after the first attempt.</summary>
        public long LoadsRetried => numbers[37];

        /// <summary>Attempts that timed out (attempt_timeout_ms).</summary>
        public long LoadsTimedOut => numbers[38];

        /// <summary>Answers that came after their attempt had ended (KVL_LATE).</summary>
        public long LateAnswers => numbers[39];

        /// <summary>Keys in requests; a key counts once for each attempt, and not again in a hedge request.</summary>
        public long Attempts => numbers[40];

        /// <summary>Requests formed, with hedge requests; the provider does not see one that was no longer wanted when its turn came.</summary>
        public long Requests => numbers[41];

        /// <summary>Requests that timed out while they were with the provider.</summary>
        public long RequestsAbandoned => numbers[42];

        /// <summary>Answers to keys that were not requested and were stored.</summary>
        public long ExtrasStored => numbers[43];

        /// <summary>Answers to keys that were not requested and were not stored.</summary>
        public long ExtrasRefused => numbers[44];

        /// <summary>Fetches that timed out (timeout_ms).</summary>
        public long FetchTimeouts => numbers[45];

        /// <summary>Fetches that were cancelled.</summary>
        public long FetchCancels => numbers[46];

        /// <summary>Now: entries in the store.</summary>
        public long Entries => numbers[47];

        /// <summary>Now: the total cost of the entries, in bytes.</summary>
        public long Cost => numbers[48];

        /// <summary>Now: keys in the queue, waiting for a slot.</summary>
        public long Queued => numbers[49];

        /// <summary>Now: keys that wait without a place in the queue.</summary>
        public long Deferred => numbers[50];

        /// <summary>Now: requests that hold a slot.</summary>
        public long Running => numbers[51];

        /// <summary>Now: loads that have started and not ended, including those in the queue.</summary>
        public long InFlight => numbers[52];

        /// <summary>Now: requests that timed out and are still with the provider.</summary>
        public long Abandoned => numbers[53];

        /// <summary>Now: entries that have left the store and wait for the removal listener or for their destructors.</summary>
        public long PendingRemovals => numbers[54];

        /// <summary>Now: the cost of the entries that wait for the removal listener or for their destructors, in bytes.</summary>
        public long PendingRemovalsCost => numbers[55];

        /// <summary>Times that a request waited for rate.requests_per_s while a slot was free.</summary>
        public long RateWaits => numbers[56];

        /// <summary>How long requests waited for rate.requests_per_s while a slot was free, in microseconds.</summary>
        public long RateWaitedUs => numbers[57];

        /// <summary>Now: the state of the circuit breaker, KVL_BREAKER_*.</summary>
        public long BreakerState => numbers[58];

        /// <summary>Times that the circuit breaker opened.</summary>
        public long BreakerOpened => numbers[59];

        /// <summary>Keys that the open circuit breaker refused: misses, keys in the queue, and keys of refreshes.</summary>
        public long BreakerRefused => numbers[60];

        /// <summary>Keys of refreshes that found the queue full and were rejected (queue.overflow = reject).</summary>
        public long RefreshesRefused => numbers[61];

        /// <summary>Misses that received the fallback at once, because a load had failed shortly before (stale.retry_ms).</summary>
        public long MissesThrottled => numbers[62];

        /// <summary>Positions that received the fallback because the load failed.</summary>
        public long StaleError => numbers[63];

        /// <summary>Positions that received the fallback because the load took too long (stale.timeout_ms).</summary>
        public long StaleTimeout => numbers[64];

        /// <summary>Positions that received the fallback because a load had failed shortly before (stale.retry_ms).</summary>
        public long StaleThrottled => numbers[65];

        /// <summary>Refreshes ahead that were started (refresh.after, refresh.after_ms).</summary>
        public long RefreshesStarted => numbers[66];

        /// <summary>Refreshes ahead that ended with a value or a null.</summary>
        public long RefreshesSucceeded => numbers[67];

        /// <summary>Refreshes ahead that ended with an error.</summary>
        public long RefreshesFailed => numbers[68];

        /// <summary>Refreshes ahead that were not started, or were given up: the queue was full, the circuit breaker was open, or the engine closed.</summary>
        public long RefreshesDropped => numbers[69];

        /// <summary>Hedge requests: those that repeated the unanswered keys of a slow request (hedge.after_ms, hedge.percentile).</summary>
        public long HedgesStarted => numbers[70];

        /// <summary>Hedge requests that answered a key first, or took over a key that failed in the other request.</summary>
        public long HedgesWon => numbers[71];

        /// <summary>Hedge requests that neither answered a key first nor took over a key.</summary>
        public long HedgesLost => numbers[72];

        /// <summary>Now: the number of slots, which is tasks.max_running unless tasks.limit = adaptive.</summary>
        public long ConcurrencyLimit => numbers[73];

        /// <summary>Entries that were removed by a tag.</summary>
        public long RemovedTag => numbers[74];

        /// <summary>The cost of the entries that were removed by a tag, in bytes.</summary>
        public long RemovedCostTag => numbers[75];

        /// <summary>Keys that were looked up in the second tier and found.</summary>
        public long L2Hits => numbers[76];

        /// <summary>Keys that were looked up in the second tier and not found.</summary>
        public long L2Misses => numbers[77];

        /// <summary>Keys whose entry in the second tier could not be read or had expired.</summary>
        public long L2Damaged => numbers[78];

        /// <summary>Keys that were found in the second tier, but were written during the lookup.</summary>
        public long L2Outdated => numbers[79];

        /// <summary>Keys whose lookup in the second tier failed.</summary>
        public long L2Errors => numbers[80];

        /// <summary>Keys whose lookup in the second tier took too long (l2.timeout_ms).</summary>
        public long L2Timeouts => numbers[81];

        /// <summary>Keys that were not looked up in the second tier: the second tier was failing, too many keys waited, or a write of the key had not reached the second tier yet.</summary>
        public long L2Bypassed => numbers[82];

        /// <summary>Keys that waited for the load of another process (l2.single_flight).</summary>
        public long L2Waited => numbers[83];

        /// <summary>Keys whose lease was taken over from a process that took too long (l2.wait_ms).</summary>
        public long L2Stolen => numbers[84];

        /// <summary>Requests that looked keys up in the second tier.</summary>
        public long L2Reads => numbers[85];

        /// <summary>Puts, removals and clears that were written to the second tier.</summary>
        public long L2Writes => numbers[86];

        /// <summary>Keys that could not be written to the second tier. Their puts and removals are sent again.</summary>
        public long L2WriteErrors => numbers[87];

        /// <summary>Answers of the provider that were stored in the second tier.</summary>
        public long L2Fills => numbers[88];

        /// <summary>Answers that the second tier did not store, because the key had been written meanwhile.</summary>
        public long L2FillsRefused => numbers[89];

        /// <summary>Answers that were not sent to the second tier, for lack of room (l2.pending_keys, l2.pending_bytes, l2.max_value) or because a write of the key waited.</summary>
        public long L2FillsDropped => numbers[90];

        /// <summary>Times that the second tier was cleared, because too many keys waited to be written (l2.pending_keys).</summary>
        public long L2Overflows => numbers[91];

        /// <summary>Times that the second tier was left alone for a while because of failures (l2.break_after).</summary>
        public long L2Opened => numbers[92];

        /// <summary>Now: keys that wait to be written to the second tier.</summary>
        public long L2Pending => numbers[93];

        /// <summary>Now: 1 while the second tier is left alone because of failures, otherwise 0.</summary>
        public long L2Avoided => numbers[94];
    }
}
