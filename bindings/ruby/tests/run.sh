#!/bin/sh
# `run.sh` runs the demo, the scenarios and the tests of the Ruby package; `run.sh stress [RUNS]` runs stress.rb RUNS times, 20 by default.
# Reads KVL_LIB_DIR and KVL_INCLUDE_DIR, the folders of the library and its header.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
: "${KVL_LIB_DIR:=$root/target/release}" "${KVL_INCLUDE_DIR:=$root/include}"
KVL_LIB_DIR=$(cd "$KVL_LIB_DIR" && pwd)

"$root/packaging/tools" ruby

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

echo "# the demo, with a library on the system's path"
(unset KVL_LIBRARY && LD_LIBRARY_PATH="$KVL_LIB_DIR" ruby -w "$root/examples/ruby/demo.rb")
echo "# the demo with the library of a checkout, as an empty KVL_LIBRARY means none, and with a KVL_LIBRARY that does not exist"
checkout=$(mktemp -d)
trap 'rm -rf "$checkout"' EXIT
mkdir -p "$checkout/bindings" "$checkout/target/release"
cp -r "$root/bindings/ruby" "$checkout/bindings/ruby"
cp -L "$KVL_LIB_DIR/libkvlight.so" "$checkout/target/release/"
KVL_LIBRARY= RUBYLIB="$checkout/bindings/ruby/lib" ruby "$root/examples/ruby/demo.rb" >/dev/null
if KVL_LIBRARY=/nowhere/libkvlight.so RUBYLIB="$checkout/bindings/ruby/lib" ruby "$root/examples/ruby/demo.rb" >"$checkout/output" 2>&1 || ! grep -q 'kvlight: no library found; tried /nowhere' "$checkout/output"; then
    echo "the missing library is not reported: $(cat "$checkout/output")" >&2
    exit 1
fi
echo "# without the compiled lookup"
KVL_RUBY_LOOKUP= ruby -w "$here/scenarios.rb"
KVL_RUBY_LOOKUP= ruby -w "$here/faults.rb"
KVL_RUBY_LOOKUP= ruby -w "$here/misuse.rb"
echo "# with the compiled lookup"
"$root/bindings/ruby/native/build.sh" "$checkout/lookup.so"
KVL_RUBY_LOOKUP=$checkout/lookup.so
export KVL_RUBY_LOOKUP
ruby -w "$here/scenarios.rb"
ruby -w "$here/faults.rb"
ruby -w "$here/labels.rb"
ruby -w "$here/second_tier.rb"
ruby -w "$here/misuse.rb"
