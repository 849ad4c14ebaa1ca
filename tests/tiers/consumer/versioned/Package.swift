// swift-tools-version: 6.0
// An independent package, which depends on a version of kvlight's package. The test fills in the version and the address of the repository.

import PackageDescription

let package = Package(
    name: "capitals",
    platforms: [.macOS(.v14)],
    dependencies: [.package(url: "@URL@", from: "@VERSION@")],
    targets: [.executableTarget(name: "capitals", dependencies: [.product(name: "KVLight", package: "kvlight")])]
)
