/* Linked into programs under the race detector, which does not understand fences.
 *
 * The last owner of an `Arc` learns that it is the last from a decrement with release ordering, and then executes an acquire fence. The
 * library is linked so that its decrements call the function below (`--wrap`, tests/tiers/shell.sh). Here a decrement that releases also
 * acquires. This has the effect of the fence, and the detector understands it. Decrements with other orderings stay as they are, so a
 * missing release is still detected. */
#include <stdint.h>

enum { RELEASE = 3, ACQUIRE_RELEASE = 4 };

uint64_t __tsan_atomic64_fetch_sub(volatile uint64_t *count, uint64_t by, int order);
uint64_t __wrap___tsan_atomic64_fetch_sub(volatile uint64_t *count, uint64_t by, int order);

uint64_t __wrap___tsan_atomic64_fetch_sub(volatile uint64_t *count, uint64_t by, int order)
{
    return __tsan_atomic64_fetch_sub(count, by, order == RELEASE ? ACQUIRE_RELEASE : order);
}
