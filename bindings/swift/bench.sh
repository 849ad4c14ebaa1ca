#!/usr/bin/env bash
# Measures the Swift package, optimised, in ns for each key.
#
# KVL_SWIFT_ORIGINAL, on Linux, is a checkout of the library whose interface KVLightCompat has. That library is then measured in the same
# run, by the same program text. It is compiled from a copy in the build folder, to which Bench/Original is added. Nothing of it belongs to
# this project.
set -euo pipefail
original=${KVL_SWIFT_ORIGINAL:+$(realpath "$KVL_SWIFT_ORIGINAL")}
cd "$(dirname "$0")/../.."
bindings/swift/toolchain --where >/dev/null
. bindings/swift/environment
scratch=$scratch/bench
package=$PWD
mkdir -p "$scratch"

if [ -n "$original" ]; then
    scratch=$scratch/original
    package=$scratch/package
    bench=$package/bindings/swift/Bench
    rm -rf "$package"
    mkdir -p "$bench/Original" "$package/examples"
    cp -a Package.swift include "$package"
    cp -a examples/swift "$package/examples"
    cp -a bindings/swift "$package/bindings"
    cp -a "$original/Sources" "$bench/Original"
    mkdir "$bench/OriginalCases"
    sed 's/^import KVLightCompat$/import Original/' "$bench/Compat/CompatCases.swift" >"$bench/OriginalCases/OriginalCases.swift"
    cat >>"$package/Package.swift" <<'END'

package.targets += [
    .target(name: "Original", path: "bindings/swift/Bench/Original", swiftSettings: [.swiftLanguageMode(.v5)]),
    .target(
        name: "OriginalCases", dependencies: ["Original"], path: "bindings/swift/Bench/OriginalCases",
        swiftSettings: [.swiftLanguageMode(.v5)]),
]
for target in package.targets where target.name == "kvlight-bench" {
    target.dependencies += ["OriginalCases"]
    target.swiftSettings = [.define("ORIGINAL")]
}
END
fi

build=(swift build -c release --product kvlight-bench --package-path "$package" --scratch-path "$scratch")
bindings/swift/toolchain "${build[@]}" >"$scratch/build.log" 2>&1 || {
    grep 'error:' "$scratch/build.log" >&2
    exit 1
}
exec bindings/swift/toolchain "$scratch/release/kvlight-bench"
