/* Fetches that share a load and have neither a timeout nor a handle (rules F03, F06, L02, L04). Each fetch gets one result, however events
 * are read, and its user data is freed once, however the queue ends. */
#include "check.h"

#define KEY(text) (const uint8_t *)(text), strlen(text)

enum { WAITERS = 6 };

struct fixture {
    kvl_queue_t *queue;
    kvl_tasks_t *tasks;
    kvl_request_t *held;
    int calls, freed;
    int disposes_at; /* the call in which the engine and the queue are disposed of; 0: none */
    int order[WAITERS];
};

struct waiter {
    struct fixture *fixture;
    int nth, calls, freed;
    kvl_status_t status;
    kvl_source_t source;
};

static void provide(void *user_data, kvl_request_t *request)
{
    struct fixture *fixture = user_data;

    fixture->held = kvl_request_retain(request);
}

static void receive(void *user_data, const kvl_result_t *result)
{
    struct waiter *waiter = user_data;
    struct fixture *fixture = waiter->fixture;

    CHECK(result->flags & KVL_F_LAST);
    CHECK(result->index == 0 && result->key_len == 1 && result->key[0] == 'k');
    CHECK(!waiter->freed);
    waiter->calls++;
    waiter->status = result->status;
    waiter->source = result->source;
    if (fixture->calls < WAITERS)
        fixture->order[fixture->calls] = waiter->nth;
    fixture->calls++;
    if (fixture->calls == fixture->disposes_at) {
        kvl_tasks_dispose(fixture->tasks);
        kvl_queue_dispose(fixture->queue);
    }
}

static void count_free(void *user_data)
{
    struct waiter *waiter = user_data;

    waiter->freed++;
    waiter->fixture->freed++;
}

static void start_fetches(struct fixture *fixture, struct waiter *waiters, kvl_result_fn function)
{
    kvl_config_t *config;

    memset(fixture, 0, sizeof *fixture);
    STATUS(kvl_queue_new(0, &fixture->queue), KVL_OK);
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide, fixture, NULL), KVL_OK);
    STATUS(kvl_config_set_queue(config, fixture->queue, KVL_QUEUE_F_ALL), KVL_OK);
    STATUS(kvl_tasks_new(config, &fixture->tasks, NULL), KVL_OK);
    kvl_config_free(config);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){ fixture, i, 0, 0, KVL_MISS, KVL_SOURCE_NONE };
        STATUS(kvl_tasks_fetch(fixture->tasks, KEY("k"), NULL, NULL, function, &waiters[i], count_free, NULL), KVL_PENDING);
    }
    STATUS(kvl_queue_poll(fixture->queue, 1, 60000, NULL), KVL_OK);
    CHECK(fixture->held != NULL && fixture->calls == 0 && fixture->freed == 0);
}

static void answer(struct fixture *fixture)
{
    STATUS(kvl_request_resolve_bytes(fixture->held, 0, KEY("v"), NULL), KVL_OK);
    STATUS(kvl_request_finish(fixture->held), KVL_OK);
    kvl_request_release(fixture->held);
}

static void finish(struct fixture *fixture)
{
    kvl_tasks_dispose(fixture->tasks);
    while (kvl_queue_poll(fixture->queue, SIZE_MAX, 0, NULL) == KVL_OK) {}
    kvl_queue_dispose(fixture->queue);
}

static void f03_each_fetch_gets_one_result_in_the_order_of_joining(void)
{
    /* Results are polled one by one, and all in one call. */
    for (size_t most = 1; most <= WAITERS; most += WAITERS - 1) {
        struct fixture fixture;
        struct waiter waiters[WAITERS];
        size_t ran, polls = 0;

        start_fetches(&fixture, waiters, receive);
        answer(&fixture);
        while (fixture.calls < WAITERS && polls++ < WAITERS) {
            STATUS(kvl_queue_poll(fixture.queue, most, 60000, &ran), KVL_OK);
            CHECK(ran == most && fixture.calls == fixture.freed);
        }
        for (int i = 0; i < WAITERS; i++) {
            CHECK(fixture.order[i] == i && waiters[i].calls == 1 && waiters[i].freed == 1 && waiters[i].status == KVL_VALUE);
            CHECK(waiters[i].source == (i == 0 ? KVL_SOURCE_PROVIDER : KVL_SOURCE_JOINED));
        }
        finish(&fixture);
        CHECK(fixture.freed == WAITERS);
    }
}

static void l02_each_result_can_be_read_as_an_event(void)
{
    struct fixture fixture;
    struct waiter waiters[WAITERS];
    kvl_event_t event;

    start_fetches(&fixture, waiters, NULL);
    answer(&fixture);
    STATUS(kvl_queue_poll(fixture.queue, SIZE_MAX, 0, NULL), KVL_ERR_NO_CALLBACK);
    for (int i = 0; i < WAITERS; i++) {
        CHECK(kvl_queue_len(fixture.queue) == (i == 0 ? 2 : 1)); /* the results of those that joined were sent together */
        STATUS(kvl_queue_next(fixture.queue, 60000, &event, sizeof event), KVL_OK);
        CHECK(event.kind == KVL_EVENT_RESULT && event.user_data == &waiters[i] && event.tasks == fixture.tasks);
        CHECK(event.result->status == KVL_VALUE && event.result->data_len == 1 && event.result->key[0] == 'k');
        /* The user data of a fetch is freed when the event after its result is read. */
        CHECK(fixture.freed == i && waiters[i].freed == 0);
    }
    STATUS(kvl_queue_next(fixture.queue, 0, &event, sizeof event), KVL_EMPTY);
    CHECK(fixture.freed == WAITERS);
    finish(&fixture);
}

static void l04_user_data_is_freed_without_a_result_when_the_queue_is_disposed_of(void)
{
    /* The queue is disposed of before the load ends, or in the callback of a waiter. After that no function is called. */
    for (int calls = 0; calls <= WAITERS; calls += 2) {
        struct fixture fixture;
        struct waiter waiters[WAITERS];

        start_fetches(&fixture, waiters, receive);
        fixture.disposes_at = calls;
        if (calls == 0) {
            kvl_tasks_dispose(fixture.tasks);
            kvl_queue_dispose(fixture.queue);
            STATUS(kvl_request_finish(fixture.held), KVL_ERR_CLOSED);
            kvl_request_release(fixture.held);
        } else {
            answer(&fixture);
            kvl_queue_poll(fixture.queue, SIZE_MAX, 60000, NULL);
        }
        CHECK(fixture.calls == calls && fixture.freed == WAITERS);
        for (int i = 0; i < WAITERS; i++)
            CHECK(waiters[i].calls == (i < calls) && waiters[i].freed == 1);
    }
}

static void l05_a_close_settles_every_fetch(void)
{
    struct fixture fixture;
    struct waiter waiters[WAITERS];

    start_fetches(&fixture, waiters, receive);
    STATUS(kvl_tasks_close(fixture.tasks, KVL_CLOSE_CANCEL, 0, NULL, NULL, NULL), KVL_OK);
    kvl_request_release(fixture.held);
    while (fixture.calls < WAITERS)
        STATUS(kvl_queue_poll(fixture.queue, SIZE_MAX, 60000, NULL), KVL_OK);
    for (int i = 0; i < WAITERS; i++)
        CHECK(waiters[i].calls == 1 && waiters[i].freed == 1 && waiters[i].status == KVL_ERR_CLOSED);
    finish(&fixture);
}

int main(void)
{
    f03_each_fetch_gets_one_result_in_the_order_of_joining();
    l02_each_result_can_be_read_as_an_event();
    l04_user_data_is_freed_without_a_result_when_the_queue_is_disposed_of();
    l05_a_close_settles_every_fetch();
    DONE();
}
