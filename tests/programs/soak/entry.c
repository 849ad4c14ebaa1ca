/* One entry of the matrix: an engine, the threads that submit fetches to it, and the checks once nothing is running. */
#include "soak.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IN_FLIGHT = 300, KEYS_PER_CLOSE = 3000, MAX_SUBMITTERS = 4 };
/* MAX_BEFORE_OPEN requests may reach a provider that is down before the breaker opens. With KEYS_OF_A_LONG_OUTAGE keys or more, an outage is
 * long enough for each setting to have an effect. */
enum { BREAKER_CONSECUTIVE = 5, MAX_BEFORE_OPEN = (MAX_RUNNING + 1) * BREAKER_CONSECUTIVE + 2 * MAX_RUNNING, KEYS_OF_A_LONG_OUTAGE = 20000 };

struct outage_counts outage_counts;

struct submitter {
    struct entry *entry;
    pthread_t thread;
    uint64_t random;
    kvl_options_t *progress, *short_timeout, *cache_only, *no_store, *refresh, *all_or_nothing;
    kvl_fetch_t *before; /* the handle of the previous fetch; may be NULL */
};

/* ---- the right answer for a key */

bool key_is_invalid(uint64_t key) { return key % 64 == 1; }
bool key_is_absent(uint64_t key) { return key % 16 == 3; }

size_t bytes_of(uint64_t key, uint8_t *bytes)
{
    size_t len = sizeof key + key * 31 % (VALUE_MAX - sizeof key);

    memset(bytes, (int)(key % 251), len);
    memcpy(bytes, &key, sizeof key);
    return len;
}

kvl_slice_t tag_of(uint64_t key)
{
    static const uint8_t tags[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-";

    return (kvl_slice_t){&tags[key % 64], 1};
}

kvl_value_t *value_of(uint64_t key)
{
    uint8_t bytes[VALUE_MAX];
    kvl_value_t *value = NULL;

    if (key_is_absent(key))
        return kvl_value_null();
    CHECK_STATUS(kvl_value_new_bytes(bytes, bytes_of(key, bytes), &value), KVL_OK);
    return value;
}

/* ---- hooks */

static bool all_removals_are_reported(struct entry *entry);
static bool all_tickets_are_freed(struct entry *entry);

static uint32_t validate(void *user_data, const uint8_t *key, size_t len)
{
    uint64_t number;

    (void)user_data;
    if (len != sizeof number)
        return 0;
    memcpy(&number, key, len);
    return !key_is_invalid(number);
}

void on_removal(void *user_data, const kvl_result_t *result, kvl_cause_t cause)
{
    struct entry *entry = user_data;

    CHECK(cause >= KVL_CAUSE_EXPIRED && cause <= KVL_CAUSE_TAG);
    CHECK(result->key_len == sizeof(uint64_t));
    atomic_fetch_add(&entry->removals, 1);
}

/* The last event: after it no other code of the program may be called for this engine, on any route. */
void on_closed(void *user_data)
{
    struct entry *entry = user_data;

    if (entry->fault != CLOSE) {
        CHECK(all_tickets_are_freed(entry));
        CHECK(all_removals_are_reported(entry));
    }
    atomic_fetch_add(&entry->closed_events, 1);
}

static void free_provider(void *user_data) { atomic_fetch_add(&((struct entry *)user_data)->provider_freed, 1); }
static void free_listener(void *user_data) { atomic_fetch_add(&((struct entry *)user_data)->listener_freed, 1); }

/* ---- the engine */

static void set(kvl_config_t *config, const char *key, const char *value)
{
    CHECK_STATUS(kvl_config_set(config, key, value), KVL_OK);
}

static void make_engine(struct entry *entry, uint64_t seed)
{
    kvl_config_t *config = NULL;
    kvl_error_t *error = NULL;

    CHECK_STATUS(kvl_config_new(&config), KVL_OK);
    CHECK_STATUS(kvl_config_set_int(config, "cache.capacity", CAPACITY), KVL_OK);
    CHECK_STATUS(kvl_config_set_int(config, "tasks.max_running", MAX_RUNNING), KVL_OK);
    CHECK_STATUS(kvl_config_set_int(config, "tasks.max_abandoned", MAX_ABANDONED), KVL_OK);
    CHECK_STATUS(kvl_config_set_int(config, "cache.seed", (int64_t)(seed & 0xffff)), KVL_OK);
    set(config, "batch.max_keys", "8");
    set(config, "cache.cost_limit", "600000");
    if (seed % 2 == 0)
        set(config, "queue.order", "fifo");
    if (seed % 3 == 0)
        set(config, "cache.shards", "4");
    if (seed / 2 % 2 == 0)
        set(config, "cache.policy", "s3fifo");
    switch (entry->fault) {
    case STORM: set(config, "queue.max_keys", "64"); break;
    case FAILS:
        set(config, "retry.count", "1");
        set(config, "retry.fixed_ms", "1");
        break;
    case HANGS: set(config, "attempt_timeout_ms", "10"); break;
    case TWICE:
        set(config, "cache.ttl_ms", "20");
        set(config, "cache.ttl_jitter_ms", "10");
        break;
    case EIGHT: set(config, "cache.idle_ttl_ms", "30"); break;
    case CLOSE: set(config, "batch.linger_us", "1000"); break;
    case OUTAGE:
        set(config, "cache.ttl_ms", "5");
        set(config, "stale.ttl_ms", "60000");
        set(config, "stale.retry_ms", "2");
        set(config, "stale.timeout_ms", seed % 2 == 0 ? "1" : "-1");
        set(config, "refresh.after", "0.5");
        CHECK_STATUS(kvl_config_set_int(config, "breaker.consecutive", BREAKER_CONSECUTIVE), KVL_OK);
        set(config, "breaker.open_ms", "3");
        set(config, "tasks.limit", seed % 3 == 0 ? "fixed" : "adaptive");
        set(config, "rate.requests_per_s", "2000");
        set(config, "rate.burst", "2");
        set(config, "hedge.after_ms", "1");
        set(config, "hedge.max_ratio", "1");
        break;
    default: break;
    }
    CHECK_STATUS(kvl_config_set_validator(config, validate, entry, NULL), KVL_OK);
    CHECK_STATUS(kvl_config_set_provider(config, is_pulled(entry, KVL_QUEUE_F_PROVIDER) ? NULL : provide, entry, free_provider), KVL_OK);
    CHECK_STATUS(kvl_config_set_removal_listener(config, is_pulled(entry, KVL_QUEUE_F_REMOVALS) ? NULL : on_removal, entry,
                                         free_listener), KVL_OK);
    if (entry->routes != 0) {
        CHECK_STATUS(kvl_queue_new(seed % 4 == 1 ? KVL_QUEUE_NEW_PIPE : 0, &entry->queue), KVL_OK);
        CHECK_STATUS(kvl_config_set_queue(config, entry->queue, entry->routes), KVL_OK);
    }
    CHECK_STATUS(kvl_tasks_new(config, &entry->tasks, &error), KVL_OK);
    kvl_error_release(error);
    kvl_config_free(config);
    CHECK_STATUS(kvl_tasks_cache(entry->tasks, &entry->cache), KVL_OK);
}

/* ---- submitters */

static kvl_options_t *options(const char *key, const char *value)
{
    kvl_options_t *options = NULL;

    CHECK_STATUS(kvl_options_new(&options), KVL_OK);
    CHECK_STATUS(kvl_options_set(options, key, value), KVL_OK);
    return options;
}

static const kvl_options_t *pick_options(struct submitter *me, bool batch)
{
    switch (random_of(&me->random) % 12) {
    case 0: return batch ? me->progress : NULL;
    case 1: return me->entry->fault == HANGS ? me->short_timeout : NULL;
    case 2: return me->cache_only;
    case 3: return me->no_store;
    case 4: return me->refresh;
    case 5: return batch && me->entry->fault == FAILS ? me->all_or_nothing : NULL;
    default: return NULL;
    }
}

/* Checks and counts what a call that fetches returned: events follow, the call has answered, or it failed in a way that the fault allows. */
static void record_status(struct submitter *me, struct ticket *ticket, kvl_status_t status, size_t n)
{
    struct entry *entry = me->entry;
    bool pending = status == KVL_PENDING, at_once = status == KVL_OK || status == KVL_VALUE || status == KVL_NULL || status == KVL_INVALID_KEY;

    check_at(pending || at_once || (status == KVL_ERR_CANCELLED && entry->fault == STORM) || (status == KVL_ERR_CLOSED && entry->fault == CLOSE),
             "a fetch is accepted", status, __FILE__, __LINE__);
    if (pending)
        atomic_fetch_add(&entry->positions, n);
    if (pending || at_once)
        atomic_fetch_add(&entry->lookups, n);
    if (status == KVL_ERR_CLOSED)
        atomic_fetch_add(&entry->refused, n);
    ticket_accepted(ticket, pending);
}

static void fetch(struct submitter *me, const uint64_t *keys, const kvl_slice_t *slices, size_t n)
{
    struct entry *entry = me->entry;
    bool pulls = is_pulled(entry, KVL_QUEUE_F_RESULTS);
    uint64_t dice = random_of(&me->random) % 8, storm = random_of(&me->random) % 16;
    kvl_fetch_t *fetch = NULL;
    kvl_value_t *value = NULL;
    kvl_results_t *ready = NULL;
    struct ticket *ticket;

    wait_for_fewer(entry, IN_FLIGHT);
    if (entry->fault == STORM || dice % 2 == 0)
        CHECK_STATUS(kvl_fetch_new(&fetch), KVL_OK);
    if (entry->fault == STORM && storm < 2)
        CHECK_STATUS(kvl_fetch_cancel(fetch), KVL_OK);
    if (fetch != NULL && storm == 5)
        CHECK_STATUS(kvl_fetch_set_urgency(fetch, (int32_t)storm), KVL_OK);
    if (dice < 3) {
        ticket = ticket_new(entry, keys, 1, true);
        record_status(me, ticket,
              kvl_tasks_fetch(entry->tasks, slices[0].data, slices[0].len, pick_options(me, false), fetch, pulls ? NULL : ticket_result,
                              ticket, ticket_free, dice == 0 ? &value : NULL),
              1);
    } else if (dice < 5) {
        ticket = ticket_new(entry, keys, n, true);
        record_status(me, ticket,
              kvl_tasks_fetch_each(entry->tasks, slices, n, pick_options(me, false), fetch, pulls ? NULL : ticket_result, ticket, ticket_free),
              n);
    } else {
        ticket = ticket_new(entry, keys, n, false);
        record_status(me, ticket,
              kvl_tasks_fetch_all(entry->tasks, slices, n, pick_options(me, true), fetch, pulls ? NULL : ticket_results, ticket, ticket_free,
                                  dice == 5 ? &ready : NULL),
              n);
    }
    kvl_value_release(value);
    kvl_results_release(ready);
    if (entry->fault == STORM) {
        if (storm % 2 == 0)
            CHECK_STATUS(kvl_fetch_cancel(fetch), KVL_OK);
        if (storm % 4 == 1 && me->before != NULL)
            CHECK_STATUS(kvl_fetch_cancel(me->before), KVL_OK);
    }
    kvl_fetch_release(me->before);
    me->before = fetch;
}

/* A write or a lookup between two fetches. */
static void write_or_look_up(struct submitter *me, uint64_t key, const kvl_slice_t *slice)
{
    struct entry *entry = me->entry;
    kvl_value_t *value = NULL;
    kvl_status_t status;

    switch (random_of(&me->random) % 24) {
    case 0:
        CHECK_STATUS(kvl_cache_remove_tag(entry->cache, tag_of(key).data, 1, NULL), KVL_OK);
        break;
    case 1:
        CHECK_STATUS(kvl_cache_expire_tag(entry->cache, tag_of(key).data, 1, NULL), KVL_OK);
        break;
    case 2: case 3: case 4: case 5:
        value = value_of(key);
        status = kvl_cache_put(entry->cache, slice->data, slice->len, value, NULL);
        CHECK(status == KVL_OK || status == KVL_REFUSED || status == KVL_INVALID_KEY || (entry->fault == CLOSE && status == KVL_ERR_CLOSED));
        break;
    case 6: case 7: case 8: case 9:
        status = kvl_cache_remove(entry->cache, slice->data, slice->len);
        CHECK(status == KVL_OK || status == KVL_MISS);
        break;
    case 10: case 11: case 12: case 13:
        status = kvl_cache_get(entry->cache, slice->data, slice->len, &value);
        atomic_fetch_add(&entry->lookups, 1);
        if (status == KVL_MISS)
            atomic_fetch_add(&entry->plain_misses, 1);
        CHECK(status == KVL_MISS || status == (key_is_invalid(key) ? KVL_INVALID_KEY : key_is_absent(key) ? KVL_NULL : KVL_VALUE));
        break;
    case 14: case 15: case 16: case 17:
        status = kvl_cache_peek(entry->cache, slice->data, slice->len, &value, NULL, NULL);
        CHECK(status == KVL_MISS || status == (key_is_absent(key) ? KVL_NULL : KVL_VALUE));
        break;
    default:
        status = kvl_cache_take(entry->cache, slice->data, slice->len, &value);
        CHECK(status == KVL_MISS || status == (key_is_absent(key) ? KVL_NULL : KVL_VALUE));
    }
    kvl_value_release(value);
}

static void *submit(void *user_data)
{
    struct submitter *me = user_data;
    struct entry *entry = me->entry;
    uint64_t keys[MAX_FETCH_KEYS];
    kvl_slice_t slices[MAX_FETCH_KEYS];

    while (atomic_load(&entry->submitted) < atomic_load(&entry->wanted)) {
        size_t i, n = 1 + random_of(&me->random) % MAX_FETCH_KEYS;
        for (i = 0; i < n; i++) {
            uint64_t dice = random_of(&me->random);
            /* Some popular keys, many others, and repetitions. */
            keys[i] = dice % 16 == 0 && i > 0 ? keys[i - 1] : random_of(&me->random) % (dice % 2 == 0 ? KEYS / 16 : KEYS);
            slices[i] = (kvl_slice_t){(const uint8_t *)&keys[i], sizeof keys[i]};
        }
        if (random_of(&me->random) % 4 == 0)
            write_or_look_up(me, keys[0], &slices[0]);
        fetch(me, keys, slices, n);
        atomic_fetch_add(&entry->submitted, n);
    }
    kvl_fetch_release(me->before);
    return NULL;
}

static void submitter_start(struct submitter *me, struct entry *entry, uint64_t seed)
{
    *me = (struct submitter){.entry = entry, .random = seed};
    CHECK_STATUS(kvl_options_new(&me->progress), KVL_OK);
    CHECK_STATUS(kvl_options_set_progress(me->progress, is_pulled(entry, KVL_QUEUE_F_RESULTS) ? NULL : ticket_progress, 1), KVL_OK);
    me->short_timeout = options("timeout_ms", "3");
    me->cache_only = options("read", "cache_only");
    me->no_store = options("read", "no_store");
    me->refresh = options("read", "refresh");
    me->all_or_nothing = options("batch.mode", "all_or_nothing");
    if (pthread_create(&me->thread, NULL, submit, me) != 0)
        abort();
}

static void submitter_join(struct submitter *me)
{
    kvl_options_t *all[] = {me->progress, me->short_timeout, me->cache_only, me->no_store, me->refresh, me->all_or_nothing};
    size_t i;

    pthread_join(me->thread, NULL);
    for (i = 0; i < sizeof all / sizeof *all; i++)
        kvl_options_free(all[i]);
}

/* ---- once nothing is running */

/* Waits for a minute or somewhat longer until a condition holds. Returns whether it does. */
static bool wait_until(struct entry *entry, bool (*condition)(struct entry *entry))
{
    int i;

    for (i = 0; i < 120000; i++) {
        if (condition(entry))
            return true;
        pause_for_us(500);
    }
    return false;
}

static kvl_stats_t stats_of(struct entry *entry)
{
    kvl_stats_t stats;

    CHECK_STATUS(kvl_tasks_stats(entry->tasks, &stats, sizeof stats), KVL_OK);
    return stats;
}

static bool no_load_is_left(struct entry *entry)
{
    kvl_stats_t stats = stats_of(entry);
    return stats.in_flight == 0 && stats.running == 0 && stats.abandoned == 0 && stats.queued == 0 && stats.deferred == 0;
}

static uint64_t removals_counted(const kvl_stats_t *stats)
{
    return stats->removed_expired + stats->removed_capacity + stats->removed_cost + stats->removed_replaced + stats->removed_removed +
           stats->removed_cleared + stats->removed_trimmed + stats->removed_tag;
}

static bool all_removals_are_reported(struct entry *entry)
{
    kvl_stats_t stats = stats_of(entry);
    return atomic_load(&entry->removals) == removals_counted(&stats) + stats.removed_refused;
}

static bool all_tickets_are_freed(struct entry *entry)
{
    return atomic_load(&entry->tickets_freed) == atomic_load(&entry->tickets);
}

static bool the_close_is_reported(struct entry *entry)
{
    return atomic_load(&entry->closed_events) == 1;
}

/* The costs of all entries must add up to what the cache reports. */
static void check_ledger(struct entry *entry)
{
    uint64_t key, cost = 0, entries = 0;
    kvl_stats_t stats;

    /* An entry that has expired would be in the cache's sum and not in this one. */
    CHECK_STATUS(kvl_cache_remove_expired(entry->cache, NULL), KVL_OK);
    for (key = 0; key < KEYS; key++) {
        uint64_t one = 0;
        kvl_status_t status = kvl_cache_peek(entry->cache, (const uint8_t *)&key, sizeof key, NULL, NULL, &one);
        if (status == KVL_VALUE || status == KVL_NULL) {
            cost += one;
            entries++;
        }
    }
    stats = stats_of(entry);
    CHECK(entries <= CAPACITY && cost <= 600000);
    /* With these three faults some entries expire meanwhile or are stale, and are in only one of the sums. */
    if (entry->fault != TWICE && entry->fault != EIGHT && entry->fault != OUTAGE) {
        CHECK(kvl_cache_len(entry->cache) == entries && stats.entries == entries);
        CHECK(kvl_cache_cost(entry->cache) == cost && stats.cost == cost);
    }
    CHECK_STATUS(kvl_cache_clear(entry->cache), KVL_OK);
    CHECK(kvl_cache_len(entry->cache) == 0 && kvl_cache_cost(entry->cache) == 0);
}

static void check_statistics(struct entry *entry)
{
    kvl_stats_t stats = stats_of(entry);
    uint64_t of_fetches = stats.misses_started + stats.misses_joined + stats.misses_cache_only + stats.misses_queue_full +
                          stats.misses_remembered + stats.misses_unasked + stats.misses_unavailable + stats.misses_throttled;
    uint64_t lookups = stats.hits + stats.null_hits + stats.misses + stats.invalid_keys, made = atomic_load(&entry->lookups);

    /* Each position is one lookup. A call that the close interrupted may have looked its keys up before it failed. */
    check_at(lookups >= made && lookups <= made + atomic_load(&entry->refused), "each position is one lookup", (long long)(lookups - made),
             __FILE__, __LINE__);
    CHECK(stats.misses == of_fetches + atomic_load(&entry->plain_misses));
    CHECK(stats.loads_started == stats.loads_succeeded + stats.loads_failed + stats.loads_lost + stats.loads_cancelled);
    CHECK(stats.inserts == stats.entries + removals_counted(&stats));
    CHECK(atomic_load(&entry->stale) == stats.stale_error + stats.stale_timeout + stats.stale_throttled);
    CHECK(stats.refreshes_started <= stats.refreshes_succeeded + stats.refreshes_failed + stats.refreshes_dropped);
    CHECK(stats.refreshes_started >= stats.refreshes_succeeded + stats.refreshes_failed);
    /* A hedge is a request, but no further attempt. */
    CHECK(stats.attempts >= stats.requests - stats.hedges_started && stats.attempts - stats.loads_retried <= stats.loads_started);
    CHECK(stats.hedges_started == stats.hedges_won + stats.hedges_lost && stats.hedges_started <= stats.requests / 2);
}

/* What the settings promise for an outage, once it is long enough to show. */
static void check_outage(struct entry *entry)
{
    kvl_stats_t stats = stats_of(entry);
    uint64_t failed = atomic_load(&entry->failed_while_down);

    /* The breaker opens after five failures in a row. Each success of a request that was running when the outage began may interrupt the row.
     * Then the requests in hand fail. After that each request is a probe, whose failure opens the breaker again. */
    check_at(failed <= MAX_BEFORE_OPEN + stats.breaker_opened, "few requests reach a provider that is down", (long long)failed, __FILE__,
             __LINE__);
    if (atomic_load(&entry->wanted) < KEYS_OF_A_LONG_OUTAGE)
        return;
    CHECK(stats.breaker_opened > 0 && stats.breaker_refused > 0);
    /* Some keys are popular, and have been stored before the outage. */
    check_at(atomic_load(&entry->stale) >= 100, "fallbacks are served", (long long)atomic_load(&entry->stale), __FILE__, __LINE__);
    CHECK((stats.rate_waits > 0) == (stats.rate_waited_us > 0));
    atomic_fetch_add(&outage_counts.hedges, stats.hedges_started);
    atomic_fetch_add(&outage_counts.refreshes, stats.refreshes_started);
    atomic_fetch_add(&outage_counts.rate_waits, stats.rate_waits);
}

/* After all faults every slot must be usable again: more keys than slots are loaded. */
static void check_all_slots_are_usable(struct entry *entry)
{
    uint64_t keys[MAX_FETCH_KEYS];
    kvl_slice_t slices[MAX_FETCH_KEYS];
    struct ticket *ticket;
    size_t i;

    for (i = 0; i < MAX_FETCH_KEYS; i++) {
        keys[i] = 64 * (i + 1) + 4; /* neither invalid nor absent */
        slices[i] = (kvl_slice_t){(const uint8_t *)&keys[i], sizeof keys[i]};
    }
    ticket = ticket_new(entry, keys, MAX_FETCH_KEYS, true);
    atomic_fetch_add(&entry->positions, MAX_FETCH_KEYS);
    atomic_fetch_add(&entry->lookups, MAX_FETCH_KEYS);
    ticket_accepted(ticket, CHECK_STATUS(kvl_tasks_fetch_each(entry->tasks, slices, MAX_FETCH_KEYS, NULL, NULL,
                                                      is_pulled(entry, KVL_QUEUE_F_RESULTS) ? NULL : ticket_result, ticket,
                                                      ticket_free),
                                 KVL_PENDING));
    wait_for_fewer(entry, 0);
}

/* ---- a round: one engine, from creation to free */

static unsigned long long run_round(struct entry *entry, int submitters, unsigned long long keys, uint64_t seed)
{
    struct submitter all[MAX_SUBMITTERS];
    struct reader *reader = NULL;
    int i;

    pthread_mutex_init(&entry->lock, NULL);
    pthread_cond_init(&entry->fewer, NULL);
    atomic_store(&entry->wanted, keys);
    entry->provider = provider_start(entry);
    make_engine(entry, seed);
    if (entry->routes != 0)
        reader = reader_start(entry);
    for (i = 0; i < submitters; i++)
        submitter_start(&all[i], entry, seed + (uint64_t)i * 977);
    if (entry->fault == CLOSE) {
        while (atomic_load(&entry->submitted) < keys / 2)
            pause_for_us(100);
        CHECK_STATUS(kvl_tasks_close(entry->tasks, seed % 3 == 0 ? KVL_CLOSE_CANCEL : KVL_CLOSE_DRAIN, seed % 3 == 1 ? 2 : KVL_FOREVER, on_closed,
                             entry, NULL),
             KVL_OK);
    }
    for (i = 0; i < submitters; i++)
        submitter_join(&all[i]);
    provider_answer_kept(entry->provider);
    wait_for_fewer(entry, 0);
    CHECK(wait_until(entry, no_load_is_left));
    if (entry->fault != CLOSE) {
        check_all_slots_are_usable(entry);
        CHECK(wait_until(entry, no_load_is_left));
        check_ledger(entry);
        CHECK_STATUS(kvl_tasks_close(entry->tasks, KVL_CLOSE_DRAIN, KVL_FOREVER, on_closed, entry, NULL), KVL_OK);
    }
    CHECK(wait_until(entry, the_close_is_reported));
    CHECK(wait_until(entry, all_removals_are_reported));
    CHECK(wait_until(entry, all_tickets_are_freed));
    CHECK(atomic_load(&entry->delivered) == atomic_load(&entry->positions));
    check_statistics(entry);
    if (entry->fault == OUTAGE)
        check_outage(entry);

    provider_stop(entry->provider);
    kvl_cache_release(entry->cache);
    CHECK_STATUS(kvl_tasks_free(entry->tasks), KVL_OK);
    if (reader != NULL) {
        reader_stop(reader);
        CHECK_STATUS(kvl_queue_free(entry->queue), KVL_OK);
    }
    CHECK(atomic_load(&entry->provider_freed) == 1 && atomic_load(&entry->listener_freed) == 1);
    CHECK(atomic_load(&entry->with_provider) == 0);
    CHECK(atomic_load(&entry->closed_events) == 1);
    pthread_cond_destroy(&entry->fewer);
    pthread_mutex_destroy(&entry->lock);
    return atomic_load(&entry->submitted);
}

bool run_entry(uint32_t routes, enum mode mode, int submitters, enum fault fault, unsigned long long keys, uint64_t seed)
{
    int before = atomic_load(&failures);
    unsigned long long done = 0;

    while (done < keys) {
        struct entry entry = {.routes = routes, .mode = mode, .fault = fault};
        /* An engine is closed when half of its keys are fetched, so there are many engines of few keys each. */
        unsigned long long round = fault == CLOSE && keys > KEYS_PER_CLOSE ? KEYS_PER_CLOSE : keys;
        done += run_round(&entry, submitters, round, seed++);
    }
    if (atomic_load(&failures) != before)
        printf("    in %s, routes %u by %s, %d submitters, %llu keys, seed before %llu\n", fault_names[fault], routes, mode_names[mode],
               submitters, keys, (unsigned long long)seed);
    return atomic_load(&failures) == before;
}
