/* A program that links two static Rust libraries: kvlight, and that of other.rs. */
#include <kvlight.h>
#include <stdint.h>
#include <stdio.h>

uint32_t other_count(uint32_t n);

static void provide(void *user_data, kvl_request_t *request)
{
    (void)user_data;
    for (size_t i = 0; i < kvl_request_len(request); i++)
        kvl_request_resolve_bytes(request, i, (const uint8_t *)"Paris", 5, NULL);
}

int main(void)
{
    kvl_config_t *config = NULL;
    kvl_tasks_t *tasks = NULL;
    kvl_value_t *found = NULL;
    kvl_config_new(&config);
    kvl_config_set_provider(config, provide, NULL, NULL);
    if (kvl_tasks_new(config, &tasks, NULL) != KVL_OK)
        return 1;
    kvl_config_free(config);
    if (kvl_tasks_fetch_wait(tasks, (const uint8_t *)"France", 6, NULL, NULL, &found, NULL) != KVL_VALUE)
        return 1;
    size_t len = 0;
    const uint8_t *data = kvl_value_data(found, &len);
    printf("%.*s %u\n", (int)len, (const char *)data, (unsigned)other_count(10));
    kvl_value_release(found);
    return kvl_tasks_free(tasks) != KVL_OK;
}
