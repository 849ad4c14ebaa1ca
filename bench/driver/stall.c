/* stall: how long one thread's call makes another thread wait (rule S19).
 *
 *     stall [ENTRIES [CALL]]     CALL: only the rows whose name contains this
 *
 * One thread makes a call that concerns all entries of a full cache, or very many loads of an engine; another alternately looks a key up
 * and puts one, and records the longest time that one of these took, without the time for which the system gave one of the two threads no
 * processor. Right after each call the same is measured for as long while the first thread sleeps, which gives the noise of the machine.
 * A row gives the medians of five runs: of the calls, of the noise, and of the difference between the two. All rows come first with one
 * shard, then with as many as the library chooses. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <kvlight.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { RUNS = 5, PAUSES = 100000 };

static size_t entries = 1000000;
static const char *only = "";
static kvl_cache_t *cache;
static kvl_clock_t *manual;
static atomic_int stop;
static double longest;

/* the system's account of the thread that makes the calls */
static int caller;

/* milliseconds of the monotonic clock */
static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void must(kvl_status_t status)
{
    if (status < 0) {
        fprintf(stderr, "stall: %s\n", kvl_status_name(status));
        exit(1);
    }
}

/* opens the system's account of the calling thread: the time it ran, the time it waited for a processor, and how often it ran */
static int account_of_this_thread(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%ld/schedstat", (long)syscall(SYS_gettid));
    return open(path, O_RDONLY | O_CLOEXEC);
}

/* how long a thread has waited for a processor, in milliseconds; 0 where the system does not say */
static double waited(int account)
{
    char text[96];
    double ran, waiting;
    ssize_t len = pread(account, text, sizeof text - 1, 0);

    if (len <= 0)
        return 0;
    text[len] = 0;
    return sscanf(text, "%lf %lf", &ran, &waiting) == 2 ? waiting / 1e6 : 0;
}

/* alternately looks a key up and puts one, until it is stopped */
static void *look_up_and_put(void *unused)
{
    unsigned turn = 0;
    int own = account_of_this_thread();
    (void)unused;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        kvl_value_t *value = NULL;
        double without = waited(own) + waited(caller), before = now(), took;
        if (turn++ % 2)
            kvl_cache_get(cache, (const uint8_t *)"never there", 11, &value);
        else
            kvl_cache_put_bytes(cache, (const uint8_t *)"often put", 9, (const uint8_t *)"v", 1, NULL);
        took = now() - before;
        if (took > longest)
            took -= waited(own) + waited(caller) - without;
        if (took > longest)
            longest = took;
    }
    if (own >= 0)
        close(own);
    return NULL;
}

static double longest_while(void (*work)(void), double *took)
{
    pthread_t thread;
    atomic_store(&stop, 0);
    longest = 0;
    pthread_create(&thread, NULL, look_up_and_put, NULL);
    *took = now();
    work();
    *took = now() - *took;
    atomic_store(&stop, 1);
    pthread_join(thread, NULL);
    return longest;
}

static void fill_part(size_t count)
{
    kvl_terms_t terms = KVL_TERMS_INIT;
    uint64_t key;

    terms.ttl_ms = 1000;
    for (key = 0; key < count; key++)
        must(kvl_cache_put_bytes(cache, (const uint8_t *)&key, sizeof key, (const uint8_t *)&key, sizeof key, &terms));
}

static void fill(void) { fill_part(entries); }

static void make_limited(int shards, int64_t cost_limit)
{
    kvl_config_t *config;

    must(kvl_clock_new_manual(0, &manual));
    must(kvl_config_new(&config));
    must(kvl_config_set_clock(config, manual));
    must(kvl_config_set_int(config, "cache.capacity", (int64_t)(2 * entries)));
    if (shards)
        must(kvl_config_set_int(config, "cache.shards", shards));
    if (cost_limit > 0)
        must(kvl_config_set_int(config, "cache.cost_limit", cost_limit));
    must(kvl_cache_new(config, &cache, NULL));
    kvl_config_free(config);
}

static void make(int shards) { make_limited(shards, 0); }

/* how long the first thread sleeps instead of making a call, in milliseconds: as long as the call took, at least 20 */
static double idle_ms;

static void idle(void)
{
    struct timespec pause = {(time_t)(idle_ms / 1e3), (long)(idle_ms * 1e6) % 1000000000};
    nanosleep(&pause, NULL);
}
static void clear(void) { must(kvl_cache_clear(cache)); }
static void trim(void) { must(kvl_cache_trim(cache, 0.01)); }
static void resize(void) { must(kvl_cache_resize(cache, 9, -1)); }

/* The cost limit changes the number of shards, since each shard's part of it is at least a mebibyte. A quarter of the entries fit both
   limits. */
static int64_t limit_for_a_quarter(void) { return (int64_t)(entries / 4 * 192); }
static void change_shards(void)
{
    must(kvl_cache_resize(cache, 2 * entries, limit_for_a_quarter()));
    must(kvl_cache_resize(cache, 2 * entries, 16 * limit_for_a_quarter()));
}

static void expire(void) { must(kvl_clock_advance(manual, 1000)); }
static void count(void)
{
    kvl_stats_t stats;
    must(kvl_cache_stats(cache, &stats, sizeof stats));
}
static void walk(void)
{
    kvl_iterator_t *iterator;
    kvl_result_t entry;

    must(kvl_iterator_new(cache, &iterator));
    while (kvl_iterator_next(iterator, &entry, sizeof entry) != KVL_EMPTY) {}
    kvl_iterator_free(iterator);
}
static void save(void) { must(kvl_cache_save(cache, "/dev/shm/kvlight-stall", NULL, NULL, NULL, 0, NULL)); }

/* an engine, and a provider that keeps the only request, or first fails each of its keys once */

static kvl_tasks_t *tasks;
static kvl_fetch_t *fetch;
static kvl_slice_t *keys;
static uint64_t *names;
static kvl_request_t *held;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static int fails;

static void provide(void *unused, kvl_request_t *request)
{
    (void)unused;
    if (fails && kvl_request_attempt(request, 0) == 1) {
        size_t i, n = kvl_request_len(request);
        for (i = 0; i < n; i++)
            kvl_request_fail_text(request, i, 1, "later", 0);
        kvl_request_finish(request);
        return;
    }
    pthread_mutex_lock(&lock);
    held = kvl_request_retain(request);
    pthread_cond_signal(&arrived);
    pthread_mutex_unlock(&lock);
}

static void forget(void *unused, kvl_results_t *results) { (void)unused, (void)results; }

static void make_tasks(int shards, int with_failures)
{
    kvl_config_t *config;

    fails = with_failures;
    held = NULL;
    must(kvl_clock_new_manual(0, &manual));
    must(kvl_config_new(&config));
    must(kvl_config_set_clock(config, manual));
    must(kvl_config_set_int(config, "cache.capacity", (int64_t)entries));
    if (shards)
        must(kvl_config_set_int(config, "cache.shards", shards));
    must(kvl_config_set_int(config, "tasks.max_running", 1));
    must(kvl_config_set_int(config, "batch.max_keys", 1000));
    must(kvl_config_set_int(config, "retry.count", with_failures));
    must(kvl_config_set_int(config, "retry.fixed_ms", 1000));
    must(kvl_config_set_provider(config, provide, NULL, NULL));
    must(kvl_tasks_new(config, &tasks, NULL));
    must(kvl_tasks_cache(tasks, &cache));
    kvl_config_free(config);
    must(kvl_fetch_new(&fetch));
}

static void ask(size_t n) { must(kvl_tasks_fetch_all(tasks, keys, n, NULL, fetch, forget, NULL, NULL, NULL)); }
static void ask_all(void) { ask(entries); }

static void wait_for_held(void)
{
    pthread_mutex_lock(&lock);
    while (!held)
        pthread_cond_wait(&arrived, &lock);
    pthread_mutex_unlock(&lock);
}

/* lets every key of a fetch fail, so that all of them pause until the same time */
static void make_pauses(int shards)
{
    kvl_stats_t stats;
    make_tasks(shards, 1);
    ask(PAUSES < entries ? PAUSES : entries);
    do {
        struct timespec pause = {0, 5000000};
        nanosleep(&pause, NULL);
        must(kvl_tasks_stats(tasks, &stats, sizeof stats));
    } while (stats.queued + stats.deferred + stats.running > 0);
}

static void make_asked(int shards)
{
    make_tasks(shards, 0);
    ask_all();
    wait_for_held();
}
static void make_unasked(int shards) { make_tasks(shards, 0); }

/* very many fetches of one key, each with a handle */

static kvl_fetch_t **handles;

static void ignore(void *unused, const kvl_result_t *result) { (void)unused, (void)result; }

static void make_crowd(int shards)
{
    size_t i;
    make_tasks(shards, 0);
    for (i = 0; i < entries; i++)
        must(kvl_fetch_new(&handles[i]));
}

static void ask_one_key(void)
{
    size_t i;
    for (i = 0; i < entries; i++)
        must(kvl_tasks_fetch(tasks, (const uint8_t *)"one", 3, NULL, handles[i], ignore, NULL, NULL, NULL));
}

static void make_crowd_asked(int shards)
{
    make_crowd(shards);
    ask_one_key();
    wait_for_held();
}

static void cancel_each(void)
{
    size_t i;
    for (i = 0; i < entries; i++)
        must(kvl_fetch_cancel(handles[i]));
}

static void fail_one_key(void)
{
    must(kvl_request_fail_text(held, 0, 1, "not now", 0));
    must(kvl_request_finish(held));
}

static void cancel(void) { must(kvl_fetch_cancel(fetch)); }
static void close_tasks(void) { must(kvl_tasks_close(tasks, KVL_CLOSE_CANCEL, 0, NULL, NULL, NULL)); }

static void end_tasks(void)
{
    close_tasks();
    pthread_mutex_lock(&lock);
    if (held) {
        kvl_request_finish(held);
        kvl_request_release(held);
    }
    pthread_mutex_unlock(&lock);
    kvl_fetch_release(fetch);
    kvl_cache_release(cache);
    must(kvl_tasks_free(tasks));
    kvl_clock_release(manual);
}

static void end_crowd(void)
{
    size_t i;
    end_tasks();
    for (i = 0; i < entries; i++)
        kvl_fetch_release(handles[i]);
}

static void make_full(int shards) { make(shards), fill(); }
static void make_quarter(int shards) { make_limited(shards, 16 * limit_for_a_quarter()), fill_part(entries / 4); }
static void end_cache(void)
{
    kvl_cache_release(cache);
    kvl_clock_release(manual);
}

static int ascending(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static double median(double *values)
{
    qsort(values, RUNS, sizeof *values, ascending);
    return values[RUNS / 2];
}

static void measure(const char *name, int shards, void (*prepare)(int), void (*work)(void), void (*end)(void))
{
    double stalls[RUNS], noises[RUNS], over[RUNS], times[RUNS], unused;
    int run;

    if (!strstr(name, only))
        return;
    for (run = 0; run < RUNS; run++) {
        prepare(shards);
        stalls[run] = longest_while(work, &times[run]);
        idle_ms = times[run] < 20 ? 20 : times[run];
        noises[run] = longest_while(idle, &unused);
        over[run] = stalls[run] - noises[run];
        end();
    }
    printf("| %s | %s | %.2f | %.2f | %.2f | %.0f |\n", name, shards ? "1" : "default", median(stalls), median(noises), median(over),
           median(times));
    fflush(stdout);
}

int main(int argc, char **argv)
{
    int shards;
    size_t i;

    /* Otherwise glibc joins very many small free blocks at some later free, which takes milliseconds: see docs/TUNING.md. */
    mallopt(M_MXFAST, 0);
    caller = account_of_this_thread();
    if (argc > 1)
        entries = (size_t)strtoull(argv[1], NULL, 10);
    if (argc > 2)
        only = argv[2];
    keys = malloc(entries * sizeof *keys);
    names = malloc(entries * sizeof *names);
    handles = malloc(entries * sizeof *handles);
    if (!keys || !names || !handles)
        return 1;
    for (i = 0; i < entries; i++) {
        names[i] = i;
        keys[i].data = (const uint8_t *)&names[i];
        keys[i].len = sizeof names[i];
    }
    printf("| call, %zu entries | shards | longest get or put of another thread, ms | the same while nothing happens, ms | difference, ms | "
           "the call itself, ms |\n|---|---|---|---|---|---|\n", entries);
    for (shards = 1; shards >= 0; shards--) {
        measure("filling", shards, make, fill, end_cache);
        measure("clear", shards, make_full, clear, end_cache);
        measure("trim to 1 %", shards, make_full, trim, end_cache);
        measure("resize to 9 entries", shards, make_full, resize, end_cache);
        measure("other number of shards", shards, make_quarter, change_shards, end_cache);
        measure("expiry at one instant", shards, make_full, expire, end_cache);
        measure("statistics", shards, make_full, count, end_cache);
        measure("iteration", shards, make_full, walk, end_cache);
        measure("save", shards, make_full, save, end_cache);
        measure("fetch of all keys", shards, make_unasked, ask_all, end_tasks);
        measure("cancel of a fetch of all keys", shards, make_asked, cancel, end_tasks);
        measure("close with a fetch of all keys", shards, make_asked, close_tasks, end_tasks);
        measure("fetches of one key", shards, make_crowd, ask_one_key, end_crowd);
        measure("cancel of each fetch of one key", shards, make_crowd_asked, cancel_each, end_crowd);
        measure("failure of a key that all fetches want", shards, make_crowd_asked, fail_one_key, end_crowd);
        measure("100,000 pauses end at one instant", shards, make_pauses, expire, end_tasks);
    }
    remove("/dev/shm/kvlight-stall");
    free(keys);
    free(names);
    free(handles);
    return 0;
}
