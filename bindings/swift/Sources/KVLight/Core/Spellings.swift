// The spellings of requested keys that cannot be restored from their bytes.
//
// "é" may be one scalar or two, and a file system may distinguish them: the provider has to receive the key as the caller wrote it. The
// library has only the bytes, which are the same for both. So the spelling is kept here while a caller waits.

import Foundation

@usableFromInline
final class Spellings<K: KVLightKey>: @unchecked Sendable {
    private struct Entry {
        let key: K
        var holders = 1
    }

    /// Keeps spellings as long as it exists.
    final class Hold: Sendable {
        private let spellings: Spellings
        private let names: [Data]

        init?(_ keys: some Sequence<K>, in spellings: Spellings) {
            var names: [Data] = []
            for key in keys where !key.isExactKey {
                names.append(spellings.add(key))
            }
            if names.isEmpty { return nil }
            self.spellings = spellings
            self.names = names
        }

        deinit {
            names.forEach(spellings.remove)
        }
    }

    private let lock = NSLock()
    private var entries: [Data: Entry] = [:]
    /// The bytes of the keys of the latest background loads. Nothing observes the end of such a load, since no caller waits for it. Not
    /// `Hold`s, which refer to this object and would make a cycle.
    private var background: [[Data]] = []
    /// For an older background load the provider receives the decoded spelling.
    private static var keptInBackground: Int { 16 }

    init() {}

    /// Keeps the spellings of these keys as long as the result exists; `nil` if none needs to be kept.
    @inlinable
    func hold(_ keys: some Collection<K>) -> (any AnyObject & Sendable)? {
        keys.allSatisfy(\.isExactKey) ? nil : holdInexact(keys)
    }

    @usableFromInline
    func holdInexact(_ keys: some Sequence<K>) -> (any AnyObject & Sendable)? {
        Hold(keys, in: self)
    }

    func holdInBackground(_ keys: some Sequence<K>) {
        var names: [Data] = []
        for key in keys where !key.isExactKey {
            names.append(add(key))
        }
        if names.isEmpty { return }
        let oldest: [Data] = lock.withLock {
            background.append(names)
            return background.count > Self.keptInBackground ? background.removeFirst() : []
        }
        oldest.forEach(remove)
    }

    /// The key for these bytes: with the requested spelling if that is kept, otherwise decoded; `nil` if the bytes are not a key.
    @inlinable
    func key(of bytes: UnsafeRawBufferPointer) -> K? {
        isEmpty ? K(keyBytes: bytes) : requested(bytes) ?? K(keyBytes: bytes)
    }

    @usableFromInline
    var isEmpty: Bool { lock.withLock { entries.isEmpty } }

    @usableFromInline
    func requested(_ bytes: UnsafeRawBufferPointer) -> K? {
        lock.withLock { entries[Data(bytes)]?.key }
    }

    private func add(_ key: K) -> Data {
        let name = key.withKeyBytes { Data($0) }
        lock.withLock {
            if entries[name] == nil { entries[name] = Entry(key: key) } else { entries[name]?.holders += 1 }
        }
        return name
    }

    private func remove(_ name: Data) {
        let ended: K? = lock.withLock {
            guard let entry = entries[name] else { return nil }
            if entry.holders == 1 { return entries.removeValue(forKey: name)?.key }
            entries[name]?.holders -= 1
            return nil
        }
        withExtendedLifetime(ended) {}
    }
}
