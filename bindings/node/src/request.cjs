// The second argument of a provider.

'use strict';

const K = require('./constants.json');
const { native } = require('./native.cjs');
const { KvlightError, askedOf, calling } = require('./errors.cjs');
const { Kept, termsOf } = require('./store.cjs');

// In place of an object's number: native/events.c.
const BYTES = -1;

/**
 * Whether a provider's answer is read by key. Arrays, sets and generators are not: their values would have no keys, and all keys would be
 * remembered as absent.
 */
function isAnswer(rows) {
  return rows instanceof Map || (typeof rows === 'object' && rows !== null && !(Symbol.iterator in rows) && !(Symbol.asyncIterator in rows));
}

/** Answers keys one by one, or later: the provider then returns nothing. A request that is never finished fails when it is collected. */
class Request {
  #store;
  #handle;
  #done;
  #controller = new AbortController();

  constructor(store, handle, keys, done) {
    this.#store = store;
    this.#handle = handle;
    this.#done = done;
    this.keys = keys;
  }

  /** An AbortSignal: aborted when no caller waits for the answers any longer, or when the attempt has timed out. */
  get signal() {
    return this.#controller.signal;
  }

  /** Answers the i-th key; null means that there is no such record. True if the answer was in time. */
  resolve(i, value, terms) {
    const store = this.#open();
    const stated = termsOf(terms);
    const own = store.costOf(value);
    return this.#checked(() => native.resolve(this.#handle, store.engine, i, store.crossing(value), own, stated)) === K.OK;
  }

  /**
   * What the store has of the i-th key, expired or not: `{ value, age_ms, version }`, with null for a key known to be absent and '' if no
   * version was stated; null if it has nothing.
   */
  stale(i) {
    const found = calling(() => native.stale(this.#handle, i));
    if (found === undefined) {
      return null;
    }
    const [crossed, age_ms, version] = found;
    return { value: typeof crossed === 'number' ? this.#store.objects.get(crossed) : crossed, age_ms, version };
  }

  /**
   * Answers the i-th key with what stale() returns: the record has not changed. The same value gets a new TTL, and keeps its version and its
   * tags unless the terms state others. True if the answer was in time; throws if the store has nothing of the key.
   */
  notModified(i, terms) {
    this.#open();
    const stated = termsOf(terms);
    const status = this.#checked(() => native.notModified(this.#handle, i, stated));
    if (status === K.MISS) {
      throw new KvlightError(status, `kvlight: the store has nothing of the key "${this.keys[i]}" that could be unmodified`);
    }
    return status === K.OK;
  }

  /** Fails the i-th key; every waiting caller gets the same error object. */
  fail(i, error) {
    return this.#checked(() => this.#fail(i, error)) === K.OK;
  }

  /** Finishes the request: keys without an answer are null. */
  finish() {
    this.#done();
    this.#open();
    this.#checked(() => native.finish(this.#handle));
  }

  /** Finishes the request: keys without an answer fail with the error. */
  finishError(error) {
    this.#done();
    this.#checked(() => this.#fail(-1, error));
  }

  /** Answers all keys from a Map or an object: a missing key is null, and an Error in place of a value fails that key alone. */
  answer(rows) {
    if (!isAnswer(rows)) {
      const found = Array.isArray(rows) ? 'an array' : rows?.[Symbol.toStringTag] ?? typeof rows;
      throw new TypeError(`kvlight: the provider is to answer with a Map or an object, { key: value }, not ${found}`);
    }
    if (this.#store.isClosed) {
      return this.#done();
    }
    const store = this.#store;
    const n = this.keys.length;
    const numbers = new Float64Array(n); // of objects; BYTES for a value in `bytes`, and 0 for a key that finish() makes null
    const costs = new Float64Array(n);
    let bytes;
    for (let i = 0; i < n; i++) {
      const key = this.keys[i];
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
          numbers[i] = BYTES;
          (bytes ??= new Array(n))[i] = row;
        } else {
          numbers[i] = store.objects.add(row);
        }
      } catch (error) {
        this.#fail(i, error);
      }
    }
    this.#done();
    calling(() => {
      native.resolveAll(this.#handle, store.engine, numbers, costs, bytes);
      native.finish(this.#handle);
    });
  }

  /** The number of the i-th key's attempt, from 1. */
  attempt(i) {
    return calling(() => native.attempt(this.#handle, i));
  }

  #open() {
    if (this.#store.isClosed) {
      throw new KvlightError(K.ERR_CLOSED, 'the engine is closed');
    }
    return this.#store;
  }

  #fail(i, error) {
    const store = this.#open();
    return native.fail(this.#handle, store.engine, i, store.objects.add(new Kept(error)), sentenceOf(error), ...askedOf(error));
  }

  #checked(call) {
    const status = calling(call);
    if (status < 0) {
      throw new KvlightError(status, `kvlight: the request says ${status}`);
    }
    return status;
  }

  // ---- For Tasks ---------------------------------------------------------------------------------------------------------

  abort() {
    this.#done();
    this.#controller.abort();
  }

  async provide(provider) {
    try {
      const rows = await provider(this.keys, this);
      if (rows !== undefined && rows !== null) {
        this.answer(rows);
      }
    } catch (error) {
      this.#giveUp(error);
    }
  }

  #giveUp(error) {
    this.#done();
    try {
      this.#checked(() => this.#fail(-1, error));
    } catch (refused) {
      // If the request is finished or closed, every waiter has its outcome already.
      if (!(refused instanceof KvlightError)) {
        throw refused;
      }
    }
  }
}

/** A message for an error, which may be any value. */
function sentenceOf(error) {
  try {
    return String(error?.message ?? error);
  } catch {
    return 'an error that cannot be shown';
  }
}

module.exports = { Request };
