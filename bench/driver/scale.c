/* A thousand processes with a second tier, simulated in one thread: real engines (the table of loads and the store of libkvlight), a manual
 * clock, and a model of the server, of libkvlight_redis and of the network between them.
 *
 *     scale [PROCESSES [SECONDS]]      1000 and 10 by default
 *
 * Modelled: a round trip takes 1 ms, whatever is in it; a server is never busy; a process reads the log as redis/src/log.rs does (10 ms after
 * it learned that there are entries, and LOG_BATCH of them at a time); reads, leases, fills and writes are those of redis/src/serve.rs and
 * read.rs. Measured: what the engines do, and how much CPU time invalidations take. Keys are drawn from a billion by Zipf's law. docs/SCALE.md
 * has the results.
 */
#define _DEFAULT_SOURCE
#include <kvlight.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_PROCESSES = 5000, ENTRIES = 1000, FETCHES_PER_S = 50, WRITES_PER_S = 1000, LOAD_MS = 5, LEASE_MS = 10000, NOTIFY_MS = 10 };
enum { LOG_BATCH = 4096, LEASES = 256, WARM_S = 8 };
enum { CELLS = 1 << 22, ENTRY = 56, MOST_LATE = 1 << 12 };
static const double KEYS = 1e9, EXPONENT = 0.99;

/* ---- What happens when */

struct process;
enum kind { LOOKED_UP, CLAIMED, STORED, LOADED, READ_LOG };

struct event {
    int64_t at; /* in milliseconds, like all times here */
    uint64_t order; /* of two events at the same time the older one is first */
    enum kind kind;
    struct process *process;
    kvl_l2_request_t *tier;
    kvl_request_t *request;
    unsigned char is_answered[256];
};

static struct event **heap;
static size_t heap_len, heap_room;
static uint64_t orders;
static int64_t now_ms;

static int is_before(const struct event *a, const struct event *b)
{
    return a->at != b->at ? a->at < b->at : a->order < b->order;
}

static struct event *event(enum kind kind, int64_t after, struct process *process)
{
    struct event *event = calloc(1, sizeof *event);
    size_t at = heap_len++;

    if (event == NULL)
        abort();
    *event = (struct event){ .at = now_ms + after, .order = orders++, .kind = kind, .process = process };
    if (heap_len > heap_room) {
        heap_room = heap_room * 2 + 1024;
        if ((heap = realloc(heap, heap_room * sizeof *heap)) == NULL)
            abort();
    }
    for (heap[at] = event; at > 0 && is_before(event, heap[(at - 1) / 2]); at = (at - 1) / 2) {
        heap[at] = heap[(at - 1) / 2];
        heap[(at - 1) / 2] = event;
    }
    return event;
}

static struct event *first_event(void)
{
    struct event *first = heap[0], *last = heap[--heap_len];
    size_t at = 0;

    if (heap_len == 0)
        return first;
    for (heap[0] = last;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < heap_len && is_before(heap[child + 1], heap[child]))
            child++;
        if (child >= heap_len || is_before(last, heap[child]))
            return first;
        heap[at] = heap[child];
        heap[child] = last;
        at = child;
    }
}

/* ---- The server */

struct cell {
    uint64_t key; /* 0: unused; else the key plus 1 */
    uint64_t token, epoch;
    int64_t lease_until; /* 0: an entry, or nothing if `len` is 0 */
    struct process *holder; /* of the lease */
    uint8_t entry[ENTRY];
    uint8_t len;
};

struct notice {
    uint64_t key; /* UINT64_MAX: everything */
    struct process *source;
    int64_t at;
};

static struct cell *cells;
static size_t cells_used;
static struct notice *notices;
static size_t notices_len, notices_room;
static uint64_t epoch = 1, tokens = 1;

static struct cell *cell_of(uint64_t key)
{
    size_t at = (key + 1) * 0x9e3779b97f4a7c15u >> 42;

    while (cells[at].key != 0 && cells[at].key != key + 1)
        at = (at + 1) % CELLS;
    if (cells[at].key == 0 && ++cells_used > CELLS / 4 * 3)
        fprintf(stderr, "too many keys for this program\n"), exit(1);
    cells[at].key = key + 1;
    return &cells[at];
}

/* ---- The processes */

struct process {
    kvl_tasks_t *tasks;
    kvl_cache_t *cache;
    size_t position; /* in the log */
    int is_listening; /* whether the next notice makes it read the log: no read is due yet */
    int is_cut_off; /* whether no notice reaches it */
    uint64_t leased[LEASES]; /* the keys of the last leases that the process was granted */
    size_t leased_len;
};

static struct process *processes;
static int count;
static kvl_queue_t *queue;
static kvl_clock_t *manual;
static int load_ms = LOAD_MS, has_leases = 1;

/* The counters. */
static struct {
    uint64_t fetches, answered, local, loads, lookups, keys_looked_up, hits, leased, fills, log_reads, received, held, written;
    double busy_s; /* the CPU time of invalidations */
    uint64_t late[MOST_LATE], waited[MOST_LATE]; /* numbers of notices and fetches, by milliseconds */
} seen;

static double processor_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static uint64_t random_bits(void)
{
    static uint64_t state = 20;
    uint64_t mixed = state += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
    return mixed ^ mixed >> 31;
}

static double fraction(void)
{
    return (double)(random_bits() >> 11) / 9007199254740992.0;
}

/* The integral of x^-EXPONENT from 1 to x. */
static double area(double x)
{
    return (pow(x, 1 - EXPONENT) - 1) / (1 - EXPONENT);
}

/* Draws a key by Zipf's law, by rejection, and returns its rank, counted from 0. */
static uint64_t zipf(void)
{
    double least = area(1.5) - 1, most = area(KEYS + 0.5);

    for (;;) {
        double at = least + fraction() * (most - least), x = pow(at * (1 - EXPONENT) + 1, 1 / (1 - EXPONENT)), rank = floor(x + 0.5);
        rank = rank < 1 ? 1 : rank > KEYS ? KEYS : rank;
        if (at >= area(rank + 0.5) - pow(rank, -EXPONENT))
            return (uint64_t)rank - 1;
    }
}

static uint64_t key_of(const kvl_slice_t *slice)
{
    uint64_t key = 0;
    memcpy(&key, slice->data, sizeof key);
    return key;
}

static void notify(uint64_t key, struct process *source)
{
    if (notices_len == notices_room) {
        notices_room = notices_room * 2 + 4096;
        if ((notices = realloc(notices, notices_room * sizeof *notices)) == NULL)
            abort();
    }
    notices[notices_len++] = (struct notice){ key, source, now_ms };
    for (int i = 0; i < count; i++)
        if (processes[i].is_listening && !processes[i].is_cut_off) {
            processes[i].is_listening = 0;
            event(READ_LOG, NOTIFY_MS + 1, &processes[i]);
        }
}

/* Ends the process's lease of a key, since the answer of its load will not be stored. */
static void give_back(struct process *process, uint64_t key)
{
    struct cell *cell = cell_of(key);
    if (cell->holder == process && cell->len == 0)
        cell->lease_until = 0;
}

/* Reads the log. Returns whether there is more. */
static int read_log(struct process *process)
{
    static uint64_t keys[LOG_BATCH];
    static kvl_slice_t slices[LOG_BATCH];
    size_t n = 0, until = process->position + LOG_BATCH < notices_len ? process->position + LOG_BATCH : notices_len;
    int everything = 0;
    kvl_stats_t before, after;

    for (; process->position < until; process->position++) {
        const struct notice *notice = &notices[process->position];
        if (notice->source == process)
            continue;
        int64_t late = now_ms - notice->at;
        seen.late[late < MOST_LATE ? late : MOST_LATE - 1]++;
        everything |= notice->key == UINT64_MAX;
        if (notice->key != UINT64_MAX)
            give_back(process, notice->key);
        keys[n] = notice->key;
        slices[n] = (kvl_slice_t){ (const uint8_t *)&keys[n], sizeof keys[n] };
        n++;
    }
    for (size_t i = 0; everything && i < LEASES && i < process->leased_len; i++)
        give_back(process, process->leased[i]);
    kvl_cache_stats(process->cache, &before, sizeof before);
    double began = processor_s();
    kvl_tasks_invalidate(process->tasks, everything ? NULL : slices, everything ? 0 : n, everything ? KVL_INVALIDATE_F_ALL : 0);
    seen.busy_s += processor_s() - began;
    kvl_cache_stats(process->cache, &after, sizeof after);
    seen.held += after.removed_removed - before.removed_removed;
    seen.received += n;
    seen.log_reads++;
    return process->position < notices_len;
}

static void serve(void *user_data, kvl_l2_request_t *request)
{
    struct event *next = event(kvl_l2_request_kind(request) == KVL_L2_READ ? LOOKED_UP : STORED, 1, user_data);
    next->tier = kvl_l2_request_retain(request);
}

static void look_up(struct event *event_, int claims)
{
    kvl_l2_request_t *request = event_->tier;
    const kvl_slice_t *keys = kvl_l2_request_keys(request);
    size_t n = kvl_l2_request_len(request), left = 0;

    seen.lookups += !claims;
    for (size_t i = 0; i < n; i++) {
        struct cell *cell = cell_of(key_of(&keys[i]));
        int is_current = cell->epoch == epoch, is_lease = is_current && cell->lease_until > now_ms;

        if (event_->is_answered[i])
            continue;
        seen.keys_looked_up += !claims;
        event_->is_answered[i] = 1;
        if (is_current && cell->len > 0) {
            seen.hits++;
            kvl_l2_request_hit(request, i, cell->entry, cell->len, KVL_TTL_NEVER, (const uint8_t *)&cell->token, sizeof cell->token);
        } else if (!has_leases) {
            kvl_l2_request_miss(request, i, (const uint8_t *)&cell->token, sizeof cell->token);
        } else if (is_lease && cell->holder != event_->process && !kvl_l2_request_steals(request, i)) {
            seen.leased++;
            kvl_l2_request_leased(request, i);
        } else if (!claims) {
            event_->is_answered[i] = 0;
            left++;
        } else {
            *cell = (struct cell){ .key = cell->key, .token = ++tokens, .epoch = epoch, .lease_until = now_ms + LEASE_MS, .holder = event_->process };
            /* Nobody waits for the key any more, or it has been written since the lookup began. */
            if (kvl_l2_request_miss(request, i, (const uint8_t *)&cell->token, sizeof cell->token) != KVL_OK)
                give_back(event_->process, key_of(&keys[i]));
            else
                event_->process->leased[event_->process->leased_len++ % LEASES] = key_of(&keys[i]);
        }
    }
    if (left > 0) {
        struct event *next = event(CLAIMED, 1, event_->process);
        next->tier = request;
        memcpy(next->is_answered, event_->is_answered, sizeof next->is_answered);
        return;
    }
    kvl_l2_request_finish(request);
    kvl_l2_request_release(request);
}

static void store(struct event *event_)
{
    kvl_l2_request_t *request = event_->tier;
    const kvl_slice_t *keys = kvl_l2_request_keys(request);
    uint32_t kind = kvl_l2_request_kind(request);

    for (size_t i = 0; i < kvl_l2_request_len(request); i++) {
        struct cell *cell = cell_of(key_of(&keys[i]));
        const uint8_t *data, *token;
        size_t len = 0, token_len;
        int64_t ttl_ms;

        if (kind == KVL_L2_FILL || kind == KVL_L2_WRITE) {
            if (kvl_l2_request_entry(request, i, &data, &len, &ttl_ms, &token, &token_len) != KVL_OK || len > ENTRY)
                abort();
            if (kind == KVL_L2_FILL && has_leases && (token_len != sizeof cell->token || memcmp(token, &cell->token, token_len) != 0)) {
                kvl_l2_request_refused(request, i);
                continue;
            }
            memcpy(cell->entry, data, len);
            seen.fills += kind == KVL_L2_FILL;
        }
        cell->len = (uint8_t)len;
        cell->lease_until = 0;
        cell->token = ++tokens;
        cell->epoch = epoch;
        if (kind != KVL_L2_FILL)
            notify(key_of(&keys[i]), event_->process);
    }
    if (kind == KVL_L2_CLEAR) {
        epoch++;
        notify(UINT64_MAX, event_->process);
    }
    kvl_l2_request_finish(request);
    kvl_l2_request_release(request);
}

static void provide(void *user_data, kvl_request_t *request)
{
    struct event *next = event(LOADED, load_ms, user_data);
    next->request = kvl_request_retain(request);
    seen.loads += kvl_request_len(request);
}

static void load(struct event *event_)
{
    for (size_t i = 0; i < kvl_request_len(event_->request); i++)
        kvl_request_resolve_bytes(event_->request, i, (const uint8_t *)"8 bytes.", 8, NULL);
    kvl_request_finish(event_->request);
    kvl_request_release(event_->request);
}

/* The user data of a fetch is the time at which it began. */
static void fetched(void *user_data, const kvl_result_t *result)
{
    int64_t waited = now_ms - (int64_t)(intptr_t)user_data;

    if (result->status != KVL_VALUE)
        fprintf(stderr, "a fetch has failed: %d\n", (int)result->status), exit(1);
    seen.answered++;
    seen.waited[waited < MOST_LATE ? waited : MOST_LATE - 1]++;
}

static void fetch(struct process *process, uint64_t key)
{
    kvl_value_t *value = NULL;

    seen.fetches++;
    if (kvl_tasks_fetch(process->tasks, (const uint8_t *)&key, sizeof key, NULL, NULL, fetched, (void *)(intptr_t)now_ms, NULL, &value) == KVL_VALUE) {
        seen.answered++;
        seen.local++;
    }
    kvl_value_release(value);
}

static void put(struct process *process, uint64_t key)
{
    seen.written++;
    kvl_cache_put_bytes(process->cache, (const uint8_t *)&key, sizeof key, (const uint8_t *)"written.", 8, NULL);
}

/* ---- Time */

static void run_what_waits(void)
{
    size_t ran;
    do {
        ran = 0;
        kvl_queue_poll(queue, 4096, 0, &ran);
    } while (ran > 0);
}

/* Lets a millisecond pass. */
static void tick(void)
{
    now_ms++;
    kvl_clock_advance(manual, 1);
    run_what_waits();
    while (heap_len > 0 && heap[0]->at <= now_ms) {
        struct event *event_ = first_event();
        switch (event_->kind) {
        case LOOKED_UP: look_up(event_, 0); break;
        case CLAIMED: look_up(event_, 1); break;
        case STORED: store(event_); break;
        case LOADED: load(event_); break;
        case READ_LOG:
            if (read_log(event_->process))
                event(READ_LOG, 1, event_->process);
            else
                event_->process->is_listening = 1, event_->process->is_cut_off = 0;
            break;
        }
        free(event_);
        run_what_waits();
    }
}

/* Lets all processes fetch for a time, and some of them write. */
static void work(int seconds, int writes_per_s)
{
    double fetches = 0, writes = 0;
    for (int64_t until = now_ms + seconds * 1000; now_ms < until;) {
        for (fetches += (double)count * FETCHES_PER_S / 1000; fetches >= 1; fetches--)
            fetch(&processes[random_bits() % (uint64_t)count], zipf());
        for (writes += writes_per_s / 1000.0; writes >= 1; writes--)
            put(&processes[random_bits() % (uint64_t)count], zipf());
        tick();
    }
}

/* Runs until nothing is in progress. */
static void settle(void)
{
    for (int quiet = 0; quiet < 100; quiet = heap_len == 0 ? quiet + 1 : 0)
        tick();
}

static int64_t percentile(const uint64_t *times, double part)
{
    uint64_t all = 0, so_far = 0;
    for (int i = 0; i < MOST_LATE; i++)
        all += times[i];
    for (int i = 0; i < MOST_LATE; i++)
        if ((so_far += times[i]) > 0 && (double)so_far >= part * (double)all)
            return i;
    return 0;
}

static void begin(int processes_)
{
    kvl_config_t *config = NULL;
    kvl_error_t *error = NULL;

    count = processes_;
    cells = calloc(CELLS, sizeof *cells);
    processes = calloc((size_t)count, sizeof *processes);
    if (cells == NULL || processes == NULL || kvl_queue_new(0, &queue) != KVL_OK || kvl_clock_new_manual(1000, &manual) != KVL_OK)
        abort();
    for (int i = 0; i < count; i++) {
        kvl_config_new(&config);
        kvl_config_set_provider(config, provide, &processes[i], NULL);
        kvl_config_set_l2(config, KVL_L2_F_CONDITIONAL | KVL_L2_F_LEASES, serve, &processes[i], NULL);
        kvl_config_set_queue(config, queue, KVL_QUEUE_F_ALL | KVL_QUEUE_F_L2);
        kvl_config_set_clock(config, manual);
        kvl_config_set_int(config, "cache.capacity", ENTRIES);
        kvl_config_set_int(config, "tasks.max_running", 64);
        if (kvl_tasks_new(config, &processes[i].tasks, &error) != KVL_OK)
            fprintf(stderr, "%s\n", kvl_error_message(error)), exit(1);
        kvl_config_free(config);
        kvl_tasks_cache(processes[i].tasks, &processes[i].cache);
        processes[i].is_listening = 1;
    }
}

/* ---- The report */

static void show_fan_out(int seconds)
{
    struct process *sleeper = &processes[0];

    /* 400 fetches in each process: no store of 1,000 entries is full after them. */
    work(WARM_S, 0);
    memset(&seen, 0, sizeof seen);
    /* The sleeper receives no notices meanwhile. */
    sleeper->is_listening = 0;
    sleeper->is_cut_off = 1;
    work(seconds, WRITES_PER_S);
    double all = (double)seen.fetches;
    printf("\n%d processes, %d fetches a second each, %d writes a second in all, for %d s\n", count, FETCHES_PER_S, WRITES_PER_S, seconds);
    printf("  fetches answered by the process's own store %.1f %%, by the servers %.1f %%, by the source %.1f %%\n", 100 * (double)seen.local / all,
           100 * (double)seen.hits / all, 100 * (double)seen.loads / all);
    printf("  lookups in the servers: %.0f a second, %.2f keys each; fills %.0f a second\n", (double)seen.lookups / seconds,
           (double)seen.keys_looked_up / (double)seen.lookups, (double)seen.fills / seconds);
    printf("  each process reads the log %.1f times a second and receives %.1f keys each time, of which it holds %.3f %%\n",
           (double)seen.log_reads / seconds / count, (double)seen.received / (double)seen.log_reads, 100 * (double)seen.held / (double)seen.received);
    printf("  a change arrives after %d ms (p50), %d ms (p99); it costs %.2f us of CPU per key and process\n",
           (int)percentile(seen.late, 0.5), (int)percentile(seen.late, 0.99), seen.busy_s * 1e6 / (double)seen.received);
    memset(&seen, 0, sizeof seen);
    size_t missed = notices_len - sleeper->position;
    int64_t began = now_ms;
    event(READ_LOG, 1, sleeper);
    while (sleeper->is_cut_off)
        tick();
    printf("  a process that was cut off for that time catches up on %zu changes in %d ms, which costs %.1f ms of CPU\n", missed,
           (int)(now_ms - began), seen.busy_s * 1e3);
}

static void show_epoch(void)
{
    printf("\na clear, after which nothing that is stored is valid (loads from the source, and waits for others' loads, in each second)\n");
    settle();
    for (int second = -1; second < 4; second++) {
        if (second == 0)
            kvl_cache_clear(processes[1].cache);
        memset(&seen, 0, sizeof seen);
        work(1, 0);
        printf("  second %2d: %8llu loads, %6llu waits for others' loads, a fetch takes %d ms (p50), %d ms (p99)\n", second, (unsigned long long)seen.loads,
               (unsigned long long)seen.leased, (int)percentile(seen.waited, 0.5), (int)percentile(seen.waited, 0.99));
    }
}

static void show_cold_key(void)
{
    static const int times[] = { 5, 50, 500 };
    static uint64_t key = 1ull << 40;

    printf("\none key that nobody has, fetched by %d processes within 20 ms\n", count);
    for (has_leases = 1; has_leases >= 0; has_leases--)
        for (size_t i = 0; i < sizeof times / sizeof times[0]; i++, key++) {
            settle();
            memset(&seen, 0, sizeof seen);
            load_ms = times[i];
            for (int process = 0; process < count; process++) {
                fetch(&processes[process], key);
                if (process % (count / 20 > 0 ? count / 20 : 1) == 0)
                    tick();
            }
            settle();
            printf("  %s a load of %3d ms: %4llu loads, %6llu lookups in the servers; a fetch takes %d ms (p50), %d ms (p99)\n",
                   has_leases ? "with leases,   " : "without leases,", load_ms, (unsigned long long)seen.loads, (unsigned long long)seen.lookups,
                   (int)percentile(seen.waited, 0.5), (int)percentile(seen.waited, 0.99));
        }
}

int main(int argc, char **argv)
{
    int number = argc > 1 ? atoi(argv[1]) : 1000, seconds = argc > 2 ? atoi(argv[2]) : 10;
    double began = processor_s();

    if (number < 2 || number > MOST_PROCESSES || seconds < 1)
        return fprintf(stderr, "scale [PROCESSES [SECONDS]]\n"), 2;
    begin(number);
    show_fan_out(seconds);
    show_epoch();
    show_cold_key();
    printf("\nThe simulation took %.0f s of CPU time.\n", processor_s() - began);
    for (int i = 0; i < count; i++) {
        kvl_cache_release(processes[i].cache);
        kvl_tasks_dispose(processes[i].tasks);
    }
    run_what_waits();
    kvl_queue_dispose(queue);
    kvl_clock_release(manual);
    return 0;
}
