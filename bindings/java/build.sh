#!/bin/sh
# Compiles the package: `build.sh FOLDER`. Where javac or JNA are missing, installs Debian's packages as root. Without a FOLDER it prints the path of
# JNA's jar (KVL_JNA names another one).
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
: "${KVL_JNA:=/usr/share/java/jna.jar}"
missing=
command -v javac >/dev/null || missing=openjdk-17-jdk-headless
[ -e "$KVL_JNA" ] || missing="$missing libjna-java"
if [ -n "$missing" ]; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "missing: install Debian's packages $missing" >&2
        exit 1
    fi
    echo "# installing $missing" >&2
    apt-get update -qq
    # shellcheck disable=SC2086 # the names of several packages
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi
if [ $# -eq 0 ]; then
    echo "$KVL_JNA"
    exit 0
fi
mkdir -p "$1"
javac --release 17 -Xlint:all -Xdoclint:all/protected -Werror -cp "$KVL_JNA" -d "$1" "$here"/src/kvlight/*.java
