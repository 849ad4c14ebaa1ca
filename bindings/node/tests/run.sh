#!/bin/sh
# Runs kvlight under Node: `run.sh` the scenarios, `run.sh stress [RUNS]` 100,000 fetches a run.
# KVL_LIB_DIR and KVL_INCLUDE_DIR say where library and header are.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
: "${KVL_LIB_DIR:=$root/target/release}" "${KVL_INCLUDE_DIR:=$root/include}"
KVL_LIB_DIR=$(cd "$KVL_LIB_DIR" && pwd)

if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
    if [ "$(id -u)" != 0 ]; then
        echo "node is missing: install Debian's packages nodejs and npm, or Node 20 or later from elsewhere" >&2
        exit 1
    fi
    echo "# installing nodejs and npm"
    apt-get update -qq
    apt-get install -y --no-install-recommends nodejs npm >/dev/null
fi
cd "$root/bindings/node"
if [ ! node_modules/.package-lock.json -nt package-lock.json ]; then
    echo "# installing koffi"
    npm ci --silent --ignore-scripts
fi
cd "$root"

KVL_LIBRARY="$KVL_LIB_DIR/libkvlight.so"
export KVL_LIBRARY KVL_INCLUDE_DIR

if [ "${1:-}" = stress ]; then
    for run in $(seq "${2:-20}"); do
        echo "# run $run"
        node "$here/stress.js" "$run"
    done
    exit 0
fi

echo "# the demo, with the library found by its name"
(cd "$root/examples/node" && npm install --silent --ignore-scripts)
(unset KVL_LIBRARY && LD_LIBRARY_PATH="$KVL_LIB_DIR" node "$root/examples/node/demo.js")
echo "# the same beside a checkout, and with a library that is not there"
beside=$(mktemp -d)
trap 'rm -rf "$beside"' EXIT
mkdir -p "$beside/examples" "$beside/bindings" "$beside/target/release"
cp -r "$root/examples/node" "$beside/examples/node"
cp -r "$root/bindings/node" "$beside/bindings/node"
cp -L "$KVL_LIB_DIR/libkvlight.so" "$beside/target/release/"
(unset KVL_LIBRARY && node "$beside/examples/node/demo.js" >/dev/null)
if KVL_LIBRARY=/nowhere/libkvlight.so node "$beside/examples/node/demo.js" >"$beside/said" 2>&1 || ! grep -q 'kvlight: no library found; tried /nowhere' "$beside/said"; then
    echo "not refused with a sentence: $(cat "$beside/said")" >&2
    exit 1
fi
node "$here/scenarios.js"
