#!/bin/sh
# The scenarios in C++: two compilers, C++17 and C++20, with and without exceptions, shared and static. Reads KVL_LIB_DIR and
# KVL_INCLUDE_DIR.
set -u
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../../../.." && pwd)
lib=${KVL_LIB_DIR:-${CARGO_TARGET_DIR:-$top/target}/release}
include=${KVL_INCLUDE_DIR:-$top/include}
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

"$top/packaging/tools" cpp
clang=$(command -v clang++-19 || command -v clang++)

scenarios=12
passed=$scenarios
failures=0
names=
# try LABEL PROGRAM ARGUMENT...: runs a program, and lowers "passed" to the number of scenarios that passed in it.
try() {
    echo "# $1"
    shift
    timeout 120 env LD_LIBRARY_PATH="$lib" "$@" >"$build/out" 2>&1
    code=$?
    cat "$build/out"
    now=$(grep -c '^ok ' "$build/out")
    [ "$now" -lt "$passed" ] && passed=$now
    [ "$code" = 0 ] || failures=1
}
# compile COMPILER STANDARD EXCEPTIONS shared|static SOURCE
compile() {
    echo "# building $(basename "$5") with $(basename "$1"), $2, $3, $4"
    case $4 in
        static) link="$lib/libkvlight.a -lgcc_s -ldl -lm" ;;
        *) link="-L$lib -lkvlight -Wl,-rpath,$lib" ;;
    esac
    # shellcheck disable=SC2086
    "$1" -std="$2" "$3" -Wall -Wextra -Wpedantic -Werror -I"$include" "$5" -o "$build/program" $link -lpthread
}
for cxx in g++ "$clang"; do
    names="$names${names:+, }$(basename "$cxx" -19) $("$cxx" -dumpversion)"
    for standard in c++17 c++20; do
        for exceptions in -fexceptions -fno-exceptions; do
            for kind in shared static; do
                # One static build for each compiler, since they all link the same library.
                [ "$kind" = static ] && [ "$standard$exceptions" != c++20-fexceptions ] && continue
                if compile "$cxx" "$standard" "$exceptions" "$kind" "$here/scenarios.cpp"; then
                    try thread "$build/program" thread
                    try poll "$build/program" poll
                else
                    passed=0
                fi
            done
        done
    done
done
echo "ROW C++ | $names, C++17 and C++20 | thread, poll | $passed of $scenarios"
[ "$passed" = "$scenarios" ] && [ "$failures" = 0 ]
