/* The addon's entry point, strings, settings and exceptions. */
#include "native.h"

#include <stdlib.h>
#include <string.h>
#include <uchar.h>

napi_value refused(napi_env env)
{
    bool is_pending = false;
    napi_is_exception_pending(env, &is_pending);
    const napi_extended_error_info *info = NULL;
    napi_get_last_error_info(env, &info);
    if (!is_pending)
        napi_throw_error(env, NULL, info && info->error_message ? info->error_message : "kvlight: Node-API refused a call");
    return NULL;
}

/* src/errors.cjs turns it into a KvlightError. */
napi_value thrown(napi_env env, kvl_status_t status, const char *sentence)
{
    napi_value error, message, code;
    if (napi_create_string_utf8(env, sentence ? sentence : kvl_status_message(status), NAPI_AUTO_LENGTH, &message) != napi_ok ||
        napi_create_string_utf8(env, kvl_status_name(status), NAPI_AUTO_LENGTH, &code) != napi_ok ||
        napi_create_error(env, code, message, &error) != napi_ok ||
        napi_set_named_property(env, error, "kvl_status", number(env, status)) != napi_ok)
        return refused(env);
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
    napi_value made = NULL;
    napi_create_double(env, value, &made);
    return made;
}

napi_value boolean(napi_env env, bool value)
{
    napi_value made = NULL;
    napi_get_boolean(env, value, &made);
    return made;
}

napi_value text(napi_env env, const char *utf8)
{
    napi_value made = NULL;
    napi_create_string_utf8(env, utf8, NAPI_AUTO_LENGTH, &made);
    return made;
}

/* Whether a string in UTF-16 has a surrogate that is not half of a pair. */
static bool has_lone_surrogate(const char16_t *units, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool is_high = units[i] >= 0xD800 && units[i] < 0xDC00, is_low = units[i] >= 0xDC00 && units[i] < 0xE000;
        if (is_low || (is_high && !(i + 1 < n && units[i + 1] >= 0xDC00 && units[i + 1] < 0xE000)))
            return true;
        i += is_high;
    }
    return false;
}

bool text_is_whole(napi_env env, napi_value value, const char *utf8, size_t len)
{
    const char *at = utf8, *end = utf8 + len;
    while ((at = memchr(at, 0xEF, (size_t)(end - at))) && !(end - at >= 3 && memcmp(at, "\xEF\xBF\xBD", 3) == 0))
        at++;
    if (!at)
        return true;
    /* A replacement character: of the string's own, or one that V8 wrote for a lone surrogate. */
    size_t n = 0;
    napi_get_value_string_utf16(env, value, NULL, 0, &n);
    char16_t *units = malloc((n + 1) * sizeof *units);
    if (!units)
        return thrown(env, KVL_ERR_NO_MEMORY, NULL) != NULL;
    napi_get_value_string_utf16(env, value, units, n + 1, &n);
    bool is_broken = has_lone_surrogate(units, n);
    free(units);
    if (is_broken)
        napi_throw_type_error(env, NULL, "kvlight: a string has half of a surrogate pair, which has no form in UTF-8");
    return !is_broken;
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
        return text_is_whole(env, value, into->data, into->len);
    napi_get_value_string_utf8(env, value, NULL, 0, &into->len);
    into->data = malloc(into->len + 1);
    if (!into->data) {
        thrown(env, KVL_ERR_NO_MEMORY, NULL);
        return false;
    }
    napi_get_value_string_utf8(env, value, into->data, into->len + 1, &into->len);
    if (text_is_whole(env, value, into->data, into->len))
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

/* Either a configuration or options: both are written to in the same three ways. */
typedef struct {
    void *handle;
    kvl_status_t (*set)(void *, const char *, const char *);
    kvl_status_t (*set_int)(void *, const char *, int64_t);
    kvl_status_t (*set_real)(void *, const char *, double);
    const char *(*problem)(void *);
} Settings;

static bool write_number(Settings *into, const char *name, double value)
{
    if (value == (double)(int64_t)value && value > -9e15 && value < 9e15)
        into->set_int(into->handle, name, (int64_t)value);
    else
        into->set_real(into->handle, name, value);
    return true;
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
        into->set_int(into->handle, name, flag);
        return true;
    case napi_number:
        napi_get_value_double(env, value, &real);
        return write_number(into, name, real);
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
    if (napi_get_array_length(env, settings, &n) != napi_ok)
        return refused(env) != NULL;
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
            thrown(env, KVL_ERR_BAD_VALUE, problem);
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
    if (status < 0)
        return thrown(env, status, NULL) != NULL;
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

/* Makes room for `len` more bytes of keys, of which `used` are written. */
static bool keys_grow(Keys *keys, size_t used, size_t len, size_t *room)
{
    if (len <= *room - used)
        return true;
    size_t more = *room * 2 > used + len ? *room * 2 : used + len;
    char *data = realloc(keys->data, more);
    if (!data)
        return false;
    keys->data = data;
    *room = more;
    return true;
}

bool keys_read(napi_env env, napi_value list, Keys *keys)
{
    *keys = (Keys){0};
    if (napi_get_array_length(env, list, &keys->n) != napi_ok)
        return refused(env) != NULL;
    size_t used = 0, len, room = 0;
    keys->slices = malloc((keys->n ? keys->n : 1) * sizeof *keys->slices);
    bool has_room = keys->slices && keys_grow(keys, 0, 24 * (size_t)keys->n + 64, &room);
    for (uint32_t i = 0; has_room && i < keys->n; i++) {
        napi_value key;
        if (napi_get_element(env, list, i, &key) != napi_ok ||
            napi_get_value_string_utf8(env, key, keys->data + used, room - used, &len) != napi_ok) {
            keys_end(keys);
            return refused(env) != NULL;
        }
        if (len + 4 >= room - used) { /* it may have been truncated: one character has up to four bytes */
            napi_get_value_string_utf8(env, key, NULL, 0, &len);
            has_room = keys_grow(keys, used, len + 64, &room);
            if (has_room)
                napi_get_value_string_utf8(env, key, keys->data + used, room - used, &len);
        }
        if (has_room && !text_is_whole(env, key, keys->data + used, len)) {
            keys_end(keys);
            return false;
        }
        keys->slices[i].len = len;
        used += len;
    }
    if (!has_room) {
        keys_end(keys);
        return thrown(env, KVL_ERR_NO_MEMORY, NULL) != NULL;
    }
    const uint8_t *at = (const uint8_t *)keys->data; /* does not move any more */
    for (uint32_t i = 0; i < keys->n; at += keys->slices[i++].len)
        keys->slices[i].data = at;
    return true;
}

/* ---- Terms ---- */

static bool labels_read(napi_env env, napi_value stated, Terms *terms)
{
    napi_value version, tags;
    if (napi_get_element(env, stated, 5, &version) != napi_ok || napi_get_element(env, stated, 6, &tags) != napi_ok)
        return refused(env) != NULL;
    if (!text_read(env, version, &terms->version))
        return false;
    if (!keys_read(env, tags, &terms->tags)) {
        text_end(&terms->version);
        return false;
    }
    terms->stated.version = (const uint8_t *)terms->version.data, terms->stated.version_len = terms->version.len;
    terms->stated.tags = terms->tags.slices, terms->stated.tags_len = terms->tags.n;
    terms->has_labels = true;
    return true;
}

bool terms_read(napi_env env, napi_value stated, Terms *terms)
{
    napi_valuetype kind;
    napi_value place;
    double numbers[5];
    uint32_t n;
    terms->stated = (kvl_terms_t)KVL_TERMS_INIT;
    terms->has_labels = false;
    napi_typeof(env, stated, &kind);
    if (kind == napi_undefined)
        return true;
    for (uint32_t i = 0; i < 5; i++)
        if (napi_get_element(env, stated, i, &place) != napi_ok || napi_get_value_double(env, place, &numbers[i]) != napi_ok)
            return refused(env) != NULL;
    terms->stated.ttl_ms = (int64_t)numbers[0], terms->stated.priority = numbers[1], terms->stated.cost = (int64_t)numbers[2];
    terms->stated.stale_ttl_ms = (int64_t)numbers[3], terms->stated.flags = (uint32_t)numbers[4];
    if (napi_get_array_length(env, stated, &n) != napi_ok)
        return refused(env) != NULL;
    return n <= 5 || labels_read(env, stated, terms);
}

void terms_end(Terms *terms)
{
    if (!terms->has_labels)
        return;
    text_end(&terms->version);
    keys_end(&terms->tags);
}

/* ---- The module ---- */

NAPI_MODULE_INIT()
{
    if (kvl_version_number() / 1000 != KVL_VERSION_NUMBER / 1000) {
        napi_throw_error(env, NULL, "kvlight: the addon was built for another version of the library");
        return NULL;
    }
    TRY(env, engine_define(env, exports));
    TRY(env, entries_define(env, exports));
    TRY(env, events_define(env, exports));
    TRY(env, napi_set_named_property(env, exports, "version", text(env, kvl_version_string())));
    return exports;
}
