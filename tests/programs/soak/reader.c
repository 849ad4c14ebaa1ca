/* The thread that drains the queue in one of the three modes. */
#include "soak.h"
#include <stdlib.h>

struct reader {
    struct entry *entry;
    pthread_t thread;
    atomic_bool stopping;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool woken;
};

static void drain(struct reader *reader)
{
    kvl_status_t status;
    size_t ran;

    do {
        ran = 0;
        status = kvl_queue_poll(reader->entry->queue, 32, 0, &ran);
        CHECK(ran <= 32);
    } while (status == KVL_OK);
    CHECK_STATUS(status, KVL_EMPTY);
}

static void *poll_descriptor(void *user_data)
{
    struct reader *reader = user_data;
    int ready;

    /* The first call creates the descriptor, which then reports all later events. */
    CHECK(wait_for_queue(reader->entry->queue, 0) >= 0);
    while (!atomic_load(&reader->stopping)) {
        /* The timeout only ends a failed run: if the descriptor missed events, the entry would never end. */
        ready = wait_for_queue(reader->entry->queue, 60000);
        CHECK(ready > 0 || !"a minute without an event");
        drain(reader);
    }
    return NULL;
}

static void wake(void *user_data)
{
    struct reader *reader = user_data;

    pthread_mutex_lock(&reader->lock);
    reader->woken = true;
    pthread_cond_signal(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
}

static void *poll_when_woken(void *user_data)
{
    struct reader *reader = user_data;

    CHECK_STATUS(kvl_queue_set_wake(reader->entry->queue, wake, reader, NULL), KVL_OK);
    while (!atomic_load(&reader->stopping)) {
        pthread_mutex_lock(&reader->lock);
        while (!reader->woken)
            pthread_cond_wait(&reader->changed, &reader->lock);
        reader->woken = false;
        pthread_mutex_unlock(&reader->lock);
        drain(reader);
    }
    CHECK_STATUS(kvl_queue_set_wake(reader->entry->queue, NULL, NULL, NULL), KVL_OK);
    return NULL;
}

static void handle_event(struct entry *entry, const kvl_event_t *event)
{
    CHECK(event->struct_size == sizeof *event);
    CHECK(event->tasks == entry->tasks);
    switch (event->kind) {
    case KVL_EVENT_RESULT:
        CHECK((event->flags & KVL_F_LAST) == (event->result->flags & KVL_F_LAST));
        ticket_result(event->user_data, event->result);
        break;
    case KVL_EVENT_RESULTS:
        CHECK(event->flags & KVL_F_LAST);
        ticket_results(event->user_data, event->results);
        break;
    case KVL_EVENT_PROGRESS: ticket_progress(event->user_data, event->done, event->failed, event->total); break;
    case KVL_EVENT_REQUEST: provide(event->user_data, event->request); break;
    case KVL_EVENT_REMOVAL: on_removal(event->user_data, event->result, event->cause); break;
    case KVL_EVENT_CLOSED: on_closed(event->user_data); break;
    default: check_at(false, "an event of a known kind", event->kind, __FILE__, __LINE__);
    }
}

static void *take_events(void *user_data)
{
    struct reader *reader = user_data;
    kvl_event_t event;

    while (!atomic_load(&reader->stopping)) {
        kvl_status_t status = kvl_queue_next(reader->entry->queue, KVL_FOREVER, &event, sizeof event);
        if (status == KVL_OK)
            handle_event(reader->entry, &event);
        else
            CHECK_STATUS(status, KVL_EMPTY);
    }
    while (kvl_queue_next(reader->entry->queue, 0, &event, sizeof event) == KVL_OK)
        handle_event(reader->entry, &event);
    return NULL;
}

struct reader *reader_start(struct entry *entry)
{
    static void *(*const readers[MODES])(void *) = {poll_descriptor, take_events, poll_when_woken};
    struct reader *reader = calloc(1, sizeof *reader);

    if (reader == NULL)
        abort();
    reader->entry = entry;
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->changed, NULL);
    if (pthread_create(&reader->thread, NULL, readers[entry->mode], reader) != 0)
        abort();
    return reader;
}

static void do_nothing(void *user_data)
{
    (void)user_data;
}

void reader_stop(struct reader *reader)
{
    kvl_value_t *object = NULL;

    atomic_store(&reader->stopping, true);
    /* The release of an object that is bound to the queue makes the descriptor readable and calls the wake function, as an event does. */
    CHECK_STATUS(kvl_value_new_object_on(reader->entry->queue, reader, 1, do_nothing, &object), KVL_OK);
    kvl_value_release(object);
    CHECK_STATUS(kvl_queue_wake(reader->entry->queue), KVL_OK);
    pthread_join(reader->thread, NULL);
    pthread_cond_destroy(&reader->changed);
    pthread_mutex_destroy(&reader->lock);
    free(reader);
}
