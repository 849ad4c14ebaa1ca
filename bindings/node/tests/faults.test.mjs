// Faults of the program: functions that throw, abort or close affect nothing but their own fetches. Also tests of caches without a provider, of misses,
// and of counts of lookups.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { Cache, K, KvlightError, Tasks } from '../src/index.mjs';
import { echo, uncaught } from './support.mjs';

test('f01_an_exception_of_dropped_affects_no_fetch_and_no_close', async () => {
  const delivered = [];
  const caught = await uncaught(async () => {
    const dropped = ({ key }) => {
      delivered.push(key);
      throw new Error(`dropped ${key}`);
    };
    const tasks = new Tasks({ provider: echo, dropped, 'cache.capacity': 10 });
    const keys = Array.from({ length: 1000 }, (_, i) => `k${i}`);
    assert.deepEqual((await tasks.fetchAll(keys)).map(({ key }) => key), keys);
    assert.equal((await tasks.fetch('last')).key, 'last');
    await tasks.close();
  });
  assert.equal(delivered.length, 1001);
  assert.equal(caught.length, 1001);
});

test('f15_an_invalid_answer_fails_its_key_alone', async () => {
  const cost = (value) => {
    if (value.key === 'c') {
      throw new Error('no cost');
    }
    return value.key === 'd' ? -1 : 10;
  };
  const tasks = new Tasks({ provider: echo, cost });
  const results = await tasks.results(['a', 'b', 'c', 'd', 'e']);
  assert.deepEqual(results.map(({ error }) => error?.name ?? null), [null, null, 'Error', 'RangeError', null]);
  await tasks.close();
});

test('f15_answers_that_cannot_be_read_fail_their_request_alone', async () => {
  const broken = { get getter() { throw new Error('a getter'); } };
  const answers = {
    number: () => 5,
    text: () => 'text',
    getter: () => broken,
    throws: () => { throw 'a string'; },
    rejects: () => Promise.reject(undefined),
    odd: () => { throw { toString() { throw new Error(); } }; },
    surrogate: () => { throw new Error('\ud800'); },
    array: () => ['a row'],
    set: () => new Set(['a row']),
    generator: function* () { yield ['generator', 'a row']; },
    stream: async function* () { yield ['stream', 'a row']; },
  };
  const tasks = new Tasks({ provider: ([key]) => (answers[key] ?? (() => ({ [key]: key })))(), 'batch.max_keys': 1, 'tasks.max_running': 2 });
  const keys = [...Object.keys(answers), 'a', 'b'];
  const outcomes = await Promise.allSettled(keys.map((key) => tasks.fetch(key)));
  assert.deepEqual(outcomes.map(({ status }) => status), [...Object.keys(answers).map(() => 'rejected'), 'fulfilled', 'fulfilled']);
  assert.match(outcomes[0].reason.message, /not number/);
  assert.equal(outcomes[3].reason, 'a string');
  assert.equal(outcomes[4].reason, undefined);
  assert.deepEqual(outcomes.slice(7, 11).map(({ reason }) => reason.message.match(/not (.*)$/)[1]), ['an array', 'Set', 'Generator', 'AsyncGenerator']);
  await tasks.close();
});

test('f15_a_provider_may_change_its_array_of_keys', async () => {
  for (const change of [(keys) => keys.sort(), (keys) => keys.reverse(), (keys) => keys.splice(0), (keys) => keys.fill('x')]) {
    const requests = [];
    const provider = (keys, request) => {
      const rows = new Map(keys.map((key) => [key, { key }]));
      change(keys);
      requests.push(request);
      return rows;
    };
    const tasks = new Tasks({ provider, 'batch.max_keys': 10 });
    const rows = await tasks.fetchAll(['20', '3', '100']);
    assert.deepEqual(rows.map(({ key }) => key), ['20', '3', '100']);
    assert.equal(tasks.get('100').key, '100');
    assert.deepEqual(requests[0].keys, ['20', '3', '100']);
    assert.throws(() => requests[0].keys.sort(), TypeError);
    await tasks.close();
  }
});

test('f01_each_of_a_thousand_concurrent_fetches_gets_its_answer', async () => {
  const tasks = new Tasks({ provider: async (keys) => (await pause(1), echo(keys)) });
  const keys = Array.from({ length: 1000 }, (_, i) => `k${i}`);
  const rows = await Promise.all(keys.map((key) => tasks.fetch(key)));
  assert.deepEqual(rows.map(({ key }) => key), keys);
  await tasks.close();
});

test('f09_an_aborted_fetch_affects_no_other_fetch', async () => {
  const tasks = new Tasks({ provider: async (keys) => (await pause(5), echo(keys)) });
  const controller = new AbortController();
  const fetches = Array.from({ length: 100 }, (_, i) => tasks.fetch(`k${i % 10}`, i % 2 ? { signal: controller.signal } : undefined));
  await turn();
  controller.abort(new Error('enough'));
  const outcomes = await Promise.allSettled(fetches);
  outcomes.forEach(({ status, reason }, i) => assert.ok(i % 2 ? reason?.message === 'enough' : status === 'fulfilled'));
  await assert.rejects(tasks.fetch('x', { signal: AbortSignal.abort() }), { name: 'AbortError' });
  await tasks.close();
});

test('l05_an_engine_can_be_closed_inside_a_callback', async () => {
  const tasks = new Tasks({ provider: async (keys) => (await tasks.close(), echo(keys)) });
  await assert.rejects(tasks.fetch('a'), { code: 'KVL_ERR_CLOSED' });
  const other = new Tasks({ provider: echo, dropped: () => other.close(), 'cache.capacity': 1 });
  await other.fetchAll(['a', 'b', 'c']);
  await turn();
  await other.close();
  assert.throws(() => other.get('a'), { code: 'KVL_ERR_CLOSED' });
  assert.throws(() => other.put('a', 1), KvlightError);
});

test('l05_answers_after_a_close_are_rejected', async () => {
  const requests = [];
  const tasks = new Tasks({ provider: (_, request) => void requests.push(request) });
  const fetched = assert.rejects(tasks.fetch('a'), { code: 'KVL_ERR_CLOSED' });
  while (requests.length === 0) {
    await turn();
  }
  await tasks.close();
  await fetched;
  for (const answer of [(r) => r.resolve(0, {}), (r) => r.fail(0, new Error()), (r) => r.finish(), (r) => r.finishError(new Error())]) {
    assert.throws(() => answer(requests[0]), { code: 'KVL_ERR_CLOSED' });
  }
  assert.equal(requests[0].attempt(0), 1);
});

test('s01_a_cache_works_without_a_provider', async () => {
  const dropped = [];
  const cache = new Cache({ 'cache.capacity': 2, dropped: (value) => dropped.push(value) });
  assert.ok(cache.put('a', 1) && cache.put('b', [2]) && cache.put('none', null) && cache.put('bytes', Buffer.from('x')));
  assert.deepEqual([cache.size, cache.get('none'), cache.has('none'), String(cache.get('bytes')), cache.has('a')], [2, null, true, 'x', false]);
  assert.ok(cache.remove('none') && !cache.remove('none'));
  assert.throws(() => new Cache({ 'cache.capacty': 1 }), /cache\.capacity/);
  cache.close();
  cache.close();
  assert.deepEqual(dropped, [1, [2]]);
  assert.throws(() => cache.get('a'), { code: 'KVL_ERR_CLOSED' });
});

test('f19_a_miss_that_loads_nothing_is_undefined', async () => {
  const tasks = new Tasks({ provider: echo });
  assert.equal(await tasks.fetch('a', { read: 'cache_only' }), undefined);
  assert.deepEqual(await tasks.fetchAll(['a'], { read: 'cache_only' }), [undefined]);
  assert.equal((await tasks.results(['a'], { read: 'cache_only' }))[0].status, K.MISS);
  tasks.refresh(['a']);
  while (!tasks.has('a')) {
    await turn();
  }
  await tasks.close();
});

test('s12_each_position_of_a_fetch_is_one_lookup', async () => {
  const tasks = new Tasks({ provider: (keys) => Object.fromEntries(keys.filter((key) => key !== 'none').map((key) => [key, key])) });
  for (const key of ['a', 'a', 'none', 'none']) {
    await tasks.fetch(key);
  }
  await tasks.fetchAll(['a', 'b', 'b']);
  const { hits, null_hits, misses } = tasks.stats().lookups;
  assert.deepEqual([hits, null_hits, misses], [2, 1, 4]);
  await tasks.close();
});
