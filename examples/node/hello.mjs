import { Tasks } from 'kvlight';

const users = new Tasks({
  provider: async (ids) => {
    console.log(`asked for ${ids.join(', ')}`);
    return new Map(ids.filter((id) => id !== '404').map((id) => [id, `user ${id}`])); // 404 is left out, and remembered as absent
  },
  'cache.capacity': 10_000,
  'cache.ttl_ms': 60_000,
});

console.log(await users.fetch('7'));
console.log(await users.fetchAll(['7', '404', '7']));
await users.close();
