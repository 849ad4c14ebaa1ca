/* fetch: the time for loading absent keys and for fetching resident ones, compared with other ways to load.
 *
 *     fetch WORK ROUNDS SECONDS
 *
 * WORK    absent     1,000 absent keys in one call, an instant provider, 64 keys per request, one worker: ns per key.
 *                    The channel designs have one worker too; the async peers load on the calling thread
 *         resident   1,000 resident keys in one call, the async peers one key after the other: ns per key
 *         trip       one absent key, loaded by another thread and waited for: the median ns of 200
 *         waiters    100 fetches of one key that is being loaded, from the first call to the last answer: ns per waiter.
 *                    Everything on one thread, with events polled from a queue, like the peers' executor
 *
 * Prints, per round and subject, `run SUBJECT NANOSECONDS`, and `lost SUBJECT` for each run that is discarded because this
 * thread did not have a processor throughout. Such a run is repeated. No round begins after SECONDS.
 */
#include "common.h"

double load_channel_std(size_t n);
double load_channel_crossbeam(size_t n);
double load_channel_by_64(size_t n);
double absent_quick(size_t n);
double absent_moka(size_t n);
double absent_quick_in_turn(size_t n);
double absent_moka_in_turn(size_t n);
double resident_quick(size_t n);
double resident_moka(size_t n);
double trip_parked(size_t n);
double trip_quick(size_t n);
double trip_moka(size_t n);
double waiters_quick(size_t n);
double waiters_moka(size_t n);

enum { KEYS = 1000, WAITERS = 100, TRIPS = 200 };

static uint8_t value[VALUE_LEN];
static uint64_t next_key;
static uint8_t keys[KEYS][KEY_LEN];
static kvl_slice_t slices[KEYS];
static kvl_tasks_t *tasks;
static kvl_queue_t *queue;

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
        kvl_request_resolve_bytes(request, i, value, VALUE_LEN, NULL);
    kvl_request_finish(request);
}

static kvl_request_t *held;

static void hold(void *user_data, kvl_request_t *request)
{
    (void)user_data;
    held = kvl_request_retain(request);
}

static void make(kvl_provide_fn provider)
{
    kvl_config_t *config;
    kvl_config_new(&config);
    kvl_config_set_int(config, "cache.capacity", 1 << 20);
    kvl_config_set_int(config, "batch.max_keys", 64);
    kvl_config_set_int(config, "tasks.max_running", 1);
    kvl_config_set_int(config, "queue.max_keys", 4096);
    kvl_config_set_provider(config, provider, NULL, NULL);
    if (queue)
        kvl_config_set_queue(config, queue, KVL_QUEUE_F_ALL);
    if (kvl_tasks_new(config, &tasks, NULL) != KVL_OK)
        DIE("kvl_tasks_new");
    kvl_config_free(config);
}

static double fetch(size_t n)
{
    kvl_results_t *results;
    uint64_t began = clock_ns(CLOCK_MONOTONIC);
    if (kvl_tasks_fetch_all_wait(tasks, slices, n, NULL, NULL, &results) != KVL_OK)
        DIE("kvl_tasks_fetch_all_wait");
    double took = (double)(clock_ns(CLOCK_MONOTONIC) - began) / (double)n;
    if (kvl_results_count_status(results, KVL_VALUE) != n)
        DIE("a key was not answered");
    kvl_results_release(results);
    return took;
}

static double fetch_absent(size_t n)
{
    fresh_keys();
    return fetch(n);
}

static double fetch_resident(size_t n)
{
    static int loaded;
    if (!loaded) {
        fetch_absent(n);
        loaded = 1;
    }
    return fetch(n);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double trip(size_t n)
{
    double times[TRIPS];
    for (size_t i = 0; i < n; i++) {
        uint8_t key[KEY_LEN];
        make_key(key, next_key++);
        kvl_value_t *found;
        uint64_t began = clock_ns(CLOCK_MONOTONIC);
        if (kvl_tasks_fetch_wait(tasks, key, KEY_LEN, NULL, NULL, &found, NULL) != KVL_VALUE)
            DIE("kvl_tasks_fetch_wait");
        times[i] = (double)(clock_ns(CLOCK_MONOTONIC) - began);
        kvl_value_release(found);
    }
    qsort(times, n, sizeof *times, by_size);
    return times[n / 2];
}

static void count(void *user_data, const kvl_result_t *result)
{
    *(size_t *)user_data += result->status == KVL_VALUE;
}

static double wait_together(size_t n)
{
    uint8_t key[KEY_LEN];
    make_key(key, next_key++);
    size_t answered = 0;
    held = NULL;
    uint64_t began = clock_ns(CLOCK_MONOTONIC);
    for (size_t i = 0; i < n; i++)
        if (kvl_tasks_fetch(tasks, key, KEY_LEN, NULL, NULL, count, &answered, NULL, NULL) != KVL_PENDING)
            DIE("kvl_tasks_fetch");
    while (!held)
        kvl_queue_poll(queue, SIZE_MAX, -1, NULL);
    kvl_request_resolve_bytes(held, 0, value, VALUE_LEN, NULL);
    kvl_request_finish(held);
    while (answered < n)
        kvl_queue_poll(queue, SIZE_MAX, -1, NULL);
    double took = (double)(clock_ns(CLOCK_MONOTONIC) - began) / (double)n;
    kvl_request_release(held);
    return took;
}

struct subject {
    const char *name;
    double (*once)(size_t n); /* returns nanoseconds */
};

static const struct work {
    const char *name;
    size_t n;
    int alone; /* it never waits for another thread */
    kvl_provide_fn provider;
    struct subject subjects[9];
} works[] = {
    {"absent", KEYS, 0, answer_all,
     {{"kvlight", fetch_absent}, {"channel_std", load_channel_std}, {"channel_crossbeam", load_channel_crossbeam},
      {"channel_by_64", load_channel_by_64}, {"quick_cache", absent_quick}, {"moka", absent_moka},
      {"quick_cache_in_turn", absent_quick_in_turn}, {"moka_in_turn", absent_moka_in_turn}}},
    {"resident", KEYS, 1, answer_all, {{"kvlight", fetch_resident}, {"quick_cache", resident_quick}, {"moka", resident_moka}}},
    {"trip", TRIPS, 0, answer_all,
     {{"kvlight", trip}, {"parked_worker", trip_parked}, {"quick_cache", trip_quick}, {"moka", trip_moka}}},
    {"waiters", WAITERS, 1, hold, {{"kvlight", wait_together}, {"quick_cache", waiters_quick}, {"moka", waiters_moka}}},
};

/* A wake-up takes time in the run queue, which is part of the measurement if threads wait for each other, unless it is more than a
   quarter of the run. Round trips consist mostly of wake-ups: each counts, and their median is kept. */
static int counts(const struct work *work, struct watch passed)
{
    return work->n == TRIPS || (work->alone ? had_its_processor(passed, 1) : passed.queued * 4 <= passed.wall);
}

/* Runs a subject once untimed before it is measured: the processor's caches are full of other subjects' data, and its threads are
   asleep. */
static void run(const struct work *work, const struct subject *subject)
{
    subject->once(work->n);
    for (int attempt = 0; attempt < 40; attempt++) {
        struct watch begin = watch_begin();
        double ns = subject->once(work->n);
        if (counts(work, watch_end(begin))) {
            printf("run %s %.3f\n", subject->name, ns);
            return;
        }
        printf("lost %s\n", subject->name);
    }
}

int main(int argc, char **argv)
{
    if (argc < 4)
        DIE("usage: fetch WORK ROUNDS SECONDS");
    const struct work *work = NULL;
    for (size_t i = 0; i < sizeof works / sizeof *works; i++)
        if (strcmp(argv[1], works[i].name) == 0)
            work = &works[i];
    if (!work)
        DIE("there is no work %s", argv[1]);
    size_t rounds = strtoul(argv[2], NULL, 10), subjects = 0;
    while (work->subjects[subjects].name)
        subjects++;
    memset(value, 7, sizeof value);
    int by_queue = work->provider == hold;
    if (by_queue && kvl_queue_new(0, &queue) != KVL_OK)
        DIE("kvl_queue_new");
    make(work->provider);
    /* Creates what is created at first use: threads, caches, channels. */
    for (size_t i = 0; i < subjects; i++)
        work->subjects[i].once(work->n);
    uint64_t began = clock_ns(CLOCK_MONOTONIC), most_ns = strtoul(argv[3], NULL, 10) * 1000000000u;
    for (size_t round = 0; round < rounds && clock_ns(CLOCK_MONOTONIC) - began < most_ns; round++) {
        printf("round\n");
        for (size_t i = 0; i < subjects; i++)
            run(work, &work->subjects[(i + round) % subjects]);
        fflush(stdout);
    }
    kvl_tasks_dispose(tasks);
    if (queue)
        while (kvl_queue_poll(queue, SIZE_MAX, 100, NULL) == KVL_OK)
            ;
    return 0;
}
