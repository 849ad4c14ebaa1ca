/* Fetch handles: cancelling, waiting, changing the urgency, and carrying a context for the provider.
 * Of the statuses of these functions, not reached here: KVL_ERR_PANIC, and KVL_ERR_FORKED, which tasks.c reaches. */
#define _POSIX_C_SOURCE 200809L
#include "engine.h"

static void f09_a_call_with_a_cancelled_handle_loads_nothing(void)
{
    struct fixture fixture;
    struct recorder recorder;
    kvl_fetch_t *fetch = NULL;

    create_engine(&fixture, fixture_init(&fixture));
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    STATUS(kvl_fetch_cancel(fetch), KVL_OK);
    recorder_init(&recorder, &fixture);
    STATUS(kvl_tasks_fetch(fixture.tasks, KEY("k"), NULL, fetch, record_result, &recorder, count_free, NULL), KVL_ERR_CANCELLED);
    CHECK(recorder.events == 0 && recorder.freed == 1);
    STATUS(kvl_fetch_wait(fetch, KVL_FOREVER), KVL_OK);
    kvl_fetch_release(fetch);
    free_engine(&fixture);
}

static void f09_a_fetch_can_be_cancelled_while_it_waits_and_afterwards(void)
{
    struct fixture fixture;
    struct recorder mine, theirs;
    kvl_fetch_t *fetch = NULL;
    size_t done = 9, failed = 9, total = 9;

    create_engine(&fixture, fixture_init(&fixture));
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    STATUS(kvl_fetch_progress(fetch, &done, &failed, &total), KVL_OK);
    CHECK(done == 0 && failed == 0 && total == 0);
    fetch_recorded(&mine, &fixture, "hold", NULL, fetch);
    fetch_recorded(&theirs, &fixture, "hold", NULL, NULL);
    STATUS(kvl_fetch_wait(fetch, 0), KVL_EMPTY);
    STATUS(kvl_fetch_wait(fetch, 1), KVL_EMPTY);
    STATUS(kvl_fetch_wait(fetch, -2), KVL_ERR_INVALID_ARG);
    STATUS(kvl_fetch_cancel(fetch), KVL_OK);
    STATUS(kvl_fetch_cancel(fetch), KVL_OK);
    STATUS(kvl_fetch_wait(fetch, KVL_FOREVER), KVL_OK);
    /* The user data was freed before the wait returned. */
    CHECK(mine.events == 1 && mine.freed == 1 && mine.status == KVL_ERR_CANCELLED && mine.flags == KVL_F_LAST);
    STATUS(kvl_fetch_progress(fetch, &done, &failed, &total), KVL_OK);
    CHECK(done == 1 && failed == 1 && total == 1);
    STATUS(kvl_fetch_progress(fetch, NULL, NULL, NULL), KVL_OK);
    answer(next_request(&fixture), "v");
    wait_for_free(&theirs);
    CHECK(theirs.status == KVL_VALUE && theirs.source == KVL_SOURCE_JOINED);
    STATUS(kvl_fetch_cancel(fetch), KVL_OK);
    STATUS(kvl_fetch_set_context(fetch, NULL, NULL), KVL_ERR_ALREADY_USED);
    recorder_init(&theirs, &fixture);
    STATUS(kvl_tasks_fetch(fixture.tasks, KEY("k"), NULL, fetch, record_result, &theirs, count_free, NULL), KVL_ERR_ALREADY_USED);
    CHECK(theirs.freed == 1);
    kvl_fetch_release(fetch);
    recorder_release(&mine);
    free_engine(&fixture);
}

static void f09_releasing_a_fetch_does_not_cancel_it(void)
{
    struct fixture fixture;
    struct recorder recorder;
    kvl_fetch_t *fetch = NULL;

    create_engine(&fixture, fixture_init(&fixture));
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    CHECK(kvl_fetch_retain(fetch) == fetch);
    fetch_recorded(&recorder, &fixture, "hold", NULL, fetch);
    kvl_fetch_release(fetch);
    kvl_fetch_release(fetch);
    answer(next_request(&fixture), "v");
    wait_for_free(&recorder);
    CHECK(recorder.status == KVL_VALUE);
    free_engine(&fixture);
}

static void f13_urgency_can_be_set_before_and_while_a_fetch_waits(void)
{
    struct fixture fixture;
    struct recorder busy, hurried, plain;
    kvl_fetch_t *fetch = NULL;
    kvl_config_t *config = fixture_init(&fixture);
    kvl_request_t *request;
    const uint8_t *key;
    size_t len;

    STATUS(kvl_config_set_int(config, "tasks.max_running", 1), KVL_OK);
    create_engine(&fixture, config);
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    STATUS(kvl_fetch_set_urgency(fetch, 1), KVL_OK);
    fetch_recorded(&busy, &fixture, "hold", NULL, NULL);
    fetch_recorded(&hurried, &fixture, "hold hurried", NULL, fetch);
    fetch_recorded(&plain, &fixture, "hold plain", NULL, NULL);
    STATUS(kvl_fetch_set_urgency(fetch, 7), KVL_OK);
    answer(next_request(&fixture), "v");
    request = next_request(&fixture);
    STATUS(kvl_request_key(request, 0, &key, &len), KVL_OK);
    CHECK(len == strlen("hold hurried") && memcmp(key, "hold hurried", len) == 0);
    CHECK(kvl_request_urgency(request) == 7);
    answer(request, "v");
    answer(next_request(&fixture), "v");
    wait_for_free(&busy);
    wait_for_free(&hurried);
    wait_for_free(&plain);
    kvl_fetch_release(fetch);
    free_engine(&fixture);
}

struct context {
    int freed;
};

static void count_context_free(void *context)
{
    ((struct context *)context)->freed++;
}

static void l04_a_context_is_freed_once(void)
{
    struct fixture fixture;
    struct recorder recorder;
    struct context first = { 0 }, second = { 0 }, third = { 0 };
    kvl_fetch_t *fetch = NULL;
    kvl_request_t *request;

    create_engine(&fixture, fixture_init(&fixture));
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    STATUS(kvl_fetch_set_context(fetch, &first, count_context_free), KVL_OK);
    STATUS(kvl_fetch_set_context(fetch, &second, count_context_free), KVL_OK);
    CHECK(first.freed == 1);
    fetch_recorded(&recorder, &fixture, "hold", NULL, fetch);
    STATUS(kvl_fetch_set_context(fetch, &third, count_context_free), KVL_ERR_ALREADY_USED);
    CHECK(third.freed == 1);
    request = next_request(&fixture);
    CHECK(kvl_request_context(request, 0) == &second && kvl_request_context(request, 1) == NULL);
    answer(request, "v");
    wait_for_free(&recorder);
    kvl_fetch_release(fetch);

    STATUS(kvl_fetch_set_context(NULL, &third, count_context_free), KVL_ERR_NULL_POINTER);
    CHECK(third.freed == 2);
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    STATUS(kvl_fetch_set_context(fetch, &first, count_context_free), KVL_OK);
    kvl_fetch_release(fetch);
    CHECK(first.freed == 2); /* also the context of a handle that was never used */
    free_engine(&fixture);
    CHECK(second.freed == 1);
}

static kvl_fetch_t *waited;

static void wait_inside(struct recorder *recorder)
{
    (void)recorder;
    STATUS(kvl_fetch_wait(waited, KVL_FOREVER), KVL_ERR_REENTRANT);
    STATUS(kvl_fetch_wait(waited, 0), KVL_ERR_REENTRANT);
}

static void f21_a_wait_inside_a_callback_is_rejected(void)
{
    struct fixture fixture;
    struct recorder recorder;

    create_engine(&fixture, fixture_init(&fixture));
    STATUS(kvl_fetch_new(&waited), KVL_OK);
    recorder_init(&recorder, &fixture);
    recorder.first = wait_inside;
    STATUS(kvl_tasks_fetch(fixture.tasks, KEY("k"), NULL, waited, record_result, &recorder, count_free, NULL), KVL_PENDING);
    STATUS(kvl_fetch_wait(waited, KVL_FOREVER), KVL_OK);
    CHECK(recorder.events == 1 && recorder.freed == 1);
    kvl_fetch_release(waited);
    free_engine(&fixture);
}

enum { FETCHES = 1000 };

struct crowd {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int asked, answered, values;
};

/* Answers once all fetches have started. */
static void provide_later(void *user_data, kvl_request_t *request)
{
    struct crowd *crowd = user_data;
    size_t i;

    pthread_mutex_lock(&crowd->lock);
    while (crowd->asked < FETCHES)
        pthread_cond_wait(&crowd->changed, &crowd->lock);
    pthread_mutex_unlock(&crowd->lock);
    for (i = 0; i < kvl_request_len(request); i++)
        STATUS(kvl_request_resolve_bytes(request, i, KEY("v"), NULL), KVL_OK);
}

static void count_result(void *user_data, const kvl_result_t *result)
{
    struct crowd *crowd = user_data;

    pthread_mutex_lock(&crowd->lock);
    crowd->values += result->status == KVL_VALUE;
    crowd->answered++;
    pthread_cond_broadcast(&crowd->changed);
    pthread_mutex_unlock(&crowd->lock);
}

static void f13f_a_thousand_single_fetches_succeed_with_the_defaults(void)
{
    struct crowd crowd = { .asked = 0 };
    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;
    char key[16];
    int i;

    pthread_mutex_init(&crowd.lock, NULL);
    pthread_cond_init(&crowd.changed, NULL);
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide_later, &crowd, NULL), KVL_OK);
    STATUS(kvl_tasks_new(config, &tasks, NULL), KVL_OK);
    kvl_config_free(config);
    for (i = 0; i < FETCHES; i++) {
        snprintf(key, sizeof key, "key %d", i);
        STATUS(kvl_tasks_fetch(tasks, KEY(key), NULL, NULL, count_result, &crowd, NULL, NULL), KVL_PENDING);
    }
    pthread_mutex_lock(&crowd.lock);
    crowd.asked = FETCHES;
    pthread_cond_broadcast(&crowd.changed);
    while (crowd.answered < FETCHES)
        pthread_cond_wait(&crowd.changed, &crowd.lock);
    CHECK(crowd.values == FETCHES);
    pthread_mutex_unlock(&crowd.lock);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    pthread_cond_destroy(&crowd.changed);
    pthread_mutex_destroy(&crowd.lock);
}

static void l09b_progress_without_a_function_is_rejected(void)
{
    const kvl_slice_t keys[] = { SLICE("a"), SLICE("b") };
    struct fixture fixture;
    struct recorder recorder;
    kvl_options_t *options = NULL;
    kvl_results_t *results = NULL;
    kvl_value_t *value = NULL;

    create_engine(&fixture, fixture_init(&fixture));
    STATUS(kvl_options_new(&options), KVL_OK);
    STATUS(kvl_options_set_progress(options, NULL, 1), KVL_OK);
    recorder_init(&recorder, &fixture);
    STATUS(kvl_tasks_fetch(fixture.tasks, KEY("k"), options, NULL, record_result, &recorder, count_free, NULL), KVL_ERR_NO_CALLBACK);
    CHECK(recorder.events == 0 && recorder.freed == 1);
    recorder_init(&recorder, &fixture);
    STATUS(kvl_tasks_fetch_each(fixture.tasks, keys, COUNT(keys), options, NULL, record_result, &recorder, count_free), KVL_ERR_NO_CALLBACK);
    CHECK(recorder.events == 0 && recorder.freed == 1);
    recorder_init(&recorder, &fixture);
    STATUS(kvl_tasks_fetch_all(fixture.tasks, keys, COUNT(keys), options, NULL, record_results, &recorder, count_free, NULL), KVL_ERR_NO_CALLBACK);
    CHECK(recorder.events == 0 && recorder.freed == 1);
    /* A blocking call reports no progress, and needs no function for it. */
    STATUS(kvl_tasks_fetch_wait(fixture.tasks, KEY("k"), options, NULL, &value, NULL), KVL_VALUE);
    STATUS(kvl_tasks_fetch_all_wait(fixture.tasks, keys, COUNT(keys), options, NULL, &results), KVL_OK);
    kvl_value_release(value);
    kvl_results_release(results);
    kvl_options_free(options);
    free_engine(&fixture);
}

static void l09_null_is_refused_or_ignored(void)
{
    size_t done;

    STATUS(kvl_fetch_new(NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_fetch_set_urgency(NULL, 1), KVL_ERR_NULL_POINTER);
    STATUS(kvl_fetch_cancel(NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_fetch_wait(NULL, 0), KVL_ERR_NULL_POINTER);
    STATUS(kvl_fetch_progress(NULL, &done, NULL, NULL), KVL_ERR_NULL_POINTER);
    CHECK(kvl_fetch_retain(NULL) == NULL);
    kvl_fetch_release(NULL);
}

int main(void)
{
    silence_unused_warnings();
    f09_a_call_with_a_cancelled_handle_loads_nothing();
    f09_a_fetch_can_be_cancelled_while_it_waits_and_afterwards();
    f09_releasing_a_fetch_does_not_cancel_it();
    f13_urgency_can_be_set_before_and_while_a_fetch_waits();
    l04_a_context_is_freed_once();
    f21_a_wait_inside_a_callback_is_rejected();
    f13f_a_thousand_single_fetches_succeed_with_the_defaults();
    l09b_progress_without_a_function_is_rejected();
    l09_null_is_refused_or_ignored();
    DONE();
}
