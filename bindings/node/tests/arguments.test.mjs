// Arguments: what is wrong is refused by the call, with a message that says what it takes, and changes nothing.

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import v8 from 'node:v8';
import vm from 'node:vm';
import { Cache, K, KvlightError, Tasks } from '../src/index.mjs';
import { echo, uncaught } from './support.mjs';

test('l09_a_signal_is_checked_before_its_fetch_begins', async () => {
  let calls = 0;
  const tasks = new Tasks({ provider: (keys) => (calls++, echo(keys)) });
  const caught = await uncaught(async () => {
    for (const signal of [false, 0, 'x', {}, [], () => {}, { aborted: false, throwIfAborted() {} }, new AbortController()]) {
      for (const call of [() => tasks.fetch('a', { signal }), () => tasks.fetchAll(['a'], { signal }), () => tasks.results(['a'], { signal })]) {
        await assert.rejects(call(), { name: 'TypeError', message: /^kvlight: `signal` is an AbortSignal, not / });
      }
    }
    assert.equal(calls, 0);
    for (const signal of [null, undefined, AbortSignal.timeout(60_000)]) {
      assert.deepEqual(await tasks.fetch(String(calls), { signal }), { key: String(calls - 1) });
    }
    assert.deepEqual(await tasks.fetch('b', null), { key: 'b' });
    const broken = { aborted: false, addEventListener() { throw new Error('no'); }, removeEventListener() {} };
    await assert.rejects(tasks.fetch('c', { signal: broken }), { message: 'no' });
    while (!tasks.has('c')) {
      await turn();
    }
  });
  assert.deepEqual(caught, []);
  await tasks.close();
});

test('f09_a_thousand_fetches_share_one_listener_of_their_signal', async () => {
  const warnings = [];
  const note = (warning) => warnings.push(warning);
  process.on('warning', note);
  const requests = [];
  const provider = (_, request) => void requests.push(request);
  const [one, other] = [1, 2].map(() => new Tasks({ provider }));
  const { signal } = new AbortController();
  const controller = new AbortController();
  const done = [one, other].map((tasks) => tasks.fetch('done', { signal }));
  const fetches = Array.from({ length: 1000 }, (_, i) => (i % 2 ? one : other).fetch(`k${i}`, { signal: controller.signal }));
  const third = one.fetch('k1', { signal });
  assert.equal(getEventListeners(controller.signal, 'abort').length, 1);
  while (!requests.some(({ keys }) => keys.includes('done'))) {
    await turn();
  }
  controller.abort(new Error('enough'));
  const outcomes = await Promise.allSettled(fetches);
  assert.ok(outcomes.every(({ reason }) => reason?.message === 'enough'));
  assert.equal(getEventListeners(signal, 'abort').length, 1);
  for (let answered = 0; answered < requests.length; await turn()) {
    for (; answered < requests.length; answered++) {
      requests[answered].answer(echo(requests[answered].keys));
    }
  }
  assert.deepEqual((await Promise.all([...done, third])).map(({ key }) => key), ['done', 'done', 'k1']);
  assert.deepEqual([signal, controller.signal].map((each) => getEventListeners(each, 'abort').length), [0, 0]);
  process.off('warning', note);
  assert.deepEqual(warnings, []);
  await Promise.all([one.close(), other.close()]);
});

test('f18_results_reject_only_if_the_call_itself_is_wrong_or_too_late', async () => {
  const tasks = new Tasks({ provider: echo });
  const [long, a] = await tasks.results(['x'.repeat(70_000), 'a']);
  assert.deepEqual([long.error.code, a.value], ['KVL_ERR_KEY_TOO_LONG', { key: 'a' }]);
  await assert.rejects(tasks.results(['a', 5]), /keys are strings/);
  await assert.rejects(tasks.results(['a'], { signal: AbortSignal.abort() }), { name: 'AbortError' });
  await tasks.close();
  await assert.rejects(tasks.results(['a']), { code: 'KVL_ERR_CLOSED' });
});

test('l09_options_and_settings_that_are_undefined_are_not_set', async () => {
  const tasks = new Tasks({ provider: echo, timeout_ms: undefined, dropped: undefined, validator: undefined, 'cache.capacity': undefined });
  assert.deepEqual(await tasks.fetch('a', { timeout_ms: undefined }), { key: 'a' });
  assert.deepEqual(await tasks.fetchAll(['b'], { read: undefined, signal: undefined }), [{ key: 'b' }]);
  tasks.refresh(['a'], { urgency: undefined });
  assert.ok(tasks.touch('a', { ttl_ms: undefined }));
  await tasks.close();
  new Cache({ 'cache.ttl_ms': undefined }).close();
});

test('l09_a_boolean_is_refused_where_a_setting_takes_a_number', async () => {
  assert.throws(() => new Cache({ 'cache.capacity': true }), { code: 'KVL_ERR_BAD_VALUE', message: /cache\.capacity/ });
  const tasks = new Tasks({ provider: echo, 'batch.omitted_is_null': true, 'provider.idempotent': false });
  await assert.rejects(tasks.fetch('a', { 'retry.count': false }), { code: 'KVL_ERR_BAD_VALUE' });
  await tasks.close();
});

test('l09_texts_with_a_nul_are_refused', async () => {
  const isRefused = { code: 'KVL_ERR_BAD_VALUE', message: /^kvlight: .* contains a NUL$/ };
  const tasks = new Tasks({ provider: echo });
  for (const settings of [{ 'cache.capacity\0x': 5 }, { 'cache.policy': 'lru\0x' }]) {
    assert.throws(() => new Cache(settings), isRefused);
    assert.throws(() => new Tasks({ provider: echo, ...settings }), isRefused);
  }
  for (const options of [{ 'timeout_ms\0x': 5 }, { read: 'normal\0x' }]) {
    await assert.rejects(tasks.fetch('a', options), isRefused);
    assert.throws(() => tasks.refresh(['a'], options), isRefused);
  }
  assert.throws(() => new Tasks({ provider: echo, l2Url: 'redis://localhost/?prefix=a\0b' }), isRefused);
  await tasks.close();
});

test('l09_what_is_no_object_of_options_is_refused', async () => {
  const tasks = new Tasks({ provider: echo });
  const cache = new Cache();
  for (const options of [5, 'abc', [], true, v8.serialize]) {
    const isRefused = { name: 'TypeError', message: /^kvlight: .* are an object such as \{ .* \}, not (number|string|an array|boolean|function)$/ };
    await assert.rejects(tasks.fetch('a', options), isRefused);
    await assert.rejects(tasks.fetchAll(['a'], options), isRefused);
    await assert.rejects(tasks.results(['a'], options), isRefused);
    assert.throws(() => tasks.refresh(['a'], options), isRefused);
    assert.throws(() => cache.put('a', 1, options), isRefused);
    assert.throws(() => cache.touch('a', options), isRefused);
    assert.throws(() => cache.save('/nowhere/file', options), isRefused);
    assert.throws(() => cache.load('/nowhere/file', options), isRefused);
    assert.throws(() => new Cache(options), isRefused);
    assert.throws(() => new Tasks(options), isRefused);
  }
  assert.throws(() => new Tasks(null), /^TypeError: kvlight: the settings are an object/);
  for (const how of [{ dump: 5 }, { load: 'json' }]) {
    const secondTier = Object.fromEntries(['read', 'fill', 'write', 'remove', 'clear'].map((name) => [name, () => {}]));
    assert.throws(() => cache[Object.keys(how)[0] === 'dump' ? 'save' : 'load']('/nowhere/file', how), /`(dump|load)` is a function, not (number|string)/);
    assert.throws(() => new Tasks({ provider: echo, secondTier, dump: v8.serialize, load: v8.deserialize, ...how }), /`(dump|load)` is a function, not (number|string)/);
  }
  assert.equal(cache.size, 0);
  cache.close();
  await tasks.close();
});

test('l09_terms_that_would_be_cut_or_ignored_are_refused', () => {
  const cache = new Cache();
  cache.put('a', 1);
  for (const [terms, message] of [
    [{ ttl_ms: 0.5 }, /`ttl_ms` is a whole number from -2/], [{ ttl_ms: -1.5 }, /`ttl_ms` is a whole number/], [{ cost: 0.5 }, /`cost` is a whole number/],
    [{ stale_ttl_ms: 1.5 }, /`stale_ttl_ms` is a whole number/], [{ tags: 5 }, /`tags` is an array of strings, not number/],
    [{ tags: null }, /`tags` is an array of strings, not null/], [{ tags: {} }, /`tags` is an array of strings, not object/], [{ version: null }, /not null/],
    [{ tags: [5] }, /tags are strings, not number/], [{ tags: Array(17).fill('x') }, /`tags` has at most 16 tags, each of 1 to 255 bytes/],
    [{ tags: [''] }, /`tags` has at most/], [{ tags: ['é'.repeat(128)] }, /`tags` has at most/], [{ version: 'é'.repeat(128) }, /`version` has at most 255 bytes/],
    [[], /terms are an object .*, not an array/],
  ]) {
    assert.throws(() => cache.put('a', 2, terms), (error) => /^kvlight: /.test(error.message) && message.test(error.message), JSON.stringify(terms));
  }
  assert.throws(() => cache.touch('a', { ttl_ms: 0.5 }), RangeError);
  assert.throws(() => cache.touch('a', { ttl: 5 }), /^TypeError: kvlight: touch\(\) has no term `ttl`, only ttl_ms$/);
  assert.equal(cache.get('a'), 1);
  assert.ok(cache.put('b', 1, { priority: 0.5, tags: new Set(['x'.repeat(255)]), version: 'é'.repeat(127) }));
  cache.close();
});

test('l09_errors_of_the_library_say_that_they_are', async () => {
  assert.equal(new KvlightError(K.ERR_CLOSED, 'closed').message, 'kvlight: closed');
  const cache = new Cache();
  assert.throws(() => cache.get('x'.repeat(70_000)), { code: 'KVL_ERR_KEY_TOO_LONG', message: /^kvlight: the key is longer/ });
  assert.throws(() => new Cache({ 'cache.capacity': -1 }), { message: /^kvlight: "cache\.capacity" takes/ });
  cache.close();
  assert.throws(() => cache.get('a'), { message: /^kvlight: the engine is closed$/ });
});

test('s18_functions_of_files_that_return_no_bytes_or_a_promise_are_refused', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kvlight-'));
  const file = join(folder, 'a');
  try {
    const cache = new Cache();
    cache.put('a', { a: 1 });
    cache.put('b', { b: 1 });
    for (const [dump, kind] of [[async () => Buffer.from('a'), 'Promise'], [() => 'text', 'string'], [() => 5, 'number'], [() => null, 'null']]) {
      assert.throws(() => cache.save(file, { dump }), { name: 'TypeError', message: `kvlight: \`dump\` returns a Uint8Array, or undefined for a value to be left out, not ${kind}` });
    }
    assert.equal(cache.save(file, { dump: (value) => (value.a ? v8.serialize(value) : undefined) }), 1);
    assert.equal(cache.save(file, { dump: (value) => vm.runInNewContext('new Uint8Array([n])', { n: value.a ?? 2 }) }), 2);
    const other = new Cache();
    assert.throws(() => other.load(file, { load: async (bytes) => bytes[0] }), { name: 'TypeError', message: /^kvlight: `load` returns a value, not a promise/ });
    assert.equal(other.size, 0);
    assert.equal(other.load(file, { load: (bytes) => (bytes[0] === 1 ? undefined : { b: 1 }) }), 1);
    assert.deepEqual([...other], [['b', { b: 1 }]]);
    assert.equal(other.load(file, { load: () => null }), 1);
    assert.ok(other.has('a') && other.get('a') === null);
    cache.close();
    other.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('t01_a_second_tier_that_answers_wrongly_is_reported_and_is_a_miss', async () => {
  const warnings = [];
  const note = ({ message }) => warnings.push(message);
  process.on('warning', note);
  const nothing = () => {};
  const trapped = new Proxy({}, { getPrototypeOf() { throw new Error('a trap'); }, get() { throw new Error('a trap'); } });
  for (const [read, message] of [
    [() => new Map([[7, Buffer.from('x')]]), /keys of the Map of `read` are strings, those that it received, not number/],
    [(keys) => new Map([[keys[0], { data: Buffer.from('x'), ttl_left_ms: '5' }]]), /`ttl_left_ms` is a number of milliseconds, not string/],
    [(keys) => new Map([[keys[0], { data: Buffer.from('x'), ttl_left_ms: NaN }]]), /`ttl_left_ms` is a number of milliseconds, not NaN/],
    [() => Promise.reject(trapped), /the second tier threw an error whose conversion to a string threw/],
    [() => { throw vm.runInNewContext('new Error("of another realm")'); }, /of another realm/],
    [(keys) => [keys], /`read` answers with a Map, not an array/],
  ]) {
    warnings.length = 0;
    const secondTier = { read, fill: nothing, write: nothing, remove: nothing, clear: nothing };
    const tasks = new Tasks({ provider: echo, secondTier, 'l2.timeout_ms': 60_000 });
    assert.deepEqual(await tasks.fetch('7'), { key: '7' });
    while (warnings.length === 0) {
      await turn();
    }
    assert.match(warnings[0], message);
    await tasks.close();
  }
  process.off('warning', note);
});
