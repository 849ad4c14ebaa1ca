#!/bin/sh
# Installs the packages in FOLDER into an empty folder, and runs the program of docs/HOSTS.md, the scenarios and the tests there:
# `package.sh FOLDER`. The checkout's own copy of the package is not on the path.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../../.." && pwd)
folder=$(CDPATH= cd -- "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset KVL_NODE_ADDON NODE_PATH
: "${KVL_CALLS:=1000000}"
export KVL_CALLS
cd "$work"
echo '{ "private": true }' >package.json
# Offline, so that npm does not look for the addons of other platforms: they are optional.
npm install --silent --offline --no-audit --no-fund "$folder"/kvlight-linux-*.tgz "$folder"/kvlight-[0-9]*.tgz
cp "$top/examples/node/hello.mjs" .
"$top/bindings/hello.sh" Node node hello.mjs
node -e 'const { Cache } = require("kvlight"); new Cache({ "cache.capacity": 1 }).close(); if (!require.resolve("kvlight").startsWith(process.cwd())) process.exit(1)'
echo "ok - require('kvlight') loads the installed package"
cp -r "$here" node_modules/kvlight/tests
cd node_modules/kvlight/tests
node scenarios.mjs
node --expose-gc --test --test-reporter=tap ./*.test.mjs | grep -E '^(ok|not ok)|bytes a call|became' >"$work/tap" || true
cat "$work/tap"
! grep -q '^not ok' "$work/tap"
