/* Memory that the system refuses (rule L09a): the library's allocations above a size fail when the story asks for it, as they do where a
 * program's memory is limited. Whatever lists KVL_ERR_NO_MEMORY returns it, changes nothing, and works again afterwards. */
#define _GNU_SOURCE
#include "../c/engine.h"
#include <dlfcn.h>
#include <errno.h>

/* Allocations of more bytes than this fail. */
static atomic_size_t most = SIZE_MAX;
static atomic_int refused;

static int refuses(size_t size)
{
    if (size <= most)
        return 0;
    refused++;
    errno = ENOMEM;
    return 1;
}

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

/* Replace libc's functions for the library too. */
void *malloc(size_t size) { return refuses(size) ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return refuses(count * size) ? NULL : __libc_calloc(count, size); }
void *realloc(void *memory, size_t size) { return refuses(size) ? NULL : __libc_realloc(memory, size); }
void *aligned_alloc(size_t alignment, size_t size) { return refuses(size) ? NULL : __libc_memalign(alignment, size); }
int posix_memalign(void **memory, size_t alignment, size_t size)
{
    if (refuses(size))
        return ENOMEM;
    *memory = __libc_memalign(alignment, size);
    return *memory == NULL ? ENOMEM : 0;
}

static void scarce(size_t size)
{
    refused = 0;
    most = size;
}

static void plenty(void) { most = SIZE_MAX; }

/* A cache of one shard that must grow: nodes and index. */
static void l09a_a_put_without_memory_for_one_more_entry_says_so(void)
{
    kvl_config_t *config = NULL;
    kvl_cache_t *cache = NULL;
    kvl_value_t *value = NULL;
    kvl_status_t status = KVL_OK;
    uint32_t key, stored;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.capacity", 1000000), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.shards", 1), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    kvl_config_free(config);
    scarce(65536);
    for (key = 0; status == KVL_OK; key++)
        status = kvl_cache_put_bytes(cache, (const uint8_t *)&key, sizeof key, (const uint8_t *)"v", 1, NULL);
    stored = key - 1;
    STATUS(status, KVL_ERR_NO_MEMORY);
    CHECK(refused > 0 && stored > 100 && kvl_cache_len(cache) == stored);
    /* What is there stays, can be removed, and leaves room for others. */
    for (key = 0; key < stored; key++)
        CHECK(kvl_cache_contains(cache, (const uint8_t *)&key, sizeof key) == KVL_VALUE);
    key = 0;
    STATUS(kvl_cache_remove(cache, (const uint8_t *)&key, sizeof key), KVL_OK);
    STATUS(kvl_cache_put_bytes(cache, (const uint8_t *)&key, sizeof key, (const uint8_t *)"w", 1, NULL), KVL_OK);
    STATUS(kvl_cache_clear(cache), KVL_OK);
    STATUS(kvl_cache_put_bytes(cache, (const uint8_t *)&key, sizeof key, (const uint8_t *)"w", 1, NULL), KVL_OK);
    plenty();
    for (key = 0; key < 3 * stored; key++)
        STATUS(kvl_cache_put_bytes(cache, (const uint8_t *)&key, sizeof key, (const uint8_t *)"v", 1, NULL), KVL_OK);
    CHECK(kvl_cache_len(cache) == 3 * stored);
    key = 1;
    STATUS(kvl_cache_get(cache, (const uint8_t *)&key, sizeof key, &value), KVL_VALUE);
    kvl_value_release(value);
    kvl_cache_release(cache);
}

static void l09a_large_values_and_calls_for_many_keys_say_so(void)
{
    enum { MANY = 100000 };
    struct world world;
    kvl_slice_t *keys = malloc(MANY * sizeof *keys);
    uint32_t *names = malloc(MANY * sizeof *names);
    uint8_t *data = malloc(1 << 20);
    kvl_results_t *results = NULL;
    kvl_cache_t *cache = NULL;
    kvl_value_t *value = NULL;
    uint8_t *space = NULL;
    size_t i;

    for (i = 0; i < MANY; i++) {
        names[i] = (uint32_t)i;
        keys[i].data = (const uint8_t *)&names[i];
        keys[i].len = sizeof names[i];
    }
    memset(data, 1, 1 << 20);
    begin(&world, prepare(&world));
    STATUS(kvl_tasks_cache(world.tasks, &cache), KVL_OK);
    scarce(100000);
    STATUS(kvl_value_new_bytes(data, 1 << 20, &value), KVL_ERR_NO_MEMORY);
    STATUS(kvl_value_new_space(1 << 20, &space, &value), KVL_ERR_NO_MEMORY);
    STATUS(kvl_cache_put_bytes(cache, KEY("k"), data, 1 << 20, NULL), KVL_ERR_NO_MEMORY);
    CHECK(kvl_cache_contains(cache, KEY("k")) == KVL_MISS);
    STATUS(kvl_tasks_fetch_all_wait(world.tasks, keys, MANY, NULL, NULL, &results), KVL_ERR_NO_MEMORY);
    CHECK(results == NULL);
    STATUS(kvl_tasks_refresh(world.tasks, keys, MANY, NULL), KVL_ERR_NO_MEMORY);
    STATUS(kvl_tasks_fetch_wait(world.tasks, KEY("small"), NULL, NULL, &value, NULL), KVL_VALUE);
    kvl_value_release(value);
    plenty();
    STATUS(kvl_cache_put_bytes(cache, KEY("k"), data, 1 << 20, NULL), KVL_OK);
    kvl_cache_release(cache);
    free(keys);
    free(names);
    free(data);
    end(&world);
}

/* A load whose answer finds no place in the store is answered all the same. */
static void l09a_a_load_without_memory_for_its_entry_is_told_and_not_stored(void)
{
    struct world world;
    kvl_config_t *config = prepare(&world);
    kvl_cache_t *cache = NULL;
    char key[16];
    int i, stored = 0, loaded = 0;

    STATUS(kvl_config_set_int(config, "cache.capacity", 1000000), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.shards", 1), KVL_OK);
    begin(&world, config);
    STATUS(kvl_tasks_cache(world.tasks, &cache), KVL_OK);
    scarce(8192);
    for (i = 0; i < 2000; i++) {
        kvl_value_t *value = NULL;
        snprintf(key, sizeof key, "key %d", i);
        loaded += kvl_tasks_fetch_wait(world.tasks, KEY(key), NULL, NULL, &value, NULL) == KVL_VALUE;
        kvl_value_release(value);
        stored += kvl_cache_contains(cache, KEY(key)) == KVL_VALUE;
    }
    CHECK(loaded == 2000 && stored > 10 && stored < 2000 && refused > 0);
    plenty();
    kvl_cache_release(cache);
    end(&world);
}

int main(void)
{
    use_all();
    l09a_a_put_without_memory_for_one_more_entry_says_so();
    l09a_large_values_and_calls_for_many_keys_say_so();
    l09a_a_load_without_memory_for_its_entry_is_told_and_not_stored();
    DONE();
}
