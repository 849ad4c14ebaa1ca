/* The provider's requests and answers. */
#include "native.h"

PyObject *request_new(Engine *engine, kvl_request_t *handle)
{
    State *state = engine->store.state;
    Request *self = (Request *)PyType_GenericAlloc(state->request_type, 0);
    if (!self)
        return NULL;
    self->state = state;
    Py_INCREF(engine->store.module);
    self->module = engine->store.module;
    self->handle = kvl_request_retain(handle);
    size_t n = kvl_request_len(handle);
    const kvl_slice_t *keys = kvl_request_keys(handle);
    self->keys = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; self->keys && i < n; i++) {
        PyObject *key = key_decode(state, engine->store.decode, keys[i].data, keys[i].len, false);
        if (key)
            PyList_SetItem(self->keys, (Py_ssize_t)i, key);
        else
            Py_CLEAR(self->keys);
    }
    self->number = self->keys ? PyLong_FromUnsignedLongLong(++engine->last_request) : NULL;
    if (!self->number || PyDict_SetItem(engine->requests, self->number, (PyObject *)self) < 0) {
        /* The keys could not be decoded for the provider, and fail with that exception. */
        PyObject *exception = take_exception();
        kvl_error_t *error = error_of(state, exception);
        CALL_LIBRARY(state->drops, kvl_request_finish_error(handle, error); kvl_error_release(error));
        Py_XDECREF(exception);
        Py_DECREF(self);
        return NULL;
    }
    self->engine = engine;
    return (PyObject *)self;
}

/* Removes a finished request from its engine and releases it. */
static void detach(Request *self)
{
    Engine *engine = self->engine;
    kvl_request_t *handle = self->handle;
    self->engine = NULL;
    self->handle = NULL;
    if (handle)
        CALL_LIBRARY(self->state->drops, kvl_request_release(handle));
    if (engine && engine->requests && PyDict_DelItem(engine->requests, self->number) < 0)
        PyErr_Clear();
    Py_CLEAR(self->task); /* what it has raised refers to this request */
}

void request_cancelled(Request *self)
{
    if (!self->task)
        return;
    PyObject *result = PyObject_CallMethodObjArgs(self->task, self->state->s_cancel, NULL);
    if (!result)
        PyErr_WriteUnraisable(self->task);
    Py_XDECREF(result);
}

/* ---- Answers ---- */

/* Raises the exception for the status of an answer, unless the answer is late, repeated or after a close, which is no fault of the provider. */
static int check_status(Request *self, kvl_status_t status)
{
    if (status >= 0 || status == KVL_ERR_ALREADY_ANSWERED || status == KVL_ERR_CLOSED || status == KVL_ERR_FORKED)
        return 0;
    raise_status(self->state, status, NULL);
    return -1;
}

static int fail_one(Request *self, size_t i, PyObject *exception)
{
    kvl_error_t *error = error_of(self->state, exception);
    if (!error)
        return -1;
    kvl_status_t status;
    CALL_LIBRARY(self->state->drops, status = kvl_request_fail(self->handle, i, error); kvl_error_release(error));
    return check_status(self, status);
}

static bool is_not_modified(Request *self, PyObject *answer) { return Py_TYPE(answer) == (PyTypeObject *)self->state->not_modified; }

/* Returns the value of an answer and its cost, and reads its terms; NULL with an exception set on failure. */
static PyObject *value_of_answer(Request *self, PyObject *answer, Labels *labels, kvl_terms_t *terms, uint64_t *out_cost)
{
    PyObject *value = NULL;
    bool failed = false;
    if (Py_TYPE(answer) != (PyTypeObject *)self->state->answer) {
        Py_INCREF(answer);
        value = answer;
    } else if (terms_of(self->state, answer, true, labels, terms) == 0) {
        value = PyObject_GetAttr(answer, self->state->s_value);
    }
    if (value)
        *out_cost = store_cost(&self->engine->store, value, &failed);
    if (failed)
        Py_CLEAR(value);
    return value;
}

/* Whether an answer fails its key: an exception object does, while an exception class is an ordinary value. */
static bool is_failure(PyObject *answer) { return !PyType_Check(answer) && PyErr_GivenExceptionMatches(answer, PyExc_Exception); }

static int settle_with_value(Request *self, size_t i, PyObject *answer)
{
    kvl_terms_t terms = KVL_TERMS_INIT;
    Labels labels = {0};
    uint64_t cost;
    PyObject *value = value_of_answer(self, answer, &labels, &terms, &cost);
    Box *box = value && value != Py_None ? box_new(self->state->drops, value) : NULL;
    bool failed = !value || (value != Py_None && !box);
    kvl_status_t status = KVL_OK;
    Py_XDECREF(value);
    if (!self->handle) { /* the program's cost function has closed the engine */
        if (box)
            CALL_LIBRARY(self->state->drops, box_dropped(box));
    } else if (!failed) {
        CALL_LIBRARY(self->state->drops, status = box ? kvl_request_resolve_object(self->handle, i, box, cost, box_dropped, &terms)
                                                      : kvl_request_resolve(self->handle, i, kvl_value_null(), &terms));
    }
    labels_end(&labels);
    return failed ? -1 : check_status(self, status);
}

static int settle_unmodified(Request *self, size_t i, PyObject *answer)
{
    kvl_terms_t terms = KVL_TERMS_INIT;
    Labels labels;
    kvl_status_t status = KVL_OK;
    int failed = terms_of(self->state, answer, false, &labels, &terms);
    if (!failed && self->handle)
        CALL_LIBRARY(self->state->drops, status = kvl_request_not_modified(self->handle, i, &terms));
    labels_end(&labels);
    if (failed)
        return -1;
    if (status == KVL_MISS) {
        PyErr_SetString(PyExc_ValueError, "the provider answered NotModified for a key without an entry in the store");
        return -1;
    }
    return check_status(self, status);
}

/* Answers the i-th key. An Exception that this raises, such as one of the cost function or for wrong terms, fails this key alone. */
static int settle(Request *self, size_t i, PyObject *answer)
{
    if (!self->engine)
        return 0;
    if (is_failure(answer))
        return fail_one(self, i, answer);
    int failed = is_not_modified(self, answer) ? settle_unmodified(self, i, answer) : settle_with_value(self, i, answer);
    if (!failed)
        return 0;
    if (!PyErr_ExceptionMatches(PyExc_Exception))
        return -1;
    PyObject *exception = take_exception();
    failed = self->handle ? fail_one(self, i, exception) : 0;
    Py_DECREF(exception);
    return failed;
}

/* Stores an answer for a key that was not requested, unless a newer entry exists. */
static int supply(Request *self, PyObject *key, PyObject *answer)
{
    if (!self->engine || is_failure(answer))
        return 0;
    if (is_not_modified(self, answer)) {
        PyErr_SetString(PyExc_ValueError, "NotModified can only answer a key that was requested");
        return -1;
    }
    kvl_terms_t terms = KVL_TERMS_INIT;
    Labels labels = {0};
    Bytes bytes;
    bytes_start(&bytes);
    uint64_t cost;
    PyObject *object = NULL;
    if (key_encode(self->state, self->engine->store.encode, key, &bytes) == 0 && self->engine)
        object = value_of_answer(self, answer, &labels, &terms, &cost);
    kvl_value_t *value = object ? value_new(self->state, object, cost) : NULL;
    Py_XDECREF(object);
    kvl_status_t status = KVL_OK;
    if (value && self->handle)
        CALL_LIBRARY(self->state->drops, status = kvl_request_supply(self->handle, bytes.data, bytes.len, value, &terms));
    if (value)
        CALL_LIBRARY(self->state->drops, kvl_value_release(value));
    labels_end(&labels);
    bytes_end(&bytes);
    return value ? check_status(self, status) : PyErr_Occurred() ? -1 : 0;
}

static int supply_extras(Request *self, PyObject *answers)
{
    PyObject *requested = PySet_New(self->keys), *items = requested ? PyDict_Items(answers) : NULL;
    int failed = items ? 0 : -1;
    Py_ssize_t n = items ? PyList_Size(items) : 0;
    for (Py_ssize_t i = 0; i < n && !failed; i++) {
        PyObject *item = PyList_GetItem(items, i), *key = PyTuple_GetItem(item, 0);
        int is_requested = PySet_Contains(requested, key);
        failed = is_requested < 0 ? -1 : 0;
        /* An extra answer that cannot be stored does not fail the requested keys. */
        if (is_requested == 0 && supply(self, key, PyTuple_GetItem(item, 1)) < 0) {
            if (!PyErr_ExceptionMatches(PyExc_Exception))
                failed = -1;
            else if (self->engine)
                engine_report(self->engine, "an answer for a key that was not requested could not be stored");
            else
                PyErr_Clear();
        }
    }
    Py_XDECREF(items);
    Py_XDECREF(requested);
    return failed;
}

static int answer_mapping(Request *self, PyObject *answers)
{
    Py_ssize_t found = 0, n = PyList_Size(self->keys);
    PyObject *in_order = PyList_New(n);
    for (Py_ssize_t i = 0; in_order && i < n; i++) {
        PyObject *answer = PyDict_GetItemWithError(answers, PyList_GetItem(self->keys, i));
        if (!answer && PyErr_Occurred()) {
            Py_CLEAR(in_order);
            break;
        }
        found += answer != NULL;
        answer = answer ? answer : Py_None;
        Py_INCREF(answer);
        PyList_SetItem(in_order, i, answer);
    }
    int failed = in_order ? 0 : -1;
    if (!failed && PyDict_Size(answers) > found)
        failed = supply_extras(self, answers);
    for (Py_ssize_t i = 0; i < n && !failed; i++)
        failed = settle(self, (size_t)i, PyList_GetItem(in_order, i));
    Py_XDECREF(in_order);
    return failed;
}

static int answer_sequence(Request *self, PyObject *answers)
{
    Py_ssize_t n = PyList_Size(self->keys), count = PyList_Size(answers);
    if (count != n) {
        PyErr_Format(PyExc_TypeError,
                     "the provider returned %zd values for %zd keys: it must return one for each, in the order of the keys, or a mapping", count, n);
        return -1;
    }
    int failed = 0;
    for (Py_ssize_t i = 0; i < n && !failed; i++)
        failed = settle(self, (size_t)i, PyList_GetItem(answers, i));
    return failed;
}

/* Answers all keys from a mapping or a sequence, and finishes the request. */
static int answer_all(Request *self, PyObject *answers)
{
    int failed;
    PyObject *copy = NULL;
    if (PyDict_Check(answers)) {
        failed = answer_mapping(self, answers);
    } else if (PyMapping_Check(answers) && PyObject_HasAttr(answers, self->state->s_keys)) {
        copy = PyObject_CallFunctionObjArgs((PyObject *)&PyDict_Type, answers, NULL);
        failed = copy ? answer_mapping(self, copy) : -1;
    } else if (!PyUnicode_Check(answers) && !PyBytes_Check(answers) && !PyAnySet_Check(answers) && (copy = PySequence_List(answers))) {
        failed = answer_sequence(self, copy);
    } else {
        if (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_TypeError)) {
            PyErr_Clear();
            PyErr_Format(PyExc_TypeError, "the provider must return a mapping or a sequence, not %R", Py_TYPE(answers));
        }
        failed = -1;
    }
    Py_XDECREF(copy);
    if (!failed && self->handle) {
        kvl_status_t status;
        CALL_LIBRARY(self->state->drops, status = kvl_request_finish(self->handle));
        failed = check_status(self, status);
    }
    return failed;
}

/* Fails the open keys. `exception` is NULL if the provider was cancelled: there is none to deliver. */
static void fail_all(Request *self, PyObject *exception)
{
    if (!self->handle)
        return;
    kvl_error_t *error = exception ? error_of(self->state, exception) : NULL;
    PyErr_Clear();
    CALL_LIBRARY(self->state->drops, kvl_request_finish_error(self->handle, error); kvl_error_release(error));
}

/* ---- For Python ---- */

/* An exception raised while answering fails the open keys. It is raised to the caller only if it is not an Exception. */
static PyObject *end_answering(Request *self, int failed)
{
    PyObject *exception = failed ? take_exception() : NULL;
    if (exception)
        fail_all(self, exception);
    detach(self);
    if (exception && !PyErr_GivenExceptionMatches(exception, PyExc_Exception)) {
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
        Py_DECREF(exception);
        return NULL;
    }
    Py_XDECREF(exception);
    Py_RETURN_NONE;
}

static PyObject *request_answer(Request *self, PyObject *answers)
{
    Engine *engine = self->engine;
    Py_XINCREF(engine); /* the program's cost and encode functions, called below, may drop the last other reference */
    PyObject *done = end_answering(self, self->handle && engine ? answer_all(self, answers) : 0);
    Py_XDECREF(engine);
    return done;
}

static PyObject *request_fail(Request *self, PyObject *exception)
{
    fail_all(self, exception == Py_None ? NULL : exception);
    detach(self);
    Py_RETURN_NONE;
}

static int is_true(PyObject *task, PyObject *method)
{
    PyObject *answer = PyObject_CallMethodObjArgs(task, method, NULL);
    int truth = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    return truth;
}

/* request(task): the callback for the completion of the provider's task. */
static PyObject *request_call(Request *self, PyObject *args, PyObject *kwargs)
{
    (void)kwargs;
    PyObject *task, *answers = NULL;
    if (!PyArg_ParseTuple(args, "O", &task))
        return NULL;
    State *state = self->state;
    int was_cancelled = is_true(task, state->s_cancelled);
    if (was_cancelled > 0)
        return request_fail(self, Py_None);
    PyObject *exception = was_cancelled < 0 ? NULL : PyObject_CallMethodObjArgs(task, state->s_exception, NULL);
    if (exception && exception != Py_None) {
        PyObject *done = request_fail(self, exception);
        Py_DECREF(exception);
        return done;
    }
    Py_XDECREF(exception);
    if (exception)
        answers = PyObject_CallMethodObjArgs(task, state->s_result, NULL);
    if (!answers)
        return end_answering(self, -1);
    Engine *engine = self->engine;
    Py_XINCREF(engine);
    PyObject *done = request_answer(self, answers);
    Py_DECREF(answers);
    /* The outcomes are in the queue now. Handling them here spares the loop another turn. */
    Pump *pump = engine ? engine->pump : NULL;
    Py_XINCREF(pump);
    if (done && pump && pump_drain_some(pump) < 0)
        Py_CLEAR(done);
    Py_XDECREF(pump);
    Py_XDECREF(engine);
    return done;
}

/* The stored entry of the i-th key: (value, age in ms, version), or None. */
static PyObject *stale_one(Request *self, Py_ssize_t i)
{
    kvl_value_t *value = NULL;
    int64_t age_ms = 0;
    kvl_slice_t version = {NULL, 0};
    kvl_status_t status = self->handle ? kvl_request_stale(self->handle, (size_t)i, &value, &age_ms, &version) : KVL_MISS;
    if (status != KVL_VALUE && status != KVL_NULL) {
        Py_INCREF(Py_None);
        return Py_None;
    }
    /* A version from another program's file may not be UTF-8. With characters replaced, it matches none of the provider's versions, and the key is
     * loaded. */
    PyObject *text = PyUnicode_DecodeUTF8(version.len ? (const char *)version.data : "", (Py_ssize_t)version.len, "replace");
    PyObject *object = value_into_object(self->state, status, value);
    PyObject *tuple = text ? Py_BuildValue("(OLO)", object, (long long)age_ms, text) : NULL;
    Py_DECREF(object);
    Py_XDECREF(text);
    return tuple;
}

static PyObject *request_stale(Request *self, PyObject *unused)
{
    (void)unused;
    Py_ssize_t n = PyList_Size(self->keys);
    PyObject *all = PyList_New(n);
    for (Py_ssize_t i = 0; all && i < n; i++) {
        PyObject *one = stale_one(self, i);
        if (one)
            PyList_SetItem(all, i, one);
        else
            Py_CLEAR(all);
    }
    return all;
}

static PyObject *request_keys(Request *self, void *unused)
{
    (void)unused;
    Py_INCREF(self->keys);
    return self->keys;
}

/* The bytes of the keys; empty once the request is finished. */
static PyObject *request_raw_keys(Request *self, void *unused)
{
    (void)unused;
    size_t n = self->handle ? kvl_request_len(self->handle) : 0;
    const kvl_slice_t *keys = self->handle ? kvl_request_keys(self->handle) : NULL;
    PyObject *list = PyList_New((Py_ssize_t)n);
    for (size_t i = 0; list && i < n; i++) {
        PyObject *bytes = PyBytes_FromStringAndSize((const char *)keys[i].data, (Py_ssize_t)keys[i].len);
        if (bytes)
            PyList_SetItem(list, (Py_ssize_t)i, bytes);
        else
            Py_CLEAR(list);
    }
    return list;
}

/* Whether keys of the request are equal in Python, as 1 and True are, so that no mapping can hold an answer for each of them. */
static PyObject *request_has_equal_keys(Request *self, void *unused)
{
    (void)unused;
    Py_ssize_t n = PyList_Size(self->keys);
    PyTypeObject *type = n ? Py_TYPE(PyList_GetItem(self->keys, 0)) : NULL;
    bool may_be = type == &PyTuple_Type || (self->engine && self->engine->store.decode);
    for (Py_ssize_t i = 1; i < n && !may_be; i++)
        may_be = Py_TYPE(PyList_GetItem(self->keys, i)) != type;
    if (n < 2 || !may_be) /* different keys of one type of our own are never equal */
        Py_RETURN_FALSE;
    PyObject *different = PySet_New(self->keys);
    if (!different)
        PyErr_Clear(); /* a key without a hash is in no mapping */
    bool has_equal = different && PySet_Size(different) < n;
    Py_XDECREF(different);
    return PyBool_FromLong(has_equal);
}

static PyObject *request_task(Request *self, void *unused)
{
    (void)unused;
    PyObject *task = self->task ? self->task : Py_None;
    Py_INCREF(task);
    return task;
}

static int request_set_task(Request *self, PyObject *task, void *unused)
{
    (void)unused;
    PyObject *previous = self->task;
    Py_XINCREF(task);
    self->task = task;
    Py_XDECREF(previous);
    return 0;
}

static int request_traverse(Request *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(self->module);
    Py_VISIT(self->keys);
    Py_VISIT(self->task);
    return 0;
}

static int request_clear(Request *self)
{
    Py_CLEAR(self->task);
    return 0;
}

static void request_dealloc(Request *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    if (self->handle) /* it was never finished: its keys fail */
        CALL_LIBRARY(self->state->drops, kvl_request_release(self->handle));
    Py_XDECREF(self->task);
    Py_XDECREF(self->keys);
    Py_XDECREF(self->number);
    Py_XDECREF(self->module);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMethodDef request_methods[] = {
    {"answer", (PyCFunction)request_answer, METH_O, NULL},
    {"fail", (PyCFunction)request_fail, METH_O, NULL},
    {"stale", (PyCFunction)request_stale, METH_NOARGS, NULL},
    {0},
};
static PyGetSetDef request_getset[] = {
    {"keys", (getter)request_keys, NULL, NULL, NULL},
    {"raw_keys", (getter)request_raw_keys, NULL, NULL, NULL},
    {"has_equal_keys", (getter)request_has_equal_keys, NULL, NULL, NULL},
    {"task", (getter)request_task, (setter)request_set_task, NULL, NULL},
    {0},
};
static PyType_Slot request_slots[] = {
    {Py_tp_dealloc, request_dealloc}, {Py_tp_traverse, request_traverse}, {Py_tp_clear, request_clear}, {Py_tp_call, request_call},
    {Py_tp_methods, request_methods}, {Py_tp_getset, request_getset},     {0},
};
PyType_Spec request_spec = {"kvlight._native.Request", sizeof(Request), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, request_slots};
