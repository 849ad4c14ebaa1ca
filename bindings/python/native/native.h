/* Declarations shared by the files of the extension module kvlight._native. One binary serves every CPython from 3.9 on (stable ABI). */
#ifndef KVLIGHT_NATIVE_H
#define KVLIGHT_NATIVE_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03090000
#include <Python.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <kvlight.h>

/* Both exist in every CPython since 3.7, but joined the stable ABI only with 3.10, so the headers for 3.9 hide them. */
#ifndef METH_FASTCALL
#define METH_FASTCALL 0x0080
#endif
#if PY_VERSION_HEX >= 0x030A0000
PyAPI_FUNC(const char *) PyUnicode_AsUTF8AndSize(PyObject *unicode, Py_ssize_t *size);
#endif

/* ---- Objects that the library holds (home.c) ---- */

typedef struct Box Box;

/* The objects of one interpreter that the library has dropped. It may drop the last reference to a value on any thread; the object is then
 * put on a stack, and released by a thread that holds the interpreter's lock. */
typedef struct Home {
    _Atomic(Box *) dropped;
    atomic_size_t references; /* one of the module, and one for each box */
    atomic_int is_finishing;  /* the interpreter is ending: no call may be scheduled any more */
    atomic_int scheduling;    /* threads inside Py_AddPendingCall() */
    bool is_main;             /* only the main interpreter runs pending calls */
} Home;

/* One object that the library holds; the library knows the box by its address. */
struct Box {
    PyObject *object;
    PyObject *traceback; /* of an exception: its traceback when it was first raised; else NULL */
    Home *home;
    Box *next;
};

Home *home_new(void);
void home_release(Home *home);
void home_finish(Home *home);
Box *box_new(Home *home, PyObject *object);
void box_dropped(void *box);
void home_empty(Home *home);

/* Whether this thread empties the home itself when its call of the library returns. */
extern _Thread_local int empties_home;

static inline void home_settle(Home *home)
{
    if (atomic_load_explicit(&home->dropped, memory_order_relaxed))
        home_empty(home);
}

/* Calls the library, and then releases the objects that the call dropped. */
#define LIBRARY(home, call)                                                                                                                \
    do {                                                                                                                                   \
        empties_home++;                                                                                                                    \
        call;                                                                                                                              \
        empties_home--;                                                                                                                    \
        home_settle(home);                                                                                                                 \
    } while (0)

/* ---- The module's state (module.c) ---- */

#define NAMES(X)                                                                                                                           \
    X(acquire) X(after_ms) X(_here) X(_module) X(_provide) X(_report) X(add_done_callback) X(bytes) X(call_soon) X(call_soon_threadsafe) X(cancel) X(cancelled)            \
    X(cost) X(create_future) X(done) X(exception) X(is_closed) X(is_running) X(keys) X(priority) X(release) X(remove_reader) X(result)     \
    X(set_exception) X(set_result) X(stale_ttl_ms) X(tags) X(ttl_ms) X(value) X(version)

typedef struct {
    Home *home;
    PyTypeObject *store_type, *entries_type, *engine_type, *waiter_type, *request_type, *pump_type, *clock_type;
    PyObject *failure;   /* kvlight._errors.failure(status, sentence): an exception */
    PyObject *permanent, *gone, *retry_after; /* kvlight.Permanent, Gone and RetryAfter */
    PyObject *answer, *not_modified; /* kvlight.Answer and NotModified */
    PyObject *setting_names;
    PyObject *uuid, *allocate_lock, *get_running_loop;
#define X(name) PyObject *s_##name;
    NAMES(X)
#undef X
} State;

State *state_of_type(PyTypeObject *type, PyObject **module);
/* Raises the exception of a status, and returns NULL. The message may be NULL. */
PyObject *raise_status(State *state, kvl_status_t status, const char *sentence);
/* Does the same with the message of an error, which may be NULL. */
PyObject *raise_error(State *state, kvl_status_t status, const kvl_error_t *error);
/* Returns the exception for an error of the library, a new reference. Its traceback is reset to the one with which it was first raised. */
PyObject *exception_of(State *state, kvl_status_t status, const kvl_error_t *error);
/* An error for the library that carries an exception; NULL with an exception set. */
kvl_error_t *error_of(State *state, PyObject *exception);
/* Clears the exception that is set and returns it, with its traceback. */
PyObject *exception_taken(void);
/* Writes a dictionary of settings into a configuration or into options. */
int settings_into_config(State *state, kvl_config_t *config, PyObject *settings);
int settings_into_options(State *state, kvl_options_t *options, PyObject *settings);

/* ---- Keys (key.c) ---- */

/* A growing byte buffer; short contents need no allocation. */
typedef struct {
    uint8_t *data;
    size_t len, room;
    uint8_t first[256];
} Bytes;

void bytes_start(Bytes *bytes);
void bytes_end(Bytes *bytes);
int bytes_add(Bytes *bytes, const void *data, size_t len);
/* Appends the bytes of a key; `encode` is the program's function, or NULL. */
int key_encode(State *state, PyObject *encode, PyObject *key, Bytes *into);
/* Decodes a key. `is_raw`: returns the bytes themselves, since the program has an encode function and no decode function. */
PyObject *key_decode(State *state, PyObject *decode, const uint8_t *data, size_t len, bool is_raw);

/* ---- Terms (terms.c) ---- */

#define TEXT_OF(number) TEXT_OF_(number)
#define TEXT_OF_(number) #number

/* What the version and the tags of terms point into. */
typedef struct {
    PyObject *version, *tags;
    kvl_slice_t slices[KVL_TAGS_MAX];
} Labels;

/* Reads a version and tags, each of which may be NULL, into terms, which are valid until labels_end(). Call that also after a failure. */
int labels_read(State *state, PyObject *version, PyObject *tags, Labels *labels, kvl_terms_t *terms);
void labels_end(Labels *labels);
/* Reads the terms of an Answer or, without a value, of a NotModified. The same holds for the labels. */
int terms_of(State *state, PyObject *answer, bool has_value, Labels *labels, kvl_terms_t *terms);

/* ---- Clock (clock.c) ---- */

extern PyType_Spec clock_spec;
kvl_clock_t *clock_handle(PyObject *clock);

/* ---- Store and engine ---- */

typedef struct Engine Engine;
typedef struct Waiter Waiter;
typedef struct Pump Pump;

/* The common part of a cache and an engine (store.c). */
typedef struct {
    PyObject_HEAD
    PyObject *module;
    State *state;
    kvl_cache_t *cache; /* NULL before it is opened and after it is closed */
    PyObject *encode, *decode, *cost;
} Store;

/* A store with a provider behind it (engine.c). */
struct Engine {
    Store store;
    kvl_tasks_t *tasks;
    Pump *pump;
    PyObject *loop;     /* the event loop, or NULL if a thread reads the queue */
    PyObject *requests; /* a dict, number to Request: those that the provider has not finished */
    PyObject *closing;  /* a future or a lock, from the call of close until the engine has ended */
    Waiter *waiters, *spare;
    size_t waiting;
    bool looks_first; /* a fetch without options looks in the store first: `read` is normal */
    unsigned long long last_request;
};

typedef enum { WAITS_FOR_ONE, WAITS_FOR_ALL, WAITS_FOR_EACH } Wait;
/* The form of a batch's outcome: values, or the first exception; exceptions in place of values; the details of each key, as a tuple. */
typedef enum { WANTS_VALUES, WANTS_EXCEPTIONS, WANTS_RESULTS } Wants;

/* One fetch in progress (waiter.c). The engine's list holds it until its last event. */
struct Waiter {
    PyObject_HEAD
    Engine *engine; /* borrowed; NULL while not in the list */
    Waiter *next, *before;
    Wait wait;
    Wants wants;
    kvl_fetch_t *fetch;
    PyObject *target;   /* a future; a lock that is held until the outcome has arrived; a function for each outcome */
    PyObject *progress; /* a function, or NULL */
    PyObject *outcome, *error;
};

/* A request of the provider (request.c). */
typedef struct {
    PyObject_HEAD
    State *state;
    PyObject *module;
    Engine *engine; /* borrowed; NULL once the request is finished or the engine has ended */
    kvl_request_t *handle;
    PyObject *number, *keys, *task;
} Request;

/* The reader of an engine's queue (pump.c). It outlives the engine until the remaining events of the queue are handled. */
struct Pump {
    PyObject_HEAD
    State *state;
    PyObject *module;
    Engine *engine; /* borrowed; NULL once the engine has ended */
    PyObject *keep; /* the engine, while a fetch waits: the loop holds the pump, and by this the engine and its waiters */
    PyObject *loop;
    PyObject *requests; /* of an engine that has ended: no caller waits for their answers any longer */
    unsigned long thread; /* the loop's thread */
    kvl_queue_t *queue;
    int fd; /* -1 while no loop watches it */
    bool is_read; /* a thread is inside run() */
    bool is_over;
};

extern PyType_Spec store_spec, entries_spec, engine_spec, waiter_spec, request_spec, pump_spec;

int store_start(Store *self, PyObject *settings, PyObject *clock, kvl_config_t **out_config);
void store_end(Store *self);
void store_keep(Store *self, PyObject *encode, PyObject *decode, PyObject *cost);
int store_traverse(Store *self, visitproc visit, void *arg);
int store_clear(Store *self);
Store *store_alive(Store *self);
uint64_t store_cost(Store *self, PyObject *value, bool *failed);
/* Creates a handle for a value; None becomes null. NULL with an exception set. */
kvl_value_t *store_value(Store *self, PyObject *value);
PyObject *value_taken(State *state, kvl_status_t status, kvl_value_t *value);
/* entries.c */
PyObject *store_items(Store *self, PyObject *unused);
PyObject *store_save(Store *self, PyObject *args);
PyObject *store_load(Store *self, PyObject *args);

/* fetch.c */
PyObject *engine_fetch(Engine *self, PyObject *const *args, Py_ssize_t n);
PyObject *engine_fetch_here(Engine *self, PyObject *const *args, Py_ssize_t n);
PyObject *engine_fetch_all(Engine *self, PyObject *args);
PyObject *engine_fetch_each(Engine *self, PyObject *args);
PyObject *engine_refresh(Engine *self, PyObject *args);
PyObject *engine_invalidate(Engine *self, PyObject *args);

Waiter *waiter_new(Engine *engine);
void waiter_link(Waiter *waiter);
void waiter_unlink(Waiter *waiter);
int waiter_told(Waiter *waiter, const kvl_result_t *result);
int waiter_told_all(Waiter *waiter, const kvl_results_t *results);
PyObject *waiter_had_all(Waiter *waiter, State *state, const kvl_results_t *results);

PyObject *request_new(Engine *engine, kvl_request_t *handle);
void request_cancelled(Request *request);

Pump *pump_new(State *state, PyObject *module, Engine *engine);
int pump_attach(Pump *self, PyObject *loop);
void pump_finish(Pump *self);
void pump_leave(Pump *self);
/* Handles at most `most` events; returns 1 if there may be more, 0 if there are none left, -1 with an exception set. */
int pump_drain(Pump *self, size_t most);

int engine_handle(Engine *self, const kvl_event_t *event);
void engine_report(Engine *self, const char *what);

#endif
