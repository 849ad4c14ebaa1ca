/* Values: copied bytes, bytes of the program, objects, and the null value. */
#include "check.h"

/* The argument of a destructor, which counts its calls here. */
struct witness {
    int freed;
};

static void count_free(void *user_data)
{
    struct witness *witness = user_data;
    witness->freed++;
}

static void bytes_are_copied_and_shared(void)
{
    char source[] = "hello";
    kvl_value_t *value = NULL;
    size_t len = 99;

    STATUS(kvl_value_new_bytes((const uint8_t *)source, 5, &value), KVL_OK);
    source[0] = 'j';
    CHECK(kvl_value_kind(value) == KVL_KIND_BYTES);
    CHECK(memcmp(kvl_value_data(value, &len), "hello", 5) == 0 && len == 5);
    CHECK(kvl_value_data(value, NULL) != NULL);
    CHECK(kvl_value_object(value) == NULL);
    CHECK(kvl_value_cost(value) == 5);

    CHECK(kvl_value_retain(value) == value);
    kvl_value_release(value);
    CHECK(memcmp(kvl_value_data(value, &len), "hello", 5) == 0);
    kvl_value_release(value);
}

static void empty_bytes_are_a_value(void)
{
    kvl_value_t *value = NULL;
    size_t len = 99;

    STATUS(kvl_value_new_bytes(NULL, 0, &value), KVL_OK);
    CHECK(value != NULL && value != kvl_value_null());
    CHECK(kvl_value_data(value, &len) != NULL && len == 0);
    kvl_value_release(value);
}

static void a_value_can_be_filled_by_the_program(void)
{
    kvl_value_t *value = NULL;
    uint8_t *data = NULL;
    size_t i, len = 0;

    STATUS(kvl_value_new_space(1000, &data, &value), KVL_OK);
    for (i = 0; i < 1000; i++) {
        CHECK(data[i] == 0);
        data[i] = (uint8_t)i;
    }
    CHECK(kvl_value_data(value, &len) == data && len == 1000);
    kvl_value_release(value);
}

static void extern_bytes_are_not_copied(void)
{
    static const uint8_t bytes[] = {1, 2, 3};
    struct witness witness = {0};
    kvl_value_t *value = NULL;
    size_t len = 0;

    STATUS(kvl_value_new_extern(bytes, 3, &witness, count_free, &value), KVL_OK);
    CHECK(kvl_value_data(value, &len) == bytes && len == 3);
    kvl_value_retain(value);
    kvl_value_release(value);
    CHECK(witness.freed == 0);
    kvl_value_release(value);
    CHECK(witness.freed == 1);
}

static void an_object_is_freed_with_its_last_reference(void)
{
    struct witness witness = {0};
    kvl_value_t *value = NULL;

    STATUS(kvl_value_new_object(&witness, 4096, count_free, &value), KVL_OK);
    CHECK(kvl_value_kind(value) == KVL_KIND_OBJECT);
    CHECK(kvl_value_object(value) == &witness);
    CHECK(kvl_value_data(value, NULL) == NULL);
    CHECK(kvl_value_cost(value) == 4096);
    CHECK(witness.freed == 0);
    kvl_value_release(value);
    CHECK(witness.freed == 1);
}

static void a_call_that_fails_frees_its_arguments(void)
{
    struct witness witness = {0};
    kvl_value_t *value = kvl_value_null();

    STATUS(kvl_value_new_object(&witness, 1, count_free, NULL), KVL_ERR_NULL_POINTER);
    CHECK(witness.freed == 1);
    STATUS(kvl_value_new_extern(NULL, 1, &witness, count_free, &value), KVL_ERR_NULL_POINTER);
    CHECK(witness.freed == 2 && value == NULL);
    value = kvl_value_null();
    STATUS(kvl_value_new_object(NULL, 1, count_free, &value), KVL_ERR_NULL_POINTER);
    CHECK(value == NULL);
}

static void the_null_value_is_a_constant(void)
{
    kvl_value_t *null = kvl_value_null();
    size_t len = 99;
    int i;

    CHECK(null != NULL && null == kvl_value_null());
    CHECK(kvl_value_kind(null) == KVL_KIND_NULL);
    CHECK(kvl_value_data(null, &len) == NULL && len == 0);
    CHECK(kvl_value_object(null) == NULL && kvl_value_cost(null) == 0);
    for (i = 0; i < 3; i++)
        kvl_value_release(null);
    CHECK(kvl_value_retain(null) == null && kvl_value_kind(null) == KVL_KIND_NULL);
}

static void many_values_are_released_at_once(void)
{
    struct witness witness = {0};
    kvl_value_t *values[4] = {NULL, NULL, NULL, NULL};
    int i;

    STATUS(kvl_value_new_object(&witness, 1, count_free, &values[0]), KVL_OK);
    STATUS(kvl_value_new_bytes((const uint8_t *)"x", 1, &values[2]), KVL_OK);
    values[3] = kvl_value_null();
    kvl_value_release_many(values, 4);
    CHECK(witness.freed == 1);
    for (i = 0; i < 4; i++)
        CHECK(values[i] == NULL);
    kvl_value_release_many(NULL, 4);
    kvl_value_release_many(values, 0);
}

static void keys_are_unpacked(void)
{
    static const uint8_t packed[] = "abcde";
    static const uint32_t lens[] = {1, 0, 4};
    kvl_slice_t keys[3];

    memset(keys, 0, sizeof keys);
    STATUS(kvl_slices_unpack(packed, 6, lens, 3, keys), KVL_ERR_INVALID_ARG);
    CHECK(keys[0].data == NULL);
    STATUS(kvl_slices_unpack(packed, 5, lens, 3, keys), KVL_OK);
    CHECK(keys[0].data == packed && keys[0].len == 1);
    CHECK(keys[1].len == 0);
    CHECK(keys[2].data == packed + 1 && keys[2].len == 4);
}

int main(void)
{
    bytes_are_copied_and_shared();
    empty_bytes_are_a_value();
    a_value_can_be_filled_by_the_program();
    extern_bytes_are_not_copied();
    an_object_is_freed_with_its_last_reference();
    a_call_that_fails_frees_its_arguments();
    the_null_value_is_a_constant();
    many_values_are_released_at_once();
    keys_are_unpacked();
    DONE();
}
