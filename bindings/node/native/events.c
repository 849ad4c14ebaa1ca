/* Conversion of events for JavaScript, and the provider's requests. */
#include "native.h"

#include <stdlib.h>

/* An array that is filled from its front. */
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

/* The number of the JavaScript error that it carries; otherwise its message; if it has a cause, [message, status of the cause, cause]. */
static napi_value error_shown(napi_env env, const kvl_error_t *error)
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
    list_add(&list, error_shown(env, cause));
    return list.array;
}

/* [status, value or error as above] */
static napi_value result_shown(napi_env env, const kvl_result_t *result)
{
    List list = list_new(env);
    list_add(&list, number(env, result->status));
    list_add(&list, result->status >= 0 ? value_shown(env, result->object, result->data, result->data_len) : error_shown(env, result->error));
    return list.array;
}

/* The numbers of each result: status; number of the object that is its value or that its error carries, or 0; source; attempts; age; remaining
 * TTL; whether it is stale. */
enum { PLACES = 7, SHORT = 8 };

static void put_numbers(double *into, const kvl_result_t *result)
{
    void *object = result->status >= 0 ? result->object : kvl_error_object(result->error);
    into[0] = result->status, into[1] = (double)(uintptr_t)object, into[2] = result->source, into[3] = result->attempts;
    into[4] = (double)result->age_ms, into[5] = (double)result->ttl_left_ms, into[6] = (result->flags & KVL_F_STALE) != 0;
}

/* The numbers of all results, one after the other: an array of JavaScript's if they are few, which is faster. */
static napi_status numbers_shown(napi_env env, const char *at, size_t stride, size_t n, napi_value *out_numbers)
{
    napi_value buffer;
    void *data;
    napi_status status;
    if (n > SHORT) {
        status = napi_create_arraybuffer(env, n * PLACES * sizeof(double), &data, &buffer);
        for (size_t i = 0; status == napi_ok && i < n; i++)
            put_numbers((double *)data + i * PLACES, (const kvl_result_t *)(at + i * stride));
        return status == napi_ok ? napi_create_typedarray(env, napi_float64_array, n * PLACES, buffer, 0, out_numbers) : status;
    }
    List list = list_new(env);
    for (size_t i = 0; i < n; i++) {
        double few[PLACES];
        put_numbers(few, (const kvl_result_t *)(at + i * stride));
        for (size_t j = 0; j < PLACES; j++)
            list_add(&list, number(env, few[j]));
    }
    *out_numbers = list.array;
    return napi_ok;
}

/* Sets element i of an array that is created for the first one. */
static void set_some(napi_env env, napi_value *array, size_t i, napi_value value)
{
    if (!*array)
        napi_create_array(env, array);
    napi_set_element(env, *array, (uint32_t)i, value);
}

/* [numbers, others, failures]: at the place of each value that is bytes, and of each error without an object, `others` has it; at the place of a
 * stale result, `failures` has the error of its load: [status, error as above]. Both are undefined if they are empty. */
napi_value results_shown(napi_env env, const kvl_results_t *results)
{
    size_t stride = 0, n = kvl_results_len(results);
    const char *at = (const char *)kvl_results_array(results, &stride);
    napi_value numbers, others = NULL, failures = NULL;
    if (numbers_shown(env, at, stride, n, &numbers) != napi_ok)
        return refused(env);
    for (size_t i = 0; i < n; i++, at += stride) {
        const kvl_result_t *result = (const kvl_result_t *)at;
        if (result->status < 0 && !kvl_error_object(result->error))
            set_some(env, &others, i, error_shown(env, result->error));
        else if (result->status >= 0 && result->data)
            set_some(env, &others, i, value_shown(env, NULL, result->data, result->data_len));
        if (result->status >= 0 && result->error) {
            List failure = list_new(env);
            list_add(&failure, number(env, kvl_error_status(result->error)));
            list_add(&failure, error_shown(env, result->error));
            set_some(env, &failures, i, failure.array);
        }
    }
    List list = list_new(env);
    list_add(&list, numbers);
    list_add(&list, others ? others : undefined(env));
    list_add(&list, failures ? failures : undefined(env));
    return list.array;
}

static void request_forgotten(napi_env env, void *data, void *hint)
{
    (void)env, (void)hint;
    Request *request = data;
    kvl_request_release(request->handle); /* if it was not finished, this fails its open keys, so that no caller waits forever */
    free(request);
}

/* [request handle, keys, whether it is unwanted already] */
static napi_value request_shown(Engine *engine, kvl_request_t *handle, double *out_id)
{
    napi_env env = engine->env;
    List list = list_new(env), keys = list_new(env);
    napi_value external;
    Request *request = malloc(sizeof *request);
    if (!request)
        return thrown(env, KVL_ERR_NO_MEMORY, NULL);
    request->handle = kvl_request_retain(handle);
    if (napi_create_external(env, request, request_forgotten, NULL, &external) != napi_ok) {
        request_forgotten(env, request, NULL);
        return refused(env);
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

/* drain(most): three elements for each event: its kind, its number and its payload. */
napi_value engine_drain(napi_env env, napi_callback_info info)
{
    size_t n = 1;
    napi_value arg, this;
    void *data;
    uint32_t most;
    TRY(env, napi_get_cb_info(env, info, &n, &arg, &this, NULL));
    TRY(env, napi_unwrap(env, this, &data));
    TRY(env, napi_get_value_uint32(env, arg, &most));
    Engine *engine = data;
    List list = list_new(env);
    kvl_event_t event;
    while (engine->queue && list.n < 3 * most && kvl_queue_next(engine->queue, 0, &event, sizeof event) == KVL_OK) {
        double id = (double)(uintptr_t)event.user_data;
        napi_value brought = undefined(env);
        switch (event.kind) {
        case KVL_EVENT_RESULT:
            brought = result_shown(env, event.result);
            break;
        case KVL_EVENT_RESULTS:
            brought = results_shown(env, event.results);
            break;
        case KVL_EVENT_REQUEST:
            brought = request_shown(engine, event.request, &id);
            break;
        }
        if (!brought)
            return NULL;
        list_add(&list, number(env, event.kind));
        list_add(&list, number(env, id));
        list_add(&list, brought);
    }
    return list.array;
}

/* ---- Requests ---- */

/* Returns the request in the first argument; NULL with an exception if it is finished, or if there are fewer arguments than needed. */
static Request *request_of(napi_env env, napi_callback_info info, size_t want, napi_value *args)
{
    size_t n = want;
    void *request;
    if (napi_get_cb_info(env, info, &n, args, NULL, NULL) != napi_ok || n < want || napi_get_value_external(env, args[0], &request) != napi_ok)
        return (Request *)refused(env);
    return ((Request *)request)->handle ? request : (Request *)thrown(env, KVL_ERR_ALREADY_ANSWERED, NULL);
}

/* Releases a finished request at once, so that its reference to the engine does not wait for the garbage collector. */
static napi_value request_finished(napi_env env, Request *request, kvl_status_t status)
{
    if (status >= 0) {
        kvl_request_release(request->handle);
        request->handle = NULL;
    }
    return number(env, status);
}

/* resolve(request, engine, i, value, cost of an object, terms): a status */
static napi_value request_resolve(napi_env env, napi_callback_info info)
{
    napi_value args[6];
    double i, own_cost;
    void *engine;
    Terms terms;
    Request *request = request_of(env, info, 6, args);
    if (!request)
        return NULL;
    TRY(env, napi_unwrap(env, args[1], &engine));
    TRY(env, napi_get_value_double(env, args[2], &i));
    TRY(env, napi_get_value_double(env, args[4], &own_cost));
    if (!terms_read(env, args[5], &terms))
        return NULL;
    kvl_value_t *value = value_read(env, engine, args[3], own_cost);
    kvl_status_t status = value ? kvl_request_resolve(request->handle, (size_t)i, value, &terms.stated) : KVL_OK;
    kvl_value_release(value);
    terms_end(&terms);
    return value ? number(env, status) : NULL;
}

/* stale(request, i): [value, age in ms, version], or undefined if the store has nothing of the key. */
static napi_value request_stale(napi_env env, napi_callback_info info)
{
    napi_value args[2], shown, version;
    double i;
    kvl_value_t *value;
    int64_t age_ms;
    kvl_slice_t stated;
    Request *request = request_of(env, info, 2, args);
    if (!request)
        return NULL;
    TRY(env, napi_get_value_double(env, args[1], &i));
    kvl_status_t status = kvl_request_stale(request->handle, (size_t)i, &value, &age_ms, &stated);
    if (status < 0)
        return thrown(env, status, NULL);
    if (status == KVL_MISS)
        return undefined(env);
    napi_value held = value_taken(env, status == KVL_VALUE ? value : kvl_value_null());
    TRY(env, napi_create_array_with_length(env, 3, &shown));
    TRY(env, napi_create_string_utf8(env, stated.len ? (const char *)stated.data : "", stated.len, &version));
    TRY(env, napi_set_element(env, shown, 0, held));
    TRY(env, napi_set_element(env, shown, 1, number(env, (double)age_ms)));
    TRY(env, napi_set_element(env, shown, 2, version));
    return shown;
}

/* notModified(request, i, terms): a status; KVL_MISS if the store has nothing of the key. */
static napi_value request_not_modified(napi_env env, napi_callback_info info)
{
    napi_value args[3];
    double i;
    Terms terms;
    Request *request = request_of(env, info, 3, args);
    if (!request)
        return NULL;
    TRY(env, napi_get_value_double(env, args[1], &i));
    if (!terms_read(env, args[2], &terms))
        return NULL;
    kvl_status_t status = kvl_request_not_modified(request->handle, (size_t)i, &terms.stated);
    terms_end(&terms);
    return number(env, status);
}

/* resolveAll(request, engine, numbers, costs, bytes): answers each key with the object of its number; 0 leaves a key open, and for -1 `bytes` has
 * the value. Numbers and costs are Float64Arrays of as many elements as there are keys. */
static napi_value request_resolve_all(napi_env env, napi_callback_info info)
{
    napi_value args[5];
    void *data, *engine_data;
    size_t n, n_costs;
    napi_typedarray_type type;
    Request *request = request_of(env, info, 5, args);
    if (!request)
        return NULL;
    TRY(env, napi_unwrap(env, args[1], &engine_data));
    TRY(env, napi_get_typedarray_info(env, args[2], &type, &n, &data, NULL, NULL));
    const double *numbers = data;
    TRY(env, napi_get_typedarray_info(env, args[3], &type, &n_costs, &data, NULL, NULL));
    const double *costs = data;
    Engine *engine = engine_data;
    for (size_t i = 0; i < n && i < n_costs; i++) {
        kvl_value_t *value = NULL;
        if (numbers[i] == 0)
            continue;
        if (numbers[i] > 0) {
            kvl_status_t status =
                kvl_value_new_object_on(engine->queue, (void *)(uintptr_t)numbers[i], (uint64_t)costs[i], NULL, &value);
            if (status < 0)
                return thrown(env, status, NULL);
        } else {
            napi_value bytes;
            TRY(env, napi_get_element(env, args[4], (uint32_t)i, &bytes));
            if (!(value = value_read(env, engine, bytes, 0)))
                return NULL;
        }
        kvl_request_resolve(request->handle, i, value, NULL);
        kvl_value_release(value);
    }
    return NULL;
}

/* Creates an error that carries the number of the thrown object. */
static kvl_error_t *error_read(napi_env env, Engine *engine, napi_value id, napi_value message, napi_value flags, napi_value pause)
{
    double number, pause_ms;
    uint32_t stated;
    Text sentence;
    kvl_error_t *error;
    if (napi_get_value_double(env, id, &number) != napi_ok || napi_get_value_uint32(env, flags, &stated) != napi_ok ||
        napi_get_value_double(env, pause, &pause_ms) != napi_ok)
        return (kvl_error_t *)refused(env);
    if (!text_read(env, message, &sentence))
        return NULL;
    kvl_status_t status =
        kvl_error_new_object(0, sentence.data, sentence.len, stated, engine->queue, (void *)(uintptr_t)number, NULL, &error);
    if (status >= 0 && pause_ms >= 0)
        kvl_error_set_retry_after(error, (int64_t)pause_ms);
    text_end(&sentence);
    return status < 0 ? (kvl_error_t *)thrown(env, status, NULL) : error;
}

/* fail(request, engine, i, id, message, flags, pause in ms or -1): a status. If i is negative, fails all open keys and finishes. */
static napi_value request_fail(napi_env env, napi_callback_info info)
{
    napi_value args[7];
    double i;
    void *engine;
    Request *request = request_of(env, info, 7, args);
    if (!request)
        return NULL;
    TRY(env, napi_unwrap(env, args[1], &engine));
    TRY(env, napi_get_value_double(env, args[2], &i));
    kvl_error_t *error = error_read(env, engine, args[3], args[4], args[5], args[6]);
    if (!error)
        return NULL;
    kvl_status_t status = i < 0 ? kvl_request_finish_error(request->handle, error) : kvl_request_fail(request->handle, (size_t)i, error);
    kvl_error_release(error);
    return i < 0 ? request_finished(env, request, status) : number(env, status);
}

/* finish(request): answers the open keys with null; a status. */
static napi_value request_finish(napi_env env, napi_callback_info info)
{
    napi_value args[1];
    Request *request = request_of(env, info, 1, args);
    return request ? request_finished(env, request, kvl_request_finish_nulls(request->handle)) : NULL;
}

/* attempt(request, i): the number of the key's attempt, from 1. */
static napi_value request_attempt(napi_env env, napi_callback_info info)
{
    napi_value args[2];
    double i;
    Request *request = request_of(env, info, 2, args);
    if (!request)
        return NULL;
    TRY(env, napi_get_value_double(env, args[1], &i));
    return number(env, kvl_request_attempt(request->handle, (size_t)i));
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
