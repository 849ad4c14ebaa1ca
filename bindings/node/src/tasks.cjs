'use strict';

const K = require('./constants.json');
const { native } = require('./native.cjs');
const { KvlightError, calling, translated } = require('./errors.cjs');
const { Request } = require('./request.cjs');
const { Kept, Store, flat, keyOf, keysOf } = require('./store.cjs');

// Settings for callbacks, which the library might call on its own threads.
const REFUSED = {
  validator: 'check keys before you fetch them',
  removal_listener: '`dropped` is called with values that nobody holds any more',
  record_listener: 'stats() counts lookups',
};

const BREAKER = ['closed', 'open', 'half_open'];
const FORCE = new Map([[null, K.BREAKER_FORCE_NONE], ['closed', K.BREAKER_FORCE_CLOSED], ['open', K.BREAKER_FORCE_OPEN]]);
// The number of elements for each result: native/events.c.
const PLACES = 7;

// The engines with fetches in progress: keeps them alive though the program may hold only a promise.
const busy = new Set();

/** A cache with a provider behind it. */
class Tasks extends Store {
  #provider;
  #fetches = new Map(); // by number, until their last event was handled
  #requests = new Map(); // by number; only those that can still become unwanted
  #lastFetch = 0;
  #looksFirst; // a fetch without options looks in the store first
  #closing = null;
  isClosed = false;

  /**
   * @param settings `provider`; those of docs/CONFIGURATION.md; `cost` returns the cost of a value in bytes; `dropped` is called with each
   *   value that is not a Uint8Array when neither the cache nor a fetch holds it any longer.
   */
  constructor({ provider, dropped, cost, delivery = 'queue', ...settings } = {}) {
    for (const [name, instead] of Object.entries(REFUSED)) {
      if (name in settings) {
        throw new TypeError(`kvlight: Node cannot lend the library a function (${name}): ${instead}`);
      }
    }
    if (delivery !== 'queue') {
      throw new TypeError('kvlight: Node cannot be called from another thread; delivery is "queue"');
    }
    if (typeof provider !== 'function') {
      throw new TypeError('kvlight: `provider` is missing: a function that is called with keys and returns { key: value }');
    }
    super(settings, { dropped, cost }, true);
    this.#provider = provider;
    this.#looksFirst = (settings.read ?? 'normal') === 'normal';
  }

  /**
   * The value of one key, null if there is no such record; rejects with the error if the key fails.
   * @param options `signal`, an AbortSignal, and the settings that are "per fetch".
   */
  async fetch(key, options) {
    keyOf(key);
    if (options === undefined && this.#looksFirst) {
      const found = this.#look(key);
      if (found !== undefined) {
        return typeof found === 'number' ? this.objects.get(found) : found;
      }
    }
    const [status, shown] = await this.#begin(options, (id, settings, fetch) => {
      const value = this.engine.fetch(key, id, settings, fetch);
      return value === undefined ? undefined : this.#shownOne(value === false ? [K.MISS] : [K.VALUE, value]);
    });
    return valueOf(status, shown, options?.signal);
  }

  /** The values of many keys, in the order of the keys, null where there is no such record; rejects with the first error. */
  async fetchAll(keys, options) {
    const { numbers, shown } = await this.#fetchAll(keysOf(keys), options);
    for (let i = 0; i < shown.length; i++) {
      const status = numbers[PLACES * i];
      if (status !== K.VALUE) {
        shown[i] = valueOf(status, shown[i], options?.signal);
      }
    }
    return shown;
  }

  /**
   * The result of each key, in the order of the keys: { key, value, error, status, source, attempts, age_ms, ttl_left_ms, isStale }. A key
   * that fails does not make it reject. With `isStale`, `error` is the error of the load, or null if it took too long (`stale.timeout_ms`).
   */
  async results(keys, options) {
    keys = keysOf(keys);
    const { numbers, shown, failures } = await this.#fetchAll(keys, options);
    return keys.map((key, i) => {
      const [status, , source, attempts, age_ms, ttl_left_ms, isStale] = numbers.slice(PLACES * i, PLACES * (i + 1));
      const why = status < 0 ? [status, shown[i]] : failures?.[i];
      const error = why === undefined ? null : errorOf(...why, options?.signal);
      const value = status < 0 ? null : valueOf(status, shown[i], options?.signal);
      return { key, value, error, status, source, attempts, age_ms, ttl_left_ms, isStale: isStale !== 0 };
    });
  }

  /** Reloads keys in the background; the current values are served until then, and stay if the reload fails. */
  refresh(keys, options) {
    const settings = options === undefined ? undefined : flat(options);
    calling(() => this.engine.refresh(keysOf(keys), settings));
  }

  /** Another process has changed these keys: their values leave this process, and the answers of running loads of them are not stored. */
  invalidate(keys) {
    calling(() => this.engine.invalidate([...keys].map(keyOf), 0));
  }

  /** Another process may have changed any key: everything leaves this process. */
  invalidateAll() {
    calling(() => this.engine.invalidate([], K.INVALIDATE_F_ALL));
  }

  /** The state of the circuit breaker (`breaker.failure_ratio`, `breaker.consecutive`): "closed", "open" or "half_open". */
  get breaker() {
    return BREAKER[calling(() => this.engine.breaker())];
  }

  /** Forces the circuit breaker "closed" or "open", whatever the provider does; null returns it to automatic operation. */
  forceBreaker(state) {
    if (!FORCE.has(state)) {
      throw new TypeError('kvlight: the circuit breaker is forced "closed" or "open", or left to itself: null');
    }
    calling(() => this.engine.forceBreaker(FORCE.get(state)));
  }

  /** Closes the cache: waiting callers get KVL_ERR_CLOSED, and `dropped` is called with all values. May be called twice. */
  async close() {
    this.mayClose();
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    return this.close();
  }

  async #close() {
    this.isClosed = true;
    this.finish();
  }

  // ---- Fetches -----------------------------------------------------------------------------------------------------------

  /** The stored value in the form of the addon; undefined if it is not in the cache. */
  #look(key) {
    try {
      return this.engine.look(key);
    } catch (error) {
      throw translated(error);
    }
  }

  async #fetchAll(keys, options) {
    return this.#begin(options, (id, settings, fetch) => {
      const results = this.engine.fetchAll(keys, id, settings, fetch);
      return results === undefined ? undefined : this.#shownAll(results);
    });
  }

  /** The outcome that `call` returns, or the one that the event of its number brings. */
  #begin(options, call) {
    const { signal, ...own } = options ?? {};
    signal?.throwIfAborted();
    const settings = Object.keys(own).length > 0 ? flat(own) : undefined;
    const fetch = signal === undefined ? undefined : native.newFetch();
    const id = ++this.#lastFetch;
    const atOnce = calling(() => call(id, settings, fetch));
    if (atOnce !== undefined) {
      return atOnce;
    }
    return new Promise((resolve) => {
      if (this.#fetches.size === 0) {
        busy.add(this);
        this.engine.hold(true);
      }
      if (signal === undefined) {
        this.#fetches.set(id, resolve);
        return;
      }
      const cancel = () => native.cancelFetch(fetch);
      signal.addEventListener('abort', cancel, { once: true });
      this.#fetches.set(id, (outcome) => {
        signal.removeEventListener('abort', cancel);
        resolve(outcome);
      });
    });
  }

  // The three below replace numbers by values and errors: at once, since a later event may report that they were dropped.

  /** [status, value or error] of one key. */
  #shownOne(result) {
    result[1] = this.#shown(result[1]);
    return result;
  }

  #shownAll([numbers, others, failures]) {
    const shown = new Array(numbers.length / PLACES);
    for (let i = 0; i < shown.length; i++) {
      const number = numbers[PLACES * i + 1];
      shown[i] = number !== 0 ? this.objects.get(number) : others === undefined ? null : this.#shown(others[i] ?? null);
    }
    failures?.forEach((failure) => (failure[1] = this.#shown(failure[1])));
    return { numbers, shown, failures };
  }

  #shown(shown) {
    if (typeof shown === 'number') {
      return this.objects.get(shown);
    }
    if (Array.isArray(shown)) {
      const [sentence, statusBehind, behind] = shown;
      return [sentence, statusBehind, this.#shown(behind)];
    }
    return shown;
  }

  // ---- Events ------------------------------------------------------------------------------------------------------------

  handle(kind, id, brought) {
    switch (kind) {
      case K.EVENT_RESULT:
        return this.#settle(id, this.#shownOne(brought));
      case K.EVENT_RESULTS:
        return this.#settle(id, this.#shownAll(brought));
      case K.EVENT_REQUEST:
        return this.#ask(id, brought);
      case K.EVENT_CANCEL:
        return this.#requests.get(id)?.abort();
      default:
        return super.handle(kind, id);
    }
  }

  #settle(id, outcome) {
    const settle = this.#fetches.get(id);
    this.#fetches.delete(id);
    if (this.#fetches.size === 0) {
      busy.delete(this);
      this.engine.hold(false);
    }
    settle(outcome);
  }

  #ask(id, [handle, keys, isUnwanted]) {
    const request = new Request(this, handle, keys, () => this.#requests.delete(id));
    this.#requests.set(id, request);
    if (isUnwanted) {
      request.abort();
    }
    request.provide(this.#provider);
  }
}

/** The value of a key; null if there is no such record, undefined for a miss that is not loaded. Throws the error of a key that failed. */
function valueOf(status, shown, signal) {
  if (status < 0) {
    throw errorOf(status, shown, signal);
  }
  return status === K.MISS ? undefined : shown;
}

/** The error of a key that failed: the one that the provider threw, or the library's. */
function errorOf(status, shown, signal) {
  if (status === K.ERR_CANCELLED && signal?.aborted) {
    return signal.reason;
  }
  if (shown instanceof Kept) {
    return shown.error;
  }
  return Array.isArray(shown) ? new KvlightError(status, shown[0], errorOf(shown[1], shown[2])) : new KvlightError(status, shown);
}

module.exports = { Tasks };
