// swift-tools-version: 6.0
// An independent package, which finds the library by pkg-config alone.

import PackageDescription

let package = Package(
    name: "capitals",
    targets: [
        .systemLibrary(name: "CKVLight", pkgConfig: "kvlight"),
        .executableTarget(name: "capitals", dependencies: ["CKVLight"]),
    ]
)
