// Checks the package's TypeScript types: compiled with --strict, never run.

import { Cache, GoneError, K, KvlightError, PermanentError, RetryAfterError, Tasks, type Result, type Stale } from 'kvlight';

interface User {
  name: string;
}

export async function uses(signal: AbortSignal): Promise<string> {
  const users = new Tasks<User>({
    provider: async (ids, request) => {
      if (request.signal.aborted) {
        throw new PermanentError('too late');
      }
      return new Map(ids.map((id) => [id, id === '13' ? new Error('unlucky') : { name: id }]));
    },
    dropped: (user) => console.log(user.name),
    'cache.capacity': 10_000,
    'retry.shape': 'exponential',
    timeout_ms: 500,
  });
  const user: User | null = await users.fetch('7', { signal, urgency: 2 });
  const maybe: User | null | undefined = await users.fetch('7', { read: 'cache_only' });
  const all: (User | null)[] = await users.fetchAll(new Set(['7', '8']));
  const results: Result<User>[] = await users.results(['7']);
  users.put('9', { name: 'nine' }, { ttl_ms: K.TTL_NEVER });
  const changed: number = users.removeTag('x') + users.expireTag('y');
  users.expireAll();
  // @ts-expect-error: tags are a list
  users.put('9', null, { tags: 'x' });
  users.refresh(['7'], { urgency: K.URGENCY_BACKGROUND });

  users.put('9', null, { only_if: 'absent', keep_ttl: true, stale_ttl_ms: K.STALE_NEVER });
  const everybody: Map<string, User | null> = new Map(users);
  const saved: number = users.save('/tmp/users', { dump: (user) => Buffer.from(user.name) });
  users.load(new URL('file:///tmp/users'), { load: (bytes) => ({ name: bytes.toString() }) });
  const isOpen: boolean = users.breaker === 'open' && results[0]!.isStale && saved > everybody.size;
  users.forceBreaker(isOpen ? null : 'closed');
  const failures: Error[] = [new GoneError('gone'), new RetryAfterError('busy', { after_ms: 500, cause: 1 })];
  // @ts-expect-error: after_ms is missing
  new RetryAfterError('busy', {});

  const answersLater = new Tasks<Buffer>({
    provider(keys, request) {
      keys.forEach((_, i) => {
        const stale: Stale<Buffer> | null = request.stale(i);
        if (stale !== null && stale.version === 'v1' && stale.age_ms < 1000) {
          request.notModified(i, { ttl_ms: 500 });
        } else {
          request.resolve(i, Buffer.from('x'), { priority: request.attempt(i), version: 'v1', tags: ['x'] });
        }
      });
      request.finish();
    },
  });
  const cache = new Cache<number>({ 'cache.ttl_ms': 5, cost: (value) => value });
  const number: number | null = cache.get('a');
  cache.load('/tmp/numbers', { load: (bytes) => (bytes.length > 0 ? bytes[0] : undefined) });
  cache[Symbol.dispose]();
  await new Tasks({ provider: () => ({}), timeout_ms: undefined })[Symbol.asyncDispose]();

  // @ts-expect-error: there is no such setting
  new Cache({ 'cache.capacty': 5 });
  // @ts-expect-error: not a value of this setting
  new Tasks({ provider: () => ({}), 'queue.order': 'random' });
  // @ts-expect-error: a cache without a provider does not have this setting
  new Cache({ timeout_ms: 5 });
  // @ts-expect-error: keys are strings
  await users.fetch(7);

  try {
    await users.close();
    await answersLater.close();
  } catch (error) {
    if (error instanceof KvlightError && error.status === K.ERR_CLOSED) {
      return error.code;
    }
  }
  return `${user?.name} ${maybe?.name} ${all.length} ${results[0]?.error} ${number} ${failures.length} ${changed}`;
}
