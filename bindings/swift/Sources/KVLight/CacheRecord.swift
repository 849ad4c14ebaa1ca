// How one lookup went.

import CKVLight

/// What a lookup came to.
public enum CacheRecord: Hashable, Sendable {
    /// The validator refused the key.
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
    /// It made room for another (`capacity`).
    case capacity
    /// It made room for another's cost (`costLimit`).
    case cost
    case replaced
    case removed
    case cleared
    /// It never got in.
    case refused
    case trimmed
    /// A tag that it had was removed.
    case tag
}
