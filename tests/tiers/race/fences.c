/* Linked into the programs that the race detector watches, which knows nothing of fences.
 *
 * The last holder of an `Arc` learns so by a decrement that releases, and acquires by a fence behind it. The library is linked so
 * that its decrements come here (`--wrap`, tests/tiers/shell.sh), and one that releases acquires as well: what the fence does, said in a
 * way that the detector understands. A decrement that releases nothing stays as it is, so a release that is forgotten is seen. */
#include <stdint.h>

enum { RELEASE = 3, ACQUIRE_RELEASE = 4 };

uint64_t __tsan_atomic64_fetch_sub(volatile uint64_t *count, uint64_t by, int order);
uint64_t __wrap___tsan_atomic64_fetch_sub(volatile uint64_t *count, uint64_t by, int order);

uint64_t __wrap___tsan_atomic64_fetch_sub(volatile uint64_t *count, uint64_t by, int order)
{
    return __tsan_atomic64_fetch_sub(count, by, order == RELEASE ? ACQUIRE_RELEASE : order);
}
