// A second tier that engines share.

import Foundation
import KVLight
import Testing

/// A store in memory that grants leases, and compares tokens.
final class MemoryTier: SecondTier, @unchecked Sendable {
    private struct Row {
        var token: [UInt8]
        var entry: TierEntry?
    }

    private let lock = NSLock()
    private var rows: [[UInt8]: Row] = [:]
    private var last: UInt8 = 0
    private var isDown = false
    private var answersTooFew = false

    let isConditional = true
    let grantsLeases = true

    func setDown(_ isDown: Bool) { lock.withLock { self.isDown = isDown } }

    func setAnswersTooFew(_ answersTooFew: Bool) { lock.withLock { self.answersTooFew = answersTooFew } }

    func has(_ key: String) -> Bool { lock.withLock { rows[Array(key.utf8)]?.entry != nil } }

    private func nextToken() -> [UInt8] {
        last &+= 1
        return [last]
    }

    private func locked<R>(_ body: () throws -> R) throws -> R {
        try lock.withLock {
            if isDown { throw Broken() }
            return try body()
        }
    }

    func read(_ keys: [TierKey]) async throws -> [TierFound] {
        try locked {
            if answersTooFew { return [] }
            return keys.map { wanted in
                guard let row = rows[wanted.key] else {
                    let token = nextToken()
                    rows[wanted.key] = Row(token: token)
                    return .nothing(token: token)
                }
                guard let entry = row.entry else { return .leased }
                return .entry(data: entry.data, left: entry.timeToLive.map { .remaining($0) } ?? .never, token: row.token)
            }
        }
    }

    func fill(_ entries: [TierEntry]) async throws -> [Bool] {
        try locked {
            entries.map { entry in
                guard rows[entry.key]?.token == entry.token else { return false }
                rows[entry.key] = Row(token: nextToken(), entry: entry)
                return true
            }
        }
    }

    func write(_ entries: [TierEntry]) async throws {
        try locked { entries.forEach { rows[$0.key] = Row(token: nextToken(), entry: $0) } }
    }

    func remove(_ keys: [[UInt8]]) async throws {
        try locked { keys.forEach { rows[$0] = nil } }
    }

    func clear() async throws {
        try locked { rows = [:] }
    }
}

@Suite struct SecondTierTests {
    /// An engine with this second tier. The element "secret" cannot be encoded, and "lost" cannot be decoded.
    private func engine(_ tier: MemoryTier, calls: Locked<[[String]]> = Locked([]), failures: Locked<Int> = Locked(0)) -> KVLightTasks<String, String> {
        echo(calls: calls) { config in
            var sharing = Sharing<String>(
                through: tier,
                encode: { element in
                    if element == "secret" { throw Broken() }
                    return Array(element.utf8)
                },
                decode: { bytes in
                    let element = String(decoding: bytes, as: UTF8.self)
                    if element == "lost" { throw Broken() }
                    return element
                },
                failed: { _ in failures.add() })
            sharing.timeout = .seconds(60)
            sharing.writeTimeout = .seconds(60)
            config.sharing = sharing
            config.cache.timeToLive = .seconds(600)
        }
    }

    @Test func t02_oneEngineFindsWhatAnotherHasLoadedAndWritten() async throws {
        let tier = MemoryTier()
        let calls = Locked<[[String]]>([])
        let (a, b) = (engine(tier, calls: calls), engine(tier, calls: calls))
        #expect(try await a.fetch(key: "x") == "value of x")
        #expect(await eventually { tier.has("x") })
        #expect(try await b.fetch(key: "x") == "value of x")
        #expect(try await a.fetch(key: "no y") == nil)
        #expect(await eventually { tier.has("no y") })
        #expect(try await b.fetch(key: "no y") == nil)
        #expect(calls.current == [["x"], ["no y"]])
        a.cache.set(element: "written", for: "x")
        #expect(try await a.syncSecondTier(within: .seconds(60)))
        try b.invalidate(keys: ["x"])
        #expect(try await b.fetch(key: "x") == "written")
        a.cache.removeElement(for: "x")
        #expect(try await a.syncSecondTier(within: .seconds(60)))
        #expect(!tier.has("x"))
    }

    @Test func t13_anElementThatCannotBeEncodedStaysHereAndAnEntryThatCannotBeDecodedIsAMiss() async throws {
        let tier = MemoryTier()
        let failures = Locked(0)
        let (a, b) = (engine(tier), engine(tier, failures: failures))
        a.cache.set(element: "public", for: "x")
        a.cache.set(element: "lost", for: "y")
        #expect(try await a.syncSecondTier(within: .seconds(60)))
        a.cache.set(element: "secret", for: "x")
        #expect(try await a.syncSecondTier(within: .seconds(60)))
        #expect(!tier.has("x") && tier.has("y"))
        #expect(try await a.fetch(key: "x") == "secret")
        #expect(try await b.fetch(key: "y") == "value of y")
        #expect(failures.current > 0)
    }

    @Test func t01_failuresOfTheSecondTierAreMisses() async throws {
        let tier = MemoryTier()
        let failures = Locked(0)
        let a = engine(tier, failures: failures)
        tier.setDown(true)
        #expect(try await a.fetch(key: "x") == "value of x")
        a.cache.set(element: "written", for: "y")
        tier.setDown(false)
        tier.setAnswersTooFew(true)
        #expect(try await a.fetch(key: "z") == "value of z")
        #expect(await eventually { tier.has("y") })
        #expect(failures.current > 0)
    }

    @Test func l05_anEngineEndsWhileItsSecondTierIsAtWork() async throws {
        let live = Locked(0)
        weak var engineThatEnds: KVLightTasks<String, Tracked>?
        do {
            var config = KVLightTasks<String, Tracked>.Config(provider: .single { key in Tracked(key, live) })
            config.sharing = Sharing(
                through: MemoryTier(), encode: { Array($0.name.utf8) }, decode: { Tracked(String(decoding: $0, as: UTF8.self), live) })
            let tasks = KVLightTasks<String, Tracked>(config: config)
            engineThatEnds = tasks
            #expect(try await tasks.fetch(key: "x")?.name == "x")
            await tasks.close()
        }
        #expect(engineThatEnds == nil)
        #expect(await eventually { live.current == 0 })
    }

    @Test func l09_aURLWithANULIsRefused() {
        do {
            _ = try RedisTier("redis://localhost/?prefix=a\0b", paths: [])
            Issue.record("C would read only what is before the NUL")
        } catch {
            #expect(error.description == "The URL contains a NUL.")
        }
    }

    @Test func t18_aMissingRedisLibraryIsReportedWithHowToFixIt() {
        let nowhere = "/nowhere/libkvlight_redis.so"
        do {
            _ = try RedisTier("redis://:secret@localhost/?prefix=p", paths: [nowhere])
            Issue.record("there is no such library")
        } catch {
            for part in [nowhere, "make redis", "KVL_REDIS_LIBRARY"] { #expect(error.description.contains(part)) }
            #expect(!error.description.contains("secret"))
        }
    }
}
