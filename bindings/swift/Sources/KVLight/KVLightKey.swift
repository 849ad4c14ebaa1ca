// What may be a key, and the bytes that are its identity.

import Foundation

/// A key of a ``MemoryCache`` or of ``KVLightTasks``: a value with an identity in bytes.
///
/// Keys that are equal have equal bytes, keys that differ have different bytes, and the bytes lead back to the key, or to one that is
/// equal. Strings, integers, `UUID`, `Data` and `URL` are keys; a type whose raw value is a key, or which is `Codable`, becomes one by
/// a line:
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
/// A provider is handed the key that was asked for. Where nobody waits, as in a removal listener, and where equal keys that are spelled
/// otherwise are asked for at the same time, it is one of the equal ones.
public protocol KVLightKey: Hashable, Sendable {
    /// Calls `body` with the bytes that identify this key. They are valid until it returns.
    func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R

    /// The key that has these bytes; `nil` if none has.
    init?(keyBytes: UnsafeRawBufferPointer)

    /// Whether the bytes lead back to this very key, rather than to one that is equal and spelled otherwise, such as a string that is put
    /// together in another way. `true` unless a type says more.
    var isExactKey: Bool { get }
}

extension KVLightKey {
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

/// A `Codable` key is identified by what it encodes, as JSON in a canonical form: strings composed, zero without a sign, sets and
/// dictionaries sorted. So keys are one if what they encode is equal. A type whose `==` is wider than that, by ignoring case or a property,
/// conforms by hand: it says which bytes equal keys have in common. Those bytes are also quicker to make.
extension KVLightKey where Self: Codable {
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        guard let text = try? CanonicalJSON.text(of: self) else {
            preconditionFailure("a key that cannot be encoded is no key: \(self)")
        }
        return try text.bytes.withUnsafeBytes(body)
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

/// Of two ways to the bytes the raw value is the shorter one.
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
