/* The calls of the machine. Here only an internal error is a failure, since the other tests check what each call returns.
 * promises.c compares the events that a successful call promised with those that are delivered. */
#define _POSIX_C_SOURCE 200809L
#include "machine.h"
#include <stdlib.h>
#include <string.h>
#include <time.h>

kvl_runtime_t *machine_runtime;
uint32_t machine_routes = KVL_QUEUE_F_ALL;

uint8_t next_of(struct bytes *bytes)
{
    return bytes->at < bytes->end ? *bytes->at++ : 0;
}

/* Whether this thread is the one that the bytes drive. */
static bool is_driver(struct machine *machine)
{
    return pthread_equal(machine->driver, pthread_self());
}

/* The next byte of the input, or a random one on a thread of the library. */
static uint8_t next(struct machine *machine)
{
    uint64_t drawn;

    if (is_driver(machine))
        return next_of(&machine->bytes);
    drawn = atomic_fetch_add(&machine->drawn, 0x9e3779b97f4a7c15u);
    return (uint8_t)((drawn ^ (drawn >> 31)) * 0xbf58476d1ce4e5b9u >> 56);
}

static uint8_t pick(struct machine *machine, uint8_t choices)
{
    return next(machine) % choices;
}

static kvl_slice_t some_key(struct machine *machine)
{
    return key_of(next(machine));
}

static int64_t some_number(struct machine *machine)
{
    static const int64_t numbers[] = {0, 1, -1, -2, 2, 9, 10, 11, 63, 100, 1000, 65536, -1000, INT32_MAX, INT64_MAX, INT64_MIN};
    return numbers[pick(machine, sizeof numbers / sizeof *numbers)];
}

static double some_real(struct machine *machine)
{
    static const double numbers[] = {0.0, -0.0, 1.0, 0.5, -1.0, 2.0, 1e300, -1e300, KVL_PRIORITY_DEFAULT, 1e-300, 3.0, 4.0};
    uint8_t i = pick(machine, 14);
    return i == 12 ? (double)__builtin_nan("") : i == 13 ? (double)__builtin_inf() : numbers[i];
}

/* NULL, or terms in a thread-local buffer that the next call reuses. */
static const kvl_terms_t *some_terms(struct machine *machine)
{
    static _Thread_local kvl_terms_t terms;

    if (pick(machine, 4) == 0)
        return NULL;
    terms.struct_size = sizeof terms;
    terms.ttl_ms = some_number(machine);
    terms.priority = some_real(machine);
    terms.cost = some_number(machine);
    terms.flags = pick(machine, 2 * KVL_PUT_F_IF_PRESENT + 1); /* every combination of flags, and an undefined one */
    return &terms;
}

static void object_free(void *user_data)
{
    struct machine *machine = user_data;
    machine->objects_freed++;
}

/* Returns a value that the caller owns. */
static kvl_value_t *some_value(struct machine *machine)
{
    static const uint8_t bytes[200];
    kvl_value_t *value = NULL;

    switch (pick(machine, 5)) {
    case 0: return kvl_value_null();
    case 1:
        machine->objects++;
        MUST_SAY(kvl_value_new_object(machine, next(machine) * 7u, object_free, &value), KVL_OK);
        return value;
    case 2:
        machine->objects++;
        MUST_SAY(kvl_value_new_object_on(machine->queue, machine, next(machine), object_free, &value), KVL_OK);
        return value;
    default: MUST_SAY(kvl_value_new_bytes(bytes, next(machine) % sizeof bytes, &value), KVL_OK); return value;
    }
}

static kvl_options_t *some_options(struct machine *machine)
{
    static const char *const reads[] = {"normal", "refresh", "cache_only", "no_store"};
    kvl_options_t *options = NULL;
    uint8_t what = next(machine);

    if (what < 128)
        return NULL;
    MUST_SAY(kvl_options_new(&options), KVL_OK);
    if (what & 1)
        MUST_SAY(kvl_options_set(options, "read", reads[pick(machine, 4)]), KVL_OK);
    if (what & 2)
        MUST_SAY(kvl_options_set_int(options, "timeout_ms", 1 + pick(machine, 40)), KVL_OK);
    if (what & 4)
        sane(kvl_options_set_real(options, "priority", some_real(machine)));
    if (what & 8)
        MUST_SAY(kvl_options_set(options, "batch.mode", "all_or_nothing"), KVL_OK);
    if (what & 16)
        MUST_SAY(kvl_options_set_progress(options, ticket_progress, 1 + pick(machine, 3)), KVL_OK);
    if (what & 32)
        MUST_SAY(kvl_options_set_int(options, "retry.count", pick(machine, 4)), KVL_OK);
    return options;
}

static void fetch(struct machine *machine)
{
    uint8_t keys[MOST_KEYS], form = pick(machine, 3), at_once = pick(machine, 2), handle = pick(machine, HANDLES + 2);
    kvl_slice_t slices[MOST_KEYS];
    size_t i, n = form == 0 ? 1 : pick(machine, MOST_KEYS);
    kvl_options_t *options = some_options(machine);
    kvl_fetch_t *fetch = handle < HANDLES ? machine->handles[handle] : NULL;
    kvl_value_t *value = NULL;
    kvl_results_t *ready = NULL;
    struct ticket *ticket;
    kvl_status_t status;

    for (i = 0; i < n; i++) {
        keys[i] = pick(machine, KEYS);
        slices[i] = key_of(keys[i]);
    }
    ticket = ticket_new(machine, keys, n, form < 2);
    switch (form) {
    case 0:
        status = kvl_tasks_fetch(machine->tasks, slices[0].data, slices[0].len, options, fetch, ticket_result, ticket, ticket_free,
                                 at_once ? &value : NULL);
        break;
    case 1: status = kvl_tasks_fetch_each(machine->tasks, slices, n, options, fetch, ticket_result, ticket, ticket_free); break;
    default:
        status = kvl_tasks_fetch_all(machine->tasks, slices, n, options, fetch, ticket_results, ticket, ticket_free, at_once ? &ready : NULL);
    }
    sane(status);
    MUST((value != NULL) == (form == 0 && status == KVL_VALUE));
    MUST((ready != NULL) == (form == 2 && status == KVL_OK));
    MUST(ready == NULL || kvl_results_len(ready) == n);
    ticket_accepted(ticket, status == KVL_PENDING);
    kvl_value_release(value);
    kvl_results_release(ready);
    kvl_options_free(options);
}

static void handle(struct machine *machine)
{
    kvl_fetch_t **handle = &machine->handles[pick(machine, HANDLES)];
    size_t done = 0, failed = 0, total = 0;

    switch (pick(machine, 5)) {
    case 0:
        kvl_fetch_release(*handle);
        MUST_SAY(kvl_fetch_new(handle), KVL_OK);
        break;
    case 1: MUST_SAY(kvl_fetch_cancel(*handle), KVL_OK); break;
    case 2: MUST_SAY(kvl_fetch_set_urgency(*handle, (int8_t)next(machine)), KVL_OK); break;
    case 3:
        MUST_SAY(kvl_fetch_progress(*handle, &done, &failed, &total), KVL_OK);
        MUST(done <= total && failed <= done);
        break;
    default:
        machine->objects++;
        sane(kvl_fetch_set_context(*handle, machine, object_free));
    }
}

static void on_cancel(void *user_data, kvl_request_t *request, uint32_t reason)
{
    MUST(reason == KVL_CANCEL_UNWANTED || reason == KVL_CANCEL_TIMEOUT || reason == KVL_CANCEL_CLOSED);
    MUST(kvl_request_is_cancelled(request) != KVL_CANCEL_NO);
    machine_step(user_data);
}

/* Makes one call with a request. */
static void answer(struct machine *machine, kvl_request_t *request)
{
    size_t n = kvl_request_len(request), i = pick(machine, (uint8_t)(n + 1));
    kvl_value_t *value;
    kvl_error_t *error = NULL;
    kvl_slice_t key;

    switch (pick(machine, 12)) {
    case 0:
    case 1:
        value = some_value(machine);
        sane(kvl_request_resolve(request, i, value, NULL));
        kvl_value_release(value);
        break;
    case 2:
        value = some_value(machine);
        sane(kvl_request_resolve(request, i, value, some_terms(machine)));
        kvl_value_release(value);
        break;
    case 3: sane(kvl_request_fail_text(request, i, 7, "no", pick(machine, 2))); break;
    case 4:
        machine->objects++;
        MUST_SAY(kvl_error_new_object(5, "why", 3, pick(machine, 2), pick(machine, 2) ? machine->queue : NULL, machine, object_free, &error), KVL_OK);
        sane(kvl_request_fail(request, i, error));
        kvl_error_release(error);
        break;
    case 5:
        key = some_key(machine);
        value = some_value(machine);
        sane(kvl_request_supply(request, key.data, key.len, value, some_terms(machine)));
        kvl_value_release(value);
        break;
    case 6: sane(kvl_request_heartbeat(request)); break;
    case 7: sane(kvl_request_finish(request)); break;
    case 8: sane(kvl_request_finish_nulls(request)); break;
    case 9: sane(kvl_request_finish_error(request, NULL)); break;
    case 10: sane(kvl_request_on_cancel(request, on_cancel, machine, NULL)); break;
    default:
        MUST(kvl_request_time_left_ms(request) >= -1 && kvl_request_is_cancelled(request) <= KVL_CANCEL_CLOSED);
        MUST(i >= n || kvl_request_attempt(request, i) >= 1);
        MUST(kvl_request_is_wanted(request, i) <= 1);
    }
}

/* The provider. Keeps some requests for later. */
static void provide(void *user_data, kvl_request_t *request)
{
    struct machine *machine = user_data;
    uint8_t times = pick(machine, 8), keep = pick(machine, REQUESTS + 1);
    const kvl_slice_t *keys = kvl_request_keys(request);
    size_t i, j, n = kvl_request_len(request);

    for (i = 0; i < n; i++)
        for (j = 0; j < i; j++)
            MUST(keys[i].len != keys[j].len || memcmp(keys[i].data, keys[j].data, keys[i].len) != 0);
    while (times-- > 0)
        answer(machine, request);
    if (keep < REQUESTS) {
        kvl_request_t *before;
        pthread_mutex_lock(&machine->lock);
        before = machine->requests[keep];
        machine->requests[keep] = kvl_request_retain(request);
        pthread_mutex_unlock(&machine->lock);
        kvl_request_release(before);
    }
}

static void on_removal(void *user_data, const kvl_result_t *entry, kvl_cause_t cause)
{
    MUST(cause >= KVL_CAUSE_EXPIRED && cause <= KVL_CAUSE_TAG && entry->key_len <= KVL_KEY_MAX);
    machine_step(user_data);
}

static void on_closed(void *user_data)
{
    struct machine *machine = user_data;
    machine->closes_reported++;
}

static void on_eviction(void *user_data, const kvl_result_t *entry, kvl_cause_t cause)
{
    (void)user_data;
    MUST(cause == KVL_CAUSE_CAPACITY || cause == KVL_CAUSE_COST || cause == KVL_CAUSE_REFUSED);
    MUST(entry->key_len <= KVL_KEY_MAX);
}

static void read_one(struct machine *machine)
{
    kvl_event_t event;
    kvl_status_t status = sane(kvl_queue_next(machine->queue, 0, &event, sizeof event));

    if (status != KVL_OK)
        return;
    switch (event.kind) {
    case KVL_EVENT_RESULT: ticket_result(event.user_data, event.result); break;
    case KVL_EVENT_RESULTS: ticket_results(event.user_data, event.results); break;
    case KVL_EVENT_PROGRESS: ticket_progress(event.user_data, event.done, event.failed, event.total); break;
    case KVL_EVENT_REQUEST: provide(event.user_data, event.request); break;
    case KVL_EVENT_CANCEL: MUST(kvl_request_is_cancelled(event.request) != KVL_CANCEL_NO); break;
    case KVL_EVENT_REMOVAL: MUST(event.cause >= KVL_CAUSE_EXPIRED && event.cause <= KVL_CAUSE_TAG); break;
    case KVL_EVENT_CLOSED: on_closed(event.user_data); break;
    default: must(false, "an event of a known kind", event.kind, __FILE__, __LINE__);
    }
}

/* Expects the entry's current value, or sometimes another one. */
static void compare_put(struct machine *machine, kvl_slice_t key)
{
    kvl_value_t *expected = NULL, *value = some_value(machine);

    if (pick(machine, 4) == 0 || kvl_cache_peek(machine->cache, key.data, key.len, &expected, NULL, NULL) < 0 || !expected)
        expected = some_value(machine);
    sane(kvl_cache_compare_put(machine->cache, key.data, key.len, expected, value, some_terms(machine)));
    kvl_value_release(expected);
    kvl_value_release(value);
}

static void write_store(struct machine *machine)
{
    kvl_cache_t *cache = machine->cache;
    kvl_slice_t key = some_key(machine);
    kvl_value_t *value = NULL;
    int64_t limit;
    size_t capacity;

    switch (pick(machine, 11)) {
    case 0:
    case 1:
        value = some_value(machine);
        sane(kvl_cache_put(cache, key.data, key.len, value, NULL));
        break;
    case 2:
        value = some_value(machine);
        sane(kvl_cache_put(cache, key.data, key.len, value, some_terms(machine)));
        break;
    case 3:
        value = some_value(machine);
        sane(kvl_cache_put_with_victims(cache, key.data, key.len, value, some_terms(machine), on_eviction, NULL));
        break;
    case 4: sane(kvl_cache_remove(cache, key.data, key.len)); break;
    case 5: sane(pick(machine, 2) ? kvl_cache_take(cache, key.data, key.len, &value) : kvl_cache_pop(cache, &value)); break;
    case 6: sane(pick(machine, 2) ? kvl_cache_trim(cache, some_real(machine)) : kvl_cache_trim_to(cache, pick(machine, 4))); break;
    case 8: sane(kvl_cache_touch(cache, key.data, key.len, some_number(machine))); break;
    case 9: compare_put(machine, key); break;
    case 7: sane(pick(machine, 2) ? kvl_cache_clear(cache) : kvl_cache_remove_expired(cache, NULL)); break;
    default:
        capacity = pick(machine, 12);
        limit = some_number(machine);
        if (sane(kvl_cache_resize(cache, capacity, limit)) == KVL_OK) {
            machine->capacity = (int64_t)capacity;
            machine->cost_limit = limit;
        }
    }
    kvl_value_release(value);
}

/* Counts a lookup of the cache that missed. */
static void count_if_miss(struct machine *machine, kvl_status_t status)
{
    machine->missed += sane(status) == KVL_MISS;
}

static void look_up(struct machine *machine)
{
    kvl_slice_t keys[3] = {some_key(machine), some_key(machine), some_key(machine)};
    kvl_value_t *values[3] = {NULL, NULL, NULL};
    kvl_status_t statuses[3];
    uint8_t bytes[16];
    const uint8_t *data;
    void *object;
    size_t i, n, len;
    int64_t ttl;

    switch (pick(machine, 8)) {
    case 0: count_if_miss(machine, kvl_cache_get(machine->cache, keys[0].data, keys[0].len, &values[0])); break;
    case 1: count_if_miss(machine, kvl_cache_get_into(machine->cache, keys[0].data, keys[0].len, bytes, pick(machine, 16), &len)); break;
    case 2:
        n = pick(machine, 4);
        if (sane(kvl_cache_get_many(machine->cache, keys, n, values, statuses)) == KVL_OK)
            for (i = 0; i < n; i++)
                count_if_miss(machine, statuses[i]);
        break;
    case 3: sane(kvl_cache_peek(machine->cache, keys[0].data, keys[0].len, &values[0], &ttl, NULL)); break;
    case 4: count_if_miss(machine, kvl_reader_get(machine->reader, keys[0].data, keys[0].len, &data, &len, pick(machine, 2) ? &object : NULL)); break;
    case 5: count_if_miss(machine, kvl_cache_get_object(machine->cache, keys[0].data, keys[0].len, &object, pick(machine, 2) ? &values[0] : NULL)); break;
    /* Lookups by the engine count no miss, since a fetch is meant to follow. */
    case 6: sane(kvl_tasks_get_object(machine->tasks, keys[0].data, keys[0].len, &object, pick(machine, 2) ? &values[0] : NULL)); break;
    default: sane(kvl_tasks_get(machine->tasks, keys[0].data, keys[0].len, &values[0]));
    }
    kvl_value_release_many(values, 3);
}

static void call_engine(struct machine *machine)
{
    kvl_slice_t keys[3] = {some_key(machine), some_key(machine), some_key(machine)};
    kvl_value_t *value = NULL;
    kvl_stats_t stats;

    switch (pick(machine, 8)) {
    case 0:
    case 1:
        sane(kvl_tasks_refresh(machine->tasks, keys, pick(machine, 4), NULL));
        sane(kvl_tasks_invalidate(machine->tasks, keys, pick(machine, 4), pick(machine, 4)));
        break;
    case 2: MUST_SAY(kvl_tasks_stats(machine->tasks, &stats, sizeof stats), KVL_OK); break;
    case 3:
        MUST_SAY(kvl_tasks_stats_reset(machine->tasks), KVL_OK);
        machine->missed = 0;
        break;
    case 4:
        /* Must be rejected: this thread would wait for a request that it has to answer. If a thread of the library calls the provider, the
         * call is not made: it would wait, and the provider may never answer. */
        if (!machine->closed && machine_routes & KVL_QUEUE_F_PROVIDER && keys[0].len <= KVL_KEY_MAX) {
            kvl_status_t status = kvl_tasks_fetch_wait(machine->tasks, keys[0].data, keys[0].len, NULL, NULL, &value, NULL);
            MUST(status == KVL_ERR_UNSUPPORTED || (machine->depth > 0 && status == KVL_ERR_REENTRANT));
        }
        break;
    case 5:
        sane(kvl_queue_wake(machine->queue));
        sane(kvl_tasks_gather(machine->tasks, pick(machine, 2)));
        MUST(kvl_tasks_reads_store_first(machine->tasks) == 0); /* there is a validator */
        break;
    case 6:
        if (pick(machine, 4) == 0) {
            uint32_t mode = pick(machine, 2);
            MUST_SAY(kvl_tasks_close(machine->tasks, mode, mode == KVL_CLOSE_DRAIN ? (int64_t)pick(machine, 30) - 1 : 0, on_closed, machine, NULL),
                     KVL_OK);
            machine->closed = true;
            machine->closes++;
        }
        break;
    default: sane(kvl_queue_poll(machine->queue, 0, 0, NULL));
    }
}

void machine_step(struct machine *machine)
{
    static const int64_t steps[] = {0, 1, 1, 5, 10, 50, 1000, 3600000};
    kvl_request_t *request;
    size_t i, ran = 0;

    if (!is_driver(machine) || machine->bytes.at == machine->bytes.end || machine->depth > 3)
        return;
    machine->depth++;
    switch (pick(machine, 14)) {
    case 0:
    case 1:
    case 2: fetch(machine); break;
    case 3: handle(machine); break;
    case 4:
    case 5: sane(kvl_queue_poll(machine->queue, 1 + pick(machine, 4), 0, &ran)); break;
    case 6: read_one(machine); break;
    case 7:
    case 8:
        i = pick(machine, REQUESTS);
        pthread_mutex_lock(&machine->lock);
        request = kvl_request_retain(machine->requests[i]);
        pthread_mutex_unlock(&machine->lock);
        if (request != NULL)
            answer(machine, request);
        kvl_request_release(request);
        break;
    case 9: sane(kvl_clock_advance(machine->clock, steps[pick(machine, 8)])); break;
    case 10:
    case 11: write_store(machine); break;
    case 12: look_up(machine); break;
    default: call_engine(machine);
    }
    machine->depth--;
}

static uint32_t validate(void *user_data, const uint8_t *key, size_t len)
{
    kvl_slice_t invalid = key_of(INVALID);
    (void)user_data;
    return len != invalid.len || memcmp(key, invalid.data, len) != 0;
}

static void set_int(kvl_config_t *config, const char *key, int64_t value)
{
    MUST_SAY(kvl_config_set_int(config, key, value), KVL_OK);
}

static void build(struct machine *machine)
{
    static const char *const shapes[] = {"fixed", "exponential", "exponential_then_fixed", "fixed_then_exponential"};
    static const int64_t ttls[] = {-1, -1, 1, 10, 30, 100000, 0, INT64_MAX};
    kvl_config_t *config = NULL;
    uint8_t what = next(machine), more = next(machine);

    MUST_SAY(kvl_config_new(&config), KVL_OK);
    machine->capacity = pick(machine, 10);
    machine->cost_limit = what & 1 ? 100 + 8 * (int64_t)next(machine) : -1;
    machine->max_running = 1 + pick(machine, 3);
    set_int(config, "cache.capacity", machine->capacity);
    set_int(config, "cache.cost_limit", machine->cost_limit);
    set_int(config, "cache.shards", what & 2 ? 1 + pick(machine, 4) : 0);
    set_int(config, "cache.seed", 1);
    /* This setting and some below have no byte of their own, so that the seeds keep their meaning. */
    MUST_SAY(kvl_config_set(config, "cache.policy", (what ^ more) & 1 ? "s3fifo" : "lru"), KVL_OK);
    set_int(config, "cache.ttl_ms", ttls[pick(machine, 8)]);
    set_int(config, "cache.null_ttl_ms", ttls[pick(machine, 8)]);
    set_int(config, "cache.ttl_jitter_ms", what & 4 ? 20 : 0);
    set_int(config, "cache.idle_ttl_ms", what & 8 ? 1 + pick(machine, 60) : -1);
    set_int(config, "cache.error_ttl_ms", what & 16 ? 1 + pick(machine, 60) : 0);
    set_int(config, "tasks.max_running", machine->max_running);
    set_int(config, "tasks.max_abandoned", pick(machine, 3));
    set_int(config, "queue.max_keys", pick(machine, 9));
    MUST_SAY(kvl_config_set(config, "queue.order", what & 32 ? "fifo" : "lifo"), KVL_OK);
    MUST_SAY(kvl_config_set_real(config, "queue.share", pick(machine, 5) / 4.0), KVL_OK);
    MUST_SAY(kvl_config_set(config, "queue.overflow", what & 64 ? "reject" : "wait"), KVL_OK);
    set_int(config, "batch.max_keys", 1 + pick(machine, 5));
    set_int(config, "batch.linger_us", what & 128 ? 500 * (int64_t)pick(machine, 9) : 0);
    set_int(config, "batch.omitted_is_null", more & 1);
    set_int(config, "attempt_timeout_ms", more & 2 ? 1 + pick(machine, 30) : -1);
    set_int(config, "timeout_ms", more & 4 ? 1 + pick(machine, 60) : -1);
    set_int(config, "retry.count", more & 8 ? pick(machine, 4) : 0);
    MUST_SAY(kvl_config_set(config, "retry.shape", shapes[more >> 6]), KVL_OK);
    set_int(config, "retry.first_ms", pick(machine, 20));
    set_int(config, "retry.fixed_ms", pick(machine, 20));
    MUST_SAY(kvl_config_set_real(config, "retry.factor", 1 + what % 4), KVL_OK);
    set_int(config, "retry.switch_after", what % 3);
    set_int(config, "retry.cap_ms", what % 32);
    MUST_SAY(kvl_config_set_real(config, "retry.jitter", more & 16 ? 0.5 : 0.0), KVL_OK);
    set_int(config, "retry.budget_ms", more & 32 ? pick(machine, 100) : -1);
    MUST_SAY(kvl_config_set_validator(config, validate, NULL, NULL), KVL_OK);
    machine->objects += 2;
    MUST_SAY(kvl_config_set_provider(config, provide, machine, object_free), KVL_OK);
    MUST_SAY(kvl_config_set_removal_listener(config, on_removal, machine, object_free), KVL_OK);
    MUST_SAY(kvl_config_set_clock(config, machine->clock), KVL_OK);
    MUST_SAY(kvl_config_set_runtime(config, machine_runtime), KVL_OK);
    if (machine_routes != 0)
        MUST_SAY(kvl_config_set_queue(config, machine->queue, machine_routes), KVL_OK);
    MUST_SAY(kvl_tasks_new(config, &machine->tasks, NULL), KVL_OK);
    kvl_config_free(config);
    MUST_SAY(kvl_tasks_cache(machine->tasks, &machine->cache), KVL_OK);
    MUST_SAY(kvl_reader_new(machine->cache, &machine->reader), KVL_OK);
}

static void drain(struct machine *machine)
{
    while (kvl_queue_poll(machine->queue, 16, 0, NULL) == KVL_OK)
        ;
}

static void abandon_requests(struct machine *machine)
{
    int i;

    for (i = 0; i < REQUESTS; i++) {
        kvl_request_t *request;
        pthread_mutex_lock(&machine->lock);
        request = machine->requests[i];
        machine->requests[i] = NULL;
        pthread_mutex_unlock(&machine->lock);
        kvl_request_release(request);
    }
}

/* Runs until the event that reports the close, which follows all others on every route. Until then a provider on another thread may keep a
 * request. */
static void drain_to_the_end(struct machine *machine)
{
    const struct timespec pause = {0, 50000};

    for (;;) {
        abandon_requests(machine);
        drain(machine);
        if (machine_routes == KVL_QUEUE_F_ALL || machine->closes_reported == machine->closes)
            break;
        nanosleep(&pause, NULL);
    }
    /* No provider call is running any more, but the last one may have kept its request. */
    abandon_requests(machine);
}

void machine_run(const uint8_t *data, size_t size, void (*check)(struct machine *machine))
{
    struct machine machine = {.bytes = {data, data + size}, .driver = pthread_self()};
    kvl_stats_t stats;
    int i;

    pthread_mutex_init(&machine.lock, NULL);
    if (machine_runtime == NULL)
        MUST_SAY(kvl_runtime_new(&machine_runtime), KVL_OK);
    MUST_SAY(kvl_clock_new_manual(1000, &machine.clock), KVL_OK);
    MUST_SAY(kvl_queue_new(0, &machine.queue), KVL_OK);
    for (i = 0; i < HANDLES; i++)
        MUST_SAY(kvl_fetch_new(&machine.handles[i]), KVL_OK);
    build(&machine);
    while (machine.bytes.at < machine.bytes.end) {
        machine_step(&machine);
        check(&machine);
    }
    if (machine_routes == KVL_QUEUE_F_ALL)
        check_store(&machine);

    MUST_SAY(kvl_tasks_close(machine.tasks, KVL_CLOSE_CANCEL, 0, on_closed, &machine, NULL), KVL_OK);
    machine.closes++;
    drain_to_the_end(&machine);
    MUST_SAY(kvl_tasks_stats(machine.tasks, &stats, sizeof stats), KVL_OK);
    MUST(stats.in_flight == 0 && stats.running == 0 && stats.queued == 0 && stats.deferred == 0 && stats.abandoned == 0);
    must(machine.tickets == machine.tickets_freed, "each fetch is delivered to its end", machine.tickets_freed - machine.tickets, __FILE__, __LINE__);
    check_store(&machine);
    must(machine.closes_reported == machine.closes, "each close is delivered once", machine.closes_reported - machine.closes, __FILE__, __LINE__);
    for (i = 0; i < HANDLES; i++)
        kvl_fetch_release(machine.handles[i]);
    kvl_reader_free(machine.reader);
    kvl_cache_release(machine.cache);
    MUST_SAY(kvl_tasks_free(machine.tasks), KVL_OK);
    drain(&machine);
    MUST(kvl_queue_len(machine.queue) == 0);
    must(machine.objects == machine.objects_freed, "each destructor runs once", machine.objects_freed - machine.objects, __FILE__, __LINE__);
    MUST_SAY(kvl_queue_free(machine.queue), KVL_OK);
    kvl_clock_release(machine.clock);
    pthread_mutex_destroy(&machine.lock);
}
