#!/bin/sh
# `run.sh` runs the example, the tests, the stress program and the scenarios of the Go package; `run.sh stress [RUNS]` runs only the stress program,
# RUNS times (20 by default), each with 100,000 fetches.
# Reads KVL_LIB_DIR and KVL_INCLUDE_DIR, the folders of the library and its header.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
: "${KVL_LIB_DIR:=$root/target/release}" "${KVL_INCLUDE_DIR:=$root/include}"
KVL_LIB_DIR=$(cd "$KVL_LIB_DIR" && pwd)

"$root/packaging/tools" go

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Makes pkg-config find the library as if it were installed.
cat >"$work/kvlight.pc" <<PC
Name: kvlight
Description: a loading cache
Version: 0
Cflags: -I$KVL_INCLUDE_DIR
Libs: -L$KVL_LIB_DIR -lkvlight
PC
PKG_CONFIG_PATH=$work LD_LIBRARY_PATH=$KVL_LIB_DIR GOFLAGS=-mod=mod GOPROXY=off
export PKG_CONFIG_PATH LD_LIBRARY_PATH GOFLAGS GOPROXY

cd "$here"
if [ "${1:-}" = stress ]; then
    go build -o "$work/stress" ./stress
    for run in $(seq "${2:-20}"); do
        echo "# run $run"
        "$work/stress" "$run"
    done
    exit 0
fi

(cd "$root/bindings/go" && test -z "$(gofmt -l . "$root/examples/go")" && go vet ./...)
(cd "$root/examples/go" && go vet ./... && go build -o "$work/demo" .)
"$work/demo"
echo "# tests, also under the race detector"
(cd "$root/bindings/go" && go test -count=1 . && go test -race -count=1 .)
go vet ./...
go build -race -o "$work/stress" ./stress
echo "# the stress program under the race detector"
"$work/stress"
go build -o "$work/scenarios" ./scenarios
# cgocheck=2 enables Go's strictest checks of pointers that are passed to C.
GODEBUG=cgocheck=2 timeout 300 "$work/scenarios"
