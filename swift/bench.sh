#!/usr/bin/env bash
# Measures the Swift face, optimised: ns for each key.
set -euo pipefail
cd "$(dirname "$0")/.."
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export CARGO_TARGET_DIR
make --no-print-directory stage >/dev/null
export PKG_CONFIG_PATH=$CARGO_TARGET_DIR/stage/lib/pkgconfig LD_LIBRARY_PATH=$CARGO_TARGET_DIR/stage/lib
scratch=$CARGO_TARGET_DIR/swift/bench
mkdir -p "$scratch"
swift/toolchain swift build -c release --product kvlight-bench --scratch-path "$scratch" >"$scratch/build.log" 2>&1 || {
    grep 'error:' "$scratch/build.log" >&2
    exit 1
}
exec swift/toolchain "$scratch/release/kvlight-bench"
