// Compares kvlight for Node with lru-cache and dataloader: prints lines of work, library and CPU nanoseconds for each key.

import DataLoader from 'dataloader';
import { Cache, Tasks } from 'kvlight';
import { LRUCache } from 'lru-cache';

const KEYS = Number(process.env.KVL_BENCH_KEYS ?? 100_000);
const ROUNDS = 5;
const ABSENT = 1_000;
const names = Array.from({ length: KEYS }, (_, i) => `key ${i}`);
// The same order in each run.
const order = names.map((name, i) => [(i * 7_919) % KEYS, name]).sort(([a], [b]) => a - b).map(([, name]) => name);
// A thousand keys fit into the processor's caches.
const hot = order.slice(0, 1_000);
const row = (key) => ({ key });
const provider = async (keys) => new Map(keys.map((key) => [key, row(key)]));

const cache = new Cache({ 'cache.capacity': 2 * KEYS, 'cache.ttl_ms': 3_600_000 });
const lru = new LRUCache({ max: 2 * KEYS, ttl: 3_600_000 });
const tasks = new Tasks({ provider, 'cache.capacity': 2 * KEYS, 'batch.max_keys': 64, 'tasks.max_running': 16 });
const fetching = new LRUCache({ max: 2 * KEYS, fetchMethod: async (key) => row(key) });
const loaderOf = () => new DataLoader(async (keys) => keys.map(row), { maxBatchSize: 64, cacheMap: new LRUCache({ max: 2 * KEYS }) });
const loader = loaderOf();
for (const name of names) {
  cache.put(name, row(name));
  lru.set(name, row(name));
}
await tasks.fetchAll(names);
await loader.loadMany(names);
for (const name of names) {
  await fetching.fetch(name);
}

const figures = new Map();
async function measured(work, library, keys, call) {
  const begun = process.cpuUsage();
  await call();
  const { user, system } = process.cpuUsage(begun);
  const name = `${work}\t${library}`;
  figures.set(name, [...(figures.get(name) ?? []), ((user + system) * 1000) / keys]);
}
const gets = (of) => {
  for (const name of order) {
    of.get(name);
  }
};
const hotGets = (of) => {
  for (let i = 0; i < KEYS / hot.length; i++) {
    for (const name of hot) {
      of.get(name);
    }
  }
};
const awaits = async (fetch) => {
  for (const name of order) {
    await fetch(name);
  }
};

for (let turn = 0; turn < ROUNDS; turn++) {
  await measured('resident get', 'kvlight', KEYS, () => gets(cache));
  await measured('resident get', 'lru-cache', KEYS, () => gets(lru));
  await measured('get, of 1,000 keys', 'kvlight', KEYS, () => hotGets(cache));
  await measured('get, of 1,000 keys', 'lru-cache', KEYS, () => hotGets(lru));
  await measured('resident fetch', 'kvlight', KEYS, () => awaits((name) => tasks.fetch(name)));
  await measured('resident fetch', 'lru-cache fetch', KEYS, () => awaits((name) => fetching.fetch(name)));
  await measured('resident fetch', 'dataloader + lru-cache', KEYS, () => awaits((name) => loader.load(name)));
  const batches = Array.from({ length: 20 }, (_, batch) => Array.from({ length: ABSENT }, (_, i) => `absent ${turn} ${batch} ${i}`));
  const fresh = loaderOf();
  const loads = async (many) => {
    for (const keys of batches) {
      await many(keys);
    }
  };
  await measured('1,000 absent keys, 64 a request', 'kvlight', 20 * ABSENT, () => loads((keys) => tasks.fetchAll(keys)));
  await measured('1,000 absent keys, 64 a request', 'dataloader + lru-cache', 20 * ABSENT, () => loads((keys) => fresh.loadMany(keys)));
}
for (const [name, costs] of figures) {
  console.log(`${name}\t${costs.sort((a, b) => a - b)[ROUNDS >> 1].toFixed(0)}`);
}
cache.close();
await tasks.close();
