// Conversion of seconds in floating point to the library's milliseconds.

import CKVLight
import Foundation

enum Milliseconds {
    /// The greatest result: long enough for any wait, and the sum of two does not overflow.
    private static let most = Double(Int64.max / 4)

    /// 0 for zero, less, and NaN; otherwise at least 1.
    static func roundedUp(_ seconds: TimeInterval) -> Int64 {
        guard seconds > 0 else { return 0 }
        return Int64(min((seconds * 1000).rounded(.up), most))
    }

    static func roundedDown(_ seconds: TimeInterval) -> Int64 {
        guard seconds > 0 else { return 0 }
        return Int64(min((seconds * 1000).rounded(.down), most))
    }

    /// A time to live: infinity means never to expire, 0 and less not to be stored.
    static func timeToLive(_ seconds: TimeInterval) -> Int64 {
        seconds == .infinity ? Int64(KVL_TTL_NEVER) : roundedUp(seconds)
    }
}
