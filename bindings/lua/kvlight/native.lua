-- Generated from api/api.json by `make generate`. Do not edit.

---The settings that one fetch may override.
---@class kvlight.FetchSettings
---@field ["stale.timeout_ms"]? integer How long a fetch with a fallback waits for the load, in milliseconds. The fetch then receives the fallback, while the load goes on and its answer is stored. -1 is no limit; 0 gives the fallback at once (stale while revalidate). The value must be below timeout_ms. Default: -1.
---@field ["batch.mode"]? "partial"|"all_or_nothing" Whether the failure of one key affects no other key of its batch (partial) or ends the batch (all_or_nothing). Default: partial.
---@field ["timeout_ms"]? integer How long a fetch waits, in milliseconds from the call. Positions that are not answered by then fail with KVL_ERR_TIMEOUT. -1 is no limit; 0 is refused. Default: -1.
---@field ["read"]? "normal"|"refresh"|"cache_only"|"no_store" normal: look in the store, and load what is missing. refresh: load in any case, and store the answer. cache_only: never load. no_store: look in the store, load what is missing, and do not store the answer. Default: normal.
---@field ["load.on_timeout"]? "continue"|"cancel" What happens to a running load, or to one whose key is looked up in the second tier, when the last fetch that waits for it reaches timeout_ms. continue: the load continues, other fetches can join it, and its answer is stored, but a failed attempt is not retried; a key that the second tier does not have goes on to the provider only if that can take a request at once. cancel: the load ends; the provider is notified that it is no longer wanted. Default: continue.
---@field ["load.on_cancel"]? "continue"|"cancel" What happens to such a load when the last fetch that waits for it is cancelled. The values mean the same as for load.on_timeout. Default: cancel.
---@field ["priority"]? number The priority with which an answer is stored, unless the answer states one. Entries of lower priority are evicted first. Default: 0.
---@field ["urgency"]? integer Keys of higher urgency are served first. kvl_fetch_set_urgency() overrides this setting. A refresh has KVL_URGENCY_BACKGROUND, unless its options state an urgency. Default: 0.
---@field ["retry.count"]? integer How many times a failed key is retried; -1 is no limit. Default: 0.
---@field ["retry.shape"]? "fixed"|"exponential"|"exponential_then_fixed"|"fixed_then_exponential" How the pauses between attempts grow. fixed: each pause is retry.fixed_ms. exponential: the first pause is retry.first_ms, and each further pause is retry.factor times as long as the one before. exponential_then_fixed and fixed_then_exponential: the shape changes from the first to the second after retry.switch_after pauses. Default: fixed.
---@field ["retry.first_ms"]? integer The first exponential pause, in milliseconds. Default: 1000.
---@field ["retry.fixed_ms"]? integer The fixed pause, in milliseconds. With 0, a retried key is queued behind the waiting keys of its urgency. Default: 100.
---@field ["retry.factor"]? number The factor by which each exponential pause is multiplied to give the next. Default: 2.
---@field ["retry.switch_after"]? integer The number of pauses after which exponential_then_fixed or fixed_then_exponential changes to its second shape. Default: 0.
---@field ["retry.cap_ms"]? integer The longest pause, in milliseconds. Default: 60000.
---@field ["retry.jitter"]? number Each pause is drawn uniformly from pause × (1 ± retry.jitter), and never exceeds retry.cap_ms. Default: 0.
---@field ["retry.budget_ms"]? integer How long after the start of the first attempt another attempt may still start, in milliseconds; -1 is no limit. Default: -1.

---The settings of an engine or a cache.
---@class kvlight.Settings: kvlight.FetchSettings
---@field ["cache.capacity"]? integer The maximum number of entries in the store; 0 stores nothing. Default: 1024.
---@field ["cache.cost_limit"]? integer The maximum total cost of the entries, in bytes; -1 is no limit. An entry costs the memory that it occupies or, if the program states the cost of its value, the stated cost plus the length of the key plus KVL_ENTRY_COST. Default: -1.
---@field ["cache.shards"]? integer The number of shards: parts of the store, each with its own lock and an equal part of cache.capacity and cache.cost_limit. 0 lets the library choose: one shard for a cache.capacity of up to 8,191; for more, as many shards as leave each of them at least 1 MiB of cache.cost_limit, by the number of processors. Default: 0.
---@field ["cache.ttl_ms"]? integer The TTL of values, in milliseconds; -1 never expires them; 0 stores no values. Default: -1.
---@field ["cache.null_ttl_ms"]? integer The TTL of nulls (keys known to be absent), in milliseconds; -1 never expires them; 0 stores no nulls. Default: 60000.
---@field ["cache.ttl_jitter_ms"]? integer The largest random change of a finite TTL, in milliseconds, so that entries stored together do not expire together: each TTL is drawn uniformly from TTL ± min(cache.ttl_jitter_ms, TTL / 2). Default: 0.
---@field ["cache.idle_ttl_ms"]? integer The time without use after which an entry also expires, in milliseconds; -1 is no limit; 0 is refused. Default: -1.
---@field ["cache.timer"]? boolean Whether a timer frees the memory of expired entries. Without the timer, each write frees up to 8 expired entries. An engine always has the timer. Default: true.
---@field ["cache.seed"]? integer A seed that makes the jitter of TTLs, refreshes and retries repeatable; -1 uses a random seed. Hashing does not use it: hash keys are always random. Default: -1.
---@field ["cache.hash"]? "fast"|"sip" The hash function for the store and for the table of loads. fast: foldhash. sip: SipHash-1-3, for keys that an attacker can choose. Both use random hash keys. Default: fast.
---@field ["cache.policy"]? "lru"|"s3fifo" Which entries are evicted first, among those of the lowest priority. lru: exactly the least recently used. s3fifo: entries that were used at most once since they were stored, so that a scan of keys that are used only once evicts little else. Default: lru.
---@field ["cache.error_ttl_ms"]? integer How long a provider's final error is remembered and returned to fetches of its key, in milliseconds; 0 remembers no errors. Default: 0.
---@field ["cache.error_capacity"]? integer The maximum number of remembered errors; the oldest are forgotten first. All remembered errors together use at most cache.error_capacity KiB of memory. Default: 1024.
---@field ["removals.max_pending"]? integer How many entries that have left an engine's cache may wait for the removal listener or, without a listener, for their destructors; -1 is no limit. Beyond the limit, a thread that writes outside callbacks waits until the listener has been called for some of these entries or, without a listener, runs destructors itself. Unless it is -1, the limit is lower for a small cache: no more entries may wait than the cache may hold (but at least 16), and they may cost no more than it may hold. Default: 1024.
---@field ["tasks.max_running"]? integer The maximum number of requests that are with the provider at a time. Each of them holds a slot. Requests counted by tasks.max_abandoned come on top. Default: 4.
---@field ["tasks.limit"]? "fixed"|"adaptive" How many slots there are. fixed: tasks.max_running. adaptive: a number between tasks.min_running and tasks.max_running, which rises while requests take no longer than when few are running, and falls when requests take longer or exceed attempt_timeout_ms. Default: fixed.
---@field ["tasks.min_running"]? integer With tasks.limit = adaptive: the lowest number of slots, and the initial one. Default: 1.
---@field ["tasks.max_abandoned"]? integer How many requests that have exceeded attempt_timeout_ms may still be with the provider without holding a slot. Beyond that, a request that exceeds attempt_timeout_ms keeps its slot until it or another such request ends. Default: 4.
---@field ["tasks.stack_bytes"]? integer The stack size of provider threads, in bytes. The thread that runs callbacks has the same stack size, unless the engine uses a shared runtime. Default: 8388608.
---@field ["queue.max_keys"]? integer The number of places in the queue. The key of a single-key fetch needs a place to wait for a slot. Keys of larger fetches and of refreshes take places too, while any are free. Default: 65536.
---@field ["queue.order"]? "fifo"|"lifo" Which fetch goes first among those of equal urgency: the oldest (fifo) or the newest (lifo). When the queue is full, a new key takes the place of the least urgent key if that key is less urgent or, with lifo, equally urgent and older. Otherwise the new key finds no place, and queue.overflow applies. A fetch of very many keys searches for places in steps, and does not consider keys that arrive between two steps. Default: fifo.
---@field ["queue.ageing_ms"]? integer With queue.order = fifo: the waiting time, in milliseconds, that raises the urgency of a key by one, so that steady urgent traffic starves no key; 0 turns this off. Default: 0.
---@field ["queue.share"]? number The share of the queue's places that the keys of one fetch may take at one urgency, but at least one place. The other keys of the fetch wait without a place. Default: 0.5.
---@field ["queue.overflow"]? "wait"|"reject" What happens to a key that finds no place in the queue or loses its place, if the key belongs to a refresh or to a fetch of several keys. wait: the key waits without a place. reject: the key fails with KVL_ERR_QUEUE_FULL, and queue.share has no effect. The key of a single-key fetch always fails with KVL_ERR_QUEUE_FULL. Default: wait.
---@field ["batch.max_keys"]? integer The maximum number of keys in a request; 1 for a provider that answers one key at a time. Default: 20.
---@field ["batch.linger_us"]? integer How long a key waits for other keys to join its request, in microseconds. Default: 0.
---@field ["batch.omitted_is_null"]? boolean Whether a key that the provider leaves unanswered becomes null (true) or fails (false). Neither happens to a key that is no longer wanted. Default: false.
---@field ["rate.requests_per_s"]? number The maximum number of requests to the provider per second; 0 is no limit. A key that waits for the rate limit holds no slot. Default: 0.
---@field ["rate.burst"]? integer With rate.requests_per_s: how many requests may be passed to the provider at once after an idle time. Default: 1.
---@field ["breaker.failure_ratio"]? number The circuit breaker opens when this share of the requests within breaker.window_ms has failed; 0 turns this off. A request fails if it exceeds attempt_timeout_ms, or if one of its keys fails with an error that is not permanent. Default: 0.
---@field ["breaker.window_ms"]? integer The time over which breaker.failure_ratio is measured, in milliseconds. Default: 10000.
---@field ["breaker.min_requests"]? integer The number of requests within breaker.window_ms below which breaker.failure_ratio does not apply. Default: 20.
---@field ["breaker.consecutive"]? integer The circuit breaker opens when this many requests in a row have failed; 0 turns this off. Default: 0.
---@field ["breaker.open_ms"]? integer How long an open circuit breaker keeps requests from the provider before it lets probe requests through, in milliseconds. Until then, keys that would need the provider fail with KVL_ERR_UNAVAILABLE. Default: 5000.
---@field ["breaker.probes"]? integer How many probe requests must succeed before the circuit breaker closes. If a probe request fails, the circuit breaker opens again. Default: 1.
---@field ["hedge.after_ms"]? integer The time, in milliseconds, after which the unanswered keys of a slow request are passed to the provider once more, in a hedge request, if a slot is free. The first answer to each key counts, and a request whose remaining keys the other request has answered is cancelled. 0 turns this off. Default: 0.
---@field ["hedge.percentile"]? number Like hedge.after_ms, but with a measured time: the time within which this share of the recent requests, such as 0.95, was answered. 0 turns this off. Default: 0.
---@field ["hedge.max_ratio"]? number The largest share of the requests that may be repeated by a hedge request. Default: 0.05.
---@field ["provider.idempotent"]? boolean Whether the keys of a slow request may be passed to the provider a second time. false makes the hedge settings an error. Even with false, a key may be in two requests at a time: after a write during its load, or after an attempt that timed out. Default: true.
---@field ["refresh.after"]? number The share of an entry's TTL after which the next use of the entry also starts a load of it in the background: a refresh ahead. Until the load ends, uses of the entry continue to hit. 0 turns this off. Entries that are not used are not refreshed. Default: 0.
---@field ["refresh.after_ms"]? integer Like refresh.after, but as a time since the entry was stored, in milliseconds. 0 turns this off. Default: 0.
---@field ["refresh.retry_ms"]? integer The pause after a failed or dropped refresh ahead, in milliseconds. The first use of the entry after the pause starts another refresh ahead. Default: 1000.
---@field ["refresh.jitter"]? number The largest share by which the time until a refresh ahead is shortened at random, so that entries stored together are not loaded together. Default: 0.
---@field ["stale.ttl_ms"]? integer How long an expired entry of an engine's cache stays as a fallback for fetches whose load fails, in milliseconds; 0 keeps no fallbacks. Requires entries that expire. Default: 0.
---@field ["stale.retry_ms"]? integer How long a key with a fallback is not loaded again after a failed load, in milliseconds. Fetches of the key in that time receive the fallback at once. Default: 1000.
---@field ["l2.timeout_ms"]? integer How long the second tier may take for a lookup, in milliseconds. After that, the provider is called. -1 is no limit; 0 is refused. Default: 50.
---@field ["l2.write_timeout_ms"]? integer How long the second tier may take for a request that writes, in milliseconds. A request that takes longer counts as failed, and its puts and removals are sent again. Default: 5000.
---@field ["l2.single_flight"]? boolean What to do with a key that another process is loading. true: look the key up again until its answer is in the second tier, for up to l2.wait_ms. false: load the key in this process too. true has no effect unless the second tier reports such keys (kvl_l2_request_leased). Default: true.
---@field ["l2.wait_ms"]? integer How long a key waits for the load of another process, in milliseconds. After that, this process loads the key, and takes over its lease if the second tier allows that. Default: 1000.
---@field ["l2.ttl_ms"]? integer The longest TTL in the second tier, in milliseconds; -1 uses the TTL that the entry has in this process; 0 is refused. Default: -1.
---@field ["l2.local_ttl_ms"]? integer The longest TTL in this process for an entry found in the second tier, in milliseconds; -1 uses what is left of its TTL there; 0 is refused. Default: -1.
---@field ["l2.batch_keys"]? integer The maximum number of keys in a request for the second tier. Default: 256.
---@field ["l2.max_requests"]? integer The maximum number of requests that read from the second tier at a time. One more request may write at the same time. Default: 4.
---@field ["l2.max_asking"]? integer How many keys may wait to be looked up in the second tier. Further keys go to the provider at once. Default: 65536.
---@field ["l2.max_value"]? integer The largest value that is written to the second tier, in bytes. A put of a larger value removes the key from the second tier. Default: 1048576.
---@field ["l2.pending_keys"]? integer How many keys may wait to be written to the second tier. Beyond that, a put or removal clears the whole second tier instead, and answers of the provider are not written to it. Default: 65536.
---@field ["l2.pending_bytes"]? integer The maximum total size of the values that wait to be written to the second tier, in bytes. Beyond that, a put removes the key from the second tier instead, and answers of the provider are not written to it. Default: 67108864.
---@field ["l2.break_after"]? integer The number of requests that must fail in a row before the second tier is left alone for l2.break_ms; 0 never leaves it alone. Default: 5.
---@field ["l2.break_ms"]? integer How long the second tier is left alone after l2.break_after failures in a row, in milliseconds. The time doubles with each further failure, up to l2.break_cap_ms. A failed write is repeated after this time at the earliest. Default: 1000.
---@field ["l2.break_cap_ms"]? integer The longest time for which the second tier is left alone, in milliseconds. Default: 30000.
---@field ["attempt_timeout_ms"]? integer How long the provider may take for a request, in milliseconds from when the provider receives the request; a heartbeat restarts the time. -1 is no limit; 0 is refused. Default: -1.

local native = {}

-- The C declarations, for ffi.cdef. A process may read them only once.
native.declarations = [[
typedef uint32_t kvl_source_t;
typedef uint32_t kvl_cause_t;
typedef uint32_t kvl_event_kind_t;
typedef int32_t kvl_status_t;
typedef struct kvl_cache_t kvl_cache_t;
typedef struct kvl_clock_t kvl_clock_t;
typedef struct kvl_config_t kvl_config_t;
typedef struct kvl_error_t kvl_error_t;
typedef struct kvl_fetch_t kvl_fetch_t;
typedef struct kvl_iterator_t kvl_iterator_t;
typedef struct kvl_l2_request_t kvl_l2_request_t;
typedef struct kvl_options_t kvl_options_t;
typedef struct kvl_queue_t kvl_queue_t;
typedef struct kvl_reader_t kvl_reader_t;
typedef struct kvl_request_t kvl_request_t;
typedef struct kvl_results_t kvl_results_t;
typedef struct kvl_runtime_t kvl_runtime_t;
typedef struct kvl_tasks_t kvl_tasks_t;
typedef struct kvl_value_t kvl_value_t;
typedef struct kvl_slice_t {
  const uint8_t *data;
  size_t len;
} kvl_slice_t;
typedef struct kvl_terms_t {
  size_t struct_size;
  int64_t ttl_ms;
  double priority;
  int64_t cost;
  uint32_t flags;
  uint32_t reserved;
  int64_t stale_ttl_ms;
  const uint8_t *version;
  size_t version_len;
  const kvl_slice_t *tags;
  size_t tags_len;
} kvl_terms_t;
typedef struct kvl_transfer_t {
  size_t struct_size;
  uint64_t entries;
  uint64_t skipped;
  uint64_t total;
  uint64_t bytes;
} kvl_transfer_t;
typedef struct kvl_result_t {
  size_t struct_size;
  size_t index;
  const uint8_t *key;
  size_t key_len;
  kvl_value_t *value;
  const uint8_t *data;
  size_t data_len;
  void *object;
  kvl_error_t *error;
  int64_t age_ms;
  int64_t ttl_left_ms;
  uint64_t cost;
  kvl_status_t status;
  kvl_source_t source;
  uint32_t attempts;
  uint32_t flags;
} kvl_result_t;
typedef struct kvl_event_t {
  size_t struct_size;
  kvl_event_kind_t kind;
  uint32_t flags;
  void *user_data;
  kvl_tasks_t *tasks;
  const kvl_result_t *result;
  kvl_results_t *results;
  kvl_request_t *request;
  size_t done;
  size_t failed;
  size_t total;
  kvl_cause_t cause;
  uint32_t reserved;
  kvl_l2_request_t *l2_request;
} kvl_event_t;
typedef struct kvl_stats_t {
  size_t struct_size;
  uint64_t window_id;
  int64_t window_ms;
  uint64_t hits;
  uint64_t null_hits;
  uint64_t misses;
  uint64_t invalid_keys;
  uint64_t inserts;
  uint64_t replacements;
  uint64_t removed_expired;
  uint64_t removed_capacity;
  uint64_t removed_cost;
  uint64_t removed_replaced;
  uint64_t removed_removed;
  uint64_t removed_cleared;
  uint64_t removed_trimmed;
  uint64_t removed_refused;
  uint64_t removed_cost_expired;
  uint64_t removed_cost_capacity;
  uint64_t removed_cost_cost;
  uint64_t removed_cost_replaced;
  uint64_t removed_cost_removed;
  uint64_t removed_cost_cleared;
  uint64_t removed_cost_trimmed;
  uint64_t removed_cost_refused;
  uint64_t misses_started;
  uint64_t misses_joined;
  uint64_t misses_cache_only;
  uint64_t misses_queue_full;
  uint64_t misses_remembered;
  uint64_t misses_unasked;
  uint64_t misses_unavailable;
  uint64_t loads_started;
  uint64_t loads_succeeded;
  uint64_t loads_failed;
  uint64_t loads_lost;
  uint64_t loads_cancelled;
  uint64_t loads_retried;
  uint64_t loads_timed_out;
  uint64_t late_answers;
  uint64_t attempts;
  uint64_t requests;
  uint64_t requests_abandoned;
  uint64_t extras_stored;
  uint64_t extras_refused;
  uint64_t fetch_timeouts;
  uint64_t fetch_cancels;
  uint64_t entries;
  uint64_t cost;
  uint64_t queued;
  uint64_t deferred;
  uint64_t running;
  uint64_t in_flight;
  uint64_t abandoned;
  uint64_t pending_removals;
  uint64_t pending_removals_cost;
  uint64_t rate_waits;
  uint64_t rate_waited_us;
  uint64_t breaker_state;
  uint64_t breaker_opened;
  uint64_t breaker_refused;
  uint64_t refreshes_refused;
  uint64_t misses_throttled;
  uint64_t stale_error;
  uint64_t stale_timeout;
  uint64_t stale_throttled;
  uint64_t refreshes_started;
  uint64_t refreshes_succeeded;
  uint64_t refreshes_failed;
  uint64_t refreshes_dropped;
  uint64_t hedges_started;
  uint64_t hedges_won;
  uint64_t hedges_lost;
  uint64_t concurrency_limit;
  uint64_t removed_tag;
  uint64_t removed_cost_tag;
  uint64_t l2_hits;
  uint64_t l2_misses;
  uint64_t l2_damaged;
  uint64_t l2_outdated;
  uint64_t l2_errors;
  uint64_t l2_timeouts;
  uint64_t l2_bypassed;
  uint64_t l2_waited;
  uint64_t l2_stolen;
  uint64_t l2_reads;
  uint64_t l2_writes;
  uint64_t l2_write_errors;
  uint64_t l2_fills;
  uint64_t l2_fills_refused;
  uint64_t l2_fills_dropped;
  uint64_t l2_overflows;
  uint64_t l2_opened;
  uint64_t l2_pending;
  uint64_t l2_avoided;
} kvl_stats_t;
typedef void (*kvl_free_fn)(void *user_data);
typedef void (*kvl_result_fn)(void *user_data, const kvl_result_t *result);
typedef void (*kvl_results_fn)(void *user_data, kvl_results_t *results);
typedef void (*kvl_progress_fn)(void *user_data, size_t done, size_t failed, size_t total);
typedef int32_t (*kvl_transfer_fn)(void *user_data, const kvl_transfer_t *progress);
typedef kvl_value_t * (*kvl_convert_fn)(void *user_data, const kvl_result_t *entry);
typedef void (*kvl_provide_fn)(void *user_data, kvl_request_t *request);
typedef void (*kvl_l2_fn)(void *user_data, kvl_l2_request_t *request);
typedef void (*kvl_cancel_fn)(void *user_data, kvl_request_t *request, uint32_t reason);
typedef void (*kvl_closed_fn)(void *user_data);
typedef void (*kvl_wake_fn)(void *user_data);
typedef uint32_t (*kvl_validate_fn)(void *user_data, const uint8_t *key, size_t key_len);
typedef uint64_t (*kvl_cost_fn)(void *user_data, const uint8_t *key, size_t key_len, kvl_value_t *value);
typedef void (*kvl_removal_fn)(void *user_data, const kvl_result_t *entry, kvl_cause_t cause);
typedef void (*kvl_record_fn)(void *user_data, kvl_status_t record, const uint8_t *key, size_t key_len);
uint32_t kvl_version_number(void);
const char *kvl_version_string(void);
const char *kvl_status_name(kvl_status_t status);
const char *kvl_status_message(kvl_status_t status);
uint32_t kvl_status_is_retriable(kvl_status_t status);
size_t kvl_status_count(void);
kvl_status_t kvl_status_at(size_t i);
kvl_status_t kvl_runtime_new(kvl_runtime_t **out_runtime);
kvl_status_t kvl_runtime_free(kvl_runtime_t *runtime);
kvl_status_t kvl_clock_new_manual(int64_t now_ms, kvl_clock_t **out_clock);
kvl_status_t kvl_clock_advance(kvl_clock_t *clock, int64_t by_ms);
int64_t kvl_clock_now_ms(const kvl_clock_t *clock);
void kvl_clock_release(kvl_clock_t *clock);
const char *kvl_config_keys_json(void);
kvl_status_t kvl_config_new(kvl_config_t **out_config);
kvl_status_t kvl_config_set(kvl_config_t *config, const char *key, const char *value);
kvl_status_t kvl_config_set_int(kvl_config_t *config, const char *key, int64_t value);
kvl_status_t kvl_config_set_real(kvl_config_t *config, const char *key, double value);
kvl_status_t kvl_config_get(const kvl_config_t *config, const char *key, kvl_value_t **out_text);
const char *kvl_config_problem(const kvl_config_t *config);
kvl_status_t kvl_config_set_provider(kvl_config_t *config, kvl_provide_fn function, void *user_data, kvl_free_fn user_data_free);
kvl_status_t kvl_config_set_validator(kvl_config_t *config, kvl_validate_fn function, void *user_data, kvl_free_fn user_data_free);
kvl_status_t kvl_config_set_cost(kvl_config_t *config, kvl_cost_fn function, void *user_data, kvl_free_fn user_data_free);
kvl_status_t kvl_config_set_removal_listener(kvl_config_t *config, kvl_removal_fn function, void *user_data, kvl_free_fn user_data_free);
kvl_status_t kvl_config_set_record_listener(kvl_config_t *config, kvl_record_fn function, void *user_data, kvl_free_fn user_data_free);
kvl_status_t kvl_config_set_clock(kvl_config_t *config, kvl_clock_t *clock);
kvl_status_t kvl_config_set_runtime(kvl_config_t *config, kvl_runtime_t *runtime);
void kvl_config_free(kvl_config_t *config);
kvl_status_t kvl_options_new(kvl_options_t **out_options);
kvl_status_t kvl_options_set(kvl_options_t *options, const char *key, const char *value);
kvl_status_t kvl_options_set_int(kvl_options_t *options, const char *key, int64_t value);
kvl_status_t kvl_options_set_real(kvl_options_t *options, const char *key, double value);
kvl_status_t kvl_options_set_progress(kvl_options_t *options, kvl_progress_fn function, size_t step_keys);
const char *kvl_options_problem(const kvl_options_t *options);
void kvl_options_free(kvl_options_t *options);
kvl_value_t *kvl_value_null(void);
kvl_status_t kvl_value_new_bytes(const uint8_t *data, size_t len, kvl_value_t **out_value);
kvl_status_t kvl_value_new_space(size_t len, uint8_t **out_data, kvl_value_t **out_value);
kvl_status_t kvl_value_new_extern(const uint8_t *data, size_t len, void *user_data, kvl_free_fn user_data_free, kvl_value_t **out_value);
kvl_status_t kvl_value_new_object(void *object, uint64_t cost, kvl_free_fn object_free, kvl_value_t **out_value);
uint32_t kvl_value_kind(const kvl_value_t *value);
const uint8_t *kvl_value_data(const kvl_value_t *value, size_t *out_len);
void *kvl_value_object(const kvl_value_t *value);
uint64_t kvl_value_cost(const kvl_value_t *value);
kvl_value_t *kvl_value_retain(kvl_value_t *value);
void kvl_value_release(kvl_value_t *value);
void kvl_value_release_many(kvl_value_t **values, size_t n);
kvl_status_t kvl_error_new(int64_t code, const char *message, size_t message_len, uint32_t flags, kvl_error_t **out_error);
kvl_status_t kvl_error_new_object(int64_t code, const char *message, size_t message_len, uint32_t flags, kvl_queue_t *queue_or_null, void *object, kvl_free_fn object_free, kvl_error_t **out_error);
kvl_status_t kvl_error_status(const kvl_error_t *error);
int64_t kvl_error_code(const kvl_error_t *error);
const char *kvl_error_message(const kvl_error_t *error);
void *kvl_error_object(const kvl_error_t *error);
uint32_t kvl_error_is_permanent(const kvl_error_t *error);
kvl_status_t kvl_error_set_retry_after(kvl_error_t *error, int64_t pause_ms);
int64_t kvl_error_retry_after_ms(const kvl_error_t *error);
kvl_error_t *kvl_error_cause(const kvl_error_t *error);
kvl_error_t *kvl_error_retain(kvl_error_t *error);
void kvl_error_release(kvl_error_t *error);
kvl_status_t kvl_slices_unpack(const uint8_t *packed, size_t packed_len, const uint32_t *lens, size_t n, kvl_slice_t *out_slices);
kvl_status_t kvl_cache_new(const kvl_config_t *config, kvl_cache_t **out_cache, kvl_error_t **out_error);
kvl_status_t kvl_cache_get(kvl_cache_t *cache, const uint8_t *key, size_t key_len, kvl_value_t **out_value);
kvl_status_t kvl_cache_get_into(kvl_cache_t *cache, const uint8_t *key, size_t key_len, uint8_t *buf, size_t cap, size_t *out_len);
kvl_status_t kvl_cache_get_many(kvl_cache_t *cache, const kvl_slice_t *keys, size_t n, kvl_value_t **out_values, kvl_status_t *out_statuses);
kvl_status_t kvl_cache_peek(kvl_cache_t *cache, const uint8_t *key, size_t key_len, kvl_value_t **out_value, int64_t *out_ttl_left_ms, uint64_t *out_cost);
kvl_status_t kvl_cache_contains(kvl_cache_t *cache, const uint8_t *key, size_t key_len);
size_t kvl_cache_len(const kvl_cache_t *cache);
uint64_t kvl_cache_cost(const kvl_cache_t *cache);
size_t kvl_cache_capacity(const kvl_cache_t *cache);
int64_t kvl_cache_cost_limit(const kvl_cache_t *cache);
uint64_t kvl_cache_max_cost(const kvl_cache_t *cache);
kvl_status_t kvl_cache_stats(kvl_cache_t *cache, kvl_stats_t *out_stats, size_t out_size);
kvl_status_t kvl_cache_stats_json(kvl_cache_t *cache, kvl_value_t **out_text);
kvl_status_t kvl_cache_stats_openmetrics(kvl_cache_t *cache, kvl_value_t **out_text);
kvl_status_t kvl_cache_stats_reset(kvl_cache_t *cache);
kvl_cache_t *kvl_cache_retain(kvl_cache_t *cache);
void kvl_cache_release(kvl_cache_t *cache);
kvl_status_t kvl_cache_put(kvl_cache_t *cache, const uint8_t *key, size_t key_len, kvl_value_t *value, const kvl_terms_t *terms_or_null);
kvl_status_t kvl_cache_put_with_victims(kvl_cache_t *cache, const uint8_t *key, size_t key_len, kvl_value_t *value, const kvl_terms_t *terms_or_null, kvl_removal_fn on_victim, void *user_data);
kvl_status_t kvl_cache_put_bytes(kvl_cache_t *cache, const uint8_t *key, size_t key_len, const uint8_t *data, size_t len, const kvl_terms_t *terms_or_null);
kvl_status_t kvl_cache_compare_put(kvl_cache_t *cache, const uint8_t *key, size_t key_len, kvl_value_t *expected, kvl_value_t *value, const kvl_terms_t *terms_or_null);
kvl_status_t kvl_cache_touch(kvl_cache_t *cache, const uint8_t *key, size_t key_len, int64_t ttl_ms);
kvl_status_t kvl_cache_remove(kvl_cache_t *cache, const uint8_t *key, size_t key_len);
kvl_status_t kvl_cache_expire(kvl_cache_t *cache, const uint8_t *key, size_t key_len);
kvl_status_t kvl_cache_remove_expired(kvl_cache_t *cache, size_t *out_removed);
kvl_status_t kvl_cache_take(kvl_cache_t *cache, const uint8_t *key, size_t key_len, kvl_value_t **out_value);
kvl_status_t kvl_cache_pop(kvl_cache_t *cache, kvl_value_t **out_value);
kvl_status_t kvl_cache_trim(kvl_cache_t *cache, double keep_ratio);
kvl_status_t kvl_cache_trim_to(kvl_cache_t *cache, size_t entries);
kvl_status_t kvl_cache_clear(kvl_cache_t *cache);
kvl_status_t kvl_cache_resize(kvl_cache_t *cache, size_t capacity, int64_t cost_limit);
kvl_status_t kvl_cache_remove_tag(kvl_cache_t *cache, const uint8_t *tag, size_t tag_len, size_t *out_removed);
kvl_status_t kvl_cache_expire_tag(kvl_cache_t *cache, const uint8_t *tag, size_t tag_len, size_t *out_expired);
kvl_status_t kvl_cache_expire_all(kvl_cache_t *cache);
kvl_status_t kvl_cache_save(kvl_cache_t *cache, const char *path, kvl_transfer_fn on_progress, void *user_data, kvl_transfer_t *out_transfer, size_t out_size, kvl_error_t **out_error);
kvl_status_t kvl_cache_load(kvl_cache_t *cache, const char *path, kvl_transfer_fn on_progress, void *user_data, kvl_transfer_t *out_transfer, size_t out_size, kvl_error_t **out_error);
kvl_status_t kvl_cache_save_encoded(kvl_cache_t *cache, const char *path, kvl_convert_fn encode, kvl_transfer_fn on_progress, void *user_data, kvl_transfer_t *out_transfer, size_t out_size, kvl_error_t **out_error);
kvl_status_t kvl_cache_load_decoded(kvl_cache_t *cache, const char *path, kvl_convert_fn decode, kvl_transfer_fn on_progress, void *user_data, kvl_transfer_t *out_transfer, size_t out_size, kvl_error_t **out_error);
kvl_status_t kvl_reader_new(kvl_cache_t *cache, kvl_reader_t **out_reader);
kvl_status_t kvl_reader_get(kvl_reader_t *reader, const uint8_t *key, size_t key_len, const uint8_t **out_data, size_t *out_len, void **out_object);
void kvl_reader_done(kvl_reader_t *reader);
void kvl_reader_free(kvl_reader_t *reader);
kvl_status_t kvl_iterator_new(kvl_cache_t *cache, kvl_iterator_t **out_iterator);
kvl_status_t kvl_iterator_next(kvl_iterator_t *iterator, kvl_result_t *out_entry, size_t out_size);
void kvl_iterator_free(kvl_iterator_t *iterator);
kvl_status_t kvl_tasks_new(const kvl_config_t *config, kvl_tasks_t **out_tasks, kvl_error_t **out_error);
kvl_status_t kvl_tasks_cache(kvl_tasks_t *tasks, kvl_cache_t **out_cache);
kvl_status_t kvl_tasks_fetch(kvl_tasks_t *tasks, const uint8_t *key, size_t key_len, const kvl_options_t *options, kvl_fetch_t *fetch, kvl_result_fn function, void *user_data, kvl_free_fn user_data_free, kvl_value_t **out_value);
kvl_status_t kvl_tasks_fetch_each(kvl_tasks_t *tasks, const kvl_slice_t *keys, size_t n, const kvl_options_t *options, kvl_fetch_t *fetch, kvl_result_fn function, void *user_data, kvl_free_fn user_data_free);
kvl_status_t kvl_tasks_fetch_all(kvl_tasks_t *tasks, const kvl_slice_t *keys, size_t n, const kvl_options_t *options, kvl_fetch_t *fetch, kvl_results_fn function, void *user_data, kvl_free_fn user_data_free, kvl_results_t **out_ready);
kvl_status_t kvl_tasks_fetch_wait(kvl_tasks_t *tasks, const uint8_t *key, size_t key_len, const kvl_options_t *options, kvl_fetch_t *fetch, kvl_value_t **out_value, kvl_error_t **out_error);
kvl_status_t kvl_tasks_fetch_all_wait(kvl_tasks_t *tasks, const kvl_slice_t *keys, size_t n, const kvl_options_t *options, kvl_fetch_t *fetch, kvl_results_t **out_results);
kvl_status_t kvl_tasks_refresh(kvl_tasks_t *tasks, const kvl_slice_t *keys, size_t n, const kvl_options_t *options);
kvl_status_t kvl_tasks_gather(kvl_tasks_t *tasks, uint32_t gathers);
kvl_status_t kvl_tasks_stats(kvl_tasks_t *tasks, kvl_stats_t *out_stats, size_t out_size);
kvl_status_t kvl_tasks_stats_json(kvl_tasks_t *tasks, kvl_value_t **out_text);
kvl_status_t kvl_tasks_stats_openmetrics(kvl_tasks_t *tasks, kvl_value_t **out_text);
kvl_status_t kvl_tasks_stats_reset(kvl_tasks_t *tasks);
kvl_status_t kvl_tasks_close(kvl_tasks_t *tasks, uint32_t mode, int64_t deadline_ms, kvl_closed_fn function, void *user_data, kvl_free_fn user_data_free);
kvl_status_t kvl_tasks_free(kvl_tasks_t *tasks);
void kvl_tasks_dispose(kvl_tasks_t *tasks);
kvl_status_t kvl_cache_get_object(kvl_cache_t *cache, const uint8_t *key, size_t key_len, void **out_object, kvl_value_t **out_value);
kvl_status_t kvl_tasks_get(kvl_tasks_t *tasks, const uint8_t *key, size_t key_len, kvl_value_t **out_value);
uint32_t kvl_tasks_reads_store_first(const kvl_tasks_t *tasks);
kvl_status_t kvl_tasks_get_object(kvl_tasks_t *tasks, const uint8_t *key, size_t key_len, void **out_object, kvl_value_t **out_value);
kvl_status_t kvl_tasks_invalidate(kvl_tasks_t *tasks, const kvl_slice_t *keys, size_t n, uint32_t flags);
uint32_t kvl_tasks_breaker_state(kvl_tasks_t *tasks);
kvl_status_t kvl_tasks_breaker_force(kvl_tasks_t *tasks, uint32_t force);
kvl_status_t kvl_fetch_new(kvl_fetch_t **out_fetch);
kvl_status_t kvl_fetch_set_context(kvl_fetch_t *fetch, void *context, kvl_free_fn context_free);
kvl_status_t kvl_fetch_set_urgency(kvl_fetch_t *fetch, int32_t urgency);
kvl_status_t kvl_fetch_cancel(kvl_fetch_t *fetch);
kvl_status_t kvl_fetch_wait(kvl_fetch_t *fetch, int64_t timeout_ms);
kvl_status_t kvl_fetch_progress(const kvl_fetch_t *fetch, size_t *out_done, size_t *out_failed, size_t *out_total);
kvl_fetch_t *kvl_fetch_retain(kvl_fetch_t *fetch);
void kvl_fetch_release(kvl_fetch_t *fetch);
size_t kvl_results_len(const kvl_results_t *results);
kvl_status_t kvl_results_status(const kvl_results_t *results);
const kvl_result_t *kvl_results_at(const kvl_results_t *results, size_t i);
const kvl_result_t *kvl_results_array(const kvl_results_t *results, size_t *out_stride);
size_t kvl_results_count(const kvl_results_t *results, uint32_t what);
size_t kvl_results_count_status(const kvl_results_t *results, kvl_status_t status);
size_t kvl_results_error_len(const kvl_results_t *results);
kvl_error_t *kvl_results_error_at(const kvl_results_t *results, size_t i);
kvl_results_t *kvl_results_retain(kvl_results_t *results);
void kvl_results_release(kvl_results_t *results);
size_t kvl_request_len(const kvl_request_t *request);
kvl_status_t kvl_request_key(const kvl_request_t *request, size_t i, const uint8_t **out_data, size_t *out_len);
const kvl_slice_t *kvl_request_keys(const kvl_request_t *request);
uint32_t kvl_request_attempt(const kvl_request_t *request, size_t i);
void *kvl_request_context(const kvl_request_t *request, size_t i);
int32_t kvl_request_urgency(const kvl_request_t *request);
int64_t kvl_request_time_left_ms(const kvl_request_t *request);
void *kvl_request_user_data(const kvl_request_t *request);
uint32_t kvl_request_is_cancelled(const kvl_request_t *request);
uint32_t kvl_request_is_wanted(const kvl_request_t *request, size_t i);
kvl_status_t kvl_request_on_cancel(kvl_request_t *request, kvl_cancel_fn function, void *user_data, kvl_free_fn user_data_free);
kvl_status_t kvl_request_heartbeat(kvl_request_t *request);
kvl_status_t kvl_request_resolve(kvl_request_t *request, size_t i, kvl_value_t *value, const kvl_terms_t *terms_or_null);
kvl_status_t kvl_request_resolve_bytes(kvl_request_t *request, size_t i, const uint8_t *data, size_t len, const kvl_terms_t *terms_or_null);
kvl_status_t kvl_request_resolve_object(kvl_request_t *request, size_t i, void *object, uint64_t cost, kvl_free_fn object_free, const kvl_terms_t *terms_or_null);
kvl_status_t kvl_request_fail(kvl_request_t *request, size_t i, kvl_error_t *error_or_null);
kvl_status_t kvl_request_fail_text(kvl_request_t *request, size_t i, int64_t code, const char *message, uint32_t flags);
kvl_status_t kvl_request_supply(kvl_request_t *request, const uint8_t *key, size_t key_len, kvl_value_t *value, const kvl_terms_t *terms_or_null);
kvl_status_t kvl_request_supply_bytes(kvl_request_t *request, const uint8_t *key, size_t key_len, const uint8_t *data, size_t len, const kvl_terms_t *terms_or_null);
kvl_status_t kvl_request_finish(kvl_request_t *request);
kvl_status_t kvl_request_finish_nulls(kvl_request_t *request);
kvl_status_t kvl_request_finish_error(kvl_request_t *request, kvl_error_t *error_or_null);
kvl_request_t *kvl_request_retain(kvl_request_t *request);
void kvl_request_release(kvl_request_t *request);
kvl_status_t kvl_request_stale(kvl_request_t *request, size_t i, kvl_value_t **out_value, int64_t *out_age_ms, kvl_slice_t *out_version);
kvl_status_t kvl_request_not_modified(kvl_request_t *request, size_t i, const kvl_terms_t *terms_or_null);
kvl_status_t kvl_config_set_l2(kvl_config_t *config, uint32_t abilities, kvl_l2_fn function, void *user_data, kvl_free_fn user_data_free);
uint32_t kvl_l2_request_kind(const kvl_l2_request_t *request);
size_t kvl_l2_request_len(const kvl_l2_request_t *request);
const kvl_slice_t *kvl_l2_request_keys(const kvl_l2_request_t *request);
kvl_status_t kvl_l2_request_entry(const kvl_l2_request_t *request, size_t i, const uint8_t **out_data, size_t *out_len, int64_t *out_ttl_ms, const uint8_t **out_token, size_t *out_token_len);
kvl_status_t kvl_l2_request_value(const kvl_l2_request_t *request, size_t i, kvl_value_t **out_value);
kvl_status_t kvl_l2_request_set_payload(kvl_l2_request_t *request, size_t i, const uint8_t *data, size_t len);
kvl_status_t kvl_l2_request_payload(const kvl_l2_request_t *request, size_t i, const uint8_t *data, size_t len, const uint8_t **out_data, size_t *out_len);
kvl_status_t kvl_l2_request_hit_object(kvl_l2_request_t *request, size_t i, const uint8_t *data, size_t len, int64_t ttl_left_ms, const uint8_t *token, size_t token_len, kvl_value_t *value);
kvl_status_t kvl_l2_request_hit(kvl_l2_request_t *request, size_t i, const uint8_t *data, size_t len, int64_t ttl_left_ms, const uint8_t *token, size_t token_len);
kvl_status_t kvl_l2_request_miss(kvl_l2_request_t *request, size_t i, const uint8_t *token, size_t token_len);
kvl_status_t kvl_l2_request_leased(kvl_l2_request_t *request, size_t i);
uint32_t kvl_l2_request_steals(const kvl_l2_request_t *request, size_t i);
kvl_status_t kvl_l2_request_refused(kvl_l2_request_t *request, size_t i);
kvl_status_t kvl_l2_request_fail(kvl_l2_request_t *request, size_t i);
kvl_status_t kvl_l2_request_finish(kvl_l2_request_t *request);
kvl_l2_request_t *kvl_l2_request_retain(kvl_l2_request_t *request);
void kvl_l2_request_release(kvl_l2_request_t *request);
kvl_status_t kvl_tasks_l2_sync(kvl_tasks_t *tasks, int64_t timeout_ms);
kvl_status_t kvl_queue_new(uint32_t flags, kvl_queue_t **out_queue);
kvl_status_t kvl_queue_fd(kvl_queue_t *queue, int32_t *out_fd);
kvl_status_t kvl_queue_handle(kvl_queue_t *queue, void **out_handle);
kvl_status_t kvl_queue_set_wake(kvl_queue_t *queue, kvl_wake_fn function, void *user_data, kvl_free_fn user_data_free);
kvl_status_t kvl_queue_poll(kvl_queue_t *queue, size_t max, int64_t timeout_ms, size_t *out_ran);
kvl_status_t kvl_queue_next(kvl_queue_t *queue, int64_t timeout_ms, kvl_event_t *out_event, size_t out_size);
size_t kvl_queue_len(const kvl_queue_t *queue);
kvl_status_t kvl_queue_wake(kvl_queue_t *queue);
kvl_status_t kvl_queue_free(kvl_queue_t *queue);
void kvl_queue_dispose(kvl_queue_t *queue);
kvl_status_t kvl_config_set_queue(kvl_config_t *config, kvl_queue_t *queue, uint32_t what);
kvl_status_t kvl_value_new_object_on(kvl_queue_t *queue, void *object, uint64_t cost, kvl_free_fn object_free, kvl_value_t **out_value);
]]

native.version = { number = 2000, text = "0.2.0" }

-- Statuses and other constants, by their names without "KVL_".
native.constants = {
  OK = 0, -- done
  VALUE = 1, -- a value
  NULL = 2, -- known to be absent
  MISS = 3, -- not in the store
  INVALID_KEY = 4, -- the validator refused the key
  PENDING = 5, -- accepted: the promised events follow
  EMPTY = 6, -- nothing within the timeout, a wake-up ended the wait, or an iterator has no more entries
  REFUSED = 7, -- not stored: no room for the entry's priority, capacity 0, or TTL 0; an older value under the key was removed
  TOO_LARGE = 8, -- not stored: costs more than one shard's part of cache.cost_limit; an older value under the key was removed
  TRUNCATED = 9, -- the buffer is too small: call again with a buffer of the reported length
  LATE = 10, -- too late: the attempt had ended before, or the answer is outdated
  CONFLICT = 11, -- not stored: the key has an entry already, or no longer has the expected value; nothing changed
  ERR_INVALID_ARG = -1, -- an argument is out of range or has unknown flags
  ERR_NULL_POINTER = -2, -- a pointer that must not be NULL is NULL
  ERR_UNKNOWN_KEY = -3, -- no setting has this name, or a fetch cannot set it: docs/CONFIGURATION.md and kvl_config_keys_json() list all settings
  ERR_BAD_VALUE = -4, -- a setting, or a term of an answer or a put (TTL, stale TTL, priority, cost, version, tags), has the wrong type, is out of range, or contradicts another
  ERR_INVALID_HANDLE = -5, -- the runtime has been freed
  ERR_KEY_TOO_LONG = -6, -- the key is longer than 65,535 bytes (KVL_KEY_MAX)
  ERR_WRONG_KIND = -7, -- the value or the request is not of the kind that this function needs: an object has no bytes, for example
  ERR_OUT_OF_RANGE = -8, -- the index is not below the length
  ERR_ALREADY_ANSWERED = -9, -- this key of the request has been answered already, or the request is finished
  ERR_ALREADY_USED = -10, -- already used: a fetch handle serves one fetch, a cancel hook is set once, and an error is changed only before it is shared
  ERR_NO_PROVIDER = -11, -- the configuration has no provider: kvl_config_set_provider()
  ERR_NO_CALLBACK = -12, -- the function to call is NULL: set it, or have its events sent to a queue that kvl_queue_next() reads
  ERR_BUSY = -13, -- still in use: an engine or a cache is attached and must be freed first, or another thread reads the queue
  ERR_NO_MEMORY = -100, -- out of memory
  ERR_NO_THREAD = -101, -- the system refused a thread
  ERR_NO_FD = -102, -- the system refused a descriptor or handle for the queue, or this function is for another system
  ERR_UNSUPPORTED = -103, -- this call cannot wait: requests go to a queue, which this thread may have to read
  ERR_IO = -104, -- the file system reported an error: kvl_error_message() gives details
  ERR_CORRUPT = -105, -- the file is damaged, or is not a saved cache; entries read before the damage are stored
  ERR_TRUNCATED = -106, -- the file ends too early; entries read before its end are stored
  ERR_FILE_VERSION = -107, -- the file has a version that this library does not support
  ERR_CLOSED = -200, -- the engine is closed
  ERR_FORKED = -201, -- the handle was created before a fork: create a new one in the child
  ERR_REENTRANT = -202, -- this function may not be called from inside a callback, because it would wait for that callback
  ERR_PROVIDER = -300, -- the provider failed
  ERR_TIMEOUT = -301, -- the timeout expired before an answer arrived
  ERR_CANCELLED = -302, -- the fetch was cancelled, a save or load of a cache was stopped, or the request is no longer wanted
  ERR_QUEUE_FULL = -303, -- the queue was full of keys at least as urgent as this one, or a newer key took the place of this one: raise queue.max_keys or tasks.max_running, or fetch many keys in one call, because such keys may wait without a place
  ERR_UNANSWERED = -304, -- the provider finished without an answer for this key
  ERR_UNAVAILABLE = -305, -- the circuit breaker is open, because the provider failed too often or the program forced it: for now, the provider receives no requests
  ERR_PANIC = -900, -- an internal error was caught: please report it
  QUEUE_F_RESULTS = 1, -- Results, progress, the notice of a close, and the freeing of the fetches' user data go to the queue.
  QUEUE_F_PROVIDER = 2, -- Requests and cancel hooks go to the queue.
  QUEUE_F_REMOVALS = 4, -- Removals go to the queue.
  QUEUE_F_ALL = 7, -- The three flags above together.
  QUEUE_F_L2 = 8, -- Requests for the second tier go to the queue. Not part of KVL_QUEUE_F_ALL: a program that drives everything else by its queue may still have a second tier whose function is called.
  CLOSE_CANCEL = 0, -- Close at once: open positions are settled with KVL_ERR_CLOSED.
  CLOSE_DRAIN = 1, -- Close when accepted work is done, or at the deadline.
  INVALIDATE_F_ALL = 1, -- Invalidates all keys: the call passes none.
  INVALIDATE_F_EXPIRE = 2, -- Entries expire instead of being removed, and stay as fallbacks until their grace period ends.
  L2_READ = 1, -- A request to look keys up. Answer each key with kvl_l2_request_hit(), kvl_l2_request_hit_object(), kvl_l2_request_miss(), kvl_l2_request_leased() or kvl_l2_request_fail().
  L2_FILL = 2, -- A request to store entries that were loaded, each only if its key has not changed since it was looked up.
  L2_WRITE = 3, -- A request to store entries that were put.
  L2_REMOVE = 4, -- A request to remove keys.
  L2_CLEAR = 5, -- A request to remove all keys, which names none.
  L2_F_CONDITIONAL = 1, -- The second tier compares tokens: it stores an entry of KVL_L2_FILL only if the entry's token is still the key's token.
  L2_F_LEASES = 2, -- The second tier grants leases: the first read of an absent key receives a token, and other reads of the key receive none until the key is written or the token expires.
  L2_F_OBJECTS = 4, -- The second tier stores objects too: the program converts them to bytes and back. Without this flag, objects stay in the process.
  L2_TTL_UNKNOWN = -2, -- What is left of a TTL: the second tier does not know it, but ends entries in time.
  BREAKER_CLOSED = 0, -- The circuit breaker lets requests through.
  BREAKER_OPEN = 1, -- The circuit breaker keeps requests from the provider.
  BREAKER_HALF_OPEN = 2, -- The circuit breaker lets probes through.
  BREAKER_FORCE_NONE = 0, -- The circuit breaker is not forced.
  BREAKER_FORCE_CLOSED = 1, -- The circuit breaker is forced closed.
  BREAKER_FORCE_OPEN = 2, -- The circuit breaker is forced open.
  KIND_BYTES = 1, -- A value of bytes.
  KIND_OBJECT = 2, -- A value that is a pointer of the program.
  KIND_NULL = 3, -- The constant that stands for "known to be absent".
  F_LAST = 1, -- In the flags of results and events: no further event of this fetch follows.
  F_STALE = 2, -- In the flags of a result: the value, or the null, had expired and served as a fallback. `error` is the error of the load; it is NULL if the load takes too long (`stale.timeout_ms`).
  CANCEL_NO = 0, -- The request is wanted.
  CANCEL_UNWANTED = 1, -- None of the request's keys is wanted any more.
  CANCEL_TIMEOUT = 2, -- The attempt has timed out.
  CANCEL_CLOSED = 3, -- The engine closes.
  TTL_NEVER = -1, -- A TTL: the entry never expires.
  TTL_DEFAULT = -2, -- A TTL: that of the configuration (`cache.ttl_ms`, `cache.null_ttl_ms`).
  STALE_NEVER = -1, -- A grace period: none.
  COST_DEFAULT = -1, -- A cost: the cost function's, or else the value's own.
  PRIORITY_DEFAULT = -1.7976931348623157e+308, -- A priority: for an answer, the setting `priority` of the fetch; for a put, 0.
  PUT_F_KEEP_TTL = 1, -- A put that replaces a live entry keeps the expiry of that entry; `ttl_ms` applies only if there is no live entry.
  PUT_F_IF_ABSENT = 2, -- A put takes place only if the key has no live entry; otherwise it returns KVL_CONFLICT. A null is an entry.
  PUT_F_IF_PRESENT = 4, -- A put takes place only if the key has a live entry; otherwise it returns KVL_MISS. A null is an entry.
  FOREVER = -1, -- A timeout: none.
  ENTRY_COST = 90, -- The library's own memory for an entry, in bytes. An entry whose value has a stated cost costs this, plus the value's cost, plus the length of the key. A version and tags cost extra.
  URGENCY_BACKGROUND = -1000, -- An urgency: the default of a refresh.
  LABEL_MAX = 255, -- The maximum length of a tag, and of the version that is stated for a record, in bytes.
  TAGS_MAX = 16, -- The maximum number of tags of an entry.
  KEY_MAX = 65535, -- The maximum length of a key, in bytes.
  SOURCE_NONE = 0, -- None: the position failed, or was refused before the lookup.
  SOURCE_STORE = 1, -- The store.
  SOURCE_PROVIDER = 2, -- The provider, in a load that this fetch started.
  SOURCE_JOINED = 3, -- The provider, in a load that was in progress: one of another fetch, or of an earlier position of this fetch with the same key.
  SOURCE_PUT = 4, -- A put, which settled a key that was waiting for its load to begin.
  SOURCE_ERROR_MEMORY = 5, -- The memory of recent errors.
  SOURCE_STALE = 6, -- The store, with an expired entry that served as a fallback.
  SOURCE_L2 = 7, -- The second tier.
  CAUSE_EXPIRED = 1, -- The entry expired.
  CAUSE_CAPACITY = 2, -- The entry was evicted to make room for another one (cache.capacity).
  CAUSE_COST = 3, -- The entry was evicted to make room for another one's cost (cache.cost_limit).
  CAUSE_REPLACED = 4, -- Another value was stored under the key.
  CAUSE_REMOVED = 5, -- The entry was removed, taken or popped.
  CAUSE_CLEARED = 6, -- The store was cleared.
  CAUSE_REFUSED = 7, -- The value was refused, and never stored.
  CAUSE_TRIMMED = 8, -- The store was trimmed or made smaller.
  CAUSE_TAG = 9, -- The entry was removed by one of its tags.
  EVENT_RESULT = 1, -- One position of a fetch is settled.
  EVENT_RESULTS = 2, -- All positions of a batch are settled.
  EVENT_PROGRESS = 3, -- Some more positions of a batch are settled.
  EVENT_REQUEST = 4, -- The provider has a request to answer.
  EVENT_CANCEL = 5, -- A request that the program holds is no longer wanted.
  EVENT_DROP = 6, -- The last reference to an object without a destructor was dropped: `user_data` is the object.
  EVENT_REMOVAL = 7, -- A value is no longer in the store.
  EVENT_CLOSED = 8, -- An engine is closed. This is its last event.
  EVENT_L2 = 9, -- The second tier has a request to serve.
  ERROR_F_PERMANENT = 1, -- In the flags of an error: a key that fails with it is not retried, whatever the retry policy is.
  ERROR_F_NO_STALE = 2, -- In the flags of an error: there is no fallback. The expired entry (`stale.ttl_ms`) is not served instead of the error, and is removed.
  COUNT_VALUES = 0, -- Positions that have a value.
  COUNT_NULLS = 1, -- Positions that are known to be absent.
  COUNT_INVALID = 2, -- Positions whose key the validator refused.
  COUNT_FAILED = 3, -- Positions that failed.
  COUNT_FROM_STORE = 4, -- Positions that were answered by the store.
  COUNT_FROM_PROVIDER = 5, -- Positions whose load this fetch started.
  COUNT_JOINED = 6, -- Positions that joined a load in progress, including that of another position of this fetch.
  COUNT_STALE = 7, -- Positions that received an expired value, or null, as a fallback: KVL_F_STALE.
  COUNT_FROM_L2 = 8, -- Positions that were found in the second tier.
  QUEUE_NEW_PIPE = 1, -- In the flags of kvl_queue_new(): the descriptor is a pipe even on systems with eventfds, for libuv. No effect on Windows.
}

-- The fields of kvl_stats_t except its size.
native.statistics = {
  "hits", -- Lookups that found a value.
  "null_hits", -- Lookups that found a null: the key is known to be absent.
  "misses", -- Lookups that found nothing.
  "invalid_keys", -- Lookups of keys that the validator refused.
  "inserts", -- Entries that were stored, including those that replaced an older value.
  "replacements", -- Inserts that replaced an older value.
  "removed_expired", -- Entries that expired.
  "removed_capacity", -- Entries that were evicted because the store had too many entries.
  "removed_cost", -- Entries that were evicted because the store's total cost was too high.
  "removed_replaced", -- Entries that were replaced by a newer entry for their key.
  "removed_removed", -- Entries that the program removed by key.
  "removed_cleared", -- Entries that were removed by a clear.
  "removed_trimmed", -- Entries that were removed by a trim or a resize.
  "removed_refused", -- New entries that were not stored (KVL_REFUSED, KVL_TOO_LARGE).
  "removed_cost_expired", -- The cost of the entries that expired, in bytes.
  "removed_cost_capacity", -- The cost of the entries that were evicted because the store had too many entries, in bytes.
  "removed_cost_cost", -- The cost of the entries that were evicted because the store's total cost was too high, in bytes.
  "removed_cost_replaced", -- The cost of the entries that were replaced, in bytes.
  "removed_cost_removed", -- The cost of the entries that the program removed by key, in bytes.
  "removed_cost_cleared", -- The cost of the entries that were removed by a clear, in bytes.
  "removed_cost_trimmed", -- The cost of the entries that were removed by a trim or a resize, in bytes.
  "removed_cost_refused", -- The cost of the new entries that were not stored, in bytes.
  "misses_started", -- Misses that started a load.
  "misses_joined", -- Misses that joined a running load.
  "misses_cache_only", -- Misses of fetches that never load (read = cache_only).
  "misses_queue_full", -- Misses that found the queue full.
  "misses_remembered", -- Misses that were answered with a remembered error (cache.error_ttl_ms).
  "misses_unasked", -- Misses that ended before a load was started or joined: the engine closed, or their batch failed as a whole.
  "misses_unavailable", -- Misses that were refused because the circuit breaker was open.
  "loads_started", -- Loads that were started.
  "loads_succeeded", -- Loads that ended with a value or a null.
  "loads_failed", -- Loads that ended with an error.
  "loads_lost", -- Loads that lost their place in the queue (KVL_ERR_QUEUE_FULL).
  "loads_cancelled", -- Loads that ended because no fetch wanted them any more, or because the engine closed.
  "loads_retried", -- Attempts of loads after the first attempt.
  "loads_timed_out", -- Attempts that timed out (attempt_timeout_ms).
  "late_answers", -- Answers that came after their attempt had ended (KVL_LATE).
  "attempts", -- Keys in requests; a key counts once for each attempt, and not again in a hedge request.
  "requests", -- Requests formed, with hedge requests; the provider does not see one that was no longer wanted when its turn came.
  "requests_abandoned", -- Requests that timed out while they were with the provider.
  "extras_stored", -- Answers to keys that were not requested and were stored.
  "extras_refused", -- Answers to keys that were not requested and were not stored.
  "fetch_timeouts", -- Fetches that timed out (timeout_ms).
  "fetch_cancels", -- Fetches that were cancelled.
  "entries", -- Now: entries in the store.
  "cost", -- Now: the total cost of the entries, in bytes.
  "queued", -- Now: keys in the queue, waiting for a slot.
  "deferred", -- Now: keys that wait without a place in the queue.
  "running", -- Now: requests that hold a slot.
  "in_flight", -- Now: loads that have started and not ended, including those in the queue.
  "abandoned", -- Now: requests that timed out and are still with the provider.
  "pending_removals", -- Now: entries that have left the store and wait for the removal listener or for their destructors.
  "pending_removals_cost", -- Now: the cost of the entries that wait for the removal listener or for their destructors, in bytes.
  "rate_waits", -- Times that a request waited for rate.requests_per_s while a slot was free.
  "rate_waited_us", -- How long requests waited for rate.requests_per_s while a slot was free, in microseconds.
  "breaker_state", -- Now: the state of the circuit breaker, KVL_BREAKER_*.
  "breaker_opened", -- Times that the circuit breaker opened.
  "breaker_refused", -- Keys that the open circuit breaker refused: misses, keys in the queue, and keys of refreshes.
  "refreshes_refused", -- Keys of refreshes that found the queue full and were rejected (queue.overflow = reject).
  "misses_throttled", -- Misses that received the fallback at once, because a load had failed shortly before (stale.retry_ms).
  "stale_error", -- Positions that received the fallback because the load failed.
  "stale_timeout", -- Positions that received the fallback because the load took too long (stale.timeout_ms).
  "stale_throttled", -- Positions that received the fallback because a load had failed shortly before (stale.retry_ms).
  "refreshes_started", -- Refreshes ahead that were started (refresh.after, refresh.after_ms).
  "refreshes_succeeded", -- Refreshes ahead that ended with a value or a null.
  "refreshes_failed", -- Refreshes ahead that ended with an error.
  "refreshes_dropped", -- Refreshes ahead that were not started, or were given up: the queue was full, the circuit breaker was open, or the engine closed.
  "hedges_started", -- Hedge requests: those that repeated the unanswered keys of a slow request (hedge.after_ms, hedge.percentile).
  "hedges_won", -- Hedge requests that answered a key first, or took over a key that failed in the other request.
  "hedges_lost", -- Hedge requests that neither answered a key first nor took over a key.
  "concurrency_limit", -- Now: the number of slots, which is tasks.max_running unless tasks.limit = adaptive.
  "removed_tag", -- Entries that were removed by a tag.
  "removed_cost_tag", -- The cost of the entries that were removed by a tag, in bytes.
  "l2_hits", -- Keys that were looked up in the second tier and found.
  "l2_misses", -- Keys that were looked up in the second tier and not found.
  "l2_damaged", -- Keys whose entry in the second tier could not be read or had expired.
  "l2_outdated", -- Keys that were found in the second tier, but were written during the lookup.
  "l2_errors", -- Keys whose lookup in the second tier failed.
  "l2_timeouts", -- Keys whose lookup in the second tier took too long (l2.timeout_ms).
  "l2_bypassed", -- Keys that were not looked up in the second tier: the second tier was failing, too many keys waited, or a write of the key had not reached the second tier yet.
  "l2_waited", -- Keys that waited for the load of another process (l2.single_flight).
  "l2_stolen", -- Keys whose lease was taken over from a process that took too long (l2.wait_ms).
  "l2_reads", -- Requests that looked keys up in the second tier.
  "l2_writes", -- Puts, removals and clears that were written to the second tier.
  "l2_write_errors", -- Keys that could not be written to the second tier. Their puts and removals are sent again.
  "l2_fills", -- Answers of the provider that were stored in the second tier.
  "l2_fills_refused", -- Answers that the second tier did not store, because the key had been written meanwhile.
  "l2_fills_dropped", -- Answers that were not sent to the second tier, for lack of room (l2.pending_keys, l2.pending_bytes, l2.max_value) or because a write of the key waited.
  "l2_overflows", -- Times that the second tier was cleared, because too many keys waited to be written (l2.pending_keys).
  "l2_opened", -- Times that the second tier was left alone for a while because of failures (l2.break_after).
  "l2_pending", -- Now: keys that wait to be written to the second tier.
  "l2_avoided", -- Now: 1 while the second tier is left alone because of failures, otherwise 0.
}

return native
