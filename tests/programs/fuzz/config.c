/* Fuzz target: the parser of settings. The input has lines of `name=value`. A line that begins with a byte below 32 names a setting by its
 * number, so that most lines name an existing setting. */
#include "machine.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_NAMES = 100, LONGEST = 300 };

static char names[MOST_NAMES][40];
static int count;

static void read_names(void)
{
    const char *at = kvl_config_keys_json();

    while ((at = strstr(at, "\"name\":")) != NULL) {
        size_t len;
        at = strchr(at + 7, '"') + 1;
        len = strcspn(at, "\"");
        MUST(count < MOST_NAMES && len < sizeof names[0]);
        memcpy(names[count++], at, len);
    }
    MUST(count > 20);
}

/* Writes the value of a setting to `text`, and returns `text`, or NULL if there is no such setting. */
static char *text_of(const kvl_config_t *config, const char *name, char *text)
{
    kvl_value_t *value = NULL;
    size_t len = 0;
    const uint8_t *data;
    kvl_status_t status = sane(kvl_config_get(config, name, &value));

    MUST((status == KVL_OK) == (value != NULL) && (status == KVL_OK || status == KVL_ERR_UNKNOWN_KEY));
    data = kvl_value_data(value, &len);
    MUST(len < LONGEST);
    if (len > 0)
        memcpy(text, data, len);
    text[len] = '\0';
    kvl_value_release(value);
    return status == KVL_OK ? text : NULL;
}

/* Sets a setting, and returns whether it was accepted. Checks that the text of an accepted value is accepted again with the same meaning, and
 * that a rejected value leaves the old one. */
static bool set(kvl_config_t *config, const char *name, const char *value)
{
    char before[LONGEST], after[LONGEST], again[LONGEST];
    bool known = text_of(config, name, before) != NULL;
    kvl_status_t status = sane(kvl_config_set(config, name, value));

    if (!known) {
        MUST(status == KVL_ERR_UNKNOWN_KEY);
        return false;
    }
    text_of(config, name, after);
    if (status == KVL_OK) {
        MUST_SAY(kvl_config_set(config, name, after), KVL_OK);
        MUST(strcmp(text_of(config, name, again), after) == 0);
    } else {
        MUST(status == KVL_ERR_BAD_VALUE && strcmp(before, after) == 0);
    }
    return status == KVL_OK;
}

static bool set_number(kvl_config_t *config, const char *name, const uint8_t *data, bool whole)
{
    int64_t number;
    double real;
    kvl_status_t status;

    memcpy(&number, data, sizeof number);
    memcpy(&real, data, sizeof real);
    status = sane(whole ? kvl_config_set_int(config, name, number) : kvl_config_set_real(config, name, real));
    MUST(status == KVL_OK || status == KVL_ERR_BAD_VALUE || status == KVL_ERR_UNKNOWN_KEY);
    return status == KVL_OK;
}

/* Creates a cache. It must be refused, with the message of kvl_config_problem(), exactly if a setting was rejected. */
static void create_cache(kvl_config_t *config, bool is_rejected)
{
    kvl_cache_t *cache = NULL;
    kvl_error_t *error = NULL;
    const char *problem = kvl_config_problem(config);
    kvl_status_t status = sane(kvl_cache_new(config, &cache, &error));

    MUST(is_rejected == (problem != NULL));
    MUST(status == (is_rejected ? KVL_ERR_BAD_VALUE : KVL_OK));
    MUST(!is_rejected || (strlen(problem) > 0 && strcmp(kvl_error_message(error), problem) == 0));
    kvl_error_release(error);
    kvl_cache_release(cache);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    kvl_config_t *config = NULL;
    kvl_options_t *options = NULL;
    bool is_rejected = false, options_are_rejected = false;
    size_t at = 0;

    if (count == 0)
        read_names();
    MUST_SAY(kvl_config_new(&config), KVL_OK);
    MUST_SAY(kvl_options_new(&options), KVL_OK);
    while (at < size) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t len = end == NULL ? size - at : (size_t)(end - (data + at));
        char line[LONGEST], *name = line, *value;

        if (len >= LONGEST)
            break;
        memcpy(line, data + at, len);
        line[len] = '\0';
        at += len + 1;
        value = strchr(line, '=');
        if ((uint8_t)line[0] < 32 && len >= 1) {
            name = names[((uint8_t)line[0] * 8u + (uint8_t)line[len > 1 ? 1 : 0]) % (unsigned)count];
            if (len > 10 && line[2] == '#') {
                is_rejected |= !set_number(config, name, (const uint8_t *)line + 3, line[1] & 1);
                continue;
            }
            value = line + (len > 2 ? 2 : len);
        } else if (value == NULL) {
            value = line + len;
        } else {
            *value++ = '\0';
        }
        is_rejected |= !set(config, name, value);
        options_are_rejected |= sane(kvl_options_set(options, name, value)) != KVL_OK;
        MUST(options_are_rejected == (kvl_options_problem(options) != NULL));
    }
    create_cache(config, is_rejected);
    kvl_options_free(options);
    kvl_config_free(config);
    return 0;
}
