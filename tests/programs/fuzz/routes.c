/* Fuzz target: any sequence of calls, with any combination of routes. The first byte selects the events that are routed to the queue. */
#include "machine.h"

static void check_nothing(struct machine *machine)
{
    (void)machine;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    machine_routes = data[0] % (KVL_QUEUE_F_ALL + 1);
    machine_run(data + 1, size - 1, check_nothing);
    return 0;
}
