'use strict';

const K = require('./constants.json');

const NAMES = new Map(Object.entries(K).filter(([name, value]) => name.startsWith('ERR_') && value < 0).map(([name, value]) => [value, `KVL_${name}`]));

/** An error of the library. `code` is its name, such as "KVL_ERR_TIMEOUT", `status` its number. What a provider throws reaches callers unchanged. */
class KvlightError extends Error {
  /** @param cause the error of the last attempt, if one failed before the fetch timed out or was ended. */
  constructor(status, message, cause) {
    super(message.startsWith('kvlight: ') ? message : `kvlight: ${message}`, cause === undefined ? undefined : { cause });
    this.name = 'KvlightError';
    this.code = NAMES.get(status) ?? `KVL_${status}`;
    this.status = status;
  }
}

/** Thrown by a provider, or returned in place of a value: the key is not retried, whatever the retry settings say. */
class PermanentError extends Error {
  constructor(...args) {
    super(...args);
    this.name = 'PermanentError';
  }
}

/** Like PermanentError, and an older value of the key is invalid too: the store removes it, and it does not serve as a fallback (stale.ttl_ms). */
class GoneError extends PermanentError {
  constructor(...args) {
    super(...args);
    this.name = 'GoneError';
  }
}

/** Thrown by a provider, or returned in place of a value: a retry waits at least `after_ms`, like HTTP's Retry-After. */
class RetryAfterError extends Error {
  constructor(message, { after_ms, ...options } = {}) {
    super(message, options);
    if (typeof after_ms !== 'number' || !(after_ms >= 0)) {
      throw new RangeError('kvlight: a RetryAfterError needs `after_ms`, a number of milliseconds');
    }
    this.name = 'RetryAfterError';
    this.after_ms = after_ms;
  }
}

/** The error of keys whose provider returned something that is no answer. It would return the same again, so the keys are not retried. */
class AnswerError extends TypeError {}

/** The flags of a provider's error, and the pause in milliseconds that it asks for, or -1. The error can be any value. */
function flagsAndPauseOf(error) {
  try {
    const isPermanent = error instanceof PermanentError || error instanceof AnswerError;
    const flags = (isPermanent ? K.ERROR_F_PERMANENT : 0) + (error instanceof GoneError ? K.ERROR_F_NO_STALE : 0);
    const pause = error instanceof RetryAfterError ? error.after_ms : -1;
    return [flags, typeof pause === 'number' && pause >= 0 ? Math.min(Math.ceil(pause), Number.MAX_SAFE_INTEGER) : -1];
  } catch {
    return [0, -1]; // a proxy or a getter that throws
  }
}

/** The message of an error, which can be any value. U+FFFD replaces lone surrogates, which cannot be encoded in UTF-8. */
function messageOf(error) {
  try {
    return Buffer.from(String(error?.message ?? error)).toString();
  } catch {
    return 'an error whose conversion to a string threw';
  }
}

/** Turns an exception of the addon into a KvlightError. An exception of a function of the program, which has no status, is returned as it is. */
function translateError(error) {
  return typeof error?.kvl_status === 'number' ? new KvlightError(error.kvl_status, error.message) : error;
}

/** Calls the addon, and throws its exceptions as KvlightErrors. */
function callAddon(call) {
  try {
    return call();
  } catch (error) {
    throw translateError(error);
  }
}

module.exports = { AnswerError, GoneError, KvlightError, PermanentError, RetryAfterError, callAddon, flagsAndPauseOf, messageOf, translateError };
