// swift-tools-version: 6.0
// The Swift package of kvlight. The C library is found through pkg-config (`make install`); on Apple's systems it comes as an XCFramework.

import PackageDescription

#if os(macOS)
/// Where a release has its framework, and the checksum of that file (SHA256SUMS): see packaging/PUBLISH.md. nil in a checkout, where
/// `make xcframework` makes the framework.
let released: (url: String, checksum: String)? = nil

let library: Target =
    released.map { .binaryTarget(name: "CKVLight", url: $0.url, checksum: $0.checksum) }
    ?? .binaryTarget(name: "CKVLight", path: "target/kvlight.xcframework")
#else
let library: Target = .systemLibrary(name: "CKVLight", path: "include", pkgConfig: "kvlight")
#endif

let package = Package(
    name: "kvlight",
    platforms: [.macOS(.v14), .iOS(.v17)],
    products: [
        .library(name: "KVLight", targets: ["KVLight"]),
        .library(name: "KVLightCompat", targets: ["KVLightCompat"]),
    ],
    targets: [
        library,
        .target(name: "KVLight", dependencies: ["CKVLight"], path: "bindings/swift/Sources/KVLight"),
        .target(
            name: "KVLightCompat",
            dependencies: ["CKVLight", "KVLight"],
            path: "bindings/swift/Sources/KVLightCompat",
            swiftSettings: [.swiftLanguageMode(.v5)]
        ),
        .executableTarget(name: "word-count", dependencies: ["KVLight"], path: "examples/swift"),
        .executableTarget(
            name: "kvlight-bench", dependencies: ["KVLight", "CompatCases"], path: "bindings/swift/Bench/Program"),
        .target(
            name: "CompatCases",
            dependencies: ["KVLightCompat"],
            path: "bindings/swift/Bench/Compat",
            swiftSettings: [.swiftLanguageMode(.v5)]
        ),
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
