/* Readers: a borrowed view of a value, valid until the next call. */
#include "check.h"

struct witness {
    int freed;
};

static void count_free(void *user_data)
{
    struct witness *witness = user_data;
    witness->freed++;
}

#define KEY(text) (const uint8_t *)(text), strlen(text)

static kvl_cache_t *new_cache(void)
{
    kvl_config_t *config = NULL;
    kvl_cache_t *cache = NULL;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    kvl_config_free(config);
    return cache;
}

static void put(kvl_cache_t *cache, const char *key, const char *text)
{
    STATUS(kvl_cache_put_bytes(cache, KEY(key), KEY(text), NULL), KVL_OK);
}

static void s01_a_reader_returns_all_outcomes(void)
{
    kvl_cache_t *cache = new_cache();
    kvl_reader_t *reader = NULL;
    kvl_value_t *value = NULL;
    struct witness witness = {0};
    const uint8_t *data = NULL;
    size_t len = 99;
    void *object = &witness;
    kvl_stats_t stats;

    put(cache, "a", "apple");
    put(cache, "empty", "");
    STATUS(kvl_cache_put(cache, KEY("n"), kvl_value_null(), NULL), KVL_OK);
    STATUS(kvl_value_new_object(&witness, 1, count_free, &value), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("o"), value, NULL), KVL_OK);
    kvl_value_release(value);

    STATUS(kvl_reader_new(cache, &reader), KVL_OK);
    STATUS(kvl_reader_get(reader, KEY("a"), &data, &len, &object), KVL_VALUE);
    CHECK(len == 5 && memcmp(data, "apple", 5) == 0 && object == NULL);
    STATUS(kvl_reader_get(reader, KEY("o"), &data, &len, &object), KVL_VALUE);
    CHECK(len == 0 && data == NULL && object == &witness);
    STATUS(kvl_reader_get(reader, KEY("empty"), &data, &len, NULL), KVL_VALUE);
    CHECK(len == 0 && data != NULL);
    STATUS(kvl_reader_get(reader, KEY("n"), &data, &len, &object), KVL_NULL);
    CHECK(len == 0 && data == NULL && object == NULL);
    STATUS(kvl_reader_get(reader, KEY("b"), &data, &len, &object), KVL_MISS);
    CHECK(len == 0 && data == NULL && object == NULL);
    len = 99;
    STATUS(kvl_reader_get(reader, KEY("o"), &data, &len, NULL), KVL_ERR_WRONG_KIND);
    CHECK(len == 99);

    /* S05, S12: kvl_reader_get() counts as a lookup and as a use. */
    STATUS(kvl_cache_stats(cache, &stats, sizeof stats), KVL_OK);
    CHECK(stats.hits == 4 && stats.null_hits == 1 && stats.misses == 1);
    kvl_reader_free(reader);
    kvl_cache_release(cache);
    CHECK(witness.freed == 1);
}

static void s16_a_view_outlives_its_entry(void)
{
    kvl_cache_t *cache = new_cache();
    kvl_reader_t *reader = NULL;
    kvl_value_t *value = NULL;
    struct witness witness = {0};
    static const uint8_t bytes[] = "outside";
    const uint8_t *data = NULL;
    size_t len = 0;

    STATUS(kvl_value_new_extern(bytes, 7, &witness, count_free, &value), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("k"), value, NULL), KVL_OK);
    kvl_value_release(value);
    STATUS(kvl_reader_new(cache, &reader), KVL_OK);
    STATUS(kvl_reader_get(reader, KEY("k"), &data, &len, NULL), KVL_VALUE);
    CHECK(data == bytes && len == 7);
    STATUS(kvl_cache_clear(cache), KVL_OK);
    CHECK(witness.freed == 0);
    STATUS(kvl_reader_get(reader, KEY("k"), &data, &len, NULL), KVL_MISS);
    CHECK(witness.freed == 1);

    /* kvl_reader_done() releases the value at once, and so does freeing the reader. */
    put(cache, "a", "apple");
    STATUS(kvl_value_new_extern(bytes, 7, &witness, count_free, &value), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("k"), value, NULL), KVL_OK);
    kvl_value_release(value);
    STATUS(kvl_reader_get(reader, KEY("k"), &data, &len, NULL), KVL_VALUE);
    STATUS(kvl_cache_remove(cache, KEY("k")), KVL_OK);
    CHECK(witness.freed == 1);
    kvl_reader_done(reader);
    CHECK(witness.freed == 2);
    kvl_reader_done(reader);

    /* A reader keeps the cache alive. */
    kvl_cache_release(cache);
    STATUS(kvl_reader_get(reader, KEY("a"), &data, &len, NULL), KVL_VALUE);
    CHECK(len == 5 && memcmp(data, "apple", 5) == 0);
    kvl_reader_free(reader);
}

int main(void)
{
    s01_a_reader_returns_all_outcomes();
    s16_a_view_outlives_its_entry();
    kvl_reader_done(NULL);
    kvl_reader_free(NULL);
    DONE();
}
