// The second argument of a provider.

'use strict';

const K = require('./constants.json');
const { native } = require('./native.cjs');
const { KvlightError, flagsAndPauseOf, callAddon } = require('./errors.cjs');
const { StoredError, termsOf } = require('./store.cjs');

// Marks a value that is bytes, in place of an object's ID: see resolveAll() in native/events.c.
const IS_BYTES = -1;

/**
 * Whether a provider's answer maps keys to values. Arrays, sets and generators do not: were they accepted, every key would be cached as absent.
 */
function isAnswer(rows) {
  return rows instanceof Map || (typeof rows === 'object' && rows !== null && !(Symbol.iterator in rows) && !(Symbol.asyncIterator in rows));
}

/**
 * The second argument of a provider. A provider that returns nothing answers through it, key by key and at any time. A request that is garbage
 * collected before it is finished fails its keys.
 */
class Request {
  #store;
  #handle;
  #keys;
  #onDone;
  #controller = new AbortController();

  constructor(store, handle, keys, onDone) {
    this.#store = store;
    this.#handle = handle;
    this.#onDone = onDone;
    this.#keys = Object.freeze(keys);
  }

  /** The keys, in the order of their indexes. Unlike the array that is the provider's first argument, this one cannot be changed. */
  get keys() {
    return this.#keys;
  }

  /** An AbortSignal, which is aborted once no caller waits for the answers any longer or the attempt has timed out. */
  get signal() {
    return this.#controller.signal;
  }

  /** Answers the i-th key; null means that there is no such record. Returns whether the answer was in time. */
  resolve(i, value, terms) {
    const store = this.#openStore();
    const nativeTerms = termsOf(terms);
    const cost = store.costOf(value);
    return this.#checkStatus(() => native.resolve(this.#handle, store.engine, i, store.toNative(value), cost, nativeTerms)) === K.OK;
  }

  /**
   * The stored entry of the i-th key, expired or not: `{ value, age_ms, version }`. The value is null for a key known to be absent, the version
   * '' if none was stated. Returns null if there is no entry.
   */
  stale(i) {
    const entry = callAddon(() => native.stale(this.#handle, i));
    if (entry === undefined) {
      return null;
    }
    const [value, age_ms, version] = entry;
    return { value: this.#store.fromNative(value), age_ms, version };
  }

  /**
   * Answers the i-th key with the value that stale() returns: the record has not changed. The value gets a new TTL, and keeps its version and tags
   * unless the terms state others. Returns whether the answer was in time; throws if there is no entry.
   */
  notModified(i, terms) {
    this.#openStore();
    const nativeTerms = termsOf(terms);
    const status = this.#checkStatus(() => native.notModified(this.#handle, i, nativeTerms));
    if (status === K.MISS) {
      throw new KvlightError(status, `kvlight: notModified() needs an entry, and the store has none for the key "${this.#keys[i]}"`);
    }
    return status === K.OK;
  }

  /** Fails the i-th key. Every waiting caller gets the same error object. Returns whether the answer was in time. */
  fail(i, error) {
    return this.#checkStatus(() => this.#fail(i, error)) === K.OK;
  }

  /** Finishes the request: keys without an answer are null. */
  finish() {
    this.#onDone();
    this.#openStore();
    this.#checkStatus(() => native.finish(this.#handle));
  }

  /** Finishes the request: keys without an answer fail with the error. */
  finishError(error) {
    this.#onDone();
    this.#checkStatus(() => this.#fail(undefined, error));
  }

  /** Answers all keys from a Map or an object: a missing key is null, and an Error in place of a value fails that key alone. */
  answer(rows) {
    if (!isAnswer(rows)) {
      const kind = Array.isArray(rows) ? 'an array' : rows?.[Symbol.toStringTag] ?? typeof rows;
      throw new TypeError(`kvlight: a provider must return a Map or an object, { key: value }, not ${kind}`);
    }
    if (this.#store.isClosed) {
      return this.#onDone();
    }
    const store = this.#store;
    const n = this.#keys.length;
    const ids = new Float64Array(n); // IS_BYTES for a value in `bytes`; 0 for a key that finish() answers with null
    const costs = new Float64Array(n);
    let bytes;
    for (let i = 0; i < n; i++) {
      const key = this.#keys[i];
      const row = rows instanceof Map ? rows.get(key) : Object.hasOwn(rows, key) ? rows[key] : null;
      if (row === null || row === undefined) {
        continue;
      }
      try {
        if (row instanceof Error) {
          throw row;
        }
        costs[i] = store.costOf(row);
        if (row instanceof Uint8Array) {
          ids[i] = IS_BYTES;
          (bytes ??= new Array(n))[i] = row;
        } else {
          ids[i] = store.objects.add(row);
        }
      } catch (error) {
        this.#fail(i, error);
      }
    }
    this.#onDone();
    callAddon(() => {
      native.resolveAll(this.#handle, store.engine, ids, costs, bytes);
      native.finish(this.#handle);
    });
  }

  /** The number of the i-th key's attempt, from 1. */
  attempt(i) {
    return callAddon(() => native.attempt(this.#handle, i));
  }

  #openStore() {
    if (this.#store.isClosed) {
      throw new KvlightError(K.ERR_CLOSED, 'the engine is closed');
    }
    return this.#store;
  }

  #fail(i, error) {
    const store = this.#openStore();
    return native.fail(this.#handle, store.engine, i, store.objects.add(new StoredError(error)), messageOf(error), ...flagsAndPauseOf(error));
  }

  #checkStatus(call) {
    const status = callAddon(call);
    if (status < 0) {
      throw new KvlightError(status, `kvlight: the answer failed with status ${status}`);
    }
    return status;
  }

  // ---- For Tasks ---------------------------------------------------------------------------------------------------------

  abort() {
    this.#onDone();
    this.#controller.abort();
  }

  async provide(provider) {
    try {
      const rows = await provider([...this.#keys], this);
      if (rows !== undefined && rows !== null) {
        this.answer(rows);
      }
    } catch (error) {
      this.#failAll(error);
    }
  }

  #failAll(error) {
    this.#onDone();
    try {
      this.#checkStatus(() => this.#fail(undefined, error));
    } catch (failure) {
      // A KvlightError means that the request is finished or the engine closed: every waiter has its outcome already.
      if (!(failure instanceof KvlightError)) {
        throw failure;
      }
    }
  }
}

/** The message of an error, which can be any value. U+FFFD replaces lone surrogates, which cannot be encoded in UTF-8. */
function messageOf(error) {
  try {
    return Buffer.from(String(error?.message ?? error)).toString();
  } catch {
    return 'an error whose conversion to a string threw';
  }
}

module.exports = { Request };
