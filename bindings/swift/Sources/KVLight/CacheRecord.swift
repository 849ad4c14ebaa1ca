// The results of lookups and the causes of removals.

import CKVLight

/// The result of a lookup.
public enum CacheRecord: Hashable, Sendable {
    /// The validator rejected the key.
    case invalidKey
    /// The key is known to have no element.
    case hitNullElement
    case hitNonNullElement
    case miss

    init(status: kvl_status_t) {
        self =
            switch status {
            case KVL_VALUE: .hitNonNullElement
            case KVL_NULL: .hitNullElement
            case KVL_INVALID_KEY: .invalidKey
            default: .miss
            }
    }
}

/// Why an element is no longer in the store.
public enum RemovalCause: UInt32, Sendable {
    case expired = 1
    /// It was evicted because there were too many entries (`capacity`).
    case capacity
    /// It was evicted because the total cost was too high (`costLimit`).
    case cost
    case replaced
    case removed
    case cleared
    /// It was not stored at all.
    case refused
    case trimmed
    /// It was removed by a tag.
    case tag
}
