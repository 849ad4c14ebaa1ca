/* The manual clock. */
#define _POSIX_C_SOURCE 200809L
#include "engine.h"

/* An advance by `by` beyond the end of the range returns, and the clock stays at the end. `span` is the length of each TTL, timeout and pause. */
static void l09a_a_clock_saturates_at_the_end_of_its_range(int64_t start, int64_t span, int64_t by)
{
    struct fixture fixture;
    struct recorder recorder;
    kvl_config_t *config = fixture_init(&fixture);
    kvl_options_t *options = NULL;
    kvl_cache_t *cache = NULL;
    kvl_request_t *request;
    const int64_t end_of_time = start > INT64_MAX - by ? INT64_MAX : start + by;
    int i;

    kvl_clock_release(fixture.clock);
    STATUS(kvl_clock_new_manual(start, &fixture.clock), KVL_OK);
    STATUS(kvl_config_set_clock(config, fixture.clock), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.ttl_ms", span), KVL_OK);
    STATUS(kvl_config_set_int(config, "attempt_timeout_ms", span), KVL_OK);
    create_engine(&fixture, config);
    STATUS(kvl_tasks_cache(fixture.tasks, &cache), KVL_OK);
    STATUS(kvl_options_new(&options), KVL_OK);
    STATUS(kvl_options_set_int(options, "timeout_ms", span), KVL_OK);
    STATUS(kvl_options_set_int(options, "retry.count", -1), KVL_OK);
    STATUS(kvl_options_set_int(options, "retry.fixed_ms", span), KVL_OK);
    fetch_recorded(&recorder, &fixture, "hold", options, NULL);
    request = next_request(&fixture);
    kvl_options_free(options);
    for (i = 0; i < 3; i++) {
        STATUS(kvl_cache_put_bytes(cache, KEY("entry"), KEY("v"), NULL), KVL_OK);
        STATUS(kvl_clock_advance(fixture.clock, by), KVL_OK);
        if (i == 0)
            CHECK(kvl_clock_now_ms(fixture.clock) == end_of_time);
    }
    kvl_request_release(request);
    kvl_cache_release(cache);
    free_engine(&fixture);
    CHECK(recorder.freed == 1);
    recorder_release(&recorder);
}

int main(void)
{
    static const int64_t starts[] = { 0, 1000000, INT64_MAX / 2, INT64_MAX - 10, INT64_MAX };
    static const int64_t spans[] = { 1, 1000, INT64_MAX / 1000000, INT64_MAX / 2, INT64_MAX };
    /* In ms. The second and the third are just below and above 2^64 nanoseconds. */
    static const int64_t steps[] = { 100, 18446744073709, 18446744073710, INT64_MAX / 2, INT64_MAX };
    size_t i, j, k;
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

    silence_unused_warnings();
    for (i = 0; i < COUNT(starts); i++)
        for (j = 0; j < COUNT(spans); j++)
            for (k = 0; k < COUNT(steps); k++)
                l09a_a_clock_saturates_at_the_end_of_its_range(starts[i], spans[j], steps[k]);
    DONE();
}
