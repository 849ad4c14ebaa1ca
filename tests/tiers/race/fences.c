/* Linked into programs under the race detector, which does not understand fences.
 *
 * An owner of an `Arc` finds out that it is the last one by a decrement with release ordering, and then executes an acquire fence. The
 * library is linked so that the function below replaces its decrements (`--wrap`, tests/tiers/shell.sh). There a decrement that releases
 * also acquires: that has the effect of the fence, and the detector understands it. Other decrements are unchanged, so a missing release
 * is detected. */
#include <stdint.h>

enum { RELEASE = 3, ACQUIRE_RELEASE = 4 };

uint64_t __tsan_atomic64_fetch_sub(volatile uint64_t *count, uint64_t by, int order);
uint64_t __wrap___tsan_atomic64_fetch_sub(volatile uint64_t *count, uint64_t by, int order);

uint64_t __wrap___tsan_atomic64_fetch_sub(volatile uint64_t *count, uint64_t by, int order)
{
    return __tsan_atomic64_fetch_sub(count, by, order == RELEASE ? ACQUIRE_RELEASE : order);
}
