// Which kind of value the program passed. The checks also recognize values of other realms, such as those of a vm context, but no
// proxies of bytes, Maps or promises.

'use strict';

const { types } = require('node:util');

function isError(value) {
  try {
    return types.isNativeError(value) || value instanceof Error;
  } catch {
    return false; // a proxy whose trap throws
  }
}

/** What a message calls a value. */
function kindOf(value) {
  if (value === null) {
    return 'null';
  }
  if (Array.isArray(value)) {
    return 'an array';
  }
  if (typeof value !== 'object' && typeof value !== 'function') {
    return Number.isNaN(value) ? 'NaN' : typeof value;
  }
  try {
    const name = value[Symbol.toStringTag] ?? value.constructor?.name;
    return typeof name === 'string' && !['', 'Object', 'Function'].includes(name) ? name : typeof value;
  } catch {
    return typeof value;
  }
}

module.exports = { isBytes: types.isUint8Array, isError, isMap: types.isMap, isPromise: types.isPromise, kindOf };
