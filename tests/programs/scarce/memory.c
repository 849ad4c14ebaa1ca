/* Memory that the system refuses (rule L09a): every allocation of LARGE bytes or more that a call makes is refused in turn. The call must
 * then return KVL_ERR_NO_MEMORY or do without that memory, and the library must work afterwards. Each attempt is a process of its own, so that
 * an abort is noticed.
 *
 *     memory               all stories, as a test
 *     memory STORY LEAST   one story with LEAST in place of LARGE, to find out which small allocations abort
 */
#define _GNU_SOURCE
#include "../c/engine.h"
#include "refusing.h"
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MANY 10000

/* Checks that a call succeeded or returned KVL_ERR_NO_MEMORY. */
#define OK_OR_NO_MEMORY(call, ok) check_scarce((call), (ok), #call, __LINE__)

static kvl_status_t check_scarce(kvl_status_t got, kvl_status_t ok, const char *what, int line)
{
    if (got != ok && (got != KVL_ERR_NO_MEMORY || refused == 0)) {
        check_at(0, what, __FILE__, line);
        printf("    got %s, %d of %d allocations were refused\n", kvl_status_name(got), refused, requested);
    } else {
        checks_done++;
    }
    return got;
}

static char names[MANY][40];
static kvl_slice_t keys[MANY];
static uint8_t bytes[1 << 18];

static void name_keys(void)
{
    size_t i;
    for (i = 0; i < MANY; i++) {
        keys[i].len = (size_t)snprintf(names[i], sizeof names[i], "a key of more than sixteen bytes %zu", i);
        keys[i].data = (const uint8_t *)names[i];
    }
}

/* Answers each key with a value of `*user_data` bytes, and supplies an extra key in each request. */
static void provide_large(void *user_data, kvl_request_t *request)
{
    size_t i, n = kvl_request_len(request), len = *(const size_t *)user_data;
    kvl_status_t supplied;

    supplied = kvl_request_supply_bytes(request, KEY("extra"), bytes, len, NULL);
    /* LATE: another request has supplied the key. CLOSED: the request of a refresh may outlive the engine. */
    if (supplied != KVL_LATE && supplied != KVL_ERR_CLOSED)
        OK_OR_NO_MEMORY(supplied, KVL_OK);
    for (i = 0; i < n; i++) {
        kvl_status_t status = kvl_request_resolve_bytes(request, i, bytes, len, NULL);
        /* CLOSED: as for the extra key. */
        if (status != KVL_ERR_CLOSED && OK_OR_NO_MEMORY(status, KVL_OK) == KVL_ERR_NO_MEMORY)
            STATUS(kvl_request_fail_text(request, i, 12, "no memory", KVL_ERROR_F_PERMANENT), KVL_OK);
    }
}

static kvl_tasks_t *engine_of(size_t *len, kvl_queue_t *queue, const char *const *settings)
{
    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide_large, len, NULL), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.capacity", 1000000), KVL_OK);
    for (; settings != NULL && *settings != NULL; settings += 2)
        STATUS(kvl_config_set(config, settings[0], settings[1]), KVL_OK);
    if (queue != NULL)
        STATUS(kvl_config_set_queue(config, queue, KVL_QUEUE_F_RESULTS), KVL_OK);
    STATUS(kvl_tasks_new(config, &tasks, NULL), KVL_OK);
    kvl_config_free(config);
    return tasks;
}

/* Checks that the engine still answers and stores. */
static void check_engine(kvl_tasks_t *tasks)
{
    kvl_results_t *results = NULL;
    kvl_value_t *value = NULL;

    STATUS(kvl_tasks_fetch_wait(tasks, KEY("afterwards"), NULL, NULL, &value, NULL), KVL_VALUE);
    kvl_value_release(value);
    STATUS(kvl_tasks_get(tasks, KEY("afterwards"), &value), KVL_VALUE);
    kvl_value_release(value);
    STATUS(kvl_tasks_fetch_all_wait(tasks, keys, MANY, NULL, NULL, &results), KVL_OK);
    CHECK(kvl_results_count_status(results, KVL_VALUE) == MANY);
    kvl_results_release(results);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
}

static kvl_cache_t *cache_of(const char *name, const char *value)
{
    kvl_config_t *config = NULL;
    kvl_cache_t *cache = NULL;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.capacity", 1000000), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.shards", 1), KVL_OK);
    if (name != NULL)
        STATUS(kvl_config_set(config, name, value), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    kvl_config_free(config);
    return cache;
}

static void fill(kvl_cache_t *cache, size_t count, const kvl_terms_t *terms)
{
    size_t i;
    for (i = 0; i < count; i++)
        STATUS(kvl_cache_put_bytes(cache, keys[i].data, keys[i].len, bytes, 8, terms), KVL_OK);
}

static void check_cache(kvl_cache_t *cache)
{
    kvl_value_t *value = NULL;
    fill(cache, MANY, NULL);
    CHECK(kvl_cache_len(cache) == MANY);
    STATUS(kvl_cache_get(cache, keys[MANY - 1].data, keys[MANY - 1].len, &value), KVL_VALUE);
    kvl_value_release(value);
    STATUS(kvl_cache_clear(cache), KVL_OK);
    CHECK(kvl_cache_len(cache) == 0);
    kvl_cache_release(cache);
}

/* --- the stories ------------------------------------------------------------------------------------------------------------------- */

static void values(void)
{
    kvl_value_t *value = NULL;
    uint8_t *data = NULL;

    begin_scarcity();
    OK_OR_NO_MEMORY(kvl_value_new_bytes(bytes, sizeof bytes, &value), KVL_OK);
    kvl_value_release(value);
    OK_OR_NO_MEMORY(kvl_value_new_space(sizeof bytes, &data, &value), KVL_OK);
    kvl_value_release(value);
    end_scarcity();
    /* More than any machine has, and more than an address can express. */
    STATUS(kvl_value_new_space((size_t)1 << 50, &data, &value), KVL_ERR_NO_MEMORY);
    CHECK(value == NULL);
    STATUS(kvl_value_new_space(SIZE_MAX, &data, &value), KVL_ERR_NO_MEMORY);
}

static void errors(void)
{
    kvl_error_t *error = NULL;
    char *message = (char *)bytes;

    memset(message, 'x', sizeof bytes);
    begin_scarcity();
    if (OK_OR_NO_MEMORY(kvl_error_new(1, message, sizeof bytes, 0, &error), KVL_OK) == KVL_OK)
        CHECK(strlen(kvl_error_message(error)) == sizeof bytes);
    kvl_error_release(error);
    /* Bytes that are no UTF-8: each is replaced by a character of three bytes. */
    memset(message, 0xff, sizeof bytes);
    if (OK_OR_NO_MEMORY(kvl_error_new(1, message, sizeof bytes, 0, &error), KVL_OK) == KVL_OK)
        CHECK(strlen(kvl_error_message(error)) == 3 * sizeof bytes);
    kvl_error_release(error);
    end_scarcity();
    STATUS(kvl_error_new(1, message, 3, 0, &error), KVL_OK);
    kvl_error_release(error);
}

static void settings(void)
{
    kvl_config_t *config = NULL;
    kvl_value_t *text = NULL;
    char *long_text = (char *)bytes;

    memset(long_text, '1', sizeof bytes - 1);
    long_text[sizeof bytes - 1] = '\0';
    STATUS(kvl_config_new(&config), KVL_OK);
    begin_scarcity();
    CHECK(kvl_config_set(config, "cache.capacity", long_text) < 0);
    CHECK(kvl_config_set(config, long_text, "1") < 0);
    CHECK(strlen(kvl_config_problem(config)) > 0);
    end_scarcity();
    STATUS(kvl_config_set(config, "cache.capacity", "17"), KVL_OK);
    STATUS(kvl_config_get(config, "cache.capacity", &text), KVL_OK);
    kvl_value_release(text);
    kvl_config_free(config);
}

static void puts_of_large_values(void)
{
    kvl_cache_t *cache = cache_of(NULL, NULL);
    kvl_value_t *value = NULL;
    size_t i;

    begin_scarcity();
    for (i = 0; i < 4; i++)
        OK_OR_NO_MEMORY(kvl_cache_put_bytes(cache, keys[i].data, keys[i].len, bytes, sizeof bytes, NULL), KVL_OK);
    /* The longest key, with a value that was created before. */
    if (OK_OR_NO_MEMORY(kvl_value_new_bytes(bytes, 100, &value), KVL_OK) == KVL_OK)
        OK_OR_NO_MEMORY(kvl_cache_put(cache, bytes, 65535, value, NULL), KVL_OK);
    kvl_value_release(value);
    OK_OR_NO_MEMORY(kvl_cache_put(cache, bytes, 65535, kvl_value_null(), NULL), KVL_OK);
    kvl_cache_remove(cache, bytes, 65535);
    end_scarcity();
    check_cache(cache);
}

static void puts_of_many_entries(const char *name, const char *setting, const kvl_terms_t *terms, int with_priorities)
{
    kvl_cache_t *cache = cache_of(name, setting);
    kvl_terms_t own = *(terms == NULL ? TERMS(KVL_TTL_DEFAULT, KVL_PRIORITY_DEFAULT, KVL_COST_DEFAULT) : terms);
    size_t i, stored = 0;

    begin_scarcity();
    for (i = 0; i < MANY; i++) {
        if (with_priorities)
            own.priority = (double)(i % 7);
        stored += OK_OR_NO_MEMORY(kvl_cache_put_bytes(cache, keys[i].data, keys[i].len, bytes, 8, &own), KVL_OK) == KVL_OK;
    }
    CHECK(kvl_cache_len(cache) == stored);
    if (refused_one != ALL)
        CHECK(stored >= MANY - 1);
    end_scarcity();
    check_cache(cache);
}

static void plain_entries(void)
{
    puts_of_many_entries(NULL, NULL, NULL, 0);
}

static void entries_that_expire(void)
{
    puts_of_many_entries("cache.timer", "false", TERMS(3600000, KVL_PRIORITY_DEFAULT, KVL_COST_DEFAULT), 0);
}

static void entries_that_expire_when_idle(void)
{
    puts_of_many_entries("cache.idle_ttl_ms", "3600000", NULL, 0);
}

static void entries_of_priorities(void)
{
    puts_of_many_entries(NULL, NULL, NULL, 1);
}

static void entries_with_tags(void)
{
    kvl_slice_t tags[2] = {SLICE("one tag"), SLICE("another tag")};
    kvl_terms_t terms = *TERMS(KVL_TTL_DEFAULT, KVL_PRIORITY_DEFAULT, KVL_COST_DEFAULT);
    terms.tags = tags;
    terms.tags_len = 2;
    puts_of_many_entries(NULL, NULL, &terms, 0);
}

static void an_engines_entries_with_a_grace(void)
{
    static const char *const kept[] = {"cache.ttl_ms", "3600000", "stale.ttl_ms", "3600000", "cache.shards", "1", NULL};
    size_t i, len = 8;
    kvl_tasks_t *tasks = engine_of(&len, NULL, kept);
    kvl_cache_t *cache = NULL;

    STATUS(kvl_tasks_cache(tasks, &cache), KVL_OK);
    begin_scarcity();
    for (i = 0; i < MANY; i++)
        OK_OR_NO_MEMORY(kvl_cache_put_bytes(cache, keys[i].data, keys[i].len, bytes, 8, NULL), KVL_OK);
    end_scarcity();
    kvl_cache_release(cache);
    check_engine(tasks);
}

/* Stores an entry under a number, with terms. */
static kvl_status_t put_numbered(kvl_cache_t *cache, uint32_t number, const kvl_terms_t *terms)
{
    return kvl_cache_put_bytes(cache, (const uint8_t *)&number, sizeof number, bytes, 8, terms);
}

/* The memory for the first grace and the first priority among many entries is refused. Other entries do not need it. */
static void the_first_grace_among_many(void)
{
    static const char *const kept[] = {"cache.ttl_ms", "3600000", "cache.shards", "1", NULL};
    size_t len = 8;
    kvl_tasks_t *tasks = engine_of(&len, NULL, kept);
    kvl_cache_t *cache = NULL;
    kvl_terms_t graced = *TERMS(3600000, KVL_PRIORITY_DEFAULT, KVL_COST_DEFAULT), urgent = *TERMS(KVL_TTL_DEFAULT, 7, KVL_COST_DEFAULT);
    uint32_t number;

    graced.stale_ttl_ms = 3600000;
    STATUS(kvl_tasks_cache(tasks, &cache), KVL_OK);
    for (number = 0; number < 40000; number++)
        STATUS(put_numbered(cache, number, NULL), KVL_OK);
    begin_scarcity();
    OK_OR_NO_MEMORY(put_numbered(cache, 1, &graced), KVL_OK);
    OK_OR_NO_MEMORY(put_numbered(cache, 2, &urgent), KVL_OK);
    for (number = 0; number < 100; number++)
        STATUS(put_numbered(cache, number, NULL), KVL_OK);
    end_scarcity();
    STATUS(put_numbered(cache, 1, &graced), KVL_OK);
    STATUS(put_numbered(cache, 2, &urgent), KVL_OK);
    kvl_cache_release(cache);
    check_engine(tasks);
}

/* No record has changed. Entries 1 to 3 are renewed with terms that no entry had before. */
static void provide_unchanged(void *user_data, kvl_request_t *request)
{
    size_t i, n = kvl_request_len(request);

    (void)user_data;
    for (i = 0; i < n; i++) {
        const kvl_slice_t *key = &kvl_request_keys(request)[i];
        kvl_terms_t terms = KVL_TERMS_INIT;
        uint32_t number = 0;

        if (key->len == sizeof number)
            memcpy(&number, key->data, sizeof number);
        if (number == 1 || number == 2)
            terms.ttl_ms = 3600000;
        if (number == 2)
            terms.stale_ttl_ms = 3600000;
        if (number == 3)
            terms.priority = 7;
        if (number > 0)
            STATUS(kvl_request_not_modified(request, i, &terms), KVL_OK);
        else
            STATUS(kvl_request_resolve_bytes(request, i, bytes, 8, NULL), KVL_OK);
    }
}

/* If the memory for the terms is refused, the value is delivered nevertheless, and the entry stays. */
static void renewals_with_terms_that_no_entry_had(void)
{
    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;
    kvl_cache_t *cache = NULL;
    kvl_options_t *forced = NULL;
    uint32_t number;
    int round;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide_unchanged, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.capacity", 1000000), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.shards", 1), KVL_OK);
    STATUS(kvl_tasks_new(config, &tasks, NULL), KVL_OK);
    kvl_config_free(config);
    STATUS(kvl_options_new(&forced), KVL_OK);
    STATUS(kvl_options_set(forced, "read", "refresh"), KVL_OK);
    STATUS(kvl_tasks_cache(tasks, &cache), KVL_OK);
    for (number = 0; number < 40000; number++)
        STATUS(put_numbered(cache, number, NULL), KVL_OK);
    for (round = 0; round < 2; round++) {
        if (round == 0)
            begin_scarcity();
        for (number = 1; number <= 3; number++) {
            kvl_value_t *value = NULL;
            int64_t left = 0;

            STATUS(kvl_tasks_fetch_wait(tasks, (const uint8_t *)&number, sizeof number, forced, NULL, &value, NULL), KVL_VALUE);
            kvl_value_release(value);
            value = NULL;
            STATUS(kvl_cache_peek(cache, (const uint8_t *)&number, sizeof number, &value, &left, NULL), KVL_VALUE);
            kvl_value_release(value);
            CHECK(number == 3 || left > 0 || refused > 0);
        }
        end_scarcity();
    }
    CHECK(kvl_cache_len(cache) == 40000);
    kvl_options_free(forced);
    kvl_cache_release(cache);
    check_engine(tasks);
}

static void removals_of_many_entries(void)
{
    kvl_cache_t *cache = cache_of("cache.timer", "false");
    kvl_slice_t tag = SLICE("a tag");
    kvl_terms_t terms = *TERMS(3600000, KVL_PRIORITY_DEFAULT, KVL_COST_DEFAULT);
    size_t removed = 0;

    terms.tags = &tag;
    terms.tags_len = 1;
    fill(cache, MANY, &terms);
    begin_scarcity();
    /* None of these calls may return KVL_ERR_NO_MEMORY. */
    STATUS(kvl_cache_trim(cache, 0.9), KVL_OK);
    STATUS(kvl_cache_trim_to(cache, MANY / 2), KVL_OK);
    STATUS(kvl_cache_resize(cache, MANY / 4, -1), KVL_OK);
    STATUS(kvl_cache_remove_expired(cache, &removed), KVL_OK);
    CHECK(kvl_cache_len(cache) == MANY / 4);
    STATUS(kvl_cache_remove_tag(cache, tag.data, tag.len, &removed), KVL_OK);
    CHECK(removed == MANY / 4);
    STATUS(kvl_cache_clear(cache), KVL_OK);
    end_scarcity();
    STATUS(kvl_cache_resize(cache, MANY, -1), KVL_OK);
    check_cache(cache);
}

static void a_clear(void)
{
    kvl_cache_t *cache = cache_of(NULL, NULL);

    fill(cache, MANY, NULL);
    begin_scarcity();
    STATUS(kvl_cache_clear(cache), KVL_OK);
    end_scarcity();
    check_cache(cache);
}

static void lookups_of_many(void)
{
    static kvl_value_t *found[MANY];
    static kvl_status_t statuses[MANY];
    kvl_cache_t *cache = cache_of(NULL, NULL);

    fill(cache, MANY, NULL);
    begin_scarcity();
    if (OK_OR_NO_MEMORY(kvl_cache_get_many(cache, keys, MANY, found, statuses), KVL_OK) == KVL_OK) {
        CHECK(statuses[0] == KVL_VALUE && statuses[MANY - 1] == KVL_VALUE);
        kvl_value_release_many(found, MANY);
    }
    end_scarcity();
    check_cache(cache);
}

static void a_walk(void)
{
    kvl_cache_t *cache = cache_of(NULL, NULL);
    kvl_iterator_t *iterator = NULL;
    kvl_result_t entry;
    size_t seen = 0;

    fill(cache, MANY, NULL);
    begin_scarcity();
    STATUS(kvl_iterator_new(cache, &iterator), KVL_OK);
    while (kvl_iterator_next(iterator, &entry, sizeof entry) == KVL_VALUE)
        seen++;
    CHECK(seen == MANY);
    kvl_iterator_free(iterator);
    end_scarcity();
    check_cache(cache);
}

static void saving_and_loading(void)
{
    enum { ENTRIES = 3000 };
    kvl_cache_t *cache = cache_of(NULL, NULL), *other = cache_of(NULL, NULL);
    char path[] = "/tmp/kvlight-scarce-XXXXXX";
    kvl_error_t *error = NULL;
    int file = mkstemp(path);
    size_t i;

    CHECK(file >= 0 && close(file) == 0);
    fill(cache, ENTRIES, NULL);
    for (i = 0; i < 4; i++)
        STATUS(kvl_cache_put_bytes(cache, keys[i].data, keys[i].len, bytes, sizeof bytes, NULL), KVL_OK);
    begin_scarcity();
    OK_OR_NO_MEMORY(kvl_cache_save(cache, path, NULL, NULL, NULL, 0, &error), KVL_OK);
    end_scarcity();
    kvl_error_release(error);
    STATUS(kvl_cache_save(cache, path, NULL, NULL, NULL, 0, NULL), KVL_OK);
    begin_scarcity();
    OK_OR_NO_MEMORY(kvl_cache_load(other, path, NULL, NULL, NULL, 0, &error), KVL_OK);
    end_scarcity();
    kvl_error_release(error);
    STATUS(kvl_cache_load(other, path, NULL, NULL, NULL, 0, NULL), KVL_OK);
    CHECK(kvl_cache_len(other) == ENTRIES);
    CHECK(unlink(path) == 0);
    kvl_cache_release(other);
    check_cache(cache);
}

static void statistics(void)
{
    size_t len = 8;
    kvl_tasks_t *tasks = engine_of(&len, NULL, NULL);
    kvl_value_t *text = NULL;

    begin_scarcity();
    OK_OR_NO_MEMORY(kvl_tasks_stats_json(tasks, &text), KVL_OK);
    kvl_value_release(text);
    OK_OR_NO_MEMORY(kvl_tasks_stats_openmetrics(tasks, &text), KVL_OK);
    kvl_value_release(text);
    end_scarcity();
    check_engine(tasks);
}

static void an_engine(void)
{
    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;
    size_t len = 8;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide_large, &len, NULL), KVL_OK);
    begin_scarcity();
    OK_OR_NO_MEMORY(kvl_tasks_new(config, &tasks, NULL), KVL_OK);
    end_scarcity();
    if (tasks == NULL)
        STATUS(kvl_tasks_new(config, &tasks, NULL), KVL_OK);
    kvl_config_free(config);
    check_engine(tasks);
}

static void a_fetch_of_one_large_value(void)
{
    size_t len = sizeof bytes;
    kvl_tasks_t *tasks = engine_of(&len, NULL, NULL);
    kvl_value_t *value = NULL;
    kvl_error_t *error = NULL;
    kvl_status_t status;

    begin_scarcity();
    status = kvl_tasks_fetch_wait(tasks, KEY("large"), NULL, NULL, &value, &error);
    /* The provider fails with code 12 if memory for its answer is refused. */
    CHECK(status == KVL_VALUE || (status == KVL_ERR_PROVIDER && kvl_error_code(error) == 12) || status == KVL_ERR_NO_MEMORY);
    kvl_value_release(value);
    kvl_error_release(error);
    error = NULL;
    /* The longest key. */
    status = kvl_tasks_fetch_wait(tasks, bytes, 65535, NULL, NULL, &value, &error);
    CHECK(status == KVL_VALUE || status == KVL_ERR_PROVIDER || status == KVL_ERR_NO_MEMORY);
    kvl_value_release(value);
    kvl_error_release(error);
    end_scarcity();
    len = 8;
    check_engine(tasks);
}

static void a_batch_with(const char *const *settings)
{
    size_t len = 8;
    kvl_tasks_t *tasks = engine_of(&len, NULL, settings);
    kvl_results_t *results = NULL;

    begin_scarcity();
    if (OK_OR_NO_MEMORY(kvl_tasks_fetch_all_wait(tasks, keys, MANY, NULL, NULL, &results), KVL_OK) == KVL_OK) {
        CHECK(kvl_results_len(results) == MANY);
        CHECK(kvl_results_count_status(results, KVL_VALUE) == MANY);
    }
    kvl_results_release(results);
    results = NULL;
    /* Now all keys are in the store. */
    if (OK_OR_NO_MEMORY(kvl_tasks_fetch_all_wait(tasks, keys, MANY, NULL, NULL, &results), KVL_OK) == KVL_OK)
        CHECK(kvl_results_len(results) == MANY);
    kvl_results_release(results);
    end_scarcity();
    check_engine(tasks);
}

static void a_batch(void)
{
    a_batch_with(NULL);
}

static void a_batch_in_one_request(void)
{
    static const char *const whole[] = {"batch.max_keys", "1000", NULL};
    a_batch_with(whole);
}

static void a_batch_of_long_keys(void)
{
    enum { LONG = 200 };
    static uint8_t text[LONG][60000];
    kvl_slice_t long_keys[LONG];
    kvl_results_t *results = NULL;
    /* Two keys, so that the copy of the keys in a request stays smaller than LARGE: if it were refused, the library would abort. */
    static const char *const few[] = {"batch.max_keys", "2", NULL};
    size_t i, len = 8;
    kvl_tasks_t *tasks = engine_of(&len, NULL, few);

    for (i = 0; i < LONG; i++) {
        memcpy(text[i], names[i], sizeof names[i]);
        long_keys[i].data = text[i];
        long_keys[i].len = sizeof text[i];
    }
    begin_scarcity();
    if (OK_OR_NO_MEMORY(kvl_tasks_fetch_all_wait(tasks, long_keys, LONG, NULL, NULL, &results), KVL_OK) == KVL_OK)
        CHECK(kvl_results_len(results) == LONG);
    kvl_results_release(results);
    end_scarcity();
    check_engine(tasks);
}

static int delivered;

static void count_result(void *user_data, const kvl_result_t *result)
{
    (void)user_data;
    CHECK(result->status == KVL_VALUE);
    delivered++;
}

static void fetch_each_and_refresh_through_a_queue(void)
{
    kvl_queue_t *queue = NULL;
    kvl_tasks_t *tasks;
    kvl_value_t *value = NULL;
    size_t len = 8, ran;
    kvl_status_t status;

    STATUS(kvl_queue_new(0, &queue), KVL_OK);
    tasks = engine_of(&len, queue, NULL);
    begin_scarcity();
    status = OK_OR_NO_MEMORY(kvl_tasks_fetch_each(tasks, keys, MANY, NULL, NULL, count_result, NULL, NULL), KVL_PENDING);
    while (status == KVL_PENDING && delivered < MANY)
        STATUS(kvl_queue_poll(queue, 1000, 60000, &ran), KVL_OK);
    OK_OR_NO_MEMORY(kvl_tasks_refresh(tasks, keys, MANY, NULL), KVL_OK);
    end_scarcity();
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("afterwards"), NULL, NULL, &value, NULL), KVL_VALUE);
    kvl_value_release(value);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    STATUS(kvl_queue_free(queue), KVL_OK);
}

static void count_removal(void *user_data, const kvl_result_t *entry, uint32_t cause)
{
    (void)entry;
    (void)cause;
    ++*(atomic_int *)user_data;
}

static void a_listener(void)
{
    static atomic_int removals;
    kvl_config_t *config = NULL;
    kvl_cache_t *cache = NULL;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.capacity", 1000000), KVL_OK);
    STATUS(kvl_config_set_removal_listener(config, count_removal, &removals, NULL), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    kvl_config_free(config);
    fill(cache, MANY, NULL);
    begin_scarcity();
    STATUS(kvl_cache_clear(cache), KVL_OK);
    end_scarcity();
    CHECK(removals == MANY);
    check_cache(cache);
}

struct story {
    const char *name;
    void (*run)(void);
};

#define STORY(name) { #name, name }
static const struct story stories[] = {
    STORY(values), STORY(errors), STORY(settings), STORY(puts_of_large_values), STORY(plain_entries), STORY(entries_that_expire),
    STORY(entries_that_expire_when_idle), STORY(entries_of_priorities), STORY(entries_with_tags), STORY(an_engines_entries_with_a_grace),
    STORY(the_first_grace_among_many), STORY(renewals_with_terms_that_no_entry_had),
    STORY(removals_of_many_entries), STORY(a_clear), STORY(lookups_of_many), STORY(a_walk),
    STORY(saving_and_loading), STORY(statistics), STORY(an_engine), STORY(a_fetch_of_one_large_value), STORY(a_batch),
    STORY(a_batch_in_one_request), STORY(a_batch_of_long_keys), STORY(fetch_each_and_refresh_through_a_queue), STORY(a_listener),
};

/* Runs a story in a process of its own, in which the `nth` large allocation is refused. Returns the number of refused allocations, or -1. */
static int run_story(const struct story *story, int nth)
{
    int ends[2], status = 0, counts[3] = {0, 0, 0};
    pid_t child;

    fflush(stdout);
    if (!check_at(pipe(ends) == 0 && (child = fork()) >= 0, "a process can be made", __FILE__, __LINE__))
        return -1;
    if (child == 0) {
        struct rlimit no_dump = {0, 0};
        setrlimit(RLIMIT_CORE, &no_dump);
        refused_one = nth;
        checks_done = checks_failed = 0;
        story->run();
        fflush(stdout);
        counts[0] = checks_done, counts[1] = checks_failed, counts[2] = refused;
        _exit(write(ends[1], counts, sizeof counts) == sizeof counts ? 0 : 1);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], counts, sizeof counts);
    close(ends[0]);
    CHECK(waitpid(child, &status, 0) == child);
    if (got != sizeof counts || status != 0) {
        CHECK(!"the library aborts");
        printf("    %s, allocation %d of %zu bytes or more: %s\n", story->name, nth, least,
               WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit");
        return -1;
    }
    checks_done += counts[0];
    checks_failed += counts[1];
    if (counts[1] > 0)
        printf("    in %s, allocation %d\n", story->name, nth);
    return counts[2];
}

static void l09a_a_story_ends_well_whichever_allocation_is_refused(const struct story *story)
{
    int nth = 0;
    while (run_story(story, nth) > 0)
        nth++;
    if (getenv("KVL_VERBOSE") != NULL)
        printf("%s: %d allocations\n", story->name, nth);
    run_story(story, ALL);
}

int main(int argc, char **argv)
{
    size_t i;

    silence_unused_warnings();
    name_keys();
    if (argc > 2)
        least = strtoul(argv[2], NULL, 10);
    for (i = 0; i < COUNT(stories); i++)
        if (argc < 2 || strcmp(argv[1], stories[i].name) == 0)
            l09a_a_story_ends_well_whichever_allocation_is_refused(&stories[i]);
    DONE();
}
