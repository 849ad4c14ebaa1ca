// The second argument of a provider.

'use strict';

const K = require('./constants.json');
const { native } = require('./native.cjs');
const { AnswerError, KvlightError, callAddon, flagsAndPauseOf, messageOf } = require('./errors.cjs');
const { isBytes, isError, isMap, kindOf } = require('./kinds.cjs');
const { StoredError, termsOf } = require('./store.cjs');

// Marks a value that is bytes, in place of an object's ID: see resolveAll() in native/events.c.
const IS_BYTES = -1;

/** Whether an object that a provider returned is one that maps keys to values: plain, of whichever realm. */
function isPlain(rows) {
  if (typeof rows !== 'object' || rows === null || Symbol.iterator in rows || Symbol.asyncIterator in rows) {
    return false;
  }
  const prototype = Object.getPrototypeOf(rows);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Whether an object is plain except that the provider answered the key "__proto__" by `rows.__proto__ = row`, which made the row its prototype. */
function hasRowAsPrototype(rows, keys) {
  return keys.includes('__proto__') && Object.prototype.toString.call(rows) === '[object Object]' && !(Symbol.iterator in rows);
}

/**
 * The second argument of a provider. A provider that returns nothing answers through it, key by key and at any time. A request that is garbage
 * collected before it is finished fails its keys: neither the provider nor anything for which it waits can answer it any more.
 */
class Request {
  #store;
  #handle;
  #keys;
  #shownKeys;
  #onDone;
  #controller; // made when the program first reads `signal`, as #shownKeys are for `keys`
  #isAborted = false;

  constructor(store, handle, keys, onDone) {
    this.#store = store;
    this.#handle = handle;
    this.#onDone = onDone;
    this.#keys = keys;
  }

  /** The keys, in the order of their indexes. Unlike the array that is the provider's first argument, this one cannot be changed. */
  get keys() {
    this.#shownKeys ??= Object.freeze([...this.#keys]);
    return this.#shownKeys;
  }

  /** An AbortSignal, which is aborted once no caller waits for the answers any longer or the attempt has timed out. */
  get signal() {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#isAborted) {
        this.#controller.abort();
      }
    }
    return this.#controller.signal;
  }

  /** Answers the i-th key; null means that there is no such record. Returns whether the answer was in time and the first one for the key. */
  resolve(i, value, terms) {
    this.#checkIndex(i);
    const store = this.#store;
    const nativeTerms = termsOf(terms);
    const cost = store.costOf(value);
    store.checkOpen();
    const isInTime = this.#checkStatus(() => native.resolve(this.#handle, store.engine, i, store.toNative(value), cost, nativeTerms)) === K.OK;
    store.releaseSome();
    return isInTime;
  }

  /**
   * The stored entry of the i-th key, expired or not: `{ value, age_ms, version }`. The value is null for a key known to be absent, the version
   * '' if none was stated. Returns null if there is no entry.
   */
  stale(i) {
    this.#checkIndex(i);
    this.#store.checkOpen();
    const entry = callAddon(() => native.stale(this.#handle, i));
    if (entry === undefined) {
      return null;
    }
    const [value, age_ms, version] = entry;
    return { value: this.#store.fromNative(value), age_ms, version };
  }

  /**
   * Answers the i-th key with the value that stale() returns: the record has not changed. The value gets a new TTL, and keeps its version and tags
   * unless the terms state others. Returns whether the answer was in time and the first one for the key; throws if there is no entry.
   */
  notModified(i, terms) {
    this.#checkIndex(i);
    const nativeTerms = termsOf(terms);
    this.#store.checkOpen();
    const status = this.#checkStatus(() => native.notModified(this.#handle, i, nativeTerms));
    if (status === K.MISS) {
      throw new KvlightError(status, `notModified() needs an entry, and the store has none for the key "${this.#keys[i]}"`);
    }
    return status === K.OK;
  }

  /** Fails the i-th key. Every waiting caller gets the same error object. Returns whether the answer was in time and the first one for the key. */
  fail(i, error) {
    this.#checkIndex(i);
    const reason = reasonOf(error);
    this.#store.checkOpen();
    const isInTime = this.#checkStatus(() => this.#fail(i, reason)) === K.OK;
    this.#store.releaseSome();
    return isInTime;
  }

  /** Finishes the request: keys without an answer are null. Has no effect on a finished request. */
  finish() {
    this.#onDone();
    this.#store.checkOpen();
    this.#checkStatus(() => native.finish(this.#handle));
  }

  /** Finishes the request: keys without an answer fail with the error. Has no effect on a finished request. */
  finishError(error) {
    this.#onDone();
    const reason = reasonOf(error);
    this.#store.checkOpen();
    this.#checkStatus(() => this.#fail(undefined, reason));
  }

  /**
   * Answers all keys from a Map or a plain object: a missing key is null, and an Error in place of a value fails that key alone. An Error in place of
   * the Map fails all keys. Keys that were answered before keep those answers.
   */
  answer(rows) {
    if (isError(rows)) {
      return this.finishError(rows);
    }
    const store = this.#store;
    const n = this.#keys.length;
    const values = new Array(n);
    const costs = new Float64Array(n);
    const failures = this.#read(rows, values, costs);
    if (store.isClosed) {
      return this.#onDone();
    }
    // From here to the call of the addon no function of the program may run: if it threw, the library would never drop the IDs.
    const ids = new Float64Array(n); // IS_BYTES for a value in `values` that is bytes; 0 for a key that finish() answers with null
    for (let i = 0; i < n; i++) {
      if (values[i] !== undefined) {
        ids[i] = isBytes(values[i]) ? IS_BYTES : store.objects.add(values[i]);
      }
    }
    this.#onDone();
    this.#checkStatus(() => native.resolveAll(this.#handle, store.engine, ids, costs, values));
    failures.forEach(([i, reason]) => this.#checkStatus(() => this.#fail(i, reason)));
    this.#checkStatus(() => native.finish(this.#handle));
    store.releaseSome();
    return undefined;
  }

  /** The number of the i-th key's attempt, from 1; 0 if there is no such key. */
  attempt(i) {
    if (typeof i !== 'number') {
      throw new TypeError(`kvlight: the index of a key is a number, not ${kindOf(i)}`);
    }
    return callAddon(() => native.attempt(this.#handle, i));
  }

  /**
   * Reads the answers of a provider into the two arrays, and returns the failures, as [index, reason]. Throws for anything but a plain object or a Map,
   * and for a Map that lacks a key and has one that is no string: keys would be cached as absent by mistake.
   */
  #read(rows, values, costs) {
    const isOfMap = isMap(rows);
    const isOfRow = !isOfMap && !isPlain(rows) && hasRowAsPrototype(rows, this.#keys);
    if (!isOfMap && !isPlain(rows) && !isOfRow) {
      throw new AnswerError(`kvlight: a provider must return a Map or a plain object, { key: value }, not ${kindOf(rows)}`);
    }
    const failures = [];
    let isComplete = true;
    this.#keys.forEach((key, i) => {
      const row = isOfMap ? rows.get(key) : Object.hasOwn(rows, key) ? rows[key] : undefined;
      if (row === null || row === undefined) {
        isComplete &&= row === null;
        if (isOfRow && key === '__proto__') {
          failures.push([i, reasonOf(new AnswerError('kvlight: `object.__proto__ = value` sets no key: return a Map'))]);
        }
        return;
      }
      try {
        if (isError(row)) {
          throw row;
        }
        costs[i] = this.#store.costOf(row);
        values[i] = row;
      } catch (error) {
        failures.push([i, reasonOf(error)]);
      }
    });
    if (isOfMap && !isComplete) {
      for (const key of rows.keys()) {
        if (typeof key !== 'string') {
          throw new AnswerError(`kvlight: the keys of a provider's Map are strings, those that it received, not ${kindOf(key)}`);
        }
      }
    }
    return failures;
  }

  #fail(i, reason) {
    const { engine, objects } = this.#store;
    return native.fail(this.#handle, engine, i, objects.add(reason.stored), ...reason.told);
  }

  #checkIndex(i) {
    if (typeof i !== 'number') {
      throw new TypeError(`kvlight: the index of a key is a number, not ${kindOf(i)}`);
    }
    if (!(Number.isInteger(i) && i >= 0 && i < this.#keys.length)) {
      throw new KvlightError(K.ERR_OUT_OF_RANGE, `the indexes of the request's keys are 0 to ${this.#keys.length - 1}, and ${i} is none of them`);
    }
  }

  /** Calls the addon and returns the status. An answer that is not the first one for its key, or comes after the end of the request, is no error. */
  #checkStatus(call) {
    const status = callAddon(call);
    if (status < 0 && status !== K.ERR_ALREADY_ANSWERED) {
      throw new KvlightError(status, native.statusMessage(status));
    }
    return status;
  }

  // ---- For Tasks ---------------------------------------------------------------------------------------------------------

  abort() {
    this.#onDone();
    this.#isAborted = true;
    this.#controller?.abort();
  }

  async provide(provider) {
    try {
      const rows = await provider([...this.#keys], this);
      if (rows !== undefined && rows !== null) {
        this.answer(rows);
      } else if (provider.length === 1) {
        throw new AnswerError(
          'kvlight: the provider returned nothing. Is a `return` missing? To answer later, declare its second parameter, the request, without a default.',
        );
      }
    } catch (error) {
      this.#failAll(error);
    }
  }

  #failAll(error) {
    try {
      this.finishError(error);
    } catch (failure) {
      // A KvlightError means that the engine is closed: every waiter has its outcome already.
      if (!(failure instanceof KvlightError)) {
        throw failure;
      }
    }
  }
}

/** An error as it is stored, and what the library is told of it. This may run functions of the program, so it comes before the error has an ID. */
function reasonOf(error) {
  return { stored: new StoredError(error), told: [messageOf(error), ...flagsAndPauseOf(error)] };
}

module.exports = { Request };
