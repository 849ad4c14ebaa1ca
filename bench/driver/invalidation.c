/* How soon processes are notified of another process's writes through a server: bench/redis runs it.
 *
 *     invalidation URL PROCESSES WRITES_PER_SECOND SECONDS
 *
 * Each process has an engine that holds the same records. One more process writes at a steady rate. Every 20th write goes to the next of
 * these records, so each of them is written once; the other writes go to records that no process holds. A delay is the time from the call
 * of the put until a process's removal listener has the old value. It includes the writer's queue, the server, the log's pause
 * (`notify_ms`) and the listener's thread.
 *
 * Prints PROCESSES, WRITES_PER_SECOND, the rate that was reached, the percentage of delays that were observed, p50, p99 and the longest
 * delay in ms, and the percentage of the machine that was idle.
 */
#define _DEFAULT_SOURCE
#include <kvlight_redis.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PROCESSES = 1000, MOST_WRITES = 1 << 20, ONE_IN = 20, STEPS = 200000, STEPS_PER_MS = 20 };
enum { LOAD, LISTEN, END };

struct board {
    atomic_int phase, ready, failed;
    size_t records;
    atomic_ullong written_at[MOST_WRITES / ONE_IN];
    atomic_uint delays[STEPS];
};

static struct board *board;

static unsigned long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long long)now.tv_sec * 1000000000u + (unsigned long long)now.tv_nsec;
}

static void pause_ms(long ms)
{
    struct timespec span = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&span, NULL);
}

static void provide(void *user_data, kvl_request_t *request)
{
    (void)user_data;
    for (size_t i = 0; i < kvl_request_len(request); i++)
        kvl_request_resolve_bytes(request, i, (const uint8_t *)"a value that all of them hold, of some fifty bytes.", 51, NULL);
}

static void removed(void *user_data, const kvl_result_t *entry, kvl_cause_t cause)
{
    char name[24] = { 0 };

    (void)user_data;
    if (cause != KVL_CAUSE_REMOVED || entry->key_len == 0 || entry->key_len >= sizeof name || entry->key[0] != 'r')
        return;
    memcpy(name, entry->key + 1, entry->key_len - 1);
    unsigned long long written_at = atomic_load(&board->written_at[strtoul(name, NULL, 10) % (MOST_WRITES / ONE_IN)]);
    if (written_at != 0) {
        unsigned long long step = (now_ns() - written_at) * STEPS_PER_MS / 1000000;
        atomic_fetch_add(&board->delays[step < STEPS ? step : STEPS - 1], 1);
    }
}

static int is_well(kvl_redis_t *redis)
{
    static const char wanted[] = "{\"connected\":true,\"listening\":true";
    kvl_value_t *text = NULL;
    size_t len = 0;

    if (kvl_redis_state(redis, &text) < 0)
        return 0;
    const uint8_t *json = kvl_value_data(text, &len);
    int is = len >= sizeof wanted && memcmp(json, wanted, sizeof wanted - 1) == 0;
    kvl_value_release(text);
    return is;
}

struct engine {
    kvl_redis_t *redis;
    kvl_tasks_t *tasks;
};

static struct engine engine(const char *url, int listens)
{
    struct engine engine = { NULL, NULL };
    kvl_config_t *config = NULL;
    kvl_error_t *error = NULL;

    kvl_config_new(&config);
    kvl_config_set_provider(config, provide, NULL, NULL);
    kvl_config_set_int(config, "l2.timeout_ms", 60000);
    kvl_config_set_int(config, "l2.wait_ms", 60000);
    if (listens)
        kvl_config_set_removal_listener(config, removed, NULL, NULL);
    if (kvl_redis_use(config, url, &engine.redis, &error) < 0 || kvl_tasks_new(config, &engine.tasks, &error) < 0) {
        fprintf(stderr, "%s\n", kvl_error_message(error));
        _exit(1);
    }
    kvl_config_free(config);
    kvl_redis_attach(engine.redis, engine.tasks);
    while (!is_well(engine.redis))
        pause_ms(5);
    return engine;
}

static void end(struct engine engine)
{
    kvl_tasks_close(engine.tasks, KVL_CLOSE_CANCEL, KVL_FOREVER, NULL, NULL, NULL);
    kvl_redis_free(engine.redis);
    kvl_tasks_free(engine.tasks);
}

static void listen_to(const char *url)
{
    struct engine own = engine(url, 1);
    kvl_slice_t *keys = calloc(board->records, sizeof *keys);
    char(*names)[24] = calloc(board->records, sizeof *names);
    kvl_results_t *results = NULL;

    for (size_t i = 0; i < board->records; i++)
        keys[i] = (kvl_slice_t){ (const uint8_t *)names[i], (size_t)snprintf(names[i], sizeof names[i], "r%zu", i) };
    if (kvl_tasks_fetch_all_wait(own.tasks, keys, board->records, NULL, NULL, &results) != KVL_OK ||
        kvl_results_count(results, KVL_COUNT_VALUES) != board->records)
        atomic_store(&board->failed, 1);
    kvl_results_release(results);
    atomic_fetch_add(&board->ready, 1);
    while (atomic_load(&board->phase) != END)
        pause_ms(50);
    end(own);
    _exit(0);
}

/* The time that the processors were idle, and in all, in ticks. */
static void processors(unsigned long long *idle, unsigned long long *all)
{
    unsigned long long part[8] = { 0 };
    FILE *file = fopen("/proc/stat", "r");

    *idle = *all = 0;
    if (file == NULL)
        return;
    if (fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &part[0], &part[1], &part[2], &part[3], &part[4], &part[5], &part[6], &part[7]) == 8)
        for (int i = 0; i < 8; i++)
            *all += part[i];
    *idle = part[3] + part[4];
    fclose(file);
}

static double delay(double part, unsigned long long all)
{
    unsigned long long seen = 0;
    for (int step = 0; step < STEPS; step++)
        if ((seen += atomic_load(&board->delays[step])) > 0 && (double)seen >= part * (double)all)
            return (double)(step + 1) / STEPS_PER_MS;
    return 0;
}

static double write_at_pace(const char *url, int pace, size_t writes)
{
    struct engine own = engine(url, 0);
    kvl_cache_t *cache = NULL;
    unsigned long long began = now_ns();

    kvl_tasks_cache(own.tasks, &cache);
    for (size_t i = 0; i < writes; i++) {
        char name[32];
        int is_held = i % ONE_IN == 0;
        unsigned long long due = began + (unsigned long long)i * 1000000000u / (unsigned long long)pace;

        for (unsigned long long now = now_ns(); now < due; now = now_ns()) {
            struct timespec span = { 0, due - now < 1000000 ? (long)(due - now) : 1000000 };
            nanosleep(&span, NULL);
        }
        int len = snprintf(name, sizeof name, is_held ? "r%zu" : "w%zu", is_held ? i / ONE_IN : i % 10000);
        if (is_held)
            atomic_store(&board->written_at[i / ONE_IN], now_ns());
        kvl_cache_put_bytes(cache, (const uint8_t *)name, (size_t)len, (const uint8_t *)"another value", 13, NULL);
    }
    double reached = (double)writes * 1e9 / (double)(now_ns() - began);
    kvl_tasks_l2_sync(own.tasks, 60000);
    pause_ms(1000);
    kvl_cache_release(cache);
    end(own);
    return reached;
}

int main(int argc, char **argv)
{
    int processes = argc == 5 ? atoi(argv[2]) : 0, pace = argc == 5 ? atoi(argv[3]) : 0, seconds = argc == 5 ? atoi(argv[4]) : 0;
    size_t writes = (size_t)pace * (size_t)seconds;
    unsigned long long idle[2], all[2], seen = 0;

    if (processes < 1 || processes > MOST_PROCESSES || writes < ONE_IN || writes > MOST_WRITES)
        return fprintf(stderr, "invalidation URL PROCESSES WRITES_PER_SECOND SECONDS\n"), 2;
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        return perror("mmap"), 1;
    board->records = (writes + ONE_IN - 1) / ONE_IN;
    for (int i = 0; i < processes; i++)
        /* Forked before this process creates any handle of kvlight, since handles do not work after a fork. */
        if (fork() == 0)
            listen_to(argv[1]);
    while (atomic_load(&board->ready) < processes && waitpid(-1, NULL, WNOHANG) == 0)
        pause_ms(10);
    if (atomic_load(&board->failed) || atomic_load(&board->ready) < processes)
        return fprintf(stderr, "the processes have not loaded their records\n"), kill(0, SIGTERM), 1;
    atomic_store(&board->phase, LISTEN);
    processors(&idle[0], &all[0]);
    double reached = write_at_pace(argv[1], pace, writes);
    processors(&idle[1], &all[1]);
    atomic_store(&board->phase, END);
    while (wait(NULL) > 0) {
    }
    for (int step = 0; step < STEPS; step++)
        seen += atomic_load(&board->delays[step]);
    printf("%d %d %.0f %.1f %.1f %.1f %.1f %.0f\n", processes, pace, reached, 100.0 * (double)seen / (double)(board->records * (size_t)processes),
           delay(0.5, seen), delay(0.99, seen), delay(1, seen), all[1] > all[0] ? 100.0 * (double)(idle[1] - idle[0]) / (double)(all[1] - all[0]) : 0.0);
    return 0;
}
