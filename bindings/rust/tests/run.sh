#!/bin/sh
# Runs the scenarios of Rust programs, which are among the library's own tests, and the tests of the example. Cargo builds the library for
# both, so an installed one is not used.
set -u
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../../.." && pwd)
output=$(mktemp)
trap 'rm -f "$output"' EXIT

scenarios=12
failures=0
cd "$top" || exit 1
cargo test --color never --test rust -- scenarios:: >"$output" 2>&1 || failures=1
cat "$output"
passed=$(grep -c '^test scenarios::.* ok$' "$output")
cargo test --color never --manifest-path examples/rust/Cargo.toml --target-dir "${CARGO_TARGET_DIR:-target}/example-rust" || failures=1
echo "ROW Rust | $(rustc --version | cut -d ' ' -f 2) | futures | $passed of $scenarios"
[ "$passed" = "$scenarios" ] && [ "$failures" = 0 ]
