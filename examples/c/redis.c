/* A cache that processes share through Redis or Valkey: what one run has loaded the next one finds, on this machine or another.
 *
 *     make redis && make install
 *     cc -std=c11 -O2 redis.c -o redis $(pkg-config --cflags --libs kvlight-redis) -lpthread
 *     ./redis "redis://localhost:6379/?prefix=example"      twice
 */
#define _POSIX_C_SOURCE 200809L
#include <kvlight_redis.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void pause_5_ms(void)
{
    struct timespec pause = { 0, 5000000 };
    nanosleep(&pause, NULL);
}

static void provide(void *user_data, kvl_request_t *request)
{
    const kvl_slice_t *keys = kvl_request_keys(request);

    (void)user_data;
    for (size_t i = 0; i < kvl_request_len(request); i++) {
        char text[64];
        int len = snprintf(text, sizeof text, "the page of %.*s", (int)keys[i].len, (const char *)keys[i].data);
        kvl_request_resolve_bytes(request, i, (const uint8_t *)text, (size_t)len, NULL);
    }
}

/* The close is complete: what was loaded is in the server too. */
static void closed(void *user_data)
{
    atomic_store((atomic_int *)user_data, 1);
}

/* Whether requests are being served and the other processes' writes are being read. Programs need not ask: without a server they load as usual. */
static int is_connected(kvl_redis_t *redis, int shows_problem)
{
    static const char wanted[] = "{\"connected\":true,\"listening\":true,";
    kvl_value_t *text = NULL;
    size_t len = 0;

    if (kvl_redis_state(redis, &text) < 0)
        return 0;
    const char *state = (const char *)kvl_value_data(text, &len);
    int is = len >= sizeof wanted && memcmp(state, wanted, sizeof wanted - 1) == 0;
    if (shows_problem && !is)
        printf("no server: %.*s\n", (int)len, state);
    kvl_value_release(text);
    return is;
}

int main(int argc, char **argv)
{
    static const char *const users[] = { "ann", "bob", "eve" };
    kvl_config_t *config = NULL;
    kvl_redis_t *redis = NULL;
    kvl_tasks_t *tasks = NULL;
    kvl_error_t *error = NULL;
    kvl_stats_t stats;
    atomic_int is_closed = 0;

    if (argc != 2) {
        fprintf(stderr, "usage: %s redis://host:port/?prefix=NAME\n", argv[0]);
        return 2;
    }
    kvl_config_new(&config);
    kvl_config_set_provider(config, provide, NULL, NULL);
    kvl_config_set_int(config, "cache.ttl_ms", 60000);
    kvl_config_set_int(config, "l2.timeout_ms", 5000);
    if (kvl_redis_use(config, argv[1], &redis, &error) < 0) {
        fprintf(stderr, "%s\n", kvl_error_message(error));
        kvl_error_release(error);
        kvl_config_free(config);
        return 1;
    }
    if (kvl_tasks_new(config, &tasks, NULL) < 0)
        return 1;
    kvl_config_free(config);
    kvl_redis_attach(redis, tasks);

    /* An example may wait for the connection; a server process would start without it. */
    for (int tries = 0; tries < 1000 && !is_connected(redis, 0); tries++)
        pause_5_ms();
    is_connected(redis, 1);

    uint64_t found = 0;
    for (size_t i = 0; i < 3; i++) {
        kvl_value_t *value = NULL;
        size_t len = 0;
        if (kvl_tasks_fetch_wait(tasks, (const uint8_t *)users[i], strlen(users[i]), NULL, NULL, &value, NULL) != KVL_VALUE)
            return 1;
        const uint8_t *data = kvl_value_data(value, &len);
        kvl_tasks_stats(tasks, &stats, sizeof stats);
        printf("%.*s (%s)\n", (int)len, (const char *)data, stats.l2_hits > found ? "found" : "loaded");
        found = stats.l2_hits;
        kvl_value_release(value);
    }

    /* What was loaded is written to the server after the callers have it. kvl_tasks_close does not wait for that, and kvl_redis_free gives
       up what is not written yet. */
    kvl_tasks_close(tasks, KVL_CLOSE_DRAIN, 5000, closed, &is_closed, NULL);
    while (!atomic_load(&is_closed))
        pause_5_ms();
    kvl_redis_free(redis);
    kvl_tasks_free(tasks);
    return 0;
}
