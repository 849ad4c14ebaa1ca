#!/bin/sh
# Creates FOLDER/go, which Go accepts as a module proxy, with the module and the archive of this platform: `package.sh FOLDER`.
# KVL_LIB_DIR and KVL_INCLUDE_DIR say where the library and its header are.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../.." && pwd)
: "${KVL_LIB_DIR:=${CARGO_TARGET_DIR:-$top/target}/release}" "${KVL_INCLUDE_DIR:=$top/include}"
KVL_LIB_DIR=$(CDPATH= cd -- "$KVL_LIB_DIR" && pwd) KVL_INCLUDE_DIR=$(CDPATH= cd -- "$KVL_INCLUDE_DIR" && pwd)
mkdir -p "$1"
into=$(CDPATH= cd -- "$1" && pwd)
module=$(sed -n 's/^module //p' "$here/go.mod")
version=v$(sed -n 's/^version = "\(.*\)"/\1/p' "$top/Cargo.toml" | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
source=$work/$module@$version
versions=$into/go/$module/@v
mkdir -p "$source/lib/$(go env GOOS)_$(go env GOARCH)" "$versions"
cp "$here"/*.go "$here"/*.h "$top/redis/include/kvlight_redis.h" "$here/go.mod" "$here/README.md" "$source/"
cat "$top/LICENSE-MIT" "$top/LICENSE-APACHE" >"$source/LICENSE"
cp "$KVL_INCLUDE_DIR/kvlight.h" "$source/lib/"
strip --strip-debug -o "$source/lib/$(go env GOOS)_$(go env GOARCH)/libkvlight.a" "$KVL_LIB_DIR/libkvlight.a"
cp "$here/go.mod" "$versions/$version.mod"
echo "{\"Version\":\"$version\"}" >"$versions/$version.info"
echo "$version" >"$versions/list"
rm -f "$versions/$version.zip"
python3 - "$work" "$module@$version" "$versions/$version.zip" <<'PY'
import os, sys, zipfile
work, module, target = sys.argv[1:]
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
    for folder, _, files in sorted(os.walk(os.path.join(work, module))):
        for name in sorted(files):
            path = os.path.join(folder, name)
            archive.write(path, os.path.relpath(path, work))
PY
