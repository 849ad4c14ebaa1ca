/* A fetch in progress, and the delivery of its outcome to the waiting caller. */
#include "native.h"

Waiter *waiter_new(Engine *engine)
{
    Waiter *waiter = (Waiter *)PyType_GenericAlloc(engine->store.state->waiter_type, 0);
    if (!waiter)
        return NULL;
    waiter->engine = engine;
    return waiter;
}

/* Adds a waiter to the engine's list. While the list is not empty the pump, which the event loop holds, keeps the engine alive. */
void waiter_link(Waiter *waiter)
{
    Engine *engine = waiter->engine;
    Py_INCREF(waiter);
    waiter->next = engine->waiters;
    if (waiter->next)
        waiter->next->previous = waiter;
    engine->waiters = waiter;
    if (engine->waiting++ == 0) {
        Py_INCREF(engine);
        engine->pump->kept_engine = (PyObject *)engine;
    }
}

/* Removes a waiter from the list. The caller holds a reference to the engine. */
void waiter_unlink(Waiter *waiter)
{
    Engine *engine = waiter->engine;
    if (waiter->previous)
        waiter->previous->next = waiter->next;
    else
        engine->waiters = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    waiter->next = waiter->previous = NULL;
    waiter->engine = NULL;
    if (--engine->waiting == 0 && engine->pump)
        Py_CLEAR(engine->pump->kept_engine);
    Py_DECREF(waiter);
}

/* Calls a method of the target and ignores its result. */
static int call_target(Waiter *waiter, PyObject *method, PyObject *argument)
{
    PyObject *result = PyObject_CallMethodObjArgs(waiter->target, method, argument, NULL);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* Delivers waiter->outcome or waiter->error to the target. */
static int deliver(Waiter *waiter)
{
    State *state = waiter->engine->store.state;
    if (!waiter->target)
        return 0; /* the target could not be created, and the caller got an exception */
    if (!waiter->engine->loop)
        return call_target(waiter, state->s_release, NULL);
    int failed = waiter->error ? call_target(waiter, state->s_set_exception, waiter->error)
                               : call_target(waiter, state->s_set_result, waiter->outcome);
    if (failed && PyErr_ExceptionMatches(state->invalid_state)) {
        PyErr_Clear(); /* the task that awaits it has been cancelled */
        return 0;
    }
    return failed;
}

/* The object, None or the exception that a result stands for: a new reference, or NULL with an exception set. */
static PyObject *outcome_of(State *state, const kvl_result_t *result, bool *failed, PyObject **out_origin)
{
    *out_origin = NULL;
    *failed = result->status != KVL_VALUE && result->status != KVL_NULL;
    if (*failed)
        return exception_of(state, result->status, result->error, out_origin);
    if (result->status == KVL_VALUE)
        return box_content(result->object);
    Py_INCREF(Py_None);
    return Py_None;
}

int waiter_deliver_result(Waiter *waiter, const kvl_result_t *result)
{
    bool failed;
    PyObject *origin, *outcome = outcome_of(waiter->engine->store.state, result, &failed, &origin);
    if (!outcome || (waiter->wait == WAITS_FOR_EACH && waiter->target))
        Py_CLEAR(origin);
    if (!outcome)
        return -1;
    if (waiter->wait == WAITS_FOR_EACH && waiter->target) {
        PyObject *call_result = PyObject_CallFunction(waiter->target, "nN", (Py_ssize_t)result->index, outcome);
        Py_XDECREF(call_result);
        return call_result ? 0 : -1;
    }
    *(failed ? &waiter->error : &waiter->outcome) = outcome;
    waiter->origin = origin;
    return deliver(waiter);
}

void waiter_take_result(void *of, const kvl_result_t *result)
{
    Waiter *waiter = of;
    Outcomes *taken = waiter->engine->pump->taken;
    Py_INCREF(waiter);
    taken->items[taken->n++] = (Outcome){waiter, result->status == KVL_VALUE ? box_content(result->object) : NULL,
                                         kvl_error_retain((kvl_error_t *)result->error), result->status};
}

static int deliver_taken(State *state, Outcome *taken)
{
    Waiter *waiter = taken->waiter;
    if (taken->status == KVL_VALUE || taken->status == KVL_NULL) {
        waiter->outcome = taken->object ? taken->object : Py_None;
        Py_INCREF(waiter->outcome);
    } else if (!(waiter->error = exception_of(state, taken->status, taken->error, &waiter->origin))) {
        return -1;
    }
    return deliver(waiter);
}

int outcomes_deliver(State *state, Outcomes *taken)
{
    PyObject *type = NULL, *exception = NULL, *traceback = NULL;
    for (Outcome *one = taken->items; one < taken->items + taken->n; one++) {
        Engine *engine = one->waiter->engine;
        Py_XINCREF(engine);
        if (engine && engine_check_delivery(engine, deliver_taken(state, one), UNDELIVERED) < 0) {
            if (type)
                PyErr_WriteUnraisable((PyObject *)engine);
            else
                PyErr_Fetch(&type, &exception, &traceback);
        }
        if (one->waiter->engine)
            waiter_unlink(one->waiter);
        Py_XDECREF(engine);
        Py_XDECREF(one->object);
        kvl_error_release(one->error);
        Py_DECREF(one->waiter);
    }
    if (type)
        PyErr_Restore(type, exception, traceback);
    return type ? -1 : 0;
}

/* The details of a key: status, value, exception, source, attempts, age, remaining TTL, whether it is stale. */
static PyObject *result_of(State *state, const kvl_result_t *result)
{
    PyObject *value = Py_None, *error = Py_None, *origin = NULL;
    if (result->status == KVL_VALUE)
        value = ((Box *)result->object)->object;
    Py_INCREF(value);
    if (result->error)
        error = exception_of(state, kvl_error_status(result->error), result->error, &origin);
    else
        Py_INCREF(error);
    Py_XDECREF(origin);
    if (!error) {
        Py_DECREF(value);
        return NULL;
    }
    return Py_BuildValue("(iNNIILLO)", (int)result->status, value, error, (unsigned)result->source, (unsigned)result->attempts,
                         (long long)result->age_ms, (long long)result->ttl_left_ms, result->flags & KVL_F_STALE ? Py_True : Py_False);
}

/* The outcomes in the order of the keys. With FORM_VALUES, returns NULL with the first failure in *out_error and its origin in *out_origin. */
static PyObject *outcomes_of(State *state, const kvl_results_t *results, OutcomeForm form, PyObject **out_error, PyObject **out_origin)
{
    size_t stride, n = kvl_results_len(results);
    const char *at = (const char *)kvl_results_array(results, &stride);
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list && i < n; i++, at += stride) {
        bool failed = false;
        const kvl_result_t *result = (const kvl_result_t *)at;
        PyObject *origin = NULL, *outcome = form == FORM_RESULTS ? result_of(state, result) : outcome_of(state, result, &failed, &origin);
        if (form == FORM_VALUES && failed && outcome) {
            Py_DECREF(list);
            *out_error = outcome;
            *out_origin = origin;
            return NULL;
        }
        Py_XDECREF(origin);
        if (outcome)
            PyList_SetItem(list, (Py_ssize_t)i, outcome);
        else
            Py_CLEAR(list);
    }
    return list;
}

/* Stores a batch's outcome in the waiter. Returns 0, or -1 with an exception set. */
static int set_outcome(Waiter *waiter, State *state, const kvl_results_t *results)
{
    waiter->outcome = outcomes_of(state, results, waiter->form, &waiter->error, &waiter->origin);
    return waiter->outcome || waiter->error ? 0 : -1;
}

int waiter_deliver_results(Waiter *waiter, const kvl_results_t *results)
{
    return set_outcome(waiter, waiter->engine->store.state, results) < 0 ? -1 : deliver(waiter);
}

/* The outcome of a batch whose fetch returned its results at once: a list, or NULL with the first failure raised. */
PyObject *waiter_return_results(Waiter *waiter, State *state, const kvl_results_t *results)
{
    if (set_outcome(waiter, state, results) < 0)
        return NULL;
    if (waiter->error) {
        raise_for_caller(waiter->error, waiter->origin);
        return NULL;
    }
    Py_INCREF(waiter->outcome);
    return waiter->outcome;
}

/* ---- For Python ---- */

static PyObject *waiter_target(Waiter *self, void *unused)
{
    (void)unused;
    PyObject *target = self->target ? self->target : Py_None;
    Py_INCREF(target);
    return target;
}

static PyObject *waiter_take(Waiter *self, PyObject *unused)
{
    (void)unused;
    if (self->error) {
        raise_for_caller(self->error, self->origin);
        return NULL;
    }
    PyObject *outcome = self->outcome ? self->outcome : Py_None;
    Py_INCREF(outcome);
    return outcome;
}

/* raised(exception): called when the wait has raised, with the exception of the fetch or one that ended the wait before it, as a cancel does. */
static PyObject *waiter_raised(Waiter *self, PyObject *exception)
{
    if (exception == self->error) {
        if (self->origin)
            restore_context(exception, self->origin);
        Py_RETURN_NONE;
    }
    kvl_fetch_cancel(self->fetch);
    if (!self->engine || !self->engine->loop || !self->target)
        Py_RETURN_NONE;
    return PyObject_CallMethodObjArgs(self->target, self->engine->store.state->s_cancel, NULL); /* nobody awaits the future */
}

static PyObject *waiter_cancel(Waiter *self, PyObject *unused)
{
    (void)unused;
    kvl_fetch_cancel(self->fetch);
    Py_RETURN_NONE;
}

static int waiter_traverse(Waiter *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->target);
    Py_VISIT(self->progress);
    Py_VISIT(self->outcome);
    Py_VISIT(self->error);
    Py_VISIT(self->origin);
    return 0;
}

static int waiter_clear(Waiter *self)
{
    Py_CLEAR(self->target);
    Py_CLEAR(self->progress);
    Py_CLEAR(self->outcome);
    Py_CLEAR(self->error);
    Py_CLEAR(self->origin);
    return 0;
}

static void waiter_dealloc(Waiter *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    kvl_fetch_release(self->fetch);
    waiter_clear(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMethodDef waiter_methods[] = {
    {"take", (PyCFunction)waiter_take, METH_NOARGS, NULL},
    {"cancel", (PyCFunction)waiter_cancel, METH_NOARGS, NULL},
    {"raised", (PyCFunction)waiter_raised, METH_O, NULL},
    {0},
};
static PyGetSetDef waiter_getset[] = {{"target", (getter)waiter_target, NULL, NULL, NULL}, {0}};
static PyType_Slot waiter_slots[] = {
    {Py_tp_dealloc, waiter_dealloc}, {Py_tp_traverse, waiter_traverse}, {Py_tp_clear, waiter_clear},
    {Py_tp_methods, waiter_methods}, {Py_tp_getset, waiter_getset},     {0},
};
PyType_Spec waiter_spec = {"kvlight._native.Waiter", sizeof(Waiter), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, waiter_slots};
