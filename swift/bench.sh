#!/usr/bin/env bash
# Measures the Swift face, optimised: ns for each key.
set -euo pipefail
cd "$(dirname "$0")/.."
swift/toolchain --where >/dev/null
. swift/environment
scratch=$scratch/bench
mkdir -p "$scratch"
swift/toolchain swift build -c release --product kvlight-bench --scratch-path "$scratch" >"$scratch/build.log" 2>&1 || {
    grep 'error:' "$scratch/build.log" >&2
    exit 1
}
exec swift/toolchain "$scratch/release/kvlight-bench"
