/* Calls that Go cannot make directly. The library takes IDs as pointers, and an ID in a Go variable of a pointer type would confuse the garbage
 * collector, so they are converted here, in C. */
#ifndef KVLIGHT_GO_SHIM_H
#define KVLIGHT_GO_SHIM_H

#include <pthread.h>
#include <stdlib.h>
#include <kvlight.h>

/* A number that no other running thread has. */
static inline uintptr_t go_thread(void) { return (uintptr_t)pthread_self(); }

static inline kvl_status_t go_provider(kvl_config_t *config) { return kvl_config_set_provider(config, NULL, NULL, NULL); }

/* The outcome of a lookup, with the ID of the value's object. */
typedef struct {
    kvl_status_t status;
    uintptr_t object;   /* 0 without a value */
    kvl_value_t *value; /* to release once the object was looked up; NULL where IDs are long enough never to repeat (objects.go) */
} go_lookup_t;

static inline go_lookup_t go_lookup_of(kvl_status_t status, kvl_value_t *value) {
    go_lookup_t found = {status, (uintptr_t)kvl_value_object(value), value};
#if UINTPTR_MAX > UINT32_MAX
    kvl_value_release(value);
    found.value = NULL;
#endif
    return found;
}
/* A lookup in a single call from Go, since such a call costs about as much as the lookup. The engine is passed as an integer: Go allocates memory to
 * check a pointer to an incomplete type. */
static inline go_lookup_t go_get(uintptr_t tasks, const uint8_t *key, size_t key_len) {
#if UINTPTR_MAX > UINT32_MAX
    void *object = NULL;
    kvl_status_t status = kvl_tasks_get_object((kvl_tasks_t *)tasks, key, key_len, &object, NULL);
    return (go_lookup_t){status, (uintptr_t)object, NULL};
#else
    kvl_value_t *value = NULL;
    kvl_status_t status = kvl_tasks_get((kvl_tasks_t *)tasks, key, key_len, &value);
    return value ? go_lookup_of(status, value) : (go_lookup_t){status, 0, NULL};
#endif
}
static inline go_lookup_t go_stale(kvl_request_t *request, size_t i, int64_t *out_age_ms, kvl_slice_t *out_version) {
    kvl_value_t *value = NULL;
    kvl_status_t status = kvl_request_stale(request, i, &value, out_age_ms, out_version);
    return value ? go_lookup_of(status, value) : (go_lookup_t){status, 0, NULL};
}
static inline uintptr_t go_error_object(const kvl_error_t *error) { return (uintptr_t)kvl_error_object(error); }
static inline kvl_status_t go_value(kvl_queue_t *queue, uintptr_t object, uint64_t cost, kvl_value_t **out_value) {
    return kvl_value_new_object_on(queue, (void *)object, cost, NULL, out_value);
}
static inline kvl_status_t go_error(kvl_queue_t *queue, const char *message, size_t len, uint32_t flags, uintptr_t object, kvl_error_t **out_error) {
    return kvl_error_new_object(0, message, len, flags, queue, (void *)object, NULL, out_error);
}
static inline go_lookup_t go_fetch(kvl_tasks_t *tasks, const uint8_t *key, size_t key_len, kvl_options_t *options, kvl_fetch_t *fetch, uintptr_t id) {
    kvl_value_t *value = NULL;
    kvl_status_t status = kvl_tasks_fetch(tasks, key, key_len, options, fetch, NULL, (void *)id, NULL, &value);
    return value ? go_lookup_of(status, value) : (go_lookup_t){status, 0, NULL};
}
static inline kvl_status_t go_fetch_all(kvl_tasks_t *tasks, const uint8_t *packed, size_t packed_len, const uint32_t *lens, size_t n,
                                 kvl_options_t *options, kvl_fetch_t *fetch, uintptr_t id, kvl_results_t **out_results) {
    kvl_slice_t *keys = malloc((n ? n : 1) * sizeof *keys);
    if (!keys)
        return KVL_ERR_NO_MEMORY;
    kvl_status_t status = kvl_slices_unpack(packed, packed_len, lens, n, keys);
    if (status >= 0)
        status = kvl_tasks_fetch_all(tasks, keys, n, options, fetch, NULL, (void *)id, NULL, out_results);
    free(keys);
    return status;
}
static inline kvl_status_t go_refresh(kvl_tasks_t *tasks, const uint8_t *packed, size_t packed_len, const uint32_t *lens, size_t n,
                                      kvl_options_t *options) {
    kvl_slice_t *keys = malloc((n ? n : 1) * sizeof *keys);
    if (!keys)
        return KVL_ERR_NO_MEMORY;
    kvl_status_t status = kvl_slices_unpack(packed, packed_len, lens, n, keys);
    if (status >= 0)
        status = kvl_tasks_refresh(tasks, keys, n, options);
    free(keys);
    return status;
}
/* Answers the keys of a request with the objects of these IDs; 0 leaves a key open. Sets the ID of each object that the library has taken to 0. */
static inline void go_resolve_all(kvl_request_t *request, kvl_queue_t *queue, uintptr_t *objects, size_t n) {
    for (size_t i = 0; i < n; i++) {
        kvl_value_t *value;
        if (!objects[i] || go_value(queue, objects[i], 0, &value) < 0)
            continue;
        objects[i] = 0;
        kvl_request_resolve(request, i, value, NULL);
        kvl_value_release(value);
    }
}
/* Takes up to `max` drops out of the queue, as the IDs of their objects, and the event that follows them. Waits only if there is neither. */
static inline kvl_status_t go_next(kvl_queue_t *queue, int64_t timeout_ms, kvl_event_t *event, uintptr_t *dropped, size_t max, size_t *out_dropped) {
    kvl_status_t status;
    size_t n = 0;
    while ((status = kvl_queue_next(queue, n ? 0 : timeout_ms, event, sizeof *event)) == KVL_OK && event->kind == KVL_EVENT_DROP) {
        dropped[n++] = (uintptr_t)event->user_data;
        if (n == max) {
            status = KVL_EMPTY;
            break;
        }
    }
    *out_dropped = n;
    return status;
}
/*
 * Returns the limit on the events that wait if more do, and otherwise 0. The limit is the number of entries for which there is room, between 16 and 1,024.
 * With a limit on their cost, which the queue's events do not state, it is the number that there are.
 */
static inline size_t go_exceeded_limit(const kvl_queue_t *queue, kvl_tasks_t *tasks) {
    size_t waiting = kvl_queue_len(queue), limit;
    kvl_cache_t *cache;
    if (waiting <= 16 || kvl_tasks_cache(tasks, &cache) < 0)
        return 0;
    limit = kvl_cache_cost_limit(cache) < 0 ? kvl_cache_capacity(cache) : kvl_cache_len(cache);
    kvl_cache_release(cache);
    limit = limit < 16 ? 16 : limit > 1024 ? 1024 : limit;
    return waiting > limit ? limit : 0;
}
static inline kvl_status_t go_invalidate(kvl_tasks_t *tasks, const uint8_t *packed, size_t packed_len, const uint32_t *lens, size_t n,
                                         uint32_t flags) {
    kvl_slice_t *keys = malloc((n ? n : 1) * sizeof *keys);
    if (!keys)
        return KVL_ERR_NO_MEMORY;
    kvl_status_t status = kvl_slices_unpack(packed, packed_len, lens, n, keys);
    if (status >= 0)
        status = kvl_tasks_invalidate(tasks, keys, n, flags);
    free(keys);
    return status;
}
/* Functions in Go (entries.go), called on the thread of a save or a load. */
extern kvl_value_t *kvlGoEncode(uintptr_t id, uintptr_t object);
extern kvl_value_t *kvlGoDecode(uintptr_t id, uint8_t *data, size_t len);
extern int32_t kvlGoShouldStop(uintptr_t id);
static inline kvl_value_t *go_encode(void *id, const kvl_result_t *entry) { return kvlGoEncode((uintptr_t)id, (uintptr_t)entry->object); }
static inline kvl_value_t *go_decode(void *id, const kvl_result_t *entry) {
    return kvlGoDecode((uintptr_t)id, (uint8_t *)entry->data, entry->data_len);
}
static inline int32_t go_should_stop(void *id, const kvl_transfer_t *progress) {
    (void)progress;
    return kvlGoShouldStop((uintptr_t)id);
}
static inline kvl_status_t go_save(kvl_cache_t *cache, const char *path, uintptr_t id, kvl_transfer_t *out_done, kvl_error_t **out_error) {
    return kvl_cache_save_encoded(cache, path, go_encode, go_should_stop, (void *)id, out_done, sizeof *out_done, out_error);
}
static inline kvl_status_t go_load(kvl_cache_t *cache, const char *path, uintptr_t id, kvl_transfer_t *out_done, kvl_error_t **out_error) {
    return kvl_cache_load_decoded(cache, path, go_decode, go_should_stop, (void *)id, out_done, sizeof *out_done, out_error);
}
/* The second tier (tier.go). */
static inline kvl_status_t go_l2(kvl_config_t *config, uint32_t abilities) { return kvl_config_set_l2(config, abilities, NULL, NULL, NULL); }
static inline kvl_slice_t go_l2_key(kvl_l2_request_t *request, size_t i) { return kvl_l2_request_keys(request)[i]; }
/* The ID of the object that is to be stored, with a handle to release once it was looked up; 0 for null. */
static inline uintptr_t go_l2_object(kvl_l2_request_t *request, size_t i, kvl_value_t **out_value) {
    return kvl_l2_request_value(request, i, out_value) == KVL_VALUE ? (uintptr_t)kvl_value_object(*out_value) : 0;
}
static inline kvl_status_t go_l2_entry(kvl_l2_request_t *request, size_t i, kvl_slice_t *out_data, int64_t *out_ttl_ms, kvl_slice_t *out_token) {
    return kvl_l2_request_entry(request, i, &out_data->data, &out_data->len, out_ttl_ms, &out_token->data, &out_token->len);
}
/* Like kvl_l2_request_payload, but returns only the payload's length: its bytes are the last ones of the entry. */
static inline kvl_status_t go_l2_payload(kvl_l2_request_t *request, size_t i, const uint8_t *data, size_t len, size_t *out_len) {
    const uint8_t *payload;
    return kvl_l2_request_payload(request, i, data, len, &payload, out_len);
}
static inline kvl_status_t go_on_cancel(kvl_request_t *request, uintptr_t id) { return kvl_request_on_cancel(request, NULL, (void *)id, NULL); }

#endif
