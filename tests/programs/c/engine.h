/* An engine for tests. The beginning of a key tells its provider what to do:
 *
 *     hold...     keep the request until the test answers it   fail...     fail with code 7
 *     null...     answer null                                  nothing...  leave the key unanswered
 *     late...     advance the clock by a second, then answer   cancel...   cancel the test's fetch, then answer
 *
 * The answer to all other keys is a value with the key's text.
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

struct fixture {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    kvl_clock_t *clock;
    kvl_tasks_t *tasks;
    kvl_fetch_t *cancel;          /* the fetch that the provider cancels */
    kvl_request_t *held[HELD];
    int held_len, held_taken, calls, freed;
    void (*first)(struct fixture *); /* called first by the provider; may be NULL */
};

/* What the callbacks of one fetch received, and how often they were called. */
struct recorder {
    struct fixture *fixture;
    int events, freed, progress;
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
    void (*first)(struct recorder *); /* called first by the callback; may be NULL */
};

/* Waits until the number is reached, for a minute at most. Returns whether it was reached. */
static int wait_for(struct fixture *fixture, const int *number, int wanted)
{
    struct timespec end;
    int reached;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 60;
    pthread_mutex_lock(&fixture->lock);
    while (*number < wanted && pthread_cond_timedwait(&fixture->changed, &fixture->lock, &end) == 0) {}
    reached = *number >= wanted;
    pthread_mutex_unlock(&fixture->lock);
    return reached;
}

static int has_prefix(const kvl_slice_t *key, const char *word)
{
    return key->len >= strlen(word) && memcmp(key->data, word, strlen(word)) == 0;
}

static void provide(void *user_data, kvl_request_t *request)
{
    struct fixture *fixture = user_data;
    const kvl_slice_t *keys = kvl_request_keys(request);
    size_t i, n = kvl_request_len(request);

    pthread_mutex_lock(&fixture->lock);
    fixture->calls++;
    pthread_mutex_unlock(&fixture->lock);
    if (fixture->first != NULL)
        fixture->first(fixture);
    for (i = 0; i < n; i++) {
        if (has_prefix(&keys[i], "hold")) {
            pthread_mutex_lock(&fixture->lock);
            if (fixture->held_len < HELD)
                fixture->held[fixture->held_len++] = kvl_request_retain(request);
            pthread_cond_broadcast(&fixture->changed);
            pthread_mutex_unlock(&fixture->lock);
            return;
        }
        if (has_prefix(&keys[i], "fail")) {
            STATUS(kvl_request_fail_text(request, i, 7, "no such host", 0), KVL_OK);
        } else if (has_prefix(&keys[i], "null")) {
            STATUS(kvl_request_resolve(request, i, kvl_value_null(), NULL), KVL_OK);
        } else if (has_prefix(&keys[i], "nothing")) {
            continue;
        } else {
            if (has_prefix(&keys[i], "late"))
                STATUS(kvl_clock_advance(fixture->clock, 1000), KVL_OK);
            if (has_prefix(&keys[i], "cancel"))
                STATUS(kvl_fetch_cancel(fixture->cancel), KVL_OK);
            kvl_status_t answered = kvl_request_resolve_bytes(request, i, keys[i].data, keys[i].len, NULL);
            /* The test may be closing the engine. */
            CHECK(answered >= 0 || answered == KVL_ERR_CLOSED);
        }
    }
}

static void count_provider_free(void *user_data)
{
    struct fixture *fixture = user_data;
    pthread_mutex_lock(&fixture->lock);
    fixture->freed++;
    pthread_cond_broadcast(&fixture->changed);
    pthread_mutex_unlock(&fixture->lock);
}

/* Initializes a fixture. Returns a configuration with its provider, a manual clock, and one key in each request. */
static kvl_config_t *fixture_init(struct fixture *fixture)
{
    kvl_config_t *config = NULL;

    memset(fixture, 0, sizeof *fixture);
    CHECK(pthread_mutex_init(&fixture->lock, NULL) == 0 && pthread_cond_init(&fixture->changed, NULL) == 0);
    STATUS(kvl_clock_new_manual(1000000, &fixture->clock), KVL_OK);
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide, fixture, count_provider_free), KVL_OK);
    STATUS(kvl_config_set_clock(config, fixture->clock), KVL_OK);
    STATUS(kvl_config_set_int(config, "batch.max_keys", 1), KVL_OK);
    return config;
}

/* Creates the fixture's engine, and frees the configuration. */
static void create_engine(struct fixture *fixture, kvl_config_t *config)
{
    kvl_error_t *error = NULL;
    STATUS(kvl_tasks_new(config, &fixture->tasks, &error), KVL_OK);
    CHECK(fixture->tasks != NULL && error == NULL);
    kvl_config_free(config);
}

static void fixture_destroy(struct fixture *fixture)
{
    kvl_clock_release(fixture->clock);
    CHECK(fixture->held_taken == fixture->held_len);
    CHECK(pthread_mutex_destroy(&fixture->lock) == 0 && pthread_cond_destroy(&fixture->changed) == 0);
}

static void free_engine(struct fixture *fixture)
{
    STATUS(kvl_tasks_free(fixture->tasks), KVL_OK);
    CHECK(wait_for(fixture, &fixture->freed, 1));
    fixture_destroy(fixture);
}

/* Waits until the provider has kept another request, and returns it. The caller releases it. */
static kvl_request_t *next_request(struct fixture *fixture)
{
    CHECK(wait_for(fixture, &fixture->held_len, fixture->held_taken + 1));
    return fixture->held[fixture->held_taken++];
}

/* Answers the first key of a request, finishes the request and releases it. */
static void answer(kvl_request_t *request, const char *text)
{
    STATUS(kvl_request_resolve_bytes(request, 0, KEY(text), NULL), KVL_OK);
    STATUS(kvl_request_finish(request), KVL_OK);
    kvl_request_release(request);
}

static void record_result(void *user_data, const kvl_result_t *result)
{
    struct recorder *recorder = user_data;
    size_t len = result->data_len < sizeof recorder->text ? result->data_len : sizeof recorder->text - 1;

    if (recorder->first != NULL)
        recorder->first(recorder);
    pthread_mutex_lock(&recorder->fixture->lock);
    CHECK(result->struct_size == sizeof *result);
    recorder->events++;
    recorder->status = result->status;
    recorder->source = result->source;
    recorder->index = result->index;
    recorder->flags = result->flags;
    recorder->attempts = result->attempts;
    recorder->ttl_left_ms = result->ttl_left_ms;
    recorder->object = result->object;
    recorder->thread = pthread_self();
    if (result->data != NULL)
        memcpy(recorder->text, result->data, len);
    recorder->text[result->data == NULL ? 0 : len] = '\0';
    if (result->error != NULL) {
        kvl_error_release(recorder->error);
        recorder->error = kvl_error_retain(result->error);
    }
    CHECK((result->error != NULL) == (result->status < 0));
    CHECK((result->value != NULL) == (result->status == KVL_VALUE));
    pthread_mutex_unlock(&recorder->fixture->lock);
}

static void record_results(void *user_data, kvl_results_t *results)
{
    struct recorder *recorder = user_data;

    if (recorder->first != NULL)
        recorder->first(recorder);
    pthread_mutex_lock(&recorder->fixture->lock);
    recorder->events++;
    recorder->status = kvl_results_status(results);
    recorder->results = kvl_results_retain(results);
    recorder->thread = pthread_self();
    pthread_mutex_unlock(&recorder->fixture->lock);
}

static void record_progress(void *user_data, size_t done, size_t failed, size_t total)
{
    struct recorder *recorder = user_data;
    pthread_mutex_lock(&recorder->fixture->lock);
    CHECK(done > recorder->done && failed >= recorder->failed && done <= total && recorder->events == 0);
    recorder->progress++;
    recorder->done = done;
    recorder->failed = failed;
    recorder->total = total;
    pthread_mutex_unlock(&recorder->fixture->lock);
}

static void count_free(void *user_data)
{
    struct recorder *recorder = user_data;
    pthread_mutex_lock(&recorder->fixture->lock);
    recorder->freed++;
    pthread_cond_broadcast(&recorder->fixture->changed);
    pthread_mutex_unlock(&recorder->fixture->lock);
}

static void recorder_init(struct recorder *recorder, struct fixture *fixture)
{
    memset(recorder, 0, sizeof *recorder);
    recorder->fixture = fixture;
}

/* Fetches one key, with the result delivered to the recorder. */
static void fetch_recorded(struct recorder *recorder, struct fixture *fixture, const char *key, const kvl_options_t *options, kvl_fetch_t *fetch)
{
    recorder_init(recorder, fixture);
    STATUS(kvl_tasks_fetch(fixture->tasks, KEY(key), options, fetch, record_result, recorder, count_free, NULL), KVL_PENDING);
}

/* Waits until the user data was freed, which is the last action of a fetch. */
static void wait_for_free(struct recorder *recorder)
{
    CHECK(wait_for(recorder->fixture, &recorder->freed, 1));
    CHECK(recorder->freed == 1);
}

static void recorder_release(struct recorder *recorder)
{
    kvl_error_release(recorder->error);
    kvl_results_release(recorder->results);
    recorder->error = NULL;
    recorder->results = NULL;
}

/* In the child of a fork: counts a call that does not return FORKED. */
#define FORKED(call) (wrong = (unsigned char)(wrong + ((call) != KVL_ERR_FORKED)))

/* Options with one setting. */
static kvl_options_t *option(const char *name, const char *value)
{
    kvl_options_t *options = NULL;
    STATUS(kvl_options_new(&options), KVL_OK);
    STATUS(kvl_options_set(options, name, value), KVL_OK);
    return options;
}

/* Silences warnings in programs that use only a part of this file. */
static inline void silence_unused_warnings(void)
{
    (void)fetch_recorded; (void)wait_for_free; (void)recorder_release; (void)option; (void)record_results; (void)record_progress; (void)answer; (void)next_request;
    (void)fixture_init; (void)create_engine; (void)free_engine;
}

#endif
