#!/bin/sh
# `package.sh FOLDER`: installs the wheel in FOLDER into an empty environment, and runs the Python program of docs/HOSTS.md, the scenarios and the
# tests there. Then installs from the source distribution, which compiles the library with cargo. The checkout's own copy of the package is not on the
# path.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../../.." && pwd)
folder=$(CDPATH= cd -- "$1" && pwd)
python=${PYTHON:-python3}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset PYTHONPATH KVL_LIB_DIR KVL_INCLUDE_DIR
: "${KVL_CALLS:=1000000}"
export KVL_CALLS PYTHONDONTWRITEBYTECODE=1
cp -r "$here" "$work/tests"
cp "$here/../pyproject.toml" "$work/"
cd "$work"

"$python" -m venv empty
empty/bin/pip install -q --disable-pip-version-check --no-index "$folder"/kvlight-*.whl
awk '$0 == "## Python" { here = 1; next } /^## / { here = 0 } !here { next } /^```/ { if (on) exit; on = ($0 == "```python"); next } on' \
    "$top/docs/HOSTS.md" >hello.py
"$top/bindings/hello.sh" Python empty/bin/python hello.py
empty/bin/python tests/scenarios.py asyncio
empty/bin/pip install -q --disable-pip-version-check pytest mypy typing_extensions
empty/bin/python -m pytest -q -p no:cacheprovider tests
echo "ok - the tests from the installed wheel"
printf 'import kvlight\ncache: kvlight.Cache[str, int] = kvlight.Cache(capacity=5)\ncache.put("a", 1)\nx: int | None = cache.get("a")\n' >typed.py
empty/bin/mypy --strict typed.py
echo "ok - types of the installed wheel"

if tar -tzf "$(echo "$folder"/kvlight-*.tar.gz)" | grep 'libkvlight'; then
    echo "the source distribution has a library that was built here" >&2
    exit 1
fi
"$python" -m venv built
CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 built/bin/pip install -q --disable-pip-version-check "$folder"/kvlight-*.tar.gz
built/bin/python -c 'import kvlight; assert kvlight.Cache(capacity=5).put("a", 1)'
echo "ok - built from the source distribution"
