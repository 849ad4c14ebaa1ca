/* Repeating any operation in C does not increase memory (rule L08). KVL_CALLS is how often a cheap operation is repeated; `make test-long` sets a
 * million. A costly operation is repeated once for every 100 to 1,000 of these. The measure is the number of bytes that the C library has
 * allocated, so that even one byte leaked by each cheap call is noticed. */
#define _GNU_SOURCE
#include "../c/engine.h"
#include <malloc.h>

enum { DEFAULT_CALLS = 20000, WARM_UP = 100000, BATCH = 100, KEY_ROOM = 32 };
/* The growth, in bytes, that blocks kept by libc for each thread may cause. */
static const size_t ALLOWED = 128 << 10;

static kvl_tasks_t *tasks, *failing;
static kvl_cache_t *cache;
static kvl_queue_t *queue;
static atomic_int objects, delivered;

static size_t in_use(void)
{
    struct mallinfo2 all = mallinfo2();
    return all.uordblks + all.hblkhd;
}

/* Writes the key of a number, and returns its length. */
static size_t name(char *key, const char *prefix, long i)
{
    return (size_t)snprintf(key, KEY_ROOM, "%s%ld", prefix, i);
}

static void provide_text(void *user_data, kvl_request_t *request)
{
    size_t i, n = kvl_request_len(request);
    (void)user_data;
    for (i = 0; i < n; i++)
        kvl_request_resolve_bytes(request, i, (const uint8_t *)"value", 5, NULL);
}

static void provide_errors(void *user_data, kvl_request_t *request)
{
    size_t i, n = kvl_request_len(request);
    (void)user_data;
    for (i = 0; i < n; i++)
        kvl_request_fail_text(request, i, 7, "no such host, at each attempt", 0);
}

static void gets(long n)
{
    char key[KEY_ROOM];
    for (long i = 0; i < n; i++) {
        kvl_value_t *value = NULL;
        kvl_tasks_get(tasks, (const uint8_t *)key, name(key, "k", i % 2000), &value);
        kvl_value_release(value);
    }
}

static void puts_of_bytes(long n)
{
    char key[KEY_ROOM];
    for (long i = 0; i < n; i++)
        STATUS(kvl_cache_put_bytes(cache, (const uint8_t *)key, name(key, "k", i % 2000), (const uint8_t *)"value", 5, TERMS(60000, 0, KVL_COST_DEFAULT)), KVL_OK);
}

static void free_object(void *object)
{
    free(object);
    objects--;
}

static void puts_of_objects(long n)
{
    char key[KEY_ROOM];
    for (long i = 0; i < n; i++) {
        kvl_value_t *value = NULL;
        objects++;
        STATUS(kvl_value_new_object(malloc(10), 10, free_object, &value), KVL_OK);
        STATUS(kvl_cache_put(cache, (const uint8_t *)key, name(key, "o", i % 2000), value, NULL), KVL_OK);
        kvl_value_release(value);
    }
}

static void loads(long n)
{
    char key[KEY_ROOM];
    static long last;
    for (long i = 0; i < n; i++) {
        kvl_value_t *value = NULL;
        STATUS(kvl_tasks_fetch_wait(tasks, (const uint8_t *)key, name(key, "l", last++), NULL, NULL, &value, NULL), KVL_VALUE);
        kvl_value_release(value);
    }
}

static void batches_of(kvl_tasks_t *of, const char *prefix, long n)
{
    static char names[BATCH][KEY_ROOM];
    kvl_slice_t keys[BATCH];
    static long last;
    for (long i = 0; i < n; i += BATCH) {
        kvl_results_t *results = NULL;
        for (size_t at = 0; at < BATCH; at++) {
            keys[at].len = name(names[at], prefix, last++);
            keys[at].data = (const uint8_t *)names[at];
        }
        STATUS(kvl_tasks_fetch_all_wait(of, keys, BATCH, NULL, NULL, &results), KVL_OK);
        CHECK(kvl_results_at(results, BATCH - 1) != NULL);
        kvl_results_release(results);
    }
}

static void batches(long n)
{
    batches_of(tasks, "b", n);
}

static void batches_that_fail(long n)
{
    batches_of(failing, "f", n);
}

static void failures(long n)
{
    char key[KEY_ROOM];
    static long last;
    for (long i = 0; i < n; i++) {
        kvl_value_t *value = NULL;
        kvl_error_t *error = NULL;
        STATUS(kvl_tasks_fetch_wait(failing, (const uint8_t *)key, name(key, "f", last++), NULL, NULL, &value, &error), KVL_ERR_PROVIDER);
        kvl_error_release(error);
    }
}

static void options(long n)
{
    for (long i = 0; i < n; i++) {
        kvl_options_t *one = NULL;
        kvl_value_t *value = NULL;
        STATUS(kvl_options_new(&one), KVL_OK);
        STATUS(kvl_options_set_int(one, "timeout_ms", 60000 + i), KVL_OK);
        STATUS(kvl_tasks_fetch_wait(tasks, KEY("options"), one, NULL, &value, NULL), KVL_VALUE);
        kvl_value_release(value);
        kvl_options_free(one);
    }
}

static void count_delivery(void *user_data, const kvl_result_t *result)
{
    (void)user_data;
    (void)result;
    delivered++;
}

/* Each fetch is cancelled while it waits, while it is loaded, or when it is done. */
static void cancels(long n)
{
    char key[KEY_ROOM];
    static long last;
    int before = delivered;
    for (long i = 0; i < n; i++) {
        kvl_fetch_t *fetch = NULL;
        STATUS(kvl_fetch_new(&fetch), KVL_OK);
        STATUS(kvl_tasks_fetch(tasks, (const uint8_t *)key, name(key, "c", last++), NULL, fetch, count_delivery, NULL, NULL, NULL), KVL_PENDING);
        STATUS(kvl_fetch_cancel(fetch), KVL_OK);
        STATUS(kvl_fetch_wait(fetch, 60000), KVL_OK);
        kvl_fetch_release(fetch);
    }
    CHECK(delivered - before == n);
}

static void queues(long n)
{
    kvl_config_t *config = NULL;
    kvl_tasks_t *queued = NULL;
    char key[KEY_ROOM];
    size_t ran;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide_text, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set_queue(config, queue, KVL_QUEUE_F_ALL), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.capacity", 100), KVL_OK);
    STATUS(kvl_tasks_new(config, &queued, NULL), KVL_OK);
    kvl_config_free(config);
    for (long i = 0; i < n; i += BATCH) {
        int before = delivered;
        for (long at = 0; at < BATCH; at++)
            STATUS(kvl_tasks_fetch(queued, (const uint8_t *)key, name(key, "q", i + at), NULL, NULL, count_delivery, NULL, NULL, NULL), KVL_PENDING);
        while (delivered - before < BATCH)
            STATUS(kvl_queue_poll(queue, 1000, 60000, &ran), KVL_OK);
    }
    kvl_tasks_dispose(queued);
    while (kvl_queue_poll(queue, 1000, 0, &ran) == KVL_OK) {}
}

static void entries(long n)
{
    for (long i = 0; i < n; i += 1000) {
        kvl_iterator_t *iterator = NULL;
        kvl_result_t entry;
        STATUS(kvl_iterator_new(cache, &iterator), KVL_OK);
        while (kvl_iterator_next(iterator, &entry, sizeof entry) == KVL_VALUE && i % 2000 == 0) {}
        kvl_iterator_free(iterator);
    }
}

static void statistics(long n)
{
    for (long i = 0; i < n; i += 100) {
        kvl_value_t *text = NULL;
        STATUS(kvl_tasks_stats_json(tasks, &text), KVL_OK);
        kvl_value_release(text);
        STATUS(kvl_tasks_stats_openmetrics(tasks, &text), KVL_OK);
        kvl_value_release(text);
    }
}

static kvl_tasks_t *engine(kvl_provide_fn provider)
{
    kvl_config_t *config = NULL;
    kvl_tasks_t *made = NULL;
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_provider(config, provider, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.capacity", 1000), KVL_OK);
    STATUS(kvl_tasks_new(config, &made, NULL), KVL_OK);
    kvl_config_free(config);
    return made;
}

static void engines(long n)
{
    for (long i = 0; i < n; i += 500) {
        kvl_tasks_t *one = engine(provide_text);
        kvl_value_t *value = NULL;
        STATUS(kvl_tasks_fetch_wait(one, KEY("a"), NULL, NULL, &value, NULL), KVL_VALUE);
        kvl_value_release(value);
        STATUS(kvl_tasks_free(one), KVL_OK);
    }
}

static void l08_memory_is_flat_over(const char *what, void (*work)(long), long calls)
{
    size_t growth = ALLOWED + 1;

    work(calls < WARM_UP ? calls : WARM_UP);
    /* A leak grows in every round. A structure that has not reached its limit grows only in some. */
    for (int round = 0; round < 3 && growth > ALLOWED; round++) {
        size_t before = in_use();
        work(calls);
        size_t after = in_use();
        growth = after > before ? after - before : 0;
    }
    CHECK(growth <= ALLOWED);
    if (growth > ALLOWED)
        printf("    %s: the memory has grown by %zu bytes after %ld calls\n", what, growth, calls);
}

#define FLAT(work) l08_memory_is_flat_over(#work, work, calls)

int main(void)
{
    const char *stated = getenv("KVL_CALLS");
    long calls = stated == NULL ? DEFAULT_CALLS : atol(stated);

    silence_unused_warnings();
    tasks = engine(provide_text);
    failing = engine(provide_errors);
    STATUS(kvl_tasks_cache(tasks, &cache), KVL_OK);
    STATUS(kvl_queue_new(0, &queue), KVL_OK);
    FLAT(gets);
    FLAT(puts_of_bytes);
    FLAT(puts_of_objects);
    FLAT(loads);
    FLAT(batches);
    FLAT(failures);
    FLAT(batches_that_fail);
    FLAT(options);
    FLAT(cancels);
    FLAT(queues);
    FLAT(entries);
    FLAT(statistics);
    FLAT(engines);
    kvl_cache_release(cache);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    STATUS(kvl_tasks_free(failing), KVL_OK);
    STATUS(kvl_queue_free(queue), KVL_OK);
    CHECK(objects == 0);
    DONE();
}
