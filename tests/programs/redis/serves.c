/* A program whose values are objects. It serves its second tier with a function of its own, which passes each request to kvl_redis_serve().
 * Two engines, each with its own connection, share a server.
 *
 *     serves URL      prints a line for each step; the exit code is 0 if all checks hold
 */
#define _POSIX_C_SOURCE 200809L
#include <kvlight_redis.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const kvl_redis_library_t library = KVL_REDIS_LIBRARY_INIT;
static atomic_int loads, objects;

struct side {
    kvl_redis_t *redis;
    kvl_tasks_t *tasks;
};

static void must(int holds, const char *what)
{
    if (!holds) {
        printf("not so: %s\n", what);
        exit(1);
    }
}

static void pause_ms(long ms)
{
    struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };
    nanosleep(&pause, NULL);
}

/* An object is a text. `objects` is the number of those that are not freed yet. */
static void free_object(void *object)
{
    atomic_fetch_sub(&objects, 1);
    free(object);
}

static kvl_value_t *new_object(const char *text, size_t len)
{
    kvl_value_t *value = NULL;
    char *object = malloc(len + 1);
    must(object != NULL, "there is memory");
    memcpy(object, text, len);
    object[len] = '\0';
    atomic_fetch_add(&objects, 1);
    must(kvl_value_new_object(object, len, free_object, &value) == KVL_OK, "an object is a value");
    return value;
}

/* Converts an object to bytes, unless it is "secret". */
static void convert_object(kvl_l2_request_t *request, size_t i)
{
    kvl_value_t *value = NULL;
    if (kvl_l2_request_value(request, i, &value) != KVL_VALUE)
        return;
    const char *text = kvl_value_object(value);
    if (strcmp(text, "secret") == 0)
        kvl_l2_request_refused(request, i);
    else
        kvl_l2_request_set_payload(request, i, (const uint8_t *)text, strlen(text));
    kvl_value_release(value);
}

static void serve(void *user_data, kvl_l2_request_t *request)
{
    struct side *side = user_data;
    uint32_t kind = kvl_l2_request_kind(request);
    kvl_redis_found_t *found = NULL;
    size_t n = 0;

    for (size_t i = 0; (kind == KVL_L2_FILL || kind == KVL_L2_WRITE) && i < kvl_l2_request_len(request); i++)
        convert_object(request, i);
    kvl_status_t status = kvl_redis_serve(side->redis, request, &found, &n);
    for (size_t at = 0; at < n; at++) {
        const uint8_t *payload = NULL;
        size_t len = 0;
        must(kvl_l2_request_payload(request, found[at].index, found[at].data, found[at].len, &payload, &len) == KVL_OK, "what was found has a payload");
        kvl_value_t *value = new_object((const char *)payload, len);
        kvl_l2_request_hit_object(request, found[at].index, found[at].data, found[at].len, found[at].ttl_left_ms, found[at].token,
                                  found[at].token_len, value);
        kvl_value_release(value);
    }
    kvl_redis_found_free(found, n);
    /* A write that was not served is released unfinished, and so fails. */
    if (status >= 0 || kind == KVL_L2_READ)
        kvl_l2_request_finish(request);
}

static void provide(void *user_data, kvl_request_t *request)
{
    (void)user_data;
    for (size_t i = 0; i < kvl_request_len(request); i++) {
        kvl_value_t *value = new_object("loaded", 6);
        atomic_fetch_add(&loads, 1);
        kvl_request_resolve(request, i, value, NULL);
        kvl_value_release(value);
    }
}

static struct side *open_side(const char *url)
{
    struct side *side = calloc(1, sizeof *side);
    kvl_config_t *config = NULL;
    kvl_error_t *error = NULL;
    must(side != NULL && kvl_config_new(&config) == KVL_OK, "there is memory");
    /* On a busy machine, or under a memory checker, hits must not become misses, and writes must not fail. */
    kvl_config_set(config, "l2.timeout_ms", "60000");
    kvl_config_set(config, "l2.write_timeout_ms", "60000");
    kvl_config_set(config, "cache.ttl_ms", "600000");
    kvl_config_set_provider(config, provide, NULL, NULL);
    must(kvl_redis_open(url, &library, &side->redis, &error) == KVL_OK, "the connection is opened");
    must(kvl_config_set_l2(config, KVL_L2_F_CONDITIONAL | KVL_L2_F_LEASES | KVL_L2_F_OBJECTS, serve, side, NULL) == KVL_OK, "the second tier is set");
    must(kvl_tasks_new(config, &side->tasks, &error) == KVL_OK, "there is an engine");
    must(kvl_redis_attach(side->redis, side->tasks) == KVL_OK, "the engine is attached");
    kvl_config_free(config);
    return side;
}

/* Whether the JSON of a side's state contains a text. */
static int has_state(struct side *side, const char *part)
{
    kvl_value_t *state = NULL;
    size_t len;
    must(kvl_redis_state(side->redis, &state) == KVL_OK, "the connection has a state");
    const char *text = (const char *)kvl_value_data(state, &len);
    char *copy = strndup(text, len);
    int holds = strstr(copy, part) != NULL;
    free(copy);
    kvl_value_release(state);
    return holds;
}

/* Whether the answer for a key is this text. */
static int is_answered(struct side *side, const char *key, const char *text)
{
    kvl_results_t *results = NULL;
    kvl_slice_t slice = { (const uint8_t *)key, strlen(key) };
    must(kvl_tasks_fetch_all_wait(side->tasks, &slice, 1, NULL, NULL, &results) >= 0, "the fetch is answered");
    const kvl_result_t *result = kvl_results_at(results, 0);
    int holds = result->status == KVL_VALUE && strcmp(result->object, text) == 0;
    kvl_results_release(results);
    return holds;
}

static void wait_for_state(struct side *side, const char *part)
{
    for (int tries = 0; tries < 4000 && !has_state(side, part); tries++)
        pause_ms(5);
    must(has_state(side, part), part);
}

static void put(struct side *side, const char *key, const char *text)
{
    kvl_cache_t *cache = NULL;
    kvl_value_t *value = new_object(text, strlen(text));
    must(kvl_tasks_cache(side->tasks, &cache) == KVL_OK, "there is a cache");
    must(kvl_cache_put(cache, (const uint8_t *)key, strlen(key), value, NULL) == KVL_OK, "the object is put");
    kvl_value_release(value);
    kvl_cache_release(cache);
    must(kvl_tasks_l2_sync(side->tasks, 60000) == KVL_OK, "the put is written");
}

static void wait_for_answer(struct side *side, const char *key, const char *text)
{
    for (int tries = 0; tries < 4000 && !is_answered(side, key, text); tries++)
        pause_ms(5);
    must(is_answered(side, key, text), key);
}

static void close_side(struct side *side)
{
    kvl_redis_stop(side->redis);
    kvl_redis_stop(side->redis); /* has no effect */
    must(is_answered(side, "after", "loaded"), "an engine outlives its connection");
    kvl_tasks_free(side->tasks);
    kvl_redis_free(side->redis);
    free(side);
}

int main(int count, char **arguments)
{
    kvl_redis_t *none = NULL;
    kvl_redis_library_t old = library;
    must(count == 2, "there is a URL");
    must(kvl_redis_open(NULL, NULL, &none, NULL) == KVL_ERR_NULL_POINTER, "a URL is needed");
    must(kvl_redis_serve(NULL, NULL, NULL, NULL) == KVL_ERR_NULL_POINTER, "a request is needed");
    old.struct_size -= sizeof(void *);
    must(kvl_redis_open(arguments[1], &old, &none, NULL) == KVL_ERR_INVALID_ARG, "functions of an older version are refused");
    kvl_redis_found_free(NULL, 0);
    kvl_redis_stop(NULL);

    struct side *a = open_side(arguments[1]), *b = open_side(arguments[1]);
    wait_for_state(a, "\"connected\":true,\"listening\":true");
    wait_for_state(b, "\"connected\":true,\"listening\":true");
    put(a, "x", "of a");
    wait_for_state(b, "\"heard\":1"); /* otherwise b might hear of this write during its lookup, or after its own put */
    must(is_answered(b, "x", "of a") && loads == 0, "the other engine finds the object");
    puts("found");
    put(b, "x", "of b");
    wait_for_answer(a, "x", "of b");
    puts("heard");
    put(b, "x", "secret");
    wait_for_answer(a, "x", "loaded");
    must(is_answered(b, "x", "secret"), "an object without bytes stays in its engine, and is removed from the server");
    puts("refused");
    close_side(a);
    close_side(b);
    must(objects == 0, "every object is freed");
    puts("closed");
    return 0;
}
