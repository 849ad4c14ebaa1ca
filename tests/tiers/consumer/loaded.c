/* A program that is not linked against the library: it loads the library by its SONAME, looks functions up by name, prints a value that
 * it has put into a cache, and closes the library. */
#include <kvlight.h>

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#define LOAD(name) \
    if ((*(void **)&name##_ = dlsym(library, #name)) == NULL) \
    return puts("no " #name), 1

int main(int argc, char **argv)
{
    kvl_status_t (*kvl_cache_new_)(const kvl_config_t *, kvl_cache_t **, kvl_error_t **);
    kvl_status_t (*kvl_cache_put_)(kvl_cache_t *, const uint8_t *, size_t, kvl_value_t *, const kvl_terms_t *);
    kvl_status_t (*kvl_cache_get_into_)(kvl_cache_t *, const uint8_t *, size_t, uint8_t *, size_t, size_t *);
    kvl_status_t (*kvl_value_new_bytes_)(const uint8_t *, size_t, kvl_value_t **);
    void (*kvl_value_release_)(kvl_value_t *);
    void (*kvl_cache_release_)(kvl_cache_t *);
    kvl_status_t (*kvl_config_new_)(kvl_config_t **);
    void (*kvl_config_free_)(kvl_config_t *);
    void *library = dlopen(argc > 1 ? argv[1] : "", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return puts(dlerror()), 1;
    LOAD(kvl_cache_new);
    LOAD(kvl_cache_put);
    LOAD(kvl_cache_get_into);
    LOAD(kvl_value_new_bytes);
    LOAD(kvl_value_release);
    LOAD(kvl_cache_release);
    LOAD(kvl_config_new);
    LOAD(kvl_config_free);

    const uint8_t *key = (const uint8_t *)"key";
    kvl_config_t *config = NULL;
    kvl_cache_t *cache = NULL;
    kvl_value_t *value = NULL;
    char text[16] = "";
    size_t len = 0;
    if (kvl_config_new_(&config) != KVL_OK || kvl_cache_new_(config, &cache, NULL) != KVL_OK)
        return puts("no cache"), 1;
    kvl_value_new_bytes_((const uint8_t *)"loaded", 6, &value);
    kvl_cache_put_(cache, key, 3, value, NULL);
    kvl_status_t status = kvl_cache_get_into_(cache, key, 3, (uint8_t *)text, sizeof text - 1, &len);
    printf("%s %d\n", text, status == KVL_VALUE && len == strlen("loaded"));
    kvl_value_release_(value);
    kvl_cache_release_(cache);
    kvl_config_free_(config);
    /* The library stays mapped (NODELETE), since its threads and fork handlers may still run: closing it must be harmless. */
    return dlclose(library);
}
