/* A second tier (rules T01 to T15): a store in memory, served by a function or by a queue. */
#define _POSIX_C_SOURCE 200809L
#include "engine.h"

#define CELLS 16

/* What the tier has under a key: an entry, or the lease of the engine that is loading the key. */
struct cell {
    char key[32];
    uint8_t entry[128];
    size_t len; /* 0: only a lease */
    int64_t ttl_ms;
    uint64_t token; /* 0: the cell is free */
};

struct memory {
    pthread_mutex_t lock;
    struct cell cells[CELLS];
    uint64_t token; /* the last one that was given to a cell */
    int down, reads, fills, refused, writes, removes, clears, freed;
};

/* Returns the cell of a key. If there is none, gives the key a free cell and returns it; without `create`, returns NULL. */
static struct cell *cell_of(struct memory *memory, const kvl_slice_t *key, int create)
{
    struct cell *empty = NULL;
    size_t i;

    for (i = 0; i < CELLS; i++) {
        struct cell *cell = &memory->cells[i];
        if (cell->token != 0 && strlen(cell->key) == key->len && memcmp(cell->key, key->data, key->len) == 0)
            return cell;
        if (cell->token == 0 && empty == NULL)
            empty = cell;
    }
    if (!create)
        return NULL;
    CHECK(empty != NULL && key->len < sizeof empty->key);
    memset(empty, 0, sizeof *empty);
    memcpy(empty->key, key->data, key->len);
    return empty;
}

/* The test may close the engine at the same time. */
static void check_ok_or_closed(kvl_status_t status)
{
    CHECK(status == KVL_OK || status == KVL_ERR_CLOSED);
}

static void read_one(struct memory *memory, kvl_l2_request_t *request, size_t i, const kvl_slice_t *key)
{
    struct cell *cell = cell_of(memory, key, 0);

    memory->reads++;
    if (cell == NULL) {
        cell = cell_of(memory, key, 1);
        cell->token = ++memory->token;
        check_ok_or_closed(kvl_l2_request_miss(request, i, (const uint8_t *)&cell->token, sizeof cell->token));
    } else if (cell->len == 0 && kvl_l2_request_steals(request, i)) {
        cell->token = ++memory->token;
        check_ok_or_closed(kvl_l2_request_miss(request, i, (const uint8_t *)&cell->token, sizeof cell->token));
    } else if (cell->len == 0) {
        check_ok_or_closed(kvl_l2_request_leased(request, i));
    } else {
        check_ok_or_closed(kvl_l2_request_hit(request, i, cell->entry, cell->len, cell->ttl_ms, (const uint8_t *)&cell->token, sizeof cell->token));
    }
}

static void write_one(struct memory *memory, kvl_l2_request_t *request, size_t i, const kvl_slice_t *key, int fill)
{
    struct cell *cell = cell_of(memory, key, !fill);
    const uint8_t *data, *token;
    size_t len, token_len;
    int64_t ttl_ms;

    STATUS(kvl_l2_request_entry(request, i, &data, &len, &ttl_ms, &token, &token_len), KVL_OK);
    CHECK(len >= 40 && len <= sizeof cell->entry);
    if (fill && (cell == NULL || token_len != sizeof cell->token || memcmp(token, &cell->token, token_len) != 0)) {
        memory->refused++;
        check_ok_or_closed(kvl_l2_request_refused(request, i));
        return;
    }
    memcpy(cell->entry, data, len);
    cell->len = len;
    cell->ttl_ms = ttl_ms;
    cell->token = ++memory->token;
    *(fill ? &memory->fills : &memory->writes) += 1;
}

static void serve(void *user_data, kvl_l2_request_t *request)
{
    struct memory *memory = user_data;
    const kvl_slice_t *keys = kvl_l2_request_keys(request);
    size_t i, n = kvl_l2_request_len(request);
    uint32_t kind = kvl_l2_request_kind(request);

    pthread_mutex_lock(&memory->lock);
    if (memory->down) {
        pthread_mutex_unlock(&memory->lock);
        return;
    }
    for (i = 0; i < n; i++) {
        if (kind == KVL_L2_READ) {
            read_one(memory, request, i, &keys[i]);
        } else if (kind == KVL_L2_REMOVE) {
            struct cell *cell = cell_of(memory, &keys[i], 0);
            if (cell != NULL)
                cell->token = 0;
            memory->removes++;
        } else {
            write_one(memory, request, i, &keys[i], kind == KVL_L2_FILL);
        }
    }
    if (kind == KVL_L2_CLEAR) {
        memset(memory->cells, 0, sizeof memory->cells);
        memory->clears++;
    }
    pthread_mutex_unlock(&memory->lock);
    check_ok_or_closed(kvl_l2_request_finish(request));
    STATUS(kvl_l2_request_finish(request), KVL_ERR_ALREADY_ANSWERED);
}

static void count_memory_free(void *user_data)
{
    struct memory *memory = user_data;
    pthread_mutex_lock(&memory->lock);
    memory->freed++;
    pthread_mutex_unlock(&memory->lock);
}

static void memory_init(struct memory *memory)
{
    memset(memory, 0, sizeof *memory);
    CHECK(pthread_mutex_init(&memory->lock, NULL) == 0);
}

static void create_with(struct fixture *fixture, struct memory *memory)
{
    kvl_config_t *config = fixture_init(fixture);
    /* No timeout: the test advances the clock without waiting for the threads that serve. */
    STATUS(kvl_config_set_int(config, "l2.timeout_ms", -1), KVL_OK);
    STATUS(kvl_config_set_l2(config, KVL_L2_F_CONDITIONAL | KVL_L2_F_LEASES, serve, memory, count_memory_free), KVL_OK);
    create_engine(fixture, config);
}

static void check_fetch(struct fixture *fixture, const char *key, const char *text, kvl_source_t source)
{
    struct recorder recorder;

    fetch_recorded(&recorder, fixture, key, NULL, NULL);
    wait_for_free(&recorder);
    CHECK(recorder.status == KVL_VALUE && recorder.source == source && strcmp(recorder.text, text) == 0);
    recorder_release(&recorder);
}

static void t02_two_engines_share_what_one_loaded(void)
{
    struct memory memory;
    struct fixture first, second;
    kvl_stats_t stats;
    kvl_cache_t *cache = NULL;
    int fills = 0;

    memory_init(&memory);
    create_with(&first, &memory);
    create_with(&second, &memory);
    check_fetch(&first, "a", "a", KVL_SOURCE_PROVIDER);
    while (fills == 0) {
        pthread_mutex_lock(&memory.lock);
        fills = memory.fills;
        pthread_mutex_unlock(&memory.lock);
    }
    check_fetch(&second, "a", "a", KVL_SOURCE_L2);
    STATUS(kvl_tasks_stats(second.tasks, &stats, sizeof stats), KVL_OK);
    CHECK(stats.l2_hits == 1 && stats.l2_reads == 1 && stats.l2_pending == 0 && second.calls == 0);
    STATUS(kvl_tasks_cache(first.tasks, &cache), KVL_OK);
    STATUS(kvl_cache_put_bytes(cache, KEY("b"), KEY("put"), NULL), KVL_OK);
    STATUS(kvl_cache_remove(cache, KEY("a")), KVL_OK);
    STATUS(kvl_tasks_l2_sync(first.tasks, KVL_FOREVER), KVL_OK);
    CHECK(memory.writes == 1 && memory.removes == 1);
    check_fetch(&second, "b", "put", KVL_SOURCE_L2);
    STATUS(kvl_cache_clear(cache), KVL_OK);
    STATUS(kvl_tasks_l2_sync(first.tasks, KVL_FOREVER), KVL_OK);
    CHECK(memory.clears == 1);
    kvl_cache_release(cache);
    free_engine(&first);
    free_engine(&second);
    CHECK(memory.freed == 2);
    CHECK(pthread_mutex_destroy(&memory.lock) == 0);
}

/* What the program ends by a call is ended in the second tier, too; what leaves this process as a victim stays there. */
static void t07_what_the_program_expires_or_takes_is_removed_there_and_its_victims_stay(void)
{
    struct memory memory;
    struct fixture fixture;
    kvl_cache_t *cache = NULL;
    kvl_value_t *value = NULL;

    memory_init(&memory);
    create_with(&fixture, &memory);
    STATUS(kvl_tasks_cache(fixture.tasks, &cache), KVL_OK);
    STATUS(kvl_cache_put_bytes(cache, KEY("expired"), KEY("1"), NULL), KVL_OK);
    STATUS(kvl_cache_put_bytes(cache, KEY("taken"), KEY("2"), NULL), KVL_OK);
    STATUS(kvl_cache_expire(cache, KEY("expired")), KVL_OK);
    STATUS(kvl_cache_take(cache, KEY("taken"), &value), KVL_VALUE);
    kvl_value_release(value);
    STATUS(kvl_tasks_l2_sync(fixture.tasks, KVL_FOREVER), KVL_OK);
    CHECK(memory.removes == 2 && memory.clears == 0);

    STATUS(kvl_cache_put_bytes(cache, KEY("popped"), KEY("3"), NULL), KVL_OK);
    STATUS(kvl_tasks_l2_sync(fixture.tasks, KVL_FOREVER), KVL_OK);
    STATUS(kvl_cache_pop(cache, &value), KVL_VALUE);
    kvl_value_release(value);
    check_fetch(&fixture, "popped", "3", KVL_SOURCE_L2);
    STATUS(kvl_cache_trim(cache, 0), KVL_OK);
    check_fetch(&fixture, "popped", "3", KVL_SOURCE_L2);
    STATUS(kvl_tasks_invalidate(fixture.tasks, NULL, 0, KVL_INVALIDATE_F_ALL | KVL_INVALIDATE_F_EXPIRE), KVL_OK);
    check_fetch(&fixture, "popped", "3", KVL_SOURCE_L2);
    CHECK(memory.removes == 2 && memory.clears == 0);

    STATUS(kvl_cache_expire_all(cache), KVL_OK);
    STATUS(kvl_tasks_l2_sync(fixture.tasks, KVL_FOREVER), KVL_OK);
    CHECK(memory.clears == 1);
    check_fetch(&fixture, "popped", "popped", KVL_SOURCE_PROVIDER);
    kvl_cache_release(cache);
    free_engine(&fixture);
    CHECK(pthread_mutex_destroy(&memory.lock) == 0);
}

static void t03_an_older_load_does_not_come_back(void)
{
    struct memory memory;
    struct fixture loads, writes;
    struct recorder recorder;
    kvl_cache_t *cache = NULL;
    kvl_request_t *old;

    memory_init(&memory);
    create_with(&loads, &memory);
    create_with(&writes, &memory);
    fetch_recorded(&recorder, &loads, "hold", NULL, NULL);
    old = next_request(&loads);
    STATUS(kvl_tasks_cache(writes.tasks, &cache), KVL_OK);
    STATUS(kvl_cache_put_bytes(cache, KEY("hold"), KEY("new"), NULL), KVL_OK);
    STATUS(kvl_tasks_l2_sync(writes.tasks, KVL_FOREVER), KVL_OK);
    STATUS(kvl_tasks_invalidate(loads.tasks, &(kvl_slice_t)SLICE("hold"), 1, 0), KVL_OK);
    answer(old, "old");
    wait_for_free(&recorder);
    CHECK(strcmp(recorder.text, "old") == 0);
    recorder_release(&recorder);
    check_fetch(&loads, "hold", "new", KVL_SOURCE_L2);
    kvl_cache_release(cache);
    free_engine(&loads);
    free_engine(&writes);
    CHECK(memory.fills == 0);
    CHECK(pthread_mutex_destroy(&memory.lock) == 0);
}

static int has_happened(struct fixture *fixture, const int *number)
{
    int has;

    pthread_mutex_lock(&fixture->lock);
    has = *number != 0;
    pthread_mutex_unlock(&fixture->lock);
    return has;
}

static int is_at_least(struct memory *memory, const int *number, int wanted)
{
    int reached;

    pthread_mutex_lock(&memory->lock);
    reached = *number >= wanted;
    pthread_mutex_unlock(&memory->lock);
    return reached;
}

static void t10_one_of_two_engines_loads_a_key_and_the_other_waits_for_it(void)
{
    struct memory memory;
    struct fixture loads, waits;
    struct recorder first, second;
    kvl_stats_t stats;
    kvl_request_t *request, *stolen;

    memory_init(&memory);
    create_with(&loads, &memory);
    create_with(&waits, &memory);
    fetch_recorded(&first, &loads, "hold", NULL, NULL);
    request = next_request(&loads);
    fetch_recorded(&second, &waits, "hold", NULL, NULL);
    while (!is_at_least(&memory, &memory.reads, 2)) {}
    answer(request, "loaded once");
    wait_for_free(&first);
    while (!is_at_least(&memory, &memory.fills, 1)) {}
    while (!has_happened(&waits, &second.freed))
        STATUS(kvl_clock_advance(waits.clock, 5), KVL_OK);
    CHECK(second.source == KVL_SOURCE_L2 && strcmp(second.text, "loaded once") == 0 && waits.calls == 0);
    recorder_release(&first);
    recorder_release(&second);
    STATUS(kvl_tasks_stats(waits.tasks, &stats, sizeof stats), KVL_OK);
    CHECK(stats.l2_waited == 1 && stats.l2_stolen == 0);

    /* The engine that has the lease does not answer in time. */
    fetch_recorded(&first, &loads, "hold 2", NULL, NULL);
    request = next_request(&loads);
    fetch_recorded(&second, &waits, "hold 2", NULL, NULL);
    while (!has_happened(&waits, &waits.held_len))
        STATUS(kvl_clock_advance(waits.clock, 50), KVL_OK);
    stolen = next_request(&waits);
    answer(stolen, "stolen");
    wait_for_free(&second);
    CHECK(second.source == KVL_SOURCE_PROVIDER);
    answer(request, "late");
    wait_for_free(&first);
    recorder_release(&first);
    recorder_release(&second);
    STATUS(kvl_tasks_stats(waits.tasks, &stats, sizeof stats), KVL_OK);
    CHECK(stats.l2_waited == 2 && stats.l2_stolen == 1);
    free_engine(&loads);
    free_engine(&waits);
    CHECK(pthread_mutex_destroy(&memory.lock) == 0);
}

static void t01_no_fetch_notices_that_the_second_tier_is_down(void)
{
    struct memory memory;
    struct fixture fixture;
    kvl_stats_t stats;
    char key[8] = "k0";
    int i;

    memory_init(&memory);
    create_with(&fixture, &memory);
    memory.down = 1;
    for (i = 0; i < 9; i++) {
        key[1] = (char)('0' + i);
        check_fetch(&fixture, key, key, KVL_SOURCE_PROVIDER);
    }
    STATUS(kvl_tasks_stats(fixture.tasks, &stats, sizeof stats), KVL_OK);
    CHECK(stats.l2_errors == 5 && stats.l2_bypassed == 4 && stats.l2_opened == 1 && stats.l2_avoided == 1);
    free_engine(&fixture);
    CHECK(pthread_mutex_destroy(&memory.lock) == 0);
}

static void l02_requests_are_events_of_a_queue(void)
{
    struct memory memory;
    struct fixture fixture;
    struct recorder recorder;
    kvl_queue_t *queue = NULL;
    kvl_event_t event;
    kvl_l2_request_t *kept;
    kvl_config_t *config = fixture_init(&fixture);

    memory_init(&memory);
    STATUS(kvl_queue_new(0, &queue), KVL_OK);
    STATUS(kvl_config_set_queue(config, queue, KVL_QUEUE_F_L2), KVL_OK);
    STATUS(kvl_config_set_l2(config, 0, NULL, &memory, NULL), KVL_OK);
    create_engine(&fixture, config);
    fetch_recorded(&recorder, &fixture, "a", NULL, NULL);
    STATUS(kvl_queue_next(queue, KVL_FOREVER, &event, sizeof event), KVL_OK);
    CHECK(event.kind == KVL_EVENT_L2 && event.user_data == &memory && event.tasks == fixture.tasks);
    CHECK(kvl_l2_request_kind(event.l2_request) == KVL_L2_READ && kvl_l2_request_len(event.l2_request) == 1);
    kept = kvl_l2_request_retain(event.l2_request);
    STATUS(kvl_l2_request_miss(kept, 0, NULL, 0), KVL_OK);
    STATUS(kvl_l2_request_miss(kept, 0, NULL, 0), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_l2_request_finish(kept), KVL_OK);
    kvl_l2_request_release(kept);
    wait_for_free(&recorder);
    CHECK(recorder.source == KVL_SOURCE_PROVIDER);
    recorder_release(&recorder);
    STATUS(kvl_tasks_l2_sync(fixture.tasks, 0), KVL_ERR_UNSUPPORTED);
    STATUS(kvl_queue_next(queue, KVL_FOREVER, &event, sizeof event), KVL_OK);
    CHECK(kvl_l2_request_kind(event.l2_request) == KVL_L2_FILL);
    STATUS(kvl_l2_request_finish(event.l2_request), KVL_OK);
    STATUS(kvl_queue_next(queue, 0, &event, sizeof event), KVL_EMPTY);
    free_engine(&fixture);
    STATUS(kvl_queue_free(queue), KVL_OK);
    CHECK(pthread_mutex_destroy(&memory.lock) == 0);
}

static void l05_after_a_close_no_request_is_served(void)
{
    struct fixture fixture;
    struct recorder recorder;
    kvl_queue_t *queue = NULL;
    kvl_event_t event;
    kvl_config_t *config = fixture_init(&fixture);

    STATUS(kvl_queue_new(0, &queue), KVL_OK);
    STATUS(kvl_config_set_queue(config, queue, KVL_QUEUE_F_L2), KVL_OK);
    STATUS(kvl_config_set_l2(config, 0, NULL, NULL, NULL), KVL_OK);
    create_engine(&fixture, config);
    fetch_recorded(&recorder, &fixture, "a", NULL, NULL);
    STATUS(kvl_tasks_close(fixture.tasks, KVL_CLOSE_CANCEL, 0, NULL, NULL, NULL), KVL_OK);
    wait_for_free(&recorder);
    CHECK(recorder.status == KVL_ERR_CLOSED);
    STATUS(kvl_queue_next(queue, 0, &event, sizeof event), KVL_EMPTY);
    recorder_release(&recorder);
    free_engine(&fixture);
    STATUS(kvl_queue_free(queue), KVL_OK);
}

/* A number, as an object of the program's type. */
struct number {
    int n;
};

static int numbers_freed;

static void number_free(void *object)
{
    free(object);
    numbers_freed++;
}

static kvl_value_t *number_new(int n)
{
    struct number *number = malloc(sizeof *number);
    kvl_value_t *value = NULL;

    CHECK(number != NULL);
    number->n = n;
    STATUS(kvl_value_new_object(number, sizeof *number, number_free, &value), KVL_OK);
    return value;
}

static void put_number(struct fixture *fixture, const char *key, int n)
{
    kvl_value_t *value = number_new(n);
    kvl_cache_t *cache = NULL;

    STATUS(kvl_tasks_cache(fixture->tasks, &cache), KVL_OK);
    STATUS(kvl_cache_put(cache, (const uint8_t *)key, strlen(key), value, NULL), KVL_OK);
    kvl_cache_release(cache);
    kvl_value_release(value);
}

static kvl_l2_request_t *next_l2(kvl_queue_t *queue, uint32_t kind)
{
    kvl_event_t event;

    STATUS(kvl_queue_next(queue, KVL_FOREVER, &event, sizeof event), KVL_OK);
    CHECK(event.kind == KVL_EVENT_L2 && kvl_l2_request_kind(event.l2_request) == kind);
    return event.l2_request;
}

/* Also releases the last event, which holds a reference to its engine. */
static void check_queue_is_empty(kvl_queue_t *queue)
{
    kvl_event_t event;
    STATUS(kvl_queue_next(queue, 0, &event, sizeof event), KVL_EMPTY);
}

static void t02_the_program_converts_objects_to_the_bytes_that_are_stored(void)
{
    struct fixture fixture;
    struct recorder recorder;
    kvl_queue_t *queue = NULL;
    kvl_l2_request_t *request;
    kvl_value_t *value = NULL;
    const uint8_t *data, *token, *payload;
    uint8_t entry[64];
    size_t len, token_len, payload_len;
    int64_t ttl_ms;
    kvl_config_t *config = fixture_init(&fixture);

    STATUS(kvl_queue_new(0, &queue), KVL_OK);
    STATUS(kvl_config_set_queue(config, queue, KVL_QUEUE_F_L2), KVL_OK);
    STATUS(kvl_config_set_l2(config, KVL_L2_F_OBJECTS, NULL, NULL, NULL), KVL_OK);
    create_engine(&fixture, config);
    put_number(&fixture, "a", 7);
    request = next_l2(queue, KVL_L2_WRITE);
    STATUS(kvl_l2_request_entry(request, 0, &data, &len, &ttl_ms, &token, &token_len), KVL_ERR_WRONG_KIND);
    STATUS(kvl_l2_request_value(request, 1, &value), KVL_ERR_OUT_OF_RANGE);
    STATUS(kvl_l2_request_value(request, 0, &value), KVL_VALUE);
    CHECK(((struct number *)kvl_value_object(value))->n == 7);
    kvl_value_release(value);
    STATUS(kvl_l2_request_set_payload(request, 0, (const uint8_t *)"seven", 5), KVL_OK);
    STATUS(kvl_l2_request_set_payload(request, 0, (const uint8_t *)"eight", 5), KVL_ERR_ALREADY_ANSWERED);
    STATUS(kvl_l2_request_entry(request, 0, &data, &len, &ttl_ms, &token, &token_len), KVL_OK);
    CHECK(len == 45 && ttl_ms == KVL_TTL_NEVER);
    memcpy(entry, data, len);
    STATUS(kvl_l2_request_finish(request), KVL_OK);

    STATUS(kvl_tasks_invalidate(fixture.tasks, &(kvl_slice_t)SLICE("a"), 1, 0), KVL_OK);
    fetch_recorded(&recorder, &fixture, "a", NULL, NULL);
    request = next_l2(queue, KVL_L2_READ);
    STATUS(kvl_l2_request_payload(request, 0, (const uint8_t *)"no entry", 8, &payload, &payload_len), KVL_MISS);
    CHECK(payload == NULL && payload_len == 0);
    STATUS(kvl_l2_request_payload(request, 0, entry, len, &payload, &payload_len), KVL_OK);
    CHECK(payload_len == 5 && memcmp(payload, "seven", 5) == 0);
    STATUS(kvl_l2_request_value(request, 0, &value), KVL_ERR_WRONG_KIND);
    STATUS(kvl_l2_request_set_payload(request, 0, payload, 5), KVL_ERR_WRONG_KIND);
    STATUS(kvl_l2_request_hit_object(request, 0, entry, len, KVL_TTL_NEVER, NULL, 0, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_l2_request_hit_object(request, 0, entry, len, KVL_TTL_NEVER, NULL, 0, kvl_value_null()), KVL_ERR_WRONG_KIND);
    value = number_new(7);
    STATUS(kvl_l2_request_hit_object(request, 0, entry, len, KVL_TTL_NEVER, NULL, 0, value), KVL_OK);
    kvl_value_release(value);
    STATUS(kvl_l2_request_finish(request), KVL_OK);
    wait_for_free(&recorder);
    CHECK(recorder.status == KVL_VALUE && recorder.source == KVL_SOURCE_L2);
    recorder_release(&recorder);

    /* An object that the program refuses to convert is removed from the tier. A hit with bytes where an object is needed is a miss. */
    put_number(&fixture, "a", 8);
    request = next_l2(queue, KVL_L2_WRITE);
    STATUS(kvl_l2_request_refused(request, 0), KVL_OK);
    STATUS(kvl_l2_request_finish(request), KVL_OK);
    request = next_l2(queue, KVL_L2_REMOVE);
    STATUS(kvl_l2_request_value(request, 0, &value), KVL_ERR_WRONG_KIND);
    STATUS(kvl_l2_request_finish(request), KVL_OK);
    STATUS(kvl_tasks_invalidate(fixture.tasks, &(kvl_slice_t)SLICE("a"), 1, 0), KVL_OK);
    fetch_recorded(&recorder, &fixture, "a", NULL, NULL);
    request = next_l2(queue, KVL_L2_READ);
    STATUS(kvl_l2_request_hit(request, 0, entry, len, KVL_TTL_NEVER, NULL, 0), KVL_OK);
    STATUS(kvl_l2_request_finish(request), KVL_OK);
    wait_for_free(&recorder);
    CHECK(recorder.status == KVL_VALUE && recorder.source == KVL_SOURCE_PROVIDER);
    recorder_release(&recorder);
    request = next_l2(queue, KVL_L2_FILL);
    STATUS(kvl_l2_request_finish(request), KVL_OK);
    check_queue_is_empty(queue);
    free_engine(&fixture);
    STATUS(kvl_queue_free(queue), KVL_OK);
    CHECK(numbers_freed == 3);
}

static void t07_a_write_that_takes_too_long_is_sent_again(void)
{
    struct fixture fixture;
    kvl_queue_t *queue = NULL;
    kvl_l2_request_t *late;
    kvl_stats_t stats;
    kvl_config_t *config = fixture_init(&fixture);

    STATUS(kvl_queue_new(0, &queue), KVL_OK);
    STATUS(kvl_config_set_queue(config, queue, KVL_QUEUE_F_L2), KVL_OK);
    STATUS(kvl_config_set_int(config, "l2.write_timeout_ms", 100), KVL_OK);
    STATUS(kvl_config_set_l2(config, KVL_L2_F_OBJECTS, NULL, NULL, NULL), KVL_OK);
    create_engine(&fixture, config);
    put_number(&fixture, "a", 1);
    late = kvl_l2_request_retain(next_l2(queue, KVL_L2_WRITE));
    STATUS(kvl_clock_advance(fixture.clock, 100), KVL_OK);
    STATUS(kvl_l2_request_refused(late, 0), KVL_LATE);
    STATUS(kvl_l2_request_fail(late, 0), KVL_LATE);
    STATUS(kvl_clock_advance(fixture.clock, 1000), KVL_OK);
    STATUS(kvl_l2_request_finish(next_l2(queue, KVL_L2_WRITE)), KVL_OK);
    STATUS(kvl_l2_request_finish(late), KVL_LATE);
    kvl_l2_request_release(late);
    STATUS(kvl_tasks_stats(fixture.tasks, &stats, sizeof stats), KVL_OK);
    CHECK(stats.l2_write_errors == 1 && stats.l2_writes == 1 && stats.l2_pending == 0);
    check_queue_is_empty(queue);
    free_engine(&fixture);
    STATUS(kvl_queue_free(queue), KVL_OK);
}

static void l09_bad_calls_are_refused(void)
{
    struct fixture fixture;
    struct recorder recorder;
    kvl_queue_t *queue = NULL;
    kvl_event_t event;
    const uint8_t *data, *token;
    size_t len, token_len;
    int64_t ttl_ms;
    kvl_l2_request_t *request;
    kvl_config_t *config = fixture_init(&fixture);

    STATUS(kvl_config_set_l2(NULL, 0, serve, NULL, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_config_set_l2(config, 8, serve, NULL, NULL), KVL_ERR_INVALID_ARG);
    STATUS(kvl_config_set_int(config, "l2.ttl_ms", 0), KVL_ERR_BAD_VALUE);
    kvl_config_free(config);
    kvl_clock_release(fixture.clock);
    config = fixture_init(&fixture);
    STATUS(kvl_queue_new(0, &queue), KVL_OK);
    STATUS(kvl_config_set_queue(config, queue, KVL_QUEUE_F_L2), KVL_OK);
    STATUS(kvl_config_set_l2(config, 0, NULL, NULL, NULL), KVL_OK);
    create_engine(&fixture, config);
    fetch_recorded(&recorder, &fixture, "a", NULL, NULL);
    STATUS(kvl_queue_next(queue, KVL_FOREVER, &event, sizeof event), KVL_OK);
    request = event.l2_request;
    STATUS(kvl_l2_request_entry(request, 0, &data, &len, &ttl_ms, &token, &token_len), KVL_ERR_WRONG_KIND);
    STATUS(kvl_l2_request_entry(request, 0, NULL, &len, &ttl_ms, &token, &token_len), KVL_ERR_NULL_POINTER);
    STATUS(kvl_l2_request_refused(request, 0), KVL_ERR_WRONG_KIND);
    STATUS(kvl_l2_request_hit(request, 1, NULL, 0, KVL_TTL_NEVER, NULL, 0), KVL_ERR_OUT_OF_RANGE);
    STATUS(kvl_l2_request_hit(request, 0, NULL, 1, KVL_TTL_NEVER, NULL, 0), KVL_ERR_NULL_POINTER);
    STATUS(kvl_l2_request_hit(request, 0, NULL, 0, -3, NULL, 0), KVL_ERR_INVALID_ARG);
    STATUS(kvl_l2_request_miss(request, 0, NULL, 1), KVL_ERR_NULL_POINTER);
    STATUS(kvl_l2_request_fail(request, 1), KVL_ERR_OUT_OF_RANGE);
    STATUS(kvl_l2_request_hit(request, 0, (const uint8_t *)"no entry", 8, KVL_L2_TTL_UNKNOWN, NULL, 0), KVL_OK);
    STATUS(kvl_l2_request_finish(request), KVL_OK);
    STATUS(kvl_l2_request_finish(NULL), KVL_ERR_NULL_POINTER);
    CHECK(kvl_l2_request_len(NULL) == 0 && kvl_l2_request_kind(NULL) == 0 && kvl_l2_request_keys(NULL) == NULL);
    CHECK(kvl_l2_request_retain(NULL) == NULL);
    kvl_l2_request_release(NULL);
    STATUS(kvl_tasks_l2_sync(NULL, 0), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_l2_sync(fixture.tasks, -2), KVL_ERR_INVALID_ARG);
    wait_for_free(&recorder);
    recorder_release(&recorder);
    /* The fill may come after the answer. An event holds a reference to its engine until the next event is taken. */
    STATUS(kvl_queue_next(queue, KVL_FOREVER, &event, sizeof event), KVL_OK);
    CHECK(kvl_l2_request_kind(event.l2_request) == KVL_L2_FILL);
    STATUS(kvl_l2_request_finish(event.l2_request), KVL_OK);
    STATUS(kvl_queue_next(queue, 0, &event, sizeof event), KVL_EMPTY);
    free_engine(&fixture);
    STATUS(kvl_queue_free(queue), KVL_OK);
}

int main(void)
{
    silence_unused_warnings();
    t02_two_engines_share_what_one_loaded();
    t07_what_the_program_expires_or_takes_is_removed_there_and_its_victims_stay();
    t03_an_older_load_does_not_come_back();
    t10_one_of_two_engines_loads_a_key_and_the_other_waits_for_it();
    t01_no_fetch_notices_that_the_second_tier_is_down();
    l02_requests_are_events_of_a_queue();
    l05_after_a_close_no_request_is_served();
    t02_the_program_converts_objects_to_the_bytes_that_are_stored();
    t07_a_write_that_takes_too_long_is_sent_again();
    l09_bad_calls_are_refused();
    DONE();
}
