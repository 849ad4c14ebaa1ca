/* Checks for the programs in this folder. CHECK continues after a failure, so that one run shows every failure; DONE prints
 * the number of checks, and returns from main with the exit code. */
#ifndef KVL_TESTS_CHECK_H
#define KVL_TESTS_CHECK_H

#include <kvlight.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* Atomic, because callbacks on other threads check too. */
static atomic_int checks_done, checks_failed;

static int check_at(int holds, const char *what, const char *file, int line)
{
    checks_done++;
    if (!holds) {
        checks_failed++;
        printf("%s:%d: check failed: %s\n", file, line, what);
    }
    return holds;
}

static int check_status_at(kvl_status_t got, kvl_status_t wanted, const char *what, const char *file, int line)
{
    if (!check_at(got == wanted, what, file, line))
        printf("    got %s, expected %s\n", kvl_status_name(got), kvl_status_name(wanted));
    return got == wanted;
}

/* The terms on which an answer is stored. */
#define TERMS(ttl_ms, priority, cost) (&(kvl_terms_t){sizeof(kvl_terms_t), (ttl_ms), (priority), (cost), 0, 0, 0, NULL, 0, NULL, 0})
/* Checks a condition. */
#define CHECK(what) ((void)check_at(!!(what), #what, __FILE__, __LINE__))
/* Checks the status that a call returns. */
#define STATUS(call, wanted) ((void)check_status_at((call), (wanted), #call, __FILE__, __LINE__))
/* Checks that a string has the expected text. */
#define TEXT(got, wanted) CHECK(strcmp((got), (wanted)) == 0)

#define DONE()                                                           \
    do {                                                                 \
        printf("%d checks, %d failed\n", checks_done, checks_failed);    \
        return checks_failed == 0 && checks_done > 0 ? 0 : 1;            \
    } while (0)

#endif
