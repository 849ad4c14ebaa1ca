/* For how long one thread's call keeps another thread waiting (rule S19).
 *
 *     stall [ENTRIES]
 *
 * One thread does a call that concerns all entries of a full cache; another looks one key up, again and again, and notes the longest time
 * that one lookup took. Each row is the median of five runs: first in one shard, then in as many as the library chooses. "nothing" is the
 * machine's own noise: the other thread sleeps. */
#define _POSIX_C_SOURCE 200809L
#include <kvlight.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { RUNS = 5 };

static size_t entries = 1000000;
static kvl_cache_t *cache;
static kvl_clock_t *manual;
static atomic_int stop;
static double longest;

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

/* looks the same key up until it is told to stop */
static void *look(void *unused)
{
    (void)unused;
    while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
        kvl_value_t *value;
        double before = now(), took;
        kvl_cache_get(cache, (const uint8_t *)"never there", 11, &value);
        took = now() - before;
        if (took > longest)
            longest = took;
    }
    return NULL;
}

static void fill(void)
{
    kvl_terms_t terms = KVL_TERMS_INIT;
    uint64_t key;

    terms.ttl_ms = 1000;
    for (key = 0; key < entries; key++)
        must(kvl_cache_put_bytes(cache, (const uint8_t *)&key, sizeof key, (const uint8_t *)&key, sizeof key, &terms));
}

static void make(int shards)
{
    kvl_config_t *config;

    must(kvl_clock_new_manual(0, &manual));
    must(kvl_config_new(&config));
    must(kvl_config_set_clock(config, manual));
    must(kvl_config_set_int(config, "cache.capacity", (int64_t)(2 * entries)));
    if (shards)
        must(kvl_config_set_int(config, "cache.shards", shards));
    must(kvl_cache_new(config, &cache, NULL));
    kvl_config_free(config);
}

static void nothing(void)
{
    struct timespec while_[1] = {{0, 300000000}};
    nanosleep(while_, NULL);
}
static void clear(void) { must(kvl_cache_clear(cache)); }
static void trim(void) { must(kvl_cache_trim(cache, 0.01)); }
static void resize(void) { must(kvl_cache_resize(cache, 9, -1)); }
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

static int ascending(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static void measure(const char *name, int shards, void (*work)(void), int full)
{
    double stalls[RUNS], times[RUNS];
    int run;

    for (run = 0; run < RUNS; run++) {
        pthread_t thread;
        make(shards);
        if (full)
            fill();
        atomic_store(&stop, 0);
        longest = 0;
        pthread_create(&thread, NULL, look, NULL);
        times[run] = now();
        work();
        times[run] = now() - times[run];
        atomic_store(&stop, 1);
        pthread_join(thread, NULL);
        stalls[run] = longest;
        kvl_cache_release(cache);
        kvl_clock_release(manual);
    }
    qsort(stalls, RUNS, sizeof *stalls, ascending);
    qsort(times, RUNS, sizeof *times, ascending);
    printf("| %s | %s | %.2f | %.1f |\n", name, shards ? "1" : "default", stalls[RUNS / 2], times[RUNS / 2]);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    int shards;

    if (argc > 1)
        entries = (size_t)strtoull(argv[1], NULL, 10);
    printf("| call, %zu entries | shards | longest lookup of another thread, ms | the call itself, ms |\n|---|---|---|---|\n", entries);
    for (shards = 1; shards >= 0; shards--) {
        measure("nothing", shards, nothing, 1);
        measure("filling", shards, fill, 0);
        measure("clear", shards, clear, 1);
        measure("trim to 1 %", shards, trim, 1);
        measure("resize to 9", shards, resize, 1);
        measure("expiry at one instant", shards, expire, 1);
        measure("statistics", shards, count, 1);
        measure("iteration", shards, walk, 1);
        measure("save", shards, save, 1);
    }
    remove("/dev/shm/kvlight-stall");
    return 0;
}
