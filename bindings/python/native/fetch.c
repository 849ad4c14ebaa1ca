/* Starting fetches; refreshing and invalidating keys. */
#include "native.h"

#include <stdlib.h>

/* Creates the options of one fetch; *out_options is NULL if there are none. Returns 0, or -1 with an exception set. */
static int options_of(Engine *self, PyObject *settings, size_t progress_step, kvl_options_t **out_options)
{
    *out_options = NULL;
    if ((settings == Py_None || PyDict_Size(settings) == 0) && !progress_step)
        return 0;
    kvl_status_t status = kvl_options_new(out_options);
    if (status >= 0 && progress_step)
        status = kvl_options_set_progress(*out_options, NULL, progress_step);
    if (status < 0)
        raise_status(self->store.state, status, NULL);
    if (status >= 0 && settings_into_options(self->store.state, *out_options, settings) == 0)
        return 0;
    kvl_options_free(*out_options);
    *out_options = NULL;
    return -1;
}

/* Returns a waiter that is not in the list: the recycled one, or a new one. */
static Waiter *waiter_acquire(Engine *self, Wait wait)
{
    if (!store_check_open(&self->store))
        return NULL;
    Waiter *waiter = self->recycled;
    self->recycled = NULL;
    if (!waiter)
        waiter = waiter_new(self);
    if (!waiter)
        return NULL;
    waiter->wait = wait;
    kvl_status_t status = kvl_fetch_new(&waiter->fetch);
    if (status >= 0)
        return waiter;
    Py_DECREF(waiter);
    return (Waiter *)raise_status(self->store.state, status, NULL);
}

/* Keeps a waiter for the next fetch, since its own fetch ended at once. */
static void waiter_recycle(Engine *self, Waiter *waiter)
{
    kvl_fetch_release(waiter->fetch); /* a fetch handle serves one fetch */
    waiter->fetch = NULL;
    if (self->recycled)
        Py_DECREF(waiter);
    else
        self->recycled = waiter;
}

/* Creates the target of an outcome: a future of the loop, or a lock that is held until the outcome is there. */
static PyObject *new_target(Engine *self)
{
    State *state = self->store.state;
    if (self->loop)
        return PyObject_CallMethodObjArgs(self->loop, state->s_create_future, NULL);
    PyObject *lock = PyObject_CallFunctionObjArgs(state->allocate_lock, NULL);
    PyObject *acquired = lock ? PyObject_CallMethodObjArgs(lock, state->s_acquire, NULL) : NULL;
    if (!acquired)
        Py_CLEAR(lock);
    Py_XDECREF(acquired);
    return lock;
}

/* Lets the keys of the next fetch gather with those that the same turn of the loop asks for later. */
static void begin_gathering(Engine *self)
{
    if (self->gathers && !self->is_gathering)
        kvl_tasks_gather(self->tasks, 1); /* if the engine is closed, the fetch fails */
}

/* Called after the fetch that begin_gathering() was for. Hands out the keys that have gathered: at the end of this turn or, if the fetch does not
 * wait, at once. Returns 0, or -1 with an exception set. */
static int end_gathering(Engine *self, bool waits)
{
    if (!self->gathers || self->is_gathering)
        return 0;
    if (waits) {
        State *state = self->store.state;
        PyObject *end = PyObject_GetAttr((PyObject *)self->pump, state->s__end_turn);
        PyObject *handle = end ? PyObject_CallMethodObjArgs(self->loop, state->s_call_soon, end, NULL) : NULL;
        Py_XDECREF(end);
        Py_XDECREF(handle);
        self->is_gathering = handle != NULL;
    }
    if (!self->is_gathering && self->tasks)
        CALL_LIBRARY(self->store.state->drops, kvl_tasks_gather(self->tasks, 0));
    return waits && !self->is_gathering ? -1 : 0;
}

/* Adds the waiter of an accepted fetch to the engine's list. Its outcome may be in the queue already, but is delivered later, under the interpreter's
 * lock. Returns the waiter, or NULL with an exception set. */
static PyObject *register_waiter(Engine *self, Waiter *waiter, PyObject *target)
{
    waiter_link(waiter);
    Py_XINCREF(target);
    waiter->target = target;
    if (end_gathering(self, true) == 0 && (target || (waiter->target = new_target(self))))
        return (PyObject *)waiter;
    kvl_fetch_cancel(waiter->fetch);
    Py_DECREF(waiter);
    return NULL;
}

/* Whether `settings`, a dictionary or None, contains any options. */
static bool has_options(PyObject *settings) { return settings != Py_None && PyDict_Size(settings) != 0; }

/* Looks the key up in the store, if fetches start with that and this one has no options. Returns whether the key was found. */
static bool find_resident(Engine *self, const Bytes *key, PyObject *settings, PyObject **out_value)
{
    void *box;
    if (!self->reads_store_first || has_options(settings))
        return false;
    kvl_status_t found = kvl_tasks_get_object(self->tasks, key->data, key->len, &box, NULL);
    if (found != KVL_VALUE && found != KVL_NULL)
        return false;
    if (found == KVL_VALUE) {
        *out_value = box_content(box);
    } else {
        Py_INCREF(Py_None);
        *out_value = Py_None;
    }
    return true;
}

/* Starts a fetch: returns a Waiter, or the value if the key was stored meanwhile. */
static PyObject *start_fetch(Engine *self, const Bytes *key, PyObject *settings)
{
    State *state = self->store.state;
    kvl_value_t *value;
    kvl_options_t *options;
    Waiter *waiter = NULL;
    if (options_of(self, settings, 0, &options) < 0 || !(waiter = waiter_acquire(self, WAITS_FOR_ONE))) {
        kvl_options_free(options);
        return NULL;
    }
    kvl_status_t status;
    begin_gathering(self);
    releases_own_drops++;
    status = kvl_tasks_fetch(self->tasks, key->data, key->len, options, waiter->fetch, waiter_take_result, waiter, NULL, &value);
    releases_own_drops--;
    kvl_options_free(options);
    PyObject *outcome;
    if (status == KVL_PENDING) {
        outcome = register_waiter(self, waiter, NULL);
    } else {
        end_gathering(self, false);
        waiter_recycle(self, waiter);
        outcome = status == KVL_VALUE || status == KVL_NULL ? value_into_object(state, status, value) : raise_status(state, status, NULL);
    }
    drops_release_pending(state->drops);
    return outcome;
}

/* _fetch(key, options): the value, or a Waiter. */
PyObject *engine_fetch(Engine *self, PyObject *const *args, Py_ssize_t n)
{
    if (n != 2) {
        PyErr_SetString(PyExc_TypeError, "_fetch(key, options)");
        return NULL;
    }
    if (!store_check_open(&self->store))
        return NULL;
    Bytes key;
    bytes_start(&key);
    PyObject *outcome = NULL;
    if (key_encode(self->store.state, self->store.encode, args[0], &key) == 0 && store_check_open(&self->store) && /* encode= may close the engine */
        !find_resident(self, &key, args[1], &outcome))
        outcome = start_fetch(self, &key, args[1]);
    bytes_end(&key);
    return outcome;
}

/* Whether the engine's own loop runs this. If not, raises an exception with the reason. */
static bool is_on_loop(Engine *self)
{
    PyObject *running = PyObject_CallNoArgs(self->store.state->get_running_loop);
    if (!running)
        return false;
    bool is_own = running == self->loop;
    Py_DECREF(running);
    if (is_own)
        return true;
    PyObject *loop = PyObject_CallMethodObjArgs((PyObject *)self, self->store.state->s__own_loop, NULL);
    Py_XDECREF(loop);
    return loop != NULL;
}

/* _fetch_on_loop(key, options): like _fetch, for a coroutine on the engine's loop. For a resident key it checks only the thread: getting the running
 * loop is a system call in some versions of Python. */
PyObject *engine_fetch_on_loop(Engine *self, PyObject *const *args, Py_ssize_t n)
{
    Store *store = &self->store;
    if (n != 2 || !store->cache || !self->pump->loop || self->pump->thread != PyThread_get_thread_ident())
        return store->state && !is_on_loop(self) ? NULL : engine_fetch(self, args, n);
    Bytes key;
    bytes_start(&key);
    PyObject *outcome = NULL;
    /* While keys gather, the engine's loop is in a turn, so this is not checked. If another loop runs after all, awaiting the future fails. */
    if (key_encode(store->state, store->encode, args[0], &key) == 0 && store_check_open(store) && !find_resident(self, &key, args[1], &outcome) &&
        (self->is_gathering || is_on_loop(self)))
        outcome = start_fetch(self, &key, args[1]);
    bytes_end(&key);
    return outcome;
}

/* A list of keys, encoded into one buffer. */
typedef struct {
    Bytes bytes;
    kvl_slice_t *slices;
    size_t n;
} Keys;

static void keys_end(Keys *keys)
{
    bytes_end(&keys->bytes);
    free(keys->slices);
}

static int keys_encode(Engine *self, PyObject *list, Keys *keys)
{
    bytes_start(&keys->bytes);
    Py_ssize_t n = PyList_Size(list);
    keys->n = n < 0 ? 0 : (size_t)n;
    keys->slices = malloc((keys->n ? keys->n : 1) * sizeof *keys->slices);
    if (!keys->slices)
        PyErr_NoMemory();
    bool failed = n < 0 || !keys->slices;
    for (Py_ssize_t i = 0; i < n && !failed; i++) {
        size_t previous = keys->bytes.len;
        PyObject *key = PyList_GetItem(list, i); /* fails if encode= has shortened the list meanwhile */
        failed = !key || key_encode(self->store.state, self->store.encode, key, &keys->bytes) < 0;
        keys->slices[i].len = keys->bytes.len - previous;
    }
    if (failed) {
        keys_end(keys);
        return -1;
    }
    const uint8_t *at = keys->bytes.data; /* the buffer no longer moves, so the slices can point into it */
    for (size_t i = 0; i < keys->n; at += keys->slices[i++].len)
        keys->slices[i].data = at;
    return 0;
}

/* _fetch_all(keys, options, form, progress, step): a list, or a Waiter. */
PyObject *engine_fetch_all(Engine *self, PyObject *args)
{
    PyObject *list, *settings, *progress;
    int form;
    Py_ssize_t step;
    if (!PyArg_ParseTuple(args, "O!OiOn", &PyList_Type, &list, &settings, &form, &progress, &step))
        return NULL;
    State *state = self->store.state;
    kvl_options_t *options = NULL;
    Keys keys;
    if (!store_check_open(&self->store) || keys_encode(self, list, &keys) < 0)
        return NULL;
    Waiter *waiter = NULL;
    if (options_of(self, settings, progress != Py_None ? (size_t)step : 0, &options) < 0 || !(waiter = waiter_acquire(self, WAITS_FOR_ALL))) {
        keys_end(&keys);
        kvl_options_free(options);
        return NULL;
    }
    waiter->form = (OutcomeForm)form;
    if (progress != Py_None) {
        Py_INCREF(progress);
        waiter->progress = progress;
    }
    kvl_results_t *results = NULL;
    kvl_status_t status;
    begin_gathering(self);
    releases_own_drops++;
    status = kvl_tasks_fetch_all(self->tasks, keys.slices, keys.n, options, waiter->fetch, NULL, waiter, NULL, &results);
    releases_own_drops--;
    keys_end(&keys);
    kvl_options_free(options);
    PyObject *outcome;
    if (status == KVL_PENDING) {
        outcome = register_waiter(self, waiter, NULL);
    } else {
        end_gathering(self, false);
        outcome = status < 0 ? raise_status(state, status, NULL) : waiter_return_results(waiter, state, results);
        Py_DECREF(waiter);
        CALL_LIBRARY(state->drops, kvl_results_release(results));
    }
    drops_release_pending(state->drops);
    return outcome;
}

/* _fetch_each(keys, options, on_outcome): a Waiter, or None if there are no keys. */
PyObject *engine_fetch_each(Engine *self, PyObject *args)
{
    PyObject *list, *settings, *on_outcome;
    if (!PyArg_ParseTuple(args, "O!OO", &PyList_Type, &list, &settings, &on_outcome))
        return NULL;
    kvl_options_t *options = NULL;
    Keys keys;
    if (!store_check_open(&self->store) || keys_encode(self, list, &keys) < 0)
        return NULL;
    Waiter *waiter = NULL;
    if (options_of(self, settings, 0, &options) < 0 || !(waiter = waiter_acquire(self, WAITS_FOR_EACH))) {
        keys_end(&keys);
        kvl_options_free(options);
        return NULL;
    }
    kvl_status_t status;
    begin_gathering(self);
    releases_own_drops++;
    status = kvl_tasks_fetch_each(self->tasks, keys.slices, keys.n, options, waiter->fetch, NULL, waiter, NULL);
    releases_own_drops--;
    keys_end(&keys);
    kvl_options_free(options);
    PyObject *outcome = Py_None;
    if (status == KVL_PENDING) {
        outcome = register_waiter(self, waiter, on_outcome);
    } else {
        end_gathering(self, false);
        Py_DECREF(waiter);
        outcome = status < 0 ? raise_status(self->store.state, status, NULL) : Py_None;
        Py_XINCREF(outcome);
    }
    drops_release_pending(self->store.state->drops);
    return outcome;
}

/* _raw_keys(keys): the bytes of the keys. */
PyObject *engine_raw_keys(Engine *self, PyObject *list)
{
    Keys keys;
    if (!store_check_open(&self->store) || keys_encode(self, list, &keys) < 0)
        return NULL;
    PyObject *raw = PyList_New((Py_ssize_t)keys.n);
    for (size_t i = 0; raw && i < keys.n; i++) {
        PyObject *bytes = PyBytes_FromStringAndSize((const char *)keys.slices[i].data, (Py_ssize_t)keys.slices[i].len);
        if (bytes)
            PyList_SetItem(raw, (Py_ssize_t)i, bytes);
        else
            Py_CLEAR(raw);
    }
    keys_end(&keys);
    return raw;
}

PyObject *engine_refresh(Engine *self, PyObject *args)
{
    PyObject *list, *settings;
    if (!PyArg_ParseTuple(args, "O!O", &PyList_Type, &list, &settings) || !store_check_open(&self->store))
        return NULL;
    Keys keys;
    if (keys_encode(self, list, &keys) < 0)
        return NULL;
    kvl_options_t *options;
    kvl_status_t status = KVL_OK;
    if (options_of(self, settings, 0, &options) == 0 && store_check_open(&self->store))
        CALL_LIBRARY(self->store.state->drops, status = kvl_tasks_refresh(self->tasks, keys.slices, keys.n, options));
    keys_end(&keys);
    kvl_options_free(options);
    if (PyErr_Occurred())
        return NULL;
    if (status < 0)
        return raise_status(self->store.state, status, NULL);
    Py_RETURN_NONE;
}

PyObject *engine_invalidate(Engine *self, PyObject *args)
{
    PyObject *list;
    int all;
    if (!PyArg_ParseTuple(args, "O!p", &PyList_Type, &list, &all) || !store_check_open(&self->store))
        return NULL;
    Keys keys;
    if (keys_encode(self, list, &keys) < 0)
        return NULL;
    kvl_status_t status = KVL_OK;
    if (store_check_open(&self->store)) {
        kvl_tasks_t *tasks = engine_enter(self);
        CALL_LIBRARY(self->store.state->drops, Py_BEGIN_ALLOW_THREADS status = kvl_tasks_invalidate(tasks, keys.slices, keys.n,
                                                                                              all ? KVL_INVALIDATE_F_ALL : 0);
                Py_END_ALLOW_THREADS);
        engine_leave(self);
    }
    keys_end(&keys);
    if (PyErr_Occurred())
        return NULL;
    if (status < 0)
        return raise_status(self->store.state, status, NULL);
    Py_RETURN_NONE;
}
