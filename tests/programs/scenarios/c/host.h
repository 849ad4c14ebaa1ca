/* Shared by the scenarios: an engine with one of three forms of delivery, a provider whose answer depends on the beginning of a key, and inboxes
 * that collect events. It uses only the public header. */
#ifndef KVL_HOST_H
#define KVL_HOST_H

#include <kvlight.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The form of delivery: on the library's dispatcher thread, by kvl_queue_poll(), or by kvl_queue_next(). */
enum mode { MODE_THREAD, MODE_POLL, MODE_NEXT };

#define ANSWERS 8

struct answer {
    kvl_status_t status;
    kvl_source_t source;
    uint32_t attempts;
    char text[64]; /* the value's bytes, or the error's message */
    kvl_value_t *value; /* retained */
};

/* The user data of a fetch or a close: collects the events. */
struct inbox {
    struct host *host;
    void (*then)(struct inbox *inbox); /* runs inside the callback; may be NULL */
    void *then_data;
    size_t results; /* single results delivered */
    size_t batches; /* batches delivered */
    size_t closings;
    size_t freed;   /* how often the user data was freed */
    struct answer answers[ANSWERS];
    kvl_results_t *batch; /* retained */
};

struct host {
    enum mode mode;
    kvl_queue_t *queue; /* NULL in MODE_THREAD */
    kvl_tasks_t *tasks;
    kvl_cache_t *cache;
    kvl_clock_t *clock;
    pthread_mutex_t lock; /* protects all that callbacks write */
    pthread_cond_t changed;
    size_t requests;          /* provider calls */
    size_t keys;              /* keys in them */
    kvl_request_t *held;      /* the request with a key "slow...", retained */
    size_t objects_created, objects_freed;
};

/* Starts an engine; `settings` is "name=value name=value". */
int host_start(struct host *host, enum mode mode, const char *settings);
/* Closes the engine, waits for the closed event, frees the engine, and drains the queue; returns the number of failed steps. */
int host_stop(struct host *host);

/* Fetches with delivery to an inbox; `out_value` may be NULL. */
kvl_status_t host_fetch(struct host *host, const char *key, const kvl_options_t *options, kvl_fetch_t *fetch, struct inbox *inbox,
                        kvl_value_t **out_value);
kvl_status_t host_fetch_all(struct host *host, const kvl_slice_t *keys, size_t n, struct inbox *inbox);
kvl_status_t host_close(struct host *host, struct inbox *inbox);

/* Waits until `*counter` is at least `wanted`, draining the queue if there is one. Takes the lock. */
void host_await(struct host *host, const size_t *counter, size_t wanted);
/* Waits until the provider holds a request, and returns it. The caller releases it. */
kvl_request_t *host_take_held(struct host *host);
/* Reads a counter. Takes the lock. */
size_t host_read(struct host *host, const size_t *counter);

void inbox_init(struct inbox *inbox, struct host *host);
void inbox_clear(struct inbox *inbox);
int is_text(const struct answer *answer, const char *wanted);

#endif
