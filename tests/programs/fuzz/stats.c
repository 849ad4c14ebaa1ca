/* Fuzz target: after any calls, the statistics are well-formed JSON and OpenMetrics text, and add up. */
#define _GNU_SOURCE
#include "machine.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- JSON, RFC 8259, without what the library does not write: \u escapes, true, false and null */

static const char *space(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

static const char *json_value(const char *at, int depth);

static const char *json_string(const char *at)
{
    MUST(*at == '"');
    for (at++; *at != '"'; at++) {
        MUST((unsigned char)*at >= 0x20);
        if (*at == '\\')
            MUST(strchr("\"\\/bfnrt", *++at) != NULL);
    }
    return at + 1;
}

static const char *json_number(const char *at)
{
    char *end;

    MUST(*at == '-' || (*at >= '0' && *at <= '9'));
    MUST(!(at[0] == '0' && at[1] >= '0' && at[1] <= '9'));
    (void)strtod(at, &end);
    MUST(end > at && strcspn(at, "xXnN") >= (size_t)(end - at));
    return end;
}

static const char *json_list(const char *at, char close, int depth)
{
    at = space(at + 1);
    while (*at != close) {
        if (close == '}') {
            at = space(json_string(at));
            MUST(*at == ':');
            at = space(at + 1);
        }
        at = space(json_value(at, depth + 1));
        if (*at == ',') {
            at = space(at + 1);
            MUST(*at != close);
        } else {
            MUST(*at == close);
        }
    }
    return at + 1;
}

static const char *json_value(const char *at, int depth)
{
    MUST(depth < 16);
    switch (*at) {
    case '{': return json_list(at, '}', depth);
    case '[': return json_list(at, ']', depth);
    case '"': return json_string(at);
    default: return json_number(at);
    }
}

/* ---- OpenMetrics 1.0: families with TYPE and HELP, their samples, # EOF */

struct family {
    char name[80], type[16], names[64][80];
    int count;
    double bound, so_far; /* of the last bucket: its bound, and its count */
};

static bool is_name(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_:0123456789");
    return len > 0 && len == strlen(text) && !(text[0] >= '0' && text[0] <= '9');
}

static void read_type(struct family *family, const char *line)
{
    int i;

    MUST(sscanf(line, "# TYPE %79s %15s", family->name, family->type) == 2 && is_name(family->name));
    MUST(strcmp(family->type, "counter") == 0 || strcmp(family->type, "gauge") == 0 || strcmp(family->type, "histogram") == 0);
    for (i = 0; i < family->count; i++)
        MUST(strcmp(family->names[i], family->name) != 0);
    MUST(family->count < 64);
    strcpy(family->names[family->count++], family->name);
    family->bound = -1;
    family->so_far = 0;
}

static void read_sample(struct family *family, const char *line)
{
    char name[80], label[40], text[40], value[40], *end;
    const char *suffix;
    double number, bound;
    int count;

    label[0] = text[0] = '\0';
    count = sscanf(line, "%79[^ {]{%39[^=]=\"%39[^\"]\"} %39s", name, label, text, value);
    if (count == 1)
        count = 3 + sscanf(line, "%79[^ {] %39s", name, value) - 1;
    MUST(count == 4 && is_name(name) && strncmp(name, family->name, strlen(family->name)) == 0);
    number = strtod(value, &end);
    MUST(*end == '\0' && number >= 0);
    suffix = name + strlen(family->name);
    if (strcmp(family->type, "counter") == 0) {
        MUST(strcmp(suffix, "_total") == 0 && (label[0] == '\0' || is_name(label)));
    } else if (strcmp(family->type, "gauge") == 0) {
        MUST(*suffix == '\0' && label[0] == '\0');
    } else if (strcmp(suffix, "_bucket") == 0) {
        MUST(strcmp(label, "le") == 0);
        bound = strcmp(text, "+Inf") == 0 ? (double)__builtin_inf() : strtod(text, &end);
        MUST(bound > family->bound && number >= family->so_far);
        family->bound = bound;
        family->so_far = number;
    } else if (strcmp(suffix, "_count") == 0) {
        MUST(family->bound == (double)__builtin_inf() && number == family->so_far);
    } else {
        MUST(strcmp(suffix, "_sum") == 0);
    }
}

static void check_openmetrics(char *text)
{
    struct family family = {.name = ""};
    char *line, *rest = text;
    bool ended = false;

    MUST(strlen(text) > 0 && text[strlen(text) - 1] == '\n');
    while ((line = strsep(&rest, "\n")) != NULL && !(*line == '\0' && rest == NULL)) {
        MUST(!ended);
        if (strcmp(line, "# EOF") == 0)
            ended = true;
        else if (strncmp(line, "# TYPE ", 7) == 0)
            read_type(&family, line);
        else if (strncmp(line, "# HELP ", 7) == 0)
            MUST(strncmp(line + 7, family.name, strlen(family.name)) == 0 && line[7 + strlen(family.name)] == ' ');
        else
            read_sample(&family, line);
    }
    MUST(ended);
}

/* The bytes of a value, followed by a NUL. Releases the value; the caller frees the text. */
static char *text_of(kvl_value_t *value)
{
    size_t len;
    const uint8_t *data = kvl_value_data(value, &len);
    char *text = malloc(len + 1);

    MUST(text != NULL && memchr(data, 0, len) == NULL);
    memcpy(text, data, len);
    text[len] = '\0';
    kvl_value_release(value);
    return text;
}

static void check_sums(struct machine *machine)
{
    kvl_stats_t stats;

    MUST_SAY(kvl_tasks_stats(machine->tasks, &stats, sizeof stats), KVL_OK);
    MUST(stats.struct_size == sizeof stats);
    MUST(stats.replacements <= stats.inserts);
    MUST(stats.misses == machine->missed + stats.misses_started + stats.misses_joined + stats.misses_cache_only + stats.misses_queue_full +
                             stats.misses_remembered + stats.misses_unasked + stats.misses_unavailable + stats.misses_throttled);
    MUST((int64_t)stats.running <= machine->max_running);
    MUST(stats.queued + stats.deferred <= stats.in_flight);
}

static void check_statistics(struct machine *machine)
{
    kvl_value_t *value = NULL;
    char *text;

    /* The texts are long, so they are checked only about every eighth time. */
    if ((machine->bytes.end - machine->bytes.at) % 8 != 0)
        return;
    check_sums(machine);
    MUST_SAY(kvl_tasks_stats_json(machine->tasks, &value), KVL_OK);
    text = text_of(value);
    MUST(*space(json_value(space(text), 0)) == '\0');
    free(text);
    MUST_SAY(kvl_tasks_stats_openmetrics(machine->tasks, &value), KVL_OK);
    text = text_of(value);
    check_openmetrics(text);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    machine_run(data, size, check_statistics);
    return 0;
}
