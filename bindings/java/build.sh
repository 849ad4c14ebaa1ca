#!/bin/sh
# Compiles the package into a folder: `build.sh FOLDER`. If javac or JNA is missing, installs Debian's packages as root. Without a FOLDER, only prints the
# path of JNA's jar, which KVL_JNA may set.
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
