#!/bin/sh
# Runs kvlight under PHP: `run.sh` the scenarios, `run.sh stress [RUNS]` 100,000 fetches a run.
# Reads KVL_LIB_DIR and KVL_INCLUDE_DIR, where the library and its header are.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
: "${KVL_LIB_DIR:=$root/target/release}" "${KVL_INCLUDE_DIR:=$root/include}"
KVL_LIB_DIR=$(cd "$KVL_LIB_DIR" && pwd)

if ! command -v php >/dev/null || ! php -r 'exit(extension_loaded("ffi") && extension_loaded("pcntl") ? 0 : 1);'; then
    if [ "$(id -u)" != 0 ]; then
        echo "php with its extensions ffi and pcntl is missing: install Debian's package php-cli" >&2
        exit 1
    fi
    echo "# installing php-cli"
    apt-get update -qq
    apt-get install -y --no-install-recommends php-cli >/dev/null
fi

KVL_LIBRARY="$KVL_LIB_DIR/libkvlight.so"
export KVL_LIBRARY

if [ "${1:-}" = stress ]; then
    for run in $(seq "${2:-20}"); do
        echo "# run $run"
        php "$here/stress.php" "$run"
    done
    exit 0
fi

echo "# the demo, with the library found by its name"
(unset KVL_LIBRARY && LD_LIBRARY_PATH="$KVL_LIB_DIR" php "$root/examples/php/demo.php")
echo "# the same beside a checkout, and with a library that is not there"
beside=$(mktemp -d)
trap 'rm -rf "$beside"' EXIT
mkdir -p "$beside/bindings" "$beside/examples" "$beside/target/release"
cp -r "$root/bindings/php" "$beside/bindings/php"
cp -r "$root/examples/php" "$beside/examples/php"
cp -L "$KVL_LIB_DIR/libkvlight.so" "$beside/target/release/"
(unset KVL_LIBRARY && php "$beside/examples/php/demo.php" >/dev/null)
if KVL_LIBRARY=/nowhere/libkvlight.so php "$beside/examples/php/demo.php" >"$beside/said" 2>&1 || ! grep -q 'kvlight: no library found; tried /nowhere' "$beside/said"; then
    echo "not refused with a sentence: $(cat "$beside/said")" >&2
    exit 1
fi
php "$here/scenarios.php"
php "$here/faults.php"
php "$here/labels.php"
"$here/web.sh"
