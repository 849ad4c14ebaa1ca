'use strict';

const { Store } = require('./store.cjs');

/** A bounded store with expiry, without a provider. */
class Cache extends Store {
  #isClosed = false;

  /**
   * @param settings those of docs/CONFIGURATION.md that begin with "cache."; `cost` says what a value costs, in bytes; `dropped` is called with
   *   each value that is no Uint8Array once the cache holds it no more.
   */
  constructor({ dropped, cost, ...settings } = {}) {
    super(settings, { dropped, cost }, false);
  }

  /** Lets go of everything. May be called twice. */
  close() {
    this.mayClose();
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.finish();
    }
  }

  [Symbol.dispose ?? Symbol.for('Symbol.dispose')]() {
    this.close();
  }
}

module.exports = { Cache };
