/* Iterating over the entries of a store, and saving and loading them. */
#include "native.h"

/* ---- Iteration ---- */

static void finalize_iterator(napi_env env, void *iterator, void *hint)
{
    (void)env, (void)hint;
    kvl_iterator_free(iterator);
}

/* iterate(): an iterator for nextEntry(). */
napi_value engine_iterate(napi_env env, napi_callback_info info)
{
    Engine *engine = engine_of(env, info, 0, NULL);
    kvl_iterator_t *iterator;
    napi_value handle;
    kvl_status_t status = engine ? kvl_iterator_new(engine->cache, &iterator) : KVL_OK;
    if (!engine)
        return NULL;
    if (status < 0)
        return throw_status(env, status, NULL);
    if (napi_create_external(env, iterator, finalize_iterator, NULL, &handle) == napi_ok)
        return handle;
    kvl_iterator_free(iterator);
    return throw_napi_error(env);
}

/* nextEntry(iterator): [key, value], or undefined at the end. */
static napi_value next_entry(napi_env env, napi_callback_info info)
{
    size_t n = 1;
    napi_value arg, pair, key;
    void *iterator;
    TRY(env, napi_get_cb_info(env, info, &n, &arg, NULL, NULL));
    TRY(env, napi_get_value_external(env, arg, &iterator));
    kvl_result_t entry;
    kvl_status_t status = kvl_iterator_next(iterator, &entry, sizeof entry);
    if (status == KVL_EMPTY)
        return undefined(env);
    if (status < 0)
        return throw_status(env, status, NULL);
    TRY(env, napi_create_array_with_length(env, 2, &pair));
    TRY(env, napi_create_string_utf8(env, (const char *)entry.key, entry.key_len, &key));
    TRY(env, napi_set_element(env, pair, 0, key));
    TRY(env, napi_set_element(env, pair, 1, value_to_js(env, entry.object, entry.data, entry.data_len)));
    return pair;
}

/* ---- Saving and loading ---- */

/* A save or a load in progress. `convert` is the program's function, which is called on this thread, inside save() or load(). */
typedef struct {
    napi_env env;
    Engine *engine;
    napi_value convert;
    bool has_failed; /* an exception is pending: no more JavaScript may be called */
} Transfer;

static napi_value call_converter(Transfer *self, napi_value argument)
{
    napi_value this, converted;
    napi_get_undefined(self->env, &this);
    if (argument && napi_call_function(self->env, this, self->convert, 1, &argument, &converted) == napi_ok)
        return converted;
    self->has_failed = true;
    return NULL;
}

/* Encodes an object with the program's function, which returns a Uint8Array, or undefined to leave the entry out. */
static kvl_value_t *encode_value(void *user_data, const kvl_result_t *entry)
{
    Transfer *self = user_data;
    napi_handle_scope scope;
    if (self->has_failed || napi_open_handle_scope(self->env, &scope) != napi_ok)
        return NULL;
    napi_value converted = call_converter(self, number(self->env, (double)(uintptr_t)entry->object));
    napi_valuetype kind = napi_undefined;
    kvl_value_t *value = NULL;
    if (converted)
        napi_typeof(self->env, converted, &kind);
    if (kind != napi_undefined) {
        value = value_from_js(self->env, self->engine, converted, 0);
        self->has_failed = !value;
    }
    napi_close_handle_scope(self->env, scope);
    return value;
}

/* Decodes bytes with the program's function, which returns [value, cost], or undefined to leave the entry out. */
static kvl_value_t *decode_value(void *user_data, const kvl_result_t *entry)
{
    Transfer *self = user_data;
    napi_handle_scope scope;
    napi_value bytes, part;
    if (self->has_failed || napi_open_handle_scope(self->env, &scope) != napi_ok)
        return NULL;
    napi_value converted = napi_create_buffer_copy(self->env, entry->data_len, entry->data, NULL, &bytes) == napi_ok ? call_converter(self, bytes) : NULL;
    bool is_array = false;
    double cost = 0;
    kvl_value_t *value = NULL;
    if (converted)
        napi_is_array(self->env, converted, &is_array);
    if (is_array) {
        if (napi_get_element(self->env, converted, 1, &part) == napi_ok && napi_get_value_double(self->env, part, &cost) == napi_ok &&
            napi_get_element(self->env, converted, 0, &part) == napi_ok)
            value = value_from_js(self->env, self->engine, part, cost);
        self->has_failed = !value;
    }
    napi_close_handle_scope(self->env, scope);
    return value;
}

static int32_t should_stop(void *user_data, const kvl_transfer_t *progress)
{
    (void)progress;
    return ((Transfer *)user_data)->has_failed;
}

typedef kvl_status_t (*TransferCall)(kvl_cache_t *, const char *, kvl_convert_fn, kvl_transfer_fn, void *, kvl_transfer_t *, size_t, kvl_error_t **);

static napi_value transfer(napi_env env, napi_callback_info info, TransferCall call, kvl_convert_fn convert)
{
    napi_value args[2];
    Text path;
    Engine *engine = engine_of(env, info, 2, args);
    if (!engine || !text_read(env, args[0], &path))
        return NULL;
    Transfer transfer = {env, engine, args[1], false};
    kvl_cache_t *cache = kvl_cache_retain(engine->cache); /* the program's function may close the engine */
    kvl_transfer_t done = {0};
    kvl_error_t *error = NULL;
    kvl_status_t status = call(cache, path.data, convert, should_stop, &transfer, &done, sizeof done, &error);
    kvl_cache_release(cache);
    text_end(&path);
    if (status < 0 && !transfer.has_failed)
        throw_status(env, status, error ? kvl_error_message(error) : NULL);
    kvl_error_release(error);
    return status < 0 || transfer.has_failed ? NULL : number(env, (double)done.entries);
}

/* save(path, encode): the number of entries written. */
napi_value engine_save(napi_env env, napi_callback_info info) { return transfer(env, info, kvl_cache_save_encoded, encode_value); }

/* load(path, decode): the number of entries stored. */
napi_value engine_load(napi_env env, napi_callback_info info) { return transfer(env, info, kvl_cache_load_decoded, decode_value); }

napi_status entries_define(napi_env env, napi_value exports)
{
    napi_property_descriptor function = {"nextEntry", NULL, next_entry, NULL, NULL, NULL, napi_default, NULL};
    return napi_define_properties(env, exports, 1, &function);
}
