/* The manual clock of tests: it moves only by advance(). */
#include "native.h"

typedef struct {
    PyObject_HEAD
    State *state;
    PyObject *module;
    kvl_clock_t *handle;
} Clock;

kvl_clock_t *clock_handle(PyObject *clock) { return ((Clock *)clock)->handle; }

static int clock_init(Clock *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"now_ms", NULL};
    long long now_ms = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|L", names, &now_ms))
        return -1;
    if (self->handle) {
        PyErr_SetString(PyExc_RuntimeError, "a clock is initialized only once");
        return -1;
    }
    self->state = state_of_type(Py_TYPE(self), &self->module);
    if (!self->state)
        return -1;
    kvl_status_t status = kvl_clock_new_manual(now_ms, &self->handle);
    if (status < 0) {
        raise_status(self->state, status, NULL);
        return -1;
    }
    return 0;
}

static void clock_dealloc(Clock *self)
{
    PyTypeObject *type = Py_TYPE(self);
    kvl_clock_release(self->handle);
    Py_XDECREF(self->module);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyObject *clock_advance(Clock *self, PyObject *by)
{
    long long by_ms = PyLong_AsLongLong(by);
    if (by_ms == -1 && PyErr_Occurred())
        return NULL;
    kvl_status_t status;
    CALL_LIBRARY(self->state->drops, Py_BEGIN_ALLOW_THREADS status = kvl_clock_advance(self->handle, by_ms); Py_END_ALLOW_THREADS);
    if (status < 0)
        return raise_status(self->state, status, NULL);
    Py_RETURN_NONE;
}

static PyObject *clock_now(Clock *self, void *unused)
{
    (void)unused;
    return PyLong_FromLongLong(kvl_clock_now_ms(self->handle));
}

static PyMethodDef clock_methods[] = {
    {"advance", (PyCFunction)clock_advance, METH_O,
     "advance(by_ms)\n--\n\nMoves the time forward. When this returns, due timers have fired; their events are handled in the loop's next turns."},
    {0},
};
static PyGetSetDef clock_getset[] = {{"now_ms", (getter)clock_now, NULL, "The time of the clock, in milliseconds.", NULL}, {0}};
static PyType_Slot clock_slots[] = {
    {Py_tp_doc, "Clock(now_ms=0)\n--\n\nA clock that moves only by advance(): Tasks(..., clock=clock), for tests without sleep."},
    {Py_tp_init, clock_init},
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, clock_dealloc},
    {Py_tp_methods, clock_methods},
    {Py_tp_getset, clock_getset},
    {0},
};
PyType_Spec clock_spec = {"kvlight.Clock", sizeof(Clock), 0, Py_TPFLAGS_DEFAULT, clock_slots};
