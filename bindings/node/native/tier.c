/* Requests for the second tier. JavaScript holds a request as an external of Node-API, a pointer that it can only pass on. Functions take it
 * and, in most cases, the index of a key. */
#include "native.h"

#include <stdlib.h>

typedef struct {
    kvl_l2_request_t *handle; /* NULL once the request is finished */
} TierRequest;

static void finalize_tier_request(napi_env env, void *data, void *hint)
{
    (void)env, (void)hint;
    TierRequest *request = data;
    kvl_l2_request_release(request->handle); /* fails the request if it is unfinished */
    free(request);
}

static napi_value bytes_to_js(napi_env env, const uint8_t *data, size_t len)
{
    napi_value shown;
    TRY(env, napi_create_buffer_copy(env, len, data, NULL, &shown));
    return shown;
}

/* [request, kind, keys] */
napi_value tier_request_to_js(napi_env env, kvl_l2_request_t *handle)
{
    napi_value external, list, keys;
    TierRequest *request = malloc(sizeof *request);
    if (!request)
        return throw_status(env, KVL_ERR_NO_MEMORY, NULL);
    request->handle = kvl_l2_request_retain(handle);
    if (napi_create_external(env, request, finalize_tier_request, NULL, &external) != napi_ok) {
        finalize_tier_request(env, request, NULL);
        return throw_napi_error(env);
    }
    size_t n = kvl_l2_request_len(handle);
    const kvl_slice_t *slices = kvl_l2_request_keys(handle);
    TRY(env, napi_create_array_with_length(env, n, &keys));
    for (size_t i = 0; i < n; i++) {
        napi_value key;
        TRY(env, napi_create_string_utf8(env, (const char *)slices[i].data, slices[i].len, &key));
        TRY(env, napi_set_element(env, keys, (uint32_t)i, key));
    }
    TRY(env, napi_create_array_with_length(env, 3, &list));
    TRY(env, napi_set_element(env, list, 0, external));
    TRY(env, napi_set_element(env, list, 1, number(env, kvl_l2_request_kind(handle))));
    TRY(env, napi_set_element(env, list, 2, keys));
    return list;
}

/* Reads `want` arguments and returns the request, which is the first and may be finished; the second is the index of a key. NULL with an exception
 * if there are fewer arguments. */
static TierRequest *tier_request_or_finished(napi_env env, napi_callback_info info, size_t want, napi_value *args, size_t *out_i)
{
    size_t n = want;
    void *request;
    double i = 0;
    if (napi_get_cb_info(env, info, &n, args, NULL, NULL) != napi_ok || n < want || napi_get_value_external(env, args[0], &request) != napi_ok ||
        (want > 1 && napi_get_value_double(env, args[1], &i) != napi_ok))
        return (TierRequest *)throw_napi_error(env);
    *out_i = (size_t)i;
    return request;
}

/* Like tier_request_or_finished(), but throws if the request is finished. */
static TierRequest *tier_request_of(napi_env env, napi_callback_info info, size_t want, napi_value *args, size_t *out_i)
{
    TierRequest *request = tier_request_or_finished(env, info, want, args, out_i);
    return !request || request->handle ? request : (TierRequest *)throw_status(env, KVL_ERR_ALREADY_ANSWERED, NULL);
}

kvl_l2_request_t *tier_request_handle(napi_env env, napi_value value)
{
    void *request;
    if (napi_get_value_external(env, value, &request) != napi_ok)
        return (kvl_l2_request_t *)throw_napi_error(env);
    kvl_l2_request_t *handle = ((TierRequest *)request)->handle;
    return handle ? handle : (kvl_l2_request_t *)throw_status(env, KVL_ERR_ALREADY_ANSWERED, NULL);
}

/* The bytes of a Uint8Array; false with an exception if it is none. */
static bool bytes_read(napi_env env, napi_value value, const uint8_t **out_data, size_t *out_len)
{
    napi_typedarray_type type;
    void *data;
    bool is_array = false;
    if (napi_is_typedarray(env, value, &is_array) != napi_ok || !is_array ||
        napi_get_typedarray_info(env, value, &type, out_len, &data, NULL, NULL) != napi_ok || type != napi_uint8_array) {
        napi_throw_type_error(env, NULL, "kvlight: entries and tokens are Uint8Arrays");
        return false;
    }
    *out_data = data;
    return true;
}

/* tierValue(request, i): the value that is to be stored, as the ID of an object, bytes, or null. */
static napi_value tier_value(napi_env env, napi_callback_info info)
{
    napi_value args[2];
    size_t i;
    kvl_value_t *value = NULL;
    TierRequest *request = tier_request_of(env, info, 2, args, &i);
    if (!request)
        return NULL;
    kvl_status_t status = kvl_l2_request_value(request->handle, i, &value);
    if (status < 0)
        return throw_status(env, status, NULL);
    return value_to_js_and_release(env, status == KVL_VALUE ? value : kvl_value_null());
}

/* tierSetPayload(request, i, bytes): a status */
static napi_value tier_set_payload(napi_env env, napi_callback_info info)
{
    napi_value args[3];
    size_t i, len;
    const uint8_t *data;
    TierRequest *request = tier_request_of(env, info, 3, args, &i);
    if (!request || !bytes_read(env, args[2], &data, &len))
        return NULL;
    return number(env, kvl_l2_request_set_payload(request->handle, i, data, len));
}

/* tierEntry(request, i): [data, ttl_ms, token] */
static napi_value tier_entry(napi_env env, napi_callback_info info)
{
    napi_value args[2], list;
    size_t i, len, token_len;
    const uint8_t *data, *token;
    int64_t ttl_ms;
    TierRequest *request = tier_request_of(env, info, 2, args, &i);
    if (!request)
        return NULL;
    kvl_status_t status = kvl_l2_request_entry(request->handle, i, &data, &len, &ttl_ms, &token, &token_len);
    if (status < 0)
        return throw_status(env, status, NULL);
    TRY(env, napi_create_array_with_length(env, 3, &list));
    TRY(env, napi_set_element(env, list, 0, bytes_to_js(env, data, len)));
    TRY(env, napi_set_element(env, list, 1, number(env, (double)ttl_ms)));
    TRY(env, napi_set_element(env, list, 2, bytes_to_js(env, token, token_len)));
    return list;
}

/* tierPayload(request, i, data): the bytes that stand for an object, if `data` is the entry of one; true for any other entry; false if `data` is no
 * entry of the key. */
static napi_value tier_payload(napi_env env, napi_callback_info info)
{
    napi_value args[3];
    size_t i, len, payload_len;
    const uint8_t *data, *payload;
    TierRequest *request = tier_request_of(env, info, 3, args, &i);
    if (!request || !bytes_read(env, args[2], &data, &len))
        return NULL;
    kvl_status_t status = kvl_l2_request_payload(request->handle, i, data, len, &payload, &payload_len);
    if (status < 0)
        return throw_status(env, status, NULL);
    return status == KVL_OK ? bytes_to_js(env, payload, payload_len) : boolean(env, status != KVL_MISS);
}

/* tierHit(request, i, data, ttl_left_ms, token, engine, value, cost): a status. If `value` is undefined, the library reads the value from `data`. */
static napi_value tier_hit(napi_env env, napi_callback_info info)
{
    napi_value args[8];
    size_t i, len, token_len;
    const uint8_t *data, *token;
    double ttl_left_ms, object_cost;
    void *engine;
    napi_valuetype type;
    kvl_value_t *value = NULL;
    TierRequest *request = tier_request_or_finished(env, info, 8, args, &i);
    if (!request)
        return NULL;
    TRY(env, napi_unwrap(env, args[5], &engine));
    TRY(env, napi_typeof(env, args[6], &type));
    TRY(env, napi_get_value_double(env, args[3], &ttl_left_ms));
    TRY(env, napi_get_value_double(env, args[7], &object_cost));
    if (type != napi_undefined && !(value = value_from_js(env, engine, args[6], object_cost)))
        return NULL;
    kvl_status_t status = KVL_ERR_ALREADY_ANSWERED;
    bool are_bytes = bytes_read(env, args[2], &data, &len) && bytes_read(env, args[4], &token, &token_len);
    if (are_bytes && request->handle)
        status = value ? kvl_l2_request_hit_object(request->handle, i, data, len, (int64_t)ttl_left_ms, token, token_len, value)
                       : kvl_l2_request_hit(request->handle, i, data, len, (int64_t)ttl_left_ms, token, token_len);
    kvl_value_release(value);
    return are_bytes ? number(env, status) : NULL;
}

/* tierMiss(request, i, token): a status */
static napi_value tier_miss(napi_env env, napi_callback_info info)
{
    napi_value args[3];
    size_t i, token_len;
    const uint8_t *token;
    TierRequest *request = tier_request_of(env, info, 3, args, &i);
    if (!request || !bytes_read(env, args[2], &token, &token_len))
        return NULL;
    return number(env, kvl_l2_request_miss(request->handle, i, token, token_len));
}

/* tierLeased(request, i), tierRefused(request, i) and tierFailed(request, i): a status */
#define TELL(name, call)                                                                                                                   \
    static napi_value name(napi_env env, napi_callback_info info)                                                                          \
    {                                                                                                                                      \
        napi_value args[2];                                                                                                                \
        size_t i;                                                                                                                          \
        TierRequest *request = tier_request_of(env, info, 2, args, &i);                                                                    \
        return request ? number(env, call(request->handle, i)) : NULL;                                                                     \
    }
TELL(tier_leased, kvl_l2_request_leased)
TELL(tier_refused, kvl_l2_request_refused)
TELL(tier_failed, kvl_l2_request_fail)

/* tierFinish(request): a status */
static napi_value tier_finish(napi_env env, napi_callback_info info)
{
    napi_value args[1];
    size_t i;
    TierRequest *request = tier_request_of(env, info, 1, args, &i);
    if (!request)
        return NULL;
    kvl_status_t status = kvl_l2_request_finish(request->handle);
    kvl_l2_request_release(request->handle); /* at once, so that its reference to the engine does not wait for the garbage collector */
    request->handle = NULL;
    return number(env, status);
}

napi_status tier_define(napi_env env, napi_value exports)
{
#define FUNCTION(name, function) {name, NULL, function, NULL, NULL, NULL, napi_default, NULL}
    napi_property_descriptor functions[] = {
        FUNCTION("tierValue", tier_value),     FUNCTION("tierSetPayload", tier_set_payload), FUNCTION("tierEntry", tier_entry),
        FUNCTION("tierPayload", tier_payload), FUNCTION("tierHit", tier_hit),                FUNCTION("tierMiss", tier_miss),
        FUNCTION("tierLeased", tier_leased),   FUNCTION("tierRefused", tier_refused),        FUNCTION("tierFailed", tier_failed),
        FUNCTION("tierFinish", tier_finish),
    };
    return napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
}
