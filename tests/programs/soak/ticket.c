/* One fetch of the soak: counts what it is told, and at its end whether that was what was promised. */
#include "soak.h"
#include <stdlib.h>
#include <string.h>

struct ticket {
    struct entry *entry;
    size_t n, told, done;
    int lasts, frees, batches, progress;
    /* events of one fetch come one at a time: were they not, this would be seen to be above 1 */
    atomic_int inside;
    /* the library, and the call that gave it the ticket */
    atomic_int holders;
    bool accepted, alone;
    uint8_t seen[MOST_KEYS];
    uint64_t keys[MOST_KEYS];
};

struct ticket *ticket_new(struct entry *entry, const uint64_t *keys, size_t n, bool alone)
{
    struct ticket *ticket = calloc(1, sizeof *ticket);

    if (ticket == NULL)
        abort();
    ticket->entry = entry;
    ticket->n = n;
    ticket->alone = alone;
    memcpy(ticket->keys, keys, n * sizeof *keys);
    atomic_init(&ticket->holders, 2);
    pthread_mutex_lock(&entry->lock);
    entry->in_flight++;
    pthread_mutex_unlock(&entry->lock);
    atomic_fetch_add(&entry->tickets, 1);
    return ticket;
}

static void leave(struct ticket *ticket)
{
    struct entry *entry = ticket->entry;

    if (atomic_fetch_sub(&ticket->holders, 1) != 1)
        return;
    HOLDS(ticket->frees == 1);
    if (ticket->accepted) {
        HOLDS(ticket->told == ticket->n);
        HOLDS(ticket->lasts == 1);
        HOLDS(ticket->alone || ticket->batches == 1);
        /* where progress was asked, it ends with everything, before the batch */
        HOLDS(ticket->progress == 0 || ticket->done == ticket->n);
    } else {
        HOLDS(ticket->told == 0 && ticket->lasts == 0 && ticket->batches == 0 && ticket->progress == 0);
    }
    free(ticket);
    atomic_fetch_add(&entry->tickets_freed, 1);
    pthread_mutex_lock(&entry->lock);
    entry->in_flight--;
    pthread_cond_broadcast(&entry->fewer);
    pthread_mutex_unlock(&entry->lock);
}

void wait_for_fewer(struct entry *entry, int most)
{
    pthread_mutex_lock(&entry->lock);
    while (entry->in_flight > most)
        pthread_cond_wait(&entry->fewer, &entry->lock);
    pthread_mutex_unlock(&entry->lock);
}

void ticket_accepted(struct ticket *ticket, bool accepted)
{
    ticket->accepted = accepted;
    leave(ticket);
}

void ticket_free(void *user_data)
{
    struct ticket *ticket = user_data;

    ticket->frees++;
    leave(ticket);
}

static bool may_fail_with(enum fault fault, kvl_status_t status)
{
    switch (status) {
    case KVL_ERR_CANCELLED: return fault == STORM || fault == FAILS; /* and what fails as a whole */
    case KVL_ERR_CLOSED: return fault == CLOSE;
    case KVL_ERR_PROVIDER: return fault == FAILS;
    case KVL_ERR_UNANSWERED: return fault == FAILS;
    case KVL_ERR_TIMEOUT: return fault == HANGS;
    case KVL_ERR_QUEUE_FULL: return true;
    default: return false;
    }
}

static void tell(struct ticket *ticket, const kvl_result_t *result)
{
    size_t i = result->index;
    uint64_t key;
    uint8_t bytes[VALUE_MAX];

    if (!HOLDS(i < ticket->n))
        return;
    HOLDS(ticket->seen[i] == 0);
    HOLDS(ticket->lasts == 0);
    ticket->seen[i] = 1;
    ticket->told++;
    key = ticket->keys[i];
    HOLDS(result->key_len == sizeof key && memcmp(result->key, &key, sizeof key) == 0);
    HOLDS((result->error != NULL) == (result->status < 0));
    HOLDS((result->value != NULL) == (result->status == KVL_VALUE));
    HOLDS((result->status == KVL_INVALID_KEY) <= key_is_invalid(key));
    switch (result->status) {
    case KVL_VALUE:
        HOLDS(!key_is_absent(key) && !key_is_invalid(key));
        HOLDS(result->data_len == bytes_of(key, bytes) && memcmp(result->data, bytes, result->data_len) == 0);
        break;
    case KVL_NULL:
        HOLDS(key_is_absent(key) && !key_is_invalid(key));
        break;
    case KVL_MISS:
    case KVL_INVALID_KEY:
        break;
    default:
        holds_at(may_fail_with(ticket->entry->fault, result->status), "the status is one of this entry's", result->status, __FILE__, __LINE__);
    }
    atomic_fetch_add(&ticket->entry->told, 1);
}

static void enter(struct ticket *ticket)
{
    HOLDS(atomic_fetch_add(&ticket->inside, 1) == 0);
    HOLDS(ticket->frees == 0);
    if (ticket->entry->fault == SLOW && ticket->told % 64 == 63) {
        pause_for_us(100);
    }
}

void ticket_result(void *user_data, const kvl_result_t *result)
{
    struct ticket *ticket = user_data;

    enter(ticket);
    HOLDS(ticket->alone);
    tell(ticket, result);
    /* the last is marked, and it is the last */
    if (result->flags & KVL_F_LAST)
        ticket->lasts++;
    HOLDS(((result->flags & KVL_F_LAST) != 0) == (ticket->told == ticket->n));
    atomic_fetch_sub(&ticket->inside, 1);
}

void ticket_results(void *user_data, kvl_results_t *results)
{
    struct ticket *ticket = user_data;
    size_t i;

    enter(ticket);
    HOLDS(!ticket->alone);
    HOLDS(kvl_results_len(results) == ticket->n);
    for (i = 0; i < kvl_results_len(results); i++) {
        const kvl_result_t *result = kvl_results_at(results, i);
        HOLDS(result->index == i);
        tell(ticket, result);
    }
    HOLDS(kvl_results_count(results, KVL_COUNT_VALUES) + kvl_results_count(results, KVL_COUNT_NULLS) +
              kvl_results_count(results, KVL_COUNT_INVALID) + kvl_results_count(results, KVL_COUNT_FAILED) +
              kvl_results_count_status(results, KVL_MISS) == ticket->n);
    ticket->batches++;
    ticket->lasts++;
    atomic_fetch_sub(&ticket->inside, 1);
}

void ticket_progress(void *user_data, size_t done, size_t failed, size_t total)
{
    struct ticket *ticket = user_data;

    enter(ticket);
    HOLDS(total == ticket->n && done <= total && failed <= done);
    HOLDS(done >= ticket->done);
    HOLDS(ticket->batches == 0);
    ticket->done = done;
    ticket->progress++;
    atomic_fetch_sub(&ticket->inside, 1);
}
