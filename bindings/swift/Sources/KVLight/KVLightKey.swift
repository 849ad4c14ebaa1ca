// The protocol of keys, and the bytes that identify them.

import Foundation

/// A key of a ``MemoryCache`` or of ``KVLightTasks``: a value with an identity in bytes.
///
/// Equal keys have equal bytes, different keys have different bytes, and the bytes can be decoded to the key or to an equal one. Strings,
/// integers, `UUID`, `Data` and `URL` are keys; a type whose raw value is a key, or which is `Codable`, becomes a key with one line:
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
///
/// A provider receives the key in the spelling of the caller. If equal keys with different spellings are requested at the same time, it
/// receives one of them. A removal listener may receive the key in any spelling.
public protocol KVLightKey: Hashable, Sendable {
    /// Calls `body` with the bytes that identify this key. They are valid until it returns.
    func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R

    /// The key that has these bytes; `nil` if none has.
    init?(keyBytes: UnsafeRawBufferPointer)

    /// Whether the bytes are decoded to exactly this key, rather than to an equal one with another spelling, such as a string with other scalars.
    /// `true` by default.
    var isExactKey: Bool { get }
}

extension KVLightKey {
    @inlinable
    public var isExactKey: Bool { true }
}

extension KVLightKey where Self: RawRepresentable, RawValue: KVLightKey {
    public var isExactKey: Bool { rawValue.isExactKey }

    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try rawValue.withKeyBytes(body)
    }

    public init?(keyBytes: UnsafeRawBufferPointer) {
        guard let rawValue = RawValue(keyBytes: keyBytes) else { return nil }
        self.init(rawValue: rawValue)
    }
}

/// A `Codable` key is identified by its encoding as JSON in a canonical form: strings composed, zero without a sign, sets and dictionaries
/// sorted. Keys with equal encodings are therefore one key. A type whose `==` also ignores case or a property has to implement the protocol
/// itself, with bytes that equal keys have in common. Such an implementation is also faster.
///
/// Every key must have an encoding: one whose `encode(to:)` throws ends the program. A key that is not equal to itself, such as one with a
/// NaN, has no entry in the dictionary of a provider of many keys, and is unanswered.
extension KVLightKey where Self: Codable {
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        let bytes: [UInt8]
        do { bytes = try CanonicalJSON.text(of: self).bytes } catch { fatalError("a key cannot be encoded: \(self): \(error)") }
        return try bytes.withUnsafeBytes(body)
    }

    public var isExactKey: Bool { (try? CanonicalJSON.text(of: self).isExact) ?? true }

    public init?(keyBytes: UnsafeRawBufferPointer) {
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        guard let key = try? decoder.decode(Self.self, from: Data(keyBytes)) else { return nil }
        self = key
    }
}

/// If both encodings are possible, the bytes of the raw value are used, since they are shorter.
extension KVLightKey where Self: RawRepresentable & Codable, RawValue: KVLightKey {
    public var isExactKey: Bool { rawValue.isExactKey }

    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try rawValue.withKeyBytes(body)
    }

    public init?(keyBytes: UnsafeRawBufferPointer) {
        guard let rawValue = RawValue(keyBytes: keyBytes) else { return nil }
        self.init(rawValue: rawValue)
    }
}
