// How keys are spelled that are wanted at the moment, where their bytes lead to an equal key that is spelled otherwise.
//
// "é" may be one character or two, and a file has the name that it was given: the provider is to see the key that was asked for. The
// library knows the bytes, which are the same for both; the spelling is kept here for as long as somebody waits.

import Foundation

@usableFromInline
final class Spellings<K: KVLightKey>: @unchecked Sendable {
    private struct Entry {
        let key: K
        var holders = 1
    }

    /// Keeps spellings until it ends.
    final class Hold {
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
    /// Nobody waits for what is loaded in the background, so nothing says when it has come: the last of these stay.
    /// Their bytes, not holds of them: a hold keeps this object, which would keep itself.
    private var background: [[Data]] = []
    private static var keptInBackground: Int { 16 }

    init() {}

    /// Keeps the spellings of these keys for as long as what is returned lives; `nil` if none is special.
    @usableFromInline
    func hold(_ keys: some Sequence<K>) -> AnyObject? {
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

    /// The keys behind these bytes: as they were asked for, else as the bytes say; `nil` if the bytes are no key.
    @usableFromInline
    func key(of bytes: UnsafeRawBufferPointer) -> K? {
        let asked: K? = lock.withLock { entries.isEmpty ? nil : entries[Data(bytes)]?.key }
        return asked ?? K(keyBytes: bytes)
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
