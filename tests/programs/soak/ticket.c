/* One fetch of the soak test: counts the events, and checks at the end that they are those that were promised. */
#include "soak.h"
#include <stdlib.h>
#include <string.h>

struct ticket {
    struct entry *entry;
    size_t n, delivered, done;
    int last_events, frees, batches, progress;
    /* the events of one fetch are delivered one at a time, so this never exceeds 1 */
    atomic_int running_callbacks;
    /* the library, and the call that passed the ticket to it */
    atomic_int holders;
    bool accepted, alone;
    uint8_t seen[MAX_FETCH_KEYS];
    uint64_t keys[MAX_FETCH_KEYS];
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

static void drop_ticket(struct ticket *ticket)
{
    struct entry *entry = ticket->entry;

    if (atomic_fetch_sub(&ticket->holders, 1) != 1)
        return;
    CHECK(ticket->frees == 1);
    if (ticket->accepted) {
        CHECK(ticket->delivered == ticket->n);
        CHECK(ticket->last_events == 1);
        CHECK(ticket->alone || ticket->batches == 1);
        /* Progress, if it was requested, reaches the total before the batch is delivered. */
        CHECK(ticket->progress == 0 || ticket->done == ticket->n);
    } else {
        CHECK(ticket->delivered == 0 && ticket->last_events == 0 && ticket->batches == 0 && ticket->progress == 0);
    }
    free(ticket);
    atomic_fetch_add(&entry->tickets_freed, 1);
    pthread_mutex_lock(&entry->lock);
    entry->in_flight--;
    pthread_cond_broadcast(&entry->fewer);
    pthread_mutex_unlock(&entry->lock);
}

void wait_for_fewer(struct entry *entry, int max)
{
    pthread_mutex_lock(&entry->lock);
    while (entry->in_flight > max)
        pthread_cond_wait(&entry->fewer, &entry->lock);
    pthread_mutex_unlock(&entry->lock);
}

void ticket_accepted(struct ticket *ticket, bool accepted)
{
    ticket->accepted = accepted;
    drop_ticket(ticket);
}

void ticket_free(void *user_data)
{
    struct ticket *ticket = user_data;

    ticket->frees++;
    drop_ticket(ticket);
}

static bool may_fail_with(enum fault fault, kvl_status_t status)
{
    switch (status) {
    case KVL_ERR_CANCELLED: return fault == STORM || fault == FAILS; /* also of all-or-nothing batches */
    case KVL_ERR_CLOSED: return fault == CLOSE;
    case KVL_ERR_PROVIDER: return fault == FAILS || fault == OUTAGE;
    case KVL_ERR_UNAVAILABLE: return fault == OUTAGE;
    case KVL_ERR_UNANSWERED: return fault == FAILS;
    case KVL_ERR_TIMEOUT: return fault == HANGS;
    case KVL_ERR_QUEUE_FULL: return true;
    default: return false;
    }
}

static void check_result(struct ticket *ticket, const kvl_result_t *result)
{
    size_t i = result->index;
    uint64_t key;
    uint8_t bytes[VALUE_MAX];

    if (!CHECK(i < ticket->n))
        return;
    CHECK(ticket->seen[i] == 0);
    CHECK(ticket->last_events == 0);
    ticket->seen[i] = 1;
    ticket->delivered++;
    key = ticket->keys[i];
    CHECK(result->key_len == sizeof key && memcmp(result->key, &key, sizeof key) == 0);
    if (result->flags & KVL_F_STALE) {
        CHECK(ticket->entry->fault == OUTAGE && result->status >= 0 && result->source == KVL_SOURCE_STALE);
        atomic_fetch_add(&ticket->entry->stale, 1);
    } else {
        CHECK((result->error != NULL) == (result->status < 0));
    }
    CHECK((result->value != NULL) == (result->status == KVL_VALUE));
    CHECK(result->status != KVL_INVALID_KEY || key_is_invalid(key));
    switch (result->status) {
    case KVL_VALUE:
        CHECK(!key_is_absent(key) && !key_is_invalid(key));
        CHECK(result->data_len == bytes_of(key, bytes) && memcmp(result->data, bytes, result->data_len) == 0);
        break;
    case KVL_NULL:
        CHECK(key_is_absent(key) && !key_is_invalid(key));
        break;
    case KVL_MISS:
    case KVL_INVALID_KEY:
        break;
    default:
        check_at(may_fail_with(ticket->entry->fault, result->status), "the fault allows the status", result->status, __FILE__, __LINE__);
    }
    atomic_fetch_add(&ticket->entry->delivered, 1);
}

static void begin_callback(struct ticket *ticket)
{
    CHECK(atomic_fetch_add(&ticket->running_callbacks, 1) == 0);
    CHECK(ticket->frees == 0);
    if (ticket->entry->fault == SLOW && ticket->delivered % 64 == 63) {
        pause_for_us(100);
    }
}

void ticket_result(void *user_data, const kvl_result_t *result)
{
    struct ticket *ticket = user_data;

    begin_callback(ticket);
    CHECK(ticket->alone);
    check_result(ticket, result);
    /* The last event is marked, and no other. */
    if (result->flags & KVL_F_LAST)
        ticket->last_events++;
    CHECK(((result->flags & KVL_F_LAST) != 0) == (ticket->delivered == ticket->n));
    atomic_fetch_sub(&ticket->running_callbacks, 1);
}

void ticket_results(void *user_data, kvl_results_t *results)
{
    struct ticket *ticket = user_data;
    size_t i;

    begin_callback(ticket);
    CHECK(!ticket->alone);
    CHECK(kvl_results_len(results) == ticket->n);
    for (i = 0; i < kvl_results_len(results); i++) {
        const kvl_result_t *result = kvl_results_at(results, i);
        CHECK(result->index == i);
        check_result(ticket, result);
    }
    CHECK(kvl_results_count(results, KVL_COUNT_VALUES) + kvl_results_count(results, KVL_COUNT_NULLS) +
              kvl_results_count(results, KVL_COUNT_INVALID) + kvl_results_count(results, KVL_COUNT_FAILED) +
              kvl_results_count_status(results, KVL_MISS) == ticket->n);
    ticket->batches++;
    ticket->last_events++;
    atomic_fetch_sub(&ticket->running_callbacks, 1);
}

void ticket_progress(void *user_data, size_t done, size_t failed, size_t total)
{
    struct ticket *ticket = user_data;

    begin_callback(ticket);
    CHECK(total == ticket->n && done <= total && failed <= done);
    CHECK(done >= ticket->done);
    CHECK(ticket->batches == 0);
    ticket->done = done;
    ticket->progress++;
    atomic_fetch_sub(&ticket->running_callbacks, 1);
}
