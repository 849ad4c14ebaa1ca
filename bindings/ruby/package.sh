#!/bin/sh
# Builds the gem of this platform into FOLDER: `package.sh FOLDER`. It contains the library and, if Ruby's headers are installed, the compiled
# lookup for this Ruby. Reads KVL_LIB_DIR and KVL_INCLUDE_DIR.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../.." && pwd)
: "${KVL_LIB_DIR:=${CARGO_TARGET_DIR:-$top/target}/release}"
KVL_LIB_DIR=$(CDPATH= cd -- "$KVL_LIB_DIR" && pwd)
mkdir -p "$1"
into=$(CDPATH= cd -- "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$here/lib" "$here/sig" "$here/README.md" "$here/kvlight.gemspec" "$top"/LICENSE-* "$work/"
extension=$(ruby -e 'print RbConfig::CONFIG["SOEXT"]')
cp -L "$KVL_LIB_DIR/libkvlight.$extension" "$work/lib/kvlight/"
. "$top/bindings/redis.sh"
add_redis "$work/lib/kvlight"
compiled=$(ruby -rrbconfig -e 'print RbConfig::CONFIG.values_at("ruby_version", "DLEXT").join("/lookup.")')
"$here/native/build.sh" "$work/lib/kvlight/$compiled" || echo "the gem has no compiled lookup" >&2
cd "$work"
gem build --silent kvlight.gemspec 2>&1 | { grep -v "no homepage\|guides.rubygems" || true; } >&2
mv ./*.gem "$into/"
