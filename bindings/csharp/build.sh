#!/bin/sh
# Compiles the assembly with Mono's compiler: `build.sh FOLDER`. Installs Debian's packages of Mono, as root, if they are missing.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
"$here/../../packaging/tools" csharp >&2
mkdir -p "$1"
mcs -langversion:7.2 -unsafe -warn:4 -warnaserror -doc:"$1/Kvlight.xml" -target:library -out:"$1/Kvlight.dll" "$here"/src/*.cs
