#!/bin/sh
# Runs kvlight under Ruby: `run.sh` the scenarios, `run.sh stress [RUNS]` 100,000 fetches a run.
# Reads KVL_LIB_DIR and KVL_INCLUDE_DIR, where the library and its header are.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
: "${KVL_LIB_DIR:=$root/target/release}" "${KVL_INCLUDE_DIR:=$root/include}"
KVL_LIB_DIR=$(cd "$KVL_LIB_DIR" && pwd)

if ! command -v ruby >/dev/null; then
    if [ "$(id -u)" != 0 ]; then
        echo "ruby is missing: install Debian's package ruby" >&2
        exit 1
    fi
    echo "# installing ruby"
    apt-get update -qq
    apt-get install -y --no-install-recommends ruby >/dev/null
fi

KVL_LIBRARY="$KVL_LIB_DIR/libkvlight.so"
RUBYLIB="$root/bindings/ruby/lib"
export KVL_LIBRARY KVL_INCLUDE_DIR RUBYLIB

if [ "${1:-}" = stress ]; then
    for run in $(seq "${2:-20}"); do
        echo "# run $run"
        ruby "$here/stress.rb" "$run"
    done
    exit 0
fi

echo "# the demo, with the library found by its name"
(unset KVL_LIBRARY && LD_LIBRARY_PATH="$KVL_LIB_DIR" ruby -w "$root/examples/ruby/demo.rb")
echo "# the same beside a checkout, and with a library that is not there"
beside=$(mktemp -d)
trap 'rm -rf "$beside"' EXIT
mkdir -p "$beside/bindings" "$beside/target/release"
cp -r "$root/bindings/ruby" "$beside/bindings/ruby"
cp -L "$KVL_LIB_DIR/libkvlight.so" "$beside/target/release/"
(unset KVL_LIBRARY && RUBYLIB="$beside/bindings/ruby/lib" ruby "$root/examples/ruby/demo.rb" >/dev/null)
if KVL_LIBRARY=/nowhere/libkvlight.so RUBYLIB="$beside/bindings/ruby/lib" ruby "$root/examples/ruby/demo.rb" >"$beside/said" 2>&1 || ! grep -q 'kvlight: no library found; tried /nowhere' "$beside/said"; then
    echo "not refused with a sentence: $(cat "$beside/said")" >&2
    exit 1
fi
echo "# without the compiled lookup"
KVL_RUBY_LOOKUP= ruby -w "$here/scenarios.rb"
KVL_RUBY_LOOKUP= ruby -w "$here/faults.rb"
echo "# with it"
if ! "$root/bindings/ruby/native/build.sh" "$beside/lookup.so"; then
    [ "$(id -u)" = 0 ] || exit 1
    echo "# installing ruby-dev"
    apt-get install -y --no-install-recommends ruby-dev gcc >/dev/null
    "$root/bindings/ruby/native/build.sh" "$beside/lookup.so"
fi
KVL_RUBY_LOOKUP=$beside/lookup.so
export KVL_RUBY_LOOKUP
ruby -w "$here/scenarios.rb"
ruby -w "$here/faults.rb"
ruby -w "$here/labels.rb"
