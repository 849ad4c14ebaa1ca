#!/bin/sh
# Builds the Composer package, which contains the library, into a folder: `package.sh FOLDER`. KVL_LIB_DIR says where the library is.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../.." && pwd)
: "${KVL_LIB_DIR:=${CARGO_TARGET_DIR:-$top/target}/release}"
mkdir -p "$1"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$top/Cargo.toml" | head -n 1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
package=$work/kvlight-php-$version
mkdir -p "$package/lib"
cp -r "$here/src" "$here/kvlight.php" "$here/kvlight.ffi.h" "$here/preload.php" "$here/README.md" "$top"/LICENSE-* "$package/"
cp -L "$KVL_LIB_DIR/libkvlight.so" "$package/lib/"
. "$top/bindings/redis.sh"
add_redis "$package/lib"
# A package in a repository gets its version from a tag. This package is installed from a folder, so it states its version.
sed "s/^    \"type\"/    \"version\": \"$version\",\n&/" "$here/composer.json" >"$package/composer.json"
tar -czf "$1/kvlight-php-$version.tar.gz" -C "$work" "kvlight-php-$version"
