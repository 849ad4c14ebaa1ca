/* Handles that are released inside the call that uses them: by a hook, a listener, a destructor, or a function that frees user data (rule
 * L04a). Valgrind finds any use after free. */
#include "check.h"
#include <pthread.h>
#include <stdlib.h>

#define KEY(text) (const uint8_t *)(text), strlen(text)

/* The test's references. A function of the program that the library calls releases them all, once. */
struct references {
    kvl_tasks_t *tasks;
    kvl_cache_t *cache;
    kvl_queue_t *queue;
    kvl_request_t *request;
    kvl_reader_t *reader;
    kvl_iterator_t *iterator;
    kvl_fetch_t *fetch;
    kvl_config_t *config;
    kvl_clock_t *clock;
    int times; /* calls of release_all() */
};

static void release_all(void *user_data)
{
    struct references *all = user_data, now = *all;

    *all = (struct references){ .times = now.times + 1 };
    kvl_request_release(now.request);
    kvl_reader_free(now.reader);
    kvl_iterator_free(now.iterator);
    kvl_fetch_release(now.fetch);
    kvl_config_free(now.config);
    kvl_clock_release(now.clock);
    kvl_cache_release(now.cache);
    kvl_tasks_dispose(now.tasks);
    /* The queue holds the engine's last event, which is freed with the queue. */
    if (now.queue != NULL)
        kvl_queue_dispose(now.queue);
}

/* Returns whether release_all() has run exactly once since the last check. */
static int has_run(struct references *all)
{
    int times = all->times;

    all->times = 0;
    return times == 1 && all->tasks == NULL && all->cache == NULL && all->request == NULL && all->reader == NULL;
}

enum { VALIDATOR = 1, COST = 2, RECORD = 4, REMOVAL = 8 };

/* The hook whose next call releases all references; 0: none. */
static uint32_t armed;

static void in_hook(struct references *all, uint32_t hook)
{
    if (armed & hook) {
        armed = 0;
        release_all(all);
    }
}

static uint32_t validate(void *user_data, const uint8_t *key, size_t len)
{
    (void)key;
    (void)len;
    in_hook(user_data, VALIDATOR);
    return 1;
}

static uint64_t cost(void *user_data, const uint8_t *key, size_t len, kvl_value_t *value)
{
    (void)key;
    (void)len;
    in_hook(user_data, COST);
    return kvl_value_kind(value) == KVL_KIND_BYTES ? 3 : 4;
}

static void record(void *user_data, kvl_status_t status, const uint8_t *key, size_t len)
{
    (void)status;
    (void)key;
    (void)len;
    in_hook(user_data, RECORD);
}

static void removed(void *user_data, const kvl_result_t *entry, kvl_cause_t cause)
{
    (void)entry;
    (void)cause;
    in_hook(user_data, REMOVAL);
}

static void provide(void *user_data, kvl_request_t *request)
{
    ((struct references *)user_data)->request = kvl_request_retain(request);
}

static void ignore_result(void *user_data, const kvl_result_t *result)
{
    (void)user_data;
    (void)result;
}

/* A cache for one entry, with the given hooks. */
static kvl_cache_t *cache_of(struct references *all, uint32_t hooks, kvl_clock_t *clock)
{
    kvl_config_t *config = NULL;
    kvl_cache_t *cache = NULL;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.capacity", 1), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.shards", 1), KVL_OK);
    if (hooks & VALIDATOR)
        STATUS(kvl_config_set_validator(config, validate, all, NULL), KVL_OK);
    if (hooks & COST)
        STATUS(kvl_config_set_cost(config, cost, all, NULL), KVL_OK);
    if (hooks & RECORD)
        STATUS(kvl_config_set_record_listener(config, record, all, NULL), KVL_OK);
    if (hooks & REMOVAL)
        STATUS(kvl_config_set_removal_listener(config, removed, all, NULL), KVL_OK);
    if (clock != NULL)
        STATUS(kvl_config_set_clock(config, clock), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    kvl_config_free(config);
    return cache;
}

/* Creates an engine whose `routes` go to a queue. With all routes on the queue, the engine has no threads, and nothing holds the engine
 * once it and the queue are disposed of. */
static void create_engine_with_routes(struct references *all, uint32_t hooks, uint32_t routes)
{
    kvl_config_t *config = NULL;
    kvl_clock_t *clock = NULL;

    *all = (struct references){ .times = 0 };
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_clock_new_manual(1000, &clock), KVL_OK);
    STATUS(kvl_queue_new(0, &all->queue), KVL_OK);
    STATUS(kvl_config_set_clock(config, clock), KVL_OK);
    STATUS(kvl_config_set_queue(config, all->queue, routes), KVL_OK);
    STATUS(kvl_config_set_provider(config, provide, all, NULL), KVL_OK);
    if (hooks & VALIDATOR)
        STATUS(kvl_config_set_validator(config, validate, all, NULL), KVL_OK);
    if (hooks & COST)
        STATUS(kvl_config_set_cost(config, cost, all, NULL), KVL_OK);
    STATUS(kvl_tasks_new(config, &all->tasks, NULL), KVL_OK);
    kvl_config_free(config);
    kvl_clock_release(clock);
}

static void create_engine(struct references *all, uint32_t hooks)
{
    create_engine_with_routes(all, hooks, KVL_QUEUE_F_ALL);
}

/* An object whose destructor releases handles. */
static kvl_value_t *object(struct references *all)
{
    kvl_value_t *value = NULL;

    STATUS(kvl_value_new_object(all, 1, release_all, &value), KVL_OK);
    return value;
}

static void put_object(kvl_cache_t *cache, struct references *all, const char *key)
{
    kvl_value_t *value = object(all);

    STATUS(kvl_cache_put(cache, KEY(key), value, NULL), KVL_OK);
    kvl_value_release(value);
}

/* ---- engines */

static void l04a_freeing_user_data_may_dispose_the_engine_being_closed(void)
{
    struct references all;

    create_engine(&all, 0);
    STATUS(kvl_tasks_close(all.tasks, 77, 0, NULL, &all, release_all), KVL_ERR_INVALID_ARG);
    CHECK(has_run(&all));
    /* Without a function or a queue for the event, the user data is freed at once. */
    create_engine_with_routes(&all, 0, KVL_QUEUE_F_PROVIDER);
    STATUS(kvl_tasks_close(all.tasks, KVL_CLOSE_CANCEL, 0, NULL, &all, release_all), KVL_OK);
    CHECK(has_run(&all));
}

static void l04a_freeing_user_data_may_dispose_the_engine_of_the_fetch(void)
{
    const kvl_slice_t key = { (const uint8_t *)"k", 1 };
    kvl_value_t *value = NULL;
    kvl_fetch_t *used = NULL;
    struct references all;
    kvl_cache_t *cache;

    /* a fetch that is rejected */
    STATUS(kvl_fetch_new(&used), KVL_OK);
    STATUS(kvl_fetch_cancel(used), KVL_OK);
    create_engine(&all, 0);
    STATUS(kvl_tasks_fetch(all.tasks, KEY("k"), NULL, used, ignore_result, &all, release_all, NULL), KVL_ERR_CANCELLED);
    CHECK(has_run(&all));
    create_engine(&all, 0);
    STATUS(kvl_tasks_fetch_each(all.tasks, &key, 1, NULL, used, ignore_result, &all, release_all), KVL_ERR_CANCELLED);
    CHECK(has_run(&all));
    create_engine(&all, 0);
    STATUS(kvl_tasks_fetch_each(all.tasks, NULL, 0, NULL, NULL, ignore_result, &all, release_all), KVL_OK);
    CHECK(has_run(&all));
    kvl_fetch_release(used);
    /* a fetch that is answered by the call */
    create_engine(&all, 0);
    STATUS(kvl_tasks_cache(all.tasks, &cache), KVL_OK);
    STATUS(kvl_cache_put_bytes(cache, KEY("k"), KEY("v"), NULL), KVL_OK);
    all.cache = cache;
    STATUS(kvl_tasks_fetch(all.tasks, KEY("k"), NULL, NULL, ignore_result, &all, release_all, &value), KVL_VALUE);
    CHECK(has_run(&all));
    kvl_value_release(value);
}

static void l04a_a_validator_may_dispose_the_engine_of_the_fetch(void)
{
    struct references all;
    kvl_value_t *value = NULL;

    create_engine(&all, VALIDATOR);
    armed = VALIDATOR;
    STATUS(kvl_tasks_get(all.tasks, KEY("k"), &value), KVL_MISS);
    CHECK(has_run(&all));
    create_engine(&all, VALIDATOR);
    armed = VALIDATOR;
    STATUS(kvl_tasks_fetch(all.tasks, KEY("k"), NULL, NULL, ignore_result, NULL, NULL, NULL), KVL_ERR_CLOSED);
    CHECK(has_run(&all));
}

/* ---- requests */

/* Creates an engine and fetches "k". `all->request` is the only reference to the request for it. */
static void begin_request(struct references *all, uint32_t hooks)
{
    create_engine(all, hooks);
    STATUS(kvl_tasks_fetch(all->tasks, KEY("k"), NULL, NULL, ignore_result, NULL, NULL, NULL), KVL_PENDING);
    STATUS(kvl_queue_poll(all->queue, 1, 0, NULL), KVL_OK);
    CHECK(all->request != NULL);
}

static void l04a_a_cost_function_may_release_the_request_being_answered(void)
{
    kvl_value_t *value = NULL;
    struct references all;
    int way;

    STATUS(kvl_value_new_bytes(KEY("v"), &value), KVL_OK);
    for (way = 0; way < 5; way++) {
        kvl_status_t status;
        begin_request(&all, COST);
        armed = COST;
        switch (way) {
        case 0: status = kvl_request_resolve(all.request, 0, value, NULL); break;
        case 1: status = kvl_request_resolve_bytes(all.request, 0, KEY("v"), NULL); break;
        case 2: status = kvl_request_resolve_object(all.request, 0, &all, 1, NULL, NULL); break;
        case 3: status = kvl_request_supply(all.request, KEY("k"), value, NULL); break;
        default: status = kvl_request_supply_bytes(all.request, KEY("other"), KEY("v"), NULL);
        }
        /* The cost function has disposed of the engine. */
        CHECK(status == KVL_ERR_CLOSED);
        CHECK(has_run(&all));
    }
    kvl_value_release(value);
}

static void l04a_a_validator_may_release_the_request_being_supplied(void)
{
    struct references all;

    begin_request(&all, VALIDATOR);
    armed = VALIDATOR;
    STATUS(kvl_request_supply_bytes(all.request, KEY("k"), KEY("v"), NULL), KVL_ERR_CLOSED);
    CHECK(has_run(&all));
}

static void ignore_cancel(void *user_data, kvl_request_t *request, uint32_t reason)
{
    (void)user_data;
    (void)request;
    (void)reason;
}

static void l04a_freeing_a_rejected_hook_may_release_its_request(void)
{
    struct references all;

    begin_request(&all, 0);
    STATUS(kvl_request_on_cancel(all.request, ignore_cancel, NULL, NULL), KVL_OK);
    STATUS(kvl_request_on_cancel(all.request, ignore_cancel, &all, release_all), KVL_ERR_ALREADY_USED);
    CHECK(has_run(&all));
    /* The finish frees the user data of a hook that was not called. */
    begin_request(&all, 0);
    STATUS(kvl_request_on_cancel(all.request, ignore_cancel, &all, release_all), KVL_OK);
    STATUS(kvl_request_finish(all.request), KVL_OK);
    CHECK(has_run(&all));
}

/* ---- caches without an engine */

static void l04a_a_destructor_may_release_the_cache_being_written(void)
{
    struct references all = { .times = 0 };
    kvl_value_t *value = NULL;
    int way;

    for (way = 0; way < 6; way++) {
        kvl_cache_t *cache = cache_of(&all, 0, NULL);
        put_object(cache, &all, "a");
        all.cache = cache;
        switch (way) {
        case 0: STATUS(kvl_cache_put_bytes(cache, KEY("b"), KEY("v"), NULL), KVL_OK); break;
        case 1: STATUS(kvl_cache_remove(cache, KEY("a")), KVL_OK); break;
        case 2: STATUS(kvl_cache_clear(cache), KVL_OK); break;
        case 3: STATUS(kvl_cache_trim_to(cache, 0), KVL_OK); break;
        case 4: STATUS(kvl_cache_resize(cache, 0, -1), KVL_OK); break;
        default:
            STATUS(kvl_cache_pop(cache, &value), KVL_VALUE);
            kvl_value_release(value);
        }
        CHECK(has_run(&all));
    }
}

static void l04a_a_hook_may_release_the_cache_it_is_called_for(void)
{
    struct references all = { .times = 0 };
    kvl_value_t *value = NULL;
    uint32_t hook;

    for (hook = VALIDATOR; hook <= REMOVAL; hook *= 2) {
        kvl_cache_t *cache = cache_of(&all, hook, NULL);
        STATUS(kvl_cache_put_bytes(cache, KEY("a"), KEY("v"), NULL), KVL_OK);
        all.cache = cache;
        armed = hook;
        if (hook == RECORD)
            STATUS(kvl_cache_get(cache, KEY("a"), &value), KVL_VALUE);
        else
            STATUS(kvl_cache_put_bytes(cache, KEY("b"), KEY("v"), NULL), KVL_OK);
        CHECK(has_run(&all));
        kvl_value_release(value);
        value = NULL;
    }
}

static void l04a_a_validator_may_release_the_cache_of_the_lookup(void)
{
    static uint8_t bytes[10000], room[10000];
    struct references all = { .times = 0 };
    int way;

    for (way = 0; way < 6; way++) {
        kvl_cache_t *cache = cache_of(&all, VALIDATOR | (way % 2 ? RECORD : 0), NULL);
        kvl_value_t *value = NULL;
        kvl_status_t status = KVL_OK;
        kvl_slice_t key = { (const uint8_t *)"a", 1 };
        size_t len = 0;

        /* The value is so long that it is copied after the lock is released. */
        STATUS(kvl_cache_put_bytes(cache, KEY("a"), bytes, sizeof bytes, NULL), KVL_OK);
        all.cache = cache;
        armed = VALIDATOR;
        switch (way / 2) {
        case 0: STATUS(kvl_cache_get(cache, KEY("a"), &value), KVL_VALUE); break;
        case 1: STATUS(kvl_cache_get_into(cache, KEY("a"), room, sizeof room, &len), KVL_VALUE); break;
        default: STATUS(kvl_cache_get_many(cache, &key, 1, &value, &status), KVL_OK);
        }
        CHECK(has_run(&all));
        kvl_value_release(value);
    }
}

static void *release_elsewhere(void *cache)
{
    kvl_cache_release(cache);
    return NULL;
}

static uint32_t release_on_another_thread(void *user_data, const uint8_t *key, size_t len)
{
    kvl_cache_t **cache = user_data;
    pthread_t thread;

    (void)key;
    (void)len;
    if (*cache != NULL) {
        CHECK(pthread_create(&thread, NULL, release_elsewhere, *cache) == 0);
        CHECK(pthread_join(thread, NULL) == 0);
        *cache = NULL;
    }
    return 1;
}

/* The validator causes the release, but on another thread. */
static void l04a_another_thread_may_release_the_cache_of_the_lookup(void)
{
    kvl_config_t *config = NULL;
    kvl_cache_t *cache = NULL, *to_release = NULL;
    kvl_value_t *value = NULL;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_validator(config, release_on_another_thread, &to_release, NULL), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    kvl_config_free(config);
    STATUS(kvl_cache_put_bytes(cache, KEY("a"), KEY("v"), NULL), KVL_OK);
    to_release = cache;
    STATUS(kvl_cache_get(cache, KEY("a"), &value), KVL_VALUE);
    CHECK(to_release == NULL);
    kvl_value_release(value);
}

static void l04a_a_listener_may_release_the_clock_being_advanced(void)
{
    struct references all = { .times = 0 };
    kvl_clock_t *clock = NULL;
    kvl_cache_t *cache;

    STATUS(kvl_clock_new_manual(1000, &clock), KVL_OK);
    cache = cache_of(&all, REMOVAL, clock);
    STATUS(kvl_cache_put_bytes(cache, KEY("a"), KEY("v"), TERMS(10, KVL_PRIORITY_DEFAULT, KVL_COST_DEFAULT)), KVL_OK);
    all.clock = clock;
    all.cache = cache;
    armed = REMOVAL;
    STATUS(kvl_clock_advance(clock, 100), KVL_OK);
    CHECK(has_run(&all));
}

/* ---- readers */

static void l04a_a_destructor_may_free_the_reader_in_use(void)
{
    struct references all = { .times = 0 };
    int way;

    for (way = 0; way < 3; way++) {
        kvl_cache_t *cache = cache_of(&all, 0, NULL);
        const uint8_t *data = NULL;
        kvl_reader_t *reader = NULL;
        size_t len = 0;
        void *shown = NULL;

        STATUS(kvl_reader_new(cache, &reader), KVL_OK);
        put_object(cache, &all, "a");
        STATUS(kvl_reader_get(reader, KEY("a"), &data, &len, &shown), KVL_VALUE);
        CHECK(shown == &all);
        /* The reader's current value is the last reference to the object. */
        STATUS(kvl_cache_put_bytes(cache, KEY("b"), KEY("v"), NULL), KVL_OK);
        CHECK(all.times == 0);
        all.reader = reader;
        all.cache = cache;
        switch (way) {
        case 0: STATUS(kvl_reader_get(reader, KEY("b"), &data, &len, NULL), KVL_VALUE); break;
        case 1: STATUS(kvl_reader_get(reader, KEY("none"), &data, &len, NULL), KVL_MISS); break;
        default: kvl_reader_done(reader);
        }
        CHECK(has_run(&all));
    }
}

static void l04a_a_hook_may_free_the_reader_in_use(void)
{
    struct references all = { .times = 0 };
    uint32_t hook;

    for (hook = VALIDATOR; hook <= RECORD; hook *= 4) {
        kvl_cache_t *cache = cache_of(&all, hook, NULL);
        const uint8_t *data = NULL;
        size_t len = 0;

        STATUS(kvl_reader_new(cache, &all.reader), KVL_OK);
        STATUS(kvl_cache_put_bytes(cache, KEY("a"), KEY("v"), NULL), KVL_OK);
        all.cache = cache;
        armed = hook;
        STATUS(kvl_reader_get(all.reader, KEY("a"), &data, &len, NULL), KVL_VALUE);
        CHECK(has_run(&all));
    }
}

static void l04a_a_destructor_may_free_the_iterator_being_advanced(void)
{
    struct references all = { .times = 0 };
    kvl_cache_t *cache = cache_of(&all, 0, NULL);
    kvl_result_t entry;

    STATUS(kvl_iterator_new(cache, &all.iterator), KVL_OK);
    put_object(cache, &all, "a");
    STATUS(kvl_iterator_next(all.iterator, &entry, sizeof entry), KVL_VALUE);
    STATUS(kvl_cache_remove(cache, KEY("a")), KVL_OK);
    CHECK(all.times == 0);
    all.cache = cache;
    STATUS(kvl_iterator_next(all.iterator, &entry, sizeof entry), KVL_EMPTY);
    CHECK(has_run(&all));
}

/* ---- fetches, configurations, queues */

static void l04a_freeing_a_context_may_release_its_fetch(void)
{
    struct references all = { .times = 0 };

    STATUS(kvl_fetch_new(&all.fetch), KVL_OK);
    STATUS(kvl_fetch_set_context(all.fetch, &all, release_all), KVL_OK);
    STATUS(kvl_fetch_set_context(all.fetch, NULL, NULL), KVL_OK);
    CHECK(has_run(&all));
}

static void l04a_freeing_user_data_may_free_the_configuration_being_set(void)
{
    struct references all = { .times = 0 };

    /* User data that is replaced is freed. */
    STATUS(kvl_config_new(&all.config), KVL_OK);
    STATUS(kvl_config_set_provider(all.config, provide, &all, release_all), KVL_OK);
    STATUS(kvl_config_set_provider(all.config, provide, NULL, NULL), KVL_OK);
    CHECK(has_run(&all));
    /* User data of a hook without a function is freed at once. */
    STATUS(kvl_config_new(&all.config), KVL_OK);
    STATUS(kvl_config_set_validator(all.config, NULL, &all, release_all), KVL_OK);
    CHECK(has_run(&all));
}

static void dispose_engine_and_queue(void *user_data, const kvl_result_t *result)
{
    STATUS(result->status, KVL_VALUE);
    release_all(user_data);
}

static void l04a_a_callback_may_dispose_the_engine_and_its_queue(void)
{
    struct references all;
    kvl_queue_t *queue;

    begin_request(&all, 0);
    STATUS(kvl_tasks_fetch(all.tasks, KEY("k"), NULL, NULL, dispose_engine_and_queue, &all, NULL, NULL), KVL_PENDING);
    STATUS(kvl_request_resolve_bytes(all.request, 0, KEY("v"), NULL), KVL_OK);
    queue = all.queue;
    STATUS(kvl_queue_poll(queue, 10, 0, NULL), KVL_OK);
    CHECK(has_run(&all));
}

int main(void)
{
    l04a_freeing_user_data_may_dispose_the_engine_being_closed();
    l04a_freeing_user_data_may_dispose_the_engine_of_the_fetch();
    l04a_a_validator_may_dispose_the_engine_of_the_fetch();
    l04a_a_cost_function_may_release_the_request_being_answered();
    l04a_a_validator_may_release_the_request_being_supplied();
    l04a_freeing_a_rejected_hook_may_release_its_request();
    l04a_a_destructor_may_release_the_cache_being_written();
    l04a_a_hook_may_release_the_cache_it_is_called_for();
    l04a_a_validator_may_release_the_cache_of_the_lookup();
    l04a_another_thread_may_release_the_cache_of_the_lookup();
    l04a_a_listener_may_release_the_clock_being_advanced();
    l04a_a_destructor_may_free_the_reader_in_use();
    l04a_a_hook_may_free_the_reader_in_use();
    l04a_a_destructor_may_free_the_iterator_being_advanced();
    l04a_freeing_a_context_may_release_its_fetch();
    l04a_freeing_user_data_may_free_the_configuration_being_set();
    l04a_a_callback_may_dispose_the_engine_and_its_queue();
    DONE();
}
