// swift-tools-version: 6.0
// An independent package, which depends on a version of this one by the address of its repository, which the test fills in.

import PackageDescription

let package = Package(
    name: "capitals",
    platforms: [.macOS(.v14)],
    dependencies: [.package(url: "@URL@", from: "@VERSION@")],
    targets: [.executableTarget(name: "capitals", dependencies: [.product(name: "KVLight", package: "kvlight")])]
)
