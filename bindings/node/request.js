// What a provider is handed as its second argument.

import { C, K, KvlightError, check, stated } from './native.js';

/** Thrown by a provider, or put in a value's place: trying again is pointless, whatever the retry settings say. */
export class PermanentError extends Error {
  name = 'PermanentError';
}

// A request that is forgotten is finished, so that nobody waits for ever.
const forgotten = new FinalizationRegistry((handle) => C.request_release(handle));

/** To answer keys one by one, or later: then the provider returns nothing. */
export class Request {
  #tasks;
  #handle;
  #done;
  #controller = new AbortController();

  constructor(tasks, handle, keys, done) {
    this.#tasks = tasks;
    this.#handle = handle;
    this.#done = done;
    this.keys = keys;
    forgotten.register(this, handle);
  }

  /** An AbortSignal: nobody waits for it any more, or its time is over. */
  get signal() {
    return this.#controller.signal;
  }

  /** Answers the i-th key; null is "there is no such record". True if it came in time. */
  resolve(i, value, terms) {
    return this.#tasks.withValue(value, (handle) =>
      check(C.request_resolve(this.#handle, i, handle, stated(terms)))) === K.OK;
  }

  /** Fails the i-th key; the very error arrives at everybody who waits. */
  fail(i, error) {
    return this.#tasks.withError(error, (handle) => check(C.request_fail(this.#handle, i, handle))) === K.OK;
  }

  /** Finishes: what has no answer is null. */
  finish() {
    this.#done();
    check(C.request_finish_nulls(this.#handle));
  }

  /** Finishes: what has no answer fails. */
  finishError(error) {
    this.#done();
    this.#tasks.withError(error, (handle) => check(C.request_finish_error(this.#handle, handle)));
  }

  /** Answers all keys from a Map or an object; what it lacks is null, an Error in a value's place fails that key alone. */
  answer(rows) {
    this.keys.forEach((key, i) => {
      const row = rows instanceof Map ? rows.get(key) : Object.hasOwn(rows, key) ? rows[key] : null;
      if (row instanceof Error) {
        this.fail(i, row);
      } else if (row !== null && row !== undefined) {
        this.resolve(i, row);
      }
    });
    this.finish();
  }

  /** Which attempt the i-th key is in, from 1. */
  attempt(i) {
    return C.request_attempt(this.#handle, i);
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
      try {
        this.finishError(error);
      } catch (refused) {
        // A cache that was closed meanwhile has told those who waited.
        if (!(refused instanceof KvlightError)) {
          throw refused;
        }
      }
    }
  }
}
