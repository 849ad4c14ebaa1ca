/* The thread that drains the queue, in one of three ways: woken by a descriptor, taking events out one by one, or woken by a
 * function. */
#include "soak.h"
#include <stdlib.h>

struct reader {
    struct entry *entry;
    pthread_t thread;
    atomic_bool over;
    pthread_mutex_t lock;
    pthread_cond_t news;
    bool woken;
};

static void drain(struct reader *reader)
{
    kvl_status_t status;
    size_t ran;

    do {
        ran = 0;
        status = kvl_queue_poll(reader->entry->queue, 32, 0, &ran);
        HOLDS(ran <= 32);
    } while (status == KVL_OK);
    SAYS(status, KVL_EMPTY);
}

static void *poll_descriptor(void *user_data)
{
    struct reader *reader = user_data;
    int came;

    /* asked for once, so that what comes from now on is seen */
    HOLDS(wait_for_queue(reader->entry->queue, 0) >= 0);
    while (!atomic_load(&reader->over)) {
        /* the time is for the end alone: were events lost to the descriptor, the entry would take for ever */
        came = wait_for_queue(reader->entry->queue, 60000);
        HOLDS(came > 0 || !"a minute without an event");
        drain(reader);
    }
    return NULL;
}

static void wake(void *user_data)
{
    struct reader *reader = user_data;

    pthread_mutex_lock(&reader->lock);
    reader->woken = true;
    pthread_cond_signal(&reader->news);
    pthread_mutex_unlock(&reader->lock);
}

static void *poll_when_woken(void *user_data)
{
    struct reader *reader = user_data;

    SAYS(kvl_queue_set_wake(reader->entry->queue, wake, reader, NULL), KVL_OK);
    while (!atomic_load(&reader->over)) {
        pthread_mutex_lock(&reader->lock);
        while (!reader->woken)
            pthread_cond_wait(&reader->news, &reader->lock);
        reader->woken = false;
        pthread_mutex_unlock(&reader->lock);
        drain(reader);
    }
    SAYS(kvl_queue_set_wake(reader->entry->queue, NULL, NULL, NULL), KVL_OK);
    return NULL;
}

static void act(struct entry *entry, const kvl_event_t *event)
{
    HOLDS(event->struct_size == sizeof *event);
    HOLDS(event->tasks == entry->tasks);
    switch (event->kind) {
    case KVL_EVENT_RESULT:
        HOLDS((event->flags & KVL_F_LAST) == (event->result->flags & KVL_F_LAST));
        ticket_result(event->user_data, event->result);
        break;
    case KVL_EVENT_RESULTS:
        HOLDS(event->flags & KVL_F_LAST);
        ticket_results(event->user_data, event->results);
        break;
    case KVL_EVENT_PROGRESS: ticket_progress(event->user_data, event->done, event->failed, event->total); break;
    case KVL_EVENT_REQUEST: provide(event->user_data, event->request); break;
    case KVL_EVENT_REMOVAL: hear_removal(event->user_data, event->result, event->cause); break;
    case KVL_EVENT_CLOSED: hear_closed(event->user_data); break;
    default: holds_at(false, "an event of a known kind", event->kind, __FILE__, __LINE__);
    }
}

static void *take_events(void *user_data)
{
    struct reader *reader = user_data;
    kvl_event_t event;

    while (!atomic_load(&reader->over)) {
        kvl_status_t status = kvl_queue_next(reader->entry->queue, KVL_FOREVER, &event, sizeof event);
        if (status == KVL_OK)
            act(reader->entry, &event);
        else
            SAYS(status, KVL_EMPTY);
    }
    while (kvl_queue_next(reader->entry->queue, 0, &event, sizeof event) == KVL_OK)
        act(reader->entry, &event);
    return NULL;
}

struct reader *reader_start(struct entry *entry)
{
    static void *(*const ways[MODES])(void *) = {poll_descriptor, take_events, poll_when_woken};
    struct reader *reader = calloc(1, sizeof *reader);

    if (reader == NULL)
        abort();
    reader->entry = entry;
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->news, NULL);
    if (pthread_create(&reader->thread, NULL, ways[entry->mode], reader) != 0)
        abort();
    return reader;
}

static void nothing(void *user_data)
{
    (void)user_data;
}

void reader_stop(struct reader *reader)
{
    kvl_value_t *nudge = NULL;

    atomic_store(&reader->over, true);
    /* an object that ends on the queue is an event as well, and raises the descriptor and the wake function */
    SAYS(kvl_value_new_object_on(reader->entry->queue, reader, 1, nothing, &nudge), KVL_OK);
    kvl_value_release(nudge);
    SAYS(kvl_queue_wake(reader->entry->queue), KVL_OK);
    pthread_join(reader->thread, NULL);
    pthread_cond_destroy(&reader->news);
    pthread_mutex_destroy(&reader->lock);
    free(reader);
}
