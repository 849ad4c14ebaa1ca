'use strict';

const { Store, checkObject } = require('./store.cjs');

/** A bounded store with expiry, without a provider. */
class Cache extends Store {
  /**
   * @param given the settings of docs/CONFIGURATION.md that begin with "cache."; `cost(value)` returns the cost of a value in bytes;
   *   `dropped(value)` is called with each value that is not a Uint8Array once the cache no longer holds it.
   */
  constructor(given = {}) {
    checkObject(given, "the settings are an object such as { 'cache.capacity': 1000 }");
    const { dropped, cost, ...settings } = given;
    super(settings, { dropped, cost }, false);
  }

  /** Releases all entries. May be called twice. */
  close() {
    this.checkCanClose();
    if (!this.isClosed) {
      this.closeAndDrain();
    }
  }

  [Symbol.dispose ?? Symbol.for('Symbol.dispose')]() {
    this.close();
  }
}

module.exports = { Cache };
