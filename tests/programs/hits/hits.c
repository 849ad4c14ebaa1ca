/* hits: a lookup that hits must not allocate, read a precise clock, or wait.
 *
 * The functions below replace libc's for the library too, because the program comes first in symbol lookup. They count their calls
 * and forward them. Each kind of lookup is made a thousand times between two readings of the counts. Operations that do allocate, read clocks
 * and make system calls prove that the counting works.
 *
 * tests/rust/hits.rs runs it. It is not in tests/programs/c because valgrind would replace these functions with its own.
 */
#define _GNU_SOURCE
#include "../c/check.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* ---- counting -------------------------------------------------------------------------------------------------------- */

struct counts {
    unsigned long allocations, frees, precise_clocks, coarse_clocks, system_calls;
};

/* The counts of this thread alone, not of the library's threads. Access to a thread-local variable of the program itself
   allocates nothing. */
static _Thread_local struct counts counts;

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t align, size_t size);
extern void __libc_free(void *memory);

void *malloc(size_t size)
{
    counts.allocations++;
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    counts.allocations++;
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    counts.allocations++;
    return __libc_realloc(old, size);
}

void *memalign(size_t align, size_t size)
{
    counts.allocations++;
    return __libc_memalign(align, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    return memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size)
{
    *out = memalign(align, size);
    return *out ? 0 : 12; /* ENOMEM */
}

void free(void *memory)
{
    counts.frees += memory != NULL;
    __libc_free(memory);
}

/* libc's own function, which the calls are forwarded to. */
#define NEXT(name)                                                        \
    static __typeof__(name) *next;                                        \
    if (!next)                                                            \
    next = (__typeof__(name) *)(uintptr_t)dlsym(RTLD_NEXT, #name)

int clock_gettime(clockid_t id, struct timespec *now)
{
    NEXT(clock_gettime);
    if (id == CLOCK_MONOTONIC_COARSE || id == CLOCK_REALTIME_COARSE)
        counts.coarse_clocks++;
    else
        counts.precise_clocks++;
    return next(id, now);
}

/* Locks wait and wake through this function (futex). */
long syscall(long number, ...)
{
    NEXT(syscall);
    va_list rest;
    va_start(rest, number);
    long a = va_arg(rest, long), b = va_arg(rest, long), c = va_arg(rest, long), d = va_arg(rest, long);
    long e = va_arg(rest, long), f = va_arg(rest, long);
    va_end(rest);
    counts.system_calls++;
    return next(number, a, b, c, d, e, f);
}

/* The library writes to a descriptor to wake the thread that reads it. */
ssize_t write(int file, const void *data, size_t len)
{
    NEXT(write);
    counts.system_calls++;
    return next(file, data, len);
}

/* ---- lookups --------------------------------------------------------------------------------------------------------- */

enum { TIMES = 1000, MANY = 64 };
static const uint8_t *const key = (const uint8_t *)"a key of 16 byte", *const value = (const uint8_t *)"value";
enum { KEY_LEN = 16, VALUE_LEN = 5 };
static kvl_cache_t *cache;
static kvl_tasks_t *tasks;

static void must(int holds)
{
    if (!holds) {
        fputs("a lookup did not answer what it must\n", stderr);
        abort();
    }
}

static void get(void)
{
    kvl_value_t *found;
    must(kvl_cache_get(cache, key, KEY_LEN, &found) == KVL_VALUE);
    kvl_value_release(found);
}

static void get_into(void)
{
    uint8_t buffer[VALUE_LEN];
    size_t len;
    must(kvl_cache_get_into(cache, key, KEY_LEN, buffer, sizeof buffer, &len) == KVL_VALUE && len == VALUE_LEN);
}

static void get_many(void)
{
    kvl_slice_t keys[MANY];
    kvl_value_t *found[MANY];
    kvl_status_t statuses[MANY];
    for (size_t i = 0; i < MANY; i++)
        keys[i] = (kvl_slice_t){key, KEY_LEN};
    must(kvl_cache_get_many(cache, keys, MANY, found, statuses) == KVL_OK);
    for (size_t i = 0; i < MANY; i++)
        must(statuses[i] == KVL_VALUE);
    kvl_value_release_many(found, MANY);
}

static void tasks_get(void)
{
    kvl_value_t *found;
    must(kvl_tasks_get(tasks, key, KEY_LEN, &found) == KVL_VALUE);
    kvl_value_release(found);
}

static void never(void *user_data, const kvl_result_t *result)
{
    (void)user_data;
    (void)result;
    must(0);
}

static void tasks_fetch(void)
{
    kvl_value_t *found;
    must(kvl_tasks_fetch(tasks, key, KEY_LEN, NULL, NULL, never, NULL, NULL, &found) == KVL_VALUE);
    kvl_value_release(found);
}

static void contains(void)
{
    must(kvl_cache_contains(cache, key, KEY_LEN) == KVL_VALUE);
}

static void miss(void)
{
    kvl_value_t *found;
    must(kvl_cache_get(cache, key, KEY_LEN - 1, &found) == KVL_MISS);
}

static void put(void)
{
    must(kvl_cache_put_bytes(cache, key, KEY_LEN, value, VALUE_LEN, NULL) >= KVL_OK);
}

static struct counts cost_of(void (*work)(void))
{
    work(); /* the first use may allocate */
    work();
    struct counts before = counts;
    for (int i = 0; i < TIMES; i++)
        work();
    struct counts after = counts;
    return (struct counts){after.allocations - before.allocations, after.frees - before.frees,
                           after.precise_clocks - before.precise_clocks, after.coarse_clocks - before.coarse_clocks,
                           after.system_calls - before.system_calls};
}

static void check_costs_nothing(const char *what, void (*work)(void), int expires)
{
    struct counts cost = cost_of(work);
    printf("%s, %s: %lu allocations, %lu frees, %lu precise clocks, %lu coarse, %lu system calls\n", what,
           expires ? "an entry that expires" : "an entry that never expires", cost.allocations, cost.frees, cost.precise_clocks,
           cost.coarse_clocks, cost.system_calls);
    CHECK(cost.allocations == 0 && cost.frees == 0);
    /* No lookup reads a precise clock, except that twice a second one of them checks how long the machine slept. */
    CHECK(cost.precise_clocks < TIMES / 10);
    /* Taking a free lock makes no system call. */
    CHECK(cost.system_calls == 0);
    /* A lookup reads a clock only if its entry can expire. */
    CHECK(expires || (cost.coarse_clocks == 0 && cost.precise_clocks == 0));
}

static void provide(void *user_data, kvl_request_t *request)
{
    (void)user_data;
    kvl_request_finish_nulls(request);
}

static void all_lookups(int64_t ttl_ms)
{
    kvl_config_t *config = NULL;
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.ttl_ms", ttl_ms), KVL_OK);
    STATUS(kvl_tasks_new(config, &tasks, NULL), KVL_OK);
    STATUS(kvl_tasks_cache(tasks, &cache), KVL_OK);
    kvl_config_free(config);
    put();

    int expires = ttl_ms >= 0;
    check_costs_nothing("get", get, expires);
    check_costs_nothing("get_into", get_into, expires);
    check_costs_nothing("get_many", get_many, expires);
    check_costs_nothing("contains", contains, expires);
    check_costs_nothing("a miss", miss, 0);
    check_costs_nothing("kvl_tasks_get", tasks_get, expires);
    check_costs_nothing("kvl_tasks_fetch", tasks_fetch, expires);

    kvl_cache_release(cache);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
}

static void check_counting(void)
{
    struct counts before = counts;
    struct timespec now;
    kvl_clock_t *clock = NULL;
    kvl_queue_t *queue = NULL;

    clock_gettime(CLOCK_MONOTONIC, &now);
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    CHECK(counts.precise_clocks == before.precise_clocks + 1 && counts.coarse_clocks == before.coarse_clocks + 1);
    /* Calls from inside the library are counted too: memory for a handle, a system call to wake a queue. */
    before = counts;
    STATUS(kvl_clock_new_manual(0, &clock), KVL_OK);
    kvl_clock_release(clock);
    CHECK(counts.allocations > before.allocations && counts.frees > before.frees);
    STATUS(kvl_queue_new(0, &queue), KVL_OK);
    before = counts;
    STATUS(kvl_queue_wake(queue), KVL_OK);
    CHECK(counts.system_calls > before.system_calls);
    STATUS(kvl_queue_free(queue), KVL_OK);
}

/* Clock reads inside the library are counted too: an entry that can expire is checked against the coarse clock. */
static void check_clock_counting(void)
{
    kvl_config_t *config = NULL;
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.ttl_ms", 3600000), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    kvl_config_free(config);
    struct counts cost = cost_of(put);
    CHECK(cost.allocations >= TIMES && cost.frees >= TIMES && cost.coarse_clocks >= TIMES);
    kvl_cache_release(cache);
}

int main(void)
{
    check_counting();
    check_clock_counting();
    all_lookups(-1);
    all_lookups(3600000);
    DONE();
}
