// What may be a key.

import Foundation
import KVLight
import Testing

private enum Planet: String, CaseIterable { case earth, mars }
extension Planet: KVLightKey {}

private struct Tile: Codable, Hashable { var x, y: Int; var zoom: Double }
extension Tile: KVLightKey {}

private enum Both: String, Codable { case one }
extension Both: KVLightKey {}

private struct PostID: RawRepresentable, Hashable, Sendable { let rawValue: Int64 }
extension PostID: KVLightKey {}

@Suite struct KeyTests {
    /// The provider gets the very keys that were asked.
    private func roundTrip<K: KVLightKey>(_ keys: K...) async throws {
        let given = Locked<Set<K>>([])
        let tasks = KVLightTasks<K, Int>(
            provider: .batch { keys in
                given.update { $0.formUnion(keys) }
                return Dictionary(uniqueKeysWithValues: keys.map { ($0, $0.hashValue) })
            })
        let list = try await tasks.fetch(keys: keys) as [(K, Int?)]
        #expect(list.allSatisfy { $0.1 == $0.0.hashValue })
        #expect(given.current == Set(keys))
    }

    @Test func integersAreKeys() async throws {
        try await roundTrip(Int.min, -1, 0, 1, Int.max)
        try await roundTrip(UInt8.min, 7, UInt8.max)
        try await roundTrip(Int16(-300), 300)
        try await roundTrip(UInt64.max, 0)
    }

    @Test func textsAreKeys() async throws {
        try await roundTrip("", "a", "Ångström", "👩‍👩‍👧", "a\0b")
        try await roundTrip("abc".dropFirst(), "xyz".dropLast())
    }

    @Test func stringsThatAreEqualAreOneKey() {
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        #expect(composed == decomposed)
        let cache = MemoryCache<String, Int>()
        cache.set(element: 1, for: composed)
        #expect(cache.getElement(for: decomposed).element == 1)
        #expect(cache.getElement(for: "cafe") == .miss)
    }

    @Test func dataIdentifiersAndAddressesAreKeys() async throws {
        try await roundTrip(UUID(), UUID())
        try await roundTrip(Data(), Data([0, 1, 255]))
        try await roundTrip(URL(string: "https://example.com/a?b=c#d")!, URL(fileURLWithPath: "/tmp/x"))
    }

    @Test func rawValuesMakeKeys() async throws {
        try await roundTrip(Planet.earth, .mars)
        try await roundTrip(PostID(rawValue: 1), PostID(rawValue: -1))
        try await roundTrip(Both.one)
    }

    @Test func codableTypesAreKeysByOneLine() async throws {
        try await roundTrip(Tile(x: 1, y: 2, zoom: 0.5), Tile(x: 2, y: 1, zoom: .infinity))
    }

    @Test func bytesOfNoKeyAreRefused() {
        let bytes: [UInt8] = [0xFF, 0xFE, 0xFD]
        bytes.withUnsafeBytes {
            #expect(String(keyBytes: $0) == nil)
            #expect(Int(keyBytes: $0) == nil)
            #expect(UUID(keyBytes: $0) == nil)
            #expect(Planet(keyBytes: $0) == nil)
            #expect(Tile(keyBytes: $0) == nil)
        }
    }

    @Test func aKeyThatLiesAboutItsBytesFailsItsRequest() async {
        struct Liar: KVLightKey {
            let name: String
            func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R { try name.withKeyBytes(body) }
            init(name: String) { self.name = name }
            init?(keyBytes: UnsafeRawBufferPointer) { nil }
        }
        let tasks = KVLightTasks<Liar, Int>(provider: .batch { _ in [:] })
        await #expect(throws: KVLightError.undecodableKey) { try await tasks.fetch(key: Liar(name: "x")) }
    }

    @Test func errorsHaveSentences() {
        for error in [KVLightError.timeout, .queueFull, .unanswered, .closed, .keyTooLong, .undecodableKey, .other(status: -900)] {
            #expect("\(error)".count > 10)
        }
    }
}
