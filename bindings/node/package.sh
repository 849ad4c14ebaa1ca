#!/bin/sh
# Packs the package and the addon of this platform into a folder: `package.sh FOLDER`. Reads KVL_LIB_DIR and KVL_INCLUDE_DIR.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../.." && pwd)
mkdir -p "$1"
into=$(CDPATH= cd -- "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/main" "$work/platform"
cd "$here"
cp -r README.md package.json src types "$top"/LICENSE-* "$work/main/"
"$here/build.sh" "$work/platform/kvlight.node"
cp "$top"/LICENSE-* "$work/platform/"
KVL_NODE_ADDON=$work/platform/kvlight.node node - "$here" "$work/platform" <<'JS'
const { writeFileSync } = require('node:fs');
const [, , here, folder] = process.argv;
const { platform } = require(`${here}/src/native.cjs`);
const main = require(`${here}/package.json`);
const [os, cpu, libc] = platform().split('-');
const manifest = {
  name: `@kvlight/${platform()}`, version: main.version, description: `The addon of kvlight for ${platform()}`, license: main.license,
  main: 'kvlight.node', files: ['kvlight.node'], os: [os], cpu: [cpu], ...(libc && { libc: [libc === 'gnu' ? 'glibc' : 'musl'] }), engines: main.engines,
};
writeFileSync(`${folder}/package.json`, JSON.stringify(manifest, null, 2));
JS
for part in main platform; do
    (cd "$work/$part" && npm pack --silent --pack-destination "$into" >/dev/null)
done
