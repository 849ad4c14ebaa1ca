/* Removing and expiring groups of entries: those with a tag, and all of them (rules R11, R12). */
#define _POSIX_C_SOURCE 200809L
#include "check.h"

#define KEY(text) (const uint8_t *)(text), strlen(text)

struct removals {
    int count;
    kvl_cause_t cause;
};

static void removed(void *user_data, const kvl_result_t *entry, kvl_cause_t cause)
{
    struct removals *removals = user_data;

    (void)entry;
    removals->count++;
    removals->cause = cause;
}

static const uint8_t *bytes(const char *text)
{
    return (const uint8_t *)text;
}

static void put(kvl_cache_t *cache, const char *key, const kvl_slice_t *tags, size_t n)
{
    kvl_terms_t terms = KVL_TERMS_INIT;

    terms.tags = tags;
    terms.tags_len = n;
    STATUS(kvl_cache_put_bytes(cache, bytes(key), strlen(key), bytes("v"), 1, &terms), KVL_OK);
}

static void r11_a_tag_removes_its_entries(void)
{
    const kvl_slice_t a = { bytes("a"), 1 }, both[] = { { bytes("a"), 1 }, { bytes("b"), 1 } };
    struct removals removals = { 0, 0 };
    kvl_config_t *config = NULL;
    kvl_cache_t *cache = NULL;
    kvl_stats_t stats;
    size_t count = 7;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_removal_listener(config, removed, &removals, NULL), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    kvl_config_free(config);
    put(cache, "1", &a, 1);
    put(cache, "2", both, 2);
    put(cache, "3", NULL, 0);
    STATUS(kvl_cache_remove_tag(cache, bytes("b"), 1, &count), KVL_OK);
    CHECK(count == 1 && kvl_cache_len(cache) == 2);
    STATUS(kvl_cache_remove_tag(cache, bytes("none"), 4, &count), KVL_OK);
    CHECK(count == 0);
    STATUS(kvl_cache_expire_tag(cache, bytes("a"), 1, &count), KVL_OK);
    CHECK(count == 1 && kvl_cache_len(cache) == 1);
    STATUS(kvl_cache_stats(cache, &stats, sizeof stats), KVL_OK);
    CHECK(stats.removed_tag == 1 && stats.removed_cost_tag > KVL_ENTRY_COST && stats.removed_expired == 1);
    STATUS(kvl_cache_expire_all(cache), KVL_OK);
    CHECK(kvl_cache_len(cache) == 0);
    kvl_cache_release(cache);
    CHECK(removals.count == 3);
}

static void l09_an_invalid_tag_is_rejected(void)
{
    static uint8_t text[KVL_LABEL_MAX + 1];
    const kvl_slice_t too_long = { text, sizeof text }, empty = { text, 0 }, null_tag = { NULL, 1 };
    const kvl_slice_t *refused[] = { &too_long, &empty, &null_tag };
    kvl_terms_t terms = KVL_TERMS_INIT;
    kvl_config_t *config = NULL;
    kvl_cache_t *cache = NULL;
    size_t count = 7, i;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    kvl_config_free(config);
    STATUS(kvl_cache_remove_tag(cache, text, sizeof text, &count), KVL_ERR_INVALID_ARG);
    STATUS(kvl_cache_remove_tag(cache, text, 0, &count), KVL_ERR_INVALID_ARG);
    STATUS(kvl_cache_expire_tag(cache, NULL, 1, &count), KVL_ERR_NULL_POINTER);
    STATUS(kvl_cache_remove_tag(NULL, text, 1, &count), KVL_ERR_NULL_POINTER);
    STATUS(kvl_cache_expire_all(NULL), KVL_ERR_NULL_POINTER);
    CHECK(count == 7);
    STATUS(kvl_cache_remove_tag(cache, text, KVL_LABEL_MAX, NULL), KVL_OK);
    terms.tags_len = 1;
    for (i = 0; i < 3; i++) {
        terms.tags = refused[i];
        STATUS(kvl_cache_put_bytes(cache, bytes("k"), 1, NULL, 0, &terms), i < 2 ? KVL_ERR_BAD_VALUE : KVL_ERR_NULL_POINTER);
    }
    CHECK(kvl_cache_len(cache) == 0);
    kvl_cache_release(cache);
}

struct loads {
    atomic_int down;
    int calls;
};

static void provide(void *user_data, kvl_request_t *request)
{
    static const kvl_slice_t tag = { (const uint8_t *)"user 7", 6 };
    struct loads *loads = user_data;
    kvl_terms_t terms = KVL_TERMS_INIT;

    loads->calls++;
    terms.tags = &tag;
    terms.tags_len = 1;
    if (loads->down)
        STATUS(kvl_request_fail_text(request, 0, 503, "down", 0), KVL_OK);
    else
        STATUS(kvl_request_resolve_bytes(request, 0, bytes("v"), 1, &terms), KVL_OK);
}

static kvl_status_t fetch_status(kvl_tasks_t *tasks)
{
    kvl_value_t *value = NULL;
    kvl_error_t *error = NULL;
    kvl_status_t status = kvl_tasks_fetch_wait(tasks, KEY("k"), NULL, NULL, &value, &error);

    kvl_value_release(value);
    kvl_error_release(error);
    return status;
}

static void r12_entries_that_a_tag_expires_stay_as_fallbacks(void)
{
    struct loads loads = { 0, 0 };
    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;
    kvl_cache_t *cache = NULL;
    kvl_stats_t stats;
    size_t count = 0;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide, &loads, NULL), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.ttl_ms", 3600000), KVL_OK);
    STATUS(kvl_config_set_int(config, "stale.ttl_ms", 3600000), KVL_OK);
    STATUS(kvl_tasks_new(config, &tasks, NULL), KVL_OK);
    kvl_config_free(config);
    STATUS(kvl_tasks_cache(tasks, &cache), KVL_OK);
    STATUS(fetch_status(tasks), KVL_VALUE);
    STATUS(kvl_cache_expire_tag(cache, bytes("user 7"), 6, &count), KVL_OK);
    CHECK(count == 1);
    loads.down = 1;
    STATUS(fetch_status(tasks), KVL_VALUE);
    STATUS(kvl_tasks_stats(tasks, &stats, sizeof stats), KVL_OK);
    CHECK(stats.stale_error == 1);
    STATUS(kvl_cache_remove_tag(cache, bytes("user 7"), 6, &count), KVL_OK);
    CHECK(count == 0 && kvl_cache_len(cache) == 0);
    STATUS(fetch_status(tasks), KVL_ERR_PROVIDER);
    kvl_cache_release(cache);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    CHECK(loads.calls == 3);
}

int main(void)
{
    r11_a_tag_removes_its_entries();
    l09_an_invalid_tag_is_rejected();
    r12_entries_that_a_tag_expires_stay_as_fallbacks();
    DONE();
}
