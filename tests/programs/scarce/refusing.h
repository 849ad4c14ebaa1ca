/* Replaces the allocator of the program and of the library, and refuses large allocations when a test demands it. */
#ifndef KVL_TESTS_REFUSING_H
#define KVL_TESTS_REFUSING_H

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>

/* The library's header promises a status, and no abort, if an allocation of this size or more is refused. */
enum { LARGE = 128 * 1024, ALL = -1 };

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

/* The smallest allocation that counts as large, in bytes. */
static size_t least = LARGE;
/* The large allocation that is refused, counted from 0; ALL: every one. */
static int refused_one;
static atomic_int is_scarce, requested, refused;

static int refuses(size_t size)
{
    if (!is_scarce || size < least)
        return 0;
    int nth = requested++;
    if (refused_one != ALL && nth != refused_one)
        return 0;
    refused++;
    errno = ENOMEM;
    return 1;
}

/* These functions replace those of libc for the library too. */
void *malloc(size_t size)
{
    return refuses(size) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return refuses(count * size) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return refuses(size) ? NULL : __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return refuses(size) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (refuses(size))
        return ENOMEM;
    *out = __libc_memalign(alignment, size);
    return *out == NULL ? ENOMEM : 0;
}

static void begin_scarcity(void)
{
    is_scarce = 1;
}

static void end_scarcity(void)
{
    is_scarce = 0;
}

#endif
