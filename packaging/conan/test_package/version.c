/* Checks a package: header and library have the same version, and a cache can be created. */
#include <kvlight.h>
#include <stdio.h>

int main(void)
{
    kvl_cache_t *cache = NULL;
    kvl_config_t *config = NULL;
    if (kvl_version_number() != KVL_VERSION_NUMBER || kvl_config_new(&config) != KVL_OK || kvl_cache_new(config, &cache, NULL) != KVL_OK)
        return 1;
    kvl_cache_release(cache);
    kvl_config_free(config);
    printf("kvlight %s\n", kvl_version_string());
    return 0;
}
