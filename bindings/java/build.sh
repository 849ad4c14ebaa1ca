#!/bin/sh
# Compiles the package: `build.sh FOLDER`. Where javac or JNA are missing, installs Debian's packages as root. Without a FOLDER it prints the path of
# JNA's jar (KVL_JNA names another one).
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
: "${KVL_JNA:=/usr/share/java/jna.jar}"
export KVL_JNA
"$here/../../packaging/tools" java >&2
if [ $# -eq 0 ]; then
    echo "$KVL_JNA"
    exit 0
fi
mkdir -p "$1"
javac --release 17 -Xlint:all -Xdoclint:all/protected -Werror -cp "$KVL_JNA" -d "$1" "$here"/src/kvlight/*.java
