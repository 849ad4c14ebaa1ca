/* The provider of the soak test, with its faults. It answers some requests inside the call, hands others to eight threads, and
 * keeps others back until their attempts have timed out. */
#include "soak.h"
#include <stdlib.h>
#include <string.h>

enum { WORKERS = 8, KEPT_BACK = 5 };

/* A request that a worker has to answer, or a part of one. */
struct job {
    struct job *next;
    kvl_request_t *request;
    /* the worker answers the keys `part`, `part + parts`, ... */
    size_t part, parts;
    /* the numbers of parts that have yet to begin, and to end; the last one to begin frees the slot, the last one to end finishes the request */
    atomic_int *to_begin, *to_end;
};

struct provider {
    struct entry *entry;
    pthread_t threads[WORKERS];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct job *jobs, **last;
    struct job *kept, **kept_last;
    int kept_len;
    bool stopping, answers_at_once;
    _Atomic uint64_t random;
};

/* Called before the answer that frees the slot, since another request may use the slot at once. */
static void count_slot_free(struct entry *entry)
{
    atomic_fetch_sub(&entry->with_provider, 1);
}

static bool is_expected_answer(kvl_status_t status, enum fault fault)
{
    if (status == KVL_OK || status == KVL_ERR_CLOSED)
        return true;
    /* already answered, abandoned, or settled by a write: then the answer is late */
    if (status == KVL_LATE)
        return true;
    return status == KVL_ERR_ALREADY_ANSWERED && fault == TWICE;
}

static void answer(struct entry *entry, kvl_request_t *request, size_t i)
{
    const uint8_t *data = NULL;
    size_t len = 0;
    uint64_t key;
    uint8_t bytes[VALUE_MAX];
    kvl_status_t status;
    uint32_t attempt = kvl_request_attempt(request, i);
    kvl_terms_t terms = KVL_TERMS_INIT;
    kvl_slice_t tag;

    if (!CHECK_STATUS(kvl_request_key(request, i, &data, &len), KVL_OK) || !CHECK(len == sizeof key))
        return;
    memcpy(&key, data, sizeof key);
    CHECK(!key_is_invalid(key));
    CHECK(attempt >= 1);
    tag = tag_of(key);
    terms.tags = &tag;
    terms.tags_len = 1;
    if (is_down(entry)) {
        status = kvl_request_fail_text(request, i, 503, "down", 0);
        /* One for each request, unless its key was not wanted any more. */
        if (status == KVL_OK && i == 0)
            atomic_fetch_add(&entry->failed_while_down, 1);
    } else if (entry->fault == FAILS && (key / 7 + attempt) % 3 == 0) {
        switch (key % 3) {
        case 0: status = kvl_request_fail_text(request, i, (int64_t)key, "out of order", 0); break;
        case 1: status = kvl_request_fail_text(request, i, (int64_t)key, NULL, KVL_ERROR_F_PERMANENT); break;
        default: return; /* left unanswered */
        }
    } else if (entry->fault == OUTAGE && key % 4 == 2 && (status = kvl_request_not_modified(request, i, &terms)) != KVL_MISS) {
        /* The stored value is the right one, and its TTL begins again. */
    } else if (key_is_absent(key)) {
        status = kvl_request_resolve(request, i, kvl_value_null(), NULL);
    } else if (key % 2 == 0) {
        status = kvl_request_resolve_bytes(request, i, bytes, bytes_of(key, bytes), &terms);
    } else {
        kvl_value_t *value = value_of(key);
        terms.ttl_ms = key % 5 == 0 ? 0 : KVL_TTL_DEFAULT;
        status = kvl_request_supply(request, data, len, value, &terms);
        kvl_value_release(value);
    }
    check_at(is_expected_answer(status, entry->fault), "an answer is accepted, late, or refused after the close", status, __FILE__, __LINE__);
    if (entry->fault == TWICE) {
        status = kvl_request_resolve(request, i, kvl_value_null(), NULL);
        check_at(status == KVL_ERR_ALREADY_ANSWERED || status == KVL_LATE || status == KVL_ERR_CLOSED, "a second answer changes nothing",
                 status, __FILE__, __LINE__);
    }
}

static void finish(struct entry *entry, kvl_request_t *request)
{
    kvl_status_t status = kvl_request_finish(request);
    check_at(status == KVL_OK || status == KVL_ERR_CLOSED, "the first finish is accepted", status, __FILE__, __LINE__);
    if (entry->fault == TWICE) {
        status = kvl_request_finish(request);
        check_at(status == KVL_ERR_ALREADY_ANSWERED || status == KVL_ERR_CLOSED, "a second finish is refused", status, __FILE__, __LINE__);
    }
}

static void answer_part(struct provider *provider, struct job *job)
{
    size_t i, n = kvl_request_len(job->request);

    if (atomic_fetch_sub(job->to_begin, 1) == 1)
        count_slot_free(provider->entry);
    for (i = job->part; i < n; i += job->parts)
        answer(provider->entry, job->request, i);
    if (atomic_fetch_sub(job->to_end, 1) == 1) {
        /* Otherwise the last release finishes the request. */
        if (n % 2 == 0)
            finish(provider->entry, job->request);
        free(job->to_begin);
        free(job->to_end);
    }
    kvl_request_release(job->request);
    free(job);
}

/* Called under the lock. */
static void append_jobs(struct job ***last, kvl_request_t *request, size_t parts)
{
    atomic_int *to_begin = malloc(sizeof *to_begin), *to_end = malloc(sizeof *to_end);
    size_t part;

    if (to_begin == NULL || to_end == NULL)
        abort();
    atomic_init(to_begin, (int)parts);
    atomic_init(to_end, (int)parts);
    for (part = 0; part < parts; part++) {
        struct job *job = malloc(sizeof *job);
        if (job == NULL)
            abort();
        *job = (struct job){NULL, kvl_request_retain(request), part, parts, to_begin, to_end};
        **last = job;
        *last = &job->next;
    }
}

static void queue_jobs(struct provider *provider, kvl_request_t *request, size_t parts)
{
    pthread_mutex_lock(&provider->lock);
    append_jobs(&provider->last, request, parts);
    pthread_cond_broadcast(&provider->changed);
    pthread_mutex_unlock(&provider->lock);
}

/* Hands the kept requests to the workers. Called under the lock. */
static void release_kept(struct provider *provider)
{
    *provider->last = provider->kept;
    if (provider->kept != NULL)
        provider->last = provider->kept_last;
    provider->kept = NULL;
    provider->kept_last = &provider->kept;
    provider->kept_len = 0;
    pthread_cond_broadcast(&provider->changed);
}

static bool keep_back(struct provider *provider, kvl_request_t *request)
{
    bool kept;

    pthread_mutex_lock(&provider->lock);
    kept = !provider->answers_at_once;
    if (kept && ++provider->kept_len > KEPT_BACK)
        release_kept(provider);
    /* under the same lock: a request that is kept back after the last release of kept requests would never be answered */
    if (kept)
        append_jobs(&provider->kept_last, request, 1);
    pthread_mutex_unlock(&provider->lock);
    return kept;
}

void provide(void *user_data, kvl_request_t *request)
{
    struct entry *entry = user_data;
    struct provider *provider = entry->provider;
    size_t i, n = kvl_request_len(request);
    int max = MAX_RUNNING + (entry->fault == HANGS ? MAX_ABANDONED : 0);
    int now = atomic_fetch_add(&entry->with_provider, 1) + 1;
    uint64_t state = atomic_fetch_add(&provider->random, 0x9e3779b97f4a7c15u), dice = random_of(&state) % 16;

    check_at(now <= max, "no more requests than slots", now, __FILE__, __LINE__);
    CHECK(n >= 1 && n <= 8);
    /* Some requests are slow enough to be repeated. */
    if (entry->fault == OUTAGE && dice >= 13 && !is_down(entry))
        pause_for_us(3000);
    if (entry->fault == HANGS && dice == 0 && keep_back(provider, request))
        return;
    if (entry->fault == EIGHT || (entry->fault != HANGS && dice < 4)) {
        /* no more parts than keys: a part without a key could free the slot after the last answer */
        queue_jobs(provider, request, entry->fault != EIGHT ? 1 : n < WORKERS ? n : WORKERS);
        return;
    }
    count_slot_free(entry);
    for (i = 0; i < n; i++)
        answer(entry, request, i);
    if (entry->fault == FAILS && dice == 5)
        CHECK_STATUS(kvl_request_finish_error(request, NULL), KVL_OK);
    else if (dice != 6) /* Otherwise the last release finishes the request. */
        finish(entry, request);
}

static void *worker(void *user_data)
{
    struct provider *provider = user_data;

    pthread_mutex_lock(&provider->lock);
    for (;;) {
        struct job *job = provider->jobs;
        if (job != NULL) {
            provider->jobs = job->next;
            if (provider->jobs == NULL)
                provider->last = &provider->jobs;
            pthread_mutex_unlock(&provider->lock);
            answer_part(provider, job);
            pthread_mutex_lock(&provider->lock);
        } else if (provider->stopping) {
            break;
        } else {
            pthread_cond_wait(&provider->changed, &provider->lock);
        }
    }
    pthread_mutex_unlock(&provider->lock);
    return NULL;
}

struct provider *provider_start(struct entry *entry)
{
    struct provider *provider = calloc(1, sizeof *provider);
    int i;

    if (provider == NULL)
        abort();
    provider->entry = entry;
    provider->last = &provider->jobs;
    provider->kept_last = &provider->kept;
    pthread_mutex_init(&provider->lock, NULL);
    pthread_cond_init(&provider->changed, NULL);
    for (i = 0; i < WORKERS; i++)
        if (pthread_create(&provider->threads[i], NULL, worker, provider) != 0)
            abort();
    return provider;
}

void provider_answer_kept(struct provider *provider)
{
    pthread_mutex_lock(&provider->lock);
    provider->answers_at_once = true;
    release_kept(provider);
    pthread_mutex_unlock(&provider->lock);
}

void provider_stop(struct provider *provider)
{
    int i;

    pthread_mutex_lock(&provider->lock);
    release_kept(provider);
    provider->stopping = true;
    pthread_cond_broadcast(&provider->changed);
    pthread_mutex_unlock(&provider->lock);
    for (i = 0; i < WORKERS; i++)
        pthread_join(provider->threads[i], NULL);
    pthread_cond_destroy(&provider->changed);
    pthread_mutex_destroy(&provider->lock);
    free(provider);
}
