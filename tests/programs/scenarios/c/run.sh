#!/bin/sh
# The scenarios in C: three compilers, three forms of delivery, shared and static. Then two of the examples. Reads KVL_LIB_DIR and KVL_INCLUDE_DIR.
set -u
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../../../.." && pwd)
lib=${KVL_LIB_DIR:-${CARGO_TARGET_DIR:-$top/target}/release}
include=${KVL_INCLUDE_DIR:-$top/include}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

"$top/packaging/tools" c
clang=$(command -v clang-19 || command -v clang)

scenarios=12
passed=$scenarios
failures=0
names=
# try LABEL PROGRAM ARGUMENT...: runs a program, and lowers "passed" to the number of scenarios that passed in it.
try() {
    echo "# $1"
    shift
    timeout 120 "$@" >"$build/out" 2>&1
    echo "# exit code $?" >>"$build/out"
    cat "$build/out"
    now=$(grep -c '^ok ' "$build/out")
    [ "$now" -lt "$passed" ] && passed=$now
    grep -q '^# exit code 0$' "$build/out" || [ "$passed" -lt "$scenarios" ] || passed=$((scenarios - 1))
}
for cc in gcc "$clang" tcc; do
    case $cc in
        *tcc) flags="-std=c99 -Wall -Werror" version=$(tcc -v | cut -d' ' -f3) ;;
        *) flags="-std=c11 -Wall -Wextra -Wpedantic -Werror" version=$("$cc" -dumpversion) ;;
    esac
    names="$names${names:+, }$(basename "$cc" -19) $version"
    program=$build/$(basename "$cc")
    # shellcheck disable=SC2086
    "$cc" $flags -I"$include" "$here/host.c" "$here/scenarios.c" -o "$program" -L"$lib" -lkvlight -lpthread -Wl,-rpath,"$lib" \
        || { passed=0; continue; }
    for mode in thread poll next; do
        try "$cc, $mode" env LD_LIBRARY_PATH="$lib" "$program" "$mode"
    done
done
if gcc -std=c11 -I"$include" "$here/host.c" "$here/scenarios.c" -o "$build/static" "$lib/libkvlight.a" -lgcc_s -lpthread -lm -ldl; then
    for mode in thread poll next; do
        try "gcc, static library, $mode" "$build/static" "$mode"
    done
else
    passed=0
fi
echo "# examples"
# example SOURCE LIBRARY ARGUMENT...
example() {
    source=$1 with=$2
    shift 2
    gcc -std=c11 -O2 -Wall -Wextra -Wpedantic -Werror -I"$include" "$top/examples/c/$source.c" -o "$build/$source" -L"$lib" -lkvlight \
        -l"$with" -lpthread -Wl,-rpath,"$lib" && timeout 120 env LD_LIBRARY_PATH="$lib" "$build/$source" "$@" || failures=1
}
example libuv_loop uv
if command -v dpkg-query >/dev/null; then
    example sqlite_batch sqlite3 "$build/packages.db"
else
    echo "NOT RUN: sqlite_batch: dpkg-query, whose list of packages it reads, is missing" >&2
fi
echo "ROW C | $names | thread, poll, next | $passed of $scenarios"
[ "$passed" = "$scenarios" ] && [ "$failures" = 0 ]
