/* cluster: processes that share a cache through a cluster of Redis or Valkey, while one of its primaries is killed.
 *
 *     cluster [SECONDS [PROCESSES]]      20 and 4 by default
 *
 * It starts three primaries and a replica of each on the loopback interface, and processes with an engine each. The processes
 * read and write 2,000 records of a small source, which counts the versions of each record. After a third of the time a primary is killed
 * with -9, and after two thirds it is started again.
 *
 * Each second a table shows, for each process: the records it has loaded from the source; its fetches that its own store answered, and those that the
 * servers answered; how many changes by other processes it has learned of, and how long after the change; how many writes wait; how often
 * it had to look everything up again because it may have missed a change; and its failed fetches. In the end no process may have an
 * old value, and no fetch may have failed: otherwise the program exits with 1.
 *
 *     make demo-cluster
 */
#define _DEFAULT_SOURCE
#include "cluster_servers.h"
#include <kvlight_redis.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>

enum { RECORDS = 2000, MOST_PROCESSES = 64, SOURCE_MS = 2, NS_PER_MS = 1000000 };
/* A histogram of delays in steps of 0.25 ms; the last step takes all longer ones. */
enum { STEPS = 40000, STEPS_PER_MS = 4 };
/* What the processes do, one after the other. */
enum { WORK, SETTLE, CHECK, END };

/* A record of the source. */
struct record {
    atomic_ulong version;
    atomic_ulong changed_at; /* in nanoseconds */
};

/* What a process reports about itself. */
struct report {
    atomic_ulong loads, local, shared, heard, gaps, waiting, failed;
    atomic_int is_connected, is_settled;
    atomic_long old; /* the records that were old when it last looked at all of them; -1 before it has */
    atomic_uint delays[STEPS];
};

/* Shared by all processes. */
struct board {
    atomic_int phase;
    int processes;
    struct record records[RECORDS];
    struct report reports[MOST_PROCESSES];
};

static struct board *board;
static volatile sig_atomic_t is_interrupted;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- A process */

struct process {
    int id;
    unsigned chance;
    struct report *report;
    kvl_config_t *config;
    kvl_redis_t *redis;
    kvl_tasks_t *tasks;
    kvl_cache_t *cache;
};

static size_t name_of(char *name, size_t size, unsigned record)
{
    return (size_t)snprintf(name, size, "record:%u", record);
}

static unsigned record_of(const uint8_t *key, size_t len)
{
    unsigned record = 0;
    for (size_t i = sizeof "record:" - 1; i < len; i++)
        record = record * 10 + (key[i] - '0');
    return record % RECORDS;
}

static uint64_t version_of(const uint8_t *data, size_t len)
{
    uint64_t version = 0;
    memcpy(&version, data, len < sizeof version ? len : sizeof version);
    return version;
}

/* The provider: reads the source, which takes SOURCE_MS. */
static void provide(void *user_data, kvl_request_t *request)
{
    const kvl_slice_t *keys = kvl_request_keys(request);

    (void)user_data;
    for (size_t i = 0; i < kvl_request_len(request); i++) {
        uint64_t version = atomic_load(&board->records[record_of(keys[i].data, keys[i].len)].version);
        if (i == 0)
            pause_ms(SOURCE_MS);
        kvl_request_resolve_bytes(request, i, (const uint8_t *)&version, sizeof version, NULL);
    }
}

/* The removal listener. If an old value of a record that another process writes is removed, this process has just learned of the change. */
static void removed(void *user_data, const kvl_result_t *entry, kvl_cause_t cause)
{
    struct process *process = user_data;
    unsigned record = record_of(entry->key, entry->key_len);
    struct record *source = &board->records[record];

    if (cause != KVL_CAUSE_REMOVED || (int)(record % (unsigned)board->processes) == process->id)
        return;
    if (version_of(entry->data, entry->data_len) < atomic_load(&source->version)) {
        uint64_t step = (now_ns() - atomic_load(&source->changed_at)) * STEPS_PER_MS / NS_PER_MS;
        atomic_fetch_add(&process->report->delays[step < STEPS ? step : STEPS - 1], 1);
    }
}

/* Fetches a record and returns its version, or 0 if the fetch failed. */
static uint64_t fetched(struct process *process, unsigned record)
{
    char name[32];
    size_t len = name_of(name, sizeof name, record);
    kvl_value_t *value = NULL;
    uint64_t version = 0;

    if (kvl_tasks_fetch_wait(process->tasks, (const uint8_t *)name, len, NULL, NULL, &value, NULL) != KVL_VALUE) {
        atomic_fetch_add(&process->report->failed, 1);
        return 0;
    }
    const uint8_t *data = kvl_value_data(value, &len);
    version = version_of(data, len);
    kvl_value_release(value);
    return version;
}

/* Changes a record in the source and announces the change. Each record is written by one process. */
static void change(struct process *process)
{
    unsigned record = (unsigned)process->id + (unsigned)board->processes * ((unsigned)rand_r(&process->chance) % (RECORDS / (unsigned)board->processes));
    char name[32];
    size_t len = name_of(name, sizeof name, record);
    struct record *source = &board->records[record];
    uint64_t version = atomic_load(&source->version) + 1;

    atomic_store(&source->changed_at, now_ns());
    atomic_store(&source->version, version);
    /* Puts the new value, or only removes the old one. */
    if (rand_r(&process->chance) % 2 == 0)
        kvl_cache_put_bytes(process->cache, (const uint8_t *)name, len, (const uint8_t *)&version, sizeof version, NULL);
    else
        kvl_cache_remove(process->cache, (const uint8_t *)name, len);
}

static uint64_t number_in(const char *json, const char *name)
{
    const char *at = strstr(json, name);
    return at == NULL ? 0 : strtoull(at + strlen(name), NULL, 10);
}

static void write_report(struct process *process)
{
    struct report *report = process->report;
    kvl_stats_t stats;
    kvl_value_t *text = NULL;
    size_t len = 0;

    if (kvl_tasks_stats(process->tasks, &stats, sizeof stats) == KVL_OK) {
        atomic_store(&report->loads, stats.requests);
        atomic_store(&report->local, stats.hits);
        atomic_store(&report->shared, stats.l2_hits);
        atomic_store(&report->waiting, stats.l2_pending);
    }
    if (kvl_redis_state(process->redis, &text) == KVL_OK) {
        char json[4096];
        const uint8_t *data = kvl_value_data(text, &len);
        snprintf(json, sizeof json, "%.*s", (int)len, (const char *)data);
        atomic_store(&report->heard, number_in(json, "\"heard\":"));
        atomic_store(&report->gaps, number_in(json, "\"gaps\":") + number_in(json, "\"blind\":"));
        atomic_store(&report->is_connected, strstr(json, "\"connected\":true") != NULL && strstr(json, "\"listening\":true") != NULL);
        kvl_value_release(text);
    }
}

static int begin(struct process *process, const char *url)
{
    kvl_error_t *error = NULL;

    kvl_config_new(&process->config);
    kvl_config_set_provider(process->config, provide, NULL, NULL);
    kvl_config_set_removal_listener(process->config, removed, process, NULL);
    kvl_config_set_int(process->config, "cache.ttl_ms", 600000);
    kvl_config_set_int(process->config, "cache.capacity", RECORDS);
    kvl_config_set_int(process->config, "batch.max_keys", 1);
    if (kvl_redis_use(process->config, url, &process->redis, &error) < 0 || kvl_tasks_new(process->config, &process->tasks, &error) < 0) {
        fprintf(stderr, "%s\n", kvl_error_message(error));
        return 0;
    }
    kvl_redis_attach(process->redis, process->tasks);
    kvl_tasks_cache(process->tasks, &process->cache);
    return 1;
}

static void run_process(int id, const char *url)
{
    struct process process = { .id = id, .chance = (unsigned)id + 1, .report = &board->reports[id] };
    uint64_t reported_at = 0, changed_at = 0;
    int phase;

    if (!begin(&process, url))
        _exit(1);
    while ((phase = atomic_load(&board->phase)) != END) {
        uint64_t now = now_ns();

        if (now - reported_at > 100 * NS_PER_MS) {
            reported_at = now;
            write_report(&process);
        }
        if (phase == WORK) {
            /* Some records are requested far more often than others. */
            unsigned one = (unsigned)rand_r(&process.chance) % RECORDS, other = (unsigned)rand_r(&process.chance) % RECORDS;
            fetched(&process, one * other / RECORDS);
            if (now - changed_at > 50 * NS_PER_MS) {
                changed_at = now;
                change(&process);
            }
        } else if (phase == SETTLE && !atomic_load(&process.report->is_settled)) {
            atomic_store(&process.report->is_settled, kvl_tasks_l2_sync(process.tasks, 500) == KVL_OK);
        } else if (phase == CHECK) {
            long old = 0;
            for (unsigned record = 0; record < RECORDS; record++)
                old += fetched(&process, record) != atomic_load(&board->records[record].version);
            atomic_store(&process.report->old, old);
        }
        pause_ms(1);
    }
    kvl_cache_release(process.cache);
    kvl_tasks_close(process.tasks, KVL_CLOSE_CANCEL, KVL_FOREVER, NULL, NULL, NULL);
    kvl_redis_free(process.redis);
    kvl_tasks_free(process.tasks);
    kvl_config_free(process.config);
    _exit(0);
}

/* ---- The table */

/* The delay, in milliseconds, that the given part of the delays does not exceed: those of one process, or of all if `id` is negative. */
static double delay(int id, double part)
{
    uint64_t all = 0, seen = 0;
    int first = id < 0 ? 0 : id, last = id < 0 ? board->processes - 1 : id;

    for (int round = 0; round < 2; round++)
        for (int step = 0; step < STEPS; step++) {
            for (int i = first; i <= last; i++)
                *(round == 0 ? &all : &seen) += atomic_load(&board->reports[i].delays[step]);
            if (round == 1 && seen > 0 && (double)seen >= part * (double)all)
                return (double)(step + 1) / STEPS_PER_MS;
        }
    return 0;
}

static int show_table(struct servers *servers, uint64_t began, const char *what)
{
    int lines = 3;

    printf("%5.1f s  %-60s\n", (double)(now_ns() - began) / 1e9, what);
    printf("%-8s %9s %10s %10s %8s %8s %8s %8s %9s %7s\n", "process", "loads", "own store", "servers", "heard", "p50 ms", "p99 ms", "waiting",
           "relooked", "failed");
    for (int i = 0; i < board->processes; i++, lines++) {
        struct report *report = &board->reports[i];
        printf("%-8d %9lu %10lu %10lu %8lu %8.1f %8.1f %8lu %9lu %7lu\n", i, atomic_load(&report->loads), atomic_load(&report->local),
               atomic_load(&report->shared), atomic_load(&report->heard), delay(i, 0.5), delay(i, 0.99), atomic_load(&report->waiting),
               atomic_load(&report->gaps), atomic_load(&report->failed));
    }
    printf("%-8s", "servers");
    for (int i = 0; i < servers->count; i++)
        printf(" %d %s", servers->each[i].port,
               servers->each[i].process == 0 ? "killed " : says(&servers->each[i], "INFO replication", "role:master") ? "primary" : "replica");
    printf("\n");
    fflush(stdout);
    return lines;
}

/* Shows the table each second for a time, on a terminal in place of the one before. The delays are those of this time alone. */
static void show(struct servers *servers, uint64_t began, const char *what, double seconds)
{
    static int lines;
    uint64_t until = now_ns() + (uint64_t)(seconds * 1e9);
    int is_terminal = isatty(1);

    for (int i = 0; i < board->processes; i++)
        for (int step = 0; step < STEPS; step++)
            atomic_store(&board->reports[i].delays[step], 0);
    do {
        if (is_terminal && lines > 0)
            printf("\033[%dA", lines);
        lines = show_table(servers, began, what);
        uint64_t now = now_ns(), pause = until > now ? (until - now) / NS_PER_MS : 0;
        pause_ms((long)(pause < 1000 ? pause : 1000));
    } while (now_ns() < until && !is_interrupted);
}

/* Waits until a condition holds for every process; 0 if it never does. */
static int all_are(int (*is)(const struct report *))
{
    for (int waited = 0; waited < PATIENCE_MS && !is_interrupted; waited += 10) {
        int count = 0;
        for (int i = 0; i < board->processes; i++)
            count += is(&board->reports[i]);
        if (count == board->processes)
            return 1;
        pause_ms(10);
    }
    return 0;
}

static int is_connected(const struct report *report)
{
    return atomic_load(&report->is_connected);
}

static int is_settled(const struct report *report)
{
    return atomic_load(&report->is_settled);
}

static int has_nothing_old(const struct report *report)
{
    return atomic_load(&report->old) == 0;
}

static void interrupted(int signal)
{
    (void)signal;
    is_interrupted = 1;
}

/* Runs the processes for a time, and kills a primary meanwhile. Returns 0 if an old value has stayed or a fetch has failed. */
static int demonstrate(struct servers *servers, double seconds)
{
    static const char *const parts[] = { "all is well", "a primary was killed", "it was started again" };
    uint64_t began = now_ns(), failed = 0;
    struct server *victim = &servers->each[0];
    double heard[3][2];

    if (!all_are(is_connected))
        return fprintf(stderr, "the processes did not connect\n"), 0;
    for (int part = 0; part < 3; part++) {
        if (part == 1)
            servers_kill(victim);
        if (part == 2)
            servers_restart(victim);
        show(servers, began, parts[part], seconds / 3);
        heard[part][0] = delay(-1, 0.5);
        heard[part][1] = delay(-1, 0.99);
    }
    atomic_store(&board->phase, SETTLE);
    if (!all_are(is_settled))
        return fprintf(stderr, "what was written did not reach the servers\n"), 0;
    uint64_t settled_at = now_ns();
    atomic_store(&board->phase, CHECK);
    int is_healed = all_are(has_nothing_old);
    double waited = (double)(now_ns() - settled_at) / 1e6;
    show(servers, began, "no more changes", 0);
    for (int i = 0; i < board->processes; i++)
        failed += atomic_load(&board->reports[i].failed);
    for (int part = 0; part < 3; part++)
        printf("%-22s changes were heard of after %.1f ms (p50) and %.1f ms (p99)\n", parts[part], heard[part][0], heard[part][1]);
    printf("failed fetches: %lu\n", (unsigned long)failed);
    if (is_healed)
        printf("old versions: none, after %.0f ms in which each process looked at all records\n", waited);
    else
        printf("old versions: some process still has them\n");
    return is_healed && failed == 0;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 20;
    int processes = argc > 2 ? atoi(argv[2]) : 4, is_well = 0;
    struct servers servers;
    pid_t started[MOST_PROCESSES] = { 0 }, self = getpid();
    char url[512] = "redis://";

    if (seconds <= 0 || processes < 1 || processes > MOST_PROCESSES)
        return fprintf(stderr, "cluster [SECONDS [PROCESSES]]\n"), 2;
    board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (board == MAP_FAILED)
        return perror("mmap"), 1;
    board->processes = processes;
    signal(SIGINT, interrupted);
    signal(SIGTERM, interrupted);
    signal(SIGPIPE, SIG_IGN);
    if (servers_start(&servers, 3, 3)) {
        for (int i = 0; i < servers.primaries; i++)
            snprintf(url + strlen(url), sizeof url - strlen(url), "%s127.0.0.1:%d", i == 0 ? "" : ",", servers.each[i].port);
        snprintf(url + strlen(url), sizeof url - strlen(url), "/?prefix=demo&reconnect_cap_ms=500");
        for (int i = 0; i < processes; i++) {
            atomic_store(&board->reports[i].old, -1);
            /* Each process creates its own engine: nothing of kvlight exists before the fork. */
            started[i] = fork();
            if (started[i] == 0) {
                end_with_parent(self);
                signal(SIGINT, SIG_IGN);
                run_process(i, url);
            }
        }
        is_well = demonstrate(&servers, seconds);
    }
    atomic_store(&board->phase, END);
    for (int i = 0; i < processes; i++)
        if (started[i] > 0)
            waitpid(started[i], NULL, 0);
    servers_end(&servers);
    return !is_well || is_interrupted;
}
