// What a cache and an engine have in common.

'use strict';

const { fileURLToPath } = require('node:url');
const K = require('./constants.json');
const { native } = require('./native.cjs');
const { KvlightError, calling } = require('./errors.cjs');

// So many events at a time, then Node's other business.
const EVENTS_A_TURN = 256;

/** The settings as the addon takes them: name, value, name, value. */
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

/** Terms as the addon takes them. */
function termsOf(terms) {
  if (terms === undefined) {
    return undefined;
  }
  const { ttl_ms = K.TTL_DEFAULT, priority = K.PRIORITY_DEFAULT, cost = K.COST_DEFAULT, stale_ttl_ms = 0, keep_ttl = false, only_if } = terms;
  if (only_if !== undefined && !Object.hasOwn(CONDITIONS, only_if)) {
    throw new TypeError('kvlight: `only_if` is "absent" or "present"');
  }
  return [ttl_ms, priority, cost, stale_ttl_ms, (keep_ttl ? K.PUT_F_KEEP_TTL : 0) + (CONDITIONS[only_if] ?? 0)];
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

/** Throws where nobody can catch it, as what an event listener throws. */
function throwLater(error) {
  queueMicrotask(() => {
    throw error;
  });
}

class Store {
  /** The engine of the addon. */
  engine;
  objects = new Map(); // values and errors by number, until the library holds them no more
  #lastId = 0;
  #dropped;
  #cost;
  #transfers = 0; // saves and loads under way, whose functions may call back

  constructor(settings, { dropped, cost }, hasProvider) {
    for (const [name, given] of Object.entries({ dropped, cost })) {
      if (given !== undefined && typeof given !== 'function') {
        throw new TypeError(`kvlight: \`${name}\` is a function, not ${typeof given}`);
      }
    }
    this.#dropped = dropped;
    this.#cost = cost;
    // The addon holds the listener for as long as the descriptor is watched: it must not hold the store.
    const weak = new WeakRef(this);
    const list = flat(settings);
    this.engine = calling(() => new native.Engine(list, () => weak.deref()?.turn(), hasProvider));
  }

  /** What is stored, null if it is known that there is nothing, undefined if it is not in the cache. */
  look(key) {
    const found = this.engine.get(key);
    return typeof found === 'number' ? this.objects.get(found) : found;
  }

  /** What the cache has, without asking the provider; null also if it is known that there is nothing. */
  get(key) {
    return calling(() => this.look(keyOf(key))) ?? null;
  }

  /** Whether the cache has an answer for the key, "there is none" included. */
  has(key) {
    return calling(() => this.engine.has(keyOf(key)));
  }

  /** Stores a value; null is "known to be absent". True if it got in. */
  put(key, value, terms) {
    const stated = termsOf(terms);
    const own = this.costOf(value);
    return calling(() => this.engine.put(keyOf(key), this.crossing(value), own, stated)) === K.OK;
  }

  /** Gives what is stored under a key another time to live, from now. True if there was something. */
  touch(key, { ttl_ms = K.TTL_DEFAULT } = {}) {
    return calling(() => this.engine.touch(keyOf(key), ttl_ms));
  }

  /**
   * Ends what is stored under a key now: it is loaded anew when it is fetched, and serves until then as a fallback, if `stale.ttl_ms` gives it
   * time for that. True if there was something.
   */
  expire(key) {
    return calling(() => this.engine.expire(keyOf(key)));
  }

  /**
   * Each [key, value], null for what is known to be absent. A key that is stored all the time comes once, whatever changes meanwhile. Loads
   * nothing, and counts as no use.
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
   * Writes the entries to a file, with what is left of their times, and returns how many those are. A file of that name is replaced once the new
   * one is complete. `dump` turns values that are no Uint8Array into bytes, `v8.serialize` say; they are left out without it.
   */
  save(path, { dump } = {}) {
    return this.#transfer(() => this.engine.save(pathOf(path), (id) => dump?.(this.objects.get(id))));
  }

  /**
   * Stores the entries of such a file, unless their key has an entry, and returns how many those are. `load` is the opposite of `dump`.
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

  /** Removes what is stored under a key. True if there was something. */
  remove(key) {
    return calling(() => this.engine.remove(keyOf(key)));
  }

  clear() {
    calling(() => this.engine.clear());
  }

  /** How many entries there are. */
  get size() {
    return calling(() => this.engine.size());
  }

  /** All that was counted. */
  stats() {
    return JSON.parse(calling(() => this.engine.stats()));
  }

  // ---- For the package ----------------------------------------------------------------------------------------------------

  /** Numbers a thing that the library is to hold. */
  keep(thing) {
    const id = ++this.#lastId;
    this.objects.set(id, thing);
    return id;
  }

  /** Numbers something that the library only gives back. */
  nextId() {
    return ++this.#lastId;
  }

  /** A value as it crosses: Uint8Arrays are bytes, null is null, all else stays in JavaScript. */
  crossing(value) {
    if (value === null || value === undefined) {
      return null;
    }
    return value instanceof Uint8Array ? value : this.keep(value);
  }

  /** What an object costs; the library knows the cost of bytes itself. */
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

  /** Called when events wait. */
  turn() {
    this.drain(); // no more than so many: the descriptor stays readable, and others get their turn
  }

  /** Handles events; says how many there were. What a function of the program's throws harms no other event. */
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
      const value = this.objects.get(id);
      this.objects.delete(id);
      if (this.#dropped !== undefined && value !== undefined && !(value instanceof Kept)) {
        this.#dropped(value);
      }
    }
  }

  /** A function that converts values cannot close what is being saved. */
  mayClose() {
    if (this.#transfers > 0) {
      throw new KvlightError(K.ERR_REENTRANT, 'a function that save or load called cannot close the cache');
    }
  }

  /** Reads to the last event, and gives the descriptor back. */
  finish() {
    this.engine.close();
    while (this.drain() > 0) {
      // Nobody reads after us.
    }
    this.engine.leave();
  }
}

/** What a provider threw, among the objects. */
class Kept {
  constructor(error) {
    this.error = error;
  }
}

module.exports = { Kept, Store, flat, keyOf, termsOf };
