/*
 * kvlight: a loading cache for every language, behind a C ABI.
 *
 * This file is the specification. It is generated: `make generate` writes it, and a test compares it with the sources.
 *
 * OWNERSHIP
 *   A program holds handles: opaque pointers that it receives through `out_` parameters.
 *   Arguments are copied or retained before the call returns, so the caller keeps its own handle and may free it at once. A handle
 *   ends only by the _free, _release or _dispose of its type; all of them ignore NULL.
 *   Everything that a callback or an event shows is borrowed: until the callback returns, or until the next kvl_queue_next() on that
 *   queue. Values, errors, results and requests are reference counted: _retain keeps them for longer.
 *   Out handles are set to NULL before anything else happens, so cleanup code may release them whatever the call returned. Every
 *   other output is written only if the call succeeds (its status is 0 or above). Outputs do not overlap inputs, except that the
 *   key may lie in the buffer of kvl_cache_get_into().
 *   Each pointer parameter is marked: [borrowed] is used during the call only, [copied] and [retained] as above, [out] is written by the
 *   call, [owned] belongs to the library from now on or, with [out], to the caller.
 *
 * USER DATA
 *   A callback is passed as three arguments: the function, `user_data`, which is its first argument, and `user_data_free`, which frees
 *   `user_data` and may be NULL. user_data_free runs exactly once, whatever happens: on the calling thread before the call returns,
 *   if the call failed or returned its result at once; otherwise after the last callback, where callbacks run.
 *   The destructor of an object runs exactly once too: when the last reference is dropped, or before the call returns if the call
 *   that should have taken the object over fails.
 *
 * THREADS
 *   any      may be called on every thread, on several at the same time, and inside callbacks.
 *   one      may be called on every thread, but on one at a time for each handle.
 *   outside  may be called on every thread, but inside a callback it returns KVL_ERR_REENTRANT and changes nothing, since it would wait.
 *   A pointer given to the library (user data, objects) may be used and freed by any thread. Callbacks must return: they must not
 *   unwind, longjmp or end their thread. No callback runs while the library holds a lock.
 *
 * PROCESS
 *   Threads of the library block all signals except those that a fault raises (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS,
 *   SIGABRT), from before their first instruction, so that the program's handlers run on the program's threads. A process that a
 *   callback starts on such a thread by posix_spawn(), system() or popen() inherits the blocked signals: use POSIX_SPAWN_SETSIGMASK
 *   with posix_spawn(). The child of a fork() inside a callback unblocks the signals automatically; it must end by exec or _exit, and
 *   not return from the callback.
 *   In the child of any fork, functions return KVL_ERR_FORKED for handles that were created before the fork, and the _free and _release
 *   of such handles have no effect. Values and errors stay readable, and their objects are destroyed in the child when the last
 *   reference is released. New handles work.
 *   Windows has neither signals nor forks: none of that applies there. On every system the shared library stays loaded once a handle
 *   was created, even if the program unloads it, since threads may be running in it.
 *   The setting tasks.stack_bytes is the size of the stack of a provider thread. If the system refuses a thread, a request waits for a
 *   provider thread that is busy. If there is no provider thread at all, the request fails with KVL_ERR_NO_THREAD.
 *
 * DELIVERY
 *   Without a queue, callbacks run on one dispatcher thread of the library and the provider on provider threads of the library.
 *   With a queue, events that are routed to it are delivered where the program drains it: kvl_queue_poll() runs the callbacks on the
 *   polling thread; kvl_queue_next() fills an event and calls no callback, so the functions of these events may be NULL.
 *   Removals: an engine's removal listener and the destructors of removed values run on the dispatcher. If these are slower than the
 *   writers, threads that write outside callbacks wait for the listener, or run destructors themselves (removals.max_pending). A cache
 *   without an engine calls its listener inside the call that caused the removal, after that call has released its locks, on one
 *   thread at a time; for entries that the timer removes, on the dispatcher. So a listener, or a destructor, must not take a lock
 *   of the program that a thread holds while it writes to that cache.
 *
 * SHUTDOWN
 *   Close an engine (never blocks), wait for the report that it is closed, and free it (joins the threads). Destructors and finalizers
 *   dispose of it instead, which does all that without waiting.
 *
 * ERRORS
 *   A status of 0 means success; above 0, an outcome that a program expects; below 0, an error. Only KVL_PENDING means "accepted", and
 *   only then do events follow. There is no last error of a thread: everything about an error is in its kvl_error_t.
 *
 * MEMORY
 *   KVL_ERR_NO_MEMORY: the system refused an allocation of 128 KiB or more, or one of any size for bytes of a value. The call changed
 *   nothing. A smaller allocation that is refused ends the process, as it does in most programs; SECURITY.md lists the larger
 *   allocations that do so too. Calls that only remove entries, such as kvl_cache_clear(), allocate less than 128 KiB at a time.
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
