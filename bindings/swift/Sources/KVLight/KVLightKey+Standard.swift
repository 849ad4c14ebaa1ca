// Key conformances of types of the standard library and Foundation.

import Foundation

extension String: KVLightKey {
    /// UTF-8, composed: strings that are equal in Swift are one key, whatever their scalars.
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        var text = composedKeyText.text
        return try text.withUTF8 { try body(UnsafeRawBufferPointer($0)) }
    }

    public init?(keyBytes: UnsafeRawBufferPointer) {
        self.init(bytes: keyBytes, encoding: .utf8)
    }

    public var isExactKey: Bool { composedKeyText.isExact }
}

extension Substring: KVLightKey {
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try String(self).withKeyBytes(body)
    }

    public init?(keyBytes: UnsafeRawBufferPointer) {
        guard let text = String(keyBytes: keyBytes) else { return nil }
        self.init(text)
    }

    public var isExactKey: Bool { String(self).isExactKey }
}

extension Data: KVLightKey {
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try withUnsafeBytes(body)
    }

    public init?(keyBytes: UnsafeRawBufferPointer) {
        self.init(keyBytes)
    }
}

extension UUID: KVLightKey {
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try withUnsafeBytes(of: uuid, body)
    }

    public init?(keyBytes: UnsafeRawBufferPointer) {
        guard keyBytes.count == MemoryLayout<uuid_t>.size else { return nil }
        self.init(uuid: keyBytes.loadUnaligned(as: uuid_t.self))
    }
}

extension URL: KVLightKey {
    /// The absolute address: a relative URL is the same key as the absolute one to which it resolves.
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try absoluteString.withKeyBytes(body)
    }

    public init?(keyBytes: UnsafeRawBufferPointer) {
        guard let text = String(keyBytes: keyBytes) else { return nil }
        self.init(string: text)
    }

    /// A relative URL is decoded as the absolute one, which is spelled differently.
    public var isExactKey: Bool { baseURL == nil && absoluteString.isExactKey }
}

extension FixedWidthInteger {
    @usableFromInline
    func withLittleEndianBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try withUnsafeBytes(of: littleEndian, body)
    }

    @usableFromInline
    init?(littleEndianBytes bytes: UnsafeRawBufferPointer) {
        guard bytes.count == MemoryLayout<Self>.size else { return nil }
        self.init(littleEndian: bytes.loadUnaligned(as: Self.self))
    }
}

extension Int: KVLightKey {
    @inlinable
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R { try withLittleEndianBytes(body) }
    @inlinable
    public init?(keyBytes: UnsafeRawBufferPointer) { self.init(littleEndianBytes: keyBytes) }
}

extension Int8: KVLightKey {
    @inlinable
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R { try withLittleEndianBytes(body) }
    @inlinable
    public init?(keyBytes: UnsafeRawBufferPointer) { self.init(littleEndianBytes: keyBytes) }
}

extension Int16: KVLightKey {
    @inlinable
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R { try withLittleEndianBytes(body) }
    @inlinable
    public init?(keyBytes: UnsafeRawBufferPointer) { self.init(littleEndianBytes: keyBytes) }
}

extension Int32: KVLightKey {
    @inlinable
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R { try withLittleEndianBytes(body) }
    @inlinable
    public init?(keyBytes: UnsafeRawBufferPointer) { self.init(littleEndianBytes: keyBytes) }
}

extension Int64: KVLightKey {
    @inlinable
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R { try withLittleEndianBytes(body) }
    @inlinable
    public init?(keyBytes: UnsafeRawBufferPointer) { self.init(littleEndianBytes: keyBytes) }
}

extension UInt: KVLightKey {
    @inlinable
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R { try withLittleEndianBytes(body) }
    @inlinable
    public init?(keyBytes: UnsafeRawBufferPointer) { self.init(littleEndianBytes: keyBytes) }
}

extension UInt8: KVLightKey {
    @inlinable
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R { try withLittleEndianBytes(body) }
    @inlinable
    public init?(keyBytes: UnsafeRawBufferPointer) { self.init(littleEndianBytes: keyBytes) }
}

extension UInt16: KVLightKey {
    @inlinable
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R { try withLittleEndianBytes(body) }
    @inlinable
    public init?(keyBytes: UnsafeRawBufferPointer) { self.init(littleEndianBytes: keyBytes) }
}

extension UInt32: KVLightKey {
    @inlinable
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R { try withLittleEndianBytes(body) }
    @inlinable
    public init?(keyBytes: UnsafeRawBufferPointer) { self.init(littleEndianBytes: keyBytes) }
}

extension UInt64: KVLightKey {
    @inlinable
    public func withKeyBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R { try withLittleEndianBytes(body) }
    @inlinable
    public init?(keyBytes: UnsafeRawBufferPointer) { self.init(littleEndianBytes: keyBytes) }
}
