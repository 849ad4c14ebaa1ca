#!/bin/sh
# Builds the NuGet package of this platform, with the library inside, into a folder: `package.sh FOLDER`. KVL_LIB_DIR says where the library is.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../.." && pwd)
: "${KVL_LIB_DIR:=${CARGO_TARGET_DIR:-$top/target}/release}"
KVL_LIB_DIR=$(CDPATH= cd -- "$KVL_LIB_DIR" && pwd)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$top/Cargo.toml" | head -n 1)
grep -q "<version>$version</version>" "$here/Kvlight.nuspec" || { echo "The version in Kvlight.nuspec differs from that in Cargo.toml, $version" >&2; exit 1; }
mkdir -p "$1"
into=$(CDPATH= cd -- "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$here/build.sh" "$work/lib/netstandard2.0"
case $(uname -m) in
    x86_64 | amd64) machine=x64 ;;
    arm64 | aarch64) machine=arm64 ;;
    *) machine=$(uname -m) ;;
esac
case $(uname -s) in
    Darwin) platform=osx-$machine file=libkvlight.dylib ;;
    *) platform=linux-$machine file=libkvlight.so ;;
esac
mkdir -p "$work/runtimes/$platform/native"
cp -L "$KVL_LIB_DIR/$file" "$work/runtimes/$platform/native/"
strip --strip-debug "$work/runtimes/$platform/native/$file" 2>/dev/null || true
cp "$here/README.md" "$here/Kvlight.nuspec" "$top"/LICENSE-* "$work/"
# A package is a zip archive. Beside the files it has a list of their types, and a relation that says which file describes the package.
cat >"$work/[Content_Types].xml" <<'XML'
<?xml version="1.0" encoding="utf-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
  <Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml" />
  <Default Extension="nuspec" ContentType="application/octet" />
  <Default Extension="dll" ContentType="application/octet" />
  <Default Extension="xml" ContentType="application/octet" />
  <Default Extension="so" ContentType="application/octet" />
  <Default Extension="dylib" ContentType="application/octet" />
  <Default Extension="md" ContentType="application/octet" />
  <Override PartName="/LICENSE-MIT" ContentType="application/octet" />
  <Override PartName="/LICENSE-APACHE" ContentType="application/octet" />
</Types>
XML
mkdir "$work/_rels"
cat >"$work/_rels/.rels" <<'XML'
<?xml version="1.0" encoding="utf-8"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
  <Relationship Type="http://schemas.microsoft.com/packaging/2010/07/manifest" Target="/Kvlight.nuspec" Id="description" />
</Relationships>
XML
python3 - "$work" "$into/Kvlight.$version.nupkg" <<'PY'
import os, sys, zipfile
work, target = sys.argv[1:]
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
    for folder, _, files in sorted(os.walk(work)):
        for name in sorted(files):
            path = os.path.join(folder, name)
            archive.write(path, os.path.relpath(path, work))
PY
