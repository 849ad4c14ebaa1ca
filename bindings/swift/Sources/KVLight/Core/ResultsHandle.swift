// The results of a batch, read in place.

import CKVLight

@usableFromInline
package final class ResultsHandle: @unchecked Sendable {
    // Immutable once created, and reference counted.
    @usableFromInline let raw: OpaquePointer?

    /// Takes over a reference.
    package init(owning raw: OpaquePointer?) {
        self.raw = raw
    }

    /// Retains results that a callback received.
    package convenience init(retaining raw: OpaquePointer?) {
        self.init(owning: kvl_results_retain(raw))
    }

    deinit {
        kvl_results_release(raw)
    }

    package var status: kvl_status_t { kvl_results_status(raw) }

    func count(_ what: UInt32) -> Int { kvl_results_count(raw, what) }

    /// Each distinct error once; the first is that of the first position that failed.
    var errors: [any Error] {
        (0..<kvl_results_error_len(raw)).map { i in
            let error = kvl_results_error_at(raw, i)
            return thrown(kvl_error_status(error), error)
        }
    }

    /// The error with which the batch ended early, if it did; in an all-or-nothing batch that is the failure that ended it.
    @usableFromInline
    var endedEarly: (any Error)? {
        let status = self.status
        guard status != KVL_OK else { return nil }
        var failure: (any Error)?
        forEach { result in
            if failure == nil, result.status == status {
                failure = thrown(status, result.error)
            }
        }
        return failure ?? thrown(status)
    }

    /// Calls `body` with each position, in the order of the keys.
    @inlinable
    package func forEach(_ body: (kvl_result_t) throws -> Void) rethrows {
        var stride = 0
        let first = kvl_results_array(raw, &stride)
        for i in 0..<kvl_results_len(raw) {
            guard let first else { return }
            let result = UnsafeRawPointer(first).advanced(by: i * stride)
            try body(result.assumingMemoryBound(to: kvl_result_t.self).pointee)
        }
    }
}

extension kvl_result_t {
    /// The outcome of a position: an element; `nil` if the key is absent, invalid or not in the store; or an error.
    @inlinable
    package func outcome<Element>(as _: Element.Type = Element.self) -> Result<Element?, any Error> {
        switch status {
        case KVL_VALUE: .success(borrowed(object, as: Box<Element>.self).element)
        case ..<0: .failure(thrown(status, error))
        default: .success(nil)
        }
    }
}
