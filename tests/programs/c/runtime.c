/* Threads: a cache's own, and a shared runtime. */
#define _POSIX_C_SOURCE 200809L
#include "../system.h"
#include "check.h"
#include <pthread.h>
#include <time.h>

/* what a listener on another thread was called with */
struct heard {
    pthread_mutex_t lock;
    pthread_cond_t news;
    int times, ended, held;
    pthread_t thread;
    kvl_runtime_t *runtime;
    kvl_status_t freeing;
    kvl_cache_t *release;
};

static void prepare(struct heard *heard)
{
    memset(heard, 0, sizeof *heard);
    CHECK(pthread_mutex_init(&heard->lock, NULL) == 0 && pthread_cond_init(&heard->news, NULL) == 0);
}

static void finish(struct heard *heard)
{
    CHECK(pthread_mutex_destroy(&heard->lock) == 0 && pthread_cond_destroy(&heard->news) == 0);
}

static void hear(void *user_data, const kvl_result_t *entry, kvl_cause_t cause)
{
    struct heard *heard = user_data;

    (void)entry;
    (void)cause;
    pthread_mutex_lock(&heard->lock);
    heard->times++;
    heard->thread = pthread_self();
    if (heard->runtime != NULL)
        heard->freeing = kvl_runtime_free(heard->runtime);
    kvl_cache_release(heard->release);
    heard->release = NULL;
    pthread_cond_broadcast(&heard->news);
    while (heard->held)
        pthread_cond_wait(&heard->news, &heard->lock);
    pthread_mutex_unlock(&heard->lock);
}

static void end(void *user_data)
{
    struct heard *heard = user_data;
    pthread_mutex_lock(&heard->lock);
    heard->ended++;
    pthread_cond_broadcast(&heard->news);
    pthread_mutex_unlock(&heard->lock);
}

/* Waits until the number is reached, or for a minute. Returns whether it was reached. */
static int wait_for(struct heard *heard, const int *number, int wanted)
{
    struct timespec until;
    int late = 0, reached;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    pthread_mutex_lock(&heard->lock);
    while (*number < wanted && late == 0)
        late = pthread_cond_timedwait(&heard->news, &heard->lock, &until);
    reached = *number == wanted;
    pthread_mutex_unlock(&heard->lock);
    return reached;
}

/* the number of threads before the library starts any */
static int alone;

#define KEY(text) (const uint8_t *)(text), strlen(text)

static kvl_status_t put_for(kvl_cache_t *cache, const char *key, int64_t ttl_ms)
{
    return kvl_cache_put_bytes(cache, KEY(key), KEY("v"), TERMS(ttl_ms, KVL_PRIORITY_DEFAULT, KVL_COST_DEFAULT));
}

static kvl_cache_t *cache_of(kvl_runtime_t *runtime, struct heard *heard)
{
    kvl_config_t *config = NULL;
    kvl_cache_t *cache = NULL;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_runtime(config, runtime), KVL_OK);
    if (heard != NULL)
        STATUS(kvl_config_set_removal_listener(config, hear, heard, end), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    kvl_config_free(config);
    return cache;
}

static void s07_a_cache_has_threads_from_its_first_ttl_until_it_is_freed(void)
{
    struct heard heard;
    kvl_cache_t *cache;
    int before = alone;

    prepare(&heard);
    cache = cache_of(NULL, &heard);
    STATUS(put_for(cache, "a", KVL_TTL_NEVER), KVL_OK);
    CHECK(threads_come_to(before));
    STATUS(put_for(cache, "b", 1), KVL_OK);
    CHECK(count_threads() > before);
    CHECK(wait_for(&heard, &heard.times, 1));
    CHECK(!pthread_equal(heard.thread, pthread_self()));
    /* one for the timer, one for the listener */
    CHECK(threads_come_to(before + 2) && kvl_cache_len(cache) == 1);
    /* the timer sleeps until then, so its thread must be woken to end */
    STATUS(put_for(cache, "c", 3600000), KVL_OK);
    kvl_cache_release(cache);
    CHECK(wait_for(&heard, &heard.ended, 1));
    CHECK(threads_come_to(before));
    CHECK(heard.times == 1);
    finish(&heard);
}

static void s07a_without_a_timer_no_thread_is_started(void)
{
    kvl_config_t *config = NULL;
    kvl_cache_t *cache = NULL;
    struct heard heard;
    int i, before = alone;
    char key[16];

    prepare(&heard);
    CHECK(threads_come_to(before));
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set(config, "cache.timer", "false"), KVL_OK);
    STATUS(kvl_config_set(config, "cache.ttl_ms", "1"), KVL_OK);
    STATUS(kvl_config_set(config, "cache.idle_ttl_ms", "1"), KVL_OK);
    STATUS(kvl_config_set_removal_listener(config, hear, &heard, end), KVL_OK);
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
    CHECK(count_threads() == before && heard.times == 101 && heard.ended == 1);
    finish(&heard);
}

static void l08_no_thread_is_left_when_the_release_returns(void)
{
    int i, before = alone;

    for (i = 0; i < 50; i++) {
        kvl_cache_t *cache = cache_of(NULL, NULL);
        STATUS(put_for(cache, "a", i % 2 == 0 ? 1 : 3600000), KVL_OK);
        kvl_cache_release(cache);
        CHECK(threads_come_to(before));
    }
}

static void l03_a_release_does_not_wait_for_a_listener(void)
{
    struct heard heard;
    kvl_cache_t *cache;
    int before = alone;

    prepare(&heard);
    heard.held = 1;
    cache = cache_of(NULL, &heard);
    STATUS(put_for(cache, "a", 1), KVL_OK);
    CHECK(wait_for(&heard, &heard.times, 1));
    kvl_cache_release(cache);
    pthread_mutex_lock(&heard.lock);
    CHECK(heard.ended == 0);
    heard.held = 0;
    pthread_cond_broadcast(&heard.news);
    pthread_mutex_unlock(&heard.lock);
    CHECK(wait_for(&heard, &heard.ended, 1));
    CHECK(threads_come_to(before));
    finish(&heard);
}

static void l04_many_caches_share_a_runtime(void)
{
    enum { CACHES = 5 };
    struct heard heard;
    kvl_runtime_t *runtime = NULL;
    kvl_cache_t *caches[CACHES];
    int i, before = alone;

    prepare(&heard);
    STATUS(kvl_runtime_new(&runtime), KVL_OK);
    for (i = 0; i < CACHES; i++) {
        caches[i] = cache_of(runtime, &heard);
        /* the short TTL last, because a write removes expired entries and calls the listener on this thread */
        STATUS(put_for(caches[i], "b", 3600000), KVL_OK);
        STATUS(put_for(caches[i], "a", 1 + i), KVL_OK);
    }
    CHECK(wait_for(&heard, &heard.times, CACHES));
    CHECK(threads_come_to(before + 2));
    for (i = 0; i < CACHES; i++) {
        STATUS(kvl_runtime_free(runtime), KVL_ERR_BUSY);
        CHECK(kvl_cache_len(caches[i]) == 1);
        kvl_cache_release(caches[i]);
    }
    STATUS(kvl_runtime_free(runtime), KVL_OK);
    /* joined, so every delivery has finished */
    CHECK(threads_come_to(before) && heard.ended == CACHES && heard.times == CACHES);
    finish(&heard);
}

static void l01_a_callback_cannot_wait_for_itself(void)
{
    struct heard heard;
    kvl_runtime_t *runtime = NULL;
    kvl_cache_t *cache;

    prepare(&heard);
    STATUS(kvl_runtime_new(&runtime), KVL_OK);
    heard.runtime = runtime;
    cache = cache_of(runtime, &heard);
    STATUS(put_for(cache, "a", 1), KVL_OK);
    CHECK(wait_for(&heard, &heard.times, 1));
    STATUS(heard.freeing, KVL_ERR_REENTRANT);
    /* nor on the thread that caused it, unless the dispatcher is calling it at the time */
    STATUS(put_for(cache, "b", KVL_TTL_NEVER), KVL_OK);
    STATUS(kvl_cache_remove(cache, KEY("b")), KVL_OK);
    CHECK(wait_for(&heard, &heard.times, 2));
    STATUS(heard.freeing, KVL_ERR_REENTRANT);

    /* the last release happens on the dispatcher's thread */
    STATUS(put_for(cache, "c", 3600000), KVL_OK);
    pthread_mutex_lock(&heard.lock);
    heard.release = cache;
    pthread_mutex_unlock(&heard.lock);
    STATUS(put_for(cache, "d", 1), KVL_OK);
    CHECK(wait_for(&heard, &heard.times, 3));
    STATUS(kvl_runtime_free(runtime), KVL_OK);
    CHECK(heard.ended == 1);
    finish(&heard);
}

static void l05_a_runtime_that_ended_is_refused(void)
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
    alone = count_threads();
    s07_a_cache_has_threads_from_its_first_ttl_until_it_is_freed();
    s07a_without_a_timer_no_thread_is_started();
    l08_no_thread_is_left_when_the_release_returns();
    l03_a_release_does_not_wait_for_a_listener();
    l04_many_caches_share_a_runtime();
    l01_a_callback_cannot_wait_for_itself();
    l05_a_runtime_that_ended_is_refused();
    DONE();
}
