/* Caches: lookups, puts, eviction, removal, listeners and statistics (rules S01 to S14). */
#include "check.h"
#include <math.h>
#include <pthread.h>

/* What a removal listener has seen: how often it was called, and its last entry. */
struct removals {
    int times, freed; /* calls of the listener, and of count_free() */
    int by_cause[KVL_CAUSE_TAG + 1];
    kvl_cause_t cause;
    char key[16];
    kvl_result_t entry;
    kvl_cache_t *release; /* released in the next call of the listener */
};

static void count_free(void *user_data)
{
    struct removals *removals = user_data;
    removals->freed++;
}

static void record_removal(void *user_data, const kvl_result_t *entry, kvl_cause_t cause)
{
    struct removals *removals = user_data;
    kvl_cache_t *release = removals->release;

    removals->times++;
    removals->by_cause[cause]++;
    removals->cause = cause;
    memcpy(removals->key, entry->key, entry->key_len);
    removals->key[entry->key_len] = '\0';
    removals->entry = *entry;
    removals->release = NULL;
    kvl_cache_release(release);
}

/* The record listener: appends one letter for each lookup. */
static void record_lookup(void *user_data, kvl_status_t record, const uint8_t *key, size_t key_len)
{
    static const char letters[] = "?vnmi";
    char *notes = user_data;

    (void)key;
    (void)key_len;
    notes[strlen(notes)] = letters[record];
}

static uint32_t is_not_x(void *user_data, const uint8_t *key, size_t key_len)
{
    ++*(int *)user_data;
    return key_len == 0 || key[0] != 'x';
}

static uint64_t cost_is_1000(void *user_data, const uint8_t *key, size_t key_len, kvl_value_t *value)
{
    (void)key;
    (void)key_len;
    (void)value;
    ++*(int *)user_data;
    return 1000;
}

#define KEY(text) (const uint8_t *)(text), strlen(text)

static kvl_config_t *config_of(size_t capacity)
{
    kvl_config_t *config = NULL;
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.capacity", (int64_t)capacity), KVL_OK);
    return config;
}

static kvl_cache_t *cache_of(kvl_config_t *config)
{
    kvl_cache_t *cache = NULL;
    kvl_error_t *error = NULL;
    STATUS(kvl_cache_new(config, &cache, &error), KVL_OK);
    CHECK(cache != NULL && error == NULL);
    kvl_config_free(config);
    return cache;
}

static kvl_status_t put(kvl_cache_t *cache, const char *key, const char *text)
{
    return kvl_cache_put_bytes(cache, KEY(key), KEY(text), NULL);
}

static kvl_status_t put_with_priority(kvl_cache_t *cache, const char *key, double priority)
{
    return kvl_cache_put_bytes(cache, KEY(key), KEY("v"), TERMS(KVL_TTL_DEFAULT, priority, KVL_COST_DEFAULT));
}

static kvl_status_t put_for(kvl_cache_t *cache, const char *key, int64_t ttl_ms)
{
    return kvl_cache_put_bytes(cache, KEY(key), KEY("v"), TERMS(ttl_ms, KVL_PRIORITY_DEFAULT, KVL_COST_DEFAULT));
}

static kvl_status_t has(kvl_cache_t *cache, const char *key)
{
    return kvl_cache_contains(cache, KEY(key));
}

/* Releases a value, and returns whether its bytes are the text. */
static int is_text(kvl_value_t *value, const char *text)
{
    size_t len = 0;
    const uint8_t *data = kvl_value_data(value, &len);
    int same = data != NULL && len == strlen(text) && memcmp(data, text, len) == 0;
    kvl_value_release(value);
    return same;
}

static void s01_a_lookup_has_four_outcomes(void)
{
    char notes[32] = "";
    int validated = 0;
    kvl_config_t *config = config_of(10);
    kvl_cache_t *cache;
    kvl_value_t *value = NULL;

    STATUS(kvl_config_set_validator(config, is_not_x, &validated, NULL), KVL_OK);
    STATUS(kvl_config_set_record_listener(config, record_lookup, notes, NULL), KVL_OK);
    cache = cache_of(config);

    STATUS(put(cache, "a", "apple"), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("n"), kvl_value_null(), NULL), KVL_OK);
    STATUS(put(cache, "x", "never"), KVL_INVALID_KEY);
    CHECK(validated == 3);

    STATUS(kvl_cache_get(cache, KEY("a"), &value), KVL_VALUE);
    CHECK(is_text(value, "apple"));
    STATUS(kvl_cache_get(cache, KEY("n"), &value), KVL_NULL);
    CHECK(value == kvl_value_null());
    STATUS(kvl_cache_get(cache, KEY("b"), &value), KVL_MISS);
    CHECK(value == NULL);
    STATUS(kvl_cache_get(cache, KEY("x"), &value), KVL_INVALID_KEY);
    CHECK(value == NULL && validated == 7);
    TEXT(notes, "vnmi");

    /* S10: none of these calls the validator. */
    STATUS(has(cache, "x"), KVL_MISS);
    STATUS(kvl_cache_peek(cache, KEY("x"), &value, NULL, NULL), KVL_MISS);
    STATUS(kvl_cache_remove(cache, KEY("x")), KVL_MISS);
    STATUS(kvl_cache_take(cache, KEY("x"), &value), KVL_MISS);
    CHECK(validated == 7);
    TEXT(notes, "vnmi");
    kvl_cache_release(cache);
}

static void s01_get_into_copies_or_returns_the_length_that_is_needed(void)
{
    kvl_cache_t *cache = cache_of(config_of(10));
    kvl_value_t *object = NULL;
    uint8_t buf[8];
    size_t len = 99;
    int thing = 0;

    STATUS(put(cache, "a", "apple"), KVL_OK);
    STATUS(put(cache, "", ""), KVL_OK);
    STATUS(kvl_value_new_object(&thing, 1, NULL, &object), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("o"), object, NULL), KVL_OK);
    kvl_value_release(object);

    memset(buf, '#', sizeof buf);
    STATUS(kvl_cache_get_into(cache, KEY("a"), buf, sizeof buf, &len), KVL_VALUE);
    CHECK(len == 5 && memcmp(buf, "apple###", 8) == 0);
    memset(buf, '#', sizeof buf);
    len = 99;
    STATUS(kvl_cache_get_into(cache, KEY("a"), buf, 4, &len), KVL_TRUNCATED);
    CHECK(len == 5 && buf[0] == '#');
    STATUS(kvl_cache_get_into(cache, KEY("a"), NULL, 0, &len), KVL_TRUNCATED);
    CHECK(len == 5);
    STATUS(kvl_cache_get_into(cache, KEY("a"), buf, SIZE_MAX, &len), KVL_VALUE);
    STATUS(kvl_cache_get_into(cache, NULL, 0, NULL, 0, &len), KVL_VALUE);
    CHECK(len == 0);
    len = 99;
    STATUS(kvl_cache_put(cache, KEY("n"), kvl_value_null(), NULL), KVL_OK);
    STATUS(kvl_cache_get_into(cache, KEY("n"), buf, sizeof buf, &len), KVL_NULL);
    STATUS(kvl_cache_get_into(cache, KEY("b"), buf, sizeof buf, &len), KVL_MISS);
    STATUS(kvl_cache_get_into(cache, KEY("o"), buf, sizeof buf, &len), KVL_ERR_WRONG_KIND);
    STATUS(kvl_cache_get_into(cache, KEY("a"), NULL, 1, &len), KVL_ERR_NULL_POINTER);
    CHECK(len == 99);
    kvl_cache_release(cache);
}

static void s01_many_keys_are_looked_up_in_order(void)
{
    static uint8_t long_key[KVL_KEY_MAX + 1];
    char notes[32] = "";
    kvl_config_t *config = config_of(10);
    kvl_cache_t *cache;
    kvl_slice_t keys[5];
    kvl_value_t *values[5];
    kvl_status_t statuses[5];
    int i;

    STATUS(kvl_config_set_record_listener(config, record_lookup, notes, NULL), KVL_OK);
    cache = cache_of(config);
    STATUS(put(cache, "a", "apple"), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("n"), kvl_value_null(), NULL), KVL_OK);
    for (i = 0; i < 5; i++) {
        keys[i].data = (const uint8_t *)"anb" + (i % 3);
        keys[i].len = 1;
        values[i] = kvl_value_null();
    }
    keys[4].data = long_key;
    keys[4].len = sizeof long_key;
    STATUS(kvl_cache_get_many(cache, keys, 5, values, statuses), KVL_OK);
    CHECK(statuses[0] == KVL_VALUE && statuses[1] == KVL_NULL && statuses[2] == KVL_MISS && statuses[3] == KVL_VALUE);
    STATUS(statuses[4], KVL_ERR_KEY_TOO_LONG);
    CHECK(values[0] == values[3] && values[1] == kvl_value_null() && values[2] == NULL && values[4] == NULL);
    TEXT(notes, "vnmv");
    CHECK(is_text(kvl_value_retain(values[0]), "apple"));
    kvl_value_release_many(values, 5);
    STATUS(kvl_cache_get_many(cache, NULL, 0, NULL, NULL), KVL_OK);

    /* A key that is too long is not read. */
    keys[4].data = (const uint8_t *)"x";
    keys[4].len = SIZE_MAX / 4;
    STATUS(kvl_cache_get_many(cache, keys, 5, values, statuses), KVL_OK);
    STATUS(statuses[4], KVL_ERR_KEY_TOO_LONG);
    TEXT(notes, "vnmvvnmv");
    kvl_value_release_many(values, 5);

    /* Nothing is looked up if one key is NULL. */
    keys[4].data = NULL;
    for (i = 0; i < 5; i++) {
        values[i] = kvl_value_null();
        statuses[i] = 77;
    }
    STATUS(kvl_cache_get_many(cache, keys, 5, values, statuses), KVL_ERR_NULL_POINTER);
    for (i = 0; i < 5; i++)
        CHECK(values[i] == NULL && statuses[i] == 77);
    TEXT(notes, "vnmvvnmv");
    kvl_cache_release(cache);
}

static void s02_entries_are_bounded(void)
{
    kvl_cache_t *cache = cache_of(config_of(2));

    CHECK(kvl_cache_capacity(cache) == 2 && kvl_cache_cost_limit(cache) == -1 && kvl_cache_max_cost(cache) == UINT64_MAX);
    STATUS(put(cache, "a", "1"), KVL_OK);
    STATUS(put(cache, "b", "2"), KVL_OK);
    STATUS(put(cache, "c", "3"), KVL_OK);
    CHECK(kvl_cache_len(cache) == 2);
    STATUS(has(cache, "a"), KVL_MISS);
    kvl_cache_release(cache);

    cache = cache_of(config_of(0));
    STATUS(put(cache, "a", "1"), KVL_REFUSED);
    CHECK(kvl_cache_len(cache) == 0);
    kvl_cache_release(cache);
}

static void s03_the_cost_is_exact_after_every_operation(void)
{
    int asked = 0;
    kvl_config_t *config = config_of(10);
    kvl_cache_t *cache = NULL;
    uint64_t node, cost = 0;

    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    STATUS(put(cache, "k", ""), KVL_OK);
    /* Without a stated cost, an entry costs what the heap holds for it. Allocators round that up. */
    node = KVL_ENTRY_COST;
    CHECK(kvl_cache_cost(cache) > node && kvl_cache_cost(cache) <= node + 8 + 16);
    STATUS(put(cache, "k", "12345"), KVL_OK);
    CHECK(kvl_cache_cost(cache) >= node + 1 + 5 && kvl_cache_cost(cache) <= node + 8 + 5 + 16);
    STATUS(kvl_cache_put(cache, KEY("k"), kvl_value_null(), TERMS(KVL_TTL_NEVER, 0, 70)), KVL_OK);
    CHECK(kvl_cache_cost(cache) == node + 1 + 70);
    STATUS(kvl_cache_peek(cache, KEY("k"), NULL, NULL, &cost), KVL_NULL);
    CHECK(cost == node + 1 + 70);
    STATUS(kvl_cache_put(cache, KEY("m"), kvl_value_null(), TERMS(KVL_TTL_NEVER, 0, INT64_MAX)), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("o"), kvl_value_null(), TERMS(KVL_TTL_NEVER, 0, INT64_MAX)), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("p"), kvl_value_null(), TERMS(KVL_TTL_NEVER, 0, INT64_MAX)), KVL_OK);
    CHECK(kvl_cache_cost(cache) == UINT64_MAX);
    STATUS(kvl_cache_clear(cache), KVL_OK);
    CHECK(kvl_cache_cost(cache) == 0 && kvl_cache_len(cache) == 0);
    kvl_cache_release(cache);

    STATUS(kvl_config_set_cost(config, cost_is_1000, &asked, NULL), KVL_OK);
    cache = cache_of(config);
    STATUS(put(cache, "k", "12345"), KVL_OK);
    CHECK(kvl_cache_cost(cache) == node + 1 + 1000 && asked == 1);
    STATUS(kvl_cache_put(cache, KEY("k"), kvl_value_null(), TERMS(KVL_TTL_NEVER, 0, 0)), KVL_OK);
    CHECK(kvl_cache_cost(cache) == node + 1 && asked == 1);
    kvl_cache_release(cache);
}

static void s04_a_value_that_is_too_large_is_not_stored(void)
{
    struct removals removals;
    kvl_config_t *config = config_of(10);
    kvl_cache_t *cache;
    uint64_t most;

    memset(&removals, 0, sizeof removals);
    STATUS(kvl_config_set_int(config, "cache.cost_limit", 1000), KVL_OK);
    cache = cache_of(config);
    most = kvl_cache_max_cost(cache);
    CHECK(most == 1000 && kvl_cache_cost_limit(cache) == 1000);
    STATUS(put(cache, "a", "small"), KVL_OK);
    STATUS(kvl_cache_put_with_victims(cache, KEY("a"), kvl_value_null(), TERMS(KVL_TTL_NEVER, 0, 1000), record_removal, &removals), KVL_TOO_LARGE);
    STATUS(has(cache, "a"), KVL_MISS);
    CHECK(removals.times == 1 && removals.cause == KVL_CAUSE_REFUSED);
    kvl_cache_release(cache);
}

static void s05_the_lowest_priority_is_evicted_first_and_then_the_least_recently_used(void)
{
    struct removals removals;
    kvl_cache_t *cache = cache_of(config_of(3));
    kvl_value_t *value = NULL;

    memset(&removals, 0, sizeof removals);
    STATUS(put_with_priority(cache, "low", -1), KVL_OK);
    STATUS(put_with_priority(cache, "old", 0), KVL_OK);
    STATUS(put_with_priority(cache, "new", -0.0), KVL_OK);
    /* A get is a use, so "old" is now used more recently than "new". Contains is not a use. */
    STATUS(kvl_cache_get(cache, KEY("old"), &value), KVL_VALUE);
    kvl_value_release(value);
    STATUS(has(cache, "new"), KVL_VALUE);

    STATUS(kvl_cache_put_with_victims(cache, KEY("1"), kvl_value_null(), TERMS(KVL_TTL_NEVER, 0, 0), record_removal, &removals), KVL_OK);
    TEXT(removals.key, "low");
    STATUS(kvl_cache_put_with_victims(cache, KEY("2"), kvl_value_null(), TERMS(KVL_TTL_NEVER, 0, 0), record_removal, &removals), KVL_OK);
    TEXT(removals.key, "new");
    CHECK(removals.times == 2 && removals.by_cause[KVL_CAUSE_CAPACITY] == 2);
    STATUS(kvl_cache_put_with_victims(cache, KEY("3"), kvl_value_null(), TERMS(KVL_TTL_NEVER, -INFINITY, 0), record_removal, &removals), KVL_REFUSED);
    TEXT(removals.key, "3");
    CHECK(removals.times == 3 && removals.cause == KVL_CAUSE_REFUSED && kvl_cache_len(cache) == 3);
    STATUS(put_with_priority(cache, "4", INFINITY), KVL_OK);
    STATUS(has(cache, "old"), KVL_MISS);
    STATUS(put_with_priority(cache, "5", NAN), KVL_ERR_BAD_VALUE);
    kvl_cache_release(cache);
}

static void s06_an_entry_expires_at_the_end_of_its_ttl(void)
{
    kvl_clock_t *clock = NULL;
    kvl_config_t *config = config_of(10);
    kvl_cache_t *cache;
    kvl_value_t *value = NULL;
    int64_t left = 0;

    STATUS(kvl_clock_new_manual(1000, &clock), KVL_OK);
    STATUS(kvl_config_set_clock(config, clock), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.ttl_ms", 500), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.null_ttl_ms", 50), KVL_OK);
    cache = cache_of(config);

    STATUS(put(cache, "default", "v"), KVL_OK);
    STATUS(put_for(cache, "short", 20), KVL_OK);
    STATUS(put_for(cache, "never", KVL_TTL_NEVER), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("null"), kvl_value_null(), NULL), KVL_OK);
    STATUS(kvl_cache_peek(cache, KEY("default"), &value, &left, NULL), KVL_VALUE);
    CHECK(left == 500 && is_text(value, "v"));
    STATUS(kvl_cache_peek(cache, KEY("never"), NULL, &left, NULL), KVL_VALUE);
    CHECK(left == KVL_TTL_NEVER);
    STATUS(kvl_clock_advance(clock, 30), KVL_OK);
    STATUS(has(cache, "short"), KVL_MISS);
    STATUS(has(cache, "null"), KVL_NULL);
    STATUS(kvl_cache_peek(cache, KEY("default"), NULL, &left, NULL), KVL_VALUE);
    CHECK(left == 470 && kvl_cache_len(cache) == 3);
    STATUS(kvl_clock_advance(clock, 30), KVL_OK);
    STATUS(has(cache, "null"), KVL_MISS);
    STATUS(kvl_clock_advance(clock, 500), KVL_OK);
    CHECK(kvl_cache_len(cache) == 1);

    STATUS(put_for(cache, "never", 0), KVL_REFUSED);
    STATUS(has(cache, "never"), KVL_MISS);
    STATUS(put_for(cache, "k", -3), KVL_ERR_BAD_VALUE);
    STATUS(put_for(cache, "k", INT64_MAX), KVL_OK);
    STATUS(has(cache, "k"), KVL_VALUE);
    kvl_cache_release(cache);
    STATUS(kvl_clock_advance(clock, 500), KVL_OK);
    kvl_clock_release(clock);
}

static void s07_without_a_timer_memory_is_freed_by_writes_and_by_remove_expired(void)
{
    struct removals removals;
    kvl_clock_t *clock = NULL;
    kvl_config_t *config = config_of(100);
    kvl_cache_t *cache;
    size_t removed = 99;
    char key[16];
    int i;

    memset(&removals, 0, sizeof removals);
    STATUS(kvl_clock_new_manual(0, &clock), KVL_OK);
    STATUS(kvl_config_set_clock(config, clock), KVL_OK);
    STATUS(kvl_config_set(config, "cache.timer", "false"), KVL_OK);
    STATUS(kvl_config_set_removal_listener(config, record_removal, &removals, count_free), KVL_OK);
    cache = cache_of(config);
    for (i = 0; i < 20; i++) {
        sprintf(key, "%d", i);
        STATUS(put_for(cache, key, 100), KVL_OK);
    }
    STATUS(kvl_clock_advance(clock, 1000), KVL_OK);
    CHECK(removals.times == 0);
    STATUS(put(cache, "k", "v"), KVL_OK);
    CHECK(removals.times == 8 && removals.by_cause[KVL_CAUSE_EXPIRED] == 8); /* the most that one write removes */
    STATUS(kvl_cache_remove_expired(cache, &removed), KVL_OK);
    CHECK(removed == 12 && removals.by_cause[KVL_CAUSE_EXPIRED] == 20);
    STATUS(kvl_cache_remove_expired(cache, NULL), KVL_OK);
    kvl_cache_release(cache);
    CHECK(removals.times == 20 && removals.freed == 1);
    kvl_clock_release(clock);
}

static void s09_idle_entries_expire(void)
{
    kvl_clock_t *clock = NULL;
    kvl_config_t *config = config_of(10);
    kvl_cache_t *cache;
    kvl_value_t *value = NULL;

    STATUS(kvl_clock_new_manual(0, &clock), KVL_OK);
    STATUS(kvl_config_set_clock(config, clock), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.idle_ttl_ms", 100), KVL_OK);
    cache = cache_of(config);
    STATUS(put(cache, "used", "v"), KVL_OK);
    STATUS(put(cache, "idle", "v"), KVL_OK);
    STATUS(kvl_clock_advance(clock, 70), KVL_OK);
    STATUS(kvl_cache_get(cache, KEY("used"), &value), KVL_VALUE);
    kvl_value_release(value);
    STATUS(has(cache, "idle"), KVL_VALUE);
    STATUS(kvl_clock_advance(clock, 70), KVL_OK);
    STATUS(has(cache, "used"), KVL_VALUE);
    STATUS(has(cache, "idle"), KVL_MISS);
    kvl_cache_release(cache);
    kvl_clock_release(clock);
}

static void s11_each_removed_value_is_reported_once(void)
{
    struct removals removals;
    kvl_clock_t *clock = NULL;
    kvl_config_t *config = config_of(3);
    kvl_cache_t *cache;
    kvl_value_t *value = NULL;
    int thing = 0;

    memset(&removals, 0, sizeof removals);
    STATUS(kvl_clock_new_manual(0, &clock), KVL_OK);
    STATUS(kvl_config_set_clock(config, clock), KVL_OK);
    STATUS(kvl_config_set_removal_listener(config, record_removal, &removals, count_free), KVL_OK);
    cache = cache_of(config);

    STATUS(put(cache, "a", "1"), KVL_OK);
    STATUS(kvl_clock_advance(clock, 7), KVL_OK);
    STATUS(put(cache, "a", "2"), KVL_OK);
    CHECK(removals.times == 1 && removals.cause == KVL_CAUSE_REPLACED);
    CHECK(removals.entry.struct_size == sizeof removals.entry && removals.entry.status == KVL_VALUE && removals.entry.age_ms == 7);
    CHECK(removals.entry.ttl_left_ms == KVL_TTL_NEVER && removals.entry.data_len == 1 && removals.entry.cost > 2);
    STATUS(kvl_cache_remove(cache, KEY("a")), KVL_OK);
    STATUS(kvl_cache_remove(cache, KEY("a")), KVL_MISS);
    CHECK(removals.times == 2 && removals.cause == KVL_CAUSE_REMOVED);
    STATUS(put_for(cache, "b", 5), KVL_OK);
    STATUS(kvl_clock_advance(clock, 10), KVL_OK);
    CHECK(removals.times == 3 && removals.cause == KVL_CAUSE_EXPIRED);
    STATUS(put_with_priority(cache, "c", 1), KVL_OK);
    STATUS(put_with_priority(cache, "d", 2), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("e"), kvl_value_null(), TERMS(KVL_TTL_NEVER, 2, 0)), KVL_OK);
    STATUS(put_with_priority(cache, "f", 2), KVL_OK);
    CHECK(removals.times == 4 && removals.cause == KVL_CAUSE_CAPACITY);
    TEXT(removals.key, "c");
    STATUS(put_with_priority(cache, "g", 1), KVL_REFUSED);
    CHECK(removals.times == 5 && removals.cause == KVL_CAUSE_REFUSED);
    STATUS(kvl_cache_trim_to(cache, 2), KVL_OK);
    CHECK(removals.times == 6 && removals.cause == KVL_CAUSE_TRIMMED);
    STATUS(kvl_value_new_object(&thing, 5000, NULL, &value), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("o"), value, TERMS(KVL_TTL_NEVER, 1, KVL_COST_DEFAULT)), KVL_OK);
    kvl_value_release(value);
    STATUS(kvl_cache_resize(cache, 10, 1000), KVL_OK);
    CHECK(removals.times == 7 && removals.cause == KVL_CAUSE_TRIMMED && removals.entry.object == &thing && removals.entry.data == NULL);
    STATUS(kvl_cache_clear(cache), KVL_OK);
    CHECK(removals.times == 9 && removals.by_cause[KVL_CAUSE_CLEARED] == 2);

    /* S14: a listener may release the cache that called it. */
    STATUS(put(cache, "z", "1"), KVL_OK);
    removals.release = cache;
    STATUS(kvl_cache_remove(cache, KEY("z")), KVL_OK);
    CHECK(removals.times == 10 && removals.freed == 1);
    kvl_clock_release(clock);
}

static void s11_freeing_a_cache_reports_no_removals(void)
{
    struct removals removals, object;
    kvl_config_t *config = config_of(3);
    kvl_cache_t *cache;
    kvl_value_t *value = NULL;

    memset(&removals, 0, sizeof removals);
    memset(&object, 0, sizeof object);
    STATUS(kvl_config_set_removal_listener(config, record_removal, &removals, count_free), KVL_OK);
    cache = cache_of(config);
    STATUS(kvl_value_new_object(&object, 1, count_free, &value), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("o"), value, NULL), KVL_OK);
    /* S16: a value outlives its cache. */
    CHECK(kvl_cache_retain(cache) == cache);
    kvl_cache_release(cache);
    CHECK(removals.freed == 0);
    kvl_cache_release(cache);
    CHECK(removals.times == 0 && removals.freed == 1 && object.freed == 0);
    CHECK(kvl_value_object(value) == &object);
    kvl_value_release(value);
    CHECK(object.freed == 1);
}

static void l02_removals_can_be_routed_to_a_queue(void)
{
    kvl_config_t *config = config_of(3);
    kvl_queue_t *queue = NULL;
    kvl_cache_t *cache;
    kvl_event_t event;
    int mark = 0;

    STATUS(kvl_queue_new(0, &queue), KVL_OK);
    STATUS(kvl_config_set_queue(config, queue, KVL_QUEUE_F_REMOVALS), KVL_OK);
    STATUS(kvl_config_set_removal_listener(config, NULL, &mark, NULL), KVL_OK);
    cache = cache_of(config);
    STATUS(put(cache, "a", "apple"), KVL_OK);
    STATUS(kvl_queue_next(queue, 0, &event, sizeof event), KVL_EMPTY);
    STATUS(kvl_cache_remove(cache, KEY("a")), KVL_OK);
    STATUS(kvl_queue_next(queue, 0, &event, sizeof event), KVL_OK);
    CHECK(event.kind == KVL_EVENT_REMOVAL && event.cause == KVL_CAUSE_REMOVED && event.user_data == &mark && event.tasks == NULL);
    CHECK(event.result->data_len == 5 && memcmp(event.result->data, "apple", 5) == 0 && event.result->key[0] == 'a');
    STATUS(kvl_queue_next(queue, 0, &event, sizeof event), KVL_EMPTY);
    STATUS(kvl_queue_free(queue), KVL_ERR_BUSY);
    kvl_cache_release(cache);
    STATUS(kvl_queue_free(queue), KVL_OK);
}

static int contains(kvl_value_t *text, const char *part)
{
    size_t len = 0, i, n = strlen(part);
    const char *data = (const char *)kvl_value_data(text, &len);
    for (i = 0; i + n <= len; i++)
        if (memcmp(data + i, part, n) == 0)
            return 1;
    return 0;
}

static void s12_every_operation_is_counted(void)
{
    kvl_stats_t stats;
    int validated = 0;
    kvl_clock_t *clock = NULL;
    kvl_config_t *config = config_of(2);
    kvl_cache_t *cache;
    kvl_value_t *value = NULL;
    uint64_t window, cost;

    STATUS(kvl_clock_new_manual(0, &clock), KVL_OK);
    STATUS(kvl_config_set_clock(config, clock), KVL_OK);
    STATUS(kvl_config_set_validator(config, is_not_x, &validated, NULL), KVL_OK);
    cache = cache_of(config);
    STATUS(put(cache, "a", "1"), KVL_OK);
    STATUS(put(cache, "a", "2"), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("n"), kvl_value_null(), NULL), KVL_OK);
    STATUS(put_with_priority(cache, "low", -1), KVL_REFUSED);
    STATUS(put(cache, "x", "1"), KVL_INVALID_KEY); /* not counted as a lookup */
    STATUS(kvl_cache_get(cache, KEY("a"), &value), KVL_VALUE);
    kvl_value_release(value);
    STATUS(kvl_cache_get(cache, KEY("n"), &value), KVL_NULL);
    STATUS(kvl_cache_get(cache, KEY("b"), &value), KVL_MISS);
    STATUS(kvl_cache_get(cache, KEY("c"), &value), KVL_MISS);
    STATUS(kvl_cache_get(cache, KEY("x"), &value), KVL_INVALID_KEY);
    STATUS(has(cache, "a"), KVL_VALUE); /* S13: not counted */
    STATUS(kvl_clock_advance(clock, 25), KVL_OK);

    memset(&stats, 0xff, sizeof stats);
    STATUS(kvl_cache_stats(cache, &stats, sizeof stats), KVL_OK);
    CHECK(stats.struct_size == sizeof stats && stats.window_ms == 25);
    CHECK(stats.hits == 1 && stats.null_hits == 1 && stats.misses == 2 && stats.invalid_keys == 1);
    CHECK(stats.inserts == 3 && stats.replacements == 1 && stats.removed_replaced == 1 && stats.removed_refused == 1);
    CHECK(stats.removed_expired == 0 && stats.removed_capacity == 0 && stats.removed_cost == 0 && stats.removed_removed == 0);
    CHECK(stats.removed_cleared == 0 && stats.removed_trimmed == 0 && stats.removed_cost_replaced > 2);
    CHECK(stats.entries == 2 && stats.cost == kvl_cache_cost(cache));
    CHECK(stats.loads_started == 0 && stats.attempts == 0 && stats.queued == 0 && stats.in_flight == 0 && stats.deferred == 0);
    window = stats.window_id;
    cost = stats.cost;

    STATUS(kvl_cache_stats_json(cache, &value), KVL_OK);
    CHECK(contains(value, "\"null_hits\":1") && contains(value, "\"entries\":2"));
    kvl_value_release(value);
    STATUS(kvl_cache_stats_openmetrics(cache, &value), KVL_OK);
    CHECK(contains(value, "kvlight_lookups_total{result=\"miss\"} 2\n") && contains(value, "# EOF\n"));
    kvl_value_release(value);

    STATUS(kvl_cache_stats_reset(cache), KVL_OK);
    STATUS(kvl_cache_stats(cache, &stats, sizeof stats), KVL_OK);
    CHECK(stats.window_id != window && stats.window_ms == 0);
    CHECK(stats.hits == 0 && stats.misses == 0 && stats.inserts == 0 && stats.removed_replaced == 0 && stats.removed_cost_replaced == 0);
    CHECK(stats.entries == 2 && stats.cost == cost);
    kvl_cache_release(cache);
    kvl_clock_release(clock);
}

static void s14_take_pop_trim_and_resize_report_their_causes(void)
{
    kvl_cache_t *cache = cache_of(config_of(10));
    kvl_value_t *value = NULL;
    char key[16];
    int i;

    for (i = 0; i < 10; i++) {
        sprintf(key, "%d", i);
        STATUS(put(cache, key, key), KVL_OK);
    }
    STATUS(kvl_cache_take(cache, KEY("3"), &value), KVL_VALUE);
    CHECK(is_text(value, "3"));
    STATUS(kvl_cache_take(cache, KEY("3"), &value), KVL_MISS);
    CHECK(value == NULL);
    STATUS(kvl_cache_pop(cache, &value), KVL_VALUE);
    CHECK(is_text(value, "0"));
    STATUS(kvl_cache_trim(cache, 0.5), KVL_OK);
    CHECK(kvl_cache_len(cache) == 4);
    STATUS(has(cache, "9"), KVL_VALUE);
    STATUS(kvl_cache_trim(cache, 1), KVL_OK);
    CHECK(kvl_cache_len(cache) == 4);
    STATUS(kvl_cache_trim(cache, 1.01), KVL_ERR_INVALID_ARG);
    STATUS(kvl_cache_trim(cache, -0.01), KVL_ERR_INVALID_ARG);
    STATUS(kvl_cache_trim(cache, NAN), KVL_ERR_INVALID_ARG);
    STATUS(kvl_cache_trim_to(cache, 3), KVL_OK);
    STATUS(kvl_cache_trim_to(cache, SIZE_MAX), KVL_OK);
    CHECK(kvl_cache_len(cache) == 3);
    STATUS(kvl_cache_resize(cache, 2, 100000), KVL_OK);
    CHECK(kvl_cache_len(cache) == 2 && kvl_cache_capacity(cache) == 2 && kvl_cache_cost_limit(cache) == 100000);
    STATUS(kvl_cache_resize(cache, 2, -2), KVL_ERR_INVALID_ARG);
    CHECK(kvl_cache_cost_limit(cache) == 100000);
    STATUS(kvl_cache_resize(cache, SIZE_MAX, -1), KVL_OK);
    CHECK(kvl_cache_capacity(cache) == SIZE_MAX && kvl_cache_cost_limit(cache) == -1);
    STATUS(kvl_cache_trim(cache, 0), KVL_OK);
    STATUS(kvl_cache_pop(cache, &value), KVL_MISS);
    CHECK(value == NULL);
    STATUS(kvl_cache_put(cache, KEY("n"), kvl_value_null(), NULL), KVL_OK);
    STATUS(kvl_cache_pop(cache, &value), KVL_NULL);
    CHECK(value == kvl_value_null());
    kvl_cache_release(cache);
}

static void s14_a_put_does_not_report_its_own_key_as_evicted(void)
{
    struct removals victims, removals;
    kvl_clock_t *clock = NULL;
    kvl_config_t *config = config_of(2);
    kvl_cache_t *cache;

    memset(&victims, 0, sizeof victims);
    memset(&removals, 0, sizeof removals);
    STATUS(kvl_clock_new_manual(0, &clock), KVL_OK);
    STATUS(kvl_config_set_clock(config, clock), KVL_OK);
    STATUS(kvl_config_set(config, "cache.timer", "false"), KVL_OK);
    STATUS(kvl_config_set_removal_listener(config, record_removal, &removals, NULL), KVL_OK);
    cache = cache_of(config);
    STATUS(put_for(cache, "due", 10), KVL_OK);
    STATUS(put(cache, "a", "1"), KVL_OK);
    STATUS(kvl_clock_advance(clock, 20), KVL_OK);
    STATUS(kvl_cache_put_with_victims(cache, KEY("a"), kvl_value_null(), TERMS(KVL_TTL_DEFAULT, 0, 0), record_removal, &victims), KVL_OK);
    CHECK(victims.times == 0 && removals.by_cause[KVL_CAUSE_EXPIRED] == 1 && removals.by_cause[KVL_CAUSE_REPLACED] == 1);
    STATUS(put(cache, "b", "1"), KVL_OK);
    STATUS(kvl_cache_put_with_victims(cache, KEY("c"), kvl_value_null(), TERMS(KVL_TTL_DEFAULT, 0, 0), record_removal, &victims), KVL_OK);
    CHECK(victims.times == 1 && removals.times == 3);
    TEXT(victims.key, "a");
    STATUS(kvl_cache_put_with_victims(cache, KEY("d"), kvl_value_null(), TERMS(KVL_TTL_DEFAULT, 0, 0), NULL, &victims), KVL_ERR_NO_CALLBACK);
    STATUS(has(cache, "d"), KVL_MISS);
    kvl_cache_release(cache);
    kvl_clock_release(clock);
}

/* L01: a callback can use the cache that calls it. */
static void look_up_inside(void *user_data, kvl_status_t record, const uint8_t *key, size_t key_len)
{
    kvl_cache_t **cache = user_data;

    if (record == KVL_MISS) {
        STATUS(kvl_cache_put(*cache, key, key_len, kvl_value_null(), NULL), KVL_OK);
        STATUS(kvl_cache_contains(*cache, key, key_len), KVL_NULL);
    }
}

static void l01_a_callback_can_use_its_cache(void)
{
    kvl_config_t *config = config_of(3);
    kvl_cache_t *cache = NULL;
    kvl_value_t *value = NULL;

    STATUS(kvl_config_set_record_listener(config, look_up_inside, &cache, NULL), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    kvl_config_free(config);
    STATUS(kvl_cache_get(cache, KEY("a"), &value), KVL_MISS);
    STATUS(kvl_cache_get(cache, KEY("a"), &value), KVL_NULL);
    kvl_cache_release(cache);
}

static void l09_a_rejected_configuration_states_the_reason(void)
{
    kvl_config_t *config = config_of(3);
    kvl_cache_t *cache = (kvl_cache_t *)kvl_value_null();
    kvl_error_t *error = NULL;

    STATUS(kvl_config_set(config, "cache.capactiy", "4"), KVL_ERR_UNKNOWN_KEY);
    STATUS(kvl_cache_new(config, &cache, &error), KVL_ERR_BAD_VALUE);
    CHECK(cache == NULL && error != NULL);
    STATUS(kvl_error_status(error), KVL_ERR_BAD_VALUE);
    TEXT(kvl_error_message(error), kvl_config_problem(config));
    kvl_error_release(error);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_ERR_BAD_VALUE);
    kvl_config_free(config);

    /* Removals are routed to a queue, but there is no queue. */
    config = config_of(3);
    STATUS(kvl_config_set_removal_listener(config, NULL, NULL, NULL), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, &error), KVL_ERR_NO_CALLBACK);
    CHECK(error != NULL);
    kvl_error_release(error);
    kvl_config_free(config);
}

/* Concurrent use by many threads. */
enum { THREADS = 8, ROUNDS = 2000, KEYS = 64 };

struct worker {
    kvl_cache_t *cache;
    unsigned seed;
    int wrong;
};

static void *use_concurrently(void *user_data)
{
    struct worker *worker = user_data;
    unsigned x = worker->seed;
    int i;

    for (i = 0; i < ROUNDS; i++) {
        char key[16], text[24];
        uint8_t buf[24];
        size_t len = 0;
        kvl_value_t *value = NULL;
        kvl_status_t status = KVL_OK;

        x = x * 1664525u + 1013904223u;
        sprintf(key, "%u", (x >> 16) % KEYS);
        sprintf(text, "v%s", key);
        switch ((x >> 24) % 8) {
        case 0:
        case 1:
            status = put(worker->cache, key, text);
            break;
        case 2:
            kvl_cache_remove(worker->cache, KEY(key));
            break;
        case 3:
            if (kvl_cache_get_into(worker->cache, KEY(key), buf, sizeof buf, &len) == KVL_VALUE)
                status = len == strlen(text) && memcmp(buf, text, len) == 0 ? KVL_OK : KVL_MISS;
            break;
        case 4:
            if (kvl_cache_take(worker->cache, KEY(key), &value) == KVL_VALUE && !is_text(value, text))
                status = KVL_MISS;
            break;
        case 5:
            kvl_cache_pop(worker->cache, &value);
            kvl_value_release(value);
            break;
        default:
            if (kvl_cache_get(worker->cache, KEY(key), &value) == KVL_VALUE && !is_text(value, text))
                status = KVL_MISS;
        }
        if (status != KVL_OK || kvl_cache_len(worker->cache) > 32)
            worker->wrong++;
    }
    kvl_cache_release(worker->cache);
    return NULL;
}

static void s02_the_limits_hold_for_every_observer(const char *shards)
{
    kvl_config_t *config = config_of(32);
    kvl_cache_t *cache;
    kvl_stats_t stats;
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    uint64_t removed;
    int i;

    STATUS(kvl_config_set(config, "cache.shards", shards), KVL_OK);
    cache = cache_of(config);
    for (i = 0; i < THREADS; i++) {
        workers[i].cache = kvl_cache_retain(cache);
        workers[i].seed = (unsigned)i + 1;
        workers[i].wrong = 0;
        CHECK(pthread_create(&threads[i], NULL, use_concurrently, &workers[i]) == 0);
    }
    for (i = 0; i < THREADS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(workers[i].wrong == 0);
    }
    /* S12: the counters are exact once no call is running. */
    STATUS(kvl_cache_stats(cache, &stats, sizeof stats), KVL_OK);
    removed = stats.removed_capacity + stats.removed_removed + stats.removed_replaced;
    CHECK(stats.inserts == removed + stats.entries && stats.inserts > 0 && stats.hits > 0);
    CHECK(stats.removed_refused == 0 && stats.removed_expired == 0);
    kvl_cache_release(cache);
}

int main(void)
{
    s01_a_lookup_has_four_outcomes();
    s01_get_into_copies_or_returns_the_length_that_is_needed();
    s01_many_keys_are_looked_up_in_order();
    s02_entries_are_bounded();
    s03_the_cost_is_exact_after_every_operation();
    s04_a_value_that_is_too_large_is_not_stored();
    s05_the_lowest_priority_is_evicted_first_and_then_the_least_recently_used();
    s06_an_entry_expires_at_the_end_of_its_ttl();
    s07_without_a_timer_memory_is_freed_by_writes_and_by_remove_expired();
    s09_idle_entries_expire();
    s11_each_removed_value_is_reported_once();
    s11_freeing_a_cache_reports_no_removals();
    l02_removals_can_be_routed_to_a_queue();
    s12_every_operation_is_counted();
    s14_take_pop_trim_and_resize_report_their_causes();
    s14_a_put_does_not_report_its_own_key_as_evicted();
    l01_a_callback_can_use_its_cache();
    l09_a_rejected_configuration_states_the_reason();
    s02_the_limits_hold_for_every_observer("1");
    s02_the_limits_hold_for_every_observer("4");
    DONE();
}
