#!/bin/sh
# Figures beside aiodataloader with cachetools: `bench.sh [FOLDER]`. Reads KVL_LIB_DIR.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../../.." && pwd)
lib=${KVL_LIB_DIR:-${CARGO_TARGET_DIR:-$top/target}/release}
python=${PYTHON:-python3}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
if ! "$python" -c 'import aiodataloader, cachetools' 2>/dev/null; then
    echo "installs aiodataloader and cachetools by pip, into a folder of this run" >&2
    "$python" -m venv --system-site-packages "$build/venv"
    "$build/venv/bin/pip" install -q --disable-pip-version-check aiodataloader cachetools
    python=$build/venv/bin/python
fi
KVL_LIBRARY=$lib/libkvlight.so PYTHONDONTWRITEBYTECODE=1 "$python" "$here/bench.py" "$@"
