// What providers answer: everything that is no answer fails its keys and is not cached as absent, and nothing that was given is kept forever.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import vm from 'node:vm';
import { Cache, RetryAfterError, Tasks } from '../src/index.mjs';
import { collectUntil, held, uncaught } from './support.mjs';

/** Waits until a store holds no value or error any more, for a minute at most. */
async function untilReleased(store) {
  for (const end = Date.now() + 60_000; held(store) > 0 && Date.now() < end; ) {
    await turn();
  }
}

const fake = () => Object.create(Uint8Array.prototype);

test('l04_whatever_a_provider_does_its_values_are_released', async () => {
  const providers = {
    'answer, then return': (rows, request) => (request.answer(rows), rows),
    'answer, then throw': (rows, request) => {
      request.answer(rows);
      throw new Error('too late');
    },
    'finishError, then return': (rows, request) => (request.finishError(new Error('over')), rows),
    'finish, then resolve': (rows, request) => {
      request.finish();
      request.resolve(0, {});
    },
    'finish, then fail': (rows, request) => {
      request.finish();
      request.fail(0, new Error('too late'));
    },
    'an index that is none': (rows, request) => request.resolve('0', {}),
    'an index out of range': (rows, request) => request.resolve(2, {}),
    'tags that are none': (rows, request) => request.resolve(0, {}, { tags: ['\ud800'] }),
    'a getter that throws': (rows) => ({ ...rows, get b() { throw new Error('a getter'); } }),
    'a Map of other keys': (rows) => new Map([['a', {}], [1, {}]]),
  };
  for (const [name, provider] of Object.entries(providers)) {
    const dropped = [];
    const tasks = new Tasks({ provider: (keys, request) => provider({ a: {} }, request), dropped: (value) => dropped.push(value) });
    for (let i = 0; i < 5; i++) {
      await tasks.results(['a', 'b']);
      tasks.clear();
    }
    await untilReleased(tasks);
    assert.equal(held(tasks), 0, name);
    assert.ok(dropped.length === 0 || dropped.length >= 5, name);
    await tasks.close();
  }
});

test('l04_values_of_a_provider_whose_cost_closes_the_engine_are_released', async () => {
  const tasks = new Tasks({ provider: () => ({ a: {}, b: {} }), cost: () => (tasks.close(), 1) });
  await assert.rejects(tasks.fetchAll(['a', 'b']), { code: 'KVL_ERR_CLOSED' });
  await turn();
  assert.equal(held(tasks), 0);
  const cache = new Cache({ cost: () => (cache.close(), 1) });
  assert.throws(() => cache.put('a', {}), { code: 'KVL_ERR_CLOSED' });
  assert.equal(held(cache), 0);
});

test('f16_a_provider_that_forgets_to_return_fails_at_once', async () => {
  let calls = 0;
  const providers = [(keys) => void calls++, async (keys) => void calls++, async (keys) => (calls++, null), (keys, request = null) => void calls++];
  for (const provider of providers) {
    calls = 0;
    const tasks = new Tasks({ provider, 'retry.count': 3, 'retry.fixed_ms': 1 });
    await assert.rejects(tasks.fetch('a'), { name: 'TypeError', message: /^kvlight: the provider returned nothing\. Is a `return` missing\?/ });
    assert.deepEqual([calls, tasks.has('a')], [1, false]);
    await tasks.close();
  }
});

test('f16_a_request_that_nobody_can_answer_any_more_fails_its_keys', async () => {
  const providers = [
    (keys, request) => void request.signal, (...given) => undefined, () => {}, (keys = []) => {}, () => new Promise(() => {}),
    async (_, { signal }) => new Promise(() => signal),
  ];
  for (const provider of providers) {
    const tasks = new Tasks({ provider });
    let error;
    tasks.fetch('a').catch((reason) => (error = reason));
    await collectUntil(() => error !== undefined);
    assert.equal(error?.code, 'KVL_ERR_UNANSWERED', String(provider));
    assert.equal(tasks.has('a'), false);
    await tasks.close();
  }
});

test('f15_a_request_is_not_collected_while_its_provider_can_answer', async () => {
  const waiting = [];
  const providers = [
    async (keys) => (await pause(20), { a: 'late' }),
    async (keys) => (await new Promise((resolve) => waiting.push(resolve)), { a: 'late' }),
    (keys, request) => void waiting.push(() => request.answer({ a: 'late' })),
    (keys, { signal }) => new Promise((resolve) => setTimeout(() => resolve({ a: 'late' }), signal.aborted ? 0 : 20)),
  ];
  for (const provider of providers) {
    const tasks = new Tasks({ provider });
    const fetched = tasks.fetch('a');
    for (let i = 0; i < 10; i++) {
      globalThis.gc();
      await turn();
    }
    waiting.splice(0).forEach((go) => go());
    assert.equal(await fetched, 'late');
    await tasks.close();
  }
});

test('f15_a_request_is_cancelled_if_only_its_signal_is_in_use', async () => {
  const signals = [];
  const provider = (keys, { signal }) => new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(new Error('cancelled')), { once: true });
    signals.push(signal);
  });
  const tasks = new Tasks({ provider, 'load.on_cancel': 'cancel' });
  const controller = new AbortController();
  const fetched = assert.rejects(tasks.fetch('a', { signal: controller.signal }), { name: 'AbortError' });
  while (signals.length === 0) {
    await turn();
  }
  globalThis.gc();
  controller.abort();
  await fetched;
  while (!signals[0].aborted) {
    await turn();
  }
  await tasks.close();
});

test('f15_what_is_no_answer_fails_its_keys_once_and_is_not_cached', async () => {
  class Rows {
    a = 'row';
  }
  const answers = {
    Date: new Date(), RegExp: /a/, WeakMap: new WeakMap(), ArrayBuffer: new ArrayBuffer(3), Response: new Response('a'), Rows: new Rows(), 'an array': ['row'],
    Set: new Set(['row']), DataView: new DataView(new ArrayBuffer(3)), Boolean: Object(true), function: () => ({ a: 1 }), number: 5,
  };
  for (const [kind, answer] of Object.entries(answers)) {
    let calls = 0;
    const tasks = new Tasks({ provider: () => (calls++, answer), 'retry.count': 3, 'retry.fixed_ms': 1 });
    await assert.rejects(tasks.fetch('a'), (error) => error instanceof TypeError && error.message.endsWith(`plain object, { key: value }, not ${kind}`), kind);
    assert.deepEqual([calls, tasks.has('a')], [1, false], kind);
    await tasks.close();
  }
});

test('f15_a_second_answer_returns_false_and_fails_no_key', async () => {
  const given = Array.from({ length: 3 }, (_, i) => ({ i }));
  const late = new Error('late');
  const endings = {
    'rows are returned': () => ({ a: given[1], b: 'B' }),
    'an exception for the open key': (request) => (request.resolve(1, 'B'), Promise.reject(late)),
    'answer() twice': (request) => (request.answer({ a: given[1], b: 'B' }), request.answer(new Map([['a', given[2]], ['b', late]]))),
    'finish() twice': (request) => (request.resolve(1, 'B'), request.finish(), request.finish(), request.finishError(late), { a: given[1], b: given[2] }),
    'finishError() twice': (request) => (request.resolve(1, 'B'), request.finishError(late), request.finishError(late), request.finish()),
    'answers after the end': (request) => {
      request.answer({ b: 'B' });
      assert.deepEqual([request.resolve(0, given[1]), request.resolve(1, null), request.fail(1, late), request.notModified(0)], [false, false, false, false]);
    },
  };
  for (const [name, end] of Object.entries(endings)) {
    let taken;
    const dropped = new Set();
    const provider = (keys, request) => {
      taken = [request.resolve(0, 'first'), request.resolve(0, given[0]), request.fail(0, late), request.resolve(0, null), request.notModified(0)];
      return end(request);
    };
    const tasks = new Tasks({ provider, dropped: (value) => dropped.add(value) });
    assert.deepEqual(await tasks.fetchAll(['a', 'b']), ['first', 'B'], name);
    assert.deepEqual(taken, [true, false, false, false, false], name);
    assert.equal(tasks.get('a'), 'first', name);
    tasks.clear();
    await untilReleased(tasks);
    assert.deepEqual([held(tasks), dropped.has(given[0])], [0, true], name);
    await tasks.close();
  }
});

test('f17_a_value_that_the_addon_cannot_read_fails_its_key_alone', async () => {
  const values = { a: { key: 'a' }, b: { key: 'b' }, c: { key: 'c' } };
  const dropped = [];
  const tasks = new Tasks({ provider: () => values, dropped: (value) => dropped.push(value) });
  const { objects } = tasks;
  const add = objects.add.bind(objects);
  objects.add = (object) => (object === values.b ? -1 : add(object)); // so that the addon takes the object for bytes, and throws
  const [a, b, c] = await tasks.results(['a', 'b', 'c']);
  assert.deepEqual([a.value, c.value], [values.a, values.c]);
  assert.ok(b.error instanceof Error && !tasks.has('b'));
  tasks.clear();
  await untilReleased(tasks);
  assert.deepEqual([held(tasks), dropped.length], [0, 2]);
  await tasks.close();
});

test('f15_an_error_in_the_place_of_an_answer_fails_its_keys', async () => {
  const error = new RangeError('down');
  let calls = 0;
  const tasks = new Tasks({ provider: () => (calls++, error), 'retry.count': 1, 'retry.fixed_ms': 1 });
  await assert.rejects(tasks.fetch('a'), (reason) => reason === error);
  assert.deepEqual([calls, tasks.has('a')], [2, false]);
  await tasks.close();
});

test('f15_a_map_whose_keys_are_no_strings_is_refused', async () => {
  const tasks = new Tasks({ provider: (keys) => new Map(keys.map((key) => [key.startsWith('7') ? Number(key) : key, { key }])), 'retry.count': 3 });
  await assert.rejects(tasks.fetchAll(['7', '8']), /keys of a provider's Map are strings, those that it received, not number/);
  assert.deepEqual([tasks.has('7'), tasks.has('8')], [false, false]);
  assert.deepEqual(await tasks.fetch('8'), { key: '8' });
  await tasks.close();
});

test('f15_answers_of_other_realms_are_answers', async () => {
  const answers = {
    map: vm.runInNewContext('new Map([["map", 1]])'),
    object: vm.runInNewContext('({ object: 2 })'),
    none: Object.assign(Object.create(null), { none: 3 }),
    error: { error: vm.runInNewContext('new RangeError("of another realm")') },
    bytes: { bytes: vm.runInNewContext('new Uint8Array([7])') },
    fake: { fake: fake() },
    proxy: { proxy: new Proxy(new Uint8Array(3), {}) },
  };
  const tasks = new Tasks({ provider: ([key]) => answers[key], 'batch.max_keys': 1 });
  assert.deepEqual(await tasks.fetchAll(['map', 'object', 'none']), [1, 2, 3]);
  await assert.rejects(tasks.fetch('error'), { message: 'of another realm' });
  assert.deepEqual(await tasks.fetch('bytes'), Buffer.from([7]));
  // These two only look like bytes, so they are stored as any other object is.
  assert.deepEqual(await tasks.fetchAll(['fake', 'proxy']), [answers.fake.fake, answers.proxy.proxy]);
  tasks.put('fake', answers.fake.fake);
  assert.equal(tasks.get('fake'), answers.fake.fake);
  await tasks.close();
});

test('f17_a_key_named_proto_fails_no_other_key', async () => {
  const provider = (keys) => {
    const rows = {};
    for (const key of keys) {
      rows[key] = { key };
    }
    return rows;
  };
  const tasks = new Tasks({ provider });
  const [proto, a] = await tasks.results(['__proto__', 'a']);
  assert.match(proto.error.message, /sets no key: return a Map/);
  assert.deepEqual(a.value, { key: 'a' });
  const right = new Tasks({ provider: (keys) => Object.fromEntries(keys.map((key) => [key, { key }])) });
  assert.deepEqual(await right.fetchAll(['__proto__', 'a']), [{ key: '__proto__' }, { key: 'a' }]);
  await Promise.all([tasks.close(), right.close()]);
});

test('f15_a_provider_can_throw_anything', async () => {
  const trapped = new Proxy({}, { getPrototypeOf() { throw new Error('a trap'); } });
  const later = new RetryAfterError('later', { after_ms: 1 });
  later.after_ms = 5n;
  for (const thrown of [trapped, later, Symbol('s'), Object.create(null), new Proxy({}, { get() { throw new Error('a trap'); } }), undefined]) {
    const tasks = new Tasks({ provider: async () => { throw thrown; } });
    const inRow = new Tasks({ provider: () => ({ a: trapped, b: 1 }), dropped: () => {} });
    const caught = await uncaught(async () => {
      const [{ reason }] = await Promise.allSettled([tasks.fetch('a', { timeout_ms: 10_000 })]);
      assert.ok(reason === thrown);
      const [a, b] = await inRow.fetchAll(['a', 'b']);
      assert.ok(a === trapped && b === 1);
      await Promise.all([tasks.close(), inRow.close()]);
    });
    assert.equal(caught.length, 0);
  }
});

test('l09_a_wrong_index_is_refused_with_a_message', async () => {
  const provider = (keys, request) => {
    for (const i of ['0', undefined, null, 0n, [0]]) {
      const message = /^kvlight: the index of a key is a number, not (string|undefined|null|bigint|an array)$/;
      for (const call of [() => request.resolve(i, 1), () => request.fail(i, new Error()), () => request.stale(i), () => request.notModified(i), () => request.attempt(i)]) {
        assert.throws(call, { name: 'TypeError', message });
      }
    }
    assert.throws(() => request.resolve(7, 1), { code: 'KVL_ERR_OUT_OF_RANGE', message: "kvlight: the indexes of the request's keys are 0 to 1, and 7 is none of them" });
    assert.equal(request.resolve(0, 'one'), true);
    request.resolve(1, 'right');
    request.finish();
  };
  const tasks = new Tasks({ provider });
  assert.deepEqual(await tasks.fetchAll(['a', 'b']), ['one', 'right']);
  await tasks.close();
});
