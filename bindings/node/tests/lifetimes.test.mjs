// Engines that are never closed, workers that end, and processes that exit: none leaks a thread or a descriptor. And a module that loads several
// times, or not at all.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { Cache, KvlightError, Tasks } from '../src/index.mjs';
import { MODULE, PACKAGE, collectUntil, echo, inUse, never, program } from './support.mjs';

test('l08_engines_that_are_never_closed_leak_no_thread_and_no_descriptor', async () => {
  const drop = async () => {
    const tasks = new Tasks({ provider: echo });
    await tasks.fetchAll(['a', 'b']);
    new Tasks({ provider: never }).refresh(['a']);
    new Tasks({ provider: echo });
    new Cache({ 'cache.ttl_ms': 5 }).put('a', {});
  };
  const before = inUse();
  for (let i = 0; i < 10; i++) {
    await drop();
  }
  assert.ok(inUse() > before);
  await collectUntil(() => inUse() <= before);
  assert.ok(inUse() <= before, `${before} threads and descriptors became ${inUse()}`);
});

test('l08_a_fetch_completes_though_nothing_refers_to_its_engine', async () => {
  let go;
  const fetched = new Tasks({ provider: async (keys) => (await new Promise((resolve) => (go = resolve)), echo(keys)) }).fetch('a');
  while (go === undefined) {
    await turn();
  }
  for (let i = 0; i < 5; i++) {
    globalThis.gc();
    await turn();
  }
  go();
  assert.equal((await fetched).key, 'a');
});

for (const how of ['terminate', 'exit', 'throw', 'end unclosed']) {
  test(`l08_workers_that_end_with_open_engines_leak_nothing: ${how}`, async () => {
    const text = `
      const { parentPort } = require('node:worker_threads');
      const { Tasks, Cache } = require(${JSON.stringify(PACKAGE)});
      const loading = new Tasks({ provider: () => new Promise(() => {}), timeout_ms: 60_000 });
      const answered = new Tasks({ provider: (keys) => Object.fromEntries(keys.map((key) => [key, { key }])) });
      new Cache({ 'cache.ttl_ms': 5 }).put('a', {});
      answered.fetch('x').then(() => {
        if ('${how}' !== 'end unclosed') loading.fetch('a').catch(() => {});
        parentPort.postMessage(1);
        if ('${how}' === 'exit') setTimeout(() => process.exit(0), 5);
        if ('${how}' === 'throw') setTimeout(() => { throw new Error('while ending'); }, 5);
      });`;
    const work = () => new Promise((resolve) => {
      const worker = new Worker(text, { eval: true });
      worker.on('error', () => {});
      worker.on('exit', resolve);
      worker.on('message', () => how === 'terminate' && worker.terminate());
    });
    await work();
    await pause(200);
    const before = inUse();
    for (let i = 0; i < 10; i++) {
      await work();
    }
    await collectUntil(() => inUse() <= before);
    assert.ok(inUse() <= before, `${before} threads and descriptors became ${inUse()}`);
  });
}

test('l08_node_exits_while_values_expire_and_loads_are_running', () => {
  program(`
    const cache = new Cache({ 'cache.ttl_ms': 2 });
    for (let i = 0; i < 10_000; i++) cache.put('k' + i, { i });
    globalThis.kept = [cache, new Tasks({ provider: () => new Promise(() => {}), 'retry.count': -1 })];
    globalThis.kept[1].fetch('a').catch(() => {});
    setTimeout(() => process.exit(0), 5);`);
  program('const tasks = new Tasks({ provider: (keys) => ({}) }); await tasks.fetch("a");');
});

test('l08_the_module_loads_again_and_again_in_one_process', async () => {
  const require = createRequire(import.meta.url);
  for (let i = 0; i < 3; i++) {
    for (const path of Object.keys(require.cache).filter((path) => path.startsWith(PACKAGE))) {
      delete require.cache[path];
    }
    const again = require(PACKAGE);
    assert.notEqual(again.Tasks, Tasks);
    const tasks = new again.Tasks({ provider: (keys) => ({ [keys[0]]: { i } }) });
    assert.deepEqual(await tasks.fetch('a'), { i });
    await tasks.close();
  }
  const query = await import(`${MODULE}?again`);
  const tasks = new query.Tasks({ provider: echo });
  assert.equal((await tasks.fetch('a')).key, 'a');
  await tasks.close();
});

test('l08_two_copies_work_in_one_process', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'kvlight-'));
  try {
    for (const part of ['package.json', 'src']) {
      cpSync(join(PACKAGE, part), join(folder, part), { recursive: true });
    }
    const addon = process.report.getReport().sharedObjects.find((path) => path.endsWith('kvlight.node'));
    cpSync(addon, join(folder, 'build', 'kvlight.node'));
    const copy = await import(join(folder, 'src', 'index.mjs'));
    assert.notEqual(copy.KvlightError, KvlightError);
    const [here, there] = [new Tasks({ provider: echo }), new copy.Tasks({ provider: echo })];
    assert.deepEqual([(await here.fetch('a')).key, (await there.fetch('b')).key, here.has('b')], ['a', 'b', false]);
    await Promise.all([here.close(), there.close()]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('l08_an_addon_that_does_not_load_states_the_reason', () => {
  const folder = mkdtempSync(join(tmpdir(), 'kvlight-'));
  const stderrOf = (addon, module = PACKAGE) => String(spawnSync(process.execPath, ['-e', `require(${JSON.stringify(module)})`],
    { env: { ...process.env, KVL_NODE_ADDON: addon } }).stderr);
  try {
    writeFileSync(join(folder, 'bad.node'), 'not a library');
    assert.match(stderrOf(join(folder, 'bad.node')), /the addon could not be loaded.*bad\.node: .*(invalid ELF header|file too short)/);
    assert.match(stderrOf('/nowhere/kvlight.node'), /the addon could not be loaded.*\/nowhere\/kvlight\.node: Cannot find module/);
    cpSync(join(PACKAGE, 'package.json'), join(folder, 'package.json'));
    cpSync(join(PACKAGE, 'src'), join(folder, 'src'), { recursive: true });
    assert.match(stderrOf('', folder), /build\/kvlight\.node: Cannot find module.*@kvlight\/linux-[a-z0-9]+-(gnu|musl): Cannot find module/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
