/* The manual clock. */
#include "check.h"

int main(void)
{
    kvl_clock_t *clock = NULL;

    STATUS(kvl_clock_new_manual(1000, &clock), KVL_OK);
    CHECK(kvl_clock_now_ms(clock) == 1000);
    STATUS(kvl_clock_advance(clock, 0), KVL_OK);
    STATUS(kvl_clock_advance(clock, 234), KVL_OK);
    CHECK(kvl_clock_now_ms(clock) == 1234);
    STATUS(kvl_clock_advance(clock, -1), KVL_ERR_INVALID_ARG);
    CHECK(kvl_clock_now_ms(clock) == 1234);
    STATUS(kvl_clock_advance(clock, INT64_MAX), KVL_OK);
    STATUS(kvl_clock_advance(clock, INT64_MAX), KVL_OK);
    CHECK(kvl_clock_now_ms(clock) == INT64_MAX);
    kvl_clock_release(clock);

    STATUS(kvl_clock_new_manual(-1, &clock), KVL_ERR_INVALID_ARG);
    CHECK(clock == NULL);
    STATUS(kvl_clock_new_manual(0, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_clock_advance(NULL, 1), KVL_ERR_NULL_POINTER);
    CHECK(kvl_clock_now_ms(NULL) == 0);
    kvl_clock_release(NULL);
    DONE();
}
