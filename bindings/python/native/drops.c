/* Python objects that the library holds, each in a box, and their release by a thread that holds the interpreter's lock. */
#include "native.h"

#include <stdlib.h>

_Thread_local int releases_own_drops;

DropStack *drops_new(void)
{
    DropStack *drops = calloc(1, sizeof *drops);
    if (!drops)
        return (DropStack *)PyErr_NoMemory();
    atomic_init(&drops->references, 1);
    drops->is_main = PyInterpreterState_GetID(PyInterpreterState_Get()) == 0;
    return drops;
}

void drops_release(DropStack *drops)
{
    if (drops && atomic_fetch_sub(&drops->references, 1) == 1)
        free(drops);
}

/* Prevents further pending calls in this interpreter, and waits for threads that are scheduling one. */
void drops_finish(DropStack *drops)
{
    atomic_store(&drops->is_finishing, 1);
    Py_BEGIN_ALLOW_THREADS
    while (atomic_load(&drops->scheduling)) {
        /* Spins: scheduling a call takes a moment and waits for nothing. */
    }
    Py_END_ALLOW_THREADS
}

Box *box_new(DropStack *drops, PyObject *object)
{
    Box *box = malloc(sizeof *box);
    if (!box)
        return (Box *)PyErr_NoMemory();
    Py_INCREF(object);
    *box = (Box){.object = object, .drops = drops};
    atomic_fetch_add_explicit(&drops->references, 1, memory_order_relaxed);
    return box;
}

void drops_release_objects(DropStack *drops)
{
    Box *box = atomic_exchange(&drops->dropped, NULL);
    while (box) {
        Box *next = box->next;
        Py_DECREF(box->object);
        Py_XDECREF(box->origin);
        free(box);
        drops_release(drops);
        box = next;
    }
}

/* What Py_AddPendingCall() runs, later on the main thread. */
static int run_pending_call(void *drops)
{
    drops_release_objects(drops);
    drops_release(drops);
    return 0;
}

/* The destructor of a box. The library calls it on any thread, with or without the interpreter's lock. */
void box_dropped(void *dropped)
{
    Box *box = dropped;
    DropStack *drops = box->drops;
    Box *first = atomic_load_explicit(&drops->dropped, memory_order_relaxed);
    do {
        box->next = first;
    } while (!atomic_compare_exchange_weak(&drops->dropped, &first, box));
    /* No call is needed if this thread releases the boxes itself, or if boxes below this one wait to be released already. In an interpreter other than the
     * main one, which runs no pending calls, the next call of the library releases the boxes. */
    if (releases_own_drops || first || !drops->is_main)
        return;
    atomic_fetch_add(&drops->references, 1);
    atomic_fetch_add(&drops->scheduling, 1);
    bool is_scheduled = !atomic_load(&drops->is_finishing) && Py_AddPendingCall(run_pending_call, drops) == 0;
    atomic_fetch_sub(&drops->scheduling, 1);
    if (!is_scheduled)
        drops_release(drops);
}
