/* Shared by fetch.c, instructions.c and store.c: time, keys, and the rule that decides which runs count. */
#ifndef KVL_BENCH_COMMON_H
#define KVL_BENCH_COMMON_H

#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <kvlight.h>

#define DIE(...) (fprintf(stderr, "bench: " __VA_ARGS__), fputc('\n', stderr), exit(1))

static inline uint64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A thread's times in nanoseconds, at the beginning of a run or during it: on the clock, on a processor, and waiting for a processor. */
struct watch {
    uint64_t wall, cpu, queued;
};

/* The time for which this thread was ready to run without a processor, in nanoseconds. If the system does not report it, one millisecond
   for each time that the thread was preempted. */
static inline uint64_t time_queued(void)
{
    struct rusage used;
    if (access("/proc/thread-self/schedstat", R_OK) != 0)
        return getrusage(RUSAGE_THREAD, &used) == 0 ? (uint64_t)used.ru_nivcsw * 1000000 : 0;

    char text[96];
    int file = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return 0;
    ssize_t len = read(file, text, sizeof text - 1);
    close(file);
    if (len <= 0)
        return 0;
    text[len] = '\0';
    unsigned long long ran, queued = 0;
    return sscanf(text, "%llu %llu", &ran, &queued) == 2 ? queued : 0;
}

static inline struct watch watch_begin(void)
{
    struct watch now;
    now.queued = time_queued();
    now.cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    now.wall = clock_ns(CLOCK_MONOTONIC);
    return now;
}

/* The times since `begin`. */
static inline struct watch watch_end(struct watch begin)
{
    struct watch passed;
    passed.wall = clock_ns(CLOCK_MONOTONIC) - begin.wall;
    passed.cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - begin.cpu;
    passed.queued = time_queued() - begin.queued;
    return passed;
}

/* A run counts only if its thread had a processor for all but a fiftieth of the time. If the thread runs alone, all other time was taken
   from it. Beside other threads it may have waited for a lock, which is part of the measurement, so only time in the run queue counts as
   taken. */
static inline int had_its_processor(struct watch passed, int alone)
{
    uint64_t lost = alone && passed.wall > passed.cpu ? passed.wall - passed.cpu : passed.queued;
    return lost * 50 <= passed.wall;
}

enum { KEY_LEN = 16, VALUE_LEN = 64 };

static inline uint64_t mixed(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static inline void make_key(uint8_t *key, uint64_t number)
{
    uint64_t halves[2] = {mixed(number), number};
    memcpy(key, halves, KEY_LEN);
}

#endif
