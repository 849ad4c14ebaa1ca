#!/usr/bin/env bash
# Runs the scenarios in Swift: bindings/swift/tests/KVLightTests/ScenarioTests.swift. With KVL_CALLS it also runs the loops of
# MemoryTests.swift.
set -uo pipefail
cd "$(dirname "$0")/../../.." || exit 1
bindings/swift/toolchain --where >/dev/null || exit 1
. bindings/swift/environment || exit 1

scenarios=12
log=$scratch/host.log
version=$(bindings/swift/toolchain swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/\1/p' | head -n 1)
options=(--scratch-path "$scratch/plain" -Xswiftc -warnings-as-errors)
bindings/swift/toolchain swift build --build-tests "${options[@]}" || exit 1
bindings/swift/toolchain timeout -s KILL 300 swift test --disable-xctest --skip-build --filter ScenarioTests "${options[@]}" | tee "$log"
status=${PIPESTATUS[0]}
done=$(grep -oE '✔ Test scenario[0-9]+_\w+\(\) passed' "$log" | sort -u | wc -l)
echo "ROW Swift $version | dispatcher thread into continuations | $done of $scenarios"
if [ "$status" -eq 0 ] && [ -n "${KVL_CALLS:-}" ]; then
    echo "# memory stays flat over $KVL_CALLS calls"
    bindings/swift/toolchain swift test --disable-xctest --skip-build --filter MemoryTests "${options[@]}"
    status=$?
fi
exit "$status"
