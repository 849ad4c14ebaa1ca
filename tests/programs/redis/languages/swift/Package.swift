// swift-tools-version: 6.0
// The Swift worker of tests/tiers/redis/languages.py.

import PackageDescription

let package = Package(
    name: "worker",
    platforms: [.macOS(.v14)],
    dependencies: [.package(name: "kvlight", path: "../../../../..")],
    targets: [.executableTarget(name: "worker", dependencies: [.product(name: "KVLight", package: "kvlight")], path: ".", sources: ["main.swift"])],
    swiftLanguageModes: [.v6]
)
