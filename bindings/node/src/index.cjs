// kvlight for Node: a loading cache.
//
//   const { Tasks } = require('kvlight');       // or: import { Tasks } from 'kvlight';
//
//   const users = new Tasks({
//     provider: (ids) => database.users(ids),   // called with the keys that are missing; returns a Map or an object,
//     'cache.capacity': 10_000,                 // { key: value }, or a promise of one; a key left out is cached as absent
//   });
//   await users.fetch('7');                     // a value, or null if there is no such record
//   await users.fetchAll(['7', '8', '7']);      // the values in the order of the keys; rejects with the first error
//   await users.fetch('9', { signal, timeout_ms: 500 });
//   await users.close();
//
// A cache keeps the process alive only while fetches are in progress.

'use strict';

const { Cache } = require('./cache.cjs');
const K = require('./constants.json');
const { GoneError, KvlightError, PermanentError, RetryAfterError } = require('./errors.cjs');
const { native } = require('./native.cjs');
const { Tasks } = require('./tasks.cjs');

module.exports = { Cache, GoneError, K: Object.freeze({ ...K }), KvlightError, PermanentError, RetryAfterError, Tasks, version: native.version };
