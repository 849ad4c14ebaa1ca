/* A second tier whose function calls the engine, and waits for another thread that does so too (rule T16): the engine holds no lock meanwhile. */
#define _POSIX_C_SOURCE 200809L
#include "engine.h"

enum { KINDS = KVL_L2_CLEAR + 1 };

struct tier {
    struct fixture *fixture;
    kvl_cache_t *cache;
    int begun[KINDS], finished[KINDS]; /* requests of each kind */
};

static void ignore(void *user_data, const kvl_result_t *result)
{
    (void)user_data;
    CHECK(result->status == KVL_VALUE || result->status == KVL_ERR_CLOSED);
}

static void use_engine(struct tier *tier)
{
    kvl_tasks_t *tasks = tier->fixture->tasks;
    kvl_stats_t stats;
    kvl_slice_t key = SLICE("of others");
    kvl_value_t *text = NULL;

    STATUS(kvl_cache_contains(tier->cache, KEY("nothing")), KVL_MISS);
    STATUS(kvl_cache_put_bytes(tier->cache, KEY("by the tier"), KEY("v"), NULL), KVL_OK);
    CHECK(kvl_cache_remove(tier->cache, KEY("by the tier")) >= 0);
    STATUS(kvl_tasks_invalidate(tasks, &key, 1, 0), KVL_OK);
    STATUS(kvl_tasks_invalidate(tasks, NULL, 0, KVL_INVALIDATE_F_ALL | KVL_INVALIDATE_F_EXPIRE), KVL_OK);
    STATUS(kvl_tasks_fetch(tasks, KEY("fetched by the tier"), NULL, NULL, ignore, NULL, NULL, NULL), KVL_PENDING);
    STATUS(kvl_tasks_stats(tasks, &stats, sizeof stats), KVL_OK);
    STATUS(kvl_tasks_stats_json(tasks, &text), KVL_OK);
    kvl_value_release(text);
}

static void *use_engine_elsewhere(void *tier)
{
    use_engine(tier);
    return NULL;
}

/* The test frees the engine while requests to the tier may still be running. */
static int is_accepted_or_closed(kvl_status_t status)
{
    return status >= 0 || status == KVL_ERR_CLOSED;
}

static void serve(void *user_data, kvl_l2_request_t *request)
{
    struct tier *tier = user_data;
    uint32_t kind = kvl_l2_request_kind(request);
    pthread_t other;
    int is_first;

    CHECK(kind < KINDS);
    pthread_mutex_lock(&tier->fixture->lock);
    is_first = tier->begun[kind]++ == 0;
    pthread_mutex_unlock(&tier->fixture->lock);
    if (is_first) {
        use_engine(tier);
        /* If this thread held a lock of the engine, the other thread would wait for the lock, and this thread for the other. */
        CHECK(pthread_create(&other, NULL, use_engine_elsewhere, tier) == 0 && pthread_join(other, NULL) == 0);
        STATUS(kvl_tasks_l2_sync(tier->fixture->tasks, KVL_FOREVER), KVL_ERR_REENTRANT);
    }
    for (size_t i = 0; kind == KVL_L2_READ && i < kvl_l2_request_len(request); i++)
        CHECK(is_accepted_or_closed(kvl_l2_request_miss(request, i, NULL, 0)));
    CHECK(is_accepted_or_closed(kvl_l2_request_finish(request)));
    pthread_mutex_lock(&tier->fixture->lock);
    tier->finished[kind]++;
    pthread_cond_broadcast(&tier->fixture->changed);
    pthread_mutex_unlock(&tier->fixture->lock);
}

static void t16_nothing_is_locked_while_the_second_tier_runs(void)
{
    struct fixture fixture;
    struct tier tier = { &fixture, NULL, { 0 }, { 0 } };
    struct recorder recorder;
    kvl_config_t *config = fixture_init(&fixture);

    /* No timeout: the test's clock does not advance. */
    STATUS(kvl_config_set_int(config, "l2.timeout_ms", -1), KVL_OK);
    STATUS(kvl_config_set_l2(config, 0, serve, &tier, NULL), KVL_OK);
    create_engine(&fixture, config);
    STATUS(kvl_tasks_cache(fixture.tasks, &tier.cache), KVL_OK);
    fetch_recorded(&recorder, &fixture, "a", NULL, NULL);
    wait_for_free(&recorder);
    CHECK(recorder.status == KVL_VALUE && recorder.source == KVL_SOURCE_PROVIDER);
    recorder_release(&recorder);
    CHECK(wait_for(&fixture, &tier.finished[KVL_L2_READ], 1));
    STATUS(kvl_cache_put_bytes(tier.cache, KEY("b"), KEY("v"), NULL), KVL_OK);
    CHECK(wait_for(&fixture, &tier.finished[KVL_L2_WRITE], 1));
    /* The tier's function may have expired the entry. */
    CHECK(kvl_cache_remove(tier.cache, KEY("b")) >= 0);
    CHECK(wait_for(&fixture, &tier.finished[KVL_L2_REMOVE], 1));
    STATUS(kvl_cache_clear(tier.cache), KVL_OK);
    CHECK(wait_for(&fixture, &tier.finished[KVL_L2_CLEAR], 1));
    fetch_recorded(&recorder, &fixture, "c", NULL, NULL);
    wait_for_free(&recorder);
    recorder_release(&recorder);
    CHECK(wait_for(&fixture, &tier.finished[KVL_L2_FILL], 1));
    kvl_cache_release(tier.cache);
    free_engine(&fixture);
}

int main(void)
{
    silence_unused_warnings();
    t16_nothing_is_locked_while_the_second_tier_runs();
    DONE();
}
