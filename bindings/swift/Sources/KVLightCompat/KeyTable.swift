// Any Hashable as a key of the library's: each key has a number, and the number is what the library sees.
//
// Swift's equality decides what one key is, whatever the bytes are. A key that is in use, asked or written just now, is pinned.
// When the table has doubled it is swept: what is neither pinned nor stored is forgotten.

import Foundation
import KVLight

final class KeyTable<K: Hashable>: @unchecked Sendable {
    private struct Entry {
        let key: K
        var pins = 0
        /// Another one each time that the key is pinned: who looked at an older one knows nothing of what came since.
        var stamp: UInt64 = 0
    }

    private let lock = NSLock()
    private var numbers: [K: UInt64] = [:]
    private var entries: [UInt64: Entry] = [:]
    private var lastNumber: UInt64 = 0
    private var lastStamp: UInt64 = 0
    private var sweepAt = smallestSweep

    private static var smallestSweep: Int { 1024 }

    /// The number of `key`, which stays until it is unpinned as often.
    func pin(_ key: K) -> UInt64 {
        lock.withLock { pinLocked(key) }
    }

    func pin(_ keys: [K]) -> [UInt64] {
        lock.withLock { keys.map(pinLocked) }
    }

    func unpin(_ numbers: [UInt64], stored: (UInt64) -> Bool) {
        let isLarge = lock.withLock {
            numbers.forEach { entries[$0]?.pins -= 1 }
            return entries.count >= sweepAt
        }
        if isLarge { sweep(stored: stored) }
    }

    func unpin(_ number: UInt64, stored: (UInt64) -> Bool) {
        let isLarge = lock.withLock {
            entries[number]?.pins -= 1
            return entries.count >= sweepAt
        }
        if isLarge { sweep(stored: stored) }
    }

    /// The key behind a number: of those that are pinned or stored.
    func key(_ number: UInt64) -> K? {
        lock.withLock { entries[number]?.key }
    }

    /// The number of a key that is stored or in use. It is not pinned: no number is given twice, so one that is forgotten meanwhile finds nothing.
    func number(of key: K) -> UInt64? {
        lock.withLock { numbers[key] }
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

    /// The store is asked outside the lock, since its answer may end an expired element, and with it code of the program's.
    private func sweep(stored: (UInt64) -> Bool) {
        let idle: [(number: UInt64, stamp: UInt64)] = lock.withLock {
            sweepAt = Int.max
            return entries.compactMap { $0.value.pins == 0 ? ($0.key, $0.value.stamp) : nil }
        }
        let gone = idle.filter { !stored($0.number) }
        // Keys may run code of the program's when they end: after the lock.
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
