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

/** The number of threads and descriptors of this process. */
export const inUse = () => readdirSync('/proc/self/task').length + readdirSync('/proc/self/fd').length;

/** Collects garbage and gives the loop turns until `isDone`, for a minute at most. */
export async function collectUntil(isDone) {
  for (let i = 0; i < 600 && !isDone(); i++) {
    globalThis.gc();
    await pause(i < 20 ? 0 : 100);
  }
}

/** Runs a program in a separate Node process, which must end successfully on its own, and returns its output. */
export function program(text, ...flags) {
  const ended = spawnSync(process.execPath, [...flags, '--input-type=module', '-e', `import { Tasks, Cache } from '${MODULE}';\n${text}`],
    { timeout: 300_000 });
  assert.equal(ended.status, 0, `${ended.signal ?? ''} ${ended.stdout}${ended.stderr}`);
  return String(ended.stdout);
}

/** Returns the uncaught exceptions during a call. */
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
