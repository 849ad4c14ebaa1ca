/* An engine: opening, closing, its circuit breaker, and the handling of its events. */
#include "native.h"

/* ---- Opening and closing ---- */

static PyObject *engine_open(Engine *self, PyObject *args)
{
    PyObject *settings, *clock, *encode, *decode, *cost, *redis;
    int abilities; /* KVL_L2_F_* flags of the second tier; -1 without one */
    if (!PyArg_ParseTuple(args, "OOOOOiO", &settings, &clock, &encode, &decode, &cost, &abilities, &redis))
        return NULL;
    kvl_config_t *config;
    if (store_init(&self->store, settings, clock, &config) < 0)
        return NULL;
    store_set_functions(&self->store, encode, decode, cost);
    State *state = self->store.state;
    kvl_error_t *error = NULL;
    kvl_status_t status = KVL_OK;
    if ((self->requests = PyDict_New()) && (self->pump = pump_new(state, self->store.module, self))) {
        status = kvl_queue_new(0, &self->pump->queue);
        if (status >= 0)
            status = kvl_config_set_provider(config, NULL, NULL, NULL);
        if (status >= 0)
            status = kvl_config_set_queue(config, self->pump->queue, KVL_QUEUE_F_ALL | KVL_QUEUE_F_L2);
        if (status >= 0 && abilities >= 0)
            status = kvl_config_set_l2(config, (uint32_t)abilities | KVL_L2_F_OBJECTS, NULL, NULL, NULL);
        if (status >= 0)
            status = kvl_tasks_new(config, &self->tasks, &error);
        if (status >= 0)
            status = kvl_tasks_cache(self->tasks, &self->store.cache);
        if (status >= 0 && redis != Py_None) {
            Py_INCREF(redis);
            self->redis = redis;
            status = redis_attach(redis, self->tasks);
        }
        self->reads_store_first = kvl_tasks_reads_store_first(self->tasks) != 0;
    }
    if (status < 0)
        raise_status(state, status, error ? kvl_error_message(error) : NULL);
    kvl_error_release(error);
    kvl_config_free(config);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

/* Detaches the unfinished requests from the engine and hands them to the pump: no caller waits for their answers any longer. */
static void abandon_requests(Engine *self)
{
    PyObject *requests = self->requests, *request;
    self->requests = NULL;
    Py_ssize_t at = 0;
    while (requests && PyDict_Next(requests, &at, NULL, &request))
        ((Request *)request)->engine = NULL;
    self->pump->requests = requests;
}

/* Ends the engine, whatever its state. Waits for the library's threads. They cannot be waiting for this thread: all events go to the queue, so the
 * library's threads run no code of the program. */
static void free_tasks(Engine *self, kvl_tasks_t *tasks, Pump *pump)
{
    if (tasks) {
        kvl_status_t status;
        CALL_LIBRARY(self->store.state->drops, Py_BEGIN_ALLOW_THREADS status = kvl_tasks_free(tasks); Py_END_ALLOW_THREADS);
        if (status == KVL_ERR_REENTRANT) /* inside a function called by save() or load(): end without waiting */
            CALL_LIBRARY(self->store.state->drops, kvl_tasks_dispose(tasks));
    }
    pump_detach(pump);
    Py_DECREF(pump);
}

/* Around a call that releases the interpreter's lock: another thread may end the engine meanwhile, which then stays until the call has returned. */
kvl_tasks_t *engine_enter(Engine *self)
{
    self->calls++;
    return self->tasks;
}

void engine_leave(Engine *self)
{
    Pump *pump = self->ended_pump;
    if (--self->calls == 0 && pump) {
        kvl_tasks_t *tasks = self->ended;
        self->ended = NULL;
        self->ended_pump = NULL;
        free_tasks(self, tasks, pump);
    }
}

static void engine_end(Engine *self)
{
    Pump *pump = self->pump;
    kvl_tasks_t *tasks = self->tasks;
    if (!pump)
        return;
    PyObject *type, *exception, *traceback;
    PyErr_Fetch(&type, &exception, &traceback);
    /* First remove every reference to the engine: below, other threads may take the interpreter's lock. */
    pump->engine = NULL;
    abandon_requests(self);
    self->pump = NULL;
    self->tasks = NULL;
    while (self->waiters)
        waiter_unlink(self->waiters);
    Py_CLEAR(pump->kept_engine);
    store_release(&self->store);
    PyObject *redis = self->redis;
    self->redis = NULL;
    if (redis) {
        redis_stop(redis); /* the connection uses the engine until then */
        Py_DECREF(redis);
    }
    if (self->calls > 0) {
        self->ended = tasks;
        self->ended_pump = pump;
    } else {
        free_tasks(self, tasks, pump);
    }
    PyErr_Restore(type, exception, traceback);
}

static int engine_traverse(Engine *self, visitproc visit, void *arg)
{
    for (Waiter *waiter = self->waiters; waiter; waiter = waiter->next)
        Py_VISIT(waiter);
    Py_VISIT(self->recycled);
    Py_VISIT(self->pump);
    Py_VISIT(self->loop);
    Py_VISIT(self->requests);
    Py_VISIT(self->closing);
    return store_traverse(&self->store, visit, arg);
}

static int engine_clear(Engine *self)
{
    engine_end(self);
    Py_CLEAR(self->recycled);
    Py_CLEAR(self->loop);
    Py_CLEAR(self->closing);
    return store_clear(&self->store);
}

static void engine_dealloc(Engine *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    engine_clear(self);
    Py_XDECREF(self->store.module);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyObject *engine_abandon(Engine *self, PyObject *unused)
{
    (void)unused;
    engine_end(self);
    Py_RETURN_NONE;
}

/* _attach(loop, gathers): returns the queue's descriptor for the loop to watch. */
static PyObject *engine_attach(Engine *self, PyObject *args)
{
    PyObject *loop;
    int gathers;
    if (!PyArg_ParseTuple(args, "Op", &loop, &gathers) || !store_check_open(&self->store))
        return NULL;
    int fd = pump_attach(self->pump, loop);
    if (fd < 0)
        return NULL;
    Py_INCREF(loop);
    self->loop = loop;
    self->gathers = gathers;
    return PyLong_FromLong(fd);
}

static PyObject *engine_close(Engine *self, PyObject *args)
{
    PyObject *drain, *closing;
    if (!PyArg_ParseTuple(args, "OO", &drain, &closing) || !store_check_open(&self->store))
        return NULL;
    int64_t deadline_ms = drain == Py_None ? 0 : PyLong_AsLongLong(drain);
    if (deadline_ms == -1 && PyErr_Occurred())
        return NULL;
    if (closing != Py_None && !self->closing) {
        Py_INCREF(closing);
        self->closing = closing;
    }
    kvl_status_t status;
    Pump *pump = self->pump;
    kvl_tasks_t *tasks = engine_enter(self);
    CALL_LIBRARY(self->store.state->drops, Py_BEGIN_ALLOW_THREADS status = kvl_tasks_close(
                tasks, drain == Py_None ? KVL_CLOSE_CANCEL : KVL_CLOSE_DRAIN, deadline_ms, pump_take_closed, pump, NULL);
            Py_END_ALLOW_THREADS);
    engine_leave(self);
    if (status < 0)
        return raise_status(self->store.state, status, NULL);
    Py_RETURN_NONE;
}

/* ---- The circuit breaker ---- */

static PyObject *engine_breaker(Engine *self, void *unused)
{
    (void)unused;
    return store_check_open(&self->store) ? PyLong_FromUnsignedLong(kvl_tasks_breaker_state(self->tasks)) : NULL;
}

static PyObject *engine_force_breaker(Engine *self, PyObject *state)
{
    unsigned long force = PyLong_AsUnsignedLong(state);
    if (PyErr_Occurred() || !store_check_open(&self->store))
        return NULL;
    kvl_status_t status;
    kvl_tasks_t *tasks = engine_enter(self);
    CALL_LIBRARY(self->store.state->drops, Py_BEGIN_ALLOW_THREADS status = kvl_tasks_breaker_force(tasks, (uint32_t)force);
            Py_END_ALLOW_THREADS);
    engine_leave(self);
    if (status < 0)
        return raise_status(self->store.state, status, NULL);
    Py_RETURN_NONE;
}

/* ---- Events ---- */

void engine_report(Engine *self, const char *what)
{
    PyObject *exception = take_exception();
    PyObject *text = PyUnicode_FromString(what);
    PyObject *result = text ? PyObject_CallMethodObjArgs((PyObject *)self, self->store.state->s__report, text, exception, NULL) : NULL;
    if (!result)
        PyErr_WriteUnraisable((PyObject *)self);
    Py_XDECREF(result);
    Py_XDECREF(text);
    Py_XDECREF(exception);
}

static int provide(Engine *self, kvl_request_t *handle)
{
    Request *request = (Request *)request_new(self, handle);
    if (!request)
        return 0; /* request_new() has failed the keys */
    unsigned long long number = PyLong_AsUnsignedLongLong(request->number);
    PyObject *result = PyObject_CallMethodObjArgs((PyObject *)self, self->store.state->s__provide, request, NULL);
    int failed = 0;
    if (!result) {
        PyObject *exception = take_exception();
        PyObject *done = PyObject_CallMethod((PyObject *)request, "fail", "O", exception);
        failed = PyErr_GivenExceptionMatches(exception, PyExc_Exception) ? 0 : -1;
        if (failed && done)
            PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
        Py_XDECREF(done);
        Py_DECREF(exception);
    } else if (request->handle && /* a later KVL_EVENT_CANCEL will carry the number */
               kvl_request_on_cancel(request->handle, NULL, (void *)(uintptr_t)number, NULL) == KVL_ERR_CANCELLED) {
        request_cancelled(request);
    }
    Py_XDECREF(result);
    Py_DECREF(request);
    return failed;
}

/* Passes a request for the second tier to self._serve(). If that raises, the request is dropped, and so fails. */
static int serve(Engine *self, kvl_l2_request_t *handle)
{
    PyObject *request = tier_request_new(self, handle);
    PyObject *returned = request ? PyObject_CallMethodObjArgs((PyObject *)self, self->store.state->s__serve, request, NULL) : NULL;
    Py_XDECREF(returned);
    Py_XDECREF(request);
    return returned ? 0 : -1;
}

static int cancel_request(Engine *self, uintptr_t number)
{
    PyObject *key = PyLong_FromUnsignedLongLong(number);
    PyObject *request = key && self->requests ? PyDict_GetItemWithError(self->requests, key) : NULL;
    Py_XDECREF(key);
    if (!request)
        return PyErr_Occurred() ? -1 : 0; /* usually the request was finished before this event was handled */
    Py_INCREF(request);
    request_cancelled((Request *)request);
    Py_DECREF(request);
    return 0;
}

static int call_progress(Waiter *waiter, const kvl_event_t *event)
{
    if (!waiter->progress)
        return 0;
    PyObject *result =
        PyObject_CallFunction(waiter->progress, "nnn", (Py_ssize_t)event->done, (Py_ssize_t)event->failed, (Py_ssize_t)event->total);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* Each call of close has an event of its own. The first one ends the waits of all. */
int engine_complete_close(Engine *self)
{
    PyObject *closing = self->closing;
    if (!closing)
        return 0;
    State *state = self->store.state;
    self->closing = NULL;
    PyObject *result = self->loop ? PyObject_CallMethodObjArgs(closing, state->s_set_result, Py_None, NULL)
                                  : PyObject_CallMethodObjArgs(closing, state->s_release, NULL);
    Py_DECREF(closing);
    Py_XDECREF(result);
    return result ? 0 : -1;
}

/* Delivers an event to its waiter. The last event of a fetch removes the waiter from the list. */
static int deliver_event(const kvl_event_t *event)
{
    Waiter *waiter = event->user_data;
    int failed = 0;
    Py_INCREF(waiter);
    if (event->kind == KVL_EVENT_PROGRESS)
        failed = call_progress(waiter, event);
    else if (event->kind == KVL_EVENT_RESULTS)
        failed = waiter_deliver_results(waiter, event->results);
    else
        failed = waiter_deliver_result(waiter, event->result);
    if (waiter->engine && (event->kind == KVL_EVENT_RESULTS || (event->kind == KVL_EVENT_RESULT && event->flags & KVL_F_LAST)))
        waiter_unlink(waiter);
    Py_DECREF(waiter);
    return failed;
}

int engine_check_delivery(Engine *self, int failed, const char *what)
{
    if (failed && PyErr_ExceptionMatches(PyExc_Exception)) {
        engine_report(self, what);
        return 0;
    }
    return failed;
}

int engine_handle(Engine *self, const kvl_event_t *event)
{
    int failed = 0;
    switch (event->kind) {
    case KVL_EVENT_RESULT:
    case KVL_EVENT_RESULTS:
    case KVL_EVENT_PROGRESS:
        failed = deliver_event(event);
        break;
    case KVL_EVENT_REQUEST:
        failed = provide(self, event->request);
        break;
    case KVL_EVENT_L2:
        failed = serve(self, event->l2_request);
        break;
    case KVL_EVENT_CANCEL:
        failed = cancel_request(self, (uintptr_t)event->user_data);
        break;
    case KVL_EVENT_CLOSED:
        failed = engine_complete_close(self);
        break;
    }
    return engine_check_delivery(self, failed, event->kind == KVL_EVENT_PROGRESS ? "a progress function raised" : UNDELIVERED);
}

static PyObject *engine_unfinished_requests(Engine *self, PyObject *unused)
{
    (void)unused;
    return self->requests ? PyDict_Values(self->requests) : PyList_New(0);
}

static PyObject *engine_pump(Engine *self, void *unused)
{
    (void)unused;
    PyObject *pump = self->pump ? (PyObject *)self->pump : Py_None;
    Py_INCREF(pump);
    return pump;
}

static PyMethodDef engine_methods[] = {
    {"_open", (PyCFunction)engine_open, METH_VARARGS, NULL},
    {"_attach", (PyCFunction)engine_attach, METH_VARARGS, NULL},
    {"_close", (PyCFunction)engine_close, METH_VARARGS, NULL},
    {"_abandon", (PyCFunction)engine_abandon, METH_NOARGS, NULL},
    {"_fetch", (PyCFunction)(void (*)(void))engine_fetch, METH_FASTCALL, NULL},
    {"_fetch_on_loop", (PyCFunction)(void (*)(void))engine_fetch_on_loop, METH_FASTCALL, NULL},
    {"_fetch_all", (PyCFunction)engine_fetch_all, METH_VARARGS, NULL},
    {"_fetch_each", (PyCFunction)engine_fetch_each, METH_VARARGS, NULL},
    {"_raw_keys", (PyCFunction)engine_raw_keys, METH_O, NULL},
    {"_refresh", (PyCFunction)engine_refresh, METH_VARARGS, NULL},
    {"_invalidate", (PyCFunction)engine_invalidate, METH_VARARGS, NULL},
    {"_unfinished_requests", (PyCFunction)engine_unfinished_requests, METH_NOARGS, NULL},
    {"_force_breaker", (PyCFunction)engine_force_breaker, METH_O, NULL},
    {0},
};

static PyObject *engine_reads_store_first(Engine *self, void *Py_UNUSED(unused)) { return PyBool_FromLong(self->reads_store_first); }

static PyGetSetDef engine_getset[] = {
    {"_reads_store_first", (getter)engine_reads_store_first, NULL, NULL, NULL},
    {"_pump", (getter)engine_pump, NULL, NULL, NULL},
    {"_breaker", (getter)engine_breaker, NULL, NULL, NULL},
    {0},
};
static PyType_Slot engine_slots[] = {
    {Py_tp_dealloc, engine_dealloc}, {Py_tp_traverse, engine_traverse}, {Py_tp_clear, engine_clear},
    {Py_tp_methods, engine_methods}, {Py_tp_getset, engine_getset},     {0},
};
PyType_Spec engine_spec = {"kvlight._native.Engine", sizeof(Engine), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, engine_slots};
