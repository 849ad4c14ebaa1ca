#!/bin/sh
# Builds the rock, which is the same for all platforms, into a folder: `package.sh FOLDER`.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../.." && pwd)
mkdir -p "$1"
into=$(CDPATH= cd -- "$1" && pwd)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$top/Cargo.toml" | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$here/kvlight.lua" "$here/kvlight" "$work/"
sed "s/^version = .*/version = \"$version-1\"/" "$here/kvlight-scm-1.rockspec" >"$work/kvlight-$version-1.rockspec"
cd "$work"
luarocks --lua-version=5.1 --tree="$work/tree" make --deps-mode=none "kvlight-$version-1.rockspec" >/dev/null
luarocks --lua-version=5.1 --tree="$work/tree" pack kvlight >/dev/null
mv ./*.rock "$into/"
