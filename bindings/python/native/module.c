/* The module: its state, exceptions and settings. */
#include "native.h"

#include <stdio.h>
#include <string.h>

static struct PyModuleDef definition;

State *state_of_type(PyTypeObject *type, PyObject **module)
{
    /* Each copy of the module sets this attribute of its own types to itself. */
    PyObject *name = PyUnicode_InternFromString("_module");
    PyObject *found = name ? PyObject_GetAttr((PyObject *)type, name) : NULL;
    Py_XDECREF(name);
    if (!found)
        return NULL;
    *module = found;
    return PyModule_GetState(found);
}

/* The message of a status, in Python's terms where the library's message names functions and constants of C. */
static const char *message_of(kvl_status_t status)
{
    switch (status) {
    case KVL_ERR_KEY_TOO_LONG:
        return "the key is too long: the bytes of a key, with a letter for its type, are at most 65535";
    case KVL_ERR_BAD_VALUE:
        return "ttl_ms is at least -2 (-1: never), stale_ttl_ms and cost at least -1, and priority a finite number";
    case KVL_ERR_INVALID_ARG:
        return "an argument is out of its range";
    default:
        return kvl_status_message(status);
    }
}
_Static_assert(KVL_KEY_MAX == 65535, "message_of() contains the longest key's length");

PyObject *raise_status(State *state, kvl_status_t status, const char *message)
{
    PyObject *exception = PyObject_CallFunction(state->failure, "is", (int)status, message ? message : message_of(status));
    if (exception)
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_XDECREF(exception);
    return NULL;
}

PyObject *raise_error(State *state, kvl_status_t status, const kvl_error_t *error)
{
    if (status != KVL_ERR_IO || !error)
        return raise_status(state, status, error ? kvl_error_message(error) : NULL);
    PyObject *exception = PyObject_CallFunction(state->failure, "isL", (int)status, kvl_error_message(error), (long long)kvl_error_code(error));
    if (exception)
        PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
    Py_XDECREF(exception);
    return NULL;
}

void restore_context(PyObject *exception, PyObject *origin)
{
    PyObject *context = PyTuple_GetItem(origin, 1);
    if (context == Py_None)
        context = NULL;
    Py_XINCREF(context);
    PyException_SetContext(exception, context); /* takes the reference */
}

/* Also its traceback, which each raise lengthens. */
static void restore_origin(PyObject *exception, PyObject *origin)
{
    if (PyException_SetTraceback(exception, PyTuple_GetItem(origin, 0)) < 0)
        PyErr_Clear();
    restore_context(exception, origin);
}

void raise_for_caller(PyObject *exception, PyObject *origin)
{
    if (origin)
        restore_origin(exception, origin);
    PyErr_SetObject((PyObject *)Py_TYPE(exception), exception); /* the exception that the caller handles becomes its __context__ */
    if (origin)
        restore_context(exception, origin);
}

PyObject *exception_of(State *state, kvl_status_t status, const kvl_error_t *error, PyObject **out_origin)
{
    *out_origin = NULL;
    Box *box = error ? kvl_error_object(error) : NULL;
    const kvl_error_t *cause = kvl_error_cause(error);
    if (!box) {
        PyObject *exception = PyObject_CallFunction(state->failure, "is", (int)status, error ? kvl_error_message(error) : kvl_status_message(status));
        PyObject *origin = NULL;
        PyObject *cause_exception = exception && cause ? exception_of(state, kvl_error_status(cause), cause, &origin) : NULL;
        Py_XDECREF(origin);
        if (cause_exception)
            PyException_SetCause(exception, cause_exception); /* takes the reference */
        else if (exception && cause)
            PyErr_Clear();
        return exception;
    }
    if (box->origin) {
        restore_origin(box->object, box->origin);
        Py_INCREF(box->origin);
        *out_origin = box->origin;
    }
    Py_INCREF(box->object);
    return box->object;
}

PyObject *take_exception(void)
{
    PyObject *type, *exception, *traceback;
    PyErr_Fetch(&type, &exception, &traceback);
    PyErr_NormalizeException(&type, &exception, &traceback);
    if (traceback)
        PyException_SetTraceback(exception, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return exception;
}

/* The pause of a RetryAfter in milliseconds; -1 if it has no valid one, and for other exceptions. */
static int64_t pause_of(State *state, PyObject *exception)
{
    if (!PyErr_GivenExceptionMatches(exception, state->retry_after))
        return -1;
    PyObject *stated = PyObject_GetAttr(exception, state->s_after_ms);
    PyObject *whole = stated ? PyNumber_Long(stated) : NULL;
    long long pause_ms = whole ? PyLong_AsLongLong(whole) : -1;
    Py_XDECREF(whole);
    Py_XDECREF(stated);
    PyErr_Clear();
    return pause_ms;
}

kvl_error_t *error_of(State *state, PyObject *exception)
{
    /* Neither a future nor a generator lets a StopIteration through, so it becomes a RuntimeError. */
    PyObject *delivered = NULL, *text = NULL;
    if (PyErr_GivenExceptionMatches(exception, PyExc_StopIteration)) {
        delivered = PyObject_CallFunction(PyExc_RuntimeError, "s", "the provider raised StopIteration");
        if (!delivered)
            return NULL;
        Py_INCREF(exception);
        PyException_SetCause(delivered, exception);
    } else {
        Py_INCREF(exception);
        delivered = exception;
    }
    text = PyUnicode_FromFormat("%S: %S", ((PyObject *)Py_TYPE(delivered)), delivered);
    if (!text)
        PyErr_Clear(); /* its __str__ raised: the error has no message */
    Py_ssize_t len = 0;
    const char *message = text ? PyUnicode_AsUTF8AndSize(text, &len) : NULL;
    if (!message) {
        PyErr_Clear();
        message = "", len = 0;
    }
    kvl_error_t *error = NULL;
    Box *box = box_new(state->drops, delivered);
    if (box) {
        PyObject *traceback = PyException_GetTraceback(delivered), *context = PyException_GetContext(delivered);
        box->origin = PyTuple_Pack(2, traceback ? traceback : Py_None, context ? context : Py_None);
        if (!box->origin)
            PyErr_Clear();
        Py_XDECREF(traceback);
        Py_XDECREF(context);
        uint32_t flags = PyErr_GivenExceptionMatches(delivered, state->permanent) ? KVL_ERROR_F_PERMANENT : 0;
        if (PyErr_GivenExceptionMatches(delivered, state->gone))
            flags |= KVL_ERROR_F_NO_STALE;
        int64_t pause_ms = pause_of(state, delivered);
        kvl_status_t status;
        CALL_LIBRARY(state->drops, status = kvl_error_new_object(0, message, (size_t)len, flags, NULL, box, box_dropped, &error));
        if (status >= 0 && pause_ms >= 0)
            kvl_error_set_retry_after(error, pause_ms);
        if (status < 0)
            raise_status(state, status, NULL);
    }
    Py_XDECREF(text);
    Py_DECREF(delivered);
    return error;
}

/* ---- Settings ---- */

/* A configuration or options, behind functions of the same types. */
typedef struct {
    void *handle;
    kvl_status_t (*set)(void *, const char *, const char *);
    kvl_status_t (*set_int)(void *, const char *, int64_t);
    kvl_status_t (*set_real)(void *, const char *, double);
    const char *(*problem)(void *);
} Settings;

/* The characters of a name or a text of a setting, which C would read only up to a NUL: such a text is refused, with `what` in the message. */
static const char *characters_of(State *state, PyObject *text, const char *what)
{
    Py_ssize_t len;
    const char *data = PyUnicode_AsUTF8AndSize(text, &len);
    if (data && strlen(data) != (size_t)len) {
        char message[200];
        snprintf(message, sizeof message, "%.150s contains a NUL", what);
        raise_status(state, KVL_ERR_BAD_VALUE, message);
        return NULL;
    }
    return data;
}

static int write_setting(State *state, Settings *into, const char *name, PyObject *value)
{
    int overflow = 0;
    long long number;
    if (PyBool_Check(value)) {
        /* Not as a number, which a setting that takes numbers would accept. */
        into->set(into->handle, name, value == Py_True ? "true" : "false");
    } else if (PyLong_Check(value) && (number = PyLong_AsLongLongAndOverflow(value, &overflow), !overflow)) {
        if (number == -1 && PyErr_Occurred())
            return -1;
        into->set_int(into->handle, name, number);
    } else if (PyFloat_Check(value)) {
        into->set_real(into->handle, name, PyFloat_AsDouble(value));
    } else {
        PyObject *text = PyObject_Str(value);
        const char *data = text ? characters_of(state, text, name) : NULL;
        if (data)
            into->set(into->handle, name, data);
        Py_XDECREF(text);
        return data ? 0 : -1;
    }
    return 0;
}

/* cache_ttl_ms=5 sets "cache.ttl_ms". If the library rejects a setting, raises an exception with its message. */
static int write_settings(State *state, Settings *into, PyObject *settings)
{
    PyObject *argument, *value;
    Py_ssize_t at = 0;
    while (settings != Py_None && PyDict_Next(settings, &at, &argument, &value)) {
        PyObject *known = PyDict_GetItemWithError(state->setting_names, argument);
        if (!known && PyErr_Occurred())
            return -1;
        if (PyBool_Check(value) || PyUnicode_Check(value)) {
            int is_number = PySet_Contains(state->numbers, argument);
            PyObject *message = is_number > 0 ? PyUnicode_FromFormat("\"%U\" takes a number, not %R", argument, value) : NULL;
            const char *text = message ? PyUnicode_AsUTF8AndSize(message, NULL) : NULL;
            if (text)
                raise_status(state, KVL_ERR_BAD_VALUE, text);
            Py_XDECREF(message);
            if (is_number)
                return -1;
        }
        const char *name = characters_of(state, known ? known : argument, "the name of a setting");
        if (!name || write_setting(state, into, name, value) < 0)
            return -1;
        const char *problem = into->problem(into->handle);
        if (problem) {
            raise_status(state, known ? KVL_ERR_BAD_VALUE : KVL_ERR_UNKNOWN_KEY, problem);
            return -1;
        }
    }
    return 0;
}

static kvl_status_t config_set(void *config, const char *name, const char *value) { return kvl_config_set(config, name, value); }
static kvl_status_t config_set_int(void *config, const char *name, int64_t value) { return kvl_config_set_int(config, name, value); }
static kvl_status_t config_set_real(void *config, const char *name, double value) { return kvl_config_set_real(config, name, value); }
static const char *config_problem(void *config) { return kvl_config_problem(config); }
static kvl_status_t options_set(void *options, const char *name, const char *value) { return kvl_options_set(options, name, value); }
static kvl_status_t options_set_int(void *options, const char *name, int64_t value) { return kvl_options_set_int(options, name, value); }
static kvl_status_t options_set_real(void *options, const char *name, double value) { return kvl_options_set_real(options, name, value); }
static const char *options_problem(void *options) { return kvl_options_problem(options); }

int settings_into_config(State *state, kvl_config_t *config, PyObject *settings)
{
    Settings into = {config, config_set, config_set_int, config_set_real, config_problem};
    return write_settings(state, &into, settings);
}

int settings_into_options(State *state, kvl_options_t *options, PyObject *settings)
{
    Settings into = {options, options_set, options_set_int, options_set_real, options_problem};
    return write_settings(state, &into, settings);
}

/* ---- The module ---- */

static PyObject *finish(PyObject *module, void *unused)
{
    (void)unused;
    State *state = PyModule_GetState(module);
    drops_finish(state->drops);
    Py_RETURN_NONE;
}

/* Imports an attribute of a module of `package`, or of a top-level module if that is NULL. */
static PyObject *import_attribute(const char *package, const char *module, const char *name)
{
    PyObject *path = package ? PyUnicode_FromFormat("%s.%s", package, module) : PyUnicode_FromString(module);
    PyObject *found = path ? PyImport_Import(path) : NULL;
    PyObject *attribute = found ? PyObject_GetAttrString(found, name) : NULL;
    Py_XDECREF(path);
    Py_XDECREF(found);
    return attribute;
}

static PyTypeObject *type_of(PyObject *module, PyType_Spec *spec, PyTypeObject *base, const char *name)
{
    PyObject *bases = base ? PyTuple_Pack(1, base) : NULL;
    PyObject *type = base && !bases ? NULL : PyType_FromSpecWithBases(spec, bases);
    Py_XDECREF(bases);
    if (!type || PyObject_SetAttrString(type, "_module", module) < 0 || PyObject_SetAttrString(module, name, type) < 0)
        Py_CLEAR(type);
    return (PyTypeObject *)type;
}

/* Registers drops_finish() to run when the interpreter ends, before any part of it is torn down. */
static int register_finish(PyObject *module)
{
    PyObject *at_exit = import_attribute(NULL, "atexit", "register"), *function = PyObject_GetAttrString(module, "_finish");
    PyObject *registered = at_exit && function ? PyObject_CallFunctionObjArgs(at_exit, function, NULL) : NULL;
    Py_XDECREF(at_exit);
    Py_XDECREF(function);
    Py_XDECREF(registered);
    return registered ? 0 : -1;
}

static int execute(PyObject *module)
{
    if (kvl_version_number() / 1000 != KVL_VERSION_NUMBER / 1000) {
        PyErr_Format(PyExc_ImportError, "kvlight: this package is for libkvlight %d.%d, but the library that was loaded is version %s",
                     KVL_VERSION_MAJOR, KVL_VERSION_MINOR, kvl_version_string());
        return -1;
    }
    State *state = PyModule_GetState(module);
    if (!(state->drops = drops_new()))
        return -1;
#define X(name)                                                                                                                            \
    if (!(state->s_##name = PyUnicode_InternFromString(#name)))                                                                            \
        return -1;
    NAMES(X)
#undef X
    const char *name = PyModule_GetName(module);
    const char *dot = name ? strrchr(name, '.') : NULL;
    PyObject *package = dot ? PyUnicode_FromStringAndSize(name, dot - name) : NULL;
    const char *within = package ? PyUnicode_AsUTF8AndSize(package, NULL) : NULL;
    state->failure = import_attribute(within, "_errors", "failure");
    state->permanent = state->failure ? import_attribute(within, "_errors", "Permanent") : NULL;
    state->gone = state->permanent ? import_attribute(within, "_errors", "Gone") : NULL;
    state->retry_after = state->gone ? import_attribute(within, "_errors", "RetryAfter") : NULL;
    state->answer = state->retry_after ? import_attribute(within, "_answer", "Answer") : NULL;
    state->not_modified = state->answer ? import_attribute(within, "_answer", "NotModified") : NULL;
    state->setting_names = state->not_modified ? import_attribute(within, "_api", "NAMES") : NULL;
    state->numbers = state->setting_names ? import_attribute(within, "_settings", "NUMBERS") : NULL;
    state->uuid = state->numbers ? import_attribute(NULL, "uuid", "UUID") : NULL;
    state->allocate_lock = state->uuid ? import_attribute(NULL, "_thread", "allocate_lock") : NULL;
    state->get_running_loop = state->allocate_lock ? import_attribute(NULL, "asyncio", "get_running_loop") : NULL;
    state->invalid_state = state->get_running_loop ? import_attribute(NULL, "asyncio", "InvalidStateError") : NULL;
    Py_XDECREF(package);
    if (!state->invalid_state)
        return -1;
    if (!(state->clock_type = type_of(module, &clock_spec, NULL, "Clock")) ||
        !(state->store_type = type_of(module, &store_spec, NULL, "Store")) ||
        !(state->entries_type = type_of(module, &entries_spec, NULL, "Entries")) ||
        !(state->engine_type = type_of(module, &engine_spec, state->store_type, "Engine")) ||
        !(state->waiter_type = type_of(module, &waiter_spec, NULL, "Waiter")) ||
        !(state->request_type = type_of(module, &request_spec, NULL, "Request")) ||
        !(state->tier_request_type = type_of(module, &tier_request_spec, NULL, "TierRequest")) ||
        !(state->redis_type = type_of(module, &redis_spec, NULL, "Redis")) ||
        !(state->pump_type = type_of(module, &pump_spec, NULL, "Pump")))
        return -1;
    if (PyModule_AddStringConstant(module, "VERSION", kvl_version_string()) < 0)
        return -1;
    return register_finish(module);
}

static int traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    if (!state)
        return 0;
    PyObject *all[] = {(PyObject *)state->store_type, (PyObject *)state->engine_type, (PyObject *)state->waiter_type,
                       (PyObject *)state->request_type, (PyObject *)state->tier_request_type, (PyObject *)state->redis_type,
                       (PyObject *)state->pump_type, (PyObject *)state->clock_type,
                       (PyObject *)state->entries_type, state->failure, state->permanent, state->gone, state->retry_after, state->answer,
                       state->not_modified, state->setting_names, state->numbers, state->uuid, state->allocate_lock,
                       state->get_running_loop, state->invalid_state};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        Py_VISIT(all[i]);
    return 0;
}

static int clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    if (!state)
        return 0;
    PyObject **all[] = {(PyObject **)&state->store_type, (PyObject **)&state->engine_type, (PyObject **)&state->waiter_type,
                        (PyObject **)&state->request_type, (PyObject **)&state->tier_request_type, (PyObject **)&state->redis_type,
                        (PyObject **)&state->pump_type, (PyObject **)&state->clock_type,
                        (PyObject **)&state->entries_type, &state->failure, &state->permanent, &state->gone, &state->retry_after, &state->answer,
                        &state->not_modified, &state->setting_names, &state->numbers, &state->uuid, &state->allocate_lock,
                        &state->get_running_loop, &state->invalid_state};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        Py_CLEAR(*all[i]);
#define X(name) Py_CLEAR(state->s_##name);
    NAMES(X)
#undef X
    return 0;
}

static void release(void *module)
{
    State *state = PyModule_GetState(module);
    if (!state)
        return;
    clear(module);
    if (state->drops) {
        drops_finish(state->drops);
        drops_release(state->drops);
        state->drops = NULL;
    }
}

static PyMethodDef methods[] = {{"_finish", (PyCFunction)finish, METH_NOARGS, NULL}, {0}};
static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {0}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "kvlight._native", .m_size = sizeof(State), .m_methods = methods,
    .m_slots = slots,      .m_traverse = traverse,      .m_clear = clear,        .m_free = release,
};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&definition); }
