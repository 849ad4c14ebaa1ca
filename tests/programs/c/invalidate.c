/* Keys that another process has changed (rule T05). */
#define _POSIX_C_SOURCE 200809L
#include "engine.h"

static void put(struct fixture *fixture, const char *key)
{
    kvl_cache_t *cache = NULL;

    STATUS(kvl_tasks_cache(fixture->tasks, &cache), KVL_OK);
    STATUS(kvl_cache_put_bytes(cache, KEY(key), KEY("old"), NULL), KVL_OK);
    kvl_cache_release(cache);
}

static kvl_status_t get_status(struct fixture *fixture, const char *key)
{
    kvl_value_t *value = NULL;
    kvl_status_t status = kvl_tasks_get(fixture->tasks, KEY(key), &value);

    kvl_value_release(value);
    return status;
}

static kvl_status_t fetch_status(struct fixture *fixture, const char *key)
{
    kvl_value_t *value = NULL;
    kvl_status_t status = kvl_tasks_fetch_wait(fixture->tasks, KEY(key), NULL, NULL, &value, NULL);

    kvl_value_release(value);
    return status;
}

static void t05_keys_that_another_process_wrote_are_loaded_again(void)
{
    static const kvl_slice_t keys[] = { SLICE("a"), SLICE("never seen"), SLICE("hold") };
    struct fixture fixture;
    struct recorder before, after;
    kvl_request_t *old;

    create_engine(&fixture, fixture_init(&fixture));
    put(&fixture, "a");
    put(&fixture, "b");
    fetch_recorded(&before, &fixture, "hold", NULL, NULL);
    old = next_request(&fixture);
    STATUS(kvl_tasks_invalidate(fixture.tasks, keys, COUNT(keys), 0), KVL_OK);
    STATUS(get_status(&fixture, "a"), KVL_MISS);
    STATUS(get_status(&fixture, "b"), KVL_VALUE);
    fetch_recorded(&after, &fixture, "hold", NULL, NULL);
    answer(next_request(&fixture), "new");
    answer(old, "old");
    wait_for_free(&before);
    wait_for_free(&after);
    CHECK(strcmp(before.text, "old") == 0 && strcmp(after.text, "new") == 0);
    STATUS(get_status(&fixture, "hold"), KVL_VALUE);
    STATUS(kvl_tasks_invalidate(fixture.tasks, NULL, 0, KVL_INVALIDATE_F_ALL), KVL_OK);
    STATUS(get_status(&fixture, "b"), KVL_MISS);
    STATUS(get_status(&fixture, "hold"), KVL_MISS);
    recorder_release(&before);
    recorder_release(&after);
    free_engine(&fixture);
}

static void t05_r12_an_outdated_entry_can_stay_as_a_fallback(void)
{
    static const kvl_slice_t key = SLICE("fail");
    struct fixture fixture;
    kvl_stats_t stats;
    kvl_config_t *config = fixture_init(&fixture);

    STATUS(kvl_config_set_int(config, "cache.ttl_ms", 60000), KVL_OK);
    STATUS(kvl_config_set_int(config, "stale.ttl_ms", 60000), KVL_OK);
    STATUS(kvl_config_set_int(config, "stale.retry_ms", 0), KVL_OK);
    create_engine(&fixture, config);
    put(&fixture, "fail");
    STATUS(kvl_tasks_invalidate(fixture.tasks, &key, 1, KVL_INVALIDATE_F_EXPIRE), KVL_OK);
    STATUS(fetch_status(&fixture, "fail"), KVL_VALUE);
    put(&fixture, "fail");
    STATUS(kvl_tasks_invalidate(fixture.tasks, NULL, 0, KVL_INVALIDATE_F_ALL | KVL_INVALIDATE_F_EXPIRE), KVL_OK);
    STATUS(fetch_status(&fixture, "fail"), KVL_VALUE);
    STATUS(kvl_tasks_stats(fixture.tasks, &stats, sizeof stats), KVL_OK);
    CHECK(stats.stale_error == 2);
    STATUS(kvl_tasks_invalidate(fixture.tasks, &key, 1, 0), KVL_OK);
    STATUS(fetch_status(&fixture, "fail"), KVL_ERR_PROVIDER);
    free_engine(&fixture);
}

static void l09_invalid_arguments_are_rejected(void)
{
    static uint8_t text[KVL_KEY_MAX + 1];
    static const kvl_slice_t too_long = { text, sizeof text }, null_key = { NULL, 1 }, key = SLICE("k");
    struct fixture fixture;

    create_engine(&fixture, fixture_init(&fixture));
    put(&fixture, "k");
    STATUS(kvl_tasks_invalidate(NULL, &key, 1, 0), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_invalidate(fixture.tasks, NULL, 1, 0), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_invalidate(fixture.tasks, &null_key, 1, 0), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_invalidate(fixture.tasks, &key, SIZE_MAX, 0), KVL_ERR_INVALID_ARG);
    STATUS(kvl_tasks_invalidate(fixture.tasks, &key, 1, 4), KVL_ERR_INVALID_ARG);
    STATUS(kvl_tasks_invalidate(fixture.tasks, &key, 1, KVL_INVALIDATE_F_ALL), KVL_ERR_INVALID_ARG);
    STATUS(kvl_tasks_invalidate(fixture.tasks, &too_long, 1, 0), KVL_OK);
    STATUS(kvl_tasks_invalidate(fixture.tasks, NULL, 0, 0), KVL_OK);
    STATUS(get_status(&fixture, "k"), KVL_VALUE);
    STATUS(kvl_tasks_close(fixture.tasks, KVL_CLOSE_CANCEL, 0, NULL, NULL, NULL), KVL_OK);
    STATUS(kvl_tasks_invalidate(fixture.tasks, &key, 1, 0), KVL_OK);
    free_engine(&fixture);
}

int main(void)
{
    silence_unused_warnings();
    t05_keys_that_another_process_wrote_are_loaded_again();
    t05_r12_an_outdated_entry_can_stay_as_a_fallback();
    l09_invalid_arguments_are_rejected();
    DONE();
}
