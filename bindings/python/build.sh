#!/bin/sh
# Builds the package into FOLDER, for use on PYTHONPATH: `build.sh FOLDER`. Reads KVL_LIB_DIR (the folder of libkvlight.a) and
# KVL_INCLUDE_DIR.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../.." && pwd)
: "${KVL_LIB_DIR:=${CARGO_TARGET_DIR:-$top/target}/release}" "${KVL_INCLUDE_DIR:=$top/include}"
export KVL_LIB_DIR KVL_INCLUDE_DIR
mkdir -p "$1"
into=$(CDPATH= cd -- "$1" && pwd)
cd "$here"
if ! "${PYTHON:-python3}" -W ignore setup.py -q build --build-base "$into/.build" --build-lib "$into" >"$into/.log" 2>&1; then
    cat "$into/.log" >&2
    exit 1
fi
