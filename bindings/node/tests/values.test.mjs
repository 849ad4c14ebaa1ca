// Values and errors of every kind come back as they were, from batches of every size.

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

test('l09_a_key_that_utf_8_cannot_express_is_refused', async () => {
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
  test(`f05_a_batch_of_${n}_brings_values_nulls_and_errors_in_order`, async () => {
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
    const sound = keys.filter((key) => kindOf(key) !== 'error');
    assert.deepEqual((await tasks.fetchAll(sound)).map((value) => value === null), sound.map((key) => kindOf(key) === 'none'));
    if (n > 7) {
      await assert.rejects(tasks.fetchAll(keys), RangeError);
    }
    await tasks.close();
  });
}

test('f10b_errors_of_the_library_come_with_their_causes_in_batches_of_every_size', async () => {
  const tasks = new Tasks({
    provider: async (keys, request) => {
      if (request.attempt(0) === 1) {
        throw new RangeError('first');
      }
      return new Promise(() => {});
    },
    'retry.count': 1, 'retry.shape': 'fixed', 'retry.fixed_ms': 0, timeout_ms: 50, 'batch.max_keys': 100,
  });
  for (const n of [1, 20]) {
    for (const { error } of await tasks.results(Array.from({ length: n }, (_, i) => `${n} ${i}`))) {
      assert.equal(error.code, 'KVL_ERR_TIMEOUT');
      assert.equal(error.cause.message, 'first');
    }
  }
  await assert.rejects(tasks.fetch('one'), ({ code, cause }) => code === 'KVL_ERR_TIMEOUT' && cause.message === 'first');
  await tasks.close();
});

test('s01_keys_of_every_length_are_told_apart', async () => {
  const tasks = new Tasks({ provider: (keys) => new Map(keys.map((key) => [key, `<${key}>`])), 'batch.max_keys': 1000 });
  const keys = [];
  for (const letter of ['a', 'é', '€', '🦀', '\0']) {
    for (const n of [0, 1, 20, 24, 127, 508, 511, 512, 513, 5000]) {
      keys.push(letter.repeat(n));
    }
  }
  for (const asked of [keys, [...keys].reverse(), keys.slice(-3)]) {
    assert.deepEqual(await tasks.fetchAll(asked), asked.map((key) => `<${key}>`));
    assert.deepEqual(await Promise.all(asked.map((key) => tasks.fetch(key))), asked.map((key) => `<${key}>`));
  }
  await tasks.close();
});

test('f05_an_engine_that_reads_anew_does_so_for_keys_that_it_has', async () => {
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

test('l04_a_value_put_where_another_was_dropped_is_not_mistaken_for_it', async () => {
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

test('l09_terms_and_keys_that_are_wrong_say_so', async () => {
  const cache = new Cache();
  for (const [terms, kind, sentence] of [
    [null, TypeError, /terms are an object/], [5, TypeError, /terms are an object/], [{ ttl: 5 }, TypeError, /no term `ttl`; there are ttl_ms,/],
    [{ ttl_ms: '5' }, TypeError, /`ttl_ms` is a number, not string/], [{ ttl_ms: NaN }, RangeError, /`ttl_ms`/], [{ ttl_ms: -7 }, RangeError, /from -2 to/],
    [{ cost: -2 }, RangeError, /`cost`/], [{ stale_ttl_ms: -2 }, RangeError, /`stale_ttl_ms`/], [{ priority: Infinity }, RangeError, /`priority`/],
    [{ only_if: 'never' }, TypeError, /absent/], [{ tags: 'one' }, TypeError, /array/],
  ]) {
    assert.throws(() => cache.put('a', 1, terms), (error) => error instanceof kind && sentence.test(error.message), JSON.stringify(terms));
  }
  assert.equal(cache.size, 0);
  assert.ok(cache.put('a', 1, { ttl_ms: undefined, priority: 2, cost: 5, stale_ttl_ms: -1 }));
  cache.close();
  const tasks = new Tasks({ provider });
  for (const keys of ['one string', undefined, null, 7, { a: 1 }]) {
    await assert.rejects(tasks.fetchAll(keys), /takes an array of keys/);
    await assert.rejects(tasks.results(keys), /takes an array of keys/);
    assert.throws(() => tasks.refresh(keys), /takes an array of keys/);
  }
  await assert.rejects(tasks.fetchAll(['a', 7]), /keys are strings, not number/);
  assert.deepEqual(await tasks.fetchAll(new Set()), []);
  await tasks.close();
});

test('s01_a_key_that_has_no_utf_8_is_refused_rather_than_mistaken_for_another', async () => {
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
