/* outage: an outage of the provider behind two caches, one with default settings and one with kvlight's resilience settings.
 *
 *     outage [MILLISECONDS]      how long the provider is down; 10000 by default
 *
 * 2,000 fetches a second go to each, over 500 keys that both have seen. Their provider answers in 5 ms; then it slows down to 300 ms; then it
 * fails; then it recovers. A table shows how many fetches failed, how many got a stale value, the 99th percentile of their times, and
 * how often the provider was called. Exits with 1 if a fetch of the second cache failed.
 *
 *     cc -O2 outage.c -lkvlight -lpthread -o outage
 */
#define _POSIX_C_SOURCE 200809L
#include <kvlight.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { KEYS = 500, PER_MILLISECOND = 2, SOFT_TIMEOUT_MS = 50 };
enum { WARM, STEADY, SLOW, DOWN, BACK, PHASES };
enum { PLAIN, RESILIENT, CACHES };
/* A histogram of latencies in steps of 0.1 ms; the last step takes all longer ones. */
enum { STEPS = 20001 };

static const char *const phase_names[PHASES] = { "warm", "steady", "slow", "down", "back" };
static const char *const cache_names[CACHES] = { "as it comes", "resilient" };

/* The outcomes of the fetches that began in one phase. */
struct tally {
    atomic_ulong fetches, failed, stale, calls;
    atomic_ulong latency[STEPS];
};

static struct tally tallies[CACHES][PHASES];
static atomic_int phase;

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void sleep_ms(long ms)
{
    struct timespec span = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&span, NULL);
}

/* The provider of both caches. Its user data says which of them calls it. */
static void provide(void *user_data, kvl_request_t *request)
{
    int *cache = user_data, at = atomic_load(&phase);
    size_t i, n = kvl_request_len(request);

    atomic_fetch_add(&tallies[*cache][at].calls, 1);
    sleep_ms(at == SLOW ? 300 : 5);
    for (i = 0; i < n; i++) {
        const kvl_slice_t *key = &kvl_request_keys(request)[i];
        if (atomic_load(&phase) == DOWN)
            kvl_request_fail_text(request, i, 503, "service unavailable", 0);
        else
            kvl_request_resolve_bytes(request, i, key->data, key->len, NULL);
    }
    kvl_request_finish(request);
}

/* One fetch in progress. */
struct asked {
    double at_ms;
    struct tally *tally;
};

static void note(struct tally *tally, double since_ms, kvl_status_t status, int is_stale)
{
    double steps = (now_ms() - since_ms) * 10;
    size_t step = steps < STEPS - 1 ? (size_t)steps : STEPS - 1;

    atomic_fetch_add(&tally->fetches, 1);
    atomic_fetch_add(&tally->failed, status < 0);
    atomic_fetch_add(&tally->stale, (unsigned long)is_stale);
    atomic_fetch_add(&tally->latency[step], 1);
}

static void delivered(void *user_data, const kvl_result_t *result)
{
    struct asked *asked = user_data;
    note(asked->tally, asked->at_ms, result->status, (result->flags & KVL_F_STALE) != 0);
}

static int fetch(kvl_tasks_t *tasks, int cache, int key)
{
    char text[16];
    struct asked *asked = malloc(sizeof *asked);
    struct asked copy = { now_ms(), &tallies[cache][atomic_load(&phase)] };
    kvl_value_t *value = NULL;
    kvl_status_t status;

    if (asked == NULL)
        return 0;
    *asked = copy;
    snprintf(text, sizeof text, "%d", key);
    status = kvl_tasks_fetch(tasks, (const uint8_t *)text, strlen(text), NULL, NULL, delivered, asked, free, &value);
    kvl_value_release(value);
    if (status != KVL_PENDING)
        note(copy.tally, copy.at_ms, status, 0);
    return 1;
}

static void closed(void *is_closed)
{
    atomic_store((atomic_int *)is_closed, 1);
}

static kvl_tasks_t *engine(int *cache, long outage_ms)
{
    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;
    kvl_error_t *error = NULL;
    long ttl_ms = outage_ms / 10 > 20 ? outage_ms / 10 : 20;

    if (kvl_config_new(&config) != KVL_OK)
        return NULL;
    kvl_config_set_provider(config, provide, cache, NULL);
    kvl_config_set_int(config, "cache.ttl_ms", ttl_ms);
    kvl_config_set_int(config, "batch.max_keys", 1);
    kvl_config_set_int(config, "tasks.max_running", 16);
    if (*cache == RESILIENT) {
        kvl_config_set_int(config, "stale.ttl_ms", 3600000);
        kvl_config_set_int(config, "stale.timeout_ms", SOFT_TIMEOUT_MS);
        kvl_config_set_int(config, "stale.retry_ms", ttl_ms);
        kvl_config_set_real(config, "refresh.after", 0.8);
        kvl_config_set_real(config, "refresh.jitter", 0.2);
        kvl_config_set_int(config, "breaker.consecutive", 5);
        kvl_config_set_int(config, "breaker.open_ms", ttl_ms);
    }
    if (kvl_tasks_new(config, &tasks, &error) != KVL_OK)
        fprintf(stderr, "%s\n", kvl_error_message(error));
    kvl_error_release(error);
    kvl_config_free(config);
    return tasks;
}

/* The latency in milliseconds below which the given part of the fetches stayed. */
static double percentile(struct tally *tally, double part)
{
    unsigned long all = atomic_load(&tally->fetches), seen = 0;
    size_t step;

    for (step = 0; step < STEPS - 1 && (double)seen < part * (double)all; step++)
        seen += atomic_load(&tally->latency[step]);
    return (double)step / 10;
}

static void table(void)
{
    int at, cache;

    printf("%-8s %-12s %9s %9s %9s %9s %14s\n", "provider", "cache", "fetches", "failed", "stale", "p99 ms", "provider calls");
    for (at = STEADY; at < PHASES; at++)
        for (cache = 0; cache < CACHES; cache++) {
            struct tally *tally = &tallies[cache][at];
            double all = (double)atomic_load(&tally->fetches);
            printf("%-8s %-12s %9.0f %8.1f%% %8.1f%% %9.1f %14lu\n", phase_names[at], cache_names[cache], all,
                   all > 0 ? 100 * (double)atomic_load(&tally->failed) / all : 0,
                   all > 0 ? 100 * (double)atomic_load(&tally->stale) / all : 0, percentile(tally, 0.99), atomic_load(&tally->calls));
        }
}

int main(int argc, char **argv)
{
    long outage_ms = argc > 1 ? atol(argv[1]) : 10000;
    long lengths[PHASES] = { 0, outage_ms / 2, outage_ms / 4, outage_ms, outage_ms / 2 };
    int kinds[CACHES] = { PLAIN, RESILIENT }, cache, key = 0, at;
    unsigned long failed = 0;
    kvl_tasks_t *tasks[CACHES];

    if (outage_ms < 1)
        return fprintf(stderr, "outage [MILLISECONDS]\n"), 2;
    for (cache = 0; cache < CACHES; cache++)
        if ((tasks[cache] = engine(&kinds[cache], outage_ms)) == NULL)
            return 1;
    for (cache = 0; cache < CACHES; cache++) {
        for (key = 0; key < KEYS; key++)
            fetch(tasks[cache], cache, key);
        while (atomic_load(&tallies[cache][WARM].fetches) < KEYS)
            sleep_ms(1);
    }
    for (at = STEADY; at < PHASES; at++) {
        double next = now_ms(), end = next + (double)lengths[at];

        printf("%s for %.1f s\n", phase_names[at], (double)lengths[at] / 1e3);
        fflush(stdout);
        atomic_store(&phase, at);
        for (; next < end; next += 1) {
            int i;
            for (i = 0; i < PER_MILLISECOND; i++, key++)
                for (cache = 0; cache < CACHES; cache++)
                    /* Steps by a prime, so that neighbouring keys are not loaded together. */
                    fetch(tasks[cache], cache, (int)((long)key * 197 % KEYS));
            if (now_ms() < next + 1)
                sleep_ms(1);
        }
    }
    for (cache = 0; cache < CACHES; cache++) {
        atomic_int is_closed = 0;

        /* kvl_tasks_free() would end the drain, and the fetches in progress with it. */
        kvl_tasks_close(tasks[cache], KVL_CLOSE_DRAIN, 60000, closed, &is_closed, NULL);
        while (!atomic_load(&is_closed))
            sleep_ms(1);
        kvl_tasks_free(tasks[cache]);
    }
    table();
    for (at = STEADY; at < PHASES; at++)
        failed += atomic_load(&tallies[RESILIENT][at].failed);
    printf("resilient: %lu of its fetches failed\n", failed);
    return failed != 0;
}
