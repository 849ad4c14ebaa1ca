/* Fuzz target: any sequence of calls. */
#include "machine.h"

static void look(struct machine *machine)
{
    (void)machine;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    machine_run(data, size, look);
    return 0;
}
