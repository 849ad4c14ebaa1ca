/* Errors: code, message, the program's object. */
#include "check.h"

static int ended;

static void end(void *object)
{
    CHECK(object == &ended);
    ended++;
}

static void an_error_keeps_what_it_was_made_of(void)
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

static void a_message_is_made_utf_8_and_ends_at_a_nul(void)
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

static void an_object_ends_with_the_last_reference(void)
{
    kvl_error_t *error = NULL;

    STATUS(kvl_error_new_object(7, "boom", 4, 0, NULL, &ended, end, &error), KVL_OK);
    CHECK(kvl_error_object(error) == &ended);
    kvl_error_retain(error);
    kvl_error_release(error);
    CHECK(ended == 0);
    kvl_error_release(error);
    CHECK(ended == 1);
}

static void what_fails_ends_the_object(void)
{
    kvl_error_t *error = NULL;

    ended = 0;
    STATUS(kvl_error_new_object(7, "boom", 4, 2, NULL, &ended, end, &error), KVL_ERR_INVALID_ARG);
    CHECK(ended == 1 && error == NULL);
    STATUS(kvl_error_new_object(7, NULL, 4, 0, NULL, &ended, end, &error), KVL_ERR_NULL_POINTER);
    CHECK(ended == 2);
    STATUS(kvl_error_new_object(7, "boom", 4, 0, NULL, &ended, end, NULL), KVL_ERR_NULL_POINTER);
    CHECK(ended == 3);
}

static void null_is_no_error(void)
{
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
    an_error_keeps_what_it_was_made_of();
    a_message_is_made_utf_8_and_ends_at_a_nul();
    an_object_ends_with_the_last_reference();
    what_fails_ends_the_object();
    null_is_no_error();
    DONE();
}
