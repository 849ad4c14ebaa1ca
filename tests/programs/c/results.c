/* The results of a fetch of many keys (rules F05, F17, F18, F22). */
#define _POSIX_C_SOURCE 200809L
#include "engine.h"

static kvl_results_t *fetch_all(struct fixture *fixture, const kvl_slice_t *keys, size_t n, const kvl_options_t *options)
{
    struct recorder recorder;
    kvl_results_t *results;

    recorder_init(&recorder, fixture);
    STATUS(kvl_tasks_fetch_all(fixture->tasks, keys, n, options, NULL, record_results, &recorder, count_free, NULL), KVL_PENDING);
    wait_for_free(&recorder);
    CHECK(recorder.events == 1);
    results = recorder.results;
    CHECK(results != NULL);
    return results;
}

static void put(struct fixture *fixture, const char *key, const char *text)
{
    kvl_cache_t *cache = NULL;
    STATUS(kvl_tasks_cache(fixture->tasks, &cache), KVL_OK);
    STATUS(kvl_cache_put_bytes(cache, KEY(key), KEY(text), TERMS(KVL_TTL_NEVER, 0, KVL_COST_DEFAULT)), KVL_OK);
    kvl_cache_release(cache);
}

static uint32_t is_not_bad(void *user_data, const uint8_t *key, size_t key_len)
{
    (void)user_data;
    return !(key_len == 3 && memcmp(key, "bad", 3) == 0);
}

static void f05_f18_f22_results_are_in_order_with_their_sources_and_errors(void)
{
    static const kvl_slice_t keys[] = { SLICE("stored"), SLICE("k"), SLICE("fail"), SLICE("bad"), SLICE("null"),
                                        SLICE("k"), SLICE("fail"), SLICE("nothing") };
    struct fixture fixture;
    kvl_config_t *config = fixture_init(&fixture);
    kvl_results_t *results;
    const kvl_result_t *result, *array;
    size_t i, stride = 0;

    STATUS(kvl_config_set_validator(config, is_not_bad, NULL, NULL), KVL_OK);
    create_engine(&fixture, config);
    put(&fixture, "stored", "v");
    STATUS(kvl_clock_advance(fixture.clock, 40), KVL_OK);
    results = fetch_all(&fixture, keys, COUNT(keys), NULL);
    CHECK(kvl_results_len(results) == COUNT(keys));
    STATUS(kvl_results_status(results), KVL_OK);

    array = kvl_results_array(results, &stride);
    CHECK(stride >= sizeof *array);
    for (i = 0; i < COUNT(keys); i++) {
        result = kvl_results_at(results, i);
        CHECK(result == (const kvl_result_t *)(const void *)((const char *)array + i * stride));
        CHECK(result->struct_size == sizeof *result && result->index == i);
        CHECK(result->key_len == keys[i].len && memcmp(result->key, keys[i].data, keys[i].len) == 0);
        CHECK((result->flags & KVL_F_LAST) == (i + 1 == COUNT(keys) ? KVL_F_LAST : 0));
    }
    CHECK(kvl_results_at(results, COUNT(keys)) == NULL);

    result = kvl_results_at(results, 0);
    STATUS(result->status, KVL_VALUE);
    CHECK(result->source == KVL_SOURCE_STORE && result->age_ms == 40 && result->ttl_left_ms == KVL_TTL_NEVER && result->cost > 0);
    CHECK(result->data_len == 1 && result->data[0] == 'v' && result->object == NULL && result->error == NULL);
    result = kvl_results_at(results, 1);
    CHECK(result->status == KVL_VALUE && result->source == KVL_SOURCE_PROVIDER && result->attempts == 1);
    result = kvl_results_at(results, 2);
    CHECK(result->status == KVL_ERR_PROVIDER && result->value == NULL && kvl_error_code(result->error) == 7);
    TEXT(kvl_error_message(result->error), "no such host");
    STATUS(kvl_results_at(results, 3)->status, KVL_INVALID_KEY);
    STATUS(kvl_results_at(results, 4)->status, KVL_NULL);
    CHECK(kvl_results_at(results, 5)->source == KVL_SOURCE_JOINED);
    CHECK(kvl_results_at(results, 6)->error == result->error); /* one error object, shared */
    STATUS(kvl_results_at(results, 7)->status, KVL_ERR_UNANSWERED);

    CHECK(kvl_results_count(results, KVL_COUNT_VALUES) == 3);
    CHECK(kvl_results_count(results, KVL_COUNT_NULLS) == 1);
    CHECK(kvl_results_count(results, KVL_COUNT_INVALID) == 1);
    CHECK(kvl_results_count(results, KVL_COUNT_FAILED) == 3);
    CHECK(kvl_results_count(results, KVL_COUNT_FROM_STORE) == 1);
    CHECK(kvl_results_count(results, KVL_COUNT_FROM_PROVIDER) == 3);
    CHECK(kvl_results_count(results, KVL_COUNT_JOINED) == 2);
    CHECK(kvl_results_count(results, 99) == 0);
    CHECK(kvl_results_count_status(results, KVL_ERR_PROVIDER) == 2);
    CHECK(kvl_results_count_status(results, KVL_VALUE) == 3);
    CHECK(kvl_results_error_len(results) == 2);
    CHECK(kvl_results_error_at(results, 0) == result->error);
    STATUS(kvl_error_status(kvl_results_error_at(results, 1)), KVL_ERR_UNANSWERED);
    CHECK(kvl_results_error_at(results, 2) == NULL);
    kvl_results_release(results);
    free_engine(&fixture);
}

static void f05_an_empty_batch_is_delivered_too(void)
{
    struct fixture fixture;
    kvl_results_t *results;
    size_t stride = 0;

    create_engine(&fixture, fixture_init(&fixture));
    results = fetch_all(&fixture, NULL, 0, NULL);
    CHECK(kvl_results_len(results) == 0 && kvl_results_at(results, 0) == NULL);
    CHECK(kvl_results_array(results, &stride) == NULL && stride > 0);
    STATUS(kvl_results_status(results), KVL_OK);
    kvl_results_release(results);
    free_engine(&fixture);
}

static void f17_a_batch_has_a_status_of_its_own(void)
{
    static const kvl_slice_t both[] = { SLICE("fail"), SLICE("hold") }, late[] = { SLICE("late"), SLICE("hold too") },
                             cancel[] = { SLICE("cancel"), SLICE("hold three") }, closed[] = { SLICE("k"), SLICE("hold four") };
    struct fixture fixture;
    struct recorder recorder;
    kvl_options_t *options;
    kvl_results_t *results;

    create_engine(&fixture, fixture_init(&fixture));

    options = option("batch.mode", "all_or_nothing");
    results = fetch_all(&fixture, both, 2, options);
    STATUS(kvl_results_status(results), KVL_ERR_PROVIDER);
    CHECK(kvl_results_count_status(results, KVL_ERR_PROVIDER) == 1 && kvl_results_count_status(results, KVL_ERR_CANCELLED) == 1);
    kvl_results_release(results);
    kvl_options_free(options);

    options = option("timeout_ms", "500");
    results = fetch_all(&fixture, late, 2, options);
    STATUS(kvl_results_status(results), KVL_ERR_TIMEOUT);
    CHECK(kvl_results_at(results, 1)->status == KVL_ERR_TIMEOUT);
    kvl_results_release(results);
    kvl_options_free(options);

    STATUS(kvl_fetch_new(&fixture.cancel), KVL_OK);
    recorder_init(&recorder, &fixture);
    STATUS(kvl_tasks_fetch_all(fixture.tasks, cancel, 2, NULL, fixture.cancel, record_results, &recorder, count_free, NULL), KVL_PENDING);
    wait_for_free(&recorder);
    STATUS(recorder.status, KVL_ERR_CANCELLED);
    recorder_release(&recorder);
    kvl_fetch_release(fixture.cancel);

    recorder_init(&recorder, &fixture);
    STATUS(kvl_tasks_fetch_all(fixture.tasks, closed, 2, NULL, NULL, record_results, &recorder, count_free, NULL), KVL_PENDING);
    STATUS(kvl_tasks_close(fixture.tasks, KVL_CLOSE_CANCEL, 0, NULL, NULL, NULL), KVL_OK);
    wait_for_free(&recorder);
    STATUS(recorder.status, KVL_ERR_CLOSED);
    STATUS(kvl_tasks_free(fixture.tasks), KVL_OK);
    /* Releases the requests that were never answered. Their number varies: the first batch may have failed before its second key was requested. */
    while (fixture.held_taken < fixture.held_len)
        kvl_request_release(fixture.held[fixture.held_taken++]);
    CHECK(wait_for(&fixture, &fixture.freed, 1));
    /* Results outlive their engine. */
    CHECK(kvl_results_len(recorder.results) == 2 && kvl_results_retain(recorder.results) == recorder.results);
    kvl_results_release(recorder.results);
    STATUS(kvl_results_at(recorder.results, 1)->status, KVL_ERR_CLOSED);
    recorder_release(&recorder);
    fixture_destroy(&fixture);
}

static void f02_a_resident_batch_is_answered_by_the_call(void)
{
    static const kvl_slice_t keys[] = { SLICE("a"), SLICE("b"), SLICE("a") };
    struct fixture fixture;
    struct recorder recorder;
    kvl_results_t *ready = NULL;

    create_engine(&fixture, fixture_init(&fixture));
    put(&fixture, "a", "1");
    put(&fixture, "b", "2");
    recorder_init(&recorder, &fixture);
    STATUS(kvl_tasks_fetch_all(fixture.tasks, keys, 3, NULL, NULL, record_results, &recorder, count_free, &ready), KVL_OK);
    CHECK(recorder.events == 0 && recorder.freed == 1);
    CHECK(kvl_results_len(ready) == 3 && kvl_results_count(ready, KVL_COUNT_FROM_STORE) == 3);
    CHECK(kvl_results_at(ready, 1)->data[0] == '2');
    kvl_results_release(ready);
    free_engine(&fixture);
}

static void l09_null_is_refused_or_ignored(void)
{
    size_t stride = 7;

    CHECK(kvl_results_len(NULL) == 0 && kvl_results_at(NULL, 0) == NULL);
    STATUS(kvl_results_status(NULL), KVL_ERR_NULL_POINTER);
    CHECK(kvl_results_array(NULL, &stride) == NULL && stride == 7);
    CHECK(kvl_results_count(NULL, KVL_COUNT_VALUES) == 0 && kvl_results_count_status(NULL, KVL_OK) == 0);
    CHECK(kvl_results_error_len(NULL) == 0 && kvl_results_error_at(NULL, 0) == NULL);
    CHECK(kvl_results_retain(NULL) == NULL);
    kvl_results_release(NULL);
}

/* Every two keys share an error. No call of kvl_results_error_at() may search all keys. */
static void l09a_listing_the_errors_of_many_keys_takes_linear_time(void)
{
    enum { KEYS = 20000 };
    static char names[KEYS][16];
    static kvl_slice_t keys[KEYS];
    struct fixture fixture;
    kvl_config_t *config = fixture_init(&fixture);
    kvl_results_t *results;
    kvl_error_t *before = NULL;
    size_t i;

    STATUS(kvl_config_set_int(config, "batch.max_keys", KEYS), KVL_OK);
    create_engine(&fixture, config);
    for (i = 0; i < KEYS; i++) {
        keys[i].len = (size_t)snprintf(names[i], sizeof names[i], "fail %zu", i / 2 * 2);
        keys[i].data = (const uint8_t *)names[i];
    }
    results = fetch_all(&fixture, keys, KEYS, NULL);
    for (i = 0; i < kvl_results_error_len(results); i++) {
        kvl_error_t *error = kvl_results_error_at(results, i);
        CHECK(error != NULL && error != before && error == kvl_results_at(results, 2 * i)->error);
        before = error;
    }
    CHECK(i == KEYS / 2 && kvl_results_error_at(results, i) == NULL);
    kvl_results_release(results);
    free_engine(&fixture);
}

int main(void)
{
    silence_unused_warnings();
    l09a_listing_the_errors_of_many_keys_takes_linear_time();
    f05_f18_f22_results_are_in_order_with_their_sources_and_errors();
    f05_an_empty_batch_is_delivered_too();
    f17_a_batch_has_a_status_of_its_own();
    f02_a_resident_batch_is_answered_by_the_call();
    l09_null_is_refused_or_ignored();
    DONE();
}
