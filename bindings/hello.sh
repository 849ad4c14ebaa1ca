#!/bin/sh
# Runs the program of a chapter of docs/HOSTS.md, and compares its output with the one shown there: `hello.sh CHAPTER COMMAND ...`.
set -eu
top=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
chapter=$1
shift
said=$(awk -v chapter="## $chapter" '$0 == chapter { here = 1; next } /^## / { here = 0 } !here { next }
    /^```/ { if (on) exit; on = ($0 == "```text"); next } on' "$top/docs/HOSTS.md")
printed=$("$@")
if [ "$said" != "$printed" ]; then
    printf 'not ok - the program of docs/HOSTS.md, %s, prints:\n%s\n' "$chapter" "$printed" >&2
    exit 1
fi
echo "ok - the program of docs/HOSTS.md, $chapter"
