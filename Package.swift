// swift-tools-version: 6.0
// The Swift face of kvlight. The library itself is built by cargo (`make build`) and found through pkg-config.

import PackageDescription

let package = Package(
    name: "kvlight",
    platforms: [.macOS(.v14), .iOS(.v17), .tvOS(.v17), .watchOS(.v10)],
    products: [
        .library(name: "KVLight", targets: ["KVLight"]),
        .library(name: "KVLightCompat", targets: ["KVLightCompat"]),
    ],
    targets: [
        .systemLibrary(name: "CKVLight", path: "include", pkgConfig: "kvlight"),
        .target(name: "KVLight", dependencies: ["CKVLight"], path: "bindings/swift/Sources/KVLight"),
        .target(
            name: "KVLightCompat",
            dependencies: ["CKVLight", "KVLight"],
            path: "bindings/swift/Sources/KVLightCompat",
            swiftSettings: [.swiftLanguageMode(.v5)]
        ),
        .executableTarget(name: "word-count", dependencies: ["KVLight"], path: "examples/swift"),
        .executableTarget(name: "kvlight-bench", dependencies: ["KVLight", "KVLightCompat"], path: "bindings/swift/Bench"),
        .testTarget(name: "KVLightTests", dependencies: ["KVLight"], path: "bindings/swift/tests/KVLightTests"),
        .testTarget(
            name: "KVLightCompatTests",
            dependencies: ["KVLightCompat"],
            path: "bindings/swift/tests/KVLightCompatTests",
            swiftSettings: [.swiftLanguageMode(.v5)]
        ),
    ],
    swiftLanguageModes: [.v6]
)
