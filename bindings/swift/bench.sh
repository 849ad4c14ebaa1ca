#!/usr/bin/env bash
# Measures the Swift package, optimised, in ns for each key.
set -euo pipefail
cd "$(dirname "$0")/../.."
bindings/swift/toolchain --where >/dev/null
. bindings/swift/environment
scratch=$scratch/bench
mkdir -p "$scratch"
bindings/swift/toolchain swift build -c release --product kvlight-bench --scratch-path "$scratch" >"$scratch/build.log" 2>&1 || {
    grep 'error:' "$scratch/build.log" >&2
    exit 1
}
exec bindings/swift/toolchain "$scratch/release/kvlight-bench"
