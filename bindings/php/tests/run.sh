#!/bin/sh
# `run.sh` runs the demo, the scenarios and the tests of the PHP package; `run.sh stress [RUNS]` runs its stress program, RUNS times (20 by default), each with
# 100,000 fetches. Reads KVL_LIB_DIR, the folder of the library.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
: "${KVL_LIB_DIR:=$root/target/release}"
KVL_LIB_DIR=$(cd "$KVL_LIB_DIR" && pwd)

"$root/packaging/tools" php php-fpm libfcgi-bin

KVL_LIBRARY="$KVL_LIB_DIR/libkvlight.so"
export KVL_LIBRARY

if [ "${1:-}" = stress ]; then
    for run in $(seq "${2:-20}"); do
        echo "# run $run"
        php "$here/stress.php" "$run"
    done
    exit 0
fi

echo "# the demo, with a library on the system's path"
(unset KVL_LIBRARY && LD_LIBRARY_PATH="$KVL_LIB_DIR" php "$root/examples/php/demo.php")
echo "# the demo with the library of a checkout, as an empty KVL_LIBRARY means none, and with a KVL_LIBRARY that names no file"
checkout=$(mktemp -d)
trap 'rm -rf "$checkout"' EXIT
mkdir -p "$checkout/bindings" "$checkout/examples" "$checkout/target/release"
cp -r "$root/bindings/php" "$checkout/bindings/php"
cp -r "$root/examples/php" "$checkout/examples/php"
cp -L "$KVL_LIB_DIR/libkvlight.so" "$checkout/target/release/"
KVL_LIBRARY= php "$checkout/examples/php/demo.php" >/dev/null
if KVL_LIBRARY=/nowhere/libkvlight.so php "$checkout/examples/php/demo.php" >"$checkout/output" 2>&1 || ! grep -q 'kvlight: no library found; tried /nowhere' "$checkout/output"; then
    echo "the missing library is not reported: $(cat "$checkout/output")" >&2
    exit 1
fi
php "$here/scenarios.php"
php "$here/faults.php"
php "$here/labels.php"
php "$here/signals.php"
php "$here/second_tier.php"
"$here/web.sh"
