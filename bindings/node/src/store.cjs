// The base class of Cache and Tasks, and how both read their arguments.

'use strict';

const { performance } = require('node:perf_hooks');
const { fileURLToPath } = require('node:url');
const K = require('./constants.json');
const { native } = require('./native.cjs');
const { KvlightError, callAddon, translateError } = require('./errors.cjs');
const { isBytes, isPromise, kindOf } = require('./kinds.cjs');
const { Objects } = require('./objects.cjs');

// How many dropped objects are released between two looks at the clock, and for how long in one turn of the event loop.
const DROPS_PER_BATCH = 128;
const MAX_RELEASE_MS = 5;

/** Throws for an argument that is no object with named members: it would be read as an object without members. */
function checkObject(value, need) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`kvlight: ${need}, not ${kindOf(value)}`);
  }
}

function checkFunction(value, name) {
  if (value !== undefined && typeof value !== 'function') {
    throw new TypeError(`kvlight: \`${name}\` is a function, not ${kindOf(value)}`);
  }
}

/** Throws for a text with a NUL, at which C would stop reading. */
function checkText(text, what) {
  if (text.includes('\0')) {
    throw new KvlightError(K.ERR_BAD_VALUE, `${what} contains a NUL`);
  }
}

/** Settings in the form that the addon takes: name, value, name, value. Those that are undefined are left out. */
function flattenSettings(settings) {
  const list = [];
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined) {
      continue;
    }
    if (!['string', 'number', 'boolean'].includes(typeof value)) {
      throw new TypeError(`kvlight: the setting ${name} takes a string, a number or a boolean, not ${kindOf(value)}`);
    }
    checkText(name, 'the name of a setting');
    if (typeof value === 'string') {
      checkText(value, `the value of the setting ${name}`);
    }
    list.push(name, value);
  }
  return list;
}

const CONDITIONS = { absent: K.PUT_F_IF_ABSENT, present: K.PUT_F_IF_PRESENT };

const TERMS = {
  ttl_ms: K.TTL_DEFAULT, priority: K.PRIORITY_DEFAULT, cost: K.COST_DEFAULT, stale_ttl_ms: 0, version: '', tags: [], keep_ttl: false, only_if: undefined,
};
const MINIMUM = { ttl_ms: K.TTL_DEFAULT, cost: K.COST_DEFAULT, stale_ttl_ms: K.STALE_NEVER };

/** Terms in the form that the addon takes. */
function termsOf(terms) {
  if (terms === undefined) {
    return undefined;
  }
  checkObject(terms, 'terms are an object such as { ttl_ms: 5000 }');
  const merged = { ...TERMS };
  for (const [name, value] of Object.entries(terms)) {
    if (!Object.hasOwn(TERMS, name)) {
      throw new TypeError(`kvlight: there is no term \`${name}\`; the terms are ${Object.keys(TERMS).join(', ')}`);
    }
    if (value !== undefined) {
      merged[name] = checkTerm(name, value);
    }
  }
  const { ttl_ms, priority, cost, stale_ttl_ms, version, tags, keep_ttl, only_if } = merged;
  if (only_if !== undefined && !Object.hasOwn(CONDITIONS, only_if)) {
    throw new TypeError('kvlight: `only_if` is "absent" or "present"');
  }
  const numbers = [ttl_ms, priority, cost, stale_ttl_ms, (keep_ttl ? K.PUT_F_KEEP_TTL : 0) + (CONDITIONS[only_if] ?? 0)];
  if (version === '' && tags === TERMS.tags) {
    return numbers;
  }
  if (typeof version !== 'string') {
    throw new TypeError(`kvlight: \`version\` is a string, not ${kindOf(version)}`);
  }
  if (typeof tags !== 'object' || typeof tags?.[Symbol.iterator] !== 'function') {
    throw new TypeError(`kvlight: \`tags\` is an array of strings, not ${typeof tags === 'string' ? 'a string' : kindOf(tags)}`);
  }
  const names = Array.from(tags, tagOf);
  if (Buffer.byteLength(version) > K.LABEL_MAX) {
    throw new KvlightError(K.ERR_BAD_VALUE, `\`version\` has at most ${K.LABEL_MAX} bytes`);
  }
  if (names.length > K.TAGS_MAX || names.some((name) => name === '' || Buffer.byteLength(name) > K.LABEL_MAX)) {
    throw new KvlightError(K.ERR_BAD_VALUE, `\`tags\` has at most ${K.TAGS_MAX} tags, each of 1 to ${K.LABEL_MAX} bytes`);
  }
  return [...numbers, version, names];
}

/** Returns the value of a term. If the term takes a number, throws for anything else and for a number out of range. */
function checkTerm(name, value) {
  if (typeof TERMS[name] !== 'number') {
    return value;
  }
  if (typeof value !== 'number') {
    throw new TypeError(`kvlight: \`${name}\` is a number, not ${kindOf(value)}`);
  }
  const [min, max] = Object.hasOwn(MINIMUM, name) ? [MINIMUM[name], Number.MAX_SAFE_INTEGER] : [-Number.MAX_VALUE, Number.MAX_VALUE];
  const isWhole = name !== 'priority';
  if (!(value >= min && value <= max) || (isWhole && !Number.isInteger(value))) {
    throw new RangeError(`kvlight: \`${name}\` is a ${isWhole ? 'whole number' : 'number'} from ${min} to ${max}, not ${value}`);
  }
  return value;
}

function tagOf(tag) {
  if (typeof tag !== 'string') {
    throw new TypeError(`kvlight: tags are strings, not ${kindOf(tag)}`);
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

/** Returns an array of keys. Throws for a single string, which would otherwise be taken for a list of its characters. */
function keysOf(keys) {
  if (typeof keys === 'string' || typeof keys?.[Symbol.iterator] !== 'function') {
    throw new TypeError(`kvlight: this takes an array of keys, or another iterable of strings, not ${typeof keys === 'string' ? 'one string' : typeof keys}`);
  }
  const list = [...keys];
  list.forEach(keyOf);
  return list;
}

/** Throws an error outside of the current call, as an uncaught exception. */
function throwLater(error) {
  queueMicrotask(() => {
    throw error;
  });
}

class Store {
  /** The addon's Engine. */
  engine;
  objects = new Objects(); // values and errors that the library holds
  #dropped;
  #cost;
  #transfers = 0; // saves and loads in progress, whose conversion functions may call this store
  #droppedIds = []; // the batch of drops that is being handled
  #nextDropped = 0;
  #isReleasing = false;
  isClosed = false;

  /** `abilities` are the flags of a second tier, or -1 if there is none. */
  constructor(settings, { dropped, cost }, hasProvider, abilities = -1) {
    checkFunction(dropped, 'dropped');
    checkFunction(cost, 'cost');
    this.#dropped = dropped;
    this.#cost = cost;
    // The addon holds the listener until the engine is disposed of. The listener must not hold the store, which could never be collected otherwise.
    const weak = new WeakRef(this);
    const list = flattenSettings(settings);
    this.engine = callAddon(() => new native.Engine(list, () => weak.deref()?.onReadable(), hasProvider, abilities));
  }

  /** The stored value; null if the key is known to be absent or not in the cache. Never calls the provider. */
  get(key) {
    keyOf(key);
    let found;
    try {
      found = this.engine.get(key);
    } catch (error) {
      throw translateError(error);
    }
    // The library may have dropped the object since, but it stays in `objects` until this thread reads the event of the drop.
    return this.fromNative(found) ?? null;
  }

  /** Whether the cache has an entry of the key: a value, or that the key is known to be absent. */
  has(key) {
    return callAddon(() => this.engine.has(keyOf(key)));
  }

  /** Stores a value; null stores the key as known to be absent. Returns whether it was stored. */
  put(key, value, terms) {
    const nativeTerms = termsOf(terms);
    const cost = this.costOf(value);
    this.checkOpen();
    const status = callAddon(() => this.engine.put(keyOf(key), this.toNative(value), cost, nativeTerms));
    this.releaseSome();
    return status === K.OK;
  }

  /** Gives an entry a new TTL, counted from now. Returns whether there was an entry. */
  touch(key, terms = {}) {
    checkObject(terms, 'terms are an object such as { ttl_ms: 5000 }');
    const { ttl_ms = K.TTL_DEFAULT, ...others } = terms;
    const [unknown] = Object.keys(others);
    if (unknown !== undefined) {
      throw new TypeError(`kvlight: touch() has no term \`${unknown}\`, only ttl_ms`);
    }
    return callAddon(() => this.engine.touch(keyOf(key), checkTerm('ttl_ms', ttl_ms)));
  }

  /**
   * Expires an entry now: the next fetch of the key loads it. Until then the entry is kept as a fallback if `stale.ttl_ms` is set. Returns
   * whether there was an entry. From a second tier the entry is removed.
   */
  expire(key) {
    return callAddon(() => this.engine.expire(keyOf(key)));
  }

  /** Removes all entries with a tag, and returns their number. A running load does not store its answer if that has the tag. */
  removeTag(tag) {
    return callAddon(() => this.engine.removeTag(tagOf(tag)));
  }

  /** Expires all entries with a tag, as expire() does for a key, and returns their number. */
  expireTag(tag) {
    return callAddon(() => this.engine.expireTag(tagOf(tag)));
  }

  /** Expires all entries, as expire() does for a key. Running loads do not store their answers. A second tier is cleared, for all processes. */
  expireAll() {
    callAddon(() => this.engine.expireAll());
  }

  /**
   * Iterates over the entries as [key, value], with null for a key known to be absent. A key that stays in the cache throughout appears exactly
   * once, whatever else changes. Loads nothing, and does not count as a use.
   */
  *entries() {
    const iterator = callAddon(() => this.engine.iterate());
    for (let entry; (entry = callAddon(() => native.nextEntry(iterator))) !== undefined; ) {
      const [key, value] = entry;
      yield [key, this.fromNative(value)];
      this.checkOpen();
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
   * Writes the entries to a file, with their remaining TTLs, and returns their number. An existing file is replaced once the new one is complete.
   * `dump` turns a value that is not a Uint8Array into bytes, as `v8.serialize` does; without it, and where it returns undefined, such values are
   * left out.
   */
  save(path, options = {}) {
    checkObject(options, 'the options of a save are an object such as { dump: v8.serialize }');
    const { dump } = options;
    checkFunction(dump, 'dump');
    return this.#transfer(() =>
      this.engine.save(pathOf(path), (id) => {
        const bytes = dump?.(this.objects.get(id));
        if (bytes !== undefined && !isBytes(bytes)) {
          throw new TypeError(`kvlight: \`dump\` returns a Uint8Array, or undefined for a value to be left out, not ${kindOf(bytes)}`);
        }
        return bytes;
      }),
    );
  }

  /**
   * Stores the entries of a saved file, except those whose key has an entry already, and returns the number stored. `load` reverses `dump`; where it
   * returns undefined, the entry is left out.
   */
  load(path, options = {}) {
    checkObject(options, 'the options of a load are an object such as { load: v8.deserialize }');
    const { load } = options;
    checkFunction(load, 'load');
    return this.#transfer(() =>
      this.engine.load(pathOf(path), (bytes) => {
        const value = load?.(bytes);
        if (value === undefined) {
          return undefined;
        }
        if (isPromise(value)) {
          throw new TypeError('kvlight: `load` returns a value, not a promise: a file is loaded at once');
        }
        const cost = this.costOf(value);
        return [this.toNative(value), cost];
      }),
    );
  }

  #transfer(call) {
    this.#transfers++;
    try {
      return callAddon(call);
    } finally {
      this.#transfers--;
      this.releaseSome();
    }
  }

  /** Removes an entry. Returns whether there was one. */
  remove(key) {
    return callAddon(() => this.engine.remove(keyOf(key)));
  }

  clear() {
    callAddon(() => this.engine.clear());
  }

  /** The number of entries. */
  get size() {
    return callAddon(() => this.engine.size());
  }

  /** The statistics: docs/STATISTICS.md. */
  stats() {
    return JSON.parse(callAddon(() => this.engine.stats()));
  }

  // ---- For the package ----------------------------------------------------------------------------------------------------

  /** Returns a value in the form that the addon takes: a Uint8Array or null as it is; anything else is added to `objects`, and its ID returned. */
  toNative(value) {
    if (value === null || value === undefined) {
      return null;
    }
    return isBytes(value) ? value : this.objects.add(value);
  }

  /** The reverse of toNative(): returns the object of an ID, and anything else as it is. */
  fromNative(value) {
    return typeof value === 'number' ? this.objects.get(value) : value;
  }

  /** The cost of an object in bytes. The library itself computes the cost of bytes. */
  costOf(value) {
    if (value === null || value === undefined || isBytes(value)) {
      return 0;
    }
    if (this.#cost !== undefined) {
      const cost = this.#cost(value);
      if (!Number.isSafeInteger(cost) || cost < 0) {
        throw new RangeError(`kvlight: \`cost\` must return a whole number of bytes, not ${typeof cost === 'number' ? cost : kindOf(cost)}`);
      }
      return cost;
    }
    return typeof value === 'string' ? 2 * value.length : 0;
  }

  /** Called by the addon when a queue has events. While some remain its descriptor stays readable, and other handlers run in between. */
  onReadable() {
    this.handleEvents();
    const end = performance.now() + MAX_RELEASE_MS;
    while (this.#releaseBatch() > 0 && performance.now() < end) {
      // A batch that the library has dropped.
    }
  }

  /** Handles some results and requests, and returns how many. A cache without a provider has none. */
  handleEvents() {
    return 0;
  }

  /**
   * Releases objects that the library has dropped, after calls that gave it others. So the number that wait is bounded even if the event loop
   * does not turn, or if the program adds more in each turn than are released in it.
   */
  releaseSome() {
    const { added } = this.objects;
    if (added < DROPS_PER_BATCH || this.#isReleasing) {
      return;
    }
    this.objects.added = 0;
    for (let left = 2 * added; left > 0 && !this.isClosed; ) {
      const released = this.#releaseBatch();
      left = released === 0 ? 0 : left - released;
    }
  }

  /**
   * Releases a batch of objects, and returns their number. If `dropped` closes the store, closing goes on where this batch is, so that the objects
   * keep their order.
   */
  #releaseBatch() {
    if (this.#nextDropped === this.#droppedIds.length) {
      this.#droppedIds = this.engine.takeDropped(DROPS_PER_BATCH);
      this.#nextDropped = 0;
    }
    const wasReleasing = this.#isReleasing;
    this.#isReleasing = true;
    let released = 0;
    for (; this.#nextDropped < this.#droppedIds.length; released++) {
      this.#release(this.objects.remove(this.#droppedIds[this.#nextDropped++]));
    }
    this.#isReleasing = wasReleasing;
    return released;
  }

  #release(value) {
    if (this.#dropped === undefined || value === undefined || StoredError.is(value)) {
      return;
    }
    try {
      this.#dropped(value);
    } catch (error) {
      throwLater(error);
    }
  }

  checkOpen() {
    if (this.isClosed) {
      throw new KvlightError(K.ERR_CLOSED, 'the engine is closed');
    }
  }

  /** Throws inside a conversion function of save() or load(), which must not close the cache. */
  checkCanClose() {
    if (this.#transfers > 0) {
      throw new KvlightError(K.ERR_REENTRANT, 'a function called by save() or load() cannot close the cache');
    }
  }

  /** Ends the engine, handles the remaining events and stops watching the descriptors. */
  closeAndDrain() {
    this.isClosed = true;
    this.engine.close();
    while (this.handleEvents() > 0 || this.#releaseBatch() > 0) {
      // Events that the engine's end has produced.
    }
    this.engine.dispose();
    // Unfinished requests and iterators may still refer to objects, and can no longer report that they have dropped them.
    this.objects.clear().forEach((value) => this.#release(value));
  }
}

/** Wraps what a provider threw, to distinguish it from a value among the objects. */
class StoredError {
  #error;

  constructor(error) {
    this.#error = error;
  }

  /** Unlike instanceof, this calls no function of a value that is a proxy. */
  static is(value) {
    return typeof value === 'object' && value !== null && #error in value;
  }

  get error() {
    return this.#error;
  }
}

module.exports = { StoredError, Store, checkFunction, checkObject, checkText, flattenSettings, keyOf, keysOf, termsOf, throwLater };
