/* Lookups that return an object without a reference (rules S12, S16). */
#include "check.h"

#define KEY(text) (const uint8_t *)(text), strlen(text)

static int answers;
static int freed;

static void note_free(void *object)
{
    (void)object;
    freed++;
}

/* Answers each key with an object, but "bytes" with bytes and "null" with null. */
static void provide(void *user_data, kvl_request_t *request)
{
    const kvl_slice_t *keys = kvl_request_keys(request);

    for (size_t i = 0; i < kvl_request_len(request); i++) {
        kvl_value_t *value = NULL;
        answers++;
        if (keys[i].len == 5)
            STATUS(kvl_value_new_bytes(KEY("text"), &value), KVL_OK);
        else if (keys[i].len == 4)
            value = kvl_value_null();
        else
            STATUS(kvl_value_new_object(user_data, 0, note_free, &value), KVL_OK);
        STATUS(kvl_request_resolve(request, i, value, NULL), KVL_OK);
        kvl_value_release(value);
    }
    kvl_request_finish(request); /* its status is not checked: after the last answer the engine may be freed */
}

static uint32_t is_not_bad(void *user_data, const uint8_t *key, size_t len)
{
    (void)user_data;
    return len != 3 || memcmp(key, "bad", 3) != 0;
}

static kvl_tasks_t *engine_of(void *object, kvl_validate_fn validator)
{
    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide, object, NULL), KVL_OK);
    STATUS(kvl_config_set_validator(config, validator, NULL, NULL), KVL_OK);
    STATUS(kvl_tasks_new(config, &tasks, NULL), KVL_OK);
    kvl_config_free(config);
    return tasks;
}

static void load(kvl_tasks_t *tasks, const char *key)
{
    kvl_value_t *value = NULL;
    kvl_tasks_fetch_wait(tasks, KEY(key), NULL, NULL, &value, NULL);
    kvl_value_release(value);
}

/* With a validator the lookups take the slower paths. */
static void s12_lookups_return_objects_without_a_reference(kvl_validate_fn validator)
{
    int mark = 0;
    void *object = NULL;
    kvl_value_t *value = (kvl_value_t *)&mark;
    kvl_tasks_t *tasks = engine_of(&mark, validator);
    kvl_cache_t *cache = NULL;
    kvl_stats_t stats;

    freed = answers = 0;
    STATUS(kvl_tasks_cache(tasks, &cache), KVL_OK);
    STATUS(kvl_cache_get_object(cache, KEY("object"), &object, &value), KVL_MISS);
    CHECK(object == NULL && value == NULL);
    STATUS(kvl_tasks_get_object(tasks, KEY("object"), &object, &value), KVL_MISS);
    load(tasks, "object");
    load(tasks, "bytes");
    load(tasks, "null");
    CHECK(answers == 3);
    STATUS(kvl_tasks_stats(tasks, &stats, sizeof stats), KVL_OK);
    CHECK(stats.misses == 4 && stats.hits == 0); /* kvl_tasks_get_object() counts no miss: the fetch that follows does */

    STATUS(kvl_cache_get_object(cache, KEY("object"), &object, &value), KVL_VALUE);
    CHECK(object == &mark && value == NULL);
    object = NULL;
    STATUS(kvl_tasks_get_object(tasks, KEY("object"), &object, NULL), KVL_VALUE);
    CHECK(object == &mark);

    object = NULL;
    STATUS(kvl_cache_get_object(cache, KEY("bytes"), &object, &value), KVL_VALUE);
    CHECK(object == NULL && value != NULL && kvl_value_object(value) == NULL);
    kvl_value_release(value);
    STATUS(kvl_tasks_get_object(tasks, KEY("bytes"), &object, &value), KVL_VALUE);
    CHECK(object == NULL && value != NULL);
    kvl_value_release(value);
    value = (kvl_value_t *)&mark;
    STATUS(kvl_cache_get_object(cache, KEY("bytes"), &object, NULL), KVL_ERR_WRONG_KIND);
    STATUS(kvl_tasks_get_object(tasks, KEY("bytes"), &object, NULL), KVL_ERR_WRONG_KIND);

    STATUS(kvl_cache_get_object(cache, KEY("null"), &object, &value), KVL_NULL);
    CHECK(object == NULL && value == NULL);
    STATUS(kvl_tasks_get_object(tasks, KEY("null"), &object, &value), KVL_NULL);
    CHECK(object == NULL && value == NULL);
    if (validator) {
        STATUS(kvl_cache_get_object(cache, KEY("bad"), &object, &value), KVL_INVALID_KEY);
        STATUS(kvl_tasks_get_object(tasks, KEY("bad"), &object, &value), KVL_INVALID_KEY);
    }
    STATUS(kvl_tasks_stats(tasks, &stats, sizeof stats), KVL_OK);
    CHECK(stats.misses == 4 && stats.hits == 6 && stats.null_hits == 2 && stats.invalid_keys == (validator ? 2 : 0));

    /* No lookup has kept a reference, so the removal ends the value. Its destructor runs on the dispatcher, which kvl_tasks_free() joins. */
    CHECK(freed == 0);
    STATUS(kvl_cache_remove(cache, KEY("object")), KVL_OK);
    STATUS(kvl_cache_get_object(cache, KEY("object"), &object, &value), KVL_MISS);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    CHECK(freed == 1);
    STATUS(kvl_cache_get_object(cache, KEY("object"), &object, &value), KVL_ERR_CLOSED);
    kvl_cache_release(cache);
}

static void l09_lookups_of_objects_refuse_wrong_arguments(void)
{
    int mark = 0;
    void *object = &mark;
    kvl_value_t *value = (kvl_value_t *)&mark;
    kvl_tasks_t *tasks = engine_of(&mark, NULL);
    kvl_cache_t *cache = NULL;

    STATUS(kvl_tasks_cache(tasks, &cache), KVL_OK);
    STATUS(kvl_cache_get_object(NULL, KEY("k"), &object, &value), KVL_ERR_NULL_POINTER);
    CHECK(object == &mark && value == NULL);
    value = (kvl_value_t *)&mark;
    STATUS(kvl_tasks_get_object(NULL, KEY("k"), &object, &value), KVL_ERR_NULL_POINTER);
    CHECK(object == &mark && value == NULL);
    STATUS(kvl_cache_get_object(cache, NULL, 1, &object, &value), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_get_object(tasks, NULL, 1, &object, &value), KVL_ERR_NULL_POINTER);
    STATUS(kvl_cache_get_object(cache, KEY("k"), NULL, &value), KVL_ERR_NULL_POINTER);
    STATUS(kvl_tasks_get_object(tasks, KEY("k"), NULL, &value), KVL_ERR_NULL_POINTER);
    STATUS(kvl_cache_get_object(cache, KEY("k"), &object, &value), KVL_MISS);
    STATUS(kvl_cache_get_object(cache, (const uint8_t *)"k", KVL_KEY_MAX + 1, &object, &value), KVL_ERR_KEY_TOO_LONG);
    STATUS(kvl_tasks_get_object(tasks, (const uint8_t *)"k", KVL_KEY_MAX + 1, &object, &value), KVL_ERR_KEY_TOO_LONG);
    STATUS(kvl_tasks_close(tasks, KVL_CLOSE_CANCEL, 0, NULL, NULL, NULL), KVL_OK);
    STATUS(kvl_tasks_get_object(tasks, KEY("k"), &object, &value), KVL_ERR_CLOSED);
    STATUS(kvl_tasks_get(tasks, KEY("k"), &value), KVL_ERR_CLOSED);
    CHECK(object == &mark);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    kvl_cache_release(cache);
}

static void l02_the_length_of_a_queue_is_the_number_of_events_that_wait(void)
{
    enum { OBJECTS = 5 };
    kvl_queue_t *queue = NULL;
    kvl_value_t *values[OBJECTS];
    kvl_event_t event;
    int objects[OBJECTS];

    STATUS(kvl_queue_new(0, &queue), KVL_OK);
    for (int i = 0; i < OBJECTS; i++)
        STATUS(kvl_value_new_object_on(queue, &objects[i], 1, NULL, &values[i]), KVL_OK);
    CHECK(kvl_queue_len(queue) == 0);
    kvl_value_release_many(values, OBJECTS);
    CHECK(kvl_queue_len(queue) == OBJECTS);
    STATUS(kvl_queue_wake(queue), KVL_OK); /* is no event */
    for (size_t left = OBJECTS; left-- > 0;) {
        STATUS(kvl_queue_next(queue, 0, &event, sizeof event), KVL_OK);
        CHECK(event.kind == KVL_EVENT_DROP && kvl_queue_len(queue) == left);
    }
    STATUS(kvl_queue_next(queue, 0, &event, sizeof event), KVL_EMPTY);
    CHECK(kvl_queue_len(queue) == 0 && kvl_queue_len(NULL) == 0);
    STATUS(kvl_queue_free(queue), KVL_OK);
}

int main(void)
{
    l02_the_length_of_a_queue_is_the_number_of_events_that_wait();
    s12_lookups_return_objects_without_a_reference(NULL);
    s12_lookups_return_objects_without_a_reference(is_not_bad);
    l09_lookups_of_objects_refuse_wrong_arguments();
    DONE();
}
