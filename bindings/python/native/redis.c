/* A second tier on Redis or Valkey: libkvlight_redis, which is loaded when a connection is opened. */
#include "native.h"

#include <dlfcn.h>
#include <kvlight_redis.h>

#define FUNCTIONS(X) X(open) X(serve) X(found_free) X(attach) X(state) X(stop) X(free)

typedef struct {
    PyObject_HEAD
    State *state;
    PyObject *module;
    kvl_redis_t *handle;
    struct {
#define X(name) __typeof__(&kvl_redis_##name) name;
        FUNCTIONS(X)
#undef X
    } call;
} Redis;

/* The functions of the copy of kvlight that is part of this module. */
static const kvl_redis_library_t library = KVL_REDIS_LIBRARY_INIT;

/* Loads the library, which is never unloaded. Returns 0, or -1 with an OSError that says why it cannot be loaded. */
static int load(Redis *self, const char *path)
{
    void *loaded = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    bool is_whole = loaded != NULL;
#define X(name) is_whole = is_whole && (*(void **)&self->call.name = dlsym(loaded, "kvl_redis_" #name)) != NULL;
    FUNCTIONS(X)
#undef X
    if (is_whole)
        return 0;
    const char *why = dlerror();
    PyErr_SetString(PyExc_OSError, why ? why : "it lacks a function");
    return -1;
}

/* Redis(path, url) */
static int redis_init(Redis *self, PyObject *args, PyObject *kwargs)
{
    const char *path, *url;
    static char *names[] = {"path", "url", NULL};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "ss", names, &path, &url))
        return -1;
    if (self->handle) {
        PyErr_SetString(PyExc_RuntimeError, "a connection is opened only once");
        return -1;
    }
    self->state = state_of_type(Py_TYPE(self), &self->module);
    if (!self->state || load(self, path) < 0)
        return -1;
    kvl_error_t *error = NULL;
    kvl_status_t status = self->call.open(url, &library, &self->handle, &error);
    if (status < 0)
        raise_status(self->state, status, error ? kvl_error_message(error) : NULL);
    kvl_error_release(error);
    return status < 0 ? -1 : 0;
}

void redis_stop(PyObject *redis)
{
    Redis *self = (Redis *)redis;
    /* The connection's thread may drop values during this call. It does not need the interpreter's lock for that. */
    CALL_LIBRARY(self->state->drops, Py_BEGIN_ALLOW_THREADS self->call.stop(self->handle); Py_END_ALLOW_THREADS);
}

kvl_status_t redis_attach(PyObject *redis, kvl_tasks_t *tasks)
{
    Redis *self = (Redis *)redis;
    kvl_status_t status;
    CALL_LIBRARY(self->state->drops, Py_BEGIN_ALLOW_THREADS status = self->call.attach(self->handle, tasks); Py_END_ALLOW_THREADS);
    return status;
}

/* serve(request): a list of (index, entry, ttl_left_ms, token), the objects that were found; None if the server did not serve it. */
static PyObject *redis_serve(Redis *self, PyObject *request)
{
    if (Py_TYPE(request) != self->state->tier_request_type) {
        PyErr_SetString(PyExc_TypeError, "serve() takes a TierRequest");
        return NULL;
    }
    kvl_l2_request_t *handle = tier_request_handle(request);
    if (!handle)
        Py_RETURN_NONE;
    kvl_redis_found_t *found;
    size_t n;
    kvl_status_t status;
    kvl_l2_request_retain(handle); /* if the loop ends meanwhile, another thread may fail the request */
    CALL_LIBRARY(self->state->drops, Py_BEGIN_ALLOW_THREADS status = self->call.serve(self->handle, handle, &found, &n); Py_END_ALLOW_THREADS
            kvl_l2_request_release(handle));
    if (status < 0)
        Py_RETURN_NONE;
    PyObject *all = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; all && i < n; i++) {
        PyObject *one = Py_BuildValue("(ny#Ly#)", (Py_ssize_t)found[i].index, (const char *)found[i].data, (Py_ssize_t)found[i].len,
                                      (long long)found[i].ttl_left_ms, (const char *)found[i].token, (Py_ssize_t)found[i].token_len);
        if (one)
            PyList_SetItem(all, (Py_ssize_t)i, one);
        else
            Py_CLEAR(all);
    }
    self->call.found_free(found, n);
    return all;
}

static PyObject *redis_state(Redis *self, PyObject *unused)
{
    (void)unused;
    kvl_value_t *text = NULL;
    kvl_status_t status = self->call.state(self->handle, &text);
    if (status < 0)
        return raise_status(self->state, status, NULL);
    size_t len;
    const uint8_t *data = kvl_value_data(text, &len);
    PyObject *json = PyUnicode_DecodeUTF8((const char *)data, (Py_ssize_t)len, NULL);
    kvl_value_release(text);
    return json;
}

static void redis_dealloc(Redis *self)
{
    PyTypeObject *type = Py_TYPE(self);
    if (self->handle) {
        redis_stop((PyObject *)self);
        self->call.free(self->handle);
    }
    Py_XDECREF(self->module);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMethodDef redis_methods[] = {
    {"serve", (PyCFunction)redis_serve, METH_O, NULL},
    {"state", (PyCFunction)redis_state, METH_NOARGS, NULL},
    {0},
};
static PyType_Slot redis_slots[] = {
    {Py_tp_init, redis_init}, {Py_tp_new, PyType_GenericNew}, {Py_tp_dealloc, redis_dealloc}, {Py_tp_methods, redis_methods}, {0},
};
PyType_Spec redis_spec = {"kvlight._native.Redis", sizeof(Redis), 0, Py_TPFLAGS_DEFAULT, redis_slots};
