/* The pump, which handles the events of an engine's queue. An event loop calls it when the queue's descriptor is readable, or a separate thread runs it.
 * It holds the engine only while a fetch is in progress, so that an engine that is never closed can be collected. */
#include "native.h"

Pump *pump_new(State *state, PyObject *module, Engine *engine)
{
    Pump *self = (Pump *)PyType_GenericAlloc(state->pump_type, 0);
    if (!self)
        return NULL;
    self->state = state;
    Py_INCREF(module);
    self->module = module;
    self->engine = engine;
    self->fd = -1;
    return self;
}

/* Returns the queue's descriptor, for the loop of this thread to watch; -1 with an exception set. */
int pump_attach(Pump *self, PyObject *loop)
{
    int32_t fd;
    kvl_status_t status = kvl_queue_fd(self->queue, &fd);
    if (status < 0) {
        raise_status(self->state, status, NULL);
        return -1;
    }
    Py_INCREF(loop);
    self->loop = loop;
    self->thread = PyThread_get_thread_ident();
    return self->fd = fd;
}

/* Passes an event to the engine. Once the engine has ended, nobody waits for the event, and it is ignored. */
static int handle(Pump *self, const kvl_event_t *event)
{
    Engine *engine = self->engine;
    if (!engine)
        return 0;
    Py_INCREF(engine);
    int failed = engine_handle(engine, event);
    Py_DECREF(engine);
    return failed;
}

void pump_take_closed(void *pump) { ((Pump *)pump)->taken->has_closed = true; }

/* Completes the close, even if a function of the program has just raised. Its exception is set again afterwards. */
static int complete_close(Pump *self)
{
    Engine *engine = self->engine;
    if (!engine)
        return 0;
    PyObject *type, *exception, *traceback;
    PyErr_Fetch(&type, &exception, &traceback);
    Py_INCREF(engine);
    int failed = engine_check_delivery(engine, engine_complete_close(engine), UNDELIVERED);
    if (type) {
        if (failed < 0)
            PyErr_WriteUnraisable((PyObject *)engine);
        PyErr_Restore(type, exception, traceback);
    }
    Py_DECREF(engine);
    return failed;
}

/* Handles the outcomes of single keys at the head of the queue. Callbacks take them out, which costs less than an event for each. Returns their number,
 * or -1 with an exception set; *out_status is the status of the poll. */
static int drain_outcomes(Pump *self, size_t max, kvl_status_t *out_status)
{
    Outcomes taken;
    size_t ran = 0;
    taken.has_closed = false;
    taken.n = 0;
    self->taken = &taken;
    releases_own_drops++;
    *out_status = kvl_queue_poll(self->queue, max < MAX_OUTCOMES ? max : MAX_OUTCOMES, 0, &ran);
    self->taken = NULL;
    int failed = outcomes_deliver(self->state, &taken);
    if (taken.has_closed && complete_close(self) < 0)
        failed = -1;
    releases_own_drops--;
    drops_release_pending(self->state->drops);
    return failed ? -1 : (int)ran;
}

/* Called when the handling of an event has raised. The event counts as handled only once the queue is read again, and a close may wait for that.
 * Returns -1, with the exception still set. */
static int end_last_event(Pump *self)
{
    PyObject *type, *exception, *traceback;
    PyErr_Fetch(&type, &exception, &traceback);
    if (self->queue)
        CALL_LIBRARY(self->state->drops, kvl_queue_poll(self->queue, 0, 0, NULL));
    PyErr_Restore(type, exception, traceback);
    return -1;
}

int pump_drain(Pump *self, size_t max)
{
    for (size_t handled = 0; handled < max && self->queue;) {
        kvl_event_t event;
        kvl_status_t status = KVL_ERR_NO_CALLBACK;
        if (self->engine) { /* once it has ended, the callback would find no waiter */
            int delivered = drain_outcomes(self, max - handled, &status);
            if (delivered < 0)
                return -1;
            handled += (size_t)delivered;
            if (!self->queue)
                return 0;
        }
        if (status == KVL_ERR_NO_CALLBACK) /* an event of another kind */
            CALL_LIBRARY(self->state->drops, status = kvl_queue_next(self->queue, 0, &event, sizeof event); handled++);
        else if (status == KVL_OK)
            continue;
        if (status == KVL_EMPTY)
            return 0;
        if (status < 0) {
            raise_status(self->state, status, NULL);
            return -1;
        }
        if (handle(self, &event) < 0)
            return end_last_event(self);
    }
    return self->queue != NULL;
}

int pump_drain_some(Pump *self) { return pump_drain(self, MAX_OUTCOMES); }

static void unraisable(PyObject *where, PyObject *result)
{
    if (!result)
        PyErr_WriteUnraisable(where);
    Py_XDECREF(result);
}

static bool loop_is(Pump *self, PyObject *method)
{
    PyObject *answer = PyObject_CallMethodObjArgs(self->loop, method, NULL);
    int truth = answer ? PyObject_IsTrue(answer) : 0;
    if (!answer)
        PyErr_Clear();
    Py_XDECREF(answer);
    return truth > 0;
}

static void free_queue(Pump *self)
{
    kvl_queue_t *queue = self->queue;
    self->queue = NULL;
    if (!queue)
        return;
    kvl_status_t status;
    CALL_LIBRARY(self->state->drops, Py_BEGIN_ALLOW_THREADS status = kvl_queue_free(queue); Py_END_ALLOW_THREADS);
    if (status < 0) /* a save() or load() in progress holds the cache */
        CALL_LIBRARY(self->state->drops, kvl_queue_dispose(queue));
}

/* Cancels the coroutines that still load keys for an engine that has ended. */
static void cancel_requests(Pump *self)
{
    PyObject *requests = self->requests ? PyDict_Values(self->requests) : NULL;
    for (Py_ssize_t i = 0; requests && i < PyList_Size(requests); i++)
        request_cancelled((Request *)PyList_GetItem(requests, i));
    Py_XDECREF(requests);
}

/* Stops the loop from watching the queue's descriptor, handles the remaining events and frees the queue. Called on the loop's thread, or while no loop
 * runs. */
void pump_finish(Pump *self)
{
    if (self->is_finished)
        return;
    self->is_finished = true;
    if (self->loop && !loop_is(self, self->state->s_is_closed)) {
        PyObject *fd = PyLong_FromLong(self->fd);
        unraisable((PyObject *)self, fd ? PyObject_CallMethodObjArgs(self->loop, self->state->s_remove_reader, fd, NULL) : NULL);
        Py_XDECREF(fd);
        cancel_requests(self);
    } else if (!self->loop) {
        cancel_requests(self);
    }
    Py_CLEAR(self->requests);
    if (pump_drain(self, SIZE_MAX) < 0)
        PyErr_WriteUnraisable((PyObject *)self);
    free_queue(self);
    Py_CLEAR(self->loop);
}

/* Calls loop.METHOD(self.finish). Returns whether the loop accepted the callback. */
static bool schedule_finish(Pump *self, PyObject *method)
{
    PyObject *finish = PyObject_GetAttrString((PyObject *)self, "finish");
    PyObject *handle = finish ? PyObject_CallMethodObjArgs(self->loop, method, finish, NULL) : NULL;
    Py_XDECREF(finish);
    Py_XDECREF(handle);
    if (!handle)
        PyErr_Clear(); /* the loop was closed meanwhile */
    return handle != NULL;
}

/* Called when the engine has ended: finishes the pump, now or on the thread that reads the queue. */
void pump_detach(Pump *self)
{
    if (self->is_running) {
        kvl_queue_wake(self->queue); /* run() finishes the pump */
        return;
    }
    if (self->loop && !self->is_finished) {
        bool is_on_loop = self->thread == PyThread_get_thread_ident();
        if (!is_on_loop && schedule_finish(self, self->state->s_call_soon_threadsafe))
            return;
        if (is_on_loop && loop_is(self, self->state->s_is_running) && schedule_finish(self, self->state->s_call_soon))
            return;
    }
    pump_finish(self);
}

/* ---- For Python ---- */

static PyObject *pump_call(Pump *self, PyObject *args, PyObject *kwargs)
{
    (void)args, (void)kwargs;
    if (pump_drain_some(self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* run(): handles events until the engine has ended. Does not hold the interpreter's lock while it waits. */
static PyObject *pump_run(Pump *self, PyObject *unused)
{
    (void)unused;
    self->is_running = true;
    while (self->engine) {
        kvl_event_t event;
        kvl_status_t status;
        kvl_queue_t *queue = self->queue;
        /* No CALL_LIBRARY: what this call drops before it waits would be released only after the wait. */
        Py_BEGIN_ALLOW_THREADS status = kvl_queue_next(queue, KVL_FOREVER, &event, sizeof event);
        Py_END_ALLOW_THREADS drops_release_pending(self->state->drops);
        if (status == KVL_OK && handle(self, &event) < 0)
            PyErr_WriteUnraisable((PyObject *)self);
        else if (status < 0)
            break; /* this is the child of a fork */
    }
    self->is_running = false;
    pump_finish(self);
    Py_RETURN_NONE;
}

/* _end_turn(): called by the loop at the end of a turn in which keys have gathered. */
static PyObject *pump_end_turn(Pump *self, PyObject *unused)
{
    (void)unused;
    Engine *engine = self->engine;
    if (engine) {
        engine->is_gathering = false;
        CALL_LIBRARY(self->state->drops, kvl_tasks_gather(engine->tasks, 0)); /* a closed engine has handed out its keys already */
    }
    return pump_call(self, NULL, NULL); /* the requests are in the queue now */
}

static PyObject *pump_finish_now(Pump *self, PyObject *unused)
{
    (void)unused;
    pump_finish(self);
    Py_RETURN_NONE;
}

static int pump_traverse(Pump *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->module);
    Py_VISIT(self->kept_engine);
    Py_VISIT(self->loop);
    Py_VISIT(self->requests);
    return 0;
}

static int pump_clear(Pump *self)
{
    Py_CLEAR(self->kept_engine);
    Py_CLEAR(self->loop);
    Py_CLEAR(self->requests);
    return 0;
}

static void pump_dealloc(Pump *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    /* The queue still exists if the loop accepted finish(), but was closed before the call. */
    self->engine = NULL;
    free_queue(self);
    pump_clear(self);
    Py_XDECREF(self->module);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMethodDef pump_methods[] = {
    {"run", (PyCFunction)pump_run, METH_NOARGS, NULL},
    {"_end_turn", (PyCFunction)pump_end_turn, METH_NOARGS, NULL},
    {"finish", (PyCFunction)pump_finish_now, METH_NOARGS, NULL},
    {0},
};
static PyType_Slot pump_slots[] = {
    {Py_tp_dealloc, pump_dealloc}, {Py_tp_traverse, pump_traverse}, {Py_tp_clear, pump_clear},
    {Py_tp_call, pump_call},       {Py_tp_methods, pump_methods},   {0},
};
PyType_Spec pump_spec = {"kvlight._native.Pump", sizeof(Pump), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, pump_slots};
