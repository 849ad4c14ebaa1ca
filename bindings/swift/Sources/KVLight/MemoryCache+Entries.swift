// Iterating over the entries of a cache, and saving and loading them.

import CKVLight
import Foundation

extension MemoryCache {
    /// The element type of the cache, for ``Entries``, where `Element` is the element type of the sequence.
    typealias Stored = Element

    /// One entry, at the time at which the iteration reaches it.
    public struct Entry: Sendable {
        public let key: K
        /// `nil` if the key is known to have no element.
        public let element: Element?
        /// The time since the element was loaded or set.
        public let age: Duration
        /// The time until the element expires; `nil` if it never does.
        public let timeLeft: Duration?
        /// The cost of the element, in bytes.
        public let cost: Int
    }

    /// An iteration over the entries, for use by one thread at a time.
    public final class Entries: Sequence, IteratorProtocol {
        public typealias Element = Entry

        private typealias Cached = MemoryCache.Stored
        private let raw: OpaquePointer?
        private let spellings: Spellings<K>

        init(_ cache: MemoryCache) {
            var made: OpaquePointer?
            kvl_iterator_new(cache.handle.raw, &made)
            raw = made
            spellings = cache.spellings
        }

        deinit {
            kvl_iterator_free(raw)
        }

        public func next() -> Entry? {
            var entry = kvl_result_t()
            while true {
                let status = kvl_iterator_next(raw, &entry, MemoryLayout<kvl_result_t>.size)
                guard status == KVL_VALUE || status == KVL_NULL else { return nil }
                // Entries whose bytes cannot be decoded are skipped.
                guard let key = spellings.key(of: UnsafeRawBufferPointer(start: entry.key, count: entry.key_len)) else { continue }
                return Entry(
                    key: key,
                    element: entry.object.map { borrowed($0, as: Box<Cached>.self).element },
                    age: .milliseconds(entry.age_ms),
                    timeLeft: entry.ttl_left_ms < 0 ? nil : .milliseconds(entry.ttl_left_ms),
                    cost: Int(clamping: entry.cost))
            }
        }
    }

    /// All entries: `for entry in cache.entries { … }`. A key that has an entry throughout appears exactly once, whatever other threads or the
    /// loop itself change. The iteration loads nothing, and does not count as a use or a lookup.
    public var entries: Entries { Entries(self) }

    /// Writes the entries to a file, with their remaining TTLs, their priorities and the order of their use. An existing file is replaced once
    /// the new one is complete.
    ///
    /// - Parameter encode: turns an element into bytes; the first error that it throws ends the save.
    /// - Returns: the number of entries written.
    /// - Throws: ``FileFailure``, also for a URL that is not that of a file, or the error of `encode`.
    @discardableResult
    public func save(to file: URL, encode: (Element) throws -> Data) throws -> Int {
        try withoutActuallyEscaping(encode) { encode in
            try transfer(file, kvl_cache_save_encoded, Conversion { entry in
                try makeBytes(encode(borrowed(entry.object, as: Box<Element>.self).element))
            })
        }
    }

    /// Stores the entries of a saved file, except those whose key has an entry already. A key whose bytes are not those of a `K`, as in the file
    /// of a cache with another key type, ends the load; the entries loaded before an error stay in the cache.
    ///
    /// - Parameter decode: reverses `encode`; the first error that it throws ends the load.
    /// - Returns: the number of entries stored.
    /// - Throws: ``FileFailure``, or the error of `decode`.
    @discardableResult
    public func load(from file: URL, decode: (Data) throws -> Element) throws -> Int {
        try withoutActuallyEscaping(decode) { decode in
            let conversion = Conversion { [self] entry in
                guard key(of: entry) != nil else { throw FileFailure(file, "has a key that is not a \(K.self)", .conversion) }
                let element = try decode(Data(UnsafeRawBufferPointer(start: entry.data, count: entry.data_len)))
                return makeValue(element, cost: pricing(element))
            }
            let loaded = Result { try transfer(file, kvl_cache_load_decoded, conversion) }
            // The library does not pass absences to the conversion, so their keys are checked afterwards.
            let hasAbsences = conversion.transferred.entries + conversion.transferred.skipped > conversion.calls
            let removed = hasAbsences ? removeUndecodableAbsences() : 0
            let count = try loaded.get()
            if removed > 0 { throw FileFailure(file, "has a key that is not a \(K.self)", .conversion) }
            return count
        }
    }

    /// Removes the absences whose keys cannot be decoded. Returns how many there were.
    private func removeUndecodableAbsences() -> Int {
        var iterator: OpaquePointer?
        kvl_iterator_new(handle.raw, &iterator)
        defer { kvl_iterator_free(iterator) }
        var removed = 0
        var entry = kvl_result_t()
        while true {
            let status = kvl_iterator_next(iterator, &entry, MemoryLayout<kvl_result_t>.size)
            guard status == KVL_VALUE || status == KVL_NULL else { return removed }
            guard status == KVL_NULL, key(of: entry) == nil else { continue }
            kvl_cache_remove(handle.raw, entry.key, entry.key_len)
            removed += 1
        }
    }

    private func key(of entry: kvl_result_t) -> K? {
        spellings.key(of: UnsafeRawBufferPointer(start: entry.key, count: entry.key_len))
    }

    private typealias Call = (
        OpaquePointer?, UnsafePointer<CChar>?, kvl_convert_fn?, kvl_transfer_fn?, UnsafeMutableRawPointer?, UnsafeMutablePointer<kvl_transfer_t>?, Int,
        UnsafeMutablePointer<OpaquePointer?>?
    ) -> kvl_status_t

    private func transfer(_ file: URL, _ call: Call, _ conversion: Conversion) throws -> Int {
        // The path of another URL, or of a file on another machine, would name a file here; one with a zero byte would name another file.
        let isLocal = file.isFileURL && ["", "localhost"].contains(file.host ?? "")
        guard isLocal, !file.path(percentEncoded: false).utf8.contains(0) else {
            throw FileFailure(file, "is not the URL of a file", .other(.other(status: KVL_ERR_INVALID_ARG)))
        }
        let convert: kvl_convert_fn = { conversion, entry in
            guard let entry else { return nil }
            return borrowed(conversion, as: Conversion.self)(entry.pointee)
        }
        let stops: kvl_transfer_fn = { conversion, _ in borrowed(conversion, as: Conversion.self).failure == nil ? 0 : 1 }
        var error: OpaquePointer?
        defer { kvl_error_release(error) }
        let status = withExtendedLifetime(conversion) {
            file.path.withCString {
                call(
                    handle.raw, $0, convert, stops, Unmanaged.passUnretained(conversion).toOpaque(), &conversion.transferred,
                    MemoryLayout<kvl_transfer_t>.size, &error)
            }
        }
        if let failure = conversion.failure { throw failure }
        guard status == KVL_OK else { throw FileFailure(status: status, error: error) }
        return Int(clamping: conversion.transferred.entries)
    }
}

extension MemoryCache where Element: Codable {
    /// Writes the entries to a file, the elements as JSON: ``save(to:encode:)``.
    @discardableResult
    public func save(to file: URL) throws -> Int {
        let encoder = JSONEncoder()
        // An array, since not every decoder accepts a bare string as JSON.
        return try save(to: file) { element in
            do { return try encoder.encode([element]) } catch {
                throw FileFailure(file, "cannot be written: an element cannot be encoded: \(error)", .conversion)
            }
        }
    }

    /// Stores the entries of a file that ``save(to:)`` wrote, except those whose key has an entry already.
    @discardableResult
    public func load(from file: URL) throws -> Int {
        let decoder = JSONDecoder()
        return try load(from: file) { data in
            do {
                guard let element = try decoder.decode([Element].self, from: data).first else {
                    throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "an entry without an element"))
                }
                return element
            } catch {
                throw FileFailure(file, "has an element that is not a \(Element.self): \(error)", .conversion)
            }
        }
    }
}

/// Why a file could not be saved or loaded.
public struct FileFailure: Error, LocalizedError, CustomStringConvertible {
    public enum Reason: Hashable, Sendable {
        /// The operating system reported this error number.
        case system(code: Int)
        /// The file is damaged, or is not a saved cache.
        case damaged
        /// The file is truncated.
        case truncated
        /// The file has a version that the library does not know.
        case version
        /// A key or an element of the file is not one of this cache, or an element of the cache cannot be encoded.
        case conversion
        /// The URL is not that of a file, the cache is closed, or there is not enough memory.
        case other(KVLightError)
    }

    public let reason: Reason
    /// A message that names the file.
    public let description: String

    init(_ file: URL, _ problem: String, _ reason: Reason) {
        self.reason = reason
        description = "\(file.isFileURL ? file.path : file.absoluteString) \(problem)"
    }

    init(status: kvl_status_t, error: OpaquePointer?) {
        reason =
            switch status {
            case KVL_ERR_IO: .system(code: Int(kvl_error_code(error)))
            case KVL_ERR_CORRUPT: .damaged
            case KVL_ERR_TRUNCATED: .truncated
            case KVL_ERR_FILE_VERSION: .version
            default: .other(KVLightError(status: status))
            }
        description = String(cString: error == nil ? kvl_status_message(status) : kvl_error_message(error))
    }

    public var errorDescription: String? { description }
}

/// The conversion function of one save or load, its first error, and how often the library called it. Also the final progress.
private final class Conversion {
    private let convert: (kvl_result_t) throws -> OpaquePointer?
    private(set) var failure: (any Error)?
    private(set) var calls = 0
    var transferred = kvl_transfer_t()

    init(_ convert: @escaping (kvl_result_t) throws -> OpaquePointer?) {
        self.convert = convert
    }

    func callAsFunction(_ entry: kvl_result_t) -> OpaquePointer? {
        calls += 1
        guard failure == nil else { return nil }
        do {
            return try convert(entry)
        } catch {
            failure = error
            return nil
        }
    }
}

/// Creates a value of bytes. The library releases it.
private func makeBytes(_ data: Data) -> OpaquePointer? {
    var value: OpaquePointer?
    data.withUnsafeBytes { bytes in
        _ = kvl_value_new_bytes(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count, &value)
    }
    return value
}
