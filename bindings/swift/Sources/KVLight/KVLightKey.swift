// What may be a key, and the bytes that are its identity.

import Foundation

/// A key of a ``MemoryCache`` or of ``KVLightTasks``: a value with an identity in bytes.
///
/// Keys that are equal have equal bytes, keys that differ have different bytes, and the bytes lead back to the key. Strings,
/// integers, `UUID`, `Data` and `URL` are keys; a type whose raw value is a key, or which is `Codable`, becomes one by a line:
///
/// ```swift
/// enum Planet: String { case earth, mars }
/// extension Planet: KVLightKey {}
///
/// struct Tile: Codable, Hashable { var x, y, zoom: Int }
/// extension Tile: KVLightKey {}
/// ```
///
/// A key has at most 65,535 bytes; a longer one fails with ``KVLightError/keyTooLong``.
public protocol KVLightKey: Hashable, Sendable {
    /// Calls `body` with the bytes that identify this key. They are valid until it returns.
    func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R

    /// The key that has these bytes; `nil` if none has.
    init?(keyBytes: UnsafeRawBufferPointer)
}

extension KVLightKey where Self: RawRepresentable, RawValue: KVLightKey {
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try rawValue.withKeyBytes(body)
    }

    public init?(keyBytes: UnsafeRawBufferPointer) {
        guard let rawValue = RawValue(keyBytes: keyBytes) else { return nil }
        self.init(rawValue: rawValue)
    }
}

/// A `Codable` key is identified by its JSON text with sorted keys. Do not make keys of types that encode a `Set`, or a dictionary
/// whose keys are not strings: their order differs from run to run.
extension KVLightKey where Self: Codable {
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        guard let text = try? encoder.encode(self) else {
            preconditionFailure("a key that cannot be encoded is no key: \(self)")
        }
        return try text.withUnsafeBytes(body)
    }

    public init?(keyBytes: UnsafeRawBufferPointer) {
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        guard let key = try? decoder.decode(Self.self, from: Data(keyBytes)) else { return nil }
        self = key
    }
}

/// Of two ways to the bytes the raw value is the shorter one.
extension KVLightKey where Self: RawRepresentable & Codable, RawValue: KVLightKey {
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try rawValue.withKeyBytes(body)
    }

    public init?(keyBytes: UnsafeRawBufferPointer) {
        guard let rawValue = RawValue(keyBytes: keyBytes) else { return nil }
        self.init(rawValue: rawValue)
    }
}
