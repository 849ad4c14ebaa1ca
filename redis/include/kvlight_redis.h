/*
 * kvlight_redis.h: a second tier for kvlight on Redis (7.0 and later) or Valkey (7.2 and later).
 *
 * Processes that use the same server and the same prefix share their answers: what one process has loaded, the others find there; where
 * possible, one of them loads a key for all; and when one writes a key, the others are notified within milliseconds. A failure of the
 * server never fails a fetch: without it each process works with its own cache and its provider.
 *
 *     kvl_redis_t *redis = NULL;
 *     kvl_redis_use(config, "redis://user:password@cache.example.org:6379/0?prefix=shop", &redis, &error);
 *     kvl_tasks_new(config, &tasks, NULL);
 *     kvl_redis_attach(redis, tasks);
 *     ...
 *     kvl_tasks_close(tasks, KVL_CLOSE_DRAIN, 5000, closed, &state, NULL);      returns at once: wait until closed() has run
 *     kvl_redis_free(redis);
 *     kvl_tasks_free(tasks);
 *
 * Link with -lkvlight_redis -lkvlight; the name for pkg-config is kvlight-redis. Each kvl_redis_t has a thread, `kvl-redis`, and while a
 * host name is being looked up, and for some seconds after that, a second one. Both block all signals but those of faults. Answers are
 * given on `kvl-redis`: the cost function of the configuration runs there, and if more removals are pending than `removals.max_pending`
 * allows, so do destructors of removed objects, unless they belong to a queue.
 *
 * The words [owned], [borrowed], [copied], [out] and @threads mean what they do in kvlight.h.
 */
#ifndef KVLIGHT_REDIS_H
#define KVLIGHT_REDIS_H

#include <kvlight.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A connection to a server, for the engines of one configuration. */
typedef struct kvl_redis_t kvl_redis_t;

/**
 * Makes a server the second tier of a configuration (kvl_config_set_l2), and starts to connect. It does not wait for the connection, which
 * is made in the background and remade whenever it is lost; while there is none, keys are loaded as without a second tier.
 *
 * The URL is redis://, rediss:// (TLS), valkey://, valkeys:// or unix://, as in redis://user:password@host:6379/0?prefix=shop. For a
 * cluster it names one server, or several separated by commas; one of them must be reachable at the start:
 * redis://one:6379,two:6379/?prefix=shop. With `sentinel` its hosts are Sentinels, which know the primary. The options of the URL, each of which may
 * be given once:
 *
 * | option | default | meaning |
 * |---|---|---|
 * | prefix | required | the prefix of all keys in the server: processes with the same prefix share their entries |
 * | sentinel | | the name by which the Sentinels of the URL know the primary; user, password and database of the URL are those of the primary |
 * | sentinel_user, sentinel_pass | | user and password of the Sentinels |
 * | lease_ms | 10000 | how long a process may take to load a key; after that another process may load it for the server; 10 or more |
 * | notify_ms | 10 | the pause after each read of the log of writes: a longer one costs the server less |
 * | log_entries | 100000 | the approximate number of writes that the server keeps for processes that lost their connection |
 * | blind_ms | 5000 | while the log of writes cannot be read, everything that the process has cached is looked up again each time that this much time has passed; 10 or more, -1: never. A silent server is noticed after 1 s + command_ms at the earliest |
 * | journal_ms | 10000 | writes that are at most this old are repeated after a reconnection, if the server may have lost them |
 * | on_restart | clear | after a server has restarted with a file of its data (an RDB), which may be old: `clear` makes everything in the servers absent, `trust` uses it |
 * | compress_min | -1 | entries of at least this many bytes are stored compressed (LZ4), if they become at least an eighth smaller; -1: none |
 * | plain_max | 67108864 | the longest entry that is decompressed, in bytes: a longer one that is stored compressed is a miss, and this process stores longer ones uncompressed |
 * | connect_ms | 1000 | how long a connection may take |
 * | command_ms | 500 | how long the server may take for a command before the library reconnects. A fetch waits for l2.timeout_ms at most |
 * | reconnect_cap_ms | 5000 | the longest pause between two attempts to connect; each is lengthened or shortened at random by up to a fifth |
 * | db, user, pass, protocol | | for unix://, whose URL has no other place for them; protocol is resp2 or resp3 |
 *
 * @param config     [borrowed] from kvl_config_new(), before an engine is created from it.
 * @param url        [copied] NUL-terminated UTF-8.
 * @param out_redis  [out, owned] the connection: free it before the engines.
 * @param out_error  [out, owned] if this fails: a sentence that says what is wrong and how to fix it, without the URL; release it. May be NULL.
 * @return KVL_OK; KVL_ERR_BAD_VALUE (the URL), KVL_ERR_NO_THREAD, KVL_ERR_NO_FD, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.2
 */
KVL_API kvl_status_t kvl_redis_use(kvl_config_t *config, const char *url, kvl_redis_t **out_redis, kvl_error_t **out_error);

/**
 * The functions of kvlight that kvl_redis_open() is to use: those of the copy of kvlight that made the program's handles. A program that
 * contains kvlight, rather than being linked with the shared library, passes its own:
 * `static const kvl_redis_library_t library = KVL_REDIS_LIBRARY_INIT;`
 */
typedef struct kvl_redis_library_t {
    /** sizeof(kvl_redis_library_t) */
    size_t struct_size;
    uint32_t (*l2_request_kind)(const kvl_l2_request_t *);
    size_t (*l2_request_len)(const kvl_l2_request_t *);
    const kvl_slice_t *(*l2_request_keys)(const kvl_l2_request_t *);
    kvl_status_t (*l2_request_entry)(const kvl_l2_request_t *, size_t, const uint8_t **, size_t *, int64_t *, const uint8_t **, size_t *);
    kvl_status_t (*l2_request_payload)(const kvl_l2_request_t *, size_t, const uint8_t *, size_t, const uint8_t **, size_t *);
    kvl_status_t (*l2_request_hit)(kvl_l2_request_t *, size_t, const uint8_t *, size_t, int64_t, const uint8_t *, size_t);
    kvl_status_t (*l2_request_miss)(kvl_l2_request_t *, size_t, const uint8_t *, size_t);
    kvl_status_t (*l2_request_leased)(kvl_l2_request_t *, size_t);
    uint32_t (*l2_request_steals)(const kvl_l2_request_t *, size_t);
    kvl_status_t (*l2_request_refused)(kvl_l2_request_t *, size_t);
    kvl_status_t (*l2_request_fail)(kvl_l2_request_t *, size_t);
    kvl_status_t (*l2_request_finish)(kvl_l2_request_t *);
    kvl_l2_request_t *(*l2_request_retain)(kvl_l2_request_t *);
    void (*l2_request_release)(kvl_l2_request_t *);
    kvl_status_t (*tasks_invalidate)(kvl_tasks_t *, const kvl_slice_t *, size_t, uint32_t);
    kvl_status_t (*value_new_bytes)(const uint8_t *, size_t, kvl_value_t **);
    kvl_status_t (*error_new)(int64_t, const char *, size_t, uint32_t, kvl_error_t **);
} kvl_redis_library_t;

/** The functions that this program is linked with. */
#define KVL_REDIS_LIBRARY_INIT { sizeof(kvl_redis_library_t), kvl_l2_request_kind, kvl_l2_request_len, kvl_l2_request_keys, kvl_l2_request_entry, \
    kvl_l2_request_payload, kvl_l2_request_hit, kvl_l2_request_miss, kvl_l2_request_leased, kvl_l2_request_steals, kvl_l2_request_refused, \
    kvl_l2_request_fail, kvl_l2_request_finish, kvl_l2_request_retain, kvl_l2_request_release, kvl_tasks_invalidate, kvl_value_new_bytes, \
    kvl_error_new }

/** The entry of an object, as kvl_redis_serve() found it in the server. */
typedef struct kvl_redis_found_t {
    /** The index of its key in the request. */
    size_t index;
    /** The entry, for kvl_l2_request_payload() and kvl_l2_request_hit_object(). */
    const uint8_t *data;
    size_t len;
    /** As in kvl_l2_request_hit(). */
    int64_t ttl_left_ms;
    /** As in kvl_l2_request_hit(). */
    const uint8_t *token;
    size_t token_len;
} kvl_redis_found_t;

/**
 * Connects to a server for a program whose values are objects: such a program serves the second tier itself, since it alone can encode an
 * object, and passes each request to kvl_redis_serve(). The program calls kvl_config_set_l2() with KVL_L2_F_CONDITIONAL, KVL_L2_F_LEASES
 * and KVL_L2_F_OBJECTS. Otherwise as kvl_redis_use().
 *
 * @param url        [copied] as in kvl_redis_use().
 * @param library    [copied] the functions of the program's kvlight; NULL: of the shared library that libkvlight_redis is linked with.
 * @param out_redis  [out, owned] the connection: kvl_redis_stop() it before an attached engine is freed, and free it.
 * @param out_error  [out, owned] as in kvl_redis_use().
 * @return KVL_OK; KVL_ERR_INVALID_ARG (`library` is of an older version), and as kvl_redis_use().
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_redis_open(const char *url, const kvl_redis_library_t *library, kvl_redis_t **out_redis, kvl_error_t **out_error);

/**
 * Serves a request of the second tier from the server, and waits for that: for at most `command_ms` of the URL for each round trip. Before
 * the call the program sets the bytes of each object that is to be stored (kvl_l2_request_set_payload()), or refuses it. All keys are
 * answered except those whose objects were found: the program decodes these and answers their keys. Then it finishes the request.
 *
 * @param redis      [borrowed] from kvl_redis_open().
 * @param request    [borrowed] a request of the second tier.
 * @param out_found  [out, owned] the objects that were found: free them by kvl_redis_found_free(); NULL if there are none.
 * @param out_len    [out] their number.
 * @return KVL_OK: finish the request; KVL_ERR_UNAVAILABLE (the server did not serve it, kvl_redis_state() says why), KVL_ERR_CLOSED (after
 *         kvl_redis_stop()): finish a KVL_L2_READ, and release others unfinished; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any, several at a time
 * @since 0.2
 */
KVL_API kvl_status_t kvl_redis_serve(kvl_redis_t *redis, kvl_l2_request_t *request, kvl_redis_found_t **out_found, size_t *out_len);

/**
 * Frees what kvl_redis_serve() has found.
 *
 * @param found  [owned] from kvl_redis_serve(); NULL is ignored.
 * @param len    their number.
 * @threads any
 * @since 0.2
 */
KVL_API void kvl_redis_found_free(kvl_redis_found_t *found, size_t len);

/**
 * Attaches an engine: the keys that other processes write from now on are invalidated in it (kvl_tasks_invalidate). Attach every engine as
 * soon as it is created from the configuration: what it has loaded until then is looked up again when it is next fetched.
 *
 * Load a file (kvl_cache_load) before that, not after it: writes of other processes since the file was saved are not announced again, so that
 * what is loaded later may stay outdated without end. After a later load, call kvl_tasks_invalidate() with KVL_INVALIDATE_F_ALL and
 * KVL_INVALIDATE_F_EXPIRE.
 *
 * If several engines are attached, the writes of each are also invalidated in the others.
 *
 * @param redis  [borrowed] from kvl_redis_use() or kvl_redis_open().
 * @param tasks  [retained until kvl_redis_stop() or kvl_redis_free()] from kvl_tasks_new(), with `redis` as its second tier.
 * @return KVL_OK, also if it is attached already; KVL_ERR_CLOSED (after kvl_redis_stop()), KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_redis_attach(kvl_redis_t *redis, kvl_tasks_t *tasks);

/**
 * Returns the state of the connection as JSON, for operators, health checks and tests:
 *
 * | member | meaning |
 * |---|---|
 * | connected | whether requests are being served |
 * | listening | whether the log of writes is being read |
 * | problem | null, or a sentence that says what is wrong and how to fix it, without keys, values and passwords: what the server says is shown up to the first word that it quotes |
 * | sessions | how many connections were made |
 * | leases | how many leases this process was granted |
 * | busy | how often another process was loading a key that this one looked up |
 * | heard, own | how many keys that other processes wrote, and that this process wrote, were read from the log |
 * | gaps, blind | how often entries of the log may have been missed, and how often the log could not be read for blind_ms: in both cases everything cached is looked up again |
 *
 * @param redis     [borrowed] from kvl_redis_use() or kvl_redis_open().
 * @param out_text  [out, owned] a value that holds the text in UTF-8: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_redis_state(const kvl_redis_t *redis, kvl_value_t **out_text);

/**
 * Ends the connection at once, and waits for its thread. Afterwards no attached engine is used any more, and running and later calls of
 * kvl_redis_serve() fail. A second call does nothing.
 *
 * @param redis  [borrowed] from kvl_redis_use() or kvl_redis_open(); NULL is ignored. Must not be called from callbacks.
 * @threads outside
 * @since 0.2
 */
KVL_API void kvl_redis_stop(kvl_redis_t *redis);

/**
 * Ends the connection at once, and waits for its thread. Afterwards no attached engine is used any more: free the engines then, not before.
 *
 * What an engine has not written yet is lost. To have it written, call kvl_tasks_close() with KVL_CLOSE_DRAIN, a deadline and a function,
 * and wait until that function has run; or kvl_tasks_l2_sync(), which waits for puts, removals and clears, but not for what was loaded.
 *
 * @param redis  [owned] from kvl_redis_use() or kvl_redis_open(); NULL is ignored. No other call may be using it, and none may use it again. Must not be called from callbacks.
 * @threads outside
 * @since 0.2
 */
KVL_API void kvl_redis_free(kvl_redis_t *redis);

#ifdef __cplusplus
}
#endif

#endif
