/* The circuit breaker, the rate limit and hedging (rules R07 to R09). */
#define _POSIX_C_SOURCE 200809L
#include "engine.h"

static kvl_status_t fetch_status(kvl_tasks_t *tasks, const char *key)
{
    kvl_value_t *value = NULL;
    kvl_status_t status = kvl_tasks_fetch_wait(tasks, KEY(key), NULL, NULL, &value, NULL);

    kvl_value_release(value);
    return status;
}

static void provide_or_fail(void *user_data, kvl_request_t *request)
{
    int *calls = user_data;
    size_t i;

    ++*calls;
    for (i = 0; i < kvl_request_len(request); i++) {
        const kvl_slice_t *key = &kvl_request_keys(request)[i];
        if (key->data[0] == 'f')
            kvl_request_fail_text(request, i, 503, "down", 0);
        else
            kvl_request_resolve_bytes(request, i, key->data, key->len, NULL);
    }
}

static kvl_tasks_t *engine(kvl_clock_t *clock, int *calls, const char *setting, const char *value)
{
    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_clock(config, clock), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide_or_fail, calls, NULL), KVL_OK);
    STATUS(kvl_config_set(config, setting, value), KVL_OK);
    STATUS(kvl_tasks_new(config, &tasks, NULL), KVL_OK);
    kvl_config_free(config);
    return tasks;
}

static void r07_the_breaker_opens_rejects_probes_and_closes(void)
{
    int calls = 0;
    kvl_clock_t *clock = NULL;
    kvl_tasks_t *tasks;
    kvl_stats_t stats;

    STATUS(kvl_clock_new_manual(0, &clock), KVL_OK);
    tasks = engine(clock, &calls, "breaker.consecutive", "2");
    CHECK(kvl_tasks_breaker_state(tasks) == KVL_BREAKER_CLOSED);
    STATUS(fetch_status(tasks, "f1"), KVL_ERR_PROVIDER);
    STATUS(fetch_status(tasks, "f2"), KVL_ERR_PROVIDER);
    /* The request ends, and is counted, only when the provider's call has returned. */
    while (kvl_tasks_breaker_state(tasks) == KVL_BREAKER_CLOSED) {}
    CHECK(kvl_tasks_breaker_state(tasks) == KVL_BREAKER_OPEN);
    STATUS(fetch_status(tasks, "well"), KVL_ERR_UNAVAILABLE);
    CHECK(calls == 2);
    STATUS(kvl_clock_advance(clock, 5000), KVL_OK);
    CHECK(kvl_tasks_breaker_state(tasks) == KVL_BREAKER_HALF_OPEN);
    STATUS(fetch_status(tasks, "well"), KVL_VALUE);
    while (kvl_tasks_breaker_state(tasks) != KVL_BREAKER_CLOSED) {}
    STATUS(kvl_tasks_stats(tasks, &stats, sizeof stats), KVL_OK);
    CHECK(stats.breaker_opened == 1 && stats.breaker_refused == 1 && stats.misses_unavailable == 1);
    CHECK(stats.breaker_state == KVL_BREAKER_CLOSED);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    kvl_clock_release(clock);
}

static void r07_an_operator_can_force_the_breaker(void)
{
    int calls = 0;
    kvl_clock_t *clock = NULL;
    kvl_tasks_t *tasks;

    STATUS(kvl_clock_new_manual(0, &clock), KVL_OK);
    tasks = engine(clock, &calls, "breaker.consecutive", "1");
    STATUS(kvl_tasks_breaker_force(tasks, KVL_BREAKER_FORCE_OPEN), KVL_OK);
    STATUS(fetch_status(tasks, "well"), KVL_ERR_UNAVAILABLE);
    STATUS(kvl_tasks_breaker_force(tasks, KVL_BREAKER_FORCE_CLOSED), KVL_OK);
    STATUS(fetch_status(tasks, "f"), KVL_ERR_PROVIDER);
    STATUS(fetch_status(tasks, "well"), KVL_VALUE);
    STATUS(kvl_tasks_breaker_force(tasks, 9), KVL_ERR_INVALID_ARG);
    STATUS(kvl_tasks_breaker_force(NULL, KVL_BREAKER_FORCE_NONE), KVL_ERR_NULL_POINTER);
    CHECK(kvl_tasks_breaker_state(NULL) == KVL_BREAKER_CLOSED);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    kvl_clock_release(clock);
}

static void r08_the_rate_limit_follows_the_clock(void)
{
    int calls = 0, has_arrived;
    kvl_clock_t *clock = NULL;
    kvl_tasks_t *tasks;
    kvl_stats_t stats;

    STATUS(kvl_clock_new_manual(0, &clock), KVL_OK);
    tasks = engine(clock, &calls, "rate.requests_per_s", "2");
    STATUS(fetch_status(tasks, "one"), KVL_VALUE);
    /* The answer is delivered before the provider's call returns. */
    do
        STATUS(kvl_tasks_stats(tasks, &stats, sizeof stats), KVL_OK);
    while (stats.running != 0);
    STATUS(kvl_tasks_refresh(tasks, &(kvl_slice_t)SLICE("two"), 1, NULL), KVL_OK);
    STATUS(kvl_clock_advance(clock, 499), KVL_OK);
    STATUS(kvl_tasks_stats(tasks, &stats, sizeof stats), KVL_OK);
    CHECK(stats.requests == 1 && stats.queued + stats.deferred == 1 && stats.running == 0 && stats.rate_waits == 1);
    STATUS(kvl_clock_advance(clock, 1), KVL_OK);
    do {
        STATUS(kvl_tasks_stats(tasks, &stats, sizeof stats), KVL_OK);
        has_arrived = stats.loads_succeeded == 2;
    } while (!has_arrived);
    CHECK(stats.requests == 2 && stats.rate_waited_us == 500000);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    kvl_clock_release(clock);
}

/* Returns the next request in the queue, retained. */
static kvl_request_t *next_request_of(kvl_queue_t *queue)
{
    kvl_event_t event;

    STATUS(kvl_queue_next(queue, KVL_FOREVER, &event, sizeof event), KVL_OK);
    CHECK(event.kind == KVL_EVENT_REQUEST);
    return kvl_request_retain(event.request);
}

static void r09_a_slow_request_is_handed_out_once_more(void)
{
    kvl_clock_t *clock = NULL;
    kvl_queue_t *queue = NULL;
    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;
    kvl_request_t *slow, *hedge;
    kvl_event_t event;
    kvl_stats_t stats;

    STATUS(kvl_clock_new_manual(0, &clock), KVL_OK);
    STATUS(kvl_queue_new(0, &queue), KVL_OK);
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_clock(config, clock), KVL_OK);
    STATUS(kvl_config_set_provider(config, NULL, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set_queue(config, queue, KVL_QUEUE_F_ALL), KVL_OK);
    STATUS(kvl_config_set(config, "hedge.after_ms", "20"), KVL_OK);
    STATUS(kvl_config_set(config, "hedge.max_ratio", "1"), KVL_OK);
    STATUS(kvl_tasks_new(config, &tasks, NULL), KVL_OK);
    kvl_config_free(config);
    STATUS(kvl_tasks_fetch(tasks, KEY("key"), NULL, NULL, NULL, NULL, NULL, NULL), KVL_PENDING);
    slow = next_request_of(queue);
    STATUS(kvl_clock_advance(clock, 19), KVL_OK);
    STATUS(kvl_queue_next(queue, 0, &event, sizeof event), KVL_EMPTY);
    STATUS(kvl_clock_advance(clock, 1), KVL_OK);
    hedge = next_request_of(queue);
    CHECK(kvl_request_len(hedge) == 1 && kvl_request_attempt(hedge, 0) == 1);
    STATUS(kvl_request_resolve_bytes(hedge, 0, KEY("fast"), NULL), KVL_OK);
    STATUS(kvl_request_finish(hedge), KVL_OK);
    CHECK(kvl_request_is_cancelled(slow));
    STATUS(kvl_queue_next(queue, KVL_FOREVER, &event, sizeof event), KVL_OK);
    CHECK(event.kind == KVL_EVENT_RESULT && event.result->status == KVL_VALUE && memcmp(event.result->data, "fast", 4) == 0);
    STATUS(kvl_request_resolve_bytes(slow, 0, KEY("slow"), NULL), KVL_LATE);
    STATUS(kvl_request_finish(slow), KVL_OK);
    STATUS(kvl_tasks_stats(tasks, &stats, sizeof stats), KVL_OK);
    CHECK(stats.hedges_started == 1 && stats.hedges_won == 1 && stats.hedges_lost == 0 && stats.requests == 2 && stats.attempts == 1);
    kvl_request_release(slow);
    kvl_request_release(hedge);
    kvl_tasks_dispose(tasks);
    kvl_queue_dispose(queue);
    kvl_clock_release(clock);
}

int main(void)
{
    r09_a_slow_request_is_handed_out_once_more();
    r07_the_breaker_opens_rejects_probes_and_closes();
    r07_an_operator_can_force_the_breaker();
    r08_the_rate_limit_follows_the_clock();
    DONE();
}
