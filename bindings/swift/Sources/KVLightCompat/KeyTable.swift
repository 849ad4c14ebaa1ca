// Any Hashable as a key of the library: each key has a number, and the library sees only the number.
//
// Keys are compared by Swift's equality, not by bytes. A key is pinned while a fetch or a write uses it. When the table has doubled in size
// it is swept: keys that are neither pinned nor stored are removed.
//
// A lookup in the table takes as long as one in the store. So Swift's integers, which are equal if their bits are, are not in the table:
// their bits are their numbers.

import Foundation
import KVLight

@usableFromInline
final class KeyTable<K: Hashable>: @unchecked Sendable {
    private struct Entry {
        let key: K
        var pins = 0
        /// Changed each time the key is pinned: a sweep that read an older stamp must not remove the key.
        var stamp: UInt64 = 0
    }

    @usableFromInline let lock = NSLock()
    @usableFromInline private(set) var numbers: [K: UInt64] = [:]
    private var entries: [UInt64: Entry] = [:]
    private var lastNumber: UInt64 = 0
    private var lastStamp: UInt64 = 0
    private var sweepAt = smallestSweep

    /// The number of keys below which no sweep is worth its time.
    private static var smallestSweep: Int { 1024 }

    /// Whether `K` is an integer of Swift, whose keys are their own numbers.
    @inlinable
    static var areNumbers: Bool {
        K.self == Int.self || K.self == UInt.self || K.self == Int64.self || K.self == UInt64.self || K.self == Int32.self
            || K.self == UInt32.self || K.self == Int16.self || K.self == UInt16.self || K.self == Int8.self || K.self == UInt8.self
    }

    @inlinable
    static func bits(_ key: K) -> UInt64 {
        var bits: UInt64 = 0
        withUnsafeMutableBytes(of: &bits) { bits in withUnsafeBytes(of: key) { bits.copyMemory(from: $0) } }
        return bits
    }

    /// Pins `key` and returns its number, which is valid until the key is unpinned as often as it was pinned.
    func pin(_ key: K) -> UInt64 {
        Self.areNumbers ? Self.bits(key) : lock.withLock { pinLocked(key) }
    }

    func pin(_ keys: [K]) -> [UInt64] {
        Self.areNumbers ? keys.map(Self.bits) : lock.withLock { keys.map(pinLocked) }
    }

    func unpin(_ numbers: [UInt64], stored: (UInt64) -> Bool) {
        if Self.areNumbers { return }
        let isLarge = lock.withLock {
            numbers.forEach { entries[$0]?.pins -= 1 }
            return entries.count >= sweepAt
        }
        if isLarge { sweep(stored: stored) }
    }

    func unpin(_ number: UInt64, stored: (UInt64) -> Bool) {
        if Self.areNumbers { return }
        let isLarge = lock.withLock {
            entries[number]?.pins -= 1
            return entries.count >= sweepAt
        }
        if isLarge { sweep(stored: stored) }
    }

    /// The key with a number, if it is pinned or stored.
    func key(_ number: UInt64) -> K? {
        Self.areNumbers ? withUnsafeBytes(of: number) { $0.load(as: K.self) } : lock.withLock { entries[number]?.key }
    }

    /// The number of a key that is stored or in use. The key is not pinned. Numbers are not reused, so a lookup by a removed number finds
    /// nothing.
    @inlinable
    func number(of key: K) -> UInt64? {
        Self.areNumbers ? Self.bits(key) : lock.withLock { numbers[key] }
    }

    var count: Int { lock.withLock { entries.count } }

    private func pinLocked(_ key: K) -> UInt64 {
        lastStamp += 1
        if let number = numbers[key] {
            entries[number]?.pins += 1
            entries[number]?.stamp = lastStamp
            return number
        }
        lastNumber += 1
        numbers[key] = lastNumber
        entries[lastNumber] = Entry(key: key, pins: 1, stamp: lastStamp)
        return lastNumber
    }

    /// Removes unused keys. `stored` is called outside the lock, since a lookup may release an expired element and so run code of the program.
    private func sweep(stored: (UInt64) -> Bool) {
        let idle: [(number: UInt64, stamp: UInt64)] = lock.withLock {
            sweepAt = Int.max
            return entries.compactMap { $0.value.pins == 0 ? ($0.key, $0.value.stamp) : nil }
        }
        let gone = idle.filter { !stored($0.number) }
        // Releasing a key may run code of the program, so that happens outside the lock.
        var forgotten: [K] = []
        lock.withLock {
            for (number, stamp) in gone {
                guard let entry = entries[number], entry.pins == 0, entry.stamp == stamp else { continue }
                entries[number] = nil
                numbers[entry.key] = nil
                forgotten.append(entry.key)
            }
            sweepAt = max(Self.smallestSweep, 2 * entries.count)
        }
        withExtendedLifetime(forgotten) {}
    }
}
