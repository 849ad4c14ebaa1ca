-- Made from include/kvlight.h by bindings/lua/tests/generate.lua; a test compares them. Do not edit.
local ffi = require "ffi"

ffi.cdef [[
typedef uint32_t kvl_source_t;
typedef uint32_t kvl_cause_t;
typedef uint32_t kvl_event_kind_t;
typedef int32_t kvl_status_t;
typedef struct kvl_cache_t kvl_cache_t;
typedef struct kvl_clock_t kvl_clock_t;
typedef struct kvl_config_t kvl_config_t;
typedef struct kvl_error_t kvl_error_t;
typedef struct kvl_fetch_t kvl_fetch_t;
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
} kvl_terms_t;
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
    uint64_t removed_cost_total;
    uint64_t loads_started;
    uint64_t loads_joined;
    uint64_t loads_succeeded;
    uint64_t loads_failed;
    uint64_t loads_retried;
    uint64_t loads_timed_out;
    uint64_t loads_cancelled;
    uint64_t entries;
    uint64_t cost;
    uint64_t queued;
    uint64_t running;
    uint64_t in_flight;
    uint64_t abandoned;
    uint64_t loads_lost;
    uint64_t misses_started;
    uint64_t misses_cache_only;
    uint64_t misses_queue_lost;
    uint64_t misses_remembered;
    uint64_t misses_unasked;
    uint64_t attempts;
    uint64_t requests;
    uint64_t requests_abandoned;
    uint64_t extras_stored;
    uint64_t extras_refused;
    uint64_t fetch_timeouts;
    uint64_t fetch_cancels;
    uint64_t late_answers;
    uint64_t spilled;
} kvl_stats_t;
typedef void (*kvl_free_fn)(void *user_data);
typedef void (*kvl_result_fn)(void *user_data, const kvl_result_t *result);
typedef void (*kvl_results_fn)(void *user_data, kvl_results_t *results);
typedef void (*kvl_progress_fn)(void *user_data, size_t done, size_t failed, size_t total);
typedef void (*kvl_provide_fn)(void *user_data, kvl_request_t *request);
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
kvl_status_t kvl_config_set_removal_listener(kvl_config_t *config,
                                             kvl_removal_fn function,
                                             void *user_data,
                                             kvl_free_fn user_data_free);
kvl_status_t kvl_config_set_record_listener(kvl_config_t *config,
                                            kvl_record_fn function,
                                            void *user_data,
                                            kvl_free_fn user_data_free);
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
kvl_status_t kvl_value_new_extern(const uint8_t *data,
                                  size_t len,
                                  void *user_data,
                                  kvl_free_fn user_data_free,
                                  kvl_value_t **out_value);
kvl_status_t kvl_value_new_object(void *object, uint64_t cost, kvl_free_fn object_free, kvl_value_t **out_value);
uint32_t kvl_value_kind(const kvl_value_t *value);
const uint8_t *kvl_value_data(const kvl_value_t *value, size_t *out_len);
void *kvl_value_object(const kvl_value_t *value);
uint64_t kvl_value_cost(const kvl_value_t *value);
kvl_value_t *kvl_value_retain(kvl_value_t *value);
void kvl_value_release(kvl_value_t *value);
void kvl_value_release_many(kvl_value_t **values, size_t n);
kvl_status_t kvl_error_new(int64_t code, const char *message, size_t message_len, uint32_t flags, kvl_error_t **out_error);
kvl_status_t kvl_error_new_object(int64_t code,
                                  const char *message,
                                  size_t message_len,
                                  uint32_t flags,
                                  kvl_queue_t *queue_or_null,
                                  void *object,
                                  kvl_free_fn object_free,
                                  kvl_error_t **out_error);
kvl_status_t kvl_error_status(const kvl_error_t *error);
int64_t kvl_error_code(const kvl_error_t *error);
const char *kvl_error_message(const kvl_error_t *error);
void *kvl_error_object(const kvl_error_t *error);
uint32_t kvl_error_is_permanent(const kvl_error_t *error);
kvl_error_t *kvl_error_retain(kvl_error_t *error);
void kvl_error_release(kvl_error_t *error);
kvl_status_t kvl_slices_unpack(const uint8_t *packed, size_t packed_len, const uint32_t *lens, size_t n, kvl_slice_t *out_slices);
kvl_status_t kvl_cache_new(const kvl_config_t *config, kvl_cache_t **out_cache, kvl_error_t **out_error);
kvl_status_t kvl_cache_get(kvl_cache_t *cache, const uint8_t *key, size_t key_len, kvl_value_t **out_value);
kvl_status_t kvl_cache_get_into(kvl_cache_t *cache, const uint8_t *key, size_t key_len, uint8_t *buf, size_t cap, size_t *out_len);
kvl_status_t kvl_cache_get_many(kvl_cache_t *cache,
                                const kvl_slice_t *keys,
                                size_t n,
                                kvl_value_t **out_values,
                                kvl_status_t *out_statuses);
kvl_status_t kvl_cache_peek(kvl_cache_t *cache,
                            const uint8_t *key,
                            size_t key_len,
                            kvl_value_t **out_value,
                            int64_t *out_ttl_left_ms,
                            uint64_t *out_cost);
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
kvl_status_t kvl_cache_put(kvl_cache_t *cache,
                           const uint8_t *key,
                           size_t key_len,
                           kvl_value_t *value,
                           const kvl_terms_t *terms_or_null);
kvl_status_t kvl_cache_put_naming(kvl_cache_t *cache,
                                  const uint8_t *key,
                                  size_t key_len,
                                  kvl_value_t *value,
                                  const kvl_terms_t *terms_or_null,
                                  kvl_removal_fn on_victim,
                                  void *user_data);
kvl_status_t kvl_cache_put_bytes(kvl_cache_t *cache,
                                 const uint8_t *key,
                                 size_t key_len,
                                 const uint8_t *data,
                                 size_t len,
                                 const kvl_terms_t *terms_or_null);
kvl_status_t kvl_cache_compare_put(kvl_cache_t *cache,
                                   const uint8_t *key,
                                   size_t key_len,
                                   kvl_value_t *expected,
                                   kvl_value_t *value,
                                   const kvl_terms_t *terms_or_null);
kvl_status_t kvl_cache_touch(kvl_cache_t *cache, const uint8_t *key, size_t key_len, int64_t ttl_ms);
kvl_status_t kvl_cache_remove(kvl_cache_t *cache, const uint8_t *key, size_t key_len);
kvl_status_t kvl_cache_remove_expired(kvl_cache_t *cache, size_t *out_removed);
kvl_status_t kvl_cache_take(kvl_cache_t *cache, const uint8_t *key, size_t key_len, kvl_value_t **out_value);
kvl_status_t kvl_cache_pop(kvl_cache_t *cache, kvl_value_t **out_value);
kvl_status_t kvl_cache_trim(kvl_cache_t *cache, double keep_ratio);
kvl_status_t kvl_cache_trim_to(kvl_cache_t *cache, size_t entries);
kvl_status_t kvl_cache_clear(kvl_cache_t *cache);
kvl_status_t kvl_cache_resize(kvl_cache_t *cache, size_t capacity, int64_t cost_limit);
kvl_status_t kvl_reader_new(kvl_cache_t *cache, kvl_reader_t **out_reader);
kvl_status_t kvl_reader_get(kvl_reader_t *reader,
                            const uint8_t *key,
                            size_t key_len,
                            const uint8_t **out_data,
                            size_t *out_len,
                            void **out_object);
void kvl_reader_done(kvl_reader_t *reader);
void kvl_reader_free(kvl_reader_t *reader);
kvl_status_t kvl_tasks_new(const kvl_config_t *config, kvl_tasks_t **out_tasks, kvl_error_t **out_error);
kvl_status_t kvl_tasks_cache(kvl_tasks_t *tasks, kvl_cache_t **out_cache);
kvl_status_t kvl_tasks_get(kvl_tasks_t *tasks, const uint8_t *key, size_t key_len, kvl_value_t **out_value);
kvl_status_t kvl_tasks_fetch(kvl_tasks_t *tasks,
                             const uint8_t *key,
                             size_t key_len,
                             const kvl_options_t *options,
                             kvl_fetch_t *fetch,
                             kvl_result_fn function,
                             void *user_data,
                             kvl_free_fn user_data_free,
                             kvl_value_t **out_value);
kvl_status_t kvl_tasks_fetch_each(kvl_tasks_t *tasks,
                                  const kvl_slice_t *keys,
                                  size_t n,
                                  const kvl_options_t *options,
                                  kvl_fetch_t *fetch,
                                  kvl_result_fn function,
                                  void *user_data,
                                  kvl_free_fn user_data_free);
kvl_status_t kvl_tasks_fetch_all(kvl_tasks_t *tasks,
                                 const kvl_slice_t *keys,
                                 size_t n,
                                 const kvl_options_t *options,
                                 kvl_fetch_t *fetch,
                                 kvl_results_fn function,
                                 void *user_data,
                                 kvl_free_fn user_data_free,
                                 kvl_results_t **out_ready);
kvl_status_t kvl_tasks_fetch_wait(kvl_tasks_t *tasks,
                                  const uint8_t *key,
                                  size_t key_len,
                                  const kvl_options_t *options,
                                  kvl_fetch_t *fetch,
                                  kvl_value_t **out_value,
                                  kvl_error_t **out_error);
kvl_status_t kvl_tasks_fetch_all_wait(kvl_tasks_t *tasks,
                                      const kvl_slice_t *keys,
                                      size_t n,
                                      const kvl_options_t *options,
                                      kvl_fetch_t *fetch,
                                      kvl_results_t **out_results);
kvl_status_t kvl_tasks_refresh(kvl_tasks_t *tasks, const kvl_slice_t *keys, size_t n, const kvl_options_t *options);
kvl_status_t kvl_tasks_stats(kvl_tasks_t *tasks, kvl_stats_t *out_stats, size_t out_size);
kvl_status_t kvl_tasks_stats_json(kvl_tasks_t *tasks, kvl_value_t **out_text);
kvl_status_t kvl_tasks_stats_openmetrics(kvl_tasks_t *tasks, kvl_value_t **out_text);
kvl_status_t kvl_tasks_stats_reset(kvl_tasks_t *tasks);
kvl_status_t kvl_tasks_close(kvl_tasks_t *tasks,
                             uint32_t mode,
                             int64_t deadline_ms,
                             kvl_closed_fn function,
                             void *user_data,
                             kvl_free_fn user_data_free);
kvl_status_t kvl_tasks_free(kvl_tasks_t *tasks);
void kvl_tasks_dispose(kvl_tasks_t *tasks);
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
kvl_status_t kvl_request_resolve_bytes(kvl_request_t *request,
                                       size_t i,
                                       const uint8_t *data,
                                       size_t len,
                                       const kvl_terms_t *terms_or_null);
kvl_status_t kvl_request_resolve_object(kvl_request_t *request,
                                        size_t i,
                                        void *object,
                                        uint64_t cost,
                                        kvl_free_fn object_free,
                                        const kvl_terms_t *terms_or_null);
kvl_status_t kvl_request_fail(kvl_request_t *request, size_t i, kvl_error_t *error_or_null);
kvl_status_t kvl_request_fail_text(kvl_request_t *request, size_t i, int64_t code, const char *message, uint32_t flags);
kvl_status_t kvl_request_supply(kvl_request_t *request,
                                const uint8_t *key,
                                size_t key_len,
                                kvl_value_t *value,
                                const kvl_terms_t *terms_or_null);
kvl_status_t kvl_request_supply_bytes(kvl_request_t *request,
                                      const uint8_t *key,
                                      size_t key_len,
                                      const uint8_t *data,
                                      size_t len,
                                      const kvl_terms_t *terms_or_null);
kvl_status_t kvl_request_finish(kvl_request_t *request);
kvl_status_t kvl_request_finish_nulls(kvl_request_t *request);
kvl_status_t kvl_request_finish_error(kvl_request_t *request, kvl_error_t *error_or_null);
kvl_request_t *kvl_request_retain(kvl_request_t *request);
void kvl_request_release(kvl_request_t *request);
kvl_status_t kvl_queue_new(uint32_t flags, kvl_queue_t **out_queue);
kvl_status_t kvl_queue_fd(kvl_queue_t *queue, int32_t *out_fd);
kvl_status_t kvl_queue_set_wake(kvl_queue_t *queue, kvl_wake_fn function, void *user_data, kvl_free_fn user_data_free);
kvl_status_t kvl_queue_poll(kvl_queue_t *queue, size_t max, int64_t timeout_ms, size_t *out_ran);
kvl_status_t kvl_queue_next(kvl_queue_t *queue, int64_t timeout_ms, kvl_event_t *out_event, size_t out_size);
kvl_status_t kvl_queue_wake(kvl_queue_t *queue);
kvl_status_t kvl_queue_free(kvl_queue_t *queue);
kvl_status_t kvl_config_set_queue(kvl_config_t *config, kvl_queue_t *queue, uint32_t what);
kvl_status_t kvl_value_new_object_on(kvl_queue_t *queue,
                                     void *object,
                                     uint64_t cost,
                                     kvl_free_fn object_free,
                                     kvl_value_t **out_value);
]]

return {
  VERSION_MAJOR = 0,
  VERSION_MINOR = 1,
  VERSION_PATCH = 0,
  VERSION_NUMBER = 1000,
  OK = 0,
  VALUE = 1,
  NULL = 2,
  MISS = 3,
  INVALID_KEY = 4,
  PENDING = 5,
  EMPTY = 6,
  REFUSED = 7,
  TOO_LARGE = 8,
  TRUNCATED = 9,
  LATE = 10,
  CONFLICT = 11,
  ERR_INVALID_ARG = -1,
  ERR_NULL_POINTER = -2,
  ERR_UNKNOWN_KEY = -3,
  ERR_BAD_VALUE = -4,
  ERR_INVALID_HANDLE = -5,
  ERR_KEY_TOO_LONG = -6,
  ERR_WRONG_KIND = -7,
  ERR_OUT_OF_RANGE = -8,
  ERR_ALREADY_ANSWERED = -9,
  ERR_ALREADY_USED = -10,
  ERR_NO_PROVIDER = -11,
  ERR_NO_CALLBACK = -12,
  ERR_BUSY = -13,
  ERR_NO_MEMORY = -100,
  ERR_NO_THREAD = -101,
  ERR_NO_FD = -102,
  ERR_UNSUPPORTED = -103,
  ERR_CLOSED = -200,
  ERR_FORKED = -201,
  ERR_REENTRANT = -202,
  ERR_PROVIDER = -300,
  ERR_TIMEOUT = -301,
  ERR_CANCELLED = -302,
  ERR_QUEUE_FULL = -303,
  ERR_UNANSWERED = -304,
  ERR_PANIC = -900,
  QUEUE_F_RESULTS = 1,
  QUEUE_F_PROVIDER = 2,
  QUEUE_F_REMOVALS = 4,
  QUEUE_F_ALL = 7,
  CLOSE_CANCEL = 0,
  CLOSE_DRAIN = 1,
  KIND_BYTES = 1,
  KIND_OBJECT = 2,
  KIND_NULL = 3,
  F_LAST = 1,
  CANCEL_NO = 0,
  CANCEL_UNWANTED = 1,
  CANCEL_TIMEOUT = 2,
  CANCEL_CLOSED = 3,
  TTL_NEVER = -1,
  TTL_DEFAULT = -2,
  COST_DEFAULT = -1,
  PRIORITY_DEFAULT = -1.7976931348623157e308,
  PUT_F_KEEP_TTL = 1,
  PUT_F_IF_ABSENT = 2,
  PUT_F_IF_PRESENT = 4,
  FOREVER = -1,
  ENTRY_COST = 80,
  KEY_MAX = 65535,
  SOURCE_NONE = 0,
  SOURCE_STORE = 1,
  SOURCE_PROVIDER = 2,
  SOURCE_JOINED = 3,
  SOURCE_PUT = 4,
  SOURCE_ERROR_MEMORY = 5,
  CAUSE_EXPIRED = 1,
  CAUSE_CAPACITY = 2,
  CAUSE_COST = 3,
  CAUSE_REPLACED = 4,
  CAUSE_REMOVED = 5,
  CAUSE_CLEARED = 6,
  CAUSE_REFUSED = 7,
  CAUSE_TRIMMED = 8,
  EVENT_RESULT = 1,
  EVENT_RESULTS = 2,
  EVENT_PROGRESS = 3,
  EVENT_REQUEST = 4,
  EVENT_CANCEL = 5,
  EVENT_DROP = 6,
  EVENT_REMOVAL = 7,
  EVENT_CLOSED = 8,
  ERROR_F_PERMANENT = 1,
  COUNT_VALUES = 0,
  COUNT_NULLS = 1,
  COUNT_INVALID = 2,
  COUNT_FAILED = 3,
  COUNT_FROM_STORE = 4,
  COUNT_FROM_PROVIDER = 5,
  COUNT_JOINED = 6,
  QUEUE_NEW_PIPE = 1,
}
