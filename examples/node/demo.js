// A program that lists posts with their authors: `npm install && node demo.js` in this folder.

import { Tasks } from 'kvlight';

const authors = new Tasks({
  provider: async (ids) => {
    console.log(`  the provider is asked for ${ids.length} authors: ${ids.join(', ')}`);
    // 404 is left out, and so remembered as absent.
    return new Map(ids.filter((id) => id !== '404').map((id) => [id, { id, name: `author ${id}` }]));
  },
  'cache.capacity': 1000,
  'cache.ttl_ms': 60_000,
});

const posts = ['7', '12', '7', '404', '12'];
for (const round of [1, 2]) {
  console.log(`round ${round}`);
  for (const [i, author] of (await authors.fetchAll(posts)).entries()) {
    console.log(`  post ${i + 1} by ${author?.name ?? 'nobody'}`);
  }
}

console.log(`one more, fetched alone: ${(await authors.fetch('99')).name}`);
console.log(`${authors.stats().requests.formed} requests for these lookups:`, authors.stats().lookups);
await authors.close();
