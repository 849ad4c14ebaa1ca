/* A provider that asks its source whether a record has changed (rule R06). */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#define KEY(text) (const uint8_t *)(text), strlen(text)

struct record {
    const char *version, *text;
    int loads, checks, removals;
    int clears; /* whether the provider clears the cache before it answers */
    kvl_tasks_t *tasks;
};

static void provide_what_changed(void *user_data, kvl_request_t *request)
{
    struct record *record = user_data;
    kvl_terms_t terms = KVL_TERMS_INIT;
    kvl_value_t *value = NULL;
    kvl_slice_t version = { NULL, 0 };
    int64_t age_ms = -1;
    kvl_status_t known = kvl_request_stale(request, 0, &value, &age_ms, &version);

    STATUS(kvl_request_stale(request, 1, NULL, NULL, NULL), KVL_ERR_OUT_OF_RANGE);
    if (known == KVL_MISS)
        STATUS(kvl_request_not_modified(request, 0, NULL), KVL_MISS);
    if (known == KVL_VALUE && version.len == strlen(record->version) && memcmp(version.data, record->version, version.len) == 0) {
        kvl_cache_t *cache = NULL;

        CHECK(age_ms >= 1000 && value != NULL);
        record->checks++;
        if (record->clears) {
            /* The request has its own reference to the value. */
            STATUS(kvl_tasks_cache(record->tasks, &cache), KVL_OK);
            STATUS(kvl_cache_clear(cache), KVL_OK);
            kvl_cache_release(cache);
        }
        STATUS(kvl_request_not_modified(request, 0, NULL), KVL_OK);
    } else {
        record->loads++;
        terms.version = (const uint8_t *)record->version;
        terms.version_len = strlen(record->version);
        STATUS(kvl_request_resolve_object(request, 0, (void *)record->text, 5, NULL, &terms), KVL_OK);
    }
    kvl_value_release(value);
}

static void removed(void *user_data, const kvl_result_t *entry, kvl_cause_t cause)
{
    (void)entry;
    (void)cause;
    ++*(int *)user_data;
}

static void *fetch_object(kvl_tasks_t *tasks)
{
    kvl_value_t *value = NULL;
    void *object;

    STATUS(kvl_tasks_fetch_wait(tasks, KEY("k"), NULL, NULL, &value, NULL), KVL_VALUE);
    object = kvl_value_object(value);
    kvl_value_release(value);
    return object;
}

static void r06_an_unmodified_value_gets_a_new_ttl(void)
{
    struct record record = { "v1", "text", 0, 0, 0, 0, NULL };
    kvl_clock_t *clock = NULL;
    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;
    kvl_cache_t *cache = NULL;
    kvl_stats_t stats;
    int i;

    STATUS(kvl_clock_new_manual(0, &clock), KVL_OK);
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_clock(config, clock), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide_what_changed, &record, NULL), KVL_OK);
    STATUS(kvl_config_set_removal_listener(config, removed, &record.removals, NULL), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.ttl_ms", 1000), KVL_OK);
    STATUS(kvl_config_set_int(config, "stale.ttl_ms", 60000), KVL_OK);
    STATUS(kvl_tasks_new(config, &tasks, NULL), KVL_OK);
    kvl_config_free(config);
    record.tasks = tasks;
    STATUS(kvl_tasks_cache(tasks, &cache), KVL_OK);

    for (i = 0; i < 4; i++) {
        CHECK(fetch_object(tasks) == record.text);
        CHECK(fetch_object(tasks) == record.text);
        STATUS(kvl_clock_advance(clock, 1000), KVL_OK);
    }
    CHECK(record.loads == 1 && record.checks == 3);
    STATUS(kvl_tasks_stats(tasks, &stats, sizeof stats), KVL_OK);
    CHECK(stats.hits == 4 && stats.loads_succeeded == 4 && stats.entries == 1);
    CHECK(stats.removed_replaced + stats.removed_expired + stats.removed_removed == 0);

    record.version = "v2";
    record.text = "other";
    CHECK(fetch_object(tasks) == record.text);
    CHECK(record.loads == 2 && record.checks == 3);
    STATUS(kvl_clock_advance(clock, 1000), KVL_OK);

    record.clears = 1;
    CHECK(fetch_object(tasks) == record.text);
    CHECK(record.checks == 4);
    STATUS(kvl_tasks_stats(tasks, &stats, sizeof stats), KVL_OK);
    /* The clear overtook the load, so the answer was not stored. */
    CHECK(stats.entries == 0 && stats.removed_replaced == 1 && stats.removed_cleared == 1);
    kvl_cache_release(cache);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    CHECK(record.removals == 2);
    kvl_clock_release(clock);
}

int main(void)
{
    r06_an_unmodified_value_gets_a_new_ttl();
    DONE();
}
