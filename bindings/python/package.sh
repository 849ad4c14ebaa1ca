#!/bin/sh
# Builds into FOLDER the wheel of this platform, which contains the library, and the source distribution, which builds the library with
# cargo: `package.sh FOLDER`. Reads KVL_LIB_DIR and KVL_INCLUDE_DIR.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../.." && pwd)
: "${KVL_LIB_DIR:=${CARGO_TARGET_DIR:-$top/target}/release}" "${KVL_INCLUDE_DIR:=$top/include}"
KVL_LIB_DIR=$(CDPATH= cd -- "$KVL_LIB_DIR" && pwd) KVL_INCLUDE_DIR=$(CDPATH= cd -- "$KVL_INCLUDE_DIR" && pwd)
export KVL_LIB_DIR KVL_INCLUDE_DIR
mkdir -p "$1"
into=$(CDPATH= cd -- "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check 'setuptools>=61' wheel
mkdir "$work/source"
cd "$here"
cp -r README.md pyproject.toml setup.py src native tests "$work/source/"
cp "$top/redis/include/kvlight_redis.h" "$work/source/native/"
cp "$top"/LICENSE-* "$work/source/"
. "$top/bindings/redis.sh"
add_redis "$work/source/src/kvlight"
# The wheel's own module contains libkvlight. libkvlight_redis is linked with the shared one, and looks for it beside itself under its soname.
[ ! -e "$work/source/src/kvlight/libkvlight_redis.so" ] || cp -L "$KVL_LIB_DIR/libkvlight.so" "$work/source/src/kvlight/libkvlight.so.$(sed -n 's/^version = "\([0-9]*\.[0-9]*\).*/\1/p' "$top/Cargo.toml" | head -n 1)"
cd "$top"
mkdir "$work/source/rust"
cp -r Cargo.toml Cargo.lock build.rs build cbindgen.toml README.md src include "$work/source/rust/"
cd "$work/source"
printf '%s\n' 'graft rust' 'graft native' 'graft tests' 'global-exclude *.so *.so.* *.dylib *.pyc' 'prune tests/__pycache__' >MANIFEST.in
find . -name __pycache__ -prune -exec rm -rf {} +
"$work/venv/bin/python" -W ignore setup.py -q sdist --dist-dir "$into" bdist_wheel --dist-dir "$into" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
}
