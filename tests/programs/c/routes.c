/* All eight combinations of routes: results, requests and removals, each on a queue or on threads of the library (rules L02a, L05b). */
#define _POSIX_C_SOURCE 200809L
#include "../system.h"
#include "check.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define KEY(text) (const uint8_t *)(text), strlen(text)
/* The number of mixtures. A mixture has KVL_QUEUE_F_* for each of the three kinds of events that goes to a queue. */
#define MIXTURES 8

/* The kinds of functions of the program that an engine calls. */
enum callback { RESULT, PROVIDER, REMOVAL, CANCEL, DESTRUCTOR, CLOSED, KINDS };

/* The flag that routes each kind to a queue. */
static const uint32_t routed_by[KINDS] = { KVL_QUEUE_F_RESULTS,  KVL_QUEUE_F_PROVIDER, KVL_QUEUE_F_REMOVALS,
                                            KVL_QUEUE_F_PROVIDER, KVL_QUEUE_F_RESULTS,  KVL_QUEUE_F_RESULTS };

struct story {
    pthread_mutex_t lock;
    pthread_cond_t news;
    uint32_t mixture;
    kvl_queue_t *queues[3]; /* for results, requests, removals */
    kvl_tasks_t *tasks;
    kvl_cache_t *cache;
    kvl_request_t *held; /* of a key that begins with "hold" */
    enum callback blocks; /* waits inside its call until `open`; KINDS: none */
    int open;
    int engine_freed;     /* whether kvl_tasks_free() has returned */
    int late;             /* calls that the free should have waited for */
    int stopped;          /* tells the readers to end */
    int times[KINDS], data_freed, provider_freed, listener_freed, removals_before_the_result;
    pthread_t where[KINDS];
};

/* Waits for a minute at most, and checks that the number is reached. */
static void wait_until(struct story *story, const int *number, int wanted)
{
    struct timespec end;
    int reached;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 60;
    pthread_mutex_lock(&story->lock);
    while (*number < wanted && pthread_cond_timedwait(&story->news, &story->lock, &end) == 0) {}
    reached = *number == wanted;
    pthread_mutex_unlock(&story->lock);
    CHECK(reached);
}

/* Checks that the number does not change for 10 ms. */
static void check_unchanged(struct story *story, const int *number, int wanted)
{
    struct timespec end;
    int still;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += 10000000;
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    pthread_mutex_lock(&story->lock);
    while (*number == wanted && pthread_cond_timedwait(&story->news, &story->lock, &end) == 0) {}
    still = *number == wanted;
    pthread_mutex_unlock(&story->lock);
    CHECK(still);
}

static void count(struct story *story, int *number)
{
    pthread_mutex_lock(&story->lock);
    ++*number;
    pthread_cond_broadcast(&story->news);
    pthread_mutex_unlock(&story->lock);
}

/* Called by every function of the program. */
static void enter_callback(struct story *story, enum callback kind)
{
    int before;

    pthread_mutex_lock(&story->lock);
    before = story->engine_freed;
    story->times[kind]++;
    story->where[kind] = pthread_self();
    pthread_cond_broadcast(&story->news);
    while (story->blocks == kind && !story->open)
        pthread_cond_wait(&story->news, &story->lock);
    /* kvl_tasks_free() waits for running calls. A call that begins later can only be for an event in a queue. */
    if (story->engine_freed && (!before || (story->mixture & routed_by[kind]) == 0))
        story->late++;
    pthread_mutex_unlock(&story->lock);
}

static void cancelled(void *user_data, kvl_request_t *request, uint32_t why)
{
    (void)request;
    (void)why;
    enter_callback(user_data, CANCEL);
}

static void provide(void *user_data, kvl_request_t *request)
{
    struct story *story = user_data;
    const kvl_slice_t *key = kvl_request_keys(request);

    enter_callback(story, PROVIDER);
    if (key->len >= 4 && memcmp(key->data, "hold", 4) == 0) {
        STATUS(kvl_request_on_cancel(request, cancelled, story, NULL), KVL_OK);
        pthread_mutex_lock(&story->lock);
        story->held = kvl_request_retain(request);
        pthread_mutex_unlock(&story->lock);
        return;
    }
    /* An engine that is closing rejects the answer. */
    kvl_request_resolve_bytes(request, 0, KEY("v"), NULL);
}

static void removed(void *user_data, const kvl_result_t *entry, kvl_cause_t cause)
{
    (void)entry;
    (void)cause;
    enter_callback(user_data, REMOVAL);
}

static void result(void *user_data, const kvl_result_t *of)
{
    struct story *story = user_data;

    (void)of;
    story->removals_before_the_result = story->times[REMOVAL];
    enter_callback(story, RESULT);
}

static void destructor(void *object)
{
    enter_callback(object, DESTRUCTOR);
}

static void closed(void *user_data)
{
    enter_callback(user_data, CLOSED);
}

static void count_data_free(void *user_data)
{
    struct story *story = user_data;
    count(story, &story->data_freed);
}

static void count_provider_free(void *user_data)
{
    struct story *story = user_data;
    count(story, &story->provider_freed);
}

static void count_listener_free(void *user_data)
{
    struct story *story = user_data;
    count(story, &story->listener_freed);
}

static void begin(struct story *story, uint32_t mixture, int with_one_queue)
{
    kvl_config_t *config = NULL;
    int i;

    memset(story, 0, sizeof *story);
    story->mixture = mixture;
    story->blocks = KINDS;
    CHECK(pthread_mutex_init(&story->lock, NULL) == 0 && pthread_cond_init(&story->news, NULL) == 0);
    STATUS(kvl_config_new(&config), KVL_OK);
    for (i = 0; i < 3; i++) {
        if (i == 0 || !with_one_queue)
            STATUS(kvl_queue_new(0, &story->queues[i]), KVL_OK);
        if (mixture & (1u << i))
            STATUS(kvl_config_set_queue(config, story->queues[with_one_queue ? 0 : i], 1u << i), KVL_OK);
    }
    STATUS(kvl_config_set_provider(config, provide, story, count_provider_free), KVL_OK);
    STATUS(kvl_config_set_removal_listener(config, removed, story, count_listener_free), KVL_OK);
    STATUS(kvl_config_set_int(config, "tasks.max_running", 1), KVL_OK);
    STATUS(kvl_tasks_new(config, &story->tasks, NULL), KVL_OK);
    STATUS(kvl_tasks_cache(story->tasks, &story->cache), KVL_OK);
    kvl_config_free(config);
}

/* Calls the functions for the events in a queue. */
static void drain(kvl_queue_t *queue)
{
    size_t ran;
    while (queue != NULL && kvl_queue_poll(queue, 256, 0, &ran) == KVL_OK) {}
}

static void drain_all(struct story *story)
{
    int i;
    for (i = 0; i < 3; i++)
        drain(story->queues[i]);
}

static void free_queues(struct story *story)
{
    int i;
    for (i = 0; i < 3; i++)
        STATUS(kvl_queue_free(story->queues[i]), KVL_OK);
}

static void end(struct story *story)
{
    kvl_request_release(story->held);
    CHECK(story->provider_freed == 1 && story->listener_freed == 1);
    CHECK(pthread_mutex_destroy(&story->lock) == 0 && pthread_cond_destroy(&story->news) == 0);
}

static void fetch(struct story *story, const char *key, const kvl_options_t *options, kvl_fetch_t *fetch)
{
    STATUS(kvl_tasks_fetch(story->tasks, KEY(key), options, fetch, result, story, count_data_free, NULL), KVL_PENDING);
}

static void put_object(struct story *story, const char *key)
{
    kvl_value_t *value = NULL;

    STATUS(kvl_value_new_object(story, 1, destructor, &value), KVL_OK);
    STATUS(kvl_cache_put(story->cache, KEY(key), value, NULL), KVL_OK);
    kvl_value_release(value);
}

/* Waits for `wanted` calls of the kind. If the kind is routed to a queue, reads the queues meanwhile, as an event loop does. */
static void read_until(struct story *story, enum callback kind, int wanted)
{
    if (story->mixture & routed_by[kind]) {
        int rounds;
        for (rounds = 0; rounds < 6000 && story->times[kind] < wanted; rounds++) {
            size_t ran;
            int i;
            for (i = 0; i < 3; i++)
                kvl_queue_poll(story->queues[i], 1, i == 0 ? 0 : 5, &ran);
        }
        CHECK(story->times[kind] == wanted);
    } else {
        wait_until(story, &story->times[kind], wanted);
    }
}

/* ---- where things run ------------------------------------------------------------------------------------------------ */

static void l02a_each_event_runs_where_it_was_routed(uint32_t mixture)
{
    struct story story;
    kvl_fetch_t *handle = NULL;
    int kind;

    begin(&story, mixture, 0);
    fetch(&story, "k", NULL, NULL);
    read_until(&story, PROVIDER, 1);
    read_until(&story, RESULT, 1);
    put_object(&story, "object");
    STATUS(kvl_cache_remove(story.cache, KEY("object")), KVL_OK);
    read_until(&story, REMOVAL, 1);
    STATUS(kvl_fetch_new(&handle), KVL_OK);
    fetch(&story, "hold", NULL, handle);
    read_until(&story, PROVIDER, 2);
    pthread_mutex_lock(&story.lock);
    while (story.held == NULL) {
        pthread_mutex_unlock(&story.lock);
        drain_all(&story);
        pthread_mutex_lock(&story.lock);
    }
    pthread_mutex_unlock(&story.lock);
    STATUS(kvl_fetch_cancel(handle), KVL_OK);
    kvl_fetch_release(handle);
    read_until(&story, CANCEL, 1);
    STATUS(kvl_tasks_close(story.tasks, KVL_CLOSE_CANCEL, 0, closed, &story, NULL), KVL_OK);
    drain_all(&story);
    read_until(&story, CLOSED, 1);
    for (kind = 0; kind < KINDS; kind++) {
        /* The destructor runs where the listener ran: the value is freed after the listener returns. */
        int here = kind == DESTRUCTOR ? (mixture & KVL_QUEUE_F_REMOVALS) != 0 : (mixture & routed_by[kind]) != 0;
        CHECK(story.times[kind] >= 1);
        CHECK(pthread_equal(story.where[kind], pthread_self()) == here);
    }
    kvl_cache_release(story.cache);
    STATUS(kvl_tasks_free(story.tasks), KVL_OK);
    free_queues(&story);
    CHECK(story.data_freed == 2 && story.times[CANCEL] == 1 && story.times[DESTRUCTOR] == 1);
    end(&story);
}

/* In one queue, the removal of the value that a load replaced comes before the load's result. */
static void l02a_a_result_comes_after_the_removal_of_the_value_it_replaced(void)
{
    struct story story;
    kvl_options_t *options = NULL;

    begin(&story, KVL_QUEUE_F_ALL, 1);
    STATUS(kvl_options_new(&options), KVL_OK);
    STATUS(kvl_options_set(options, "read", "refresh"), KVL_OK);
    STATUS(kvl_cache_put_bytes(story.cache, KEY("k"), KEY("old"), NULL), KVL_OK);
    fetch(&story, "k", options, NULL);
    drain(story.queues[0]);
    CHECK(story.times[RESULT] == 1 && story.removals_before_the_result == 1);
    kvl_options_free(options);
    kvl_cache_release(story.cache);
    STATUS(kvl_tasks_free(story.tasks), KVL_OK);
    free_queues(&story);
    end(&story);
}

/* ---- free waits for what runs ---------------------------------------------------------------------------------------- */

struct reader {
    struct story *story;
    kvl_queue_t *queue;
};

static void *read_until_stopped(void *argument)
{
    struct reader *reader = argument;
    size_t ran;
    int stopped;

    do {
        kvl_queue_poll(reader->queue, 1, 1, &ran);
        pthread_mutex_lock(&reader->story->lock);
        stopped = reader->story->stopped;
        pthread_mutex_unlock(&reader->story->lock);
    } while (!stopped);
    return NULL;
}

static void *free_engine(void *argument)
{
    struct story *story = argument;
    STATUS(kvl_tasks_free(story->tasks), KVL_OK);
    count(story, &story->engine_freed);
    return NULL;
}

static void l05b_free_waits_for_running_callbacks(uint32_t mixture, enum callback kind, int with_one_queue)
{
    struct story story;
    struct reader readers[3];
    pthread_t reading[3], freeing;
    kvl_fetch_t *handle = NULL;
    int i, n = with_one_queue ? 1 : 3;

    begin(&story, mixture, with_one_queue);
    story.blocks = kind;
    for (i = 0; i < n; i++) {
        readers[i].story = &story;
        readers[i].queue = story.queues[i];
        CHECK(pthread_create(&reading[i], NULL, read_until_stopped, &readers[i]) == 0);
    }
    switch (kind) {
    case RESULT:
    case PROVIDER:
        fetch(&story, "k", NULL, NULL);
        break;
    case CANCEL:
        STATUS(kvl_fetch_new(&handle), KVL_OK);
        fetch(&story, "hold", NULL, handle);
        wait_until(&story, &story.times[PROVIDER], 1);
        pthread_mutex_lock(&story.lock);
        while (story.held == NULL) {
            pthread_mutex_unlock(&story.lock);
            pthread_mutex_lock(&story.lock);
        }
        pthread_mutex_unlock(&story.lock);
        STATUS(kvl_fetch_cancel(handle), KVL_OK);
        kvl_fetch_release(handle);
        break;
    default:
        put_object(&story, "object");
        STATUS(kvl_cache_remove(story.cache, KEY("object")), KVL_OK);
    }
    wait_until(&story, &story.times[kind], 1);
    CHECK(pthread_create(&freeing, NULL, free_engine, &story) == 0);
    check_unchanged(&story, &story.engine_freed, 0);
    pthread_mutex_lock(&story.lock);
    story.open = 1;
    pthread_cond_broadcast(&story.news);
    pthread_mutex_unlock(&story.lock);
    CHECK(pthread_join(freeing, NULL) == 0);
    pthread_mutex_lock(&story.lock);
    story.stopped = 1;
    pthread_mutex_unlock(&story.lock);
    for (i = 0; i < n; i++)
        CHECK(pthread_join(reading[i], NULL) == 0);
    CHECK(story.late == 0);
    drain_all(&story);
    kvl_cache_release(story.cache);
    free_queues(&story);
    end(&story);
}

/* ---- closed comes last ----------------------------------------------------------------------------------------------- */

/* When the engine is closed after this, each queue holds an event: a result, a cancel hook, and a removal. */
static void fill_queues(struct story *story)
{
    fetch(story, "hold", NULL, NULL);
    read_until(story, PROVIDER, 1);
    pthread_mutex_lock(&story->lock);
    while (story->held == NULL) {
        pthread_mutex_unlock(&story->lock);
        drain(story->queues[1]);
        pthread_mutex_lock(&story->lock);
    }
    pthread_mutex_unlock(&story->lock);
    put_object(story, "object");
    STATUS(kvl_cache_remove(story->cache, KEY("object")), KVL_OK);
}

static void l05b_closed_is_delivered_after_all_callbacks(uint32_t mixture, int first)
{
    struct story story;
    int i, left = 0;

    begin(&story, mixture, 0);
    fill_queues(&story);
    STATUS(kvl_tasks_close(story.tasks, KVL_CLOSE_CANCEL, 0, closed, &story, count_data_free), KVL_OK);
    for (i = 0; i < 3; i++)
        left += (mixture >> i & 1);
    for (i = first; i < first + 3; i++) {
        if ((mixture >> (i % 3) & 1) == 0)
            continue;
        check_unchanged(&story, &story.times[CLOSED], 0);
        drain(story.queues[i % 3]);
        left--;
        if (left == 0)
            drain(story.queues[0]);
    }
    read_until(&story, CLOSED, 1);
    CHECK(story.times[RESULT] == 1 && story.times[CANCEL] == 1 && story.times[REMOVAL] == 1 && story.times[DESTRUCTOR] == 1);
    kvl_cache_release(story.cache);
    STATUS(kvl_tasks_free(story.tasks), KVL_OK);
    CHECK(story.data_freed == 2);
    free_queues(&story);
    end(&story);
}

/* A request that waits in a queue and is no longer wanted is withdrawn: neither its slot nor the close waits for a reader. */
static void l05b_a_request_in_a_queue_is_withdrawn(void)
{
    struct story story;
    kvl_fetch_t *handle = NULL;

    begin(&story, KVL_QUEUE_F_PROVIDER, 0);
    STATUS(kvl_fetch_new(&handle), KVL_OK);
    fetch(&story, "first", NULL, handle);
    STATUS(kvl_fetch_cancel(handle), KVL_OK);
    wait_until(&story, &story.data_freed, 1);
    kvl_fetch_release(handle);
    fetch(&story, "second", NULL, NULL);
    drain(story.queues[1]);
    CHECK(story.times[PROVIDER] == 1);
    wait_until(&story, &story.data_freed, 2);
    fetch(&story, "third", NULL, NULL);
    STATUS(kvl_tasks_close(story.tasks, KVL_CLOSE_CANCEL, 0, closed, &story, NULL), KVL_OK);
    wait_until(&story, &story.times[CLOSED], 1);
    drain(story.queues[1]);
    CHECK(story.times[PROVIDER] == 1 && story.data_freed == 3);
    kvl_cache_release(story.cache);
    STATUS(kvl_tasks_free(story.tasks), KVL_OK);
    free_queues(&story);
    end(&story);
}

/* The thread that reads the queue is the one that frees the engine: events stay in the queue until they are read or the queue is freed. */
static void l05b_free_does_not_wait_for_events_in_queues(uint32_t mixture, int reads)
{
    struct story story;
    int results_wait = (mixture & KVL_QUEUE_F_RESULTS) != 0;

    begin(&story, mixture, 0);
    fill_queues(&story);
    kvl_cache_release(story.cache);
    STATUS(kvl_tasks_close(story.tasks, KVL_CLOSE_CANCEL, 0, closed, &story, count_data_free), KVL_OK);
    STATUS(kvl_tasks_free(story.tasks), KVL_OK);
    CHECK(story.times[RESULT] == !results_wait && story.times[CLOSED] == !results_wait && story.data_freed == (results_wait ? 0 : 2));
    CHECK(story.times[REMOVAL] == ((mixture & KVL_QUEUE_F_REMOVALS) == 0));
    CHECK(story.times[CANCEL] == ((mixture & KVL_QUEUE_F_PROVIDER) == 0));
    if (reads) {
        drain_all(&story);
        CHECK(story.times[RESULT] == 1 && story.times[CLOSED] == 1 && story.times[CANCEL] == 1 && story.times[REMOVAL] == 1);
    }
    kvl_request_release(story.held);
    story.held = NULL;
    free_queues(&story);
    CHECK(story.data_freed == 2 && story.times[DESTRUCTOR] == 1);
    end(&story);
}

/* ---- dispose ends without a reader ----------------------------------------------------------------------------------- */

static int threads, descriptors;

/* The system may list a thread for a moment after its end, and nothing waits for a disposed engine to end. */
static void check_nothing_is_left(void)
{
    CHECK(threads_come_to(threads));
}

enum ending { QUEUE_FREED, QUEUE_DISPOSED, QUEUE_DISPOSED_FIRST, QUEUE_READ, WAYS };

static void l05b_dispose_ends_an_engine_whose_queue_is_not_read(uint32_t mixture, enum ending way, int cache_stays)
{
    struct story story;
    int i;

    begin(&story, mixture, 0);
    for (i = 0; i < 3; i++)
        CHECK(wait_for_queue(story.queues[i], 0) >= 0);
    fill_queues(&story);
    /* One more request, which is never taken, and an object in the store. */
    fetch(&story, "waits", NULL, NULL);
    put_object(&story, "stays");
    if (!cache_stays)
        kvl_cache_release(story.cache);
    for (i = 0; way == QUEUE_DISPOSED_FIRST && i < 3; i++)
        kvl_queue_dispose(story.queues[i]);
    kvl_tasks_dispose(story.tasks);
    kvl_request_release(story.held);
    story.held = NULL;
    check_nothing_is_left();
    if (cache_stays) {
        kvl_value_t *value = NULL;
        STATUS(kvl_cache_get(story.cache, KEY("stays"), &value), KVL_ERR_CLOSED);
        kvl_cache_release(story.cache);
    }
    if (way == QUEUE_READ)
        drain_all(&story);
    for (i = 0; i < 3; i++) {
        if (way == QUEUE_DISPOSED)
            kvl_queue_dispose(story.queues[i]);
        else if (way != QUEUE_DISPOSED_FIRST)
            STATUS(kvl_queue_free(story.queues[i]), KVL_OK);
    }
    wait_until(&story, &story.provider_freed, 1);
    wait_until(&story, &story.listener_freed, 1);
    CHECK(story.data_freed == 2 && story.times[DESTRUCTOR] == 2);
    CHECK(way != QUEUE_READ || story.times[RESULT] == 2);
    check_nothing_is_left();
    CHECK(count_descriptors() == descriptors);
    end(&story);
}

/* The queues are freed while the provider is still running, on a thread of the library or of the program. */
static void l05b_a_queue_may_be_freed_before_the_last_call_returns(uint32_t mixture, int disposed)
{
    struct story story;
    struct reader reader = { &story, NULL };
    pthread_t reading;
    int i, reads = (mixture & KVL_QUEUE_F_PROVIDER) != 0;

    begin(&story, mixture, 0);
    story.blocks = PROVIDER;
    reader.queue = story.queues[1];
    if (reads)
        CHECK(pthread_create(&reading, NULL, read_until_stopped, &reader) == 0);
    fetch(&story, "k", NULL, NULL);
    wait_until(&story, &story.times[PROVIDER], 1);
    kvl_cache_release(story.cache);
    kvl_tasks_dispose(story.tasks);
    for (i = 0; i < 3; i++) {
        if (i == 1 && reads)
            continue;
        if (disposed)
            kvl_queue_dispose(story.queues[i]);
        else
            STATUS(kvl_queue_free(story.queues[i]), KVL_OK);
    }
    CHECK(story.provider_freed == 0);
    pthread_mutex_lock(&story.lock);
    story.open = story.stopped = 1;
    pthread_cond_broadcast(&story.news);
    pthread_mutex_unlock(&story.lock);
    if (reads)
        CHECK(pthread_join(reading, NULL) == 0);
    if (reads)
        STATUS(kvl_queue_free(story.queues[1]), KVL_OK);
    wait_until(&story, &story.provider_freed, 1);
    wait_until(&story, &story.data_freed, 1);
    check_nothing_is_left();
    wait_until(&story, &story.listener_freed, 1);
    end(&story);
}

static kvl_queue_t *disposed_queue;

static void dispose_queue(void *object)
{
    (void)object;
    kvl_queue_dispose(disposed_queue);
}

/* A destructor that is called while the queue is read disposes of the queue. */
static void l05b_a_queue_may_be_disposed_while_it_is_read(int polls)
{
    static int object;
    kvl_value_t *first = NULL, *second = NULL;
    kvl_event_t event;
    size_t ran = 7;

    (void)object;
    STATUS(kvl_queue_new(0, &disposed_queue), KVL_OK);
    STATUS(kvl_value_new_object_on(disposed_queue, &object, 1, dispose_queue, &first), KVL_OK);
    STATUS(kvl_value_new_object_on(disposed_queue, &object, 1, NULL, &second), KVL_OK);
    kvl_value_release(first);
    if (polls)
        STATUS(kvl_queue_poll(disposed_queue, 10, KVL_FOREVER, &ran), KVL_OK);
    else
        STATUS(kvl_queue_next(disposed_queue, KVL_FOREVER, &event, sizeof event), KVL_EMPTY);
    CHECK(ran == (polls ? 1 : 7));
    kvl_value_release(second); /* its queue is gone, so the object is freed here */
    kvl_queue_dispose(NULL);
}

int main(void)
{
    uint32_t mixture;
    int i;

    threads = count_threads();
    descriptors = count_descriptors();
    for (mixture = 0; mixture < MIXTURES; mixture++) {
        enum callback kind;

        l02a_each_event_runs_where_it_was_routed(mixture);
        for (kind = RESULT; kind <= DESTRUCTOR; kind++)
            l05b_free_waits_for_running_callbacks(mixture, kind, mixture % 2 == 1 && kind % 2 == 1);
        for (i = 0; i < 3; i++)
            l05b_closed_is_delivered_after_all_callbacks(mixture, i);
        l05b_free_does_not_wait_for_events_in_queues(mixture, 0);
        l05b_free_does_not_wait_for_events_in_queues(mixture, 1);
        for (i = 0; i < WAYS; i++)
            l05b_dispose_ends_an_engine_whose_queue_is_not_read(mixture, (enum ending)i, i % 2);
        l05b_a_queue_may_be_freed_before_the_last_call_returns(mixture, 0);
        l05b_a_queue_may_be_freed_before_the_last_call_returns(mixture, 1);
    }
    l02a_a_result_comes_after_the_removal_of_the_value_it_replaced();
    l05b_a_request_in_a_queue_is_withdrawn();
    l05b_a_queue_may_be_disposed_while_it_is_read(0);
    l05b_a_queue_may_be_disposed_while_it_is_read(1);
    check_nothing_is_left();
    DONE();
}
