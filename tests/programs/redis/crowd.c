/* One of several processes that share a source of records with versions. Each reads and writes records at random, and checks each answer
 * against the source.
 *
 *     crowd BOARD ID SEED URL [SETTING=VALUE ...]
 *
 * BOARD is a file of zeros with the layout of `struct board`, which tests/tiers/redis/crowd.py reads and writes too. ID is the number of the
 * process, and SEED the seed of its random numbers. Each record is written by one process only: first in the source, then in its engine. The write
 * is acknowledged once a later kvl_tasks_l2_sync() has succeeded.
 *
 * An answer is old if a newer version was acknowledged before its fetch began. Its age is the time from that acknowledgement to the fetch. An answer
 * older than `allowed_ns` is a violation, with two exceptions. During a fault that cuts processes off, and while they heal after it, an answer may
 * lack what was acknowledged since a second before the fault. And each process measures how long the machine itself delays it: an answer may be
 * older by four times the longest delay.
 *
 * Each violation is printed as a line. The program ends when the board says so.
 */
#define _DEFAULT_SOURCE
#include <fcntl.h>
#include "arguments.h"

#include <kvlight_redis.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { RECORDS = 400, PROCESSES = 16, KEPT = 8, MOST_PENDING = 4096, VALUE = 1024 };
/* The phases. WORK: read and write. SETTLE: wait until all writes are acknowledged. CHECK: compare every record with the source. */
enum { WAIT, WORK, SETTLE, CHECK, END };

/* A write that was acknowledged, and when, in ns. */
struct acknowledged {
    atomic_ullong version, at;
};

/* A record of the source: its version, and which of its versions were acknowledged last. */
struct record {
    atomic_ullong version, acknowledged;
    struct acknowledged last[KEPT];
};

/* What one process reports. `old`: how many records differed from the source in the last round of CHECK. `settled`: whether all writes are
 * acknowledged. `stall_ns`: how long the machine delayed the process. */
struct report {
    atomic_ullong fetches, writes, acknowledged, failed, violations, old_in_faults, oldest_ns, oldest_in_faults_ns, old, settled, connected, loads,
        found, stall_ns, rounds, unused;
};

/* The last fault began at `fault_from` (0: there was none) and ended at `fault_until` (0: it lasts), in ns of the monotonic clock. */
struct board {
    atomic_ullong phase, processes, allowed_ns, heal_ns, fault_from, fault_until, server_stall_ns, unused;
    struct report reports[PROCESSES];
    struct record records[RECORDS];
};

struct pending {
    unsigned record;
    unsigned long long version;
};

static struct board *board;
static struct report *own;
static kvl_redis_t *redis;
static kvl_tasks_t *tasks;
static kvl_cache_t *cache;
static unsigned id, processes, chance;
static struct pending pending[MOST_PENDING];
static size_t pending_count;
/* Since when syncs have failed (0: the last one succeeded), and whether `explain` has said why. */
static unsigned long long failing_since;
static int is_explained;

static unsigned long long now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (unsigned long long)now.tv_sec * 1000000000u + (unsigned long long)now.tv_nsec;
}

static void pause_us(long us)
{
    struct timespec span = { us / 1000000, us % 1000000 * 1000 };
    nanosleep(&span, NULL);
}

/* Raises a number that other threads and processes may raise too. */
static void raise_to(atomic_ullong *number, unsigned long long to)
{
    unsigned long long current = atomic_load(number);
    while (current < to && !atomic_compare_exchange_weak(number, &current, to)) {
    }
}

/* Measures how long a thread that is ready to run has to wait at most, in the last one or two seconds. */
static void *measure_stalls(void *unused)
{
    unsigned long long longest[2] = { 0, 0 }, began = now_ns();

    while (atomic_load(&board->phase) != END) {
        unsigned long long before = now_ns();
        pause_us(5000);
        unsigned long long now = now_ns(), over = now - before - 5000000;
        if (now - began > 1000000000) {
            longest[1] = longest[0];
            longest[0] = 0;
            began = now;
        }
        longest[0] = over > longest[0] ? over : longest[0];
        atomic_store(&own->stall_ns, longest[0] > longest[1] ? longest[0] : longest[1]);
    }
    return unused;
}

/* The longest of the delays that the processes and the tier have measured. */
static unsigned long long stall_ns(void)
{
    unsigned long long longest = atomic_load(&board->server_stall_ns);
    for (unsigned i = 0; i < processes; i++) {
        unsigned long long stall = atomic_load(&board->reports[i].stall_ns);
        longest = stall > longest ? stall : longest;
    }
    return longest;
}

static size_t name_of(char *name, size_t size, unsigned record)
{
    return (size_t)snprintf(name, size, "r%u", record);
}

/* Writes the value of a version: the version, and padding of varying length. Returns its length. */
static size_t value_of(uint8_t *value, unsigned long long version)
{
    memset(value, (int)(version & 0x7f), VALUE);
    memcpy(value, &version, sizeof version);
    return sizeof version + version * 131 % (VALUE - sizeof version);
}

static void provide(void *user_data, kvl_request_t *request)
{
    const kvl_slice_t *keys = kvl_request_keys(request);
    uint8_t value[VALUE];

    (void)user_data;
    for (size_t i = 0; i < kvl_request_len(request); i++) {
        char name[32] = { 0 };
        memcpy(name, keys[i].data, keys[i].len < sizeof name ? keys[i].len : sizeof name - 1);
        size_t len = value_of(value, atomic_load(&board->records[strtoul(name + 1, NULL, 10) % RECORDS].version));
        if (i == 0)
            pause_us(1000 + (long)(now_ns() % 3000));
        kvl_request_resolve_bytes(request, i, value, len, NULL);
    }
}

/* Returns when a version above `version` was first acknowledged, as far as the record remembers, and that version in `newer`. Returns 0 if none was
 * acknowledged by `before`. */
static unsigned long long newer_since(const struct record *record, unsigned long long version, unsigned long long before, unsigned long long *newer)
{
    unsigned long long since = 0;
    for (size_t i = 0; i < KEPT; i++) {
        unsigned long long at = atomic_load(&record->last[i].at), of = atomic_load(&record->last[i].version);
        /* The writer sets `at` to 0 while it changes a place. */
        if (at != 0 && at <= before && of > version && atomic_load(&record->last[i].at) == at && (since == 0 || at < since)) {
            since = at;
            *newer = of;
        }
    }
    return since;
}

/* Checks an answer with `version`, whose fetch began at `began`. */
static void judge(unsigned number, unsigned long long version, unsigned long long began)
{
    const struct record *record = &board->records[number];
    unsigned long long newer = 0, since = newer_since(record, version, began, &newer);

    if (version > atomic_load(&record->version)) {
        printf("violation of record %u at %.3f s: nobody has written version %llu\n", number, (double)began / 1e9, version);
        atomic_fetch_add(&own->violations, 1);
    }
    if (since == 0)
        return;
    unsigned long long age = began - since, from = atomic_load(&board->fault_from), until = atomic_load(&board->fault_until);
    int is_in_fault = from != 0 && began > from && (until == 0 || began < until + atomic_load(&board->heal_ns));
    if (is_in_fault && since + 1000000000 > from) {
        if (age > atomic_load(&board->allowed_ns))
            atomic_fetch_add(&own->old_in_faults, 1);
        raise_to(&own->oldest_in_faults_ns, age);
        return;
    }
    raise_to(&own->oldest_ns, age);
    if (age > atomic_load(&board->allowed_ns) + 4 * stall_ns()) {
        printf("violation of record %u at %.3f s: version %llu, though %llu was acknowledged %llu ms before\n", number, (double)began / 1e9, version, newer,
               age / 1000000);
        atomic_fetch_add(&own->violations, 1);
    }
}

/* Fetches a record, and checks the answer. Returns its version. */
static unsigned long long fetch_and_judge(unsigned record)
{
    char name[32];
    size_t len = name_of(name, sizeof name, record);
    kvl_value_t *value = NULL;
    kvl_error_t *error = NULL;
    unsigned long long version = 0, began = now_ns();
    kvl_status_t status = kvl_tasks_fetch_wait(tasks, (const uint8_t *)name, len, NULL, NULL, &value, &error);

    atomic_fetch_add(&own->fetches, 1);
    if (status != KVL_VALUE) {
        printf("failed %u %d %s\n", record, (int)status, error == NULL ? "" : kvl_error_message(error));
        kvl_error_release(error);
        atomic_fetch_add(&own->failed, 1);
        return 0;
    }
    const uint8_t *data = kvl_value_data(value, &len);
    memcpy(&version, data, sizeof version);
    kvl_value_release(value);
    judge(record, version, began);
    return version;
}

/* Marks all pending writes as acknowledged. */
static void acknowledge(void)
{
    unsigned long long now = now_ns();
    for (size_t i = 0; i < pending_count; i++) {
        struct record *record = &board->records[pending[i].record];
        struct acknowledged *place = &record->last[pending[i].version % KEPT];
        atomic_store(&place->at, 0);
        atomic_store(&place->version, pending[i].version);
        atomic_store(&place->at, now);
        atomic_store(&record->acknowledged, pending[i].version);
    }
    atomic_fetch_add(&own->acknowledged, pending_count);
    pending_count = 0;
}

/* Writes one of the records of this process. */
static void change(void)
{
    unsigned number = id + processes * ((unsigned)rand_r(&chance) % (RECORDS / processes));
    char name[32];
    size_t len = name_of(name, sizeof name, number);
    uint8_t value[VALUE];
    unsigned long long version = atomic_fetch_add(&board->records[number].version, 1) + 1;
    kvl_status_t status;

    if (rand_r(&chance) % 3 == 0)
        status = kvl_cache_remove(cache, (const uint8_t *)name, len);
    else
        status = kvl_cache_put_bytes(cache, (const uint8_t *)name, len, value, value_of(value, version), NULL);
    if (status < 0)
        die("a write was refused", status);
    atomic_fetch_add(&own->writes, 1);
    if (pending_count < MOST_PENDING)
        pending[pending_count++] = (struct pending){ number, version };
}

/* Puts counts and the state of the connection on the board, and says when there was no connection for 50 seconds. */
static void update_report(void)
{
    static unsigned long long well_at;
    kvl_stats_t stats;
    kvl_value_t *text = NULL;
    size_t len = 0;

    if (kvl_tasks_stats(tasks, &stats, sizeof stats) == KVL_OK) {
        atomic_store(&own->loads, stats.requests);
        atomic_store(&own->found, stats.l2_hits);
    }
    if (kvl_redis_state(redis, &text) != KVL_OK)
        return;
    static const char well[] = "{\"connected\":true,\"listening\":true";
    const uint8_t *json = kvl_value_data(text, &len);
    int is_well = len >= sizeof well && memcmp(json, well, sizeof well - 1) == 0;
    well_at = is_well || well_at == 0 ? now_ns() : well_at;
    if (now_ns() - well_at > 50000000000u) {
        printf("not connected for too long: %.*s\n", (int)len, (const char *)json);
        well_at = now_ns();
    }
    atomic_store(&own->connected, (unsigned long long)is_well);
    kvl_value_release(text);
}

/* After half a minute without a successful sync, says why writes do not reach the servers, once until the next successful sync. */
static void explain(kvl_status_t status)
{
    kvl_value_t *text = NULL;
    size_t len = 0;

    if (failing_since == 0)
        failing_since = now_ns();
    if (now_ns() - failing_since < 30000000000u || is_explained)
        return;
    is_explained = 1;
    printf("not written for too long: status %d, %zu writes, the first of record %u\n", (int)status, pending_count, pending_count > 0 ? pending[0].record : 0);
    if (kvl_redis_state(redis, &text) == KVL_OK) {
        const uint8_t *json = kvl_value_data(text, &len);
        printf("   %.*s\n", (int)len, (const char *)json);
        kvl_value_release(text);
    }
    if (kvl_tasks_stats_json(tasks, &text) == KVL_OK) {
        const uint8_t *json = kvl_value_data(text, &len);
        printf("   %.*s\n", (int)len, (const char *)json);
        kvl_value_release(text);
    }
}

int main(int argc, char **argv)
{
    kvl_config_t *config = NULL;
    kvl_error_t *error = NULL;
    pthread_t stalls;
    unsigned long long phase, told_at = 0;
    int file = argc < 5 ? -1 : open(argv[1], O_RDWR);

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (file < 0 || (board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)) == MAP_FAILED)
        die("usage: crowd BOARD ID SEED URL [SETTING=VALUE ...]", file);
    close(file);
    id = (unsigned)atoi(argv[2]);
    chance = (unsigned)atoi(argv[3]);
    processes = (unsigned)atomic_load(&board->processes);
    own = &board->reports[id];
    kvl_config_new(&config);
    kvl_config_set_provider(config, provide, NULL, NULL);
    apply_settings(config, argv, 5, argc);
    if (kvl_redis_use(config, argv[4], &redis, &error) < 0 || kvl_tasks_new(config, &tasks, &error) < 0)
        die(kvl_error_message(error), 0);
    kvl_config_free(config);
    kvl_redis_attach(redis, tasks);
    kvl_tasks_cache(tasks, &cache);
    pthread_create(&stalls, NULL, measure_stalls, NULL);
    while ((phase = atomic_load(&board->phase)) != END) {
        if (now_ns() - told_at > 50000000) {
            told_at = now_ns();
            update_report();
        }
        if (phase == WORK) {
            fetch_and_judge((unsigned)rand_r(&chance) % RECORDS);
            if (rand_r(&chance) % 24 == 0)
                change();
        }
        if (phase == CHECK) {
            unsigned long long old = 0;
            for (unsigned record = 0; record < RECORDS; record++)
                old += fetch_and_judge(record) != atomic_load(&board->records[record].version);
            atomic_store(&own->old, old);
            atomic_fetch_add(&own->rounds, 1);
        }
        if (phase == SETTLE || pending_count > 0) {
            kvl_status_t status = kvl_tasks_l2_sync(tasks, phase == SETTLE ? 500 : 100);
            if (status == KVL_OK) {
                acknowledge();
                failing_since = 0;
                is_explained = 0;
                atomic_store(&own->settled, phase == SETTLE);
            } else if (phase == SETTLE) {
                explain(status);
            }
        }
        pause_us(2000);
    }
    pthread_join(stalls, NULL);
    kvl_cache_release(cache);
    kvl_tasks_close(tasks, KVL_CLOSE_CANCEL, KVL_FOREVER, NULL, NULL, NULL);
    kvl_redis_free(redis);
    kvl_tasks_free(tasks);
    munmap(board, sizeof *board);
    return 0;
}
