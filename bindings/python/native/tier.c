/* Requests for the second tier: keys to look up, entries to store, keys to remove. */
#include "native.h"

typedef struct {
    PyObject_HEAD
    State *state;
    PyObject *module, *cost, *keys;
    kvl_l2_request_t *handle; /* NULL once the request is finished */
} TierRequest;

PyObject *tier_request_new(Engine *engine, kvl_l2_request_t *handle)
{
    State *state = engine->store.state;
    TierRequest *self = (TierRequest *)PyType_GenericAlloc(state->tier_request_type, 0);
    if (!self)
        return NULL;
    self->state = state;
    Py_INCREF(engine->store.module);
    self->module = engine->store.module;
    Py_XINCREF(engine->store.cost);
    self->cost = engine->store.cost;
    self->handle = kvl_l2_request_retain(handle);
    size_t n = kvl_l2_request_len(handle);
    const kvl_slice_t *keys = kvl_l2_request_keys(handle);
    self->keys = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; self->keys && i < n; i++) {
        PyObject *key = PyBytes_FromStringAndSize((const char *)keys[i].data, (Py_ssize_t)keys[i].len);
        if (key)
            PyList_SetItem(self->keys, (Py_ssize_t)i, key);
        else
            Py_CLEAR(self->keys);
    }
    if (!self->keys)
        Py_CLEAR(self);
    return (PyObject *)self;
}

kvl_l2_request_t *tier_request_handle(PyObject *request) { return ((TierRequest *)request)->handle; }

static void release_handle(TierRequest *self)
{
    kvl_l2_request_t *handle = self->handle;
    self->handle = NULL;
    if (handle)
        CALL_LIBRARY(self->state->drops, kvl_l2_request_release(handle));
}

/* Checks the status of an answer. An answer that comes late, a second time or after the close is not the second tier's fault, and raises nothing. */
static int check(TierRequest *self, kvl_status_t status)
{
    if (status >= 0 || status == KVL_ERR_ALREADY_ANSWERED || status == KVL_ERR_CLOSED || status == KVL_ERR_FORKED)
        return 0;
    raise_status(self->state, status, NULL);
    return -1;
}

static PyObject *checked(TierRequest *self, kvl_status_t status)
{
    if (check(self, status) < 0)
        return NULL;
    Py_RETURN_NONE;
}

/* Clears the exception that is set, and passes it to `function`. */
static int report(PyObject *function)
{
    PyObject *exception = take_exception();
    PyObject *returned = PyObject_CallFunctionObjArgs(function, exception, NULL);
    Py_XDECREF(exception);
    Py_XDECREF(returned);
    return returned ? 0 : -1;
}

/* ---- What is to be stored ---- */

/* States the bytes of the i-th value. Returns 1, also for a null, which has no bytes; 0 if no bytes can be made, and the value is refused; -1 with an
 * exception set. */
static int state_payload(TierRequest *self, size_t i, PyObject *dump, PyObject *reporter)
{
    kvl_value_t *value = NULL;
    kvl_status_t status = kvl_l2_request_value(self->handle, i, &value);
    if (status != KVL_VALUE)
        return status == KVL_NULL ? 1 : check(self, status);
    PyObject *object = value_into_object(self->state, status, value);
    Bytes bytes;
    bytes_start(&bytes);
    int dumped = value_dump(self->state, dump, object, &bytes);
    Py_DECREF(object);
    if (dumped < 0 && PyErr_ExceptionMatches(PyExc_Exception))
        dumped = report(reporter);
    if (dumped > 0)
        status = kvl_l2_request_set_payload(self->handle, i, bytes.data, bytes.len);
    else if (dumped == 0)
        CALL_LIBRARY(self->state->drops, status = kvl_l2_request_refused(self->handle, i));
    bytes_end(&bytes);
    return dumped;
}

/* state_payloads(dump, report): states the bytes of each value, and returns whether anything is left to be stored. A value without bytes is refused. */
static PyObject *tier_request_state_payloads(TierRequest *self, PyObject *args)
{
    PyObject *dump, *reporter;
    if (!PyArg_ParseTuple(args, "OO", &dump, &reporter))
        return NULL;
    Py_ssize_t n = self->handle ? PyList_Size(self->keys) : 0;
    long stated = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        int has_payload = state_payload(self, (size_t)i, dump, reporter);
        if (has_payload < 0)
            return NULL;
        stated += has_payload;
    }
    return PyBool_FromLong(stated);
}

/* entries(dump, report): a list of (index, key, entry, ttl_ms, token). What cannot be stored is refused and left out. */
static PyObject *tier_request_entries(TierRequest *self, PyObject *args)
{
    PyObject *dump, *reporter;
    if (!PyArg_ParseTuple(args, "OO", &dump, &reporter))
        return NULL;
    PyObject *all = PyList_New(0);
    Py_ssize_t n = self->handle ? PyList_Size(self->keys) : 0;
    for (Py_ssize_t i = 0; all && i < n; i++) {
        int has_payload = state_payload(self, (size_t)i, dump, reporter);
        if (has_payload == 0)
            continue;
        const uint8_t *data, *token;
        size_t len, token_len;
        int64_t ttl_ms;
        PyObject *one = NULL;
        if (has_payload > 0) {
            kvl_status_t status = kvl_l2_request_entry(self->handle, (size_t)i, &data, &len, &ttl_ms, &token, &token_len);
            one = status < 0 ? raise_status(self->state, status, NULL)
                             : Py_BuildValue("(nOy#Ly#)", i, PyList_GetItem(self->keys, i), (const char *)data, (Py_ssize_t)len,
                                             (long long)ttl_ms, (const char *)token, (Py_ssize_t)token_len);
        }
        if (!one || PyList_Append(all, one) < 0)
            Py_CLEAR(all);
        Py_XDECREF(one);
    }
    return all;
}

/* ---- What was found ---- */

/* The object of an entry as a value. NULL if it cannot be made: an Exception is reported, any other BaseException stays set. */
static kvl_value_t *found_value(TierRequest *self, PyObject *load, PyObject *reporter, const uint8_t *payload, size_t len)
{
    bool failed = false;
    PyObject *object = len ? value_load(self->state, load, payload, len) : NULL;
    uint64_t cost = object && object != Py_None ? cost_of(self->cost, object, &failed) : 0;
    kvl_value_t *value = object && object != Py_None && !failed ? value_new(self->state, object, cost) : NULL;
    Py_XDECREF(object);
    if (!value && PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_Exception))
        report(reporter);
    return value;
}

/* hit(index, entry, ttl_left_ms, token, load, report) */
static PyObject *tier_request_hit(TierRequest *self, PyObject *args)
{
    Py_ssize_t i, len, token_len;
    const char *entry, *token;
    long long ttl_left_ms;
    PyObject *load, *reporter;
    if (!PyArg_ParseTuple(args, "ny#Ly#OO", &i, &entry, &len, &ttl_left_ms, &token, &token_len, &load, &reporter))
        return NULL;
    if (!self->handle)
        Py_RETURN_NONE;
    const uint8_t *data = (const uint8_t *)entry, *payload = NULL;
    size_t payload_len = 0;
    kvl_l2_request_t *handle = kvl_l2_request_retain(self->handle); /* the program's functions run below */
    kvl_status_t status = kvl_l2_request_payload(handle, (size_t)i, data, (size_t)len, &payload, &payload_len);
    kvl_value_t *value = status == KVL_OK ? found_value(self, load, reporter, payload, payload_len) : NULL;
    if (PyErr_Occurred()) {
        CALL_LIBRARY(self->state->drops, kvl_l2_request_release(handle));
        return NULL;
    }
    if (value)
        CALL_LIBRARY(self->state->drops, status = kvl_l2_request_hit_object(handle, (size_t)i, data, (size_t)len, ttl_left_ms, (const uint8_t *)token,
                                                                      (size_t)token_len, value);
                kvl_value_release(value));
    else if (status >= 0) /* a null is a hit; values that are bytes of another program, and objects that cannot be made, are misses */
        CALL_LIBRARY(self->state->drops, status = kvl_l2_request_hit(handle, (size_t)i, data, status == KVL_NULL ? (size_t)len : 0, ttl_left_ms,
                                                               (const uint8_t *)token, (size_t)token_len));
    CALL_LIBRARY(self->state->drops, kvl_l2_request_release(handle));
    return checked(self, status);
}

static PyObject *tier_request_miss(TierRequest *self, PyObject *args)
{
    Py_ssize_t i, token_len;
    const char *token;
    if (!PyArg_ParseTuple(args, "ny#", &i, &token, &token_len))
        return NULL;
    kvl_status_t status = KVL_OK;
    if (self->handle)
        CALL_LIBRARY(self->state->drops, status = kvl_l2_request_miss(self->handle, (size_t)i, (const uint8_t *)token, (size_t)token_len));
    return checked(self, status);
}

static PyObject *tier_request_leased(TierRequest *self, PyObject *index)
{
    Py_ssize_t i = PyLong_AsSsize_t(index);
    if (i == -1 && PyErr_Occurred())
        return NULL;
    kvl_status_t status = KVL_OK;
    if (self->handle)
        CALL_LIBRARY(self->state->drops, status = kvl_l2_request_leased(self->handle, (size_t)i));
    return checked(self, status);
}

static PyObject *tier_request_refuse(TierRequest *self, PyObject *index)
{
    Py_ssize_t i = PyLong_AsSsize_t(index);
    if (i == -1 && PyErr_Occurred())
        return NULL;
    kvl_status_t status = KVL_OK;
    if (self->handle)
        CALL_LIBRARY(self->state->drops, status = kvl_l2_request_refused(self->handle, (size_t)i));
    return checked(self, status);
}

static PyObject *tier_request_finish(TierRequest *self, PyObject *unused)
{
    (void)unused;
    kvl_status_t status = KVL_OK;
    if (self->handle)
        CALL_LIBRARY(self->state->drops, status = kvl_l2_request_finish(self->handle));
    release_handle(self);
    return checked(self, status);
}

/* fail(): finishes the request; the unanswered keys of a read fail, or everything that was to be written. */
static PyObject *tier_request_fail(TierRequest *self, PyObject *unused)
{
    (void)unused;
    kvl_l2_request_t *handle = self->handle;
    size_t n = handle && kvl_l2_request_kind(handle) != KVL_L2_READ ? kvl_l2_request_len(handle) : 0;
    if (handle && kvl_l2_request_kind(handle) == KVL_L2_CLEAR)
        n = 1;
    for (size_t i = 0; i < n; i++)
        CALL_LIBRARY(self->state->drops, kvl_l2_request_fail(handle, i));
    return tier_request_finish(self, NULL);
}

static PyObject *tier_request_kind(TierRequest *self, void *unused)
{
    (void)unused;
    return PyLong_FromUnsignedLong(self->handle ? kvl_l2_request_kind(self->handle) : 0);
}

static PyObject *tier_request_keys(TierRequest *self, void *unused)
{
    (void)unused;
    Py_INCREF(self->keys);
    return self->keys;
}

static int tier_request_traverse(TierRequest *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->module);
    Py_VISIT(self->cost);
    return 0;
}

static void tier_request_dealloc(TierRequest *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    release_handle(self);
    Py_XDECREF(self->cost);
    Py_XDECREF(self->keys);
    Py_XDECREF(self->module);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMethodDef tier_request_methods[] = {
    {"entries", (PyCFunction)tier_request_entries, METH_VARARGS, NULL},
    {"state_payloads", (PyCFunction)tier_request_state_payloads, METH_VARARGS, NULL}, {"hit", (PyCFunction)tier_request_hit, METH_VARARGS, NULL},
    {"miss", (PyCFunction)tier_request_miss, METH_VARARGS, NULL},       {"leased", (PyCFunction)tier_request_leased, METH_O, NULL},
    {"refuse", (PyCFunction)tier_request_refuse, METH_O, NULL},
    {"finish", (PyCFunction)tier_request_finish, METH_NOARGS, NULL},    {"fail", (PyCFunction)tier_request_fail, METH_NOARGS, NULL},
    {0},
};
static PyGetSetDef tier_request_getset[] = {
    {"kind", (getter)tier_request_kind, NULL, NULL, NULL},
    {"keys", (getter)tier_request_keys, NULL, NULL, NULL},
    {0},
};
static PyType_Slot tier_request_slots[] = {
    {Py_tp_dealloc, tier_request_dealloc}, {Py_tp_traverse, tier_request_traverse}, {Py_tp_methods, tier_request_methods},
    {Py_tp_getset, tier_request_getset},   {0},
};
PyType_Spec tier_request_spec = {"kvlight._native.TierRequest", sizeof(TierRequest), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, tier_request_slots};
