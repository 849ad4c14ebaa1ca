#!/bin/sh
# Compiles the assembly with Mono's compiler: `build.sh FOLDER`. Installs Debian's packages of Mono, as root, if they are missing.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
if ! command -v mcs >/dev/null || ! command -v mono >/dev/null; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "missing: install Debian's packages mono-mcs and mono-runtime" >&2
        exit 1
    fi
    echo "# installing mono" >&2
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mono-mcs mono-runtime >/dev/null
fi
mkdir -p "$1"
mcs -langversion:7.2 -unsafe -warn:4 -warnaserror -doc:"$1/Kvlight.xml" -target:library -out:"$1/Kvlight.dll" "$here"/src/*.cs
