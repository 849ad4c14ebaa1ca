// kvlight for Node: a loading cache.
//
//   import { Tasks } from './kvlight.js';
//
//   const users = new Tasks({
//     provider: (ids) => database.users(ids),   // called with the keys that the cache lacks; a promise of a Map or an object,
//     'cache.capacity': 10_000,                 // { key: value }; keys left out are remembered as absent
//   });
//   await users.fetch('7');                     // a value, or null: there is no such record
//   await users.fetchAll(['7', '8', '7']);      // in the order asked; rejects with the first error
//   await users.fetch('9', { signal, timeout_ms: 500 });
//   await users.close();
//
// Events come through a pipe that Node's loop watches: a cache keeps the process alive only while fetches are under way.

import { openSync, constants } from 'node:fs';
import { Socket } from 'node:net';
import { C, EVENT, K, KvlightError, RESULT, bytes, bytesOf, check, keysOf, resultsOf, set, slices, stated, taken } from './native.js';
import { PermanentError, Request } from './request.js';

export { K, KvlightError, PermanentError };

// What the library would have to call, maybe on a thread of its own.
const REFUSED = {
  validator: 'check keys before you fetch them',
  cost: "state a value's cost in its answer: request.resolve(i, value, { cost })",
  removal_listener: '`dropped` hears of values that nobody holds any more',
  record_listener: 'stats() counts lookups',
};

// So many events at a time, then Node's other business.
const EVENTS_A_TURN = 256;

export class Tasks {
  #queue = null;
  #tasks = null;
  #pipe = null;
  #provider;
  #dropped;
  #lastId = 0;
  #fetches = new Map(); // by id, until their last event
  #requests = new Map(); // by id, those that hear when they are not wanted any more
  #objects = new Map(); // values by id, until nobody holds them
  #errors = new Map(); // what providers threw, likewise
  #event = Buffer.alloc(EVENT.size);
  #closing = null;

  /**
   * @param settings `provider`; those of docs/CONFIGURATION.md; `dropped` is called with each value that is no Buffer once cache and
   *   fetches hold it no more.
   */
  constructor({ provider, dropped, delivery = 'queue', ...settings }) {
    for (const [name, instead] of Object.entries(REFUSED)) {
      if (name in settings) {
        throw new TypeError(`kvlight: Node cannot lend the library a function (${name}): ${instead}`);
      }
    }
    if (delivery !== 'queue') {
      throw new TypeError('kvlight: Node would wait for ever for a callback from another thread; delivery is "queue"');
    }
    if (typeof provider !== 'function') {
      throw new TypeError('kvlight: `provider` is missing: a function that is given keys and returns { key: value }');
    }
    this.#provider = provider;
    this.#dropped = dropped;
    const config = taken((out) => C.config_new(out));
    try {
      set('config', config, settings);
      this.#queue = taken((out) => C.queue_new(K.QUEUE_NEW_PIPE, out));
      check(C.config_set_queue(config, this.#queue, K.QUEUE_F_ALL));
      check(C.config_set_provider(config, null, null, null));
      this.#tasks = taken((out) => C.tasks_new(config, out, null));
    } finally {
      C.config_free(config);
    }
    this.#watch();
  }

  /**
   * The value of one key, null if there is none; rejects with what made it fail.
   * @param options `signal`, an AbortSignal, and the settings that are "per fetch".
   */
  async fetch(key, options) {
    if (!options) {
      const [status, value] = this.#look(key);
      if (status !== K.MISS) {
        return value;
      }
    }
    const [result] = await this.#begin([bytesOfKey(key)], [key], options, (keys, opts, fetch, id) =>
      C.tasks_fetch(this.#open(), keys[0], keys[0].length, opts, fetch, null, id, null, null));
    return valueOf(result);
  }

  /** The values of many keys in the order asked, null where there is none; rejects with the first error. */
  async fetchAll(keys, options) {
    return (await this.results(keys, options)).map(valueOf);
  }

  /** What came of each key, in the order asked: { key, value, error, status, source, attempts }. No single key makes it reject. */
  async results(keys, options) {
    keys = [...keys];
    return this.#begin(keys.map(bytesOfKey), keys, options, (list, opts, fetch, id) =>
      C.tasks_fetch_all(this.#open(), slices(list), list.length, opts, fetch, null, id, null, null));
  }

  /** What the cache has, without asking the provider; null also if it is known that there is nothing. */
  get(key) {
    return this.#look(key)[1];
  }

  /** Stores a value; null is "known to be absent". `terms` may have ttl_ms, priority, cost. True if it got in. */
  put(key, value, terms) {
    const name = bytesOfKey(key);
    return this.withValue(value, (handle) =>
      this.#withCache((cache) => C.cache_put(cache, name, name.length, handle, stated(terms)))) === K.OK;
  }

  /** Removes what is stored under a key. True if there was something. */
  remove(key) {
    const name = bytesOfKey(key);
    return this.#withCache((cache) => C.cache_remove(cache, name, name.length)) === K.OK;
  }

  clear() {
    this.#withCache((cache) => C.cache_clear(cache));
  }

  /** All that was counted. */
  stats() {
    const text = taken((out) => C.tasks_stats_json(this.#open(), out));
    try {
      return JSON.parse(bytesOf(text).toString());
    } finally {
      C.value_release(text);
    }
  }

  /** Ends the cache: whoever waits is told KVL_ERR_CLOSED, and `dropped` hears of all values. May be called twice. */
  close() {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    return this.close();
  }

  async #close() {
    // With all events routed to a queue it waits for no code of ours, and may so be called on Node's thread.
    check(C.tasks_free(this.#open()));
    this.#tasks = null;
    while (this.#drain() === EVENTS_A_TURN) {
      // To the last one, since nobody reads after us.
    }
    this.#pipe.destroy();
    check(C.queue_free(this.#queue));
    this.#queue = null;
  }

  // ---- For requests ------------------------------------------------------------------------------------------------------

  /** Calls with a handle of a value: Buffers are bytes, null is null, all else stays in JavaScript. */
  withValue(value, use) {
    if (value === null || value === undefined) {
      return use(C.value_null());
    }
    this.#open();
    let handle;
    if (value instanceof Uint8Array) {
      handle = taken((out) => C.value_new_bytes(value, value.length, out));
    } else {
      const id = ++this.#lastId;
      const cost = typeof value === 'string' ? 2 * value.length : 0;
      handle = taken((out) => C.value_new_object_on(this.#queue, BigInt(id), cost, null, out));
      this.#objects.set(id, value);
    }
    try {
      return use(handle);
    } finally {
      C.value_release(handle);
    }
  }

  withError(error, use) {
    this.#open();
    const message = Buffer.from(String(error?.message ?? error));
    const flags = error instanceof PermanentError ? K.ERROR_F_PERMANENT : 0;
    const id = ++this.#lastId;
    const handle = taken((out) =>
      C.error_new_object(0, message, message.length, flags, this.#queue, BigInt(id), null, out));
    this.#errors.set(id, error);
    try {
      return use(handle);
    } finally {
      C.error_release(handle);
    }
  }

  // ---- Within ------------------------------------------------------------------------------------------------------------

  #open() {
    if (this.#tasks === null) {
      throw new KvlightError(K.ERR_CLOSED);
    }
    return this.#tasks;
  }

  #look(key) {
    const name = bytesOfKey(key);
    let status;
    const handle = taken((out) => (status = C.tasks_get(this.#open(), name, name.length, out)));
    if (status !== K.VALUE) {
      return [status, null];
    }
    const id = C.value_object(handle);
    const value = id ? this.#objects.get(Number(id)) : bytesOf(handle);
    C.value_release(handle);
    return [status, value];
  }

  #withCache(use) {
    const cache = taken((out) => C.tasks_cache(this.#open(), out));
    try {
      return check(use(cache));
    } finally {
      C.cache_release(cache);
    }
  }

  async #begin(list, keys, { signal, ...settings } = {}, call) {
    signal?.throwIfAborted();
    const options = Object.keys(settings).length > 0 ? taken((out) => C.options_new(out)) : null;
    const id = ++this.#lastId;
    let handle = null;
    const cancel = () => C.fetch_cancel(handle);
    try {
      if (options) {
        set('options', options, settings);
      }
      handle = taken((out) => C.fetch_new(out));
      check(call(list, options, handle, BigInt(id)));
      signal?.addEventListener('abort', cancel);
      const results = await new Promise((resolve) => {
        this.#fetches.set(id, { resolve, keys });
        this.#pipe.ref();
      });
      if (signal?.aborted) {
        results.filter((result) => result.status === K.ERR_CANCELLED).forEach((result) => (result.error = signal.reason));
      }
      return results;
    } finally {
      signal?.removeEventListener('abort', cancel);
      C.fetch_release(handle);
      C.options_free(options);
    }
  }

  // The descriptor is the queue's: a second one on the same pipe is Node's to close.
  #watch() {
    const fd = new Int32Array(1);
    check(C.queue_fd(this.#queue, fd));
    const ours = openSync(`/dev/fd/${fd[0]}`, constants.O_RDONLY | constants.O_NONBLOCK);
    const onread = { buffer: Buffer.alloc(64), callback: () => (this.#turn(), true) };
    this.#pipe = new Socket({ fd: ours, readable: true, writable: false, onread });
    this.#pipe.unref();
  }

  #turn() {
    let isMore = true; // also if `dropped` throws: the others are to be heard of all the same
    try {
      isMore = this.#queue !== null && this.#drain() === EVENTS_A_TURN;
    } finally {
      if (isMore) {
        setImmediate(() => this.#turn());
      }
    }
  }

  /** Handles events until there is none, or it is another's turn; says how many there were. */
  #drain() {
    let count = 0;
    while (count < EVENTS_A_TURN && this.#queue !== null) {
      if (check(C.queue_next(this.#queue, 0, this.#event, EVENT.size)) === K.EMPTY) {
        break;
      }
      count++;
      this.#handle(this.#event);
    }
    if (this.#fetches.size === 0) {
      this.#pipe.unref();
    }
    return count;
  }

  /** All that an event borrows is read before this returns. */
  #handle(event) {
    const id = () => Number(event.readBigUInt64LE(EVENT.user_data));
    const at = (field) => event.readBigUInt64LE(EVENT[field]);
    switch (event.readUInt32LE(EVENT.kind)) {
      case K.EVENT_RESULT:
        return this.#settle(id(), [bytes(at('result'), RESULT.size)]);
      case K.EVENT_RESULTS:
        return this.#settle(id(), resultsOf(at('results')));
      case K.EVENT_REQUEST:
        return this.#ask(at('request'));
      case K.EVENT_CANCEL:
        return this.#requests.get(id())?.abort();
      case K.EVENT_DROP:
        return this.#drop(id());
    }
  }

  #settle(id, results) {
    const { resolve, keys } = this.#fetches.get(id);
    this.#fetches.delete(id);
    resolve(results.map((result) => this.#resultOf(result, keys)));
  }

  #resultOf(result, keys) {
    const status = result.readInt32LE(RESULT.status);
    let value = null;
    if (status === K.VALUE) {
      const object = Number(result.readBigUInt64LE(RESULT.object));
      value = object
        ? this.#objects.get(object)
        : bytes(result.readBigUInt64LE(RESULT.data), Number(result.readBigUInt64LE(RESULT.data_len)));
    }
    return {
      key: keys[Number(result.readBigUInt64LE(RESULT.index))],
      value,
      error: status < 0 ? this.#errorOf(status, result.readBigUInt64LE(RESULT.error)) : null,
      status,
      source: result.readUInt32LE(RESULT.source),
      attempts: result.readUInt32LE(RESULT.attempts),
    };
  }

  #errorOf(status, error) {
    const id = C.error_object(error);
    return id ? this.#errors.get(Number(id)) : new KvlightError(status, C.error_message(error));
  }

  async #ask(handle) {
    C.request_retain(handle);
    const keys = keysOf(handle);
    const id = ++this.#lastId;
    const request = new Request(this, handle, keys, () => this.#requests.delete(id));
    this.#requests.set(id, request);
    if (C.request_on_cancel(handle, null, BigInt(id), null) === K.ERR_CANCELLED) {
      request.abort();
    }
    await request.provide(this.#provider);
  }

  #drop(id) {
    const value = this.#objects.get(id);
    this.#objects.delete(id);
    this.#errors.delete(id);
    if (value !== undefined) {
      this.#dropped?.(value);
    }
  }
}

function bytesOfKey(key) {
  if (typeof key !== 'string') {
    throw new TypeError(`kvlight: keys are strings, not ${typeof key}`);
  }
  return Buffer.from(key);
}

function valueOf({ value, error }) {
  if (error !== null) {
    throw error;
  }
  return value;
}
