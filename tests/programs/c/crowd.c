/* Very many keys and fetches at once: no answer is lost, and memory stays bounded (rules F13a, F16a, S11a, S20). */
#define _GNU_SOURCE
#include "../system.h"
#include "check.h"
#include <pthread.h>
#include <stdlib.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { BATCH = 1000, MOST_BATCHES = 12, SINGLES = 40 };

/* Under valgrind, an emulator or a sanitizer, memory cannot be measured and everything takes much longer. */
#if defined(KVL_RACE) || defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED 1
#endif
#endif

static int is_slowed_down(void)
{
#ifdef IS_SANITIZED
    return 1;
#endif
    const char *preloaded = getenv("LD_PRELOAD");
    return getenv("KVL_TEST_EMULATOR") != NULL || (preloaded != NULL && strstr(preloaded, "vgpreload") != NULL);
}

/* A provider that answers every key with the key itself. */
static void answer_all(void *unused, kvl_request_t *request)
{
    const kvl_slice_t *keys = kvl_request_keys(request);
    size_t i, n = kvl_request_len(request);
    (void)unused;
    for (i = 0; i < n; i++)
        kvl_request_resolve_bytes(request, i, keys[i].data, keys[i].len, NULL);
    kvl_request_finish(request);
}

/* The results of all fetches of a test. `open`: how many fetches have none yet. */
struct tally {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int open, values, others;
};

static void tally_begin(struct tally *tally)
{
    memset(tally, 0, sizeof *tally);
    CHECK(pthread_mutex_init(&tally->lock, NULL) == 0 && pthread_cond_init(&tally->changed, NULL) == 0);
}

static void tally_end(struct tally *tally)
{
    pthread_mutex_lock(&tally->lock);
    while (tally->open > 0)
        pthread_cond_wait(&tally->changed, &tally->lock);
    pthread_mutex_unlock(&tally->lock);
    pthread_mutex_destroy(&tally->lock);
    pthread_cond_destroy(&tally->changed);
}

static void count(struct tally *tally, int values, int others)
{
    pthread_mutex_lock(&tally->lock);
    tally->values += values;
    tally->others += others;
    tally->open--;
    pthread_cond_signal(&tally->changed);
    pthread_mutex_unlock(&tally->lock);
}

static int is_own_value(const kvl_result_t *result)
{
    return result->status == KVL_VALUE && result->data_len == result->key_len && memcmp(result->data, result->key, result->key_len) == 0;
}

static void count_results(void *user_data, kvl_results_t *results)
{
    int values = 0;
    size_t i, n = kvl_results_len(results);
    for (i = 0; i < n; i++)
        values += is_own_value(kvl_results_at(results, i));
    count(user_data, values, (int)n - values);
}

static void count_result(void *user_data, const kvl_result_t *result) { count(user_data, is_own_value(result), !is_own_value(result)); }

static kvl_tasks_t *engine_with(const char *order)
{
    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_provider(config, answer_all, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set(config, "queue.order", order), KVL_OK);
    STATUS(kvl_tasks_new(config, &tasks, NULL), KVL_OK);
    kvl_config_free(config);
    return tasks;
}

/* Runs `batches` fetches of 1,000 keys, each starting `step` keys after the one before, and 40 single fetches. */
static void batches_at_once(int batches, int step, const char *order)
{
    static uint32_t names[MOST_BATCHES * BATCH + SINGLES];
    static kvl_slice_t keys[MOST_BATCHES * BATCH + SINGLES];
    kvl_tasks_t *tasks = engine_with(order);
    kvl_options_t *urgent = NULL;
    struct tally tally;
    size_t i;
    int nth;

    for (i = 0; i < COUNT(keys); i++) {
        names[i] = (uint32_t)i;
        keys[i].data = (const uint8_t *)&names[i];
        keys[i].len = sizeof names[i];
    }
    tally_begin(&tally);
    tally.open = batches + SINGLES;
    STATUS(kvl_options_new(&urgent), KVL_OK);
    STATUS(kvl_options_set_int(urgent, "urgency", 10), KVL_OK);
    for (nth = 0; nth < batches; nth++)
        STATUS(kvl_tasks_fetch_all(tasks, keys + nth * step, BATCH, NULL, NULL, count_results, &tally, NULL, NULL), KVL_PENDING);
    for (nth = 0; nth < SINGLES; nth++) {
        /* Half of the single fetches are for keys of a batch; half are urgent. */
        const kvl_slice_t *key = &keys[nth % 2 ? MOST_BATCHES * BATCH + nth : nth * 17];
        kvl_value_t *value = NULL;
        kvl_status_t status =
            kvl_tasks_fetch(tasks, key->data, key->len, nth % 4 < 2 ? urgent : NULL, NULL, count_result, &tally, NULL, &value);
        CHECK(status == KVL_PENDING || status == KVL_VALUE);
        if (status == KVL_VALUE) {
            count(&tally, 1, 0);
            kvl_value_release(value);
        }
    }
    tally_end(&tally);
    kvl_options_free(urgent);
    CHECK(tally.values == batches * BATCH + SINGLES);
    CHECK(tally.others == 0);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
}

static void f13a_any_number_of_batches_of_a_thousand_keys_get_all_values(void)
{
    static const int many[] = { 3, 6, MOST_BATCHES }, steps[] = { BATCH, BATCH / 2, 1 };
    size_t i, j;

    for (i = 0; i < COUNT(many) - (size_t)is_slowed_down(); i++) {
        for (j = 0; j < COUNT(steps); j++) {
            batches_at_once(many[i], steps[j], "fifo");
            batches_at_once(many[i], steps[j], "lifo");
        }
    }
}

/* A listener that is slower than three writers: the number of removals that wait for it is bounded (S11a). */

enum { WRITES = 60000, MAX_GROWTH = 16 << 20 };

static void listen_slowly(void *user_data, const kvl_result_t *entry, kvl_cause_t cause)
{
    static atomic_int nth;
    (void)user_data, (void)entry, (void)cause;
    if (++nth % 64 == 0)
        pause_for_us(500);
}

static atomic_int writing;

static void *write_much(void *user_data)
{
    static const uint8_t bytes[1000];
    static atomic_int nth;
    uint32_t i, n = is_slowed_down() ? 500 : WRITES;

    for (i = 0; i < n; i++) {
        uint32_t key = (uint32_t)atomic_fetch_add(&nth, 1);
        if (kvl_cache_put_bytes(user_data, (const uint8_t *)&key, sizeof key, bytes, sizeof bytes, NULL) != KVL_OK)
            checks_failed++;
    }
    writing--;
    return NULL;
}

static void s11a_three_writers_and_a_slow_listener_stay_within_the_limit(void)
{
    kvl_config_t *config = NULL;
    kvl_cache_t *cache = NULL;
    pthread_t writers[3];
    size_t before, most, i;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.cost_limit", 1100000), KVL_OK);
    STATUS(kvl_config_set_removal_listener(config, listen_slowly, NULL, NULL), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    kvl_config_free(config);
    before = most = resident_bytes();
    writing = COUNT(writers);
    for (i = 0; i < COUNT(writers); i++)
        CHECK(pthread_create(&writers[i], NULL, write_much, cache) == 0);
    while (writing > 0) {
        size_t now = resident_bytes();
        most = now > most ? now : most;
        pause_for_us(2000);
    }
    for (i = 0; i < COUNT(writers); i++)
        CHECK(pthread_join(writers[i], NULL) == 0);
    if (!is_slowed_down() && most - before >= MAX_GROWTH) {
        printf("the memory has grown by %zu bytes\n", most - before);
        CHECK(most - before < MAX_GROWTH);
    }
    kvl_cache_release(cache);
}

/* A fetch of a million keys. Afterwards the idle engine frees what it needed for them (S20). */
static void s20_an_idle_engine_frees_the_memory_of_a_burst(void)
{
    enum { BURST = 1000000, MAX_LEFT = 8 << 20 };
    uint32_t *names = malloc(BURST * sizeof *names);
    kvl_slice_t *keys = malloc(BURST * sizeof *keys);
    kvl_tasks_t *tasks;
    struct tally tally;
    size_t before, i;
    int waited;

    if (is_slowed_down() || !TELLS_MEMORY) {
        free(names);
        free(keys);
        return;
    }
    for (i = 0; i < BURST; i++) {
        names[i] = (uint32_t)i;
        keys[i].data = (const uint8_t *)&names[i];
        keys[i].len = sizeof names[i];
    }
    tasks = engine_with("fifo");
    before = bytes_in_use();
    tally_begin(&tally);
    tally.open = 1;
    STATUS(kvl_tasks_fetch_all(tasks, keys, BURST, NULL, NULL, count_results, &tally, NULL, NULL), KVL_PENDING);
    tally_end(&tally);
    CHECK(tally.values == BURST);
    for (waited = 0; waited < 60000 && bytes_in_use() > before + MAX_LEFT; waited++)
        pause_for_us(1000);
    CHECK(bytes_in_use() <= before + MAX_LEFT);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    free(names);
    free(keys);
}

/* Fetches that are cancelled at once, and a provider that looks up no more keys once its request is cancelled (F16a). */

enum { CANCELS = 100000 };

static atomic_char looked_up[CANCELS];

static void look_up_unless_cancelled(void *unused, kvl_request_t *request)
{
    const kvl_slice_t *keys = kvl_request_keys(request);
    size_t i, n = kvl_request_len(request);
    (void)unused;
    for (i = 0; i < n && !kvl_request_is_cancelled(request); i++) {
        uint32_t key;
        memcpy(&key, keys[i].data, sizeof key);
        looked_up[key] = 1;
    }
    /* No key has a record: all keys are left unanswered. */
    kvl_request_finish(request);
}

static void ignore_result(void *unused, const kvl_result_t *result) { (void)unused, (void)result; }

static void f16a_cancelled_fetches_store_no_null_for_a_key_that_was_not_looked_up(void)
{
    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;
    kvl_cache_t *cache = NULL;
    kvl_stats_t stats;
    uint32_t key, n = is_slowed_down() ? 2000 : CANCELS, nulls = 0, wrong = 0;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_provider(config, look_up_unless_cancelled, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set(config, "batch.omitted_is_null", "true"), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.capacity", CANCELS), KVL_OK);
    STATUS(kvl_tasks_new(config, &tasks, NULL), KVL_OK);
    kvl_config_free(config);
    for (key = 0; key < n; key++) {
        kvl_fetch_t *fetch = NULL;
        STATUS(kvl_fetch_new(&fetch), KVL_OK);
        STATUS(kvl_tasks_fetch(tasks, (const uint8_t *)&key, sizeof key, NULL, fetch, ignore_result, NULL, NULL, NULL), KVL_PENDING);
        /* Every hundredth fetch is not cancelled, so that some nulls are stored. */
        if (key % 100 == 0)
            STATUS(kvl_fetch_wait(fetch, KVL_FOREVER), KVL_OK);
        else
            kvl_fetch_cancel(fetch);
        kvl_fetch_release(fetch);
    }
    do {
        pause_for_us(1000);
        STATUS(kvl_tasks_stats(tasks, &stats, sizeof stats), KVL_OK);
    } while (stats.in_flight + stats.running + stats.abandoned > 0);
    STATUS(kvl_tasks_cache(tasks, &cache), KVL_OK);
    for (key = 0; key < n; key++)
        if (kvl_cache_peek(cache, (const uint8_t *)&key, sizeof key, NULL, NULL, NULL) == KVL_NULL) {
            nulls++;
            wrong += !looked_up[key];
        }
    CHECK(nulls >= n / 100);
    CHECK(wrong == 0);
    kvl_cache_release(cache);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
}

int main(void)
{
    f16a_cancelled_fetches_store_no_null_for_a_key_that_was_not_looked_up();
    s20_an_idle_engine_frees_the_memory_of_a_burst();
    s11a_three_writers_and_a_slow_listener_stay_within_the_limit();
    f13a_any_number_of_batches_of_a_thousand_keys_get_all_values();
    DONE();
}
