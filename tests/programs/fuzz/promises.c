/* The checks that hold after any sequence of calls. A failed check aborts, and libFuzzer keeps the input. */
#include "machine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void must(bool holds, const char *what, long long number, const char *file, int line)
{
    if (holds)
        return;
    fprintf(stderr, "%s:%d: does not hold: %s (%lld)\n", file, line, what, number);
    abort();
}

void must_say(kvl_status_t got, kvl_status_t wanted, const char *what, const char *file, int line)
{
    if (got == wanted)
        return;
    fprintf(stderr, "%s:%d: says %s, not %s: %s\n", file, line, kvl_status_name(got), kvl_status_name(wanted), what);
    abort();
}

kvl_status_t sane(kvl_status_t status)
{
    must(status != KVL_ERR_PANIC && strcmp(kvl_status_name(status), "KVL_UNKNOWN") != 0, "a status of the table, and no internal error", status,
         __FILE__, __LINE__);
    return status;
}

kvl_slice_t key_of(uint8_t i)
{
    static const char *const names[KEYS] = {"", "a", "b", "c", "dd", "ee", "f", "g", "h with a long name that is not kept inline", "\xff\x01", "INVALID", NULL};
    static uint8_t too_long[KVL_KEY_MAX + 1];

    i %= KEYS;
    if (names[i] == NULL)
        return (kvl_slice_t){too_long, sizeof too_long};
    return (kvl_slice_t){i == 0 ? NULL : (const uint8_t *)names[i], strlen(names[i])};
}

struct ticket {
    struct machine *machine;
    size_t n, delivered, done;
    int last_events, frees, batches, progress;
    /* the library, and the call that passed the ticket to it */
    atomic_int holders;
    bool accepted, alone;
    uint8_t seen[MOST_KEYS], keys[MOST_KEYS];
};

struct ticket *ticket_new(struct machine *machine, const uint8_t *keys, size_t n, bool alone)
{
    struct ticket *ticket = calloc(1, sizeof *ticket);

    MUST(ticket != NULL);
    *ticket = (struct ticket){.machine = machine, .n = n, .alone = alone};
    atomic_init(&ticket->holders, 2);
    memcpy(ticket->keys, keys, n);
    machine->tickets++;
    return ticket;
}

static void drop_holder(struct ticket *ticket)
{
    if (atomic_fetch_sub(&ticket->holders, 1) > 1)
        return;
    MUST(ticket->frees == 1);
    if (ticket->accepted) {
        must(ticket->delivered == ticket->n, "each position is delivered once", (long long)ticket->delivered, __FILE__, __LINE__);
        MUST(ticket->last_events == 1);
        MUST(ticket->alone || ticket->batches == 1);
        MUST(ticket->progress == 0 || ticket->done == ticket->n);
    } else {
        MUST(ticket->delivered == 0 && ticket->progress == 0 && ticket->batches == 0);
    }
    ticket->machine->tickets_freed++;
    free(ticket);
}

void ticket_accepted(struct ticket *ticket, bool accepted)
{
    ticket->accepted = accepted;
    /* Nothing is delivered inside a call, except by a thread of the library. */
    if (machine_routes & KVL_QUEUE_F_RESULTS) {
        MUST(ticket->delivered == 0 && ticket->progress == 0 && ticket->batches == 0);
        MUST(accepted == (ticket->frees == 0));
    }
    drop_holder(ticket);
}

void ticket_free(void *user_data)
{
    struct ticket *ticket = user_data;

    MUST(++ticket->frees == 1);
    drop_holder(ticket);
}

static void check_result(struct ticket *ticket, const kvl_result_t *result)
{
    kvl_slice_t key;

    MUST(result->struct_size == sizeof *result);
    MUST(result->index < ticket->n && ticket->seen[result->index] == 0);
    ticket->seen[result->index] = 1;
    ticket->delivered++;
    key = key_of(ticket->keys[result->index]);
    MUST(result->key_len == key.len && (key.len == 0 || memcmp(result->key, key.data, key.len) == 0));
    MUST((result->error != NULL) == (result->status < 0));
    MUST((result->value != NULL) == (result->status == KVL_VALUE));
    MUST(result->status >= 0 || kvl_error_status(result->error) == result->status);
    MUST((ticket->keys[result->index] == INVALID) == (result->status == KVL_INVALID_KEY));
    sane(result->status);
}

void ticket_result(void *user_data, const kvl_result_t *result)
{
    struct ticket *ticket = user_data;

    MUST(ticket->alone && ticket->last_events == 0);
    check_result(ticket, result);
    if (result->flags & KVL_F_LAST)
        ticket->last_events++;
    MUST(((result->flags & KVL_F_LAST) != 0) == (ticket->delivered == ticket->n));
    machine_step(ticket->machine);
}

void ticket_results(void *user_data, kvl_results_t *results)
{
    struct ticket *ticket = user_data;
    size_t i, stride = 0, failed = 0;
    const kvl_result_t *first = kvl_results_array(results, &stride);

    MUST(!ticket->alone && ticket->batches == 0 && kvl_results_len(results) == ticket->n);
    MUST(stride >= sizeof *first && (first == NULL) == (ticket->n == 0));
    for (i = 0; i < ticket->n; i++) {
        const kvl_result_t *result = kvl_results_at(results, i);
        MUST(result->index == i && (const uint8_t *)result == (const uint8_t *)first + i * stride);
        failed += result->status < 0;
        check_result(ticket, result);
    }
    MUST(kvl_results_count(results, KVL_COUNT_FAILED) == failed && (kvl_results_error_len(results) > 0) == (failed > 0));
    sane(kvl_results_status(results));
    ticket->batches++;
    ticket->last_events++;
    machine_step(ticket->machine);
}

void ticket_progress(void *user_data, size_t done, size_t failed, size_t total)
{
    struct ticket *ticket = user_data;

    MUST(total == ticket->n && done >= ticket->done && done <= total && failed <= done && ticket->batches == 0);
    ticket->done = done;
    ticket->progress++;
    machine_step(ticket->machine);
}

void check_store(struct machine *machine)
{
    uint64_t cost = 0, one;
    size_t entries = 0, len = kvl_cache_len(machine->cache), total = kvl_cache_cost(machine->cache);
    uint8_t i;

    for (i = 0; i < KEYS - 1; i++) {
        kvl_slice_t key = key_of(i);
        kvl_status_t status = sane(kvl_cache_peek(machine->cache, key.data, key.len, NULL, NULL, &one));
        if (status == KVL_VALUE || status == KVL_NULL) {
            entries++;
            /* Sums saturate at the end of their range. */
            cost = one > UINT64_MAX - cost ? UINT64_MAX : cost + one;
            MUST(machine->cost_limit < 0 || one <= kvl_cache_max_cost(machine->cache));
        }
    }
    must(entries == len, "the length is the number of entries", (long long)len - (long long)entries, __FILE__, __LINE__);
    must(cost == total, "the cost is the sum of the entries' costs", (long long)(total - cost), __FILE__, __LINE__);
    MUST((int64_t)len <= machine->capacity);
    MUST(machine->cost_limit < 0 || cost <= (uint64_t)machine->cost_limit);
}
