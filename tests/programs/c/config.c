/* Configurations and options: settings by name, and functions with their user data. */
#include "check.h"

static int freed;

static void count_free(void *user_data)
{
    CHECK(user_data == &freed);
    freed++;
}

/* A function that frees user data can use the configuration that calls it. */
static kvl_config_t *reentered;

static void count_free_and_use_config(void *user_data)
{
    count_free(user_data);
    STATUS(kvl_config_set_int(reentered, "cache.capacity", 7), KVL_OK);
}

static void provide(void *user_data, kvl_request_t *request)
{
    (void)user_data;
    (void)request;
}

static uint32_t validate(void *user_data, const uint8_t *key, size_t key_len)
{
    (void)user_data;
    (void)key;
    return key_len > 0;
}

static uint64_t cost(void *user_data, const uint8_t *key, size_t key_len, kvl_value_t *value)
{
    (void)user_data;
    (void)key;
    (void)key_len;
    return kvl_value_cost(value);
}

static void removed(void *user_data, const kvl_result_t *entry, kvl_cause_t cause)
{
    (void)user_data;
    (void)entry;
    (void)cause;
}

static void record_lookup(void *user_data, kvl_status_t record, const uint8_t *key, size_t key_len)
{
    (void)user_data;
    (void)record;
    (void)key;
    (void)key_len;
}

static void progress(void *user_data, size_t done, size_t failed, size_t total)
{
    (void)user_data;
    (void)done;
    (void)failed;
    (void)total;
}

static void check_setting(const kvl_config_t *config, const char *key, const char *wanted)
{
    kvl_value_t *text = NULL;
    size_t len = 0;
    const uint8_t *data;

    STATUS(kvl_config_get(config, key, &text), KVL_OK);
    data = kvl_value_data(text, &len);
    CHECK(len == strlen(wanted) && memcmp(data, wanted, len) == 0);
    kvl_value_release(text);
}

static void settings_can_be_set_and_read(void)
{
    kvl_config_t *config = NULL;
    kvl_value_t *text = kvl_value_null();

    STATUS(kvl_config_new(&config), KVL_OK);
    check_setting(config, "cache.capacity", "1024");
    STATUS(kvl_config_set(config, "cache.capacity", "10000"), KVL_OK);
    check_setting(config, "cache.capacity", "10000");
    STATUS(kvl_config_set_int(config, "cache.ttl_ms", 5000), KVL_OK);
    check_setting(config, "cache.ttl_ms", "5000");
    STATUS(kvl_config_set_real(config, "queue.share", 0.25), KVL_OK);
    check_setting(config, "queue.share", "0.25");
    STATUS(kvl_config_set(config, "queue.order", "fifo"), KVL_OK);
    check_setting(config, "queue.order", "fifo");
    CHECK(kvl_config_problem(config) == NULL);
    STATUS(kvl_config_get(config, "no.such", &text), KVL_ERR_UNKNOWN_KEY);
    CHECK(text == NULL);
    kvl_config_free(config);
}

static void the_first_invalid_setting_is_reported(void)
{
    kvl_config_t *config = NULL;
    const char *problem;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set(config, "cache.capasity", "1"), KVL_ERR_UNKNOWN_KEY);
    problem = kvl_config_problem(config);
    CHECK(problem != NULL && strstr(problem, "\"cache.capacity\"") != NULL);
    STATUS(kvl_config_set_int(config, "tasks.max_running", 0), KVL_ERR_BAD_VALUE);
    STATUS(kvl_config_set_real(config, "retry.jitter", 1.5), KVL_ERR_BAD_VALUE);
    STATUS(kvl_config_set(config, "cache.timer", "\xff"), KVL_ERR_BAD_VALUE);
    CHECK(kvl_config_problem(config) == problem);
    CHECK(strstr(problem, "\"cache.capacity\"") != NULL);
    kvl_config_free(config);
}

static void user_data_is_freed_with_the_configuration(void)
{
    kvl_config_t *config = NULL;

    freed = 0;
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide, &freed, count_free), KVL_OK);
    STATUS(kvl_config_set_validator(config, validate, &freed, count_free), KVL_OK);
    STATUS(kvl_config_set_cost(config, cost, &freed, count_free), KVL_OK);
    STATUS(kvl_config_set_removal_listener(config, removed, &freed, count_free), KVL_OK);
    STATUS(kvl_config_set_record_listener(config, record_lookup, &freed, count_free), KVL_OK);
    CHECK(freed == 0);
    kvl_config_free(config);
    CHECK(freed == 5);
}

static void user_data_is_freed_when_it_is_replaced(void)
{
    kvl_config_t *config = NULL;

    freed = 0;
    STATUS(kvl_config_new(&config), KVL_OK);
    reentered = config;
    STATUS(kvl_config_set_provider(config, provide, &freed, count_free_and_use_config), KVL_OK);
    STATUS(kvl_config_set_provider(config, NULL, &freed, count_free), KVL_OK);
    CHECK(freed == 1);
    check_setting(config, "cache.capacity", "7");
    STATUS(kvl_config_set_validator(config, validate, &freed, count_free), KVL_OK);
    STATUS(kvl_config_set_validator(config, NULL, NULL, NULL), KVL_OK);
    CHECK(freed == 2);
    STATUS(kvl_config_set_validator(NULL, validate, &freed, count_free), KVL_ERR_NULL_POINTER);
    CHECK(freed == 3);
    kvl_config_free(config);
    CHECK(freed == 4);
}

static void a_clock_can_be_released_before_the_configuration(void)
{
    kvl_config_t *config = NULL;
    kvl_clock_t *clock = NULL;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_clock_new_manual(0, &clock), KVL_OK);
    STATUS(kvl_config_set_clock(config, clock), KVL_OK);
    kvl_clock_release(clock);
    STATUS(kvl_config_set_clock(config, NULL), KVL_OK);
    kvl_config_free(config);
}

static void options_accept_only_settings_of_a_fetch(void)
{
    kvl_options_t *options = NULL;
    const char *problem;

    STATUS(kvl_options_new(&options), KVL_OK);
    STATUS(kvl_options_set_int(options, "timeout_ms", 250), KVL_OK);
    STATUS(kvl_options_set(options, "read", "cache_only"), KVL_OK);
    STATUS(kvl_options_set_real(options, "priority", 2.5), KVL_OK);
    STATUS(kvl_options_set_progress(options, progress, 10), KVL_OK);
    STATUS(kvl_options_set_progress(options, progress, 0), KVL_ERR_INVALID_ARG);
    CHECK(kvl_options_problem(options) == NULL);
    STATUS(kvl_options_set_int(options, "cache.capacity", 1), KVL_ERR_UNKNOWN_KEY);
    problem = kvl_options_problem(options);
    CHECK(problem != NULL && strstr(problem, "cache.capacity") != NULL);
    kvl_options_free(options);
    kvl_options_free(NULL);
}

static void all_settings_are_listed(void)
{
    const char *keys = kvl_config_keys_json();

    CHECK(keys[0] == '[' && keys[strlen(keys) - 1] == ']');
    CHECK(strstr(keys, "\"cache.capacity\"") != NULL);
    CHECK(strstr(keys, "\"per_fetch\":true") != NULL);
    CHECK(keys == kvl_config_keys_json());
}

static void l09b_numbers_as_text_have_one_form(void)
{
    static const char *const wrong[] = {"+5", " 5", "5 ", "5\n", ""};
    kvl_config_t *config = NULL;
    size_t i;

    STATUS(kvl_config_new(&config), KVL_OK);
    for (i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        STATUS(kvl_config_set(config, "cache.capacity", wrong[i]), KVL_ERR_BAD_VALUE);
        STATUS(kvl_config_set(config, "queue.share", wrong[i]), KVL_ERR_BAD_VALUE);
    }
    STATUS(kvl_config_set_int(config, "cache.idle_ttl_ms", 0), KVL_ERR_BAD_VALUE);
    STATUS(kvl_config_set(config, "cache.idle_ttl_ms", "-1"), KVL_OK);
    kvl_config_free(config);
}

int main(void)
{
    l09b_numbers_as_text_have_one_form();
    settings_can_be_set_and_read();
    the_first_invalid_setting_is_reported();
    user_data_is_freed_with_the_configuration();
    user_data_is_freed_when_it_is_replaced();
    a_clock_can_be_released_before_the_configuration();
    options_accept_only_settings_of_a_fetch();
    all_settings_are_listed();
    DONE();
}
