/* fetch: what a key costs that is absent, and many that are not, beside other ways to load.
 *
 *     fetch WORK ROUNDS
 *
 * WORK    absent     1,000 absent keys in one call, an instant provider, 64 keys a request, one worker: ns a key
 *         resident   1,000 resident keys in one call: ns a key
 *         trip       one absent key and back, waited for: the median ns of 200
 *         waiters    100 fetches of one key that is being loaded, from the first that asks to the last answer: ns a waiter.
 *                    Everything on one thread, by the host's own queue, as the peers' executor has it
 *
 * Prints, per round and subject, `run SUBJECT NANOSECONDS`.
 */
#include "common.h"

double load_channel_std(size_t n);
double load_channel_crossbeam(size_t n);
double load_round_trip_parked(size_t n);
double load_async_quick(size_t n);
double load_async_moka(size_t n);
double waiters_quick(size_t n);
double waiters_moka(size_t n);

enum { KEYS = 1000, WAITERS = 100, TRIPS = 200 };

static uint8_t value[VALUE_LEN];
static uint64_t next_key;
static uint8_t keys[KEYS][KEY_LEN];
static kvl_slice_t slices[KEYS];

static void fresh_keys(void)
{
    for (size_t i = 0; i < KEYS; i++) {
        make_key(keys[i], next_key++);
        slices[i] = (kvl_slice_t){keys[i], KEY_LEN};
    }
}

static void answer_all(void *user_data, kvl_request_t *request)
{
    (void)user_data;
    size_t n = kvl_request_len(request);
    for (size_t i = 0; i < n; i++)
        kvl_request_resolve_bytes(request, i, value, VALUE_LEN);
    kvl_request_finish(request);
}

static kvl_request_t *held;

static void hold(void *user_data, kvl_request_t *request)
{
    (void)user_data;
    held = kvl_request_retain(request);
}

static kvl_tasks_t *make(kvl_provide_fn provider, kvl_queue_t *queue)
{
    kvl_config_t *config;
    kvl_tasks_t *tasks;
    kvl_config_new(&config);
    kvl_config_set_int(config, "cache.capacity", 1 << 17);
    kvl_config_set_int(config, "batch.max_keys", 64);
    kvl_config_set_int(config, "tasks.max_running", 1);
    kvl_config_set_int(config, "queue.max_keys", 4096);
    kvl_config_set_provider(config, provider, NULL, NULL);
    if (queue)
        kvl_config_set_queue(config, queue, KVL_QUEUE_F_ALL);
    if (kvl_tasks_new(config, &tasks, NULL) != KVL_OK)
        DIE("kvl_tasks_new");
    kvl_config_free(config);
    return tasks;
}

static double fetch_thousand(kvl_tasks_t *tasks)
{
    kvl_results_t *results;
    uint64_t began = clock_ns(CLOCK_MONOTONIC);
    if (kvl_tasks_fetch_all_wait(tasks, slices, KEYS, NULL, NULL, &results) != KVL_OK)
        DIE("kvl_tasks_fetch_all_wait");
    double took = (double)(clock_ns(CLOCK_MONOTONIC) - began) / KEYS;
    if (kvl_results_count_status(results, KVL_VALUE) != KEYS)
        DIE("a key was not answered");
    kvl_results_release(results);
    return took;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double trip(kvl_tasks_t *tasks)
{
    double times[TRIPS];
    for (size_t i = 0; i < TRIPS; i++) {
        uint8_t key[KEY_LEN];
        make_key(key, next_key++);
        kvl_value_t *found;
        uint64_t began = clock_ns(CLOCK_MONOTONIC);
        if (kvl_tasks_fetch_wait(tasks, key, KEY_LEN, NULL, NULL, &found, NULL) != KVL_VALUE)
            DIE("kvl_tasks_fetch_wait");
        times[i] = (double)(clock_ns(CLOCK_MONOTONIC) - began);
        kvl_value_release(found);
    }
    qsort(times, TRIPS, sizeof *times, by_size);
    return times[TRIPS / 2];
}

static void count(void *user_data, const kvl_result_t *result)
{
    *(size_t *)user_data += result->status == KVL_VALUE;
}

static double wait_together(kvl_tasks_t *tasks, kvl_queue_t *queue)
{
    uint8_t key[KEY_LEN];
    make_key(key, next_key++);
    size_t answered = 0;
    held = NULL;
    uint64_t began = clock_ns(CLOCK_MONOTONIC);
    for (size_t i = 0; i < WAITERS; i++)
        if (kvl_tasks_fetch(tasks, key, KEY_LEN, NULL, NULL, count, &answered, NULL, NULL) != KVL_PENDING)
            DIE("kvl_tasks_fetch");
    while (!held)
        kvl_queue_poll(queue, SIZE_MAX, -1, NULL);
    kvl_request_resolve_bytes(held, 0, value, VALUE_LEN);
    kvl_request_finish(held);
    while (answered < WAITERS)
        kvl_queue_poll(queue, SIZE_MAX, -1, NULL);
    double took = (double)(clock_ns(CLOCK_MONOTONIC) - began) / WAITERS;
    kvl_request_release(held);
    return took;
}

static void print(const char *subject, double ns)
{
    printf("run %s %.3f\n", subject, ns);
}

int main(int argc, char **argv)
{
    if (argc < 3)
        DIE("usage: fetch WORK ROUNDS");
    const char *work = argv[1];
    size_t rounds = strtoul(argv[2], NULL, 10);
    memset(value, 7, sizeof value);
    kvl_queue_t *queue = NULL;
    int waits = strcmp(work, "waiters") == 0;
    if (waits && kvl_queue_new(0, &queue) != KVL_OK)
        DIE("kvl_queue_new");
    kvl_tasks_t *tasks = make(waits ? hold : answer_all, queue);
    fresh_keys();
    for (size_t round = 0; round < rounds; round++) {
        printf("round\n");
        if (strcmp(work, "absent") == 0) {
            fresh_keys();
            print("kvlight", fetch_thousand(tasks));
            print("channel_std", load_channel_std(KEYS));
            print("channel_crossbeam", load_channel_crossbeam(KEYS));
            print("quick_cache", load_async_quick(KEYS));
            print("moka", load_async_moka(KEYS));
        } else if (strcmp(work, "resident") == 0) {
            print("kvlight", fetch_thousand(tasks));
        } else if (strcmp(work, "trip") == 0) {
            print("kvlight", trip(tasks));
            print("parked_worker", load_round_trip_parked(TRIPS));
        } else if (waits) {
            print("kvlight", wait_together(tasks, queue));
            print("quick_cache", waiters_quick(WAITERS));
            print("moka", waiters_moka(WAITERS));
        } else {
            DIE("what is %s?", work);
        }
        fflush(stdout);
    }
    kvl_tasks_dispose(tasks);
    if (queue)
        while (kvl_queue_poll(queue, SIZE_MAX, 100, NULL) == KVL_OK)
            ;
    return 0;
}
