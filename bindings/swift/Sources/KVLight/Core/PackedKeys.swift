// Conversion of keys for the library: many keys to slices of one buffer, a single key in place.

import CKVLight

/// The bytes of many keys, one after the other.
@usableFromInline
package struct PackedKeys {
    @usableFromInline var bytes: [UInt8] = []
    @usableFromInline var ends: [Int] = []

    @inlinable
    package init(_ keys: [some KVLightKey]) {
        bytes.reserveCapacity(keys.count * 16)
        ends.reserveCapacity(keys.count)
        for key in keys {
            key.withKeyBytes { bytes.append(contentsOf: $0) }
            ends.append(bytes.count)
        }
    }

    /// Calls `body` with the keys in order.
    func withSlices<R>(_ body: (UnsafePointer<kvl_slice_t>?, Int) -> R) -> R {
        bytes.withUnsafeBufferPointer { packed in
            withUnsafeTemporaryAllocation(of: kvl_slice_t.self, capacity: max(ends.count, 1)) { slices in
                var start = 0
                for (i, end) in ends.enumerated() {
                    let data = packed.baseAddress.map { $0 + start }
                    slices.initializeElement(at: i, to: kvl_slice_t(data: data, len: end - start))
                    start = end
                }
                return body(slices.baseAddress.map { UnsafePointer($0) }, ends.count)
            }
        }
    }
}

/// Calls `body` with the bytes of one key.
@inlinable
package func withBytes<K: KVLightKey, R>(of key: K, _ body: (UnsafePointer<UInt8>?, Int) -> R) -> R {
    key.withKeyBytes { bytes in
        body(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
    }
}
