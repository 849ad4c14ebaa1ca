// swift-tools-version: 6.0
// A package of somebody else's, which names a version of this one and the address of its repository; the test fills the address in.

import PackageDescription

let package = Package(
    name: "capitals",
    platforms: [.macOS(.v14)],
    dependencies: [.package(url: "@URL@", from: "@VERSION@")],
    targets: [.executableTarget(name: "capitals", dependencies: [.product(name: "KVLight", package: "kvlight")])]
)
