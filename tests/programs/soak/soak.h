/* What the rooms of the soak share. One workload, run over a matrix of routes, numbers of submitters, and faults:
 *
 *   main.c      the matrix, and engines that come and go
 *   entry.c     one entry of the matrix: the engine, its submitters, what must hold when all is quiet
 *   ticket.c    one fetch: exactly the promised events, once each, the last marked, its user data freed once
 *   provider.c  the provider and what goes wrong with it
 *   reader.c    the thread that drains the queue
 *
 * A key is 8 bytes, a number below KEYS. The number says what the truth about it is, so that every answer can be checked.
 */
#ifndef KVL_SOAK_H
#define KVL_SOAK_H

#define _GNU_SOURCE
#include "../system.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

/* How a thread of the program reads the queue. */
enum mode { POLL, NEXT, WAKE, MODES };
enum fault { STORM, CLOSE, FAILS, HANGS, TWICE, EIGHT, SLOW, FAULTS };

/* Every mixture of KVL_QUEUE_F_*: what is not in it goes to threads of the library. */
enum { ROUTES = KVL_QUEUE_F_ALL + 1 };

extern const char *const mode_names[MODES];
extern const char *const fault_names[FAULTS];

enum { KEYS = 6000, CAPACITY = 3000, MAX_RUNNING = 3, MAX_ABANDONED = 4, MOST_KEYS = 24 };

/* ---- the truth about a key */

bool key_is_invalid(uint64_t key);
bool key_is_absent(uint64_t key);
/* Writes the value's bytes, at most VALUE_MAX, and returns how many. */
enum { VALUE_MAX = 96 };
size_t bytes_of(uint64_t key, uint8_t *bytes);
kvl_value_t *value_of(uint64_t key);

/* ---- one entry of the matrix */

struct entry {
    uint32_t routes;
    enum mode mode;
    enum fault fault;
    kvl_tasks_t *tasks;
    kvl_cache_t *cache;
    kvl_queue_t *queue;

    /* what was promised, and what came */
    atomic_ullong positions, told, tickets, tickets_freed;
    /* the host's own count of what statistics count */
    atomic_ullong lookups, refused, plain_misses, removals;
    atomic_uint closed_told, provider_freed, listener_freed;
    /* how far the submitters are; a close comes in the middle */
    atomic_ullong submitted, wanted;

    /* requests with the provider; never more than there are slots for */
    atomic_int with_provider;
    struct provider *provider;

    /* tickets in flight: submitters wait when there are too many */
    pthread_mutex_t lock;
    pthread_cond_t fewer;
    int in_flight;
};

/* ---- what does not hold is said once and counted */

extern atomic_int failures;
bool holds_at(bool holds, const char *what, long long is, const char *file, int line);
#define HOLDS(what) holds_at((what), #what, 0, __FILE__, __LINE__)
#define SAYS(call, wanted) says_at((call), (wanted), #call, __FILE__, __LINE__)
bool says_at(kvl_status_t is, kvl_status_t wanted, const char *what, const char *file, int line);

uint64_t random_of(uint64_t *state);

/* ---- tickets */

struct ticket;
struct ticket *ticket_new(struct entry *entry, const uint64_t *keys, size_t n, bool alone);
void ticket_result(void *ticket, const kvl_result_t *result);
void ticket_results(void *ticket, kvl_results_t *results);
void ticket_progress(void *ticket, size_t done, size_t failed, size_t total);
void ticket_free(void *ticket);
/* The call that took the ticket has returned: whether it promised events. */
void ticket_accepted(struct ticket *ticket, bool accepted);
void wait_for_fewer(struct entry *entry, int most);

/* ---- provider */

struct provider *provider_start(struct entry *entry);
void provide(void *entry, kvl_request_t *request);
/* Answers all that was kept back; what is kept later is answered at once. */
void provider_give_in(struct provider *provider);
void provider_stop(struct provider *provider);

/* ---- reader */

struct reader;
struct reader *reader_start(struct entry *entry);
void reader_stop(struct reader *reader);

/* ---- hooks */

void hear_removal(void *entry, const kvl_result_t *result, kvl_cause_t cause);
void hear_closed(void *entry);

/* Whether the events of a route are taken out of the queue one by one, so that there is no function for them. */
static inline bool is_pulled(const struct entry *entry, uint32_t route)
{
    return entry->mode == NEXT && (entry->routes & route) != 0;
}

/* Runs one entry with that many keys; true if all held. */
bool run_entry(uint32_t routes, enum mode mode, int submitters, enum fault fault, unsigned long long keys, uint64_t seed);

#endif
