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

/** Calls the addon; what it throws with a status comes out as a KvlightError. */
function calling(call) {
  try {
    return call();
  } catch (error) {
    throw typeof error?.status === 'number' ? new KvlightError(error.status, error.message) : error;
  }
}

module.exports = { KvlightError, PermanentError, calling };
