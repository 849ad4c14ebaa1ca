'use strict';

const K = require('./constants.json');

const NAMES = new Map(Object.entries(K).filter(([name, value]) => name.startsWith('ERR_') && value < 0).map(([name, value]) => [value, `KVL_${name}`]));

/** An error of the library's: `code` is "KVL_ERR_TIMEOUT", `status` its number. What a provider throws arrives as it is. */
class KvlightError extends Error {
  /** `cause`: what the provider's last attempt had failed with when time ran out or the fetch was ended. */
  constructor(status, message, cause) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'KvlightError';
    this.code = NAMES.get(status) ?? `KVL_${status}`;
    this.status = status;
  }
}

/** Thrown by a provider, or put in a value's place: trying again is pointless, whatever the retry settings say. */
class PermanentError extends Error {
  constructor(...given) {
    super(...given);
    this.name = 'PermanentError';
  }
}

/** As PermanentError, where an older value is worth nothing either: no fallback serves in its place (stale.ttl_ms), and it leaves the store. */
class GoneError extends PermanentError {
  constructor(...given) {
    super(...given);
    this.name = 'GoneError';
  }
}

/** Thrown by a provider, or put in a value's place: a retry waits at least `after_ms`, as HTTP's Retry-After asks. */
class RetryAfterError extends Error {
  constructor(message, { after_ms, ...options } = {}) {
    super(message, options);
    if (typeof after_ms !== 'number' || !(after_ms >= 0)) {
      throw new RangeError('kvlight: a RetryAfterError states `after_ms`, a number of milliseconds');
    }
    this.name = 'RetryAfterError';
    this.after_ms = after_ms;
  }
}

/** Flags and pause of what a provider fails with, as the library takes them. */
function askedOf(error) {
  const flags = (error instanceof PermanentError ? K.ERROR_F_PERMANENT : 0) + (error instanceof GoneError ? K.ERROR_F_NO_STALE : 0);
  return [flags, error instanceof RetryAfterError ? Math.min(Math.ceil(error.after_ms), Number.MAX_SAFE_INTEGER) : -1];
}

/** Calls the addon; what it throws with a status of its own comes out as a KvlightError. What the program's functions throw has none. */
function calling(call) {
  try {
    return call();
  } catch (error) {
    throw typeof error?.kvl_status === 'number' ? new KvlightError(error.kvl_status, error.message) : error;
  }
}

module.exports = { GoneError, KvlightError, PermanentError, RetryAfterError, askedOf, calling };
