/* The version, and the table of statuses. */
#include "check.h"

static void the_library_has_the_version_of_the_header(void)
{
    char text[64];

    CHECK(kvl_version_number() == KVL_VERSION_NUMBER);
    CHECK(KVL_VERSION_NUMBER == KVL_VERSION_MAJOR * 1000000u + KVL_VERSION_MINOR * 1000u + KVL_VERSION_PATCH);
    snprintf(text, sizeof text, "%d.%d.%d", KVL_VERSION_MAJOR, KVL_VERSION_MINOR, KVL_VERSION_PATCH);
    TEXT(kvl_version_string(), text);
}

static void all_statuses_are_listed(void)
{
    size_t i, j, n = kvl_status_count();

    CHECK(n > 30);
    for (i = 0; i < n; i++) {
        kvl_status_t status = kvl_status_at(i);
        CHECK(strncmp(kvl_status_name(status), "KVL_", 4) == 0);
        CHECK(strcmp(kvl_status_name(status), "KVL_UNKNOWN") != 0);
        CHECK(strlen(kvl_status_message(status)) > 3);
        for (j = 0; j < i; j++)
            CHECK(kvl_status_at(j) != status);
    }
    STATUS(kvl_status_at(n), KVL_ERR_OUT_OF_RANGE);
    STATUS(kvl_status_at((size_t)-1), KVL_ERR_OUT_OF_RANGE);
}

static void each_status_has_its_name(void)
{
    TEXT(kvl_status_name(KVL_OK), "KVL_OK");
    TEXT(kvl_status_name(KVL_PENDING), "KVL_PENDING");
    TEXT(kvl_status_name(KVL_ERR_QUEUE_FULL), "KVL_ERR_QUEUE_FULL");
    TEXT(kvl_status_name(12345), "KVL_UNKNOWN");
    CHECK(kvl_status_message(INT32_MIN) != NULL);
}

static void only_transient_errors_are_retriable(void)
{
    CHECK(kvl_status_is_retriable(KVL_ERR_TIMEOUT) == 1);
    CHECK(kvl_status_is_retriable(KVL_ERR_PROVIDER) == 1);
    CHECK(kvl_status_is_retriable(KVL_ERR_CANCELLED) == 0);
    CHECK(kvl_status_is_retriable(KVL_OK) == 0);
    CHECK(kvl_status_is_retriable(12345) == 0);
}

int main(void)
{
    the_library_has_the_version_of_the_header();
    all_statuses_are_listed();
    each_status_has_its_name();
    only_transient_errors_are_retriable();
    DONE();
}
