/* The scenarios in C, the model of those in all languages: `scenarios thread`, `scenarios poll` or `scenarios next`. Prints TAP. */
#include "host.h"

static int failures; /* failed checks of the current scenario */

static void check_at(int holds, const char *what, int line)
{
    if (!holds) {
        failures++;
        printf("# line %d: check failed: %s\n", line, what);
    }
}
#define CHECK(what) check_at(!!(what), #what, __LINE__)

static kvl_slice_t slice(const char *text)
{
    kvl_slice_t key;
    key.data = (const uint8_t *)text;
    key.len = strlen(text);
    return key;
}

/* Fetches, and waits for the delivery to the inbox. */
static void fetch_into(struct host *host, const char *key, struct inbox *inbox)
{
    inbox_init(inbox, host);
    CHECK(host_fetch(host, key, NULL, NULL, inbox, NULL) == KVL_PENDING);
    host_await(host, &inbox->freed, 1);
    CHECK(inbox->results == 1);
}

static void hit(enum mode mode)
{
    struct host host;
    struct inbox first, second;
    kvl_value_t *value = NULL;

    CHECK(host_start(&host, mode, ""));
    fetch_into(&host, "a", &first);
    CHECK(first.answers[0].status == KVL_VALUE && is_text(&first.answers[0], "value of a"));
    CHECK(first.answers[0].source == KVL_SOURCE_PROVIDER);
    inbox_init(&second, &host);
    CHECK(host_fetch(&host, "a", NULL, NULL, &second, &value) == KVL_VALUE);
    CHECK(second.freed == 1 && second.results == 0); /* answered by the call: no event, and the call freed the user data */
    CHECK(value != NULL && memcmp(kvl_value_data(value, NULL), "value of a", 10) == 0);
    CHECK(host_read(&host, &host.requests) == 1);
    kvl_value_release(value);
    inbox_clear(&first);
    CHECK(host_stop(&host) == 0);
}

static void null_hit(enum mode mode)
{
    struct host host;
    struct inbox inbox;
    kvl_value_t *value = NULL;

    CHECK(host_start(&host, mode, ""));
    fetch_into(&host, "null", &inbox);
    CHECK(inbox.answers[0].status == KVL_NULL);
    inbox_clear(&inbox);
    inbox_init(&inbox, &host);
    CHECK(host_fetch(&host, "null", NULL, NULL, &inbox, &value) == KVL_NULL);
    CHECK(value == NULL && host_read(&host, &host.requests) == 1);
    CHECK(host_stop(&host) == 0);
}

static void miss(enum mode mode)
{
    struct host host;
    struct inbox inbox;
    kvl_value_t *value = NULL;
    kvl_options_t *options = NULL;

    CHECK(host_start(&host, mode, ""));
    CHECK(kvl_cache_get(host.cache, (const uint8_t *)"a", 1, &value) == KVL_MISS && value == NULL);
    CHECK(kvl_options_new(&options) == KVL_OK && kvl_options_set(options, "read", "cache_only") == KVL_OK);
    inbox_init(&inbox, &host);
    CHECK(host_fetch(&host, "a", options, NULL, &inbox, NULL) == KVL_PENDING);
    host_await(&host, &inbox.freed, 1);
    CHECK(inbox.answers[0].status == KVL_MISS && host_read(&host, &host.requests) == 0);
    kvl_options_free(options);
    fetch_into(&host, "a", &inbox);
    CHECK(inbox.answers[0].status == KVL_VALUE && host_read(&host, &host.requests) == 1);
    inbox_clear(&inbox);
    CHECK(host_stop(&host) == 0);
}

static void batch_with_duplicates(enum mode mode)
{
    static const char *const wanted[] = {"a", "b", "a", "c", "b"};
    struct host host;
    struct inbox inbox;
    kvl_slice_t keys[5];
    size_t i;

    CHECK(host_start(&host, mode, ""));
    for (i = 0; i < 5; i++)
        keys[i] = slice(wanted[i]);
    inbox_init(&inbox, &host);
    CHECK(host_fetch_all(&host, keys, 5, &inbox) == KVL_PENDING);
    host_await(&host, &inbox.freed, 1);
    CHECK(inbox.batches == 1 && kvl_results_len(inbox.batch) == 5 && kvl_results_status(inbox.batch) == KVL_OK);
    for (i = 0; i < kvl_results_len(inbox.batch); i++) {
        const kvl_result_t *result = kvl_results_at(inbox.batch, i);
        CHECK(result->status == KVL_VALUE && result->data_len == 10 && result->data[9] == (uint8_t)wanted[i][0]);
    }
    CHECK(host_read(&host, &host.keys) == 3 && host_read(&host, &host.requests) == 1);
    inbox_clear(&inbox);
    CHECK(host_stop(&host) == 0);
}

static void one_failing_key(enum mode mode)
{
    struct host host;
    struct inbox inbox;
    kvl_slice_t keys[3];

    CHECK(host_start(&host, mode, ""));
    keys[0] = slice("a");
    keys[1] = slice("bad");
    keys[2] = slice("c");
    inbox_init(&inbox, &host);
    CHECK(host_fetch_all(&host, keys, 3, &inbox) == KVL_PENDING);
    host_await(&host, &inbox.freed, 1);
    CHECK(kvl_results_count(inbox.batch, KVL_COUNT_VALUES) == 2 && kvl_results_count(inbox.batch, KVL_COUNT_FAILED) == 1);
    CHECK(kvl_results_at(inbox.batch, 1)->status == KVL_ERR_PROVIDER);
    CHECK(kvl_results_error_len(inbox.batch) == 1);
    CHECK(kvl_error_code(kvl_results_error_at(inbox.batch, 0)) == 42);
    CHECK(strcmp(kvl_error_message(kvl_results_error_at(inbox.batch, 0)), "no such shelf") == 0);
    inbox_clear(&inbox);
    CHECK(host_stop(&host) == 0);
}

static void retry_then_success(enum mode mode)
{
    struct host host;
    struct inbox inbox;

    CHECK(host_start(&host, mode, "retry.count=3 retry.fixed_ms=0"));
    fetch_into(&host, "flaky", &inbox);
    CHECK(inbox.answers[0].status == KVL_VALUE && inbox.answers[0].attempts == 3);
    CHECK(host_read(&host, &host.requests) == 3);
    inbox_clear(&inbox);
    CHECK(host_stop(&host) == 0);
}

static void timeout(enum mode mode)
{
    struct host host;
    struct inbox inbox;
    kvl_request_t *held;

    CHECK(host_start(&host, mode, "timeout_ms=1000"));
    inbox_init(&inbox, &host);
    CHECK(host_fetch(&host, "slow", NULL, NULL, &inbox, NULL) == KVL_PENDING);
    held = host_take_held(&host);
    CHECK(kvl_clock_advance(host.clock, 999) == KVL_OK && host_read(&host, &inbox.results) == 0);
    CHECK(kvl_clock_advance(host.clock, 1) == KVL_OK);
    host_await(&host, &inbox.freed, 1);
    CHECK(inbox.answers[0].status == KVL_ERR_TIMEOUT && inbox.results == 1);
    CHECK(kvl_request_is_cancelled(held) == KVL_CANCEL_NO); /* the load continues for the next fetch of its key */
    CHECK(kvl_request_resolve_bytes(held, 0, (const uint8_t *)"late", 4, NULL) == KVL_OK);
    kvl_request_finish(held);
    kvl_request_release(held);
    CHECK(host_stop(&host) == 0);
}

static void cancel(enum mode mode)
{
    struct host host;
    struct inbox leaves, stays;
    kvl_fetch_t *fetch = NULL;
    kvl_request_t *held;

    CHECK(host_start(&host, mode, ""));
    CHECK(kvl_fetch_new(&fetch) == KVL_OK);
    inbox_init(&leaves, &host);
    inbox_init(&stays, &host);
    CHECK(host_fetch(&host, "slow", NULL, fetch, &leaves, NULL) == KVL_PENDING);
    CHECK(host_fetch(&host, "slow", NULL, NULL, &stays, NULL) == KVL_PENDING);
    held = host_take_held(&host);
    CHECK(kvl_fetch_cancel(fetch) == KVL_OK && kvl_fetch_cancel(fetch) == KVL_OK);
    host_await(&host, &leaves.freed, 1);
    CHECK(leaves.answers[0].status == KVL_ERR_CANCELLED && host_read(&host, &stays.results) == 0);
    CHECK(kvl_request_is_cancelled(held) == KVL_CANCEL_NO);
    CHECK(kvl_request_resolve_bytes(held, 0, (const uint8_t *)"late", 4, NULL) == KVL_OK);
    kvl_request_finish(held);
    kvl_request_release(held);
    host_await(&host, &stays.freed, 1);
    CHECK(stays.answers[0].status == KVL_VALUE && is_text(&stays.answers[0], "late") && leaves.results == 1);
    kvl_fetch_release(fetch);
    inbox_clear(&stays);
    CHECK(host_stop(&host) == 0);
}

static void close_while_loading(enum mode mode)
{
    struct host host;
    struct inbox inbox, closing, refused;
    kvl_request_t *held;

    CHECK(host_start(&host, mode, ""));
    inbox_init(&inbox, &host);
    inbox_init(&closing, &host);
    inbox_init(&refused, &host);
    CHECK(host_fetch(&host, "slow", NULL, NULL, &inbox, NULL) == KVL_PENDING);
    held = host_take_held(&host);
    CHECK(host_close(&host, &closing) == KVL_OK);
    host_await(&host, &inbox.freed, 1);
    CHECK(inbox.answers[0].status == KVL_ERR_CLOSED);
    CHECK(host_fetch(&host, "a", NULL, NULL, &refused, NULL) == KVL_ERR_CLOSED && refused.freed == 1);
    host_await(&host, &closing.freed, 1);
    CHECK(closing.closings == 1);
    CHECK(kvl_request_resolve_bytes(held, 0, (const uint8_t *)"late", 4, NULL) != KVL_OK); /* the request rejects answers, but stays valid */
    CHECK(host_stop(&host) == 0);
    kvl_request_finish(held);
    kvl_request_release(held);
}

#define MANY 10000

static void ten_thousand_keys(enum mode mode)
{
    static char names[MANY][12];
    static kvl_slice_t keys[MANY];
    struct host host;
    struct inbox inbox;
    size_t i, good = 0;

    CHECK(host_start(&host, mode, "cache.capacity=20000 batch.max_keys=100"));
    for (i = 0; i < MANY; i++) {
        sprintf(names[i], "k%lu", (unsigned long)i);
        keys[i] = slice(names[i]);
    }
    inbox_init(&inbox, &host);
    CHECK(host_fetch_all(&host, keys, MANY, &inbox) == KVL_PENDING);
    host_await(&host, &inbox.freed, 1);
    for (i = 0; i < kvl_results_len(inbox.batch); i++) {
        const kvl_result_t *result = kvl_results_at(inbox.batch, i);
        good += result->status == KVL_VALUE && result->data_len == 9 + keys[i].len &&
                memcmp(result->data + 9, keys[i].data, keys[i].len) == 0;
    }
    CHECK(good == MANY && host_read(&host, &host.keys) == MANY);
    CHECK(kvl_cache_len(host.cache) == MANY);
    inbox_clear(&inbox);
    CHECK(host_stop(&host) == 0);
}

static void fetch_again(struct inbox *inbox)
{
    struct host *host = inbox->host;
    struct inbox ignored;
    kvl_value_t *value = NULL;

    inbox_init(&ignored, host);
    CHECK(host_fetch(host, "a", NULL, NULL, &ignored, &value) == KVL_VALUE); /* stored before it was delivered */
    kvl_value_release(value);
    CHECK(host_fetch(host, "b", NULL, NULL, inbox->then_data, NULL) == KVL_PENDING);
    CHECK(((struct inbox *)inbox->then_data)->results == 0);
}

static void callback_that_fetches(enum mode mode)
{
    struct host host;
    struct inbox first, second;

    CHECK(host_start(&host, mode, ""));
    inbox_init(&first, &host);
    inbox_init(&second, &host);
    first.then = fetch_again;
    first.then_data = &second;
    CHECK(host_fetch(&host, "a", NULL, NULL, &first, NULL) == KVL_PENDING);
    host_await(&host, &second.freed, 1);
    CHECK(first.results == 1 && is_text(&second.answers[0], "value of b"));
    host_await(&host, &first.freed, 1);
    inbox_clear(&first);
    inbox_clear(&second);
    CHECK(host_stop(&host) == 0);
}

static void object_value(enum mode mode)
{
    struct host host;
    struct inbox inbox, other;

    CHECK(host_start(&host, mode, ""));
    fetch_into(&host, "object1", &inbox);
    CHECK(inbox.answers[0].status == KVL_VALUE && kvl_value_kind(inbox.answers[0].value) == KVL_KIND_OBJECT);
    CHECK(*(struct host **)kvl_value_object(inbox.answers[0].value) == &host);
    CHECK(kvl_cache_remove(host.cache, (const uint8_t *)"object1", 7) == KVL_OK);
    fetch_into(&host, "object2", &other);
    CHECK(host_read(&host, &host.objects_created) == 2 && host_read(&host, &host.objects_freed) == 0); /* the inbox holds the first */
    inbox_clear(&inbox);
    host_await(&host, &host.objects_freed, 1);
    inbox_clear(&other);
    CHECK(host_read(&host, &host.objects_freed) == 1); /* the store holds the second */
    CHECK(host_stop(&host) == 0);
    CHECK(host.objects_freed == 2);
}

static const struct {
    const char *name;
    void (*run)(enum mode mode);
} scenarios[] = {
    {"hit", hit},
    {"null hit", null_hit},
    {"miss", miss},
    {"batch with duplicates", batch_with_duplicates},
    {"one failing key in a batch", one_failing_key},
    {"retry then success", retry_then_success},
    {"timeout", timeout},
    {"cancel", cancel},
    {"close while loading", close_while_loading},
    {"10,000 keys", ten_thousand_keys},
    {"callback that fetches", callback_that_fetches},
    {"object value whose destructor is counted", object_value},
};

int main(int argc, char **argv)
{
    static const char *const modes[] = {"thread", "poll", "next"};
    int mode, n, failed = 0, count = (int)(sizeof scenarios / sizeof *scenarios);

    for (mode = 0; mode < 3 && (argc != 2 || strcmp(argv[1], modes[mode]) != 0); mode++) {
    }
    if (mode == 3) {
        fprintf(stderr, "usage: %s thread|poll|next\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0); /* so that the output is complete even if a scenario hangs */
    printf("1..%d\n", count);
    for (n = 0; n < count; n++) {
        failures = 0;
        scenarios[n].run((enum mode)mode);
        printf("%s %d - %s\n", failures == 0 ? "ok" : "not ok", n + 1, scenarios[n].name);
        failed += failures != 0;
    }
    return failed != 0;
}
