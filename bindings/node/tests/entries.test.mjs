// Iteration, saved files, conditional puts, fallbacks, pauses before retries, and the circuit breaker.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { setTimeout as pause } from 'node:timers/promises';
import v8 from 'node:v8';
import { Cache, GoneError, K, KvlightError, PermanentError, RetryAfterError, Tasks } from '../src/index.mjs';
import { echo } from './support.mjs';

const folder = mkdtempSync(join(tmpdir(), 'kvlight-'));
process.on('exit', () => rmSync(folder, { recursive: true }));
const file = (name) => join(folder, name);

test('s18_iteration_returns_each_entry_once', async () => {
  const cache = new Cache({ 'cache.capacity': 10_000 });
  for (let i = 0; i < 1000; i++) {
    cache.put(`k${i}`, i % 2 ? { i } : Buffer.from(`${i}`));
  }
  cache.put('none', null);
  const seen = [];
  for (const [key, value] of cache) {
    seen.push([key, value]);
    cache.remove('k7');
    cache.put(`new ${key}`, 1);
  }
  assert.equal(new Map(seen).size, seen.length);
  const old = seen.filter(([key]) => !key.startsWith('new') && key !== 'k7');
  assert.equal(old.length, 1000);
  assert.deepEqual([new Map(seen).get('k5'), new Map(seen).get('none'), String(new Map(seen).get('k4'))], [{ i: 5 }, null, '4']);
  const small = new Cache();
  small.put('a', 1);
  small.put('b', 2);
  assert.deepEqual([[...small.keys()].sort(), [...small.values()].sort(), new Map(small).size], [['a', 'b'], [1, 2], 2]);
  const entries = small.entries();
  entries.next();
  entries.return();
  const open = small.entries();
  open.next();
  small.close();
  assert.throws(() => small.entries().next(), { code: 'KVL_ERR_CLOSED' });
});

test('s18_bytes_and_objects_are_saved_and_loaded', () => {
  const cache = new Cache();
  cache.put('bytes', Buffer.from('text'));
  cache.put('none', null);
  cache.put('object', { a: [1] });
  cache.put('number', 5, { ttl_ms: 60_000 });
  assert.equal(cache.save(file('a')), 2);
  assert.equal(cache.save(pathToFileURL(file('b')), { dump: v8.serialize }), 4);
  const plain = new Cache();
  assert.equal(plain.load(file('b')), 2);
  assert.deepEqual([String(plain.get('bytes')), plain.has('none'), plain.has('object')], ['text', true, false]);
  const other = new Cache({ cost: () => 100, 'cache.cost_limit': 1 << 20 });
  other.put('none', 'younger');
  assert.equal(other.load(file('b'), { load: v8.deserialize }), 3);
  assert.deepEqual([other.get('object'), other.get('number'), other.get('none')], [{ a: [1] }, 5, 'younger']);
});

test('s18_a_function_that_throws_ends_a_save_and_keeps_the_older_file', () => {
  const cache = new Cache();
  cache.put('a', { a: 1 });
  cache.put('b', { b: 1 });
  writeFileSync(file('c'), 'older');
  let calls = 0;
  const dump = () => {
    calls++;
    throw Object.assign(new RangeError('no'), { status: 404 });
  };
  assert.throws(() => cache.save(file('c'), { dump }), { name: 'RangeError', status: 404 });
  assert.throws(() => cache.save(file('c'), { dump: () => 'a string' }));
  assert.deepEqual([calls, String(readFileSync(file('c')))], [1, 'older']);
  assert.equal(cache.save(file('c'), { dump: v8.serialize }), 2);
  assert.throws(() => new Cache().load(file('c'), { load: dump }), RangeError);
  assert.throws(() => cache.save(file('c'), { dump: () => cache.close() }), { code: 'KVL_ERR_REENTRANT' });
  assert.deepEqual(cache.get('a'), { a: 1 });
});

test('s18_a_file_that_cannot_be_used_throws_an_error_with_the_reason', () => {
  const cache = new Cache();
  writeFileSync(file('d'), 'something else');
  assert.throws(() => cache.load(file('d')), (error) => error instanceof KvlightError && error.code === 'KVL_ERR_CORRUPT');
  assert.throws(() => cache.load(file('missing')), { code: 'KVL_ERR_IO', message: /missing/ });
  assert.throws(() => cache.save(join(folder, 'no', 'folder')), { code: 'KVL_ERR_IO' });
  assert.throws(() => cache.load('a\0b'), TypeError);
  assert.throws(() => cache.load(5), TypeError);
});

test('s17_entries_are_touched_expired_and_put_on_a_condition', () => {
  const cache = new Cache({ 'cache.ttl_ms': 60_000 });
  assert.deepEqual([cache.put('a', 1, { only_if: 'present' }), cache.put('a', 1, { only_if: 'absent' }), cache.put('a', 2, { only_if: 'absent' })],
    [false, true, false]);
  assert.throws(() => cache.put('a', 1, { only_if: 'maybe' }), TypeError);
  assert.deepEqual([cache.touch('a'), cache.touch('a', { ttl_ms: K.TTL_NEVER }), cache.touch('b')], [true, true, false]);
  assert.ok(cache.put('a', 3, { keep_ttl: true }));
  assert.deepEqual([cache.get('a'), cache.expire('a'), cache.get('a'), cache.expire('a')], [3, true, null, false]);
});

/** A provider that answers or fails according to `answers`. */
const providerOf = (answers) => async (keys) => new Map(keys.map((key) => [key, answers[key]]));

test('r02_a_fallback_serves_where_the_provider_fails', async () => {
  const answers = { a: 'one', b: 'two', c: 'three' };
  const tasks = new Tasks({ provider: providerOf(answers), 'cache.ttl_ms': 60_000, 'stale.ttl_ms': 60_000 });
  await tasks.fetchAll(['a', 'b', 'c']);
  tasks.put('b', 'two', { stale_ttl_ms: K.STALE_NEVER });
  const lost = new Error('lost');
  Object.assign(answers, { a: lost, b: lost, c: new GoneError('for good') });
  for (const key of ['a', 'b', 'c']) {
    assert.equal(tasks.expire(key), true);
  }
  assert.equal(await tasks.fetch('a'), 'one');
  const [{ value, error, isStale, source, status, age_ms, ttl_left_ms }] = await tasks.results(['a'], { read: 'refresh' });
  assert.deepEqual([value, isStale, source, status, ttl_left_ms], ['one', true, K.SOURCE_STALE, K.VALUE, 0]);
  assert.equal(error, lost);
  assert.ok(age_ms >= 0);
  await assert.rejects(tasks.fetch('b'), lost);
  await assert.rejects(tasks.fetch('c'), GoneError);
  assert.ok(new GoneError() instanceof PermanentError);
  answers.a = 'new';
  const [fresh] = await tasks.results(['a'], { read: 'refresh' });
  assert.deepEqual([fresh.value, fresh.isStale, fresh.error, fresh.attempts], ['new', false, null, 1]);
  assert.ok(fresh.ttl_left_ms > 0);
  await tasks.close();
});

test('r04_a_fetch_that_does_not_wait_is_served_the_fallback_at_once', async () => {
  let calls = 0;
  const provider = async (keys) => {
    calls++;
    await pause(calls > 1 ? 50 : 0);
    return echo(keys);
  };
  const tasks = new Tasks({ provider, 'cache.ttl_ms': 60_000, 'stale.ttl_ms': 60_000 });
  const first = await tasks.fetch('a');
  tasks.expire('a');
  const [stale] = await tasks.results(['a'], { 'stale.timeout_ms': 0 });
  assert.deepEqual([stale.value, stale.isStale, stale.error], [first, true, null]);
  const contradictory = { 'stale.timeout_ms': 5, timeout_ms: 5 };
  await assert.rejects(async () => tasks.fetch('b', contradictory), { code: 'KVL_ERR_BAD_VALUE', message: /stale\.timeout_ms/ });
  await tasks.close();
});

test('f11a_a_provider_sets_the_pause_before_a_retry', async () => {
  const begun = [];
  const provider = (keys) => {
    begun.push(performance.now());
    if (begun.length === 1) {
      throw new RetryAfterError('later', { after_ms: 60 });
    }
    return echo(keys);
  };
  const tasks = new Tasks({ provider, 'retry.count': 1, 'retry.fixed_ms': 1 });
  assert.deepEqual(await tasks.fetch('a'), { key: 'a' });
  assert.ok(begun[1] - begun[0] >= 59, `${begun[1] - begun[0]} ms`);
  assert.throws(() => new RetryAfterError('later'), RangeError);
  await tasks.close();
});

test('r07_the_circuit_breaker_can_be_read_and_forced', async () => {
  const tasks = new Tasks({ provider: () => { throw new Error('down'); }, 'breaker.consecutive': 1 });
  assert.equal(tasks.breaker, 'closed');
  await assert.rejects(tasks.fetch('a'), /down/);
  assert.equal(tasks.breaker, 'open');
  await assert.rejects(tasks.fetch('b'), { code: 'KVL_ERR_UNAVAILABLE' });
  for (const state of ['closed', 'open']) {
    tasks.forceBreaker(state);
    assert.equal(tasks.breaker, state);
  }
  tasks.forceBreaker(null);
  assert.equal(tasks.breaker, 'closed');
  assert.throws(() => tasks.forceBreaker('ajar'), TypeError);
  await tasks.close();
});
