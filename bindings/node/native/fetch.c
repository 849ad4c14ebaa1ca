/* Fetches. */
#include "native.h"

#include <stdlib.h>

static void fetch_forgotten(napi_env env, void *fetch, void *hint)
{
    (void)env, (void)hint;
    kvl_fetch_release(fetch);
}

/* newFetch(): a handle by which a fetch can be cancelled. */
napi_value new_fetch(napi_env env, napi_callback_info info)
{
    (void)info;
    kvl_fetch_t *fetch;
    napi_value made;
    kvl_status_t status = kvl_fetch_new(&fetch);
    if (status < 0)
        return thrown(env, status, NULL);
    if (napi_create_external(env, fetch, fetch_forgotten, NULL, &made) == napi_ok)
        return made;
    kvl_fetch_release(fetch);
    return refused(env);
}

napi_value cancel_fetch(napi_env env, napi_callback_info info)
{
    size_t n = 1;
    napi_value arg;
    void *fetch;
    TRY(env, napi_get_cb_info(env, info, &n, &arg, NULL, NULL));
    TRY(env, napi_get_value_external(env, arg, &fetch));
    kvl_fetch_cancel(fetch);
    return NULL;
}

/* The number of a fetch, its options, and the handle to cancel it by, which may be undefined. */
typedef struct {
    double id;
    kvl_options_t *options;
    void *fetch;
} Call;

static bool call_read(napi_env env, napi_value id, napi_value settings, napi_value fetch, Call *call)
{
    napi_valuetype kind;
    call->fetch = NULL;
    napi_typeof(env, fetch, &kind);
    if (napi_get_value_double(env, id, &call->id) != napi_ok || (kind == napi_external && napi_get_value_external(env, fetch, &call->fetch) != napi_ok))
        return refused(env) != NULL;
    return options_read(env, settings, &call->options);
}

/* fetch(key, id, settings, fetch): the value; false on a miss that loads nothing; undefined if the outcome will come as an event. */
napi_value engine_fetch(napi_env env, napi_callback_info info)
{
    napi_value args[4];
    Text key;
    Call call;
    Engine *engine = engine_of(env, info, 4, args);
    if (!engine || !text_read(env, args[0], &key))
        return NULL;
    if (!call_read(env, args[1], args[2], args[3], &call)) {
        text_end(&key);
        return NULL;
    }
    kvl_value_t *value;
    kvl_status_t status = kvl_tasks_fetch(engine->tasks, (const uint8_t *)key.data, key.len, call.options, call.fetch, NULL,
                                          (void *)(uintptr_t)call.id, NULL, &value);
    text_end(&key);
    kvl_options_free(call.options);
    if (status == KVL_PENDING)
        return undefined(env);
    if (status == KVL_MISS)
        return boolean(env, false);
    return status == KVL_VALUE || status == KVL_NULL ? value_taken(env, value) : thrown(env, status, NULL);
}

/* fetchAll(keys, id, settings, fetch): the results, or undefined if they will come as an event. */
napi_value engine_fetch_all(napi_env env, napi_callback_info info)
{
    napi_value args[4];
    Keys keys;
    Call call;
    Engine *engine = engine_of(env, info, 4, args);
    if (!engine || !keys_read(env, args[0], &keys))
        return NULL;
    if (!call_read(env, args[1], args[2], args[3], &call)) {
        keys_end(&keys);
        return NULL;
    }
    kvl_results_t *results;
    kvl_status_t status = kvl_tasks_fetch_all(engine->tasks, keys.slices, keys.n, call.options, call.fetch, NULL, (void *)(uintptr_t)call.id,
                                              NULL, &results);
    keys_end(&keys);
    kvl_options_free(call.options);
    if (status < 0)
        return thrown(env, status, NULL);
    napi_value shown = status == KVL_PENDING ? undefined(env) : results_shown(env, results);
    kvl_results_release(results);
    return shown;
}

/* refresh(keys, settings) */
napi_value engine_refresh(napi_env env, napi_callback_info info)
{
    napi_value args[2];
    Keys keys;
    kvl_options_t *options;
    Engine *engine = engine_of(env, info, 2, args);
    if (!engine || !keys_read(env, args[0], &keys))
        return NULL;
    kvl_status_t status = KVL_OK;
    if (options_read(env, args[1], &options)) {
        status = kvl_tasks_refresh(engine->tasks, keys.slices, keys.n, options);
        kvl_options_free(options);
    }
    keys_end(&keys);
    return status < 0 ? thrown(env, status, NULL) : NULL;
}

/* invalidate(keys, flags) */
napi_value engine_invalidate(napi_env env, napi_callback_info info)
{
    napi_value args[2];
    Keys keys;
    uint32_t flags;
    Engine *engine = engine_of(env, info, 2, args);
    if (!engine)
        return NULL;
    TRY(env, napi_get_value_uint32(env, args[1], &flags));
    if (!keys_read(env, args[0], &keys))
        return NULL;
    kvl_status_t status = kvl_tasks_invalidate(engine->tasks, keys.slices, keys.n, flags);
    keys_end(&keys);
    return status < 0 ? thrown(env, status, NULL) : NULL;
}
