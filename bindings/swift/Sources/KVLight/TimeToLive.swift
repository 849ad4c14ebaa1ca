// The time to live of an entry.

import CKVLight

/// How long an entry may be served.
public struct TimeToLive: Hashable, Sendable {
    package let milliseconds: Int64

    /// The time of the configuration.
    public static let `default` = TimeToLive(milliseconds: Int64(KVL_TTL_DEFAULT))
    /// The entry does not expire.
    public static let never = TimeToLive(milliseconds: Int64(KVL_TTL_NEVER))
    /// The element is delivered and not stored, and an existing entry is removed.
    public static let notStored = TimeToLive(milliseconds: 0)

    /// The given time, in whole milliseconds, rounded up. Zero and less is ``notStored``.
    public static func after(_ duration: Duration) -> TimeToLive {
        TimeToLive(milliseconds: duration.milliseconds())
    }

    /// The given number of seconds.
    public static func seconds(_ seconds: Int) -> TimeToLive { after(.seconds(seconds)) }

    /// The given number of milliseconds.
    public static func milliseconds(_ milliseconds: Int) -> TimeToLive { after(.milliseconds(milliseconds)) }

    /// The value for a configuration, where ``default`` means ``never``.
    var configured: Int64 { self == .default ? Int64(KVL_TTL_NEVER) : milliseconds }
}
