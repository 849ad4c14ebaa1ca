/* Fuzz target: bytes that a second tier returns for a key are a hit only if they are exactly the entry that was written (rule T13). Any
 * other bytes are a miss, and never an error. */
#define _GNU_SOURCE
#include "machine.h"
#include <string.h>

enum { VALUE = 64, LONGEST = 1024 };

static kvl_queue_t *queue;
static kvl_tasks_t *tasks;
static kvl_cache_t *cache;
static uint8_t written[LONGEST], given[LONGEST];
static size_t written_len, given_len;
static kvl_source_t source;

/* Acts as the provider and the second tier: answers all that is in the queue. */
static void answer(void)
{
    kvl_event_t event;
    const uint8_t *data, *token;
    size_t len, token_len;
    int64_t ttl_ms;

    while (kvl_queue_next(queue, 0, &event, sizeof event) == KVL_OK) {
        if (event.kind == KVL_EVENT_REQUEST) {
            sane(kvl_request_resolve_bytes(event.request, 0, (const uint8_t *)"of the provider", 15, NULL));
            sane(kvl_request_finish(event.request));
        } else if (event.kind == KVL_EVENT_L2) {
            uint32_t kind = kvl_l2_request_kind(event.l2_request);
            if (kind == KVL_L2_READ)
                MUST_SAY(kvl_l2_request_hit(event.l2_request, 0, given, given_len, KVL_L2_TTL_UNKNOWN, NULL, 0), KVL_OK);
            if (kind == KVL_L2_WRITE && written_len == 0) {
                MUST_SAY(kvl_l2_request_entry(event.l2_request, 0, &data, &len, &ttl_ms, &token, &token_len), KVL_OK);
                MUST(len <= LONGEST);
                memcpy(written, data, len);
                written_len = len;
            }
            sane(kvl_l2_request_finish(event.l2_request));
        } else if (event.kind == KVL_EVENT_RESULT) {
            MUST_SAY(event.result->status, KVL_VALUE);
            source = event.result->source;
            MUST(source != KVL_SOURCE_L2 || (event.result->data_len == VALUE && event.result->data[0] == 'v'));
        }
    }
}

static void start(void)
{
    uint8_t value[VALUE];
    kvl_config_t *config = NULL;

    memset(value, 'v', sizeof value);
    MUST_SAY(kvl_queue_new(0, &queue), KVL_OK);
    MUST_SAY(kvl_config_new(&config), KVL_OK);
    MUST_SAY(kvl_config_set_provider(config, NULL, NULL, NULL), KVL_OK);
    MUST_SAY(kvl_config_set_l2(config, 0, NULL, NULL, NULL), KVL_OK);
    MUST_SAY(kvl_config_set_queue(config, queue, KVL_QUEUE_F_ALL | KVL_QUEUE_F_L2), KVL_OK);
    MUST_SAY(kvl_config_set_int(config, "l2.timeout_ms", -1), KVL_OK);
    MUST_SAY(kvl_tasks_new(config, &tasks, NULL), KVL_OK);
    kvl_config_free(config);
    MUST_SAY(kvl_tasks_cache(tasks, &cache), KVL_OK);
    MUST_SAY(kvl_cache_put_bytes(cache, (const uint8_t *)"k", 1, value, sizeof value, NULL), KVL_OK);
    while (written_len == 0)
        answer();
}

/* The first byte selects what the tier gives: the bytes after it, or the entry with some bytes changed, cut off or added. */
static void choose(struct bytes *bytes)
{
    uint8_t kind = next_of(bytes) % 4;

    given_len = 0;
    if (kind == 0) {
        while (bytes->at < bytes->end && given_len < LONGEST)
            given[given_len++] = next_of(bytes);
        return;
    }
    memcpy(given, written, written_len);
    given_len = written_len;
    for (uint8_t changes = kind == 1 ? next_of(bytes) % 8 : 0; changes > 0; changes--) {
        size_t at = next_of(bytes) % given_len;
        given[at] ^= next_of(bytes);
    }
    if (kind == 2)
        given_len = next_of(bytes) % (written_len + 1);
    for (uint8_t more = kind == 3 ? next_of(bytes) : 0; more > 0; more--)
        given[given_len++] = next_of(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes bytes = { data, data + size };

    if (tasks == NULL)
        start();
    choose(&bytes);
    MUST_SAY(kvl_tasks_invalidate(tasks, NULL, 0, KVL_INVALIDATE_F_ALL), KVL_OK);
    source = 0;
    MUST_SAY(kvl_tasks_fetch(tasks, (const uint8_t *)"k", 1, NULL, NULL, NULL, NULL, NULL, NULL), KVL_PENDING);
    while (source == 0)
        answer();
    bool is_as_written = given_len == written_len && memcmp(given, written, written_len) == 0;
    MUST(source == (is_as_written ? KVL_SOURCE_L2 : KVL_SOURCE_PROVIDER));
    return 0;
}
