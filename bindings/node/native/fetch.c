/* Fetches, refreshes and invalidations. */
#include "native.h"

#include <stdlib.h>

static void finalize_fetch(napi_env env, void *fetch, void *hint)
{
    (void)env, (void)hint;
    kvl_fetch_release(fetch);
}

/* newFetch(): a handle for cancelling a fetch. */
napi_value new_fetch(napi_env env, napi_callback_info info)
{
    (void)info;
    kvl_fetch_t *fetch;
    napi_value handle;
    kvl_status_t status = kvl_fetch_new(&fetch);
    if (status < 0)
        return throw_status(env, status, NULL);
    if (napi_create_external(env, fetch, finalize_fetch, NULL, &handle) == napi_ok)
        return handle;
    kvl_fetch_release(fetch);
    return throw_napi_error(env);
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

/* The ID of a fetch, its options, and its handle, which is NULL if the fetch cannot be cancelled. */
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
    TRY_BOOL(env, napi_get_value_double(env, id, &call->id));
    if (kind == napi_external)
        TRY_BOOL(env, napi_get_value_external(env, fetch, &call->fetch));
    return options_read(env, settings, &call->options);
}

/* fetch(key, id, settings, fetch): the value; false on a miss that loads nothing; undefined if the outcome follows as an event. */
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
    return status == KVL_VALUE || status == KVL_NULL ? value_to_js_and_release(env, value) : throw_status(env, status, NULL);
}

/* fetchAll(keys, id, settings, fetch): the results, or undefined if they follow as an event. */
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
        return throw_status(env, status, NULL);
    napi_value js_results = status == KVL_PENDING ? undefined(env) : results_to_js(env, results);
    kvl_results_release(results);
    return js_results;
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
    return status < 0 ? throw_status(env, status, NULL) : NULL;
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
    return status < 0 ? throw_status(env, status, NULL) : NULL;
}
