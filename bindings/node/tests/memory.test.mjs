// Repeating any operation does not increase memory.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { program } from './support.mjs';

// How often an operation is repeated; the tests of the built package set a million.
const CALLS = Number(process.env.KVL_CALLS ?? 200_000);
// Growth in bytes that allocators may cause by themselves.
const ALLOWED = 4 << 20;

for (const [what, work] of Object.entries({
  gets: "(n) => { for (let i = 0; i < n; i++) tasks.get('k' + (i % 2000)); }",
  puts: "async (n) => { for (let i = 0; i < n; i++) { tasks.put('k' + (i % 2000), { i }); if (i % 100 === 0) await turn(); } }",
  loads: "async (n) => { for (let i = 0; i < n; i += 100) await Promise.all(hundred((j) => tasks.fetch('l' + (i + j)))); }",
  batches: "async (n) => { for (let i = 0; i < n; i += 100) await tasks.fetchAll(hundred((j) => 'b' + (i + j))); }",
  options: "async (n) => { await tasks.fetch('a'); for (let i = 0; i < n; i++) await tasks.fetch('a', { timeout_ms: 1000 + i }); }",
  failures: "async (n) => { for (let i = 0; i < n; i += 100) await Promise.allSettled(hundred((j) => failing.fetch('f' + (i + j)))); }",
  writes: "async (n) => { for (let i = 0; i < n / 4; i++) { tasks.put('k' + (i % 100), { i }, { only_if: 'present', stale_ttl_ms: 5 }); tasks.touch('k' + (i % 100)); tasks.expire('k' + (i % 100)); if (i % 100 === 0) await turn(); } }",
  results: "async (n) => { for (let i = 0; i < n; i += 200) { await tasks.results(hundred((j) => 'r' + (i + j))); await failing.results(hundred((j) => 's' + (i + j))); } }",
  breakers: "async (n) => { for (let i = 0; i < n / 10; i++) { failing.forceBreaker('open'); failing.breaker; } failing.forceBreaker(null); }",
  entries: "async (n) => { for (let i = 0; i < 1000; i++) tasks.put('e' + i, { i }); for (let i = 0; i < n; i += 1000) { for (const [key, value] of tasks); for (const key of tasks.keys()) break; await turn(); } }",
  files: "async (n) => { for (let i = 0; i < 1000; i++) tasks.put('e' + i, { i }); for (let i = 0; i < n; i += 2000) { tasks.save(file, { dump: v8.serialize }); const other = new Cache(); if (other.load(file, { load: v8.deserialize }) < 1000) throw new Error(); other.close(); try { tasks.load('/missing'); } catch {} globalThis.gc(); await turn(); } }",
  engines: 'async (n) => { for (let i = 0; i < n / 200; i++) { const one = new Tasks({ provider: echo }); await one.fetch("a"); await one.close(); } }',
})) {
  test(`l08_memory_is_flat_over_${what}`, () => {
    const growth = Number(program(`
      import { rmSync } from 'node:fs';
      import { tmpdir } from 'node:os';
      import { setImmediate as turn } from 'node:timers/promises';
      import v8 from 'node:v8';
      const file = tmpdir() + '/kvlight-memory-' + process.pid;
      const echo = (keys) => new Map(keys.map((key) => [key, { key }]));
      const hundred = (make) => Array.from({ length: 100 }, (_, j) => make(j));
      const tasks = new Tasks({ provider: echo, 'cache.capacity': 1000 });
      const failing = new Tasks({ provider: () => { throw new Error('x'.repeat(100)); } });
      // V8 decides when to return free pages of its heap, so this counts the used part of the heap and all memory outside of it.
      const settled = async () => {
        for (let i = 0; i < 10; i++) { globalThis.gc(); await turn(); }
        const { rss, heapTotal, heapUsed } = process.memoryUsage();
        return rss - heapTotal + heapUsed;
      };
      const work = ${work};
      await work(${Math.min(CALLS, 200_000)});
      // A leak grows in every round, a heap or an arena only in some: the least growth of four rounds counts.
      let growth = Infinity;
      for (let round = 0; round < 4 && growth > ${ALLOWED}; round++) {
        const before = await settled();
        await work(${CALLS});
        growth = (await settled()) - before;
      }
      console.log(growth);
      rmSync(file, { force: true });
      await tasks.close();`, '--expose-gc'));
    assert.ok(growth <= ALLOWED, `${(growth / CALLS).toFixed(1)} bytes a call`);
  });
}
