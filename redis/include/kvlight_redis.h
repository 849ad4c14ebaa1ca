/*
 * kvlight_redis.h: a second tier for kvlight on Redis (7.0 and later) or Valkey (7.2 and later).
 *
 * Processes that use the same server and the same prefix share their answers: what one has loaded the others find, a key is loaded by one of them
 * while it can be, and what one writes the others hear of within milliseconds. A failure of the server is never a result: without it each
 * process works with its own cache and its provider.
 *
 *     kvl_redis_t *redis = NULL;
 *     kvl_redis_use(config, "redis://user:password@cache.example.org:6379/0?prefix=shop", &redis, &error);
 *     kvl_tasks_new(config, &tasks, NULL);
 *     kvl_redis_attach(redis, tasks);
 *     ...
 *     kvl_tasks_close(tasks, KVL_CLOSE_DRAIN, 5000, closed, &state, NULL);      does not wait: wait until closed() has run
 *     kvl_redis_free(redis);
 *     kvl_tasks_free(tasks);
 *
 * Link with -lkvlight_redis -lkvlight; pkg-config knows it as kvlight-redis. One thread serves each kvl_redis_t: `kvl-redis`. While the host name of
 * a URL is being looked up, and some seconds more, it has a second one for that. They block all signals but those of faults. `kvl-redis` runs the cost
 * function of the configuration, which is called where answers are given.
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
 * Makes a server the second tier of a configuration (kvl_config_set_l2), and starts to connect. It does not wait for the connection, which is
 * made, and made again, in the background: until there is one, keys are loaded as without it.
 *
 * The URL is redis://, rediss:// (TLS), valkey://, valkeys:// or unix://, as in redis://user:password@host:6379/0?prefix=shop. Of a cluster it names
 * one server, or several with commas between them, of which one must be there at the start: redis://one:6379,two:6379/?prefix=shop. Its options:
 *
 * | option | default | meaning |
 * |---|---|---|
 * | prefix | required | what all keys in the server begin with: processes with the same prefix share |
 * | lease_ms | 10000 | how long a process may take for a load before another one may load the key for the server too; 10 or more |
 * | notify_ms | 10 | the pause after each look for others' writes: a longer one costs the server less |
 * | log_entries | 100000 | how many writes the server keeps for processes that were cut off, about |
 * | blind_ms | 5000 | after so long without hearing of writes, what the process has is looked up again; -1: never, until its TTL |
 * | journal_ms | 10000 | writes of so long ago are repeated after a new connection: the server may have lost them |
 * | connect_ms | 1000 | how long a connection may take |
 * | command_ms | 500 | how long the server may take for a command; then the connection is made anew. A fetch waits for l2.timeout_ms at most |
 * | reconnect_cap_ms | 5000 | the longest pause between two attempts to connect |
 * | db, user, pass, protocol | | for unix://, which has no room for them elsewhere; protocol is resp2 or resp3 |
 *
 * @param config     [borrowed] from kvl_config_new(), before an engine is created from it.
 * @param url        [copied] NUL-terminated UTF-8.
 * @param out_redis  [out, owned] the connection: free it before the engines.
 * @param out_error  [out, owned] if this fails: what is wrong and what helps, in a sentence without the URL; release it. May be NULL.
 * @return KVL_OK; KVL_ERR_BAD_VALUE (the URL), KVL_ERR_NO_THREAD, KVL_ERR_NO_FD, KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads one
 * @since 0.2
 */
KVL_API kvl_status_t kvl_redis_use(kvl_config_t *config, const char *url, kvl_redis_t **out_redis, kvl_error_t **out_error);

/**
 * Tells an engine of what other processes write, from now on: kvl_tasks_invalidate. Attach every engine that is created from the configuration, at
 * once: what it has loaded before is looked up again.
 *
 * If more than one is attached, each also hears of the writes of the others.
 *
 * @param redis  [borrowed] from kvl_redis_use().
 * @param tasks  [retained until kvl_redis_free()] from kvl_tasks_new(), with the configuration of `redis`.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_redis_attach(kvl_redis_t *redis, kvl_tasks_t *tasks);

/**
 * Returns the state of the connection, for people, health checks and tests, as JSON:
 *
 * | member | meaning |
 * |---|---|
 * | connected | whether requests are being served |
 * | listening | whether others' writes are being heard |
 * | problem | null, or what is wrong and what helps, in a sentence without keys, values and passwords |
 * | sessions | how many connections were made |
 * | leases | how many keys this process was to load for all |
 * | busy | how often a key was found to be loaded by another process |
 * | heard, own | how many keys of others' and of its own writes were heard |
 * | gaps, blind | how often writes may have been missed, so that what the process had was looked up again |
 *
 * @param redis     [borrowed] from kvl_redis_use().
 * @param out_text  [out, owned] a value that holds the text in UTF-8: release it.
 * @return KVL_OK; KVL_ERR_NULL_POINTER, KVL_ERR_NO_MEMORY, KVL_ERR_FORKED, KVL_ERR_PANIC.
 * @threads any
 * @since 0.2
 */
KVL_API kvl_status_t kvl_redis_state(const kvl_redis_t *redis, kvl_value_t **out_text);

/**
 * Ends the connection at once, and waits for its thread. Afterwards no attached engine is used any more: free them then, not before.
 *
 * What an engine has not written yet is not written any more. To have it written, call kvl_tasks_close() with KVL_CLOSE_DRAIN, a deadline and a
 * function, and wait until that function has run; or kvl_tasks_l2_sync(), which waits for puts, removals and clears, but not for what was loaded.
 *
 * @param redis  [owned] from kvl_redis_use(); NULL is ignored. Must not be used again. Must not be called from callbacks.
 * @threads outside
 * @since 0.2
 */
KVL_API void kvl_redis_free(kvl_redis_t *redis);

#ifdef __cplusplus
}
#endif

#endif
