/* The addon's entry point, exceptions, strings, settings, lists and terms. */
#include "native.h"

#include <stdlib.h>
#include <string.h>
#include <uchar.h>

napi_value throw_napi_error(napi_env env)
{
    bool is_pending = false;
    napi_is_exception_pending(env, &is_pending);
    const napi_extended_error_info *info = NULL;
    napi_get_last_error_info(env, &info);
    if (!is_pending)
        napi_throw_error(env, NULL, info && info->error_message ? info->error_message : "kvlight: a call of Node-API failed");
    return NULL;
}

napi_value throw_status(napi_env env, kvl_status_t status, const char *message)
{
    napi_value error, text, code;
    if (napi_create_string_utf8(env, message ? message : kvl_status_message(status), NAPI_AUTO_LENGTH, &text) != napi_ok ||
        napi_create_string_utf8(env, kvl_status_name(status), NAPI_AUTO_LENGTH, &code) != napi_ok ||
        napi_create_error(env, code, text, &error) != napi_ok ||
        napi_set_named_property(env, error, "kvl_status", number(env, status)) != napi_ok)
        return throw_napi_error(env);
    napi_throw(env, error);
    return NULL;
}

napi_value undefined(napi_env env)
{
    napi_value value = NULL;
    napi_get_undefined(env, &value);
    return value;
}

napi_value number(napi_env env, double value)
{
    napi_value result = NULL;
    napi_create_double(env, value, &result);
    return result;
}

napi_value boolean(napi_env env, bool value)
{
    napi_value result = NULL;
    napi_get_boolean(env, value, &result);
    return result;
}

napi_value text(napi_env env, const char *utf8)
{
    napi_value result = NULL;
    napi_create_string_utf8(env, utf8, NAPI_AUTO_LENGTH, &result);
    return result;
}

/* Whether a UTF-16 string contains a surrogate that is not part of a pair. */
static bool has_lone_surrogate(const char16_t *utf16, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool is_high = utf16[i] >= 0xD800 && utf16[i] < 0xDC00, is_low = utf16[i] >= 0xDC00 && utf16[i] < 0xE000;
        if (is_low || (is_high && !(i + 1 < n && utf16[i + 1] >= 0xDC00 && utf16[i + 1] < 0xE000)))
            return true;
        i += is_high;
    }
    return false;
}

bool check_surrogates(napi_env env, napi_value value, const char *utf8, size_t len)
{
    const char *at = utf8, *end = utf8 + len;
    while ((at = memchr(at, 0xEF, (size_t)(end - at))) && !(end - at >= 3 && memcmp(at, "\xEF\xBF\xBD", 3) == 0))
        at++;
    if (!at)
        return true;
    /* U+FFFD: either the string contains it, or V8 wrote it for a lone surrogate. */
    size_t n = 0;
    napi_get_value_string_utf16(env, value, NULL, 0, &n);
    char16_t *utf16 = malloc((n + 1) * sizeof *utf16);
    if (!utf16) {
        throw_status(env, KVL_ERR_NO_MEMORY, NULL);
        return false;
    }
    napi_get_value_string_utf16(env, value, utf16, n + 1, &n);
    bool is_malformed = has_lone_surrogate(utf16, n);
    free(utf16);
    if (is_malformed)
        napi_throw_type_error(env, NULL, "kvlight: a string contains a lone surrogate, which cannot be encoded in UTF-8");
    return !is_malformed;
}

bool text_read(napi_env env, napi_value value, Text *into)
{
    into->data = into->first;
    if (napi_get_value_string_utf8(env, value, into->first, sizeof into->first, &into->len) != napi_ok) {
        napi_throw_type_error(env, NULL, "kvlight: this argument must be a string");
        return false;
    }
    /* The string may have been truncated if no further character fits. */
    if (into->len < sizeof into->first - 4)
        return check_surrogates(env, value, into->data, into->len);
    napi_get_value_string_utf8(env, value, NULL, 0, &into->len);
    into->data = malloc(into->len + 1);
    if (!into->data) {
        throw_status(env, KVL_ERR_NO_MEMORY, NULL);
        return false;
    }
    napi_get_value_string_utf8(env, value, into->data, into->len + 1, &into->len);
    if (check_surrogates(env, value, into->data, into->len))
        return true;
    free(into->data);
    return false;
}

void text_end(Text *text)
{
    if (text->data != text->first)
        free(text->data);
}

/* ---- Settings ---- */

/* A kvl_config_t or a kvl_options_t, and the functions that set it: the same code fills both. */
typedef struct {
    void *handle;
    kvl_status_t (*set)(void *, const char *, const char *);
    kvl_status_t (*set_int)(void *, const char *, int64_t);
    kvl_status_t (*set_real)(void *, const char *, double);
    const char *(*problem)(void *);
} Settings;

static void write_number(Settings *into, const char *name, double value)
{
    /* The range, in which a double holds every integer, is checked first: converting NaN or too large a number to an integer is undefined. */
    if (value > -9e15 && value < 9e15 && value == (double)(int64_t)value)
        into->set_int(into->handle, name, (int64_t)value);
    else
        into->set_real(into->handle, name, value);
}

static bool write_setting(napi_env env, Settings *into, const char *name, napi_value value)
{
    napi_valuetype kind;
    double real;
    bool flag;
    Text word;
    napi_typeof(env, value, &kind);
    switch (kind) {
    case napi_boolean:
        napi_get_value_bool(env, value, &flag);
        /* Not as a number, which a setting that takes numbers would accept. */
        into->set(into->handle, name, flag ? "true" : "false");
        return true;
    case napi_number:
        napi_get_value_double(env, value, &real);
        write_number(into, name, real);
        return true;
    case napi_string:
        if (!text_read(env, value, &word))
            return false;
        into->set(into->handle, name, word.data);
        text_end(&word);
        return true;
    default:
        napi_throw_type_error(env, NULL, "kvlight: a setting takes a string, a number or a boolean");
        return false;
    }
}

static bool write_settings(napi_env env, Settings *into, napi_value settings)
{
    uint32_t n;
    TRY_BOOL(env, napi_get_array_length(env, settings, &n));
    for (uint32_t i = 0; i + 1 < n; i += 2) {
        napi_value name, value;
        Text word;
        napi_get_element(env, settings, i, &name);
        napi_get_element(env, settings, i + 1, &value);
        if (!text_read(env, name, &word))
            return false;
        bool is_written = write_setting(env, into, word.data, value);
        text_end(&word);
        const char *problem = is_written ? into->problem(into->handle) : NULL;
        if (problem)
            throw_status(env, KVL_ERR_BAD_VALUE, problem);
        if (problem || !is_written)
            return false;
    }
    return true;
}

static kvl_status_t config_set(void *config, const char *name, const char *value) { return kvl_config_set(config, name, value); }
static kvl_status_t config_set_int(void *config, const char *name, int64_t value) { return kvl_config_set_int(config, name, value); }
static kvl_status_t config_set_real(void *config, const char *name, double value) { return kvl_config_set_real(config, name, value); }
static const char *config_problem(void *config) { return kvl_config_problem(config); }
static kvl_status_t options_set(void *options, const char *name, const char *value) { return kvl_options_set(options, name, value); }
static kvl_status_t options_set_int(void *options, const char *name, int64_t value) { return kvl_options_set_int(options, name, value); }
static kvl_status_t options_set_real(void *options, const char *name, double value) { return kvl_options_set_real(options, name, value); }
static const char *options_problem(void *options) { return kvl_options_problem(options); }

bool settings_into_config(napi_env env, kvl_config_t *config, napi_value settings)
{
    Settings into = {config, config_set, config_set_int, config_set_real, config_problem};
    return write_settings(env, &into, settings);
}

bool options_read(napi_env env, napi_value settings, kvl_options_t **out_options)
{
    napi_valuetype kind;
    *out_options = NULL;
    napi_typeof(env, settings, &kind);
    if (kind == napi_undefined)
        return true;
    kvl_status_t status = kvl_options_new(out_options);
    if (status < 0) {
        throw_status(env, status, NULL);
        return false;
    }
    Settings into = {*out_options, options_set, options_set_int, options_set_real, options_problem};
    if (write_settings(env, &into, settings))
        return true;
    kvl_options_free(*out_options);
    *out_options = NULL;
    return false;
}

/* ---- Lists of strings ---- */

void keys_end(Keys *keys)
{
    free(keys->data);
    free(keys->slices);
}

/* Ensures capacity for `len` more bytes after the `used` bytes already written. */
static bool keys_grow(Keys *keys, size_t used, size_t len, size_t *capacity)
{
    if (len <= *capacity - used)
        return true;
    size_t grown = *capacity * 2 > used + len ? *capacity * 2 : used + len;
    char *data = realloc(keys->data, grown);
    if (!data)
        return false;
    keys->data = data;
    *capacity = grown;
    return true;
}

bool keys_read(napi_env env, napi_value list, Keys *keys)
{
    *keys = (Keys){0};
    TRY_BOOL(env, napi_get_array_length(env, list, &keys->n));
    size_t used = 0, len, capacity = 0;
    keys->slices = malloc((keys->n ? keys->n : 1) * sizeof *keys->slices);
    bool is_allocated = keys->slices && keys_grow(keys, 0, 24 * (size_t)keys->n + 64, &capacity);
    for (uint32_t i = 0; is_allocated && i < keys->n; i++) {
        napi_value key;
        if (napi_get_element(env, list, i, &key) != napi_ok ||
            napi_get_value_string_utf8(env, key, keys->data + used, capacity - used, &len) != napi_ok) {
            keys_end(keys);
            throw_napi_error(env);
            return false;
        }
        if (len + 4 >= capacity - used) { /* the key may have been truncated: a character has up to four bytes */
            napi_get_value_string_utf8(env, key, NULL, 0, &len);
            is_allocated = keys_grow(keys, used, len + 64, &capacity);
            if (is_allocated)
                napi_get_value_string_utf8(env, key, keys->data + used, capacity - used, &len);
        }
        if (is_allocated && !check_surrogates(env, key, keys->data + used, len)) {
            keys_end(keys);
            return false;
        }
        keys->slices[i].len = len;
        used += len;
    }
    if (!is_allocated) {
        keys_end(keys);
        throw_status(env, KVL_ERR_NO_MEMORY, NULL);
        return false;
    }
    const uint8_t *at = (const uint8_t *)keys->data; /* the buffer no longer moves, so the slices can point into it */
    for (uint32_t i = 0; i < keys->n; at += keys->slices[i++].len)
        keys->slices[i].data = at;
    return true;
}

/* ---- Terms ---- */

static bool labels_read(napi_env env, napi_value list, Terms *terms)
{
    napi_value version, tags;
    TRY_BOOL(env, napi_get_element(env, list, 5, &version));
    TRY_BOOL(env, napi_get_element(env, list, 6, &tags));
    if (!text_read(env, version, &terms->version))
        return false;
    if (!keys_read(env, tags, &terms->tags)) {
        text_end(&terms->version);
        return false;
    }
    terms->native.version = (const uint8_t *)terms->version.data, terms->native.version_len = terms->version.len;
    terms->native.tags = terms->tags.slices, terms->native.tags_len = terms->tags.n;
    terms->has_labels = true;
    return true;
}

bool terms_read(napi_env env, napi_value list, Terms *terms)
{
    napi_valuetype kind;
    napi_value element;
    double numbers[5];
    uint32_t n;
    terms->native = (kvl_terms_t)KVL_TERMS_INIT;
    terms->has_labels = false;
    napi_typeof(env, list, &kind);
    if (kind == napi_undefined)
        return true;
    for (uint32_t i = 0; i < 5; i++) {
        TRY_BOOL(env, napi_get_element(env, list, i, &element));
        TRY_BOOL(env, napi_get_value_double(env, element, &numbers[i]));
    }
    terms->native.ttl_ms = (int64_t)numbers[0], terms->native.priority = numbers[1], terms->native.cost = (int64_t)numbers[2];
    terms->native.stale_ttl_ms = (int64_t)numbers[3], terms->native.flags = (uint32_t)numbers[4];
    TRY_BOOL(env, napi_get_array_length(env, list, &n));
    return n <= 5 || labels_read(env, list, terms);
}

void terms_end(Terms *terms)
{
    if (!terms->has_labels)
        return;
    text_end(&terms->version);
    keys_end(&terms->tags);
}

/* ---- The module ---- */

/* statusMessage(status) */
static napi_value status_message(napi_env env, napi_callback_info info)
{
    size_t n = 1;
    napi_value arg;
    int32_t status;
    TRY(env, napi_get_cb_info(env, info, &n, &arg, NULL, NULL));
    TRY(env, napi_get_value_int32(env, arg, &status));
    return text(env, kvl_status_message(status));
}

NAPI_MODULE_INIT()
{
    if (kvl_version_number() / 1000 != KVL_VERSION_NUMBER / 1000) {
        napi_throw_error(env, NULL, "kvlight: the addon was built for another version of the library");
        return NULL;
    }
    TRY(env, engine_define(env, exports));
    TRY(env, entries_define(env, exports));
    TRY(env, events_define(env, exports));
    TRY(env, tier_define(env, exports));
    TRY(env, redis_define(env, exports));
    TRY(env, napi_set_named_property(env, exports, "version", text(env, kvl_version_string())));
    napi_property_descriptor function = {"statusMessage", NULL, status_message, NULL, NULL, NULL, napi_default, NULL};
    TRY(env, napi_define_properties(env, exports, 1, &function));
    return exports;
}
