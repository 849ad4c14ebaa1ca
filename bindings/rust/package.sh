#!/bin/sh
# Creates FOLDER/rust/kvlight-VERSION.crate, the archive that `cargo publish` would upload: `package.sh FOLDER`. It contains the files that
# git knows or would add, as they are now; outside of a checkout all files.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../.." && pwd)
mkdir -p "$1/rust"
into=$(CDPATH= cd -- "$1/rust" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$top"
# tests/package.sh builds the crate, so it is not built here.
cargo package --quiet --allow-dirty --no-verify --target-dir "$work"
mv "$work"/package/kvlight-*.crate "$into/"
