#!/bin/sh
# Installs the rock of FOLDER into an empty tree, and runs the program of docs/HOSTS.md, the scenarios and the tests with it:
# `package.sh FOLDER`. The checkout's own copy of the module is not on the path. The library is found by its SONAME, in KVL_LIB_DIR.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset KVL_LIBRARY LUA_PATH
luarocks --lua-version=5.1 --tree="$work/tree" install --deps-mode=none "$1"/kvlight-*.rock >/dev/null
cp -r "$here" "$work/tests"
LUA_PATH="$work/tree/share/lua/5.1/?.lua;$work/tests/?.lua" LD_LIBRARY_PATH=$KVL_LIB_DIR
export LUA_PATH LD_LIBRARY_PATH
cd "$work"
"$top/bindings/hello.sh" LuaJIT luajit "$top/examples/lua/hello.lua"
luajit tests/scenarios.lua
luajit tests/faults.lua
luajit tests/labels.lua
luajit tests/second_tier.lua
