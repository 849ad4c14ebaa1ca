// Helpers of the tests.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setImmediate as turn, setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const PACKAGE = dirname(dirname(fileURLToPath(import.meta.url)));
export const MODULE = new URL('../src/index.mjs', import.meta.url).href;

export const echo = (keys) => new Map(keys.map((key) => [key, { key }]));
export const never = () => new Promise(() => {});

/** How many values and errors the package holds for a cache. */
export const held = (store) => store.objects.objects.filter((object) => object !== undefined).length;

/** The number of threads and descriptors of this process. */
export const inUse = () => readdirSync('/proc/self/task').length + readdirSync('/proc/self/fd').length;

/** Collects garbage, with turns of the event loop in between, until `isDone()` or for a minute. */
export async function collectUntil(isDone) {
  for (let i = 0; i < 600 && !isDone(); i++) {
    globalThis.gc();
    await pause(i < 20 ? 0 : 100);
  }
}

/** Runs a program in a separate Node process, which must exit with status 0, and returns its output. */
export function program(text, ...flags) {
  const result = spawnSync(process.execPath, [...flags, '--input-type=module', '-e', `import { Tasks, Cache } from '${MODULE}';\n${text}`],
    // at least 5 minutes, and in proportion to the calls that the loops of memory.test.mjs make
    { timeout: 300_000 * Math.max(1, Number(process.env.KVL_CALLS ?? 0) / 200_000) });
  assert.equal(result.status, 0, `${result.signal ?? ''} ${result.stdout}${result.stderr}`);
  return String(result.stdout);
}

/** Runs a function and returns the exceptions that were uncaught meanwhile. */
export async function uncaught(during) {
  const caught = [];
  const before = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => caught.push(error));
  try {
    await during();
    await turn();
  } finally {
    process.removeAllListeners('uncaughtException');
    before.forEach((listener) => process.on('uncaughtException', listener));
  }
  return caught;
}
