/* Puts with terms, conditional puts, and touches (rules S06, S17). */
#include "check.h"

#define KEY(text) (const uint8_t *)(text), strlen(text)

struct fixture {
    kvl_clock_t *clock;
    kvl_cache_t *cache;
};

static struct fixture fixture_of(int64_t idle_ttl_ms)
{
    struct fixture fixture = {0};
    kvl_config_t *config = NULL;

    STATUS(kvl_clock_new_manual(0, &fixture.clock), KVL_OK);
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_clock(config, fixture.clock), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.ttl_ms", 1000), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.idle_ttl_ms", idle_ttl_ms), KVL_OK);
    STATUS(kvl_cache_new(config, &fixture.cache, NULL), KVL_OK);
    kvl_config_free(config);
    return fixture;
}

static void fixture_end(struct fixture fixture)
{
    kvl_cache_release(fixture.cache);
    kvl_clock_release(fixture.clock);
}

static int64_t ttl_left(struct fixture fixture, const char *key)
{
    int64_t left = -99;
    kvl_value_t *value = NULL;
    kvl_cache_peek(fixture.cache, KEY(key), &value, &left, NULL);
    kvl_value_release(value);
    return left;
}

static int holds(struct fixture fixture, const char *key, const char *text)
{
    char buffer[32];
    size_t len = 0;
    kvl_status_t status = kvl_cache_get_into(fixture.cache, KEY(key), (uint8_t *)buffer, sizeof buffer, &len);
    return status == KVL_VALUE && len == strlen(text) && memcmp(buffer, text, len) == 0;
}

static kvl_status_t put_with(struct fixture fixture, const char *key, const char *text, int64_t ttl_ms, uint32_t flags)
{
    kvl_terms_t terms = KVL_TERMS_INIT;
    terms.ttl_ms = ttl_ms;
    terms.flags = flags;
    return kvl_cache_put_bytes(fixture.cache, KEY(key), KEY(text), &terms);
}

static void s06_terms_override_the_configuration(void)
{
    struct fixture fixture = fixture_of(-1);
    kvl_terms_t terms = KVL_TERMS_INIT;

    STATUS(kvl_cache_put_bytes(fixture.cache, KEY("k"), KEY("v"), &terms), KVL_OK);
    CHECK(ttl_left(fixture, "k") == 1000);
    terms.ttl_ms = 20;
    STATUS(kvl_cache_put_bytes(fixture.cache, KEY("k"), KEY("v"), &terms), KVL_OK);
    CHECK(ttl_left(fixture, "k") == 20);
    STATUS(kvl_cache_put_bytes(fixture.cache, KEY("k"), KEY("v"), NULL), KVL_OK);
    CHECK(ttl_left(fixture, "k") == 1000);
    terms.struct_size = offsetof(kvl_terms_t, stale_ttl_ms) - 1; /* smaller than the struct of any version */
    STATUS(kvl_cache_put_bytes(fixture.cache, KEY("k"), KEY("w"), &terms), KVL_ERR_BAD_VALUE);
    STATUS(put_with(fixture, "k", "w", -3, 0), KVL_ERR_BAD_VALUE);
    STATUS(put_with(fixture, "k", "w", 5, 8), KVL_ERR_BAD_VALUE);
    STATUS(put_with(fixture, "k", "w", 5, KVL_PUT_F_IF_ABSENT | KVL_PUT_F_IF_PRESENT), KVL_ERR_BAD_VALUE);
    CHECK(holds(fixture, "k", "v"));
    fixture_end(fixture);
}

static void s17_a_put_can_keep_the_expiry_of_the_replaced_entry(void)
{
    struct fixture fixture = fixture_of(-1);

    STATUS(put_with(fixture, "k", "1", 50, KVL_PUT_F_KEEP_TTL), KVL_OK); /* no entry: the stated TTL applies */
    CHECK(ttl_left(fixture, "k") == 50);
    STATUS(kvl_clock_advance(fixture.clock, 20), KVL_OK);
    STATUS(put_with(fixture, "k", "2", 5000, KVL_PUT_F_KEEP_TTL), KVL_OK);
    CHECK(ttl_left(fixture, "k") == 30 && holds(fixture, "k", "2"));
    STATUS(put_with(fixture, "k", "3", 0, KVL_PUT_F_KEEP_TTL), KVL_OK); /* the key has an entry, so a TTL of 0 does not apply */
    CHECK(ttl_left(fixture, "k") == 30 && holds(fixture, "k", "3"));
    STATUS(kvl_clock_advance(fixture.clock, 30), KVL_OK);
    STATUS(put_with(fixture, "k", "4", 0, KVL_PUT_F_KEEP_TTL), KVL_REFUSED);
    STATUS(put_with(fixture, "k", "5", KVL_TTL_NEVER, 0), KVL_OK);
    STATUS(put_with(fixture, "k", "6", 10, KVL_PUT_F_KEEP_TTL), KVL_OK);
    CHECK(ttl_left(fixture, "k") == KVL_TTL_NEVER);
    fixture_end(fixture);
}

static void s17_a_put_can_require_an_entry_or_none(void)
{
    struct fixture fixture = fixture_of(-1);
    kvl_stats_t before, after;

    STATUS(put_with(fixture, "k", "1", 50, KVL_PUT_F_IF_PRESENT), KVL_MISS);
    STATUS(put_with(fixture, "k", "1", 50, KVL_PUT_F_IF_ABSENT), KVL_OK);
    STATUS(kvl_cache_stats(fixture.cache, &before, sizeof before), KVL_OK);
    STATUS(put_with(fixture, "k", "2", 50, KVL_PUT_F_IF_ABSENT), KVL_CONFLICT);
    STATUS(kvl_cache_stats(fixture.cache, &after, sizeof after), KVL_OK);
    CHECK(before.inserts == after.inserts && before.removed_refused == after.removed_refused && before.hits == after.hits);
    CHECK(holds(fixture, "k", "1"));
    STATUS(put_with(fixture, "k", "2", 50, KVL_PUT_F_IF_PRESENT), KVL_OK);
    CHECK(holds(fixture, "k", "2"));
    STATUS(kvl_clock_advance(fixture.clock, 50), KVL_OK);
    STATUS(put_with(fixture, "k", "3", 50, KVL_PUT_F_IF_PRESENT), KVL_MISS);
    STATUS(kvl_cache_put(fixture.cache, KEY("k"), kvl_value_null(), NULL), KVL_OK);
    STATUS(put_with(fixture, "k", "3", 50, KVL_PUT_F_IF_ABSENT), KVL_CONFLICT); /* a null is an entry too */
    STATUS(put_with(fixture, "k", "3", 50, KVL_PUT_F_IF_PRESENT | KVL_PUT_F_KEEP_TTL), KVL_OK);
    CHECK(holds(fixture, "k", "3"));
    fixture_end(fixture);
}

static void s17_compare_put_replaces_only_the_expected_value(void)
{
    struct fixture fixture = fixture_of(-1);
    kvl_value_t *one = NULL, *equal = NULL, *two = NULL;
    kvl_terms_t terms = KVL_TERMS_INIT;

    STATUS(kvl_value_new_bytes(KEY("1"), &one), KVL_OK);
    STATUS(kvl_value_new_bytes(KEY("1"), &equal), KVL_OK); /* the same bytes, but another value */
    STATUS(kvl_value_new_bytes(KEY("2"), &two), KVL_OK);
    STATUS(kvl_cache_compare_put(fixture.cache, KEY("k"), one, two, NULL), KVL_MISS);
    STATUS(kvl_cache_put(fixture.cache, KEY("k"), one, NULL), KVL_OK);
    STATUS(kvl_cache_compare_put(fixture.cache, KEY("k"), equal, two, NULL), KVL_CONFLICT);
    STATUS(kvl_cache_compare_put(fixture.cache, KEY("k"), kvl_value_null(), two, NULL), KVL_CONFLICT);
    STATUS(kvl_cache_compare_put(fixture.cache, KEY("k"), NULL, two, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_cache_compare_put(fixture.cache, KEY("k"), one, NULL, NULL), KVL_ERR_NULL_POINTER);
    terms.flags = KVL_PUT_F_IF_PRESENT;
    STATUS(kvl_cache_compare_put(fixture.cache, KEY("k"), one, two, &terms), KVL_ERR_BAD_VALUE);
    CHECK(holds(fixture, "k", "1"));
    STATUS(kvl_clock_advance(fixture.clock, 100), KVL_OK);
    terms.flags = KVL_PUT_F_KEEP_TTL;
    STATUS(kvl_cache_compare_put(fixture.cache, KEY("k"), one, two, &terms), KVL_OK);
    CHECK(holds(fixture, "k", "2") && ttl_left(fixture, "k") == 900);
    STATUS(kvl_cache_compare_put(fixture.cache, KEY("k"), two, kvl_value_null(), NULL), KVL_OK);
    STATUS(kvl_cache_compare_put(fixture.cache, KEY("k"), kvl_value_null(), one, NULL), KVL_OK);
    CHECK(holds(fixture, "k", "1"));
    terms.ttl_ms = 0;
    terms.flags = 0;
    STATUS(kvl_cache_compare_put(fixture.cache, KEY("k"), one, two, &terms), KVL_REFUSED);
    STATUS(kvl_cache_contains(fixture.cache, KEY("k")), KVL_MISS);
    kvl_value_release(one);
    kvl_value_release(equal);
    kvl_value_release(two);
    fixture_end(fixture);
}

static void s17_a_touch_renews_the_ttl_and_keeps_the_value(void)
{
    struct fixture fixture = fixture_of(-1);
    kvl_value_t *before = NULL, *after = NULL;

    STATUS(kvl_cache_touch(fixture.cache, KEY("k"), 50), KVL_MISS);
    STATUS(kvl_cache_put_bytes(fixture.cache, KEY("k"), KEY("v"), NULL), KVL_OK);
    STATUS(kvl_cache_put(fixture.cache, KEY("n"), kvl_value_null(), NULL), KVL_OK);
    STATUS(kvl_cache_get(fixture.cache, KEY("k"), &before), KVL_VALUE);
    STATUS(kvl_clock_advance(fixture.clock, 999), KVL_OK);
    STATUS(kvl_cache_touch(fixture.cache, KEY("k"), KVL_TTL_DEFAULT), KVL_OK);
    STATUS(kvl_cache_touch(fixture.cache, KEY("n"), KVL_TTL_DEFAULT), KVL_OK);
    CHECK(ttl_left(fixture, "k") == 1000 && ttl_left(fixture, "n") == 60000 /* the default of cache.null_ttl_ms */);
    STATUS(kvl_cache_peek(fixture.cache, KEY("k"), &after, NULL, NULL), KVL_VALUE);
    CHECK(after == before);
    STATUS(kvl_cache_touch(fixture.cache, KEY("k"), KVL_TTL_NEVER), KVL_OK);
    CHECK(ttl_left(fixture, "k") == KVL_TTL_NEVER);
    STATUS(kvl_cache_touch(fixture.cache, KEY("k"), 7), KVL_OK);
    CHECK(ttl_left(fixture, "k") == 7);
    STATUS(kvl_cache_touch(fixture.cache, KEY("k"), 0), KVL_ERR_BAD_VALUE);
    STATUS(kvl_cache_touch(fixture.cache, KEY("k"), -3), KVL_ERR_BAD_VALUE);
    STATUS(kvl_cache_touch(fixture.cache, NULL, 1, 7), KVL_ERR_NULL_POINTER);
    STATUS(kvl_cache_touch(NULL, KEY("k"), 7), KVL_ERR_NULL_POINTER);
    STATUS(kvl_clock_advance(fixture.clock, 7), KVL_OK);
    STATUS(kvl_cache_touch(fixture.cache, KEY("k"), 7), KVL_MISS);
    kvl_value_release(before);
    kvl_value_release(after);
    fixture_end(fixture);
}

static void s17_a_touch_is_a_use(void)
{
    struct fixture fixture = fixture_of(100);

    STATUS(put_with(fixture, "a", "1", KVL_TTL_NEVER, 0), KVL_OK);
    STATUS(put_with(fixture, "b", "2", KVL_TTL_NEVER, 0), KVL_OK);
    STATUS(kvl_clock_advance(fixture.clock, 60), KVL_OK);
    STATUS(kvl_cache_touch(fixture.cache, KEY("a"), KVL_TTL_NEVER), KVL_OK);
    STATUS(kvl_clock_advance(fixture.clock, 60), KVL_OK);
    STATUS(kvl_cache_contains(fixture.cache, KEY("a")), KVL_VALUE);
    STATUS(kvl_cache_contains(fixture.cache, KEY("b")), KVL_MISS);
    STATUS(put_with(fixture, "b", "2", KVL_TTL_NEVER, 0), KVL_OK);
    STATUS(kvl_cache_touch(fixture.cache, KEY("a"), KVL_TTL_NEVER), KVL_OK);
    STATUS(kvl_cache_trim_to(fixture.cache, 1), KVL_OK);
    STATUS(kvl_cache_contains(fixture.cache, KEY("a")), KVL_VALUE); /* b was used less recently */
    fixture_end(fixture);
}

int main(void)
{
    s06_terms_override_the_configuration();
    s17_a_put_can_keep_the_expiry_of_the_replaced_entry();
    s17_a_put_can_require_an_entry_or_none();
    s17_compare_put_replaces_only_the_expected_value();
    s17_a_touch_renews_the_ttl_and_keeps_the_value();
    s17_a_touch_is_a_use();
    DONE();
}
