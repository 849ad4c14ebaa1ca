// Seconds in floating point, as the library counts time.

import CKVLight
import Foundation

enum Milliseconds {
    /// Nobody waits longer, and no sum of two overflows.
    private static let most = Double(Int64.max / 4)

    /// 0 for 0, less, and what is no number; else at least 1.
    static func roundedUp(_ seconds: TimeInterval) -> Int64 {
        guard seconds > 0 else { return 0 }
        return Int64(min((seconds * 1000).rounded(.up), most))
    }

    static func roundedDown(_ seconds: TimeInterval) -> Int64 {
        guard seconds > 0 else { return 0 }
        return Int64(min((seconds * 1000).rounded(.down), most))
    }

    /// A time to live: infinity is for ever, 0 and less is not at all.
    static func timeToLive(_ seconds: TimeInterval) -> Int64 {
        seconds == .infinity ? Int64(KVL_TTL_NEVER) : roundedUp(seconds)
    }
}
