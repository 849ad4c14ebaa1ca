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

/* CPython 3.9 has METH_FASTCALL and PyUnicode_AsUTF8AndSize(), but they joined the stable ABI only in 3.10: headers hide them while Py_LIMITED_API
 * is 3.9. */
#ifndef METH_FASTCALL
#define METH_FASTCALL 0x0080
#endif
#if PY_VERSION_HEX >= 0x030A0000
PyAPI_FUNC(const char *) PyUnicode_AsUTF8AndSize(PyObject *unicode, Py_ssize_t *size);
#endif

/* ---- Objects that the library holds (drops.c) ---- */

typedef struct Box Box;

/* The objects of one interpreter that the library has dropped, as a stack. The library may drop the last reference to a value on any thread, with or
 * without the interpreter's lock; a thread that holds the lock then releases the object. */
typedef struct DropStack {
    _Atomic(Box *) dropped;
    atomic_size_t references; /* one for the module, one for each box, and one for each scheduled call */
    atomic_int is_finishing;  /* the interpreter is ending: no further call may be scheduled */
    atomic_int scheduling;    /* the number of threads inside Py_AddPendingCall() */
    bool is_main;             /* this is the main interpreter, the only one that runs pending calls */
} DropStack;

/* A box around an object. What the library holds is the address of the box. */
struct Box {
    PyObject *object;
    PyObject *origin; /* of an exception: its traceback and its __context__ as the provider left them, a tuple; otherwise NULL */
    DropStack *drops;
    Box *next;
};

DropStack *drops_new(void);
void drops_release(DropStack *drops);
void drops_finish(DropStack *drops);
Box *box_new(DropStack *drops, PyObject *object);
/* Returns a new reference to the object of a box that a lookup has found. The library may have dropped the box since, but it still exists: boxes are
 * freed under the interpreter's lock, which the caller holds. */
static inline PyObject *box_content(void *box)
{
    PyObject *object = ((Box *)box)->object;
    Py_INCREF(object);
    return object;
}
void box_dropped(void *box);
void drops_release_objects(DropStack *drops);

/* Above 0 while this thread is in a call into the library, and will itself release the dropped objects when that call returns. */
extern _Thread_local int releases_own_drops;

static inline void drops_release_pending(DropStack *drops)
{
    if (atomic_load_explicit(&drops->dropped, memory_order_relaxed))
        drops_release_objects(drops);
}

/* Calls the library, then releases the objects that were dropped meanwhile. */
#define CALL_LIBRARY(drops, call)                                                                                                          \
    do {                                                                                                                                   \
        releases_own_drops++;                                                                                                              \
        call;                                                                                                                              \
        releases_own_drops--;                                                                                                              \
        drops_release_pending(drops);                                                                                                      \
    } while (0)

/* ---- The module's state (module.c) ---- */

/* Python names that the module uses. State holds each as a string, s_NAME. */
#define NAMES(X)                                                                                                                           \
    X(_end_turn) X(acquire) X(after_ms) X(_own_loop) X(_module) X(_provide) X(_report) X(_serve) X(add_done_callback) X(bytes)             \
    X(call_soon) X(call_soon_threadsafe) X(cancel) X(cancelled) X(cost) X(create_future) X(exception) X(is_closed) X(is_running) X(keys)   \
    X(priority) X(release) X(remove_reader) X(result) X(set_exception) X(set_result) X(stale_ttl_ms) X(tags) X(ttl_ms) X(value) X(version)

typedef struct {
    DropStack *drops;
    PyTypeObject *store_type, *entries_type, *engine_type, *waiter_type, *request_type, *tier_request_type, *redis_type, *pump_type, *clock_type;
    PyObject *failure;   /* kvlight._errors.failure(status, message, errno=None), which returns an exception */
    PyObject *permanent, *gone, *retry_after; /* kvlight.Permanent, Gone and RetryAfter */
    PyObject *answer, *not_modified; /* kvlight.Answer and NotModified */
    PyObject *setting_names; /* a dict from keyword arguments to the library's names */
    PyObject *numbers;       /* a set of those whose settings are numbers */
    PyObject *uuid, *allocate_lock, *get_running_loop, *invalid_state;
#define X(name) PyObject *s_##name;
    NAMES(X)
#undef X
} State;

State *state_of_type(PyTypeObject *type, PyObject **module);
/* Raises the exception for a status, and returns NULL. Without a message (NULL), the exception has that of the status. */
PyObject *raise_status(State *state, kvl_status_t status, const char *message);
/* Like raise_status(), with the message of `error`, which may be NULL, and for KVL_ERR_IO its errno. */
PyObject *raise_error(State *state, kvl_status_t status, const kvl_error_t *error);
/* Returns a new reference to the exception for an error of the library. One of the provider, which callers share, has its traceback and its
 * __context__ as the provider left them; these are in *out_origin, a new reference, or NULL for an exception that nobody shares. */
PyObject *exception_of(State *state, kvl_status_t status, const kvl_error_t *error, PyObject **out_origin);
/* Gives a shared exception the __context__ that it had when the provider had raised it, without that of a caller who has raised it. */
void restore_context(PyObject *exception, PyObject *origin);
/* Raises the exception of one caller. `origin` may be NULL. */
void raise_for_caller(PyObject *exception, PyObject *origin);
/* Creates an error that carries an exception; NULL with an exception set on failure. */
kvl_error_t *error_of(State *state, PyObject *exception);
/* Clears the current exception and returns it, with its traceback. */
PyObject *take_exception(void);
/* Write the settings of a dictionary into a configuration or into options. Return 0, or -1 with an exception set. */
int settings_into_config(State *state, kvl_config_t *config, PyObject *settings);
int settings_into_options(State *state, kvl_options_t *options, PyObject *settings);

/* ---- Keys (key.c) ---- */

/* A growing byte buffer; short contents need no allocation. */
typedef struct {
    uint8_t *data;
    size_t len, capacity;
    uint8_t first[256];
} Bytes;

void bytes_start(Bytes *bytes);
void bytes_end(Bytes *bytes);
int bytes_add(Bytes *bytes, const void *data, size_t len);
/* Appends the bytes of a key; `encode` is the program's function, or NULL. */
int key_encode(State *state, PyObject *encode, PyObject *key, Bytes *into);
/* Decodes a key. With `is_raw` returns the bytes themselves: the program has an encode function but no decode function. */
PyObject *key_decode(State *state, PyObject *decode, const uint8_t *data, size_t len, bool is_raw);

/* ---- Terms (terms.c) ---- */

#define TEXT_OF(number) TEXT_OF_(number)
#define TEXT_OF_(number) #number

/* The memory that the version and the tags of terms point into. */
typedef struct {
    PyObject *version, *tags;
    kvl_slice_t slices[KVL_TAGS_MAX];
} Labels;

/* Sets the version and the tags of terms; either may be NULL. The terms are valid until labels_end(), which must also be called after a failure. */
int labels_read(State *state, PyObject *version, PyObject *tags, Labels *labels, kvl_terms_t *terms);
void labels_end(Labels *labels);
/* Reads the terms of an Answer or, with `has_value` false, of a NotModified. labels_end() must be called afterwards, also after a failure. */
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
    kvl_cache_t *cache; /* NULL before the store is opened and after it is closed */
    PyObject *encode, *decode, *cost;
} Store;

/* A store with a provider behind it (engine.c). */
struct Engine {
    Store store;
    kvl_tasks_t *tasks;
    Pump *pump;
    PyObject *loop;     /* the event loop, or NULL if a thread reads the queue */
    PyObject *requests; /* a dict of the unfinished requests, by number */
    PyObject *redis;    /* the connection of the second tier, or NULL */
    PyObject *closing;  /* a future or a lock that close() waits for; set by the first close() */
    Waiter *waiters;    /* the fetches in progress, as a list */
    Waiter *recycled;   /* a waiter for the next fetch, or NULL */
    size_t waiting;     /* the length of the list */
    size_t calls;       /* the calls of the library with this engine for which the interpreter's lock was released */
    kvl_tasks_t *ended; /* what engine_end() has left for the last of these calls to free, with its pump; or NULL */
    Pump *ended_pump;
    bool reads_store_first; /* whether a fetch without options can start with a lookup in the store */
    bool gathers;           /* keys that are asked for in the same turn of the loop share requests */
    bool is_gathering;      /* in this turn keys gather, and the loop will call the pump's _end_turn() */
    unsigned long long last_request; /* the number of the newest request */
};

typedef enum { WAITS_FOR_ONE, WAITS_FOR_ALL, WAITS_FOR_EACH } Wait;
/* What a batch returns: values, or the first exception if a key failed; values and exceptions; or a tuple of details for each key. */
typedef enum { FORM_VALUES, FORM_EXCEPTIONS, FORM_RESULTS } OutcomeForm;

/* A fetch in progress (waiter.c). The engine's list holds it until the last event of the fetch. */
struct Waiter {
    PyObject_HEAD
    Engine *engine; /* borrowed; NULL once the waiter has left the list */
    Waiter *next, *previous;
    Wait wait;
    OutcomeForm form;
    kvl_fetch_t *fetch;
    PyObject *target;   /* a future, a lock that is held until the outcome is there, or a function for each outcome */
    PyObject *progress; /* the program's function, or NULL */
    PyObject *outcome, *error; /* what the fetch ended with: a value or a list, or else an exception */
    PyObject *origin;          /* of an exception that callers share: see Box; otherwise NULL */
};

/* A request to the provider (request.c). */
typedef struct {
    PyObject_HEAD
    State *state;
    PyObject *module;
    Engine *engine; /* borrowed; NULL once the request is finished or the engine has ended */
    kvl_request_t *handle;
    PyObject *number, *keys;
    PyObject *task; /* the task of a coroutine provider on the loop, or NULL */
} Request;

/* The outcome of one key, taken out of the queue (waiter.c). */
typedef struct {
    Waiter *waiter;
    PyObject *object; /* the value; NULL for null and for a failure */
    kvl_error_t *error;
    kvl_status_t status;
} Outcome;

enum { MAX_OUTCOMES = 256 }; /* makes an Outcomes, which is on the stack, 8 KiB large */

/* The outcomes that were taken out of the queue together. */
typedef struct {
    bool has_closed; /* the end of the engine, which comes last, was taken out too */
    size_t n;
    Outcome items[MAX_OUTCOMES];
} Outcomes;

/* What handles the events of an engine's queue (pump.c). It outlives the engine until it has handled the remaining events. */
struct Pump {
    PyObject_HEAD
    State *state;
    PyObject *module;
    Engine *engine; /* borrowed; NULL once the engine has ended */
    PyObject *kept_engine; /* the engine while a fetch is in progress, otherwise NULL: the loop holds the pump, and this keeps the engine alive */
    PyObject *loop;
    PyObject *requests; /* the unfinished requests of an engine that has ended */
    unsigned long thread; /* the loop's thread */
    kvl_queue_t *queue;
    Outcomes *taken; /* where callbacks put outcomes; NULL outside of kvl_queue_poll() */
    int fd; /* -1 while no loop watches it */
    bool is_running; /* a thread is inside run() */
    bool is_finished;
};

extern PyType_Spec store_spec, entries_spec, engine_spec, waiter_spec, request_spec, tier_request_spec, redis_spec, pump_spec;

int store_init(Store *self, PyObject *settings, PyObject *clock, kvl_config_t **out_config);
void store_release(Store *self);
void store_set_functions(Store *self, PyObject *encode, PyObject *decode, PyObject *cost);
int store_traverse(Store *self, visitproc visit, void *arg);
int store_clear(Store *self);
Store *store_check_open(Store *self);
/* The cost that the program's function states for a value; 0 if `function` is NULL. Sets *failed if the function raised. */
uint64_t cost_of(PyObject *function, PyObject *value, bool *failed);
/* Likewise, with the store's function; None costs 0. */
uint64_t store_cost(Store *self, PyObject *value, bool *failed);
/* Creates a handle for a value of this cost; None becomes null. NULL with an exception set on failure. */
kvl_value_t *value_new(State *state, PyObject *value, uint64_t cost);
/* Like value_new(), with the cost that the store's function states. */
kvl_value_t *store_value(Store *self, PyObject *value);
PyObject *value_into_object(State *state, kvl_status_t status, kvl_value_t *value);
/* Appends the bytes that stand for a value outside of this process: plain values as they are, others by the program's function, which may be
 * None. Returns 1; 0 if there are no bytes, since the value is not plain and there is no function; -1 with an exception set. */
int value_dump(State *state, PyObject *dump, PyObject *value, Bytes *into);
/* Makes a value of the bytes that value_dump() wrote; `len` is at least 1. Returns NULL with an exception set or, if the value needs the program's
 * function and that is None, without one. */
PyObject *value_load(State *state, PyObject *load, const uint8_t *data, size_t len);
/* entries.c */
PyObject *store_items(Store *self, PyObject *unused);
PyObject *store_save(Store *self, PyObject *args);
PyObject *store_load(Store *self, PyObject *args);

/* fetch.c */
PyObject *engine_fetch(Engine *self, PyObject *const *args, Py_ssize_t n);
PyObject *engine_fetch_on_loop(Engine *self, PyObject *const *args, Py_ssize_t n);
PyObject *engine_fetch_all(Engine *self, PyObject *args);
PyObject *engine_fetch_each(Engine *self, PyObject *args);
PyObject *engine_raw_keys(Engine *self, PyObject *list);
PyObject *engine_refresh(Engine *self, PyObject *args);
PyObject *engine_invalidate(Engine *self, PyObject *args);

Waiter *waiter_new(Engine *engine);
void waiter_link(Waiter *waiter);
void waiter_unlink(Waiter *waiter);
/* The library's callback for the outcome of a fetch of one key. Keeps the outcome for outcomes_deliver(), since no code of the program may run here. */
void waiter_take_result(void *waiter, const kvl_result_t *result);
/* Delivers all outcomes, even after one has raised. Returns 0, or -1 with the first raised BaseException that is no `Exception`, such as KeyboardInterrupt. */
int outcomes_deliver(State *state, Outcomes *outcomes);
int waiter_deliver_result(Waiter *waiter, const kvl_result_t *result);
int waiter_deliver_results(Waiter *waiter, const kvl_results_t *results);
PyObject *waiter_return_results(Waiter *waiter, State *state, const kvl_results_t *results);

PyObject *request_new(Engine *engine, kvl_request_t *handle);
void request_cancelled(Request *request);
/* tier.c: a request for the second tier; it retains the handle. */
PyObject *tier_request_new(Engine *engine, kvl_l2_request_t *handle);
/* The request of the library; NULL once it is finished. */
kvl_l2_request_t *tier_request_handle(PyObject *request);
/* redis.c: between these two calls, the keys that other processes write are invalidated in the engine. The second waits for the connection's thread. */
kvl_status_t redis_attach(PyObject *redis, kvl_tasks_t *tasks);
void redis_stop(PyObject *redis);

Pump *pump_new(State *state, PyObject *module, Engine *engine);
/* The library's callback for the end of an engine. */
void pump_take_closed(void *pump);
int pump_attach(Pump *self, PyObject *loop);
void pump_finish(Pump *self);
void pump_detach(Pump *self);
/* Handles at most `max` events. Returns 1 if there may be more, 0 if there are none, -1 with an exception set. */
int pump_drain(Pump *self, size_t max);
/* Handles a limited number of events, for a call from the loop: while events remain the descriptor stays readable, and other callbacks run in between. */
int pump_drain_some(Pump *self);

int engine_handle(Engine *self, const kvl_event_t *event);
/* Ends the wait of close(). */
int engine_complete_close(Engine *self);
kvl_tasks_t *engine_enter(Engine *self);
void engine_leave(Engine *self);
/* What is reported for an outcome that its caller cannot get. */
#define UNDELIVERED "an outcome could not be delivered"
/* Ends a delivery. If it has failed with an Exception, reports that and returns 0, so that no other event is affected. Otherwise returns `failed`, and
 * any other BaseException stays set. */
int engine_check_delivery(Engine *self, int failed, const char *what);
void engine_report(Engine *self, const char *what);

#endif
