/* Errors: code, message, the program's object, the pause before a retry, and the cause. */
#include "check.h"

static int freed;

static void count_free(void *object)
{
    CHECK(object == &freed);
    freed++;
}

static void an_error_keeps_its_code_message_and_object(void)
{
    kvl_error_t *error = NULL;

    STATUS(kvl_error_new(-42, "no such host", 7, KVL_ERROR_F_PERMANENT, &error), KVL_OK);
    STATUS(kvl_error_status(error), KVL_ERR_PROVIDER);
    CHECK(kvl_error_code(error) == -42);
    TEXT(kvl_error_message(error), "no such");
    CHECK(kvl_error_object(error) == NULL);
    CHECK(kvl_error_is_permanent(error) == 1);
    CHECK(kvl_error_retain(error) == error);
    kvl_error_release(error);
    TEXT(kvl_error_message(error), "no such");
    kvl_error_release(error);
}

static void a_message_is_converted_to_utf_8_and_ends_at_a_nul(void)
{
    kvl_error_t *error = NULL;

    STATUS(kvl_error_new(0, "a\xff" "b", 3, 0, &error), KVL_OK);
    TEXT(kvl_error_message(error), "a\xef\xbf\xbd" "b");
    CHECK(kvl_error_is_permanent(error) == 0);
    kvl_error_release(error);

    STATUS(kvl_error_new(0, "ab\0c", 4, 0, &error), KVL_OK);
    TEXT(kvl_error_message(error), "ab");
    kvl_error_release(error);

    STATUS(kvl_error_new(0, NULL, 0, 0, &error), KVL_OK);
    TEXT(kvl_error_message(error), "");
    kvl_error_release(error);
}

static void the_object_of_an_error_is_freed_with_its_last_reference(void)
{
    kvl_error_t *error = NULL;

    STATUS(kvl_error_new_object(7, "boom", 4, 0, NULL, &freed, count_free, &error), KVL_OK);
    CHECK(kvl_error_object(error) == &freed);
    kvl_error_retain(error);
    kvl_error_release(error);
    CHECK(freed == 0);
    kvl_error_release(error);
    CHECK(freed == 1);
}

static void a_call_that_fails_frees_the_object(void)
{
    kvl_error_t *error = NULL;

    freed = 0;
    STATUS(kvl_error_new_object(7, "boom", 4, 4, NULL, &freed, count_free, &error), KVL_ERR_INVALID_ARG);
    CHECK(freed == 1 && error == NULL);
    STATUS(kvl_error_new_object(7, NULL, 4, 0, NULL, &freed, count_free, &error), KVL_ERR_NULL_POINTER);
    CHECK(freed == 2);
    STATUS(kvl_error_new_object(7, "boom", 4, 0, NULL, &freed, count_free, NULL), KVL_ERR_NULL_POINTER);
    CHECK(freed == 3);
}

static void f11a_an_error_can_delay_its_retry(void)
{
    kvl_error_t *error = NULL;

    STATUS(kvl_error_new(429, NULL, 0, 0, &error), KVL_OK);
    CHECK(kvl_error_retry_after_ms(error) == -1);
    STATUS(kvl_error_set_retry_after(error, -1), KVL_ERR_INVALID_ARG);
    CHECK(kvl_error_retry_after_ms(error) == -1);
    STATUS(kvl_error_set_retry_after(error, 1500), KVL_OK);
    CHECK(kvl_error_retry_after_ms(error) == 1500);
    STATUS(kvl_error_set_retry_after(error, INT64_MAX), KVL_OK);
    CHECK(kvl_error_retry_after_ms(error) == INT64_MAX);
    /* An error with more than one reference cannot be changed. */
    kvl_error_retain(error);
    STATUS(kvl_error_set_retry_after(error, 1), KVL_ERR_ALREADY_USED);
    kvl_error_release(error);
    STATUS(kvl_error_set_retry_after(error, 1), KVL_OK);
    CHECK(kvl_error_retry_after_ms(error) == 1);
    CHECK(kvl_error_cause(error) == NULL);
    kvl_error_release(error);
}

static kvl_error_t *first_failure;

static void fail_once(void *user_data, kvl_request_t *request)
{
    (void)user_data;
    if (kvl_request_attempt(request, 0) == 1)
        STATUS(kvl_request_fail(request, 0, first_failure), KVL_OK);
}

/* A manual clock fires the timers on this thread. */
static void f10b_a_timeout_carries_the_error_of_the_previous_attempt(void)
{
    kvl_config_t *config = NULL;
    kvl_clock_t *clock = NULL;
    kvl_queue_t *queue = NULL;
    kvl_tasks_t *tasks = NULL;
    kvl_event_t event;
    kvl_error_t *cause;

    freed = 0;
    STATUS(kvl_error_new_object(7, "no route", 8, 0, NULL, &freed, count_free, &first_failure), KVL_OK);
    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_clock_new_manual(0, &clock), KVL_OK);
    STATUS(kvl_queue_new(0, &queue), KVL_OK);
    STATUS(kvl_config_set_clock(config, clock), KVL_OK);
    STATUS(kvl_config_set_queue(config, queue, KVL_QUEUE_F_ALL), KVL_OK);
    STATUS(kvl_config_set_provider(config, fail_once, NULL, NULL), KVL_OK);
    STATUS(kvl_config_set_int(config, "retry.count", 3), KVL_OK);
    STATUS(kvl_config_set_int(config, "retry.fixed_ms", 60000), KVL_OK);
    STATUS(kvl_config_set_int(config, "timeout_ms", 1000), KVL_OK);
    STATUS(kvl_tasks_new(config, &tasks, NULL), KVL_OK);
    kvl_config_free(config);

    STATUS(kvl_tasks_fetch(tasks, (const uint8_t *)"k", 1, NULL, NULL, NULL, NULL, NULL, NULL), KVL_PENDING);
    STATUS(kvl_queue_poll(queue, 1, 0, NULL), KVL_OK);
    STATUS(kvl_clock_advance(clock, 1000), KVL_OK);
    STATUS(kvl_queue_next(queue, 0, &event, sizeof event), KVL_OK);
    CHECK(event.kind == KVL_EVENT_RESULT);
    STATUS(event.result->status, KVL_ERR_TIMEOUT);
    CHECK(event.result->attempts == 1);
    cause = kvl_error_cause(event.result->error);
    CHECK(cause == first_failure);
    STATUS(kvl_error_status(cause), KVL_ERR_PROVIDER);
    CHECK(kvl_error_code(cause) == 7 && kvl_error_object(cause) == &freed);
    kvl_error_retain(cause);
    kvl_error_release(first_failure);
    STATUS(kvl_tasks_free(tasks), KVL_OK);
    while (kvl_queue_next(queue, 0, &event, sizeof event) == KVL_OK) {}
    TEXT(kvl_error_message(cause), "no route");
    CHECK(freed == 0);
    kvl_error_release(cause);
    CHECK(freed == 1);
    STATUS(kvl_queue_free(queue), KVL_OK);
    kvl_clock_release(clock);
}

static void every_function_of_an_error_accepts_null(void)
{
    STATUS(kvl_error_set_retry_after(NULL, 1), KVL_ERR_NULL_POINTER);
    CHECK(kvl_error_retry_after_ms(NULL) == -1);
    CHECK(kvl_error_cause(NULL) == NULL);
    STATUS(kvl_error_status(NULL), KVL_ERR_NULL_POINTER);
    CHECK(kvl_error_code(NULL) == 0);
    TEXT(kvl_error_message(NULL), "");
    CHECK(kvl_error_object(NULL) == NULL);
    CHECK(kvl_error_is_permanent(NULL) == 0);
    CHECK(kvl_error_retain(NULL) == NULL);
    kvl_error_release(NULL);
}

int main(void)
{
    an_error_keeps_its_code_message_and_object();
    a_message_is_converted_to_utf_8_and_ends_at_a_nul();
    the_object_of_an_error_is_freed_with_its_last_reference();
    a_call_that_fails_frees_the_object();
    f11a_an_error_can_delay_its_retry();
    f10b_a_timeout_carries_the_error_of_the_previous_attempt();
    every_function_of_an_error_accepts_null();
    DONE();
}
