// A process with an engine of the Node package and an `l2Url`, driven by commands on its input, like worker.c: `node.cjs URL`.

'use strict';

const readline = require('node:readline');
const { Tasks } = require('../../../../bindings/node/src/index.cjs');

async function main(url) {
  let answer = 'nobody';
  let tasks;
  try {
    tasks = new Tasks({
      provider: (keys) => Object.fromEntries(keys.map((key) => [key, { from: answer }])),
      l2Url: url,
      dump: (value) => Buffer.from(JSON.stringify(value)),
      load: (bytes) => JSON.parse(Buffer.from(bytes).toString()),
      'cache.ttl_ms': 3_600_000,
      timeout_ms: 20_000,
      'l2.timeout_ms': 10_000,
    });
  } catch (error) {
    console.log('refused', error.message);
    return;
  }
  console.log('ready');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [command, key, value] = line.split(' ');
    if (command === 'fetch') {
      const [result] = await tasks.results([key]);
      console.log('done', key, 0, result.source, result.value?.from ?? '-');
    } else if (command === 'put') {
      tasks.put(key, { from: value });
      console.log('ok 0');
    } else if (command === 'auto') {
      answer = key;
      console.log('ok 0');
    } else if (command === 'state') {
      console.log('state', JSON.stringify(tasks.l2State()));
    }
  }
  await tasks.close();
}

main(process.argv[2]);
