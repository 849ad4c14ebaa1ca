// The scenarios that every language has, and tests specific to Node, each while the interpreter is busy. Prints TAP.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { K, KvlightError, PermanentError, Tasks } from '../src/index.mjs';

const MODULE = new URL('../src/index.mjs', import.meta.url);

/** Keeps the interpreter busy, with turns of the event loop in between, until `isDone()`. */
async function busyUntil(isDone) {
  let sum = 0;
  while (!isDone()) {
    for (let i = 0; i < 100_000; i++) {
      sum = (sum + i * i) % 1000003;
    }
    await turn();
  }
  return sum;
}

/** Awaits a promise while the interpreter is busy. */
async function awaitBusily(promise) {
  let isDone = false;
  promise.then(() => (isDone = true), () => (isDone = true));
  await busyUntil(() => isDone);
  return promise;
}

/** An engine whose provider answers "user <key>" for keys that do not begin with "no", and the keys that the provider was called with. */
function userTasks(settings = {}) {
  const loaded = [];
  const provider = async (keys) => {
    loaded.push(...keys);
    return new Map(keys.filter((key) => !key.startsWith('no')).map((key) => [key, `user ${key}`]));
  };
  return { tasks: new Tasks({ provider, ...settings }), loaded };
}

/** An engine whose provider leaves its requests unanswered, for the test to answer. */
function unansweredTasks(settings = {}) {
  const requests = [];
  const provider = (_, request) => void requests.push(request);
  return { tasks: new Tasks({ provider, ...settings }), requests };
}

/** Runs a program in a separate Node process, and returns its exit code and its output. */
function program(text) {
  const result = spawnSync(process.execPath, ['--input-type=module', '-e', `import { Tasks } from '${MODULE}';\n${text}`], { timeout: 60_000 });
  return { code: result.status, output: `${result.signal ?? ''} ${result.stdout}${result.stderr}` };
}

const scenarios = {
  async 'hit'() {
    const { tasks, loaded } = userTasks();
    assert.equal(await awaitBusily(tasks.fetch('7')), 'user 7');
    assert.equal(await tasks.fetch('7'), 'user 7');
    assert.deepEqual(loaded, ['7']);
    assert.equal(tasks.stats().lookups.hits, 1);
    assert.equal(tasks.put('8', Buffer.from('put')), true);
    assert.equal(String(await tasks.fetch('8')), 'put');
    await tasks.close();
  },

  async 'null hit'() {
    const { tasks, loaded } = userTasks();
    assert.equal(await awaitBusily(tasks.fetch('nobody')), null);
    assert.equal(await tasks.fetch('nobody'), null);
    assert.deepEqual(loaded, ['nobody']);
    assert.equal(tasks.stats().lookups.null_hits, 1);
    await tasks.close();
  },

  async 'miss'() {
    const { tasks, loaded } = userTasks();
    assert.equal(tasks.get('7'), null);
    const [lookup] = await awaitBusily(tasks.results(['7'], { read: 'cache_only' }));
    assert.equal(lookup.status, K.MISS);
    assert.deepEqual(loaded, []);
    assert.equal(await awaitBusily(tasks.fetch('7')), 'user 7');
    assert.deepEqual(loaded, ['7']);
    await tasks.close();
  },

  async 'batch with duplicates'() {
    const { tasks, loaded } = userTasks();
    const results = await awaitBusily(tasks.results(['1', '2', '1', 'nobody', '2']));
    assert.deepEqual(results.map(({ value }) => value), ['user 1', 'user 2', 'user 1', null, 'user 2']);
    assert.deepEqual(results.map(({ key }) => key), ['1', '2', '1', 'nobody', '2']);
    assert.equal(loaded.length, 3);
    assert.deepEqual(await awaitBusily(tasks.fetchAll([])), []);
    await tasks.close();
  },

  async 'one failing key in a batch'() {
    const broken = new RangeError('b is broken');
    const tasks = new Tasks({ provider: () => ({ a: 'A', b: broken, c: 'C' }) });
    const [a, b, c, again] = await awaitBusily(tasks.results(['a', 'b', 'c', 'b']));
    assert.deepEqual([a.value, c.value], ['A', 'C']);
    assert.equal(b.status, K.ERR_PROVIDER);
    assert.ok(b.error === broken && again.error === broken);
    await assert.rejects(awaitBusily(tasks.fetchAll(['a', 'b'])), (error) => error === broken);
    await tasks.close();
  },

  async 'retry then success'() {
    let attempts = 0;
    const provider = async () => {
      if (++attempts < 3) {
        throw new Error('not yet');
      }
      return { a: 'at last' };
    };
    const tasks = new Tasks({ provider, 'retry.count': 5 });
    const [result] = await awaitBusily(tasks.results(['a']));
    assert.deepEqual([result.value, result.attempts, attempts], ['at last', 3, 3]);
    await tasks.close();
  },

  async 'timeout'() {
    const { tasks, requests } = unansweredTasks();
    await assert.rejects(awaitBusily(tasks.fetch('a', { timeout_ms: 500 })), { name: 'KvlightError', code: 'KVL_ERR_TIMEOUT' });
    assert.equal(requests[0].signal.aborted, false, 'the load continues for the next fetch');
    await tasks.close();
    const broken = new Error('not now');
    const failing = new Tasks({
      provider() {
        throw broken;
      },
      'retry.count': 1,
      'retry.fixed_ms': 60_000,
    });
    // Time enough for the first attempt, also on a busy machine.
    const [result] = await awaitBusily(failing.results(['a'], { timeout_ms: 1000 }));
    assert.deepEqual([result.error.code, result.attempts], ['KVL_ERR_TIMEOUT', 1]);
    assert.equal(result.error.cause, broken, 'the cause is the error of the failed attempt');
    await failing.close();
  },

  async 'cancel'() {
    const { tasks, requests } = unansweredTasks();
    const controller = new AbortController();
    const one = tasks.fetch('a', { signal: controller.signal });
    const other = tasks.fetch('a');
    await busyUntil(() => requests.length > 0);
    controller.abort();
    await assert.rejects(awaitBusily(one), { name: 'AbortError' });
    requests[0].answer({ a: 'A' });
    assert.equal(await awaitBusily(other), 'A');
    await assert.rejects(tasks.fetch('a', { signal: controller.signal }), { name: 'AbortError' });
    await tasks.close();
  },

  async 'close while loading'() {
    const { tasks, requests } = unansweredTasks({ 'tasks.max_running': 1 });
    const delivered = [];
    const all = [1, 2, 3].map((i) => tasks.fetch(`key ${i}`).catch((error) => delivered.push(error.code)));
    await busyUntil(() => requests.length > 0);
    await tasks.close();
    await Promise.all(all);
    assert.deepEqual(delivered, Array(3).fill('KVL_ERR_CLOSED'));
    await assert.rejects(tasks.fetch('a'), { code: 'KVL_ERR_CLOSED' });
    assert.throws(() => requests[0].resolve(0, 'late'), { code: 'KVL_ERR_CLOSED' });
    await tasks.close();
  },

  async '10,000 keys'() {
    const { tasks, loaded } = userTasks({ 'cache.capacity': 20_000, 'batch.max_keys': 500 });
    const keys = Array.from({ length: 10_000 }, (_, i) => `key ${i}`);
    const wanted = keys.map((key) => `user ${key}`);
    assert.deepEqual(await awaitBusily(tasks.fetchAll(keys)), wanted);
    assert.equal(loaded.length, 10_000);
    assert.deepEqual(await awaitBusily(tasks.fetchAll(keys)), wanted);
    assert.equal(loaded.length, 10_000);
    await tasks.close();
  },

  async 'callback that fetches'() {
    const { tasks } = userTasks();
    const chain = tasks.fetch('a').then((first) => tasks.fetch(`${first} once more`)).then((second) => tasks.fetch(`${second}!`));
    assert.equal(await awaitBusily(chain), 'user user user a once more!');
    const nested = new Tasks({ provider: async ([key]) => ({ [key]: `${await tasks.fetch('b')} for ${key}` }) });
    assert.equal(await awaitBusily(nested.fetch('c')), 'user b for c');
    await Promise.all([tasks.close(), nested.close()]);
  },

  async 'object value whose destructor is counted'() {
    const created = [];
    const dropped = new Map();
    const tasks = new Tasks({
      provider: (keys) => new Map(keys.map((key) => [key, created[created.push({ name: key }) - 1]])),
      dropped: (value) => dropped.set(value, (dropped.get(value) ?? 0) + 1),
      'cache.capacity': 10,
    });
    const first = await awaitBusily(tasks.fetch('key 1'));
    assert.equal(await tasks.fetch('key 1'), first);
    for (let i = 1; i <= 100; i++) {
      assert.equal((await tasks.fetch(`key ${i}`)).name, `key ${i}`);
    }
    tasks.remove('key 100');
    await tasks.close();
    assert.deepEqual(new Set(dropped.values()), new Set([1]));
    assert.equal(dropped.size, created.length);
  },

  // ---- Specific to Node ------------------------------------------------------------------------------------------------------------

  async 'a callback that the library would call is rejected with a message'() {
    const provider = () => ({});
    assert.throws(() => new Tasks({ provider, validator: () => 1 }), /validator/);
    assert.throws(() => new Tasks({ provider, removal_listener: () => 1 }), /removal_listener/);
    assert.throws(() => new Tasks({ provider, delivery: 'thread' }), /another thread/);
    assert.throws(() => new Tasks({}), /provider/);
  },

  async 'a wrong setting is rejected with a message'() {
    assert.throws(() => new Tasks({ provider: () => ({}), 'cache.capacty': 10 }), /cache\.capacity/);
    const { tasks } = userTasks();
    await assert.rejects(tasks.fetch('a', { timeout_ms: 0 }), /timeout_ms/);
    await assert.rejects(tasks.fetch(7), /keys are strings/);
    await tasks.close();
  },

  async 'a permanent error is not retried'() {
    let calls = 0;
    const provider = () => {
      calls++;
      throw new PermanentError('gone for good');
    };
    const tasks = new Tasks({ provider, 'retry.count': 5 });
    await assert.rejects(awaitBusily(tasks.fetch('a')), /gone for good/);
    assert.equal(calls, 1);
    await tasks.close();
  },

  async 'keys of any text, values of any bytes'() {
    const tasks = new Tasks({ provider: ([key]) => new Map([[key, Buffer.from(`${key}\0ÿ`)]]) });
    for (const key of ['', 'a\0b', 'é', '__proto__', 'x'.repeat(65_535)]) {
      assert.equal(String(await awaitBusily(tasks.fetch(key))), `${key}\0ÿ`);
      assert.equal(String(await tasks.fetch(key)), `${key}\0ÿ`);
    }
    await assert.rejects(tasks.fetch('x'.repeat(65_536)), { code: 'KVL_ERR_KEY_TOO_LONG' });
    await tasks.close();
  },

  async 'a closed engine leaks no thread and no descriptor'() {
    const count = () => [readdirSync('/proc/self/task').length, readdirSync('/proc/self/fd').length];
    const before = count();
    for (let i = 0; i < 20; i++) {
      const { tasks } = userTasks();
      await awaitBusily(tasks.fetch('a'));
      await tasks.close();
      await turn();
    }
    await busyUntil(() => String(count()) === String(before));
  },

  async 'Node exits with fetches in progress, and by itself without any'() {
    const inProgress = `
      const tasks = new Tasks({ provider: (keys) => (keys.includes('a') ? { a: [1] } : new Promise(() => {})) });
      await tasks.fetch('a');
      for (let i = 0; i < 20; i++) tasks.fetch('key ' + i).catch(() => {});`;
    for (const [ending, wanted] of [
      ['process.exit(3);', 3],
      ['setImmediate(() => process.exit(4));', 4],
      ['throw new Error("while ending");', 1],
      ['process.on("exit", () => tasks.close()); process.exit(0);', 0],
      ['await tasks.close();', 0],
    ]) {
      const { code, output } = program(inProgress + ending);
      assert.equal(code, wanted, `${ending}: ${output}`);
    }
    const { code, output } = program('const tasks = new Tasks({ provider: () => ({ a: [1] }) }); await tasks.fetch("a");');
    assert.equal(code, 0, output);
  },

  async 'a worker is terminated with fetches in progress'() {
    const text = `
      import { parentPort } from 'node:worker_threads';
      import { Tasks } from '${MODULE}';
      const tasks = new Tasks({ provider: (keys) => (keys.includes('a') ? { a: 'A' } : undefined) });
      tasks.fetch('b').catch(() => {});
      parentPort.postMessage(await tasks.fetch('a'));`;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(text)}`));
    const output = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
    assert.equal(output, 'A');
    await worker.terminate();
  },
};

assert.ok(KvlightError.prototype instanceof Error);
const names = Object.keys(scenarios);
/** How many scenarios every language has; they come first. */
const SHARED = 12;
let [passed, failed] = [0, 0];
console.log(`1..${names.length}`);
for (const [i, name] of names.entries()) {
  try {
    await scenarios[name]();
    console.log(`ok ${i + 1} - ${name}`);
    passed += i < SHARED ? 1 : 0;
  } catch (error) {
    console.log(`not ok ${i + 1} - ${name}\n# ${String(error.stack).slice(0, 2000).replaceAll('\n', '\n# ')}`);
    failed++;
  }
}
console.log(`ROW Node | ${process.version.slice(1)} | next, on libuv's loop | ${passed} of ${SHARED}`);
process.exit(failed === 0 ? 0 : 1);
