/* instructions: repeats single operations for callgrind to count. bench/instructions runs it and compares.
 *
 * Unlike times, counts are repeatable: hashing is seeded, no timer runs, everything happens on one thread with a queue, and a manual
 * clock stands still. Each line of the output names a section and its number of operations; every second one of callgrind's dumps has the
 * counts of a section.
 */
#include "common.h"

#include <valgrind/callgrind.h>

enum { ENTRIES = 1000, OPS = 4000, KEYS = 1000, BATCHES = 20, MANY = 64 };

static uint8_t keys[ENTRIES][KEY_LEN];
static uint8_t value[VALUE_LEN];
static uint64_t next_key = 1 << 20;

/* ---- the store ---------------------------------------------------------------------------------------------------- */

static uint32_t accept(void *user_data, const uint8_t *key, size_t key_len)
{
    (void)user_data;
    (void)key;
    return key_len > 0;
}

static kvl_cache_t *make(size_t capacity, int64_t ttl_ms, kvl_validate_fn validator)
{
    kvl_config_t *config;
    kvl_cache_t *cache;
    kvl_config_new(&config);
    kvl_config_set_int(config, "cache.capacity", (int64_t)capacity);
    kvl_config_set_int(config, "cache.seed", 1);
    kvl_config_set_int(config, "cache.shards", 1); /* otherwise the number depends on the machine's processors */
    kvl_config_set_int(config, "cache.ttl_ms", ttl_ms);
    kvl_config_set(config, "cache.timer", "false");
    if (validator)
        kvl_config_set_validator(config, validator, NULL, NULL);
    if (kvl_cache_new(config, &cache, NULL) != KVL_OK)
        DIE("kvl_cache_new");
    kvl_config_free(config);
    for (size_t i = 0; i < ENTRIES; i++)
        kvl_cache_put_bytes(cache, keys[i], KEY_LEN, value, VALUE_LEN, NULL);
    return cache;
}

static kvl_cache_t *cache;
static kvl_value_t *one_value;

static void put(const uint8_t *key)
{
    kvl_cache_put_bytes(cache, key, KEY_LEN, value, VALUE_LEN, NULL);
}

static void get(const uint8_t *key)
{
    kvl_value_t *found;
    kvl_cache_get(cache, key, KEY_LEN, &found);
    kvl_value_release(found);
}

static void get_into(const uint8_t *key)
{
    uint8_t buffer[VALUE_LEN];
    size_t len;
    kvl_cache_get_into(cache, key, KEY_LEN, buffer, sizeof buffer, &len);
}

static void retain(const uint8_t *key)
{
    (void)key;
    kvl_value_release(kvl_value_retain(one_value));
}

static void miss(const uint8_t *key)
{
    (void)key;
    uint8_t absent[KEY_LEN];
    make_key(absent, next_key++);
    get(absent);
}

static void put_new(const uint8_t *key)
{
    (void)key;
    uint8_t fresh[KEY_LEN];
    make_key(fresh, next_key++);
    put(fresh);
}

static void get_many(const uint8_t *key)
{
    (void)key;
    kvl_slice_t asked[MANY];
    kvl_value_t *found[MANY];
    kvl_status_t statuses[MANY];
    for (size_t i = 0; i < MANY; i++)
        asked[i] = (kvl_slice_t){keys[(i * 7) % ENTRIES], KEY_LEN};
    kvl_cache_get_many(cache, asked, MANY, found, statuses);
    kvl_value_release_many(found, MANY);
}

/* Runs a section: `calls` calls of `work`, each of which counts as `ops_per_call` operations. */
static void section(const char *name, size_t calls, size_t ops_per_call, void (*work)(const uint8_t *))
{
    /* A warm-up creates what is created at first use, and what later operations reuse. It is collected too, into a separate dump, because
       callgrind resets its counts only when it dumps them. */
    CALLGRIND_TOGGLE_COLLECT;
    for (size_t i = 0; i < calls / 4 + 1; i++)
        work(keys[i % ENTRIES]);
    CALLGRIND_DUMP_STATS_AT("before");
    for (size_t i = 0; i < calls; i++)
        work(keys[i * 7 % ENTRIES]);
    CALLGRIND_TOGGLE_COLLECT;
    CALLGRIND_DUMP_STATS_AT(name);
    printf("%s %zu\n", name, calls * ops_per_call);
}

/* ---- the engine ----------------------------------------------------------------------------------------------------- */

static kvl_tasks_t *tasks;
static kvl_queue_t *queue;
static kvl_request_t *held;
static int holds;
static size_t delivered;
static kvl_slice_t slices[KEYS];
static uint8_t asked[KEYS][KEY_LEN];

static void provide(void *user_data, kvl_request_t *request)
{
    (void)user_data;
    if (holds) {
        held = kvl_request_retain(request);
        return;
    }
    for (size_t i = 0; i < kvl_request_len(request); i++)
        kvl_request_resolve_bytes(request, i, value, VALUE_LEN, NULL);
    kvl_request_finish(request);
}

static void make_tasks(kvl_clock_t *clock)
{
    kvl_config_t *config;
    kvl_config_new(&config);
    kvl_config_set_int(config, "cache.capacity", 4 * KEYS);
    kvl_config_set_int(config, "cache.seed", 1);
    kvl_config_set_int(config, "cache.shards", 1);
    kvl_config_set_int(config, "batch.max_keys", MANY);
    kvl_config_set_int(config, "tasks.max_running", 1);
    kvl_config_set_int(config, "queue.max_keys", 4 * KEYS);
    kvl_config_set_provider(config, provide, NULL, NULL);
    kvl_config_set_queue(config, queue, KVL_QUEUE_F_ALL);
    kvl_config_set_clock(config, clock);
    if (kvl_tasks_new(config, &tasks, NULL) != KVL_OK)
        DIE("kvl_tasks_new");
    kvl_config_free(config);
}

static void count_all(void *user_data, kvl_results_t *results)
{
    (void)user_data;
    delivered += kvl_results_count_status(results, KVL_VALUE);
}

static void count_one(void *user_data, const kvl_result_t *result)
{
    (void)user_data;
    delivered += result->status == KVL_VALUE;
}

static void fetch_all(void)
{
    delivered = 0;
    kvl_results_t *ready;
    kvl_status_t status = kvl_tasks_fetch_all(tasks, slices, KEYS, NULL, NULL, count_all, NULL, NULL, &ready);
    if (status == KVL_OK) {
        count_all(NULL, ready);
        kvl_results_release(ready);
    } else if (status != KVL_PENDING) {
        DIE("kvl_tasks_fetch_all");
    }
    while (delivered < KEYS)
        if (kvl_queue_poll(queue, SIZE_MAX, KVL_FOREVER, NULL) != KVL_OK)
            DIE("kvl_queue_poll");
}

static void fetch_absent(const uint8_t *key)
{
    (void)key;
    for (size_t i = 0; i < KEYS; i++) {
        make_key(asked[i], next_key++);
        slices[i] = (kvl_slice_t){asked[i], KEY_LEN};
    }
    fetch_all();
}

/* The keys that the previous section fetched last. */
static void fetch_resident(const uint8_t *key)
{
    (void)key;
    fetch_all();
}

/* Each of the keys in turn, since the distance of a single key from its bucket in the index depends on the hash's seed. */
static void fetch_hit(const uint8_t *key)
{
    kvl_value_t *found = NULL;
    (void)key;
    if (kvl_tasks_fetch(tasks, asked[next_key++ % KEYS], KEY_LEN, NULL, NULL, count_one, NULL, NULL, &found) != KVL_VALUE)
        DIE("kvl_tasks_fetch");
    kvl_value_release(found);
}

static void fetch_joined(const uint8_t *key)
{
    (void)key;
    uint8_t absent[KEY_LEN];
    make_key(absent, next_key++);
    held = NULL;
    delivered = 0;
    for (size_t i = 0; i < MANY; i++)
        if (kvl_tasks_fetch(tasks, absent, KEY_LEN, NULL, NULL, count_one, NULL, NULL, NULL) != KVL_PENDING)
            DIE("kvl_tasks_fetch");
    while (!held)
        kvl_queue_poll(queue, SIZE_MAX, KVL_FOREVER, NULL);
    kvl_request_resolve_bytes(held, 0, value, VALUE_LEN, NULL);
    kvl_request_finish(held);
    while (delivered < MANY)
        kvl_queue_poll(queue, SIZE_MAX, KVL_FOREVER, NULL);
    kvl_request_release(held);
}

int main(void)
{
    memset(value, 7, sizeof value);
    for (size_t i = 0; i < ENTRIES; i++)
        make_key(keys[i], i);
    kvl_cache_t *plain = make(ENTRIES, -1, NULL), *ending = make(ENTRIES, 3600000, NULL), *careful = make(ENTRIES, 3600000, accept);
    if (kvl_value_new_bytes(value, VALUE_LEN, &one_value) != KVL_OK)
        DIE("kvl_value_new_bytes");
    cache = plain;
    section("retain", OPS, 1, retain);
    section("hit_retained", OPS, 1, get);
    section("hit_copied", OPS, 1, get_into);
    section("hit_of_64", OPS / MANY, MANY, get_many);
    cache = ending;
    section("hit_with_ttl", OPS, 1, get);
    cache = careful;
    section("hit_with_validator", OPS, 1, get);
    cache = plain;
    section("miss", OPS, 1, miss);
    section("put_over", OPS, 1, put);
    section("put_evicting", OPS, 1, put_new);
    cache = ending;
    section("put_evicting_with_ttl", OPS, 1, put_new);
    kvl_value_release(one_value);
    kvl_cache_release(plain);
    kvl_cache_release(ending);
    kvl_cache_release(careful);

    kvl_clock_t *clock;
    if (kvl_clock_new_manual(0, &clock) != KVL_OK || kvl_queue_new(0, &queue) != KVL_OK)
        DIE("kvl_queue_new");
    make_tasks(clock);
    section("fetch_absent_of_1000", BATCHES, KEYS, fetch_absent);
    section("fetch_resident_of_1000", BATCHES, KEYS, fetch_resident);
    section("fetch_hit", OPS, 1, fetch_hit);
    holds = 1;
    section("waiter_of_64", BATCHES, MANY, fetch_joined);
    kvl_tasks_dispose(tasks);
    while (kvl_queue_poll(queue, SIZE_MAX, 100, NULL) == KVL_OK)
        ;
    kvl_clock_release(clock);
    return 0;
}
