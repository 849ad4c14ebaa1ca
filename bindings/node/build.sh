#!/bin/sh
# Builds the addon with the library inside: `build.sh [FILE]`, build/kvlight.node by default. Reads KVL_LIB_DIR (where libkvlight.a is),
# KVL_INCLUDE_DIR and NODE_INCLUDE_DIR (Node's own headers).
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../.." && pwd)
: "${KVL_LIB_DIR:=${CARGO_TARGET_DIR:-$top/target}/release}" "${KVL_INCLUDE_DIR:=$top/include}"
: "${NODE_INCLUDE_DIR:=$(node -p "require('path').resolve(process.execPath, '../../include/node')")}"
if [ ! -e "$NODE_INCLUDE_DIR/node_api.h" ] || [ ! -e "$NODE_INCLUDE_DIR/uv.h" ]; then
    echo "no node_api.h and uv.h in $NODE_INCLUDE_DIR: install Debian's package libnode-dev, or set NODE_INCLUDE_DIR to their folder" >&2
    exit 1
fi
out=${1:-$here/build/kvlight.node}
mkdir -p "$(dirname "$out")"
case $(uname -s) in
Darwin) flags="-undefined dynamic_lookup" ;;
*) flags="-Wl,--exclude-libs,ALL -Wl,-z,nodelete -Wl,--gc-sections -Wl,-S -lpthread -ldl -lm" ;;
esac
# shellcheck disable=SC2086
"${CC:-cc}" -std=gnu11 -O2 -Wall -Wextra -fPIC -fvisibility=hidden -shared "$here"/native/*.c "$KVL_LIB_DIR/libkvlight.a" \
    -I"$NODE_INCLUDE_DIR" -I"$KVL_INCLUDE_DIR" -I"$top/redis/include" -o "$out" $flags
