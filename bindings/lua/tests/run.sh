#!/bin/sh
# Runs kvlight under LuaJIT: `run.sh` the scenarios, `run.sh stress [RUNS]` 100,000 fetches a run.
# Reads KVL_LIB_DIR and KVL_INCLUDE_DIR, where the library and its header are.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
: "${KVL_LIB_DIR:=$root/target/release}" "${KVL_INCLUDE_DIR:=$root/include}"
KVL_LIB_DIR=$(cd "$KVL_LIB_DIR" && pwd)

if ! command -v luajit >/dev/null; then
    if [ "$(id -u)" != 0 ]; then
        echo "luajit is missing: install Debian's package luajit" >&2
        exit 1
    fi
    echo "# installing luajit"
    apt-get update -qq
    apt-get install -y --no-install-recommends luajit >/dev/null
fi

LUA_PATH="$root/bindings/lua/?.lua;$here/?.lua;;"
KVL_LIBRARY="$KVL_LIB_DIR/libkvlight.so"
export LUA_PATH KVL_LIBRARY

if [ "${1:-}" = stress ]; then
    for run in $(seq "${2:-20}"); do
        echo "# run $run"
        luajit "$here/stress.lua" "$run"
    done
    exit 0
fi

echo "# the demo, with the library found by its name"
(unset KVL_LIBRARY && LD_LIBRARY_PATH="$KVL_LIB_DIR" luajit "$root/examples/lua/demo.lua")
echo "# the same beside a checkout, and with a library that is not there"
beside=$(mktemp -d)
trap 'rm -rf "$beside"' EXIT
mkdir -p "$beside/bindings" "$beside/target/release"
cp -r "$root/bindings/lua" "$beside/bindings/lua"
cp -L "$KVL_LIB_DIR/libkvlight.so" "$beside/target/release/"
(unset KVL_LIBRARY && LUA_PATH="$beside/bindings/lua/?.lua;;" luajit "$root/examples/lua/demo.lua" >/dev/null)
if KVL_LIBRARY=/nowhere/libkvlight.so LUA_PATH="$beside/bindings/lua/?.lua;;" luajit "$root/examples/lua/demo.lua" >"$beside/said" 2>&1 || ! grep -q 'kvlight: no library found; tried /nowhere' "$beside/said"; then
    echo "not refused with a sentence: $(cat "$beside/said")" >&2
    exit 1
fi
luajit "$here/scenarios.lua"
luajit "$here/faults.lua"
luajit "$here/labels.lua"
"$here/openresty.sh"
