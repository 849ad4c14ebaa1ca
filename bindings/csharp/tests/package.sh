#!/bin/sh
# `package.sh FOLDER`: lays out the NuGet package in FOLDER as a build does beside a program, and runs there the example, the scenarios, the tests,
# and a million calls.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../../.." && pwd)
package=$(find "$1" -name 'Kvlight.*.nupkg')
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset KVL_LIBRARY LD_LIBRARY_PATH
python3 -m zipfile -e "$package" "$work/package"
# A build copies these beside the program.
mkdir "$work/program"
cp "$work/package/lib/netstandard2.0/Kvlight.dll" "$work/program/"
cp -r "$work/package/runtimes" "$work/program/"
mcs -langversion:7.2 -r:"$work/program/Kvlight.dll" -out:"$work/program/Tests.exe" "$here"/*.cs
mcs -langversion:7.2 -r:"$work/program/Kvlight.dll" -out:"$work/program/Hello.exe" "$top/examples/csharp/Hello.cs"
cd "$work"
"$top/bindings/hello.sh" 'C# under Mono' mono program/Hello.exe
for test in scenarios features tier faults leak; do
    mono program/Tests.exe "$test"
done
