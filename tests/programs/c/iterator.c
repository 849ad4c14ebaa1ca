/* Iterators: each entry is returned once, whatever is written meanwhile. */
#define _POSIX_C_SOURCE 200809L
#include "engine.h"

static kvl_cache_t *new_cache(void)
{
    kvl_config_t *config = NULL;
    kvl_cache_t *cache = NULL;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    kvl_config_free(config);
    return cache;
}

static void put_number(kvl_cache_t *cache, int number)
{
    char key[32];
    int len = snprintf(key, sizeof key, "key %d", number);

    STATUS(kvl_cache_put_bytes(cache, (const uint8_t *)key, (size_t)len, (const uint8_t *)&number, sizeof number, NULL), KVL_OK);
}

static void count_object_free(void *user_data)
{
    ++*(int *)user_data;
}

static void s18_an_iterator_returns_each_entry_with_its_properties(void)
{
    kvl_cache_t *cache = new_cache();
    kvl_iterator_t *iterator = NULL;
    kvl_value_t *object = NULL;
    kvl_result_t entry;
    kvl_stats_t stats;
    kvl_status_t status;
    int seen = 0, ends = 0;

    STATUS(kvl_cache_put_bytes(cache, KEY("bytes"), KEY("apple"), TERMS(60000, 1, 7)), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("null"), kvl_value_null(), TERMS(KVL_TTL_NEVER, 0, KVL_COST_DEFAULT)), KVL_OK);
    STATUS(kvl_value_new_object(&ends, 1, count_object_free, &object), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("object"), object, TERMS(KVL_TTL_NEVER, 0, KVL_COST_DEFAULT)), KVL_OK);
    kvl_value_release(object);
    STATUS(kvl_iterator_new(cache, &iterator), KVL_OK);
    while ((status = kvl_iterator_next(iterator, &entry, sizeof entry)) != KVL_EMPTY) {
        CHECK(entry.struct_size == sizeof entry && entry.status == status && entry.source == KVL_SOURCE_STORE);
        if (entry.key_len == 5) {
            STATUS(status, KVL_VALUE);
            CHECK(memcmp(entry.key, "bytes", 5) == 0 && entry.data_len == 5 && memcmp(entry.data, "apple", 5) == 0);
            CHECK(entry.value != NULL && entry.object == NULL && entry.cost == 7 + 5 + KVL_ENTRY_COST);
            CHECK(entry.ttl_left_ms > 50000 && entry.ttl_left_ms <= 60000);
            seen |= 1;
        } else if (entry.key_len == 4) {
            STATUS(status, KVL_NULL);
            CHECK(entry.value == NULL && entry.data == NULL && entry.ttl_left_ms == KVL_TTL_NEVER);
            seen |= 2;
        } else {
            STATUS(status, KVL_VALUE);
            CHECK(entry.object == &ends && entry.data == NULL);
            /* The iterator keeps its current object, even after the entry is removed. */
            STATUS(kvl_cache_remove(cache, KEY("object")), KVL_OK);
            CHECK(ends == 0);
            seen |= 4;
        }
    }
    CHECK(seen == 7 && ends == 1);
    STATUS(kvl_iterator_next(iterator, &entry, sizeof entry), KVL_EMPTY);
    STATUS(kvl_cache_stats(cache, &stats, sizeof stats), KVL_OK);
    CHECK(stats.hits == 0 && stats.null_hits == 0 && stats.misses == 0);
    kvl_iterator_free(iterator);
    kvl_cache_release(cache);
}

static void s18_an_entry_that_stays_is_returned_once_and_an_iterator_keeps_the_cache(void)
{
    enum { KEPT = 2000 };
    static unsigned char times_returned[KEPT];
    kvl_cache_t *cache = new_cache();
    kvl_iterator_t *iterator = NULL;
    kvl_result_t entry;
    int next = KEPT, number, right = 0;
    char key[32];

    STATUS(kvl_cache_resize(cache, 100000, -1), KVL_OK);
    for (number = 0; number < KEPT; number++)
        put_number(cache, number);
    STATUS(kvl_iterator_new(cache, &iterator), KVL_OK);
    while (kvl_iterator_next(iterator, &entry, sizeof entry) == KVL_VALUE) {
        memcpy(&number, entry.data, sizeof number);
        if (number < KEPT)
            times_returned[number]++;
        /* New entries may be returned too. Those with odd numbers are removed again. */
        if (next < 10 * KEPT)
            put_number(cache, next++);
        if (number >= KEPT && number % 2) {
            memcpy(key, entry.key, entry.key_len);
            STATUS(kvl_cache_remove(cache, (const uint8_t *)key, entry.key_len), KVL_OK);
        }
    }
    for (number = 0; number < KEPT; number++)
        right += times_returned[number] == 1;
    CHECK(right == KEPT);
    kvl_iterator_free(iterator);

    STATUS(kvl_iterator_new(cache, &iterator), KVL_OK);
    kvl_cache_release(cache);
    STATUS(kvl_iterator_next(iterator, &entry, sizeof entry), KVL_VALUE);
    kvl_iterator_free(iterator);
}

static void s18_an_engines_entries_can_be_iterated_until_it_is_freed(void)
{
    struct fixture fixture;
    kvl_config_t *config = fixture_init(&fixture);
    kvl_cache_t *cache;
    kvl_iterator_t *iterator = NULL;
    kvl_result_t entry;

    create_engine(&fixture, config);
    STATUS(kvl_tasks_cache(fixture.tasks, &cache), KVL_OK);
    put_number(cache, 7);
    STATUS(kvl_iterator_new(cache, &iterator), KVL_OK);
    STATUS(kvl_iterator_next(iterator, &entry, sizeof entry), KVL_VALUE);
    STATUS(kvl_tasks_free(fixture.tasks), KVL_OK);
    CHECK(entry.data_len == sizeof(int) && memcmp(entry.key, "key 7", 5) == 0);
    STATUS(kvl_iterator_next(iterator, &entry, sizeof entry), KVL_ERR_CLOSED);
    kvl_iterator_free(iterator);
    kvl_cache_release(cache);
    CHECK(wait_for(&fixture, &fixture.freed, 1));
    fixture_destroy(&fixture);
}

static void l09_an_iterator_rejects_invalid_arguments(void)
{
    kvl_cache_t *cache = new_cache();
    kvl_iterator_t *iterator = (kvl_iterator_t *)&cache;
    kvl_result_t entry = {0};

    put_number(cache, 1);
    STATUS(kvl_iterator_new(NULL, &iterator), KVL_ERR_NULL_POINTER);
    CHECK(iterator == NULL);
    STATUS(kvl_iterator_new(cache, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_iterator_next(NULL, &entry, sizeof entry), KVL_ERR_NULL_POINTER);
    STATUS(kvl_iterator_new(cache, &iterator), KVL_OK);
    STATUS(kvl_iterator_next(iterator, NULL, sizeof entry), KVL_ERR_NULL_POINTER);
    STATUS(kvl_iterator_next(iterator, &entry, 1), KVL_ERR_INVALID_ARG);
    CHECK(entry.struct_size == 0);
    STATUS(kvl_iterator_next(iterator, &entry, offsetof(kvl_result_t, value)), KVL_VALUE);
    CHECK(entry.struct_size == offsetof(kvl_result_t, value) && entry.key_len == 5 && entry.value == NULL);
    kvl_iterator_free(iterator);
    kvl_iterator_free(NULL);
    kvl_cache_release(cache);
}

int main(void)
{
    silence_unused_warnings();
    s18_an_iterator_returns_each_entry_with_its_properties();
    s18_an_entry_that_stays_is_returned_once_and_an_iterator_keeps_the_cache();
    s18_an_engines_entries_can_be_iterated_until_it_is_freed();
    l09_an_iterator_rejects_invalid_arguments();
    DONE();
}
