/* Engines: made, asked in every form, and ended from everywhere (rules F01 to F05, F19 to F21, S12, L01, L02, L04 to L06, L09).
 * Not reached here: KVL_ERR_NO_MEMORY, KVL_ERR_NO_THREAD, KVL_ERR_PANIC. */
#define _POSIX_C_SOURCE 200809L
#include "../system.h"
#include "engine.h"
#ifndef _WIN32
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

static void l09_what_a_new_engine_needs(void)
{
    struct world world;
    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;
    kvl_error_t *error = NULL;
    kvl_runtime_t *runtime = NULL;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_tasks_new(config, &tasks, &error), KVL_ERR_NO_PROVIDER);
    CHECK(tasks == NULL && error == NULL);
    STATUS(kvl_config_set_provider(config, NULL, NULL, NULL), KVL_OK);
    STATUS(kvl_tasks_new(config, &tasks, NULL), KVL_ERR_NO_CALLBACK);
    kvl_config_free(config);

    config = prepare(&world);
    STATUS(kvl_tasks_new(NULL, &tasks, &error), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_new(config, NULL, &error), KVL_ERR_NULL_POINTER);
    STATUS(kvl_runtime_new(&runtime), KVL_OK);
    STATUS(kvl_config_set_runtime(config, runtime), KVL_OK);
    STATUS(kvl_runtime_free(runtime), KVL_OK);
    STATUS(kvl_tasks_new(config, &tasks, &error), KVL_ERR_INVALID_HANDLE);
    CHECK(tasks == NULL && error == NULL);
    STATUS(kvl_config_set_runtime(config, NULL), KVL_OK);
    STATUS(kvl_config_set(config, "tasks.max_runing", "1"), KVL_ERR_UNKNOWN_KEY);
    STATUS(kvl_tasks_new(config, &tasks, &error), KVL_ERR_BAD_VALUE);
    CHECK(tasks == NULL);
    STATUS(kvl_error_status(error), KVL_ERR_BAD_VALUE);
    CHECK(strstr(kvl_error_message(error), "tasks.max_running") != NULL);
    kvl_error_release(error);
    STATUS(kvl_tasks_new(config, &tasks, NULL), KVL_ERR_BAD_VALUE);
    kvl_config_free(config);
    CHECK(world.ended == 1);
    forget(&world);
}

static uint32_t is_not_bad(void *user_data, const uint8_t *key, size_t key_len)
{
    (void)user_data;
    return !(key_len == 3 && memcmp(key, "bad", 3) == 0);
}

static void f01_f02_one_key(void)
{
    struct world world;
    struct heard heard;
    kvl_config_t *config = prepare(&world);
    kvl_value_t *value = NULL;

    STATUS(kvl_config_set_validator(config, is_not_bad, NULL, NULL), KVL_OK);
    begin(&world, config);
    STATUS(kvl_tasks_get(world.tasks, KEY("k"), &value), KVL_MISS);

    /* loaded: told by an event */
    listen(&heard, &world);
    STATUS(kvl_tasks_fetch(world.tasks, KEY("k"), NULL, NULL, hear, &heard, heard_ends, &value), KVL_PENDING);
    CHECK(value == NULL);
    ends(&heard);
    CHECK(heard.times == 1 && heard.status == KVL_VALUE && heard.source == KVL_SOURCE_PROVIDER && heard.flags == KVL_F_LAST);
    CHECK(heard.ttl_left_ms == KVL_TTL_NEVER && !pthread_equal(heard.thread, pthread_self()));
    TEXT(heard.text, "k");

    /* resident: answered by the call, whose user data ended in it */
    listen(&heard, &world);
    STATUS(kvl_tasks_fetch(world.tasks, KEY("k"), NULL, NULL, hear, &heard, heard_ends, &value), KVL_VALUE);
    CHECK(heard.times == 0 && heard.ended == 1);
    CHECK(kvl_value_data(value, NULL)[0] == 'k');
    kvl_value_release(value);
    STATUS(kvl_tasks_fetch(world.tasks, KEY("bad"), NULL, NULL, hear, &heard, heard_ends, &value), KVL_INVALID_KEY);
    CHECK(value == NULL && heard.ended == 2);
    STATUS(kvl_tasks_get(world.tasks, KEY("k"), &value), KVL_VALUE);
    kvl_value_release(value);
    STATUS(kvl_tasks_get(world.tasks, KEY("bad"), &value), KVL_INVALID_KEY);

    /* resident, but told by an event all the same, if the call has nowhere to put it */
    ask(&heard, &world, "k", NULL, NULL);
    ends(&heard);
    CHECK(heard.source == KVL_SOURCE_STORE);
    ask(&heard, &world, "null", NULL, NULL);
    ends(&heard);
    STATUS(heard.status, KVL_NULL);
    STATUS(kvl_tasks_fetch(world.tasks, KEY("null"), NULL, NULL, hear, NULL, NULL, &value), KVL_NULL);
    STATUS(kvl_tasks_get(world.tasks, KEY("null"), &value), KVL_NULL);
    CHECK(value == NULL && world.calls == 2);
    end(&world);
}

static void f04_many_keys_one_by_one(void)
{
    static const kvl_slice_t keys[] = { SLICE("a"), SLICE("fail"), SLICE("a"), SLICE("null") };
    struct world world;
    struct heard heard;
    kvl_options_t *options = NULL;

    begin(&world, prepare(&world));
    STATUS(kvl_options_new(&options), KVL_OK);
    listen(&heard, &world);
    STATUS(kvl_tasks_fetch_each(world.tasks, keys, COUNT(keys), options, NULL, hear, &heard, heard_ends), KVL_PENDING);
    ends(&heard);
    CHECK(heard.times == 4 && heard.flags == KVL_F_LAST);
    let_go(&heard);
    listen(&heard, &world);
    STATUS(kvl_tasks_fetch_each(world.tasks, NULL, 0, options, NULL, hear, &heard, heard_ends), KVL_OK);
    CHECK(heard.times == 0 && heard.ended == 1);
    kvl_options_free(options);
    end(&world);
}

static void f03_progress(void)
{
    static const kvl_slice_t keys[] = { SLICE("a"), SLICE("fail"), SLICE("b"), SLICE("null"), SLICE("c") };
    struct world world;
    struct heard heard;
    kvl_options_t *options = NULL;

    begin(&world, prepare(&world));
    STATUS(kvl_options_new(&options), KVL_OK);
    STATUS(kvl_options_set_progress(options, hear_progress, 2), KVL_OK);
    listen(&heard, &world);
    STATUS(kvl_tasks_fetch_all(world.tasks, keys, COUNT(keys), options, NULL, hear_all, &heard, heard_ends, NULL), KVL_PENDING);
    kvl_options_free(options);
    ends(&heard);
    CHECK(heard.progress >= 1 && heard.done == 5 && heard.failed == 1 && heard.total == 5);
    let_go(&heard);
    end(&world);
}

static void f21_blocking_forms(void)
{
    static const kvl_slice_t keys[] = { SLICE("a"), SLICE("fail") };
    static uint8_t longest[KVL_KEY_MAX + 1];
    struct world world;
    kvl_config_t *config = prepare(&world);
    kvl_options_t *cache_only = option("read", "cache_only"), *hurried = option("timeout_ms", "500"), *bad = NULL;
    kvl_fetch_t *fetch = NULL;
    kvl_results_t *results = NULL;
    kvl_value_t *value = NULL;
    kvl_error_t *error = NULL;
    kvl_tasks_t *tasks;

    STATUS(kvl_config_set_validator(config, is_not_bad, NULL, NULL), KVL_OK);
    begin(&world, config);
    tasks = world.tasks;
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("k"), cache_only, NULL, &value, &error), KVL_MISS);
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("k"), NULL, NULL, &value, &error), KVL_VALUE);
    CHECK(value != NULL && error == NULL);
    kvl_value_release(value);
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("k"), cache_only, NULL, &value, NULL), KVL_VALUE);
    kvl_value_release(value);
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("null"), NULL, NULL, &value, &error), KVL_NULL);
    CHECK(value == NULL);
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("bad"), NULL, NULL, &value, &error), KVL_INVALID_KEY);
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("fail"), NULL, NULL, &value, &error), KVL_ERR_PROVIDER);
    CHECK(value == NULL && kvl_error_code(error) == 7);
    kvl_error_release(error);
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("fail"), NULL, NULL, &value, NULL), KVL_ERR_PROVIDER);
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("nothing"), NULL, NULL, &value, NULL), KVL_ERR_UNANSWERED);
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("late"), hurried, NULL, &value, &error), KVL_ERR_TIMEOUT);
    STATUS(kvl_error_status(error), KVL_ERR_TIMEOUT);
    kvl_error_release(error);

    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    world.cancel = fetch;
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("cancel"), NULL, fetch, &value, NULL), KVL_ERR_CANCELLED);
    STATUS(kvl_fetch_wait(fetch, KVL_FOREVER), KVL_OK);
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("k"), NULL, fetch, &value, NULL), KVL_ERR_ALREADY_USED);
    STATUS(kvl_tasks_fetch_all_wait(tasks, keys, 2, NULL, fetch, &results), KVL_ERR_ALREADY_USED);
    kvl_fetch_release(fetch);
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    STATUS(kvl_fetch_cancel(fetch), KVL_OK);
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("k"), NULL, fetch, &value, NULL), KVL_ERR_CANCELLED);
    STATUS(kvl_tasks_fetch_all_wait(tasks, keys, 2, NULL, fetch, &results), KVL_ERR_CANCELLED);
    kvl_fetch_release(fetch);

    STATUS(kvl_options_new(&bad), KVL_OK);
    STATUS(kvl_options_set(bad, "read", "backwards"), KVL_ERR_BAD_VALUE);
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("k"), bad, NULL, &value, NULL), KVL_ERR_BAD_VALUE);
    STATUS(kvl_tasks_fetch_all_wait(tasks, keys, 2, bad, NULL, &results), KVL_ERR_BAD_VALUE);
    STATUS(kvl_tasks_fetch_wait(tasks, longest, sizeof longest, NULL, NULL, &value, NULL), KVL_ERR_KEY_TOO_LONG);
    STATUS(kvl_tasks_fetch_wait(tasks, NULL, 1, NULL, NULL, &value, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_fetch_wait(NULL, KEY("k"), NULL, NULL, &value, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("k"), NULL, NULL, NULL, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_fetch_all_wait(tasks, keys, 2, NULL, NULL, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_fetch_all_wait(tasks, NULL, 2, NULL, NULL, &results), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_fetch_all_wait(tasks, keys, SIZE_MAX, NULL, NULL, &results), KVL_ERR_INVALID_ARG);

    STATUS(kvl_tasks_fetch_all_wait(tasks, keys, 1, NULL, NULL, &results), KVL_OK);
    CHECK(kvl_results_len(results) == 1 && kvl_results_at(results, 0)->status == KVL_VALUE);
    kvl_results_release(results);
    STATUS(kvl_tasks_fetch_all_wait(tasks, keys, 0, NULL, NULL, &results), KVL_OK);
    CHECK(kvl_results_len(results) == 0);
    kvl_results_release(results);
    STATUS(kvl_tasks_close(tasks, KVL_CLOSE_CANCEL, 0, NULL, NULL, NULL), KVL_OK);
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("k"), NULL, NULL, &value, &error), KVL_ERR_CLOSED);
    STATUS(kvl_tasks_fetch_all_wait(tasks, keys, 2, NULL, NULL, &results), KVL_ERR_CLOSED);
    CHECK(value == NULL && results == NULL && error == NULL);
    kvl_options_free(bad);
    kvl_options_free(cache_only);
    kvl_options_free(hurried);
    end(&world);
}

static void f13_what_finds_no_place_is_lost(void)
{
    struct world world;
    struct heard busy;
    kvl_config_t *config = prepare(&world);
    kvl_value_t *value = NULL;

    STATUS(kvl_config_set_int(config, "tasks.max_running", 1), KVL_OK);
    STATUS(kvl_config_set_int(config, "queue.max_keys", 0), KVL_OK);
    begin(&world, config);
    ask(&busy, &world, "hold", NULL, NULL);
    STATUS(kvl_tasks_fetch_wait(world.tasks, KEY("lost"), NULL, NULL, &value, NULL), KVL_ERR_QUEUE_FULL);
    answer(next_request(&world), "v");
    ends(&busy);
    end(&world);
}

static void f21_l02_an_engine_whose_provider_is_drained_does_not_block(void)
{
    static const kvl_slice_t keys[] = { SLICE("k") };
    struct world world;
    struct heard heard;
    kvl_config_t *config = prepare(&world);
    kvl_queue_t *queue = NULL;
    kvl_value_t *value = NULL;
    kvl_results_t *results = NULL;
    size_t ran = 0;

    STATUS(kvl_queue_new(0, &queue), KVL_OK);
    STATUS(kvl_config_set_queue(config, queue, KVL_QUEUE_F_ALL), KVL_OK);
    begin(&world, config);
    STATUS(kvl_tasks_fetch_wait(world.tasks, KEY("k"), NULL, NULL, &value, NULL), KVL_ERR_UNSUPPORTED);
    STATUS(kvl_tasks_fetch_all_wait(world.tasks, keys, 1, NULL, NULL, &results), KVL_ERR_UNSUPPORTED);
    ask(&heard, &world, "k", NULL, NULL);
    while (heard.ended == 0)
        STATUS(kvl_queue_poll(queue, 10, KVL_FOREVER, &ran), KVL_OK);
    CHECK(heard.status == KVL_VALUE && pthread_equal(heard.thread, pthread_self()));
    STATUS(kvl_queue_free(queue), KVL_ERR_BUSY);
    STATUS(kvl_tasks_free(world.tasks), KVL_OK);
    STATUS(kvl_queue_free(queue), KVL_OK); /* with the news of the end inside */
    CHECK(world.ended == 1);
    forget(&world);
}

static void leave_it(void *object)
{
    (void)object;
}

static void l02_an_event_loop_waits_for_the_queue(void)
{
    kvl_queue_t *queue = NULL;
    kvl_value_t *value = NULL;
    int32_t descriptor = -7;
    void *handle = &descriptor;
    size_t ran;
    int object;

    STATUS(kvl_queue_new(0, &queue), KVL_OK);
    /* the one or the other, by system; what is not there leaves the place as it was */
#ifdef _WIN32
    STATUS(kvl_queue_fd(queue, &descriptor), KVL_ERR_NO_FD);
    CHECK(descriptor == -7);
    STATUS(kvl_queue_handle(queue, &handle), KVL_OK);
    CHECK(handle != NULL && handle != &descriptor);
#else
    STATUS(kvl_queue_handle(queue, &handle), KVL_ERR_NO_FD);
    CHECK(handle == &descriptor);
    STATUS(kvl_queue_fd(queue, &descriptor), KVL_OK);
    CHECK(descriptor >= 0);
#endif
    STATUS(kvl_queue_handle(queue, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_queue_handle(NULL, &handle), KVL_ERR_NULL_POINTER);

    CHECK(wait_for_queue(queue, 0) == 0);
    STATUS(kvl_value_new_object_on(queue, &object, 1, leave_it, &value), KVL_OK);
    kvl_value_release(value);
    CHECK(wait_for_queue(queue, 60000) == 1);
    STATUS(kvl_queue_poll(queue, 8, 0, &ran), KVL_OK);
    CHECK(ran == 1 && wait_for_queue(queue, 0) == 0);
    STATUS(kvl_queue_free(queue), KVL_OK);
}

static void f19_refresh(void)
{
    static const kvl_slice_t keys[] = { SLICE("hold a"), SLICE("hold b") };
    struct world world;
    kvl_options_t *bad = NULL;
    kvl_value_t *value = NULL;

    begin(&world, prepare(&world));
    STATUS(kvl_tasks_refresh(world.tasks, keys, 2, NULL), KVL_OK);
    STATUS(kvl_tasks_refresh(world.tasks, NULL, 0, NULL), KVL_OK);
    answer(next_request(&world), "new");
    answer(next_request(&world), "new");
    STATUS(kvl_tasks_get(world.tasks, KEY("hold a"), &value), KVL_VALUE);
    kvl_value_release(value);
    STATUS(kvl_options_new(&bad), KVL_OK);
    STATUS(kvl_options_set_int(bad, "timeout_ms", -7), KVL_ERR_BAD_VALUE);
    STATUS(kvl_tasks_refresh(world.tasks, keys, 2, bad), KVL_ERR_BAD_VALUE);
    kvl_options_free(bad);
    STATUS(kvl_tasks_refresh(NULL, keys, 2, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_refresh(world.tasks, NULL, 2, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_refresh(world.tasks, keys, SIZE_MAX, NULL), KVL_ERR_INVALID_ARG);
    STATUS(kvl_tasks_close(world.tasks, KVL_CLOSE_DRAIN, KVL_FOREVER, NULL, NULL, NULL), KVL_OK);
    STATUS(kvl_tasks_refresh(world.tasks, keys, 2, NULL), KVL_ERR_CLOSED);
    end(&world);
}

static void l04_what_fails_ends_the_user_data_in_the_call(void)
{
    static const kvl_slice_t keys[] = { SLICE("k") }, null_inside[] = { { NULL, 3 } };
    static uint8_t longest[KVL_KEY_MAX + 1];
    struct world world;
    struct heard heard;
    kvl_options_t *bad = NULL;
    kvl_fetch_t *cancelled = NULL, *used = NULL;
    kvl_value_t *value = NULL;
    kvl_results_t *ready = NULL;
    kvl_tasks_t *tasks;
    int times = 0;

    begin(&world, prepare(&world));
    tasks = world.tasks;
    STATUS(kvl_fetch_new(&cancelled), KVL_OK);
    STATUS(kvl_fetch_cancel(cancelled), KVL_OK);
    STATUS(kvl_fetch_new(&used), KVL_OK);
    ask(&heard, &world, "first", NULL, used);
    ends(&heard);
    STATUS(kvl_options_new(&bad), KVL_OK);
    STATUS(kvl_options_set(bad, "no.such", "1"), KVL_ERR_UNKNOWN_KEY);

    listen(&heard, &world);
#define FAILS(call, status) do { STATUS(call, status); times++; CHECK(heard.ended == times && heard.times == 0); } while (0)
#define FETCH(tasks, key, len, options, fetch, fn) kvl_tasks_fetch(tasks, key, len, options, fetch, fn, &heard, heard_ends, &value)
    FAILS(FETCH(NULL, (const uint8_t *)"k", 1, NULL, NULL, hear), KVL_ERR_NULL_POINTER);
    FAILS(FETCH(tasks, NULL, 1, NULL, NULL, hear), KVL_ERR_NULL_POINTER);
    FAILS(FETCH(tasks, longest, sizeof longest, NULL, NULL, hear), KVL_ERR_KEY_TOO_LONG);
    FAILS(FETCH(tasks, (const uint8_t *)"k", 1, bad, NULL, hear), KVL_ERR_BAD_VALUE);
    FAILS(FETCH(tasks, (const uint8_t *)"k", 1, NULL, cancelled, hear), KVL_ERR_CANCELLED);
    FAILS(FETCH(tasks, (const uint8_t *)"k", 1, NULL, used, hear), KVL_ERR_ALREADY_USED);
    FAILS(FETCH(tasks, (const uint8_t *)"k", 1, NULL, NULL, NULL), KVL_ERR_NO_CALLBACK);
#define EACH(tasks, keys, n, options, fetch, fn) kvl_tasks_fetch_each(tasks, keys, n, options, fetch, fn, &heard, heard_ends)
    FAILS(EACH(NULL, keys, 1, NULL, NULL, hear), KVL_ERR_NULL_POINTER);
    FAILS(EACH(tasks, NULL, 1, NULL, NULL, hear), KVL_ERR_NULL_POINTER);
    FAILS(EACH(tasks, null_inside, 1, NULL, NULL, hear), KVL_ERR_NULL_POINTER);
    FAILS(EACH(tasks, keys, SIZE_MAX, NULL, NULL, hear), KVL_ERR_INVALID_ARG);
    FAILS(EACH(tasks, keys, 1, bad, NULL, hear), KVL_ERR_BAD_VALUE);
    FAILS(EACH(tasks, keys, 1, NULL, cancelled, hear), KVL_ERR_CANCELLED);
    FAILS(EACH(tasks, keys, 1, NULL, used, hear), KVL_ERR_ALREADY_USED);
    FAILS(EACH(tasks, keys, 1, NULL, NULL, NULL), KVL_ERR_NO_CALLBACK);
#define ALL(tasks, keys, n, options, fetch, fn) kvl_tasks_fetch_all(tasks, keys, n, options, fetch, fn, &heard, heard_ends, &ready)
    FAILS(ALL(NULL, keys, 1, NULL, NULL, hear_all), KVL_ERR_NULL_POINTER);
    FAILS(ALL(tasks, NULL, 1, NULL, NULL, hear_all), KVL_ERR_NULL_POINTER);
    FAILS(ALL(tasks, keys, SIZE_MAX, NULL, NULL, hear_all), KVL_ERR_INVALID_ARG);
    FAILS(ALL(tasks, keys, 1, bad, NULL, hear_all), KVL_ERR_BAD_VALUE);
    FAILS(ALL(tasks, keys, 1, NULL, cancelled, hear_all), KVL_ERR_CANCELLED);
    FAILS(ALL(tasks, keys, 1, NULL, used, hear_all), KVL_ERR_ALREADY_USED);
    FAILS(ALL(tasks, keys, 1, NULL, NULL, NULL), KVL_ERR_NO_CALLBACK);
    FAILS(kvl_tasks_close(NULL, KVL_CLOSE_CANCEL, 0, NULL, &heard, heard_ends), KVL_ERR_NULL_POINTER);
    FAILS(kvl_tasks_close(tasks, 9, 0, NULL, &heard, heard_ends), KVL_ERR_INVALID_ARG);
    FAILS(kvl_tasks_close(tasks, KVL_CLOSE_DRAIN, -2, NULL, &heard, heard_ends), KVL_ERR_INVALID_ARG);
    FAILS(kvl_tasks_close(tasks, KVL_CLOSE_CANCEL, 0, NULL, &heard, heard_ends), KVL_OK);
    FAILS(FETCH(tasks, (const uint8_t *)"k", 1, NULL, NULL, hear), KVL_ERR_CLOSED);
    FAILS(EACH(tasks, keys, 1, NULL, NULL, hear), KVL_ERR_CLOSED);
    FAILS(ALL(tasks, keys, 1, NULL, NULL, hear_all), KVL_ERR_CLOSED);
    STATUS(kvl_tasks_get(tasks, KEY("k"), &value), KVL_ERR_CLOSED);
    STATUS(kvl_tasks_get(tasks, longest, sizeof longest, &value), KVL_ERR_KEY_TOO_LONG);
    STATUS(kvl_tasks_get(tasks, KEY("k"), NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_get(NULL, KEY("k"), &value), KVL_ERR_NULL_POINTER);
    CHECK(value == NULL && ready == NULL);
    kvl_options_free(bad);
    kvl_fetch_release(cancelled);
    kvl_fetch_release(used);
    end(&world);
}

static void s12_statistics(void)
{
    struct world world;
    kvl_stats_t stats;
    kvl_value_t *text = NULL, *value = NULL;

    begin(&world, prepare(&world));
    STATUS(kvl_tasks_fetch_wait(world.tasks, KEY("k"), NULL, NULL, &value, NULL), KVL_VALUE);
    kvl_value_release(value);
    STATUS(kvl_tasks_get(world.tasks, KEY("k"), &value), KVL_VALUE);
    kvl_value_release(value);
    STATUS(kvl_tasks_stats(world.tasks, &stats, sizeof stats), KVL_OK);
    CHECK(stats.struct_size == sizeof stats && stats.hits == 1 && stats.misses == 1 && stats.inserts == 1);
    CHECK(stats.loads_started == 1 && stats.loads_succeeded == 1 && stats.entries == 1 && stats.in_flight == 0);
    STATUS(kvl_tasks_stats_json(world.tasks, &text), KVL_OK);
    CHECK(kvl_value_data(text, NULL)[0] == '{');
    kvl_value_release(text);
    STATUS(kvl_tasks_stats_openmetrics(world.tasks, &text), KVL_OK);
    CHECK(kvl_value_data(text, NULL)[0] == '#');
    kvl_value_release(text);
    STATUS(kvl_tasks_stats_reset(world.tasks), KVL_OK);
    STATUS(kvl_tasks_stats(world.tasks, &stats, sizeof stats), KVL_OK);
    CHECK(stats.hits == 0 && stats.misses == 0 && stats.entries == 1);
    STATUS(kvl_tasks_stats(world.tasks, NULL, sizeof stats), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_stats(world.tasks, &stats, 1), KVL_ERR_INVALID_ARG);
    STATUS(kvl_tasks_stats(NULL, &stats, sizeof stats), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_stats_json(NULL, &text), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_stats_json(world.tasks, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_stats_openmetrics(NULL, &text), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_stats_openmetrics(world.tasks, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_stats_reset(NULL), KVL_ERR_NULL_POINTER);
    end(&world);
}

static void f08_the_engines_cache(void)
{
    struct world world;
    struct heard heard;
    kvl_cache_t *cache = NULL;
    kvl_request_t *request;
    kvl_value_t *value = NULL;

    begin(&world, prepare(&world));
    STATUS(kvl_tasks_cache(world.tasks, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_cache(NULL, &cache), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_cache(world.tasks, &cache), KVL_OK);
    ask(&heard, &world, "hold", NULL, NULL);
    request = next_request(&world);
    STATUS(kvl_cache_put_bytes(cache, KEY("hold"), KEY("new"), TERMS(KVL_TTL_NEVER, 0, KVL_COST_DEFAULT)), KVL_OK);
    answer(request, "old");
    ends(&heard);
    TEXT(heard.text, "old");
    STATUS(kvl_cache_get(cache, KEY("hold"), &value), KVL_VALUE);
    CHECK(kvl_value_data(value, NULL)[0] == 'n');
    STATUS(kvl_tasks_free(world.tasks), KVL_OK);
    STATUS(kvl_cache_get(cache, KEY("hold"), NULL), KVL_ERR_NULL_POINTER);
    CHECK(kvl_value_data(value, NULL)[0] == 'n'); /* it outlives its engine */
    kvl_value_release(value);
    STATUS(kvl_cache_get(cache, KEY("hold"), &value), KVL_ERR_CLOSED);
    STATUS(kvl_cache_put_bytes(cache, KEY("hold"), KEY("v"), TERMS(KVL_TTL_NEVER, 0, KVL_COST_DEFAULT)), KVL_ERR_CLOSED);
    STATUS(kvl_cache_compare_put(cache, KEY("hold"), kvl_value_null(), kvl_value_null(), NULL), KVL_ERR_CLOSED);
    STATUS(kvl_cache_touch(cache, KEY("hold"), KVL_TTL_NEVER), KVL_ERR_CLOSED);
    kvl_cache_release(cache);
    CHECK(wait_for(&world, &world.ended, 1));
    forget(&world);
}

/* ---- from inside callbacks ------------------------------------------------------------------------------------------ */

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static int insides;

static void outside_refuses(kvl_tasks_t *tasks)
{
    static const kvl_slice_t keys[] = { SLICE("k") };
    kvl_value_t *value = NULL;
    kvl_results_t *results = NULL;

    pthread_mutex_lock(&counting);
    insides++; /* the provider and the record listener run at one time */
    pthread_mutex_unlock(&counting);
    STATUS(kvl_tasks_free(tasks), KVL_ERR_REENTRANT);
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("k"), NULL, NULL, &value, NULL), KVL_ERR_REENTRANT);
    STATUS(kvl_tasks_fetch_all_wait(tasks, keys, 1, NULL, NULL, &results), KVL_ERR_REENTRANT);
    CHECK(value == NULL && results == NULL);
}

static kvl_tasks_t *outer;

static void inside_provider(struct world *world)
{
    outside_refuses(world->tasks);
}

static void inside_result(struct heard *heard)
{
    outside_refuses(heard->world->tasks);
}

static uint32_t inside_validator(void *user_data, const uint8_t *key, size_t key_len)
{
    (void)user_data;
    (void)key;
    (void)key_len;
    outside_refuses(outer);
    return 1;
}

static uint64_t inside_cost(void *user_data, const uint8_t *key, size_t key_len, kvl_value_t *value)
{
    (void)user_data;
    (void)key;
    (void)key_len;
    (void)value;
    outside_refuses(outer);
    return 1;
}

static void inside_removal(void *user_data, const kvl_result_t *entry, kvl_cause_t cause)
{
    (void)user_data;
    CHECK(entry->status == KVL_VALUE && cause == KVL_CAUSE_REMOVED);
    outside_refuses(outer);
}

static void inside_record(void *user_data, kvl_status_t record, const uint8_t *key, size_t key_len)
{
    (void)user_data;
    (void)record;
    (void)key;
    (void)key_len;
    outside_refuses(outer);
}

static void inside_free(void *object)
{
    (void)object;
    outside_refuses(outer);
}

static void inside_closed(void *user_data)
{
    outside_refuses(outer);
    heard_ends(user_data);
}

static void l01_what_waits_refuses_inside_every_callback(void)
{
    struct world world;
    struct heard heard;
    kvl_config_t *config = prepare(&world);
    kvl_cache_t *cache = NULL;
    kvl_value_t *value = NULL;

    insides = 0;
    STATUS(kvl_config_set_validator(config, inside_validator, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set_cost(config, inside_cost, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set_removal_listener(config, inside_removal, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set_record_listener(config, inside_record, NULL, NULL), KVL_OK);
    begin(&world, config);
    outer = world.tasks;
    world.inside = inside_provider;
    listen(&heard, &world);
    heard.inside = inside_result;
    /* validator, record, provider, cost, result: one each */
    STATUS(kvl_tasks_fetch(world.tasks, KEY("k"), NULL, NULL, hear, &heard, heard_ends, NULL), KVL_PENDING);
    ends(&heard);
    CHECK(insides == 5);
    STATUS(kvl_tasks_cache(world.tasks, &cache), KVL_OK);
    STATUS(kvl_value_new_object(&world, 1, inside_free, &value), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("object"), value, NULL), KVL_OK);
    kvl_value_release(value);
    STATUS(kvl_cache_remove(cache, KEY("object")), KVL_OK);
    kvl_cache_release(cache);
    listen(&heard, &world);
    STATUS(kvl_tasks_close(world.tasks, KVL_CLOSE_CANCEL, 0, inside_closed, &heard, NULL), KVL_OK);
    ends(&heard);
    CHECK(insides == 10); /* and validator, cost, removal, free, closed */
    end(&world);
}

static void give_up(struct heard *heard)
{
    kvl_tasks_dispose(heard->world->tasks);
}

static void l05_dispose_inside_a_callback(void)
{
    struct world world;
    struct heard heard;

    begin(&world, prepare(&world));
    listen(&heard, &world);
    heard.inside = give_up;
    STATUS(kvl_tasks_fetch(world.tasks, KEY("k"), NULL, NULL, hear, &heard, heard_ends, NULL), KVL_PENDING);
    CHECK(wait_for(&world, &world.ended, 1)); /* the engine freed itself */
    CHECK(heard.ended == 1 && heard.times == 1);
    forget(&world);
    kvl_tasks_dispose(NULL);
    STATUS(kvl_tasks_free(NULL), KVL_OK);
}

static uint32_t dispose_while_asked(void *user_data, const uint8_t *key, size_t key_len)
{
    struct world *world = user_data;

    (void)key;
    (void)key_len;
    kvl_tasks_dispose(world->tasks);
    /* for the end to come, were it not for this call */
    pause_for_us(20000);
    CHECK(world->ended == 0);
    return 1;
}

static void l05_dispose_inside_a_validator(void)
{
    struct world world;
    struct heard heard;
    kvl_config_t *config = prepare(&world);

    STATUS(kvl_config_set_validator(config, dispose_while_asked, &world, NULL), KVL_OK);
    begin(&world, config);
    listen(&heard, &world);
    STATUS(kvl_tasks_fetch(world.tasks, KEY("k"), NULL, NULL, hear, &heard, heard_ends, NULL), KVL_ERR_CLOSED);
    CHECK(heard.ended == 1 && heard.times == 0);
    CHECK(wait_for(&world, &world.ended, 1));
    forget(&world);
}

static void l05_close_drain_free(void)
{
    struct world world;
    struct heard first, second, news, more;
    kvl_config_t *config = prepare(&world);

    STATUS(kvl_config_set_int(config, "tasks.max_running", 1), KVL_OK);
    begin(&world, config);
    ask(&first, &world, "hold", NULL, NULL);
    ask(&second, &world, "hold too", NULL, NULL);
    listen(&news, &world);
    STATUS(kvl_tasks_close(world.tasks, KVL_CLOSE_DRAIN, 1000, heard_ends, &news, NULL), KVL_OK);
    answer(next_request(&world), "v");
    ends(&first);
    STATUS(first.status, KVL_VALUE);
    CHECK(wait_for(&world, &world.came, 2));
    CHECK(news.ended == 0);
    listen(&more, &world);
    STATUS(kvl_tasks_close(world.tasks, KVL_CLOSE_DRAIN, KVL_FOREVER, heard_ends, &more, NULL), KVL_OK);
    STATUS(kvl_clock_advance(world.clock, 1000), KVL_OK); /* a second close may only shorten */
    ends(&second);
    STATUS(second.status, KVL_ERR_CLOSED);
    let_go(&second);
    ends(&news);
    ends(&more);
    kvl_request_release(next_request(&world));
    end(&world);
}

#ifndef _WIN32
/* ---- fork ------------------------------------------------------------------------------------------------------------ */

static void object_of_nobody(void *object)
{
    ++*(int *)object;
}

/* What is made in the child works there: how many answers are wrong. */
static unsigned char made_anew(void)
{
    unsigned char wrong = 0;
#ifndef KVL_RACE /* parking_lot, which stands for std's locks there, keeps the parent's threads in a table of its own */
    struct world child;
    kvl_config_t *config = prepare(&child);
    kvl_value_t *value = NULL;
    kvl_error_t *error = NULL;

    wrong = (unsigned char)(wrong + (kvl_tasks_new(config, &child.tasks, &error) != KVL_OK));
    kvl_config_free(config);
    wrong = (unsigned char)(wrong + (kvl_tasks_fetch_wait(child.tasks, KEY("k"), NULL, NULL, &value, NULL) != KVL_VALUE));
    kvl_value_release(value);
    wrong = (unsigned char)(wrong + (kvl_tasks_free(child.tasks) != KVL_OK) + (child.ended != 1));
#endif
    return wrong;
}

/* In the child: how many answers are wrong. Nothing is printed: the output is the parent's. */
static unsigned char forked(struct world *world, kvl_config_t *config, kvl_fetch_t *fetch, kvl_request_t *request,
                            kvl_results_t *results, kvl_cache_t *cache, kvl_value_t *kept)
{
    static const kvl_slice_t keys[] = { SLICE("k") };
    kvl_tasks_t *tasks = world->tasks;
    kvl_value_t *value = NULL;
    kvl_results_t *out = NULL;
    kvl_cache_t *its_cache = NULL;
    kvl_stats_t stats;
    const uint8_t *key;
    size_t len;
    int times = 0;
    unsigned char wrong = 0;

#define FORKED(call) (wrong = (unsigned char)(wrong + ((call) != KVL_ERR_FORKED)))
    FORKED(kvl_tasks_new(config, &tasks, NULL));
    tasks = world->tasks;
    FORKED(kvl_tasks_cache(tasks, &its_cache));
    FORKED(kvl_tasks_get(tasks, KEY("k"), &value));
    FORKED(kvl_tasks_fetch(tasks, KEY("k"), NULL, NULL, hear, NULL, NULL, &value));
    FORKED(kvl_tasks_fetch_each(tasks, keys, 1, NULL, NULL, hear, NULL, NULL));
    FORKED(kvl_tasks_fetch_all(tasks, keys, 1, NULL, NULL, hear_all, NULL, NULL, &out));
    FORKED(kvl_tasks_fetch_wait(tasks, KEY("k"), NULL, NULL, &value, NULL));
    FORKED(kvl_tasks_fetch_all_wait(tasks, keys, 1, NULL, NULL, &out));
    FORKED(kvl_tasks_refresh(tasks, keys, 1, NULL));
    FORKED(kvl_tasks_stats(tasks, &stats, sizeof stats));
    FORKED(kvl_tasks_stats_json(tasks, &value));
    FORKED(kvl_tasks_stats_openmetrics(tasks, &value));
    FORKED(kvl_tasks_stats_reset(tasks));
    FORKED(kvl_tasks_close(tasks, KVL_CLOSE_CANCEL, 0, NULL, NULL, NULL));
    FORKED(kvl_fetch_set_context(fetch, &times, object_of_nobody));
    wrong = (unsigned char)(wrong + (times != 1));
    FORKED(kvl_fetch_set_urgency(fetch, 1));
    FORKED(kvl_fetch_cancel(fetch));
    FORKED(kvl_fetch_wait(fetch, KVL_FOREVER));
    FORKED(kvl_fetch_progress(fetch, &len, &len, &len));
    FORKED(kvl_request_key(request, 0, &key, &len));
    FORKED(kvl_request_heartbeat(request));
    FORKED(kvl_request_resolve(request, 0, kvl_value_null(), NULL));
    FORKED(kvl_request_resolve(request, 0, kvl_value_null(), TERMS(1, 0, 1)));
    FORKED(kvl_request_resolve_bytes(request, 0, KEY("v"), NULL));
    FORKED(kvl_request_resolve_object(request, 0, &times, 1, object_of_nobody, NULL));
    wrong = (unsigned char)(wrong + (times != 2));
    FORKED(kvl_request_fail(request, 0, NULL));
    FORKED(kvl_request_fail_text(request, 0, 1, "no", 0));
    FORKED(kvl_request_supply(request, KEY("k"), kvl_value_null(), TERMS(1, 0, 1)));
    FORKED(kvl_request_supply_bytes(request, KEY("k"), KEY("v"), NULL));
    FORKED(kvl_request_finish(request));
    FORKED(kvl_request_finish_nulls(request));
    FORKED(kvl_request_finish_error(request, NULL));
    FORKED(kvl_request_on_cancel(request, NULL, NULL, NULL));
    FORKED(kvl_results_status(results));
    FORKED(kvl_cache_get(cache, KEY("k"), &value));
    wrong = (unsigned char)(wrong + (kvl_request_len(request) != 0) + (kvl_results_len(results) != 0));
    /* ending does nothing */
    FORKED(kvl_tasks_free(tasks));
    kvl_tasks_dispose(tasks);
    kvl_fetch_release(fetch);
    kvl_request_release(request);
    kvl_results_release(results);
    kvl_cache_release(cache);
    /* a value is plain memory */
    wrong = (unsigned char)(wrong + (kvl_value_data(kept, &len)[0] != 'k') + (len != 1));
    return (unsigned char)(wrong + made_anew());
}

static void l06_after_a_fork(void)
{
    static const kvl_slice_t keys[] = { SLICE("k") };
    struct world world;
    struct heard heard;
    kvl_config_t *config = NULL;
    kvl_fetch_t *fetch = NULL;
    kvl_request_t *request;
    kvl_results_t *results = NULL;
    kvl_cache_t *cache = NULL;
    kvl_value_t *kept = NULL;
    unsigned char wrong = 255;
    int answers[2];
    pid_t child;

    begin(&world, prepare(&world));
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    STATUS(kvl_tasks_cache(world.tasks, &cache), KVL_OK);
    STATUS(kvl_tasks_fetch_all_wait(world.tasks, keys, 1, NULL, NULL, &results), KVL_OK);
    STATUS(kvl_tasks_get(world.tasks, KEY("k"), &kept), KVL_VALUE);
    ask(&heard, &world, "hold", NULL, fetch);
    request = next_request(&world);
    CHECK(pipe(answers) == 0);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        wrong = forked(&world, config, fetch, request, results, cache, kept);
        /* killed rather than ended: what the parent left in this memory is nobody's leak */
        if (write(answers[1], &wrong, 1) == 1)
            raise(SIGKILL);
        _exit(1);
    }
    CHECK(child > 0 && read(answers[0], &wrong, 1) == 1 && wrong == 0);
    CHECK(waitpid(child, NULL, 0) == child);
    close(answers[0]);
    close(answers[1]);

    /* the parent is unharmed */
    answer(request, "v");
    ends(&heard);
    STATUS(heard.status, KVL_VALUE);
    kvl_fetch_release(fetch);
    kvl_results_release(results);
    kvl_value_release(kept);
    kvl_cache_release(cache);
    kvl_config_free(config);
    end(&world);
}
#endif

int main(void)
{
    use_all();
    l09_what_a_new_engine_needs();
    f01_f02_one_key();
    f04_many_keys_one_by_one();
    f03_progress();
    f21_blocking_forms();
    f13_what_finds_no_place_is_lost();
    f21_l02_an_engine_whose_provider_is_drained_does_not_block();
    l02_an_event_loop_waits_for_the_queue();
    f19_refresh();
    l04_what_fails_ends_the_user_data_in_the_call();
    s12_statistics();
    f08_the_engines_cache();
    l01_what_waits_refuses_inside_every_callback();
    l05_dispose_inside_a_callback();
    l05_dispose_inside_a_validator();
    l05_close_drain_free();
#ifndef _WIN32
    l06_after_a_fork();
#endif
    DONE();
}
