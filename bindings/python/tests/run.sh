#!/bin/sh
# The scenarios and faults in Python, on asyncio's own loop and on uvloop, and the types by mypy. Reads KVL_LIB_DIR.
set -u
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../../.." && pwd)
lib=${KVL_LIB_DIR:-${CARGO_TARGET_DIR:-$top/target}/release}
python=${PYTHON:-python3}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
KVL_LIBRARY=$lib/libkvlight.so
export KVL_LIBRARY PYTHONDONTWRITEBYTECODE=1

if ! command -v "$python" >/dev/null; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "# installs python3 python3-venv"
        DEBIAN_FRONTEND=noninteractive apt-get install -y -q python3 python3-venv >/dev/null
    else
        echo "# needs the packages python3 python3-venv"
    fi
fi
if ! "$python" -c 'import uvloop, mypy' 2>/dev/null; then
    echo "# installs uvloop and mypy by pip, into a folder of this run"
    "$python" -m venv --system-site-packages "$build/venv" && "$build/venv/bin/pip" install -q --disable-pip-version-check uvloop mypy \
        && python=$build/venv/bin/python
fi

passed=12
loops=
wrong=0
for loop in asyncio uvloop; do
    echo "# $loop"
    timeout 300 "$python" "$here/scenarios.py" "$loop" >"$build/out" 2>&1
    code=$?
    cat "$build/out"
    now=$(grep -c '^ok ' "$build/out")
    [ "$now" -lt "$passed" ] && passed=$now
    [ "$code" = 0 ] || wrong=1
    loops="$loops${loops:+, }$loop"
done
echo "# faults"
timeout 900 "$python" "$here/faults.py" || wrong=1
echo "# types"
(cd "$build" && MYPYPATH="$top/bindings/python/src" "$python" -m mypy --strict --cache-dir="$build/mypy" \
    "$top"/bindings/python/src/kvlight/*.py "$top/examples/python/sqlite_batch.py" "$here/scenarios.py" "$here/faults.py") || wrong=1
if command -v dpkg-query >/dev/null; then
    echo "# sqlite_batch.py"
    PYTHONPATH="$top/bindings/python/src" timeout 120 "$python" "$top/examples/python/sqlite_batch.py" "$build/packages.db" || wrong=1
else
    echo "NOT RUN: sqlite_batch.py: its table is what dpkg-query lists, and there is none" >&2
fi
echo "ROW Python | $("$python" -c 'import platform; print(platform.python_version())') | next, on the loop's descriptor: $loops | $passed of 12"
[ "$passed" = 12 ] && [ "$wrong" = 0 ]
