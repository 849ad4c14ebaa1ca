#!/bin/sh
# Builds into a folder the jar of this platform, with the library inside, and the jars of the sources and the Javadoc: `package.sh FOLDER`. KVL_LIB_DIR
# says where the library is.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../.." && pwd)
: "${KVL_LIB_DIR:=${CARGO_TARGET_DIR:-$top/target}/release}"
KVL_LIB_DIR=$(CDPATH= cd -- "$KVL_LIB_DIR" && pwd)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$top/Cargo.toml" | head -n 1)
grep -q "<version>$version</version>" "$here/pom.xml" || { echo "pom.xml has another version than Cargo.toml: $version" >&2; exit 1; }
mkdir -p "$1"
into=$(CDPATH= cd -- "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
jna=$("$here/build.sh")
"$here/build.sh" "$work/classes"
# The names of platforms are JNA's.
case $(uname -m) in
    x86_64 | amd64) machine=x86-64 ;;
    arm64 | aarch64) machine=aarch64 ;;
    i?86) machine=x86 ;;
    *) machine=$(uname -m) ;;
esac
case $(uname -s) in
    Darwin) platform=darwin-$machine file=libkvlight.dylib ;;
    *) platform=linux-$machine file=libkvlight.so ;;
esac
mkdir -p "$work/classes/natives/$platform" "$work/classes/META-INF/maven/kvlight/kvlight"
cp -L "$KVL_LIB_DIR/$file" "$work/classes/natives/$platform/"
strip --strip-debug "$work/classes/natives/$platform/$file" 2>/dev/null || true
cp "$top"/LICENSE-* "$work/classes/META-INF/"
cp "$here/pom.xml" "$work/classes/META-INF/maven/kvlight/kvlight/"
cat >"$work/manifest" <<MANIFEST
Automatic-Module-Name: kvlight
Implementation-Title: kvlight
Implementation-Version: $version
MANIFEST
jar --create --file "$into/kvlight-$version.jar" --manifest "$work/manifest" -C "$work/classes" .
jar --create --file "$into/kvlight-$version-sources.jar" -C "$here/src" .
javadoc -quiet -Xdoclint:all -Werror -notimestamp -cp "$jna" -sourcepath "$here/src" -d "$work/javadoc" kvlight
jar --create --file "$into/kvlight-$version-javadoc.jar" -C "$work/javadoc" .
cp "$here/pom.xml" "$into/kvlight-$version.pom"
