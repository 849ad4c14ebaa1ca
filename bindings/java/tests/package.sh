#!/bin/sh
# Tests the jar in a folder, with nothing but JNA beside it: `package.sh FOLDER`. Runs the program of docs/HOSTS.md, the scenarios, the tests, and a
# million calls.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH= cd -- "$here/../../.." && pwd)
jna=$("$here/../build.sh")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset KVL_LIBRARY LD_LIBRARY_PATH CLASSPATH
mkdir "$work/lib" "$work/tests" "$work/temporary"
cp "$jna" "$work/lib/jna.jar"
cp "$(find "$1" -name 'kvlight-*.jar' ! -name '*-sources.jar' ! -name '*-javadoc.jar')" "$work/lib/kvlight.jar"
path="$work/tests:$work/lib/kvlight.jar:$work/lib/jna.jar"
javac --release 17 -cp "$path" -d "$work/tests" "$here"/*.java "$top/examples/java/Hello.java"
cd "$work"
run() {
    java -Djava.io.tmpdir="$work/temporary" -cp "$path" "$@"
}
"$top/bindings/hello.sh" Java java -cp "$path" Hello
run Scenarios
run Features
run SecondTierTests
run Faults
run -Xms64m -Xmx64m -XX:+AlwaysPreTouch Leak
# The library is unpacked to be loaded, and the copy is deleted.
[ -z "$(find "$work/temporary" -name 'kvlight-*')" ]
echo "ok - nothing is left in the folder for temporary files"
