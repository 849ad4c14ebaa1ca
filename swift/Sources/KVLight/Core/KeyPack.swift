// Many keys as the library wants them: slices into one buffer.

import CKVLight

/// Calls `body` with the bytes of `keys`, in order, laid end to end.
package func withSlices<K: KVLightKey, R>(of keys: [K], _ body: (UnsafePointer<kvl_slice_t>?, Int) -> R) -> R {
    var bytes: [UInt8] = []
    var ends: [Int] = []
    bytes.reserveCapacity(keys.count * 16)
    ends.reserveCapacity(keys.count)
    for key in keys {
        key.withKeyBytes { bytes.append(contentsOf: $0) }
        ends.append(bytes.count)
    }
    return bytes.withUnsafeBufferPointer { packed in
        withUnsafeTemporaryAllocation(of: kvl_slice_t.self, capacity: max(keys.count, 1)) { slices in
            var start = 0
            for (i, end) in ends.enumerated() {
                let data = packed.baseAddress.map { $0 + start }
                slices.initializeElement(at: i, to: kvl_slice_t(data: data, len: end - start))
                start = end
            }
            return body(slices.baseAddress.map { UnsafePointer($0) }, keys.count)
        }
    }
}

/// Calls `body` with the bytes of one key.
package func withBytes<K: KVLightKey, R>(of key: K, _ body: (UnsafePointer<UInt8>?, Int) -> R) -> R {
    key.withKeyBytes { bytes in
        body(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count)
    }
}
