/* The extension module kvlight._native: what its files share. One binary serves every CPython from 3.9 on (stable ABI). */
#ifndef KVLIGHT_NATIVE_H
#define KVLIGHT_NATIVE_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x03090000
#include <Python.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <kvlight.h>

/* Both are in every CPython since 3.7 and were promised for good with 3.10, which is why the headers hide them from 3.9. */
#ifndef METH_FASTCALL
#define METH_FASTCALL 0x0080
#endif
#if PY_VERSION_HEX >= 0x030A0000
PyAPI_FUNC(const char *) PyUnicode_AsUTF8AndSize(PyObject *unicode, Py_ssize_t *size);
#endif

/* ---- Objects in the library's hands (home.c) ---- */

typedef struct Box Box;

/* Where the objects of one interpreter come home to. The library may drop the last reference to a value on any thread; the object is then
 * put on a stack, and released by a thread that holds the interpreter's lock. */
typedef struct Home {
    _Atomic(Box *) dropped;
    atomic_size_t references; /* the module's, and one a box */
    atomic_int is_finishing;  /* the interpreter ends: nothing may be scheduled any more */
    atomic_int scheduling;    /* threads inside Py_AddPendingCall() */
    bool is_main;             /* pending calls run in the main interpreter only */
} Home;

/* One object that the library holds; the library knows the box by its address. */
struct Box {
    PyObject *object;
    PyObject *traceback; /* of an exception, as it was when it was raised; else NULL */
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

/* A call of the library that may drop objects: they are released before it is over. */
#define LIBRARY(home, call)                                                                                                                \
    do {                                                                                                                                   \
        empties_home++;                                                                                                                    \
        call;                                                                                                                              \
        empties_home--;                                                                                                                    \
        home_settle(home);                                                                                                                 \
    } while (0)

/* ---- The module's state (module.c) ---- */

#define NAMES(X)                                                                                                                           \
    X(acquire) X(after_ms) X(_module) X(_provide) X(_report) X(add_done_callback) X(bytes) X(call_soon) X(call_soon_threadsafe) X(cancel) X(cancelled)            \
    X(cost) X(create_future) X(done) X(exception) X(is_closed) X(is_running) X(keys) X(priority) X(release) X(remove_reader) X(result)     \
    X(set_exception) X(set_result) X(stale_ttl_ms) X(ttl_ms) X(value)

typedef struct {
    Home *home;
    PyTypeObject *store_type, *entries_type, *engine_type, *waiter_type, *request_type, *pump_type, *clock_type;
    PyObject *failure;   /* kvlight._errors.failure(status, sentence): an exception */
    PyObject *permanent, *gone, *retry_after; /* kvlight.Permanent and its kin */
    PyObject *answer;    /* kvlight.Answer */
    PyObject *setting_names;
    PyObject *uuid, *allocate_lock;
#define X(name) PyObject *s_##name;
    NAMES(X)
#undef X
} State;

State *state_of_type(PyTypeObject *type, PyObject **module);
/* Raise what the status says; NULL for convenience. The sentence may be NULL. */
PyObject *raise_status(State *state, kvl_status_t status, const char *sentence);
/* The same with the sentence of an error, which may be NULL. */
PyObject *raise_error(State *state, kvl_status_t status, const kvl_error_t *error);
/* The exception that an error of the library stands for; a new reference. Its traceback is set back to where it was raised first. */
PyObject *exception_of(State *state, kvl_status_t status, const kvl_error_t *error);
/* An error for the library that carries an exception; NULL with an exception set. */
kvl_error_t *error_of(State *state, PyObject *exception);
/* The exception that is set, taken, with its traceback. */
PyObject *exception_taken(void);
/* Writes a dictionary of settings into a configuration or into options. */
int settings_into_config(State *state, kvl_config_t *config, PyObject *settings);
int settings_into_options(State *state, kvl_options_t *options, PyObject *settings);

/* ---- Keys (key.c) ---- */

/* Bytes that grow; short ones need no memory of their own. */
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
/* The key behind bytes. `is_raw`: the bytes themselves, where a function of the program's encoded it and none decodes it. */
PyObject *key_decode(State *state, PyObject *decode, const uint8_t *data, size_t len, bool is_raw);

/* ---- Clock (clock.c) ---- */

extern PyType_Spec clock_spec;
kvl_clock_t *clock_handle(PyObject *clock);

/* ---- Store and engine ---- */

typedef struct Engine Engine;
typedef struct Waiter Waiter;
typedef struct Pump Pump;

/* What a cache and an engine have in common (store.c). */
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
    PyObject *loop;     /* the event loop, or NULL where a thread reads the queue */
    PyObject *requests; /* number: Request, those that are with the provider */
    PyObject *closing;  /* a future or a lock, from close to its end */
    Waiter *waiters, *spare;
    size_t waiting;
    unsigned long long last_request;
};

typedef enum { WAITS_FOR_ONE, WAITS_FOR_ALL, WAITS_FOR_EACH } Wait;
/* What a batch comes to: values, or the first exception; exceptions in their places; all that is known of each key, as a tuple. */
typedef enum { WANTS_VALUES, WANTS_EXCEPTIONS, WANTS_RESULTS } Wants;

/* One fetch under way (waiter.c). The engine's list holds it until its last event. */
struct Waiter {
    PyObject_HEAD
    Engine *engine; /* borrowed; NULL once it is not in the list */
    Waiter *next, *before;
    Wait wait;
    Wants wants;
    kvl_fetch_t *fetch;
    PyObject *target;   /* a future; a lock that is held until the outcome is there; a function for each outcome */
    PyObject *progress; /* a function, or NULL */
    PyObject *outcome, *error;
};

/* Keys that the provider is to answer (request.c). */
typedef struct {
    PyObject_HEAD
    State *state;
    PyObject *module;
    Engine *engine; /* borrowed; NULL once it is answered or the engine is gone */
    kvl_request_t *handle;
    PyObject *number, *keys, *task;
} Request;

/* The reader of an engine's queue (pump.c). It outlives the engine until what the queue holds is dealt with. */
struct Pump {
    PyObject_HEAD
    State *state;
    PyObject *module;
    Engine *engine; /* borrowed; NULL once the engine is gone */
    PyObject *keep; /* the engine, while somebody waits: the loop holds the pump, and so whoever waits */
    PyObject *loop;
    PyObject *requests; /* of an engine that is gone: nobody waits for their answers any more */
    unsigned long thread; /* the loop's */
    kvl_queue_t *queue;
    int fd; /* -1 while no loop watches it */
    bool is_read; /* a thread is in run() */
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
/* A handle for a value: None is null. NULL with an exception set. */
kvl_value_t *store_value(Store *self, PyObject *value);
PyObject *value_taken(State *state, kvl_status_t status, kvl_value_t *value);
/* entries.c */
PyObject *store_items(Store *self, PyObject *unused);
PyObject *store_save(Store *self, PyObject *args);
PyObject *store_load(Store *self, PyObject *args);

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
/* Handles events until there is none or `most` were handled; 1 if there may be more, 0 if not, -1 with an exception set. */
int pump_drain(Pump *self, size_t most);

int engine_handle(Engine *self, const kvl_event_t *event);
void engine_report(Engine *self, const char *what);

#endif
