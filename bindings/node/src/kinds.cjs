// Which kind of value the program passed. No check depends on the realm that made the value, and a proxy passes for what it is: some object.

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
