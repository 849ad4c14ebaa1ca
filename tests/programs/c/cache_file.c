/* Saving a cache to a file and loading it. */
#define _POSIX_C_SOURCE 200809L /* mkfifo */
#include "check.h"
#include <errno.h>
#include <stdlib.h>
#ifndef _WIN32
#include <sys/stat.h>
#include <unistd.h>
#endif

/* The system's error number for a path through a folder that does not exist. */
#ifdef _WIN32
#define NO_SUCH_FOLDER 3 /* ERROR_PATH_NOT_FOUND */
#else
#define NO_SUCH_FOLDER ENOENT
#endif

#define KEY(text) (const uint8_t *)(text), strlen(text)

static char path[1024];

static void do_not_free(void *object) { (void)object; }

static kvl_cache_t *new_cache(void)
{
    kvl_config_t *config = NULL;
    kvl_cache_t *cache = NULL;

    STATUS(kvl_config_new(&config), KVL_OK);
    STATUS(kvl_config_set_int(config, "cache.capacity", 100000), KVL_OK);
    STATUS(kvl_cache_new(config, &cache, NULL), KVL_OK);
    kvl_config_free(config);
    return cache;
}

struct watcher {
    uint64_t entries, bytes;
    int calls;
    int stop_at; /* the call that stops the transfer; 0: none */
};

static int32_t watch(void *user_data, const kvl_transfer_t *progress)
{
    struct watcher *watcher = user_data;

    CHECK(progress->struct_size == sizeof *progress);
    CHECK(progress->entries >= watcher->entries && progress->bytes >= watcher->bytes && progress->entries <= progress->total);
    watcher->entries = progress->entries;
    watcher->bytes = progress->bytes;
    return ++watcher->calls == watcher->stop_at;
}

static void s18_a_saved_cache_loads_and_reports_progress(void)
{
    kvl_cache_t *cache = new_cache(), *other = new_cache();
    struct watcher saving = {0}, loading = {0}, stopping = {.stop_at = 1};
    kvl_transfer_t saved = {0}, loaded = {0};
    kvl_error_t *error = NULL;
    char key[32], value[64];
    size_t len = 0;
    int number;

    for (number = 0; number < 20000; number++) {
        int length = snprintf(key, sizeof key, "key %d", number);
        memset(value, number, sizeof value);
        STATUS(kvl_cache_put_bytes(cache, (const uint8_t *)key, (size_t)length, (const uint8_t *)value, sizeof value, NULL), KVL_OK);
    }
    STATUS(kvl_cache_save(cache, path, watch, &saving, &saved, sizeof saved, &error), KVL_OK);
    CHECK(error == NULL && saved.entries == 20000 && saved.skipped == 0 && saved.total == 20000 && saving.calls > 2);
    STATUS(kvl_cache_load(other, path, watch, &loading, &loaded, sizeof loaded, &error), KVL_OK);
    CHECK(error == NULL && loaded.entries == 20000 && loaded.bytes == saved.bytes && loading.calls >= saving.calls);
    CHECK(kvl_cache_len(other) == 20000);
    STATUS(kvl_cache_get_into(other, KEY("key 7"), (uint8_t *)value, sizeof value, &len), KVL_VALUE);
    CHECK(len == sizeof value && value[0] == 7 && value[63] == 7);
    /* The progress function and the outputs are optional. */
    STATUS(kvl_cache_save(other, path, NULL, NULL, NULL, 0, NULL), KVL_OK);
    STATUS(kvl_cache_load(other, path, NULL, NULL, &loaded, sizeof loaded, NULL), KVL_OK);
    CHECK(loaded.entries == 0 && loaded.skipped == 20000);
    STATUS(kvl_cache_clear(other), KVL_OK);
    STATUS(kvl_cache_load(other, path, watch, &stopping, &loaded, sizeof loaded, &error), KVL_ERR_CANCELLED);
    CHECK(kvl_error_status(error) == KVL_ERR_CANCELLED && stopping.calls == 1 && kvl_cache_len(other) == loaded.entries);
    kvl_error_release(error);
    kvl_cache_release(cache);
    kvl_cache_release(other);
}

static void s18_a_damaged_file_gets_its_own_status(void)
{
    kvl_cache_t *cache = new_cache();
    kvl_error_t *error = NULL;
    FILE *file;

    STATUS(kvl_cache_put_bytes(cache, KEY("a"), KEY("apple"), NULL), KVL_OK);
    STATUS(kvl_cache_load(cache, "/no/such/file", NULL, NULL, NULL, 0, &error), KVL_ERR_IO);
    CHECK(kvl_error_code(error) == NO_SUCH_FOLDER && strstr(kvl_error_message(error), "/no/such/file") != NULL);
    kvl_error_release(error);
    STATUS(kvl_cache_save(cache, "/no/such/file", NULL, NULL, NULL, 0, &error), KVL_ERR_IO);
    CHECK(kvl_error_code(error) == NO_SUCH_FOLDER);
    kvl_error_release(error);

    STATUS(kvl_cache_save(cache, path, NULL, NULL, NULL, 0, NULL), KVL_OK);
    file = fopen(path, "r+b");
    CHECK(file != NULL && fseek(file, 60, SEEK_SET) == 0 && fputc(0x55, file) != EOF && fclose(file) == 0);
    STATUS(kvl_cache_load(cache, path, NULL, NULL, NULL, 0, &error), KVL_ERR_CORRUPT);
    kvl_error_release(error);
    file = fopen(path, "wb");
    CHECK(file != NULL && fclose(file) == 0);
    STATUS(kvl_cache_load(cache, path, NULL, NULL, NULL, 0, &error), KVL_ERR_TRUNCATED);
    kvl_error_release(error);
    kvl_cache_release(cache);
}

static void s18_a_file_of_an_unknown_version_gets_its_own_status(void)
{
    kvl_cache_t *cache = new_cache();
    kvl_error_t *error = NULL;
    FILE *file;

    STATUS(kvl_cache_save(cache, path, NULL, NULL, NULL, 0, NULL), KVL_OK);
    file = fopen(path, "r+b");
    CHECK(file != NULL && fseek(file, 8, SEEK_SET) == 0 && fputc(0, file) != EOF && fclose(file) == 0);
    STATUS(kvl_cache_load(cache, path, NULL, NULL, NULL, 0, &error), KVL_ERR_FILE_VERSION);
    CHECK(strstr(kvl_error_message(error), "version 0, which this library does not know") != NULL);
    kvl_error_release(error);
    kvl_cache_release(cache);
}

#ifndef _WIN32
static void s18_what_is_not_a_file_is_neither_saved_to_nor_loaded(void)
{
    static const char *const devices[] = {"/dev/null", "/dev/zero"};
    kvl_cache_t *cache = new_cache();
    kvl_error_t *error = NULL;
    char pipe[1040];
    size_t i;

    snprintf(pipe, sizeof pipe, "%s.fifo", path);
    CHECK(mkfifo(pipe, 0600) == 0);
    STATUS(kvl_cache_save(cache, pipe, NULL, NULL, NULL, 0, NULL), KVL_ERR_IO);
    /* Ends the program if the load waits for a writer. */
    alarm(60);
    STATUS(kvl_cache_load(cache, pipe, NULL, NULL, NULL, 0, &error), KVL_ERR_IO);
    alarm(0);
    CHECK(strstr(kvl_error_message(error), "it is not a file") != NULL);
    kvl_error_release(error);
    CHECK(remove(pipe) == 0);
    for (i = 0; i < 2; i++) {
        STATUS(kvl_cache_save(cache, devices[i], NULL, NULL, NULL, 0, NULL), KVL_ERR_IO);
        STATUS(kvl_cache_load(cache, devices[i], NULL, NULL, NULL, 0, NULL), KVL_ERR_IO);
    }
    kvl_cache_release(cache);
}
#endif

struct converter {
    kvl_cache_t *cache;
    int calls, objects[2];
};

/* Encodes an object, which is a number, as text. Refuses the key "x". */
static kvl_value_t *to_text(void *user_data, const kvl_result_t *entry)
{
    struct converter *converter = user_data;
    kvl_value_t *value = NULL;
    char text[16];

    CHECK(entry->object != NULL && entry->data == NULL && entry->value != NULL);
    CHECK(kvl_cache_contains(converter->cache, entry->key, entry->key_len) == KVL_VALUE); /* a conversion function can use the cache */
    converter->calls++;
    if (entry->key_len == 1 && entry->key[0] == 'x')
        return NULL;
    snprintf(text, sizeof text, "%d", *(int *)entry->object);
    STATUS(kvl_value_new_bytes(KEY(text), &value), KVL_OK);
    return value;
}

static kvl_value_t *from_text(void *user_data, const kvl_result_t *entry)
{
    struct converter *converter = user_data;
    kvl_value_t *value = NULL;
    int *object = &converter->objects[converter->calls++];

    CHECK(entry->data != NULL && entry->value == NULL && entry->object == NULL);
    *object = entry->data[0] - '0'; /* the bytes end without a NUL */
    STATUS(kvl_value_new_object(object, 0, do_not_free, &value), KVL_OK);
    return value;
}

static void s18_objects_are_saved_and_loaded_by_functions(void)
{
    kvl_cache_t *cache = new_cache(), *other = new_cache();
    struct converter saving = {.cache = cache}, loading = {.cache = other};
    kvl_transfer_t done = {0};
    kvl_value_t *value = NULL;
    int seven = 7, nine = 9;

    STATUS(kvl_value_new_object(&seven, 0, do_not_free, &value), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("a"), value, NULL), KVL_OK);
    kvl_value_release(value);
    STATUS(kvl_value_new_object(&nine, 0, do_not_free, &value), KVL_OK);
    STATUS(kvl_cache_put(cache, KEY("x"), value, NULL), KVL_OK);
    kvl_value_release(value);
    STATUS(kvl_cache_put_bytes(cache, KEY("b"), KEY("bytes"), NULL), KVL_OK);
    STATUS(kvl_cache_save_encoded(cache, path, to_text, NULL, &saving, &done, sizeof done, NULL), KVL_OK);
    CHECK(saving.calls == 2 && done.entries == 2 && done.skipped == 1);
    STATUS(kvl_cache_load_decoded(other, path, from_text, NULL, &loading, &done, sizeof done, NULL), KVL_OK);
    CHECK(loading.calls == 1 && done.entries == 2);
    STATUS(kvl_cache_get(other, KEY("a"), &value), KVL_VALUE);
    CHECK(*(int *)kvl_value_object(value) == 7);
    kvl_value_release(value);
    STATUS(kvl_cache_contains(other, KEY("b")), KVL_VALUE);
    STATUS(kvl_cache_clear(other), KVL_OK);
    STATUS(kvl_cache_load(other, path, NULL, NULL, &done, sizeof done, NULL), KVL_OK);
    CHECK(done.entries == 1 && done.skipped == 1);
    STATUS(kvl_cache_save_encoded(cache, path, NULL, NULL, NULL, NULL, 0, NULL), KVL_ERR_NO_CALLBACK);
    STATUS(kvl_cache_load_decoded(cache, path, NULL, NULL, NULL, NULL, 0, NULL), KVL_ERR_NO_CALLBACK);
    kvl_cache_release(cache);
    kvl_cache_release(other);
}

static void l09_invalid_arguments_are_rejected(void)
{
    kvl_cache_t *cache = new_cache();
    kvl_transfer_t transfer = {0};
    kvl_error_t *error = NULL;

    STATUS(kvl_cache_save(NULL, path, NULL, NULL, NULL, 0, &error), KVL_ERR_NULL_POINTER);
    kvl_error_release(error);
    STATUS(kvl_cache_save(cache, NULL, NULL, NULL, NULL, 0, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_cache_load(cache, NULL, NULL, NULL, NULL, 0, NULL), KVL_ERR_NULL_POINTER);
    STATUS(kvl_cache_save(cache, "", NULL, NULL, NULL, 0, NULL), KVL_ERR_INVALID_ARG);
    STATUS(kvl_cache_load(cache, "/", NULL, NULL, NULL, 0, NULL), KVL_ERR_INVALID_ARG);
    STATUS(kvl_cache_save(cache, path, NULL, NULL, &transfer, 1, NULL), KVL_ERR_INVALID_ARG);
    CHECK(transfer.struct_size == 0);
    STATUS(kvl_cache_save(cache, path, NULL, NULL, &transfer, offsetof(kvl_transfer_t, skipped), NULL), KVL_OK);
    CHECK(transfer.struct_size == offsetof(kvl_transfer_t, skipped));
    kvl_cache_release(cache);
}

int main(void)
{
    const char *folder = getenv("TMPDIR");

    snprintf(path, sizeof path, "%s/kvlight-saved-%p", folder != NULL ? folder : "/tmp", (void *)&folder);
    s18_a_saved_cache_loads_and_reports_progress();
    s18_a_damaged_file_gets_its_own_status();
    s18_a_file_of_an_unknown_version_gets_its_own_status();
#ifndef _WIN32
    s18_what_is_not_a_file_is_neither_saved_to_nor_loaded();
#endif
    s18_objects_are_saved_and_loaded_by_functions();
    l09_invalid_arguments_are_rejected();
    CHECK(remove(path) == 0);
    DONE();
}
