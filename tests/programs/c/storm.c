/* Engines with tiny limits, under many threads that do anything at any time, with slow and careless providers, and with a close inside of a
 * callback. Whatever happens: each accepted fetch is told each of its positions once, and its user data ends once (rules F01, F03, L04, L05,
 * S19). */
#define _GNU_SOURCE
#include "check.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS = 5, KEYS = 400, LONG = 700, OPEN = 8 };

static int is_watched(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
#ifdef KVL_RACE
    return 1;
#endif
    return preloaded != NULL && strstr(preloaded, "vgpreload") != NULL;
}

static uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed ^= *seed << 13, *seed ^= *seed >> 7, *seed ^= *seed << 17;
    return (uint32_t)((*seed >> 33) % below);
}

static void nap(long us)
{
    struct timespec pause = { 0, us * 1000 };
    nanosleep(&pause, NULL);
}

struct storm {
    kvl_tasks_t *tasks;
    kvl_cache_t *cache;
    kvl_queue_t *queue; /* NULL: everything on threads of the library */
    atomic_int accepted, ended, freed, objects, closes, stop, over;
    int closes_in_callback;
};

/* one fetch: how often each of its positions was told */
struct call {
    struct storm *storm;
    size_t n;
    atomic_int told, last;
    uint8_t seen[LONG];
};

static uint32_t names[KEYS + LONG];
static kvl_slice_t keys[KEYS + LONG];

static void free_object(void *object)
{
    struct storm *storm = object;
    storm->objects--;
}

/* A provider that does what it likes. */
static void provide(void *user_data, kvl_request_t *request)
{
    struct storm *storm = user_data;
    size_t i, n = kvl_request_len(request);
    uint64_t seed = 0x9E3779B97F4A7C15u ^ (uintptr_t)request ^ ((uint64_t)kvl_request_attempt(request, 0) << 40);

    for (i = 0; i < n; i++) {
        switch (draw(&seed, 12)) {
        case 0: kvl_request_fail_text(request, i, 1, "later", 0); break;
        case 1: kvl_request_fail_text(request, i, 2, "never", KVL_ERROR_F_PERMANENT); break;
        case 2: kvl_request_resolve(request, i, kvl_value_null(), NULL); break;
        case 3: break;
        case 4:
            storm->objects++;
            kvl_request_resolve_object(request, i, storm, 64, free_object, NULL);
            break;
        case 5:
            /* answered twice, and a key that nobody asked for */
            kvl_request_resolve_bytes(request, i, (const uint8_t *)"1", 1, NULL);
            kvl_request_resolve_bytes(request, i, (const uint8_t *)"2", 1, NULL);
            kvl_request_supply_bytes(request, (const uint8_t *)"extra", 5, (const uint8_t *)"e", 1, NULL);
            break;
        default: kvl_request_resolve_bytes(request, i, (const uint8_t *)"value", 5, NULL); break;
        }
        if (draw(&seed, 50) == 0)
            nap(300);
        if (kvl_request_is_cancelled(request) && draw(&seed, 2))
            break;
    }
    switch (draw(&seed, 4)) {
    case 0: kvl_request_finish_nulls(request); break;
    case 1: kvl_request_finish_error(request, NULL); break;
    case 2: kvl_request_finish(request); break;
    default: break; /* comes back without a word */
    }
}

static void close_once(struct storm *storm);

static void tell(struct call *call, const kvl_result_t *result)
{
    CHECK(result->index < call->n);
    if (result->index < call->n) {
        CHECK(call->seen[result->index] == 0);
        call->seen[result->index] = 1;
    }
    call->told++;
}

static void hear(void *user_data, const kvl_result_t *result)
{
    struct call *call = user_data;
    tell(call, result);
    if (result->flags & KVL_F_LAST) {
        CHECK(++call->last == 1);
        if (call->storm->closes_in_callback && call->storm->accepted > 200)
            close_once(call->storm);
    }
}

static void hear_all(void *user_data, kvl_results_t *results)
{
    struct call *call = user_data;
    size_t i;
    CHECK(kvl_results_len(results) == call->n);
    for (i = 0; i < kvl_results_len(results); i++)
        tell(call, kvl_results_at(results, i));
    CHECK(++call->last == 1);
}

static void call_ends(void *user_data)
{
    struct call *call = user_data;
    /* One that was refused is told nothing. */
    if (call->told > 0) {
        CHECK((size_t)call->told == call->n && call->last == 1);
        call->storm->ended++;
    }
    call->storm->freed++;
    free(call);
}

static void closed(void *user_data) { ((struct storm *)user_data)->over = 1; }

static void close_once(struct storm *storm)
{
    if (storm->closes++ == 0)
        STATUS(kvl_tasks_close(storm->tasks, KVL_CLOSE_CANCEL, 0, closed, storm, NULL), KVL_OK);
}

struct actor {
    struct storm *storm;
    uint64_t seed;
    int calls;
};

static void ask(struct storm *storm, kvl_fetch_t **open, uint64_t *seed, int is_long)
{
    struct call *call = calloc(1, sizeof *call);
    size_t from = draw(seed, KEYS);
    kvl_fetch_t **place = &open[draw(seed, OPEN)];
    kvl_options_t *options = NULL;
    kvl_status_t status;

    CHECK(call != NULL);
    call->storm = storm;
    call->n = is_long ? LONG : 1 + draw(seed, 6);
    kvl_fetch_release(*place);
    *place = NULL;
    STATUS(kvl_fetch_new(place), KVL_OK);
    if (draw(seed, 3) == 0) {
        STATUS(kvl_options_new(&options), KVL_OK);
        kvl_options_set_int(options, "timeout_ms", 1 + draw(seed, 5));
        kvl_options_set_int(options, "urgency", (int)draw(seed, 5) - 2);
        if (draw(seed, 4) == 0)
            kvl_options_set(options, "batch.mode", "all_or_nothing");
    }
    storm->accepted++;
    if (is_long || draw(seed, 2))
        status = kvl_tasks_fetch_all(storm->tasks, keys + from, call->n, options, *place, hear_all, call, call_ends, NULL);
    else
        status = kvl_tasks_fetch_each(storm->tasks, keys + from, call->n, options, *place, hear, call, call_ends);
    if (status != KVL_PENDING) {
        CHECK(status == KVL_ERR_CLOSED);
        storm->accepted--;
        storm->freed--;
    }
    kvl_options_free(options);
}

static void *act(void *user_data)
{
    struct actor *actor = user_data;
    struct storm *storm = actor->storm;
    kvl_fetch_t *open[OPEN] = { NULL };
    int i;

    for (i = 0; i < actor->calls && !storm->stop; i++) {
        const kvl_slice_t *key = &keys[draw(&actor->seed, KEYS)];
        kvl_value_t *value = NULL;
        switch (draw(&actor->seed, 16)) {
        case 0: kvl_cache_put_bytes(storm->cache, key->data, key->len, (const uint8_t *)"put", 3, NULL); break;
        case 1: kvl_cache_remove(storm->cache, key->data, key->len); break;
        case 2:
            if (draw(&actor->seed, 10) == 0)
                kvl_cache_clear(storm->cache);
            break;
        case 3: kvl_cache_resize(storm->cache, 1 + draw(&actor->seed, 60), -1); break;
        case 4: kvl_cache_touch(storm->cache, key->data, key->len, 1 + draw(&actor->seed, 3)); break;
        case 5: kvl_tasks_refresh(storm->tasks, key, 1 + draw(&actor->seed, draw(&actor->seed, 20) ? 5 : LONG), NULL); break;
        case 6: case 7: case 8: {
            kvl_fetch_t *fetch = open[draw(&actor->seed, OPEN)];
            if (fetch != NULL)
                kvl_fetch_cancel(fetch);
            break;
        }
        case 9: {
            kvl_fetch_t *fetch = open[draw(&actor->seed, OPEN)];
            if (fetch != NULL)
                kvl_fetch_set_urgency(fetch, (int)draw(&actor->seed, 9) - 4);
            break;
        }
        case 10:
            kvl_cache_get(storm->cache, key->data, key->len, &value);
            kvl_value_release(value);
            break;
        case 11: ask(storm, open, &actor->seed, draw(&actor->seed, 8) == 0); break;
        default: ask(storm, open, &actor->seed, 0); break;
        }
    }
    for (i = 0; i < OPEN; i++)
        kvl_fetch_release(open[i]);
    return NULL;
}

static void *read_queue(void *user_data)
{
    struct storm *storm = user_data;
    while (!storm->stop || !storm->over)
        kvl_queue_poll(storm->queue, 64, 5, NULL);
    return NULL;
}

static void begin(struct storm *storm, uint64_t seed, int queued)
{
    kvl_config_t *config = NULL;

    memset(storm, 0, sizeof *storm);
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide, storm, NULL), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.capacity", 3 + draw(&seed, 50)), KVL_OK);
    STATUS(kvl_config_set_int(config, "queue.max_keys", draw(&seed, 4)), KVL_OK);
    STATUS(kvl_config_set(config, "queue.order", draw(&seed, 2) ? "fifo" : "lifo"), KVL_OK);
    STATUS(kvl_config_set(config, "queue.overflow", draw(&seed, 3) ? "wait" : "reject"), KVL_OK);
    STATUS(kvl_config_set_int(config, "tasks.max_running", 1 + draw(&seed, 3)), KVL_OK);
    STATUS(kvl_config_set_int(config, "tasks.max_abandoned", draw(&seed, 3)), KVL_OK);
    STATUS(kvl_config_set_int(config, "batch.max_keys", 1 + draw(&seed, draw(&seed, 2) ? 5 : LONG)), KVL_OK);
    STATUS(kvl_config_set_int(config, "retry.count", draw(&seed, 3)), KVL_OK);
    STATUS(kvl_config_set_int(config, "retry.fixed_ms", draw(&seed, 2)), KVL_OK);
    STATUS(kvl_config_set_int(config, "attempt_timeout_ms", 1 + draw(&seed, 20)), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.error_ttl_ms", draw(&seed, 3)), KVL_OK);
    STATUS(kvl_config_set_int(config, "stale.ttl_ms", draw(&seed, 2) * 5), KVL_OK);
    if (queued) {
        STATUS(kvl_queue_new(0, &storm->queue), KVL_OK);
        STATUS(kvl_config_set_queue(config, storm->queue, KVL_QUEUE_F_ALL), KVL_OK);
    }
    STATUS(kvl_tasks_new(config, &storm->tasks, NULL), KVL_OK);
    STATUS(kvl_tasks_cache(storm->tasks, &storm->cache), KVL_OK);
    kvl_config_free(config);
}

static void rage(uint64_t seed, int queued, int closes_in_callback)
{
    struct storm storm;
    struct actor actors[THREADS];
    pthread_t threads[THREADS], reader;
    int i;

    begin(&storm, seed, queued);
    storm.closes_in_callback = closes_in_callback;
    if (queued)
        CHECK(pthread_create(&reader, NULL, read_queue, &storm) == 0);
    for (i = 0; i < THREADS; i++) {
        actors[i] = (struct actor){ &storm, seed * 7919 + (uint64_t)i + 1, is_watched() ? 150 : 1500 };
        CHECK(pthread_create(&threads[i], NULL, act, &actors[i]) == 0);
    }
    for (i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    close_once(&storm);
    storm.stop = 1;
    while (!storm.over)
        nap(200);
    if (queued)
        CHECK(pthread_join(reader, NULL) == 0);
    kvl_cache_release(storm.cache);
    STATUS(kvl_tasks_free(storm.tasks), KVL_OK);
    if (queued) {
        size_t ran = 1;
        while (ran > 0)
            kvl_queue_poll(storm.queue, 64, 0, &ran);
        STATUS(kvl_queue_free(storm.queue), KVL_OK);
    }
    CHECK(storm.accepted == storm.ended);
    CHECK(storm.accepted == storm.freed);
    CHECK(storm.objects == 0);
}

int main(void)
{
    uint64_t seed;
    size_t i;

    for (i = 0; i < KEYS + LONG; i++) {
        names[i] = (uint32_t)i % KEYS;
        keys[i].data = (const uint8_t *)&names[i];
        keys[i].len = sizeof names[i];
    }
    for (seed = 1; seed <= (is_watched() ? 3 : 12); seed++)
        rage(seed * 1000003, seed % 2 == 0, seed % 3 == 0);
    DONE();
}
