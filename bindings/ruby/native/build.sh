#!/bin/sh
# Compiles lookup.c for the Ruby on the PATH: `build.sh FILE`. Needs Ruby's headers (Debian: ruby-dev) and a C compiler. Reads KVL_INCLUDE_DIR.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
: "${KVL_INCLUDE_DIR:=$here/../../../include}"
headers=$(ruby -rrbconfig -e 'print RbConfig::CONFIG["rubyhdrdir"]')
if [ ! -e "$headers/ruby.h" ]; then
    echo "no ruby.h in $headers: install Debian's package ruby-dev" >&2
    exit 1
fi
mkdir -p "$(dirname "$1")"
case $(uname -s) in
Darwin) flags="-bundle -undefined dynamic_lookup" ;;
*) flags=-shared ;;
esac
# shellcheck disable=SC2086
"${CC:-cc}" -std=gnu11 -O2 -Wall -fPIC -fvisibility=default $flags "$here/lookup.c" -I"$headers" -I"$KVL_INCLUDE_DIR" \
    -I"$(ruby -rrbconfig -e 'print RbConfig::CONFIG["rubyarchhdrdir"]')" -o "$1"
