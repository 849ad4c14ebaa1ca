/* Events in the form that JavaScript receives, and the methods of a provider's request. */
#include "native.h"

#include <stdlib.h>

/* A JavaScript array that is being filled. */
typedef struct {
    napi_env env;
    napi_value array;
    uint32_t n;
} List;

static List list_new(napi_env env)
{
    List list = {env, NULL, 0};
    napi_create_array(env, &list.array);
    return list;
}

static void list_add(List *list, napi_value value) { napi_set_element(list->env, list->array, list->n++, value); }

/* For an error of JavaScript, returns its ID; for one of the library, its message or, if it has a cause, [message, status of the cause, cause]. The
 * cause in turn has one of these three forms. */
static napi_value error_to_js(napi_env env, const kvl_error_t *error)
{
    void *object = kvl_error_object(error);
    const kvl_error_t *cause = kvl_error_cause(error);
    if (object)
        return number(env, (double)(uintptr_t)object);
    if (!cause)
        return text(env, kvl_error_message(error));
    List list = list_new(env);
    list_add(&list, text(env, kvl_error_message(error)));
    list_add(&list, number(env, kvl_error_status(cause)));
    list_add(&list, error_to_js(env, cause));
    return list.array;
}

/* [status, value or error as above] */
static napi_value result_to_js(napi_env env, const kvl_result_t *result)
{
    List list = list_new(env);
    list_add(&list, number(env, result->status));
    list_add(&list, result->status >= 0 ? value_to_js(env, result->object, result->data, result->data_len) : error_to_js(env, result->error));
    return list.array;
}

/* The numbers of each result: status; ID of the object that is its value or that its error carries, or 0; source; attempts; age and remaining TTL
 * in milliseconds; whether it is stale. */
enum { NUMBERS_PER_RESULT = 7, MOST_RESULTS_IN_ARRAY = 8 };

static void write_numbers(double *into, const kvl_result_t *result)
{
    void *object = result->status >= 0 ? result->object : kvl_error_object(result->error);
    into[0] = result->status, into[1] = (double)(uintptr_t)object, into[2] = result->source, into[3] = result->attempts;
    into[4] = (double)result->age_ms, into[5] = (double)result->ttl_left_ms, into[6] = (result->flags & KVL_F_STALE) != 0;
}

/* The numbers of all results, one result after the other. For a few results a plain array is faster than a Float64Array. */
static napi_status numbers_to_js(napi_env env, const char *at, size_t stride, size_t n, napi_value *out_numbers)
{
    napi_value buffer;
    void *data;
    napi_status status;
    if (n > MOST_RESULTS_IN_ARRAY) {
        status = napi_create_arraybuffer(env, n * NUMBERS_PER_RESULT * sizeof(double), &data, &buffer);
        for (size_t i = 0; status == napi_ok && i < n; i++)
            write_numbers((double *)data + i * NUMBERS_PER_RESULT, (const kvl_result_t *)(at + i * stride));
        return status == napi_ok ? napi_create_typedarray(env, napi_float64_array, n * NUMBERS_PER_RESULT, buffer, 0, out_numbers) : status;
    }
    List list = list_new(env);
    for (size_t i = 0; i < n; i++) {
        double few[NUMBERS_PER_RESULT];
        write_numbers(few, (const kvl_result_t *)(at + i * stride));
        for (size_t j = 0; j < NUMBERS_PER_RESULT; j++)
            list_add(&list, number(env, few[j]));
    }
    *out_numbers = list.array;
    return napi_ok;
}

/* Sets element i of an array, which is created with its first element. */
static void set_element(napi_env env, napi_value *array, size_t i, napi_value value)
{
    if (!*array)
        napi_create_array(env, array);
    napi_set_element(env, *array, (uint32_t)i, value);
}

/* [numbers, others, failures], where others[i] is the value of result i if it is bytes, or its error if that carries no object, and failures[i] is
 * [status, error], the failed load behind a stale result i. Either array is undefined if it has no element. */
napi_value results_to_js(napi_env env, const kvl_results_t *results)
{
    size_t stride = 0, n = kvl_results_len(results);
    const char *at = (const char *)kvl_results_array(results, &stride);
    napi_value numbers, others = NULL, failures = NULL;
    if (numbers_to_js(env, at, stride, n, &numbers) != napi_ok)
        return throw_napi_error(env);
    for (size_t i = 0; i < n; i++, at += stride) {
        const kvl_result_t *result = (const kvl_result_t *)at;
        if (result->status < 0 && !kvl_error_object(result->error))
            set_element(env, &others, i, error_to_js(env, result->error));
        else if (result->status >= 0 && result->data)
            set_element(env, &others, i, value_to_js(env, NULL, result->data, result->data_len));
        if (result->status >= 0 && result->error) {
            List failure = list_new(env);
            list_add(&failure, number(env, kvl_error_status(result->error)));
            list_add(&failure, error_to_js(env, result->error));
            set_element(env, &failures, i, failure.array);
        }
    }
    List list = list_new(env);
    list_add(&list, numbers);
    list_add(&list, others ? others : undefined(env));
    list_add(&list, failures ? failures : undefined(env));
    return list.array;
}

static void finalize_request(napi_env env, void *data, void *hint)
{
    (void)env, (void)hint;
    Request *request = data;
    kvl_request_release(request->handle); /* fails the keys of an unfinished request, so that no caller waits forever */
    free(request);
}

/* [request, keys, whether nobody wants the answers any longer]. *out_id is the ID that the event of its cancellation carries. */
static napi_value request_to_js(Engine *engine, kvl_request_t *handle, double *out_id)
{
    napi_env env = engine->env;
    List list = list_new(env), keys = list_new(env);
    napi_value external;
    Request *request = malloc(sizeof *request);
    if (!request)
        return throw_status(env, KVL_ERR_NO_MEMORY, NULL);
    request->handle = kvl_request_retain(handle);
    if (napi_create_external(env, request, finalize_request, NULL, &external) != napi_ok) {
        finalize_request(env, request, NULL);
        return throw_napi_error(env);
    }
    size_t n = kvl_request_len(handle);
    const kvl_slice_t *slices = kvl_request_keys(handle);
    for (size_t i = 0; i < n; i++) {
        napi_value key;
        napi_create_string_utf8(env, (const char *)slices[i].data, slices[i].len, &key);
        list_add(&keys, key);
    }
    *out_id = (double)++engine->last_request;
    bool is_unwanted = kvl_request_on_cancel(handle, NULL, (void *)(uintptr_t)engine->last_request, NULL) == KVL_ERR_CANCELLED;
    list_add(&list, external);
    list_add(&list, keys.array);
    list_add(&list, boolean(env, is_unwanted));
    return list.array;
}

/* Returns the engine of a method whose argument is the number `max`; NULL with an exception if it is not called like that. */
static Engine *engine_and_max(napi_env env, napi_callback_info info, uint32_t *max)
{
    size_t n = 1;
    napi_value arg, this;
    void *engine;
    if (napi_get_cb_info(env, info, &n, &arg, &this, NULL) != napi_ok || napi_unwrap(env, this, &engine) != napi_ok
        || napi_get_value_uint32(env, arg, max) != napi_ok)
        return (Engine *)throw_napi_error(env);
    return engine;
}

/* drain(max): up to `max` events, as three elements each: kind, ID and payload. */
napi_value engine_drain(napi_env env, napi_callback_info info)
{
    uint32_t max;
    Engine *engine = engine_and_max(env, info, &max);
    if (!engine)
        return NULL;
    List list = list_new(env);
    kvl_event_t event;
    while (engine->queue && list.n < 3 * max && kvl_queue_next(engine->queue, 0, &event, sizeof event) == KVL_OK) {
        double id = (double)(uintptr_t)event.user_data;
        napi_value payload = undefined(env);
        switch (event.kind) {
        case KVL_EVENT_RESULT:
            payload = result_to_js(env, event.result);
            break;
        case KVL_EVENT_RESULTS:
            payload = results_to_js(env, event.results);
            break;
        case KVL_EVENT_REQUEST:
            payload = request_to_js(engine, event.request, &id);
            break;
        case KVL_EVENT_L2:
            payload = tier_request_to_js(env, event.l2_request);
            break;
        }
        if (!payload)
            return NULL;
        list_add(&list, number(env, event.kind));
        list_add(&list, number(env, id));
        list_add(&list, payload);
    }
    return list.array;
}

/* takeDropped(max): the IDs of up to `max` objects that the library has dropped. */
napi_value engine_take_dropped(napi_env env, napi_callback_info info)
{
    uint32_t max;
    Engine *engine = engine_and_max(env, info, &max);
    if (!engine)
        return NULL;
    List ids = list_new(env);
    kvl_event_t event;
    while (engine->drops && ids.n < max && kvl_queue_next(engine->drops, 0, &event, sizeof event) == KVL_OK)
        if (event.kind == KVL_EVENT_DROP)
            list_add(&ids, number(env, (double)(uintptr_t)event.user_data));
    return ids.array;
}

/* ---- Requests ---- */

/* Returns the request in the first argument, which may be finished; NULL with an exception if there are fewer arguments than needed. */
static Request *request_or_finished_request(napi_env env, napi_callback_info info, size_t count, napi_value *args)
{
    size_t n = count;
    void *request;
    if (napi_get_cb_info(env, info, &n, args, NULL, NULL) != napi_ok || n < count || napi_get_value_external(env, args[0], &request) != napi_ok)
        return (Request *)throw_napi_error(env);
    return request;
}

/* Like request_or_finished_request(), but throws if the request is finished. */
static Request *request_of(napi_env env, napi_callback_info info, size_t count, napi_value *args)
{
    Request *request = request_or_finished_request(env, info, count, args);
    return !request || request->handle ? request : (Request *)throw_status(env, KVL_ERR_ALREADY_ANSWERED, NULL);
}

/* Reads the index of a key. A number that is no index becomes SIZE_MAX, which the library refuses like any other index beyond the last key. */
static napi_status index_from_js(napi_env env, napi_value value, size_t *out_index)
{
    double index = -1;
    napi_status status = napi_get_value_double(env, value, &index);
    *out_index = index >= 0 && index <= UINT32_MAX && index == (double)(uint32_t)index ? (uint32_t)index : SIZE_MAX;
    return status;
}

/* Releases a finished request at once, so that its reference to the engine does not wait for the garbage collector. */
static napi_value release_if_finished(napi_env env, Request *request, kvl_status_t status)
{
    if (status >= 0) {
        kvl_request_release(request->handle);
        request->handle = NULL;
    }
    return number(env, status);
}

/* resolve(request, engine, i, value, cost, terms): a status */
static napi_value request_resolve(napi_env env, napi_callback_info info)
{
    napi_value args[6];
    size_t i;
    double object_cost;
    void *engine;
    Terms terms;
    Request *request = request_or_finished_request(env, info, 6, args);
    if (!request)
        return NULL;
    TRY(env, napi_unwrap(env, args[1], &engine));
    TRY(env, index_from_js(env, args[2], &i));
    TRY(env, napi_get_value_double(env, args[4], &object_cost));
    kvl_value_t *value = value_from_js(env, engine, args[3], object_cost);
    if (!value)
        return NULL;
    kvl_status_t status = KVL_ERR_ALREADY_ANSWERED;
    bool has_terms = terms_read(env, args[5], &terms);
    if (has_terms) {
        if (request->handle)
            status = kvl_request_resolve(request->handle, i, value, &terms.native);
        terms_end(&terms);
    }
    kvl_value_release(value);
    return has_terms ? number(env, status) : NULL;
}

/* stale(request, i): [value, age in ms, version], or undefined if the store has no entry of the key. */
static napi_value request_stale(napi_env env, napi_callback_info info)
{
    napi_value args[2], list, version_text;
    size_t i;
    kvl_value_t *value;
    int64_t age_ms;
    kvl_slice_t version;
    Request *request = request_of(env, info, 2, args);
    if (!request)
        return NULL;
    TRY(env, index_from_js(env, args[1], &i));
    kvl_status_t status = kvl_request_stale(request->handle, i, &value, &age_ms, &version);
    if (status < 0)
        return throw_status(env, status, NULL);
    if (status == KVL_MISS)
        return undefined(env);
    napi_value js_value = value_to_js_and_release(env, status == KVL_VALUE ? value : kvl_value_null());
    TRY(env, napi_create_array_with_length(env, 3, &list));
    TRY(env, napi_create_string_utf8(env, version.len ? (const char *)version.data : "", version.len, &version_text));
    TRY(env, napi_set_element(env, list, 0, js_value));
    TRY(env, napi_set_element(env, list, 1, number(env, (double)age_ms)));
    TRY(env, napi_set_element(env, list, 2, version_text));
    return list;
}

/* notModified(request, i, terms): a status; KVL_MISS if the store has no entry of the key. */
static napi_value request_not_modified(napi_env env, napi_callback_info info)
{
    napi_value args[3];
    size_t i;
    Terms terms;
    kvl_status_t status = KVL_ERR_ALREADY_ANSWERED;
    Request *request = request_or_finished_request(env, info, 3, args);
    if (!request)
        return NULL;
    TRY(env, index_from_js(env, args[1], &i));
    if (!terms_read(env, args[2], &terms))
        return NULL;
    if (request->handle)
        status = kvl_request_not_modified(request->handle, i, &terms.native);
    terms_end(&terms);
    return number(env, status);
}

/* Answers a key of a request, unless the request is finished, and releases the value. */
static kvl_status_t resolve_and_release(Request *request, size_t i, kvl_value_t *value)
{
    kvl_status_t status = request->handle ? kvl_request_resolve(request->handle, i, value, NULL) : KVL_ERR_ALREADY_ANSWERED;
    kvl_value_release(value);
    return status;
}

/* Creates a handle for the bytes at index i of an array; NULL with an exception on failure. */
static kvl_value_t *element_from_js(napi_env env, Engine *engine, napi_value array, size_t i)
{
    napi_value bytes;
    if (napi_get_element(env, array, (uint32_t)i, &bytes) != napi_ok)
        return (kvl_value_t *)throw_napi_error(env);
    return value_from_js(env, engine, bytes, 0);
}

/* resolveAll(request, engine, ids, costs, bytes): answers key i with the object of ids[i], or with bytes[i] if ids[i] is -1; 0 leaves the key
 * open. IDs and costs are Float64Arrays with an element for each key. Returns the status of the first answer that failed, or KVL_OK: a second
 * answer for a key is no failure. Every object is given to the library, whichever answer fails or throws. */
static napi_value request_resolve_all(napi_env env, napi_callback_info info)
{
    napi_value args[5];
    void *data, *engine_data;
    size_t n, n_costs;
    napi_typedarray_type type;
    Request *request = request_or_finished_request(env, info, 5, args);
    if (!request)
        return NULL;
    TRY(env, napi_unwrap(env, args[1], &engine_data));
    TRY(env, napi_get_typedarray_info(env, args[2], &type, &n, &data, NULL, NULL));
    const double *ids = data;
    TRY(env, napi_get_typedarray_info(env, args[3], &type, &n_costs, &data, NULL, NULL));
    const double *costs = data;
    Engine *engine = engine_data;
    kvl_status_t first_failure = KVL_OK;
    bool has_thrown = false;
    for (size_t i = 0; i < n && i < n_costs; i++) {
        kvl_value_t *value = NULL;
        kvl_status_t status = KVL_OK;
        if (ids[i] == 0)
            continue;
        if (ids[i] > 0) {
            status = kvl_value_new_object_on(engine->drops, (void *)(uintptr_t)ids[i], (uint64_t)costs[i], NULL, &value);
        } else if (has_thrown || !(value = element_from_js(env, engine, args[4], i))) {
            has_thrown = true; /* while an exception is pending, Node-API reads no more bytes */
            continue;
        }
        if (status >= 0)
            status = resolve_and_release(request, i, value);
        if (first_failure >= 0 && status < 0 && status != KVL_ERR_ALREADY_ANSWERED)
            first_failure = status;
    }
    return has_thrown ? NULL : number(env, first_failure);
}

/* Creates an error that carries the ID of what the provider threw. A pause below 0 is none. */
static kvl_error_t *error_from_js(napi_env env, Engine *engine, napi_value id, napi_value message, napi_value flags, napi_value pause)
{
    double object_id, pause_ms;
    uint32_t flag_bits;
    Text text;
    kvl_error_t *error;
    if (napi_get_value_double(env, id, &object_id) != napi_ok || napi_get_value_uint32(env, flags, &flag_bits) != napi_ok ||
        napi_get_value_double(env, pause, &pause_ms) != napi_ok)
        return (kvl_error_t *)throw_napi_error(env);
    if (!text_read(env, message, &text))
        return NULL;
    kvl_status_t status =
        kvl_error_new_object(0, text.data, text.len, flag_bits, engine->drops, (void *)(uintptr_t)object_id, NULL, &error);
    if (status >= 0 && pause_ms >= 0)
        kvl_error_set_retry_after(error, (int64_t)pause_ms);
    text_end(&text);
    return status < 0 ? (kvl_error_t *)throw_status(env, status, NULL) : error;
}

/* fail(request, engine, i, id, message, flags, pause in ms or -1): a status. With i undefined, fails all open keys and finishes the request. */
static napi_value request_fail(napi_env env, napi_callback_info info)
{
    napi_value args[7];
    napi_valuetype kind;
    size_t i = 0;
    void *engine;
    kvl_status_t status = KVL_ERR_ALREADY_ANSWERED;
    Request *request = request_or_finished_request(env, info, 7, args);
    if (!request)
        return NULL;
    TRY(env, napi_unwrap(env, args[1], &engine));
    TRY(env, napi_typeof(env, args[2], &kind));
    bool is_for_all = kind == napi_undefined;
    if (!is_for_all)
        TRY(env, index_from_js(env, args[2], &i));
    kvl_error_t *error = error_from_js(env, engine, args[3], args[4], args[5], args[6]);
    if (!error)
        return NULL;
    if (request->handle)
        status = is_for_all ? kvl_request_finish_error(request->handle, error) : kvl_request_fail(request->handle, i, error);
    kvl_error_release(error);
    return is_for_all ? release_if_finished(env, request, status) : number(env, status);
}

/* finish(request): answers the open keys with null and finishes the request; a status. */
static napi_value request_finish(napi_env env, napi_callback_info info)
{
    napi_value args[1];
    Request *request = request_or_finished_request(env, info, 1, args);
    if (!request)
        return NULL;
    return release_if_finished(env, request, request->handle ? kvl_request_finish_nulls(request->handle) : KVL_ERR_ALREADY_ANSWERED);
}

/* attempt(request, i): the number of the key's attempt, from 1. */
static napi_value request_attempt(napi_env env, napi_callback_info info)
{
    napi_value args[2];
    size_t i;
    Request *request = request_of(env, info, 2, args);
    if (!request)
        return NULL;
    TRY(env, index_from_js(env, args[1], &i));
    return number(env, kvl_request_attempt(request->handle, i));
}

napi_status events_define(napi_env env, napi_value exports)
{
#define FUNCTION(name, function) {name, NULL, function, NULL, NULL, NULL, napi_default, NULL}
    napi_property_descriptor functions[] = {
        FUNCTION("resolve", request_resolve), FUNCTION("resolveAll", request_resolve_all), FUNCTION("fail", request_fail),
        FUNCTION("finish", request_finish),   FUNCTION("attempt", request_attempt),
        FUNCTION("stale", request_stale),     FUNCTION("notModified", request_not_modified),
    };
    return napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
}
