/* The soak test: every entry of the matrix, then many engines created and freed in turn. Each entry is one check, and the many engines are
 * one more. The last line counts the checks.
 *
 *     soak KEYS [SEED] [WORD...]     KEYS for each entry; only entries whose names contain every WORD
 */
#include "soak.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const mode_names[MODES] = {"poll", "next", "wake"};
const char *const fault_names[FAULTS] = {"storm", "close", "fails", "hangs", "twice", "eight", "slow", "outage"};

atomic_int failures;
static int passed, failed;

bool check_at(bool holds, const char *what, long long number, const char *file, int line)
{
    /* Only the first few failures are printed. */
    if (!holds && atomic_fetch_add(&failures, 1) < 20)
        printf("%s:%d: check failed: %s (%lld)\n", file, line, what, number);
    return holds;
}

bool check_status_at(kvl_status_t got, kvl_status_t wanted, const char *what, const char *file, int line)
{
    if (got != wanted && atomic_fetch_add(&failures, 1) < 20)
        printf("%s:%d: returned %s instead of %s: %s\n", file, line, kvl_status_name(got), kvl_status_name(wanted), what);
    return got == wanted;
}

/* SplitMix64, Steele, Lea and Flood 2014. */
uint64_t random_of(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void report(bool ok, const char *form, ...)
{
    va_list words;

    *(ok ? &passed : &failed) += 1;
    printf(ok ? "ok " : "not ok ");
    va_start(words, form);
    vprintf(form, words);
    va_end(words);
    printf("\n");
    fflush(stdout);
}

/* The number of threads once it has stayed the same for a while: the system lists a joined thread for a moment. */
static int settled_threads(void)
{
    int threads = count_threads(), same = 0;

    while (same < 50) {
        int now;

        pause_for_us(1000);
        now = count_threads();
        same = now == threads ? same + 1 : 0;
        threads = now;
    }
    return threads;
}

/* Spreads the modes over the routes. */
static enum mode mode_for(uint32_t routes, int turn)
{
    return (enum mode)((routes + (uint32_t)turn) % MODES);
}

/* "results+removals by poll": what is routed to a queue, and how the queue is read. */
static const char *name_of(uint32_t routes, enum mode mode, char *text, size_t size)
{
    snprintf(text, size, "%s%s%s%s%s%s%s", routes & KVL_QUEUE_F_RESULTS ? "results" : "", (routes & 3) == 3 ? "+" : "",
             routes & KVL_QUEUE_F_PROVIDER ? "provider" : "", routes & 4 && routes & 3 ? "+" : "",
             routes & KVL_QUEUE_F_REMOVALS ? "removals" : "", routes ? " by " : "threads", routes ? mode_names[mode] : "");
    return text;
}

/* Creates and frees many engines, over all routes in turn. The last ones must take no more threads, descriptors or memory than the first. */
static void engines_in_turn(int engines, uint64_t seed)
{
    enum { WARM = 2 * ROUTES };
    int i, threads = 0, descriptors = 0, before = atomic_load(&failures);
    size_t memory = 0, now;

    for (i = 0; i < WARM + engines; i++) {
        uint32_t routes = (uint32_t)(i % ROUTES);
        run_entry(routes, mode_for(routes, i / ROUTES), 1, (enum fault)(i / ROUTES % FAULTS), 100, seed + (uint64_t)i);
        if (i == WARM - 1) {
            threads = settled_threads();
            descriptors = count_descriptors();
            memory = bytes_in_use();
        }
    }
    now = bytes_in_use();
    check_at(threads_come_to(threads), "as many threads as before", count_threads(), __FILE__, __LINE__);
    check_at(count_descriptors() == descriptors, "as many descriptors as before", count_descriptors(), __FILE__, __LINE__);
    /* 8 KiB for the C library's own blocks. A leak of a few bytes for each engine would exceed them. */
    check_at(now <= memory + 8192, "as much memory as before", (long long)(now - memory), __FILE__, __LINE__);
    report(atomic_load(&failures) == before, "%d engines created and freed: %d threads, %d descriptors, %lld bytes more", engines,
           count_threads() - threads, count_descriptors() - descriptors, (long long)now - (long long)memory);
}

static bool is_selected(const char *name, int words, char **word)
{
    int i;

    for (i = 0; i < words; i++)
        if (strstr(name, word[i]) == NULL)
            return false;
    return true;
}

int main(int count, char **word)
{
    unsigned long long keys = count > 1 ? strtoull(word[1], NULL, 10) : 1000;
    uint64_t seed = count > 2 ? strtoull(word[2], NULL, 10) : 1;
    int submitters, fault, words = count > 3 ? count - 3 : 0;
    uint32_t routes;
    char routes_text[64], name[128];

    printf("%llu keys per entry, seed %llu\n", keys, (unsigned long long)seed);
    for (fault = 0; fault < FAULTS; fault++)
        for (routes = 0; routes < ROUTES; routes++)
            for (submitters = 1; submitters <= 4; submitters += 3) {
                enum mode mode = mode_for(routes, fault + submitters);
                snprintf(name, sizeof name, "%s, %s, %d submitter%s", fault_names[fault], name_of(routes, mode, routes_text, sizeof routes_text), submitters,
                         submitters == 1 ? "" : "s");
                if (is_selected(name, words, word + 3))
                    report(run_entry(routes, mode, submitters, (enum fault)fault, keys, seed++), "%s", name);
            }
    /* In one entry, chance decides whether a slow request is repeated, an entry is refreshed ahead, or a request waits for
     * the rate limit. Over all entries, each of these happens. */
    if (words == 0 && keys >= 20000) {
        report(atomic_load(&outage_counts.hedges) > 0, "%llu slow requests were repeated", atomic_load(&outage_counts.hedges));
        report(atomic_load(&outage_counts.refreshes) > 0, "%llu entries were refreshed ahead", atomic_load(&outage_counts.refreshes));
        report(atomic_load(&outage_counts.rate_waits) > 0, "%llu requests waited for the rate limit", atomic_load(&outage_counts.rate_waits));
    }
    if (is_selected("engines", words, word + 3))
        engines_in_turn(keys < 1000 ? 56 : 1000, seed);
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}
