'use strict';

const K = require('./constants.json');
const { native } = require('./native.cjs');
const { KvlightError, callAddon, messageOf, translateError } = require('./errors.cjs');
const { Request } = require('./request.cjs');
const { StoredError, Store, checkObject, flattenSettings, keyOf, keysOf, throwLater } = require('./store.cjs');
const { isError, kindOf } = require('./kinds.cjs');
const { RedisTier } = require('./redis.cjs');
const { AttachedTier, TierRequest } = require('./tier.cjs');

// Functions that the library would call on its own threads, and what to use instead.
const UNSUPPORTED = {
  validator: 'check keys before you fetch them',
  removal_listener: '`dropped` is called with each value that the cache no longer holds',
  record_listener: 'stats() counts lookups',
};

const BREAKER = new Map([[K.BREAKER_CLOSED, 'closed'], [K.BREAKER_OPEN, 'open'], [K.BREAKER_HALF_OPEN, 'half_open']]);
const FORCE = new Map([[null, K.BREAKER_FORCE_NONE], ['closed', K.BREAKER_FORCE_CLOSED], ['open', K.BREAKER_FORCE_OPEN]]);
// How many results and requests are handled in one turn of the event loop.
const MAX_EVENTS_PER_TURN = 256;
// The same constant as in native/events.c.
const NUMBERS_PER_RESULT = 7;

// The engines with fetches in progress, so that they are not collected while the program holds only a promise.
const enginesInUse = new Set();

// Forgets a request that was collected, to which its engine has only a weak reference.
const forget = new FinalizationRegistry(([requests, id]) => requests.delete(id));

// What each signal cancels. One listener serves all fetches with the signal: with a listener for each, Node would warn of a leak.
const cancelsOf = new WeakMap();

function listen(signal, fetch) {
  let cancels = cancelsOf.get(signal);
  if (cancels === undefined) {
    const fetches = new Set();
    cancels = { fetches, listener: () => fetches.forEach((each) => native.cancelFetch(each)) };
    cancelsOf.set(signal, cancels);
  }
  if (cancels.fetches.size === 0) {
    signal.addEventListener('abort', cancels.listener);
  }
  cancels.fetches.add(fetch);
}

function stopListening(signal, fetch) {
  const { fetches, listener } = cancelsOf.get(signal);
  fetches.delete(fetch);
  if (fetches.size === 0) {
    signal.removeEventListener('abort', listener);
  }
}

const NO_OPTIONS = { signal: undefined, settings: undefined };

/** The signal and the settings of a fetch. Throws if the signal is no AbortSignal, or is aborted already. */
function optionsOf(options) {
  if (options === undefined || options === null) {
    return NO_OPTIONS;
  }
  checkObject(options, 'the options of a fetch are an object such as { timeout_ms: 500 }');
  const { signal = null, ...settings } = options;
  const flat = flattenSettings(settings);
  const given = { signal: signal ?? undefined, settings: flat.length > 0 ? flat : undefined };
  if (signal === null) {
    return given;
  }
  const { aborted } = signal;
  if (typeof aborted !== 'boolean' || typeof signal.addEventListener !== 'function' || typeof signal.removeEventListener !== 'function') {
    throw new TypeError(`kvlight: \`signal\` is an AbortSignal, not ${kindOf(signal)}`);
  }
  if (aborted) {
    throw signal.reason;
  }
  return given;
}

/** A cache with a provider behind it. */
class Tasks extends Store {
  #provider;
  #fetches = new Map(); // the function that settles each fetch in progress, by the fetch's ID
  #requests = new Map(); // weak references to the requests that can still be cancelled, by ID: one that is collected fails its keys
  #lastFetch = 0;
  #events = []; // the batch of events that is being handled, as kind, ID and payload of each
  #nextEvent = 0;
  #readsStoreFirst; // whether a fetch without settings starts with a lookup in the store
  #tier;
  #closing = null;

  /**
   * @param given `provider(keys, request)`, which runs outside of every AsyncLocalStorage context; the settings of docs/CONFIGURATION.md.
   *   `cost(value)` returns the cost of a value in bytes.
   *   `dropped(value)` is called with each value that is not a Uint8Array once neither the cache nor a fetch holds it any longer; if many wait for
   *   that, inside calls that store others.
   *   `secondTier` is a store in which keys are looked up before the provider is called, and which several processes may share: an object with
   *   `read`, `fill`, `write`, `remove` and `clear`. `dump` and `load` convert values that are not bytes to bytes for it, and back, like
   *   `v8.serialize` and `v8.deserialize`. Without them such values stay in this process.
   *   `l2Url`, instead of `secondTier`, is a Redis or Valkey server, as in "redis://user:password@host:6379/0?prefix=shop". It needs
   *   libkvlight_redis; the options of the URL are those of kvlight_redis.h.
   */
  constructor(given = {}) {
    checkObject(given, 'the settings are an object such as { provider, timeout_ms: 500 }');
    const { provider, dropped, cost, delivery = 'queue', secondTier, l2Url, dump, load, ...settings } = given;
    for (const [name, instead] of Object.entries(UNSUPPORTED)) {
      if (settings[name] !== undefined) {
        throw new TypeError(`kvlight: \`${name}\` is not available in Node, whose functions cannot run on other threads: ${instead}`);
      }
    }
    if (delivery !== 'queue') {
      throw new TypeError('kvlight: `delivery` must be "queue" in Node, whose functions cannot run on another thread');
    }
    if (typeof provider !== 'function') {
      throw new TypeError('kvlight: `provider` must be a function that takes keys and returns { key: value }');
    }
    if (secondTier !== undefined && l2Url !== undefined) {
      throw new TypeError('kvlight: `secondTier` and `l2Url` exclude each other: there is one second tier');
    }
    if (secondTier === undefined && l2Url === undefined && (dump !== undefined || load !== undefined)) {
      throw new TypeError('kvlight: `dump` and `load` are for a `secondTier` or an `l2Url`');
    }
    const server = l2Url === undefined ? undefined : new RedisTier(l2Url);
    const tier = (server ?? secondTier) === undefined ? undefined : new AttachedTier(server ?? secondTier, dump, load);
    super(settings, { dropped, cost }, true, tier?.abilities);
    server?.attach(this.engine);
    this.#tier = tier;
    this.#provider = provider;
    this.#readsStoreFirst = this.engine.readsStoreFirst();
  }

  /**
   * The value of one key, null if there is no such record; rejects with the error if the key fails.
   * @param options `signal`, an AbortSignal, and the settings that apply to one fetch.
   */
  async fetch(key, options) {
    keyOf(key);
    const { signal, settings } = options === undefined ? NO_OPTIONS : optionsOf(options);
    if (settings === undefined && this.#readsStoreFirst) {
      const found = this.#lookup(key);
      if (found !== undefined) {
        return this.fromNative(found);
      }
    }
    const [status, outcome] = await this.#begin(signal, (id, fetch) => {
      const value = this.engine.fetch(key, id, settings, fetch);
      return value === undefined ? undefined : this.#decodeResult(value === false ? [K.MISS] : [K.VALUE, value]);
    });
    return valueOf(status, outcome, signal);
  }

  /** The values of many keys, in the order of the keys, null where there is no such record; rejects with the first error. */
  async fetchAll(keys, options) {
    keys = keysOf(keys);
    const { signal, settings } = optionsOf(options);
    const { numbers, outcomes } = await this.#fetchAll(keys, signal, settings);
    for (let i = 0; i < outcomes.length; i++) {
      const status = numbers[NUMBERS_PER_RESULT * i];
      if (status !== K.VALUE) {
        outcomes[i] = valueOf(status, outcomes[i], signal);
      }
    }
    return outcomes;
  }

  /**
   * The result of each key, in the order of the keys: { key, value, error, status, source, attempts, age_ms, ttl_left_ms, isStale }. The
   * failure of a key is in its result; this rejects only if the call itself is wrong or too late. With `isStale`, `error` is the error of the load, or
   * null if it took too long (`stale.timeout_ms`).
   */
  async results(keys, options) {
    keys = keysOf(keys);
    const { signal, settings } = optionsOf(options);
    const { numbers, outcomes, failures } = await this.#fetchAll(keys, signal, settings);
    return keys.map((key, i) => {
      const [status, , source, attempts, age_ms, ttl_left_ms, isStale] = numbers.slice(NUMBERS_PER_RESULT * i, NUMBERS_PER_RESULT * (i + 1));
      const failure = status < 0 ? [status, outcomes[i]] : failures?.[i];
      const error = failure === undefined ? null : errorOf(...failure, signal);
      const value = status < 0 ? null : valueOf(status, outcomes[i], signal);
      return { key, value, error, status, source, attempts, age_ms, ttl_left_ms, isStale: isStale !== 0 };
    });
  }

  /** Reloads keys in the background; the current values are served until then, and stay if the reload fails. */
  refresh(keys, options) {
    keys = keysOf(keys);
    checkObject(options ?? {}, 'the options of a refresh are an object such as { timeout_ms: 500 }');
    const settings = flattenSettings(options ?? {});
    callAddon(() => this.engine.refresh(keys, settings));
  }

  /** Says that another process has changed these keys: their values leave this process, and answers of running loads are not stored. */
  invalidate(keys) {
    callAddon(() => this.engine.invalidate(keysOf(keys), 0));
  }

  /** Says that another process may have changed any key: all values leave this process. */
  invalidateAll() {
    callAddon(() => this.engine.invalidate([], K.INVALIDATE_F_ALL));
  }

  /** The state of the circuit breaker (`breaker.failure_ratio`, `breaker.consecutive`): "closed", "open" or "half_open". */
  get breaker() {
    return BREAKER.get(callAddon(() => this.engine.breaker()));
  }

  /** Forces the circuit breaker "closed" or "open", whatever the provider does; null returns it to automatic operation. */
  forceBreaker(state) {
    if (!FORCE.has(state)) {
      throw new TypeError('kvlight: forceBreaker() takes "closed", "open", or null for automatic operation');
    }
    callAddon(() => this.engine.forceBreaker(FORCE.get(state)));
  }

  /**
   * The state of the connection to the server of `l2Url`, with the members of kvl_redis_state: whether it is `connected`, and if not, what is wrong and how
   * to fix it (`problem`).
   */
  l2State() {
    if (!(this.#tier?.tier instanceof RedisTier)) {
      throw new Error('kvlight: these Tasks have no `l2Url`');
    }
    return this.#tier.tier.state;
  }

  /** Closes the cache: waiting callers get KVL_ERR_CLOSED, and `dropped` is called with every value. May be called twice. */
  async close() {
    this.checkCanClose();
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    return this.close();
  }

  async #close() {
    if (!this.isClosed) {
      this.closeAndDrain();
    }
  }

  // ---- Fetches -----------------------------------------------------------------------------------------------------------

  /** The stored value in the addon's form; undefined if the key is not in the cache. */
  #lookup(key) {
    try {
      return this.engine.lookup(key);
    } catch (error) {
      throw translateError(error);
    }
  }

  async #fetchAll(keys, signal, settings) {
    return this.#begin(signal, (id, fetch) => {
      const results = this.engine.fetchAll(keys, id, settings, fetch);
      return results === undefined ? undefined : this.#decodeResults(results);
    });
  }

  /** Starts a fetch by `call`. Returns the outcome if `call` returns one; otherwise a promise of it: an event with the fetch's ID brings it. */
  #begin(signal, call) {
    const fetch = signal === undefined ? undefined : native.newFetch();
    const id = ++this.#lastFetch;
    const outcome = callAddon(() => call(id, fetch));
    if (outcome !== undefined) {
      return outcome;
    }
    return new Promise((resolve) => {
      if (this.#fetches.size === 0) {
        enginesInUse.add(this);
        this.engine.keepAlive(true);
      }
      if (signal === undefined) {
        this.#fetches.set(id, resolve);
        return;
      }
      this.#fetches.set(id, (outcome) => {
        resolve(outcome);
        stopListening(signal, fetch);
      });
      listen(signal, fetch);
    });
  }

  // The next three functions replace IDs by values and errors. They run as soon as the addon returns, before any drop is read.

  /** [status, value or error] of one key. */
  #decodeResult(result) {
    result[1] = this.#decode(result[1]);
    return result;
  }

  #decodeResults([numbers, others, failures]) {
    const outcomes = new Array(numbers.length / NUMBERS_PER_RESULT);
    for (let i = 0; i < outcomes.length; i++) {
      const objectId = numbers[NUMBERS_PER_RESULT * i + 1];
      outcomes[i] = objectId !== 0 ? this.objects.get(objectId) : others === undefined ? null : this.#decode(others[i] ?? null);
    }
    failures?.forEach((failure) => (failure[1] = this.#decode(failure[1])));
    return { numbers, outcomes, failures };
  }

  #decode(value) {
    if (Array.isArray(value)) {
      const [message, causeStatus, cause] = value;
      return [message, causeStatus, this.#decode(cause)];
    }
    return this.fromNative(value);
  }

  // ---- Events ------------------------------------------------------------------------------------------------------------

  /**
   * Handles a limited number of events, and returns how many. An exception of a function of the program affects no other event. If such a function
   * closes the engine, closing goes on where this batch is, so that the events keep their order.
   */
  handleEvents() {
    if (this.#nextEvent === this.#events.length) {
      this.#events = this.#takeEvents();
      this.#nextEvent = 0;
    }
    let handled = 0;
    for (; this.#nextEvent < this.#events.length; handled++) {
      const at = this.#nextEvent;
      this.#nextEvent += 3;
      try {
        this.#handle(this.#events[at], this.#events[at + 1], this.#events[at + 2]);
      } catch (error) {
        throwLater(error);
      }
    }
    this.#events = [];
    this.#nextEvent = 0;
    return handled;
  }

  #takeEvents() {
    const events = this.engine.drain(MAX_EVENTS_PER_TURN);
    for (let i = 0; i < events.length; i += 3) {
      if (events[i] === K.EVENT_RESULT) {
        events[i + 2] = this.#decodeResult(events[i + 2]);
      } else if (events[i] === K.EVENT_RESULTS) {
        events[i + 2] = this.#decodeResults(events[i + 2]);
      }
    }
    return events;
  }

  #handle(kind, id, payload) {
    switch (kind) {
      case K.EVENT_RESULT:
      case K.EVENT_RESULTS:
        return this.#settle(id, payload);
      case K.EVENT_REQUEST:
        return this.#provide(id, payload);
      case K.EVENT_L2:
        return new TierRequest(this, this.#tier, reportTierError, payload).serve();
      case K.EVENT_CANCEL:
        return this.#requests.get(id)?.deref()?.abort();
      default:
        return undefined;
    }
  }

  #settle(id, outcome) {
    const settle = this.#fetches.get(id);
    this.#fetches.delete(id);
    if (this.#fetches.size === 0) {
      enginesInUse.delete(this);
      this.engine.keepAlive(false);
    }
    settle?.(outcome);
  }

  #provide(id, [handle, keys, isUnwanted]) {
    const request = new Request(this, handle, keys, () => this.#requests.delete(id));
    this.#requests.set(id, new WeakRef(request));
    forget.register(request, [this.#requests, id]);
    if (isUnwanted) {
      request.abort();
    }
    request.provide(this.#provider);
  }
}

/** No caller waits for a second tier, so its errors are emitted as warnings of the process. */
function reportTierError(error) {
  const isOwn = isError(error) && error instanceof Error; // emitWarning() takes no error of another realm
  process.emitWarning(isOwn ? error : new Error(`kvlight: the second tier threw ${messageOf(error)}`));
}

/** The value of a key; null if there is no such record, undefined for a miss that is not loaded. Throws the error of a key that failed. */
function valueOf(status, outcome, signal) {
  if (status < 0) {
    throw errorOf(status, outcome, signal);
  }
  return status === K.MISS ? undefined : outcome;
}

/** The error of a key that failed: the one that the provider threw, or the library's. */
function errorOf(status, failure, signal) {
  if (status === K.ERR_CANCELLED && signal?.aborted) {
    return signal.reason;
  }
  if (StoredError.is(failure)) {
    return failure.error;
  }
  return Array.isArray(failure) ? new KvlightError(status, failure[0], errorOf(failure[1], failure[2])) : new KvlightError(status, failure);
}

module.exports = { Tasks };
