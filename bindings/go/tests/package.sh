#!/bin/sh
# Installs the module of FOLDER into an empty module with `go get`, and runs the program of docs/HOSTS.md, the scenarios and the tests there:
# `package.sh FOLDER`. They are linked with the archive in the module, and not with the library of the checkout or an installed one.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../../.." && pwd)
folder=$(CDPATH= cd -- "$1" && pwd)
module=$(sed -n 's/^module //p' "$here/../go.mod")
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
unset PKG_CONFIG_PATH LD_LIBRARY_PATH
: "${KVL_CALLS:=1000000}"
GOPROXY=file://$folder/go GONOSUMDB='*' GOFLAGS='-mod=mod -tags=kvlight_static' GOPATH=$work/path GOTOOLCHAIN=local
export KVL_CALLS GOPROXY GONOSUMDB GOFLAGS GOPATH GOTOOLCHAIN
mkdir "$work/empty"
cd "$work/empty"
go mod init empty >/dev/null 2>&1
mkdir hello scenarios
cp "$top/examples/go/hello/main.go" hello/
cp "$here/scenarios/main.go" scenarios/
go get "$module" >/dev/null 2>&1
go build -o bin/ ./hello ./scenarios
"$top/bindings/hello.sh" Go bin/hello
bin/scenarios
go test -count=1 -timeout 30m "$module"
echo "ok - the tests from the module cache"
go test -count=1 -race "$module"
echo "ok - the tests under the race detector"
