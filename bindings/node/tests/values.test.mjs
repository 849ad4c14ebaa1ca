// Values and errors of every kind are delivered unchanged, in batches of every size.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cache, Tasks } from '../src/index.mjs';

const KINDS = {
  object: (key) => ({ key }),
  bytes: (key) => new TextEncoder().encode(key),
  empty: () => new Uint8Array(0),
  text: (key) => `${key}!`,
  number: () => 7.5,
  none: () => null,
  error: (key) => new RangeError(key),
};
const kinds = Object.keys(KINDS);
const kindOf = (key) => kinds[Number(key.split(' ')[1]) % kinds.length];
const provider = (keys) => new Map(keys.map((key) => [key, KINDS[kindOf(key)](key)]));

test('l09_a_key_with_a_lone_surrogate_is_rejected', async () => {
  const tasks = new Tasks({ provider: (keys) => new Map(keys.map((key) => [key, key])) });
  for (const key of ['\ud800', 'a\udfffb', '\udc00\ud800']) {
    await assert.rejects(async () => tasks.fetch(key), /surrogate/);
    await assert.rejects(async () => tasks.fetchAll(['a', key]), /surrogate/);
    assert.throws(() => tasks.put(key, 1), /surrogate/);
  }
  assert.deepEqual(await tasks.fetchAll(['\u{1f600}', '\ufffd', '\u00e9']), ['\u{1f600}', '\ufffd', '\u00e9']);
  await tasks.close();
});

for (const n of [0, 1, 7, 8, 9, 500]) {
  test(`f05_a_batch_of_${n}_returns_values_nulls_and_errors_in_order`, async () => {
    const tasks = new Tasks({ provider, 'batch.max_keys': 64 });
    const keys = Array.from({ length: n }, (_, i) => `key ${i}`);
    for (const round of ['loaded', 'stored']) {
      const results = await tasks.results(keys);
      assert.equal(results.length, n);
      for (const [i, { key, value, error, status, isStale }] of results.entries()) {
        const kind = kindOf(key);
        assert.equal(key, keys[i]);
        assert.equal(isStale, false);
        if (kind === 'error') {
          assert.ok(error instanceof RangeError && error.message === key && status < 0 && value === null, `${round} ${key}`);
        } else {
          const made = KINDS[kind](key);
          assert.deepEqual(value instanceof Uint8Array ? new Uint8Array(value) : value, made, `${round} ${key}`);
          assert.equal(error, null);
        }
      }
    }
    const healthyKeys = keys.filter((key) => kindOf(key) !== 'error');
    assert.deepEqual((await tasks.fetchAll(healthyKeys)).map((value) => value === null), healthyKeys.map((key) => kindOf(key) === 'none'));
    if (n > 7) {
      await assert.rejects(tasks.fetchAll(keys), RangeError);
    }
    await tasks.close();
  });
}

test('f10b_errors_of_the_library_have_causes_in_batches_of_every_size', async () => {
  for (const n of [1, 20]) {
    let called = false;
    const provider = () => {
      called = true;
      throw new RangeError('first');
    };
    const tasks = new Tasks({ provider, 'retry.count': 1, 'retry.fixed_ms': 3_600_000, 'batch.max_keys': 100 });
    const keys = Array.from({ length: n }, (_, i) => `${n} ${i}`);
    const batch = tasks.results(keys);
    const single = assert.rejects(tasks.fetch(keys[0]), ({ code, cause }) => code === 'KVL_ERR_CLOSED' && cause.message === 'first');
    while (!called || tasks.stats().now.running > 0) {
      await new Promise(setImmediate);
    }
    await tasks.close(); // ends the pause before the second attempt
    for (const { error } of await batch) {
      assert.equal(error.code, 'KVL_ERR_CLOSED');
      assert.equal(error.cause.message, 'first');
    }
    await single;
  }
});

test('s01_keys_of_every_length_are_distinct', async () => {
  const tasks = new Tasks({ provider: (keys) => new Map(keys.map((key) => [key, `<${key}>`])), 'batch.max_keys': 1000 });
  const keys = [];
  for (const letter of ['a', 'é', '€', '🦀', '\0']) {
    for (const n of [0, 1, 20, 24, 127, 508, 511, 512, 513, 5000]) {
      keys.push(letter.repeat(n));
    }
  }
  for (const batch of [keys, [...keys].reverse(), keys.slice(-3)]) {
    assert.deepEqual(await tasks.fetchAll(batch), batch.map((key) => `<${key}>`));
    assert.deepEqual(await Promise.all(batch.map((key) => tasks.fetch(key))), batch.map((key) => `<${key}>`));
  }
  await tasks.close();
});

test('f19_an_engine_with_read_refresh_reloads_stored_keys', async () => {
  let loads = 0;
  const tasks = new Tasks({ provider: (keys) => new Map(keys.map((key) => [key, ++loads])), read: 'refresh' });
  assert.deepEqual([await tasks.fetch('a'), await tasks.fetch('a'), await tasks.fetch('a', { read: 'normal' })], [1, 2, 2]);
  await tasks.close();
});

test('s12_each_fetch_is_one_lookup_with_one_outcome', async () => {
  const tasks = new Tasks({ provider: (keys) => new Map(keys.map((key) => [key, key || null])) });
  for (const key of ['a', 'a', '', '', 'b']) {
    await tasks.fetch(key);
  }
  const { hits, null_hits, misses } = tasks.stats().lookups;
  assert.deepEqual({ hits, null_hits, misses }, { hits: 1, null_hits: 1, misses: 3 });
  await tasks.close();
});

test('l04_a_value_that_reuses_the_id_of_a_dropped_one_is_distinct_from_it', async () => {
  const dropped = [];
  const cache = new Cache({ 'cache.capacity': 10, dropped: (value) => dropped.push(value.i) });
  for (let i = 0; i < 2000; i++) {
    cache.put(`key ${i % 25}`, { i });
    assert.equal(cache.get(`key ${i % 25}`).i, i);
    if (i % 7 === 0) {
      await new Promise(setImmediate);
    }
  }
  cache.close();
  assert.deepEqual(dropped.sort((a, b) => a - b), Array.from({ length: 2000 }, (_, i) => i));
});

test('l09_wrong_terms_and_keys_are_rejected_with_a_message', async () => {
  const cache = new Cache();
  for (const [terms, kind, message] of [
    [null, TypeError, /terms are an object/], [5, TypeError, /terms are an object/], [{ ttl: 5 }, TypeError, /no term `ttl`; the terms are ttl_ms,/],
    [{ ttl_ms: '5' }, TypeError, /`ttl_ms` is a number, not string/], [{ ttl_ms: NaN }, RangeError, /`ttl_ms`/], [{ ttl_ms: -7 }, RangeError, /from -2 to/],
    [{ cost: -2 }, RangeError, /`cost`/], [{ stale_ttl_ms: -2 }, RangeError, /`stale_ttl_ms`/], [{ priority: Infinity }, RangeError, /`priority`/],
    [{ only_if: 'never' }, TypeError, /absent/], [{ tags: 'one' }, TypeError, /array/],
  ]) {
    assert.throws(() => cache.put('a', 1, terms), (error) => error instanceof kind && message.test(error.message), JSON.stringify(terms));
  }
  assert.equal(cache.size, 0);
  assert.ok(cache.put('a', 1, { ttl_ms: undefined, priority: 2, cost: 5, stale_ttl_ms: -1 }));
  cache.close();
  const tasks = new Tasks({ provider });
  for (const keys of ['one string', undefined, null, 7, { a: 1 }]) {
    await assert.rejects(tasks.fetchAll(keys), /takes an array of keys/);
    await assert.rejects(tasks.results(keys), /takes an array of keys/);
    assert.throws(() => tasks.refresh(keys), /takes an array of keys/);
    assert.throws(() => tasks.invalidate(keys), /takes an array of keys/);
  }
  await assert.rejects(tasks.fetchAll(['a', 7]), /keys are strings, not number/);
  assert.deepEqual(await tasks.fetchAll(new Set()), []);
  await tasks.close();
});

test('s01_a_key_with_a_lone_surrogate_is_rejected_by_every_call', async () => {
  const tasks = new Tasks({ provider });
  for (const key of ['\ud800', 'a\udfff', '\ud83e\ud83e\udd80', `${'x'.repeat(600)}\ud800`, '\ufffd\udc00']) {
    for (const call of [() => tasks.get(key), () => tasks.put(key, 1), () => tasks.has(key), () => tasks.remove(key)]) {
      assert.throws(call, /surrogate/);
    }
    await assert.rejects(tasks.fetch(key), /surrogate/);
    await assert.rejects(tasks.fetchAll(['a 1', key]), /surrogate/);
  }
  for (const key of ['\ufffd', 'a\ufffd', '🦀\ufffd', '\uffef\uef00', '\ufeff']) {
    tasks.put(key, { key });
    assert.equal(tasks.get(key).key, key);
    assert.equal((await tasks.fetchAll([key]))[0].key, key);
  }
  await tasks.close();
});

test('l09_numbers_that_no_integer_type_holds_are_rejected', async () => {
  const outOfRange = [NaN, Infinity, -Infinity, 1e300, -1e300, 2 ** 63];
  for (const number of outOfRange) {
    assert.throws(() => new Cache({ 'cache.capacity': number }), { code: 'KVL_ERR_BAD_VALUE' }, String(number));
  }
  const cache = new Cache();
  cache.put('a', 1);
  for (const ttl_ms of [...outOfRange, -7, '5']) {
    assert.throws(() => cache.touch('a', { ttl_ms }), /`ttl_ms` is a (whole )?number/, String(ttl_ms));
  }
  cache.close();
  const tasks = new Tasks({
    provider: (keys, request) => {
      for (const i of [-1, 1, 0.5, 2 ** 32, ...outOfRange]) {
        assert.throws(() => request.resolve(i, 'wrong'), { code: 'KVL_ERR_OUT_OF_RANGE' }, String(i));
        assert.throws(() => request.fail(i, new Error('wrong')), { code: 'KVL_ERR_OUT_OF_RANGE' }, String(i));
        assert.throws(() => request.stale(i), { code: 'KVL_ERR_OUT_OF_RANGE' }, String(i));
        assert.equal(request.attempt(i), 0);
      }
      request.resolve(0, 'right');
      request.finish();
    },
  });
  assert.equal(await tasks.fetch('a'), 'right');
  await tasks.close();
});

test('l04_an_object_is_released_when_its_put_is_rejected', async () => {
  const dropped = [];
  const cache = new Cache({ dropped: (value) => dropped.push(value) });
  assert.throws(() => cache.put('\ud800', { key: 1 }), /surrogate/);
  assert.throws(() => cache.put('a', { key: 2 }, { version: '\ud800' }), /surrogate/);
  assert.throws(() => cache.put('a', { key: 3 }, { tags: ['\ud800'] }), /surrogate/);
  cache.close();
  assert.deepEqual(dropped, [{ key: 1 }, { key: 2 }, { key: 3 }]);
});
