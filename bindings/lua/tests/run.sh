#!/bin/sh
# `run.sh` runs the demo, the scenarios and the tests of the LuaJIT package; `run.sh stress [RUNS]` runs its stress program, RUNS times (20 by default), each with
# 100,000 fetches. Reads KVL_LIB_DIR, the folder of the library.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
: "${KVL_LIB_DIR:=$root/target/release}"
KVL_LIB_DIR=$(cd "$KVL_LIB_DIR" && pwd)

"$root/packaging/tools" lua

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

echo "# the demo, with a library on the system's path"
(unset KVL_LIBRARY && LD_LIBRARY_PATH="$KVL_LIB_DIR" luajit "$root/examples/lua/demo.lua")
echo "# the demo with the library of a checkout, as an empty KVL_LIBRARY means none, and with a KVL_LIBRARY that names no file"
checkout=$(mktemp -d)
trap 'rm -rf "$checkout"' EXIT
mkdir -p "$checkout/bindings" "$checkout/target/release"
cp -r "$root/bindings/lua" "$checkout/bindings/lua"
cp -L "$KVL_LIB_DIR/libkvlight.so" "$checkout/target/release/"
KVL_LIBRARY= LUA_PATH="$checkout/bindings/lua/?.lua;;" luajit "$root/examples/lua/demo.lua" >/dev/null
if KVL_LIBRARY=/nowhere/libkvlight.so LUA_PATH="$checkout/bindings/lua/?.lua;;" luajit "$root/examples/lua/demo.lua" >"$checkout/output" 2>&1 || ! grep -q 'kvlight: no library found; tried /nowhere' "$checkout/output"; then
    echo "the missing library is not reported: $(cat "$checkout/output")" >&2
    exit 1
fi
luajit "$here/scenarios.lua"
luajit "$here/faults.lua"
luajit "$here/labels.lua"
luajit "$here/second_tier.lua"
"$here/openresty.sh"
