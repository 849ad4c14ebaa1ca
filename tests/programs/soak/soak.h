/* Shared by the files of the soak test. One workload, run over a matrix of routes, numbers of submitters, and faults:
 *
 *   main.c      the matrix, and many engines created and freed in turn
 *   entry.c     one entry of the matrix: the engine, its submitters, and the checks once nothing is running
 *   ticket.c    one fetch: exactly the promised events, once each, the last marked, its user data freed once
 *   provider.c  the provider and its faults
 *   reader.c    the thread that drains the queue
 *
 * A key is a number below KEYS in 8 bytes. The number determines the right answer, so that every answer can be checked.
 */
#ifndef KVL_SOAK_H
#define KVL_SOAK_H

#define _GNU_SOURCE
#include "../system.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

/* How a thread of the program reads the queue: by kvl_queue_poll when the descriptor is readable, by kvl_queue_next, or by
 * kvl_queue_poll when the wake function was called. */
enum mode { POLL, NEXT, WAKE, MODES };
/* Many cancels; a close in the middle; a provider that fails, hangs, answers twice, or answers from eight threads; slow callbacks; an outage in
 * the middle. */
enum fault { STORM, CLOSE, FAILS, HANGS, TWICE, EIGHT, SLOW, OUTAGE, FAULTS };

/* The number of combinations of KVL_QUEUE_F_*. Events that are not routed to the queue go to threads of the library. */
enum { ROUTES = KVL_QUEUE_F_ALL + 1 };

extern const char *const mode_names[MODES];
extern const char *const fault_names[FAULTS];

enum { KEYS = 6000, CAPACITY = 3000, MAX_RUNNING = 3, MAX_ABANDONED = 4, MAX_FETCH_KEYS = 24 };

/* ---- the right answer for a key */

bool key_is_invalid(uint64_t key);
bool key_is_absent(uint64_t key);
/* Writes the value's bytes, at most VALUE_MAX, and returns how many. */
enum { VALUE_MAX = 96 };
size_t bytes_of(uint64_t key, uint8_t *bytes);
kvl_value_t *value_of(uint64_t key);
/* The tag of the values that the provider loads for the key: one of 64. */
kvl_slice_t tag_of(uint64_t key);

/* ---- one entry of the matrix */

struct entry {
    uint32_t routes;
    enum mode mode;
    enum fault fault;
    kvl_tasks_t *tasks;
    kvl_cache_t *cache;
    kvl_queue_t *queue;

    /* positions that were accepted, and delivered; tickets that were created, and freed */
    atomic_ullong positions, delivered, tickets, tickets_freed;
    /* the program's own counts of what the statistics count */
    atomic_ullong lookups, refused, plain_misses, removals, stale;
    atomic_uint closed_events, provider_freed, listener_freed;
    /* the numbers of keys submitted, and to be submitted; CLOSE closes half way */
    atomic_ullong submitted, wanted;

    /* requests that the provider holds; never more than there are slots */
    atomic_int with_provider;
    /* requests whose first key failed because the provider was down */
    atomic_ullong failed_while_down;
    struct provider *provider;

    /* tickets in flight: submitters wait when there are too many */
    pthread_mutex_t lock;
    pthread_cond_t fewer;
    int in_flight;
};

/* ---- checks: a failure is printed and counted */

extern atomic_int failures;
bool check_at(bool holds, const char *what, long long number, const char *file, int line);
#define CHECK(what) check_at((what), #what, 0, __FILE__, __LINE__)
#define CHECK_STATUS(call, wanted) check_status_at((call), (wanted), #call, __FILE__, __LINE__)
bool check_status_at(kvl_status_t got, kvl_status_t wanted, const char *what, const char *file, int line);

uint64_t random_of(uint64_t *state);

/* ---- tickets */

/* One fetch. `alone`: its results come one by one, not together. */
struct ticket;
struct ticket *ticket_new(struct entry *entry, const uint64_t *keys, size_t n, bool alone);
void ticket_result(void *ticket, const kvl_result_t *result);
void ticket_results(void *ticket, kvl_results_t *results);
void ticket_progress(void *ticket, size_t done, size_t failed, size_t total);
void ticket_free(void *ticket);
/* Records that the call with this ticket has returned, and whether it promised events. */
void ticket_accepted(struct ticket *ticket, bool accepted);
/* Waits until at most `max` tickets are in flight. */
void wait_for_fewer(struct entry *entry, int max);

/* ---- provider */

struct provider *provider_start(struct entry *entry);
void provide(void *entry, kvl_request_t *request);
/* Lets the workers answer all requests that were kept back. From then on none is kept back. */
void provider_answer_kept(struct provider *provider);
void provider_stop(struct provider *provider);

/* ---- reader */

struct reader;
struct reader *reader_start(struct entry *entry);
void reader_stop(struct reader *reader);

/* ---- hooks */

void on_removal(void *entry, const kvl_result_t *result, kvl_cause_t cause);
void on_closed(void *entry);

/* Whether the events of a route are taken by kvl_queue_next, so that no callback is set for them. */
static inline bool is_pulled(const struct entry *entry, uint32_t route)
{
    return entry->mode == NEXT && (entry->routes & route) != 0;
}

/* Whether the provider is in its outage, which lasts for the middle fifth of the keys. */
static inline bool is_down(const struct entry *entry)
{
    unsigned long long submitted = atomic_load(&entry->submitted), wanted = atomic_load(&entry->wanted);

    return entry->fault == OUTAGE && submitted > wanted / 5 * 2 && submitted < wanted / 5 * 3;
}

/* What happened in all entries with a long outage: requests that were repeated, entries that were refreshed ahead, and requests that waited for
 * the rate limit. */
struct outage_counts {
    atomic_ullong hedges, refreshes, rate_waits;
};
extern struct outage_counts outage_counts;

/* Runs one entry with that many keys. Returns whether every check held. */
bool run_entry(uint32_t routes, enum mode mode, int submitters, enum fault fault, unsigned long long keys, uint64_t seed);

#endif
