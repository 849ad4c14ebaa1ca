/* Fetch handles: made before the call, to cancel by, to wait for, to hurry, and to carry something for the provider.
 * Not reached here: KVL_ERR_PANIC; KVL_ERR_FORKED is reached in tasks.c. */
#define _POSIX_C_SOURCE 200809L
#include "engine.h"

static void f09_cancel_before_the_call(void)
{
    struct world world;
    struct heard heard;
    kvl_fetch_t *fetch = NULL;

    begin(&world, prepare(&world));
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    STATUS(kvl_fetch_cancel(fetch), KVL_OK);
    listen(&heard, &world);
    STATUS(kvl_tasks_fetch(world.tasks, KEY("k"), NULL, fetch, hear, &heard, heard_ends, NULL), KVL_ERR_CANCELLED);
    CHECK(heard.times == 0 && heard.ended == 1);
    STATUS(kvl_fetch_wait(fetch, KVL_FOREVER), KVL_OK);
    kvl_fetch_release(fetch);
    end(&world);
}

static void f09_cancel_while_it_waits_and_after(void)
{
    struct world world;
    struct heard mine, theirs;
    kvl_fetch_t *fetch = NULL;
    size_t done = 9, failed = 9, total = 9;

    begin(&world, prepare(&world));
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    STATUS(kvl_fetch_progress(fetch, &done, &failed, &total), KVL_OK);
    CHECK(done == 0 && failed == 0 && total == 0);
    ask(&mine, &world, "hold", NULL, fetch);
    ask(&theirs, &world, "hold", NULL, NULL);
    STATUS(kvl_fetch_wait(fetch, 0), KVL_EMPTY);
    STATUS(kvl_fetch_wait(fetch, 1), KVL_EMPTY);
    STATUS(kvl_fetch_wait(fetch, -2), KVL_ERR_INVALID_ARG);
    STATUS(kvl_fetch_cancel(fetch), KVL_OK);
    STATUS(kvl_fetch_cancel(fetch), KVL_OK);
    STATUS(kvl_fetch_wait(fetch, KVL_FOREVER), KVL_OK);
    /* the user data ended before the wait did */
    CHECK(mine.times == 1 && mine.ended == 1 && mine.status == KVL_ERR_CANCELLED && mine.flags == KVL_F_LAST);
    STATUS(kvl_fetch_progress(fetch, &done, &failed, &total), KVL_OK);
    CHECK(done == 1 && failed == 1 && total == 1);
    STATUS(kvl_fetch_progress(fetch, NULL, NULL, NULL), KVL_OK);
    answer(next_request(&world), "v");
    ends(&theirs);
    CHECK(theirs.status == KVL_VALUE && theirs.source == KVL_SOURCE_JOINED);
    STATUS(kvl_fetch_cancel(fetch), KVL_OK);
    STATUS(kvl_fetch_set_context(fetch, NULL, NULL), KVL_ERR_ALREADY_USED);
    listen(&theirs, &world);
    STATUS(kvl_tasks_fetch(world.tasks, KEY("k"), NULL, fetch, hear, &theirs, heard_ends, NULL), KVL_ERR_ALREADY_USED);
    CHECK(theirs.ended == 1);
    kvl_fetch_release(fetch);
    let_go(&mine);
    end(&world);
}

static void f09_release_does_not_cancel(void)
{
    struct world world;
    struct heard heard;
    kvl_fetch_t *fetch = NULL;

    begin(&world, prepare(&world));
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    CHECK(kvl_fetch_retain(fetch) == fetch);
    ask(&heard, &world, "hold", NULL, fetch);
    kvl_fetch_release(fetch);
    kvl_fetch_release(fetch);
    answer(next_request(&world), "v");
    ends(&heard);
    CHECK(heard.status == KVL_VALUE);
    end(&world);
}

static void f13_urgency_before_and_while_it_waits(void)
{
    struct world world;
    struct heard busy, hurried, plain;
    kvl_fetch_t *fetch = NULL;
    kvl_config_t *config = prepare(&world);
    kvl_request_t *request;
    const uint8_t *key;
    size_t len;

    STATUS(kvl_config_set_int(config, "tasks.max_running", 1), KVL_OK);
    begin(&world, config);
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    STATUS(kvl_fetch_set_urgency(fetch, 1), KVL_OK);
    ask(&busy, &world, "hold", NULL, NULL);
    ask(&hurried, &world, "hold hurried", NULL, fetch);
    ask(&plain, &world, "hold plain", NULL, NULL);
    STATUS(kvl_fetch_set_urgency(fetch, 7), KVL_OK);
    answer(next_request(&world), "v");
    request = next_request(&world);
    STATUS(kvl_request_key(request, 0, &key, &len), KVL_OK);
    CHECK(len == strlen("hold hurried") && memcmp(key, "hold hurried", len) == 0);
    CHECK(kvl_request_urgency(request) == 7);
    answer(request, "v");
    answer(next_request(&world), "v");
    ends(&busy);
    ends(&hurried);
    ends(&plain);
    kvl_fetch_release(fetch);
    end(&world);
}

struct context {
    int ended;
};

static void context_ends(void *context)
{
    ((struct context *)context)->ended++;
}

static void l04_a_context_ends_once(void)
{
    struct world world;
    struct heard heard;
    struct context first = { 0 }, second = { 0 }, third = { 0 };
    kvl_fetch_t *fetch = NULL;
    kvl_request_t *request;

    begin(&world, prepare(&world));
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    STATUS(kvl_fetch_set_context(fetch, &first, context_ends), KVL_OK);
    STATUS(kvl_fetch_set_context(fetch, &second, context_ends), KVL_OK);
    CHECK(first.ended == 1);
    ask(&heard, &world, "hold", NULL, fetch);
    STATUS(kvl_fetch_set_context(fetch, &third, context_ends), KVL_ERR_ALREADY_USED);
    CHECK(third.ended == 1);
    request = next_request(&world);
    CHECK(kvl_request_context(request, 0) == &second && kvl_request_context(request, 1) == NULL);
    answer(request, "v");
    ends(&heard);
    kvl_fetch_release(fetch);

    STATUS(kvl_fetch_set_context(NULL, &third, context_ends), KVL_ERR_NULL_POINTER);
    CHECK(third.ended == 2);
    STATUS(kvl_fetch_new(&fetch), KVL_OK);
    STATUS(kvl_fetch_set_context(fetch, &first, context_ends), KVL_OK);
    kvl_fetch_release(fetch);
    CHECK(first.ended == 2); /* one that was never used */
    end(&world);
    CHECK(second.ended == 1);
}

static kvl_fetch_t *waited;

static void wait_inside(struct heard *heard)
{
    (void)heard;
    STATUS(kvl_fetch_wait(waited, KVL_FOREVER), KVL_ERR_REENTRANT);
    STATUS(kvl_fetch_wait(waited, 0), KVL_ERR_REENTRANT);
}

static void f21_a_wait_inside_a_callback_is_refused(void)
{
    struct world world;
    struct heard heard;

    begin(&world, prepare(&world));
    STATUS(kvl_fetch_new(&waited), KVL_OK);
    listen(&heard, &world);
    heard.inside = wait_inside;
    STATUS(kvl_tasks_fetch(world.tasks, KEY("k"), NULL, waited, hear, &heard, heard_ends, NULL), KVL_PENDING);
    STATUS(kvl_fetch_wait(waited, KVL_FOREVER), KVL_OK);
    CHECK(heard.times == 1 && heard.ended == 1);
    kvl_fetch_release(waited);
    end(&world);
}

enum { THOUSAND = 1000 };

struct crowd {
    pthread_mutex_t lock;
    pthread_cond_t news;
    int asked, answered, values;
};

/* Answers when everybody has asked. */
static void provide_later(void *user_data, kvl_request_t *request)
{
    struct crowd *crowd = user_data;
    size_t i;

    pthread_mutex_lock(&crowd->lock);
    while (crowd->asked < THOUSAND)
        pthread_cond_wait(&crowd->news, &crowd->lock);
    pthread_mutex_unlock(&crowd->lock);
    for (i = 0; i < kvl_request_len(request); i++)
        STATUS(kvl_request_resolve_bytes(request, i, KEY("v"), NULL), KVL_OK);
}

static void hear_one(void *user_data, const kvl_result_t *result)
{
    struct crowd *crowd = user_data;

    pthread_mutex_lock(&crowd->lock);
    crowd->values += result->status == KVL_VALUE;
    crowd->answered++;
    pthread_cond_broadcast(&crowd->news);
    pthread_mutex_unlock(&crowd->lock);
}

static void f13f_a_thousand_single_fetches_at_once_on_the_defaults(void)
{
    struct crowd crowd = { .asked = 0 };
    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;
    char key[16];
    int i;

    pthread_mutex_init(&crowd.lock, NULL);
    pthread_cond_init(&crowd.news, NULL);
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide_later, &crowd, NULL), KVL_OK);
    STATUS(kvl_tasks_new(config, &tasks, NULL), KVL_OK);
    kvl_config_free(config);
    for (i = 0; i < THOUSAND; i++) {
        snprintf(key, sizeof key, "key %d", i);
        STATUS(kvl_tasks_fetch(tasks, KEY(key), NULL, NULL, hear_one, &crowd, NULL, NULL), KVL_PENDING);
    }
    pthread_mutex_lock(&crowd.lock);
    crowd.asked = THOUSAND;
    pthread_cond_broadcast(&crowd.news);
    while (crowd.answered < THOUSAND)
        pthread_cond_wait(&crowd.news, &crowd.lock);
    CHECK(crowd.values == THOUSAND);
    pthread_mutex_unlock(&crowd.lock);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    pthread_cond_destroy(&crowd.news);
    pthread_mutex_destroy(&crowd.lock);
}

static void l09b_progress_that_nobody_hears_is_refused(void)
{
    const kvl_slice_t keys[] = { SLICE("a"), SLICE("b") };
    struct world world;
    struct heard heard;
    kvl_options_t *options = NULL;
    kvl_results_t *results = NULL;
    kvl_value_t *value = NULL;

    begin(&world, prepare(&world));
    STATUS(kvl_options_new(&options), KVL_OK);
    STATUS(kvl_options_set_progress(options, NULL, 1), KVL_OK);
    listen(&heard, &world);
    STATUS(kvl_tasks_fetch(world.tasks, KEY("k"), options, NULL, hear, &heard, heard_ends, NULL), KVL_ERR_NO_CALLBACK);
    CHECK(heard.times == 0 && heard.ended == 1);
    listen(&heard, &world);
    STATUS(kvl_tasks_fetch_each(world.tasks, keys, COUNT(keys), options, NULL, hear, &heard, heard_ends), KVL_ERR_NO_CALLBACK);
    CHECK(heard.times == 0 && heard.ended == 1);
    listen(&heard, &world);
    STATUS(kvl_tasks_fetch_all(world.tasks, keys, COUNT(keys), options, NULL, hear_all, &heard, heard_ends, NULL), KVL_ERR_NO_CALLBACK);
    CHECK(heard.times == 0 && heard.ended == 1);
    /* who waits sees no progress, and asks for none */
    STATUS(kvl_tasks_fetch_wait(world.tasks, KEY("k"), options, NULL, &value, NULL), KVL_VALUE);
    STATUS(kvl_tasks_fetch_all_wait(world.tasks, keys, COUNT(keys), options, NULL, &results), KVL_OK);
    kvl_value_release(value);
    kvl_results_release(results);
    kvl_options_free(options);
    end(&world);
}

static void l09_null(void)
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
    use_all();
    f09_cancel_before_the_call();
    f09_cancel_while_it_waits_and_after();
    f09_release_does_not_cancel();
    f13_urgency_before_and_while_it_waits();
    l04_a_context_ends_once();
    f21_a_wait_inside_a_callback_is_refused();
    f13f_a_thousand_single_fetches_at_once_on_the_defaults();
    l09b_progress_that_nobody_hears_is_refused();
    l09_null();
    DONE();
}
