/* Fuzz target: any sequence of calls. */
#include "machine.h"

static void check_nothing(struct machine *machine)
{
    (void)machine;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    machine_run(data, size, check_nothing);
    return 0;
}
