#!/bin/sh
# Runs kvlight under Node: `run.sh` runs the demo, the tests, the checks of types, tests under jest and the scenarios; `run.sh stress [RUNS]`
# runs stress.mjs RUNS times, 20 by default, each time with another seed.
# Reads KVL_LIB_DIR and KVL_INCLUDE_DIR, where the static library and its header are.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
package=$root/bindings/node

"$root/packaging/tools" node
"$package/build.sh"

if [ "${1:-}" = stress ]; then
    for run in $(seq "${2:-20}"); do
        echo "# run $run"
        node "$here/stress.mjs" "$run"
    done
    exit 0
fi

echo "# the demo"
mkdir -p "$root/examples/node/node_modules"
ln -sfn ../../../bindings/node "$root/examples/node/node_modules/kvlight"
node "$root/examples/node/demo.js"
echo "# tests"
(cd "$here" && node --expose-gc --test --test-reporter=spec ./*.test.mjs)

echo "# types by tsc, and jest with two test files"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat >package.json <<'JSON'
{ "private": true }
JSON
npm install --silent --no-audit --no-fund typescript@5 @types/node@20 jest@29
ln -s "$package" node_modules/kvlight
cp "$here/types.ts" .
npx tsc --strict --noEmit --module nodenext --target es2022 --types node types.ts
for name in a b; do
    cat >$name.test.js <<'JS'
const { Tasks } = require('kvlight');
test('fetches', async () => {
  const tasks = new Tasks({ provider: (keys) => new Map(keys.map((key) => [key, `${key}!`])) });
  expect(await tasks.fetch('a')).toBe('a!');
  await tasks.close();
});
test('fetches after the modules were reset', async () => {
  jest.resetModules();
  const again = require('kvlight');
  const tasks = new again.Tasks({ provider: () => { throw new RangeError('too far'); } });
  await expect(tasks.fetch('a')).rejects.toThrow('too far');
  new again.Tasks({ provider: () => ({}) }); // never closed
  await tasks.close();
});
JS
done
npx jest --runInBand --detectOpenHandles
npx jest --maxWorkers=2
node "$here/scenarios.mjs"
