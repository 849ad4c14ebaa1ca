#!/usr/bin/env bash
# Builds the Swift package against this checkout's library and runs all its tests; ends with `N passed, N failed`.
#
# Four tiers: the package under strict concurrency with warnings as errors; its tests; the example, whose count must be that of `wc`; the
# tests again under AddressSanitizer, which also looks for leaks ($KVL_SWIFT_QUICK leaves this tier out).
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
strict=(-Xswiftc -warnings-as-errors)
passed=0 failed=0

row() {
    passed=$((passed + $2)) failed=$((failed + $3))
    printf 'ROW %-28s %5s passed %3s failed\n' "$1" "$2" "$3"
}

finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
    exit
}

if ! bindings/swift/toolchain --where >/dev/null; then
    echo "FAIL: no Swift toolchain: nothing of the Swift package was tested" >&2
    row toolchain 0 1
    finish
fi
if ! . bindings/swift/environment; then
    row library 0 1
    finish
fi
in_swift() { bindings/swift/toolchain "$@"; }

# counts LOG: prints the numbers of a run of `swift test`, as `passed failed`.
counts() {
    local all bad
    all=$(sed -n 's/.*Test run with \([0-9]*\) tests\{0,1\} .*/\1/p' "$1" | tail -n 1)
    bad=$(grep -cE '✘ Test [^ ].*\)( with [0-9]+ test cases?)? failed after' "$1")
    echo "$((${all:-0} - bad)) $bad"
}

# tier NAME FOLDER OPTION...: builds and runs the tests in a separate build folder.
tier() {
    local name=$1 folder=$scratch/$2 log=$scratch/$2.log status good bad
    shift 2
    mkdir -p "$folder"
    echo "== $name"
    in_swift swift build --build-tests --scratch-path "$folder" "${strict[@]}" "$@" >"$log" 2>&1
    if [ $? -ne 0 ]; then
        grep -E 'error:|warning:' "$log" | sort -u | head -n 30 >&2
        row "$name" 0 1
        return
    fi
    # All tests are Swift Testing's, and XCTest's discovery of tests leaks a little.
    in_swift env ${SANITIZER_OPTIONS:-} timeout -s KILL 900 \
        swift test --disable-xctest --skip-build --scratch-path "$folder" "${strict[@]}" "$@" >"$log" 2>&1
    status=$?
    read -r good bad < <(counts "$log")
    # A crash or a hang leaves no count, and neither does a run that found no tests.
    if [ "$bad" -eq 0 ] && { [ $status -ne 0 ] || [ "$good" -eq 0 ]; }; then bad=1; fi
    if [ "$bad" -ne 0 ]; then
        grep -E '✘|^↳|error:|ERROR: |SUMMARY: ' "$log" | head -n 40 >&2
        tail -n 5 "$log" >&2
    fi
    row "$name" "$good" "$bad"
}

example() {
    echo "== example: word-count"
    local log=$scratch/example.log folder=bindings/swift/Sources/KVLight
    in_swift swift build --product word-count --scratch-path "$scratch/plain" "${strict[@]}" >"$log" 2>&1 || {
        grep -E 'error:' "$log" | sort -u | head -n 20 >&2
        row example 0 1
        return
    }
    local wanted got
    wanted=$(find "$folder" -type f -exec cat {} + | wc -w)
    got=$(in_swift "$scratch/plain/debug/word-count" "$folder" 2>>"$log" | sed -n 's/^total *//p')
    if [ "$wanted" = "$got" ]; then row example 1 0; else
        echo "FAIL: word-count says '$got', wc says '$wanted'" >&2
        row example 0 1
    fi
}

# Builds KVLight alone with complete checks of concurrency. KVLightCompat is in Swift 5 mode, because it takes closures that are not Sendable.
strictly() {
    echo "== strict concurrency"
    local log=$scratch/strict.log
    if in_swift swift build --target KVLight --scratch-path "$scratch/strict" "${strict[@]}" \
        -Xswiftc -strict-concurrency=complete >"$log" 2>&1; then
        row "strict concurrency" 1 0
    else
        grep -E 'error:' "$log" | sort -u | head -n 20 >&2
        row "strict concurrency" 0 1
    fi
}

strictly
tier "swift test" plain
example
if [ -z "${KVL_SWIFT_QUICK:-}" ]; then
    SANITIZER_OPTIONS="ASAN_OPTIONS=detect_leaks=1" tier "AddressSanitizer" asan --sanitize=address
fi
finish
