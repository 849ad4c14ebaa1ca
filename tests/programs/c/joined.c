/* Fetches that join a load and that nothing can end before it (rules F03, F06, L02, L04): each is told once, whichever way events are
 * read, and however the queue ends. */
#include "check.h"

#define KEY(text) (const uint8_t *)(text), strlen(text)

enum { WAITERS = 6 };

struct story {
    kvl_queue_t *queue;
    kvl_tasks_t *tasks;
    kvl_request_t *held;
    int told, ended, gives_up; /* gives_up: at which call the queue is given up; 0: never */
    int order[WAITERS];
};

struct waiter {
    struct story *story;
    int nth, told, ended;
    kvl_status_t status;
    kvl_source_t source;
};

static void provide(void *user_data, kvl_request_t *request)
{
    struct story *story = user_data;

    story->held = kvl_request_retain(request);
}

static void hear(void *user_data, const kvl_result_t *result)
{
    struct waiter *waiter = user_data;
    struct story *story = waiter->story;

    CHECK(result->flags & KVL_F_LAST);
    CHECK(result->index == 0 && result->key_len == 1 && result->key[0] == 'k');
    CHECK(!waiter->ended);
    waiter->told++;
    waiter->status = result->status;
    waiter->source = result->source;
    if (story->told < WAITERS)
        story->order[story->told] = waiter->nth;
    story->told++;
    if (story->told == story->gives_up) {
        kvl_tasks_dispose(story->tasks);
        kvl_queue_dispose(story->queue);
    }
}

static void end(void *user_data)
{
    struct waiter *waiter = user_data;

    waiter->ended++;
    waiter->story->ended++;
}

static void begin(struct story *story, struct waiter *waiters, kvl_result_fn function)
{
    kvl_config_t *config;

    memset(story, 0, sizeof *story);
    STATUS(kvl_queue_new(0, &story->queue), KVL_OK);
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide, story, NULL), KVL_OK);
    STATUS(kvl_config_set_queue(config, story->queue, KVL_QUEUE_F_ALL), KVL_OK);
    STATUS(kvl_tasks_new(config, &story->tasks, NULL), KVL_OK);
    kvl_config_free(config);
    for (int i = 0; i < WAITERS; i++) {
        waiters[i] = (struct waiter){ story, i, 0, 0, KVL_MISS, KVL_SOURCE_NONE };
        STATUS(kvl_tasks_fetch(story->tasks, KEY("k"), NULL, NULL, function, &waiters[i], end, NULL), KVL_PENDING);
    }
    STATUS(kvl_queue_poll(story->queue, 1, 60000, NULL), KVL_OK);
    CHECK(story->held != NULL && story->told == 0 && story->ended == 0);
}

static void answer(struct story *story)
{
    STATUS(kvl_request_resolve_bytes(story->held, 0, KEY("v"), NULL), KVL_OK);
    STATUS(kvl_request_finish(story->held), KVL_OK);
    kvl_request_release(story->held);
}

static void finish(struct story *story)
{
    kvl_tasks_dispose(story->tasks);
    while (kvl_queue_poll(story->queue, SIZE_MAX, 0, NULL) == KVL_OK) {}
    kvl_queue_dispose(story->queue);
}

static void f03_each_is_told_once_and_in_the_order_in_which_they_joined(void)
{
    /* in one call, and one by one */
    for (size_t most = 1; most <= WAITERS; most += WAITERS - 1) {
        struct story story;
        struct waiter waiters[WAITERS];
        size_t ran, calls = 0;

        begin(&story, waiters, hear);
        answer(&story);
        while (story.told < WAITERS && calls++ < WAITERS) {
            STATUS(kvl_queue_poll(story.queue, most, 60000, &ran), KVL_OK);
            CHECK(ran == most && story.told == story.ended);
        }
        for (int i = 0; i < WAITERS; i++) {
            CHECK(story.order[i] == i && waiters[i].told == 1 && waiters[i].ended == 1 && waiters[i].status == KVL_VALUE);
            CHECK(waiters[i].source == (i == 0 ? KVL_SOURCE_PROVIDER : KVL_SOURCE_JOINED));
        }
        finish(&story);
        CHECK(story.ended == WAITERS);
    }
}

static void l02_each_can_be_taken_out_as_an_event(void)
{
    struct story story;
    struct waiter waiters[WAITERS];
    kvl_event_t event;

    begin(&story, waiters, NULL);
    answer(&story);
    STATUS(kvl_queue_poll(story.queue, SIZE_MAX, 0, NULL), KVL_ERR_NO_CALLBACK);
    for (int i = 0; i < WAITERS; i++) {
        STATUS(kvl_queue_next(story.queue, 60000, &event, sizeof event), KVL_OK);
        CHECK(event.kind == KVL_EVENT_RESULT && event.user_data == &waiters[i] && event.tasks == story.tasks);
        CHECK(event.result->status == KVL_VALUE && event.result->data_len == 1 && event.result->key[0] == 'k');
        /* its user data ends when the next event is read */
        CHECK(story.ended == i && waiters[i].ended == 0);
    }
    STATUS(kvl_queue_next(story.queue, 0, &event, sizeof event), KVL_EMPTY);
    CHECK(story.ended == WAITERS);
    finish(&story);
}

static void l04_those_who_are_not_told_end_all_the_same(void)
{
    /* no function is called once the queue is given up, be that before the load ends, in its events, or in the middle of them */
    for (int told = 0; told <= WAITERS; told += 2) {
        struct story story;
        struct waiter waiters[WAITERS];

        begin(&story, waiters, hear);
        story.gives_up = told;
        if (told == 0) {
            kvl_tasks_dispose(story.tasks);
            kvl_queue_dispose(story.queue);
            STATUS(kvl_request_finish(story.held), KVL_ERR_CLOSED);
            kvl_request_release(story.held);
        } else {
            answer(&story);
            kvl_queue_poll(story.queue, SIZE_MAX, 60000, NULL);
        }
        CHECK(story.told == told && story.ended == WAITERS);
        for (int i = 0; i < WAITERS; i++)
            CHECK(waiters[i].told == (i < told) && waiters[i].ended == 1);
    }
}

static void l05_a_close_tells_all(void)
{
    struct story story;
    struct waiter waiters[WAITERS];

    begin(&story, waiters, hear);
    STATUS(kvl_tasks_close(story.tasks, KVL_CLOSE_CANCEL, 0, NULL, NULL, NULL), KVL_OK);
    kvl_request_release(story.held);
    while (story.told < WAITERS)
        STATUS(kvl_queue_poll(story.queue, SIZE_MAX, 60000, NULL), KVL_OK);
    for (int i = 0; i < WAITERS; i++)
        CHECK(waiters[i].told == 1 && waiters[i].ended == 1 && waiters[i].status == KVL_ERR_CLOSED);
    finish(&story);
}

int main(void)
{
    f03_each_is_told_once_and_in_the_order_in_which_they_joined();
    l02_each_can_be_taken_out_as_an_event();
    l04_those_who_are_not_told_end_all_the_same();
    l05_a_close_tells_all();
    DONE();
}
