/* Linked into programs under the race detector, which does not understand fences.
 *
 * The last owner of an `Arc` detects that by a decrement with release ordering, followed by an acquire fence. The library is linked so
 * that its decrements are replaced by these (`--wrap`, tests/tiers/shell.sh), in which a decrement that releases also acquires, which
 * has the effect of the fence and which the detector understands. Other decrements are unchanged, so a missing release is detected. */
#include <stdint.h>

enum { RELEASE = 3, ACQUIRE_RELEASE = 4 };

uint64_t __tsan_atomic64_fetch_sub(volatile uint64_t *count, uint64_t by, int order);
uint64_t __wrap___tsan_atomic64_fetch_sub(volatile uint64_t *count, uint64_t by, int order);

uint64_t __wrap___tsan_atomic64_fetch_sub(volatile uint64_t *count, uint64_t by, int order)
{
    return __tsan_atomic64_fetch_sub(count, by, order == RELEASE ? ACQUIRE_RELEASE : order);
}
