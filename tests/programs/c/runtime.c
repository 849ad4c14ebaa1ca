/* Threads: a cache's own, and those of a shared runtime. */
#define _POSIX_C_SOURCE 200809L
#include "../system.h"
#include "check.h"
#include <pthread.h>
#include <time.h>

/* What a removal listener has seen, and what it does in its next call. */
struct listener {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int calls, freed, is_blocked;
    pthread_t thread;       /* of the last call */
    kvl_runtime_t *runtime; /* the listener tries to free it; may be NULL */
    kvl_status_t freeing;   /* what that returned */
    kvl_cache_t *release;   /* released in the next call; may be NULL */
};

static void listener_init(struct listener *listener)
{
    memset(listener, 0, sizeof *listener);
    CHECK(pthread_mutex_init(&listener->lock, NULL) == 0 && pthread_cond_init(&listener->changed, NULL) == 0);
}

static void listener_destroy(struct listener *listener)
{
    CHECK(pthread_mutex_destroy(&listener->lock) == 0 && pthread_cond_destroy(&listener->changed) == 0);
}

static void record_removal(void *user_data, const kvl_result_t *entry, kvl_cause_t cause)
{
    struct listener *listener = user_data;

    (void)entry;
    (void)cause;
    pthread_mutex_lock(&listener->lock);
    listener->calls++;
    listener->thread = pthread_self();
    if (listener->runtime != NULL)
        listener->freeing = kvl_runtime_free(listener->runtime);
    kvl_cache_release(listener->release);
    listener->release = NULL;
    pthread_cond_broadcast(&listener->changed);
    while (listener->is_blocked)
        pthread_cond_wait(&listener->changed, &listener->lock);
    pthread_mutex_unlock(&listener->lock);
}

static void count_free(void *user_data)
{
    struct listener *listener = user_data;
    pthread_mutex_lock(&listener->lock);
    listener->freed++;
    pthread_cond_broadcast(&listener->changed);
    pthread_mutex_unlock(&listener->lock);
}

/* Waits until the number is reached, for a minute at most. Returns whether it was reached. */
static int wait_for(struct listener *listener, const int *number, int wanted)
{
    struct timespec until;
    int late = 0, reached;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&listener->lock);
    while (*number < wanted && late == 0)
        late = pthread_cond_timedwait(&listener->changed, &listener->lock, &until);
    reached = *number == wanted;
    pthread_mutex_unlock(&listener->lock);
    return reached;
}

/* The number of threads before the library starts any. */
static int threads_at_start;

#define KEY(text) (const uint8_t *)(text), strlen(text)

static kvl_status_t put_for(kvl_cache_t *cache, const char *key, int64_t ttl_ms)
{
    return kvl_cache_put_bytes(cache, KEY(key), KEY("v"), TERMS(ttl_ms, KVL_PRIORITY_DEFAULT, KVL_COST_DEFAULT));
}

static kvl_cache_t *cache_of(kvl_runtime_t *runtime, struct listener *listener)
{
    kvl_config_t *config = NULL;
    kvl_cache_t *cache = NULL;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_runtime(config, runtime), KVL_OK);
    if (listener != NULL)
        STATUS(kvl_config_set_removal_listener(config, record_removal, listener, count_free), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    kvl_config_free(config);
    return cache;
}

static void s07_a_cache_has_threads_from_its_first_ttl_until_it_is_freed(void)
{
    struct listener listener;
    kvl_cache_t *cache;
    int before = threads_at_start;

    listener_init(&listener);
    cache = cache_of(NULL, &listener);
    STATUS(put_for(cache, "a", KVL_TTL_NEVER), KVL_OK);
    CHECK(threads_come_to(before));
    STATUS(put_for(cache, "b", 1), KVL_OK);
    CHECK(count_threads() > before);
    CHECK(wait_for(&listener, &listener.calls, 1));
    CHECK(!pthread_equal(listener.thread, pthread_self()));
    /* One thread for the timer, one for the listener. */
    CHECK(threads_come_to(before + 2) && kvl_cache_len(cache) == 1);
    /* The timer now sleeps for an hour, so its thread must be woken to end. */
    STATUS(put_for(cache, "c", 3600000), KVL_OK);
    kvl_cache_release(cache);
    CHECK(wait_for(&listener, &listener.freed, 1));
    CHECK(threads_come_to(before));
    CHECK(listener.calls == 1);
    listener_destroy(&listener);
}

static void s07a_without_a_timer_no_thread_is_started(void)
{
    kvl_config_t *config = NULL;
    kvl_cache_t *cache = NULL;
    struct listener listener;
    int i, before = threads_at_start;
    char key[16];

    listener_init(&listener);
    CHECK(threads_come_to(before));
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set(config, "cache.timer", "false"), KVL_OK);
    STATUS(kvl_config_set(config, "cache.ttl_ms", "1"), KVL_OK);
    STATUS(kvl_config_set(config, "cache.idle_ttl_ms", "1"), KVL_OK);
    STATUS(kvl_config_set_removal_listener(config, record_removal, &listener, count_free), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    kvl_config_free(config);
    for (i = 0; i < 100; i++) {
        sprintf(key, "%d", i);
        STATUS(put_for(cache, key, i % 2 == 0 ? KVL_TTL_DEFAULT : 1), KVL_OK);
        kvl_cache_remove(cache, KEY(key));
        CHECK(count_threads() == before);
    }
    STATUS(put_for(cache, "last", 1), KVL_OK);
    STATUS(kvl_cache_clear(cache), KVL_OK);
    kvl_cache_release(cache);
    CHECK(count_threads() == before && listener.calls == 101 && listener.freed == 1);
    listener_destroy(&listener);
}

static void l08_all_threads_have_ended_when_the_release_returns(void)
{
    int i, before = threads_at_start;

    for (i = 0; i < 50; i++) {
        kvl_cache_t *cache = cache_of(NULL, NULL);
        STATUS(put_for(cache, "a", i % 2 == 0 ? 1 : 3600000), KVL_OK);
        kvl_cache_release(cache);
        CHECK(threads_come_to(before));
    }
}

static void l03_a_release_does_not_wait_for_a_listener(void)
{
    struct listener listener;
    kvl_cache_t *cache;
    int before = threads_at_start;

    listener_init(&listener);
    listener.is_blocked = 1;
    cache = cache_of(NULL, &listener);
    STATUS(put_for(cache, "a", 1), KVL_OK);
    CHECK(wait_for(&listener, &listener.calls, 1));
    kvl_cache_release(cache);
    pthread_mutex_lock(&listener.lock);
    CHECK(listener.freed == 0);
    listener.is_blocked = 0;
    pthread_cond_broadcast(&listener.changed);
    pthread_mutex_unlock(&listener.lock);
    CHECK(wait_for(&listener, &listener.freed, 1));
    CHECK(threads_come_to(before));
    listener_destroy(&listener);
}

static void l04_many_caches_share_a_runtime(void)
{
    enum { CACHES = 5 };
    struct listener listener;
    kvl_runtime_t *runtime = NULL;
    kvl_cache_t *caches[CACHES];
    int i, before = threads_at_start;

    listener_init(&listener);
    STATUS(kvl_runtime_new(&runtime), KVL_OK);
    for (i = 0; i < CACHES; i++) {
        caches[i] = cache_of(runtime, &listener);
        /* The short TTL comes last, because a write removes expired entries and calls the listener on this thread. */
        STATUS(put_for(caches[i], "b", 3600000), KVL_OK);
        STATUS(put_for(caches[i], "a", 1 + i), KVL_OK);
    }
    CHECK(wait_for(&listener, &listener.calls, CACHES));
    CHECK(threads_come_to(before + 2));
    for (i = 0; i < CACHES; i++) {
        STATUS(kvl_runtime_free(runtime), KVL_ERR_BUSY);
        CHECK(kvl_cache_len(caches[i]) == 1);
        kvl_cache_release(caches[i]);
    }
    STATUS(kvl_runtime_free(runtime), KVL_OK);
    /* The threads are joined, so every delivery has finished. */
    CHECK(threads_come_to(before) && listener.freed == CACHES && listener.calls == CACHES);
    listener_destroy(&listener);
}

static void l01_a_callback_cannot_wait_for_itself(void)
{
    struct listener listener;
    kvl_runtime_t *runtime = NULL;
    kvl_cache_t *cache;

    listener_init(&listener);
    STATUS(kvl_runtime_new(&runtime), KVL_OK);
    listener.runtime = runtime;
    cache = cache_of(runtime, &listener);
    STATUS(put_for(cache, "a", 1), KVL_OK);
    CHECK(wait_for(&listener, &listener.calls, 1));
    STATUS(listener.freeing, KVL_ERR_REENTRANT);
    /* Nor can the listener free the runtime on the thread that removes an entry, which calls the listener unless the dispatcher is calling it. */
    STATUS(put_for(cache, "b", KVL_TTL_NEVER), KVL_OK);
    STATUS(kvl_cache_remove(cache, KEY("b")), KVL_OK);
    CHECK(wait_for(&listener, &listener.calls, 2));
    STATUS(listener.freeing, KVL_ERR_REENTRANT);

    /* The last release happens on the dispatcher's thread. */
    STATUS(put_for(cache, "c", 3600000), KVL_OK);
    pthread_mutex_lock(&listener.lock);
    listener.release = cache;
    pthread_mutex_unlock(&listener.lock);
    STATUS(put_for(cache, "d", 1), KVL_OK);
    CHECK(wait_for(&listener, &listener.calls, 3));
    STATUS(kvl_runtime_free(runtime), KVL_OK);
    CHECK(listener.freed == 1);
    listener_destroy(&listener);
}

static void l05_a_runtime_that_has_ended_is_rejected(void)
{
    kvl_config_t *config = NULL;
    kvl_runtime_t *runtime = NULL;
    kvl_cache_t *cache = (kvl_cache_t *)kvl_value_null();
    kvl_error_t *error = NULL;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_runtime_new(&runtime), KVL_OK);
    STATUS(kvl_config_set_runtime(config, runtime), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, &error), KVL_OK);
    STATUS(kvl_runtime_free(runtime), KVL_ERR_BUSY);
    kvl_cache_release(cache);
    STATUS(kvl_runtime_free(runtime), KVL_OK);

    STATUS(kvl_cache_new(config, &cache, &error), KVL_ERR_INVALID_HANDLE);
    CHECK(cache == NULL);
    STATUS(kvl_error_status(error), KVL_ERR_INVALID_HANDLE);
    kvl_error_release(error);
    STATUS(kvl_config_set_runtime(config, NULL), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    kvl_cache_release(cache);
    kvl_config_free(config);
    STATUS(kvl_runtime_free(NULL), KVL_OK);
}

int main(void)
{
    threads_at_start = count_threads();
    s07_a_cache_has_threads_from_its_first_ttl_until_it_is_freed();
    s07a_without_a_timer_no_thread_is_started();
    l08_all_threads_have_ended_when_the_release_returns();
    l03_a_release_does_not_wait_for_a_listener();
    l04_many_caches_share_a_runtime();
    l01_a_callback_cannot_wait_for_itself();
    l05_a_runtime_that_has_ended_is_rejected();
    DONE();
}
