/* Keys as the program's functions see them: the empty key, and a key inside the buffer that the value is written to (rule L09). */
#define _POSIX_C_SOURCE 200809L
#include "engine.h"

#include <stdatomic.h>

/* How many empty keys the functions of the program have seen. */
static atomic_int seen;

/* Checks that an empty key has a valid address, and not NULL or a small number, which C does not allow as an argument of memcmp or memcpy. */
static void check_address(const uint8_t *key, size_t key_len)
{
    if (key_len != 0)
        return;
    CHECK(key != NULL && (uintptr_t)key >= 4096);
    CHECK(*(const volatile uint8_t *)key == 0);
    seen++;
}

static uint32_t validate(void *user_data, const uint8_t *key, size_t key_len)
{
    (void)user_data;
    check_address(key, key_len);
    return 1;
}

static uint64_t cost(void *user_data, const uint8_t *key, size_t key_len, kvl_value_t *value)
{
    (void)user_data;
    check_address(key, key_len);
    return kvl_value_cost(value);
}

static void record(void *user_data, kvl_status_t status, const uint8_t *key, size_t key_len)
{
    (void)user_data;
    (void)status;
    check_address(key, key_len);
}

static void removed(void *user_data, const kvl_result_t *entry, kvl_cause_t cause)
{
    (void)user_data;
    (void)cause;
    check_address(entry->key, entry->key_len);
}

static void check_request_key(void *user_data, kvl_request_t *request)
{
    const uint8_t *key = NULL;
    size_t len = 1;

    (void)user_data;
    STATUS(kvl_request_key(request, 0, &key, &len), KVL_OK);
    check_address(key, len);
    check_address(kvl_request_keys(request)->data, kvl_request_keys(request)->len);
    STATUS(kvl_request_resolve_bytes(request, 0, NULL, 0, NULL), KVL_OK);
}

static kvl_config_t *config_with_all_functions(void)
{
    kvl_config_t *config = NULL;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_validator(config, validate, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set_cost(config, cost, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set_record_listener(config, record, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set_removal_listener(config, removed, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set_provider(config, check_request_key, NULL, NULL), KVL_OK);
    return config;
}

static void l09_the_empty_key_has_a_valid_address(uint32_t routes)
{
    static const kvl_slice_t twice[] = { { NULL, 0 }, { NULL, 0 } };
    static const uint32_t lens[] = { 0, 0 };
    kvl_config_t *config = config_with_all_functions();
    kvl_queue_t *queue = NULL;
    kvl_tasks_t *tasks = NULL;
    kvl_cache_t *cache = NULL;
    kvl_value_t *value = NULL, *values[2];
    kvl_results_t *results = NULL;
    kvl_status_t statuses[2];
    kvl_slice_t slices[2];
    kvl_event_t event;
    int before = seen;

    STATUS(kvl_queue_new(0, &queue), KVL_OK);
    if (routes != 0)
        STATUS(kvl_config_set_queue(config, queue, routes), KVL_OK);
    STATUS(kvl_tasks_new(config, &tasks, NULL), KVL_OK);
    STATUS(kvl_tasks_cache(tasks, &cache), KVL_OK);
    if ((routes & KVL_QUEUE_F_PROVIDER) == 0) {
        STATUS(kvl_tasks_fetch_wait(tasks, NULL, 0, NULL, NULL, &value, NULL), KVL_VALUE);
        kvl_value_release(value);
    } else {
        STATUS(kvl_tasks_refresh(tasks, twice, 1, NULL), KVL_OK);
        STATUS(kvl_queue_next(queue, 60000, &event, sizeof event), KVL_OK);
        CHECK(event.kind == KVL_EVENT_REQUEST);
        check_request_key(NULL, event.request);
    }
    STATUS(kvl_tasks_fetch_all(tasks, twice, 2, NULL, NULL, record_results, NULL, NULL, &results), KVL_OK);
    check_address(kvl_results_at(results, 1)->key, kvl_results_at(results, 1)->key_len);
    kvl_results_release(results);
    STATUS(kvl_cache_get_many(cache, twice, 2, values, statuses), KVL_OK);
    kvl_value_release_many(values, 2);
    STATUS(kvl_cache_put_bytes(cache, NULL, 0, NULL, 0, NULL), KVL_OK);
    STATUS(kvl_cache_remove(cache, NULL, 0), KVL_OK);
    if ((routes & KVL_QUEUE_F_REMOVALS) != 0) {
        while (kvl_queue_next(queue, 0, &event, sizeof event) == KVL_OK)
            if (event.kind == KVL_EVENT_REMOVAL)
                check_address(event.result->key, event.result->key_len);
    }
    STATUS(kvl_slices_unpack(NULL, 0, lens, 2, slices), KVL_OK);
    check_address(slices[1].data, slices[1].len);
    kvl_cache_release(cache);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    STATUS(kvl_queue_free(queue), KVL_OK);
    kvl_config_free(config);
    CHECK(seen - before > 12);
}

static char heard_key[8];

static void record_key(void *user_data, kvl_status_t status, const uint8_t *key, size_t key_len)
{
    (void)user_data;
    (void)status;
    memcpy(heard_key, key, key_len);
    heard_key[key_len] = '\0';
}

static void l09_a_key_may_overlap_the_buffer_for_its_value(int listens)
{
    kvl_config_t *config = NULL;
    kvl_cache_t *cache = NULL;
    char memory[8] = "..abc..";
    size_t at, len = 0;

    STATUS(kvl_config_new(&config), KVL_OK);
    if (listens)
        STATUS(kvl_config_set_record_listener(config, record_key, NULL, NULL), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    kvl_config_free(config);
    STATUS(kvl_cache_put_bytes(cache, KEY("abc"), KEY("XYZ"), NULL), KVL_OK);
    for (at = 0; at < 5; at++) {
        memcpy(memory, "..abc..", sizeof memory);
        heard_key[0] = '\0';
        STATUS(kvl_cache_get_into(cache, (uint8_t *)memory + 2, 3, (uint8_t *)memory + at, 3, &len), KVL_VALUE);
        CHECK(len == 3 && memcmp(memory + at, "XYZ", 3) == 0);
        TEXT(heard_key, listens ? "abc" : "");
    }
    kvl_cache_release(cache);
}

int main(void)
{
    silence_unused_warnings();
    l09_the_empty_key_has_a_valid_address(0);
    l09_the_empty_key_has_a_valid_address(KVL_QUEUE_F_ALL);
    l09_a_key_may_overlap_the_buffer_for_its_value(0);
    l09_a_key_may_overlap_the_buffer_for_its_value(1);
    DONE();
}
