// The second tier: a store behind the engine that several processes may share.

'use strict';

const K = require('./constants.json');
const { native } = require('./native.cjs');
const { KvlightError, callAddon } = require('./errors.cjs');
const { isBytes, isError, isMap, isPromise, kindOf } = require('./kinds.cjs');
const { RedisTier } = require('./redis.cjs');
const { checkFunction } = require('./store.cjs');

const METHODS = new Map([[K.L2_READ, 'read'], [K.L2_FILL, 'fill'], [K.L2_WRITE, 'write'], [K.L2_REMOVE, 'remove'], [K.L2_CLEAR, 'clear']]);
const NOTHING = new Uint8Array(0);

/** The second tier of an engine, with the functions that make bytes of values and values of bytes. */
class AttachedTier {
  constructor(tier, dump, load) {
    for (const name of tier instanceof RedisTier ? [] : METHODS.values()) {
      if (typeof tier?.[name] !== 'function') {
        throw new TypeError(`kvlight: \`secondTier\` is an object with a function \`${name}\``);
      }
    }
    checkFunction(dump, 'dump');
    checkFunction(load, 'load');
    if ((dump === undefined) !== (load === undefined)) {
      throw new TypeError('kvlight: `dump` and `load` go together: the one reads what the other wrote');
    }
    this.tier = tier;
    this.dump = dump;
    this.load = load;
  }

  /** The flags that tell the library what this tier can do. */
  get abilities() {
    return (this.tier.isConditional ? K.L2_F_CONDITIONAL : 0) + (this.tier.grantsLeases ? K.L2_F_LEASES : 0) + K.L2_F_OBJECTS;
  }
}

/** Serves a request. Whatever the second tier does wrong fails that request alone, and is passed to `report`. */
class TierRequest {
  #store;
  #attached;
  #report;
  #handle;
  #kind;
  #keys;

  constructor(store, attached, report, [handle, kind, keys]) {
    this.#store = store;
    this.#attached = attached;
    this.#report = report;
    this.#handle = handle;
    this.#kind = kind;
    this.#keys = keys;
  }

  async serve() {
    try {
      await this.#dispatch();
    } catch (error) {
      this.#fail();
      this.#report(error);
    }
    this.#tell(native.tierFinish);
  }

  async #dispatch() {
    const { tier } = this.#attached;
    if (tier instanceof RedisTier) {
      return this.#serveFrom(tier);
    }
    switch (this.#kind) {
      case K.L2_READ:
        return this.#answerRead(await tier.read([...this.#keys]));
      case K.L2_FILL:
      case K.L2_WRITE:
        return this.#storeEntries(this.#kind === K.L2_FILL);
      case K.L2_REMOVE:
        return tier.remove([...this.#keys]);
      default:
        return tier.clear();
    }
  }

  /** Serves the request from a Redis or Valkey server. If the server fails, a read is a miss, and a write is sent again; neither is reported. */
  async #serveFrom(server) {
    if ((this.#kind === K.L2_FILL || this.#kind === K.L2_WRITE) && this.#keys.filter((_, i) => this.#statePayload(i)).length === 0) {
      return;
    }
    const found = await server.serve(this.#handle);
    if (found === null) {
      this.#fail();
    } else {
      found.forEach((one) => this.#hit(...one));
    }
  }

  /** Fails a request other than a read; a clear, which has no keys, fails at index 0. The open keys of a read fail when it is finished. */
  #fail() {
    if (this.#kind !== K.L2_READ) {
      for (let i = 0; i < Math.max(this.#keys.length, 1); i++) {
        this.#tell(native.tierFailed, i);
      }
    }
  }

  /** Passes an answer to the library. An answer that comes late or after the close is not the second tier's fault. */
  #tell(call, ...given) {
    const status = callAddon(() => call(this.#handle, ...given));
    if (status < 0 && status !== K.ERR_ALREADY_ANSWERED && status !== K.ERR_CLOSED) {
      throw new KvlightError(status, `the library refused an answer of the second tier: ${native.statusMessage(status)}`);
    }
  }

  #answerRead(rows) {
    if (!isMap(rows)) {
      throw new TypeError(`kvlight: \`read\` answers with a Map, not ${kindOf(rows)}`);
    }
    for (const key of rows.keys()) {
      if (typeof key !== 'string') {
        throw new TypeError(`kvlight: the keys of the Map of \`read\` are strings, those that it received, not ${kindOf(key)}`);
      }
    }
    this.#keys.forEach((key, i) => this.#answer(i, rows.get(key)));
  }

  #answer(i, row) {
    if (row === undefined || row === null) {
      return this.#tell(native.tierMiss, i, NOTHING);
    }
    if (isError(row)) {
      return this.#report(row); // a key without an answer has failed
    }
    if (isBytes(row)) {
      return this.#hit(i, row, K.L2_TTL_UNKNOWN, NOTHING);
    }
    if (typeof row !== 'object') {
      throw new TypeError(`kvlight: \`read\` answers a key with an object or a Uint8Array, not ${kindOf(row)}`);
    }
    const { data, ttl_left_ms = K.L2_TTL_UNKNOWN, token = NOTHING, isLeased = false } = row;
    if (data !== undefined) {
      if (typeof ttl_left_ms !== 'number' || Number.isNaN(ttl_left_ms)) {
        throw new TypeError(`kvlight: \`ttl_left_ms\` is a number of milliseconds, not ${kindOf(ttl_left_ms)}`);
      }
      if (ttl_left_ms < 0 && !Number.isInteger(ttl_left_ms)) {
        // Rounded down, a time that has just passed would be -1: an entry that does not expire.
        throw new RangeError(`kvlight: \`ttl_left_ms\` is a time that is left, K.TTL_NEVER or K.L2_TTL_UNKNOWN, not ${ttl_left_ms}`);
      }
      return this.#hit(i, data, Math.min(Math.floor(ttl_left_ms), Number.MAX_SAFE_INTEGER), token);
    }
    return isLeased ? this.#tell(native.tierLeased, i) : this.#tell(native.tierMiss, i, token);
  }

  #hit(i, data, ttl_left_ms, token) {
    const { engine } = this.#store;
    const payload = callAddon(() => native.tierPayload(this.#handle, i, data));
    if (typeof payload === 'boolean') {
      return this.#tell(native.tierHit, i, payload ? data : NOTHING, ttl_left_ms, token, engine, undefined, 0);
    }
    const value = this.#load(payload);
    if (value === undefined || value === null || isBytes(value)) {
      return this.#tell(native.tierHit, i, NOTHING, ttl_left_ms, token, engine, undefined, 0);
    }
    const cost = this.#store.costOf(value);
    if (!this.#store.isClosed) {
      this.#tell(native.tierHit, i, data, ttl_left_ms, token, engine, this.#store.toNative(value), cost);
      this.#store.releaseSome();
    }
    return undefined;
  }

  #load(payload) {
    try {
      const value = this.#attached.load?.(payload);
      if (isPromise(value)) {
        throw new TypeError('kvlight: `load` returns a value, not a promise');
      }
      return value;
    } catch (error) {
      this.#report(error);
      return undefined;
    }
  }

  async #storeEntries(isFill) {
    const indexes = this.#keys.map((_, i) => i).filter((i) => this.#statePayload(i));
    if (indexes.length === 0) {
      return;
    }
    const entries = indexes.map((i) => {
      const [data, ttl_ms, token] = callAddon(() => native.tierEntry(this.#handle, i));
      return { key: this.#keys[i], data, ttl_ms, token };
    });
    const { tier } = this.#attached;
    const stored = await (isFill ? tier.fill(entries) : tier.write(entries));
    if (!isFill || stored === undefined) {
      return;
    }
    if (!Array.isArray(stored) || stored.length !== indexes.length) {
      throw new TypeError(`kvlight: \`fill\` answers with an array of ${indexes.length} booleans, or with nothing`);
    }
    indexes.forEach((index, i) => stored[i] || this.#tell(native.tierRefused, index));
  }

  /** States the bytes of the i-th value, if it is an object. Returns whether the value can be stored; if not, it is refused. */
  #statePayload(i) {
    const value = callAddon(() => native.tierValue(this.#handle, i));
    if (typeof value !== 'number') {
      return true;
    }
    const bytes = this.#dump(this.#store.objects.get(value));
    if (bytes === undefined) {
      this.#tell(native.tierRefused, i);
      return false;
    }
    this.#tell(native.tierSetPayload, i, bytes);
    return true;
  }

  #dump(value) {
    try {
      const bytes = this.#attached.dump?.(value);
      if (bytes !== undefined && !isBytes(bytes)) {
        throw new TypeError(`kvlight: \`dump\` returns a Uint8Array, not ${kindOf(bytes)}`);
      }
      return bytes;
    } catch (error) {
      this.#report(error);
      return undefined;
    }
  }
}

module.exports = { AttachedTier, TierRequest };
