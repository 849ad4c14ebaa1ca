/* Requests: their keys, and every way to answer and finish them (rules F10, F15, F16, F20, L04, L05).
 * Statuses not reached here: KVL_ERR_NO_MEMORY, KVL_ERR_PANIC, and KVL_ERR_FORKED, which tasks.c reaches. */
#define _POSIX_C_SOURCE 200809L
#include "engine.h"

static int costs_asked;

static uint32_t is_not_bad(void *user_data, const uint8_t *key, size_t key_len)
{
    (void)user_data;
    return !(key_len == 3 && memcmp(key, "bad", 3) == 0);
}

static uint64_t cost_is_one(void *user_data, const uint8_t *key, size_t key_len, kvl_value_t *value)
{
    (void)user_data;
    (void)key;
    (void)key_len;
    CHECK(kvl_value_kind(value) != 0);
    costs_asked++;
    return 1;
}

static void a_request_returns_its_keys(void)
{
    static const kvl_slice_t keys[] = { SLICE("hold"), SLICE(""), SLICE("other") };
    struct fixture fixture;
    struct recorder recorder;
    kvl_config_t *config = fixture_init(&fixture);
    kvl_request_t *request;
    const kvl_slice_t *slices;
    const uint8_t *key = NULL;
    size_t i, len = 0;

    STATUS(kvl_config_set_int(config, "batch.max_keys", 20), KVL_OK);
    STATUS(kvl_config_set_int(config, "attempt_timeout_ms", 100), KVL_OK);
    create_engine(&fixture, config);
    recorder_init(&recorder, &fixture);
    STATUS(kvl_tasks_fetch_all(fixture.tasks, keys, 3, NULL, NULL, record_results, &recorder, count_free, NULL), KVL_PENDING);
    request = next_request(&fixture);
    CHECK(kvl_request_len(request) == 3);
    slices = kvl_request_keys(request);
    for (i = 0; i < 3; i++) {
        STATUS(kvl_request_key(request, i, &key, &len), KVL_OK);
        CHECK(len == keys[i].len && key != NULL && memcmp(key, keys[i].data, len) == 0);
        CHECK(slices[i].data == key && slices[i].len == len);
        CHECK(kvl_request_attempt(request, i) == 1 && kvl_request_is_wanted(request, i) == 1);
    }
    STATUS(kvl_request_key(request, 3, &key, &len), KVL_ERR_OUT_OF_RANGE);
    CHECK(kvl_request_attempt(request, 3) == 0 && kvl_request_is_wanted(request, 3) == 0);
    CHECK(kvl_request_user_data(request) == &fixture && kvl_request_urgency(request) == 0);
    CHECK(kvl_request_is_cancelled(request) == KVL_CANCEL_NO);
    CHECK(kvl_request_time_left_ms(request) == 100);
    STATUS(kvl_clock_advance(fixture.clock, 60), KVL_OK);
    CHECK(kvl_request_time_left_ms(request) == 40);
    STATUS(kvl_request_heartbeat(request), KVL_OK);
    CHECK(kvl_request_time_left_ms(request) == 100);
    STATUS(kvl_request_finish_nulls(request), KVL_OK);
    CHECK(kvl_request_time_left_ms(request) == KVL_FOREVER && kvl_request_is_wanted(request, 0) == 0);
    STATUS(kvl_request_heartbeat(request), KVL_ERR_ALREADY_ANSWERED);
    kvl_request_release(request);
    wait_for_free(&recorder);
    CHECK(kvl_results_count(recorder.results, KVL_COUNT_NULLS) == 3);
    recorder_release(&recorder);
    free_engine(&fixture);
}

/* Fetches "hold", and returns the request, which the provider has kept. */
static kvl_request_t *fetch_held(struct recorder *recorder, struct fixture *fixture)
{
    fetch_recorded(recorder, fixture, "hold", NULL, NULL);
    return next_request(fixture);
}

static void count_object_free(void *object)
{
    /* Called on the thread that drops the last reference: this one for a rejected answer, the dispatcher's for a delivered one. */
    __atomic_add_fetch((int *)object, 1, __ATOMIC_RELAXED);
}

static void f15_every_kind_of_answer_is_delivered(void)
{
    struct fixture fixture;
    struct recorder recorder;
    kvl_config_t *config = fixture_init(&fixture);
    kvl_options_t *no_store = option("read", "no_store");
    kvl_request_t *request;
    kvl_value_t *value = NULL;
    kvl_error_t *error = NULL;
    int object = 0;

    STATUS(kvl_config_set_validator(config, is_not_bad, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set_cost(config, cost_is_one, NULL, NULL), KVL_OK);
    create_engine(&fixture, config);

    request = fetch_held(&recorder, &fixture);
    STATUS(kvl_value_new_bytes(KEY("v"), &value), KVL_OK);
    STATUS(kvl_request_resolve(request, 1, value, NULL), KVL_ERR_OUT_OF_RANGE);
    STATUS(kvl_request_resolve(request, 0, NULL, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_resolve(request, 0, value, TERMS(-3, 0, 1)), KVL_ERR_BAD_VALUE);
    STATUS(kvl_request_resolve(request, 0, value, TERMS(0, 0.0 / 0.0, 1)), KVL_ERR_BAD_VALUE);
    STATUS(kvl_request_resolve(request, 0, value, TERMS(0, 0, -2)), KVL_ERR_BAD_VALUE);
    STATUS(kvl_request_resolve(request, 1, value, TERMS(0, 0, 1)), KVL_ERR_OUT_OF_RANGE);
    STATUS(kvl_request_resolve(request, 0, NULL, TERMS(0, 0, 1)), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_resolve(request, 0, value, TERMS(30, 2, 5)), KVL_OK);
    CHECK(wait_for(&fixture, &recorder.freed, 1)); /* before the finish */
    CHECK(recorder.status == KVL_VALUE && recorder.ttl_left_ms == 30 && recorder.attempts == 1);
    TEXT(recorder.text, "v");
    STATUS(kvl_request_resolve(request, 0, value, TERMS(30, 2, 5)), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_resolve(request, 0, value, NULL), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_resolve_bytes(request, 0, KEY("w"), NULL), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_fail(request, 0, NULL), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_fail_text(request, 0, 1, "no", 0), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_supply(request, KEY("hold"), value, NULL),
           KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_supply_bytes(request, KEY("hold"), KEY("w"), NULL), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_resolve_object(request, 0, &object, 1, count_object_free, NULL), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_resolve_object(request, 1, &object, 1, count_object_free, NULL), KVL_ERR_OUT_OF_RANGE);
    STATUS(kvl_request_finish(request), KVL_OK);
    STATUS(kvl_request_finish(request), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_finish_nulls(request), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_finish_error(request, NULL), KVL_ERR_ALREADY_ANSWERED);
    kvl_request_release(request);
    STATUS(kvl_clock_advance(fixture.clock, 30), KVL_OK);

    request = fetch_held(&recorder, &fixture);
    CHECK(kvl_request_retain(request) == request);
    kvl_request_release(request);
    STATUS(kvl_request_resolve_bytes(request, 1, KEY("v"), NULL), KVL_ERR_OUT_OF_RANGE);
    STATUS(kvl_request_resolve_bytes(request, 0, NULL, 1, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_fail(request, 1, NULL), KVL_ERR_OUT_OF_RANGE);
    STATUS(kvl_request_fail_text(request, 1, 1, "no", 0), KVL_ERR_OUT_OF_RANGE);
    STATUS(kvl_request_fail_text(request, 0, 1, "no", 99), KVL_ERR_INVALID_ARG);
    STATUS(kvl_error_new(-5, "boom", 4, 0, &error), KVL_OK);
    STATUS(kvl_request_fail(request, 0, error), KVL_OK);
    wait_for_free(&recorder);
    CHECK(recorder.error == error && recorder.status == KVL_ERR_PROVIDER);
    kvl_error_release(error);
    recorder_release(&recorder);
    kvl_request_release(request);

    request = fetch_held(&recorder, &fixture);
    STATUS(kvl_request_fail(request, 0, NULL), KVL_OK);
    wait_for_free(&recorder);
    CHECK(recorder.status == KVL_ERR_PROVIDER && kvl_error_code(recorder.error) == 0);
    recorder_release(&recorder);
    kvl_request_release(request);

    request = fetch_held(&recorder, &fixture);
    STATUS(kvl_request_fail_text(request, 0, 9, NULL, KVL_ERROR_F_PERMANENT), KVL_OK);
    wait_for_free(&recorder);
    CHECK(kvl_error_code(recorder.error) == 9 && kvl_error_is_permanent(recorder.error) == 1);
    TEXT(kvl_error_message(recorder.error), "");
    recorder_release(&recorder);
    kvl_request_release(request);

    fetch_recorded(&recorder, &fixture, "hold", no_store, NULL);
    request = next_request(&fixture);
    STATUS(kvl_request_resolve_object(request, 0, NULL, 1, count_object_free, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_resolve_object(request, 0, &object, 1, count_object_free, NULL), KVL_OK);
    wait_for_free(&recorder);
    CHECK(recorder.object == &object && recorder.ttl_left_ms == 0);
    kvl_request_release(request);

    request = fetch_held(&recorder, &fixture);
    STATUS(kvl_request_supply_bytes(request, KEY("bad"), KEY("v"), NULL), KVL_INVALID_KEY);
    STATUS(kvl_request_supply(request, KEY("bad"), value, NULL), KVL_INVALID_KEY);
    STATUS(kvl_request_supply(request, KEY("extra"), value, TERMS(-9, 0, 1)), KVL_ERR_BAD_VALUE);
    STATUS(kvl_request_supply(request, KEY("extra"), NULL, TERMS(KVL_TTL_NEVER, 0, 1)), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_supply(request, NULL, 1, value, TERMS(KVL_TTL_NEVER, 0, 1)), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_supply(request, KEY("extra"), value, TERMS(KVL_TTL_NEVER, 0, 1)), KVL_OK);
    STATUS(kvl_request_supply_bytes(request, KEY("extra"), KEY("v"), NULL), KVL_LATE); /* the key was supplied in the meantime */
    STATUS(kvl_request_supply_bytes(request, KEY("hold"), KEY("by key"), NULL), KVL_OK);
    wait_for_free(&recorder);
    TEXT(recorder.text, "by key");
    kvl_request_release(request);

    kvl_value_release(value);
    kvl_options_free(no_store);
    free_engine(&fixture);
    CHECK(object == 3); /* two rejected, one delivered and not stored */
    CHECK(costs_asked > 0);
}

static void f16_each_way_to_finish_settles_the_open_keys(void)
{
    struct fixture fixture;
    struct recorder recorder;
    kvl_request_t *request;
    kvl_error_t *error = NULL;

    create_engine(&fixture, fixture_init(&fixture));

    kvl_request_release(fetch_held(&recorder, &fixture)); /* the last release finishes */
    wait_for_free(&recorder);
    STATUS(recorder.status, KVL_ERR_UNANSWERED);
    recorder_release(&recorder);

    request = fetch_held(&recorder, &fixture);
    STATUS(kvl_request_finish(request), KVL_OK);
    wait_for_free(&recorder);
    STATUS(recorder.status, KVL_ERR_UNANSWERED);
    recorder_release(&recorder);
    kvl_request_release(request);

    request = fetch_held(&recorder, &fixture);
    STATUS(kvl_error_new(3, "down", 4, 0, &error), KVL_OK);
    STATUS(kvl_request_finish_error(request, error), KVL_OK);
    wait_for_free(&recorder);
    CHECK(recorder.error == error);
    recorder_release(&recorder);
    kvl_error_release(error);
    kvl_request_release(request);

    request = fetch_held(&recorder, &fixture);
    STATUS(kvl_request_finish_error(request, NULL), KVL_OK);
    wait_for_free(&recorder);
    STATUS(recorder.status, KVL_ERR_PROVIDER);
    recorder_release(&recorder);
    kvl_request_release(request);

    request = fetch_held(&recorder, &fixture);
    STATUS(kvl_request_finish_nulls(request), KVL_OK);
    wait_for_free(&recorder);
    STATUS(recorder.status, KVL_NULL);
    kvl_request_release(request);
    free_engine(&fixture);
}

static void f10_an_answer_after_the_timeout_is_late(void)
{
    struct fixture fixture;
    struct recorder recorder;
    kvl_config_t *config = fixture_init(&fixture);
    kvl_request_t *first, *second;
    kvl_value_t *value = NULL;
    int object = 0;

    STATUS(kvl_config_set_int(config, "attempt_timeout_ms", 100), KVL_OK);
    STATUS(kvl_config_set_int(config, "batch.max_keys", 20), KVL_OK);
    create_engine(&fixture, config);
    {
        static const kvl_slice_t keys[] = { SLICE("hold"), SLICE("b"), SLICE("c"), SLICE("d"), SLICE("e"), SLICE("f"), SLICE("g") };
        recorder_init(&recorder, &fixture);
        STATUS(kvl_tasks_fetch_all(fixture.tasks, keys, COUNT(keys), NULL, NULL, record_results, &recorder, count_free, NULL), KVL_PENDING);
        first = next_request(&fixture);
        STATUS(kvl_clock_advance(fixture.clock, 100), KVL_OK);
        wait_for_free(&recorder);
        CHECK(kvl_results_count_status(recorder.results, KVL_ERR_TIMEOUT) == COUNT(keys));
        recorder_release(&recorder);
    }
    CHECK(kvl_request_is_cancelled(first) == KVL_CANCEL_TIMEOUT && kvl_request_time_left_ms(first) == 0);
    STATUS(kvl_value_new_bytes(KEY("v"), &value), KVL_OK);
    STATUS(kvl_request_heartbeat(first), KVL_LATE);
    STATUS(kvl_request_resolve(first, 0, value, NULL), KVL_LATE);
    STATUS(kvl_request_resolve(first, 1, value, TERMS(KVL_TTL_NEVER, 0, 1)), KVL_LATE);
    STATUS(kvl_request_resolve_bytes(first, 2, KEY("v"), NULL), KVL_LATE);
    STATUS(kvl_request_resolve_object(first, 3, &object, 1, count_object_free, NULL), KVL_LATE);
    STATUS(kvl_request_fail(first, 4, NULL), KVL_LATE);
    STATUS(kvl_request_fail_text(first, 5, 1, "no", 0), KVL_LATE);
    STATUS(kvl_request_supply(first, KEY("g"), value, TERMS(KVL_TTL_NEVER, 0, 1)), KVL_LATE);
    STATUS(kvl_request_heartbeat(first), KVL_LATE); /* also once the keys are answered */
    fetch_recorded(&recorder, &fixture, "b", NULL, NULL);
    wait_for_free(&recorder);
    CHECK(recorder.status == KVL_VALUE && recorder.source == KVL_SOURCE_STORE); /* the late value was stored */

    fetch_recorded(&recorder, &fixture, "hold too", NULL, NULL);
    second = next_request(&fixture);
    STATUS(kvl_tasks_close(fixture.tasks, KVL_CLOSE_CANCEL, 0, NULL, NULL, NULL), KVL_OK);
    wait_for_free(&recorder);
    STATUS(recorder.status, KVL_ERR_CLOSED);
    recorder_release(&recorder);
    CHECK(kvl_request_is_cancelled(second) == KVL_CANCEL_CLOSED && kvl_request_is_cancelled(first) == KVL_CANCEL_TIMEOUT);
    STATUS(kvl_tasks_free(fixture.tasks), KVL_OK);
    /* The request is still valid after the engine was freed, but rejects answers. */
    CHECK(kvl_request_len(second) == 1 && kvl_request_attempt(second, 0) == 1);
    STATUS(kvl_request_heartbeat(second), KVL_ERR_CLOSED);
    STATUS(kvl_request_resolve(second, 0, value, NULL), KVL_ERR_CLOSED);
    STATUS(kvl_request_resolve(second, 0, value, TERMS(KVL_TTL_NEVER, 0, 1)), KVL_ERR_CLOSED);
    STATUS(kvl_request_resolve_bytes(second, 0, KEY("v"), NULL), KVL_ERR_CLOSED);
    STATUS(kvl_request_resolve_object(second, 0, &object, 1, count_object_free, NULL), KVL_ERR_CLOSED);
    STATUS(kvl_request_fail(second, 0, NULL), KVL_ERR_CLOSED);
    STATUS(kvl_request_fail_text(second, 0, 1, "no", 0), KVL_ERR_CLOSED);
    STATUS(kvl_request_supply(second, KEY("x"), value, TERMS(KVL_TTL_NEVER, 0, 1)), KVL_ERR_CLOSED);
    STATUS(kvl_request_supply_bytes(second, KEY("x"), KEY("v"), NULL), KVL_ERR_CLOSED);
    STATUS(kvl_request_finish(second), KVL_ERR_CLOSED);
    STATUS(kvl_request_finish_nulls(first), KVL_ERR_CLOSED);
    STATUS(kvl_request_finish_error(first, NULL), KVL_ERR_CLOSED);
    kvl_request_release(first);
    kvl_request_release(second);
    kvl_value_release(value);
    CHECK(object == 2);
    CHECK(wait_for(&fixture, &fixture.freed, 1));
    fixture_destroy(&fixture);
}

/* Returns the status of a lookup of the key. */
static kvl_status_t lookup_status(struct fixture *fixture, const char *key)
{
    kvl_cache_t *cache = NULL;
    kvl_status_t status;

    STATUS(kvl_tasks_cache(fixture->tasks, &cache), KVL_OK);
    status = kvl_cache_contains(cache, KEY(key));
    kvl_cache_release(cache);
    return status;
}

/* A provider that gives up finishes its request. That may make a key null only if the key is still wanted. */
static void f16a_a_provider_that_gives_up_makes_no_unwanted_key_absent(void)
{
    kvl_status_t (*finishes[])(kvl_request_t *) = { kvl_request_finish, kvl_request_finish_nulls };
    struct fixture fixture;
    struct recorder recorder;
    kvl_config_t *config = fixture_init(&fixture);
    kvl_request_t *request;
    kvl_fetch_t *fetch;
    size_t i;

    STATUS(kvl_config_set(config, "batch.omitted_is_null", "true"), KVL_OK);
    STATUS(kvl_config_set_int(config, "attempt_timeout_ms", 100), KVL_OK);
    create_engine(&fixture, config);
    for (i = 0; i <= COUNT(finishes); i++) {
        const char *keys[] = { "hold cancelled", "hold late" };
        size_t which;
        for (which = 0; which < COUNT(keys); which++) {
            STATUS(kvl_fetch_new(&fetch), KVL_OK);
            fetch_recorded(&recorder, &fixture, keys[which], NULL, fetch);
            request = next_request(&fixture);
            STATUS(which == 0 ? kvl_fetch_cancel(fetch) : kvl_clock_advance(fixture.clock, 100), KVL_OK);
            CHECK(kvl_request_is_cancelled(request) == (which == 0 ? KVL_CANCEL_UNWANTED : KVL_CANCEL_TIMEOUT));
            if (i < COUNT(finishes)) /* in the last round, the release finishes the request */
                STATUS(finishes[i](request), KVL_OK);
            kvl_request_release(request);
            wait_for_free(&recorder);
            STATUS(recorder.status, which == 0 ? KVL_ERR_CANCELLED : KVL_ERR_TIMEOUT);
            STATUS(lookup_status(&fixture, keys[which]), KVL_MISS);
            recorder_release(&recorder);
            kvl_fetch_release(fetch);
        }
    }
    request = fetch_held(&recorder, &fixture);
    kvl_request_release(request);
    wait_for_free(&recorder);
    STATUS(recorder.status, KVL_NULL); /* a fetch still waited for this key */
    free_engine(&fixture);
}

static void f11_a_failed_key_is_retried(void)
{
    struct fixture fixture;
    struct recorder recorder;
    kvl_config_t *config = fixture_init(&fixture);
    kvl_request_t *request;

    STATUS(kvl_config_set_int(config, "retry.count", 1), KVL_OK);
    STATUS(kvl_config_set_int(config, "retry.fixed_ms", 0), KVL_OK);
    create_engine(&fixture, config);
    request = fetch_held(&recorder, &fixture);
    STATUS(kvl_request_fail_text(request, 0, 1, "again", 0), KVL_OK);
    kvl_request_release(request);
    request = next_request(&fixture);
    CHECK(kvl_request_attempt(request, 0) == 2);
    answer(request, "v");
    wait_for_free(&recorder);
    CHECK(recorder.status == KVL_VALUE && recorder.attempts == 2);
    free_engine(&fixture);
}

struct hook {
    struct fixture *fixture;
    kvl_request_t *holds; /* released with the user data */
    int events, freed;
    uint32_t reason;
};

static void count_hook(void *user_data, kvl_request_t *request, uint32_t reason)
{
    struct hook *hook = user_data;
    CHECK(kvl_request_len(request) == 1 && kvl_request_is_cancelled(request) == reason);
    hook->events++;
    hook->reason = reason;
}

static void count_hook_free(void *user_data)
{
    struct hook *hook = user_data;
    kvl_request_release(hook->holds);
    pthread_mutex_lock(&hook->fixture->lock);
    hook->freed++;
    pthread_cond_broadcast(&hook->fixture->changed);
    pthread_mutex_unlock(&hook->fixture->lock);
}

static void l04_f09_a_cancel_hook_runs_once(void)
{
    struct fixture fixture;
    struct recorder recorder;
    struct hook hook = { &fixture, NULL, 0, 0, 0 }, refused = { &fixture, NULL, 0, 0, 0 };
    kvl_fetch_t *fetch = NULL;
    kvl_request_t *request;

    create_engine(&fixture, fixture_init(&fixture));
    STATUS(kvl_request_on_cancel(NULL, count_hook, &refused, count_hook_free), KVL_ERR_NULL_POINTER);
    CHECK(refused.freed == 1);

    /* The hook is called once, and may hold the last reference to its request. */
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    fetch_recorded(&recorder, &fixture, "hold", NULL, fetch);
    request = next_request(&fixture);
    STATUS(kvl_request_on_cancel(request, NULL, &refused, count_hook_free), KVL_ERR_NO_CALLBACK);
    CHECK(refused.freed == 2);
    hook.holds = kvl_request_retain(request);
    STATUS(kvl_request_on_cancel(request, count_hook, &hook, count_hook_free), KVL_OK);
    STATUS(kvl_request_on_cancel(request, count_hook, &refused, count_hook_free), KVL_ERR_ALREADY_USED);
    CHECK(refused.freed == 3);
    kvl_request_release(request);
    STATUS(kvl_fetch_cancel(fetch), KVL_OK);
    CHECK(wait_for(&fixture, &hook.freed, 1));
    CHECK(hook.events == 1 && hook.reason == KVL_CANCEL_UNWANTED);
    kvl_fetch_release(fetch);
    wait_for_free(&recorder);
    recorder_release(&recorder);

    /* A hook that is set after the cancel is rejected. */
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    fetch_recorded(&recorder, &fixture, "hold", NULL, fetch);
    request = next_request(&fixture);
    STATUS(kvl_fetch_cancel(fetch), KVL_OK);
    STATUS(kvl_request_on_cancel(request, count_hook, &refused, count_hook_free), KVL_ERR_CANCELLED);
    CHECK(refused.freed == 4 && refused.events == 0);
    kvl_request_release(request);
    kvl_fetch_release(fetch);
    wait_for_free(&recorder);
    recorder_release(&recorder);

    /* The finish frees the hook, though the hook holds a reference to the request. */
    request = fetch_held(&recorder, &fixture);
    memset(&hook, 0, sizeof hook);
    hook.fixture = &fixture;
    hook.holds = kvl_request_retain(request);
    STATUS(kvl_request_on_cancel(request, count_hook, &hook, count_hook_free), KVL_OK);
    STATUS(kvl_request_resolve_bytes(request, 0, KEY("v"), NULL), KVL_OK);
    STATUS(kvl_request_finish(request), KVL_OK);
    CHECK(hook.freed == 1 && hook.events == 0);
    STATUS(kvl_request_on_cancel(request, count_hook, &refused, count_hook_free), KVL_ERR_CLOSED);
    CHECK(refused.freed == 5);
    kvl_request_release(request);
    wait_for_free(&recorder);
    free_engine(&fixture);
}

static void l09_null_is_refused_or_ignored(void)
{
    const uint8_t *key;
    size_t len;

    CHECK(kvl_request_len(NULL) == 0 && kvl_request_keys(NULL) == NULL);
    STATUS(kvl_request_key(NULL, 0, &key, &len), KVL_ERR_NULL_POINTER);
    CHECK(kvl_request_attempt(NULL, 0) == 0 && kvl_request_context(NULL, 0) == NULL && kvl_request_urgency(NULL) == 0);
    CHECK(kvl_request_time_left_ms(NULL) == KVL_FOREVER && kvl_request_user_data(NULL) == NULL);
    CHECK(kvl_request_is_cancelled(NULL) == 0 && kvl_request_is_wanted(NULL, 0) == 0);
    STATUS(kvl_request_heartbeat(NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_resolve(NULL, 0, kvl_value_null(), NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_resolve(NULL, 0, kvl_value_null(), TERMS(0, 0, 0)), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_resolve_bytes(NULL, 0, KEY("v"), NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_fail(NULL, 0, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_fail_text(NULL, 0, 0, NULL, 0), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_supply(NULL, KEY("k"), kvl_value_null(), TERMS(0, 0, 0)), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_supply_bytes(NULL, KEY("k"), KEY("v"), NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_finish(NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_finish_nulls(NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_finish_error(NULL, NULL), KVL_ERR_NULL_POINTER);
    CHECK(kvl_request_retain(NULL) == NULL);
    kvl_request_release(NULL);
}

static void l09_long_keys_and_missing_outputs_are_rejected(void)
{
    static uint8_t too_long[KVL_KEY_MAX + 1];
    struct fixture fixture;
    struct recorder recorder;
    kvl_request_t *request;
    const uint8_t *key = too_long;
    size_t len = 7;
    int object = 0;

    create_engine(&fixture, fixture_init(&fixture));
    request = fetch_held(&recorder, &fixture);
    STATUS(kvl_request_supply_bytes(request, too_long, sizeof too_long, KEY("v"), NULL), KVL_ERR_KEY_TOO_LONG);
    STATUS(kvl_request_supply(request, too_long, sizeof too_long, kvl_value_null(), TERMS(0, 0, 0)), KVL_ERR_KEY_TOO_LONG);
    STATUS(kvl_request_key(request, 0, NULL, &len), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_key(request, 0, &key, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_key(request, 9, &key, &len), KVL_ERR_OUT_OF_RANGE);
    CHECK(key == too_long && len == 7);
    STATUS(kvl_request_resolve_object(NULL, 0, &object, 1, count_object_free, NULL), KVL_ERR_NULL_POINTER);
    CHECK(object == 1);
    answer(request, "v");
    wait_for_free(&recorder);
    free_engine(&fixture);
}

int main(void)
{
    silence_unused_warnings();
    a_request_returns_its_keys();
    f15_every_kind_of_answer_is_delivered();
    f16_each_way_to_finish_settles_the_open_keys();
    f10_an_answer_after_the_timeout_is_late();
    f16a_a_provider_that_gives_up_makes_no_unwanted_key_absent();
    f11_a_failed_key_is_retried();
    l04_f09_a_cancel_hook_runs_once();
    l09_null_is_refused_or_ignored();
    l09_long_keys_and_missing_outputs_are_rejected();
    DONE();
}
