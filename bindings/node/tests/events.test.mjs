// Events: results stay what they are whatever is dropped or closed meanwhile, and neither memory nor results wait for the event loop.

import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { test } from 'node:test';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { Cache, Tasks } from '../src/index.mjs';
import { echo, held } from './support.mjs';

/** Starts a fetch of each key, and returns their promises once a request for each has reached the provider. */
async function startFetches(tasks, requests, keys) {
  const fetches = keys.map((key) => tasks.fetch(key));
  while (requests.length < keys.length) {
    await turn();
  }
  return fetches;
}

const resolveAll = (requests) => requests.forEach((request) => {
  request.resolve(0, { of: request.keys[0] });
  request.finish();
});

test('l05_a_close_in_dropped_leaves_results_as_they_are', async () => {
  const requests = [];
  let closes = false;
  const dropped = () => {
    if (closes) {
      closes = false;
      tasks.close();
      assert.throws(() => tasks.put('another', { of: 'another' }), { code: 'KVL_ERR_CLOSED' });
    }
  };
  const tasks = new Tasks({ provider: (_, request) => void requests.push(request), dropped, 'batch.max_keys': 1 });
  const all = tasks.fetchAll(['c', 'd']);
  const fetches = await startFetches(tasks, requests, ['a', 'b', 'c', 'd']);
  tasks.put('x', { old: 1 });
  closes = true;
  tasks.put('x', { old: 2 });
  resolveAll(requests);
  assert.deepEqual(await Promise.all(fetches), ['a', 'b', 'c', 'd'].map((of) => ({ of })));
  assert.deepEqual(await all, ['c', 'd'].map((of) => ({ of })));
  assert.equal(closes, false);
});

test('l05_a_close_in_a_provider_leaves_results_as_they_are', async () => {
  const requests = [];
  const provider = ([key], request) => {
    if (key === 'last') {
      tasks.close();
    } else {
      requests.push(request);
    }
  };
  const tasks = new Tasks({ provider, 'batch.max_keys': 1 });
  const fetches = await startFetches(tasks, requests, ['a', 'b']);
  const last = assert.rejects(tasks.fetch('last'), { code: 'KVL_ERR_CLOSED' });
  resolveAll(requests);
  assert.deepEqual(await Promise.all(fetches), [{ of: 'a' }, { of: 'b' }]);
  await last;
});

test('l05_a_close_reports_every_value_to_dropped_once', async () => {
  for (const where of ['outside', 'in dropped']) {
    const requests = [];
    const dropped = [];
    const onDrop = ({ i }) => {
      dropped.push(i);
      if (where === 'in dropped' && dropped.length === 100) {
        tasks.close();
      }
    };
    const tasks = new Tasks({ provider: (_, request) => void requests.push(request), dropped: onDrop, 'cache.capacity': 10_000 });
    const fetched = tasks.fetchAll(['a', 'b']);
    while (requests.length === 0) {
      await turn();
    }
    requests[0].resolve(0, { i: 0 }); // an answer of a request that is never finished
    for (let i = 1; i <= 800; i++) {
      tasks.put(`k${i}`, { i });
    }
    const entries = tasks.entries();
    entries.next();
    tasks.clear();
    if (where === 'outside') {
      await tasks.close();
    }
    await assert.rejects(fetched, { code: 'KVL_ERR_CLOSED' });
    await turn();
    assert.deepEqual(dropped.sort((a, b) => a - b), Array.from({ length: 801 }, (_, i) => i), where);
    assert.equal(held(tasks), 0);
    assert.throws(() => entries.next(), { code: 'KVL_ERR_CLOSED' });
  }
});

test('s20_values_are_released_though_the_event_loop_does_not_turn', async () => {
  let dropped = 0;
  const provider = (keys, request) => {
    keys.forEach((key, i) => request.resolve(i, { key }));
    request.finish();
  };
  for (const store of [new Cache({ 'cache.capacity': 100, dropped: () => dropped++ }), new Tasks({ provider, 'cache.capacity': 100, dropped: () => dropped++ })]) {
    dropped = 0;
    for (let i = 0; i < 20_000; i++) {
      store.put(`k${i}`, { i });
      assert.ok(i % 100 > 0 || held(store) < 1000);
    }
    assert.ok(dropped > 19_000);
    await store.close();
    assert.equal(dropped, 20_000);
  }
});

test('s20_values_are_released_as_fast_as_they_are_stored', async () => {
  const cache = new Cache({ 'cache.capacity': 100 });
  for (let i = 0; i < 50_000; i++) {
    cache.put(`k${i}`, { i });
    if (i % 1000 === 0) {
      await turn();
      assert.ok(held(cache) < 2000);
    }
  }
  cache.close();
});

test('s20_a_table_of_values_gets_shorter', async () => {
  const cache = new Cache({ 'cache.capacity': 200_000 });
  for (let i = 0; i < 100_000; i++) {
    cache.put(`k${i}`, { i });
  }
  cache.put('k50000', { kept: true });
  for (let i = 0; i < 100_000; i++) {
    if (i !== 50_000) {
      cache.remove(`k${i}`);
    }
  }
  while (held(cache) > 1) {
    await turn();
  }
  assert.deepEqual(cache.get('k50000'), { kept: true });
  for (let i = 0; i < 5000; i++) {
    cache.put('k50000', { i }); // the object under a high ID is dropped
  }
  assert.ok(cache.objects.objects.length < 5000, `${cache.objects.objects.length} places`);
  for (let i = 0; i < 100_000; i++) {
    cache.put(`k${i}`, { i });
  }
  for (let i = 0; i < 100_000; i += 999) {
    assert.deepEqual(cache.get(`k${i}`), { i });
  }
  cache.close();
});

test('l03_a_result_waits_for_no_value_that_is_dropped', async () => {
  let dropped = 0;
  let isSlow = false;
  const slowly = () => {
    dropped++;
    for (const end = performance.now() + 1; isSlow && performance.now() < end; ) {
      // A `dropped` that takes its time.
    }
  };
  const tasks = new Tasks({ provider: echo, dropped: slowly, 'cache.capacity': 20_000 });
  for (let i = 0; i < 20_000; i++) {
    tasks.put(`k${i}`, { i });
  }
  isSlow = true;
  tasks.clear();
  assert.deepEqual(await tasks.fetch('a'), { key: 'a' });
  isSlow = false;
  assert.ok(dropped < 20_000, 'all values were dropped before the result');
  await tasks.close();
});

test('l02_a_provider_runs_outside_of_every_async_context', async () => {
  const storage = new AsyncLocalStorage();
  const seen = [];
  const provider = async (keys) => {
    seen.push(storage.getStore());
    await pause(1);
    seen.push(storage.getStore());
    return echo(keys);
  };
  const tasks = storage.run('creator', () => new Tasks({ provider }));
  await storage.run('caller', async () => {
    await tasks.fetch('a');
    assert.equal(storage.getStore(), 'caller');
    tasks.refresh(['a']);
    while (seen.length < 4) {
      await turn();
    }
  });
  assert.deepEqual(seen, [undefined, undefined, undefined, undefined]);
  await tasks.close();
});
