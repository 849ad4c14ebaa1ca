#!/bin/sh
# Runs the package's tests, the scenarios on asyncio's own loop and on uvloop, mypy and the examples. Reads KVL_LIB_DIR and
# KVL_INCLUDE_DIR, the folders of the static library and the header.
set -u
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../../.." && pwd)
python=${PYTHON:-python3}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
export PYTHONDONTWRITEBYTECODE=1

"$top/packaging/tools" python
if ! "$python" -c 'import uvloop, mypy, pytest, typing_extensions, setuptools' 2>/dev/null; then
    echo "# installing what the tests need with pip, into a temporary folder"
    "$python" -m venv --system-site-packages "$build/venv" &&
        "$build/venv/bin/pip" install -q --disable-pip-version-check uvloop mypy pytest typing_extensions setuptools &&
        python=$build/venv/bin/python
fi
PYTHON=$python "$here/../build.sh" "$build/lib" || exit 1
PYTHONPATH=$build/lib
export PYTHONPATH

scenarios=12
passed=$scenarios
loops=
failed=0
for loop in asyncio uvloop; do
    echo "# $loop"
    timeout 300 "$python" "$here/scenarios.py" "$loop" >"$build/out" 2>&1
    code=$?
    cat "$build/out"
    now=$(grep -c '^ok ' "$build/out")
    [ "$now" -lt "$passed" ] && passed=$now
    [ "$code" = 0 ] || failed=1
    loops="$loops${loops:+, }$loop"
done
echo "# tests"
(cd "$here/.." && timeout "$([ "${KVL_CALLS:-0}" -gt 200000 ] && echo 6000 || echo 1200)" "$python" -m pytest -q -p no:cacheprovider) || failed=1
echo "# types"
(cd "$here" && MYPYPATH="$here/../src:$here" "$python" -m mypy --strict --cache-dir="$build/mypy" -p kvlight &&
    MYPYPATH="$here/../src:$here" "$python" -m mypy --strict --cache-dir="$build/mypy" "$top"/examples/python/*.py ./*.py) || failed=1
echo "# second_tier.py"
timeout 120 "$python" "$top/examples/python/second_tier.py" >"$build/out" 2>&1 && grep -q 'engine B: user:7 = written by A, from L2' "$build/out" ||
    { cat "$build/out"; failed=1; }
echo "# sqlite_tier.py, twice"
for from in PROVIDER L2; do
    timeout 120 "$python" "$top/examples/python/sqlite_tier.py" "$build/tier.db" >"$build/out" 2>&1 && [ "$(grep -c "from $from\$" "$build/out")" = 3 ] ||
        { cat "$build/out"; failed=1; }
done
if command -v dpkg-query >/dev/null; then
    echo "# sqlite_batch.py"
    timeout 120 "$python" "$top/examples/python/sqlite_batch.py" "$build/packages.db" || failed=1
else
    echo "NOT RUN: sqlite_batch.py, which reads the packages that dpkg-query lists: there is no dpkg-query" >&2
fi
echo "ROW Python | $("$python" -c 'import platform; print(platform.python_version())') | next, on the loop's descriptor: $loops; without a loop on a thread | $passed of $scenarios"
[ "$passed" = "$scenarios" ] && [ "$failed" = 0 ]
