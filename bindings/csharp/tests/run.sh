#!/bin/sh
# Runs the example, the tests and the scenarios under Mono. KVL_LIB_DIR says where the library is. With KVL_CALLS=N it also makes N calls,
# to find leaks.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH= cd -- "$here/../../.." && pwd)
: "${KVL_LIB_DIR:=$root/target/release}"
KVL_LIB_DIR=$(CDPATH= cd -- "$KVL_LIB_DIR" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
beside=$work/bindings/csharp
"$here/../build.sh" "$beside"
mcs -langversion:7.2 -warn:4 -warnaserror -r:"$beside/Kvlight.dll" -out:"$beside/Tests.exe" "$here"/*.cs
mcs -langversion:7.2 -warn:4 -warnaserror -r:"$beside/Kvlight.dll" -out:"$beside/Hello.exe" "$root/examples/csharp/Hello.cs"

echo "# the example, with the library found by its name"
(unset KVL_LIBRARY && LD_LIBRARY_PATH="$KVL_LIB_DIR" mono "$beside/Hello.exe")
echo "# the example, with the library found in a checkout"
mkdir -p "$work/target/release"
cp -L "$KVL_LIB_DIR/libkvlight.so" "$work/target/release/"
(unset KVL_LIBRARY && mono "$beside/Hello.exe" >/dev/null)
if command -v gcc >/dev/null; then
    echo 'unsigned kvl_version_number(void) { return 1000; }' | gcc -shared -fPIC -x c - -o "$work/libother.so"
    KVL_OTHER_LIBRARY=$work/libother.so
    export KVL_OTHER_LIBRARY
fi
KVL_LIBRARY=$KVL_LIB_DIR/libkvlight.so
export KVL_LIBRARY
for test in features tier faults scenarios; do
    timeout 200 mono "$beside/Tests.exe" "$test"
done
if [ -n "${KVL_CALLS:-}" ]; then
    echo "# memory stays flat over $KVL_CALLS calls"
    mono "$beside/Tests.exe" leak
fi
