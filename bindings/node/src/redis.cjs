// A second tier on Redis or Valkey: libkvlight_redis.

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { native } = require('./native.cjs');
const { callAddon } = require('./errors.cjs');
const { checkText } = require('./store.cjs');

/** Where libkvlight_redis may be: where KVL_REDIS_LIBRARY says; or else in the package, on the system's path, or in this file's checkout. */
function candidates() {
  if (process.env.KVL_REDIS_LIBRARY) {
    return [process.env.KVL_REDIS_LIBRARY];
  }
  const isMac = process.platform === 'darwin';
  const name = isMac ? 'libkvlight_redis.dylib' : 'libkvlight_redis.so';
  const installed = isMac ? name : `${name}.${native.version.split('.').slice(0, 2).join('.')}`;
  const beside = [path.join(__dirname, '..', name), path.join(__dirname, '..', 'build', name)].filter((file) => fs.existsSync(file));
  return [...beside, installed, path.join(__dirname, '..', '..', '..', 'target', 'redis', 'release', name)];
}

/** The connection to a server. It carries out requests of the second tier by itself, on threads of libuv's pool. */
class RedisTier {
  isConditional = true;
  grantsLeases = true;
  #connection;

  constructor(url) {
    if (typeof url !== 'string') {
      throw new TypeError(`kvlight: \`l2Url\` is a string, not ${typeof url}`);
    }
    checkText(url, '`l2Url`');
    const reasons = [];
    for (const candidate of candidates()) {
      const opened = callAddon(() => native.redisOpen(candidate, url));
      if (typeof opened !== 'string') {
        this.#connection = opened;
        return;
      }
      reasons.push(`${candidate} (${opened})`);
    }
    throw new Error(
      `kvlight: l2Url needs libkvlight_redis, which cannot be loaded: tried ${reasons.join(', ')}. Build it by \`make redis\` in kvlight's ` +
        'sources, then install it by `make install`, or set KVL_REDIS_LIBRARY to its path.',
    );
  }

  /** From now on, keys that other processes write are invalidated in the engine, until it ends. */
  attach(engine) {
    callAddon(() => native.redisAttach(this.#connection, engine));
  }

  /** A promise of the entries of objects that were found, each as [index, data, ttl_left_ms, token], or of null if the server did not serve the request. */
  serve(handle) {
    return callAddon(() => native.redisServe(this.#connection, handle));
  }

  /** The members of kvl_redis_state (kvlight_redis.h). */
  get state() {
    return JSON.parse(callAddon(() => native.redisState(this.#connection)));
  }
}

module.exports = { RedisTier };
