/* Traces: sequences of keys, to compare which keys caches keep. A trace depends only on its name (or file), the number of keys and the
 * capacity, so it is the same for every subject and in every run.
 *
 *   zipf-0.7 ... zipf-1.1   drawn by Zipf's law with this exponent
 *   scan                    zipf-0.9, and from time to time a scan of keys that are not used again
 *   loop                    a quarter more keys than fit, in order, repeatedly
 *   shift                   zipf-0.9, with slowly changing popularity
 *   a path, with a / in it  (./trace.txt) a file with one key per line
 */
#ifndef BENCH_TRACES_H
#define BENCH_TRACES_H

#include "common.h"

struct trace {
    uint64_t *keys;
    size_t len;
};

/* Returns the rank, from 0 to `keys` - 1, that a random number selects; `sums` are the running sums of the ranks' weights. */
static size_t rank_of(const double *sums, size_t keys, uint64_t random)
{
    size_t low = 0, high = keys - 1;
    double at = (double)(random >> 11) / 9007199254740992.0 * sums[keys - 1];
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (sums[middle] < at)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct trace trace_of_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (!file)
        DIE("no trace %s", path);
    struct trace trace = {NULL, 0};
    size_t room = 0;
    uint64_t key = 0;
    int is_line = 0;
    for (int c; (c = getc(file)) != EOF || is_line;) {
        if (c != '\n' && c != EOF) {
            key = mixed(key ^ (uint64_t)c);
            is_line = 1;
            continue;
        }
        if (is_line && trace.len == room) {
            room = room ? 2 * room : 1 << 16;
            trace.keys = realloc(trace.keys, room * sizeof *trace.keys);
            if (!trace.keys)
                DIE("out of memory");
        }
        if (is_line)
            trace.keys[trace.len++] = key;
        key = is_line = 0;
        if (c == EOF)
            break;
    }
    fclose(file);
    if (trace.len == 0)
        DIE("%s has no keys", path);
    return trace;
}

/* Creates a trace. `room`: the capacity of the caches. */
static struct trace trace_make(const char *name, size_t keys, size_t room)
{
    enum { LOOKUPS_PER_KEY = 20, PERIOD = 10000 };
    if (strchr(name, '/'))
        return trace_of_file(name);
    struct trace trace = {NULL, LOOKUPS_PER_KEY * keys};
    double *sums = malloc(keys * sizeof *sums), sum = 0;
    trace.keys = malloc(trace.len * sizeof *trace.keys);
    if (!sums || !trace.keys)
        DIE("out of memory");
    int scans = strcmp(name, "scan") == 0, shifts = strcmp(name, "shift") == 0, loops = strcmp(name, "loop") == 0;
    double exponent = scans || shifts || loops ? 0.9 : strncmp(name, "zipf-", 5) == 0 ? atof(name + 5) : 0;
    if (exponent <= 0)
        DIE("unknown trace %s", name);
    for (size_t i = 0; i < keys; i++)
        sums[i] = sum += 1 / pow((double)(i + 1), exponent);
    size_t scanned = 0;
    for (size_t i = 0; i < trace.len; i++) {
        if (loops)
            trace.keys[i] = i % (room + room / 4);
        else if (scans && i % (5 * PERIOD) < PERIOD)
            trace.keys[i] = (uint64_t)1 << 40 | scanned++;
        else
            /* Mixed, so that popularity is independent of the order of the numbers. */
            trace.keys[i] = mixed(rank_of(sums, keys, mixed(i ^ 0x5bd1e995u)) + (shifts ? i / PERIOD * (keys / 1000) : 0)) >> 24;
    }
    free(sums);
    return trace;
}

#endif
