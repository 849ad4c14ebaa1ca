/* An outage of the source behind the cache (rules R01 to R05, R12). */
#define _POSIX_C_SOURCE 200809L
#include "engine.h"
#include <stdatomic.h>

/* The state of the provider. */
struct source {
    atomic_int calls;
    atomic_int is_down;
    _Atomic uint32_t flags; /* of its errors */
    _Atomic(const kvl_terms_t *) terms; /* of every answer; NULL: a key that begins with "n" leaves no fallback */
};

static void provide_from(void *user_data, kvl_request_t *request)
{
    struct source *source = user_data;
    const kvl_terms_t *stated = source->terms;
    kvl_terms_t terms = KVL_TERMS_INIT;
    kvl_status_t status;
    size_t i;

    source->calls++;
    for (i = 0; i < kvl_request_len(request); i++) {
        const kvl_slice_t *key = &kvl_request_keys(request)[i];
        if (source->is_down) {
            /* A load continues after its fetch, so the engine may be closing. */
            status = kvl_request_fail_text(request, i, 503, "down", source->flags);
            CHECK(status == KVL_OK || status == KVL_ERR_CLOSED);
            continue;
        }
        terms.stale_ttl_ms = key->data[0] == 'n' ? KVL_STALE_NEVER : 0;
        status = kvl_request_resolve_bytes(request, i, key->data, key->len, stated ? stated : &terms);
        CHECK(status == KVL_OK || status == KVL_ERR_CLOSED);
    }
}

static kvl_config_t *config_of(struct source *source, kvl_clock_t **clock)
{
    kvl_config_t *config = NULL;

    STATUS(kvl_clock_new_manual(0, clock), KVL_OK);
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_clock(config, *clock), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide_from, source, NULL), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.ttl_ms", 1000), KVL_OK);
    STATUS(kvl_config_set_int(config, "stale.ttl_ms", 60000), KVL_OK);
    return config;
}

static kvl_tasks_t *engine_of(kvl_config_t *config)
{
    kvl_tasks_t *tasks = NULL;

    STATUS(kvl_tasks_new(config, &tasks, NULL), KVL_OK);
    kvl_config_free(config);
    return tasks;
}

/* The outcome of a fetch. */
struct outcome {
    kvl_status_t status;
    kvl_source_t source;
    uint32_t flags;
    int64_t age_ms, code;
    char text[16];
};

static struct outcome fetch_with(kvl_tasks_t *tasks, const char *key, const kvl_options_t *options)
{
    struct outcome outcome;
    kvl_slice_t slice;
    kvl_results_t *results = NULL;
    const kvl_result_t *result;

    memset(&outcome, 0, sizeof outcome);
    slice.data = (const uint8_t *)key;
    slice.len = strlen(key);
    STATUS(kvl_tasks_fetch_all_wait(tasks, &slice, 1, options, NULL, &results), KVL_OK);
    result = kvl_results_at(results, 0);
    outcome.status = result->status;
    outcome.source = result->source;
    outcome.flags = result->flags & KVL_F_STALE;
    outcome.age_ms = result->age_ms;
    outcome.code = result->error ? kvl_error_code(result->error) : 0;
    if (result->data)
        memcpy(outcome.text, result->data, result->data_len);
    CHECK(kvl_results_count(results, KVL_COUNT_STALE) == (outcome.flags != 0));
    CHECK(kvl_results_error_len(results) == (outcome.status < 0));
    kvl_results_release(results);
    return outcome;
}

static struct outcome fetch(kvl_tasks_t *tasks, const char *key) { return fetch_with(tasks, key, NULL); }

static void r02_a_stale_value_is_delivered_with_the_error_of_the_load(void)
{
    struct source source = { 0, 0, 0, NULL };
    kvl_clock_t *clock = NULL;
    kvl_tasks_t *tasks = engine_of(config_of(&source, &clock));
    kvl_value_t *value = NULL;
    struct outcome outcome;
    kvl_stats_t stats;

    CHECK(fetch(tasks, "k").status == KVL_VALUE && fetch(tasks, "never").status == KVL_VALUE);
    STATUS(kvl_clock_advance(clock, 1500), KVL_OK);
    source.is_down = 1;
    outcome = fetch(tasks, "k");
    CHECK(outcome.status == KVL_VALUE && outcome.flags && outcome.source == KVL_SOURCE_STALE);
    CHECK(outcome.age_ms == 1500 && outcome.code == 503 && strcmp(outcome.text, "k") == 0);
    CHECK(fetch(tasks, "never").status == KVL_ERR_PROVIDER);

    /* The key is throttled for a second, in which the provider is not called. */
    source.calls = 0;
    CHECK(fetch(tasks, "k").flags && source.calls == 0);
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("k"), NULL, NULL, &value, NULL), KVL_VALUE);
    kvl_value_release(value);
    STATUS(kvl_clock_advance(clock, 1000), KVL_OK);
    CHECK(fetch(tasks, "k").flags && source.calls == 1);
    STATUS(kvl_tasks_stats(tasks, &stats, sizeof stats), KVL_OK);
    CHECK(stats.stale_error == 2 && stats.stale_throttled == 2 && stats.misses_throttled == 2 && stats.hits == 0);

    /* An error that forbids the fallback also removes the entry. */
    source.flags = KVL_ERROR_F_NO_STALE | KVL_ERROR_F_PERMANENT;
    STATUS(kvl_clock_advance(clock, 1000), KVL_OK);
    CHECK(fetch(tasks, "k").status == KVL_ERR_PROVIDER);
    source.flags = 0;
    CHECK(fetch(tasks, "k").status == KVL_ERR_PROVIDER);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    kvl_clock_release(clock);
}

static void r01_a_lookup_misses_a_stale_entry(void)
{
    struct source source = { 0, 0, 0, NULL };
    kvl_clock_t *clock = NULL;
    kvl_tasks_t *tasks = engine_of(config_of(&source, &clock));
    kvl_cache_t *cache = NULL;
    kvl_value_t *value = NULL;

    CHECK(fetch(tasks, "k").status == KVL_VALUE);
    STATUS(kvl_tasks_cache(tasks, &cache), KVL_OK);
    STATUS(kvl_clock_advance(clock, 1000), KVL_OK);
    STATUS(kvl_cache_get(cache, KEY("k"), &value), KVL_MISS);
    STATUS(kvl_cache_take(cache, KEY("none"), &value), KVL_MISS);
    CHECK(kvl_cache_len(cache) == 1);
    STATUS(kvl_clock_advance(clock, 60000), KVL_OK);
    CHECK(kvl_cache_len(cache) == 0);
    kvl_cache_release(cache);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    kvl_clock_release(clock);
}

static void r04_a_fetch_with_no_time_to_wait_gets_the_stale_value(void)
{
    struct source source = { 0, 0, 0, NULL };
    kvl_clock_t *clock = NULL;
    kvl_config_t *config = config_of(&source, &clock);
    kvl_tasks_t *tasks;
    struct outcome outcome;

    STATUS(kvl_config_set_int(config, "stale.timeout_ms", 0), KVL_OK);
    tasks = engine_of(config);
    CHECK(fetch(tasks, "k").status == KVL_VALUE);
    STATUS(kvl_clock_advance(clock, 1000), KVL_OK);
    source.is_down = 1;
    outcome = fetch(tasks, "k");
    CHECK(outcome.status == KVL_VALUE && outcome.flags && outcome.code == 0);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    kvl_clock_release(clock);
}

static void r04_a_fetch_states_for_itself_how_long_it_waits(void)
{
    struct source source = { 0, 0, 0, NULL };
    kvl_clock_t *clock = NULL;
    kvl_tasks_t *tasks = engine_of(config_of(&source, &clock));
    kvl_options_t *at_once = NULL;
    struct outcome outcome;

    STATUS(kvl_options_new(&at_once), KVL_OK);
    STATUS(kvl_options_set_int(at_once, "stale.timeout_ms", 0), KVL_OK);
    CHECK(fetch(tasks, "k").status == KVL_VALUE);
    STATUS(kvl_clock_advance(clock, 1000), KVL_OK);
    source.is_down = 1;
    outcome = fetch_with(tasks, "k", at_once);
    CHECK(outcome.status == KVL_VALUE && outcome.flags && outcome.code == 0);
    /* Another fetch waits for the load. */
    outcome = fetch(tasks, "k");
    CHECK(outcome.status == KVL_VALUE && outcome.flags && outcome.code == 503);
    kvl_options_free(at_once);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    kvl_clock_release(clock);
}

static void ignore_result(void *user_data, const kvl_result_t *result) { (void)user_data, (void)result; }
static void ignore_results(void *user_data, kvl_results_t *results) { (void)user_data, (void)results; }

/* Checks that every call refuses these options, with a message that contains `words`. */
static void check_refused(kvl_tasks_t *tasks, const kvl_options_t *options, const char *words)
{
    kvl_slice_t key = SLICE("k");
    kvl_value_t *value = NULL;
    kvl_results_t *results = NULL;
    kvl_error_t *error = NULL;

    STATUS(kvl_tasks_fetch(tasks, KEY("k"), options, NULL, ignore_result, NULL, NULL, NULL), KVL_ERR_BAD_VALUE);
    STATUS(kvl_tasks_fetch_each(tasks, &key, 1, options, NULL, ignore_result, NULL, NULL), KVL_ERR_BAD_VALUE);
    STATUS(kvl_tasks_fetch_all(tasks, &key, 1, options, NULL, ignore_results, NULL, NULL, NULL), KVL_ERR_BAD_VALUE);
    STATUS(kvl_tasks_fetch_all_wait(tasks, &key, 1, options, NULL, &results), KVL_ERR_BAD_VALUE);
    STATUS(kvl_tasks_refresh(tasks, &key, 1, options), KVL_ERR_BAD_VALUE);
    STATUS(kvl_tasks_fetch_wait(tasks, KEY("k"), options, NULL, &value, &error), KVL_ERR_BAD_VALUE);
    CHECK(value == NULL && results == NULL);
    CHECK(strstr(kvl_error_message(error), words) != NULL);
    CHECK(strstr(kvl_options_problem(options), words) != NULL);
    kvl_error_release(error);
}

static void l09b_r04_each_call_refuses_a_soft_timeout_that_is_of_no_use(void)
{
    struct source source = { 0, 0, 0, NULL };
    kvl_clock_t *clock = NULL;
    kvl_config_t *config = config_of(&source, &clock);
    kvl_options_t *options = NULL;
    kvl_tasks_t *tasks, *impatient;

    tasks = engine_of(config);
    kvl_clock_release(clock);
    config = config_of(&source, &clock);
    STATUS(kvl_config_set_int(config, "timeout_ms", 10), KVL_OK);
    STATUS(kvl_config_set_int(config, "stale.timeout_ms", 5), KVL_OK);
    impatient = engine_of(config);

    /* Options that contradict each other are a problem before any call. */
    STATUS(kvl_options_new(&options), KVL_OK);
    STATUS(kvl_options_set_int(options, "stale.timeout_ms", 10), KVL_OK);
    CHECK(kvl_options_problem(options) == NULL);
    STATUS(kvl_options_set_int(options, "timeout_ms", 10), KVL_OK);
    CHECK(strstr(kvl_options_problem(options), "before it receives the fallback") != NULL);
    STATUS(kvl_options_set_int(options, "timeout_ms", 11), KVL_OK);
    CHECK(kvl_options_problem(options) == NULL);
    kvl_options_free(options);

    STATUS(kvl_options_new(&options), KVL_OK);
    STATUS(kvl_options_set_int(options, "stale.timeout_ms", 10), KVL_OK);
    check_refused(impatient, options, "before it receives the fallback");
    CHECK(source.calls == 0);
    CHECK(fetch_with(tasks, "k", options).status == KVL_VALUE); /* this engine has no timeout */
    STATUS(kvl_options_set_int(options, "timeout_ms", 10), KVL_OK);
    check_refused(tasks, options, "before it receives the fallback");
    STATUS(kvl_options_set_int(options, "timeout_ms", 11), KVL_OK);
    CHECK(fetch_with(tasks, "k", options).status == KVL_VALUE);
    STATUS(kvl_options_set(options, "read", "cache_only"), KVL_OK);
    check_refused(tasks, options, "nothing is loaded");
    STATUS(kvl_options_set(options, "read", "no_store"), KVL_OK);
    CHECK(fetch_with(tasks, "k", options).status == KVL_VALUE);
    STATUS(kvl_options_set_int(options, "stale.timeout_ms", 0), KVL_OK);
    check_refused(tasks, options, "it is not stored");
    kvl_options_free(options);

    /* A setting that only the configuration states yields to the options of the call. */
    STATUS(kvl_options_new(&options), KVL_OK);
    STATUS(kvl_options_set_int(options, "timeout_ms", 3), KVL_OK);
    CHECK(fetch_with(impatient, "k", options).status == KVL_VALUE);
    STATUS(kvl_options_set(options, "read", "cache_only"), KVL_OK);
    CHECK(fetch_with(impatient, "none", options).status == KVL_MISS);
    CHECK(kvl_options_problem(options) == NULL);
    kvl_options_free(options);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    STATUS(kvl_tasks_free(impatient), KVL_OK);
    kvl_clock_release(clock);
}

static void r04_options_that_may_be_combined_mean_what_the_manual_says(void)
{
    struct source source = { 0, 0, 0, NULL };
    kvl_terms_t terms = KVL_TERMS_INIT;
    kvl_clock_t *clock = NULL;
    kvl_tasks_t *tasks = engine_of(config_of(&source, &clock));
    kvl_cache_t *cache = NULL;
    kvl_value_t *value = NULL;
    kvl_options_t *options = NULL;
    kvl_slice_t key = SLICE("k");

    STATUS(kvl_tasks_cache(tasks, &cache), KVL_OK);
    CHECK(fetch(tasks, "k").status == KVL_VALUE);
    source.is_down = 1;

    /* A refresh loads in any case; a fresh entry is no fallback, and it stays. */
    STATUS(kvl_options_new(&options), KVL_OK);
    STATUS(kvl_options_set_int(options, "stale.timeout_ms", 0), KVL_OK);
    STATUS(kvl_options_set(options, "read", "refresh"), KVL_OK);
    CHECK(fetch_with(tasks, "k", options).status == KVL_ERR_PROVIDER);
    STATUS(kvl_cache_get(cache, KEY("k"), &value), KVL_VALUE);
    kvl_value_release(value);
    STATUS(kvl_clock_advance(clock, 1000), KVL_OK);
    CHECK(fetch_with(tasks, "k", options).flags != 0); /* an expired entry is a fallback */
    kvl_options_free(options);

    /* Options for loading have no effect where nothing is loaded. An expired entry is a miss. */
    STATUS(kvl_options_new(&options), KVL_OK);
    STATUS(kvl_options_set(options, "read", "cache_only"), KVL_OK);
    STATUS(kvl_options_set_int(options, "retry.count", 3), KVL_OK);
    STATUS(kvl_options_set_int(options, "urgency", 3), KVL_OK);
    STATUS(kvl_options_set(options, "load.on_timeout", "cancel"), KVL_OK);
    CHECK(fetch_with(tasks, "k", options).status == KVL_MISS);
    STATUS(kvl_tasks_refresh(tasks, &key, 1, options), KVL_ERR_INVALID_ARG);
    kvl_options_free(options);

    /* An answer that is not stored ignores its terms, and leaves no fallback. */
    terms.ttl_ms = 5000, terms.stale_ttl_ms = 5000, terms.priority = 3;
    source.is_down = 0;
    source.terms = &terms;
    STATUS(kvl_options_new(&options), KVL_OK);
    STATUS(kvl_options_set(options, "read", "no_store"), KVL_OK);
    CHECK(fetch_with(tasks, "other", options).source == KVL_SOURCE_PROVIDER);
    STATUS(kvl_cache_get(cache, KEY("other"), &value), KVL_MISS);
    source.is_down = 1;
    CHECK(fetch_with(tasks, "other", options).status == KVL_ERR_PROVIDER);
    kvl_options_free(options);
    kvl_cache_release(cache);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    kvl_clock_release(clock);
}

static void r01_r02_an_answer_is_never_lost_because_of_its_terms(void)
{
    kvl_slice_t tag = SLICE("tag");
    kvl_terms_t terms = KVL_TERMS_INIT;
    struct source source = { 0, 0, 0, NULL };
    kvl_clock_t *clock = NULL;
    kvl_config_t *config = config_of(&source, &clock);
    kvl_cache_t *cache = NULL;
    kvl_tasks_t *tasks;

    STATUS(kvl_config_set_int(config, "stale.ttl_ms", 0), KVL_OK);
    tasks = engine_of(config);
    STATUS(kvl_tasks_cache(tasks, &cache), KVL_OK);
    source.terms = &terms;

    /* An entry with a grace of its own and no TTL: the grace begins when the entry is expired. */
    terms.ttl_ms = KVL_TTL_NEVER;
    terms.stale_ttl_ms = 5000;
    CHECK(fetch(tasks, "k").status == KVL_VALUE);
    STATUS(kvl_clock_advance(clock, 1000000), KVL_OK);
    CHECK(fetch(tasks, "k").source == KVL_SOURCE_STORE);
    STATUS(kvl_cache_expire(cache, KEY("k")), KVL_OK);
    source.is_down = 1;
    CHECK(fetch(tasks, "k").flags != 0);

    /* An answer with a TTL of 0, whatever its other terms, is delivered and not stored. The older entry does not stay as a fallback. */
    source.is_down = 0;
    STATUS(kvl_clock_advance(clock, 1000), KVL_OK);
    CHECK(kvl_cache_len(cache) == 1);
    terms.ttl_ms = 0;
    terms.priority = 2;
    terms.cost = 7;
    terms.version = tag.data, terms.version_len = tag.len;
    terms.tags = &tag, terms.tags_len = 1;
    CHECK(fetch(tasks, "k").source == KVL_SOURCE_PROVIDER);
    CHECK(kvl_cache_len(cache) == 0);
    source.is_down = 1;
    CHECK(fetch(tasks, "k").status == KVL_ERR_PROVIDER);

    kvl_cache_release(cache);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    kvl_clock_release(clock);
}

static void r12_an_expired_key_is_reloaded_and_keeps_its_value_as_a_fallback(void)
{
    struct source source = { 0, 0, 0, NULL };
    kvl_clock_t *clock = NULL;
    kvl_tasks_t *tasks = engine_of(config_of(&source, &clock));
    kvl_cache_t *cache = NULL;

    CHECK(fetch(tasks, "k").status == KVL_VALUE);
    STATUS(kvl_tasks_cache(tasks, &cache), KVL_OK);
    STATUS(kvl_cache_expire(cache, KEY("k")), KVL_OK);
    STATUS(kvl_cache_expire(cache, KEY("k")), KVL_MISS);
    source.is_down = 1;
    CHECK(fetch(tasks, "k").flags);
    source.is_down = 0;
    STATUS(kvl_clock_advance(clock, 1000), KVL_OK);
    CHECK(fetch(tasks, "k").source == KVL_SOURCE_PROVIDER);
    kvl_cache_release(cache);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    kvl_clock_release(clock);
}

static void r01_a_stale_ttl_without_a_ttl_is_rejected_with_a_message(void)
{
    struct source source = { 0, 0, 0, NULL };
    kvl_clock_t *clock = NULL;
    kvl_config_t *config = config_of(&source, &clock);
    kvl_tasks_t *tasks = NULL;
    kvl_error_t *error = NULL;

    STATUS(kvl_config_set_int(config, "cache.ttl_ms", -1), KVL_OK);
    STATUS(kvl_tasks_new(config, &tasks, &error), KVL_ERR_BAD_VALUE);
    CHECK(tasks == NULL && strstr(kvl_error_message(error), "cache.ttl_ms") != NULL);
    kvl_error_release(error);
    kvl_config_free(config);
    kvl_clock_release(clock);
}

static void wait_for_refreshes(kvl_tasks_t *tasks, uint64_t refreshes)
{
    kvl_stats_t stats;

    do
        STATUS(kvl_tasks_stats(tasks, &stats, sizeof stats), KVL_OK);
    while (stats.refreshes_succeeded < refreshes);
    CHECK(stats.refreshes_started == refreshes && stats.misses_started == 1);
}

static void r05_an_entry_in_use_is_refreshed_before_it_expires(void)
{
    struct source source = { 0, 0, 0, NULL };
    kvl_clock_t *clock = NULL;
    kvl_config_t *config = config_of(&source, &clock);
    kvl_tasks_t *tasks;
    kvl_cache_t *cache = NULL;
    kvl_value_t *value = NULL;
    char bytes[4];
    size_t len;

    STATUS(kvl_config_set_real(config, "refresh.after", 0.8), KVL_OK);
    tasks = engine_of(config);
    STATUS(kvl_tasks_cache(tasks, &cache), KVL_OK);
    CHECK(fetch(tasks, "k").source == KVL_SOURCE_PROVIDER);
    STATUS(kvl_clock_advance(clock, 800), KVL_OK);
    CHECK(fetch(tasks, "k").source == KVL_SOURCE_STORE);
    wait_for_refreshes(tasks, 1);
    STATUS(kvl_clock_advance(clock, 800), KVL_OK);
    STATUS(kvl_cache_get(cache, KEY("k"), &value), KVL_VALUE);
    kvl_value_release(value);
    wait_for_refreshes(tasks, 2);
    STATUS(kvl_clock_advance(clock, 800), KVL_OK);
    STATUS(kvl_cache_get_into(cache, KEY("k"), (uint8_t *)bytes, sizeof bytes, &len), KVL_VALUE);
    wait_for_refreshes(tasks, 3);
    STATUS(kvl_clock_advance(clock, 800), KVL_OK);
    STATUS(kvl_cache_contains(cache, KEY("k")), KVL_VALUE);
    STATUS(kvl_clock_advance(clock, 200), KVL_OK);
    STATUS(kvl_cache_contains(cache, KEY("k")), KVL_MISS);
    kvl_cache_release(cache);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    kvl_clock_release(clock);
}

int main(void)
{
    r05_an_entry_in_use_is_refreshed_before_it_expires();
    r02_a_stale_value_is_delivered_with_the_error_of_the_load();
    r01_a_lookup_misses_a_stale_entry();
    r04_a_fetch_with_no_time_to_wait_gets_the_stale_value();
    r04_a_fetch_states_for_itself_how_long_it_waits();
    l09b_r04_each_call_refuses_a_soft_timeout_that_is_of_no_use();
    r04_options_that_may_be_combined_mean_what_the_manual_says();
    r01_r02_an_answer_is_never_lost_because_of_its_terms();
    r12_an_expired_key_is_reloaded_and_keeps_its_value_as_a_fallback();
    r01_a_stale_ttl_without_a_ttl_is_rejected_with_a_message();
    DONE();
}
