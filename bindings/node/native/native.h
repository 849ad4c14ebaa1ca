/* Declarations shared by the addon's files. The addon uses Node-API, libuv to watch the queues' descriptors, and the C interface of the
 * library. */
#ifndef KVLIGHT_NODE_NATIVE_H
#define KVLIGHT_NODE_NATIVE_H

#define NAPI_VERSION 8
#include <node_api.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include <kvlight.h>

/*
 * Values other than bytes stay in JavaScript: the library holds an ID for each, and reports with KVL_EVENT_DROP when it has dropped the last
 * reference. JavaScript and the addon therefore exchange a value as its ID, a Uint8Array, or null. A function that takes an ID gives it to the
 * library before it does anything that can fail, so that a drop is reported whatever the function returns or throws.
 */

/* A connection to a Redis or Valkey server, the second tier of an engine (redis.c). */
typedef struct Redis Redis;

/* The native side of one Tasks or Cache. Its owners are the JavaScript object that wraps it, two functions of that object, and the watchers of the
 * queues' descriptors until libuv has closed them. Used on the environment's thread only. */
typedef struct Engine {
    napi_env env;
    kvl_tasks_t *tasks; /* NULL for a Cache, and after the engine has ended */
    kvl_cache_t *cache;
    kvl_queue_t *queue; /* results and requests; NULL for a Cache */
    kvl_queue_t *drops; /* objects that the library has dropped; a queue of their own, so that no result waits behind them */
    Redis *redis; /* the connection of the second tier, which uses the engine until redis_stop(); or NULL */
    uv_poll_t watchers[2]; /* of the queues that exist, in the order above */
    napi_ref listener; /* called when a queue has events */
    napi_async_context context;
    napi_async_cleanup_hook_handle cleanup; /* disposes of the engine if the environment ends first */
    bool is_disposed;
    int watched, owners;
    uint64_t last_request;
} Engine;

/* A request of the provider, owned by the JavaScript object that wraps it. */
typedef struct {
    kvl_request_t *handle;
} Request;

/* ---- addon.c ---- */

/* Returns NULL from the calling function, with an exception pending, if a call of Node-API fails. */
#define TRY(env, call)                                                                                                                     \
    do {                                                                                                                                   \
        if ((call) != napi_ok)                                                                                                             \
            return throw_napi_error(env);                                                                                                  \
    } while (0)

/* Like TRY(), in a function that returns bool: returns false. */
#define TRY_BOOL(env, call)                                                                                                                \
    do {                                                                                                                                   \
        if ((call) != napi_ok) {                                                                                                           \
            throw_napi_error(env);                                                                                                         \
            return false;                                                                                                                  \
        }                                                                                                                                  \
    } while (0)

/* Throws the last error of Node-API, unless an exception is already pending. Returns NULL, like throw_status(). */
napi_value throw_napi_error(napi_env env);
/* Throws an error with the code and the number of a status, which src/errors.cjs turns into a KvlightError. If `message` is NULL, the error has the
 * status's own message. */
napi_value throw_status(napi_env env, kvl_status_t status, const char *message);
napi_value undefined(napi_env env);
napi_value number(napi_env env, double value);
napi_value boolean(napi_env env, bool value);
napi_value text(napi_env env, const char *utf8);

/* The UTF-8 bytes of a string; a short one needs no allocation. */
typedef struct {
    char *data;
    size_t len;
    char first[512];
} Text;

/* Returns false with an exception if the value is not a string, or contains a lone surrogate: V8 encodes every lone surrogate as U+FFFD, so
 * different keys would share an entry. */
bool text_read(napi_env env, napi_value value, Text *into);
/* Given the UTF-8 that V8 wrote for a string, returns false with an exception if the string contains a lone surrogate. */
bool check_surrogates(napi_env env, napi_value value, const char *utf8, size_t len);
void text_end(Text *text);

/* Settings are passed as a flat array: name, value, name, value. */
bool settings_into_config(napi_env env, kvl_config_t *config, napi_value settings);

/* A list of strings, in one buffer. */
typedef struct {
    char *data;
    kvl_slice_t *slices;
    uint32_t n;
} Keys;

bool keys_read(napi_env env, napi_value list, Keys *keys);
void keys_end(Keys *keys);

/* Terms and the memory that they point into. */
typedef struct {
    kvl_terms_t native; /* points into `version` and `tags` */
    bool has_labels;
    Text version;
    Keys tags;
} Terms;

/* Terms are passed as an array: ttl_ms, priority, cost, stale_ttl_ms, flags and, if there are labels, version and tags. Undefined stands for the
 * default terms. */
bool terms_read(napi_env env, napi_value list, Terms *terms);
void terms_end(Terms *terms);
/* Sets *out_options to NULL if there are no settings. */
bool options_read(napi_env env, napi_value settings, kvl_options_t **out_options);

/* ---- engine.c ---- */

/* Takes one owner off an engine; the last one frees it. */
void engine_release(Engine *engine);
/* Gives an engine its connection. If this succeeds, the caller counts the engine as an owner of the connection. */
kvl_status_t engine_attach(Engine *engine, Redis *redis);
napi_status engine_define(napi_env env, napi_value exports);
/* Returns the engine of `this` and reads `count` arguments; NULL with an exception if the engine is closed, or if there are
 * fewer arguments. */
Engine *engine_of(napi_env env, napi_callback_info info, size_t count, napi_value *args);
/* Creates a handle for a value in the form described at the top of this file. `cost`, in bytes, counts for an object only. NULL with an exception on
 * failure. */
kvl_value_t *value_from_js(napi_env env, Engine *engine, napi_value value, double cost);
/* Returns a value of the library in that form. */
napi_value value_to_js(napi_env env, const void *object, const uint8_t *data, size_t len);
/* Like value_to_js(), then releases the value. */
napi_value value_to_js_and_release(napi_env env, kvl_value_t *value);

/* ---- fetch.c ---- */

napi_value new_fetch(napi_env env, napi_callback_info info);
napi_value cancel_fetch(napi_env env, napi_callback_info info);
napi_value engine_fetch(napi_env env, napi_callback_info info);
napi_value engine_fetch_all(napi_env env, napi_callback_info info);
napi_value engine_refresh(napi_env env, napi_callback_info info);
napi_value engine_invalidate(napi_env env, napi_callback_info info);

/* ---- entries.c ---- */

napi_value engine_iterate(napi_env env, napi_callback_info info);
napi_value engine_save(napi_env env, napi_callback_info info);
napi_value engine_load(napi_env env, napi_callback_info info);
napi_status entries_define(napi_env env, napi_value exports);

/* ---- tier.c ---- */

napi_value tier_request_to_js(napi_env env, kvl_l2_request_t *handle);
/* The library's request behind the external `request`; NULL with an exception once it is finished. */
kvl_l2_request_t *tier_request_handle(napi_env env, napi_value request);
napi_status tier_define(napi_env env, napi_value exports);

/* ---- redis.c ---- */

/* Takes one owner off a connection; the last one frees it. NULL is ignored. */
void redis_release(Redis *redis);
/* Ends a connection: it uses no engine afterwards. Waits for the connection's thread, which runs no JavaScript. */
void redis_stop(Redis *redis);
/* From now on, keys that other processes write are invalidated in `tasks`. */
kvl_status_t redis_attach_tasks(Redis *redis, kvl_tasks_t *tasks);
napi_status redis_define(napi_env env, napi_value exports);

/* ---- events.c ---- */

napi_value engine_drain(napi_env env, napi_callback_info info);
napi_value engine_take_dropped(napi_env env, napi_callback_info info);
napi_value results_to_js(napi_env env, const kvl_results_t *results);
napi_status events_define(napi_env env, napi_value exports);

#endif
