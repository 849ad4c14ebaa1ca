// swift-tools-version: 6.0
// A package of somebody else's: it knows nothing of us but what pkg-config says.

import PackageDescription

let package = Package(
    name: "capitals",
    targets: [
        .systemLibrary(name: "CKVLight", pkgConfig: "kvlight"),
        .executableTarget(name: "capitals", dependencies: ["CKVLight"]),
    ]
)
