/* A second tier shared by two engines, as by two processes: what one has loaded the other finds, and a write of one is seen by the other.
 *
 *     cc -std=c11 -O2 second_tier.c -o second_tier $(pkg-config --cflags --libs kvlight) -lpthread && ./second_tier
 *
 * The store is a table in memory. It does what a cache server would do: it keeps bytes under keys, grants a lease to the first reader of a missing
 * key, and stores what was loaded only while that lease stands. So a load that began before a write cannot come back after it.
 */
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include <kvlight.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ROWS 64

/* The clock of the store. It does not jump, as the time of day may. */
static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The value under a key: an entry, or the lease of the engine that loads it. */
struct row {
    char key[32];
    uint8_t *entry; /* NULL: only a lease */
    size_t len;
    int64_t ends_ms; /* when the entry expires, by the clock of the store; KVL_TTL_NEVER: it does not */
    uint64_t token; /* changes with each write; 0: the row is free */
};

struct store {
    pthread_mutex_t lock;
    struct row rows[ROWS];
    uint64_t token;
    kvl_tasks_t *engines[2]; /* both are notified of each write */
};

static struct row *find(struct store *store, const kvl_slice_t *key, int create)
{
    struct row *free_row = NULL;

    for (size_t i = 0; i < ROWS; i++) {
        struct row *row = &store->rows[i];
        if (row->token != 0 && strlen(row->key) == key->len && memcmp(row->key, key->data, key->len) == 0)
            return row;
        if (row->token == 0 && free_row == NULL)
            free_row = row;
    }
    if (!create || free_row == NULL || key->len >= sizeof free_row->key)
        return NULL;
    memcpy(free_row->key, key->data, key->len);
    free_row->key[key->len] = '\0';
    return free_row;
}

static void forget(struct row *row)
{
    free(row->entry);
    memset(row, 0, sizeof *row);
}

static void look_up(struct store *store, kvl_l2_request_t *request, size_t i, const kvl_slice_t *key)
{
    struct row *row = find(store, key, 0);
    int64_t now = now_ms();

    if (row != NULL && row->entry != NULL && row->ends_ms != KVL_TTL_NEVER && row->ends_ms <= now) {
        forget(row); /* without this the entry would never expire: each hit would begin its TTL anew */
        row = NULL;
    }
    if (row != NULL && row->entry != NULL) {
        int64_t left_ms = row->ends_ms == KVL_TTL_NEVER ? KVL_TTL_NEVER : row->ends_ms - now;
        kvl_l2_request_hit(request, i, row->entry, row->len, left_ms, (uint8_t *)&row->token, sizeof row->token);
    } else if (row != NULL && !kvl_l2_request_steals(request, i)) {
        kvl_l2_request_leased(request, i); /* the other engine loads it, and this one looks again soon */
    } else if (row != NULL) {
        row->token = ++store->token; /* the other engine takes too long: its lease is taken over */
        kvl_l2_request_miss(request, i, (uint8_t *)&row->token, sizeof row->token);
    } else if ((row = find(store, key, 1)) != NULL) {
        row->token = ++store->token;
        kvl_l2_request_miss(request, i, (uint8_t *)&row->token, sizeof row->token);
    } else {
        kvl_l2_request_fail(request, i);
    }
}

static void keep(struct store *store, kvl_l2_request_t *request, size_t i, const kvl_slice_t *key, int is_fill)
{
    const uint8_t *data, *token;
    size_t len, token_len;
    int64_t ttl_ms;
    struct row *row = find(store, key, !is_fill);

    if (kvl_l2_request_entry(request, i, &data, &len, &ttl_ms, &token, &token_len) < 0)
        return;
    if (is_fill && (row == NULL || token_len != sizeof row->token || memcmp(token, &row->token, token_len) != 0)) {
        kvl_l2_request_refused(request, i); /* written, or evicted, since it was looked up */
        return;
    }
    uint8_t *copy = row == NULL ? NULL : malloc(len);
    if (copy == NULL) {
        kvl_l2_request_fail(request, i);
        return;
    }
    memcpy(copy, data, len);
    free(row->entry);
    row->entry = copy;
    row->len = len;
    row->ends_ms = ttl_ms == KVL_TTL_NEVER ? KVL_TTL_NEVER : now_ms() + ttl_ms;
    row->token = ++store->token;
}

/* The second tier of both engines. It is called on threads of the library, several at a time. */
static void serve(void *user_data, kvl_l2_request_t *request)
{
    struct store *store = user_data;
    const kvl_slice_t *keys = kvl_l2_request_keys(request);
    size_t n = kvl_l2_request_len(request);
    uint32_t kind = kvl_l2_request_kind(request);

    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < n; i++) {
        struct row *row;
        switch (kind) {
        case KVL_L2_READ: look_up(store, request, i, &keys[i]); break;
        case KVL_L2_FILL: keep(store, request, i, &keys[i], 1); break;
        case KVL_L2_WRITE: keep(store, request, i, &keys[i], 0); break;
        case KVL_L2_REMOVE:
            if ((row = find(store, &keys[i], 0)) != NULL)
                forget(row);
            break;
        }
    }
    for (size_t i = 0; kind == KVL_L2_CLEAR && i < ROWS; i++)
        forget(&store->rows[i]);
    pthread_mutex_unlock(&store->lock);
    /* The notice is sent after the change, and to both engines: the one that wrote fetches its own write from here, too. */
    if (kind == KVL_L2_WRITE || kind == KVL_L2_REMOVE || kind == KVL_L2_CLEAR) {
        for (size_t i = 0; i < 2; i++)
            kvl_tasks_invalidate(store->engines[i], keys, n, kind == KVL_L2_CLEAR ? KVL_INVALIDATE_F_ALL : 0);
    }
    kvl_l2_request_finish(request);
}

static void provide(void *user_data, kvl_request_t *request)
{
    const kvl_slice_t *keys = kvl_request_keys(request);

    for (size_t i = 0; i < kvl_request_len(request); i++) {
        printf("  engine %s loads %.*s from the source\n", (const char *)user_data, (int)keys[i].len, (const char *)keys[i].data);
        kvl_request_resolve_bytes(request, i, (const uint8_t *)"from the source", 15, NULL);
    }
}

static void show(const char *name, kvl_tasks_t *tasks, const char *key)
{
    kvl_value_t *value = NULL;
    kvl_error_t *error = NULL;
    kvl_stats_t before, after;
    const uint8_t *data = NULL;
    size_t len = 0;

    kvl_tasks_stats(tasks, &before, sizeof before);
    if (kvl_tasks_fetch_wait(tasks, (const uint8_t *)key, strlen(key), NULL, NULL, &value, &error) == KVL_VALUE)
        data = kvl_value_data(value, &len);
    kvl_tasks_stats(tasks, &after, sizeof after);
    printf("engine %s: %s = %.*s%s\n", name, key, (int)len, (const char *)data, after.l2_hits > before.l2_hits ? " (second tier)" : "");
    kvl_value_release(value);
    kvl_error_release(error);
}

/* Waits until what was loaded has arrived in the store, which happens after the caller has its answer. */
static void wait_for_fills(kvl_tasks_t *tasks)
{
    kvl_stats_t stats;

    do {
        kvl_tasks_stats(tasks, &stats, sizeof stats);
    } while (stats.l2_fills + stats.l2_fills_refused == 0);
}

int main(void)
{
    static struct store store;
    static const char *const names[] = { "A", "B" };
    kvl_cache_t *cache = NULL;

    pthread_mutex_init(&store.lock, NULL);
    for (size_t i = 0; i < 2; i++) {
        kvl_config_t *config = NULL;
        kvl_config_new(&config);
        kvl_config_set_provider(config, provide, (void *)names[i], NULL);
        kvl_config_set_l2(config, KVL_L2_F_CONDITIONAL | KVL_L2_F_LEASES, serve, &store, NULL);
        kvl_config_set_int(config, "l2.timeout_ms", -1); /* the table answers at once, however slow the machine is */
        if (kvl_tasks_new(config, &store.engines[i], NULL) != KVL_OK)
            return 1;
        kvl_config_free(config);
    }
    show("A", store.engines[0], "user:7");
    wait_for_fills(store.engines[0]);
    show("B", store.engines[1], "user:7");
    show("B", store.engines[1], "user:7");

    puts("engine A writes user:7");
    kvl_tasks_cache(store.engines[0], &cache);
    kvl_cache_put_bytes(cache, (const uint8_t *)"user:7", 6, (const uint8_t *)"written by A", 12, NULL);
    kvl_tasks_l2_sync(store.engines[0], KVL_FOREVER);
    show("B", store.engines[1], "user:7");
    kvl_cache_release(cache);

    for (size_t i = 0; i < 2; i++)
        kvl_tasks_free(store.engines[i]);
    for (size_t i = 0; i < ROWS; i++)
        free(store.rows[i].entry);
    pthread_mutex_destroy(&store.lock);
    return 0;
}
