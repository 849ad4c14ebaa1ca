/* An engine driven by bytes, which select the calls and their arguments. It has one thread, a manual clock, and a queue for all events, so
 * that the same bytes always cause the same calls. Only the target "routes" leaves some events to threads of the library: code on those
 * threads uses random numbers instead of the bytes, calls only functions of its request, and must have ended when the engine is closed.
 *
 *   machine.c   the calls
 *   promises.c  the checks: each fetch is delivered exactly once, costs add up, no internal error
 */
#ifndef KVL_FUZZ_MACHINE_H
#define KVL_FUZZ_MACHINE_H

#include <kvlight.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { KEYS = 12, HANDLES = 4, REQUESTS = 4, MOST_KEYS = 9 };

struct bytes {
    const uint8_t *at, *end;
};

/* The next byte, or 0 at the end of the input. */
uint8_t next_of(struct bytes *bytes);

struct machine {
    struct bytes bytes;
    kvl_clock_t *clock;
    kvl_queue_t *queue;
    kvl_tasks_t *tasks;
    kvl_cache_t *cache;
    kvl_reader_t *reader;
    kvl_fetch_t *handles[HANDLES];
    kvl_request_t *requests[REQUESTS]; /* protected by `lock` */
    pthread_mutex_t lock;
    /* the thread that the bytes drive, and the random state of the other threads */
    pthread_t driver;
    atomic_uint_least64_t drawn;
    /* how deeply calls of machine_step() are nested */
    int depth;
    bool closed;
    /* what was created or promised, and what was freed or reported */
    atomic_int tickets, tickets_freed, objects, objects_freed, closes_reported, closes;
    /* misses of lookups that are not fetches, since the statistics were last reset */
    uint64_t missed;
    int64_t capacity, cost_limit;
    /* the setting tasks.max_running */
    int max_running;
};

/* Makes all calls that the bytes select, and calls `check` after each. */
void machine_run(const uint8_t *data, size_t size, void (*check)(struct machine *machine));
extern kvl_runtime_t *machine_runtime;
/* KVL_QUEUE_F_*: the events routed to the queue; all of them unless the target says otherwise. */
extern uint32_t machine_routes;

/* ---- promises */

#define MUST(what) must((what), #what, 0, __FILE__, __LINE__)
#define MUST_SAY(call, wanted) must_say((call), (wanted), #call, __FILE__, __LINE__)
void must(bool holds, const char *what, long long number, const char *file, int line);
void must_say(kvl_status_t got, kvl_status_t wanted, const char *what, const char *file, int line);
/* Checks that the status is no internal error, and returns it. */
kvl_status_t sane(kvl_status_t status);

/* One fetch. `alone`: its results come one by one, not together. */
struct ticket;
struct ticket *ticket_new(struct machine *machine, const uint8_t *keys, size_t n, bool alone);
void ticket_result(void *ticket, const kvl_result_t *result);
void ticket_results(void *ticket, kvl_results_t *results);
void ticket_progress(void *ticket, size_t done, size_t failed, size_t total);
void ticket_free(void *ticket);
void ticket_accepted(struct ticket *ticket, bool accepted);

/* Key number `i`: an empty key, some short ones, one that the validator rejects, and one that is too long. */
kvl_slice_t key_of(uint8_t i);
enum { INVALID = 10, TOO_LONG = 11 };

/* Checks that costs add up and limits hold. */
void check_store(struct machine *machine);

/* Makes one call that the bytes select. Callbacks use it too. */
void machine_step(struct machine *machine);

#endif
