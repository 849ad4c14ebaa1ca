/* Calls of libkvlight_redis, a second tier on Redis or Valkey. It is loaded when a Sharing has a URL (redis.go). */
#ifndef KVLIGHT_GO_REDIS_H
#define KVLIGHT_GO_REDIS_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <kvlight_redis.h>

#define GO_REDIS_FUNCTIONS(X) X(open) X(serve) X(found_free) X(attach) X(state) X(stop) X(free)

typedef struct {
    kvl_redis_t *handle;
    struct {
#define X(name) __typeof__(&kvl_redis_##name) name;
        GO_REDIS_FUNCTIONS(X)
#undef X
    } call;
} go_redis_t;

/* Loads the library, which is never unloaded. Returns why it cannot be loaded, or NULL. */
static inline const char *go_redis_load(go_redis_t *redis, const char *path) {
    void *loaded = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    bool is_whole = loaded != NULL;
#define X(name) is_whole = is_whole && (*(void **)&redis->call.name = dlsym(loaded, "kvl_redis_" #name)) != NULL;
    GO_REDIS_FUNCTIONS(X)
#undef X
    if (is_whole)
        return NULL;
    const char *why = dlerror();
    return why ? why : "it lacks a function";
}
/* Connects. The library uses the copy of kvlight that is part of this program. */
static inline kvl_status_t go_redis_open(go_redis_t *redis, const char *url, kvl_error_t **out_error) {
    static const kvl_redis_library_t library = KVL_REDIS_LIBRARY_INIT;
    return redis->call.open(url, &library, &redis->handle, out_error);
}
static inline kvl_status_t go_redis_serve(go_redis_t *redis, kvl_l2_request_t *request, kvl_redis_found_t **out_found, size_t *out_len) {
    return redis->call.serve(redis->handle, request, out_found, out_len);
}
static inline kvl_redis_found_t go_redis_found_at(const kvl_redis_found_t *found, size_t i) { return found[i]; }
static inline void go_redis_found_free(go_redis_t *redis, kvl_redis_found_t *found, size_t len) { redis->call.found_free(found, len); }
static inline kvl_status_t go_redis_attach(go_redis_t *redis, kvl_tasks_t *tasks) { return redis->call.attach(redis->handle, tasks); }
static inline kvl_status_t go_redis_state(go_redis_t *redis, kvl_value_t **out_text) { return redis->call.state(redis->handle, out_text); }
static inline void go_redis_stop(go_redis_t *redis) { redis->call.stop(redis->handle); }
static inline void go_redis_free(go_redis_t *redis) {
    if (redis->handle)
        redis->call.free(redis->handle);
    free(redis);
}

#endif
