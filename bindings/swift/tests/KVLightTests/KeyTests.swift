// Types of keys.

import Foundation
import KVLight
import Testing

private enum Planet: String, CaseIterable { case earth, mars }
extension Planet: KVLightKey {}

private struct Tile: Codable, Hashable { var x, y: Int; var zoom: Double }
extension Tile: KVLightKey {}

/// Properties of types that synthesised conformances encode, and of types that JSON encodes specially.
private struct Everything: Codable, Hashable, KVLightKey {
    enum Either: Codable, Hashable { case first, second(name: String, Double) }

    var text = "text"
    var maybe: Int?
    var either = Either.first
    var tags: Set<String> = ["b", "a"]
    var places: [Tile: String] = [:]
    var names: [String: [Int8]] = ["one": [1], "two": [-2, 2]]
    var numbers: [Int: Float] = [1: 1.5]
    var when = Date(timeIntervalSinceReferenceDate: 0.1)
    var data = Data([0, 255])
    var address = URL(string: "https://example.com/a/b")!
    var identifier = UUID(uuid: (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16))
    var amount = Decimal(string: "12345678901234567890.125")!
    var nested: [[Bool?]] = [[true, nil], []]
    var large = UInt64.max
}

/// Encodes both of its properties into the same nested container, which it asks for twice.
private struct Place: Codable, Hashable, KVLightKey {
    enum Keys: CodingKey { case at, x, y }

    var x, y: Int

    init(x: Int, y: Int) { (self.x, self.y) = (x, y) }

    init(from decoder: any Decoder) throws {
        let at = try decoder.container(keyedBy: Keys.self).nestedContainer(keyedBy: Keys.self, forKey: .at)
        (x, y) = (try at.decode(Int.self, forKey: .x), try at.decode(Int.self, forKey: .y))
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Keys.self)
        var first = container.nestedContainer(keyedBy: Keys.self, forKey: .at)
        try first.encode(x, forKey: .x)
        var second = container.nestedContainer(keyedBy: Keys.self, forKey: .at)
        try second.encode(y, forKey: .y)
    }
}

private enum Both: String, Codable { case one }
extension Both: KVLightKey {}

private struct PostID: RawRepresentable, Hashable, Sendable { let rawValue: Int64 }
extension PostID: KVLightKey {}

@Suite struct KeyTests {
    /// Checks that the provider receives exactly the requested keys.
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

    @Test func stringsAreKeys() async throws {
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

    @Test func stringsThatAreEqualAreLoadedOnce() async throws {
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        let calls = Locked<[[String]]>([])
        let tasks = echo(calls: calls)
        #expect(try await tasks.fetch(key: decomposed) == "value of café")
        #expect(try await tasks.fetch(key: composed) == "value of café")
        #expect(calls.current.count == 1)
        #expect(tasks.cache.contains(composed) && tasks.cache.contains(decomposed))
    }

    /// File systems may distinguish spellings of equal names.
    @Test func theProviderReceivesTheKeyAsRequested() async throws {
        let names = ["cafe\u{301}", "caf\u{E8}", "A\u{30A}", "plain"]
        /// The keys that the provider received, as scalars: equal strings may differ in them.
        func seen(_ ask: (KVLightTasks<String, Int>) async throws -> Void) async throws -> Set<[Unicode.Scalar]> {
            let seen = Locked<Set<[Unicode.Scalar]>>([])
            let tasks = KVLightTasks<String, Int> { (keys: [String]) in
                seen.update { seen in keys.forEach { seen.insert(Array($0.unicodeScalars)) } }
                return Dictionary(uniqueKeysWithValues: keys.map { ($0, $0.utf8.count) })
            }
            try await ask(tasks)
            #expect(await eventually { seen.current.count == names.count })
            return seen.current
        }
        let wanted = Set(names.map { Array($0.unicodeScalars) })
        #expect(try await seen { tasks in for name in names { _ = try await tasks.fetch(key: name) } } == wanted)
        #expect(try await seen { tasks in _ = try await tasks.values(for: names) } == wanted)
        #expect(try await seen { tasks in _ = await tasks.results(for: names) } == wanted)
        #expect(try await seen { tasks in for try await _ in tasks.stream(keys: names) {} } == wanted)
        #expect(try await seen { tasks in tasks.fetch(keys: names) { (_: String, _: Result<Int?, any Error>) in } } == wanted)
        #expect(try await seen { tasks in names.forEach { tasks.fetch(key: $0) { _, _ in } } } == wanted)
        #expect(try await seen { tasks in tasks.prefetch(keys: names) } == wanted)
        #expect(try await seen { tasks in try tasks.refresh(keys: names) } == wanted)
    }

    @Test func aRetryReceivesTheKeyAsRequested() async throws {
        let seen = Locked<[[UInt8]]>([])
        let clock = ManualClock()
        var config = KVLightTasks<String, Int>.Config(
            provider: .single { key in
                seen.update { $0.append(Array(key.utf8)) }
                if seen.current.count == 1 { throw Broken() }
                return 1
            })
        config.retry = .fixed(1, pause: .seconds(1))
        config.cache.clock = clock
        let tasks = KVLightTasks(config: config)
        async let fetched = tasks.fetch(key: "e\u{301}")
        #expect(await eventually { seen.current.count == 1 })
        #expect(await eventually {
            clock.advance(by: .seconds(1))
            return seen.current.count == 2
        })
        #expect(try await fetched == 1)
        #expect(seen.current == [Array("e\u{301}".utf8), Array("e\u{301}".utf8)])
    }

    @Test func dataUUIDsAndURLsAreKeys() async throws {
        try await roundTrip(UUID(), UUID())
        try await roundTrip(Data(), Data([0, 1, 255]))
        try await roundTrip(URL(string: "https://example.com/a?b=c#d")!, URL(fileURLWithPath: "/tmp/x"))
    }

    @Test func typesWithRawValuesAreKeys() async throws {
        try await roundTrip(Planet.earth, .mars)
        try await roundTrip(PostID(rawValue: 1), PostID(rawValue: -1))
        try await roundTrip(Both.one)
    }

    @Test func codableTypesBecomeKeysWithOneLine() async throws {
        try await roundTrip(Tile(x: 1, y: 2, zoom: 0.5), Tile(x: 2, y: 1, zoom: .infinity))
        try await roundTrip(Everything(), Everything(text: "\"\\\u{1}\n/é", maybe: 7, either: .second(name: "x", 2.5)))
    }

    @Test func codableKeysMayAskForANestedContainerTwice() async throws {
        try await roundTrip(Place(x: 1, y: 2), Place(x: 2, y: 2))
    }

    @Test func equalCodableKeysAreOneKeyWhateverTheirSpelling() async throws {
        func areOne<K: KVLightKey>(_ first: K, _ second: K) async throws {
            #expect(first == second)
            let cache = MemoryCache<K, Int>()
            cache.set(element: 1, for: first)
            #expect(cache.getElement(for: second).element == 1)
            let given = Locked<[K]>([])
            let tasks = KVLightTasks<K, Int>(provider: .single { key in given.update { $0.append(key) }; return 2 })
            #expect(try await tasks.fetch(key: second) == 2)
            #expect(try await tasks.fetch(key: first) == 2)
            #expect(given.current == [first])
        }
        try await areOne(Tile(x: 1, y: 1, zoom: 0), Tile(x: 1, y: 1, zoom: -0.0))
        try await areOne(Everything(text: "caf\u{E9}"), Everything(text: "cafe\u{301}"))
        let words = (0..<100).map { "word \($0)" }
        var (some, others) = (Everything(), Everything())
        some.tags = Set(words)
        others.tags = Set(minimumCapacity: 10_000)
        words.reversed().forEach { others.tags.insert($0) }
        try await areOne(some, others)
        some.places = Dictionary(uniqueKeysWithValues: (0..<100).map { (Tile(x: $0, y: 0, zoom: 1), "at \($0)") })
        others.places = Dictionary(minimumCapacity: 10_000)
        (0..<100).reversed().forEach { others.places[Tile(x: $0, y: 0, zoom: 1)] = "at \($0)" }
        try await areOne(some, others)
    }

    @Test func theProviderReceivesACodableKeyAsRequested() async throws {
        let seen = Locked<[Everything]>([])
        let tasks = KVLightTasks<Everything, Int> { key in
            seen.update { $0.append(key) }
            return 1
        }
        _ = try await tasks.fetch(key: Everything(text: "cafe\u{301}"))
        #expect(Array(seen.current[0].text.utf8) == Array("cafe\u{301}".utf8))
    }

    @Test func f04_theProviderReceivesACodableKeyWithARelativeURLAsRequested() async throws {
        let seen = Locked<[URL]>([])
        let tasks = KVLightTasks<Everything, Int> { keys in
            seen.update { $0 += keys.map(\.address) }
            return Dictionary(uniqueKeysWithValues: keys.map { ($0, 1) })
        }
        var key = Everything()
        key.address = try #require(URL(string: "a/b", relativeTo: URL(string: "https://example.com/")))
        #expect(try await tasks.values(for: [key]) == [key: 1])
        #expect(seen.current.map(\.relativeString) == ["a/b"])
    }

    @Test func f04_aSingleKeyNeedNotBeEqualToItself() async throws {
        let tile = Tile(x: 0, y: 0, zoom: .nan)
        let tasks = KVLightTasks<Tile, Int>(provider: .single { (_: Tile, done: @escaping KVLightTasks<Tile, Int>.Provider.Completion) in done(.success(1)) })
        #expect(try await tasks.fetch(key: tile) == 1)
    }

    @Test func bytesThatAreNoKeyAreRejected() {
        let bytes: [UInt8] = [0xFF, 0xFE, 0xFD]
        bytes.withUnsafeBytes {
            #expect(String(keyBytes: $0) == nil)
            #expect(Int(keyBytes: $0) == nil)
            #expect(UUID(keyBytes: $0) == nil)
            #expect(Planet(keyBytes: $0) == nil)
            #expect(Tile(keyBytes: $0) == nil)
        }
    }

    @Test func aKeyWhoseBytesCannotBeDecodedFailsItsRequest() async {
        struct Liar: KVLightKey {
            let name: String
            func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R { try name.withKeyBytes(body) }
            init(name: String) { self.name = name }
            init?(keyBytes: UnsafeRawBufferPointer) { nil }
        }
        let tasks = KVLightTasks<Liar, Int>(provider: .batch { _ in [:] })
        await #expect(throws: KVLightError.undecodableKey) { try await tasks.fetch(key: Liar(name: "x")) }
    }

    @Test func errorsHaveMessages() {
        for error in [KVLightError.timeout, .queueFull, .unanswered, .closed, .keyTooLong, .undecodableKey, .other(status: -900)] {
            #expect("\(error)".count > 10)
            #expect(error.localizedDescription == "\(error)")
            // The message uses the names of this package, not those of the C library's settings.
            #expect(!["max_", "_ms", "kvl_", "queue."].contains { "\(error)".contains($0) })
        }
    }
}
