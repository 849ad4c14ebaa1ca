/* instructions: a few operations many times over, for callgrind to count. bench/instructions runs it and compares.
 *
 * Counts repeat where times do not. Each line of the output names a section; callgrind's dump of that name holds what it cost.
 */
#include "common.h"

#include <valgrind/callgrind.h>

enum { ENTRIES = 1000, OPS = 4000 };

static uint8_t keys[ENTRIES][KEY_LEN];
static uint8_t value[VALUE_LEN];
static uint64_t next_key = 1 << 20;

static kvl_cache_t *make(size_t capacity, int64_t ttl_ms)
{
    kvl_config_t *config;
    kvl_cache_t *cache;
    kvl_config_new(&config);
    kvl_config_set_int(config, "cache.capacity", (int64_t)capacity);
    kvl_config_set_int(config, "cache.seed", 1);
    kvl_config_set_int(config, "cache.ttl_ms", ttl_ms);
    kvl_config_set(config, "cache.timer", "false"); /* one thread, so that its count is all there is */
    if (kvl_cache_new(config, &cache, NULL) != KVL_OK)
        DIE("kvl_cache_new");
    kvl_config_free(config);
    for (size_t i = 0; i < ENTRIES; i++)
        kvl_cache_put_bytes(cache, keys[i], KEY_LEN, value, VALUE_LEN, KVL_TTL_DEFAULT, KVL_PRIORITY_DEFAULT);
    return cache;
}

static void put(kvl_cache_t *cache, const uint8_t *key)
{
    kvl_cache_put_bytes(cache, key, KEY_LEN, value, VALUE_LEN, KVL_TTL_DEFAULT, KVL_PRIORITY_DEFAULT);
}

static void get(kvl_cache_t *cache, const uint8_t *key)
{
    kvl_value_t *found;
    kvl_cache_get(cache, key, KEY_LEN, &found);
    kvl_value_release(found);
}

static void get_into(kvl_cache_t *cache, const uint8_t *key)
{
    uint8_t buffer[VALUE_LEN];
    size_t len;
    kvl_cache_get_into(cache, key, KEY_LEN, buffer, sizeof buffer, &len);
}

static void miss(kvl_cache_t *cache, const uint8_t *key)
{
    (void)key;
    uint8_t absent[KEY_LEN];
    make_key(absent, next_key++);
    get(cache, absent);
}

static void put_new(kvl_cache_t *cache, const uint8_t *key)
{
    (void)key;
    uint8_t fresh[KEY_LEN];
    make_key(fresh, next_key++);
    put(cache, fresh);
}

static void get_many(kvl_cache_t *cache, const uint8_t *key)
{
    (void)key;
    enum { MOST = 64 };
    kvl_slice_t asked[MOST];
    kvl_value_t *found[MOST];
    kvl_status_t statuses[MOST];
    for (size_t i = 0; i < MOST; i++)
        asked[i] = (kvl_slice_t){keys[(i * 7) % ENTRIES], KEY_LEN};
    kvl_cache_get_many(cache, asked, MOST, found, statuses);
    kvl_value_release_many(found, MOST);
}

static void section(const char *name, kvl_cache_t *cache, void (*work)(kvl_cache_t *, const uint8_t *))
{
    /* Once before: what is made at first use, and places that only later operations find free. */
    for (size_t i = 0; i < ENTRIES; i++)
        work(cache, keys[i]);
    CALLGRIND_ZERO_STATS;
    CALLGRIND_TOGGLE_COLLECT;
    for (size_t i = 0; i < OPS; i++)
        work(cache, keys[i * 7 % ENTRIES]);
    CALLGRIND_TOGGLE_COLLECT;
    CALLGRIND_DUMP_STATS_AT(name);
    printf("%s %d\n", name, OPS);
}

int main(void)
{
    memset(value, 7, sizeof value);
    for (size_t i = 0; i < ENTRIES; i++)
        make_key(keys[i], i);
    kvl_cache_t *plain = make(ENTRIES, -1), *ending = make(ENTRIES, 3600000);
    section("hit_retained", plain, get);
    section("hit_copied", plain, get_into);
    section("hit_batch_of_64", plain, get_many);
    section("hit_with_ttl", ending, get);
    section("miss", plain, miss);
    section("put_over", plain, put);
    section("put_evicting", plain, put_new);
    section("put_evicting_with_ttl", ending, put_new);
    kvl_cache_release(plain);
    kvl_cache_release(ending);
    return 0;
}
