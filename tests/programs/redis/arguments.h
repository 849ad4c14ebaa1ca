/* What the programs in this folder share: reading their arguments, and ending after an error. */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <kvlight.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void die(const char *what, int status)
{
    fprintf(stderr, "%s: %d\n", what, status);
    exit(1);
}

/* Applies arguments of the form SETTING=VALUE, from the one at `first` on. Ends the program at a wrong one. */
static inline void apply_settings(kvl_config_t *config, char **argv, int first, int argc)
{
    for (int i = first; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (equals == NULL)
            die(argv[i], 0);
        *equals = '\0';
        kvl_status_t status = kvl_config_set(config, argv[i], equals + 1);
        if (status < 0)
            die(argv[i], status);
    }
}

#endif
