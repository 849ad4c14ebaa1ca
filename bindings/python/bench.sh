#!/bin/sh
# Compares kvlight with aiodataloader and cachetools: `bench.sh [FOLDER]`. Reads KVL_LIB_DIR and KVL_INCLUDE_DIR.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
python=${PYTHON:-python3}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
if ! "$python" -c 'import aiodataloader, cachetools, setuptools' 2>/dev/null; then
    echo "installing aiodataloader and cachetools with pip, into a temporary folder" >&2
    "$python" -m venv --system-site-packages "$build/venv"
    "$build/venv/bin/pip" install -q --disable-pip-version-check aiodataloader cachetools setuptools
    python=$build/venv/bin/python
fi
PYTHON=$python "$here/build.sh" "$build/lib"
PYTHONPATH=$build/lib PYTHONDONTWRITEBYTECODE=1 "$python" "$here/bench.py" "$@"
