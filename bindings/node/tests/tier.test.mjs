// The second tier: a store that several caches share (rules T01 to T15).

import assert from 'node:assert/strict';
import { test } from 'node:test';
import v8 from 'node:v8';
import { K, Tasks } from '../src/index.mjs';

/** A store in memory that grants leases and compares tokens. */
class Memory {
  isConditional = true;
  grantsLeases = true;
  calls = [];
  #rows = new Map();
  #tokens = 0;

  async read(keys) {
    this.calls.push('read');
    return new Map(keys.map((key) => [key, this.#lookUp(key)]));
  }

  async fill(entries) {
    this.calls.push('fill');
    return entries.map((entry) => {
      const isAsRead = this.#rows.has(entry.key) && Buffer.compare(this.#rows.get(entry.key).token, entry.token) === 0;
      if (isAsRead) {
        this.#keep(entry);
      }
      return isAsRead;
    });
  }

  write(entries) {
    this.calls.push('write');
    entries.forEach((entry) => this.#keep(entry));
  }

  remove(keys) {
    this.calls.push('remove');
    keys.forEach((key) => this.#rows.delete(key));
  }

  clear() {
    this.calls.push('clear');
    this.#rows.clear();
  }

  has(key) {
    return this.#rows.get(key)?.entry !== undefined;
  }

  #lookUp(key) {
    const row = this.#rows.get(key);
    if (row === undefined) {
      const token = this.#token();
      this.#rows.set(key, { token });
      return { token };
    }
    return row.entry === undefined ? { isLeased: true } : { data: row.entry.data, ttl_left_ms: row.entry.ttl_ms, token: row.token };
  }

  #keep(entry) {
    this.#rows.set(entry.key, { token: this.#token(), entry });
  }

  #token() {
    return Buffer.from(String(++this.#tokens));
  }
}

// On a busy machine a lookup may take long.
const PATIENT = { 'l2.timeout_ms': 60_000, 'l2.wait_ms': 60_000 };

/** Waits until `holds()` is true; fails after 30 seconds. */
async function until(holds) {
  for (let i = 0; i < 6000; i++) {
    if (holds()) {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  assert.fail('the condition never became true');
}

/** Returns the warnings that the process emits while `run` runs. */
async function warned(run) {
  const warnings = [];
  const note = (warning) => warnings.push(warning);
  process.on('warning', note);
  try {
    await run(warnings);
    await new Promise(setImmediate);
  } finally {
    process.off('warning', note);
  }
  return warnings;
}

const bytes = (text) => Buffer.from(text);

test('t02_two_caches_share_what_one_loaded', async () => {
  const secondTier = new Memory();
  const provider = (keys) => new Map(keys.map((key) => [key, bytes(`row ${key}`)]));
  const [one, other] = [1, 2].map(() => new Tasks({ provider, secondTier, 'cache.ttl_ms': 60_000, ...PATIENT }));
  assert.deepEqual(await one.fetchAll(['a', 'b']), [bytes('row a'), bytes('row b')]);
  await until(() => secondTier.has('a') && secondTier.has('b'));
  const found = await other.results(['a', 'b']);
  assert.deepEqual(found.map(({ value, source }) => [value, source]), [[bytes('row a'), K.SOURCE_L2], [bytes('row b'), K.SOURCE_L2]]);
  assert.ok(found[0].ttl_left_ms > 0 && found[0].ttl_left_ms <= 60_000);
  one.put('c', bytes('put'));
  one.remove('a');
  await until(() => secondTier.has('c') && !secondTier.has('a'));
  assert.deepEqual(await other.fetch('c'), bytes('put'));
  one.clear();
  await until(() => secondTier.calls.includes('clear'));
  assert.equal(other.stats().l2.hits, 3);
  await Promise.all([one.close(), other.close()]);
});

test('t02_values_of_any_kind_are_shared_if_bytes_can_be_made_of_them', async () => {
  const secondTier = new Memory();
  const values = new Map(Object.entries({ bytes: bytes('b'), text: 't', absent: null, object: { deep: [1, 2n] } }));
  const codec = { dump: v8.serialize, load: v8.deserialize };
  const one = new Tasks({ provider: () => values, secondTier, ...codec, ...PATIENT });
  const other = new Tasks({ provider: () => new Map(), secondTier, ...codec, ...PATIENT });
  const plain = new Tasks({ provider: () => new Map([['text', 'loaded here']]), secondTier, ...PATIENT });
  const keys = [...values.keys()];
  assert.deepEqual(await one.fetchAll(keys), [...values.values()]);
  await until(() => keys.every((key) => secondTier.has(key)));
  const found = await other.results(keys);
  assert.deepEqual(found.map(({ value, source }) => [value, source]), [...values.values()].map((value) => [value, K.SOURCE_L2]));
  // An engine without the two functions cannot read the value that needs them, and loads it.
  assert.deepEqual(await plain.fetchAll(['bytes', 'text']), [bytes('b'), 'loaded here']);
  plain.put('bytes', 'stays here');
  await until(() => !secondTier.has('bytes'));
  assert.equal(plain.get('bytes'), 'stays here');
  await Promise.all([one.close(), other.close(), plain.close()]);
});

test('t03_a_write_beats_an_older_load', async () => {
  const secondTier = new Memory();
  let answer;
  const provider = (keys) => new Promise((resolve) => (answer = () => resolve(new Map(keys.map((key) => [key, bytes('old')])))));
  const [loads, writes] = [1, 2].map(() => new Tasks({ provider, secondTier, ...PATIENT }));
  const waits = loads.fetch('k');
  await until(() => answer !== undefined);
  writes.put('k', bytes('new'));
  await until(() => secondTier.has('k'));
  loads.invalidate(['k']);
  answer();
  assert.deepEqual(await waits, bytes('old')); // this fetch began before the write
  assert.deepEqual(await loads.fetch('k'), bytes('new'));
  assert.ok(!secondTier.calls.includes('fill'));
  await Promise.all([loads.close(), writes.close()]);
});

test('t10_one_of_two_caches_loads_a_key_and_the_other_waits_for_it', async () => {
  const secondTier = new Memory();
  const answers = [];
  const provider = () => new Promise((resolve) => answers.push(() => resolve(new Map([['k', bytes('loaded once')]]))));
  const both = [1, 2].map(() => new Tasks({ provider, secondTier, ...PATIENT }));
  const fetches = both.map((tasks) => tasks.fetch('k'));
  await until(() => both.some((tasks) => tasks.stats().l2.waited === 1) && answers.length === 1);
  answers[0]();
  assert.deepEqual(await Promise.all(fetches), [bytes('loaded once'), bytes('loaded once')]);
  assert.equal(answers.length, 1);
  await Promise.all(both.map((tasks) => tasks.close()));
});

const thrown = new Error('down');
const WRONG = [
  thrown, null, 7, 'text', [], {}, new Map([['k', 7]]), new Map([['k', { data: 'text' }]]), new Map([['k', { data: bytes('no entry') }]]),
  new Map([['k', { data: Buffer.alloc(100), ttl_left_ms: -7 }]]), new Map([['k', { token: 7 }]]), new Map([['k', new Error('this key')]]),
];
WRONG.forEach((answer, nth) =>
  test(`t01_no_caller_sees_what_a_second_tier_does_wrong (${nth})`, async () => {
    const secondTier = new Memory();
    secondTier.read = () => {
      if (answer === thrown) {
        throw answer;
      }
      return answer;
    };
    secondTier.fill = () => answer;
    const warnings = await warned(async () => {
      const tasks = new Tasks({ provider: () => ({ k: bytes('loaded') }), secondTier, ...PATIENT });
      assert.deepEqual(await tasks.fetch('k'), bytes('loaded'));
      await tasks.close();
    });
    assert.ok(answer !== thrown || warnings.includes(thrown));
  }),
);

test('l09_a_time_that_has_just_passed_does_not_make_an_entry_live_on', async () => {
  const secondTier = new Memory();
  const writer = new Tasks({ provider: () => ({}), secondTier, ...PATIENT });
  writer.put('k', bytes('shared'));
  await until(() => secondTier.has('k'));
  await writer.close();
  const [[, entry]] = await secondTier.read(['k']);
  for (const ttl_left_ms of [-0.5, -1.5]) {
    secondTier.read = () => new Map([['k', { ...entry, ttl_left_ms }]]);
    const warnings = await warned(async () => {
      const tasks = new Tasks({ provider: () => ({ k: bytes('loaded') }), secondTier, ...PATIENT });
      assert.deepEqual(await tasks.fetch('k'), bytes('loaded'));
      await tasks.close();
    });
    assert.match(String(warnings[0]), new RegExp(`ttl_left_ms.* not ${ttl_left_ms}$`));
  }
});

test('t07_what_could_not_be_written_is_written_again', async () => {
  const secondTier = new Memory();
  let failures = 0;
  const write = secondTier.write.bind(secondTier);
  secondTier.write = async (entries) => {
    if (failures++ === 0) {
      throw new Error('down');
    }
    write(entries);
  };
  await warned(async () => {
    const tasks = new Tasks({ provider: () => ({}), secondTier, 'l2.break_ms': 1, ...PATIENT });
    tasks.put('k', bytes('v'));
    await until(() => secondTier.has('k'));
    assert.equal(tasks.stats().l2.write_errors, 1);
    await tasks.close();
  });
});

test('t01_a_hit_that_comes_after_the_close_is_no_failure_of_the_second_tier', async () => {
  const secondTier = new Memory();
  const codec = { dump: v8.serialize, load: v8.deserialize };
  const one = new Tasks({ provider: () => new Map(), secondTier, ...codec, ...PATIENT });
  one.put('k', 'shared');
  await until(() => secondTier.has('k'));
  await one.close();
  const warnings = [];
  const note = (warning) => warnings.push(warning.message);
  process.on('warning', note);
  const read = secondTier.read.bind(secondTier);
  let answer;
  secondTier.read = (keys) => new Promise((resolve) => (answer = async () => resolve(await read(keys))));
  const tasks = new Tasks({ provider: () => new Map(), secondTier, ...codec, ...PATIENT });
  const fetch = assert.rejects(tasks.fetch('k'));
  await until(() => answer !== undefined);
  await tasks.close();
  await fetch;
  await answer();
  await new Promise((resolve) => setTimeout(resolve, 20)); // a warning comes in a later turn
  process.off('warning', note);
  assert.deepEqual(warnings, []);
});

test('t01_a_wrong_answer_for_a_key_is_reported', async () => {
  const secondTier = new Memory();
  secondTier.read = () => new Map([['k', 'text']]);
  const warning = new Promise((resolve) => process.once('warning', resolve));
  const tasks = new Tasks({ provider: () => new Map([['k', bytes('loaded')]]), secondTier, ...PATIENT });
  assert.deepEqual(await tasks.fetch('k'), bytes('loaded'));
  assert.match((await warning).message, /answers a key with/);
  await tasks.close();
});

test('t01_a_slow_second_tier_delays_a_fetch_by_its_time_limit_at_most', async () => {
  const secondTier = new Memory();
  secondTier.read = () => new Promise(() => {});
  const tasks = new Tasks({ provider: () => ({ k: 'loaded' }), secondTier, 'l2.timeout_ms': 1 });
  assert.equal(await tasks.fetch('k'), 'loaded');
  assert.equal(tasks.stats().l2.timeouts, 1);
  await tasks.close();
});

test('l09_what_cannot_be_a_second_tier_is_refused', () => {
  const provider = () => ({});
  assert.throws(() => new Tasks({ provider, secondTier: {} }), /a function `read`/);
  assert.throws(() => new Tasks({ provider, secondTier: new Memory(), dump: v8.serialize }), /go together/);
  assert.throws(() => new Tasks({ provider, dump: v8.serialize, load: v8.deserialize }), /for a `secondTier`/);
});
