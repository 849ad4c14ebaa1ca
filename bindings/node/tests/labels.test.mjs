// Tags, versions, and records that have not changed.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Cache, K, Tasks } from '../src/index.mjs';

test('r11_a_tag_removes_its_entries', () => {
  const cache = new Cache();
  cache.put('1', { a: 1 }, { tags: ['odd', 'small'] });
  cache.put('2', Buffer.from('two'), { tags: ['small'] });
  cache.put('3', 'three', { tags: ['odd'] });
  assert.deepEqual([cache.removeTag('odd'), cache.size, cache.has('2')], [2, 1, true]);
  assert.deepEqual([cache.removeTag('odd'), cache.removeTag('not there')], [0, 0]);
  cache.put('2', 'zwei'); // a new value has the tags of its own put
  assert.deepEqual([cache.removeTag('small'), cache.get('2'), cache.stats().removed.tag], [0, 'zwei', 2]);
  cache.close();
});

test('r11_an_answer_has_tags_and_a_running_load_with_a_removed_tag_is_not_stored', async () => {
  let answer;
  const provider = (keys, request) => {
    answer = () => {
      keys.forEach((key, i) => request.resolve(i, { key }, { tags: ['shelf'] }));
      request.finish();
    };
  };
  const tasks = new Tasks({ provider });
  const load = async (key) => {
    answer = undefined;
    const fetch = tasks.fetch(key);
    while (answer === undefined) {
      await new Promise(setImmediate);
    }
    return fetch;
  };
  const first = load('a');
  while (answer === undefined) {
    await new Promise(setImmediate);
  }
  assert.equal(tasks.removeTag('shelf'), 0);
  answer();
  assert.deepEqual([await first, tasks.has('a')], [{ key: 'a' }, false]);
  const second = load('a');
  while (answer === undefined) {
    await new Promise(setImmediate);
  }
  answer();
  await second;
  assert.deepEqual([tasks.has('a'), tasks.removeTag('shelf'), tasks.size], [true, 1, 0]);
  await tasks.close();
});

test('r12_tags_and_all_entries_expire_and_stay_as_fallbacks', async () => {
  let isDown = false;
  const provider = (keys, request) => {
    if (isDown) {
      throw new Error('down');
    }
    keys.forEach((key, i) => request.resolve(i, { key }, { tags: [key < 'c' ? 'early' : 'late'] }));
    request.finish();
  };
  const tasks = new Tasks({ provider, 'cache.ttl_ms': 60_000, 'stale.ttl_ms': 60_000 });
  await tasks.fetchAll(['a', 'b', 'c']);
  isDown = true;
  assert.deepEqual([tasks.expireTag('early'), tasks.has('a'), tasks.has('c')], [2, false, true]);
  assert.deepEqual((await tasks.results(['a', 'b', 'c'])).map(({ isStale }) => isStale), [true, true, false]);
  tasks.expireAll();
  assert.deepEqual([tasks.has('c'), await tasks.fetch('c')], [false, { key: 'c' }]);
  await tasks.close();
});

test('r06_a_record_that_has_not_changed_keeps_its_value', async () => {
  const staleEntries = [];
  const source = { a: { name: 'first' }, b: Buffer.from('other') };
  const versions = { a: 'v1', b: 'w1' };
  const provider = (keys, request) => {
    keys.forEach((key, i) => {
      const stale = request.stale(i);
      staleEntries.push(stale);
      if (stale?.version === versions[key]) {
        assert.equal(request.notModified(i, { ttl_ms: 50_000 }), true);
      } else {
        request.resolve(i, source[key], { version: versions[key], tags: ['t'] });
      }
    });
    request.finish();
  };
  const tasks = new Tasks({ provider, 'cache.ttl_ms': 10_000, 'stale.ttl_ms': 60_000 });
  const [first] = await tasks.fetchAll(['a', 'b']);
  assert.deepEqual(staleEntries, [null, null]);
  tasks.expireAll();
  Object.assign(versions, { b: 'w2' });
  source.b = 'changed';
  const [same, changed] = await tasks.results(['a', 'b']);
  assert.deepEqual(staleEntries.slice(2).map(({ value, version }) => [value, version]), [[first, 'v1'], [Buffer.from('other'), 'w1']]);
  assert.ok(staleEntries[2].age_ms >= 0);
  assert.equal(same.value, first);
  assert.deepEqual([same.isStale, same.source, changed.value], [false, K.SOURCE_PROVIDER, 'changed']);
  assert.ok(same.ttl_left_ms > 40_000);
  assert.equal(tasks.removeTag('t'), 2); // the unchanged record kept its tags
  await tasks.close();
});

test('r06_not_modified_without_a_value_throws_and_answers_nothing', async () => {
  const provider = (keys, request) => {
    assert.throws(() => request.notModified(0), { status: K.MISS });
    request.resolve(0, null);
    request.finish();
  };
  const tasks = new Tasks({ provider });
  assert.equal(await tasks.fetch('a'), null);
  await tasks.close();
});

test('r11_invalid_labels_are_rejected', () => {
  const cache = new Cache();
  for (const terms of [{ tags: 'word' }, { tags: [1] }, { version: 1 }]) {
    assert.throws(() => cache.put('a', 'one', terms), TypeError);
  }
  for (const terms of [{ tags: [''] }, { tags: ['x'.repeat(256)] }, { tags: new Array(17).fill('t') }, { version: 'v'.repeat(256) }]) {
    assert.throws(() => cache.put('a', 'one', terms), { code: 'KVL_ERR_BAD_VALUE' });
  }
  assert.throws(() => cache.removeTag(''), { code: 'KVL_ERR_INVALID_ARG' });
  assert.throws(() => cache.expireTag(7), TypeError);
  assert.equal(cache.has('a'), false);
  assert.equal(cache.put('a', 'one', { tags: Array.from({ length: 16 }, (_, i) => `t${i}`), version: 'v'.repeat(255) }), true);
  cache.close();
});

test('l09b_contradictory_settings_are_rejected_with_a_message', () => {
  assert.throws(() => new Tasks({ provider: () => ({}), 'stale.ttl_ms': 5 }), /no entry expires/);
});
