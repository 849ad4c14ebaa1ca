/* The addon: what its files share. Node-API for JavaScript, libuv for the queue's descriptor, and the C interface of the library. */
#ifndef KVLIGHT_NODE_NATIVE_H
#define KVLIGHT_NODE_NATIVE_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include <kvlight.h>

/*
 * Values that are no bytes stay in JavaScript: the library holds their numbers, and tells by KVL_EVENT_DROP when nobody holds one any more.
 * A value crosses as its number, a Uint8Array, or null.
 */

/* One engine or one cache of JavaScript. Two hold it: the object that wraps it and, while it is open, the descriptor's watcher. */
typedef struct Engine {
    napi_env env;
    kvl_tasks_t *tasks; /* NULL for a cache alone, and after its end */
    kvl_cache_t *cache;
    kvl_queue_t *queue;
    uv_poll_t watcher;
    napi_ref listener; /* called when events wait */
    napi_async_context context;
    napi_async_cleanup_hook_handle cleanup; /* for environments that end while it is open */
    bool is_watched, is_leaving;
    int holders;
    uint64_t last_request;
} Engine;

/* Keys that the provider has; the JavaScript object holds a reference. */
typedef struct {
    kvl_request_t *handle;
} Request;

/* ---- addon.c ---- */

/* Ends the call with an exception if Node-API refused. */
#define TRY(env, call)                                                                                                                     \
    do {                                                                                                                                   \
        if ((call) != napi_ok)                                                                                                             \
            return refused(env);                                                                                                           \
    } while (0)

napi_value refused(napi_env env);
/* Throws what the status says; the sentence may be NULL. */
napi_value thrown(napi_env env, kvl_status_t status, const char *sentence);
napi_value undefined(napi_env env);
napi_value number(napi_env env, double value);
napi_value boolean(napi_env env, bool value);
napi_value text(napi_env env, const char *utf8);

/* The bytes of a string, on the stack where they are few. */
typedef struct {
    char *data;
    size_t len;
    char first[512];
} Text;

bool text_read(napi_env env, napi_value value, Text *into);
void text_end(Text *text);

/* Settings come as a flat array: name, value, name, value. */
bool settings_into_config(napi_env env, kvl_config_t *config, napi_value settings);
/* Terms come as an array of numbers: ttl_ms, priority, cost, stale_ttl_ms, flags; undefined states nothing. */
bool terms_read(napi_env env, napi_value stated, kvl_terms_t *terms);
/* NULL where there are none. */
bool options_read(napi_env env, napi_value settings, kvl_options_t **out_options);

/* ---- engine.c ---- */

void engine_release(Engine *engine);
napi_status engine_define(napi_env env, napi_value exports);
/* The engine of `this`, with so many arguments; NULL with an exception where it is closed or too few came. */
Engine *engine_of(napi_env env, napi_callback_info info, size_t want, napi_value *args);
/* A handle for a value that crosses. */
kvl_value_t *value_read(napi_env env, Engine *engine, napi_value value, double cost);
/* What JavaScript is given for a value of the library. */
napi_value value_shown(napi_env env, const void *object, const uint8_t *data, size_t len);

/* ---- entries.c ---- */

napi_value engine_iterate(napi_env env, napi_callback_info info);
napi_value engine_save(napi_env env, napi_callback_info info);
napi_value engine_load(napi_env env, napi_callback_info info);
napi_status entries_define(napi_env env, napi_value exports);

/* ---- events.c ---- */

napi_value engine_drain(napi_env env, napi_callback_info info);
napi_value results_shown(napi_env env, const kvl_results_t *results);
napi_status events_define(napi_env env, napi_value exports);

#endif
