/* Python objects that the library holds: each is boxed, and released by a thread that holds the interpreter's lock. */
#include "native.h"

#include <stdlib.h>

_Thread_local int empties_home;

Home *home_new(void)
{
    Home *home = calloc(1, sizeof *home);
    if (!home)
        return (Home *)PyErr_NoMemory();
    atomic_init(&home->references, 1);
    home->is_main = PyInterpreterState_GetID(PyInterpreterState_Get()) == 0;
    return home;
}

void home_release(Home *home)
{
    if (home && atomic_fetch_sub(&home->references, 1) == 1)
        free(home);
}

/* Returns when no thread schedules, or will schedule, a call in this interpreter. */
void home_finish(Home *home)
{
    atomic_store(&home->is_finishing, 1);
    Py_BEGIN_ALLOW_THREADS
    while (atomic_load(&home->scheduling)) {
        /* Threads that are scheduling a call at this moment finish soon: they wait for nothing. */
    }
    Py_END_ALLOW_THREADS
}

Box *box_new(Home *home, PyObject *object)
{
    Box *box = malloc(sizeof *box);
    if (!box)
        return (Box *)PyErr_NoMemory();
    Py_INCREF(object);
    *box = (Box){.object = object, .home = home};
    atomic_fetch_add_explicit(&home->references, 1, memory_order_relaxed);
    return box;
}

void home_empty(Home *home)
{
    Box *box = atomic_exchange(&home->dropped, NULL);
    while (box) {
        Box *next = box->next;
        Py_DECREF(box->object);
        Py_XDECREF(box->traceback);
        free(box);
        home_release(home);
        box = next;
    }
}

static int empty_pending(void *home)
{
    home_empty(home);
    home_release(home);
    return 0;
}

/* The destructor that the library calls for a box, on any thread, with or without the interpreter's lock. */
void box_dropped(void *dropped)
{
    Box *box = dropped;
    Home *home = box->home;
    Box *first = atomic_load_explicit(&home->dropped, memory_order_relaxed);
    do {
        box->next = first;
    } while (!atomic_compare_exchange_weak(&home->dropped, &first, box));
    if (empties_home || first || !home->is_main)
        return; /* emptied by this thread, by the thread that dropped the first box, or by the next call of this interpreter */
    atomic_fetch_add(&home->references, 1);
    atomic_fetch_add(&home->scheduling, 1);
    bool is_scheduled = !atomic_load(&home->is_finishing) && Py_AddPendingCall(empty_pending, home) == 0;
    atomic_fetch_sub(&home->scheduling, 1);
    if (!is_scheduled)
        home_release(home);
}
