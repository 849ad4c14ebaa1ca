#!/bin/sh
# Unpacks the crate of FOLDER, and makes an empty project that depends on it. Runs the program of docs/HOSTS.md, the scenarios and the other
# tests of the typed interface there, and then the tests of the example: `package.sh FOLDER`. Of the checkout only the example is used,
# since no crate contains it.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../../.." && pwd)
crate=$(echo "$1"/rust/kvlight-*.crate)
mkdir -p "${CARGO_TARGET_DIR:-$top/target}/package-rust"
# Keeps what cargo has built of other crates for the next time. The library is built anew, since -m gives its files the present time.
work=$(CDPATH= cd -- "${CARGO_TARGET_DIR:-$top/target}/package-rust" && pwd)
CARGO_TARGET_DIR=$work/built CARGO_TERM_COLOR=never
export CARGO_TARGET_DIR CARGO_TERM_COLOR
rm -rf "$work/kvlight" "$work/empty"
mkdir -p "$work/kvlight" "$work/empty/src" "$work/empty/tests/typed" "$work/empty/tests/typed_flat"
tar -xzmf "$crate" --strip-components=1 -C "$work/kvlight"
tests=$work/kvlight/tests/rust

cd "$work/empty"
cat >Cargo.toml <<'TOML'
[package]
name = "empty"
version = "0.0.0"
edition = "2024"

[dependencies]
kvlight = { path = "../kvlight" }

# KVL_CALLS can be a million, which takes long without optimization.
[profile.dev]
opt-level = 1
TOML
# Without a lock file, cargo would look for the newest versions of the dependencies, which needs a network.
cp "$work/kvlight/Cargo.lock" .
awk '$0 == "## Rust" { here = 1; next } /^## / { here = 0 } !here { next } /^```/ { if (on) exit; on = ($0 == "```rust"); next } on' \
    "$work/kvlight/docs/HOSTS.md" >src/main.rs
cargo run --quiet
echo "ok - the program of docs/HOSTS.md, Rust"

for module in scenarios typed typed_faults typed_fixture typed_second_tier; do
    cp "$tests/$module.rs" tests/typed/
    echo "mod $module;" >>tests/typed/main.rs
done
cp "$tests/typed_flat.rs" tests/typed_flat/main.rs
cp "$tests/typed_fixture.rs" tests/typed_flat/
cargo test --test typed
echo "ok - the scenarios and the tests of the typed interface"
cargo test --test typed_flat
echo "ok - the memory stays flat"

# Cargo leaves a folder with its own Cargo.toml out of a crate.
mkdir -p "$work/kvlight/examples/rust"
(cd "$top/examples/rust" && cp -r Cargo.toml Cargo.lock src tests "$work/kvlight/examples/rust/")
cargo test --manifest-path "$work/kvlight/examples/rust/Cargo.toml"
echo "ok - the tests of the example"
