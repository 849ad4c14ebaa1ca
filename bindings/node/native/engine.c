/* An engine, or a cache without a provider: opening and closing, lookups, writes, the circuit breaker. */
#include "native.h"

#include <stdlib.h>

/* ---- Opening and closing ---- */

void engine_release(Engine *engine)
{
    if (--engine->owners == 0)
        free(engine);
}

static void watcher_closed(uv_handle_t *handle)
{
    Engine *engine = handle->data;
    if (--engine->watched == 0 && engine->cleanup) {
        napi_remove_async_cleanup_hook(engine->cleanup);
        engine->cleanup = NULL;
    }
    engine_release(engine);
}

static void watcher_ready(uv_poll_t *watcher, int status, int events)
{
    (void)status, (void)events;
    Engine *engine = watcher->data;
    napi_env env = engine->env;
    napi_handle_scope scope;
    if (!engine->listener || napi_open_handle_scope(env, &scope) != napi_ok)
        return;
    napi_value listener, global;
    /* Created here, where no JavaScript is running: the provider is shared by all callers, so it must not run in the AsyncLocalStorage context of
     * whoever created the engine. */
    if (!engine->context)
        napi_async_init(env, NULL, text(env, "kvlight"), &engine->context);
    if (napi_get_reference_value(env, engine->listener, &listener) == napi_ok && napi_get_global(env, &global) == napi_ok &&
        napi_make_callback(env, engine->context, global, listener, 0, NULL, NULL) == napi_pending_exception) {
        /* Makes it an uncaught exception, like one thrown by any Node callback. */
        napi_value exception;
        if (napi_get_and_clear_last_exception(env, &exception) == napi_ok)
            napi_fatal_exception(env, exception);
    }
    napi_close_handle_scope(env, scope);
}

/* Ends the engine. The events still in its queue can be read until dispose_engine(). This waits for the library's threads, which cannot be
 * waiting for this one: none of them runs JavaScript. */
static void end_engine(Engine *engine)
{
    kvl_tasks_t *tasks = engine->tasks;
    kvl_cache_t *cache = engine->cache;
    engine->tasks = NULL;
    engine->cache = NULL;
    kvl_cache_release(cache);
    if (engine->redis) {
        redis_stop(engine->redis);
        redis_release(engine->redis);
        engine->redis = NULL;
    }
    if (tasks)
        kvl_tasks_free(tasks);
}

kvl_status_t engine_attach(Engine *engine, Redis *redis)
{
    if (!engine->tasks || engine->redis)
        return KVL_ERR_CLOSED;
    kvl_status_t status = redis_attach_tasks(redis, engine->tasks);
    if (status >= 0)
        engine->redis = redis;
    return status;
}

/* Ends the engine, stops watching the queues' descriptors, and frees the queues. libuv closes the watchers later; until then they are owners. */
static void dispose_engine(Engine *engine)
{
    end_engine(engine);
    if (engine->is_disposed)
        return;
    engine->is_disposed = true;
    if (engine->listener)
        napi_delete_reference(engine->env, engine->listener);
    engine->listener = NULL;
    if (engine->context)
        napi_async_destroy(engine->env, engine->context);
    engine->context = NULL;
    for (int i = 0; i < engine->watched; i++) {
        uv_poll_stop(&engine->watchers[i]);
        uv_close((uv_handle_t *)&engine->watchers[i], watcher_closed);
    }
    kvl_queue_free(engine->queue); /* first: its events refer to objects */
    kvl_queue_free(engine->drops);
    engine->queue = engine->drops = NULL;
}

static void environment_cleanup(napi_async_cleanup_hook_handle handle, void *data)
{
    (void)handle;
    dispose_engine(data);
}

static void finalize_engine(napi_env env, void *data, void *hint)
{
    (void)env, (void)hint;
    dispose_engine(data);
    engine_release(data);
}

static bool watch_queue(Engine *engine, uv_loop_t *loop, kvl_queue_t *queue)
{
    int32_t fd;
    uv_poll_t *watcher = &engine->watchers[engine->watched];
    if (kvl_queue_fd(queue, &fd) < 0 || uv_poll_init(loop, watcher, fd) != 0)
        return false;
    engine->watched++;
    engine->owners++;
    watcher->data = engine;
    uv_poll_start(watcher, UV_READABLE, watcher_ready);
    uv_unref((uv_handle_t *)watcher);
    return true;
}

static napi_status watch_queues(napi_env env, Engine *engine, napi_value listener)
{
    uv_loop_t *loop;
    napi_status status = napi_get_uv_event_loop(env, &loop);
    if (status == napi_ok)
        status = napi_create_reference(env, listener, 1, &engine->listener);
    if (status == napi_ok)
        status = napi_add_async_cleanup_hook(env, environment_cleanup, engine, &engine->cleanup);
    if (status != napi_ok)
        return status;
    bool is_watching = (!engine->queue || watch_queue(engine, loop, engine->queue)) && watch_queue(engine, loop, engine->drops);
    if (engine->watched == 0) { /* no watcher will remove it */
        napi_remove_async_cleanup_hook(engine->cleanup);
        engine->cleanup = NULL;
    }
    return is_watching ? napi_ok : napi_generic_failure;
}

/* `abilities` are the second tier's flags (KVL_L2_F_*); below 0, there is no second tier. */
static kvl_status_t create_engine(Engine *engine, kvl_config_t *config, bool has_provider, int32_t abilities, kvl_error_t **out_error)
{
    kvl_status_t status = kvl_queue_new(0, &engine->drops);
    if (status >= 0 && !has_provider)
        return kvl_cache_new(config, &engine->cache, out_error);
    if (status >= 0)
        status = kvl_queue_new(0, &engine->queue);
    if (status >= 0)
        status = kvl_config_set_queue(config, engine->queue, KVL_QUEUE_F_ALL | KVL_QUEUE_F_L2);
    if (status >= 0 && abilities >= 0)
        status = kvl_config_set_l2(config, (uint32_t)abilities, NULL, NULL, NULL);
    if (status >= 0)
        status = kvl_config_set_provider(config, NULL, NULL, NULL);
    if (status >= 0)
        status = kvl_tasks_new(config, &engine->tasks, out_error);
    return status < 0 ? status : kvl_tasks_cache(engine->tasks, &engine->cache);
}

static void finalize_function(napi_env env, void *data, void *hint)
{
    (void)env, (void)hint;
    engine_release(data);
}

/* Adds a function to the JavaScript object of an engine. The function's data is the engine, and it is one of the engine's owners. */
static napi_status add_own_function(napi_env env, napi_value this, Engine *engine, const char *name, napi_callback callback)
{
    napi_value function;
    napi_status status = napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, engine, &function);
    if (status == napi_ok)
        status = napi_add_finalizer(env, function, engine, finalize_function, NULL, NULL);
    if (status != napi_ok)
        return status;
    engine->owners++;
    return napi_set_named_property(env, this, name, function);
}

static napi_value engine_get(napi_env env, napi_callback_info info);
static napi_value engine_lookup(napi_env env, napi_callback_info info);

/* new Engine(settings, listener, hasProvider, abilities) */
static napi_value engine_new(napi_env env, napi_callback_info info)
{
    size_t n = 4;
    napi_value args[4], this;
    bool has_provider;
    int32_t abilities;
    TRY(env, napi_get_cb_info(env, info, &n, args, &this, NULL));
    TRY(env, napi_get_value_bool(env, args[2], &has_provider));
    TRY(env, napi_get_value_int32(env, args[3], &abilities));
    kvl_config_t *config;
    kvl_error_t *error = NULL;
    kvl_status_t status = kvl_config_new(&config);
    if (status < 0)
        return throw_status(env, status, NULL);
    Engine *engine = settings_into_config(env, config, args[0]) ? calloc(1, sizeof *engine) : NULL;
    if (!engine) {
        bool is_pending = false;
        kvl_config_free(config);
        if (napi_is_exception_pending(env, &is_pending) == napi_ok && !is_pending)
            throw_status(env, KVL_ERR_NO_MEMORY, NULL);
        return NULL;
    }
    engine->env = env;
    engine->owners = 1;
    status = create_engine(engine, config, has_provider, abilities, &error);
    if (status < 0)
        throw_status(env, status, error ? kvl_error_message(error) : NULL);
    kvl_error_release(error);
    kvl_config_free(config);
    if (status >= 0 && (watch_queues(env, engine, args[1]) != napi_ok || add_own_function(env, this, engine, "get", engine_get) != napi_ok ||
                        add_own_function(env, this, engine, "lookup", engine_lookup) != napi_ok ||
                        napi_wrap(env, this, engine, finalize_engine, NULL, NULL) != napi_ok)) {
        throw_napi_error(env);
        status = KVL_ERR_NO_FD;
    }
    if (status >= 0)
        return this;
    dispose_engine(engine);
    engine_release(engine);
    return NULL;
}

Engine *engine_of(napi_env env, napi_callback_info info, size_t count, napi_value *args)
{
    size_t n = count;
    napi_value this;
    void *engine;
    if (napi_get_cb_info(env, info, &n, args, &this, NULL) != napi_ok || n < count || napi_unwrap(env, this, &engine) != napi_ok)
        return (Engine *)throw_napi_error(env);
    return ((Engine *)engine)->cache ? engine : (Engine *)throw_status(env, KVL_ERR_CLOSED, NULL);
}

static Engine *engine_or_closed_engine(napi_env env, napi_callback_info info, size_t count, napi_value *args)
{
    napi_value this;
    void *engine = NULL;
    if (napi_get_cb_info(env, info, &count, args, &this, NULL) != napi_ok || napi_unwrap(env, this, &engine) != napi_ok)
        throw_napi_error(env);
    return engine;
}

static napi_value engine_close(napi_env env, napi_callback_info info)
{
    Engine *engine = engine_or_closed_engine(env, info, 0, NULL);
    if (engine)
        end_engine(engine);
    return NULL;
}

static napi_value engine_dispose(napi_env env, napi_callback_info info)
{
    Engine *engine = engine_or_closed_engine(env, info, 0, NULL);
    if (engine)
        dispose_engine(engine);
    return NULL;
}

/* keepAlive(yes): whether the engine keeps the process alive. */
static napi_value engine_keep_alive(napi_env env, napi_callback_info info)
{
    napi_value args[1];
    bool keeps_alive;
    Engine *engine = engine_or_closed_engine(env, info, 1, args);
    if (!engine || engine->is_disposed)
        return NULL;
    TRY(env, napi_get_value_bool(env, args[0], &keeps_alive));
    (keeps_alive ? uv_ref : uv_unref)((uv_handle_t *)&engine->watchers[0]);
    return NULL;
}

/* ---- Values ---- */

napi_value value_to_js(napi_env env, const void *object, const uint8_t *data, size_t len)
{
    napi_value result = NULL;
    if (object)
        return number(env, (double)(uintptr_t)object);
    if (data)
        napi_create_buffer_copy(env, len, data, NULL, &result);
    else
        napi_get_null(env, &result);
    return result;
}

napi_value value_to_js_and_release(napi_env env, kvl_value_t *value)
{
    size_t len = 0;
    const void *object = kvl_value_object(value);
    const uint8_t *data = object ? NULL : kvl_value_data(value, &len);
    napi_value result = value_to_js(env, object, data, len);
    kvl_value_release(value);
    return result;
}

kvl_value_t *value_from_js(napi_env env, Engine *engine, napi_value value, double cost)
{
    napi_valuetype kind;
    kvl_value_t *handle = NULL;
    kvl_status_t status;
    double id;
    napi_typeof(env, value, &kind);
    if (kind == napi_null)
        return kvl_value_null();
    if (kind == napi_number) {
        napi_get_value_double(env, value, &id);
        status = kvl_value_new_object_on(engine->drops, (void *)(uintptr_t)id, (uint64_t)cost, NULL, &handle);
    } else {
        void *data;
        size_t len;
        napi_typedarray_type type;
        if (napi_get_typedarray_info(env, value, &type, &len, &data, NULL, NULL) != napi_ok)
            return (kvl_value_t *)throw_napi_error(env);
        status = kvl_value_new_bytes(data, len, &handle);
    }
    return status < 0 ? (kvl_value_t *)throw_status(env, status, NULL) : handle;
}

/* ---- The store ---- */

/* The outcome of a lookup: a value in the form that native.h describes, or undefined. The library may have dropped the object since, but its ID stays
 * valid until this thread reads the event of the drop. */
static napi_value found_to_js(napi_env env, kvl_status_t status, const void *object, kvl_value_t *value)
{
    napi_value result = NULL;
    if (status == KVL_VALUE && !value) {
        /* A small integer, for which V8 allocates nothing. */
        if ((uintptr_t)object <= INT32_MAX)
            napi_create_int32(env, (int32_t)(uintptr_t)object, &result);
        else
            result = number(env, (double)(uintptr_t)object);
        return result;
    }
    if (status == KVL_VALUE)
        return value_to_js_and_release(env, value);
    if (status == KVL_NULL)
        napi_get_null(env, &result);
    else
        return status < 0 ? throw_status(env, status, NULL) : undefined(env);
    return result;
}

/* Like engine_of() with one argument, for a function of add_own_function(). It is faster, since Node-API need not unwrap `this`. */
static Engine *own_engine_of(napi_env env, napi_callback_info info, napi_value *key)
{
    size_t n = 1;
    void *engine;
    if (napi_get_cb_info(env, info, &n, key, NULL, &engine) != napi_ok || n < 1)
        return (Engine *)throw_napi_error(env);
    return ((Engine *)engine)->cache ? engine : (Engine *)throw_status(env, KVL_ERR_CLOSED, NULL);
}

/* get(key): a value in the form that native.h describes, or undefined on a miss. */
static napi_value engine_get(napi_env env, napi_callback_info info)
{
    napi_value args[1];
    Text key;
    Engine *engine = own_engine_of(env, info, args);
    if (!engine || !text_read(env, args[0], &key))
        return NULL;
    kvl_value_t *value;
    void *object;
    kvl_status_t status = kvl_cache_get_object(engine->cache, (const uint8_t *)key.data, key.len, &object, &value);
    text_end(&key);
    return found_to_js(env, status, object, value);
}

/* lookup(key): like get(), for the first step of a fetch. Does not count a miss, since the next step counts it. */
static napi_value engine_lookup(napi_env env, napi_callback_info info)
{
    napi_value args[1];
    Text key;
    Engine *engine = own_engine_of(env, info, args);
    if (!engine || !text_read(env, args[0], &key))
        return NULL;
    kvl_value_t *value;
    void *object;
    kvl_status_t status = kvl_tasks_get_object(engine->tasks, (const uint8_t *)key.data, key.len, &object, &value);
    text_end(&key);
    return found_to_js(env, status, object, value);
}

static napi_value engine_has(napi_env env, napi_callback_info info)
{
    napi_value args[1];
    Text key;
    Engine *engine = engine_of(env, info, 1, args);
    if (!engine || !text_read(env, args[0], &key))
        return NULL;
    kvl_status_t status = kvl_cache_contains(engine->cache, (const uint8_t *)key.data, key.len);
    text_end(&key);
    return status < 0 ? throw_status(env, status, NULL) : boolean(env, status != KVL_MISS);
}

/* put(key, value, cost, terms): a status. The cost is that of an object; the library computes that of bytes. */
static napi_value engine_put(napi_env env, napi_callback_info info)
{
    napi_value args[4];
    Text key;
    double object_cost;
    Terms terms;
    Engine *engine = engine_of(env, info, 4, args);
    if (!engine)
        return NULL;
    TRY(env, napi_get_value_double(env, args[2], &object_cost));
    kvl_value_t *value = value_from_js(env, engine, args[1], object_cost);
    if (!value)
        return NULL;
    if (!text_read(env, args[0], &key)) {
        kvl_value_release(value);
        return NULL;
    }
    kvl_status_t status = KVL_OK;
    bool has_terms = terms_read(env, args[3], &terms);
    if (has_terms) {
        status = kvl_cache_put(engine->cache, (const uint8_t *)key.data, key.len, value, &terms.native);
        terms_end(&terms);
    }
    kvl_value_release(value);
    text_end(&key);
    if (!has_terms)
        return NULL;
    return status < 0 ? throw_status(env, status, NULL) : number(env, status);
}

/* Changes the entry of the key that is the only argument. Returns whether there was one. */
static napi_value change_entry(napi_env env, napi_callback_info info,
                               kvl_status_t (*change)(kvl_cache_t *cache, const uint8_t *key, size_t key_len))
{
    napi_value args[1];
    Text key;
    Engine *engine = engine_of(env, info, 1, args);
    if (!engine || !text_read(env, args[0], &key))
        return NULL;
    kvl_status_t status = change(engine->cache, (const uint8_t *)key.data, key.len);
    text_end(&key);
    return status < 0 ? throw_status(env, status, NULL) : boolean(env, status == KVL_OK);
}

static napi_value engine_remove(napi_env env, napi_callback_info info) { return change_entry(env, info, kvl_cache_remove); }

static napi_value engine_expire(napi_env env, napi_callback_info info) { return change_entry(env, info, kvl_cache_expire); }

/* Changes the entries with the tag that is the only argument. Returns their number. */
static napi_value change_tagged(napi_env env, napi_callback_info info,
                                kvl_status_t (*change)(kvl_cache_t *cache, const uint8_t *tag, size_t tag_len, size_t *out_changed))
{
    napi_value args[1];
    Text tag;
    size_t changed = 0;
    Engine *engine = engine_of(env, info, 1, args);
    if (!engine || !text_read(env, args[0], &tag))
        return NULL;
    kvl_status_t status = change(engine->cache, (const uint8_t *)tag.data, tag.len, &changed);
    text_end(&tag);
    return status < 0 ? throw_status(env, status, NULL) : number(env, (double)changed);
}

static napi_value engine_remove_tag(napi_env env, napi_callback_info info) { return change_tagged(env, info, kvl_cache_remove_tag); }
static napi_value engine_expire_tag(napi_env env, napi_callback_info info) { return change_tagged(env, info, kvl_cache_expire_tag); }

/* touch(key, ttl_ms) */
static napi_value engine_touch(napi_env env, napi_callback_info info)
{
    napi_value args[2];
    Text key;
    double ttl_ms;
    Engine *engine = engine_of(env, info, 2, args);
    if (!engine)
        return NULL;
    TRY(env, napi_get_value_double(env, args[1], &ttl_ms));
    if (!text_read(env, args[0], &key))
        return NULL;
    kvl_status_t status = kvl_cache_touch(engine->cache, (const uint8_t *)key.data, key.len, (int64_t)ttl_ms);
    text_end(&key);
    return status < 0 ? throw_status(env, status, NULL) : boolean(env, status == KVL_OK);
}

static napi_value engine_clear(napi_env env, napi_callback_info info)
{
    Engine *engine = engine_of(env, info, 0, NULL);
    kvl_status_t status = engine ? kvl_cache_clear(engine->cache) : KVL_OK;
    return status < 0 ? throw_status(env, status, NULL) : NULL;
}

static napi_value engine_expire_all(napi_env env, napi_callback_info info)
{
    Engine *engine = engine_of(env, info, 0, NULL);
    kvl_status_t status = engine ? kvl_cache_expire_all(engine->cache) : KVL_OK;
    return status < 0 ? throw_status(env, status, NULL) : NULL;
}

static napi_value engine_size(napi_env env, napi_callback_info info)
{
    Engine *engine = engine_of(env, info, 0, NULL);
    return engine ? number(env, (double)kvl_cache_len(engine->cache)) : NULL;
}

static napi_value engine_stats(napi_env env, napi_callback_info info)
{
    Engine *engine = engine_of(env, info, 0, NULL);
    if (!engine)
        return NULL;
    kvl_value_t *json;
    kvl_status_t status = kvl_cache_stats_json(engine->cache, &json);
    if (status < 0)
        return throw_status(env, status, NULL);
    size_t len;
    napi_value text;
    const char *data = (const char *)kvl_value_data(json, &len);
    napi_status created = napi_create_string_utf8(env, data, len, &text);
    kvl_value_release(json);
    return created == napi_ok ? text : throw_napi_error(env);
}

/* readsStoreFirst(): whether a fetch without options starts with a lookup in the store. */
static napi_value engine_reads_store_first(napi_env env, napi_callback_info info)
{
    Engine *engine = engine_of(env, info, 0, NULL);
    return engine ? boolean(env, kvl_tasks_reads_store_first(engine->tasks) != 0) : NULL;
}

/* ---- The circuit breaker ---- */

/* breaker(): the state of the circuit breaker. */
static napi_value engine_breaker(napi_env env, napi_callback_info info)
{
    Engine *engine = engine_of(env, info, 0, NULL);
    return engine ? number(env, kvl_tasks_breaker_state(engine->tasks)) : NULL;
}

static napi_value engine_force_breaker(napi_env env, napi_callback_info info)
{
    napi_value args[1];
    uint32_t force;
    Engine *engine = engine_of(env, info, 1, args);
    if (!engine)
        return NULL;
    TRY(env, napi_get_value_uint32(env, args[0], &force));
    kvl_status_t status = kvl_tasks_breaker_force(engine->tasks, force);
    return status < 0 ? throw_status(env, status, NULL) : NULL;
}

napi_status engine_define(napi_env env, napi_value exports)
{
#define METHOD(name, function) {name, NULL, function, NULL, NULL, NULL, napi_default_method, NULL}
    napi_property_descriptor methods[] = {
        METHOD("has", engine_has),           METHOD("put", engine_put),
        METHOD("remove", engine_remove),   METHOD("clear", engine_clear),       METHOD("size", engine_size),
        METHOD("stats", engine_stats),     METHOD("fetch", engine_fetch),       METHOD("fetchAll", engine_fetch_all),
        METHOD("refresh", engine_refresh), METHOD("drain", engine_drain),       METHOD("keepAlive", engine_keep_alive),
        METHOD("takeDropped", engine_take_dropped),
        METHOD("close", engine_close),     METHOD("dispose", engine_dispose),     METHOD("expire", engine_expire),
        METHOD("touch", engine_touch),     METHOD("iterate", engine_iterate),   METHOD("save", engine_save),
        METHOD("load", engine_load),       METHOD("breaker", engine_breaker),   METHOD("forceBreaker", engine_force_breaker),
        METHOD("invalidate", engine_invalidate), METHOD("readsStoreFirst", engine_reads_store_first),
        METHOD("removeTag", engine_remove_tag), METHOD("expireTag", engine_expire_tag), METHOD("expireAll", engine_expire_all),
    };
    napi_property_descriptor functions[] = {METHOD("newFetch", new_fetch), METHOD("cancelFetch", cancel_fetch)};
    napi_value class;
    napi_status status = napi_define_class(env, "Engine", NAPI_AUTO_LENGTH, engine_new, NULL, sizeof methods / sizeof *methods, methods, &class);
    if (status == napi_ok)
        status = napi_set_named_property(env, exports, "Engine", class);
    return status != napi_ok ? status : napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
}
