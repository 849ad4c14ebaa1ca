/*
 * kvlight: a loading cache for every language, behind a C ABI.
 *
 * This file is the specification. It is generated: `make generate` writes it, a test compares it.
 *
 * OWNERSHIP
 *   A program holds handles: opaque pointers that a function whose name ends in _new, or an `out_` parameter, gave it.
 *   What goes in is copied or retained before the call returns, so the caller keeps its own handle and may free it at once. Nothing
 *   but its own _free or _release ends a handle; either does nothing when it is given NULL.
 *   What a callback or an event shows is borrowed: until the callback returns, or until the next kvl_queue_next() on that queue.
 *   Values, errors, results and requests are reference counted: _retain keeps them for longer.
 *   Out handles are set to NULL before anything else happens, so cleanup code may release them whatever the call answered. Every
 *   other output is written only when the call succeeds (its status is 0 or above). Outputs do not overlap inputs, except that the
 *   key may lie in the buffer of kvl_cache_get_into().
 *   Each parameter carries its word: [borrowed] during the call only, [copied], [retained], [owned] by the caller from now on,
 *   [out] written by the call.
 *
 * USER DATA
 *   A callback travels as three arguments: the function, `user_data`, which is handed to it first, and `user_data_free`, which ends
 *   `user_data` and may be NULL. user_data_free runs exactly once, whatever happens: on the calling thread before the call returns,
 *   if the call failed or answered at once; else after the last callback, where callbacks run.
 *   An object with its destructor keeps the same promise: the destructor runs exactly once, when the last reference is gone, or
 *   before the call returns if the call that was to take the object over fails.
 *
 * THREADS
 *   any      from every thread, from several at the same time, and from inside callbacks.
 *   one      from every thread, but from one at a time for each handle.
 *   outside  from every thread, but inside a callback it answers KVL_ERR_REENTRANT and changes nothing, since it would wait.
 *   A pointer given to the library (user data, objects) may be used and freed by any thread. Callbacks must return: they must not
 *   unwind, longjmp or end their thread. No callback runs while the library holds a lock.
 *
 * PROCESS
 *   Threads of the library block all signals but those that a fault raises (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS,
 *   SIGABRT), from before their first instruction, so that the program's handlers run on the program's threads. A process that a
 *   callback starts there by posix_spawn(), system() or popen() inherits that: give posix_spawn() POSIX_SPAWN_SETSIGMASK. The child
 *   of a fork() inside a callback takes the signals again by itself; it must end by exec or _exit, and not return from the callback.
 *   In the child of any fork, handles made before it answer KVL_ERR_FORKED, and their _free and _release do nothing; values and errors
 *   stay readable, and what they hold ends there where their last reference is released; new handles work.
 *   Windows has neither signals nor forks: none of that applies there. On every system the shared library stays loaded once a handle
 *   was made, whatever unloads it, since threads may be in it.
 *   The stack of a provider is tasks.stack_bytes. Where the system refuses a thread, a request waits for a provider thread that is at
 *   work, and fails with KVL_ERR_NO_THREAD if there is none.
 *
 * DELIVERY
 *   Without a queue, callbacks run on one dispatcher thread of the library and the provider on provider threads of the library.
 *   With a queue, what was routed to it comes out where the program drains it: kvl_queue_poll() runs the callbacks on the polling
 *   thread; kvl_queue_next() fills an event and calls nothing, and the function arguments may then be NULL.
 *   Removals: an engine's removal listener and the destructors of what it drops run on the dispatcher. If these are slower than the
 *   writers, threads that write outside callbacks wait for the listener, or run destructors themselves (removals.max_pending). A cache
 *   without an engine calls its listener inside the call that caused the removal, after its locks, one thread at a time; for what
 *   expired by its timer, on the dispatcher. So a listener, or a destructor, must not take a lock of the program's that a thread holds
 *   while it writes to that cache.
 *
 * SHUTDOWN
 *   Close (never blocks), be told that it is closed, free (joins the threads). Dispose, for destructors and finalizers, does all
 *   that without waiting.
 *
 * ERRORS
 *   A status of 0 is done; above 0, an outcome that a program expects; below 0, an error. KVL_PENDING alone means "accepted": only
 *   then do events follow. There is no last error of a thread: what is to be said about an error is in its kvl_error_t.
 */
#ifndef KVLIGHT_H
#define KVLIGHT_H

#include <stddef.h>
#include <stdint.h>

/* Define KVL_STATIC where the static library is linked on Windows. */
#if defined(_WIN32) && !defined(KVL_STATIC)
#define KVL_API __declspec(dllimport)
#else
#define KVL_API
#endif

#ifdef __cplusplus
extern "C" {
#endif
