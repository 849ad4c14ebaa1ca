/* The engine, the provider and the inboxes of host.h. */
#include "host.h"

static void increment(struct host *host, size_t *counter)
{
    pthread_mutex_lock(&host->lock);
    ++*counter;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

size_t host_read(struct host *host, const size_t *counter)
{
    size_t count;
    pthread_mutex_lock(&host->lock);
    count = *counter;
    pthread_mutex_unlock(&host->lock);
    return count;
}

/* ---- The provider: the beginning of a key selects the answer -------------------------------------------------------- */

static int begins(const kvl_slice_t *key, const char *prefix)
{
    return key->len >= strlen(prefix) && memcmp(key->data, prefix, strlen(prefix)) == 0;
}

static void free_object(void *object)
{
    struct host *host = *(struct host **)object;
    free(object);
    increment(host, &host->objects_freed);
}

static void resolve_with_object(struct host *host, kvl_request_t *request, size_t i)
{
    struct host **object = malloc(sizeof *object);
    *object = host;
    increment(host, &host->objects_created);
    /* Without a destructor the queue reports the drop of the object with KVL_EVENT_DROP. */
    kvl_request_resolve_object(request, i, object, 100, host->mode == MODE_NEXT ? NULL : free_object, NULL);
}

static void provide(void *user_data, kvl_request_t *request)
{
    struct host *host = user_data;
    const kvl_slice_t *keys = kvl_request_keys(request);
    size_t n = kvl_request_len(request), i;
    int slow = 0;

    pthread_mutex_lock(&host->lock);
    host->requests++;
    host->keys += n;
    pthread_mutex_unlock(&host->lock);
    for (i = 0; i < n; i++) {
        if (begins(&keys[i], "null")) {
            kvl_request_resolve(request, i, kvl_value_null(), NULL);
        } else if (begins(&keys[i], "bad") || (begins(&keys[i], "flaky") && kvl_request_attempt(request, i) < 3)) {
            kvl_request_fail_text(request, i, 42, "no such shelf", 0);
        } else if (begins(&keys[i], "object")) {
            resolve_with_object(host, request, i);
        } else if (begins(&keys[i], "slow")) {
            slow = 1;
        } else {
            char text[64];
            int len = snprintf(text, sizeof text, "value of %.*s", (int)keys[i].len, (const char *)keys[i].data);
            kvl_request_resolve_bytes(request, i, (const uint8_t *)text, (size_t)len, NULL);
        }
    }
    if (slow) {
        pthread_mutex_lock(&host->lock);
        host->held = kvl_request_retain(request);
        pthread_cond_broadcast(&host->changed);
        pthread_mutex_unlock(&host->lock);
    } else {
        kvl_request_finish(request);
    }
}

/* ---- Inboxes --------------------------------------------------------------------------------------------------------- */

void inbox_init(struct inbox *inbox, struct host *host)
{
    memset(inbox, 0, sizeof *inbox);
    inbox->host = host;
}

void inbox_clear(struct inbox *inbox)
{
    size_t i;
    for (i = 0; i < ANSWERS; i++)
        kvl_value_release(inbox->answers[i].value);
    kvl_results_release(inbox->batch);
}

int is_text(const struct answer *answer, const char *wanted)
{
    return strcmp(answer->text, wanted) == 0;
}

static void on_result(void *user_data, const kvl_result_t *result)
{
    struct inbox *inbox = user_data;
    if (result->index < ANSWERS) {
        struct answer *answer = &inbox->answers[result->index];
        answer->status = result->status;
        answer->source = result->source;
        answer->attempts = result->attempts;
        answer->value = kvl_value_retain(result->value);
        if (result->error != NULL)
            snprintf(answer->text, sizeof answer->text, "%s", kvl_error_message(result->error));
        else if (result->data != NULL)
            snprintf(answer->text, sizeof answer->text, "%.*s", (int)result->data_len, (const char *)result->data);
    }
    if (inbox->then != NULL)
        inbox->then(inbox);
    increment(inbox->host, &inbox->results);
}

static void on_results(void *user_data, kvl_results_t *results)
{
    struct inbox *inbox = user_data;
    inbox->batch = kvl_results_retain(results);
    increment(inbox->host, &inbox->batches);
}

static void on_closed(void *user_data)
{
    struct inbox *inbox = user_data;
    increment(inbox->host, &inbox->closings);
}

static void on_free(void *user_data)
{
    struct inbox *inbox = user_data;
    increment(inbox->host, &inbox->freed);
}

/* Passes an event of kvl_queue_next() to the function that the library calls in the other modes. */
static void dispatch(const kvl_event_t *event)
{
    switch (event->kind) {
    case KVL_EVENT_RESULT: on_result(event->user_data, event->result); break;
    case KVL_EVENT_RESULTS: on_results(event->user_data, event->results); break;
    case KVL_EVENT_REQUEST: provide(event->user_data, event->request); break;
    case KVL_EVENT_DROP: free_object(event->user_data); break;
    case KVL_EVENT_CLOSED: on_closed(event->user_data); break;
    default: break;
    }
}

/* ---- The engine ------------------------------------------------------------------------------------------------------ */

kvl_status_t host_fetch(struct host *host, const char *key, const kvl_options_t *options, kvl_fetch_t *fetch, struct inbox *inbox,
                        kvl_value_t **out_value)
{
    kvl_result_fn function = host->mode == MODE_NEXT ? NULL : on_result;
    return kvl_tasks_fetch(host->tasks, (const uint8_t *)key, strlen(key), options, fetch, function, inbox, on_free, out_value);
}

kvl_status_t host_fetch_all(struct host *host, const kvl_slice_t *keys, size_t n, struct inbox *inbox)
{
    kvl_results_fn function = host->mode == MODE_NEXT ? NULL : on_results;
    return kvl_tasks_fetch_all(host->tasks, keys, n, NULL, NULL, function, inbox, on_free, NULL);
}

kvl_status_t host_close(struct host *host, struct inbox *inbox)
{
    return kvl_tasks_close(host->tasks, KVL_CLOSE_CANCEL, 0, host->mode == MODE_NEXT ? NULL : on_closed, inbox, on_free);
}

/* Handles some of the queue's events. Returns 0 if there was none within `timeout_ms`. */
static int drain(struct host *host, int64_t timeout_ms)
{
    kvl_status_t status;
    if (host->mode == MODE_POLL) {
        status = kvl_queue_poll(host->queue, 256, timeout_ms, NULL);
    } else {
        kvl_event_t event;
        status = kvl_queue_next(host->queue, timeout_ms, &event, sizeof event);
        if (status == KVL_OK)
            dispatch(&event);
    }
    if (status != KVL_OK && status != KVL_EMPTY) {
        printf("Bail out! the queue returned %s\n", kvl_status_name(status));
        exit(2);
    }
    return status == KVL_OK;
}

void host_await(struct host *host, const size_t *counter, size_t wanted)
{
    if (host->mode != MODE_THREAD) {
        /* The next read frees the last event and its user data, which may change the counter. So the first read does not wait:
           otherwise the counter could change inside a call that then waits for ever. */
        while (host_read(host, counter) < wanted)
            if (!drain(host, 0) && host_read(host, counter) < wanted)
                drain(host, KVL_FOREVER);
        return;
    }
    pthread_mutex_lock(&host->lock);
    while (*counter < wanted)
        pthread_cond_wait(&host->changed, &host->lock);
    pthread_mutex_unlock(&host->lock);
}

kvl_request_t *host_take_held(struct host *host)
{
    kvl_request_t *held = NULL;
    pthread_mutex_lock(&host->lock);
    while (host->held == NULL) {
        if (host->mode == MODE_THREAD) {
            pthread_cond_wait(&host->changed, &host->lock);
        } else {
            pthread_mutex_unlock(&host->lock);
            drain(host, KVL_FOREVER);
            pthread_mutex_lock(&host->lock);
        }
    }
    held = host->held;
    host->held = NULL;
    pthread_mutex_unlock(&host->lock);
    return held;
}

static void configure(kvl_config_t *config, const char *settings)
{
    char copy[256], *word;
    snprintf(copy, sizeof copy, "%s", settings);
    for (word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        kvl_config_set(config, word, value);
    }
}

int host_start(struct host *host, enum mode mode, const char *settings)
{
    kvl_config_t *config = NULL;
    kvl_error_t *error = NULL;

    memset(host, 0, sizeof *host);
    host->mode = mode;
    pthread_mutex_init(&host->lock, NULL);
    pthread_cond_init(&host->changed, NULL);
    kvl_config_new(&config);
    kvl_clock_new_manual(0, &host->clock);
    kvl_config_set_clock(config, host->clock);
    configure(config, settings);
    kvl_config_set_provider(config, mode == MODE_NEXT ? NULL : provide, host, NULL);
    if (mode != MODE_THREAD) {
        kvl_queue_new(0, &host->queue);
        kvl_config_set_queue(config, host->queue, KVL_QUEUE_F_ALL);
    }
    if (kvl_tasks_new(config, &host->tasks, &error) != KVL_OK)
        printf("# %s\n", kvl_error_message(error));
    kvl_error_release(error);
    kvl_config_free(config);
    return host->tasks != NULL && kvl_tasks_cache(host->tasks, &host->cache) == KVL_OK;
}

int host_stop(struct host *host)
{
    struct inbox closing;
    int failures = 0;

    inbox_init(&closing, host);
    failures += host_close(host, &closing) != KVL_OK;
    host_await(host, &closing.closings, 1);
    kvl_cache_release(host->cache);
    failures += kvl_tasks_free(host->tasks) != KVL_OK;
    if (host->queue != NULL) {
        while (drain(host, 0)) {
        }
        failures += kvl_queue_free(host->queue) != KVL_OK;
    }
    failures += closing.closings != 1 || closing.freed != 1;
    kvl_clock_release(host->clock);
    pthread_cond_destroy(&host->changed);
    pthread_mutex_destroy(&host->lock);
    return failures;
}
