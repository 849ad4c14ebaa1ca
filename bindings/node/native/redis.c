/* A second tier on Redis or Valkey: libkvlight_redis, which is loaded when a connection is opened. */
#include "native.h"

#include <dlfcn.h>
#include <kvlight_redis.h>
#include <stdlib.h>
#include <string.h>

#define FUNCTIONS(X) X(open) X(serve) X(found_free) X(attach) X(state) X(stop) X(free)

/* The owners of a connection are the JavaScript object that refers to it, its engine, and each request that is being served. They are counted on the
 * environment's thread. */
struct Redis {
    kvl_redis_t *handle;
    int owners;
    struct {
#define X(name) __typeof__(&kvl_redis_##name) name;
        FUNCTIONS(X)
#undef X
    } call;
};

/* A request that is being served: a thread of libuv's pool waits for the server. */
typedef struct {
    Redis *redis;
    kvl_l2_request_t *request;
    napi_async_work work;
    napi_deferred deferred;
    kvl_status_t status;
    kvl_redis_found_t *found;
    size_t n;
} Serving;

/* The functions of this addon's own copy of kvlight, for libkvlight_redis to call. */
static const kvl_redis_library_t library = KVL_REDIS_LIBRARY_INIT;

void redis_release(Redis *redis)
{
    if (redis && --redis->owners == 0) {
        if (redis->handle)
            redis->call.free(redis->handle);
        free(redis);
    }
}

void redis_stop(Redis *redis) { redis->call.stop(redis->handle); }

static void finalize_redis(napi_env env, void *data, void *hint)
{
    (void)env, (void)hint;
    redis_release(data);
}

/* Loads the library, which is never unloaded. Returns NULL, or why it cannot be loaded. */
static const char *load(Redis *redis, const char *path)
{
    void *loaded = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    bool is_whole = loaded != NULL;
#define X(name) is_whole = is_whole && (*(void **)&redis->call.name = dlsym(loaded, "kvl_redis_" #name)) != NULL;
    FUNCTIONS(X)
#undef X
    if (is_whole)
        return NULL;
    const char *why = dlerror();
    return why ? why : "it lacks a function";
}

/* redisOpen(path, url): the connection, or a string that says why the library cannot be loaded. */
static napi_value redis_open(napi_env env, napi_callback_info info)
{
    size_t n = 2;
    napi_value args[2], external;
    Text path, url;
    TRY(env, napi_get_cb_info(env, info, &n, args, NULL, NULL));
    Redis *redis = calloc(1, sizeof *redis);
    if (!redis)
        return throw_status(env, KVL_ERR_NO_MEMORY, NULL);
    redis->owners = 1;
    if (!text_read(env, args[0], &path)) {
        redis_release(redis);
        return NULL;
    }
    const char *why = load(redis, path.data);
    text_end(&path);
    if (why) {
        external = text(env, why);
        redis_release(redis);
        return external;
    }
    if (!text_read(env, args[1], &url)) {
        redis_release(redis);
        return NULL;
    }
    kvl_error_t *error = NULL;
    kvl_status_t status = redis->call.open(url.data, &library, &redis->handle, &error);
    text_end(&url);
    if (status < 0)
        throw_status(env, status, error ? kvl_error_message(error) : NULL);
    else if (napi_create_external(env, redis, finalize_redis, NULL, &external) == napi_ok)
        redis->owners++;
    else
        status = (throw_napi_error(env), KVL_ERR_NO_MEMORY);
    kvl_error_release(error);
    redis_release(redis);
    return status < 0 ? NULL : external;
}

/* Reads `want` arguments and returns the connection, which is the first; NULL with an exception if there are fewer. */
static Redis *redis_of(napi_env env, napi_callback_info info, size_t want, napi_value *args)
{
    size_t n = want;
    void *redis;
    if (napi_get_cb_info(env, info, &n, args, NULL, NULL) != napi_ok || n < want || napi_get_value_external(env, args[0], &redis) != napi_ok)
        return (Redis *)throw_napi_error(env);
    return redis;
}

/* redisAttach(redis, engine) */
static napi_value redis_attach(napi_env env, napi_callback_info info)
{
    napi_value args[2];
    void *engine;
    Redis *redis = redis_of(env, info, 2, args);
    if (!redis)
        return NULL;
    TRY(env, napi_unwrap(env, args[1], &engine));
    kvl_status_t status = engine_attach(engine, redis);
    if (status < 0)
        return throw_status(env, status, NULL);
    redis->owners++;
    return NULL;
}

kvl_status_t redis_attach_tasks(Redis *redis, kvl_tasks_t *tasks) { return redis->call.attach(redis->handle, tasks); }

static void serve(napi_env env, void *data)
{
    (void)env;
    Serving *serving = data;
    serving->status = serving->redis->call.serve(serving->redis->handle, serving->request, &serving->found, &serving->n);
}

/* [index, data, ttl_left_ms, token] */
static napi_value found_to_js(napi_env env, const kvl_redis_found_t *found)
{
    napi_value list, data, token;
    TRY(env, napi_create_array_with_length(env, 4, &list));
    TRY(env, napi_create_buffer_copy(env, found->len, found->data, NULL, &data));
    TRY(env, napi_create_buffer_copy(env, found->token_len, found->token, NULL, &token));
    TRY(env, napi_set_element(env, list, 0, number(env, (double)found->index)));
    TRY(env, napi_set_element(env, list, 1, data));
    TRY(env, napi_set_element(env, list, 2, number(env, (double)found->ttl_left_ms)));
    TRY(env, napi_set_element(env, list, 3, token));
    return list;
}

static napi_value all_to_js(napi_env env, const Serving *serving)
{
    napi_value all;
    if (serving->status < 0) {
        TRY(env, napi_get_null(env, &all));
        return all;
    }
    TRY(env, napi_create_array_with_length(env, serving->n, &all));
    for (size_t i = 0; i < serving->n; i++) {
        napi_value one = found_to_js(env, &serving->found[i]);
        if (!one)
            return NULL;
        TRY(env, napi_set_element(env, all, (uint32_t)i, one));
    }
    return all;
}

static void end_serving(napi_env env, Serving *serving)
{
    if (serving->work)
        napi_delete_async_work(env, serving->work);
    serving->redis->call.found_free(serving->found, serving->n);
    kvl_l2_request_release(serving->request);
    redis_release(serving->redis);
    free(serving);
}

static void served(napi_env env, napi_status ended, void *data)
{
    Serving *serving = data;
    napi_handle_scope scope;
    if (ended != napi_ok)
        serving->status = KVL_ERR_CLOSED;
    if (napi_open_handle_scope(env, &scope) == napi_ok) {
        napi_value all = all_to_js(env, serving), exception;
        if (all)
            napi_resolve_deferred(env, serving->deferred, all);
        else if (napi_get_and_clear_last_exception(env, &exception) == napi_ok)
            napi_reject_deferred(env, serving->deferred, exception);
        napi_close_handle_scope(env, scope);
    }
    end_serving(env, serving);
}

/* redisServe(redis, request): a promise of the entries of objects that were found, or of null if the server did not serve the request. */
static napi_value redis_serve(napi_env env, napi_callback_info info)
{
    napi_value args[2], promise;
    Redis *redis = redis_of(env, info, 2, args);
    kvl_l2_request_t *request = redis ? tier_request_handle(env, args[1]) : NULL;
    Serving *serving = request ? calloc(1, sizeof *serving) : NULL;
    if (!serving)
        return request ? throw_status(env, KVL_ERR_NO_MEMORY, NULL) : NULL;
    redis->owners++;
    serving->redis = redis;
    serving->request = kvl_l2_request_retain(request);
    if (napi_create_promise(env, &serving->deferred, &promise) == napi_ok &&
        napi_create_async_work(env, NULL, text(env, "kvlight_redis"), serve, served, serving, &serving->work) == napi_ok &&
        napi_queue_async_work(env, serving->work) == napi_ok)
        return promise;
    end_serving(env, serving);
    return throw_napi_error(env);
}

/* redisState(redis): JSON */
static napi_value redis_state(napi_env env, napi_callback_info info)
{
    napi_value args[1], json;
    kvl_value_t *value = NULL;
    Redis *redis = redis_of(env, info, 1, args);
    if (!redis)
        return NULL;
    kvl_status_t status = redis->call.state(redis->handle, &value);
    if (status < 0)
        return throw_status(env, status, NULL);
    size_t len;
    const uint8_t *data = kvl_value_data(value, &len);
    napi_status made = napi_create_string_utf8(env, (const char *)data, len, &json);
    kvl_value_release(value);
    TRY(env, made);
    return json;
}

napi_status redis_define(napi_env env, napi_value exports)
{
#define FUNCTION(name, function) {name, NULL, function, NULL, NULL, NULL, napi_default, NULL}
    napi_property_descriptor functions[] = {
        FUNCTION("redisOpen", redis_open),
        FUNCTION("redisAttach", redis_attach),
        FUNCTION("redisServe", redis_serve),
        FUNCTION("redisState", redis_state),
    };
    return napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
}
