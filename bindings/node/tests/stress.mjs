// 100,000 fetches while the interpreter is busy: single fetches, batches, objects, errors, cancels, late answers. Each fetch must
// settle exactly once. `node stress.mjs SEED`; `run.sh stress` runs it with many seeds.

import { setImmediate as turn } from 'node:timers/promises';
import { Tasks } from '../src/index.mjs';

const FETCHES = 100_000;

let state = Number(process.argv[2] ?? 1);
/** A pseudo-random integer from 0 to `n` - 1, determined by the seed. */
function random(n) {
  state = (Math.imul(state, 1103515245) + 12345) >>> 0;
  return (state >>> 8) % n;
}

let [started, delivered, errors, created, dropped, sum] = [0, 0, 0, 0, 0, 0];

async function provider(keys, request) {
  if (random(4) === 0) {
    await turn();
  }
  keys.forEach((key, i) => {
    const number = random(10);
    if (number === 0) {
      request.fail(i, new Error(key));
    } else if (number <= 2) {
      created++;
      request.resolve(i, { key });
    } else if (number <= 7) {
      request.resolve(i, Buffer.from(`value of ${key}`));
    }
  });
  request.finish();
}

const tasks = new Tasks({ provider, dropped: () => dropped++, 'cache.capacity': 2000, 'retry.count': 1, 'tasks.max_running': 64 });

const key = () => `key ${random(5000)}`;
const onOutcome = (error) => {
  delivered++;
  errors += error ? 1 : 0;
};

while (delivered < FETCHES) {
  for (let i = 0; i < 20 && started < FETCHES && started - delivered < 5000; i++) {
    if (random(8) === 0) {
      const keys = Array.from({ length: Math.min(50, FETCHES - started) }, key);
      started += keys.length;
      tasks.results(keys).then((results) => results.forEach(({ error }) => onOutcome(error)));
    } else {
      started++;
      const controller = new AbortController();
      tasks.fetch(key(), { signal: controller.signal }).then(() => onOutcome(), onOutcome);
      if (random(50) === 0) {
        controller.abort();
      }
    }
  }
  for (let i = 0; i < 2000; i++) {
    sum = (sum + i * delivered) % 1000003;
  }
  await turn();
}
await tasks.close();
if (started !== FETCHES || delivered !== FETCHES || created !== dropped) {
  throw new Error(`${started} started, ${delivered} delivered; ${created} objects created, ${dropped} dropped`);
}
console.log(`# ${delivered} fetches, ${errors} errors, ${dropped} objects dropped`);
