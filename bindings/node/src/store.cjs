// The base class of Cache and Tasks.

'use strict';

const { fileURLToPath } = require('node:url');
const K = require('./constants.json');
const { native } = require('./native.cjs');
const { KvlightError, calling, translated } = require('./errors.cjs');
const { Objects } = require('./objects.cjs');

// The number of events handled before Node's other work gets its turn.
const EVENTS_A_TURN = 256;

/** Settings in the form that the addon takes: name, value, name, value. */
function flat(settings) {
  const list = [];
  for (const [name, value] of Object.entries(settings)) {
    if (!['string', 'number', 'boolean'].includes(typeof value)) {
      throw new TypeError(`kvlight: the setting ${name} takes a string, a number or a boolean, not ${value === null ? 'null' : typeof value}`);
    }
    list.push(name, value);
  }
  return list;
}

const CONDITIONS = { absent: K.PUT_F_IF_ABSENT, present: K.PUT_F_IF_PRESENT };

const TERMS = {
  ttl_ms: K.TTL_DEFAULT, priority: K.PRIORITY_DEFAULT, cost: K.COST_DEFAULT, stale_ttl_ms: 0, version: '', tags: [], keep_ttl: false, only_if: undefined,
};
const LEAST = { ttl_ms: K.TTL_DEFAULT, cost: K.COST_DEFAULT, stale_ttl_ms: K.STALE_NEVER };

/** Terms in the form that the addon takes. */
function termsOf(terms) {
  if (terms === undefined) {
    return undefined;
  }
  if (terms === null || typeof terms !== 'object') {
    throw new TypeError(`kvlight: terms are an object such as { ttl_ms: 5000 }, not ${terms === null ? 'null' : typeof terms}`);
  }
  const stated = { ...TERMS };
  for (const [name, value] of Object.entries(terms)) {
    if (!Object.hasOwn(TERMS, name)) {
      throw new TypeError(`kvlight: there is no term \`${name}\`; there are ${Object.keys(TERMS).join(', ')}`);
    }
    if (value !== undefined) {
      stated[name] = numberOf(name, value);
    }
  }
  const { ttl_ms, priority, cost, stale_ttl_ms, version, tags, keep_ttl, only_if } = stated;
  if (only_if !== undefined && !Object.hasOwn(CONDITIONS, only_if)) {
    throw new TypeError('kvlight: `only_if` is "absent" or "present"');
  }
  const numbers = [ttl_ms, priority, cost, stale_ttl_ms, (keep_ttl ? K.PUT_F_KEEP_TTL : 0) + (CONDITIONS[only_if] ?? 0)];
  if (version === '' && tags.length === 0) {
    return numbers;
  }
  if (typeof version !== 'string') {
    throw new TypeError(`kvlight: \`version\` is a string, not ${typeof version}`);
  }
  if (typeof tags === 'string') {
    throw new TypeError('kvlight: `tags` is an array of strings, not a string');
  }
  return [...numbers, version, Array.from(tags, tagOf)];
}

/** A value of a term, checked if the term is a number. */
function numberOf(name, value) {
  if (typeof TERMS[name] !== 'number') {
    return value;
  }
  if (typeof value !== 'number') {
    throw new TypeError(`kvlight: \`${name}\` is a number, not ${typeof value}`);
  }
  const [least, most] = Object.hasOwn(LEAST, name) ? [LEAST[name], Number.MAX_SAFE_INTEGER] : [-Number.MAX_VALUE, Number.MAX_VALUE];
  if (!(value >= least && value <= most)) {
    throw new RangeError(`kvlight: \`${name}\` is a number from ${least} to ${most}, not ${value}`);
  }
  return value;
}

function tagOf(tag) {
  if (typeof tag !== 'string') {
    throw new TypeError(`kvlight: tags are strings, not ${typeof tag}`);
  }
  return tag;
}

function pathOf(path) {
  const name = path instanceof URL ? fileURLToPath(path) : path;
  if (typeof name !== 'string' || name.includes('\0')) {
    throw new TypeError('kvlight: a path is a string without a NUL, or a URL');
  }
  return name;
}

function keyOf(key) {
  if (typeof key !== 'string') {
    throw new TypeError(`kvlight: keys are strings, not ${typeof key}`);
  }
  return key;
}

/** A list of keys. A single string is refused: it would be taken for a list of its characters. */
function keysOf(keys) {
  if (typeof keys === 'string' || typeof keys?.[Symbol.iterator] !== 'function') {
    throw new TypeError(`kvlight: this takes an array of keys, or another iterable of strings, not ${typeof keys === 'string' ? 'one string' : typeof keys}`);
  }
  const list = [...keys];
  list.forEach(keyOf);
  return list;
}

/** Throws an error as an uncaught exception, like one thrown by an event listener. */
function throwLater(error) {
  queueMicrotask(() => {
    throw error;
  });
}

class Store {
  /** The engine of the addon. */
  engine;
  objects = new Objects(); // values and errors, until the library has dropped its last reference
  #dropped;
  #cost;
  #transfers = 0; // saves and loads in progress, whose functions may call back

  constructor(settings, { dropped, cost }, hasProvider) {
    for (const [name, given] of Object.entries({ dropped, cost })) {
      if (given !== undefined && typeof given !== 'function') {
        throw new TypeError(`kvlight: \`${name}\` is a function, not ${typeof given}`);
      }
    }
    this.#dropped = dropped;
    this.#cost = cost;
    // The addon holds the listener while it watches the descriptor, so the listener must not hold the store.
    const weak = new WeakRef(this);
    const list = flat(settings);
    this.engine = calling(() => new native.Engine(list, () => weak.deref()?.turn(), hasProvider));
  }

  /** The stored value, without asking the provider; null if the key is known to be absent or not in the cache. */
  get(key) {
    keyOf(key);
    let found;
    try {
      found = this.engine.get(key);
    } catch (error) {
      throw translated(error);
    }
    // The library has released the object, but has not reported the drop to this thread yet.
    return typeof found === 'number' ? this.objects.get(found) : found ?? null;
  }

  /** Whether the key is in the cache, with a value or as known to be absent. */
  has(key) {
    return calling(() => this.engine.has(keyOf(key)));
  }

  /** Stores a value; null stores the key as known to be absent. True if it was stored. */
  put(key, value, terms) {
    const stated = termsOf(terms);
    const own = this.costOf(value);
    return calling(() => this.engine.put(keyOf(key), this.crossing(value), own, stated)) === K.OK;
  }

  /** Gives an entry a new TTL, counted from now. True if there was an entry. */
  touch(key, { ttl_ms = K.TTL_DEFAULT } = {}) {
    return calling(() => this.engine.touch(keyOf(key), ttl_ms));
  }

  /**
   * Expires an entry now: the next fetch of the key loads it. Until then the entry is kept as a fallback if `stale.ttl_ms` is set. True if
   * there was an entry.
   */
  expire(key) {
    return calling(() => this.engine.expire(keyOf(key)));
  }

  /** Removes all entries with a tag, and returns their number. Running loads do not store an answer with it. */
  removeTag(tag) {
    return calling(() => this.engine.removeTag(tagOf(tag)));
  }

  /** Expires all entries with a tag, as expire() does for a key, and returns their number. */
  expireTag(tag) {
    return calling(() => this.engine.expireTag(tagOf(tag)));
  }

  /** Expires all entries, as expire() does for a key. Running loads do not store their answers. */
  expireAll() {
    calling(() => this.engine.expireAll());
  }

  /**
   * Iterates over the entries as [key, value], with null for a key known to be absent. A key that is stored throughout appears exactly once,
   * whatever changes meanwhile. Loads nothing, and does not count as a use.
   */
  *entries() {
    const iterator = calling(() => this.engine.iterate());
    for (let entry; (entry = calling(() => native.nextEntry(iterator))) !== undefined; ) {
      const [key, crossed] = entry;
      yield [key, typeof crossed === 'number' ? this.objects.get(crossed) : crossed];
    }
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  *keys() {
    for (const [key] of this.entries()) {
      yield key;
    }
  }

  *values() {
    for (const [, value] of this.entries()) {
      yield value;
    }
  }

  /**
   * Writes the entries to a file, with their remaining times, and returns the number of them. An existing file is replaced once the new one
   * is complete. `dump` turns values that are not a Uint8Array into bytes, for example `v8.serialize`; without it they are left out.
   */
  save(path, { dump } = {}) {
    return this.#transfer(() => this.engine.save(pathOf(path), (id) => dump?.(this.objects.get(id))));
  }

  /**
   * Stores the entries of a saved file, except those whose key has an entry already, and returns the number stored. `load` reverses `dump`.
   */
  load(path, { load } = {}) {
    return this.#transfer(() =>
      this.engine.load(pathOf(path), (bytes) => {
        if (load === undefined) {
          return undefined;
        }
        const value = load(bytes);
        const cost = this.costOf(value);
        return [this.crossing(value), cost];
      }),
    );
  }

  #transfer(call) {
    this.#transfers++;
    try {
      return calling(call);
    } finally {
      this.#transfers--;
    }
  }

  /** Removes an entry. True if there was one. */
  remove(key) {
    return calling(() => this.engine.remove(keyOf(key)));
  }

  clear() {
    calling(() => this.engine.clear());
  }

  /** The number of entries. */
  get size() {
    return calling(() => this.engine.size());
  }

  /** The statistics: docs/STATISTICS.md. */
  stats() {
    return JSON.parse(calling(() => this.engine.stats()));
  }

  // ---- For the package ----------------------------------------------------------------------------------------------------

  /** A value in the form that the addon takes: a Uint8Array and null as they are, anything else as its number. */
  crossing(value) {
    if (value === null || value === undefined) {
      return null;
    }
    return value instanceof Uint8Array ? value : this.objects.add(value);
  }

  /** The cost of an object in bytes; the library itself computes that of bytes. */
  costOf(value) {
    if (value === null || value === undefined || value instanceof Uint8Array) {
      return 0;
    }
    if (this.#cost !== undefined) {
      const cost = this.#cost(value);
      if (!Number.isSafeInteger(cost) || cost < 0) {
        throw new RangeError(`kvlight: \`cost\` is to answer with a number of bytes, not ${cost}`);
      }
      return cost;
    }
    return typeof value === 'string' ? 2 * value.length : 0;
  }

  /** Called by the addon when the queue has events. */
  turn() {
    this.drain(); // a limited number: the descriptor stays readable, and other handlers get their turn
  }

  /** Handles events and returns their number. An exception of the program's function does not affect other events. */
  drain() {
    const events = this.engine.drain(EVENTS_A_TURN);
    for (let i = 0; i < events.length; i += 3) {
      try {
        this.handle(events[i], events[i + 1], events[i + 2]);
      } catch (error) {
        throwLater(error);
      }
    }
    return events.length / 3;
  }

  handle(kind, id) {
    if (kind === K.EVENT_DROP) {
      const value = this.objects.remove(id);
      if (this.#dropped !== undefined && value !== undefined && !(value instanceof Kept)) {
        this.#dropped(value);
      }
    }
  }

  /** Refuses a close by a function that converts values for a save or load in progress. */
  mayClose() {
    if (this.#transfers > 0) {
      throw new KvlightError(K.ERR_REENTRANT, 'a function that save or load called cannot close the cache');
    }
  }

  /** Handles the remaining events and stops watching the descriptor. */
  finish() {
    this.engine.close();
    while (this.drain() > 0) {
      // No events are read after this.
    }
    this.engine.leave();
  }
}

/** Marks an error of a provider among the objects. */
class Kept {
  constructor(error) {
    this.error = error;
  }
}

module.exports = { Kept, Store, flat, keyOf, keysOf, termsOf };
