/* A store: the common part of a cache and an engine. */
#include "native.h"

#include <string.h>

/* ---- Opening and closing ---- */

/* Initializes the store, and creates a configuration with the settings. The caller frees the configuration. */
int store_init(Store *self, PyObject *settings, PyObject *clock, kvl_config_t **out_config)
{
    if (self->state) {
        PyErr_SetString(PyExc_RuntimeError, "a cache is opened only once");
        return -1;
    }
    if (!(self->state = state_of_type(Py_TYPE(self), &self->module)))
        return -1;
    if (clock != Py_None && !PyObject_TypeCheck(clock, self->state->clock_type)) {
        PyErr_Format(PyExc_TypeError, "clock= takes a kvlight.Clock, not %R", Py_TYPE(clock));
        return -1;
    }
    kvl_status_t status = kvl_config_new(out_config);
    if (status >= 0 && clock != Py_None)
        status = kvl_config_set_clock(*out_config, clock_handle(clock));
    if (status < 0)
        raise_status(self->state, status, NULL);
    if (status < 0 || settings_into_config(self->state, *out_config, settings) < 0) {
        kvl_config_free(*out_config);
        *out_config = NULL;
        return -1;
    }
    return 0;
}

void store_release(Store *self)
{
    kvl_cache_t *cache = self->cache;
    self->cache = NULL;
    if (cache)
        CALL_LIBRARY(self->state->drops, Py_BEGIN_ALLOW_THREADS kvl_cache_release(cache); Py_END_ALLOW_THREADS);
}

int store_traverse(Store *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->module);
    Py_VISIT(self->encode);
    Py_VISIT(self->decode);
    Py_VISIT(self->cost);
    return 0;
}

int store_clear(Store *self)
{
    Py_CLEAR(self->encode);
    Py_CLEAR(self->decode);
    Py_CLEAR(self->cost);
    return 0;
}

static void store_dealloc(Store *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    store_release(self);
    store_clear(self);
    Py_XDECREF(self->module);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyObject *optional_function(PyObject *function)
{
    if (function == Py_None)
        return NULL;
    Py_INCREF(function);
    return function;
}

/* Sets the functions that the program gave the constructor; None stands for no function. */
void store_set_functions(Store *self, PyObject *encode, PyObject *decode, PyObject *cost)
{
    self->encode = optional_function(encode);
    self->decode = optional_function(decode);
    self->cost = optional_function(cost);
}

static PyObject *store_open(Store *self, PyObject *args)
{
    PyObject *settings, *clock, *encode, *decode, *cost;
    if (!PyArg_ParseTuple(args, "OOOOO", &settings, &clock, &encode, &decode, &cost))
        return NULL;
    kvl_config_t *config;
    if (store_init(self, settings, clock, &config) < 0)
        return NULL;
    store_set_functions(self, encode, decode, cost);
    kvl_error_t *error = NULL;
    kvl_status_t status = kvl_cache_new(config, &self->cache, &error);
    if (status < 0)
        raise_status(self->state, status, kvl_error_message(error));
    kvl_error_release(error);
    kvl_config_free(config);
    if (status < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *store_close(Store *self, void *unused)
{
    (void)unused;
    store_release(self);
    Py_RETURN_NONE;
}

Store *store_check_open(Store *self)
{
    if (self->cache)
        return self;
    if (!self->state)
        PyErr_SetString(PyExc_RuntimeError, "the object is not initialized: __init__ did not run");
    else
        raise_status(self->state, KVL_ERR_CLOSED, "the cache is closed");
    return NULL;
}

/* ---- Keys and values ---- */

/* Declares `key` with the encoded bytes of `object`. Returns `failed` from the calling function on failure. */
#define KEY(self, object, failed)                                                                                                          \
    Bytes key;                                                                                                                             \
    if (!store_check_open(self))                                                                                                           \
        return failed;                                                                                                                     \
    bytes_start(&key);                                                                                                                     \
    if (key_encode((self)->state, (self)->encode, object, &key) < 0 || !store_check_open(self)) {                                          \
        bytes_end(&key);                                                                                                                   \
        return failed;                                                                                                                     \
    }

uint64_t cost_of(PyObject *function, PyObject *value, bool *failed)
{
    if (!function)
        return 0;
    PyObject *cost = PyObject_CallFunctionObjArgs(function, value, NULL);
    unsigned long long number = 0;
    if (cost && !PyLong_Check(cost)) {
        PyErr_Format(PyExc_TypeError, "cost= must return an int, the bytes that the value costs, not %R", cost);
    } else if (cost) {
        number = PyLong_AsUnsignedLongLong(cost);
        if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_OverflowError)) {
            PyErr_Clear();
            PyErr_Format(PyExc_OverflowError, "cost= must return an int from 0 to 2**64 - 1, not %R", cost);
        }
    }
    Py_XDECREF(cost);
    *failed = PyErr_Occurred() != NULL;
    return number;
}

kvl_value_t *value_new(State *state, PyObject *value, uint64_t cost)
{
    if (value == Py_None)
        return kvl_value_null();
    Box *box = box_new(state->drops, value);
    if (!box)
        return NULL;
    kvl_value_t *handle;
    kvl_status_t status;
    CALL_LIBRARY(state->drops, status = kvl_value_new_object(box, cost, box_dropped, &handle));
    return status < 0 ? (kvl_value_t *)raise_status(state, status, NULL) : handle;
}

uint64_t store_cost(Store *self, PyObject *value, bool *failed) { return value == Py_None ? 0 : cost_of(self->cost, value, failed); }

kvl_value_t *store_value(Store *self, PyObject *value)
{
    bool failed = false;
    uint64_t cost = store_cost(self, value, &failed);
    return failed ? NULL : value_new(self->state, value, cost);
}

/* Returns the object of a value that a call returned, and releases the value. */
PyObject *value_into_object(State *state, kvl_status_t status, kvl_value_t *value)
{
    PyObject *object = Py_None;
    if (status == KVL_VALUE)
        object = ((Box *)kvl_value_object(value))->object;
    Py_INCREF(object);
    CALL_LIBRARY(state->drops, kvl_value_release(value));
    return object;
}

/* ---- Methods ---- */

/* get(key, default=None): each by position or by name. */
static PyObject *store_get(Store *self, PyObject *const *args, Py_ssize_t n, PyObject *names)
{
    PyObject *arguments[2] = {n > 0 ? args[0] : NULL, n > 1 ? args[1] : NULL};
    Py_ssize_t named = names ? PyTuple_Size(names) : 0;
    bool is_wrong = n > 2;
    for (Py_ssize_t i = 0; i < named && !is_wrong; i++) {
        PyObject *name = PyTuple_GetItem(names, i);
        int position = PyUnicode_CompareWithASCIIString(name, "key") == 0 ? 0 : PyUnicode_CompareWithASCIIString(name, "default") == 0 ? 1 : 2;
        is_wrong = position == 2 || arguments[position];
        if (!is_wrong)
            arguments[position] = args[n + i];
    }
    if (is_wrong || !arguments[0]) {
        PyErr_SetString(PyExc_TypeError, "get() takes a key and a default for a key that is not in the store: get(key, default=None)");
        return NULL;
    }
    KEY(self, arguments[0], NULL)
    void *box;
    kvl_status_t status = kvl_cache_get_object(self->cache, key.data, key.len, &box, NULL);
    bytes_end(&key);
    if (status == KVL_VALUE)
        return box_content(box);
    if (status == KVL_NULL)
        Py_RETURN_NONE;
    if (status < 0)
        return raise_status(self->state, status, NULL);
    PyObject *default_value = arguments[1] ? arguments[1] : Py_None;
    Py_INCREF(default_value);
    return default_value;
}

static int store_contains(Store *self, PyObject *object)
{
    KEY(self, object, -1)
    kvl_status_t status = kvl_cache_contains(self->cache, key.data, key.len);
    bytes_end(&key);
    if (status < 0)
        raise_status(self->state, status, NULL);
    return status < 0 ? -1 : status != KVL_MISS;
}

static Py_ssize_t store_len(Store *self)
{
    if (!store_check_open(self))
        return -1;
    size_t len = kvl_cache_len(self->cache);
    kvl_status_t status = len ? KVL_OK : kvl_cache_contains(self->cache, NULL, 0); /* 0 is also the length in the child of a fork */
    if (status < 0)
        raise_status(self->state, status, NULL);
    return status < 0 ? -1 : (Py_ssize_t)len;
}

static PyObject *store_put(Store *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"key", "value", "ttl_ms", "priority", "cost", "stale_ttl_ms", "version", "tags", "keep_ttl", "only_if", NULL};
    kvl_terms_t terms = KVL_TERMS_INIT;
    Labels labels;
    PyObject *object, *value, *version = NULL, *tags = NULL;
    long long ttl_ms = terms.ttl_ms, cost = terms.cost, stale_ttl_ms = terms.stale_ttl_ms;
    int keep_ttl = 0;
    const char *only_if = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|$LdLLOOpz", names, &object, &value, &ttl_ms, &terms.priority, &cost,
                                     &stale_ttl_ms, &version, &tags, &keep_ttl, &only_if))
        return NULL;
    terms.ttl_ms = ttl_ms, terms.cost = cost, terms.stale_ttl_ms = stale_ttl_ms;
    terms.flags = keep_ttl ? KVL_PUT_F_KEEP_TTL : 0;
    if (only_if && strcmp(only_if, "absent") == 0) {
        terms.flags |= KVL_PUT_F_IF_ABSENT;
    } else if (only_if && strcmp(only_if, "present") == 0) {
        terms.flags |= KVL_PUT_F_IF_PRESENT;
    } else if (only_if) {
        PyErr_SetString(PyExc_ValueError, "only_if= is \"absent\" or \"present\"");
        return NULL;
    }
    KEY(self, object, NULL)
    kvl_value_t *handle = labels_read(self->state, version, tags, &labels, &terms) == 0 ? store_value(self, value) : NULL;
    kvl_status_t status = KVL_OK;
    if (handle && store_check_open(self))
        CALL_LIBRARY(self->state->drops, status = kvl_cache_put(self->cache, key.data, key.len, handle, &terms));
    PyObject *type, *exception, *traceback; /* the destructors of dropped objects must not run with an exception set */
    PyErr_Fetch(&type, &exception, &traceback);
    CALL_LIBRARY(self->state->drops, kvl_value_release(handle));
    PyErr_Restore(type, exception, traceback);
    labels_end(&labels);
    bytes_end(&key);
    if (PyErr_Occurred())
        return NULL;
    if (status < 0)
        return raise_status(self->state, status, NULL);
    return PyBool_FromLong(status == KVL_OK);
}

static PyObject *store_remove(Store *self, PyObject *object)
{
    KEY(self, object, NULL)
    kvl_status_t status;
    CALL_LIBRARY(self->state->drops, status = kvl_cache_remove(self->cache, key.data, key.len));
    bytes_end(&key);
    return status < 0 ? raise_status(self->state, status, NULL) : PyBool_FromLong(status == KVL_OK);
}

static PyObject *store_expire(Store *self, PyObject *object)
{
    KEY(self, object, NULL)
    kvl_status_t status;
    CALL_LIBRARY(self->state->drops, status = kvl_cache_expire(self->cache, key.data, key.len));
    bytes_end(&key);
    return status < 0 ? raise_status(self->state, status, NULL) : PyBool_FromLong(status == KVL_OK);
}

static PyObject *store_touch(Store *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"key", "ttl_ms", NULL};
    PyObject *object;
    long long ttl_ms = KVL_TTL_DEFAULT;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$L", names, &object, &ttl_ms))
        return NULL;
    KEY(self, object, NULL)
    kvl_status_t status;
    CALL_LIBRARY(self->state->drops, status = kvl_cache_touch(self->cache, key.data, key.len, ttl_ms));
    bytes_end(&key);
    if (status == KVL_ERR_BAD_VALUE)
        return raise_status(self->state, status, "touch() takes a ttl_ms above 0, -1 for never, or -2 for the TTL of the settings if that is not 0; remove() ends an entry");
    return status < 0 ? raise_status(self->state, status, NULL) : PyBool_FromLong(status == KVL_OK);
}

static PyObject *store_take(Store *self, PyObject *args)
{
    PyObject *object, *default_value = Py_None;
    if (!PyArg_ParseTuple(args, "O|O", &object, &default_value))
        return NULL;
    KEY(self, object, NULL)
    kvl_value_t *value;
    kvl_status_t status;
    CALL_LIBRARY(self->state->drops, status = kvl_cache_take(self->cache, key.data, key.len, &value));
    bytes_end(&key);
    if (status == KVL_VALUE || status == KVL_NULL)
        return value_into_object(self->state, status, value);
    if (status < 0)
        return raise_status(self->state, status, NULL);
    Py_INCREF(default_value);
    return default_value;
}

/* Makes a call that may take long, without the interpreter's lock. Another thread may close the store meanwhile, so the call has a reference of its own to
 * the cache. Returns NULL from the calling function on failure. */
#define WITHOUT_GIL(self, call)                                                                                                            \
    if (!store_check_open(self))                                                                                                           \
        return NULL;                                                                                                                       \
    kvl_cache_t *cache = kvl_cache_retain((self)->cache);                                                                                  \
    kvl_status_t status;                                                                                                                   \
    CALL_LIBRARY((self)->state->drops, Py_BEGIN_ALLOW_THREADS status = call; kvl_cache_release(cache); Py_END_ALLOW_THREADS);              \
    if (status < 0)                                                                                                                        \
        return raise_status((self)->state, status, NULL);

static PyObject *store_clear_all(Store *self, void *unused)
{
    (void)unused;
    WITHOUT_GIL(self, kvl_cache_clear(cache))
    Py_RETURN_NONE;
}

static PyObject *store_expire_all(Store *self, void *unused)
{
    (void)unused;
    WITHOUT_GIL(self, kvl_cache_expire_all(cache))
    Py_RETURN_NONE;
}

/* Removes or expires the entries with a tag, and returns their number. */
static PyObject *change_tagged(Store *self, PyObject *tag, kvl_status_t (*change)(kvl_cache_t *, const uint8_t *, size_t, size_t *))
{
    Py_ssize_t len;
    size_t changed = 0;
    if (!PyUnicode_Check(tag)) {
        PyErr_Format(PyExc_TypeError, "a tag is a str, not %R", Py_TYPE(tag));
        return NULL;
    }
    const char *text = PyUnicode_AsUTF8AndSize(tag, &len);
    if (!text)
        return NULL;
    WITHOUT_GIL(self, change(cache, (const uint8_t *)text, (size_t)len, &changed))
    return PyLong_FromSize_t(changed);
}

static PyObject *store_remove_tag(Store *self, PyObject *tag) { return change_tagged(self, tag, kvl_cache_remove_tag); }
static PyObject *store_expire_tag(Store *self, PyObject *tag) { return change_tagged(self, tag, kvl_cache_expire_tag); }

static PyObject *store_trim(Store *self, PyObject *ratio)
{
    double keep_ratio = PyFloat_AsDouble(ratio);
    if (keep_ratio == -1 && PyErr_Occurred())
        return NULL;
    WITHOUT_GIL(self, kvl_cache_trim(cache, keep_ratio))
    Py_RETURN_NONE;
}

static PyObject *store_resize(Store *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"capacity", "cost_limit", NULL};
    Py_ssize_t capacity;
    long long cost_limit = -1;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "n|L", names, &capacity, &cost_limit))
        return NULL;
    if (capacity < 0) {
        PyErr_SetString(PyExc_ValueError, "a capacity must be at least 0");
        return NULL;
    }
    WITHOUT_GIL(self, kvl_cache_resize(cache, (size_t)capacity, cost_limit))
    Py_RETURN_NONE;
}

static PyObject *store_remove_expired(Store *self, void *unused)
{
    (void)unused;
    size_t removed = 0;
    WITHOUT_GIL(self, kvl_cache_remove_expired(cache, &removed))
    return PyLong_FromSize_t(removed);
}

static PyObject *store_stats(Store *self, void *unused)
{
    (void)unused;
    kvl_value_t *text = NULL;
    WITHOUT_GIL(self, kvl_cache_stats_json(cache, &text))
    size_t len;
    const char *data = (const char *)kvl_value_data(text, &len);
    PyObject *json = PyUnicode_DecodeUTF8(data, (Py_ssize_t)len, NULL);
    kvl_value_release(text);
    return json;
}

static PyObject *store_total_cost(Store *self, void *unused)
{
    (void)unused;
    return store_check_open(self) ? PyLong_FromUnsignedLongLong(kvl_cache_cost(self->cache)) : NULL;
}

static PyObject *store_is_closed(Store *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(self->cache == NULL);
}

static PyMethodDef store_methods[] = {
    {"_open", (PyCFunction)store_open, METH_VARARGS, NULL},
    {"_end", (PyCFunction)store_close, METH_NOARGS, NULL},
    {"_stats", (PyCFunction)store_stats, METH_NOARGS, NULL},
    {"get", (PyCFunction)(void (*)(void))store_get, METH_FASTCALL | METH_KEYWORDS,
     "get($self, key, default=None)\n--\n\nReturns the value, None if the key is known to be absent, or `default` if it is not in the store. Loads nothing."},
    {"put", (PyCFunction)(void (*)(void))store_put, METH_VARARGS | METH_KEYWORDS,
     "put($self, key, value, *, ttl_ms=-2, priority=..., cost=-1, stale_ttl_ms=0, version='', tags=(), keep_ttl=False,\n"
     "only_if=None)\n--\n\n"
     "Stores a value; None stores the key as known to be absent. Fetches that wait for the key get it, and running loads do not replace it.\n"
     "Returns whether it was stored: there may be no room for its priority. ttl_ms: milliseconds until it expires, -1 for never, 0 to not store it,\n"
     "-2 for the TTL of the settings. priority: entries of lower priority are evicted first. cost: bytes, -1 for what the cost= function returns.\n"
     "stale_ttl_ms: milliseconds for which it is kept as a fallback after that, 0 for the time of the settings, -1 for not at all.\n"
     "version: of the record, for a conditional provider. tags: names by which remove_tag and expire_tag find it.\n"
     "keep_ttl: whether an existing entry keeps its time of expiry. only_if: stores only if the key is \"absent\" or \"present\"."},
    {"remove", (PyCFunction)store_remove, METH_O, "remove($self, key)\n--\n\nRemoves an entry. Returns whether there was one."},
    {"expire", (PyCFunction)store_expire, METH_O,
     "expire($self, key)\n--\n\nExpires an entry now: the next fetch of the key loads it. Until then it is kept as a fallback if stale_ttl_ms is\n"
     "set. From a second tier the entry is removed. Returns whether there was an entry."},
    {"remove_tag", (PyCFunction)store_remove_tag, METH_O,
     "remove_tag($self, tag, /)\n--\n\nRemoves all entries with the tag, and returns their number. A running load does not store its answer if that has the\n"
     "tag."},
    {"expire_tag", (PyCFunction)store_expire_tag, METH_O,
     "expire_tag($self, tag, /)\n--\n\nExpires all entries with the tag, as expire does for a key, and returns their number."},
    {"expire_all", (PyCFunction)store_expire_all, METH_NOARGS,
     "expire_all($self)\n--\n\nExpires all entries, as expire does for a key. Running loads do not store their answers. A\n"
     "second tier is cleared, for all processes."},
    {"touch", (PyCFunction)(void (*)(void))store_touch, METH_VARARGS | METH_KEYWORDS,
     "touch($self, key, *, ttl_ms=-2)\n--\n\nGives an entry a new TTL, counted from now: -1 for never, -2 for that of the settings. Returns whether there was an entry."},
    {"items", (PyCFunction)store_items, METH_NOARGS,
     "items($self)\n--\n\nIterates over (key, value), with None for a key known to be absent. A key that stays in the store throughout appears\n"
     "exactly once, whatever else changes. Loads nothing, and does not count as a use."},
    {"_save", (PyCFunction)store_save, METH_VARARGS, NULL},
    {"_load", (PyCFunction)store_load, METH_VARARGS, NULL},
    {"take", (PyCFunction)store_take, METH_VARARGS, "take($self, key, default=None)\n--\n\nRemoves an entry and returns its value, or `default` if there was none."},
    {"clear", (PyCFunction)store_clear_all, METH_NOARGS, "clear($self)\n--\n\nRemoves all entries."},
    {"trim", (PyCFunction)store_trim, METH_O, "trim($self, keep_ratio)\n--\n\nEvicts entries until at most this share of their number and cost is left, from 0 to 1."},
    {"resize", (PyCFunction)(void (*)(void))store_resize, METH_VARARGS | METH_KEYWORDS,
     "resize($self, capacity, cost_limit=-1)\n--\n\nChanges both limits, and evicts entries until they are met. A cost_limit of -1 is no limit."},
    {"remove_expired", (PyCFunction)store_remove_expired, METH_NOARGS,
     "remove_expired($self)\n--\n\nRemoves the expired entries now, and returns their number."},
    {0},
};
static PyGetSetDef store_getset[] = {
    {"cost", (getter)store_total_cost, NULL, "The total cost of the entries, in bytes.", NULL},
    {"is_closed", (getter)store_is_closed, NULL, "Whether the cache is closed.", NULL},
    {0},
};
static PyType_Slot store_slots[] = {
    {Py_tp_new, PyType_GenericNew},
    {Py_tp_dealloc, store_dealloc},
    {Py_tp_traverse, store_traverse},
    {Py_tp_clear, store_clear},
    {Py_tp_methods, store_methods},
    {Py_tp_getset, store_getset},
    {Py_sq_contains, store_contains},
    {Py_mp_length, store_len},
    {0},
};
PyType_Spec store_spec = {"kvlight._native.Store", sizeof(Store), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, store_slots};
