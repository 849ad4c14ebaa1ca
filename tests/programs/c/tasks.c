/* Engines: creation, every form of fetch, and closing from anywhere (rules F01 to F05, F19 to F21, S10, S12, L01, L02, L04 to L06, L09).
 * Statuses not reached here: KVL_ERR_NO_MEMORY, KVL_ERR_NO_THREAD, KVL_ERR_PANIC. */
#define _POSIX_C_SOURCE 200809L
#include "../system.h"
#include "engine.h"
#ifndef _WIN32
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

static void l09_an_engine_needs_a_provider_and_valid_settings(void)
{
    struct fixture fixture;
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

    config = fixture_init(&fixture);
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
    CHECK(fixture.freed == 1);
    fixture_destroy(&fixture);
}

static uint32_t is_not_bad(void *user_data, const uint8_t *key, size_t key_len)
{
    (void)user_data;
    return !(key_len == 3 && memcmp(key, "bad", 3) == 0);
}

static void f01_f02_a_fetch_of_one_key_is_delivered_once(void)
{
    struct fixture fixture;
    struct recorder recorder;
    kvl_config_t *config = fixture_init(&fixture);
    kvl_value_t *value = NULL;

    STATUS(kvl_config_set_validator(config, is_not_bad, NULL, NULL), KVL_OK);
    create_engine(&fixture, config);
    STATUS(kvl_tasks_get(fixture.tasks, KEY("k"), &value), KVL_MISS);

    /* Loaded: delivered by an event. */
    recorder_init(&recorder, &fixture);
    STATUS(kvl_tasks_fetch(fixture.tasks, KEY("k"), NULL, NULL, record_result, &recorder, count_free, &value), KVL_PENDING);
    CHECK(value == NULL);
    wait_for_free(&recorder);
    CHECK(recorder.events == 1 && recorder.status == KVL_VALUE && recorder.source == KVL_SOURCE_PROVIDER && recorder.flags == KVL_F_LAST);
    CHECK(recorder.ttl_left_ms == KVL_TTL_NEVER && !pthread_equal(recorder.thread, pthread_self()));
    TEXT(recorder.text, "k");

    /* In the store: answered by the call, which frees the user data. */
    recorder_init(&recorder, &fixture);
    STATUS(kvl_tasks_fetch(fixture.tasks, KEY("k"), NULL, NULL, record_result, &recorder, count_free, &value), KVL_VALUE);
    CHECK(recorder.events == 0 && recorder.freed == 1);
    CHECK(kvl_value_data(value, NULL)[0] == 'k');
    kvl_value_release(value);
    STATUS(kvl_tasks_fetch(fixture.tasks, KEY("bad"), NULL, NULL, record_result, &recorder, count_free, &value), KVL_INVALID_KEY);
    CHECK(value == NULL && recorder.freed == 2);
    STATUS(kvl_tasks_get(fixture.tasks, KEY("k"), &value), KVL_VALUE);
    kvl_value_release(value);
    STATUS(kvl_tasks_get(fixture.tasks, KEY("bad"), &value), KVL_INVALID_KEY);

    /* In the store, but delivered by an event, because the call has no output parameter for the value. */
    fetch_recorded(&recorder, &fixture, "k", NULL, NULL);
    wait_for_free(&recorder);
    CHECK(recorder.source == KVL_SOURCE_STORE);
    fetch_recorded(&recorder, &fixture, "null", NULL, NULL);
    wait_for_free(&recorder);
    STATUS(recorder.status, KVL_NULL);
    STATUS(kvl_tasks_fetch(fixture.tasks, KEY("null"), NULL, NULL, record_result, NULL, NULL, &value), KVL_NULL);
    STATUS(kvl_tasks_get(fixture.tasks, KEY("null"), &value), KVL_NULL);
    CHECK(value == NULL && fixture.calls == 2);
    free_engine(&fixture);
}

static void f04_fetch_each_delivers_one_event_for_each_key(void)
{
    static const kvl_slice_t keys[] = { SLICE("a"), SLICE("fail"), SLICE("a"), SLICE("null") };
    struct fixture fixture;
    struct recorder recorder;
    kvl_options_t *options = NULL;

    create_engine(&fixture, fixture_init(&fixture));
    STATUS(kvl_options_new(&options), KVL_OK);
    recorder_init(&recorder, &fixture);
    STATUS(kvl_tasks_fetch_each(fixture.tasks, keys, COUNT(keys), options, NULL, record_result, &recorder, count_free), KVL_PENDING);
    wait_for_free(&recorder);
    CHECK(recorder.events == 4 && recorder.flags == KVL_F_LAST);
    recorder_release(&recorder);
    recorder_init(&recorder, &fixture);
    STATUS(kvl_tasks_fetch_each(fixture.tasks, NULL, 0, options, NULL, record_result, &recorder, count_free), KVL_OK);
    CHECK(recorder.events == 0 && recorder.freed == 1);
    kvl_options_free(options);
    free_engine(&fixture);
}

static void f03_progress_never_decreases(void)
{
    static const kvl_slice_t keys[] = { SLICE("a"), SLICE("fail"), SLICE("b"), SLICE("null"), SLICE("c") };
    struct fixture fixture;
    struct recorder recorder;
    kvl_options_t *options = NULL;

    create_engine(&fixture, fixture_init(&fixture));
    STATUS(kvl_options_new(&options), KVL_OK);
    STATUS(kvl_options_set_progress(options, record_progress, 2), KVL_OK);
    recorder_init(&recorder, &fixture);
    STATUS(kvl_tasks_fetch_all(fixture.tasks, keys, COUNT(keys), options, NULL, record_results, &recorder, count_free, NULL), KVL_PENDING);
    kvl_options_free(options);
    wait_for_free(&recorder);
    CHECK(recorder.progress >= 1 && recorder.done == 5 && recorder.failed == 1 && recorder.total == 5);
    recorder_release(&recorder);
    free_engine(&fixture);
}

static void f21_the_blocking_calls_wait_for_the_answer(void)
{
    static const kvl_slice_t keys[] = { SLICE("a"), SLICE("fail") };
    static uint8_t too_long[KVL_KEY_MAX + 1];
    struct fixture fixture;
    kvl_config_t *config = fixture_init(&fixture);
    kvl_options_t *cache_only = option("read", "cache_only"), *hurried = option("timeout_ms", "500"), *bad = NULL;
    kvl_fetch_t *fetch = NULL;
    kvl_results_t *results = NULL;
    kvl_value_t *value = NULL;
    kvl_error_t *error = NULL;
    kvl_tasks_t *tasks;

    STATUS(kvl_config_set_validator(config, is_not_bad, NULL, NULL), KVL_OK);
    create_engine(&fixture, config);
    tasks = fixture.tasks;
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
    fixture.cancel = fetch;
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
    STATUS(kvl_tasks_fetch_wait(tasks, too_long, sizeof too_long, NULL, NULL, &value, NULL), KVL_ERR_KEY_TOO_LONG);
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
    CHECK(value == NULL && results == NULL && kvl_error_status(error) == KVL_ERR_CLOSED);
    kvl_error_release(error);
    kvl_options_free(bad);
    kvl_options_free(cache_only);
    kvl_options_free(hurried);
    free_engine(&fixture);
}

static void l09_the_error_of_a_rejected_wait_states_the_reason(void)
{
    static const uint8_t too_long[KVL_KEY_MAX + 1];
    struct fixture fixture;
    kvl_options_t *bad = NULL;
    kvl_value_t *value = NULL;
    kvl_error_t *error = NULL;

    create_engine(&fixture, fixture_init(&fixture));
    STATUS(kvl_options_new(&bad), KVL_OK);
    STATUS(kvl_options_set_int(bad, "timeout_ms", 0), KVL_ERR_BAD_VALUE);
    STATUS(kvl_tasks_fetch_wait(fixture.tasks, KEY("k"), bad, NULL, &value, &error), KVL_ERR_BAD_VALUE);
    CHECK(kvl_error_status(error) == KVL_ERR_BAD_VALUE && strcmp(kvl_error_message(error), kvl_options_problem(bad)) == 0);
    kvl_error_release(error);
    STATUS(kvl_tasks_fetch_wait(fixture.tasks, too_long, sizeof too_long, NULL, NULL, &value, &error), KVL_ERR_KEY_TOO_LONG);
    CHECK(strcmp(kvl_error_message(error), kvl_status_message(KVL_ERR_KEY_TOO_LONG)) == 0);
    kvl_error_release(error);
    STATUS(kvl_tasks_fetch_wait(fixture.tasks, KEY("k"), NULL, NULL, NULL, &error), KVL_ERR_NULL_POINTER);
    CHECK(kvl_error_status(error) == KVL_ERR_NULL_POINTER);
    kvl_error_release(error);
    kvl_options_free(bad);
    free_engine(&fixture);
}

static void f13_a_single_fetch_without_a_place_fails(void)
{
    struct fixture fixture;
    struct recorder busy;
    kvl_config_t *config = fixture_init(&fixture);
    kvl_value_t *value = NULL;

    STATUS(kvl_config_set_int(config, "tasks.max_running", 1), KVL_OK);
    STATUS(kvl_config_set_int(config, "queue.max_keys", 0), KVL_OK);
    create_engine(&fixture, config);
    fetch_recorded(&busy, &fixture, "hold", NULL, NULL);
    STATUS(kvl_tasks_fetch_wait(fixture.tasks, KEY("lost"), NULL, NULL, &value, NULL), KVL_ERR_QUEUE_FULL);
    answer(next_request(&fixture), "v");
    wait_for_free(&busy);
    free_engine(&fixture);
}

static void f21_l02_a_blocking_call_is_rejected_if_the_provider_is_on_a_queue(void)
{
    static const kvl_slice_t keys[] = { SLICE("k") };
    struct fixture fixture;
    struct recorder recorder;
    kvl_config_t *config = fixture_init(&fixture);
    kvl_queue_t *queue = NULL;
    kvl_value_t *value = NULL;
    kvl_error_t *error = NULL;
    kvl_results_t *results = NULL;
    size_t ran = 0;

    STATUS(kvl_queue_new(0, &queue), KVL_OK);
    STATUS(kvl_config_set_queue(config, queue, KVL_QUEUE_F_ALL), KVL_OK);
    create_engine(&fixture, config);
    STATUS(kvl_tasks_fetch_wait(fixture.tasks, KEY("k"), NULL, NULL, &value, &error), KVL_ERR_UNSUPPORTED);
    CHECK(strstr(kvl_error_message(error), "requests go to a queue") != NULL);
    kvl_error_release(error);
    STATUS(kvl_tasks_fetch_all_wait(fixture.tasks, keys, 1, NULL, NULL, &results), KVL_ERR_UNSUPPORTED);
    fetch_recorded(&recorder, &fixture, "k", NULL, NULL);
    while (recorder.freed == 0)
        STATUS(kvl_queue_poll(queue, 10, KVL_FOREVER, &ran), KVL_OK);
    CHECK(recorder.status == KVL_VALUE && pthread_equal(recorder.thread, pthread_self()));
    STATUS(kvl_queue_free(queue), KVL_ERR_BUSY);
    STATUS(kvl_tasks_free(fixture.tasks), KVL_OK);
    STATUS(kvl_queue_free(queue), KVL_OK); /* though the event that reports the close is still in the queue */
    CHECK(fixture.freed == 1);
    fixture_destroy(&fixture);
}

static void do_not_free(void *object)
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
    /* A descriptor or a handle, depending on the system; the call for the other one leaves its output unchanged. */
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
    STATUS(kvl_value_new_object_on(queue, &object, 1, do_not_free, &value), KVL_OK);
    kvl_value_release(value);
    CHECK(wait_for_queue(queue, 60000) == 1);
    STATUS(kvl_queue_poll(queue, 8, 0, &ran), KVL_OK);
    CHECK(ran == 1 && wait_for_queue(queue, 0) == 0);
    STATUS(kvl_queue_free(queue), KVL_OK);
}

static void f14a_keys_that_gather_share_a_request(void)
{
    struct fixture fixture;
    struct recorder first, second;
    kvl_request_t *request;
    kvl_config_t *config = fixture_init(&fixture);

    STATUS(kvl_config_set_int(config, "batch.max_keys", 64), KVL_OK);
    create_engine(&fixture, config);
    STATUS(kvl_tasks_gather(fixture.tasks, 1), KVL_OK);
    fetch_recorded(&first, &fixture, "hold a", NULL, NULL);
    fetch_recorded(&second, &fixture, "b", NULL, NULL);
    STATUS(kvl_tasks_gather(fixture.tasks, 0), KVL_OK);
    request = next_request(&fixture);
    CHECK(kvl_request_len(request) == 2);
    STATUS(kvl_request_finish(request), KVL_OK);
    kvl_request_release(request);
    wait_for_free(&first);
    wait_for_free(&second);
    CHECK(first.status == KVL_ERR_UNANSWERED && second.status == KVL_ERR_UNANSWERED);
    recorder_release(&first);
    recorder_release(&second);
    STATUS(kvl_tasks_gather(fixture.tasks, 2), KVL_ERR_INVALID_ARG);
    STATUS(kvl_tasks_gather(NULL, 1), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_close(fixture.tasks, KVL_CLOSE_DRAIN, KVL_FOREVER, NULL, NULL, NULL), KVL_OK);
    STATUS(kvl_tasks_gather(fixture.tasks, 1), KVL_ERR_CLOSED);
    free_engine(&fixture);
}

/* If it did not, the call would wait for a request that only its own thread can hand out. */
static void f14a_a_call_that_waits_hands_out_what_has_gathered(void)
{
    struct fixture fixture;
    kvl_value_t *value = NULL;
    kvl_results_t *results = NULL;
    kvl_fetch_t *fetch = NULL;
    struct recorder recorder;
    static const kvl_slice_t keys[] = { SLICE("b"), SLICE("c") };
    kvl_config_t *config = fixture_init(&fixture);

    STATUS(kvl_config_set_int(config, "batch.max_keys", 64), KVL_OK);
    create_engine(&fixture, config);
    STATUS(kvl_tasks_gather(fixture.tasks, 1), KVL_OK);
    STATUS(kvl_tasks_fetch_wait(fixture.tasks, KEY("a"), NULL, NULL, &value, NULL), KVL_VALUE);
    kvl_value_release(value);
    STATUS(kvl_tasks_gather(fixture.tasks, 1), KVL_OK);
    STATUS(kvl_tasks_fetch_all_wait(fixture.tasks, keys, 2, NULL, NULL, &results), KVL_OK);
    CHECK(kvl_results_count_status(results, KVL_VALUE) == 2);
    kvl_results_release(results);
    STATUS(kvl_tasks_gather(fixture.tasks, 1), KVL_OK);
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    fetch_recorded(&recorder, &fixture, "d", NULL, fetch);
    STATUS(kvl_fetch_wait(fetch, KVL_FOREVER), KVL_OK);
    wait_for_free(&recorder);
    CHECK(recorder.status == KVL_VALUE);
    recorder_release(&recorder);
    kvl_fetch_release(fetch);
    free_engine(&fixture);
}

/* A fetch that another thread is just beginning, while this one waits for it by its handle. */
struct beginning {
    struct fixture *fixture;
    kvl_fetch_t *fetch;
    struct recorder recorder;
    kvl_status_t status;
    int closes;
    int has_begun;
};

/* Runs inside the call that fetches, before the engine has the fetch: the other thread gets time to begin to wait. */
static uint32_t validate_slowly(void *user_data, const uint8_t *key, size_t key_len)
{
    struct beginning *beginning = user_data;

    (void)key;
    (void)key_len;
    pthread_mutex_lock(&beginning->fixture->lock);
    beginning->has_begun = 1;
    pthread_cond_broadcast(&beginning->fixture->changed);
    pthread_mutex_unlock(&beginning->fixture->lock);
    pause_for_us(100 * 1000);
    if (beginning->closes)
        STATUS(kvl_tasks_close(beginning->fixture->tasks, KVL_CLOSE_CANCEL, KVL_FOREVER, NULL, NULL, NULL), KVL_OK);
    return 1;
}

static void *begin_fetch(void *user_data)
{
    struct beginning *beginning = user_data;

    beginning->status = kvl_tasks_fetch(beginning->fixture->tasks, KEY("a"), NULL, beginning->fetch, record_result, &beginning->recorder, count_free, NULL);
    return NULL;
}

/* Begins a fetch on another thread, and waits for it while that thread is still inside kvl_tasks_fetch(). */
static void wait_while_it_begins(struct fixture *fixture, int closes, kvl_status_t status)
{
    struct beginning beginning = { .fixture = fixture, .closes = closes };
    pthread_t thread;
    kvl_config_t *config = fixture_init(fixture);

    recorder_init(&beginning.recorder, fixture);
    STATUS(kvl_config_set_int(config, "batch.max_keys", 64), KVL_OK);
    STATUS(kvl_config_set_validator(config, validate_slowly, &beginning, NULL), KVL_OK);
    create_engine(fixture, config);
    STATUS(kvl_tasks_gather(fixture->tasks, 1), KVL_OK);
    STATUS(kvl_fetch_new(&beginning.fetch), KVL_OK);
    CHECK(pthread_create(&thread, NULL, begin_fetch, &beginning) == 0);
    CHECK(wait_for(fixture, &beginning.has_begun, 1));
    STATUS(kvl_fetch_wait(beginning.fetch, KVL_FOREVER), KVL_OK);
    CHECK(pthread_join(thread, NULL) == 0);
    STATUS(beginning.status, status);
    if (status == KVL_PENDING) {
        wait_for_free(&beginning.recorder);
        STATUS(beginning.recorder.status, KVL_VALUE);
    }
    recorder_release(&beginning.recorder);
    kvl_fetch_release(beginning.fetch);
    free_engine(fixture);
}

static void f14a_a_wait_for_a_fetch_that_is_just_beginning_hands_out_what_has_gathered(void)
{
    struct fixture fixture;

    wait_while_it_begins(&fixture, 0, KVL_PENDING);
}

static void f01_a_wait_for_a_fetch_ends_if_its_call_is_refused(void)
{
    struct fixture fixture;

    wait_while_it_begins(&fixture, 1, KVL_ERR_CLOSED);
}

static void f19_a_refresh_reloads_and_stores(void)
{
    static const kvl_slice_t keys[] = { SLICE("hold a"), SLICE("hold b") };
    struct fixture fixture;
    kvl_options_t *bad = NULL;
    kvl_value_t *value = NULL;

    create_engine(&fixture, fixture_init(&fixture));
    STATUS(kvl_tasks_refresh(fixture.tasks, keys, 2, NULL), KVL_OK);
    STATUS(kvl_tasks_refresh(fixture.tasks, NULL, 0, NULL), KVL_OK);
    answer(next_request(&fixture), "new");
    answer(next_request(&fixture), "new");
    STATUS(kvl_tasks_get(fixture.tasks, KEY("hold a"), &value), KVL_VALUE);
    kvl_value_release(value);
    STATUS(kvl_options_new(&bad), KVL_OK);
    STATUS(kvl_options_set_int(bad, "timeout_ms", -7), KVL_ERR_BAD_VALUE);
    STATUS(kvl_tasks_refresh(fixture.tasks, keys, 2, bad), KVL_ERR_BAD_VALUE);
    kvl_options_free(bad);
    STATUS(kvl_tasks_refresh(NULL, keys, 2, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_refresh(fixture.tasks, NULL, 2, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_refresh(fixture.tasks, keys, SIZE_MAX, NULL), KVL_ERR_INVALID_ARG);
    STATUS(kvl_tasks_close(fixture.tasks, KVL_CLOSE_DRAIN, KVL_FOREVER, NULL, NULL, NULL), KVL_OK);
    STATUS(kvl_tasks_refresh(fixture.tasks, keys, 2, NULL), KVL_ERR_CLOSED);
    free_engine(&fixture);
}

static uint32_t count_validation(void *user_data, const uint8_t *key, size_t key_len)
{
    (void)key;
    (void)key_len;
    ++*(int *)user_data;
    return 1;
}

static void f19_a_fetch_without_options_reads_the_store_first_unless_the_engine_always_reloads(void)
{
    static const char *const modes[] = { "normal", "cache_only", "no_store", "refresh" };
    size_t i;

    for (i = 0; i < COUNT(modes); i++) {
        int reloads = strcmp(modes[i], "refresh") == 0;
        struct fixture fixture;
        kvl_cache_t *cache = NULL;
        kvl_value_t *value = NULL;
        kvl_config_t *config = fixture_init(&fixture);

        STATUS(kvl_config_set(config, "read", modes[i]), KVL_OK);
        create_engine(&fixture, config);
        CHECK(kvl_tasks_reads_store_first(fixture.tasks) == !reloads);
        STATUS(kvl_tasks_cache(fixture.tasks, &cache), KVL_OK);
        STATUS(kvl_cache_put_bytes(cache, KEY("k"), KEY("stored"), TERMS(KVL_TTL_NEVER, 0, KVL_COST_DEFAULT)), KVL_OK);
        STATUS(kvl_tasks_fetch_wait(fixture.tasks, KEY("k"), NULL, NULL, &value, NULL), KVL_VALUE);
        CHECK(kvl_value_data(value, NULL)[0] == (reloads ? 'k' : 's') && fixture.calls == reloads);
        kvl_value_release(value);
        kvl_cache_release(cache);
        free_engine(&fixture);
    }
    CHECK(kvl_tasks_reads_store_first(NULL) == 0);
}

static void s10_a_validator_comes_before_the_store(void)
{
    struct fixture fixture;
    int validated = 0;
    kvl_value_t *value = NULL;
    kvl_config_t *config = fixture_init(&fixture);

    STATUS(kvl_config_set_validator(config, count_validation, &validated, NULL), KVL_OK);
    create_engine(&fixture, config);
    CHECK(kvl_tasks_reads_store_first(fixture.tasks) == 0);
    STATUS(kvl_tasks_fetch_wait(fixture.tasks, KEY("k"), NULL, NULL, &value, NULL), KVL_VALUE);
    CHECK(validated == 1);
    kvl_value_release(value);
    free_engine(&fixture);
}

static void l04_a_call_that_fails_frees_its_user_data(void)
{
    static const kvl_slice_t keys[] = { SLICE("k") }, null_inside[] = { { NULL, 3 } };
    static uint8_t too_long[KVL_KEY_MAX + 1];
    struct fixture fixture;
    struct recorder recorder;
    kvl_options_t *bad = NULL;
    kvl_fetch_t *cancelled = NULL, *used = NULL;
    kvl_value_t *value = NULL;
    kvl_results_t *ready = NULL;
    kvl_tasks_t *tasks;
    int freed = 0;

    create_engine(&fixture, fixture_init(&fixture));
    tasks = fixture.tasks;
    STATUS(kvl_fetch_new(&cancelled), KVL_OK);
    STATUS(kvl_fetch_cancel(cancelled), KVL_OK);
    STATUS(kvl_fetch_new(&used), KVL_OK);
    fetch_recorded(&recorder, &fixture, "first", NULL, used);
    wait_for_free(&recorder);
    STATUS(kvl_options_new(&bad), KVL_OK);
    STATUS(kvl_options_set(bad, "no.such", "1"), KVL_ERR_UNKNOWN_KEY);

    recorder_init(&recorder, &fixture);
#define FREES(call, status) do { STATUS(call, status); freed++; CHECK(recorder.freed == freed && recorder.events == 0); } while (0)
#define FETCH(tasks, key, len, options, fetch, fn) kvl_tasks_fetch(tasks, key, len, options, fetch, fn, &recorder, count_free, &value)
    FREES(FETCH(NULL, (const uint8_t *)"k", 1, NULL, NULL, record_result), KVL_ERR_NULL_POINTER);
    FREES(FETCH(tasks, NULL, 1, NULL, NULL, record_result), KVL_ERR_NULL_POINTER);
    FREES(FETCH(tasks, too_long, sizeof too_long, NULL, NULL, record_result), KVL_ERR_KEY_TOO_LONG);
    FREES(FETCH(tasks, (const uint8_t *)"k", 1, bad, NULL, record_result), KVL_ERR_BAD_VALUE);
    FREES(FETCH(tasks, (const uint8_t *)"k", 1, NULL, cancelled, record_result), KVL_ERR_CANCELLED);
    FREES(FETCH(tasks, (const uint8_t *)"k", 1, NULL, used, record_result), KVL_ERR_ALREADY_USED);
    FREES(FETCH(tasks, (const uint8_t *)"k", 1, NULL, NULL, NULL), KVL_ERR_NO_CALLBACK);
#define EACH(tasks, keys, n, options, fetch, fn) kvl_tasks_fetch_each(tasks, keys, n, options, fetch, fn, &recorder, count_free)
    FREES(EACH(NULL, keys, 1, NULL, NULL, record_result), KVL_ERR_NULL_POINTER);
    FREES(EACH(tasks, NULL, 1, NULL, NULL, record_result), KVL_ERR_NULL_POINTER);
    FREES(EACH(tasks, null_inside, 1, NULL, NULL, record_result), KVL_ERR_NULL_POINTER);
    FREES(EACH(tasks, keys, SIZE_MAX, NULL, NULL, record_result), KVL_ERR_INVALID_ARG);
    FREES(EACH(tasks, keys, 1, bad, NULL, record_result), KVL_ERR_BAD_VALUE);
    FREES(EACH(tasks, keys, 1, NULL, cancelled, record_result), KVL_ERR_CANCELLED);
    FREES(EACH(tasks, keys, 1, NULL, used, record_result), KVL_ERR_ALREADY_USED);
    FREES(EACH(tasks, keys, 1, NULL, NULL, NULL), KVL_ERR_NO_CALLBACK);
#define ALL(tasks, keys, n, options, fetch, fn) kvl_tasks_fetch_all(tasks, keys, n, options, fetch, fn, &recorder, count_free, &ready)
    FREES(ALL(NULL, keys, 1, NULL, NULL, record_results), KVL_ERR_NULL_POINTER);
    FREES(ALL(tasks, NULL, 1, NULL, NULL, record_results), KVL_ERR_NULL_POINTER);
    FREES(ALL(tasks, keys, SIZE_MAX, NULL, NULL, record_results), KVL_ERR_INVALID_ARG);
    FREES(ALL(tasks, keys, 1, bad, NULL, record_results), KVL_ERR_BAD_VALUE);
    FREES(ALL(tasks, keys, 1, NULL, cancelled, record_results), KVL_ERR_CANCELLED);
    FREES(ALL(tasks, keys, 1, NULL, used, record_results), KVL_ERR_ALREADY_USED);
    FREES(ALL(tasks, keys, 1, NULL, NULL, NULL), KVL_ERR_NO_CALLBACK);
    FREES(kvl_tasks_close(NULL, KVL_CLOSE_CANCEL, 0, NULL, &recorder, count_free), KVL_ERR_NULL_POINTER);
    FREES(kvl_tasks_close(tasks, 9, 0, NULL, &recorder, count_free), KVL_ERR_INVALID_ARG);
    FREES(kvl_tasks_close(tasks, KVL_CLOSE_DRAIN, -2, NULL, &recorder, count_free), KVL_ERR_INVALID_ARG);
    FREES(kvl_tasks_close(tasks, KVL_CLOSE_CANCEL, 0, NULL, &recorder, count_free), KVL_OK);
    FREES(FETCH(tasks, (const uint8_t *)"k", 1, NULL, NULL, record_result), KVL_ERR_CLOSED);
    FREES(EACH(tasks, keys, 1, NULL, NULL, record_result), KVL_ERR_CLOSED);
    FREES(ALL(tasks, keys, 1, NULL, NULL, record_results), KVL_ERR_CLOSED);
    STATUS(kvl_tasks_get(tasks, KEY("k"), &value), KVL_ERR_CLOSED);
    STATUS(kvl_tasks_get(tasks, too_long, sizeof too_long, &value), KVL_ERR_KEY_TOO_LONG);
    STATUS(kvl_tasks_get(tasks, KEY("k"), NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_get(NULL, KEY("k"), &value), KVL_ERR_NULL_POINTER);
    CHECK(value == NULL && ready == NULL);
    kvl_options_free(bad);
    kvl_fetch_release(cancelled);
    kvl_fetch_release(used);
    free_engine(&fixture);
}

static void s12_fetches_and_loads_are_counted(void)
{
    struct fixture fixture;
    kvl_stats_t stats;
    kvl_value_t *text = NULL, *value = NULL;

    create_engine(&fixture, fixture_init(&fixture));
    STATUS(kvl_tasks_fetch_wait(fixture.tasks, KEY("k"), NULL, NULL, &value, NULL), KVL_VALUE);
    kvl_value_release(value);
    STATUS(kvl_tasks_get(fixture.tasks, KEY("k"), &value), KVL_VALUE);
    kvl_value_release(value);
    STATUS(kvl_tasks_stats(fixture.tasks, &stats, sizeof stats), KVL_OK);
    CHECK(stats.struct_size == sizeof stats && stats.hits == 1 && stats.misses == 1 && stats.inserts == 1);
    CHECK(stats.loads_started == 1 && stats.loads_succeeded == 1 && stats.entries == 1 && stats.in_flight == 0);
    STATUS(kvl_tasks_stats_json(fixture.tasks, &text), KVL_OK);
    CHECK(kvl_value_data(text, NULL)[0] == '{');
    kvl_value_release(text);
    STATUS(kvl_tasks_stats_openmetrics(fixture.tasks, &text), KVL_OK);
    CHECK(kvl_value_data(text, NULL)[0] == '#');
    kvl_value_release(text);
    STATUS(kvl_tasks_stats_reset(fixture.tasks), KVL_OK);
    STATUS(kvl_tasks_stats(fixture.tasks, &stats, sizeof stats), KVL_OK);
    CHECK(stats.hits == 0 && stats.misses == 0 && stats.entries == 1);
    STATUS(kvl_tasks_stats(fixture.tasks, NULL, sizeof stats), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_stats(fixture.tasks, &stats, 1), KVL_ERR_INVALID_ARG);
    STATUS(kvl_tasks_stats(NULL, &stats, sizeof stats), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_stats_json(NULL, &text), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_stats_json(fixture.tasks, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_stats_openmetrics(NULL, &text), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_stats_openmetrics(fixture.tasks, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_stats_reset(NULL), KVL_ERR_NULL_POINTER);
    free_engine(&fixture);
}

static void f08_a_put_to_the_engines_cache_overtakes_a_load(void)
{
    struct fixture fixture;
    struct recorder recorder;
    kvl_cache_t *cache = NULL;
    kvl_request_t *request;
    kvl_value_t *value = NULL;

    create_engine(&fixture, fixture_init(&fixture));
    STATUS(kvl_tasks_cache(fixture.tasks, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_cache(NULL, &cache), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_cache(fixture.tasks, &cache), KVL_OK);
    fetch_recorded(&recorder, &fixture, "hold", NULL, NULL);
    request = next_request(&fixture);
    STATUS(kvl_cache_put_bytes(cache, KEY("hold"), KEY("new"), TERMS(KVL_TTL_NEVER, 0, KVL_COST_DEFAULT)), KVL_OK);
    answer(request, "old");
    wait_for_free(&recorder);
    TEXT(recorder.text, "old");
    STATUS(kvl_cache_get(cache, KEY("hold"), &value), KVL_VALUE);
    CHECK(kvl_value_data(value, NULL)[0] == 'n');
    STATUS(kvl_tasks_free(fixture.tasks), KVL_OK);
    STATUS(kvl_cache_get(cache, KEY("hold"), NULL), KVL_ERR_NULL_POINTER);
    CHECK(kvl_value_data(value, NULL)[0] == 'n'); /* the value outlives its engine */
    kvl_value_release(value);
    STATUS(kvl_cache_get(cache, KEY("hold"), &value), KVL_ERR_CLOSED);
    STATUS(kvl_cache_put_bytes(cache, KEY("hold"), KEY("v"), TERMS(KVL_TTL_NEVER, 0, KVL_COST_DEFAULT)), KVL_ERR_CLOSED);
    STATUS(kvl_cache_compare_put(cache, KEY("hold"), kvl_value_null(), kvl_value_null(), NULL), KVL_ERR_CLOSED);
    STATUS(kvl_cache_touch(cache, KEY("hold"), KVL_TTL_NEVER), KVL_ERR_CLOSED);
    kvl_cache_release(cache);
    CHECK(wait_for(&fixture, &fixture.freed, 1));
    fixture_destroy(&fixture);
}

/* ---- from inside callbacks ------------------------------------------------------------------------------------------ */

static pthread_mutex_t counting = PTHREAD_MUTEX_INITIALIZER;
static int callbacks_run;

static void check_blocking_calls_are_rejected(kvl_tasks_t *tasks)
{
    static const kvl_slice_t keys[] = { SLICE("k") };
    kvl_value_t *value = NULL;
    kvl_results_t *results = NULL;

    pthread_mutex_lock(&counting);
    callbacks_run++; /* locked, since the provider and the record listener run at the same time */
    pthread_mutex_unlock(&counting);
    STATUS(kvl_tasks_free(tasks), KVL_ERR_REENTRANT);
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("k"), NULL, NULL, &value, NULL), KVL_ERR_REENTRANT);
    STATUS(kvl_tasks_fetch_all_wait(tasks, keys, 1, NULL, NULL, &results), KVL_ERR_REENTRANT);
    CHECK(value == NULL && results == NULL);
}

static kvl_tasks_t *engine;

static void inside_provider(struct fixture *fixture)
{
    check_blocking_calls_are_rejected(fixture->tasks);
}

static void inside_result(struct recorder *recorder)
{
    check_blocking_calls_are_rejected(recorder->fixture->tasks);
}

static uint32_t inside_validator(void *user_data, const uint8_t *key, size_t key_len)
{
    (void)user_data;
    (void)key;
    (void)key_len;
    check_blocking_calls_are_rejected(engine);
    return 1;
}

static uint64_t inside_cost(void *user_data, const uint8_t *key, size_t key_len, kvl_value_t *value)
{
    (void)user_data;
    (void)key;
    (void)key_len;
    (void)value;
    check_blocking_calls_are_rejected(engine);
    return 1;
}

static void inside_removal(void *user_data, const kvl_result_t *entry, kvl_cause_t cause)
{
    (void)user_data;
    CHECK(entry->status == KVL_VALUE && cause == KVL_CAUSE_REMOVED);
    check_blocking_calls_are_rejected(engine);
}

static void inside_record(void *user_data, kvl_status_t record, const uint8_t *key, size_t key_len)
{
    (void)user_data;
    (void)record;
    (void)key;
    (void)key_len;
    check_blocking_calls_are_rejected(engine);
}

static void inside_free(void *object)
{
    (void)object;
    check_blocking_calls_are_rejected(engine);
}

static void inside_closed(void *user_data)
{
    check_blocking_calls_are_rejected(engine);
    count_free(user_data);
}

static void l01_blocking_calls_are_rejected_inside_every_callback(void)
{
    struct fixture fixture;
    struct recorder recorder;
    kvl_config_t *config = fixture_init(&fixture);
    kvl_cache_t *cache = NULL;
    kvl_value_t *value = NULL;

    callbacks_run = 0;
    STATUS(kvl_config_set_validator(config, inside_validator, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set_cost(config, inside_cost, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set_removal_listener(config, inside_removal, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set_record_listener(config, inside_record, NULL, NULL), KVL_OK);
    create_engine(&fixture, config);
    engine = fixture.tasks;
    fixture.first = inside_provider;
    recorder_init(&recorder, &fixture);
    recorder.first = inside_result;
    /* One call each of validator, record listener, provider, cost function and result callback. */
    STATUS(kvl_tasks_fetch(fixture.tasks, KEY("k"), NULL, NULL, record_result, &recorder, count_free, NULL), KVL_PENDING);
    wait_for_free(&recorder);
    CHECK(callbacks_run == 5);
    STATUS(kvl_tasks_cache(fixture.tasks, &cache), KVL_OK);
    STATUS(kvl_value_new_object(&fixture, 1, inside_free, &value), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("object"), value, NULL), KVL_OK);
    kvl_value_release(value);
    STATUS(kvl_cache_remove(cache, KEY("object")), KVL_OK);
    kvl_cache_release(cache);
    recorder_init(&recorder, &fixture);
    STATUS(kvl_tasks_close(fixture.tasks, KVL_CLOSE_CANCEL, 0, inside_closed, &recorder, NULL), KVL_OK);
    wait_for_free(&recorder);
    CHECK(callbacks_run == 10); /* and one each of validator, cost function, removal listener, destructor and close */
    free_engine(&fixture);
}

static void dispose_engine(struct recorder *recorder)
{
    kvl_tasks_dispose(recorder->fixture->tasks);
}

static void l05_an_engine_can_be_disposed_of_inside_a_callback(void)
{
    struct fixture fixture;
    struct recorder recorder;

    create_engine(&fixture, fixture_init(&fixture));
    recorder_init(&recorder, &fixture);
    recorder.first = dispose_engine;
    STATUS(kvl_tasks_fetch(fixture.tasks, KEY("k"), NULL, NULL, record_result, &recorder, count_free, NULL), KVL_PENDING);
    CHECK(wait_for(&fixture, &fixture.freed, 1)); /* the engine has freed itself */
    CHECK(recorder.freed == 1 && recorder.events == 1);
    fixture_destroy(&fixture);
    kvl_tasks_dispose(NULL);
    STATUS(kvl_tasks_free(NULL), KVL_OK);
}

static uint32_t dispose_in_validator(void *user_data, const uint8_t *key, size_t key_len)
{
    struct fixture *fixture = user_data;

    (void)key;
    (void)key_len;
    kvl_tasks_dispose(fixture->tasks);
    /* Long enough for the close to end if it did not wait for this call. */
    pause_for_us(20000);
    CHECK(fixture->freed == 0);
    return 1;
}

static void l05_an_engine_can_be_disposed_of_inside_a_validator(void)
{
    struct fixture fixture;
    struct recorder recorder;
    kvl_config_t *config = fixture_init(&fixture);

    STATUS(kvl_config_set_validator(config, dispose_in_validator, &fixture, NULL), KVL_OK);
    create_engine(&fixture, config);
    recorder_init(&recorder, &fixture);
    STATUS(kvl_tasks_fetch(fixture.tasks, KEY("k"), NULL, NULL, record_result, &recorder, count_free, NULL), KVL_ERR_CLOSED);
    CHECK(recorder.freed == 1 && recorder.events == 0);
    CHECK(wait_for(&fixture, &fixture.freed, 1));
    fixture_destroy(&fixture);
}

static void l05_close_drain_and_free_end_in_order(void)
{
    struct fixture fixture;
    struct recorder first, second, first_close, second_close;
    kvl_config_t *config = fixture_init(&fixture);

    STATUS(kvl_config_set_int(config, "tasks.max_running", 1), KVL_OK);
    create_engine(&fixture, config);
    fetch_recorded(&first, &fixture, "hold", NULL, NULL);
    fetch_recorded(&second, &fixture, "hold too", NULL, NULL);
    recorder_init(&first_close, &fixture);
    STATUS(kvl_tasks_close(fixture.tasks, KVL_CLOSE_DRAIN, 1000, count_free, &first_close, NULL), KVL_OK);
    answer(next_request(&fixture), "v");
    wait_for_free(&first);
    STATUS(first.status, KVL_VALUE);
    CHECK(wait_for(&fixture, &fixture.held_len, 2));
    CHECK(first_close.freed == 0);
    recorder_init(&second_close, &fixture);
    STATUS(kvl_tasks_close(fixture.tasks, KVL_CLOSE_DRAIN, KVL_FOREVER, count_free, &second_close, NULL), KVL_OK);
    STATUS(kvl_clock_advance(fixture.clock, 1000), KVL_OK); /* a second close can only shorten the time */
    wait_for_free(&second);
    STATUS(second.status, KVL_ERR_CLOSED);
    recorder_release(&second);
    wait_for_free(&first_close);
    wait_for_free(&second_close);
    kvl_request_release(next_request(&fixture));
    free_engine(&fixture);
}

#ifndef _WIN32
/* ---- fork ------------------------------------------------------------------------------------------------------------ */

static void count_drop(void *object)
{
    ++*(int *)object;
}

/* Uses new handles in the child. Returns the number of wrong statuses. */
static unsigned char use_new_handles(void)
{
    unsigned char wrong = 0;
#ifndef KVL_RACE /* parking_lot, which replaces std's locks in that build, keeps a table of the parent's threads */
    struct fixture child;
    kvl_config_t *config = fixture_init(&child);
    kvl_value_t *value = NULL;
    kvl_error_t *error = NULL;

    wrong = (unsigned char)(wrong + (kvl_tasks_new(config, &child.tasks, &error) != KVL_OK));
    kvl_config_free(config);
    wrong = (unsigned char)(wrong + (kvl_tasks_fetch_wait(child.tasks, KEY("k"), NULL, NULL, &value, NULL) != KVL_VALUE));
    kvl_value_release(value);
    wrong = (unsigned char)(wrong + (kvl_tasks_free(child.tasks) != KVL_OK) + (child.freed != 1));
#endif
    return wrong;
}

/* Called in the child, with handles of the parent. Returns the number of wrong statuses. Prints nothing: the output is the parent's. */
static unsigned char use_old_handles(struct fixture *fixture, kvl_config_t *config, kvl_fetch_t *fetch, kvl_request_t *request,
                                     kvl_results_t *results, kvl_cache_t *cache, kvl_value_t *kept)
{
    static const kvl_slice_t keys[] = { SLICE("k") };
    kvl_tasks_t *tasks = fixture->tasks;
    kvl_value_t *value = NULL;
    kvl_results_t *out = NULL;
    kvl_cache_t *its_cache = NULL;
    kvl_stats_t stats;
    const uint8_t *key;
    void *object;
    size_t len;
    int freed = 0;
    unsigned char wrong = 0;

    FORKED(kvl_tasks_new(config, &tasks, NULL));
    tasks = fixture->tasks;
    FORKED(kvl_tasks_cache(tasks, &its_cache));
    FORKED(kvl_tasks_get(tasks, KEY("k"), &value));
    FORKED(kvl_tasks_get_object(tasks, KEY("k"), &object, &value));
    FORKED(kvl_tasks_fetch(tasks, KEY("k"), NULL, NULL, record_result, NULL, NULL, &value));
    FORKED(kvl_tasks_fetch_each(tasks, keys, 1, NULL, NULL, record_result, NULL, NULL));
    FORKED(kvl_tasks_fetch_all(tasks, keys, 1, NULL, NULL, record_results, NULL, NULL, &out));
    FORKED(kvl_tasks_fetch_wait(tasks, KEY("k"), NULL, NULL, &value, NULL));
    FORKED(kvl_tasks_fetch_all_wait(tasks, keys, 1, NULL, NULL, &out));
    FORKED(kvl_tasks_refresh(tasks, keys, 1, NULL));
    FORKED(kvl_tasks_gather(tasks, 1));
    FORKED(kvl_tasks_breaker_force(tasks, KVL_BREAKER_FORCE_OPEN));
    FORKED(kvl_tasks_invalidate(tasks, keys, 1, 0));
    FORKED(kvl_tasks_l2_sync(tasks, 0));
    FORKED(kvl_config_set_l2(config, 0, NULL, NULL, NULL));
    FORKED(kvl_tasks_stats(tasks, &stats, sizeof stats));
    FORKED(kvl_tasks_stats_json(tasks, &value));
    FORKED(kvl_tasks_stats_openmetrics(tasks, &value));
    FORKED(kvl_tasks_stats_reset(tasks));
    FORKED(kvl_tasks_close(tasks, KVL_CLOSE_CANCEL, 0, NULL, NULL, NULL));
    FORKED(kvl_fetch_set_context(fetch, &freed, count_drop));
    wrong = (unsigned char)(wrong + (freed != 1));
    FORKED(kvl_fetch_set_urgency(fetch, 1));
    FORKED(kvl_fetch_cancel(fetch));
    FORKED(kvl_fetch_wait(fetch, KVL_FOREVER));
    FORKED(kvl_fetch_progress(fetch, &len, &len, &len));
    FORKED(kvl_request_key(request, 0, &key, &len));
    FORKED(kvl_request_heartbeat(request));
    FORKED(kvl_request_stale(request, 0, &value, NULL, NULL));
    FORKED(kvl_request_not_modified(request, 0, NULL));
    FORKED(kvl_request_resolve(request, 0, kvl_value_null(), NULL));
    FORKED(kvl_request_resolve(request, 0, kvl_value_null(), TERMS(1, 0, 1)));
    FORKED(kvl_request_resolve_bytes(request, 0, KEY("v"), NULL));
    FORKED(kvl_request_resolve_object(request, 0, &freed, 1, count_drop, NULL));
    wrong = (unsigned char)(wrong + (freed != 2));
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
    wrong = (unsigned char)(wrong + (kvl_request_len(request) != 0) + (kvl_results_len(results) != 0) + (kvl_tasks_reads_store_first(tasks) != 0));
    /* Freeing has no effect. */
    FORKED(kvl_tasks_free(tasks));
    kvl_tasks_dispose(tasks);
    kvl_fetch_release(fetch);
    kvl_request_release(request);
    kvl_results_release(results);
    kvl_cache_release(cache);
    /* A value is plain memory. */
    wrong = (unsigned char)(wrong + (kvl_value_data(kept, &len)[0] != 'k') + (len != 1));
    return (unsigned char)(wrong + use_new_handles());
}

static void l06_handles_return_forked_in_the_child(void)
{
    static const kvl_slice_t keys[] = { SLICE("k") };
    struct fixture fixture;
    struct recorder recorder;
    kvl_config_t *config = NULL;
    kvl_fetch_t *fetch = NULL;
    kvl_request_t *request;
    kvl_results_t *results = NULL;
    kvl_cache_t *cache = NULL;
    kvl_value_t *kept = NULL;
    unsigned char wrong = 255;
    int answers[2];
    pid_t child;

    create_engine(&fixture, fixture_init(&fixture));
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    STATUS(kvl_tasks_cache(fixture.tasks, &cache), KVL_OK);
    STATUS(kvl_tasks_fetch_all_wait(fixture.tasks, keys, 1, NULL, NULL, &results), KVL_OK);
    STATUS(kvl_tasks_get(fixture.tasks, KEY("k"), &kept), KVL_VALUE);
    fetch_recorded(&recorder, &fixture, "hold", NULL, fetch);
    request = next_request(&fixture);
    CHECK(pipe(answers) == 0);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        wrong = use_old_handles(&fixture, config, fetch, request, results, cache, kept);
        /* Killed, instead of exiting, because a leak checker would report the memory copied from the parent. */
        if (write(answers[1], &wrong, 1) == 1)
            raise(SIGKILL);
        _exit(1);
    }
    CHECK(child > 0 && read(answers[0], &wrong, 1) == 1 && wrong == 0);
    CHECK(waitpid(child, NULL, 0) == child);
    close(answers[0]);
    close(answers[1]);

    /* The parent's engine still works. */
    answer(request, "v");
    wait_for_free(&recorder);
    STATUS(recorder.status, KVL_VALUE);
    kvl_fetch_release(fetch);
    kvl_results_release(results);
    kvl_value_release(kept);
    kvl_cache_release(cache);
    kvl_config_free(config);
    free_engine(&fixture);
}
#endif

int main(void)
{
    silence_unused_warnings();
    l09_an_engine_needs_a_provider_and_valid_settings();
    f01_f02_a_fetch_of_one_key_is_delivered_once();
    f04_fetch_each_delivers_one_event_for_each_key();
    f03_progress_never_decreases();
    f21_the_blocking_calls_wait_for_the_answer();
    l09_the_error_of_a_rejected_wait_states_the_reason();
    f13_a_single_fetch_without_a_place_fails();
    f21_l02_a_blocking_call_is_rejected_if_the_provider_is_on_a_queue();
    l02_an_event_loop_waits_for_the_queue();
    f14a_keys_that_gather_share_a_request();
    f14a_a_call_that_waits_hands_out_what_has_gathered();
    f14a_a_wait_for_a_fetch_that_is_just_beginning_hands_out_what_has_gathered();
    f01_a_wait_for_a_fetch_ends_if_its_call_is_refused();
    f19_a_refresh_reloads_and_stores();
    f19_a_fetch_without_options_reads_the_store_first_unless_the_engine_always_reloads();
    s10_a_validator_comes_before_the_store();
    l04_a_call_that_fails_frees_its_user_data();
    s12_fetches_and_loads_are_counted();
    f08_a_put_to_the_engines_cache_overtakes_a_load();
    l01_blocking_calls_are_rejected_inside_every_callback();
    l05_an_engine_can_be_disposed_of_inside_a_callback();
    l05_an_engine_can_be_disposed_of_inside_a_validator();
    l05_close_drain_and_free_end_in_order();
#ifndef _WIN32
    l06_handles_return_forked_in_the_child();
#endif
    DONE();
}
