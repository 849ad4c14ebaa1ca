/* An engine to tell stories with. Its provider answers by the key's first word, or keeps the request for the story:
 *
 *     hold...     kept, until the story answers it         fail...     fails with code 7
 *     null...     finished: the rest is null               nothing...  comes back without a word
 *     late...     a second passes, then a value            cancel...   the story's fetch is cancelled, then a value
 *     anything    a value that is the key's text
 */
#ifndef KVL_TESTS_ENGINE_H
#define KVL_TESTS_ENGINE_H

#include "check.h"
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define KEY(text) (const uint8_t *)(text), strlen(text)
#define SLICE(text) { (const uint8_t *)(text), sizeof(text) - 1 }
#define COUNT(array) (sizeof(array) / sizeof *(array))
#define HELD 64

struct world {
    pthread_mutex_t lock;
    pthread_cond_t news;
    kvl_clock_t *clock;
    kvl_tasks_t *tasks;
    kvl_fetch_t *cancel;          /* whom the provider cancels */
    kvl_request_t *held[HELD];
    int came, taken, calls, ended;
    void (*inside)(struct world *); /* what the provider does first */
};

/* what one fetch heard */
struct heard {
    struct world *world;
    int times, ended, progress;
    kvl_status_t status;
    kvl_source_t source;
    size_t index, done, failed, total;
    uint32_t flags, attempts;
    int64_t ttl_left_ms;
    char text[64];
    void *object;
    kvl_error_t *error;     /* retained */
    kvl_results_t *results; /* retained */
    pthread_t thread;
    void (*inside)(struct heard *); /* what the callback does first */
};

/* until the number is reached, or so long that something is wrong */
static int wait_for(struct world *world, const int *number, int wanted)
{
    struct timespec end;
    int reached;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 60;
    pthread_mutex_lock(&world->lock);
    while (*number < wanted && pthread_cond_timedwait(&world->news, &world->lock, &end) == 0) {}
    reached = *number >= wanted;
    pthread_mutex_unlock(&world->lock);
    return reached;
}

static int starts(const kvl_slice_t *key, const char *word)
{
    return key->len >= strlen(word) && memcmp(key->data, word, strlen(word)) == 0;
}

static void provide(void *user_data, kvl_request_t *request)
{
    struct world *world = user_data;
    const kvl_slice_t *keys = kvl_request_keys(request);
    size_t i, n = kvl_request_len(request);

    pthread_mutex_lock(&world->lock);
    world->calls++;
    pthread_mutex_unlock(&world->lock);
    if (world->inside != NULL)
        world->inside(world);
    for (i = 0; i < n; i++) {
        if (starts(&keys[i], "hold")) {
            pthread_mutex_lock(&world->lock);
            if (world->came < HELD)
                world->held[world->came++] = kvl_request_retain(request);
            pthread_cond_broadcast(&world->news);
            pthread_mutex_unlock(&world->lock);
            return;
        }
        if (starts(&keys[i], "fail")) {
            STATUS(kvl_request_fail_text(request, i, 7, "no such host", 0), KVL_OK);
        } else if (starts(&keys[i], "null")) {
            STATUS(kvl_request_resolve(request, i, kvl_value_null(), NULL), KVL_OK);
        } else if (starts(&keys[i], "nothing")) {
            continue;
        } else {
            if (starts(&keys[i], "late"))
                STATUS(kvl_clock_advance(world->clock, 1000), KVL_OK);
            if (starts(&keys[i], "cancel"))
                STATUS(kvl_fetch_cancel(world->cancel), KVL_OK);
            kvl_status_t answered = kvl_request_resolve_bytes(request, i, keys[i].data, keys[i].len, NULL);
            /* A story that closes the engine may do so while we answer. */
            CHECK(answered >= 0 || answered == KVL_ERR_CLOSED);
        }
    }
}

static void provider_ends(void *user_data)
{
    struct world *world = user_data;
    pthread_mutex_lock(&world->lock);
    world->ended++;
    pthread_cond_broadcast(&world->news);
    pthread_mutex_unlock(&world->lock);
}

/* a configuration with the provider, a clock that stands still, and one key a request */
static kvl_config_t *prepare(struct world *world)
{
    kvl_config_t *config = NULL;

    memset(world, 0, sizeof *world);
    CHECK(pthread_mutex_init(&world->lock, NULL) == 0 && pthread_cond_init(&world->news, NULL) == 0);
    STATUS(kvl_clock_new_manual(1000000, &world->clock), KVL_OK);
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide, world, provider_ends), KVL_OK);
    STATUS(kvl_config_set_clock(config, world->clock), KVL_OK);
    STATUS(kvl_config_set_int(config, "batch.max_keys", 1), KVL_OK);
    return config;
}

static void begin(struct world *world, kvl_config_t *config)
{
    kvl_error_t *error = NULL;
    STATUS(kvl_tasks_new(config, &world->tasks, &error), KVL_OK);
    CHECK(world->tasks != NULL && error == NULL);
    kvl_config_free(config);
}

static void forget(struct world *world)
{
    kvl_clock_release(world->clock);
    CHECK(world->taken == world->came);
    CHECK(pthread_mutex_destroy(&world->lock) == 0 && pthread_cond_destroy(&world->news) == 0);
}

static void end(struct world *world)
{
    STATUS(kvl_tasks_free(world->tasks), KVL_OK);
    CHECK(wait_for(world, &world->ended, 1));
    forget(world);
}

/* the next request that was kept: release it */
static kvl_request_t *next_request(struct world *world)
{
    CHECK(wait_for(world, &world->came, world->taken + 1));
    return world->held[world->taken++];
}

static void answer(kvl_request_t *request, const char *text)
{
    STATUS(kvl_request_resolve_bytes(request, 0, KEY(text), NULL), KVL_OK);
    STATUS(kvl_request_finish(request), KVL_OK);
    kvl_request_release(request);
}

static void hear(void *user_data, const kvl_result_t *result)
{
    struct heard *heard = user_data;
    size_t len = result->data_len < sizeof heard->text ? result->data_len : sizeof heard->text - 1;

    if (heard->inside != NULL)
        heard->inside(heard);
    pthread_mutex_lock(&heard->world->lock);
    CHECK(result->struct_size == sizeof *result);
    heard->times++;
    heard->status = result->status;
    heard->source = result->source;
    heard->index = result->index;
    heard->flags = result->flags;
    heard->attempts = result->attempts;
    heard->ttl_left_ms = result->ttl_left_ms;
    heard->object = result->object;
    heard->thread = pthread_self();
    if (result->data != NULL)
        memcpy(heard->text, result->data, len);
    heard->text[result->data == NULL ? 0 : len] = '\0';
    if (result->error != NULL) {
        kvl_error_release(heard->error);
        heard->error = kvl_error_retain(result->error);
    }
    CHECK((result->error != NULL) == (result->status < 0));
    CHECK((result->value != NULL) == (result->status == KVL_VALUE));
    pthread_mutex_unlock(&heard->world->lock);
}

static void hear_all(void *user_data, kvl_results_t *results)
{
    struct heard *heard = user_data;

    if (heard->inside != NULL)
        heard->inside(heard);
    pthread_mutex_lock(&heard->world->lock);
    heard->times++;
    heard->status = kvl_results_status(results);
    heard->results = kvl_results_retain(results);
    heard->thread = pthread_self();
    pthread_mutex_unlock(&heard->world->lock);
}

static void hear_progress(void *user_data, size_t done, size_t failed, size_t total)
{
    struct heard *heard = user_data;
    pthread_mutex_lock(&heard->world->lock);
    CHECK(done > heard->done && failed >= heard->failed && done <= total && heard->times == 0);
    heard->progress++;
    heard->done = done;
    heard->failed = failed;
    heard->total = total;
    pthread_mutex_unlock(&heard->world->lock);
}

static void heard_ends(void *user_data)
{
    struct heard *heard = user_data;
    pthread_mutex_lock(&heard->world->lock);
    heard->ended++;
    pthread_cond_broadcast(&heard->world->news);
    pthread_mutex_unlock(&heard->world->lock);
}

static void listen(struct heard *heard, struct world *world)
{
    memset(heard, 0, sizeof *heard);
    heard->world = world;
}

/* asks for one key, to be told by an event */
static void ask(struct heard *heard, struct world *world, const char *key, const kvl_options_t *options, kvl_fetch_t *fetch)
{
    listen(heard, world);
    STATUS(kvl_tasks_fetch(world->tasks, KEY(key), options, fetch, hear, heard, heard_ends, NULL), KVL_PENDING);
}

/* waits until the user data ended, which comes last */
static void ends(struct heard *heard)
{
    CHECK(wait_for(heard->world, &heard->ended, 1));
    CHECK(heard->ended == 1);
}

static void let_go(struct heard *heard)
{
    kvl_error_release(heard->error);
    kvl_results_release(heard->results);
    heard->error = NULL;
    heard->results = NULL;
}

/* an option that is set */
static kvl_options_t *option(const char *name, const char *value)
{
    kvl_options_t *options = NULL;
    STATUS(kvl_options_new(&options), KVL_OK);
    STATUS(kvl_options_set(options, name, value), KVL_OK);
    return options;
}

/* Each program uses its part of this; the others' parts are no mistake. */
static inline void use_all(void)
{
    (void)ask; (void)ends; (void)let_go; (void)option; (void)hear_all; (void)hear_progress; (void)answer; (void)next_request;
    (void)prepare; (void)begin; (void)end;
}

#endif
