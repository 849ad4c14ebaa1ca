/* Requests: what a provider is asked, and all that it may say (rules F10, F15, F16, F20, L04, L05).
 * Not reached here: KVL_ERR_NO_MEMORY, KVL_ERR_PANIC; KVL_ERR_FORKED is reached in tasks.c. */
#define _POSIX_C_SOURCE 200809L
#include "engine.h"

static int keys_cost;

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
    keys_cost++;
    return 1;
}

static void what_it_shows(void)
{
    static const kvl_slice_t keys[] = { SLICE("hold"), SLICE(""), SLICE("other") };
    struct world world;
    struct heard heard;
    kvl_config_t *config = prepare(&world);
    kvl_request_t *request;
    const kvl_slice_t *slices;
    const uint8_t *key = NULL;
    size_t i, len = 0;

    STATUS(kvl_config_set_int(config, "batch.max_keys", 20), KVL_OK);
    STATUS(kvl_config_set_int(config, "attempt_timeout_ms", 100), KVL_OK);
    begin(&world, config);
    listen(&heard, &world);
    STATUS(kvl_tasks_fetch_all(world.tasks, keys, 3, NULL, NULL, hear_all, &heard, heard_ends, NULL), KVL_PENDING);
    request = next_request(&world);
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
    CHECK(kvl_request_user_data(request) == &world && kvl_request_urgency(request) == 0);
    CHECK(kvl_request_is_cancelled(request) == KVL_CANCEL_NO);
    CHECK(kvl_request_time_left_ms(request) == 100);
    STATUS(kvl_clock_advance(world.clock, 60), KVL_OK);
    CHECK(kvl_request_time_left_ms(request) == 40);
    STATUS(kvl_request_heartbeat(request), KVL_OK);
    CHECK(kvl_request_time_left_ms(request) == 100);
    STATUS(kvl_request_finish_nulls(request), KVL_OK);
    CHECK(kvl_request_time_left_ms(request) == KVL_FOREVER && kvl_request_is_wanted(request, 0) == 0);
    STATUS(kvl_request_heartbeat(request), KVL_ERR_ALREADY_ANSWERED);
    kvl_request_release(request);
    ends(&heard);
    CHECK(kvl_results_count(heard.results, KVL_COUNT_NULLS) == 3);
    let_go(&heard);
    end(&world);
}

/* one fetch whose request is held */
static kvl_request_t *held(struct heard *heard, struct world *world)
{
    ask(heard, world, "hold", NULL, NULL);
    return next_request(world);
}

static void object_ends(void *object)
{
    /* On the thread that drops the last reference: ours for what is refused, the dispatcher for what is told. */
    __atomic_add_fetch((int *)object, 1, __ATOMIC_RELAXED);
}

static void f15_every_kind_of_answer(void)
{
    struct world world;
    struct heard heard;
    kvl_config_t *config = prepare(&world);
    kvl_options_t *no_store = option("read", "no_store");
    kvl_request_t *request;
    kvl_value_t *value = NULL;
    kvl_error_t *error = NULL;
    int object = 0;

    STATUS(kvl_config_set_validator(config, is_not_bad, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set_cost(config, cost_is_one, NULL, NULL), KVL_OK);
    begin(&world, config);

    request = held(&heard, &world);
    STATUS(kvl_value_new_bytes(KEY("v"), &value), KVL_OK);
    STATUS(kvl_request_resolve(request, 1, value, NULL), KVL_ERR_OUT_OF_RANGE);
    STATUS(kvl_request_resolve(request, 0, NULL, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_resolve(request, 0, value, TERMS(-3, 0, 1)), KVL_ERR_BAD_VALUE);
    STATUS(kvl_request_resolve(request, 0, value, TERMS(0, 0.0 / 0.0, 1)), KVL_ERR_BAD_VALUE);
    STATUS(kvl_request_resolve(request, 0, value, TERMS(0, 0, -2)), KVL_ERR_BAD_VALUE);
    STATUS(kvl_request_resolve(request, 1, value, TERMS(0, 0, 1)), KVL_ERR_OUT_OF_RANGE);
    STATUS(kvl_request_resolve(request, 0, NULL, TERMS(0, 0, 1)), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_resolve(request, 0, value, TERMS(30, 2, 5)), KVL_OK);
    CHECK(wait_for(&world, &heard.ended, 1)); /* before the finish */
    CHECK(heard.status == KVL_VALUE && heard.ttl_left_ms == 30 && heard.attempts == 1);
    TEXT(heard.text, "v");
    STATUS(kvl_request_resolve(request, 0, value, TERMS(30, 2, 5)), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_resolve(request, 0, value, NULL), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_resolve_bytes(request, 0, KEY("w"), NULL), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_fail(request, 0, NULL), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_fail_text(request, 0, 1, "no", 0), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_supply(request, KEY("hold"), value, NULL),
           KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_supply_bytes(request, KEY("hold"), KEY("w"), NULL), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_resolve_object(request, 0, &object, 1, object_ends, NULL), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_resolve_object(request, 1, &object, 1, object_ends, NULL), KVL_ERR_OUT_OF_RANGE);
    STATUS(kvl_request_finish(request), KVL_OK);
    STATUS(kvl_request_finish(request), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_finish_nulls(request), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_request_finish_error(request, NULL), KVL_ERR_ALREADY_ANSWERED);
    kvl_request_release(request);
    STATUS(kvl_clock_advance(world.clock, 30), KVL_OK);

    request = held(&heard, &world);
    CHECK(kvl_request_retain(request) == request);
    kvl_request_release(request);
    STATUS(kvl_request_resolve_bytes(request, 1, KEY("v"), NULL), KVL_ERR_OUT_OF_RANGE);
    STATUS(kvl_request_resolve_bytes(request, 0, NULL, 1, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_fail(request, 1, NULL), KVL_ERR_OUT_OF_RANGE);
    STATUS(kvl_request_fail_text(request, 1, 1, "no", 0), KVL_ERR_OUT_OF_RANGE);
    STATUS(kvl_request_fail_text(request, 0, 1, "no", 99), KVL_ERR_INVALID_ARG);
    STATUS(kvl_error_new(-5, "boom", 4, 0, &error), KVL_OK);
    STATUS(kvl_request_fail(request, 0, error), KVL_OK);
    ends(&heard);
    CHECK(heard.error == error && heard.status == KVL_ERR_PROVIDER);
    kvl_error_release(error);
    let_go(&heard);
    kvl_request_release(request);

    request = held(&heard, &world);
    STATUS(kvl_request_fail(request, 0, NULL), KVL_OK);
    ends(&heard);
    CHECK(heard.status == KVL_ERR_PROVIDER && kvl_error_code(heard.error) == 0);
    let_go(&heard);
    kvl_request_release(request);

    request = held(&heard, &world);
    STATUS(kvl_request_fail_text(request, 0, 9, NULL, KVL_ERROR_F_PERMANENT), KVL_OK);
    ends(&heard);
    CHECK(kvl_error_code(heard.error) == 9 && kvl_error_is_permanent(heard.error) == 1);
    TEXT(kvl_error_message(heard.error), "");
    let_go(&heard);
    kvl_request_release(request);

    ask(&heard, &world, "hold", no_store, NULL);
    request = next_request(&world);
    STATUS(kvl_request_resolve_object(request, 0, NULL, 1, object_ends, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_resolve_object(request, 0, &object, 1, object_ends, NULL), KVL_OK);
    ends(&heard);
    CHECK(heard.object == &object && heard.ttl_left_ms == 0);
    kvl_request_release(request);

    request = held(&heard, &world);
    STATUS(kvl_request_supply_bytes(request, KEY("bad"), KEY("v"), NULL), KVL_INVALID_KEY);
    STATUS(kvl_request_supply(request, KEY("bad"), value, NULL), KVL_INVALID_KEY);
    STATUS(kvl_request_supply(request, KEY("extra"), value, TERMS(-9, 0, 1)), KVL_ERR_BAD_VALUE);
    STATUS(kvl_request_supply(request, KEY("extra"), NULL, TERMS(KVL_TTL_NEVER, 0, 1)), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_supply(request, NULL, 1, value, TERMS(KVL_TTL_NEVER, 0, 1)), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_supply(request, KEY("extra"), value, TERMS(KVL_TTL_NEVER, 0, 1)), KVL_OK);
    STATUS(kvl_request_supply_bytes(request, KEY("extra"), KEY("v"), NULL), KVL_LATE); /* it was loaded since */
    STATUS(kvl_request_supply_bytes(request, KEY("hold"), KEY("by key"), NULL), KVL_OK);
    ends(&heard);
    TEXT(heard.text, "by key");
    kvl_request_release(request);

    kvl_value_release(value);
    kvl_options_free(no_store);
    end(&world);
    CHECK(object == 3); /* two refused, one delivered and not stored */
    CHECK(keys_cost > 0);
}

static void f16_ways_to_finish(void)
{
    struct world world;
    struct heard heard;
    kvl_request_t *request;
    kvl_error_t *error = NULL;

    begin(&world, prepare(&world));

    kvl_request_release(held(&heard, &world)); /* the last release finishes */
    ends(&heard);
    STATUS(heard.status, KVL_ERR_UNANSWERED);
    let_go(&heard);

    request = held(&heard, &world);
    STATUS(kvl_request_finish(request), KVL_OK);
    ends(&heard);
    STATUS(heard.status, KVL_ERR_UNANSWERED);
    let_go(&heard);
    kvl_request_release(request);

    request = held(&heard, &world);
    STATUS(kvl_error_new(3, "down", 4, 0, &error), KVL_OK);
    STATUS(kvl_request_finish_error(request, error), KVL_OK);
    ends(&heard);
    CHECK(heard.error == error);
    let_go(&heard);
    kvl_error_release(error);
    kvl_request_release(request);

    request = held(&heard, &world);
    STATUS(kvl_request_finish_error(request, NULL), KVL_OK);
    ends(&heard);
    STATUS(heard.status, KVL_ERR_PROVIDER);
    let_go(&heard);
    kvl_request_release(request);

    request = held(&heard, &world);
    STATUS(kvl_request_finish_nulls(request), KVL_OK);
    ends(&heard);
    STATUS(heard.status, KVL_NULL);
    kvl_request_release(request);
    end(&world);
}

static void f10_after_its_time(void)
{
    struct world world;
    struct heard heard;
    kvl_config_t *config = prepare(&world);
    kvl_request_t *first, *second;
    kvl_value_t *value = NULL;
    int object = 0;

    STATUS(kvl_config_set_int(config, "attempt_timeout_ms", 100), KVL_OK);
    STATUS(kvl_config_set_int(config, "batch.max_keys", 20), KVL_OK);
    begin(&world, config);
    {
        static const kvl_slice_t keys[] = { SLICE("hold"), SLICE("b"), SLICE("c"), SLICE("d"), SLICE("e"), SLICE("f"), SLICE("g") };
        listen(&heard, &world);
        STATUS(kvl_tasks_fetch_all(world.tasks, keys, COUNT(keys), NULL, NULL, hear_all, &heard, heard_ends, NULL), KVL_PENDING);
        first = next_request(&world);
        STATUS(kvl_clock_advance(world.clock, 100), KVL_OK);
        ends(&heard);
        CHECK(kvl_results_count_status(heard.results, KVL_ERR_TIMEOUT) == COUNT(keys));
        let_go(&heard);
    }
    CHECK(kvl_request_is_cancelled(first) == KVL_CANCEL_TIMEOUT && kvl_request_time_left_ms(first) == 0);
    STATUS(kvl_value_new_bytes(KEY("v"), &value), KVL_OK);
    STATUS(kvl_request_heartbeat(first), KVL_LATE);
    STATUS(kvl_request_resolve(first, 0, value, NULL), KVL_LATE);
    STATUS(kvl_request_resolve(first, 1, value, TERMS(KVL_TTL_NEVER, 0, 1)), KVL_LATE);
    STATUS(kvl_request_resolve_bytes(first, 2, KEY("v"), NULL), KVL_LATE);
    STATUS(kvl_request_resolve_object(first, 3, &object, 1, object_ends, NULL), KVL_LATE);
    STATUS(kvl_request_fail(first, 4, NULL), KVL_LATE);
    STATUS(kvl_request_fail_text(first, 5, 1, "no", 0), KVL_LATE);
    STATUS(kvl_request_supply(first, KEY("g"), value, TERMS(KVL_TTL_NEVER, 0, 1)), KVL_LATE);
    STATUS(kvl_request_heartbeat(first), KVL_LATE); /* still so when the keys are answered */
    ask(&heard, &world, "b", NULL, NULL);
    ends(&heard);
    CHECK(heard.status == KVL_VALUE && heard.source == KVL_SOURCE_STORE); /* a late value is stored */

    ask(&heard, &world, "hold too", NULL, NULL);
    second = next_request(&world);
    STATUS(kvl_tasks_close(world.tasks, KVL_CLOSE_CANCEL, 0, NULL, NULL, NULL), KVL_OK);
    ends(&heard);
    STATUS(heard.status, KVL_ERR_CLOSED);
    let_go(&heard);
    CHECK(kvl_request_is_cancelled(second) == KVL_CANCEL_CLOSED && kvl_request_is_cancelled(first) == KVL_CANCEL_TIMEOUT);
    STATUS(kvl_tasks_free(world.tasks), KVL_OK);
    /* valid, though deaf, after the engine is gone */
    CHECK(kvl_request_len(second) == 1 && kvl_request_attempt(second, 0) == 1);
    STATUS(kvl_request_heartbeat(second), KVL_ERR_CLOSED);
    STATUS(kvl_request_resolve(second, 0, value, NULL), KVL_ERR_CLOSED);
    STATUS(kvl_request_resolve(second, 0, value, TERMS(KVL_TTL_NEVER, 0, 1)), KVL_ERR_CLOSED);
    STATUS(kvl_request_resolve_bytes(second, 0, KEY("v"), NULL), KVL_ERR_CLOSED);
    STATUS(kvl_request_resolve_object(second, 0, &object, 1, object_ends, NULL), KVL_ERR_CLOSED);
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
    CHECK(wait_for(&world, &world.ended, 1));
    forget(&world);
}

/* what the cache knows of a key */
static kvl_status_t known(struct world *world, const char *key)
{
    kvl_cache_t *cache = NULL;
    kvl_status_t status;

    STATUS(kvl_tasks_cache(world->tasks, &cache), KVL_OK);
    status = kvl_cache_contains(cache, KEY(key));
    kvl_cache_release(cache);
    return status;
}

/* A provider that gives up finishes, one way or another. Nothing becomes absent by it but a key that somebody waits for. */
static void f16a_who_gives_up_says_nothing(void)
{
    kvl_status_t (*finishes[])(kvl_request_t *) = { kvl_request_finish, kvl_request_finish_nulls };
    struct world world;
    struct heard heard;
    kvl_config_t *config = prepare(&world);
    kvl_request_t *request;
    kvl_fetch_t *fetch;
    size_t i;

    STATUS(kvl_config_set(config, "batch.omitted_is_null", "true"), KVL_OK);
    STATUS(kvl_config_set_int(config, "attempt_timeout_ms", 100), KVL_OK);
    begin(&world, config);
    for (i = 0; i <= COUNT(finishes); i++) {
        const char *keys[] = { "hold cancelled", "hold late" };
        size_t which;
        for (which = 0; which < COUNT(keys); which++) {
            STATUS(kvl_fetch_new(&fetch), KVL_OK);
            ask(&heard, &world, keys[which], NULL, fetch);
            request = next_request(&world);
            STATUS(which == 0 ? kvl_fetch_cancel(fetch) : kvl_clock_advance(world.clock, 100), KVL_OK);
            CHECK(kvl_request_is_cancelled(request) == (which == 0 ? KVL_CANCEL_UNWANTED : KVL_CANCEL_TIMEOUT));
            if (i < COUNT(finishes)) /* else by its release */
                STATUS(finishes[i](request), KVL_OK);
            kvl_request_release(request);
            ends(&heard);
            STATUS(heard.status, which == 0 ? KVL_ERR_CANCELLED : KVL_ERR_TIMEOUT);
            STATUS(known(&world, keys[which]), KVL_MISS);
            let_go(&heard);
            kvl_fetch_release(fetch);
        }
    }
    request = held(&heard, &world);
    kvl_request_release(request);
    ends(&heard);
    STATUS(heard.status, KVL_NULL); /* somebody waited */
    end(&world);
}

static void f11_a_failed_key_is_tried_again(void)
{
    struct world world;
    struct heard heard;
    kvl_config_t *config = prepare(&world);
    kvl_request_t *request;

    STATUS(kvl_config_set_int(config, "retry.count", 1), KVL_OK);
    STATUS(kvl_config_set_int(config, "retry.fixed_ms", 0), KVL_OK);
    begin(&world, config);
    request = held(&heard, &world);
    STATUS(kvl_request_fail_text(request, 0, 1, "again", 0), KVL_OK);
    kvl_request_release(request);
    request = next_request(&world);
    CHECK(kvl_request_attempt(request, 0) == 2);
    answer(request, "v");
    ends(&heard);
    CHECK(heard.status == KVL_VALUE && heard.attempts == 2);
    end(&world);
}

struct hook {
    struct world *world;
    kvl_request_t *holds; /* released when it has run or never will */
    int times, ended;
    uint32_t reason;
};

static void hook_runs(void *user_data, kvl_request_t *request, uint32_t reason)
{
    struct hook *hook = user_data;
    CHECK(kvl_request_len(request) == 1 && kvl_request_is_cancelled(request) == reason);
    hook->times++;
    hook->reason = reason;
}

static void hook_ends(void *user_data)
{
    struct hook *hook = user_data;
    kvl_request_release(hook->holds);
    pthread_mutex_lock(&hook->world->lock);
    hook->ended++;
    pthread_cond_broadcast(&hook->world->news);
    pthread_mutex_unlock(&hook->world->lock);
}

static void l04_f09_cancel_hooks(void)
{
    struct world world;
    struct heard heard;
    struct hook hook = { &world, NULL, 0, 0, 0 }, refused = { &world, NULL, 0, 0, 0 };
    kvl_fetch_t *fetch = NULL;
    kvl_request_t *request;

    begin(&world, prepare(&world));
    STATUS(kvl_request_on_cancel(NULL, hook_runs, &refused, hook_ends), KVL_ERR_NULL_POINTER);
    CHECK(refused.ended == 1);

    /* it runs once, and may be the last to hold its request */
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    ask(&heard, &world, "hold", NULL, fetch);
    request = next_request(&world);
    STATUS(kvl_request_on_cancel(request, NULL, &refused, hook_ends), KVL_ERR_NO_CALLBACK);
    CHECK(refused.ended == 2);
    hook.holds = kvl_request_retain(request);
    STATUS(kvl_request_on_cancel(request, hook_runs, &hook, hook_ends), KVL_OK);
    STATUS(kvl_request_on_cancel(request, hook_runs, &refused, hook_ends), KVL_ERR_ALREADY_USED);
    CHECK(refused.ended == 3);
    kvl_request_release(request);
    STATUS(kvl_fetch_cancel(fetch), KVL_OK);
    CHECK(wait_for(&world, &hook.ended, 1));
    CHECK(hook.times == 1 && hook.reason == KVL_CANCEL_UNWANTED);
    kvl_fetch_release(fetch);
    ends(&heard);
    let_go(&heard);

    /* one that comes after the cancel is refused */
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    ask(&heard, &world, "hold", NULL, fetch);
    request = next_request(&world);
    STATUS(kvl_fetch_cancel(fetch), KVL_OK);
    STATUS(kvl_request_on_cancel(request, hook_runs, &refused, hook_ends), KVL_ERR_CANCELLED);
    CHECK(refused.ended == 4 && refused.times == 0);
    kvl_request_release(request);
    kvl_fetch_release(fetch);
    ends(&heard);
    let_go(&heard);

    /* the finish ends it, though it holds its request */
    request = held(&heard, &world);
    memset(&hook, 0, sizeof hook);
    hook.world = &world;
    hook.holds = kvl_request_retain(request);
    STATUS(kvl_request_on_cancel(request, hook_runs, &hook, hook_ends), KVL_OK);
    STATUS(kvl_request_resolve_bytes(request, 0, KEY("v"), NULL), KVL_OK);
    STATUS(kvl_request_finish(request), KVL_OK);
    CHECK(hook.ended == 1 && hook.times == 0);
    STATUS(kvl_request_on_cancel(request, hook_runs, &refused, hook_ends), KVL_ERR_CLOSED);
    CHECK(refused.ended == 5);
    kvl_request_release(request);
    ends(&heard);
    end(&world);
}

static void l09_null(void)
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

static void l09_long_keys_and_missing_outputs(void)
{
    static uint8_t longest[KVL_KEY_MAX + 1];
    struct world world;
    struct heard heard;
    kvl_request_t *request;
    const uint8_t *key = longest;
    size_t len = 7;
    int object = 0;

    begin(&world, prepare(&world));
    request = held(&heard, &world);
    STATUS(kvl_request_supply_bytes(request, longest, sizeof longest, KEY("v"), NULL), KVL_ERR_KEY_TOO_LONG);
    STATUS(kvl_request_supply(request, longest, sizeof longest, kvl_value_null(), TERMS(0, 0, 0)), KVL_ERR_KEY_TOO_LONG);
    STATUS(kvl_request_key(request, 0, NULL, &len), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_key(request, 0, &key, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_request_key(request, 9, &key, &len), KVL_ERR_OUT_OF_RANGE);
    CHECK(key == longest && len == 7);
    STATUS(kvl_request_resolve_object(NULL, 0, &object, 1, object_ends, NULL), KVL_ERR_NULL_POINTER);
    CHECK(object == 1);
    answer(request, "v");
    ends(&heard);
    end(&world);
}

int main(void)
{
    use_all();
    what_it_shows();
    f15_every_kind_of_answer();
    f16_ways_to_finish();
    f10_after_its_time();
    f16a_who_gives_up_says_nothing();
    f11_a_failed_key_is_tried_again();
    l04_f09_cancel_hooks();
    l09_null();
    l09_long_keys_and_missing_outputs();
    DONE();
}
