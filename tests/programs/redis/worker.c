/* A process with an engine and a second tier on a server. It reads commands, one on each line, and prints a line for each event.
 *
 *     worker URL [SETTING=VALUE ...]
 *
 *     fetch KEY          done KEY STATUS SOURCE VALUE
 *     many FIRST COUNT   fetches COUNT keys from k<FIRST> on: done for each
 *     auto VALUE         from now on the provider prints loaded KEY, and answers VALUE at once
 *     ask                from now on the provider prints load KEY, and waits for the line answer KEY VALUE or fail KEY
 *     put KEY VALUE, remove KEY, clear, sync MS, invalidate      ok STATUS
 *     save PATH, load PATH                                       ok STATUS
 *     expire             expires everything in this process (kvl_tasks_invalidate); ok STATUS
 *     touch KEY MS       puts KEY with this TTL and the value "short"
 *     stats              stats JSON of the engine
 *     state              state JSON of kvl_redis_state
 *     child              forks: the child uses the connection, frees it, and ends; ok 0 if each use was refused
 *     misuse             calls functions with wrong arguments; ok 0 if all calls were refused
 *     attach             attaches the engine; ok STATUS. With KVL_REDIS_LATE in the environment it is not attached at the start
 *     leave              detaches from the server with kvl_redis_free, and continues without it; ok 0
 *
 * The process ends when its input does.
 */
#define _POSIX_C_SOURCE 200809L
#include "arguments.h"

#include <kvlight_redis.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WAITING = 1024, WORDS = 70000 };

/* A key of a request that waits for its answer: its index in the request, and its text. */
struct waiting {
    kvl_request_t *request;
    size_t i;
    char *key;
};

static struct {
    pthread_mutex_t lock;
    char *automatic; /* the answer to all keys; NULL: lines of the input have the answers */
    struct waiting waiting[WAITING];
} provider = { .lock = PTHREAD_MUTEX_INITIALIZER };

static char *text_of(const uint8_t *data, size_t len)
{
    char *text = malloc(len + 1);
    if (text == NULL)
        die("memory", 0);
    if (len > 0)
        memcpy(text, data, len);
    text[len] = '\0';
    return text;
}

static void provide(void *user_data, kvl_request_t *request)
{
    const kvl_slice_t *keys = kvl_request_keys(request);
    size_t n = kvl_request_len(request);

    (void)user_data;
    pthread_mutex_lock(&provider.lock);
    char *automatic = provider.automatic == NULL ? NULL : text_of((const uint8_t *)provider.automatic, strlen(provider.automatic));
    for (size_t i = 0; i < n; i++) {
        char *key = text_of(keys[i].data, keys[i].len);
        printf("%s %s\n", automatic == NULL ? "load" : "loaded", key);
        if (automatic != NULL) {
            free(key);
            continue;
        }
        size_t at = 0;
        while (at < WAITING && provider.waiting[at].request != NULL)
            at++;
        if (at == WAITING)
            die("too many loads", 0);
        provider.waiting[at] = (struct waiting){ kvl_request_retain(request), i, key };
    }
    pthread_mutex_unlock(&provider.lock);
    for (size_t i = 0; automatic != NULL && i < n; i++)
        kvl_request_resolve_bytes(request, i, (const uint8_t *)automatic, strlen(automatic), NULL);
    free(automatic);
}

/* Answers every waiting load of the key, or fails it if `value` is NULL. */
static void answer(const char *key, const char *value)
{
    for (size_t at = 0; at < WAITING; at++) {
        pthread_mutex_lock(&provider.lock);
        struct waiting waiting = provider.waiting[at];
        int is_this = waiting.request != NULL && strcmp(waiting.key, key) == 0;
        if (is_this)
            memset(&provider.waiting[at], 0, sizeof provider.waiting[at]);
        pthread_mutex_unlock(&provider.lock);
        if (!is_this)
            continue;
        if (value != NULL) {
            kvl_request_resolve_bytes(waiting.request, waiting.i, (const uint8_t *)value, strlen(value), NULL);
        } else {
            kvl_error_t *error = NULL;
            kvl_error_new(1, "as told", 7, KVL_ERROR_F_PERMANENT, &error);
            kvl_request_fail(waiting.request, waiting.i, error);
            kvl_error_release(error);
        }
        kvl_request_release(waiting.request);
        free(waiting.key);
    }
}

static void print_result(void *user_data, const kvl_result_t *result)
{
    (void)user_data;
    static const char *const names[] = { "none", "store", "provider", "joined", "put", "error", "stale", "l2" };
    char *key = text_of(result->key, result->key_len), *value = text_of(result->data, result->data_len);
    printf("done %s %d %s %s\n", key, (int)result->status, names[result->source], value);
    free(key);
    free(value);
}

static void show(const char *what, kvl_status_t status, kvl_value_t **text)
{
    size_t len = 0;

    if (status < 0)
        die(what, status);
    const uint8_t *data = kvl_value_data(*text, &len);
    printf("%s %.*s\n", what, (int)len, (const char *)data);
    kvl_value_release(*text);
}

static void ok(kvl_status_t status)
{
    printf("ok %d\n", (int)status);
}

/* Returns 0 if every call in a forked child is refused, and the child can free the connection. */
static int in_child(kvl_redis_t *redis, kvl_tasks_t *tasks)
{
    int status = 1;

    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        kvl_value_t *text = NULL;
        int is_right = kvl_redis_state(redis, &text) == KVL_ERR_FORKED && kvl_redis_attach(redis, tasks) == KVL_ERR_FORKED && text == NULL;
        kvl_redis_free(redis);
        _exit(is_right ? 0 : 3);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return 2;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}

/* Returns the number of wrong calls that were not refused. */
static int count_accepted_misuse(kvl_redis_t *redis, kvl_tasks_t *tasks)
{
    kvl_config_t *config = NULL;
    kvl_redis_t *other = NULL;
    kvl_value_t *text = NULL;
    int wrong = 0;

    kvl_config_new(&config);
    wrong += kvl_redis_use(NULL, "redis://localhost/?prefix=p", &other, NULL) != KVL_ERR_NULL_POINTER;
    wrong += kvl_redis_use(config, NULL, &other, NULL) != KVL_ERR_NULL_POINTER;
    wrong += kvl_redis_use(config, "redis://localhost/?prefix=p", NULL, NULL) != KVL_ERR_NULL_POINTER;
    wrong += kvl_redis_use(config, "redis://localhost/", &other, NULL) != KVL_ERR_BAD_VALUE;
    wrong += kvl_redis_use(config, "redis://\xff/?prefix=p", &other, NULL) != KVL_ERR_BAD_VALUE;
    wrong += other != NULL;
    wrong += kvl_redis_attach(NULL, NULL) != KVL_ERR_NULL_POINTER || kvl_redis_attach(redis, NULL) != KVL_ERR_NULL_POINTER;
    wrong += kvl_redis_state(NULL, &text) != KVL_ERR_NULL_POINTER || kvl_redis_state(redis, NULL) != KVL_ERR_NULL_POINTER;
    wrong += kvl_redis_use(config, "redis://localhost/?prefix=p&prefix=q", &other, NULL) != KVL_ERR_BAD_VALUE || other != NULL;
    wrong += kvl_redis_use(config, "redis://localhost/?prefix=p", &other, NULL) != KVL_OK;
    kvl_redis_stop(other);
    wrong += kvl_redis_attach(other, tasks) != KVL_ERR_CLOSED;
    kvl_redis_free(other);
    kvl_redis_free(NULL);
    kvl_config_free(config);
    return wrong;
}

int main(int argc, char **argv)
{
    static char line[WORDS], key[WORDS], value[WORDS];
    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;
    kvl_cache_t *cache = NULL;
    kvl_redis_t *redis = NULL;
    kvl_error_t *error = NULL;
    kvl_value_t *text = NULL;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2 || kvl_config_new(&config) < 0)
        die("usage: worker URL [SETTING=VALUE ...]", 0);
    kvl_config_set_provider(config, provide, NULL, NULL);
    apply_settings(config, argv, 2, argc);
    kvl_status_t status = kvl_redis_use(config, argv[1], &redis, &error);
    if (status < 0) {
        printf("refused %d %s\n", (int)status, kvl_error_message(error));
        kvl_error_release(error);
        kvl_config_free(config);
        return 0;
    }
    if ((status = kvl_tasks_new(config, &tasks, &error)) < 0)
        die("kvl_tasks_new", status);
    kvl_config_free(config);
    if (getenv("KVL_REDIS_LATE") == NULL)
        kvl_redis_attach(redis, tasks);
    kvl_tasks_cache(tasks, &cache);
    printf("ready\n");
    while (fgets(line, sizeof line, stdin) != NULL) {
        unsigned first = 0, count = 0;
        key[0] = value[0] = '\0';
        if (sscanf(line, "many %u %u", &first, &count) == 2) {
            for (unsigned i = first; i < first + count; i++) {
                int len = snprintf(key, sizeof key, "k%u", i);
                kvl_tasks_fetch(tasks, (const uint8_t *)key, (size_t)len, NULL, NULL, print_result, NULL, NULL, NULL);
            }
        } else if (sscanf(line, "fetch %s", key) == 1) {
            status = kvl_tasks_fetch(tasks, (const uint8_t *)key, strlen(key), NULL, NULL, print_result, NULL, NULL, NULL);
            if (status != KVL_PENDING)
                die("kvl_tasks_fetch", status);
        } else if (sscanf(line, "auto %s", value) == 1 || strcmp(line, "ask\n") == 0) {
            pthread_mutex_lock(&provider.lock);
            free(provider.automatic);
            provider.automatic = value[0] == '\0' ? NULL : text_of((const uint8_t *)value, strlen(value));
            pthread_mutex_unlock(&provider.lock);
            ok(0);
        } else if (sscanf(line, "answer %s %s", key, value) == 2) {
            answer(key, value);
        } else if (sscanf(line, "fail %s", key) == 1) {
            answer(key, NULL);
        } else if (sscanf(line, "put %s %s", key, value) == 2) {
            ok(kvl_cache_put_bytes(cache, (const uint8_t *)key, strlen(key), (const uint8_t *)value, strlen(value), NULL));
        } else if (sscanf(line, "touch %s %u", key, &first) == 2) {
            kvl_terms_t terms = KVL_TERMS_INIT;
            terms.ttl_ms = first;
            ok(kvl_cache_put_bytes(cache, (const uint8_t *)key, strlen(key), (const uint8_t *)"short", 5, &terms));
        } else if (sscanf(line, "remove %s", key) == 1) {
            ok(kvl_cache_remove(cache, (const uint8_t *)key, strlen(key)));
        } else if (sscanf(line, "sync %u", &first) == 1) {
            ok(kvl_tasks_l2_sync(tasks, first));
        } else if (strcmp(line, "clear\n") == 0) {
            ok(kvl_cache_clear(cache));
        } else if (sscanf(line, "save %s", value) == 1) {
            ok(kvl_cache_save(cache, value, NULL, NULL, NULL, 0, NULL));
        } else if (sscanf(line, "load %s", value) == 1) {
            ok(kvl_cache_load(cache, value, NULL, NULL, NULL, 0, NULL));
        } else if (strcmp(line, "expire\n") == 0) {
            ok(kvl_tasks_invalidate(tasks, NULL, 0, KVL_INVALIDATE_F_ALL | KVL_INVALIDATE_F_EXPIRE));
        } else if (strcmp(line, "invalidate\n") == 0) {
            ok(kvl_tasks_invalidate(tasks, NULL, 0, KVL_INVALIDATE_F_ALL));
        } else if (strcmp(line, "stats\n") == 0) {
            show("stats", kvl_tasks_stats_json(tasks, &text), &text);
        } else if (strcmp(line, "state\n") == 0) {
            if (redis != NULL)
                show("state", kvl_redis_state(redis, &text), &text);
        } else if (strcmp(line, "attach\n") == 0) {
            ok(kvl_redis_attach(redis, tasks));
        } else if (strcmp(line, "child\n") == 0) {
            ok(in_child(redis, tasks));
        } else if (strcmp(line, "misuse\n") == 0) {
            ok(count_accepted_misuse(redis, tasks));
        } else if (strcmp(line, "leave\n") == 0) {
            kvl_redis_free(redis);
            redis = NULL;
            ok(0);
        } else {
            die(line, 0);
        }
    }
    kvl_cache_release(cache);
    kvl_tasks_close(tasks, KVL_CLOSE_CANCEL, KVL_FOREVER, NULL, NULL, NULL);
    kvl_redis_free(redis);
    kvl_tasks_free(tasks);
    for (size_t at = 0; at < WAITING; at++) {
        if (provider.waiting[at].request != NULL)
            kvl_request_release(provider.waiting[at].request);
        free(provider.waiting[at].key);
    }
    free(provider.automatic);
    return 0;
}
