/* Iterating over the entries of a store, and saving and loading them. Also the bytes of values, for files and second tiers. */
#include "native.h"

/* ---- Iteration ---- */

/* An iterator over (key, value). It holds the store object, whose decode function it calls. */
typedef struct {
    PyObject_HEAD
    Store *store;
    kvl_iterator_t *iterator; /* NULL after the last entry */
} Entries;

PyObject *store_items(Store *self, PyObject *unused)
{
    (void)unused;
    if (!store_check_open(self))
        return NULL;
    kvl_iterator_t *iterator;
    kvl_status_t status = kvl_iterator_new(self->cache, &iterator);
    if (status < 0)
        return raise_status(self->state, status, NULL);
    Entries *entries = (Entries *)PyType_GenericAlloc(self->state->entries_type, 0);
    if (!entries) {
        kvl_iterator_free(iterator);
        return NULL;
    }
    Py_INCREF(self);
    entries->store = self;
    entries->iterator = iterator;
    return (PyObject *)entries;
}

static void entries_end(Entries *self)
{
    kvl_iterator_t *iterator = self->iterator;
    self->iterator = NULL;
    if (iterator)
        CALL_LIBRARY(self->store->state->drops, kvl_iterator_free(iterator));
}

static PyObject *entries_next(Entries *self)
{
    if (!self->iterator)
        return NULL;
    Store *store = self->store;
    State *state = store->state;
    /* The program's decode function, called below, may use this iterator again, and then finds it at its end. */
    kvl_iterator_t *iterator = self->iterator;
    self->iterator = NULL;
    kvl_result_t entry;
    kvl_status_t status;
    CALL_LIBRARY(state->drops, status = kvl_iterator_next(iterator, &entry, sizeof entry));
    PyObject *pair = NULL, *value = Py_None;
    if (status == KVL_VALUE)
        value = ((Box *)entry.object)->object;
    Py_INCREF(value);
    if (status == KVL_VALUE || status == KVL_NULL) {
        PyObject *key = key_decode(state, store->decode, entry.key, entry.key_len, store->encode && !store->decode);
        pair = key ? PyTuple_Pack(2, key, value) : NULL;
        Py_XDECREF(key);
    } else if (status < 0) {
        raise_status(state, status, NULL);
    }
    Py_DECREF(value);
    if (pair) {
        self->iterator = iterator;
        return pair;
    }
    PyObject *type, *exception, *traceback;
    PyErr_Fetch(&type, &exception, &traceback);
    CALL_LIBRARY(state->drops, kvl_iterator_free(iterator));
    PyErr_Restore(type, exception, traceback);
    return NULL;
}

static PyObject *entries_self(PyObject *self)
{
    Py_INCREF(self);
    return self;
}

static int entries_traverse(Entries *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->store);
    return 0;
}

static int entries_clear(Entries *self)
{
    if (self->store)
        entries_end(self);
    Py_CLEAR(self->store);
    return 0;
}

static void entries_dealloc(Entries *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    entries_clear(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyType_Slot entries_slots[] = {
    {Py_tp_dealloc, entries_dealloc}, {Py_tp_traverse, entries_traverse}, {Py_tp_clear, entries_clear},
    {Py_tp_iter, entries_self},       {Py_tp_iternext, entries_next},     {0},
};
PyType_Spec entries_spec = {"kvlight._native.Entries", sizeof(Entries), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, entries_slots};

/* ---- Saving and loading ---- */

/* The type letter of bytes from the program's dump function. Other values have the same type letters as keys. */
#define DUMPED 'd'

/* A save or a load in progress. The interpreter's lock is released except while the program's functions run. */
typedef struct {
    Store *store;
    PyObject *convert; /* the program's function, or Py_None */
    PyThreadState *thread;
    bool has_failed; /* an exception is set */
} Transfer;

/* Whether a value is saved and loaded without the program's functions. */
static bool is_plain(State *state, PyObject *value)
{
    return PyUnicode_CheckExact(value) || PyLong_CheckExact(value) || PyBytes_CheckExact(value) || PyBool_Check(value) ||
           PyFloat_CheckExact(value) || Py_TYPE(value) == (PyTypeObject *)state->uuid;
}

int value_dump(State *state, PyObject *dump, PyObject *value, Bytes *into)
{
    if (is_plain(state, value))
        return key_encode(state, NULL, value, into) < 0 ? -1 : 1;
    if (dump == Py_None)
        return 0;
    PyObject *made = PyObject_CallFunctionObjArgs(dump, value, NULL);
    char *data;
    Py_ssize_t len;
    int failed = !made || PyBytes_AsStringAndSize(made, &data, &len) < 0 || bytes_add(into, (char[]){DUMPED}, 1) < 0 ||
                 bytes_add(into, data, (size_t)len) < 0;
    Py_XDECREF(made);
    return failed ? -1 : 1;
}

PyObject *value_load(State *state, PyObject *load, const uint8_t *data, size_t len)
{
    if (*data != DUMPED)
        return key_decode(state, NULL, data, len, false);
    return load == Py_None ? NULL : PyObject_CallFunction(load, "y#", (const char *)data + 1, (Py_ssize_t)len - 1);
}

static kvl_value_t *encode_value(void *user_data, const kvl_result_t *entry)
{
    Transfer *self = user_data;
    kvl_value_t *made = NULL;
    if (self->has_failed)
        return NULL;
    PyEval_RestoreThread(self->thread);
    PyObject *value = ((Box *)entry->object)->object;
    Py_INCREF(value);
    Bytes bytes;
    bytes_start(&bytes);
    if (value_dump(self->store->state, self->convert, value, &bytes) > 0) {
        kvl_status_t status = kvl_value_new_bytes(bytes.data, bytes.len, &made);
        if (status < 0)
            raise_status(self->store->state, status, NULL);
    }
    self->has_failed = PyErr_Occurred() != NULL;
    bytes_end(&bytes);
    Py_DECREF(value);
    self->thread = PyEval_SaveThread();
    return made;
}

static kvl_value_t *decode_value(void *user_data, const kvl_result_t *entry)
{
    Transfer *self = user_data;
    kvl_value_t *made = NULL;
    if (self->has_failed || !entry->data_len)
        return NULL;
    PyEval_RestoreThread(self->thread);
    PyObject *value = value_load(self->store->state, self->convert, entry->data, entry->data_len);
    made = value ? store_value(self->store, value) : NULL;
    Py_XDECREF(value);
    self->has_failed = PyErr_Occurred() != NULL;
    self->thread = PyEval_SaveThread();
    return made;
}

static int32_t should_stop(void *user_data, const kvl_transfer_t *progress)
{
    (void)progress;
    return ((Transfer *)user_data)->has_failed;
}

/* save(path, dump) and load(path, load). */
static PyObject *transfer(Store *self, PyObject *args, bool is_save)
{
    PyObject *path, *convert;
    if (!PyArg_ParseTuple(args, "O&O", PyUnicode_FSConverter, &path, &convert))
        return NULL;
    if (!store_check_open(self)) {
        Py_DECREF(path);
        return NULL;
    }
    State *state = self->state;
    Transfer transfer = {self, convert, NULL, false};
    kvl_cache_t *cache = kvl_cache_retain(self->cache);
    kvl_transfer_t done = {0};
    kvl_error_t *error = NULL;
    kvl_status_t status;
    const char *name = PyBytes_AsString(path);
    releases_own_drops++;
    transfer.thread = PyEval_SaveThread();
    status = is_save ? kvl_cache_save_encoded(cache, name, encode_value, should_stop, &transfer, &done, sizeof done, &error)
                     : kvl_cache_load_decoded(cache, name, decode_value, should_stop, &transfer, &done, sizeof done, &error);
    kvl_cache_release(cache);
    PyEval_RestoreThread(transfer.thread);
    releases_own_drops--;
    Py_DECREF(path);
    if (status < 0 && !transfer.has_failed)
        raise_error(state, status, error);
    kvl_error_release(error);
    /* Destructors of dropped objects must not run with an exception set. */
    PyObject *type, *exception, *traceback;
    PyErr_Fetch(&type, &exception, &traceback);
    drops_release_pending(state->drops);
    PyErr_Restore(type, exception, traceback);
    return status < 0 || transfer.has_failed ? NULL : PyLong_FromUnsignedLongLong(done.entries);
}

PyObject *store_save(Store *self, PyObject *args) { return transfer(self, args, true); }
PyObject *store_load(Store *self, PyObject *args) { return transfer(self, args, false); }
