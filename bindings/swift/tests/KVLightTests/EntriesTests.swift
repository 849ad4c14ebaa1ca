// Iteration over the entries, and saving them to files.

import Foundation
import KVLight
import Testing

struct Post: Codable, Equatable, Sendable {
    var id: Int
    var title: String
}

extension MemoryCache {
    fileprivate convenience init(_ elements: [K: Element]) {
        self.init()
        for (key, element) in elements { self[key] = element }
    }
}

@Suite final class EntriesTests {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("kvlight-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    @Test func s18_iterationReturnsEachEntryOnce() {
        let cache = MemoryCache<Int, String>(configuration: .init(capacity: 10_000, timeToLive: .seconds(60)))
        for i in 0..<1000 { cache[i] = "\(i)" }
        cache.set(element: nil, for: -1)
        var seen: [Int: String?] = [:]
        for entry in cache.entries {
            #expect(seen.updateValue(entry.element, forKey: entry.key) == nil)
            cache.removeElement(for: 7)
            cache[100_000 + entry.key] = "new"
            if entry.key == 5 {
                #expect(entry.timeLeft.map { $0 > .zero && $0 <= .seconds(61) } == true && entry.cost > 0)
            }
        }
        #expect((0..<1000).allSatisfy { $0 == 7 || seen[$0] == .some("\($0)") })
        #expect(seen[-1] == .some(nil))
        let iterator = MemoryCache<Int, Int>().entries.makeIterator()
        #expect(iterator.next() == nil && iterator.next() == nil)
    }

    @Test func s18_iterationReleasesItsElements() async {
        let live = Locked(0)
        do {
            let cache = MemoryCache<String, Tracked>()
            for i in 0..<100 { cache["\(i)"] = Tracked("\(i)", live) }
            let entries = cache.entries.makeIterator()
            _ = entries.next()
            cache.removeAll()
            #expect(live.current <= 1)
        }
        #expect(await eventually { live.current == 0 })
    }

    @Test func s18_elementsAreSavedAndLoaded() throws {
        let file = folder.appendingPathComponent("posts")
        let clock = ManualClock()
        var configuration = CacheConfiguration<String, Post>(capacity: 10_000, timeToLive: .seconds(100))
        configuration.clock = clock
        let cache = MemoryCache(configuration: configuration)
        for i in 0..<3000 { cache["é\(i)"] = Post(id: i, title: "post \(i)") }
        cache.set(element: nil, for: "none", expiredIn: .never)
        clock.advance(by: .seconds(40))
        #expect(try cache.save(to: file) == 3001)
        let other = MemoryCache(configuration: configuration)
        other["é3"] = Post(id: 0, title: "younger")
        #expect(try other.load(from: file) == 3000)
        #expect(other["é7"] == Post(id: 7, title: "post 7") && other["é3"]?.title == "younger" && other.contains("none"))
        clock.advance(by: .seconds(61))
        #expect(other.count == 2)
    }

    @Test func s18_aThrownErrorEndsASaveAndKeepsTheOlderFile() throws {
        let file = folder.appendingPathComponent("other")
        try Data("older".utf8).write(to: file)
        let cache = MemoryCache<Int, String>()
        cache[1] = "one"
        cache[2] = "two"
        var calls = 0
        #expect(throws: Broken.self) {
            try cache.save(to: file) { _ in
                calls += 1
                throw Broken()
            }
        }
        #expect(calls == 1)
        #expect(try Data(contentsOf: file) == Data("older".utf8))
        #expect(try cache.save(to: file) { Data($0.utf8) } == 2)
        let other = MemoryCache<Int, String>()
        #expect(throws: Broken.self) { try other.load(from: file) { _ in throw Broken() } }
        #expect(try other.load(from: file) { String(decoding: $0, as: UTF8.self) } == 2)
        #expect(other[1] == "one" && other[2] == "two")
    }

    @Test func s18_aFileThatCannotBeUsedThrowsTheReason() throws {
        let cache = MemoryCache<Int, String>()
        func reason(_ name: String) -> FileFailure.Reason? {
            do {
                try cache.load(from: folder.appendingPathComponent(name))
                return nil
            } catch {
                #expect(error.localizedDescription.contains(name))
                return (error as? FileFailure)?.reason
            }
        }
        #expect(reason("missing") == .system(code: Int(ENOENT)))
        try Data("something else".utf8).write(to: folder.appendingPathComponent("text"))
        #expect(reason("text") == .damaged)
        try Data().write(to: folder.appendingPathComponent("empty"))
        #expect(reason("empty") == .truncated)
    }

    private func reason(_ work: () throws -> Int) -> FileFailure.Reason? {
        do {
            Issue.record("\(try work()) entries")
            return nil
        } catch {
            return (error as? FileFailure)?.reason
        }
    }

    @Test func s18_aFileWithOtherKeysOrElementsIsRefused() throws {
        let file = folder.appendingPathComponent("words")
        let words = MemoryCache<String, String>()
        for i in 0..<20 { words.set(element: i % 10 == 0 ? nil : "v\(i)", for: "word \(i)") }
        #expect(try words.save(to: file) == 20)
        let numbers = MemoryCache<Int, String>()
        #expect(reason { try numbers.load(from: file) } == .conversion)
        #expect(reason { try numbers.load(from: file) { _ in "x" } } == .conversion)
        #expect(numbers.isEmpty)
        do {
            try MemoryCache<String, Int>().load(from: file)
            Issue.record("elements of another type are loaded")
        } catch {
            #expect((error as? FileFailure)?.reason == .conversion && error.localizedDescription.contains(file.path))
        }
        // The keys of absences are checked too.
        let absences = MemoryCache<String, String>()
        absences.set(element: nil, for: "nobody")
        try absences.save(to: file)
        #expect(reason { try numbers.load(from: file) } == .conversion)
        #expect(numbers.isEmpty)
        let others = MemoryCache<String, String>()
        #expect(try others.load(from: file) == 1 && others.contains("nobody"))
        #expect(reason { try MemoryCache<String, Double>(["nan": .nan]).save(to: file) } == .conversion)
    }

    @Test func s18_aURLThatIsNotThatOfAFileIsRefused() throws {
        let cache = MemoryCache<Int, String>()
        let urls = ["http://x/y", "y", "file://elsewhere/y", "file:///tmp/a%00b"].compactMap { URL(string: $0) }
        #expect(urls.count == 4)
        for url in urls {
            #expect(reason { try cache.save(to: url) } == .other(.other(status: -1)), "\(url)")
            #expect(reason { try cache.load(from: url) } == .other(.other(status: -1)), "\(url)")
        }
    }
}
